/* What the VGA shows, of registers that programs set beyond the BIOS's modes; and the fonts. */
#include "fakes.h"
#include "test.h"
#include <tinyvm/screen.h>
#include <tinyvm/vga.h>

static struct fake_clock clock_now;
static struct device *dev;
static struct screen screen;

static void set_up(void)
{
	if (vga_create(&dev, NULL, fake_clock_wire(&clock_now), (struct vga_window){0}) != 0)
		abort();
}

static void tear_down(void)
{
	device_destroy(dev);
}

static void out(uint16_t port, uint8_t value)
{
	device_lock(dev);
	bus_ops_write(&vga_port_bus_ops, dev, port - VGA_PORT_BASE, &value, 1);
	device_unlock(dev);
}

static void set(uint16_t port, uint8_t index, uint8_t value)
{
	out(port, index);
	out(port + 1, value);
}

static void set_attribute(uint8_t index, uint8_t value)
{
	uint8_t status;
	device_lock(dev);
	bus_ops_read(&vga_port_bus_ops, dev, 0x3da - VGA_PORT_BASE, &status, 1);
	device_unlock(dev);
	out(0x3c0, index);
	out(0x3c0, value);
	out(0x3c0, 0x20);
}

/* Memory, with @size bytes of @value. */
static void store(uint32_t gpa, uint32_t value, unsigned size)
{
	device_lock(dev);
	bus_ops_write(&vga_memory_bus_ops, dev, gpa - VGA_MEMORY_BASE, &value, size);
	device_unlock(dev);
}

/* All registers of a BIOS mode, memory cleared; the CRTC's timing not protected. */
static void set_mode(uint8_t number)
{
	const struct vga_mode *m = vga_mode(number);
	uint8_t dac[256][3];
	out(0x3c2, m->misc);
	for (uint8_t i = 1; i < 5; i++)
		set(0x3c4, i, m->sequencer[i]);
	set(0x3d4, 0x11, 0);
	for (uint8_t i = 0; i < 25; i++)
		set(0x3d4, i, i == 0x11 ? m->crtc[i] & 0x7f : m->crtc[i]);
	for (uint8_t i = 0; i < 9; i++)
		set(0x3ce, i, m->graphics[i]);
	for (uint8_t i = 0; i < 21; i++)
		set_attribute(i, m->attribute[i]);
	vga_mode_dac(m, dac);
	out(0x3c8, 0);
	for (unsigned i = 0; i < 256 * 3; i++)
		out(0x3c9, dac[i / 3][i % 3]);
	if (m->graphics[6] & 1) {
		for (uint32_t at = 0; at < VGA_MEMORY_SIZE; at += 4)
			store(VGA_MEMORY_BASE + at, 0, 4);
	}
}

static const struct screen *shown(void)
{
	device_lock(dev);
	vga_take(dev, &screen);
	device_unlock(dev);
	return &screen;
}

static uint8_t dot(unsigned x, unsigned y)
{
	return shown()->dot[y * screen.width + x];
}

WITH_DEVICE(test_every_mode_of_the_table_has_its_size)
{
	static const struct {
		uint8_t mode;
		unsigned width, height;
	} want[] = {{0, 40, 25},      {1, 40, 25},	{2, 80, 25},	  {3, 80, 25},
		    {4, 320, 200},    {5, 320, 200},	{6, 640, 200},	  {0x0d, 320, 200},
		    {0x0e, 640, 200}, {0x10, 640, 350}, {0x11, 640, 480}, {0x12, 640, 480},
		    {0x13, 320, 200}};
	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		set_mode(want[i].mode);
		const struct screen *s = shown();
		CHECK_EQ(s->kind == SCREEN_TEXT ? s->cols : s->width, want[i].width);
		CHECK_EQ(s->kind == SCREEN_TEXT ? s->rows : s->height, want[i].height);
	}
	CHECK(!vga_mode(8) && !vga_mode(0x14) && !vga_mode(0xff));
}

WITH_DEVICE(test_132_columns_are_shown)
{
	set(0x3d4, 0x11, 0);
	set(0x3d4, 0x01, 131);
	set(0x3d4, 0x13, 66);
	store(0xb8000 + (132 + 131) * 2, 0x1e58, 2);
	CHECK_EQ(shown()->cols, 132);
	CHECK_EQ(screen.cell[132 + 131], 0x1e58);
}

WITH_DEVICE(test_more_than_the_screen_holds_is_cut)
{
	set(0x3d4, 0x11, 0);
	set(0x3d4, 0x01, 255);
	set(0x3d4, 0x07, 0xff);
	set(0x3d4, 0x09, 0x00);
	CHECK_EQ(shown()->cols, SCREEN_COLS_MAX);
	CHECK_EQ(screen.rows, SCREEN_ROWS_MAX);
	set(0x3ce, 6, 0x05);
	CHECK_EQ(shown()->width, SCREEN_WIDTH_MAX);
	CHECK_EQ(screen.height, SCREEN_HEIGHT_MAX);
}

WITH_DEVICE(test_start_address_and_split_screen)
{
	for (unsigned i = 0; i < 80 * 50; i++)
		store(0xb8000 + i * 2, 0x0700 | (i / 80 + 1), 2);
	set(0x3d4, 0x0c, 80 >> 8);
	set(0x3d4, 0x0d, 80);
	CHECK_EQ(shown()->cell[0] & 0xff, 2);
	CHECK_EQ(screen.cell[24 * 80] & 0xff, 26);
	/* From line 320 on the picture begins anew at address 0. */
	set(0x3d4, 0x11, 0);
	set(0x3d4, 0x18, 319 & 0xff);
	set(0x3d4, 0x07, 0x1f);
	set(0x3d4, 0x09, 0x0f);
	CHECK_EQ(shown()->cell[19 * 80] & 0xff, 21);
	CHECK_EQ(screen.cell[20 * 80] & 0xff, 1);
	CHECK_EQ(screen.cell[24 * 80] & 0xff, 5);
}

WITH_DEVICE(test_cursor_is_where_the_crtc_has_it)
{
	set(0x3d4, 0x0c, 0x07);
	set(0x3d4, 0x0d, 0xd0);
	set(0x3d4, 0x0e, 0x07);
	set(0x3d4, 0x0f, 0xd0 + 5);
	CHECK(shown()->is_cursor_visible);
	CHECK_EQ(screen.cursor_row, 0);
	CHECK_EQ(screen.cursor_col, 5);
	set(0x3d4, 0x0e, 0x00);
	CHECK(!shown()->is_cursor_visible);
	set(0x3d4, 0x0e, 0x07);
	set(0x3d4, 0x0a, 0x2d);
	CHECK(!shown()->is_cursor_visible);
	set(0x3d4, 0x0a, 0x0f); /* first line after the last */
	CHECK(!shown()->is_cursor_visible);
}

WITH_DEVICE(test_blank_screens)
{
	CHECK_EQ(shown()->kind, SCREEN_TEXT);
	set(0x3c4, 1, 0x20);
	CHECK_EQ(shown()->kind, SCREEN_BLANK);
	set(0x3c4, 1, 0x00);
	out(0x3c0, 0x00);
	CHECK_EQ(shown()->kind, SCREEN_BLANK);
}

WITH_DEVICE(test_attributes_of_eight_colours_hide_bit_3)
{
	set_attribute(0x12, 0x07);
	CHECK_EQ(shown()->palette[9], screen.palette[1]);
}

WITH_DEVICE(test_palette_pages_of_the_colour_select_register)
{
	out(0x3c8, 0x17);
	out(0x3c9, 0x3f);
	out(0x3c9, 0x00);
	out(0x3c9, 0x15);
	set_attribute(0x10, 0x8c);
	set_attribute(0x14, 0x01);
	CHECK_EQ(shown()->palette[7], 0xff0055);
	out(0x3c6, 0x0f); /* the DAC's mask */
	CHECK_EQ(shown()->palette[7], 0xaaaaaa);
}

WITH_DEVICE(test_a_second_font_is_selected)
{
	set(0x3c4, 2, 4);
	set(0x3c4, 4, 6);
	set(0x3ce, 5, 0);
	set(0x3ce, 6, 4);
	store(0xa0000 + 0x6000 + 'A' * 32, 0x42, 1); /* font 5 */
	set(0x3c4, 3, 0x11);
	set(0x3ce, 6, 0x0e);
	CHECK_EQ(shown()->glyph['A'][0], 0x42);
}

WITH_DEVICE(test_mode_x_shows_unchained_planes)
{
	set_mode(0x13);
	set(0x3c4, 4, 0x06);
	set(0x3d4, 0x14, 0x00);
	set(0x3d4, 0x17, 0xe3);
	for (uint8_t plane = 0; plane < 4; plane++) {
		set(0x3c4, 2, (uint8_t)(1 << plane));
		store(0xa0000 + 80, 0x10 + plane, 1);
	}
	CHECK_EQ(shown()->width, 320);
	for (unsigned x = 0; x < 4; x++)
		CHECK_EQ(dot(x, 1), 0x10 + x);
	set(0x3d4, 0x0d, 80);
	CHECK_EQ(dot(3, 0), 0x13);
	set(0x3d4, 0x09, 0x40); /* 400 lines */
	CHECK_EQ(shown()->height, 400);
}

WITH_DEVICE(test_chained_256_colours_are_linear)
{
	set_mode(0x13);
	store(0xa0000 + 199 * 320 + 316, 0x44332211, 4);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(dot(316 + i, 199), 0x11 * (i + 1));
	set_attribute(0x13, 0x02); /* one dot to the left */
	CHECK_EQ(dot(315, 199), 0x11);
}

WITH_DEVICE(test_planar_dots_and_panning)
{
	set_mode(0x0d);
	set(0x3c4, 2, 0x05);
	store(0xa0000 + 40, 0x80, 1);
	set(0x3c4, 2, 0x08);
	store(0xa0000 + 40, 0x01, 1);
	CHECK_EQ(dot(0, 1), 5);
	CHECK_EQ(dot(7, 1), 8);
	set_attribute(0x13, 7);
	CHECK_EQ(dot(0, 1), 8);
}

WITH_DEVICE(test_cga_dots_are_interleaved)
{
	set_mode(4);
	store(0xb8000, 0x1b, 1);
	store(0xb8000 + 1, 0xc0, 1);
	store(0xba000, 0x40, 1);
	for (unsigned x = 0; x < 4; x++)
		CHECK_EQ(dot(x, 0), x);
	CHECK_EQ(dot(4, 0), 3);
	CHECK_EQ(dot(0, 1), 1);
	set_mode(6);
	store(0xb8000 + 80, 0x81, 1);
	CHECK_EQ(dot(0, 2), 1);
	CHECK_EQ(dot(7, 2), 1);
	CHECK_EQ(dot(1, 2), 0);
}

/* The dots at the four edges of a box-drawing character: what a neighbour has to continue. */
struct edges {
	uint8_t top, bottom;
	uint16_t left, right;
};

static struct edges edges(const struct vga_font *font, uint8_t code)
{
	const uint8_t *glyph = font->glyph + code * font->height;
	struct edges e = {.top = glyph[0], .bottom = glyph[font->height - 1]};
	for (unsigned y = 0; y < font->height; y++) {
		e.left |= (uint16_t)((glyph[y] >> 7 & 1) << y);
		e.right |= (uint16_t)((glyph[y] & 1) << y);
	}
	return e;
}

/* Each arm of a box-drawing character looks like that of the straight line it continues. */
static void test_box_drawing_characters_join(void)
{
	/* Arms up, down, left, right: 0 none, 1 single, 2 double. From 0xb3 on. */
	static const uint8_t arms[40][4] = {
		{1, 1, 0, 0}, {1, 1, 1, 0}, {1, 1, 2, 0}, {2, 2, 1, 0}, {0, 2, 1, 0}, {0, 1, 2, 0},
		{2, 2, 2, 0}, {2, 2, 0, 0}, {0, 2, 2, 0}, {2, 0, 2, 0}, {2, 0, 1, 0}, {1, 0, 2, 0},
		{0, 1, 1, 0}, {1, 0, 0, 1}, {1, 0, 1, 1}, {0, 1, 1, 1}, {1, 1, 0, 1}, {0, 0, 1, 1},
		{1, 1, 1, 1}, {1, 1, 0, 2}, {2, 2, 0, 1}, {2, 0, 0, 2}, {0, 2, 0, 2}, {2, 0, 2, 2},
		{0, 2, 2, 2}, {2, 2, 0, 2}, {0, 0, 2, 2}, {2, 2, 2, 2}, {1, 0, 2, 2}, {2, 0, 1, 1},
		{0, 1, 2, 2}, {0, 2, 1, 1}, {2, 0, 0, 1}, {1, 0, 0, 2}, {0, 1, 0, 2}, {0, 2, 0, 1},
		{2, 2, 1, 1}, {1, 1, 2, 2}, {1, 0, 1, 0}, {0, 1, 0, 1}};
	static const struct vga_font *const fonts[] = {&vga_font_8x8, &vga_font_8x14,
						       &vga_font_8x16};
	for (unsigned i = 0; i < 3; i++) {
		const struct edges v[3] = {{0}, edges(fonts[i], 0xb3), edges(fonts[i], 0xba)};
		const struct edges h[3] = {{0}, edges(fonts[i], 0xc4), edges(fonts[i], 0xcd)};
		CHECK(v[1].top && v[2].top && v[1].top != v[2].top);
		CHECK(h[1].left && h[2].left && h[1].left != h[2].left);
		for (unsigned n = 0; n < 40; n++) {
			struct edges e = edges(fonts[i], (uint8_t)(0xb3 + n));
			CHECK_EQ(e.top, v[arms[n][0]].top);
			CHECK_EQ(e.bottom, v[arms[n][1]].bottom);
			CHECK_EQ(e.left, h[arms[n][2]].left);
			CHECK_EQ(e.right, h[arms[n][3]].right);
		}
	}
}

static void test_blocks_fill_what_they_say(void)
{
	static const struct vga_font *const fonts[] = {&vga_font_8x8, &vga_font_8x14,
						       &vga_font_8x16};
	for (unsigned i = 0; i < 3; i++) {
		unsigned height = fonts[i]->height;
		for (unsigned y = 0; y < height; y++) {
			const uint8_t *line = fonts[i]->glyph + y;
			CHECK_EQ(line[0xdb * height], 0xff);
			CHECK_EQ(line[0xdc * height], y < height / 2 ? 0x00 : 0xff);
			CHECK_EQ(line[0xdd * height], 0xf0);
			CHECK_EQ(line[0xde * height], 0x0f);
			CHECK_EQ(line[0xdf * height], y < height / 2 ? 0xff : 0x00);
		}
	}
}

static void test_characters_have_pictures_of_their_own(void)
{
	static const struct vga_font *const fonts[] = {&vga_font_8x8, &vga_font_8x14,
						       &vga_font_8x16};
	for (unsigned i = 0; i < 3; i++) {
		unsigned h = fonts[i]->height;
		for (unsigned a = 1; a < 255; a++) {
			for (unsigned b = a + 1; b < 255; b++)
				CHECK(memcmp(fonts[i]->glyph + a * h, fonts[i]->glyph + b * h, h) !=
				      0);
		}
	}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_every_mode_of_the_table_has_its_size),
		TEST_CASE(test_132_columns_are_shown),
		TEST_CASE(test_more_than_the_screen_holds_is_cut),
		TEST_CASE(test_start_address_and_split_screen),
		TEST_CASE(test_cursor_is_where_the_crtc_has_it),
		TEST_CASE(test_blank_screens),
		TEST_CASE(test_attributes_of_eight_colours_hide_bit_3),
		TEST_CASE(test_palette_pages_of_the_colour_select_register),
		TEST_CASE(test_a_second_font_is_selected),
		TEST_CASE(test_mode_x_shows_unchained_planes),
		TEST_CASE(test_chained_256_colours_are_linear),
		TEST_CASE(test_planar_dots_and_panning),
		TEST_CASE(test_cga_dots_are_interleaved),
		TEST_CASE(test_box_drawing_characters_join),
		TEST_CASE(test_blocks_fill_what_they_say),
		TEST_CASE(test_characters_have_pictures_of_their_own),
	};
	return TEST_RUN(cases);
}
