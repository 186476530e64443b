/*
 * A terminal's bytes as keys: characters in UTF-8, the sequences that terminfo has for the
 * terminal, and the forms that the terminals of today share (ECMA-48 control sequences as in "XTerm
 * Control Sequences", with modifiers as parameters; also rxvt's and the Linux console's). ESC right
 * before something else is Alt, alone it is the key. Left out: mouse reports and pastes in
 * brackets, which are not asked for; sequences that mean no key are dropped.
 */
#include "tui_input.h"

#include <string.h>
#include <tinyvm/keymap.h>

#define ESC 0x1b

static const struct {
	const char *capability;
	const char *name;
	unsigned modifiers;
} tui_capabilities[] = {
	{"kf1", "f1", 0},
	{"kf2", "f2", 0},
	{"kf3", "f3", 0},
	{"kf4", "f4", 0},
	{"kf5", "f5", 0},
	{"kf6", "f6", 0},
	{"kf7", "f7", 0},
	{"kf8", "f8", 0},
	{"kf9", "f9", 0},
	{"kf10", "f10", 0},
	{"kf11", "f11", 0},
	{"kf12", "f12", 0},
	{"kf13", "f1", KEYMAP_SHIFT},
	{"kf14", "f2", KEYMAP_SHIFT},
	{"kf15", "f3", KEYMAP_SHIFT},
	{"kf16", "f4", KEYMAP_SHIFT},
	{"kf17", "f5", KEYMAP_SHIFT},
	{"kf18", "f6", KEYMAP_SHIFT},
	{"kf19", "f7", KEYMAP_SHIFT},
	{"kf20", "f8", KEYMAP_SHIFT},
	{"kcuu1", "up", 0},
	{"kcud1", "down", 0},
	{"kcub1", "left", 0},
	{"kcuf1", "right", 0},
	{"kLFT", "left", KEYMAP_SHIFT},
	{"kRIT", "right", KEYMAP_SHIFT},
	{"khome", "home", 0},
	{"kend", "end", 0},
	{"kpp", "pgup", 0},
	{"knp", "pgdn", 0},
	{"kich1", "ins", 0},
	{"kdch1", "del", 0},
	{"kcbt", "tab", KEYMAP_SHIFT},
	{"kent", "kpenter", 0},
	{"kb2", "kp5", 0},
};

/* The last byte of a control sequence, or what follows SS3. */
static const struct {
	char final;
	const char *name;
} tui_finals[] = {
	{'A', "up"},   {'B', "down"}, {'C', "right"}, {'D', "left"}, {'E', "kp5"}, {'F', "end"},
	{'H', "home"}, {'P', "f1"},   {'Q', "f2"},    {'R', "f3"},   {'S', "f4"},  {'M', "kpenter"},
	{'j', "kp*"},  {'k', "kp+"},  {'m', "kp-"},   {'n', "kp."},  {'o', "kp/"}, {'p', "kp0"},
	{'q', "kp1"},  {'r', "kp2"},  {'s', "kp3"},   {'t', "kp4"},  {'u', "kp5"}, {'v', "kp6"},
	{'w', "kp7"},  {'x', "kp8"},  {'y', "kp9"},
};

/* The number before a ~. */
static const struct {
	uint8_t number;
	const char *name;
	unsigned modifiers;
} tui_numbers[] = {
	{1, "home", 0},
	{2, "ins", 0},
	{3, "del", 0},
	{4, "end", 0},
	{5, "pgup", 0},
	{6, "pgdn", 0},
	{7, "home", 0},
	{8, "end", 0},
	{11, "f1", 0},
	{12, "f2", 0},
	{13, "f3", 0},
	{14, "f4", 0},
	{15, "f5", 0},
	{17, "f6", 0},
	{18, "f7", 0},
	{19, "f8", 0},
	{20, "f9", 0},
	{21, "f10", 0},
	{23, "f11", 0},
	{24, "f12", 0},
	{25, "f1", KEYMAP_SHIFT},
	{26, "f2", KEYMAP_SHIFT},
	{28, "f3", KEYMAP_SHIFT},
	{29, "f4", KEYMAP_SHIFT},
	{31, "f5", KEYMAP_SHIFT},
	{32, "f6", KEYMAP_SHIFT},
	{33, "f7", KEYMAP_SHIFT},
	{34, "f8", KEYMAP_SHIFT},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* How a look at the front of the pending bytes ended. */
enum tui_found {
	FOUND_STROKE,
	FOUND_NOTHING, /* bytes that mean no key */
	FOUND_PART,    /* of something longer, perhaps */
	FOUND_OTHER,   /* nothing of this kind */
};

void tui_input_init(struct tui_input *in, const char *(*capability)(const char *name))
{
	memset(in, 0, sizeof(*in));
	for (size_t i = 0; i < COUNT(tui_capabilities) && in->sequence_count < TUI_SEQUENCES; i++) {
		const char *bytes = capability(tui_capabilities[i].capability);
		/* A key that sends a character is known by the character. */
		size_t len = bytes ? strlen(bytes) : 0;
		if (len < 2 || bytes[0] != ESC || len > TUI_SEQUENCE_MAX)
			continue;
		unsigned n = in->sequence_count++;
		memcpy(in->sequence[n].bytes, bytes, len + 1);
		in->sequence[n].name = tui_capabilities[i].name;
		in->sequence[n].modifiers = tui_capabilities[i].modifiers;
	}
}

size_t tui_input_put(struct tui_input *in, const uint8_t *buf, size_t len)
{
	if (len > TUI_PENDING_MAX - in->pending_len)
		len = TUI_PENDING_MAX - in->pending_len;
	memcpy(in->pending + in->pending_len, buf, len);
	in->pending_len += len;
	return len;
}

static enum tui_found tui_stroke_name(const char *name, unsigned modifiers,
				      struct tui_stroke *ret_stroke)
{
	*ret_stroke = (struct tui_stroke){.name = name, .modifiers = modifiers};
	return FOUND_STROKE;
}

/* Is one of the terminal's own sequences at @p? */
static enum tui_found tui_find_own(const struct tui_input *in, const uint8_t *p, size_t len,
				   struct tui_stroke *ret_stroke, size_t *ret_used)
{
	bool is_part = false;
	*ret_used = 0;
	for (unsigned i = 0; i < in->sequence_count; i++) {
		size_t size = strlen(in->sequence[i].bytes);
		if (size > len)
			is_part = is_part || memcmp(in->sequence[i].bytes, p, len) == 0;
		else if (size > *ret_used && memcmp(in->sequence[i].bytes, p, size) == 0) {
			tui_stroke_name(in->sequence[i].name, in->sequence[i].modifiers,
					ret_stroke);
			*ret_used = size;
		}
	}
	if (*ret_used)
		return FOUND_STROKE;
	return is_part ? FOUND_PART : FOUND_OTHER;
}

/* xterm's: one more than the sum of shift 1, alt 2, ctrl 4. */
static unsigned tui_modifiers(unsigned parameter)
{
	unsigned bits = parameter ? parameter - 1 : 0;
	return (bits & 1 ? KEYMAP_SHIFT : 0) | (bits & 2 ? KEYMAP_ALT : 0) |
	       (bits & 4 ? KEYMAP_CTRL : 0);
}

static enum tui_found tui_stroke_character(unsigned character, unsigned modifiers,
					   struct tui_stroke *ret_stroke)
{
	*ret_stroke = (struct tui_stroke){.character = character, .modifiers = modifiers};
	return FOUND_STROKE;
}

/* A whole control sequence: its first three parameters, and its last byte. */
static enum tui_found tui_interpret(const unsigned parameter[3], char final,
				    struct tui_stroke *ret_stroke)
{
	unsigned modifiers = tui_modifiers(parameter[1]);
	if (final == 'u')
		return tui_stroke_character(parameter[0], modifiers, ret_stroke);
	if (final == '~' && parameter[0] == 27)
		return tui_stroke_character(parameter[2], modifiers, ret_stroke);
	if (final == 'Z')
		return tui_stroke_name("tab", modifiers | KEYMAP_SHIFT, ret_stroke);
	if (final == '^' || final == '@')
		modifiers |= KEYMAP_CTRL;
	if (final == '$' || final == '@')
		modifiers |= KEYMAP_SHIFT;
	if (final == '~' || final == '^' || final == '$' || final == '@') {
		for (size_t i = 0; i < COUNT(tui_numbers); i++)
			if (tui_numbers[i].number == parameter[0])
				return tui_stroke_name(tui_numbers[i].name,
						       modifiers | tui_numbers[i].modifiers,
						       ret_stroke);
		return FOUND_NOTHING;
	}
	/* A report of the cursor's place looks like a key, but for its first number. */
	if (parameter[0] > 1)
		return FOUND_NOTHING;
	if (final >= 'a' && final <= 'd' && !parameter[0])
		return tui_stroke_name(tui_finals[final - 'a'].name, modifiers | KEYMAP_SHIFT,
				       ret_stroke);
	for (size_t i = 0; i < COUNT(tui_finals) && final < 'a'; i++)
		if (tui_finals[i].final == final && final != 'M')
			return tui_stroke_name(tui_finals[i].name, modifiers, ret_stroke);
	return FOUND_NOTHING;
}

/* A control sequence: ESC [ parameters intermediates final. */
static enum tui_found tui_find_csi(const uint8_t *p, size_t len, struct tui_stroke *ret_stroke,
				   size_t *ret_used)
{
	unsigned parameter[3] = {0};
	unsigned n = 0;
	size_t i = 2;

	if (len > 2 && p[2] == '[') { /* the Linux console's F1 to F5 */
		static const char *const names[] = {"f1", "f2", "f3", "f4", "f5"};
		*ret_used = 4;
		if (len < 4)
			return FOUND_PART;
		return p[3] >= 'A' && p[3] <= 'E'
			       ? tui_stroke_name(names[p[3] - 'A'], 0, ret_stroke)
			       : FOUND_NOTHING;
	}
	for (; i < len && p[i] >= 0x20 && p[i] < 0x40 && p[i] != '$'; i++) {
		if (p[i] == ';' && n < 2)
			n++;
		else if (p[i] >= '0' && p[i] <= '9' && parameter[n] < 0x110000)
			parameter[n] = parameter[n] * 10 + (unsigned)(p[i] - '0');
	}
	*ret_used = i + 1;
	if (i == len)
		return FOUND_PART;
	if (p[i] < 0x20 || p[i] > 0x7e) {
		*ret_used = i; /* broken off: what comes now is something new */
		return FOUND_NOTHING;
	}
	if (p[2] >= '<' && p[2] <= '?') /* the terminal says something about itself */
		return FOUND_NOTHING;
	return tui_interpret(parameter, (char)p[i], ret_stroke);
}

/* ESC O and a letter; between them xterm may have a digit for modifiers. */
static enum tui_found tui_find_ss3(const uint8_t *p, size_t len, struct tui_stroke *ret_stroke,
				   size_t *ret_used)
{
	size_t at = len > 2 && p[2] >= '1' && p[2] <= '9' ? 3 : 2;
	unsigned modifiers = at == 3 ? tui_modifiers((unsigned)(p[2] - '0')) : 0;

	*ret_used = at + 1;
	if (len <= at)
		return FOUND_PART;
	if (p[at] >= 'a' && p[at] <= 'd') /* rxvt, with Ctrl */
		return tui_stroke_name(tui_finals[p[at] - 'a'].name, KEYMAP_CTRL, ret_stroke);
	for (size_t i = 0; i < COUNT(tui_finals); i++)
		if (tui_finals[i].final == (char)p[at])
			return tui_stroke_name(tui_finals[i].name, modifiers, ret_stroke);
	return FOUND_OTHER;
}

/* @p begins with ESC. FOUND_OTHER: it is the key or Alt. */
static enum tui_found tui_find_sequence(const struct tui_input *in, const uint8_t *p, size_t len,
					struct tui_stroke *ret_stroke, size_t *ret_used)
{
	enum tui_found own = tui_find_own(in, p, len, ret_stroke, ret_used);
	enum tui_found found = FOUND_OTHER;

	if (own == FOUND_STROKE)
		return own;
	if (len < 2)
		return FOUND_PART;
	if (p[1] == '[')
		found = tui_find_csi(p, len, ret_stroke, ret_used);
	else if (p[1] == 'O')
		found = tui_find_ss3(p, len, ret_stroke, ret_used);
	return found == FOUND_OTHER || found == FOUND_NOTHING ? (own == FOUND_PART ? own : found)
							      : found;
}

static enum tui_found tui_find_character(const uint8_t *p, size_t len, bool is_late,
					 struct tui_stroke *ret_stroke, size_t *ret_used)
{
	uint32_t character;

	*ret_used = keymap_decode((const char *)p, len, &character);
	if (!*ret_used && !is_late)
		return FOUND_PART;
	if (!*ret_used || character == 0xfffd) {
		*ret_used = 1;
		return FOUND_NOTHING;
	}
	return tui_stroke_character(character, 0, ret_stroke);
}

/* ESC that begins no sequence: with what follows at once it is Alt. */
static enum tui_found tui_find_alt(const struct tui_input *in, bool is_late,
				   struct tui_stroke *ret_stroke, size_t *ret_used)
{
	const uint8_t *p = in->pending + 1;
	size_t len = in->pending_len - 1;
	enum tui_found found = FOUND_OTHER;

	if (len && p[0] == ESC) {
		found = tui_find_sequence(in, p, len, ret_stroke, ret_used);
		if (found == FOUND_PART && is_late)
			found = FOUND_OTHER;
	} else if (len) {
		found = tui_find_character(p, len, is_late, ret_stroke, ret_used);
	}
	if (found == FOUND_OTHER) { /* the key itself */
		*ret_used = 1;
		return tui_stroke_character(ESC, 0, ret_stroke);
	}
	*ret_used += 1;
	ret_stroke->modifiers |= KEYMAP_ALT;
	return found;
}

bool tui_input_next(struct tui_input *in, bool is_late, struct tui_stroke *ret_stroke)
{
	while (in->pending_len) {
		enum tui_found found = FOUND_OTHER;
		struct tui_stroke stroke = {0};
		size_t used = 0;
		/* A sequence that fills the buffer is none. */
		bool is_over = is_late || in->pending_len == TUI_PENDING_MAX;

		if (in->pending[0] == ESC && !in->is_plain) {
			found = tui_find_sequence(in, in->pending, in->pending_len, &stroke, &used);
			if (found == FOUND_OTHER || (found == FOUND_PART && is_over))
				found = tui_find_alt(in, is_over, &stroke, &used);
		} else {
			found = tui_find_character(in->pending, in->pending_len, is_over, &stroke,
						   &used);
		}
		if (found == FOUND_PART)
			return false;
		in->pending_len -= used;
		memmove(in->pending, in->pending + used, in->pending_len);
		if (found == FOUND_STROKE) {
			*ret_stroke = stroke;
			return true;
		}
	}
	return false;
}

bool tui_input_is_waiting(const struct tui_input *in)
{
	return in->pending_len != 0;
}
