/*
 * What every device model is, and the wires it is handed.
 *
 * A device is made by its own create function, which receives everything the device needs; there is
 * no registry. Its functions run with the device's lock held, taken by whoever dispatches into it
 * (the buses, the event loop, the machine): a model itself never locks anything.
 */
#ifndef TINYVM_DEVICE_H
#define TINYVM_DEVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct device;
struct state;

/**
 * struct device_ops - one device type
 * @type:    the section name in a saved state; the chip's or the specification's name
 * @version: of the state's layout
 * @reset:   back to power-on values; afterwards the device equals a freshly created one
 * @state:   save or load every guest-visible register; a load treats the stream as hostile,
 *           reports through state_fail(), and recomputes derived values (interrupt levels)
 * @quiesce: finish or park work in flight; NULL when there is never any
 * @resume:  undo @quiesce; NULL likewise
 * @destroy: free the device
 */
struct device_ops {
	const char *type;
	uint32_t version;
	void (*reset)(struct device *dev);
	void (*state)(struct device *dev, struct state *st);
	void (*quiesce)(struct device *dev);
	void (*resume)(struct device *dev);
	void (*destroy)(struct device *dev);
};

/**
 * struct device - the head of every device model, embedded as its first member
 * @ops:  the type
 * @id:   tells instances apart: in a saved state, in messages ("blk0"); owned by the creator,
 *        outlives the device
 * @lock: held by whoever calls into the device
 */
struct device {
	const struct device_ops *ops;
	const char *id;
	pthread_mutex_t lock;
};

void device_init(struct device *dev, const struct device_ops *ops, const char *id);
void device_lock(struct device *dev);
void device_unlock(struct device *dev);

/*
 * The ops above behind the lock; device_state() also opens and closes the section, so @state sees
 * only fields. device_destroy() wants no lock held and nobody left who could call; NULL is fine.
 */
void device_reset(struct device *dev);
void device_state(struct device *dev, struct state *st);
void device_quiesce(struct device *dev);
void device_resume(struct device *dev);
void device_destroy(struct device *dev);

/**
 * struct irq_line - a wire to an interrupt controller's input
 * @set: drive the wire high or low; may be called with an unchanged level
 * @ctx: for @set
 * @n:   the input's number (a GSI on the board)
 *
 * A zeroed irq_line goes nowhere. An edge-triggered source raises and lowers.
 */
struct irq_line {
	void (*set)(void *ctx, unsigned n, bool is_high);
	void *ctx;
	unsigned n;
};

static inline void irq_line_set(const struct irq_line *line, bool is_high)
{
	if (line->set)
		line->set(line->ctx, line->n, is_high);
}

/**
 * struct msi_sink - where a function's MSI-X messages go
 * @update: entry @vector of the table changed. @is_masked when it must not be delivered; the sink
 *          may then drop what it holds for it. Address and data as the guest programmed them.
 * @raise:  deliver @vector (never called for a masked one)
 * @ctx:    for both
 *
 * A zeroed msi_sink goes nowhere. Called with the device's lock held.
 */
struct msi_sink {
	void (*update)(void *ctx, unsigned vector, uint64_t addr, uint32_t data, bool is_masked);
	void (*raise)(void *ctx, unsigned vector);
	void *ctx;
};

/**
 * struct kick_sink - lets a virtqueue's doorbell bypass the vCPU thread (ioeventfd)
 * @map:   from now on, a guest store to @gpa (@size bytes: 0 any size, else 4 with value
 *         @datamatch) should notify queue @queue of this device directly
 * @unmap: undo every map of this device: its doorbells have moved or gone
 * @ring:  notify queue @queue once more, as the guest would, when others have had their turn
 * @ctx:   for all
 *
 * A zeroed kick_sink does nothing: the doorbell then arrives through the bus like any store.
 */
struct kick_sink {
	void (*map)(void *ctx, unsigned queue, uint64_t gpa, unsigned size, uint32_t datamatch);
	void (*unmap)(void *ctx);
	void (*ring)(void *ctx, unsigned queue);
	void *ctx;
};

/**
 * struct clock - the machine's idea of time, so that models need no system call
 * @monotonic_ns: since an arbitrary point, never backwards
 * @realtime_ns:  since 1970-01-01 00:00 UTC; may be set back
 */
struct clock {
	uint64_t (*monotonic_ns)(void *ctx);
	int64_t (*realtime_ns)(void *ctx);
	void *ctx;
};

/**
 * struct timer - one alarm that a device sets itself
 * @arm: let the device's expiry function run once, with its lock held, when @clock.monotonic_ns has
 *       reached @when_ns; 0 disarms. Replaces what was set before. Called with the device's lock
 *       held; an expiry that was already due may still come after a disarm, so the function looks
 *       whether it is wanted
 * @ctx: for @arm
 *
 * A zeroed timer never expires.
 */
struct timer {
	void (*arm)(void *ctx, uint64_t when_ns);
	void *ctx;
};

static inline void timer_arm(const struct timer *timer, uint64_t when_ns)
{
	if (timer->arm)
		timer->arm(timer->ctx, when_ns);
}

#endif
