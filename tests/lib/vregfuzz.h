/* Fuzzes a virtio transport: a script of register accesses on a bus, with a driver's help. */
#ifndef VREGFUZZ_H
#define VREGFUZZ_H

#include "vdriver.h"

struct bus;

#define VREGFUZZ_WINDOWS 4
#define VREGFUZZ_MEMORY	 0x10000

/**
 * struct vregfuzz - the device under test, behind its transport
 * @bus:    where its windows are
 * @base, @size: address ranges for the script to play in, up to the first of size 0
 * @drv:    bound to the device through the transport, on vregfuzz_memory()
 */
struct vregfuzz {
	struct bus *bus;
	uint64_t base[VREGFUZZ_WINDOWS];
	uint64_t size[VREGFUZZ_WINDOWS];
	struct vdriver *drv;
};

/* VREGFUZZ_MEMORY bytes of guest memory, the same each time, zeroed. */
struct gmem *vregfuzz_memory(void);

/*
 * One step a command byte, see vregfuzz.c, then its operands. Aborts when the state does not
 * survive save and load.
 */
void vregfuzz_run(const struct vregfuzz *f, const uint8_t *script, size_t len);

#endif
