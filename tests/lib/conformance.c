/* The suite over the device contract of include/tinyvm/device.h and state.h. */
#include "conformance.h"

#include "reseal.h"
#include "shortage.h"
#include "test.h"
#include <tinyvm/device.h>
#include <tinyvm/state.h>

/* Of a longer state not every byte is damaged, but as many, evenly spread. */
#define DAMAGES_MAX 2048

struct saved {
	uint8_t *buf;
	size_t len;
};

static struct saved save(struct device *dev)
{
	struct saved s = {0};
	struct state *st;
	if (state_create_save(&st) != 0)
		return s;
	device_state(dev, st);
	const void *data = state_data(st, &s.len);
	if (state_error(st) == 0) {
		s.buf = malloc(s.len ? s.len : 1);
		if (s.buf)
			memcpy(s.buf, data, s.len);
	}
	state_destroy(st);
	return s;
}

/* Loads from a copy of the exact size, so that ASan sees a read past the end. */
static int load(struct device *dev, const uint8_t *buf, size_t len)
{
	struct state *st;
	uint8_t *copy = malloc(len ? len : 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, buf, len);
	int rc = state_create_load(&st, copy, len);
	if (rc == 0) {
		device_state(dev, st);
		rc = state_error(st);
		state_destroy(st);
	}
	free(copy);
	return rc;
}

static bool is_same(const struct saved *a, const struct saved *b)
{
	return a->buf && b->buf && a->len == b->len && memcmp(a->buf, b->buf, a->len) == 0;
}

static bool saves_as(struct device *dev, const struct saved *want)
{
	struct saved s = save(dev);
	bool same = is_same(&s, want);
	free(s.buf);
	return same;
}

/* One suite's devices: all are destroyed however it ends. */
struct bench {
	const struct conformance *c;
	struct device *fresh, *source, *twin, *victim;
	struct saved fresh_state, state;
};

/* Whatever allocation fails, creation says so, and (the sanitizer sees to that) leaks nothing. */
static void check_shortage(const struct conformance *c)
{
	bool has_failed = true;
	for (unsigned n = 1; has_failed; n++) {
		shortage_begin(n);
		struct device *dev = c->create(c->ctx);
		has_failed = shortage_end();
		bool is_created = dev != NULL;
		device_destroy(dev);
		CHECK_EQ(is_created, !has_failed);
	}
}

static void check_round_trip(struct bench *b)
{
	b->fresh = b->c->create(b->c->ctx);
	b->source = b->c->create(b->c->ctx);
	b->twin = b->c->create(b->c->ctx);
	CHECK(b->fresh && b->source && b->twin);

	b->fresh_state = save(b->fresh);
	CHECK(b->fresh_state.buf != NULL);
	CHECK(saves_as(b->source, &b->fresh_state)); /* creation is deterministic */

	if (b->c->scramble)
		b->c->scramble(b->source, b->c->ctx);
	device_quiesce(b->source);
	b->state = save(b->source);
	CHECK(b->state.buf != NULL);
	CHECK(saves_as(b->source, &b->state)); /* saving changes nothing */
	if (b->c->scramble)
		CHECK(!is_same(&b->state, &b->fresh_state)); /* else the suite would test nothing */

	device_quiesce(b->twin);
	CHECK_EQ(load(b->twin, b->state.buf, b->state.len), 0);
	CHECK(saves_as(b->twin, &b->state));

	/* Nothing of what was there before survives a load. */
	CHECK_EQ(load(b->twin, b->fresh_state.buf, b->fresh_state.len), 0);
	CHECK(saves_as(b->twin, &b->fresh_state));
	CHECK_EQ(load(b->twin, b->state.buf, b->state.len), 0);
	CHECK(saves_as(b->twin, &b->state));
	device_resume(b->twin);
	device_resume(b->source);

	device_reset(b->twin);
	CHECK(saves_as(b->twin, &b->fresh_state));
	device_reset(b->source);
	CHECK(saves_as(b->source, &b->fresh_state));
	device_reset(b->fresh);
	CHECK(saves_as(b->fresh, &b->fresh_state));
}

static void check_truncation(struct bench *b)
{
	b->victim = b->c->create(b->c->ctx);
	CHECK(b->victim != NULL);
	for (size_t len = 0; len < b->state.len; len++)
		CHECK(load(b->victim, b->state.buf, len) != 0);
	device_reset(b->victim);
	CHECK(saves_as(b->victim, &b->fresh_state));
}

/* What a device did wrong with a damaged stream whose checksums are right; NULL: it survived. */
static const char *ordeal(struct bench *b, const uint8_t *buf, size_t len)
{
	device_quiesce(b->victim);
	int rc = load(b->victim, buf, len);
	struct saved s = save(b->victim);
	if (!s.buf)
		return "a device cannot be saved after a damaged load";
	if (rc == 0) /* what was taken is a state like any other */
		rc = load(b->twin, s.buf, s.len);
	else
		rc = 0;
	free(s.buf);
	if (rc)
		return "a device took a damaged stream but not what it saved after it";
	device_resume(b->victim);
	if (b->c->scramble)
		b->c->scramble(b->victim, b->c->ctx);
	device_reset(b->victim);
	return saves_as(b->victim, &b->fresh_state) ? NULL : "reset does not undo a damaged load";
}

static const char *check_flip(struct bench *b, uint8_t *buf)
{
	size_t len = b->state.len;
	if (load(b->victim, buf, len) == 0)
		return "a damaged stream was taken";
	reseal(buf, len);
	return ordeal(b, buf, len);
}

static void check_damage(struct bench *b)
{
	static const uint8_t flips[] = {0x01, 0x40, 0xff};
	size_t step = 1 + b->state.len / DAMAGES_MAX;
	const char *wrong = NULL;
	uint8_t *buf = malloc(b->state.len);
	CHECK(buf != NULL);
	device_quiesce(b->twin);
	for (size_t i = 0; !wrong && i < b->state.len; i += step) {
		for (unsigned f = 0; !wrong && f < sizeof(flips); f++) {
			memcpy(buf, b->state.buf, b->state.len);
			buf[i] ^= flips[f];
			wrong = check_flip(b, buf);
			if (wrong)
				test_failed(__FILE__, __LINE__, "byte %zu changed by %#x: %s", i,
					    flips[f], wrong);
		}
	}
	free(buf);
	device_resume(b->twin);
}

void conformance_check(const struct conformance *c)
{
	struct bench b = {.c = c};
	check_shortage(c);
	check_round_trip(&b);
	if (b.fresh_state.buf && b.state.buf) {
		check_truncation(&b);
		if (b.victim)
			check_damage(&b);
	}
	device_destroy(b.fresh);
	device_destroy(b.source);
	device_destroy(b.twin);
	device_destroy(b.victim);
	free(b.fresh_state.buf);
	free(b.state.buf);
}
