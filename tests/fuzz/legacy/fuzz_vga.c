/*
 * A register script for the VGA: its ports, its memory from everywhere in the window, the text
 * window in guest memory, time; and pictures taken in between.
 */
#include "fakes.h"
#include "regfuzz.h"
#include <stdlib.h>
#include <tinyvm/screen.h>
#include <tinyvm/vga.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct fake_clock clock;
	struct device *dev;
	struct gmem *gm;
};

/* A script's 8-bit offsets reach all of the 128 KiB, odd and even. */
static uint64_t scatter(uint64_t off)
{
	return (off * 0x203) % (VGA_MEMORY_SIZE - 7);
}

static uint64_t memory_read(void *ctx, uint64_t off, unsigned size)
{
	return vga_memory_bus_ops.read(ctx, scatter(off), size);
}

static void memory_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	vga_memory_bus_ops.write(ctx, scatter(off), size, value);
}

static const struct bus_ops memory_ops = {
	.sizes = BUS_SIZE_ANY, .read = memory_read, .write = memory_write};

static void map(void *ctx, bool is_mapped)
{
	(void)ctx, (void)is_mapped;
}

static void world(void *ctx, uint8_t what)
{
	static struct screen screen;
	struct world *w = ctx;
	w->clock.ns += (uint64_t)what << (what & 31);
	if (gmem_write(w->gm, VGA_TEXT_BASE + what * 128u, &what, 1) != 0)
		abort();
	if (what & 1)
		return;
	device_lock(w->dev);
	vga_take(w->dev, &screen);
	device_unlock(w->dev);
	if (screen.kind == SCREEN_TEXT &&
	    (screen.cols > SCREEN_COLS_MAX || screen.rows > SCREEN_ROWS_MAX ||
	     screen.glyph_height > SCREEN_GLYPH_MAX))
		abort();
	if (screen.width > SCREEN_WIDTH_MAX || screen.height > SCREEN_HEIGHT_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {.clock = {.ns = 1}};
	struct vga_window window = {.map = size & 1 ? map : NULL};
	struct clock clock = fake_clock_wire(&w.clock);
	struct regfuzz f = {.ops = {&vga_port_bus_ops, &memory_ops},
			    .size = {VGA_PORTS, 256},
			    .world = world,
			    .ctx = &w};
	if (gmem_create(&w.gm, 1 << 20) != 0)
		return 0;
	if (vga_create(&f.dev, w.gm, clock, window) != 0 ||
	    vga_create(&f.twin, w.gm, clock, (struct vga_window){0}) != 0)
		abort();
	w.dev = f.dev;
	regfuzz_run(&f, data, size);
	device_destroy(f.dev);
	device_destroy(f.twin);
	gmem_destroy(w.gm);
	return 0;
}
