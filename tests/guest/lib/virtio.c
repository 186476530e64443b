/* A guest's virtio driver. Polls, or leaves the waiting to the caller's interrupt handler. */
#include "virtio.h"

/* Device status (section 2.1) */
#define S_ACKNOWLEDGE 1u
#define S_DRIVER      2u
#define S_DRIVER_OK   4u
#define S_FEATURES_OK 8u

#define DESC_NEXT  1u
#define DESC_WRITE 2u

/* virtio-mmio registers (section 4.2.2) */
#define M_MAGIC		0x000
#define M_VERSION	0x004
#define M_DEVICE_ID	0x008
#define M_FEATURES	0x010
#define M_FEATURES_SEL	0x014
#define M_DRIVER	0x020
#define M_DRIVER_SEL	0x024
#define M_QUEUE_SEL	0x030
#define M_QUEUE_NUM_MAX 0x034
#define M_QUEUE_NUM	0x038
#define M_QUEUE_READY	0x044
#define M_QUEUE_NOTIFY	0x050
#define M_INT_STATUS	0x060
#define M_INT_ACK	0x064
#define M_STATUS	0x070
#define M_QUEUE_DESC	0x080
#define M_QUEUE_DRIVER	0x090
#define M_QUEUE_DEVICE	0x0a0
#define M_CONFIG	0x100

/* virtio_pci_common_cfg (section 4.1.4.3) */
#define P_FEATURES_SEL 0x00
#define P_FEATURES     0x04
#define P_DRIVER_SEL   0x08
#define P_DRIVER       0x0c
#define P_MSIX_CONFIG  0x10
#define P_STATUS       0x14
#define P_QUEUE_SEL    0x16
#define P_QUEUE_SIZE   0x18
#define P_QUEUE_VECTOR 0x1a
#define P_QUEUE_ENABLE 0x1c
#define P_NOTIFY_OFF   0x1e
#define P_QUEUE_DESC   0x20
#define P_QUEUE_DRIVER 0x28
#define P_QUEUE_DEVICE 0x30

/* Ring memory for every queue that a guest ever sets up. */
static uint8_t ring_pool[12][16384] __attribute__((aligned(4096)));
static unsigned ring_used;

static void pci_select(unsigned slot, unsigned off)
{
	outl(PCI_ADDR, 1u << 31 | slot << 11 | (off & 0xfc));
}

uint32_t pci_read32(unsigned slot, unsigned off)
{
	pci_select(slot, off);
	return inl(PCI_DATA);
}

uint16_t pci_read16(unsigned slot, unsigned off)
{
	pci_select(slot, off);
	return inw((uint16_t)(PCI_DATA + (off & 2)));
}

uint8_t pci_read8(unsigned slot, unsigned off)
{
	pci_select(slot, off);
	return inb((uint16_t)(PCI_DATA + (off & 3)));
}

void pci_write32(unsigned slot, unsigned off, uint32_t v)
{
	pci_select(slot, off);
	outl(PCI_DATA, v);
}

void pci_write16(unsigned slot, unsigned off, uint16_t v)
{
	pci_select(slot, off);
	outw((uint16_t)(PCI_DATA + (off & 2)), v);
}

bool pci_is_there(void)
{
	return pci_read16(0, 0) != 0xffff;
}

static uintptr_t pci_bar(unsigned slot, unsigned n)
{
	return pci_read32(slot, 0x10 + n * 4) & ~0xfu;
}

/* The vendor capabilities of section 4.1.4, and MSI-X. */
static void vdev_read_caps(struct vdev *v)
{
	unsigned s = v->slot;
	for (unsigned at = pci_read8(s, 0x34); at; at = pci_read8(s, at + 1)) {
		uint8_t id = pci_read8(s, at);
		if (id == 0x11) {
			uint32_t table = pci_read32(s, at + 4), pba = pci_read32(s, at + 8);
			v->msix_cap = at;
			v->msix_count = (pci_read16(s, at + 2) & 0x7ff) + 1u;
			v->msix_table = pci_bar(s, table & 7) + (table & ~7u);
			v->msix_pba = pci_bar(s, pba & 7) + (pba & ~7u);
		}
		if (id != 0x09)
			continue;
		uintptr_t window = pci_bar(s, pci_read8(s, at + 4)) + pci_read32(s, at + 8);
		switch (pci_read8(s, at + 3)) {
		case 1:
			v->common = window;
			break;
		case 2:
			v->notify = window;
			v->notify_multiplier = pci_read32(s, at + 16);
			break;
		case 3:
			v->isr = window;
			break;
		case 4:
			v->config = window;
			break;
		default:
			break;
		}
	}
}

static bool vdev_find_pci(struct vdev *v, unsigned id)
{
	for (unsigned slot = 1; slot < 32; slot++) {
		if (pci_read32(slot, 0) != ((0x1040u + id) << 16 | 0x1af4))
			continue;
		v->is_pci = true;
		v->slot = slot;
		v->gsi = PCI_INTX_GSI(slot);
		pci_write16(slot, 4, pci_read16(slot, 4) | 6); /* memory, bus master */
		vdev_read_caps(v);
		return v->common && v->notify && v->isr;
	}
	return false;
}

static bool vdev_find_mmio(struct vdev *v, unsigned id)
{
	for (unsigned n = 0; n < VIRTIO_MMIO_MAX; n++) {
		uintptr_t at = VIRTIO_MMIO + n * VIRTIO_MMIO_STRIDE;
		if (read32(at + M_MAGIC) != 0x74726976 || read32(at + M_VERSION) != 2 ||
		    read32(at + M_DEVICE_ID) != id)
			continue;
		v->common = at;
		v->config = at + M_CONFIG;
		v->gsi = VIRTIO_MMIO_GSI(n);
		return true;
	}
	return false;
}

bool vdev_find(struct vdev *v, unsigned id)
{
	memset(v, 0, sizeof(*v));
	return pci_is_there() ? vdev_find_pci(v, id) : vdev_find_mmio(v, id);
}

uint8_t vdev_status(struct vdev *v)
{
	return v->is_pci ? read8(v->common + P_STATUS) : (uint8_t)read32(v->common + M_STATUS);
}

static void vdev_set_status(struct vdev *v, uint8_t status)
{
	if (v->is_pci)
		write8(v->common + P_STATUS, status);
	else
		write32(v->common + M_STATUS, status);
}

void vdev_reset(struct vdev *v)
{
	vdev_set_status(v, 0);
	while (vdev_status(v))
		;
}

uint64_t vdev_offered(struct vdev *v)
{
	uint64_t f = 0;
	for (unsigned i = 0; i < 2; i++) {
		write32(v->common + (v->is_pci ? P_FEATURES_SEL : M_FEATURES_SEL), i);
		f |= (uint64_t)read32(v->common + (v->is_pci ? P_FEATURES : M_FEATURES)) << i * 32;
	}
	return f;
}

bool vdev_begin(struct vdev *v, uint64_t wanted)
{
	vdev_reset(v);
	vdev_set_status(v, S_ACKNOWLEDGE);
	vdev_set_status(v, S_ACKNOWLEDGE | S_DRIVER);
	v->features = vdev_offered(v) & wanted;
	for (unsigned i = 0; i < 2; i++) {
		write32(v->common + (v->is_pci ? P_DRIVER_SEL : M_DRIVER_SEL), i);
		write32(v->common + (v->is_pci ? P_DRIVER : M_DRIVER),
			(uint32_t)(v->features >> i * 32));
	}
	vdev_set_status(v, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK);
	return vdev_status(v) & S_FEATURES_OK;
}

static void vq_layout(struct vq *q, unsigned size)
{
	uint8_t *ring = ring_pool[ring_used++ % 12];
	memset(ring, 0, sizeof(ring_pool[0]));
	q->size = size;
	q->desc = (void *)ring;
	q->avail = (void *)(ring + 4096);
	q->used = (void *)(ring + 8192);
	q->avail_idx = q->used_idx = q->kicked_idx = 0;
	q->free_head = 0;
	q->free_count = (uint16_t)size;
	for (unsigned i = 0; i < size; i++)
		q->desc[i].next = (uint16_t)(i + 1);
}

/* The common configuration's 64-bit fields are written as two halves (section 4.1.3.1). */
static void write_halves(uintptr_t at, const void *p)
{
	write32(at, (uint32_t)(uintptr_t)p);
	write32(at + 4, (uint32_t)((uintptr_t)p >> 32));
}

struct vq *vdev_queue(struct vdev *v, unsigned index, unsigned size, unsigned vector)
{
	struct vq *q = &v->vq[index];
	uintptr_t c = v->common;
	unsigned max;

	q->v = v;
	q->index = index;
	if (v->is_pci)
		write16(c + P_QUEUE_SEL, (uint16_t)index);
	else
		write32(c + M_QUEUE_SEL, index);
	max = v->is_pci ? read16(c + P_QUEUE_SIZE) : read32(c + M_QUEUE_NUM_MAX);
	if (!max)
		return NULL;
	vq_layout(q, size < max ? size : max);
	if (v->is_pci) {
		write16(c + P_QUEUE_SIZE, (uint16_t)q->size);
		write16(c + P_QUEUE_VECTOR, (uint16_t)vector);
		write_halves(c + P_QUEUE_DESC, q->desc);
		write_halves(c + P_QUEUE_DRIVER, q->avail);
		write_halves(c + P_QUEUE_DEVICE, q->used);
		q->doorbell =
			v->notify + read16(c + P_NOTIFY_OFF) * (uintptr_t)v->notify_multiplier;
		write16(c + P_QUEUE_ENABLE, 1);
	} else {
		write32(c + M_QUEUE_NUM, q->size);
		write_halves(c + M_QUEUE_DESC, q->desc);
		write_halves(c + M_QUEUE_DRIVER, q->avail);
		write_halves(c + M_QUEUE_DEVICE, q->used);
		q->doorbell = c + M_QUEUE_NOTIFY;
		write32(c + M_QUEUE_READY, 1);
	}
	return q;
}

void vdev_run(struct vdev *v)
{
	vdev_set_status(v, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
}

void vdev_msix_set(struct vdev *v, unsigned entry, unsigned vector, bool is_masked)
{
	uintptr_t at = v->msix_table + entry * 16;
	write32(at, (uint32_t)LAPIC | lapic_id() << 12);
	write32(at + 4, 0);
	write32(at + 8, vector);
	write32(at + 12, is_masked);
}

void vdev_msix_enable(struct vdev *v, bool is_on)
{
	uint16_t control = pci_read16(v->slot, v->msix_cap + 2) & 0x3fff;
	pci_write16(v->slot, v->msix_cap + 2, is_on ? control | 0x8000 : control);
}

uint32_t vdev_ack(struct vdev *v)
{
	if (v->is_pci)
		return read8(v->isr);
	uint32_t cause = read32(v->common + M_INT_STATUS);
	write32(v->common + M_INT_ACK, cause);
	return cause;
}

unsigned vq_add(struct vq *q, const struct vbuf *buf, unsigned count)
{
	unsigned head = q->free_head, at = head;
	for (unsigned i = 0; i < count; i++) {
		at = i ? q->desc[at].next : head;
		q->desc[at].addr = (uintptr_t)buf[i].at;
		q->desc[at].len = buf[i].len;
		q->desc[at].flags = (uint16_t)((buf[i].is_device_written ? DESC_WRITE : 0) |
					       (i + 1 < count ? DESC_NEXT : 0));
	}
	q->free_head = q->desc[at].next;
	q->free_count = (uint16_t)(q->free_count - count);
	q->avail->ring[q->avail_idx % q->size] = (uint16_t)head;
	q->avail_idx++;
	barrier();
	((volatile uint16_t *)q->avail)[1] = q->avail_idx;
	return head;
}

void vq_kick(struct vq *q)
{
	barrier_full();
	if (q->v->features & F_EVENT_IDX) {
		/* avail_event lies behind the last used element of the queue's real size. */
		uint16_t event = *(volatile uint16_t *)&q->used->elem[q->size];
		bool is_due = (uint16_t)(q->avail_idx - event - 1) <
			      (uint16_t)(q->avail_idx - q->kicked_idx);
		q->kicked_idx = q->avail_idx;
		if (!is_due)
			return;
	} else if (*(volatile uint16_t *)q->used & 1) {
		return;
	}
	if (q->v->is_pci)
		write16(q->doorbell, (uint16_t)q->index);
	else
		write32(q->doorbell, q->index);
}

bool vq_take(struct vq *q, uint32_t *ret_head, uint32_t *ret_len)
{
	if (((volatile uint16_t *)q->used)[1] == q->used_idx)
		return false;
	barrier();
	uint32_t head = q->used->elem[q->used_idx % q->size].id;
	unsigned last = head, count = 1;
	*ret_head = head;
	*ret_len = q->used->elem[q->used_idx % q->size].len;
	for (; q->desc[last].flags & DESC_NEXT; count++)
		last = q->desc[last].next;
	q->desc[last].next = q->free_head;
	q->free_head = (uint16_t)head;
	q->free_count = (uint16_t)(q->free_count + count);
	q->used_idx++;
	/* used_event: tell me of the next one. */
	((volatile uint16_t *)&q->avail->ring[q->size])[0] = q->used_idx;
	barrier_full();
	return true;
}

uint32_t vq_wait(struct vq *q)
{
	uint32_t head, len;
	vq_kick(q);
	while (!vq_take(q, &head, &len))
		;
	return len;
}
