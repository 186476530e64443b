/* The PC's front: its screen and keyboard in the terminal, or its serial port. */
#ifndef SCREEN_FRONT_H
#define SCREEN_FRONT_H

#include "front.h"
#include "keys.h"

struct chardev;
struct evloop_timer;
struct tui;

/**
 * struct screen_front - the front
 * @tui:  NULL where the serial port has the terminal
 * @keys: from whoever types to the guest's keyboard
 */
struct screen_front {
	struct front front;
	const struct config *cfg;
	struct tui *tui;
	struct keys keys;
	struct evloop_timer *key_timer;
	unsigned pictures;
};

void screen_front_init(struct screen_front *f, const struct config *cfg);

#endif
