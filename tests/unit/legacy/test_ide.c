/* The IDE controller: disks and CDs through the data port and the bus master. */
#include "conformance.h"
#include "fakeblock.h"
#include "fakes.h"
#include "ide.h"
#include "test.h"

#include <tinyvm/log.h>

#define RAM	 (1u << 20)
#define SECTORS	 4096u
#define BLOCKS	 64u
#define PRD	 0x1000u
#define DATA	 0x10000u
#define STATUS	 7
#define DRQ_IDLE (IDE_DRDY | IDE_DSC)

/* A disk as primary master, a CD as secondary master, nothing else. */
struct world {
	struct gmem *gm;
	struct fakeblock disk, cd;
	struct fake_irq irq[2];
	struct ide_config cfg;
	struct device *dev;
};

static void world_begin(struct world *w)
{
	memset(w, 0, sizeof(*w));
	fakeblock_init(&w->disk, SECTORS * 512);
	fakeblock_init(&w->cd, BLOCKS * 2048);
	w->cd.blk.is_readonly = true;
	for (uint64_t i = 0; i < w->disk.blk.size; i++)
		w->disk.data[i] = (uint8_t)(i / 512 + i);
	for (uint64_t i = 0; i < w->cd.blk.size; i++)
		w->cd.data[i] = (uint8_t)(i / 2048 * 3 + i);
	if (gmem_create(&w->gm, RAM) != 0)
		abort();
	w->cfg = (struct ide_config){
		.gm = w->gm,
		.irq = {fake_irq_line(&w->irq[0]), fake_irq_line(&w->irq[1])},
		.drive = {[0] = {.blk = &w->disk.blk,
				 .cylinders = 4,
				 .heads = 16,
				 .sectors = 63,
				 .serial = "disk0"},
			  [2] = {.blk = &w->cd.blk, .is_cd = true, .serial = "cd0"}},
	};
}

static void world_open(struct world *w)
{
	world_begin(w);
	if (ide_create(&w->dev, &w->cfg) != 0)
		abort();
}

static void world_end(struct world *w)
{
	device_destroy(w->dev);
	gmem_destroy(w->gm);
	fakeblock_fini(&w->disk);
	fakeblock_fini(&w->cd);
}

static void reg(struct world *w, unsigned ch, unsigned n, uint8_t value)
{
	ide_command_bus_ops.write(ide_channel(w->dev, ch), n, 1, value);
}

static uint8_t get(struct world *w, unsigned ch, unsigned n)
{
	return (uint8_t)ide_command_bus_ops.read(ide_channel(w->dev, ch), n, 1);
}

static uint8_t alt(struct world *w, unsigned ch)
{
	return (uint8_t)ide_control_bus_ops.read(ide_channel(w->dev, ch), 0, 1);
}

static void pio_in(struct world *w, unsigned ch, void *buf, unsigned len)
{
	uint8_t *p = buf;
	for (unsigned i = 0; i < len; i += 2) {
		uint16_t v = (uint16_t)ide_command_bus_ops.read(ide_channel(w->dev, ch), 0, 2);
		memcpy(p + i, &v, 2);
	}
}

static void pio_out(struct world *w, unsigned ch, const void *buf, unsigned len)
{
	const uint8_t *p = buf;
	for (unsigned i = 0; i < len; i += 4) {
		uint32_t v;
		memcpy(&v, p + i, 4);
		ide_command_bus_ops.write(ide_channel(w->dev, ch), 0, 4, v);
	}
}

static void lba28(struct world *w, uint32_t lba, uint8_t count, uint8_t command)
{
	reg(w, 0, 2, count);
	reg(w, 0, 3, (uint8_t)lba);
	reg(w, 0, 4, (uint8_t)(lba >> 8));
	reg(w, 0, 5, (uint8_t)(lba >> 16));
	reg(w, 0, 6, (uint8_t)(0xe0 | lba >> 24));
	reg(w, 0, 7, command);
}

static void test_identify_tells_size_and_geometry(void)
{
	struct world w;
	uint16_t id[256];
	world_open(&w);
	reg(&w, 0, 7, 0xec);
	CHECK_EQ(alt(&w, 0), DRQ_IDLE | IDE_DRQ);
	CHECK(w.irq[0].is_high);
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE | IDE_DRQ);
	CHECK(!w.irq[0].is_high);
	pio_in(&w, 0, id, sizeof(id));
	CHECK_EQ(alt(&w, 0), DRQ_IDLE);
	CHECK_EQ(id[1], 4);
	CHECK_EQ(id[3], 16);
	CHECK_EQ(id[6], 63);
	CHECK_EQ(id[60] | (uint32_t)id[61] << 16, SECTORS);
	CHECK_EQ(id[100], SECTORS);
	CHECK_EQ(id[10], 'd' << 8 | 'i');
	world_end(&w);
}

static void test_empty_channel_and_absent_slave_do_not_keep_anybody_waiting(void)
{
	struct world w;
	world_begin(&w);
	w.cfg.drive[2].blk = NULL;
	CHECK_EQ(ide_create(&w.dev, &w.cfg), 0);
	CHECK_EQ(get(&w, 1, STATUS), 0x7f);
	CHECK_EQ(alt(&w, 1), 0x7f);
	reg(&w, 1, 7, 0xec);
	reg(&w, 0, 6, 0xf0);
	CHECK_EQ(get(&w, 0, STATUS), 0);
	reg(&w, 0, 7, 0xec);
	CHECK_EQ(get(&w, 0, STATUS), 0);
	CHECK_EQ(w.irq[0].rises, 0);
	world_end(&w);
}

static void test_sectors_come_by_lba_and_by_chs(void)
{
	struct world w;
	uint8_t buf[3 * 512];
	world_open(&w);
	lba28(&w, 1070, 3, 0x20);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE | IDE_DRQ);
		pio_in(&w, 0, buf + i * 512, 512);
	}
	CHECK(memcmp(buf, w.disk.data + 1070 * 512, sizeof(buf)) == 0);
	CHECK_EQ(w.irq[0].rises, 3);
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE);

	/* Cylinder 1, head 0, sector 63: (1 * 16 + 0) * 63 + 62 */
	reg(&w, 0, 2, 1);
	reg(&w, 0, 3, 63);
	reg(&w, 0, 4, 1);
	reg(&w, 0, 5, 0);
	reg(&w, 0, 6, 0xa0);
	reg(&w, 0, 7, 0x20);
	pio_in(&w, 0, buf, 512);
	CHECK(memcmp(buf, w.disk.data + 1070 * 512, 512) == 0);
	reg(&w, 0, 3, 64); /* no such sector on a track */
	reg(&w, 0, 7, 0x20);
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE | IDE_ERR);
	CHECK_EQ(get(&w, 0, 1), IDE_IDNF);
	/* After INITIALIZE DEVICE PARAMETERS, with 2 heads and 8 sectors. */
	reg(&w, 0, 2, 8);
	reg(&w, 0, 6, 0xa1);
	reg(&w, 0, 7, 0x91);
	reg(&w, 0, 2, 1);
	reg(&w, 0, 3, 8);
	reg(&w, 0, 4, 2);
	reg(&w, 0, 7, 0x20);
	pio_in(&w, 0, buf, 512);
	CHECK(memcmp(buf, w.disk.data + 47 * 512, 512) == 0);
	world_end(&w);
}

static void test_48_bit_commands_use_what_was_written_before(void)
{
	struct world w;
	uint8_t buf[512];
	world_open(&w);
	for (unsigned i = 0; i < 2; i++) {
		reg(&w, 0, 2, i ? 1 : 0);
		reg(&w, 0, 3, i ? 0x23 : 0);
		reg(&w, 0, 4, i ? 0x01 : 0);
		reg(&w, 0, 5, 0);
	}
	reg(&w, 0, 6, 0x40);
	reg(&w, 0, 7, 0x24);
	pio_in(&w, 0, buf, 512);
	CHECK(memcmp(buf, w.disk.data + 0x123 * 512, 512) == 0);
	/* The sectors after 2^32 are not there. */
	reg(&w, 0, 4, 1);
	reg(&w, 0, 4, 0);
	reg(&w, 0, 7, 0x24);
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE | IDE_ERR);
	world_end(&w);
}

static void test_multiple_sectors_an_interrupt(void)
{
	struct world w;
	uint8_t buf[20 * 512];
	world_open(&w);
	lba28(&w, 0, 1, 0xc4); /* not set yet */
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE | IDE_ERR);
	reg(&w, 0, 2, 8);
	reg(&w, 0, 7, 0xc6);
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE);
	w.irq[0].rises = 0;
	lba28(&w, 7, 20, 0xc4);
	for (unsigned at = 0; at < sizeof(buf); at += 512) {
		CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE | IDE_DRQ);
		pio_in(&w, 0, buf + at, 512);
	}
	CHECK_EQ(w.irq[0].rises, 3);
	CHECK(memcmp(buf, w.disk.data + 7 * 512, sizeof(buf)) == 0);
	memset(buf, 0x5c, sizeof(buf));
	lba28(&w, 100, 20, 0xc5);
	CHECK_EQ(w.irq[0].rises, 3); /* the first turn does not interrupt */
	pio_out(&w, 0, buf, sizeof(buf));
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE);
	CHECK(memcmp(buf, w.disk.data + 100 * 512, sizeof(buf)) == 0);
	CHECK_EQ(w.disk.data[120 * 512], (uint8_t)120);
	world_end(&w);
}

static void test_busy_until_the_disk_has_answered(void)
{
	struct world w;
	uint8_t buf[512];
	world_open(&w);
	w.disk.mode = FAKEBLOCK_HELD;
	lba28(&w, 5, 1, 0x20);
	CHECK(get(&w, 0, STATUS) & IDE_BSY);
	reg(&w, 0, 3, 99);
	reg(&w, 0, 7, 0xec); /* nobody listens */
	CHECK_EQ(fakeblock_release(&w.disk, 9), 1);
	CHECK(w.irq[0].is_high);
	pio_in(&w, 0, buf, 512);
	CHECK(memcmp(buf, w.disk.data + 5 * 512, 512) == 0);
	/* A reset waits for it. */
	lba28(&w, 6, 1, 0x20);
	ide_control_bus_ops.write(ide_channel(w.dev, 0), 0, 1, IDE_SRST);
	CHECK_EQ(w.disk.held_count, 0);
	CHECK(get(&w, 0, STATUS) & IDE_BSY);
	ide_control_bus_ops.write(ide_channel(w.dev, 0), 0, 1, 0);
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE);
	CHECK_EQ(get(&w, 0, 1), 1);
	CHECK_EQ(get(&w, 0, 4), 0);
	world_end(&w);
}

static void foreign_done(struct block_req *req, int result)
{
	(void)result;
	req->offset = UINT64_MAX;
}

/* The BIOS's requests go past the controller, and are over when it has been quiesced, too. */
static void test_quiescing_waits_for_whoever_uses_the_disks(void)
{
	struct world w;
	uint8_t buf[512];
	struct iovec iov = {buf, sizeof(buf)};
	struct block_req req = {.op = BLOCK_READ,
				.len = sizeof(buf),
				.iov = &iov,
				.iov_count = 1,
				.done = foreign_done};
	world_open(&w);
	w.disk.mode = FAKEBLOCK_HELD;
	w.disk.blk.ops->submit(&w.disk.blk, &req);
	w.disk.blk.ops->commit(&w.disk.blk);
	CHECK_EQ(req.offset, 0);
	device_quiesce(w.dev);
	CHECK_EQ(req.offset, UINT64_MAX);
	world_end(&w);
}

static void test_a_failing_disk_is_an_error_of_the_drive(void)
{
	struct world w;
	uint8_t buf[512] = {0};
	world_open(&w);
	w.disk.fail_at = 1;
	w.disk.fail_with = -EIO;
	lba28(&w, 5, 1, 0x20);
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE | IDE_ERR);
	CHECK_EQ(get(&w, 0, 1), IDE_UNC);
	w.disk.fail_at = 1;
	w.disk.fail_with = -ENOSPC;
	lba28(&w, 5, 1, 0x30);
	pio_out(&w, 0, buf, 512);
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE | IDE_ERR);
	CHECK_EQ(get(&w, 0, 1), IDE_ABRT);
	w.disk.blk.is_readonly = true;
	lba28(&w, 5, 1, 0x30);
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE | IDE_ERR);
	lba28(&w, SECTORS - 1, 2, 0x20);
	CHECK_EQ(get(&w, 0, 1), IDE_IDNF);
	world_end(&w);
}

static void test_a_diagnostic_ends_what_the_other_drive_was_at(void)
{
	struct world w;
	struct fakeblock slave;
	static const uint8_t zeros[512];
	world_begin(&w);
	fakeblock_init(&slave, SECTORS * 512);
	w.cfg.drive[1] = w.cfg.drive[0];
	w.cfg.drive[1].blk = &slave.blk;
	CHECK_EQ(ide_create(&w.dev, &w.cfg), 0);
	reg(&w, 0, 6, 0xf0);
	reg(&w, 0, 2, 1);
	reg(&w, 0, 3, 9);
	reg(&w, 0, 4, 0);
	reg(&w, 0, 5, 0);
	reg(&w, 0, 7, 0x30);
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE | IDE_DRQ);
	reg(&w, 0, 7, 0x90);
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE);
	CHECK_EQ(get(&w, 0, 1), 1);
	pio_out(&w, 0, zeros, 512); /* nobody's data, least of all the master's */
	CHECK_EQ(w.disk.count[BLOCK_WRITE] + slave.count[BLOCK_WRITE], 0);
	fakeblock_fini(&slave);
	world_end(&w);
}

static void test_previous_contents_show_until_the_next_write(void)
{
	struct world w;
	world_open(&w);
	reg(&w, 0, 2, 0x11);
	reg(&w, 0, 2, 0x22);
	ide_control_bus_ops.write(ide_channel(w.dev, 0), 0, 1, IDE_HOB);
	CHECK_EQ(get(&w, 0, 2), 0x11);
	reg(&w, 0, 7, 0xe1);
	CHECK_EQ(get(&w, 0, 2), 0x22);
	world_end(&w);
}

static void test_a_disk_may_be_told_to_rest(void)
{
	static const uint8_t commands[] = {0xe0, 0xe1, 0xe2, 0xe3, 0xe6,
					   0x94, 0x95, 0x96, 0x97, 0x99};
	struct world w;
	world_open(&w);
	for (unsigned i = 0; i < sizeof(commands); i++) {
		reg(&w, 0, 2, 120);
		reg(&w, 0, 7, commands[i]);
		CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE);
	}
	reg(&w, 0, 7, 0xe5);
	CHECK_EQ(get(&w, 0, 2), 0xff);
	world_end(&w);
}

static void bm(struct world *w, unsigned port, unsigned size, uint32_t value)
{
	ide_bm_bus_ops.write(w->dev, port, size, value);
}

static void prd(struct world *w, unsigned n, uint32_t addr, uint32_t len, bool is_last)
{
	uint32_t entry[2] = {addr, len | (is_last ? IDE_PRD_LAST : 0)};
	CHECK_EQ(gmem_write(w->gm, PRD + 8 * n, entry, 8), 0);
}

static bool memory_is(struct world *w, gpa_t gpa, const uint8_t *want, unsigned len)
{
	static uint8_t buf[RAM];
	return gmem_read(w->gm, gpa, buf, len) == 0 && memcmp(buf, want, len) == 0;
}

static void test_bus_master_follows_its_table(void)
{
	struct world w;
	world_open(&w);
	/* 8 sectors into pieces that end where no sector does, the last one larger than needed. */
	prd(&w, 0, DATA, 100, false);
	prd(&w, 1, DATA + 0x1000, 1000, false);
	prd(&w, 2, DATA + 0x2000, 2, false);
	prd(&w, 3, DATA + 0x3000, 0, true);
	bm(&w, 4, 4, PRD);
	bm(&w, 0, 1, IDE_BM_TO_MEMORY);
	lba28(&w, 30, 8, 0xc8);
	CHECK_EQ(w.irq[0].rises, 0);
	bm(&w, 0, 1, IDE_BM_TO_MEMORY | IDE_BM_START);
	CHECK(w.irq[0].is_high);
	CHECK_EQ(ide_bm_bus_ops.read(w.dev, 2, 1), IDE_BM_INTERRUPT | IDE_BM_ACTIVE);
	bm(&w, 0, 1, 0);
	bm(&w, 2, 1, IDE_BM_INTERRUPT);
	CHECK_EQ(ide_bm_bus_ops.read(w.dev, 2, 1), 0);
	const uint8_t *want = w.disk.data + 30 * 512;
	CHECK(memory_is(&w, DATA, want, 100));
	CHECK(memory_is(&w, DATA + 0x1000, want + 100, 1000));
	CHECK(memory_is(&w, DATA + 0x2000, want + 1100, 2));
	CHECK(memory_is(&w, DATA + 0x3000, want + 1102, 8 * 512 - 1102));
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE);
	/* And back, to another place, in a table that fits. */
	prd(&w, 3, DATA + 0x3000, 8 * 512 - 1102, true);
	lba28(&w, 300, 8, 0xca);
	bm(&w, 0, 1, IDE_BM_START);
	CHECK_EQ(ide_bm_bus_ops.read(w.dev, 2, 1), IDE_BM_INTERRUPT);
	CHECK(memcmp(w.disk.data + 300 * 512, want, 8 * 512) == 0);
	world_end(&w);
}

static void test_bus_master_table_of_tiny_pieces_is_followed_without_recursion(void)
{
	struct world w;
	static uint32_t table[2 * 65536];
	world_open(&w);
	/* 256 sectors in pieces of 2 bytes. */
	for (unsigned i = 0; i < 65536; i++) {
		table[2 * i] = DATA + 2 * (i % 16384);
		table[2 * i + 1] = 2 | (i == 65535 ? IDE_PRD_LAST : 0);
	}
	CHECK_EQ(gmem_write(w.gm, 0x40000, table, sizeof(table)), 0);
	bm(&w, 4, 4, 0x40000);
	lba28(&w, 0, 0, 0xc8);
	bm(&w, 0, 1, IDE_BM_TO_MEMORY | IDE_BM_START);
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE);
	CHECK(memory_is(&w, DATA, w.disk.data + 192 * 512, 64 * 512));
	world_end(&w);
}

static void test_bad_tables_end_the_transfer(void)
{
	struct world w;
	world_open(&w);
	log_set_level(LOG_ERROR);
	/* Too short; not memory; itself not in memory; the wrong way. */
	prd(&w, 0, DATA, 512, true);
	prd(&w, 2, RAM - 512, 1024, true);
	const uint32_t tables[] = {PRD, PRD + 16, 0xfffffff0, PRD};
	for (unsigned i = 0; i < 4; i++) {
		bm(&w, 4, 4, tables[i]);
		lba28(&w, 0, 2, 0xc8);
		bm(&w, 0, 1, (i == 3 ? 0 : IDE_BM_TO_MEMORY) | IDE_BM_START);
		CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE | IDE_ERR);
		CHECK(ide_bm_bus_ops.read(w.dev, 2, 1) & IDE_BM_ERROR);
		CHECK(!(ide_bm_bus_ops.read(w.dev, 2, 1) & IDE_BM_ACTIVE));
		bm(&w, 0, 1, 0);
		bm(&w, 2, 1, IDE_BM_ERROR | IDE_BM_INTERRUPT);
	}
	log_set_level(LOG_WARN);
	world_end(&w);
}

static void test_a_failing_disk_is_no_error_of_the_bus(void)
{
	struct world w;
	world_open(&w);
	log_set_level(LOG_ERROR);
	prd(&w, 0, DATA, 1024, true);
	bm(&w, 4, 4, PRD);
	w.disk.fail_at = 1;
	w.disk.fail_with = -EIO;
	lba28(&w, 5, 2, 0xc8);
	bm(&w, 0, 1, IDE_BM_TO_MEMORY | IDE_BM_START);
	CHECK_EQ(get(&w, 0, STATUS), DRQ_IDLE | IDE_ERR);
	CHECK_EQ(get(&w, 0, 1), IDE_UNC);
	CHECK_EQ(ide_bm_bus_ops.read(w.dev, 2, 1) & (IDE_BM_ERROR | IDE_BM_INTERRUPT),
		 IDE_BM_INTERRUPT);
	log_set_level(LOG_WARN);
	world_end(&w);
}

static void packet(struct world *w, const uint8_t p[12], bool is_dma, uint16_t limit)
{
	reg(w, 1, 6, 0xa0);
	reg(w, 1, 1, is_dma);
	reg(w, 1, 4, (uint8_t)limit);
	reg(w, 1, 5, (uint8_t)(limit >> 8));
	reg(w, 1, 7, 0xa0);
	pio_out(w, 1, p, 12);
}

static void test_cd_shows_its_signature_and_refuses_ata(void)
{
	struct world w;
	uint16_t id[256];
	world_open(&w);
	CHECK_EQ(get(&w, 1, 4), 0x14);
	CHECK_EQ(get(&w, 1, 5), 0xeb);
	reg(&w, 1, 4, 0);
	reg(&w, 1, 7, 0xec);
	CHECK_EQ(get(&w, 1, STATUS) & IDE_ERR, IDE_ERR);
	CHECK_EQ(get(&w, 1, 4), 0x14);
	reg(&w, 1, 7, 0xa1);
	pio_in(&w, 1, id, sizeof(id));
	CHECK_EQ(id[0], 0x85c0);
	world_end(&w);
}

static void test_cd_blocks_come_in_pieces_of_the_drivers_limit(void)
{
	struct world w;
	static const uint8_t read10[12] = {0x28, 0, 0, 0, 0, 3, 0, 0, 2};
	uint8_t buf[4096];
	world_open(&w);
	packet(&w, read10, false, 3000);
	CHECK_EQ(get(&w, 1, 2), IDE_IO);
	CHECK_EQ(get(&w, 1, 4) | get(&w, 1, 5) << 8, 3000);
	CHECK_EQ(get(&w, 1, STATUS) & IDE_DRQ, IDE_DRQ);
	pio_in(&w, 1, buf, 3000);
	CHECK_EQ(get(&w, 1, 4) | get(&w, 1, 5) << 8, 1096);
	pio_in(&w, 1, buf + 3000, 1096);
	CHECK_EQ(get(&w, 1, 2), IDE_IO | IDE_CD);
	CHECK_EQ(get(&w, 1, STATUS), DRQ_IDLE);
	CHECK_EQ(w.irq[1].rises, 2); /* one for both pieces, whose status nobody read */
	CHECK(memcmp(buf, w.cd.data + 3 * 2048, 4096) == 0);
	world_end(&w);
}

static void test_cd_reads_by_the_bus_master(void)
{
	struct world w;
	static const uint8_t read12[12] = {0xa8, 0, 0, 0, 0, 5, 0, 0, 0, 3};
	static const uint8_t capacity[12] = {0x25};
	static const uint8_t size[8] = {0, 0, 0, BLOCKS - 1, 0, 0, 8, 0};
	world_open(&w);
	prd(&w, 0, DATA, 3000, false);
	prd(&w, 1, DATA + 3000, 3144, true);
	bm(&w, 12, 4, PRD);
	packet(&w, read12, true, 0);
	bm(&w, 8, 1, IDE_BM_TO_MEMORY | IDE_BM_START);
	CHECK_EQ(get(&w, 1, STATUS), DRQ_IDLE);
	CHECK(memory_is(&w, DATA, w.cd.data + 5 * 2048, 3 * 2048));
	bm(&w, 8, 1, 0);
	prd(&w, 0, DATA, 8, true);
	bm(&w, 8, 1, IDE_BM_TO_MEMORY | IDE_BM_START);
	packet(&w, capacity, true, 0);
	CHECK_EQ(get(&w, 1, STATUS), DRQ_IDLE);
	CHECK(memory_is(&w, DATA, size, 8));
	/* Some start it when the packet has been sent. */
	bm(&w, 8, 1, 0);
	CHECK_EQ(gmem_zero(w.gm, DATA, 8), 0);
	w.irq[1].rises = 0;
	packet(&w, capacity, true, 0);
	CHECK_EQ(w.irq[1].rises, 0);
	bm(&w, 8, 1, IDE_BM_TO_MEMORY | IDE_BM_START);
	CHECK_EQ(get(&w, 1, STATUS), DRQ_IDLE);
	CHECK_EQ(w.irq[1].rises, 1);
	CHECK(memory_is(&w, DATA, size, 8));
	/* The wrong way. */
	log_set_level(LOG_ERROR);
	bm(&w, 8, 1, 0);
	packet(&w, capacity, true, 0);
	bm(&w, 8, 1, IDE_BM_START);
	CHECK_EQ(get(&w, 1, STATUS), DRQ_IDLE | IDE_ERR);
	CHECK(ide_bm_bus_ops.read(w.dev, 10, 1) & IDE_BM_ERROR);
	log_set_level(LOG_WARN);
	world_end(&w);
}

static void test_cd_errors_have_sense(void)
{
	struct world w;
	static const uint8_t beyond[12] = {0x28, 0, 0, 0, 0, BLOCKS, 0, 0, 1};
	static const uint8_t write10[12] = {0x2a};
	static const uint8_t sense[12] = {0x03, 0, 0, 0, 18};
	static const uint8_t ready[12] = {0x00};
	uint8_t buf[18];
	world_open(&w);
	packet(&w, beyond, false, 2048);
	CHECK_EQ(get(&w, 1, STATUS), DRQ_IDLE | IDE_ERR);
	CHECK_EQ(get(&w, 1, 1), 5 << 4 | IDE_ABRT);
	packet(&w, sense, false, 18);
	pio_in(&w, 1, buf, 18);
	CHECK_EQ(buf[2], 5);
	CHECK_EQ(buf[12], 0x21);
	packet(&w, write10, false, 0);
	packet(&w, sense, false, 18);
	pio_in(&w, 1, buf, 18);
	CHECK_EQ(buf[12], 0x20);
	packet(&w, sense, false, 18);
	pio_in(&w, 1, buf, 18);
	CHECK_EQ(buf[2], 0);
	/* It is that of the last command. */
	packet(&w, write10, false, 0);
	packet(&w, ready, false, 0);
	CHECK_EQ(get(&w, 1, STATUS), DRQ_IDLE);
	packet(&w, sense, false, 18);
	pio_in(&w, 1, buf, 18);
	CHECK_EQ(buf[2], 0);
	world_end(&w);
}

static void test_cd_table_of_contents(void)
{
	struct world w;
	static const uint8_t toc[12] = {0x43, 0, 0, 0, 0, 0, 0, 0, 20};
	static const uint8_t msf[12] = {0x43, 2, 0, 0, 0, 0, 0xaa, 0, 20};
	uint8_t buf[20];
	world_open(&w);
	packet(&w, toc, false, 100);
	pio_in(&w, 1, buf, 20);
	CHECK_EQ(buf[1], 18);
	CHECK_EQ(buf[6], 1);
	CHECK_EQ(buf[14], 0xaa);
	CHECK_EQ(buf[19], BLOCKS);
	packet(&w, msf, false, 100);
	pio_in(&w, 1, buf, 12);
	CHECK_EQ(buf[10], 2);
	CHECK_EQ(buf[11], BLOCKS);
	world_end(&w);
}

static struct device *fresh(void *ctx)
{
	struct world *w = ctx;
	struct device *dev;
	return ide_create(&dev, &w->cfg) == 0 ? dev : NULL;
}

static void scramble(struct device *dev, void *ctx)
{
	struct world *w = ctx;
	w->dev = dev;
	pio_in(w, 0, (uint8_t[512]){0}, 512);
	reg(w, 0, 2, 4);
	reg(w, 0, 7, 0xc6);
	lba28(w, 77, 2, 0x20);
	pio_in(w, 0, (uint8_t[200]){0}, 200);
	bm(w, 12, 4, PRD);
	bm(w, 10, 1, IDE_BM_CAPABLE);
	packet(w, (const uint8_t[12]){0x12, 0, 0, 0, 36}, false, 10);
	w->dev = NULL;
}

/* An answer that waits for the bus master. */
static void scramble_dma(struct device *dev, void *ctx)
{
	struct world *w = ctx;
	w->dev = dev;
	packet(w, (const uint8_t[12]){0x25}, true, 0);
	w->dev = NULL;
}

static void test_ide_conforms(void)
{
	struct world w;
	world_begin(&w);
	struct conformance c = {.create = fresh, .scramble = scramble, .ctx = &w};
	conformance_check(&c);
	c.scramble = scramble_dma;
	conformance_check(&c);
	world_end(&w);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_identify_tells_size_and_geometry),
		TEST_CASE(test_empty_channel_and_absent_slave_do_not_keep_anybody_waiting),
		TEST_CASE(test_sectors_come_by_lba_and_by_chs),
		TEST_CASE(test_48_bit_commands_use_what_was_written_before),
		TEST_CASE(test_multiple_sectors_an_interrupt),
		TEST_CASE(test_busy_until_the_disk_has_answered),
		TEST_CASE(test_quiescing_waits_for_whoever_uses_the_disks),
		TEST_CASE(test_a_failing_disk_is_an_error_of_the_drive),
		TEST_CASE(test_a_diagnostic_ends_what_the_other_drive_was_at),
		TEST_CASE(test_previous_contents_show_until_the_next_write),
		TEST_CASE(test_a_disk_may_be_told_to_rest),
		TEST_CASE(test_a_failing_disk_is_no_error_of_the_bus),
		TEST_CASE(test_bus_master_follows_its_table),
		TEST_CASE(test_bus_master_table_of_tiny_pieces_is_followed_without_recursion),
		TEST_CASE(test_bad_tables_end_the_transfer),
		TEST_CASE(test_cd_shows_its_signature_and_refuses_ata),
		TEST_CASE(test_cd_blocks_come_in_pieces_of_the_drivers_limit),
		TEST_CASE(test_cd_reads_by_the_bus_master),
		TEST_CASE(test_cd_errors_have_sense),
		TEST_CASE(test_cd_table_of_contents),
		TEST_CASE(test_ide_conforms),
	};
	return TEST_RUN(cases);
}
