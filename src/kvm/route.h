/* The VM's interrupt routing table: the chips' pins, then MSI messages. Pure data. */
#ifndef KVM_ROUTE_H
#define KVM_ROUTE_H

#include "linux_kvm.h"
#include <stdbool.h>
#include <stdint.h>

#define ROUTE_PIC_PINS	  16
#define ROUTE_IOAPIC_PINS 24
#define ROUTE_PINS	  (ROUTE_PIC_PINS + ROUTE_IOAPIC_PINS - 1) /* all but the cascade */

/**
 * struct route_table - what KVM_SET_GSI_ROUTING takes, with its allocation
 * @routing:  PIC and IOAPIC pins, then one entry for each MSI message
 * @capacity: entries allocated
 * @gsi_max:  GSIs that KVM has (KVM_CAP_IRQ_ROUTING)
 * @used:     bit n: GSI n has a message
 */
struct route_table {
	struct kvm_irq_routing *routing;
	unsigned capacity;
	unsigned gsi_max;
	uint64_t *used;
};

/* The pins only. Return: 0 or -ENOMEM. */
int route_init(struct route_table *t, unsigned gsi_max) __attribute__((warn_unused_result));
void route_fini(struct route_table *t);

/* A new message on the lowest free GSI above the pins. Return: the GSI, -ENOMEM, -ENOSPC. */
int route_add(struct route_table *t, uint64_t addr, uint32_t data);

/* Return: true when @gsi's message differs from what it was, so that KVM must be told. */
bool route_change(struct route_table *t, unsigned gsi, uint64_t addr, uint32_t data);
void route_remove(struct route_table *t, unsigned gsi);

#endif
