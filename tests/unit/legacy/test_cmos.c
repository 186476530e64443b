/* The real-time clock's registers, and the CMOS bytes that firmware reads. */
#include "conformance.h"
#include "fakes.h"
#include "test.h"

#define GIB (1ULL << 30)
#define MIB (1ULL << 20)

struct bench {
	struct device *dev;
	struct fake_clock clock;
	struct fake_irq irq;
	struct fake_timer timer;
	struct cmos_config cfg;
};

static struct device *fresh(void *ctx)
{
	struct bench *b = ctx;
	struct device *dev;
	b->cfg.clock = fake_clock_wire(&b->clock);
	b->cfg.irq = fake_irq_line(&b->irq);
	b->cfg.timer = fake_timer_wire(&b->timer);
	return cmos_create(&dev, &b->cfg) == 0 ? dev : NULL;
}

static bool setup(struct bench *b, int64_t realtime_s)
{
	*b = (struct bench){.clock = {.ns = 1, .s = realtime_s}, .cfg.ram_below_4g = 512 * MIB};
	b->dev = fresh(b);
	return b->dev;
}

static uint8_t in(struct bench *b, uint8_t index)
{
	device_lock(b->dev);
	cmos_bus_ops.write(b->dev, 0, 1, index);
	uint8_t value = (uint8_t)cmos_bus_ops.read(b->dev, 1, 1);
	device_unlock(b->dev);
	return value;
}

static void out(struct bench *b, uint8_t index, uint8_t value)
{
	device_lock(b->dev);
	cmos_bus_ops.write(b->dev, 0, 1, index);
	cmos_bus_ops.write(b->dev, 1, 1, value);
	device_unlock(b->dev);
}

/* Seconds to century in register order, as one comparable string. */
static const char *show(struct bench *b)
{
	static char text[64];
	uint8_t c = in(b, 0x32), y = in(b, 9), mo = in(b, 8), d = in(b, 7), w = in(b, 6);
	uint8_t h = in(b, 4), mi = in(b, 2), s = in(b, 0);
	snprintf(text, sizeof(text), "%02x%02x-%02x-%02x/%02x %02x:%02x:%02x", c, y, mo, d, w, h,
		 mi, s);
	return text;
}

static void test_cmos_shows_the_date_in_bcd(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096)); /* Thu 2024-02-29 12:34:56 */
	CHECK_STR(show(&b), "2024-02-29/05 12:34:56");
	b.clock.s = 0;
	CHECK_STR(show(&b), "1970-01-01/05 00:00:00");
	b.clock.s = 951782399; /* Mon 2000-02-28 23:59:59 */
	CHECK_STR(show(&b), "2000-02-28/02 23:59:59");
	b.clock.s++;
	CHECK_STR(show(&b), "2000-02-29/03 00:00:00");
	b.clock.s = 4107542399; /* Sun 2100-02-28 23:59:59, not a leap year */
	CHECK_STR(show(&b), "2100-02-28/01 23:59:59");
	b.clock.s++;
	CHECK_STR(show(&b), "2100-03-01/02 00:00:00");
	b.clock.s = -1;
	CHECK_STR(show(&b), "1969-12-31/04 23:59:59");
	device_destroy(b.dev);
}

static void test_cmos_binary_and_12_hour_modes(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096));
	out(&b, 0x0b, 0x04); /* binary, 12 h */
	CHECK_STR(show(&b), "1418-02-1d/05 8c:22:38");
	out(&b, 0x0b, 0x00); /* BCD, 12 h */
	CHECK_STR(show(&b), "2024-02-29/05 92:34:56");
	b.clock.s = 1709164800; /* midnight */
	CHECK_EQ(in(&b, 4), 0x12);
	b.clock.s += 13 * 3600;
	CHECK_EQ(in(&b, 4), 0x81);
	device_destroy(b.dev);
}

static void test_cmos_time_can_be_set_with_the_clock_stopped(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096));
	out(&b, 0x0b, 0x82);
	b.clock.s += 100; /* stopped: nothing moves */
	CHECK_STR(show(&b), "2024-02-29/05 12:34:56");
	out(&b, 0x32, 0x19);
	out(&b, 9, 0x99);
	out(&b, 8, 0x12);
	out(&b, 7, 0x31);
	out(&b, 4, 0x23);
	out(&b, 2, 0x59);
	out(&b, 0, 0x58);
	out(&b, 0x0b, 0x02);
	CHECK_STR(show(&b), "1999-12-31/06 23:59:58");
	b.clock.s += 2;
	CHECK_STR(show(&b), "2000-01-01/07 00:00:00");
	device_destroy(b.dev);
}

static void test_cmos_time_can_be_set_on_the_run(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096));
	out(&b, 4, 0x08);
	CHECK_STR(show(&b), "2024-02-29/05 08:34:56");
	b.clock.s += 4;
	CHECK_STR(show(&b), "2024-02-29/05 08:35:00");
	device_destroy(b.dev);
}

static void test_cmos_garbage_as_a_date_is_survived(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096));
	for (unsigned value = 0; value < 256; value++) {
		out(&b, 0x0b, 0x80 | (value & 6));
		for (uint8_t reg = 0; reg < 10; reg++)
			out(&b, reg, (uint8_t)value);
		out(&b, 0x32, (uint8_t)value);
		out(&b, 0x0b, value & 6);
		show(&b);
	}
	device_destroy(b.dev);
}

static void test_cmos_a_single_look_never_sees_uip(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096));
	CHECK_EQ(in(&b, 0x0a), 0x26);
	b.clock.s++;
	b.clock.ns += 1000000000;
	CHECK_EQ(in(&b, 0x0a), 0x26);
	device_destroy(b.dev);
}

static void test_cmos_uip_comes_by_once_a_second_for_who_polls(void)
{
	struct bench b;
	unsigned ups = 0, us_up = 0;
	CHECK(setup(&b, 1709210096));
	uint8_t last = 0;
	for (unsigned us = 0; us < 3000000; us += 100) {
		b.clock.ns = 1 + us * 1000ULL;
		b.clock.s = 1709210096 + us / 1000000;
		uint8_t uip = in(&b, 0x0a) & 0x80;
		ups += uip && !last;
		us_up += uip ? 100 : 0;
		last = uip;
	}
	CHECK_EQ(ups, 2);
	CHECK(us_up >= 4000 && us_up <= 5000);
	device_destroy(b.dev);
}

static void test_cmos_a_reading_after_register_a_is_one_moment(void)
{
	struct bench b;
	CHECK(setup(&b, 951782399)); /* 2000-02-28 23:59:59 */
	CHECK_EQ(in(&b, 0x0a) & 0x80, 0);
	CHECK_EQ(in(&b, 0), 0x59);
	b.clock.s++;
	b.clock.ns += 200000;
	CHECK_STR(show(&b), "2000-02-28/02 23:59:59");
	b.clock.ns += 100000000;
	CHECK_STR(show(&b), "2000-02-29/03 00:00:00");
	device_destroy(b.dev);
}

static uint32_t field(struct bench *b, uint8_t at, unsigned bytes)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint32_t)in(b, (uint8_t)(at + i)) << 8 * i;
	return value;
}

static void check_memory(uint64_t below, uint64_t above, uint32_t base_kib, uint32_t ext_kib,
			 uint32_t ext_64kib, uint32_t high_64kib)
{
	struct bench b = {.cfg = {.ram_below_4g = below, .ram_above_4g = above}};
	b.dev = fresh(&b);
	CHECK(b.dev);
	CHECK_EQ(field(&b, 0x15, 2), base_kib);
	CHECK_EQ(field(&b, 0x17, 2), ext_kib);
	CHECK_EQ(field(&b, 0x30, 2), ext_kib);
	CHECK_EQ(field(&b, 0x34, 2), ext_64kib);
	CHECK_EQ(field(&b, 0x5b, 3), high_64kib);
	device_destroy(b.dev);
}

static void test_cmos_memory_sizes(void)
{
	check_memory(64 << 10, 0, 64, 0, 0, 0);
	check_memory(16 * MIB, 0, 640, 15 << 10, 0, 0);
	check_memory(512 * MIB, 0, 640, 0xffff, (512 - 16) * 16, 0);
	check_memory(3 * GIB, 5 * GIB, 640, 0xffff, (3072 - 16) * 16, 5 * 16384);
	check_memory(3 * GIB, 1ULL << 46, 640, 0xffff, (3072 - 16) * 16, 0xffffff);
}

static void test_cmos_index_ignores_the_nmi_bit(void)
{
	struct bench b;
	CHECK(setup(&b, 0));
	out(&b, 0x80 | 0x0f, 0x0a); /* shutdown status */
	CHECK_EQ(in(&b, 0x0f), 0x0a);
	CHECK_EQ(in(&b, 0x8f), 0x0a);
	CHECK_EQ(cmos_bus_ops.read(b.dev, 0, 1), 0xff);
	device_destroy(b.dev);
}

static void test_cmos_c_and_d_are_read_only(void)
{
	struct bench b;
	CHECK(setup(&b, 0));
	out(&b, 0x0c, 0xff);
	out(&b, 0x0d, 0x00);
	CHECK_EQ(in(&b, 0x0c), 0);
	CHECK_EQ(in(&b, 0x0d), 0x80);
	out(&b, 0x0a, 0xff);
	CHECK_EQ(in(&b, 0x0a), 0x7f);
	device_destroy(b.dev);
}

static void scramble(struct device *dev, void *ctx)
{
	struct bench view = {.dev = dev};
	(void)ctx;
	out(&view, 0x0b, 0x02);
	out(&view, 9, 0x31);
	out(&view, 0x0b, 0x86);
	out(&view, 4, 17);
	out(&view, 0x70, 0xee);
	in(&view, 0x8a);
}

static void test_cmos_conforms(void)
{
	struct bench b = {.clock = {.ns = 5000000000, .s = 1709210096}, .cfg.ram_below_4g = GIB};
	conformance_check(&(struct conformance){.create = fresh, .scramble = scramble, .ctx = &b});
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_cmos_shows_the_date_in_bcd),
		TEST_CASE(test_cmos_binary_and_12_hour_modes),
		TEST_CASE(test_cmos_time_can_be_set_with_the_clock_stopped),
		TEST_CASE(test_cmos_time_can_be_set_on_the_run),
		TEST_CASE(test_cmos_garbage_as_a_date_is_survived),
		TEST_CASE(test_cmos_a_single_look_never_sees_uip),
		TEST_CASE(test_cmos_uip_comes_by_once_a_second_for_who_polls),
		TEST_CASE(test_cmos_a_reading_after_register_a_is_one_moment),
		TEST_CASE(test_cmos_memory_sizes),
		TEST_CASE(test_cmos_index_ignores_the_nmi_bit),
		TEST_CASE(test_cmos_c_and_d_are_read_only),
		TEST_CASE(test_cmos_conforms),
	};
	return TEST_RUN(cases);
}
