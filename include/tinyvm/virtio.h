/* virtio devices and transports, as the board sees them. Virtual I/O Device (VIRTIO) Version 1.2.
 */
#ifndef TINYVM_VIRTIO_H
#define TINYVM_VIRTIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tinyvm/device.h>

struct block;
struct bus_ops;
struct chardev;
struct fs;
struct gmem;
struct netif;
struct pci_func;
struct virtio_device; /* starts with a struct device: virtio_to_device() */

struct device *virtio_to_device(struct virtio_device *vd);

/* A doorbell that came through an eventfd. Context: the device's lock held. */
void virtio_device_kick(struct virtio_device *vd, unsigned queue);

/**
 * virtio_device_poll() - look for chains in @queue without a doorbell, and serve them
 * @is_last: the caller will not look again before the doorbell rings, which the driver is asked
 *           for; without, the driver may be left believing that it need not ring
 *
 * Return: whether there were any. virtio_device_can_poll(): does the device know how?
 * Context: the device's lock held.
 */
bool virtio_device_poll(struct virtio_device *vd, unsigned queue, bool is_last);
bool virtio_device_can_poll(const struct virtio_device *vd);

/**
 * virtio_blk_create() - a disk (section 5.2)
 * @blk:     stays the caller's, must outlive the device; the caller has attached it to a loop
 *           with virtio_to_device() as its device
 * @serial:  GET_ID string, at most 20 bytes
 * @queues:  1 to 16 request queues
 */
int virtio_blk_create(struct virtio_device **ret_vd, const char *id, struct gmem *gm,
		      struct block *blk, const char *serial, unsigned queues)
	__attribute__((warn_unused_result));

/**
 * struct entropy - where random bytes come from
 * @fill: 0, or -errno when there are none
 */
struct entropy {
	int (*fill)(void *ctx, void *buf, size_t len);
	void *ctx;
};

/* Entropy device (section 5.4). */
int virtio_rng_create(struct virtio_device **ret_vd, const char *id, struct gmem *gm,
		      struct entropy entropy) __attribute__((warn_unused_result));

/* Console (section 5.3): one port, with F_SIZE. */
int virtio_console_create(struct virtio_device **ret_vd, const char *id, struct gmem *gm,
			  struct chardev *cd) __attribute__((warn_unused_result));

/**
 * virtio_port_create() - a named port that is no console, for bytes as they are (section 5.3)
 * @name: by which programs in the guest find it; outlives the device
 */
int virtio_port_create(struct virtio_device **ret_vd, const char *id, struct gmem *gm,
		       struct chardev *cd, const char *name) __attribute__((warn_unused_result));

/**
 * struct virtio_ring - where a running queue lies, for a server outside the process
 * @desc, @avail, @used: guest physical
 * @base:   the next entry of the available ring to serve
 * @vector: the MSI-X vector it interrupts with, VIRTIO_NO_VECTOR for none
 */
struct virtio_ring {
	uint16_t size;
	uint16_t base;
	uint16_t vector;
	uint64_t desc, avail, used;
};

#define VIRTIO_NO_VECTOR 0xffff

/**
 * struct ring_server - serves a device's data queues in its stead (vhost in the host's kernel)
 * @start: the driver has negotiated @features; @ring[i] is queue i. Interrupts that it cannot
 *         deliver by itself it hands to virtio_device_interrupt(). Return: 0, or -errno: the device
 *         serves the queues itself
 * @stop:  on return nothing is in flight and @ring[i].base says how far it came
 *
 * Called with the device's lock held; start() and stop() in turn. The server hears doorbells
 * through the eventfds of struct kick_sink; the device rings those again that reached it all the
 * same.
 */
struct ring_server {
	int (*start)(void *ctx, uint64_t features, const struct virtio_ring *ring, unsigned count);
	void (*stop)(void *ctx, struct virtio_ring *ring, unsigned count);
	void *ctx;
};

/* Interrupts the driver for @queue: a ring server has used buffers of it. The device's lock held.
 */
void virtio_device_interrupt(struct virtio_device *vd, unsigned queue);

/*
 * A ring or request makes going on impossible: DEVICE_NEEDS_RESET and a config interrupt. A ring
 * server is stopped. The device's lock held.
 * @why: what the driver offers, for the log ("a descriptor out of range")
 */
void virtio_device_break(struct virtio_device *vd, const char *why);

/**
 * struct virtio_net_options - one network card
 * @mac:    of the card
 * @mtu:    told to the driver, 68 to 65535; 0: nothing is told
 * @queue_pairs: 1 to NETIF_QUEUES_MAX, no more than nif->queues
 * @server: serves receive and transmit queues; zeroed: the device does
 * @server_features: which VIRTIO_NET_F_... bits of the data path (checksums, segmentation,
 *          MRG_RXBUF) a server can do; the others stay the device's affair. Ignored without one
 */
struct virtio_net_options {
	uint8_t mac[6];
	uint16_t mtu;
	unsigned queue_pairs;
	struct ring_server server;
	uint64_t server_features;
};

/**
 * virtio_net_create() - a network card (section 5.1)
 * @nif: stays the caller's, must outlive the device; the device is its client once the caller has
 *       called virtio_net_attach()
 */
int virtio_net_create(struct virtio_device **ret_vd, const char *id, struct gmem *gm,
		      struct netif *nif, const struct virtio_net_options *opt)
	__attribute__((warn_unused_result));

/* Plugs the card into its backend, on @loop. Return: 0 or the backend's -errno. */
struct evloop;
int virtio_net_attach(struct virtio_device *vd, struct evloop *loop)
	__attribute__((warn_unused_result));

/**
 * virtio_fs_create() - a shared folder (section 5.11)
 * @fs:     stays the caller's, must outlive the device; the caller has attached it to a loop with
 *          virtio_to_device() as its device
 * @tag:    what the guest mounts it by, 1 to 36 bytes
 * @queues: 1 to 8 request queues
 */
int virtio_fs_create(struct virtio_device **ret_vd, const char *id, struct gmem *gm, struct fs *fs,
		     const char *tag, unsigned queues) __attribute__((warn_unused_result));

/**
 * virtio_pci_attach() - give a device the PCI transport (section 4.1, modern only, MSI-X)
 * @ret_func: to be plugged into the host bridge; belongs to the device from now on and goes with
 *            device_destroy()
 * @intx:     for drivers without MSI-X
 */
int virtio_pci_attach(struct virtio_device *vd, struct pci_func **ret_func, struct irq_line intx,
		      struct msi_sink msi, struct kick_sink kick)
	__attribute__((warn_unused_result));

/**
 * virtio_mmio_attach() - give a device the MMIO transport (section 4.2, version 2)
 * @gpa: where its VIRTIO_MMIO_SIZE bytes lie; the board puts virtio_mmio_bus_ops there with the ctx
 *       returned in @ret_ctx
 */
#define VIRTIO_MMIO_SIZE 0x200
extern const struct bus_ops virtio_mmio_bus_ops;
int virtio_mmio_attach(struct virtio_device *vd, void **ret_ctx, uint64_t gpa, struct irq_line irq,
		       struct kick_sink kick) __attribute__((warn_unused_result));

#endif
