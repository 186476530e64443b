/*
 * From the command line of `tinyvm run` to a machine and to the instructions for its init: which
 * directories and disks it gets, and where the command finds them.
 */
#include "cmdline.h"
#include "run_parts.h"

#include <errno.h>
#include <limits.h>
#include <spec/run_protocol.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/boot.h>
#include <tinyvm/err.h>
#include <tinyvm/initramfs.h>
#include <tinyvm/log.h>
#include <tinyvm/tty.h>
#include <unistd.h>

/*
 * Each character on the console costs the start some time: nothing but errors. A panic prints all
 * that was kept from it (kernels since 5.18).
 */
#define QUIET_ARGS "quiet panic_print=0x20 "

#define ROOT_INIT "/sbin/init"
#define PATH_ELSE "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int run_no_plan(struct err *err)
{
	return err_set(err, -ENOMEM, "not enough host memory");
}

/* What of @path is below @dir, "/..." or ""; NULL for a path that is elsewhere. */
static const char *run_below(const char *dir, const char *path)
{
	size_t len = strcmp(dir, "/") == 0 ? 0 : strlen(dir);
	if (strncmp(path, dir, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path + len;
}

/* Where the guest has the host's @path; NULL for nowhere. */
static const char *run_path_in_guest(const struct run_plan *plan, const char *path)
{
	const char *below = plan->rootfs ? run_below(plan->rootfs, path) : NULL;
	if (below && !*below)
		return "/";
	return below;
}

static struct config_share *run_add_share(struct run_plan *plan, const char *path, bool is_readonly)
{
	struct config *cfg = &plan->cfg;
	struct config_share *share = &cfg->share[cfg->share_count];
	share->path = path;
	share->is_readonly = is_readonly;
	snprintf(share->tag, sizeof(share->tag), "share%u", cfg->share_count++);
	return share;
}

/* The root of an image that does not say which it is, from --append root=. */
static int run_plan_named_root(struct run_plan *plan, struct err *err)
{
	size_t len;
	const char *root = cmdline_get(plan->run->append, "root", &len);
	if (strncmp(root, "/dev/vda", 8) != 0 || len > 16)
		return err_set(err, -EINVAL,
			       "--append root=%.*s: with --image that can only be /dev/vda or one "
			       "of its partitions",
			       (int)(len < 100 ? len : 100), root);
	snprintf(plan->root, sizeof(plan->root), "auto:%.*s:rw:", (int)len, root);
	return 0;
}

static int run_plan_image(struct run_plan *plan, struct err *err)
{
	const struct run_config *run = plan->run;
	struct config *cfg = &plan->cfg;
	struct boot_root root;

	/* Before it is searched, which would only say that nothing was found. */
	if (access(run->image, R_OK) != 0)
		return err_set(err, -errno, "--image %.300s: %s", run->image, strerror(errno));
	cfg->disk[0] = (struct config_disk){.path = run->image, .is_snapshot = true};
	cfg->disk_count = 1;
	cfg->tmpdir = run->tmpdir;
	cfg->keep_overlay = run->keep_overlay;
	if (cmdline_has(run->append, "root"))
		return run_plan_named_root(plan, err);
	if (!cmdline_identify_root(cfg, &root))
		return err_set(err, -ENOENT,
			       "--image %.300s: no root file system, or more than one, found on it "
			       "(--append root=/dev/vdaN names one)",
			       run->image);
	if (!root.filesystem)
		return err_set(err, -ENOENT,
			       "--image %.300s: partition %s holds no file system known here "
			       "(LVM, RAID and encrypted ones are not supported)",
			       run->image, root.suffix);
	plan->filesystem = root.filesystem;
	snprintf(plan->root, sizeof(plan->root), "%s:/dev/vda%s:%s:", root.filesystem, root.suffix,
		 root.is_read_only ? "overlay" : "rw");
	return 0;
}

static int run_plan_root(struct run_plan *plan, struct err *err)
{
	const struct run_config *run = plan->run;

	if (run->image)
		return run_plan_image(plan, err);
	if (oci_is_image(run->rootfs))
		return run_image_open(plan, run->rootfs, err);
	if (run->tmpdir)
		return err_set(err, -EINVAL,
			       "--tmpdir is for --image and for container images, and --rootfs "
			       "%.300s is a directory",
			       run->rootfs);
	plan->rootfs = realpath(run->rootfs, NULL);
	if (!plan->rootfs)
		return err_set(err, -errno, "--rootfs %.300s: %s", run->rootfs, strerror(errno));
	const struct config_share *share =
		run_add_share(plan, plan->rootfs, !run->is_root_writable);
	snprintf(plan->root, sizeof(plan->root), "virtiofs:%s:%s:", share->tag,
		 run->is_root_writable ? "rw" : "overlay");
	return 0;
}

static int run_plan_shares(struct run_plan *plan, struct err *err)
{
	const struct run_config *run = plan->run;

	plan->share_first = plan->cfg.share_count;
	for (unsigned i = 0; i < run->share_count; i++) {
		const struct run_share *share = &run->share[i];
		plan->host[i] = realpath(share->host, NULL);
		if (!plan->host[i])
			return err_set(err, -errno, "--%s %.300s: %s",
				       share->guest ? "share" : "rw", share->host, strerror(errno));
		const char *guest =
			share->guest ? share->guest : run_path_in_guest(plan, plan->host[i]);
		plan->guest[i] = strdup(guest ? guest : plan->host[i]);
		if (!plan->guest[i])
			return run_no_plan(err);
		if (strcmp(plan->guest[i], "/") == 0)
			return err_set(err, -EINVAL,
				       "--rw and --share cannot take the place of the root; a bare "
				       "--rw makes --rootfs writable");
		run_add_share(plan, plan->host[i], share->is_readonly);
	}
	return 0;
}

/* Directories that are the guest's own, whatever its root has there. */
static bool run_is_own(const char *path)
{
	static const char *const own[] = {"/proc", "/sys", "/dev", "/run"};
	for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (run_below(own[i], path))
			return true;
	return false;
}

static int run_plan_cwd(struct run_plan *plan, struct err *err)
{
	char here[PATH_MAX];
	const char *cwd = plan->run->cwd ? plan->run->cwd : plan->image.cwd;
	if (!cwd && getcwd(here, sizeof(here)) && here[0] == '/') {
		cwd = run_path_in_guest(plan, here);
		if (cwd && run_is_own(cwd))
			cwd = NULL;
		for (unsigned i = 0; i < plan->run->share_count && !cwd; i++)
			if (!plan->run->share[i].guest && run_below(plan->host[i], here))
				cwd = here;
	}
	plan->cwd = strdup(cwd ? cwd : "/");
	return plan->cwd ? 0 : run_no_plan(err);
}

int run_plan_machine(struct run_plan *plan, struct err *err)
{
	const struct run_config *run = plan->run;
	struct config *cfg = &plan->cfg;

	cfg->memory = run->memory;
	cfg->cpus = run->cpus;
	cfg->port = RUN_PORT_NAME;
	cfg->is_auto_args = true;
	cfg->is_unpack_wanted = true;
	cfg->verbose = run->verbose;
	cfg->net[0] = run->net[0];
	cfg->net_count = run->net_count;
	cfg->append = "";
	int error = run_plan_root(plan, err);
	if (!error)
		error = run_plan_shares(plan, err);
	if (!error)
		error = run_plan_cwd(plan, err);
	if (!error && !run->command_count && !plan->image.command_count)
		error = err_set(err, -EINVAL,
				"run: there is no command to run, and --rootfs %.200s names none; "
				"it comes last, as in tinyvm run -- uname -r",
				run->rootfs);
	if (error)
		return error;
	if (asprintf(&plan->append, "%s%s", run->verbose ? "" : QUIET_ARGS, run->append) < 0) {
		plan->append = NULL;
		return run_no_plan(err);
	}
	cfg->append = plan->append;
	return 0;
}

void run_plan_destroy(struct run_plan *plan)
{
	for (unsigned i = 0; i < RUN_SHARE_MAX; i++) {
		free(plan->host[i]);
		free(plan->guest[i]);
	}
	if (plan->is_container)
		oci_close(&plan->image);
	free(plan->append);
	free(plan->rootfs);
	free(plan->cwd);
	free(plan->initrd);
}

/* Instructions */

/**
 * struct tell - instructions in the making
 * @error: the first one
 */
struct tell {
	struct initramfs *ia;
	int error;
};

__attribute__((format(printf, 3, 4))) static void tell(struct tell *t, const char *key,
						       const char *fmt, ...)
{
	char *value;
	va_list args;
	va_start(args, fmt);
	int len = vasprintf(&value, fmt, args);
	va_end(args);
	if (len < 0) {
		t->error = -ENOMEM;
		return;
	}
	int error = initramfs_set(t->ia, key, value);
	if (!t->error)
		t->error = error;
	free(value);
}

static void tell_from_here(struct run_env *env, const char *name, const char *otherwise)
{
	const char *value = getenv(name);
	if (value || otherwise)
		run_env_set(env, name, value ? value : otherwise);
}

/* Little of the caller's environment: what depends on it would not be repeatable. */
static void tell_environment(struct tell *t, const struct run_plan *plan)
{
	const struct run_config *run = plan->run;
	static const char *const kept[] = {"LANG", "LC_ALL", "TZ"};
	struct run_env env = {0};
	if (plan->rootfs && strcmp(plan->rootfs, "/") == 0)
		tell_from_here(&env, "PATH", PATH_ELSE);
	else
		run_env_set(&env, "PATH", PATH_ELSE);
	run_env_set(&env, "HOME", "/root");
	run_env_set(&env, "USER", "root");
	run_env_set(&env, "LOGNAME", "root");
	run_env_set(&env, "PWD", plan->cwd);
	if (plan->is_tty)
		tell_from_here(&env, "TERM", "linux");
	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		tell_from_here(&env, kept[i], NULL);
	for (unsigned i = 0; i < plan->image.env_count; i++)
		run_env_put(&env, plan->image.env[i]);
	for (unsigned i = 0; i < run->env_count; i++) {
		if (strchr(run->env[i], '='))
			run_env_put(&env, run->env[i]);
		else
			tell_from_here(&env, run->env[i], NULL);
	}
	for (unsigned i = 0; i < env.count; i++)
		tell(t, "env", "%s", env.list[i]);
	if (!t->error)
		t->error = env.error;
	run_env_destroy(&env);
}

static void tell_terminal(struct tell *t)
{
	uint16_t cols, rows;
	if (tty_size(STDOUT_FILENO, &cols, &rows) != 0) {
		rows = 24;
		cols = 80;
	}
	tell(t, "tty", "%ux%u", rows, cols);
}

static void tell_network(struct tell *t, const struct run_plan *plan)
{
	struct run_net net;
	char dns[RUN_NET_TEXT];
	if (!plan->cfg.net_count || plan->cfg.net[0].kind != CONFIG_NET_USER)
		return;
	if (!run_net_find(&net)) {
		log_warn(
			"--net user: this host has no default route, so the guest gets no address");
		return;
	}
	tell(t, "net", ":%s:%s", net.address, net.gateway);
	FILE *in = fopen("/etc/resolv.conf", "re");
	while (in && run_net_next_dns(in, &net, dns))
		tell(t, "dns", "%s", dns);
	if (in)
		fclose(in);
}

int run_instruct(struct initramfs *ia, const struct run_plan *plan)
{
	struct tell t = {.ia = ia};
	const struct run_config *run = plan->run;

	tell(&t, "version", "%d", RUN_PROTOCOL_VERSION);
	tell(&t, "port", "%s", RUN_PORT_NAME);
	tell(&t, "hostname", "tinyvm");
	tell(&t, "root", "%s", plan->root);
	for (unsigned i = 0; i < run->share_count; i++)
		tell(&t, "mount", "virtiofs:%s:%s::%s", plan->cfg.share[plan->share_first + i].tag,
		     run->share[i].is_readonly ? "ro" : "rw", plan->guest[i]);
	if (run->is_boot_wanted)
		tell(&t, "boot", ROOT_INIT);
	tell(&t, "cwd", "%s", plan->cwd);
	if (plan->is_tty)
		tell_terminal(&t);
	tell_environment(&t, plan);
	tell_network(&t, plan);
	for (unsigned i = 0; i < run->command_count; i++)
		tell(&t, "arg", "%s", run->command[i]);
	for (unsigned i = 0; !run->command_count && i < plan->image.command_count; i++)
		tell(&t, "arg", "%s", plan->image.command[i]);
	return t.error;
}
