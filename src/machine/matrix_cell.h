/* A cell of `tinyvm matrix` while it runs: a process, what it prints, what it reports. */
#ifndef MATRIX_CELL_H
#define MATRIX_CELL_H

#include "matrix_parts.h"

#include <signal.h>
#include <sys/types.h>

/**
 * struct matrix_cell
 * @pid:    0 when it does not run
 * @output: a file without a name
 * @report: likewise
 * @told:   why it was told to end, NULL while it was not
 */
struct matrix_cell {
	pid_t pid;
	int output;
	int report;
	uint64_t started_ns;
	const char *told;
};

/*
 * Starts cell @cell of @cfg with the signal mask @mask. Return: 0 or -errno with a sentence.
 * Context: the caller's only thread, which has to outlive the cell.
 */
int matrix_cell_start(struct matrix_cell *c, const struct matrix_config *cfg, unsigned cell,
		      const sigset_t *mask, struct err *err) __attribute__((warn_unused_result));

/* A signal for what runs; SIGKILL also for what it has started. */
void matrix_cell_signal(const struct matrix_cell *c, int signo);

/* Lets go of what it printed, but for the end. */
void matrix_cell_trim(const struct matrix_cell *c);

/* It has ended: fills in @ret_result. */
void matrix_cell_end(struct matrix_cell *c, int wait_status, struct matrix_result *ret_result);

#endif
