/* The ROM (firmware/), as the Makefile built it; page aligned, for a memory slot of its own. */
#include <spec/bios.h>
#include <tinyvm/bios.h>

__asm__(".pushsection .rodata.bios, \"a\"\n"
	"	.balign	4096\n"
	"	.globl	bios_rom_bytes\n"
	"bios_rom_bytes:\n"
	"	.incbin	\"" TINYVM_FIRMWARE_DIR "/bios.rom\"\n"
	"	.popsection\n");

extern const uint8_t bios_rom_bytes[BIOS_IMAGE_SIZE] __attribute__((visibility("hidden")));

_Static_assert(BIOS_IMAGE_SIZE == BIOS_ROM_SIZE - BIOS_ROM_CODE, "all from the code on");

const uint8_t *bios_rom(void)
{
	return bios_rom_bytes;
}
