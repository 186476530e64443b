/*
 * Tables that operating systems look for in the ROM: the MP table (MultiProcessor
 * Specification 1.4, Intel, 1997) and SMBIOS (DMTF DSP0134 2.8). ACPI's are the machine's, for
 * every kind of boot.
 *
 * Left out: processors beyond the first 254, whose APIC IDs the MP table could not say.
 */
#include "bios_device.h"

#include <string.h>

#define CPUS_MAX       254u
#define LAPIC_GPA      0xfee00000u
#define IOAPIC_GPA     0xfec00000u
#define APIC_VERSION   0x14 /* of the local APIC; */
#define IOAPIC_VERSION 0x11
#define ISA_IRQS       16u
#define TIMER_IRQ      0u
#define TIMER_PIN      2u /* where the IOAPIC has it */
#define PCI_SLOTS      32u
#define BUS_PCI	       0
#define BUS_ISA	       1
#define CASCADE_IRQ    2u

#define TABLES_MAX (BIOS_ROM_CODE - BIOS_ROM_TABLES)
#define ALIGNMENT  16u

/**
 * struct tables - where they are put together
 * @used: bytes of @data; what does not fit is dropped, which CPUS_MAX rules out
 */
struct tables {
	size_t used;
	uint8_t data[TABLES_MAX];
};

static void tables_put(struct tables *t, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes && t->used < sizeof(t->data); i++)
		t->data[t->used++] = (uint8_t)(i < 8 ? value >> 8 * i : 0);
}

static void tables_text(struct tables *t, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		tables_put(t, (uint8_t)text[i], 1);
}

static void tables_align(struct tables *t)
{
	while (t->used % ALIGNMENT)
		tables_put(t, 0, 1);
}

static void tables_set(struct tables *t, size_t at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		t->data[at + i] = (uint8_t)(value >> 8 * i);
}

static uint32_t tables_gpa(size_t at)
{
	return (uint32_t)(BIOS_ROM_BASE + BIOS_ROM_TABLES + at);
}

/* The byte at @sum such that [@at, @at + @len) adds up to 0. */
static void tables_seal(struct tables *t, size_t sum, size_t at, size_t len)
{
	uint8_t total = 0;
	for (size_t i = 0; i < len; i++)
		total += t->data[at + i];
	t->data[sum] -= total;
}

enum mp_entry {
	MP_PROCESSOR,
	MP_BUS,
	MP_IOAPIC,
	MP_INTERRUPT,
	MP_LOCAL_INTERRUPT,
};

/* What kind of interrupt */
#define MP_INT	  0
#define MP_NMI	  1
#define MP_EXTINT 3

static void tables_add_interrupt(struct tables *t, enum mp_entry entry, uint8_t type, uint8_t bus,
				 unsigned irq, uint8_t apic, unsigned pin)
{
	tables_put(t, entry, 1);
	tables_put(t, type, 1);
	tables_put(t, 0, 2); /* polarity and trigger as the bus has them */
	tables_put(t, bus, 1);
	tables_put(t, irq, 1);
	tables_put(t, apic, 1);
	tables_put(t, pin, 1);
}

static void tables_add_bus(struct tables *t, uint8_t id, const char name[6])
{
	tables_put(t, MP_BUS, 1);
	tables_put(t, id, 1);
	tables_text(t, name, 6);
}

static void tables_add_processor(struct tables *t, unsigned id)
{
	tables_put(t, MP_PROCESSOR, 1);
	tables_put(t, id, 1);
	tables_put(t, APIC_VERSION, 1);
	tables_put(t, id ? 1 : 3, 1); /* enabled; the first is the one that boots */
	tables_put(t, 0x600, 4);      /* signature */
	tables_put(t, 0x201, 4);      /* x87, APIC */
	tables_put(t, 0, 8);
}

/* Return: how many entries. */
static unsigned tables_add_mp_entries(struct tables *t, const struct bios_config *cfg,
				      unsigned cpus)
{
	unsigned count = 0;
	for (unsigned id = 0; id < cpus; id++, count++)
		tables_add_processor(t, id);
	if (cfg->is_pci)
		tables_add_bus(t, BUS_PCI, "PCI   ");
	tables_add_bus(t, BUS_ISA, "ISA   ");
	tables_put(t, MP_IOAPIC, 1);
	tables_put(t, 0, 1);
	tables_put(t, IOAPIC_VERSION, 1);
	tables_put(t, 1, 1);
	tables_put(t, IOAPIC_GPA, 4);
	count += cfg->is_pci ? 3 : 2;
	for (unsigned slot = 0; cfg->is_pci && slot < PCI_SLOTS; slot++, count++)
		tables_add_interrupt(t, MP_INTERRUPT, MP_INT, BUS_PCI, slot << 2, 0,
				     cfg->pci_intx_gsi[slot % 4]);
	for (unsigned irq = 0; irq < ISA_IRQS; irq++) {
		if (irq == CASCADE_IRQ)
			continue;
		tables_add_interrupt(t, MP_INTERRUPT, MP_INT, BUS_ISA, irq, 0,
				     irq == TIMER_IRQ ? TIMER_PIN : irq);
		count++;
	}
	tables_add_interrupt(t, MP_LOCAL_INTERRUPT, MP_EXTINT, BUS_ISA, 0, 0, 0); /* LINT0 */
	tables_add_interrupt(t, MP_LOCAL_INTERRUPT, MP_NMI, BUS_ISA, 0, 0xff, 1); /* LINT1 */
	return count + 2;
}

static void tables_add_mp(struct tables *t, const struct bios_config *cfg, unsigned cpus)
{
	size_t table = t->used;
	tables_text(t, "PCMP", 4);
	tables_put(t, 0, 2); /* length */
	tables_put(t, 4, 1); /* version 1.4 */
	tables_put(t, 0, 1); /* checksum */
	tables_text(t, "TINYVM  PC          ", 20);
	tables_put(t, 0, 6);
	tables_put(t, 0, 2); /* entries */
	tables_put(t, LAPIC_GPA, 4);
	tables_put(t, 0, 4);
	unsigned count = tables_add_mp_entries(t, cfg, cpus);
	tables_set(t, table + 4, t->used - table, 2);
	tables_set(t, table + 34, count, 2);
	tables_seal(t, table + 7, table, t->used - table);

	tables_align(t);
	size_t pointer = t->used;
	tables_text(t, "_MP_", 4);
	tables_put(t, tables_gpa(table), 4);
	tables_put(t, 1, 1); /* length in 16 bytes */
	tables_put(t, 4, 1);
	tables_put(t, 0, 6);
	tables_seal(t, pointer + 10, pointer, ALIGNMENT);
}

/**
 * struct smbios - the structures, as they are added
 * @start: of the one at work; @largest, @count: of them all
 */
struct smbios {
	struct tables *t;
	size_t start, largest;
	unsigned count;
};

static void smbios_begin(struct smbios *s, uint8_t type, uint8_t len)
{
	s->start = s->t->used;
	tables_put(s->t, type, 1);
	tables_put(s->t, len, 1);
	tables_put(s->t, s->count++, 2); /* handle */
}

/* @strings: its texts, each with its NUL, and one more */
static void smbios_end(struct smbios *s, const char *strings, size_t len)
{
	tables_text(s->t, strings, len);
	if (s->t->used - s->start > s->largest)
		s->largest = s->t->used - s->start;
}
#define SMBIOS_END(s, strings) smbios_end(s, strings "\0", sizeof(strings "\0"))

static void smbios_add_system(struct smbios *s)
{
	struct tables *t = s->t;
	smbios_begin(s, 0, 24);	  /* BIOS */
	tables_put(t, 0x0201, 2); /* vendor, version */
	tables_put(t, BIOS_ROM_BASE >> 4, 2);
	tables_put(t, 3, 1);						   /* date */
	tables_put(t, 0, 1);						   /* 64 KiB */
	tables_put(t, 1ull << 4 | 1ull << 7 | 1ull << 15 | 1ull << 19, 8); /* ISA, PCI, CD, EDD */
	tables_put(t, 0x0001, 2);					   /* ACPI */
	tables_put(t, 0xffff0000 | 0x0100, 4);
	SMBIOS_END(s, "tinyvm\0" TINYVM_VERSION "\0"
		      "12/31/1999");
	smbios_begin(s, 1, 27); /* system */
	tables_put(t, 0x00030201, 4);
	tables_put(t, 0, 16); /* no UUID */
	tables_put(t, 6, 1);  /* power switch */
	tables_put(t, 0, 2);
	SMBIOS_END(s, "tinyvm\0PC\0" TINYVM_VERSION);
	smbios_begin(s, 3, 13); /* enclosure */
	tables_put(t, 1, 1);
	tables_put(t, 1, 1); /* other */
	tables_put(t, 0, 3);
	tables_put(t, 0x02030303, 4); /* safe, no security */
	SMBIOS_END(s, "tinyvm");
}

static void smbios_add_processors(struct smbios *s, unsigned cpus)
{
	struct tables *t = s->t;
	for (unsigned i = 0; i < cpus; i++) {
		smbios_begin(s, 4, 26);
		tables_put(t, 1, 1);
		tables_put(t, 3, 1); /* central processor */
		tables_put(t, 1, 1); /* of another family */
		tables_put(t, 2, 1);
		tables_put(t, 0, 8);
		tables_put(t, 2, 1);	  /* no version, */
		tables_put(t, 0, 1);	  /* no voltage, */
		tables_put(t, 0, 6);	  /* no clocks */
		tables_put(t, 0x0141, 2); /* there and enabled; no upgrade */
		SMBIOS_END(s, "CPU\0tinyvm");
	}
}

static void smbios_add_memory(struct smbios *s, uint64_t size)
{
	struct tables *t = s->t;
	uint64_t kib = size >> 10, mib = size >> 20;
	unsigned array = s->count;

	smbios_begin(s, 16, 15);    /* memory array */
	tables_put(t, 0x030301, 3); /* other, system memory, no correction */
	tables_put(t, kib < 0x80000000u ? kib : 0x80000000u, 4);
	tables_put(t, 0xfffe, 2);
	tables_put(t, 1, 2); /* devices */
	SMBIOS_END(s, "");
	smbios_begin(s, 17, 28); /* memory device */
	tables_put(t, array, 2);
	tables_put(t, 0xfffe, 2);
	tables_put(t, 64, 2);
	tables_put(t, 64, 2);
	tables_put(t, mib < 0x7fff ? mib : 0x7fff, 2);
	tables_put(t, 0x00010009, 4); /* DIMM, no set, where it is, no bank */
	tables_put(t, 0x07, 1);	      /* RAM */
	tables_put(t, 0x0002, 2);
	tables_put(t, 0, 7);
	SMBIOS_END(s, "RAM");
	smbios_begin(s, 32, 11); /* boot */
	tables_put(t, 0, 7);
	SMBIOS_END(s, "");
	smbios_begin(s, 127, 4);
	SMBIOS_END(s, "");
}

static void tables_add_smbios(struct tables *t, unsigned cpus, uint64_t ram)
{
	struct smbios s = {.t = t};
	size_t table = t->used;
	smbios_add_system(&s);
	smbios_add_processors(&s, cpus);
	smbios_add_memory(&s, ram);
	size_t len = t->used - table;

	tables_align(t);
	size_t entry = t->used;
	tables_text(t, "_SM_", 4);
	tables_put(t, 0, 1);
	tables_put(t, 0x1f, 1);
	tables_put(t, 0x0802, 2); /* 2.8 */
	tables_put(t, s.largest, 2);
	tables_put(t, 0, 6);
	tables_text(t, "_DMI_", 5);
	tables_put(t, 0, 1);
	tables_put(t, len, 2);
	tables_put(t, tables_gpa(table), 4);
	tables_put(t, s.count, 2);
	tables_put(t, 0x28, 1);
	tables_seal(t, entry + 0x15, entry + 0x10, 0x0f);
	tables_seal(t, entry + 4, entry, 0x1f);
}

void bios_tables_post(struct bios *b)
{
	struct tables t = {0};
	unsigned cpus = b->cfg.cpus < CPUS_MAX ? b->cfg.cpus : CPUS_MAX;

	tables_add_mp(&t, &b->cfg, cpus);
	tables_align(&t);
	tables_add_smbios(&t, cpus, b->cfg.ram_below_4g + b->cfg.ram_above_4g);
	bios_copy_out(b, tables_gpa(0), t.data, t.used);
}
