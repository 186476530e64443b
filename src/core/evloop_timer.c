/*
 * Alarms on the event loop: a timerfd each.
 *
 * An alarm is read with its device's lock held, and a device arms with its lock held: one that was
 * moved or disarmed before its function ran does not run it, since setting the descriptor forgets
 * an expiry that nobody has read.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <tinyvm/device.h>
#include <tinyvm/evloop.h>
#include <unistd.h>

#define NS_PER_S 1000000000u

struct evloop_timer {
	int fd;
	struct evloop_fd *handle;
	void (*fn)(void *ctx);
	void *ctx;
	struct device *dev;
};

static void evloop_timer_expire(void *ctx, uint32_t events)
{
	struct evloop_timer *t = ctx;
	struct device *dev = t->dev;
	uint64_t count;
	(void)events;

	if (dev)
		device_lock(dev);
	if (read(t->fd, &count, sizeof(count)) == sizeof(count))
		t->fn(t->ctx);
	if (dev)
		device_unlock(dev);
}

int evloop_timer_create(struct evloop *loop, struct evloop_timer **ret_timer)
{
	struct evloop_timer *t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;

	int error = 0;
	t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t->fd < 0)
		error = -errno;
	else
		error = evloop_add(loop, &t->handle, t->fd, 0, evloop_timer_expire, t, NULL);
	if (error) {
		evloop_timer_destroy(t);
		return error;
	}
	*ret_timer = t;
	return 0;
}

void evloop_timer_bind(struct evloop_timer *t, void (*fn)(void *ctx), void *ctx, struct device *dev)
{
	t->fn = fn;
	t->ctx = ctx;
	t->dev = dev;
	evloop_set_events(t->handle, EPOLLIN);
}

struct timer evloop_timer_wire(struct evloop_timer *t)
{
	return (struct timer){.arm = evloop_timer_arm, .ctx = t};
}

void evloop_timer_arm(void *timer, uint64_t when_ns)
{
	struct evloop_timer *t = timer;
	if (when_ns > INT64_MAX)
		when_ns = INT64_MAX;
	const struct itimerspec spec = {
		.it_value.tv_sec = (time_t)(when_ns / NS_PER_S),
		.it_value.tv_nsec = (long)(when_ns % NS_PER_S),
	};
	/* Cannot fail: the descriptor is a timer, the time is in range. */
	timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

void evloop_timer_destroy(struct evloop_timer *t)
{
	if (!t)
		return;
	evloop_remove(t->handle);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}
