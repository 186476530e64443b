/* What becomes of the machine's end when there were steps to be done. */
#include "pc.h"
#include "screen_front.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <tinyvm/config.h>
#include <tinyvm/err.h>
#include <unistd.h>

static const char *shown;

static void take(void *ctx, struct screen *screen)
{
	(void)ctx;
	memset(screen, 0, sizeof(*screen));
	screen->kind = SCREEN_TEXT;
	screen->cols = (unsigned)strlen(shown);
	screen->rows = 1;
	for (unsigned i = 0; i < screen->cols; i++)
		screen->cell[i] = (uint8_t)shown[i];
}

static uint64_t now_ns(void *ctx)
{
	(void)ctx;
	return 1;
}

static void arm(void *ctx, uint64_t expiry_ns)
{
	(void)ctx, (void)expiry_ns;
}

/* The machine ended with @status while a step waited for "ready". Return: what the user gets. */
static int judge(int status, bool *ret_is_told)
{
	static struct pc pc;
	const struct config cfg = {.is_pc = true};
	const struct config_step step = {
		.kind = STEP_EXPECT_SCREEN, .text = "ready", .limit_ms = 1000};
	const struct script_hooks hooks = {.take = take};
	const struct clock clock = {.monotonic_ns = now_ns};
	struct screen_front f;
	struct err err;

	screen_front_init(&f, &cfg);
	f.front.pc = &pc;
	if (script_create(&f.script, &step, 1, &hooks, clock, (struct timer){.arm = arm}, &err) !=
	    0)
		return -1;
	FILE *told = tmpfile();
	int kept = dup(STDERR_FILENO);
	if (!told || kept < 0)
		abort();
	script_start(f.script);
	f.front.ops->stopped(&f.front);
	fflush(stderr);
	dup2(fileno(told), STDERR_FILENO);
	int judged = f.front.ops->judge(&f.front, status);
	fflush(stderr);
	dup2(kept, STDERR_FILENO);
	close(kept);
	*ret_is_told = lseek(fileno(told), 0, SEEK_END) > 0;
	fclose(told);
	return judged;
}

static void test_a_step_not_done_is_why_the_run_failed(void)
{
	bool is_told;
	shown = "booting";
	CHECK_EQ(judge(EXIT_GUEST_OFF, &is_told), EXIT_STEP_FAILED);
	CHECK(is_told);
}

static void test_a_machine_that_came_to_a_bad_end_has_the_last_word(void)
{
	static const int ends[] = {EXIT_GUEST_PANIC, EXIT_TRIPLE_FAULT, EXIT_KVM_FAILED,
				   EXIT_TIMEOUT};
	shown = "booting";
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		bool is_told;
		CHECK_EQ(judge(ends[i], &is_told), ends[i]);
		CHECK(is_told); /* what it had come to all the same */
	}
}

static void test_a_signal_needs_no_words_about_steps(void)
{
	bool is_told;
	shown = "booting";
	CHECK_EQ(judge(EXIT_SIGNAL_BASE + 2, &is_told), EXIT_SIGNAL_BASE + 2);
	CHECK(!is_told);
}

static void test_steps_that_were_done_leave_the_end_as_it_is(void)
{
	static const int ends[] = {EXIT_GUEST_OFF, EXIT_TRIPLE_FAULT, EXIT_TIMEOUT};
	shown = "all ready";
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		bool is_told;
		CHECK_EQ(judge(ends[i], &is_told), ends[i]);
		CHECK(!is_told);
	}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_a_step_not_done_is_why_the_run_failed),
		TEST_CASE(test_a_machine_that_came_to_a_bad_end_has_the_last_word),
		TEST_CASE(test_a_signal_needs_no_words_about_steps),
		TEST_CASE(test_steps_that_were_done_leave_the_end_as_it_is),
	};
	return TEST_RUN(cases);
}
