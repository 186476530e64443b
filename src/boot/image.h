/* An opened kernel, as the loader sees it. */
#ifndef BOOT_IMAGE_H
#define BOOT_IMAGE_H

#include "bzimage.h"
#include "vmlinux.h"

#include <spec/linux_boot.h>
#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/boot.h>

#define IMAGE_HOW_MAX 384

/* Who starts it: the machine itself, or a PC's BIOS through a stub. */
enum image_kind {
	IMAGE_DIRECT,
	IMAGE_REAL_MODE,
	IMAGE_MULTIBOOT
};

/**
 * struct boot_image - see <tinyvm/boot.h>
 * @kind:     how it is started
 * @file_fd:  the kernel file
 * @fd:       what @vmlinux's extents refer to: @file_fd, a cache entry or a memfd
 * @vmlinux:  what to copy and where to enter, whatever the format: a kernel that unpacks itself is
 *            one extent with its unpacking space behind it
 * @is_long_mode: enter by the 64-bit protocol
 * @release: as a bzImage's header says, else ""
 */
struct boot_image {
	char *path;
	enum image_kind kind;
	int file_fd;
	int fd;
	struct setup_header hdr;
	struct vmlinux vmlinux;
	bool is_long_mode;
	char release[BZIMAGE_RELEASE_MAX];
	char how[IMAGE_HOW_MAX];
};

/**
 * struct image_options - how far to go to unpack on the host
 * @is_unpack_wanted, @cache_dir: as boot_image_open()
 * @may_spawn: formats that need a tool may be unpacked as well
 * @stall_ms:  patience with a tool
 */
struct image_options {
	bool is_unpack_wanted;
	bool may_spawn;
	unsigned stall_ms;
	const char *cache_dir;
};

/**
 * image_open_fd() - boot_image_open() on an open file
 * @fd:   taken over in every case
 * @size: of the file, not 0
 * @path: for sentences
 */
int image_open_fd(struct boot_image **ret_image, int fd, uint64_t size, const char *path,
		  const struct image_options *opt, struct err *err)
	__attribute__((warn_unused_result));

#endif
