/*
 * CPUID for SMP guests: KVM reports what the host can do, but the topology leaves are the VMM's.
 *
 * The guest sees one package with one thread a core and one last-level cache. Intel SDM volume 2A
 * (CPUID), AMD APM volume 3 appendix E. Left out on purpose: NUMA, SMT, hiding of features.
 */
#include "cpuid.h"

#include <string.h>

#define CPUID_FIRST_ABOVE_BASIC 0x40000000u /* hypervisors', then the extended ones */
#define CPUID1_ECX_X2APIC	(1u << 21)
#define CPUID1_ECX_TSC_DEADLINE (1u << 24)
#define CPUID1_ECX_HYPERVISOR	(1u << 31)
#define CPUID1_EDX_HTT		(1u << 28)
#define AMD1_ECX_CMP_LEGACY	(1u << 1)
#define AMD1_ECX_TOPOEXT	(1u << 22)

#define LEAF_NAME	 0x80000002u /* and the two that follow */
#define LEAF_B_TYPE_SMT	 (1u << 8)
#define LEAF_B_TYPE_CORE (2u << 8)

/* Smallest n with 1 << n at least @v: the bits that number @v things. */
static unsigned bits_for(unsigned v)
{
	unsigned n = 0;
	while (n < 31 && 1u << n < v)
		n++;
	return n;
}

static unsigned min_u(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Replaces bits [@high:@low] of @reg. */
static void put_bits(uint32_t *reg, unsigned high, unsigned low, uint32_t v)
{
	uint32_t mask = (uint32_t)((1ULL << (high - low + 1)) - 1);
	*reg = (*reg & ~(mask << low)) | (v & mask) << low;
}

struct kvm_cpuid_entry2 *cpuid_find(const struct kvm_cpuid2 *c, uint32_t function, uint32_t index)
{
	for (unsigned i = 0; i < c->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &c->entries[i];
		if (e->function == function &&
		    (e->index == index || !(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
			return (struct kvm_cpuid_entry2 *)e;
	}
	return NULL;
}

static void cpuid_drop(struct kvm_cpuid2 *c, uint32_t function)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < c->nent; i++) {
		if (c->entries[i].function != function)
			c->entries[kept++] = c->entries[i];
	}
	c->nent = kept;
}

static struct kvm_cpuid_entry2 *cpuid_add(struct kvm_cpuid2 *c, uint32_t function, uint32_t index,
					  uint32_t flags)
{
	struct kvm_cpuid_entry2 *e = &c->entries[c->nent++];
	memset(e, 0, sizeof(*e));
	e->function = function;
	e->index = index;
	e->flags = flags;
	return e;
}

static bool cpuid_is_vendor(const struct kvm_cpuid2 *c, const char *name)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(c, 0, 0);
	char vendor[12];
	if (!e)
		return false;
	memcpy(vendor, &e->ebx, 4);
	memcpy(vendor + 4, &e->edx, 4);
	memcpy(vendor + 8, &e->ecx, 4);
	return memcmp(vendor, name, sizeof(vendor)) == 0;
}

bool cpuid_is_intel(const struct kvm_cpuid2 *c)
{
	return cpuid_is_vendor(c, "GenuineIntel");
}

static bool cpuid_is_amd(const struct kvm_cpuid2 *c)
{
	return cpuid_is_vendor(c, "AuthenticAMD") || cpuid_is_vendor(c, "HygonGenuine");
}

unsigned cpuid_phys_bits(const struct kvm_cpuid2 *c)
{
	const struct kvm_cpuid_entry2 *e = cpuid_find(c, 0x80000008, 0);
	return e && e->eax & 0xff ? e->eax & 0xff : 36;
}

static void cpuid_fit_features(struct kvm_cpuid2 *c, unsigned cpus, bool has_tsc_deadline)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(c, 1, 0);
	if (!e)
		return;
	e->ecx |= CPUID1_ECX_HYPERVISOR | CPUID1_ECX_X2APIC;
	e->ecx &= ~CPUID1_ECX_TSC_DEADLINE;
	if (has_tsc_deadline)
		e->ecx |= CPUID1_ECX_TSC_DEADLINE;
	put_bits(&e->ebx, 23, 16, min_u(1u << bits_for(cpus), 255));
	e->edx &= ~CPUID1_EDX_HTT;
	if (cpus > 1)
		e->edx |= CPUID1_EDX_HTT;
}

/*
 * Leaves 4 (Intel) and 0x8000001d (AMD) share their layout for EAX: type [4:0], level [7:5], CPUs
 * that share the cache minus one [25:14]; leaf 4 also has the cores of the package [31:26].
 */
static void cpuid_fit_caches(struct kvm_cpuid2 *c, unsigned cpus)
{
	unsigned all = 1u << bits_for(cpus);
	for (unsigned i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];
		if ((e->function != 4 && e->function != 0x8000001d) || !(e->eax & 0x1f))
			continue;
		bool is_shared = (e->eax >> 5 & 7) >= 3;
		put_bits(&e->eax, 25, 14, is_shared ? min_u(all, 4096) - 1 : 0);
		if (e->function == 4)
			put_bits(&e->eax, 31, 26, min_u(all, 64) - 1);
	}
}

static void cpuid_fit_topology(struct kvm_cpuid2 *c, unsigned cpus)
{
	const struct kvm_cpuid_entry2 *max = cpuid_find(c, 0, 0);
	if (!max || max->eax < 0xb)
		return;
	const uint32_t flag = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	cpuid_drop(c, 0xb);
	struct kvm_cpuid_entry2 *smt = cpuid_add(c, 0xb, 0, flag);
	smt->ebx = 1;
	smt->ecx = LEAF_B_TYPE_SMT;
	struct kvm_cpuid_entry2 *core = cpuid_add(c, 0xb, 1, flag);
	core->eax = bits_for(cpus);
	core->ebx = min_u(cpus, 0xffff);
	core->ecx = LEAF_B_TYPE_CORE | 1;
	cpuid_add(c, 0xb, 2, flag)->ecx = 2;
}

static void cpuid_fit_amd(struct kvm_cpuid2 *c, unsigned cpus)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(c, 0x80000001, 0);
	if (e && cpus > 1)
		e->ecx |= AMD1_ECX_CMP_LEGACY;
	e = cpuid_find(c, 0x80000008, 0);
	if (e) {
		put_bits(&e->ecx, 7, 0, min_u(cpus, 256) - 1);
		put_bits(&e->ecx, 15, 12, bits_for(cpus));
	}
}

void cpuid_fit(struct kvm_cpuid2 *c, unsigned cpus, bool has_tsc_deadline)
{
	cpuid_drop(c, 0x1f);
	cpuid_drop(c, 0x80000026);
	cpuid_fit_features(c, cpus, has_tsc_deadline);
	cpuid_fit_caches(c, cpus);
	cpuid_fit_topology(c, cpus);
	if (cpuid_is_amd(c))
		cpuid_fit_amd(c, cpus);
}

static void cpuid_ask_host(uint32_t function, uint32_t reg[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(reg[0]), "=b"(reg[1]), "=c"(reg[2]), "=d"(reg[3])
			 : "a"(function), "c"(0));
}

void cpuid_host_name(uint32_t ret_name[CPUID_NAME_WORDS])
{
	uint32_t max[4];
	memset(ret_name, 0, CPUID_NAME_WORDS * sizeof(ret_name[0]));
	cpuid_ask_host(0x80000000, max);
	for (uint32_t i = 0; i < 3 && max[0] >= LEAF_NAME + i; i++)
		cpuid_ask_host(LEAF_NAME + i, &ret_name[i * 4]);
}

void cpuid_put_name(struct kvm_cpuid2 *c, const uint32_t name[CPUID_NAME_WORDS])
{
	for (uint32_t i = 0; i < 3; i++) {
		struct kvm_cpuid_entry2 *e = cpuid_find(c, LEAF_NAME + i, 0);
		if (!e || e->eax || e->ebx || e->ecx || e->edx)
			continue;
		e->eax = name[i * 4];
		e->ebx = name[i * 4 + 1];
		e->ecx = name[i * 4 + 2];
		e->edx = name[i * 4 + 3];
	}
}

void cpuid_set_apic_id(struct kvm_cpuid2 *c, uint32_t apic_id)
{
	const struct kvm_cpuid_entry2 *amd = cpuid_find(c, 0x80000001, 0);
	bool has_topoext = amd && amd->ecx & AMD1_ECX_TOPOEXT && cpuid_is_amd(c);

	for (unsigned i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];
		if (e->function == 1) {
			put_bits(&e->ebx, 31, 24, apic_id);
		} else if (e->function == 0xb) {
			e->edx = apic_id;
		} else if (e->function == 0x8000001e && has_topoext) {
			e->eax = apic_id;
			e->ebx = apic_id & 0xff; /* core ID; one thread a core */
			e->ecx = 0;		 /* node 0 of 1 */
			e->edx = 0;
		}
	}
}

void cpuid_limit(struct kvm_cpuid2 *c, uint32_t max)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];
		if (e->function == 0 && e->eax > max)
			e->eax = max;
		if (e->function <= max || e->function >= CPUID_FIRST_ABOVE_BASIC)
			c->entries[kept++] = *e;
	}
	c->nent = kept;
}
