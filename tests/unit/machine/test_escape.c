/* Bytes of anybody's as JSON, XML, TAP and plain lines. */
#include "escape.h"
#include "test.h"

static char escaped[1024];

static const char *escape_bytes(void (*escape)(FILE *out, const char *text, size_t len),
				const char *text, size_t len)
{
	char *made = NULL;
	size_t size;
	FILE *out = open_memstream(&made, &size);
	if (!out)
		abort();
	escape(out, text, len);
	fclose(out);
	if (size != strlen(made))
		abort();
	snprintf(escaped, sizeof(escaped), "%s", made);
	free(made);
	return escaped;
}

#define BYTES(escape, text) escape_bytes(escape, text, sizeof(text) - 1)
#define BAD		    "\xef\xbf\xbd"

static void test_escape_json_keeps_text_and_quotes_what_it_must(void)
{
	CHECK_STR(BYTES(escape_json, "plain"), "\"plain\"");
	CHECK_STR(BYTES(escape_json, ""), "\"\"");
	CHECK_STR(BYTES(escape_json, "a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
	CHECK_STR(BYTES(escape_json, "\t\n\r\x1b[1m"), "\"\\u0009\\u000a\\u000d\\u001b[1m\"");
	CHECK_STR(BYTES(escape_json, "a\0b\x7f"), "\"a\\u0000b\\u007f\"");
	CHECK_STR(BYTES(escape_json, "\xc2\x9b\xe2\x80\xa9"), "\"\\u009b\\u2029\"");
	CHECK_STR(BYTES(escape_json, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
		  "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"");
}

static void test_escape_replaces_each_byte_that_is_no_utf8(void)
{
	CHECK_STR(BYTES(escape_json, "a\xff\xfe"), "\"a" BAD BAD "\"");
	CHECK_STR(BYTES(escape_json, "\xc3"), "\"" BAD "\"");	      /* cut */
	CHECK_STR(BYTES(escape_json, "\xe2\x82"), "\"" BAD BAD "\""); /* cut */
	CHECK_STR(BYTES(escape_json, "\xc0\xaf"), "\"" BAD BAD "\""); /* overlong */
	CHECK_STR(BYTES(escape_json, "\xe0\x80\xaf"), "\"" BAD BAD BAD "\"");
	CHECK_STR(BYTES(escape_json, "\xed\xa0\x80"), "\"" BAD BAD BAD "\""); /* a surrogate */
	CHECK_STR(BYTES(escape_json, "\xf4\x90\x80\x80"), "\"" BAD BAD BAD BAD "\"");
	CHECK_STR(BYTES(escape_json, "\xf8\x88\x80\x80\x80"), "\"" BAD BAD BAD BAD BAD "\"");
	CHECK_STR(BYTES(escape_json, "\xc3\"x"), "\"" BAD "\\\"x\""); /* the quote is one still */
	CHECK_STR(BYTES(escape_json, "\x80"), "\"" BAD "\"");
}

static void test_escape_xml_has_no_markup_and_only_what_xml_can_have(void)
{
	CHECK_STR(BYTES(escape_xml, "<a b=\"c\">&]]>"), "&#60;a b=&#34;c&#34;&#62;&#38;]]&#62;");
	CHECK_STR(BYTES(escape_xml, "a\nb\tc\rd"), "a&#10;b&#9;c&#13;d");
	CHECK_STR(BYTES(escape_xml, "\0\x01\x1b"), BAD BAD BAD);
	CHECK_STR(BYTES(escape_xml, "\xef\xbf\xbe\xef\xbf\xbf"), BAD BAD); /* U+FFFE, U+FFFF */
	CHECK_STR(BYTES(escape_xml, "\xf0\x9f\x98\x80\xff"), "\xf0\x9f\x98\x80" BAD);
	CHECK_STR(BYTES(escape_xml, "it's"), "it's");
}

static void test_escape_tap_makes_no_directive_and_no_line(void)
{
	CHECK_STR(BYTES(escape_tap, "a # SKIP b\\"), "a \\# SKIP b\\\\");
	CHECK_STR(BYTES(escape_tap, "a\nok 2\tx"), "a?ok 2?x");
	CHECK_STR(BYTES(escape_tap, "\xe2\x80\xa8\xff"), "?" BAD); /* a line separator */
}

static void test_escape_plain_does_nothing_to_a_terminal(void)
{
	CHECK_STR(BYTES(escape_plain, "\x1b]0;title\x07 a\tb\r"), "?]0;title? a\tb?");
	CHECK_STR(BYTES(escape_plain, "\xc2\x9b"
				      "2J \xc3\xa4 \x9b"),
		  "?2J \xc3\xa4 " BAD);
	CHECK_STR(BYTES(escape_plain, "\xe2\x80\xa9"), "?");
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_escape_json_keeps_text_and_quotes_what_it_must),
		TEST_CASE(test_escape_replaces_each_byte_that_is_no_utf8),
		TEST_CASE(test_escape_xml_has_no_markup_and_only_what_xml_can_have),
		TEST_CASE(test_escape_tap_makes_no_directive_and_no_line),
		TEST_CASE(test_escape_plain_does_nothing_to_a_terminal),
	};
	return TEST_RUN(cases);
}
