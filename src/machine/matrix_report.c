/*
 * Reads what run_report() has written. It is the same program that wrote it, so this knows its
 * layout: a member of the outermost object begins a line, after two blanks, and strings, whose
 * bytes may be a guest's, have no line feeds in them. A report that was not finished is none.
 */
#include "matrix_parts.h"

#include <stdlib.h>
#include <string.h>

const char *const matrix_phase_name[MATRIX_PHASES] = {"start", "kernel", "init", "command",
						      "shutdown"};

#define PHASE_INIT 2 /* ends when the command begins */

/* Behind `"KEY": ` after @prefix, up to the line's end; NULL for none. */
static const char *report_find(const char *text, const char *prefix, const char *key)
{
	char wanted[32];
	snprintf(wanted, sizeof(wanted), "%s\"%s\": ", prefix, key);
	const char *found = strstr(text, wanted);
	return found ? found + strlen(wanted) : NULL;
}

static const char *report_member(const char *text, const char *key)
{
	return report_find(text, "\n  ", key);
}

static bool report_number(const char *text, const char *key, uint64_t *ret)
{
	const char *value = report_member(text, key);
	if (!value || *value < '0' || *value > '9')
		return false;
	*ret = strtoull(value, NULL, 10);
	return true;
}

/* Escaped control characters become question marks; what does not fit is left out. */
static bool report_string(const char *text, const char *key, char *buf, size_t size)
{
	const char *at = report_member(text, key);
	size_t len = 0;
	if (!at || *at++ != '"')
		return false;
	for (; *at != '"'; at++) {
		char c = *at;
		if (c == '\\' && at[1] == 'u' && strnlen(at, 6) == 6) {
			at += 5;
			c = '?';
		} else if (c == '\\') {
			c = *++at;
		}
		if (!c || c == '\n')
			return false;
		if (len + 1 < size)
			buf[len++] = c;
	}
	buf[len] = '\0';
	return true;
}

static void report_phases(const char *text, uint64_t ret_ms[MATRIX_PHASES])
{
	const char *phases = report_member(text, "phases_ms");
	char line[256];
	snprintf(line, sizeof(line), "%.*s", phases ? (int)strcspn(phases, "\n") : 0,
		 phases ? phases : "");
	for (unsigned i = 0; i < MATRIX_PHASES; i++) {
		const char *value = report_find(line, "", matrix_phase_name[i]);
		ret_ms[i] = value && *value >= '0' && *value <= '9' ? strtoull(value, NULL, 10)
								    : MATRIX_NO_TIME;
	}
}

bool matrix_report_read(const char *bytes, size_t len, struct matrix_report *ret_report)
{
	struct matrix_report r = {0};
	uint64_t status;
	memset(ret_report, 0, sizeof(*ret_report));
	if (len < 3 || memcmp(bytes + len - 3, "\n}\n", 3) != 0)
		return false;
	char *text = strndup(bytes, len);
	if (!text)
		return false;
	bool is_whole = report_string(text, "verdict", r.verdict, sizeof(r.verdict)) &&
			report_string(text, "cause", r.cause, sizeof(r.cause)) &&
			report_string(text, "kernel", r.release, sizeof(r.release)) &&
			report_number(text, "exit", &status) && status <= 255;
	if (!report_number(text, "memory_peak_kib", &r.memory_peak_kib))
		r.memory_peak_kib = 0; /* it is null when the guest did not get to tell */
	report_phases(text, r.phase_ms);
	free(text);
	if (!is_whole)
		return false;
	r.status = (int)status;
	r.is_begun = r.phase_ms[PHASE_INIT] != MATRIX_NO_TIME;
	*ret_report = r;
	return true;
}
