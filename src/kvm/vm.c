/* Making and unmaking the VM: memory slots, interrupt controllers, PIT, vCPUs. */
#include "vm.h"
#include "cpuid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <tinyvm/err.h>
#include <tinyvm/log.h>
#include <unistd.h>

/*
 * Pages that KVM on Intel wants for itself (one page table, three pages of TSS), where a PC has its
 * firmware ROM: above every chip, below the reset vector's 256 KiB.
 */
#define VM_IDENTITY_MAP_GPA 0xfffbc000ULL
#define VM_TSS_GPA	    0xfffbd000UL

/* From here on an APIC ID does not fit the 8 bits of xAPIC (255 is broadcast). */
#define VM_XAPIC_CPUS 255

static int vm_open(struct kvm_vm *vm, struct err *err)
{
	vm->host_fd = host_open("/dev/kvm", err);
	if (vm->host_fd < 0)
		return vm->host_fd;
	int rc = host_check_caps(vm->host_fd, err);
	if (rc)
		return rc;
	int max = ioctl(vm->host_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	int host_cpus = ioctl(vm->host_fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS);
	if (vm->cfg.cpus < 1 || (max > 0 && vm->cfg.cpus > (unsigned)max))
		return err_set(err, -EINVAL, "%u vCPUs: this host's KVM allows 1 to %d",
			       vm->cfg.cpus, max);
	if (host_cpus > 0 && vm->cfg.cpus > (unsigned)host_cpus)
		log_warn("%u vCPUs share %d host CPUs", vm->cfg.cpus, host_cpus);

	do
		vm->fd = ioctl(vm->host_fd, KVM_CREATE_VM, 0);
	while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0 && errno == EBUSY)
		return err_set(err, -EBUSY,
			       "hardware virtualization is in use by another hypervisor "
			       "(VirtualBox, VMware): stop its machines first");
	if (vm->fd < 0)
		return err_set(err, -errno, "KVM cannot make a VM: %s", strerror(errno));
	return 0;
}

static int vm_add_chips(struct kvm_vm *vm, struct err *err)
{
	uint64_t identity_map = VM_IDENTITY_MAP_GPA;
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};
	struct kvm_enable_cap x2apic = {
		.cap = KVM_CAP_X2APIC_API,
		.args[0] = KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK,
	};

	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0)
		return err_set(err, -errno, "KVM refuses an identity map page: %s",
			       strerror(errno));
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, VM_TSS_GPA) < 0)
		return err_set(err, -errno, "KVM refuses the TSS pages: %s", strerror(errno));
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return err_set(err, -errno, "KVM cannot make the interrupt controllers: %s",
			       strerror(errno));
	if (ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0)
		return err_set(err, -errno, "KVM cannot make the timer chip: %s", strerror(errno));
	if (vm->cfg.cpus >= VM_XAPIC_CPUS && ioctl(vm->fd, KVM_ENABLE_CAP, &x2apic) < 0)
		return err_set(err, -errno, "%u vCPUs: this host's KVM lacks KVM_CAP_X2APIC_API",
			       vm->cfg.cpus);
	int gsis = ioctl(vm->host_fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQ_ROUTING);
	if (route_init(&vm->routes, gsis > 0 ? (unsigned)gsis : 0))
		return err_set(err, -ENOMEM, "out of memory for interrupt routes");
	if (ioctl(vm->fd, KVM_SET_GSI_ROUTING, vm->routes.routing) < 0)
		return err_set(err, -errno, "KVM refuses the interrupt wiring: %s",
			       strerror(errno));
	return 0;
}

/* @run_size: bytes of kvm_run. Counted in vm->cpu_count once there is something to undo. */
static int vm_add_cpu(struct kvm_vm *vm, unsigned index, int run_size, struct err *err)
{
	struct vcpu *vcpu = &vm->cpu[index];
	vcpu->vm = vm;
	vcpu->index = index;
	vcpu->is_held = true;
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, index);
	if (vcpu->fd < 0)
		return err_set(err, -errno, "KVM cannot make vCPU %u: %s", index, strerror(errno));
	void *run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED) {
		int error = errno;
		close(vcpu->fd);
		return err_set(err, -error, "cannot map the state of vCPU %u: %s", index,
			       strerror(error));
	}
	vcpu->run = run;
	vcpu->run_size = (size_t)run_size;
	vm->cpu_count++;
	return 0;
}

static int vm_check_phys_bits(const struct kvm_vm *vm, unsigned bits, struct err *err)
{
	const struct gmem_region *last = gmem_region(vm->cfg.gm, gmem_region_count(vm->cfg.gm) - 1);
	if (bits < 64 && (last->gpa + last->size - 1) >> bits)
		return err_set(err, -E2BIG,
			       "%llu MiB of memory do not fit the %u address bits of this host's "
			       "guests",
			       (unsigned long long)gmem_size(vm->cfg.gm) >> 20, bits);
	return 0;
}

static int vm_add_cpus(struct kvm_vm *vm, struct kvm_cpuid2 *cpuid, struct err *err)
{
	uint64_t misc_enable = 0;
	int run_size = ioctl(vm->host_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (run_size < (int)sizeof(struct kvm_run))
		return err_set(err, -EPROTO, "KVM's kvm_run is too small: %d bytes", run_size);
	vm->cpu = calloc(vm->cfg.cpus, sizeof(*vm->cpu));
	if (!vm->cpu)
		return err_set(err, -ENOMEM, "out of memory for %u vCPUs", vm->cfg.cpus);

	int has_deadline = ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER);
	uint32_t name[CPUID_NAME_WORDS];
	cpuid_host_name(name);
	cpuid_put_name(cpuid, name);
	cpuid_fit(cpuid, vm->cfg.cpus, has_deadline > 0);
	if (vm->cfg.cpuid_max)
		cpuid_limit(cpuid, vm->cfg.cpuid_max);
	for (unsigned i = 0; i < vm->cfg.cpus; i++) {
		int rc = vm_add_cpu(vm, i, run_size, err);
		if (rc)
			return rc;
		cpuid_set_apic_id(cpuid, i);
		if (ioctl(vm->cpu[i].fd, KVM_SET_CPUID2, cpuid) < 0)
			return err_set(err, -errno, "KVM refuses the CPUID of vCPU %u: %s", i,
				       strerror(errno));
		if (i == 0 && cpuid_is_intel(cpuid))
			misc_enable = regs_misc_enable(vm->cpu[0].fd);
		rc = regs_set_msrs(vm->cpu[i].fd, misc_enable);
		if (rc)
			return err_set(err, rc, "KVM refuses the MSRs of vCPU %u: %s", i,
				       strerror(-rc));
	}
	return 0;
}

int kvm_vm_create(struct kvm_vm **ret_vm, const struct kvm_config *cfg, struct err *err)
{
	struct kvm_vm *vm = calloc(1, sizeof(*vm));
	if (!vm)
		return err_set(err, -ENOMEM, "out of memory for the VM");
	vm->cfg = *cfg;
	vm->host_fd = -1;
	vm->fd = -1;
	pthread_mutex_init(&vm->lock, NULL);
	pthread_mutex_init(&vm->route_lock, NULL);
	pthread_cond_init(&vm->held, NULL);
	pthread_cond_init(&vm->go, NULL);

	struct kvm_cpuid2 *cpuid = NULL;
	int rc = vm_open(vm, err);
	if (!rc)
		rc = host_cpuid(vm->host_fd, &cpuid, err);
	if (!rc)
		rc = vm_check_phys_bits(vm, cpuid_phys_bits(cpuid), err);
	/*
	 * Memory before the chips: recent kernels (6.18) put new port and MMIO devices on the bus
	 * without waiting, and a memory slot that comes behind them waits 5 ms for both.
	 */
	if (!rc)
		rc = slots_create(vm, err);
	if (!rc)
		rc = vm_add_chips(vm, err);
	if (!rc)
		rc = vm_add_cpus(vm, cpuid, err);
	free(cpuid);
	if (rc) {
		kvm_vm_destroy(vm);
		return rc;
	}
	*ret_vm = vm;
	return 0;
}

void kvm_vm_destroy(struct kvm_vm *vm)
{
	if (!vm)
		return;
	kvm_vm_stop(vm);
	for (unsigned i = 0; i < vm->cpu_count; i++) {
		munmap(vm->cpu[i].run, vm->cpu[i].run_size);
		close(vm->cpu[i].fd);
	}
	free(vm->cpu);
	route_fini(&vm->routes);
	if (vm->fd >= 0)
		vm_close_later(vm->fd);
	if (vm->host_fd >= 0)
		close(vm->host_fd);
	pthread_cond_destroy(&vm->go);
	pthread_cond_destroy(&vm->held);
	pthread_mutex_destroy(&vm->route_lock);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}

int kvm_vm_set_entry(struct kvm_vm *vm, const struct boot_entry *entry, struct err *err)
{
	int rc = regs_set_entry(vm->cpu[0].fd, entry);
	if (rc)
		return err_set(err, rc, "KVM refuses the boot processor's state: %s",
			       strerror(-rc));
	return 0;
}
