/* What the guest's screen showed in the end. */
#ifndef LAST_SCREEN_H
#define LAST_SCREEN_H

#include <stdbool.h>

struct config_legacy;
struct err;
struct screen;

/* Is the last screen asked for at all (--screen-text, --screenshot)? */
bool last_screen_is_wanted(const struct config_legacy *legacy);

/*
 * last_screen_check(): can they be written, as far as that can be known before?
 * last_screen_write(): each as far as it goes.
 *
 * Return: 0; -errno with a sentence that names the option and the file, of the first that cannot.
 */
int last_screen_check(const struct config_legacy *legacy, struct err *err)
	__attribute__((warn_unused_result));
int last_screen_write(const struct config_legacy *legacy, const struct screen *screen,
		      struct err *err) __attribute__((warn_unused_result));

/* The same for a picture alone, at any time. */
int last_screen_write_picture(const char *path, const struct screen *screen, struct err *err)
	__attribute__((warn_unused_result));

#endif
