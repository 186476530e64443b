/*
 * Interrupts by instruction, and the return from them, in protected mode: SDM volume 3, 6.12 and
 * volume 2, INT and IRET.
 *
 * Left out on purpose: task gates and returns to another task, virtual-8086 mode.
 */
#include "finish.h"

#define FLAG_FIXED 0x2u
#define FLAG_TF	   0x100u
#define FLAG_IF	   0x200u
#define FLAG_IOPL  0x3000u
#define FLAG_NT	   0x4000u
#define FLAG_RF	   0x10000u
#define FLAG_VM	   0x20000u
#define FLAG_ALL   0x277fd7u /* what IRET loads, but for what privilege keeps */

#define TYPE_CODE	0x8
#define TYPE_CONFORMING 0x4 /* of code; of data: expands down */
#define TYPE_WRITABLE	0x2 /* of data */
#define TYPE_ACCESSED	0x1

/* A stack being pushed to or popped from; the processor's own is changed in the end. */
struct stack {
	struct finish_cpu *cpu;
	struct kvm_segment ss;
	uint32_t sp;
	unsigned size; /* of an item */
};

static uint32_t stack_mask(const struct stack *s)
{
	return s->ss.db ? ~0u : 0xffffu;
}

static bool stack_push(struct stack *s, uint32_t value)
{
	uint32_t mask = stack_mask(s);
	s->sp = (s->sp & ~mask) | ((s->sp - s->size) & mask);
	return s->cpu->write(s->cpu->ctx, (uint32_t)(s->ss.base + (s->sp & mask)), &value, s->size);
}

static bool stack_pop(struct stack *s, uint32_t *ret_value)
{
	uint32_t mask = stack_mask(s);
	*ret_value = 0;
	if (!s->cpu->read(s->cpu->ctx, (uint32_t)(s->ss.base + (s->sp & mask)), ret_value, s->size))
		return false;
	s->sp = (s->sp & ~mask) | ((s->sp + s->size) & mask);
	return true;
}

static struct stack stack_of(struct finish_cpu *cpu, unsigned size)
{
	return (struct stack){cpu, cpu->sregs.ss, (uint32_t)cpu->regs.rsp, size};
}

static void stack_adopt(const struct stack *s)
{
	s->cpu->sregs.ss = s->ss;
	s->cpu->regs.rsp = s->sp;
}

/* A code segment that may be entered at @cpl, by a transfer that lands at its own privilege. */
static bool control_load_code(struct finish_cpu *cpu, uint16_t selector, struct kvm_segment *ret_cs)
{
	return finish_descriptor(cpu, selector, ret_cs) && ret_cs->present && ret_cs->s &&
	       ret_cs->type & TYPE_CODE;
}

static bool control_load_stack(struct finish_cpu *cpu, uint16_t selector, unsigned cpl,
			       struct kvm_segment *ret_ss)
{
	return (selector & 3) == cpl && finish_descriptor(cpu, selector, ret_ss) &&
	       ret_ss->present && ret_ss->s && !(ret_ss->type & TYPE_CODE) &&
	       ret_ss->type & TYPE_WRITABLE && ret_ss->dpl == cpl;
}

/* The inner stack, from the task's state segment. */
static bool control_inner_stack(struct finish_cpu *cpu, unsigned cpl, struct stack *s)
{
	const struct kvm_segment *tr = &cpu->sregs.tr;
	bool is_32 = tr->type & 8;
	unsigned size = is_32 ? 4 : 2;
	uint32_t at = (is_32 ? 4 : 2) + cpl * size * 2, sp = 0;
	uint16_t selector;
	if (tr->unusable || at + size + 1 > tr->limit ||
	    !cpu->read(cpu->ctx, (uint32_t)(tr->base + at), &sp, size) ||
	    !cpu->read(cpu->ctx, (uint32_t)(tr->base + at + size), &selector, 2))
		return false;
	s->sp = sp;
	return control_load_stack(cpu, selector, cpl, &s->ss);
}

bool finish_int(struct finish_cpu *cpu, const struct finish_code *c, uint8_t vector, uint32_t next)
{
	uint32_t low, high, flags = (uint32_t)cpu->regs.rflags;
	unsigned cpl = cpu->sregs.ss.dpl;
	struct kvm_segment cs;
	(void)c;
	if (vector * 8u + 7 > cpu->sregs.idt.limit ||
	    !cpu->read(cpu->ctx, (uint32_t)(cpu->sregs.idt.base + vector * 8u), &low, 4) ||
	    !cpu->read(cpu->ctx, (uint32_t)(cpu->sregs.idt.base + vector * 8u + 4), &high, 4))
		return false;
	unsigned type = high >> 8 & 0x1f; /* 0eh, 0fh: 32 bits; 06h, 07h: 16 bits; odd ones traps */
	if ((type | 9) != 0xf || !(high & 0x8000) || (high >> 13 & 3) < cpl ||
	    !control_load_code(cpu, (uint16_t)(low >> 16), &cs) || cs.dpl > cpl)
		return false;
	unsigned target = cs.type & TYPE_CONFORMING ? cpl : cs.dpl;

	struct stack s = stack_of(cpu, type & 8 ? 4 : 2);
	if (target < cpl) {
		struct stack outer = s;
		if (!control_inner_stack(cpu, target, &s) || !stack_push(&s, outer.ss.selector) ||
		    !stack_push(&s, outer.sp))
			return false;
	}
	if (!stack_push(&s, flags) || !stack_push(&s, cpu->sregs.cs.selector) ||
	    !stack_push(&s, next))
		return false;
	stack_adopt(&s);
	cs.selector = (uint16_t)((cs.selector & ~3u) | target);
	cs.type |= TYPE_ACCESSED;
	cs.dpl = (uint8_t)target;
	cpu->sregs.cs = cs;
	cpu->regs.rip = type & 8 ? (high & 0xffff0000) | (low & 0xffff) : low & 0xffff;
	cpu->regs.rflags &=
		~(uint64_t)(FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (type & 1 ? 0 : FLAG_IF));
	return true;
}

/* What a data segment register holds of a privilege that is left may not stay. */
static void control_drop(struct kvm_segment *s, unsigned cpl)
{
	bool is_conforming = s->type & TYPE_CODE && s->type & TYPE_CONFORMING;
	if (!s->unusable && !is_conforming && s->dpl < cpl)
		*s = (struct kvm_segment){.unusable = 1};
}

bool finish_iret(struct finish_cpu *cpu, const struct finish_code *c)
{
	uint32_t ip, selector, flags, sp, ss, old = (uint32_t)cpu->regs.rflags;
	unsigned cpl = cpu->sregs.ss.dpl;
	struct kvm_segment cs;
	struct stack s = stack_of(cpu, c->operand);
	if (old & (FLAG_NT | FLAG_VM) || !stack_pop(&s, &ip) || !stack_pop(&s, &selector) ||
	    !stack_pop(&s, &flags))
		return false;
	unsigned rpl = selector & 3;
	if ((c->operand == 4 && flags & FLAG_VM) ||
	    !control_load_code(cpu, (uint16_t)selector, &cs) || rpl < cpl ||
	    (cs.type & TYPE_CONFORMING ? cs.dpl > rpl : cs.dpl != rpl) || ip > cs.limit)
		return false;
	if (rpl > cpl) {
		if (!stack_pop(&s, &sp) || !stack_pop(&s, &ss) ||
		    !control_load_stack(cpu, (uint16_t)ss, rpl, &s.ss))
			return false;
		s.sp = s.ss.db || c->operand == 4 ? sp : sp & 0xffff;
		control_drop(&cpu->sregs.ds, rpl);
		control_drop(&cpu->sregs.es, rpl);
		control_drop(&cpu->sregs.fs, rpl);
		control_drop(&cpu->sregs.gs, rpl);
	}

	uint32_t mask = FLAG_ALL & ~FLAG_VM;
	if (cpl)
		mask &= ~FLAG_IOPL;
	if (cpl > (old >> 12 & 3))
		mask &= ~FLAG_IF;
	if (c->operand == 2)
		mask &= 0xffff;
	stack_adopt(&s);
	cs.type |= TYPE_ACCESSED;
	cs.dpl = (uint8_t)rpl;
	cpu->sregs.cs = cs;
	cpu->regs.rip = ip;
	cpu->regs.rflags = (old & ~mask) | (flags & mask) | FLAG_FIXED;
	return true;
}
