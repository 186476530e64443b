/* A register script for the IDE controller with a disk and a CD that answer late or badly. */
#include "fakeblock.h"
#include "fakes.h"
#include "ide.h"
#include "regfuzz.h"
#include "still.h"

#include <errno.h>
#include <stdlib.h>
#include <tinyvm/gmem.h>
#include <tinyvm/ide.h>
#include <tinyvm/log.h>

#define RAM  (128u << 10)
#define DISK (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct machine {
	struct fakeblock disk, cd, twin_disk, twin_cd;
	struct gmem *gm;
	struct device *dev, *twin;
};

/* What a driver does with REP INS and REP OUTS: a sector, or a CD's block. */
static void move_data(struct machine *m, uint8_t what, bool is_write)
{
	struct ide_channel *c = ide_channel(m->dev, what & 1);
	for (unsigned i = 0; i < (what & 2 ? 512 : 128); i++) {
		if (is_write)
			ide_command_bus_ops.write(c, 0, 4, (uint32_t)what * 0x01010101 + i);
		else
			ide_command_bus_ops.read(c, 0, 4);
	}
}

static void world(void *ctx, uint8_t what)
{
	struct machine *m = ctx;
	struct fakeblock *fake = what & 1 ? &m->cd : &m->disk;
	device_lock(m->dev);
	switch (what >> 6) {
	case 0:
		fakeblock_release(fake, 1);
		if (!fake->held_count)
			fake->mode = what >> 2 & 3 ? FAKEBLOCK_AT_ONCE : FAKEBLOCK_HELD;
		break;
	case 1:
		fake->fail_at = what >> 1 & 31;
		fake->fail_with = -EIO;
		break;
	case 2:
	case 3:
		move_data(m, what, what & 0x40);
		break;
	}
	device_unlock(m->dev);
}

/* The windows as the script sees them have the device as ctx: channels are found behind it. */
static uint64_t command_read(void *ctx, uint64_t off, unsigned size)
{
	return ide_command_bus_ops.read(ide_channel(ctx, off >> 3), off & 7, size);
}

static void command_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	ide_command_bus_ops.write(ide_channel(ctx, off >> 3), off & 7, size, value);
}

static uint64_t control_read(void *ctx, uint64_t off, unsigned size)
{
	return ide_control_bus_ops.read(ide_channel(ctx, off), 0, size);
}

static void control_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	ide_control_bus_ops.write(ide_channel(ctx, off), 0, size, value);
}

static const struct bus_ops command_ops = {.sizes = BUS_SIZE_1 | BUS_SIZE_2 | BUS_SIZE_4,
					   .read = command_read,
					   .write = command_write};
static const struct bus_ops control_ops = {
	.sizes = BUS_SIZE_1, .read = control_read, .write = control_write};

/* Tables of regions that a script can point to: some good, some not. */
static void fill(struct gmem *gm)
{
	for (uint32_t i = 0; i < RAM / 8; i++) {
		uint32_t entry[2] = {i * 1021 % (RAM + 4096),
				     i * 57 % 5 ? i % 4096 : 0x80000000 | i};
		if (gmem_write(gm, i * 8, entry, 8) != 0)
			return;
	}
}

static void machine_create(struct machine *m)
{
	if (gmem_create(&m->gm, RAM) != 0)
		abort();
	fill(m->gm);
	fakeblock_init(&m->disk, DISK);
	fakeblock_init(&m->cd, DISK);
	fakeblock_init(&m->twin_disk, DISK);
	fakeblock_init(&m->twin_cd, DISK);
	struct ide_config cfg = {.gm = m->gm,
				 .drive = {{.blk = &m->disk.blk,
					    .cylinders = 2,
					    .heads = 4,
					    .sectors = 16,
					    .serial = ""},
					   [3] = {.blk = &m->cd.blk, .is_cd = true, .serial = ""}}};
	struct ide_config twin = cfg;
	twin.drive[0].blk = &m->twin_disk.blk;
	twin.drive[3].blk = &m->twin_cd.blk;
	if (ide_create(&m->dev, &cfg) != 0 || ide_create(&m->twin, &twin) != 0)
		abort();
}

static void machine_keep(struct machine *m, struct still *still)
{
	still_add(still, m, sizeof(*m));
	still_add_gmem(still, m->gm);
	still_add_heap(still, m->dev);
	still_add_heap(still, m->twin);
	still_add_heap(still, m->disk.data);
	still_add_heap(still, m->cd.data);
	still_add_heap(still, m->twin_disk.data);
	still_add_heap(still, m->twin_cd.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine m;
	static struct still still;
	if (!still.count) {
		log_set_level(LOG_ERROR);
		machine_create(&m);
		machine_keep(&m, &still);
	}
	still_restore(&still);
	struct regfuzz f = {.dev = m.dev,
			    .twin = m.twin,
			    .ops = {&command_ops, &control_ops, &ide_bm_bus_ops},
			    .size = {16, 2, 16},
			    .world = world,
			    .ctx = &m};
	regfuzz_run(&f, data, size);
	device_quiesce(m.dev);
	device_quiesce(m.twin);
	return 0;
}
