/* boot_root_find(): filesystems, MBR and GPT on tiny synthetic disks. */
#include "test.h"

#include <tinyvm/boot.h>
#include <zlib.h>

#define SECTORS 2048

static uint8_t disk[SECTORS * 512];
static struct boot_root root;

static int64_t disk_read(void *ctx, void *buf, size_t len, uint64_t off)
{
	uint64_t size = *(uint64_t *)ctx;
	if (off > size)
		return 0;
	size_t n = len < size - off ? len : (size_t)(size - off);
	memcpy(buf, disk + off, n);
	return (int64_t)n;
}

static int64_t disk_fail(void *ctx, void *buf, size_t len, uint64_t off)
{
	(void)ctx, (void)buf, (void)len, (void)off;
	return -EIO;
}

static int find(void)
{
	uint64_t size = sizeof(disk);
	root = (struct boot_root){.suffix = "?"};
	return boot_root_find(disk_read, &size, sizeof(disk), &root);
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void disk_clear(void)
{
	memset(disk, 0, sizeof(disk));
}

/* Entry @i of the partition table in sector @at. */
static void mbr_put(unsigned at, unsigned i, uint8_t type, uint32_t start, uint32_t sectors)
{
	uint8_t *s = disk + (size_t)at * 512, *e = s + 446 + i * 16;
	s[510] = 0x55;
	s[511] = 0xaa;
	e[4] = type;
	put32(e + 8, start);
	put32(e + 12, sectors);
}

static void test_filesystems_on_the_whole_disk(void)
{
	static const struct {
		uint32_t off;
		const char *magic, *filesystem;
		bool is_read_only;
	} table[] = {
		{0x438, "\x53\xef", "ext4", false},    {0, "XFSB", "xfs", false},
		{0x10040, "_BHRfS_M", "btrfs", false}, {0x400, "\x10\x20\xf5\xf2", "f2fs", false},
		{0, "hsqs", "squashfs", true},	       {0x400, "\xe2\xe1\xf5\xe0", "erofs", true},
		{0x8001, "CD001", "iso9660", true},    {0x36, "FAT16   ", "vfat", false},
		{0x52, "FAT32   ", "vfat", false},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		disk_clear();
		memcpy(disk + table[i].off, table[i].magic, strlen(table[i].magic));
		CHECK_EQ(find(), 0);
		CHECK_STR(root.suffix, "");
		CHECK_STR(root.filesystem, table[i].filesystem);
		CHECK_EQ(root.is_read_only, table[i].is_read_only);
	}
}

static void test_nothing_found_is_enoent(void)
{
	uint64_t size;
	disk_clear();
	CHECK_EQ(find(), -ENOENT);
	CHECK_STR(root.suffix, "?");
	for (size = 0; size < 2048; size += 511)
		CHECK_EQ(boot_root_find(disk_read, &size, size, &root), -ENOENT);
	size = 100; /* an image that became shorter than it was said to be */
	CHECK_EQ(boot_root_find(disk_read, &size, sizeof(disk), &root), -ENOENT);
	CHECK_EQ(boot_root_find(disk_fail, NULL, sizeof(disk), &root), -EIO);
}

static void test_only_linux_partition_of_an_mbr(void)
{
	disk_clear();
	mbr_put(0, 0, 0x82, 8, 8); /* swap */
	mbr_put(0, 2, 0x83, 64, 512);
	CHECK_EQ(find(), 0);
	CHECK_STR(root.suffix, "3");
	CHECK(!root.filesystem);
	memcpy(disk + 64 * 512 + 0x438, "\x53\xef", 2);
	CHECK_EQ(find(), 0);
	CHECK_STR(root.filesystem, "ext4");
	mbr_put(0, 3, 0x83, 1024, 512);
	CHECK_EQ(find(), -ENOTUNIQ);
	mbr_put(0, 3, 0x83, SECTORS, 512); /* beyond the end of the disk */
	CHECK_EQ(find(), 0);
	mbr_put(0, 3, 0x83, 1024, 0); /* empty */
	CHECK_EQ(find(), 0);
	disk[446] = 0x80; /* bootable */
	CHECK_EQ(find(), 0);
	disk[446] = 0x33; /* code, not a table */
	CHECK_EQ(find(), -ENOENT);
	disk[446] = 0;
	disk[511] = 0;
	CHECK_EQ(find(), -ENOENT);
}

static void test_logical_partitions_are_numbered_from_5(void)
{
	disk_clear();
	mbr_put(0, 0, 0x07, 8, 8);
	mbr_put(0, 1, 0x0f, 100, 1000);
	mbr_put(100, 0, 0x82, 1, 10);
	mbr_put(100, 1, 0x05, 200, 100); /* relative to the extended partition */
	mbr_put(300, 0, 0x83, 1, 10);
	CHECK_EQ(find(), 0);
	CHECK_STR(root.suffix, "6");
	memcpy(disk + 301 * 512, "hsqs", 4);
	CHECK_EQ(find(), 0);
	CHECK_STR(root.filesystem, "squashfs");
	/* A chain that bites its tail ends all the same. */
	mbr_put(300, 1, 0x05, 200, 100);
	CHECK_EQ(find(), -ENOTUNIQ);
	mbr_put(300, 0, 0x82, 1, 10);
	CHECK_EQ(find(), -ENOENT);
	mbr_put(300, 1, 0x05, 0xffffffff, 100);
	CHECK_EQ(find(), -ENOENT);
}

static const uint8_t type_root[16] = {0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d,
				      0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09};
static const uint8_t type_data[16] = {0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47,
				      0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4};
static const uint8_t type_esp[16] = {0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
				     0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};

static void gpt_seal(void)
{
	uint8_t *h = disk + 512;
	uint32_t count = h[80], size = h[84];
	put32(h + 88, (uint32_t)crc32(0, disk + 1024, count * size));
	put32(h + 16, 0);
	put32(h + 16, (uint32_t)crc32(0, h, 92));
}

static void gpt_make(void)
{
	uint8_t *h = disk + 512;
	disk_clear();
	mbr_put(0, 0, 0xee, 1, SECTORS - 1);
	memcpy(h, "EFI PART", 8);
	put32(h + 8, 0x10000);
	put32(h + 12, 92);
	h[24] = 1;
	h[72] = 2;
	h[80] = 128;
	h[84] = 128;
	gpt_seal();
}

static void gpt_put(unsigned i, const uint8_t type[16])
{
	memcpy(disk + 1024 + (size_t)i * 128, type, 16);
	gpt_seal();
}

static void test_only_linux_partition_of_a_gpt(void)
{
	gpt_make();
	CHECK_EQ(find(), -ENOENT);
	gpt_put(0, type_esp);
	gpt_put(127, type_data);
	CHECK_EQ(find(), 0);
	CHECK_STR(root.suffix, "128");
	gpt_put(1, type_data);
	CHECK_EQ(find(), -ENOTUNIQ);
	gpt_put(13, type_root); /* says what it is */
	CHECK_EQ(find(), 0);
	CHECK_STR(root.suffix, "14");
}

static void test_damaged_gpt_is_not_believed(void)
{
	gpt_make();
	gpt_put(0, type_root);
	CHECK_EQ(find(), 0);
	for (unsigned off = 512; off < 512 + 92; off++) {
		if (off >= 512 + 16 && off < 512 + 20)
			continue;
		disk[off] ^= 1;
		CHECK_EQ(find(), -ENOENT);
		disk[off] ^= 1;
	}
	disk[1024 + 77] ^= 1; /* an entry */
	CHECK_EQ(find(), -ENOENT);
	gpt_make();
	gpt_put(0, type_root);
	static const struct {
		unsigned off;
		uint32_t value;
	} hostile[] = {
		{12, 0xffffffff}, {12, 91},	    {12, 513}, {80, 0xffffffff},
		{80, 0},	  {84, 0xffffffff}, {84, 0},   {84, 127},
		{72, 0xffffffff}, {76, 0x80000000}, {72, 1},   {72, SECTORS - 1},
	};
	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		gpt_make();
		gpt_put(0, type_root);
		put32(disk + 512 + hostile[i].off, hostile[i].value);
		uint32_t size = hostile[i].off == 12 ? 92 : disk[512 + 12];
		put32(disk + 512 + 16, 0);
		put32(disk + 512 + 16, (uint32_t)crc32(0, disk + 512, size));
		CHECK_EQ(find(), -ENOENT);
	}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_filesystems_on_the_whole_disk),
		TEST_CASE(test_nothing_found_is_enoent),
		TEST_CASE(test_only_linux_partition_of_an_mbr),
		TEST_CASE(test_logical_partitions_are_numbered_from_5),
		TEST_CASE(test_only_linux_partition_of_a_gpt),
		TEST_CASE(test_damaged_gpt_is_not_believed),
	};
	return TEST_RUN(cases);
}
