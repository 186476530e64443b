/* A register script for the ACPI power management block and the reset port. */
#include "fakes.h"
#include "regfuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pm_world {
	struct device *dev;
	struct fake_clock clock;
};

static void world(void *ctx, uint8_t what)
{
	struct pm_world *w = ctx;
	if (what & 0x80)
		pm_press_power_button(w->dev);
	else
		w->clock.ns += (uint64_t)what << (what & 31);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_irq sci = {0};
	struct fake_power power = {0};
	struct pm_world w = {0};
	struct regfuzz f = {.ops = {&pm_bus_ops, &pm_reset_bus_ops},
			    .size = {PM_PORTS, 1},
			    .world = world,
			    .ctx = &w};
	if (pm_create(&f.dev, fake_irq_line(&sci), fake_clock_wire(&w.clock),
		      fake_power_sink(&power)) != 0 ||
	    pm_create(&f.twin, (struct irq_line){0}, fake_clock_wire(&w.clock),
		      fake_power_sink(&power)) != 0)
		return 0;
	w.dev = f.dev;
	regfuzz_run(&f, data, size);
	device_destroy(f.dev);
	device_destroy(f.twin);
	return 0;
}
