/* The chip set of a PC with PCI: Intel 82441FX (440FX) host bridge, 82371SB (PIIX3) ISA bridge. */
#ifndef TINYVM_PIIX_H
#define TINYVM_PIIX_H

#include <tinyvm/device.h>
#include <tinyvm/pci.h>

/* The host bridge's identity, and its registers for shadow memory, which are storage: it is there.
 */
extern const struct pci_id piix_host_id;
void piix_host_prepare(struct pci_func *bridge);

/* The ISA bridge, function 0 of its device: interrupt routing, which is storage. 0 or -ENOMEM. */
int piix3_create(struct device **ret_dev, struct pci_func **ret_func)
	__attribute__((warn_unused_result));

#endif
