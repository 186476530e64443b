/* An ELF file of any bytes: whatever is accepted keeps vmlinux_parse()'s promises, trimmed or not.
 */
#include "vmlinux.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int source = -1;
	if (source < 0)
		source = memfd_create("fuzz", MFD_CLOEXEC);
	if (source < 0 || ftruncate(source, (off_t)size) < 0 ||
	    pwrite(source, data, size, 0) != (ssize_t)size)
		abort();

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
