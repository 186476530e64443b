/*
 * INT 10h with hostile registers, pointers and BIOS data area, on the VGA; register writes and
 * pictures in between.
 *
 * The first byte says in which mode a script begins. What goes over the whole of a screen takes
 * milliseconds, so most scripts have a screen of a few characters, set no mode or one without
 * clearing the screen, and write short strings; some have it all, for few calls.
 */
#include "still.h"
#include "video_bench.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
	const uint8_t *at;
	size_t left;
	unsigned calls_left, pictures_left;
	bool is_full, can_set_mode;
};

enum step {
	STEP_CALL,
	STEP_CALL_AGAIN,
	STEP_DATA_AREA,
	STEP_MEMORY,
	STEP_PORT,
	STEP_PICTURE,
};

#define CALLS	   12
#define CALLS_FULL 2

#define MODES 8
static const uint8_t modes[MODES] = {0x03, 0x03, 0x13, 0x12, 0x06, 0x04, 0x0d, 0x07};

#define BDA_COLS      0x44a
#define BDA_ROWS      0x484
#define COLS_SMALL    12
#define ROWS_SMALL    3
#define STRING_SMALL  0x3f
#define MODE_NO_CLEAR 0x80

static uint32_t take(struct script *s, unsigned bytes)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < bytes && s->left; i++, s->left--)
		value |= (uint32_t)*s->at++ << 8 * i;
	return value;
}

static void step_make_small(struct video_bench *bench, struct bios_frame *f)
{
	if (video_bench_peek(bench, BDA_COLS, 2) > COLS_SMALL)
		video_bench_poke(bench, BDA_COLS, (const uint8_t[]){COLS_SMALL, 0}, 2);
	if (video_bench_peek(bench, BDA_ROWS, 1) > ROWS_SMALL)
		video_bench_poke(bench, BDA_ROWS, (const uint8_t[]){ROWS_SMALL}, 1);
	if (f->eax >> 8 == 0x00)
		f->eax |= MODE_NO_CLEAR;
	if (f->eax >> 8 == 0x13)
		f->ecx &= STRING_SMALL;
}

static void step_call(struct video_bench *bench, struct script *s)
{
	struct bios_frame f = {0};
	f.eax = take(s, 1) | take(s, 1) % 0x20 << 8;
	f.ebx = take(s, 2);
	f.ecx = take(s, 2);
	f.edx = take(s, 2);
	f.ebp = take(s, 2);
	f.edi = f.esi = f.ebp;
	f.es = (uint16_t)take(s, 2);
	if (!s->is_full)
		step_make_small(bench, &f);
	if (f.eax >> 8 == 0x00) {
		if (!s->can_set_mode)
			return;
		s->can_set_mode = false;
	}
	video_bench_call(bench, &f);
}

static void step(struct video_bench *bench, struct script *s)
{
	uint8_t bytes[4];
	uint32_t at;
	switch ((enum step)(take(s, 1) % (STEP_PICTURE + 1))) {
	case STEP_CALL:
	case STEP_CALL_AGAIN:
		step_call(bench, s);
		s->calls_left--;
		break;
	case STEP_DATA_AREA:
		at = 0x449 + take(s, 1) % 0x64;
		bytes[0] = (uint8_t)take(s, 1);
		video_bench_poke(bench, at, bytes, 1);
		break;
	case STEP_MEMORY:
		at = take(s, 1) << 2;
		for (unsigned i = 0; i < 4; i++)
			bytes[i] = (uint8_t)take(s, 1);
		video_bench_poke(bench, at, bytes, 4);
		break;
	case STEP_PORT:
		at = VGA_PORT_BASE + take(s, 1) % VGA_PORTS;
		bytes[0] = (uint8_t)take(s, 1);
		bus_write(bench->pio, at, bytes, 1);
		break;
	case STEP_PICTURE:
		if (s->pictures_left) {
			video_bench_shown(bench);
			s->pictures_left--;
		}
		break;
	}
}

static void machine_create(struct video_bench *bench, unsigned which, struct still *still)
{
	struct bios_frame f = {.eax = modes[which]};
	bench->clock.ns = 1;
	bench->has_window = which == 1;
	video_bench_start(bench);
	video_bench_call(bench, &f);
	still_add_gmem(still, bench->gm);
	still_add_heap(still, bench->vga);
	still_add_heap(still, bench->bios);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct video_bench machines[MODES];
	static struct still stills[MODES];
	struct script s = {.at = data, .left = size, .pictures_left = 1};
	uint8_t how = (uint8_t)take(&s, 1);
	unsigned which = how % MODES;

	if (!stills[which].count)
		machine_create(&machines[which], which, &stills[which]);
	still_restore(&stills[which]);
	s.is_full = how / MODES == 1;
	s.can_set_mode = s.is_full || size % 4 == 0;
	s.calls_left = s.is_full ? CALLS_FULL : CALLS;
	while (s.left && s.calls_left)
		step(&machines[which], &s);
	return 0;
}
