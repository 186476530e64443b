/*
 * Instructions that KVM's interpreter refuses, carried out here: on a processor whose real mode or
 * protected mode KVM has to interpret (KVM_EXIT_INTERNAL_ERROR, emulation failure). A short list of
 * what old software was seen to need; in 16- and 32-bit modes only.
 */
#ifndef KVM_FINISH_H
#define KVM_FINISH_H

#include "linux_kvm.h"

#include <stdbool.h>
#include <stdint.h>

#define FINISH_CODE_MAX 15

/**
 * struct finish_cpu - the processor at the instruction, and its memory
 * @regs, @sregs, @fpu: as KVM has them; changed only by a success
 * @read, @write: linear addresses, as far as the guest maps them to RAM; false when it does not
 * @has_fpu_changed: @fpu has to go back, too
 */
struct finish_cpu {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
	bool (*read)(void *ctx, uint64_t linear, void *buf, unsigned len);
	bool (*write)(void *ctx, uint64_t linear, const void *buf, unsigned len);
	void *ctx;
	bool has_fpu_changed;
};

/**
 * struct finish_code - the instruction's bytes, taken apart
 * @operand, @address: sizes in bytes, 2 or 4
 * @segment: the override, or NULL
 * @at: what has been read of @byte
 */
struct finish_code {
	uint8_t byte[FINISH_CODE_MAX];
	unsigned len, at;
	unsigned operand, address;
	const struct kvm_segment *segment;
	uint8_t repeat; /* f2, f3, or 0 */
};

/**
 * finish_instruction() - carry out the instruction at CS:RIP
 * @code, @len: its bytes, or more
 *
 * Where the processor would raise an exception, nothing is done.
 * Return: the instruction's name, or NULL when it is none of those known here (or not like this).
 */
const char *finish_instruction(struct finish_cpu *cpu, const uint8_t *code, unsigned len);

/* Between the files: what one knows of is carried out and true, RIP not yet moved (but by jumps).
 */

/* finish_control.c: INT n and IRET in protected mode. They set RIP themselves. */
bool finish_int(struct finish_cpu *cpu, const struct finish_code *c, uint8_t vector, uint32_t next);
bool finish_iret(struct finish_cpu *cpu, const struct finish_code *c);

/* finish_x87.c: @c->at is behind the opcode @escape (d8 to df). */
bool finish_x87(struct finish_cpu *cpu, struct finish_code *c, uint8_t escape);

/* The next byte; false when there is none. */
static inline bool finish_byte(struct finish_code *c, uint8_t *ret_byte)
{
	if (c->at >= c->len)
		return false;
	*ret_byte = c->byte[c->at++];
	return true;
}

/* The memory operand of @modrm, whose mod is not 3: its linear address. Reads what follows. */
bool finish_operand(struct finish_cpu *cpu, struct finish_code *c, uint8_t modrm,
		    uint64_t *ret_linear);

/* General register @n of 32 bits. */
uint32_t finish_get(const struct finish_cpu *cpu, unsigned n);
void finish_set(struct finish_cpu *cpu, unsigned n, unsigned size, uint32_t value);

/* A descriptor as the registers hold it. False: beyond the table, or not in RAM. */
bool finish_descriptor(struct finish_cpu *cpu, uint16_t selector, struct kvm_segment *ret_segment);

#endif
