/* The terminal's escape key, Ctrl-A: what is for the guest and what is for the VMM. */
#ifndef CHARDEV_ESCAPE_H
#define CHARDEV_ESCAPE_H

#include <stdbool.h>
#include <stdint.h>

#define ESCAPE_KEY 0x01 /* Ctrl-A */

enum escape_action {
	ESCAPE_BYTE, /* the byte is the guest's */
	ESCAPE_NONE, /* the escape key: wait for what follows */
	ESCAPE_QUIT,
	ESCAPE_POWER_BUTTON,
	ESCAPE_HELP,
	ESCAPE_UNKNOWN,
};

/**
 * escape_feed() - one byte that the user typed
 * @is_escaped: the parser's state, false at first: the byte before was the escape key
 *
 * A literal Ctrl-A comes back as ESCAPE_BYTE for the second Ctrl-A or the `a`: the caller passes
 * on ESCAPE_KEY when @ret_byte says so.
 */
enum escape_action escape_feed(bool *is_escaped, uint8_t byte, uint8_t *ret_byte);

#endif
