/*
 * Two-way state: one function per device both saves and loads, so the two can never disagree.
 *
 * The stream is a row of sections {type, id, version, payload, CRC32}; a payload is a row of tagged
 * little-endian fields. A load checks every byte of it; the first failure sticks, and from then on
 * fields keep the values they had.
 */
#ifndef TINYVM_STATE_H
#define TINYVM_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state;

/* Return: 0 or -ENOMEM. A load keeps reading @buf until state_destroy(). */
int state_create_save(struct state **ret_st) __attribute__((warn_unused_result));
int state_create_load(struct state **ret_st, const void *buf, size_t len)
	__attribute__((warn_unused_result));
void state_destroy(struct state *st);

/* What has been saved; valid until the next call on @st. */
const void *state_data(const struct state *st, size_t *ret_len);

bool state_is_loading(const struct state *st);

/**
 * state_error() - the first failure
 *
 * Return: 0, -ENOMEM, -EBADMSG for a damaged stream, -ENOTSUP for a newer version, -EINVAL when a
 * device refused a value. state_error_text() says it in words.
 */
int state_error(const struct state *st);
const char *state_error_text(const struct state *st);

/**
 * state_begin() - open a section
 * state_end() - close it; a load insists that it was read to its last byte
 *
 * A load fails unless the next section is @type/@id, intact, and of a version up to @version.
 * Return (state_begin): the version in the stream, or @version when saving or failed.
 */
uint32_t state_begin(struct state *st, const char *type, const char *id, uint32_t version);
void state_end(struct state *st);

/* Fields: @tag is the specification's register name, at most 31 characters. */
void state_u8(struct state *st, const char *tag, uint8_t *v);
void state_u16(struct state *st, const char *tag, uint16_t *v);
void state_u32(struct state *st, const char *tag, uint32_t *v);
void state_u64(struct state *st, const char *tag, uint64_t *v);
void state_bool(struct state *st, const char *tag, bool *v);
void state_bytes(struct state *st, const char *tag, void *buf, size_t len);

/* A field of varying length: @len is in and out, at most @max. */
void state_blob(struct state *st, const char *tag, void *buf, size_t *len, size_t max);

/**
 * state_fail() - a device refuses what it loaded
 * @why: what is wrong, a string literal
 *
 * Sticks as -EINVAL. Loading code checks `state_error(st)` after it and returns.
 */
void state_fail(struct state *st, const char *why);

#endif
