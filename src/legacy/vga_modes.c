/*
 * The register values of the standard BIOS modes and their palettes (IBM PS/2 Hardware Interface
 * Technical Reference, Video Subsystem; the same numbers as in a VGA BIOS's parameter tables).
 *
 * Text modes are those of a VGA, 400 lines. A BIOS's modes for 200 and 350 lines differ in the
 * CRTC and the font only; who wants them sets them (INT 10h AH=12h).
 */
#include <stddef.h>
#include <string.h>
#include <tinyvm/vga.h>

/* Attribute registers 0 to 0xf: the palette of 16 colours. */
#define PALETTE_EGA 0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f
#define PALETTE_CGA 0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17
#define PALETTE_CGA_4 \
	0, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17
#define PALETTE_CGA_2 \
	0, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17
#define PALETTE_MONO   0, 8, 8, 8, 8, 8, 8, 8, 0x10, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18
#define PALETTE_MONO_4 0, 8, 0, 0, 0x18, 0x18, 0, 0, 0, 8, 0, 0, 0, 0x18, 0, 0
#define PALETTE_WHITE \
	0, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f
#define PALETTE_256 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

/* Horizontal timing, CRTC registers 0 to 5: 40 and 80 characters. */
#define H40_TEXT     0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0
#define H40_GRAPHICS 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80
#define H80_TEXT     0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81
#define H80_GRAPHICS 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80

/* Vertical timing of 400, 350 and 480 lines: CRTC registers 6 and 7, 0x10 to 0x12, 0x15 and 0x16.
 */
#define V400_TOTAL   0xbf, 0x1f
#define V400_RETRACE 0x9c, 0x8e, 0x8f
#define V400_BLANK   0x96, 0xb9
#define V350_TOTAL   0xbf, 0x1f
#define V350_RETRACE 0x83, 0x85, 0x5d
#define V350_BLANK   0x63, 0xba
#define V480_TOTAL   0x0b, 0x3e
#define V480_RETRACE 0xea, 0x8c, 0xdf
#define V480_BLANK   0xe7, 0x04

/* CRTC registers 8 to 0xf: rows of 16 lines, a cursor in lines 13 and 14. */
#define TEXT_16 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0

static const struct vga_mode vga_modes[] = {
	{
		.number = 0x00,
		.cols = 40,
		.rows = 25,
		.glyph_height = 16,
		.page_size = 0x0800,
		.misc = 0x67,
		.sequencer = {3, 8, 3, 0, 2},
		.crtc = {H40_TEXT, V400_TOTAL, TEXT_16, V400_RETRACE, 0x14, 0x1f, V400_BLANK, 0xa3,
			 0xff},
		.graphics = {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff},
		.attribute = {PALETTE_EGA, 0x0c, 0, 0x0f, 8, 0},
	},
	{
		.number = 0x01,
		.cols = 40,
		.rows = 25,
		.glyph_height = 16,
		.page_size = 0x0800,
		.misc = 0x67,
		.sequencer = {3, 8, 3, 0, 2},
		.crtc = {H40_TEXT, V400_TOTAL, TEXT_16, V400_RETRACE, 0x14, 0x1f, V400_BLANK, 0xa3,
			 0xff},
		.graphics = {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff},
		.attribute = {PALETTE_EGA, 0x0c, 0, 0x0f, 8, 0},
	},
	{
		.number = 0x02,
		.cols = 80,
		.rows = 25,
		.glyph_height = 16,
		.page_size = 0x1000,
		.misc = 0x67,
		.sequencer = {3, 0, 3, 0, 2},
		.crtc = {H80_TEXT, V400_TOTAL, TEXT_16, V400_RETRACE, 0x28, 0x1f, V400_BLANK, 0xa3,
			 0xff},
		.graphics = {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff},
		.attribute = {PALETTE_EGA, 0x0c, 0, 0x0f, 8, 0},
	},
	{
		.number = 0x03,
		.cols = 80,
		.rows = 25,
		.glyph_height = 16,
		.page_size = 0x1000,
		.misc = 0x67,
		.sequencer = {3, 0, 3, 0, 2},
		.crtc = {H80_TEXT, V400_TOTAL, TEXT_16, V400_RETRACE, 0x28, 0x1f, V400_BLANK, 0xa3,
			 0xff},
		.graphics = {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff},
		.attribute = {PALETTE_EGA, 0x0c, 0, 0x0f, 8, 0},
	},
	{
		.number = 0x04,
		.cols = 40,
		.rows = 25,
		.glyph_height = 8,
		.page_size = 0x4000,
		.misc = 0x63,
		.sequencer = {3, 9, 3, 0, 2},
		.crtc = {H40_GRAPHICS, V400_TOTAL, 0, 0xc1, 0, 0, 0, 0, 0, 0, V400_RETRACE, 0x14, 0,
			 V400_BLANK, 0xa2, 0xff},
		.graphics = {0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff},
		.attribute = {PALETTE_CGA_4, 1, 0, 3, 0, 0},
	},
	{
		.number = 0x05,
		.cols = 40,
		.rows = 25,
		.glyph_height = 8,
		.page_size = 0x4000,
		.misc = 0x63,
		.sequencer = {3, 9, 3, 0, 2},
		.crtc = {H40_GRAPHICS, V400_TOTAL, 0, 0xc1, 0, 0, 0, 0, 0, 0, V400_RETRACE, 0x14, 0,
			 V400_BLANK, 0xa2, 0xff},
		.graphics = {0, 0, 0, 0, 0, 0x30, 0x0f, 0, 0xff},
		.attribute = {PALETTE_CGA_4, 1, 0, 3, 0, 0},
	},
	{
		.number = 0x06,
		.cols = 80,
		.rows = 25,
		.glyph_height = 8,
		.page_size = 0x4000,
		.misc = 0x63,
		.sequencer = {3, 1, 1, 0, 6},
		.crtc = {H80_GRAPHICS, V400_TOTAL, 0, 0xc1, 0, 0, 0, 0, 0, 0, V400_RETRACE, 0x28, 0,
			 V400_BLANK, 0xc2, 0xff},
		.graphics = {0, 0, 0, 0, 0, 0, 0x0d, 0, 0xff},
		.attribute = {PALETTE_CGA_2, 1, 0, 1, 0, 0},
	},
	{
		.number = 0x07,
		.cols = 80,
		.rows = 25,
		.glyph_height = 16,
		.page_size = 0x1000,
		.misc = 0x66,
		.sequencer = {3, 0, 3, 0, 2},
		.crtc = {H80_TEXT, V400_TOTAL, TEXT_16, V400_RETRACE, 0x28, 0x0f, V400_BLANK, 0xa3,
			 0xff},
		.graphics = {0, 0, 0, 0, 0, 0x10, 0x0a, 0, 0xff},
		.attribute = {PALETTE_MONO, 0x0e, 0, 0x0f, 8, 0},
	},
	{
		.number = 0x0d,
		.cols = 40,
		.rows = 25,
		.glyph_height = 8,
		.page_size = 0x2000,
		.misc = 0x63,
		.sequencer = {3, 9, 15, 0, 6},
		.crtc = {H40_GRAPHICS, V400_TOTAL, 0, 0xc0, 0, 0, 0, 0, 0, 0, V400_RETRACE, 0x14, 0,
			 V400_BLANK, 0xe3, 0xff},
		.graphics = {0, 0, 0, 0, 0, 0, 5, 15, 0xff},
		.attribute = {PALETTE_CGA, 1, 0, 15, 0, 0},
	},
	{
		.number = 0x0e,
		.cols = 80,
		.rows = 25,
		.glyph_height = 8,
		.page_size = 0x4000,
		.misc = 0x63,
		.sequencer = {3, 1, 15, 0, 6},
		.crtc = {H80_GRAPHICS, V400_TOTAL, 0, 0xc0, 0, 0, 0, 0, 0, 0, V400_RETRACE, 0x28, 0,
			 V400_BLANK, 0xe3, 0xff},
		.graphics = {0, 0, 0, 0, 0, 0, 5, 15, 0xff},
		.attribute = {PALETTE_CGA, 1, 0, 15, 0, 0},
	},
	{
		.number = 0x0f,
		.cols = 80,
		.rows = 25,
		.glyph_height = 14,
		.page_size = 0x8000,
		.misc = 0xa2,
		.sequencer = {3, 1, 15, 0, 6},
		.crtc = {H80_GRAPHICS, V350_TOTAL, 0, 0x40, 0, 0, 0, 0, 0, 0, V350_RETRACE, 0x28,
			 0x0f, V350_BLANK, 0xe3, 0xff},
		.graphics = {0, 0, 0, 0, 0, 0, 5, 15, 0xff},
		.attribute = {PALETTE_MONO_4, 0x0b, 0, 5, 0, 0},
	},
	{
		.number = 0x10,
		.cols = 80,
		.rows = 25,
		.glyph_height = 14,
		.page_size = 0x8000,
		.misc = 0xa3,
		.sequencer = {3, 1, 15, 0, 6},
		.crtc = {H80_GRAPHICS, V350_TOTAL, 0, 0x40, 0, 0, 0, 0, 0, 0, V350_RETRACE, 0x28,
			 0x0f, V350_BLANK, 0xe3, 0xff},
		.graphics = {0, 0, 0, 0, 0, 0, 5, 15, 0xff},
		.attribute = {PALETTE_EGA, 1, 0, 15, 0, 0},
	},
	{
		.number = 0x11,
		.cols = 80,
		.rows = 30,
		.glyph_height = 16,
		.page_size = 0xa000,
		.misc = 0xe3,
		.sequencer = {3, 1, 15, 0, 6},
		.crtc = {H80_GRAPHICS, V480_TOTAL, 0, 0x40, 0, 0, 0, 0, 0, 0, V480_RETRACE, 0x28, 0,
			 V480_BLANK, 0xe3, 0xff},
		.graphics = {0, 0, 0, 0, 0, 0, 5, 15, 0xff},
		.attribute = {PALETTE_WHITE, 1, 0, 15, 0, 0},
	},
	{
		.number = 0x12,
		.cols = 80,
		.rows = 30,
		.glyph_height = 16,
		.page_size = 0xa000,
		.misc = 0xe3,
		.sequencer = {3, 1, 15, 0, 6},
		.crtc = {H80_GRAPHICS, V480_TOTAL, 0, 0x40, 0, 0, 0, 0, 0, 0, V480_RETRACE, 0x28, 0,
			 V480_BLANK, 0xe3, 0xff},
		.graphics = {0, 0, 0, 0, 0, 0, 5, 15, 0xff},
		.attribute = {PALETTE_EGA, 1, 0, 15, 0, 0},
	},
	{
		.number = 0x13,
		.cols = 40,
		.rows = 25,
		.glyph_height = 8,
		.page_size = 0,
		.misc = 0x63,
		.sequencer = {3, 1, 15, 0, 0x0e},
		.crtc = {H80_GRAPHICS, V400_TOTAL, 0, 0x41, 0, 0, 0, 0, 0, 0, V400_RETRACE, 0x28,
			 0x40, V400_BLANK, 0xa3, 0xff},
		.graphics = {0, 0, 0, 0, 0, 0x40, 5, 15, 0xff},
		.attribute = {PALETTE_256, 0x41, 0, 15, 0, 0},
	},
};

const struct vga_mode *vga_mode(uint8_t number)
{
	for (size_t i = 0; i < sizeof(vga_modes) / sizeof(vga_modes[0]); i++) {
		if (vga_modes[i].number == number)
			return &vga_modes[i];
	}
	return NULL;
}

#define THIRD 0x15

static void vga_dac_set(uint8_t entry[3], unsigned red, unsigned green, unsigned blue)
{
	entry[0] = (uint8_t)red;
	entry[1] = (uint8_t)green;
	entry[2] = (uint8_t)blue;
}

/* The EGA's 64 colours: bits 0-2 two thirds of blue, green, red, bits 3-5 one third. */
static void vga_dac_fill_ega(uint8_t dac[256][3])
{
	for (unsigned i = 0; i < 64; i++) {
		unsigned part[3];
		for (unsigned c = 0; c < 3; c++)
			part[c] = THIRD * ((i >> c & 1) * 2 + (i >> (c + 3) & 1));
		vga_dac_set(dac[i], part[2], part[1], part[0]);
	}
}

/* One of the CGA's 16 colours; its dark yellow is brown. */
static void vga_dac_set_cga(uint8_t entry[3], unsigned color)
{
	unsigned bright = color & 8 ? THIRD : 0;
	unsigned red = (color >> 2 & 1) * 2 * THIRD + bright;
	unsigned green = (color >> 1 & 1) * 2 * THIRD + bright;
	unsigned blue = (color & 1) * 2 * THIRD + bright;
	vga_dac_set(entry, red, color == 6 ? THIRD : green, blue);
}

/* The CGA's 16 colours for 200-line modes, where bit 4 means bright. */
static void vga_dac_fill_cga(uint8_t dac[256][3])
{
	for (unsigned i = 0; i < 64; i++)
		vga_dac_set_cga(dac[i], (i & 7) | (i & 0x10 ? 8 : 0));
}

static void vga_dac_fill_mono(uint8_t dac[256][3])
{
	static const uint8_t level[4] = {0, 0x2a, 0x15, 0x3f};
	for (unsigned i = 0; i < 64; i++) {
		uint8_t gray = level[i >> 3 & 3];
		vga_dac_set(dac[i], gray, gray, gray);
	}
}

/*
 * 24 hues from blue over red and green, each step changing one part by one level: @level from none
 * to full.
 */
static void vga_dac_fill_hues(uint8_t dac[24][3], const uint8_t level[5])
{
	/* Blue, green, red: where each part is on the ladder, a step a hue. */
	unsigned blue = 4, green = 0, red = 0;
	for (unsigned i = 0; i < 24; i++) {
		vga_dac_set(dac[i], level[red], level[green], level[blue]);
		switch (i / 4) {
		case 0:
			red++;
			break;
		case 1:
			blue--;
			break;
		case 2:
			green++;
			break;
		case 3:
			red--;
			break;
		case 4:
			blue++;
			break;
		default:
			green--;
			break;
		}
	}
}

/* 16 colours of the CGA, 16 grays, then hues in three brightnesses and three saturations. */
static void vga_dac_fill_256(uint8_t dac[256][3])
{
	static const uint8_t gray[16] = {0x00, 0x05, 0x08, 0x0b, 0x0e, 0x11, 0x14, 0x18,
					 0x1c, 0x20, 0x24, 0x28, 0x2d, 0x32, 0x38, 0x3f};
	static const uint8_t level[9][5] = {
		{0x00, 0x10, 0x1f, 0x2f, 0x3f}, {0x1f, 0x27, 0x2f, 0x37, 0x3f},
		{0x2d, 0x31, 0x36, 0x3a, 0x3f}, {0x00, 0x07, 0x0e, 0x15, 0x1c},
		{0x0e, 0x11, 0x15, 0x18, 0x1c}, {0x14, 0x16, 0x18, 0x1a, 0x1c},
		{0x00, 0x04, 0x08, 0x0c, 0x10}, {0x08, 0x0a, 0x0c, 0x0e, 0x10},
		{0x0b, 0x0c, 0x0d, 0x0f, 0x10},
	};
	for (unsigned i = 0; i < 16; i++) {
		vga_dac_set_cga(dac[i], i);
		vga_dac_set(dac[16 + i], gray[i], gray[i], gray[i]);
	}
	for (unsigned i = 0; i < 9; i++)
		vga_dac_fill_hues(dac + 32 + 24 * i, level[i]);
}

void vga_mode_dac(const struct vga_mode *mode, uint8_t ret_dac[256][3])
{
	memset(ret_dac, 0, sizeof(ret_dac[0]) * 256);
	switch (mode->number) {
	case 0x07:
	case 0x0f:
		vga_dac_fill_mono(ret_dac);
		break;
	case 0x04:
	case 0x05:
	case 0x06:
	case 0x0d:
	case 0x0e:
		vga_dac_fill_cga(ret_dac);
		break;
	case 0x13:
		vga_dac_fill_256(ret_dac);
		break;
	default:
		vga_dac_fill_ega(ret_dac);
		break;
	}
}
