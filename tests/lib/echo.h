/*
 * The smallest virtio device: what a chain's readable bytes say is written into its writable ones.
 * For tests of the core and the transports.
 */
#ifndef ECHO_H
#define ECHO_H

#include "../../src/virtio/virtio_device.h"

#define ECHO_QUEUES	2
#define ECHO_QUEUE_SIZE 16
#define ECHO_FEATURE	0 /* a feature bit that means nothing */
#define ECHO_DEVICE_ID	62

/**
 * struct echo - the device
 * @config: the driver may write it; reset clears it
 * @chains: echoed so far; part of the state
 * @starts, @stops, @notifies: calls seen
 * @is_lazy: leave chains in the ring when notified
 */
struct echo {
	struct virtio_device vd;
	uint8_t config[12];
	uint32_t chains;
	unsigned starts, stops, notifies;
	bool is_lazy;
};

/* Goes with device_destroy(). NULL when there is no memory. */
struct echo *echo_create(struct gmem *gm);

#endif
