/*
 * INT 10h with hostile registers, pointers and BIOS data area, on the VGA; register writes and
 * pictures in between.
 */
#include "video_bench.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
	const uint8_t *at;
	size_t left;
};

enum step {
	STEP_CALL,
	STEP_CALL_AGAIN,
	STEP_DATA_AREA,
	STEP_MEMORY,
	STEP_PORT,
	STEP_PICTURE,
};

/* Calls a script; some take milliseconds. */
#define CALLS_MAX 16

static uint32_t take(struct script *s, unsigned bytes)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < bytes && s->left; i++, s->left--)
		value |= (uint32_t)*s->at++ << 8 * i;
	return value;
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
	video_bench_call(bench, &f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct video_bench bench;
	struct script s = {.at = data, .left = size};
	bench = (struct video_bench){.clock = {.ns = 1}};
	bench.has_window = take(&s, 1) & 1;
	video_bench_start(&bench);
	for (unsigned calls = 0; s.left && calls < CALLS_MAX;) {
		uint8_t byte;
		uint32_t at;
		switch ((enum step)(take(&s, 1) % (STEP_PICTURE + 1))) {
		case STEP_CALL:
		case STEP_CALL_AGAIN:
			step_call(&bench, &s);
			calls++;
			break;
		case STEP_DATA_AREA:
			at = 0x449 + take(&s, 1) % 0x64;
			byte = (uint8_t)take(&s, 1);
			video_bench_poke(&bench, at, &byte, 1);
			break;
		case STEP_MEMORY:
			at = take(&s, 1) << 2;
			for (unsigned i = 0; i < 4; i++) {
				byte = (uint8_t)take(&s, 1);
				video_bench_poke(&bench, at + i, &byte, 1);
			}
			break;
		case STEP_PORT:
			at = VGA_PORT_BASE + take(&s, 1) % VGA_PORTS;
			byte = (uint8_t)take(&s, 1);
			bus_write(bench.pio, at, &byte, 1);
			break;
		case STEP_PICTURE:
			video_bench_shown(&bench);
			break;
		}
	}
	video_bench_end(&bench);
	return 0;
}
