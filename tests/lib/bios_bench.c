#include "bios_bench.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/err.h>
#include <tinyvm/vga.h>

#define AGAIN_MAX 100000

#define COM1_PORT 0x3f8

static void bench_submit(void *ctx, struct block_req *req)
{
	struct block *blk = ctx;
	blk->ops->submit(blk, req);
	blk->ops->commit(blk);
}

static void bench_booted(void *ctx, unsigned drive)
{
	struct bios_bench *bench = ctx;
	bench->booted++;
	bench->booted_drive = drive;
}

void bios_bench_init(struct bios_bench *bench)
{
	memset(bench, 0, sizeof(*bench));
	bench->clock = (struct fake_clock){.ns = 1, .s = 1709210096}; /* 2024-02-29 12:34:56 */
	bench->cfg = (struct bios_config){.boot = "acd",
					  .ram_below_4g = BENCH_RAM,
					  .cpus = 1,
					  .com_port = {COM1_PORT},
					  .booted = bench_booted,
					  .ctx = bench};
}

struct fakeblock *bios_bench_add_disk(struct bios_bench *bench, enum bios_disk_kind kind,
				      uint64_t size)
{
	unsigned n = bench->cfg.disk_count++;
	struct fakeblock *fake = &bench->disk[n];
	struct bios_disk *disk = &bench->cfg.disk[n];
	fakeblock_init(fake, size);
	*disk = (struct bios_disk){
		.kind = kind, .size = size, .submit = bench_submit, .ctx = &fake->blk};
	if (kind != BIOS_CD) {
		disk->heads = kind == BIOS_FLOPPY ? 2 : 16;
		disk->sectors = kind == BIOS_FLOPPY ? 18 : 63;
		disk->cylinders = (unsigned)(size / 512 / disk->heads / disk->sectors);
	}
	return fake;
}

struct device *bios_bench_create(void *ctx)
{
	struct bios_bench *bench = ctx;
	struct device *dev;
	return bios_create(&dev, &bench->cfg) == 0 ? dev : NULL;
}

static void bench_add(struct bus *bus, uint64_t base, unsigned count, const struct bus_ops *ops,
		      void *ctx, struct device *dev)
{
	struct err err;
	int rc = bus_add(bus, base, base + count - 1, ops, ctx, dev, &err);
	assert(rc == 0);
	(void)rc;
}

static void bench_add_chips(struct bios_bench *bench)
{
	struct clock clock = fake_clock_wire(&bench->clock);
	const struct cmos_config cmos = {.clock = clock, .ram_below_4g = BENCH_RAM};
	const struct i8042_config i8042 = {.power = fake_power_sink(&bench->power),
					   .is_connected = true,
					   .keyboard_irq = fake_irq_line(&bench->keyboard_irq),
					   .mouse_irq = fake_irq_line(&bench->mouse_irq),
					   .clock = clock};
	fake_chardev_init(&bench->terminal);
	int rc = cmos_create(&bench->cmos, &cmos);
	rc |= i8042_create(&bench->i8042, &i8042);
	rc |= serial_create(&bench->serial, "com1", (struct irq_line){0}, &bench->terminal.cd);
	if (!bench->is_blind)
		rc |= vga_create(&bench->vga, bench->cfg.gm, clock, (struct vga_window){0});
	assert(rc == 0);
	bench_add(bench->pio, 0x70, CMOS_PORTS, &cmos_bus_ops, bench->cmos, bench->cmos);
	bench_add(bench->pio, 0x60, 1, &i8042_data_bus_ops, bench->i8042, bench->i8042);
	bench_add(bench->pio, 0x64, 1, &i8042_command_bus_ops, bench->i8042, bench->i8042);
	bench_add(bench->pio, COM1_PORT, SERIAL_PORTS, &serial_bus_ops, bench->serial,
		  bench->serial);
	if (bench->is_blind)
		return;
	bench_add(bench->pio, VGA_PORT_BASE, VGA_PORTS, &vga_port_bus_ops, bench->vga, bench->vga);
	bench_add(bench->mmio, VGA_MEMORY_BASE, VGA_MEMORY_SIZE, &vga_memory_bus_ops, bench->vga,
		  bench->vga);
}

void bios_bench_start(struct bios_bench *bench)
{
	struct bios_frame f = {0};
	struct bios_config *cfg = &bench->cfg;
	int rc = gmem_create(&cfg->gm, BENCH_RAM);
	rc |= bus_create(&bench->pio, "ports");
	rc |= bus_create(&bench->mmio, "mmio");
	cfg->pio = bench->pio;
	cfg->mmio = bench->mmio;
	cfg->clock = fake_clock_wire(&bench->clock);
	cfg->power = fake_power_sink(&bench->power);
	bench_add_chips(bench);
	rc |= bios_create(&bench->dev, cfg);
	rc |= gmem_write(cfg->gm, BIOS_ROM_BASE + BIOS_ROM_SIZE - BIOS_IMAGE_SIZE, bios_rom(),
			 BIOS_IMAGE_SIZE);
	assert(rc == 0);
	bench_add(bench->pio, BIOS_PORT_BASE, BIOS_PORTS, &bios_bus_ops, bench->dev, bench->dev);
	bios_bench_call(bench, BIOS_CALL_POST, &f);
}

void bios_bench_end(struct bios_bench *bench)
{
	for (unsigned i = 0; i < bench->cfg.disk_count; i++) {
		bench->disk[i].blk.ops->drain(&bench->disk[i].blk);
		fakeblock_fini(&bench->disk[i]);
	}
	device_destroy(bench->dev);
	device_destroy(bench->cmos);
	device_destroy(bench->i8042);
	device_destroy(bench->serial);
	device_destroy(bench->vga);
	bus_destroy(bench->pio);
	bus_destroy(bench->mmio);
	gmem_destroy(bench->cfg.gm);
}

void bios_bench_out(struct bios_bench *bench, unsigned service, struct bios_frame *f)
{
	uint32_t value = BENCH_STACK << 8 | service;
	int rc = gmem_write(bench->cfg.gm, BENCH_STACK, f, BIOS_FRAME_SIZE);
	bus_write(bench->pio, BIOS_PORT_CALL, &value, sizeof(value));
	rc |= gmem_read(bench->cfg.gm, BENCH_STACK, f, BIOS_FRAME_SIZE);
	assert(rc == 0);
	(void)rc;
}

void bios_bench_call(struct bios_bench *bench, unsigned service, struct bios_frame *f)
{
	unsigned n = 0;
	do
		bios_bench_out(bench, service, f);
	while (f->result == BIOS_AGAIN && n++ < AGAIN_MAX);
}

uint8_t bios_bench_video(struct bios_bench *bench, gpa_t gpa)
{
	uint8_t value;
	bus_read(bench->mmio, gpa, &value, 1);
	return value;
}

const char *bios_bench_screen(struct bios_bench *bench)
{
	for (unsigned i = 0; i < sizeof(bench->screen) - 1; i++)
		bench->screen[i] = (char)bios_bench_video(bench, VGA_TEXT_BASE + i * 2);
	return bench->screen;
}

uint64_t bios_bench_peek(struct bios_bench *bench, gpa_t gpa, unsigned bytes)
{
	uint8_t v[8] = {0};
	uint64_t value = 0;
	if (gmem_read(bench->cfg.gm, gpa, v, bytes) != 0)
		return UINT64_MAX;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)v[i] << 8 * i;
	return value;
}

void bios_bench_poke(struct bios_bench *bench, gpa_t gpa, uint64_t value, unsigned bytes)
{
	uint8_t v[8];
	for (unsigned i = 0; i < bytes; i++)
		v[i] = (uint8_t)(value >> 8 * i);
	int rc = gmem_write(bench->cfg.gm, gpa, v, bytes);
	assert(rc == 0);
	(void)rc;
}
