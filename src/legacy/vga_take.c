/*
 * What the VGA shows: its memory, read as the CRT controller, the shift registers, the attribute
 * controller and the DAC read it (IBM PS/2 Hardware Interface Technical Reference, Video
 * Subsystem), one moment of it instead of a scan.
 *
 * Scan lines and dots that the hardware repeats are taken once, so mode 13h is 320 dots by 200.
 *
 * Left out: smooth scrolling of text, the border, skews, the ninth dot of a character. Of two fonts
 * at once (512 characters) the one for characters without bit 3 of the attribute shows.
 */
#include "vga_device.h"

#include <string.h>
#include <tinyvm/screen.h>

#define FONT_STRIDE 32
#define CHAR_DOTS   8u

/**
 * struct vga_raster - how the CRT controller goes over memory
 * @start: address of the picture's first character
 * @pitch: addresses from a row to the next
 * @cols:  characters a row
 * @lines: scan lines in all, of which @repeat each are the same
 * @split: rows that begin below this line are those at address 0
 */
struct vga_raster {
	unsigned start, pitch, cols;
	unsigned lines, repeat, split;
};

static struct vga_raster vga_raster(const struct vga *v)
{
	const uint8_t *crtc = v->crtc;
	return (struct vga_raster){
		.start = (unsigned)crtc[CRTC_START_HIGH] << 8 | crtc[CRTC_START_LOW],
		.pitch = crtc[CRTC_OFFSET] * 2u,
		.cols = crtc[CRTC_HDISPLAY_END] + 1u,
		.lines = vga_lines_shown(v),
		.repeat = crtc[CRTC_MAX_SCAN] & CRTC_MAX_SCAN_DOUBLE ? 2 : 1,
		.split = (crtc[CRTC_LINE_COMPARE] | (crtc[CRTC_OVERFLOW] & 0x10u) << 4 |
			  (crtc[CRTC_MAX_SCAN] & 0x40u) << 3) +
			 1,
	};
}

/* Where row @row of @row_lines scan lines begins. */
static unsigned vga_row_address(const struct vga_raster *r, unsigned row, unsigned row_lines)
{
	unsigned first_below = (r->split + row_lines - 1) / row_lines;
	if (row < first_below)
		return r->start + row * r->pitch;
	return (row - first_below) * r->pitch;
}

/* The planes' address for the CRT controller's @count, in scan line @scan of a row. */
static unsigned vga_display_address(const struct vga *v, unsigned count, unsigned scan)
{
	uint8_t mode = v->crtc[CRTC_MODE];
	unsigned at = count & 0xffff;
	if (v->crtc[CRTC_UNDERLINE] & CRTC_UNDERLINE_DWORD)
		at = at << 2 | at >> 14;
	else if (!(mode & CRTC_MODE_BYTE))
		at = at << 1 | (at >> (mode & CRTC_MODE_WRAP ? 15 : 13) & 1);
	if (!(mode & CRTC_MODE_ROW_BIT_13))
		at = (at & ~0x2000u) | (scan & 1) << 13;
	if (!(mode & CRTC_MODE_ROW_BIT_14))
		at = (at & ~0x4000u) | (scan >> 1 & 1) << 14;
	return at % VGA_PLANE_SIZE;
}

static uint32_t vga_color(const struct vga *v, unsigned index)
{
	const uint8_t *rgb = v->dac.rgb[index & v->dac.mask];
	uint32_t color = 0;
	for (unsigned i = 0; i < 3; i++)
		color = color << 8 | (uint8_t)(rgb[i] << 2 | rgb[i] >> 4);
	return color;
}

/* The 16 colours that the attribute controller makes of four bits. */
static void vga_take_palette_16(const struct vga *v, uint32_t palette[16])
{
	unsigned select = v->attribute[ATTR_COLOR_SELECT];
	for (unsigned i = 0; i < 16; i++) {
		unsigned index = v->attribute[i & v->attribute[ATTR_PLANES]] & 0x3f;
		if (v->attribute[ATTR_MODE] & ATTR_MODE_P54)
			index = (index & 0x0f) | (select & 0x03) << 4;
		palette[i] = vga_color(v, index | (select & 0x0c) << 4);
	}
}

static unsigned vga_at_most(unsigned value, unsigned max)
{
	return value < max ? value : max;
}

/* The font that shows characters without bit 3 of the attribute. */
static void vga_take_font(const struct vga *v, struct screen *s)
{
	unsigned select = v->sequencer[SEQ_FONT];
	unsigned font = (select & 0x03) << 14 | (select & 0x10) << 9;
	for (unsigned c = 0; c < 256; c++) {
		for (unsigned line = 0; line < s->glyph_height; line++)
			s->glyph[c][line] =
				(uint8_t)(v->memory[font + c * FONT_STRIDE + line] >> 16);
	}
}

static void vga_take_cursor(const struct vga *v, const struct vga_raster *r, struct screen *s)
{
	unsigned position = (unsigned)v->crtc[CRTC_CURSOR_HIGH] << 8 | v->crtc[CRTC_CURSOR_LOW];
	unsigned rel = (position - r->start) & 0xffff;
	s->cursor_row = r->pitch ? rel / r->pitch : 0;
	s->cursor_col = r->pitch ? rel % r->pitch : rel;
	s->cursor_first = v->crtc[CRTC_CURSOR_START] & CRTC_CURSOR_LINES;
	s->cursor_last =
		vga_at_most(v->crtc[CRTC_CURSOR_END] & CRTC_CURSOR_LINES, s->glyph_height - 1);
	s->is_cursor_visible = !(v->crtc[CRTC_CURSOR_START] & CRTC_CURSOR_OFF) &&
			       s->cursor_first <= s->cursor_last && s->cursor_row < s->rows &&
			       s->cursor_col < s->cols;
}

static void vga_take_text(const struct vga *v, const struct vga_raster *r, struct screen *s)
{
	s->kind = SCREEN_TEXT;
	s->glyph_height = (v->crtc[CRTC_MAX_SCAN] & CRTC_MAX_SCAN_LINES) + 1u;
	unsigned row_lines = s->glyph_height * r->repeat;
	s->cols = vga_at_most(r->cols, SCREEN_COLS_MAX);
	s->rows = vga_at_most(r->lines / row_lines, SCREEN_ROWS_MAX);
	s->is_blink_on = v->attribute[ATTR_MODE] & ATTR_MODE_BLINK;
	s->is_mono = v->attribute[ATTR_MODE] & ATTR_MODE_MONO;
	for (unsigned row = 0; row < s->rows; row++) {
		unsigned count = vga_row_address(r, row, row_lines);
		for (unsigned col = 0; col < s->cols; col++) {
			unsigned at = vga_display_address(v, count + col, 0);
			s->cell[row * s->cols + col] = (uint16_t)v->memory[at];
		}
	}
	vga_take_font(v, s);
	vga_take_cursor(v, r, s);
}

/* The dots of one character of memory. Return: how many. */
static unsigned vga_unpack_dots(const struct vga *v, uint32_t word, uint8_t dots[CHAR_DOTS])
{
	uint8_t mode = v->graphics[GFX_MODE];
	if (mode & GFX_MODE_256) {
		for (unsigned i = 0; i < 4; i++)
			dots[i] = (uint8_t)(word >> 8 * i);
		return 4;
	}
	uint8_t planes = v->attribute[ATTR_PLANES] & 0x0f;
	for (unsigned i = 0; i < CHAR_DOTS; i++) {
		uint32_t column = word >> (7 - i);
		uint32_t dot =
			(column & 1) | (column >> 7 & 2) | (column >> 14 & 4) | (column >> 21 & 8);
		if (mode & GFX_MODE_SHIFT_2) {
			/* Planes 0 and 1 in turns, two bits a dot, and two more from 2 and 3. */
			uint32_t pair = word >> (i & 4 ? 8 : 0) >> 2 * (3 - (i & 3));
			dot = (pair & 3) | (pair >> 14 & 0x0c);
		}
		dots[i] = (uint8_t)(dot & planes);
	}
	return CHAR_DOTS;
}

static void vga_take_line(const struct vga *v, unsigned count, unsigned scan, uint8_t *dot,
			  unsigned width)
{
	bool is_256 = v->graphics[GFX_MODE] & GFX_MODE_256;
	unsigned skip = v->attribute[ATTR_PANNING] & 7;
	if (is_256)
		skip = skip >> 1;
	for (unsigned x = 0; x < width; count++) {
		uint8_t dots[CHAR_DOTS];
		unsigned n =
			vga_unpack_dots(v, v->memory[vga_display_address(v, count, scan)], dots);
		unsigned used = vga_at_most(n - skip, width - x);
		memcpy(dot + x, dots + skip, used);
		x += used;
		skip = 0;
	}
}

static void vga_take_graphics(const struct vga *v, const struct vga_raster *r, struct screen *s)
{
	unsigned scans = (v->crtc[CRTC_MAX_SCAN] & CRTC_MAX_SCAN_LINES) + 1u;
	/* Scan lines of a row differ only where their number is part of the address. */
	bool is_interleaved =
		(v->crtc[CRTC_MODE] & (CRTC_MODE_ROW_BIT_13 | CRTC_MODE_ROW_BIT_14)) !=
		(CRTC_MODE_ROW_BIT_13 | CRTC_MODE_ROW_BIT_14);
	unsigned line_step = is_interleaved ? r->repeat : r->repeat * scans;
	unsigned row_height = is_interleaved ? scans : 1;
	bool is_256 = v->graphics[GFX_MODE] & GFX_MODE_256;

	s->kind = SCREEN_GRAPHICS;
	s->width = vga_at_most(r->cols * (is_256 ? 4 : CHAR_DOTS), SCREEN_WIDTH_MAX);
	s->height = vga_at_most(r->lines / line_step, SCREEN_HEIGHT_MAX);
	for (unsigned y = 0; y < s->height; y++) {
		unsigned count = vga_row_address(r, y / row_height, scans * r->repeat);
		vga_take_line(v, count, y % row_height, s->dot + y * s->width, s->width);
	}
	if (is_256) {
		for (unsigned i = 0; i < 256; i++)
			s->palette[i] = vga_color(v, i);
	}
}

static bool vga_is_blank(const struct vga *v)
{
	return !(v->attribute_index & ATTR_INDEX_SHOWN) ||
	       v->sequencer[SEQ_CLOCKING] & SEQ_CLOCKING_BLANK ||
	       !(v->crtc[CRTC_MODE] & CRTC_MODE_RUN);
}

void vga_take(struct device *dev, struct screen *screen)
{
	struct vga *v = (struct vga *)dev;
	struct vga_raster raster = vga_raster(v);

	screen->kind = SCREEN_BLANK;
	screen->cols = screen->rows = screen->width = screen->height = 0;
	screen->is_cursor_visible = false;
	vga_take_palette_16(v, screen->palette);
	if (vga_is_blank(v))
		return;
	vga_window_pull(v);
	if (v->graphics[GFX_MISC] & GFX_MISC_GRAPHICS)
		vga_take_graphics(v, &raster, screen);
	else
		vga_take_text(v, &raster, screen);
}
