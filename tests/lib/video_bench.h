/* A machine for INT 10h: 2 MiB of RAM, the VGA and the BIOS, on real buses. */
#ifndef VIDEO_BENCH_H
#define VIDEO_BENCH_H

#include "fakes.h"
#include <spec/bios.h>
#include <tinyvm/bios.h>
#include <tinyvm/screen.h>
#include <tinyvm/vga.h>

#define VIDEO_BENCH_RAM	  (2u << 20)
#define VIDEO_BENCH_STACK 0x7000u /* SS:SP is 0:7000h */

/**
 * struct video_bench - the machine
 * @has_window: set before video_bench_start(): text in guest memory, as on the board
 * @screen: what video_bench_shown() took
 */
struct video_bench {
	struct fake_clock clock;
	struct fake_power power;
	struct gmem *gm;
	struct bus *pio, *mmio;
	struct device *vga, *bios;
	bool has_window;
	struct screen screen;
};

/* Powered on: the BIOS has set mode 3. */
void video_bench_start(struct video_bench *bench);
void video_bench_end(struct video_bench *bench);

/* INT 10h, with @f as its frame. */
void video_bench_call(struct video_bench *bench, struct bios_frame *f);

const struct screen *video_bench_shown(struct video_bench *bench);

/* Guest memory, past the VGA: little-endian. */
uint32_t video_bench_peek(struct video_bench *bench, gpa_t gpa, unsigned bytes);
void video_bench_poke(struct video_bench *bench, gpa_t gpa, const void *buf, size_t len);

#endif
