/* Code page 437, and a screen as text. */
#include "test.h"

#include <tinyvm/screen.h>

static struct screen screen;
static char text[SCREEN_TEXT_MAX];

static void set_up(unsigned cols, unsigned rows)
{
	memset(&screen, 0, sizeof(screen));
	screen.kind = SCREEN_TEXT;
	screen.cols = cols;
	screen.rows = rows;
	for (unsigned i = 0; i < cols * rows; i++)
		screen.cell[i] = 0x0720;
}

static void put(unsigned col, unsigned row, const char *bytes)
{
	for (; *bytes; bytes++, col++)
		screen.cell[row * screen.cols + col] = (uint16_t)(0x1e00 | (uint8_t)*bytes);
}

static void test_code_page_437(void)
{
	static const struct {
		uint8_t code;
		uint32_t character;
	} some[] = {
		{0, ' '},	{1, 0x263a},  {0x10, 0x25ba}, {0x1f, 0x25bc},
		{' ', ' '},	{'A', 'A'},   {'~', '~'},     {0x7f, 0x2302},
		{0x80, 0xc7},	{0x84, 0xe4}, {0xb3, 0x2502}, {0xc4, 0x2500},
		{0xdb, 0x2588}, {0xe1, 0xdf}, {0xfe, 0x25a0}, {0xff, ' '},
	};

	for (unsigned i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		CHECK_EQ(screen_unicode(some[i].code), some[i].character);
	for (unsigned code = 0; code < 256; code++)
		CHECK(screen_unicode((uint8_t)code) >= ' ');
}

static void test_rows_without_their_trailing_blanks(void)
{
	set_up(40, 25);
	put(2, 1, "A:\\>dir");
	put(0, 3, "\x84\xdb.");
	screen.cell[3 * 40 + 5] = 0x0700;
	screen.cell[3 * 40 + 6] = 0x07ff;
	CHECK_EQ(screen_text(&screen, text, sizeof(text)), strlen(text));
	CHECK_STR(text, "\n  A:\\>dir\n\n\xc3\xa4\xe2\x96\x88.\n");
}

static void test_an_empty_screen_and_other_kinds(void)
{
	set_up(80, 25);
	CHECK_EQ(screen_text(&screen, text, sizeof(text)), 0);
	CHECK_STR(text, "");
	put(0, 0, "x");
	screen.kind = SCREEN_GRAPHICS;
	CHECK_EQ(screen_text(&screen, text, sizeof(text)), 0);
	screen.kind = SCREEN_BLANK;
	CHECK_EQ(screen_text(&screen, text, sizeof(text)), 0);
}

static void test_the_largest_screen_fits(void)
{
	set_up(SCREEN_COLS_MAX, SCREEN_ROWS_MAX);
	for (unsigned i = 0; i < SCREEN_COLS_MAX * SCREEN_ROWS_MAX; i++)
		screen.cell[i] = 0x07db;
	CHECK_EQ(screen_text(&screen, text, sizeof(text)), SCREEN_TEXT_MAX - 1);
	CHECK(text[SCREEN_TEXT_MAX - 2] == '\n');
}

static void test_a_small_buffer_ends_between_characters(void)
{
	set_up(80, 25);
	put(0, 0, "a\xdb");
	for (size_t size = 1; size < 6; size++) {
		memset(text, 'x', 8);
		size_t len = screen_text(&screen, text, size);
		CHECK_EQ(len, strlen(text));
		CHECK_EQ(len, size == 1 ? 0 : size < 5 ? 1 : 4);
		CHECK(text[size] == 'x');
	}
	text[0] = 'x';
	CHECK_EQ(screen_text(&screen, text, 0), 0);
	CHECK(text[0] == 'x');
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_code_page_437),
		TEST_CASE(test_rows_without_their_trailing_blanks),
		TEST_CASE(test_an_empty_screen_and_other_kinds),
		TEST_CASE(test_the_largest_screen_fits),
		TEST_CASE(test_a_small_buffer_ends_between_characters),
	};
	return TEST_RUN(cases);
}
