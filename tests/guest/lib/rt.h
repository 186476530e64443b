/*
 * What a freestanding guest stands on: ports, MMIO, the serial line, interrupts, other CPUs.
 *
 * A guest defines guest_main(), says expect() for each thing it finds out, and returns; the
 * machine is then powered off. Nothing here uses an instruction that KVM's emulator lacks, since a
 * paravirtual KVM interprets kernel mode: no SSE, no fences, no popcnt.
 */
#ifndef RT_H
#define RT_H

#include "board.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void guest_main(void);

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" ::"a"(v), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;
	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;
	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;
	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

#define RT_MMIO(bits)                                                   \
	static inline uint##bits##_t read##bits(uintptr_t at)           \
	{                                                               \
		uint##bits##_t v;                                       \
		__asm__ volatile("mov %1, %0"                           \
				 : "=r"(v)                              \
				 : "m"(*(volatile uint##bits##_t *)at)  \
				 : "memory");                           \
		return v;                                               \
	}                                                               \
	static inline void write##bits(uintptr_t at, uint##bits##_t v)  \
	{                                                               \
		__asm__ volatile("mov %1, %0"                           \
				 : "=m"(*(volatile uint##bits##_t *)at) \
				 : "r"(v)                               \
				 : "memory");                           \
	}
RT_MMIO(8)
RT_MMIO(16)
RT_MMIO(32)
RT_MMIO(64)

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid c;
	__asm__ volatile("cpuid"
			 : "=a"(c.eax), "=b"(c.ebx), "=c"(c.ecx), "=d"(c.edx)
			 : "a"(leaf), "c"(subleaf));
	return c;
}

/* A full barrier without MFENCE, which the emulator may not know. */
static inline void barrier_full(void)
{
	__asm__ volatile("lock; addl $0, (%%rsp)" ::: "memory", "cc");
}

#define barrier() __asm__ volatile("" ::: "memory")

/*
 * Sleeps till the next interrupt. Interrupts are off around it, so that nothing is missed between
 * a look at a flag and the sleep: while (!flag) wait_irq();
 */
static inline void wait_irq(void)
{
	__asm__ volatile("sti; hlt; cli" ::: "memory");
}

/* The serial line. */
void put_char(char c);
void put(const char *s);
void put_dec(uint64_t v);
void put_hex(uint64_t v);

/* Prints "guest: ok NAME" or "guest: FAIL NAME", and counts. Return: @is_ok. */
bool expect(bool is_ok, const char *name);
bool expect_eq(uint64_t got, uint64_t want, const char *name);

/* Something the host does not offer. */
void skip(const char *name);

/* Is @word on the command line? */
bool has_arg(const char *word);

void power_off(void) __attribute__((noreturn));

void *memset(void *to, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* The Linux boot parameters page. */
extern const uint8_t *zero_page;

/* Interrupts: handlers are __attribute__((interrupt)) functions, vectors from 32. */
struct frame;
typedef void (*handler_fn)(struct frame *frame);
#define HANDLER __attribute__((interrupt)) static void

void set_handler(unsigned vector, handler_fn fn);
void load_empty_idt(void);

/* This CPU's LAPIC: on, then end of interrupt; inter-processor interrupts. */
void lapic_enable(void);
uint32_t lapic_id(void);
void lapic_ipi(uint32_t apic_id, uint32_t low);

static inline void lapic_eoi(void)
{
	write32(LAPIC + 0xb0, 0);
}

#define IOAPIC_LEVEL_HIGH (1u << 15)
#define IOAPIC_LEVEL_LOW  (1u << 15 | 1u << 13)
#define IOAPIC_EDGE	  0u
#define IOAPIC_MASKED	  (1u << 16)
void ioapic_route(unsigned gsi, unsigned vector, uint32_t flags);

/* How many CPUs the ACPI MADT lists; 0 when the tables are broken. */
unsigned acpi_cpus(void);

/* Starts APIC IDs 1 to @cpus - 1; each runs @fn with its number (in order of arrival, from 1). */
#define AP_MAX 64
void ap_start_all(unsigned cpus, void (*fn)(unsigned n));

/* Waits @us microseconds of the ACPI PM timer. */
void delay_us(uint32_t us);

/* Makes the 2 MiB around @gpa reachable, above 4 GiB, and gives its address. */
void *map_high(uint64_t gpa);

/* fn(arg) at CPL3, with all memory open to it and no ports. */
uint64_t run_user(uint64_t (*fn)(void *arg), void *arg);

#endif
