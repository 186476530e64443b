/*
 * Standard input and output as the guest's console.
 *
 * Input is read ahead into a small buffer, so that the escape key works even when the guest takes
 * nothing; when the buffer is full too, reading stops and nothing is lost. Only a terminal has the
 * escape key and raw mode: from a pipe or a file every byte is the guest's.
 *
 * Threads: input, signals and commands belong to the event loop's thread. The client's side is
 * called with the client device's lock held. What goes out is output.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <tinyvm/chardev.h>
#include <tinyvm/device.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/terminal.h>
#include <tinyvm/tty.h>
#include <unistd.h>

#include "escape.h"
#include "output.h"

#define INPUT_BUFFER 4096
#define LINE_MAX_LEN 255

/* How often a background job looks whether it has come to the foreground. */
#define FOREGROUND_CHECK_NS 250000000

/* A file as input is always readable: after so many reads in a row others get their turn. */
#define FILE_READS 16

static const char help_text[] = "\r\n"
				"tinyvm: Ctrl-A, then\r\n"
				"  x       quit: switch the machine off at once\r\n"
				"  c       press the power button\r\n"
				"  h       this help\r\n"
				"  Ctrl-A  send Ctrl-A to the guest (so does a)\r\n";

static const char hint_text[] = "\r\ntinyvm: Ctrl-A h shows the keys\r\n";

/**
 * struct terminal - the console
 * @wake:     eventfd: the client has room again, or there is a new client
 * @signals:  signalfd for SIGWINCH and SIGCONT; @old_mask is what they were blocked on top of
 * @timer:    timerfd of FOREGROUND_CHECK_NS while @is_background
 * @client, @client_ctx, @client_dev: who is attached; changes only while the loop does not run
 * @is_input_open: neither end of file nor an error yet
 * @is_watching: the loop is asked for @in_handle's EPOLLIN
 * @in, @in_at, @in_len: read ahead, the guest's next byte at @in_at
 * @is_client_full: room() was 0; guarded by the client's lock
 * @line, @line_len: the guest's current line of output; likewise
 */
struct terminal {
	struct chardev cd;
	struct evloop *loop;
	struct terminal_config cfg;
	struct output *out;
	int wake;
	int signals;
	int timer;
	struct evloop_fd *wake_handle;
	struct evloop_fd *signal_handle;
	struct evloop_fd *timer_handle;
	struct evloop_fd *in_handle;
	sigset_t old_mask;

	const struct chardev_client *client;
	void *client_ctx;
	struct device *client_dev;

	bool is_tty;
	bool is_background;
	bool is_input_open;
	bool is_watching;
	bool is_escaped;
	uint8_t in[INPUT_BUFFER];
	size_t in_at, in_len;

	bool is_client_full;
	char line[LINE_MAX_LEN + 1];
	size_t line_len;
};

static struct terminal *terminal_of(struct chardev *cd)
{
	return (struct terminal *)cd;
}

/* Input */

static size_t terminal_in_room(const struct terminal *t)
{
	return INPUT_BUFFER - (t->in_len - t->in_at);
}

/* Watches standard input exactly while a byte from it would be welcome. */
static void terminal_watch(struct terminal *t)
{
	bool is_wanted = t->is_input_open && !t->is_background && terminal_in_room(t);
	if (!t->in_handle || is_wanted == t->is_watching)
		return;
	t->is_watching = is_wanted;
	evloop_set_events(t->in_handle, is_wanted ? EPOLLIN : 0);
}

static void terminal_end_input(struct terminal *t)
{
	t->is_input_open = false;
	t->is_watching = false;
	evloop_remove(t->in_handle);
	t->in_handle = NULL;
}

/* In the background: leave the terminal alone until it is ours. */
static void terminal_set_background(struct terminal *t, bool is_background)
{
	struct itimerspec every = {0};
	if (is_background)
		every.it_value.tv_nsec = every.it_interval.tv_nsec = FOREGROUND_CHECK_NS;
	t->is_background = is_background;
	timerfd_settime(t->timer, 0, &every, NULL);
	terminal_watch(t);
}

/* The terminal may have become ours, or lost its raw mode while we were stopped. */
static void terminal_check_foreground(struct terminal *t)
{
	if (t->is_tty)
		terminal_set_background(t, tty_raw(STDIN_FILENO) == -EAGAIN);
}

/* Obeys the escape key; leaves the guest's bytes in place. Return: how many they are. */
static size_t terminal_filter(struct terminal *t, uint8_t *buf, size_t len)
{
	size_t kept = 0;
	for (size_t i = 0; i < len; i++) {
		uint8_t byte;
		switch (escape_feed(&t->is_escaped, buf[i], &byte)) {
		case ESCAPE_BYTE:
			buf[kept++] = byte;
			break;
		case ESCAPE_NONE:
			break;
		case ESCAPE_QUIT:
			t->cfg.command(t->cfg.ctx, TERMINAL_QUIT);
			break;
		case ESCAPE_POWER_BUTTON:
			t->cfg.command(t->cfg.ctx, TERMINAL_POWER_BUTTON);
			break;
		case ESCAPE_HELP:
			output_notice(t->out, help_text);
			break;
		case ESCAPE_UNKNOWN:
			output_notice(t->out, hint_text);
			break;
		}
	}
	return kept;
}

static void terminal_fill(struct terminal *t)
{
	memmove(t->in, t->in + t->in_at, t->in_len - t->in_at);
	t->in_len -= t->in_at;
	t->in_at = 0;
	if (!t->is_input_open || !terminal_in_room(t))
		return;
	if (t->is_tty && !tty_is_foreground(STDIN_FILENO)) {
		terminal_set_background(t, true);
		return;
	}

	uint8_t *buf = t->in + t->in_len;
	ssize_t n = read(STDIN_FILENO, buf, terminal_in_room(t));
	if (n > 0)
		t->in_len += t->is_tty ? terminal_filter(t, buf, (size_t)n) : (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		terminal_end_input(t);
}

/* Gives the client what it has room for. */
static void terminal_deliver(struct terminal *t)
{
	while (t->client && t->in_at < t->in_len) {
		size_t len = t->in_len - t->in_at;
		device_lock(t->client_dev);
		size_t room = t->client->room(t->client_ctx);
		if (len > room)
			len = room;
		if (len)
			t->client->receive(t->client_ctx, t->in + t->in_at, len);
		else
			t->is_client_full = true;
		device_unlock(t->client_dev);
		if (!len)
			break;
		t->in_at += len;
	}
}

static void terminal_kick(struct terminal *t)
{
	eventfd_write(t->wake, 1);
}

static void terminal_pump(struct terminal *t)
{
	terminal_deliver(t);
	/* A file is not announced by the loop. */
	bool is_file = t->is_input_open && !t->in_handle;
	for (unsigned i = 0; is_file && t->is_input_open && t->in_at == t->in_len; i++) {
		if (i == FILE_READS) {
			terminal_kick(t);
			break;
		}
		terminal_fill(t);
		terminal_deliver(t);
	}
	terminal_watch(t);
}

static void terminal_in_ready(void *ctx, uint32_t events)
{
	struct terminal *t = ctx;
	(void)events;
	if (!t->is_watching)
		return;
	terminal_fill(t);
	terminal_pump(t);
}

static void terminal_wake_ready(void *ctx, uint32_t events)
{
	struct terminal *t = ctx;
	eventfd_t count;
	(void)events;
	eventfd_read(t->wake, &count);
	terminal_pump(t);
}

static void terminal_timer_ready(void *ctx, uint32_t events)
{
	struct terminal *t = ctx;
	uint64_t count;
	(void)events;
	if (read(t->timer, &count, sizeof(count)) > 0 && t->is_background)
		terminal_check_foreground(t);
}

/* Window size and job control */

static void terminal_tell_size(struct terminal *t)
{
	uint16_t cols, rows;
	if (!t->client || !t->client->resized)
		return;
	if (tty_size(STDOUT_FILENO, &cols, &rows) != 0 && tty_size(STDIN_FILENO, &cols, &rows) != 0)
		return;
	device_lock(t->client_dev);
	t->client->resized(t->client_ctx, cols, rows);
	device_unlock(t->client_dev);
}

static void terminal_signal_ready(void *ctx, uint32_t events)
{
	struct terminal *t = ctx;
	struct signalfd_siginfo info;
	(void)events;
	while (read(t->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCONT)
			terminal_check_foreground(t);
		terminal_tell_size(t);
	}
}

/* The client's side */

static void terminal_attach(struct chardev *cd, const struct chardev_client *client, void *ctx,
			    struct device *dev)
{
	struct terminal *t = terminal_of(cd);
	t->client = client;
	t->client_ctx = ctx;
	t->client_dev = dev;
	t->is_client_full = false;
	t->line_len = 0;
	output_forget_writer(t->out);
	terminal_tell_size(t);
	terminal_kick(t);
}

static void terminal_writable(void *ctx)
{
	struct terminal *t = ctx;
	if (!t->client)
		return;
	device_lock(t->client_dev);
	t->client->writable(t->client_ctx);
	device_unlock(t->client_dev);
}

static void terminal_note_lines(struct terminal *t, const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (buf[i] != '\n') {
			/* NUL would end the line early for who reads it. */
			if (t->line_len < LINE_MAX_LEN && buf[i])
				t->line[t->line_len++] = (char)buf[i];
			continue;
		}
		while (t->line_len && t->line[t->line_len - 1] == '\r')
			t->line_len--;
		t->line[t->line_len] = '\0';
		t->line_len = 0;
		t->cfg.line(t->cfg.ctx, t->line);
	}
}

static size_t terminal_write(struct chardev *cd, const uint8_t *buf, size_t len)
{
	struct terminal *t = terminal_of(cd);
	size_t n = output_put(t->out, buf, len);
	if (t->cfg.line)
		terminal_note_lines(t, buf, n);
	return n;
}

static void terminal_resume(struct chardev *cd)
{
	struct terminal *t = terminal_of(cd);
	if (!t->is_client_full)
		return;
	t->is_client_full = false;
	terminal_kick(t);
}

static void terminal_destroy(struct chardev *cd)
{
	struct terminal *t = terminal_of(cd);
	output_destroy(t->out);
	tty_restore();
	evloop_remove(t->in_handle);
	evloop_remove(t->wake_handle);
	evloop_remove(t->signal_handle);
	evloop_remove(t->timer_handle);
	if (t->wake >= 0)
		close(t->wake);
	if (t->timer >= 0)
		close(t->timer);
	if (t->signals >= 0) {
		close(t->signals);
		pthread_sigmask(SIG_SETMASK, &t->old_mask, NULL);
	}
	free(t);
}

static const struct chardev_ops terminal_ops = {
	.attach = terminal_attach,
	.write = terminal_write,
	.resume = terminal_resume,
	.destroy = terminal_destroy,
};

/* Threads made from now on inherit the mask, so that signalfd gets what it waits for. */
static int terminal_open_signals(struct terminal *t)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGCONT);
	t->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (t->signals < 0)
		return -errno;
	pthread_sigmask(SIG_BLOCK, &set, &t->old_mask);
	return evloop_add(t->loop, &t->signal_handle, t->signals, EPOLLIN, terminal_signal_ready, t,
			  NULL);
}

static int terminal_open_input(struct terminal *t)
{
	if (!t->is_input_open)
		return 0;
	t->is_tty = isatty(STDIN_FILENO);
	int error = evloop_add(t->loop, &t->in_handle, STDIN_FILENO, EPOLLIN, terminal_in_ready, t,
			       NULL);
	if (error && error != -EPERM) /* a file needs no watching */
		return error;
	t->is_watching = !error;
	if (t->is_tty)
		terminal_check_foreground(t);
	return 0;
}

static int terminal_open(struct terminal *t)
{
	t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t->wake < 0 || t->timer < 0)
		return -errno;
	int error = evloop_add(t->loop, &t->wake_handle, t->wake, EPOLLIN, terminal_wake_ready, t,
			       NULL);
	if (!error)
		error = evloop_add(t->loop, &t->timer_handle, t->timer, EPOLLIN,
				   terminal_timer_ready, t, NULL);
	if (!error)
		error = terminal_open_signals(t);
	return error ? error : terminal_open_input(t);
}

int terminal_create(struct chardev **ret_cd, struct evloop *loop, const struct terminal_config *cfg,
		    struct err *err)
{
	struct terminal *t = calloc(1, sizeof(*t));
	if (!t)
		return err_set(err, -ENOMEM, "not enough host memory");
	t->cd.ops = &terminal_ops;
	t->loop = loop;
	t->cfg = *cfg;
	t->wake = t->signals = t->timer = -1;
	/* First of all: a missing standard input's number goes to what is opened next. */
	t->is_input_open = fcntl(STDIN_FILENO, F_GETFD) >= 0;

	int error = output_create(&t->out, loop, STDOUT_FILENO, cfg->log_path, terminal_writable, t,
				  err);
	if (!error) {
		error = terminal_open(t);
		if (error)
			err_set(err, error, "cannot set up the terminal: %s", strerror(-error));
	}
	if (error) {
		terminal_destroy(&t->cd);
		return error;
	}
	*ret_cd = &t->cd;
	return 0;
}
