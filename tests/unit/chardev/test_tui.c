/*
 * The screen on pseudo-terminals, pipes and files.
 *
 * Each case runs the machine's side in a child process, with standard input and output of its own.
 * The child shows the keys that it was sent as text on its screen; this side plays the user.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/tui.h>
#include <unistd.h>

#define PATIENCE_MS 20000

/**
 * struct guest - the child's machine
 * @room: for so many keys
 */
static struct guest {
	struct evloop *loop;
	struct tui *tui;
	size_t room;
	char line[2000];
	size_t len;
} guest;

static void guest_take(void *ctx, struct screen *screen)
{
	const char *end = "corner";
	(void)ctx;
	screen->kind = SCREEN_TEXT;
	screen->cols = 80;
	screen->rows = 25;
	screen->glyph_height = 16;
	screen->is_cursor_visible = true;
	screen->palette[7] = 0xaaaaaa;
	screen->palette[4] = 0xaa0000;
	for (unsigned i = 0; i < 80 * 25; i++)
		screen->cell[i] = 0x0720;
	for (size_t i = 0; i < guest.len && i < 80 * 20; i++)
		screen->cell[i] = (uint16_t)(0x0700 | guest.line[i]);
	for (unsigned i = 0; end[i]; i++)
		screen->cell[80 * 25 - 8 + i] = (uint16_t)(0x4700 | end[i]);
}

static size_t guest_room(void *ctx)
{
	(void)ctx;
	return guest.room;
}

static void guest_key(void *ctx, uint16_t code, bool is_down)
{
	(void)ctx;
	if (is_down && code == 0x44)
		dprintf(STDERR_FILENO, "tinyvm: one thing\ntinyvm: another thing\n");
	if (is_down && guest.len < sizeof(guest.line) - 8)
		guest.len += (size_t)sprintf(guest.line + guest.len, "<%x>", code);
}

static void guest_command(void *ctx, enum tui_command command)
{
	(void)ctx;
	if (command == TUI_QUIT)
		evloop_stop(guest.loop);
	else
		tui_notice(guest.tui, command == TUI_SCREENSHOT ? "PICTURE" : "button!");
}

/* The child: with @room, until Ctrl-A x or a signal. */
static void guest_run(size_t room)
{
	const struct tui_config cfg = {
		.source = {.take = guest_take},
		.room = guest_room,
		.key = guest_key,
		.command = guest_command,
		.title = "test",
	};
	struct err err = {0};

	guest.room = room;
	if (evloop_create(&guest.loop) != 0)
		_exit(2);
	if (tui_create(&guest.tui, guest.loop, &cfg, &err) != 0) {
		dprintf(STDERR_FILENO, "%s", err.msg);
		_exit(3);
	}
	evloop_run(guest.loop);
	tui_destroy(guest.tui);
	evloop_destroy(guest.loop);
	exit(0);
}

/**
 * struct user - this side
 * @tty:   the pseudo-terminal's master
 * @pid:   the one with the screen
 * @shell: its parent, which has the session: when that ends, the kernel takes the terminal away
 * @slave: the other end, as the user's shell has it
 * @seen:  what came, from @at on not looked at
 */
static struct user {
	pid_t pid, shell;
	int tty, slave;
	struct termios modes;
	char seen[1 << 20];
	size_t len, at;
} user;

static void user_open_tty(unsigned short cols, unsigned short rows)
{
	struct winsize size = {.ws_col = cols, .ws_row = rows};
	memset(&user, 0, sizeof(user));
	user.tty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (user.tty < 0 || grantpt(user.tty) != 0 || unlockpt(user.tty) != 0)
		abort();
	user.slave = open(ptsname(user.tty), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (user.slave < 0 || ioctl(user.slave, TIOCSWINSZ, &size) != 0)
		abort();
	tcgetattr(user.slave, &user.modes);
}

/* Ends as its child does; stays when that was killed. */
static void user_be_shell(pid_t child, int born)
{
	int status;
	if (write(born, &child, sizeof(child)) != sizeof(child))
		_exit(99);
	close(user.slave);
	signal(SIGQUIT, SIG_IGN);
	while (waitpid(child, &status, 0) != child)
		;
	while (WIFSIGNALED(status))
		pause();
	_exit(WEXITSTATUS(status));
}

/* -1 for @in or @out: the terminal. */
static void user_start(const char *term, size_t room, int in, int out)
{
	int born[2];
	fflush(stdout);
	if (pipe2(born, O_CLOEXEC) != 0)
		abort();
	user.shell = fork();
	if (user.shell != 0) {
		close(born[1]);
		if (read(born[0], &user.pid, sizeof(user.pid)) != sizeof(user.pid))
			abort();
		close(born[0]);
		return;
	}
	close(user.tty);
	setsid();
	ioctl(user.slave, TIOCSCTTY, 0);
	pid_t pid = fork();
	if (pid != 0)
		user_be_shell(pid, born[1]);
	dup2(in < 0 ? user.slave : in, STDIN_FILENO);
	dup2(out < 0 ? user.slave : out, STDOUT_FILENO);
	setenv("TERM", term, 1);
	unsetenv("LC_ALL");
	unsetenv("LANG");
	unsetenv("LC_CTYPE");
	guest_run(room);
}

static void user_end(void)
{
	if (user.shell > 0) {
		kill(user.pid, SIGKILL);
		kill(user.shell, SIGKILL);
		waitpid(user.shell, NULL, 0);
	}
	close(user.tty);
	close(user.slave);
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until @text comes behind what was found last. */
static bool user_sees(const char *text)
{
	int64_t give_up = now_ms() + PATIENCE_MS;
	for (;;) {
		char *found = memmem(user.seen + user.at, user.len - user.at, text, strlen(text));
		if (found) {
			user.at = (size_t)(found - user.seen) + strlen(text);
			return true;
		}
		struct pollfd pfd = {.fd = user.tty, .events = POLLIN};
		if (now_ms() > give_up || user.len == sizeof(user.seen))
			break;
		if (poll(&pfd, 1, 100) <= 0)
			continue;
		ssize_t n = read(user.tty, user.seen + user.len, sizeof(user.seen) - user.len);
		if (n <= 0)
			break;
		user.len += (size_t)n;
	}
	return false;
}

static void user_types(const char *text)
{
	if (write(user.tty, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
}

/* The child's wait status. */
static int user_waits(void)
{
	int status = -1;
	for (int64_t give_up = now_ms() + PATIENCE_MS; now_ms() < give_up; usleep(10000)) {
		char buf[4096];
		struct pollfd pfd = {.fd = user.tty, .events = POLLIN};
		if (poll(&pfd, 1, 0) > 0 && read(user.tty, buf, 0) == 0) {
			ssize_t n =
				read(user.tty, user.seen + user.len, sizeof(user.seen) - user.len);
			user.len += n > 0 ? (size_t)n : 0;
		}
		if (waitpid(user.shell, &status, WNOHANG) == user.shell) {
			user.shell = 0;
			return status;
		}
	}
	return -1;
}

static bool user_has_modes_back(void)
{
	struct termios now;
	tcgetattr(user.slave, &now);
	return now.c_lflag == user.modes.c_lflag && now.c_iflag == user.modes.c_iflag &&
	       now.c_oflag == user.modes.c_oflag;
}

static void test_screen_and_keys_body(void)
{
	struct termios now;
	user_start("xterm-256color", 100, -1, -1);
	CHECK(user_sees("\033[?1049h"));
	CHECK(user_sees("corner"));
	tcgetattr(user.slave, &now);
	CHECK(!(now.c_lflag & (ICANON | ISIG | ECHO)));
	user_types("a");
	CHECK(user_sees("<1e>"));
	user_types("\033[15~");
	CHECK(user_sees("<3f>"));
	user_types("\003"); /* Ctrl-C is the guest's */
	CHECK(user_sees("<1d><2e>"));
	user_types("\033"); /* with time, Esc itself */
	CHECK(user_sees("<1>"));
	user_types("\033x");
	CHECK(user_sees("<38><2d>"));
	user_types("\001x");
	CHECK_EQ(user_waits(), 0);
	CHECK(user_sees("\033[?1049l"));
	CHECK(user_has_modes_back());
}

static void test_commands_body(void)
{
	user_start("xterm-256color", 100, -1, -1);
	CHECK(user_sees("corner"));
	user_types("\001");
	CHECK(user_sees("x quit"));
	user_types("\001");
	CHECK(user_sees("<1d><1e>"));
	user_types("\001s");
	CHECK(user_sees("PICTURE"));
	user_types("\001c");
	CHECK(user_sees("button!"));
	user_types("\001d");
	CHECK(user_sees("<1d><38><e053>"));
	user_types("\0010");
	CHECK(user_sees("<44>"));
	user_types("\001mx");
	CHECK(user_sees("<38><2d>"));
	user_types("\001h");
	CHECK(user_sees("F1 to F12"));
	user_types("\001z");
	CHECK(user_sees("shows the keys"));
}

static void test_sizes_body(void)
{
	struct winsize size = {.ws_col = 100, .ws_row = 40};
	user_start("xterm-256color", 100, -1, -1);
	CHECK(user_sees("\033[H\033[2J"));
	ioctl(user.tty, TIOCSWINSZ, &size); /* the kernel signals it */
	CHECK(user_sees("corner"));
	size.ws_row = 5;
	ioctl(user.tty, TIOCSWINSZ, &size);
	CHECK(user_sees("\033[H\033[2J"));
	user_types("b");
	CHECK(user_sees("<30>"));
}

static void test_messages_wait_body(void)
{
	int kept = dup(STDERR_FILENO);
	dup2(user.slave, STDERR_FILENO);
	user_start("xterm-256color", 100, -1, -1);
	dup2(kept, STDERR_FILENO);
	close(kept);
	CHECK(user_sees("corner"));
	user_types("\033[21~");
	CHECK(user_sees("tinyvm: another thing"));
	CHECK(!memmem(user.seen, user.len, "one thing", 9));
	user_types("\001x");
	CHECK_EQ(user_waits(), 0);
	CHECK(user_sees("\033[?1049l"));
	CHECK(user_sees("tinyvm: one thing\r\ntinyvm: another thing\r\n"));
}

static void test_monochrome_body(void)
{
	user_start("vt100", 100, -1, -1);
	CHECK(user_sees("corner"));
	CHECK(!memmem(user.seen, user.len, "\033[3", 3)); /* no colour */
	user_types("\001x");
	CHECK_EQ(user_waits(), 0);
	CHECK(user_has_modes_back());
}

static void test_an_unknown_terminal_body(void)
{
	int ends[2];
	char sentence[300] = "";
	if (pipe(ends) != 0)
		abort();
	int kept = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	user_start("no-such-terminal", 100, -1, -1);
	dup2(kept, STDERR_FILENO);
	close(kept);
	close(ends[1]);
	CHECK_EQ(user_waits(), 3 << 8);
	CHECK(read(ends[0], sentence, sizeof(sentence) - 1) > 0);
	close(ends[0]);
	CHECK_STR(sentence, "the terminal TERM=no-such-terminal is unknown here; set TERM to one "
			    "that is known, such as xterm-256color, or use --console serial");
	CHECK(user_has_modes_back());
}

static void test_the_terminal_comes_back_from(int signo)
{
	user_start("xterm-256color", 100, -1, -1);
	CHECK(user_sees("corner"));
	kill(user.pid, signo);
	CHECK(user_sees("\033[?1049l"));
	for (int64_t give_up = now_ms() + PATIENCE_MS; !user_has_modes_back(); usleep(1000))
		CHECK(now_ms() < give_up);
}

static void test_the_terminal_comes_back_after_a_crash_body(void)
{
	test_the_terminal_comes_back_from(SIGQUIT);
}

static void test_the_terminal_comes_back_after_a_kill_body(void)
{
	test_the_terminal_comes_back_from(SIGKILL);
}

static void test_a_pipe_is_typed_body(void)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		abort();
	user_start("xterm-256color", 100, ends[0], -1);
	close(ends[0]);
	CHECK(user_sees("corner"));
	CHECK(write(ends[1], "a\001x\n", 4) == 4); /* no escape key here */
	CHECK(user_sees("<1e><1d><1e><2d><1c>"));
	close(ends[1]);
	/* Ctrl-C still reaches the process. */
	struct termios now;
	tcgetattr(user.slave, &now);
	CHECK(now.c_lflag & ISIG);
	CHECK(!(now.c_oflag & OPOST));
}

static void test_a_file_is_typed_body(void)
{
	char path[] = "/tmp/test_tui.XXXXXX";
	int file = mkstemp(path);
	unlink(path);
	CHECK(file >= 0 && write(file, "ab", 2) == 2 && lseek(file, 0, SEEK_SET) == 0);
	user_start("xterm-256color", 100, file, -1);
	close(file);
	CHECK(user_sees("<1e><30>"));
}

static void test_a_guest_that_reads_no_keys_body(void)
{
	user_start("xterm-256color", 0, -1, -1);
	CHECK(user_sees("corner"));
	user_types("abc\001x");
	CHECK_EQ(user_waits(), 0);
	CHECK(!memmem(user.seen, user.len, "<1e>", 4));
}

static void test_nothing_is_drawn_on_a_file_body(void)
{
	char path[] = "/tmp/test_tui.XXXXXX";
	int file = mkstemp(path);
	unlink(path);
	CHECK(file >= 0);
	user_start("", 100, -1, file);
	struct termios now;
	int64_t give_up = now_ms() + PATIENCE_MS;
	do {
		CHECK(now_ms() < give_up);
		tcgetattr(user.slave, &now);
	} while (now.c_lflag & ICANON);
	user_types("a\001x");
	CHECK_EQ(user_waits(), 0);
	CHECK_EQ(lseek(file, 0, SEEK_END), 0);
	close(file);
	CHECK(user_has_modes_back());
}

#define ON_A_TERMINAL(name)            \
	static void name(void)         \
	{                              \
		user_open_tty(80, 25); \
		name##_body();         \
		user_end();            \
	}

ON_A_TERMINAL(test_screen_and_keys)
ON_A_TERMINAL(test_commands)
ON_A_TERMINAL(test_sizes)
ON_A_TERMINAL(test_messages_wait)
ON_A_TERMINAL(test_monochrome)
ON_A_TERMINAL(test_an_unknown_terminal)
ON_A_TERMINAL(test_the_terminal_comes_back_after_a_crash)
ON_A_TERMINAL(test_the_terminal_comes_back_after_a_kill)
ON_A_TERMINAL(test_a_pipe_is_typed)
ON_A_TERMINAL(test_a_file_is_typed)
ON_A_TERMINAL(test_a_guest_that_reads_no_keys)
ON_A_TERMINAL(test_nothing_is_drawn_on_a_file)

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_screen_and_keys),
		TEST_CASE(test_commands),
		TEST_CASE(test_sizes),
		TEST_CASE(test_messages_wait),
		TEST_CASE(test_monochrome),
		TEST_CASE(test_an_unknown_terminal),
		TEST_CASE(test_the_terminal_comes_back_after_a_crash),
		TEST_CASE(test_the_terminal_comes_back_after_a_kill),
		TEST_CASE(test_a_pipe_is_typed),
		TEST_CASE(test_a_file_is_typed),
		TEST_CASE(test_a_guest_that_reads_no_keys),
		TEST_CASE(test_nothing_is_drawn_on_a_file),
	};
	return TEST_RUN(cases);
}
