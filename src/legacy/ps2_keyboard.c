/*
 * PS/2 keyboard (IBM Personal System/2 Hardware Interface Technical Reference, 1988: Keyboards).
 *
 * Keys arrive as codes of scan code set 1 and leave in the set that the guest has chosen. A
 * sequence enters the buffer whole or not at all, so that none is cut in half; where the original
 * answers an overrun with a byte that says so, whoever types is asked to wait.
 *
 * Left out: scan code set 3 (asked for it, the keyboard refuses; commands that configure its keys
 * are acknowledged), repetition while a key is held (the host's keyboard does that), the sequences
 * that depend on shift keys and Num Lock (0xe0 0x2a around the grey cursor keys), the time that the
 * self test takes.
 */
#include "ps2.h"

#include <tinyvm/legacy.h>
#include <tinyvm/state.h>

enum {
	CMD_SET_LEDS = 0xed,
	CMD_ECHO = 0xee,
	CMD_SET = 0xf0, /* scan code set: choose or ask */
	CMD_ID = 0xf2,
	CMD_RATE = 0xf3,
	CMD_ENABLE = 0xf4,
	CMD_DISABLE = 0xf5,
	CMD_DEFAULTS = 0xf6,
	CMD_KEYS_FIRST = 0xf7, /* up to 0xfa: of all keys in set 3 */
	CMD_KEYS_LAST = 0xfa,
	CMD_KEY_FIRST = 0xfb, /* up to 0xfd: of one key in set 3 */
	CMD_KEY_LAST = 0xfd,
	CMD_RESEND = 0xfe,
	CMD_RESET = 0xff,
};

#define ACK	     0xfa
#define RESEND	     0xfe
#define SELF_TEST_OK 0xaa
#define ID_1	     0xab
#define ID_2	     0x83

#define DEFAULT_RATE 0x2b /* 10.9 a second after 500 ms */
#define LED_MASK     0x07
#define RATE_MASK    0x7f

#define SET1_BREAK 0x80
#define SET2_BREAK 0xf0
#define EXTENDED   0xe0
#define EXTENDED_1 0xe1
#define LEFT_SHIFT 0x2a
#define CTRL	   0x1d
#define NUM_LOCK   0x45
#define PRINT	   0x37

/* The controller's translation of 0x00-0x7f; above, only 0x83 and 0x84 change. */
static const uint8_t set2_to_set1[128] = {
	0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29,
	0x59, 0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11,
	0x03, 0x5b, 0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14,
	0x13, 0x06, 0x5d, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24,
	0x16, 0x08, 0x09, 0x5f, 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35,
	0x26, 0x27, 0x19, 0x0c, 0x61, 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36,
	0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c,
	0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, 0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45,
	0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

#define SET2_F7	    0x83
#define SET2_SYSREQ 0x84
#define SET1_F7	    0x41
#define SET1_SYSREQ 0x54

uint8_t ps2_translate(uint8_t byte)
{
	if (byte < sizeof(set2_to_set1))
		return set2_to_set1[byte];
	return byte == SET2_F7 ? SET1_F7 : byte == SET2_SYSREQ ? SET1_SYSREQ : byte;
}

/* The code of set 2 that translates to @code; 0 when no key has it. */
static uint8_t ps2_keyboard_set2(uint8_t code)
{
	if (code == SET1_F7)
		return SET2_F7;
	if (code == SET1_SYSREQ)
		return SET2_SYSREQ;
	for (unsigned i = 1; i < sizeof(set2_to_set1); i++) {
		if (set2_to_set1[i] == code)
			return (uint8_t)i;
	}
	return 0;
}

/* One key's bytes, put together before any of them enters the buffer. */
struct sequence {
	const struct ps2_keyboard *kb;
	struct ps2_queue bytes;
};

/* @prefix: 0xe0, 0xe1 or 0 for none. */
static void ps2_keyboard_add(struct sequence *s, uint8_t prefix, uint8_t code, bool is_down)
{
	if (prefix)
		ps2_queue_push(&s->bytes, prefix);
	if (s->kb->set == 1) {
		ps2_queue_push(&s->bytes, is_down ? code : code | SET1_BREAK);
		return;
	}
	if (!is_down)
		ps2_queue_push(&s->bytes, SET2_BREAK);
	ps2_queue_push(&s->bytes, ps2_keyboard_set2(code));
}

static void ps2_keyboard_add_key(struct sequence *s, uint16_t code, bool is_down)
{
	switch (code) {
	case I8042_KEY_PAUSE: /* says that it is released when it is pressed */
		if (!is_down)
			return;
		ps2_keyboard_add(s, EXTENDED_1, CTRL, true);
		ps2_keyboard_add(s, 0, NUM_LOCK, true);
		ps2_keyboard_add(s, EXTENDED_1, CTRL, false);
		ps2_keyboard_add(s, 0, NUM_LOCK, false);
		return;
	case I8042_KEY_PRINT:
		ps2_keyboard_add(s, EXTENDED, is_down ? LEFT_SHIFT : PRINT, is_down);
		ps2_keyboard_add(s, EXTENDED, is_down ? PRINT : LEFT_SHIFT, is_down);
		return;
	default:
		if (ps2_keyboard_set2((uint8_t)code))
			ps2_keyboard_add(s, (uint8_t)(code >> 8), (uint8_t)code, is_down);
		return;
	}
}

bool ps2_keyboard_key(struct ps2_keyboard *kb, uint16_t code, bool is_down)
{
	struct sequence s = {.kb = kb};
	if (!kb->is_scanning)
		return true;
	ps2_keyboard_add_key(&s, code, is_down);
	if (s.bytes.len > ps2_queue_room(&kb->keys))
		return false;
	while (s.bytes.len)
		ps2_queue_push(&kb->keys, ps2_queue_pop(&s.bytes));
	return true;
}

bool ps2_keyboard_has_byte(const struct ps2_keyboard *kb)
{
	return kb->replies.len || kb->keys.len;
}

uint8_t ps2_keyboard_read(struct ps2_keyboard *kb)
{
	kb->last = ps2_queue_pop(kb->replies.len ? &kb->replies : &kb->keys);
	return kb->last;
}

static void ps2_keyboard_reply(struct ps2_keyboard *kb, uint8_t byte)
{
	ps2_queue_push(&kb->replies, byte);
}

static void ps2_keyboard_defaults(struct ps2_keyboard *kb)
{
	kb->keys.len = 0;
	kb->set = 2;
	kb->rate = DEFAULT_RATE;
}

void ps2_keyboard_reset(struct ps2_keyboard *kb)
{
	*kb = (struct ps2_keyboard){.is_scanning = true};
	ps2_keyboard_defaults(kb);
}

/* Return: whether @byte is an argument that @command takes. */
static bool ps2_keyboard_argument(struct ps2_keyboard *kb, uint8_t command, uint8_t byte)
{
	switch (command) {
	case CMD_SET_LEDS:
		kb->leds = byte & LED_MASK;
		break;
	case CMD_RATE:
		kb->rate = byte & RATE_MASK;
		break;
	case CMD_SET:
		if (byte > 2)
			return false;
		ps2_keyboard_reply(kb, ACK);
		if (byte)
			kb->set = byte;
		else
			ps2_keyboard_reply(kb, kb->set);
		return true;
	default: /* of a key in set 3 */
		break;
	}
	ps2_keyboard_reply(kb, ACK);
	return true;
}

/* Return: whether there is such a command. */
static bool ps2_keyboard_command(struct ps2_keyboard *kb, uint8_t command)
{
	switch (command) {
	case CMD_ECHO:
		ps2_keyboard_reply(kb, CMD_ECHO);
		return true;
	case CMD_RESEND:
		ps2_keyboard_reply(kb, kb->last);
		return true;
	case CMD_SET:
		kb->keys.len = 0;
		kb->pending = command;
		break;
	case CMD_SET_LEDS:
	case CMD_RATE:
	case CMD_KEY_FIRST ... CMD_KEY_LAST:
		kb->pending = command;
		break;
	case CMD_ENABLE:
		kb->keys.len = 0;
		kb->is_scanning = true;
		break;
	case CMD_DISABLE:
		ps2_keyboard_defaults(kb);
		kb->is_scanning = false;
		break;
	case CMD_DEFAULTS:
		ps2_keyboard_defaults(kb);
		break;
	case CMD_ID:
		ps2_keyboard_reply(kb, ACK);
		ps2_keyboard_reply(kb, ID_1);
		ps2_keyboard_reply(kb, ID_2);
		return true;
	case CMD_KEYS_FIRST ... CMD_KEYS_LAST:
		break;
	case CMD_RESET:
		ps2_keyboard_reset(kb);
		ps2_keyboard_reply(kb, ACK);
		ps2_keyboard_reply(kb, SELF_TEST_OK);
		return true;
	default:
		return false;
	}
	ps2_keyboard_reply(kb, ACK);
	return true;
}

void ps2_keyboard_write(struct ps2_keyboard *kb, uint8_t byte)
{
	uint8_t command = kb->pending;
	bool is_taken;

	/* A command takes the place of the argument of another, and of what was not yet said. */
	kb->pending = 0;
	kb->replies.len = 0;
	if (command && byte < CMD_SET_LEDS)
		is_taken = ps2_keyboard_argument(kb, command, byte);
	else
		is_taken = ps2_keyboard_command(kb, byte);
	if (!is_taken)
		ps2_keyboard_reply(kb, RESEND);
}

void ps2_keyboard_state(struct ps2_keyboard *kb, struct state *st)
{
	ps2_queue_state(&kb->replies, st, "KEYBOARD REPLIES");
	ps2_queue_state(&kb->keys, st, "KEYBOARD BUFFER");
	state_u8(st, "KEYBOARD COMMAND", &kb->pending);
	state_u8(st, "KEYBOARD LAST BYTE", &kb->last);
	state_u8(st, "KEYBOARD SET", &kb->set);
	state_u8(st, "KEYBOARD LEDS", &kb->leds);
	state_u8(st, "KEYBOARD RATE", &kb->rate);
	state_bool(st, "KEYBOARD SCANNING", &kb->is_scanning);
	if (state_is_loading(st) && (kb->set < 1 || kb->set > 2)) {
		kb->set = 2;
		state_fail(st, "the keyboard uses a scan code set that it does not have");
	}
}
