/*
 * INT 15h AH=53h: Advanced Power Management 1.2 (Intel and Microsoft, 1996), from real mode: idling
 * and switching off. It tells of no events, and has no battery.
 *
 * Left out: its protected-mode interfaces, standby and suspend (which are taken for granted).
 */
#include "bios_device.h"

#define APM_VERSION    0x0102
#define APM_SIGNATURE  0x504d /* "PM" */
#define APM_ALL	       0x0001 /* devices */
#define APM_STATE_OFF  0x0003
#define APM_AC_ON_LINE 0x01
#define APM_UNKNOWN    0xff
#define APM_NO_BATTERY 0x80

#define APM_NO_16_BIT	     0x06
#define APM_NO_32_BIT	     0x08
#define APM_BAD_DEVICE	     0x09
#define APM_NO_EVENT	     0x80
#define APM_UNKNOWN_FUNCTION 0x86

static unsigned bios_apm_return(struct bios_frame *f, uint8_t status)
{
	if (status)
		bios_set_high(&f->eax, status);
	bios_set_carry(f, status != 0);
	return BIOS_DONE;
}

/* AL=05h: until the next interrupt. The ROM calls twice: before its HLT and after. */
static unsigned bios_apm_idle(struct bios_frame *f)
{
	return f->result == BIOS_WAIT ? bios_apm_return(f, 0) : BIOS_WAIT;
}

static unsigned bios_apm_set_state(struct bios *b, struct bios_frame *f)
{
	if (bios_word(f->ebx) == APM_ALL && bios_word(f->ecx) == APM_STATE_OFF)
		b->cfg.power.request(b->cfg.power.ctx, POWER_OFF);
	return bios_apm_return(f, 0);
}

static unsigned bios_apm_power_status(struct bios_frame *f)
{
	if (bios_word(f->ebx) != APM_ALL)
		return bios_apm_return(f, APM_BAD_DEVICE);
	bios_set_word(&f->ebx, APM_AC_ON_LINE << 8 | APM_UNKNOWN);
	bios_set_word(&f->ecx, APM_NO_BATTERY << 8 | APM_UNKNOWN);
	bios_set_word(&f->edx, 0xffff);
	return bios_apm_return(f, 0);
}

unsigned bios_apm(struct bios *b, struct bios_frame *f)
{
	switch (bios_low(f->eax)) {
	case 0x00: /* is it there? */
		bios_set_word(&f->eax, APM_VERSION);
		bios_set_word(&f->ebx, APM_SIGNATURE);
		bios_set_word(&f->ecx, 0);
		return bios_apm_return(f, 0);
	case 0x02:
		return bios_apm_return(f, APM_NO_16_BIT);
	case 0x03:
		return bios_apm_return(f, APM_NO_32_BIT);
	case 0x05:
		return bios_apm_idle(f);
	case 0x07:
		return bios_apm_set_state(b, f);
	case 0x0a:
		return bios_apm_power_status(f);
	case 0x0b:
		return bios_apm_return(f, APM_NO_EVENT);
	case 0x0c: /* state of a device: ready; of management: enabled, engaged */
		bios_set_word(&f->ecx, 0);
		return bios_apm_return(f, 0);
	case 0x0d:
		bios_set_word(&f->ecx, 1);
		return bios_apm_return(f, 0);
	case 0x0e: /* the driver's version */
		bios_set_word(&f->eax, APM_VERSION);
		return bios_apm_return(f, 0);
	case 0x10: /* capabilities */
		bios_set_low(&f->ebx, 0);
		bios_set_word(&f->ecx, 0);
		return bios_apm_return(f, 0);
	case 0x01: /* connect, disconnect */
	case 0x04:
	case 0x06: /* the processor is busy */
	case 0x08: /* enable, defaults, engage */
	case 0x09:
	case 0x0f:
		return bios_apm_return(f, 0);
	default:
		return bios_apm_return(f, APM_UNKNOWN_FUNCTION);
	}
}
