/* The setup header of a bzImage, checked. */
#ifndef BOOT_BZIMAGE_H
#define BOOT_BZIMAGE_H

#include "payload.h"

#include <spec/linux_boot.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tinyvm/gmem.h>

#define BZIMAGE_RELEASE_MAX 64

/**
 * struct bzimage - what the boot protocol needs to know
 * @hdr:     as in the file, zero past its end
 * @kernel_off, @kernel_size: the protected-mode kernel in the file
 * @load:    where it is loaded
 * @span:    bytes it needs from there until it has set itself up
 * @is_64bit: has the 64-bit entry
 * @is_real_mode: has the 16-bit entry only: a zImage, loaded low, or no Linux
 * @release: the version string's first word, "" when there is none
 */
struct bzimage {
	struct setup_header hdr;
	uint64_t kernel_off;
	uint64_t kernel_size;
	gpa_t load;
	uint64_t span;
	bool is_64bit;
	bool is_real_mode;
	char release[BZIMAGE_RELEASE_MAX];
};

/* Whether the file's first bytes carry the header's magics. */
bool bzimage_is_one(const uint8_t *head, size_t len);

/**
 * bzimage_parse() - check a bzImage's header against the protocol and the file's size
 * @head: the file's first @len bytes, at least 1024 of them unless it is shorter
 * @ret_why: on -ENOEXEC what is wrong, to follow "the file ..."
 * Return: 0, -ENOEXEC, -errno when the file cannot be read.
 */
int bzimage_parse(int fd, uint64_t size, const uint8_t *head, size_t len, struct bzimage *ret_bz,
		  const char **ret_why) __attribute__((warn_unused_result));

/* By its release, which begins with a number. */
bool bzimage_is_linux(const struct bzimage *bz);

/* Longest command line without the NUL. */
size_t bzimage_cmdline_max(const struct setup_header *hdr);

/* Highest address, inclusive, of an initrd's last byte. */
uint64_t bzimage_initrd_max(const struct setup_header *hdr);

/* Return: whether there is a payload that payload_unpack() may try. */
bool bzimage_payload(const struct bzimage *bz, int fd, struct payload *ret_payload);

/* A header for a vmlinux that came without one. */
void bzimage_make_header(struct setup_header *ret_hdr);

#endif
