/* What the user asked for, parsed: the part of the legacy PC (struct config has it). */
#ifndef TINYVM_CONFIG_LEGACY_H
#define TINYVM_CONFIG_LEGACY_H

#include <stdbool.h>
#include <stdint.h>

#define CONFIG_FLOPPY_MAX 2
#define CONFIG_CDROM_MAX  1
#define CONFIG_IDE_MAX	  4 /* disks and CD drives of the PC */
#define CONFIG_STEP_MAX	  256

/* As INT 13h counts it: 1 to 1024 cylinders, 1 to 255 heads, 1 to 63 sectors. */
struct config_geometry {
	unsigned cylinders, heads, sectors;
};

enum config_profile {
	PROFILE_AUTO,
	PROFILE_DOS,
	PROFILE_WIN9X,
	PROFILE_NT4,
	PROFILE_LINUX_2_4,
	PROFILE_BSD,
	PROFILE_XV6,
	PROFILE_MODERN,
	PROFILE_COUNT,
};

/* As the user writes it. */
extern const char *const config_profile_names[PROFILE_COUNT];

enum config_step_kind {
	STEP_EXPECT_SCREEN,
	STEP_EXPECT,
	STEP_TYPE,
	STEP_KEY,
};

/**
 * struct config_step - one thing to do in place of a user
 * @text:     a regular expression that regcomp() took (POSIX extended); text to type, UTF-8, its
 *            escapes resolved; a key's name that keymap_name() knows
 * @limit_ms: for this step alone
 */
struct config_step {
	enum config_step_kind kind;
	const char *text;
	uint64_t limit_ms;
};

/**
 * struct config_legacy - of the PC alone, but for the steps
 * @geometry: of the first disk, which has it, too
 * @boot:    letters in the order of trying: a floppy, c disk, d CD
 * @bios:    firmware in place of tinyvm's own, NULL for none
 * @has_rtc: the clock shows @rtc_s at power-on (seconds since 1970-01-01, UTC), not the host's time
 * @screenshot, @screen_text: files that the screen is written to at the end, NULL for none
 * @step_limit_ms: of the steps that come next on the command line
 */
struct config_legacy {
	struct config_geometry geometry;
	char boot[4];
	const char *bios;
	enum config_profile profile;
	bool has_rtc;
	int64_t rtc_s;
	const char *screenshot;
	const char *screen_text;
	struct config_step step[CONFIG_STEP_MAX];
	unsigned step_count;
	uint64_t step_limit_ms;
};

#endif
