/*
 * src/kvm against a real /dev/kvm (the host's own, whatever it is): entry states, exits, the pause
 * barrier, interrupts, doorbells. The guests are a few instructions each, copied from this file.
 * Nothing here needs an instruction that a CPL0 interpreter may lack.
 */
#include "test.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <tinyvm/bus.h>
#include <tinyvm/device.h>
#include <tinyvm/err.h>
#include <tinyvm/gmem.h>
#include <tinyvm/kvm.h>
#include <tinyvm/log.h>
#include <unistd.h>

#define RAM_SIZE (16u << 20)
#define CODE	 0x10000u
#define PML4	 0x1000u
#define GDT	 0x8000u
#define IDT	 0x9000u
#define STACK	 0x20000u

#define PORT	0x10u	    /* the test device's ports: 0x10-0x1f */
#define MMIO	0xd0000000u /* and its page */
#define LAPIC	0xfee00000u
#define VECTOR	0x40u
#define MAX_LOG 64

/* The guests. Each ends with a byte written to port 0x1f. */
__asm__(".pushsection .rodata\n"
	".macro guest name\n"
	".globl guest_\\name, guest_\\name\\()_end\n"
	"guest_\\name:\n"
	".endm\n"
	".macro done name\n"
	"	mov $0x1f, %dx\n"
	"	out %al, %dx\n"
	"1:	hlt\n"
	"	jmp 1b\n"
	"guest_\\name\\()_end:\n"
	".endm\n"

	"guest long\n"
	"	mov $0x10, %dx\n"
	"	mov %rsi, %rax\n"
	"	shr $32, %rax\n"
	"	out %eax, %dx\n"
	"	mov %rsp, %rax\n"
	"	out %eax, %dx\n"
	"	done long\n"

	".code32\n"
	"guest protected\n"
	"	mov $0x10, %dx\n"
	"	mov %esi, %eax\n"
	"	out %eax, %dx\n"
	"	mov %cr0, %eax\n"
	"	and $0x80000001, %eax\n"
	"	out %eax, %dx\n"
	"	done protected\n"
	".code64\n"

	/* What a processor does first after power-on, from the ROM at its reset vector. */
	".code16\n"
	"guest real\n"
	"	mov $0xb800, %ax\n"
	"	mov %ax, %ds\n"
	"	movb $0x41, 0\n"
	"	mov $0xf000, %ax\n"
	"	mov %ax, %ds\n"
	"	movb $0x42, 0x10\n"
	"	mov $0x10, %dx\n"
	"	mov 0x10, %al\n"
	"	out %al, %dx\n"
	"	done real\n"
	".code64\n"

	/* Every size each way; what was read is written back. */
	"guest sizes\n"
	"	mov $0x10, %dx\n"
	"	in %dx, %al\n"
	"	out %al, %dx\n"
	"	in %dx, %ax\n"
	"	out %ax, %dx\n"
	"	in %dx, %eax\n"
	"	out %eax, %dx\n"
	"	mov $0xd0000000, %ebx\n"
	"	mov (%rbx), %al\n"
	"	mov %al, 8(%rbx)\n"
	"	mov (%rbx), %ax\n"
	"	mov %ax, 8(%rbx)\n"
	"	mov (%rbx), %eax\n"
	"	mov %eax, 8(%rbx)\n"
	"	mov (%rbx), %rax\n"
	"	mov %rax, 8(%rbx)\n"
	"	mov $0xffffffff, %ecx\n"
	"	mov $0x4000, %dx\n" /* nobody */
	"	in %dx, %eax\n"
	"	cmp %ecx, %eax\n"
	"	jne 2f\n"
	"	mov 0x1000(%rbx), %eax\n"
	"	cmp %ecx, %eax\n"
	"	jne 2f\n"
	"	mov $1, %al\n"
	"	jmp 3f\n"
	"2:	xor %al, %al\n"
	"3:	done sizes\n"

	"guest strings\n"
	"	cld\n"
	"	mov $0x10, %dx\n"
	"	mov $0x30000, %edi\n"
	"	mov $5, %ecx\n"
	"	rep insw\n"
	"	mov $0x30000, %esi\n"
	"	mov $5, %ecx\n"
	"	rep outsw\n"
	"	done strings\n"

	"guest fault\n"
	"	ud2\n"
	"guest_fault_end:\n"

	/* Counts, and tells the device. */
	"guest count\n"
	"	mov $0x10, %dx\n"
	"1:	inc %ebx\n"
	"	mov %ebx, %eax\n"
	"	out %eax, %dx\n"
	"	jmp 1b\n"
	"guest_count_end:\n"

	/* Reads a port into RAX and MMIO into RCX, for ever. */
	"guest reads\n"
	"	mov $0x10, %dx\n"
	"	mov $0xd0000000, %esi\n"
	"1:	in %dx, %eax\n"
	"	mov (%rsi), %ecx\n"
	"	jmp 1b\n"
	"guest_reads_end:\n"

	/* LAPIC on, then one byte per interrupt, from the handler. */
	"guest irq\n"
	"	mov $0xfee00000, %ebx\n"
	"	movl $0x1ff, 0xf0(%rbx)\n"
	"	mov $0x9000, %edi\n"
	"	lidt (%rdi)\n"
	"	mov $0x1e, %dx\n"
	"	out %al, %dx\n"
	"	sti\n"
	"1:	hlt\n"
	"	jmp 1b\n"
	".globl guest_irq_handler\n"
	"guest_irq_handler:\n"
	"	mov $0x10, %dx\n"
	"	mov $0x77, %al\n"
	"	out %al, %dx\n"
	"	movl $0, 0xb0(%rbx)\n"
	"	iretq\n"
	"guest_irq_end:\n"

	"guest bell\n"
	"	mov $0xd0000000, %ebx\n"
	"	movl $7, 0x100(%rbx)\n" /* any size */
	"	movw $7, 0x100(%rbx)\n"
	"	movl $4, 0x200(%rbx)\n" /* another value: an exit */
	"	movl $5, 0x200(%rbx)\n"
	"	done bell\n"
	".popsection\n");

#define GUEST(name) extern const uint8_t guest_##name[], guest_##name##_end[]
GUEST(long);
GUEST(protected);
GUEST(real);
GUEST(sizes);
GUEST(strings);
GUEST(fault);
GUEST(count);
GUEST(reads);
GUEST(irq);
GUEST(bell);
extern const uint8_t guest_irq_handler[];

/* One access as the test device saw it. */
struct access {
	uint64_t addr;
	unsigned size;
	uint64_t value;
};

/* A VM, and a device that writes down what it is told. */
struct rig {
	struct device dev;
	struct gmem *gm;
	struct bus *pio, *mmio;
	struct kvm_vm *vm;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct access log[MAX_LOG];
	unsigned log_count;
	uint64_t reads, last_port, last_mmio; /* what the guest has read */
	bool is_done, is_ready, is_ended, is_inside;
	uint8_t done_value;
	enum kvm_end end;
	char sentence[300];
	char dump[8192];
};

static void rig_note(struct rig *rig, uint64_t addr, unsigned size, uint64_t value)
{
	if (rig->log_count < MAX_LOG)
		rig->log[rig->log_count++] = (struct access){addr, size, value};
}

/* Every read gives another number; the last one is kept. */
static uint64_t rig_read(struct rig *rig, unsigned size, uint64_t *last)
{
	__atomic_store_n(&rig->is_inside, true, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&rig->lock);
	rig->reads++;
	*last = 0x8877665544332211ULL * rig->reads & (size == 8 ? ~0ULL : (1ULL << size * 8) - 1);
	pthread_cond_broadcast(&rig->changed);
	pthread_mutex_unlock(&rig->lock);
	__atomic_store_n(&rig->is_inside, false, __ATOMIC_SEQ_CST);
	return *last;
}

static uint64_t rig_read_port(void *ctx, uint64_t off, unsigned size)
{
	struct rig *rig = ctx;
	(void)off;
	return rig_read(rig, size, &rig->last_port);
}

static uint64_t rig_read_mmio(void *ctx, uint64_t off, unsigned size)
{
	struct rig *rig = ctx;
	(void)off;
	return rig_read(rig, size, &rig->last_mmio);
}

static void rig_write_port(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct rig *rig = ctx;
	__atomic_store_n(&rig->is_inside, true, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&rig->lock);
	if (off == 0xf) {
		rig->is_done = true;
		rig->done_value = (uint8_t)value;
	} else if (off == 0xe) {
		rig->is_ready = true;
	} else {
		rig_note(rig, PORT + off, size, value);
	}
	pthread_cond_broadcast(&rig->changed);
	pthread_mutex_unlock(&rig->lock);
	__atomic_store_n(&rig->is_inside, false, __ATOMIC_SEQ_CST);
}

static void rig_write_mmio(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	rig_note(ctx, MMIO + off, size, value);
}

static void rig_ended(void *ctx, enum kvm_end end, const char *sentence)
{
	struct rig *rig = ctx;
	pthread_mutex_lock(&rig->lock);
	rig->is_ended = true;
	rig->end = end;
	snprintf(rig->sentence, sizeof(rig->sentence), "%s", sentence);
	pthread_cond_broadcast(&rig->changed);
	pthread_mutex_unlock(&rig->lock);
}

static const struct bus_ops rig_port_ops = {BUS_SIZE_1 | BUS_SIZE_2 | BUS_SIZE_4, rig_read_port,
					    rig_write_port};
static const struct bus_ops rig_mmio_ops = {BUS_SIZE_ANY, rig_read_mmio, rig_write_mmio};
static const struct device_ops rig_device_ops = {.type = "rig"};

static bool rig_store64(struct rig *rig, gpa_t gpa, uint64_t value)
{
	return gmem_write(rig->gm, gpa, &value, sizeof(value)) == 0;
}

/* Page tables for the first 4 GiB (2 MiB pages), and the boot protocol's GDT. */
static bool rig_write_tables(struct rig *rig)
{
	bool is_ok = rig_store64(rig, PML4, (PML4 + 0x1000) | 3);
	for (unsigned i = 0; i < 4; i++)
		is_ok &= rig_store64(rig, PML4 + 0x1000 + i * 8, (PML4 + 0x2000 + i * 0x1000) | 3);
	for (unsigned i = 0; i < 2048; i++)
		is_ok &= rig_store64(rig, PML4 + 0x2000 + i * 8, (uint64_t)i << 21 | 0x83);
	is_ok &= rig_store64(rig, GDT + 0x10, 0x00af9b000000ffff);
	is_ok &= rig_store64(rig, GDT + 0x18, 0x00cf93000000ffff);
	return is_ok;
}

#define TEXT	  0xb8000u
#define TEXT_SIZE 0x8000u
#define ROM	  0xf0000u
#define ROM_SIZE  0x10000u

/* @rom: NULL, or ROM_SIZE bytes for a machine with a PC's first megabyte. */
static bool rig_open_with(struct rig *rig, unsigned cpus, const uint8_t *rom)
{
	memset(rig, 0, sizeof(*rig));
	device_init(&rig->dev, &rig_device_ops, "rig");
	pthread_mutex_init(&rig->lock, NULL);
	pthread_cond_init(&rig->changed, NULL);
	struct err err = {0};
	bool is_ok =
		gmem_create(&rig->gm, RAM_SIZE) == 0 && bus_create(&rig->pio, "pio") == 0 &&
		bus_create(&rig->mmio, "mmio") == 0 &&
		bus_add(rig->pio, PORT, PORT + 15, &rig_port_ops, rig, &rig->dev, &err) == 0 &&
		bus_add(rig->mmio, MMIO, MMIO + 0xfff, &rig_mmio_ops, rig, &rig->dev, &err) == 0;
	struct kvm_config cfg = {.gm = rig->gm,
				 .cpus = cpus,
				 .pio = rig->pio,
				 .mmio = rig->mmio,
				 .ended = rig_ended,
				 .ctx = rig};
	if (rom) {
		cfg.piece[cfg.piece_count++] = (struct kvm_piece){0xa0000, 0x18000, KVM_PIECE_BUS};
		cfg.piece[cfg.piece_count++] =
			(struct kvm_piece){TEXT, TEXT_SIZE, KVM_PIECE_SWITCHED};
		cfg.piece[cfg.piece_count++] = (struct kvm_piece){ROM, ROM_SIZE, KVM_PIECE_ROM};
		cfg.rom = (struct kvm_rom){-(gpa_t)ROM_SIZE & 0xffffffff, ROM_SIZE, rom};
		is_ok = is_ok && gmem_write(rig->gm, ROM, rom, ROM_SIZE) == 0 &&
			bus_add(rig->mmio, TEXT, TEXT + TEXT_SIZE - 1, &rig_mmio_ops, rig,
				&rig->dev, &err) == 0 &&
			bus_add(rig->mmio, ROM, ROM + ROM_SIZE - 1, &rig_mmio_ops, rig, &rig->dev,
				&err) == 0;
	}
	if (is_ok && kvm_vm_create(&rig->vm, &cfg, &err) == 0 && rig_write_tables(rig))
		return true;
	fprintf(stderr, "no VM: %s\n", err.msg);
	return false;
}

static bool rig_open(struct rig *rig, unsigned cpus)
{
	return rig_open_with(rig, cpus, NULL);
}

static void rig_close(struct rig *rig)
{
	kvm_vm_destroy(rig->vm);
	bus_destroy(rig->pio);
	bus_destroy(rig->mmio);
	gmem_destroy(rig->gm);
	pthread_cond_destroy(&rig->changed);
	pthread_mutex_destroy(&rig->lock);
}

static bool rig_start(struct rig *rig, const uint8_t *code, const uint8_t *end, bool is_long)
{
	struct boot_entry entry = {
		.is_long_mode = is_long,
		.rip = CODE,
		.rsi = is_long ? 0x123456789abcdef0ULL : 0x9abcdef0ULL,
		.rsp = STACK,
		.cr3 = PML4,
		.gdt = GDT,
		.gdt_limit = 0x1f,
	};
	struct err err = {0};
	if (gmem_write(rig->gm, CODE, code, (size_t)(end - code)) == 0 &&
	    kvm_vm_set_entry(rig->vm, &entry, &err) == 0 && kvm_vm_start(rig->vm, &err) == 0)
		return true;
	fprintf(stderr, "no start: %s\n", err.msg);
	return false;
}
#define RIG_START(rig, name, is_long) rig_start(rig, guest_##name, guest_##name##_end, is_long)

/* Waits until *@flag, or the VM ended. Return: *@flag. */
static bool rig_wait(struct rig *rig, const bool *flag)
{
	pthread_mutex_lock(&rig->lock);
	while (!*flag && !rig->is_ended)
		pthread_cond_wait(&rig->changed, &rig->lock);
	bool is_set = *flag;
	pthread_mutex_unlock(&rig->lock);
	if (!is_set)
		fprintf(stderr, "the guest ended: %s\n", rig->sentence);
	return is_set;
}

static bool rig_wait_log(struct rig *rig, unsigned count)
{
	pthread_mutex_lock(&rig->lock);
	while (rig->log_count < count && !rig->is_ended)
		pthread_cond_wait(&rig->changed, &rig->lock);
	bool is_there = rig->log_count >= count;
	pthread_mutex_unlock(&rig->lock);
	return is_there;
}

/* Waits until the guest has read @count times. */
static bool rig_wait_reads(struct rig *rig, uint64_t count)
{
	pthread_mutex_lock(&rig->lock);
	while (rig->reads < count && !rig->is_ended)
		pthread_cond_wait(&rig->changed, &rig->lock);
	bool is_there = rig->reads >= count;
	pthread_mutex_unlock(&rig->lock);
	return is_there;
}

static void rig_dump_line(void *arg, const char *text)
{
	struct rig *rig = arg;
	size_t len = strlen(rig->dump);
	snprintf(rig->dump + len, sizeof(rig->dump) - len, "%s\n", text);
}

static uint64_t rig_dump_value(struct rig *rig, const char *name)
{
	const char *at = strstr(rig->dump, name);
	return at ? strtoull(at + strlen(name), NULL, 16) : ~0ULL;
}

static void test_long_mode_entry_has_rsi_and_rsp(void)
{
	struct rig rig;
	CHECK(rig_open(&rig, 1));
	CHECK(RIG_START(&rig, long, true));
	CHECK(rig_wait(&rig, &rig.is_done));
	CHECK_EQ(rig.log_count, 2);
	CHECK_EQ(rig.log[0].value, 0x12345678);
	CHECK_EQ(rig.log[1].value, STACK);
	rig_close(&rig);
}

static void test_protected_mode_entry_has_no_paging(void)
{
	struct rig rig;
	CHECK(rig_open(&rig, 1));
	CHECK(RIG_START(&rig, protected, false));
	CHECK(rig_wait(&rig, &rig.is_done));
	CHECK_EQ(rig.log[0].value, 0x9abcdef0);
	CHECK_EQ(rig.log[1].value, 1);
	rig_close(&rig);
}

/* Stores to the window go to the bus or to memory; the ROM keeps what it has. */
static void real_mode_run(uint8_t *rom, bool is_text_ram)
{
	struct rig rig;
	struct err err;
	uint8_t text = 0;
	CHECK(rig_open_with(&rig, 1, rom));
	kvm_vm_switch(rig.vm, is_text_ram);
	CHECK_EQ(kvm_vm_start(rig.vm, &err), 0);
	CHECK(rig_wait(&rig, &rig.is_done));
	kvm_vm_stop(rig.vm);
	unsigned n = 0;
	CHECK_EQ(rig.log_count, is_text_ram ? 2 : 3);
	if (!is_text_ram)
		CHECK_EQ(rig.log[n++].value, 0x41);
	CHECK_EQ(rig.log[n].addr, MMIO + 0x10);
	CHECK_EQ(rig.log[n++].value, 0x42);
	CHECK_EQ(rig.log[n].value, 0x77); /* what the ROM has there */
	CHECK_EQ(gmem_read(rig.gm, TEXT, &text, 1), 0);
	CHECK_EQ(text, is_text_ram ? 0x41 : 0);
	rig_close(&rig);
}

static void test_reset_vector_rom_and_switched_window(void)
{
	/* A far jump to the guest's code, at F000:0100 of the ROM. */
	static const uint8_t jump[] = {0xea, 0x00, 0x01, 0x00, 0xf0};
	uint8_t *rom = aligned_alloc(4096, ROM_SIZE);
	CHECK(rom);
	memset(rom, 0x77, ROM_SIZE);
	memcpy(rom + 0x100, guest_real, (size_t)(guest_real_end - guest_real));
	memcpy(rom + ROM_SIZE - 16, jump, sizeof(jump));
	real_mode_run(rom, false);
	real_mode_run(rom, true);
	free(rom);
}

static void test_port_and_mmio_accesses_of_every_size(void)
{
	static const struct access want[] = {
		{PORT, 1, 0},	  {PORT, 2, 0},	    {PORT, 4, 0},     {MMIO + 8, 1, 0},
		{MMIO + 8, 2, 0}, {MMIO + 8, 4, 0}, {MMIO + 8, 8, 0},
	};
	struct rig rig;
	CHECK(rig_open(&rig, 1));
	CHECK(RIG_START(&rig, sizes, true));
	CHECK(rig_wait(&rig, &rig.is_done));
	CHECK_EQ(rig.done_value, 1);
	CHECK_EQ(rig.log_count, 7);
	for (unsigned i = 0; i < 7; i++) {
		unsigned size = want[i].size;
		uint64_t value = 0x8877665544332211ULL * (i + 1);
		CHECK_EQ(rig.log[i].addr, want[i].addr);
		CHECK_EQ(rig.log[i].size, size);
		CHECK_EQ(rig.log[i].value, size == 8 ? value : value & ((1ULL << size * 8) - 1));
	}
	rig_close(&rig);
}

static void test_string_io_transfers_every_item(void)
{
	struct rig rig;
	CHECK(rig_open(&rig, 1));
	CHECK(RIG_START(&rig, strings, true));
	CHECK(rig_wait(&rig, &rig.is_done));
	CHECK_EQ(rig.log_count, 5);
	for (unsigned i = 0; i < 5; i++) {
		CHECK_EQ(rig.log[i].size, 2);
		CHECK_EQ(rig.log[i].value, 0x2211 * (i + 1) & 0xffff);
	}
	rig_close(&rig);
}

static void test_fault_without_idt_is_a_triple_fault(void)
{
	struct rig rig;
	CHECK(rig_open(&rig, 2));
	CHECK(RIG_START(&rig, fault, true));
	CHECK(!rig_wait(&rig, &rig.is_done));
	CHECK_EQ(rig.end, KVM_END_TRIPLE_FAULT);
	CHECK(strstr(rig.sentence, "vCPU 0 stopped with a triple fault"));
	kvm_vm_pause(rig.vm); /* counts the ended vCPU as held */
	kvm_vm_dump(rig.vm, -1, rig_dump_line, &rig);
	/* AMD processors lose the state; then the sentence has no RIP either. */
	bool has_rip = strstr(rig.sentence, "at RIP 0x10000") != NULL;
	CHECK_EQ(strstr(rig.dump, "vcpu0: RIP 0000000000010000 ") != NULL, has_rip);
	CHECK_EQ(strstr(rig.dump, "vcpu0: code at RIP: 0f 0b ") != NULL, has_rip);
	CHECK(strstr(rig.dump, "vcpu1: not started\n"));
	kvm_vm_resume(rig.vm);
	rig_close(&rig);
}

static void test_paused_vcpu_has_completed_its_io(void)
{
	struct rig rig;
	CHECK(rig_open(&rig, 2)); /* vCPU 1 waits for its SIPI all the time */
	CHECK(RIG_START(&rig, reads, true));
	CHECK(rig_wait_reads(&rig, 2));
	for (unsigned i = 0; i < 300; i++) {
		kvm_vm_pause(rig.vm);
		CHECK(!__atomic_load_n(&rig.is_inside, __ATOMIC_SEQ_CST));
		uint64_t reads = rig.reads;
		rig.dump[0] = '\0';
		kvm_vm_dump(rig.vm, 0, rig_dump_line, &rig);
		/* What the device has answered is in the registers. */
		CHECK_EQ(rig_dump_value(&rig, "RAX "), rig.last_port);
		CHECK_EQ(rig_dump_value(&rig, "RCX "), rig.last_mmio);
		CHECK_EQ(rig.reads, reads);
		kvm_vm_resume(rig.vm);
		if (i % 8 == 0)
			CHECK(rig_wait_reads(&rig, reads + 1 + i));
	}
	rig_close(&rig);
}

static void test_pause_before_start_holds_from_the_first_instruction(void)
{
	struct rig rig;
	CHECK(rig_open(&rig, 1));
	kvm_vm_pause(rig.vm);
	CHECK(RIG_START(&rig, count, true));
	kvm_vm_resume(rig.vm);
	CHECK(rig_wait_log(&rig, 3));
	CHECK_EQ(rig.log[0].value, 1);
	CHECK_EQ(rig.log[2].value, 3);
	rig_close(&rig);
}

static bool rig_prepare_irq(struct rig *rig)
{
	uint64_t handler = CODE + (uint64_t)(guest_irq_handler - guest_irq);
	uint64_t base = IDT + 16;
	uint8_t idtr[10] = {0xff, 0x0f};
	memcpy(idtr + 2, &base, 8);
	return gmem_write(rig->gm, IDT, idtr, sizeof(idtr)) == 0 &&
	       rig_store64(rig, IDT + 16 + VECTOR * 16,
			   (handler & 0xffff) | 0x10 << 16 | 0x8e00ULL << 32 |
				   (handler >> 16) << 48);
}

static void test_msi_reaches_the_guest_and_can_move(void)
{
	struct rig rig;
	struct kvm_msi *msi;
	CHECK(rig_open(&rig, 1));
	CHECK(rig_prepare_irq(&rig));
	CHECK_EQ(kvm_msi_create(&msi, rig.vm, 3), 0);
	CHECK_EQ(kvm_msi_fd(msi, 2), -1);
	kvm_msi_raise(msi, 2); /* no route: nothing */
	CHECK(RIG_START(&rig, irq, true));
	CHECK(rig_wait(&rig, &rig.is_ready));
	kvm_msi_update(msi, 2, LAPIC, VECTOR, false);
	CHECK(kvm_msi_fd(msi, 2) >= 0);
	kvm_msi_raise(msi, 2);
	CHECK(rig_wait_log(&rig, 1));
	/* To an APIC that is not there, then back. */
	kvm_msi_update(msi, 2, LAPIC | 5 << 12, VECTOR, false);
	kvm_msi_raise(msi, 2);
	kvm_msi_update(msi, 2, LAPIC, VECTOR, true);
	kvm_msi_update(msi, 2, LAPIC, VECTOR, false);
	kvm_msi_raise(msi, 2);
	CHECK(rig_wait_log(&rig, 2));
	kvm_msi_update(msi, 3, LAPIC, VECTOR, false); /* no such vector */
	kvm_msi_destroy(msi);
	kvm_vm_stop(rig.vm);
	CHECK_EQ(rig.log_count, 2);
	rig_close(&rig);
}

/* As vhost does it: it knows nothing of masks. */
static void test_msi_written_while_masked_waits_for_the_unmasking(void)
{
	struct rig rig;
	struct kvm_msi *msi;
	CHECK(rig_open(&rig, 1));
	CHECK(rig_prepare_irq(&rig));
	CHECK_EQ(kvm_msi_create(&msi, rig.vm, 1), 0);
	CHECK(RIG_START(&rig, irq, true));
	CHECK(rig_wait(&rig, &rig.is_ready));
	kvm_msi_update(msi, 0, LAPIC | 5 << 12, VECTOR, false);
	int fd = kvm_msi_fd(msi, 0);
	CHECK(fd >= 0);
	CHECK_EQ(eventfd_write(fd, 1), 0); /* to an APIC that is not there: gone */
	kvm_msi_update(msi, 0, LAPIC, VECTOR, true);
	CHECK_EQ(kvm_msi_fd(msi, 0), -1);
	CHECK_EQ(eventfd_write(fd, 1), 0);
	CHECK_EQ(eventfd_write(fd, 1), 0);
	kvm_vm_pause(rig.vm);
	kvm_vm_resume(rig.vm);
	CHECK_EQ(rig.log_count, 0);
	kvm_msi_update(msi, 0, LAPIC, VECTOR, false);
	CHECK(rig_wait_log(&rig, 1)); /* two messages while masked are one */
	CHECK_EQ(kvm_msi_fd(msi, 0), fd);
	CHECK_EQ(eventfd_write(fd, 1), 0);
	CHECK(rig_wait_log(&rig, 2));
	kvm_msi_update(msi, 0, LAPIC, VECTOR, true);
	kvm_msi_update(msi, 0, LAPIC, VECTOR, false); /* nothing waited */
	CHECK_EQ(eventfd_write(fd, 1), 0);
	CHECK(rig_wait_log(&rig, 3));
	kvm_msi_update(msi, 0, LAPIC, VECTOR, true);
	kvm_msi_destroy(msi);
	kvm_vm_stop(rig.vm);
	CHECK_EQ(rig.log_count, 3);
	rig_close(&rig);
}

static void test_ioeventfd_takes_stores_away_from_the_bus(void)
{
	struct rig rig;
	uint64_t count = 0;
	CHECK(rig_open(&rig, 1));
	int any = eventfd(0, EFD_NONBLOCK), five = eventfd(0, EFD_NONBLOCK);
	CHECK_EQ(kvm_ioeventfd_add(rig.vm, MMIO + 0x100, 0, 0, any), 0);
	CHECK_EQ(kvm_ioeventfd_add(rig.vm, MMIO + 0x200, 4, 5, five), 0);
	CHECK_EQ(kvm_ioeventfd_add(rig.vm, MMIO + 0x200, 4, 5, five), (uint64_t)-EEXIST);
	CHECK(RIG_START(&rig, bell, true));
	CHECK(rig_wait(&rig, &rig.is_done));
	CHECK_EQ(read(any, &count, sizeof(count)), 8);
	CHECK_EQ(count, 2);
	CHECK_EQ(read(five, &count, sizeof(count)), 8);
	CHECK_EQ(count, 1);
	CHECK_EQ(rig.log_count, 1);
	CHECK_EQ(rig.log[0].value, 4);
	kvm_ioeventfd_remove(rig.vm, MMIO + 0x100, 0, 0, any);
	kvm_ioeventfd_remove(rig.vm, MMIO + 0x200, 4, 5, five);
	close(any);
	close(five);
	rig_close(&rig);
}

static void test_too_many_cpus_is_one_sentence(void)
{
	struct rig rig;
	struct err err = {0};
	CHECK(rig_open(&rig, 1));
	int max = kvm_max_cpus(&err);
	CHECK(max >= 1);
	struct kvm_vm *vm = NULL;
	struct kvm_config cfg = {.gm = rig.gm, .cpus = (unsigned)max + 1, .ended = rig_ended};
	CHECK_EQ(kvm_vm_create(&vm, &cfg, &err), (uint64_t)-EINVAL);
	CHECK(strstr(err.msg, "allows 1 to"));
	CHECK(!vm);
	rig_close(&rig);
}

static void test_300_cpus_start_and_stop(void)
{
	struct rig rig;
	struct err err = {0};
	if (kvm_max_cpus(&err) < 300)
		return;
	log_set_level(LOG_ERROR);
	CHECK(rig_open(&rig, 300));
	CHECK(RIG_START(&rig, count, true));
	CHECK(rig_wait_log(&rig, 1));
	kvm_vm_pause(rig.vm);
	kvm_vm_resume(rig.vm);
	rig_close(&rig);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_long_mode_entry_has_rsi_and_rsp),
		TEST_CASE(test_protected_mode_entry_has_no_paging),
		TEST_CASE(test_reset_vector_rom_and_switched_window),
		TEST_CASE(test_port_and_mmio_accesses_of_every_size),
		TEST_CASE(test_string_io_transfers_every_item),
		TEST_CASE(test_fault_without_idt_is_a_triple_fault),
		TEST_CASE(test_paused_vcpu_has_completed_its_io),
		TEST_CASE(test_pause_before_start_holds_from_the_first_instruction),
		TEST_CASE(test_msi_reaches_the_guest_and_can_move),
		TEST_CASE(test_msi_written_while_masked_waits_for_the_unmasking),
		TEST_CASE(test_ioeventfd_takes_stores_away_from_the_bus),
		TEST_CASE(test_too_many_cpus_is_one_sentence),
		TEST_CASE(test_300_cpus_start_and_stop),
	};
	return TEST_RUN(cases);
}
