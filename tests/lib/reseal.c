/* See src/core/state.c for the format of a section. */
#include "reseal.h"

#include <string.h>
#include <zlib.h>

/* Skips a counted name at @at; past the end when there is none. */
static size_t reseal_name(const uint8_t *stream, size_t len, size_t at)
{
	return at < len ? at + 1 + stream[at] : len + 1;
}

void reseal(uint8_t *stream, size_t len)
{
	size_t at = 0;
	for (;;) {
		uint32_t payload;
		size_t p = reseal_name(stream, len, reseal_name(stream, len, at + 4)) + 4;
		if (p > len || len - p < 8)
			return;
		memcpy(&payload, stream + p, 4);
		p += 4;
		if (payload > len - p - 4)
			return;
		uint32_t crc = (uint32_t)crc32_z(0, stream + at, p + payload - at);
		memcpy(stream + p + payload, &crc, 4);
		at = p + payload + 4;
	}
}
