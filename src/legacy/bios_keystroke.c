/*
 * INT 09h: scan codes (set 1) into keys, as the enhanced keyboard's BIOS does it (IBM PS/2 and PC
 * BIOS Interface Technical Reference, 1987), US layout. The ROM's stub has read the scan code, told
 * the interrupt controller, and offered it to INT 15h AH=4Fh.
 *
 * Left out: the beep when the ring is full, SysReq.
 */
#include "bios_device.h"
#include "bios_keyboard.h"

#define SCAN_CTRL     0x1d
#define SCAN_SHIFT_L  0x2a
#define SCAN_SHIFT_R  0x36
#define SCAN_PRINT    0x37
#define SCAN_ALT      0x38
#define SCAN_CAPS     0x3a
#define SCAN_NUM      0x45
#define SCAN_SCROLL   0x46
#define SCAN_KEYPAD   0x47 /* the first of its digits */
#define SCAN_MINUS    0x4a
#define SCAN_PLUS     0x4e
#define SCAN_INSERT   0x52
#define SCAN_DELETE   0x53
#define SCAN_E0	      0xe0
#define SCAN_E1	      0xe1
#define SCAN_ACK      0xfa
#define SCAN_RESEND   0xfe
#define SCAN_BREAK    0x80
#define KEYBOARD_DATA 0x60
#define COMMAND_LEDS  0xed

#define BDA_ALT_NUMBER BDA(0x19)
#define BDA_BREAK      BDA(0x71)
#define BDA_RESET_FLAG BDA(0x72)
#define RESET_WARM     0x1234
#define BREAK_SEEN     0x80
#define VECTOR_PRINT   0x05
#define VECTOR_BREAK   0x1b

/* What a key gives alone, with shift, control, alt: scan code and character; 0 for nothing. */
struct keymap {
	uint16_t plain, shift, ctrl, alt;
};

/* Letters: Caps Lock turns the first two around. */
#define LETTER(scan, c)                                                                            \
	{                                                                                          \
		(scan) << 8 | (c), (scan) << 8 | ((c)-0x20), (scan) << 8 | ((c)&0x1f), (scan) << 8 \
	}
#define FUNCTION(n)                                                                        \
	{                                                                                  \
		(0x3a + (n)) << 8, (0x53 + (n)) << 8, (0x5d + (n)) << 8, (0x67 + (n)) << 8 \
	}

static const struct keymap keymap[] = {
	[0x01] = {0x011b, 0x011b, 0x011b, 0x0100},
	[0x02] = {0x0231, 0x0221, 0x0000, 0x7800},
	[0x03] = {0x0332, 0x0340, 0x0300, 0x7900},
	[0x04] = {0x0433, 0x0423, 0x0000, 0x7a00},
	[0x05] = {0x0534, 0x0524, 0x0000, 0x7b00},
	[0x06] = {0x0635, 0x0625, 0x0000, 0x7c00},
	[0x07] = {0x0736, 0x075e, 0x071e, 0x7d00},
	[0x08] = {0x0837, 0x0826, 0x0000, 0x7e00},
	[0x09] = {0x0938, 0x092a, 0x0000, 0x7f00},
	[0x0a] = {0x0a39, 0x0a28, 0x0000, 0x8000},
	[0x0b] = {0x0b30, 0x0b29, 0x0000, 0x8100},
	[0x0c] = {0x0c2d, 0x0c5f, 0x0c1f, 0x8200},
	[0x0d] = {0x0d3d, 0x0d2b, 0x0000, 0x8300},
	[0x0e] = {0x0e08, 0x0e08, 0x0e7f, 0x0e00},
	[0x0f] = {0x0f09, 0x0f00, 0x9400, 0xa500},
	[0x10] = LETTER(0x10, 'q'),
	[0x11] = LETTER(0x11, 'w'),
	[0x12] = LETTER(0x12, 'e'),
	[0x13] = LETTER(0x13, 'r'),
	[0x14] = LETTER(0x14, 't'),
	[0x15] = LETTER(0x15, 'y'),
	[0x16] = LETTER(0x16, 'u'),
	[0x17] = LETTER(0x17, 'i'),
	[0x18] = LETTER(0x18, 'o'),
	[0x19] = LETTER(0x19, 'p'),
	[0x1a] = {0x1a5b, 0x1a7b, 0x1a1b, 0x1a00},
	[0x1b] = {0x1b5d, 0x1b7d, 0x1b1d, 0x1b00},
	[0x1c] = {0x1c0d, 0x1c0d, 0x1c0a, 0x1c00},
	[0x1e] = LETTER(0x1e, 'a'),
	[0x1f] = LETTER(0x1f, 's'),
	[0x20] = LETTER(0x20, 'd'),
	[0x21] = LETTER(0x21, 'f'),
	[0x22] = LETTER(0x22, 'g'),
	[0x23] = LETTER(0x23, 'h'),
	[0x24] = LETTER(0x24, 'j'),
	[0x25] = LETTER(0x25, 'k'),
	[0x26] = LETTER(0x26, 'l'),
	[0x27] = {0x273b, 0x273a, 0x0000, 0x2700},
	[0x28] = {0x2827, 0x2822, 0x0000, 0x2800},
	[0x29] = {0x2960, 0x297e, 0x0000, 0x2900},
	[0x2b] = {0x2b5c, 0x2b7c, 0x2b1c, 0x2b00},
	[0x2c] = LETTER(0x2c, 'z'),
	[0x2d] = LETTER(0x2d, 'x'),
	[0x2e] = LETTER(0x2e, 'c'),
	[0x2f] = LETTER(0x2f, 'v'),
	[0x30] = LETTER(0x30, 'b'),
	[0x31] = LETTER(0x31, 'n'),
	[0x32] = LETTER(0x32, 'm'),
	[0x33] = {0x332c, 0x333c, 0x0000, 0x3300},
	[0x34] = {0x342e, 0x343e, 0x0000, 0x3400},
	[0x35] = {0x352f, 0x353f, 0x0000, 0x3500},
	[0x37] = {0x372a, 0x372a, 0x9600, 0x3700},
	[0x39] = {0x3920, 0x3920, 0x3920, 0x3920},
	[0x3b] = FUNCTION(1),
	[0x3c] = FUNCTION(2),
	[0x3d] = FUNCTION(3),
	[0x3e] = FUNCTION(4),
	[0x3f] = FUNCTION(5),
	[0x40] = FUNCTION(6),
	[0x41] = FUNCTION(7),
	[0x42] = FUNCTION(8),
	[0x43] = FUNCTION(9),
	[0x44] = FUNCTION(10),
	/* The keypad: Num Lock turns the first two around; with alt it gives a character's number.
	 */
	[0x47] = {0x4700, 0x4737, 0x7700, 0x0000},
	[0x48] = {0x4800, 0x4838, 0x8d00, 0x0000},
	[0x49] = {0x4900, 0x4939, 0x8400, 0x0000},
	[0x4a] = {0x4a2d, 0x4a2d, 0x8e00, 0x4a00},
	[0x4b] = {0x4b00, 0x4b34, 0x7300, 0x0000},
	[0x4c] = {0x4c00, 0x4c35, 0x8f00, 0x0000},
	[0x4d] = {0x4d00, 0x4d36, 0x7400, 0x0000},
	[0x4e] = {0x4e2b, 0x4e2b, 0x9000, 0x4e00},
	[0x4f] = {0x4f00, 0x4f31, 0x7500, 0x0000},
	[0x50] = {0x5000, 0x5032, 0x9100, 0x0000},
	[0x51] = {0x5100, 0x5133, 0x7600, 0x0000},
	[0x52] = {0x5200, 0x5230, 0x9200, 0x0000},
	[0x53] = {0x5300, 0x532e, 0x9300, 0x0000},
	[0x56] = {0x565c, 0x567c, 0x0000, 0x0000},
	[0x57] = {0x8500, 0x8700, 0x8900, 0x8b00},
	[0x58] = {0x8600, 0x8800, 0x8a00, 0x8c00},
};

/* Keys with the prefix E0h: those apart from the keypad, and its Enter and slash. */
static const struct keymap keymap_e0[] = {
	[0x1c] = {0xe00d, 0xe00d, 0xe00a, 0xa600}, [0x35] = {0xe02f, 0xe02f, 0x9500, 0xa400},
	[0x47] = {0x47e0, 0x47e0, 0x77e0, 0x9700}, [0x48] = {0x48e0, 0x48e0, 0x8de0, 0x9800},
	[0x49] = {0x49e0, 0x49e0, 0x84e0, 0x9900}, [0x4b] = {0x4be0, 0x4be0, 0x73e0, 0x9b00},
	[0x4d] = {0x4de0, 0x4de0, 0x74e0, 0x9d00}, [0x4f] = {0x4fe0, 0x4fe0, 0x75e0, 0x9f00},
	[0x50] = {0x50e0, 0x50e0, 0x91e0, 0xa000}, [0x51] = {0x51e0, 0x51e0, 0x76e0, 0xa100},
	[0x52] = {0x52e0, 0x52e0, 0x92e0, 0xa200}, [0x53] = {0x53e0, 0x53e0, 0x93e0, 0xa300},
};

static void bios_keystroke_set(struct bios *b, gpa_t gpa, uint8_t bits, bool is_set)
{
	uint8_t old = bios_peek8(b, gpa);
	bios_poke8(b, gpa, (uint8_t)(is_set ? old | bits : old & ~bits));
}

/* Shift, control, alt. Return: whether it was one. */
static bool bios_keystroke_shift(struct bios *b, uint8_t scan, bool is_e0, bool is_down)
{
	uint8_t others;
	switch (scan) {
	case SCAN_SHIFT_L:
	case SCAN_SHIFT_R:
		/* With a prefix they only frame another key. */
		if (!is_e0)
			bios_keystroke_set(b, BDA_KEY_SHIFT,
					   scan == SCAN_SHIFT_L ? KEY_SHIFT_L : KEY_SHIFT_R,
					   is_down);
		return true;
	case SCAN_CTRL:
	case SCAN_ALT:
		if (is_e0)
			bios_keystroke_set(b, BDA_KEY_STATE,
					   scan == SCAN_CTRL ? KEY_CTRL_R : KEY_ALT_R, is_down);
		else
			bios_keystroke_set(b, BDA_KEY_HELD,
					   scan == SCAN_CTRL ? KEY_CTRL_L : KEY_ALT_L, is_down);
		others = bios_peek8(b, BDA_KEY_STATE) >> 2 | bios_peek8(b, BDA_KEY_HELD);
		bios_keystroke_set(b, BDA_KEY_SHIFT, KEY_CTRL, others & KEY_CTRL_L);
		bios_keystroke_set(b, BDA_KEY_SHIFT, KEY_ALT, others & KEY_ALT_L);
		return true;
	default:
		return false;
	}
}

/* The character whose number was typed on the keypad while alt was down. */
static void bios_keystroke_alt_up(struct bios *b)
{
	uint8_t number = bios_peek8(b, BDA_ALT_NUMBER);
	if (bios_peek8(b, BDA_KEY_SHIFT) & KEY_ALT || !number)
		return;
	bios_poke8(b, BDA_ALT_NUMBER, 0);
	bios_keyboard_put(b, number);
}

/* Lock keys change their state when they go down, but not again while they are held. */
static bool bios_keystroke_lock(struct bios *b, uint8_t scan, bool is_down)
{
	uint8_t bit = scan == SCAN_CAPS	    ? KEY_CAPS
		      : scan == SCAN_NUM    ? KEY_NUM
		      : scan == SCAN_SCROLL ? KEY_SCROLL
					    : 0;
	if (!bit)
		return false;
	if (is_down && !(bios_peek8(b, BDA_KEY_HELD) & bit))
		bios_poke8(b, BDA_KEY_SHIFT, bios_peek8(b, BDA_KEY_SHIFT) ^ bit);
	bios_keystroke_set(b, BDA_KEY_HELD, bit, is_down);
	bios_keyboard_leds(b);
	return true;
}

static unsigned bios_keystroke_break(struct bios *b)
{
	uint16_t key;
	bios_poke8(b, BDA_BREAK, BREAK_SEEN);
	/* The ring is emptied; how much a hostile one holds is bounded all the same. */
	for (unsigned n = 0; n < 0x100 && bios_keyboard_take(b, false, &key); n++)
		;
	bios_keyboard_put(b, 0);
	return BIOS_RAISE + VECTOR_BREAK;
}

static uint16_t bios_keystroke_key(struct bios *b, uint8_t scan, bool is_e0)
{
	uint8_t flags = bios_peek8(b, BDA_KEY_SHIFT);
	const struct keymap *map = is_e0 ? keymap_e0 : keymap;
	size_t count = is_e0 ? sizeof(keymap_e0) / sizeof(*map) : sizeof(keymap) / sizeof(*map);
	bool is_shifted = flags & (KEY_SHIFT_L | KEY_SHIFT_R);

	if (scan >= count)
		return 0;
	if (flags & KEY_ALT)
		return map[scan].alt;
	if (flags & KEY_CTRL)
		return map[scan].ctrl;
	uint8_t character = (uint8_t)map[scan].plain;
	if (!is_e0 && character >= 'a' && character <= 'z' && flags & KEY_CAPS)
		is_shifted = !is_shifted;
	if (!is_e0 && scan >= SCAN_KEYPAD && scan <= SCAN_DELETE && flags & KEY_NUM)
		is_shifted = !is_shifted;
	return is_shifted ? map[scan].shift : map[scan].plain;
}

/* Alt and a digit of the keypad. Return: whether that is what it was. */
static bool bios_keystroke_number(struct bios *b, uint8_t scan, bool is_e0)
{
	static const uint8_t digit[] = {7, 8, 9, 0, 4, 5, 6, 0, 1, 2, 3, 0};
	if (is_e0 || scan < SCAN_KEYPAD || scan > SCAN_INSERT || scan == SCAN_MINUS ||
	    scan == SCAN_PLUS || !(bios_peek8(b, BDA_KEY_SHIFT) & KEY_ALT))
		return false;
	bios_poke8(b, BDA_ALT_NUMBER,
		   (uint8_t)(bios_peek8(b, BDA_ALT_NUMBER) * 10 + digit[scan - SCAN_KEYPAD]));
	return true;
}

/* Keys that do something. Return: a service's result, BIOS_AGAIN when it is a key like any other.
 */
static unsigned bios_keystroke_special(struct bios *b, uint8_t scan, bool is_e0, bool was_e1)
{
	uint8_t flags = bios_peek8(b, BDA_KEY_SHIFT);
	bool is_ctrl = flags & KEY_CTRL, is_alt = flags & KEY_ALT;

	if (scan == SCAN_DELETE && is_ctrl && is_alt) {
		bios_poke16(b, BDA_RESET_FLAG, RESET_WARM);
		b->cfg.power.request(b->cfg.power.ctx, POWER_RESET);
		return BIOS_DONE;
	}
	if (scan == SCAN_NUM && (was_e1 || is_ctrl)) {
		bios_keystroke_set(b, BDA_KEY_HELD, KEY_PAUSED, true);
		return BIOS_DONE;
	}
	if (scan == SCAN_SCROLL && is_ctrl)
		return bios_keystroke_break(b);
	if (scan == SCAN_PRINT && is_e0 && is_ctrl) {
		bios_keyboard_put(b, 0x7200);
		return BIOS_DONE;
	}
	if (scan == SCAN_PRINT && !is_ctrl && !is_alt &&
	    (is_e0 || flags & (KEY_SHIFT_L | KEY_SHIFT_R)))
		return BIOS_RAISE + VECTOR_PRINT;
	return BIOS_AGAIN;
}

static unsigned bios_keystroke_down(struct bios *b, uint8_t scan, bool is_e0, bool was_e1)
{
	/* Any key ends a pause, and is gone. */
	if (bios_peek8(b, BDA_KEY_HELD) & KEY_PAUSED) {
		if (scan != SCAN_NUM)
			bios_keystroke_set(b, BDA_KEY_HELD, KEY_PAUSED, false);
		return BIOS_DONE;
	}
	unsigned result = bios_keystroke_special(b, scan, is_e0, was_e1);
	if (result != BIOS_AGAIN)
		return result;
	if (bios_keystroke_lock(b, scan, true) || bios_keystroke_number(b, scan, is_e0))
		return BIOS_DONE;
	if (scan == SCAN_INSERT && !(bios_peek8(b, BDA_KEY_HELD) & KEY_INSERT)) {
		bios_keystroke_set(b, BDA_KEY_HELD, KEY_INSERT, true);
		bios_poke8(b, BDA_KEY_SHIFT, bios_peek8(b, BDA_KEY_SHIFT) ^ KEY_INSERT);
	}
	uint16_t key = bios_keystroke_key(b, scan, is_e0);
	if (key)
		bios_keyboard_put(b, key);
	return BIOS_DONE;
}

/* The keyboard's answer to a command. */
static void bios_keystroke_answer(struct bios *b, bool is_ack)
{
	uint8_t state = bios_peek8(b, BDA_KEY_LEDS);
	if (!(state & KEY_SENDING))
		return;
	if (is_ack && !(state & KEY_SENT_BOTH)) {
		bios_poke8(b, BDA_KEY_LEDS, state | KEY_SENT_BOTH);
		bios_out8(b, KEYBOARD_DATA, bios_peek8(b, EBDA(EBDA_KEY_ARGUMENT)));
		return;
	}
	bios_poke8(b, BDA_KEY_LEDS, state & KEY_LEDS);
	if (is_ack)
		bios_keyboard_leds(b);
}

void bios_keyboard_send(struct bios *b, uint8_t command, uint8_t argument)
{
	uint8_t state = bios_peek8(b, BDA_KEY_LEDS);
	if (state & KEY_SENDING)
		return;
	bios_poke8(b, BDA_KEY_LEDS, (uint8_t)((state & KEY_LEDS) | KEY_SENDING));
	bios_poke8(b, EBDA(EBDA_KEY_ARGUMENT), argument);
	bios_out8(b, KEYBOARD_DATA, command);
}

void bios_keyboard_leds(struct bios *b)
{
	uint8_t leds = bios_peek8(b, BDA_KEY_SHIFT) >> 4 & KEY_LEDS;
	uint8_t state = bios_peek8(b, BDA_KEY_LEDS);
	if (leds == (state & KEY_LEDS) || state & KEY_SENDING)
		return;
	bios_poke8(b, BDA_KEY_LEDS, (uint8_t)((state & ~KEY_LEDS) | leds));
	bios_keyboard_send(b, COMMAND_LEDS, leds);
}

unsigned bios_keystroke(struct bios *b, struct bios_frame *f)
{
	uint8_t code = bios_low(f->eax), scan = code & ~SCAN_BREAK;
	bool is_down = !(code & SCAN_BREAK);
	uint8_t state = bios_peek8(b, BDA_KEY_STATE);
	bool is_e0 = state & KEY_LAST_E0, was_e1 = state & KEY_LAST_E1;

	if (code == SCAN_ACK || code == SCAN_RESEND) {
		bios_keystroke_answer(b, code == SCAN_ACK);
		return BIOS_DONE;
	}
	if (code == SCAN_E0 || code == SCAN_E1) {
		bios_keystroke_set(b, BDA_KEY_STATE, code == SCAN_E0 ? KEY_LAST_E0 : KEY_LAST_E1,
				   true);
		return BIOS_DONE;
	}
	/* Pause is E1h, control, Num Lock. */
	bios_keystroke_set(b, BDA_KEY_STATE, KEY_LAST_E0, false);
	if (was_e1 && scan == SCAN_CTRL)
		return BIOS_DONE;
	bios_keystroke_set(b, BDA_KEY_STATE, KEY_LAST_E1, false);

	if (bios_keystroke_shift(b, scan, is_e0, is_down)) {
		if (scan == SCAN_ALT && !is_down)
			bios_keystroke_alt_up(b);
		return BIOS_DONE;
	}
	if (is_down)
		return scan ? bios_keystroke_down(b, scan, is_e0, was_e1) : BIOS_DONE;
	if (scan == SCAN_INSERT)
		bios_keystroke_set(b, BDA_KEY_HELD, KEY_INSERT, false);
	if (!was_e1)
		bios_keystroke_lock(b, scan, false);
	return BIOS_DONE;
}
