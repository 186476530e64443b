/* The DMA controllers: registers, and bytes to and from guest memory. */
#include "dma8237.h"
#include "test.h"

#include <tinyvm/gmem.h>

static struct dma8237 dma;
static struct gmem *gm;

static void set_up(void)
{
	if (gmem_create(&gm, 1 << 20) != 0)
		abort();
	dma = (struct dma8237){.gm = gm};
	dma8237_reset(&dma);
}

static void tear_down(void)
{
	gmem_destroy(gm);
}

static void out(unsigned reg, uint8_t value)
{
	dma8237_write(&dma, 0, reg, value);
}

/* As drivers do it: channel 2. */
static void program(uint8_t mode, uint32_t addr, uint16_t count)
{
	out(10, 6);
	out(12, 0);
	out(11, mode | 2);
	out(4, (uint8_t)addr);
	out(4, (uint8_t)(addr >> 8));
	dma.page[1] = (uint8_t)(addr >> 16);
	out(5, (uint8_t)count);
	out(5, (uint8_t)(count >> 8));
	out(10, 2);
}

static uint16_t current(unsigned reg)
{
	out(12, 0);
	uint16_t low = dma8237_read(&dma, 0, reg);
	return (uint16_t)(low | dma8237_read(&dma, 0, reg) << 8);
}

WITH_DEVICE(test_dma_channels_begin_masked)
{
	CHECK_EQ(dma8237_read(&dma, 0, 15), 0xff);
	CHECK_EQ(dma8237_read(&dma, 1, 15), 0xfe);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(dma8237_room(&dma, i), 0);
}

WITH_DEVICE(test_dma_writes_to_memory_up_to_the_terminal_count)
{
	uint8_t got[8] = {0};
	bool is_done;
	program(0x44, 0x12345, 5);
	CHECK_EQ(dma8237_room(&dma, 2), 6);
	CHECK_EQ(dma8237_to_memory(&dma, 2, (const uint8_t *)"abcd", 4, &is_done), 4);
	CHECK(!is_done);
	CHECK_EQ(current(4), 0x2349);
	CHECK_EQ(current(5), 1);
	CHECK_EQ(dma8237_read(&dma, 0, 8), 0);
	CHECK_EQ(dma8237_to_memory(&dma, 2, (const uint8_t *)"efgh", 4, &is_done), 2);
	CHECK(is_done);
	CHECK_EQ(gmem_read(gm, 0x12345, got, 7), 0);
	CHECK_EQ(memcmp(got, "abcdef\0", 7), 0);
	CHECK_EQ(dma8237_read(&dma, 0, 8), 0x04);
	CHECK_EQ(dma8237_read(&dma, 0, 8), 0x00); /* reading clears */
	CHECK_EQ(current(5), 0xffff);
	CHECK_EQ(dma8237_room(&dma, 2), 0); /* masked itself */
	CHECK_EQ(dma8237_to_memory(&dma, 2, (const uint8_t *)"x", 1, &is_done), 0);
	CHECK(!is_done);
}

WITH_DEVICE(test_dma_reads_from_memory)
{
	uint8_t got[4];
	bool is_done;
	CHECK_EQ(gmem_write(gm, 0x8000, "wxyz", 4), 0);
	program(0x48, 0x8000, 3);
	CHECK_EQ(dma8237_from_memory(&dma, 2, got, 4, &is_done), 4);
	CHECK(is_done);
	CHECK_EQ(memcmp(got, "wxyz", 4), 0);
}

WITH_DEVICE(test_dma_wraps_within_64_kib)
{
	uint8_t got[2];
	bool is_done;
	program(0x44, 0x2fffe, 3);
	CHECK_EQ(dma8237_to_memory(&dma, 2, (const uint8_t *)"abcd", 4, &is_done), 4);
	CHECK_EQ(gmem_read(gm, 0x2fffe, got, 2), 0);
	CHECK_EQ(memcmp(got, "ab", 2), 0);
	CHECK_EQ(gmem_read(gm, 0x20000, got, 2), 0);
	CHECK_EQ(memcmp(got, "cd", 2), 0);
}

WITH_DEVICE(test_dma_counts_down_too)
{
	uint8_t got[3];
	bool is_done;
	program(0x64, 0x10000, 2);
	CHECK_EQ(dma8237_to_memory(&dma, 2, (const uint8_t *)"abc", 3, &is_done), 3);
	CHECK_EQ(gmem_read(gm, 0x1fffe, got, 2), 0);
	CHECK_EQ(memcmp(got, "cb", 2), 0);
	CHECK_EQ(gmem_read(gm, 0x10000, got, 1), 0);
	CHECK_EQ(got[0], 'a');
}

WITH_DEVICE(test_dma_auto_initialization_begins_anew)
{
	uint8_t got[4];
	bool is_done;
	program(0x54, 0x4000, 1);
	CHECK_EQ(dma8237_to_memory(&dma, 2, (const uint8_t *)"ab", 2, &is_done), 2);
	CHECK(is_done);
	CHECK_EQ(dma8237_room(&dma, 2), 2);
	CHECK_EQ(current(4), 0x4000);
	CHECK_EQ(dma8237_to_memory(&dma, 2, (const uint8_t *)"c", 1, &is_done), 1);
	CHECK(!is_done);
	CHECK_EQ(gmem_read(gm, 0x4000, got, 2), 0);
	CHECK_EQ(memcmp(got, "cb", 2), 0);
}

WITH_DEVICE(test_dma_verify_counts_and_moves_nothing)
{
	uint8_t got[4];
	bool is_done;
	program(0x40, 0x4000, 3);
	CHECK_EQ(dma8237_to_memory(&dma, 2, (const uint8_t *)"abcd", 4, &is_done), 4);
	CHECK(is_done);
	CHECK_EQ(gmem_read(gm, 0x4000, got, 4), 0);
	CHECK_EQ(memcmp(got, "\0\0\0\0", 4), 0);
	program(0x44, 0x4000, 3); /* the wrong way around */
	CHECK_EQ(dma8237_from_memory(&dma, 2, got, 4, &is_done), 4);
	CHECK_EQ(memcmp(got, "\xff\xff\xff\xff", 4), 0);
}

WITH_DEVICE(test_dma_outside_of_ram_is_survived)
{
	uint8_t got[4] = {0};
	bool is_done;
	program(0x44, 0xff0000, 3);
	CHECK_EQ(dma8237_to_memory(&dma, 2, (const uint8_t *)"abcd", 4, &is_done), 4);
	program(0x48, 0xff0000, 3);
	CHECK_EQ(dma8237_from_memory(&dma, 2, got, 4, &is_done), 4);
	CHECK_EQ(memcmp(got, "\xff\xff\xff\xff", 4), 0);
}

WITH_DEVICE(test_dma_can_be_held_up_in_three_places)
{
	program(0x44, 0x4000, 3);
	CHECK_EQ(dma8237_room(&dma, 2), 4);
	out(8, 0x04);
	CHECK_EQ(dma8237_room(&dma, 2), 0);
	out(8, 0);
	out(15, 0x0f);
	CHECK_EQ(dma8237_room(&dma, 2), 0);
	out(14, 0);
	CHECK_EQ(dma8237_room(&dma, 2), 4);
	dma8237_write(&dma, 1, 10, 4); /* the cascade */
	CHECK_EQ(dma8237_room(&dma, 2), 0);
	dma8237_write(&dma, 1, 10, 0);
	CHECK_EQ(dma8237_room(&dma, 2), 4);
	out(13, 0);
	CHECK_EQ(dma8237_room(&dma, 2), 0);
}

WITH_DEVICE(test_dma_longest_transfer_is_64_kib)
{
	static uint8_t buf[0x10000 + 1];
	bool is_done;
	program(0x44, 0x30000, 0xffff);
	CHECK_EQ(dma8237_to_memory(&dma, 2, buf, sizeof(buf), &is_done), 0x10000);
	CHECK(is_done);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_dma_channels_begin_masked),
		TEST_CASE(test_dma_writes_to_memory_up_to_the_terminal_count),
		TEST_CASE(test_dma_reads_from_memory),
		TEST_CASE(test_dma_wraps_within_64_kib),
		TEST_CASE(test_dma_counts_down_too),
		TEST_CASE(test_dma_auto_initialization_begins_anew),
		TEST_CASE(test_dma_verify_counts_and_moves_nothing),
		TEST_CASE(test_dma_outside_of_ram_is_survived),
		TEST_CASE(test_dma_can_be_held_up_in_three_places),
		TEST_CASE(test_dma_longest_transfer_is_64_kib),
	};
	return TEST_RUN(cases);
}
