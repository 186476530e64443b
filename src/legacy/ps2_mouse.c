/*
 * PS/2 mouse (IBM Personal System/2 Hardware Interface Technical Reference, 1988: Mouse), and the
 * wheel of Microsoft's IntelliMouse, which shows after sample rates of 200, 100 and 80 were set.
 *
 * Motion is summed up while a report waits to be read, so that a slow reader gets fewer and larger
 * reports; a report that a button changed is queued behind others, so that no click is lost. What
 * does not fit into one report is left for the next.
 *
 * Left out: the sample rate as a limit (reports go as the guest reads them, and the host does not
 * move its mouse a thousand times a second), the resolution's effect on counts, two more buttons.
 */
#include "ps2.h"

#include <tinyvm/state.h>

enum {
	CMD_SCALE_1 = 0xe6,
	CMD_SCALE_2 = 0xe7,
	CMD_RESOLUTION = 0xe8,
	CMD_STATUS = 0xe9,
	CMD_STREAM = 0xea,
	CMD_READ = 0xeb,
	CMD_UNWRAP = 0xec,
	CMD_WRAP = 0xee,
	CMD_REMOTE = 0xf0,
	CMD_ID = 0xf2,
	CMD_RATE = 0xf3,
	CMD_ENABLE = 0xf4,
	CMD_DISABLE = 0xf5,
	CMD_DEFAULTS = 0xf6,
	CMD_RESEND = 0xfe,
	CMD_RESET = 0xff,
};

#define ACK	     0xfa
#define RESEND	     0xfe
#define SELF_TEST_OK 0xaa
#define ID_STANDARD  0x00
#define ID_WHEEL     0x03

#define KNOCK_WHEEL	0xc86450 /* 200, 100, 80 */
#define DEFAULT_RATE	100
#define RESOLUTION_4_MM 2
#define RESOLUTION_MAX	3

/* First byte of a packet; its low three bits are the buttons. */
#define PACKET_ALWAYS 0x08
#define PACKET_X_SIGN 0x10
#define PACKET_Y_SIGN 0x20
#define PACKET_MAX    4
#define BUTTONS	      0x07

#define STATUS_DOUBLE	 0x10
#define STATUS_REPORTING 0x20
#define STATUS_REMOTE	 0x40

/* Far beyond a report's 255, and no sum of two overflows. */
#define MOTION_MAX 0x10000

static int32_t clamp(int64_t value, int32_t min, int32_t max)
{
	return value < min ? min : value > max ? max : (int32_t)value;
}

static void ps2_mouse_reply(struct ps2_mouse *m, uint8_t byte)
{
	ps2_queue_push(&m->replies, byte);
}

/* 2:1 scaling: slow motion stays slow. */
static int32_t ps2_mouse_scale(int32_t count)
{
	static const uint8_t slow[6] = {0, 1, 1, 3, 6, 9};
	int32_t size = count < 0 ? -count : count;
	size = size < 6 ? slow[size] : size * 2;
	return count < 0 ? -size : size;
}

static void ps2_mouse_put_packet(struct ps2_mouse *m, struct ps2_queue *q, bool is_scaled)
{
	int32_t max = is_scaled ? 127 : 255;
	int32_t dx = clamp(m->dx, -max, max);
	int32_t dy = clamp(m->dy, -max, max);
	int32_t dz = clamp(m->dz, -8, 7);
	m->dx -= dx;
	m->dy -= dy;
	m->dz -= dz;
	m->reported = m->buttons;
	if (is_scaled) {
		dx = ps2_mouse_scale(dx);
		dy = ps2_mouse_scale(dy);
	}
	ps2_queue_push(q, PACKET_ALWAYS | m->buttons | (dx < 0 ? PACKET_X_SIGN : 0) |
				  (dy < 0 ? PACKET_Y_SIGN : 0));
	ps2_queue_push(q, (uint8_t)dx);
	ps2_queue_push(q, (uint8_t)dy);
	if (m->is_wheel)
		ps2_queue_push(q, (uint8_t)dz);
}

/* Reports by itself what there is to report, if it is to. */
static void ps2_mouse_stream(struct ps2_mouse *m)
{
	bool is_clicked = m->buttons != m->reported;
	bool is_moved = m->dx || m->dy || (m->is_wheel && m->dz);
	if (!m->is_reporting || m->is_remote || m->is_wrapping)
		return;
	if ((is_clicked && ps2_queue_room(&m->packets) >= PACKET_MAX) ||
	    (is_moved && !m->packets.len))
		ps2_mouse_put_packet(m, &m->packets, m->is_double);
}

static void ps2_mouse_forget_motion(struct ps2_mouse *m)
{
	m->packets.len = 0;
	m->dx = m->dy = m->dz = 0;
}

void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz, unsigned buttons)
{
	m->buttons = buttons & BUTTONS;
	if (!m->is_reporting && !m->is_remote) {
		m->reported = m->buttons;
		return;
	}
	m->dx = clamp((int64_t)m->dx + dx, -MOTION_MAX, MOTION_MAX);
	m->dy = clamp((int64_t)m->dy + dy, -MOTION_MAX, MOTION_MAX);
	if (m->is_wheel)
		m->dz = clamp((int64_t)m->dz + dz, -MOTION_MAX, MOTION_MAX);
	ps2_mouse_stream(m);
}

bool ps2_mouse_has_byte(const struct ps2_mouse *m)
{
	return m->replies.len || m->packets.len;
}

uint8_t ps2_mouse_read(struct ps2_mouse *m)
{
	m->last = ps2_queue_pop(m->replies.len ? &m->replies : &m->packets);
	ps2_mouse_stream(m);
	return m->last;
}

static void ps2_mouse_defaults(struct ps2_mouse *m)
{
	ps2_mouse_forget_motion(m);
	m->rate = DEFAULT_RATE;
	m->resolution = RESOLUTION_4_MM;
	m->is_reporting = m->is_remote = m->is_double = false;
}

void ps2_mouse_reset(struct ps2_mouse *m)
{
	/* The buttons are the hand's. */
	*m = (struct ps2_mouse){.buttons = m->buttons, .reported = m->buttons};
	ps2_mouse_defaults(m);
}

static void ps2_mouse_reply_status(struct ps2_mouse *m)
{
	static const uint8_t order[8] = {0, 4, 1, 5, 2, 6, 3, 7}; /* left 4, middle 2, right 1 */
	ps2_mouse_reply(m, order[m->buttons] | (m->is_double ? STATUS_DOUBLE : 0) |
				   (m->is_reporting ? STATUS_REPORTING : 0) |
				   (m->is_remote ? STATUS_REMOTE : 0));
	ps2_mouse_reply(m, m->resolution);
	ps2_mouse_reply(m, m->rate);
}

/* Return: whether @byte is an argument that @command takes. */
static bool ps2_mouse_argument(struct ps2_mouse *m, uint8_t command, uint8_t byte)
{
	if (command == CMD_RATE) {
		m->rate = byte;
		m->knock = (m->knock << 8 | byte) & 0xffffff;
		if (m->knock == KNOCK_WHEEL)
			m->is_wheel = true;
	} else {
		if (byte > RESOLUTION_MAX)
			return false;
		m->resolution = byte;
	}
	ps2_mouse_reply(m, ACK);
	return true;
}

/* What commands change that do nothing but that. Return: whether there is such a command. */
static bool ps2_mouse_switch(struct ps2_mouse *m, uint8_t command)
{
	switch (command) {
	case CMD_SCALE_1:
	case CMD_SCALE_2:
		m->is_double = command == CMD_SCALE_2;
		return true;
	case CMD_RESOLUTION:
	case CMD_RATE:
		m->pending = command;
		return true;
	case CMD_STREAM:
	case CMD_REMOTE:
		m->is_remote = command == CMD_REMOTE;
		ps2_mouse_forget_motion(m);
		return true;
	case CMD_WRAP:
	case CMD_UNWRAP:
		m->is_wrapping = command == CMD_WRAP;
		return true;
	case CMD_ENABLE:
	case CMD_DISABLE:
		m->is_reporting = command == CMD_ENABLE;
		ps2_mouse_forget_motion(m);
		return true;
	case CMD_DEFAULTS:
		ps2_mouse_defaults(m);
		return true;
	default:
		return false;
	}
}

static void ps2_mouse_command(struct ps2_mouse *m, uint8_t command)
{
	switch (command) {
	case CMD_STATUS:
		ps2_mouse_reply(m, ACK);
		ps2_mouse_reply_status(m);
		break;
	case CMD_READ:
		ps2_mouse_reply(m, ACK);
		ps2_mouse_put_packet(m, &m->replies, false);
		break;
	case CMD_ID:
		ps2_mouse_reply(m, ACK);
		ps2_mouse_reply(m, m->is_wheel ? ID_WHEEL : ID_STANDARD);
		break;
	case CMD_RESEND:
		ps2_mouse_reply(m, m->last);
		break;
	case CMD_RESET:
		ps2_mouse_reset(m);
		ps2_mouse_reply(m, ACK);
		ps2_mouse_reply(m, SELF_TEST_OK);
		ps2_mouse_reply(m, ID_STANDARD);
		break;
	default:
		ps2_mouse_reply(m, ps2_mouse_switch(m, command) ? ACK : RESEND);
		break;
	}
}

void ps2_mouse_write(struct ps2_mouse *m, uint8_t byte)
{
	uint8_t command = m->pending;
	m->pending = 0;
	/* What was not yet said is never said; a report is made anew. */
	m->replies.len = m->packets.len = 0;
	if (m->is_wrapping && byte != CMD_UNWRAP && byte != CMD_RESET)
		ps2_mouse_reply(m, byte);
	else if (!command || byte >= CMD_SCALE_1) /* a command takes an argument's place */
		ps2_mouse_command(m, byte);
	else if (!ps2_mouse_argument(m, command, byte))
		ps2_mouse_reply(m, RESEND);
}

void ps2_mouse_state(struct ps2_mouse *m, struct state *st)
{
	uint32_t motion[3] = {(uint32_t)m->dx, (uint32_t)m->dy, (uint32_t)m->dz};
	ps2_queue_state(&m->replies, st, "MOUSE REPLIES");
	ps2_queue_state(&m->packets, st, "MOUSE PACKETS");
	state_u8(st, "MOUSE COMMAND", &m->pending);
	state_u8(st, "MOUSE LAST BYTE", &m->last);
	state_u32(st, "MOUSE RATES", &m->knock);
	state_u8(st, "MOUSE RATE", &m->rate);
	state_u8(st, "MOUSE RESOLUTION", &m->resolution);
	state_u32(st, "MOUSE X", &motion[0]);
	state_u32(st, "MOUSE Y", &motion[1]);
	state_u32(st, "MOUSE Z", &motion[2]);
	state_u8(st, "MOUSE BUTTONS", &m->buttons);
	state_u8(st, "MOUSE REPORTED", &m->reported);
	state_bool(st, "MOUSE WHEEL", &m->is_wheel);
	state_bool(st, "MOUSE REMOTE", &m->is_remote);
	state_bool(st, "MOUSE WRAP", &m->is_wrapping);
	state_bool(st, "MOUSE REPORTING", &m->is_reporting);
	state_bool(st, "MOUSE SCALING", &m->is_double);
	if (!state_is_loading(st))
		return;
	m->dx = clamp((int32_t)motion[0], -MOTION_MAX, MOTION_MAX);
	m->dy = clamp((int32_t)motion[1], -MOTION_MAX, MOTION_MAX);
	m->dz = clamp((int32_t)motion[2], -MOTION_MAX, MOTION_MAX);
	m->buttons &= BUTTONS;
	m->reported &= BUTTONS;
	if (m->resolution > RESOLUTION_MAX)
		m->resolution = RESOLUTION_MAX;
}
