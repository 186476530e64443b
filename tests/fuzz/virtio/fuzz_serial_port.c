/* A hostile driver of the named port, with input coming and output blocking meanwhile. */
#include "fakes.h"
#include "vfuzz.h"

#include <tinyvm/virtio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct virtio_device *create(struct gmem *gm, void *ctx)
{
	struct fake_chardev *cd = ctx;
	struct virtio_device *vd;
	return virtio_port_create(&vd, "port0", gm, &cd->cd, "fuzz") == 0 ? vd : NULL;
}

static void world(struct virtio_device *vd, void *ctx, uint8_t what)
{
	static const uint8_t input[16] = "0123456789abcdef";
	struct fake_chardev *cd = ctx;
	(void)vd;
	if (!cd->client)
		return;
	cd->out_len = 0;
	if ((what & 3) == 0) {
		size_t room = cd->client->room(cd->ctx), len = what >> 4;
		len = len < room ? len : room;
		if (len)
			cd->client->receive(cd->ctx, input, len);
	} else if ((what & 3) == 1) {
		cd->is_blocked = true;
		cd->room = what >> 2;
	} else {
		cd->is_blocked = false;
		cd->client->writable(cd->ctx);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_chardev cd;
	fake_chardev_init(&cd);
	vfuzz_run(&(struct vfuzz){.create = create, .world = world, .ctx = &cd}, data, size);
	return 0;
}
