/*
 * virtio over MMIO, version 2: VIRTIO 1.2, section 4.2.
 *
 * Control registers answer to aligned 32-bit accesses only, as a driver must make them; others read
 * as zero and are dropped. The device's configuration takes any size.
 *
 * Left out on purpose: the legacy interface (version 1), shared memory regions, QueueReset.
 */
#include "transport.h"

#include <assert.h>
#include <errno.h>
#include <spec/virtio_config.h>
#include <spec/virtio_mmio.h>
#include <spec/virtio_pci.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/bus.h>
#include <tinyvm/state.h>

struct virtio_mmio {
	struct virtio_device *vd;
	uint64_t gpa;
	struct irq_line irq;
	struct kick_sink kick;
	uint32_t device_features_sel;
	uint32_t driver_features_sel;
	uint32_t queue_sel;
	uint32_t interrupt_status;
};

static void mmio_drive_irq(struct virtio_mmio *m)
{
	irq_line_set(&m->irq, m->interrupt_status != 0);
}

static void mmio_interrupt(void *ctx, int queue)
{
	struct virtio_mmio *m = ctx;
	m->interrupt_status |= queue < 0 ? VIRTIO_MMIO_INT_CONFIG : VIRTIO_MMIO_INT_VRING;
	mmio_drive_irq(m);
}

static void mmio_ring(void *ctx, unsigned queue)
{
	const struct virtio_mmio *m = ctx;
	if (m->kick.ring)
		m->kick.ring(m->kick.ctx, queue);
}

static void mmio_unmap_kicks(struct virtio_mmio *m)
{
	if (m->kick.unmap)
		m->kick.unmap(m->kick.ctx);
}

/* All queues share one doorbell; the value written tells them apart. */
static void mmio_map_kicks(struct virtio_mmio *m)
{
	mmio_unmap_kicks(m);
	if (!m->kick.map || !virtio_is_live(m->vd))
		return;
	for (unsigned q = 0; q < m->vd->queue_count; q++) {
		if (m->vd->queue[q].is_ready)
			m->kick.map(m->kick.ctx, q, m->gpa + VIRTIO_MMIO_QUEUE_NOTIFY, 4, q);
	}
}

/* The registers of this file alone, as after a reset by the driver. */
static void mmio_reset(void *ctx)
{
	struct virtio_mmio *m = ctx;
	m->device_features_sel = 0;
	m->driver_features_sel = 0;
	m->queue_sel = 0;
	m->interrupt_status = 0;
	mmio_unmap_kicks(m);
	mmio_drive_irq(m);
}

static void mmio_resume(void *ctx)
{
	mmio_map_kicks(ctx);
}

static void mmio_state(void *ctx, struct state *st)
{
	struct virtio_mmio *m = ctx;
	uint32_t interrupt_status = m->interrupt_status;
	state_u32(st, "DeviceFeaturesSel", &m->device_features_sel);
	state_u32(st, "DriverFeaturesSel", &m->driver_features_sel);
	state_u32(st, "QueueSel", &m->queue_sel);
	state_u32(st, "InterruptStatus", &interrupt_status);
	if (!state_is_loading(st) || state_error(st))
		return;
	if (interrupt_status & ~(uint32_t)(VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG)) {
		state_fail(st, "an unknown virtio interrupt status");
		return;
	}
	m->interrupt_status = interrupt_status;
	mmio_unmap_kicks(m); /* until resume */
	mmio_drive_irq(m);
}

static void mmio_destroy(void *ctx)
{
	struct virtio_mmio *m = ctx;
	mmio_unmap_kicks(m);
	free(m);
}

static const struct virtio_transport mmio_transport = {
	.interrupt = mmio_interrupt,
	.ring = mmio_ring,
	.state = mmio_state,
	.reset = mmio_reset,
	.resume = mmio_resume,
	.destroy = mmio_destroy,
};

static uint32_t mmio_read_register(const struct virtio_mmio *m, uint64_t off)
{
	const struct virtio_device *vd = m->vd;
	const struct virtq *vq = queue_selected(vd, m->queue_sel);

	switch (off) {
	case VIRTIO_MMIO_MAGIC_VALUE:
		return VIRTIO_MMIO_MAGIC;
	case VIRTIO_MMIO_VERSION:
		return 2;
	case VIRTIO_MMIO_DEVICE_ID:
		return vd->ops->device_id;
	case VIRTIO_MMIO_VENDOR_ID:
		return VIRTIO_PCI_VENDOR;
	case VIRTIO_MMIO_DEVICE_FEATURES:
		return feature_word(vd->features_offered, m->device_features_sel);
	case VIRTIO_MMIO_QUEUE_NUM_MAX:
		return vq ? vq->size_max : 0;
	case VIRTIO_MMIO_QUEUE_READY:
		return vq && vq->is_ready;
	case VIRTIO_MMIO_INTERRUPT_STATUS:
		return m->interrupt_status;
	case VIRTIO_MMIO_STATUS:
		return vd->status;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH:
		return UINT32_MAX; /* no such region */
	case VIRTIO_MMIO_CONFIG_GENERATION:
		return vd->config_generation;
	default:
		return 0;
	}
}

static void mmio_write_queue(struct virtq *vq, uint64_t off, uint32_t value)
{
	switch (off) {
	case VIRTIO_MMIO_QUEUE_NUM:
		virtq_set_size(vq, value);
		break;
	case VIRTIO_MMIO_QUEUE_READY:
		if (value & 1)
			virtq_enable(vq);
		else
			virtq_disable(vq);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		queue_area_write(vq, &vq->desc, off == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_DRIVER_LOW:
	case VIRTIO_MMIO_QUEUE_DRIVER_HIGH:
		queue_area_write(vq, &vq->avail, off == VIRTIO_MMIO_QUEUE_DRIVER_HIGH, value);
		break;
	case VIRTIO_MMIO_QUEUE_DEVICE_LOW:
	case VIRTIO_MMIO_QUEUE_DEVICE_HIGH:
		queue_area_write(vq, &vq->used, off == VIRTIO_MMIO_QUEUE_DEVICE_HIGH, value);
		break;
	default:
		break;
	}
}

static void mmio_write_status(struct virtio_mmio *m, uint8_t status)
{
	bool was_live = virtio_is_live(m->vd);
	virtio_set_status(m->vd, status);
	if (status == 0)
		mmio_reset(m);
	else if (!was_live)
		mmio_map_kicks(m);
}

static void mmio_write_register(struct virtio_mmio *m, uint64_t off, uint32_t value)
{
	struct virtq *vq;

	switch (off) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		m->device_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		m->driver_features_sel = value;
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		driver_feature_write(m->vd, m->driver_features_sel, value);
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		m->queue_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		virtio_device_kick(m->vd, value);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		m->interrupt_status &= ~value;
		mmio_drive_irq(m);
		break;
	case VIRTIO_MMIO_STATUS:
		mmio_write_status(m, (uint8_t)value);
		break;
	default:
		vq = queue_selected(m->vd, m->queue_sel);
		if (vq)
			mmio_write_queue(vq, off, value);
		break;
	}
}

static uint64_t mmio_read(void *ctx, uint64_t off, unsigned size)
{
	const struct virtio_mmio *m = ctx;
	if (off < VIRTIO_MMIO_CONFIG)
		return size == 4 && off % 4 == 0 ? mmio_read_register(m, off) : 0;
	uint32_t value = 0;
	virtio_config_read(m->vd, (unsigned)(off - VIRTIO_MMIO_CONFIG), &value, size);
	return value;
}

static void mmio_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct virtio_mmio *m = ctx;
	uint32_t word = (uint32_t)value;
	if (off >= VIRTIO_MMIO_CONFIG)
		virtio_config_write(m->vd, (unsigned)(off - VIRTIO_MMIO_CONFIG), &word, size);
	else if (size == 4 && off % 4 == 0)
		mmio_write_register(m, off, word);
}

const struct bus_ops virtio_mmio_bus_ops = {
	.sizes = BUS_SIZE_1 | BUS_SIZE_2 | BUS_SIZE_4,
	.read = mmio_read,
	.write = mmio_write,
};

int virtio_mmio_attach(struct virtio_device *vd, void **ret_ctx, uint64_t gpa, struct irq_line irq,
		       struct kick_sink kick)
{
	assert(!vd->transport && vd->config_len <= VIRTIO_MMIO_SIZE - VIRTIO_MMIO_CONFIG);
	struct virtio_mmio *m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->vd = vd;
	m->gpa = gpa;
	m->irq = irq;
	m->kick = kick;
	vd->transport = &mmio_transport;
	vd->transport_ctx = m;
	*ret_ctx = m;
	return 0;
}
