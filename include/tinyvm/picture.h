/* A screen as a picture file. */
#ifndef TINYVM_PICTURE_H
#define TINYVM_PICTURE_H

struct err;
struct screen;

/**
 * picture_write() - a screen of either kind as a PNG file
 * @path: written whole or not at all
 *
 * Text is drawn with the screen's own glyphs in cells 9 dots wide, as a VGA draws it; graphics dot
 * by dot, low resolutions doubled, so that a picture is at least 640 dots wide.
 * Return: 0; -errno with a sentence.
 */
int picture_write(const struct screen *screen, const char *path, struct err *err)
	__attribute__((warn_unused_result));

#endif
