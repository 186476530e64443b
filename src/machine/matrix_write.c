/*
 * The results of `tinyvm matrix` for people and as TAP, version 13 (testanything.org): what its
 * readers all know, with diagnostics as blocks of YAML, as far as those readers understand it. Its
 * strings are written as JSON's, which YAML has as well.
 *
 * Left out on purpose: TAP's TODO, and its plan at the end.
 */
#include "escape.h"
#include "matrix_parts.h"

#include <inttypes.h>
#include <string.h>

void matrix_write_counts(FILE *out, const struct matrix_run *run)
{
	fprintf(out, "%u passed, %u failed", matrix_count(run, MATRIX_PASSED),
		matrix_count(run, MATRIX_FAILED));
	static const struct {
		enum matrix_outcome outcome;
		const char *words[2];
	} more[] = {
		{MATRIX_ERROR, {"error", "errors"}},
		{MATRIX_SKIPPED, {"skipped", "skipped"}},
		{MATRIX_CANCELLED, {"cancelled", "cancelled"}},
		{MATRIX_NOT_RUN, {"not run", "not run"}},
	};
	for (unsigned i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		unsigned count = matrix_count(run, more[i].outcome);
		if (count)
			fprintf(out, ", %u %s", count, more[i].words[count != 1]);
	}
}

/* Does the output say nothing but the cause once more? */
static bool matrix_is_output_cause(const struct matrix_result *r)
{
	static const char prefix[] = "tinyvm: ";
	size_t len = strlen(r->cause);
	return r->output_len == sizeof(prefix) + len &&
	       memcmp(r->output, prefix, sizeof(prefix) - 1) == 0 &&
	       memcmp(r->output + sizeof(prefix) - 1, r->cause, len) == 0;
}

void matrix_write_line(FILE *out, const struct matrix_run *run, unsigned cell, int width)
{
	static const char *const words[MATRIX_OUTCOMES] = {
		[MATRIX_NOT_RUN] = "not run", [MATRIX_PASSED] = "ok",
		[MATRIX_FAILED] = "FAILED",   [MATRIX_SKIPPED] = "skipped",
		[MATRIX_ERROR] = "ERROR",     [MATRIX_CANCELLED] = "cancelled",
	};
	const struct matrix_result *r = &run->result[cell];
	const char *name = run->name[cell];
	const char *line, *text = r->output;
	size_t line_len, len = r->output ? r->output_len : 0;
	int padding = width - (int)strlen(name);

	fprintf(out, "%-10s", words[r->outcome]);
	escape_plain(out, name, strlen(name));
	fprintf(out, "%*s %7.1f s", padding > 0 ? padding : 0, "", (double)r->duration_ms / 1000);
	if (*r->cause) {
		fputs("  ", out);
		escape_plain(out, r->cause, strlen(r->cause));
	}
	fputc('\n', out);
	if (!len || matrix_is_output_cause(r))
		return;
	if (r->is_output_cut)
		fputs("    | (the last lines of what it printed)\n", out);
	while (matrix_next_line(&text, &len, &line, &line_len)) {
		fputs("    | ", out);
		escape_plain(out, line, line_len);
		fputc('\n', out);
	}
}

void matrix_write_tap_head(FILE *out, const struct matrix_run *run)
{
	fprintf(out, "TAP version 13\n1..%u\n", run->cfg->cell_count);
}

static void matrix_write_yaml(FILE *out, const struct matrix_result *r)
{
	const char *line, *text = r->output;
	size_t line_len, len = r->output ? r->output_len : 0;

	fprintf(out, "  ---\n  result: \"%s\"\n  message: ", matrix_outcome_name[r->outcome]);
	escape_json(out, r->cause, strlen(r->cause));
	fprintf(out, "\n  duration_ms: %" PRIu64 "\n", r->duration_ms);
	if (*r->report.verdict) {
		fputs("  verdict: ", out);
		escape_json(out, r->report.verdict, strlen(r->report.verdict));
		fprintf(out, "\n  exit: %d\n  release: ", r->report.status);
		escape_json(out, r->report.release, strlen(r->report.release));
		fprintf(out, "\n  memory_peak_kib: %" PRIu64 "\n", r->report.memory_peak_kib);
	}
	/* With a first line of our own, as blanks in front of the first would count as indentation.
	 */
	if (len)
		fprintf(out, "  output: |\n    (%s)\n",
			r->is_output_cut ? "the last lines of what it printed" : "what it printed");
	while (matrix_next_line(&text, &len, &line, &line_len)) {
		fputs("    ", out);
		escape_plain(out, line, line_len);
		fputc('\n', out);
	}
	fputs("  ...\n", out);
}

void matrix_write_tap_cell(FILE *out, const struct matrix_run *run, unsigned cell)
{
	const struct matrix_result *r = &run->result[cell];
	bool is_skipped = r->outcome == MATRIX_SKIPPED || r->outcome == MATRIX_NOT_RUN;

	fprintf(out, "%sok %u - ", is_skipped || r->outcome == MATRIX_PASSED ? "" : "not ",
		cell + 1);
	escape_tap(out, run->name[cell], strlen(run->name[cell]));
	if (is_skipped) {
		fputs(" # SKIP ", out);
		escape_tap(out, *r->cause ? r->cause : "not run",
			   strlen(*r->cause ? r->cause : "not run"));
	}
	fputc('\n', out);
	if (r->outcome != MATRIX_NOT_RUN)
		matrix_write_yaml(out, r);
}

void matrix_write_tap_tail(FILE *out, const struct matrix_run *run)
{
	fputs("# ", out);
	matrix_write_counts(out, run);
	fputc('\n', out);
	if (run->signal)
		fprintf(out, "Bail out! interrupted by signal %d\n", run->signal);
}

void matrix_write_tap(FILE *out, const struct matrix_run *run)
{
	matrix_write_tap_head(out, run);
	for (unsigned i = 0; i < run->cfg->cell_count; i++)
		matrix_write_tap_cell(out, run, i);
	matrix_write_tap_tail(out, run);
}
