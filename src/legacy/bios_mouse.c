/*
 * The PS/2 mouse: INT 15h AH=C2h (IBM PS/2 and PC BIOS Interface Technical Reference, 1987) and
 * INT 74h, which gathers its packets for the handler that C207h has set.
 *
 * Commands go over the i8042 as a real BIOS sends them, the keyboard silent meanwhile; the ROM's
 * stub keeps calling while the mouse answers.
 *
 * Left out: packets of other than 3 bytes.
 */
#include "bios_device.h"

#define I8042_DATA	 0x60
#define I8042_COMMAND	 0x64
#define STATUS_FULL	 0x01
#define STATUS_MOUSE	 0x20
#define CONTROLLER_WRITE 0x60
#define CONTROLLER_TEST	 0xa9
#define CONTROLLER_MOUSE 0xd4
#define KEYBOARD_OFF	 0xad
#define KEYBOARD_ON	 0xae
#define CONFIG_KEYBOARD	 0x45 /* translate, tested, IRQ 1; */
#define CONFIG_MOUSE_IRQ 0x02
#define CONFIG_MOUSE_OFF 0x20

#define MOUSE_ACK	 0xfa
#define MOUSE_RESET	 0xff
#define MOUSE_ON	 0xf4
#define MOUSE_OFF	 0xf5
#define MOUSE_RATE	 0xf3
#define MOUSE_RESOLUTION 0xe8
#define MOUSE_ID	 0xf2
#define MOUSE_STATUS	 0xe9
#define MOUSE_SCALING_1	 0xe6
#define MOUSE_SCALING_2	 0xe7
#define MOUSE_DEFAULTS	 0xf6
#define ANSWER_NS	 (NS_PER_S / 2)

#define FLAGS_GATHERED 0x0007
#define FLAGS_ON       0x4000
#define FLAGS_HANDLER  0x8000
#define PACKET_BYTES   3
#define PACKET_FIRST   0x08 /* always set in a packet's first byte */

enum mouse_status {
	MOUSE_OK = 0,
	MOUSE_BAD_FUNCTION = 1,
	MOUSE_BAD_INPUT = 2,
	MOUSE_SILENT = 3,
	MOUSE_NO_HANDLER = 5,
};

/* Never read: the controller's answer would come with a keyboard interrupt, and pass for a key. */
static void bios_mouse_configure(struct bios *b, uint8_t mouse_bits)
{
	bios_out8(b, I8042_COMMAND, CONTROLLER_WRITE);
	bios_out8(b, I8042_DATA, CONFIG_KEYBOARD | mouse_bits);
}

bool bios_mouse_is_there(struct bios *b)
{
	bios_out8(b, I8042_COMMAND, CONTROLLER_TEST);
	return bios_in8(b, I8042_DATA) == 0;
}

static void bios_mouse_begin(struct bios *b)
{
	b->mouse = (struct bios_mouse_talk){.frame = b->frame};
	bios_out8(b, I8042_COMMAND, KEYBOARD_OFF);
	bios_mouse_configure(b, 0);
}

static void bios_mouse_end(struct bios *b)
{
	bool is_on = bios_peek16(b, EBDA(EBDA_MOUSE_FLAGS)) & FLAGS_ON;
	b->mouse.frame = 0;
	bios_mouse_configure(b, is_on ? CONFIG_MOUSE_IRQ : CONFIG_MOUSE_OFF);
	bios_out8(b, I8042_COMMAND, KEYBOARD_ON);
	bios_wait_end(b);
}

/* What the mouse says to a command of which @sent bytes are on their way. */
static void bios_mouse_hear(struct bios *b, uint8_t byte)
{
	struct bios_mouse_talk *m = &b->mouse;
	if (m->acked < m->sent)
		m->acked += byte == MOUSE_ACK;
	else if (m->got < sizeof(m->reply))
		m->reply[m->got++] = byte;
}

/**
 * bios_mouse_say() - send a command of @len bytes, and wait for @replies
 * @ret_status: MOUSE_OK or MOUSE_SILENT
 *
 * Return: BIOS_AGAIN while that takes, or BIOS_DONE; then the answer is in @b->mouse.reply.
 */
static unsigned bios_mouse_say(struct bios *b, const uint8_t *command, uint8_t len, uint8_t replies,
			       uint8_t *ret_status)
{
	struct bios_mouse_talk *m = &b->mouse;
	if (m->frame != b->frame)
		bios_mouse_begin(b);
	uint8_t status = bios_in8(b, I8042_COMMAND);
	if ((status & (STATUS_FULL | STATUS_MOUSE)) == STATUS_FULL)
		bios_in8(b, I8042_DATA); /* the keyboard's, from before it was silenced */
	else if (status & STATUS_FULL && m->sent)
		bios_mouse_hear(b, bios_in8(b, I8042_DATA));
	else if (status & STATUS_FULL)
		bios_in8(b, I8042_DATA); /* a movement */

	bool is_done = m->acked == len && m->got >= replies;
	if (!is_done && m->acked == m->sent && m->sent < len) {
		bios_out8(b, I8042_COMMAND, CONTROLLER_MOUSE);
		bios_out8(b, I8042_DATA, command[m->sent++]);
	}
	if (!is_done && !bios_wait_is_over(b, ANSWER_NS))
		return BIOS_AGAIN;
	bios_mouse_end(b);
	*ret_status = is_done ? MOUSE_OK : MOUSE_SILENT;
	return BIOS_DONE;
}

/* A command without an answer. */
static unsigned bios_mouse_tell(struct bios *b, struct bios_frame *f, uint8_t first, int second)
{
	const uint8_t command[2] = {first, (uint8_t)second};
	uint8_t status;
	unsigned result = bios_mouse_say(b, command, second < 0 ? 1 : 2, 0, &status);
	return result == BIOS_DONE ? bios_return(f, status) : result;
}

/* BH=00h: off; 01h: on, when there is a handler */
static unsigned bios_mouse_enable(struct bios *b, struct bios_frame *f)
{
	uint8_t is_on = bios_high(f->ebx);
	gpa_t flags = EBDA(EBDA_MOUSE_FLAGS);
	if (is_on > 1)
		return bios_return(f, MOUSE_BAD_INPUT);
	if (is_on && !(bios_peek16(b, flags) & FLAGS_HANDLER))
		return bios_return(f, MOUSE_NO_HANDLER);
	/* What the controller is to do when the mouse has answered. */
	uint16_t kept = bios_peek16(b, flags) & FLAGS_HANDLER;
	bios_poke16(b, flags, (uint16_t)(kept | (is_on ? FLAGS_ON : 0)));
	return bios_mouse_tell(b, f, is_on ? MOUSE_ON : MOUSE_OFF, -1);
}

static unsigned bios_mouse_rate(struct bios *b, struct bios_frame *f)
{
	static const uint8_t rate[] = {10, 20, 40, 60, 80, 100, 200};
	if (bios_high(f->ebx) >= sizeof(rate))
		return bios_return(f, MOUSE_BAD_INPUT);
	return bios_mouse_tell(b, f, MOUSE_RATE, rate[bios_high(f->ebx)]);
}

/* A command with an answer: reset, what it is, its status. */
static unsigned bios_mouse_ask(struct bios *b, struct bios_frame *f, uint8_t command,
			       uint8_t replies)
{
	const uint8_t *reply = b->mouse.reply;
	uint8_t status;
	unsigned result = bios_mouse_say(b, &command, 1, replies, &status);
	if (result != BIOS_DONE)
		return result;
	if (status == MOUSE_OK && command == MOUSE_RESET) {
		bios_set_low(&f->ebx, reply[0]);
		bios_set_high(&f->ebx, reply[1]);
	} else if (status == MOUSE_OK && command == MOUSE_ID) {
		bios_set_high(&f->ebx, reply[0]);
	} else if (status == MOUSE_OK) {
		bios_set_low(&f->ebx, reply[0]);
		bios_set_low(&f->ecx, reply[1]);
		bios_set_low(&f->edx, reply[2]);
	}
	return bios_return(f, status);
}

/* AL=06h */
static unsigned bios_mouse_extended(struct bios *b, struct bios_frame *f)
{
	switch (bios_high(f->ebx)) {
	case 0:
		return bios_mouse_ask(b, f, MOUSE_STATUS, 3);
	case 1:
		return bios_mouse_tell(b, f, MOUSE_SCALING_1, -1);
	case 2:
		return bios_mouse_tell(b, f, MOUSE_SCALING_2, -1);
	default:
		return bios_return(f, MOUSE_BAD_INPUT);
	}
}

/* AL=07h: ES:BX, 0:0 for none */
static unsigned bios_mouse_set_handler(struct bios *b, struct bios_frame *f)
{
	uint32_t handler = bios_far(f->es, bios_word(f->ebx));
	bios_poke32(b, EBDA(EBDA_MOUSE_CALL), handler);
	uint16_t kept = bios_peek16(b, EBDA(EBDA_MOUSE_FLAGS)) & FLAGS_ON;
	bios_poke16(b, EBDA(EBDA_MOUSE_FLAGS), kept | (handler ? FLAGS_HANDLER : 0));
	return bios_return(f, MOUSE_OK);
}

unsigned bios_mouse(struct bios *b, struct bios_frame *f)
{
	switch (bios_low(f->eax)) {
	case 0x00:
		return bios_mouse_enable(b, f);
	case 0x01:
		return bios_mouse_ask(b, f, MOUSE_RESET, 2);
	case 0x02:
		return bios_mouse_rate(b, f);
	case 0x03:
		if (bios_high(f->ebx) > 3)
			return bios_return(f, MOUSE_BAD_INPUT);
		return bios_mouse_tell(b, f, MOUSE_RESOLUTION, bios_high(f->ebx));
	case 0x04:
		return bios_mouse_ask(b, f, MOUSE_ID, 1);
	case 0x05:
		if (bios_high(f->ebx) != PACKET_BYTES)
			return bios_return(f, MOUSE_BAD_INPUT);
		return bios_mouse_tell(b, f, MOUSE_DEFAULTS, -1);
	case 0x06:
		return bios_mouse_extended(b, f);
	case 0x07:
		return bios_mouse_set_handler(b, f);
	default:
		return bios_return(f, MOUSE_BAD_FUNCTION);
	}
}

unsigned bios_mouse_irq(struct bios *b, struct bios_frame *f)
{
	(void)f;
	uint8_t status = bios_in8(b, I8042_COMMAND);
	uint16_t flags = bios_peek16(b, EBDA(EBDA_MOUSE_FLAGS));
	unsigned gathered = flags & FLAGS_GATHERED;

	if ((status & (STATUS_FULL | STATUS_MOUSE)) != (STATUS_FULL | STATUS_MOUSE))
		return BIOS_DONE;
	uint8_t byte = bios_in8(b, I8042_DATA);
	if (gathered >= PACKET_BYTES || (gathered == 0 && !(byte & PACKET_FIRST)))
		gathered = 0;
	else /* status, X, Y: the last word first, as they are pushed */
		bios_poke16(b, EBDA(EBDA_MOUSE_PACKET + 6 - gathered++ * 2), byte);
	bool is_whole = gathered == PACKET_BYTES;
	bios_poke16(b, EBDA(EBDA_MOUSE_FLAGS),
		    (uint16_t)((flags & ~FLAGS_GATHERED) | (is_whole ? 0 : gathered)));
	if (!is_whole || !(flags & FLAGS_HANDLER))
		return BIOS_DONE;
	bios_poke16(b, EBDA(EBDA_MOUSE_PACKET), 0);
	return BIOS_MOUSE;
}
