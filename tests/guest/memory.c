/* RAM: what the e820 map promises is there, up to its last page, and nothing is mirrored. */
#include "rt.h"

struct e820 {
	uint64_t addr, size;
	uint32_t type;
} __attribute__((packed));

#define E820_COUNT 0x1e8
#define E820_TABLE 0x2d0

static uint64_t mark(uint64_t gpa)
{
	return gpa * 0x9e3779b97f4a7c15ULL ^ 0x5bd1e995;
}

/* Calls @fn on a word in several pages of each RAM region, the first and the last included. */
static bool each_page(bool (*fn)(uint64_t gpa), uint64_t *ret_total)
{
	bool is_ok = true;
	*ret_total = 0;
	for (unsigned i = 0; i < zero_page[E820_COUNT]; i++) {
		struct e820 e;
		memcpy(&e, zero_page + E820_TABLE + i * sizeof(e), sizeof(e));
		if (e.type != 1)
			continue;
		*ret_total += e.size;
		if (e.addr < 0x100000)
			continue; /* tables and this page are there */
		uint64_t first = e.addr < 0x400000 ? 0x400000 : e.addr;
		uint64_t last = (e.addr + e.size - 8) & ~7ULL;
		uint64_t step = (last - first) / 5 & ~7ULL;
		for (unsigned n = 0; n < 5; n++)
			is_ok &= fn(first + n * step);
		is_ok &= fn(last);
	}
	return is_ok;
}

static bool store(uint64_t gpa)
{
	uint64_t *at = map_high(gpa);
	if (!at || *(volatile uint64_t *)at)
		return false;
	*(volatile uint64_t *)at = mark(gpa);
	return true;
}

static bool check(uint64_t gpa)
{
	const volatile uint64_t *at = map_high(gpa);
	return at && *at == mark(gpa);
}

void guest_main(void)
{
	uint64_t total;
	expect(zero_page[E820_COUNT] >= 2, "e820 map");
	expect(each_page(store, &total), "RAM is zero and can be written");
	expect(each_page(check, &total), "RAM keeps what was written");
	put("guest: ram ");
	put_dec(total >> 10);
	put(" KiB\n");
	expect_eq(read32(0xd0000000), 0xffffffff, "the hole below 4 GiB is no RAM");
}
