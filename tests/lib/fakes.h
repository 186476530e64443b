/* Stand-ins for what a chip is wired to: an interrupt controller, a clock, the power supply, a
 * character backend.
 */
#ifndef FAKES_H
#define FAKES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tinyvm/chardev.h>
#include <tinyvm/device.h>
#include <tinyvm/legacy.h>

/* An interrupt input: its level, and how often it rose. */
struct fake_irq {
	bool is_high;
	unsigned rises;
};
struct irq_line fake_irq_line(struct fake_irq *irq);

/* Time that passes only when the test says so: the calendar's seconds; @ns has their fraction. */
struct fake_clock {
	uint64_t ns;
	int64_t s;
};
struct clock fake_clock_wire(struct fake_clock *clock);

/* An alarm, and how often it was set. */
struct fake_timer {
	uint64_t when_ns;
	unsigned arms;
};
struct timer fake_timer_wire(struct fake_timer *timer);

/* Return: whether it is due, once: the test then calls the device's function. */
bool fake_timer_expire(struct fake_timer *timer, const struct fake_clock *clock);

/* How often each power_event was asked for. */
struct fake_power {
	unsigned requests[POWER_PANIC + 1];
};
struct power_sink fake_power_sink(struct fake_power *power);

/**
 * struct fake_chardev - a backend that records
 * @client, @ctx: who is attached, NULL for nobody
 * @out, @out_len: what was written, as far as it fits
 * @is_blocked, @room: while blocked, writes take @room bytes and count it down
 */
struct fake_chardev {
	struct chardev cd;
	const struct chardev_client *client;
	void *ctx;
	struct device *dev;
	uint8_t out[4096];
	size_t out_len;
	bool is_blocked;
	size_t room;
	unsigned resumes;
};
void fake_chardev_init(struct fake_chardev *fake);

/* Input as the event loop brings it: as much of it as there is room for. Return: how much. */
size_t fake_chardev_type(struct fake_chardev *fake, const void *buf, size_t len);

/* The sink takes bytes again; tells the client. */
void fake_chardev_unblock(struct fake_chardev *fake);

#endif
