/*
 * INT 10h, the video services of a VGA BIOS: modes, cursor, pages; power-on. (Facts: IBM Personal
 * System/2 and Personal Computer BIOS Interface Technical Reference, 1988; Ralf Brown's interrupt
 * list.)
 *
 * Everything is done through ports and video memory, as by a BIOS that runs on the processor. What
 * the BIOS data area says is the guest's to change, so it is brought within what can be first.
 *
 * Left out: VESA (AH=4Fh is told "not supported"), light pen (AH=04h), the second display, and the
 * bell, whose timer only the ROM could reach.
 */
#include "bios_video.h"

#include <string.h>

#define COLS_MAX	 132
#define ROWS_MAX	 100
#define GLYPH_HEIGHT_MAX 32

#define FIRST_MODE   3
#define CURSOR_SHAPE 0x0607
#define BLANK	     0x07200720u

#define VGA_COLOR_DISPLAY 0x08
#define SWITCHES_COLOR	  0xf9

#define CRTC_PROTECT	  0x11
#define CRTC_START	  0x0c
#define CRTC_CURSOR	  0x0e
#define CRTC_CURSOR_FIRST 0x0a
#define CRTC_CURSOR_LAST  0x0b
#define CURSOR_OFF	  0x20

#define SEQ_CLOCKING 0x01
#define SEQ_BLANK    0x20

#define ATTRIBUTES	 0x15
#define ATTRIBUTES_SHOWN 0x20

static enum video_kind video_kind(uint8_t mode)
{
	if (mode <= 3 || mode == 7)
		return VIDEO_TEXT;
	if (mode <= 6)
		return VIDEO_CGA;
	return mode == 0x13 ? VIDEO_256 : VIDEO_PLANAR;
}

static unsigned video_between(unsigned value, unsigned min, unsigned max)
{
	if (value < min)
		return min;
	return value < max ? value : max;
}

struct video video_get(struct bios *b)
{
	struct video v = {.b = b, .mode = vga_mode(bios_peek8(b, BDA_VIDEO_MODE) & 0x7f)};
	if (!v.mode)
		v.mode = vga_mode(FIRST_MODE);
	v.kind = video_kind(v.mode->number);
	v.cols = video_between(bios_peek16(b, BDA_VIDEO_COLS), 1, COLS_MAX);
	v.rows = video_between(bios_peek8(b, BDA_VIDEO_ROWS) + 1u, 1, ROWS_MAX);
	v.glyph_height = video_between(bios_peek16(b, BDA_VIDEO_GLYPH_HEIGHT), 1, GLYPH_HEIGHT_MAX);
	v.page = bios_peek8(b, BDA_VIDEO_PAGE) % VIDEO_PAGES;
	v.page_size = bios_peek16(b, BDA_VIDEO_PAGE_SIZE);
	v.crtc_port = v.mode->misc & 1 ? PORT_CRTC_COLOR : PORT_CRTC_MONO;
	return v;
}

void video_set(struct bios *b, uint16_t port, uint8_t index, uint8_t value)
{
	bios_out8(b, port, index);
	bios_out8(b, port + 1, value);
}

uint8_t video_get_register(struct bios *b, uint16_t port, uint8_t index)
{
	bios_out8(b, port, index);
	return bios_in8(b, port + 1);
}

/* A read of the status register makes the attribute controller take an index next. */
static void video_reset_flip_flop(const struct video *v)
{
	bios_in8(v->b, v->crtc_port + 6);
}

void video_set_attribute(const struct video *v, uint8_t index, uint8_t value)
{
	video_reset_flip_flop(v);
	bios_out8(v->b, PORT_ATTRIBUTE, index);
	bios_out8(v->b, PORT_ATTRIBUTE, value);
	bios_out8(v->b, PORT_ATTRIBUTE, ATTRIBUTES_SHOWN);
}

uint8_t video_get_attribute(const struct video *v, uint8_t index)
{
	video_reset_flip_flop(v);
	bios_out8(v->b, PORT_ATTRIBUTE, index | ATTRIBUTES_SHOWN);
	uint8_t value = bios_in8(v->b, PORT_ATTRIBUTE + 1);
	video_reset_flip_flop(v);
	return value;
}

/* The CRTC counts characters of text, and the bytes of a plane. */
static void video_set_crtc_address(const struct video *v, uint8_t index, unsigned address)
{
	video_set(v->b, v->crtc_port, index, (uint8_t)(address >> 8));
	video_set(v->b, v->crtc_port, index + 1, (uint8_t)address);
}

void video_set_cursor(const struct video *v, unsigned page, unsigned row, unsigned col)
{
	page %= VIDEO_PAGES;
	bios_poke16(v->b, BDA_VIDEO_CURSOR + page * 2, (uint16_t)(row << 8 | col));
	if (page == v->page && v->kind == VIDEO_TEXT)
		video_set_crtc_address(v, CRTC_CURSOR,
				       page * v->page_size / 2 + row * v->cols + col);
}

/*
 * Programs give the cursor's lines as if characters had eight; two at the bottom become the two
 * that a BIOS uses there, others are stretched.
 */
void video_show_cursor_shape(const struct video *v)
{
	unsigned shape = bios_peek16(v->b, BDA_VIDEO_CURSOR_SHAPE);
	unsigned first = shape >> 8 & 0x1f, last = shape & 0x1f, height = v->glyph_height;
	bool is_emulated =
		!(bios_peek8(v->b, BDA_VIDEO_CONTROL) & VIDEO_CONTROL_NO_CURSOR_EMULATION) &&
		height > 8 && first <= last && last < 8;
	if (is_emulated && last == 7 && first >= 5) {
		first = height - 2 - (last - first);
		last = height - 2;
	} else if (is_emulated) {
		first = first * height / 8;
		last = (last + 1) * height / 8 - 1;
	}
	video_set(v->b, v->crtc_port, CRTC_CURSOR_FIRST,
		  (uint8_t)(first | (shape >> 8 & CURSOR_OFF)));
	video_set(v->b, v->crtc_port, CRTC_CURSOR_LAST, (uint8_t)last);
}

static void video_set_page(struct video *v, unsigned page)
{
	v->page = page % VIDEO_PAGES;
	unsigned start = (v->page * v->page_size) & 0xffff;
	uint16_t cursor = bios_peek16(v->b, BDA_VIDEO_CURSOR + v->page * 2);
	bios_poke8(v->b, BDA_VIDEO_PAGE, (uint8_t)v->page);
	bios_poke16(v->b, BDA_VIDEO_PAGE_START, (uint16_t)start);
	video_set_crtc_address(v, CRTC_START, v->kind == VIDEO_PLANAR ? start : start / 2);
	video_set_cursor(v, v->page, cursor >> 8, cursor & 0xff);
}

/*
 * The scan lines of a text mode that AH=12h BL=30h has asked for: 400, or those of an EGA or CGA
 * with their smaller fonts.
 */
struct vga_mode video_with_lines(const struct vga_mode *mode, uint8_t flags)
{
	static const uint8_t lines_350[][2] = {{0x09, 0x4d}, {0x0a, 0x0b}, {0x0b, 0x0c},
					       {0x10, 0x83}, {0x11, 0x85}, {0x12, 0x5d},
					       {0x15, 0x63}, {0x16, 0xba}};
	struct vga_mode m = *mode;
	if (video_kind(mode->number) != VIDEO_TEXT || flags & VIDEO_FLAGS_400)
		return m;
	if (flags & VIDEO_FLAGS_200 && mode->number != 7) {
		m.glyph_height = 8;
		m.crtc[0x09] = 0xc7;
		m.crtc[0x0a] = 0x06;
		m.crtc[0x0b] = 0x07;
		return m;
	}
	m.glyph_height = 14;
	m.misc = (uint8_t)((mode->misc & 0x3f) | 0x80);
	for (unsigned i = 0; i < sizeof(lines_350) / sizeof(lines_350[0]); i++)
		m.crtc[lines_350[i][0]] = lines_350[i][1];
	return m;
}

static void video_program(const struct video *v, const struct vga_mode *m)
{
	struct bios *b = v->b;

	bios_out8(b, PORT_MISC, m->misc);
	video_set(b, PORT_SEQUENCER, SEQ_CLOCKING, m->sequencer[SEQ_CLOCKING] | SEQ_BLANK);
	for (unsigned i = 2; i < sizeof(m->sequencer); i++)
		video_set(b, PORT_SEQUENCER, (uint8_t)i, m->sequencer[i]);
	video_set(b, v->crtc_port, CRTC_PROTECT, 0);
	for (unsigned i = 0; i < sizeof(m->crtc); i++)
		video_set(b, v->crtc_port, (uint8_t)i, m->crtc[i]);
	for (unsigned i = 0; i < sizeof(m->graphics); i++)
		video_set(b, PORT_GRAPHICS, (uint8_t)i, m->graphics[i]);
}

static void video_program_colors(const struct video *v, const struct vga_mode *m)
{
	struct bios *b = v->b;
	uint8_t dac[256][3];

	if (bios_peek8(b, BDA_VIDEO_FLAGS) & VIDEO_FLAGS_NO_PALETTE)
		return;
	for (unsigned i = 0; i < ATTRIBUTES; i++)
		video_set_attribute(v, (uint8_t)i, m->attribute[i]);
	vga_mode_dac(m, dac);
	bios_out8(b, PORT_DAC_MASK, 0xff);
	bios_out8(b, PORT_DAC_WRITE, 0);
	for (unsigned i = 0; i < 256; i++) {
		for (unsigned c = 0; c < 3; c++)
			bios_out8(b, PORT_DAC_DATA, dac[i][c]);
	}
}

static void video_clear(const struct video *v)
{
	bool is_low = v->kind == VIDEO_PLANAR || v->kind == VIDEO_256;
	gpa_t base = is_low ? 0xa0000 : v->mode->number == 7 ? 0xb0000 : 0xb8000;
	uint32_t fill[1024];
	for (unsigned i = 0; i < 1024; i++)
		fill[i] = v->kind == VIDEO_TEXT ? BLANK : 0;
	for (unsigned at = 0; at < (is_low ? 0x10000 : 0x8000); at += sizeof(fill))
		bios_copy_out(v->b, base + at, fill, sizeof(fill));
}

/* Where the ROM has the font of this height. */
static uint16_t video_rom_font(unsigned height)
{
	if (height == 16)
		return VIDEO_ROM_FONT_8X16;
	return height == 14 ? VIDEO_ROM_FONT_8X14 : VIDEO_ROM_FONT_8X8;
}

static void video_set_data_area(struct bios *b, const struct vga_mode *m, bool is_kept)
{
	uint8_t control = bios_peek8(b, BDA_VIDEO_CONTROL) & (uint8_t)~VIDEO_CONTROL_NO_CLEAR;

	bios_poke8(b, BDA_VIDEO_MODE, m->number);
	bios_poke16(b, BDA_VIDEO_COLS, m->cols);
	bios_poke16(b, BDA_VIDEO_PAGE_SIZE, m->page_size);
	bios_poke16(b, BDA_VIDEO_PAGE_START, 0);
	for (unsigned i = 0; i < VIDEO_PAGES; i++)
		bios_poke16(b, BDA_VIDEO_CURSOR + i * 2, 0);
	bios_poke16(b, BDA_VIDEO_CURSOR_SHAPE, CURSOR_SHAPE);
	bios_poke8(b, BDA_VIDEO_PAGE, 0);
	bios_poke16(b, BDA_VIDEO_CRTC, m->misc & 1 ? PORT_CRTC_COLOR : PORT_CRTC_MONO);
	/* What the CGA's registers would hold. */
	static const uint8_t cga_mode[8] = {0x2c, 0x28, 0x2d, 0x29, 0x2a, 0x2e, 0x1e, 0x29};
	if (m->number < sizeof(cga_mode)) {
		bios_poke8(b, BDA_VIDEO_CGA_MODE, cga_mode[m->number]);
		bios_poke8(b, BDA_VIDEO_CGA_COLOR, m->number == 6 ? 0x3f : 0x30);
	}
	bios_poke8(b, BDA_VIDEO_ROWS, m->rows - 1);
	bios_poke16(b, BDA_VIDEO_GLYPH_HEIGHT, m->glyph_height);
	bios_poke8(b, BDA_VIDEO_CONTROL,
		   control | VIDEO_CONTROL_256K | (is_kept ? VIDEO_CONTROL_NO_CLEAR : 0));
	bios_poke32(b, VECTOR_FONT_8X8_TOP,
		    bios_far(VIDEO_ROM_SEGMENT, VIDEO_ROM_FONT_8X8 + 128 * 8));
	bios_poke32(b, VECTOR_FONT, bios_far(VIDEO_ROM_SEGMENT, video_rom_font(m->glyph_height)));
}

void video_set_mode(struct bios *b, uint8_t mode)
{
	const struct vga_mode *plain = vga_mode(mode & 0x7f);
	bool is_kept = mode & 0x80;
	if (!plain)
		return;
	const struct vga_mode m = video_with_lines(plain, bios_peek8(b, BDA_VIDEO_FLAGS));
	video_set_data_area(b, &m, is_kept);

	/* The font first: its planes are not wanted any more once the registers are right. */
	struct video v = video_get(b);
	if (v.kind == VIDEO_TEXT) {
		bios_out8(b, PORT_MISC, m.misc);
		video_load_font(&v, 0, 0, 256, m.glyph_height,
				BIOS_VIDEO_ROM_BASE + video_rom_font(m.glyph_height));
	}
	video_program(&v, &m);
	video_program_colors(&v, &m);
	if (!is_kept)
		video_clear(&v);
	video_set_attribute(&v, ATTRIBUTES - 1, 0);
	video_set(b, PORT_SEQUENCER, SEQ_CLOCKING, m.sequencer[SEQ_CLOCKING]);
}

static void video_cursor(struct video *v, struct bios_frame *f)
{
	unsigned page = bios_high(f->ebx) % VIDEO_PAGES;
	switch (bios_high(f->eax)) {
	case 0x01:
		bios_poke16(v->b, BDA_VIDEO_CURSOR_SHAPE, bios_word(f->ecx));
		video_show_cursor_shape(v);
		break;
	case 0x02:
		video_set_cursor(v, page, bios_high(f->edx), bios_low(f->edx));
		break;
	case 0x03:
		bios_set_word(&f->eax, 0);
		bios_set_word(&f->ecx, bios_peek16(v->b, BDA_VIDEO_CURSOR_SHAPE));
		bios_set_word(&f->edx, bios_peek16(v->b, BDA_VIDEO_CURSOR + page * 2));
		break;
	default:
		video_set_page(v, bios_low(f->eax));
		break;
	}
}

static void video_dot(const struct video *v, struct bios_frame *f)
{
	unsigned page = bios_high(f->ebx), x = bios_word(f->ecx), y = bios_word(f->edx);
	if (v->kind == VIDEO_TEXT || x >= video_dots_wide(v) || y >= video_dots_high(v))
		return;
	if (bios_high(f->eax) == 0x0c)
		video_set_dot(v, page, x, y, bios_low(f->eax));
	else
		bios_set_low(&f->eax, video_get_dot(v, page, x, y));
}

unsigned bios_video(struct bios *b, struct bios_frame *f)
{
	struct video v = video_get(b);
	switch (bios_high(f->eax)) {
	case 0x00:
		video_set_mode(b, bios_low(f->eax));
		break;
	case 0x01:
	case 0x02:
	case 0x03:
	case 0x05:
		video_cursor(&v, f);
		break;
	case 0x04: /* no light pen */
		bios_set_high(&f->eax, 0);
		break;
	case 0x06:
	case 0x07:
	case 0x08:
	case 0x09:
	case 0x0a:
	case 0x0e:
	case 0x13:
		video_write(&v, f);
		break;
	case 0x0b:
	case 0x10:
		video_palette(&v, f);
		break;
	case 0x0c:
	case 0x0d:
		video_dot(&v, f);
		break;
	case 0x0f:
		bios_set_low(&f->eax, bios_peek8(b, BDA_VIDEO_MODE) |
					      (bios_peek8(b, BDA_VIDEO_CONTROL) & 0x80));
		bios_set_high(&f->eax, (uint8_t)v.cols);
		bios_set_high(&f->ebx, (uint8_t)v.page);
		break;
	case 0x11:
		video_font(&v, f);
		break;
	case 0x12:
		video_select(&v, f);
		break;
	case 0x1a:
	case 0x1b:
	case 0x1c:
		video_state(&v, f);
		break;
	case 0x4f: /* AL other than 4Fh: there is no VESA BIOS */
		bios_set_word(&f->eax, 0x0100);
		break;
	default:
		break;
	}
	return BIOS_DONE;
}

void bios_video_post(struct bios *b)
{
	video_make_rom(b);
	bios_poke32(b, VECTOR_VIDEO_INIT, bios_far(BIOS_ROM_SEGMENT, BIOS_ROM_VIDEO_INIT));
	bios_poke8(b, BDA_VIDEO_CONTROL, VIDEO_CONTROL_256K);
	bios_poke8(b, BDA_VIDEO_SWITCHES, SWITCHES_COLOR);
	bios_poke8(b, BDA_VIDEO_FLAGS, VIDEO_FLAGS_VGA | VIDEO_FLAGS_400);
	bios_poke8(b, BDA_VIDEO_DISPLAY, VGA_COLOR_DISPLAY);
	bios_poke32(b, BDA_VIDEO_SAVE_TABLE, bios_far(VIDEO_ROM_SEGMENT, VIDEO_ROM_SAVE));
	video_set_mode(b, FIRST_MODE);
}

void bios_video_print(struct bios *b, const char *text)
{
	const struct video v = video_get(b);
	for (; *text; text++)
		video_teletype(&v, (uint8_t)*text, 0x07);
}
