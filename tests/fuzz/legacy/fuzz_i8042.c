/* A register script for the keyboard controller, while keys are typed and the mouse moves. */
#include "fakes.h"
#include "regfuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct i8042_world {
	struct device *dev;
	struct fake_clock clock;
	struct fake_timer timer;
};

static void world(void *ctx, uint8_t what)
{
	struct i8042_world *w = ctx;
	device_lock(w->dev);
	switch (what >> 6) {
	case 0:
		w->clock.ns += (uint64_t)what << 16;
		if (fake_timer_expire(&w->timer, &w->clock))
			i8042_expired(w->dev);
		break;
	case 1:
		i8042_key(w->dev, what & 0x20 ? I8042_KEY_PAUSE : I8042_KEY_PRINT, what & 1);
		break;
	case 2:
		i8042_key(w->dev, (uint16_t)((what & 0x20 ? 0xe000 : 0) + (what << 1 & 0xff)),
			  what & 1);
		break;
	case 3:
		i8042_mouse(w->dev, (int)((unsigned)what << (what & 31)), -what, what & 15,
			    what >> 2);
		break;
	}
	device_unlock(w->dev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct i8042_world w = {.clock = {.ns = 1}};
	struct fake_power power = {0};
	struct fake_irq irq[2] = {0};
	struct i8042_config cfg = {
		.power = fake_power_sink(&power),
		.is_connected = !size || data[0] & 1,
		.clock = fake_clock_wire(&w.clock),
	};
	struct regfuzz f = {.ops = {&i8042_data_bus_ops, &i8042_command_bus_ops},
			    .size = {1, 1},
			    .world = world,
			    .ctx = &w};
	if (i8042_create(&f.twin, &cfg) != 0)
		return 0;
	cfg.timer = fake_timer_wire(&w.timer);
	cfg.keyboard_irq = fake_irq_line(&irq[0]);
	cfg.mouse_irq = fake_irq_line(&irq[1]);
	if (i8042_create(&f.dev, &cfg) != 0)
		return 0;
	w.dev = f.dev;
	regfuzz_run(&f, data, size);
	device_destroy(f.dev);
	device_destroy(f.twin);
	return 0;
}
