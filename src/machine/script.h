/* What is done in place of a user: --expect-screen, --expect, --type, --key, in their order. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <tinyvm/config_legacy.h>
#include <tinyvm/device.h>
#include <tinyvm/screen.h>

struct err;
struct script;

/**
 * struct script_hooks - the machine that it is done to
 * @take: its screen; the kind SCREEN_BLANK when it has none
 * @type: take up to @len bytes of @text, whole characters, for what types. Return: how many
 * @key:  take a key's name. Return: false when there is no room now
 * @is_done: has the guest got all that was taken?
 * @over: the steps are done, and the last one waited for something: there is nothing more to do;
 *        or one has failed. Not called when the last step typed
 *
 * All are called on the event loop's thread, no lock held.
 */
struct script_hooks {
	void (*take)(void *ctx, struct screen *screen);
	size_t (*type)(void *ctx, const char *text, size_t len);
	bool (*key)(void *ctx, const char *name);
	bool (*is_done)(void *ctx);
	void (*over)(void *ctx);
	void *ctx;
};

enum script_state {
	SCRIPT_RUNNING,
	SCRIPT_DONE,
	SCRIPT_FAILED,
};

/**
 * script_create() - prepare @count steps
 * @step:  as config_parse() has checked them; lives as long
 * @timer: calls script_expired()
 *
 * The first step's time begins with script_start(). Return: 0; -errno with a sentence.
 */
int script_create(struct script **ret_script, const struct config_step *step, unsigned count,
		  const struct script_hooks *hooks, struct clock clock, struct timer timer,
		  struct err *err) __attribute__((warn_unused_result));
void script_destroy(struct script *script);

void script_start(struct script *script);
void script_expired(void *script);

/* The guest's serial port, or console, has sent @buf. Context: any thread. */
void script_hear(struct script *script, const uint8_t *buf, size_t len);

/* The machine has ended by itself: what does a last look say of the steps that are left? */
enum script_state script_finish(struct script *script);

/*
 * Of a failed one: the step, what it waited for, and the screen or what was heard. More than one
 * line.
 */
void script_tell(struct script *script, FILE *out);

#endif
