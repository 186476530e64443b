/* One port of a console device: a receive and a transmit queue, and the backend between them. */
#ifndef CONSOLE_PORT_H
#define CONSOLE_PORT_H

#include "virtio_device.h"

struct chardev;

#define CONSOLE_QUEUE_SIZE 128
#define CONSOLE_PIECE	   32768 /* as much as Linux' driver sends in one chain */

/**
 * struct console_port - the port
 * @receiveq, @transmitq: its queues
 * @is_closed: the driver wants no input now
 * @rx, @has_rx: receive buffer taken from the queue, nothing in it yet
 * @tx, @has_tx: chain being sent
 * @tx_sent: how many of its bytes the backend has; of the next chain when there is none
 * @buf, @buf_at, @buf_len: bytes of it that have been read but not sent
 * @is_refusing: the backend was told that there is no room, and waits for chardev_resume()
 */
struct console_port {
	struct virtio_device *vd;
	struct chardev *cd;
	struct virtq *receiveq, *transmitq;
	bool is_closed;
	bool has_rx;
	bool has_tx;
	bool is_refusing;
	struct vchain rx;
	struct vchain tx;
	uint32_t tx_sent;
	size_t buf_at, buf_len;
	uint8_t buf[CONSOLE_PIECE];
};

void console_port_init(struct console_port *p, struct virtio_device *vd, struct chardev *cd,
		       unsigned receiveq, unsigned transmitq);

/* struct chardev_client, with the port as its ctx. */
size_t console_port_room(void *ctx);
void console_port_receive(void *ctx, const uint8_t *buf, size_t len);
void console_port_writable(void *ctx);

/* The doorbell of one of its queues. */
void console_port_notify(struct console_port *p, unsigned queue);

/* Tells the backend, when it waits, that there may be room again. */
void console_port_ask_for_input(struct console_port *p);

/* As the functions of struct virtio_ops. console_port_stop() is also for a reset. */
void console_port_start(struct console_port *p);
void console_port_stop(struct console_port *p);
void console_port_quiesce(struct console_port *p);
void console_port_state(struct console_port *p, struct state *st);

#endif
