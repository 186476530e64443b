/*
 * The event loop over epoll.
 *
 * A handle removed by a callback may still be in the batch that epoll_wait() returned: it is
 * marked and freed after the batch.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <tinyvm/device.h>
#include <tinyvm/evloop.h>
#include <tinyvm/thread.h>
#include <unistd.h>

#define BATCH	32
#define POLL_NS 50000 /* what a wake-up takes on a busy host */

struct evloop_fd {
	struct evloop *loop;
	int fd;
	evloop_fn fn;
	evloop_poll_fn poll;
	void *ctx;
	struct device *dev;
	bool is_removed;
	bool is_polled;
	struct evloop_fd *next_removed;
	struct evloop_fd *next_polled;
};

/**
 * struct evloop - an epoll and who waits in it
 * @polled:    handles that are looked at without an event, until POLL_NS after @worked_ns
 * @worked_ns: when a handle with a poll function last had work
 * @runner:    the thread in evloop_run(), 0 for none
 */
struct evloop {
	int epfd;
	int stopfd;
	bool is_dispatching;
	struct evloop_fd *removed;
	struct evloop_fd *polled;
	uint64_t worked_ns;
	_Atomic(pthread_t) runner;
};

int evloop_create(struct evloop **ret_loop)
{
	struct evloop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;

	int error;
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	loop->stopfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	if (loop->epfd < 0 || loop->stopfd < 0 ||
	    epoll_ctl(loop->epfd, EPOLL_CTL_ADD, loop->stopfd, &ev) != 0) {
		error = -errno;
		evloop_destroy(loop);
		return error;
	}
	*ret_loop = loop;
	return 0;
}

static void evloop_free_removed(struct evloop *loop)
{
	while (loop->removed) {
		struct evloop_fd *handle = loop->removed;
		loop->removed = handle->next_removed;
		free(handle);
	}
}

void evloop_destroy(struct evloop *loop)
{
	if (!loop)
		return;
	evloop_free_removed(loop);
	if (loop->epfd >= 0)
		close(loop->epfd);
	if (loop->stopfd >= 0)
		close(loop->stopfd);
	free(loop);
}

/*
 * With nothing to wait for, epoll would still report EPOLLHUP and EPOLLERR, over and over on a
 * closed pipe: edge-triggering quiets that down to one report.
 */
static uint32_t evloop_mask(uint32_t events)
{
	return events ? events : (uint32_t)EPOLLET;
}

int evloop_add(struct evloop *loop, struct evloop_fd **ret_handle, int fd, uint32_t events,
	       evloop_fn fn, void *ctx, struct device *dev)
{
	struct evloop_fd *handle = calloc(1, sizeof(*handle));
	if (!handle)
		return -ENOMEM;
	*handle = (struct evloop_fd){.loop = loop, .fd = fd, .fn = fn, .ctx = ctx, .dev = dev};

	struct epoll_event ev = {.events = evloop_mask(events), .data.ptr = handle};
	if (epoll_ctl(loop->epfd, EPOLL_CTL_ADD, fd, &ev) != 0) {
		int error = -errno;
		free(handle);
		return error;
	}
	*ret_handle = handle;
	return 0;
}

void evloop_set_events(struct evloop_fd *handle, uint32_t events)
{
	/* Cannot fail: the descriptor is registered and open. */
	struct epoll_event ev = {.events = evloop_mask(events), .data.ptr = handle};
	epoll_ctl(handle->loop->epfd, EPOLL_CTL_MOD, handle->fd, &ev);
}

void evloop_set_poll(struct evloop_fd *handle, evloop_poll_fn poll)
{
	handle->poll = poll;
}

static void evloop_unpoll(struct evloop_fd *handle)
{
	handle->is_polled = false;
	for (struct evloop_fd **at = &handle->loop->polled; *at; at = &(*at)->next_polled) {
		if (*at == handle) {
			*at = handle->next_polled;
			return;
		}
	}
}

void evloop_remove(struct evloop_fd *handle)
{
	if (!handle)
		return;
	struct evloop *loop = handle->loop;
	if (handle->is_polled)
		evloop_unpoll(handle);
	epoll_ctl(loop->epfd, EPOLL_CTL_DEL, handle->fd, NULL);
	handle->is_removed = true;
	handle->next_removed = loop->removed;
	loop->removed = handle;
	if (!loop->is_dispatching)
		evloop_free_removed(loop);
}

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static bool evloop_look(struct evloop_fd *handle)
{
	struct device *dev = handle->dev;
	if (dev)
		device_lock(dev);
	bool is_worked = handle->poll(handle->ctx, !handle->is_polled);
	if (dev)
		device_unlock(dev);
	return is_worked;
}

/* An event soon after work: had we looked on, it need not have been. */
static void evloop_dispatch_polled(struct evloop_fd *handle)
{
	struct evloop *loop = handle->loop;
	if (!handle->is_polled && now_ns() - loop->worked_ns < POLL_NS) {
		handle->is_polled = true;
		handle->next_polled = loop->polled;
		loop->polled = handle;
	}
	evloop_look(handle);
	loop->worked_ns = now_ns();
}

static void evloop_dispatch(struct evloop_fd *handle, uint32_t events)
{
	if (handle->is_removed)
		return;
	if (handle->poll) {
		evloop_dispatch_polled(handle);
		return;
	}
	struct device *dev = handle->dev;
	if (dev)
		device_lock(dev);
	handle->fn(handle->ctx, events);
	if (dev)
		device_unlock(dev);
}

/* Looks at each of the polled handles, for the last time when there was no work for long. */
static void evloop_poll(struct evloop *loop)
{
	bool is_worked = false;
	for (struct evloop_fd *h = loop->polled; h; h = h->next_polled)
		is_worked |= h->is_polled && evloop_look(h); /* one may have removed others */
	uint64_t now = now_ns();
	if (is_worked) {
		loop->worked_ns = now;
	} else if (now - loop->worked_ns >= POLL_NS) {
		for (struct evloop_fd *h; (h = loop->polled);) {
			evloop_unpoll(h);
			evloop_look(h);
		}
	}
}

void evloop_run(struct evloop *loop)
{
	bool is_stopped = false;
	loop->runner = pthread_self();
	while (!is_stopped) {
		struct epoll_event ev[BATCH];
		int n = epoll_wait(loop->epfd, ev, BATCH, loop->polled ? 0 : -1);

		loop->is_dispatching = true;
		/* To the batch's end, stopped or not: an edge would not be reported again. */
		for (int i = 0; i < n; i++) {
			if (ev[i].data.ptr) {
				evloop_dispatch(ev[i].data.ptr, ev[i].events);
				continue;
			}
			uint64_t count;
			is_stopped = read(loop->stopfd, &count, sizeof(count)) == sizeof(count);
		}
		if (loop->polled && !is_stopped)
			evloop_poll(loop);
		loop->is_dispatching = false;
		evloop_free_removed(loop);
	}
	loop->runner = 0;
}

bool evloop_is_here(const struct evloop *loop)
{
	return pthread_equal(loop->runner, pthread_self());
}

void evloop_stop(struct evloop *loop)
{
	const uint64_t one = 1;
	ssize_t n = write(loop->stopfd, &one, sizeof(one));
	(void)n; /* fails only when the counter is full: then it is stopped all the same */
}

static void *evloop_thread_main(void *loop)
{
	evloop_run(loop);
	return NULL;
}

int evloop_thread_start(struct evloop_thread *thread, struct evloop *loop)
{
	int error = thread_start(&thread->thread, 0, evloop_thread_main, loop);
	if (error)
		return error;
	thread->loop = loop;
	return 0;
}

void evloop_thread_stop(struct evloop_thread *thread)
{
	if (!thread->loop)
		return;
	evloop_stop(thread->loop);
	pthread_join(thread->thread, NULL);
	thread->loop = NULL;
}
