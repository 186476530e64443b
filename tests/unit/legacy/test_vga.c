/* The VGA's ports, its memory's ways, the text window, the retrace bits, the device contract. */
#include "conformance.h"
#include "fakes.h"
#include "test.h"
#include <tinyvm/screen.h>
#include <tinyvm/vga.h>

struct world {
	struct fake_clock clock;
	struct gmem *gm;
	struct device *dev;
	struct vga_window window;
	unsigned maps, unmaps;
	bool is_mapped;
};

static struct world w;

static void window_map(void *ctx, bool is_mapped)
{
	struct world *world = ctx;
	world->is_mapped = is_mapped;
	world->maps += is_mapped;
	world->unmaps += !is_mapped;
}

static struct device *fresh(void *ctx)
{
	struct world *world = ctx;
	struct device *dev;
	return vga_create(&dev, world->gm, fake_clock_wire(&world->clock), world->window) == 0
		       ? dev
		       : NULL;
}

static void begin(bool has_window)
{
	w = (struct world){.clock = {.ns = 1}};
	if (has_window)
		w.window = (struct vga_window){.map = window_map, .ctx = &w};
	if (gmem_create(&w.gm, 1 << 20) != 0 || !(w.dev = fresh(&w)))
		abort();
}

static void set_up(void)
{
	begin(false);
}

static void tear_down(void)
{
	device_destroy(w.dev);
	gmem_destroy(w.gm);
}

static uint8_t in(uint16_t port)
{
	uint8_t value;
	device_lock(w.dev);
	bus_ops_read(&vga_port_bus_ops, w.dev, port - VGA_PORT_BASE, &value, 1);
	device_unlock(w.dev);
	return value;
}

static void out_to(struct device *dev, uint16_t port, uint8_t value)
{
	device_lock(dev);
	bus_ops_write(&vga_port_bus_ops, dev, port - VGA_PORT_BASE, &value, 1);
	device_unlock(dev);
}

static void out(uint16_t port, uint8_t value)
{
	out_to(w.dev, port, value);
}

/* An index and its data. */
static void set(uint16_t port, uint8_t index, uint8_t value)
{
	out(port, index);
	out(port + 1, value);
}

static uint8_t get(uint16_t port, uint8_t index)
{
	out(port, index);
	return in(port + 1);
}

static void set_attribute(uint8_t index, uint8_t value)
{
	in(0x3da);
	out(0x3c0, index);
	out(0x3c0, value);
}

static void store_to(struct device *dev, uint32_t gpa, uint32_t value, unsigned size)
{
	device_lock(dev);
	bus_ops_write(&vga_memory_bus_ops, dev, gpa - VGA_MEMORY_BASE, &value, size);
	device_unlock(dev);
}

static void store(uint32_t gpa, uint8_t value)
{
	store_to(w.dev, gpa, value, 1);
}

static uint8_t load(uint32_t gpa)
{
	uint8_t value;
	device_lock(w.dev);
	bus_ops_read(&vga_memory_bus_ops, w.dev, gpa - VGA_MEMORY_BASE, &value, 1);
	device_unlock(w.dev);
	return value;
}

static const struct screen *shown(void)
{
	static struct screen screen;
	device_lock(w.dev);
	vga_take(w.dev, &screen);
	device_unlock(w.dev);
	return &screen;
}

static uint8_t plane(unsigned n, uint32_t gpa)
{
	set(0x3ce, 4, (uint8_t)n);
	return load(gpa);
}

/* Planes one by one at 0xa0000, as for a font or for planar graphics. */
static void go_planar(void)
{
	set(0x3c4, 2, 0x0f);
	set(0x3c4, 4, 0x06);
	set(0x3ce, 5, 0x00);
	set(0x3ce, 6, 0x05);
}

WITH_DEVICE(test_vga_begins_as_a_bios_leaves_it)
{
	CHECK_EQ(in(0x3cc), 0x67);
	CHECK_EQ(get(0x3d4, 1), 0x4f);
	CHECK_EQ(load(0xb8000), ' ');
	CHECK_EQ(load(0xb8001), 0x07);
	out(0x3c7, 7);
	CHECK_EQ(in(0x3c9), 0x2a);
	set(0x3c4, 4, 0x06);
	set(0x3ce, 5, 0);
	set(0x3ce, 6, 0x04);
	CHECK_EQ(plane(2, 0xa0000 + 'A' * 32 + 6), vga_font_8x16.glyph['A' * 16 + 6]);
}

WITH_DEVICE(test_vga_crtc_answers_where_the_misc_register_puts_it)
{
	CHECK_EQ(get(0x3b4, 1), 0xff);
	out(0x3c2, 0x66);
	CHECK_EQ(get(0x3d4, 1), 0xff);
	CHECK_EQ(get(0x3b4, 1), 0x4f);
}

WITH_DEVICE(test_vga_crtc_timing_is_write_protected)
{
	CHECK_EQ(get(0x3d4, 7), 0x1f);
	set(0x3d4, 0, 0x11);
	set(0x3d4, 7, 0x00);
	CHECK_EQ(get(0x3d4, 0), 0x5f);
	CHECK_EQ(get(0x3d4, 7), 0x0f); /* all but the line compare bit */
	set(0x3d4, 0x11, 0x0e);
	set(0x3d4, 0, 0x11);
	CHECK_EQ(get(0x3d4, 0), 0x11);
}

WITH_DEVICE(test_vga_a_word_to_an_index_port_sets_the_register)
{
	device_lock(w.dev);
	const uint8_t word[2] = {0x0f, 0x55};
	bus_ops_write(&vga_port_bus_ops, w.dev, 0x3d4 - VGA_PORT_BASE, word, 2);
	device_unlock(w.dev);
	CHECK_EQ(get(0x3d4, 0x0f), 0x55);
}

WITH_DEVICE(test_vga_attribute_flip_flop_and_palette_access)
{
	set_attribute(0x00, 0x3f);
	CHECK_EQ(in(0x3c1), 0x3f);
	set_attribute(0x20, 0x15); /* the display has the palette: not ours to write */
	CHECK_EQ(in(0x3c1), 0x3f);
	set_attribute(0x33, 0x01);
	CHECK_EQ(in(0x3c0), 0x33);
	CHECK_EQ(in(0x3c1), 0x01);
}

WITH_DEVICE(test_vga_dac_counts_components_and_entries)
{
	out(0x3c8, 0xff);
	for (unsigned i = 0; i < 6; i++)
		out(0x3c9, (uint8_t)(0x41 + i));
	CHECK_EQ(in(0x3c7), 0);
	out(0x3c7, 0xff);
	CHECK_EQ(in(0x3c7), 3);
	for (unsigned i = 0; i < 6; i++)
		CHECK_EQ(in(0x3c9), 0x01 + i);
	CHECK_EQ(in(0x3c8), 1);
}

WITH_DEVICE(test_vga_map_select_moves_the_window)
{
	store(0xa0000, 1);
	store(0xb0000, 2);
	CHECK_EQ(load(0xa0000), 0xff);
	CHECK_EQ(load(0xb0000), 0xff);
	set(0x3ce, 6, 0x0a); /* B0000 */
	store(0xb0000, 'x');
	CHECK_EQ(load(0xb0000), 'x');
	CHECK_EQ(load(0xb8000), 0xff);
	set(0x3ce, 6, 0x02); /* all of it */
	CHECK_EQ(load(0xa0000), 'x');
	out(0x3c2, 0x65); /* memory off */
	CHECK_EQ(load(0xa0000), 0xff);
}

WITH_DEVICE(test_vga_write_mode_0_rotates_sets_and_masks)
{
	go_planar();
	store(0xa0000, 0x81);
	for (unsigned n = 0; n < 4; n++)
		CHECK_EQ(plane(n, 0xa0000), 0x81);
	set(0x3c4, 2, 0x02);
	set(0x3ce, 3, 0x01); /* rotated right by one */
	store(0xa0000, 0x81);
	CHECK_EQ(plane(1, 0xa0000), 0xc0);
	CHECK_EQ(plane(0, 0xa0000), 0x81);
	set(0x3ce, 3, 0x00);
	set(0x3c4, 2, 0x0f);
	set(0x3ce, 0, 0x05);
	set(0x3ce, 1, 0x0f);
	set(0x3ce, 8, 0x0f);
	load(0xa0000);
	store(0xa0000, 0x00);
	CHECK_EQ(plane(0, 0xa0000), 0x8f);
	CHECK_EQ(plane(1, 0xa0000), 0xc0);
	CHECK_EQ(plane(2, 0xa0000), 0x8f);
}

WITH_DEVICE(test_vga_write_mode_0_combines_with_the_latches)
{
	go_planar();
	store(0xa0000, 0x3c);
	static const uint8_t want[4] = {0x0f, 0x0c, 0x3f, 0x33};
	for (unsigned function = 0; function < 4; function++) {
		set(0x3ce, 3, (uint8_t)(function << 3));
		load(0xa0000);
		store(0xa0001, 0x0f);
		CHECK_EQ(plane(2, 0xa0001), want[function]);
	}
}

WITH_DEVICE(test_vga_write_mode_1_copies_the_latches)
{
	go_planar();
	for (uint8_t n = 0; n < 4; n++) {
		set(0x3c4, 2, (uint8_t)(1 << n));
		store(0xa0000, (uint8_t)(0x10 + n));
	}
	set(0x3c4, 2, 0x0f);
	set(0x3ce, 5, 0x01);
	load(0xa0000);
	store(0xa0100, 0xff);
	for (unsigned n = 0; n < 4; n++)
		CHECK_EQ(plane(n, 0xa0100), 0x10 + n);
}

WITH_DEVICE(test_vga_write_mode_2_spreads_a_colour)
{
	go_planar();
	set(0x3ce, 5, 0x02);
	set(0x3ce, 8, 0x18);
	load(0xa8000);
	store(0xa8000, 0x0a);
	CHECK_EQ(plane(0, 0xa8000), 0x00);
	CHECK_EQ(plane(1, 0xa8000), 0x18);
	CHECK_EQ(plane(3, 0xa8000), 0x18);
}

WITH_DEVICE(test_vga_write_mode_3_masks_with_the_data)
{
	go_planar();
	set(0x3ce, 0, 0x06);
	set(0x3ce, 5, 0x03);
	set(0x3ce, 8, 0xf0);
	load(0xa8000);
	store(0xa8000, 0x3c);
	CHECK_EQ(plane(0, 0xa8000), 0x00);
	CHECK_EQ(plane(1, 0xa8000), 0x30);
	CHECK_EQ(plane(2, 0xa8000), 0x30);
}

WITH_DEVICE(test_vga_read_mode_1_compares_colours)
{
	go_planar();
	set(0x3ce, 5, 0x02);
	set(0x3ce, 8, 0xf0);
	load(0xa0000);
	store(0xa0000, 0x05);
	set(0x3ce, 5, 0x08);
	set(0x3ce, 2, 0x05);
	set(0x3ce, 7, 0x0f);
	CHECK_EQ(load(0xa0000), 0xf0);
	set(0x3ce, 2, 0x04);
	CHECK_EQ(load(0xa0000), 0x00);
	set(0x3ce, 7, 0x0e); /* plane 0 does not matter */
	CHECK_EQ(load(0xa0000), 0xf0);
}

WITH_DEVICE(test_vga_chain_4_spreads_bytes_over_the_planes)
{
	set(0x3c4, 2, 0x0f);
	set(0x3c4, 4, 0x0e);
	set(0x3ce, 5, 0x40);
	set(0x3ce, 6, 0x05);
	store_to(w.dev, 0xa0004, 0x44332211, 4);
	CHECK_EQ(load(0xa0006), 0x33);
	set(0x3c4, 4, 0x06);
	for (unsigned n = 0; n < 4; n++)
		CHECK_EQ(plane(n, 0xa0004), 0x11 * (n + 1));
}

WITH_DEVICE(test_vga_font_loading_leaves_the_text_alone)
{
	store(0xb8000, 'A');
	store(0xb8001, 0x1e);
	set(0x3c4, 2, 0x04);
	set(0x3c4, 4, 0x06);
	set(0x3ce, 5, 0x00);
	set(0x3ce, 6, 0x04);
	store(0xa0000 + 'A' * 32, 0x99);
	set(0x3c4, 2, 0x03);
	set(0x3c4, 4, 0x02);
	set(0x3ce, 5, 0x10);
	set(0x3ce, 6, 0x0e);
	CHECK_EQ(shown()->cell[0], 0x1e41);
	CHECK_EQ(shown()->glyph['A'][0], 0x99);
}

static void test_vga_text_window_is_mapped_and_shows(void)
{
	begin(true);
	CHECK(!w.is_mapped); /* the board is not there yet */
	store(0xb8000, 'H');
	CHECK(w.is_mapped);
	uint8_t text[4];
	CHECK_EQ(gmem_read(w.gm, 0xb8000, text, 4), 0);
	CHECK_EQ(text[0], 'H');
	CHECK_EQ(text[2], ' ');
	CHECK_EQ(gmem_write(w.gm, 0xb8002, "i\x4f", 2), 0);
	CHECK_EQ(load(0xb8002), 'i');
	CHECK_EQ(shown()->cell[0], 0x0748);
	CHECK_EQ(shown()->cell[1], 0x4f69);

	/* The planes are wanted: the text goes there, and comes back. */
	set(0x3c4, 4, 0x06);
	CHECK(!w.is_mapped);
	set(0x3ce, 5, 0x00);
	set(0x3ce, 6, 0x04);
	CHECK_EQ(plane(0, 0xa0002), 'i');
	CHECK_EQ(plane(1, 0xa0002), 0x4f);
	store(0xa0000, 'J');
	CHECK_EQ(gmem_write(w.gm, 0xb8002, "XX", 2), 0);
	set(0x3ce, 4, 0);
	set(0x3ce, 6, 0x0e);
	set(0x3ce, 5, 0x10);
	CHECK(!w.is_mapped);
	set(0x3c4, 4, 0x02);
	CHECK(w.is_mapped);
	CHECK_EQ(gmem_read(w.gm, 0xb8000, text, 4), 0);
	CHECK_EQ(text[0], 'J');
	CHECK_EQ(text[2], 'i');
	CHECK_EQ(w.maps, 2);
	CHECK_EQ(w.unmaps, 1);
	device_reset(w.dev);
	CHECK(!w.is_mapped);
	CHECK_EQ(shown()->cell[0], 0x0720);
	tear_down();
}

WITH_DEVICE(test_vga_vertical_retrace_comes_70_times_a_second)
{
	unsigned rises = 0;
	uint8_t before = in(0x3da);
	for (unsigned us = 0; us < 1000000; us += 10) {
		uint8_t now = in(0x3da);
		rises += (now & ~before & 0x08) != 0;
		before = now;
		w.clock.ns += 10000;
	}
	CHECK(rises >= 69 && rises <= 71);
}

WITH_DEVICE(test_vga_who_looks_rarely_sees_every_retrace)
{
	/* Once in 5 ms, each a moment of 64 us in 14.3 ms: by chance that would be one in 220. */
	unsigned seen = 0;
	in(0x3da);
	for (unsigned i = 0; i < 200; i++) {
		w.clock.ns += 5000000;
		seen += (in(0x3da) & 0x08) != 0;
	}
	CHECK(seen >= 65 && seen <= 75);
}

WITH_DEVICE(test_vga_horizontal_retrace_toggles_fast_and_slow)
{
	static const unsigned step_ns[] = {700, 32000, 50000, 317777};
	for (unsigned s = 0; s < sizeof(step_ns) / sizeof(step_ns[0]); s++) {
		unsigned toggles = 0;
		uint8_t before = in(0x3da);
		for (unsigned i = 0; i < 1000; i++) {
			w.clock.ns += step_ns[s];
			uint8_t now = in(0x3da);
			toggles += (now ^ before) & 1;
			before = now;
		}
		CHECK(toggles > 30);
	}
}

static void scramble(struct device *dev, void *ctx)
{
	static const uint8_t ports[][3] = {
		{0xd4, 0x0a, 0x20}, {0xd4, 0x11, 0x0e}, {0xd4, 0x00, 0x5e}, {0xc4, 0x02, 0x0f},
		{0xc4, 0x04, 0x0e}, {0xce, 0x05, 0x40}, {0xce, 0x06, 0x05},
	};
	(void)ctx;
	store_to(dev, 0xb8000, 0x1f411f42, 4);
	for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		out_to(dev, 0x300 + ports[i][0], ports[i][1]);
		out_to(dev, 0x301 + ports[i][0], ports[i][2]);
	}
	out_to(dev, 0x3c0, 0x10);
	out_to(dev, 0x3c8, 3);
	out_to(dev, 0x3c9, 3);
	store_to(dev, 0xa0100, 0x12345678, 4);
}

WITH_DEVICE(test_vga_conforms)
{
	const struct conformance c = {.create = fresh, .scramble = scramble, .ctx = &w};
	conformance_check(&c);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_vga_begins_as_a_bios_leaves_it),
		TEST_CASE(test_vga_crtc_answers_where_the_misc_register_puts_it),
		TEST_CASE(test_vga_crtc_timing_is_write_protected),
		TEST_CASE(test_vga_a_word_to_an_index_port_sets_the_register),
		TEST_CASE(test_vga_attribute_flip_flop_and_palette_access),
		TEST_CASE(test_vga_dac_counts_components_and_entries),
		TEST_CASE(test_vga_map_select_moves_the_window),
		TEST_CASE(test_vga_write_mode_0_rotates_sets_and_masks),
		TEST_CASE(test_vga_write_mode_0_combines_with_the_latches),
		TEST_CASE(test_vga_write_mode_1_copies_the_latches),
		TEST_CASE(test_vga_write_mode_2_spreads_a_colour),
		TEST_CASE(test_vga_write_mode_3_masks_with_the_data),
		TEST_CASE(test_vga_read_mode_1_compares_colours),
		TEST_CASE(test_vga_chain_4_spreads_bytes_over_the_planes),
		TEST_CASE(test_vga_font_loading_leaves_the_text_alone),
		TEST_CASE(test_vga_text_window_is_mapped_and_shows),
		TEST_CASE(test_vga_vertical_retrace_comes_70_times_a_second),
		TEST_CASE(test_vga_who_looks_rarely_sees_every_retrace),
		TEST_CASE(test_vga_horizontal_retrace_toggles_fast_and_slow),
		TEST_CASE(test_vga_conforms),
	};
	return TEST_RUN(cases);
}
