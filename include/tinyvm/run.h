/* `tinyvm run`: one command in a disposable machine, and its exit status. */
#ifndef TINYVM_RUN_H
#define TINYVM_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/config.h>

struct err;

#define RUN_SHARE_MAX 14 /* beside the root */
#define RUN_ENV_MAX   256

/**
 * struct run_share - a directory of the host that the guest sees, too
 * @host:  on the host
 * @guest: absolute, where the guest has it; NULL: where the host has it
 */
struct run_share {
	const char *host;
	const char *guest;
	bool is_readonly;
};

/**
 * struct run_config - the command line of `tinyvm run`
 * @kernel:  NULL for the newest in /boot
 * @rootfs:  a directory, "/" by default, or a container image; not used with @image
 * @is_root_writable: a bare --rw: what the guest changes in @rootfs lasts
 * @image:   a disk with the root, NULL for none; never written
 * @is_boot_wanted: --boot: the root's own init is started, and the command when it is done
 * @tmpdir:  where changes to @image go, or a container image is unpacked; NULL for beside @image,
 *           or the cache
 * @keep_overlay: the file in which changes to @image are kept, NULL for none
 * @modules: the kernel's modules, NULL for /lib/modules/RELEASE
 * @cwd:     NULL for the caller's, where the guest has it
 * @env:     NAME=VALUE
 * @timeout_ms: 0 for none
 * @report:  file for the result in JSON, NULL for none
 * @command: @command_count words, none only for the container image's own
 * Strings point into argv and live as long.
 */
struct run_config {
	const char *kernel;
	uint64_t memory;
	unsigned cpus;
	const char *append;
	const char *rootfs;
	bool is_root_writable;
	const char *image;
	const char *tmpdir;
	const char *keep_overlay;
	bool is_boot_wanted;
	const char *modules;
	const char *cwd;
	struct run_share share[RUN_SHARE_MAX];
	unsigned share_count;
	const char *env[RUN_ENV_MAX];
	unsigned env_count;
	struct config_net net[1];
	unsigned net_count;
	uint64_t timeout_ms;
	const char *report;
	unsigned verbose;
	char **command;
	unsigned command_count;
};

/**
 * run_config_parse() - read what follows `tinyvm`
 * @argv: from "run" on; arguments of --share and --net are split in place
 *
 * Return: 0 with @ret_cfg, and @ret_is_help for --help; -EINVAL with one sentence.
 */
int run_config_parse(int argc, char **argv, struct run_config *ret_cfg, bool *ret_is_help,
		     struct err *err) __attribute__((warn_unused_result));

/* The text of `tinyvm run --help`: fits a screen of 80x24. */
const char *run_config_help(void);

/**
 * run_main() - run the command
 *
 * Return: the process's exit code: the command's status, 128+n when a signal ended it, or one of
 * enum exit_code. EXIT_NOT_STARTED comes with the sentence in @err.
 */
int run_main(const struct run_config *cfg, struct err *err);

#endif
