/*
 * Characters and names of keys to the scan codes of set 1 (IBM PS/2 Hardware Interface Technical
 * Reference, Keyboards; the US layout). Pause and Print Screen have codes of their own, of which
 * the keyboard makes the sequences that they have.
 */
#include <string.h>
#include <strings.h>
#include <tinyvm/keymap.h>
#include <tinyvm/screen.h>

#define CODE_ESC       0x01
#define CODE_MINUS     0x0c
#define CODE_BACKSPACE 0x0e
#define CODE_TAB       0x0f
#define CODE_ENTER     0x1c
#define CODE_CTRL      0x1d
#define CODE_SHIFT     0x2a
#define CODE_ALT       0x38
#define CODE_6	       0x07
#define CODE_2	       0x03

#define CHORD_MAX (KEYMAP_MAX / 2)

/* Keys that are held together. */
struct chord {
	uint16_t code[CHORD_MAX];
	unsigned count;
};

/* The keys of each row of the US layout, without and with Shift, and the first one's code. */
static const struct {
	const char *plain, *shifted;
	uint8_t first;
} keymap_rows[] = {
	{"1234567890-=", "!@#$%^&*()_+", 0x02},
	{"qwertyuiop[]", "QWERTYUIOP{}", 0x10},
	{"asdfghjkl;'`", "ASDFGHJKL:\"~", 0x1e},
	{"\\zxcvbnm,./", "|ZXCVBNM<>?", 0x2b},
	{" ", " ", 0x39},
};

static const uint8_t keymap_keypad[10] = {
	0x52, 0x4f, 0x50, 0x51, 0x4b, 0x4c, 0x4d, 0x47, 0x48, 0x49,
};

static const struct {
	const char *name;
	uint16_t code;
} keymap_names[] = {
	{"esc", CODE_ESC},	{"escape", CODE_ESC},  {"backspace", CODE_BACKSPACE},
	{"bs", CODE_BACKSPACE}, {"tab", CODE_TAB},     {"enter", CODE_ENTER},
	{"return", CODE_ENTER}, {"ret", CODE_ENTER},   {"ctrl", CODE_CTRL},
	{"control", CODE_CTRL}, {"shift", CODE_SHIFT}, {"alt", CODE_ALT},
	{"space", 0x39},	{"spc", 0x39},	       {"minus", CODE_MINUS},
	{"caps", 0x3a},		{"capslock", 0x3a},    {"numlock", 0x45},
	{"scroll", 0x46},	{"scrolllock", 0x46},  {"sysrq", 0x54},
	{"f1", 0x3b},		{"f2", 0x3c},	       {"f3", 0x3d},
	{"f4", 0x3e},		{"f5", 0x3f},	       {"f6", 0x40},
	{"f7", 0x41},		{"f8", 0x42},	       {"f9", 0x43},
	{"f10", 0x44},		{"f11", 0x57},	       {"f12", 0x58},
	{"home", 0xe047},	{"up", 0xe048},	       {"pgup", 0xe049},
	{"pageup", 0xe049},	{"left", 0xe04b},      {"right", 0xe04d},
	{"end", 0xe04f},	{"down", 0xe050},      {"pgdn", 0xe051},
	{"pagedown", 0xe051},	{"ins", 0xe052},       {"insert", 0xe052},
	{"del", 0xe053},	{"delete", 0xe053},    {"print", 0xe037},
	{"break", 0xe046},	{"win", 0xe05b},       {"menu", 0xe05d},
	{"altgr", 0xe038},	{"rctrl", 0xe01d},     {"rshift", 0x36},
	{"kp0", 0x52},		{"kp1", 0x4f},	       {"kp2", 0x50},
	{"kp3", 0x51},		{"kp4", 0x4b},	       {"kp5", 0x4c},
	{"kp6", 0x4d},		{"kp7", 0x47},	       {"kp8", 0x48},
	{"kp9", 0x49},		{"kp.", 0x53},	       {"kp+", 0x4e},
	{"kp-", 0x4a},		{"kp*", 0x37},	       {"kp/", 0xe035},
	{"kpenter", 0xe01c},
};

#define KEYMAP_NAMES (sizeof(keymap_names) / sizeof(keymap_names[0]))

static void chord_add(struct chord *chord, uint16_t code)
{
	for (unsigned i = 0; i < chord->count; i++)
		if (chord->code[i] == code)
			return;
	if (chord->count < CHORD_MAX)
		chord->code[chord->count++] = code;
}

static struct chord chord_begin(unsigned modifiers)
{
	struct chord chord = {.count = 0};

	if (modifiers & KEYMAP_CTRL)
		chord_add(&chord, CODE_CTRL);
	if (modifiers & KEYMAP_ALT)
		chord_add(&chord, CODE_ALT);
	if (modifiers & KEYMAP_SHIFT)
		chord_add(&chord, CODE_SHIFT);
	return chord;
}

static unsigned chord_keys(const struct chord *chord, struct key ret[KEYMAP_MAX])
{
	unsigned n = chord->count;

	for (unsigned i = 0; i < n; i++) {
		ret[i] = (struct key){chord->code[i], true};
		ret[2 * n - 1 - i] = (struct key){chord->code[i], false};
	}
	return 2 * n;
}

/* Keys with a character on them. Return: false when @character is on none. */
static bool chord_add_printable(struct chord *chord, uint32_t character)
{
	for (size_t i = 0; i < sizeof(keymap_rows) / sizeof(keymap_rows[0]); i++) {
		const char *plain = strchr(keymap_rows[i].plain, (int)character);
		const char *shifted = strchr(keymap_rows[i].shifted, (int)character);
		if (!plain && !shifted)
			continue;
		if (!plain)
			chord_add(chord, CODE_SHIFT);
		chord_add(chord, (uint16_t)(keymap_rows[i].first +
					    (plain ? plain - keymap_rows[i].plain
						   : shifted - keymap_rows[i].shifted)));
		return true;
	}
	return false;
}

/* What ASCII has below a blank, and DEL. */
static void chord_add_control(struct chord *chord, uint32_t character)
{
	static const uint8_t keys[32] = {
		[0x08] = CODE_BACKSPACE, [0x09] = CODE_TAB, [0x0a] = CODE_ENTER,
		[0x0d] = CODE_ENTER,	 [0x1b] = CODE_ESC,
	};
	uint8_t key = character == 0x7f ? CODE_BACKSPACE : keys[character];

	if (key) {
		chord_add(chord, key);
		return;
	}
	chord_add(chord, CODE_CTRL);
	if (character == 0)
		chord_add(chord, CODE_2);
	else if (character == 0x1e)
		chord_add(chord, CODE_6);
	else if (character == 0x1f)
		chord_add(chord, CODE_MINUS);
	else if (character < 0x1b)
		chord_add_printable(chord, 'a' + character - 1);
	else
		chord_add_printable(chord, '@' + character);
}

/* Alt, and a code's digits on the keypad: the BIOS's way for what is on no key. */
static unsigned keymap_alt_code(uint32_t character, struct key ret[KEYMAP_MAX])
{
	unsigned code = 0x80;
	unsigned n = 0;

	while (code < 0x100 && (screen_unicode((uint8_t)code) != character || character == ' '))
		code++;
	if (code == 0x100)
		return 0;
	ret[n++] = (struct key){CODE_ALT, true};
	for (unsigned unit = 100; unit; unit /= 10) {
		uint8_t key = keymap_keypad[code / unit % 10];
		ret[n++] = (struct key){key, true};
		ret[n++] = (struct key){key, false};
	}
	ret[n++] = (struct key){CODE_ALT, false};
	return n;
}

unsigned keymap_character(uint32_t character, unsigned modifiers, struct key ret[KEYMAP_MAX])
{
	struct chord chord = chord_begin(modifiers);

	if (character < 0x20 || character == 0x7f)
		chord_add_control(&chord, character);
	else if (character >= 0x80)
		return keymap_alt_code(character, ret);
	else
		chord_add_printable(&chord, character);
	return chord_keys(&chord, ret);
}

static uint16_t keymap_find(const char *name, size_t len)
{
	for (size_t i = 0; i < KEYMAP_NAMES; i++)
		if (strncasecmp(keymap_names[i].name, name, len) == 0 && !keymap_names[i].name[len])
			return keymap_names[i].code;
	return 0;
}

unsigned keymap_name(const char *name, unsigned modifiers, struct key ret[KEYMAP_MAX])
{
	struct chord chord = chord_begin(modifiers);

	for (;;) {
		/* A dash in the last place is the key of that name. */
		size_t len = strcspn(name, "-");
		bool is_last = !name[len] || len == 0 || !name[len + 1];
		if (is_last)
			len = strlen(name);
		uint16_t code = keymap_find(name, len);
		if (!is_last && !code)
			return 0;
		if (!is_last && chord.count + 2 > CHORD_MAX)
			return 0;
		if (code)
			chord_add(&chord, code);
		if (is_last && code)
			return chord_keys(&chord, ret);
		if (is_last)
			break;
		name += len + 1;
	}
	if (name[0] <= ' ' || name[0] == 0x7f || name[1] || chord.count + 2 > CHORD_MAX ||
	    !chord_add_printable(&chord, (uint32_t)name[0]))
		return 0;
	return chord_keys(&chord, ret);
}

size_t keymap_decode(const char *text, size_t len, uint32_t *ret_character)
{
	static const uint32_t lowest[5] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t lead = len ? (uint8_t)text[0] : 0;
	size_t size = lead < 0x80	      ? 1
		      : (lead & 0xe0) == 0xc0 ? 2
		      : (lead & 0xf0) == 0xe0 ? 3
		      : (lead & 0xf8) == 0xf0 ? 4
					      : 0;
	uint32_t character = size < 2 ? lead : lead & (0xffu >> (size + 1));

	if (!len)
		return 0;
	*ret_character = 0xfffd;
	for (size_t i = 1; i < size; i++) {
		if (i == len)
			return 0;
		if (((uint8_t)text[i] & 0xc0) != 0x80)
			return 1;
		character = character << 6 | ((uint8_t)text[i] & 0x3f);
	}
	if (!size || character < lowest[size] || character > 0x10ffff)
		return 1;
	*ret_character = character;
	return size;
}
