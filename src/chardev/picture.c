/*
 * PNG (W3C Recommendation, second edition) with a palette of up to 256 colours, one byte a dot,
 * packed by zlib. Text is drawn as a VGA does: cells 9 dots wide, the ninth blank but in the line
 * characters 0xc0 to 0xdf, which repeat their eighth; blinking ones in their visible half.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/picture.h>
#include <tinyvm/screen.h>
#include <zlib.h>

#define CELL_WIDTH	9
#define LINE_CODE_FIRST 0xc0
#define LINE_CODE_LAST	0xdf
#define UNDERLINE_MASK	0x07
#define UNDERLINE	0x01

/* The smallest picture that is as it is; smaller ones are doubled. */
#define WIDTH_MIN  640
#define HEIGHT_MIN 350

/* What a screen that is switched off is drawn as. */
#define BLANK_WIDTH  640
#define BLANK_HEIGHT 400

#define PNG_COLOR_PALETTE 3
#define PNG_REST_MAX	  1024 /* all but the dots */

/**
 * struct picture - what is to be packed
 * @row: one byte a dot, @width + 1 a row: PNG's filter type comes first, 0
 */
struct picture {
	unsigned width, height;
	const uint32_t *palette;
	uint8_t *row;
};

static uint8_t *picture_at(const struct picture *pic, unsigned x, unsigned y)
{
	return pic->row + (size_t)y * (pic->width + 1) + 1 + x;
}

/* The bits of line @y of a cell, the leftmost of @CELL_WIDTH in the highest. */
static unsigned picture_cell_line(const struct screen *screen, uint8_t code, uint8_t attribute,
				  unsigned y)
{
	unsigned bits = (unsigned)screen->glyph[code][y] << 1;

	if (code >= LINE_CODE_FIRST && code <= LINE_CODE_LAST)
		bits |= bits >> 1 & 1;
	if (screen->is_mono && (attribute & UNDERLINE_MASK) == UNDERLINE &&
	    y + 2 == screen->glyph_height)
		bits = ~0u;
	return bits;
}

static bool picture_has_cursor(const struct screen *screen, unsigned col, unsigned row, unsigned y)
{
	return screen->is_cursor_visible && col == screen->cursor_col &&
	       row == screen->cursor_row && y >= screen->cursor_first && y <= screen->cursor_last;
}

static void picture_draw_cell(const struct picture *pic, const struct screen *screen, unsigned col,
			      unsigned row)
{
	uint16_t cell = screen->cell[row * screen->cols + col];
	uint8_t code = cell & 0xff, attribute = (uint8_t)(cell >> 8);
	uint8_t fg = attribute & 15, bg = attribute >> 4 & (screen->is_blink_on ? 7 : 15);

	for (unsigned y = 0; y < screen->glyph_height; y++) {
		unsigned bits = picture_cell_line(screen, code, attribute, y);
		if (picture_has_cursor(screen, col, row, y))
			bits = ~0u;
		uint8_t *dot = picture_at(pic, col * CELL_WIDTH, row * screen->glyph_height + y);
		for (unsigned x = 0; x < CELL_WIDTH; x++)
			dot[x] = bits >> (CELL_WIDTH - 1 - x) & 1 ? fg : bg;
	}
}

static void picture_draw(const struct picture *pic, const struct screen *screen, unsigned x_scale,
			 unsigned y_scale)
{
	if (screen->kind == SCREEN_TEXT && screen->glyph_height)
		for (unsigned i = 0; i < screen->cols * screen->rows; i++)
			picture_draw_cell(pic, screen, i % screen->cols, i / screen->cols);
	if (screen->kind == SCREEN_GRAPHICS && screen->width && screen->height)
		for (unsigned y = 0; y < pic->height; y++)
			for (unsigned x = 0; x < pic->width; x++)
				*picture_at(pic, x, y) =
					screen->dot[y / y_scale * screen->width + x / x_scale];
}

/* Return: 0 or -ENOMEM. */
static int picture_make(struct picture *pic, const struct screen *screen)
{
	unsigned x_scale = 1, y_scale = 1;

	*pic = (struct picture){
		.width = BLANK_WIDTH, .height = BLANK_HEIGHT, .palette = screen->palette};
	if (screen->kind == SCREEN_TEXT) {
		pic->width = screen->cols * CELL_WIDTH;
		pic->height = screen->rows * screen->glyph_height;
	} else if (screen->kind == SCREEN_GRAPHICS) {
		x_scale = screen->width < WIDTH_MIN ? 2 : 1;
		y_scale = screen->height < HEIGHT_MIN ? 2 : 1;
		pic->width = screen->width * x_scale;
		pic->height = screen->height * y_scale;
	}
	if (!pic->width || !pic->height) {
		pic->width = BLANK_WIDTH;
		pic->height = BLANK_HEIGHT;
	}
	pic->row = calloc(pic->height, pic->width + 1);
	if (!pic->row)
		return -ENOMEM;
	picture_draw(pic, screen, x_scale, y_scale);
	return 0;
}

/* A file in memory. */
struct png {
	uint8_t *bytes;
	size_t len;
};

static void png_put(struct png *png, const void *bytes, size_t len)
{
	memcpy(png->bytes + png->len, bytes, len);
	png->len += len;
}

static void png_put_be32(struct png *png, uint32_t value)
{
	const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
				  (uint8_t)(value >> 8), (uint8_t)value};
	png_put(png, bytes, sizeof(bytes));
}

static void png_put_chunk(struct png *png, const char *type, const uint8_t *data, size_t len)
{
	png_put_be32(png, (uint32_t)len);
	size_t begin = png->len;
	png_put(png, type, 4);
	png_put(png, data, len);
	png_put_be32(png, (uint32_t)crc32(0, png->bytes + begin, (uInt)(4 + len)));
}

static void png_put_head(struct png *png, const struct picture *pic)
{
	static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
	uint8_t size[8 + 5] = {[8] = 8, [9] = PNG_COLOR_PALETTE};
	uint8_t palette[256 * 3];

	for (unsigned i = 0; i < 4; i++) {
		size[i] = (uint8_t)(pic->width >> (24 - 8 * i));
		size[4 + i] = (uint8_t)(pic->height >> (24 - 8 * i));
	}
	for (unsigned i = 0; i < 256; i++) {
		palette[i * 3] = (uint8_t)(pic->palette[i] >> 16);
		palette[i * 3 + 1] = (uint8_t)(pic->palette[i] >> 8);
		palette[i * 3 + 2] = (uint8_t)pic->palette[i];
	}
	png_put(png, signature, sizeof(signature));
	png_put_chunk(png, "IHDR", size, sizeof(size));
	png_put_chunk(png, "PLTE", palette, sizeof(palette));
}

/* Return: 0 or -ENOMEM. */
static int png_make(const struct picture *pic, struct png *ret_png)
{
	uLong raw_len = (uLong)(pic->width + 1) * pic->height;
	uLongf len = compressBound(raw_len);
	uint8_t *packed = malloc(len);
	struct png png = {.bytes = malloc(len + PNG_REST_MAX)};

	if (!packed || !png.bytes ||
	    compress2(packed, &len, pic->row, raw_len, Z_DEFAULT_COMPRESSION) != Z_OK) {
		free(packed);
		free(png.bytes);
		return -ENOMEM;
	}
	png_put_head(&png, pic);
	png_put_chunk(&png, "IDAT", packed, len);
	png_put_chunk(&png, "IEND", packed, 0);
	free(packed);
	*ret_png = png;
	return 0;
}

int picture_png(const struct screen *screen, uint8_t **ret_bytes, size_t *ret_len)
{
	struct picture pic;
	struct png png;
	int error = picture_make(&pic, screen);

	if (!error)
		error = png_make(&pic, &png);
	free(pic.row);
	if (error)
		return error;
	*ret_bytes = png.bytes;
	*ret_len = png.len;
	return 0;
}
