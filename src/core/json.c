/*
 * JSON (RFC 8259), strictly: nothing that the grammar does not have, and no strings with a NUL in
 * them. Size, number of values and depth have limits. Left out on purpose: fractions and negative
 * numbers, which are checked but not converted, and a check of UTF-8.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/json.h>

/**
 * struct json - a document
 * @text:   a copy, in which strings lie unescaped
 * @values: @count of @room
 */
struct json {
	char *text;
	struct json_value *values;
	size_t count, room;
};

/* @at: the next byte; the text ends in a NUL, which is nowhere in it otherwise. */
struct parser {
	struct json *json;
	char *at;
};

/* An array or an object that is not at its end yet; @link: where its next value goes. */
struct group {
	struct json_value *value;
	const struct json_value **link;
};

static void json_skip_blanks(struct parser *p)
{
	p->at += strspn(p->at, " \t\r\n");
}

/* Four hexadecimal digits; false for something else. */
static bool json_hex(const char *at, uint32_t *ret)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < 4; i++) {
		char c = at[i];
		uint32_t digit = c >= '0' && c <= '9'	? (uint32_t)(c - '0')
				 : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
				 : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
							: 16;
		if (digit == 16)
			return false;
		value = value << 4 | digit;
	}
	*ret = value;
	return true;
}

static char *json_put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* Behind "\u". */
static bool json_unescape_unicode(struct parser *p, char **out)
{
	uint32_t c, low;
	if (!json_hex(p->at, &c))
		return false;
	p->at += 4;
	if (c >= 0xd800 && c < 0xdc00) { /* the first half of a pair */
		if (p->at[0] != '\\' || p->at[1] != 'u' || !json_hex(p->at + 2, &low) ||
		    low < 0xdc00 || low > 0xdfff)
			return false;
		p->at += 6;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	} else if (c == 0 || (c >= 0xdc00 && c < 0xe000)) {
		return false;
	}
	*out = json_put_utf8(*out, c);
	return true;
}

/* Behind the backslash. What it stands for is never longer than what is written. */
static bool json_unescape(struct parser *p, char **out)
{
	static const char escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	char c = *p->at;
	if (!c)
		return false;
	p->at++;
	if (c == 'u')
		return json_unescape_unicode(p, out);
	const char *found = strchr(escapes, c);
	if (!found)
		return false;
	*(*out)++ = meanings[found - escapes];
	return true;
}

/* At its first quote. */
static int json_parse_string(struct parser *p, const char **ret_text)
{
	if (*p->at != '"')
		return -EINVAL;
	char *out = ++p->at;
	*ret_text = out;
	while (*p->at != '"') {
		char c = *p->at;
		if ((unsigned char)c < 0x20)
			return -EINVAL;
		p->at++;
		if (c != '\\')
			*out++ = c;
		else if (!json_unescape(p, &out))
			return -EINVAL;
	}
	p->at++;
	*out = '\0';
	return 0;
}

static size_t json_digits(const char *at)
{
	return strspn(at, "0123456789");
}

static int json_parse_number(struct parser *p, struct json_value *value)
{
	const char *from = p->at;
	value->type = JSON_NUMBER;
	p->at += *p->at == '-';
	size_t digits = json_digits(p->at);
	if (digits == 0 || (digits > 1 && *p->at == '0'))
		return -EINVAL;
	p->at += digits;
	value->is_natural = *from != '-' && digits < 19;
	if (*p->at == '.') {
		value->is_natural = false;
		digits = json_digits(++p->at);
		if (digits == 0)
			return -EINVAL;
		p->at += digits;
	}
	if (*p->at == 'e' || *p->at == 'E') {
		value->is_natural = false;
		p->at++;
		p->at += *p->at == '+' || *p->at == '-';
		digits = json_digits(p->at);
		if (digits == 0)
			return -EINVAL;
		p->at += digits;
	}
	if (value->is_natural)
		value->number = strtoull(from, NULL, 10);
	return 0;
}

static int json_parse_word(struct parser *p, struct json_value *value)
{
	static const struct {
		const char *text;
		enum json_type type;
		bool is_true;
	} words[] = {
		{"null", JSON_NULL, false}, {"true", JSON_BOOL, true}, {"false", JSON_BOOL, false}};
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = strlen(words[i].text);
		if (strncmp(p->at, words[i].text, len) != 0)
			continue;
		p->at += len;
		value->type = words[i].type;
		value->is_true = words[i].is_true;
		return 0;
	}
	return json_parse_number(p, value);
}

static bool json_is_group(const struct json_value *value)
{
	return value->type == JSON_ARRAY || value->type == JSON_OBJECT;
}

/* A value; of an array or an object only that it is one. */
static int json_parse_value(struct parser *p, const char *key, struct json_value **ret_value)
{
	struct json *json = p->json;
	if (json->count == json->room)
		return -EMSGSIZE;
	struct json_value *value = &json->values[json->count++];
	value->key = key;
	*ret_value = value;
	json_skip_blanks(p);
	if (*p->at == '{' || *p->at == '[') {
		value->type = *p->at++ == '{' ? JSON_OBJECT : JSON_ARRAY;
		return 0;
	}
	if (*p->at == '"') {
		value->type = JSON_STRING;
		return json_parse_string(p, &value->text);
	}
	return json_parse_word(p, value);
}

/* An element of @group, or a member. */
static int json_parse_member(struct parser *p, struct group *group, struct json_value **ret_value)
{
	const char *key = NULL;
	json_skip_blanks(p);
	if (group->value->type == JSON_OBJECT) {
		int rc = json_parse_string(p, &key);
		if (rc)
			return rc;
		json_skip_blanks(p);
		if (*p->at++ != ':')
			return -EINVAL;
	}
	int rc = json_parse_value(p, key, ret_value);
	if (rc)
		return rc;
	*group->link = *ret_value;
	group->link = &(*ret_value)->next;
	group->value->count++;
	return 0;
}

/*
 * Behind a value, or an opening bracket: whether the innermost group goes on. Return: 1 if it does;
 * 0: it is closed; -EINVAL.
 */
static int json_parse_between(struct parser *p, const struct group *group)
{
	char end = group->value->type == JSON_OBJECT ? '}' : ']';
	json_skip_blanks(p);
	if (*p->at == end) {
		p->at++;
		return 0;
	}
	if (!group->value->count)
		return 1;
	return *p->at++ == ',' ? 1 : -EINVAL;
}

static int json_parse_document(struct parser *p)
{
	struct group groups[JSON_DEPTH_MAX];
	unsigned depth = 0;
	struct json_value *value;
	int rc = json_parse_value(p, NULL, &value);
	while (!rc) {
		if (value && json_is_group(value)) {
			if (depth == JSON_DEPTH_MAX)
				return -EMSGSIZE;
			groups[depth++] = (struct group){value, &value->first};
		}
		if (!depth)
			return 0;
		rc = json_parse_between(p, &groups[depth - 1]);
		if (rc < 0)
			return rc;
		value = NULL;
		if (rc)
			rc = json_parse_member(p, &groups[depth - 1], &value);
		else
			depth--;
	}
	return rc;
}

/* A value is the first, or comes right after one of these. */
static size_t json_count_values(const char *text)
{
	size_t count = 1;
	for (; *text && count < JSON_VALUES_MAX; text++)
		count += *text == ',' || *text == ':' || *text == '[';
	return count;
}

int json_parse(struct json **ret_json, const char *text, size_t len)
{
	if (len > JSON_SIZE_MAX)
		return -EMSGSIZE;
	if (memchr(text, '\0', len))
		return -EINVAL;
	struct json *json = calloc(1, sizeof(*json));
	if (!json)
		return -ENOMEM;
	json->text = strndup(text, len);
	json->room = json->text ? json_count_values(json->text) : 0;
	json->values = json->room ? calloc(json->room, sizeof(json->values[0])) : NULL;
	if (!json->values) {
		json_destroy(json);
		return -ENOMEM;
	}
	struct parser p = {.json = json, .at = json->text};
	int rc = json_parse_document(&p);
	if (!rc) {
		json_skip_blanks(&p);
		rc = *p.at ? -EINVAL : 0;
	}
	if (rc) {
		json_destroy(json);
		return rc;
	}
	*ret_json = json;
	return 0;
}

void json_destroy(struct json *json)
{
	if (!json)
		return;
	free(json->text);
	free(json->values);
	free(json);
}

const struct json_value *json_root(const struct json *json)
{
	return json->values;
}

const struct json_value *json_get(const struct json_value *value, const char *key,
				  enum json_type type)
{
	const struct json_value *found = NULL;
	if (!value || value->type != JSON_OBJECT)
		return NULL;
	for (const struct json_value *v = value->first; v; v = v->next)
		if (strcmp(v->key, key) == 0)
			found = v;
	return found && found->type == type ? found : NULL;
}

const char *json_text(const struct json_value *value, const char *key, const char *otherwise)
{
	const struct json_value *v = json_get(value, key, JSON_STRING);
	return v ? v->text : otherwise;
}
