/* The PC's diskette formats, by what an image of one weighs. */
#include <tinyvm/floppy.h>

#define SECTOR 512

/* Images of another size are taken for the first of these that holds them. */
#define SMALLEST_GUESS (1440u * 1024)

bool floppy_geometry(uint64_t size, struct floppy_geometry *ret_geometry)
{
	static const struct floppy_geometry formats[] = {
		{40, 1, 8, 1},	{40, 1, 9, 1},	{40, 2, 8, 1},	{40, 2, 9, 1},	{80, 2, 8, 3},
		{80, 2, 9, 3},	{80, 2, 15, 2}, {80, 2, 18, 4}, {82, 2, 18, 4}, {80, 2, 20, 4},
		{80, 2, 21, 4}, {82, 2, 21, 4}, {83, 2, 21, 4}, {80, 2, 36, 5},
	};
	for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		const struct floppy_geometry *g = &formats[i];
		uint64_t holds = (uint64_t)g->cylinders * g->heads * g->sectors * SECTOR;
		if (size == holds || (size < holds && holds >= SMALLEST_GUESS)) {
			*ret_geometry = *g;
			return true;
		}
	}
	return false;
}
