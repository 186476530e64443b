/*
 * Instructions that KVM's interpreter refuses, of any bytes, in all modes and rings, with
 * registers, segments, descriptors, gates and an x87 of any contents. The first byte says which
 * mode; then one step a command byte.
 */
#include "finish.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Addresses wrap in the RAM; those from here on are not mapped. */
#define RAM	 0x2000u
#define UNMAPPED 0x100000u

#define GDT   0x0000u
#define IDT   0x0100u
#define TSS   0x0900u
#define STACK 0x1800u

#define CODE 0x08 /* of ring n: n * 0x10 behind */
#define DATA 0x10

#define CR0_PE	    1u
#define FLAG_VM	    0x20000u
#define EFER_LMA    (1u << 10)
#define GATE_VECTOR 0x21

enum step {
	STEP_RUN,
	STEP_RUN_AGAIN,
	STEP_MEMORY,
	STEP_REGISTER,
	STEP_FLAGS,
	STEP_SEGMENT,
	STEP_FPU,
	STEP_GATE,
};

struct script {
	const uint8_t *at;
	size_t left;
};

static uint8_t ram[RAM];

static uint32_t take(struct script *s, unsigned bytes)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < bytes && s->left; i++, s->left--)
		value |= (uint32_t)*s->at++ << 8 * i;
	return value;
}

static bool ram_read(void *ctx, uint64_t linear, void *buf, unsigned len)
{
	(void)ctx;
	if (linear >> 32)
		abort();
	for (unsigned i = 0; i < len; i++)
		((uint8_t *)buf)[i] = ram[(linear + i) % RAM];
	return linear < UNMAPPED;
}

static bool ram_write(void *ctx, uint64_t linear, const void *buf, unsigned len)
{
	(void)ctx;
	if (linear >> 32)
		abort();
	for (unsigned i = 0; linear < UNMAPPED && i < len; i++)
		ram[(linear + i) % RAM] = ((const uint8_t *)buf)[i];
	return linear < UNMAPPED;
}

static void put(uint32_t at, uint32_t value)
{
	memcpy(ram + at % (RAM - 3), &value, 4);
}

static struct kvm_segment flat(uint16_t selector, unsigned ring, uint8_t type, bool is_32)
{
	return (struct kvm_segment){.limit = ~0u,
				    .selector = (uint16_t)(selector + ring * 0x10 + ring),
				    .type = type,
				    .present = 1,
				    .s = 1,
				    .dpl = (uint8_t)ring,
				    .db = is_32,
				    .g = 1};
}

/* @how: bits 0-1 the ring, 2 16-bit segments, 3 real mode, 4 virtual-8086 mode, 5 long mode */
static struct finish_cpu power_on(uint8_t how)
{
	struct finish_cpu cpu = {.read = ram_read, .write = ram_write};
	unsigned ring = how & 8 ? 0 : how & 3;
	bool is_32 = !(how & 0x0c);
	memset(ram, 0, sizeof(ram));
	for (uint32_t i = 0; i < 4; i++) {
		put(GDT + CODE + i * 0x10, 0x0000ffff);
		put(GDT + CODE + i * 0x10 + 4, (is_32 ? 0x00cf9a00 : 0x00009a00) | i << 13);
		put(GDT + DATA + i * 0x10, 0x0000ffff);
		put(GDT + DATA + i * 0x10 + 4, (is_32 ? 0x00cf9200 : 0x00009200) | i << 13);
		put(TSS + 4 + i * 8, STACK);
		put(TSS + 8 + i * 8, DATA + i * 0x10 + i);
	}
	put(IDT + GATE_VECTOR * 8, CODE << 16 | 0x300);
	put(IDT + GATE_VECTOR * 8 + 4, 0xee00);
	cpu.sregs.cr0 = how & 8 ? 0 : CR0_PE;
	cpu.sregs.efer = how & 0x20 ? EFER_LMA : 0;
	cpu.sregs.gdt.base = GDT;
	cpu.sregs.gdt.limit = 0x4f;
	cpu.sregs.idt.base = IDT;
	cpu.sregs.idt.limit = 0x7ff;
	cpu.sregs.ldt.unusable = 1;
	cpu.sregs.tr = (struct kvm_segment){.base = TSS, .limit = 0x67, .type = 0xb, .present = 1};
	cpu.sregs.cs = flat(CODE, ring, 0xb, is_32);
	cpu.sregs.ss = cpu.sregs.ds = cpu.sregs.es = flat(DATA, ring, 3, is_32);
	cpu.sregs.fs = cpu.sregs.gs = (struct kvm_segment){.unusable = 1};
	cpu.regs.rip = 0x1000;
	cpu.regs.rsp = STACK - 0x100;
	cpu.regs.rflags = 0x202 | (how & 0x10 ? FLAG_VM : 0);
	cpu.fpu.fcw = 0x37f;
	return cpu;
}

/* Byte by byte: one is a copy of the other. */
static bool is_same(const void *a, const void *b, size_t len)
{
	return memcmp(a, b, len) == 0;
}

/* What is refused changes nothing; what is carried out stays within 32 bits. */
static void step_run(struct finish_cpu *cpu, struct script *s)
{
	struct finish_cpu before;
	uint8_t code[FINISH_CODE_MAX + 1];
	unsigned len = take(s, 1) % (sizeof(code) + 1);
	for (unsigned i = 0; i < len; i++)
		code[i] = (uint8_t)take(s, 1);
	memcpy(&before, cpu, sizeof(before));
	bool is_done = finish_instruction(cpu, code, len);
	if (!is_done && !is_same(cpu, &before, sizeof(before)))
		abort();
	if (is_done && (cpu->regs.rip >> 32 || cpu->regs.rsp >> 32 || cpu->regs.rflags >> 32 ||
			!(cpu->regs.rflags & 2) || before.sregs.efer & EFER_LMA))
		abort();
}

static void step_register(struct finish_cpu *cpu, uint8_t command, struct script *s)
{
	uint32_t value = take(s, command & 0x80 ? 4 : 2);
	finish_set(cpu, command >> 3 & 7, 4, value);
}

/* Of a segment register or table, what KVM may say of it. */
static void step_segment(struct finish_cpu *cpu, uint8_t command, struct script *s)
{
	struct kvm_sregs *sregs = &cpu->sregs;
	struct kvm_segment *const all[8] = {&sregs->es, &sregs->cs, &sregs->ss, &sregs->ds,
					    &sregs->fs, &sregs->gs, &sregs->tr, &sregs->ldt};
	struct kvm_segment *seg = all[command >> 3 & 7];
	uint8_t attributes = (uint8_t)take(s, 1);
	seg->type = attributes & 15;
	seg->dpl = attributes >> 4 & 3;
	seg->db = attributes >> 6 & 1;
	seg->unusable = attributes >> 7;
	if (command & 0x40)
		seg->base = take(s, 3) << 8 | 0x10;
	if (command & 0x80)
		seg->limit = take(s, 2);
}

static void step_gate(uint8_t command, struct script *s)
{
	uint32_t at = IDT + (command >> 3) * 8u;
	put(at, take(s, 2) << 16 | 0x400);
	put(at + 4, take(s, 1) << 8);
}

static void step(struct finish_cpu *cpu, struct script *s)
{
	uint8_t command = (uint8_t)take(s, 1);
	switch ((enum step)(command & 7)) {
	case STEP_RUN:
	case STEP_RUN_AGAIN:
		step_run(cpu, s);
		break;
	case STEP_MEMORY: {
		uint32_t at = take(s, 2);
		put(at, take(s, 4));
		break;
	}
	case STEP_REGISTER:
		step_register(cpu, command, s);
		break;
	case STEP_FLAGS:
		cpu->regs.rflags = (take(s, 3) & 0x277fd5) | 2;
		cpu->sregs.cr0 = command >> 3;
		break;
	case STEP_SEGMENT:
		step_segment(cpu, command, s);
		break;
	case STEP_FPU: {
		unsigned at = take(s, 2) % sizeof(cpu->fpu);
		((uint8_t *)&cpu->fpu)[at] = (uint8_t)take(s, 1);
		break;
	}
	case STEP_GATE:
		step_gate(command, s);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {data, size};
	struct finish_cpu cpu = power_on((uint8_t)take(&s, 1));
	while (s.left)
		step(&cpu, &s);
	return 0;
}
