/* A register script for the real-time clock, while time goes on or jumps. */
#include "fakes.h"
#include "regfuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Between 1870 and 2100, which is what nanoseconds can say. */
#define ERA_S 4000000000

struct cmos_world {
	struct device *dev;
	struct fake_clock clock;
	struct fake_timer timer;
};

static void world(void *ctx, uint8_t what)
{
	struct cmos_world *w = ctx;
	w->clock.ns += (uint64_t)what << 20;
	int64_t s = w->clock.s +
		    (what & 0x80 ? -1 : 1) * ((int64_t)(what & 7) << ((what >> 3 & 15) + 7));
	if (s > -ERA_S && s < ERA_S)
		w->clock.s = s;
	device_lock(w->dev);
	if (fake_timer_expire(&w->timer, &w->clock))
		cmos_expired(w->dev);
	device_unlock(w->dev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmos_world w = {.clock = {.ns = 1, .s = 1700000000}};
	struct fake_irq irq = {0};
	struct cmos_config cfg = {.clock = fake_clock_wire(&w.clock), .ram_below_4g = 1 << 30};
	struct regfuzz f = {
		.ops = {&cmos_bus_ops}, .size = {CMOS_PORTS}, .world = world, .ctx = &w};
	if (cmos_create(&f.twin, &cfg) != 0)
		return 0;
	cfg.timer = fake_timer_wire(&w.timer);
	cfg.irq = fake_irq_line(&irq);
	if (cmos_create(&f.dev, &cfg) != 0)
		return 0;
	w.dev = f.dev;
	regfuzz_run(&f, data, size);
	device_destroy(f.dev);
	device_destroy(f.twin);
	return 0;
}
