/*
 * The memory map for the zero page (ACPI 6.4 section 15, Linux zero-page.rst).
 *
 *	0        - 0x9fbff  RAM
 *	0x9fc00  - 0xfffff  reserved: where a PC has its EBDA, video memory and ROMs
 *	1 MiB    - ...      RAM, but for what the caller reserves
 */
#include <spec/linux_boot.h>
#include <stdlib.h>
#include <tinyvm/boot.h>

#define EBDA_START 0x9fc00ULL
#define HIGH_START 0x100000ULL

_Static_assert(sizeof(struct boot_e820) == sizeof(struct e820_entry), "the same layout");

struct e820_list {
	struct boot_e820 *entry;
	unsigned count;
	unsigned max;
};

static void e820_add(struct e820_list *list, uint64_t from, uint64_t to, uint32_t type)
{
	if (from < to && list->count < list->max)
		list->entry[list->count++] = (struct boot_e820){from, to - from, type};
}

/* RAM in [@from, @to) without the reserved ranges, which are sorted. */
static void e820_add_ram(struct e820_list *list, uint64_t from, uint64_t to,
			 const struct boot_reserved *reserved, unsigned reserved_count)
{
	for (unsigned i = 0; i < reserved_count && from < to; i++) {
		uint64_t first = reserved[i].gpa, last = first + reserved[i].size;
		if (last <= from || first >= to)
			continue;
		e820_add(list, from, first, E820_RAM);
		from = last;
	}
	e820_add(list, from, to, E820_RAM);
}

static int e820_compare(const void *a, const void *b)
{
	uint64_t x = ((const struct boot_e820 *)a)->addr, y = ((const struct boot_e820 *)b)->addr;
	return (x > y) - (x < y);
}

unsigned boot_e820_map(const struct gmem *gm, const struct boot_reserved *reserved,
		       unsigned reserved_count, struct boot_e820 *ret_map, unsigned max)
{
	struct e820_list list = {.entry = ret_map, .max = max};
	for (unsigned i = 0; i < gmem_region_count(gm); i++) {
		const struct gmem_region *r = gmem_region(gm, i);
		uint64_t from = r->gpa, to = r->gpa + r->size;
		if (from < HIGH_START) {
			e820_add(&list, from, to < EBDA_START ? to : EBDA_START, E820_RAM);
			from = HIGH_START;
		}
		e820_add_ram(&list, from, to, reserved, reserved_count);
	}
	e820_add(&list, EBDA_START, HIGH_START, E820_RESERVED);
	/* Below 1 MiB all that matters is reserved already. */
	for (unsigned i = 0; i < reserved_count; i++)
		if (reserved[i].gpa >= HIGH_START)
			e820_add(&list, reserved[i].gpa, reserved[i].gpa + reserved[i].size,
				 reserved[i].type);
	qsort(ret_map, list.count, sizeof(*ret_map), e820_compare);
	return list.count;
}
