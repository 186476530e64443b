/* A register script for the diagnostic ports. */
#include "fakes.h"
#include "regfuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_line(void *ctx, const char *line)
{
	(void)ctx;
	for (const char *p = line; *p; p++) {
		if (*p < ' ' || *p > '~')
			abort();
	}
	if (strlen(line) > DEBUGPORT_LINE_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct regfuzz f = {.ops = {&debugport_text_bus_ops, &debugport_post_bus_ops},
			    .size = {1, 1}};
	if (debugport_create(&f.dev, take_line, NULL) != 0 ||
	    debugport_create(&f.twin, take_line, NULL) != 0)
		return 0;
	regfuzz_run(&f, data, size);
	device_destroy(f.dev);
	device_destroy(f.twin);
	return 0;
}
