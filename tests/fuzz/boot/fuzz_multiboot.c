/* A Multiboot kernel of any bytes: what is accepted can be loaded from the file, and entered. */
#include "fuzzfile.h"
#include "multiboot.h"

#include <spec/multiboot.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t head = size < MULTIBOOT_SEARCH ? size : MULTIBOOT_SEARCH;
	if (!multiboot_is_one(data, head))
		return 0;
	int source = fuzzfile(data, size);

	struct vmlinux v;
	const char *why = NULL;
	if (multiboot_parse(source, size, data, head, &v, &why) != 0) {
		if (!why)
			abort();
		return 0;
	}
	if (v.entry < v.start || v.entry >= v.end || v.end > UINT32_MAX || !v.count)
		abort();
	for (unsigned i = 0; i < v.count; i++) {
		const struct vmlinux_extent *e = &v.extent[i];
		if (e->gpa < v.start || e->gpa > v.end || e->size > v.end - e->gpa ||
		    e->offset > size || e->size > size - e->offset)
			abort();
	}
	return 0;
}
