#include "video_bench.h"

#include <stdlib.h>
#include <tinyvm/err.h>

static void bench_map(void *ctx, bool is_mapped)
{
	(void)ctx, (void)is_mapped;
}

static void bench_out(struct video_bench *bench, unsigned service, struct bios_frame *f)
{
	uint32_t value = VIDEO_BENCH_STACK << 8 | service;
	int rc = gmem_write(bench->gm, VIDEO_BENCH_STACK, f, BIOS_FRAME_SIZE);
	bus_write(bench->pio, BIOS_PORT_CALL, &value, sizeof(value));
	rc |= gmem_read(bench->gm, VIDEO_BENCH_STACK, f, BIOS_FRAME_SIZE);
	if (rc != 0)
		abort();
}

void video_bench_start(struct video_bench *bench)
{
	struct err err;
	struct bios_frame f = {0};
	struct vga_window window = {.map = bench->has_window ? bench_map : NULL};
	struct clock clock = fake_clock_wire(&bench->clock);
	int rc = gmem_create(&bench->gm, VIDEO_BENCH_RAM);
	rc |= bus_create(&bench->pio, "ports");
	rc |= bus_create(&bench->mmio, "mmio");
	rc |= vga_create(&bench->vga, bench->gm, clock, window);
	const struct bios_config cfg = {.gm = bench->gm,
					.pio = bench->pio,
					.mmio = bench->mmio,
					.clock = clock,
					.power = fake_power_sink(&bench->power),
					.ram_below_4g = VIDEO_BENCH_RAM,
					.cpus = 1};
	rc |= bios_create(&bench->bios, &cfg);
	rc |= bus_add(bench->pio, VGA_PORT_BASE, VGA_PORT_BASE + VGA_PORTS - 1, &vga_port_bus_ops,
		      bench->vga, bench->vga, &err);
	rc |= bus_add(bench->mmio, VGA_MEMORY_BASE, VGA_MEMORY_BASE + VGA_MEMORY_SIZE - 1,
		      &vga_memory_bus_ops, bench->vga, bench->vga, &err);
	rc |= bus_add(bench->pio, BIOS_PORT_BASE, BIOS_PORT_BASE + BIOS_PORTS - 1, &bios_bus_ops,
		      bench->bios, bench->bios, &err);
	rc |= gmem_write(bench->gm, BIOS_ROM_BASE + BIOS_ROM_SIZE - BIOS_IMAGE_SIZE, bios_rom(),
			 BIOS_IMAGE_SIZE);
	if (rc != 0)
		abort();
	bench_out(bench, BIOS_CALL_POST, &f);
}

void video_bench_end(struct video_bench *bench)
{
	device_destroy(bench->bios);
	device_destroy(bench->vga);
	bus_destroy(bench->pio);
	bus_destroy(bench->mmio);
	gmem_destroy(bench->gm);
}

void video_bench_call(struct video_bench *bench, struct bios_frame *f)
{
	bench_out(bench, 0x10, f);
}

const struct screen *video_bench_shown(struct video_bench *bench)
{
	device_lock(bench->vga);
	vga_take(bench->vga, &bench->screen);
	device_unlock(bench->vga);
	return &bench->screen;
}

uint32_t video_bench_peek(struct video_bench *bench, gpa_t gpa, unsigned bytes)
{
	uint8_t v[4] = {0};
	if (gmem_read(bench->gm, gpa, v, bytes) != 0)
		abort();
	return v[0] | (uint32_t)v[1] << 8 | (uint32_t)v[2] << 16 | (uint32_t)v[3] << 24;
}

void video_bench_poke(struct video_bench *bench, gpa_t gpa, const void *buf, size_t len)
{
	if (gmem_write(bench->gm, gpa, buf, len) != 0)
		abort();
}
