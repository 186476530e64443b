/* What the user asked for: the command line, parsed. */
#ifndef TINYVM_CONFIG_H
#define TINYVM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

struct err;

#define CONFIG_DISK_MAX 16

enum exit_code {
	EXIT_GUEST_OFF = 0,
	EXIT_GUEST_PANIC = 120,
	EXIT_TRIPLE_FAULT = 121,
	EXIT_KVM_FAILED = 122,
	EXIT_NOT_STARTED = 125,
	EXIT_SIGNAL_BASE = 128,
};

enum config_transport {
	TRANSPORT_PCI,
	TRANSPORT_MMIO
};
enum config_console {
	CONSOLE_SERIAL,
	CONSOLE_VIRTIO
};

/**
 * struct config_disk - one --disk
 * @path: points into argv's copy in struct config
 * @id:   GET_ID string, "" for "disk0", "disk1" ...
 */
struct config_disk {
	const char *path;
	char id[21];
	bool is_readonly;
};

/**
 * struct config - the whole command line
 * @memory: bytes, a multiple of 4096
 * @append: the user's command line, "" for none
 * Strings point into argv and live as long.
 */
struct config {
	uint64_t memory;
	unsigned cpus;
	const char *kernel;
	const char *initrd;
	const char *append;
	struct config_disk disk[CONFIG_DISK_MAX];
	unsigned disk_count;
	enum config_transport transport;
	enum config_console console;
	const char *log_path;
	bool is_reboot_allowed;
	bool is_dry_run;
	bool is_auto_args;
	bool is_unpack_wanted;
	unsigned verbose;
};

enum config_action {
	CONFIG_RUN,
	CONFIG_SHOW_HELP,
	CONFIG_SHOW_VERSION,
};

/**
 * config_parse() - read the command line
 * @argv: options as getopt_long has them: `--memory 1G`, `--memory=1G`, `-m 1G`, `-m1G`; splits
 *        --disk arguments in place
 *
 * Return: 0 with @ret_cfg and @ret_action; -EINVAL with one sentence: unknown option (with the
 * nearest right one), missing or bad value (with what would be right), options that exclude each
 * other.
 */
int config_parse(int argc, char **argv, struct config *ret_cfg, enum config_action *ret_action,
		 struct err *err) __attribute__((warn_unused_result));

/* The text of --help: fits a screen of 80x24. */
const char *config_help(void);

#endif
