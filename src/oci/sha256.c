/*
 * SHA-256 (FIPS 180-4, 6.2), by the book. Its constants are the fractional parts of the square and
 * cube roots of the first primes.
 */
#include "sha256.h"

#include <stdio.h>
#include <string.h>

#define BLOCK 64

static const uint32_t sha256_first[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint32_t sha256_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned bits)
{
	return x >> bits | x << (32 - bits);
}

static uint32_t be32_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Round @i of eight, in which A is v[-i], B the next one, and so on. */
static inline void sha256_round(uint32_t v[8], unsigned i, uint32_t kw)
{
	uint32_t a = v[-i & 7], b = v[(1 - i) & 7], c = v[(2 - i) & 7];
	uint32_t e = v[(4 - i) & 7], f = v[(5 - i) & 7], g = v[(6 - i) & 7];
	uint32_t t = v[(7 - i) & 7] + kw + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
		     ((e & f) ^ (~e & g));
	v[(3 - i) & 7] += t;
	v[(7 - i) & 7] =
		t + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
}

static void sha256_block(uint32_t state[8], const uint8_t *block)
{
	uint32_t w[64], v[8];
	for (unsigned i = 0; i < 16; i++)
		w[i] = be32_at(block + 4 * i);
	for (unsigned i = 16; i < 64; i++) {
		uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
		uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
		w[i] = w[i - 16] + s0 + w[i - 7] + s1;
	}
	memcpy(v, state, sizeof(v));
	/* Instead of moving along, the eight variables change their roles. */
	for (unsigned i = 0; i < 64; i += 8) {
		sha256_round(v, 0, w[i] + sha256_k[i]);
		sha256_round(v, 1, w[i + 1] + sha256_k[i + 1]);
		sha256_round(v, 2, w[i + 2] + sha256_k[i + 2]);
		sha256_round(v, 3, w[i + 3] + sha256_k[i + 3]);
		sha256_round(v, 4, w[i + 4] + sha256_k[i + 4]);
		sha256_round(v, 5, w[i + 5] + sha256_k[i + 5]);
		sha256_round(v, 6, w[i + 6] + sha256_k[i + 6]);
		sha256_round(v, 7, w[i + 7] + sha256_k[i + 7]);
	}
	for (unsigned i = 0; i < 8; i++)
		state[i] += v[i];
}

void sha256_begin(struct sha256 *s)
{
	memcpy(s->state, sha256_first, sizeof(s->state));
	s->len = 0;
}

void sha256_add(struct sha256 *s, const void *buf, size_t len)
{
	const uint8_t *at = buf;
	size_t held = s->len % BLOCK;
	s->len += len;
	if (held) {
		size_t n = len < BLOCK - held ? len : BLOCK - held;
		memcpy(s->tail + held, at, n);
		at += n;
		len -= n;
		if (held + n < BLOCK)
			return;
		sha256_block(s->state, s->tail);
	}
	for (; len >= BLOCK; at += BLOCK, len -= BLOCK)
		sha256_block(s->state, at);
	if (len)
		memcpy(s->tail, at, len);
}

void sha256_end(struct sha256 *s, char ret_hex[SHA256_HEX_SIZE])
{
	static const uint8_t padding[BLOCK] = {0x80};
	uint64_t bits = s->len * 8;
	uint8_t length[8];
	for (unsigned i = 0; i < 8; i++)
		length[i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_add(s, padding, 1 + (2 * BLOCK - 9 - s->len % BLOCK) % BLOCK);
	sha256_add(s, length, sizeof(length));
	for (unsigned i = 0; i < 8; i++)
		snprintf(ret_hex + 8 * i, 9, "%08x", s->state[i]);
}
