/* The init (src/guest), as the Makefile built it for either kind of kernel. */
#include <stdint.h>
#include <sys/stat.h>
#include <tinyvm/initramfs.h>

/* clang-format off */
#define INIT_EMBED(bits)                                                     \
	__asm__(".pushsection .rodata.init" #bits ", \"a\"\n"                \
		"	.globl	initramfs_init" #bits "\n"                   \
		"	.globl	initramfs_init" #bits "_size\n"              \
		"	.balign	8\n"                                         \
		"initramfs_init" #bits "_size:\n"                            \
		"	.quad	2f - 1f\n"                                   \
		"initramfs_init" #bits ":\n"                                 \
		"1:	.incbin	\"" TINYVM_INIT_DIR "/init" #bits "\"\n"     \
		"2:\n"                                                       \
		"	.popsection\n")
/* clang-format on */

INIT_EMBED(64);
INIT_EMBED(32);

extern const uint8_t initramfs_init64[] __attribute__((visibility("hidden")));
extern const uint8_t initramfs_init32[] __attribute__((visibility("hidden")));
extern const uint64_t initramfs_init64_size __attribute__((visibility("hidden")));
extern const uint64_t initramfs_init32_size __attribute__((visibility("hidden")));

int initramfs_add_init(struct initramfs *ia, bool is_64bit)
{
	const uint8_t *data = is_64bit ? initramfs_init64 : initramfs_init32;
	uint64_t size = is_64bit ? initramfs_init64_size : initramfs_init32_size;
	return initramfs_add(ia, "init", S_IFREG | 0755, data, size);
}
