/* The allocator's entry points, by the linker's --wrap. */
#include "shortage.h"

#include <stddef.h>

/* Names that the linker prescribes. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

static unsigned calls_left; /* until the one that fails; 0 when none is to */
static bool has_failed;

void shortage_begin(unsigned n)
{
	calls_left = n;
	has_failed = false;
}

bool shortage_end(void)
{
	calls_left = 0;
	return has_failed;
}

static bool shortage_hits(void)
{
	if (calls_left == 0 || --calls_left > 0)
		return false;
	has_failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return shortage_hits() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return shortage_hits() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return shortage_hits() ? NULL : __real_realloc(p, size);
}
