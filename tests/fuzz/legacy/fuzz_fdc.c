/* A register script for the floppy and DMA controllers, on disks that take their time. */
#include "fakeblock.h"
#include "fakes.h"
#include "regfuzz.h"

#include <errno.h>
#include <tinyvm/floppy.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fdc_world {
	struct device *dev;
	struct fakeblock disk[2];
};

static void world(void *ctx, uint8_t what)
{
	struct fdc_world *w = ctx;
	struct fakeblock *disk = &w->disk[what & 1];
	device_lock(w->dev);
	switch (what >> 6) {
	case 0:
		fakeblock_release(disk, 1 + (what >> 1 & 3));
		break;
	case 1:
		disk->fail_at = 1 + (what >> 1 & 7);
		disk->fail_with = -EIO;
		break;
	case 2:
		if (!disk->held_count)
			disk->mode = (enum fakeblock_mode)((what >> 1 & 3) % 3);
		break;
	case 3:
		fdc_dir_bus_ops.write(w->dev, 0, 1, what);
		fdc_dir_bus_ops.read(w->dev, 0, 1);
		break;
	}
	device_unlock(w->dev);
}

/* A small diskette, for the fuzzer's speed, and one that is cut short. */
#define DISK_SIZE  (8 * 2 * 4 * 512)
#define SHORT_SIZE (40 * 512)

static void fill_config(struct fdc_config *cfg, struct gmem *gm, struct fakeblock *disk)
{
	*cfg = (struct fdc_config){.gm = gm};
	for (unsigned i = 0; i < 2; i++) {
		cfg->drive[i].is_present = true;
		cfg->drive[i].blk = &disk[i].blk;
		cfg->drive[i].geometry = (struct floppy_geometry){8, 2, 4, 1};
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fdc_world w;
	struct fakeblock twin_disk[2];
	struct fake_irq irq = {0};
	struct gmem *gm;
	struct fdc_config cfg;
	struct regfuzz f = {
		.ops = {&fdc_bus_ops, &dma_low_bus_ops, &dma_high_bus_ops, &dma_page_bus_ops},
		.size = {FDC_PORTS, DMA_LOW_PORTS, DMA_HIGH_PORTS, DMA_PAGE_PORTS},
		.world = world,
		.ctx = &w};
	if (gmem_create(&gm, 1 << 17) != 0)
		return 0;
	for (unsigned i = 0; i < 2; i++) {
		fakeblock_init(&w.disk[i], i ? SHORT_SIZE : DISK_SIZE);
		fakeblock_init(&twin_disk[i], w.disk[i].blk.size);
	}
	fill_config(&cfg, gm, twin_disk);
	if (fdc_create(&f.twin, &cfg) != 0)
		return 0;
	fill_config(&cfg, gm, w.disk);
	cfg.irq = fake_irq_line(&irq);
	if (fdc_create(&f.dev, &cfg) != 0)
		return 0;
	w.dev = f.dev;
	regfuzz_run(&f, data, size);
	device_destroy(f.dev);
	device_destroy(f.twin);
	for (unsigned i = 0; i < 2; i++) {
		fakeblock_fini(&w.disk[i]);
		fakeblock_fini(&twin_disk[i]);
	}
	gmem_destroy(gm);
	return 0;
}
