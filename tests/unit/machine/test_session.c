/*
 * A session between a guest that is played here, frame by frame, and a user on pipes.
 *
 * Each case runs in a child process with standard streams of its own; it exits with the number of
 * its failed checks.
 */
#include "now.h"
#include "session.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <tinyvm/chardev.h>
#include <tinyvm/device.h>
#include <tinyvm/evloop.h>
#include <tinyvm/log.h>
#include <unistd.h>

#define PATIENCE_MS 20000
#define MS	    1000000ull

/**
 * struct world - the session, and all that it has to do with
 * @in, @out: our ends of its standard streams; @out[1] is of standard error
 * @sent: frames for the guest
 * @ended, @interrupted: what it asked of the machine
 */
struct world {
	struct session s;
	struct evloop *loop;
	struct evloop_fd *tick_handle;
	int tick;
	int in, out[2];
	struct device dev;
	struct chardev *console, *port;
	uint8_t sent[200000];
	size_t sent_len;
	unsigned ended, writables;
	int interrupted;
	char line[64];
};

static struct world w;

/* The machine */

static void machine_line(void *machine, const char *line)
{
	(void)machine;
	snprintf(w.line, sizeof(w.line), "%s", line);
}

static void machine_end(void *machine)
{
	(void)machine;
	w.ended++;
}

static void machine_interrupt(void *machine, int signo)
{
	(void)machine;
	w.interrupted = signo;
}

/* The port's device */

static size_t port_room(void *ctx)
{
	(void)ctx;
	return sizeof(w.sent) - w.sent_len;
}

static void port_receive(void *ctx, const uint8_t *buf, size_t len)
{
	(void)ctx;
	memcpy(w.sent + w.sent_len, buf, len);
	w.sent_len += len;
}

static void port_writable(void *ctx)
{
	(void)ctx;
	w.writables++;
}

static const struct chardev_client port_client = {
	.room = port_room,
	.receive = port_receive,
	.writable = port_writable,
};

/* The loop, for one turn. */

static void tick_ready(void *ctx, uint32_t events)
{
	eventfd_t count;
	(void)ctx, (void)events;
	eventfd_read(w.tick, &count);
	evloop_stop(w.loop);
}

static void turn(void)
{
	eventfd_write(w.tick, 1);
	evloop_run(w.loop);
}

#define UNTIL(condition)                                                           \
	({                                                                         \
		for (unsigned ms_ = 0; ms_ < PATIENCE_MS && !(condition); ms_++) { \
			turn();                                                    \
			poll(NULL, 0, 1);                                          \
		}                                                                  \
		(condition);                                                       \
	})

static void become_piped(void)
{
	int ends[3][2];
	for (int i = 0; i < 3; i++) {
		if (pipe2(ends[i], O_CLOEXEC) != 0)
			_exit(100);
		dup2(ends[i][i != 0], i);
		close(ends[i][i != 0]);
	}
	w.in = ends[0][1];
	w.out[0] = ends[1][0];
	w.out[1] = ends[2][0];
}

static void open_session_on_streams(bool is_tty, uint64_t timeout_ns)
{
	static const struct device_ops ops = {.type = "test"};
	struct err err;
	w.tick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (evloop_create(&w.loop) != 0 ||
	    evloop_add(w.loop, &w.tick_handle, w.tick, EPOLLIN, tick_ready, NULL, NULL) != 0)
		_exit(101);
	session_init(&w.s, is_tty, timeout_ns ? now_get_ns() + timeout_ns : 0, false);
	w.s.front.loop = w.loop;
	w.s.front.line = machine_line;
	w.s.front.end = machine_end;
	w.s.front.interrupt = machine_interrupt;
	if (w.s.front.ops->open(&w.s.front, &w.console, &w.port, &err) != 0)
		_exit(102);
	device_init(&w.dev, &ops, "test");
	chardev_attach(w.port, &port_client, NULL, &w.dev);
}

static void open_session(bool is_tty, uint64_t timeout_ns)
{
	become_piped();
	open_session_on_streams(is_tty, timeout_ns);
}

static void close_session(void)
{
	w.s.front.ops->close(&w.s.front);
	chardev_attach(w.port, NULL, NULL, NULL);
	chardev_destroy(w.console);
	chardev_destroy(w.port);
	evloop_remove(w.tick_handle);
	evloop_destroy(w.loop);
	close(w.tick);
}

/* The guest */

static size_t raw(const void *buf, size_t len)
{
	device_lock(&w.dev);
	size_t n = chardev_write(w.port, buf, len);
	device_unlock(&w.dev);
	return n;
}

static size_t says(enum run_type type, const void *payload, size_t len)
{
	static uint8_t buf[70000];
	struct run_frame head = {.type = (uint8_t)type, .len = (uint32_t)len};
	memcpy(buf, &head, sizeof(head));
	if (len)
		memcpy(buf + sizeof(head), payload, len);
	return raw(buf, sizeof(head) + len);
}

static void says_hello(void)
{
	struct {
		struct run_hello head;
		char release[5];
	} hello = {{.version = RUN_PROTOCOL_VERSION}, "6.1.0"};
	says(RUN_HELLO, &hello, sizeof(hello.head) + 5);
}

static void starts(void)
{
	struct run_stamp stamp = {1};
	says_hello();
	says(RUN_STARTED, &stamp, sizeof(stamp));
}

static void says_status(uint32_t value)
{
	struct run_status status = {.value = value, .memory_total_kib = 1000};
	says(RUN_STATUS, &status, sizeof(status));
}

/* Frames of @type that were sent to the guest, and the last one's first four bytes. */
static unsigned sent(enum run_type type, uint32_t *ret_word)
{
	unsigned count = 0;
	struct run_frame head;
	for (size_t at = 0; at < w.sent_len; at += sizeof(head) + head.len) {
		memcpy(&head, w.sent + at, sizeof(head));
		if (head.type != type)
			continue;
		count++;
		if (ret_word && head.len >= sizeof(*ret_word))
			memcpy(ret_word, w.sent + at + sizeof(head), sizeof(*ret_word));
	}
	return count;
}

static bool reads(int fd, const char *text)
{
	char buf[256] = "";
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	return n == (ssize_t)strlen(text) && memcmp(buf, text, strlen(text)) == 0;
}

/* Cases */

static void streams_and_status_reach_the_user(void)
{
	struct run_stamp stamp = {2};
	open_session(false, 0);
	CHECK(w.s.at_ns[SESSION_BOOTING]);
	starts();
	CHECK_STR(w.s.release, "6.1.0");
	says(RUN_STDOUT, "out\0put", 7);
	says(RUN_STDERR, "error", 5);
	CHECK(!session_has_status(&w.s));
	says_status(7);
	CHECK(session_has_status(&w.s));
	CHECK_EQ(w.s.status.value, 7);
	CHECK_EQ(w.ended, 0);
	says(RUN_BYE, &stamp, sizeof(stamp));
	CHECK_EQ(w.ended, 1);
	CHECK(w.s.bye_ns >= w.s.at_ns[SESSION_ENDED]);
	close_session();
	char got[8];
	CHECK_EQ(read(w.out[0], got, 8), 7);
	CHECK(memcmp(got, "out\0put", 7) == 0);
	CHECK(reads(w.out[1], "error"));
}

static void input_and_its_end_reach_the_guest(void)
{
	uint32_t word = 0;
	open_session(false, 0);
	starts();
	CHECK_EQ(write(w.in, "abcd", 4), 4);
	CHECK(UNTIL(sent(RUN_STDIN, &word) == 1));
	CHECK_EQ(word, 0x64636261);
	close(w.in);
	CHECK(UNTIL(sent(RUN_STDIN, NULL) == 2));
	CHECK(!w.s.in.is_open);
	close_session();
}

/* What the guest may send at once is not more than the pipe takes. */
static void output_waits_for_a_slow_reader(void)
{
	static uint8_t much[RUN_GUEST_PAYLOAD_MAX], got[sizeof(much)];
	open_session(false, 0);
	starts();
	while (says(RUN_STDOUT, much, sizeof(much)) == sizeof(much) + sizeof(struct run_frame))
		;
	turn();
	CHECK_EQ(w.writables, 0);
	CHECK(read(w.out[0], got, sizeof(got)) > 0);
	CHECK(UNTIL(w.writables == 1));
	close_session();
}

static void a_reader_that_went_away_is_a_broken_pipe(void)
{
	uint32_t signo = 0;
	signal(SIGPIPE, SIG_IGN);
	open_session(false, 0);
	starts();
	close(w.out[0]);
	CHECK_EQ(says(RUN_STDOUT, "x", 1), 1 + sizeof(struct run_frame));
	CHECK(UNTIL(sent(RUN_SIGNAL, &signo) == 1));
	CHECK_EQ(signo, SIGPIPE);
	CHECK_EQ(says(RUN_STDOUT, "more", 4), 4 + sizeof(struct run_frame));
	says(RUN_STDERR, "still", 5);
	CHECK(reads(w.out[1], "still"));
	close_session();
}

static void open_session_on_a_full_disk(void)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	become_piped();
	dup2(full, STDOUT_FILENO);
	close(full);
	open_session_on_streams(false, 0);
}

/* Also when the machine ends before the loop has come to it. */
static void output_that_cannot_be_written_is_no_success(void)
{
	struct run_stamp stamp = {2};
	char why[ERR_MSG_MAX] = "";
	open_session_on_a_full_disk();
	starts();
	says(RUN_STDOUT, "x", 1);
	CHECK(!session_has_lost_output(&w.s, why));
	says_status(0);
	says(RUN_BYE, &stamp, sizeof(stamp));
	CHECK(session_has_lost_output(&w.s, why));
	CHECK_STR(why, "cannot write to standard output: No space left on device");
	w.s.status.value = 3;
	CHECK(!session_has_lost_output(&w.s, why)); /* the command's own word */
	close_session();
	CHECK(reads(w.out[1],
		    "tinyvm: cannot write to standard output: No space left on device\n"));
}

static void output_that_cannot_be_written_ends_the_command(void)
{
	uint32_t signo = 0;
	open_session_on_a_full_disk();
	starts();
	says(RUN_STDOUT, "x", 1);
	CHECK(UNTIL(sent(RUN_SIGNAL, &signo) == 1));
	CHECK_EQ(signo, SIGPIPE);
	close_session();
	CHECK(reads(w.out[1], /* once */
		    "tinyvm: cannot write to standard output: No space left on device\n"));
}

static void output_that_nobody_reads_is_none_that_is_lost(void)
{
	char why[ERR_MSG_MAX] = "";
	signal(SIGPIPE, SIG_IGN);
	open_session(false, 0);
	starts();
	close(w.out[0]);
	says(RUN_STDOUT, "x", 1);
	says_status(0);
	CHECK(!session_has_lost_output(&w.s, why));
	close_session();
	close(STDERR_FILENO);
	CHECK(reads(w.out[1], ""));
}

static void the_time_is_up_before_there_is_a_command(void)
{
	open_session(false, 1);
	says_hello();
	CHECK(UNTIL(w.ended == 1));
	CHECK(w.s.is_timeout);
	CHECK_EQ(sent(RUN_KERNEL_WANTED, NULL), 0);
	close_session();
}

static void the_time_is_up_and_the_kernel_has_last_words(void)
{
	open_session(false, 1);
	starts();
	chardev_write(w.console, (const uint8_t *)"console\n", 8);
	CHECK_STR(w.line, "console");
	CHECK_STR(klog_line(session_kernel_log(&w.s), 0), "console");
	CHECK(UNTIL(sent(RUN_KERNEL_WANTED, NULL) == 1));
	CHECK_EQ(w.ended, 0);
	says(RUN_KERNEL, "[    1.0] one", 13);
	says_status(0); /* too late */
	says(RUN_KERNEL, NULL, 0);
	CHECK_EQ(w.ended, 1);
	CHECK(!session_has_status(&w.s));
	CHECK_STR(klog_line(session_kernel_log(&w.s), 0), "[    1.0] one");
	close_session();
}

static void the_time_is_up_and_the_guest_is_silent(void)
{
	open_session(false, 1);
	starts();
	CHECK(UNTIL(w.ended == 1));
	CHECK(w.s.is_timeout);
	CHECK_EQ(sent(RUN_KERNEL_WANTED, NULL), 1);
	close_session();
}

static void a_guest_that_does_not_go_off_is_switched_off(void)
{
	open_session(false, 0);
	w.s.grace_ns = 20 * MS;
	starts();
	says_status(3);
	CHECK(UNTIL(w.ended == 1));
	CHECK(w.s.is_overdue);
	CHECK(session_has_status(&w.s));
	CHECK(!w.s.is_timeout);
	close_session();
}

static void the_time_is_up_after_the_command(void)
{
	open_session(false, 300 * MS);
	starts();
	says_status(3);
	CHECK(UNTIL(w.ended == 1));
	CHECK(session_has_status(&w.s));
	CHECK(w.s.is_overdue);
	close_session();
}

static bool passes_on(int signo)
{
	return w.s.front.ops->signalled(&w.s.front, signo);
}

static void a_third_signal_in_a_short_while_is_the_machines(void)
{
	uint32_t signo = 0;
	open_session(false, 0);
	says_hello();
	CHECK(!passes_on(SIGINT)); /* there is nobody yet who could have it */
	struct run_stamp stamp = {1};
	says(RUN_STARTED, &stamp, sizeof(stamp));
	CHECK(passes_on(SIGTERM));
	CHECK_EQ(sent(RUN_SIGNAL, &signo), 1);
	CHECK_EQ(signo, SIGTERM);
	CHECK(passes_on(SIGINT));
	CHECK(!passes_on(SIGINT));
	CHECK_EQ(sent(RUN_SIGNAL, NULL), 2);
	CHECK(!passes_on(SIGPROF));
	close_session();
}

static void signals_that_take_their_time_are_the_commands(void)
{
	open_session(false, 0);
	starts();
	for (unsigned i = 0; i < 6; i++) {
		CHECK(passes_on(SIGINT));
		w.s.interrupts_ns[0] -= 2001 * MS * (w.s.interrupts_ns[0] > 0);
		w.s.interrupts_ns[1] -= 2001 * MS;
	}
	close_session();
}

static void the_third_ctrl_c_ends_the_machine(void)
{
	open_session(true, 0);
	starts();
	CHECK_EQ(write(w.in, "a\x03\x03", 3), 3);
	CHECK(UNTIL(sent(RUN_STDIN, NULL) == 1));
	CHECK_EQ(w.interrupted, 0);
	CHECK_EQ(write(w.in, "\x03", 1), 1);
	CHECK(UNTIL(w.interrupted == SIGINT));
	close_session();
}

static void ctrl_c_before_the_command_ends_the_machine(void)
{
	open_session(true, 0);
	CHECK_EQ(write(w.in, "\x03", 1), 1);
	CHECK(UNTIL(w.interrupted == SIGINT));
	close_session();
}

static void a_failure_and_nonsense_have_a_sentence(void)
{
	open_session(false, 0);
	says_hello();
	says(RUN_FAILED, "no root", 7);
	CHECK_EQ(w.ended, 1);
	CHECK(w.s.is_failed);
	CHECK_STR(w.s.sentence, "no root");
	close_session();
	memset(&w, 0, sizeof(w));
	open_session(false, 0);
	says(RUN_STDOUT, "early", 5);
	CHECK_EQ(w.ended, 1);
	CHECK(w.s.is_failed);
	CHECK(w.s.sentence[0]);
	close_session();
}

/* Runs @fn in a child; CHECKs that failed there are reported to where standard error was. */
static void in_child(void (*fn)(void))
{
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		int err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
		alarm(60);
		stderr = fdopen(err, "w");
		stdout = fopen("/dev/null", "w"); /* the verdict is not for the user */
		const struct test_case one = {"", fn};
		_exit(test_run(&one, 1));
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

#define IN_CHILD(fn)                        \
	static void test_session_##fn(void) \
	{                                   \
		in_child(fn);               \
	}

IN_CHILD(streams_and_status_reach_the_user)
IN_CHILD(input_and_its_end_reach_the_guest)
IN_CHILD(output_waits_for_a_slow_reader)
IN_CHILD(a_reader_that_went_away_is_a_broken_pipe)
IN_CHILD(output_that_cannot_be_written_is_no_success)
IN_CHILD(output_that_cannot_be_written_ends_the_command)
IN_CHILD(output_that_nobody_reads_is_none_that_is_lost)
IN_CHILD(the_time_is_up_before_there_is_a_command)
IN_CHILD(the_time_is_up_and_the_kernel_has_last_words)
IN_CHILD(the_time_is_up_and_the_guest_is_silent)
IN_CHILD(a_guest_that_does_not_go_off_is_switched_off)
IN_CHILD(the_time_is_up_after_the_command)
IN_CHILD(a_third_signal_in_a_short_while_is_the_machines)
IN_CHILD(signals_that_take_their_time_are_the_commands)
IN_CHILD(the_third_ctrl_c_ends_the_machine)
IN_CHILD(ctrl_c_before_the_command_ends_the_machine)
IN_CHILD(a_failure_and_nonsense_have_a_sentence)

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_session_streams_and_status_reach_the_user),
		TEST_CASE(test_session_input_and_its_end_reach_the_guest),
		TEST_CASE(test_session_output_waits_for_a_slow_reader),
		TEST_CASE(test_session_a_reader_that_went_away_is_a_broken_pipe),
		TEST_CASE(test_session_output_that_cannot_be_written_is_no_success),
		TEST_CASE(test_session_output_that_cannot_be_written_ends_the_command),
		TEST_CASE(test_session_output_that_nobody_reads_is_none_that_is_lost),
		TEST_CASE(test_session_the_time_is_up_before_there_is_a_command),
		TEST_CASE(test_session_the_time_is_up_and_the_kernel_has_last_words),
		TEST_CASE(test_session_the_time_is_up_and_the_guest_is_silent),
		TEST_CASE(test_session_a_guest_that_does_not_go_off_is_switched_off),
		TEST_CASE(test_session_the_time_is_up_after_the_command),
		TEST_CASE(test_session_a_third_signal_in_a_short_while_is_the_machines),
		TEST_CASE(test_session_signals_that_take_their_time_are_the_commands),
		TEST_CASE(test_session_the_third_ctrl_c_ends_the_machine),
		TEST_CASE(test_session_ctrl_c_before_the_command_ends_the_machine),
		TEST_CASE(test_session_a_failure_and_nonsense_have_a_sentence),
	};
	return TEST_RUN(cases);
}
