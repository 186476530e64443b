/*
 * INT 15h (IBM PS/2 and PC BIOS Interface Technical Reference, 1987; Ralf Brown's list for what
 * came later), and INT 17h, whose printer is not there. AH=89h is in the ROM.
 *
 * A20 is open always; what INT 15h AH=24h closes is a bit of port 92h. Multitasking hooks (80h to
 * 82h, 85h, 90h, 91h) do what they do without a multitasker: nothing.
 *
 * Left out: cassettes, the joystick, watchdogs.
 */
#include "bios_device.h"

#define PORT_A	   0x92
#define PORT_A_A20 0x02
#define A20_WAYS   0x03 /* keyboard controller, port 92h */

#define PRINTER_TIMED_OUT 0x01

/* AH=24h */
static unsigned bios_system_a20(struct bios *b, struct bios_frame *f)
{
	uint8_t port = bios_in8(b, PORT_A);
	switch (bios_low(f->eax)) {
	case 0x00:
		bios_out8(b, PORT_A, port & ~PORT_A_A20);
		break;
	case 0x01:
		bios_out8(b, PORT_A, port | PORT_A_A20);
		break;
	case 0x02:
		bios_set_low(&f->eax, port & PORT_A_A20 ? 1 : 0);
		break;
	case 0x03:
		bios_set_word(&f->ebx, A20_WAYS);
		break;
	default:
		return bios_return(f, BIOS_FUNCTION_UNKNOWN);
	}
	return bios_return(f, 0);
}

/* AH=86h: CX:DX microseconds */
static unsigned bios_system_wait(struct bios *b, struct bios_frame *f)
{
	uint64_t us = (uint64_t)bios_word(f->ecx) << 16 | bios_word(f->edx);
	if (!bios_wait_is_over(b, us * NS_PER_US))
		return BIOS_AGAIN;
	return bios_return(f, 0);
}

unsigned bios_system(struct bios *b, struct bios_frame *f)
{
	switch (bios_high(f->eax)) {
	case 0x24:
		return bios_system_a20(b, f);
	case 0x4f: /* INT 09h's question: the scan code goes on as it is */
		bios_set_carry(f, true);
		return BIOS_DONE;
	case 0x53:
		return bios_apm(b, f);
	case 0x80:
	case 0x81:
	case 0x82:
	case 0x85:
	case 0x90:
	case 0x91:
		return bios_return(f, 0);
	case 0x83:
		return bios_event(b, f);
	case 0x86:
		return bios_system_wait(b, f);
	case 0x87:
	case 0x88:
	case 0x8a:
	case 0xe8:
		return bios_memory(b, f);
	case 0xc0:
		f->es = BIOS_ROM_SEGMENT;
		bios_set_word(&f->ebx, BIOS_ROM_CONFIG);
		return bios_return(f, 0);
	case 0xc1:
		f->es = EBDA_SEGMENT;
		bios_set_carry(f, false);
		return BIOS_DONE;
	case 0xc2:
		return bios_mouse(b, f);
	default:
		return bios_return(f, BIOS_FUNCTION_UNKNOWN);
	}
}

unsigned bios_printer(struct bios *b, struct bios_frame *f)
{
	(void)b;
	bios_set_high(&f->eax, PRINTER_TIMED_OUT);
	return BIOS_DONE;
}
