/*
 * Memory as it was at one moment, and back to that: machines that take long to build, once for all
 * of a fuzzer's inputs.
 *
 *	static struct still still;
 *	if (!still.count) {
 *		... create the device ...
 *		still_add_heap(&still, dev);
 *	}
 *	still_restore(&still);
 */
#ifndef STILL_H
#define STILL_H

#include <stddef.h>
#include <stdint.h>
#include <tinyvm/gmem.h>

#define STILL_PARTS_MAX 24

/**
 * struct still_part - a piece of memory
 * @copy:  what it held; of pages that are mapped privately from a copy, NULL
 */
struct still_part {
	uint8_t *at;
	size_t len;
	uint8_t *copy;
};

struct still {
	struct still_part part[STILL_PARTS_MAX];
	unsigned count;
};

/* What is there now is what comes back. From now on the memory stays where it is: no free(). */
void still_add(struct still *still, void *at, size_t len);

/* One allocation, such as a device that has no others. */
void still_add_heap(struct still *still, void *at);

void still_add_gmem(struct still *still, const struct gmem *gm);

void still_restore(const struct still *still);

#endif
