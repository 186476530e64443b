/* Small JSON documents, such as describe a container image or a run. */
#ifndef TINYVM_JSON_H
#define TINYVM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_SIZE_MAX	(4 << 20) /* what registries take for a manifest */
#define JSON_VALUES_MAX 65536
#define JSON_DEPTH_MAX	32

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

/**
 * struct json_value - a value of a document
 * @is_true:   of a JSON_BOOL
 * @is_natural: a JSON_NUMBER is @number, which has no sign and at most 18 digits
 * @key:   in an object, else NULL
 * @text:  of a JSON_STRING, without NULs inside
 * @first: element of an array or a member of an object, NULL for none
 * @next:  after this one
 * @count: of them
 */
struct json_value {
	enum json_type type;
	bool is_true;
	bool is_natural;
	uint64_t number;
	const char *key;
	const char *text;
	const struct json_value *first;
	const struct json_value *next;
	unsigned count;
};

struct json;

/**
 * json_parse() - parse a document
 * @text: @len bytes, copied
 *
 * Return: 0; -EINVAL: it is no JSON; -EMSGSIZE: it is larger or deeper than the limits; -ENOMEM.
 */
int json_parse(struct json **ret_json, const char *text, size_t len)
	__attribute__((warn_unused_result));
void json_destroy(struct json *json);

const struct json_value *json_root(const struct json *json);

/*
 * What an object has under @key: the last one of that name, as elsewhere in the world of
 * containers. NULL for none, for a @value that is NULL, no object, or for one of another type than
 * that asked for. The getters of strings give "" or @otherwise then.
 */
const struct json_value *json_get(const struct json_value *value, const char *key,
				  enum json_type type);
const char *json_text(const struct json_value *value, const char *key, const char *otherwise);

#endif
