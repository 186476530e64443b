/*
 * System control port A (IBM Personal System/2 Model 50 and 60 Technical Reference, 1987): the
 * fast way to open A20, and to reset.
 *
 * A20 is always open: its bit is storage. Left out: the watchdog's status, the security lock, the
 * light of the disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <tinyvm/legacy.h>
#include <tinyvm/state.h>

#define PORT92_RESET 0x01 /* when it rises */
#define PORT92_A20   0x02
#define PORT92_KEPT  (PORT92_RESET | PORT92_A20)

struct port92 {
	struct device dev;
	struct power_sink power;
	uint8_t value;
};

static uint64_t port92_read(void *ctx, uint64_t off, unsigned size)
{
	struct port92 *p = ctx;
	(void)off, (void)size;
	return p->value;
}

static void port92_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct port92 *p = ctx;
	bool is_pulse = value & ~p->value & PORT92_RESET;
	(void)off, (void)size;
	p->value = value & PORT92_KEPT;
	if (is_pulse)
		p->power.request(p->power.ctx, POWER_RESET);
}

const struct bus_ops port92_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = port92_read,
	.write = port92_write,
};

static void port92_reset(struct device *dev)
{
	((struct port92 *)dev)->value = PORT92_A20;
}

static void port92_state(struct device *dev, struct state *st)
{
	struct port92 *p = (struct port92 *)dev;
	state_u8(st, "VALUE", &p->value);
	if (state_is_loading(st))
		p->value &= PORT92_KEPT;
}

static void port92_destroy(struct device *dev)
{
	free(dev);
}

static const struct device_ops port92_ops = {
	.type = "port92",
	.version = 1,
	.reset = port92_reset,
	.state = port92_state,
	.destroy = port92_destroy,
};

int port92_create(struct device **ret_dev, struct power_sink power)
{
	struct port92 *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	device_init(&p->dev, &port92_ops, "port92");
	p->power = power;
	port92_reset(&p->dev);
	*ret_dev = &p->dev;
	return 0;
}
