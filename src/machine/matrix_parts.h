/* The parts of `tinyvm matrix` (private to src/machine). */
#ifndef MATRIX_PARTS_H
#define MATRIX_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <tinyvm/err.h>
#include <tinyvm/matrix.h>

#define MATRIX_OUTPUT_MAX   32768 /* of a cell's output, what is shown */
#define MATRIX_OUTPUT_LINES 100	  /* half of which may be the kernel's, as the run shows them */
#define MATRIX_PHASES	    5	  /* start, kernel, init, command, shutdown */
#define MATRIX_NO_TIME	    UINT64_MAX

/* Indexed by enum matrix_axis_id: options of `tinyvm run`, without dashes. */
extern const char *const matrix_axis_name[MATRIX_AXIS_COUNT];

/* What cell @cell has of an axis, from 0 on; NULL when the option was not given. */
const char *matrix_value(const struct matrix_config *cfg, unsigned cell, enum matrix_axis_id axis);

/* What tells cell @cell from others, such as "kernel=a cpus=2"; to be freed, NULL: no memory. */
char *matrix_name(const struct matrix_config *cfg, unsigned cell);

/*
 * The words of the `tinyvm run` for cell @cell, NULL-terminated; @report is where it is to leave
 * its report, NULL for nowhere. Words and list are one allocation, to be freed; NULL: no memory.
 */
char **matrix_args(const struct matrix_config *cfg, unsigned cell, const char *report);

/*
 * How many machines run at a time: each has a processor of the host for each of its own, and its
 * memory free, and there is always one. @host_cpus, @free_bytes: 0 for not known.
 */
unsigned matrix_jobs(const struct matrix_config *cfg, unsigned host_cpus, uint64_t free_bytes);

enum matrix_outcome {
	MATRIX_NOT_RUN,
	MATRIX_PASSED,
	MATRIX_FAILED,	  /* the command did, or what it runs on while it ran */
	MATRIX_SKIPPED,	  /* the command says that it cannot tell: status 125 */
	MATRIX_ERROR,	  /* it never came to the command */
	MATRIX_CANCELLED, /* told to end before it had */
	MATRIX_OUTCOMES,
};

extern const char *const matrix_outcome_name[MATRIX_OUTCOMES];

/**
 * struct matrix_report - what `tinyvm run` says about itself (run_report())
 * @is_begun: the command was started
 * @phase_ms: MATRIX_NO_TIME for one that did not end
 */
struct matrix_report {
	char verdict[16];
	char cause[ERR_MSG_MAX];
	char release[66];
	int status;
	bool is_begun;
	uint64_t phase_ms[MATRIX_PHASES];
	uint64_t memory_peak_kib;
};

extern const char *const matrix_phase_name[MATRIX_PHASES];

/* Return: false, with @ret_report empty, when @text is none, or not all of one. */
bool matrix_report_read(const char *text, size_t len, struct matrix_report *ret_report);

/**
 * struct matrix_result - how a cell ended
 * @cause:  a few words or a sentence, "" for one that passed
 * @report: empty (verdict "") when there was none
 * @output: the last lines that the cell printed, to be freed; NULL for one that passed
 * @is_output_cut: there were more
 */
struct matrix_result {
	enum matrix_outcome outcome;
	char cause[ERR_MSG_MAX];
	struct matrix_report report;
	uint64_t duration_ms;
	char *output;
	size_t output_len;
	bool is_output_cut;
};

/*
 * What to make of a `tinyvm run` that has ended: fills in @r's outcome and cause from @r->report
 * and @wait_status, which is waitpid()'s. @told: why it was told to end, NULL if it was not.
 */
void matrix_judge(struct matrix_result *r, int wait_status, const char *told);

/* Where the last @max_lines lines of @text begin; an unfinished one counts. */
size_t matrix_last_lines(const char *text, size_t len, unsigned max_lines);

/* Cuts the next line off; false at the end. @ret_line: without its line feed or CR LF. */
bool matrix_next_line(const char **text, size_t *len, const char **ret_line, size_t *ret_len);

/**
 * struct matrix_run - all cells
 * @name, @result: of each cell
 * @started: of the wall clock
 * @signal: that ended it, 0 for none
 */
struct matrix_run {
	const struct matrix_config *cfg;
	char **name;
	struct matrix_result *result;
	time_t started;
	uint64_t duration_ms;
	int signal;
};

unsigned matrix_count(const struct matrix_run *run, enum matrix_outcome outcome);

/* The exit status that the cells make. */
int matrix_status(const struct matrix_run *run);

/*
 * The results, in the order of the cells; pure functions of @run. TAP also in pieces, for a reader
 * that wants each as soon as there is one: @cell from 0 on.
 */
void matrix_write_tap(FILE *out, const struct matrix_run *run);
void matrix_write_tap_head(FILE *out, const struct matrix_run *run);
void matrix_write_tap_cell(FILE *out, const struct matrix_run *run, unsigned cell);
void matrix_write_tap_tail(FILE *out, const struct matrix_run *run);
void matrix_write_junit(FILE *out, const struct matrix_run *run);
void matrix_write_json(FILE *out, const struct matrix_run *run);

/* "6 passed, 0 failed" and whatever else there was. */
void matrix_write_counts(FILE *out, const struct matrix_run *run);

/* Cell @cell as it is shown: a line, and what it printed if it did not pass. @width: of its name.
 */
void matrix_write_line(FILE *out, const struct matrix_run *run, unsigned cell, int width);

#endif
