/*
 * A machine for the BIOS's services: 2 MiB of RAM, clock, keyboard controller, a serial port, a
 * VGA, and disks in memory. Calls are made as the ROM's stubs make them.
 */
#ifndef BIOS_BENCH_H
#define BIOS_BENCH_H

#include "fakeblock.h"
#include "fakes.h"
#include <spec/bios.h>
#include <tinyvm/bios.h>

#define BENCH_RAM   (2u << 20)
#define BENCH_STACK 0x7000u /* SS:SP is 0:7000h */

/**
 * struct bios_bench - the machine
 * @cfg:   fill in what should differ before bios_bench_start()
 * @disk:  of cfg.disk[] of the same index
 * @booted: how often a boot sector was entered, @booted_drive from where
 * @is_blind: without a VGA, which takes its time to start
 */
struct bios_bench {
	struct bios_config cfg;
	struct device *dev, *cmos, *i8042, *serial, *vga;
	struct bus *pio, *mmio;
	struct fake_clock clock;
	struct fake_power power;
	struct fake_irq keyboard_irq, mouse_irq;
	struct fake_chardev terminal;
	struct fakeblock disk[BIOS_DISK_MAX];
	char screen[80 * 25 + 1];
	unsigned booted, booted_drive;
	bool is_blind;
};

/* @bench is filled with defaults: no disks. Then disks; then the device and power-on. */
void bios_bench_init(struct bios_bench *bench);
struct fakeblock *bios_bench_add_disk(struct bios_bench *bench, enum bios_disk_kind kind,
				      uint64_t size);
void bios_bench_start(struct bios_bench *bench);
void bios_bench_end(struct bios_bench *bench);

/* A device of the same configuration. */
struct device *bios_bench_create(void *bench);

/* One OUT with @f on the stack; bios_bench_call() again for as long as it says BIOS_AGAIN. */
void bios_bench_out(struct bios_bench *bench, unsigned service, struct bios_frame *f);
void bios_bench_call(struct bios_bench *bench, unsigned service, struct bios_frame *f);

/* What is on the text screen, line after line. */
const char *bios_bench_screen(struct bios_bench *bench);

/* A byte of the VGA's window, as a processor reads it. */
uint8_t bios_bench_video(struct bios_bench *bench, gpa_t gpa);

/* Guest memory, little-endian. */
uint64_t bios_bench_peek(struct bios_bench *bench, gpa_t gpa, unsigned bytes);
void bios_bench_poke(struct bios_bench *bench, gpa_t gpa, uint64_t value, unsigned bytes);

#endif
