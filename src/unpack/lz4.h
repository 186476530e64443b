/* LZ4 as the Linux build uses it. */
#ifndef UNPACK_LZ4_H
#define UNPACK_LZ4_H

#include <stddef.h>
#include <stdint.h>

/**
 * lz4_unpack_legacy() - unpack a legacy LZ4 frame: what `lz4 -l` writes
 * @in:  the frame, magic first, to its end
 * @out: room for @size bytes, all of which the frame must fill
 * Return: 0, -EBADMSG for anything else.
 */
int lz4_unpack_legacy(const uint8_t *in, size_t len, uint8_t *out, size_t size)
	__attribute__((warn_unused_result));

#endif
