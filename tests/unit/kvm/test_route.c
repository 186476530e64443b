/* The interrupt routing table. */
#include "route.h"
#include "test.h"

#define PINS ROUTE_PINS

static const struct kvm_irq_routing_entry *find(const struct route_table *t, unsigned gsi,
						unsigned type, unsigned chip)
{
	for (unsigned i = 0; i < t->routing->nr; i++) {
		const struct kvm_irq_routing_entry *e = &t->routing->entries[i];
		if (e->gsi == gsi && e->type == type &&
		    (type == KVM_IRQ_ROUTING_MSI || e->u.irqchip.irqchip == chip))
			return e;
	}
	return NULL;
}

static void test_pins_are_wired_as_in_a_pc(void)
{
	struct route_table t;
	CHECK_EQ(route_init(&t, 4096), 0);
	CHECK_EQ(t.routing->nr, PINS);
	for (unsigned i = 0; i < 24; i++) {
		const struct kvm_irq_routing_entry *e =
			find(&t, i, KVM_IRQ_ROUTING_IRQCHIP, KVM_IRQCHIP_IOAPIC);
		CHECK_EQ(e != NULL, i != 2);
		if (e)
			CHECK_EQ(e->u.irqchip.pin, i ? i : 2);
		e = find(&t, i, KVM_IRQ_ROUTING_IRQCHIP,
			 i < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE);
		CHECK_EQ(e != NULL, i < 16);
		if (e)
			CHECK_EQ(e->u.irqchip.pin, i % 8);
	}
	CHECK_EQ(route_add(&t, 0xfee01000, 0x41), 24);
	CHECK_EQ(t.routing->nr, PINS + 1);
	route_fini(&t);
}

static void test_message_keeps_address_and_data(void)
{
	struct route_table t;
	CHECK_EQ(route_init(&t, 4096), 0);
	int gsi = route_add(&t, 0x12345678fee02000ULL, 0x4321);
	const struct kvm_irq_routing_entry *e = find(&t, (unsigned)gsi, KVM_IRQ_ROUTING_MSI, 0);
	CHECK(e);
	CHECK_EQ(e->u.msi.address_lo, 0xfee02000);
	CHECK_EQ(e->u.msi.address_hi, 0x12345678);
	CHECK_EQ(e->u.msi.data, 0x4321);
	route_fini(&t);
}

static void test_change_tells_whether_anything_did(void)
{
	struct route_table t;
	CHECK_EQ(route_init(&t, 4096), 0);
	unsigned gsi = (unsigned)route_add(&t, 0xfee00000, 1);
	CHECK(!route_change(&t, gsi, 0xfee00000, 1));
	CHECK(route_change(&t, gsi, 0xfee00000, 2));
	CHECK(route_change(&t, gsi, 0xfee01000, 2));
	CHECK(route_change(&t, gsi, 0x1fee01000, 2));
	CHECK(!route_change(&t, gsi, 0x1fee01000, 2));
	CHECK(!route_change(&t, gsi + 1, 0xfee00000, 9)); /* not there */
	CHECK_EQ(t.routing->nr, PINS + 1);
	route_fini(&t);
}

static void test_removed_gsi_is_used_again(void)
{
	struct route_table t;
	CHECK_EQ(route_init(&t, 4096), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(route_add(&t, 0xfee00000, (uint32_t)i), 24 + i);
	route_remove(&t, 26);
	CHECK_EQ(t.routing->nr, PINS + 4);
	CHECK(!find(&t, 26, KVM_IRQ_ROUTING_MSI, 0));
	CHECK_EQ(find(&t, 28, KVM_IRQ_ROUTING_MSI, 0)->u.msi.data, 4);
	route_remove(&t, 26); /* twice is nothing */
	CHECK_EQ(t.routing->nr, PINS + 4);
	CHECK_EQ(route_add(&t, 0xfee00000, 7), 26);
	CHECK_EQ(route_add(&t, 0xfee00000, 8), 29);
	route_fini(&t);
}

static void test_full_table_returns_enospc(void)
{
	struct route_table t;
	unsigned n = 0;
	CHECK_EQ(route_init(&t, 200), 0);
	int gsi;
	while ((gsi = route_add(&t, 0xfee00000, n)) >= 0)
		n++;
	CHECK_EQ(gsi, -ENOSPC);
	CHECK_EQ(n, 200 - PINS); /* KVM bounds pins and messages together */
	for (unsigned i = 0; i < n; i++)
		CHECK_EQ(find(&t, 24 + i, KVM_IRQ_ROUTING_MSI, 0)->u.msi.data, i);
	route_fini(&t);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_pins_are_wired_as_in_a_pc),
		TEST_CASE(test_message_keeps_address_and_data),
		TEST_CASE(test_change_tells_whether_anything_did),
		TEST_CASE(test_removed_gsi_is_used_again),
		TEST_CASE(test_full_table_returns_enospc),
	};
	return TEST_RUN(cases);
}
