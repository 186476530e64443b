/*
 * The command's streams, its signals and its end.
 *
 * Nothing here waits for one thing alone: output that the host does not take stops only the reading
 * of more output, input that the command does not take only uses up the host's credit. The command
 * has ended when its process has, whatever it left behind in the background; what it wrote before
 * is passed on.
 */
#include "guest.h"

#include "sys.h"

#define SAMPLE_MS    500
#define SAMPLE_NS    (SAMPLE_MS * 1000000ull)
#define BURST	     16	       /* frames of one stream before the others get their turn */
#define CREDIT_PIECE 16384     /* worth a frame of its own */
#define LEFT_OVER    (2 << 20) /* more than a pipe or a terminal can hold */
#define REAP_MS	     2000
#define TTY_EOF	     0x04 /* what Ctrl-D types */

/**
 * struct relay - a command and its streams
 * @signals: signalfd of SIGCHLD
 * @input, @input_at, @input_len: bytes that the command has not taken yet
 * @is_input_ended: and after these there are no more
 * @credit: bytes taken that the host has not been told of
 * @total_kib, @available_kib: memory: all, and the least that was available
 * @sampled_ns: when it was looked at last
 */
struct relay {
	struct guest *g;
	struct command *command;
	int signals;
	bool is_input_ended;
	bool has_ended;
	int status;
	uint32_t credit;
	size_t input_at, input_len;
	uint64_t total_kib, available_kib, sampled_ns;
	uint8_t input[RUN_STDIN_WINDOW];
};

/* Memory */

static uint64_t meminfo_find(const char *info, const char *key)
{
	while (info) {
		const char *value = text_after(info, key);
		uint32_t kib;
		while (value && *value == ' ')
			value++;
		if (value && text_number(&value, &kib))
			return kib;
		info = text_find(info, '\n');
		info = info ? info + 1 : NULL;
	}
	return 0;
}

static void relay_sample_memory(struct relay *r)
{
	char info[512]; /* both are among the first three lines */
	r->sampled_ns = sys_boottime_ns();
	long fd = sys_open("/proc/meminfo", O_RDONLY);
	long len = fd < 0 ? fd : sys_read((int)fd, info, sizeof(info) - 1);
	sys_close((int)fd);
	if (len <= 0)
		return;
	info[len] = '\0';
	uint64_t available = meminfo_find(info, "MemAvailable:");
	r->total_kib = meminfo_find(info, "MemTotal:");
	if (available < r->available_kib)
		r->available_kib = available;
}

/* Standard input */

static void relay_close_input(struct relay *r, bool is_told)
{
	if (!r->command->is_tty && r->command->in >= 0)
		sys_close(r->command->in);
	r->command->in = -1;
	r->input_at = r->input_len = 0;
	if (is_told)
		port_put(&r->g->port, RUN_STDIN_CLOSED, NULL, 0);
}

static void relay_end_input(struct relay *r)
{
	r->is_input_ended = false;
	if (!r->command->is_tty)
		relay_close_input(r, false);
	else if (r->command->in >= 0)
		sys_write(r->command->in, &(char){TTY_EOF}, 1);
}

static void relay_give_credit(struct relay *r)
{
	bool is_due = r->credit >= CREDIT_PIECE || (r->credit && !r->input_len);
	if (is_due && port_put(&r->g->port, RUN_CREDIT, &r->credit, sizeof(r->credit)))
		r->credit = 0;
}

/* Hands on what the command takes. */
static void relay_pass_input(struct relay *r)
{
	while (r->input_at < r->input_len) {
		long done = sys_write(r->command->in, r->input + r->input_at,
				      r->input_len - r->input_at);
		if (done == -EAGAIN || done == -EINTR || done == 0)
			return;
		if (done < 0) {
			relay_close_input(r, true);
			return;
		}
		r->input_at += (size_t)done;
		r->credit += (uint32_t)done;
	}
	r->input_at = r->input_len = 0;
	if (r->is_input_ended)
		relay_end_input(r);
}

static void relay_take_input(struct relay *r, const uint8_t *buf, size_t len)
{
	if (r->command->in < 0)
		return;
	if (!len)
		r->is_input_ended = true;
	if (len > RUN_STDIN_WINDOW - (r->input_len - r->input_at))
		guest_fail(r->g, "the host sent more standard input than it may");
	memmove(r->input, r->input + r->input_at, r->input_len - r->input_at);
	r->input_len -= r->input_at;
	r->input_at = 0;
	memcpy(r->input + r->input_len, buf, len);
	r->input_len += len;
	relay_pass_input(r);
}

/* Frames from the host */

/* What a terminal's keys send goes to who is in its foreground, the rest to the command. */
static void relay_signal(const struct relay *r, uint32_t signo)
{
	const struct command *c = r->command;
	int group = (int)c->pid;
	if (!signo || signo > SIG_MAX)
		return;
	if (c->is_tty && (signo == SIGINT || signo == SIGQUIT || signo == SIGTSTP) &&
	    (sys_ioctl(c->out, TIOCGPGRP, &group) < 0 || group <= 1))
		group = (int)c->pid;
	/* Before its setsid() there is no such group yet. */
	if (sys_kill(-group, (int)signo) < 0)
		sys_kill(group, (int)signo);
}

static void relay_resize(const struct relay *r, const uint8_t *payload)
{
	struct run_winsize size;
	memcpy(&size, payload, sizeof(size));
	struct sys_winsize winsize = {.rows = size.rows, .cols = size.cols};
	if (r->command->is_tty)
		sys_ioctl(r->command->out, TIOCSWINSZ, &winsize);
}

static void relay_take_frames(struct relay *r)
{
	struct run_frame frame;
	const uint8_t *payload;
	uint32_t signo;
	int rc;

	port_read(&r->g->port);
	while ((rc = port_get(&r->g->port, &frame, &payload)) > 0) {
		if (frame.type == RUN_STDIN) {
			relay_take_input(r, payload, frame.len);
		} else if (frame.type == RUN_SIGNAL && frame.len == sizeof(signo)) {
			memcpy(&signo, payload, sizeof(signo));
			relay_signal(r, signo);
		} else if (frame.type == RUN_WINSIZE && frame.len == sizeof(struct run_winsize)) {
			relay_resize(r, payload);
		} else if (frame.type == RUN_KERNEL_WANTED && !frame.len) {
			guest_tell_kernel_log(r->g);
		} else {
			rc = -1;
			break;
		}
	}
	if (rc < 0)
		guest_fail(r->g, "the host sent something that makes no sense");
}

/* Standard output and error */

/* Return: bytes passed on, 0 when there is nothing now. Closes @fd at its end. */
static long relay_pass_output(struct relay *r, enum run_type type, int *fd)
{
	long len = port_put_from(&r->g->port, type, *fd);
	if (len > 0)
		return len;
	if (len != -EAGAIN && len != -EINTR) {
		if (!r->command->is_tty)
			sys_close(*fd);
		*fd = -1;
	}
	return 0;
}

static void relay_pass_some(struct relay *r, enum run_type type, int *fd)
{
	for (unsigned i = 0; i < BURST && *fd >= 0 && port_flush(&r->g->port); i++)
		if (!relay_pass_output(r, type, fd))
			break;
}

/* What the command wrote before it ended; what it left behind may go on writing for ever. */
static void relay_pass_rest(struct relay *r, enum run_type type, int *fd)
{
	for (long sum = 0, len = 1; *fd >= 0 && len && sum < LEFT_OVER; sum += len) {
		port_drain(&r->g->port);
		len = relay_pass_output(r, type, fd);
	}
}

/* The end */

static void relay_reap(struct relay *r)
{
	char info[128]; /* a struct signalfd_siginfo */
	int status;
	long pid;
	while (sys_read(r->signals, info, sizeof(info)) > 0)
		;
	while ((pid = sys_wait(&status)) > 0) {
		if (pid != r->command->pid)
			continue;
		r->has_ended = true;
		r->status = status;
	}
}

static void relay_report(struct relay *r)
{
	unsigned signo = (unsigned)r->status & 0x7f;
	struct run_status status = {
		.boottime_ns = sys_boottime_ns(),
		.is_signal = signo != 0,
		.value = signo ? signo : ((unsigned)r->status >> 8 & 0xff),
	};
	relay_sample_memory(r);
	status.memory_total_kib = r->total_kib;
	status.memory_peak_kib =
		r->available_kib < r->total_kib ? r->total_kib - r->available_kib : 0;
	relay_pass_rest(r, RUN_STDOUT, &r->command->out);
	relay_pass_rest(r, RUN_STDERR, &r->command->err);
	port_drain(&r->g->port);
	port_put(&r->g->port, RUN_STATUS, &status, sizeof(status));
	port_drain(&r->g->port);
}

/* Whatever is left would keep filesystems busy. */
static void relay_end_all(void)
{
	int status;
	sys_kill(-1, SIGKILL);
	for (int waited = 0; waited < REAP_MS; waited++) {
		long pid;
		while ((pid = sys_wait(&status)) > 0)
			;
		if (pid < 0)
			return;
		sys_sleep_ms(1);
	}
}

static void relay_turn(struct relay *r)
{
	struct command *c = r->command;
	struct port *port = &r->g->port;
	bool is_free = port_flush(port);
	struct sys_pollfd fds[] = {
		{port->fd, (short)(POLLIN | (is_free ? 0 : POLLOUT)), 0},
		{r->signals, POLLIN, 0},
		{r->input_len ? c->in : -1, POLLOUT, 0},
		{is_free ? c->out : -1, POLLIN, 0},
		{is_free ? c->err : -1, POLLIN, 0},
	};
	sys_poll(fds, sizeof(fds) / sizeof(fds[0]), SAMPLE_MS);
	if (sys_boottime_ns() - r->sampled_ns >= SAMPLE_NS)
		relay_sample_memory(r);
	if (fds[0].revents & POLLIN)
		relay_take_frames(r);
	else if (fds[0].revents & (POLLHUP | POLLERR))
		guest_fail(r->g, "the host has closed its end of the port");
	if (fds[2].revents)
		relay_pass_input(r);
	relay_give_credit(r);
	if (fds[3].revents)
		relay_pass_some(r, RUN_STDOUT, &c->out);
	if (fds[4].revents)
		relay_pass_some(r, RUN_STDERR, &c->err);
	if (fds[1].revents)
		relay_reap(r);
}

void relay_run(struct guest *g, struct command *command)
{
	struct relay r = {.g = g, .command = command, .available_kib = UINT64_MAX};
	struct sys_sigset child = {{0}}, blocked = {{0}};
	child.bits[0] = 1ul << (SIGCHLD - 1);
	/* A command that closes its input would end whoever is not process 1 (boot.c). */
	blocked.bits[0] = child.bits[0] | 1ul << (SIGPIPE - 1);
	sys_sigprocmask(SIG_BLOCK, &blocked);
	long rc = sys_signalfd(&child);
	if (rc < 0)
		guest_fail(g, "the kernel has no signalfd");
	r.signals = (int)rc;
	relay_sample_memory(&r);
	relay_reap(&r); /* it may have ended already */
	while (!r.has_ended)
		relay_turn(&r);
	relay_report(&r);
	relay_end_all();
}
