/* The virtio port: frames to the host and from it, without ever blocking unasked. */
#ifndef GUEST_PORT_H
#define GUEST_PORT_H

#include <spec/run_protocol.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One full frame of output and, behind it, room for small ones. */
#define PORT_OUT (32768 + 8192)
#define PORT_IN	 16384

/**
 * struct port - the port
 * @fd: -1 until port_open()
 * @out, @out_at, @out_len: frames on their way to the host
 * @in, @in_at, @in_len: bytes from it that have not been looked at
 */
struct port {
	int fd;
	size_t out_at, out_len;
	size_t in_at, in_len;
	uint8_t out[PORT_OUT];
	uint8_t in[PORT_IN];
};

/**
 * port_open() - find the port by its name and wait for the host's end
 * Return: 0; -ENODEV without a driver; -ENOENT when the port does not appear within some seconds;
 * -errno.
 */
long port_open(struct port *port, const char *name);

/* A frame into the buffer. Return: false when it is not open, or there is no room. */
bool port_put(struct port *port, enum run_type type, const void *payload, size_t len);

/**
 * port_put_from() - a frame with what can be read from @fd now
 *
 * Only while nothing is on its way. Return: bytes read, 0 at the end of @fd, -errno of the read.
 */
long port_put_from(struct port *port, enum run_type type, int fd);

/* Writes what the host takes. Return: whether that was everything. */
bool port_flush(struct port *port);

/* Writes everything, however long the host takes. */
void port_drain(struct port *port);

/**
 * port_read() - what the host sent, into the buffer
 * port_get() - the next whole frame in the buffer; @ret_payload is valid until port_read()
 * Return (port_get): 1 and a frame, 0 none yet, -1 it is nonsense.
 */
void port_read(struct port *port);
int port_get(struct port *port, struct run_frame *ret_frame, const uint8_t **ret_payload);

#endif
