/*
 * The video ROM at C000:0000, made at power-on: the fonts and tables that a VGA BIOS has, for those
 * who look at them, and what the system's ROM has of video.
 */
#include "bios_video.h"

#include <string.h>

#define ROM_SIGNATURE 0xaa55
#define ROM_UNIT      512
#define RETF	      0xcb
#define ROM_NAME      0x1e

#define PARAMETER_SIZE 64

/* Which mode each of the parameter table's entries is, and its scan lines as BDA_VIDEO_FLAGS. */
static const struct {
	uint8_t mode, flags;
} video_parameters[] = {
	[0x00] = {0x00, VIDEO_FLAGS_200},
	[0x01] = {0x01, VIDEO_FLAGS_200},
	[0x02] = {0x02, VIDEO_FLAGS_200},
	[0x03] = {0x03, VIDEO_FLAGS_200},
	[0x04] = {0x04, 0},
	[0x05] = {0x05, 0},
	[0x06] = {0x06, 0},
	[0x07] = {0x07, 0},
	[0x08] = {0xff, 0},
	[0x09] = {0xff, 0},
	[0x0a] = {0xff, 0},
	[0x0b] = {0xff, 0},
	[0x0c] = {0xff, 0},
	[0x0d] = {0x0d, 0},
	[0x0e] = {0x0e, 0},
	[0x0f] = {0x0f, 0},
	[0x10] = {0x10, 0},
	[0x11] = {0x0f, 0},
	[0x12] = {0x10, 0},
	[0x13] = {0x00, 0},
	[0x14] = {0x01, 0},
	[0x15] = {0x02, 0},
	[0x16] = {0x03, 0},
	[0x17] = {0x01, VIDEO_FLAGS_400},
	[0x18] = {0x03, VIDEO_FLAGS_400},
	[0x19] = {0x07, VIDEO_FLAGS_400},
	[0x1a] = {0x11, 0},
	[0x1b] = {0x12, 0},
	[0x1c] = {0x13, 0},
};

/* INT 1Dh: 6845 registers of 40 and 80 columns, graphics, mono; then sizes, columns, modes. */
static const uint8_t video_init[BIOS_ROM_VIDEO_INIT_SIZE] = {
	0x38, 0x28, 0x2d, 0x0a, 0x1f, 0x06, 0x19, 0x1c, 0x02, 0x07, 0x06, 0x07, 0,    0,    0,
	0,    0x71, 0x50, 0x5a, 0x0a, 0x1f, 0x06, 0x19, 0x1c, 0x02, 0x07, 0x06, 0x07, 0,    0,
	0,    0,    0x38, 0x28, 0x2d, 0x0a, 0x7f, 0x06, 0x64, 0x70, 0x02, 0x01, 0x06, 0x07, 0,
	0,    0,    0,	  0x61, 0x50, 0x52, 0x0f, 0x19, 0x06, 0x19, 0x19, 0x02, 0x0d, 0x0b, 0x0c,
	0,    0,    0,	  0,	0x00, 0x08, 0x00, 0x10, 0x00, 0x40, 0x00, 0x40, /* words */
	40,   40,   80,	  80,	40,   40,   80,	  80, /* columns of modes 0 to 7 */
	0x2c, 0x28, 0x2d, 0x29, 0x2a, 0x2e, 0x1e, 0x29,
};

/*
 * AH=1Bh's static table: modes 0-7 and 0Dh-13h, 200 350 and 400 lines, 8 fonts of which 2 at once,
 * and what can be done with colours and state.
 */
static const uint8_t video_static[16] = {0xff, 0xe0, 0x0f, 0,	 0, 0, 0, 7,
					 8,    2,    0xff, 0x0e, 0, 0, 0, 0};

static void video_put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static void video_put_far(uint8_t *at, uint16_t offset)
{
	video_put16(at, offset);
	video_put16(at + 2, VIDEO_ROM_SEGMENT);
}

static void video_put_font(uint8_t *at, const struct vga_font *font)
{
	memcpy(at, font->glyph, 256 * (size_t)font->height);
}

/* In the order of the video parameter table. */
static void video_put_mode(uint8_t *at, const struct vga_mode *m)
{
	at[0] = m->cols;
	at[1] = m->rows - 1;
	at[2] = m->glyph_height;
	video_put16(at + 3, m->page_size);
	memcpy(at + 5, m->sequencer + 1, 4);
	at[9] = m->misc;
	memcpy(at + 10, m->crtc, 25);
	memcpy(at + 35, m->attribute, 20);
	memcpy(at + 55, m->graphics, 9);
}

static void video_put_modes(uint8_t *at)
{
	for (unsigned i = 0; i < sizeof(video_parameters) / sizeof(video_parameters[0]); i++) {
		const struct vga_mode *plain = vga_mode(video_parameters[i].mode);
		if (!plain)
			continue;
		const struct vga_mode m = video_with_lines(plain, video_parameters[i].flags);
		video_put_mode(at + (size_t)i * PARAMETER_SIZE, &m);
	}
}

void video_make_rom(struct bios *b)
{
	static const char name[] = "IBM VGA compatible video of tinyvm";
	uint8_t rom[BIOS_VIDEO_ROM_SIZE] = {0}, sum = 0;

	video_put16(rom, ROM_SIGNATURE);
	rom[2] = BIOS_VIDEO_ROM_SIZE / ROM_UNIT;
	rom[3] = RETF;
	memcpy(rom + ROM_NAME, name, sizeof(name));
	video_put_font(rom + VIDEO_ROM_FONT_8X16, &vga_font_8x16);
	video_put_font(rom + VIDEO_ROM_FONT_8X14, &vga_font_8x14);
	video_put_font(rom + VIDEO_ROM_FONT_8X8, &vga_font_8x8);
	video_put_modes(rom + VIDEO_ROM_MODES);
	video_put_far(rom + VIDEO_ROM_SAVE, VIDEO_ROM_MODES);
	memcpy(rom + VIDEO_ROM_STATIC, video_static, sizeof(video_static));
	for (unsigned i = 0; i < BIOS_VIDEO_ROM_SIZE; i++)
		sum = (uint8_t)(sum + rom[i]);
	rom[BIOS_VIDEO_ROM_SIZE - 1] = (uint8_t)-sum;

	bios_copy_out(b, BIOS_VIDEO_ROM_BASE, rom, sizeof(rom));
	bios_copy_out(b, BIOS_ROM_BASE + BIOS_ROM_FONT_8X8, vga_font_8x8.glyph,
		      BIOS_ROM_FONT_8X8_SIZE);
	bios_copy_out(b, BIOS_ROM_BASE + BIOS_ROM_VIDEO_INIT, video_init, sizeof(video_init));
}
