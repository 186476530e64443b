/* An ELF file of any bytes: whatever is accepted keeps vmlinux_parse()'s promises, trimmed or not.
 */
#include "fuzzfile.h"
#include "vmlinux.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int source = fuzzfile(data, size);

	struct vmlinux v;
	const char *why = NULL;
	if (vmlinux_parse(source, size, &v, &why) != 0) {
		if (!why)
			abort();
		return 0;
	}
	if (!vmlinux_is_sane(&v, size))
		abort();
	vmlinux_trim(&v, data, size);
	if (!vmlinux_is_sane(&v, size))
		abort();
	return 0;
}
