/* The state stream: what goes in comes out, and nothing else gets in. */
#include "test.h"

#include <tinyvm/state.h>

struct sample {
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t d;
	bool e;
	uint8_t f[5];
	uint8_t g[16];
	size_t g_len;
};

static void sample_state(struct sample *s, struct state *st)
{
	state_begin(st, "sample", "s0", 3);
	state_u8(st, "A", &s->a);
	state_u16(st, "B", &s->b);
	state_u32(st, "C", &s->c);
	state_u64(st, "D", &s->d);
	state_bool(st, "E", &s->e);
	state_bytes(st, "F", s->f, sizeof(s->f));
	state_blob(st, "G", s->g, &s->g_len, sizeof(s->g));
	state_end(st);
}

static const struct sample full = {.a = 1,
				   .b = 0x203,
				   .c = 0x4050607,
				   .d = 0x8090a0b0c0d0e0fULL,
				   .e = true,
				   .f = {1, 2, 3, 4, 5},
				   .g = {9, 8, 7},
				   .g_len = 3};

/* Saves @s; the caller frees the copy. */
static uint8_t *sample_save(const struct sample *s, size_t *ret_len)
{
	struct sample copy = *s;
	struct state *st;
	if (state_create_save(&st) != 0)
		abort();
	sample_state(&copy, st);
	const void *data = state_data(st, ret_len);
	uint8_t *out = malloc(*ret_len);
	memcpy(out, data, *ret_len);
	state_destroy(st);
	return out;
}

static int sample_load(struct sample *s, const void *buf, size_t len)
{
	struct state *st;
	if (state_create_load(&st, buf, len) != 0)
		abort();
	sample_state(s, st);
	int error = state_error(st);
	if (error && strcmp(state_error_text(st), "no error") == 0)
		abort();
	state_destroy(st);
	return error;
}

static void test_state_roundtrip(void)
{
	size_t len;
	uint8_t *buf = sample_save(&full, &len);
	struct sample twin = {0};
	CHECK_EQ(sample_load(&twin, buf, len), 0);
	CHECK(twin.a == full.a && twin.b == full.b && twin.c == full.c && twin.d == full.d);
	CHECK(twin.e && memcmp(twin.f, full.f, 5) == 0);
	CHECK(twin.g_len == 3 && memcmp(twin.g, full.g, 3) == 0);
	free(buf);
}

static void test_state_truncated_anywhere_is_refused(void)
{
	size_t len;
	uint8_t *buf = sample_save(&full, &len);
	for (size_t n = 0; n < len; n++) {
		struct sample twin = {0};
		uint8_t *cut = malloc(n ? n : 1);
		memcpy(cut, buf, n);
		CHECK_EQ(sample_load(&twin, cut, n), (uint64_t)-EBADMSG);
		free(cut);
	}
	free(buf);
}

static void test_state_any_flipped_bit_is_refused(void)
{
	size_t len;
	uint8_t *buf = sample_save(&full, &len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		struct sample twin = {0};
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK(sample_load(&twin, buf, len) != 0);
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(buf);
}

static void test_state_refuses_a_newer_version(void)
{
	struct state *st, *ld;
	size_t len;
	CHECK_EQ(state_create_save(&st), 0);
	state_begin(st, "sample", "s0", 4);
	state_end(st);
	const void *data = state_data(st, &len);
	CHECK_EQ(state_create_load(&ld, data, len), 0);
	state_begin(ld, "sample", "s0", 3);
	CHECK_EQ(state_error(ld), (uint64_t)-ENOTSUP);
	state_destroy(ld);
	state_destroy(st);
}

static void test_state_first_failure_sticks_and_keeps_values(void)
{
	struct state *st;
	uint8_t v = 7;
	CHECK_EQ(state_create_load(&st, "", 0), 0);
	state_fail(st, "no such mode");
	state_u8(st, "A", &v);
	CHECK_EQ(v, 7);
	CHECK_EQ(state_error(st), (uint64_t)-EINVAL);
	CHECK_STR(state_error_text(st), "no such mode");
	state_destroy(st);
}

static void test_state_refuses_another_device(void)
{
	struct state *st;
	size_t len;
	uint8_t *buf = sample_save(&full, &len);
	CHECK_EQ(state_create_load(&st, buf, len), 0);
	state_begin(st, "sample", "s1", 3);
	CHECK_EQ(state_error(st), (uint64_t)-EBADMSG);
	state_destroy(st);
	free(buf);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_state_roundtrip),
		TEST_CASE(test_state_truncated_anywhere_is_refused),
		TEST_CASE(test_state_any_flipped_bit_is_refused),
		TEST_CASE(test_state_refuses_a_newer_version),
		TEST_CASE(test_state_first_failure_sticks_and_keeps_values),
		TEST_CASE(test_state_refuses_another_device),
	};
	return TEST_RUN(cases);
}
