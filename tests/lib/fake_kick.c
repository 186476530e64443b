#include "fake_kick.h"

static void fake_kick_map(void *ctx, unsigned queue, uint64_t gpa, unsigned size,
			  uint32_t datamatch)
{
	struct fake_kick *kick = ctx;
	if (kick->count == FAKE_KICK_MAX)
		return;
	kick->map[kick->count].queue = queue;
	kick->map[kick->count].gpa = gpa;
	kick->map[kick->count].size = size;
	kick->map[kick->count].datamatch = datamatch;
	kick->count++;
}

static void fake_kick_unmap(void *ctx)
{
	((struct fake_kick *)ctx)->count = 0;
}

static void fake_kick_ring(void *ctx, unsigned queue)
{
	struct fake_kick *kick = ctx;
	kick->rings++;
	kick->rung = queue;
}

struct kick_sink fake_kick_sink(struct fake_kick *kick)
{
	return (struct kick_sink){.map = fake_kick_map,
				  .unmap = fake_kick_unmap,
				  .ring = fake_kick_ring,
				  .ctx = kick};
}
