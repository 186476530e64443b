/* Sets of sectors. Whole words of one kind are passed over as such: images are large. */
#include "sectors.h"
#include <string.h>

void sectors_add(uint8_t *bits, uint64_t first, uint64_t end)
{
	for (; first < end && first % 8; first++)
		bits[first / 8] |= (uint8_t)(1u << first % 8);
	uint64_t bytes = (end - first) / 8;
	memset(bits + first / 8, 0xff, bytes);
	for (first += bytes * 8; first < end; first++)
		bits[first / 8] |= (uint8_t)(1u << first % 8);
}

uint64_t sectors_run_end(const uint8_t *bits, uint64_t first, uint64_t end)
{
	const uint64_t all = sectors_has(bits, first) ? UINT64_MAX : 0;
	for (uint64_t at = first & ~63ull; at < end; at += 64) {
		uint64_t word;
		memcpy(&word, bits + at / 8, sizeof(word)); /* little-endian, as the bits are */
		uint64_t others = word ^ all;
		if (at < first)
			others &= UINT64_MAX << (first - at);
		if (others) {
			uint64_t stop = at + (unsigned)__builtin_ctzll(others);
			return stop < end ? stop : end;
		}
	}
	return end;
}
