/*
 * x87 instructions, each carried out by the host's own x87 on the guest's values, with the guest's
 * rounding and precision (SDM volume 1, chapter 8; the opcode maps of volume 2, A.5).
 *
 * Left out on purpose: transcendental functions, BCD, saving and loading of the whole state, and
 * exceptions: all are masked here whatever the control word says, but their flags are set.
 */
#include "finish.h"

#include <string.h>

#define SW_INVALID  0x0001u
#define SW_STACK    0x0040u
#define SW_FLAGS    0x003fu
#define SW_C0	    0x0100u
#define SW_C1	    0x0200u
#define SW_C2	    0x0400u
#define SW_C3	    0x4000u
#define SW_COMPARED (SW_C0 | SW_C2 | SW_C3)
#define SW_TOP	    11
#define CW_MASKS    0x003fu
#define CW_INITIAL  0x037fu

#define EFLAGS_CF 0x01u
#define EFLAGS_PF 0x04u
#define EFLAGS_ZF 0x40u

/* Operations in the order of the opcode's reg field. */
enum x87_op {
	X87_ADD,
	X87_MUL,
	X87_COM,
	X87_COMP,
	X87_SUB,
	X87_SUBR,
	X87_DIV,
	X87_DIVR,
};

/* On the host: @a at the top of the stack, @b below it, then @insn; top and status come back. */
#define HOST(insn)                                                        \
	__asm__ volatile("fnstcw %[old]\n\tfnclex\n\tfldcw %[cw]\n\t"     \
			 "fldt %[b]\n\tfldt %[a]\n\t" insn "\n\t"         \
			 "fnstsw %[sw]\n\tfstpt %[r]\n\tfstp %%st(0)\n\t" \
			 "fnclex\n\tfldcw %[old]"                         \
			 : [old] "=m"(old), [sw] "=m"(sw), [r] "=m"(*ret) \
			 : [cw] "m"(masked), [a] "m"(a), [b] "m"(b)       \
			 : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)")

enum host_op {
	HOST_ADD,
	HOST_MUL,
	HOST_SUB,
	HOST_DIV,
	HOST_COM,
	HOST_UCOM,
	HOST_SQRT,
	HOST_ROUND,
	HOST_EXAMINE,
	HOST_SCALE,
};

/* Return: the host's status word after it. */
static uint16_t host_do(enum host_op op, uint16_t cw, long double a, long double b,
			long double *ret)
{
	uint16_t masked = cw | CW_MASKS, old, sw = 0;
	switch (op) {
	case HOST_ADD:
		HOST("fadd %%st(1), %%st");
		break;
	case HOST_MUL:
		HOST("fmul %%st(1), %%st");
		break;
	case HOST_SUB:
		HOST("fsub %%st(1), %%st");
		break;
	case HOST_DIV:
		HOST("fdiv %%st(1), %%st");
		break;
	case HOST_COM:
		HOST("fcom %%st(1)");
		break;
	case HOST_UCOM:
		HOST("fucom %%st(1)");
		break;
	case HOST_SQRT:
		HOST("fsqrt");
		break;
	case HOST_ROUND:
		HOST("frndint");
		break;
	case HOST_EXAMINE:
		HOST("fxam");
		break;
	case HOST_SCALE:
		HOST("fscale");
		break;
	}
	return sw;
}

/* Stores of @a with the guest's rounding. */
#define HOST_STORE(insn, dest)                                                          \
	__asm__ volatile("fnstcw %[old]\n\tfnclex\n\tfldcw %[cw]\n\tfldt %[a]\n\t" insn \
			 "\n\tfnstsw %[sw]\n\tfnclex\n\tfldcw %[old]"                   \
			 : [old] "=m"(old), [sw] "=m"(sw), [r] "=m"(dest)               \
			 : [cw] "m"(masked), [a] "m"(a)                                 \
			 : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)")

enum x87_format {
	X87_INT16,
	X87_INT32,
	X87_INT64,
	X87_REAL32,
	X87_REAL64,
	X87_REAL80,
};

static unsigned x87_size(enum x87_format format)
{
	static const uint8_t size[] = {2, 4, 8, 4, 8, 10};
	return size[format];
}

static uint16_t host_store(enum x87_format format, uint16_t cw, long double a, uint8_t buf[10])
{
	uint16_t masked = cw | CW_MASKS, old, sw = 0;
	union {
		int16_t i16;
		int32_t i32;
		int64_t i64;
		float f;
		double d;
	} v = {.i64 = 0};
	switch (format) {
	case X87_INT16:
		HOST_STORE("fistps %[r]", v.i16);
		break;
	case X87_INT32:
		HOST_STORE("fistpl %[r]", v.i32);
		break;
	case X87_INT64:
		HOST_STORE("fistpll %[r]", v.i64);
		break;
	case X87_REAL32:
		HOST_STORE("fstps %[r]", v.f);
		break;
	case X87_REAL64:
		HOST_STORE("fstpl %[r]", v.d);
		break;
	case X87_REAL80:
		memcpy(buf, &a, 10);
		return 0;
	}
	memcpy(buf, &v, 8);
	return sw;
}

static long double x87_decode(enum x87_format format, const uint8_t buf[10])
{
	long double value = 0;
	int16_t i16;
	int32_t i32;
	int64_t i64;
	float f;
	double d;
	switch (format) {
	case X87_INT16:
		memcpy(&i16, buf, 2);
		return i16;
	case X87_INT32:
		memcpy(&i32, buf, 4);
		return i32;
	case X87_INT64:
		memcpy(&i64, buf, 8);
		return (long double)i64;
	case X87_REAL32:
		memcpy(&f, buf, 4);
		return f;
	case X87_REAL64:
		memcpy(&d, buf, 8);
		return d;
	case X87_REAL80:
		memcpy(&value, buf, 10);
		return value;
	}
	return value;
}

/* The register stack: fpr[] is relative to the top, as FXSAVE has it; tags are not. */

static unsigned x87_top(const struct kvm_fpu *f)
{
	return f->fsw >> SW_TOP & 7;
}

static void x87_set_top(struct kvm_fpu *f, unsigned top)
{
	f->fsw = (uint16_t)((f->fsw & ~(7u << SW_TOP)) | (top & 7) << SW_TOP);
}

static void x87_tag(struct kvm_fpu *f, unsigned i, bool is_full)
{
	uint8_t bit = (uint8_t)(1u << ((x87_top(f) + i) & 7));
	f->ftwx = (uint8_t)(is_full ? f->ftwx | bit : f->ftwx & ~bit);
}

/* What is empty reads as the indefinite value. */
static long double x87_get(struct kvm_fpu *f, unsigned i)
{
	long double value = 0;
	if (!(f->ftwx >> ((x87_top(f) + i) & 7) & 1)) {
		f->fsw = (uint16_t)((f->fsw | SW_INVALID | SW_STACK) & ~SW_C1);
		return -__builtin_nanl("");
	}
	memcpy(&value, f->fpr[i], 10);
	return value;
}

static void x87_put(struct kvm_fpu *f, unsigned i, long double value)
{
	memcpy(f->fpr[i], &value, 10);
	x87_tag(f, i, true);
}

static void x87_push(struct kvm_fpu *f, long double value)
{
	bool is_full = f->ftwx >> ((x87_top(f) - 1) & 7) & 1;
	x87_set_top(f, x87_top(f) - 1);
	memmove(f->fpr[1], f->fpr[0], 7 * sizeof(f->fpr[0]));
	if (is_full) {
		f->fsw |= SW_INVALID | SW_STACK | SW_C1;
		value = -__builtin_nanl("");
	}
	x87_put(f, 0, value);
}

static void x87_pop(struct kvm_fpu *f)
{
	uint8_t first[sizeof(f->fpr[0])];
	x87_tag(f, 0, false);
	memcpy(first, f->fpr[0], sizeof(first));
	memmove(f->fpr[0], f->fpr[1], 7 * sizeof(f->fpr[0]));
	memcpy(f->fpr[7], first, sizeof(first));
	x87_set_top(f, x87_top(f) + 1);
}

static void x87_note(struct kvm_fpu *f, uint16_t host_sw)
{
	f->fsw |= host_sw & SW_FLAGS;
}

static void x87_compare(struct kvm_fpu *f, long double a, long double b, bool is_unordered)
{
	long double same;
	uint16_t sw = host_do(is_unordered ? HOST_UCOM : HOST_COM, f->fcw, a, b, &same);
	x87_note(f, sw);
	f->fsw = (uint16_t)((f->fsw & ~(SW_COMPARED | SW_C1)) | (sw & SW_COMPARED));
}

/* ST(@to) = ST(@to) @op @value, or the other way round. */
static void x87_arithmetic(struct kvm_fpu *f, enum x87_op op, unsigned to, long double value)
{
	static const enum host_op host[8] = {
		[X87_ADD] = HOST_ADD,  [X87_MUL] = HOST_MUL, [X87_SUB] = HOST_SUB,
		[X87_SUBR] = HOST_SUB, [X87_DIV] = HOST_DIV, [X87_DIVR] = HOST_DIV};
	long double a = x87_get(f, to), result;
	if (op == X87_COM || op == X87_COMP) {
		x87_compare(f, a, value, false);
		if (op == X87_COMP)
			x87_pop(f);
		return;
	}
	bool is_reversed = op == X87_SUBR || op == X87_DIVR;
	x87_note(f, host_do(host[op], f->fcw, is_reversed ? value : a, is_reversed ? a : value,
			    &result));
	x87_put(f, to, result);
}

static bool x87_load(struct finish_cpu *cpu, uint64_t linear, enum x87_format format,
		     long double *ret_value)
{
	uint8_t buf[10];
	if (!cpu->read(cpu->ctx, linear, buf, x87_size(format)))
		return false;
	*ret_value = x87_decode(format, buf);
	return true;
}

static bool x87_store(struct finish_cpu *cpu, uint64_t linear, enum x87_format format, bool is_pop)
{
	struct kvm_fpu *f = &cpu->fpu;
	uint8_t buf[10];
	uint16_t sw = host_store(format, f->fcw, x87_get(f, 0), buf);
	if (!cpu->write(cpu->ctx, linear, buf, x87_size(format)))
		return false;
	x87_note(f, sw);
	if (is_pop)
		x87_pop(f);
	return true;
}

static bool x87_push_from(struct finish_cpu *cpu, uint64_t linear, enum x87_format format)
{
	long double value;
	if (!x87_load(cpu, linear, format, &value))
		return false;
	x87_push(&cpu->fpu, value);
	return true;
}

static bool x87_word_out(struct finish_cpu *cpu, uint64_t linear, uint16_t word)
{
	return cpu->write(cpu->ctx, linear, &word, 2);
}

/* Loads and stores of d9, db, dd, df by their reg fields. */
static bool x87_memory_other(struct finish_cpu *cpu, uint8_t escape, unsigned reg, uint64_t at)
{
	static const enum x87_format main_format[4] = {X87_REAL32, X87_INT32, X87_REAL64,
						       X87_INT16};
	enum x87_format format = main_format[(escape - 0xd9) / 2];
	switch (reg) {
	case 0:
		return x87_push_from(cpu, at, format);
	case 2:
	case 3:
		return x87_store(cpu, at, format, reg == 3);
	case 5:
		if (escape == 0xd9)
			return cpu->read(cpu->ctx, at, &cpu->fpu.fcw, 2);
		if (escape == 0xdd)
			return false;
		return x87_push_from(cpu, at, escape == 0xdb ? X87_REAL80 : X87_INT64);
	case 7:
		if (escape == 0xd9)
			return x87_word_out(cpu, at, cpu->fpu.fcw);
		if (escape == 0xdd)
			return x87_word_out(cpu, at, cpu->fpu.fsw);
		return x87_store(cpu, at, escape == 0xdb ? X87_REAL80 : X87_INT64, true);
	default:
		return false;
	}
}

static bool x87_memory(struct finish_cpu *cpu, uint8_t escape, unsigned reg, uint64_t at)
{
	static const enum x87_format arithmetic[4] = {X87_REAL32, X87_INT32, X87_REAL64, X87_INT16};
	long double value;
	if (escape & 1)
		return x87_memory_other(cpu, escape, reg, at);
	if (!x87_load(cpu, at, arithmetic[(escape - 0xd8) / 2], &value))
		return false;
	x87_arithmetic(&cpu->fpu, (enum x87_op)reg, 0, value);
	return true;
}

static void x87_constant(struct kvm_fpu *f, unsigned n)
{
	static const long double constants[] = {
		1.0L,
		3.32192809488736234787031942948939018L, /* log2 10 */
		1.44269504088896340735992468100189214L, /* log2 e */
		3.14159265358979323846264338327950288L,
		0.301029995663981195213738894724493027L, /* log10 2 */
		0.693147180559945309417232121458176568L, /* ln 2 */
		0.0L,
	};
	x87_push(f, constants[n]);
}

static void x87_unary(struct kvm_fpu *f, enum host_op op)
{
	long double result;
	x87_note(f,
		 host_do(op, f->fcw, x87_get(f, 0), op == HOST_SCALE ? x87_get(f, 1) : 0, &result));
	x87_put(f, 0, result);
}

static void x87_examine(struct kvm_fpu *f)
{
	long double same, value = 0;
	bool is_empty = !(f->ftwx >> x87_top(f) & 1);
	memcpy(&value, f->fpr[0], 10);
	uint16_t sw = host_do(HOST_EXAMINE, f->fcw, value, 0, &same);
	f->fsw &= (uint16_t) ~(SW_COMPARED | SW_C1);
	f->fsw |= is_empty ? SW_C3 | SW_C0 | (sw & SW_C1) : sw & (SW_COMPARED | SW_C1);
}

static void x87_exchange(struct kvm_fpu *f, unsigned i)
{
	long double a = x87_get(f, 0), b = x87_get(f, i);
	x87_put(f, 0, b);
	x87_put(f, i, a);
}

/* d9 with a register operand. */
static bool x87_d9(struct kvm_fpu *f, uint8_t modrm)
{
	unsigned i = modrm & 7;
	switch (modrm) {
	case 0xc0 ... 0xc7:
		x87_push(f, x87_get(f, i));
		return true;
	case 0xc8 ... 0xcf:
		x87_exchange(f, i);
		return true;
	case 0xd0: /* FNOP */
		return true;
	case 0xe0: /* FCHS */
		x87_put(f, 0, -x87_get(f, 0));
		return true;
	case 0xe1: /* FABS */
		x87_put(f, 0, __builtin_fabsl(x87_get(f, 0)));
		return true;
	case 0xe4: /* FTST */
		x87_compare(f, x87_get(f, 0), 0, false);
		return true;
	case 0xe5:
		x87_examine(f);
		return true;
	case 0xe8 ... 0xee:
		x87_constant(f, i);
		return true;
	case 0xf6: /* FDECSTP, FINCSTP: the registers stay where they are */
	case 0xf7: {
		uint8_t ring[8][16];
		for (unsigned n = 0; n < 8; n++)
			memcpy(ring[n], f->fpr[(n + (modrm == 0xf7 ? 1 : 7)) & 7], 16);
		memcpy(f->fpr, ring, sizeof(ring));
		x87_set_top(f, x87_top(f) + (modrm == 0xf7 ? 1 : 7));
		return true;
	}
	case 0xfa:
		x87_unary(f, HOST_SQRT);
		return true;
	case 0xfc:
		x87_unary(f, HOST_ROUND);
		return true;
	case 0xfd:
		x87_unary(f, HOST_SCALE);
		return true;
	default:
		return false;
	}
}

/* Comparisons that set the processor's flags. */
static void x87_compare_to_eflags(struct finish_cpu *cpu, unsigned i, bool is_unordered)
{
	struct kvm_fpu *f = &cpu->fpu;
	uint16_t kept = f->fsw & SW_COMPARED;
	x87_compare(f, x87_get(f, 0), x87_get(f, i), is_unordered);
	cpu->regs.rflags &= ~(uint64_t)(EFLAGS_CF | EFLAGS_PF | EFLAGS_ZF);
	cpu->regs.rflags |= (f->fsw & SW_C0 ? EFLAGS_CF : 0) | (f->fsw & SW_C2 ? EFLAGS_PF : 0) |
			    (f->fsw & SW_C3 ? EFLAGS_ZF : 0);
	f->fsw = (uint16_t)((f->fsw & ~SW_COMPARED) | kept);
}

static bool x87_db(struct finish_cpu *cpu, uint8_t modrm)
{
	struct kvm_fpu *f = &cpu->fpu;
	switch (modrm) {
	case 0xe0: /* FNENI, FNDISI, FNSETPM: of older coprocessors, nothing since */
	case 0xe1:
	case 0xe4:
		return true;
	case 0xe2: /* FNCLEX */
		f->fsw &= (uint16_t) ~(0x80ffu);
		return true;
	case 0xe3: /* FNINIT */
		f->fcw = CW_INITIAL;
		f->fsw = 0;
		f->ftwx = 0;
		f->last_opcode = 0;
		f->last_ip = f->last_dp = 0;
		return true;
	case 0xe8 ... 0xef:
	case 0xf0 ... 0xf7:
		x87_compare_to_eflags(cpu, modrm & 7, modrm < 0xf0);
		return true;
	default:
		return false;
	}
}

static bool x87_dd(struct kvm_fpu *f, uint8_t modrm)
{
	unsigned i = modrm & 7;
	switch (modrm >> 3 & 7) {
	case 0: /* FFREE */
		x87_tag(f, i, false);
		return true;
	case 2: /* FST, FSTP */
	case 3:
		x87_put(f, i, x87_get(f, 0));
		break;
	case 4: /* FUCOM, FUCOMP */
	case 5:
		x87_compare(f, x87_get(f, 0), x87_get(f, i), true);
		break;
	default:
		return false;
	}
	if (modrm >> 3 & 1)
		x87_pop(f);
	return true;
}

static bool x87_df(struct finish_cpu *cpu, uint8_t modrm)
{
	if (modrm == 0xe0) { /* FNSTSW AX */
		finish_set(cpu, 0, 2, cpu->fpu.fsw);
		return true;
	}
	if (modrm < 0xe8 || modrm > 0xf7)
		return false;
	x87_compare_to_eflags(cpu, modrm & 7, modrm < 0xf0);
	x87_pop(&cpu->fpu);
	return true;
}

/* dc and de: to ST(i); there the two directions of SUB and DIV have each other's places. */
static bool x87_reverse(struct kvm_fpu *f, uint8_t escape, uint8_t modrm)
{
	unsigned op = modrm >> 3 & 7, i = modrm & 7;
	if (escape == 0xde && modrm == 0xd9) { /* FCOMPP */
		x87_compare(f, x87_get(f, 0), x87_get(f, 1), false);
		x87_pop(f);
		x87_pop(f);
		return true;
	}
	if (op == X87_COM || op == X87_COMP)
		return false;
	if (op >= X87_SUB)
		op ^= 1;
	x87_arithmetic(f, (enum x87_op)op, i, x87_get(f, 0));
	if (escape == 0xde)
		x87_pop(f);
	return true;
}

static bool x87_register(struct finish_cpu *cpu, uint8_t escape, uint8_t modrm)
{
	struct kvm_fpu *f = &cpu->fpu;
	switch (escape) {
	case 0xd8:
		x87_arithmetic(f, (enum x87_op)(modrm >> 3 & 7), 0, x87_get(f, modrm & 7));
		return true;
	case 0xd9:
		return x87_d9(f, modrm);
	case 0xda: /* FUCOMPP */
		if (modrm != 0xe9)
			return false;
		x87_compare(f, x87_get(f, 0), x87_get(f, 1), true);
		x87_pop(f);
		x87_pop(f);
		return true;
	case 0xdb:
		return x87_db(cpu, modrm);
	case 0xdd:
		return x87_dd(f, modrm);
	case 0xdf:
		return x87_df(cpu, modrm);
	default:
		return x87_reverse(f, escape, modrm);
	}
}

bool finish_x87(struct finish_cpu *cpu, struct finish_code *c, uint8_t escape)
{
	uint64_t linear;
	uint8_t modrm;
	if (!finish_byte(c, &modrm))
		return false;
	cpu->has_fpu_changed = true;
	if (modrm >> 6 == 3)
		return x87_register(cpu, escape, modrm);
	return finish_operand(cpu, c, modrm, &linear) &&
	       x87_memory(cpu, escape, modrm >> 3 & 7, linear);
}
