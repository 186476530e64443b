/*
 * Sets of sectors: one bit a sector, bit n % 8 of byte n / 8 (private to src/block).
 *
 * The array is 8-byte aligned and a multiple of 8 bytes long.
 */
#ifndef BLOCK_SECTORS_H
#define BLOCK_SECTORS_H

#include <stdbool.h>
#include <stdint.h>

static inline bool sectors_has(const uint8_t *bits, uint64_t n)
{
	return bits[n / 8] >> (n % 8) & 1;
}

/* Adds [@first, @end). */
void sectors_add(uint8_t *bits, uint64_t first, uint64_t end);

/* The end of the run of sectors from @first that are in the set, or not in it, as @first is. */
uint64_t sectors_run_end(const uint8_t *bits, uint64_t first, uint64_t end);

#endif
