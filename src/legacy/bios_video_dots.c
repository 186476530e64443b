/*
 * INT 10h in graphics modes: dots, and characters made of them. Glyphs come from where INT 43h and
 * INT 1Fh point, so that the guest's own fonts are drawn.
 */
#include "bios_video.h"

#define BASE_PLANAR 0xa0000u
#define BASE_CGA    0xb8000u
#define CGA_BANK    0x2000u /* odd lines */
#define CGA_PITCH   80u
#define PITCH_256   320u

#define COLOR_XOR 0x80

#define SEQ_MAP_MASK	     2
#define GFX_SET_RESET	     0
#define GFX_SET_RESET_ENABLE 1
#define GFX_ROTATE	     3
#define GFX_READ_MAP	     4
#define GFX_MODE	     5
#define GFX_BIT_MASK	     8
#define ROTATE_XOR	     0x18

#define GLYPH_HEIGHT_MAX 32
#define LINE_BYTES_MAX	 320u

unsigned video_dots_wide(const struct video *v)
{
	return v->mode->cols * 8u;
}

unsigned video_dots_high(const struct video *v)
{
	return v->mode->rows * (unsigned)v->mode->glyph_height;
}

static gpa_t video_line(const struct video *v, unsigned page, unsigned y)
{
	if (v->kind == VIDEO_CGA)
		return BASE_CGA + (y & 1) * CGA_BANK + y / 2 * CGA_PITCH;
	if (v->kind == VIDEO_256)
		return BASE_PLANAR + y * PITCH_256;
	return BASE_PLANAR + ((page % VIDEO_PAGES * v->page_size + y * v->mode->cols) & 0xffff);
}

/* Bytes of a line of a character. */
static unsigned video_char_bytes(const struct video *v)
{
	if (v->kind == VIDEO_256)
		return 8;
	return v->kind == VIDEO_CGA ? CGA_PITCH / v->mode->cols : 1;
}

static void video_set_graphics(const struct video *v, uint8_t index, uint8_t value)
{
	video_set(v->b, PORT_GRAPHICS, index, value);
}

static void video_set_map_mask(const struct video *v, uint8_t planes)
{
	video_set(v->b, PORT_SEQUENCER, SEQ_MAP_MASK, planes);
}

/* Two bits a dot in modes 4 and 5, one in mode 6. */
static unsigned video_cga_bits(const struct video *v)
{
	return v->mode->number == 6 ? 1 : 2;
}

uint8_t video_get_dot(const struct video *v, unsigned page, unsigned x, unsigned y)
{
	gpa_t line = video_line(v, page, y);
	if (v->kind == VIDEO_256)
		return bios_peek8(v->b, line + x);
	if (v->kind == VIDEO_CGA) {
		unsigned bits = video_cga_bits(v), at = x * bits;
		uint8_t byte = bios_peek8(v->b, line + at / 8);
		return (uint8_t)(byte >> (8 - bits - at % 8) & ((1u << bits) - 1));
	}
	uint8_t color = 0;
	for (uint8_t plane = 0; plane < 4; plane++) {
		video_set_graphics(v, GFX_READ_MAP, plane);
		color |= (uint8_t)((bios_peek8(v->b, line + x / 8) >> (7 - x % 8) & 1) << plane);
	}
	video_set_graphics(v, GFX_READ_MAP, 0);
	return color;
}

static void video_set_dot_cga(const struct video *v, gpa_t line, unsigned x, uint8_t color)
{
	unsigned bits = video_cga_bits(v), at = x * bits, shift = 8 - bits - at % 8;
	unsigned mask = ((1u << bits) - 1) << shift;
	unsigned dot = (unsigned)color << shift & mask;
	unsigned old = bios_peek8(v->b, line + at / 8);
	bios_poke8(v->b, line + at / 8,
		   (uint8_t)(color & COLOR_XOR ? old ^ dot : (old & ~mask) | dot));
}

static void video_set_dot_planar(const struct video *v, gpa_t byte, unsigned x, uint8_t color)
{
	video_set_map_mask(v, 0x0f);
	video_set_graphics(v, GFX_BIT_MASK, (uint8_t)(0x80 >> x % 8));
	video_set_graphics(v, GFX_MODE, 2);
	video_set_graphics(v, GFX_ROTATE, color & COLOR_XOR ? ROTATE_XOR : 0);
	bios_peek8(v->b, byte);
	bios_poke8(v->b, byte, color & 0x0f);
	video_set_graphics(v, GFX_ROTATE, 0);
	video_set_graphics(v, GFX_MODE, v->mode->graphics[GFX_MODE]);
	video_set_graphics(v, GFX_BIT_MASK, 0xff);
}

void video_set_dot(const struct video *v, unsigned page, unsigned x, unsigned y, uint8_t color)
{
	gpa_t line = video_line(v, page, y);
	if (v->kind == VIDEO_256)
		bios_poke8(v->b, line + x, color);
	else if (v->kind == VIDEO_CGA)
		video_set_dot_cga(v, line, x, color);
	else
		video_set_dot_planar(v, line + x / 8, x, color);
}

static gpa_t video_vector(const struct video *v, gpa_t vector)
{
	uint32_t pointer = bios_peek32(v->b, vector);
	return bios_gpa((uint16_t)(pointer >> 16), (uint16_t)pointer);
}

/* Where the glyph is; the CGA's modes have those from 128 on elsewhere. */
static gpa_t video_glyph(const struct video *v, unsigned code)
{
	if (v->kind == VIDEO_CGA && code >= 128)
		return video_vector(v, VECTOR_FONT_8X8_TOP) + (code - 128) * v->glyph_height;
	return video_vector(v, VECTOR_FONT) + code * v->glyph_height;
}

/* The bytes of a glyph's line in a packed mode. Return: how many. */
static unsigned video_expand(const struct video *v, uint8_t dots, uint8_t color, uint8_t bytes[8])
{
	if (v->kind == VIDEO_256) {
		for (unsigned i = 0; i < 8; i++)
			bytes[i] = dots >> (7 - i) & 1 ? color : 0;
		return 8;
	}
	if (video_cga_bits(v) == 1) {
		bytes[0] = color & 1 ? dots : 0;
		return 1;
	}
	unsigned wide = 0;
	for (unsigned i = 0; i < 8; i++)
		wide |= (dots >> i & 1 ? color & 3u : 0) << 2 * i;
	bytes[0] = (uint8_t)(wide >> 8);
	bytes[1] = (uint8_t)wide;
	return 2;
}

static void video_draw_packed(const struct video *v, gpa_t at, uint8_t dots, uint8_t color)
{
	uint8_t bytes[8], old[8];
	bool is_xor = v->kind == VIDEO_CGA && color & COLOR_XOR;
	unsigned n = video_expand(v, dots, color, bytes);
	if (is_xor) {
		bios_copy_in(v->b, old, at, n);
		for (unsigned i = 0; i < n; i++)
			bytes[i] ^= old[i];
	}
	bios_copy_out(v->b, at, bytes, n);
}

static void video_draw_planar(const struct video *v, const gpa_t *line, const uint8_t *dots,
			      unsigned lines, uint8_t color)
{
	for (uint8_t plane = 0; plane < 4; plane++) {
		video_set_map_mask(v, (uint8_t)(1 << plane));
		video_set_graphics(v, GFX_READ_MAP, plane);
		for (unsigned i = 0; i < lines; i++) {
			uint8_t byte = color >> plane & 1 ? dots[i] : 0;
			if (color & COLOR_XOR)
				byte ^= bios_peek8(v->b, line[i]);
			bios_poke8(v->b, line[i], byte);
		}
	}
	video_set_graphics(v, GFX_READ_MAP, 0);
	video_set_map_mask(v, 0x0f);
}

void video_draw_glyph(const struct video *v, unsigned page, unsigned row, unsigned col,
		      uint8_t code, uint8_t color)
{
	uint8_t dots[GLYPH_HEIGHT_MAX];
	gpa_t line[GLYPH_HEIGHT_MAX];
	unsigned lines = 0, y = row * v->glyph_height;
	if (col >= v->mode->cols)
		return;
	bios_copy_in(v->b, dots, video_glyph(v, code), v->glyph_height);
	for (; lines < v->glyph_height && y + lines < video_dots_high(v); lines++)
		line[lines] = video_line(v, page, y + lines) + col * video_char_bytes(v);
	if (v->kind == VIDEO_PLANAR) {
		video_draw_planar(v, line, dots, lines, color);
		return;
	}
	for (unsigned i = 0; i < lines; i++)
		video_draw_packed(v, line[i], dots[i], color);
}

/* The character whose glyph is there, in whatever colour on black; 0 when none is. */
uint8_t video_recognize_glyph(const struct video *v, unsigned page, unsigned row, unsigned col)
{
	uint8_t seen[GLYPH_HEIGHT_MAX] = {0}, glyph[GLYPH_HEIGHT_MAX];
	for (unsigned i = 0; i < v->glyph_height; i++) {
		unsigned y = row * v->glyph_height + i;
		for (unsigned x = 0; x < 8; x++) {
			if (y < video_dots_high(v) && col < v->mode->cols &&
			    video_get_dot(v, page, col * 8 + x, y))
				seen[i] |= (uint8_t)(0x80 >> x);
		}
	}
	for (unsigned code = 0; code < 256; code++) {
		bool is_same = true;
		bios_copy_in(v->b, glyph, video_glyph(v, code), v->glyph_height);
		for (unsigned i = 0; i < v->glyph_height; i++)
			is_same = is_same && glyph[i] == seen[i];
		if (is_same)
			return (uint8_t)code;
	}
	return 0;
}

/* The part of a row that is on the screen. Return: lines; @ret_bytes of each. */
static unsigned video_clip_row(const struct video *v, unsigned row, unsigned col, unsigned cols,
			       unsigned *ret_bytes)
{
	unsigned high = video_dots_high(v), y = row * v->glyph_height;
	if (col >= v->mode->cols || y >= high)
		return 0;
	if (cols > v->mode->cols - col)
		cols = v->mode->cols - col;
	*ret_bytes = cols * video_char_bytes(v);
	return v->glyph_height < high - y ? v->glyph_height : high - y;
}

void video_copy_row(const struct video *v, unsigned to_row, unsigned from_row, unsigned col,
		    unsigned cols)
{
	uint8_t buf[LINE_BYTES_MAX];
	unsigned bytes, from_bytes, at = col * video_char_bytes(v);
	unsigned lines = video_clip_row(v, to_row, col, cols, &bytes);
	if (video_clip_row(v, from_row, col, cols, &from_bytes) < lines)
		return;
	if (v->kind == VIDEO_PLANAR) {
		video_set_map_mask(v, 0x0f);
		video_set_graphics(v, GFX_MODE, 1);
	}
	for (unsigned i = 0; i < lines; i++) {
		gpa_t to = video_line(v, v->page, to_row * v->glyph_height + i) + at;
		gpa_t from = video_line(v, v->page, from_row * v->glyph_height + i) + at;
		/* Through the latches, all planes at once. */
		for (unsigned n = 0; v->kind == VIDEO_PLANAR && n < bytes; n++) {
			bios_peek8(v->b, from + n);
			bios_poke8(v->b, to + n, 0);
		}
		if (v->kind != VIDEO_PLANAR) {
			bios_copy_in(v->b, buf, from, bytes);
			bios_copy_out(v->b, to, buf, bytes);
		}
	}
	if (v->kind == VIDEO_PLANAR)
		video_set_graphics(v, GFX_MODE, v->mode->graphics[GFX_MODE]);
}

void video_clear_row(const struct video *v, unsigned row, unsigned col, unsigned cols,
		     uint8_t color)
{
	uint8_t buf[LINE_BYTES_MAX];
	unsigned bytes, lines = video_clip_row(v, row, col, cols, &bytes);
	for (unsigned i = 0; i < LINE_BYTES_MAX; i++)
		buf[i] = color;
	if (v->kind == VIDEO_PLANAR) {
		video_set_map_mask(v, 0x0f);
		video_set_graphics(v, GFX_SET_RESET, color);
		video_set_graphics(v, GFX_SET_RESET_ENABLE, 0x0f);
	}
	for (unsigned i = 0; i < lines; i++) {
		unsigned y = row * v->glyph_height + i;
		bios_copy_out(v->b, video_line(v, v->page, y) + col * video_char_bytes(v), buf,
			      bytes);
	}
	if (v->kind == VIDEO_PLANAR) {
		video_set_graphics(v, GFX_SET_RESET, 0);
		video_set_graphics(v, GFX_SET_RESET_ENABLE, 0);
	}
}
