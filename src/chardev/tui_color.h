/* Colours of a PC in those that a terminal has (private to src/chardev). */
#ifndef TUI_COLOR_H
#define TUI_COLOR_H

#include <stdint.h>

enum tui_colors {
	TUI_MONO,
	TUI_8,	   /* of ANSI */
	TUI_16,	   /* those, and bright ones */
	TUI_256,   /* xterm's: 16, a cube of 6 * 6 * 6, 24 greys */
	TUI_DIRECT /* 0xRRGGBB */
};

/*
 * The colour nearest to @rgb (0xRRGGBB). One of the PC's 16 text colours is the terminal's own one
 * of that name. Of TUI_8, bit 3 says that the foreground should be bold. Not for TUI_MONO.
 */
int32_t tui_color(enum tui_colors colors, uint32_t rgb);

/* How bright it looks: 0 to 255. */
unsigned tui_luminance(uint32_t rgb);

#endif
