/* How the fonts' pictures become bytes. */
#ifndef VGA_FONT_H
#define VGA_FONT_H

#include <stdint.h>
#include <tinyvm/vga.h>

/* Columns from one character of a picture to the next. */
#define VGA_FONT_STEP 9

#define VGA_FONT_DOT(art, at, bit) ((art)[at] == 'X' ? 1u << (bit) : 0u)
#define VGA_FONT_BYTE(art, at)                                             \
	(VGA_FONT_DOT(art, at, 7) | VGA_FONT_DOT(art, (at) + 1, 6) |       \
	 VGA_FONT_DOT(art, (at) + 2, 5) | VGA_FONT_DOT(art, (at) + 3, 4) | \
	 VGA_FONT_DOT(art, (at) + 4, 3) | VGA_FONT_DOT(art, (at) + 5, 2) | \
	 VGA_FONT_DOT(art, (at) + 6, 1) | VGA_FONT_DOT(art, (at) + 7, 0))

/* Where line @line of a character is, and there what @art shows. */
#define VGA_FONT_AT(height, code, line) ((code) * (height) + (line))
#define VGA_FONT_SET(at, byte)		[at] = byte
#define VGA_FONT_GLYPH(height, code, line, art, n) \
	VGA_FONT_SET(VGA_FONT_AT(height, (code) + (n), line), VGA_FONT_BYTE(art, (n)*VGA_FONT_STEP))

/* Initializers for line @line of the characters @code to @code + 7. */
#define VGA_FONT_LINE(height, code, line, art)                                                  \
	VGA_FONT_GLYPH(height, code, line, art, 0), VGA_FONT_GLYPH(height, code, line, art, 1), \
		VGA_FONT_GLYPH(height, code, line, art, 2),                                     \
		VGA_FONT_GLYPH(height, code, line, art, 3),                                     \
		VGA_FONT_GLYPH(height, code, line, art, 4),                                     \
		VGA_FONT_GLYPH(height, code, line, art, 5),                                     \
		VGA_FONT_GLYPH(height, code, line, art, 6),                                     \
		VGA_FONT_GLYPH(height, code, line, art, 7)

#endif
