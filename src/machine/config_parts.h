/* The parts of the command line's parser (private to src/machine). */
#ifndef CONFIG_PARTS_H
#define CONFIG_PARTS_H

#include <stddef.h>
#include <stdint.h>
#include <tinyvm/config.h>

/**
 * struct config_option - one option
 * @name:    the long form, without its dashes
 * @letter:  the short form, 0 for none
 * @example: a right value, as it ends "--memory needs a value, such as ..."; NULL for a flag
 */
struct config_option {
	const char *name;
	char letter;
	const char *example;
};

enum config_option_id {
	OPT_KERNEL,
	OPT_INITRD,
	OPT_APPEND,
	OPT_DISK,
	OPT_TMPDIR,
	OPT_KEEP_OVERLAY,
	OPT_MEMORY,
	OPT_CPUS,
	OPT_NET,
	OPT_PUBLISH,
	OPT_SHARE,
	OPT_NAME,
	OPT_TRANSPORT,
	OPT_CONSOLE,
	OPT_LOG,
	OPT_TIMEOUT,
	/* Of the PC: from here ... */
	OPT_FLOPPY,
	OPT_CDROM,
	OPT_GEOMETRY,
	OPT_BOOT,
	OPT_BIOS,
	OPT_PROFILE,
	OPT_RTC,
	OPT_SCREENSHOT,
	OPT_SCREEN_TEXT,
	OPT_EXPECT_SCREEN,
	OPT_EXPECT,
	OPT_TYPE,
	OPT_KEY,
	OPT_STEP_TIMEOUT,
	/* ... to here. */
	OPT_NO_REBOOT,
	OPT_NO_AUTO_ARGS,
	OPT_NO_UNPACK,
	OPT_DRY_RUN,
	OPT_VERBOSE,
	OPT_VERSION,
	OPT_HELP,
	OPT_COUNT,
};

extern const struct config_option config_options[OPT_COUNT];

/*
 * Values. Return: 0, or -EINVAL with the sentence in @err; results are untouched on failure.
 *
 * config_memory(): a size with the unit K, M, G or T (powers of 1024, "MiB" and "MB" too, any
 * case); without one it counts MiB. Rounded up to 4 KiB. 1 MiB to GMEM_SIZE_MAX.
 * config_cpus(): 1 to 4096; what KVM allows is not known here.
 * config_disk(): of --disk, --floppy or --cdrom: PATH[,ro][,snapshot], and for --disk
 * [,id=NAME][,chs=C/H/S], a comma in PATH written twice; splits @text in place. * config_share():
 * HOST:TAG[:ro]; HOST may have colons, TAG is 1 to 15 letters, digits, '.', '_' and
 * '-'; splits @text in place.
 */
int config_memory(const char *text, uint64_t *ret_bytes, struct err *err)
	__attribute__((warn_unused_result));
int config_cpus(const char *text, unsigned *ret_cpus, struct err *err)
	__attribute__((warn_unused_result));
int config_disk(enum config_option_id id, char *text, struct config_disk *ret_disk, struct err *err)
	__attribute__((warn_unused_result));
int config_share(char *text, struct config_share *ret_share, struct err *err)
	__attribute__((warn_unused_result));

/* A time of option @name: seconds, or with a unit 500ms, 30s, 5m, 2h; up to a year, not 0. */
int config_time(const char *name, const char *text, uint64_t *ret_ms, struct err *err)
	__attribute__((warn_unused_result));

/*
 * Of the PC; what is returned as above.
 *
 * config_legacy_init(): the defaults.
 * config_legacy_set(): the option @id, from OPT_FLOPPY to OPT_STEP_TIMEOUT, has @value, which is
 * changed in place.
 * config_geometry(): three numbers with @separator between them.
 * config_finish_legacy(): does all of it go together? Gives --geometry to the first disk.
 */
void config_legacy_init(struct config *cfg);
int config_legacy_set(struct config *cfg, enum config_option_id id, char *value, struct err *err)
	__attribute__((warn_unused_result));
int config_geometry(const char *text, char separator, struct config_geometry *ret_geometry)
	__attribute__((warn_unused_result));
int config_finish_legacy(struct config *cfg, struct err *err) __attribute__((warn_unused_result));

/*
 * Cuts the next comma-separated word off: ends it in place, with doubled commas made single.
 * @is_path: only there is a doubled comma a comma. NULL when there is none left.
 */
char *config_next_word(char **rest, bool is_path);

/*
 * Of the network; what is returned as above.
 *
 * config_net(): KIND[,KEY=VALUE...], a comma in a path written twice; splits @text in place.
 * config_forward(): [ADDR:]HOST:GUEST[/tcp|/udp], an IPv6 ADDR in brackets; splits @text in place.
 * config_name(): 1 to 64 letters, digits, '.', '_' and '-'.
 * config_check_nets(): do all of them go together?
 */
int config_net(char *text, struct config_net *ret_net, struct err *err)
	__attribute__((warn_unused_result));
int config_forward(char *text, struct net_forward *ret_forward, struct err *err)
	__attribute__((warn_unused_result));
int config_name(const char *text, struct err *err) __attribute__((warn_unused_result));
int config_check_nets(const struct config *cfg, struct err *err)
	__attribute__((warn_unused_result));

/* A card as a bare --net asks for it. */
extern const struct config_net config_net_default;

/**
 * config_foreign() - what to say about another VMM's option
 * @name: without dashes
 *
 * Return: the end of a sentence that begins "unknown option -smp; ", or NULL for a name that no
 * other VMM has.
 */
const char *config_foreign(const char *name);

/*
 * Of the names that @option gives, from 0 on until it gives NULL, the one that is nearest to the
 * @len bytes of @name; NULL when none is near.
 */
const char *config_nearest(const char *name, size_t len, const char *(*option)(unsigned i));

/**
 * config_refuse_option() - say that a command has no such option, and which may have been meant
 * @command: "run"
 * @arg:     as it was given
 * @option:  as for config_nearest()
 * @lists:   what lists them all
 *
 * Return: -EINVAL.
 */
int config_refuse_option(const char *command, const char *arg, const char *(*option)(unsigned i),
			 const char *lists, struct err *err);

/* The long names of the options of `tinyvm run`, for config_nearest(). */
const char *run_option_name(unsigned i);

/**
 * run_option_words() - how much of a command line is one option of `tinyvm run`
 * @arg: begins with a dash, and is more than that
 * @next: the word after it, NULL for none
 *
 * Return: 1 or 2 words, 2 also when the value is missing; 0 when there is no such option.
 */
unsigned run_option_words(const char *arg, const char *next);

#endif
