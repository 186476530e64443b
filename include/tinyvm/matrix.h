/* `tinyvm matrix`: one command in many machines, each a `tinyvm run`. */
#ifndef TINYVM_MATRIX_H
#define TINYVM_MATRIX_H

#include <stdbool.h>
#include <stdint.h>

struct err;

#define MATRIX_VALUES_MAX 64
#define MATRIX_CELLS_MAX  1024
#define MATRIX_JOBS_MAX	  256

/* What machines differ in; the last one changes from each cell to the next. */
enum matrix_axis_id {
	MATRIX_KERNEL,
	MATRIX_IMAGE,
	MATRIX_ROOTFS,
	MATRIX_CPUS,
	MATRIX_MEMORY,
	MATRIX_AXIS_COUNT,
};

/**
 * struct matrix_axis - the values of one option
 * @count: 0 when it was not given
 */
struct matrix_axis {
	const char *value[MATRIX_VALUES_MAX];
	unsigned count;
};

/**
 * struct matrix_config - the command line of `tinyvm matrix`
 * @cell_count: the product of all values; 1 without any
 * @cpus_max, @memory_max: of the largest machine
 * @jobs:   machines at a time, 0 for as many as this host has room for
 * @tap:    file for the results, "-" for standard output, NULL for none; @junit, @json: files
 * @verbose: as of `tinyvm run`
 * @option: @option_count words for each `tinyvm run`
 * Strings point into argv and live as long.
 */
struct matrix_config {
	struct matrix_axis axis[MATRIX_AXIS_COUNT];
	unsigned cell_count;
	unsigned cpus_max;
	uint64_t memory_max;
	unsigned jobs;
	bool is_fail_fast;
	const char *tap;
	const char *junit;
	const char *json;
	unsigned verbose;
	char **option;
	unsigned option_count;
	char **command;
	unsigned command_count;
};

/**
 * matrix_config_parse() - read what follows `tinyvm`
 * @argv: from "matrix" on; values are split in place, and words moved
 *
 * What it takes, every `tinyvm run` takes too: values are checked as run_config_parse() does.
 * Return: 0 with @ret_cfg, and @ret_is_help for --help; -EINVAL with one sentence.
 */
int matrix_config_parse(int argc, char **argv, struct matrix_config *ret_cfg, bool *ret_is_help,
			struct err *err) __attribute__((warn_unused_result));

/* The text of `tinyvm matrix --help`: fits a screen of 80x24. */
const char *matrix_config_help(void);

/**
 * matrix_main() - run all cells, say how they end, write the results
 *
 * Each runs in a process of its own, which is this program again (/proc/self/exe), and dies with
 * this one. Context: a process with one thread; blocks signals and leaves them so.
 * Return: the process's exit code: EXIT_GUEST_OFF when all cells passed; 1 when one failed;
 * EXIT_NOT_STARTED when none failed and not all could be judged, or with a sentence in @err when
 * results could not be written; 128+n when signal n ended it.
 */
int matrix_main(const struct matrix_config *cfg, struct err *err);

#endif
