/*
 * Interrupt routing table. KVM takes it only as a whole, so it is kept here and handed over after
 * each change. GSIs 0 to 23 are the pins of IOAPIC and PIC; messages get GSIs above them. KVM's own
 * table differs in one wire: a PC has the PIT on the IOAPIC's input 2, and says so in its MADT.
 */
#include "route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where a PC wires the PIT; the PIC's cascade, IRQ 2, goes nowhere else. */
#define ROUTE_PIT_GSI	  0
#define ROUTE_PIT_PIN	  2
#define ROUTE_CASCADE_GSI 2

static void route_add_pin(struct kvm_irq_routing *r, unsigned gsi, unsigned chip, unsigned pin)
{
	struct kvm_irq_routing_entry *e = &r->entries[r->nr++];
	memset(e, 0, sizeof(*e));
	e->gsi = gsi;
	e->type = KVM_IRQ_ROUTING_IRQCHIP;
	e->u.irqchip.irqchip = chip;
	e->u.irqchip.pin = pin;
}

static void route_add_pins(struct kvm_irq_routing *r)
{
	for (unsigned i = 0; i < ROUTE_PIC_PINS; i++)
		route_add_pin(r, i, i < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, i % 8);
	for (unsigned i = 0; i < ROUTE_IOAPIC_PINS; i++) {
		if (i != ROUTE_CASCADE_GSI)
			route_add_pin(r, i, KVM_IRQCHIP_IOAPIC,
				      i == ROUTE_PIT_GSI ? ROUTE_PIT_PIN : i);
	}
}

int route_init(struct route_table *t, unsigned gsi_max)
{
	memset(t, 0, sizeof(*t));
	t->gsi_max = gsi_max;
	t->capacity = 2 * ROUTE_PINS;
	t->used = calloc(gsi_max / 64 + 1, sizeof(uint64_t));
	t->routing = calloc(1, sizeof(*t->routing) + t->capacity * sizeof(t->routing->entries[0]));
	if (!t->used || !t->routing) {
		route_fini(t);
		return -ENOMEM;
	}
	route_add_pins(t->routing);
	return 0;
}

void route_fini(struct route_table *t)
{
	free(t->routing);
	free(t->used);
	memset(t, 0, sizeof(*t));
}

/* Room for one more entry. */
static int route_grow(struct route_table *t)
{
	if (t->routing->nr < t->capacity)
		return 0;
	struct kvm_irq_routing *r =
		realloc(t->routing, sizeof(*r) + 2 * t->capacity * sizeof(r->entries[0]));
	if (!r)
		return -ENOMEM;
	t->routing = r;
	t->capacity *= 2;
	return 0;
}

static struct kvm_irq_routing_entry *route_find(struct route_table *t, unsigned gsi)
{
	for (unsigned i = ROUTE_PINS; i < t->routing->nr; i++) {
		if (t->routing->entries[i].gsi == gsi)
			return &t->routing->entries[i];
	}
	return NULL;
}

int route_add(struct route_table *t, uint64_t addr, uint32_t data)
{
	int rc = route_grow(t);
	if (rc)
		return rc;
	unsigned gsi = ROUTE_IOAPIC_PINS;
	while (gsi < t->gsi_max && t->used[gsi / 64] >> gsi % 64 & 1)
		gsi++;
	/* KVM also bounds the entries, pins included, by the number of GSIs. */
	if (gsi >= t->gsi_max || t->routing->nr >= t->gsi_max)
		return -ENOSPC;
	t->used[gsi / 64] |= 1ULL << gsi % 64;
	struct kvm_irq_routing_entry *e = &t->routing->entries[t->routing->nr++];
	memset(e, 0, sizeof(*e));
	e->gsi = gsi;
	e->type = KVM_IRQ_ROUTING_MSI;
	route_change(t, gsi, addr, data);
	return (int)gsi;
}

bool route_change(struct route_table *t, unsigned gsi, uint64_t addr, uint32_t data)
{
	struct kvm_irq_routing_entry *e = route_find(t, gsi);
	if (!e)
		return false;
	struct kvm_irq_routing_msi msi = {
		.address_lo = (uint32_t)addr, .address_hi = addr >> 32, .data = data};
	bool is_changed = e->u.msi.address_lo != msi.address_lo ||
			  e->u.msi.address_hi != msi.address_hi || e->u.msi.data != msi.data;
	e->u.msi = msi;
	return is_changed;
}

void route_remove(struct route_table *t, unsigned gsi)
{
	struct kvm_irq_routing_entry *e = route_find(t, gsi);
	if (!e)
		return;
	*e = t->routing->entries[--t->routing->nr];
	t->used[gsi / 64] &= ~(1ULL << gsi % 64);
}
