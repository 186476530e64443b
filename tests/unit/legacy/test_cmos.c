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

/* Time goes on in steps of @step_ns, the timer goes off when it is due. Return: its expiries. */
static unsigned pass(struct bench *b, uint64_t ns, uint64_t step_ns)
{
	unsigned expiries = 0;
	for (uint64_t t = 0; t < ns; t += step_ns) {
		uint64_t before = b->clock.ns / 1000000000;
		b->clock.ns += step_ns;
		b->clock.s += (int64_t)(b->clock.ns / 1000000000 - before);
		device_lock(b->dev);
		if (fake_timer_expire(&b->timer, &b->clock)) {
			cmos_expired(b->dev);
			expiries++;
		}
		device_unlock(b->dev);
	}
	return expiries;
}

static void test_cmos_arms_nothing_unless_an_interrupt_is_enabled(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096));
	show(&b);
	in(&b, 0x0c);
	out(&b, 0x0b, 0x82);
	out(&b, 9, 0x99);
	out(&b, 0x0b, 0x02);
	out(&b, 5, 0x12);
	CHECK_EQ(b.timer.arms, 0);
	CHECK_EQ(b.irq.rises, 0);
	device_destroy(b.dev);
}

static void test_cmos_flags_are_true_for_who_polls_without_interrupts(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096));
	CHECK_EQ(in(&b, 0x0c), 0x00);
	pass(&b, 2000000, 1000000);
	CHECK_EQ(in(&b, 0x0c), 0x40); /* 1024 Hz */
	CHECK_EQ(in(&b, 0x0c), 0x00);
	out(&b, 0x0a, 0x20);
	pass(&b, 1000000000, 100000000);
	CHECK_EQ(in(&b, 0x0c), 0x10);
	out(&b, 1, 0xc0); /* any second */
	out(&b, 3, 0xff);
	out(&b, 5, 0xff);
	pass(&b, 1000000000, 100000000);
	CHECK_EQ(in(&b, 0x0c), 0x30);
	CHECK_EQ(b.timer.arms, 0);
	device_destroy(b.dev);
}

static void test_cmos_periodic_interrupt_comes_at_the_rate_that_was_set(void)
{
	static const struct {
		uint8_t rate;
		unsigned hz;
	} rates[] = {{1, 256}, {2, 128}, {3, 8192}, {6, 1024}, {15, 2}};
	for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct bench b;
		unsigned ticks = 0;
		CHECK(setup(&b, 1709210096));
		out(&b, 0x0a, 0x20 | rates[i].rate);
		out(&b, 0x0b, 0x42);
		for (unsigned us = 0; us < 1000000; us += 20) {
			ticks += pass(&b, 20000, 20000);
			if (b.irq.is_high)
				CHECK_EQ(in(&b, 0x0c), us >= 999980 ? 0xd0 : 0xc0);
		}
		CHECK(ticks >= rates[i].hz - 1 && ticks <= rates[i].hz);
		CHECK_EQ(b.irq.rises, ticks);
		device_destroy(b.dev);
	}
}

static void test_cmos_unread_periodic_interrupt_is_one_and_stops_the_timer(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096));
	out(&b, 0x0b, 0x42);
	CHECK_EQ(pass(&b, 500000000, 100000), 1);
	CHECK_EQ(b.irq.rises, 1);
	CHECK(b.irq.is_high);
	CHECK_EQ(b.timer.when_ns, 0);
	CHECK_EQ(in(&b, 0x0c), 0xc0);
	CHECK(!b.irq.is_high);
	CHECK(b.timer.when_ns > b.clock.ns && b.timer.when_ns <= b.clock.ns + 976563);
	pass(&b, 50000000, 50000000); /* late by 50 ticks */
	CHECK_EQ(b.irq.rises, 2);
	out(&b, 0x0b, 0x02);
	CHECK(!b.irq.is_high);
	CHECK_EQ(b.timer.when_ns, 0);
	device_destroy(b.dev);
}

static void test_cmos_update_interrupt_comes_with_the_new_second(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096));
	pass(&b, 300000000, 300000000);
	in(&b, 0x0a); /* would hold the registers for a while */
	in(&b, 0x0c);
	out(&b, 0x0b, 0x12);
	CHECK_EQ(b.timer.when_ns, 1000000000);
	pass(&b, 700000000, 5000000);
	CHECK_EQ(b.irq.rises, 1);
	CHECK_EQ(in(&b, 0), 0x57);
	CHECK_EQ(in(&b, 0x0c) & 0x90, 0x90);
	pass(&b, 10000000000, 1000000);
	CHECK_EQ(b.irq.rises, 2);
	out(&b, 0x0b, 0x92); /* SET clears it */
	CHECK_EQ(in(&b, 0x0b), 0x82);
	CHECK(!b.irq.is_high);
	device_destroy(b.dev);
}

static void set_alarm(struct bench *b, uint8_t hours, uint8_t minutes, uint8_t seconds)
{
	in(b, 0x0c);
	out(b, 0x0b, 0x02);
	out(b, 5, hours);
	out(b, 3, minutes);
	out(b, 1, seconds);
	out(b, 0x0b, 0x22);
}

static void test_cmos_alarm_goes_off_at_its_time(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096)); /* 12:34:56 */
	b.clock.ns = 0;
	set_alarm(&b, 0x12, 0x35, 0x10);
	CHECK_EQ(b.timer.when_ns, 14000000000);
	pass(&b, 13000000000, 1000000000);
	CHECK_EQ(b.irq.rises, 0);
	pass(&b, 1000000000, 1000000000);
	CHECK_EQ(b.irq.rises, 1);
	CHECK_STR(show(&b), "2024-02-29/05 12:35:10");
	CHECK_EQ(in(&b, 0x0c) & 0xa0, 0xa0);
	CHECK_EQ(b.timer.when_ns, 14000000000 + 86400000000000); /* tomorrow again */
	device_destroy(b.dev);
}

static void test_cmos_alarm_bytes_that_do_not_care(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096)); /* 12:34:56 */
	b.clock.ns = 0;
	set_alarm(&b, 0xff, 0xff, 0xff);
	CHECK_EQ(b.timer.when_ns, 1000000000);
	set_alarm(&b, 0xc0, 0xc0, 0x30);
	CHECK_EQ(b.timer.when_ns, 34000000000);
	set_alarm(&b, 0xff, 0x00, 0x00);
	CHECK_EQ(b.timer.when_ns, (25 * 60 + 4) * 1000000000ULL);
	set_alarm(&b, 0x12, 0x34, 0x56); /* now: tomorrow */
	CHECK_EQ(b.timer.when_ns, 86400000000000);
	set_alarm(&b, 0x25, 0x00, 0x00); /* never */
	CHECK_EQ(b.timer.when_ns, 0);
	device_destroy(b.dev);
}

static void test_cmos_alarm_in_12_hour_binary_mode(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096)); /* 12:34:56 */
	b.clock.ns = 0;
	out(&b, 0x0b, 0x04);
	out(&b, 5, 0x81);
	out(&b, 3, 0);
	out(&b, 1, 0);
	out(&b, 0x0b, 0x24);
	CHECK_EQ(b.timer.when_ns, (25 * 60 + 4) * 1000000000ULL);
	device_destroy(b.dev);
}

static void test_cmos_setting_the_time_moves_the_alarm(void)
{
	struct bench b;
	CHECK(setup(&b, 1709210096)); /* 12:34:56 */
	b.clock.ns = 0;
	set_alarm(&b, 0x12, 0x35, 0x10);
	out(&b, 0, 0x05);
	CHECK_EQ(b.timer.when_ns, 65000000000);
	CHECK_EQ(in(&b, 0x0c), 0);
	device_destroy(b.dev);
}

static void test_cmos_shows_another_date_when_told_to(void)
{
	struct bench b = {.clock = {.ns = 1, .s = 1709210096}};
	b.cfg.date_offset_s = 946684790 - 1709210096;
	b.dev = fresh(&b);
	CHECK(b.dev);
	CHECK_STR(show(&b), "1999-12-31/06 23:59:50");
	out(&b, 4, 0x01);
	device_reset(b.dev);
	CHECK_STR(show(&b), "1999-12-31/06 23:59:50");
	device_destroy(b.dev);
}

static void test_cmos_tells_firmware_of_drives(void)
{
	struct bench b = {.cfg = {.floppy_type = 0x40,
				  .disk_count = 1,
				  .disk_translation = 1,
				  .boot = {3, 2, 1}}};
	unsigned sum = 0;
	b.dev = fresh(&b);
	CHECK(b.dev);
	CHECK_EQ(in(&b, 0x10), 0x40);
	CHECK_EQ(in(&b, 0x14), 0x03);
	CHECK_EQ(in(&b, 0x12), 0xf0);
	CHECK_EQ(in(&b, 0x19), 47);
	CHECK_EQ(in(&b, 0x1a), 0);
	CHECK_EQ(in(&b, 0x39), 1);
	CHECK_EQ(in(&b, 0x3d), 0x23);
	CHECK_EQ(in(&b, 0x38), 0x10);
	for (uint8_t i = 0x10; i < 0x2e; i++)
		sum += in(&b, i);
	CHECK_EQ(in(&b, 0x2e) << 8 | in(&b, 0x2f), sum);
	device_destroy(b.dev);

	b.cfg.floppy_type = 0x42;
	b.cfg.disk_count = 3;
	b.dev = fresh(&b);
	CHECK(b.dev);
	CHECK_EQ(in(&b, 0x14), 0x43);
	CHECK_EQ(in(&b, 0x12), 0xff);
	CHECK_EQ(in(&b, 0x1a), 47);
	device_destroy(b.dev);
}

static void scramble(struct device *dev, void *ctx)
{
	struct bench *b = ctx;
	struct bench view = {.dev = dev};
	out(&view, 0x0b, 0x02);
	out(&view, 9, 0x31);
	out(&view, 0x0b, 0x86);
	out(&view, 4, 17);
	out(&view, 0x70, 0xee);
	out(&view, 1, 0xff);
	b->clock.ns += 10000000;
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
		TEST_CASE(test_cmos_arms_nothing_unless_an_interrupt_is_enabled),
		TEST_CASE(test_cmos_flags_are_true_for_who_polls_without_interrupts),
		TEST_CASE(test_cmos_periodic_interrupt_comes_at_the_rate_that_was_set),
		TEST_CASE(test_cmos_unread_periodic_interrupt_is_one_and_stops_the_timer),
		TEST_CASE(test_cmos_update_interrupt_comes_with_the_new_second),
		TEST_CASE(test_cmos_alarm_goes_off_at_its_time),
		TEST_CASE(test_cmos_alarm_bytes_that_do_not_care),
		TEST_CASE(test_cmos_alarm_in_12_hour_binary_mode),
		TEST_CASE(test_cmos_setting_the_time_moves_the_alarm),
		TEST_CASE(test_cmos_shows_another_date_when_told_to),
		TEST_CASE(test_cmos_tells_firmware_of_drives),
		TEST_CASE(test_cmos_conforms),
	};
	return TEST_RUN(cases);
}
