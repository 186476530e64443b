/* INT 13h: by cylinder, head and sector, and by block; what a disk or a guest can do wrong. */
#include "bios_bench.h"
#include "test.h"

#define FLOPPY_SIZE 1474560u
#define DISK_SIZE   (10u * 16 * 63 * 512)
#define BUFFER	    0x20000u
#define BUFFER_SEG  0x2000u
#define PACKET	    0x6000u
#define CF	    1u

static struct bios_bench bench;
static struct fakeblock *floppy, *disk, *cd;

static void set_up(void)
{
	bios_bench_init(&bench);
	floppy = bios_bench_add_disk(&bench, BIOS_FLOPPY, FLOPPY_SIZE);
	disk = bios_bench_add_disk(&bench, BIOS_HARD_DISK, DISK_SIZE);
	cd = bios_bench_add_disk(&bench, BIOS_CD, 40 * 2048);
	for (unsigned i = 0; i < FLOPPY_SIZE / 512; i++)
		memset(floppy->data + i * 512, (int)i, 512);
	for (unsigned i = 0; i < DISK_SIZE / 512; i++)
		memset(disk->data + i * 512, (int)(i ^ 0x55), 512);
	for (unsigned i = 0; i < 40; i++)
		memset(cd->data + i * 2048, (int)(i + 100), 2048);
	bios_bench_start(&bench);
}

static void tear_down(void)
{
	bios_bench_end(&bench);
}

static struct bios_frame int13(uint32_t eax, uint32_t ecx, uint32_t edx)
{
	struct bios_frame f = {.eax = eax,
			       .ecx = ecx,
			       .edx = edx,
			       .es = BUFFER_SEG,
			       .esi = PACKET,
			       .flags = 0x202};
	bios_bench_call(&bench, 0x13, &f);
	return f;
}

static uint8_t at(gpa_t gpa)
{
	return (uint8_t)bios_bench_peek(&bench, gpa, 1);
}

static void packet(unsigned size, unsigned count, uint64_t lba)
{
	bios_bench_poke(&bench, PACKET, size, 2);
	bios_bench_poke(&bench, PACKET + 2, count, 2);
	bios_bench_poke(&bench, PACKET + 4, (uint64_t)BUFFER_SEG << 16, 4);
	bios_bench_poke(&bench, PACKET + 8, lba, 8);
}

WITH_DEVICE(test_reads_by_cylinder_head_and_sector)
{
	struct bios_frame f = int13(0x0203, 0x0102, 0x0100);
	unsigned lba = (1 * 2 + 1) * 18 + 1;
	CHECK_EQ(f.flags, 0x202);
	CHECK_EQ(f.eax, 0x0003);
	CHECK_EQ(at(BUFFER), lba);
	CHECK_EQ(at(BUFFER + 511), lba);
	CHECK_EQ(at(BUFFER + 2 * 512 + 511), lba + 2);
	CHECK_EQ(at(BUFFER + 3 * 512), 0);
	CHECK_EQ(at(0x441), 0);
	/* Across the cylinder's end, on the hard disk, at cylinder 9 */
	f = int13(0x0202, 0x093f, 0x0f80);
	CHECK_EQ(f.flags & CF, 1); /* that is beyond its last */
	f = int13(0x0202, 0x083f, 0x0f80);
	CHECK_EQ(f.eax, 0x0002);
	CHECK_EQ(at(BUFFER), (uint8_t)((9 * 16 * 63 - 1) ^ 0x55));
	CHECK_EQ(at(BUFFER + 512), (uint8_t)((9 * 16 * 63) ^ 0x55));
}

WITH_DEVICE(test_refuses_sectors_that_are_not_there)
{
	static const struct {
		uint32_t eax, ecx, edx, result;
	} row[] = {
		{0x0201, 0x0000, 0x0000, 0x0400}, /* sector 0 */
		{0x0201, 0x0013, 0x0000, 0x0400}, /* sector 19 of 18 */
		{0x0201, 0x5001, 0x0000, 0x0400}, /* cylinder 80 */
		{0x0201, 0x0001, 0x0200, 0x0400}, /* head 2 */
		{0x0202, 0x4f12, 0x0100, 0x0400}, /* past the end */
		{0x0200, 0x0001, 0x0000, 0x0100}, /* none at all */
		{0x0201, 0x0001, 0x0001, 0x8001}, /* no drive B: */
		{0x0201, 0x0001, 0x0081, 0x0101}, /* no second disk */
		{0x0201, 0x0001, 0x00e0, 0x0100}, /* a CD has no cylinders */
		{0x0a01, 0x0001, 0x0080, 0x0101}, /* read long */
		{0xff01, 0x0001, 0x0080, 0x0101},
	};
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct bios_frame f = int13(row[i].eax, row[i].ecx, row[i].edx);
		CHECK_EQ(f.eax, row[i].result);
		CHECK_EQ(f.flags & CF, 1);
		f = int13(0x0100, 0, row[i].edx);
		CHECK_EQ(f.eax >> 8, row[i].result >> 8);
		CHECK_EQ(f.flags & CF, 1);
	}
	CHECK_EQ(floppy->count[BLOCK_READ] + disk->count[BLOCK_READ], 0);
}

/* Partitions of today end where the disk does, not where its last whole cylinder does. */
WITH_DEVICE(test_the_rest_behind_the_last_cylinder_is_there)
{
	bios_bench_end(&bench);
	bios_bench_init(&bench);
	disk = bios_bench_add_disk(&bench, BIOS_HARD_DISK, DISK_SIZE + 100 * 512);
	memset(disk->data + DISK_SIZE + 99 * 512, 0x99, 512);
	bios_bench_start(&bench);
	CHECK_EQ(int13(0x0800, 0, 0x80).ecx, 0x093f);
	CHECK_EQ(int13(0x0201, 0x0a25, 0x0180).eax, 0x0001);
	CHECK_EQ(at(BUFFER), 0x99);
	CHECK_EQ(int13(0x0201, 0x0a26, 0x0180).eax, 0x0400);
	CHECK_EQ(int13(0x0202, 0x0a25, 0x0180).eax, 0x0400);
	CHECK_EQ(int13(0x0201, 0x0b01, 0x0080).eax, 0x0400);
}

WITH_DEVICE(test_writes_verifies_and_formats)
{
	bios_bench_poke(&bench, BUFFER + 512, 0x123456789abcdef0, 8);
	struct bios_frame f = int13(0x0302, 0x0001, 0x0080);
	CHECK_EQ(f.eax, 0x0002);
	CHECK_EQ(disk->data[512], 0xf0);
	CHECK_EQ(disk->data[519], 0x12);
	CHECK_EQ(disk->data[1024], 2 ^ 0x55);
	f = int13(0x0402, 0x0001, 0x0080);
	CHECK_EQ(f.eax, 0x0002);
	CHECK_EQ(f.flags & CF, 0);
	/* A track of the floppy is filled, wherever in it CL points. */
	f = int13(0x0501, 0x0205, 0x0100);
	CHECK_EQ(f.flags & CF, 0);
	CHECK_EQ(f.ecx, 0x0205);
	CHECK_EQ(floppy->data[(2 * 2 + 1) * 18 * 512], 0xf6);
	CHECK_EQ(floppy->data[(2 * 2 + 2) * 18 * 512 - 1], 0xf6);
	CHECK_EQ(floppy->data[(2 * 2 + 2) * 18 * 512], (uint8_t)((2 * 2 + 2) * 18));
	f = int13(0x0501, 0x0205, 0x0180);
	CHECK_EQ(f.eax >> 8, 0x01);
}

WITH_DEVICE(test_read_only_drives_refuse_writes)
{
	bios_bench_end(&bench);
	bios_bench_init(&bench);
	floppy = bios_bench_add_disk(&bench, BIOS_FLOPPY, FLOPPY_SIZE);
	bench.cfg.disk[0].is_readonly = true;
	cd = bios_bench_add_disk(&bench, BIOS_CD, 40 * 2048);
	bios_bench_start(&bench);
	CHECK_EQ(int13(0x0301, 0x0001, 0).eax, 0x0300);
	CHECK_EQ(int13(0x0501, 0x0001, 0).eax >> 8, 0x03);
	packet(16, 1, 0);
	CHECK_EQ(int13(0x4300, 0, 0xe0).eax >> 8, 0x03);
	CHECK_EQ(floppy->count[BLOCK_WRITE] + cd->count[BLOCK_WRITE], 0);
}

WITH_DEVICE(test_disk_errors_are_told_with_what_was_done)
{
	disk->fail_at = 1;
	disk->fail_with = -EIO;
	struct bios_frame f = int13(0x0202, 0x0001, 0x0080);
	CHECK_EQ(f.eax, 0x1000);
	CHECK_EQ(f.flags & CF, 1);
	CHECK_EQ(at(0x474), 0x10);
	disk->fail_at = 1;
	f = int13(0x0302, 0x0001, 0x0080);
	CHECK_EQ(f.eax, 0xcc00);
	/* The second piece of 64 KiB fails: the first has been moved. */
	disk->fail_at = 2;
	f = int13(0x02ff, 0x0001, 0x0080);
	CHECK_EQ(f.eax, 0x1080);
	CHECK_EQ(at(BUFFER + 0xffff), 127 ^ 0x55);
	packet(16, 200, 0);
	disk->fail_at = 2;
	f = int13(0x4200, 0, 0x80);
	CHECK_EQ(f.eax >> 8, 0x10);
	CHECK_EQ(bios_bench_peek(&bench, PACKET + 2, 2), 128);
}

WITH_DEVICE(test_tells_drive_parameters)
{
	struct bios_frame f = int13(0x0800, 0xdddd, 0x0000);
	CHECK_EQ(f.eax, 0);
	CHECK_EQ(f.ebx, 4);
	CHECK_EQ(f.ecx, 0x4f12);
	CHECK_EQ(f.edx, 0x0101);
	CHECK_EQ(f.es, 0xf000);
	CHECK_EQ(bios_bench_peek(&bench, 0xf0000 + f.edi + 4, 1), 18);
	f = int13(0x0800, 0, 0x0001);
	CHECK_EQ(f.flags & CF, 0);
	CHECK_EQ(f.ecx | f.ebx, 0);
	CHECK_EQ(f.edx, 0x0001);
	f = int13(0x0800, 0, 0x0080);
	CHECK_EQ(f.eax, 0);
	CHECK_EQ(f.ecx, 0x093f);
	CHECK_EQ(f.edx, 0x0f01);
	f = int13(0x0800, 0, 0x0081);
	CHECK_EQ(f.eax, 0x0700);
	CHECK_EQ(f.flags & CF, 1);
	f = int13(0x1500, 0, 0x0080);
	CHECK_EQ(f.eax >> 8, 3);
	CHECK_EQ(f.ecx << 16 | f.edx, DISK_SIZE / 512);
	CHECK_EQ(int13(0x1500, 0, 0x0000).eax >> 8, 2);
	CHECK_EQ(int13(0x1500, 0, 0x0001).eax >> 8, 0);
	CHECK_EQ(int13(0x1600, 0, 0x0000).eax >> 8, 0);
	CHECK_EQ(int13(0x1800, 0x4f12, 0x0000).eax >> 8, 0);
	CHECK_EQ(int13(0x1800, 0x4f09, 0x0000).eax >> 8, 0x0c);
	/* INT 41h and the BIOS data area */
	uint64_t table = bios_bench_peek(&bench, 0x41 * 4, 4);
	gpa_t gpa = (table >> 16 << 4) + (table & 0xffff);
	CHECK_EQ(bios_bench_peek(&bench, gpa, 3), 0x10000a);
	CHECK_EQ(at(gpa + 14), 63);
	CHECK_EQ(at(0x475), 1);
	CHECK_EQ(at(0x48f), 0x07);
	CHECK_EQ(at(0x490), 0x17);
}

WITH_DEVICE(test_reads_by_block)
{
	struct bios_frame f = int13(0x4100, 0, 0x0080);
	CHECK_EQ(f.flags & CF, 1);
	f = (struct bios_frame){.eax = 0x4100, .ebx = 0x55aa, .edx = 0x80};
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(f.flags & CF, 0);
	CHECK_EQ(f.ebx, 0xaa55);
	CHECK_EQ(f.eax >> 8, 0x30);
	CHECK_EQ(f.ecx, 7);

	packet(16, 2, 5000);
	f = int13(0x4200, 0, 0x80);
	CHECK_EQ(f.eax, 0);
	CHECK_EQ(f.flags & CF, 0);
	CHECK_EQ(at(BUFFER), (uint8_t)(5000 ^ 0x55));
	CHECK_EQ(at(BUFFER + 1023), (uint8_t)(5001 ^ 0x55));
	/* A CD's sectors have 2048 bytes. */
	packet(16, 1, 39);
	CHECK_EQ(int13(0x4200, 0, 0xe0).eax, 0);
	CHECK_EQ(at(BUFFER + 2047), 139);
	/* A 64-bit address */
	packet(24, 1, 7);
	bios_bench_poke(&bench, PACKET + 4, 0xffffffff, 4);
	bios_bench_poke(&bench, PACKET + 16, 0x180000, 8);
	CHECK_EQ(int13(0x4200, 0, 0x80).eax, 0);
	CHECK_EQ(at(0x180000), 7 ^ 0x55);
	/* Nothing to move, verify, seek, lock, media change */
	packet(16, 0, 7);
	CHECK_EQ(int13(0x4200, 0, 0x80).eax, 0);
	packet(16, 9, 7);
	CHECK_EQ(int13(0x4400, 0, 0x80).eax, 0);
	CHECK_EQ(int13(0x4700, 0, 0x80).eax, 0);
	CHECK_EQ(int13(0x4500, 0, 0xe0).eax, 0);
	CHECK_EQ(int13(0x4600, 0, 0xe0).eax >> 8, 0xb2);
	CHECK_EQ(int13(0x4900, 0, 0xe0).eax, 0);
}

WITH_DEVICE(test_a_floppy_has_no_blocks_and_keeps_its_own_status)
{
	struct bios_frame f = {.eax = 0x4100, .ebx = 0x55aa};
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(f.eax >> 8, 1);
	CHECK_EQ(f.flags & CF, 1);
	CHECK_EQ(at(0x441), 1);
	CHECK_EQ(at(0x474), 0);
	CHECK_EQ(int13(0x0100, 0, 0).eax >> 8, 1);
}

WITH_DEVICE(test_refuses_bad_packets)
{
	static const struct {
		unsigned size, count;
		uint64_t lba;
		uint32_t edx;
	} row[] = {
		{15, 1, 0, 0x80},
		{0, 1, 0, 0x80},
		{16, 1, DISK_SIZE / 512, 0x80},
		{16, 2, DISK_SIZE / 512 - 1, 0x80},
		{16, 1, UINT64_MAX, 0x80},
		{16, 0xffff, UINT64_MAX - 1, 0x80},
		{16, 1, 40, 0xe0},
		{16, 1, 0, 0x00}, /* a floppy */
		{16, 1, 0, 0x85},
	};
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		packet(row[i].size, row[i].count, row[i].lba);
		struct bios_frame f = int13(0x4200, 0, row[i].edx);
		CHECK_EQ(f.eax >> 8, 1);
		CHECK_EQ(f.flags & CF, 1);
	}
	CHECK_EQ(disk->count[BLOCK_READ] + cd->count[BLOCK_READ], 0);
}

WITH_DEVICE(test_tells_parameters_for_blocks)
{
	bios_bench_poke(&bench, PACKET, 30, 2);
	CHECK_EQ(int13(0x4800, 0, 0x80).eax, 0);
	CHECK_EQ(bios_bench_peek(&bench, PACKET, 2), 30);
	CHECK_EQ(bios_bench_peek(&bench, PACKET + 2, 2), 3);
	CHECK_EQ(bios_bench_peek(&bench, PACKET + 4, 4), 10);
	CHECK_EQ(bios_bench_peek(&bench, PACKET + 8, 8), 16 | 63ull << 32);
	CHECK_EQ(bios_bench_peek(&bench, PACKET + 16, 8), DISK_SIZE / 512);
	CHECK_EQ(bios_bench_peek(&bench, PACKET + 24, 2), 512);
	bios_bench_poke(&bench, PACKET, 0xeeee0000 | 26, 8);
	bios_bench_poke(&bench, PACKET + 26, 0xeeee, 2);
	CHECK_EQ(int13(0x4800, 0, 0xe0).eax, 0);
	CHECK_EQ(bios_bench_peek(&bench, PACKET, 4), 26 | 5 << 16);
	CHECK_EQ(bios_bench_peek(&bench, PACKET + 16, 8), 40);
	CHECK_EQ(bios_bench_peek(&bench, PACKET + 24, 4), 0xeeee0800);
	bios_bench_poke(&bench, PACKET, 25, 2);
	CHECK_EQ(int13(0x4800, 0, 0x80).eax >> 8, 1);
}

WITH_DEVICE(test_waits_for_a_slow_disk)
{
	struct bios_frame f = {.eax = 0x0201, .ecx = 0x0001, .edx = 0x80, .es = BUFFER_SEG};
	disk->mode = FAKEBLOCK_HELD;
	bios_bench_out(&bench, 0x13, &f);
	CHECK_EQ(f.result, BIOS_AGAIN);
	CHECK_EQ(f.eax, 0x0201);
	bios_bench_out(&bench, 0x13, &f);
	CHECK_EQ(f.result, BIOS_AGAIN);
	CHECK_EQ(disk->held_count, 1);
	CHECK_EQ(at(BUFFER), 0);
	fakeblock_release(disk, 1);
	CHECK_EQ(at(BUFFER), 0); /* never behind the guest's back */
	bios_bench_out(&bench, 0x13, &f);
	CHECK_EQ(f.result, BIOS_DONE);
	CHECK_EQ(f.eax, 0x0001);
	CHECK_EQ(at(BUFFER), 0x55);
	CHECK_EQ(disk->count[BLOCK_READ], 1);
}

WITH_DEVICE(test_another_call_meanwhile_waits_for_its_turn)
{
	struct bios_frame outer = {.eax = 0x0201, .ecx = 0x0001, .edx = 0x80, .es = BUFFER_SEG};
	struct bios_frame inner = {.eax = 0x0201, .ecx = 0x0002, .edx = 0x80, .es = 0x3000};
	disk->mode = FAKEBLOCK_HELD;
	bios_bench_out(&bench, 0x13, &outer);
	bios_bench_out(&bench, 0x13, &inner);
	CHECK_EQ(inner.result, BIOS_AGAIN);
	CHECK_EQ(disk->held_count, 1);
	fakeblock_release(disk, 1);
	bios_bench_out(&bench, 0x13, &inner); /* begins now */
	CHECK_EQ(inner.result, BIOS_AGAIN);
	fakeblock_release(disk, 1);
	bios_bench_out(&bench, 0x13, &inner);
	CHECK_EQ(inner.result, BIOS_DONE);
	CHECK_EQ(at(0x30000), 1 ^ 0x55);
	CHECK_EQ(at(BUFFER), 0);
	bios_bench_out(&bench, 0x13, &outer); /* begins again */
	fakeblock_release(disk, 1);
	bios_bench_out(&bench, 0x13, &outer);
	CHECK_EQ(outer.result, BIOS_DONE);
	CHECK_EQ(at(BUFFER), 0x55);
}

WITH_DEVICE(test_a_call_that_was_abandoned_does_not_answer_for_the_next)
{
	const struct bios_frame write = {.eax = 0x0301,
					 .ecx = 0x0001,
					 .edx = 0x80,
					 .es = BUFFER_SEG,
					 .result = 0x7000}; /* as PUSHAD leaves it */
	struct bios_frame f = write;
	disk->mode = FAKEBLOCK_HELD;
	bios_bench_poke(&bench, BUFFER, 0x11, 1);
	bios_bench_out(&bench, 0x13, &f);
	CHECK_EQ(f.result, BIOS_AGAIN);
	/* A handler of an interrupt has thrown that stack away. The same call, with other data: */
	bios_bench_poke(&bench, BUFFER, 0x22, 1);
	f = write;
	do {
		bios_bench_out(&bench, 0x13, &f);
		fakeblock_release(disk, 1);
	} while (f.result == BIOS_AGAIN);
	CHECK_EQ(f.eax, 0x0001);
	CHECK_EQ(disk->data[0], 0x22);
	CHECK_EQ(disk->count[BLOCK_WRITE], 2);
}

WITH_DEVICE(test_a_reset_forgets_what_is_with_the_disk)
{
	struct bios_frame f = {.eax = 0x0201, .ecx = 0x0001, .edx = 0x80, .es = BUFFER_SEG};
	disk->mode = FAKEBLOCK_HELD;
	bios_bench_out(&bench, 0x13, &f);
	device_reset(bench.dev);
	fakeblock_release(disk, 1);
	CHECK_EQ(at(BUFFER), 0);
	bios_bench_out(&bench, 0x13, &f);
	CHECK_EQ(f.result, BIOS_AGAIN);
	fakeblock_release(disk, 1);
	bios_bench_out(&bench, 0x13, &f);
	CHECK_EQ(f.eax, 0x0001);
	CHECK_EQ(at(BUFFER), 0x55);
}

WITH_DEVICE(test_buffers_anywhere_harm_nothing)
{
	struct bios_frame f = {.eax = 0x0201, .ecx = 0x0003, .edx = 0x80, .es = 0xf000};
	uint64_t rom = bios_bench_peek(&bench, 0xf8200, 8);
	f.ebx = 0x8200; /* the ROM stays what it is */
	bios_bench_call(&bench, 0x13, &f);
	CHECK_EQ(f.eax, 0x0001);
	CHECK_EQ(bios_bench_peek(&bench, 0xf8200, 8), rom);
	f = (struct bios_frame){
		.eax = 0x0202, .ecx = 0x0003, .edx = 0x80, .es = 0xffff, .ebx = 0xfe00};
	bios_bench_call(&bench, 0x13, &f); /* above 1 MiB, not around to 0 */
	CHECK_EQ(f.eax, 0x0002);
	CHECK_EQ(at(0x10fdf0), 2 ^ 0x55);
	CHECK_EQ(at(0x10fdf0 + 1023), 3 ^ 0x55);
	f = (struct bios_frame){.eax = 0x0201, .ecx = 0x0003, .edx = 0x80, .es = 0xb800};
	bios_bench_call(&bench, 0x13, &f); /* onto the screen */
	CHECK_EQ(f.eax, 0x0001);
	CHECK_EQ(bios_bench_video(&bench, 0xb8000 + 511), 2 ^ 0x55);
	/* Far over the end of RAM, there and back */
	packet(24, 1, 7);
	bios_bench_poke(&bench, PACKET + 4, 0xffffffff, 4);
	bios_bench_poke(&bench, PACKET + 16, UINT64_MAX - 100, 8);
	CHECK_EQ(int13(0x4200, 0, 0x80).eax, 0);
	bios_bench_poke(&bench, PACKET + 16, BENCH_RAM - 256, 8);
	CHECK_EQ(int13(0x4300, 0, 0x80).eax, 0);
	CHECK_EQ(disk->data[7 * 512 + 255], 0);
	CHECK_EQ(disk->data[7 * 512 + 256], 0xff);
}

WITH_DEVICE(test_controllers_interrupts_are_noted)
{
	struct bios_frame f = {0};
	bios_bench_call(&bench, 0x0e, &f);
	CHECK_EQ(at(0x43e), 0x80);
	bios_bench_call(&bench, 0x76, &f);
	CHECK_EQ(at(0x48e), 0xff);
	CHECK_EQ(int13(0x0000, 0, 0x0000).eax, 0);
	CHECK_EQ(at(0x43e), 0);
	CHECK_EQ(int13(0x0000, 0, 0x0082).eax, 0x0100);
	CHECK_EQ(int13(0x1000, 0, 0x0080).eax, 0);
}

WITH_DEVICE(test_an_empty_drive_times_out)
{
	bios_bench_end(&bench);
	bios_bench_init(&bench);
	bios_bench_add_disk(&bench, BIOS_FLOPPY, FLOPPY_SIZE);
	bios_bench_add_disk(&bench, BIOS_CD, 2048);
	bench.cfg.disk[0].submit = NULL;
	bench.cfg.disk[1].submit = NULL;
	bios_bench_start(&bench);
	CHECK_EQ(int13(0x0201, 0x0001, 0).eax, 0x8000);
	packet(16, 1, 0);
	CHECK_EQ(int13(0x4200, 0, 0xe0).eax >> 8, 0x31);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_reads_by_cylinder_head_and_sector),
		TEST_CASE(test_refuses_sectors_that_are_not_there),
		TEST_CASE(test_the_rest_behind_the_last_cylinder_is_there),
		TEST_CASE(test_writes_verifies_and_formats),
		TEST_CASE(test_read_only_drives_refuse_writes),
		TEST_CASE(test_disk_errors_are_told_with_what_was_done),
		TEST_CASE(test_tells_drive_parameters),
		TEST_CASE(test_reads_by_block),
		TEST_CASE(test_a_floppy_has_no_blocks_and_keeps_its_own_status),
		TEST_CASE(test_refuses_bad_packets),
		TEST_CASE(test_tells_parameters_for_blocks),
		TEST_CASE(test_waits_for_a_slow_disk),
		TEST_CASE(test_another_call_meanwhile_waits_for_its_turn),
		TEST_CASE(test_a_call_that_was_abandoned_does_not_answer_for_the_next),
		TEST_CASE(test_a_reset_forgets_what_is_with_the_disk),
		TEST_CASE(test_buffers_anywhere_harm_nothing),
		TEST_CASE(test_controllers_interrupts_are_noted),
		TEST_CASE(test_an_empty_drive_times_out),
	};
	return TEST_RUN(cases);
}
