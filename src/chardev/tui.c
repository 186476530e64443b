/*
 * The user's terminal as a PC's screen and keyboard.
 *
 * Everything is on the event loop's thread, and nothing blocks it: what is to be drawn waits until
 * the terminal has taken what was drawn before, so a slow line sees fewer pictures and no old ones.
 * What is typed is read no faster than the guest takes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/keymap.h>
#include <tinyvm/tty.h>
#include <tinyvm/tui.h>
#include <unistd.h>

#include "output.h"
#include "tui_curses.h"
#include "tui_input.h"
#include "tui_view.h"

#define MS 1000000ULL

/* Between looks at the screen: while it changes, when it has not for a while, in the background. */
#define FRAME_NS      (33 * MS)
#define IDLE_FRAME_NS (100 * MS)
#define BACKGROUND_NS (250 * MS)
#define ACTIVE_NS     (1000 * MS)
#define AFTER_KEY_NS  (12 * MS)
#define STALLED_NS    (5 * MS)

/* What a terminal sends for one key comes in one piece, or nearly. */
#define SEQUENCE_NS (50 * MS)

/* A guest that reads no keys for so long will not read those that a person goes on typing. */
#define PATIENCE_NS (3000 * MS)

#define ESCAPE_KEY 0x01 /* Ctrl-A */
#define NOTICE_MAX 256

#define MESSAGES_MAX (1 << 20)

/* A file as input is always readable: after so many reads in a row others get their turn. */
#define FILE_READS 16

static const char *const tui_help[] = {
	"Ctrl-A, then:  x quit   c power button   d Ctrl-Alt-Del   s screenshot to a file",
	" 1-9 0 - = F1 to F12   m Alt and the next key   Ctrl-A or a: Ctrl-A   h this help",
};

/**
 * struct tui - the terminal
 * @out, @tc: NULL when standard output is no terminal
 * @is_tty:  standard input is one, so it has the escape key
 * @is_file: standard input is never waited for
 * @is_watching: the loop is asked for @in_handle's EPOLLIN
 * @stalled_ns: since when there has been no room for a key, 0 for now
 * @is_escaped: Ctrl-A was struck
 * @is_alt:  Ctrl-A m was: Alt is held with the next key
 * @notice:  at the foot, "" for none; @is_help: the help instead
 * @messages, @messages_at: our own, held back from the terminal, and how far they have been shown;
 *           -1 for none
 * @is_stale: what is shown has to be drawn again, whether or not the screen changed
 * @active_ns: until when changes are likely
 * @now, @shown: the screen as it is, and as it was drawn
 */
struct tui {
	struct evloop *loop;
	struct tui_config cfg;
	struct output *out;
	struct tui_curses *tc;
	struct evloop_timer *frame;
	struct evloop_timer *sequence;
	int signals;
	struct evloop_fd *signal_handle;
	struct evloop_fd *in_handle;
	sigset_t old_mask;

	bool is_tty;
	bool is_file;
	bool is_input_open;
	bool is_watching;
	bool is_background;
	uint64_t stalled_ns;
	struct tui_input input;

	bool is_escaped;
	bool is_alt;
	bool is_help;
	char notice[NOTICE_MAX];
	int messages;
	off_t messages_at;
	bool is_stale;
	uint64_t active_ns;
	struct screen now, shown;
	struct view view;
};

static uint64_t tui_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Drawing */

/* Sends what the terminal takes. Return: whether that is all. */
static bool tui_push(struct tui *tui)
{
	size_t len;
	const uint8_t *bytes = tui_curses_bytes(tui->tc, &len);
	size_t n = len ? output_put(tui->out, bytes, len) : 0;
	tui_curses_used(tui->tc, n);
	return n == len;
}

static bool screen_is_same(const struct screen *a, const struct screen *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == SCREEN_BLANK)
		return true;
	if (memcmp(a->palette, b->palette, sizeof(a->palette)) != 0)
		return false;
	if (a->kind == SCREEN_GRAPHICS)
		return a->width == b->width && a->height == b->height &&
		       memcmp(a->dot, b->dot, (size_t)a->width * a->height) == 0;
	return a->cols == b->cols && a->rows == b->rows && a->is_blink_on == b->is_blink_on &&
	       a->is_mono == b->is_mono && a->is_cursor_visible == b->is_cursor_visible &&
	       a->cursor_col == b->cursor_col && a->cursor_row == b->cursor_row &&
	       a->cursor_first == b->cursor_first && a->glyph_height == b->glyph_height &&
	       memcmp(a->cell, b->cell, sizeof(a->cell[0]) * a->cols * a->rows) == 0;
}

static void tui_draw(struct tui *tui)
{
	char line[NOTICE_MAX];

	view_render(&tui->view, &tui->now);
	if (tui->is_help) {
		view_overlay(&tui->view, 1, tui_help[0]);
		view_overlay(&tui->view, 0, tui_help[1]);
	} else if (tui->is_escaped) {
		snprintf(line, sizeof(line),
			 "%s: x quit, c power button, d Ctrl-Alt-Del, s screenshot, h help",
			 tui->cfg.title);
		view_overlay(&tui->view, 0, line);
	} else if (tui->notice[0]) {
		view_overlay(&tui->view, 0, tui->notice);
	}
	tui_curses_draw(tui->tc, &tui->view);
	tui->is_stale = false;
}

static void tui_look(struct tui *tui, uint64_t now_ns)
{
	if (!tui_push(tui))
		return; /* tui_writable() goes on */
	tui->cfg.source.take(tui->cfg.source.ctx, &tui->now);
	bool is_changed = !screen_is_same(&tui->now, &tui->shown);
	if (is_changed) {
		tui->active_ns = now_ns + ACTIVE_NS;
		memcpy(&tui->shown, &tui->now, sizeof(tui->shown));
	}
	if (is_changed || tui->is_stale) {
		tui_draw(tui);
		tui_push(tui);
	}
}

static void tui_refresh(struct tui *tui)
{
	tui->is_stale = true;
	evloop_timer_arm(tui->frame, tui_now_ns());
}

static void tui_writable(void *ctx)
{
	struct tui *tui = ctx;
	if (tui->tc)
		evloop_timer_arm(tui->frame, tui_now_ns());
}

void tui_notice(struct tui *tui, const char *text)
{
	snprintf(tui->notice, sizeof(tui->notice), "%s", text);
	tui_refresh(tui);
}

/* The last line of what would have been printed over the screen: a reader sees the rest later. */
static void tui_show_messages(struct tui *tui)
{
	char text[NOTICE_MAX];
	off_t end = tui->messages < 0 ? 0 : lseek(tui->messages, 0, SEEK_END);
	off_t from = end > NOTICE_MAX - 1 ? end - (NOTICE_MAX - 1) : 0;

	if (end <= tui->messages_at)
		return;
	tui->messages_at = end;
	ssize_t n = pread(tui->messages, text, sizeof(text) - 1, from);
	/* A guest can make us say much: then what it made us say first is not kept. */
	if (end > MESSAGES_MAX && ftruncate(tui->messages, 0) == 0)
		tui->messages_at = 0;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n <= 0)
		return;
	text[n] = '\0';
	const char *newline = strrchr(text, '\n');
	tui_notice(tui, newline ? newline + 1 : text);
}

/* What is typed */

static void tui_send(struct tui *tui, const struct key *keys, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		tui->cfg.key(tui->cfg.ctx, keys[i].code, keys[i].is_down);
}

static void tui_send_stroke(struct tui *tui, const struct tui_stroke *stroke)
{
	struct key keys[KEYMAP_MAX];
	unsigned modifiers = stroke->modifiers | (tui->is_alt ? KEYMAP_ALT : 0);

	tui->is_alt = false;
	tui_send(tui, keys,
		 stroke->name ? keymap_name(stroke->name, modifiers, keys)
			      : keymap_character(stroke->character, modifiers, keys));
}

static void tui_send_name(struct tui *tui, const char *name)
{
	tui_send_stroke(tui, &(struct tui_stroke){.name = name});
}

/* The character after Ctrl-A. */
static void tui_escape(struct tui *tui, uint32_t character)
{
	static const char digits[] = "1234567890-=";
	const char *digit = character < 0x80 && character ? strchr(digits, (int)character) : NULL;
	char name[16];

	switch (character) {
	case ESCAPE_KEY:
	case 'a':
		tui_send_stroke(tui, &(struct tui_stroke){.character = ESCAPE_KEY});
		break;
	case 'x':
		tui->cfg.command(tui->cfg.ctx, TUI_QUIT);
		break;
	case 'c':
		tui->cfg.command(tui->cfg.ctx, TUI_POWER_BUTTON);
		break;
	case 's':
		tui->cfg.command(tui->cfg.ctx, TUI_SCREENSHOT);
		break;
	case 'd':
		tui_send_name(tui, "ctrl-alt-del");
		break;
	case 'm':
		tui->is_alt = true;
		break;
	case 'h':
	case '?':
		tui->is_help = true;
		break;
	default:
		if (digit) {
			snprintf(name, sizeof(name), "f%d", (int)(digit - digits) + 1);
			tui_send_name(tui, name);
		} else {
			tui_notice(tui, "Ctrl-A h shows the keys");
		}
	}
}

/* @is_dropping: only what is for us counts. */
static void tui_strike(struct tui *tui, const struct tui_stroke *stroke, bool is_dropping)
{
	bool is_shown = tui->is_help || tui->is_escaped || tui->notice[0];
	bool was_escaped = tui->is_escaped;

	tui->is_help = false;
	tui->is_escaped = false;
	tui->notice[0] = '\0';
	if (was_escaped)
		tui_escape(tui, stroke->name ? 0xfffd : stroke->character);
	else if (tui->is_tty && !stroke->name && stroke->character == ESCAPE_KEY &&
		 !stroke->modifiers)
		tui->is_escaped = true;
	else if (!is_dropping)
		tui_send_stroke(tui, stroke);
	if (is_shown || tui->is_escaped || tui->is_help)
		tui_refresh(tui);
}

/* Watches standard input exactly while a byte from it would be welcome. */
static void tui_watch(struct tui *tui)
{
	bool is_wanted = tui->is_input_open && !tui->is_background && !tui->stalled_ns;
	if (!tui->in_handle || is_wanted == tui->is_watching)
		return;
	tui->is_watching = is_wanted;
	evloop_set_events(tui->in_handle, is_wanted ? EPOLLIN : 0);
}

/*
 * Makes strokes of the bytes that are there, as long as somebody has room for them.
 * Return: whether there was any.
 */
static bool tui_pump(struct tui *tui, bool is_late)
{
	uint64_t now_ns = tui_now_ns();
	struct tui_stroke stroke;
	bool is_any = false;

	for (;;) {
		bool is_room = tui->cfg.room(tui->cfg.ctx) >= KEYMAP_MAX;
		if (is_room)
			tui->stalled_ns = 0;
		else if (!tui->stalled_ns)
			tui->stalled_ns = now_ns;
		bool is_dropping =
			!is_room && tui->is_tty && now_ns - tui->stalled_ns > PATIENCE_NS;
		if ((!is_room && !is_dropping) || !tui_input_next(&tui->input, is_late, &stroke))
			break;
		tui_strike(tui, &stroke, is_dropping);
		is_any = true;
	}
	if (tui->stalled_ns) {
		evloop_timer_arm(tui->frame, now_ns + STALLED_NS);
	} else if (tui_input_is_waiting(&tui->input)) {
		evloop_timer_arm(tui->sequence, now_ns + SEQUENCE_NS);
	}
	if (is_any && tui->tc) {
		tui->active_ns = now_ns + ACTIVE_NS;
		evloop_timer_arm(tui->frame, now_ns + AFTER_KEY_NS);
	}
	tui_watch(tui);
	return is_any;
}

static void tui_end_input(struct tui *tui)
{
	tui->is_input_open = false;
	tui->is_watching = false;
	evloop_remove(tui->in_handle);
	tui->in_handle = NULL;
}

static void tui_read(struct tui *tui)
{
	uint8_t buf[TUI_PENDING_MAX];
	size_t room = TUI_PENDING_MAX - tui->input.pending_len;

	if (!tui->is_input_open || !room)
		return;
	if (tui->is_tty && !tty_is_foreground(STDIN_FILENO)) {
		tui->is_background = true;
		tui_watch(tui);
		return;
	}
	ssize_t n = read(STDIN_FILENO, buf, room);
	if (n > 0)
		tui_input_put(&tui->input, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		tui_end_input(tui);
}

static void tui_in_ready(void *ctx, uint32_t events)
{
	struct tui *tui = ctx;
	(void)events;
	if (!tui->is_watching)
		return;
	tui_read(tui);
	tui_pump(tui, !tui->is_input_open);
}

static void tui_read_file(struct tui *tui)
{
	for (unsigned i = 0; i < FILE_READS && tui->is_input_open && !tui->stalled_ns; i++) {
		tui_read(tui);
		tui_pump(tui, !tui->is_input_open);
	}
}

static void tui_sequence_late(void *ctx)
{
	tui_pump(ctx, true);
}

/* Time, size and job control */

/* The terminal's size; where it does not know one, what most have. */
static void tui_size(uint16_t *ret_cols, uint16_t *ret_rows)
{
	if (tty_size(STDOUT_FILENO, ret_cols, ret_rows) != 0) {
		*ret_cols = 80;
		*ret_rows = 25;
	}
	if (*ret_cols > VIEW_COLS_MAX)
		*ret_cols = VIEW_COLS_MAX;
	if (*ret_rows > VIEW_ROWS_MAX)
		*ret_rows = VIEW_ROWS_MAX;
}

static void tui_fit(struct tui *tui)
{
	uint16_t cols, rows;

	if (!tui->tc)
		return;
	tui_size(&cols, &rows);
	tui->view.cols = cols;
	tui->view.rows = rows;
	tui_curses_resize(tui->tc, cols, rows);
	tui_refresh(tui);
}

/* The terminal may have become ours, or lost its raw mode while we were stopped. */
static void tui_check_foreground(struct tui *tui)
{
	int error = 0;

	if (tui->is_tty)
		error = tty_raw(STDIN_FILENO);
	else if (tui->tc)
		error = tty_raw_output(STDOUT_FILENO);
	tui->is_background = error == -EAGAIN;
	if (!tui->is_background)
		tui_fit(tui);
	tui_watch(tui);
}

static void tui_frame(void *ctx)
{
	struct tui *tui = ctx;
	uint64_t now_ns = tui_now_ns();
	uint64_t next_ns = 0;

	if (tui->is_background)
		tui_check_foreground(tui);
	if (tui->stalled_ns)
		tui_pump(tui, false);
	if (tui->is_file && tui->is_input_open)
		tui_read_file(tui);
	if (tui->tc && !tui->is_background) {
		tui_show_messages(tui);
		tui_look(tui, now_ns);
	}

	if (tui->tc)
		next_ns = now_ns < tui->active_ns ? FRAME_NS : IDLE_FRAME_NS;
	if (tui->is_background)
		next_ns = BACKGROUND_NS;
	else if (tui->stalled_ns || (tui->is_file && tui->is_input_open))
		next_ns = STALLED_NS;
	evloop_timer_arm(tui->frame, next_ns ? now_ns + next_ns : 0);
}

static void tui_signal_ready(void *ctx, uint32_t events)
{
	struct tui *tui = ctx;
	struct signalfd_siginfo info;
	(void)events;
	while (read(tui->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		tui_check_foreground(tui);
}

/* Coming and going */

/* Threads made from now on inherit the mask, so that signalfd gets what it waits for. */
static int tui_open_signals(struct tui *tui)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGCONT);
	tui->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (tui->signals < 0)
		return -errno;
	pthread_sigmask(SIG_BLOCK, &set, &tui->old_mask);
	return evloop_add(tui->loop, &tui->signal_handle, tui->signals, EPOLLIN, tui_signal_ready,
			  tui, NULL);
}

static int tui_open_timers(struct tui *tui)
{
	int error = evloop_timer_create(tui->loop, &tui->frame);
	if (!error)
		error = evloop_timer_create(tui->loop, &tui->sequence);
	if (error)
		return error;
	evloop_timer_bind(tui->frame, tui_frame, tui, NULL);
	evloop_timer_bind(tui->sequence, tui_sequence_late, tui, NULL);
	return 0;
}

static const char *tui_no_capability(const char *name)
{
	(void)name;
	return NULL;
}

static int tui_open_input(struct tui *tui)
{
	tui_input_init(&tui->input, tui->tc ? tui_curses_capability : tui_no_capability);
	if (!tui->is_input_open)
		return 0;
	tui->is_tty = isatty(STDIN_FILENO);
	tui->input.is_plain = !tui->is_tty;
	int error = evloop_add(tui->loop, &tui->in_handle, STDIN_FILENO, EPOLLIN, tui_in_ready, tui,
			       NULL);
	tui->is_file = error == -EPERM;
	tui->is_watching = !error;
	return tui->is_file ? 0 : error;
}

/* What to write to the terminal when there is no time for anything else. */
static void tui_note_farewell(struct tui *tui)
{
	size_t len;
	tui_curses_draw(tui->tc, &tui->view);
	(void)tui_curses_bytes(tui->tc, &len);
	tui_curses_used(tui->tc, len);
	tui_curses_leave(tui->tc);
	const uint8_t *bytes = tui_curses_bytes(tui->tc, &len);
	tty_set_farewell(bytes, len);
	tui_curses_used(tui->tc, len);
}

static int tui_open_screen(struct tui *tui, struct err *err)
{
	uint16_t cols, rows;

	if (!isatty(STDOUT_FILENO))
		return 0;
	tui_size(&cols, &rows);
	int error =
		output_create(&tui->out, tui->loop, STDOUT_FILENO, NULL, tui_writable, tui, err);
	if (!error)
		error = tui_curses_create(&tui->tc, cols, rows, err);
	if (error)
		return error;
	tui->view.colors = tui_curses_colors(tui->tc);
	tui->view.is_unicode = tui_curses_is_unicode(tui->tc);
	tui_fit(tui);
	view_render(&tui->view, &tui->shown);
	tui_note_farewell(tui);
	tui->messages = tty_hold_messages();
	return 0;
}

static int tui_open(struct tui *tui, struct err *err)
{
	int error = tui_open_timers(tui);
	if (!error)
		error = tui_open_signals(tui);
	if (!error) {
		error = tui_open_screen(tui, err);
		if (error)
			return error;
		error = tui_open_input(tui);
	}
	if (error)
		return err_set(err, error, "cannot set up the terminal: %s", strerror(-error));
	tui_check_foreground(tui);
	evloop_timer_arm(tui->frame, tui_now_ns());
	return 0;
}

int tui_create(struct tui **ret_tui, struct evloop *loop, const struct tui_config *cfg,
	       struct err *err)
{
	struct tui *tui = calloc(1, sizeof(*tui));
	if (!tui)
		return err_set(err, -ENOMEM, "not enough host memory");
	tui->loop = loop;
	tui->cfg = *cfg;
	tui->signals = tui->messages = -1;
	/* First of all: a missing standard input's number goes to what is opened next. */
	tui->is_input_open = fcntl(STDIN_FILENO, F_GETFD) >= 0;
	int error = tui_open(tui, err);
	if (error) {
		tui_destroy(tui);
		return error;
	}
	*ret_tui = tui;
	return 0;
}

void tui_destroy(struct tui *tui)
{
	if (!tui)
		return;
	if (tui->tc && !tui->is_background) {
		/* A picture that the terminal has only half of must come to its end first. */
		tui_curses_leave(tui->tc);
		tui_push(tui);
	}
	output_destroy(tui->out);
	tty_set_farewell(NULL, 0);
	tty_restore();
	tui_curses_destroy(tui->tc);
	evloop_remove(tui->in_handle);
	evloop_remove(tui->signal_handle);
	evloop_timer_destroy(tui->frame);
	evloop_timer_destroy(tui->sequence);
	if (tui->signals >= 0) {
		close(tui->signals);
		pthread_sigmask(SIG_SETMASK, &tui->old_mask, NULL);
	}
	free(tui);
}
