/* INT 10h: colours: AH=0Bh of the CGA, AH=10h of attribute controller and DAC. */
#include "bios_video.h"

#define ATTR_MODE	  0x10
#define ATTR_OVERSCAN	  0x11
#define ATTR_COLOR_SELECT 0x14
#define MODE_BLINK	  0x08
#define MODE_P54	  0x80

#define CGA_BRIGHT	   0x10
#define CGA_COLOR_BORDER   0x1f
#define CGA_COLOR_PALETTE  0x20
#define PALETTE_REGISTERS  16
#define DAC_ENTRIES	   256
#define PALETTE_TABLE_SIZE (PALETTE_REGISTERS + 1)

/* The border, which graphics modes have as their background; what is bright goes for all. */
static void video_set_cga_border(const struct video *v, uint8_t color)
{
	uint8_t dac = (uint8_t)((color & 7) | (color & 8 ? CGA_BRIGHT : 0));
	uint8_t cga = bios_peek8(v->b, BDA_VIDEO_CGA_COLOR) & (uint8_t)~CGA_COLOR_BORDER;
	bios_poke8(v->b, BDA_VIDEO_CGA_COLOR, cga | (color & CGA_COLOR_BORDER));
	video_set_attribute(v, ATTR_OVERSCAN, dac);
	if (v->kind != VIDEO_CGA)
		return;
	video_set_attribute(v, 0, dac);
	for (uint8_t i = 1; v->mode->number != 6 && i < 4; i++) {
		uint8_t old = video_get_attribute(v, i) & (uint8_t)~CGA_BRIGHT;
		video_set_attribute(v, i, old | (color & CGA_BRIGHT));
	}
}

/* Green, red and brown, or cyan, magenta and white. */
static void video_set_cga_palette(const struct video *v, bool is_cyan)
{
	uint8_t cga = bios_peek8(v->b, BDA_VIDEO_CGA_COLOR) & (uint8_t)~CGA_COLOR_PALETTE;
	bios_poke8(v->b, BDA_VIDEO_CGA_COLOR, cga | (is_cyan ? CGA_COLOR_PALETTE : 0));
	if (v->kind != VIDEO_CGA || v->mode->number == 6)
		return;
	for (uint8_t i = 1; i < 4; i++) {
		uint8_t bright = video_get_attribute(v, i) & CGA_BRIGHT;
		video_set_attribute(v, i, (uint8_t)(bright | i * 2 | (is_cyan ? 1 : 0)));
	}
}

/* The 16 palette registers and the border, in this order. */
static uint8_t video_palette_index(unsigned i)
{
	return i < PALETTE_REGISTERS ? (uint8_t)i : ATTR_OVERSCAN;
}

static void video_set_palette_table(const struct video *v, gpa_t table)
{
	for (unsigned i = 0; i < PALETTE_TABLE_SIZE; i++)
		video_set_attribute(v, video_palette_index(i), bios_peek8(v->b, table + i));
}

static void video_get_palette_table(const struct video *v, gpa_t table)
{
	for (unsigned i = 0; i < PALETTE_TABLE_SIZE; i++)
		bios_poke8(v->b, table + i, video_get_attribute(v, video_palette_index(i)));
}

static void video_set_dac(const struct video *v, uint8_t index, const uint8_t rgb[3])
{
	bios_out8(v->b, PORT_DAC_WRITE, index);
	for (unsigned c = 0; c < 3; c++)
		bios_out8(v->b, PORT_DAC_DATA, rgb[c]);
}

static void video_get_dac(const struct video *v, uint8_t index, uint8_t rgb[3])
{
	bios_out8(v->b, PORT_DAC_READ, index);
	for (unsigned c = 0; c < 3; c++)
		rgb[c] = bios_in8(v->b, PORT_DAC_DATA);
}

/* Weights of the eye: 30 % red, 59 % green, 11 % blue. */
static void video_make_gray(uint8_t rgb[3])
{
	unsigned gray = (rgb[0] * 30u + rgb[1] * 59u + rgb[2] * 11u + 50) / 100;
	rgb[0] = rgb[1] = rgb[2] = (uint8_t)gray;
}

/* @count entries from @first on; the DAC's index wraps. */
static void video_dac_block(const struct video *v, struct bios_frame *f)
{
	unsigned first = bios_word(f->ebx), count = bios_word(f->ecx);
	gpa_t table = bios_gpa(f->es, bios_word(f->edx));
	bool is_gray = bios_peek8(v->b, BDA_VIDEO_FLAGS) & VIDEO_FLAGS_GRAY;
	for (unsigned i = 0; i < count && i < DAC_ENTRIES; i++) {
		uint8_t rgb[3], index = (uint8_t)(first + i);
		if (bios_low(f->eax) == 0x12) {
			bios_copy_in(v->b, rgb, table + (gpa_t)i * 3, 3);
			if (is_gray)
				video_make_gray(rgb);
			video_set_dac(v, index, rgb);
			continue;
		}
		video_get_dac(v, index, rgb);
		if (bios_low(f->eax) == 0x17) {
			bios_copy_out(v->b, table + (gpa_t)i * 3, rgb, 3);
			continue;
		}
		video_make_gray(rgb);
		video_set_dac(v, index, rgb);
	}
}

/* The DAC in 4 pages of 64 colours, or 16 of 16. */
static void video_set_color_page(const struct video *v, const struct bios_frame *f)
{
	uint8_t mode = video_get_attribute(v, ATTR_MODE), value = bios_high(f->ebx);
	if (bios_low(f->ebx) == 0)
		video_set_attribute(v, ATTR_MODE,
				    (uint8_t)((mode & ~MODE_P54) | (value ? MODE_P54 : 0)));
	else
		video_set_attribute(v, ATTR_COLOR_SELECT,
				    (uint8_t)(mode & MODE_P54 ? value & 0x0f : (value & 3) << 2));
}

static void video_get_color_page(const struct video *v, struct bios_frame *f)
{
	bool is_by_16 = video_get_attribute(v, ATTR_MODE) & MODE_P54;
	uint8_t page = video_get_attribute(v, ATTR_COLOR_SELECT) & 0x0f;
	bios_set_low(&f->ebx, is_by_16);
	bios_set_high(&f->ebx, is_by_16 ? page : page >> 2);
}

static void video_set_blink(const struct video *v, bool is_on)
{
	uint8_t mode = video_get_attribute(v, ATTR_MODE) & (uint8_t)~MODE_BLINK;
	video_set_attribute(v, ATTR_MODE, mode | (is_on ? MODE_BLINK : 0));
}

static void video_dac(const struct video *v, struct bios_frame *f)
{
	uint8_t rgb[3];
	switch (bios_low(f->eax)) {
	case 0x10:
		rgb[0] = bios_high(f->edx);
		rgb[1] = bios_high(f->ecx);
		rgb[2] = bios_low(f->ecx);
		video_set_dac(v, bios_low(f->ebx), rgb);
		break;
	case 0x12:
	case 0x17:
	case 0x1b:
		video_dac_block(v, f);
		break;
	case 0x13:
		video_set_color_page(v, f);
		break;
	case 0x15:
		video_get_dac(v, bios_low(f->ebx), rgb);
		bios_set_high(&f->edx, rgb[0]);
		bios_set_high(&f->ecx, rgb[1]);
		bios_set_low(&f->ecx, rgb[2]);
		break;
	case 0x18:
		bios_out8(v->b, PORT_DAC_MASK, bios_low(f->ebx));
		break;
	case 0x19:
		bios_set_low(&f->ebx, bios_in8(v->b, PORT_DAC_MASK));
		break;
	case 0x1a:
		video_get_color_page(v, f);
		break;
	default:
		break;
	}
}

void video_palette(const struct video *v, struct bios_frame *f)
{
	gpa_t table = bios_gpa(f->es, bios_word(f->edx));
	if (bios_high(f->eax) == 0x0b) {
		if (bios_high(f->ebx) == 0)
			video_set_cga_border(v, bios_low(f->ebx));
		else
			video_set_cga_palette(v, f->ebx & 1);
		return;
	}
	switch (bios_low(f->eax)) {
	case 0x00:
		if (bios_low(f->ebx) <= ATTR_COLOR_SELECT)
			video_set_attribute(v, bios_low(f->ebx), bios_high(f->ebx));
		break;
	case 0x01:
		video_set_attribute(v, ATTR_OVERSCAN, bios_high(f->ebx));
		break;
	case 0x02:
		video_set_palette_table(v, table);
		break;
	case 0x03:
		video_set_blink(v, bios_low(f->ebx));
		break;
	case 0x07:
		if (bios_low(f->ebx) <= ATTR_COLOR_SELECT)
			bios_set_high(&f->ebx, video_get_attribute(v, bios_low(f->ebx)));
		break;
	case 0x08:
		bios_set_high(&f->ebx, video_get_attribute(v, ATTR_OVERSCAN));
		break;
	case 0x09:
		video_get_palette_table(v, table);
		break;
	default:
		video_dac(v, f);
		break;
	}
}
