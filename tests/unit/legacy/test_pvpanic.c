/* The panic port. */
#include "conformance.h"
#include "fakes.h"
#include "test.h"

static struct device *fresh(void *ctx)
{
	struct device *dev;
	return pvpanic_create(&dev, fake_power_sink(ctx)) == 0 ? dev : NULL;
}

static void test_pvpanic_tells_what_it_understands(void)
{
	struct fake_power power = {0};
	struct device *dev = fresh(&power);
	CHECK(dev);
	CHECK_EQ(pvpanic_bus_ops.read(dev, 0, 1), 0x03);
	device_destroy(dev);
}

static void test_pvpanic_asks_for_the_end_on_bit_0_only(void)
{
	struct fake_power power = {0};
	struct device *dev = fresh(&power);
	CHECK(dev);
	pvpanic_bus_ops.write(dev, 0, 1, 0x02);
	pvpanic_bus_ops.write(dev, 0, 1, 0xfc);
	CHECK_EQ(power.requests[POWER_PANIC], 0);
	pvpanic_bus_ops.write(dev, 0, 1, 0x01);
	CHECK_EQ(power.requests[POWER_PANIC], 1);
	pvpanic_bus_ops.write(dev, 0, 1, 0x03);
	CHECK_EQ(power.requests[POWER_PANIC], 2);
	device_destroy(dev);
}

static void scramble(struct device *dev, void *ctx)
{
	(void)ctx;
	pvpanic_bus_ops.write(dev, 0, 1, 0x02);
}

static void test_pvpanic_conforms(void)
{
	struct fake_power power = {0};
	conformance_check(
		&(struct conformance){.create = fresh, .scramble = scramble, .ctx = &power});
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_pvpanic_tells_what_it_understands),
		TEST_CASE(test_pvpanic_asks_for_the_end_on_bit_0_only),
		TEST_CASE(test_pvpanic_conforms),
	};
	return TEST_RUN(cases);
}
