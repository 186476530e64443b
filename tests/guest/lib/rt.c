/* The guests' runtime: entry, serial line, results, interrupts, page tables, CPL3. */
#include "rt.h"

#define PTE_P  1u
#define PTE_W  2u
#define PTE_U  4u
#define PTE_PS 0x80u

void rt_main(const uint8_t *params);

const uint8_t *zero_page;
static const char *cmdline;
static unsigned ok_count, fail_count;

void *memset(void *to, int c, size_t n)
{
	void *at = to;
	__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(c) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	void *at = to;
	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;
	for (; n; n--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

void put_char(char c)
{
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, (uint8_t)c);
}

void put(const char *s)
{
	while (*s)
		put_char(*s++);
}

void put_dec(uint64_t v)
{
	char text[21];
	unsigned at = sizeof(text);
	text[--at] = '\0';
	do
		text[--at] = (char)('0' + v % 10);
	while (v /= 10);
	put(text + at);
}

void put_hex(uint64_t v)
{
	unsigned shift = 60;
	put("0x");
	while (shift && !(v >> shift))
		shift -= 4;
	for (;; shift -= 4) {
		put_char("0123456789abcdef"[v >> shift & 15]);
		if (!shift)
			break;
	}
}

bool expect(bool is_ok, const char *name)
{
	put(is_ok ? "guest: ok " : "guest: FAIL ");
	put(name);
	put("\n");
	ok_count += is_ok;
	fail_count += !is_ok;
	return is_ok;
}

bool expect_eq(uint64_t got, uint64_t want, const char *name)
{
	if (expect(got == want, name))
		return true;
	put("guest: it is ");
	put_hex(got);
	put(", not ");
	put_hex(want);
	put("\n");
	return false;
}

void skip(const char *name)
{
	put("guest: skip ");
	put(name);
	put("\n");
}

bool has_arg(const char *word)
{
	const char *at = cmdline;
	while (*at) {
		const char *w = word;
		while (*w && *at == *w) {
			at++;
			w++;
		}
		if (!*w && (!*at || *at == ' '))
			return true;
		while (*at && *at != ' ')
			at++;
		while (*at == ' ')
			at++;
	}
	return false;
}

void power_off(void)
{
	outw(PM1_CNT, 1u << 13 | 5u << 10); /* SLP_EN, S5 */
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* Interrupts */

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint16_t flags;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t zero;
};

struct frame {
	uint64_t rip, cs, rflags, rsp, ss;
};

struct table_ptr {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static struct gate idt[256] __attribute__((aligned(16)));
static uint32_t tss[26] __attribute__((aligned(16)));
static uint64_t gdt[8] __attribute__((aligned(16))) = {
	0,
	0,
	0x00af9b000000ffff, /* 0x10 code */
	0x00cf93000000ffff, /* 0x18 data */
	0x00cff3000000ffff, /* 0x23 CPL3 data */
	0x00affb000000ffff, /* 0x2b CPL3 code */
};
static uint8_t tss_stack[8192] __attribute__((aligned(16)));

static void __attribute__((noreturn)) died(unsigned vector, const struct frame *f)
{
	put("guest: FAIL exception ");
	put_dec(vector);
	put(" at RIP ");
	put_hex(f->rip);
	put("\n");
	power_off();
}

#define EXCEPTION(n)                     \
	HANDLER exc_##n(struct frame *f) \
	{                                \
		died(n, f);              \
	}
#define EXCEPTION_CODE(n)                                    \
	HANDLER exc_##n(struct frame *f, unsigned long code) \
	{                                                    \
		(void)code;                                  \
		died(n, f);                                  \
	}
EXCEPTION(0)
EXCEPTION(1)
EXCEPTION(3)
EXCEPTION(7)
EXCEPTION_CODE(8)
EXCEPTION_CODE(10)
EXCEPTION_CODE(11)
EXCEPTION_CODE(12)
EXCEPTION_CODE(13)
EXCEPTION_CODE(14)
EXCEPTION(16)
EXCEPTION_CODE(17)
EXCEPTION(18)

void user_return(void);
void exc_6(struct frame *f);

__attribute__((interrupt)) void exc_6(struct frame *f)
{
	died(6, f);
}

static void set_gate(unsigned vector, uintptr_t at)
{
	idt[vector] = (struct gate){
		.offset_low = (uint16_t)at,
		.selector = 0x10,
		.flags = 0x8e00, /* interrupt gate */
		.offset_mid = (uint16_t)(at >> 16),
		.offset_high = (uint32_t)(at >> 32),
	};
}

void set_handler(unsigned vector, handler_fn fn)
{
	set_gate(vector, (uintptr_t)fn);
}

static void load_idt(uint16_t limit)
{
	struct table_ptr p = {.limit = limit, .base = (uintptr_t)idt};
	__asm__ volatile("lidt %0" ::"m"(p));
}

void load_empty_idt(void)
{
	load_idt(0);
}

static void load_tables(void)
{
	struct table_ptr p = {.limit = sizeof(gdt) - 1, .base = (uintptr_t)gdt};
	__asm__ volatile("lgdt %0" ::"m"(p));
	load_idt(sizeof(idt) - 1);
}

static void init_interrupts(void)
{
	set_gate(0, (uintptr_t)exc_0);
	set_gate(1, (uintptr_t)exc_1);
	set_gate(3, (uintptr_t)exc_3);
	set_gate(6, (uintptr_t)user_return);
	set_gate(7, (uintptr_t)exc_7);
	set_gate(8, (uintptr_t)exc_8);
	set_gate(10, (uintptr_t)exc_10);
	set_gate(11, (uintptr_t)exc_11);
	set_gate(12, (uintptr_t)exc_12);
	set_gate(13, (uintptr_t)exc_13);
	set_gate(14, (uintptr_t)exc_14);
	set_gate(16, (uintptr_t)exc_16);
	set_gate(17, (uintptr_t)exc_17);
	set_gate(18, (uintptr_t)exc_18);
	load_tables();
	outb(0x21, 0xff); /* PICs: everything masked */
	outb(0xa1, 0xff);
}

void lapic_enable(void)
{
	write32(LAPIC + 0xf0, 0x1ff);
}

uint32_t lapic_id(void)
{
	return read32(LAPIC + 0x20) >> 24;
}

void lapic_ipi(uint32_t apic_id, uint32_t low)
{
	write32(LAPIC + 0x310, apic_id << 24);
	write32(LAPIC + 0x300, low);
	while (read32(LAPIC + 0x300) & 1u << 12)
		;
}

void ioapic_route(unsigned gsi, unsigned vector, uint32_t flags)
{
	write32(IOAPIC, 0x11 + gsi * 2);
	write32(IOAPIC + 0x10, lapic_id() << 24);
	write32(IOAPIC, 0x10 + gsi * 2);
	write32(IOAPIC + 0x10, vector | flags);
}

void delay_us(uint32_t us)
{
	/* 3.579545 MHz; differences of the 24-bit counter survive its wrap. */
	uint32_t ticks = us * 3 + us / 2 + us / 12, from = inl(PM_TMR);
	while (((inl(PM_TMR) - from) & 0xffffff) < ticks)
		;
}

/* Other CPUs */

extern uint8_t ap_start[], ap_cr3[], ap_gdtr[], ap_end[];
extern uint32_t ap_ticket;
static void (*ap_fn)(unsigned n);
#define AP_PAGE 0x2000u /* free, below 1 MiB */

void ap_main(unsigned ticket);

void ap_main(unsigned ticket)
{
	load_tables();
	ap_fn(ticket + 1);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void ap_start_all(unsigned cpus, void (*fn)(unsigned n))
{
	uint8_t *page = (uint8_t *)(uintptr_t)AP_PAGE;
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) gdtr = {sizeof(gdt) - 1, (uint32_t)(uintptr_t)gdt};
	uint64_t cr3;
	uint32_t cr3_low;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	cr3_low = (uint32_t)cr3;
	ap_fn = fn;
	memcpy(page, ap_start, (size_t)(ap_end - ap_start));
	memcpy(page + (ap_gdtr - ap_start), &gdtr, sizeof(gdtr));
	memcpy(page + (ap_cr3 - ap_start), &cr3_low, sizeof(cr3_low));
	for (unsigned id = 1; id < cpus; id++) {
		lapic_ipi(id, 0x4500);		       /* INIT, assert */
		lapic_ipi(id, 0x4600 | AP_PAGE >> 12); /* SIPI */
	}
}

/* ACPI: just enough to count CPUs. */

static uintptr_t acpi_find(uintptr_t xsdt, const char *name)
{
	uint32_t len = read32(xsdt + 4);
	for (uint32_t at = 36; at + 8 <= len; at += 8) {
		uintptr_t table = read64(xsdt + at);
		if (memcmp((const void *)table, name, 4) == 0)
			return table;
	}
	return 0;
}

unsigned acpi_cpus(void)
{
	unsigned count = 0;
	if (memcmp((const void *)RSDP, "RSD PTR ", 8) != 0)
		return 0;
	uintptr_t madt = acpi_find(read64(RSDP + 24), "APIC");
	if (!madt)
		return 0;
	uint32_t len = read32(madt + 4);
	for (uint32_t at = 44; at + 2 <= len && read8(madt + at + 1); at += read8(madt + at + 1)) {
		uint8_t type = read8(madt + at);
		count += (type == 0 && read32(madt + at + 4) & 1) ||
			 (type == 9 && read32(madt + at + 8) & 1);
	}
	return count;
}

/* Page tables */

static uint64_t *page_tables(void)
{
	uint64_t cr3;
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	return (uint64_t *)(cr3 & ~0xfffULL);
}

static void flush_tlb(void)
{
	__asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" ::: "rax", "memory");
}

static uint64_t table_pool[16][512] __attribute__((aligned(4096)));
static unsigned table_used;

/* The table behind entry @i of @table, made when there is none. */
static uint64_t *table_below(uint64_t *table, unsigned i)
{
	if (!(table[i] & PTE_P)) {
		if (table_used == 16)
			return NULL;
		table[i] = (uintptr_t)table_pool[table_used++] | PTE_P | PTE_W | PTE_U;
	}
	return (uint64_t *)(table[i] & 0xffffffffff000ULL);
}

void *map_high(uint64_t gpa)
{
	uint64_t *pdpt = table_below(page_tables(), gpa >> 39 & 511);
	uint64_t *pd = pdpt ? table_below(pdpt, gpa >> 30 & 511) : NULL;
	if (!pd)
		return NULL;
	if (!(pd[gpa >> 21 & 511] & PTE_P))
		pd[gpa >> 21 & 511] = (gpa & ~0x1fffffULL) | PTE_P | PTE_W | PTE_PS | PTE_U;
	flush_tlb();
	return (void *)(uintptr_t)gpa;
}

/* CPL3 */

uint64_t user_call(uint64_t (*fn)(void *arg), void *arg, void *stack_end);
static uint8_t user_stack[16384] __attribute__((aligned(16)));

static void open_tables(uint64_t *table, unsigned level)
{
	for (unsigned i = 0; i < 512; i++) {
		if (!(table[i] & PTE_P))
			continue;
		table[i] |= PTE_U;
		if (level > 2 && !(table[i] & PTE_PS))
			open_tables((uint64_t *)(table[i] & 0xffffffffff000ULL), level - 1);
	}
}

uint64_t run_user(uint64_t (*fn)(void *arg), void *arg)
{
	uintptr_t stack = (uintptr_t)tss_stack + sizeof(tss_stack), at = (uintptr_t)tss;
	if (!tss[1]) {
		open_tables(page_tables(), 4);
		flush_tlb();
		tss[1] = (uint32_t)stack;
		tss[2] = (uint32_t)(stack >> 32);
		tss[25] = sizeof(tss) << 16;
		gdt[6] = 0x0000890000000000ULL | (sizeof(tss) - 1) | (at & 0xffffff) << 16 |
			 (at >> 24 & 0xff) << 56;
		gdt[7] = at >> 32;
		__asm__ volatile("ltr %w0" ::"r"(0x30));
	}
	return user_call(fn, arg, user_stack + sizeof(user_stack));
}

void rt_main(const uint8_t *params)
{
	uint32_t at;
	zero_page = params;
	memcpy(&at, params + 0x228, sizeof(at)); /* cmd_line_ptr */
	cmdline = at ? (const char *)(uintptr_t)at : "";
	init_interrupts();
	guest_main();
	put("guest: end: ");
	put_dec(ok_count);
	put(" ok, ");
	put_dec(fail_count);
	put(" failed\n");
	power_off();
}
