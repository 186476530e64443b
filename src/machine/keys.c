/*
 * One key at a time: the next goes when the guest has read the one before, and when the BIOS, if it
 * is what reads, has a place for it. A key that somebody types alone stays down for a while, as
 * under a finger, for programs that look at keys now and then instead of waiting for them.
 */
#include "keys.h"

#define MS	  1000000ULL
#define LOOK_NS	  (1 * MS)
#define HOLD_NS	  (50 * MS)
#define NOBODY_NS (20000 * MS)

#define KEYS_UP (1u << 16)

void keys_init(struct keys *keys, struct clock clock, struct timer timer)
{
	*keys = (struct keys){.clock = clock, .timer = timer};
}

static uint64_t keys_now(const struct keys *keys)
{
	return keys->clock.monotonic_ns(keys->clock.ctx);
}

/* A key that lets go of another, with nothing that hurries it along. */
static bool keys_is_held(const struct keys *keys, uint64_t now_ns)
{
	for (size_t i = 0; i < keys->count; i++)
		if (!(keys->key[(keys->first + i) % KEYS_MAX] & KEYS_UP))
			return false;
	return now_ns < keys->down_ns + HOLD_NS;
}

/* Has the BIOS a place, where it is the BIOS that reads? */
static bool keys_has_place(struct keys *keys, uint64_t now_ns)
{
	if (keys->sink.has_room(keys->sink.ctx)) {
		keys->full_ns = 0;
		keys->is_ring_idle = false;
		return true;
	}
	if (!keys->full_ns)
		keys->full_ns = now_ns;
	if (now_ns - keys->full_ns >= NOBODY_NS)
		keys->is_ring_idle = true;
	return keys->is_ring_idle;
}

/* Return: whether the first key has gone. */
static bool keys_deliver(struct keys *keys, uint64_t now_ns)
{
	const struct keys_sink *sink = &keys->sink;
	uint32_t key = keys->key[keys->first];
	bool is_down = !(key & KEYS_UP);

	if (!sink->key || !sink->is_read(sink->ctx) || (!is_down && keys_is_held(keys, now_ns)) ||
	    (is_down && !keys_has_place(keys, now_ns)) ||
	    !sink->key(sink->ctx, (uint16_t)key, is_down))
		return false;
	if (is_down)
		keys->down_ns = now_ns;
	keys->first = (keys->first + 1) % KEYS_MAX;
	keys->count--;
	return true;
}

void keys_expired(void *ctx)
{
	struct keys *keys = ctx;
	uint64_t now_ns = keys_now(keys);

	while (keys->count && keys_deliver(keys, now_ns))
		;
	if (keys->count && keys->sink.key)
		timer_arm(&keys->timer, now_ns + LOOK_NS);
}

void keys_plug(struct keys *keys, struct keys_sink sink)
{
	keys->sink = sink;
	keys->full_ns = 0;
	keys->is_ring_idle = false;
	if (keys->count && sink.key)
		timer_arm(&keys->timer, keys_now(keys));
}

size_t keys_room(const struct keys *keys)
{
	return KEYS_MAX - keys->count;
}

void keys_put(struct keys *keys, uint16_t code, bool is_down)
{
	if (keys->count == KEYS_MAX)
		return;
	keys->key[(keys->first + keys->count++) % KEYS_MAX] = code | (is_down ? 0 : KEYS_UP);
	/* At once, but not here: who puts several at a time is not to wait for the guest. */
	timer_arm(&keys->timer, keys_now(keys));
}

bool keys_is_done(const struct keys *keys)
{
	return keys->count == 0 && (!keys->sink.key || keys->sink.is_read(keys->sink.ctx));
}
