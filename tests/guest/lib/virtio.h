/* A guest's virtio driver: both transports (virtio 1.2 sections 4.1, 4.2), split queues. */
#ifndef VIRTIO_H
#define VIRTIO_H

#include "rt.h"

#define VIRTIO_BLK 2
#define VIRTIO_RNG 4

#define F_VERSION_1 (1ULL << 32)
#define F_EVENT_IDX (1ULL << 29)

#define VQ_MAX	  256
#define VQ_COUNT  4
#define NO_VECTOR 0xffff

/* One direct descriptor chain element. */
struct vbuf {
	void *at;
	uint32_t len;
	bool is_device_written;
};

struct vq {
	struct vdev *v;
	unsigned index, size;
	struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags;
		uint16_t next;
	} * desc;
	struct {
		uint16_t flags, idx, ring[VQ_MAX + 1];
	} * avail;
	struct {
		uint16_t flags, idx;
		struct {
			uint32_t id, len;
		} elem[VQ_MAX + 1]; /* avail_event follows the last of the real size */
	} * used;
	uintptr_t doorbell;
	uint16_t avail_idx, used_idx, kicked_idx;
	uint16_t free_head, free_count;
};

/**
 * struct vdev - a device found on one of the transports
 * @common: common configuration (PCI), or the register window (MMIO)
 * @gsi:    of its INTx or MMIO interrupt
 */
struct vdev {
	bool is_pci;
	unsigned slot;
	uintptr_t common, notify, isr, config;
	uint32_t notify_multiplier;
	uintptr_t msix_table, msix_pba;
	unsigned msix_cap, msix_count;
	unsigned gsi;
	uint64_t features;
	struct vq vq[VQ_COUNT];
};

/* PCI configuration space by CF8/CFC. */
uint32_t pci_read32(unsigned slot, unsigned off);
uint16_t pci_read16(unsigned slot, unsigned off);
uint8_t pci_read8(unsigned slot, unsigned off);
void pci_write32(unsigned slot, unsigned off, uint32_t v);
void pci_write16(unsigned slot, unsigned off, uint16_t v);
bool pci_is_there(void);

/* The first device of type @id, on PCI if there is a PCI bus, else on virtio-mmio. */
bool vdev_find(struct vdev *v, unsigned id);

/* Reset, then negotiation up to FEATURES_OK. @wanted is cut to what is offered. */
bool vdev_begin(struct vdev *v, uint64_t wanted);
uint64_t vdev_offered(struct vdev *v);
uint8_t vdev_status(struct vdev *v);
void vdev_reset(struct vdev *v);

/* @vector: MSI-X table entry (PCI), or NO_VECTOR. Memory is the library's. */
struct vq *vdev_queue(struct vdev *v, unsigned index, unsigned size, unsigned vector);
void vdev_run(struct vdev *v);

/* MSI-X: table entry @entry sends @vector to this CPU; then switch it on. */
void vdev_msix_set(struct vdev *v, unsigned entry, unsigned vector, bool is_masked);
void vdev_msix_enable(struct vdev *v, bool is_on);

/* Reads and acknowledges the interrupt cause (not with MSI-X). */
uint32_t vdev_ack(struct vdev *v);

/* Puts a chain on the ring. Return: its head. */
unsigned vq_add(struct vq *q, const struct vbuf *buf, unsigned count);
void vq_kick(struct vq *q);

/* Next used element, if any. */
bool vq_take(struct vq *q, uint32_t *ret_head, uint32_t *ret_len);

/* Kicks, then spins until the one chain in flight is used. Return: used.len. */
uint32_t vq_wait(struct vq *q);

#endif
