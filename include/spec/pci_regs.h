/* Registers of conventional PCI: PCI Local Bus Specification 3.0, chapter 6; MSI-X: section 6.8.2.
 */
#ifndef SPEC_PCI_REGS_H
#define SPEC_PCI_REGS_H

#include <stdint.h>

/* Type 0 configuration header (section 6.1). */
#define PCI_VENDOR_ID		0x00
#define PCI_DEVICE_ID		0x02
#define PCI_COMMAND		0x04
#define PCI_STATUS		0x06
#define PCI_REVISION_ID		0x08
#define PCI_CLASS_PROG		0x09
#define PCI_CACHE_LINE_SIZE	0x0c
#define PCI_LATENCY_TIMER	0x0d
#define PCI_HEADER_TYPE		0x0e
#define PCI_HEADER_MULTI	0x80
#define PCI_BASE_ADDRESS_0	0x10
#define PCI_BASE_ADDRESS_IO	0x01
#define PCI_BASE_ADDRESSES_END	0x28
#define PCI_SUBSYSTEM_VENDOR_ID 0x2c
#define PCI_SUBSYSTEM_ID	0x2e
#define PCI_CAPABILITY_LIST	0x34
#define PCI_INTERRUPT_LINE	0x3c
#define PCI_INTERRUPT_PIN	0x3d
#define PCI_HEADER_END		0x40

#define PCI_COMMAND_IO		 0x0001
#define PCI_COMMAND_MEMORY	 0x0002
#define PCI_COMMAND_MASTER	 0x0004
#define PCI_COMMAND_INTX_DISABLE 0x0400

#define PCI_STATUS_INTERRUPT 0x0008
#define PCI_STATUS_CAP_LIST  0x0010
#define PCI_STATUS_RW1C	     0xf900 /* parity, system and target errors: a one clears */

/* CONFIG_ADDRESS (section 3.2.2.3.2). */
#define PCI_CONFIG_ADDRESS_PORT	  0xcf8
#define PCI_CONFIG_DATA_PORT	  0xcfc
#define PCI_CONFIG_ADDRESS_ENABLE 0x80000000u
#define PCI_CONFIG_ADDRESS_WMASK  0x80fffffcu

/* ECAM (PCI Express Base 4.0, section 7.2.2): bus << 20 | devfn << 12 | register. */
#define PCI_ECAM_BUS_SIZE   0x100000u
#define PCI_ECAM_FUNC_SIZE  0x1000u
#define PCI_ECAM_FUNC_SHIFT 12

/* Capabilities (section 6.7, appendix H). */
#define PCI_CAP_ID_MSIX	   0x11
#define PCI_CAP_ID_VENDOR  0x09
#define PCI_CAP_NEXT	   1
#define PCI_MSIX_CONTROL   2
#define PCI_MSIX_ENABLE	   0x8000
#define PCI_MSIX_FUNC_MASK 0x4000

struct pci_msix_cap {
	uint8_t id;
	uint8_t next;
	uint16_t control;
	uint32_t table; /* offset | BAR */
	uint32_t pba;
} __attribute__((packed));
_Static_assert(sizeof(struct pci_msix_cap) == 12, "PCI 3.0 section 6.8.2");

struct pci_msix_entry {
	uint32_t addr_low;
	uint32_t addr_high;
	uint32_t data;
	uint32_t control;
};
_Static_assert(sizeof(struct pci_msix_entry) == 16, "PCI 3.0 section 6.8.2.6");

#define PCI_MSIX_ENTRY_ADDR_MASK    0xfffffffcu
#define PCI_MSIX_ENTRY_CONTROL_MASK 0x00000001u

#define PCI_CLASS_BRIDGE_HOST 0x060000u

#endif
