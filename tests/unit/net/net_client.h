/*
 * A netif's client for tests: an event loop that is driven by hand, and a device that keeps the
 * frames it was given.
 */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include "test.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <tinyvm/device.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/net.h>
#include <unistd.h>

#include <spec/virtio_net.h>

#define CLIENT_FRAMES 4096
#define CLIENT_ROOM   NETIF_FRAME_MAX

/**
 * struct net_client - the client and its loop
 * @is_waiting: a call ends evloop_run()
 * @take:    frames to take in one readable(); 0: as many as there are
 * @window:  size of the windows it offers; 0: one for all
 * @room:    what it offers in all
 * @readable, @writable, @changed: calls so far
 * @frame, @len, @count: what was received
 */
struct net_client {
	struct device dev;
	struct evloop *loop;
	struct netif *nif;
	int timer;
	struct evloop_fd *timer_handle;
	bool is_waiting, is_late;

	unsigned take;
	size_t window;
	size_t room;
	unsigned readable, writable, changed;
	uint8_t *frame[CLIENT_FRAMES];
	size_t len[CLIENT_FRAMES];
	unsigned count;
};

/* A frame that tells its seed and length. */
static inline void client_fill(uint8_t *frame, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		frame[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8) + len);
}

static inline bool client_has(const struct net_client *c, unsigned n, size_t len, unsigned seed)
{
	static uint8_t want[NETIF_FRAME_MAX];
	client_fill(want, len, seed);
	return n < c->count && c->len[n] == len && memcmp(c->frame[n], want, len) == 0;
}

/* Return: what netif_receive() does; a frame is kept. */
static inline ssize_t client_receive(struct net_client *c)
{
	struct virtio_net_hdr hdr;
	struct iovec iov[512];
	unsigned n = 0;
	uint8_t *buf = malloc(c->room);
	memset(&hdr, 0xff, sizeof(hdr));
	memset(buf, 0xee, c->room);
	size_t window = c->window ? c->window : c->room;
	for (size_t off = 0; off < c->room && n < 512; off += window, n++) {
		size_t left = c->room - off;
		iov[n] = (struct iovec){buf + off, left < window ? left : window};
	}
	ssize_t len = c->nif->ops->receive(c->nif, 0, &hdr, iov, n);
	if (len > 0 && (c->count == CLIENT_FRAMES || hdr.flags || hdr.gso_type))
		abort();
	if (len > 0) {
		c->frame[c->count] = buf;
		c->len[c->count++] = (size_t)len;
	} else {
		free(buf);
	}
	return len;
}

static inline void client_called(struct net_client *c, unsigned *counter)
{
	++*counter;
	if (c->is_waiting)
		evloop_stop(c->loop);
}

static inline void client_readable(void *ctx, unsigned queue)
{
	struct net_client *c = ctx;
	(void)queue;
	client_called(c, &c->readable);
	for (unsigned n = 0; (!c->take || n < c->take) && client_receive(c) > 0; n++)
		;
}

static inline void client_writable(void *ctx, unsigned queue)
{
	struct net_client *c = ctx;
	(void)queue;
	client_called(c, &c->writable);
}

static inline void client_changed(void *ctx)
{
	struct net_client *c = ctx;
	client_called(c, &c->changed);
}

static inline int client_send_iov(struct net_client *c, const struct iovec *iov, unsigned count,
				  size_t len)
{
	static const struct virtio_net_hdr none = {0};
	return c->nif->ops->send(c->nif, 0, &none, iov, count, len);
}

static inline int client_send(struct net_client *c, size_t len, unsigned seed)
{
	static uint8_t frame[1 << 17];
	const struct iovec iov = {frame, len};
	client_fill(frame, len, seed);
	return client_send_iov(c, &iov, 1, len);
}

static inline int client_attach(struct net_client *c)
{
	static const struct netif_client client = {
		.readable = client_readable,
		.writable = client_writable,
		.link_changed = client_changed,
	};
	return c->nif->ops->attach(c->nif, c->loop, &client, c, &c->dev);
}

static inline int client_detach(struct net_client *c)
{
	return c->nif->ops->attach(c->nif, NULL, NULL, NULL, NULL);
}

static inline void client_timeout(void *ctx, uint32_t events)
{
	struct net_client *c = ctx;
	(void)events;
	c->is_late = true;
	evloop_stop(c->loop);
}

/* @nif becomes the client's. */
static inline void client_open(struct net_client *c, struct netif *nif)
{
	static const struct device_ops no_ops;
	memset(c, 0, sizeof(*c));
	c->nif = nif;
	c->room = CLIENT_ROOM;
	device_init(&c->dev, &no_ops, "net0");
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (!nif || c->timer < 0 || evloop_create(&c->loop) != 0 ||
	    evloop_add(c->loop, &c->timer_handle, c->timer, EPOLLIN, client_timeout, c, NULL) !=
		    0 ||
	    client_attach(c) != 0)
		abort();
}

static inline void client_forget(struct net_client *c)
{
	while (c->count)
		free(c->frame[--c->count]);
}

static inline void client_close(struct net_client *c)
{
	if (client_detach(c) != 0)
		abort();
	netif_destroy(c->nif);
	evloop_remove(c->timer_handle);
	evloop_destroy(c->loop);
	close(c->timer);
	pthread_mutex_destroy(&c->dev.lock);
	client_forget(c);
}

/* Dispatches what is due, once. */
static inline void client_turn(struct net_client *c)
{
	evloop_stop(c->loop);
	evloop_run(c->loop);
}

/* Until nothing is due any more. Return: false when that never comes. */
static inline bool client_settle(struct net_client *c)
{
	for (unsigned turns = 0, quiet = 0; turns < 100000; turns++) {
		unsigned before = c->readable + c->writable + c->changed;
		client_turn(c);
		quiet = c->readable + c->writable + c->changed == before ? quiet + 1 : 0;
		if (quiet == 3)
			return true;
	}
	return false;
}

/* Dispatches until *@counter is @target. Return: false when it is not after @ms. */
static inline bool client_wait(struct net_client *c, const unsigned *counter, unsigned target,
			       unsigned ms)
{
	const struct itimerspec limit = {.it_value = {ms / 1000, ms % 1000 * 1000000L}};
	const struct itimerspec off = {.it_value = {0, 0}};
	timerfd_settime(c->timer, 0, &limit, NULL);
	c->is_waiting = true;
	for (c->is_late = false; *counter < target && !c->is_late;)
		evloop_run(c->loop);
	c->is_waiting = false;
	timerfd_settime(c->timer, 0, &off, NULL);
	return *counter >= target;
}

#endif
