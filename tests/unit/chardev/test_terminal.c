/*
 * The terminal on pipes, files, closed descriptors and pseudo-terminals.
 *
 * Each case runs in a child process with standard input and output of its own: the terminal is the
 * process's. The child runs the event loop on a thread, plays the guest, and exits with the number
 * of its failed checks.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <tinyvm/chardev.h>
#include <tinyvm/device.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/terminal.h>
#include <unistd.h>

#define PATIENCE_MS 10000

/* The guest's end: keeps what it hears while it has room. */
struct guest {
	struct device dev;
	pthread_cond_t changed;
	char heard[65536];
	size_t len, room;
	unsigned writables;
	uint16_t cols, rows;
	unsigned commands[2];
	char lines[1024];
};

struct bench {
	struct evloop *loop;
	pthread_t thread;
	struct chardev *cd;
	struct guest guest;
};

static size_t guest_room(void *ctx)
{
	return ((struct guest *)ctx)->room;
}

static void guest_receive(void *ctx, const uint8_t *buf, size_t len)
{
	struct guest *g = ctx;
	memcpy(g->heard + g->len, buf, len);
	g->len += len;
	g->room -= len;
	pthread_cond_broadcast(&g->changed);
}

static void guest_writable(void *ctx)
{
	struct guest *g = ctx;
	g->writables++;
	pthread_cond_broadcast(&g->changed);
}

static void guest_resized(void *ctx, uint16_t cols, uint16_t rows)
{
	struct guest *g = ctx;
	g->cols = cols;
	g->rows = rows;
	pthread_cond_broadcast(&g->changed);
}

static const struct chardev_client guest_client = {
	.room = guest_room,
	.receive = guest_receive,
	.writable = guest_writable,
	.resized = guest_resized,
};

static void guest_command(void *ctx, enum terminal_command command)
{
	struct guest *g = ctx;
	device_lock(&g->dev);
	g->commands[command]++;
	pthread_cond_broadcast(&g->changed);
	device_unlock(&g->dev);
}

static void guest_line(void *ctx, const char *line)
{
	struct guest *g = ctx;
	strncat(g->lines, line, sizeof(g->lines) - strlen(g->lines) - 1);
	strncat(g->lines, "|", sizeof(g->lines) - strlen(g->lines) - 1);
}

static void *run_loop(void *loop)
{
	evloop_run(loop);
	return NULL;
}

static int bench_open(struct bench *b, const char *log_path, struct err *err)
{
	static const struct device_ops ops = {.type = "guest"};
	memset(b, 0, sizeof(*b));
	device_init(&b->guest.dev, &ops, "guest");
	pthread_cond_init(&b->guest.changed, NULL);
	b->guest.room = sizeof(b->guest.heard);
	if (evloop_create(&b->loop) != 0)
		return -ENOMEM;
	const struct terminal_config cfg = {.log_path = log_path,
					    .command = guest_command,
					    .line = guest_line,
					    .ctx = &b->guest};
	return terminal_create(&b->cd, b->loop, &cfg, err);
}

/* The guest appears and the machine runs. */
static void bench_run(struct bench *b)
{
	chardev_attach(b->cd, &guest_client, &b->guest, &b->guest.dev);
	pthread_create(&b->thread, NULL, run_loop, b->loop);
}

static void bench_start(struct bench *b)
{
	struct err err;
	if (bench_open(b, NULL, &err) != 0) {
		test_failed(__FILE__, __LINE__, "%s", err.msg);
		_exit(100);
	}
	bench_run(b);
}

static void bench_stop(struct bench *b)
{
	evloop_stop(b->loop);
	pthread_join(b->thread, NULL);
	chardev_destroy(b->cd);
	evloop_destroy(b->loop);
}

static size_t say(struct bench *b, const void *buf, size_t len)
{
	device_lock(&b->guest.dev);
	size_t n = chardev_write(b->cd, buf, len);
	device_unlock(&b->guest.dev);
	return n;
}

/* Waits, with the guest's lock held at the end, until @cond; false when patience ends. */
#define WAIT_FOR(b, cond)                                                                          \
	({                                                                                         \
		struct timespec until_;                                                            \
		clock_gettime(CLOCK_REALTIME, &until_);                                            \
		until_.tv_sec += PATIENCE_MS / 1000;                                               \
		device_lock(&(b)->guest.dev);                                                      \
		int error_ = 0;                                                                    \
		while (!(cond) && !error_)                                                         \
			error_ = pthread_cond_timedwait(&(b)->guest.changed, &(b)->guest.dev.lock, \
							&until_);                                  \
		bool is_met_ = (cond);                                                             \
		device_unlock(&(b)->guest.dev);                                                    \
		is_met_;                                                                           \
	})

static bool heard(struct bench *b, const char *text)
{
	size_t len = strlen(text);
	return WAIT_FOR(b, b->guest.len >= len) && b->guest.len == len &&
	       memcmp(b->guest.heard, text, len) == 0;
}

/* Reads from @fd until @len bytes have come or patience ends. */
static size_t read_all(int fd, char *buf, size_t len)
{
	size_t got = 0;
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	while (got < len && poll(&pfd, 1, PATIENCE_MS) > 0) {
		ssize_t n = read(fd, buf + got, len - got);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	return got;
}

static unsigned writables(struct bench *b)
{
	device_lock(&b->guest.dev);
	unsigned count = b->guest.writables;
	device_unlock(&b->guest.dev);
	return count;
}

static bool write_all(int fd, const char *text)
{
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* A pseudo-terminal as controlling terminal, standard input and output. Return: its master. */
static int become_tty_session(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
		return -1;
	setsid();
	int slave = open(ptsname(master), O_RDWR);
	if (slave < 0)
		return -1;
	ioctl(slave, TIOCSCTTY, 0);
	dup2(slave, STDIN_FILENO);
	dup2(slave, STDOUT_FILENO);
	if (slave > STDERR_FILENO)
		close(slave);
	return master;
}

static bool is_raw(int fd)
{
	struct termios t;
	return tcgetattr(fd, &t) == 0 && !(t.c_lflag & (ICANON | ECHO | ISIG)) &&
	       !(t.c_oflag & OPOST);
}

/* Pipes for standard input and output: the other ends. */
struct pipes {
	int in, out;
};

static struct pipes become_piped(void)
{
	int in[2], out[2];
	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		_exit(100);
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	close(in[0]);
	close(out[1]);
	return (struct pipes){.in = in[1], .out = out[0]};
}

/* Cases */

static void piped_bytes_are_not_interpreted(void)
{
	struct pipes p = become_piped();
	struct bench b;
	bench_start(&b);
	CHECK(write_all(p.in, "\x01x\x03\x01h"));
	CHECK(heard(&b, "\x01x\x03\x01h"));
	CHECK_EQ(b.guest.commands[TERMINAL_QUIT], 0);
	bench_stop(&b);
}

static void output_reaches_a_pipe(void)
{
	struct pipes p = become_piped();
	struct bench b;
	char got[6] = {0};
	bench_start(&b);
	CHECK_EQ(say(&b, "hello", 5), 5);
	CHECK_EQ(read_all(p.out, got, 5), 5);
	CHECK_STR(got, "hello");
	CHECK((fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK) == 0);
	bench_stop(&b);
}

static void end_of_input_leaves_output_alive(void)
{
	struct pipes p = become_piped();
	struct bench b;
	char got[3] = {0};
	bench_start(&b);
	CHECK(write_all(p.in, "last"));
	close(p.in);
	CHECK(heard(&b, "last"));
	CHECK_EQ(say(&b, "ok", 2), 2);
	CHECK_EQ(read_all(p.out, got, 2), 2);
	bench_stop(&b);
}

static void input_waits_while_the_guest_has_no_room(void)
{
	struct pipes p = become_piped();
	struct bench b;
	char text[20001];
	memset(text, 'x', sizeof(text));
	for (unsigned i = 0; i < 20000; i += 100)
		text[i] = (char)('A' + i / 100 % 26);
	text[20000] = '\0';

	struct err err;
	CHECK_EQ(bench_open(&b, NULL, &err), 0);
	b.guest.room = 0;
	bench_run(&b);
	CHECK(write_all(p.in, text));
	close(p.in); /* a hang-up must neither spin nor lose what waits */
	for (unsigned i = 0; i < 20; i++) {
		device_lock(&b.guest.dev);
		b.guest.room += 1000;
		chardev_resume(b.cd);
		device_unlock(&b.guest.dev);
		CHECK(WAIT_FOR(&b, b.guest.len == (i + 1) * 1000));
	}
	CHECK(memcmp(b.guest.heard, text, 20000) == 0);
	bench_stop(&b);
}

/* The machine takes its devices apart and makes new ones; the terminal stays. */
static void input_survives_a_reset_of_the_machine(void)
{
	struct pipes p = become_piped();
	struct bench b;
	struct err err;
	CHECK_EQ(bench_open(&b, NULL, &err), 0);
	b.guest.room = 0;
	bench_run(&b);
	CHECK(write_all(p.in, "typed early"));
	CHECK_EQ(say(&b, "one\ntwo", 7), 7);
	evloop_stop(b.loop);
	pthread_join(b.thread, NULL);
	chardev_attach(b.cd, NULL, NULL, NULL);
	b.guest.room = 100;
	bench_run(&b);
	CHECK(heard(&b, "typed early"));
	CHECK_EQ(say(&b, "three\n", 6), 6);
	CHECK_STR(b.guest.lines, "one|three|");
	bench_stop(&b);
}

static void file_input_arrives_whole(void)
{
	struct bench b;
	char path[] = "/tmp/tinyvm-test-XXXXXX";
	static char text[60000];
	int fd = mkstemp(path);
	CHECK(fd >= 0);
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 31);
	CHECK_EQ(write(fd, text, sizeof(text)), sizeof(text));
	lseek(fd, 0, SEEK_SET);
	dup2(fd, STDIN_FILENO);
	unlink(path);
	bench_start(&b);
	CHECK(WAIT_FOR(&b, b.guest.len == sizeof(text)));
	CHECK(memcmp(b.guest.heard, text, sizeof(text)) == 0);
	bench_stop(&b);
}

static void closed_input_and_output_are_survived(void)
{
	struct bench b;
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	/* As main does, so that nothing else gets these numbers. */
	CHECK_EQ(open("/dev/null", O_RDWR), STDIN_FILENO);
	CHECK_EQ(open("/dev/null", O_RDWR), STDOUT_FILENO);
	bench_start(&b);
	for (unsigned i = 0; i < 100; i++)
		say(&b, "0123456789", 10);
	bench_stop(&b);
}

static void missing_descriptors_are_survived(void)
{
	struct bench b;
	struct err err;
	CHECK_EQ(bench_open(&b, NULL, &err), 0);
	chardev_destroy(b.cd);
	close(STDIN_FILENO); /* after everything else is open */
	close(STDOUT_FILENO);
	const struct terminal_config cfg = {.ctx = &b.guest};
	/* Its own descriptors get the numbers 0 and 1, and are not taken for input and output. */
	CHECK_EQ(terminal_create(&b.cd, b.loop, &cfg, &err), 0);
	bench_run(&b);
	CHECK_EQ(say(&b, "x", 1), 1);
	bench_stop(&b);
}

static void output_to_a_file_is_appended_in_place(void)
{
	struct bench b;
	char path[] = "/tmp/tinyvm-test-XXXXXX", got[32] = {0};
	int fd = mkstemp(path);
	CHECK(fd >= 0);
	CHECK(write_all(fd, "before "));
	dup2(fd, STDOUT_FILENO);
	bench_start(&b);
	CHECK_EQ(say(&b, "guest", 5), 5);
	bench_stop(&b);
	CHECK(write_all(STDOUT_FILENO, " after"));
	CHECK_EQ(pread(fd, got, sizeof(got), 0), 18);
	CHECK_STR(got, "before guest after");
	unlink(path);
}

/* Prints from @text + @at until the terminal takes no more. Return: where it stopped. */
static size_t say_until_full(struct bench *b, const char *text, size_t at)
{
	for (;;) {
		size_t n = say(b, text + at, 1000);
		at += n;
		if (n < 1000)
			return at;
	}
}

static void blocked_output_pushes_back_and_goes_on(void)
{
	struct pipes p = become_piped();
	struct bench b;
	static char text[800000], got[800000];
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 131 >> 3);
	bench_start(&b);
	size_t sent = say_until_full(&b, text, 0);
	CHECK(sent >= 65536);
	size_t first = sent, got_len = read_all(p.out, got, sent);
	CHECK_EQ(got_len, first);
	CHECK(WAIT_FOR(&b, b.guest.writables > 0));
	sent = say_until_full(&b, text, sent);
	bench_stop(&b); /* nobody reads: the rest is given up after a second */
	got_len += read_all(p.out, got + got_len, 65536);
	CHECK(got_len > first && got_len <= sent);
	CHECK(memcmp(got, text, got_len) == 0);
}

static void closed_reader_discards_output(void)
{
	struct pipes p = become_piped();
	struct bench b;
	signal(SIGPIPE, SIG_IGN);
	bench_start(&b);
	close(p.out);
	for (unsigned i = 0; i < 30; i++) {
		char text[10000] = {0};
		size_t sent = 0;
		while (sent < sizeof(text)) {
			unsigned before = writables(&b);
			size_t n = say(&b, text + sent, sizeof(text) - sent);
			sent += n;
			if (sent < sizeof(text))
				CHECK(WAIT_FOR(&b, b.guest.writables != before));
		}
	}
	CHECK(write_all(p.in, "alive"));
	CHECK(heard(&b, "alive"));
	bench_stop(&b);
}

static void log_gets_everything_the_guest_prints(void)
{
	struct pipes p = become_piped();
	struct bench b;
	struct err err;
	char path[] = "/tmp/tinyvm-test-XXXXXX", got[32] = {0};
	int fd = mkstemp(path);
	CHECK(fd >= 0);
	CHECK(write_all(fd, "old;"));
	CHECK_EQ(bench_open(&b, path, &err), 0);
	bench_run(&b);
	CHECK_EQ(say(&b, "new\r\n", 5), 5);
	CHECK_EQ(read_all(p.out, got, 5), 5);
	bench_stop(&b);
	CHECK_EQ(pread(fd, got, sizeof(got), 0), 9);
	CHECK_STR(got, "old;new\r\n");
	unlink(path);
}

static void log_on_a_full_disk_is_given_up(void)
{
	struct pipes p = become_piped();
	struct bench b;
	struct err err;
	char got[8] = {0};
	CHECK_EQ(bench_open(&b, "/dev/full", &err), 0);
	bench_run(&b);
	CHECK_EQ(say(&b, "one", 3), 3);
	CHECK_EQ(read_all(p.out, got, 3), 3);
	CHECK_EQ(say(&b, "two", 3), 3);
	CHECK_EQ(read_all(p.out, got, 3), 3);
	CHECK_STR(got, "two");
	bench_stop(&b);
}

static void log_that_cannot_be_opened_is_refused(void)
{
	struct bench b;
	struct err err;
	become_piped();
	CHECK_EQ(bench_open(&b, "/nonexistent/log", &err), (uint64_t)-ENOENT);
	CHECK(strstr(err.msg, "/nonexistent/log"));
	evloop_destroy(b.loop);
}

static void lines_are_told_without_their_ends(void)
{
	struct bench b;
	become_piped();
	bench_start(&b);
	say(&b, "one\r\ntw", 7);
	say(&b, "o\n\nthree", 8);
	CHECK_STR(b.guest.lines, "one|two||");
	char text[601];
	memset(text, 'y', 600);
	text[600] = '\n';
	b.guest.lines[0] = '\0';
	say(&b, text, 601);
	CHECK_EQ(strlen(b.guest.lines), 256);
	bench_stop(&b);
}

static void tty_is_raw_while_it_runs(void)
{
	struct bench b;
	char got[8] = {0};
	int master = become_tty_session();
	CHECK(master >= 0);
	struct termios before, after;
	tcgetattr(STDIN_FILENO, &before);
	bench_start(&b);
	CHECK(is_raw(STDIN_FILENO));
	CHECK(write_all(master, "\x03\x1a\r"));
	CHECK(heard(&b, "\x03\x1a\r"));
	CHECK_EQ(say(&b, "a\nb", 3), 3);
	CHECK_EQ(read_all(master, got, 3), 3);
	CHECK_STR(got, "a\nb");
	CHECK((fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK) == 0);
	bench_stop(&b);
	tcgetattr(STDIN_FILENO, &after);
	CHECK(before.c_lflag == after.c_lflag && before.c_oflag == after.c_oflag &&
	      before.c_iflag == after.c_iflag);
}

static void tty_escape_key_works_even_when_the_guest_is_deaf(void)
{
	struct bench b;
	struct err err;
	char got[256] = {0};
	int master = become_tty_session();
	CHECK(master >= 0);
	CHECK_EQ(bench_open(&b, NULL, &err), 0);
	b.guest.room = 0;
	bench_run(&b);
	CHECK(write_all(master, "deaf\x01\x63\x01x"));
	CHECK(WAIT_FOR(&b, b.guest.commands[TERMINAL_QUIT] == 1));
	CHECK_EQ(b.guest.commands[TERMINAL_POWER_BUTTON], 1);
	CHECK(write_all(master, "\x01h\x01q"));
	CHECK(read_all(master, got, 100) == 100);
	CHECK(strstr(got, "tinyvm: Ctrl-A"));
	device_lock(&b.guest.dev);
	b.guest.room = 100;
	chardev_resume(b.cd);
	device_unlock(&b.guest.dev);
	CHECK(heard(&b, "deaf"));
	bench_stop(&b);
}

static void tty_size_arrives_at_attach_and_when_it_changes(void)
{
	struct bench b;
	struct winsize size = {.ws_col = 100, .ws_row = 40};
	int master = become_tty_session();
	CHECK(master >= 0);
	ioctl(master, TIOCSWINSZ, &size);
	bench_start(&b);
	CHECK(WAIT_FOR(&b, b.guest.cols == 100 && b.guest.rows == 40));
	size.ws_col = 132;
	ioctl(master, TIOCSWINSZ, &size);
	CHECK(WAIT_FOR(&b, b.guest.cols == 132));
	bench_stop(&b);
}

static void tty_is_raw_again_after_a_stop(void)
{
	struct bench b;
	struct termios cooked;
	int master = become_tty_session();
	CHECK(master >= 0);
	tcgetattr(STDIN_FILENO, &cooked);
	bench_start(&b);
	tcsetattr(STDIN_FILENO, TCSANOW, &cooked); /* the shell's doing, while we were stopped */
	kill(getpid(), SIGCONT);
	for (unsigned ms = 0; ms < PATIENCE_MS && !is_raw(STDIN_FILENO); ms++)
		poll(NULL, 0, 1);
	CHECK(is_raw(STDIN_FILENO));
	bench_stop(&b);
}

/* Another process group in the foreground: neither read nor touch, until it is our turn. */
static void tty_in_the_background_waits(void)
{
	struct bench b;
	int ready[2];
	int master = become_tty_session();
	CHECK(master >= 0 && pipe2(ready, O_CLOEXEC) == 0);
	pid_t job = fork();
	if (job == 0) { /* the job that has the terminal */
		setpgid(0, 0);
		pause();
		_exit(0);
	}
	setpgid(job, job);
	signal(SIGTTOU, SIG_IGN);
	tcsetpgrp(STDIN_FILENO, job);
	signal(SIGTTOU, SIG_DFL);
	bench_start(&b);
	CHECK(!is_raw(STDIN_FILENO));
	CHECK(write_all(master, "not for us\n"));
	CHECK_EQ(say(&b, "out", 3), 3);
	char got[64];
	CHECK(read_all(master, got, 15) >= 15); /* the echo, and our output */
	CHECK_EQ(b.guest.len, 0);
	CHECK(!is_raw(STDIN_FILENO));
	signal(SIGTTOU, SIG_IGN);
	tcsetpgrp(STDIN_FILENO, getpgrp());
	signal(SIGTTOU, SIG_DFL);
	CHECK(WAIT_FOR(&b, b.guest.len > 0)); /* nobody took it */
	CHECK(is_raw(STDIN_FILENO));
	kill(job, SIGKILL);
	waitpid(job, NULL, 0);
	bench_stop(&b);
}

static void tty_that_blocks_does_not_block_the_loop(void)
{
	struct bench b;
	char text[10000] = {0};
	int master = become_tty_session();
	CHECK(master >= 0);
	bench_start(&b);
	tcflow(STDOUT_FILENO, TCOOFF);
	while (say(&b, text, sizeof(text)) == sizeof(text))
		;
	CHECK(write_all(master, "\x01x"));
	CHECK(WAIT_FOR(&b, b.guest.commands[TERMINAL_QUIT] == 1));
	tcflow(STDOUT_FILENO, TCOON);
	for (unsigned i = 0; i < 20 && !writables(&b); i++)
		read_all(master, text, 4096);
	CHECK(writables(&b) > 0);
	tcflow(STDOUT_FILENO, TCOOFF);
	bench_stop(&b);
}

/* Ends of the process: what the terminal looks like after a death by @how. */

static void die_by_exit(void)
{
	exit(7);
}

static void die_by_fault(void)
{
	volatile int *nowhere = (volatile int *)8;
	*nowhere = 1;
}

static void die_by_abort(void)
{
	abort();
}

static void die_by_signal(void)
{
	kill(getpid(), SIGQUIT);
	pause();
}

static void die_by_sigkill(void)
{
	kill(getpid(), SIGKILL);
}

static void check_death(void (*how)(void))
{
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* to wait for those that outlive it */
	int master = become_tty_session();
	CHECK(master >= 0);
	struct termios before, after;
	tcgetattr(STDIN_FILENO, &before);
	pid_t child = fork();
	if (child == 0) {
		static struct bench b; /* lives on at exit: nobody stops it */
		const int fatal[] = {SIGSEGV, SIGABRT, SIGQUIT};
		for (unsigned i = 0; i < 3; i++)
			signal(fatal[i], SIG_DFL);
		bench_start(&b);
		if (!is_raw(STDIN_FILENO))
			_exit(99);
		how();
		_exit(98);
	}
	int status;
	waitpid(child, &status, 0);
	while (waitpid(-1, NULL, 0) > 0)
		;
	tcgetattr(STDIN_FILENO, &after);
	CHECK_EQ(before.c_lflag, after.c_lflag);
	CHECK_EQ(before.c_oflag, after.c_oflag);
	if (how == die_by_exit)
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	if (how == die_by_fault)
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	if (how == die_by_abort)
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	if (how == die_by_signal)
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
	if (how == die_by_sigkill)
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void tty_restored_on_exit(void)
{
	check_death(die_by_exit);
}

static void tty_restored_on_a_fault(void)
{
	check_death(die_by_fault);
}

static void tty_restored_on_abort(void)
{
	check_death(die_by_abort);
}

static void tty_restored_on_sigquit(void)
{
	check_death(die_by_signal);
}

static void tty_restored_on_sigkill(void)
{
	check_death(die_by_sigkill);
}

/* Runs @fn in a child; CHECKs that failed there have been reported there. */
static void in_child(void (*fn)(void))
{
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		alarm(60);
		const struct test_case one = {"", fn};
		stdout = fopen("/dev/null", "w"); /* the verdict is not for the guest's console */
		_exit(test_run(&one, 1));
	}
	int status;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

#define IN_CHILD(fn)                         \
	static void test_terminal_##fn(void) \
	{                                    \
		in_child(fn);                \
	}

IN_CHILD(piped_bytes_are_not_interpreted)
IN_CHILD(output_reaches_a_pipe)
IN_CHILD(end_of_input_leaves_output_alive)
IN_CHILD(input_waits_while_the_guest_has_no_room)
IN_CHILD(input_survives_a_reset_of_the_machine)
IN_CHILD(file_input_arrives_whole)
IN_CHILD(closed_input_and_output_are_survived)
IN_CHILD(missing_descriptors_are_survived)
IN_CHILD(output_to_a_file_is_appended_in_place)
IN_CHILD(blocked_output_pushes_back_and_goes_on)
IN_CHILD(closed_reader_discards_output)
IN_CHILD(log_gets_everything_the_guest_prints)
IN_CHILD(log_on_a_full_disk_is_given_up)
IN_CHILD(log_that_cannot_be_opened_is_refused)
IN_CHILD(lines_are_told_without_their_ends)
IN_CHILD(tty_is_raw_while_it_runs)
IN_CHILD(tty_escape_key_works_even_when_the_guest_is_deaf)
IN_CHILD(tty_size_arrives_at_attach_and_when_it_changes)
IN_CHILD(tty_is_raw_again_after_a_stop)
IN_CHILD(tty_in_the_background_waits)
IN_CHILD(tty_that_blocks_does_not_block_the_loop)
IN_CHILD(tty_restored_on_exit)
IN_CHILD(tty_restored_on_a_fault)
IN_CHILD(tty_restored_on_abort)
IN_CHILD(tty_restored_on_sigquit)
IN_CHILD(tty_restored_on_sigkill)

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_terminal_piped_bytes_are_not_interpreted),
		TEST_CASE(test_terminal_output_reaches_a_pipe),
		TEST_CASE(test_terminal_end_of_input_leaves_output_alive),
		TEST_CASE(test_terminal_input_waits_while_the_guest_has_no_room),
		TEST_CASE(test_terminal_input_survives_a_reset_of_the_machine),
		TEST_CASE(test_terminal_file_input_arrives_whole),
		TEST_CASE(test_terminal_closed_input_and_output_are_survived),
		TEST_CASE(test_terminal_missing_descriptors_are_survived),
		TEST_CASE(test_terminal_output_to_a_file_is_appended_in_place),
		TEST_CASE(test_terminal_blocked_output_pushes_back_and_goes_on),
		TEST_CASE(test_terminal_closed_reader_discards_output),
		TEST_CASE(test_terminal_log_gets_everything_the_guest_prints),
		TEST_CASE(test_terminal_log_on_a_full_disk_is_given_up),
		TEST_CASE(test_terminal_log_that_cannot_be_opened_is_refused),
		TEST_CASE(test_terminal_lines_are_told_without_their_ends),
		TEST_CASE(test_terminal_tty_is_raw_while_it_runs),
		TEST_CASE(test_terminal_tty_escape_key_works_even_when_the_guest_is_deaf),
		TEST_CASE(test_terminal_tty_size_arrives_at_attach_and_when_it_changes),
		TEST_CASE(test_terminal_tty_is_raw_again_after_a_stop),
		TEST_CASE(test_terminal_tty_in_the_background_waits),
		TEST_CASE(test_terminal_tty_that_blocks_does_not_block_the_loop),
		TEST_CASE(test_terminal_tty_restored_on_exit),
		TEST_CASE(test_terminal_tty_restored_on_a_fault),
		TEST_CASE(test_terminal_tty_restored_on_abort),
		TEST_CASE(test_terminal_tty_restored_on_sigquit),
		TEST_CASE(test_terminal_tty_restored_on_sigkill),
	};
	return TEST_RUN(cases);
}
