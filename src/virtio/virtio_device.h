/*
 * The virtio core as its devices and transports see it (private to src/virtio).
 *
 * The core owns status, feature negotiation, queues, config bytes and reset. Transports decode
 * registers and raise interrupts; devices see requests through chains.
 */
#ifndef VIRTIO_DEVICE_H
#define VIRTIO_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <tinyvm/device.h>
#include <tinyvm/gmem.h>
#include <tinyvm/virtio.h>

#define VIRTQ_SIZE_MAX	 256
#define VIRTIO_QUEUE_MAX 33

struct state;
struct virtio_device;

/**
 * struct virtq - one split virtqueue (section 2.7)
 * @vd:     its device
 * @index:  which queue of the device
 * @size_max, @size: entries offered and chosen; a power of two
 * @is_ready: the driver has enabled it
 * @desc, @avail, @used: the three areas, guest physical
 * @avail_idx: the next available entry to look at
 * @used_idx:  the next used entry to fill
 * @signalled_idx: used_idx at the last vq_signal() (EVENT_IDX)
 * @is_signal_pending: elements were pushed since then
 */
struct virtq {
	struct virtio_device *vd;
	uint16_t index;
	uint16_t size_max;
	uint16_t size;
	bool is_ready;
	bool is_signal_pending;
	gpa_t desc, avail, used;
	uint16_t avail_idx;
	uint16_t used_idx;
	uint16_t signalled_idx;
	uint16_t msix_vector; /* the PCI transport's */
};

struct vseg {
	gpa_t gpa;
	uint32_t len;
};

/**
 * struct vchain - a descriptor chain taken from a queue, with a read and a write cursor
 *
 * Every segment lies in RAM (checked by vq_pop()). Device-readable segments come first.
 */
struct vchain {
	struct virtq *vq;
	uint16_t head;
	uint16_t read_segs;  /* seg[0 .. read_segs) is device-readable */
	uint16_t total_segs; /* seg[read_segs .. total_segs) is device-writable */
	uint16_t read_at, write_at;
	uint32_t read_off, write_off;
	uint32_t written; /* bytes; becomes used.len */
	struct vseg seg[VIRTQ_SIZE_MAX];
};

/**
 * vq_pop() - take the next available chain
 *
 * Bounds head, hops, lengths (sum below 4 GiB), indirect tables and ranges once and for all. A ring
 * that breaks the specification sets DEVICE_NEEDS_RESET, raises a config interrupt and stops the
 * device (ops->stop runs inside). No more than vq->size chains are ever out at a time, but their
 * heads may repeat: do not index by them. @chain is only valid after 1. Return: 1 and a chain; 0
 * nothing there, or the queue or device is not running; -EBADMSG the ring is broken.
 */
int vq_pop(struct virtq *vq, struct vchain *chain);

/*
 * The chain at @head once more: for a device that has taken it earlier, and kept no more of it than
 * its head. Return: as vq_pop().
 */
int vq_retake(struct virtq *vq, uint16_t head, struct vchain *chain);

/*
 * Return a chain: writes the used element with chain->written. The driver is not told yet. Does
 * nothing when the device was reset or broken meanwhile.
 */
void vq_push(struct virtq *vq, const struct vchain *chain);

/*
 * The same for chains that the driver may only see together: vq_fill() writes the @ahead-th used
 * element from now (0 is the next), vq_flush() hands over the first @count of them at once.
 */
void vq_fill(struct virtq *vq, unsigned ahead, uint16_t head, uint32_t len);
void vq_flush(struct virtq *vq, unsigned count);

/* Interrupts the driver if it asked for it since the last time (EVENT_IDX or flags). */
void vq_signal(struct virtq *vq);

/**
 * vq_enable_kick() - ask to be notified of further chains, or not
 * Return (when enabling): true when chains arrived meanwhile, so that the caller must look again.
 */
bool vq_enable_kick(struct virtq *vq, bool is_enabled);

/* Are there chains that vq_pop() has not taken? */
bool vq_has_chains(const struct virtq *vq);

/* How many the driver has made available and not got back, taken or not; 0 for a bad ring. */
unsigned vq_outstanding(const struct virtq *vq);

/*
 * To be notified of @vq again, after others have had their turn: for a device that has served
 * enough chains in one go and leaves some behind. No doorbell may ever come for these.
 */
void vq_serve_later(struct virtq *vq);

/* Bytes left under each cursor. */
size_t chain_readable(const struct vchain *chain);
size_t chain_writable(const struct vchain *chain);

/* Copy at the cursor and advance, all or nothing: 0, or -ENODATA when fewer bytes are left. */
int chain_read(struct vchain *chain, void *buf, size_t len) __attribute__((warn_unused_result));
int chain_write(struct vchain *chain, const void *buf, size_t len)
	__attribute__((warn_unused_result));

/**
 * chain_take_readable() - host windows of the next @len bytes, for the backend; advances
 * chain_take_writable() - likewise; counts them as written
 * Return: entries used, -ENODATA when fewer bytes are left, -ENOBUFS when @max is too small (cursor
 * unmoved).
 */
int chain_take_readable(struct vchain *chain, size_t len, struct iovec *iov, unsigned max)
	__attribute__((warn_unused_result));
int chain_take_writable(struct vchain *chain, size_t len, struct iovec *iov, unsigned max)
	__attribute__((warn_unused_result));

/**
 * struct virtio_ops - a device type
 * @dev:       of the struct device; type, version, destroy are the device's; the rest is filled by
 *             virtio_device_init() users from virtio_device_{reset,state,quiesce,resume}
 * @device_id: virtio device type (section 5)
 * @pci_class: 24 bits, for the PCI transport
 * @start:     DRIVER_OK was set: features and queues are final. Also called by a load that brings a
 *             running device, before @state. NULL for nothing to do
 * @stop:      the device is reset or broken: forget (or finish) all chains in flight. After it no
 *             chain may be pushed. Also called by a load over a running device. NULL likewise
 * @notify:    the driver rang the doorbell of a ready queue
 * @poll:      virtio_device_poll() of a ready queue. NULL: only notify
 * @config_written: the driver wrote config bytes [off, off+len); they are in vd->config already.
 *             NULL: config is read-only and writes are dropped by the core
 * @state:     save or load what the device itself keeps (chains in flight have been finished by
 *             quiesce). NULL for nothing
 * @quiesce, @resume: as in struct device_ops. NULL when there is never work in flight. The core
 *             rings every ready queue's doorbell after resume. vq_pop() finds nothing in between.
 * @reset:     the device goes back to power-on values (after @stop when it ran): for what the
 * driver can change while the device is not running, such as config bytes. NULL likewise
 */
struct virtio_ops {
	struct device_ops dev;
	uint16_t device_id;
	uint32_t pci_class;
	void (*start)(struct virtio_device *vd);
	void (*stop)(struct virtio_device *vd);
	void (*notify)(struct virtio_device *vd, unsigned queue);
	bool (*poll)(struct virtio_device *vd, unsigned queue, bool is_last);
	void (*config_written)(struct virtio_device *vd, unsigned off, unsigned len);
	void (*state)(struct virtio_device *vd, struct state *st);
	void (*quiesce)(struct virtio_device *vd);
	void (*resume)(struct virtio_device *vd);
	void (*reset)(struct virtio_device *vd);
};

/**
 * struct virtio_transport - how the core reaches the transport
 * @interrupt: queue >= 0: used buffer notification of that queue; -1: configuration change
 * @ring: ring queue @queue's doorbell in the driver's stead (struct kick_sink), NULL when it cannot
 * @state, @reset, @resume, @destroy: the transport's part of the device's; @reset is that of the
 *             machine, a driver that writes status 0 reaches the transport first
 */
struct virtio_transport {
	void (*interrupt)(void *ctx, int queue);
	void (*ring)(void *ctx, unsigned queue);
	void (*state)(void *ctx, struct state *st);
	void (*reset)(void *ctx);
	void (*resume)(void *ctx);
	void (*destroy)(void *ctx);
};

/**
 * struct virtio_device - the core's part of a device, first member of every device
 * @features_offered: F_VERSION_1, RING_INDIRECT_DESC and RING_EVENT_IDX are added by the core
 * @features: what the driver accepted; valid once status has FEATURES_OK
 * @config, @config_len: device-specific configuration bytes, the device's storage, little-endian
 */
struct virtio_device {
	struct device dev;
	const struct virtio_ops *ops;
	struct gmem *gm;
	uint64_t features_offered;
	uint64_t features;
	uint8_t status;
	uint8_t config_generation;
	bool is_quiesced;
	void *config;
	unsigned config_len;
	unsigned queue_count;
	struct virtq *queue; /* queue_count of them, allocated by virtio_device_init() */
	const struct virtio_transport *transport;
	void *transport_ctx;
	uint64_t bad_rings; /* counters of guest misbehaviour */
	uint64_t bad_requests;
};

/* @queue_size: entries offered, a power of two up to VIRTQ_SIZE_MAX. Return: 0 or -ENOMEM. */
int virtio_device_init(struct virtio_device *vd, const struct virtio_ops *ops, const char *id,
		       struct gmem *gm, uint64_t features, void *config, unsigned config_len,
		       unsigned queue_count, uint16_t queue_size)
	__attribute__((warn_unused_result));

/* Frees the queues and the transport; the device frees itself. */
void virtio_device_fini(struct virtio_device *vd);

/* struct device_ops for every virtio device. */
void virtio_device_reset(struct device *dev);
void virtio_device_state(struct device *dev, struct state *st);
void virtio_device_quiesce(struct device *dev);
void virtio_device_resume(struct device *dev);

static inline bool virtio_has(const struct virtio_device *vd, unsigned feature_bit)
{
	return vd->features >> feature_bit & 1;
}

/* Is DRIVER_OK set and the device not broken? */
bool virtio_is_live(const struct virtio_device *vd);

/* The device changed its config bytes: bumps the generation and interrupts. */
void virtio_config_changed(struct virtio_device *vd);

/*
 * For transports.
 *
 * virtio_set_status() - the driver writes the status register (sections 2.1, 3.1): 0 resets, else
 *   bits are only ever added. FEATURES_OK does not stick when the features are not acceptable.
 * virtio_set_features() - the driver accepts features; ignored after FEATURES_OK
 */
void virtio_set_status(struct virtio_device *vd, uint8_t status);
void virtio_set_features(struct virtio_device *vd, uint64_t features);
void virtio_config_read(struct virtio_device *vd, unsigned off, void *buf, unsigned len);
void virtio_config_write(struct virtio_device *vd, unsigned off, const void *buf, unsigned len);

/* May the driver set up @vq now? Not once it is enabled or the device runs. */
bool virtq_is_open(const struct virtq *vq);
void virtq_set_size(struct virtq *vq, uint32_t size);

/* Ignored when the size or an area's address is bad, or while !virtq_is_open(). */
void virtq_enable(struct virtq *vq);
void virtq_disable(struct virtq *vq); /* for good, when the device runs */

#endif
