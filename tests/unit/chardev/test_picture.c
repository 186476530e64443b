/* Screens as pictures, read back by a decoder of the test's own. */
#include "test.h"

#include <tinyvm/picture.h>
#include <tinyvm/screen.h>
#include <zlib.h>

static struct screen screen;

/* A picture that was read: indices into @palette. */
static struct {
	uint8_t *bytes;
	size_t len;
	unsigned width, height;
	uint32_t palette[256];
	uint8_t dot[2000 * 2000];
} png;

static const uint32_t pc_colors[16] = {
	0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
	0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff,
};

static void set_up(enum screen_kind kind)
{
	memset(&screen, 0, sizeof(screen));
	screen.kind = kind;
	screen.cols = 80;
	screen.rows = 25;
	screen.glyph_height = 16;
	screen.is_blink_on = true;
	memcpy(screen.palette, pc_colors, sizeof(pc_colors));
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The data of the chunk at @at, which moves behind it; NULL when it is damaged or another one. */
static const uint8_t *chunk(size_t *at, const char *type, uint32_t *ret_len)
{
	const uint8_t *p = png.bytes + *at;
	if (png.len - *at < 12)
		return NULL;
	*ret_len = be32(p);
	if (*ret_len > png.len - *at - 12 || memcmp(p + 4, type, 4) != 0 ||
	    crc32(0, p + 4, *ret_len + 4) != be32(p + 8 + *ret_len))
		return NULL;
	*at += 12 + *ret_len;
	return p + 8;
}

static bool unpack(const uint8_t *packed, uint32_t len)
{
	static uint8_t rows[2000 * 2001];
	uLongf size = sizeof(rows);
	if (uncompress(rows, &size, packed, len) != Z_OK ||
	    size != (uLong)(png.width + 1) * png.height)
		return false;
	for (unsigned y = 0; y < png.height; y++) {
		const uint8_t *row = rows + (size_t)y * (png.width + 1);
		if (row[0] != 0) /* the filter */
			return false;
		memcpy(png.dot + (size_t)y * png.width, row + 1, png.width);
	}
	return true;
}

/* The screen's picture into @png; false when it is no picture. */
static bool take_picture(void)
{
	static const uint8_t form[5] = {8, 3, 0, 0, 0};
	size_t at = 8;
	uint32_t len;
	free(png.bytes);
	png.bytes = NULL;
	if (picture_png(&screen, &png.bytes, &png.len) != 0 ||
	    memcmp(png.bytes, "\211PNG\r\n\032\n", 8) != 0)
		return false;
	const uint8_t *data = chunk(&at, "IHDR", &len);
	if (!data || len != 13 || memcmp(data + 8, form, 5) != 0)
		return false;
	png.width = be32(data);
	png.height = be32(data + 4);
	data = chunk(&at, "PLTE", &len);
	if (!data || len != sizeof(png.palette) / 4 * 3)
		return false;
	for (unsigned i = 0; i < 256; i++)
		png.palette[i] = be32(data + i * 3 - 1) & 0xffffff;
	data = chunk(&at, "IDAT", &len);
	return data && unpack(data, len) && chunk(&at, "IEND", &len) && len == 0 && at == png.len;
}

static uint32_t color(unsigned x, unsigned y)
{
	return png.palette[png.dot[y * png.width + x]];
}

static void test_text_with_the_screens_glyphs(void)
{
	set_up(SCREEN_TEXT);
	screen.cell[81] = 0x1e41;
	screen.glyph['A'][3] = 0x81;
	CHECK(take_picture());
	CHECK_EQ(png.width, 720);
	CHECK_EQ(png.height, 400);
	CHECK_EQ(color(9, 16 + 3), 0xffff55);
	CHECK_EQ(color(10, 16 + 3), 0x0000aa);
	CHECK_EQ(color(16, 16 + 3), 0xffff55);
	CHECK_EQ(color(17, 16 + 3), 0x0000aa); /* the ninth */
	CHECK_EQ(color(9, 16 + 4), 0x0000aa);
	CHECK_EQ(color(0, 0), 0);
}

static void test_lines_meet_in_the_ninth_dot(void)
{
	set_up(SCREEN_TEXT);
	screen.cell[0] = 0x07c4;
	screen.cell[1] = 0x07b0;
	memset(screen.glyph[0xc4], 0xff, 16);
	memset(screen.glyph[0xb0], 0xff, 16);
	CHECK(take_picture());
	CHECK_EQ(color(8, 0), 0xaaaaaa);
	CHECK_EQ(color(16, 0), 0xaaaaaa);
	CHECK_EQ(color(17, 0), 0);
}

static void test_attributes(void)
{
	set_up(SCREEN_TEXT);
	screen.cell[0] = 0xc120;
	CHECK(take_picture());
	CHECK_EQ(color(0, 0), 0xaa0000);
	screen.is_blink_on = false;
	CHECK(take_picture());
	CHECK_EQ(color(0, 0), 0xff5555);
	screen.is_mono = true;
	CHECK(take_picture());
	CHECK_EQ(color(8, 14), 0x0000aa); /* underlined */
	CHECK_EQ(color(8, 13), 0xff5555);
}

static void test_cursor(void)
{
	set_up(SCREEN_TEXT);
	screen.cell[80 * 2 + 3] = 0x0720;
	screen.is_cursor_visible = true;
	screen.cursor_col = 3;
	screen.cursor_row = 2;
	screen.cursor_first = 13;
	screen.cursor_last = 14;
	CHECK(take_picture());
	CHECK_EQ(color(27, 2 * 16 + 12), 0);
	CHECK_EQ(color(27, 2 * 16 + 13), 0xaaaaaa);
	CHECK_EQ(color(35, 2 * 16 + 14), 0xaaaaaa);
	CHECK_EQ(color(36, 2 * 16 + 14), 0);
	CHECK_EQ(color(27, 2 * 16 + 15), 0);
}

static void test_graphics_dot_by_dot(void)
{
	set_up(SCREEN_GRAPHICS);
	screen.width = 640;
	screen.height = 480;
	screen.dot[640 * 479 + 639] = 200;
	screen.palette[200] = 0x123456;
	CHECK(take_picture());
	CHECK_EQ(png.width, 640);
	CHECK_EQ(png.height, 480);
	CHECK_EQ(color(639, 479), 0x123456);
	CHECK_EQ(color(638, 479), 0);
}

static void test_small_graphics_are_doubled(void)
{
	set_up(SCREEN_GRAPHICS);
	screen.width = 320;
	screen.height = 200;
	screen.dot[321] = 9;
	CHECK(take_picture());
	CHECK_EQ(png.width, 640);
	CHECK_EQ(png.height, 400);
	CHECK_EQ(color(2, 2), 0x5555ff);
	CHECK_EQ(color(3, 3), 0x5555ff);
	CHECK_EQ(color(4, 2), 0);
	CHECK_EQ(color(2, 4), 0);
}

static void test_screens_of_any_size(void)
{
	set_up(SCREEN_BLANK);
	CHECK(take_picture());
	CHECK_EQ(png.width, 640);
	set_up(SCREEN_GRAPHICS);
	CHECK(take_picture());
	set_up(SCREEN_TEXT);
	screen.glyph_height = 0;
	CHECK(take_picture());
	screen.glyph_height = SCREEN_GLYPH_MAX;
	screen.cols = SCREEN_COLS_MAX;
	screen.rows = SCREEN_ROWS_MAX;
	CHECK(take_picture());
	CHECK_EQ(png.height, 1920);
	set_up(SCREEN_GRAPHICS);
	screen.width = SCREEN_WIDTH_MAX;
	screen.height = SCREEN_HEIGHT_MAX;
	for (unsigned i = 0; i < SCREEN_WIDTH_MAX * SCREEN_HEIGHT_MAX; i++)
		screen.dot[i] = (uint8_t)(i * 2654435761u >> 24);
	CHECK(take_picture());
	CHECK_EQ(memcmp(png.dot, screen.dot, sizeof(screen.dot)), 0);
	free(png.bytes);
	png.bytes = NULL;
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_text_with_the_screens_glyphs),
		TEST_CASE(test_lines_meet_in_the_ninth_dot),
		TEST_CASE(test_attributes),
		TEST_CASE(test_cursor),
		TEST_CASE(test_graphics_dot_by_dot),
		TEST_CASE(test_small_graphics_are_doubled),
		TEST_CASE(test_screens_of_any_size),
	};
	return TEST_RUN(cases);
}
