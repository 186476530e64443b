/*
 * What a display adapter shows at one moment: taken from the adapter's model, drawn by whoever has
 * a screen (a terminal, a picture file, a test).
 */
#ifndef TINYVM_SCREEN_H
#define TINYVM_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCREEN_COLS_MAX	  132
#define SCREEN_ROWS_MAX	  60
#define SCREEN_WIDTH_MAX  800
#define SCREEN_HEIGHT_MAX 600
#define SCREEN_GLYPH_MAX  32

enum screen_kind {
	SCREEN_BLANK,
	SCREEN_TEXT,
	SCREEN_GRAPHICS,
};

/**
 * struct screen - one picture, of either kind
 * @cols, @rows: of text, up to SCREEN_COLS_MAX and SCREEN_ROWS_MAX
 * @cell:    row by row, @cols a row: the character in the low byte, its attribute in the high one:
 *           bits 0-3 foreground, 4-6 background, 7 blink (@is_blink_on) or bright background
 * @is_mono: of text: attributes mean what they do on a monochrome adapter, so characters whose
 *           bits 0-2 are 1 are underlined (the palette has the rest)
 * @cursor_first, @cursor_last: lines of the cell that the cursor fills
 * @glyph_height: lines of a cell
 * @glyph:   the font: for each character code, @glyph_height lines, bit 7 is the leftmost dot
 * @width, @height: of graphics, in dots
 * @dot:     row by row, @width a row: indices into @palette
 * @palette: 0xRRGGBB; text uses the first 16 entries, the attributes already mapped through the
 *           attribute controller
 */
struct screen {
	enum screen_kind kind;
	unsigned cols, rows;
	uint16_t cell[SCREEN_COLS_MAX * SCREEN_ROWS_MAX];
	bool is_blink_on, is_mono;
	bool is_cursor_visible;
	unsigned cursor_col, cursor_row;
	unsigned cursor_first, cursor_last;
	unsigned glyph_height;
	uint8_t glyph[256][SCREEN_GLYPH_MAX];
	unsigned width, height;
	uint8_t dot[SCREEN_WIDTH_MAX * SCREEN_HEIGHT_MAX];
	uint32_t palette[256];
};

/**
 * struct screen_source - where pictures come from
 * @take: fill in @screen; any thread, no lock held
 */
struct screen_source {
	void (*take)(void *ctx, struct screen *screen);
	void *ctx;
};

/* The Unicode character that code page 437's @code looks like. */
uint32_t screen_unicode(uint8_t code);

/**
 * screen_text() - a text screen as UTF-8 lines
 * @buf: of @size bytes; SCREEN_TEXT_MAX is always enough
 *
 * Each row without its trailing blanks, ended by a newline; trailing empty rows are left out. What
 * is no text screen gives an empty string. Always NUL-terminated. Return: length.
 */
#define SCREEN_TEXT_MAX (SCREEN_ROWS_MAX * (SCREEN_COLS_MAX * 3 + 1) + 1)
size_t screen_text(const struct screen *screen, char *buf, size_t size);

#endif
