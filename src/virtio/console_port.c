/*
 * One port of a console device (VIRTIO 1.2 section 5.3.6): bytes between two queues and a backend.
 *
 * Received bytes go into the driver's buffer at the head of the receive queue, one buffer for each
 * delivery. A transmitted chain that the backend takes only in part is kept and goes on when the
 * backend has room again.
 *
 * quiesce puts chains in flight back on the avail ring (they are always the last ones taken), and
 * the state says how much of the next transmitted chain has gone out already.
 */
#include "console_port.h"

#include <tinyvm/chardev.h>
#include <tinyvm/state.h>

/* Served in one go: a driver that never stops adding chains cannot hold the thread. */
#define BURST_CHAINS 1024u
#define BURST_BYTES  (1u << 20)

void console_port_init(struct console_port *p, struct virtio_device *vd, struct chardev *cd,
		       unsigned receiveq, unsigned transmitq)
{
	p->vd = vd;
	p->cd = cd;
	p->receiveq = &vd->queue[receiveq];
	p->transmitq = &vd->queue[transmitq];
}

/* May bytes move now? */
static bool port_is_running(const struct console_port *p)
{
	return virtio_is_live(p->vd) && !p->vd->is_quiesced;
}

/* The next chain of @vq. Return: false when there is none, and a doorbell will tell of one. */
static bool port_pop(struct virtq *vq, struct vchain *chain)
{
	return vq_pop(vq, chain) > 0 || (vq_enable_kick(vq, true) && vq_pop(vq, chain) > 0);
}

/* Transmit */

/* The next bytes of the chain into the buffer. Return: false at the chain's end. */
static bool port_tx_fill(struct console_port *p)
{
	size_t len = chain_readable(&p->tx);
	if (len > sizeof(p->buf))
		len = sizeof(p->buf);
	p->buf_at = 0;
	p->buf_len = 0;
	if (!len || chain_read(&p->tx, p->buf, len) != 0)
		return false;
	p->buf_len = len;
	return true;
}

/* Takes up a chain, after the bytes of it that went out before it was put back. */
static void port_tx_begin(struct console_port *p)
{
	uint32_t skip = p->tx_sent;
	p->has_tx = true;
	p->tx_sent = 0;
	p->buf_at = p->buf_len = 0;
	while (skip && port_tx_fill(p)) {
		size_t n = p->buf_len < skip ? p->buf_len : skip;
		skip -= (uint32_t)n;
		p->tx_sent += (uint32_t)n;
		p->buf_at = n;
	}
}

/* Return: false when the backend pushes back. */
static bool port_tx_chain(struct console_port *p)
{
	while (p->buf_at < p->buf_len || port_tx_fill(p)) {
		size_t n = chardev_write(p->cd, p->buf + p->buf_at, p->buf_len - p->buf_at);
		p->buf_at += n;
		p->tx_sent += (uint32_t)n;
		if (p->buf_at < p->buf_len)
			return false;
	}
	vq_push(p->transmitq, &p->tx);
	p->has_tx = false;
	return true;
}

static void port_transmit(struct console_port *p)
{
	uint64_t bytes = 0;
	for (unsigned i = 0;; i++) {
		if (i == BURST_CHAINS || bytes >= BURST_BYTES) {
			vq_serve_later(p->transmitq);
			break;
		}
		if (!p->has_tx) {
			if (!port_pop(p->transmitq, &p->tx))
				break;
			port_tx_begin(p);
		}
		if (!port_tx_chain(p))
			break;
		bytes += p->tx_sent;
		p->tx_sent = 0;
	}
	vq_signal(p->transmitq);
}

void console_port_writable(void *ctx)
{
	struct console_port *p = ctx;
	if (port_is_running(p))
		port_transmit(p);
}

/* Receive */

/* A buffer with room, at the head of the queue; empty ones go back to the driver. */
static bool port_rx_begin(struct console_port *p)
{
	for (unsigned i = 0; i < BURST_CHAINS && !p->has_rx; i++) {
		if (!port_pop(p->receiveq, &p->rx))
			return false;
		if (chain_writable(&p->rx))
			p->has_rx = true;
		else
			vq_push(p->receiveq, &p->rx);
	}
	if (!p->has_rx)
		vq_serve_later(p->receiveq);
	return p->has_rx;
}

size_t console_port_room(void *ctx)
{
	struct console_port *p = ctx;
	if (port_is_running(p) && !p->is_closed && port_rx_begin(p))
		return chain_writable(&p->rx);
	p->is_refusing = true;
	return 0;
}

void console_port_receive(void *ctx, const uint8_t *buf, size_t len)
{
	struct console_port *p = ctx;
	if (!p->has_rx || chain_write(&p->rx, buf, len) != 0)
		return; /* the driver reset the device since room() */
	p->has_rx = false;
	vq_push(p->receiveq, &p->rx);
	vq_signal(p->receiveq);
}

void console_port_ask_for_input(struct console_port *p)
{
	if (!p->is_refusing)
		return;
	p->is_refusing = false;
	chardev_resume(p->cd);
}

/* Device */

void console_port_notify(struct console_port *p, unsigned queue)
{
	if (queue == p->transmitq->index)
		port_transmit(p);
	else
		console_port_ask_for_input(p);
}

void console_port_start(struct console_port *p)
{
	vq_enable_kick(p->receiveq, true);
	vq_enable_kick(p->transmitq, true);
	console_port_ask_for_input(p);
}

void console_port_stop(struct console_port *p)
{
	p->has_rx = p->has_tx = false;
	p->tx_sent = 0;
	p->buf_at = p->buf_len = 0;
}

void console_port_quiesce(struct console_port *p)
{
	uint32_t sent = p->has_tx ? p->tx_sent : 0;
	p->receiveq->avail_idx -= p->has_rx && p->receiveq->is_ready;
	p->transmitq->avail_idx -= p->has_tx && p->transmitq->is_ready;
	console_port_stop(p);
	p->tx_sent = sent;
}

void console_port_state(struct console_port *p, struct state *st)
{
	state_u32(st, "transmitted", &p->tx_sent);
}
