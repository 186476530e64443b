/*
 * Text goes cell by cell; of a screen that is larger than the terminal the part around the cursor
 * is shown. Graphics go as half blocks, two dots to a cell, scaled to fit with the 4:3 that every
 * PC mode had on its monitor; a dot is the average of those it stands for.
 */
#include "tui_view.h"

#include <string.h>
#include <tinyvm/keymap.h>
#include <tinyvm/screen.h>

#define UPPER_HALF_BLOCK 0x2580
#define COMBINING_FIRST	 0x300 /* characters below take one place */
#define MONO_UNDERLINE	 1     /* bits 0 to 2 of a monochrome adapter's attribute */

/* For terminals without Unicode: what looks a little like each code below 0x20, from 0x7f on. */
static const char ascii_low[33] = " OOvo+^.#o#MFJJ*><|!PS_|^v><L-^v";
static const char ascii_high[130] = "^"
				    "CueaaaaceeeiiiAAEaAooouuyOUcLYPf"
				    "aiounNao?--24!<>"
				    "::#|++++++|+++++++++-++++++++=+++++++++++++#_||\""
				    "aBGpSsutFOOd8fen"
				    "=+><fj/~o..Vn2# ";

static char view_ascii(uint8_t code)
{
	if (code < 0x20)
		return ascii_low[code];
	return code < 0x7f ? (char)code : ascii_high[code - 0x7f];
}

static void view_clear(struct view *view)
{
	const struct view_cell blank = {.character = ' ', .fg = -1, .bg = -1};
	for (unsigned i = 0; i < view->cols * view->rows; i++)
		view->cell[i] = blank;
	view->cursor = VIEW_CURSOR_HIDDEN;
}

/* A terminal without colours has what is brighter: the character or what is behind it. */
static void view_style_mono(struct view_cell *cell, uint32_t fg, uint32_t bg, bool is_intense)
{
	if (fg == bg)
		cell->character = ' ';
	if (tui_luminance(bg) > tui_luminance(fg))
		cell->attr |= VIEW_REVERSE;
	else if (is_intense)
		cell->attr |= VIEW_BOLD;
}

static void view_style(const struct view *view, const struct screen *screen, uint8_t attribute,
		       struct view_cell *cell)
{
	uint32_t fg = screen->palette[attribute & 15];
	uint32_t bg = screen->palette[attribute >> 4 & (screen->is_blink_on ? 7 : 15)];

	if (screen->is_blink_on && (attribute & 0x80))
		cell->attr |= VIEW_BLINK;
	if (screen->is_mono && (attribute & 7) == MONO_UNDERLINE)
		cell->attr |= VIEW_UNDERLINE;
	if (view->colors == TUI_MONO) {
		view_style_mono(cell, fg, bg, attribute & 8);
		return;
	}
	cell->fg = tui_color(view->colors, fg);
	cell->bg = tui_color(view->colors, bg);
	if (view->colors == TUI_8) {
		if (cell->fg & 8)
			cell->attr |= VIEW_BOLD;
		cell->fg &= 7;
		cell->bg &= 7;
	}
}

/* Where a window of @shown on @size begins, so that @cursor is in it. */
static unsigned view_scroll(unsigned begin, unsigned size, unsigned shown, bool is_cursor,
			    unsigned cursor)
{
	if (size <= shown)
		return 0;
	if (is_cursor && cursor < begin)
		begin = cursor;
	if (is_cursor && cursor >= begin + shown && cursor < size)
		begin = cursor - shown + 1;
	return begin <= size - shown ? begin : size - shown;
}

static void view_place_cursor(struct view *view, const struct screen *screen)
{
	if (!screen->is_cursor_visible || screen->cursor_col < view->left ||
	    screen->cursor_row < view->top)
		return;
	view->cursor_col = screen->cursor_col - view->left;
	view->cursor_row = screen->cursor_row - view->top;
	if (view->cursor_col < view->cols && view->cursor_row < view->rows)
		view->cursor = screen->cursor_first > screen->glyph_height / 2
				       ? VIEW_CURSOR_UNDERLINE
				       : VIEW_CURSOR_BLOCK;
}

static void view_render_text(struct view *view, const struct screen *screen)
{
	bool is_cursor = screen->is_cursor_visible;

	view->left =
		view_scroll(view->left, screen->cols, view->cols, is_cursor, screen->cursor_col);
	view->top = view_scroll(view->top, screen->rows, view->rows, is_cursor, screen->cursor_row);
	for (unsigned row = 0; row < view->rows && view->top + row < screen->rows; row++)
		for (unsigned col = 0; col < view->cols && view->left + col < screen->cols; col++) {
			uint16_t from =
				screen->cell[(view->top + row) * screen->cols + view->left + col];
			struct view_cell *cell = &view->cell[row * view->cols + col];
			uint8_t code = from & 0xff;
			cell->character = view->is_unicode ? screen_unicode(code)
							   : (uint32_t)view_ascii(code);
			view_style(view, screen, (uint8_t)(from >> 8), cell);
		}
	view_place_cursor(view, screen);
}

/* The average of a part of the picture, which has at least one dot. */
static uint32_t view_average(const struct screen *screen, unsigned x, unsigned x_end, unsigned y,
			     unsigned y_end)
{
	uint32_t red = 0, green = 0, blue = 0, count = 0;

	for (unsigned row = y; row < y_end; row++)
		for (unsigned col = x; col < x_end; col++) {
			uint32_t rgb = screen->palette[screen->dot[row * screen->width + col]];
			red += rgb >> 16 & 0xff;
			green += rgb >> 8 & 0xff;
			blue += rgb & 0xff;
			count++;
		}
	return red / count << 16 | green / count << 8 | blue / count;
}

/* Dot (@x, @y) of the picture scaled to @width * @height. */
static uint32_t view_dot(const struct screen *screen, unsigned x, unsigned y, unsigned width,
			 unsigned height)
{
	unsigned left = x * screen->width / width, right = (x + 1) * screen->width / width;
	unsigned top = y * screen->height / height, bottom = (y + 1) * screen->height / height;

	return view_average(screen, left, right > left ? right : left + 1, top,
			    bottom > top ? bottom : top + 1);
}

static void view_set_dots(const struct view *view, struct view_cell *cell, uint32_t upper,
			  uint32_t lower)
{
	static const char ramp[] = " .:-=+*#%@";
	uint32_t both = (upper >> 1 & 0x7f7f7f) + (lower >> 1 & 0x7f7f7f);

	if (view->colors == TUI_MONO) {
		bool is_upper = tui_luminance(upper) >= 0x60,
		     is_lower = tui_luminance(lower) >= 0x60;
		if (!view->is_unicode)
			cell->character = (uint32_t)ramp[tui_luminance(both) * 9 / 255];
		else if (is_upper)
			cell->character = is_lower ? 0x2588 : UPPER_HALF_BLOCK;
		else
			cell->character = is_lower ? 0x2584 : ' ';
		return;
	}
	/* Bold has no place in a picture: of 8 colours there are just 8. */
	int32_t mask = view->colors == TUI_8 ? 7 : -1;
	if (view->is_unicode) {
		cell->character = UPPER_HALF_BLOCK;
		cell->fg = tui_color(view->colors, upper) & mask;
		cell->bg = tui_color(view->colors, lower) & mask;
	} else {
		cell->bg = tui_color(view->colors, both) & mask;
	}
}

static void view_render_graphics(struct view *view, const struct screen *screen)
{
	unsigned width = view->cols, height = view->cols * 3 / 4;

	if (height > view->rows * 2) {
		height = view->rows * 2;
		width = height * 4 / 3 < view->cols ? height * 4 / 3 : view->cols;
	}
	if (!screen->width || !screen->height || !width || height < 2)
		return;
	height &= ~1u;
	for (unsigned row = 0; row < height / 2; row++)
		for (unsigned col = 0; col < width; col++)
			view_set_dots(view, &view->cell[row * view->cols + col],
				      view_dot(screen, col, row * 2, width, height),
				      view_dot(screen, col, row * 2 + 1, width, height));
}

void view_render(struct view *view, const struct screen *screen)
{
	view_clear(view);
	if (screen->kind == SCREEN_TEXT)
		view_render_text(view, screen);
	else if (screen->kind == SCREEN_GRAPHICS)
		view_render_graphics(view, screen);
}

/* The next character of @text, and on; a blank at its end. */
static uint32_t view_next_character(const struct view *view, const char **text)
{
	uint32_t character = 0;
	size_t left = strlen(*text), len = keymap_decode(*text, left, &character);
	if (!left)
		return ' ';
	*text += len ? len : left;
	bool is_ascii = character >= 0x20 && character < 0x7f;
	bool is_latin = view->is_unicode && character >= 0xa0 && character < COMBINING_FIRST;
	return len && (is_ascii || is_latin) ? character : '?';
}

void view_overlay(struct view *view, unsigned row, const char *text)
{
	if (row >= view->rows)
		return;
	struct view_cell *cell = &view->cell[(view->rows - 1 - row) * view->cols];
	for (unsigned col = 0; col < view->cols; col++) {
		cell[col] = (struct view_cell){
			.character = view_next_character(view, &text),
			.fg = -1,
			.bg = -1,
			.attr = VIEW_REVERSE,
		};
	}
}
