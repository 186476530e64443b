/* What the two transports' register files have in common. */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include "virtio_device.h"

/* The 32 bits of @features that a feature select register of @select shows (section 2.2). */
static inline uint32_t feature_word(uint64_t features, uint32_t select)
{
	return select > 1 ? 0 : (uint32_t)(features >> 32 * select);
}

/* The driver writes one word of what it accepts; there is nothing to accept past bit 63. */
static inline void driver_feature_write(struct virtio_device *vd, uint32_t select, uint32_t word)
{
	if (select > 1)
		return;
	unsigned shift = 32 * select;
	uint64_t others = vd->features & ~((uint64_t)UINT32_MAX << shift);
	virtio_set_features(vd, others | (uint64_t)word << shift);
}

/* The queue that a queue select register of @select shows, or NULL. */
static inline struct virtq *queue_selected(const struct virtio_device *vd, uint32_t select)
{
	return select < vd->queue_count ? &vd->queue[select] : NULL;
}

/* The driver writes one half of the address of an area of @vq. */
static inline void queue_area_write(const struct virtq *vq, gpa_t *area, bool is_high,
				    uint32_t half)
{
	if (!virtq_is_open(vq))
		return;
	unsigned shift = is_high ? 32 : 0;
	*area = (*area & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)half << shift;
}

#endif
