/* ACPI 6.4 tables for the board: RSDP, XSDT, FADT, MADT, MCFG, DSDT. */
#ifndef TINYVM_ACPI_H
#define TINYVM_ACPI_H

#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/gmem.h>

struct err;

#define ACPI_VIRTIO_MMIO_MAX 32

/**
 * struct acpi_board - what the tables describe
 * @cpus: APIC IDs 0 to cpus-1 (x2APIC entries from 255 on)
 * @sci_gsi: level, active high, which the MADT's interrupt source override says
 * @pm_base: PM register block (legacy.h PM_*), @reset_port/@reset_value: FADT reset register
 * @serial: I/O bases and GSIs of the UARTs
 * @cmos_base: RTC port, 0 for none
 * @has_pc_devices: keyboard, mouse (behind an i8042 at its usual ports) and VGA
 * @pvpanic_port: 0 for none (_HID QEMU0001)
 * @ecam_base, @pci_mmio_base/last: 0 for a board without PCI; bus 0 only
 * @pci_intx_gsi: GSIs of INTA# by slot: pci_intx_gsi[slot % 4] (all pins of a slot share one)
 * @virtio_mmio: windows and GSIs of virtio-mmio devices (_HID LNRO0005)
 */
struct acpi_board {
	unsigned cpus;
	uint32_t ioapic_base;
	uint32_t lapic_base;
	unsigned sci_gsi;
	uint16_t pm_base;
	uint16_t reset_port;
	uint8_t reset_value;
	struct {
		uint16_t port;
		uint8_t gsi;
	} serial[2];
	unsigned serial_count;
	uint16_t cmos_base;
	bool has_pc_devices;
	uint16_t pvpanic_port;
	uint64_t ecam_base;
	uint64_t pci_mmio_base, pci_mmio_last;
	uint8_t pci_intx_gsi[4];
	struct {
		uint64_t gpa;
		uint32_t size;
		uint8_t gsi;
	} virtio_mmio[ACPI_VIRTIO_MMIO_MAX];
	unsigned virtio_mmio_count;
};

/**
 * acpi_size() - bytes that acpi_build() needs for @board's tables, page aligned
 * acpi_build() - write all tables at @tables (page aligned, acpi_size() bytes) and the RSDP at
 *                @rsdp (16-byte aligned, 36 bytes, in 0xe0000-0xfffff)
 * Return: 0, -ENOMEM, -EFAULT when the ranges are not RAM.
 */
uint64_t acpi_size(const struct acpi_board *board);
int acpi_build(struct gmem *gm, const struct acpi_board *board, gpa_t rsdp, gpa_t tables)
	__attribute__((warn_unused_result));

#endif
