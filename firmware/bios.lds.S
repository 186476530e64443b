/*
 * The 64 KiB ROM but for its first part, which C fills in: code, then the rest at the addresses of
 * spec/bios.h. Pieces that overlap do not link, and neither does anything that would fall outside.
 */
#include <spec/bios.h>

#define FROM_CODE(address) (address - BIOS_ROM_CODE)
#define AT(name, address) . = FROM_CODE(address); KEEP(*(.at.name))

OUTPUT_FORMAT(binary)
OUTPUT_ARCH(i386)

SECTIONS
{
	.rom BIOS_ROM_CODE : {
		*(.text)
		AT(post, BIOS_ROM_POST)
		AT(int02, BIOS_ROM_INT02)
		AT(int13, BIOS_ROM_INT13)
		AT(int19, BIOS_ROM_INT19)
		AT(config, BIOS_ROM_CONFIG)
		AT(int14, BIOS_ROM_INT14)
		AT(int16, BIOS_ROM_INT16)
		AT(int09, BIOS_ROM_INT09)
		AT(int40, BIOS_ROM_INT40)
		AT(int0e, BIOS_ROM_INT0E)
		AT(floppy_table, BIOS_ROM_FLOPPY_TABLE)
		AT(int17, BIOS_ROM_INT17)
		AT(int10, BIOS_ROM_INT10)
		. = FROM_CODE(BIOS_ROM_VIDEO_INIT);
		. += BIOS_ROM_VIDEO_INIT_SIZE;
		AT(int12, BIOS_ROM_INT12)
		AT(int11, BIOS_ROM_INT11)
		AT(int15, BIOS_ROM_INT15)
		. = FROM_CODE(BIOS_ROM_FONT_8X8);
		. += BIOS_ROM_FONT_8X8_SIZE;
		AT(int1a, BIOS_ROM_INT1A)
		AT(int08, BIOS_ROM_INT08)
		AT(vectors, BIOS_ROM_VECTORS)
		AT(vectors_slave, BIOS_ROM_VECTORS_SLAVE)
		AT(iret, BIOS_ROM_IRET)
		AT(int05, BIOS_ROM_INT05)
		AT(reset, BIOS_ROM_RESET)
		AT(date, BIOS_ROM_DATE)
		AT(model, BIOS_ROM_MODEL)
		. = FROM_CODE(0x10000);
	} = 0
	.variables : { *(.data .bss) }
	ASSERT(ADDR(.rom) + SIZEOF(.rom) == 0x10000, "the ROM does not end with its segment")
	ASSERT(SIZEOF(.variables) == 0, "a ROM has no variables")
}
