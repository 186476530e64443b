/*
 * BIOS calls with hostile registers, pointers and memory, on disks that are slow, fail, and hold
 * anything. The first byte says which drives there are; then one step a command byte. Machines are
 * powered on once for all inputs.
 */
#include "bios_bench.h"
#include "device_bytes.h"
#include "reseal.h"
#include "still.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/state.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
	const uint8_t *at;
	size_t left;
};

enum step {
	STEP_CALL,
	STEP_CALL_AGAIN,
	STEP_OUT,
	STEP_POKE,
	STEP_DISK,
	STEP_TIME,
	STEP_RESET,
	STEP_STATE,
};

#define DISK_BYTES (64u * 2048)

static const uint8_t services[] = {0x08, 0x09, 0x0e, 0x11, 0x13, 0x13, 0x14, 0x15,
				   0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x70, 0x74,
				   0x76, 0x13, 0x13, 0x15, 0x16, 0x1a, 0x19, 0xff};

static uint32_t take(struct script *s, unsigned bytes)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < bytes && s->left; i++, s->left--)
		value |= (uint32_t)*s->at++ << 8 * i;
	return value;
}

/* A call as a stub makes it; then the same again for a while, disks answering in between. */
static void step_call(struct bios_bench *bench, struct script *s)
{
	unsigned service = services[take(s, 1) % sizeof(services)];
	uint8_t wide = (uint8_t)take(s, 1);
	struct bios_frame f = {0};
	f.eax = take(s, 2);
	f.ebx = take(s, wide & 1 ? 4 : 2);
	f.ecx = take(s, wide & 2 ? 4 : 2);
	f.edx = take(s, wide & 4 ? 4 : 2);
	f.esi = take(s, 2);
	f.edi = take(s, wide & 8 ? 4 : 1);
	f.es = (uint16_t)take(s, 2);
	f.ds = wide & 16 ? (uint16_t)take(s, 2) : 0;
	if (wide & 32)
		f.edx = 0x534d4150;
	for (unsigned n = wide >> 6; n < 4; n++) {
		bios_bench_out(bench, service, &f);
		if (f.result == BIOS_DONE)
			break;
		bench->clock.ns += 1000000;
		for (unsigned i = 0; i < bench->cfg.disk_count; i++)
			fakeblock_release(&bench->disk[i], UINT_MAX);
	}
}

/* Memory, and with bit 4 a disk's contents. */
static void step_poke(struct bios_bench *bench, struct script *s, uint8_t command)
{
	uint32_t where = take(s, command & 0x08 ? 3 : 2);
	unsigned len = (command >> 5) + 1;
	struct fakeblock *fake = &bench->disk[where % BIOS_DISK_MAX];
	uint8_t bytes[8];
	for (unsigned i = 0; i < len; i++)
		bytes[i] = (uint8_t)take(s, 1);
	if (command & 0x10) {
		if (fake->data && where + len <= fake->blk.size)
			memcpy(fake->data + where, bytes, len);
	} else {
		(void)!gmem_write(bench->cfg.gm, where, bytes, len);
	}
}

static void step_disk(struct bios_bench *bench, struct script *s)
{
	uint8_t what = (uint8_t)take(s, 1);
	struct fakeblock *fake = &bench->disk[(what >> 5) % BIOS_DISK_MAX];
	if (!fake->data)
		return;
	fakeblock_release(fake, what & 3 ? UINT_MAX : 1);
	fake->fail_at = what >> 3 & 3;
	fake->fail_with = what & 4 ? -EIO : -EROFS;
	if (!fake->held)
		fake->mode = (enum fakeblock_mode)((what & 3) % 3);
}

static void step_time(struct bios_bench *bench, struct script *s)
{
	bench->clock.ns += (uint64_t)take(s, 1) << 20;
	device_lock(bench->i8042);
	i8042_expired(bench->i8042);
	i8042_mouse(bench->i8042, 1, 2, 0, 0);
	device_unlock(bench->i8042);
	device_lock(bench->cmos);
	cmos_expired(bench->cmos);
	device_unlock(bench->cmos);
}

/* What is saved can be loaded; what is damaged is refused or survived. */
static void step_state(struct bios_bench *bench, struct script *s)
{
	struct state *st;
	size_t len;
	if (state_create_save(&st) != 0)
		abort();
	device_state(bench->dev, st);
	const void *data = state_data(st, &len);
	uint8_t *copy = malloc(len);
	if (!copy)
		abort();
	memcpy(copy, data, len);
	state_destroy(st);
	if (device_bytes_load(bench->dev, copy, len) != 0)
		abort();
	for (unsigned n = take(s, 1) & 3; n; n--)
		copy[take(s, 2) % len] = (uint8_t)take(s, 1);
	reseal(copy, len);
	(void)device_bytes_load(bench->dev, copy, len);
	free(copy);
}

static void step(struct bios_bench *bench, struct script *s)
{
	uint8_t command = (uint8_t)take(s, 1);
	uint32_t out;
	switch ((enum step)(command & 7)) {
	case STEP_CALL:
	case STEP_CALL_AGAIN:
		step_call(bench, s);
		break;
	case STEP_OUT:
		out = take(s, 4);
		bus_write(bench->pio, BIOS_PORT_CALL, &out, 4);
		break;
	case STEP_POKE:
		step_poke(bench, s, command);
		break;
	case STEP_DISK:
		step_disk(bench, s);
		break;
	case STEP_TIME:
		step_time(bench, s);
		break;
	case STEP_RESET:
		device_reset(bench->dev);
		break;
	case STEP_STATE:
		step_state(bench, s);
		break;
	}
}

/* Drives: all kinds, two disks without PCI, an empty floppy drive with a CD, none. */
static void machine_create(struct bios_bench *bench, unsigned which)
{
	bios_bench_init(bench);
	bench->is_blind = true;
	bench->cfg.is_pci = which & 1;
	if (which == 0 || which == 2)
		bios_bench_add_disk(bench, BIOS_FLOPPY, DISK_BYTES);
	if (which == 2)
		bench->cfg.disk[0].submit = NULL;
	if (which == 0 || which == 1)
		bios_bench_add_disk(bench, BIOS_HARD_DISK, DISK_BYTES);
	if (which == 1)
		bios_bench_add_disk(bench, BIOS_HARD_DISK, DISK_BYTES);
	if (which == 0 || which == 2)
		bios_bench_add_disk(bench, BIOS_CD, DISK_BYTES);
	bios_bench_start(bench);
}

static void machine_keep(struct bios_bench *bench, struct still *still)
{
	still_add(still, bench, sizeof(*bench));
	still_add_gmem(still, bench->cfg.gm);
	still_add_heap(still, bench->dev);
	still_add_heap(still, bench->cmos);
	still_add_heap(still, bench->i8042);
	still_add_heap(still, bench->serial);
	for (unsigned i = 0; i < bench->cfg.disk_count; i++)
		still_add_heap(still, bench->disk[i].data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bios_bench machines[4];
	static struct still stills[4];
	struct script s = {data, size};
	unsigned which = take(&s, 1) & 3;
	struct bios_bench *bench = &machines[which];

	if (!stills[which].count) {
		machine_create(bench, which);
		machine_keep(bench, &stills[which]);
	}
	still_restore(&stills[which]);
	while (s.left)
		step(bench, &s);
	if (bios_keyboard_room(bench->cfg.gm) > 0x8000)
		abort();
	return 0;
}
