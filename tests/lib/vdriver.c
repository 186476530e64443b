/* A virtio driver on fake guest memory: VIRTIO 1.2, sections 2.7, 3.1, 4.1, 4.2. */
#include "vdriver.h"

#include "test.h"
#include <spec/virtio_mmio.h>
#include <spec/virtio_pci.h>
#include <tinyvm/bus.h>
#include <tinyvm/pci.h>

/* Guest memory that must be there: the test's own doing when it is not. */
static void put(struct vdriver *drv, gpa_t gpa, const void *buf, size_t len)
{
	if (gmem_write(drv->gm, gpa, buf, len) != 0)
		test_failed(__FILE__, __LINE__, "driver memory %#llx", (unsigned long long)gpa);
}

static void put16(struct vdriver *drv, gpa_t gpa, uint16_t value)
{
	if (gmem_store_le16(drv->gm, gpa, value) != 0)
		test_failed(__FILE__, __LINE__, "driver memory %#llx", (unsigned long long)gpa);
}

static uint16_t get16(struct vdriver *drv, gpa_t gpa)
{
	uint16_t value = 0;
	if (gmem_load_le16(drv->gm, gpa, &value) != 0)
		test_failed(__FILE__, __LINE__, "driver memory %#llx", (unsigned long long)gpa);
	return value;
}

/* The direct wire: the core's functions, as a transport would call them. */

static uint8_t direct_get_status(struct vdriver *drv)
{
	return drv->vd->status;
}

static void direct_set_status(struct vdriver *drv, uint8_t status)
{
	device_lock(&drv->vd->dev);
	virtio_set_status(drv->vd, status);
	device_unlock(&drv->vd->dev);
}

static uint64_t direct_get_features(struct vdriver *drv)
{
	return drv->vd->features_offered;
}

static void direct_set_features(struct vdriver *drv, uint64_t features)
{
	device_lock(&drv->vd->dev);
	virtio_set_features(drv->vd, features);
	device_unlock(&drv->vd->dev);
}

static uint16_t direct_queue_max(struct vdriver *drv, unsigned q)
{
	return q < drv->vd->queue_count ? drv->vd->queue[q].size_max : 0;
}

static void direct_queue_setup(struct vdriver *drv, unsigned q)
{
	struct virtq *vq = &drv->vd->queue[q];
	device_lock(&drv->vd->dev);
	virtq_set_size(vq, drv->queue[q].size);
	vq->desc = drv->queue[q].desc;
	vq->avail = drv->queue[q].avail;
	vq->used = drv->queue[q].used;
	virtq_enable(vq);
	device_unlock(&drv->vd->dev);
}

static void direct_kick(struct vdriver *drv, unsigned q)
{
	device_lock(&drv->vd->dev);
	virtio_device_kick(drv->vd, q);
	device_unlock(&drv->vd->dev);
}

static void direct_config_read(struct vdriver *drv, unsigned off, void *buf, unsigned len)
{
	device_lock(&drv->vd->dev);
	virtio_config_read(drv->vd, off, buf, len);
	device_unlock(&drv->vd->dev);
}

static void direct_config_write(struct vdriver *drv, unsigned off, const void *buf, unsigned len)
{
	device_lock(&drv->vd->dev);
	virtio_config_write(drv->vd, off, buf, len);
	device_unlock(&drv->vd->dev);
}

static const struct vdriver_wire direct_wire = {
	.get_status = direct_get_status,
	.set_status = direct_set_status,
	.get_features = direct_get_features,
	.set_features = direct_set_features,
	.queue_max = direct_queue_max,
	.queue_setup = direct_queue_setup,
	.kick = direct_kick,
	.config_read = direct_config_read,
	.config_write = direct_config_write,
};

static void recorder_interrupt(void *ctx, int queue)
{
	struct vdriver *drv = ctx;
	if (queue < 0)
		drv->config_irqs++;
	else
		drv->queue_irqs[queue]++;
}

static void recorder_ring(void *ctx, unsigned queue)
{
	struct vdriver *drv = ctx;
	drv->self_rings[queue]++;
}

static const struct virtio_transport recorder = {
	.interrupt = recorder_interrupt,
	.ring = recorder_ring,
};

/* Registers behind a window of the bus, for both transports. */

static uint64_t reg_read(struct vdriver *drv, const struct bus_ops *ops, void *ctx, uint64_t off,
			 unsigned size)
{
	uint64_t value = 0;
	device_lock(&drv->vd->dev);
	bus_ops_read(ops, ctx, off, &value, size);
	device_unlock(&drv->vd->dev);
	return value;
}

static void reg_write(struct vdriver *drv, const struct bus_ops *ops, void *ctx, uint64_t off,
		      unsigned size, uint64_t value)
{
	device_lock(&drv->vd->dev);
	bus_ops_write(ops, ctx, off, &value, size);
	device_unlock(&drv->vd->dev);
}

/* MMIO. */

static uint32_t mmio_get(struct vdriver *drv, unsigned reg)
{
	return (uint32_t)reg_read(drv, &virtio_mmio_bus_ops, drv->wire_ctx, reg, 4);
}

static void mmio_set(struct vdriver *drv, unsigned reg, uint32_t value)
{
	reg_write(drv, &virtio_mmio_bus_ops, drv->wire_ctx, reg, 4, value);
}

static void mmio_set64(struct vdriver *drv, unsigned low, unsigned high, uint64_t value)
{
	mmio_set(drv, low, (uint32_t)value);
	mmio_set(drv, high, (uint32_t)(value >> 32));
}

static uint8_t mmio_get_status(struct vdriver *drv)
{
	return (uint8_t)mmio_get(drv, VIRTIO_MMIO_STATUS);
}

static void mmio_set_status(struct vdriver *drv, uint8_t status)
{
	mmio_set(drv, VIRTIO_MMIO_STATUS, status);
}

static uint64_t mmio_get_features(struct vdriver *drv)
{
	mmio_set(drv, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	uint64_t low = mmio_get(drv, VIRTIO_MMIO_DEVICE_FEATURES);
	mmio_set(drv, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	return low | (uint64_t)mmio_get(drv, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

static void mmio_set_features(struct vdriver *drv, uint64_t features)
{
	for (uint32_t word = 0; word < 2; word++) {
		mmio_set(drv, VIRTIO_MMIO_DRIVER_FEATURES_SEL, word);
		mmio_set(drv, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * word));
	}
}

static uint16_t mmio_queue_max(struct vdriver *drv, unsigned q)
{
	mmio_set(drv, VIRTIO_MMIO_QUEUE_SEL, q);
	return (uint16_t)mmio_get(drv, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

static void mmio_queue_setup(struct vdriver *drv, unsigned q)
{
	const struct vdriver_queue *dq = &drv->queue[q];
	mmio_set(drv, VIRTIO_MMIO_QUEUE_SEL, q);
	mmio_set(drv, VIRTIO_MMIO_QUEUE_NUM, dq->size);
	mmio_set64(drv, VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_DESC_HIGH, dq->desc);
	mmio_set64(drv, VIRTIO_MMIO_QUEUE_DRIVER_LOW, VIRTIO_MMIO_QUEUE_DRIVER_HIGH, dq->avail);
	mmio_set64(drv, VIRTIO_MMIO_QUEUE_DEVICE_LOW, VIRTIO_MMIO_QUEUE_DEVICE_HIGH, dq->used);
	mmio_set(drv, VIRTIO_MMIO_QUEUE_READY, 1);
}

static void mmio_kick(struct vdriver *drv, unsigned q)
{
	mmio_set(drv, VIRTIO_MMIO_QUEUE_NOTIFY, q);
}

static void mmio_config_read(struct vdriver *drv, unsigned off, void *buf, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)reg_read(drv, &virtio_mmio_bus_ops, drv->wire_ctx,
							VIRTIO_MMIO_CONFIG + off + i, 1);
}

static void mmio_config_write(struct vdriver *drv, unsigned off, const void *buf, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		reg_write(drv, &virtio_mmio_bus_ops, drv->wire_ctx, VIRTIO_MMIO_CONFIG + off + i, 1,
			  ((const uint8_t *)buf)[i]);
}

static const struct vdriver_wire mmio_wire = {
	.get_status = mmio_get_status,
	.set_status = mmio_set_status,
	.get_features = mmio_get_features,
	.set_features = mmio_set_features,
	.queue_max = mmio_queue_max,
	.queue_setup = mmio_queue_setup,
	.kick = mmio_kick,
	.config_read = mmio_config_read,
	.config_write = mmio_config_write,
};

/* PCI: structures are found through the vendor capabilities, as a driver does. */

static bool pci_find(const struct pci_func *f, uint8_t type, struct virtio_pci_notify_cap *ret_cap)
{
	for (unsigned at = f->config[0x34]; at; at = f->config[at + 1]) {
		memcpy(ret_cap, &f->config[at], sizeof(*ret_cap));
		if (ret_cap->cap.cap_vndr == 9 && ret_cap->cap.cfg_type == type)
			return true;
	}
	test_failed(__FILE__, __LINE__, "no virtio capability %u", type);
	return false;
}

static uint64_t pci_get(struct vdriver *drv, uint8_t type, unsigned off, unsigned size)
{
	const struct pci_func *f = drv->wire_ctx;
	struct virtio_pci_notify_cap c;
	if (!pci_find(f, type, &c))
		return 0;
	const struct pci_bar *bar = &f->bar[c.cap.bar];
	return reg_read(drv, bar->ops, bar->ctx, c.cap.offset + off, size);
}

static void pci_set(struct vdriver *drv, uint8_t type, unsigned off, unsigned size, uint64_t value)
{
	const struct pci_func *f = drv->wire_ctx;
	struct virtio_pci_notify_cap c;
	if (!pci_find(f, type, &c))
		return;
	const struct pci_bar *bar = &f->bar[c.cap.bar];
	reg_write(drv, bar->ops, bar->ctx, c.cap.offset + off, size, value);
}

#define COMMON(field)                                  \
	offsetof(struct virtio_pci_common_cfg, field), \
		sizeof(((struct virtio_pci_common_cfg *)0)->field)
#define pci_get_common(drv, field) pci_get(drv, VIRTIO_PCI_CAP_COMMON_CFG, COMMON(field))
#define pci_set_common(drv, field, value) \
	pci_set(drv, VIRTIO_PCI_CAP_COMMON_CFG, COMMON(field), value)

static uint8_t pci_get_status(struct vdriver *drv)
{
	return (uint8_t)pci_get_common(drv, device_status);
}

static void pci_set_status(struct vdriver *drv, uint8_t status)
{
	pci_set_common(drv, device_status, status);
}

static uint64_t pci_get_features(struct vdriver *drv)
{
	pci_set_common(drv, device_feature_select, 0);
	uint64_t low = pci_get_common(drv, device_feature);
	pci_set_common(drv, device_feature_select, 1);
	return low | pci_get_common(drv, device_feature) << 32;
}

static void pci_set_features(struct vdriver *drv, uint64_t features)
{
	for (unsigned word = 0; word < 2; word++) {
		pci_set_common(drv, driver_feature_select, word);
		pci_set_common(drv, driver_feature, (uint32_t)(features >> 32 * word));
	}
}

static uint16_t pci_queue_max(struct vdriver *drv, unsigned q)
{
	if (q >= pci_get_common(drv, num_queues))
		return 0;
	pci_set_common(drv, queue_select, q);
	return (uint16_t)pci_get_common(drv, queue_size);
}

/* Vector 0 for the configuration, 1 + q for queues: NO_VECTOR reads back when there is no such. */
static void pci_queue_setup(struct vdriver *drv, unsigned q)
{
	const struct vdriver_queue *dq = &drv->queue[q];
	pci_set_common(drv, config_msix_vector, 0);
	pci_set_common(drv, queue_select, q);
	pci_set_common(drv, queue_size, dq->size);
	pci_set_common(drv, queue_msix_vector, q + 1);
	pci_set_common(drv, queue_desc, dq->desc);
	pci_set_common(drv, queue_driver, dq->avail);
	pci_set_common(drv, queue_device, dq->used);
	pci_set_common(drv, queue_enable, 1);
}

static void pci_kick(struct vdriver *drv, unsigned q)
{
	struct virtio_pci_notify_cap c;
	pci_set_common(drv, queue_select, q);
	uint64_t off = pci_get_common(drv, queue_notify_off);
	if (pci_find(drv->wire_ctx, VIRTIO_PCI_CAP_NOTIFY_CFG, &c))
		pci_set(drv, VIRTIO_PCI_CAP_NOTIFY_CFG, (unsigned)off * c.notify_off_multiplier, 2,
			q);
}

static void pci_config_read(struct vdriver *drv, unsigned off, void *buf, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)pci_get(drv, VIRTIO_PCI_CAP_DEVICE_CFG, off + i, 1);
}

static void pci_config_write(struct vdriver *drv, unsigned off, const void *buf, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		pci_set(drv, VIRTIO_PCI_CAP_DEVICE_CFG, off + i, 1, ((const uint8_t *)buf)[i]);
}

static const struct vdriver_wire pci_wire = {
	.get_status = pci_get_status,
	.set_status = pci_set_status,
	.get_features = pci_get_features,
	.set_features = pci_set_features,
	.queue_max = pci_queue_max,
	.queue_setup = pci_queue_setup,
	.kick = pci_kick,
	.config_read = pci_config_read,
	.config_write = pci_config_write,
};

static void bind(struct vdriver *drv, struct virtio_device *vd, struct gmem *gm, gpa_t base,
		 const struct vdriver_wire *wire, void *wire_ctx)
{
	/* Not all of it: the queues' 130 KiB cost a fuzzer dear, and vdriver_start() clears them.
	 */
	memset(drv, 0, offsetof(struct vdriver, queue));
	for (unsigned q = 0; q < VIRTIO_QUEUE_MAX; q++)
		drv->queue[q].size = drv->queue[q].free_count = 0;
	drv->vd = vd;
	drv->gm = gm;
	drv->base = drv->brk = base;
	drv->wire = wire;
	drv->wire_ctx = wire_ctx;
}

void vdriver_init(struct vdriver *drv, struct virtio_device *vd, struct gmem *gm, gpa_t base)
{
	bind(drv, vd, gm, base, &direct_wire, NULL);
	vd->transport = &recorder;
	vd->transport_ctx = drv;
}

void vdriver_init_mmio(struct vdriver *drv, struct virtio_device *vd, struct gmem *gm, gpa_t base,
		       void *ctx)
{
	bind(drv, vd, gm, base, &mmio_wire, ctx);
}

void vdriver_init_pci(struct vdriver *drv, struct virtio_device *vd, struct gmem *gm, gpa_t base,
		      struct pci_func *f)
{
	bind(drv, vd, gm, base, &pci_wire, f);
}

gpa_t vdriver_alloc(struct vdriver *drv, size_t len, size_t align)
{
	gpa_t at = (drv->brk + align - 1) & ~((gpa_t)align - 1);
	if (gmem_zero(drv->gm, at, len) != 0) {
		test_failed(__FILE__, __LINE__, "the driver's memory is used up");
		return 0;
	}
	drv->brk = at + len;
	return at;
}

gpa_t vdriver_put(struct vdriver *drv, const void *buf, size_t len)
{
	gpa_t at = vdriver_alloc(drv, len, 16);
	put(drv, at, buf, len);
	return at;
}

static void queue_lay_out(struct vdriver *drv, unsigned q, uint16_t size)
{
	struct vdriver_queue *dq = &drv->queue[q];
	memset(dq, 0, sizeof(*dq));
	dq->size = size;
	dq->desc = vdriver_alloc(drv, 16 * (size_t)size, VIRTQ_DESC_ALIGN);
	dq->avail = vdriver_alloc(drv, VIRTQ_AVAIL_BYTES(size), VIRTQ_AVAIL_ALIGN);
	dq->used = vdriver_alloc(drv, VIRTQ_USED_BYTES(size), VIRTQ_USED_ALIGN);
	dq->free_count = size;
	for (unsigned i = 0; i < size; i++)
		dq->next[i] = (uint16_t)(i + 1);
}

void vdriver_reset(struct vdriver *drv)
{
	drv->wire->set_status(drv, 0);
}

bool vdriver_start(struct vdriver *drv, uint64_t features)
{
	const struct vdriver_wire *w = drv->wire;
	const uint8_t bound = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;
	const uint8_t agreed = bound | VIRTIO_STATUS_FEATURES_OK;
	const uint8_t running = agreed | VIRTIO_STATUS_DRIVER_OK;

	drv->brk = drv->base;
	vdriver_reset(drv);
	w->set_status(drv, VIRTIO_STATUS_ACKNOWLEDGE);
	w->set_status(drv, bound);
	drv->features = (features | 1ULL << VIRTIO_F_VERSION_1) & w->get_features(drv);
	w->set_features(drv, drv->features);
	w->set_status(drv, agreed);
	if (w->get_status(drv) != agreed)
		return false;
	for (unsigned q = 0; q < VIRTIO_QUEUE_MAX; q++) {
		uint16_t max = w->queue_max(drv, q);
		if (!max)
			break;
		queue_lay_out(drv, q, drv->queue_size ? drv->queue_size : max);
		w->queue_setup(drv, q);
	}
	w->set_status(drv, running);
	return w->get_status(drv) == running;
}

static void fill_desc(struct virtq_desc *d, const struct vbuf *buf)
{
	*d = (struct virtq_desc){
		.addr = buf->gpa,
		.len = buf->len,
		.flags = buf->is_writable ? VIRTQ_DESC_F_WRITE : 0,
	};
}

static void put_table(struct vdriver *drv, gpa_t table, const struct vbuf *bufs, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct virtq_desc d;
		fill_desc(&d, &bufs[i]);
		if (i + 1 < count) {
			d.flags |= VIRTQ_DESC_F_NEXT;
			d.next = (uint16_t)(i + 1);
		}
		put(drv, table + i * sizeof(d), &d, sizeof(d));
	}
}

int vdriver_add(struct vdriver *drv, unsigned q, const struct vbuf *bufs, unsigned count,
		enum vdriver_layout layout)
{
	struct vdriver_queue *dq = &drv->queue[q];
	unsigned needed = layout == VDRIVER_INDIRECT ? 1 : count;
	if (needed == 0 || needed > dq->free_count || count > VIRTQ_SIZE_MAX)
		return -1;

	uint16_t head = dq->free_head, i = head;
	if (layout == VDRIVER_INDIRECT) {
		if (!dq->indirect[head])
			dq->indirect[head] = vdriver_alloc(drv, 16 * VIRTQ_SIZE_MAX, 16);
		put_table(drv, dq->indirect[head], bufs, count);
		vdriver_set_desc(drv, q, head,
				 (struct virtq_desc){.addr = dq->indirect[head],
						     .len = 16 * count,
						     .flags = VIRTQ_DESC_F_INDIRECT});
		i = dq->next[head];
	} else {
		for (unsigned n = 0; n < count; n++) {
			struct virtq_desc d;
			fill_desc(&d, &bufs[n]);
			if (n + 1 < count) {
				d.flags |= VIRTQ_DESC_F_NEXT;
				d.next = dq->next[i];
			}
			vdriver_set_desc(drv, q, i, d);
			i = dq->next[i];
		}
	}
	dq->free_head = i;
	dq->free_count -= (uint16_t)needed;
	dq->length[head] = (uint16_t)needed;

	vdriver_set_avail_ring(drv, q, dq->avail_idx % dq->size, head);
	dq->avail_idx++;
	vdriver_set_avail_idx(drv, q, dq->avail_idx);
	return head;
}

void vdriver_kick_always(struct vdriver *drv, unsigned q)
{
	drv->queue[q].kicked_idx = drv->queue[q].avail_idx;
	drv->wire->kick(drv, q);
}

bool vdriver_kick(struct vdriver *drv, unsigned q)
{
	struct vdriver_queue *dq = &drv->queue[q];
	uint16_t old = dq->kicked_idx, now = dq->avail_idx;
	bool is_wanted;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (drv->features >> VIRTIO_F_EVENT_IDX & 1)
		is_wanted = (uint16_t)(now - vdriver_get_avail_event(drv, q) - 1) <
			    (uint16_t)(now - old);
	else
		is_wanted = !(vdriver_get_used_flags(drv, q) & VIRTQ_USED_F_NO_NOTIFY);
	dq->kicked_idx = now;
	if (is_wanted)
		drv->wire->kick(drv, q);
	return is_wanted;
}

/* Gives the descriptors of the chain at @head back to the free list. */
static void release(struct vdriver_queue *dq, uint16_t head)
{
	uint16_t last = head;
	for (unsigned n = 1; n < dq->length[head]; n++)
		last = dq->next[last];
	dq->next[last] = dq->free_head;
	dq->free_head = head;
	dq->free_count += dq->length[head];
	dq->length[head] = 0;
}

bool vdriver_reap(struct vdriver *drv, unsigned q, uint16_t *ret_head, uint32_t *ret_len)
{
	struct vdriver_queue *dq = &drv->queue[q];
	struct virtq_used_elem e;
	if (vdriver_get_used_idx(drv, q) == dq->used_idx)
		return false;
	if (gmem_read(drv->gm, dq->used + VIRTQ_USED_RING(dq->used_idx % dq->size), &e,
		      sizeof(e)) != 0 ||
	    e.id >= dq->size || dq->length[e.id] == 0) {
		test_failed(__FILE__, __LINE__, "used element of a chain that is not out");
		return false;
	}
	dq->used_idx++;
	release(dq, (uint16_t)e.id);
	if (drv->features >> VIRTIO_F_EVENT_IDX & 1)
		vdriver_set_used_event(drv, q, dq->used_idx);
	if (ret_head)
		*ret_head = (uint16_t)e.id;
	if (ret_len)
		*ret_len = e.len;
	return true;
}

int64_t vdriver_request(struct vdriver *drv, unsigned q, const void *out, size_t out_len, void *in,
			size_t in_len)
{
	gpa_t brk = drv->brk; /* the buffers live for this call only */
	struct vbuf bufs[2];
	unsigned count = 0;
	uint32_t len = 0;
	gpa_t in_gpa = 0;

	if (out_len)
		bufs[count++] =
			(struct vbuf){vdriver_put(drv, out, out_len), (uint32_t)out_len, false};
	if (in_len) {
		in_gpa = vdriver_alloc(drv, in_len, 16);
		bufs[count++] = (struct vbuf){in_gpa, (uint32_t)in_len, true};
	}
	int head = vdriver_add(drv, q, bufs, count, VDRIVER_DIRECT);
	vdriver_kick(drv, q);
	bool is_back = head >= 0 && vdriver_reap(drv, q, NULL, &len);
	if (is_back && in_len && gmem_read(drv->gm, in_gpa, in, in_len) != 0)
		is_back = false;
	drv->brk = brk;
	return is_back ? (int64_t)len : -1;
}

void vdriver_set_avail_idx(struct vdriver *drv, unsigned q, uint16_t idx)
{
	put16(drv, drv->queue[q].avail + VIRTQ_AVAIL_IDX, idx);
}

void vdriver_set_avail_ring(struct vdriver *drv, unsigned q, uint16_t slot, uint16_t head)
{
	put16(drv, drv->queue[q].avail + VIRTQ_AVAIL_RING(slot), head);
}

void vdriver_set_avail_flags(struct vdriver *drv, unsigned q, uint16_t flags)
{
	put16(drv, drv->queue[q].avail + VIRTQ_AVAIL_FLAGS, flags);
}

void vdriver_set_used_event(struct vdriver *drv, unsigned q, uint16_t idx)
{
	put16(drv, drv->queue[q].avail + VIRTQ_AVAIL_USED_EVENT(drv->queue[q].size), idx);
}

void vdriver_set_desc(struct vdriver *drv, unsigned q, uint16_t i, struct virtq_desc desc)
{
	put(drv, drv->queue[q].desc + i * sizeof(desc), &desc, sizeof(desc));
}

uint16_t vdriver_get_used_idx(struct vdriver *drv, unsigned q)
{
	return get16(drv, drv->queue[q].used + VIRTQ_USED_IDX);
}

uint16_t vdriver_get_used_flags(struct vdriver *drv, unsigned q)
{
	return get16(drv, drv->queue[q].used + VIRTQ_USED_FLAGS);
}

uint16_t vdriver_get_avail_event(struct vdriver *drv, unsigned q)
{
	return get16(drv, drv->queue[q].used + VIRTQ_USED_AVAIL_EVENT(drv->queue[q].size));
}
