/*
 * A vCPU's thread: KVM_RUN and what it exits for (Documentation/virt/kvm/api.rst, section 5).
 *
 * Interrupt controllers live in the kernel, so HLT, interrupt windows and SIPIs never come here.
 */
#include "dump.h"
#include "finish.h"
#include "vm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <tinyvm/bus.h>
#include <tinyvm/log.h>

#define SENTENCE_MAX 256

static void vcpu_do_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	unsigned size = run->io.size;

	/* INS and OUTS come as a row of @count accesses to the one port. */
	for (unsigned i = 0; i < run->io.count; i++, data += size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(vcpu->vm->cfg.pio, run->io.port, data, size);
		else
			bus_read(vcpu->vm->cfg.pio, run->io.port, data, size);
	}
}

static void vcpu_do_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	if (run->mmio.is_write)
		bus_write(vcpu->vm->cfg.mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	else
		bus_read(vcpu->vm->cfg.mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
}

static void vcpu_end_triple_fault(struct vcpu *vcpu)
{
	char text[SENTENCE_MAX];
	uint64_t rip;
	/* AMD leaves the state undefined, and KVM then puts the vCPU through INIT. */
	if (dump_rip(vcpu, &rip))
		snprintf(text, sizeof(text), "vCPU %u stopped with a triple fault at RIP %#llx",
			 vcpu->index, (unsigned long long)rip);
	else
		snprintf(text, sizeof(text),
			 "vCPU %u stopped with a triple fault (KVM keeps no RIP of it)",
			 vcpu->index);
	vcpu_end(vcpu, KVM_END_TRIPLE_FAULT, text);
}

/* The bytes at RIP, from KVM where it tells. Return: how many. */
static unsigned vcpu_refused_code(const struct vcpu *vcpu, uint8_t bytes[DUMP_CODE_MAX])
{
	const struct kvm_run *run = vcpu->run;
	if (run->exit_reason != KVM_EXIT_INTERNAL_ERROR ||
	    run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION || run->internal.ndata < 3 ||
	    !(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
		return dump_code(vcpu, bytes, DUMP_CODE_MAX);
	unsigned len = run->emulation_failure.insn_size;
	if (len > sizeof(run->emulation_failure.insn_bytes))
		len = sizeof(run->emulation_failure.insn_bytes);
	memcpy(bytes, run->emulation_failure.insn_bytes, len);
	return len;
}

/* @what: "KVM could not ...", goes before the place. */
static void vcpu_end_failed(struct vcpu *vcpu, const char *what)
{
	char text[SENTENCE_MAX], code[DUMP_CODE_TEXT] = "unreadable";
	uint8_t bytes[DUMP_CODE_MAX];
	uint64_t rip = 0;
	unsigned len;

	dump_rip(vcpu, &rip);
	len = vcpu_refused_code(vcpu, bytes);
	if (len)
		dump_hex(bytes, len, code);
	snprintf(text, sizeof(text), "vCPU %u: %s at RIP %#llx (bytes there: %s)", vcpu->index,
		 what, (unsigned long long)rip, code);
	vcpu_end(vcpu, KVM_END_FAILED, text);
}

static void vcpu_end_internal_error(struct vcpu *vcpu)
{
	char what[64];
	uint32_t suberror = vcpu->run->internal.suberror;
	switch (suberror) {
	case KVM_INTERNAL_ERROR_EMULATION:
		vcpu_end_failed(vcpu, "KVM cannot emulate the instruction");
		return;
	case KVM_INTERNAL_ERROR_SIMUL_EX:
		vcpu_end_failed(vcpu, "KVM met two exceptions at once");
		return;
	case KVM_INTERNAL_ERROR_DELIVERY_EV:
		vcpu_end_failed(vcpu, "KVM could not deliver an exception or interrupt");
		return;
	case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
		vcpu_end_failed(vcpu, "the processor left guest mode for a reason unknown to KVM");
		return;
	default:
		snprintf(what, sizeof(what), "KVM internal error %u", suberror);
		vcpu_end_failed(vcpu, what);
	}
}

/* Guest memory by linear address, as the guest maps it. */
static bool vcpu_copy(const struct vcpu *vcpu, uint64_t linear, void *buf, unsigned len,
		      bool is_write)
{
	uint8_t *p = buf;
	while (len) {
		gpa_t gpa;
		unsigned n = dump_translate(vcpu, linear, len, &gpa);
		if (!n || (is_write ? gmem_write(vcpu->vm->cfg.gm, gpa, p, n)
				    : gmem_read(vcpu->vm->cfg.gm, gpa, p, n)))
			return false;
		linear += n;
		p += n;
		len -= n;
	}
	return true;
}

static bool vcpu_read_linear(void *ctx, uint64_t linear, void *buf, unsigned len)
{
	return vcpu_copy(ctx, linear, buf, len, false);
}

static bool vcpu_write_linear(void *ctx, uint64_t linear, const void *buf, unsigned len)
{
	return vcpu_copy(ctx, linear, (void *)(uintptr_t)buf, len, true);
}

/* Carries out what KVM could not. Return: whether the guest can go on. */
static bool vcpu_finish(struct vcpu *vcpu)
{
	struct finish_cpu cpu = {.read = vcpu_read_linear, .write = vcpu_write_linear, .ctx = vcpu};
	uint8_t bytes[DUMP_CODE_MAX];
	if (ioctl(vcpu->fd, KVM_GET_REGS, &cpu.regs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_SREGS, &cpu.sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_FPU, &cpu.fpu) < 0)
		return false;
	const char *name = finish_instruction(&cpu, bytes, vcpu_refused_code(vcpu, bytes));
	if (!name || (cpu.has_fpu_changed && ioctl(vcpu->fd, KVM_SET_FPU, &cpu.fpu) < 0) ||
	    ioctl(vcpu->fd, KVM_SET_SREGS, &cpu.sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_SET_REGS, &cpu.regs) < 0)
		return false;
	if (!vcpu->finished++)
		log_debug("vCPU %u: KVM refuses %s; tinyvm carries it out", vcpu->index, name);
	return true;
}

/* Return: false when the vCPU has ended. */
static bool vcpu_handle_exit(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;
	char what[96];

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		vcpu_do_io(vcpu);
		return true;
	case KVM_EXIT_MMIO:
		vcpu_do_mmio(vcpu);
		return true;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return true;
	case KVM_EXIT_SHUTDOWN:
		vcpu_end_triple_fault(vcpu);
		return false;
	case KVM_EXIT_INTERNAL_ERROR:
		if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION && vcpu_finish(vcpu))
			return true;
		vcpu_end_internal_error(vcpu);
		return false;
	case KVM_EXIT_FAIL_ENTRY:
		snprintf(what, sizeof(what),
			 "the processor refused to enter the guest, reason %#llx,",
			 (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		snprintf(what, sizeof(what), "KVM reported system event %u",
			 run->system_event.type);
		break;
	case KVM_EXIT_UNKNOWN:
		snprintf(what, sizeof(what), "KVM does not know hardware exit %#llx",
			 (unsigned long long)run->hw.hardware_exit_reason);
		break;
	default:
		snprintf(what, sizeof(what), "unexpected KVM exit %u", run->exit_reason);
		break;
	}
	vcpu_end_failed(vcpu, what);
	return false;
}

void vcpu_loop(struct vcpu *vcpu)
{
	char what[96];
	for (;;) {
		if (ioctl(vcpu->fd, KVM_RUN, 0) == 0) {
			if (!vcpu_handle_exit(vcpu))
				return;
		} else if (errno == EINTR || errno == EAGAIN) {
			/* EAGAIN: an application processor received its INIT or SIPI. */
			if (!vcpu_hold(vcpu))
				return;
		} else {
			snprintf(what, sizeof(what), "KVM_RUN failed (%s)", strerror(errno));
			vcpu_end_failed(vcpu, what);
			return;
		}
	}
}
