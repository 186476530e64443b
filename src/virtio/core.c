/*
 * The virtio device core: VIRTIO 1.2, sections 2.1 to 2.5 and 3.1. Status, feature negotiation,
 * configuration bytes, queue set-up, reset, state.
 *
 * Left out on purpose: legacy (pre-1.0) drivers, RING_RESET, SUSPEND, shared memory regions.
 */
#include "virtio_device.h"

#include <assert.h>
#include <errno.h>
#include <spec/virtio_config.h>
#include <spec/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/log.h>
#include <tinyvm/state.h>

#define STATUS_BY_DRIVER                                                              \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK | \
	 VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_FAILED)
#define STATUS_ALL   (STATUS_BY_DRIVER | VIRTIO_STATUS_DEVICE_NEEDS_RESET)
#define FEATURE(bit) (1ULL << (bit))
#define CORE_FEATURES                                                    \
	(FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_F_INDIRECT_DESC) | \
	 FEATURE(VIRTIO_F_EVENT_IDX))

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

struct device *virtio_to_device(struct virtio_device *vd)
{
	return &vd->dev;
}

bool virtio_is_live(const struct virtio_device *vd)
{
	return (vd->status & (VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_DEVICE_NEEDS_RESET)) ==
	       VIRTIO_STATUS_DRIVER_OK;
}

static void virtio_interrupt_config(struct virtio_device *vd)
{
	if (vd->transport && vd->status & VIRTIO_STATUS_DRIVER_OK)
		vd->transport->interrupt(vd->transport_ctx, -1);
}

static void virtio_stop(struct virtio_device *vd)
{
	if (virtio_is_live(vd) && vd->ops->stop)
		vd->ops->stop(vd);
}

static void virtq_reset(struct virtq *vq)
{
	*vq = (struct virtq){.vd = vq->vd,
			     .index = vq->index,
			     .size_max = vq->size_max,
			     .size = vq->size_max,
			     .msix_vector = VIRTIO_NO_VECTOR};
}

/* Status 0: everything but the transport's registers. */
static void virtio_reset(struct virtio_device *vd)
{
	virtio_stop(vd);
	vd->status = 0;
	vd->features = 0;
	vd->config_generation = 0;
	for (unsigned i = 0; i < vd->queue_count; i++)
		virtq_reset(&vd->queue[i]);
	if (vd->ops->reset)
		vd->ops->reset(vd);
}

int virtio_device_init(struct virtio_device *vd, const struct virtio_ops *ops, const char *id,
		       struct gmem *gm, uint64_t features, void *config, unsigned config_len,
		       unsigned queue_count, uint16_t queue_size)
{
	assert(is_power_of_two(queue_size) && queue_size <= VIRTQ_SIZE_MAX);
	assert(queue_count >= 1 && queue_count <= VIRTIO_QUEUE_MAX);

	struct virtq *queue = calloc(queue_count, sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	memset(vd, 0, sizeof(*vd));
	device_init(&vd->dev, &ops->dev, id);
	vd->ops = ops;
	vd->gm = gm;
	vd->features_offered = features | CORE_FEATURES;
	vd->config = config;
	vd->config_len = config_len;
	vd->queue_count = queue_count;
	vd->queue = queue;
	for (unsigned i = 0; i < queue_count; i++) {
		queue[i] = (struct virtq){.vd = vd, .index = (uint16_t)i, .size_max = queue_size};
		virtq_reset(&queue[i]);
	}
	return 0;
}

void virtio_device_fini(struct virtio_device *vd)
{
	if (vd->transport && vd->transport->destroy)
		vd->transport->destroy(vd->transport_ctx);
	free(vd->queue);
}

void virtio_device_reset(struct device *dev)
{
	struct virtio_device *vd = (struct virtio_device *)dev;
	virtio_reset(vd);
	if (vd->transport && vd->transport->reset)
		vd->transport->reset(vd->transport_ctx);
}

void virtio_device_quiesce(struct device *dev)
{
	struct virtio_device *vd = (struct virtio_device *)dev;
	vd->is_quiesced = true; /* first, so that finished work starts no new one */
	if (vd->ops->quiesce)
		vd->ops->quiesce(vd);
}

void virtio_device_resume(struct device *dev)
{
	struct virtio_device *vd = (struct virtio_device *)dev;
	vd->is_quiesced = false;
	if (vd->ops->resume)
		vd->ops->resume(vd);
	if (vd->transport && vd->transport->resume)
		vd->transport->resume(vd->transport_ctx);
	/* What was rung while nobody listened, or before the state was saved. */
	for (unsigned i = 0; i < vd->queue_count; i++)
		virtio_device_kick(vd, i);
}

static bool virtio_is_served(const struct virtio_device *vd, unsigned queue)
{
	return queue < vd->queue_count && vd->queue[queue].is_ready && virtio_is_live(vd) &&
	       !vd->is_quiesced;
}

void virtio_device_kick(struct virtio_device *vd, unsigned queue)
{
	if (virtio_is_served(vd, queue))
		vd->ops->notify(vd, queue);
}

void virtio_device_interrupt(struct virtio_device *vd, unsigned queue)
{
	if (queue < vd->queue_count && virtio_is_live(vd) && vd->transport)
		vd->transport->interrupt(vd->transport_ctx, (int)queue);
}

bool virtio_device_can_poll(const struct virtio_device *vd)
{
	return vd->ops->poll;
}

bool virtio_device_poll(struct virtio_device *vd, unsigned queue, bool is_last)
{
	return virtio_is_served(vd, queue) && vd->ops->poll(vd, queue, is_last);
}

void virtio_device_break(struct virtio_device *vd, const char *why)
{
	if (vd->status & VIRTIO_STATUS_DEVICE_NEEDS_RESET)
		return;
	log_guest(&vd->bad_rings, "%s: the guest's driver offers %s: device stopped", vd->dev.id,
		  why);
	virtio_stop(vd);
	vd->status |= VIRTIO_STATUS_DEVICE_NEEDS_RESET;
	virtio_interrupt_config(vd);
}

void virtio_set_features(struct virtio_device *vd, uint64_t features)
{
	if (!(vd->status & VIRTIO_STATUS_FEATURES_OK))
		vd->features = features;
}

static bool virtio_features_are_good(const struct virtio_device *vd, uint64_t features)
{
	return !(features & ~vd->features_offered) && features & FEATURE(VIRTIO_F_VERSION_1);
}

void virtio_set_status(struct virtio_device *vd, uint8_t status)
{
	if (status == 0) {
		virtio_reset(vd);
		return;
	}
	if (vd->status & STATUS_BY_DRIVER & ~status)
		return; /* "The driver MUST NOT clear a device status bit" (section 2.1.1) */

	uint8_t fresh = status & STATUS_BY_DRIVER & ~vd->status;
	if (fresh & VIRTIO_STATUS_FEATURES_OK && !virtio_features_are_good(vd, vd->features))
		fresh &= (uint8_t)~VIRTIO_STATUS_FEATURES_OK;
	/* Only a driver of the time before 1.0 goes on without FEATURES_OK. */
	if (!((vd->status | fresh) & VIRTIO_STATUS_FEATURES_OK))
		fresh &= (uint8_t)~VIRTIO_STATUS_DRIVER_OK;
	vd->status |= fresh;
	if (fresh & VIRTIO_STATUS_DRIVER_OK && virtio_is_live(vd) && vd->ops->start)
		vd->ops->start(vd);
}

void virtio_config_read(struct virtio_device *vd, unsigned off, void *buf, unsigned len)
{
	memset(buf, 0, len);
	if (off >= vd->config_len)
		return;
	if (len > vd->config_len - off)
		len = vd->config_len - off;
	memcpy(buf, (const uint8_t *)vd->config + off, len);
}

void virtio_config_write(struct virtio_device *vd, unsigned off, const void *buf, unsigned len)
{
	if (!vd->ops->config_written || off > vd->config_len || len > vd->config_len - off)
		return;
	memcpy((uint8_t *)vd->config + off, buf, len);
	vd->ops->config_written(vd, off, len);
}

void virtio_config_changed(struct virtio_device *vd)
{
	vd->config_generation++;
	virtio_interrupt_config(vd);
}

bool virtq_is_open(const struct virtq *vq)
{
	return !vq->is_ready && !(vq->vd->status & VIRTIO_STATUS_DRIVER_OK);
}

void virtq_set_size(struct virtq *vq, uint32_t size)
{
	if (virtq_is_open(vq))
		vq->size = size > UINT16_MAX ? 0 : (uint16_t)size;
}

/* Lets every address in an area be computed without a thought of overflow. */
static bool virtq_area_is_sound(gpa_t gpa, uint64_t len, unsigned align)
{
	return gpa % align == 0 && gpa <= UINT64_MAX - len;
}

static bool virtq_is_sound(const struct virtq *vq)
{
	return is_power_of_two(vq->size) && vq->size <= vq->size_max &&
	       virtq_area_is_sound(vq->desc, VIRTQ_DESC_BYTES(vq->size), VIRTQ_DESC_ALIGN) &&
	       virtq_area_is_sound(vq->avail, VIRTQ_AVAIL_BYTES(vq->size), VIRTQ_AVAIL_ALIGN) &&
	       virtq_area_is_sound(vq->used, VIRTQ_USED_BYTES(vq->size), VIRTQ_USED_ALIGN);
}

void virtq_enable(struct virtq *vq)
{
	if (virtq_is_open(vq) && virtq_is_sound(vq))
		vq->is_ready = true;
}

void virtq_disable(struct virtq *vq)
{
	vq->is_ready = false;
	vq->is_signal_pending = false;
	vq->avail_idx = vq->used_idx = vq->signalled_idx = 0;
}

static void virtq_state(struct virtq *vq, struct state *st)
{
	state_u16(st, "queue_size", &vq->size);
	state_bool(st, "queue_enable", &vq->is_ready);
	state_u64(st, "queue_desc", &vq->desc);
	state_u64(st, "queue_driver", &vq->avail);
	state_u64(st, "queue_device", &vq->used);
	state_u16(st, "avail.idx", &vq->avail_idx);
	state_u16(st, "used.idx", &vq->used_idx);
	state_u16(st, "signalled", &vq->signalled_idx);
	state_bool(st, "signal_pending", &vq->is_signal_pending);
	if (!state_is_loading(st) || state_error(st))
		return;
	if (vq->is_ready && !virtq_is_sound(vq))
		state_fail(st, "a virtqueue of a bad size or alignment");
	else if ((uint16_t)(vq->avail_idx - vq->used_idx) > (vq->is_ready ? vq->size : 0))
		state_fail(st, "a virtqueue with more chains in flight than it holds");
}

/* The core's registers alone, into @vd; validated as a whole. */
static void virtio_registers_state(struct virtio_device *vd, struct state *st)
{
	uint32_t queue_count = vd->queue_count;
	state_u64(st, "driver_feature", &vd->features);
	state_u8(st, "device_status", &vd->status);
	state_u8(st, "config_generation", &vd->config_generation);
	state_u32(st, "num_queues", &queue_count);
	if (state_is_loading(st) && !state_error(st)) {
		if (vd->status & ~STATUS_ALL)
			state_fail(st, "an unknown virtio device status");
		else if (queue_count != vd->queue_count)
			state_fail(st, "another number of virtqueues");
		else if (vd->status & VIRTIO_STATUS_FEATURES_OK
				 ? !virtio_features_are_good(vd, vd->features)
				 : vd->status & VIRTIO_STATUS_DRIVER_OK)
			state_fail(st, "virtio features that this device does not offer");
	}
	for (unsigned i = 0; i < vd->queue_count; i++)
		virtq_state(&vd->queue[i], st);
}

/*
 * A load stops the device that was, takes the registers, starts the device that is, and lets the
 * transport and the device type take theirs. What is refused leaves a reset device behind.
 */
void virtio_device_state(struct device *dev, struct state *st)
{
	struct virtio_device *vd = (struct virtio_device *)dev;
	bool is_loading = state_is_loading(st);

	if (is_loading)
		virtio_stop(vd);
	virtio_registers_state(vd, st);
	if (is_loading && state_error(st)) {
		vd->status = 0; /* it was stopped above */
		virtio_device_reset(dev);
		return;
	}
	if (is_loading && virtio_is_live(vd) && vd->ops->start)
		vd->ops->start(vd);
	if (vd->transport && vd->transport->state)
		vd->transport->state(vd->transport_ctx, st);
	if (vd->ops->state)
		vd->ops->state(vd, st);
	if (is_loading && state_error(st))
		virtio_device_reset(dev);
}
