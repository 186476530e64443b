/* A register script for the IDE controller with a disk and a CD that answer late or badly. */
#include "fakeblock.h"
#include "fakes.h"
#include "ide.h"
#include "regfuzz.h"

#include <tinyvm/gmem.h>
#include <tinyvm/ide.h>
#include <tinyvm/log.h>

#define RAM  (128u << 10)
#define DISK (64u << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct fakeblock disk, cd;
	struct device *dev;
};

static void world(void *ctx, uint8_t what)
{
	struct world *w = ctx;
	struct fakeblock *fake = what & 1 ? &w->cd : &w->disk;
	if (what & 2) {
		fake->fail_at = what >> 4;
		fake->fail_with = -5;
	}
	device_lock(w->dev);
	fakeblock_release(fake, 1);
	if (!fake->held_count)
		fake->mode = what >> 2 & 3 ? FAKEBLOCK_AT_ONCE : FAKEBLOCK_HELD;
	device_unlock(w->dev);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w;
	struct fakeblock twin_disk, twin_cd;
	struct gmem *gm;
	struct regfuzz f = {.ops = {&command_ops, &control_ops, &ide_bm_bus_ops},
			    .size = {16, 2, 16},
			    .world = world,
			    .ctx = &w};
	log_set_level(LOG_ERROR);
	if (gmem_create(&gm, RAM) != 0)
		return 0;
	fill(gm);
	fakeblock_init(&w.disk, DISK);
	fakeblock_init(&w.cd, DISK);
	fakeblock_init(&twin_disk, DISK);
	fakeblock_init(&twin_cd, DISK);
	struct ide_config cfg = {.gm = gm,
				 .drive = {{.blk = &w.disk.blk,
					    .cylinders = 2,
					    .heads = 4,
					    .sectors = 16,
					    .serial = ""},
					   [3] = {.blk = &w.cd.blk, .is_cd = true, .serial = ""}}};
	struct ide_config twin = cfg;
	twin.drive[0].blk = &twin_disk.blk;
	twin.drive[3].blk = &twin_cd.blk;
	if (ide_create(&f.dev, &cfg) == 0 && ide_create(&f.twin, &twin) == 0) {
		w.dev = f.dev;
		regfuzz_run(&f, data, size);
		device_quiesce(f.dev);
		device_quiesce(f.twin);
		device_destroy(f.dev);
		device_destroy(f.twin);
	}
	fakeblock_fini(&w.disk);
	fakeblock_fini(&w.cd);
	fakeblock_fini(&twin_disk);
	fakeblock_fini(&twin_cd);
	gmem_destroy(gm);
	return 0;
}
