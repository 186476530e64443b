/* The board's map: every port, address and interrupt in one place. docs/architecture.md shows it.
 */
#ifndef BOARD_H
#define BOARD_H

/* Port I/O */
#define BOARD_DMA_LOW_PORT	 0x00
#define BOARD_CMOS_PORT		 0x70
#define BOARD_PORT92		 0x92
#define BOARD_I8042_DATA_PORT	 0x60
#define BOARD_I8042_COMMAND_PORT 0x64
#define BOARD_DMA_HIGH_PORT	 0xc0
#define BOARD_IDE1_PORT		 0x170
#define BOARD_IDE0_PORT		 0x1f0
#define BOARD_IDE1_CONTROL_PORT	 0x376
#define BOARD_FDC_PORT		 0x3f0
#define BOARD_IDE0_CONTROL_PORT	 0x3f6
#define BOARD_COM1_PORT		 0x3f8
#define BOARD_PVPANIC_PORT	 0x505
#define BOARD_BIOS_PORT		 0x510
#define BOARD_PM_PORT		 0x600
#define BOARD_PCI_IO_BASE	 0xc000
#define BOARD_PCI_IO_LAST	 0xcfff

/* MMIO, all in the hole below 4 GiB */
#define BOARD_PCI_MMIO_BASE	 0xc0000000u
#define BOARD_PCI_MMIO_LAST	 0xdfffffffu
#define BOARD_ECAM_BASE		 0xe0000000u
#define BOARD_ECAM_SIZE		 0x00100000u
#define BOARD_VIRTIO_MMIO_BASE	 0xfeb00000u
#define BOARD_VIRTIO_MMIO_STRIDE 0x1000u
#define BOARD_IOAPIC_BASE	 0xfec00000u
#define BOARD_LAPIC_BASE	 0xfee00000u

/* In RAM: the RSDP where a BIOS would have it; the tables it leads to end where low RAM ends. */
#define BOARD_RSDP_GPA 0xe0000u

/* Interrupts: GSIs. The first 16 are ISA's; PCI INTx and virtio-mmio share the upper ones. */
#define BOARD_KEYBOARD_GSI     1
#define BOARD_COM1_GSI	       4
#define BOARD_FDC_GSI	       6
#define BOARD_RTC_GSI	       8
#define BOARD_SCI_GSI	       9
#define BOARD_MOUSE_GSI	       12
#define BOARD_IDE0_GSI	       14
#define BOARD_IDE1_GSI	       15
#define BOARD_PCI_INTX_GSI     16
#define BOARD_PCI_INTX_COUNT   4
#define BOARD_VIRTIO_MMIO_GSI  16
#define BOARD_VIRTIO_MMIO_GSIS 8

/* The PC's chip set; what is plugged in begins behind it. */
#define BOARD_PIIX_SLOT 1
#define BOARD_CD_UNIT	2 /* secondary master */

#define BOARD_VIRTIO_MAX 31 /* a PCI bus has room for so many beside its bridge */

#endif
