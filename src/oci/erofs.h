/* Writing an EROFS image: first the contents of files, as they come, then the tree. */
#ifndef OCI_EROFS_H
#define OCI_EROFS_H

#include "tree.h"

#include <stddef.h>
#include <stdint.h>

#define EROFS_BYTES_MAX (1ull << 40)

/**
 * struct erofs - an image being written
 * @fd:   an empty file, not this structure's
 * @at:   bytes of the image so far, those in @buf included
 * @held: bytes in @buf
 */
struct erofs {
	int fd;
	uint64_t at;
	size_t held;
	uint8_t *buf;
};

/*
 * erofs_begin() - begin an image in the empty file @fd
 * erofs_end() - give back its memory, finished or not
 *
 * Return: 0 or -ENOMEM.
 */
int erofs_begin(struct erofs *image, int fd) __attribute__((warn_unused_result));
void erofs_end(struct erofs *image);

/*
 * erofs_block() - where the next file's contents begin: struct tree_meta.block
 * erofs_append() - add to them
 * erofs_pad() - they are complete
 *
 * Return: 0; -errno of a write; -EFBIG: the image is larger than EROFS_BYTES_MAX.
 */
uint32_t erofs_block(const struct erofs *image);
int erofs_append(struct erofs *image, const void *buf, size_t len)
	__attribute__((warn_unused_result));
int erofs_pad(struct erofs *image) __attribute__((warn_unused_result));

/**
 * erofs_finish() - write the tree behind the contents, and what makes the file an image
 * @uuid: of the file system
 *
 * The same tree, contents and @uuid make the same bytes. Return: as erofs_append(), or -ENOMEM.
 */
int erofs_finish(struct erofs *image, struct tree *tree, const uint8_t uuid[16])
	__attribute__((warn_unused_result));

#endif
