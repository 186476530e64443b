/*
 * passt as a child process. It ends with us however we end: by the end of the stream on its socket,
 * of which nobody else has a copy; before it has looked at the socket, by the parent's death
 * signal, which the kernel forgets when passt changes its credentials.
 *
 * It serves us when it has read something from the socket: its ports are bound then, and it has
 * shut itself in its own namespaces. passt says nothing at that point and options that would make
 * it do so differ with its version, so a frame that it ignores is put there before it starts, and
 * the kernel tells when that is gone.
 */
#include "passt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <tinyvm/log.h>
#include <unistd.h>

/* What it takes to start is some 40 ms, much more in an emulated machine. */
#define START_MS 20000

/* What it takes to notice that its socket was closed, with data to send before. */
#define STOP_MS 1000

/* Descriptors that must not be in the way of 0 to PASST_FD. */
#define FD_HIGH 10

/* In the manner of shells. */
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND	    127

/* Lines that are no reason to end, with or without a syslog. */
static const char *const noise[] = {
	"Failed to send ",
	"Don't run as root",
	"Started as root",
};

static bool passt_is_noise(const char *line)
{
	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++) {
		if (strncmp(line, noise[i], strlen(noise[i])) == 0)
			return true;
	}
	return line[strspn(line, " ")] == '\0';
}

static void passt_end_line(struct passt *p, const char *id)
{
	p->line[p->line_len] = '\0';
	p->line_len = 0;
	if (passt_is_noise(p->line))
		return;
	log_debug("%s: passt: %s", id, p->line);
	if (p->is_settled)
		p->said[0] = '\0';
	size_t len = strlen(p->said);
	snprintf(p->said + len, sizeof(p->said) - len, "%s%s", len ? "; " : "", p->line);
}

bool passt_hear(struct passt *p, const char *id)
{
	char buf[1024];
	ssize_t n;
	do
		n = read(p->words, buf, sizeof(buf));
	while (n < 0 && errno == EINTR);
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n')
			passt_end_line(p, id);
		else if (p->line_len < sizeof(p->line) - 1) /* a longer one is cut off */
			p->line[p->line_len++] = buf[i] >= ' ' && buf[i] <= '~' ? buf[i] : ' ';
	}
	return n > 0 || (n < 0 && errno == EAGAIN);
}

/* Return: its wait status; -1: lost, since this process ignores SIGCHLD. */
static int passt_reap(struct passt *p)
{
	int status = 0;
	pid_t pid;
	do
		pid = waitpid(p->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	p->pid = 0;
	return pid < 0 ? -1 : status;
}

/* After its end: what is in the pipe now is all, since a child of its own may hold the pipe open.
 */
static void passt_hear_out(struct passt *p, const char *id)
{
	struct pollfd pfd = {.fd = p->words, .events = POLLIN};
	for (unsigned reads = 0; reads < 64; reads++) {
		if (poll(&pfd, 1, 0) <= 0 || !passt_hear(p, id))
			break;
	}
	if (p->line_len)
		passt_end_line(p, id);
}

void passt_bury(struct passt *p, const char *id, char *ret_how, size_t how_size)
{
	int status = passt_reap(p);
	passt_hear_out(p, id);
	if (status == -1)
		snprintf(ret_how, how_size, "%s", p->said[0] ? p->said : "it did not say why");
	else if (WIFSIGNALED(status))
		snprintf(ret_how, how_size, "killed by signal %d", WTERMSIG(status));
	else
		snprintf(ret_how, how_size, "exit status %d%s%s", WEXITSTATUS(status),
			 p->said[0] ? ": " : "", p->said);
}

static void passt_close(struct passt *p)
{
	if (p->pidfd >= 0)
		close(p->pidfd);
	if (p->words >= 0)
		close(p->words);
	p->pidfd = p->words = -1;
}

void passt_stop(struct passt *p)
{
	if (p->pid) {
		struct pollfd pfd = {.fd = p->pidfd, .events = POLLIN};
		if (p->pidfd < 0 || poll(&pfd, 1, STOP_MS) != 1)
			kill(p->pid, SIGKILL);
		passt_reap(p);
	}
	passt_close(p);
}

/*
 * The child, between fork() and exec. A session of its own keeps the terminal's Ctrl-C from it:
 * the guest's last words shall still get out.
 */
static _Noreturn void passt_exec(const char *const *argv, int sock, int words, pid_t parent)
{
	sigset_t none;
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);

	int null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(words, STDERR_FILENO) < 0 || dup2(sock, PASST_FD) < 0)
		_exit(EXIT_FAILURE);
	close_range(PASST_FD + 1, ~0U, 0);
	/* execvp()'s argv is not const for historical reasons only. */
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/* Return: 0, -errno; the ends stay the caller's. */
static int passt_fork(struct passt *p, const char *const *argv, int sock, int words)
{
	sigset_t all, old;
	pid_t parent = getpid();
	/* No handler of ours may run in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid_t pid = fork();
	int error = errno;
	if (pid == 0)
		passt_exec(argv, sock, words, parent);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return -error;
	p->pid = pid;
	p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return p->pidfd < 0 ? -errno : 0;
}

/* Out of the way of the descriptors that the child will have. Return: @fd's successor, -errno. */
static int passt_move_up(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
	int error = errno;
	close(fd);
	return high < 0 ? -error : high;
}

/* A frame from and to everybody, of a type for experiments, which nobody answers. */
static int passt_put_frame(int sock)
{
	uint8_t frame[4 + 60] = {0, 0, 0, 60};
	memset(frame + 4, 0xff, 12);
	frame[16] = 0x88;
	frame[17] = 0xb5;
	return send(sock, frame, sizeof(frame), MSG_NOSIGNAL) == sizeof(frame) ? 0 : -errno;
}

/* With its socket and pipe. Our ends are in *@ret_sock and @p, also after a failure. */
static int passt_spawn(struct passt *p, const char *const *argv, int *ret_sock)
{
	int pair[2], pipes[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return -errno;
	*ret_sock = pair[0];
	int ret = passt_put_frame(pair[0]);
	if (ret == 0 && pipe2(pipes, O_CLOEXEC) != 0)
		ret = -errno;
	if (ret != 0) {
		close(pair[1]);
		return ret;
	}
	p->words = pipes[0];
	int sock = passt_move_up(pair[1]), words = passt_move_up(pipes[1]);
	ret = sock < 0 ? sock : words < 0 ? words : 0;
	if (ret == 0 && fcntl(p->words, F_SETFL, O_NONBLOCK) != 0)
		ret = -errno;
	if (ret == 0)
		ret = passt_fork(p, argv, sock, words);
	if (sock >= 0)
		close(sock);
	if (words >= 0)
		close(words);
	return ret;
}

static int64_t passt_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* It has taken what was in the socket, and did not just close it. */
static bool passt_has_read(int sock)
{
	int left = 1;
	struct pollfd pfd = {.fd = sock};
	return ioctl(sock, SIOCOUTQ, &left) == 0 && left == 0 && poll(&pfd, 1, 0) == 0;
}

/* Return: 0: it serves; -EIO: it has ended; -ETIMEDOUT, -errno. */
static int passt_await(struct passt *p, int sock, int epoll)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = p->pidfd};
	int64_t end = passt_now_ms() + START_MS;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, p->pidfd, &ev) != 0)
		return -errno;
	ev = (struct epoll_event){.events = EPOLLIN, .data.fd = p->words};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, p->words, &ev) != 0)
		return -errno;
	/* The edge: the socket is writable all the time, and again when something was read. */
	ev = (struct epoll_event){.events = EPOLLOUT | EPOLLET, .data.fd = sock};
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, sock, &ev) != 0)
		return -errno;
	while (!passt_has_read(sock)) {
		int64_t left = end - passt_now_ms();
		int n = left > 0 ? epoll_wait(epoll, &ev, 1, (int)left) : 0;
		if (n == 0)
			return -ETIMEDOUT;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && ev.data.fd == p->pidfd)
			return -EIO;
		if (n > 0 && ev.data.fd == p->words && !passt_hear(p, "passt"))
			epoll_ctl(epoll, EPOLL_CTL_DEL, p->words, NULL);
	}
	return 0;
}

/* Why it ended before it began. */
static int passt_refuse(struct passt *p, struct err *err)
{
	int status = passt_reap(p);
	passt_hear_out(p, "passt");
	int code = status != -1 && WIFEXITED(status) && !p->said[0] ? WEXITSTATUS(status) : 0;
	if (code == EXIT_NOT_FOUND)
		return err_set(
			err, -ENOENT,
			"--net user: passt is not installed; install it with: apt-get install "
			"passt");
	if (code == EXIT_NOT_EXECUTABLE)
		return err_set(err, -EACCES, "--net user: the passt in PATH cannot be executed");
	if (status != -1 && WIFSIGNALED(status))
		return err_set(err, -EIO, "--net user: passt was killed by signal %d at its start",
			       WTERMSIG(status));
	return err_set(err, -EIO, "--net user: passt did not start: %s",
		       p->said[0] ? p->said : "it did not say why");
}

int passt_start(struct passt *p, const char *const *argv, int *ret_sock, struct err *err)
{
	int sock = -1;
	*p = (struct passt){.pidfd = -1, .words = -1};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int ret = epoll < 0 ? -errno : passt_spawn(p, argv, &sock);
	if (ret != 0) {
		err_set(err, ret, "--net user: cannot start passt: %s", strerror(-ret));
	} else {
		ret = passt_await(p, sock, epoll);
		if (ret == -EIO)
			ret = passt_refuse(p, err);
		else if (ret == -ETIMEDOUT)
			err_set(err, ret, "--net user: passt did not serve us within %u seconds",
				START_MS / 1000);
		else if (ret != 0)
			err_set(err, ret, "--net user: cannot wait for passt: %s", strerror(-ret));
	}
	if (epoll >= 0)
		close(epoll);
	if (ret != 0) {
		if (sock >= 0)
			close(sock);
		passt_stop(p);
		return ret;
	}
	p->is_settled = true;
	*ret_sock = sock;
	return 0;
}
