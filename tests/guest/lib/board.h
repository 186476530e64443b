/* The board as a guest meets it; src/machine/board.h seen from the other side. */
#ifndef BOARD_H
#define BOARD_H

#define COM1	   0x3f8
#define COM1_GSI   4
#define PIT_GSI	   2 /* the MADT overrides IRQ 0 */
#define CMOS	   0x70
#define I8042	   0x64
#define PM_BASE	   0x600
#define PM1_CNT	   (PM_BASE + 4)
#define PM_TMR	   (PM_BASE + 8)
#define PVPANIC	   0x505
#define RESET_PORT 0xcf9
#define PCI_ADDR   0xcf8
#define PCI_DATA   0xcfc

#define ECAM		   0xe0000000UL
#define PCI_MMIO_BASE	   0xc0000000UL
#define PCI_MMIO_LAST	   0xdfffffffUL
#define VIRTIO_MMIO	   0xfeb00000UL
#define VIRTIO_MMIO_STRIDE 0x1000UL
#define VIRTIO_MMIO_MAX	   32
#define VIRTIO_MMIO_GSI(n) (16 + (n) % 8)
#define PCI_INTX_GSI(slot) (16 + (slot) % 4)
#define IOAPIC		   0xfec00000UL
#define LAPIC		   0xfee00000UL
#define RSDP		   0xe0000UL

/* Nobody lives there. */
#define NO_PORT 0x4000
#define NO_MMIO 0xfd000000UL

#endif
