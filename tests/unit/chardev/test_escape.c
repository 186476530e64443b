/* The escape key. */
#include "escape.h"
#include "test.h"

struct heard {
	char guest[64];
	size_t len;
	unsigned actions[ESCAPE_UNKNOWN + 1];
};

static struct heard type(const char *keys)
{
	struct heard h = {0};
	bool is_escaped = false;
	for (; *keys; keys++) {
		uint8_t byte = 0;
		enum escape_action action = escape_feed(&is_escaped, (uint8_t)*keys, &byte);
		h.actions[action]++;
		if (action == ESCAPE_BYTE)
			h.guest[h.len++] = (char)byte;
	}
	return h;
}

static void test_escape_leaves_ordinary_keys_alone(void)
{
	struct heard h = type("ls -l\r\x03\x1a\x1b[A");
	CHECK_STR(h.guest, "ls -l\r\x03\x1a\x1b[A");
}

static void test_escape_commands_are_not_the_guests(void)
{
	struct heard h = type("a\x01xb\x01\x63\x63\x01hd\x01?");
	CHECK_STR(h.guest, "abcd");
	CHECK_EQ(h.actions[ESCAPE_QUIT], 1);
	CHECK_EQ(h.actions[ESCAPE_POWER_BUTTON], 1);
	CHECK_EQ(h.actions[ESCAPE_HELP], 2);
}

static void test_escape_twice_is_a_literal_ctrl_a(void)
{
	struct heard h = type("\x01\x01x\x01\x61x");
	CHECK_STR(h.guest, "\x01x\x01x");
	CHECK_EQ(h.actions[ESCAPE_QUIT], 0);
}

static void test_escape_unknown_key_is_swallowed_with_a_hint(void)
{
	struct heard h = type("\x01qx");
	CHECK_STR(h.guest, "x");
	CHECK_EQ(h.actions[ESCAPE_UNKNOWN], 1);
	CHECK_EQ(h.actions[ESCAPE_QUIT], 0);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_escape_leaves_ordinary_keys_alone),
		TEST_CASE(test_escape_commands_are_not_the_guests),
		TEST_CASE(test_escape_twice_is_a_literal_ctrl_a),
		TEST_CASE(test_escape_unknown_key_is_swallowed_with_a_hint),
	};
	return TEST_RUN(cases);
}
