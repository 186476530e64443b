/*
 * LZ4 decompression: the block format (lz4_Block_format.md, 1.6.3) in the legacy frame
 * (lz4_Frame_format.md): a magic number, then blocks, each after its packed size and of at most
 * 8 MiB unpacked, independent of each other.
 *
 * Built in, unlike the other formats' tools, because Debian's cloud kernels need it, Debian does
 * not install lz4, and it is this small. The frame has no checksum: a damaged payload that still
 * decodes shows in the ELF header at best, as it would in the guest.
 */
#include "lz4.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define FRAME_MAGIC 0x184c2102
#define BLOCK_MAX   (8 << 20)
#define MATCH_MIN   4
#define LEN_MORE    15 /* a nibble of it: the length goes on in the next bytes */
#define WIDE	    16

static uint32_t le32_at(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Return: whether the input held all of the length, and it is no more than a block can hold. */
static bool lz4_read_len(const uint8_t **in, const uint8_t *end, size_t *len)
{
	uint8_t more;
	if (*len != LEN_MORE)
		return true;
	do {
		if (*in == end || *len > BLOCK_MAX)
			return false;
		more = *(*in)++;
		*len += more;
	} while (more == 255);
	return true;
}

/* A match may overlap its own copy; @room bytes behind @out may be scribbled on. */
static void lz4_copy_match(uint8_t *out, size_t offset, size_t len, size_t room)
{
	const uint8_t *from = out - offset;
	if (offset >= WIDE && room >= len + WIDE) {
		for (size_t i = 0; i < len; i += WIDE)
			memcpy(out + i, from + i, WIDE);
		return;
	}
	if (offset >= len) {
		memcpy(out, from, len);
		return;
	}
	for (size_t i = 0; i < len; i++)
		out[i] = from[i];
}

/* One block. Return: bytes unpacked, 0 for a damaged one. */
static size_t lz4_unpack_block(const uint8_t *in, size_t len, uint8_t *out, size_t size)
{
	const uint8_t *in_end = in + len;
	size_t done = 0;
	while (in < in_end) {
		uint8_t token = *in++;
		size_t literals = token >> 4, match = token & 15;
		if (!lz4_read_len(&in, in_end, &literals) || literals > (size_t)(in_end - in) ||
		    literals > size - done)
			return 0;
		if (literals <= WIDE && in_end - in >= WIDE && size - done >= WIDE)
			memcpy(out + done, in, WIDE);
		else
			memcpy(out + done, in, literals);
		in += literals;
		done += literals;
		if (in == in_end) /* a block ends in literals */
			return match == 0 ? done : 0;

		if (in_end - in < 2)
			return 0;
		size_t offset = in[0] | (size_t)in[1] << 8;
		in += 2;
		if (!lz4_read_len(&in, in_end, &match))
			return 0;
		match += MATCH_MIN;
		if (offset == 0 || offset > done || match > size - done)
			return 0;
		lz4_copy_match(out + done, offset, match, size - done);
		done += match;
	}
	return 0;
}

int lz4_unpack_legacy(const uint8_t *in, size_t len, uint8_t *out, size_t size)
{
	size_t done = 0;
	if (len < 4 || le32_at(in) != FRAME_MAGIC)
		return -EBADMSG;
	in += 4;
	len -= 4;
	while (len >= 4) {
		uint32_t packed = le32_at(in);
		in += 4;
		len -= 4;
		if (packed == FRAME_MAGIC) /* frames may follow each other */
			continue;
		if (packed > len || done == size)
			return -EBADMSG;
		size_t room = size - done < BLOCK_MAX ? size - done : BLOCK_MAX;
		size_t n = lz4_unpack_block(in, packed, out + done, room);
		if (n == 0)
			return -EBADMSG;
		done += n;
		in += packed;
		len -= packed;
	}
	return len == 0 && done == size ? 0 : -EBADMSG;
}
