/* What a PC's keyboard sends for what somebody types. */
#ifndef TINYVM_KEYMAP_H
#define TINYVM_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct key - a key goes down or up
 * @code: its make code of scan code set 1, 0xe0 in the high byte when it is an extended one
 */
struct key {
	uint16_t code;
	bool is_down;
};

#define KEYMAP_MAX 10

enum keymap_modifier {
	KEYMAP_SHIFT = 1 << 0,
	KEYMAP_CTRL = 1 << 1,
	KEYMAP_ALT = 1 << 2,
};

/**
 * keymap_character() - the keys that type a Unicode character on a US keyboard
 * @modifiers: of enum keymap_modifier, held besides
 * @ret: downs, then ups in the reverse order
 *
 * Control characters are typed with Ctrl, but for backspace (0x08 or 0x7f), tab, enter ('\n' or
 * '\r') and escape, which have keys. What else code page 437 has is typed as its code with Alt and
 * the numeric keypad.
 * Return: how many; 0 when there are none.
 */
unsigned keymap_character(uint32_t character, unsigned modifiers, struct key ret[KEYMAP_MAX]);

/**
 * keymap_name() - the keys of a name
 * @name: "f8", "ctrl-alt-del", "alt-f4", "shift-tab", "esc", "up", "a", "ctrl-c"; in any case, but
 *        for a single character's own
 *
 * Return: as keymap_character().
 */
unsigned keymap_name(const char *name, unsigned modifiers, struct key ret[KEYMAP_MAX]);

/**
 * keymap_decode() - the next character of a UTF-8 text
 * @len: bytes at @text
 *
 * Return: how many bytes it has; 0 when more are needed to tell. A byte that begins no character
 * is one by itself, U+FFFD.
 */
size_t keymap_decode(const char *text, size_t len, uint32_t *ret_character);

#endif
