/* The keyboard controller without a keyboard. */
#include "conformance.h"
#include "fakes.h"
#include "test.h"

static struct device *fresh(void *ctx)
{
	const struct i8042_config cfg = {.power = fake_power_sink(ctx)};
	struct device *dev;
	return i8042_create(&dev, &cfg) == 0 ? dev : NULL;
}

static void command(struct device *dev, uint8_t value)
{
	i8042_command_bus_ops.write(dev, 0, 1, value);
}

static void data(struct device *dev, uint8_t value)
{
	i8042_data_bus_ops.write(dev, 0, 1, value);
}

static uint8_t status(struct device *dev)
{
	return (uint8_t)i8042_command_bus_ops.read(dev, 0, 1);
}

static uint8_t answer(struct device *dev)
{
	return (uint8_t)i8042_data_bus_ops.read(dev, 0, 1);
}

static void test_i8042_idle_status_has_no_data(void)
{
	struct fake_power power = {0};
	struct device *dev = fresh(&power);
	CHECK(dev);
	CHECK_EQ(status(dev), 0x14);
	device_destroy(dev);
}

static void test_i8042_self_tests(void)
{
	struct fake_power power = {0};
	struct device *dev = fresh(&power);
	CHECK(dev);
	command(dev, 0xaa);
	CHECK_EQ(status(dev) & 0x09, 0x09);
	CHECK_EQ(answer(dev), 0x55);
	CHECK_EQ(status(dev) & 0x01, 0);
	command(dev, 0xab);
	CHECK_EQ(answer(dev), 0x00);
	device_destroy(dev);
}

static void test_i8042_configuration_byte(void)
{
	struct fake_power power = {0};
	struct device *dev = fresh(&power);
	CHECK(dev);
	command(dev, 0x20);
	CHECK_EQ(answer(dev), 0x34);
	command(dev, 0x60);
	data(dev, 0x47);
	command(dev, 0x20);
	CHECK_EQ(answer(dev), 0x47);
	command(dev, 0xad);
	command(dev, 0xa7);
	command(dev, 0x20);
	CHECK_EQ(answer(dev), 0x77);
	command(dev, 0xae);
	command(dev, 0xa8);
	command(dev, 0x20);
	CHECK_EQ(answer(dev), 0x47);
	device_destroy(dev);
}

static void test_i8042_resets_by_pulse_and_by_output_port(void)
{
	struct fake_power power = {0};
	struct device *dev = fresh(&power);
	CHECK(dev);
	command(dev, 0xff); /* pulses nothing */
	CHECK_EQ(power.requests[POWER_RESET], 0);
	command(dev, 0xfe);
	CHECK_EQ(power.requests[POWER_RESET], 1);
	command(dev, 0xd1);
	data(dev, 0x03);
	CHECK_EQ(power.requests[POWER_RESET], 1);
	command(dev, 0xd1);
	data(dev, 0x02);
	CHECK_EQ(power.requests[POWER_RESET], 2);
	device_destroy(dev);
}

static void test_i8042_output_port_keeps_a20(void)
{
	struct fake_power power = {0};
	struct device *dev = fresh(&power);
	CHECK(dev);
	command(dev, 0xd0);
	CHECK_EQ(answer(dev), 0xcf);
	command(dev, 0xdd);
	command(dev, 0xd0);
	CHECK_EQ(answer(dev), 0xcd);
	command(dev, 0xd1);
	data(dev, 0xdf);
	command(dev, 0xd0);
	CHECK_EQ(answer(dev), 0xcf);
	device_destroy(dev);
}

static void test_i8042_absent_keyboard_times_out_at_once(void)
{
	struct fake_power power = {0};
	struct device *dev = fresh(&power);
	CHECK(dev);
	data(dev, 0xf2);
	CHECK_EQ(status(dev), 0x55);
	CHECK_EQ(answer(dev), 0xfe);
	CHECK_EQ(status(dev), 0x14);
	device_destroy(dev);
}

/* i8042_check_aux(): the loopback must not look like it came from a mouse port. */
static void test_i8042_linux_finds_no_mouse_port_without_waiting(void)
{
	struct fake_power power = {0};
	struct device *dev = fresh(&power);
	CHECK(dev);
	command(dev, 0xd3);
	data(dev, 0x5a);
	CHECK_EQ(status(dev) & 0x21, 0x01);
	CHECK_EQ(answer(dev), 0x5a);
	command(dev, 0xa9);
	CHECK_EQ(status(dev) & 0x01, 0x01);
	CHECK_EQ(answer(dev), 0x01);
	device_destroy(dev);
}

static void scramble(struct device *dev, void *ctx)
{
	(void)ctx;
	command(dev, 0x60);
	data(dev, 0x47);
	command(dev, 0xdd);
	data(dev, 0xf2);
	command(dev, 0xd1);
}

static void test_i8042_conforms(void)
{
	struct fake_power power = {0};
	conformance_check(
		&(struct conformance){.create = fresh, .scramble = scramble, .ctx = &power});
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_i8042_idle_status_has_no_data),
		TEST_CASE(test_i8042_self_tests),
		TEST_CASE(test_i8042_configuration_byte),
		TEST_CASE(test_i8042_resets_by_pulse_and_by_output_port),
		TEST_CASE(test_i8042_output_port_keeps_a20),
		TEST_CASE(test_i8042_absent_keyboard_times_out_at_once),
		TEST_CASE(test_i8042_linux_finds_no_mouse_port_without_waiting),
		TEST_CASE(test_i8042_conforms),
	};
	return TEST_RUN(cases);
}
