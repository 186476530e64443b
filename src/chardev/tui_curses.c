/*
 * ncurses believes that it writes to a terminal; it writes to a file in memory, from where the
 * bytes go out without ever blocking the event loop, when there is time for them. So its signal
 * handlers, its input and its idea of the terminal's modes are not used: the size comes from us,
 * and raw mode is tty.c's.
 */
#include "tui_curses.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <term.h>
#include <tinyvm/err.h>
#include <unistd.h>

#define DIRECT_COLORS 0x1000000

/* DECSCUSR */
#define SHAPE_BLOCK	1
#define SHAPE_UNDERLINE 3

/**
 * struct tui_curses - the screen as ncurses has it
 * @out:    the file in memory
 * @bytes, @len, @at, @size: what was written and not fetched yet
 * @shown:  what ncurses has been told
 * @cursor: VIEW_CURSOR_HIDDEN at first, as if it had been told
 * @is_left: the terminal is not ours until something is drawn
 */
struct tui_curses {
	SCREEN *screen;
	FILE *out, *in;
	uint8_t *bytes;
	size_t len, at, size;
	enum tui_colors colors;
	bool is_unicode;
	bool is_left;
	bool is_fresh;
	enum view_cursor cursor;
	struct view shown;
};

static const int curses_signals[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
#define CURSES_SIGNALS (sizeof(curses_signals) / sizeof(curses_signals[0]))

/*
 * Who says nothing about a locale has a terminal with UTF-8 nevertheless; who says C may mean it.
 * Only characters' encoding is changed: numbers are read and written as ever.
 */
static bool curses_set_locale(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	bool is_said = false;

	for (unsigned i = 0; i < 3; i++) {
		const char *value = getenv(names[i]);
		is_said = is_said || (value && *value);
	}
	if (!is_said || !setlocale(LC_CTYPE, ""))
		setlocale(LC_CTYPE, "C.UTF-8");
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* With a variable set for as long as @name's terminal is opened. NULL @value removes it. */
static char *curses_swap_env(const char *name, const char *value)
{
	const char *old = getenv(name);
	char *kept = old ? strdup(old) : NULL;

	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
	return kept;
}

/*
 * ncurses asks the environment for the size where it cannot ask a terminal. What
 * curses_check_term() has found out it finds out again.
 */
static SCREEN *curses_open(FILE *out, FILE *in, unsigned cols, unsigned rows)
{
	struct sigaction before[CURSES_SIGNALS];
	TERMINAL *looked_at = cur_term;
	char number[2][16];

	snprintf(number[0], sizeof(number[0]), "%u", rows);
	snprintf(number[1], sizeof(number[1]), "%u", cols);
	char *old_lines = curses_swap_env("LINES", number[0]);
	char *old_columns = curses_swap_env("COLUMNS", number[1]);
	for (unsigned i = 0; i < CURSES_SIGNALS; i++)
		sigaction(curses_signals[i], NULL, &before[i]);
	SCREEN *screen = newterm(NULL, out, in);
	if (screen && cur_term != looked_at)
		del_curterm(looked_at);
	for (unsigned i = 0; i < CURSES_SIGNALS; i++)
		sigaction(curses_signals[i], &before[i], NULL);
	free(curses_swap_env("LINES", old_lines));
	free(curses_swap_env("COLUMNS", old_columns));
	free(old_lines);
	free(old_columns);
	return screen;
}

/* Asked first, since newterm() does not say why it fails. */
static int curses_check_term(int fd, struct err *err)
{
	const char *term = getenv("TERM");
	int found = 0;

	if (!term || !*term)
		return err_set(err, -ENOTTY,
			       "TERM is not set, so there is no drawing the screen; set it to this "
			       "terminal's kind, such as xterm-256color, or use --console serial");
	if (setupterm(term, fd, &found) != OK)
		return err_set(err, -ENOTTY,
			       "the terminal TERM=%.60s is unknown here%s; set TERM to one that is "
			       "known, such as xterm-256color, or use --console serial",
			       term, found < 0 ? ", as there is no terminfo database" : "");
	if (!tui_curses_capability("cup"))
		return err_set(err, -ENOTTY,
			       "the terminal TERM=%.60s cannot be drawn on; use --console serial",
			       term);
	return 0;
}

static enum tui_colors curses_colors(void)
{
	if (!has_colors() || start_color() != OK)
		return TUI_MONO;
	use_default_colors();
	if (COLORS >= DIRECT_COLORS)
		return TUI_DIRECT;
	if (COLORS >= 256)
		return TUI_256;
	if (COLORS >= 16)
		return TUI_16;
	return COLORS >= 8 ? TUI_8 : TUI_MONO;
}

int tui_curses_create(struct tui_curses **ret_tc, unsigned cols, unsigned rows, struct err *err)
{
	struct tui_curses *tc = calloc(1, sizeof(*tc));
	if (!tc)
		return err_set(err, -ENOMEM, "not enough host memory");
	int fd = memfd_create("screen", MFD_CLOEXEC);
	tc->out = fd < 0 ? NULL : fdopen(fd, "r+");
	tc->in = fopen("/dev/null", "re");
	int error = 0;
	if (!tc->out || !tc->in) {
		error = err_set(err, -errno, "cannot set up the screen: %s", strerror(errno));
		if (!tc->out && fd >= 0)
			close(fd);
	}
	if (!error)
		error = curses_check_term(fd, err);
	if (!error) {
		tc->is_unicode = curses_set_locale();
		tc->screen = curses_open(tc->out, tc->in, cols, rows);
		if (!tc->screen)
			error = err_set(err, -ENOTTY, "cannot draw on the terminal TERM=%.60s",
					getenv("TERM"));
	}
	if (error) {
		tui_curses_destroy(tc);
		return error;
	}
	typeahead(-1); /* it has no input to look at */
	tc->colors = curses_colors();
	leaveok(stdscr, FALSE);
	tui_curses_resize(tc, cols, rows);
	*ret_tc = tc;
	return 0;
}

void tui_curses_destroy(struct tui_curses *tc)
{
	if (!tc)
		return;
	if (tc->screen)
		delscreen(tc->screen);
	if (tc->out)
		fclose(tc->out);
	if (tc->in)
		fclose(tc->in);
	free(tc->bytes);
	free(tc);
}

enum tui_colors tui_curses_colors(const struct tui_curses *tc)
{
	return tc->colors;
}

bool tui_curses_is_unicode(const struct tui_curses *tc)
{
	return tc->is_unicode;
}

const char *tui_curses_capability(const char *name)
{
	/* terminfo's functions take what they do not change as if they did. */
	const char *value = tigetstr((char *)(uintptr_t)name);
	return value == (const char *)-1 ? NULL : value;
}

/* Room for @len bytes more. */
static bool curses_reserve(struct tui_curses *tc, size_t len)
{
	if (tc->at) {
		memmove(tc->bytes, tc->bytes + tc->at, tc->len - tc->at);
		tc->len -= tc->at;
		tc->at = 0;
	}
	if (tc->size - tc->len >= len)
		return true;
	uint8_t *bytes = realloc(tc->bytes, tc->len + len);
	if (!bytes)
		return false;
	tc->bytes = bytes;
	tc->size = tc->len + len;
	return true;
}

/* A lost byte leaves the terminal in a state that nobody knows: then all is drawn anew. */
static void curses_append(struct tui_curses *tc, const void *bytes, size_t len)
{
	if (!curses_reserve(tc, len)) {
		tc->is_fresh = true;
		return;
	}
	memcpy(tc->bytes + tc->len, bytes, len);
	tc->len += len;
}

static void curses_append_string(struct tui_curses *tc, const char *text)
{
	if (text)
		curses_append(tc, text, strlen(text));
}

/* Takes what ncurses has written. */
static void curses_fetch(struct tui_curses *tc)
{
	int fd = fileno(tc->out);
	off_t len = lseek(fd, 0, SEEK_CUR);

	if (len <= 0)
		return;
	if (curses_reserve(tc, (size_t)len)) {
		ssize_t n = pread(fd, tc->bytes + tc->len, (size_t)len, 0);
		if (n > 0)
			tc->len += (size_t)n;
		tc->is_fresh = tc->is_fresh || n != len;
	} else {
		tc->is_fresh = true;
	}
	if (ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
		tc->is_fresh = true;
}

void tui_curses_resize(struct tui_curses *tc, unsigned cols, unsigned rows)
{
	resize_term((int)rows, (int)cols);
	tc->is_fresh = true;
}

static attr_t curses_attr(uint32_t attr)
{
	return (attr & VIEW_BLINK ? A_BLINK : 0) | (attr & VIEW_BOLD ? A_BOLD : 0) |
	       (attr & VIEW_REVERSE ? A_REVERSE : 0) | (attr & VIEW_UNDERLINE ? A_UNDERLINE : 0);
}

static void curses_put(const struct tui_curses *tc, unsigned row, unsigned col,
		       const struct view_cell *cell)
{
	wchar_t text[2] = {(wchar_t)cell->character, 0};
	cchar_t c;
	int pair = 0;

	if (tc->colors != TUI_MONO && (cell->fg >= 0 || cell->bg >= 0))
		pair = alloc_pair(cell->fg, cell->bg);
	if (pair < 0)
		pair = 0;
	if (setcchar(&c, text, curses_attr(cell->attr), 0, &pair) == OK)
		mvadd_wch((int)row, (int)col, &c);
}

/* The cursor's shape is xterm's, and nothing that ncurses knows. */
static void curses_shape(struct tui_curses *tc, enum view_cursor cursor)
{
	const char *shape = tui_curses_capability("Ss");

	if (shape && cursor != VIEW_CURSOR_HIDDEN)
		curses_append_string(
			tc,
			tiparm(shape, cursor == VIEW_CURSOR_BLOCK ? SHAPE_BLOCK : SHAPE_UNDERLINE));
}

void tui_curses_draw(struct tui_curses *tc, const struct view *view)
{
	bool is_all = tc->is_fresh;

	if (is_all) {
		tc->is_fresh = false;
		clearok(stdscr, TRUE);
		tc->shown.cols = view->cols;
		tc->shown.rows = view->rows;
	}
	for (unsigned i = 0; i < view->cols * view->rows; i++) {
		const struct view_cell *cell = &view->cell[i];
		if (!is_all && memcmp(cell, &tc->shown.cell[i], sizeof(*cell)) == 0)
			continue;
		curses_put(tc, i / view->cols, i % view->cols, cell);
		tc->shown.cell[i] = *cell;
	}
	bool is_cursor = view->cursor != VIEW_CURSOR_HIDDEN;
	if (is_cursor)
		move((int)view->cursor_row, (int)view->cursor_col);
	if (is_all || view->cursor != tc->cursor || tc->is_left)
		curs_set(is_cursor);
	refresh();
	curses_fetch(tc);
	if (is_all || view->cursor != tc->cursor || tc->is_left)
		curses_shape(tc, view->cursor);
	tc->cursor = view->cursor;
	tc->is_left = false;
}

void tui_curses_leave(struct tui_curses *tc)
{
	if (tc->is_left)
		return;
	curses_append_string(tc, tui_curses_capability("Se"));
	curs_set(1);
	endwin();
	curses_fetch(tc);
	/* Where the terminal has no second screen, what it shows stays, and we end below it. */
	if (!tui_curses_capability("rmcup"))
		curses_append_string(tc, "\r\n");
	tc->is_left = true;
	tc->is_fresh = true;
}

const uint8_t *tui_curses_bytes(struct tui_curses *tc, size_t *ret_len)
{
	*ret_len = tc->len - tc->at;
	return tc->bytes + tc->at;
}

void tui_curses_used(struct tui_curses *tc, size_t used)
{
	tc->at += used;
}
