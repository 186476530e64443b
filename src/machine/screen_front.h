/*
 * The PC's front: its screen and keyboard in the terminal, or its serial port; and what is done in
 * the user's place, there and with other machines.
 */
#ifndef SCREEN_FRONT_H
#define SCREEN_FRONT_H

#include "front.h"
#include "keys.h"
#include "listen.h"
#include "script.h"

struct chardev;
struct evloop_timer;
struct tui;

/**
 * struct screen_front - the front
 * @tui:  NULL where the serial port has the terminal
 * @keys: from whoever types to the guest's keyboard
 * @pictures: taken with Ctrl-A s
 * @last: the screen as it was when the board went, for what is to be said of a step that failed
 * @listen: on the serial port, and @script: what is done in the user's place; NULL for nothing
 */
struct screen_front {
	struct front front;
	const struct config *cfg;
	struct tui *tui;
	struct keys keys;
	struct evloop_timer *key_timer;
	unsigned pictures;
	struct listen listen;
	struct script *script;
	struct evloop_timer *script_timer;
	enum script_state outcome;
	struct screen *last;
};

void screen_front_init(struct screen_front *f, const struct config *cfg);

#endif
