/* ncurses as a maker of bytes: what a terminal must be sent (private to src/chardev). */
#ifndef TUI_CURSES_H
#define TUI_CURSES_H

#include "tui_view.h"

#include <stddef.h>
#include <stdint.h>

struct err;
struct tui_curses;

/**
 * tui_curses_create() - get to know the terminal that TERM names
 * @cols, @rows: its size
 * @ret_colors, @ret_is_unicode: what it can show
 *
 * Return: 0; -errno with a sentence. Context: main thread, before there are others: looks at and
 * changes the process's locale, and for a moment its signal handlers and environment.
 */
int tui_curses_create(struct tui_curses **ret_tc, unsigned cols, unsigned rows, struct err *err)
	__attribute__((warn_unused_result));
void tui_curses_destroy(struct tui_curses *tc);

enum tui_colors tui_curses_colors(const struct tui_curses *tc);
bool tui_curses_is_unicode(const struct tui_curses *tc);

/* The string of a terminfo capability, NULL for one that the terminal has not. */
const char *tui_curses_capability(const char *name);

/* The terminal has another size now, or something else was written on it: all is drawn anew. */
void tui_curses_resize(struct tui_curses *tc, unsigned cols, unsigned rows);

/* Draw what has changed; @view has the size that the terminal was last said to have. */
void tui_curses_draw(struct tui_curses *tc, const struct view *view);

/* Give the terminal back: the cursor, the colours, what was on it before. Drawing takes it again.
 */
void tui_curses_leave(struct tui_curses *tc);

/**
 * tui_curses_bytes() - what is to be written to the terminal
 * @ret_len: bytes
 *
 * Return: valid until the next call of anything here; @used of it are not wanted any more with
 * tui_curses_used().
 */
const uint8_t *tui_curses_bytes(struct tui_curses *tc, size_t *ret_len);
void tui_curses_used(struct tui_curses *tc, size_t used);

#endif
