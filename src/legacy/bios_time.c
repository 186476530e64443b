/*
 * Time: INT 08h (the timer's tick), INT 1Ah (ticks and the clock), INT 70h (the clock's interrupts)
 * and INT 15h AH=83h, which lives on them (IBM PS/2 and PC BIOS Interface Technical Reference,
 * 1987).
 *
 * Left out: the day counter of the PS/2 (AH=0Ah, 0Bh), sound multiplexing.
 */
#include "bios_device.h"

#define BDA_FLOPPY_MOTOR       BDA(0x3f)
#define BDA_FLOPPY_MOTOR_TICKS BDA(0x40)
#define BDA_TICKS	       BDA(0x6c)
#define BDA_MIDNIGHT	       BDA(0x70)
#define BDA_EVENT_FLAG	       BDA(0x98) /* far pointer */
#define BDA_EVENT_LEFT_US      BDA(0x9c)
#define BDA_EVENT_STATE	       BDA(0xa0)
#define EVENT_IS_AWAITED       0x01
#define EVENT_HAPPENED	       0x80

#define TICKS_PER_DAY 0x1800b0u
#define PIT_HZ	      1193182ull
#define PIT_DIVISOR   65536ull
#define VECTOR_TICK   0x1c
#define VECTOR_ALARM  0x4a

#define FLOPPY_OUTPUT	  0x3f2
#define FLOPPY_MOTORS_OFF 0x0c
#define FLOPPY_MOTORS	  0x0f

#define CMOS_SECONDS	   0x00
#define CMOS_SECONDS_ALARM 0x01
#define CMOS_MINUTES	   0x02
#define CMOS_MINUTES_ALARM 0x03
#define CMOS_HOURS	   0x04
#define CMOS_HOURS_ALARM   0x05
#define CMOS_DAY	   0x07
#define CMOS_MONTH	   0x08
#define CMOS_YEAR	   0x09
#define CMOS_A		   0x0a
#define CMOS_B		   0x0b
#define CMOS_C		   0x0c
#define CMOS_CENTURY	   0x32
#define A_UPDATING	   0x80
#define B_SET		   0x80
#define B_PERIODIC	   0x40
#define B_ALARM		   0x20
#define B_BINARY	   0x04
#define B_SUMMER_TIME	   0x01
#define PERIODIC_US	   976u /* 1024 Hz, which register A is set to */
#define UPDATE_NS	   (NS_PER_S / 100)

unsigned bios_tick(struct bios *b, struct bios_frame *f)
{
	(void)f;
	uint32_t ticks = bios_peek32(b, BDA_TICKS) + 1;
	if (ticks >= TICKS_PER_DAY) {
		ticks = 0;
		bios_poke8(b, BDA_MIDNIGHT, 1);
	}
	bios_poke32(b, BDA_TICKS, ticks);

	uint8_t left = bios_peek8(b, BDA_FLOPPY_MOTOR_TICKS);
	if (left)
		bios_poke8(b, BDA_FLOPPY_MOTOR_TICKS, --left);
	uint8_t motors = bios_peek8(b, BDA_FLOPPY_MOTOR);
	if (!left && motors & FLOPPY_MOTORS) {
		bios_poke8(b, BDA_FLOPPY_MOTOR, motors & ~FLOPPY_MOTORS);
		bios_out8(b, FLOPPY_OUTPUT, FLOPPY_MOTORS_OFF);
	}
	return BIOS_RAISE + VECTOR_TICK;
}

static void bios_cmos_change(struct bios *b, uint8_t index, uint8_t bits, bool is_set)
{
	uint8_t old = bios_cmos_read(b, index);
	bios_cmos_write(b, index, (uint8_t)(is_set ? old | bits : old & ~bits));
}

unsigned bios_clock_irq(struct bios *b, struct bios_frame *f)
{
	(void)f;
	uint8_t why = bios_cmos_read(b, CMOS_C) & bios_cmos_read(b, CMOS_B);

	if (why & B_PERIODIC && bios_peek8(b, BDA_EVENT_STATE) & EVENT_IS_AWAITED) {
		uint32_t left_us = bios_peek32(b, BDA_EVENT_LEFT_US);
		if (left_us > PERIODIC_US) {
			bios_poke32(b, BDA_EVENT_LEFT_US, left_us - PERIODIC_US);
		} else {
			uint32_t flag = bios_peek32(b, BDA_EVENT_FLAG);
			gpa_t gpa = bios_gpa((uint16_t)(flag >> 16), (uint16_t)flag);
			bios_cmos_change(b, CMOS_B, B_PERIODIC, false);
			bios_poke8(b, BDA_EVENT_STATE, 0);
			bios_poke8(b, gpa, bios_peek8(b, gpa) | EVENT_HAPPENED);
		}
	}
	return why & B_ALARM ? BIOS_RAISE + VECTOR_ALARM : BIOS_DONE;
}

/* INT 15h AH=83h: set bit 7 of ES:BX after CX:DX us (AL=00h), or no more (AL=01h). */
unsigned bios_event(struct bios *b, struct bios_frame *f)
{
	bool is_awaited = bios_peek8(b, BDA_EVENT_STATE) & EVENT_IS_AWAITED;
	bool is_cancelling = bios_low(f->eax) == 1;

	if (is_cancelling) {
		bios_cmos_change(b, CMOS_B, B_PERIODIC, false);
		bios_poke8(b, BDA_EVENT_STATE, 0);
		return bios_return(f, 0);
	}
	if (is_awaited || bios_low(f->eax) != 0) {
		bios_set_high(&f->eax, is_awaited ? 0 : BIOS_FUNCTION_UNKNOWN);
		bios_set_carry(f, true);
		return BIOS_DONE;
	}
	bios_poke32(b, BDA_EVENT_FLAG, bios_far(f->es, bios_word(f->ebx)));
	bios_poke32(b, BDA_EVENT_LEFT_US, (uint32_t)bios_word(f->ecx) << 16 | bios_word(f->edx));
	bios_poke8(b, BDA_EVENT_STATE, EVENT_IS_AWAITED);
	bios_cmos_change(b, CMOS_B, B_PERIODIC, true);
	return bios_return(f, 0);
}

/* AH=00h and 01h */
static void bios_time_ticks(struct bios *b, struct bios_frame *f)
{
	uint32_t ticks = bios_peek32(b, BDA_TICKS);
	if (bios_high(f->eax) == 0) {
		bios_set_low(&f->eax, bios_peek8(b, BDA_MIDNIGHT));
		bios_set_word(&f->ecx, (uint16_t)(ticks >> 16));
		bios_set_word(&f->edx, (uint16_t)ticks);
	} else {
		bios_poke32(b, BDA_TICKS, (uint32_t)bios_word(f->ecx) << 16 | bios_word(f->edx));
	}
	bios_poke8(b, BDA_MIDNIGHT, 0);
	bios_set_carry(f, false);
}

/* AH=02h and 04h. The clock tells nothing while it moves on, nor if it never stops doing so. */
static unsigned bios_time_read(struct bios *b, struct bios_frame *f)
{
	bool is_date = bios_high(f->eax) == 4;
	if (bios_cmos_read(b, CMOS_A) & A_UPDATING) {
		if (!bios_wait_is_over(b, UPDATE_NS))
			return BIOS_AGAIN;
		bios_set_carry(f, true);
		return BIOS_DONE;
	}
	bios_wait_end(b);
	bios_set_high(&f->ecx, bios_cmos_read(b, is_date ? CMOS_CENTURY : CMOS_HOURS));
	bios_set_low(&f->ecx, bios_cmos_read(b, is_date ? CMOS_YEAR : CMOS_MINUTES));
	bios_set_high(&f->edx, bios_cmos_read(b, is_date ? CMOS_MONTH : CMOS_SECONDS));
	bios_set_low(&f->edx, is_date ? bios_cmos_read(b, CMOS_DAY)
				      : bios_cmos_read(b, CMOS_B) & B_SUMMER_TIME);
	return bios_return(f, 0);
}

/* AH=03h and 05h, the clock stopped meanwhile */
static void bios_time_write(struct bios *b, const struct bios_frame *f)
{
	bool is_date = bios_high(f->eax) == 5;
	bios_cmos_change(b, CMOS_B, B_SET, true);
	bios_cmos_write(b, is_date ? CMOS_CENTURY : CMOS_HOURS, bios_high(f->ecx));
	bios_cmos_write(b, is_date ? CMOS_YEAR : CMOS_MINUTES, bios_low(f->ecx));
	bios_cmos_write(b, is_date ? CMOS_MONTH : CMOS_SECONDS, bios_high(f->edx));
	if (is_date)
		bios_cmos_write(b, CMOS_DAY, bios_low(f->edx));
	else
		bios_cmos_change(b, CMOS_B, B_SUMMER_TIME, bios_low(f->edx) & 1);
	bios_cmos_change(b, CMOS_B, B_SET, false);
}

/* AH=06h: at CH:CL:DH, INT 4Ah. Return: false when there is one already. */
static bool bios_time_set_alarm(struct bios *b, const struct bios_frame *f)
{
	if (bios_cmos_read(b, CMOS_B) & B_ALARM)
		return false;
	bios_cmos_write(b, CMOS_HOURS_ALARM, bios_high(f->ecx));
	bios_cmos_write(b, CMOS_MINUTES_ALARM, bios_low(f->ecx));
	bios_cmos_write(b, CMOS_SECONDS_ALARM, bios_high(f->edx));
	bios_cmos_change(b, CMOS_B, B_ALARM, true);
	return true;
}

unsigned bios_time(struct bios *b, struct bios_frame *f)
{
	bool is_done = true;
	switch (bios_high(f->eax)) {
	case 0x00:
	case 0x01:
		if (bios_high(f->eax) == 0 && !bios_is_again(f))
			return BIOS_AGAIN;
		bios_time_ticks(b, f);
		return BIOS_DONE;
	case 0x02:
	case 0x04:
		return bios_time_read(b, f);
	case 0x03:
	case 0x05:
		bios_time_write(b, f);
		break;
	case 0x06:
		is_done = bios_time_set_alarm(b, f);
		break;
	case 0x07:
		bios_cmos_change(b, CMOS_B, B_ALARM, false);
		break;
	case 0xb1:
		return bios_pci(b, f);
	default:
		return bios_return(f, BIOS_FUNCTION_UNKNOWN);
	}
	if (is_done)
		bios_set_high(&f->eax, 0);
	bios_set_carry(f, !is_done);
	return BIOS_DONE;
}

/* The ticks since midnight, from the clock, which somebody may have set to binary. */
void bios_time_post(struct bios *b)
{
	bool is_binary = bios_cmos_read(b, CMOS_B) & B_BINARY;
	static const uint8_t index[] = {CMOS_HOURS, CMOS_MINUTES, CMOS_SECONDS};
	uint64_t seconds = 0;
	for (unsigned i = 0; i < sizeof(index); i++) {
		uint8_t value = bios_cmos_read(b, index[i]);
		seconds = seconds * 60 + (is_binary ? value : (value >> 4) * 10u + (value & 15u));
	}
	uint64_t ticks = seconds * PIT_HZ / PIT_DIVISOR;
	bios_poke32(b, BDA_TICKS, ticks < TICKS_PER_DAY ? (uint32_t)ticks : 0);
}
