/* A kick sink that remembers what is mapped. */
#ifndef FAKE_KICK_H
#define FAKE_KICK_H

#include <stdint.h>
#include <tinyvm/device.h>

#define FAKE_KICK_MAX 64

struct fake_kick {
	unsigned count;
	unsigned rings; /* by the device itself, the last for queue @rung */
	unsigned rung;
	struct {
		unsigned queue;
		uint64_t gpa;
		unsigned size;
		uint32_t datamatch;
	} map[FAKE_KICK_MAX];
};

struct kick_sink fake_kick_sink(struct fake_kick *kick);

#endif
