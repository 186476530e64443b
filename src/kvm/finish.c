/*
 * Decoding, and the instructions that need no more than registers (Intel SDM volume 2).
 *
 * Left out on purpose: long mode, where KVM's interpreter is not used for these, and exceptions: an
 * instruction that would raise one is refused here as well, and reported.
 */
#include "finish.h"

#include <string.h>
#include <sys/random.h>

#define CR0_PE	 1u
#define CR0_MP	 2u
#define CR0_EM	 4u
#define CR0_TS	 8u
#define EFER_LMA (1u << 10)

#define FLAG_CF 0x001u
#define FLAG_PF 0x004u
#define FLAG_AF 0x010u
#define FLAG_ZF 0x040u
#define FLAG_SF 0x080u
#define FLAG_OF 0x800u
#define FLAG_VM 0x20000u

uint32_t finish_get(const struct finish_cpu *cpu, unsigned n)
{
	const __u64 *const reg[8] = {&cpu->regs.rax, &cpu->regs.rcx, &cpu->regs.rdx,
				     &cpu->regs.rbx, &cpu->regs.rsp, &cpu->regs.rbp,
				     &cpu->regs.rsi, &cpu->regs.rdi};
	return (uint32_t)*reg[n & 7];
}

void finish_set(struct finish_cpu *cpu, unsigned n, unsigned size, uint32_t value)
{
	__u64 *const reg[8] = {&cpu->regs.rax, &cpu->regs.rcx, &cpu->regs.rdx, &cpu->regs.rbx,
			       &cpu->regs.rsp, &cpu->regs.rbp, &cpu->regs.rsi, &cpu->regs.rdi};
	uint32_t mask = size == 4 ? ~0u : 0xffffu;
	*reg[n & 7] = ((uint32_t)*reg[n & 7] & ~mask) | (value & mask);
}

/* Little-endian displacement of @size bytes, sign-extended. */
static bool finish_displacement(struct finish_code *c, unsigned size, uint32_t *ret_value)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < size; i++) {
		uint8_t byte;
		if (!finish_byte(c, &byte))
			return false;
		value |= (uint32_t)byte << 8 * i;
	}
	if (size == 1)
		value = (uint32_t)(int8_t)value;
	*ret_value = value;
	return true;
}

static bool finish_operand_16(struct finish_cpu *cpu, struct finish_code *c, uint8_t modrm,
			      uint32_t *ret_offset, bool *ret_is_stack)
{
	/* BX+SI, BX+DI, BP+SI, BP+DI, SI, DI, BP, BX */
	static const int8_t base[8] = {3, 3, 5, 5, 6, 7, 5, 3};
	static const int8_t index[8] = {6, 7, 6, 7, -1, -1, -1, -1};
	unsigned mod = modrm >> 6, rm = modrm & 7;
	uint32_t offset = 0, displacement = 0;
	if (mod == 0 && rm == 6) {
		*ret_is_stack = false;
		return finish_displacement(c, 2, ret_offset);
	}
	offset = finish_get(cpu, (unsigned)base[rm]);
	if (index[rm] >= 0)
		offset += finish_get(cpu, (unsigned)index[rm]);
	if (mod && !finish_displacement(c, mod, &displacement))
		return false;
	*ret_is_stack = base[rm] == 5;
	*ret_offset = (offset + displacement) & 0xffff;
	return true;
}

static bool finish_operand_32(struct finish_cpu *cpu, struct finish_code *c, uint8_t modrm,
			      uint32_t *ret_offset, bool *ret_is_stack)
{
	unsigned mod = modrm >> 6, base = modrm & 7;
	uint32_t offset = 0, displacement = 0;
	if (base == 4) {
		uint8_t sib;
		if (!finish_byte(c, &sib))
			return false;
		base = sib & 7;
		unsigned index = sib >> 3 & 7;
		if (index != 4)
			offset = finish_get(cpu, index) << (sib >> 6);
	}
	bool has_base = mod || base != 5;
	if (has_base)
		offset += finish_get(cpu, base);
	if (!finish_displacement(c, !has_base || mod == 2 ? 4 : mod, &displacement))
		return false;
	*ret_is_stack = has_base && (base == 4 || base == 5);
	*ret_offset = offset + displacement;
	return true;
}

bool finish_operand(struct finish_cpu *cpu, struct finish_code *c, uint8_t modrm,
		    uint64_t *ret_linear)
{
	uint32_t offset;
	bool is_stack;
	if (!(c->address == 2 ? finish_operand_16(cpu, c, modrm, &offset, &is_stack)
			      : finish_operand_32(cpu, c, modrm, &offset, &is_stack)))
		return false;
	const struct kvm_segment *s = c->segment ? c->segment
				      : is_stack ? &cpu->sregs.ss
						 : &cpu->sregs.ds;
	*ret_linear = (uint32_t)(s->base + offset);
	return !s->unusable;
}

bool finish_descriptor(struct finish_cpu *cpu, uint16_t selector, struct kvm_segment *ret_segment)
{
	uint64_t base = cpu->sregs.gdt.base;
	uint32_t limit = cpu->sregs.gdt.limit, low, high;
	if (selector & 4) {
		base = cpu->sregs.ldt.base;
		limit = cpu->sregs.ldt.unusable ? 0 : cpu->sregs.ldt.limit;
	}
	if ((selector & ~7u) == 0 || (selector | 7u) > limit ||
	    !cpu->read(cpu->ctx, (uint32_t)(base + (selector & ~7u)), &low, 4) ||
	    !cpu->read(cpu->ctx, (uint32_t)(base + (selector & ~7u) + 4), &high, 4))
		return false;
	uint32_t size = (high & 0xf0000) | (low & 0xffff);
	*ret_segment = (struct kvm_segment){
		.base = (high & 0xff000000) | (high & 0xff) << 16 | low >> 16,
		.limit = high & 1u << 23 ? size << 12 | 0xfff : size,
		.selector = selector,
		.type = high >> 8 & 0xf,
		.s = high >> 12 & 1,
		.dpl = high >> 13 & 3,
		.present = high >> 15 & 1,
		.avl = high >> 20 & 1,
		.l = high >> 21 & 1,
		.db = high >> 22 & 1,
		.g = high >> 23 & 1,
	};
	return true;
}

/* Flags of an 8-bit result. */
static void finish_flags8(struct finish_cpu *cpu, uint8_t value)
{
	cpu->regs.rflags &= ~(uint64_t)(FLAG_SF | FLAG_ZF | FLAG_PF);
	cpu->regs.rflags |= (value & 0x80 ? FLAG_SF : 0) | (value ? 0 : FLAG_ZF) |
			    (__builtin_parity(value) ? 0 : FLAG_PF);
}

/* DAA and DAS: volume 2, their pseudocode. */
static void finish_decimal(struct finish_cpu *cpu, bool is_subtraction)
{
	uint8_t al = (uint8_t)cpu->regs.rax, old = al;
	uint64_t flags = cpu->regs.rflags;
	bool carry = flags & FLAG_CF, is_low = (al & 0x0f) > 9 || flags & FLAG_AF;
	bool is_high = old > 0x99 || carry, has_carry = false;
	if (is_low) {
		has_carry = carry || (is_subtraction ? al < 6 : al > 0xff - 6);
		al = (uint8_t)(is_subtraction ? al - 6 : al + 6);
	}
	if (is_high) {
		al = (uint8_t)(is_subtraction ? al - 0x60 : al + 0x60);
		has_carry = true;
	}
	cpu->regs.rax = (cpu->regs.rax & ~0xffULL) | al;
	finish_flags8(cpu, al);
	cpu->regs.rflags &= ~(uint64_t)(FLAG_AF | FLAG_CF);
	cpu->regs.rflags |= (is_low ? FLAG_AF : 0) | (has_carry ? FLAG_CF : 0);
}

/* AAA and AAS */
static void finish_ascii(struct finish_cpu *cpu, bool is_subtraction)
{
	uint16_t ax = (uint16_t)cpu->regs.rax;
	bool is_adjusted = (ax & 0x0f) > 9 || cpu->regs.rflags & FLAG_AF;
	if (is_adjusted)
		ax = (uint16_t)(is_subtraction ? ax - 0x106 : ax + 0x106);
	ax &= 0xff0f;
	cpu->regs.rax = (cpu->regs.rax & ~0xffffULL) | ax;
	cpu->regs.rflags &= ~(uint64_t)(FLAG_AF | FLAG_CF);
	cpu->regs.rflags |= is_adjusted ? FLAG_AF | FLAG_CF : 0;
}

static bool finish_random(struct finish_cpu *cpu, const struct finish_code *c, uint8_t modrm)
{
	uint32_t value;
	if (modrm >> 6 != 3 || getrandom(&value, sizeof(value), GRND_NONBLOCK) != sizeof(value))
		return false;
	finish_set(cpu, modrm & 7, c->operand, value);
	cpu->regs.rflags &= ~(uint64_t)(FLAG_OF | FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF);
	cpu->regs.rflags |= FLAG_CF;
	return true;
}

/* May a segment be read or written at this privilege? Never an exception but for the operand. */
static bool finish_verify(struct finish_cpu *cpu, struct finish_code *c, uint8_t modrm)
{
	bool is_write = (modrm >> 3 & 7) == 5;
	uint16_t selector;
	uint64_t linear;
	struct kvm_segment s;
	if (!(cpu->sregs.cr0 & CR0_PE) || cpu->regs.rflags & FLAG_VM)
		return false;
	if (modrm >> 6 == 3)
		selector = (uint16_t)finish_get(cpu, modrm & 7);
	else if (!finish_operand(cpu, c, modrm, &linear) ||
		 !cpu->read(cpu->ctx, linear, &selector, 2))
		return false;

	bool is_good = finish_descriptor(cpu, selector, &s) && s.s;
	if (is_good) {
		bool is_code = s.type & 8, is_conforming = is_code && s.type & 4;
		unsigned cpl = cpu->sregs.ss.dpl, rpl = selector & 3;
		is_good = is_write ? !is_code && s.type & 2 : !is_code || s.type & 2;
		is_good = is_good && (is_conforming || (s.dpl >= cpl && s.dpl >= rpl));
	}
	cpu->regs.rflags &= ~(uint64_t)FLAG_ZF;
	cpu->regs.rflags |= is_good ? FLAG_ZF : 0;
	return true;
}

/* Two-byte opcodes, after 0f. */
static const char *finish_extended(struct finish_cpu *cpu, struct finish_code *c)
{
	uint8_t opcode, modrm;
	if (!finish_byte(c, &opcode) || !finish_byte(c, &modrm))
		return NULL;
	unsigned reg = modrm >> 3 & 7;
	switch (opcode) {
	case 0x00:
		if ((reg == 4 || reg == 5) && finish_verify(cpu, c, modrm))
			return reg == 4 ? "VERR" : "VERW";
		return NULL;
	case 0x1e: /* RDSSP without shadow stacks: nothing */
		return c->repeat == 0xf3 && reg == 1 && modrm >> 6 == 3 ? "RDSSP" : NULL;
	case 0xc7:
		if ((reg == 6 || reg == 7) && finish_random(cpu, c, modrm))
			return reg == 6 ? "RDRAND" : "RDSEED";
		return NULL;
	default:
		return NULL;
	}
}

static const char *finish_opcode(struct finish_cpu *cpu, struct finish_code *c, bool *ret_is_jump)
{
	bool is_protected = cpu->sregs.cr0 & CR0_PE && !(cpu->regs.rflags & FLAG_VM);
	uint8_t opcode, vector;
	if (!finish_byte(c, &opcode))
		return NULL;
	*ret_is_jump = opcode == 0xcd || opcode == 0xcf;
	switch (opcode) {
	case 0x0f:
		return finish_extended(cpu, c);
	case 0x27:
	case 0x2f:
		finish_decimal(cpu, opcode == 0x2f);
		return opcode == 0x27 ? "DAA" : "DAS";
	case 0x37:
	case 0x3f:
		finish_ascii(cpu, opcode == 0x3f);
		return opcode == 0x37 ? "AAA" : "AAS";
	case 0x9b: /* no exception is ever pending: they are masked, or not reported */
		return (cpu->sregs.cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS) ? NULL : "FWAIT";
	case 0xcd:
		return is_protected && finish_byte(c, &vector) &&
				       finish_int(cpu, c, vector, (uint32_t)cpu->regs.rip + c->at)
			       ? "INT"
			       : NULL;
	case 0xcf:
		return is_protected && finish_iret(cpu, c) ? "IRET" : NULL;
	case 0xd8 ... 0xdf:
		return !(cpu->sregs.cr0 & (CR0_EM | CR0_TS)) && finish_x87(cpu, c, opcode) ? "x87"
											   : NULL;
	default:
		return NULL;
	}
}

/* Return: false when a prefix does not belong there. */
static bool finish_prefixes(struct finish_cpu *cpu, struct finish_code *c)
{
	struct kvm_sregs *s = &cpu->sregs;
	bool is_32 = s->cs.db && !(cpu->regs.rflags & FLAG_VM);
	c->operand = c->address = is_32 ? 4 : 2;
	for (; c->at < c->len; c->at++) {
		switch (c->byte[c->at]) {
		case 0x26:
			c->segment = &s->es;
			break;
		case 0x2e:
			c->segment = &s->cs;
			break;
		case 0x36:
			c->segment = &s->ss;
			break;
		case 0x3e:
			c->segment = &s->ds;
			break;
		case 0x64:
			c->segment = &s->fs;
			break;
		case 0x65:
			c->segment = &s->gs;
			break;
		case 0x66:
			c->operand = is_32 ? 2 : 4;
			break;
		case 0x67:
			c->address = is_32 ? 2 : 4;
			break;
		case 0xf2:
		case 0xf3:
			c->repeat = c->byte[c->at];
			break;
		case 0xf0: /* LOCK: none of ours can have it */
			return false;
		default:
			return true;
		}
	}
	return false;
}

const char *finish_instruction(struct finish_cpu *cpu, const uint8_t *code, unsigned len)
{
	struct finish_cpu next = *cpu;
	struct finish_code c = {.len = len < FINISH_CODE_MAX ? len : FINISH_CODE_MAX};
	bool is_jump = false;
	memcpy(c.byte, code, c.len);
	if (next.sregs.efer & EFER_LMA || !finish_prefixes(&next, &c))
		return NULL;
	const char *name = finish_opcode(&next, &c, &is_jump);
	if (!name)
		return NULL;
	if (!is_jump) {
		uint32_t rip = (uint32_t)next.regs.rip + c.at;
		next.regs.rip = next.sregs.cs.db ? rip : rip & 0xffff;
	}
	*cpu = next;
	return name;
}
