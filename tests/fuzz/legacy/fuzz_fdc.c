/* A register script for the floppy and DMA controllers, on disks that take their time. */
#include "fakeblock.h"
#include "fakes.h"
#include "regfuzz.h"
#include "still.h"

#include <errno.h>
#include <stdlib.h>
#include <tinyvm/floppy.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct machine {
	struct gmem *gm;
	struct device *dev, *twin;
	struct fakeblock disk[2], twin_disk[2];
	struct fake_irq irq;
};

static void world(void *ctx, uint8_t what)
{
	struct machine *m = ctx;
	struct fakeblock *disk = &m->disk[what & 1];
	device_lock(m->dev);
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
		fdc_dir_bus_ops.write(m->dev, 0, 1, what);
		fdc_dir_bus_ops.read(m->dev, 0, 1);
		disk->blk.is_readonly = what & 2;
		break;
	}
	device_unlock(m->dev);
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

static void machine_create(struct machine *m)
{
	struct fdc_config cfg;
	if (gmem_create(&m->gm, 1 << 17) != 0)
		abort();
	for (unsigned i = 0; i < 2; i++) {
		fakeblock_init(&m->disk[i], i ? SHORT_SIZE : DISK_SIZE);
		fakeblock_init(&m->twin_disk[i], m->disk[i].blk.size);
	}
	fill_config(&cfg, m->gm, m->twin_disk);
	if (fdc_create(&m->twin, &cfg) != 0)
		abort();
	fill_config(&cfg, m->gm, m->disk);
	cfg.irq = fake_irq_line(&m->irq);
	if (fdc_create(&m->dev, &cfg) != 0)
		abort();
}

static void machine_keep(struct machine *m, struct still *still)
{
	still_add(still, m, sizeof(*m));
	still_add_gmem(still, m->gm);
	still_add_heap(still, m->dev);
	still_add_heap(still, m->twin);
	for (unsigned i = 0; i < 2; i++) {
		still_add_heap(still, m->disk[i].data);
		still_add_heap(still, m->twin_disk[i].data);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine m;
	static struct still still;
	if (!still.count) {
		machine_create(&m);
		machine_keep(&m, &still);
	}
	still_restore(&still);
	struct regfuzz f = {
		.dev = m.dev,
		.twin = m.twin,
		.ops = {&fdc_bus_ops, &dma_low_bus_ops, &dma_high_bus_ops, &dma_page_bus_ops},
		.size = {FDC_PORTS, DMA_LOW_PORTS, DMA_HIGH_PORTS, DMA_PAGE_PORTS},
		.world = world,
		.ctx = &m};
	regfuzz_run(&f, data, size);
	return 0;
}
