/*
 * vhost-net: the host kernel serves a network card's receive and transmit rings itself, between
 * guest memory and a tap. Knows host addresses only; src/machine gives it those of guest RAM.
 */
#ifndef TINYVM_VHOST_H
#define TINYVM_VHOST_H

#include <stdint.h>

struct err;
struct vhost_net;

/**
 * struct vhost_region - one run of guest RAM
 * @gpa: where the guest sees it
 * @hva: where this process does; stays mapped while rings run
 */
struct vhost_region {
	uint64_t gpa;
	uint64_t size;
	void *hva;
};

/**
 * struct vhost_ring - one split virtqueue
 * @base: the next entry of the available ring to serve
 * @desc, @avail, @used: host addresses; the areas lie in RAM from end to end
 * @kick: eventfd that the driver's doorbell signals
 * @call: eventfd to signal when the driver is to be interrupted
 * @err:  eventfd that is signalled when the driver broke the ring; -1 for nobody
 */
struct vhost_ring {
	uint16_t size;
	uint16_t base;
	void *desc, *avail, *used;
	int kick, call, err;
};

/* The rings of a pair, in the order of their queues. */
enum {
	VHOST_RING_RX,
	VHOST_RING_TX,
	VHOST_RINGS,
};

/**
 * vhost_net_open() - vhost-net for one queue pair, serving nothing yet
 *
 * Return: 0; -errno with a sentence: no /dev/vhost-net (what to load), no permission.
 */
int vhost_net_open(struct vhost_net **ret_vn, struct err *err) __attribute__((warn_unused_result));

/* Stops first when needed. NULL is fine. */
void vhost_net_destroy(struct vhost_net *vn);

/* The virtio feature bits that concern it and that it knows; all others are the tap's business. */
uint64_t vhost_net_features(const struct vhost_net *vn);

/**
 * vhost_net_start() - serve a pair's rings
 * @features: what the driver accepted
 * @region:   all of guest RAM
 * @ring:     VHOST_RINGS of them
 * @tap:      with 12-byte headers (IFF_VNET_HDR); nobody else reads it until vhost_net_stop()
 *
 * Return: 0, or -errno: nothing is served. -EOPNOTSUPP: features it cannot do.
 */
int vhost_net_start(struct vhost_net *vn, uint64_t features, const struct vhost_region *region,
		    unsigned region_count, const struct vhost_ring *ring, int tap)
	__attribute__((warn_unused_result));

/**
 * vhost_net_stop() - on return nothing is in flight
 * @ret_base: VHOST_RINGS of them: how far each ring came
 */
void vhost_net_stop(struct vhost_net *vn, uint16_t *ret_base);

#endif
