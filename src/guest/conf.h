/* The instructions: strings KEY=VALUE, see <spec/run_protocol.h>. */
#ifndef GUEST_CONF_H
#define GUEST_CONF_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct conf - the file in memory
 * @at, @len: its strings, the last one NUL-terminated like the others
 */
struct conf {
	char *at;
	size_t len;
};

/* Return: 0 or -errno; -EINVAL when it is not one, or of another version. */
long conf_read(struct conf *conf, const char *path);

/**
 * conf_next() - the next value of @key
 * @last: the one before, NULL for the first
 * Return: NULL when there are no more.
 */
const char *conf_next(const struct conf *conf, const char *key, const char *last);

/* The first value of @key, or @otherwise. */
const char *conf_get(const struct conf *conf, const char *key, const char *otherwise);

/* All values of @key, then NULL, in memory of its own. NULL when there is none left. */
char **conf_list(const struct conf *conf, const char *key, size_t *ret_count);

/**
 * conf_fields() - cut a value at its colons
 * @buf:   room for a copy of @value, @max bytes
 * @field: pointers into @buf; the last one takes the rest, colons and all
 * Return: false when there are fewer than @count fields, or no room.
 */
bool conf_fields(const char *value, char *buf, size_t max, const char **field, unsigned count);

#endif
