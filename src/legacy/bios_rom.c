/* The ROM (firmware/), as the Makefile built it; page aligned, for a memory slot of its own. */
#include <tinyvm/bios.h>

__asm__(".pushsection .rodata.bios, \"a\"\n"
	"	.balign	4096\n"
	"	.globl	bios_rom_bytes\n"
	"bios_rom_bytes:\n"
	"	.incbin	\"" TINYVM_FIRMWARE_DIR "/bios.rom\"\n"
	"	.popsection\n");

extern const uint8_t bios_rom_bytes[BIOS_ROM_SIZE] __attribute__((visibility("hidden")));

const uint8_t *bios_rom(void)
{
	return bios_rom_bytes;
}
