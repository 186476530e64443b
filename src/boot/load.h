/* Steps of loading that all kinds of kernels share. */
#ifndef BOOT_LOAD_H
#define BOOT_LOAD_H

#include <stdint.h>
#include <tinyvm/boot.h>

struct err;

/* Where a PC's BIOS would put a boot sector, and how it ends. */
#define LOAD_STUB_GPA	    0x7c00u
#define LOAD_STUB_SIZE	    512
#define LOAD_STUB_SIGNATURE 0xaa55

/* The kernel's ranges. Return: 0; -errno with one sentence: does not fit, cannot be read. */
int load_kernel(struct gmem *gm, const struct boot_linux *boot, struct err *err)
	__attribute__((warn_unused_result));

/* boot->initrd_path and ->initrd_data as Linux wants them; there is at least one of the two. */
int load_initrd(struct gmem *gm, const struct boot_linux *boot, gpa_t *ret_gpa, uint64_t *ret_size,
		struct err *err) __attribute__((warn_unused_result));

#endif
