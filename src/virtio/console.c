/*
 * Console device (VIRTIO 1.2 section 5.3): one port, with F_SIZE and F_EMERG_WRITE.
 *
 * The port is console_port.c's. Left out: F_MULTIPORT and the control queues, which serial_port.c
 * has.
 */
#include "console_port.h"

#include <errno.h>
#include <spec/virtio_config.h>
#include <spec/virtio_console.h>
#include <stddef.h>
#include <stdlib.h>
#include <tinyvm/chardev.h>
#include <tinyvm/state.h>

#define PCI_CLASS_CONSOLE 0x078000 /* communication controller, other */
#define CONSOLE_QUEUES	  2

/**
 * struct console - a console
 * @config:  what the driver reads; @cols and @rows are what it should read
 */
struct console {
	struct virtio_device vd;
	struct console_port port;
	struct virtio_console_config config;
	uint16_t cols, rows;
};

static struct console *console_of(struct virtio_device *vd)
{
	return (struct console *)vd;
}

/* Window size */

static void console_show_size(struct console *c)
{
	if (c->config.cols == c->cols && c->config.rows == c->rows)
		return;
	c->config.cols = c->cols;
	c->config.rows = c->rows;
	if (virtio_has(&c->vd, VIRTIO_CONSOLE_F_SIZE))
		virtio_config_changed(&c->vd);
}

static void console_resized(void *ctx, uint16_t cols, uint16_t rows)
{
	struct console *c = console_of(((struct console_port *)ctx)->vd);
	c->cols = cols;
	c->rows = rows;
	if (!c->vd.is_quiesced)
		console_show_size(c);
}

static const struct chardev_client console_client = {
	.room = console_port_room,
	.receive = console_port_receive,
	.writable = console_port_writable,
	.resized = console_resized,
};

/* Device */

static void console_notify(struct virtio_device *vd, unsigned queue)
{
	console_port_notify(&console_of(vd)->port, queue);
}

static void console_start(struct virtio_device *vd)
{
	console_port_start(&console_of(vd)->port);
}

static void console_stop(struct virtio_device *vd)
{
	console_port_stop(&console_of(vd)->port);
}

static void console_set_config(struct console *c)
{
	c->config = (struct virtio_console_config){
		.cols = c->cols,
		.rows = c->rows,
		.max_nr_ports = 1,
	};
}

/* An emergency character may come before any queue exists; the rest of the bytes is read-only. */
static void console_config_written(struct virtio_device *vd, unsigned off, unsigned len)
{
	struct console *c = console_of(vd);
	const unsigned at = offsetof(struct virtio_console_config, emerg_wr);
	uint8_t byte = (uint8_t)c->config.emerg_wr;

	if (off <= at && off + len > at) /* "the device SHOULD": lost when there is no room */
		chardev_write(c->port.cd, &byte, 1);
	console_set_config(c);
}

static void console_quiesce(struct virtio_device *vd)
{
	console_port_quiesce(&console_of(vd)->port);
}

static void console_resume(struct virtio_device *vd)
{
	struct console *c = console_of(vd);
	console_show_size(c); /* the host's window may be another one than when it was saved */
	console_port_ask_for_input(&c->port);
}

static void console_state(struct virtio_device *vd, struct state *st)
{
	struct console *c = console_of(vd);
	state_u16(st, "cols", &c->config.cols);
	state_u16(st, "rows", &c->config.rows);
	console_port_state(&c->port, st);
}

static void console_reset(struct virtio_device *vd)
{
	struct console *c = console_of(vd);
	console_port_stop(&c->port);
	console_set_config(c);
}

static void console_destroy(struct device *dev)
{
	struct console *c = (struct console *)dev;
	chardev_attach(c->port.cd, NULL, NULL, NULL);
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
	const uint64_t features = 1u << VIRTIO_CONSOLE_F_SIZE | 1u << VIRTIO_CONSOLE_F_EMERG_WRITE;
	int error = virtio_device_init(&c->vd, &console_ops, id, gm, features, &c->config,
				       sizeof(c->config), CONSOLE_QUEUES, CONSOLE_QUEUE_SIZE);
	if (error) {
		free(c);
		return error;
	}
	console_port_init(&c->port, &c->vd, cd, VIRTIO_CONSOLE_RECEIVEQ, VIRTIO_CONSOLE_TRANSMITQ);
	console_reset(&c->vd);
	chardev_attach(cd, &console_client, &c->port, &c->vd.dev);
	*ret_vd = &c->vd;
	return 0;
}
