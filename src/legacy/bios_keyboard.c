/*
 * INT 16h: the keyboard's ring in the BIOS data area (IBM PS/2 and PC BIOS Interface Technical
 * Reference, 1987): AH=00h to 05h, 09h, 0Ah, 10h to 12h.
 */
#include "bios_keyboard.h"
#include "bios_device.h"

#define BDA_RING_HEAD  BDA(0x1a)
#define BDA_RING_TAIL  BDA(0x1c)
#define BDA_RING_START BDA(0x80)
#define BDA_RING_END   BDA(0x82)
#define RING_START     0x1e
#define RING_END       0x3e
#define KEY_SIZE       2u

#define KEYBOARD_DATA	  0x60
#define KEYBOARD_STATUS	  0x64
#define STATUS_FULL	  0x01
#define COMMAND_WRITE	  0x60 /* to the controller: its configuration; */
#define COMMAND_ENABLE	  0xae
#define COMMAND_TYPEMATIC 0xf3 /* to the keyboard */
#define CONFIGURATION	  0x65 /* translate, mouse off, tested, IRQ 1 */
#define BYTES_LEFT_MAX	  16

#define FUNCTIONS	   0x34	  /* AH=09h: AH=10h to 12h, 0Ah, 0305h */
#define FUNCTIONS_ENHANCED 0x80	  /* AH=92h */
#define KEYBOARD_ID	   0x41ab /* AH=0Ah: enhanced, behind a controller that translates */

/* Codes that only the enhanced functions give. */
#define LAST_OLD_CODE 0x84
#define LOW_E0	      0xe0

unsigned bios_keyboard_room(const struct gmem *gm)
{
	uint16_t head, tail, start, end;
	if (gmem_load_le16(gm, BDA_RING_HEAD, &head) != 0 ||
	    gmem_load_le16(gm, BDA_RING_TAIL, &tail) != 0 ||
	    gmem_load_le16(gm, BDA_RING_START, &start) != 0 ||
	    gmem_load_le16(gm, BDA_RING_END, &end) != 0)
		return BIOS_KEYBOARD_NO_RING;
	unsigned size = end - (unsigned)start;
	bool is_ring = end >= start + 2 * KEY_SIZE && head >= start && head < end &&
		       tail >= start && tail < end &&
		       ((head ^ start) | (tail ^ start)) % KEY_SIZE == 0;
	if (!is_ring)
		return BIOS_KEYBOARD_NO_RING;
	unsigned used = (tail + size - head) % size;
	return size / KEY_SIZE - 1 - used / KEY_SIZE;
}

static uint16_t bios_keyboard_next(struct bios *b, uint16_t at)
{
	unsigned next = at + KEY_SIZE;
	return next >= bios_peek16(b, BDA_RING_END) ? bios_peek16(b, BDA_RING_START)
						    : (uint16_t)next;
}

bool bios_keyboard_take(struct bios *b, bool stays, uint16_t *ret_key)
{
	uint16_t head = bios_peek16(b, BDA_RING_HEAD);
	if (head == bios_peek16(b, BDA_RING_TAIL))
		return false;
	*ret_key = bios_peek16(b, BDA(head));
	if (!stays)
		bios_poke16(b, BDA_RING_HEAD, bios_keyboard_next(b, head));
	return true;
}

bool bios_keyboard_put(struct bios *b, uint16_t key)
{
	uint16_t tail = bios_peek16(b, BDA_RING_TAIL);
	uint16_t next = bios_keyboard_next(b, tail);
	if (next == bios_peek16(b, BDA_RING_HEAD))
		return false;
	bios_poke16(b, BDA(tail), key);
	bios_poke16(b, BDA_RING_TAIL, next);
	return true;
}

/* As AH=00h and 01h show a key, which know only the first PCs' keyboards. false: not at all. */
static bool bios_keyboard_old(uint16_t *key)
{
	uint8_t low = (uint8_t)*key, scan = (uint8_t)(*key >> 8);
	if (scan == LOW_E0)
		*key = (uint16_t)((low == '/' ? 0x3500 : 0x1c00) | low);
	else if (scan > LAST_OLD_CODE)
		return false;
	else if (low == LOW_E0 && scan)
		*key &= 0xff00;
	return true;
}

/* AH=00h, 01h, 10h, 11h */
static unsigned bios_keyboard_read(struct bios *b, struct bios_frame *f, bool is_enhanced,
				   bool is_peek)
{
	uint16_t key;
	bool is_there = bios_keyboard_take(b, is_peek, &key);

	bios_keyboard_leds(b);
	if (!is_there && is_peek && !bios_is_again(f))
		return BIOS_AGAIN;
	if (is_there && !is_enhanced && !bios_keyboard_old(&key)) {
		/* Gone, whether it was to be taken or looked at; then the next one. */
		if (is_peek)
			bios_keyboard_take(b, false, &key);
		return BIOS_AGAIN;
	}
	if (is_there)
		bios_set_word(&f->eax, key);
	else if (!is_peek)
		return BIOS_WAIT;
	if (is_peek)
		f->flags = (uint16_t)((f->flags & ~BIOS_FLAG_ZF) | (is_there ? 0 : BIOS_FLAG_ZF));
	return BIOS_DONE;
}

/* AH=12h: which of the keys of a kind it is that is down */
static uint8_t bios_keyboard_flags(struct bios *b)
{
	uint8_t held = bios_peek8(b, BDA_KEY_HELD), state = bios_peek8(b, BDA_KEY_STATE);
	return (uint8_t)((held & 0x73) | (held & 0x04) << 5 | (state & (KEY_CTRL_R | KEY_ALT_R)));
}

unsigned bios_keyboard(struct bios *b, struct bios_frame *f)
{
	uint8_t function = bios_high(f->eax);
	switch (function) {
	case 0x00:
	case 0x01:
	case 0x10:
	case 0x11:
		return bios_keyboard_read(b, f, function & 0x10, function & 0x01);
	case 0x12:
		bios_set_high(&f->eax, bios_keyboard_flags(b));
		bios_set_low(&f->eax, bios_peek8(b, BDA_KEY_SHIFT));
		break;
	case 0x02:
		bios_set_low(&f->eax, bios_peek8(b, BDA_KEY_SHIFT));
		break;
	case 0x03: /* AL=05h: delay in BH, rate in BL */
		if (bios_low(f->eax) == 0x05)
			bios_keyboard_send(b, COMMAND_TYPEMATIC,
					   (uint8_t)((bios_high(f->ebx) & 3) << 5 |
						     (bios_low(f->ebx) & 0x1f)));
		break;
	case 0x05:
		bios_set_low(&f->eax, bios_keyboard_put(b, bios_word(f->ecx)) ? 0 : 1);
		break;
	case 0x09:
		bios_set_low(&f->eax, FUNCTIONS);
		break;
	case 0x0a:
		bios_set_word(&f->ebx, KEYBOARD_ID);
		break;
	case 0x92: /* no function: IBM's code left AH so where 10h to 12h are there */
		bios_set_high(&f->eax, FUNCTIONS_ENHANCED);
		break;
	default:
		break;
	}
	return BIOS_DONE;
}

void bios_keyboard_post(struct bios *b)
{
	bios_poke16(b, BDA_RING_HEAD, RING_START);
	bios_poke16(b, BDA_RING_TAIL, RING_START);
	bios_poke16(b, BDA_RING_START, RING_START);
	bios_poke16(b, BDA_RING_END, RING_END);
	bios_poke8(b, BDA_KEY_STATE, KEY_ENHANCED);
	bios_out8(b, KEYBOARD_STATUS, COMMAND_ENABLE);
	bios_out8(b, KEYBOARD_STATUS, COMMAND_WRITE);
	bios_out8(b, KEYBOARD_DATA, CONFIGURATION);
	for (unsigned n = 0; n < BYTES_LEFT_MAX && bios_in8(b, KEYBOARD_STATUS) & STATUS_FULL; n++)
		bios_in8(b, KEYBOARD_DATA);
}
