/* Linux kernels, and what is built like one, started in real mode. */
#ifndef BOOT_REALMODE_H
#define BOOT_REALMODE_H

#include <spec/linux_boot.h>
#include <stdint.h>
#include <tinyvm/boot.h>

struct err;

/* The most that setup code of @hdr's protocol may be, in bytes. */
uint64_t realmode_setup_max(const struct setup_header *hdr);

/* boot_pc_load() for an image of this kind. */
int realmode_load(struct gmem *gm, const struct boot_linux *boot, struct err *err)
	__attribute__((warn_unused_result));

#endif
