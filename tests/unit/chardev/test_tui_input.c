/* What terminals send for keys. */
#include "test.h"
#include "tui_input.h"

#include <tinyvm/keymap.h>

static struct tui_input in;
static char words[200];

static const char *no_capability(const char *name)
{
	(void)name;
	return NULL;
}

/* A terminal with keys of its own. */
static const char *odd_capability(const char *name)
{
	if (strcmp(name, "kf1") == 0)
		return "\033OQx";
	if (strcmp(name, "kcuu1") == 0)
		return "\033A";
	if (strcmp(name, "kf2") == 0)
		return "\002";
	if (strcmp(name, "kf3") == 0)
		return "\0333";
	return NULL;
}

/* The strokes so far in words: "c-a-up x". */
static const char *strokes(bool is_late)
{
	struct tui_stroke s;
	size_t used = 0;

	words[0] = '\0';
	while (tui_input_next(&in, is_late, &s)) {
		char character[16];
		snprintf(character, sizeof(character),
			 s.character > ' ' && s.character < 0x7f ? "%c" : "%#x", s.character);
		used += (size_t)snprintf(
			words + used, sizeof(words) - used, "%s%s%s%s%s", used ? " " : "",
			s.modifiers & KEYMAP_CTRL ? "c-" : "", s.modifiers & KEYMAP_ALT ? "a-" : "",
			s.modifiers & KEYMAP_SHIFT ? "s-" : "", s.name ? s.name : character);
	}
	return words;
}

static const char *typed(const char *bytes)
{
	tui_input_init(&in, no_capability);
	tui_input_put(&in, (const uint8_t *)bytes, strlen(bytes));
	return strokes(false);
}

static void test_characters(void)
{
	CHECK_STR(typed("aB\003\r\t\177"), "a B 0x3 0xd 0x9 0x7f");
	CHECK_STR(typed("\xc3\xa4\xe2\x82\xac"), "0xe4 0x20ac");
	CHECK_STR(typed("a\xff\x80z"), "a z");
}

static void test_a_character_in_parts(void)
{
	CHECK_STR(typed("\xc3"), "");
	CHECK(tui_input_is_waiting(&in));
	tui_input_put(&in, (const uint8_t *)"\xa4", 1);
	CHECK_STR(strokes(false), "0xe4");
	CHECK(!tui_input_is_waiting(&in));
	CHECK_STR(typed("\xc3"), "");
	CHECK_STR(strokes(true), "");
	CHECK(!tui_input_is_waiting(&in));
}

static void test_escape_alone_needs_time(void)
{
	CHECK_STR(typed("\033"), "");
	CHECK(tui_input_is_waiting(&in));
	CHECK_STR(strokes(true), "0x1b");
	CHECK(!tui_input_is_waiting(&in));
	CHECK_STR(typed("\033\033"), "");
	CHECK_STR(strokes(true), "0x1b 0x1b");
}

static void test_alt(void)
{
	CHECK_STR(typed("\033x\033X\033\r"), "a-x a-X a-0xd");
	CHECK_STR(typed("\033\xc3\xa4"), "a-0xe4");
	CHECK_STR(typed("\033\033[A"), "a-up");
	CHECK_STR(typed("\033["), "");
	CHECK_STR(strokes(true), "a-[");
	CHECK_STR(typed("\033O"), "");
	CHECK_STR(strokes(true), "a-O");
}

static void test_xterm(void)
{
	CHECK_STR(typed("\033[A\033[B\033[C\033[D\033[H\033[F"), "up down right left home end");
	CHECK_STR(typed("\033OA\033OP\033OQ\033OR\033OS\033OM"), "up f1 f2 f3 f4 kpenter");
	CHECK_STR(typed("\033[15~\033[17~\033[21~\033[23~\033[24~"), "f5 f6 f10 f11 f12");
	CHECK_STR(typed("\033[2~\033[3~\033[5~\033[6~\033[Z"), "ins del pgup pgdn s-tab");
	CHECK_STR(typed("\033[1;5D\033[1;2P\033[3;7~\033[15;3~"), "c-left s-f1 c-a-del a-f5");
	CHECK_STR(typed("\033[97;5u\033[27;6;120~"), "c-a c-s-x");
}

static void test_other_terminals(void)
{
	CHECK_STR(typed("\033[[A\033[[E"), "f1 f5");
	CHECK_STR(typed("\033[1~\033[4~\033[7~\033[8~\033[11~"), "home end home end f1");
	CHECK_STR(typed("\033Oa\033[d\033[3^\033[3$\033[3@\033[25~"),
		  "c-up s-left c-del s-del c-s-del s-f1");
}

static void test_what_means_no_key(void)
{
	CHECK_STR(typed("\033[?62;1cx\033[Iy\033[24;80Rz"), "x y z");
	CHECK_STR(typed("\033[99~a"), "a");
	/* Broken off by another one. */
	CHECK_STR(typed("\033[1;\033[A"), "up");
}

static void test_a_sequence_in_parts(void)
{
	static const char bytes[] = "\033[1;5D";

	tui_input_init(&in, no_capability);
	for (size_t i = 0; i < 5; i++) {
		tui_input_put(&in, (const uint8_t *)bytes + i, 1);
		CHECK_STR(strokes(false), "");
	}
	tui_input_put(&in, (const uint8_t *)bytes + 5, 1);
	CHECK_STR(strokes(false), "c-left");
}

static void test_the_terminals_own_sequences_come_first(void)
{
	tui_input_init(&in, odd_capability);
	CHECK_EQ(in.sequence_count, 3);
	tui_input_put(&in, (const uint8_t *)"\033OQx\033A\0333\033[A", 11);
	CHECK_STR(strokes(false), "f1 up f3 up");
	tui_input_put(&in, (const uint8_t *)"\033OQy", 4);
	CHECK_STR(strokes(false), "f2 y");
	tui_input_put(&in, (const uint8_t *)"\033OQ", 3);
	CHECK_STR(strokes(false), "f2");
}

static void test_a_file_has_no_sequences(void)
{
	tui_input_init(&in, no_capability);
	in.is_plain = true;
	tui_input_put(&in, (const uint8_t *)"a\033[A\001\xc3", 6);
	CHECK_STR(strokes(false), "a 0x1b [ A 0x1");
	tui_input_put(&in, (const uint8_t *)"\xa4", 1);
	CHECK_STR(strokes(false), "0xe4");
}

static void test_an_endless_sequence_ends(void)
{
	char bytes[TUI_PENDING_MAX + 1];

	memset(bytes, '1', sizeof(bytes));
	memcpy(bytes, "\033[", 2);
	tui_input_init(&in, no_capability);
	CHECK_EQ(tui_input_put(&in, (const uint8_t *)bytes, sizeof(bytes)), TUI_PENDING_MAX);
	strokes(false);
	CHECK_EQ(strncmp(words, "a-[ 1 1", 7), 0);
	CHECK(!tui_input_is_waiting(&in));
}

static void test_any_bytes_end(void)
{
	uint32_t seed = 1;

	for (unsigned round = 0; round < 20000; round++) {
		uint8_t bytes[24];
		struct tui_stroke s;
		for (unsigned i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1103515245 + 12345;
			static const char likely[] = "\033[O;1529~ABZ$@u";
			bytes[i] = seed >> 31 ? (uint8_t)likely[seed >> 16 & 15]
					      : (uint8_t)(seed >> 16);
		}
		tui_input_init(&in, round & 1 ? odd_capability : no_capability);
		tui_input_put(&in, bytes, 1 + seed % sizeof(bytes));
		unsigned count = 0;
		while (tui_input_next(&in, round & 2, &s))
			count++;
		CHECK(count <= sizeof(bytes));
		while (tui_input_next(&in, true, &s))
			count++;
		CHECK(!tui_input_is_waiting(&in));
		CHECK(count <= sizeof(bytes));
	}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_characters),
		TEST_CASE(test_a_character_in_parts),
		TEST_CASE(test_escape_alone_needs_time),
		TEST_CASE(test_alt),
		TEST_CASE(test_xterm),
		TEST_CASE(test_other_terminals),
		TEST_CASE(test_what_means_no_key),
		TEST_CASE(test_a_sequence_in_parts),
		TEST_CASE(test_the_terminals_own_sequences_come_first),
		TEST_CASE(test_a_file_has_no_sequences),
		TEST_CASE(test_an_endless_sequence_ends),
		TEST_CASE(test_any_bytes_end),
	};
	return TEST_RUN(cases);
}
