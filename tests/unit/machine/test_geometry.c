/* Geometries that are told from a disk's first sector, or its size. */
#include "geometry.h"
#include "test.h"

#include <string.h>

#define MIB (1024ull * 1024)

static uint8_t sector[512];
static struct config_geometry g;

static void set_up(void)
{
	memset(sector, 0, sizeof(sector));
	sector[510] = 0x55;
	sector[511] = 0xaa;
}

static void put32(uint8_t *p, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

static void put_chs(uint8_t *p, unsigned cylinder, unsigned head, unsigned in_track)
{
	p[0] = (uint8_t)head;
	p[1] = (uint8_t)(in_track | (cylinder >> 2 & 0xc0));
	p[2] = (uint8_t)cylinder;
}

/* A partition as a tool writes it that takes the disk for one of @heads and @sectors. */
static void put_partition(unsigned n, uint32_t first, uint32_t count, unsigned heads,
			  unsigned sectors)
{
	uint8_t *p = sector + 0x1be + n * 16;
	const uint32_t lba[2] = {first, first + count - 1};
	p[4] = 6;
	put32(p + 8, first);
	put32(p + 12, count);
	for (unsigned i = 0; i < 2; i++) {
		unsigned cylinder = lba[i] / sectors / heads;
		if (cylinder > 1023)
			put_chs(p + 1 + i * 4, 1023, heads - 1, sectors);
		else
			put_chs(p + 1 + i * 4, cylinder, lba[i] / sectors % heads,
				lba[i] % sectors + 1);
	}
}

#define CHECK_GEOMETRY(size, c, h, s)            \
	do {                                     \
		geometry_disk(sector, size, &g); \
		CHECK_EQ(g.cylinders, c);        \
		CHECK_EQ(g.heads, h);            \
		CHECK_EQ(g.sectors, s);          \
	} while (0)

static void test_an_empty_disk_is_cut_as_large_disks_are(void)
{
	set_up();
	CHECK_GEOMETRY(10 * MIB, 20, 16, 63);
	CHECK_GEOMETRY(504 * MIB, 1024, 16, 63);
	CHECK_GEOMETRY(1000 * MIB, 1015, 32, 63);
	CHECK_GEOMETRY(4000 * MIB, 1015, 128, 63);
	CHECK_GEOMETRY(5000 * MIB, 637, 255, 63);
	CHECK_GEOMETRY(100000 * MIB, 1024, 255, 63);
	CHECK_GEOMETRY(512, 1, 16, 63);
}

static void test_the_parameters_of_a_fat_come_first(void)
{
	set_up();
	sector[0] = 0xeb;
	sector[0x0c] = 2; /* 512 bytes */
	sector[0x18] = 17;
	sector[0x1a] = 4;
	CHECK_GEOMETRY(20 * MIB, 602, 4, 17);
	sector[0x18] = 64; /* none */
	CHECK_GEOMETRY(10 * MIB, 20, 16, 63);
}

static void test_partitions_that_end_with_a_cylinder_tell_the_geometry(void)
{
	set_up();
	put_partition(0, 17, 100 * 4 * 17 - 17, 4, 17);
	put_partition(1, 100 * 4 * 17, 200 * 4 * 17, 4, 17);
	CHECK_GEOMETRY(20 * MIB, 602, 4, 17);
	set_up();
	put_partition(0, 2048, 9000 * 2048, 255, 63); /* beyond what cylinders can say */
	CHECK_GEOMETRY(9001 * MIB, 1024, 255, 63);
}

/* As tools of today do it: the next MiB, wherever on a track that is. */
static void test_partitions_that_end_anywhere_fit_the_geometry_they_were_made_for(void)
{
	set_up();
	put_partition(0, 2048, 9 * 2048, 255, 63);
	CHECK_GEOMETRY(10 * MIB, 1, 255, 63);
	set_up();
	put_partition(0, 2048, 7999 * 2048, 255, 63);
	CHECK_GEOMETRY(8000 * MIB, 1019, 255, 63);
	set_up();
	put_partition(0, 2048, 4 * 2048, 16, 63);
	put_partition(1, 5 * 2048, 5 * 2048, 16, 63);
	CHECK_GEOMETRY(10 * MIB, 20, 16, 63);
	set_up();
	put_partition(0, 2048, 9 * 2048 - 5, 64, 32);
	CHECK_GEOMETRY(10 * MIB, 10, 64, 32);
}

static void test_a_table_that_fits_nothing_is_taken_by_its_word(void)
{
	set_up();
	put_partition(0, 17, 100 * 4 * 17 - 17, 4, 17);
	put32(sector + 0x1be + 8, 123);
	CHECK_GEOMETRY(20 * MIB, 602, 4, 17);
	set_up();
	memset(sector + 0x1be, 0xff, 64); /* 256 heads: none */
	CHECK_GEOMETRY(10 * MIB, 20, 16, 63);
}

static void test_a_drive_has_16_heads_and_63_sectors(void)
{
	geometry_drive(10 * MIB, &g);
	CHECK_EQ(g.cylinders, 20);
	CHECK_EQ(g.heads, 16);
	CHECK_EQ(g.sectors, 63);
	geometry_drive(100000 * MIB, &g);
	CHECK_EQ(g.cylinders, 16383);
	geometry_drive(512, &g);
	CHECK_EQ(g.cylinders, 1);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_an_empty_disk_is_cut_as_large_disks_are),
		TEST_CASE(test_the_parameters_of_a_fat_come_first),
		TEST_CASE(test_partitions_that_end_with_a_cylinder_tell_the_geometry),
		TEST_CASE(test_partitions_that_end_anywhere_fit_the_geometry_they_were_made_for),
		TEST_CASE(test_a_table_that_fits_nothing_is_taken_by_its_word),
		TEST_CASE(test_a_drive_has_16_heads_and_63_sectors),
	};
	return TEST_RUN(cases);
}
