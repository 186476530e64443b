/*
 * Small pieces are copied back. Of large ones, a private mapping of a copy takes the place of the
 * whole pages: dropping what was written costs as much as was written, not as much as there is.
 */
#include "still.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_SIZE   4096u
#define LARGE_BYTES (8 * PAGE_SIZE)

static struct still_part *still_next(struct still *still, uint8_t *at, size_t len)
{
	if (still->count == STILL_PARTS_MAX)
		abort();
	struct still_part *part = &still->part[still->count++];
	*part = (struct still_part){.at = at, .len = len};
	return part;
}

static void still_add_copy(struct still *still, uint8_t *at, size_t len)
{
	if (!len)
		return;
	struct still_part *part = still_next(still, at, len);
	part->copy = malloc(len);
	if (!part->copy)
		abort();
	memcpy(part->copy, at, len);
}

static void still_add_pages(struct still *still, uint8_t *at, size_t len)
{
	int fd = memfd_create("still", MFD_CLOEXEC);
	if (fd < 0 || write(fd, at, len) != (ssize_t)len ||
	    mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) != at)
		abort();
	close(fd);
	still_next(still, at, len);
}

void still_add(struct still *still, void *at, size_t len)
{
	size_t head = -(uintptr_t)at % PAGE_SIZE;
	size_t pages = len < LARGE_BYTES ? 0 : (len - head) / PAGE_SIZE * PAGE_SIZE;
	if (!pages)
		head = 0;
	else
		still_add_pages(still, (uint8_t *)at + head, pages);
	still_add_copy(still, at, head);
	still_add_copy(still, (uint8_t *)at + head + pages, len - head - pages);
}

void still_add_heap(struct still *still, void *at)
{
	still_add(still, at, malloc_usable_size(at));
}

void still_add_gmem(struct still *still, const struct gmem *gm)
{
	for (unsigned i = 0; i < gmem_region_count(gm); i++)
		still_add(still, gmem_region(gm, i)->hva, gmem_region(gm, i)->size);
}

void still_restore(const struct still *still)
{
	for (unsigned i = 0; i < still->count; i++) {
		const struct still_part *part = &still->part[i];
		if (part->copy)
			memcpy(part->at, part->copy, part->len);
		else if (madvise(part->at, part->len, MADV_DONTNEED) != 0)
			abort();
	}
}
