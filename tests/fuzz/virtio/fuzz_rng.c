/* The entropy device under a hostile driver, with a source that runs dry. */
#include "vfuzz.h"
#include <errno.h>
#include <string.h>
#include <tinyvm/virtio.h>

static int fill(void *ctx, void *buf, size_t len)
{
	unsigned *left = ctx;
	if (*left == 0)
		return -EAGAIN;
	(*left)--;
	memset(buf, 0x5a, len);
	return 0;
}

static struct virtio_device *create(struct gmem *gm, void *ctx)
{
	struct entropy entropy = {.fill = fill, .ctx = ctx};
	struct virtio_device *vd;
	return virtio_rng_create(&vd, "rng0", gm, entropy) == 0 ? vd : NULL;
}

static void world(struct virtio_device *vd, void *ctx, uint8_t what)
{
	(void)vd;
	*(unsigned *)ctx = what;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	unsigned left = 1000;
	struct vfuzz f = {.create = create, .world = world, .ctx = &left};
	vfuzz_run(&f, data, len);
	return 0;
}
