/*
 * A register script for the VGA: its ports, its memory from everywhere in the window, the text
 * window in guest memory, time; and pictures taken in between.
 */
#include "fakes.h"
#include "regfuzz.h"
#include "still.h"
#include <stdlib.h>
#include <tinyvm/screen.h>
#include <tinyvm/vga.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Pictures a script: those of graphics modes take milliseconds. */
#define PICTURES_MAX 2

struct machine {
	struct fake_clock clock;
	struct gmem *gm;
	struct device *dev, *twin;
	unsigned pictures;
	struct still still;
};

/* A script's offsets are the window's ends and where the memory maps begin and end. */
static uint64_t scatter(uint64_t off)
{
	static const uint32_t base[4] = {0, 0xffe0, 0x17fe0, VGA_MEMORY_SIZE - 64};
	return base[off >> 6] + (off & 63);
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
	struct machine *m = ctx;
	m->clock.ns += (uint64_t)what << (what & 31);
	if (gmem_write(m->gm, VGA_TEXT_BASE + what * 16u, &what, 1) != 0)
		abort();
	if (what & 7 || m->pictures++ >= PICTURES_MAX)
		return;
	device_lock(m->dev);
	vga_take(m->dev, &screen);
	device_unlock(m->dev);
	if (screen.kind == SCREEN_TEXT &&
	    (screen.cols > SCREEN_COLS_MAX || screen.rows > SCREEN_ROWS_MAX ||
	     screen.glyph_height > SCREEN_GLYPH_MAX))
		abort();
	if (screen.width > SCREEN_WIDTH_MAX || screen.height > SCREEN_HEIGHT_MAX)
		abort();
}

static void machine_create(struct machine *m, bool has_window)
{
	struct vga_window window = {.map = has_window ? map : NULL};
	struct clock clock = fake_clock_wire(&m->clock);
	m->clock.ns = 1;
	if (gmem_create(&m->gm, 1 << 20) != 0 || vga_create(&m->dev, m->gm, clock, window) != 0 ||
	    vga_create(&m->twin, m->gm, clock, (struct vga_window){0}) != 0)
		abort();
	still_add_gmem(&m->still, m->gm);
	still_add_heap(&m->still, m->dev);
	still_add_heap(&m->still, m->twin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine machines[2];
	struct machine *m = &machines[size & 1];
	if (!m->still.count)
		machine_create(m, size & 1);
	still_restore(&m->still);
	m->clock.ns = 1;
	m->pictures = 0;
	struct regfuzz f = {.dev = m->dev,
			    .twin = m->twin,
			    .ops = {&vga_port_bus_ops, &memory_ops},
			    .size = {VGA_PORTS, 256},
			    .world = world,
			    .ctx = m,
			    .is_quick = size & 14};
	regfuzz_run(&f, data, size);
	return 0;
}
