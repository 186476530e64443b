/* The file system device under a hostile driver, with a server that delays and reorders. */
#include "fakefs.h"
#include "vfuzz.h"
#include <limits.h>
#include <stdlib.h>
#include <tinyvm/virtio.h>

static struct virtio_device *create(struct gmem *gm, void *ctx)
{
	struct fakefs *fake = ctx;
	struct virtio_device *vd;
	return virtio_fs_create(&vd, "fs0", gm, &fake->fs, "fuzz", 1) == 0 ? vd : NULL;
}

/* Bits 0-1 how many complete, bit 2 the order, bit 3 locks are granted, the rest how long answers
 * are. */
static void world(struct virtio_device *vd, void *ctx, uint8_t what)
{
	struct fakefs *fake = ctx;
	(void)vd;
	fake->is_lifo = what & 4;
	fake->reply_len = (what >> 4) * 16u;
	fakefs_release(fake, what & 3 ? UINT_MAX : 1);
	if (what & 8)
		fakefs_grant(fake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct fakefs fake;
	struct vfuzz f = {.create = create, .world = world, .ctx = &fake};
	fakefs_init(&fake);
	vfuzz_run(&f, data, len);
	if (fake.held_count || fake.fs.batch_done)
		abort(); /* the device is gone, its requests must be */
	return 0;
}
