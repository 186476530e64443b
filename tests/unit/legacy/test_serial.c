/* The 16550A against its data sheet, and against what Linux's driver tries on it. */
#include "conformance.h"
#include "device_bytes.h"
#include "fakes.h"
#include "reseal.h"
#include "test.h"

enum {
	DATA,
	IER,
	IIR,
	FCR = IIR,
	LCR,
	MCR,
	LSR,
	MSR,
	SCR,
};

struct bench {
	struct device *dev;
	struct fake_irq irq;
	struct fake_chardev cd;
};

static bool setup(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	fake_chardev_init(&b->cd);
	return serial_create(&b->dev, "serial0", fake_irq_line(&b->irq), &b->cd.cd) == 0;
}

static uint8_t in(struct bench *b, unsigned reg)
{
	device_lock(b->dev);
	uint8_t value = (uint8_t)serial_bus_ops.read(b->dev, reg, 1);
	device_unlock(b->dev);
	return value;
}

static void out(struct bench *b, unsigned reg, uint8_t value)
{
	device_lock(b->dev);
	serial_bus_ops.write(b->dev, reg, 1, value);
	device_unlock(b->dev);
}

static void test_serial_power_on_values(void)
{
	struct bench b;
	CHECK(setup(&b));
	CHECK_EQ(in(&b, IER), 0);
	CHECK_EQ(in(&b, IIR), 0x01);
	CHECK_EQ(in(&b, LCR), 0);
	CHECK_EQ(in(&b, MCR), 0);
	CHECK_EQ(in(&b, LSR), 0x60);
	CHECK_EQ(in(&b, MSR), 0xb0);
	CHECK(!b.irq.is_high);
	device_destroy(b.dev);
	CHECK(!b.cd.client);
}

static void test_serial_dlab_shows_the_divisor(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, IER, 0x05);
	out(&b, LCR, 0x83);
	out(&b, DATA, 0x34);
	out(&b, IER, 0x12);
	CHECK_EQ(in(&b, DATA), 0x34);
	CHECK_EQ(in(&b, IER), 0x12);
	out(&b, LCR, 0x03);
	CHECK_EQ(in(&b, IER), 0x05);
	CHECK_EQ(b.cd.out_len, 0);
	device_destroy(b.dev);
}

/* drivers/tty/serial/8250/8250_port.c: autoconfig() and autoconfig_16550a(), step by step. */
static void test_serial_passes_linux_autoconfig_as_16550a(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, IER, 0);
	CHECK_EQ(in(&b, IER) & 0x0f, 0);
	out(&b, IER, 0x0f);
	CHECK_EQ(in(&b, IER), 0x0f); /* also: no UUE bit, no XScale */
	out(&b, IER, 0);
	out(&b, MCR, 0x10 | 0x0a);
	CHECK_EQ(in(&b, MSR) & 0xf0, 0x90);
	out(&b, MCR, 0);
	out(&b, LCR, 0xbf);
	out(&b, FCR, 0);
	out(&b, LCR, 0);
	out(&b, FCR, 0x01);
	CHECK_EQ(in(&b, IIR) >> 6, 3);
	out(&b, LCR, 0x80);
	CHECK(in(&b, IIR) != 0); /* no EFR */
	out(&b, LCR, 0xbf);
	CHECK(in(&b, IIR) != 0);
	out(&b, LCR, 0);
	out(&b, FCR, 0x21);
	CHECK_EQ(in(&b, IIR) >> 5, 6); /* no 64-byte FIFO of a 16750 */
	out(&b, LCR, 0x80);
	out(&b, FCR, 0x21);
	CHECK_EQ(in(&b, IIR) >> 5, 6);
	out(&b, LCR, 0);
	out(&b, SCR, 0xa5);
	CHECK_EQ(in(&b, SCR), 0xa5);
	device_destroy(b.dev);
}

/* size_fifo(): 256 characters in loopback mode, of which the FIFO keeps the first 16. */
static void test_serial_loopback_fifo_holds_16(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, FCR, 0x07);
	out(&b, MCR, 0x10);
	for (unsigned i = 0; i < 256; i++)
		out(&b, DATA, (uint8_t)i);
	unsigned count = 0;
	CHECK_EQ(in(&b, LSR), 0x63); /* DR, OE, THRE, TEMT */
	while (in(&b, LSR) & 1)
		CHECK_EQ(in(&b, DATA), count++);
	CHECK_EQ(count, 16);
	CHECK_EQ(b.cd.out_len, 0);
	device_destroy(b.dev);
}

/* serial8250_THRE_test(): enabling the interrupt with an empty transmitter raises it, each time. */
static void test_serial_thre_rises_when_enabled_and_clears_by_iir(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, MCR, 0x08);
	for (unsigned i = 0; i < 2; i++) {
		out(&b, IER, 0x02);
		CHECK(b.irq.is_high);
		CHECK_EQ(in(&b, IIR), 0x02);
		CHECK(!b.irq.is_high);
		CHECK_EQ(in(&b, IIR), 0x01);
		out(&b, IER, 0);
	}
	out(&b, IER, 0x02);
	in(&b, IIR);
	out(&b, DATA, 'x');
	CHECK(b.irq.is_high); /* sent, and empty again */
	CHECK_EQ(b.irq.rises, 4);
	CHECK_EQ(b.cd.out_len, 1);
	device_destroy(b.dev);
}

static void test_serial_iir_read_for_another_source_keeps_thre(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, IER, 0x03);
	CHECK_EQ(fake_chardev_type(&b.cd, "a", 1), 1);
	CHECK_EQ(in(&b, IIR), 0x04);
	CHECK_EQ(in(&b, IIR), 0x04);
	CHECK_EQ(in(&b, DATA), 'a');
	CHECK_EQ(in(&b, IIR), 0x02);
	device_destroy(b.dev);
}

static void test_serial_out2_and_loopback_gate_the_interrupt(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, IER, 0x02);
	CHECK(!b.irq.is_high);
	out(&b, MCR, 0x08);
	CHECK(b.irq.is_high);
	out(&b, MCR, 0x18);
	CHECK(!b.irq.is_high);
	device_destroy(b.dev);
}

static void test_serial_trigger_level_and_timeout(void)
{
	static const uint8_t level[] = {1, 4, 8, 14};
	struct bench b;
	CHECK(setup(&b));
	out(&b, IER, 0x01);
	for (unsigned i = 0; i < 4; i++) {
		out(&b, FCR, (uint8_t)(0x07 | i << 6));
		for (unsigned n = 1; n <= 16; n++) {
			CHECK_EQ(fake_chardev_type(&b.cd, "z", 1), 1);
			CHECK_EQ(in(&b, IIR), n < level[i] ? 0xcc : 0xc4);
		}
		CHECK_EQ(fake_chardev_type(&b.cd, "z", 1), 0);
	}
	device_destroy(b.dev);
}

static void test_serial_16450_mode_overwrites_rbr_on_overrun(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, IER, 0x04);
	out(&b, MCR, 0x10);
	out(&b, DATA, 'a');
	out(&b, DATA, 'b');
	CHECK_EQ(in(&b, IIR), 0x06);
	CHECK_EQ(in(&b, LSR), 0x63);
	CHECK_EQ(in(&b, IIR), 0x01);
	CHECK_EQ(in(&b, DATA), 'b');
	CHECK_EQ(in(&b, LSR), 0x60);
	device_destroy(b.dev);
}

static void test_serial_modem_deltas_interrupt_until_msr_is_read(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, IER, 0x08);
	out(&b, MCR, 0x14); /* loopback with RI on, the others off */
	CHECK_EQ(in(&b, IIR), 0x00);
	CHECK_EQ(in(&b, MSR), 0x4b);
	CHECK_EQ(in(&b, IIR), 0x01);
	out(&b, MCR, 0x10);
	CHECK_EQ(in(&b, MSR), 0x04); /* TERI */
	device_destroy(b.dev);
}

static void test_serial_blocked_backend_fills_the_fifo(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, FCR, 0x01);
	out(&b, MCR, 0x08);
	out(&b, IER, 0x02);
	in(&b, IIR);
	b.cd.is_blocked = true;
	for (unsigned i = 0; i < 20; i++)
		out(&b, DATA, (uint8_t)('a' + i));
	CHECK_EQ(in(&b, LSR), 0x00);
	CHECK(!b.irq.is_high);
	CHECK_EQ(b.cd.out_len, 0);

	b.cd.room = 3; /* some of it goes, some stays */
	device_lock(b.dev);
	b.cd.client->writable(b.cd.ctx);
	device_unlock(b.dev);
	CHECK_EQ(in(&b, LSR), 0x00);
	fake_chardev_unblock(&b.cd);
	CHECK_EQ(in(&b, LSR), 0x60);
	CHECK(b.irq.is_high);
	CHECK_EQ(b.cd.out_len, 16);
	CHECK(memcmp(b.cd.out, "abcdefghijklmnop", 16) == 0);
	device_destroy(b.dev);
}

static void test_serial_clearing_the_tx_fifo_makes_it_empty(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, FCR, 0x01);
	b.cd.is_blocked = true;
	out(&b, DATA, 'x');
	CHECK_EQ(in(&b, LSR), 0x00);
	out(&b, FCR, 0x05);
	CHECK_EQ(in(&b, LSR), 0x60);
	fake_chardev_unblock(&b.cd);
	CHECK_EQ(b.cd.out_len, 0);
	device_destroy(b.dev);
}

static void test_serial_input_waits_until_the_guest_listens(void)
{
	struct bench b;
	CHECK(setup(&b));
	CHECK_EQ(fake_chardev_type(&b.cd, "early", 5), 0);
	for (unsigned i = 0; i < 1000; i++) { /* printk: a look and a byte, in turn */
		in(&b, LSR);
		out(&b, DATA, '.');
	}
	CHECK_EQ(fake_chardev_type(&b.cd, "early", 5), 0);
	CHECK_EQ(b.cd.resumes, 0);
	out(&b, FCR, 0x07);
	out(&b, IER, 0x05);
	CHECK_EQ(b.cd.resumes, 1);
	CHECK_EQ(fake_chardev_type(&b.cd, "early", 5), 5);
	device_destroy(b.dev);
}

static void test_serial_polling_guest_gets_input(void)
{
	struct bench b;
	CHECK(setup(&b));
	CHECK_EQ(fake_chardev_type(&b.cd, "k", 1), 0);
	for (unsigned i = 0; i < 100 && !b.cd.resumes; i++)
		in(&b, LSR);
	CHECK_EQ(b.cd.resumes, 1);
	CHECK_EQ(fake_chardev_type(&b.cd, "k", 1), 1);
	CHECK_EQ(in(&b, LSR), 0x61);
	CHECK_EQ(in(&b, DATA), 'k');
	out(&b, DATA, 'k'); /* an echo does not make it deaf again, a new driver does */
	CHECK_EQ(fake_chardev_type(&b.cd, "l", 1), 1);
	out(&b, FCR, 0x07);
	CHECK_EQ(fake_chardev_type(&b.cd, "m", 1), 0);
	device_destroy(b.dev);
}

static void test_serial_asks_for_input_at_half_empty(void)
{
	struct bench b;
	CHECK(setup(&b));
	out(&b, FCR, 0x01);
	out(&b, IER, 0x01);
	CHECK_EQ(fake_chardev_type(&b.cd, "0123456789abcdefgh", 18), 16);
	CHECK_EQ(fake_chardev_type(&b.cd, "gh", 2), 0);
	for (unsigned i = 0; i < 7; i++)
		in(&b, DATA);
	CHECK_EQ(b.cd.resumes, 0);
	CHECK_EQ(in(&b, DATA), '7');
	CHECK_EQ(b.cd.resumes, 1);
	CHECK_EQ(fake_chardev_type(&b.cd, "gh", 2), 2);
	for (const char *p = "89abcdefgh"; *p; p++)
		CHECK_EQ(in(&b, DATA), *p);
	device_destroy(b.dev);
}

static void test_serial_without_backend_swallows_output(void)
{
	struct device *dev;
	CHECK_EQ(serial_create(&dev, "serial1", (struct irq_line){0}, NULL), 0);
	struct bench b = {.dev = dev};
	for (unsigned i = 0; i < 100; i++)
		out(&b, DATA, 'x');
	CHECK_EQ(in(&b, LSR), 0x60);
	device_destroy(dev);
}

static struct device *fresh(void *ctx)
{
	struct bench *b = ctx;
	struct device *dev;
	return serial_create(&dev, "serial0", fake_irq_line(&b->irq), &b->cd.cd) == 0 ? dev : NULL;
}

static void scramble(struct device *dev, void *ctx)
{
	struct bench *b = ctx;
	struct bench view = {.dev = dev};
	b->cd.is_blocked = true;
	out(&view, LCR, 0x83);
	out(&view, DATA, 1);
	out(&view, LCR, 0x03);
	out(&view, FCR, 0x81);
	out(&view, MCR, 0x1b);
	for (unsigned i = 0; i < 21; i++)
		out(&view, DATA, (uint8_t)i);
	for (unsigned i = 0; i < 5; i++)
		in(&view, DATA);
	out(&view, MCR, 0x0b);
	out(&view, DATA, 'q');
	out(&view, DATA, 'r');
	out(&view, IER, 0x07);
	out(&view, SCR, 0x5a);
	in(&view, LSR);
}

static void test_serial_conforms(void)
{
	struct bench b = {0};
	fake_chardev_init(&b.cd);
	conformance_check(&(struct conformance){.create = fresh, .scramble = scramble, .ctx = &b});
}

static void test_serial_a_load_that_fails_leaves_it_as_after_power_on(void)
{
	struct bench b;
	size_t len, at = 0;
	CHECK(setup(&b));
	out(&b, FCR, 0x01);
	out(&b, MCR, 0x10);
	for (unsigned i = 0; i < 5; i++)
		out(&b, DATA, (uint8_t)i);
	uint8_t *bytes = device_bytes_save(b.dev, &len);
	while (at + 4 < len && memcmp(bytes + at,
				      "\x03"
				      "FCR",
				      4) != 0)
		at++;
	CHECK(at + 4 < len);
	CHECK_EQ(bytes[at + 4], 0x01);

	/* Five characters, and no FIFO. */
	bytes[at + 4] = 0;
	reseal(bytes, len);
	CHECK(device_bytes_load(b.dev, bytes, len) != 0);
	free(bytes);
	CHECK_EQ(in(&b, MCR), 0);
	CHECK_EQ(in(&b, LSR), 0x60);
	bytes = device_bytes_save(b.dev, &len);
	CHECK_EQ(device_bytes_load(b.dev, bytes, len), 0);
	free(bytes);
	device_destroy(b.dev);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_serial_power_on_values),
		TEST_CASE(test_serial_dlab_shows_the_divisor),
		TEST_CASE(test_serial_passes_linux_autoconfig_as_16550a),
		TEST_CASE(test_serial_loopback_fifo_holds_16),
		TEST_CASE(test_serial_thre_rises_when_enabled_and_clears_by_iir),
		TEST_CASE(test_serial_iir_read_for_another_source_keeps_thre),
		TEST_CASE(test_serial_out2_and_loopback_gate_the_interrupt),
		TEST_CASE(test_serial_trigger_level_and_timeout),
		TEST_CASE(test_serial_16450_mode_overwrites_rbr_on_overrun),
		TEST_CASE(test_serial_modem_deltas_interrupt_until_msr_is_read),
		TEST_CASE(test_serial_blocked_backend_fills_the_fifo),
		TEST_CASE(test_serial_clearing_the_tx_fifo_makes_it_empty),
		TEST_CASE(test_serial_input_waits_until_the_guest_listens),
		TEST_CASE(test_serial_polling_guest_gets_input),
		TEST_CASE(test_serial_asks_for_input_at_half_empty),
		TEST_CASE(test_serial_without_backend_swallows_output),
		TEST_CASE(test_serial_conforms),
		TEST_CASE(test_serial_a_load_that_fails_leaves_it_as_after_power_on),
	};
	return TEST_RUN(cases);
}
