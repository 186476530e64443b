/*
 * The guest's side of virtio, for tests: a driver that negotiates, lays out rings in fake guest
 * memory, adds chains, rings doorbells and reaps used elements. EVENT_IDX aware.
 *
 *	struct gmem *gm;
 *	gmem_create(&gm, 1 << 20);
 *	struct vdriver drv;
 *	vdriver_init(&drv, vd, gm, 0x1000);            // or _init_mmio(), _init_pci()
 *	CHECK(vdriver_start(&drv, ~0ULL));             // everything the device offers
 *	gpa_t out = vdriver_put(&drv, "ping", 4), in = vdriver_alloc(&drv, 512, 16);
 *	struct vbuf bufs[] = {{out, 4, false}, {in, 512, true}};
 *	int head = vdriver_add(&drv, 0, bufs, 2, VDRIVER_DIRECT);
 *	vdriver_kick(&drv, 0);
 *	CHECK(vdriver_reap(&drv, 0, &got_head, &len));
 *	CHECK_EQ(drv.queue_irqs[0], 1);
 *
 * The transport of vdriver_init() is a fake that only records interrupts. Calls into the device
 * take its lock. Memory comes from a bump allocator that vdriver_start() rewinds.
 */
#ifndef VDRIVER_H
#define VDRIVER_H

#include "../../src/virtio/virtio_device.h"
#include <spec/virtio_config.h>
#include <spec/virtio_ring.h>

struct pci_func;
struct vdriver;

struct vbuf {
	gpa_t gpa;
	uint32_t len;
	bool is_writable;
};

enum vdriver_layout {
	VDRIVER_DIRECT,
	VDRIVER_INDIRECT, /* one descriptor for an indirect table with all buffers */
};

/* A queue as the driver knows it. */
struct vdriver_queue {
	uint16_t size;
	gpa_t desc, avail, used;
	uint16_t avail_idx;		 /* ours */
	uint16_t kicked_idx;		 /* avail_idx at the last look at avail_event */
	uint16_t used_idx;		 /* next to reap */
	uint16_t free_head, free_count;	 /* free descriptors, linked through next[] */
	uint16_t next[VIRTQ_SIZE_MAX];	 /* the driver's private copy of the links */
	uint16_t length[VIRTQ_SIZE_MAX]; /* descriptors of the chain at a head; 0: not in use */
	gpa_t indirect[VIRTQ_SIZE_MAX];	 /* tables, allocated on first use */
};

/* How the driver reaches the device's registers; filled by vdriver_init*(). */
struct vdriver_wire {
	uint8_t (*get_status)(struct vdriver *drv);
	void (*set_status)(struct vdriver *drv, uint8_t status);
	uint64_t (*get_features)(struct vdriver *drv);
	void (*set_features)(struct vdriver *drv, uint64_t features);
	uint16_t (*queue_max)(struct vdriver *drv, unsigned q); /* 0: no such queue */
	void (*queue_setup)(struct vdriver *drv, unsigned q);	/* from drv->queue[q] */
	void (*kick)(struct vdriver *drv, unsigned q);
	void (*config_read)(struct vdriver *drv, unsigned off, void *buf, unsigned len);
	void (*config_write)(struct vdriver *drv, unsigned off, const void *buf, unsigned len);
};

/**
 * struct vdriver - one driver bound to one device
 * @queue_size: entries to ask for; 0: what the device offers
 * @queue_irqs, @config_irqs: interrupts seen. With vdriver_init() counted by the fake transport;
 *              else the test's own sinks may count here
 * @self_rings: how often the device asked to be notified again; vdriver_init() only
 * @features:   negotiated by vdriver_start()
 */
struct vdriver {
	struct virtio_device *vd;
	struct gmem *gm;
	const struct vdriver_wire *wire;
	void *wire_ctx; /* MMIO: the transport; PCI: struct pci_func */
	gpa_t base, brk;
	uint16_t queue_size;
	uint64_t features;
	unsigned queue_irqs[VIRTIO_QUEUE_MAX];
	unsigned config_irqs;
	unsigned self_rings[VIRTIO_QUEUE_MAX];
	struct vdriver_queue queue[VIRTIO_QUEUE_MAX];
};

/**
 * vdriver_init() - drive the core directly; gives @vd a transport that records interrupts
 * vdriver_init_mmio() - through the registers of virtio_mmio_attach()'s @ctx
 * vdriver_init_pci() - through the BARs of virtio_pci_attach()'s function, found by its
 * capabilities
 * @base: guest memory from here on is the driver's
 */
void vdriver_init(struct vdriver *drv, struct virtio_device *vd, struct gmem *gm, gpa_t base);
void vdriver_init_mmio(struct vdriver *drv, struct virtio_device *vd, struct gmem *gm, gpa_t base,
		       void *ctx);
void vdriver_init_pci(struct vdriver *drv, struct virtio_device *vd, struct gmem *gm, gpa_t base,
		      struct pci_func *f);

/**
 * vdriver_start() - the sequence of section 3.1.1 up to DRIVER_OK, with every queue
 * @features: wanted; the device's offer is masked with it (VIRTIO_F_VERSION_1 is always accepted)
 * Return: false when the device refused (FEATURES_OK did not stick, DEVICE_NEEDS_RESET).
 */
bool vdriver_start(struct vdriver *drv, uint64_t features);
void vdriver_reset(struct vdriver *drv); /* status 0 */

/* Memory of the driver: 0 when there is none left. vdriver_put() fills it from @buf. */
gpa_t vdriver_alloc(struct vdriver *drv, size_t len, size_t align);
gpa_t vdriver_put(struct vdriver *drv, const void *buf, size_t len);

/* Makes a chain available without a doorbell. Return: its head; -1 when there is no room. */
int vdriver_add(struct vdriver *drv, unsigned q, const struct vbuf *bufs, unsigned count,
		enum vdriver_layout layout);

/* Rings the doorbell if the device asked for it (flags or avail_event). Return: whether it did. */
bool vdriver_kick(struct vdriver *drv, unsigned q);
void vdriver_kick_always(struct vdriver *drv, unsigned q);

/* Takes the next used element and asks to be interrupted for the one after it. */
bool vdriver_reap(struct vdriver *drv, unsigned q, uint16_t *ret_head, uint32_t *ret_len);

/*
 * One whole request to a device that answers at once: add, kick, reap. @out or @in may be empty;
 * @in is zeroed first. Return: used.len, or -1 when nothing came back.
 */
int64_t vdriver_request(struct vdriver *drv, unsigned q, const void *out, size_t out_len, void *in,
			size_t in_len);

/* Raw words of the rings, for tests that break them. */
void vdriver_set_avail_idx(struct vdriver *drv, unsigned q, uint16_t idx);
void vdriver_set_avail_ring(struct vdriver *drv, unsigned q, uint16_t slot, uint16_t head);
void vdriver_set_avail_flags(struct vdriver *drv, unsigned q, uint16_t flags);
void vdriver_set_used_event(struct vdriver *drv, unsigned q, uint16_t idx);
void vdriver_set_desc(struct vdriver *drv, unsigned q, uint16_t i, struct virtq_desc desc);
uint16_t vdriver_get_used_idx(struct vdriver *drv, unsigned q);
uint16_t vdriver_get_used_flags(struct vdriver *drv, unsigned q);
uint16_t vdriver_get_avail_event(struct vdriver *drv, unsigned q);

static inline bool vdriver_is_broken(struct vdriver *drv)
{
	return drv->wire->get_status(drv) & VIRTIO_STATUS_DEVICE_NEEDS_RESET;
}

#endif
