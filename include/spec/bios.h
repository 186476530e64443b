/*
 * What the ROM in firmware/ and the BIOS services in src/legacy say to each other. Included by
 * both, by assembly too.
 *
 * A stub pushes all registers and writes one dword to BIOS_PORT_CALL: the service, and where on the
 * stack the frame is. When that OUT is done the frame has been served; the stub does what the
 * frame's result says, and in the end pops what may have changed and irets.
 */
#ifndef SPEC_BIOS_H
#define SPEC_BIOS_H

#define BIOS_PORT_BASE 0x0510 /* unless the machine has fw_cfg there: then this ROM is not used */
#define BIOS_PORT_CALL 0x0510 /* OUT dword: bits 0-7 the service, 8-31 SS * 16 + SP */

/* Services: an interrupt's number, or one of these. */
#define BIOS_CALL_POST 0x80 /* power-on: fill in memory */

/* Results */
#define BIOS_DONE  0  /* restore and return */
#define BIOS_AGAIN 1  /* interrupts on for a moment, then call again with the same frame */
#define BIOS_WAIT  2  /* interrupts on, HLT, then call again with the same frame */
#define BIOS_MOUSE 3  /* INT 74h: call the mouse's handler with what EBDA_MOUSE_PACKET says */
#define BIOS_RAISE 16 /* and up: INT n - 16 first (1Bh, 05h, 1Ch, 4Ah, 18h ...), then return */

/*
 * The ROM in segment F000h: first, room for the tables that C fills in at power-on; then what is
 * built.
 */
#define BIOS_ROM_SEGMENT 0xf000
#define BIOS_ROM_TABLES	 0x0000
#define BIOS_ROM_CODE	 0xd000
/* Places that old software knows. */
#define BIOS_ROM_POST	       0xe05b
#define BIOS_ROM_INT02	       0xe2c3
#define BIOS_ROM_INT13	       0xe3fe
#define BIOS_ROM_INT19	       0xe6f2
#define BIOS_ROM_CONFIG	       0xe6f5 /* INT 15h AH=C0h's table */
#define BIOS_ROM_INT14	       0xe739
#define BIOS_ROM_INT16	       0xe82e
#define BIOS_ROM_INT09	       0xe987
#define BIOS_ROM_INT40	       0xec59 /* floppies, when INT 13h is for hard disks */
#define BIOS_ROM_INT0E	       0xef57
#define BIOS_ROM_FLOPPY_TABLE  0xefc7 /* INT 1Eh */
#define BIOS_ROM_INT17	       0xefd2
#define BIOS_ROM_INT10	       0xf065
#define BIOS_ROM_VIDEO_INIT    0xf0a4 /* INT 1Dh; C fills it in */
#define BIOS_ROM_INT12	       0xf841
#define BIOS_ROM_INT11	       0xf84d
#define BIOS_ROM_INT15	       0xf859
#define BIOS_ROM_FONT_8X8      0xfa6e /* glyphs 0 to 127; C fills it in */
#define BIOS_ROM_INT1A	       0xfe6e
#define BIOS_ROM_INT08	       0xfea5
#define BIOS_ROM_VECTORS       0xfef3 /* words: offsets of INT 08h to 1Fh */
#define BIOS_ROM_VECTORS_SLAVE 0xff23 /* words: offsets of INT 70h to 77h */
#define BIOS_ROM_IRET	       0xff53
#define BIOS_ROM_INT05	       0xff54
#define BIOS_ROM_RESET	       0xfff0
#define BIOS_ROM_DATE	       0xfff5
#define BIOS_ROM_MODEL	       0xfffe

#define BIOS_ROM_FONT_8X8_SIZE	 1024
#define BIOS_ROM_VIDEO_INIT_SIZE 88

/* Fonts and tables of the VGA itself: a video ROM at C000:0000, made at power-on too. */
#define BIOS_VIDEO_ROM_BASE 0xc0000
#define BIOS_VIDEO_ROM_SIZE 0x4000

/* The extended BIOS data area, the last KiB below 640 KiB. */
#define EBDA_SEGMENT	  0x9fc0
#define EBDA_KEY_ARGUMENT 0x20 /* byte: the second of a command to the keyboard */
#define EBDA_MOUSE_CALL	  0x22 /* far pointer: the handler */
#define EBDA_MOUSE_FLAGS  0x26 /* word: bits 0-2 bytes gathered, 14 it is on, 15 is called */
#define EBDA_MOUSE_PACKET 0x28 /* 4 words as the handler finds them on its stack: Z Y X status */

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

/**
 * struct bios_frame - the caller's registers on his stack, in ascending order
 * @eax and so on: with PUSHAD
 * @result: BIOS_DONE and so on, at ESP's place, which POPAD does not restore. Before the first
 *          OUT of a call it is ESP, which is neither BIOS_AGAIN nor BIOS_WAIT
 * @ip, @cs, @flags: what the interrupt pushed
 */
struct bios_frame {
	uint16_t es, ds;
	uint32_t edi, esi, ebp, result, ebx, edx, ecx, eax;
	uint16_t ip, cs, flags;
};
#define BIOS_FRAME_SIZE 42 /* without what the compiler appends */
_Static_assert(offsetof(struct bios_frame, flags) + 2 == BIOS_FRAME_SIZE,
	       "PUSHAD, two segments and an interrupt's frame");
#endif

#endif
