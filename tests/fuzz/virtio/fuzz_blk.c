/* The block device under a hostile driver, on a disk that delays, reorders and fails. */
#include "fakeblock.h"
#include "vfuzz.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <tinyvm/virtio.h>

#define DISK_SIZE 8192

static struct virtio_device *create(struct gmem *gm, void *ctx)
{
	struct fakeblock *fake = ctx;
	struct virtio_device *vd;
	return virtio_blk_create(&vd, "blk0", gm, &fake->blk, "fuzz", 2) == 0 ? vd : NULL;
}

/* Bits 0-1 how requests complete, bit 2 the order, bits 3-4 which one fails, bit 5 half done. */
static void world(struct virtio_device *vd, void *ctx, uint8_t what)
{
	struct fakeblock *fake = ctx;
	(void)vd;
	fakeblock_release(fake, what & 3 ? UINT_MAX : 1);
	fake->is_lifo = what & 4;
	fake->fail_at = what >> 3 & 3;
	fake->fail_with = -EIO;
	fake->is_short = what & 32;
	if (!fake->held)
		fake->mode = (enum fakeblock_mode)((what & 3) % 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fakeblock fake;
	struct vfuzz f = {.create = create, .world = world, .ctx = &fake};
	fakeblock_init(&fake, DISK_SIZE);
	/* Some lengths of input mean a read-only disk. */
	fake.blk.is_readonly = len % 16 == 15;
	fake.mode = FAKEBLOCK_AT_COMMIT;
	vfuzz_run(&f, data, len);
	if (fake.held_count || fake.blk.batch_done)
		abort(); /* the device is gone, its requests must be */
	fakeblock_fini(&fake);
	return 0;
}
