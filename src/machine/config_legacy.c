/* The command line's values for the legacy PC: drives, firmware, clock, and what is done there. */
#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <string.h>
#include <time.h>
#include <tinyvm/err.h>
#include <tinyvm/keymap.h>

#include "config_parts.h"

#define STEP_LIMIT_MS 60000
#define YEAR_FIRST    1970u
#define YEAR_LAST     2099u
#define CYLINDERS_MAX 1024u
#define HEADS_MAX     255u
#define SECTORS_MAX   63u

const char *const config_profile_names[PROFILE_COUNT] = {
	[PROFILE_AUTO] = "auto",
	[PROFILE_DOS] = "dos",
	[PROFILE_WIN9X] = "win9x",
	[PROFILE_NT4] = "nt4",
	[PROFILE_BSD] = "bsd",
	[PROFILE_XV6] = "xv6",
	[PROFILE_LINUX_2_4] = "linux-2.4",
	[PROFILE_MODERN] = "modern",
};

/* Takes @digits or fewer digits off the front of *@text, at least one. */
static bool legacy_number(const char **text, unsigned digits, unsigned *ret_number)
{
	const char *p = *text;
	unsigned number = 0;

	for (; isdigit((unsigned char)*p) && digits; p++, digits--)
		number = number * 10 + (unsigned)(*p - '0');
	if (p == *text)
		return false;
	*text = p;
	*ret_number = number;
	return true;
}

static bool legacy_character(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

int config_geometry(const char *text, char separator, struct config_geometry *ret_geometry)
{
	struct config_geometry g;

	if (!legacy_number(&text, 4, &g.cylinders) || !legacy_character(&text, separator) ||
	    !legacy_number(&text, 3, &g.heads) || !legacy_character(&text, separator) ||
	    !legacy_number(&text, 2, &g.sectors) || *text)
		return -EINVAL;
	if (!g.cylinders || g.cylinders > CYLINDERS_MAX || !g.heads || g.heads > HEADS_MAX ||
	    !g.sectors || g.sectors > SECTORS_MAX)
		return -EINVAL;
	*ret_geometry = g;
	return 0;
}

static int legacy_set_geometry(struct config *cfg, const char *value, struct err *err)
{
	if (config_geometry(value, ',', &cfg->legacy.geometry) == 0)
		return 0;
	return err_set(err, -EINVAL,
		       "--geometry '%.40s' is none; write cylinders (to %u), heads (to %u) and "
		       "sectors (to %u), such as 615,4,17",
		       value, CYLINDERS_MAX, HEADS_MAX, SECTORS_MAX);
}

static int legacy_set_boot(struct config *cfg, const char *value, struct err *err)
{
	size_t len = strlen(value);
	bool is_good = len < sizeof(cfg->legacy.boot);

	for (size_t i = 0; i < len && is_good; i++)
		is_good = strchr("acd", value[i]) && !strchr(value + i + 1, value[i]);
	if (!is_good)
		return err_set(err, -EINVAL,
			       "--boot '%.40s' is no order; it has the letters a (floppy), c "
			       "(disk) and d (CD), each at most once, such as cad",
			       value);
	memcpy(cfg->legacy.boot, value, len + 1);
	return 0;
}

static int legacy_set_profile(struct config *cfg, const char *value, struct err *err)
{
	for (unsigned i = 0; i < PROFILE_COUNT; i++)
		if (strcmp(value, config_profile_names[i]) == 0) {
			cfg->legacy.profile = (enum config_profile)i;
			return 0;
		}
	return err_set(err, -EINVAL,
		       "--profile '%.40s' is unknown; it is auto, dos, win9x, nt4, linux-2.4, bsd, "
		       "xv6 or modern",
		       value);
}

/* Return: whether @text is a date that there is. */
static bool legacy_read_date(const char *text, struct tm *ret_tm)
{
	unsigned year, month, day, hour = 0, minute = 0, second = 0;
	struct tm tm = {0};

	if (!legacy_number(&text, 4, &year) || !legacy_character(&text, '-') ||
	    !legacy_number(&text, 2, &month) || !legacy_character(&text, '-') ||
	    !legacy_number(&text, 2, &day))
		return false;
	if (*text && (!(legacy_character(&text, 'T') || legacy_character(&text, ' ')) ||
		      !legacy_number(&text, 2, &hour) || !legacy_character(&text, ':') ||
		      !legacy_number(&text, 2, &minute)))
		return false;
	if (*text && (!legacy_character(&text, ':') || !legacy_number(&text, 2, &second) || *text))
		return false;
	if (year < YEAR_FIRST || year > YEAR_LAST || hour > 23 || minute > 59 || second > 59)
		return false;
	tm.tm_year = (int)year - 1900;
	tm.tm_mon = (int)month - 1;
	tm.tm_mday = (int)day;
	tm.tm_hour = (int)hour;
	tm.tm_min = (int)minute;
	tm.tm_sec = (int)second;
	*ret_tm = tm;
	/* What timegm() has to put right is no date, such as February 30th. */
	timegm(&tm);
	return tm.tm_mon == (int)month - 1 && tm.tm_mday == (int)day;
}

static int legacy_set_rtc(struct config *cfg, const char *value, struct err *err)
{
	struct tm tm;

	if (!legacy_read_date(value, &tm))
		return err_set(err, -EINVAL,
			       "--rtc '%.40s' is no time from %u to %u; write it like "
			       "1999-12-31T23:59:50",
			       value, YEAR_FIRST, YEAR_LAST);
	cfg->legacy.has_rtc = true;
	cfg->legacy.rtc_s = timegm(&tm);
	return 0;
}

static int legacy_add_floppy(struct config *cfg, char *value, struct err *err)
{
	if (cfg->floppy_count == CONFIG_FLOPPY_MAX)
		return err_set(err, -EINVAL,
			       "there are two floppy drives, and --floppy %.200s is one more",
			       value);
	int ret = config_disk(OPT_FLOPPY, value, &cfg->floppy[cfg->floppy_count], err);
	if (!ret)
		cfg->floppy_count++;
	return ret;
}

static int legacy_add_cdrom(struct config *cfg, char *value, struct err *err)
{
	if (cfg->cdrom_count == CONFIG_CDROM_MAX)
		return err_set(err, -EINVAL,
			       "there is one CD drive, and --cdrom %.200s is one more", value);
	int ret = config_disk(OPT_CDROM, value, &cfg->cdrom[cfg->cdrom_count], err);
	if (!ret)
		cfg->cdrom[cfg->cdrom_count++].is_readonly = true;
	return ret;
}

static int legacy_hex_digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* The character that the escape at @in, after its backslash, stands for; 0 for none. */
static char legacy_escape(const char **in)
{
	static const char letters[] = "ntrbe\\\"'";
	static const char meanings[] = "\n\t\r\b\033\\\"'";
	const char *letter = **in ? strchr(letters, **in) : NULL;

	if (letter) {
		(*in)++;
		return meanings[letter - letters];
	}
	if (**in != 'x')
		return '\0';
	int high = legacy_hex_digit((*in)[1]);
	int low = high < 0 ? -1 : legacy_hex_digit((*in)[2]);
	if (low < 0)
		return '\0';
	*in += 3;
	return (char)(high << 4 | low);
}

static int legacy_unescape(char *text, struct err *err)
{
	char *out = text;

	for (const char *in = text; *in;) {
		if (*in != '\\') {
			*out++ = *in++;
			continue;
		}
		in++;
		char c = legacy_escape(&in);
		if (!c)
			return err_set(err, -EINVAL,
				       "--type: '\\%.3s' is unknown; there are \\n (Enter), \\t, "
				       "\\b, \\e (Esc), \\xHH and \\\\",
				       in);
		*out++ = c;
	}
	*out = '\0';
	return 0;
}

static int legacy_check_regex(const char *option, const char *text, struct err *err)
{
	char why[100];
	regex_t regex;
	int error = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB | REG_NEWLINE);

	if (!error) {
		regfree(&regex);
		return 0;
	}
	regerror(error, &regex, why, sizeof(why));
	return err_set(err, -EINVAL, "--%s '%.80s' is no regular expression: %s", option, text,
		       why);
}

static int legacy_add_step(struct config *cfg, enum config_option_id id, char *value,
			   struct err *err)
{
	struct config_legacy *legacy = &cfg->legacy;
	const char *name = config_options[id].name;
	struct config_step step = {.text = value, .limit_ms = legacy->step_limit_ms};
	struct key keys[KEYMAP_MAX];
	int ret = 0;

	if (legacy->step_count == CONFIG_STEP_MAX)
		return err_set(err, -EINVAL,
			       "there is room for %d steps, and --%s %.80s is one more",
			       CONFIG_STEP_MAX, name, value);
	if (id == OPT_TYPE) {
		step.kind = STEP_TYPE;
		ret = legacy_unescape(value, err);
	} else if (id == OPT_KEY) {
		step.kind = STEP_KEY;
		if (!keymap_name(value, 0, keys))
			return err_set(err, -EINVAL,
				       "--key '%.40s' is on no keyboard; keys are called like f8, "
				       "ctrl-alt-del, alt-x, esc, enter, up, a",
				       value);
	} else {
		step.kind = id == OPT_EXPECT ? STEP_EXPECT : STEP_EXPECT_SCREEN;
		ret = legacy_check_regex(name, value, err);
	}
	if (!ret)
		legacy->step[legacy->step_count++] = step;
	return ret;
}

void config_legacy_init(struct config *cfg)
{
	memcpy(cfg->legacy.boot, "acd", sizeof("acd"));
	cfg->legacy.step_limit_ms = STEP_LIMIT_MS;
}

int config_legacy_set(struct config *cfg, enum config_option_id id, char *value, struct err *err)
{
	struct config_legacy *legacy = &cfg->legacy;

	switch ((int)id) {
	case OPT_FLOPPY:
		return legacy_add_floppy(cfg, value, err);
	case OPT_CDROM:
		return legacy_add_cdrom(cfg, value, err);
	case OPT_GEOMETRY:
		return legacy_set_geometry(cfg, value, err);
	case OPT_BOOT:
		return legacy_set_boot(cfg, value, err);
	case OPT_BIOS:
		legacy->bios = value;
		return 0;
	case OPT_PROFILE:
		return legacy_set_profile(cfg, value, err);
	case OPT_RTC:
		return legacy_set_rtc(cfg, value, err);
	case OPT_SCREENSHOT:
		legacy->screenshot = value;
		return 0;
	case OPT_SCREEN_TEXT:
		legacy->screen_text = value;
		return 0;
	case OPT_STEP_TIMEOUT:
		return config_time("step-timeout", value, &legacy->step_limit_ms, err);
	default:
		return legacy_add_step(cfg, id, value, err);
	}
}

/* The PC's own options beside a kernel for the other machine. */
static int legacy_check_no_pc(const struct config *cfg, struct err *err)
{
	const struct config_legacy *legacy = &cfg->legacy;
	const char *option = NULL;

	if (legacy->profile != PROFILE_AUTO)
		option = "profile";
	else if (legacy->screenshot)
		option = "screenshot";
	else if (legacy->screen_text)
		option = "screen-text";
	for (unsigned i = 0; i < cfg->disk_count; i++)
		if (cfg->disk[i].geometry.cylinders)
			option = "geometry";
	for (unsigned i = 0; i < legacy->step_count; i++)
		if (legacy->step[i].kind == STEP_EXPECT_SCREEN)
			option = "expect-screen";
		else if (legacy->step[i].kind == STEP_KEY)
			option = "key";
	if (option)
		return err_set(
			err, -EINVAL,
			"--%s is for a PC with a screen; with --kernel, add --console screen",
			option);
	return 0;
}

static int legacy_check_pc(const struct config *cfg, struct err *err)
{
	const struct config_legacy *legacy = &cfg->legacy;

	if (!cfg->kernel && !cfg->disk_count && !cfg->floppy_count && !cfg->cdrom_count &&
	    !legacy->bios)
		return err_set(err, -EINVAL,
			       "nothing to boot: name a kernel with --kernel, such as this host's "
			       "own, %s, or a PC's image with --disk, --floppy or --cdrom; tinyvm "
			       "--help lists the options",
			       config_options[OPT_KERNEL].example);
	if (cfg->kernel && legacy->bios)
		return err_set(
			err, -EINVAL,
			"--bios and --kernel exclude each other: a kernel is started without "
			"firmware");
	if (!cfg->kernel && (cfg->initrd || cfg->append[0]))
		return err_set(
			err, -EINVAL,
			"--%s is for a kernel, and there is no --kernel: a PC's image brings "
			"its own",
			cfg->initrd ? "initrd" : "append");
	if (cfg->console == CONSOLE_VIRTIO)
		return err_set(err, -EINVAL,
			       "--console virtio is for --kernel; a PC's console is screen or "
			       "serial");
	if (cfg->disk_count + cfg->cdrom_count > CONFIG_IDE_MAX)
		return err_set(err, -EINVAL, "a PC has room for %d disks and CDs, and there are %u",
			       CONFIG_IDE_MAX, cfg->disk_count + cfg->cdrom_count);
	return 0;
}

/* Text that keys are to type. */
static int legacy_check_text(const char *text, struct err *err)
{
	size_t left = strlen(text);

	while (left) {
		uint32_t character;
		struct key keys[KEYMAP_MAX];
		size_t n = keymap_decode(text, left, &character);
		if (!n)
			character = 0xfffd;
		if (!keymap_character(character, 0, keys))
			return err_set(err, -EINVAL,
				       "--type: no key types '%.*s'; a PC knows the characters of "
				       "code page 437",
				       (int)(n ? n : left), text);
		text += n;
		left -= n;
	}
	return 0;
}

/* Where the screen is the console, steps type on the keyboard. */
static int legacy_check_typed(const struct config *cfg, struct err *err)
{
	const struct config_legacy *legacy = &cfg->legacy;
	int ret = 0;

	for (unsigned i = 0; i < legacy->step_count && !ret; i++)
		if (legacy->step[i].kind == STEP_TYPE && cfg->console == CONSOLE_SCREEN)
			ret = legacy_check_text(legacy->step[i].text, err);
	return ret;
}

int config_finish_legacy(struct config *cfg, struct err *err)
{
	struct config_legacy *legacy = &cfg->legacy;
	int ret = 0;

	if (legacy->geometry.cylinders) {
		if (!cfg->disk_count || cfg->disk[0].geometry.cylinders)
			return err_set(err, -EINVAL,
				       cfg->disk_count
					       ? "--geometry and ,chs= are both there for "
						 "the first disk; leave one of the two out"
					       : "--geometry is for a disk, and there is none");
		cfg->disk[0].geometry = legacy->geometry;
	}
	ret = cfg->is_pc ? legacy_check_pc(cfg, err) : legacy_check_no_pc(cfg, err);
	return ret ? ret : legacy_check_typed(cfg, err);
}

int config_make_pc(struct config *cfg, struct err *err)
{
	cfg->is_pc = true;
	if (!cfg->is_console_given)
		cfg->console = CONSOLE_SCREEN;
	int ret = legacy_check_pc(cfg, err);
	return ret ? ret : legacy_check_typed(cfg, err);
}
