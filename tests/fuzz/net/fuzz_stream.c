/*
 * A stream peer that sends any bytes, torn anywhere, to a client that asks whenever it likes. What
 * the client gets is compared with the frames that are in the bytes, and what the peer gets with
 * what the client sent.
 *
 * The input: how the client asks, then a script of actions.
 */
#include "stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <tinyvm/device.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/log.h>
#include <tinyvm/net.h>
#include <unistd.h>

#include <spec/virtio_net.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SENT_MAX (4u << 20)

#define EXPECT(cond)             \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

/* Bytes that passed one way, and how many of them were compared. */
struct pipe_bytes {
	uint8_t *byte;
	size_t len, at;
};

/**
 * struct fuzz - one run
 * @room, @window, @take: what the client offers, in windows of which size, frames a call
 * @in:      what the peer wrote
 * @out:     what the client sent and the backend took
 * @dropped: frames of @in that must have been dropped
 * @refused: sent frames that were dropped
 * @is_nonsense: @in has a length that no stream survives at @in.at
 */
struct fuzz {
	struct device dev;
	struct evloop *loop;
	struct netif *nif;
	int peer;
	size_t room, window;
	unsigned take;
	struct pipe_bytes in, out;
	uint64_t dropped, refused;
	bool is_nonsense;
	unsigned changed;
};

/* What of @in must come next. Return: the frame's length; 0 for none. */
static size_t fuzz_next(struct fuzz *f)
{
	while (f->in.len - f->in.at >= 4) {
		const uint8_t *p = f->in.byte + f->in.at;
		size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
		if (len == 0 || len > 256 << 10) {
			f->is_nonsense = true;
			return 0;
		}
		bool is_good = len >= NETIF_FRAME_MIN && len <= NETIF_FRAME_MAX && len <= f->room;
		if (is_good)
			return f->in.len - f->in.at - 4 >= len ? len : 0;
		f->dropped++;
		/* Its end may still have to come. */
		f->in.at += 4 + len;
		if (f->in.at > f->in.len)
			return 0;
	}
	return 0;
}

static bool fuzz_receive(struct fuzz *f)
{
	static uint8_t buf[1 << 17];
	struct iovec iov[256];
	struct virtio_net_hdr hdr = {.flags = 0xff, .gso_type = 0xff};
	unsigned n = 0;
	for (size_t off = 0; off < f->room && n < 256; off += f->window, n++) {
		size_t left = f->room - off;
		bool is_last = n == 255 || left < f->window;
		iov[n] = (struct iovec){buf + off, is_last ? left : f->window};
	}
	ssize_t got = f->nif->ops->receive(f->nif, 0, &hdr, iov, n);
	if (got < 0) {
		EXPECT(got == -EAGAIN);
		return false;
	}
	size_t len = f->in.at <= f->in.len ? fuzz_next(f) : 0;
	EXPECT(len && (size_t)got == len);
	EXPECT(memcmp(buf, f->in.byte + f->in.at + 4, len) == 0);
	EXPECT(hdr.flags == 0 && hdr.gso_type == 0);
	f->in.at += 4 + len;
	return true;
}

static void fuzz_readable(void *ctx, unsigned queue)
{
	struct fuzz *f = ctx;
	(void)queue;
	for (unsigned i = 0; (!f->take || i < f->take) && fuzz_receive(f); i++)
		;
}

static void fuzz_writable(void *ctx, unsigned queue)
{
	(void)ctx, (void)queue;
}

static void fuzz_changed(void *ctx)
{
	struct fuzz *f = ctx;
	f->changed++;
}

static void fuzz_attach(struct fuzz *f, bool is_attached)
{
	static const struct netif_client client = {fuzz_readable, fuzz_writable, fuzz_changed};
	int ret = is_attached ? f->nif->ops->attach(f->nif, f->loop, &client, f, &f->dev)
			      : f->nif->ops->attach(f->nif, NULL, NULL, NULL, NULL);
	EXPECT(ret == 0);
}

static void fuzz_turn(struct fuzz *f)
{
	evloop_stop(f->loop);
	evloop_run(f->loop);
}

static void fuzz_write(struct fuzz *f, const uint8_t *data, size_t len)
{
	if (len > SENT_MAX - f->in.len)
		return;
	ssize_t n = send(f->peer, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n <= 0)
		return;
	memcpy(f->in.byte + f->in.len, data, (size_t)n);
	f->in.len += (size_t)n;
}

static size_t fuzz_frame(uint8_t *buf, size_t len, unsigned seed)
{
	buf[0] = 0;
	buf[1] = (uint8_t)(len >> 16);
	buf[2] = (uint8_t)(len >> 8);
	buf[3] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		buf[4 + i] = (uint8_t)(i * 5 + seed);
	return 4 + len;
}

static void fuzz_send(struct fuzz *f, size_t len)
{
	static const struct virtio_net_hdr hdr = {0};
	static uint8_t buf[1 << 17];
	size_t all = fuzz_frame(buf, len, (unsigned)f->out.len);
	if (all > SENT_MAX - f->out.len)
		return;
	const struct iovec iov[3] = {
		{buf + 4, len / 3}, {buf + 4 + len / 3, 0}, {buf + 4 + len / 3, len - len / 3}};
	uint64_t before = f->nif->dropped;
	int ret = f->nif->ops->send(f->nif, 0, &hdr, iov, 3, len);
	EXPECT(ret == 0 || ret == -EAGAIN);
	if (f->nif->dropped != before) {
		EXPECT(ret == 0);
		f->refused++;
	} else if (ret == 0) {
		memcpy(f->out.byte + f->out.len, buf, all);
		f->out.len += all;
	}
}

/* The peer reads some. */
static bool fuzz_peer_read(struct fuzz *f)
{
	static uint8_t buf[1 << 16];
	ssize_t n = recv(f->peer, buf, sizeof(buf), MSG_DONTWAIT);
	if (n <= 0)
		return false;
	EXPECT((size_t)n <= f->out.len - f->out.at);
	EXPECT(memcmp(buf, f->out.byte + f->out.at, (size_t)n) == 0);
	f->out.at += (size_t)n;
	return true;
}

static void fuzz_act(struct fuzz *f, const uint8_t **data, size_t *size)
{
	static uint8_t frame[1 << 17];
	uint8_t op = **data;
	(*data)++, (*size)--;
	size_t n = *size < op >> 3 ? *size : op >> 3;
	size_t length =
		*size < 2 ? 60 : ((size_t)(*data)[0] << 9 | (size_t)(*data)[1] << 1) % 66000;

	switch (op & 7) {
	case 0: /* bytes of the input */
		fuzz_write(f, *data, n);
		*data += n, *size -= n;
		return;
	case 1: /* a frame */
	case 2: /* the same, in parts */
		n = fuzz_frame(frame, length, op);
		if ((op & 7) == 2) {
			size_t cut = n * (op >> 3) / 32;
			fuzz_write(f, frame, cut);
			fuzz_turn(f);
			fuzz_write(f, frame + cut, n - cut);
		} else {
			fuzz_write(f, frame, n);
		}
		break;
	case 3:
		fuzz_send(f, length);
		break;
	case 4:
		fuzz_receive(f);
		return;
	case 5:
		f->nif->ops->want(f->nif, 0, op >> 3 & 1);
		return;
	case 6:
		fuzz_attach(f, false);
		if (op >> 3 & 1)
			fuzz_peer_read(f);
		fuzz_attach(f, true);
		return;
	case 7:
		fuzz_turn(f);
		if (op >> 3 & 1)
			fuzz_peer_read(f);
		return;
	}
	n = *size < 2 ? *size : 2;
	*data += n, *size -= n;
}

/* Everything that was on its way arrives. */
static void fuzz_finish(struct fuzz *f)
{
	f->nif->ops->want(f->nif, 0, true);
	for (unsigned quiet = 0; quiet < 4; quiet++) {
		size_t before = f->in.at;
		fuzz_turn(f);
		while (fuzz_peer_read(f) || f->in.at != before) {
			before = f->in.at;
			quiet = 0;
			fuzz_turn(f);
		}
	}
	size_t left = f->in.at <= f->in.len ? fuzz_next(f) : 0;
	EXPECT(left == 0);
	/* One that is not all there may be counted already. */
	uint64_t counted = f->nif->dropped - f->refused;
	EXPECT(counted == f->dropped || (f->in.at > f->in.len && counted == f->dropped - 1));
	EXPECT(f->nif->is_up == !f->is_nonsense);
	EXPECT(f->changed == f->is_nonsense);
	EXPECT(f->is_nonsense || f->out.at == f->out.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct device_ops no_ops;
	static uint8_t *in, *out;
	static const size_t room[] = {NETIF_FRAME_MAX, 1514, 14, 70000};
	static const size_t window[] = {70000, 4096, 1526, 300};
	int fd[2];
	if (size == 0)
		return 0;
	if (!in) {
		in = malloc(SENT_MAX);
		out = malloc(SENT_MAX);
		log_set_level(LOG_ERROR);
	}
	struct fuzz f = {
		.room = room[data[0] & 3],
		.window = window[data[0] >> 2 & 3],
		.take = data[0] >> 4 & 3,
		.in = {.byte = in},
		.out = {.byte = out},
	};
	EXPECT(in && out && socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	device_init(&f.dev, &no_ops, "net0");
	EXPECT(evloop_create(&f.loop) == 0);
	EXPECT(net_fd_open(&f.nif, fd[0], "net0", NULL) == 0);
	f.peer = fd[1];
	fuzz_attach(&f, true);
	data++, size--;
	while (size)
		fuzz_act(&f, &data, &size);
	fuzz_finish(&f);
	fuzz_attach(&f, false);
	netif_destroy(f.nif);
	evloop_destroy(f.loop);
	close(f.peer);
	pthread_mutex_destroy(&f.dev.lock);
	return 0;
}
