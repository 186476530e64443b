/*
 * What a kernel calls itself: the first word of the version in a bzImage's header, or what follows
 * "Linux version " in the banner that every kernel prints first and so carries inside (linux_banner
 * in init/version.c).
 */
#include "file.h"
#include "image.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/boot.h>

#define BANNER "Linux version "
#define CHUNK  (1 << 20)

/* At the end of a chunk, which the next one starts with: a banner across it is found then. */
#define OVERLAP (sizeof(BANNER) + BOOT_RELEASE_MAX)

/* Return: whether there is a banner with a release in it. */
static bool release_scan(const char *buf, size_t len, char ret_release[BOOT_RELEASE_MAX])
{
	const char *end = buf + len, *at = buf;
	while ((at = memmem(at, (size_t)(end - at), BANNER, sizeof(BANNER) - 1))) {
		at += sizeof(BANNER) - 1;
		size_t n = 0, room = (size_t)(end - at);
		while (n < room && n < BOOT_RELEASE_MAX && isgraph((unsigned char)at[n]))
			n++;
		if (n && n < room && n < BOOT_RELEASE_MAX && at[n] == ' ' &&
		    isdigit((unsigned char)at[0])) {
			memcpy(ret_release, at, n);
			ret_release[n] = '\0';
			return true;
		}
	}
	return false;
}

static int release_search(int fd, uint64_t off, uint64_t size, char *buf,
			  char ret_release[BOOT_RELEASE_MAX])
{
	for (;;) {
		size_t n = size < CHUNK ? (size_t)size : CHUNK;
		int rc = file_read_at(fd, buf, n, off);
		if (rc)
			return rc;
		if (release_scan(buf, n, ret_release))
			return 0;
		if (n == size)
			return -ENOENT;
		off += n - OVERLAP;
		size -= n - OVERLAP;
	}
}

int boot_image_release(const struct boot_image *image, char ret_release[BOOT_RELEASE_MAX])
{
	_Static_assert(sizeof(image->release) <= BOOT_RELEASE_MAX, "room for the header's");
	if (image->release[0]) {
		memcpy(ret_release, image->release, sizeof(image->release));
		return 0;
	}
	char *buf = malloc(CHUNK);
	int rc = buf ? -ENOENT : -ENOMEM;
	for (uint32_t i = 0; rc == -ENOENT && i < image->vmlinux.count; i++) {
		const struct vmlinux_extent *e = &image->vmlinux.extent[i];
		rc = release_search(image->fd, e->offset, e->size, buf, ret_release);
	}
	free(buf);
	return rc;
}

bool boot_image_is_64bit(const struct boot_image *image)
{
	return image->is_long_mode;
}
