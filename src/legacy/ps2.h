/* The two devices behind the i8042: what it sends them and takes from them, a byte at a time. */
#ifndef PS2_H
#define PS2_H

#include <stdbool.h>
#include <stdint.h>

struct state;

/* Bytes on their way to the controller. */
#define PS2_QUEUE_MAX 16
struct ps2_queue {
	uint8_t len;
	uint8_t byte[PS2_QUEUE_MAX];
};

/* A byte that does not fit is dropped: who must not lose it looks for room first. */
void ps2_queue_push(struct ps2_queue *q, uint8_t byte);
/* 0 from an empty one. */
uint8_t ps2_queue_pop(struct ps2_queue *q);
static inline unsigned ps2_queue_room(const struct ps2_queue *q)
{
	return PS2_QUEUE_MAX - q->len;
}
void ps2_queue_state(struct ps2_queue *q, struct state *st, const char *tag);

/**
 * struct ps2_keyboard - a 101-key keyboard
 * @replies: to commands; they go before keys
 * @keys:    whole sequences, in scan code set @set
 * @pending: command whose argument is still to come, 0 for none
 * @last:    byte sent, for "resend"
 * @set:     1 or 2
 * @leds, @rate: as set by the guest
 */
struct ps2_keyboard {
	struct ps2_queue replies, keys;
	uint8_t pending;
	uint8_t last;
	uint8_t set;
	uint8_t leds;
	uint8_t rate;
	bool is_scanning;
};

void ps2_keyboard_reset(struct ps2_keyboard *kb);
void ps2_keyboard_write(struct ps2_keyboard *kb, uint8_t byte);
bool ps2_keyboard_has_byte(const struct ps2_keyboard *kb);
uint8_t ps2_keyboard_read(struct ps2_keyboard *kb);
void ps2_keyboard_state(struct ps2_keyboard *kb, struct state *st);

/* As i8042_key(). */
bool ps2_keyboard_key(struct ps2_keyboard *kb, uint16_t code, bool is_down);

/* What the controller makes of a byte of set 2 that follows no 0xf0: that of set 1. */
uint8_t ps2_translate(uint8_t byte);

/**
 * struct ps2_mouse - a mouse with three buttons and, for who knows the knock, a wheel
 * @replies: to commands; they go before packets
 * @packets: reports
 * @pending, @last: as the keyboard's
 * @knock:   the last three sample rates set, newest in the low byte
 * @rate:    reports a second
 * @resolution: 0-3
 * @dx, @dy, @dz: motion not reported yet
 * @buttons, @reported: bit 0 left, 1 right, 2 middle: now, and in the last packet
 * @is_wheel: packets have a fourth byte
 * @is_double: scaling 2:1
 */
struct ps2_mouse {
	struct ps2_queue replies, packets;
	uint8_t pending;
	uint8_t last;
	uint32_t knock;
	uint8_t rate;
	uint8_t resolution;
	int32_t dx, dy, dz;
	uint8_t buttons, reported;
	bool is_wheel;
	bool is_remote;
	bool is_wrapping;
	bool is_reporting;
	bool is_double;
};

void ps2_mouse_reset(struct ps2_mouse *m);
void ps2_mouse_write(struct ps2_mouse *m, uint8_t byte);
bool ps2_mouse_has_byte(const struct ps2_mouse *m);
uint8_t ps2_mouse_read(struct ps2_mouse *m);
void ps2_mouse_move(struct ps2_mouse *m, int dx, int dy, int dz, unsigned buttons);
void ps2_mouse_state(struct ps2_mouse *m, struct state *st);

#endif
