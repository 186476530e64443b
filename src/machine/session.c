/*
 * What stands between the command in the guest and the user of `tinyvm run`.
 *
 * Output goes straight from the guest's buffers to the descriptors: what these do not take, the
 * guest keeps. So nothing is left to be written when the machine ends. Input is read only when what
 * was read before has gone.
 *
 * The guest's side calls with its device's lock held, on any thread; it takes note and wakes the
 * loop, where everything else happens.
 */
#include "session.h"

#include "now.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <tinyvm/evloop.h>
#include <tinyvm/log.h>
#include <tinyvm/run_stream.h>
#include <tinyvm/tty.h>
#include <unistd.h>

#define NS_PER_S 1000000000ULL

/* A third interrupt within this ends the machine. */
#define PATIENCE_NS (2 * NS_PER_S)

/* For a guest whose command has ended to write everything back and switch off. */
#define GRACE_NS (30 * NS_PER_S)

/* For a guest whose time is up to tell its kernel's last words. */
#define LAST_WORDS_NS (2 * NS_PER_S)

/* How often a background job looks whether it has come to the foreground. */
#define FOREGROUND_CHECK_NS (NS_PER_S / 4)

/* A file as input is always readable: after so many reads in a row others get their turn. */
#define FILE_READS 16

#define CTRL_C 0x03

static void session_wake(struct session *s)
{
	eventfd_write(s->wake, 1);
}

bool session_has_status(const struct session *s)
{
	return atomic_load(&s->stage) == SESSION_ENDED && !s->is_timeout;
}

const struct klog *session_kernel_log(const struct session *s)
{
	return s->kernel.count ? &s->kernel : &s->klog;
}

static void session_reach(struct session *s, enum session_stage stage)
{
	s->at_ns[stage] = now_get_ns();
	atomic_store(&s->stage, stage);
}

/* Output */

static size_t session_output(void *ctx, bool is_stderr, const uint8_t *buf, size_t len)
{
	struct session *s = ctx;
	struct session_output *out = &s->out[is_stderr];
	size_t done = 0;
	while (done < len && !atomic_load(&out->error)) {
		int64_t n = sink_write(&out->sink, buf + done, len - done);
		if (n == -EAGAIN) {
			atomic_store(&out->is_stalled, true);
			session_wake(s);
			return done;
		}
		if (n < 0) {
			atomic_store(&out->error, (int)-n);
			session_wake(s);
			break;
		}
		done += (size_t)n;
	}
	return len; /* nobody reads it any more */
}

static void session_output_ready(void *ctx, uint32_t events)
{
	struct session_output *out = ctx;
	(void)events;
	evloop_remove(out->handle);
	out->handle = NULL;
	run_stream_resume_output(out->session->stream);
}

/* That a reader has gone is not worth a word, as elsewhere. */
static bool session_is_output_lost(const struct session_output *out)
{
	int error = atomic_load(&out->error);
	return error && error != EPIPE;
}

static void session_describe_lost(const struct session_output *out, char sentence[ERR_MSG_MAX])
{
	snprintf(sentence, ERR_MSG_MAX, "cannot write to standard %s: %s",
		 out->fd == STDOUT_FILENO ? "output" : "error", strerror(atomic_load(&out->error)));
}

/* Says once why it cannot be written any more. */
static void session_close_output(struct session_output *out)
{
	char sentence[ERR_MSG_MAX];
	if (out->sink.fd >= 0 && session_is_output_lost(out)) {
		session_describe_lost(out, sentence);
		log_error("%s", sentence);
	}
	sink_close(&out->sink);
}

bool session_has_lost_output(const struct session *s, char *ret_sentence)
{
	if (!session_has_status(s) || s->status.is_signal || s->status.value & 0xff)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		if (!session_is_output_lost(&s->out[i]))
			continue;
		if (ret_sentence)
			session_describe_lost(&s->out[i], ret_sentence);
		return true;
	}
	return false;
}

/* As a write to a pipe without readers would end a command here. */
static void session_check_output(struct session *s, struct session_output *out)
{
	int error = 0;
	if (atomic_exchange(&out->is_stalled, false) && !out->handle)
		error = evloop_add(s->front.loop, &out->handle, out->sink.fd, EPOLLOUT,
				   session_output_ready, out, NULL);
	if (error)
		atomic_store(&out->error, -error);
	if (!atomic_load(&out->error) || out->sink.fd < 0)
		return;
	session_close_output(out);
	run_stream_signal(s->stream, SIGPIPE);
	run_stream_resume_output(s->stream);
}

/* Interrupts */

/* Return: whether somebody asks for the third time in a short while. */
static bool session_is_urgent(struct session *s)
{
	uint64_t now = now_get_ns();
	bool is_urgent = s->interrupts_ns[0] && now - s->interrupts_ns[0] < PATIENCE_NS;
	s->interrupts_ns[0] = s->interrupts_ns[1];
	s->interrupts_ns[1] = now;
	return is_urgent;
}

static bool session_signalled(struct front *front, int signo)
{
	struct session *s = (struct session *)front;
	bool is_passed_on = signo == SIGINT || signo == SIGTERM || signo == SIGHUP ||
			    signo == SIGQUIT || signo == SIGUSR1 || signo == SIGUSR2;
	if (!is_passed_on || atomic_load(&s->stage) != SESSION_COMMAND || session_is_urgent(s))
		return false;
	run_stream_signal(s->stream, (unsigned)signo);
	return true;
}

/* Ctrl-C is the guest's terminal's affair, unless it does not listen. */
static void session_look_for_interrupts(struct session *s, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (buf[i] != CTRL_C)
			continue;
		if (session_is_urgent(s) || atomic_load(&s->stage) != SESSION_COMMAND)
			s->front.interrupt(s->front.machine, SIGINT);
	}
}

/* Input */

static void session_stop_input(struct session *s)
{
	evloop_remove(s->in.handle);
	s->in.handle = NULL;
}

static void session_read_input(struct session *s)
{
	struct session_input *in = &s->in;
	ssize_t n = read(STDIN_FILENO, in->buf, sizeof(in->buf));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	in->at = 0;
	in->len = n > 0 ? (size_t)n : 0;
	if (s->is_tty)
		session_look_for_interrupts(s, in->buf, in->len);
	if (n > 0)
		return;
	in->is_open = false;
	run_stream_end_stdin(s->stream);
}

static void session_pass_input(struct session *s)
{
	struct session_input *in = &s->in;
	if (run_stream_is_stdin_closed(s->stream)) {
		in->is_open = false;
		in->at = in->len;
	}
	if (in->at < in->len)
		in->at += run_stream_stdin(s->stream, in->buf + in->at, in->len - in->at);
}

static void session_input_ready(void *ctx, uint32_t events);

static void session_pump_input(struct session *s)
{
	struct session_input *in = &s->in;
	session_pass_input(s);
	for (unsigned i = 0; in->is_file && in->is_open && in->at == in->len; i++) {
		if (i == FILE_READS) {
			session_wake(s);
			return;
		}
		session_read_input(s);
		session_pass_input(s);
	}
	/* A terminal may be read by the foreground only. */
	bool is_away = in->is_open && isatty(STDIN_FILENO) && !tty_is_foreground(STDIN_FILENO);
	if (is_away)
		evloop_timer_arm(s->foreground, now_get_ns() + FOREGROUND_CHECK_NS);
	if (!in->is_open || in->is_file || in->at < in->len || is_away) {
		session_stop_input(s);
	} else if (!in->handle) {
		int error = evloop_add(s->front.loop, &in->handle, STDIN_FILENO, EPOLLIN,
				       session_input_ready, s, NULL);
		in->is_file = error == -EPERM;
		if (in->is_file)
			session_wake(s);
	}
}

static void session_input_ready(void *ctx, uint32_t events)
{
	struct session *s = ctx;
	(void)events;
	if (isatty(STDIN_FILENO) && !tty_is_foreground(STDIN_FILENO))
		session_stop_input(s);
	else
		session_read_input(s);
	session_pump_input(s);
}

/* The loop's other events */

static void session_arm_timer(struct session *s, uint64_t when_ns)
{
	const struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(when_ns / NS_PER_S),
			     .tv_nsec = (long)(when_ns % NS_PER_S)},
	};
	timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Once the command has ended, the guest has little to do. */
static void session_begin_grace(struct session *s)
{
	if (s->is_grace_begun || !session_has_status(s))
		return;
	s->is_grace_begun = true;
	uint64_t grace_end = now_get_ns() + s->grace_ns;
	bool is_deadline_first = s->deadline_ns && s->deadline_ns < grace_end;
	session_arm_timer(s, is_deadline_first ? s->deadline_ns : grace_end);
}

static void session_wake_ready(void *ctx, uint32_t events)
{
	struct session *s = ctx;
	eventfd_t count;
	(void)events;
	eventfd_read(s->wake, &count);
	session_begin_grace(s);
	session_check_output(s, &s->out[0]);
	session_check_output(s, &s->out[1]);
	session_pump_input(s);
}

static void session_timer_ready(void *ctx, uint32_t events)
{
	struct session *s = ctx;
	uint64_t count;
	(void)events;
	if (read(s->timer, &count, sizeof(count)) < 0)
		return;
	bool is_first = !s->is_timeout;
	if (session_has_status(s))
		s->is_overdue = true;
	else
		s->is_timeout = true;
	if (s->is_timeout && is_first && atomic_load(&s->stage) == SESSION_COMMAND) {
		run_stream_want_kernel_log(s->stream);
		session_arm_timer(s, now_get_ns() + LAST_WORDS_NS);
		return;
	}
	s->front.end(s->front.machine);
}

static void session_tell_size(struct session *s)
{
	uint16_t cols, rows;
	if (s->is_tty && tty_size(STDOUT_FILENO, &cols, &rows) == 0)
		run_stream_resize(s->stream, rows, cols);
}

/* After a stop, the terminal may be another's, or ours again. */
static void session_take_terminal(struct session *s)
{
	if (s->is_tty && tty_raw(STDIN_FILENO) != 0)
		log_debug("the terminal is not ours yet");
	session_tell_size(s);
}

/* A job that ran in the background hears nothing of it when it is brought to the foreground. */
static void session_check_foreground(void *ctx)
{
	struct session *s = ctx;
	if (tty_is_foreground(STDIN_FILENO))
		session_take_terminal(s);
	session_pump_input(s);
}

static void session_signal_ready(void *ctx, uint32_t events)
{
	struct session *s = ctx;
	struct signalfd_siginfo info;
	(void)events;
	while (read(s->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		session_take_terminal(s);
	session_pump_input(s);
}

/* What the guest says. A device's lock is held. */

static void session_hello(void *ctx, const struct run_hello *hello, const char *release)
{
	struct session *s = ctx;
	(void)hello;
	snprintf(s->release, sizeof(s->release), "%s", release);
	session_reach(s, SESSION_INIT);
}

static void session_started(void *ctx, const struct run_stamp *stamp)
{
	(void)stamp;
	session_reach(ctx, SESSION_COMMAND);
}

static void session_input_wanted(void *ctx)
{
	session_wake(ctx);
}

static void session_status(void *ctx, const struct run_status *status)
{
	struct session *s = ctx;
	s->status = *status;
	session_reach(s, SESSION_ENDED);
	session_wake(s);
}

static void session_bye(void *ctx, const struct run_stamp *stamp)
{
	struct session *s = ctx;
	(void)stamp;
	s->bye_ns = now_get_ns();
	s->front.end(s->front.machine);
}

static void session_log(void *ctx, const char *sentence)
{
	(void)ctx;
	log_info("init: %s", sentence);
}

static void session_kernel(void *ctx, const char *line)
{
	struct session *s = ctx;
	if (line) {
		chardev_write(&s->kernel.cd, (const uint8_t *)line, strlen(line));
		chardev_write(&s->kernel.cd, (const uint8_t *)"\n", 1);
	} else if (s->is_timeout) {
		s->front.end(s->front.machine);
	}
}

static void session_failed(void *ctx, const char *sentence)
{
	struct session *s = ctx;
	s->is_failed = true;
	snprintf(s->sentence, sizeof(s->sentence), "%s", sentence);
	s->front.end(s->front.machine);
}

static const struct run_stream_client session_client = {
	.output = session_output,
	.hello = session_hello,
	.started = session_started,
	.input = session_input_wanted,
	.status = session_status,
	.bye = session_bye,
	.log = session_log,
	.kernel = session_kernel,
	.failed = session_failed,
	.broken = session_failed,
};

/* Opening and closing */

static int session_open_timer(struct session *s)
{
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->timer < 0)
		return -errno;
	if (s->deadline_ns)
		session_arm_timer(s, s->deadline_ns);
	return evloop_add(s->front.loop, &s->timer_handle, s->timer, EPOLLIN, session_timer_ready,
			  s, NULL);
}

/* Threads made from now on inherit the mask. */
static int session_open_signals(struct session *s)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGCONT);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		return -errno;
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return evloop_add(s->front.loop, &s->signal_handle, s->signals, EPOLLIN,
			  session_signal_ready, s, NULL);
}

static int session_open_foreground(struct session *s)
{
	int error = evloop_timer_create(s->front.loop, &s->foreground);
	if (!error)
		evloop_timer_bind(s->foreground, session_check_foreground, s, NULL);
	return error;
}

static int session_open_all(struct session *s)
{
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake < 0)
		return -errno;
	int error = evloop_add(s->front.loop, &s->wake_handle, s->wake, EPOLLIN, session_wake_ready,
			       s, NULL);
	if (!error)
		error = session_open_timer(s);
	if (!error)
		error = session_open_foreground(s);
	if (!error)
		error = session_open_signals(s);
	if (!error)
		error = run_stream_create(&s->stream, &session_client, s);
	return error;
}

static int session_open(struct front *front, struct chardev **ret_console,
			struct chardev **ret_port, struct err *err)
{
	struct session *s = (struct session *)front;
	s->klog.told = front->line;
	s->klog.ctx = front->machine;
	*ret_console = &s->klog.cd;
	for (unsigned i = 0; i < 2; i++)
		sink_open(&s->out[i].sink, s->out[i].fd);
	int error = session_open_all(s);
	if (error)
		return err_set(err, error, "cannot set up the streams: %s", strerror(-error));
	*ret_port = run_stream_to_chardev(s->stream);
	session_reach(s, SESSION_BOOTING);
	if (s->is_tty && tty_raw(STDIN_FILENO) != 0)
		log_info("the terminal is another job's; taken when it is ours");
	session_wake(s);
	return 0;
}

static void session_close(struct front *front)
{
	struct session *s = (struct session *)front;
	const int fds[] = {s->wake, s->timer, s->signals};
	if (s->is_tty)
		tty_restore();
	session_stop_input(s);
	evloop_remove(s->wake_handle);
	evloop_remove(s->timer_handle);
	evloop_remove(s->signal_handle);
	evloop_timer_destroy(s->foreground);
	for (unsigned i = 0; i < 2; i++) {
		evloop_remove(s->out[i].handle);
		session_close_output(&s->out[i]);
	}
	for (unsigned i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static const struct front_ops session_ops = {
	.open = session_open,
	.close = session_close,
	.signalled = session_signalled,
};

void session_init(struct session *s, bool is_tty, uint64_t deadline_ns, bool is_verbose)
{
	memset(s, 0, sizeof(*s));
	s->front.ops = &session_ops;
	klog_init(&s->klog, is_verbose, NULL, NULL);
	klog_init(&s->kernel, false, NULL, NULL);
	s->is_tty = is_tty;
	s->deadline_ns = deadline_ns;
	s->grace_ns = GRACE_NS;
	s->wake = s->timer = s->signals = -1;
	s->in.is_open = true;
	for (unsigned i = 0; i < 2; i++) {
		s->out[i].session = s;
		s->out[i].fd = i ? STDERR_FILENO : STDOUT_FILENO;
		s->out[i].sink.fd = -1;
	}
}
