/*
 * The PC's text colours are IBM's (CGA, with brown): their order differs from that of ANSI
 * (ECMA-48 SGR) by red and blue changing places.
 */
#include "tui_color.h"

#include <limits.h>
#include <stdbool.h>

/* A DAC's 6 bits come as 8 in more than one way. */
#define SAME_MAX 4

static const uint32_t pc_colors[16] = {
	0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
	0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff,
};

static const uint8_t cube_levels[6] = {0, 95, 135, 175, 215, 255};

static int red(uint32_t rgb)
{
	return (int)(rgb >> 16 & 0xff);
}

static int green(uint32_t rgb)
{
	return (int)(rgb >> 8 & 0xff);
}

static int blue(uint32_t rgb)
{
	return (int)(rgb & 0xff);
}

/* The eye tells greens best. */
static unsigned color_distance(uint32_t a, uint32_t b)
{
	int r = red(a) - red(b), g = green(a) - green(b), bl = blue(a) - blue(b);
	return (unsigned)(3 * r * r + 6 * g * g + bl * bl);
}

static bool color_is_same(uint32_t a, uint32_t b)
{
	return red(a) - red(b) <= SAME_MAX && red(b) - red(a) <= SAME_MAX &&
	       green(a) - green(b) <= SAME_MAX && green(b) - green(a) <= SAME_MAX &&
	       blue(a) - blue(b) <= SAME_MAX && blue(b) - blue(a) <= SAME_MAX;
}

static int32_t color_ansi(unsigned pc)
{
	return (int32_t)((pc & 8) | (pc & 1) << 2 | (pc & 2) | (pc & 4) >> 2);
}

static int32_t color_nearest_16(uint32_t rgb)
{
	unsigned nearest = 0, distance = UINT_MAX;
	for (unsigned i = 0; i < 16; i++) {
		unsigned d = color_distance(rgb, pc_colors[i]);
		if (d < distance) {
			distance = d;
			nearest = i;
		}
	}
	return color_ansi(nearest);
}

/* The cube's level nearest to @value. */
static unsigned color_level(int value)
{
	if (value < 48)
		return 0;
	return value < 115 ? 1 : (unsigned)(value - 35) / 40;
}

static int32_t color_nearest_256(uint32_t rgb)
{
	unsigned r = color_level(red(rgb)), g = color_level(green(rgb)), b = color_level(blue(rgb));
	uint32_t cube =
		(uint32_t)cube_levels[r] << 16 | (uint32_t)cube_levels[g] << 8 | cube_levels[b];
	int average = (red(rgb) + green(rgb) + blue(rgb)) / 3;
	int step = average < 8 ? 0 : average > 238 ? 23 : (average - 3) / 10;
	uint32_t grey = (uint32_t)(8 + 10 * step) * 0x010101;

	if (color_distance(rgb, grey) < color_distance(rgb, cube))
		return 232 + step;
	return (int32_t)(16 + 36 * r + 6 * g + b);
}

int32_t tui_color(enum tui_colors colors, uint32_t rgb)
{
	if (colors == TUI_DIRECT)
		return (int32_t)rgb;
	if (colors != TUI_256)
		return color_nearest_16(rgb);
	for (unsigned i = 0; i < 16; i++)
		if (color_is_same(rgb, pc_colors[i]))
			return color_ansi(i);
	return color_nearest_256(rgb);
}

unsigned tui_luminance(uint32_t rgb)
{
	return (unsigned)(30 * red(rgb) + 59 * green(rgb) + 11 * blue(rgb)) / 100;
}
