/* Console device: VIRTIO 1.2, section 5.3. */
#ifndef SPEC_VIRTIO_CONSOLE_H
#define SPEC_VIRTIO_CONSOLE_H

#include <stdint.h>

/* Feature bits (section 5.3.3): bit numbers. */
#define VIRTIO_CONSOLE_F_SIZE	     0
#define VIRTIO_CONSOLE_F_MULTIPORT   1
#define VIRTIO_CONSOLE_F_EMERG_WRITE 2

/* Queues (section 5.3.2): of the first port, and with F_MULTIPORT for control messages. */
enum {
	VIRTIO_CONSOLE_RECEIVEQ,
	VIRTIO_CONSOLE_TRANSMITQ,
	VIRTIO_CONSOLE_CONTROL_RECEIVEQ,
	VIRTIO_CONSOLE_CONTROL_TRANSMITQ,
};

/* Configuration (section 5.3.4). Little-endian. */
struct virtio_console_config {
	uint16_t cols;
	uint16_t rows;
	uint32_t max_nr_ports;
	uint32_t emerg_wr;
};
_Static_assert(sizeof(struct virtio_console_config) == 12, "virtio_console_config");

/* Control messages (section 5.3.6.2); a name follows that of PORT_NAME. */
struct virtio_console_control {
	uint32_t id;
	uint16_t event;
	uint16_t value;
};
_Static_assert(sizeof(struct virtio_console_control) == 8, "virtio_console_control");

#define VIRTIO_CONSOLE_DEVICE_READY 0
#define VIRTIO_CONSOLE_PORT_ADD	    1
#define VIRTIO_CONSOLE_PORT_REMOVE  2
#define VIRTIO_CONSOLE_PORT_READY   3
#define VIRTIO_CONSOLE_CONSOLE_PORT 4
#define VIRTIO_CONSOLE_RESIZE	    5
#define VIRTIO_CONSOLE_PORT_OPEN    6
#define VIRTIO_CONSOLE_PORT_NAME    7

#endif
