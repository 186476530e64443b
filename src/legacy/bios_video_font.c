/*
 * INT 10h AH=11h, fonts: into the map of a text mode, with as many rows as fit then; for graphics
 * modes; where those in the ROM are.
 */
#include "bios_video.h"

#define FONT_WINDOW  0xa0000u
#define GLYPH_STRIDE 32u
#define GLYPHS	     256u

#define SEQ_MAP_MASK 2
#define SEQ_FONT     3
#define SEQ_MEMORY   4
#define GFX_READ_MAP 4
#define GFX_MODE     5
#define GFX_MISC     6

#define CRTC_MAX_SCAN	  0x09
#define CRTC_VDISPLAY_END 0x12
#define CRTC_UNDERLINE	  0x14
#define MAX_SCAN_DOUBLE	  0x80

/* Blocks 0 to 3 begin every 16 KiB, 4 to 7 in the middle of them. */
static uint32_t video_block(unsigned block)
{
	return (block & 3) << 14 | (block & 4) << 11;
}

void video_load_font(const struct video *v, unsigned block, unsigned first, unsigned count,
		     unsigned height, gpa_t glyphs)
{
	struct bios *b = v->b;
	uint8_t slots[GLYPHS * GLYPH_STRIDE] = {0};

	if (first >= GLYPHS || height > GLYPH_STRIDE)
		return;
	if (count > GLYPHS - first)
		count = GLYPHS - first;
	for (unsigned i = 0; i < count; i++)
		bios_copy_in(b, slots + (size_t)i * GLYPH_STRIDE, glyphs + (gpa_t)i * height,
			     height);

	/* Plane 2 by itself, and back to characters and attributes in turns. */
	video_set(b, PORT_SEQUENCER, SEQ_MAP_MASK, 4);
	video_set(b, PORT_SEQUENCER, SEQ_MEMORY, 6);
	video_set(b, PORT_GRAPHICS, GFX_MODE, 0);
	video_set(b, PORT_GRAPHICS, GFX_MISC, 4);
	bios_copy_out(b, FONT_WINDOW + video_block(block) + first * GLYPH_STRIDE, slots,
		      (size_t)count * GLYPH_STRIDE);
	video_set(b, PORT_GRAPHICS, GFX_READ_MAP, v->mode->graphics[GFX_READ_MAP]);
	video_set(b, PORT_GRAPHICS, GFX_MODE, v->mode->graphics[GFX_MODE]);
	video_set(b, PORT_GRAPHICS, GFX_MISC, v->mode->graphics[GFX_MISC]);
	video_set(b, PORT_SEQUENCER, SEQ_MAP_MASK, v->mode->sequencer[SEQ_MAP_MASK]);
	video_set(b, PORT_SEQUENCER, SEQ_MEMORY, v->mode->sequencer[SEQ_MEMORY]);
}

/* As many rows as the picture has room for. */
static void video_fit_rows(const struct video *v, unsigned height)
{
	struct video now = *v;
	uint8_t max_scan = video_get_register(v->b, v->crtc_port, CRTC_MAX_SCAN);
	unsigned repeat = max_scan & MAX_SCAN_DOUBLE ? 2 : 1;
	unsigned flags = bios_peek8(v->b, BDA_VIDEO_FLAGS);
	unsigned lines = flags & VIDEO_FLAGS_400 || repeat == 2 ? 400 : 350;
	unsigned rows = lines / (height * repeat);
	unsigned bytes = (v->cols * rows * 2 + 0xff) & ~0xffu;

	video_set(v->b, v->crtc_port, CRTC_MAX_SCAN, (uint8_t)((max_scan & 0xe0) | (height - 1)));
	/* The bits above stay as they are: less than one row is lost of 256 and more lines. */
	video_set(v->b, v->crtc_port, CRTC_VDISPLAY_END, (uint8_t)(rows * height * repeat - 1));
	if (v->mode->number == 7)
		video_set(v->b, v->crtc_port, CRTC_UNDERLINE, (uint8_t)(height - 1));
	bios_poke8(v->b, BDA_VIDEO_ROWS, (uint8_t)(rows - 1));
	bios_poke16(v->b, BDA_VIDEO_GLYPH_HEIGHT, (uint16_t)height);
	bios_poke16(v->b, BDA_VIDEO_PAGE_SIZE, (uint16_t)bytes);
	now.glyph_height = height;
	video_show_cursor_shape(&now);
}

static void video_load_text_font(const struct video *v, const struct bios_frame *f)
{
	static const struct {
		uint8_t height;
		uint16_t rom;
	} fonts[5] = {[1] = {14, VIDEO_ROM_FONT_8X14},
		      [2] = {8, VIDEO_ROM_FONT_8X8},
		      [4] = {16, VIDEO_ROM_FONT_8X16}};
	unsigned which = f->eax & 0x0f, height = fonts[which].height;
	if (v->kind != VIDEO_TEXT)
		return;
	if (which == 0) {
		height = bios_high(f->ebx);
		video_load_font(v, bios_low(f->ebx), bios_word(f->edx), bios_word(f->ecx), height,
				bios_gpa(f->es, bios_word(f->ebp)));
	} else {
		video_load_font(v, bios_low(f->ebx), 0, GLYPHS, height,
				BIOS_VIDEO_ROM_BASE + fonts[which].rom);
	}
	if (f->eax & 0x10 && height && height <= GLYPH_STRIDE)
		video_fit_rows(v, height);
}

/* BL: how many rows of characters, or 0 and DL says it. */
static void video_use_font(const struct video *v, const struct bios_frame *f, uint32_t font,
			   unsigned height)
{
	static const uint8_t rows[4] = {0, 14, 25, 43};
	unsigned code = bios_low(f->ebx);
	unsigned count = code && code < 4 ? rows[code] : bios_low(f->edx);
	bios_poke32(v->b, VECTOR_FONT, font);
	bios_poke16(v->b, BDA_VIDEO_GLYPH_HEIGHT, (uint16_t)height);
	bios_poke8(v->b, BDA_VIDEO_ROWS, (uint8_t)(count ? count - 1 : 0));
}

static void video_tell_font(const struct video *v, struct bios_frame *f)
{
	static const uint16_t rom[8] = {
		[2] = VIDEO_ROM_FONT_8X14,	    [3] = VIDEO_ROM_FONT_8X8,
		[4] = VIDEO_ROM_FONT_8X8 + 128 * 8, [5] = VIDEO_ROM_ALTERNATE,
		[6] = VIDEO_ROM_FONT_8X16,	    [7] = VIDEO_ROM_ALTERNATE};
	unsigned which = bios_high(f->ebx);
	if (which > 7)
		return;
	uint32_t pointer = bios_far(VIDEO_ROM_SEGMENT, rom[which]);
	if (which < 2)
		pointer = bios_peek32(v->b, which ? VECTOR_FONT : VECTOR_FONT_8X8_TOP);
	f->es = (uint16_t)(pointer >> 16);
	bios_set_word(&f->ebp, (uint16_t)pointer);
	bios_set_word(&f->ecx, bios_peek16(v->b, BDA_VIDEO_GLYPH_HEIGHT));
	bios_set_low(&f->edx, bios_peek8(v->b, BDA_VIDEO_ROWS));
}

void video_font(const struct video *v, struct bios_frame *f)
{
	uint32_t user = bios_far(f->es, bios_word(f->ebp));
	switch (bios_low(f->eax)) {
	case 0x00:
	case 0x01:
	case 0x02:
	case 0x04:
	case 0x10:
	case 0x11:
	case 0x12:
	case 0x14:
		video_load_text_font(v, f);
		break;
	case 0x03:
		video_set(v->b, PORT_SEQUENCER, SEQ_FONT, bios_low(f->ebx));
		break;
	case 0x20:
		bios_poke32(v->b, VECTOR_FONT_8X8_TOP, user);
		break;
	case 0x21:
		video_use_font(v, f, user, bios_word(f->ecx));
		break;
	case 0x22:
		video_use_font(v, f, bios_far(VIDEO_ROM_SEGMENT, VIDEO_ROM_FONT_8X14), 14);
		break;
	case 0x23:
		video_use_font(v, f, bios_far(VIDEO_ROM_SEGMENT, VIDEO_ROM_FONT_8X8), 8);
		break;
	case 0x24:
		video_use_font(v, f, bios_far(VIDEO_ROM_SEGMENT, VIDEO_ROM_FONT_8X16), 16);
		break;
	case 0x30:
		video_tell_font(v, f);
		break;
	default:
		break;
	}
}
