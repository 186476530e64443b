/*
 * Raw mode that never outlives the process.
 *
 * SIGINT, SIGTERM and SIGHUP end the machine in good order (src/machine), which ends here in
 * tty_restore(); exit() comes through atexit(); a crash through the handlers below, which restore
 * the terminal and hand on to whoever was to handle the signal before, as a rule the default
 * action. SIGKILL cannot be caught: for that there is a second process, which waits for the first
 * one's end and then restores what is still as it was left. Many shells do so, too; not all.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <tinyvm/tty.h>
#include <unistd.h>

static const int crash_signals[] = {
	SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGQUIT,
};
#define CRASH_SIGNALS (sizeof(crash_signals) / sizeof(crash_signals[0]))

#define FAREWELL_MAX 256

/*
 * What signal handlers and atexit() need to find without an argument. The one global state beside
 * the log level, for that reason; written by the functions of tty.h only.
 */
static struct {
	volatile sig_atomic_t is_raw;
	volatile sig_atomic_t farewell_len;
	char farewell[FAREWELL_MAX];
	volatile sig_atomic_t is_holding;
	int held; /* what standard error is in place of @messages */
	int messages;
	bool is_hooked;
	bool is_at_exit;
	int fd;
	struct termios saved, raw;
	pid_t guard;
	int guard_pipe; /* ends with this process */
	struct sigaction before[CRASH_SIGNALS];
} rescue;

bool tty_is_foreground(int fd)
{
	pid_t pgrp = tcgetpgrp(fd);
	return pgrp < 0 || pgrp == getpgrp();
}

/* Async-signal-safe. What a stuck terminal does not take is lost: nobody can wait for it here. */
static void tty_say_farewell(int fd)
{
	size_t len = (size_t)rescue.farewell_len;
	rescue.farewell_len = 0;
	/* A terminal that was opened to be read only is standard output, too, or has no picture. */
	if (len && write(fd, rescue.farewell, len) < 0 &&
	    write(STDOUT_FILENO, rescue.farewell, len) < 0)
		return;
}

/* Async-signal-safe. */
static void tty_release_messages(void)
{
	char buf[512];
	ssize_t n;
	off_t at = 0;
	if (!rescue.is_holding)
		return;
	rescue.is_holding = 0;
	dup2(rescue.messages, STDERR_FILENO);
	for (; (n = pread(rescue.held, buf, sizeof(buf), at)) > 0; at += n)
		if (write(STDERR_FILENO, buf, (size_t)n) != n)
			break;
	close(rescue.messages);
	close(rescue.held);
}

/* Async-signal-safe. */
static void tty_rescue(void)
{
	/* In the background the terminal is the shell's already, and touching it would stop us. */
	if (rescue.is_raw && tty_is_foreground(rescue.fd)) {
		tty_say_farewell(rescue.fd);
		tcsetattr(rescue.fd, TCSANOW, &rescue.saved);
	}
	rescue.is_raw = 0;
	tty_release_messages();
}

static void tty_crashed(int signo, siginfo_t *info, void *context)
{
	(void)context;
	int error = errno;
	tty_rescue();
	for (unsigned i = 0; i < CRASH_SIGNALS; i++) {
		if (crash_signals[i] == signo)
			sigaction(signo, &rescue.before[i], NULL);
	}
	/* A fault happens again on return, with its own siginfo; everything else has to be resent.
	 */
	bool is_fault = signo == SIGSEGV || signo == SIGBUS || signo == SIGFPE || signo == SIGILL;
	if (!is_fault || info->si_code <= 0)
		raise(signo);
	errno = error;
}

static void tty_hook(void)
{
	/* atexit() has no undo: the function stays, and does nothing after tty_restore(). */
	if (!rescue.is_at_exit)
		rescue.is_at_exit = atexit(tty_rescue) == 0;
	if (rescue.is_hooked)
		return;
	struct sigaction sa = {.sa_sigaction = tty_crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigfillset(&sa.sa_mask);
	for (unsigned i = 0; i < CRASH_SIGNALS; i++)
		sigaction(crash_signals[i], &sa, &rescue.before[i]);
	rescue.is_hooked = true;
}

/* Somebody who came after us may have set modes of his own by now: these stay. */
static bool tty_is_still_raw(int fd)
{
	struct termios now;
	return tcgetattr(fd, &now) == 0 && now.c_iflag == rescue.raw.c_iflag &&
	       now.c_oflag == rescue.raw.c_oflag && now.c_lflag == rescue.raw.c_lflag;
}

/*
 * The guard: a copy of a process that may have threads, so it calls only what a signal handler may.
 * It keeps nothing of it but the terminal and the end of the pipe, both at numbers that are kept.
 */
__attribute__((noreturn)) static void tty_guard(int tty, int pipe)
{
	sigset_t all;
	char byte;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL); /* SIGTTOU, too */
	setpgid(0, 0);
	prctl(PR_SET_NAME, "tinyvm-tty");
	dup2(tty, STDIN_FILENO);
	dup2(pipe, STDOUT_FILENO);
	close_range(STDERR_FILENO, ~0u, 0);
	while (read(STDOUT_FILENO, &byte, 1) < 0 && errno == EINTR)
		;
	if (tty_is_still_raw(STDIN_FILENO)) {
		tty_say_farewell(STDIN_FILENO);
		tcsetattr(STDIN_FILENO, TCSANOW, &rescue.saved);
	}
	_exit(0);
}

/* Without one the terminal is only as safe as it can be made from here. */
static void tty_start_guard(void)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return;
	int tty = fcntl(rescue.fd, F_DUPFD_CLOEXEC, 3), end = fcntl(ends[0], F_DUPFD_CLOEXEC, 3);
	rescue.guard = tty >= 0 && end >= 0 ? fork() : -1;
	if (rescue.guard == 0)
		tty_guard(tty, end);
	if (tty >= 0)
		close(tty);
	if (end >= 0)
		close(end);
	close(ends[0]);
	rescue.guard_pipe = ends[1];
	if (rescue.guard < 0)
		close(ends[1]);
}

static void tty_end_guard(void)
{
	if (rescue.guard <= 0)
		return;
	close(rescue.guard_pipe);
	while (waitpid(rescue.guard, NULL, 0) < 0 && errno == EINTR)
		;
	rescue.guard = 0;
}

void tty_set_farewell(const void *bytes, size_t len)
{
	rescue.farewell_len = 0;
	if (!len || len > FAREWELL_MAX)
		return;
	memcpy(rescue.farewell, bytes, len);
	rescue.farewell_len = (sig_atomic_t)len;
}

int tty_hold_messages(void)
{
	if (rescue.is_holding || !isatty(STDERR_FILENO))
		return -1;
	rescue.held = memfd_create("messages", MFD_CLOEXEC);
	rescue.messages = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	/* Several write to it, as to a terminal. */
	if (rescue.held < 0 || rescue.messages < 0 || fcntl(rescue.held, F_SETFL, O_APPEND) != 0 ||
	    dup2(rescue.held, STDERR_FILENO) < 0) {
		if (rescue.held >= 0)
			close(rescue.held);
		if (rescue.messages >= 0)
			close(rescue.messages);
		return -1;
	}
	rescue.is_holding = 1;
	return rescue.held;
}

/* @keep: flags of c_lflag that stay. */
static int tty_set_raw(int fd, tcflag_t keep)
{
	if (!tty_is_foreground(fd))
		return -EAGAIN;
	if (!rescue.is_raw) {
		if (tcgetattr(fd, &rescue.saved) != 0)
			return -errno;
		rescue.fd = fd;
		rescue.raw = rescue.saved;
		cfmakeraw(&rescue.raw);
		rescue.raw.c_cc[VMIN] = 1;
		rescue.raw.c_cc[VTIME] = 0;
		rescue.raw.c_lflag |= rescue.saved.c_lflag & keep;
		tty_hook();
		if (rescue.guard <= 0)
			tty_start_guard();
		rescue.is_raw = 1;
	}
	return tcsetattr(fd, TCSANOW, &rescue.raw) == 0 ? 0 : -errno;
}

int tty_raw(int fd)
{
	return tty_set_raw(fd, 0);
}

int tty_raw_output(int fd)
{
	return tty_set_raw(fd, ISIG);
}

void tty_restore(void)
{
	tty_rescue();
	tty_end_guard();
	for (unsigned i = 0; rescue.is_hooked && i < CRASH_SIGNALS; i++)
		sigaction(crash_signals[i], &rescue.before[i], NULL);
	rescue.is_hooked = false;
}

int tty_size(int fd, uint16_t *ret_cols, uint16_t *ret_rows)
{
	struct winsize size;
	if (ioctl(fd, TIOCGWINSZ, &size) != 0)
		return -errno;
	if (!size.ws_col || !size.ws_row)
		return -ENODATA;
	*ret_cols = size.ws_col;
	*ret_rows = size.ws_row;
	return 0;
}
