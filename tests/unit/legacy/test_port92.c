/* A20 and the fast reset. */
#include "conformance.h"
#include "fakes.h"
#include "test.h"

static struct fake_power power;
static struct device *dev;

static struct device *fresh(void *ctx)
{
	struct device *made;
	(void)ctx;
	return port92_create(&made, fake_power_sink(&power)) == 0 ? made : NULL;
}

static void set_up(void)
{
	power = (struct fake_power){0};
	dev = fresh(NULL);
}

static void tear_down(void)
{
	device_destroy(dev);
}

static void out(struct device *to, uint8_t value)
{
	port92_bus_ops.write(to, 0, 1, value);
}

WITH_DEVICE(test_port92_a20_reads_back_and_begins_open)
{
	CHECK_EQ(port92_bus_ops.read(dev, 0, 1), 0x02);
	out(dev, 0xfc);
	CHECK_EQ(port92_bus_ops.read(dev, 0, 1), 0x00);
	out(dev, 0x02);
	CHECK_EQ(port92_bus_ops.read(dev, 0, 1), 0x02);
	CHECK_EQ(power.requests[POWER_RESET], 0);
}

WITH_DEVICE(test_port92_resets_when_bit_0_rises)
{
	out(dev, 0x03);
	CHECK_EQ(power.requests[POWER_RESET], 1);
	out(dev, 0x03);
	CHECK_EQ(power.requests[POWER_RESET], 1);
	out(dev, 0x02);
	out(dev, 0x03);
	CHECK_EQ(power.requests[POWER_RESET], 2);
}

static void scramble(struct device *to, void *ctx)
{
	(void)ctx;
	out(to, 0x01);
}

static void test_port92_conforms(void)
{
	conformance_check(&(struct conformance){.create = fresh, .scramble = scramble});
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_port92_a20_reads_back_and_begins_open),
		TEST_CASE(test_port92_resets_when_bit_0_rises),
		TEST_CASE(test_port92_conforms),
	};
	return TEST_RUN(cases);
}
