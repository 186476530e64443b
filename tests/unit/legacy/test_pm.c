/* ACPI PM registers, SCI, timer, sleep and reset. */
#include "conformance.h"
#include "fakes.h"
#include "test.h"
#include <tinyvm/state.h>

struct bench {
	struct device *dev;
	struct fake_irq sci;
	struct fake_clock clock;
	struct fake_power power;
};

static struct device *fresh(void *ctx)
{
	struct bench *b = ctx;
	struct device *dev;
	return pm_create(&dev, fake_irq_line(&b->sci), fake_clock_wire(&b->clock),
			 fake_power_sink(&b->power)) == 0
		       ? dev
		       : NULL;
}

static bool setup(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->dev = fresh(b);
	return b->dev;
}

static uint32_t in(struct bench *b, unsigned off, unsigned size)
{
	uint32_t value = 0;
	device_lock(b->dev);
	bus_ops_read(&pm_bus_ops, b->dev, off, &value, size);
	device_unlock(b->dev);
	return value;
}

static void out(struct bench *b, unsigned off, unsigned size, uint32_t value)
{
	device_lock(b->dev);
	bus_ops_write(&pm_bus_ops, b->dev, off, &value, size);
	device_unlock(b->dev);
}

static void test_pm_power_button_raises_sci_until_cleared(void)
{
	struct bench b;
	CHECK(setup(&b));
	pm_press_power_button(b.dev);
	CHECK(!b.sci.is_high);
	CHECK_EQ(in(&b, PM_PM1_EVT, 2), 0x0100);
	out(&b, PM_PM1_EVT + 2, 2, 0x0100);
	CHECK(b.sci.is_high);
	out(&b, PM_PM1_EVT, 2, 0x0020); /* another bit: nothing happens */
	CHECK(b.sci.is_high);
	out(&b, PM_PM1_EVT, 2, 0x0100);
	CHECK(!b.sci.is_high);
	CHECK_EQ(in(&b, PM_PM1_EVT, 4), 0x01000000);
	device_destroy(b.dev);
}

static void test_pm_event_block_takes_bytes_and_dwords(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, PM_PM1_EVT + 3, 1, 0x01);
	CHECK_EQ(in(&b, PM_PM1_EVT + 2, 2), 0x0100);
	pm_press_power_button(b.dev);
	CHECK_EQ(in(&b, PM_PM1_EVT + 1, 1), 0x01);
	CHECK_EQ(in(&b, PM_PM1_EVT, 4), 0x01000100);
	out(&b, PM_PM1_EVT, 4, 0x00200100); /* clears the status, enables GBL instead */
	CHECK_EQ(in(&b, PM_PM1_EVT, 4), 0x00200000);
	CHECK(!b.sci.is_high);
	pm_press_power_button(b.dev);
	out(&b, PM_PM1_EVT + 1, 1, 0x01);
	CHECK_EQ(in(&b, PM_PM1_EVT, 2), 0);
	device_destroy(b.dev);
}

static void test_pm_enable_keeps_only_defined_bits(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, PM_PM1_EVT + 2, 2, 0xffff);
	CHECK_EQ(in(&b, PM_PM1_EVT + 2, 2), 0x0721);
	device_destroy(b.dev);
}

static void test_pm_is_always_in_acpi_mode(void)
{
	struct bench b;
	CHECK(setup(&b));
	CHECK_EQ(in(&b, PM_PM1_CNT, 2), 0x0001);
	out(&b, PM_PM1_CNT, 2, 0x0006);
	CHECK_EQ(in(&b, PM_PM1_CNT, 2), 0x0003); /* GBL_RLS is write-only */
	device_destroy(b.dev);
}

static void test_pm_s5_powers_off_once_sleep_is_enabled(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, PM_PM1_CNT, 2, PM_SLP_TYP_S5 << 10);
	CHECK_EQ(b.power.requests[POWER_OFF], 0);
	CHECK_EQ(in(&b, PM_PM1_CNT, 2), 1 | PM_SLP_TYP_S5 << 10);
	out(&b, PM_PM1_CNT, 2, PM_SLP_TYP_S5 << 10 | 1 << 13);
	CHECK_EQ(b.power.requests[POWER_OFF], 1);
	CHECK_EQ(in(&b, PM_PM1_CNT, 2), 1 | PM_SLP_TYP_S5 << 10);
	CHECK_EQ(b.power.requests[POWER_RESET], 0);
	device_destroy(b.dev);
}

static void test_pm_other_sleep_wakes_at_once(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, PM_PM1_CNT, 2, 1 << 10 | 1 << 13);
	CHECK_EQ(b.power.requests[POWER_OFF], 0);
	CHECK_EQ(in(&b, PM_PM1_EVT, 2), 0x8000);
	out(&b, PM_PM1_EVT, 2, 0x8000);
	CHECK_EQ(in(&b, PM_PM1_EVT, 2), 0);
	device_destroy(b.dev);
}

static void test_pm_timer_runs_at_3579545_hz_and_wraps_at_32_bits(void)
{
	struct bench b;
	CHECK(setup(&b));
	CHECK_EQ(in(&b, PM_TMR, 4), 0);
	b.clock.ns = 1000000000;
	CHECK_EQ(in(&b, PM_TMR, 4), 3579545);
	b.clock.ns = 1500000000;
	CHECK_EQ(in(&b, PM_TMR, 4), 3579545 + 3579545 / 2);
	CHECK_EQ(in(&b, PM_TMR + 2, 2), (3579545 + 3579545 / 2) >> 16);
	b.clock.ns = 100ULL * 365 * 86400 * 1000000000; /* a century later */
	CHECK_EQ(in(&b, PM_TMR, 4), (uint32_t)(100ULL * 365 * 86400 * 3579545));
	out(&b, PM_TMR, 4, 0);
	CHECK_EQ(in(&b, PM_TMR, 4), (uint32_t)(100ULL * 365 * 86400 * 3579545));
	device_destroy(b.dev);
}

static void test_pm_cf9_resets_on_bit_2_only(void)
{
	struct bench b;
	CHECK(setup(&b));
	pm_reset_bus_ops.write(b.dev, 0, 1, 0x02);
	CHECK_EQ(b.power.requests[POWER_RESET], 0);
	CHECK_EQ(pm_reset_bus_ops.read(b.dev, 0, 1), 0x02);
	pm_reset_bus_ops.write(b.dev, 0, 1, PM_RESET_VALUE);
	CHECK_EQ(b.power.requests[POWER_RESET], 1);
	device_destroy(b.dev);
}

static void scramble(struct device *dev, void *ctx)
{
	struct bench *b = ctx;
	struct bench view = {.dev = dev};
	(void)b;
	pm_press_power_button(dev);
	out(&view, PM_PM1_EVT + 2, 2, 0x0100);
	out(&view, PM_PM1_CNT, 2, 3 << 10 | 1 << 13 | 2);
	pm_reset_bus_ops.write(dev, 0, 1, 0x02);
}

static void test_pm_conforms(void)
{
	struct bench b = {.clock = {.ns = 123456789012, .s = 1700000000}};
	conformance_check(&(struct conformance){.create = fresh, .scramble = scramble, .ctx = &b});
}

static void test_pm_timer_goes_on_where_it_was_saved(void)
{
	struct bench a, b;
	struct state *st;
	size_t len;
	CHECK(setup(&a) && setup(&b));
	a.clock.ns = 5000000000;
	b.clock.ns = 77000000000;
	CHECK_EQ(state_create_save(&st), 0);
	device_state(a.dev, st);
	const void *data = state_data(st, &len);
	struct state *load;
	CHECK_EQ(state_create_load(&load, data, len), 0);
	device_state(b.dev, load);
	CHECK_EQ(state_error(load), 0);
	CHECK_EQ(in(&b, PM_TMR, 4), in(&a, PM_TMR, 4));
	state_destroy(load);
	state_destroy(st);
	device_destroy(a.dev);
	device_destroy(b.dev);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_pm_power_button_raises_sci_until_cleared),
		TEST_CASE(test_pm_event_block_takes_bytes_and_dwords),
		TEST_CASE(test_pm_enable_keeps_only_defined_bits),
		TEST_CASE(test_pm_is_always_in_acpi_mode),
		TEST_CASE(test_pm_s5_powers_off_once_sleep_is_enabled),
		TEST_CASE(test_pm_other_sleep_wakes_at_once),
		TEST_CASE(test_pm_timer_runs_at_3579545_hz_and_wraps_at_32_bits),
		TEST_CASE(test_pm_cf9_resets_on_bit_2_only),
		TEST_CASE(test_pm_conforms),
		TEST_CASE(test_pm_timer_goes_on_where_it_was_saved),
	};
	return TEST_RUN(cases);
}
