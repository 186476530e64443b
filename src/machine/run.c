/*
 * `tinyvm run`: makes a machine of what the user wants to run in it, and an exit status of how that
 * ended. The guest's side is tinyvm's init (src/guest), told what to do by the initramfs that is
 * put together here.
 *
 * Left out on purpose: users of the guest (the command is root there, which is nobody special
 * here), and kernels without virtio drivers, as a file or a part of the kernel.
 */
#include "cmdline.h"
#include "now.h"
#include "run_parts.h"
#include "session.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/boot.h>
#include <tinyvm/err.h>
#include <tinyvm/initramfs.h>
#include <tinyvm/log.h>
#include <tinyvm/run.h>
#include <tinyvm/tty.h>
#include <unistd.h>

#define NS_PER_MS 1000000ULL

/* What the kernel must have, for what. */
struct run_module {
	const char *name;
	const char *why;
	bool is_needed;
};

static int run_no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "not enough host memory");
}

/* The newest of this host's kernels that can be read, to be freed. */
static char *run_find_kernel(struct err *err)
{
	glob_t found = {0};
	char *kernel = NULL;
	if (glob("/boot/vmlinuz-*", 0, NULL, &found) != 0)
		found.gl_pathc = 0;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];
		if (access(path, R_OK) != 0 || (kernel && strverscmp(path, kernel) < 0))
			continue;
		free(kernel);
		kernel = strdup(path);
	}
	globfree(&found);
	if (!kernel)
		err_set(err, -ENOENT,
			"there is no kernel in /boot that this user can read; name one with "
			"--kernel");
	return kernel;
}

/* The directory with modules.dep, to be freed; NULL: there is none, so all must be built in. */
static char *run_find_modules(const struct run_config *cfg, const char *release)
{
	const char *const base = cfg->modules ? cfg->modules : "/lib/modules";
	const char *const under[] = {cfg->modules ? "." : release, release, "lib/modules"};
	char *dir, *file;
	for (unsigned i = 0; i < 3; i++) {
		if (asprintf(&dir, "%s/%s%s%s", base, under[i], i == 2 ? "/" : "",
			     i == 2 ? release : "") < 0)
			return NULL;
		if (asprintf(&file, "%s/modules.dep", dir) < 0) {
			free(dir);
			return NULL;
		}
		/* What DIR itself holds is believed to be the kernel's if that does not say. */
		bool is_known = *release || (cfg->modules && i == 0);
		bool is_there = is_known && access(file, R_OK) == 0;
		free(file);
		if (is_there)
			return dir;
		free(dir);
	}
	return NULL;
}

#define RUN_MODULES_MAX 10

static unsigned run_wanted_modules(const struct run_plan *plan, struct run_module *list)
{
	const struct run_config *cfg = plan->run;
	const bool is_overlay = strstr(plan->root, ":overlay:");
	const bool is_shared_root = cfg->rootfs && !plan->is_container;
	unsigned n = 0;
	list[n++] = (struct run_module){"virtio_pci", "its devices", true};
	list[n++] = (struct run_module){"virtio_console", "the command's streams", true};
	list[n++] = (struct run_module){"virtio_rng", "random numbers", false};
	if (cfg->image)
		list[n++] = (struct run_module){"virtio_blk", "--image", true};
	if (plan->filesystem) {
		bool is_iso = strcmp(plan->filesystem, "iso9660") == 0;
		list[n++] =
			(struct run_module){is_iso ? "isofs" : plan->filesystem, "--image", true};
	} else if (cfg->image) {
		list[n++] = (struct run_module){"ext4", "--image", false};
		list[n++] = (struct run_module){"xfs", "--image", false};
		list[n++] = (struct run_module){"btrfs", "--image", false};
	}
	if (plan->is_container) {
		list[n++] = (struct run_module){"virtio_blk", "a container image", true};
		list[n++] = (struct run_module){"erofs",
						"a container image (unpacked in a directory, "
						"--rootfs takes it too)",
						true};
	}
	if (is_shared_root || cfg->share_count)
		list[n++] =
			(struct run_module){"virtiofs",
					    is_shared_root ? "directories of the host as its root "
							     "(a disk would do: --image)"
							   : "--share and --rw",
					    true};
	if (is_overlay)
		list[n++] = (struct run_module){"overlay", "a root that stays as it is", true};
	if (cfg->net_count)
		list[n++] = (struct run_module){"virtio_net", "--net", true};
	return n;
}

static int run_add_modules(struct initramfs *ia, const struct run_plan *plan, const char *release,
			   struct err *err)
{
	const struct run_config *cfg = plan->run;
	const char *kernel = plan->cfg.kernel;
	struct run_module wanted[RUN_MODULES_MAX];
	const char *names[RUN_MODULES_MAX];
	enum initramfs_found found[RUN_MODULES_MAX];
	unsigned count = run_wanted_modules(plan, wanted);
	char *dir = run_find_modules(cfg, release);
	const char *what = *release ? release : "(which does not name its release)";

	if (!dir && cfg->modules)
		return err_set(err, -ENOENT,
			       "--modules %.200s: there is no modules.dep for the kernel %.64s",
			       cfg->modules, what);
	if (!dir) {
		log_info("no modules for the kernel %s in /lib/modules, so it must have all "
			 "drivers built in (else: --modules DIR)",
			 what);
		return 0;
	}
	for (unsigned i = 0; i < count; i++)
		names[i] = wanted[i].name;
	char *cache = machine_cache_dir();
	int error = initramfs_add_modules(ia, dir, names, count, cache, found, err);
	free(cache);
	for (unsigned i = 0; i < count && !error; i++)
		if (found[i] == INITRAMFS_MISSING && wanted[i].is_needed)
			error = err_set(err, -ENOENT,
					"kernel %.200s has no %s, which it needs for %s; looked "
					"for in %.100s",
					kernel, names[i], wanted[i].why, dir);
	free(dir);
	return error;
}

static int run_pack(struct run_plan *plan, const struct boot_image *image, struct err *err)
{
	char release[BOOT_RELEASE_MAX];
	struct initramfs *ia;
	if (boot_image_release(image, release) != 0)
		release[0] = '\0';
	int error = initramfs_create(&ia);
	if (error)
		return run_no_memory(err);
	if (initramfs_add_init(ia, boot_image_is_64bit(image)) != 0 || run_instruct(ia, plan) != 0)
		error = run_no_memory(err);
	if (!error)
		error = run_add_modules(ia, plan, release, err);
	uint8_t *data = NULL;
	size_t size;
	if (!error && initramfs_finish(ia, &data, &size) != 0)
		error = run_no_memory(err);
	initramfs_destroy(ia);
	if (error)
		return error;
	plan->initrd = data;
	plan->cfg.initrd_data = data;
	plan->cfg.initrd_size = size;
	return 0;
}

static int run_prepare(struct run_plan *plan, struct err *err)
{
	struct boot_image *image;
	/* Only to learn what it is: machine_main() opens it in earnest. */
	int error = boot_image_open(&image, plan->cfg.kernel, false, NULL, err);
	if (error)
		return error;
	plan->is_32bit = !boot_image_is_64bit(image);
	error = run_plan_machine(plan, err);
	if (!error)
		error = run_pack(plan, image, err);
	boot_image_close(image);
	return error;
}

static void run_show_kernel_log(const struct session *s)
{
	const struct klog *log = session_kernel_log(s);
	if (s->klog.is_live || !log->count)
		return;
	log_error("the last lines of its kernel's log:");
	const char *line;
	for (unsigned n = 0; (line = klog_line(log, n)); n++)
		log_error("  %s", line);
}

/* The command has had its say; what went wrong after it is only told. */
static int run_judge_command(const struct session *s, int machine, char sentence[ERR_MSG_MAX])
{
	if (s->is_overdue)
		snprintf(sentence, ERR_MSG_MAX,
			 "the guest did not switch off after the command's end; what it had not "
			 "written back is lost");
	else if (machine != EXIT_GUEST_OFF)
		snprintf(sentence, ERR_MSG_MAX, "after the command's end: %.400s",
			 *s->front.sentence ? s->front.sentence : "a signal ended the machine");
	if (*sentence)
		log_warn("%s", sentence);
	return s->status.is_signal ? EXIT_SIGNAL_BASE + (int)(s->status.value & 0x7f)
				   : (int)(s->status.value & 0xff);
}

static const char *run_why_off(const struct session *s)
{
	if (s->is_failed)
		return s->sentence;
	return atomic_load(&s->stage) == SESSION_BOOTING
		       ? "the guest went off before its init could say a word"
		       : "the guest went off before the command had ended";
}

/* @machine: how the machine ended. Return: how the run did, with a sentence for what is not plain.
 */
static int run_judge(const struct run_plan *plan, const struct session *s, int machine,
		     char sentence[ERR_MSG_MAX], struct err *err)
{
	sentence[0] = '\0';
	if (machine == EXIT_NOT_STARTED) {
		snprintf(sentence, ERR_MSG_MAX, "%s", err->msg);
	} else if (session_has_lost_output(s, sentence)) {
		machine = EXIT_NOT_STARTED; /* the user has been told */
	} else if (session_has_status(s)) {
		return run_judge_command(s, machine, sentence);
	} else if (machine != EXIT_GUEST_OFF) {
		snprintf(sentence, ERR_MSG_MAX, "%s", s->front.sentence);
	} else if (s->is_timeout) {
		snprintf(sentence, ERR_MSG_MAX, "it took more than %g s (--timeout)",
			 (double)plan->run->timeout_ms / 1000);
		log_error("%s", sentence);
		machine = EXIT_TIMEOUT;
	} else {
		machine = EXIT_NOT_STARTED;
		err_set(err, -EIO, "%s", run_why_off(s));
		snprintf(sentence, ERR_MSG_MAX, "%s", err->msg);
	}
	return machine;
}

/* The session of a plan, from end to end. Return: the exit code. */
static int run_session(struct run_plan *plan, struct session *session, struct report *report,
		       struct err *err)
{
	char sentence[ERR_MSG_MAX];
	bool is_ready = plan->cfg.kernel && run_prepare(plan, err) == 0;
	int machine =
		is_ready ? machine_main_front(&plan->cfg, &session->front, err) : EXIT_NOT_STARTED;
	int status = run_judge(plan, session, machine, sentence, err);
	if (*sentence && is_ready && !session_has_lost_output(session, NULL))
		run_show_kernel_log(session);
	struct err unwritten = {0};
	if (report_write(report, session, status, sentence, &unwritten) == 0)
		return status;
	if (err->msg[0])
		log_error("%s", err->msg); /* both count */
	*err = unwritten;
	return EXIT_NOT_STARTED;
}

int run_main(const struct run_config *cfg, struct err *err)
{
	struct report report = {.path = cfg->report, .begin_ns = now_get_ns()};
	struct run_plan *plan = calloc(1, sizeof(*plan));
	struct session *session = calloc(1, sizeof(*session));
	char *kernel = NULL;
	int status = EXIT_NOT_STARTED;

	if (!plan || !session) {
		run_no_memory(err);
	} else if (report_open(&report, err) == 0) {
		plan->run = cfg;
		plan->is_tty = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
		plan->cfg.kernel = cfg->kernel;
		if (!cfg->kernel)
			plan->cfg.kernel = kernel = run_find_kernel(err);
		session_init(session, plan->is_tty,
			     cfg->timeout_ms ? report.begin_ns + cfg->timeout_ms * NS_PER_MS : 0,
			     cfg->verbose);
		status = run_session(plan, session, &report, err);
	}
	if (plan)
		run_plan_destroy(plan);
	free(plan);
	free(session);
	free(kernel);
	return status;
}
