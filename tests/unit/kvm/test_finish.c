/* Instructions that KVM's interpreter may refuse, against what the manual says of them. */
#include "finish.h"
#include "test.h"

#define RAM   0x10000u
#define GDT   0x1000u
#define IDT   0x2000u
#define TSS   0x3000u
#define STACK 0x8000u

#define CODE32 0x08
#define DATA32 0x10
#define CODE3  0x1b
#define DATA3  0x23
#define CODE16 0x28

static uint8_t ram[RAM];

static bool ram_read(void *ctx, uint64_t linear, void *buf, unsigned len)
{
	(void)ctx;
	if (linear > RAM || len > RAM - linear)
		return false;
	memcpy(buf, ram + linear, len);
	return true;
}

static bool ram_write(void *ctx, uint64_t linear, const void *buf, unsigned len)
{
	(void)ctx;
	if (linear > RAM || len > RAM - linear)
		return false;
	memcpy(ram + linear, buf, len);
	return true;
}

static void put(unsigned at, uint32_t value)
{
	memcpy(ram + at, &value, 4);
}

static uint32_t get(unsigned at)
{
	uint32_t value;
	memcpy(&value, ram + at, 4);
	return value;
}

static void descriptor(unsigned selector, uint32_t low, uint32_t high)
{
	put(GDT + (selector & ~7u), low);
	put(GDT + (selector & ~7u) + 4, high);
}

static void gate(unsigned vector, unsigned type, uint16_t selector, uint32_t offset)
{
	put(IDT + vector * 8, (uint32_t)selector << 16 | (offset & 0xffff));
	put(IDT + vector * 8 + 4, (offset & 0xffff0000) | 0x8000 | type << 8);
}

static struct kvm_segment flat(uint16_t selector, unsigned dpl)
{
	return (struct kvm_segment){.limit = ~0u,
				    .selector = selector,
				    .type = 3,
				    .present = 1,
				    .s = 1,
				    .dpl = (uint8_t)dpl,
				    .db = 1,
				    .g = 1};
}

/* Byte by byte: one is a copy of the other. */
static bool is_same(const void *a, const void *b, size_t len)
{
	return memcmp(a, b, len) == 0;
}

/* 32-bit protected mode, flat, at privilege @cpl. */
static struct finish_cpu protected_mode(unsigned cpl)
{
	struct finish_cpu cpu = {.read = ram_read, .write = ram_write};
	memset(ram, 0, sizeof(ram));
	descriptor(CODE32, 0x0000ffff, 0x00cf9a00);
	descriptor(DATA32, 0x0000ffff, 0x00cf9200);
	descriptor(CODE3, 0x0000ffff, 0x00cffa00);
	descriptor(DATA3, 0x0000ffff, 0x00cff200);
	descriptor(CODE16, 0x0000ffff, 0x00009a00);
	cpu.sregs.cr0 = 1;
	cpu.sregs.gdt.base = GDT;
	cpu.sregs.gdt.limit = 0x2f;
	cpu.sregs.idt.base = IDT;
	cpu.sregs.idt.limit = 0x7ff;
	cpu.sregs.ldt.unusable = 1;
	cpu.sregs.tr = (struct kvm_segment){.base = TSS, .limit = 0x67, .type = 0xb, .present = 1};
	put(TSS + 4, STACK);
	put(TSS + 8, DATA32);
	cpu.sregs.cs = flat(cpl ? CODE3 : CODE32, cpl);
	cpu.sregs.cs.type = 0xb;
	cpu.sregs.ss = cpu.sregs.ds = cpu.sregs.es = flat(cpl ? DATA3 : DATA32, cpl);
	cpu.sregs.fs = cpu.sregs.gs = (struct kvm_segment){.unusable = 1};
	cpu.regs.rip = 0x100;
	cpu.regs.rsp = STACK - 0x100;
	cpu.regs.rflags = 0x202;
	cpu.fpu.fcw = 0x37f;
	return cpu;
}

static struct finish_cpu real_mode(void)
{
	struct finish_cpu cpu = protected_mode(0);
	cpu.sregs.cr0 = 0;
	cpu.sregs.cs.db = cpu.sregs.ss.db = 0;
	return cpu;
}

#define RUN(cpu, ...)                                           \
	finish_instruction(cpu, (const uint8_t[]){__VA_ARGS__}, \
			   sizeof((const uint8_t[]){__VA_ARGS__}))
#define IS(name, text)                                         \
	do {                                                   \
		const char *is_name = (name);                  \
		CHECK(is_name &&strcmp(is_name, (text)) == 0); \
	} while (0)

static void test_unknown_bytes_change_nothing(void)
{
	struct finish_cpu cpu = protected_mode(0), before = cpu;
	CHECK(!RUN(&cpu, 0x90));
	CHECK(!RUN(&cpu, 0x0f, 0x0b));
	CHECK(!RUN(&cpu, 0xcd)); /* cut off */
	CHECK(!RUN(&cpu, 0x66, 0x67));
	CHECK(!RUN(&cpu, 0xf0, 0xcf));
	CHECK(!RUN(&cpu, 0xcd, 0x21)); /* no such gate */
	cpu.sregs.efer = 1 << 10;
	CHECK(!RUN(&cpu, 0x9b));
	cpu.sregs.efer = 0;
	CHECK(is_same(&cpu, &before, sizeof(cpu)));
}

static void test_int_and_iret_at_the_same_privilege(void)
{
	struct finish_cpu cpu = protected_mode(0);
	gate(0x21, 0x0e, CODE32, 0x12345678);
	IS(RUN(&cpu, 0xcd, 0x21), "INT");
	CHECK_EQ(cpu.regs.rip, 0x12345678);
	CHECK_EQ(cpu.regs.rsp, STACK - 0x10c);
	CHECK_EQ(get(STACK - 0x104), 0x202);
	CHECK_EQ(get(STACK - 0x108), CODE32);
	CHECK_EQ(get(STACK - 0x10c), 0x102);
	CHECK_EQ(cpu.regs.rflags, 2);
	IS(RUN(&cpu, 0xcf), "IRET");
	CHECK_EQ(cpu.regs.rip, 0x102);
	CHECK_EQ(cpu.regs.rsp, STACK - 0x100);
	CHECK_EQ(cpu.regs.rflags, 0x202);
	CHECK_EQ(cpu.sregs.cs.selector, CODE32);
	/* A trap gate leaves interrupts on. */
	gate(0x21, 0x0f, CODE32, 0x500);
	IS(RUN(&cpu, 0xcd, 0x21), "INT");
	CHECK_EQ(cpu.regs.rflags, 0x202);
}

static void test_int_to_the_inner_ring_and_back(void)
{
	struct finish_cpu cpu = protected_mode(3);
	gate(0x80, 0x0e, CODE32, 0x500);
	CHECK(!RUN(&cpu, 0xcd, 0x80)); /* the gate is for ring 0 */
	gate(0x80, 0x6e, CODE32, 0x500);
	IS(RUN(&cpu, 0xcd, 0x80), "INT");
	CHECK_EQ(cpu.sregs.cs.selector, CODE32);
	CHECK_EQ(cpu.sregs.cs.dpl, 0);
	CHECK_EQ(cpu.sregs.ss.selector, DATA32);
	CHECK_EQ(cpu.regs.rsp, STACK - 20);
	CHECK_EQ(get(STACK - 4), DATA3);
	CHECK_EQ(get(STACK - 8), STACK - 0x100);
	cpu.sregs.ds = flat(DATA32, 0);
	IS(RUN(&cpu, 0xcf), "IRET");
	CHECK_EQ(cpu.sregs.cs.selector, CODE3);
	CHECK_EQ(cpu.sregs.ss.selector, DATA3);
	CHECK_EQ(cpu.sregs.ss.dpl, 3);
	CHECK_EQ(cpu.regs.rsp, STACK - 0x100);
	CHECK(cpu.sregs.ds.unusable);
	CHECK(!cpu.sregs.es.unusable);
	CHECK_EQ(cpu.regs.rip, 0x102);
}

static void test_iret_keeps_what_its_privilege_may_not_change(void)
{
	struct finish_cpu cpu = protected_mode(3);
	cpu.regs.rsp = 0x7000;
	put(0x7000, 0x200);
	put(0x7004, CODE3);
	put(0x7008, 0x3002 | 0x40);
	IS(RUN(&cpu, 0xcf), "IRET");
	CHECK_EQ(cpu.regs.rflags, 0x242); /* neither IOPL nor IF */
	/* To an inner ring, to a data segment, to another task: never. */
	struct finish_cpu before = cpu;
	cpu.regs.rsp = 0x7000;
	put(0x7004, CODE32);
	CHECK(!RUN(&cpu, 0xcf));
	put(0x7004, DATA3);
	CHECK(!RUN(&cpu, 0xcf));
	put(0x7004, CODE3);
	cpu.regs.rflags |= 0x4000;
	CHECK(!RUN(&cpu, 0xcf));
	CHECK_EQ(cpu.regs.rip, before.regs.rip);
}

static void test_sixteen_bit_forms(void)
{
	struct finish_cpu cpu = protected_mode(0);
	gate(5, 0x06, CODE16, 0xffff0300);
	cpu.regs.rip = 0x12340100;
	IS(RUN(&cpu, 0xcd, 0x05), "INT");
	CHECK_EQ(cpu.regs.rip, 0x300);
	CHECK_EQ(cpu.regs.rsp, STACK - 0x106);
	CHECK(!cpu.sregs.cs.db);
	cpu.sregs.ss.db = 0;
	cpu.regs.rsp = 0xabcd7ffe; /* a 16-bit stack wraps within 64 KiB, high bits kept */
	put(0x7ffe, CODE32 << 16 | 0x0123);
	put(0x8002, 0x0246);
	IS(RUN(&cpu, 0xcf), "IRET");
	CHECK_EQ(cpu.regs.rsp, 0xabcd8004);
	CHECK_EQ(cpu.regs.rip, 0x123);
	CHECK_EQ(cpu.regs.rflags, 0x246);
}

static void test_the_inner_stack_is_within_the_tasks_segment(void)
{
	struct finish_cpu cpu = protected_mode(3);
	gate(0x21, 0x6e, CODE32, 0x500);
	cpu.sregs.tr.limit = 8; /* half of SS0 */
	CHECK(!RUN(&cpu, 0xcd, 0x21));
	cpu.sregs.tr.limit = 9;
	IS(RUN(&cpu, 0xcd, 0x21), "INT");
	CHECK_EQ(cpu.regs.rsp, STACK - 20);
}

static void test_hostile_tables_are_refused(void)
{
	struct finish_cpu cpu = protected_mode(0);
	gate(0x21, 0x0e, 0x78, 0x500); /* beyond the GDT */
	CHECK(!RUN(&cpu, 0xcd, 0x21));
	gate(0x21, 0x0e, DATA32, 0x500);
	CHECK(!RUN(&cpu, 0xcd, 0x21));
	gate(0x21, 0x05, CODE32, 0x500); /* a task gate */
	CHECK(!RUN(&cpu, 0xcd, 0x21));
	gate(0x21, 0x0e, CODE32, 0x500);
	cpu.regs.rsp = 0xfffffff0; /* no memory there */
	CHECK(!RUN(&cpu, 0xcd, 0x21));
	CHECK_EQ(cpu.regs.rsp, 0xfffffff0);
	cpu.regs.rsp = STACK;
	cpu.sregs.idt.limit = 0x21 * 8 + 6;
	CHECK(!RUN(&cpu, 0xcd, 0x21));
	cpu.sregs.idt.base = 0xfffffff8;
	cpu.sregs.idt.limit = 0xffff;
	CHECK(!RUN(&cpu, 0xcd, 0xff));
}

static void test_decimal_adjustments(void)
{
	struct finish_cpu cpu = real_mode();
	cpu.regs.rax = 0x12ae; /* 79h + 35h */
	cpu.regs.rflags = 2;
	IS(RUN(&cpu, 0x27), "DAA");
	CHECK_EQ(cpu.regs.rax, 0x1214);
	CHECK_EQ(cpu.regs.rflags & 0x11, 0x11);
	CHECK_EQ(cpu.regs.rip, 0x101);
	cpu.regs.rax = 0x2e; /* 35h + 79h without tens carried: 2eh -> 34h */
	cpu.regs.rflags = 2;
	RUN(&cpu, 0x27);
	CHECK_EQ(cpu.regs.rax, 0x34);
	CHECK_EQ(cpu.regs.rflags & 1, 0);
	cpu.regs.rax = 0xee; /* 35h - 47h, with borrows */
	cpu.regs.rflags = 2 | 0x11;
	IS(RUN(&cpu, 0x2f), "DAS");
	CHECK_EQ(cpu.regs.rax, 0x88);
	CHECK_EQ(cpu.regs.rflags & 0x11, 0x11);
	cpu.regs.rax = 0x010b;
	cpu.regs.rflags = 2;
	IS(RUN(&cpu, 0x37), "AAA");
	CHECK_EQ(cpu.regs.rax, 0x0201);
	IS(RUN(&cpu, 0x3f), "AAS"); /* AF is still set */
	CHECK_EQ(cpu.regs.rax, 0x0b);
}

static void test_verify_looks_at_rights(void)
{
	struct finish_cpu cpu = protected_mode(3);
	cpu.regs.rax = DATA3;
	IS(RUN(&cpu, 0x0f, 0x00, 0xe0), "VERR");
	CHECK_EQ(cpu.regs.rflags & 0x40, 0x40);
	IS(RUN(&cpu, 0x0f, 0x00, 0xe8), "VERW");
	CHECK_EQ(cpu.regs.rflags & 0x40, 0x40);
	cpu.regs.rax = CODE3;
	RUN(&cpu, 0x0f, 0x00, 0xe8);
	CHECK_EQ(cpu.regs.rflags & 0x40, 0);
	cpu.regs.rax = DATA32;
	RUN(&cpu, 0x0f, 0x00, 0xe0);
	CHECK_EQ(cpu.regs.rflags & 0x40, 0);
	/* Conforming code runs with its caller's privilege, whatever its own. */
	cpu.sregs.cs.dpl = 0;
	RUN(&cpu, 0x0f, 0x00, 0xe0);
	CHECK_EQ(cpu.regs.rflags & 0x40, 0);
	/* From memory: [ebp + 8] */
	cpu.regs.rbp = 0x4000;
	put(0x4008, CODE3);
	RUN(&cpu, 0x0f, 0x00, 0x65, 0x08);
	CHECK_EQ(cpu.regs.rflags & 0x40, 0x40);
	CHECK_EQ(cpu.regs.rip, 0x113);
}

static void test_random_numbers_and_nothings(void)
{
	struct finish_cpu cpu = protected_mode(0);
	unsigned distinct = 0;
	uint32_t last = 0;
	for (unsigned i = 0; i < 8; i++) {
		IS(RUN(&cpu, 0x0f, 0xc7, 0xf2), "RDRAND");
		distinct += (uint32_t)cpu.regs.rdx != last;
		last = (uint32_t)cpu.regs.rdx;
		CHECK_EQ(cpu.regs.rflags & 0x8d5, 1);
	}
	CHECK(distinct >= 7);
	cpu.regs.rip = 0;
	IS(RUN(&cpu, 0xf3, 0x0f, 0x1e, 0xc8), "RDSSP");
	IS(RUN(&cpu, 0x9b), "FWAIT");
	CHECK_EQ(cpu.regs.rip, 5);
	cpu.sregs.cr0 |= 0xa; /* MP and TS: a task has yet to get its FPU */
	CHECK(!RUN(&cpu, 0x9b));
	CHECK(!RUN(&cpu, 0xd9, 0xe8));
}

static void put_double(unsigned at, double value)
{
	memcpy(ram + at, &value, 8);
}

static double get_double(unsigned at)
{
	double value;
	memcpy(&value, ram + at, 8);
	return value;
}

static void test_x87_arithmetic_through_memory(void)
{
	struct finish_cpu cpu = protected_mode(0);
	IS(RUN(&cpu, 0xdb, 0xe3), "x87"); /* FNINIT */
	put_double(0x4000, 10);
	put_double(0x4008, 4);
	put(0x4010, (uint32_t)-3);
	IS(RUN(&cpu, 0xdd, 0x05, 0x00, 0x40, 0, 0), "x87"); /* FLD [4000] */
	CHECK_EQ(cpu.fpu.fsw >> 11 & 7, 7);
	CHECK_EQ(cpu.fpu.ftwx, 0x80);
	RUN(&cpu, 0xdc, 0x25, 0x08, 0x40, 0, 0); /* FSUB m64: 6 */
	RUN(&cpu, 0xda, 0x0d, 0x10, 0x40, 0, 0); /* FIMUL m32: -18 */
	RUN(&cpu, 0xdc, 0x3d, 0x00, 0x40, 0, 0); /* FDIVR m64: 10 / -18 */
	RUN(&cpu, 0xdd, 0x1d, 0x18, 0x40, 0, 0); /* FSTP m64 */
	CHECK(get_double(0x4018) == 10.0 / -18.0);
	CHECK_EQ(cpu.fpu.ftwx, 0);
	CHECK_EQ(cpu.regs.rip, 0x100 + 2 + 5 * 6);
	CHECK_EQ(cpu.fpu.fsw & 0x20, 0x20); /* inexact */
}

static void test_x87_register_forms(void)
{
	struct finish_cpu cpu = protected_mode(0);
	RUN(&cpu, 0xdb, 0xe3);
	RUN(&cpu, 0xd9, 0xe8); /* 1 */
	RUN(&cpu, 0xd9, 0xee); /* 0, 1 */
	RUN(&cpu, 0xd9, 0xeb); /* pi, 0, 1 */
	RUN(&cpu, 0xd9, 0xca); /* FXCH ST(2): 1, 0, pi */
	RUN(&cpu, 0xdc, 0xea); /* FSUB ST(2), ST: 1, 0, pi - 1 */
	RUN(&cpu, 0xde, 0xc2); /* FADDP ST(2), ST: 0, pi */
	RUN(&cpu, 0xd8, 0xd1); /* FCOM ST(1): 0 < pi */
	RUN(&cpu, 0xdf, 0xe0); /* FNSTSW AX */
	CHECK_EQ(cpu.regs.rax & 0x4500, 0x0100);
	RUN(&cpu, 0xdb, 0xf1); /* FCOMI */
	CHECK_EQ(cpu.regs.rflags & 0x45, 0x01);
	RUN(&cpu, 0xdd, 0xd8); /* FSTP ST: pi */
	RUN(&cpu, 0xdd, 0x1d, 0x00, 0x40, 0, 0);
	CHECK(get_double(0x4000) == 3.14159265358979323846);
	CHECK_EQ(cpu.fpu.ftwx, 0);
}

static void test_x87_rounds_as_it_is_told(void)
{
	struct finish_cpu cpu = protected_mode(0);
	static const struct {
		uint16_t cw;
		int32_t want;
	} modes[] = {{0x037f, -2}, {0x077f, -3}, {0x0b7f, -2}, {0x0f7f, -2}};
	for (unsigned i = 0; i < 4; i++) {
		RUN(&cpu, 0xdb, 0xe3);
		memcpy(ram + 0x4100, &modes[i].cw, 2);
		RUN(&cpu, 0xd9, 0x2d, 0x00, 0x41, 0, 0); /* FLDCW */
		put_double(0x4000, -2.25);
		RUN(&cpu, 0xdd, 0x05, 0x00, 0x40, 0, 0);
		RUN(&cpu, 0xdb, 0x1d, 0x08, 0x40, 0, 0); /* FISTP m32 */
		CHECK_EQ((int32_t)get(0x4008), modes[i].want);
	}
	RUN(&cpu, 0xd9, 0x3d, 0x00, 0x42, 0, 0); /* FNSTCW */
	CHECK_EQ(get(0x4200) & 0xffff, 0x0f7f);
}

static void test_x87_stack_faults_are_masked(void)
{
	struct finish_cpu cpu = protected_mode(0);
	RUN(&cpu, 0xdb, 0xe3);
	RUN(&cpu, 0xdd, 0x1d, 0x00, 0x40, 0, 0);
	CHECK(get_double(0x4000) != get_double(0x4000));
	CHECK_EQ(cpu.fpu.fsw & 0x41, 0x41);
	RUN(&cpu, 0xdb, 0xe3);
	for (unsigned i = 0; i < 8; i++)
		RUN(&cpu, 0xd9, 0xe8);
	CHECK_EQ(cpu.fpu.fsw & 0x41, 0);
	RUN(&cpu, 0xd9, 0xe8);
	CHECK_EQ(cpu.fpu.fsw & 0x241, 0x241);
	/* No memory there: as if it had not been tried. */
	struct finish_cpu before = cpu;
	CHECK(!RUN(&cpu, 0xdd, 0x1d, 0, 0, 0, 0xf0));
	CHECK(is_same(&cpu, &before, sizeof(cpu)));
	CHECK(!RUN(&cpu, 0xd9, 0xfe)); /* FSIN */
}

static void test_operands_in_sixteen_bit_code(void)
{
	struct finish_cpu cpu = real_mode();
	cpu.sregs.ds.base = 0x4000;
	cpu.regs.rbx = 0xfff0;
	cpu.regs.rsi = 0x20;
	put_double(0x4018, 7);
	RUN(&cpu, 0xdb, 0xe3);
	IS(RUN(&cpu, 0xdd, 0x40, 0x08), "x87");		    /* FLD [bx + si + 8]: wraps to 18h */
	IS(RUN(&cpu, 0x26, 0xdd, 0x1e, 0x00, 0x50), "x87"); /* FSTP es:[5000] */
	CHECK(get_double(0x5000) == 7);
	CHECK_EQ(cpu.regs.rip, 0x100 + 2 + 3 + 5);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_unknown_bytes_change_nothing),
		TEST_CASE(test_int_and_iret_at_the_same_privilege),
		TEST_CASE(test_int_to_the_inner_ring_and_back),
		TEST_CASE(test_iret_keeps_what_its_privilege_may_not_change),
		TEST_CASE(test_sixteen_bit_forms),
		TEST_CASE(test_the_inner_stack_is_within_the_tasks_segment),
		TEST_CASE(test_hostile_tables_are_refused),
		TEST_CASE(test_decimal_adjustments),
		TEST_CASE(test_verify_looks_at_rights),
		TEST_CASE(test_random_numbers_and_nothings),
		TEST_CASE(test_x87_arithmetic_through_memory),
		TEST_CASE(test_x87_register_forms),
		TEST_CASE(test_x87_rounds_as_it_is_told),
		TEST_CASE(test_x87_stack_faults_are_masked),
		TEST_CASE(test_operands_in_sixteen_bit_code),
	};
	return TEST_RUN(cases);
}
