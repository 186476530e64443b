/* Between the files of INT 10h: the screen as the BIOS data area tells it, and what they share. */
#ifndef BIOS_VIDEO_H
#define BIOS_VIDEO_H

#include "bios_services.h"

#include <tinyvm/vga.h>

#define BDA_VIDEO_MODE	       BDA(0x49)
#define BDA_VIDEO_COLS	       BDA(0x4a)
#define BDA_VIDEO_PAGE_SIZE    BDA(0x4c)
#define BDA_VIDEO_PAGE_START   BDA(0x4e)
#define BDA_VIDEO_CURSOR       BDA(0x50) /* column and row of each page */
#define BDA_VIDEO_CURSOR_SHAPE BDA(0x60) /* last line, first line */
#define BDA_VIDEO_PAGE	       BDA(0x62)
#define BDA_VIDEO_CRTC	       BDA(0x63)
#define BDA_VIDEO_CGA_MODE     BDA(0x65)
#define BDA_VIDEO_CGA_COLOR    BDA(0x66)
#define BDA_VIDEO_ROWS	       BDA(0x84) /* less one */
#define BDA_VIDEO_GLYPH_HEIGHT BDA(0x85)
#define BDA_VIDEO_CONTROL      BDA(0x87)
#define BDA_VIDEO_SWITCHES     BDA(0x88)
#define BDA_VIDEO_FLAGS	       BDA(0x89)
#define BDA_VIDEO_DISPLAY      BDA(0x8a) /* index of the display combination */
#define BDA_VIDEO_SAVE_TABLE   BDA(0xa8)

#define VIDEO_CONTROL_NO_CURSOR_EMULATION 0x01
#define VIDEO_CONTROL_256K		  0x60
#define VIDEO_CONTROL_NO_CLEAR		  0x80

#define VIDEO_FLAGS_VGA	       0x01
#define VIDEO_FLAGS_GRAY       0x02
#define VIDEO_FLAGS_NO_PALETTE 0x08
#define VIDEO_FLAGS_400	       0x10
#define VIDEO_FLAGS_200	       0x80

/* Vectors that point to tables. */
#define VECTOR_VIDEO_INIT   (0x1d * 4)
#define VECTOR_FONT_8X8_TOP (0x1f * 4)
#define VECTOR_FONT	    (0x43 * 4)

/* The video ROM, segment C000h: fonts, tables. */
#define VIDEO_ROM_SEGMENT   0xc000
#define VIDEO_ROM_FONT_8X16 0x0400
#define VIDEO_ROM_FONT_8X14 0x1400
#define VIDEO_ROM_FONT_8X8  0x2200
#define VIDEO_ROM_MODES	    0x2a00 /* 29 of 64 bytes: the video parameter table */
#define VIDEO_ROM_SAVE	    0x3200 /* the save pointer table */
#define VIDEO_ROM_STATIC    0x3240 /* what AH=1Bh points to */
#define VIDEO_ROM_ALTERNATE 0x3260 /* an empty list of glyphs for nine dots */

/* Ports. */
#define PORT_ATTRIBUTE	0x3c0
#define PORT_MISC	0x3c2
#define PORT_MISC_READ	0x3cc
#define PORT_SEQUENCER	0x3c4
#define PORT_DAC_MASK	0x3c6
#define PORT_DAC_READ	0x3c7
#define PORT_DAC_WRITE	0x3c8
#define PORT_DAC_DATA	0x3c9
#define PORT_GRAPHICS	0x3ce
#define PORT_CRTC_MONO	0x3b4
#define PORT_CRTC_COLOR 0x3d4

#define VIDEO_PAGES 8

enum video_kind {
	VIDEO_TEXT,
	VIDEO_CGA,    /* modes 4 to 6: one plane, even and odd lines apart */
	VIDEO_PLANAR, /* 16 colours */
	VIDEO_256,
};

/**
 * struct video - the screen for one call
 * @cols, @rows, @glyph_height: as the BIOS data area says, but within what can be
 * @page: the active one, below VIDEO_PAGES
 * @page_size: bytes from a page to the next
 */
struct video {
	struct bios *b;
	const struct vga_mode *mode;
	enum video_kind kind;
	unsigned cols, rows, glyph_height;
	unsigned page, page_size;
	uint16_t crtc_port;
};

struct video video_get(struct bios *b);

/* An indexed register, of the CRTC, the sequencer or the graphics controller. */
void video_set(struct bios *b, uint16_t port, uint8_t index, uint8_t value);
uint8_t video_get_register(struct bios *b, uint16_t port, uint8_t index);

/* An attribute controller register; the display goes on. */
void video_set_attribute(const struct video *v, uint8_t index, uint8_t value);
uint8_t video_get_attribute(const struct video *v, uint8_t index);

void video_set_mode(struct bios *b, uint8_t mode);
void video_set_cursor(const struct video *v, unsigned page, unsigned row, unsigned col);
void video_show_cursor_shape(const struct video *v);
void video_make_rom(struct bios *b);

/* A text mode with the scan lines that BDA_VIDEO_FLAGS's bits ask for; other modes as they are. */
struct vga_mode video_with_lines(const struct vga_mode *mode, uint8_t flags);

/* INT 10h's functions by group. */
void video_write(const struct video *v, struct bios_frame *f);	 /* AH=06h to 0Ah, 0Eh, 13h */
void video_palette(const struct video *v, struct bios_frame *f); /* AH=0Bh, 10h */
void video_font(const struct video *v, struct bios_frame *f);	 /* AH=11h */
void video_select(const struct video *v, struct bios_frame *f);	 /* AH=12h */
void video_state(const struct video *v, struct bios_frame *f);	 /* AH=1Ah to 1Ch */

/* A character as INT 10h AH=0Eh writes it. */
void video_teletype(const struct video *v, uint8_t code, uint8_t color);

/* The dots of a graphics mode. */
unsigned video_dots_wide(const struct video *v);
unsigned video_dots_high(const struct video *v);
uint8_t video_get_dot(const struct video *v, unsigned page, unsigned x, unsigned y);
void video_set_dot(const struct video *v, unsigned page, unsigned x, unsigned y, uint8_t color);
void video_draw_glyph(const struct video *v, unsigned page, unsigned row, unsigned col,
		      uint8_t code, uint8_t color);
uint8_t video_recognize_glyph(const struct video *v, unsigned page, unsigned row, unsigned col);

/* Rows of characters of a graphics mode: moved up by whole rows, or filled with a colour. */
void video_copy_row(const struct video *v, unsigned to_row, unsigned from_row, unsigned col,
		    unsigned cols);
void video_clear_row(const struct video *v, unsigned row, unsigned col, unsigned cols,
		     uint8_t color);

/* The font in the map 2 of a text mode. */
void video_load_font(const struct video *v, unsigned block, unsigned first, unsigned count,
		     unsigned height, gpa_t glyphs);

#endif
