/*
 * Disk geometry: what can be told of a hard disk from its first sector
 * (ATA/ATAPI-6, annex C; the Phoenix EDD 3.0 specification for the translation).
 */
#include "geometry.h"

#include <stdbool.h>
#include <stddef.h>

#define SECTOR	      512u
#define CYLINDERS_MAX 1024u
#define BPB_SECTORS   0x18 /* words: sectors per track, heads */
#define BPB_HEADS     0x1a
#define PARTITIONS    0x1be
#define MAGIC	      0x1fe

void geometry_drive(uint64_t size, struct config_geometry *ret_geometry)
{
	uint64_t cylinders = size / SECTOR / (16 * 63);
	*ret_geometry = (struct config_geometry){cylinders > 16383 ? 16383u
						 : cylinders	   ? (unsigned)cylinders
								   : 1,
						 16, 63};
}

static unsigned geometry_word(const uint8_t *p)
{
	return (unsigned)(p[0] | p[1] << 8);
}

/* A FAT's own parameters: jump, bytes in a sector, heads and sectors that can be. */
static bool geometry_of_fat(const uint8_t *s, unsigned *ret_heads, unsigned *ret_sectors)
{
	if ((s[0] != 0xeb && s[0] != 0xe9) || geometry_word(s + 0x0b) != SECTOR)
		return false;
	*ret_heads = geometry_word(s + BPB_HEADS);
	*ret_sectors = geometry_word(s + BPB_SECTORS);
	return true;
}

static uint32_t geometry_dword(const uint8_t *p)
{
	return geometry_word(p) | (uint32_t)geometry_word(p + 2) << 16;
}

/* Whether cylinder, head and sector at @p are block @lba. The last cylinder stands for more. */
static bool geometry_is_block(const uint8_t *p, uint64_t lba, unsigned heads, unsigned sectors)
{
	unsigned cylinder = p[2] | (p[1] & 0xc0u) << 2;
	return cylinder >= CYLINDERS_MAX - 1 ||
	       ((uint64_t)cylinder * heads + p[0]) * sectors + (p[1] & 0x3f) == lba + 1;
}

/* Whether all partitions begin and end where they say in both ways. */
static bool geometry_fits(const uint8_t *s, unsigned heads, unsigned sectors)
{
	for (const uint8_t *p = s + PARTITIONS; p < s + MAGIC; p += 16) {
		uint64_t first = geometry_dword(p + 8), count = geometry_dword(p + 12);
		if (p[4] && (!geometry_is_block(p + 1, first, heads, sectors) ||
			     !geometry_is_block(p + 5, first + count - 1, heads, sectors)))
			return false;
	}
	return true;
}

/*
 * Partitions used to end at the end of a cylinder: the largest head and sector there are the
 * disk's. Tools of today end them anywhere; then it is one of those that they take disks for.
 */
static bool geometry_of_partitions(const uint8_t *s, unsigned *ret_heads, unsigned *ret_sectors)
{
	static const uint8_t usual[][2] = {{255, 63}, {16, 63},	 {32, 63},
					   {64, 63},  {128, 63}, {64, 32}};
	*ret_heads = *ret_sectors = 0;
	for (const uint8_t *p = s + PARTITIONS; p < s + MAGIC; p += 16) {
		unsigned head = p[5] + 1u, sector = p[6] & 0x3f;
		if (!p[4])
			continue;
		if (head > *ret_heads)
			*ret_heads = head;
		if (sector > *ret_sectors)
			*ret_sectors = sector;
	}
	if (!*ret_sectors || geometry_fits(s, *ret_heads, *ret_sectors))
		return *ret_sectors > 0;
	for (unsigned i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		if (geometry_fits(s, usual[i][0], usual[i][1])) {
			*ret_heads = usual[i][0];
			*ret_sectors = usual[i][1];
			break;
		}
	}
	return true;
}

static bool geometry_set(uint64_t size, unsigned heads, unsigned sectors,
			 struct config_geometry *ret_geometry)
{
	if (heads < 1 || heads > 255 || sectors < 1 || sectors > 63)
		return false;
	uint64_t cylinders = size / SECTOR / (heads * sectors);
	if (!cylinders)
		cylinders = 1;
	*ret_geometry = (struct config_geometry){
		cylinders > CYLINDERS_MAX ? CYLINDERS_MAX : (unsigned)cylinders, heads, sectors};
	return true;
}

void geometry_disk(const uint8_t sector[SECTOR], uint64_t size,
		   struct config_geometry *ret_geometry)
{
	unsigned heads, sectors;
	bool is_bootable = geometry_word(sector + MAGIC) == 0xaa55;
	if (is_bootable && geometry_of_fat(sector, &heads, &sectors) &&
	    geometry_set(size, heads, sectors, ret_geometry))
		return;
	if (is_bootable && geometry_of_partitions(sector, &heads, &sectors) &&
	    geometry_set(size, heads, sectors, ret_geometry))
		return;
	for (heads = 16; heads < 128 && size / SECTOR / (heads * 63) > CYLINDERS_MAX; heads *= 2)
		;
	if (size / SECTOR / (heads * 63) > CYLINDERS_MAX)
		heads = 255;
	(void)geometry_set(size, heads, 63, ret_geometry);
}
