/* Bus dispatch: windows, sizes, strays. */
#include "test.h"

#include <tinyvm/bus.h>
#include <tinyvm/device.h>
#include <tinyvm/err.h>

struct probe {
	struct device dev;
	unsigned reads, writes;
	uint64_t off;
	unsigned size;
	uint64_t value;
};

static const struct device_ops probe_device_ops = {.type = "probe"};

static uint64_t probe_read(void *ctx, uint64_t off, unsigned size)
{
	struct probe *p = ctx;
	p->reads++;
	p->off = off;
	p->size = size;
	return 0x8877665544332211ULL >> (8 * (off % 8));
}

static void probe_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct probe *p = ctx;
	p->writes++;
	p->off = off;
	p->size = size;
	p->value = value;
}

static const struct bus_ops ops_1 = {BUS_SIZE_1, probe_read, probe_write};
static const struct bus_ops ops_4 = {BUS_SIZE_4, probe_read, probe_write};
static const struct bus_ops ops_any = {BUS_SIZE_ANY, probe_read, probe_write};
static const struct bus_ops ops_beyond = {BUS_SIZE_4 | BUS_BEYOND, probe_read, probe_write};

static void probe_init(struct probe *p, const char *id)
{
	memset(p, 0, sizeof(*p));
	device_init(&p->dev, &probe_device_ops, id);
}

static void test_bus_add_refuses_overlap_and_names_both(void)
{
	struct bus *bus;
	struct probe a, b;
	struct err err;
	probe_init(&a, "alpha");
	probe_init(&b, "beta");
	CHECK_EQ(bus_create(&bus, "port"), 0);
	CHECK_EQ(bus_add(bus, 0x10, 0x1f, &ops_1, &a, &a.dev, &err), 0);
	CHECK_EQ(bus_add(bus, 0x1f, 0x2f, &ops_1, &b, &b.dev, &err), (uint64_t)-EEXIST);
	CHECK(strstr(err.msg, "alpha") && strstr(err.msg, "beta"));
	CHECK_EQ(bus_add(bus, 0, 0x10, &ops_1, &b, &b.dev, &err), (uint64_t)-EEXIST);
	CHECK_EQ(bus_add(bus, 0, 0xff, &ops_1, &b, &b.dev, &err), (uint64_t)-EEXIST);
	CHECK_EQ(bus_add(bus, 0x12, 0x13, &ops_1, &b, &b.dev, &err), (uint64_t)-EEXIST);
	CHECK_EQ(bus_add(bus, 9, 8, &ops_1, &b, &b.dev, &err), (uint64_t)-EINVAL);
	CHECK_EQ(bus_add(bus, 0x20, UINT64_MAX, &ops_1, &b, &b.dev, &err), 0);
	CHECK_EQ(bus_add(bus, 0, 0xf, &ops_1, &b, &b.dev, &err), 0);
	bus_destroy(bus);
}

static void test_bus_splits_wide_accesses(void)
{
	struct bus *bus;
	struct probe a;
	uint32_t v = 0;
	probe_init(&a, "a");
	CHECK_EQ(bus_create(&bus, "port"), 0);
	CHECK_EQ(bus_add(bus, 0x10, 0x17, &ops_1, &a, &a.dev, NULL), 0);
	bus_read(bus, 0x12, &v, 4);
	CHECK_EQ(v, 0x66554433);
	CHECK_EQ(a.reads, 4);
	bus_write(bus, 0x14, &v, 2);
	CHECK_EQ(a.writes, 2);
	CHECK_EQ(a.off, 5);
	CHECK_EQ(a.value, 0x44);
	bus_destroy(bus);
}

static void test_bus_cuts_narrow_reads_and_drops_narrow_writes(void)
{
	struct bus *bus;
	struct probe a;
	uint16_t v = 0;
	probe_init(&a, "a");
	CHECK_EQ(bus_create(&bus, "mmio"), 0);
	CHECK_EQ(bus_add(bus, 0x1000, 0x1fff, &ops_4, &a, &a.dev, NULL), 0);
	bus_read(bus, 0x1002, &v, 2);
	CHECK_EQ(v, 0x4433);
	CHECK_EQ(a.reads, 1);
	CHECK_EQ(a.off, 0);
	bus_write(bus, 0x1002, &v, 2);
	CHECK_EQ(a.writes, 0);
	bus_destroy(bus);
}

static void test_bus_never_lets_an_access_leave_its_window(void)
{
	struct bus *bus;
	struct probe a, b;
	uint64_t v = 0;
	probe_init(&a, "a");
	probe_init(&b, "b");
	CHECK_EQ(bus_create(&bus, "mmio"), 0);
	CHECK_EQ(bus_add(bus, 0x1000, 0x1003, &ops_any, &a, &a.dev, NULL), 0);
	CHECK_EQ(bus_add(bus, 0x1006, 0x1007, &ops_any, &b, &b.dev, NULL), 0);
	bus_read(bus, 0x1000, &v, 8);
	CHECK_EQ(v, 0x2211ffff44332211ULL);
	CHECK_EQ(a.size, 4);
	CHECK_EQ(b.size, 2);
	bus_read(bus, 0xffe, &v, 4);
	CHECK_EQ(v & 0xffffffff, 0x2211ffff);
	bus_destroy(bus);
}

static void test_bus_beyond_takes_the_whole_access(void)
{
	struct bus *bus;
	struct probe a, b;
	uint32_t v = 0;
	uint8_t byte = 6;
	probe_init(&a, "config-address");
	probe_init(&b, "reset");
	CHECK_EQ(bus_create(&bus, "port"), 0);
	CHECK_EQ(bus_add(bus, 0xcf8, 0xcf8, &ops_beyond, &a, &a.dev, NULL), 0);
	CHECK_EQ(bus_add(bus, 0xcf9, 0xcf9, &ops_1, &b, &b.dev, NULL), 0);
	bus_write(bus, 0xcf8, &v, 4);
	CHECK_EQ(a.writes, 1);
	CHECK_EQ(a.size, 4);
	CHECK_EQ(b.writes, 0);
	bus_write(bus, 0xcf9, &byte, 1);
	CHECK_EQ(b.writes, 1);
	bus_write(bus, 0xcf8, &byte, 1);
	CHECK_EQ(a.writes, 1);
	bus_destroy(bus);
}

static void note_stray(void *arg, uint64_t addr, uint64_t count)
{
	uint64_t *sum = arg;
	*sum += addr * count;
}

static void test_bus_reads_ones_where_nobody_is_and_counts(void)
{
	struct bus *bus;
	uint64_t v = 0, sum = 0;
	CHECK_EQ(bus_create(&bus, "port"), 0);
	bus_read(bus, 0x60, &v, 1);
	CHECK_EQ(v, 0xff);
	bus_read(bus, 0x60, &v, 8);
	CHECK_EQ(v, UINT64_MAX);
	bus_write(bus, 0x80, &v, 1);
	bus_unclaimed(bus, note_stray, &sum);
	CHECK_EQ(sum, 0x60 * 2 + 0x80);
	for (uint64_t addr = 0x1000; addr < 0x2000; addr++)
		bus_write(bus, addr, &v, 1); /* remembers a bounded number */
	bus_destroy(bus);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_bus_add_refuses_overlap_and_names_both),
		TEST_CASE(test_bus_splits_wide_accesses),
		TEST_CASE(test_bus_cuts_narrow_reads_and_drops_narrow_writes),
		TEST_CASE(test_bus_never_lets_an_access_leave_its_window),
		TEST_CASE(test_bus_beyond_takes_the_whole_access),
		TEST_CASE(test_bus_reads_ones_where_nobody_is_and_counts),
	};
	return TEST_RUN(cases);
}
