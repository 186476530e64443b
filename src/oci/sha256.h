/* SHA-256. */
#ifndef OCI_SHA256_H
#define OCI_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE	32
#define SHA256_HEX_SIZE (2 * SHA256_SIZE + 1)

/**
 * struct sha256 - bytes being summed up
 * @len:  bytes so far
 * @tail: those that do not fill a block yet
 */
struct sha256 {
	uint32_t state[8];
	uint64_t len;
	uint8_t tail[64];
};

void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *buf, size_t len);

/* The sum, as digests are written: in small hexadecimal digits, with a NUL. @s is used up. */
void sha256_end(struct sha256 *s, char ret_hex[SHA256_HEX_SIZE]);

#endif
