/* INT 10h on a real VGA: what the screen shows after it, and what the BIOS data area says. */
#include "test.h"
#include "video_bench.h"

#define BUFFER	   0x20000u
#define BUFFER_SEG 0x2000u

static struct video_bench bench;

static void begin(bool has_window)
{
	memset(&bench, 0, sizeof(bench));
	bench.clock.ns = 1;
	bench.has_window = has_window;
	video_bench_start(&bench);
}

static void set_up(void)
{
	begin(true);
}

static void tear_down(void)
{
	video_bench_end(&bench);
}

static struct bios_frame int10(uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	struct bios_frame f = {
		.eax = eax, .ebx = ebx, .ecx = ecx, .edx = edx, .es = BUFFER_SEG, .flags = 0x202};
	video_bench_call(&bench, &f);
	return f;
}

static void type(const char *text)
{
	for (; *text; text++)
		int10(0x0e00 | (uint8_t)*text, 0x0007, 0, 0);
}

static uint32_t bda(unsigned offset, unsigned bytes)
{
	return video_bench_peek(&bench, 0x400 + offset, bytes);
}

static const struct screen *shown(void)
{
	return video_bench_shown(&bench);
}

/* A row of the text screen, without trailing blanks. */
static const char *row(unsigned n)
{
	static char text[SCREEN_COLS_MAX + 1];
	const struct screen *s = shown();
	unsigned len = s->cols;
	for (unsigned i = 0; i < s->cols; i++)
		text[i] = (char)s->cell[n * s->cols + i];
	while (len && text[len - 1] == ' ')
		len--;
	text[len] = '\0';
	return text;
}

static uint8_t attribute(unsigned r, unsigned col)
{
	const struct screen *s = shown();
	return (uint8_t)(s->cell[r * s->cols + col] >> 8);
}

/* A character of a graphics mode, as its picture in the font. */
static bool is_drawn(unsigned r, unsigned col, uint8_t code, const struct vga_font *font,
		     uint8_t color)
{
	const struct screen *s = shown();
	for (unsigned y = 0; y < font->height; y++) {
		for (unsigned x = 0; x < 8; x++) {
			uint8_t want =
				font->glyph[code * font->height + y] >> (7 - x) & 1 ? color : 0;
			if (s->dot[(r * font->height + y) * s->width + col * 8 + x] != want)
				return false;
		}
	}
	return true;
}

WITH_DEVICE(test_power_on_leaves_mode_3_and_its_data_area)
{
	const struct screen *s = shown();
	CHECK_EQ(s->kind, SCREEN_TEXT);
	CHECK_EQ(s->cols, 80);
	CHECK_EQ(s->rows, 25);
	CHECK_EQ(s->glyph_height, 16);
	CHECK_EQ(s->palette[7], 0xaaaaaa);
	CHECK_EQ(s->palette[6], 0xaa5500);
	CHECK(s->is_cursor_visible);
	CHECK_EQ(s->cursor_first, 13);
	CHECK_EQ(s->cursor_last, 14);
	CHECK(memcmp(s->glyph['A'], &vga_font_8x16.glyph['A' * 16], 16) == 0);
	CHECK_EQ(bda(0x49, 1), 3);
	CHECK_EQ(bda(0x4a, 2), 80);
	CHECK_EQ(bda(0x4c, 2), 0x1000);
	CHECK_EQ(bda(0x60, 2), 0x0607);
	CHECK_EQ(bda(0x63, 2), 0x3d4);
	CHECK_EQ(bda(0x84, 1), 24);
	CHECK_EQ(bda(0x85, 2), 16);
	CHECK_EQ(bda(0x87, 1), 0x60);
	CHECK_EQ(bda(0x89, 1), 0x11);
}

WITH_DEVICE(test_power_on_makes_a_video_rom)
{
	uint8_t sum = 0;
	CHECK_EQ(video_bench_peek(&bench, 0xc0000, 2), 0xaa55);
	CHECK_EQ(video_bench_peek(&bench, 0xc001e, 3), 'I' | 'B' << 8 | 'M' << 16);
	for (unsigned i = 0; i < BIOS_VIDEO_ROM_SIZE; i++)
		sum = (uint8_t)(sum + video_bench_peek(&bench, BIOS_VIDEO_ROM_BASE + i, 1));
	CHECK_EQ(sum, 0);
	/* The 8x8 font where a PC has it, and its other half where INT 1Fh points. */
	CHECK_EQ(video_bench_peek(&bench, 0xffa6e + 'A' * 8, 1), vga_font_8x8.glyph['A' * 8]);
	uint32_t top = video_bench_peek(&bench, 0x1f * 4, 4);
	CHECK_EQ(video_bench_peek(&bench, ((top >> 16) << 4) + (top & 0xffff) + 0x5b * 8, 1),
		 vga_font_8x8.glyph[0xdb * 8]);
	/* Mode 13h's entry of the parameter table. */
	uint32_t save = bda(0xa8, 4);
	uint32_t table = video_bench_peek(&bench, ((save >> 16) << 4) + (save & 0xffff), 4);
	uint32_t entry = ((table >> 16) << 4) + (table & 0xffff) + 0x1c * 64;
	CHECK_EQ(video_bench_peek(&bench, entry, 3), 40 | 24 << 8 | 8 << 16);
	CHECK_EQ(video_bench_peek(&bench, entry + 9, 1), 0x63);
}

WITH_DEVICE(test_teletype_writes_wraps_and_scrolls)
{
	type("Hello\r\nworld\bD");
	CHECK_STR(row(0), "Hello");
	CHECK_STR(row(1), "worlD");
	CHECK_EQ(shown()->cursor_row, 1);
	CHECK_EQ(shown()->cursor_col, 5);
	CHECK_EQ(bda(0x50, 2), 0x0105);
	for (unsigned i = 0; i < 75; i++)
		type("x");
	CHECK_EQ(shown()->cursor_row, 2);
	CHECK_EQ(shown()->cursor_col, 0);
	for (unsigned i = 0; i < 23; i++)
		type("\r\n.");
	CHECK_EQ(shown()->cursor_row, 24);
	CHECK(row(0)[5] == 'x');
	CHECK_STR(row(24), ".");
	CHECK_STR(row(23), ".");
}

WITH_DEVICE(test_the_bell_shows_nothing)
{
	struct bios_frame f = {.eax = 0x0e07};
	video_bench_call(&bench, &f);
	CHECK_STR(row(0), "");
	CHECK_EQ(bda(0x50, 2), 0);
}

WITH_DEVICE(test_cursor_position_shape_and_pages)
{
	int10(0x0200, 0x0000, 0, 0x050a);
	CHECK_EQ(shown()->cursor_row, 5);
	CHECK_EQ(shown()->cursor_col, 10);
	int10(0x0200, 0x0100, 0, 0x0102);
	CHECK_EQ(shown()->cursor_row, 5); /* another page's */
	int10(0x0100, 0, 0x2000, 0);
	CHECK(!shown()->is_cursor_visible);
	int10(0x0100, 0, 0x0007, 0);
	CHECK(shown()->is_cursor_visible);
	CHECK_EQ(shown()->cursor_first, 0);
	CHECK_EQ(shown()->cursor_last, 15);
	struct bios_frame f = int10(0x0300, 0x0100, 0, 0);
	CHECK_EQ(f.edx, 0x0102);
	CHECK_EQ(f.ecx, 0x0007);

	int10(0x0958, 0x011f, 3, 0);
	CHECK_STR(row(1), "");
	int10(0x0501, 0, 0, 0);
	CHECK_STR(row(1), "  XXX");
	CHECK_EQ(attribute(1, 2), 0x1f);
	CHECK_EQ(shown()->cursor_row, 1);
	CHECK_EQ(shown()->cursor_col, 2);
	f = int10(0x0f00, 0, 0, 0);
	CHECK_EQ(f.eax, 0x5003);
	CHECK_EQ(f.ebx, 0x0100);
	f = int10(0x0800, 0x0100, 0, 0);
	CHECK_EQ(f.eax, 0x1f58);
}

WITH_DEVICE(test_scroll_of_a_window_up_and_down)
{
	type("one\r\ntwo\r\nthree");
	int10(0x0601, 0x4e00, 0x0000, 0x0202);
	CHECK_STR(row(0), "two");
	CHECK_STR(row(1), "thr");
	CHECK_STR(row(2), "   ee");
	CHECK_EQ(attribute(2, 0), 0x4e);
	CHECK_EQ(attribute(2, 3), 0x07);
	int10(0x0702, 0x0700, 0x0000, 0x184f);
	CHECK_STR(row(0), "");
	CHECK_STR(row(2), "two");
	int10(0x0600, 0x1e00, 0x0000, 0xffff);
	CHECK_STR(row(2), "");
	CHECK_EQ(attribute(24, 79), 0x1e);
	int10(0x0600, 0x4700, 0x0505, 0x0404); /* nothing of a window that is none */
	CHECK_EQ(attribute(5, 5), 0x1e);
}

WITH_DEVICE(test_repeated_characters_stay_on_the_screen)
{
	int10(0x0200, 0, 0, 0x184e);
	int10(0x0941, 0x0017, 0xffff, 0);
	CHECK_EQ(attribute(24, 78), 0x17);
	CHECK_EQ(attribute(24, 79), 0x17);
	CHECK_STR(row(0), "");
	int10(0x0a42, 0x0000, 1, 0);
	CHECK_EQ(shown()->cell[24 * 80 + 78], 0x1742);
}

WITH_DEVICE(test_string_with_and_without_attributes)
{
	video_bench_poke(&bench, BUFFER, "ab\r\nc", 5);
	struct bios_frame f = {
		.eax = 0x1301, .ebx = 0x001f, .ecx = 5, .edx = 0x0203, .es = BUFFER_SEG};
	video_bench_call(&bench, &f);
	CHECK_STR(row(2), "   ab");
	CHECK_STR(row(3), "c");
	CHECK_EQ(attribute(2, 3), 0x1f);
	CHECK_EQ(bda(0x50, 2), 0x0301);
	video_bench_poke(&bench, BUFFER, "x\x1ey\x2e", 4);
	f = (struct bios_frame){.eax = 0x1302, .ecx = 2, .edx = 0x0400, .es = BUFFER_SEG};
	video_bench_call(&bench, &f);
	CHECK_STR(row(4), "xy");
	CHECK_EQ(attribute(4, 1), 0x2e);
	CHECK_EQ(bda(0x50, 2), 0x0301);
}

WITH_DEVICE(test_a_long_string_ends_as_if_all_of_it_had_scrolled)
{
	char text[5000];
	for (unsigned i = 0; i < sizeof(text); i += 5)
		memcpy(text + i, "ab\r\n.", 5);
	video_bench_poke(&bench, BUFFER, text, sizeof(text));
	for (unsigned i = 0; i < sizeof(text); i++)
		int10(0x0e00 | (uint8_t)text[i], 0, 0, 0);
	uint16_t want[80 * 25];
	memcpy(want, shown()->cell, sizeof(want));
	int10(0x0003, 0, 0, 0);
	struct bios_frame f = {.eax = 0x1301, .ebx = 0x0007, .ecx = sizeof(text), .es = BUFFER_SEG};
	video_bench_call(&bench, &f);
	CHECK(memcmp(want, shown()->cell, sizeof(want)) == 0);
}

WITH_DEVICE(test_modes_of_text_have_their_geometry)
{
	int10(0x0001, 0, 0, 0);
	CHECK_EQ(shown()->cols, 40);
	CHECK_EQ(shown()->rows, 25);
	CHECK_EQ(bda(0x4a, 2), 40);
	type("x");
	CHECK_STR(row(0), "x");
	int10(0x0083, 0, 0, 0); /* memory is kept */
	CHECK_EQ(shown()->cols, 80);
	CHECK_STR(row(0), "x");
	CHECK_EQ(bda(0x87, 1), 0xe0);
	CHECK_EQ(int10(0x0f00, 0, 0, 0).eax, 0x5083);
	int10(0x0007, 0, 0, 0);
	CHECK(shown()->is_mono);
	CHECK_EQ(bda(0x63, 2), 0x3b4);
	type("mono");
	CHECK_STR(row(0), "mono");
	CHECK_EQ(shown()->palette[7], 0xaaaaaa);
	CHECK_EQ(shown()->palette[15], 0xffffff);
	int10(0x0003, 0, 0, 0);
	CHECK_STR(row(0), "");
	int10(0x0055, 0, 0, 0); /* no such mode */
	CHECK_EQ(bda(0x49, 1), 3);
}

WITH_DEVICE(test_small_fonts_give_43_and_50_rows)
{
	int10(0x1112, 0, 0, 0);
	CHECK_EQ(shown()->rows, 50);
	CHECK_EQ(shown()->glyph_height, 8);
	CHECK(memcmp(shown()->glyph['A'], &vga_font_8x8.glyph['A' * 8], 8) == 0);
	CHECK_EQ(bda(0x84, 1), 49);
	CHECK_EQ(bda(0x85, 2), 8);
	CHECK(shown()->is_cursor_visible);
	int10(0x0200, 0, 0, 0x3100);
	type("last");
	CHECK_STR(row(49), "last");
	int10(0x1111, 0, 0, 0);
	CHECK_EQ(shown()->rows, 28);
	int10(0x1114, 0, 0, 0);
	CHECK_EQ(shown()->rows, 25);
	CHECK_EQ(int10(0x1201, 0x30, 0, 0).eax, 0x1212);
	int10(0x0003, 0, 0, 0);
	CHECK_EQ(shown()->glyph_height, 14);
	CHECK_EQ(shown()->rows, 25);
	int10(0x1112, 0, 0, 0);
	CHECK_EQ(shown()->rows, 43);
	int10(0x1200, 0x30, 0, 0);
	int10(0x0003, 0, 0, 0);
	CHECK_EQ(shown()->glyph_height, 8);
	CHECK_EQ(shown()->rows, 25);
}

WITH_DEVICE(test_a_programs_own_font_is_loaded)
{
	uint8_t font[2 * 16];
	memset(font, 0xa5, sizeof(font));
	video_bench_poke(&bench, BUFFER, font, sizeof(font));
	type("text stays");
	struct bios_frame f = {
		.eax = 0x1100, .ebx = 0x1000, .ecx = 2, .edx = 'A', .es = BUFFER_SEG};
	video_bench_call(&bench, &f);
	CHECK_EQ(shown()->glyph['A'][15], 0xa5);
	CHECK_EQ(shown()->glyph['B'][0], 0xa5);
	CHECK(memcmp(shown()->glyph['C'], &vga_font_8x16.glyph['C' * 16], 16) == 0);
	CHECK_STR(row(0), "text stays");
	CHECK_EQ(shown()->rows, 25);
	f = int10(0x1130, 0x0600, 0, 0);
	CHECK_EQ(video_bench_peek(&bench, ((uint32_t)f.es << 4) + (f.ebp & 0xffff) + 'A' * 16, 4),
		 vga_font_8x16.glyph['A' * 16] | vga_font_8x16.glyph['A' * 16 + 1] << 8 |
			 vga_font_8x16.glyph['A' * 16 + 2] << 16 |
			 (uint32_t)vga_font_8x16.glyph['A' * 16 + 3] << 24);
	CHECK_EQ(f.ecx, 16);
	CHECK_EQ(f.edx, 24);
}

WITH_DEVICE(test_palette_blink_and_dac)
{
	int10(0x1000, 0x3f01, 0, 0);
	CHECK_EQ(shown()->palette[1], 0xffffff);
	CHECK_EQ(int10(0x1007, 0x0001, 0, 0).ebx, 0x3f01);
	CHECK(shown()->is_blink_on);
	int10(0x1003, 0, 0, 0);
	CHECK(!shown()->is_blink_on);
	int10(0x1010, 0x003f, 0x0102, 0x3f00);
	CHECK_EQ(shown()->palette[1], 0xff0408);
	struct bios_frame f = int10(0x1015, 0x003f, 0, 0);
	CHECK_EQ(f.ecx, 0x0102);
	CHECK_EQ(f.edx, 0x3f00);
	video_bench_poke(&bench, BUFFER, "\x3f\0\0\0\x3f\0", 6);
	f = (struct bios_frame){.eax = 0x1012, .ebx = 0, .ecx = 2, .es = BUFFER_SEG};
	video_bench_call(&bench, &f);
	CHECK_EQ(shown()->palette[0], 0xff0000);
	f = (struct bios_frame){.eax = 0x1009, .edx = 0x100, .es = BUFFER_SEG};
	video_bench_call(&bench, &f);
	CHECK_EQ(video_bench_peek(&bench, BUFFER + 0x100, 2), 0x3f00);
}

WITH_DEVICE(test_mode_13h_has_256_colours_and_draws)
{
	int10(0x0013, 0, 0, 0);
	CHECK_EQ(shown()->kind, SCREEN_GRAPHICS);
	CHECK_EQ(shown()->width, 320);
	CHECK_EQ(shown()->height, 200);
	CHECK_EQ(shown()->palette[32], 0x0000ff);
	CHECK_EQ(shown()->palette[255], 0x000000);
	int10(0x0ce7, 0, 319, 199);
	CHECK_EQ(shown()->dot[199 * 320 + 319], 0xe7);
	CHECK_EQ(int10(0x0d00, 0, 319, 199).eax & 0xff, 0xe7);
	int10(0x0c01, 0, 320, 200); /* off the screen */
	int10(0x0e41, 0x002a, 0, 0);
	CHECK(is_drawn(0, 0, 'A', &vga_font_8x8, 0x2a));
	CHECK_EQ(bda(0x50, 2), 1);
	for (unsigned i = 0; i < 25; i++)
		type("\n");
	CHECK(!is_drawn(0, 0, 'A', &vga_font_8x8, 0x2a));
}

WITH_DEVICE(test_planar_modes_have_16_colours_and_draw)
{
	static const struct {
		uint8_t mode;
		unsigned width, height;
		const struct vga_font *font;
	} modes[] = {{0x0d, 320, 200, &vga_font_8x8},
		     {0x0e, 640, 200, &vga_font_8x8},
		     {0x10, 640, 350, &vga_font_8x14},
		     {0x12, 640, 480, &vga_font_8x16}};
	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		unsigned w = modes[i].width, h = modes[i].height;
		int10(modes[i].mode, 0, 0, 0);
		CHECK_EQ(shown()->width, w);
		CHECK_EQ(shown()->height, h);
		CHECK_EQ(shown()->palette[4], 0xaa0000);
		int10(0x0c0a, 0, w - 1, h - 1);
		CHECK_EQ(shown()->dot[h * w - 1], 0x0a);
		int10(0x0c83, 0, w - 1, h - 1); /* XOR */
		CHECK_EQ(shown()->dot[h * w - 1], 0x09);
		CHECK_EQ(int10(0x0d00, 0, w - 1, h - 1).eax & 0xff, 0x09);
		int10(0x0200, 0, 0, 0x0105);
		int10(0x0958, 0x000c, 1, 0);
		CHECK(is_drawn(1, 5, 'X', modes[i].font, 0x0c));
		CHECK_EQ(int10(0x0800, 0, 0, 0).eax, 'X');
		int10(0x0601, 0, 0, 0xffff);
		CHECK(is_drawn(0, 5, 'X', modes[i].font, 0x0c));
		int10(0x0600, 0x0500, 0, 0x0000);
		CHECK_EQ(shown()->dot[0], 5);
	}
}

WITH_DEVICE(test_cga_modes_interleave_and_draw)
{
	int10(0x0004, 0, 0, 0);
	CHECK_EQ(shown()->width, 320);
	CHECK_EQ(shown()->height, 200);
	CHECK_EQ(shown()->palette[1], 0x55ffff);
	int10(0x0c02, 0, 5, 3);
	CHECK_EQ(shown()->dot[3 * 320 + 5], 2);
	CHECK_EQ(int10(0x0d00, 0, 5, 3).eax & 0xff, 2);
	int10(0x0e5a, 0x0003, 0, 0);
	CHECK(is_drawn(0, 0, 'Z', &vga_font_8x8, 3));
	int10(0x0ee9, 0x0001, 0, 0); /* from INT 1Fh's font */
	CHECK(is_drawn(0, 1, 0xe9, &vga_font_8x8, 1));
	int10(0x0b00, 0x0100, 0, 0); /* green, red, brown */
	CHECK_EQ(shown()->palette[2], 0xff5555);
	int10(0x0006, 0, 0, 0);
	CHECK_EQ(shown()->width, 640);
	int10(0x0e5a, 0x0001, 0, 0);
	CHECK(is_drawn(0, 0, 'Z', &vga_font_8x8, 1));
	CHECK_EQ(shown()->palette[1], 0xffffff);
}

WITH_DEVICE(test_what_there_is)
{
	struct bios_frame f = int10(0x1200, 0x0010, 0, 0);
	CHECK_EQ(f.ebx, 0x0003);
	CHECK_EQ(f.ecx & 0xff, 0x09);
	f = int10(0x1a00, 0, 0, 0);
	CHECK_EQ(f.eax, 0x1a1a);
	CHECK_EQ(f.ebx, 0x0008);
	f = (struct bios_frame){.eax = 0x1b00, .es = BUFFER_SEG};
	video_bench_call(&bench, &f);
	CHECK_EQ(f.eax, 0x1b1b);
	CHECK_EQ(video_bench_peek(&bench, BUFFER + 4, 1), 3);
	CHECK_EQ(video_bench_peek(&bench, BUFFER + 0x22, 3), 25 | 16 << 8);
	CHECK_EQ(video_bench_peek(&bench, BUFFER + 0x27, 4), 16 | 8 << 16 | 2u << 24);
	CHECK(int10(0x4f00, 0, 0, 0).eax != 0x004f);
}

WITH_DEVICE(test_state_is_saved_and_restored)
{
	CHECK_EQ(int10(0x1c00, 0, 7, 0).ebx, 15);
	int10(0x1000, 0x0705, 0, 0);
	int10(0x1010, 0x0007, 0x1111, 0x1100);
	int10(0x0200, 0, 0, 0x0a0b);
	uint32_t want = shown()->palette[5];
	int10(0x1c01, 0x0000, 7, 0);
	int10(0x0012, 0, 0, 0);
	int10(0x1c02, 0x0000, 7, 0);
	CHECK_EQ(shown()->kind, SCREEN_TEXT);
	CHECK_EQ(shown()->palette[5], want);
	CHECK_EQ(shown()->cursor_row, 0x0a);
	CHECK_EQ(bda(0x49, 1), 3);
	CHECK_EQ(bda(0x84, 1), 24);
}

WITH_DEVICE(test_a_wrong_data_area_does_no_harm)
{
	static const uint8_t junk[0x40] = {[0 ... 0x3f] = 0xff};
	video_bench_poke(&bench, 0x449, junk, 0x1e);
	video_bench_poke(&bench, 0x484, junk, 7);
	for (unsigned ah = 1; ah < 0x20; ah++)
		int10(ah << 8 | 1, 0xffff, 0xffff, 0xffff);
	video_bench_poke(&bench, 0x449, (const uint8_t[0x40]){0}, 0x1e);
	video_bench_poke(&bench, 0x484, (const uint8_t[0x40]){0}, 7);
	for (unsigned ah = 1; ah < 0x20; ah++)
		int10(ah << 8, 0xffff, 0xffff, 0xffff);
	int10(0x0003, 0, 0, 0);
	CHECK_EQ(shown()->kind, SCREEN_TEXT);
}

static void test_the_same_without_a_text_window(void)
{
	begin(false);
	type("trapped");
	CHECK_STR(row(0), "trapped");
	CHECK_EQ(video_bench_peek(&bench, 0xb8000, 4), 0);
	tear_down();
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_power_on_leaves_mode_3_and_its_data_area),
		TEST_CASE(test_power_on_makes_a_video_rom),
		TEST_CASE(test_teletype_writes_wraps_and_scrolls),
		TEST_CASE(test_the_bell_shows_nothing),
		TEST_CASE(test_cursor_position_shape_and_pages),
		TEST_CASE(test_scroll_of_a_window_up_and_down),
		TEST_CASE(test_repeated_characters_stay_on_the_screen),
		TEST_CASE(test_string_with_and_without_attributes),
		TEST_CASE(test_a_long_string_ends_as_if_all_of_it_had_scrolled),
		TEST_CASE(test_modes_of_text_have_their_geometry),
		TEST_CASE(test_small_fonts_give_43_and_50_rows),
		TEST_CASE(test_a_programs_own_font_is_loaded),
		TEST_CASE(test_palette_blink_and_dac),
		TEST_CASE(test_mode_13h_has_256_colours_and_draws),
		TEST_CASE(test_planar_modes_have_16_colours_and_draw),
		TEST_CASE(test_cga_modes_interleave_and_draw),
		TEST_CASE(test_what_there_is),
		TEST_CASE(test_state_is_saved_and_restored),
		TEST_CASE(test_a_wrong_data_area_does_no_harm),
		TEST_CASE(test_the_same_without_a_text_window),
	};
	return TEST_RUN(cases);
}
