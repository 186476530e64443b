/*
 * Where the user meets the PC: what is drawn comes from its display adapter, what is typed goes to
 * its keyboard. All on the event loop's thread, as is the building and unmaking of the board.
 */
#include "screen_front.h"

#include "last_screen.h"
#include "now.h"
#include "pc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/config.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/keymap.h>
#include <tinyvm/logfile.h>
#include <tinyvm/screen.h>
#include <tinyvm/terminal.h>
#include <tinyvm/tui.h>

static size_t screen_front_room(void *ctx)
{
	struct screen_front *f = ctx;
	return keys_room(&f->keys);
}

static void screen_front_key(void *ctx, uint16_t code, bool is_down)
{
	struct screen_front *f = ctx;
	keys_put(&f->keys, code, is_down);
}

/* A picture of its own for each time. */
static void screen_front_take_picture(struct screen_front *f)
{
	char path[40], text[ERR_MSG_MAX + 40];
	struct err err;
	struct screen *screen = calloc(1, sizeof(*screen));
	if (!screen)
		return;
	pc_take_screen(f->front.pc, screen);
	snprintf(path, sizeof(path), "tinyvm-screen-%u.png", ++f->pictures);
	if (last_screen_write_picture(path, screen, &err) == 0)
		snprintf(text, sizeof(text), "the screen is in %s", path);
	else
		snprintf(text, sizeof(text), "%s", err.msg);
	tui_notice(f->tui, text);
	free(screen);
}

static void screen_front_tui_command(void *ctx, enum tui_command command)
{
	struct screen_front *f = ctx;
	switch (command) {
	case TUI_QUIT:
		f->front.interrupt(f->front.machine, SIGINT);
		break;
	case TUI_POWER_BUTTON:
		f->front.press_power_button(f->front.machine);
		break;
	case TUI_SCREENSHOT:
		screen_front_take_picture(f);
		break;
	}
}

static void screen_front_terminal_command(void *ctx, enum terminal_command command)
{
	screen_front_tui_command(ctx, command == TERMINAL_QUIT ? TUI_QUIT : TUI_POWER_BUTTON);
}

/* The serial port goes to the log alone. */
static int screen_front_open_tui(struct screen_front *f, struct chardev **ret_console,
				 struct err *err)
{
	const struct tui_config cfg = {
		.source = {.take = pc_take_screen, .ctx = f->front.pc},
		.room = screen_front_room,
		.key = screen_front_key,
		.command = screen_front_tui_command,
		.title = f->cfg->name ? f->cfg->name : "tinyvm",
		.ctx = f,
	};
	int error = 0;
	if (f->cfg->log_path)
		error = logfile_create(ret_console, f->front.loop, f->cfg->log_path, err);
	return error ? error : tui_create(&f->tui, f->front.loop, &cfg, err);
}

static void screen_front_line(void *ctx, const char *line)
{
	struct screen_front *f = ctx;
	f->front.line(f->front.machine, line);
}

static int screen_front_open_terminal(struct screen_front *f, struct chardev **ret_console,
				      struct err *err)
{
	const struct terminal_config cfg = {
		.log_path = f->cfg->log_path,
		.command = screen_front_terminal_command,
		.line = screen_front_line,
		.ctx = f,
	};
	return terminal_create(ret_console, f->front.loop, &cfg, err);
}

/* What is done in the user's place */

static void screen_front_heard(void *ctx, const uint8_t *buf, size_t len)
{
	struct screen_front *f = ctx;
	script_hear(f->script, buf, len);
}

static bool screen_front_put_keys(struct screen_front *f, const struct key *key, unsigned count)
{
	if (keys_room(&f->keys) < count)
		return false;
	for (unsigned i = 0; i < count; i++)
		keys_put(&f->keys, key[i].code, key[i].is_down);
	return true;
}

/* Where the serial port has the terminal, it is typed to; else the keyboard is. */
static size_t screen_front_type(void *ctx, const char *text, size_t len)
{
	struct screen_front *f = ctx;
	struct key key[KEYMAP_MAX];
	size_t at = 0;
	if (f->cfg->console != CONSOLE_SCREEN)
		return listen_type(&f->listen, text, len);
	while (at < len) {
		uint32_t character;
		size_t size = keymap_decode(text + at, len - at, &character);
		if (!screen_front_put_keys(f, key, keymap_character(character, 0, key)))
			break;
		at += size;
	}
	return at;
}

static bool screen_front_press(void *ctx, const char *name)
{
	struct key key[KEYMAP_MAX];
	return screen_front_put_keys(ctx, key, keymap_name(name, 0, key));
}

static bool screen_front_is_done(void *ctx)
{
	struct screen_front *f = ctx;
	return keys_is_done(&f->keys);
}

static void screen_front_over(void *ctx)
{
	struct screen_front *f = ctx;
	f->front.end(f->front.machine);
}

static void screen_front_take(void *ctx, struct screen *screen)
{
	struct screen_front *f = ctx;
	if (f->last)
		*screen = *f->last;
	else
		pc_take_screen(f->front.pc, screen);
}

static int screen_front_open_script(struct screen_front *f, struct clock clock,
				    struct chardev **console, struct err *err)
{
	const struct config_legacy *legacy = &f->cfg->legacy;
	const struct script_hooks hooks = {
		.take = screen_front_take,
		.type = screen_front_type,
		.key = screen_front_press,
		.is_done = screen_front_is_done,
		.over = screen_front_over,
		.ctx = f,
	};
	if (!legacy->step_count)
		return 0;
	listen_init(&f->listen, *console, screen_front_heard, f);
	*console = &f->listen.cd;
	int error = evloop_timer_create(f->front.loop, &f->script_timer);
	if (error)
		return err_set(err, error, "cannot make a timer: %s", strerror(-error));
	error = script_create(&f->script, legacy->step, legacy->step_count, &hooks, clock,
			      evloop_timer_wire(f->script_timer), err);
	if (error)
		return error;
	evloop_timer_bind(f->script_timer, script_expired, f->script, NULL);
	script_start(f->script);
	return 0;
}

static void screen_front_stopped(struct front *front)
{
	struct screen_front *f = (struct screen_front *)front;
	if (!f->script)
		return;
	f->outcome = script_finish(f->script);
	struct screen *last = calloc(1, sizeof(*last));
	if (last)
		pc_take_screen(front->pc, last);
	f->last = last;
}

/*
 * A step that was not done is told of, unless a signal has cut it short; but of a machine that came
 * to a bad end the step is only what saw it first.
 */
static int screen_front_judge(struct front *front, int status)
{
	struct screen_front *f = (struct screen_front *)front;
	if (!f->script)
		return status;
	if (f->outcome != SCRIPT_DONE && status < EXIT_SIGNAL_BASE) {
		script_tell(f->script, stderr);
		if (status == EXIT_GUEST_OFF)
			status = EXIT_STEP_FAILED;
	}
	script_destroy(f->script);
	free(f->last);
	f->script = NULL;
	f->last = NULL;
	return status;
}

static int screen_front_open(struct front *front, struct chardev **ret_console,
			     struct chardev **ret_port, struct err *err)
{
	struct screen_front *f = (struct screen_front *)front;
	const struct clock clock = now_clock();
	const struct keys_sink sink = {
		.is_read = pc_is_keyboard_read,
		.has_room = pc_has_key_room,
		.key = pc_key,
		.ctx = front->pc,
	};
	(void)ret_port;
	int error = last_screen_check(&f->cfg->legacy, err);
	if (error)
		return error;
	error = evloop_timer_create(front->loop, &f->key_timer);
	if (error)
		return err_set(err, error, "cannot make a timer: %s", strerror(-error));
	evloop_timer_bind(f->key_timer, keys_expired, &f->keys, NULL);
	keys_init(&f->keys, clock, evloop_timer_wire(f->key_timer));
	keys_plug(&f->keys, sink);
	error = f->cfg->console == CONSOLE_SCREEN ? screen_front_open_tui(f, ret_console, err)
						  : screen_front_open_terminal(f, ret_console, err);
	return error ? error : screen_front_open_script(f, clock, ret_console, err);
}

static void screen_front_close(struct front *front)
{
	struct screen_front *f = (struct screen_front *)front;
	tui_destroy(f->tui);
	evloop_timer_destroy(f->key_timer);
	evloop_timer_destroy(f->script_timer);
	f->tui = NULL;
	f->key_timer = NULL;
	f->script_timer = NULL;
}

static bool screen_front_signalled(struct front *front, int signo)
{
	(void)front, (void)signo;
	return false;
}

void screen_front_init(struct screen_front *f, const struct config *cfg)
{
	static const struct front_ops ops = {
		.open = screen_front_open,
		.close = screen_front_close,
		.signalled = screen_front_signalled,
		.stopped = screen_front_stopped,
		.judge = screen_front_judge,
	};
	*f = (struct screen_front){.front = {.ops = &ops}, .cfg = cfg};
}
