/* What `tinyvm matrix` shows on standard output while it goes on. */
#ifndef MATRIX_VIEW_H
#define MATRIX_VIEW_H

#include "matrix_parts.h"

struct matrix_cell;

/**
 * struct matrix_view
 * @is_tap: TAP instead of lines
 * @is_tty: with a line of status below
 * @has_status: it is there now
 * @is_ended: which cells have; @next: the first that TAP has not told yet
 * @error: of the first write that failed, 0 for none
 */
struct matrix_view {
	const struct matrix_run *run;
	bool is_tap;
	bool is_tty;
	bool has_status;
	bool is_ended[MATRIX_CELLS_MAX];
	unsigned next;
	int width;
	int error;
};

void matrix_view_begin(struct matrix_view *v, const struct matrix_run *run);

/* Cell @cell has ended. */
void matrix_view_ended(struct matrix_view *v, unsigned cell);

/* The line of status anew: @cells are all of them, @now_ns of the monotonic clock. */
void matrix_view_status(struct matrix_view *v, const struct matrix_cell *cells, uint64_t now_ns);
void matrix_view_hide_status(struct matrix_view *v);

/* All is over. */
void matrix_view_end(struct matrix_view *v);

#endif
