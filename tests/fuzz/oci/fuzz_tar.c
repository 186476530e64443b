/*
 * Any bytes as a tar archive, which then is two layers of an image. The first byte says how it is
 * read: bit 0, with the checksums of headers put right, so that the depths are reached; bits 1 to
 * 3, in what pieces.
 */
#include "erofs.h"
#include "layer.h"
#include "tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tinyvm/err.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left, piece;
	bool is_repaired;
};

static void insist(bool is_so)
{
	if (!is_so)
		abort();
}

static void repair(uint8_t *block)
{
	struct tar_header h;
	unsigned sum = 0;
	memcpy(&h, block, sizeof(h));
	memset(h.checksum, ' ', sizeof(h.checksum));
	memcpy(block, &h, sizeof(h));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += block[i];
	if (sum == 8 * ' ') /* the end stays the end */
		memset(h.checksum, 0, sizeof(h.checksum));
	else
		snprintf(h.checksum, sizeof(h.checksum), "%06o", sum);
	memcpy(block, &h, sizeof(h));
}

static ssize_t input_read(void *ctx, void *buf, size_t len)
{
	struct input *in = ctx;
	bool is_block = len == TAR_BLOCK_SIZE && in->left >= len && in->is_repaired;
	if (!is_block && in->piece && len > in->piece)
		len = in->piece;
	if (len > in->left)
		len = in->left;
	if (len)
		memcpy(buf, in->at, len);
	if (is_block)
		repair(buf);
	in->at += len;
	in->left -= len;
	return (ssize_t)len;
}

/* Twice, as two layers. */
static int apply(struct layers *to, const struct input *input)
{
	int rc = 0;
	for (unsigned i = 0; !rc && i < 2; i++) {
		struct input in = *input;
		const struct tar_source source = {.read = input_read, .ctx = &in};
		struct err err = {0};
		struct tar *tar;
		if (tar_open(&tar, &source) != 0)
			return -1;
		rc = layer_apply_tar(to, tar, &err);
		insist(rc <= 0 && (rc == 0) == (err.msg[0] == '\0'));
		tar_close(tar);
	}
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t uuid[16];
	static int fd = -1;
	struct erofs image;
	struct layers to = {.image = &image, .where = "memory"};
	if (!size)
		return 0;
	const struct input in = {.at = data + 1,
				 .left = size - 1,
				 .piece = (data[0] >> 1 & 7) * 77u,
				 .is_repaired = data[0] & 1};
	if (fd < 0)
		fd = memfd_create("image", MFD_CLOEXEC);
	insist(fd >= 0 && ftruncate(fd, 0) == 0);
	if (tree_create(&to.tree) != 0 || erofs_begin(&image, fd) != 0)
		abort();
	if (apply(&to, &in) == 0)
		insist(erofs_finish(&image, to.tree, uuid) == 0);
	erofs_end(&image);
	tree_destroy(to.tree);
	return 0;
}
