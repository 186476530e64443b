/* Between the files of the board. */
#ifndef PC_PARTS_H
#define PC_PARTS_H

#include "pc.h"

#include <tinyvm/bus.h>
#include <tinyvm/kvm.h>

struct err;

/* An input of KVM's interrupt controllers; goes nowhere on a board without a VM. */
struct irq_line pc_gsi(const struct pc *pc, unsigned gsi);

/* The board destroys @dev, and its state is the machine's. */
void pc_own(struct pc *pc, struct device *dev);

int pc_add_ports(struct pc *pc, struct device *dev, uint16_t port, unsigned count,
		 const struct bus_ops *ops, struct err *err);
int pc_no_memory(struct err *err);

/* pc_legacy.c: where a PC's first megabyte is not RAM, and its ROM. */
void pc_legacy_memory(const struct pc *pc, struct kvm_config *cfg);

/* The chip set in place of the generic bridge. */
struct pci_host_config;
void pc_legacy_pci(struct pci_host_config *cfg);

/* The chips that only the PC has, before @pc has its PCI functions; then its drives. */
int pc_add_legacy(struct pc *pc, struct clock clock, struct err *err);
int pc_add_drives(struct pc *pc, struct err *err);

/* Last of all, when the tables are in place. */
int pc_add_bios(struct pc *pc, struct clock clock, struct err *err);

/* What is wired to the clock and the keyboard controller there. */
void pc_legacy_cmos(struct pc *pc, struct cmos_config *cfg);
void pc_legacy_i8042(struct pc *pc, struct clock clock, struct i8042_config *cfg);

/* Drives let go of their images; what outlives its device. */
void pc_legacy_detach(struct pc *pc);
void pc_legacy_destroy(struct pc *pc);

#endif
