/*
 * The relay between the two sides of the lab: it carries one command, its standard streams and
 * its exit status over a virtio serial port.
 *
 *   relay host BOOT_S LIMIT_S USER OUT LOG COUNT QEMU-ARG... COMMAND [ARG...]
 *	Runs QEMU (COUNT words, its output to LOG) with one end of a socket pair as descriptor 3,
 *	which QEMU makes the serial port. Once the other side says hello, within BOOT_S seconds,
 *	sends it the command with this process's environment and working directory, to be run as
 *	USER ("" for root), with the 9p share "out" mounted at OUT ("" for none). Exits with the
 *	command's status, 128+n when signal n ended it, 124 when it ran for more than LIMIT_S
 *	seconds, and 123 when the lab failed.
 *   relay guest PORT
 *	The other side: the lab's first process.
 *   relay as USER COMMAND [ARG...]
 *	Runs COMMAND as USER, as the guest side would.
 *   relay tsc
 *	Prints the rate of this machine's time stamp counter, in kHz.
 *
 * The protocol is a stream of frames in both directions: a type byte, a length in four bytes of
 * little-endian, that many bytes. Types below. Left out on purpose: terminals (a command under
 * test makes its own) and signals (ending the host side ends the lab).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	FRAME_HELLO = 'h',  /* guest: ready for a command */
	FRAME_RUN = 'r',    /* host: the command, NUL-terminated strings, see send_command() */
	FRAME_STDIN = 'i',  /* host: a piece of standard input, empty at its end */
	FRAME_STDOUT = 'o', /* guest: a piece of standard output */
	FRAME_STDERR = 'e', /* guest: a piece of standard error */
	FRAME_STATUS = 'x', /* guest: one byte, the exit status; the last frame */
};

enum {
	HEADER_BYTES = 5,
	PIECE_BYTES = 16384,
	RUN_BYTES_MAX = 8 << 20, /* more than ARG_MAX lets through */
	STATUS_TIMEOUT = 124,
	STATUS_LAB_FAILED = 123,
};

extern char **environ;

static volatile sig_atomic_t caught_signal;

static void handle_signal(int signo)
{
	caught_signal = signo;
}

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("lab: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(STATUS_LAB_FAILED);
}

/* Writes all of @len bytes; returns false on an error, or when a signal was caught. */
static bool write_all(int fd, const void *buf, size_t len)
{
	const uint8_t *at = buf;

	while (len) {
		ssize_t done = write(fd, at, len);

		if (done < 0 && errno == EINTR && !caught_signal)
			continue;
		if (done < 0)
			return false;
		at += done;
		len -= (size_t)done;
	}
	return true;
}

/* Reads exactly @len bytes; returns false on an error, at the end, or when a signal was caught. */
static bool read_all(int fd, void *buf, size_t len)
{
	uint8_t *at = buf;

	while (len) {
		ssize_t done = read(fd, at, len);

		if (done < 0 && errno == EINTR && !caught_signal)
			continue;
		if (done <= 0)
			return false;
		at += done;
		len -= (size_t)done;
	}
	return true;
}

static bool send_frame(int fd, uint8_t type, const void *buf, size_t len)
{
	uint8_t frame[HEADER_BYTES + PIECE_BYTES];
	size_t first = len < PIECE_BYTES ? len : PIECE_BYTES;

	frame[0] = type;
	for (int i = 0; i < 4; i++)
		frame[1 + i] = (uint8_t)(len >> (8 * i));
	memcpy(frame + HEADER_BYTES, buf, first);
	return write_all(fd, frame, HEADER_BYTES + first) &&
	       write_all(fd, (const uint8_t *)buf + first, len - first);
}

static bool read_header(int fd, uint8_t *ret_type, size_t *ret_len)
{
	uint8_t header[HEADER_BYTES];

	if (!read_all(fd, header, sizeof(header)))
		return false;
	*ret_type = header[0];
	*ret_len = header[1] | (size_t)header[2] << 8 | (size_t)header[3] << 16 |
		   (size_t)header[4] << 24;
	return true;
}

/* ---- both sides: becoming the user ---- */

static void set_home(const char *name, const char *home)
{
	setenv("HOME", home, 1);
	setenv("USER", name, 1);
	setenv("LOGNAME", name, 1);
}

/* Becomes @user, a name or a number, with that user's groups and kvm. */
static void become_user(const char *user)
{
	char *end;
	unsigned long uid = strtoul(user, &end, 10);
	struct passwd *pw = *user && !*end ? getpwuid((uid_t)uid) : getpwnam(user);
	struct group *kvm = getgrnam("kvm");
	gid_t groups[64], gid = pw ? pw->pw_gid : (gid_t)uid;
	int n = 63;

	if (!pw && (*end || !*user))
		fail("there is no user %s", user);
	if (pw)
		uid = pw->pw_uid;
	if (!pw || getgrouplist(pw->pw_name, gid, groups, &n) < 0) {
		groups[0] = gid;
		n = 1;
	}
	if (kvm)
		groups[n++] = kvm->gr_gid;
	if (setgroups((size_t)n, groups) || setgid(gid) || setuid((uid_t)uid))
		fail("cannot become user %s: %s", user, strerror(errno));
	set_home(pw ? pw->pw_name : user, pw ? pw->pw_dir : "/");
}

__attribute__((noreturn)) static void exec_command(char **argv)
{
	execvp(argv[0], argv);
	fprintf(stderr, "lab: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* ---- the host's side ---- */

struct host {
	int port; /* the socket that is QEMU's serial port */
	pid_t qemu;
	bool is_stdin_open;
	uint8_t out[HEADER_BYTES + PIECE_BYTES]; /* a frame of standard input on its way */
	size_t out_len, out_at;
};

static void set_signal(int signo, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};

	sigaction(signo, &action, NULL);
}

/* Has SIGALRM sent in @seconds, and every second from then on: a wait that had just begun too. */
static void set_limit(unsigned int seconds)
{
	static bool is_made;
	static timer_t timer;
	struct itimerspec when = {.it_value.tv_sec = seconds, .it_interval.tv_sec = 1};

	if (!is_made && timer_create(CLOCK_MONOTONIC, NULL, &timer))
		fail("no timer: %s", strerror(errno));
	is_made = true;
	timer_settime(timer, 0, &when, NULL);
}

static void start_qemu(struct host *host, char **argv, const char *log)
{
	int pair[2];
	pid_t parent = getpid();

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		fail("no socket: %s", strerror(errno));
	host->qemu = fork();
	if (host->qemu < 0)
		fail("cannot fork: %s", strerror(errno));
	if (!host->qemu) {
		int null = open("/dev/null", O_RDWR);
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(STATUS_LAB_FAILED);
		if (null < 0 || fd < 0)
			fail("cannot open %s: %s", log, strerror(errno));
		/* All three out of the way of 0 to 3 first, which any may have. */
		null = fcntl(null, F_DUPFD_CLOEXEC, 4);
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 4);
		pair[1] = fcntl(pair[1], F_DUPFD_CLOEXEC, 4);
		if (dup2(null, 0) < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || dup2(pair[1], 3) < 0)
			fail("cannot give QEMU its descriptors: %s", strerror(errno));
		execvp(argv[0], argv);
		exec_command(argv);
	}
	close(pair[1]);
	host->port = pair[0];
}

static void stop_qemu(struct host *host)
{
	kill(host->qemu, SIGKILL);
	waitpid(host->qemu, NULL, 0);
}

static char *append_string(char *at, const char *string)
{
	return stpcpy(at, string) + 1;
}

/* Sends the command: user, out, directory, number of words, words, environment. */
static void send_command(struct host *host, const char *user, const char *out, char **argv)
{
	char *buf = malloc(RUN_BYTES_MAX), *at = buf, *cwd = getcwd(NULL, 0);
	size_t len = 0;
	int n = 0;

	if (!buf || !cwd)
		fail("cannot tell the working directory: %s", strerror(errno));
	for (char **word = argv; *word; word++, n++)
		len += strlen(*word) + 1;
	for (char **word = environ; *word; word++)
		len += strlen(*word) + 1;
	if (len + strlen(user) + strlen(out) + strlen(cwd) + 32 > RUN_BYTES_MAX)
		fail("the command and its environment are too long");
	at = append_string(at, user);
	at = append_string(at, out);
	at = append_string(at, cwd);
	at += sprintf(at, "%d", n) + 1;
	for (char **word = argv; *word; word++)
		at = append_string(at, *word);
	for (char **word = environ; *word; word++)
		at = append_string(at, *word);
	send_frame(host->port, FRAME_RUN, buf, (size_t)(at - buf));
	free(buf);
	free(cwd);
}

static void read_stdin(struct host *host)
{
	ssize_t len = read(0, host->out + HEADER_BYTES, PIECE_BYTES);

	if (len < 0 && errno == EINTR)
		return;
	if (len < 0)
		len = 0;
	host->is_stdin_open = len > 0;
	host->out[0] = FRAME_STDIN;
	for (int i = 0; i < 4; i++)
		host->out[1 + i] = (uint8_t)((size_t)len >> (8 * i));
	host->out_len = HEADER_BYTES + (size_t)len;
	host->out_at = 0;
}

static void write_stdin(struct host *host)
{
	ssize_t done = send(host->port, host->out + host->out_at, host->out_len - host->out_at,
			    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (done > 0)
		host->out_at += (size_t)done;
	if (host->out_at == host->out_len)
		host->out_at = host->out_len = 0;
}

/* Takes one frame; returns the command's exit status when it was that, -1 when more are to
 * come, -2 when the lab is gone. */
static int take_frame(struct host *host)
{
	uint8_t type, buf[PIECE_BYTES];
	size_t len;

	if (!read_header(host->port, &type, &len) || len > sizeof(buf) ||
	    !read_all(host->port, buf, len))
		return -2;
	switch (type) {
	case FRAME_HELLO:
		return -1;
	case FRAME_STDOUT:
	case FRAME_STDERR:
		if (write_all(type == FRAME_STDOUT ? 1 : 2, buf, len))
			return -1;
		fprintf(stderr, "lab: cannot write the command's output: %s\n", strerror(errno));
		return -2;
	case FRAME_STATUS:
		return len == 1 ? buf[0] : -2;
	default:
		return -2;
	}
}

/* Carries the streams until the command ends; as take_frame(), or -2 when a signal came. */
static int carry(struct host *host)
{
	int status = -1;

	host->is_stdin_open = true;
	while (status == -1 && !caught_signal) {
		bool is_sending = host->out_len > 0;
		struct pollfd fds[] = {
			{host->port, POLLIN | (is_sending ? POLLOUT : 0), 0},
			{host->is_stdin_open && !is_sending ? 0 : -1, POLLIN, 0},
		};

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents & POLLOUT)
			write_stdin(host);
		if (fds[1].revents)
			read_stdin(host);
		if (fds[0].revents & (POLLIN | POLLHUP | POLLERR))
			status = take_frame(host);
	}
	return caught_signal ? -2 : status;
}

static int host_main(char **argv)
{
	unsigned int boot_s = (unsigned int)atoi(argv[0]), limit_s = (unsigned int)atoi(argv[1]);
	const char *user = argv[2], *out = argv[3], *log = argv[4];
	int count = atoi(argv[5]), status;
	char **qemu_argv = argv + 6, **command = qemu_argv + count, *first = command[0];
	struct host host = {0};

	while (open("/dev/null", O_RDWR | O_CLOEXEC) <= 2)
		; /* so that no descriptor of ours is 0, 1 or 2 where those were closed */
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* with the script that started it */
	set_signal(SIGALRM, handle_signal);
	set_signal(SIGINT, handle_signal);
	set_signal(SIGTERM, handle_signal);
	set_signal(SIGHUP, handle_signal);
	command[0] = NULL; /* ends QEMU's words */
	start_qemu(&host, qemu_argv, log);
	command[0] = first;

	set_limit(boot_s);
	status = take_frame(&host); /* hello */
	if (status == -1) {
		set_limit(limit_s);
		send_command(&host, user, out, command);
		status = carry(&host);
		if (caught_signal == SIGALRM) {
			fprintf(stderr, "lab: %s ran for more than %u s\n", first, limit_s);
			status = STATUS_TIMEOUT;
		}
	} else if (caught_signal == SIGALRM) {
		fprintf(stderr, "lab: the lab did not boot within %u s\n", boot_s);
	}
	stop_qemu(&host);
	if (caught_signal && caught_signal != SIGALRM) {
		set_signal(caught_signal, SIG_DFL);
		raise(caught_signal);
	}
	return status < 0 ? STATUS_LAB_FAILED : status;
}

/* ---- the guest's side ---- */

struct guest {
	int port;
	pid_t command;
	int in, out, err; /* our ends of the command's pipes, -1 when closed */
	uint8_t *input;	  /* standard input that the command has not taken yet */
	size_t input_len, input_at;
	bool is_input_ended;
};

/* Gives the devices the owners and modes that udev would have given them. */
static void set_device_modes(void)
{
	struct group *kvm = getgrnam("kvm");

	if (kvm && !chown("/dev/kvm", 0, kvm->gr_gid))
		chmod("/dev/kvm", 0660);
	else
		chmod("/dev/kvm", 0666);
	chmod("/dev/vhost-net", 0666);
	chmod("/dev/net/tun", 0666);
	chmod("/dev/fuse", 0666);
}

__attribute__((noreturn)) static void run_command(const char *user, const char *cwd, char **argv)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	set_signal(SIGPIPE, SIG_DFL);
	setsid();
	if (*user)
		become_user(user);
	if (chdir(cwd))
		fail("cannot enter %s: %s", cwd, strerror(errno));
	exec_command(argv);
}

/* Splits the NUL-terminated strings of a run frame, see send_command(). */
static char **split_strings(char *buf, size_t len, size_t *ret_count)
{
	char **strings;
	size_t n = 0, at = 0;

	for (size_t i = 0; i < len; i++)
		n += !buf[i];
	strings = calloc(n + 1, sizeof(*strings));
	if (!strings)
		fail("out of memory");
	for (size_t i = 0; i < n; i++) {
		strings[i] = buf + at;
		at += strlen(buf + at) + 1;
	}
	*ret_count = n;
	return strings;
}

static void start_command(struct guest *guest)
{
	uint8_t type;
	size_t len, count;
	char *buf, **strings;
	int in[2], out[2], err[2], words;

	if (!read_header(guest->port, &type, &len) || type != FRAME_RUN || len > RUN_BYTES_MAX)
		fail("no command came");
	buf = malloc(len + 1);
	if (!buf || !read_all(guest->port, buf, len))
		fail("no command came");
	strings = split_strings(buf, len, &count);
	words = count > 4 ? atoi(strings[3]) : 0;
	if (words < 1 || (size_t)words > count - 4)
		fail("the command is damaged");
	if (*strings[1] &&
	    mount("lab-out", strings[1], "9p", 0,
		  "trans=virtio,version=9p2000.L,msize=512000,cache=mmap,access=any"))
		fail("cannot mount %s: %s", strings[1], strerror(errno));

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		fail("no pipe: %s", strerror(errno));
	guest->command = fork();
	if (guest->command < 0)
		fail("cannot fork: %s", strerror(errno));
	if (!guest->command) {
		char **argv = calloc((size_t)words + 1, sizeof(*argv));

		if (!argv)
			fail("out of memory");
		memcpy(argv, strings + 4, (size_t)words * sizeof(*argv));
		environ = strings + 4 + words;
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		run_command(strings[0], strings[2], argv);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	guest->in = in[1];
	guest->out = out[0];
	guest->err = err[0];
	fcntl(guest->in, F_SETFL, O_NONBLOCK);
	fcntl(guest->out, F_SETFL, O_NONBLOCK);
	fcntl(guest->err, F_SETFL, O_NONBLOCK);
}

static void close_input(struct guest *guest)
{
	if (guest->in >= 0)
		close(guest->in);
	guest->in = -1;
	guest->input_len = guest->input_at = 0;
}

static void take_input(struct guest *guest)
{
	uint8_t type;
	size_t len;

	if (!read_header(guest->port, &type, &len) || type != FRAME_STDIN || len > PIECE_BYTES ||
	    !read_all(guest->port, guest->input, len))
		fail("the host's side sent nonsense");
	guest->input_len = len;
	guest->input_at = 0;
	guest->is_input_ended = !len;
	if (!len || guest->in < 0)
		close_input(guest);
}

static void pass_input(struct guest *guest)
{
	ssize_t done = write(guest->in, guest->input + guest->input_at,
			     guest->input_len - guest->input_at);

	if (done < 0 && errno != EAGAIN && errno != EINTR)
		close_input(guest);
	if (done > 0)
		guest->input_at += (size_t)done;
	if (guest->input_at == guest->input_len)
		guest->input_at = guest->input_len = 0;
}

/* Passes on a piece of output; returns false when there is none now, and closes at the end. */
static bool pass_output(struct guest *guest, int *fd, uint8_t type)
{
	uint8_t buf[PIECE_BYTES];
	ssize_t len;

	if (*fd < 0)
		return false;
	len = read(*fd, buf, sizeof(buf));
	if (len < 0)
		return false;
	if (!len) {
		close(*fd);
		*fd = -1;
		return false;
	}
	if (!send_frame(guest->port, type, buf, (size_t)len))
		fail("the host's side is gone");
	return true;
}

/* Reaps children; returns the command's status once it has ended, else -1. */
static int reap(struct guest *guest)
{
	int status, result = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == guest->command)
			result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	return result;
}

static int guest_main(const char *port)
{
	struct guest guest = {.input = malloc(PIECE_BYTES)};
	sigset_t chld, none;
	int status = -1;
	uint8_t byte;

	guest.port = open(port, O_RDWR | O_CLOEXEC);
	if (guest.port < 0 || !guest.input)
		fail("cannot open %s: %s", port, strerror(errno));
	set_signal(SIGPIPE, SIG_IGN);
	set_signal(SIGCHLD, handle_signal);
	sigemptyset(&none);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL); /* delivered in ppoll() only */
	set_device_modes();
	send_frame(guest.port, FRAME_HELLO, "", 0);
	start_command(&guest);

	while (status == -1) {
		struct pollfd fds[] = {
			{guest.input_len || guest.is_input_ended ? -1 : guest.port, POLLIN, 0},
			{guest.input_len ? guest.in : -1, POLLOUT, 0},
			{guest.out, POLLIN, 0},
			{guest.err, POLLIN, 0},
		};

		if (ppoll(fds, 4, NULL, &none) > 0) {
			if (fds[0].revents)
				take_input(&guest);
			if (fds[1].revents)
				pass_input(&guest);
			if (fds[2].revents)
				pass_output(&guest, &guest.out, FRAME_STDOUT);
			if (fds[3].revents)
				pass_output(&guest, &guest.err, FRAME_STDERR);
		}
		caught_signal = 0;
		status = reap(&guest);
	}
	/* What it wrote before it ended; not what children it left behind may write yet. */
	while (pass_output(&guest, &guest.out, FRAME_STDOUT))
		;
	while (pass_output(&guest, &guest.err, FRAME_STDERR))
		;
	sync();
	byte = (uint8_t)status;
	send_frame(guest.port, FRAME_STATUS, &byte, 1);
	for (;;)
		pause(); /* the host's side ends the lab */
}

/* The counter and the time in ns, read as closely together as a few tries get it. */
static uint64_t read_tsc(int64_t *ret_ns)
{
	uint64_t best = UINT64_MAX, tsc = 0;

	for (int i = 0; i < 16; i++) {
		struct timespec now;
		uint64_t before = __builtin_ia32_rdtsc(), after;

		clock_gettime(CLOCK_MONOTONIC, &now);
		after = __builtin_ia32_rdtsc();
		if (after - before >= best)
			continue;
		best = after - before;
		tsc = before + best / 2;
		*ret_ns = now.tv_sec * 1000000000LL + now.tv_nsec;
	}
	return tsc;
}

static int print_tsc_rate(void)
{
	const struct timespec span = {.tv_nsec = 50000000};
	int64_t begin_ns, end_ns;
	uint64_t begin = read_tsc(&begin_ns), end;

	nanosleep(&span, NULL);
	end = read_tsc(&end_ns);
	printf("%.0f\n", (double)(end - begin) * 1e6 / (double)(end_ns - begin_ns));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 8 && !strcmp(argv[1], "host") && argc > 8 + atoi(argv[7]))
		return host_main(argv + 2);
	if (argc == 3 && !strcmp(argv[1], "guest"))
		return guest_main(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "tsc"))
		return print_tsc_rate();
	if (argc > 3 && !strcmp(argv[1], "as")) {
		become_user(argv[2]);
		exec_command(argv + 3);
	}
	fail("usage: relay host|guest|as|tsc ...");
}
