/*
 * virtio over PCI: VIRTIO 1.2, section 4.1, for drivers of version 1.0 and later, with MSI-X.
 *
 * BAR 0 holds all of the device's structures, BAR 1 the MSI-X table. A structure's fields are
 * written in their natural size (64-bit ones as two halves); any read is answered.
 *
 * Left out on purpose: transitional devices, I/O BARs, shared memory, NOTIFICATION_DATA.
 */
#include "transport.h"

#include <assert.h>
#include <errno.h>
#include <spec/pci_regs.h>
#include <spec/virtio_config.h>
#include <spec/virtio_pci.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/bus.h>
#include <tinyvm/pci.h>
#include <tinyvm/state.h>

/* The structures in BAR 0. */
#define REGS_BAR      0
#define MSIX_BAR      1
#define REGS_SIZE     4096
#define COMMON_OFFSET 0x000
#define ISR_OFFSET    0x100
#define DEVICE_OFFSET 0x200
#define DEVICE_MAX    0x600
#define NOTIFY_OFFSET 0x800
#define NOTIFY_STEP   4

/* The capability's structures lie 4-byte aligned in BAR space, in this order. */
_Static_assert(sizeof(struct virtio_pci_common_cfg) <= ISR_OFFSET, "structures overlap");
_Static_assert(NOTIFY_OFFSET + NOTIFY_STEP * VIRTIO_QUEUE_MAX <= REGS_SIZE, "BAR too small");

struct virtio_pci {
	struct virtio_device *vd;
	struct pci_func func;
	struct pci_msix msix;
	struct kick_sink kick;
	unsigned window_cap; /* offset of the PCI_CFG capability */
	uint32_t device_feature_select;
	uint32_t driver_feature_select;
	uint16_t queue_select;
	uint16_t config_msix_vector;
	uint8_t isr;
};

static void pci_drive_intx(struct virtio_pci *p)
{
	pci_func_set_intx(&p->func, p->isr && !pci_msix_is_enabled(&p->msix));
}

/* Section 4.1.4.5.1: with MSI-X, the ISR status only ever shows configuration changes. */
static void pci_interrupt(void *ctx, int queue)
{
	struct virtio_pci *p = ctx;
	if (queue < 0)
		p->isr |= VIRTIO_PCI_ISR_CONFIG;
	if (pci_msix_is_enabled(&p->msix)) {
		uint16_t vector =
			queue < 0 ? p->config_msix_vector : p->vd->queue[queue].msix_vector;
		if (vector != VIRTIO_MSI_NO_VECTOR)
			pci_msix_raise(&p->msix, vector);
		return;
	}
	if (queue >= 0)
		p->isr |= VIRTIO_PCI_ISR_QUEUE;
	pci_drive_intx(p);
}

static void pci_unmap_kicks(struct virtio_pci *p)
{
	if (p->kick.unmap)
		p->kick.unmap(p->kick.ctx);
}

static void pci_ring(void *ctx, unsigned queue)
{
	const struct virtio_pci *p = ctx;
	if (p->kick.ring)
		p->kick.ring(p->kick.ctx, queue);
}

static void pci_map_kicks(struct virtio_pci *p)
{
	uint64_t gpa;

	pci_unmap_kicks(p);
	if (!p->kick.map || !virtio_is_live(p->vd) || p->vd->is_quiesced ||
	    !pci_func_bar_gpa(&p->func, REGS_BAR, &gpa))
		return;
	for (unsigned q = 0; q < p->vd->queue_count; q++) {
		if (p->vd->queue[q].is_ready)
			p->kick.map(p->kick.ctx, q, gpa + NOTIFY_OFFSET + q * NOTIFY_STEP, 0, 0);
	}
}

static void pci_bars_moved(void *ctx)
{
	pci_map_kicks(ctx);
}

/* Back to power-on values of the registers behind BAR 0: a reset by the driver does that much. */
static void pci_reset_registers(struct virtio_pci *p)
{
	p->device_feature_select = 0;
	p->driver_feature_select = 0;
	p->queue_select = 0;
	p->config_msix_vector = VIRTIO_MSI_NO_VECTOR;
	p->isr = 0;
	pci_unmap_kicks(p);
	pci_drive_intx(p);
}

static void pci_reset(void *ctx)
{
	struct virtio_pci *p = ctx;
	pci_reset_registers(p);
	pci_func_reset(&p->func);
	pci_msix_reset(&p->msix);
}

static void pci_resume(void *ctx)
{
	pci_map_kicks(ctx);
}

static bool pci_is_vector(const struct virtio_pci *p, uint16_t vector)
{
	return vector < p->msix.count || vector == VIRTIO_MSI_NO_VECTOR;
}

static bool pci_registers_are_good(const struct virtio_pci *p)
{
	for (unsigned q = 0; q < p->vd->queue_count; q++) {
		if (!pci_is_vector(p, p->vd->queue[q].msix_vector))
			return false;
	}
	return pci_is_vector(p, p->config_msix_vector) &&
	       !(p->isr & ~(VIRTIO_PCI_ISR_QUEUE | VIRTIO_PCI_ISR_CONFIG));
}

static void pci_state(void *ctx, struct state *st)
{
	struct virtio_pci *p = ctx;
	bool is_loading = state_is_loading(st);

	pci_func_state(&p->func, st);
	pci_msix_state(&p->msix, st);
	state_u32(st, "device_feature_select", &p->device_feature_select);
	state_u32(st, "driver_feature_select", &p->driver_feature_select);
	state_u16(st, "queue_select", &p->queue_select);
	state_u16(st, "config_msix_vector", &p->config_msix_vector);
	state_u8(st, "ISR status", &p->isr);
	for (unsigned q = 0; q < p->vd->queue_count; q++)
		state_u16(st, "queue_msix_vector", &p->vd->queue[q].msix_vector);
	if (!is_loading || state_error(st))
		return; /* a load that failed is followed by a reset */
	if (!pci_registers_are_good(p)) {
		state_fail(st, "a virtio interrupt vector or status that cannot be");
		return;
	}
	pci_unmap_kicks(p); /* until resume */
	pci_drive_intx(p);
}

static void pci_destroy(void *ctx)
{
	struct virtio_pci *p = ctx;
	pci_unmap_kicks(p);
	free(p);
}

static const struct virtio_transport pci_transport = {
	.interrupt = pci_interrupt,
	.ring = pci_ring,
	.state = pci_state,
	.reset = pci_reset,
	.resume = pci_resume,
	.destroy = pci_destroy,
};

/* COMMON_CFG, section 4.1.4.3. */

static struct virtio_pci_common_cfg common_registers(const struct virtio_pci *p)
{
	const struct virtio_device *vd = p->vd;
	const struct virtq *vq = queue_selected(vd, p->queue_select);
	struct virtio_pci_common_cfg c = {
		.device_feature_select = p->device_feature_select,
		.device_feature = feature_word(vd->features_offered, p->device_feature_select),
		.driver_feature_select = p->driver_feature_select,
		.driver_feature = feature_word(vd->features, p->driver_feature_select),
		.config_msix_vector = p->config_msix_vector,
		.num_queues = (uint16_t)vd->queue_count,
		.device_status = vd->status,
		.config_generation = vd->config_generation,
		.queue_select = p->queue_select,
		.queue_msix_vector = VIRTIO_MSI_NO_VECTOR,
	};
	if (vq) {
		c.queue_size = vq->size;
		c.queue_msix_vector = vq->msix_vector;
		c.queue_enable = vq->is_ready;
		c.queue_notify_off = vq->index;
		c.queue_desc = vq->desc;
		c.queue_driver = vq->avail;
		c.queue_device = vq->used;
	}
	return c;
}

static void common_write_status(struct virtio_pci *p, uint8_t status)
{
	bool was_live = virtio_is_live(p->vd);
	virtio_set_status(p->vd, status);
	if (status == 0)
		pci_reset_registers(p);
	else if (!was_live)
		pci_map_kicks(p);
}

/* A vector that does not exist reads back as NO_VECTOR, which tells the driver. */
static uint16_t common_vector(const struct virtio_pci *p, uint16_t vector)
{
	return pci_is_vector(p, vector) ? vector : VIRTIO_MSI_NO_VECTOR;
}

/* A field's offset and size in one number, so that a write of another size matches no case. */
#define AT(off, size) ((off) << 4 | (size))
#define FIELD(name)                                      \
	AT(offsetof(struct virtio_pci_common_cfg, name), \
	   sizeof(((struct virtio_pci_common_cfg *)0)->name))
#define LOW(name)  AT(offsetof(struct virtio_pci_common_cfg, name), 4)
#define HIGH(name) AT(offsetof(struct virtio_pci_common_cfg, name) + 4, 4)

static void common_write_queue(const struct virtio_pci *p, struct virtq *vq, uint64_t at,
			       uint32_t value)
{
	switch (at) {
	case FIELD(queue_size):
		virtq_set_size(vq, value);
		break;
	case FIELD(queue_msix_vector):
		vq->msix_vector = common_vector(p, (uint16_t)value);
		break;
	case FIELD(queue_enable):
		if (value == 1)
			virtq_enable(vq);
		break;
	case LOW(queue_desc):
	case HIGH(queue_desc):
		queue_area_write(vq, &vq->desc, at == HIGH(queue_desc), value);
		break;
	case LOW(queue_driver):
	case HIGH(queue_driver):
		queue_area_write(vq, &vq->avail, at == HIGH(queue_driver), value);
		break;
	case LOW(queue_device):
	case HIGH(queue_device):
		queue_area_write(vq, &vq->used, at == HIGH(queue_device), value);
		break;
	default:
		break;
	}
}

static void common_write(struct virtio_pci *p, uint64_t off, unsigned size, uint32_t value)
{
	struct virtq *vq;
	uint64_t at = AT(off, size);

	switch (at) {
	case FIELD(device_feature_select):
		p->device_feature_select = value;
		break;
	case FIELD(driver_feature_select):
		p->driver_feature_select = value;
		break;
	case FIELD(driver_feature):
		driver_feature_write(p->vd, p->driver_feature_select, value);
		break;
	case FIELD(config_msix_vector):
		p->config_msix_vector = common_vector(p, (uint16_t)value);
		break;
	case FIELD(device_status):
		common_write_status(p, (uint8_t)value);
		break;
	case FIELD(queue_select):
		p->queue_select = (uint16_t)value;
		break;
	default:
		vq = queue_selected(p->vd, p->queue_select);
		if (vq)
			common_write_queue(p, vq, at, value);
		break;
	}
}

/* BAR 0. */

static uint64_t regs_read(void *ctx, uint64_t off, unsigned size)
{
	struct virtio_pci *p = ctx;
	uint32_t value = 0;

	if (off + size <= sizeof(struct virtio_pci_common_cfg)) {
		struct virtio_pci_common_cfg c = common_registers(p);
		memcpy(&value, (const uint8_t *)&c + off, size);
	} else if (off == ISR_OFFSET) {
		value = p->isr;
		p->isr = 0;
		pci_drive_intx(p);
	} else if (off >= DEVICE_OFFSET && off < DEVICE_OFFSET + DEVICE_MAX) {
		virtio_config_read(p->vd, (unsigned)(off - DEVICE_OFFSET), &value, size);
	}
	return value;
}

static void regs_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct virtio_pci *p = ctx;
	uint32_t word = (uint32_t)value;

	if (off < ISR_OFFSET)
		common_write(p, off, size, word);
	else if (off >= NOTIFY_OFFSET && off % NOTIFY_STEP == 0)
		virtio_device_kick(p->vd, (unsigned)(off - NOTIFY_OFFSET) / NOTIFY_STEP);
	else if (off >= DEVICE_OFFSET && off < DEVICE_OFFSET + DEVICE_MAX)
		virtio_config_write(p->vd, (unsigned)(off - DEVICE_OFFSET), &word, size);
}

static const struct bus_ops regs_bus_ops = {
	.sizes = BUS_SIZE_1 | BUS_SIZE_2 | BUS_SIZE_4,
	.read = regs_read,
	.write = regs_write,
};

/*
 * PCI_CFG, section 4.1.4.9: a window in configuration space onto BAR 0, for firmware that cannot
 * map BARs. The driver names BAR, offset and length in the capability; what the window does not
 * allow leaves pci_cfg_data as it is.
 */
static bool window_is_hit(const struct virtio_pci *p, unsigned off, unsigned size)
{
	unsigned data = p->window_cap + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data);
	return off < data + 4 && off + size > data;
}

static bool window_get(struct virtio_pci *p, struct virtio_pci_cfg_cap *ret_cap)
{
	memcpy(ret_cap, &p->func.config[p->window_cap], sizeof(*ret_cap));
	uint32_t off = ret_cap->cap.offset, len = ret_cap->cap.length;
	return ret_cap->cap.bar == REGS_BAR && (len == 1 || len == 2 || len == 4) &&
	       off % len == 0 && off < REGS_SIZE;
}

static void pci_config_read(void *ctx, unsigned off, unsigned size)
{
	struct virtio_pci *p = ctx;
	struct virtio_pci_cfg_cap c;
	if (!window_is_hit(p, off, size) || !window_get(p, &c))
		return;
	uint32_t value = (uint32_t)regs_read(p, c.cap.offset, c.cap.length);
	memcpy(&p->func.config[p->window_cap + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data)],
	       &value, c.cap.length);
}

static void pci_config_write(void *ctx, unsigned off, unsigned size)
{
	struct virtio_pci *p = ctx;
	struct virtio_pci_cfg_cap c;
	if (window_is_hit(p, off, size) && window_get(p, &c)) {
		uint32_t value = 0;
		memcpy(&value, c.pci_cfg_data, c.cap.length);
		regs_write(p, c.cap.offset, c.cap.length, value);
	}
	/* Perhaps MSI-X was switched on or off: INTx goes or comes. */
	pci_msix_config_written(&p->msix);
	pci_drive_intx(p);
}

static const struct pci_func_ops pci_ops = {
	.bars_moved = pci_bars_moved,
	.config_read = pci_config_read,
	.config_write = pci_config_write,
};

static unsigned pci_add_cap(struct virtio_pci *p, uint8_t type, uint32_t offset, uint32_t length)
{
	struct virtio_pci_notify_cap c = {
		.cap = {.cap_vndr = PCI_CAP_ID_VENDOR,
			.cap_len = sizeof(c.cap),
			.cfg_type = type,
			.bar = REGS_BAR,
			.offset = offset,
			.length = length},
	};
	if (type == VIRTIO_PCI_CAP_NOTIFY_CFG) {
		c.cap.cap_len = sizeof(c);
		c.notify_off_multiplier = NOTIFY_STEP;
	} else if (type == VIRTIO_PCI_CAP_PCI_CFG) {
		c.cap.cap_len = sizeof(struct virtio_pci_cfg_cap);
	}
	return pci_func_add_cap(&p->func, &c, c.cap.cap_len);
}

static void pci_add_caps(struct virtio_pci *p)
{
	const struct virtio_device *vd = p->vd;

	pci_add_cap(p, VIRTIO_PCI_CAP_COMMON_CFG, COMMON_OFFSET,
		    sizeof(struct virtio_pci_common_cfg));
	pci_add_cap(p, VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY_OFFSET, vd->queue_count * NOTIFY_STEP);
	pci_add_cap(p, VIRTIO_PCI_CAP_ISR_CFG, ISR_OFFSET, 1);
	if (vd->config_len)
		pci_add_cap(p, VIRTIO_PCI_CAP_DEVICE_CFG, DEVICE_OFFSET, vd->config_len);

	p->window_cap = pci_add_cap(p, VIRTIO_PCI_CAP_PCI_CFG, 0, 0);
	uint8_t *wmask = &p->func.wmask[p->window_cap];
	wmask[offsetof(struct virtio_pci_cap, bar)] = 0xff;
	memset(wmask + offsetof(struct virtio_pci_cap, offset), 0xff, 4);
	memset(wmask + offsetof(struct virtio_pci_cap, length), 0xff, 4);
	memset(wmask + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data), 0xff, 4);
}

int virtio_pci_attach(struct virtio_device *vd, struct pci_func **ret_func, struct irq_line intx,
		      struct msi_sink msi, struct kick_sink kick)
{
	assert(!vd->transport && vd->config_len <= DEVICE_MAX);
	struct virtio_pci *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	const struct pci_id id = {
		.vendor = VIRTIO_PCI_VENDOR,
		.device = (uint16_t)(VIRTIO_PCI_DEVICE_BASE + vd->ops->device_id),
		.subsystem_vendor = VIRTIO_PCI_VENDOR,
		.subsystem = (uint16_t)(0x40 + vd->ops->device_id), /* 0x40 or higher: 4.1.2.1 */
		.class_code = vd->ops->pci_class,
		.revision = 1,
	};
	unsigned vectors = vd->queue_count + 1; /* one a queue, one for the configuration */

	p->vd = vd;
	p->kick = kick;
	p->config_msix_vector = VIRTIO_MSI_NO_VECTOR;
	pci_func_init(&p->func, &vd->dev, &id, &pci_ops, p, intx);
	pci_func_set_bar(&p->func, REGS_BAR, REGS_SIZE, &regs_bus_ops, p);
	pci_add_caps(p);
	pci_msix_init(&p->msix, &p->func, MSIX_BAR, vectors < PCI_MSIX_MAX ? vectors : PCI_MSIX_MAX,
		      msi);
	/* From the window through the MSI-X capability, which was added right after it. */
	p->func.hook_first = p->window_cap;
	p->func.hook_last = p->msix.cap + sizeof(struct pci_msix_cap) - 1;

	vd->transport = &pci_transport;
	vd->transport_ctx = p;
	*ret_func = &p->func;
	return 0;
}
