/* The VM and its vCPUs as the files of this folder share them. */
#ifndef KVM_VM_H
#define KVM_VM_H

#include "linux_kvm.h"
#include "route.h"
#include <pthread.h>
#include <tinyvm/kvm.h>

enum vm_mode {
	VM_RUN,
	VM_PAUSE,
	VM_STOP,
};

/**
 * struct vcpu - one virtual CPU
 * @run:    KVM's page, shared with the kernel
 * @run_size: its size in bytes
 * @finished: instructions carried out in KVM's place
 * @is_held: not in KVM_RUN nor in a device, and not going there before the mode allows
 */
struct vcpu {
	struct kvm_vm *vm;
	unsigned index;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool is_held;
	uint64_t finished;
};

/**
 * struct slot - a memory slot that comes and goes
 * @size: bytes, 0 for no such thing
 * @is_there: the guest sees it
 */
struct slot {
	uint32_t number;
	gpa_t gpa;
	uint64_t size;
	void *hva;
	bool is_there;
};

/**
 * struct kvm_vm - the VM
 * @host_fd: /dev/kvm
 * @cpu_count: vCPUs made so far, also the length of @cpu in use
 * @lock:    guards mode, has_ended, thread_count and every is_held
 * @held:    some is_held became true
 * @go:      mode changed
 * @thread_count: threads to be joined
 * @irq_levels: bit n: GSI n was last driven high
 * @slot_count: memory slots in use
 * @switched: that of the KVM_PIECE_SWITCHED
 * @route_lock: guards @routes; taken inside device locks, nothing is taken inside it
 */
struct kvm_vm {
	struct kvm_config cfg;
	int host_fd;
	int fd;
	struct vcpu *cpu;
	unsigned cpu_count;
	pthread_mutex_t lock;
	pthread_cond_t held;
	pthread_cond_t go;
	enum vm_mode mode;
	bool has_ended;
	unsigned thread_count;
	uint32_t irq_levels;
	pthread_mutex_t route_lock;
	struct route_table routes;
	uint32_t slot_count;
	struct slot switched;
};

/*
 * After kvm_vm_stop(). What KVM still holds then goes with the VM, all at once; to take it back
 * piece by piece would cost a grace period of the host kernel each.
 */
static inline bool vm_is_stopped(const struct kvm_vm *vm)
{
	return vm->mode == VM_STOP;
}

/* linger.c: close a VM's last descriptor without waiting for the VM to be taken apart. */
void vm_close_later(int fd);

/* host.c: /dev/kvm itself. @path is "/dev/kvm" except in tests. Return: descriptor or -errno. */
int host_open(const char *path, struct err *err);

/* The sentence for open(2)'s @error. Return: -@error. */
int host_open_failed(const char *path, int error, struct err *err);

/* Everything this folder cannot do without. Return: 0 or -ENOTSUP. */
int host_check_caps(int host_fd, struct err *err);

/* KVM's supported CPUID with CPUID_ROOM spare entries, to be freed. Return: 0 or -errno. */
int host_cpuid(int host_fd, struct kvm_cpuid2 **ret_cpuid, struct err *err);

/* slots.c: guest memory as the processors see it. Return: 0 or -errno. */
int slots_create(struct kvm_vm *vm, struct err *err);

/* vcpu.c: what a vCPU thread does until the VM stops. */
void vcpu_loop(struct vcpu *vcpu);

/* pause.c: the barrier's vCPU side. Return: false when the thread should end. */
bool vcpu_hold(struct vcpu *vcpu);

/* The vCPU is done for good; returns when the VM stops. */
void vcpu_end(struct vcpu *vcpu, enum kvm_end end, const char *sentence);

/* regs.c. IA32_MISC_ENABLE as the guest should find it; 0 when KVM does not know the register. */
uint64_t regs_misc_enable(int vcpu_fd);

/* Both return 0 or -errno. An MSR that KVM refuses stays as it was. */
int regs_set_msrs(int vcpu_fd, uint64_t misc_enable);
int regs_set_entry(int vcpu_fd, const struct boot_entry *entry);

#endif
