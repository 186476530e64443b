/* A register script for the 16550A, with input coming and output blocking meanwhile. */
#include "fakes.h"
#include "regfuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void world(void *ctx, uint8_t what)
{
	struct fake_chardev *cd = ctx;
	static const uint8_t input[16] = "0123456789abcdef";
	if (what & 0x10) {
		fake_chardev_type(cd, input, (what & 0x0f) + 1u);
	} else if (what & 1) {
		cd->is_blocked = true;
		cd->room = what >> 5;
	} else {
		fake_chardev_unblock(cd);
	}
	cd->out_len = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_irq irq = {0};
	struct fake_chardev cd;
	struct regfuzz f = {
		.ops = {&serial_bus_ops}, .size = {SERIAL_PORTS}, .world = world, .ctx = &cd};
	fake_chardev_init(&cd);
	if (serial_create(&f.twin, "serial0", (struct irq_line){0}, NULL) != 0 ||
	    serial_create(&f.dev, "serial0", fake_irq_line(&irq), &cd.cd) != 0)
		return 0;
	regfuzz_run(&f, data, size);
	device_destroy(f.dev);
	device_destroy(f.twin);
	return 0;
}
