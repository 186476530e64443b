/* Fuzzes a chip with a script of register accesses, resets, saves and loads. */
#ifndef REGFUZZ_H
#define REGFUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <tinyvm/bus.h>
#include <tinyvm/device.h>

#define REGFUZZ_WINDOWS 4

/**
 * struct regfuzz - the chip under test
 * @dev:    the chip; every window has it as ctx
 * @twin:   another one of its kind, into which @dev's state is loaded and must save the same
 * @ops, @size: register windows, up to the first NULL
 * @world:  what else can happen to it (time passes, input comes); NULL for nothing
 * @is_quick: this script's resets, saves and loads are left out
 */
struct regfuzz {
	struct device *dev;
	struct device *twin;
	const struct bus_ops *ops[REGFUZZ_WINDOWS];
	uint64_t size[REGFUZZ_WINDOWS];
	void (*world)(void *ctx, uint8_t what);
	void *ctx;
	bool is_quick;
};

/*
 * One step a command byte: bits 0-2 what (reads and writes have two codes each), bits 3-4 the
 * window, bits 5-6 log2 of the access size; then its operands. Aborts when the twin differs.
 */
void regfuzz_run(const struct regfuzz *f, const uint8_t *script, size_t len);

#endif
