#include "regfuzz.h"

#include "device_bytes.h"
#include "reseal.h"
#include <stdlib.h>
#include <string.h>
#include <tinyvm/state.h>

enum step {
	STEP_READ,
	STEP_READ_AGAIN,
	STEP_WRITE,
	STEP_WRITE_AGAIN,
	STEP_WORLD,
	STEP_RESET,
	STEP_ROUND_TRIP,
	STEP_DAMAGED_LOAD,
};

/* A script: of a large chip, each takes as long as a hundred accesses. */
#define SAVES_MAX  2
#define RESETS_MAX 2

struct script {
	const uint8_t *at;
	size_t left;
	unsigned saves, resets;
};

static uint8_t script_byte(struct script *s)
{
	if (!s->left)
		return 0;
	s->left--;
	return *s->at++;
}

static struct state *regfuzz_save(struct device *dev)
{
	struct state *st;
	if (state_create_save(&st) != 0)
		abort();
	device_state(dev, st);
	if (state_error(st) != 0)
		abort();
	return st;
}

/* What a chip saves its twin takes, and saves the same. */
static void regfuzz_round_trip(const struct regfuzz *f)
{
	size_t len, twin_len;
	struct state *st = regfuzz_save(f->dev);
	const void *data = state_data(st, &len);
	if (device_bytes_load(f->twin, data, len) != 0)
		abort();
	struct state *twin_st = regfuzz_save(f->twin);
	const void *twin_data = state_data(twin_st, &twin_len);
	if (len != twin_len || memcmp(data, twin_data, len) != 0)
		abort();
	state_destroy(st);
	state_destroy(twin_st);
}

/* The chip's own state with a few bytes changed, its checksum made right. */
static void regfuzz_damaged_load(const struct regfuzz *f, struct script *s)
{
	size_t len;
	struct state *st = regfuzz_save(f->dev);
	const void *data = state_data(st, &len);
	uint8_t *copy = malloc(len);
	if (!copy)
		abort();
	memcpy(copy, data, len);
	state_destroy(st);
	for (unsigned n = script_byte(s) & 3; n < 4; n++)
		copy[(size_t)(script_byte(s) | script_byte(s) << 8) % len] = script_byte(s);
	reseal(copy, len);
	if (device_bytes_load(f->dev, copy, len) == 0)
		device_resume(f->dev);
	free(copy);
}

static void regfuzz_access(const struct regfuzz *f, uint8_t command, struct script *s,
			   bool is_write)
{
	unsigned windows = 1;
	while (windows < REGFUZZ_WINDOWS && f->ops[windows])
		windows++;
	unsigned w = (command >> 3 & 3) % windows;
	unsigned size = 1u << (command >> 5 & 3);
	uint64_t off = script_byte(s) % f->size[w];
	uint8_t data[8] = {0};
	if (off + size > f->size[w])
		size = 1;

	device_lock(f->dev);
	if (is_write) {
		for (unsigned i = 0; i < size; i++)
			data[i] = script_byte(s);
		bus_ops_write(f->ops[w], f->dev, off, data, size);
	} else {
		bus_ops_read(f->ops[w], f->dev, off, data, size);
	}
	device_unlock(f->dev);
}

void regfuzz_run(const struct regfuzz *f, const uint8_t *script, size_t len)
{
	struct script s = {.at = script,
			   .left = len,
			   .saves = f->is_quick ? SAVES_MAX : 0,
			   .resets = f->is_quick ? RESETS_MAX : 0};
	while (s.left) {
		uint8_t command = script_byte(&s);
		switch ((enum step)(command & 7)) {
		case STEP_READ:
		case STEP_READ_AGAIN:
			regfuzz_access(f, command, &s, false);
			break;
		case STEP_WRITE:
		case STEP_WRITE_AGAIN:
			regfuzz_access(f, command, &s, true);
			break;
		case STEP_WORLD:
			if (f->world)
				f->world(f->ctx, script_byte(&s));
			break;
		case STEP_RESET:
			if (s.resets++ < RESETS_MAX)
				device_reset(f->dev);
			break;
		case STEP_ROUND_TRIP:
			if (s.saves++ < SAVES_MAX)
				regfuzz_round_trip(f);
			break;
		case STEP_DAMAGED_LOAD:
			if (s.saves++ < SAVES_MAX)
				regfuzz_damaged_load(f, &s);
			break;
		}
	}
}
