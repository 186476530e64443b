/* A screen in the cells of terminals of many kinds. */
#include "test.h"
#include "tui_view.h"

#include <tinyvm/screen.h>

static struct screen screen;
static struct view view;

static const uint32_t pc_colors[16] = {
	0x000000, 0x0000a8, 0x00a800, 0x00a8a8, 0xa80000, 0xa800a8, 0xa85400, 0xa8a8a8,
	0x545454, 0x5454fc, 0x54fc54, 0x54fcfc, 0xfc5454, 0xfc54fc, 0xfcfc54, 0xfcfcfc,
};

static void set_up(enum tui_colors colors, unsigned cols, unsigned rows)
{
	memset(&screen, 0, sizeof(screen));
	screen.kind = SCREEN_TEXT;
	screen.cols = 80;
	screen.rows = 25;
	screen.glyph_height = 16;
	screen.is_blink_on = true;
	for (unsigned i = 0; i < 80 * 25; i++)
		screen.cell[i] = 0x0720;
	memcpy(screen.palette, pc_colors, sizeof(pc_colors));
	memset(&view, 0, sizeof(view));
	view.colors = colors;
	view.is_unicode = true;
	view.cols = cols;
	view.rows = rows;
}

static const struct view_cell *at(unsigned col, unsigned row)
{
	return &view.cell[row * view.cols + col];
}

static void put(unsigned col, unsigned row, uint16_t cell)
{
	screen.cell[row * screen.cols + col] = cell;
}

static void set_graphics(unsigned width, unsigned height)
{
	screen.kind = SCREEN_GRAPHICS;
	screen.width = width;
	screen.height = height;
}

static void test_sixteen_colors_are_the_terminals(void)
{
	set_up(TUI_256, 80, 25);
	put(0, 0, 0x1e41);
	put(1, 0, 0x4fdb);
	put(2, 0, 0xe320); /* blinks */
	view_render(&view, &screen);
	CHECK_EQ(at(0, 0)->character, 'A');
	CHECK_EQ(at(0, 0)->fg, 11);
	CHECK_EQ(at(0, 0)->bg, 4);
	CHECK_EQ(at(1, 0)->character, 0x2588);
	CHECK_EQ(at(1, 0)->fg, 15);
	CHECK_EQ(at(1, 0)->bg, 1);
	CHECK_EQ(at(2, 0)->fg, 6);
	CHECK_EQ(at(2, 0)->bg, 3);
	CHECK_EQ(at(2, 0)->attr, VIEW_BLINK);
	screen.is_blink_on = false;
	view_render(&view, &screen);
	CHECK_EQ(at(2, 0)->attr, 0);
	CHECK_EQ(at(2, 0)->bg, 11);
}

static void test_eight_colors_and_bold(void)
{
	set_up(TUI_8, 80, 25);
	put(0, 0, 0x1e41);
	screen.is_blink_on = false;
	put(1, 0, 0x9741);
	view_render(&view, &screen);
	CHECK_EQ(at(0, 0)->fg, 3);
	CHECK_EQ(at(0, 0)->bg, 4);
	CHECK_EQ(at(0, 0)->attr, VIEW_BOLD);
	CHECK_EQ(at(1, 0)->fg, 7);
	CHECK_EQ(at(1, 0)->bg, 4);
	CHECK_EQ(at(1, 0)->attr, 0);
}

static void test_no_colors(void)
{
	set_up(TUI_MONO, 80, 25);
	put(0, 0, 0x0741);
	put(1, 0, 0x7041);
	put(2, 0, 0x0f41);
	put(3, 0, 0x0041); /* not to be seen */
	put(4, 0, 0x8741);
	view_render(&view, &screen);
	CHECK_EQ(at(0, 0)->attr, 0);
	CHECK_EQ(at(0, 0)->fg, -1);
	CHECK_EQ(at(1, 0)->attr, VIEW_REVERSE);
	CHECK_EQ(at(2, 0)->attr, VIEW_BOLD);
	CHECK_EQ(at(3, 0)->character, ' ');
	CHECK_EQ(at(4, 0)->attr, VIEW_BLINK);
	CHECK_EQ(at(4, 0)->character, 'A');
}

static void test_a_monochrome_adapter_underlines(void)
{
	set_up(TUI_256, 80, 25);
	put(0, 0, 0x0141);
	view_render(&view, &screen);
	CHECK_EQ(at(0, 0)->attr, 0);
	screen.is_mono = true;
	view_render(&view, &screen);
	CHECK_EQ(at(0, 0)->attr, VIEW_UNDERLINE);
}

static void test_a_palette_of_the_guests_own(void)
{
	set_up(TUI_256, 80, 25);
	screen.palette[7] = 0xff8000;
	screen.palette[0] = 0x202020;
	put(0, 0, 0x0741);
	view_render(&view, &screen);
	CHECK_EQ(at(0, 0)->fg, 208); /* 255, 135, 0 */
	CHECK_EQ(at(0, 0)->bg, 234); /* grey 28 */
	view.colors = TUI_DIRECT;
	view_render(&view, &screen);
	CHECK_EQ(at(0, 0)->fg, 0xff8000);
}

static void test_terminals_without_unicode(void)
{
	set_up(TUI_256, 80, 25);
	view.is_unicode = false;
	static const char expected[] = "+-|#Ca > ";
	static const uint8_t codes[] = {0xda, 0xc4, 0xb3, 0xdb, 0x80, 0x84, 0xff, 0x10, 0};
	for (unsigned i = 0; i < sizeof(codes); i++)
		put(i, 0, 0x0700 | codes[i]);
	view_render(&view, &screen);
	for (unsigned i = 0; i < sizeof(codes); i++)
		CHECK_EQ(at(i, 0)->character, (uint8_t)expected[i]);
	put(0, 0, 0x07fe);
	view_render(&view, &screen);
	CHECK_EQ(at(0, 0)->character, '#');
	for (unsigned code = 0; code < 256; code++) {
		put(0, 0, (uint16_t)(0x0700 | code));
		view_render(&view, &screen);
		CHECK(at(0, 0)->character >= ' ' && at(0, 0)->character < 0x7f);
	}
}

static void test_a_larger_terminal_is_blank_beside_the_screen(void)
{
	set_up(TUI_256, 100, 30);
	put(79, 24, 0x1f58);
	view_render(&view, &screen);
	CHECK_EQ(at(79, 24)->character, 'X');
	CHECK_EQ(at(80, 24)->character, ' ');
	CHECK_EQ(at(80, 24)->bg, -1);
	CHECK_EQ(at(0, 25)->bg, -1);
}

static void test_a_smaller_terminal_follows_the_cursor(void)
{
	set_up(TUI_256, 40, 10);
	put(79, 24, 0x0758);
	put(0, 0, 0x0759);
	view_render(&view, &screen);
	CHECK_EQ(at(0, 0)->character, 'Y');
	screen.is_cursor_visible = true;
	screen.cursor_col = 79;
	screen.cursor_row = 24;
	view_render(&view, &screen);
	CHECK_EQ(at(39, 9)->character, 'X');
	CHECK_EQ(view.cursor_col, 39);
	CHECK_EQ(view.cursor_row, 9);
	/* It moves no further than it must. */
	screen.cursor_col = 45;
	screen.cursor_row = 20;
	view_render(&view, &screen);
	CHECK_EQ(at(39, 9)->character, 'X');
	CHECK_EQ(view.cursor_col, 5);
	screen.cursor_col = 0;
	screen.cursor_row = 0;
	view_render(&view, &screen);
	CHECK_EQ(at(0, 0)->character, 'Y');
	/* Where it is hidden, the window stays. */
	screen.is_cursor_visible = false;
	screen.cursor_col = 79;
	view_render(&view, &screen);
	CHECK_EQ(at(0, 0)->character, 'Y');
	CHECK_EQ(view.cursor, VIEW_CURSOR_HIDDEN);
}

static void test_cursor_shapes(void)
{
	set_up(TUI_256, 80, 25);
	screen.is_cursor_visible = true;
	screen.cursor_first = 13;
	screen.cursor_last = 14;
	view_render(&view, &screen);
	CHECK_EQ(view.cursor, VIEW_CURSOR_UNDERLINE);
	screen.cursor_first = 0;
	view_render(&view, &screen);
	CHECK_EQ(view.cursor, VIEW_CURSOR_BLOCK);
	screen.cursor_row = 30; /* nowhere */
	view_render(&view, &screen);
	CHECK_EQ(view.cursor, VIEW_CURSOR_HIDDEN);
}

static void test_graphics_as_half_blocks(void)
{
	set_up(TUI_256, 80, 30);
	set_graphics(320, 200);
	for (unsigned i = 0; i < 320 * 200; i++)
		screen.dot[i] = i < 320 * 100 ? 4 : 2;
	for (unsigned i = 0; i < 200; i++)
		screen.dot[i * 320] = screen.dot[i * 320 + 1] = screen.dot[i * 320 + 2] =
			screen.dot[i * 320 + 3] = 14;
	view_render(&view, &screen);
	/* 80 * 60 dots, of 4 by 3 1/3. */
	CHECK_EQ(at(0, 0)->character, 0x2580);
	CHECK_EQ(at(0, 0)->fg, 11);
	CHECK_EQ(at(1, 0)->fg, 1);
	CHECK_EQ(at(1, 0)->bg, 1);
	CHECK_EQ(at(1, 29)->fg, 2);
	CHECK_EQ(at(79, 29)->bg, 2);
	CHECK_EQ(at(1, 14)->bg, 1);
	CHECK_EQ(at(1, 15)->fg, 2);
	CHECK_EQ(view.cursor, VIEW_CURSOR_HIDDEN);
}

static void test_graphics_keep_their_shape(void)
{
	set_up(TUI_256, 200, 30);
	set_graphics(640, 480);
	memset(screen.dot, 1, sizeof(screen.dot));
	view_render(&view, &screen);
	CHECK_EQ(at(79, 29)->character, 0x2580);
	CHECK_EQ(at(80, 0)->character, ' ');
	view.cols = 40;
	view_render(&view, &screen);
	CHECK_EQ(at(39, 14)->character, 0x2580);
	CHECK_EQ(at(0, 15)->character, ' ');
}

static void test_graphics_without_colors_or_unicode(void)
{
	set_up(TUI_MONO, 80, 30);
	set_graphics(80, 60);
	memset(screen.dot, 15, 80);
	memset(screen.dot + 80 * 3, 15, 80);
	view_render(&view, &screen);
	CHECK_EQ(at(0, 0)->character, 0x2580);
	CHECK_EQ(at(0, 1)->character, 0x2584);
	CHECK_EQ(at(0, 2)->character, ' ');
	view.is_unicode = false;
	view_render(&view, &screen);
	CHECK(at(0, 0)->character != ' ');
	CHECK_EQ(at(0, 2)->character, ' ');
	view.colors = TUI_8;
	view_render(&view, &screen);
	CHECK_EQ(at(0, 0)->character, ' ');
	CHECK(at(0, 0)->bg >= 0 && at(0, 0)->bg < 8);
}

static void test_terminals_of_any_size(void)
{
	static const unsigned sizes[][2] = {{1, 1}, {2, 1}, {1, 200}, {512, 256}, {3, 2}};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		set_up(TUI_256, sizes[i][0], sizes[i][1]);
		screen.is_cursor_visible = true;
		view_render(&view, &screen);
		CHECK_EQ(at(0, 0)->character, ' ');
		view_overlay(&view, 0, "text that is longer than some");
		view_overlay(&view, 300, "nowhere");
		CHECK_EQ(at(0, view.rows - 1)->character, 't');
		set_graphics(SCREEN_WIDTH_MAX, SCREEN_HEIGHT_MAX);
		view_render(&view, &screen);
		set_graphics(1, 1);
		view_render(&view, &screen);
		set_graphics(0, 0);
		view_render(&view, &screen);
	}
}

static void test_overlay(void)
{
	set_up(TUI_256, 20, 4);
	view_render(&view, &screen);
	view_overlay(&view, 1, "hello");
	CHECK_EQ(at(0, 2)->character, 'h');
	CHECK_EQ(at(4, 2)->character, 'o');
	CHECK_EQ(at(19, 2)->character, ' ');
	CHECK_EQ(at(19, 2)->attr, VIEW_REVERSE);
	CHECK_EQ(at(0, 3)->attr, 0);
}

/* Files have names of all kinds, and each character one place. */
static void test_overlay_of_more_than_ascii(void)
{
	set_up(TUI_256, 20, 4);
	view.is_unicode = true;
	view_render(&view, &screen);
	view_overlay(&view, 0, "caf\xc3\xa9 \x1b[m \xe6\xbc\xa2\xff \xc3");
	CHECK_EQ(at(2, 3)->character, 'f');
	CHECK_EQ(at(3, 3)->character, 0xe9);
	CHECK_EQ(at(4, 3)->character, ' ');
	CHECK_EQ(at(5, 3)->character, '?'); /* nothing that a terminal obeys */
	CHECK_EQ(at(9, 3)->character, '?'); /* two places wide */
	CHECK_EQ(at(10, 3)->character, '?');
	CHECK_EQ(at(11, 3)->character, ' ');
	CHECK_EQ(at(12, 3)->character, '?'); /* cut short */
	CHECK_EQ(at(13, 3)->character, ' ');
	view.is_unicode = false;
	view_overlay(&view, 0, "\xc3\xa9!");
	CHECK_EQ(at(0, 3)->character, '?');
	CHECK_EQ(at(1, 3)->character, '!');
}

static void test_nearest_of_256(void)
{
	CHECK_EQ(tui_color(TUI_256, 0xff0000), 196);
	CHECK_EQ(tui_color(TUI_256, 0x5f87af), 67);
	CHECK_EQ(tui_color(TUI_256, 0x808080), 244);
	CHECK_EQ(tui_color(TUI_256, 0x010101), 0);
	CHECK_EQ(tui_color(TUI_16, 0xff6060), 9);
	CHECK_EQ(tui_color(TUI_8, 0x0000c0), 4);
	CHECK(tui_luminance(0xffffff) == 255 && tui_luminance(0) == 0);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_sixteen_colors_are_the_terminals),
		TEST_CASE(test_eight_colors_and_bold),
		TEST_CASE(test_no_colors),
		TEST_CASE(test_a_monochrome_adapter_underlines),
		TEST_CASE(test_a_palette_of_the_guests_own),
		TEST_CASE(test_terminals_without_unicode),
		TEST_CASE(test_a_larger_terminal_is_blank_beside_the_screen),
		TEST_CASE(test_a_smaller_terminal_follows_the_cursor),
		TEST_CASE(test_cursor_shapes),
		TEST_CASE(test_graphics_as_half_blocks),
		TEST_CASE(test_graphics_keep_their_shape),
		TEST_CASE(test_graphics_without_colors_or_unicode),
		TEST_CASE(test_terminals_of_any_size),
		TEST_CASE(test_overlay),
		TEST_CASE(test_overlay_of_more_than_ascii),
		TEST_CASE(test_nearest_of_256),
	};
	return TEST_RUN(cases);
}
