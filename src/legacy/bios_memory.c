/*
 * INT 15h's memory services: AH=87h (move a block anywhere), 88h, 8Ah, AX=E801h, E881h, and E820h
 * (ACPI 6.4 section 15).
 */
#include "bios_device.h"

#define SMAP	      0x534d4150u
#define E820_ENTRY    20
#define E820_RAM      1
#define E820_RESERVED 2
#define E820_ACPI     3

#define MIB		  0x100000ull
#define BASE_END	  0xa0000ull
#define ROMS_START	  0xe0000ull /* ACPI's root pointer is there, too */
#define TOP_ROM_START	  0xffff0000ull
#define FOUR_GIB	  0x100000000ull
#define OLD_KIB_MAX	  0xfc00u /* AH=88h: 63 MiB, what software of its time can take */
#define BELOW_16M_KIB_MAX 0x3c00u

#define MOVE_SOURCE 0x10 /* descriptors in the caller's table */
#define MOVE_TARGET 0x18
#define MOVE_PIECE  4096u

/* RAM from 1 MiB on that is not taken by tables, below 4 GiB, in KiB. */
static uint64_t bios_memory_extended_kib(const struct bios *b)
{
	uint64_t end = b->cfg.ram_below_4g - b->cfg.reserved_top;
	return end > MIB ? (end - MIB) >> 10 : 0;
}

/* A descriptor's base, with the 386's highest byte. */
static gpa_t bios_memory_base(struct bios *b, gpa_t descriptor)
{
	uint32_t low = bios_peek32(b, descriptor + 2);
	return (low & 0xffffff) | (gpa_t)bios_peek8(b, descriptor + 7) << 24;
}

/* AH=87h: CX words */
static unsigned bios_memory_move(struct bios *b, struct bios_frame *f)
{
	gpa_t table = bios_gpa(f->es, bios_word(f->esi));
	gpa_t source = bios_memory_base(b, table + MOVE_SOURCE);
	gpa_t target = bios_memory_base(b, table + MOVE_TARGET);
	uint8_t buf[MOVE_PIECE];

	for (size_t left = bios_word(f->ecx) * 2u, n; left; left -= n) {
		n = left < MOVE_PIECE ? left : MOVE_PIECE;
		bios_copy_in(b, buf, source, n);
		bios_copy_out(b, target, buf, n);
		source += n;
		target += n;
	}
	f->flags |= BIOS_FLAG_ZF;
	return bios_return(f, 0);
}

struct memory_range {
	uint64_t from, to;
	uint32_t type;
};

/* The @n-th range that is not empty. */
static bool bios_memory_range(const struct bios *b, uint32_t n, struct memory_range *ret_range)
{
	uint64_t below = b->cfg.ram_below_4g, tables = below - b->cfg.reserved_top;
	uint64_t ebda = (uint64_t)EBDA_SEGMENT << 4;
	const struct memory_range ranges[] = {
		{0, below < ebda ? below : ebda, E820_RAM},
		{ebda, BASE_END, E820_RESERVED},
		{ROMS_START, MIB, E820_RESERVED},
		{MIB, tables, E820_RAM},
		{tables, below, E820_ACPI},
		{TOP_ROM_START, FOUR_GIB, E820_RESERVED},
		{FOUR_GIB, FOUR_GIB + b->cfg.ram_above_4g, E820_RAM},
	};
	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (ranges[i].from >= ranges[i].to || n--)
			continue;
		*ret_range = ranges[i];
		return true;
	}
	return false;
}

/* AX=E820h: one range a call, EBX says which */
static unsigned bios_memory_map(struct bios *b, struct bios_frame *f)
{
	struct memory_range range, next;
	gpa_t gpa = bios_gpa(f->es, bios_word(f->edi));

	if (f->edx != SMAP || f->ecx < E820_ENTRY || !bios_memory_range(b, f->ebx, &range))
		return bios_return(f, BIOS_FUNCTION_UNKNOWN);
	bios_poke32(b, gpa, (uint32_t)range.from);
	bios_poke32(b, gpa + 4, (uint32_t)(range.from >> 32));
	bios_poke32(b, gpa + 8, (uint32_t)(range.to - range.from));
	bios_poke32(b, gpa + 12, (uint32_t)((range.to - range.from) >> 32));
	bios_poke32(b, gpa + 16, range.type);
	f->eax = SMAP;
	f->ecx = E820_ENTRY;
	f->ebx = bios_memory_range(b, f->ebx + 1, &next) ? f->ebx + 1 : 0;
	bios_set_carry(f, false);
	return BIOS_DONE;
}

/* AX=E801h, E881h: KiB up to 16 MiB, then 64 KiB each, 16 or 32 bits of them */
static unsigned bios_memory_two(struct bios *b, struct bios_frame *f, bool is_wide)
{
	uint64_t kib = bios_memory_extended_kib(b);
	uint32_t low = kib < BELOW_16M_KIB_MAX ? (uint32_t)kib : BELOW_16M_KIB_MAX;
	uint32_t high = (uint32_t)((kib - low) >> 6);
	if (is_wide) {
		f->eax = f->ecx = low;
		f->ebx = f->edx = high;
	} else {
		bios_set_word(&f->eax, (uint16_t)low);
		bios_set_word(&f->ecx, (uint16_t)low);
		bios_set_word(&f->ebx, (uint16_t)high);
		bios_set_word(&f->edx, (uint16_t)high);
	}
	bios_set_carry(f, false);
	return BIOS_DONE;
}

unsigned bios_memory(struct bios *b, struct bios_frame *f)
{
	uint64_t kib = bios_memory_extended_kib(b);
	switch (bios_word(f->eax)) {
	case 0xe801:
		return bios_memory_two(b, f, false);
	case 0xe881:
		return bios_memory_two(b, f, true);
	case 0xe820:
		return bios_memory_map(b, f);
	default:
		break;
	}
	switch (bios_high(f->eax)) {
	case 0x87:
		return bios_memory_move(b, f);
	case 0x88:
		bios_set_word(&f->eax, (uint16_t)(kib < OLD_KIB_MAX ? kib : OLD_KIB_MAX));
		bios_set_carry(f, false);
		return BIOS_DONE;
	case 0x8a:
		bios_set_word(&f->eax, (uint16_t)kib);
		bios_set_word(&f->edx, (uint16_t)(kib >> 16));
		bios_set_carry(f, false);
		return BIOS_DONE;
	default:
		return bios_return(f, BIOS_FUNCTION_UNKNOWN);
	}
}
