/* Registers and code of a stopped vCPU, for messages. */
#include "dump.h"
#include "vm.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define EFER_LMA (1u << 10)

/* Where the lines go. */
struct dump_sink {
	void (*line)(void *arg, const char *text);
	void *arg;
	unsigned cpu;
};

static void __attribute__((format(printf, 2, 3)))
dump_line(const struct dump_sink *sink, const char *fmt, ...)
{
	char text[160];
	va_list ap;
	int n = snprintf(text, sizeof(text), "vcpu%u: ", sink->cpu);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	sink->line(sink->arg, text);
}

bool dump_rip(const struct vcpu *vcpu, uint64_t *ret_rip)
{
	struct kvm_regs r;
	struct kvm_sregs s;
	if (ioctl(vcpu->fd, KVM_GET_REGS, &r) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &s) < 0)
		return false;
	if (s.cs.base == 0xffff0000 && r.rip == 0xfff0)
		return false;
	*ret_rip = r.rip;
	return true;
}

unsigned dump_translate(const struct vcpu *vcpu, uint64_t linear, unsigned len, gpa_t *ret_gpa)
{
	struct kvm_translation t = {.linear_address = linear};
	unsigned in_page = 4096 - (unsigned)(linear & 4095);
	if (ioctl(vcpu->fd, KVM_TRANSLATE, &t) < 0 || !t.valid)
		return 0;
	*ret_gpa = t.physical_address;
	return len < in_page ? len : in_page;
}

unsigned dump_code(const struct vcpu *vcpu, uint8_t *buf, unsigned len)
{
	struct kvm_regs r;
	struct kvm_sregs s;
	unsigned done = 0;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &r) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &s) < 0)
		return 0;
	uint64_t linear = r.rip + (s.efer & EFER_LMA && s.cs.l ? 0 : s.cs.base);
	while (done < len) {
		gpa_t gpa;
		unsigned n = dump_translate(vcpu, linear + done, len - done, &gpa);
		if (!n || gmem_read(vcpu->vm->cfg.gm, gpa, buf + done, n))
			break;
		done += n;
	}
	return done;
}

void dump_hex(const uint8_t *bytes, unsigned len, char text[DUMP_CODE_TEXT])
{
	text[0] = '\0';
	for (unsigned i = 0; i < len && i < DUMP_CODE_MAX; i++)
		snprintf(text + i * 3 - !!i, 4, i ? " %02x" : "%02x", bytes[i]);
}

static void dump_general(const struct dump_sink *sink, const struct kvm_regs *r)
{
	const struct {
		const char *name;
		uint64_t v;
	} reg[] = {
		{"RAX", r->rax}, {"RBX", r->rbx}, {"RCX", r->rcx}, {"RDX", r->rdx},
		{"RSI", r->rsi}, {"RDI", r->rdi}, {"RBP", r->rbp}, {"RSP", r->rsp},
		{"R8 ", r->r8},	 {"R9 ", r->r9},  {"R10", r->r10}, {"R11", r->r11},
		{"R12", r->r12}, {"R13", r->r13}, {"R14", r->r14}, {"R15", r->r15},
	};
	dump_line(sink, "RIP %016" PRIx64 "  RFLAGS %08" PRIx64, (uint64_t)r->rip,
		  (uint64_t)r->rflags);
	for (unsigned i = 0; i < sizeof(reg) / sizeof(reg[0]); i += 4)
		dump_line(sink,
			  "%s %016" PRIx64 "  %s %016" PRIx64 "  %s %016" PRIx64 "  %s %016" PRIx64,
			  reg[i].name, reg[i].v, reg[i + 1].name, reg[i + 1].v, reg[i + 2].name,
			  reg[i + 2].v, reg[i + 3].name, reg[i + 3].v);
}

static void dump_segment(const struct dump_sink *sink, const char *name,
			 const struct kvm_segment *g)
{
	dump_line(sink, "%s %04x  base %016" PRIx64 "  limit %08x  type %x dpl %u%s%s%s%s", name,
		  g->selector, (uint64_t)g->base, g->limit, g->type, g->dpl,
		  g->present ? " present" : "", g->l ? " 64-bit" : "", g->db ? " 32-bit" : "",
		  g->unusable ? " unusable" : "");
}

static void dump_system(const struct dump_sink *sink, const struct kvm_sregs *s)
{
	dump_line(sink,
		  "CR0 %08" PRIx64 "  CR2 %016" PRIx64 "  CR3 %016" PRIx64 "  CR4 %08" PRIx64
		  "  EFER %04" PRIx64,
		  (uint64_t)s->cr0, (uint64_t)s->cr2, (uint64_t)s->cr3, (uint64_t)s->cr4,
		  (uint64_t)s->efer);
	dump_segment(sink, "CS", &s->cs);
	dump_segment(sink, "DS", &s->ds);
	dump_segment(sink, "ES", &s->es);
	dump_segment(sink, "FS", &s->fs);
	dump_segment(sink, "GS", &s->gs);
	dump_segment(sink, "SS", &s->ss);
	dump_segment(sink, "TR", &s->tr);
	dump_line(sink, "GDT %016" PRIx64 " limit %04x  IDT %016" PRIx64 " limit %04x",
		  (uint64_t)s->gdt.base, s->gdt.limit, (uint64_t)s->idt.base, s->idt.limit);
}

static void dump_vcpu(const struct vcpu *vcpu, const struct dump_sink *sink)
{
	struct kvm_regs r;
	struct kvm_sregs s;
	struct kvm_mp_state mp;
	uint8_t bytes[DUMP_CODE_MAX];
	char code[DUMP_CODE_TEXT];

	if (ioctl(vcpu->fd, KVM_GET_MP_STATE, &mp) == 0 &&
	    (mp.mp_state == KVM_MP_STATE_UNINITIALIZED ||
	     mp.mp_state == KVM_MP_STATE_INIT_RECEIVED)) {
		dump_line(sink, "not started");
		return;
	}
	if (ioctl(vcpu->fd, KVM_GET_REGS, &r) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &s) < 0) {
		dump_line(sink, "KVM does not tell its registers");
		return;
	}
	dump_general(sink, &r);
	dump_system(sink, &s);
	unsigned len = dump_code(vcpu, bytes, sizeof(bytes));
	dump_hex(bytes, len, code);
	if (len)
		dump_line(sink, "code at RIP: %s", code);
	else
		dump_line(sink, "code at RIP: not in RAM");
}

void kvm_vm_dump(struct kvm_vm *vm, int cpu, void (*line)(void *arg, const char *text), void *arg)
{
	for (unsigned i = 0; i < vm->cpu_count; i++) {
		struct dump_sink sink = {.line = line, .arg = arg, .cpu = i};
		if (cpu >= 0 && (unsigned)cpu != i)
			continue;
		/* From ended(), the other vCPUs still run, and asking them would wait for them. */
		pthread_mutex_lock(&vm->lock);
		bool is_still = vm->cpu[i].is_held;
		pthread_mutex_unlock(&vm->lock);
		if (is_still)
			dump_vcpu(&vm->cpu[i], &sink);
		else
			dump_line(&sink, "running");
	}
}
