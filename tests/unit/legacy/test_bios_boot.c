/* INT 19h and 18h: what is booted, in which order, and what is told when nothing is. */
#include "bios_bench.h"
#include "conformance.h"
#include "device_bytes.h"
#include "test.h"
#include <tinyvm/state.h>

#define FLOPPY_SIZE 1474560u
#define DISK_SIZE   (10u * 16 * 63 * 512)
#define CD_SIZE	    (2000u * 2048)
#define CATALOG	    20u
#define IMAGE	    30u

static struct bios_bench bench;
static struct bios_frame f;

static void set_up(void)
{
	bios_bench_init(&bench);
	f = (struct bios_frame){0};
}

static void tear_down(void)
{
	bios_bench_end(&bench);
}

static void sign(uint8_t *sector, const char *code)
{
	memcpy(sector, code, strlen(code));
	sector[510] = 0x55;
	sector[511] = 0xaa;
}

/* A CD with a boot catalog whose first entry is of @media, @count sectors. */
static struct fakeblock *add_cd(uint8_t media, uint16_t segment, uint16_t count)
{
	struct fakeblock *cd = bios_bench_add_disk(&bench, BIOS_CD, CD_SIZE);
	uint8_t *record = cd->data + 17 * 2048, *catalog = cd->data + CATALOG * 2048;
	uint16_t sum = 0;

	memcpy(record, "\0CD001\1EL TORITO SPECIFICATION", 30);
	record[0x47] = CATALOG;
	catalog[0] = 1;
	memcpy(catalog + 4, "test", 4);
	catalog[0x1e] = 0x55;
	catalog[0x1f] = 0xaa;
	for (unsigned i = 0; i < 32; i += 2)
		sum = (uint16_t)(sum + (catalog[i] | catalog[i + 1] << 8));
	catalog[0x1c] = (uint8_t)-sum;
	catalog[0x1d] = (uint8_t)(-sum >> 8);
	catalog[0x20] = 0x88;
	catalog[0x21] = media;
	catalog[0x22] = (uint8_t)segment;
	catalog[0x23] = (uint8_t)(segment >> 8);
	catalog[0x26] = (uint8_t)count;
	catalog[0x27] = (uint8_t)(count >> 8);
	catalog[0x28] = IMAGE;
	for (unsigned i = 0; i < 200; i++)
		memset(cd->data + IMAGE * 2048 + i * 512, (int)i + 1, 512);
	return cd;
}

static void boot(unsigned service)
{
	bios_bench_call(&bench, service, &f);
}

static uint8_t at(gpa_t gpa)
{
	return (uint8_t)bios_bench_peek(&bench, gpa, 1);
}

/* INT 11h's floppies */
static unsigned equipment(void)
{
	struct bios_frame e = {0};
	bios_bench_call(&bench, 0x11, &e);
	return e.eax & 0xc1;
}

static bool shows(const char *text)
{
	return strstr(bios_bench_screen(&bench), text);
}

static void key(uint16_t code)
{
	struct bios_frame k = {.eax = 0x0500, .ecx = code};
	bios_bench_call(&bench, 0x16, &k);
}

WITH_DEVICE(test_boots_a_floppy)
{
	sign(bios_bench_add_disk(&bench, BIOS_FLOPPY, FLOPPY_SIZE)->data, "\xeb\xfe floppy");
	sign(bios_bench_add_disk(&bench, BIOS_HARD_DISK, DISK_SIZE)->data, "\xeb\xfe disk");
	bios_bench_start(&bench);
	boot(0x19);
	CHECK_EQ(f.result, BIOS_DONE);
	CHECK_EQ(f.cs, 0);
	CHECK_EQ(f.ip, 0x7c00);
	CHECK_EQ(f.edx, 0);
	CHECK_EQ(f.flags & 0x200, 0x200);
	CHECK_EQ(at(0x7c03), 'f');
	CHECK_EQ(bench.booted, 1);
	/* It gives up: on to the disk. */
	boot(0x18);
	CHECK_EQ(f.edx, 0x80);
	CHECK_EQ(at(0x7c03), 'd');
	CHECK_EQ(bench.booted_drive, 0x80);
	/* And from the start */
	boot(0x19);
	CHECK_EQ(f.edx, 0);
	CHECK(!shows("boot"));
}

WITH_DEVICE(test_boots_in_the_order_asked_for)
{
	sign(bios_bench_add_disk(&bench, BIOS_FLOPPY, FLOPPY_SIZE)->data, "\xeb\xfe floppy");
	bios_bench_add_disk(&bench, BIOS_HARD_DISK, DISK_SIZE);
	sign(bios_bench_add_disk(&bench, BIOS_HARD_DISK, DISK_SIZE)->data, "\xeb\xfe second");
	strcpy(bench.cfg.boot, "dca");
	bios_bench_start(&bench);
	boot(0x19);
	CHECK_EQ(f.edx, 0x81); /* the first has no boot sector */
	boot(0x18);
	CHECK_EQ(f.edx, 0x00);
}

WITH_DEVICE(test_a_boot_sector_in_place_comes_first_and_once)
{
	sign(bios_bench_add_disk(&bench, BIOS_FLOPPY, FLOPPY_SIZE)->data, "\xeb\xfe floppy");
	bench.cfg.is_boot_loaded = true;
	bios_bench_start(&bench);
	bios_bench_poke(&bench, 0x7c03, 'k', 1);
	bios_bench_poke(&bench, 0x7dfe, 0xaa55, 2);
	boot(0x19);
	CHECK_EQ(f.result, BIOS_DONE);
	CHECK_EQ(f.ip, 0x7c00);
	CHECK_EQ(at(0x7c03), 'k');
	boot(0x19);
	CHECK_EQ(at(0x7c03), 'f');
}

WITH_DEVICE(test_a_floppy_needs_no_signature_but_code)
{
	struct fakeblock *floppy = bios_bench_add_disk(&bench, BIOS_FLOPPY, FLOPPY_SIZE);
	memcpy(floppy->data, "\xfa\xfc\x31\xc0\x8e\xd8", 6);
	bios_bench_start(&bench);
	boot(0x19);
	CHECK_EQ(bench.booted, 1);
	memset(floppy->data, 0xf6, 512); /* freshly formatted */
	boot(0x19);
	CHECK_EQ(f.result, BIOS_WAIT);
	CHECK_EQ(bench.booted, 1);
}

WITH_DEVICE(test_tells_what_was_tried)
{
	struct fakeblock *broken;
	bios_bench_add_disk(&bench, BIOS_FLOPPY, FLOPPY_SIZE);
	bench.cfg.disk[0].submit = NULL;
	bios_bench_add_disk(&bench, BIOS_HARD_DISK, DISK_SIZE);
	sign(bios_bench_add_disk(&bench, BIOS_HARD_DISK, DISK_SIZE)->data, "");
	broken = bios_bench_add_disk(&bench, BIOS_HARD_DISK, DISK_SIZE);
	broken->fail_at = 1;
	broken->fail_with = -EIO;
	bios_bench_add_disk(&bench, BIOS_CD, CD_SIZE);
	add_cd(9, 0, 4);
	bios_bench_start(&bench);
	boot(0x19);
	CHECK_EQ(f.result, BIOS_WAIT);
	CHECK(shows("Nothing to boot from."));
	CHECK(shows("floppy 00h: empty"));
	CHECK(shows("disk 80h: no boot sector: 55AAh"));
	CHECK(shows("disk 81h: no code in its boot sector"));
	CHECK(shows("disk 82h: cannot be read"));
	CHECK(shows("CD E0h: no El Torito boot catalog"));
	CHECK(shows("CD E1h: nothing bootable in its El Torito catalog"));
	CHECK(shows("Press a key"));
	/* Once is enough; a key tries again. */
	uint64_t cursor = bios_bench_peek(&bench, 0x450, 2);
	boot(0x19);
	CHECK_EQ(f.result, BIOS_WAIT);
	CHECK_EQ(bios_bench_peek(&bench, 0x450, 2), cursor);
	key(0x1c0d);
	sign(broken->data, "\xeb\xfe");
	boot(0x19);
	CHECK_EQ(f.edx, 0x82);
}

WITH_DEVICE(test_tells_that_there_is_no_drive)
{
	bios_bench_start(&bench);
	boot(0x19);
	CHECK_EQ(f.result, BIOS_WAIT);
	CHECK(shows("--cdrom"));
}

WITH_DEVICE(test_boots_a_cd_without_emulation)
{
	add_cd(0, 0, 8);
	bios_bench_start(&bench);
	boot(0x19);
	CHECK_EQ(f.result, BIOS_DONE);
	CHECK_EQ(f.edx, 0xe0);
	CHECK_EQ(f.cs, 0);
	CHECK_EQ(f.ip, 0x7c00);
	CHECK_EQ(at(0x7c00), 1);
	CHECK_EQ(at(0x7c00 + 8 * 512 - 1), 8);
	CHECK_EQ(at(0x7c00 + 8 * 512), 0);
	/* What it was booted as */
	f = (struct bios_frame){.eax = 0x4b01, .edx = 0xe0, .esi = 0x600};
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(f.flags & 1, 0);
	CHECK_EQ(bios_bench_peek(&bench, 0x600, 4), 0x00e00013);
	CHECK_EQ(bios_bench_peek(&bench, 0x604, 4), IMAGE);
	CHECK_EQ(bios_bench_peek(&bench, 0x60c, 4), 0x000807c0);
	f = (struct bios_frame){.eax = 0x4b01, .edx = 0x80, .esi = 0x600};
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(f.flags & 1, 1);
}

WITH_DEVICE(test_a_long_image_stays_below_the_bios)
{
	add_cd(0, 0x9000, 0xffff);
	bios_bench_start(&bench);
	boot(0x19);
	CHECK_EQ(bench.booted, 1);
	CHECK_EQ(f.cs, 0x9000);
	CHECK_EQ(f.ip, 0);
	CHECK_EQ(at(0x9fbff), 0x9fc00 / 512 - 0x90000 / 512);
	CHECK_EQ(at(0x9fc00), 1); /* the EBDA's size */
}

WITH_DEVICE(test_boots_a_cd_as_a_floppy)
{
	struct fakeblock *real = bios_bench_add_disk(&bench, BIOS_FLOPPY, FLOPPY_SIZE);
	memset(real->data, 0x77, 512);
	add_cd(2, 0, 1);
	strcpy(bench.cfg.boot, "d");
	bios_bench_start(&bench);
	CHECK_EQ(equipment(), 0x01);
	boot(0x19);
	CHECK_EQ(bench.booted, 1);
	CHECK_EQ(f.edx, 0x00);
	CHECK_EQ(at(0x7c00), 1);
	CHECK_EQ(equipment(), 0x41);
	/* Drive 0 is the image, the floppy has become drive 1. */
	f = (struct bios_frame){.eax = 0x0201, .ecx = 0x0003, .edx = 0, .ebx = 0x8000};
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(f.eax, 0x0001);
	CHECK_EQ(at(0x8000), 3);
	f = (struct bios_frame){.eax = 0x0201, .ecx = 0x0001, .edx = 1, .ebx = 0x8000};
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(at(0x8000), 0x77);
	f = (struct bios_frame){.eax = 0x0301, .ecx = 0x0001, .edx = 0, .ebx = 0x8000};
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(f.eax >> 8, 3);
	f = (struct bios_frame){.eax = 0x0800, .edx = 0};
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(f.ecx, 0x4f12);
	CHECK_EQ(f.edx, 0x0102);
	/* The end of it */
	f = (struct bios_frame){.eax = 0x4b00, .edx = 0x7f, .esi = 0x600};
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(f.eax, 0);
	CHECK_EQ(bios_bench_peek(&bench, 0x610, 3), 0x01124f);
	f = (struct bios_frame){.eax = 0x0201, .ecx = 0x0001, .edx = 0, .ebx = 0x8000};
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(at(0x8000), 0x77);
	CHECK_EQ(equipment(), 0x01);
}

/* Who boots from the only floppy, which is on a CD, asks whether there is one. */
WITH_DEVICE(test_a_cd_that_is_a_floppy_counts_until_the_next_boot)
{
	add_cd(1, 0, 1);
	bios_bench_start(&bench);
	CHECK_EQ(equipment(), 0x00);
	boot(0x19);
	CHECK_EQ(bench.booted, 1);
	CHECK_EQ(equipment(), 0x01);
	bench.cfg.disk[0].submit = NULL;
	boot(0x18);
	CHECK_EQ(equipment(), 0x00);
}

WITH_DEVICE(test_boots_a_cd_as_a_hard_disk)
{
	struct fakeblock *cd = add_cd(4, 0, 1);
	uint8_t *partition = cd->data + IMAGE * 2048 + 0x1be;
	partition[5] = 3;	  /* the last head, */
	partition[6] = 0x40 | 17; /* sector, and two bits of */
	partition[7] = 0x05;	  /* the cylinder: 105h */
	bios_bench_start(&bench);
	CHECK_EQ(at(0x475), 0);
	boot(0x19);
	CHECK_EQ(f.edx, 0x80);
	CHECK_EQ(at(0x475), 1);
	f = (struct bios_frame){.eax = 0x0800, .edx = 0x80};
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(f.ecx, 0x0500 | 0x40 | 17);
	CHECK_EQ(f.edx, 0x0301);
	f = (struct bios_frame){.eax = 0x0201, .ecx = 0x0001, .edx = 0x0180, .ebx = 0x8000};
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(at(0x8000), 18);
	/* Its geometry says more than the CD has. */
	f = (struct bios_frame){.eax = 0x0201, .ecx = 0x0541, .edx = 0x0380, .ebx = 0x8000};
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(f.eax >> 8, 4);
}

WITH_DEVICE(test_damaged_cds_are_not_booted)
{
	struct fakeblock *cd = add_cd(0, 0, 4);
	uint8_t *catalog = cd->data + CATALOG * 2048;
	bios_bench_start(&bench);
	static const struct {
		unsigned at;
		uint8_t value;
	} damage[] = {{0, 2}, {4, 0}, {0x1e, 0}, {0x20, 0}, {0x21, 5}, {0x2a, 0xff}, {0x23, 0xa0}};
	for (unsigned i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		uint8_t old = catalog[damage[i].at];
		catalog[damage[i].at] = damage[i].value;
		f = (struct bios_frame){0};
		boot(0x19);
		CHECK_EQ(f.result, BIOS_WAIT);
		catalog[damage[i].at] = old;
		key(1);
	}
	catalog[0x01] = 0xef; /* for EFI, not for us */
	catalog[0x1d] = (uint8_t)(catalog[0x1d] - 0xef);
	boot(0x19);
	CHECK_EQ(f.result, BIOS_WAIT);
	CHECK(shows("CD E0h: nothing bootable"));
	key(1);
	cd->data[17 * 2048 + 0x4a] = 0xff; /* the catalog is nowhere */
	boot(0x19);
	CHECK_EQ(f.result, BIOS_WAIT);
	CHECK_EQ(bench.booted, 0);
}

WITH_DEVICE(test_boots_from_slow_disks_and_a_saved_state)
{
	struct fakeblock *cd = add_cd(0, 0, 300);
	unsigned n = 0;
	cd->mode = FAKEBLOCK_HELD;
	bios_bench_start(&bench);
	do {
		bios_bench_out(&bench, 0x19, &f);
		CHECK(f.result <= BIOS_AGAIN);
		if (n % 3 == 1 && n < 9) { /* saved and loaded in the middle of it */
			struct state *st;
			size_t len;
			CHECK_EQ(state_create_save(&st), 0);
			device_state(bench.dev, st);
			const void *data = state_data(st, &len);
			CHECK_EQ(device_bytes_load(bench.dev, data, len), 0);
			state_destroy(st);
		}
		fakeblock_release(cd, 1);
	} while (f.result == BIOS_AGAIN && ++n < 100);
	CHECK_EQ(bench.booted, 1);
	CHECK_EQ(at(0x7c00 + 199 * 512), 200);
}

static void scramble(struct device *dev, void *ctx)
{
	struct bios_bench *b = ctx;
	uint32_t value = BENCH_STACK << 8 | 0x19;
	bios_bench_poke(b, BENCH_STACK, 0, 8);
	for (unsigned i = 0; i < 20; i++)
		bus_ops_write(&bios_bus_ops, dev, 0, (const void *)&value, 4);
}

WITH_DEVICE(test_conforms)
{
	struct conformance c = {.create = bios_bench_create, .scramble = scramble, .ctx = &bench};
	add_cd(2, 0, 1);
	bios_bench_start(&bench);
	conformance_check(&c);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_boots_a_floppy),
		TEST_CASE(test_boots_in_the_order_asked_for),
		TEST_CASE(test_a_boot_sector_in_place_comes_first_and_once),
		TEST_CASE(test_a_floppy_needs_no_signature_but_code),
		TEST_CASE(test_tells_what_was_tried),
		TEST_CASE(test_tells_that_there_is_no_drive),
		TEST_CASE(test_boots_a_cd_without_emulation),
		TEST_CASE(test_a_long_image_stays_below_the_bios),
		TEST_CASE(test_boots_a_cd_as_a_floppy),
		TEST_CASE(test_a_cd_that_is_a_floppy_counts_until_the_next_boot),
		TEST_CASE(test_boots_a_cd_as_a_hard_disk),
		TEST_CASE(test_damaged_cds_are_not_booted),
		TEST_CASE(test_boots_from_slow_disks_and_a_saved_state),
		TEST_CASE(test_conforms),
	};
	return TEST_RUN(cases);
}
