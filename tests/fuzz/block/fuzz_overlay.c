/*
 * An overlay's file of any bytes: refused with a reason, or applied to its image, which then
 * differs in the sectors of the map only.
 *
 * Input: how many edits of an intact header follow, each an offset of two bytes and a value; the
 * map's bytes; then sectors of the overlay, each a number of two bytes and what it is full of.
 */
#include "commit.h"
#include "sectors.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tinyvm/err.h>
#include <unistd.h>

#define SECTORS	   512u
#define IMAGE_SIZE (SECTORS * 512)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_fine)
{
	if (!is_fine)
		abort();
}

struct input {
	const uint8_t *data;
	size_t left;
};

static unsigned take(struct input *in, unsigned bytes)
{
	unsigned value = 0;
	for (unsigned i = 0; i < bytes && in->left; i++, in->left--)
		value |= (unsigned)*in->data++ << 8 * i;
	return value;
}

static void make_header(int fd, struct input *in)
{
	static struct overlay_info info = {.size = IMAGE_SIZE, .path = "/image"};
	uint8_t header[OVERLAY_HEADER_SIZE];
	overlay_encode(header, &info);
	for (unsigned edits = take(in, 1); edits && in->left; edits--) {
		unsigned at = take(in, 2) % sizeof(header);
		header[at] = (uint8_t)take(in, 1);
	}
	must(pwrite(fd, header, sizeof(header), 0) == (ssize_t)sizeof(header));
}

static void make_data(int fd, struct input *in, uint8_t map[SECTORS / 8], uint8_t *contents)
{
	for (unsigned i = 0; i < SECTORS / 8; i++)
		map[i] = (uint8_t)take(in, 1);
	must(pwrite(fd, map, SECTORS / 8, OVERLAY_HEADER_SIZE) == SECTORS / 8);
	memset(contents, 0, IMAGE_SIZE);
	while (in->left) {
		unsigned at = take(in, 2) % SECTORS * 512;
		memset(contents + at, (int)take(in, 1), 512);
		must(pwrite(fd, contents + at, 512, (off_t)overlay_data_offset(IMAGE_SIZE) + at) ==
		     512);
	}
}

static void check_image(int fd, const uint8_t *map, const uint8_t *contents, const uint8_t *old)
{
	static uint8_t now[IMAGE_SIZE + 1];
	must(pread(fd, now, sizeof(now), 0) == IMAGE_SIZE);
	for (unsigned i = 0; i < SECTORS; i++) {
		const uint8_t *want = sectors_has(map, i) ? contents : old;
		must(memcmp(now + 512ul * i, want + 512ul * i, 512) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t contents[IMAGE_SIZE], old[IMAGE_SIZE];
	static _Alignas(8) uint8_t map[SECTORS / 8];
	struct input in = {data, size};
	struct raw_file file = {.fd = memfd_create("overlay", MFD_CLOEXEC)};
	struct raw_file image = {
		.fd = memfd_create("image", MFD_CLOEXEC), .can_punch = true, .can_zero = true};
	struct overlay_info info;
	struct err err = {0};
	uint64_t count = 0;

	memset(old, 0xa5, sizeof(old));
	must(file.fd >= 0 && ftruncate(file.fd, (off_t)overlay_file_size(IMAGE_SIZE)) == 0);
	must(image.fd >= 0 && pwrite(image.fd, old, IMAGE_SIZE, 0) == IMAGE_SIZE);
	make_header(file.fd, &in);
	make_data(file.fd, &in, map, contents);

	if (commit_load(file.fd, "overlay", &info, &err) != 0) {
		must(err.code != 0 && err.msg[0]);
	} else {
		must(info.size == IMAGE_SIZE && info.path[0] == '/');
		must(memchr(info.path, '\0', sizeof(info.path)) != NULL);
		must(commit_apply(&file, "overlay", &info, &image, &count, &err) == 0);
		must(count <= SECTORS);
		check_image(image.fd, map, contents, old);
	}
	close(file.fd);
	close(image.fd);
	return 0;
}
