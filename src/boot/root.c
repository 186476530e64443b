/*
 * What a disk image's root= should be: a filesystem on the whole disk, or its only Linux partition;
 * and which filesystem that is.
 *
 * Models the superblock magics of the common filesystems, MBR partition tables with logical
 * partitions, and GUID partition tables (UEFI 2.10 section 5), numbered as Linux numbers them.
 * Left out on purpose: LVM, RAID, LUKS, the backup GPT (Linux does not use it unasked either),
 * sectors other than 512 bytes.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/boot.h>
#include <zlib.h>

#define SECTOR		 512
#define MBR_ENTRIES	 446
#define MBR_ENTRY_SIZE	 16
#define MBR_LINUX	 0x83
#define MBR_PROTECTIVE	 0xee
#define MBR_LOGICAL	 5 /* the first logical partition's number */
#define PARTITION_MAX	 128
#define GPT_HEADER_SIZE	 92
#define GPT_ENTRY_SIZE	 128 /* at least */
#define GPT_ENTRIES_SIZE (128 << 10)

struct root_disk {
	int64_t (*read)(void *ctx, void *buf, size_t len, uint64_t offset);
	void *ctx;
	uint64_t size;
};

static uint32_t le32_at(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t le64_at(const uint8_t *p)
{
	return le32_at(p) | (uint64_t)le32_at(p + 4) << 32;
}

/* Return: 0, -ENODATA when the disk ends before, the reader's error. */
static int disk_read(const struct root_disk *d, void *buf, size_t len, uint64_t off)
{
	if (off > d->size || len > d->size - off)
		return -ENODATA;
	int64_t n = d->read(d->ctx, buf, len, off);
	if (n < 0)
		return (int)n;
	return (uint64_t)n == len ? 0 : -ENODATA;
}

/* What @ret says of the filesystem that begins at @start, if any. Return: 0, -errno. */
static int root_identify(const struct root_disk *d, uint64_t start, struct boot_root *ret)
{
	static const struct {
		uint32_t off;
		uint8_t len;
		const char *magic;
		const char *filesystem;
		bool is_read_only;
	} table[] = {
		{0x438, 2, "\x53\xef", "ext4", false}, /* ext2 and 3, too */
		{0, 4, "XFSB", "xfs", false},
		{0x10040, 8, "_BHRfS_M", "btrfs", false},
		{0x400, 4, "\x10\x20\xf5\xf2", "f2fs", false},
		{0, 4, "hsqs", "squashfs", true},
		{0x400, 4, "\xe2\xe1\xf5\xe0", "erofs", true},
		{0x8001, 5, "CD001", "iso9660", true},
		{0x36, 5, "FAT12", "vfat", false},
		{0x36, 5, "FAT16", "vfat", false},
		{0x52, 5, "FAT32", "vfat", false},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char buf[8];
		int rc = disk_read(d, buf, table[i].len, start + table[i].off);
		if (rc && rc != -ENODATA)
			return rc;
		if (!rc && memcmp(buf, table[i].magic, table[i].len) == 0) {
			ret->filesystem = table[i].filesystem;
			ret->is_read_only = table[i].is_read_only;
			return 0;
		}
	}
	return 0;
}

/* What has been found so far. */
struct root_find {
	unsigned number; /* of the last one, and its first sector */
	uint64_t start;
	unsigned count;
};

static void root_found(struct root_find *find, unsigned number, uint64_t start)
{
	if (number > PARTITION_MAX)
		return;
	find->number = number;
	find->start = start;
	find->count++;
}

static bool mbr_is_extended(uint8_t type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

/* Walks the chain of extended boot records; the bound on numbers ends a loop. */
static int mbr_find_logical(const struct root_disk *d, uint64_t extended, struct root_find *find)
{
	uint64_t at = extended;
	for (unsigned number = MBR_LOGICAL; number <= PARTITION_MAX; number++) {
		uint8_t sector[SECTOR];
		int rc = disk_read(d, sector, sizeof(sector), at * SECTOR);
		if (rc)
			return rc == -ENODATA ? 0 : rc;
		if (sector[510] != 0x55 || sector[511] != 0xaa)
			return 0;
		const uint8_t *entry = sector + MBR_ENTRIES, *next = entry + MBR_ENTRY_SIZE;
		if (entry[4] == MBR_LINUX && le32_at(entry + 12))
			root_found(find, number, at + le32_at(entry + 8));
		if (!mbr_is_extended(next[4]) || le32_at(next + 8) == 0)
			return 0;
		at = extended + le32_at(next + 8);
	}
	return 0;
}

static int mbr_find(const struct root_disk *d, const uint8_t *sector, struct root_find *find)
{
	for (unsigned i = 0; i < 4; i++)
		if (sector[MBR_ENTRIES + i * MBR_ENTRY_SIZE] & 0x7f)
			return 0; /* not a boot indicator: some other kind of boot sector */
	for (unsigned i = 0; i < 4; i++) {
		const uint8_t *entry = sector + MBR_ENTRIES + i * MBR_ENTRY_SIZE;
		uint64_t start = le32_at(entry + 8);
		if (start == 0 || le32_at(entry + 12) == 0 || start * SECTOR >= d->size)
			continue;
		if (entry[4] == MBR_LINUX)
			root_found(find, i + 1, start);
		int rc = mbr_is_extended(entry[4]) ? mbr_find_logical(d, start, find) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

/* Checks the header's CRC and bounds, and the entries' CRC. Return: 1, 0 not a GPT, -errno. */
static int gpt_read(const struct root_disk *d, uint8_t *entries, uint32_t *ret_count,
		    uint32_t *ret_size)
{
	uint8_t h[SECTOR];
	int rc = disk_read(d, h, sizeof(h), SECTOR);
	if (rc)
		return rc == -ENODATA ? 0 : rc;
	uint32_t header_size = le32_at(h + 12), crc = le32_at(h + 16);
	if (memcmp(h, "EFI PART", 8) != 0 || header_size < GPT_HEADER_SIZE ||
	    header_size > sizeof(h))
		return 0;
	memset(h + 16, 0, 4);
	if (crc32(0, h, header_size) != crc || le64_at(h + 24) != 1)
		return 0;

	uint64_t lba = le64_at(h + 72);
	uint32_t count = le32_at(h + 80), size = le32_at(h + 84);
	if (size < GPT_ENTRY_SIZE || size > GPT_ENTRIES_SIZE || count == 0 ||
	    count > GPT_ENTRIES_SIZE / size || lba < 2 || lba > d->size / SECTOR)
		return 0;
	rc = disk_read(d, entries, (size_t)count * size, lba * SECTOR);
	if (rc)
		return rc == -ENODATA ? 0 : rc;
	if (crc32(0, entries, count * size) != le32_at(h + 88))
		return 0;
	*ret_count = count;
	*ret_size = size;
	return 1;
}

static void gpt_find(const uint8_t *entries, uint32_t count, uint32_t size, const uint8_t type[16],
		     struct root_find *find)
{
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *entry = entries + (size_t)i * size;
		if (memcmp(entry, type, 16) == 0)
			root_found(find, i + 1, le64_at(entry + 32));
	}
}

static int root_find_gpt(const struct root_disk *d, struct root_find *find)
{
	/* 4f68bce3-e8cd-4db1-96e7-fbcaf984b709, 0fc63daf-8483-4772-8e79-3d69d8477de4, both
	 * little-endian in their first three groups */
	static const uint8_t root_x86_64[16] = {0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d,
						0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09};
	static const uint8_t linux_data[16] = {0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47,
					       0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4};
	uint8_t *entries = malloc(GPT_ENTRIES_SIZE);
	uint32_t count = 0, size = 0;
	if (!entries)
		return -ENOMEM;
	int rc = gpt_read(d, entries, &count, &size);
	if (rc > 0) {
		/* A partition that says it is the root beats those that hold just something. */
		gpt_find(entries, count, size, root_x86_64, find);
		if (find->count == 0)
			gpt_find(entries, count, size, linux_data, find);
	}
	free(entries);
	return rc < 0 ? rc : 0;
}

static int root_find_partition(const struct root_disk *d, struct root_find *find)
{
	uint8_t sector[SECTOR];
	int rc = disk_read(d, sector, sizeof(sector), 0);
	if (rc)
		return rc == -ENODATA ? 0 : rc;
	if (sector[510] != 0x55 || sector[511] != 0xaa)
		return 0;
	for (unsigned i = 0; i < 4; i++)
		if (sector[MBR_ENTRIES + i * MBR_ENTRY_SIZE + 4] == MBR_PROTECTIVE)
			return root_find_gpt(d, find);
	return mbr_find(d, sector, find);
}

int boot_root_find(int64_t (*read)(void *ctx, void *buf, size_t len, uint64_t offset), void *ctx,
		   uint64_t disk_size, struct boot_root *ret_root)
{
	const struct root_disk d = {read, ctx, disk_size};
	struct boot_root root = {0};
	int rc = root_identify(&d, 0, &root);
	if (!rc && !root.filesystem) {
		struct root_find find = {0};
		rc = root_find_partition(&d, &find);
		if (!rc && find.count != 1)
			rc = find.count ? -ENOTUNIQ : -ENOENT;
		if (!rc && find.start <= disk_size / SECTOR)
			rc = root_identify(&d, find.start * SECTOR, &root);
		snprintf(root.suffix, sizeof(root.suffix), "%u", find.number % 1000);
	}
	if (!rc)
		*ret_root = root;
	return rc;
}
