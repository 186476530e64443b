/*
 * The machine's screen and keyboard in the user's terminal, with ncurses.
 */
#ifndef TINYVM_TUI_H
#define TINYVM_TUI_H

#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/screen.h>

struct err;
struct evloop;
struct tui;

enum tui_command {
	TUI_QUIT,
	TUI_POWER_BUTTON,
	TUI_SCREENSHOT,
};

/**
 * struct tui_config - what is drawn, and where keys go
 * @source:  looked at some 30 times a second while anything changes, less often otherwise
 * @key:     a key goes down or up: its make code of scan code set 1, 0xe0 in the high byte when
 *           extended. The receiver queues
 * @command: Ctrl-A and a letter; on the event loop's thread, no lock held
 * @title:   for the status line while Ctrl-A is pending, and for the help
 */
struct tui_config {
	struct screen_source source;
	void (*key)(void *ctx, uint16_t code, bool is_down);
	void (*command)(void *ctx, enum tui_command command);
	const char *title;
	void *ctx;
};

/**
 * tui_create() - take over the terminal
 *
 * The terminal comes back on tui_destroy(), on exit() and on every signal that ends the process, as
 * with terminal_create(). Standard input that is no terminal is typed, byte by byte; standard
 * output that is none gets nothing drawn. Return: 0; -errno with a sentence in @err (TERM unknown,
 * terminal too small is no error: it shows a part). Context: before the machine runs, main thread;
 * at most one per process.
 */
int tui_create(struct tui **ret_tui, struct evloop *loop, const struct tui_config *cfg,
	       struct err *err) __attribute__((warn_unused_result));
void tui_destroy(struct tui *tui);

/* A line for the user below the screen, until the next key. */
void tui_notice(struct tui *tui, const char *text);

#endif
