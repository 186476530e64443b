/*
 * The command line of `tinyvm run`. Options end at `--` or at the first word that is none: what
 * follows is the command. Values are attached (`--memory=1G`, `-m1G`) or the next word.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/err.h>
#include <tinyvm/run.h>

#include "config_parts.h"

#define RUN_MEMORY_DEFAULT (1ULL << 30) /* untouched pages cost nothing */

static const char run_help_text[] =
	"usage: tinyvm run [OPTION...] [--] COMMAND [ARG...]\n"
	"Runs a command in a machine of its own, whose exit status is the command's.\n"
	"What it changes is gone afterwards, but for --rw and --share.\n"
	"\n"
	"  -k, --kernel FILE            bzImage or ELF vmlinux (default: newest in /boot)\n"
	"      --modules DIR            its modules (default /lib/modules/RELEASE)\n"
	"      --rootfs DIR             what the guest has as / (default: this host's /),\n"
	"                               or a container image (OCI layout, docker save)\n"
	"      --image FILE, --boot     a disk with the root instead; its init first\n"
	"      --rw [DIR]               changes in DIR, or in all of --rootfs, last\n"
	"      --share HOST:GUEST[:ro]  a directory of the host elsewhere in the guest\n"
	"      --cwd DIR, --env NAME[=VALUE]  of the command (default: this directory)\n"
	"  -m, --memory SIZE, -c, --cpus N  of the machine (default 1G, 1)\n"
	"      --net user|tap|...       a network card, as for tinyvm itself\n"
	"  -a, --append TEXT            kernel arguments\n"
	"      --timeout TIME           30s, 5m, 2h; a bare number is seconds\n"
	"      --report FILE            the result as JSON\n"
	"      --tmpdir DIR, --keep-overlay FILE  where changes to --image go; keep them\n"
	"  -v, --verbose                show the kernel's messages and what is done (-vv)\n"
	"  -h, --help                   show this\n"
	"\n"
	"Exit: the command's; 128+n signal n; 120 panic, 121 triple fault, 122 KVM,\n"
	"124 timeout, 125 not started, 126 cannot be run, 127 not found.\n";

const char *run_config_help(void)
{
	return run_help_text;
}

enum run_option_id {
	RUN_OPT_KERNEL,
	RUN_OPT_MODULES,
	RUN_OPT_ROOTFS,
	RUN_OPT_IMAGE,
	RUN_OPT_BOOT,
	RUN_OPT_RW,
	RUN_OPT_SHARE,
	RUN_OPT_CWD,
	RUN_OPT_ENV,
	RUN_OPT_MEMORY,
	RUN_OPT_CPUS,
	RUN_OPT_NET,
	RUN_OPT_APPEND,
	RUN_OPT_TIMEOUT,
	RUN_OPT_REPORT,
	RUN_OPT_TMPDIR,
	RUN_OPT_KEEP_OVERLAY,
	RUN_OPT_VERBOSE,
	RUN_OPT_HELP,
	RUN_OPT_COUNT,
};

/* @is_optional: its value is left out where the next word begins with a dash. */
static const struct run_option {
	struct config_option is;
	bool is_optional;
	bool is_repeatable;
} run_options[RUN_OPT_COUNT] = {
	[RUN_OPT_KERNEL] = {{"kernel", 'k', "--kernel ./bzImage"}, false, false},
	[RUN_OPT_MODULES] = {{"modules", 0, "--modules ./lib/modules/6.1.0"}, false, false},
	[RUN_OPT_ROOTFS] = {{"rootfs", 0, "--rootfs ./alpine"}, false, false},
	[RUN_OPT_IMAGE] = {{"image", 0, "--image disk.img"}, false, false},
	[RUN_OPT_BOOT] = {{"boot", 0, NULL}, false, true},
	[RUN_OPT_RW] = {{"rw", 0, "--rw ./build"}, true, true},
	[RUN_OPT_SHARE] = {{"share", 0, "--share ./data:/mnt:ro"}, false, true},
	[RUN_OPT_CWD] = {{"cwd", 0, "--cwd /tmp"}, false, false},
	[RUN_OPT_ENV] = {{"env", 'e', "--env LANG=C"}, false, true},
	[RUN_OPT_MEMORY] = {{"memory", 'm', "--memory 2G"}, false, false},
	[RUN_OPT_CPUS] = {{"cpus", 'c', "--cpus 2"}, false, false},
	[RUN_OPT_NET] = {{"net", 0, "--net user"}, true, false},
	[RUN_OPT_APPEND] = {{"append", 'a', "--append nokaslr"}, false, false},
	[RUN_OPT_TIMEOUT] = {{"timeout", 0, "--timeout 30s"}, false, false},
	[RUN_OPT_REPORT] = {{"report", 0, "--report result.json"}, false, false},
	[RUN_OPT_TMPDIR] = {{"tmpdir", 0, "--tmpdir /var/tmp"}, false, false},
	[RUN_OPT_KEEP_OVERLAY] = {{"keep-overlay", 0, "--keep-overlay changes.ovl"}, false, false},
	[RUN_OPT_VERBOSE] = {{"verbose", 'v', NULL}, false, true},
	[RUN_OPT_HELP] = {{"help", 'h', NULL}, false, true},
};

/**
 * struct run_parse - a command line being read
 * @next: the first of argv not read yet
 */
struct run_parse {
	int argc;
	char **argv;
	int next;
	struct run_config cfg;
	bool is_given[RUN_OPT_COUNT];
	bool is_help;
	struct err *err;
};

static int run_parse_share(struct run_parse *p, char *value, bool is_rw)
{
	struct run_share share = {.host = value};

	if (p->cfg.share_count == RUN_SHARE_MAX)
		return err_set(p->err, -EINVAL,
			       "there is room for %d directories, and --%s %.200s is one more",
			       RUN_SHARE_MAX, is_rw ? "rw" : "share", value);
	if (!is_rw) {
		char *guest = strchr(value, ':');
		char *mode = guest ? strchr(guest + 1, ':') : NULL;
		if (!guest || guest == value || guest[1] != '/')
			return err_set(p->err, -EINVAL,
				       "--share '%.200s' is not HOST:GUEST, where GUEST is the "
				       "whole path in the guest, such as ./data:/mnt",
				       value);
		if (mode && strcmp(mode, ":ro") != 0 && strcmp(mode, ":rw") != 0)
			return err_set(p->err, -EINVAL,
				       "--share '%.200s' ends in something else than :ro or :rw",
				       value);
		share.is_readonly = mode && strcmp(mode, ":ro") == 0;
		share.guest = guest + 1;
		*guest = '\0';
		if (mode)
			*mode = '\0';
	}
	p->cfg.share[p->cfg.share_count++] = share;
	return 0;
}

static int run_parse_env(struct run_parse *p, const char *value)
{
	const char *equals = strchr(value, '=');

	if (equals == value)
		return err_set(p->err, -EINVAL, "--env '%.80s' has no name", value);
	if (p->cfg.env_count == RUN_ENV_MAX)
		return err_set(p->err, -EINVAL, "there is room for %d variables of --env",
			       RUN_ENV_MAX);
	p->cfg.env[p->cfg.env_count++] = value;
	return 0;
}

/* @value: NULL for an option whose value was left out. */
static int run_parse_net(struct run_parse *p, char *value)
{
	p->cfg.net_count = 1;
	if (value)
		return config_net(value, &p->cfg.net[0], p->err);
	p->cfg.net[0] = config_net_default;
	return 0;
}

static int run_parse_rw(struct run_parse *p, char *value)
{
	if (value)
		return run_parse_share(p, value, true);
	p->cfg.is_root_writable = true;
	return 0;
}

/* Options that are only a string. */
static const char **run_parse_string(struct run_config *cfg, enum run_option_id id)
{
	const char **const strings[RUN_OPT_COUNT] = {
		[RUN_OPT_KERNEL] = &cfg->kernel,
		[RUN_OPT_MODULES] = &cfg->modules,
		[RUN_OPT_ROOTFS] = &cfg->rootfs,
		[RUN_OPT_IMAGE] = &cfg->image,
		[RUN_OPT_CWD] = &cfg->cwd,
		[RUN_OPT_APPEND] = &cfg->append,
		[RUN_OPT_REPORT] = &cfg->report,
		[RUN_OPT_TMPDIR] = &cfg->tmpdir,
		[RUN_OPT_KEEP_OVERLAY] = &cfg->keep_overlay,
	};
	return strings[id];
}

static int run_parse_value(struct run_parse *p, enum run_option_id id, char *value)
{
	const struct run_option *option = &run_options[id];
	const char **string = run_parse_string(&p->cfg, id);

	if (value && !*value && id != RUN_OPT_APPEND)
		return err_set(p->err, -EINVAL, "--%s needs a value that is not empty, such as %s",
			       option->is.name, option->is.example);
	if (p->is_given[id] && !option->is_repeatable)
		return err_set(p->err, -EINVAL, "--%s is given twice; leave one of the two out",
			       option->is.name);
	p->is_given[id] = true;
	if (string) {
		*string = value;
		return 0;
	}
	if (id == RUN_OPT_RW)
		return run_parse_rw(p, value);
	if (id == RUN_OPT_SHARE)
		return run_parse_share(p, value, false);
	if (id == RUN_OPT_ENV)
		return run_parse_env(p, value);
	if (id == RUN_OPT_NET)
		return run_parse_net(p, value);
	if (id == RUN_OPT_MEMORY)
		return config_memory(value, &p->cfg.memory, p->err);
	if (id == RUN_OPT_CPUS)
		return config_cpus(value, &p->cfg.cpus, p->err);
	return config_time("timeout", value, &p->cfg.timeout_ms, p->err);
}

static int run_parse_from_next(struct run_parse *p, enum run_option_id id)
{
	const struct run_option *option = &run_options[id];
	char *next = p->next < p->argc ? p->argv[p->next] : NULL;

	if (option->is_optional && (!next || next[0] == '-'))
		return run_parse_value(p, id, NULL);
	if (!next || strcmp(next, "--") == 0)
		return err_set(p->err, -EINVAL, "--%s needs a value, such as %s", option->is.name,
			       option->is.example);
	p->next++;
	return run_parse_value(p, id, next);
}

static void run_parse_flag(struct run_parse *p, enum run_option_id id)
{
	if (id == RUN_OPT_HELP)
		p->is_help = true;
	else if (id == RUN_OPT_BOOT)
		p->cfg.is_boot_wanted = true;
	else
		p->cfg.verbose++;
}

const char *run_option_name(unsigned i)
{
	return i < RUN_OPT_COUNT ? run_options[i].is.name : NULL;
}

static int run_parse_unknown(const struct run_parse *p, const char *arg)
{
	return config_refuse_option("run", arg, run_option_name, "tinyvm run --help lists", p->err);
}

/* The option that @arg, with two dashes, names; @ret_len: up to its =. */
static enum run_option_id run_find_long(const char *arg, size_t *ret_len)
{
	size_t len = strcspn(arg + 2, "=");
	unsigned id = 0;

	while (id < RUN_OPT_COUNT && (strncmp(run_options[id].is.name, arg + 2, len) != 0 ||
				      run_options[id].is.name[len] != '\0'))
		id++;
	*ret_len = 2 + len;
	return (enum run_option_id)id;
}

static enum run_option_id run_find_letter(char letter)
{
	unsigned id = 0;

	while (id < RUN_OPT_COUNT && run_options[id].is.letter != letter)
		id++;
	return (enum run_option_id)id;
}

unsigned run_option_words(const char *arg, const char *next)
{
	size_t len;

	if (arg[1] == '-') {
		enum run_option_id id = run_find_long(arg, &len);
		if (id == RUN_OPT_COUNT)
			return 0;
		if (arg[len] == '=' || !run_options[id].is.example)
			return 1;
		return run_options[id].is_optional && (!next || next[0] == '-') ? 1 : 2;
	}
	for (const char *letter = arg + 1; *letter; letter++) {
		enum run_option_id id = run_find_letter(*letter);
		if (id == RUN_OPT_COUNT)
			return 0;
		if (run_options[id].is.example)
			return letter[1] ? 1 : 2;
	}
	return 1;
}

static int run_parse_long(struct run_parse *p, char *arg)
{
	size_t len;
	enum run_option_id id = run_find_long(arg, &len);

	if (id == RUN_OPT_COUNT)
		return run_parse_unknown(p, arg);
	bool is_attached = arg[len] == '=';
	if (run_options[id].is.example)
		return is_attached ? run_parse_value(p, id, arg + len + 1)
				   : run_parse_from_next(p, id);
	if (is_attached)
		return err_set(p->err, -EINVAL, "--%s takes no value; leave %.80s out",
			       run_options[id].is.name, arg + len);
	run_parse_flag(p, id);
	return 0;
}

static int run_parse_short(struct run_parse *p, char *arg)
{
	for (char *letter = arg + 1; *letter; letter++) {
		enum run_option_id id = run_find_letter(*letter);
		if (id == RUN_OPT_COUNT)
			return run_parse_unknown(p, arg);
		if (run_options[id].is.example)
			return letter[1] ? run_parse_value(p, id, letter + 1)
					 : run_parse_from_next(p, id);
		run_parse_flag(p, id);
	}
	return 0;
}

static int run_parse_check(struct run_parse *p)
{
	const struct run_config *cfg = &p->cfg;

	if (!cfg->command_count && !cfg->rootfs) /* a container image may have one itself */
		return err_set(p->err, -EINVAL,
			       "run: there is no command to run; it comes last, as in tinyvm run "
			       "-- uname -r");
	if (cfg->cwd && cfg->cwd[0] != '/')
		return err_set(p->err, -EINVAL,
			       "--cwd '%.200s' is not the whole path in the guest, such as /tmp",
			       cfg->cwd);
	if (cfg->image && cfg->rootfs)
		return err_set(p->err, -EINVAL,
			       "--image and --rootfs exclude each other: there is one root");
	if (cfg->is_root_writable && !cfg->rootfs)
		return err_set(p->err, -EINVAL,
			       "--rw without a directory is for --rootfs; name a directory, as in "
			       "--rw .");
	if (cfg->tmpdir && !cfg->image && !cfg->rootfs)
		return err_set(p->err, -EINVAL, "--tmpdir is for --image, and there is none");
	if (cfg->keep_overlay && !cfg->image)
		return err_set(p->err, -EINVAL, "--keep-overlay is for --image, and there is none");
	return 0;
}

int run_config_parse(int argc, char **argv, struct run_config *ret_cfg, bool *ret_is_help,
		     struct err *err)
{
	struct run_parse p = {
		.argc = argc,
		.argv = argv,
		.next = 1,
		.cfg = {.memory = RUN_MEMORY_DEFAULT, .cpus = 1, .append = ""},
		.err = err,
	};
	int ret = 0;

	while (!ret && !p.is_help && p.next < argc) {
		char *arg = argv[p.next];
		if (arg[0] != '-' || arg[1] == '\0')
			break;
		p.next++;
		if (strcmp(arg, "--") == 0)
			break;
		ret = arg[1] == '-' ? run_parse_long(&p, arg) : run_parse_short(&p, arg);
	}
	p.cfg.command = argv + p.next;
	p.cfg.command_count = (unsigned)(argc - p.next);
	if (!ret && !p.is_help)
		ret = run_parse_check(&p);
	if (ret)
		return ret;
	if (!p.cfg.rootfs && !p.cfg.image)
		p.cfg.rootfs = "/";
	*ret_cfg = p.cfg;
	*ret_is_help = p.is_help;
	return 0;
}
