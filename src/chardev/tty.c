/*
 * Raw mode that never outlives the process.
 *
 * SIGINT, SIGTERM and SIGHUP end the machine in good order (src/machine), which ends here in
 * tty_restore(); exit() comes through atexit(); a crash through the handlers below, which restore
 * the terminal and hand on to whoever was to handle the signal before, as a rule the default
 * action. SIGKILL cannot be caught; the shell then brings its own modes.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <tinyvm/tty.h>
#include <unistd.h>

static const int crash_signals[] = {
	SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGQUIT,
};
#define CRASH_SIGNALS (sizeof(crash_signals) / sizeof(crash_signals[0]))

/*
 * What signal handlers and atexit() need to find without an argument. The one global state beside
 * the log level, for that reason; written by tty_raw() and tty_restore() only.
 */
static struct {
	volatile sig_atomic_t is_raw;
	bool is_hooked;
	bool is_at_exit;
	int fd;
	struct termios saved;
	struct sigaction before[CRASH_SIGNALS];
} rescue;

bool tty_is_foreground(int fd)
{
	pid_t pgrp = tcgetpgrp(fd);
	return pgrp < 0 || pgrp == getpgrp();
}

/* Async-signal-safe. */
static void tty_rescue(void)
{
	if (!rescue.is_raw)
		return;
	rescue.is_raw = 0;
	/* In the background the terminal is the shell's already, and touching it would stop us. */
	if (tty_is_foreground(rescue.fd))
		tcsetattr(rescue.fd, TCSANOW, &rescue.saved);
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

int tty_raw(int fd)
{
	if (!tty_is_foreground(fd))
		return -EAGAIN;
	if (!rescue.is_raw) {
		if (tcgetattr(fd, &rescue.saved) != 0)
			return -errno;
		rescue.fd = fd;
		tty_hook();
		rescue.is_raw = 1;
	}
	struct termios raw = rescue.saved;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return tcsetattr(fd, TCSANOW, &raw) == 0 ? 0 : -errno;
}

void tty_restore(void)
{
	tty_rescue();
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
