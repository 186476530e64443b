/* Why a run ends: who has the last word, and panics seen on the console. */
#include "end.h"
#include "test.h"

static void test_end_first_reason_stays(void)
{
	static const enum end_reason all[] = {
		END_OFF, END_RESET, END_PANIC, END_TRIPLE_FAULT, END_KVM_FAILED, END_SIGNAL,
	};
	for (unsigned first = 0; first < sizeof(all) / sizeof(all[0]); first++) {
		for (unsigned next = 0; next < sizeof(all) / sizeof(all[0]); next++) {
			struct end end = {0};
			end_begin(&end);
			CHECK_EQ(end_reason(&end), END_NONE);
			CHECK(end_claim(&end, all[first]));
			bool is_override = all[first] == END_RESET &&
					   (all[next] == END_OFF || all[next] == END_SIGNAL);
			CHECK_EQ(end_claim(&end, all[next]), is_override);
			CHECK_EQ(end_reason(&end), is_override ? all[next] : all[first]);
		}
	}
}

static void test_end_signal_after_a_reset_is_obeyed(void)
{
	struct end end = {0};
	end_begin(&end);
	CHECK(end_claim(&end, END_RESET));
	CHECK(end_claim(&end, END_SIGNAL));
	CHECK(!end_claim(&end, END_RESET));
	CHECK_EQ(end_reason(&end), END_SIGNAL);
}

static void test_end_reset_after_a_panic_message_is_a_panic(void)
{
	struct end end = {0};
	end_begin(&end);
	end_note_line(&end, "[    1.234567] Kernel panic - not syncing: no init found");
	CHECK_STR(end.panic, "no init found");
	CHECK(end_claim(&end, END_RESET));
	CHECK_EQ(end_reason(&end), END_PANIC);
	end_begin(&end);
	CHECK(end_claim(&end, END_RESET));
	CHECK_EQ(end_reason(&end), END_RESET);
}

static void test_end_guest_that_lives_on_did_not_panic(void)
{
	struct end end = {0};
	end_begin(&end);
	end_note_line(&end, "Kernel panic - not syncing: said cat");
	end_note_line(&end, "[   99.000001] reboot: Restarting system");
	CHECK(end_claim(&end, END_RESET));
	CHECK_EQ(end_reason(&end), END_RESET);
	end_note_line(&end, "who said Kernel panic - not syncing: here");
	CHECK_STR(end.panic, "");
}

static void test_end_panic_message_cannot_drive_the_terminal(void)
{
	struct end end = {0};
	end_begin(&end);
	end_note_line(&end, "Kernel panic - not syncing: \x1b]0;x\x07 \xc2\x9b"
			    "2J\tend\r");
	CHECK_STR(end.panic, "?]0;x? ??2J?end?");
}

static void test_end_every_deadly_signal_is_obeyed_in_good_order(void)
{
	/* Of the classic ones: not to be caught, crashes, ignored by main(), harmless by default.
	 */
	static const int others[] = {
		SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,  SIGILL,  SIGFPE,  SIGABRT, SIGTRAP, SIGSYS,
		SIGPIPE, SIGXFSZ, SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG,	SIGWINCH,
	};
	sigset_t set;
	end_signals(&set);
	for (int sig = 1; sig < 32; sig++) {
		bool is_other = false;
		for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
			is_other |= others[i] == sig;
		CHECK_EQ(sigismember(&set, sig), !is_other);
	}
}

static void test_end_hangup_under_nohup_is_not_obeyed(void)
{
	sigset_t set;
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* as a script's shell does */
	end_signals(&set);
	CHECK_EQ(sigismember(&set, SIGHUP), 0);
	CHECK_EQ(sigismember(&set, SIGINT), 1);
	signal(SIGHUP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_end_first_reason_stays),
		TEST_CASE(test_end_signal_after_a_reset_is_obeyed),
		TEST_CASE(test_end_reset_after_a_panic_message_is_a_panic),
		TEST_CASE(test_end_guest_that_lives_on_did_not_panic),
		TEST_CASE(test_end_panic_message_cannot_drive_the_terminal),
		TEST_CASE(test_end_every_deadly_signal_is_obeyed_in_good_order),
		TEST_CASE(test_end_hangup_under_nohup_is_not_obeyed),
	};
	return TEST_RUN(cases);
}
