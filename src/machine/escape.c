/*
 * Bytes of anybody's (a guest's output, file names) as JSON, XML, TAP and plain lines. All of these
 * are UTF-8, which the bytes need not be.
 */
#include "escape.h"

#include <stdbool.h>

uint32_t escape_next(const char **text, const char *end)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)*text;
	size_t left = (size_t)(end - *text);
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = len == 1 ? p[0] : p[0] & (0x7fu >> len);

	(*text)++;
	if (len == 0 || len > left || p[0] > 0xf7)
		return ESCAPE_BAD;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return ESCAPE_BAD;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return ESCAPE_BAD;
	*text += len - 1;
	return c;
}

/* C0, DEL and C1. */
static bool escape_is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Lines and paragraphs of Unicode: an end of a line to some. */
static bool escape_is_separator(uint32_t c)
{
	return c == 0x2028 || c == 0x2029;
}

/* What escape_next() has passed, from @from to @to, as it is, or what stands for it. */
static void escape_copy(FILE *out, uint32_t c, const char *from, const char *to)
{
	if (c == ESCAPE_BAD)
		fputs("\xef\xbf\xbd", out);
	else
		fwrite(from, 1, (size_t)(to - from), out);
}

void escape_json(FILE *out, const char *text, size_t len)
{
	const char *const end = text + len;
	fputc('"', out);
	while (text < end) {
		const char *from = text;
		uint32_t c = escape_next(&text, end);
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", (char)c);
		else if (escape_is_control(c) || escape_is_separator(c))
			fprintf(out, "\\u%04x", c);
		else
			escape_copy(out, c, from, text);
	}
	fputc('"', out);
}

/* Is it a Char of XML 1.0? What is not, YAML does not have either. */
static bool escape_is_xml(uint32_t c)
{
	return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c != 0xfffe && c != 0xffff);
}

void escape_xml(FILE *out, const char *text, size_t len)
{
	const char *const end = text + len;
	while (text < end) {
		const char *from = text;
		uint32_t c = escape_next(&text, end);
		if (!escape_is_xml(c))
			escape_copy(out, ESCAPE_BAD, from, text);
		/* A reader would make a blank or a line's end of those below. */
		else if (c == '<' || c == '>' || c == '&' || c == '"' || escape_is_control(c))
			fprintf(out, "&#%u;", c);
		else
			escape_copy(out, c, from, text);
	}
}

void escape_tap(FILE *out, const char *text, size_t len)
{
	const char *const end = text + len;
	while (text < end) {
		const char *from = text;
		uint32_t c = escape_next(&text, end);
		if (c == '\\' || c == '#')
			fprintf(out, "\\%c", (char)c);
		else if (escape_is_control(c) || escape_is_separator(c))
			fputc('?', out);
		else
			escape_copy(out, c, from, text);
	}
}

void escape_plain(FILE *out, const char *text, size_t len)
{
	const char *const end = text + len;
	while (text < end) {
		const char *from = text;
		uint32_t c = escape_next(&text, end);
		if ((escape_is_control(c) && c != '\t') || escape_is_separator(c))
			fputc('?', out);
		else if (!escape_is_xml(c))
			escape_copy(out, ESCAPE_BAD, from, text);
		else
			escape_copy(out, c, from, text);
	}
}
