/*
 * `tinyvm matrix` on standard output: a line for each cell when it ends, in the order of that; or
 * TAP, whose points are numbered by cell and so come in the cells' order. On a terminal the last
 * line says what is going on; it is erased before anything else is written.
 */
#include "matrix_view.h"

#include "escape.h"
#include "matrix_cell.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/tty.h>
#include <unistd.h>

#define NAME_WIDTH_MAX 48
#define NS_PER_S       1000000000u
#define COLS_DEFAULT   80

static void view_flush(struct matrix_view *v)
{
	errno = 0;
	if ((fflush(stdout) != 0 || ferror(stdout)) && !v->error)
		v->error = errno ? errno : EIO;
}

void matrix_view_begin(struct matrix_view *v, const struct matrix_run *run)
{
	const char *tap = run->cfg->tap;
	*v = (struct matrix_view){.run = run};
	v->is_tap = tap && strcmp(tap, "-") == 0;
	v->is_tty = isatty(STDOUT_FILENO);
	for (unsigned i = 0; i < run->cfg->cell_count; i++) {
		size_t len = strlen(run->name[i]);
		int width = len > NAME_WIDTH_MAX ? NAME_WIDTH_MAX : (int)len;
		v->width = width > v->width ? width : v->width;
	}
	if (v->is_tap)
		matrix_write_tap_head(stdout, run);
	view_flush(v);
}

void matrix_view_hide_status(struct matrix_view *v)
{
	if (v->has_status)
		fputs("\r\033[K", stdout);
	v->has_status = false;
	view_flush(v);
}

void matrix_view_ended(struct matrix_view *v, unsigned cell)
{
	matrix_view_hide_status(v);
	v->is_ended[cell] = true;
	if (!v->is_tap)
		matrix_write_line(stdout, v->run, cell, v->width);
	for (; v->is_tap && v->next < v->run->cfg->cell_count && v->is_ended[v->next]; v->next++)
		matrix_write_tap_cell(stdout, v->run, v->next);
	view_flush(v);
}

/* As many characters of @text as there are columns, as plain ASCII, which has one each. */
static void view_write_status(const char *text, size_t len, uint16_t cols)
{
	for (size_t i = 0; i < len && i + 1 < cols; i++)
		fputc(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?', stdout);
}

void matrix_view_status(struct matrix_view *v, const struct matrix_cell *cells, uint64_t now_ns)
{
	unsigned count = v->run->cfg->cell_count, ended = 0;
	uint16_t cols = 0, rows;
	char *text = NULL;
	const char *comma = "";
	size_t len;
	if (!v->is_tty)
		return;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return;
	for (unsigned i = 0; i < count; i++)
		ended += v->is_ended[i];
	fprintf(out, "%u of %u done, %u failed; %s: ", ended, count,
		matrix_count(v->run, MATRIX_FAILED),
		v->run->signal ? "ending (the next Ctrl-C kills)" : "running");
	for (unsigned i = 0; i < count; i++) {
		if (!cells[i].pid)
			continue;
		fprintf(out, "%s%s (%" PRIu64 " s)", comma, v->run->name[i],
			(now_ns - cells[i].started_ns) / NS_PER_S);
		comma = ", ";
	}
	bool is_whole = !ferror(out);
	if (fclose(out) == 0 && is_whole) {
		if (tty_size(STDOUT_FILENO, &cols, &rows) != 0 || cols == 0)
			cols = COLS_DEFAULT;
		matrix_view_hide_status(v);
		view_write_status(text, len, cols);
		v->has_status = true;
		view_flush(v);
	}
	free(text);
}

void matrix_view_end(struct matrix_view *v)
{
	const struct matrix_run *run = v->run;
	matrix_view_hide_status(v);
	for (unsigned i = 0; i < run->cfg->cell_count; i++)
		if (!v->is_ended[i] && v->is_tap)
			matrix_view_ended(v, i);
	if (v->is_tap) {
		matrix_write_tap_tail(stdout, run);
	} else {
		matrix_write_counts(stdout, run);
		fprintf(stdout, " in %.1f s", (double)run->duration_ms / 1000);
		if (run->signal)
			fprintf(stdout, "; interrupted by signal %d", run->signal);
		fputc('\n', stdout);
	}
	view_flush(v);
}
