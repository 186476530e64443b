/* What a terminal sends for keys, as keys (private to src/chardev). */
#ifndef TUI_INPUT_H
#define TUI_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TUI_SEQUENCE_MAX 15
#define TUI_SEQUENCES	 64
#define TUI_PENDING_MAX	 64

/**
 * struct tui_stroke - one key that the user struck
 * @name: as keymap_name() has it, NULL for @character
 * @modifiers: of enum keymap_modifier
 */
struct tui_stroke {
	const char *name;
	uint32_t character;
	unsigned modifiers;
};

/**
 * struct tui_input - bytes on their way to strokes
 * @sequence: what the terminal's description has for its keys
 * @is_plain: from a pipe or a file: every byte is a character's, ESC too
 * @pending: bytes that no stroke has been made of yet
 */
struct tui_input {
	struct {
		char bytes[TUI_SEQUENCE_MAX + 1];
		const char *name;
		unsigned modifiers;
	} sequence[TUI_SEQUENCES];
	unsigned sequence_count;
	bool is_plain;
	uint8_t pending[TUI_PENDING_MAX];
	size_t pending_len;
};

/**
 * tui_input_init() - begin, with the sequences of a terminal
 * @capability: the string of a terminfo capability, NULL for one that the terminal has not
 *
 * What xterm, rxvt, tmux, screen and the Linux console send is known without it.
 */
void tui_input_init(struct tui_input *in, const char *(*capability)(const char *name));

/* Take as many of @len bytes as there is room for. */
size_t tui_input_put(struct tui_input *in, const uint8_t *buf, size_t len);

/**
 * tui_input_next() - the next stroke
 * @is_late: nothing has come for a while: an escape sequence that is not whole will not be
 *
 * Return: false when more bytes, or time, are needed.
 */
bool tui_input_next(struct tui_input *in, bool is_late, struct tui_stroke *ret_stroke);

/* Are there bytes that only time will make a stroke of? */
bool tui_input_is_waiting(const struct tui_input *in);

#endif
