/*
 * The KVM core: VM, memory slots, in-kernel interrupt controllers, irqfd, ioeventfd, MSI routes,
 * and the vCPU threads. The only folder that includes <linux/kvm.h>.
 */
#ifndef TINYVM_KVM_H
#define TINYVM_KVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tinyvm/boot.h>
#include <tinyvm/gmem.h>

struct bus;
struct err;
struct kvm_vm;

/**
 * enum kvm_end - why a vCPU stopped for good
 * KVM_END_TRIPLE_FAULT: shutdown state (KVM_EXIT_SHUTDOWN)
 * KVM_END_FAILED: KVM could not go on: internal error, failed entry, an exit we do not know, ioctl
 * error
 */
enum kvm_end {
	KVM_END_TRIPLE_FAULT,
	KVM_END_FAILED,
};

/**
 * enum kvm_piece_kind - what the guest's processors find in a piece of low RAM instead of RAM
 * KVM_PIECE_BUS: accesses go to the MMIO bus
 * KVM_PIECE_ROM: RAM that they can read and execute; writes go to the MMIO bus
 * KVM_PIECE_SWITCHED: one or the other of RAM and bus, as kvm_vm_switch() says; the bus at first
 */
enum kvm_piece_kind {
	KVM_PIECE_BUS,
	KVM_PIECE_ROM,
	KVM_PIECE_SWITCHED,
};

/**
 * struct kvm_piece - and where: page aligned, inside RAM below 4 GiB
 */
struct kvm_piece {
	gpa_t gpa;
	uint64_t size;
	enum kvm_piece_kind kind;
};
#define KVM_PIECE_MAX 8

/**
 * struct kvm_rom - read-only memory outside RAM
 * @hva: page aligned, @size bytes; outlives the VM
 */
struct kvm_rom {
	gpa_t gpa;
	uint64_t size;
	const void *hva;
};

/**
 * struct kvm_config - the VM to be made
 * @gm:   guest memory; becomes the memory slots
 * @piece: @piece_count exceptions to that, ascending, at most one KVM_PIECE_SWITCHED
 * @rom:  @rom.size 0 for none
 * @cpuid_max: the highest basic CPUID leaf that the guest sees, 0 for no limit
 * @cpus: 1 to what KVM_CAP_MAX_VCPUS says
 * @pio, @mmio: where exits go; immutable once the VM runs
 * @ended: a vCPU stopped for good; called once per VM at most, on that vCPU's thread, which then
 * parks until kvm_vm_stop(). @sentence tells what happened and where (RIP), in one sentence
 */
struct kvm_config {
	struct gmem *gm;
	struct kvm_piece piece[KVM_PIECE_MAX];
	unsigned piece_count;
	struct kvm_rom rom;
	uint32_t cpuid_max;
	unsigned cpus;
	struct bus *pio;
	struct bus *mmio;
	void (*ended)(void *ctx, enum kvm_end end, const char *sentence);
	void *ctx;
};

/**
 * kvm_vm_create() - open /dev/kvm (only its capabilities are asked, never cpuinfo), make the VM
 * with in-kernel PIC, IOAPIC, LAPIC, PIT (speaker dummy), the memory slots and all vCPUs with CPUID
 * and MSRs set
 *
 * Return: 0; -errno with a sentence: no /dev/kvm (what to load), no permission (group kvm), too
 * many CPUs (the limit), a missing capability (its name), memory KVM refuses. Warns through the log
 * when
 * @cpus exceeds the host's.
 */
int kvm_vm_create(struct kvm_vm **ret_vm, const struct kvm_config *cfg, struct err *err)
	__attribute__((warn_unused_result));

/* Stops first when needed. */
void kvm_vm_destroy(struct kvm_vm *vm);

/* How many vCPUs /dev/kvm allows; -errno with a sentence when it cannot be asked. */
int kvm_max_cpus(struct err *err);

/*
 * The KVM_PIECE_SWITCHED becomes RAM or bus. @vm is the struct kvm_vm, so that this fits a wire.
 * Context: any thread, a vCPU's too; serialised by the caller. Failure leaves it on the bus or as
 * it was, and is logged.
 */
void kvm_vm_switch(void *vm, bool is_ram);

/*
 * Boot processor as @entry says, the others wait for INIT/SIPI. Before kvm_vm_start(). Without this
 * it begins at the reset vector, 0xfffffff0.
 */
int kvm_vm_set_entry(struct kvm_vm *vm, const struct boot_entry *entry, struct err *err)
	__attribute__((warn_unused_result));

/* The vCPU threads begin to run; -errno when a thread cannot be made. */
int kvm_vm_start(struct kvm_vm *vm, struct err *err) __attribute__((warn_unused_result));

/**
 * kvm_vm_pause() - an acknowledged barrier: on return no vCPU is in KVM_RUN or in a device
 * kvm_vm_resume() - let them go on
 * kvm_vm_stop() - for good: ends and joins the threads
 *
 * Context: not a vCPU thread, no device lock held.
 */
void kvm_vm_pause(struct kvm_vm *vm);
void kvm_vm_resume(struct kvm_vm *vm);
void kvm_vm_stop(struct kvm_vm *vm);

/*
 * Registers, control registers and the bytes at RIP of each vCPU (or only @cpu when >= 0), line by
 * line. Context: paused, stopped, or from ended().
 */
void kvm_vm_dump(struct kvm_vm *vm, int cpu, void (*line)(void *arg, const char *text), void *arg);

/*
 * Drive input @gsi (1 to 23: IOAPIC, and PIC below 16; 0 and 2 are the PIT's and the PIC cascade's:
 * KVM's PIT sits on IOAPIC input 2 and PIC input 0). Fits struct irq_line's set; ctx is the VM.
 */
void kvm_vm_set_irq(void *vm, unsigned gsi, bool is_high);

/**
 * kvm_msi_create() - MSI routes with irqfds for one PCI function
 * @vectors: how many
 *
 * kvm_msi_update() and kvm_msi_raise() fit struct msi_sink with the kvm_msi as ctx.
 *
 * kvm_msi_fd() is the eventfd behind a vector, for somebody who raises it without asking whether it
 * is masked (vhost): what is written to it while the vector is masked waits for the unmasking. It
 * stays open until kvm_msi_destroy(). Return: -1 when the vector is masked now or has no route:
 * then the device has to deliver. Context: serialised with kvm_msi_update().
 */
struct kvm_msi;
int kvm_msi_create(struct kvm_msi **ret_msi, struct kvm_vm *vm, unsigned vectors)
	__attribute__((warn_unused_result));
void kvm_msi_destroy(struct kvm_msi *msi);
void kvm_msi_update(void *msi, unsigned vector, uint64_t addr, uint32_t data, bool is_masked);
void kvm_msi_raise(void *msi, unsigned vector);
int kvm_msi_fd(struct kvm_msi *msi, unsigned vector);

/**
 * kvm_ioeventfd_add() - guest stores to MMIO @gpa signal @fd instead of exiting
 * @size: 0 for any size (KVM_CAP_IOEVENTFD_ANY_LENGTH), else 4 and only value @datamatch
 * Return: 0 or -errno.
 */
int kvm_ioeventfd_add(struct kvm_vm *vm, uint64_t gpa, unsigned size, uint32_t datamatch, int fd)
	__attribute__((warn_unused_result));
void kvm_ioeventfd_remove(struct kvm_vm *vm, uint64_t gpa, unsigned size, uint32_t datamatch,
			  int fd);

#endif
