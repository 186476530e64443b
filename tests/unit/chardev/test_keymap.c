/* What is typed, as scan codes. */
#include "test.h"

#include <tinyvm/keymap.h>

/* The keys in words: "+1d +2e -2e -1d". */
static char words[100];

static const char *in_words(const struct key *keys, unsigned count)
{
	size_t used = 0;

	words[0] = '\0';
	for (unsigned i = 0; i < count; i++)
		used += (size_t)snprintf(words + used, sizeof(words) - used, "%s%c%02x",
					 i ? " " : "", keys[i].is_down ? '+' : '-', keys[i].code);
	return words;
}

static const char *character(uint32_t c, unsigned modifiers)
{
	struct key keys[KEYMAP_MAX] = {{0}};
	return in_words(keys, keymap_character(c, modifiers, keys));
}

static const char *name(const char *text)
{
	struct key keys[KEYMAP_MAX] = {{0}};
	return in_words(keys, keymap_name(text, 0, keys));
}

static void test_characters_on_keys(void)
{
	CHECK_STR(character('a', 0), "+1e -1e");
	CHECK_STR(character('A', 0), "+2a +1e -1e -2a");
	CHECK_STR(character('z', 0), "+2c -2c");
	CHECK_STR(character('1', 0), "+02 -02");
	CHECK_STR(character('!', 0), "+2a +02 -02 -2a");
	CHECK_STR(character('=', 0), "+0d -0d");
	CHECK_STR(character('"', 0), "+2a +28 -28 -2a");
	CHECK_STR(character('`', 0), "+29 -29");
	CHECK_STR(character('~', 0), "+2a +29 -29 -2a");
	CHECK_STR(character('\\', 0), "+2b -2b");
	CHECK_STR(character('|', 0), "+2a +2b -2b -2a");
	CHECK_STR(character('/', 0), "+35 -35");
	CHECK_STR(character(' ', 0), "+39 -39");
}

static void test_every_ascii_character_has_keys(void)
{
	struct key keys[KEYMAP_MAX] = {{0}};

	for (uint32_t c = 0; c < 0x80; c++)
		CHECK(keymap_character(c, 0, keys) >= 2);
}

static void test_control_characters(void)
{
	CHECK_STR(character(3, 0), "+1d +2e -2e -1d");
	CHECK_STR(character('\n', 0), "+1c -1c");
	CHECK_STR(character('\r', 0), "+1c -1c");
	CHECK_STR(character('\t', 0), "+0f -0f");
	CHECK_STR(character(8, 0), "+0e -0e");
	CHECK_STR(character(0x7f, 0), "+0e -0e");
	CHECK_STR(character(0x1b, 0), "+01 -01");
	CHECK_STR(character(0x1c, 0), "+1d +2b -2b -1d");
	CHECK_STR(character(0x1e, 0), "+1d +07 -07 -1d");
	CHECK_STR(character(0x1f, 0), "+1d +0c -0c -1d");
	CHECK_STR(character(0, 0), "+1d +03 -03 -1d");
}

static void test_modifiers_are_held(void)
{
	CHECK_STR(character('x', KEYMAP_ALT), "+38 +2d -2d -38");
	CHECK_STR(character('X', KEYMAP_ALT), "+38 +2a +2d -2d -2a -38");
	CHECK_STR(character(3, KEYMAP_ALT), "+38 +1d +2e -2e -1d -38");
	struct key keys[KEYMAP_MAX] = {{0}};
	CHECK_STR(in_words(keys, keymap_name("left", KEYMAP_CTRL | KEYMAP_SHIFT, keys)),
		  "+1d +2a +e04b -e04b -2a -1d");
}

static void test_other_characters_of_the_code_page(void)
{
	/* 132, with Alt on the keypad. */
	CHECK_STR(character(0xe4, 0), "+38 +4f -4f +51 -51 +50 -50 -38");
	CHECK_STR(character(0x2588, 0), "+38 +50 -50 +4f -4f +49 -49 -38");
	CHECK_STR(character(0x20ac, 0), "");
	CHECK_STR(character(0x1f600, 0), "");
}

static void test_names(void)
{
	CHECK_STR(name("f1"), "+3b -3b");
	CHECK_STR(name("F10"), "+44 -44");
	CHECK_STR(name("f12"), "+58 -58");
	CHECK_STR(name("ctrl-alt-del"), "+1d +38 +e053 -e053 -38 -1d");
	CHECK_STR(name("Alt-F4"), "+38 +3e -3e -38");
	CHECK_STR(name("shift-tab"), "+2a +0f -0f -2a");
	CHECK_STR(name("esc"), "+01 -01");
	CHECK_STR(name("up"), "+e048 -e048");
	CHECK_STR(name("a"), "+1e -1e");
	CHECK_STR(name("A"), "+2a +1e -1e -2a");
	CHECK_STR(name("ctrl-c"), "+1d +2e -2e -1d");
	CHECK_STR(name("shift"), "+2a -2a");
	CHECK_STR(name("kpenter"), "+e01c -e01c");
}

static void test_names_with_a_dash(void)
{
	CHECK_STR(name("-"), "+0c -0c");
	CHECK_STR(name("ctrl--"), "+1d +0c -0c -1d");
	CHECK_STR(name("kp-"), "+4a -4a");
	CHECK_STR(name("ctrl-kp-"), "+1d +4a -4a -1d");
}

static void test_no_names(void)
{
	static const char *const none[] = {"",	       "f13", "ctrl-",
					   "ctrl-xy",  "x-a", "up-left-x-y-z-a",
					   "\xc3\xa4", "--",  "ctrl-alt-shift-win-menu-a"};

	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		CHECK_STR(name(none[i]), "");
}

static void test_decoding(void)
{
	uint32_t c = 0;

	CHECK_EQ(keymap_decode("a", 1, &c), 1);
	CHECK_EQ(c, 'a');
	CHECK_EQ(keymap_decode("\xc3\xa4x", 3, &c), 2);
	CHECK_EQ(c, 0xe4);
	CHECK_EQ(keymap_decode("\xe2\x82\xac", 3, &c), 3);
	CHECK_EQ(c, 0x20ac);
	CHECK_EQ(keymap_decode("\xf0\x9f\x98\x80", 4, &c), 4);
	CHECK_EQ(c, 0x1f600);
	CHECK_EQ(keymap_decode("", 0, &c), 0);
	for (size_t len = 1; len < 4; len++)
		CHECK_EQ(keymap_decode("\xf0\x9f\x98\x80", len, &c), 0);
}

static void test_decoding_what_is_no_text(void)
{
	static const char *const bad[] = {"\x80",
					  "\xff",
					  "\xc3(",
					  "\xc0\x80",
					  "\xe0\x80\x80",
					  "\xf0\x80\x80\x80",
					  "\xe2\x82\x41",
					  "\xf4\x90\x80\x80",
					  "\xf8\x88\x80\x80"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint32_t c = 0;
		CHECK_EQ(keymap_decode(bad[i], strlen(bad[i]), &c), 1);
		CHECK_EQ(c, 0xfffd);
	}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_characters_on_keys),
		TEST_CASE(test_every_ascii_character_has_keys),
		TEST_CASE(test_control_characters),
		TEST_CASE(test_modifiers_are_held),
		TEST_CASE(test_other_characters_of_the_code_page),
		TEST_CASE(test_names),
		TEST_CASE(test_names_with_a_dash),
		TEST_CASE(test_no_names),
		TEST_CASE(test_decoding),
		TEST_CASE(test_decoding_what_is_no_text),
	};
	return TEST_RUN(cases);
}
