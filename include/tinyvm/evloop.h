/*
 * The event loop: epoll on one thread, for everything that is not a vCPU.
 *
 * A callback runs on the loop's thread with the lock of the device it was registered for.
 */
#ifndef TINYVM_EVLOOP_H
#define TINYVM_EVLOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct device;
struct evloop;
struct evloop_fd;
struct timer;

typedef void (*evloop_fn)(void *ctx, uint32_t events);

/* See evloop_set_poll(). */
typedef bool (*evloop_poll_fn)(void *ctx, bool is_last);

int evloop_create(struct evloop **ret_loop) __attribute__((warn_unused_result));
void evloop_destroy(struct evloop *loop);

/**
 * evloop_add() - watch a descriptor
 * @ret_handle: to change or remove it
 * @fd:     stays the caller's; must outlive the handle
 * @events: EPOLLIN, EPOLLOUT; level-triggered; 0 is allowed
 * @dev:    whose lock is held around @fn, or NULL
 *
 * Context: any thread.
 * Return: 0, -ENOMEM, or epoll_ctl's -errno (-EPERM for a regular file, which never blocks).
 */
int evloop_add(struct evloop *loop, struct evloop_fd **ret_handle, int fd, uint32_t events,
	       evloop_fn fn, void *ctx, struct device *dev) __attribute__((warn_unused_result));

/* Context: any thread. */
void evloop_set_events(struct evloop_fd *handle, uint32_t events);

/**
 * evloop_set_poll() - a handle whose work the loop may look for without an event
 * @poll: called in place of the handle's function: does what work there is, and returns whether
 *        there was any. With @is_last it first asks for an event to tell of more; without, it need
 *        not, since the loop calls again soon
 *
 * While such events come in quick succession, the loop looks by itself for a while (tens of
 * microseconds after the last work) before it sleeps: a producer that goes on at once need not make
 * an event, and nobody has to be woken.
 * Context: right after evloop_add(), on the thread that called it, with @dev's lock held.
 */
void evloop_set_poll(struct evloop_fd *handle, evloop_poll_fn poll);

/*
 * Context: the loop's thread, or any thread while the loop does not run. After it returns, @fn is
 * not called any more. NULL is fine.
 */
void evloop_remove(struct evloop_fd *handle);

/**
 * evloop_timer_create() - an alarm on the loop, CLOCK_MONOTONIC
 * evloop_timer_bind() - what to do when it expires, with @dev's lock held (NULL: none)
 * evloop_timer_wire() - its end for a device model (struct timer), or for evloop_timer_arm()
 * evloop_timer_arm() - expire once at @when_ns, at once when that has passed; 0 disarms
 *
 * Made before the device that it is handed to, bound after, destroyed after the device. Until it is
 * bound it does not expire. Return (create): 0, -ENOMEM or timerfd_create's -errno.
 * Context (arm): any thread; (bind, destroy): the loop's, or any while the loop does not run.
 */
struct evloop_timer;
int evloop_timer_create(struct evloop *loop, struct evloop_timer **ret_timer)
	__attribute__((warn_unused_result));
void evloop_timer_bind(struct evloop_timer *timer, void (*fn)(void *ctx), void *ctx,
		       struct device *dev);
struct timer evloop_timer_wire(struct evloop_timer *timer);
void evloop_timer_arm(void *timer, uint64_t when_ns);
void evloop_timer_destroy(struct evloop_timer *timer);

/**
 * evloop_run() - dispatch until evloop_stop()
 * evloop_stop() - make evloop_run() return once the callbacks that are due have run; sticky until
 *                 it has
 *
 * Context: evloop_stop() any thread and signal handlers.
 */
void evloop_run(struct evloop *loop);
void evloop_stop(struct evloop *loop);

/* Does the calling thread run @loop? */
bool evloop_is_here(const struct evloop *loop);

/**
 * evloop_thread_start() - run @loop on a thread of its own, which takes no signals
 * evloop_thread_stop() - stop it and wait until the thread has ended
 *
 * Return (start): 0 or -errno.
 */
struct evloop_thread {
	struct evloop *loop; /* NULL: not started */
	pthread_t thread;
};
int evloop_thread_start(struct evloop_thread *thread, struct evloop *loop)
	__attribute__((warn_unused_result));
void evloop_thread_stop(struct evloop_thread *thread);

#endif
