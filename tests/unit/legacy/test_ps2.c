/* Keyboard and mouse as the guest has them: through the controller's ports and interrupts. */
#include "conformance.h"
#include "fakes.h"
#include "test.h"

#define WIRE_NS 1000000u

struct bench {
	struct device *dev;
	struct fake_clock clock;
	struct fake_timer timer;
	struct fake_irq keyboard_irq, mouse_irq;
	struct fake_power power;
};

static struct bench b;

static struct device *fresh(void *ctx)
{
	struct bench *w = ctx;
	const struct i8042_config cfg = {
		.power = fake_power_sink(&w->power),
		.is_connected = true,
		.keyboard_irq = fake_irq_line(&w->keyboard_irq),
		.mouse_irq = fake_irq_line(&w->mouse_irq),
		.clock = fake_clock_wire(&w->clock),
		.timer = fake_timer_wire(&w->timer),
	};
	struct device *dev;
	return i8042_create(&dev, &cfg) == 0 ? dev : NULL;
}

static void set_up(void)
{
	b = (struct bench){.clock.ns = 1};
	b.dev = fresh(&b);
}

static void tear_down(void)
{
	device_destroy(b.dev);
}

static void command(struct device *dev, uint8_t value)
{
	i8042_command_bus_ops.write(dev, 0, 1, value);
}

static void data(struct device *dev, uint8_t value)
{
	i8042_data_bus_ops.write(dev, 0, 1, value);
}

static void config(uint8_t value)
{
	command(b.dev, 0x60);
	data(b.dev, value);
}

static uint8_t status(void)
{
	return (uint8_t)i8042_command_bus_ops.read(b.dev, 0, 1);
}

static uint8_t port60(void)
{
	return (uint8_t)i8042_data_bus_ops.read(b.dev, 0, 1);
}

/* The wire's time passes, and the timer goes off. */
static void pass(void)
{
	b.clock.ns += WIRE_NS;
	if (fake_timer_expire(&b.timer, &b.clock))
		i8042_expired(b.dev);
}

/* What the guest reads until nothing more comes, as text. */
static const char *take(void)
{
	static char text[256];
	size_t at = 0;
	text[0] = '\0';
	for (unsigned n = 0; n < 64 && status() & 0x01; n++) {
		at += (size_t)snprintf(text + at, sizeof(text) - at, n ? " %02x" : "%02x",
				       port60());
		pass();
	}
	return text;
}

static void key(uint16_t code)
{
	i8042_key(b.dev, code, true);
	i8042_key(b.dev, code, false);
}

static void to_mouse(uint8_t value)
{
	command(b.dev, 0xd4);
	data(b.dev, value);
}

WITH_DEVICE(test_keyboard_works_translated_from_the_start)
{
	key(0x1e);
	CHECK_STR(take(), "1e 9e");
	key(0xe04d);
	CHECK_STR(take(), "e0 4d e0 cd");
	key(0x41); /* F7 and Alt-SysRq have codes of their own in set 2 */
	CHECK_STR(take(), "41 c1");
	key(0x54);
	CHECK_STR(take(), "54 d4");
}

WITH_DEVICE(test_keyboard_every_key_of_set_1_survives_translation)
{
	for (uint16_t code = 1; code <= 0x58; code++) {
		char want[32];
		if (code == 0x55)
			continue; /* no such key */
		key(code);
		snprintf(want, sizeof(want), "%02x %02x", code, code | 0x80);
		CHECK_STR(take(), want);
	}
}

WITH_DEVICE(test_keyboard_set_2_untranslated)
{
	config(0x25);
	key(0x1e);
	CHECK_STR(take(), "1c f0 1c");
	key(0xe04d);
	CHECK_STR(take(), "e0 74 e0 f0 74");
	key(0x41);
	CHECK_STR(take(), "83 f0 83");
}

WITH_DEVICE(test_keyboard_set_1_untranslated)
{
	config(0x25);
	data(b.dev, 0xf0);
	CHECK_STR(take(), "fa");
	data(b.dev, 0x01);
	CHECK_STR(take(), "fa");
	data(b.dev, 0xf0);
	CHECK_EQ(port60(), 0xfa);
	data(b.dev, 0x00);
	pass();
	CHECK_STR(take(), "fa 01");
	key(0x1e);
	CHECK_STR(take(), "1e 9e");
	i8042_key(b.dev, I8042_KEY_PAUSE, true);
	CHECK_STR(take(), "e1 1d 45 e1 9d c5");
}

WITH_DEVICE(test_keyboard_refuses_set_3)
{
	data(b.dev, 0xf0);
	data(b.dev, 0x03);
	CHECK_STR(take(), "fa fe");
	data(b.dev, 0xf0);
	data(b.dev, 0x00);
	CHECK_STR(take(), "fa fa 41"); /* 2, translated */
}

WITH_DEVICE(test_keyboard_pause_and_print_have_sequences_of_their_own)
{
	key(I8042_KEY_PAUSE);
	CHECK_STR(take(), "e1 1d 45 e1 9d c5");
	key(I8042_KEY_PRINT);
	CHECK_STR(take(), "e0 2a e0 37 e0 b7 e0 aa");
	config(0x25);
	key(I8042_KEY_PAUSE);
	CHECK_STR(take(), "e1 14 77 e1 f0 14 f0 77");
	key(I8042_KEY_PRINT);
	CHECK_STR(take(), "e0 12 e0 7c e0 f0 7c e0 f0 12");
}

WITH_DEVICE(test_keyboard_each_byte_is_an_edge_and_the_next_takes_its_time)
{
	key(0x1e);
	CHECK(b.keyboard_irq.is_high);
	CHECK_EQ(b.keyboard_irq.rises, 1);
	CHECK_EQ(port60(), 0x1e);
	CHECK(!b.keyboard_irq.is_high);
	CHECK_EQ(port60(), 0x1e); /* a chained handler */
	CHECK_EQ(status() & 0x01, 0);
	CHECK_EQ(b.timer.when_ns, b.clock.ns + WIRE_NS);
	unsigned arms = b.timer.arms;
	status();
	CHECK_EQ(b.timer.arms, arms);
	pass();
	CHECK(b.keyboard_irq.is_high);
	CHECK_EQ(b.keyboard_irq.rises, 2);
	CHECK_EQ(port60(), 0x9e);
	pass();
	CHECK_EQ(b.keyboard_irq.rises, 2);
}

WITH_DEVICE(test_keyboard_polling_sees_the_next_byte_without_the_timer)
{
	key(0x1e);
	CHECK_EQ(port60(), 0x1e);
	b.clock.ns += WIRE_NS;
	CHECK_EQ(status() & 0x21, 0x01);
	CHECK_EQ(port60(), 0x9e);
}

WITH_DEVICE(test_keyboard_disabled_interface_keeps_keys)
{
	command(b.dev, 0xad);
	key(0x1e);
	CHECK_EQ(status() & 0x01, 0);
	command(b.dev, 0xae);
	CHECK_STR(take(), "1e 9e");
	command(b.dev, 0xad);
	data(b.dev, 0xee); /* a byte for the keyboard opens it */
	CHECK_STR(take(), "ee");
	command(b.dev, 0x20);
	CHECK_EQ(port60() & 0x10, 0);
}

WITH_DEVICE(test_keyboard_full_buffer_refuses_whole_keys_until_it_is_read)
{
	command(b.dev, 0xad);
	for (unsigned i = 0; i < 15; i++)
		CHECK(i8042_key(b.dev, 0x1e, true));
	CHECK(!i8042_key(b.dev, 0xe04d, true)); /* two bytes, one place */
	CHECK(i8042_key(b.dev, 0x1f, true));
	CHECK(!i8042_key(b.dev, 0x1f, false));
	command(b.dev, 0xae);
	CHECK_EQ(port60(), 0x1e);
	CHECK(!i8042_key(b.dev, 0x1f, false)); /* two bytes on the keyboard's side */
	pass();
	CHECK(i8042_key(b.dev, 0x1f, false));
	CHECK_STR(take(), "1e 1e 1e 1e 1e 1e 1e 1e 1e 1e 1e 1e 1e 1e 1f 9f");
	CHECK(i8042_key(b.dev, 0xe04d, true));
	CHECK_STR(take(), "e0 4d");
}

WITH_DEVICE(test_keyboard_that_does_not_scan_loses_keys)
{
	data(b.dev, 0xf5);
	CHECK_STR(take(), "fa");
	for (unsigned i = 0; i < 40; i++)
		CHECK(i8042_key(b.dev, 0x1e, true));
	data(b.dev, 0xf4);
	CHECK_STR(take(), "fa");
	key(0x1f);
	CHECK_STR(take(), "1f 9f");
}

WITH_DEVICE(test_keyboard_that_stops_scanning_lets_who_waits_go_on)
{
	command(b.dev, 0xad);
	while (i8042_key(b.dev, 0x1e, true))
		;
	data(b.dev, 0xf5);
	CHECK(i8042_key(b.dev, 0x1e, true));
}

WITH_DEVICE(test_keyboard_commands)
{
	data(b.dev, 0xff);
	CHECK_STR(take(), "fa aa");
	data(b.dev, 0xee);
	CHECK_STR(take(), "ee");
	data(b.dev, 0xf2);
	CHECK_STR(take(), "fa ab 41"); /* 83, translated, as on every AT */
	data(b.dev, 0xed);
	CHECK_STR(take(), "fa");
	data(b.dev, 0x07);
	CHECK_STR(take(), "fa");
	data(b.dev, 0xf3);
	data(b.dev, 0x20);
	CHECK_STR(take(), "fa fa");
	data(b.dev, 0xf6);
	CHECK_STR(take(), "fa");
	data(b.dev, 0xfa);
	CHECK_STR(take(), "fa");
	data(b.dev, 0x00);
	CHECK_STR(take(), "fe");
	config(0x25);
	data(b.dev, 0xf2);
	CHECK_STR(take(), "fa ab 83");
	data(b.dev, 0xfe);
	CHECK_STR(take(), "83");
}

WITH_DEVICE(test_keyboard_a_command_takes_the_place_of_an_argument)
{
	data(b.dev, 0xed);
	CHECK_STR(take(), "fa");
	data(b.dev, 0xf4);
	CHECK_STR(take(), "fa");
	key(0x1e);
	CHECK_STR(take(), "1e 9e");
}

WITH_DEVICE(test_keyboard_leds_do_not_cost_keys)
{
	key(0x3a);
	CHECK_EQ(port60(), 0x3a);
	data(b.dev, 0xed);
	pass();
	CHECK_EQ(port60(), 0xfa);
	data(b.dev, 0x04);
	pass();
	CHECK_EQ(port60(), 0xfa);
	pass();
	CHECK_STR(take(), "ba");
}

/* SeaBIOS and DOS read the configuration byte without looking whether a key was pressed. */
WITH_DEVICE(test_controller_answers_first_and_loses_no_key)
{
	key(0x1e);
	command(b.dev, 0x20);
	CHECK_EQ(port60(), 0x65);
	CHECK_STR(take(), "1e 9e");
}

WITH_DEVICE(test_controller_puts_bytes_into_the_output_buffer)
{
	command(b.dev, 0xd2);
	data(b.dev, 0x1c);
	CHECK_EQ(b.keyboard_irq.rises, 1);
	CHECK_EQ(status() & 0x21, 0x01);
	CHECK_EQ(port60(), 0x1c);
	config(0x47);
	command(b.dev, 0xd3);
	data(b.dev, 0x99);
	CHECK_EQ(b.mouse_irq.rises, 1);
	CHECK_EQ(status() & 0x21, 0x21);
	CHECK_EQ(port60(), 0x99);
	CHECK(!b.mouse_irq.is_high);
}

WITH_DEVICE(test_controller_output_port_shows_the_interrupts)
{
	command(b.dev, 0xd0);
	CHECK_EQ(port60(), 0xcf);
	key(0x1e);
	command(b.dev, 0xd0);
	CHECK_EQ(port60(), 0xdf);
}

WITH_DEVICE(test_controller_tests_find_both_ports)
{
	command(b.dev, 0xa9);
	CHECK_EQ(port60(), 0x00);
	command(b.dev, 0xab);
	CHECK_EQ(port60(), 0x00);
	command(b.dev, 0x20);
	CHECK_EQ(port60(), 0x65);
}

WITH_DEVICE(test_controller_without_interrupt_enable_makes_none)
{
	config(0x64);
	key(0x1e);
	CHECK_EQ(status() & 0x01, 0x01);
	CHECK_EQ(b.keyboard_irq.rises, 0);
	config(0x65);
	CHECK_EQ(b.keyboard_irq.rises, 1);
}

WITH_DEVICE(test_mouse_reset_and_identity)
{
	config(0x47);
	to_mouse(0xff);
	CHECK_EQ(status() & 0x21, 0x21);
	CHECK_EQ(b.mouse_irq.rises, 1);
	CHECK_STR(take(), "fa aa 00");
	CHECK_EQ(b.keyboard_irq.rises, 0);
	to_mouse(0xf2);
	CHECK_STR(take(), "fa 00");
	to_mouse(0x12);
	CHECK_STR(take(), "fe");
}

WITH_DEVICE(test_mouse_reports_motion_and_buttons_once_enabled)
{
	config(0x47);
	i8042_mouse(b.dev, 5, 5, 0, 0);
	CHECK_STR(take(), "");
	to_mouse(0xf4);
	CHECK_STR(take(), "fa");
	i8042_mouse(b.dev, 5, -3, 0, 0);
	CHECK_STR(take(), "28 05 fd");
	i8042_mouse(b.dev, 0, 0, 0, 5);
	CHECK_STR(take(), "0d 00 00");
	i8042_mouse(b.dev, 0, 0, 0, 5);
	CHECK_STR(take(), "");
	to_mouse(0xf5);
	CHECK_STR(take(), "fa");
	i8042_mouse(b.dev, 5, -3, 0, 0);
	CHECK_STR(take(), "");
}

WITH_DEVICE(test_mouse_motion_adds_up_while_nobody_reads)
{
	config(0x47);
	to_mouse(0xf4);
	CHECK_STR(take(), "fa");
	for (unsigned i = 0; i < 101; i++)
		i8042_mouse(b.dev, -4, 1, 0, 0);
	CHECK_STR(take(), "18 fc 01 18 01 64 18 6f 00"); /* -4, -255, -145: all of it */
}

WITH_DEVICE(test_mouse_a_click_that_nobody_has_read_yet_is_not_lost)
{
	config(0x47);
	to_mouse(0xf4);
	CHECK_STR(take(), "fa");
	i8042_mouse(b.dev, 0, 0, 0, 1);
	i8042_mouse(b.dev, 0, 0, 0, 0);
	i8042_mouse(b.dev, 0, 0, 0, 2);
	CHECK_STR(take(), "09 00 00 08 00 00 0a 00 00");
}

WITH_DEVICE(test_mouse_has_a_wheel_for_who_knocks)
{
	static const uint8_t knock[] = {200, 100, 80};
	config(0x47);
	for (unsigned i = 0; i < 3; i++) {
		to_mouse(0xf3);
		CHECK_STR(take(), "fa");
		to_mouse(knock[i]);
		CHECK_STR(take(), "fa");
	}
	to_mouse(0xf2);
	CHECK_STR(take(), "fa 03");
	to_mouse(0xf4);
	CHECK_STR(take(), "fa");
	i8042_mouse(b.dev, 0, 0, -1, 0);
	CHECK_STR(take(), "08 00 00 ff");
	i8042_mouse(b.dev, 1, 0, 9, 0);
	CHECK_STR(take(), "08 01 00 07 08 00 00 02");
}

WITH_DEVICE(test_mouse_remote_mode_reports_when_asked)
{
	config(0x47);
	to_mouse(0xf0);
	CHECK_STR(take(), "fa");
	i8042_mouse(b.dev, 3, 4, 0, 1);
	CHECK_STR(take(), "");
	to_mouse(0xeb);
	CHECK_STR(take(), "fa 09 03 04");
	to_mouse(0xeb);
	CHECK_STR(take(), "fa 09 00 00");
}

WITH_DEVICE(test_mouse_status_tells_what_was_set)
{
	config(0x47);
	to_mouse(0xe9);
	CHECK_STR(take(), "fa 00 02 64");
	to_mouse(0xe8);
	to_mouse(0x03);
	to_mouse(0xe7);
	to_mouse(0xf3);
	to_mouse(40);
	to_mouse(0xf4);
	CHECK_STR(take(), "fa fa");
	i8042_mouse(b.dev, 0, 0, 0, 1);
	CHECK_STR(take(), "09 00 00");
	to_mouse(0xe9);
	CHECK_STR(take(), "fa 34 03 28");
	to_mouse(0xf6);
	CHECK_STR(take(), "fa");
	to_mouse(0xe9);
	CHECK_STR(take(), "fa 04 02 64");
}

WITH_DEVICE(test_mouse_scaling_doubles_fast_motion)
{
	config(0x47);
	to_mouse(0xf4);
	CHECK_STR(take(), "fa");
	to_mouse(0xe7);
	CHECK_STR(take(), "fa");
	i8042_mouse(b.dev, 2, -5, 0, 0);
	CHECK_STR(take(), "28 01 f7");
	i8042_mouse(b.dev, 100, 0, 0, 0);
	CHECK_STR(take(), "08 c8 00");
}

WITH_DEVICE(test_mouse_wrap_mode_echoes)
{
	config(0x47);
	to_mouse(0xee);
	CHECK_STR(take(), "fa");
	to_mouse(0xf4);
	CHECK_STR(take(), "f4");
	to_mouse(0xec);
	CHECK_STR(take(), "fa");
	to_mouse(0xf2);
	CHECK_STR(take(), "fa 00");
}

WITH_DEVICE(test_mouse_does_not_get_between_the_bytes_of_the_wire)
{
	config(0x47);
	to_mouse(0xf4);
	CHECK_STR(take(), "fa");
	key(0x1e);
	i8042_mouse(b.dev, 1, 1, 0, 0);
	CHECK_EQ(status() & 0x21, 0x01);
	CHECK_STR(take(), "1e 9e 08 01 01");
	CHECK(!b.keyboard_irq.is_high);
	CHECK(!b.mouse_irq.is_high);
}

WITH_DEVICE(test_keyboard_tells_whether_all_was_read)
{
	CHECK(i8042_is_read(b.dev));
	key(0xe04d);
	for (unsigned n = 0; n < 4; n++) {
		CHECK(!i8042_is_read(b.dev));
		CHECK(status() & 0x01);
		port60();
		pass();
	}
	CHECK(i8042_is_read(b.dev));
	i8042_key(b.dev, 0x1e, true);
	command(b.dev, 0x20); /* the answer pushes the key aside */
	port60();
	CHECK(!i8042_is_read(b.dev));
	take();
	CHECK(i8042_is_read(b.dev));
	data(b.dev, 0xf5); /* the keyboard is switched off */
	take();
	CHECK(!i8042_is_read(b.dev));
	data(b.dev, 0xf4);
	take();
	CHECK(i8042_is_read(b.dev));
}

static void scramble(struct device *dev, void *ctx)
{
	(void)ctx;
	command(dev, 0x60);
	data(dev, 0x47);
	command(dev, 0xd4);
	data(dev, 0xf4);
	i8042_key(dev, I8042_KEY_PAUSE, true);
	i8042_mouse(dev, 300, -300, 1, 3);
	command(dev, 0x20);
	data(dev, 0xed);
	command(dev, 0xd1);
}

static void test_ps2_conforms(void)
{
	b = (struct bench){.clock.ns = 1};
	conformance_check(&(struct conformance){.create = fresh, .scramble = scramble, .ctx = &b});
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_keyboard_works_translated_from_the_start),
		TEST_CASE(test_keyboard_every_key_of_set_1_survives_translation),
		TEST_CASE(test_keyboard_tells_whether_all_was_read),
		TEST_CASE(test_keyboard_set_2_untranslated),
		TEST_CASE(test_keyboard_set_1_untranslated),
		TEST_CASE(test_keyboard_refuses_set_3),
		TEST_CASE(test_keyboard_pause_and_print_have_sequences_of_their_own),
		TEST_CASE(test_keyboard_each_byte_is_an_edge_and_the_next_takes_its_time),
		TEST_CASE(test_keyboard_polling_sees_the_next_byte_without_the_timer),
		TEST_CASE(test_keyboard_disabled_interface_keeps_keys),
		TEST_CASE(test_keyboard_full_buffer_refuses_whole_keys_until_it_is_read),
		TEST_CASE(test_keyboard_that_does_not_scan_loses_keys),
		TEST_CASE(test_keyboard_that_stops_scanning_lets_who_waits_go_on),
		TEST_CASE(test_keyboard_commands),
		TEST_CASE(test_keyboard_a_command_takes_the_place_of_an_argument),
		TEST_CASE(test_keyboard_leds_do_not_cost_keys),
		TEST_CASE(test_controller_answers_first_and_loses_no_key),
		TEST_CASE(test_controller_puts_bytes_into_the_output_buffer),
		TEST_CASE(test_controller_output_port_shows_the_interrupts),
		TEST_CASE(test_controller_tests_find_both_ports),
		TEST_CASE(test_controller_without_interrupt_enable_makes_none),
		TEST_CASE(test_mouse_reset_and_identity),
		TEST_CASE(test_mouse_reports_motion_and_buttons_once_enabled),
		TEST_CASE(test_mouse_motion_adds_up_while_nobody_reads),
		TEST_CASE(test_mouse_a_click_that_nobody_has_read_yet_is_not_lost),
		TEST_CASE(test_mouse_has_a_wheel_for_who_knocks),
		TEST_CASE(test_mouse_remote_mode_reports_when_asked),
		TEST_CASE(test_mouse_status_tells_what_was_set),
		TEST_CASE(test_mouse_scaling_doubles_fast_motion),
		TEST_CASE(test_mouse_wrap_mode_echoes),
		TEST_CASE(test_mouse_does_not_get_between_the_bytes_of_the_wire),
		TEST_CASE(test_ps2_conforms),
	};
	return TEST_RUN(cases);
}
