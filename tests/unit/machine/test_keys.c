/* Keys wait for the guest. */
#include "keys.h"
#include "test.h"

#define MS 1000000ULL

/* The guest's keyboard, and the time. */
static struct {
	struct keys keys;
	uint64_t now_ns, timer_ns;
	bool is_read, is_refusing;
	unsigned room;
	char got[200];
	size_t len;
} t;

static uint64_t now_ns(void *ctx)
{
	(void)ctx;
	return t.now_ns;
}

static void arm(void *ctx, uint64_t when_ns)
{
	(void)ctx;
	t.timer_ns = when_ns;
}

static bool is_read(void *ctx)
{
	(void)ctx;
	return t.is_read;
}

static bool has_room(void *ctx)
{
	(void)ctx;
	return t.room > 0;
}

static bool key(void *ctx, uint16_t code, bool is_down)
{
	(void)ctx;
	if (t.is_refusing)
		return false;
	t.len += (size_t)snprintf(t.got + t.len, sizeof(t.got) - t.len, "%s%c%x", t.len ? " " : "",
				  is_down ? '+' : '-', code);
	t.is_read = false;
	return true;
}

static const struct keys_sink sink = {.is_read = is_read, .has_room = has_room, .key = key};

static void set_up(void)
{
	memset(&t, 0, sizeof(t));
	t.now_ns = 1000 * MS;
	t.is_read = true;
	t.room = 15;
	keys_init(&t.keys, (struct clock){.monotonic_ns = now_ns}, (struct timer){.arm = arm});
	keys_plug(&t.keys, sink);
}

/* @ns of time pass, with a guest that reads at once when @is_reading. */
static void pass(uint64_t ns, bool is_reading)
{
	uint64_t end_ns = t.now_ns + ns;

	while (t.timer_ns && t.timer_ns <= end_ns) {
		if (t.timer_ns > t.now_ns)
			t.now_ns = t.timer_ns;
		t.timer_ns = 0;
		t.is_read = t.is_read || is_reading;
		keys_expired(&t.keys);
	}
	t.now_ns = end_ns;
}

static void strike(uint16_t code)
{
	keys_put(&t.keys, code, true);
	keys_put(&t.keys, code, false);
}

static void test_one_key_at_a_time(void)
{
	set_up();
	strike(0x1e);
	strike(0x30);
	CHECK_STR(t.got, ""); /* not from within keys_put() */
	pass(10 * MS, false);
	CHECK_STR(t.got, "+1e");
	t.is_read = true;
	pass(1 * MS, false);
	CHECK_STR(t.got, "+1e -1e");
	CHECK(!keys_is_done(&t.keys));
	pass(1000 * MS, true);
	CHECK_STR(t.got, "+1e -1e +30 -30");
	t.is_read = true;
	CHECK(keys_is_done(&t.keys));
	CHECK_EQ(t.timer_ns, 0);
}

static void test_a_lone_key_stays_down_for_a_while(void)
{
	set_up();
	keys_put(&t.keys, 0x2a, true);
	strike(0x1e);
	keys_put(&t.keys, 0x2a, false);
	pass(40 * MS, true);
	CHECK_STR(t.got, "+2a +1e");
	pass(20 * MS, true);
	CHECK_STR(t.got, "+2a +1e -1e -2a");
	/* One that comes after it hurries it along. */
	strike(0x30);
	pass(10 * MS, true);
	strike(0x31);
	pass(10 * MS, true);
	CHECK_STR(t.got, "+2a +1e -1e -2a +30 -30 +31");
}

static void test_the_rings_room_is_waited_for(void)
{
	set_up();
	t.room = 0;
	strike(0x1e);
	pass(5000 * MS, true);
	CHECK_STR(t.got, "");
	t.room = 1;
	pass(1 * MS, true);
	CHECK_STR(t.got, "+1e");
	/* Letting go needs none. */
	t.room = 0;
	pass(100 * MS, true);
	CHECK_STR(t.got, "+1e -1e");
}

static void test_a_ring_that_nobody_reads_is_given_up(void)
{
	set_up();
	t.room = 0;
	strike(0x1e);
	pass(21000 * MS, true);
	CHECK_STR(t.got, "+1e -1e");
	strike(0x30);
	pass(100 * MS, true);
	CHECK_STR(t.got, "+1e -1e +30 -30");
	/* Until it is read again. */
	t.room = 3;
	strike(0x31);
	pass(100 * MS, true);
	t.room = 0;
	strike(0x32);
	pass(100 * MS, true);
	CHECK_STR(t.got, "+1e -1e +30 -30 +31 -31");
}

static void test_a_refused_key_comes_again(void)
{
	set_up();
	t.is_refusing = true;
	strike(0x1e);
	pass(100 * MS, true);
	CHECK_STR(t.got, "");
	t.is_refusing = false;
	pass(100 * MS, true);
	CHECK_STR(t.got, "+1e -1e");
}

static void test_keys_wait_for_a_machine(void)
{
	set_up();
	keys_plug(&t.keys, (struct keys_sink){.key = NULL});
	strike(0x1e);
	pass(100 * MS, true);
	CHECK_EQ(t.timer_ns, 0);
	CHECK_STR(t.got, "");
	CHECK(!keys_is_done(&t.keys));
	keys_plug(&t.keys, sink);
	pass(100 * MS, true);
	CHECK_STR(t.got, "+1e -1e");
}

static void test_room(void)
{
	set_up();
	keys_plug(&t.keys, (struct keys_sink){.key = NULL});
	CHECK_EQ(keys_room(&t.keys), KEYS_MAX);
	for (unsigned i = 0; i < KEYS_MAX; i++)
		keys_put(&t.keys, 0x1e, true);
	CHECK_EQ(keys_room(&t.keys), 0);
	keys_put(&t.keys, 0x30, true);
	CHECK_EQ(keys_room(&t.keys), 0);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_one_key_at_a_time),
		TEST_CASE(test_a_lone_key_stays_down_for_a_while),
		TEST_CASE(test_the_rings_room_is_waited_for),
		TEST_CASE(test_a_ring_that_nobody_reads_is_given_up),
		TEST_CASE(test_a_refused_key_comes_again),
		TEST_CASE(test_keys_wait_for_a_machine),
		TEST_CASE(test_room),
	};
	return TEST_RUN(cases);
}
