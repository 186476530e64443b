/*
 * A disk of any bytes: boot_root_find() ends, stays inside, and answers by its contract. The input
 * is the disk's first sectors, the rest of its 256 KiB is zero.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/boot.h>

#define DISK_SIZE (256 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static int64_t input_read(void *ctx, void *buf, size_t len, uint64_t off)
{
	const struct input *in = ctx;
	if (off > DISK_SIZE || len > DISK_SIZE - off)
		abort();
	memset(buf, 0, len);
	if (off < in->size)
		memcpy(buf, in->data + off, len < in->size - off ? len : in->size - off);
	return (int64_t)len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct boot_root root;
	int rc = boot_root_find(input_read, &in, DISK_SIZE, &root);
	if (rc == 0) {
		if (root.suffix[0] ? atoi(root.suffix) < 1 || atoi(root.suffix) > 128
				   : !root.filesystem)
			abort();
	} else if (rc != -ENOENT && rc != -ENOTUNIQ) {
		abort();
	}
	return 0;
}
