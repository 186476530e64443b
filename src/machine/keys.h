/* Keys on their way to the guest's keyboard: none is lost while the guest looks elsewhere. */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tinyvm/device.h>

#define KEYS_MAX 4096

/**
 * struct keys_sink - the guest's keyboard
 * @is_read:  has the guest read all that the keyboard has sent, and does it listen?
 * @has_room: is there room in the ring where the BIOS keeps what was read until somebody asks?
 * @key:      a key goes down or up. Return: false when the keyboard cannot take it now
 */
struct keys_sink {
	bool (*is_read)(void *ctx);
	bool (*has_room)(void *ctx);
	bool (*key)(void *ctx, uint16_t code, bool is_down);
	void *ctx;
};

/**
 * struct keys - the queue; all on the event loop's thread
 * @key:     code, or with KEYS_UP
 * @first, @count: a ring in @key
 * @down_ns: when the last key went down
 * @full_ns: since when the BIOS's ring has been full, 0 for not
 * @is_ring_idle: it has been full for so long that nobody uses it: another system has the keyboard
 */
struct keys {
	struct keys_sink sink;
	struct clock clock;
	struct timer timer;
	uint32_t key[KEYS_MAX];
	size_t first, count;
	uint64_t down_ns, full_ns;
	bool is_ring_idle;
};

/* @timer: calls keys_expired() */
void keys_init(struct keys *keys, struct clock clock, struct timer timer);

/*
 * Where keys go from now on: a zeroed @sink for nowhere, while there is no machine. Keys that wait
 * stay.
 */
void keys_plug(struct keys *keys, struct keys_sink sink);

/* How many keys keys_put() would take. */
size_t keys_room(const struct keys *keys);

/* Without room the key is lost. */
void keys_put(struct keys *keys, uint16_t code, bool is_down);

/* Has the guest got everything? */
bool keys_is_done(const struct keys *keys);

void keys_expired(void *keys);

#endif
