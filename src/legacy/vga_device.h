/* Between the files of the VGA: its registers and memory. */
#ifndef VGA_DEVICE_H
#define VGA_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/device.h>
#include <tinyvm/gmem.h>
#include <tinyvm/vga.h>

#define VGA_PLANES     4
#define VGA_PLANE_SIZE 0x10000u

/* Registers of each group. */
#define VGA_CRTC_REGS	   25
#define VGA_SEQUENCER_REGS 5
#define VGA_GRAPHICS_REGS  9
#define VGA_ATTRIBUTE_REGS 21

enum {
	CRTC_HTOTAL = 0x00,
	CRTC_HDISPLAY_END = 0x01,
	CRTC_VTOTAL = 0x06,
	CRTC_OVERFLOW = 0x07,
	CRTC_MAX_SCAN = 0x09,
	CRTC_CURSOR_START = 0x0a,
	CRTC_CURSOR_END = 0x0b,
	CRTC_START_HIGH = 0x0c,
	CRTC_START_LOW = 0x0d,
	CRTC_CURSOR_HIGH = 0x0e,
	CRTC_CURSOR_LOW = 0x0f,
	CRTC_VRETRACE_START = 0x10,
	CRTC_VRETRACE_END = 0x11,
	CRTC_VDISPLAY_END = 0x12,
	CRTC_OFFSET = 0x13,
	CRTC_UNDERLINE = 0x14,
	CRTC_MODE = 0x17,
	CRTC_LINE_COMPARE = 0x18,
};
#define CRTC_MAX_SCAN_LINES   0x1f
#define CRTC_MAX_SCAN_DOUBLE  0x80
#define CRTC_CURSOR_OFF	      0x20
#define CRTC_CURSOR_LINES     0x1f
#define CRTC_VRETRACE_PROTECT 0x80 /* registers 0 to 7 */
#define CRTC_OVERFLOW_LC8     0x10 /* the one bit that the protection leaves */
#define CRTC_UNDERLINE_DWORD  0x40
#define CRTC_MODE_ROW_BIT_13  0x01 /* clear: scan line bit 0 is address bit 13 */
#define CRTC_MODE_ROW_BIT_14  0x02 /* clear: scan line bit 1 is address bit 14 */
#define CRTC_MODE_WRAP	      0x20
#define CRTC_MODE_BYTE	      0x40
#define CRTC_MODE_RUN	      0x80

enum {
	SEQ_CLOCKING = 0x01,
	SEQ_MAP_MASK = 0x02,
	SEQ_FONT = 0x03,
	SEQ_MEMORY = 0x04,
};
#define SEQ_CLOCKING_8_DOTS   0x01
#define SEQ_CLOCKING_HALVED   0x08
#define SEQ_CLOCKING_BLANK    0x20
#define SEQ_MEMORY_NO_ODDEVEN 0x04
#define SEQ_MEMORY_CHAIN4     0x08

enum {
	GFX_SET_RESET = 0x00,
	GFX_SET_RESET_ENABLE = 0x01,
	GFX_COMPARE = 0x02,
	GFX_ROTATE = 0x03,
	GFX_READ_MAP = 0x04,
	GFX_MODE = 0x05,
	GFX_MISC = 0x06,
	GFX_CARE = 0x07,
	GFX_BIT_MASK = 0x08,
};
#define GFX_MODE_WRITE	  0x03
#define GFX_MODE_COMPARE  0x08 /* read mode 1 */
#define GFX_MODE_ODDEVEN  0x10
#define GFX_MODE_SHIFT_2  0x20 /* two bits a dot, as the CGA */
#define GFX_MODE_256	  0x40
#define GFX_MISC_GRAPHICS 0x01

enum {
	ATTR_MODE = 0x10,
	ATTR_OVERSCAN = 0x11,
	ATTR_PLANES = 0x12,
	ATTR_PANNING = 0x13,
	ATTR_COLOR_SELECT = 0x14,
};
#define ATTR_MODE_MONO	 0x02
#define ATTR_MODE_BLINK	 0x08
#define ATTR_MODE_P54	 0x80 /* palette bits 5 and 4 from the colour select register */
#define ATTR_INDEX_SHOWN 0x20 /* of the index: the palette is the display's, not the program's */

#define MISC_COLOR   0x01 /* CRTC at 0x3d4, else 0x3b4 */
#define MISC_MEMORY  0x02
#define MISC_CLOCK   0x0c
#define MISC_CLOCK_1 0x04 /* 28.322 MHz */

/**
 * struct vga_dac - the colour look-up table
 * @index, @component: which byte the data port accesses next
 * @has_read_index: the last index was for reading
 */
struct vga_dac {
	uint8_t rgb[256][3];
	uint8_t mask, index, component;
	bool has_read_index;
};

/**
 * struct vga - the adapter
 * @is_mapped: the guest reaches the text window without us
 * @is_attribute_data: the attribute controller's flip-flop: its port takes data next, not an index
 * @latch:     the last byte read of each plane
 * @memory:    byte n of a word is plane n's
 * @seen_line: when the status register was last read: scan lines since the clock began
 * @seen_status: and what it said
 */
struct vga {
	struct device dev;
	struct gmem *gm;
	struct clock clock;
	struct vga_window window;
	bool is_mapped;
	uint8_t misc, feature;
	uint8_t crtc_index, sequencer_index, graphics_index, attribute_index;
	bool is_attribute_data;
	uint8_t crtc[VGA_CRTC_REGS], sequencer[VGA_SEQUENCER_REGS];
	uint8_t graphics[VGA_GRAPHICS_REGS], attribute[VGA_ATTRIBUTE_REGS];
	struct vga_dac dac;
	uint32_t latch;
	uint32_t memory[VGA_PLANE_SIZE];
	uint64_t seen_line;
	uint8_t seen_status;
};

/* Total scan lines of the picture, retrace included, and those that show. */
unsigned vga_lines_total(const struct vga *v);
unsigned vga_lines_shown(const struct vga *v);

/* The guest's text, to where the model works on it; while the window is not mapped, nothing. */
void vga_window_pull(struct vga *v);

/* After anything that can change it: maps or unmaps the text window. */
void vga_window_update(struct vga *v);

/* Takes the text window back from the guest, before memory changes under it. */
void vga_window_unmap(struct vga *v);

#endif
