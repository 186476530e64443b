/*
 * Guest output costs the vCPU a copy into the ring. The first byte after a pause wakes the loop
 * through an eventfd and is written at once; while more comes, the loop looks by itself once a
 * millisecond, so a burst of characters needs one wake-up and few writes.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/log.h>
#include <tinyvm/sink.h>
#include <unistd.h>

#define TICK_NS 1000000

/* A full ring asks for more when this much is free. */
#define OUTPUT_LOW_WATER 4096u

/* At the end: how long the sink may take for a byte, and for everything. */
#define LINGER_MS     1000
#define LINGER_ALL_MS 10000

/**
 * struct output - ring, sink and log
 * @wake, @tick: eventfd and timerfd, with @..._handle in the loop
 * @is_sink_blocked: waiting for @sink_handle's EPOLLOUT
 * @is_sink_dead: nobody reads any more; output is discarded
 * @notice, @notice_len: what is left of a message of ours
 * @lock: for what follows. The loop's thread alone moves @tail and @log_tail
 * @head, @tail, @log_tail: bytes put, written to the sink, written to the log, since the start
 * @is_awake: the loop will look at the ring without being told
 */
struct output {
	struct evloop *loop;
	struct sink sink;
	int log;
	int wake;
	int tick;
	struct evloop_fd *sink_handle;
	struct evloop_fd *wake_handle;
	struct evloop_fd *tick_handle;
	void (*writable)(void *ctx);
	void *ctx;
	bool is_sink_blocked;
	bool is_sink_dead;
	const char *notice;
	size_t notice_len;

	pthread_mutex_t lock;
	uint64_t head, tail, log_tail;
	bool is_awake;
	bool is_writer_waiting;
	uint8_t ring[OUTPUT_RING];
};

/* Copies into the ring up to where it wraps, then the rest. */
static void output_copy_in(struct output *out, const uint8_t *buf, size_t len)
{
	size_t at = out->head % OUTPUT_RING;
	size_t first = len < OUTPUT_RING - at ? len : OUTPUT_RING - at;
	memcpy(out->ring + at, buf, first);
	memcpy(out->ring, buf + first, len - first);
	out->head += len;
}

size_t output_put(struct output *out, const uint8_t *buf, size_t len)
{
	pthread_mutex_lock(&out->lock);
	size_t used = out->head - out->tail;
	if (len > OUTPUT_RING - used) {
		len = OUTPUT_RING - used;
		out->is_writer_waiting = true;
	}
	output_copy_in(out, buf, len);
	bool is_half_full = used < OUTPUT_RING / 2 && used + len >= OUTPUT_RING / 2;
	bool is_wake_due = len && (!out->is_awake || is_half_full);
	if (is_wake_due)
		out->is_awake = true;
	pthread_mutex_unlock(&out->lock);

	if (is_wake_due)
		eventfd_write(out->wake, 1);
	return len;
}

/* The ring's bytes from @at, up to @end or to where the ring wraps. */
static size_t output_run(const struct output *out, uint64_t at, uint64_t end,
			 const uint8_t **ret_run)
{
	size_t from = at % OUTPUT_RING;
	size_t len = end - at;
	*ret_run = out->ring + from;
	return len < OUTPUT_RING - from ? len : OUTPUT_RING - from;
}

static void output_flush_log(struct output *out, uint64_t end)
{
	while (out->log >= 0 && out->log_tail < end) {
		const uint8_t *run;
		size_t len = output_run(out, out->log_tail, end, &run);
		ssize_t n = write(out->log, run, len);
		if (n > 0) {
			out->log_tail += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			log_warn("cannot write to the log file any more: %s",
				 n == 0 ? "no progress" : strerror(errno));
			close(out->log);
			out->log = -1;
		}
	}
	out->log_tail = end;
}

/* Return: bytes the sink took, all of them when it is dead; 0 when it is blocked. */
static size_t output_to_sink(struct output *out, const uint8_t *buf, size_t len)
{
	if (out->is_sink_dead)
		return len;
	int64_t n = sink_write(&out->sink, buf, len);
	if (n > 0)
		return (size_t)n;
	if (n == -EAGAIN)
		return 0;
	out->is_sink_dead = true;
	if (n != -EPIPE && n != -EBADF)
		log_warn("cannot write to standard output any more: %s", strerror((int)-n));
	return len;
}

/*
 * Writes what was in the ring at the start, and no more, so that a chatty guest cannot keep the
 * loop here. Return: false when the sink blocks.
 */
static bool output_flush(struct output *out)
{
	size_t n;
	for (; out->notice_len; out->notice += n, out->notice_len -= n) {
		n = output_to_sink(out, (const uint8_t *)out->notice, out->notice_len);
		if (!n)
			return false;
	}

	pthread_mutex_lock(&out->lock);
	uint64_t tail = out->tail, end = out->head;
	pthread_mutex_unlock(&out->lock);

	output_flush_log(out, end);
	while (tail < end) {
		const uint8_t *run;
		size_t len = output_run(out, tail, end, &run);
		n = output_to_sink(out, run, len);
		if (!n)
			break;
		tail += n;
		pthread_mutex_lock(&out->lock);
		out->tail = tail;
		pthread_mutex_unlock(&out->lock);
	}
	return tail == end;
}

static void output_arm_tick(struct output *out)
{
	const struct itimerspec once = {.it_value = {.tv_nsec = TICK_NS}};
	timerfd_settime(out->tick, 0, &once, NULL);
}

static void output_tell_writer(struct output *out)
{
	pthread_mutex_lock(&out->lock);
	bool is_due =
		out->is_writer_waiting && out->head - out->tail <= OUTPUT_RING - OUTPUT_LOW_WATER;
	if (is_due)
		out->is_writer_waiting = false;
	pthread_mutex_unlock(&out->lock);
	if (is_due)
		out->writable(out->ctx);
}

static void output_serve(struct output *out)
{
	bool was_blocked = out->is_sink_blocked;
	out->is_sink_blocked = !output_flush(out);
	if (out->sink_handle && out->is_sink_blocked != was_blocked)
		evloop_set_events(out->sink_handle, out->is_sink_blocked ? EPOLLOUT : 0);
	if (!out->is_sink_blocked || !out->sink_handle)
		output_arm_tick(out);
	output_tell_writer(out);
}

static void output_wake_ready(void *ctx, uint32_t events)
{
	struct output *out = ctx;
	eventfd_t count;
	(void)events;
	eventfd_read(out->wake, &count);
	output_serve(out);
}

static void output_tick_ready(void *ctx, uint32_t events)
{
	struct output *out = ctx;
	uint64_t count;
	(void)events;
	if (read(out->tick, &count, sizeof(count)) < 0)
		return;

	pthread_mutex_lock(&out->lock);
	bool is_idle = out->head == out->tail;
	if (is_idle)
		out->is_awake = false;
	pthread_mutex_unlock(&out->lock);
	if (!is_idle || out->notice_len)
		output_serve(out);
}

static void output_sink_ready(void *ctx, uint32_t events)
{
	struct output *out = ctx;
	(void)events;
	if (out->is_sink_blocked)
		output_serve(out);
}

void output_notice(struct output *out, const char *text)
{
	out->notice = text;
	out->notice_len = strlen(text);
	output_serve(out);
}

void output_forget_writer(struct output *out)
{
	out->is_writer_waiting = false;
}

static int output_open(struct output *out, int fd)
{
	sink_open(&out->sink, fd);
	out->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	out->tick = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (out->wake < 0 || out->tick < 0)
		return -errno;
	int error = evloop_add(out->loop, &out->wake_handle, out->wake, EPOLLIN, output_wake_ready,
			       out, NULL);
	if (!error)
		error = evloop_add(out->loop, &out->tick_handle, out->tick, EPOLLIN,
				   output_tick_ready, out, NULL);
	if (error)
		return error;
	error = evloop_add(out->loop, &out->sink_handle, out->sink.fd, 0, output_sink_ready, out,
			   NULL);
	/* A file never blocks; a missing descriptor fails with the first write. */
	return error == -EPERM || error == -EBADF ? 0 : error;
}

int output_create(struct output **ret_out, struct evloop *loop, int fd, const char *log_path,
		  void (*writable)(void *ctx), void *ctx, struct err *err)
{
	struct output *out = calloc(1, sizeof(*out));
	if (!out)
		return err_set(err, -ENOMEM, "not enough host memory");
	out->loop = loop;
	out->writable = writable;
	out->ctx = ctx;
	out->log = out->wake = out->tick = out->sink.fd = -1;
	pthread_mutex_init(&out->lock, NULL);

	int error = output_open(out, fd);
	if (error) {
		err_set(err, error, "cannot set up the terminal: %s", strerror(-error));
	} else if (log_path) {
		out->log = open(log_path,
				O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
				0666);
		if (out->log < 0)
			error = err_set(err, -errno, "cannot open the log file '%s': %s", log_path,
					strerror(errno));
	}
	if (error) {
		output_destroy(out);
		return error;
	}
	*ret_out = out;
	return 0;
}

static int64_t output_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The last words: a sink that moves is waited for, one that stands still is not. */
static void output_linger(struct output *out)
{
	int64_t give_up = output_now_ms() + LINGER_ALL_MS;
	while (!output_flush(out) && output_now_ms() < give_up) {
		struct pollfd pfd = {.fd = out->sink.fd, .events = POLLOUT};
		if (poll(&pfd, 1, LINGER_MS) == 0)
			break;
	}
}

void output_destroy(struct output *out)
{
	if (!out)
		return;
	output_linger(out);
	evloop_remove(out->sink_handle);
	evloop_remove(out->wake_handle);
	evloop_remove(out->tick_handle);
	sink_close(&out->sink);
	if (out->log >= 0)
		close(out->log);
	if (out->wake >= 0)
		close(out->wake);
	if (out->tick >= 0)
		close(out->tick);
	pthread_mutex_destroy(&out->lock);
	free(out);
}
