/*
 * Registers a vCPU starts with: MSRs that Linux expects firmware to have set, and the state of the
 * Linux boot protocol's 64-bit and 32-bit entries (Documentation/arch/x86/boot.rst).
 */
#include "vm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define MSR_IA32_MISC_ENABLE	0x1a0
#define MISC_ENABLE_FAST_STRING 1u
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_DEF_ENABLE		(1u << 11)
#define MTRR_DEF_WRITE_BACK	6u

#define CR0_PE	 1u
#define CR0_MP	 (1u << 1)
#define CR0_ET	 (1u << 4)
#define CR0_NE	 (1u << 5)
#define CR0_WP	 (1u << 16)
#define CR0_PG	 (1u << 31)
#define CR4_PAE	 (1u << 5)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)

#define BOOT_CS 0x10
#define BOOT_DS 0x18

#define MSR_MAX 2

/* struct kvm_msrs ends in a flexible array; this gives it room. */
union msr_list {
	struct kvm_msrs msrs;
	uint8_t room[sizeof(struct kvm_msrs) + MSR_MAX * sizeof(struct kvm_msr_entry)];
};

static void msr_list_init(union msr_list *list)
{
	memset(list->room, 0, sizeof(list->room));
}

static void msr_list_add(union msr_list *list, uint32_t index, uint64_t value)
{
	struct kvm_msr_entry *e = &list->msrs.entries[list->msrs.nmsrs++];
	e->index = index;
	e->data = value;
}

uint64_t regs_misc_enable(int vcpu_fd)
{
	union msr_list list;
	msr_list_init(&list);
	msr_list_add(&list, MSR_IA32_MISC_ENABLE, 0);
	if (ioctl(vcpu_fd, KVM_GET_MSRS, &list) != 1)
		return 0;
	return list.msrs.entries[0].data | MISC_ENABLE_FAST_STRING;
}

int regs_set_msrs(int vcpu_fd, uint64_t misc_enable)
{
	union msr_list list;
	msr_list_init(&list);
	/* Without default-type MTRRs Linux turns its page attribute table off. */
	msr_list_add(&list, MSR_MTRR_DEF_TYPE, MTRR_DEF_ENABLE | MTRR_DEF_WRITE_BACK);
	/* Linux on Intel gives up fast string operations that firmware has not enabled. */
	if (misc_enable)
		msr_list_add(&list, MSR_IA32_MISC_ENABLE, misc_enable);
	while (list.msrs.nmsrs) {
		int done = ioctl(vcpu_fd, KVM_SET_MSRS, &list);
		if (done < 0)
			return -errno;
		if ((unsigned)done >= list.msrs.nmsrs)
			break;
		/* KVM stops at one it refuses: go on behind it. */
		list.msrs.nmsrs -= (unsigned)done + 1;
		memmove(list.msrs.entries, list.msrs.entries + done + 1,
			list.msrs.nmsrs * sizeof(list.msrs.entries[0]));
	}
	return 0;
}

static struct kvm_segment regs_flat(uint16_t selector, bool is_code, bool is_long)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = is_code ? 0xb : 0x3, /* execute/read or read/write, accessed */
		.present = 1,
		.s = 1,
		.g = 1,
		.l = is_code && is_long,
		.db = !(is_code && is_long),
	};
}

int regs_set_entry(int vcpu_fd, const struct boot_entry *entry)
{
	struct kvm_sregs s;
	if (ioctl(vcpu_fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	s.cs = regs_flat(BOOT_CS, true, entry->is_long_mode);
	s.ds = s.es = s.fs = s.gs = s.ss = regs_flat(BOOT_DS, false, entry->is_long_mode);
	s.gdt.base = entry->gdt;
	s.gdt.limit = entry->gdt_limit;
	/* No handlers yet: a fault in the first instructions is a triple fault, not a wild jump. */
	s.idt.base = 0;
	s.idt.limit = 0;
	s.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE;
	s.cr3 = 0;
	s.cr4 = 0;
	s.efer = 0;
	if (entry->is_long_mode) {
		s.cr0 |= CR0_WP | CR0_PG;
		s.cr3 = entry->cr3;
		s.cr4 = CR4_PAE;
		s.efer = EFER_LME | EFER_LMA;
	}
	if (ioctl(vcpu_fd, KVM_SET_SREGS, &s) < 0)
		return -errno;
	struct kvm_regs r = {
		.rip = entry->rip, .rsi = entry->rsi, .rsp = entry->rsp, .rflags = 1u << 1};
	return ioctl(vcpu_fd, KVM_SET_REGS, &r) < 0 ? -errno : 0;
}
