/* The floppy controller: what drivers do to it, with DMA and without. */
#include "conformance.h"
#include "fakeblock.h"
#include "fakes.h"
#include "test.h"

#include <tinyvm/floppy.h>

#define KIB 1024u

struct bench {
	struct device *dev;
	struct gmem *gm;
	struct fake_irq irq;
	struct fakeblock disk;
	struct fdc_config cfg;
};

static struct bench b;

static struct device *fresh(void *ctx)
{
	struct bench *w = ctx;
	struct device *dev;
	w->cfg.gm = w->gm;
	w->cfg.irq = fake_irq_line(&w->irq);
	return fdc_create(&dev, &w->cfg) == 0 ? dev : NULL;
}

/* A 1.44 MiB diskette in A:, each sector full of its number; B: is an empty drive. */
static void set_up_with(unsigned kib)
{
	b = (struct bench){0};
	fakeblock_init(&b.disk, kib * KIB);
	for (unsigned i = 0; i < kib * KIB / 512; i++) {
		memset(b.disk.data + i * 512, (uint8_t)i, 512);
		b.disk.data[i * 512] = (uint8_t)(i >> 8);
	}
	if (gmem_create(&b.gm, 1 << 20) != 0)
		abort();
	b.cfg.drive[0] = (struct fdc_drive){.is_present = true, .blk = &b.disk.blk};
	b.cfg.drive[1].is_present = true;
	if (!floppy_geometry(kib * KIB, &b.cfg.drive[0].geometry))
		abort();
	b.dev = fresh(&b);
	if (!b.dev)
		abort();
}

static void set_up(void)
{
	set_up_with(1440);
}

static void tear_down(void)
{
	device_destroy(b.dev);
	gmem_destroy(b.gm);
	fakeblock_fini(&b.disk);
}

static void out(struct device *dev, unsigned reg, uint8_t value)
{
	device_lock(dev);
	if (reg == 7)
		fdc_dir_bus_ops.write(dev, 0, 1, value);
	else
		fdc_bus_ops.write(dev, reg, 1, value);
	device_unlock(dev);
}

static uint8_t in(unsigned reg)
{
	device_lock(b.dev);
	uint64_t value =
		reg == 7 ? fdc_dir_bus_ops.read(b.dev, 0, 1) : fdc_bus_ops.read(b.dev, reg, 1);
	device_unlock(b.dev);
	return (uint8_t)value;
}

static void dma_out(struct device *dev, unsigned reg, uint8_t value)
{
	device_lock(dev);
	dma_low_bus_ops.write(dev, reg, 1, value);
	device_unlock(dev);
}

/* Channel 2, @mode 0x46 to memory, 0x4a from it. */
static void dma(struct device *dev, uint8_t mode, uint32_t addr, unsigned len)
{
	dma_out(dev, 10, 6);
	dma_out(dev, 12, 0);
	dma_out(dev, 11, mode);
	dma_out(dev, 4, (uint8_t)addr);
	dma_out(dev, 4, (uint8_t)(addr >> 8));
	dma_page_bus_ops.write(dev, 0, 1, addr >> 16);
	dma_out(dev, 5, (uint8_t)(len - 1));
	dma_out(dev, 5, (uint8_t)((len - 1) >> 8));
	dma_out(dev, 10, 2);
}

static void command_to(struct device *dev, const uint8_t *bytes, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		out(dev, 5, bytes[i]);
}

#define COMMAND(...) \
	command_to(b.dev, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* The result, read as drivers read it: until the chip is not busy any more. */
static const char *result(void)
{
	static char text[64];
	size_t at = 0;
	text[0] = '\0';
	while ((in(4) & 0xd0) == 0xd0 && at < 60)
		at += (size_t)snprintf(text + at, sizeof(text) - at, at ? " %02x" : "%02x", in(5));
	return text;
}

/* The motor of A: on, 500 kbit/s, DMA. */
static void start(void)
{
	out(b.dev, 2, 0x1c);
	out(b.dev, 7, 0x00);
	COMMAND(0x03, 0xdf, 0x02);
}

static bool is_sector(uint32_t gpa, unsigned n)
{
	uint8_t got[512];
	if (gmem_read(b.gm, gpa, got, sizeof(got)) != 0)
		return false;
	return memcmp(got, b.disk.data + n * 512, sizeof(got)) == 0;
}

WITH_DEVICE(test_fdc_reset_interrupts_and_four_senses_tell_of_it)
{
	CHECK_EQ(in(4), 0x80);
	out(b.dev, 2, 0x08);
	CHECK_EQ(in(4), 0x00);
	CHECK(!b.irq.is_high);
	out(b.dev, 2, 0x0c);
	CHECK(b.irq.is_high);
	CHECK_EQ(in(4), 0x80);
	static const char *const want[] = {"c0 00", "c1 00", "c2 00", "c3 00", "80"};
	for (unsigned i = 0; i < 5; i++) {
		COMMAND(0x08);
		CHECK_STR(result(), want[i]);
		CHECK(!b.irq.is_high);
	}
	CHECK_EQ(b.irq.rises, 1);
	out(b.dev, 4, 0x80);
	CHECK_EQ(b.irq.rises, 2);
	COMMAND(0x08);
	CHECK_STR(result(), "c0 00");
}

WITH_DEVICE(test_fdc_interrupt_passes_the_dma_gate_only)
{
	out(b.dev, 2, 0x00);
	out(b.dev, 2, 0x04);
	CHECK(!b.irq.is_high);
	out(b.dev, 2, 0x0c);
	CHECK(b.irq.is_high);
}

WITH_DEVICE(test_fdc_is_a_82077aa)
{
	COMMAND(0x10);
	CHECK_STR(result(), "90");
	COMMAND(0x18); /* PART ID: a later chip's */
	CHECK_STR(result(), "80");
	COMMAND(0x1f);
	CHECK_STR(result(), "80");
	COMMAND(0x94);
	CHECK_STR(result(), "10");
	COMMAND(0x14);
	CHECK_STR(result(), "00");
	COMMAND(0x03, 0xaf, 0x1e);
	COMMAND(0x13, 0x00, 0x17, 0x05);
	COMMAND(0x12, 0x85);
	COMMAND(0x0e);
	CHECK_STR(result(), "00 00 00 00 af 1e 00 05 17 05");
	out(b.dev, 4, 0x80);
	COMMAND(0x0e);
	CHECK_STR(result(), "00 00 00 00 af 1e 00 04 20 00");
	COMMAND(0x13, 0x00, 0x57, 0x05);
	COMMAND(0x94);
	result();
	out(b.dev, 4, 0x80);
	COMMAND(0x0e);
	CHECK_STR(result(), "00 00 00 00 af 1e 00 84 07 05");
}

WITH_DEVICE(test_fdc_seeks_and_senses)
{
	start();
	COMMAND(0x0f, 0x00, 0x12);
	CHECK(b.irq.is_high);
	COMMAND(0x08);
	CHECK_STR(result(), "20 12");
	COMMAND(0x04, 0x04);
	CHECK_STR(result(), "2c");
	COMMAND(0xcf, 0x00, 0x03);
	COMMAND(0x08);
	CHECK_STR(result(), "20 15");
	COMMAND(0x8f, 0x00, 0xff);
	COMMAND(0x08);
	CHECK_STR(result(), "20 00");
	COMMAND(0x0f, 0x00, 0x12);
	COMMAND(0x07, 0x00);
	COMMAND(0x08);
	CHECK_STR(result(), "20 00");
	COMMAND(0x04, 0x00);
	CHECK_STR(result(), "38");
	COMMAND(0x07, 0x02); /* no such drive */
	COMMAND(0x08);
	CHECK_STR(result(), "72 00");
	b.disk.blk.is_readonly = true;
	COMMAND(0x04, 0x00);
	CHECK_STR(result(), "78");
}

WITH_DEVICE(test_fdc_change_line_falls_with_the_first_step)
{
	CHECK_EQ(in(7) & 0x80, 0); /* motor off */
	start();
	CHECK_EQ(in(7) & 0x80, 0x80);
	COMMAND(0x07, 0x00);
	COMMAND(0x08);
	result();
	CHECK_EQ(in(7) & 0x80, 0);
	out(b.dev, 2, 0x2d); /* B: is empty and stays changed */
	COMMAND(0x07, 0x01);
	COMMAND(0x08);
	CHECK_STR(result(), "21 00");
	CHECK_EQ(in(7) & 0x80, 0x80);
}

WITH_DEVICE(test_fdc_reads_by_dma)
{
	start();
	dma(b.dev, 0x46, 0x12000, 1024);
	unsigned rises = b.irq.rises;
	COMMAND(0xe6, 0x00, 0, 0, 3, 2, 18, 0x1b, 0xff);
	CHECK_EQ(b.irq.rises, rises + 1);
	CHECK(is_sector(0x12000, 2));
	CHECK(is_sector(0x12200, 3));
	CHECK_EQ(in(4), 0xd0);
	CHECK_STR(result(), "00 00 00 00 00 05 02");
	CHECK(!b.irq.is_high);
	CHECK_EQ(in(4), 0x80);
}

WITH_DEVICE(test_fdc_multi_track_goes_on_on_the_other_side)
{
	start();
	COMMAND(0x0f, 0x00, 0x01);
	dma(b.dev, 0x46, 0x10000, 36 * 512);
	COMMAND(0xe6, 0x00, 1, 0, 1, 2, 18, 0x1b, 0xff);
	for (unsigned i = 0; i < 36; i++)
		CHECK(is_sector(0x10000 + i * 512, 36 + i));
	CHECK_STR(result(), "04 00 00 02 00 01 02");
}

WITH_DEVICE(test_fdc_without_multi_track_the_cylinder_ends)
{
	start();
	dma(b.dev, 0x46, 0x10000, 36 * 512);
	COMMAND(0x66, 0x00, 0, 0, 17, 2, 18, 0x1b, 0xff);
	CHECK(is_sector(0x10000, 16));
	CHECK(is_sector(0x10200, 17));
	CHECK_STR(result(), "40 80 00 01 00 01 02");
}

WITH_DEVICE(test_fdc_terminal_count_in_the_middle_of_a_sector)
{
	uint8_t got[2];
	start();
	CHECK_EQ(gmem_write(b.gm, 0x10000 + 700, "zz", 2), 0);
	dma(b.dev, 0x46, 0x10000, 700);
	COMMAND(0x66, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	CHECK(is_sector(0x10000, 0));
	CHECK_EQ(gmem_read(b.gm, 0x10000 + 699, got, 2), 0);
	CHECK_EQ(got[0], 1);
	CHECK_EQ(got[1], 'z');
	CHECK_STR(result(), "00 00 00 00 00 03 02");
}

WITH_DEVICE(test_fdc_writes_by_dma)
{
	uint8_t data[1024];
	memset(data, 0x5a, sizeof(data));
	start();
	CHECK_EQ(gmem_write(b.gm, 0x8000, data, sizeof(data)), 0);
	dma(b.dev, 0x4a, 0x8000, 600); /* the second sector is filled up with zeroes */
	COMMAND(0x45, 0x04, 0, 1, 1, 2, 18, 0x1b, 0xff);
	CHECK_STR(result(), "04 00 00 00 01 03 02");
	CHECK_EQ(memcmp(b.disk.data + 18 * 512, data, 600), 0);
	CHECK_EQ(b.disk.data[18 * 512 + 600], 0);
	CHECK_EQ(b.disk.data[18 * 512 + 1023], 0);
	CHECK_EQ(b.disk.data[20 * 512 + 1], 20);
}

WITH_DEVICE(test_fdc_write_protected_diskette_stays_as_it_is)
{
	start();
	b.disk.blk.is_readonly = true;
	dma(b.dev, 0x4a, 0x8000, 512);
	COMMAND(0x45, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	CHECK_STR(result(), "40 02 00 00 00 01 02");
	COMMAND(0x4d, 0x00, 2, 18, 0x6c, 0xf6);
	CHECK_STR(result(), "40 02 00 00 00 00 00");
	CHECK_EQ(b.disk.count[BLOCK_WRITE], 0);
}

WITH_DEVICE(test_fdc_finds_only_what_is_there)
{
	start();
	dma(b.dev, 0x46, 0x10000, 512);
	COMMAND(0x66, 0x00, 5, 0, 1, 2, 18, 0x1b, 0xff); /* the head is elsewhere */
	CHECK_STR(result(), "40 04 10 05 00 01 02");
	COMMAND(0x66, 0x00, 0, 1, 1, 2, 18, 0x1b, 0xff);
	CHECK_STR(result(), "40 04 00 00 01 01 02");
	COMMAND(0x66, 0x00, 0, 0, 19, 2, 19, 0x1b, 0xff);
	CHECK_STR(result(), "40 04 00 00 00 13 02");
	COMMAND(0x66, 0x00, 0, 0, 1, 3, 18, 0x1b, 0xff);
	CHECK_STR(result(), "40 04 00 00 00 01 03");
	COMMAND(0x66, 0x01, 0, 0, 1, 2, 18, 0x1b, 0xff); /* B: is empty */
	CHECK_STR(result(), "41 01 00 00 00 01 02");
	COMMAND(0x26, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff); /* FM */
	CHECK_STR(result(), "40 01 00 00 00 01 02");
	COMMAND(0x0f, 0x00, 80);
	COMMAND(0x66, 0x00, 80, 0, 1, 2, 18, 0x1b, 0xff);
	CHECK_STR(result(), "40 01 00 50 00 01 02");
	CHECK_EQ(b.disk.count[BLOCK_READ], 0);
}

WITH_DEVICE(test_fdc_data_is_found_at_its_rate_only)
{
	start();
	for (uint8_t rate = 0; rate < 4; rate++) {
		out(b.dev, 7, rate);
		COMMAND(0x4a, 0x00);
		CHECK_STR(result(), rate ? "40 01 00 00 00 01 02" : "00 00 00 00 00 01 02");
	}
	out(b.dev, 4, 0x00); /* the other place to set it */
	COMMAND(0x4a, 0x04);
	CHECK_STR(result(), "04 00 00 00 01 02 02");
}

static void test_fdc_double_density_is_read_at_250_and_300_kbit(void)
{
	static const struct {
		unsigned kib;
		const char *ok;
	} formats[] = {{160, "0110"}, {360, "0110"}, {720, "0110"}, {1200, "1000"}, {2880, "0001"}};
	for (unsigned i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		set_up_with(formats[i].kib);
		out(b.dev, 2, 0x1c);
		for (uint8_t rate = 0; rate < 4; rate++) {
			out(b.dev, 7, rate);
			COMMAND(0x4a, 0x00);
			CHECK_EQ(result()[0], formats[i].ok[rate] == '1' ? '0' : '4');
		}
		tear_down();
	}
}

WITH_DEVICE(test_fdc_implied_seek)
{
	start();
	COMMAND(0x13, 0x00, 0x40, 0x00);
	dma(b.dev, 0x46, 0x10000, 512);
	COMMAND(0x66, 0x00, 7, 0, 1, 2, 18, 0x1b, 0xff);
	CHECK_STR(result(), "00 00 00 07 00 02 02");
	CHECK(is_sector(0x10000, 7 * 36));
}

WITH_DEVICE(test_fdc_disk_errors_are_data_errors)
{
	start();
	dma(b.dev, 0x46, 0x10000, 512);
	b.disk.fail_at = 1;
	b.disk.fail_with = -EIO;
	COMMAND(0x66, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	CHECK_STR(result(), "40 20 20 00 00 01 02");
}

WITH_DEVICE(test_fdc_waits_for_a_masked_dma_channel)
{
	start();
	COMMAND(0x66, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	CHECK_EQ(in(4), 0x10);
	dma(b.dev, 0x46, 0x10000, 512);
	CHECK(is_sector(0x10000, 0));
	CHECK_STR(result(), "00 00 00 00 00 02 02");
}

WITH_DEVICE(test_fdc_dma_controller_reprogrammed_behind_its_back_is_survived)
{
	start();
	b.disk.mode = FAKEBLOCK_HELD;
	dma(b.dev, 0x46, 0x10000, 4096);
	COMMAND(0x66, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	CHECK_EQ(b.disk.held_count, 1);
	dma_out(b.dev, 10, 6);
	device_lock(b.dev);
	fakeblock_release(&b.disk, 1);
	device_unlock(b.dev);
	CHECK_EQ(in(4), 0x10);
	CHECK_EQ(b.disk.held_count, 0);
	dma(b.dev, 0x46, 0x20000, 512);
	CHECK_EQ(b.disk.held_count, 1);
	device_lock(b.dev);
	fakeblock_release(&b.disk, 1);
	device_unlock(b.dev);
	CHECK(is_sector(0x20000, 0));
	CHECK_STR(result(), "00 00 00 00 00 02 02");
}

WITH_DEVICE(test_fdc_reset_in_flight_leaves_the_next_command_alone)
{
	start();
	b.disk.mode = FAKEBLOCK_HELD;
	dma(b.dev, 0x46, 0x10000, 512);
	COMMAND(0x66, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	CHECK_EQ(in(4), 0x10);
	out(b.dev, 2, 0x18);
	out(b.dev, 2, 0x1c);
	CHECK_EQ(in(4), 0x80);
	COMMAND(0x66, 0x00, 0, 0, 2, 2, 18, 0x1b, 0xff);
	CHECK_EQ(b.disk.held_count, 1);
	device_lock(b.dev);
	fakeblock_release(&b.disk, 1);
	CHECK_EQ(b.disk.held_count, 1);
	fakeblock_release(&b.disk, 1);
	device_unlock(b.dev);
	CHECK(is_sector(0x10000, 1));
	CHECK_STR(result(), "00 00 00 00 00 03 02");
}

WITH_DEVICE(test_fdc_destroyed_in_flight)
{
	start();
	b.disk.mode = FAKEBLOCK_HELD;
	dma(b.dev, 0x46, 0x10000, 512);
	COMMAND(0x66, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	CHECK_EQ(b.disk.held_count, 1);
}

WITH_DEVICE(test_fdc_reads_without_dma)
{
	start();
	COMMAND(0x03, 0xdf, 0x03);
	COMMAND(0x66, 0x00, 0, 0, 2, 2, 3, 0x1b, 0xff);
	for (unsigned i = 0; i < 1024; i++) {
		if (i % 512 == 0)
			CHECK(b.irq.is_high);
		CHECK_EQ(in(4), 0xf0);
		CHECK_EQ(in(5), b.disk.data[512 + i]);
		CHECK(i % 512 == 511 || !b.irq.is_high);
	}
	CHECK(b.irq.is_high);
	CHECK_STR(result(), "40 80 00 01 00 01 02"); /* nobody gives a terminal count */
}

WITH_DEVICE(test_fdc_writes_without_dma)
{
	start();
	COMMAND(0x03, 0xdf, 0x03);
	COMMAND(0x45, 0x00, 0, 0, 18, 2, 18, 0x1b, 0xff);
	for (unsigned i = 0; i < 512; i++) {
		CHECK_EQ(in(4), 0xb0);
		out(b.dev, 5, (uint8_t)(i * 3));
	}
	CHECK_EQ(b.disk.data[17 * 512 + 100], (uint8_t)300);
	CHECK_STR(result(), "40 80 00 01 00 01 02");
}

WITH_DEVICE(test_fdc_formats_a_track)
{
	uint8_t ids[18 * 4];
	for (unsigned i = 0; i < 18; i++)
		memcpy(ids + i * 4, (const uint8_t[]){0, 1, (uint8_t)(18 - i), 2}, 4);
	start();
	CHECK_EQ(gmem_write(b.gm, 0x8000, ids, sizeof(ids)), 0);
	dma(b.dev, 0x4a, 0x8000, sizeof(ids));
	COMMAND(0x4d, 0x04, 2, 18, 0x6c, 0xf6);
	CHECK_EQ(strncmp(result(), "04 00 00", 8), 0);
	for (unsigned i = 0; i < 18 * 512; i++)
		CHECK_EQ(b.disk.data[18 * 512 + i], 0xf6);
	CHECK_EQ(b.disk.data[36 * 512 + 1], 36);
	CHECK_EQ(b.disk.count[BLOCK_WRITE], 18);

	ids[2] = 19; /* a format that the image cannot hold */
	CHECK_EQ(gmem_write(b.gm, 0x8000, ids, sizeof(ids)), 0);
	dma(b.dev, 0x4a, 0x8000, sizeof(ids));
	COMMAND(0x4d, 0x04, 2, 18, 0x6c, 0xf6);
	CHECK_EQ(strncmp(result(), "44 04 00", 8), 0);
}

WITH_DEVICE(test_fdc_verifies_without_data)
{
	start();
	COMMAND(0xf6, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	CHECK_STR(result(), "04 00 00 01 00 01 02");
	COMMAND(0x76, 0x80, 0, 0, 4, 2, 18, 0x1b, 3);
	CHECK_STR(result(), "00 00 00 00 00 07 02");
	COMMAND(0x76, 0x00, 0, 0, 1, 2, 20, 0x1b, 0xff);
	CHECK_STR(result(), "40 04 00 00 00 13 02");
	CHECK_EQ(b.disk.count[BLOCK_READ], 0);
}

WITH_DEVICE(test_fdc_deleted_data_is_never_found)
{
	start();
	dma(b.dev, 0x46, 0x10000, 1024);
	COMMAND(0x4c, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff); /* normal data: read, and said so */
	CHECK(is_sector(0x10000, 0));
	CHECK_STR(result(), "00 00 40 00 00 02 02");
	COMMAND(0x6c, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	CHECK_STR(result(), "40 04 00 00 00 01 02");
}

/* An image cut short, as small systems come. */
WITH_DEVICE(test_fdc_beyond_the_image_are_zeroes_that_cannot_be_written)
{
	uint8_t got[1024];
	start();
	b.disk.blk.size = 3 * 512;
	CHECK_EQ(gmem_write(b.gm, 0x10000 + 512, "junk", 4), 0);
	dma(b.dev, 0x46, 0x10000, 1024);
	COMMAND(0x66, 0x00, 0, 0, 3, 2, 18, 0x1b, 0xff);
	CHECK_STR(result(), "00 00 00 00 00 05 02");
	CHECK(is_sector(0x10000, 2));
	CHECK_EQ(gmem_read(b.gm, 0x10200, got, 512), 0);
	for (unsigned i = 0; i < 512; i++)
		CHECK_EQ(got[i], 0);
	dma(b.dev, 0x46, 0x10000, 512);
	COMMAND(0x66, 0x00, 0, 0, 9, 2, 18, 0x1b, 0xff);
	CHECK_STR(result(), "00 00 00 00 00 0a 02");
	dma(b.dev, 0x4a, 0x10000, 512);
	COMMAND(0x45, 0x00, 0, 0, 9, 2, 18, 0x1b, 0xff);
	CHECK_STR(result(), "40 20 20 00 00 09 02");
	b.disk.blk.size = 1440 * KIB;
}

static void test_fdc_geometry_follows_from_the_size(void)
{
	static const struct {
		uint64_t size;
		unsigned cylinders, heads, sectors, type;
	} images[] = {
		{160 * KIB, 40, 1, 8, 1},   {180 * KIB, 40, 1, 9, 1},	{320 * KIB, 40, 2, 8, 1},
		{360 * KIB, 40, 2, 9, 1},   {720 * KIB, 80, 2, 9, 3},	{1200 * KIB, 80, 2, 15, 2},
		{1440 * KIB, 80, 2, 18, 4}, {1680 * KIB, 80, 2, 21, 4}, {2880 * KIB, 80, 2, 36, 5},
		{512, 80, 2, 18, 4},	    {500 * KIB, 80, 2, 18, 4},	{1500 * KIB, 80, 2, 20, 4},
		{2000 * KIB, 80, 2, 36, 5},
	};
	struct floppy_geometry g;
	for (unsigned i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		CHECK(floppy_geometry(images[i].size, &g));
		CHECK_EQ(g.cylinders, images[i].cylinders);
		CHECK_EQ(g.heads, images[i].heads);
		CHECK_EQ(g.sectors, images[i].sectors);
		CHECK_EQ(g.drive_type, images[i].type);
	}
	CHECK(!floppy_geometry(2880 * KIB + 512, &g));
}

static void test_fdc_refuses_an_impossible_geometry(void)
{
	struct fakeblock disk;
	struct device *dev;
	struct fdc_config cfg = {.drive[0] = {.is_present = true, .blk = &disk.blk}};
	CHECK_EQ(fdc_create(&dev, &cfg), -EINVAL);
	cfg.drive[0].geometry = (struct floppy_geometry){80, 2, 37, 4};
	CHECK_EQ(fdc_create(&dev, &cfg), -EINVAL);
}

/* A saved transfer without DMA goes on where it was. */
static void scramble(struct device *dev, void *ctx)
{
	static const uint8_t commands[] = {
		0x13, 0x00, 0x57, 0x05,			      /* CONFIGURE */
		0x0f, 0x00, 0x05,			      /* SEEK */
		0x03, 0xdf, 0x03,			      /* SPECIFY, no DMA */
		0xe6, 0x00, 5,	  0,	2, 2, 18, 0x1b, 0xff, /* READ */
	};
	(void)ctx;
	out(dev, 2, 0x08);
	out(dev, 2, 0x1c);
	out(dev, 7, 0x00);
	dma(dev, 0x46, 0x12345, 512);
	command_to(dev, commands, sizeof(commands));
	device_lock(dev);
	fdc_bus_ops.read(dev, 5, 1);
	device_unlock(dev);
}

WITH_DEVICE(test_fdc_conforms)
{
	conformance_check(&(struct conformance){.create = fresh, .scramble = scramble, .ctx = &b});
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_fdc_reset_interrupts_and_four_senses_tell_of_it),
		TEST_CASE(test_fdc_interrupt_passes_the_dma_gate_only),
		TEST_CASE(test_fdc_is_a_82077aa),
		TEST_CASE(test_fdc_seeks_and_senses),
		TEST_CASE(test_fdc_change_line_falls_with_the_first_step),
		TEST_CASE(test_fdc_reads_by_dma),
		TEST_CASE(test_fdc_multi_track_goes_on_on_the_other_side),
		TEST_CASE(test_fdc_without_multi_track_the_cylinder_ends),
		TEST_CASE(test_fdc_terminal_count_in_the_middle_of_a_sector),
		TEST_CASE(test_fdc_writes_by_dma),
		TEST_CASE(test_fdc_write_protected_diskette_stays_as_it_is),
		TEST_CASE(test_fdc_finds_only_what_is_there),
		TEST_CASE(test_fdc_data_is_found_at_its_rate_only),
		TEST_CASE(test_fdc_double_density_is_read_at_250_and_300_kbit),
		TEST_CASE(test_fdc_implied_seek),
		TEST_CASE(test_fdc_disk_errors_are_data_errors),
		TEST_CASE(test_fdc_waits_for_a_masked_dma_channel),
		TEST_CASE(test_fdc_dma_controller_reprogrammed_behind_its_back_is_survived),
		TEST_CASE(test_fdc_reset_in_flight_leaves_the_next_command_alone),
		TEST_CASE(test_fdc_destroyed_in_flight),
		TEST_CASE(test_fdc_reads_without_dma),
		TEST_CASE(test_fdc_writes_without_dma),
		TEST_CASE(test_fdc_formats_a_track),
		TEST_CASE(test_fdc_verifies_without_data),
		TEST_CASE(test_fdc_deleted_data_is_never_found),
		TEST_CASE(test_fdc_beyond_the_image_are_zeroes_that_cannot_be_written),
		TEST_CASE(test_fdc_geometry_follows_from_the_size),
		TEST_CASE(test_fdc_refuses_an_impossible_geometry),
		TEST_CASE(test_fdc_conforms),
	};
	return TEST_RUN(cases);
}
