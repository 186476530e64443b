/*
 * pvpanic (QEMU docs/specs/pvpanic): one port by which a guest kernel says that it has panicked.
 *
 * Reads tell which events the host understands. A panic that the guest handles itself (bit 1: a
 * crash kernel is loaded and about to run) is only noted; the machine goes on.
 */
#include <errno.h>
#include <stdlib.h>
#include <tinyvm/legacy.h>
#include <tinyvm/log.h>
#include <tinyvm/state.h>

#define PANICKED     0x01
#define CRASH_LOADED 0x02

/**
 * struct pvpanic - the port
 * @crashes: panics that went to a crash kernel
 */
struct pvpanic {
	struct device dev;
	struct power_sink power;
	uint64_t crashes;
};

static uint64_t pvpanic_read(void *ctx, uint64_t off, unsigned size)
{
	(void)ctx, (void)off, (void)size;
	return PANICKED | CRASH_LOADED;
}

static void pvpanic_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct pvpanic *p = ctx;
	(void)off, (void)size;
	if (value & PANICKED)
		p->power.request(p->power.ctx, POWER_PANIC);
	else if (value & CRASH_LOADED)
		log_guest(&p->crashes, "the guest kernel panicked and starts its crash kernel");
}

const struct bus_ops pvpanic_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = pvpanic_read,
	.write = pvpanic_write,
};

static void pvpanic_reset(struct device *dev)
{
	((struct pvpanic *)dev)->crashes = 0;
}

static void pvpanic_state(struct device *dev, struct state *st)
{
	state_u64(st, "crashes", &((struct pvpanic *)dev)->crashes);
}

static void pvpanic_destroy(struct device *dev)
{
	free(dev);
}

static const struct device_ops pvpanic_ops = {
	.type = "pvpanic",
	.version = 1,
	.reset = pvpanic_reset,
	.state = pvpanic_state,
	.destroy = pvpanic_destroy,
};

int pvpanic_create(struct device **ret_dev, struct power_sink power)
{
	struct pvpanic *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	device_init(&p->dev, &pvpanic_ops, "pvpanic");
	p->power = power;
	*ret_dev = &p->dev;
	return 0;
}
