/* Application processors: ACPI's count, INIT/SIPI, what CPUID tells each, IPIs to each. */
#include "rt.h"

static volatile uint32_t here[AP_MAX]; /* by APIC ID: 1 + arrival number */
static volatile unsigned arrived, wrong_cpuid, rang;

HANDLER on_ipi(struct frame *f)
{
	(void)f;
	__atomic_fetch_add(&rang, 1, __ATOMIC_SEQ_CST);
	lapic_eoi();
}

static bool cpuid_is_right(uint32_t id)
{
	bool is_right = cpuid(1, 0).ebx >> 24 == id;
	if (cpuid(0, 0).eax >= 0xb)
		is_right &= cpuid(0xb, 0).edx == id && cpuid(0xb, 1).edx == id;
	return is_right;
}

static void ap(unsigned n)
{
	lapic_enable();
	uint32_t id = lapic_id();
	if (!cpuid_is_right(id))
		__atomic_fetch_add(&wrong_cpuid, 1, __ATOMIC_SEQ_CST);
	if (id < AP_MAX)
		here[id] = n + 1;
	__atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
	for (;;)
		wait_irq();
}

static void check_topology(unsigned cpus)
{
	struct cpuid one = cpuid(1, 0);
	expect(one.ecx >> 31 & 1, "hypervisor bit");
	if (cpus > 1) /* a paravirtual KVM may show the host's bit to a single CPU too */
		expect(one.edx >> 28 & 1, "HTT with more than one CPU");
	expect((one.ebx >> 16 & 0xff) >= cpus, "logical processor count");
	if (cpuid(0, 0).eax < 0xb) {
		skip("leaf 0xb");
		return;
	}
	expect_eq(cpuid(0xb, 0).ecx, 0x100, "leaf 0xb: thread level");
	expect_eq(cpuid(0xb, 0).ebx & 0xffff, 1, "leaf 0xb: one thread a core");
	expect_eq(cpuid(0xb, 1).ecx, 0x201, "leaf 0xb: core level");
	expect_eq(cpuid(0xb, 1).ebx & 0xffff, cpus, "leaf 0xb: cores");
	expect_eq(cpuid(0xb, 2).ecx, 2, "leaf 0xb: end");
}

void guest_main(void)
{
	unsigned cpus = acpi_cpus();
	if (!expect(cpus >= 1 && cpus <= AP_MAX, "ACPI lists the CPUs"))
		return;
	put("guest: cpus ");
	put_dec(cpus);
	put("\n");
	lapic_enable();
	expect_eq(lapic_id(), 0, "boot processor has APIC ID 0");
	expect(cpuid_is_right(0), "CPUID of the boot processor");
	check_topology(cpus);
	expect_eq(cpuid(0x40000000, 0).ebx, 0x4b4d564b, "KVM signature");
	expect(cpuid(0x40000001, 0).eax >> 3 & 1, "kvmclock");

	set_handler(0x40, on_ipi);
	ap_start_all(cpus, ap);
	while (arrived < cpus - 1)
		__asm__ volatile("pause");
	bool is_all = true;
	for (unsigned id = 1; id < cpus; id++)
		is_all &= here[id] != 0;
	expect(is_all, "every CPU has started under its APIC ID");
	expect_eq(wrong_cpuid, 0, "CPUID of the others");
	for (unsigned id = 1; id < cpus; id++)
		lapic_ipi(id, 0x40);
	while (rang < cpus - 1)
		__asm__ volatile("pause");
	expect(true, "every CPU takes an IPI");
}
