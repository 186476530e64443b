/*
 * IBM VGA: CRT controller, sequencer, graphics and attribute controllers, DAC, 256 KiB in four
 * planes (IBM PS/2 Hardware Interface Technical Reference, 1992, Video Subsystem).
 */
#ifndef TINYVM_VGA_H
#define TINYVM_VGA_H

#include <stdint.h>
#include <tinyvm/bus.h>
#include <tinyvm/device.h>
#include <tinyvm/gmem.h>

struct screen;

/* Ports 0x3b0-0x3df, mono and colour addresses; the attribute controller's flip-flop included. */
#define VGA_PORT_BASE 0x3b0
#define VGA_PORTS     0x30
extern const struct bus_ops vga_port_bus_ops;

/* The memory window, 0xa0000-0xbffff. */
#define VGA_MEMORY_BASE 0xa0000u
#define VGA_MEMORY_SIZE 0x20000u
extern const struct bus_ops vga_memory_bus_ops;

/* Where colour text is; the part of the window that need not trap (struct vga_window). */
#define VGA_TEXT_BASE 0xb8000u
#define VGA_TEXT_SIZE 0x8000u

/**
 * struct vga_window - lets text bypass the vCPU's exits
 * @map: from now on the guest's accesses to VGA_TEXT_BASE go straight to guest memory there
 *       (@is_mapped), or come to vga_memory_bus_ops again. Called with the device's lock held, only
 *       on a change
 *
 * While it is mapped the model reads the characters and attributes from guest memory; as it is
 * unmapped, the model brings them into its planes, and back when it is mapped again. A zeroed
 * window is never mapped: then everything comes to vga_memory_bus_ops.
 */
struct vga_window {
	void (*map)(void *ctx, bool is_mapped);
	void *ctx;
};

/**
 * vga_create() - a VGA in text mode 3, its palette and fonts loaded, as a BIOS leaves it
 * @gm: for VGA_TEXT_BASE while it is mapped
 */
int vga_create(struct device **ret_dev, struct gmem *gm, struct clock clock,
	       struct vga_window window) __attribute__((warn_unused_result));

/* What it shows now. Context: the device's lock held. */
void vga_take(struct device *dev, struct screen *screen);

/**
 * struct vga_font - code page 437
 * @glyph: 256 of @height lines each, one after the other; bit 7 is the leftmost dot
 */
struct vga_font {
	unsigned height;
	const uint8_t *glyph;
};
extern const struct vga_font vga_font_8x8, vga_font_8x14, vga_font_8x16;

/**
 * struct vga_mode - the register values of a BIOS mode, in the order of the video parameter table
 * @number: 0-3, 7 (as 80x25 text), 4-6, 0x0d-0x13
 * @cols, @rows: characters, for the BIOS data area
 * @crtc: registers 0 to 0x18; @sequencer 0 to 4; @graphics 0 to 8; @attribute 0 to 0x14
 */
struct vga_mode {
	uint8_t number;
	uint8_t cols, rows, glyph_height;
	uint16_t page_size; /* bytes */
	uint8_t misc;
	uint8_t sequencer[5], crtc[25], graphics[9], attribute[21];
};

/* NULL for a mode that a VGA does not have. */
const struct vga_mode *vga_mode(uint8_t number);

/* The default palette of @mode's DAC: 256 entries of 6 bits each for red, green, blue. */
void vga_mode_dac(const struct vga_mode *mode, uint8_t ret_dac[256][3]);

#endif
