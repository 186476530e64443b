/* A hostile driver of the virtio console, with input coming and output blocking meanwhile. */
#include "fakes.h"
#include "vfuzz.h"

#include <tinyvm/virtio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct virtio_device *create(struct gmem *gm, void *ctx)
{
	struct fake_chardev *cd = ctx;
	struct virtio_device *vd;
	return virtio_console_create(&vd, "console0", gm, &cd->cd) == 0 ? vd : NULL;
}

static void type(struct fake_chardev *cd, size_t len)
{
	static const uint8_t input[16] = "0123456789abcdef";
	size_t room = cd->client->room(cd->ctx);
	if (len > room)
		len = room;
	if (len)
		cd->client->receive(cd->ctx, input, len);
}

static void world(struct virtio_device *vd, void *ctx, uint8_t what)
{
	struct fake_chardev *cd = ctx;
	(void)vd;
	if (!cd->client)
		return;
	cd->out_len = 0;
	switch (what & 3) {
	case 0:
		type(cd, what >> 4);
		break;
	case 1:
		cd->is_blocked = true;
		cd->room = what >> 2;
		break;
	case 2:
		cd->is_blocked = false;
		cd->client->writable(cd->ctx);
		break;
	default:
		cd->client->resized(cd->ctx, what >> 2 & 7, what >> 5);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_chardev cd;
	fake_chardev_init(&cd);
	vfuzz_run(&(struct vfuzz){.create = create, .world = world, .ctx = &cd}, data, size);
	return 0;
}
