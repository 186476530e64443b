/*
 * The file of a kept overlay (private to src/block).
 *
 *	0       header, OVERLAY_HEADER_SIZE bytes
 *	8 KiB   map: a bit for each sector of the image, set when the overlay has it (sectors.h)
 *	data    the image's sectors, each at its place behind a multiple of 64 KiB; a hole where the
 *	        overlay has none, or zeroes
 *
 * Where things are follows from the image's size, so the file cannot claim otherwise. Numbers are
 * little-endian. The map never names a sector whose contents might not have reached the disk: it
 * follows the data, at each flush of the guest's and at the end. What a crash leaves behind is
 * therefore a disk as it was at a flush, with some later writes, as after a power cut.
 */
#ifndef BLOCK_OVERLAY_FORMAT_H
#define BLOCK_OVERLAY_FORMAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define OVERLAY_HEADER_SIZE 8192u
#define OVERLAY_PATH_MAX    4096u
#define OVERLAY_MAP_PAGE    4096u
#define OVERLAY_SIZE_MAX \
	(1ULL << 60) /* of an image; offsets in the file stay far from off_t's end */

struct stat;

/**
 * struct overlay_identity - how an image is known again
 * @dev, @ino: of the file; of a block device its number and 0
 * @mtime_s, @mtime_ns: of its contents; 0 for a block device, whose node does not tell
 */
struct overlay_identity {
	uint64_t dev, ino;
	int64_t mtime_s;
	uint32_t mtime_ns;
};

/**
 * struct overlay_info - what a header says
 * @size: the image's, a multiple of 512
 * @is_being_applied: a commit has begun, so that the image has changed since
 * @path: the image's, absolute
 */
struct overlay_info {
	uint64_t size;
	struct overlay_identity identity;
	bool is_being_applied;
	char path[OVERLAY_PATH_MAX];
};

/* Bytes of map for an image of @size bytes, a multiple of OVERLAY_MAP_PAGE; where its data begins;
 * the length of the file. */
uint64_t overlay_map_size(uint64_t size);
uint64_t overlay_data_offset(uint64_t size);
uint64_t overlay_file_size(uint64_t size);

/* Absolute, shorter than OVERLAY_PATH_MAX, and without what would play tricks on a terminal. */
bool overlay_is_path_usable(const char *path);

void overlay_identify(struct overlay_identity *ret_id, const struct stat *st);

void overlay_encode(uint8_t header[OVERLAY_HEADER_SIZE], const struct overlay_info *info);

/**
 * overlay_decode() - what a header says, if it is one
 * @file_size: of the whole file
 * @ret_why:   set on failure: how the sentence "FILE: is " ends
 *
 * Return: 0, or -EINVAL with @ret_info untouched.
 */
int overlay_decode(const uint8_t header[OVERLAY_HEADER_SIZE], uint64_t file_size,
		   struct overlay_info *ret_info, const char **ret_why)
	__attribute__((warn_unused_result));

#endif
