#include "fakes.h"

#include <string.h>

static void fake_irq_set(void *ctx, unsigned n, bool is_high)
{
	struct fake_irq *irq = ctx;
	(void)n;
	irq->rises += is_high && !irq->is_high;
	irq->is_high = is_high;
}

struct irq_line fake_irq_line(struct fake_irq *irq)
{
	return (struct irq_line){.set = fake_irq_set, .ctx = irq};
}

static uint64_t fake_clock_ns(void *ctx)
{
	return ((struct fake_clock *)ctx)->ns;
}

static int64_t fake_clock_realtime_ns(void *ctx)
{
	const struct fake_clock *clock = ctx;
	return clock->s * 1000000000 + (int64_t)(clock->ns % 1000000000);
}

struct clock fake_clock_wire(struct fake_clock *clock)
{
	return (struct clock){
		.monotonic_ns = fake_clock_ns, .realtime_ns = fake_clock_realtime_ns, .ctx = clock};
}

static void fake_timer_arm(void *ctx, uint64_t when_ns)
{
	struct fake_timer *timer = ctx;
	timer->when_ns = when_ns;
	timer->arms++;
}

struct timer fake_timer_wire(struct fake_timer *timer)
{
	return (struct timer){.arm = fake_timer_arm, .ctx = timer};
}

bool fake_timer_expire(struct fake_timer *timer, const struct fake_clock *clock)
{
	if (!timer->when_ns || timer->when_ns > clock->ns)
		return false;
	timer->when_ns = 0;
	return true;
}

static void fake_power_request(void *ctx, enum power_event event)
{
	((struct fake_power *)ctx)->requests[event]++;
}

struct power_sink fake_power_sink(struct fake_power *power)
{
	return (struct power_sink){.request = fake_power_request, .ctx = power};
}

static void fake_attach(struct chardev *cd, const struct chardev_client *client, void *ctx,
			struct device *dev)
{
	struct fake_chardev *fake = (struct fake_chardev *)cd;
	fake->client = client;
	fake->ctx = ctx;
	fake->dev = dev;
}

static size_t fake_write(struct chardev *cd, const uint8_t *buf, size_t len)
{
	struct fake_chardev *fake = (struct fake_chardev *)cd;
	if (fake->is_blocked) {
		if (len > fake->room)
			len = fake->room;
		fake->room -= len;
	}
	size_t kept = sizeof(fake->out) - fake->out_len;
	if (kept > len)
		kept = len;
	memcpy(fake->out + fake->out_len, buf, kept);
	fake->out_len += kept;
	return len;
}

static void fake_resume(struct chardev *cd)
{
	((struct fake_chardev *)cd)->resumes++;
}

static void fake_destroy(struct chardev *cd)
{
	(void)cd;
}

static const struct chardev_ops fake_ops = {
	.attach = fake_attach,
	.write = fake_write,
	.resume = fake_resume,
	.destroy = fake_destroy,
};

void fake_chardev_init(struct fake_chardev *fake)
{
	memset(fake, 0, sizeof(*fake));
	fake->cd.ops = &fake_ops;
}

size_t fake_chardev_type(struct fake_chardev *fake, const void *buf, size_t len)
{
	if (!fake->client)
		return 0;
	device_lock(fake->dev);
	size_t room = fake->client->room(fake->ctx);
	if (len > room)
		len = room;
	if (len)
		fake->client->receive(fake->ctx, buf, len);
	device_unlock(fake->dev);
	return len;
}

void fake_chardev_unblock(struct fake_chardev *fake)
{
	fake->is_blocked = false;
	if (!fake->client)
		return;
	device_lock(fake->dev);
	fake->client->writable(fake->ctx);
	device_unlock(fake->dev);
}
