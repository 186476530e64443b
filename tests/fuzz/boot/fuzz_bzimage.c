/*
 * A kernel file of any bytes: opened, unpacked as far as zlib does it, and loaded, for the machine
 * or for a PC.
 */
#include "fuzzfile.h"
#include "image.h"

#include <stdlib.h>
#include <tinyvm/err.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct image_options options = {.is_unpack_wanted = true};
	static struct gmem
		*gm; /* where the kernel lands is not cleared: that would be the slow part */
	if (!gm && gmem_create(&gm, 20 << 20) != 0)
		abort();
	int source = fuzzfile(data, size);
	if (size == 0)
		return 0;

	struct boot_image *image;
	struct err err;
	if (image_open_fd(&image, dup(source), size, "fuzz", &options, &err) != 0)
		return 0;
	const struct boot_reserved reserved = {(20 << 20) - 0x8000, 0x8000, 3};
	const struct boot_linux boot = {
		.image = image, .cmdline = "quiet", .reserved = &reserved, .reserved_count = 1};
	struct boot_entry entry;
	if (boot_image_needs_pc(image))
		(void)!boot_pc_load(gm, &boot, &err);
	else if (boot_linux_load(gm, &boot, &entry, &err) == 0 &&
		 (entry.rip < image->vmlinux.start || entry.rip >= image->vmlinux.end))
		abort();
	boot_image_close(image);
	return 0;
}
