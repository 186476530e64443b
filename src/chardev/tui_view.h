/* A screen as the cells of a terminal (private to src/chardev). */
#ifndef TUI_VIEW_H
#define TUI_VIEW_H

#include "tui_color.h"

#include <stdbool.h>
#include <stdint.h>

struct screen;

#define VIEW_COLS_MAX 512
#define VIEW_ROWS_MAX 256

enum view_attr {
	VIEW_BLINK = 1 << 0,
	VIEW_BOLD = 1 << 1,
	VIEW_REVERSE = 1 << 2,
	VIEW_UNDERLINE = 1 << 3,
};

enum view_cursor {
	VIEW_CURSOR_HIDDEN,
	VIEW_CURSOR_UNDERLINE,
	VIEW_CURSOR_BLOCK,
};

/* @fg, @bg: as tui_color() has them, below 8 for TUI_8; -1 for the terminal's own */
struct view_cell {
	uint32_t character;
	int32_t fg, bg;
	uint32_t attr;
};

/**
 * struct view - a terminal's window on the screen
 * @colors, @is_unicode: what the terminal can show
 * @cols, @rows: its size, up to VIEW_COLS_MAX and VIEW_ROWS_MAX
 * @left, @top: the part of a text screen that a smaller terminal shows; follows the cursor
 */
struct view {
	enum tui_colors colors;
	bool is_unicode;
	unsigned cols, rows;
	unsigned left, top;
	enum view_cursor cursor;
	unsigned cursor_col, cursor_row;
	struct view_cell cell[VIEW_COLS_MAX * VIEW_ROWS_MAX];
};

/* Fill in all but what describes the terminal. */
void view_render(struct view *view, const struct screen *screen);

/*
 * A line of ours over the view, the @row-th from the bottom, in UTF-8. What might not take one
 * place, or is not for the terminal's eyes, is a question mark.
 */
void view_overlay(struct view *view, unsigned row, const char *text);

#endif
