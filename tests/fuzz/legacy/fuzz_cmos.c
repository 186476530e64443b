/* A register script for the real-time clock, while time goes on or jumps. */
#include "fakes.h"
#include "regfuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void world(void *ctx, uint8_t what)
{
	struct fake_clock *clock = ctx;
	clock->ns += (uint64_t)what << 20;
	clock->s += (what & 0x80 ? -1 : 1) * ((int64_t)(what & 7) << ((what >> 3 & 15) + 7));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_clock clock = {.ns = 1, .s = 1700000000};
	struct regfuzz f = {
		.ops = {&cmos_bus_ops}, .size = {CMOS_PORTS}, .world = world, .ctx = &clock};
	if (cmos_create(&f.dev, fake_clock_wire(&clock), 1 << 30, 0) != 0 ||
	    cmos_create(&f.twin, fake_clock_wire(&clock), 1 << 30, 0) != 0)
		return 0;
	regfuzz_run(&f, data, size);
	device_destroy(f.dev);
	device_destroy(f.twin);
	return 0;
}
