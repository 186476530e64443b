/*
 * Console device (VIRTIO 1.2 section 5.3) whose only port is no console: F_MULTIPORT, with a name
 * by which programs in the guest find it (/dev/virtio-ports/NAME where there is udev). Bytes are
 * nobody's terminal, so they arrive as they were sent.
 *
 * The port is console_port.c's. Control messages to the driver are remembered as what is due, and
 * sent when it has a buffer for them. A driver without F_MULTIPORT finds a plain port.
 *
 * Left out: ports that come and go, and telling that the host's end was closed; it never is.
 */
#include "console_port.h"

#include <errno.h>
#include <spec/virtio_config.h>
#include <spec/virtio_console.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/chardev.h>
#include <tinyvm/log.h>
#include <tinyvm/state.h>

#define PCI_CLASS_CONSOLE  0x078000 /* communication controller, other */
#define SERIAL_PORT_QUEUES 4
#define PORT_ID		   0

/* Control messages served in one go. */
#define CONTROL_BURST 64u

/* Messages to the driver, in the order in which they must come. */
enum due {
	DUE_ADD = 1 << 0,
	DUE_NAME = 1 << 1,
	DUE_OPEN = 1 << 2,
	DUE_ALL = DUE_ADD | DUE_NAME | DUE_OPEN,
};

/**
 * struct serial_port - the device
 * @due: enum due
 * @is_open: a program in the guest has the port open
 */
struct serial_port {
	struct virtio_device vd;
	struct console_port port;
	struct virtio_console_config config;
	const char *name;
	uint8_t due;
	bool is_open;
};

static struct serial_port *serial_port_of(struct virtio_device *vd)
{
	return (struct serial_port *)vd;
}

static const struct chardev_client serial_port_client = {
	.room = console_port_room,
	.receive = console_port_receive,
	.writable = console_port_writable,
};

/* Control messages to the driver */

/* What the driver sees of one message that is due; which it was is cleared. */
static void serial_port_write_due(struct serial_port *s, struct vchain *chain)
{
	struct virtio_console_control msg = {.id = PORT_ID, .value = 1};
	size_t name_len = 0;
	if (s->due & DUE_ADD) {
		msg.event = VIRTIO_CONSOLE_PORT_ADD;
		s->due &= (uint8_t)~DUE_ADD;
	} else if (s->due & DUE_NAME) {
		msg.event = VIRTIO_CONSOLE_PORT_NAME;
		name_len = strlen(s->name);
		s->due &= (uint8_t)~DUE_NAME;
	} else {
		msg.event = VIRTIO_CONSOLE_PORT_OPEN;
		s->due &= (uint8_t)~DUE_OPEN;
	}
	if (chain_write(chain, &msg, sizeof(msg)) != 0 ||
	    (name_len && chain_write(chain, s->name, name_len) != 0))
		log_guest(&s->vd.bad_requests, "%s: a control message does not fit its buffer",
			  s->vd.dev.id);
}

static void serial_port_send_due(struct serial_port *s)
{
	struct virtq *vq = &s->vd.queue[VIRTIO_CONSOLE_CONTROL_RECEIVEQ];
	struct vchain chain;
	while (s->due) {
		if (vq_pop(vq, &chain) <= 0 &&
		    (!vq_enable_kick(vq, true) || vq_pop(vq, &chain) <= 0))
			break;
		serial_port_write_due(s, &chain);
		vq_push(vq, &chain);
	}
	vq_signal(vq);
}

/* Control messages from it */

static void serial_port_set_open(struct serial_port *s, bool is_open)
{
	s->is_open = is_open;
	s->port.is_closed = !is_open && virtio_has(&s->vd, VIRTIO_CONSOLE_F_MULTIPORT);
	if (!s->port.is_closed)
		console_port_ask_for_input(&s->port);
}

static void serial_port_obey(struct serial_port *s, const struct virtio_console_control *msg)
{
	if (msg->event == VIRTIO_CONSOLE_DEVICE_READY) {
		if (msg->value)
			s->due |= DUE_ADD;
		return;
	}
	if (msg->id != PORT_ID) {
		log_guest(&s->vd.bad_requests, "%s: a message for port %u, which is not there",
			  s->vd.dev.id, msg->id);
		return;
	}
	if (msg->event == VIRTIO_CONSOLE_PORT_READY && msg->value)
		s->due |= DUE_NAME | DUE_OPEN;
	else if (msg->event == VIRTIO_CONSOLE_PORT_OPEN)
		serial_port_set_open(s, msg->value);
}

static void serial_port_take_control(struct serial_port *s)
{
	struct virtq *vq = &s->vd.queue[VIRTIO_CONSOLE_CONTROL_TRANSMITQ];
	struct vchain chain;
	for (unsigned i = 0;; i++) {
		struct virtio_console_control msg;
		if (i == CONTROL_BURST) {
			vq_serve_later(vq);
			break;
		}
		if (vq_pop(vq, &chain) <= 0 &&
		    (!vq_enable_kick(vq, true) || vq_pop(vq, &chain) <= 0))
			break;
		bool is_whole = chain_read(&chain, &msg, sizeof(msg)) == 0;
		vq_push(vq, &chain);
		if (is_whole)
			serial_port_obey(s, &msg);
		else
			log_guest(&s->vd.bad_requests, "%s: a control message is too short",
				  s->vd.dev.id);
	}
	vq_signal(vq);
	serial_port_send_due(s);
}

/* Device */

static void serial_port_notify(struct virtio_device *vd, unsigned queue)
{
	struct serial_port *s = serial_port_of(vd);
	if (queue == VIRTIO_CONSOLE_CONTROL_TRANSMITQ)
		serial_port_take_control(s);
	else if (queue == VIRTIO_CONSOLE_CONTROL_RECEIVEQ)
		serial_port_send_due(s);
	else
		console_port_notify(&s->port, queue);
}

static void serial_port_start(struct virtio_device *vd)
{
	struct serial_port *s = serial_port_of(vd);
	vq_enable_kick(&vd->queue[VIRTIO_CONSOLE_CONTROL_RECEIVEQ], true);
	vq_enable_kick(&vd->queue[VIRTIO_CONSOLE_CONTROL_TRANSMITQ], true);
	s->port.is_closed = !s->is_open && virtio_has(vd, VIRTIO_CONSOLE_F_MULTIPORT);
	console_port_start(&s->port);
}

static void serial_port_stop(struct virtio_device *vd)
{
	struct serial_port *s = serial_port_of(vd);
	console_port_stop(&s->port);
	s->due = 0;
	s->is_open = false;
}

static void serial_port_quiesce(struct virtio_device *vd)
{
	console_port_quiesce(&serial_port_of(vd)->port);
}

static void serial_port_resume(struct virtio_device *vd)
{
	console_port_ask_for_input(&serial_port_of(vd)->port);
}

static void serial_port_state(struct virtio_device *vd, struct state *st)
{
	struct serial_port *s = serial_port_of(vd);
	bool is_open = s->is_open;
	state_u8(st, "due", &s->due);
	state_bool(st, "open", &is_open);
	console_port_state(&s->port, st);
	if (!state_is_loading(st))
		return;
	if (s->due & ~DUE_ALL)
		state_fail(st, "there are no such control messages");
	s->is_open = is_open;
	s->port.is_closed = !is_open && virtio_has(vd, VIRTIO_CONSOLE_F_MULTIPORT);
}

static void serial_port_destroy(struct device *dev)
{
	struct serial_port *s = (struct serial_port *)dev;
	chardev_attach(s->port.cd, NULL, NULL, NULL);
	virtio_device_fini(&s->vd);
	free(s);
}

static const struct virtio_ops serial_port_ops = {
	.dev =
		{
			.type = "virtio-port",
			.version = 1,
			.reset = virtio_device_reset,
			.state = virtio_device_state,
			.quiesce = virtio_device_quiesce,
			.resume = virtio_device_resume,
			.destroy = serial_port_destroy,
		},
	.device_id = VIRTIO_ID_CONSOLE,
	.pci_class = PCI_CLASS_CONSOLE,
	.start = serial_port_start,
	.stop = serial_port_stop,
	.notify = serial_port_notify,
	.state = serial_port_state,
	.quiesce = serial_port_quiesce,
	.resume = serial_port_resume,
	.reset = serial_port_stop,
};

int virtio_port_create(struct virtio_device **ret_vd, const char *id, struct gmem *gm,
		       struct chardev *cd, const char *name)
{
	struct serial_port *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->config.max_nr_ports = 1;
	int error = virtio_device_init(&s->vd, &serial_port_ops, id, gm,
				       1u << VIRTIO_CONSOLE_F_MULTIPORT, &s->config,
				       sizeof(s->config), SERIAL_PORT_QUEUES, CONSOLE_QUEUE_SIZE);
	if (error) {
		free(s);
		return error;
	}
	s->name = name;
	console_port_init(&s->port, &s->vd, cd, VIRTIO_CONSOLE_RECEIVEQ, VIRTIO_CONSOLE_TRANSMITQ);
	chardev_attach(cd, &serial_port_client, &s->port, &s->vd.dev);
	*ret_vd = &s->vd;
	return 0;
}
