/*
 * BIOS calls with hostile registers, pointers and memory, on disks that are slow, fail, and hold
 * anything. The first byte says which drives there are; then one step a command byte. Machines are
 * powered on once for all inputs. Their disks boot, and at TABLES there is what calls point to.
 */
#include "bios_bench.h"
#include "device_bytes.h"
#include "reseal.h"
#include "still.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/err.h>
#include <tinyvm/pci.h>
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
#define CATALOG	   18u
#define IMAGE	   20u

/* A disk address packet, INT 15h AH=87h's descriptors, room for AH=48h's answer. */
#define TABLES	     0x8000u
#define TABLE_PACKET 0x00
#define TABLE_MOVE   0x20
#define TABLE_ANSWER 0x60
#define TABLES_SIZE  0x70
#define DATA_SEGMENT 0x0900

#define CALL_TIME_NS 16000000

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
	for (unsigned n = 1u << (wide >> 6) * 2; n; n--) {
		bios_bench_out(bench, service, &f);
		if (f.result == BIOS_DONE)
			break;
		bench->clock.ns += CALL_TIME_NS;
		for (unsigned i = 0; i < bench->cfg.disk_count; i++)
			fakeblock_release(&bench->disk[i], UINT_MAX);
	}
}

static bool is_rom(uint32_t gpa)
{
	return (gpa >= BIOS_ROM_BASE && gpa - BIOS_ROM_BASE < BIOS_ROM_SIZE) ||
	       (gpa >= BIOS_VIDEO_ROM_BASE && gpa - BIOS_VIDEO_ROM_BASE < BIOS_VIDEO_ROM_SIZE);
}

/* Memory that is no ROM, and with bit 4 a disk's contents. */
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
	} else if (!is_rom(where) && !is_rom(where + len)) {
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

/* Time goes on, a key goes down or up (one of those with a prefix with bit 3), the mouse moves. */
static void step_time(struct bios_bench *bench, struct script *s, uint8_t command)
{
	uint16_t prefix = command & 0x08 ? 0xe000 : 0;
	uint8_t key;
	bench->clock.ns += (uint64_t)take(s, 1) << 20;
	device_lock(bench->i8042);
	key = (uint8_t)take(s, 1);
	if (key)
		i8042_key(bench->i8042, prefix | (key & 0x7f), !(key & 0x80));
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
		step_time(bench, s, command);
		break;
	case STEP_RESET:
		device_reset(bench->dev);
		break;
	case STEP_STATE:
		step_state(bench, s);
		break;
	}
}

static struct fakeblock *machine_add_disk(struct bios_bench *bench, enum bios_disk_kind kind)
{
	static const uint8_t partition[] = {0x80, 1, 1, 0, 1, 7, 31, 3, 32};
	struct fakeblock *fake = bios_bench_add_disk(bench, kind, DISK_BYTES);
	memcpy(fake->data + 0x1be, partition, sizeof(partition));
	fake->data[510] = 0x55;
	fake->data[511] = 0xaa;
	return fake;
}

/* @media: 0 for no emulation, 2 for a floppy, 4 for a hard disk */
static void machine_add_cd(struct bios_bench *bench, uint8_t media)
{
	/* Its words add up to nothing. */
	static const uint8_t validation[] = {1, [0x1c] = 0xaa, 0x55, 0x55, 0xaa};
	struct fakeblock *cd = machine_add_disk(bench, BIOS_CD);
	uint8_t *record = cd->data + 17 * 2048, *catalog = cd->data + CATALOG * 2048;
	memcpy(record, "\0CD001\1EL TORITO SPECIFICATION", 30);
	record[0x47] = CATALOG;
	memcpy(catalog, validation, sizeof(validation));
	catalog[0x20] = 0x88;
	catalog[0x21] = media;
	catalog[0x26] = 1;
	catalog[0x28] = IMAGE;
	memcpy(cd->data + IMAGE * 2048, cd->data, 512);
}

static void machine_add_pci(struct bios_bench *bench)
{
	const struct pci_host_config cfg = {.mmio_base = 0xe0000000, .mmio_last = 0xefffffff};
	struct device *dev;
	struct pci_host *host;
	struct err err;
	if (pci_host_create(&dev, &host, &cfg, bench->pio, bench->mmio, &err) != 0)
		abort();
}

static void machine_add_tables(struct bios_bench *bench)
{
	static const uint8_t tables[TABLES_SIZE] = {
		[TABLE_PACKET] = 24,
		0,
		2,
		0,
		0,
		0,
		DATA_SEGMENT & 0xff,
		DATA_SEGMENT >> 8,
		1,
		[TABLE_MOVE + 0x10] = 0xff,
		0xff,
		0,
		0x90,
		0,
		0x93,
		0,
		0,
		[TABLE_MOVE + 0x18] = 0xff,
		0xff,
		0,
		0,
		0x10,
		0x93,
		0,
		0,
		[TABLE_ANSWER] = 30,
	};
	if (gmem_write(bench->cfg.gm, TABLES, tables, sizeof(tables)) != 0)
		abort();
}

/* Drives: all kinds, two disks and PCI, an empty floppy drive with a CD, a CD that is a disk. */
static void machine_create(struct bios_bench *bench, unsigned which)
{
	bios_bench_init(bench);
	bench->is_blind = true;
	bench->cfg.is_pci = which & 1;
	if (which == 0 || which == 2)
		machine_add_disk(bench, BIOS_FLOPPY);
	if (which == 2)
		bench->cfg.disk[0].submit = NULL;
	if (which == 0 || which == 1)
		machine_add_disk(bench, BIOS_HARD_DISK);
	if (which == 1)
		machine_add_disk(bench, BIOS_HARD_DISK);
	if (which != 1)
		machine_add_cd(bench, which == 2 ? 0 : which == 0 ? 2 : 4);
	bios_bench_start(bench);
	machine_add_tables(bench);
	if (bench->cfg.is_pci)
		machine_add_pci(bench);
}

/* What is in the ROMs; none of the BIOS's services may change that. */
struct roms {
	uint8_t bios[BIOS_ROM_SIZE], video[BIOS_VIDEO_ROM_SIZE];
};

static void machine_read_roms(const struct bios_bench *bench, struct roms *roms)
{
	const struct gmem *gm = bench->cfg.gm;
	if (gmem_read(gm, BIOS_ROM_BASE, roms->bios, sizeof(roms->bios)) != 0 ||
	    gmem_read(gm, BIOS_VIDEO_ROM_BASE, roms->video, sizeof(roms->video)) != 0)
		abort();
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
	static struct roms roms[4], now;
	struct script s = {data, size};
	unsigned which = take(&s, 1) & 3;
	struct bios_bench *bench = &machines[which];

	if (!stills[which].count) {
		machine_create(bench, which);
		machine_keep(bench, &stills[which]);
		machine_read_roms(bench, &roms[which]);
	}
	still_restore(&stills[which]);
	while (s.left)
		step(bench, &s);
	machine_read_roms(bench, &now);
	if (memcmp(&now, &roms[which], sizeof(now)) != 0)
		abort();
	unsigned room = bios_keyboard_room(bench->cfg.gm);
	if (room > 0x8000 && room != BIOS_KEYBOARD_NO_RING)
		abort();
	return 0;
}
