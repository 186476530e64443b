/* Reads what run_report() has written. A report that was not finished is none. */
#include "matrix_parts.h"

#include <string.h>
#include <tinyvm/json.h>

const char *const matrix_phase_name[MATRIX_PHASES] = {"start", "kernel", "init", "command",
						      "shutdown"};

#define PHASE_INIT 2 /* ends when the command begins */

/* Return: false when there is no such string; of a longer one the beginning. */
static bool report_string(const struct json_value *report, const char *key, char *buf, size_t size)
{
	const char *text = json_text(report, key, NULL);
	if (text)
		snprintf(buf, size, "%s", text);
	return text;
}

/* Return: @otherwise when there is no such number, or null. */
static uint64_t report_number(const struct json_value *report, const char *key, uint64_t otherwise)
{
	const struct json_value *value = json_get(report, key, JSON_NUMBER);
	return value && value->is_natural ? value->number : otherwise;
}

static bool report_take(const struct json_value *report, struct matrix_report *r)
{
	const struct json_value *phases = json_get(report, "phases_ms", JSON_OBJECT);
	uint64_t status = report_number(report, "exit", UINT64_MAX);
	if (!report_string(report, "verdict", r->verdict, sizeof(r->verdict)) ||
	    !report_string(report, "cause", r->cause, sizeof(r->cause)) ||
	    !report_string(report, "kernel", r->release, sizeof(r->release)) || status > 255)
		return false;
	r->status = (int)status;
	r->memory_peak_kib = report_number(report, "memory_peak_kib", 0);
	for (unsigned i = 0; i < MATRIX_PHASES; i++)
		r->phase_ms[i] = report_number(phases, matrix_phase_name[i], MATRIX_NO_TIME);
	r->is_begun = r->phase_ms[PHASE_INIT] != MATRIX_NO_TIME;
	return true;
}

bool matrix_report_read(const char *text, size_t len, struct matrix_report *ret_report)
{
	struct matrix_report r = {0};
	struct json *json;
	memset(ret_report, 0, sizeof(*ret_report));
	if (json_parse(&json, text, len) != 0)
		return false;
	bool is_whole = report_take(json_root(json), &r);
	json_destroy(json);
	if (is_whole)
		*ret_report = r;
	return is_whole;
}
