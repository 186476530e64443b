/* A register script for the firmware configuration device; descriptions of DMA lie in memory. */
#include "regfuzz.h"

#include <tinyvm/fwcfg.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAM_SIZE 0x10000u

struct fwcfg_world {
	struct gmem *gm;
	const uint8_t *data;
	size_t size;
};

/* A piece of the script itself as a description of DMA, where the address is easily guessed. */
static void world(void *ctx, uint8_t what)
{
	const struct fwcfg_world *w = ctx;
	size_t at = what < w->size ? what : 0;
	int error = gmem_write(w->gm, 0, w->data + at, w->size - at < 64 ? w->size - at : 64);
	(void)error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct fwcfg_file file = {"etc/test", "some bytes", 10};
	static const char rsdp[FWCFG_RSDP_SIZE] = "RSD PTR ";
	struct fwcfg_world w = {.data = data, .size = size};
	struct regfuzz f = {
		.ops = {&fwcfg_bus_ops}, .size = {FWCFG_PORTS}, .world = world, .ctx = &w};
	if (gmem_create(&w.gm, RAM_SIZE) != 0)
		return 0;
	const struct fwcfg_config cfg = {.gm = w.gm,
					 .cpus = 1,
					 .ram_below_4g = RAM_SIZE,
					 .rsdp = rsdp,
					 .file = &file,
					 .file_count = 1};
	if (fwcfg_create(&f.dev, &cfg) != 0 || fwcfg_create(&f.twin, &cfg) != 0)
		return 0;
	regfuzz_run(&f, data, size);
	device_destroy(f.dev);
	device_destroy(f.twin);
	gmem_destroy(w.gm);
	return 0;
}
