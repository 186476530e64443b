/*
 * The machine's screen and keyboard in the user's terminal, with ncurses.
 */
#ifndef TINYVM_TUI_H
#define TINYVM_TUI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tinyvm/screen.h>

struct err;
struct evloop;
struct tui;

enum tui_command {
	TUI_QUIT,	  /* Ctrl-A x */
	TUI_POWER_BUTTON, /* Ctrl-A c */
	TUI_SCREENSHOT,	  /* Ctrl-A s */
};

/**
 * struct tui_config - what is drawn, and where keys go
 * @source:  looked at some 30 times a second while anything changes, less often otherwise
 * @room:    how many keys key() would take now: while there is no room, what is typed waits. Where
 *           a person types and there is none for seconds, it is dropped, as a keyboard would
 * @key:     a key goes down or up, as in struct key (keymap.h). The receiver queues
 * @command: Ctrl-A and a letter
 * @title:   shown while Ctrl-A is pending; lives as long
 *
 * All are called on the event loop's thread, no lock held.
 */
struct tui_config {
	struct screen_source source;
	size_t (*room)(void *ctx);
	void (*key)(void *ctx, uint16_t code, bool is_down);
	void (*command)(void *ctx, enum tui_command command);
	const char *title;
	void *ctx;
};

/**
 * tui_create() - take over the terminal
 *
 * The terminal comes back on tui_destroy(), on exit() and on every signal that ends the process, as
 * with terminal_create(). Standard input that is no terminal is typed, character by character;
 * standard output that is none gets nothing drawn. Return: 0; -errno with a sentence in @err (TERM
 * unknown; terminal too small is no error: it shows a part). Context: before the machine runs, main
 * thread; at most one per process, and not beside terminal_create().
 */
int tui_create(struct tui **ret_tui, struct evloop *loop, const struct tui_config *cfg,
	       struct err *err) __attribute__((warn_unused_result));

/* Context: the loop does not run. NULL is fine. */
void tui_destroy(struct tui *tui);

/* A line for the user at the foot of the terminal, until the next key. Context: the loop's thread.
 */
void tui_notice(struct tui *tui, const char *text);

#endif
