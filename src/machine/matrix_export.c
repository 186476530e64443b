/*
 * The results of `tinyvm matrix` for programs: JSON (RFC 8259), and the XML that JUnit's readers
 * take. That has no standard; what is written here is what the common ones agree on: a suite of
 * cases, each with at most one of failure, error and skipped, and what it printed as system-out.
 *
 * Left out on purpose: standard error apart from standard output, which are one stream in a cell.
 */
#include "escape.h"
#include "matrix_parts.h"

#include <inttypes.h>
#include <string.h>

#define TIME_TEXT 32

/* Of Greenwich, without a time zone: JUnit's has none. */
static const char *export_time(time_t when, char text[TIME_TEXT])
{
	struct tm tm;
	if (!gmtime_r(&when, &tm) || !strftime(text, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm))
		return "";
	return text;
}

static void export_text(FILE *out, void (*escape)(FILE *out, const char *text, size_t len),
			const char *text)
{
	escape(out, text, strlen(text));
}

static void junit_words(FILE *out, char *const *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		fputs(i ? " " : "", out);
		export_text(out, escape_xml, words[i]);
	}
}

static void junit_output(FILE *out, const struct matrix_result *r)
{
	const char *line, *text = r->output;
	size_t line_len, len = r->output ? r->output_len : 0;
	if (!len)
		return;
	fputs("      <system-out>", out);
	while (matrix_next_line(&text, &len, &line, &line_len)) {
		escape_xml(out, line, line_len);
		fputc('\n', out);
	}
	fputs("</system-out>\n", out);
}

/* What the case was, when it did not pass. */
static void junit_outcome(FILE *out, const struct matrix_result *r)
{
	const char *element = r->outcome == MATRIX_FAILED ? "failure"
			      : r->outcome == MATRIX_SKIPPED || r->outcome == MATRIX_NOT_RUN
				      ? "skipped"
				      : "error";
	fprintf(out, "      <%s message=\"", element);
	export_text(out, escape_xml, *r->cause ? r->cause : matrix_outcome_name[r->outcome]);
	fputc('"', out);
	if (strcmp(element, "skipped") != 0) {
		fputs(" type=\"", out);
		export_text(out, escape_xml,
			    *r->report.verdict ? r->report.verdict
					       : matrix_outcome_name[r->outcome]);
		fputc('"', out);
	}
	fputs("/>\n", out);
}

static void junit_case(FILE *out, const struct matrix_run *run, unsigned cell)
{
	const struct matrix_result *r = &run->result[cell];
	fputs("    <testcase classname=\"tinyvm.matrix\" name=\"", out);
	export_text(out, escape_xml, run->name[cell]);
	fprintf(out, "\" time=\"%.3f\"", (double)r->duration_ms / 1000);
	if (r->outcome == MATRIX_PASSED) {
		fputs("/>\n", out);
		return;
	}
	fputs(">\n", out);
	junit_outcome(out, r);
	junit_output(out, r);
	fputs("    </testcase>\n", out);
}

void matrix_write_junit(FILE *out, const struct matrix_run *run)
{
	const struct matrix_config *cfg = run->cfg;
	char when[TIME_TEXT], counts[160];
	snprintf(counts, sizeof(counts),
		 "tests=\"%u\" failures=\"%u\" errors=\"%u\" skipped=\"%u\" time=\"%.3f\"",
		 cfg->cell_count, matrix_count(run, MATRIX_FAILED),
		 matrix_count(run, MATRIX_ERROR) + matrix_count(run, MATRIX_CANCELLED),
		 matrix_count(run, MATRIX_SKIPPED) + matrix_count(run, MATRIX_NOT_RUN),
		 (double)run->duration_ms / 1000);
	fprintf(out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites %s>\n"
		"  <testsuite name=\"tinyvm matrix\" %s timestamp=\"%s\" hostname=\"localhost\">\n"
		"    <properties>\n      <property name=\"command\" value=\"",
		counts, counts, export_time(run->started, when));
	junit_words(out, cfg->command, cfg->command_count);
	fputs("\"/>\n      <property name=\"options\" value=\"", out);
	junit_words(out, cfg->option, cfg->option_count);
	fputs("\"/>\n", out);
	if (run->signal)
		fprintf(out, "      <property name=\"interrupted\" value=\"signal %d\"/>\n",
			run->signal);
	fputs("    </properties>\n", out);
	for (unsigned i = 0; i < cfg->cell_count; i++)
		junit_case(out, run, i);
	fputs("  </testsuite>\n</testsuites>\n", out);
}

static void json_words(FILE *out, char *const *words, unsigned count)
{
	fputc('[', out);
	for (unsigned i = 0; i < count; i++) {
		fputs(i ? ", " : "", out);
		export_text(out, escape_json, words[i]);
	}
	fputc(']', out);
}

static void json_output(FILE *out, const struct matrix_result *r)
{
	const char *line, *text = r->output;
	size_t line_len, len = r->output ? r->output_len : 0;
	const char *comma = "";
	fprintf(out, "      \"output_is_cut\": %s,\n      \"output\": [",
		r->is_output_cut ? "true" : "false");
	while (matrix_next_line(&text, &len, &line, &line_len)) {
		fprintf(out, "%s\n        ", comma);
		escape_json(out, line, line_len);
		comma = ",";
	}
	fputs(*comma ? "\n      ]\n" : "]\n", out);
}

static void json_report(FILE *out, const struct matrix_report *report)
{
	fputs("      \"verdict\": ", out);
	export_text(out, escape_json, report->verdict);
	fprintf(out, ",\n      \"exit\": %d,\n      \"release\": ", report->status);
	export_text(out, escape_json, report->release);
	fputs(",\n      \"phases_ms\": {", out);
	for (unsigned i = 0; i < MATRIX_PHASES; i++) {
		fprintf(out, "%s\"%s\": ", i ? ", " : "", matrix_phase_name[i]);
		if (report->phase_ms[i] == MATRIX_NO_TIME)
			fputs("null", out);
		else
			fprintf(out, "%" PRIu64, report->phase_ms[i]);
	}
	fprintf(out, "},\n      \"memory_peak_kib\": %" PRIu64 ",\n", report->memory_peak_kib);
}

static void json_cell(FILE *out, const struct matrix_run *run, unsigned cell)
{
	const struct matrix_result *r = &run->result[cell];
	fputs("    {\n      \"name\": ", out);
	export_text(out, escape_json, run->name[cell]);
	fputs(",\n", out);
	for (unsigned i = 0; i < MATRIX_AXIS_COUNT; i++) {
		const char *value = matrix_value(run->cfg, cell, i);
		if (!value)
			continue;
		fprintf(out, "      \"%s\": ", matrix_axis_name[i]);
		export_text(out, escape_json, value);
		fputs(",\n", out);
	}
	fprintf(out,
		"      \"result\": \"%s\",\n      \"cause\": ", matrix_outcome_name[r->outcome]);
	export_text(out, escape_json, r->cause);
	fprintf(out, ",\n      \"duration_ms\": %" PRIu64 ",\n", r->duration_ms);
	if (*r->report.verdict)
		json_report(out, &r->report);
	json_output(out, r);
	fputs("    }", out);
}

void matrix_write_json(FILE *out, const struct matrix_run *run)
{
	const struct matrix_config *cfg = run->cfg;
	char when[TIME_TEXT];
	fprintf(out, "{\n  \"exit\": %d,\n  \"interrupted_by_signal\": ", matrix_status(run));
	if (run->signal)
		fprintf(out, "%d", run->signal);
	else
		fputs("null", out);
	fprintf(out, ",\n  \"started\": \"%sZ\",\n  \"duration_ms\": %" PRIu64 ",\n",
		export_time(run->started, when), run->duration_ms);
	fputs("  \"command\": ", out);
	json_words(out, cfg->command, cfg->command_count);
	fputs(",\n  \"options\": ", out);
	json_words(out, cfg->option, cfg->option_count);
	fputs(",\n  \"counts\": {", out);
	for (unsigned i = 0; i < MATRIX_OUTCOMES; i++)
		fprintf(out, "%s\"%s\": %u", i ? ", " : "", matrix_outcome_name[i],
			matrix_count(run, i));
	fputs("},\n  \"cells\": [\n", out);
	for (unsigned i = 0; i < cfg->cell_count; i++) {
		json_cell(out, run, i);
		fputs(i + 1 < cfg->cell_count ? ",\n" : "\n", out);
	}
	fputs("  ]\n}\n", out);
}
