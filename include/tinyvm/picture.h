/* A screen as a picture. */
#ifndef TINYVM_PICTURE_H
#define TINYVM_PICTURE_H

#include <stddef.h>
#include <stdint.h>

struct screen;

/**
 * picture_png() - a screen of either kind as a PNG file
 * @ret_bytes: @ret_len of them, to be freed
 *
 * Text is drawn with the screen's own glyphs in cells 9 dots wide, as a VGA draws it; graphics dot
 * by dot, low resolutions doubled; a screen that is off is black. Return: 0 or -ENOMEM.
 */
int picture_png(const struct screen *screen, uint8_t **ret_bytes, size_t *ret_len)
	__attribute__((warn_unused_result));

#endif
