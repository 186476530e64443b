/*
 * A bus: which device answers at which address. One for port I/O and one for MMIO.
 *
 * Built once by the board, immutable afterwards, so look-ups take no lock. (PCI BARs move inside
 * one fixed window that the host bridge owns.)
 */
#ifndef TINYVM_BUS_H
#define TINYVM_BUS_H

#include <stddef.h>
#include <stdint.h>

struct bus;
struct device;
struct err;

/* Access sizes a device takes. The sizes' values are the bits, so `size & sizes` tests one. */
#define BUS_SIZE_1   1u
#define BUS_SIZE_2   2u
#define BUS_SIZE_4   4u
#define BUS_SIZE_8   8u
#define BUS_SIZE_ANY 15u

/*
 * Or-ed into the sizes: an access that starts in the window may reach past its end. For a register
 * that is wider than the ports it keeps others from (the dword at 0xcf8 over the byte at 0xcf9).
 * Without it, @off + @size never exceeds the window.
 */
#define BUS_BEYOND 16u

/**
 * struct bus_ops - the register window of a device
 * @sizes: BUS_SIZE_* that @read and @write are called with. Other accesses are split: a wider one
 *         into ascending pieces of the largest size that fits, a narrower read is cut out of a
 *         wider aligned one, a narrower write is dropped.
 * @read:  the little-endian value of the @size bytes at @off; only the low @size bytes count
 * @write: store
 *
 * @off counts from the window's base. @read or @write may be NULL: all ones, dropped.
 */
struct bus_ops {
	unsigned sizes;
	uint64_t (*read)(void *ctx, uint64_t off, unsigned size);
	void (*write)(void *ctx, uint64_t off, unsigned size, uint64_t value);
};

int bus_create(struct bus **ret_bus, const char *name) __attribute__((warn_unused_result));
void bus_destroy(struct bus *bus);

/**
 * bus_add() - put a window on the bus
 * @base, @last: first and last address, inclusive
 * @ctx:  for the ops
 * @dev:  whose lock is held around the ops, and whose id names the window; not NULL
 *
 * Context: before the machine runs.
 * Return: 0, -EINVAL when @last < @base, -EEXIST on overlap (@err names both), -ENOMEM.
 */
int bus_add(struct bus *bus, uint64_t base, uint64_t last, const struct bus_ops *ops, void *ctx,
	    struct device *dev, struct err *err) __attribute__((warn_unused_result));

/**
 * bus_read() - a guest load
 * bus_write() - a guest store
 * @data: @size bytes, little-endian; 1 to 8 of them
 *
 * Bytes nobody claims read as all ones, writes there are dropped; both are counted, and the first
 * addresses remembered for bus_unclaimed().
 * Context: any vCPU thread; takes the device's lock.
 */
void bus_read(struct bus *bus, uint64_t addr, void *data, unsigned size);
void bus_write(struct bus *bus, uint64_t addr, const void *data, unsigned size);

/* One access to a window by itself, split as the bus does; the host bridge uses it for BARs. */
void bus_ops_read(const struct bus_ops *ops, void *ctx, uint64_t off, void *data, unsigned size);
void bus_ops_write(const struct bus_ops *ops, void *ctx, uint64_t off, const void *data,
		   unsigned size);

/* Calls @fn for each window in ascending order (--dry-run), and for each remembered stray address.
 */
void bus_each(const struct bus *bus,
	      void (*fn)(void *arg, uint64_t base, uint64_t last, const char *id), void *arg);
void bus_unclaimed(struct bus *bus, void (*fn)(void *arg, uint64_t addr, uint64_t count),
		   void *arg);

#endif
