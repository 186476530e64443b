/* Ctrl-A and the letter that follows it. */
#include "escape.h"

enum escape_action escape_feed(bool *is_escaped, uint8_t byte, uint8_t *ret_byte)
{
	if (!*is_escaped) {
		*ret_byte = byte;
		*is_escaped = byte == ESCAPE_KEY;
		return *is_escaped ? ESCAPE_NONE : ESCAPE_BYTE;
	}
	*is_escaped = false;
	switch (byte) {
	case ESCAPE_KEY:
	case 'a':
		*ret_byte = ESCAPE_KEY;
		return ESCAPE_BYTE;
	case 'x':
		return ESCAPE_QUIT;
	case 'c':
		return ESCAPE_POWER_BUTTON;
	case 'h':
	case '?':
		return ESCAPE_HELP;
	default:
		return ESCAPE_UNKNOWN;
	}
}
