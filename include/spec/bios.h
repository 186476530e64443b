/*
 * What the ROM in firmware/ and the BIOS services in src/legacy say to each other. Included by
 * both, by assembly too.
 *
 * A stub pushes all registers, writes SS to BIOS_PORT_SS, SP to BIOS_PORT_SP and then its service's
 * number to BIOS_PORT_CALL; the frame at SS:SP has been served when that OUT is done. Then it reads
 * BIOS_PORT_RESULT and does what that says, and in the end pops what may have changed and irets.
 */
#ifndef SPEC_BIOS_H
#define SPEC_BIOS_H

#define BIOS_PORT_BASE	 0x0510 /* unless the machine has fw_cfg there: then this ROM is not used */
#define BIOS_PORT_CALL	 0x0510 /* OUT byte: the service */
#define BIOS_PORT_RESULT 0x0511 /* IN byte: enum bios_result of the last call */
#define BIOS_PORT_SS	 0x0512 /* OUT word */
#define BIOS_PORT_SP	 0x0514 /* OUT word */

/* Services: an interrupt's number, or one of these. */
#define BIOS_CALL_POST 0x80 /* power-on: fill in memory */
#define BIOS_CALL_BOOT                                                            \
	0x81 /* load what INT 19h boots; the frame's CS:IP, DL and so on enter it \
	      */

/*
 * Places in the ROM (offsets in segment F000h) that POST fills in, since old software looks there:
 * the lower half of the 8x8 font, and INT 1Dh's table of 6845 registers. Fonts and tables of the
 * VGA itself are in a video ROM of BIOS_VIDEO_ROM_SIZE bytes at C000:0000, made by POST too.
 */
#define BIOS_ROM_FONT_8X8	 0xfa6e
#define BIOS_ROM_FONT_8X8_SIZE	 1024
#define BIOS_ROM_VIDEO_INIT	 0xf0a4
#define BIOS_ROM_VIDEO_INIT_SIZE 88
#define BIOS_VIDEO_ROM_BASE	 0xc0000
#define BIOS_VIDEO_ROM_SIZE	 0x4000

/* Results */
#define BIOS_DONE  0  /* restore and return */
#define BIOS_AGAIN 1  /* interrupts on for a moment, then call again with the same frame */
#define BIOS_WAIT  2  /* interrupts on, HLT, then call again with the same frame */
#define BIOS_RAISE 16 /* and up: INT n - 16 first (1Bh, 05h, 1Ch, 4Ah, 18h ...), then return */

#ifndef __ASSEMBLER__
#include <stdint.h>

/**
 * struct bios_frame - the caller's registers on his stack, in ascending order
 * @eax and so on: with PUSHAD, so @esp is not the caller's
 * @ip, @cs, @flags: what the interrupt pushed
 */
struct bios_frame {
	uint16_t es, ds;
	uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
	uint16_t ip, cs, flags;
} __attribute__((packed));
_Static_assert(sizeof(struct bios_frame) == 42, "PUSHAD, two segments and an interrupt's frame");
#endif

#endif
