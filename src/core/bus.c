/*
 * Port I/O and MMIO dispatch.
 *
 * The windows are sorted once, at set-up; afterwards only the count of strays changes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/bus.h>
#include <tinyvm/device.h>
#include <tinyvm/err.h>

#define STRAYS_REMEMBERED 16

struct bus_window {
	uint64_t base, last;
	const struct bus_ops *ops;
	void *ctx;
	struct device *dev;
};

struct bus_stray {
	uint64_t addr;
	uint64_t count;
};

struct bus {
	const char *name;
	struct bus_window *window;
	unsigned count;
	pthread_mutex_t stray_lock;
	unsigned stray_count;
	struct bus_stray stray[STRAYS_REMEMBERED];
};

int bus_create(struct bus **ret_bus, const char *name)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	if (!bus)
		return -ENOMEM;
	bus->name = name;
	pthread_mutex_init(&bus->stray_lock, NULL);
	*ret_bus = bus;
	return 0;
}

void bus_destroy(struct bus *bus)
{
	if (!bus)
		return;
	pthread_mutex_destroy(&bus->stray_lock);
	free(bus->window);
	free(bus);
}

/* The first window that ends at or after @addr; bus->count when there is none. */
static unsigned bus_search(const struct bus *bus, uint64_t addr)
{
	unsigned lo = 0, hi = bus->count;
	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (bus->window[mid].last < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int bus_add(struct bus *bus, uint64_t base, uint64_t last, const struct bus_ops *ops, void *ctx,
	    struct device *dev, struct err *err)
{
	if (last < base)
		return err_set(err, -EINVAL, "%s window of %s ends before it begins", bus->name,
			       dev->id);

	unsigned at = bus_search(bus, base);
	if (at < bus->count && bus->window[at].base <= last)
		return err_set(err, -EEXIST, "%s windows of %s and %s overlap at %#" PRIx64,
			       bus->name, dev->id, bus->window[at].dev->id, base);

	struct bus_window *window = reallocarray(bus->window, bus->count + 1, sizeof(*bus->window));
	if (!window)
		return err_set(err, -ENOMEM, "no memory for the %s bus", bus->name);
	bus->window = window;
	memmove(&window[at + 1], &window[at], (bus->count - at) * sizeof(*window));
	window[at] = (struct bus_window){base, last, ops, ctx, dev};
	bus->count++;
	return 0;
}

static void bus_note_stray(struct bus *bus, uint64_t addr)
{
	pthread_mutex_lock(&bus->stray_lock);
	unsigned i = 0;
	while (i < bus->stray_count && bus->stray[i].addr != addr)
		i++;
	if (i == bus->stray_count && i < STRAYS_REMEMBERED)
		bus->stray[bus->stray_count++].addr = addr;
	if (i < STRAYS_REMEMBERED)
		bus->stray[i].count++;
	pthread_mutex_unlock(&bus->stray_lock);
}

/* Largest supported size that @off is aligned to and that fits into @len; 0 for none. */
static unsigned bus_piece(unsigned sizes, uint64_t off, unsigned len)
{
	for (unsigned size = 8; size; size /= 2)
		if ((sizes & size) && size <= len && off % size == 0)
			return size;
	return 0;
}

/* Smallest supported size above @len whose aligned unit holds [off, off + len); 0 for none. */
static unsigned bus_wider(unsigned sizes, uint64_t off, unsigned len)
{
	for (unsigned size = 2; size <= 8; size *= 2)
		if ((sizes & size) && size > len && off % size + len <= size)
			return size;
	return 0;
}

void bus_ops_read(const struct bus_ops *ops, void *ctx, uint64_t off, void *data, unsigned size)
{
	uint8_t *out = data;
	while (size) {
		unsigned n = bus_piece(ops->sizes, off, size);
		unsigned wide = n;
		uint64_t value = UINT64_MAX;
		if (!n) {
			n = size;
			wide = bus_wider(ops->sizes, off, n);
		}
		if (!wide) {
			n = 1;
			wide = bus_wider(ops->sizes, off, n);
		}
		if (ops->read && wide) {
			uint64_t unit = off & ~(uint64_t)(wide - 1);
			value = ops->read(ctx, unit, wide) >> (8 * (off - unit));
		}
		memcpy(out, &value, n); /* the host is little-endian: x86-64 */
		out += n;
		off += n;
		size -= n;
	}
}

void bus_ops_write(const struct bus_ops *ops, void *ctx, uint64_t off, const void *data,
		   unsigned size)
{
	const uint8_t *in = data;
	while (size) {
		unsigned n = bus_piece(ops->sizes, off, size);
		if (n && ops->write) {
			uint64_t value = 0;
			memcpy(&value, in, n);
			ops->write(ctx, off, n, value);
		}
		if (!n)
			n = 1;
		in += n;
		off += n;
		size -= n;
	}
}

/* The window at @addr and how much of the access is its own; NULL and how much is nobody's. */
static const struct bus_window *bus_route(const struct bus *bus, uint64_t addr, unsigned size,
					  unsigned *ret_len)
{
	unsigned at = bus_search(bus, addr);
	const struct bus_window *w = at < bus->count ? &bus->window[at] : NULL;
	*ret_len = size;
	if (w && addr < w->base) {
		if (w->base - addr < size)
			*ret_len = (unsigned)(w->base - addr);
		return NULL;
	}
	if (w && !(w->ops->sizes & BUS_BEYOND) && w->last - addr < size - 1)
		*ret_len = (unsigned)(w->last - addr + 1);
	return w;
}

void bus_read(struct bus *bus, uint64_t addr, void *data, unsigned size)
{
	uint8_t *out = data;
	while (size) {
		unsigned n;
		const struct bus_window *w = bus_route(bus, addr, size, &n);
		if (w) {
			device_lock(w->dev);
			bus_ops_read(w->ops, w->ctx, addr - w->base, out, n);
			device_unlock(w->dev);
		} else {
			memset(out, 0xff, n);
			bus_note_stray(bus, addr);
		}
		out += n;
		addr += n;
		size -= n;
	}
}

void bus_write(struct bus *bus, uint64_t addr, const void *data, unsigned size)
{
	const uint8_t *in = data;
	while (size) {
		unsigned n;
		const struct bus_window *w = bus_route(bus, addr, size, &n);
		if (w) {
			device_lock(w->dev);
			bus_ops_write(w->ops, w->ctx, addr - w->base, in, n);
			device_unlock(w->dev);
		} else {
			bus_note_stray(bus, addr);
		}
		in += n;
		addr += n;
		size -= n;
	}
}

void bus_each(const struct bus *bus,
	      void (*fn)(void *arg, uint64_t base, uint64_t last, const char *id), void *arg)
{
	for (unsigned i = 0; i < bus->count; i++)
		fn(arg, bus->window[i].base, bus->window[i].last, bus->window[i].dev->id);
}

void bus_unclaimed(struct bus *bus, void (*fn)(void *arg, uint64_t addr, uint64_t count), void *arg)
{
	pthread_mutex_lock(&bus->stray_lock);
	for (unsigned i = 0; i < bus->stray_count; i++)
		fn(arg, bus->stray[i].addr, bus->stray[i].count);
	pthread_mutex_unlock(&bus->stray_lock);
}
