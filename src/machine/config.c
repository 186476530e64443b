/*
 * The command line. Long options with `--name value` or `--name=value`, short ones with `-m 1G` or
 * `-m1G`, flags in a bunch (`-vv`). Left out on purpose: abbreviated names (they would break when
 * an option is added), and a second value for an option that takes one (which of the two was
 * meant?).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tinyvm/config.h>
#include <tinyvm/err.h>

#include "config_parts.h"

#define MEMORY_DEFAULT	 (1ULL << 30) /* untouched pages cost nothing */
#define CONFIG_DISK_NAME 21

const struct config_option config_options[OPT_COUNT] = {
	[OPT_KERNEL] = {"kernel", 'k', "--kernel /boot/vmlinuz-$(uname -r)"},
	[OPT_INITRD] = {"initrd", 'i', "--initrd /boot/initrd.img-$(uname -r)"},
	[OPT_APPEND] = {"append", 'a', "--append \"root=/dev/vda rw\""},
	[OPT_DISK] = {"disk", 'd', "--disk root.img"},
	[OPT_TMPDIR] = {"tmpdir", 0, "--tmpdir /var/tmp"},
	[OPT_KEEP_OVERLAY] = {"keep-overlay", 0, "--keep-overlay root.overlay"},
	[OPT_MEMORY] = {"memory", 'm', "--memory 2G"},
	[OPT_CPUS] = {"cpus", 'c', "--cpus 2"},
	[OPT_NET] = {"net", 0, "--net user"},
	[OPT_PUBLISH] = {"publish", 'p', "--publish 8080:80"},
	[OPT_SHARE] = {"share", 0, "--share ./data:data"},
	[OPT_NAME] = {"name", 0, "--name build1"},
	[OPT_TRANSPORT] = {"transport", 0, "--transport pci or --transport mmio"},
	[OPT_CONSOLE] = {"console", 0, "--console serial"},
	[OPT_LOG] = {"log", 0, "--log guest.log"},
	[OPT_TIMEOUT] = {"timeout", 0, "--timeout 5m"},
	[OPT_FLOPPY] = {"floppy", 0, "--floppy boot.img"},
	[OPT_CDROM] = {"cdrom", 0, "--cdrom install.iso"},
	[OPT_GEOMETRY] = {"geometry", 0, "--geometry 615,4,17"},
	[OPT_BOOT] = {"boot", 0, "--boot cad"},
	[OPT_BIOS] = {"bios", 0, "--bios /usr/share/seabios/bios.bin"},
	[OPT_PROFILE] = {"profile", 0, "--profile dos"},
	[OPT_RTC] = {"rtc", 0, "--rtc 1999-12-31T23:59:50"},
	[OPT_SCREENSHOT] = {"screenshot", 0, "--screenshot screen.png"},
	[OPT_SCREEN_TEXT] = {"screen-text", 0, "--screen-text screen.txt"},
	[OPT_EXPECT_SCREEN] = {"expect-screen", 0, "--expect-screen 'C:.>'"},
	[OPT_EXPECT] = {"expect", 0, "--expect 'login: $'"},
	[OPT_TYPE] = {"type", 0, "--type 'dir\\n'"},
	[OPT_KEY] = {"key", 0, "--key f8"},
	[OPT_STEP_TIMEOUT] = {"step-timeout", 0, "--step-timeout 5m"},
	[OPT_NO_REBOOT] = {"no-reboot", 0, NULL},
	[OPT_NO_AUTO_ARGS] = {"no-auto-args", 0, NULL},
	[OPT_NO_UNPACK] = {"no-unpack", 0, NULL},
	[OPT_DRY_RUN] = {"dry-run", 'n', NULL},
	[OPT_VERBOSE] = {"verbose", 'v', NULL},
	[OPT_VERSION] = {"version", 0, NULL},
	[OPT_HELP] = {"help", 'h', NULL},
};

/**
 * struct config_parse - a command line being read
 * @next: the first of argv not read yet
 * @is_given: which options have been seen
 * @last: the option read last, OPT_COUNT for none: what a stray word may belong to
 */
struct config_parse {
	int argc;
	char **argv;
	int next;
	struct config cfg;
	enum config_action action;
	bool is_given[OPT_COUNT];
	enum config_option_id last;
	struct err *err;
};

static enum config_option_id config_find(const char *name, size_t len)
{
	for (unsigned i = 0; i < OPT_COUNT; i++) {
		const char *option = config_options[i].name;
		if (strlen(option) == len && memcmp(option, name, len) == 0)
			return (enum config_option_id)i;
	}
	return OPT_COUNT;
}

static enum config_option_id config_find_letter(char letter)
{
	unsigned i = 0;

	while (i < OPT_COUNT && config_options[i].letter != letter)
		i++;
	return (enum config_option_id)i;
}

static const char *config_option_name(unsigned i)
{
	return i < OPT_COUNT ? config_options[i].name : NULL;
}

/* @given: the option as it was written, @len bytes with its dashes; its name begins after them. */
static int config_unknown(const struct config_parse *p, const char *given, size_t len)
{
	char name[64];
	size_t dashes = strspn(given, "-");
	int name_len = len - dashes < sizeof(name) ? (int)(len - dashes) : (int)sizeof(name) - 1;

	snprintf(name, sizeof(name), "%.*s", name_len, given + dashes);
	const char *hint = config_foreign(name);
	const char *near = config_nearest(name, strlen(name), config_option_name);
	int shown = len < 80 ? (int)len : 80;
	if (hint)
		return err_set(p->err, -EINVAL, "unknown option %.*s; %s", shown, given, hint);
	if (near)
		return err_set(p->err, -EINVAL, "unknown option %.*s; did you mean --%s?", shown,
			       given, near);
	return err_set(p->err, -EINVAL, "unknown option %.*s; tinyvm --help lists the options",
		       shown, given);
}

/* @choices: their names in the order of their numbers, NULL-terminated. */
static int config_choice(const struct config_parse *p, enum config_option_id id, const char *value,
			 const char *const *choices, const char *all, unsigned *ret_choice)
{
	for (unsigned i = 0; choices[i]; i++)
		if (strcmp(value, choices[i]) == 0) {
			*ret_choice = i;
			return 0;
		}
	return err_set(p->err, -EINVAL, "--%s '%.40s' is unknown; it is %s",
		       config_options[id].name, value, all);
}

static int config_set_transport(struct config_parse *p, const char *value)
{
	static const char *const choices[] = {"pci", "mmio", NULL};
	unsigned choice = TRANSPORT_PCI;
	int ret = config_choice(p, OPT_TRANSPORT, value, choices, "either pci or mmio", &choice);

	p->cfg.transport = (enum config_transport)choice;
	return ret;
}

static int config_set_console(struct config_parse *p, const char *value)
{
	static const char *const choices[] = {"serial", "virtio", "screen", NULL};
	unsigned choice = CONSOLE_SERIAL;
	int ret =
		config_choice(p, OPT_CONSOLE, value, choices, "serial, virtio or screen", &choice);

	p->cfg.console = (enum config_console)choice;
	return ret;
}

static int config_add_disk(struct config_parse *p, char *value)
{
	struct config *cfg = &p->cfg;

	if (cfg->disk_count == CONFIG_DISK_MAX)
		return err_set(p->err, -EINVAL,
			       "there is room for %d disks, and --disk %.200s is one more",
			       CONFIG_DISK_MAX, value);
	int ret = config_disk(OPT_DISK, value, &cfg->disk[cfg->disk_count], p->err);
	if (ret)
		return ret;
	cfg->disk_count++;
	return 0;
}

/* @value: NULL for a bare --net. */
static int config_add_net(struct config_parse *p, char *value)
{
	struct config *cfg = &p->cfg;
	struct config_net *net = &cfg->net[cfg->net_count];
	int ret = 0;

	if (cfg->net_count == CONFIG_NET_MAX)
		return err_set(p->err, -EINVAL,
			       "there is room for %d network cards, and --net%s%.200s is one more",
			       CONFIG_NET_MAX, value ? " " : "", value ? value : "");
	if (value)
		ret = config_net(value, net, p->err);
	else
		*net = config_net_default;
	if (!ret)
		cfg->net_count++;
	return ret;
}

static int config_add_forward(struct config_parse *p, char *value)
{
	struct config *cfg = &p->cfg;

	if (cfg->forward_count == CONFIG_FORWARD_MAX)
		return err_set(p->err, -EINVAL,
			       "there is room for %d forwarded ports, and --publish %.200s is one "
			       "more",
			       CONFIG_FORWARD_MAX, value);
	int ret = config_forward(value, &cfg->forward[cfg->forward_count], p->err);
	if (!ret)
		cfg->forward_count++;
	return ret;
}

static int config_add_share(struct config_parse *p, char *value)
{
	struct config *cfg = &p->cfg;

	if (cfg->share_count == CONFIG_SHARE_MAX)
		return err_set(p->err, -EINVAL,
			       "there is room for %d directories, and --share %.200s is one more",
			       CONFIG_SHARE_MAX, value);
	int ret = config_share(value, &cfg->share[cfg->share_count], p->err);
	if (!ret)
		cfg->share_count++;
	return ret;
}

static int config_set_flag(struct config_parse *p, enum config_option_id id)
{
	struct config *cfg = &p->cfg;

	p->last = id;
	if (id == OPT_NO_REBOOT)
		cfg->is_reboot_allowed = false;
	else if (id == OPT_NO_AUTO_ARGS)
		cfg->is_auto_args = false;
	else if (id == OPT_NO_UNPACK)
		cfg->is_unpack_wanted = false;
	else if (id == OPT_DRY_RUN)
		cfg->is_dry_run = true;
	else if (id == OPT_VERBOSE)
		cfg->verbose++;
	else if (id == OPT_VERSION)
		p->action = CONFIG_SHOW_VERSION;
	else if (p->next < p->argc && strcmp(p->argv[p->next], "pc") == 0)
		p->action = CONFIG_SHOW_HELP_PC;
	else
		p->action = CONFIG_SHOW_HELP;
	return 0;
}

static bool config_is_repeatable(enum config_option_id id)
{
	return id == OPT_DISK || id == OPT_NET || id == OPT_PUBLISH || id == OPT_SHARE ||
	       id == OPT_FLOPPY || id == OPT_CDROM ||
	       (id >= OPT_EXPECT_SCREEN && id <= OPT_STEP_TIMEOUT);
}

static int config_set_value(struct config_parse *p, enum config_option_id id, char *value)
{
	struct config *cfg = &p->cfg;
	int ret = 0;

	if (!*value && id != OPT_APPEND)
		return err_set(p->err, -EINVAL, "--%s needs a value that is not empty, such as %s",
			       config_options[id].name, config_options[id].example);
	if (p->is_given[id] && !config_is_repeatable(id))
		return err_set(p->err, -EINVAL, "--%s is given twice; leave one of the two out",
			       config_options[id].name);
	p->is_given[id] = true;
	p->last = id;

	if (id == OPT_KERNEL) {
		cfg->kernel = value;
	} else if (id == OPT_INITRD) {
		cfg->initrd = value;
	} else if (id == OPT_APPEND) {
		cfg->append = value;
	} else if (id == OPT_LOG) {
		cfg->log_path = value;
	} else if (id == OPT_TMPDIR) {
		cfg->tmpdir = value;
	} else if (id == OPT_KEEP_OVERLAY) {
		cfg->keep_overlay = value;
	} else if (id == OPT_DISK) {
		ret = config_add_disk(p, value);
	} else if (id == OPT_NET) {
		ret = config_add_net(p, value);
	} else if (id == OPT_PUBLISH) {
		ret = config_add_forward(p, value);
	} else if (id == OPT_SHARE) {
		ret = config_add_share(p, value);
	} else if (id == OPT_NAME) {
		cfg->name = value;
		ret = config_name(value, p->err);
	} else if (id == OPT_MEMORY) {
		cfg->is_memory_given = true;
		ret = config_memory(value, &cfg->memory, p->err);
	} else if (id == OPT_CPUS) {
		ret = config_cpus(value, &cfg->cpus, p->err);
	} else if (id == OPT_TRANSPORT) {
		ret = config_set_transport(p, value);
	} else if (id == OPT_CONSOLE) {
		ret = config_set_console(p, value);
	} else if (id == OPT_TIMEOUT) {
		ret = config_time("timeout", value, &cfg->timeout_ms, p->err);
	} else {
		ret = config_legacy_set(cfg, id, value, p->err);
	}
	return ret;
}

/* Whether @arg is one of our own options, so hardly the value of the one before it. */
static bool config_is_option(const char *arg)
{
	if (arg[0] != '-' || arg[1] == '\0')
		return false;
	if (arg[1] == '-')
		return config_find(arg + 2, strcspn(arg + 2, "=")) != OPT_COUNT;
	return arg[2] == '\0' && config_find_letter(arg[1]) != OPT_COUNT;
}

/* An option whose value was not attached to it: it is the next word. */
static int config_set_from_next(struct config_parse *p, enum config_option_id id)
{
	const struct config_option *option = &config_options[id];
	const char *next = p->next < p->argc ? p->argv[p->next] : NULL;

	/* --net alone. No kind of network begins with a dash: what does is the next option. */
	if (id == OPT_NET && (!next || (next[0] == '-' && next[1]))) {
		p->last = id;
		return config_add_net(p, NULL);
	}
	if (!next)
		return err_set(p->err, -EINVAL, "--%s needs a value, such as %s", option->name,
			       option->example);
	if (config_is_option(next))
		return err_set(p->err, -EINVAL,
			       "--%s needs a value, but %.80s follows (if that is the value: "
			       "--%s=%.80s)",
			       option->name, next, option->name, next);
	return config_set_value(p, id, p->argv[p->next++]);
}

static int config_read_long(struct config_parse *p, char *arg)
{
	size_t len = strcspn(arg, "=");
	enum config_option_id id = config_find(arg + 2, len - 2);

	if (id == OPT_COUNT)
		return config_unknown(p, arg, len);
	if (arg[len] == '\0')
		return config_options[id].example ? config_set_from_next(p, id)
						  : config_set_flag(p, id);
	if (!config_options[id].example)
		return err_set(p->err, -EINVAL, "--%s takes no value; leave %.80s out",
			       config_options[id].name, arg + len);
	return config_set_value(p, id, arg + len + 1);
}

static int config_read_short(struct config_parse *p, char *arg)
{
	size_t len = strcspn(arg, "=");

	/* `-kernel bzImage` would otherwise be -k with the value "ernel", and -hda a call for help.
	 */
	if (len > 2) {
		enum config_option_id id = config_find(arg + 1, len - 1);
		char name[32];
		snprintf(name, sizeof(name), "%.*s", (int)(len < 32 ? len - 1 : 31), arg + 1);
		if (id != OPT_COUNT || config_foreign(name))
			return config_unknown(p, arg, len);
	}
	for (char *letter = arg + 1; *letter; letter++) {
		enum config_option_id id = config_find_letter(*letter);
		int ret;
		if (id == OPT_COUNT && letter == arg + 1)
			return config_unknown(p, arg, strlen(arg));
		if (id == OPT_COUNT)
			return err_set(
				p->err, -EINVAL,
				"unknown option -%c in %.80s; tinyvm --help lists the options",
				*letter, arg);
		if (config_options[id].example)
			return letter[1] ? config_set_value(p, id, letter + 1)
					 : config_set_from_next(p, id);
		ret = config_set_flag(p, id);
		if (ret || p->action != CONFIG_RUN)
			return ret;
	}
	return 0;
}

static int config_stray(const struct config_parse *p, const char *word)
{
	const char *dot = strrchr(word, '.');

	if (p->last == OPT_APPEND)
		return err_set(
			p->err, -EINVAL,
			"'%.200s' belongs to no option; to make it part of --append, put the "
			"whole command line in quotes",
			word);
	if (dot && (strcmp(dot, ".iso") == 0 || strcmp(dot, ".ISO") == 0))
		return err_set(p->err, -EINVAL,
			       "'%.200s' belongs to no option; did you mean --cdrom %.200s?", word,
			       word);
	if (dot &&
	    (strcmp(dot, ".img") == 0 || strcmp(dot, ".raw") == 0 || p->is_given[OPT_KERNEL]))
		return err_set(p->err, -EINVAL,
			       "'%.200s' belongs to no option; did you mean --disk %.200s?", word,
			       word);
	if (!p->is_given[OPT_KERNEL])
		return err_set(p->err, -EINVAL,
			       "'%.200s' belongs to no option; did you mean --kernel %.200s?", word,
			       word);
	return err_set(p->err, -EINVAL, "'%.200s' belongs to no option; tinyvm --help lists them",
		       word);
}

/* The name a disk has in the guest; those that were given none are called by their number. */
static const char *config_disk_name(const struct config *cfg, unsigned n,
				    char buf[CONFIG_DISK_NAME])
{
	if (cfg->disk[n].id[0])
		return cfg->disk[n].id;
	snprintf(buf, CONFIG_DISK_NAME, "disk%u", n);
	return buf;
}

static int config_check_snapshots(const struct config_parse *p)
{
	const struct config *cfg = &p->cfg;
	unsigned count = 0;

	for (unsigned i = 0; i < cfg->disk_count; i++)
		count += cfg->disk[i].is_snapshot;
	if (cfg->keep_overlay && count != 1)
		return err_set(p->err, -EINVAL,
			       "--keep-overlay %.200s keeps what is written to one disk, and %s "
			       "with ,snapshot",
			       cfg->keep_overlay, count ? "there are several" : "there is none");
	if (cfg->tmpdir && count == 0)
		return err_set(p->err, -EINVAL,
			       "--tmpdir %.200s is for disks with ,snapshot, and there is none",
			       cfg->tmpdir);
	return 0;
}

static int config_check(struct config_parse *p)
{
	struct config *cfg = &p->cfg;

	for (unsigned i = 0; i < cfg->disk_count; i++)
		for (unsigned j = 0; j < i; j++) {
			char buf[2][CONFIG_DISK_NAME];
			const char *name = config_disk_name(cfg, i, buf[0]);
			if (strcmp(name, config_disk_name(cfg, j, buf[1])) == 0)
				return err_set(p->err, -EINVAL,
					       "--disk %.150s and --disk %.150s have the same id, "
					       "%s; give one of them another with ,id=NAME",
					       cfg->disk[j].path, cfg->disk[i].path, name);
		}
	for (unsigned i = 0; i < cfg->share_count; i++)
		for (unsigned j = 0; j < i; j++)
			if (strcmp(cfg->share[i].tag, cfg->share[j].tag) == 0)
				return err_set(p->err, -EINVAL,
					       "--share %.150s and --share %.150s have the same "
					       "tag, %s; give one of them another",
					       cfg->share[j].path, cfg->share[i].path,
					       cfg->share[i].tag);
	int ret = config_check_snapshots(p);
	if (!ret)
		ret = config_check_nets(cfg, p->err);
	return ret ? ret : config_finish_legacy(cfg, p->err);
}

int config_parse(int argc, char **argv, struct config *ret_cfg, enum config_action *ret_action,
		 struct err *err)
{
	struct config_parse p = {
		.argc = argc,
		.argv = argv,
		.next = 1,
		.cfg =
			{
				.memory = MEMORY_DEFAULT,
				.cpus = 1,
				.append = "",
				.is_reboot_allowed = true,
				.is_auto_args = true,
				.is_unpack_wanted = true,
			},
		.last = OPT_COUNT,
		.err = err,
	};
	bool is_past_options = false;
	int ret = 0;

	config_legacy_init(&p.cfg);
	while (p.next < argc && p.action == CONFIG_RUN && !ret) {
		char *arg = argv[p.next++];
		if (is_past_options || arg[0] != '-' || arg[1] == '\0')
			ret = config_stray(&p, arg);
		else if (strcmp(arg, "--") == 0)
			is_past_options = true;
		else if (arg[1] == '-')
			ret = config_read_long(&p, arg);
		else
			ret = config_read_short(&p, arg);
	}
	/* Who publishes a port wants a network for it. */
	if (!ret && p.cfg.forward_count && p.cfg.net_count == 0)
		ret = config_add_net(&p, NULL);
	p.cfg.is_pc = !p.cfg.kernel || p.cfg.console == CONSOLE_SCREEN || p.cfg.floppy_count ||
		      p.cfg.cdrom_count;
	p.cfg.is_console_given = p.is_given[OPT_CONSOLE];
	if (p.cfg.is_pc && !p.cfg.is_console_given)
		p.cfg.console = CONSOLE_SCREEN;
	if (!ret && p.action == CONFIG_RUN)
		ret = config_check(&p);
	if (ret)
		return ret;
	*ret_cfg = p.cfg;
	*ret_action = p.action;
	return 0;
}
