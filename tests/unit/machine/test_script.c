/* Steps, with a screen and a clock of the test's own. */
#include "script.h"
#include "test.h"

#include <tinyvm/err.h>

#define MS 1000000ULL

static struct {
	struct script *script;
	uint64_t now_ns, timer_ns;
	char screen[80]; /* the first row */
	char typed[200];
	size_t room;
	bool is_done;
	unsigned over;
	char told[4000];
} t;

static uint64_t now_ns(void *ctx)
{
	(void)ctx;
	return t.now_ns;
}

static void arm(void *ctx, uint64_t when_ns)
{
	(void)ctx;
	t.timer_ns = when_ns;
}

static void take(void *ctx, struct screen *screen)
{
	(void)ctx;
	screen->kind = SCREEN_TEXT;
	screen->cols = 80;
	screen->rows = 25;
	for (unsigned i = 0; i < 80 * 25; i++)
		screen->cell[i] = 0x0720;
	for (unsigned i = 0; t.screen[i]; i++)
		screen->cell[i] = (uint16_t)(0x0700 | (uint8_t)t.screen[i]);
}

static size_t type(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	if (len > t.room)
		len = t.room;
	strncat(t.typed, text, len);
	t.room -= len;
	return len;
}

static bool key(void *ctx, const char *name)
{
	(void)ctx;
	if (!t.room)
		return false;
	snprintf(t.typed + strlen(t.typed), 20, "<%s>", name);
	return true;
}

static bool is_done(void *ctx)
{
	(void)ctx;
	return t.is_done;
}

static void over(void *ctx)
{
	(void)ctx;
	t.over++;
}

static void begin(const struct config_step *step, unsigned count)
{
	static const struct script_hooks hooks = {
		.take = take, .type = type, .key = key, .is_done = is_done, .over = over};
	struct err err;

	script_destroy(t.script);
	memset(&t, 0, sizeof(t));
	t.now_ns = 5000 * MS;
	t.room = 100;
	t.is_done = true;
	if (script_create(&t.script, step, count, &hooks, (struct clock){.monotonic_ns = now_ns},
			  (struct timer){.arm = arm}, &err) != 0)
		abort();
	script_start(t.script);
}

#define BEGIN(...)                                               \
	static const struct config_step steps[] = {__VA_ARGS__}; \
	begin(steps, sizeof(steps) / sizeof(steps[0]))

static void pass(uint64_t ms)
{
	uint64_t end_ns = t.now_ns + ms * MS;

	while (t.timer_ns && t.timer_ns <= end_ns) {
		t.now_ns = t.timer_ns;
		t.timer_ns = 0;
		script_expired(t.script);
	}
	t.now_ns = end_ns;
}

static void hear(const char *text)
{
	script_hear(t.script, (const uint8_t *)text, strlen(text));
}

static void see(const char *text)
{
	snprintf(t.screen, sizeof(t.screen), "%s", text);
}

static const char *told(void)
{
	FILE *out = fmemopen(t.told, sizeof(t.told), "w");
	script_tell(t.script, out);
	fclose(out);
	return t.told;
}

static void test_nothing_is_typed_before_it_is_due(void)
{
	BEGIN({STEP_EXPECT_SCREEN, "^A:.?>$", 60000}, {STEP_TYPE, "dir\n", 60000});
	pass(1000);
	CHECK_STR(t.typed, "");
	see("A:\\> ready");
	pass(1000);
	CHECK_STR(t.typed, "");
	see("A:\\>");
	pass(50);
	CHECK_STR(t.typed, "dir\n");
	CHECK_EQ(t.over, 0); /* typing is no end */
	CHECK_EQ(t.timer_ns, 0);
	CHECK_EQ(script_finish(t.script), SCRIPT_DONE);
}

static void test_the_end_of_a_script_that_waits(void)
{
	BEGIN({STEP_KEY, "f8", 60000}, {STEP_EXPECT, "login: $", 60000});
	pass(100);
	CHECK_STR(t.typed, "<f8>");
	hear("Debian 12\r\n");
	pass(100);
	CHECK_EQ(t.over, 0);
	hear("host log");
	hear("in: ");
	pass(50);
	CHECK_EQ(t.over, 1);
	CHECK_EQ(script_finish(t.script), SCRIPT_DONE);
}

static void test_a_step_fails_when_its_time_is_over(void)
{
	BEGIN({STEP_EXPECT_SCREEN, "first", 10000}, {STEP_EXPECT_SCREEN, "se(co)nd", 2500});
	see("first");
	pass(2000);
	CHECK_EQ(t.over, 0);
	see("a menu \xb3");
	pass(1000);
	CHECK_EQ(t.over, 1);
	CHECK_EQ(script_finish(t.script), SCRIPT_FAILED);
	see("the next machine");
	CHECK_STR(told(), "step 2 of 2 failed: --expect-screen 'se(co)nd' was not seen within 2.5 "
			  "s\nthe screen:\n  | a menu \xe2\x94\x82\n");
	pass(10000);
	CHECK_EQ(t.over, 1);
}

static void test_a_steps_time_begins_with_it(void)
{
	BEGIN({STEP_EXPECT, "a", 10000}, {STEP_EXPECT, "b", 10000});
	pass(9000);
	hear("a");
	pass(9000);
	CHECK_EQ(t.over, 0);
	hear("b");
	pass(50);
	CHECK_EQ(script_finish(t.script), SCRIPT_DONE);
}

static void test_what_was_heard_is_used_up(void)
{
	BEGIN({STEP_EXPECT, "# ", 1000}, {STEP_TYPE, "x", 1000}, {STEP_EXPECT, "# ", 1000});
	hear("boot\n# ");
	pass(100);
	CHECK_STR(t.typed, "x");
	CHECK_EQ(t.over, 0);
	hear("done\n# ");
	pass(50);
	CHECK_EQ(t.over, 1);
	CHECK_EQ(script_finish(t.script), SCRIPT_DONE);
}

static void test_what_is_left_of_a_line_does_not_begin_one(void)
{
	BEGIN({STEP_EXPECT, "login: ", 1000}, {STEP_EXPECT, "^root", 1000});
	hear("host login: root");
	pass(100);
	CHECK_EQ(t.over, 0);
	hear("\r\nroot:~# ");
	pass(50);
	CHECK_EQ(t.over, 1);
	CHECK_EQ(script_finish(t.script), SCRIPT_DONE);
}

static void test_much_that_was_heard(void)
{
	BEGIN({STEP_EXPECT, "needle", 1000});
	for (unsigned i = 0; i < 30000; i++)
		hear("12345678\r\n");
	script_hear(t.script, (const uint8_t *)"nee\0dle", 7);
	pass(50);
	CHECK_EQ(t.over, 1);
	CHECK_EQ(script_finish(t.script), SCRIPT_DONE);
}

static void test_typing_waits_for_room_and_for_the_guest(void)
{
	BEGIN({STEP_TYPE, "hello", 3000}, {STEP_KEY, "f1", 3000}, {STEP_EXPECT, "x", 1000});
	t.room = 2;
	t.is_done = false;
	pass(100);
	CHECK_STR(t.typed, "he");
	t.room = 10;
	pass(100);
	CHECK_STR(t.typed, "hello");
	t.is_done = true;
	t.room = 0;
	pass(100);
	CHECK_STR(t.typed, "hello");
	t.room = 1;
	pass(100);
	CHECK_STR(t.typed, "hello<f1>");
}

static void test_a_guest_that_does_not_read(void)
{
	BEGIN({STEP_TYPE, "a\033\n", 3000});
	t.is_done = false;
	pass(2900);
	CHECK_EQ(t.over, 0);
	pass(200);
	CHECK_EQ(t.over, 1);
	CHECK_EQ(script_finish(t.script), SCRIPT_FAILED);
	CHECK_STR(told(), "step 1 of 1 failed: --type 'a\\x1b\\n' was not read by the guest within "
			  "3 s\nthe screen is empty\n");
}

static void test_the_machines_end_is_looked_at(void)
{
	BEGIN({STEP_EXPECT, "Power down", 60000}, {STEP_EXPECT_SCREEN, "bye", 60000});
	hear("Power down\r\n");
	see("bye");
	CHECK_EQ(script_finish(t.script), SCRIPT_DONE);
}

static void test_the_machines_end_before_the_steps(void)
{
	BEGIN({STEP_EXPECT, "Power down", 60000}, {STEP_EXPECT, "never", 60000});
	hear("line 1\r\nPower down\r\nlast \007words");
	CHECK_EQ(script_finish(t.script), SCRIPT_FAILED);
	CHECK_STR(told(), "step 2 of 2 failed: --expect 'never' was not heard before the machine "
			  "ended\nwhat was heard last:\n  | last ?words\n");
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_nothing_is_typed_before_it_is_due),
		TEST_CASE(test_the_end_of_a_script_that_waits),
		TEST_CASE(test_a_step_fails_when_its_time_is_over),
		TEST_CASE(test_a_steps_time_begins_with_it),
		TEST_CASE(test_what_was_heard_is_used_up),
		TEST_CASE(test_what_is_left_of_a_line_does_not_begin_one),
		TEST_CASE(test_much_that_was_heard),
		TEST_CASE(test_typing_waits_for_room_and_for_the_guest),
		TEST_CASE(test_a_guest_that_does_not_read),
		TEST_CASE(test_the_machines_end_is_looked_at),
		TEST_CASE(test_the_machines_end_before_the_steps),
	};
	int status = TEST_RUN(cases);
	script_destroy(t.script);
	return status;
}
