/*
 * Fuzzes a virtio device with a script of what a hostile driver may do.
 *
 *	static struct virtio_device *create(struct gmem *gm, void *ctx) { ... return vd; }
 *
 *	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
 *	{
 *		struct vfuzz f = {.create = create};
 *		vfuzz_run(&f, data, len);
 *		return 0;
 *	}
 *
 * The device starts out running, with all its queues in place, so that any script reaches it. The
 * memory is 64 KiB: queue rings of up to 16 entries from VFUZZ_RINGS on, 512 bytes a queue, buffers
 * from VFUZZ_BUFFERS on.
 */
#ifndef VFUZZ_H
#define VFUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <tinyvm/gmem.h>

struct virtio_device;

#define VFUZZ_MEMORY  0x10000
#define VFUZZ_RINGS   0x1000
#define VFUZZ_BUFFERS 0x8000

/**
 * struct vfuzz - the device under test
 * @create: a fresh one on @gm, without a transport; the harness destroys it with device_destroy()
 * @world:  what else can happen to it (input comes, a request completes); NULL for nothing. Called
 *          with the device's lock held
 * @ctx:    for both
 */
struct vfuzz {
	struct virtio_device *(*create)(struct gmem *gm, void *ctx);
	void (*world)(struct virtio_device *vd, void *ctx, uint8_t what);
	void *ctx;
};

/*
 * The first byte chooses features (bit 0 EVENT_IDX, bit 1 INDIRECT_DESC, bit 2 the device's own)
 * and the queues' size (bits 4-6: 1 to 16); the rest is steps, a command byte (modulo the number of
 * commands, see vfuzz.c) and its operands. Aborts when the state does not survive save and load.
 */
void vfuzz_run(const struct vfuzz *f, const uint8_t *data, size_t len);

#endif
