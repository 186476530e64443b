/*
 * Console device (VIRTIO 1.2 section 5.3): one port, with F_SIZE and F_EMERG_WRITE.
 *
 * Received bytes go into the driver's buffer at the head of the receive queue, one buffer for each
 * delivery. A transmitted chain that the backend takes only in part is kept and goes on when the
 * backend has room again.
 *
 * quiesce puts chains in flight back on the avail ring (they are always the last ones taken), and
 * the state says how much of the next transmitted chain has gone out already.
 *
 * Left out: F_MULTIPORT and the control queues.
 */
#include "virtio_device.h"

#include <errno.h>
#include <spec/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/chardev.h>
#include <tinyvm/state.h>

#define PCI_CLASS_CONSOLE  0x078000 /* communication controller, other */
#define CONSOLE_F_SIZE	   0
#define CONSOLE_F_EMERG	   2
#define CONSOLE_QUEUE_SIZE 128

/* Chains served in one go: a driver that never stops adding some cannot hold the thread. */
#define CONSOLE_BURST 1024u

enum {
	RECEIVEQ,
	TRANSMITQ,
	CONSOLE_QUEUES,
};

/* Section 5.3.4; little-endian like every host we run on. */
struct console_config {
	uint16_t cols;
	uint16_t rows;
	uint32_t max_nr_ports;
	uint32_t emerg_wr;
};
_Static_assert(sizeof(struct console_config) == 12, "virtio_console_config");

/**
 * struct console - the port
 * @config:  what the driver reads; @cols and @rows are what it should read
 * @rx, @has_rx: receive buffer taken from the queue, nothing in it yet
 * @tx, @has_tx: chain being sent
 * @tx_sent: how many of its bytes the backend has; of the next chain when there is none
 * @buf, @buf_at, @buf_len: bytes of it that have been read but not sent
 * @is_refusing: the backend was told that there is no room, and waits for chardev_resume()
 */
struct console {
	struct virtio_device vd;
	struct chardev *cd;
	struct console_config config;
	uint16_t cols, rows;
	struct vchain rx;
	struct vchain tx;
	bool has_rx;
	bool has_tx;
	bool is_refusing;
	uint32_t tx_sent;
	uint8_t buf[1024];
	size_t buf_at, buf_len;
};

/* Transmit */

/* The next bytes of the chain into the buffer. Return: false at the chain's end. */
static bool console_tx_fill(struct console *c)
{
	size_t len = chain_readable(&c->tx);
	if (len > sizeof(c->buf))
		len = sizeof(c->buf);
	c->buf_at = 0;
	c->buf_len = 0;
	if (!len || chain_read(&c->tx, c->buf, len) != 0)
		return false;
	c->buf_len = len;
	return true;
}

/* Takes up a chain, after the bytes of it that went out before it was put back. */
static void console_tx_begin(struct console *c)
{
	uint32_t skip = c->tx_sent;
	c->has_tx = true;
	c->tx_sent = 0;
	c->buf_at = c->buf_len = 0;
	while (skip && console_tx_fill(c)) {
		size_t n = c->buf_len < skip ? c->buf_len : skip;
		skip -= (uint32_t)n;
		c->tx_sent += (uint32_t)n;
		c->buf_at = n;
	}
}

/* Return: false when the backend pushes back. */
static bool console_tx_chain(struct console *c)
{
	while (c->buf_at < c->buf_len || console_tx_fill(c)) {
		size_t n = chardev_write(c->cd, c->buf + c->buf_at, c->buf_len - c->buf_at);
		c->buf_at += n;
		c->tx_sent += (uint32_t)n;
		if (c->buf_at < c->buf_len)
			return false;
	}
	vq_push(&c->vd.queue[TRANSMITQ], &c->tx);
	c->has_tx = false;
	c->tx_sent = 0;
	return true;
}

static void console_transmit(struct console *c)
{
	struct virtq *vq = &c->vd.queue[TRANSMITQ];
	for (unsigned i = 0;; i++) {
		if (i == CONSOLE_BURST) {
			vq_serve_later(vq);
			break;
		}
		if (!c->has_tx) {
			if (vq_pop(vq, &c->tx) <= 0 &&
			    (!vq_enable_kick(vq, true) || vq_pop(vq, &c->tx) <= 0))
				break;
			console_tx_begin(c);
		}
		if (!console_tx_chain(c))
			break;
	}
	vq_signal(vq);
}

/* Receive */

/* A buffer with room, at the head of the queue; empty ones go back to the driver. */
static bool console_rx_begin(struct console *c)
{
	struct virtq *vq = &c->vd.queue[RECEIVEQ];
	for (unsigned i = 0; i < CONSOLE_BURST && !c->has_rx; i++) {
		if (vq_pop(vq, &c->rx) <= 0 &&
		    (!vq_enable_kick(vq, true) || vq_pop(vq, &c->rx) <= 0))
			return false;
		if (chain_writable(&c->rx))
			c->has_rx = true;
		else
			vq_push(vq, &c->rx);
	}
	if (!c->has_rx)
		vq_serve_later(vq);
	return c->has_rx;
}

static size_t console_room(void *ctx)
{
	struct console *c = ctx;
	if (virtio_is_live(&c->vd) && !c->vd.is_quiesced && console_rx_begin(c))
		return chain_writable(&c->rx);
	c->is_refusing = true;
	return 0;
}

static void console_receive(void *ctx, const uint8_t *buf, size_t len)
{
	struct console *c = ctx;
	struct virtq *vq = &c->vd.queue[RECEIVEQ];
	if (!c->has_rx || chain_write(&c->rx, buf, len) != 0)
		return; /* the driver reset the device since room() */
	c->has_rx = false;
	vq_push(vq, &c->rx);
	vq_signal(vq);
}

static void console_ask_for_input(struct console *c)
{
	if (!c->is_refusing)
		return;
	c->is_refusing = false;
	chardev_resume(c->cd);
}

static void console_writable(void *ctx)
{
	struct console *c = ctx;
	if (virtio_is_live(&c->vd) && !c->vd.is_quiesced)
		console_transmit(c);
}

/* Window size */

static void console_show_size(struct console *c)
{
	if (c->config.cols == c->cols && c->config.rows == c->rows)
		return;
	c->config.cols = c->cols;
	c->config.rows = c->rows;
	if (virtio_has(&c->vd, CONSOLE_F_SIZE))
		virtio_config_changed(&c->vd);
}

static void console_resized(void *ctx, uint16_t cols, uint16_t rows)
{
	struct console *c = ctx;
	c->cols = cols;
	c->rows = rows;
	if (!c->vd.is_quiesced)
		console_show_size(c);
}

static const struct chardev_client console_client = {
	.room = console_room,
	.receive = console_receive,
	.writable = console_writable,
	.resized = console_resized,
};

/* Device */

static void console_notify(struct virtio_device *vd, unsigned queue)
{
	struct console *c = (struct console *)vd;
	if (queue == TRANSMITQ)
		console_transmit(c);
	else
		console_ask_for_input(c);
}

static void console_forget(struct console *c)
{
	c->has_rx = c->has_tx = false;
	c->tx_sent = 0;
	c->buf_at = c->buf_len = 0;
}

static void console_start(struct virtio_device *vd)
{
	struct console *c = (struct console *)vd;
	vq_enable_kick(&vd->queue[RECEIVEQ], true);
	vq_enable_kick(&vd->queue[TRANSMITQ], true);
	console_ask_for_input(c);
}

static void console_stop(struct virtio_device *vd)
{
	console_forget((struct console *)vd);
}

/* An emergency character may come before any queue exists; the rest of the bytes is read-only. */
static void console_config_written(struct virtio_device *vd, unsigned off, unsigned len)
{
	struct console *c = (struct console *)vd;
	const unsigned at = offsetof(struct console_config, emerg_wr);
	uint8_t byte = (uint8_t)c->config.emerg_wr;

	if (off <= at && off + len > at)
		chardev_write(c->cd, &byte,
			      1); /* "the device SHOULD": lost when there is no room */
	c->config = (struct console_config){.cols = c->cols, .rows = c->rows, .max_nr_ports = 1};
}

static void console_quiesce(struct virtio_device *vd)
{
	struct console *c = (struct console *)vd;
	uint32_t sent = c->has_tx ? c->tx_sent : 0;
	vd->queue[RECEIVEQ].avail_idx -= c->has_rx && vd->queue[RECEIVEQ].is_ready;
	vd->queue[TRANSMITQ].avail_idx -= c->has_tx && vd->queue[TRANSMITQ].is_ready;
	console_forget(c);
	c->tx_sent = sent;
}

static void console_resume(struct virtio_device *vd)
{
	struct console *c = (struct console *)vd;
	console_show_size(c); /* the host's window may be another one than when it was saved */
	console_ask_for_input(c);
}

static void console_state(struct virtio_device *vd, struct state *st)
{
	struct console *c = (struct console *)vd;
	state_u16(st, "cols", &c->config.cols);
	state_u16(st, "rows", &c->config.rows);
	state_u32(st, "transmitted", &c->tx_sent);
}

static void console_reset(struct virtio_device *vd)
{
	struct console *c = (struct console *)vd;
	console_forget(c);
	c->config = (struct console_config){.cols = c->cols, .rows = c->rows, .max_nr_ports = 1};
}

static void console_destroy(struct device *dev)
{
	struct console *c = (struct console *)dev;
	chardev_attach(c->cd, NULL, NULL, NULL);
	virtio_device_fini(&c->vd);
	free(c);
}

static const struct virtio_ops console_ops = {
	.dev =
		{
			.type = "virtio-console",
			.version = 1,
			.reset = virtio_device_reset,
			.state = virtio_device_state,
			.quiesce = virtio_device_quiesce,
			.resume = virtio_device_resume,
			.destroy = console_destroy,
		},
	.device_id = VIRTIO_ID_CONSOLE,
	.pci_class = PCI_CLASS_CONSOLE,
	.start = console_start,
	.stop = console_stop,
	.notify = console_notify,
	.config_written = console_config_written,
	.state = console_state,
	.quiesce = console_quiesce,
	.resume = console_resume,
	.reset = console_reset,
};

int virtio_console_create(struct virtio_device **ret_vd, const char *id, struct gmem *gm,
			  struct chardev *cd)
{
	struct console *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	const uint64_t features = 1u << CONSOLE_F_SIZE | 1u << CONSOLE_F_EMERG;
	int error = virtio_device_init(&c->vd, &console_ops, id, gm, features, &c->config,
				       sizeof(c->config), CONSOLE_QUEUES, CONSOLE_QUEUE_SIZE);
	if (error) {
		free(c);
		return error;
	}
	c->cd = cd;
	console_reset(&c->vd);
	chardev_attach(cd, &console_client, c, &c->vd.dev);
	*ret_vd = &c->vd;
	return 0;
}
