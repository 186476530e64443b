/*
 * Any bytes as JSON, XML, TAP and plain lines: what comes out is UTF-8 without what that text must
 * not have, and bytes that a guest puts into a report forge nothing in it.
 */
#include "escape.h"
#include "matrix_parts.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool is_so)
{
	if (!is_so)
		abort();
}

static char *escaped(void (*escape)(FILE *out, const char *text, size_t len), const uint8_t *data,
		     size_t size, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);
	insist(out != NULL);
	escape(out, (const char *)data, size);
	insist(fclose(out) == 0);
	return text;
}

/* Is it UTF-8, with no control character but @allowed? */
static void check_text(const char *text, size_t len, const char *allowed)
{
	const char *at = text;
	while (at < text + len) {
		const char *from = at;
		uint32_t c = escape_next(&at, text + len);
		insist(c != ESCAPE_BAD || at - from == 3);
		insist((c >= 0x20 && (c < 0x7f || c >= 0xa0)) ||
		       (c && c < 0x80 && strchr(allowed, (int)c)));
	}
}

static void check_xml(const uint8_t *data, size_t size)
{
	size_t len;
	char *text = escaped(escape_xml, data, size, &len);
	check_text(text, len, "");
	insist(!strpbrk(text, "<>\""));
	for (const char *p = text; (p = strchr(p, '&')); p++)
		insist(p[1] == '#' && strspn(p + 2, "0123456789") &&
		       p[2 + strspn(p + 2, "0123456789")] == ';');
	free(text);
}

static void check_tap(const uint8_t *data, size_t size)
{
	size_t len;
	char *text = escaped(escape_tap, data, size, &len);
	check_text(text, len, "");
	for (const char *p = text; *p; p++) {
		insist(*p != '#');
		if (*p == '\\')
			insist(*++p == '#' || *p == '\\');
	}
	free(text);
}

/* A string of JSON ends where it ends, and as the cause in a report it is but the cause. */
static void check_json(const uint8_t *data, size_t size)
{
	struct matrix_report report;
	size_t len;
	char *text = escaped(escape_json, data, size, &len), *whole = NULL;
	check_text(text, len, "");
	for (size_t i = 1; i + 1 < len; i++) {
		insist(text[i] != '"');
		i += text[i] == '\\';
	}
	insist(len >= 2 && text[0] == '"' && text[len - 1] == '"');
	free(text);
	/* There, a NUL is the end of it. */
	text = escaped(escape_json, data, strnlen((const char *)data, size), &len);
	insist(asprintf(&whole,
			"{\n  \"verdict\": \"signal\",\n  \"exit\": 137,\n  \"cause\": %s,\n"
			"  \"phases_ms\": {\"start\": 1, \"init\": null},\n  \"kernel\": %s\n}\n",
			text, text) > 0);
	insist(matrix_report_read(whole, strlen(whole), &report));
	insist(strcmp(report.verdict, "signal") == 0 && report.status == 137 && !report.is_begun &&
	       report.phase_ms[0] == 1);
	free(whole);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct matrix_report report;
	size_t len;
	check_json(data, size);
	check_xml(data, size);
	check_tap(data, size);
	char *text = escaped(escape_plain, data, size, &len);
	check_text(text, len, "\t");
	free(text);
	matrix_report_read((const char *)data, size, &report);
	return 0;
}
