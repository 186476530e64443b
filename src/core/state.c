/*
 * The state stream.
 *
 * Section: u32 magic, u8 type length, type, u8 id length, id, u32 version, u32 payload length,
 * payload, u32 CRC32 over everything before it in the section. Field: u8 kind, u8 tag length, tag,
 * value; a byte field's value starts with its u32 length.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/state.h>
#include <zlib.h>

#define SECTION_MAGIC 0x54535654u /* "TVST" */
#define TAG_MAX	      31

enum state_kind {
	STATE_U8 = 1,
	STATE_U16,
	STATE_U32,
	STATE_U64,
	STATE_BOOL,
	STATE_BYTES,
};

struct state {
	bool is_loading;
	bool is_in_section;
	int error;
	const char *error_text;
	uint8_t *out; /* saving: what has been written */
	size_t len, room;
	const uint8_t
		*in; /* loading: the stream, @at the next byte, @end of the section's payload */
	size_t in_len, at, end;
	size_t section;	    /* where the open section starts */
	size_t section_len; /* saving: where its payload length goes */
};

int state_create_save(struct state **ret_st)
{
	struct state *st = calloc(1, sizeof(*st));
	if (!st)
		return -ENOMEM;
	*ret_st = st;
	return 0;
}

int state_create_load(struct state **ret_st, const void *buf, size_t len)
{
	struct state *st = calloc(1, sizeof(*st));
	if (!st)
		return -ENOMEM;
	st->is_loading = true;
	st->in = buf;
	st->in_len = len;
	*ret_st = st;
	return 0;
}

void state_destroy(struct state *st)
{
	if (!st)
		return;
	free(st->out);
	free(st);
}

const void *state_data(const struct state *st, size_t *ret_len)
{
	*ret_len = st->len;
	return st->out;
}

bool state_is_loading(const struct state *st)
{
	return st->is_loading;
}

int state_error(const struct state *st)
{
	return st->error;
}

const char *state_error_text(const struct state *st)
{
	return st->error_text ? st->error_text : "no error";
}

static void state_set_error(struct state *st, int error, const char *text)
{
	if (st->error)
		return;
	st->error = error;
	st->error_text = text;
}

void state_fail(struct state *st, const char *why)
{
	state_set_error(st, -EINVAL, why);
}

static void state_put(struct state *st, const void *buf, size_t len)
{
	if (st->error || len == 0)
		return;
	if (len > st->room - st->len) {
		size_t room = (st->len + len) * 2;
		uint8_t *out = realloc(st->out, room);
		if (!out) {
			state_set_error(st, -ENOMEM, "no memory for the saved state");
			return;
		}
		st->out = out;
		st->room = room;
	}
	memcpy(st->out + st->len, buf, len);
	st->len += len;
}

static bool state_get(struct state *st, void *buf, size_t len, size_t end)
{
	if (st->error)
		return false;
	if (len > end - st->at) {
		state_set_error(st, -EBADMSG, "the saved state is cut short");
		return false;
	}
	memcpy(buf, st->in + st->at, len);
	st->at += len;
	return true;
}

static void state_put_name(struct state *st, const char *name)
{
	uint8_t len = (uint8_t)strlen(name);
	state_put(st, &len, 1);
	state_put(st, name, len);
}

/* Reads a counted name and insists on @name. */
static bool state_get_name(struct state *st, const char *name, size_t end)
{
	uint8_t len;
	char found[256];
	if (!state_get(st, &len, 1, end) || !state_get(st, found, len, end))
		return false;
	if (len == strlen(name) && memcmp(found, name, len) == 0)
		return true;
	state_set_error(st, -EBADMSG, "the saved state holds other devices or fields");
	return false;
}

static uint32_t state_begin_load(struct state *st, const char *type, const char *id,
				 uint32_t version)
{
	uint32_t magic, found, payload, crc;
	st->section = st->at;
	if (!state_get(st, &magic, 4, st->in_len))
		return version;
	if (magic != SECTION_MAGIC) {
		state_set_error(st, -EBADMSG, "not a saved state, or a damaged one");
		return version;
	}
	if (!state_get_name(st, type, st->in_len) || !state_get_name(st, id, st->in_len) ||
	    !state_get(st, &found, 4, st->in_len) || !state_get(st, &payload, 4, st->in_len))
		return version;
	if (st->in_len - st->at < 4 || payload > st->in_len - st->at - 4) {
		state_set_error(st, -EBADMSG, "the saved state is cut short");
		return version;
	}
	st->end = st->at + payload;
	memcpy(&crc, st->in + st->end, 4);
	if (crc32_z(0, st->in + st->section, st->end - st->section) != crc) {
		state_set_error(st, -EBADMSG, "the saved state is damaged (checksum)");
		return version;
	}
	if (found > version) {
		state_set_error(st, -ENOTSUP, "the saved state is from a newer tinyvm");
		return version;
	}
	st->is_in_section = true;
	return found;
}

uint32_t state_begin(struct state *st, const char *type, const char *id, uint32_t version)
{
	if (st->error)
		return version;
	if (st->is_loading)
		return state_begin_load(st, type, id, version);

	uint32_t magic = SECTION_MAGIC, payload = 0;
	st->section = st->len;
	state_put(st, &magic, 4);
	state_put_name(st, type);
	state_put_name(st, id);
	state_put(st, &version, 4);
	st->section_len = st->len;
	state_put(st, &payload, 4);
	return version;
}

void state_end(struct state *st)
{
	if (st->error)
		return;
	if (st->is_loading) {
		if (st->at != st->end)
			state_set_error(st, -EBADMSG, "the saved state holds unknown fields");
		st->at = st->end + 4;
		st->is_in_section = false;
		return;
	}
	uint32_t payload = (uint32_t)(st->len - st->section_len - 4);
	memcpy(st->out + st->section_len, &payload, 4);
	uint32_t crc = (uint32_t)crc32_z(0, st->out + st->section, st->len - st->section);
	state_put(st, &crc, 4);
}

static bool state_field_head(struct state *st, enum state_kind kind, const char *tag)
{
	uint8_t k = (uint8_t)kind, found;
	if (!st->is_loading) {
		state_put(st, &k, 1);
		state_put_name(st, tag);
		return !st->error;
	}
	if (!st->error && !st->is_in_section)
		state_set_error(st, -EBADMSG, "a field outside of a section");
	if (!state_get(st, &found, 1, st->end))
		return false;
	if (found != k) {
		state_set_error(st, -EBADMSG, "the saved state holds other devices or fields");
		return false;
	}
	return state_get_name(st, tag, st->end);
}

static void state_scalar(struct state *st, enum state_kind kind, const char *tag, void *v,
			 size_t len)
{
	if (!state_field_head(st, kind, tag))
		return;
	if (st->is_loading)
		state_get(st, v, len, st->end);
	else
		state_put(st, v, len);
}

void state_u8(struct state *st, const char *tag, uint8_t *v)
{
	state_scalar(st, STATE_U8, tag, v, 1);
}

void state_u16(struct state *st, const char *tag, uint16_t *v)
{
	state_scalar(st, STATE_U16, tag, v, 2);
}

void state_u32(struct state *st, const char *tag, uint32_t *v)
{
	state_scalar(st, STATE_U32, tag, v, 4);
}

void state_u64(struct state *st, const char *tag, uint64_t *v)
{
	state_scalar(st, STATE_U64, tag, v, 8);
}

void state_bool(struct state *st, const char *tag, bool *v)
{
	uint8_t byte = *v;
	state_scalar(st, STATE_BOOL, tag, &byte, 1);
	if (!st->is_loading || st->error)
		return;
	if (byte > 1)
		state_set_error(st, -EBADMSG, "the saved state holds a bad truth value");
	else
		*v = byte;
}

void state_bytes(struct state *st, const char *tag, void *buf, size_t len)
{
	size_t found = len;
	if (!st->is_loading) {
		state_blob(st, tag, buf, &found, len);
		return;
	}
	uint32_t stored;
	if (!state_field_head(st, STATE_BYTES, tag) || !state_get(st, &stored, 4, st->end))
		return;
	if (stored != len)
		state_set_error(st, -EBADMSG, "the saved state holds a field of another size");
	else
		state_get(st, buf, len, st->end);
}

void state_blob(struct state *st, const char *tag, void *buf, size_t *len, size_t max)
{
	uint32_t stored = (uint32_t)*len;
	if (!state_field_head(st, STATE_BYTES, tag))
		return;
	if (!st->is_loading) {
		state_put(st, &stored, 4);
		state_put(st, buf, stored);
		return;
	}
	if (!state_get(st, &stored, 4, st->end))
		return;
	if (stored > max)
		state_set_error(st, -EBADMSG, "the saved state holds a field that is too large");
	else if (state_get(st, buf, stored, st->end))
		*len = stored;
}
