/*
 * Damaged rings: the input is guest memory, and a device that echoes is told to look at it.
 *
 * Byte 0: features (bit 0 EVENT_IDX, bit 1 INDIRECT_DESC), bits 4-6 log2 of the queue's size; byte
 * 1: how many patches, of 4 bytes each (offset, value), follow, with a doorbell after each. The
 * rest is the memory from 0 on: descriptors at 0, the available ring at 0x100, the used ring at
 * 0x140.
 */
#include "echo.h"
#include <spec/virtio_config.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void irq(void *ctx, int queue)
{
	(void)ctx;
	(void)queue;
}

static const struct virtio_transport nowhere = {.interrupt = irq};

static void start(struct virtio_device *vd, uint8_t how)
{
	struct virtq *vq = &vd->queue[0];
	const uint8_t agreed =
		VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK;
	virtio_set_features(vd, 1ULL << VIRTIO_F_VERSION_1 |
					(uint64_t)(how & 1) << VIRTIO_F_EVENT_IDX |
					(uint64_t)(how >> 1 & 1) << VIRTIO_F_INDIRECT_DESC);
	virtio_set_status(vd, agreed);
	virtq_set_size(vq, 1u << (how >> 4) % 5);
	vq->avail = 0x100;
	vq->used = 0x140;
	virtq_enable(vq);
	virtio_set_status(vd, agreed | VIRTIO_STATUS_DRIVER_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct gmem *gm;
	if (len < 2)
		return 0;
	size_t patches = data[1] % 32u;
	if (2 + 4 * patches > len)
		patches = (len - 2) / 4;
	const uint8_t *patch = data + 2, *image = patch + 4 * patches;
	size_t image_len = (size_t)(data + len - image);

	if ((!gm && gmem_create(&gm, MEMORY) != 0) || gmem_zero(gm, 0, MEMORY) != 0 ||
	    gmem_write(gm, 0, image, image_len < MEMORY ? image_len : MEMORY) != 0)
		abort();
	struct echo *echo = echo_create(gm);
	if (!echo)
		abort();
	echo->vd.transport = &nowhere;
	start(&echo->vd, data[0]);
	virtio_device_kick(&echo->vd, 0);
	for (size_t i = 0; i < patches; i++) {
		uint16_t at;
		memcpy(&at, patch + 4 * i, 2);
		if (gmem_write(gm, at % MEMORY & ~1u, patch + 4 * i + 2, 2) != 0)
			abort();
		virtio_device_kick(&echo->vd, 0);
	}
	device_destroy(&echo->vd.dev);
	return 0;
}
