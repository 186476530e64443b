/* Parts of committing an overlay (private to src/block). */
#ifndef BLOCK_COMMIT_H
#define BLOCK_COMMIT_H

#include "overlay_format.h"
#include "raw.h"

/**
 * commit_load() - the header of the overlay that @fd is
 * @path: for the sentence
 * Return: 0; -errno with the sentence in @err.
 */
int commit_load(int fd, const char *path, struct overlay_info *ret_info, struct err *err)
	__attribute__((warn_unused_result));

/**
 * commit_apply() - write the overlay's sectors to @image
 * @file:  the overlay
 * @image: open for writing, of the size that @info says
 * @ret_sectors: how many
 *
 * Memory does not depend on what the overlay says; time does on its size. Return: 0; -errno with
 * the sentence in @err, part of the image written.
 */
int commit_apply(struct raw_file *file, const char *path, const struct overlay_info *info,
		 struct raw_file *image, uint64_t *ret_sectors, struct err *err)
	__attribute__((warn_unused_result));

#endif
