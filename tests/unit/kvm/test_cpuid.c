/* What guests are told by CPUID, on tables like those of KVM on Intel and AMD. */
#include "cpuid.h"
#include "test.h"

#define MAX_ENTRIES 64
#define INDEXED	    KVM_CPUID_FLAG_SIGNIFCANT_INDEX

union table {
	struct kvm_cpuid2 c;
	uint8_t room[sizeof(struct kvm_cpuid2) + MAX_ENTRIES * sizeof(struct kvm_cpuid_entry2)];
};

static void add(struct kvm_cpuid2 *c, uint32_t function, uint32_t index, uint32_t flags,
		const uint32_t reg[4])
{
	c->entries[c->nent++] = (struct kvm_cpuid_entry2){.function = function,
							  .index = index,
							  .flags = flags,
							  .eax = reg[0],
							  .ebx = reg[1],
							  .ecx = reg[2],
							  .edx = reg[3]};
}
#define ADD(c, f, i, fl, ...) add(c, f, i, fl, (const uint32_t[4]){__VA_ARGS__})

/* A host with 2 threads a core and 16 CPUs a last-level cache. */
static struct kvm_cpuid2 *intel(union table *t)
{
	memset(t, 0, sizeof(*t));
	struct kvm_cpuid2 *c = &t->c;
	ADD(c, 0, 0, 0, 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69);
	ADD(c, 1, 0, 0, 0x000806f8, 0x07200800, 0xfffa3203 & ~(1u << 31), 0x0f8bfbff);
	ADD(c, 4, 0, INDEXED, 0x1c004121 | 1 << 14, 0x02c0003f, 0x3f, 0);
	ADD(c, 4, 1, INDEXED, 0x1c004122 | 1 << 14, 0x01c0003f, 0x3f, 0);
	ADD(c, 4, 2, INDEXED, 0x1c004143 | 1 << 14, 0x03c0003f, 0x7ff, 0);
	ADD(c, 4, 3, INDEXED, 0x1c03c163, 0x03c0003f, 0xffff, 4);
	ADD(c, 4, 4, INDEXED, 0, 0, 0, 0);
	ADD(c, 7, 0, INDEXED, 2, 0xf1bf07ab, 0x1b415f6e, 0xbc814410);
	ADD(c, 0xb, 0, INDEXED, 1, 2, 0x100, 0x20);
	ADD(c, 0xb, 1, INDEXED, 5, 16, 0x201, 0x20);
	ADD(c, 0x1f, 0, INDEXED, 1, 2, 0x100, 0x20);
	ADD(c, 0x1f, 1, INDEXED, 5, 16, 0x201, 0x20);
	ADD(c, 0x40000000, 0, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d);
	ADD(c, 0x40000001, 0, 0, 0x01007efb, 0, 0, 0);
	ADD(c, 0x80000001, 0, 0, 0, 0, 0x121, 0x2c100800);
	ADD(c, 0x80000008, 0, 0, 0x302e, 0, 0x1234, 0);
	return c;
}

static struct kvm_cpuid2 *amd(union table *t)
{
	memset(t, 0, sizeof(*t));
	struct kvm_cpuid2 *c = &t->c;
	ADD(c, 0, 0, 0, 0x10, 0x68747541, 0x444d4163, 0x69746e65);
	ADD(c, 1, 0, 0, 0x00a10f11, 0x00020800, 0x01202000, 0x078bfbff);
	ADD(c, 0xb, 0, INDEXED, 0, 0, 0, 0);
	ADD(c, 0x80000000, 0, 0, 0x80000026, 0x68747541, 0x444d4163, 0x69746e65);
	ADD(c, 0x80000001, 0, 0, 0x00a10f11, 0x40000000, 0x00400391, 0x23d3fbff);
	ADD(c, 0x80000008, 0, 0, 0x3030, 0x50020005, 0x00007001, 0);
	ADD(c, 0x8000001d, 0, INDEXED, 0x4121, 0x01c0003f, 0x3f, 0);
	ADD(c, 0x8000001d, 3, INDEXED, 0x3c163, 0x03c0003f, 0x7fff, 1);
	ADD(c, 0x8000001e, 0, 0, 0x55, 0x101, 0x203, 0x44);
	ADD(c, 0x80000026, 0, INDEXED, 1, 2, 0x100, 0x20);
	return c;
}

static void test_name_is_put_where_kvm_has_none(void)
{
	union table t;
	struct kvm_cpuid2 *c = amd(&t);
	uint32_t name[CPUID_NAME_WORDS];
	memcpy(name, "AMD EPYC 9354P 32-Core Processor               ", sizeof(name));
	cpuid_put_name(c, name); /* no leaf to put it in */
	CHECK(!cpuid_find(c, 0x80000002, 0));
	for (uint32_t leaf = 0x80000002; leaf <= 0x80000004; leaf++)
		ADD(c, leaf, 0, 0, 0, 0, 0, 0);
	cpuid_put_name(c, name);
	CHECK_EQ(cpuid_find(c, 0x80000002, 0)->eax, 0x20444d41);
	CHECK_EQ(cpuid_find(c, 0x80000003, 0)->eax, name[4]);
	CHECK_EQ(cpuid_find(c, 0x80000004, 0)->edx, name[11]);
	name[0] = 0x31323334; /* KVM's own stays */
	cpuid_put_name(c, name);
	CHECK_EQ(cpuid_find(c, 0x80000002, 0)->eax, 0x20444d41);
	cpuid_host_name(name);
	CHECK(name[0] != 0x31323334);
}

#define LEAF(c, f, i) cpuid_find(c, f, i)
#define SHARED(e)     (((e)->eax >> 14 & 0xfff) + 1)
#define CORES(e)      (((e)->eax >> 26) + 1)

static void test_vendor_and_address_bits(void)
{
	union table t;
	CHECK(cpuid_is_intel(intel(&t)));
	CHECK_EQ(cpuid_phys_bits(&t.c), 0x2e);
	CHECK(!cpuid_is_intel(amd(&t)));
	CHECK_EQ(cpuid_phys_bits(&t.c), 0x30);
	t.c.nent = 1;
	CHECK_EQ(cpuid_phys_bits(&t.c), 36);
}

static void test_hypervisor_x2apic_and_deadline_bits(void)
{
	union table t;
	cpuid_fit(intel(&t), 1, true);
	CHECK_EQ(LEAF(&t.c, 1, 0)->ecx & (1u << 31 | 1u << 24 | 1u << 21),
		 1u << 31 | 1u << 24 | 1u << 21);
	cpuid_fit(intel(&t), 1, false);
	CHECK_EQ(LEAF(&t.c, 1, 0)->ecx >> 24 & 1, 0);
}

static void test_one_cpu_is_not_hyperthreaded(void)
{
	union table t;
	cpuid_fit(intel(&t), 1, true);
	cpuid_set_apic_id(&t.c, 0);
	const struct kvm_cpuid_entry2 *e = LEAF(&t.c, 1, 0);
	CHECK_EQ(e->ebx, 0x00010800);
	CHECK_EQ(e->edx >> 28 & 1, 0);
	CHECK_EQ(SHARED(LEAF(&t.c, 4, 3)), 1);
	CHECK_EQ(CORES(LEAF(&t.c, 4, 0)), 1);
	e = LEAF(&t.c, 0xb, 1);
	CHECK_EQ(e->eax, 0);
	CHECK_EQ(e->ebx, 1);
}

static void test_intel_package_of_six_cores(void)
{
	union table t;
	cpuid_fit(intel(&t), 6, true);
	cpuid_set_apic_id(&t.c, 5);
	const struct kvm_cpuid_entry2 *e = LEAF(&t.c, 1, 0);
	CHECK_EQ(e->ebx, 0x05080800);
	CHECK_EQ(e->edx >> 28 & 1, 1);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(SHARED(LEAF(&t.c, 4, i)), 1);
	CHECK_EQ(SHARED(LEAF(&t.c, 4, 3)), 8);
	CHECK_EQ(CORES(LEAF(&t.c, 4, 3)), 8);
	CHECK_EQ(LEAF(&t.c, 4, 4)->eax, 0);
	CHECK_EQ(LEAF(&t.c, 0x80000008, 0)->ecx, 0x1234);
	CHECK_EQ(LEAF(&t.c, 0x80000001, 0)->ecx, 0x121);
}

static void test_leaf_b_has_thread_and_core_levels(void)
{
	union table t;
	cpuid_fit(intel(&t), 6, true);
	cpuid_set_apic_id(&t.c, 5);
	const struct kvm_cpuid_entry2 *e = LEAF(&t.c, 0xb, 0);
	CHECK_EQ(e->eax, 0);
	CHECK_EQ(e->ebx, 1);
	CHECK_EQ(e->ecx, 0x100);
	CHECK_EQ(e->edx, 5);
	e = LEAF(&t.c, 0xb, 1);
	CHECK_EQ(e->eax, 3);
	CHECK_EQ(e->ebx, 6);
	CHECK_EQ(e->ecx, 0x201);
	CHECK_EQ(e->edx, 5);
	e = LEAF(&t.c, 0xb, 2);
	CHECK_EQ(e->ebx, 0);
	CHECK_EQ(e->ecx, 2);
	CHECK_EQ(e->edx, 5);
	CHECK(!LEAF(&t.c, 0xb, 3));
	CHECK(!LEAF(&t.c, 0x1f, 0));
}

static void test_amd_package_of_four_cores(void)
{
	union table t;
	cpuid_fit(amd(&t), 4, true);
	cpuid_set_apic_id(&t.c, 3);
	CHECK_EQ(LEAF(&t.c, 1, 0)->ebx, 0x03040800);
	CHECK_EQ(LEAF(&t.c, 0x80000001, 0)->ecx & 2, 2);
	CHECK_EQ(LEAF(&t.c, 0x80000008, 0)->ecx, 0x2003);
	CHECK_EQ(SHARED(LEAF(&t.c, 0x8000001d, 0)), 1);
	CHECK_EQ(SHARED(LEAF(&t.c, 0x8000001d, 3)), 4);
	CHECK_EQ(CORES(LEAF(&t.c, 0x8000001d, 3)), 1); /* reserved there: as the host has it */
	const struct kvm_cpuid_entry2 *e = LEAF(&t.c, 0x8000001e, 0);
	CHECK_EQ(e->eax, 3);
	CHECK_EQ(e->ebx, 3);
	CHECK_EQ(e->ecx, 0);
	CHECK_EQ(LEAF(&t.c, 0xb, 1)->ebx, 4);
	CHECK(!LEAF(&t.c, 0x80000026, 0));
}

static void test_amd_without_topoext_has_no_leaf_1e(void)
{
	union table t;
	LEAF(amd(&t), 0x80000001, 0)->ecx &= ~(1u << 22);
	cpuid_fit(&t.c, 4, true);
	cpuid_set_apic_id(&t.c, 3);
	CHECK_EQ(LEAF(&t.c, 0x8000001e, 0)->eax, 0x55);
}

static void test_more_cpus_than_the_narrow_fields_hold(void)
{
	union table t;
	cpuid_fit(intel(&t), 1024, true);
	cpuid_set_apic_id(&t.c, 1023);
	CHECK_EQ(LEAF(&t.c, 1, 0)->ebx, 0xffff0800);
	CHECK_EQ(CORES(LEAF(&t.c, 4, 3)), 64);
	CHECK_EQ(SHARED(LEAF(&t.c, 4, 3)), 1024);
	CHECK_EQ(LEAF(&t.c, 0xb, 1)->eax, 10);
	CHECK_EQ(LEAF(&t.c, 0xb, 1)->ebx, 1024);
	CHECK_EQ(LEAF(&t.c, 0xb, 0)->edx, 1023);
	cpuid_fit(amd(&t), 1024, true);
	CHECK_EQ(LEAF(&t.c, 0x80000008, 0)->ecx, 0xa0ff);
}

static void test_features_and_kvm_leaves_pass_unchanged(void)
{
	union table t, before;
	intel(&before);
	cpuid_fit(intel(&t), 2, true);
	cpuid_set_apic_id(&t.c, 1);
	static const uint32_t leaves[] = {0, 7, 0x40000000, 0x40000001, 0x80000001};
	for (unsigned i = 0; i < 5; i++)
		CHECK(memcmp(LEAF(&t.c, leaves[i], 0), LEAF(&before.c, leaves[i], 0),
			     sizeof(struct kvm_cpuid_entry2)) == 0);
}

static void test_fit_adds_no_more_than_its_room(void)
{
	union table t;
	amd(&t);
	unsigned before = t.c.nent;
	cpuid_fit(&t.c, 2, true);
	CHECK(t.c.nent <= before + CPUID_ROOM);
	/* A table without anything stays empty. */
	t.c.nent = 0;
	cpuid_fit(&t.c, 2, true);
	cpuid_set_apic_id(&t.c, 1);
	CHECK_EQ(t.c.nent, 0);
}

static void test_limit_hides_what_is_above(void)
{
	union table t;
	struct kvm_cpuid2 *c = intel(&t);
	unsigned before = c->nent;
	cpuid_limit(c, 2);
	CHECK(c->nent < before);
	for (unsigned i = 0; i < c->nent; i++) {
		CHECK(c->entries[i].function <= 2 || c->entries[i].function >= 0x40000000);
		if (c->entries[i].function == 0)
			CHECK_EQ(c->entries[i].eax, 2);
	}
	before = c->nent;
	cpuid_limit(c, 5);
	CHECK_EQ(c->nent, before);
	CHECK_EQ(c->entries[0].eax, 2);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_name_is_put_where_kvm_has_none),
		TEST_CASE(test_vendor_and_address_bits),
		TEST_CASE(test_hypervisor_x2apic_and_deadline_bits),
		TEST_CASE(test_one_cpu_is_not_hyperthreaded),
		TEST_CASE(test_intel_package_of_six_cores),
		TEST_CASE(test_leaf_b_has_thread_and_core_levels),
		TEST_CASE(test_amd_package_of_four_cores),
		TEST_CASE(test_amd_without_topoext_has_no_leaf_1e),
		TEST_CASE(test_more_cpus_than_the_narrow_fields_hold),
		TEST_CASE(test_features_and_kvm_leaves_pass_unchanged),
		TEST_CASE(test_limit_hides_what_is_above),
		TEST_CASE(test_fit_adds_no_more_than_its_room),
	};
	return TEST_RUN(cases);
}
