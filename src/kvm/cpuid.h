/* What a guest's CPUID instruction says: pure functions on KVM's table. */
#ifndef KVM_CPUID_H
#define KVM_CPUID_H

#include "linux_kvm.h"
#include <stdbool.h>
#include <stdint.h>

/* Entries that cpuid_fit() may add beyond what KVM supports. */
#define CPUID_ROOM 4

/**
 * cpuid_fit() - make KVM's supported CPUID describe one package of @cpus single-threaded cores
 * @c:   as KVM_GET_SUPPORTED_CPUID filled it; c->nent + CPUID_ROOM entries are allocated
 * @cpus: 1 up
 * @has_tsc_deadline: KVM_CAP_TSC_DEADLINE_TIMER
 *
 * Patches leaves 1, 4, 0xb, 0x80000008, 0x8000001d and drops those that describe the host's
 * topology (0x1f, 0x80000026). The rest passes as KVM reports it.
 */
void cpuid_fit(struct kvm_cpuid2 *c, unsigned cpus, bool has_tsc_deadline);

/* The basic leaves end with @max: what an old system reads of leaf 0. Above, there is nothing. */
void cpuid_limit(struct kvm_cpuid2 *c, uint32_t max);

/* The fields that differ from one vCPU to the next: leaves 1, 0xb, 0x8000001e. */
void cpuid_set_apic_id(struct kvm_cpuid2 *c, uint32_t apic_id);

#define CPUID_NAME_WORDS 12

/**
 * cpuid_host_name() - this machine's processor's name, zeroes when it has none
 * cpuid_put_name() - put it into leaves 0x80000002 to 0x80000004, which KVM leaves empty
 */
void cpuid_host_name(uint32_t ret_name[CPUID_NAME_WORDS]);
void cpuid_put_name(struct kvm_cpuid2 *c, const uint32_t name[CPUID_NAME_WORDS]);

bool cpuid_is_intel(const struct kvm_cpuid2 *c);

/* Physical address bits of a guest: leaf 0x80000008, or 36 without it. */
unsigned cpuid_phys_bits(const struct kvm_cpuid2 *c);

/* The entry of leaf @function, subleaf @index; NULL when there is none. */
struct kvm_cpuid_entry2 *cpuid_find(const struct kvm_cpuid2 *c, uint32_t function, uint32_t index);

#endif
