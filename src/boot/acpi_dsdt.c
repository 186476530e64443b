/*
 * The namespace: what a driver cannot find by itself. ACPI 6.4 chapters 5 and 6.
 *
 * Each object is here because something in a stock kernel asks for it. Left out on purpose: control
 * methods (nothing here runs), _OSC (the bus has no PCIe features to negotiate), and the PM ports'
 * reservation (an OS claims what the FADT names).
 */
#include "acpi_dsdt.h"

#include "aml.h"

#include <assert.h>
#include <stdio.h>
#include <tinyvm/acpi.h>
#include <tinyvm/legacy.h>

#define I8042_DATA_PORT	   0x60
#define I8042_COMMAND_PORT 0x64
#define KEYBOARD_IRQ	   1
#define MOUSE_IRQ	   12

#define PCI_SLOTS     32
#define ECAM_BUS_SIZE 0x100000u
#define CF8_PORT      0xcf8
#define CF8_PORTS     8

static void dsdt_hid_uid(struct aml *a, const char *eisaid, unsigned uid)
{
	aml_name(a, "_HID");
	aml_eisaid(a, eisaid);
	aml_name(a, "_UID");
	aml_integer(a, uid);
}

/* SLP_TYPa and SLP_TYPb of soft-off, and two reserved. */
static void dsdt_s5(struct aml *a)
{
	aml_name(a, "_S5_");
	size_t package = aml_package(a, 4);
	aml_integer(a, PM_SLP_TYP_S5);
	for (unsigned i = 0; i < 3; i++)
		aml_integer(a, 0);
	aml_close(a, package);
}

/* _UID is what the MADT calls the processor's UID. */
static void dsdt_cpus(struct aml *a, unsigned cpus)
{
	for (unsigned i = 0; i < cpus; i++) {
		char name[8];
		snprintf(name, sizeof(name), "C%03X", i & 0xfff);
		size_t device = aml_device(a, name);
		aml_name(a, "_HID");
		aml_string(a, "ACPI0007");
		aml_name(a, "_UID");
		aml_integer(a, i);
		aml_close(a, device);
	}
}

/* INTA# of every slot; no function uses another pin. */
static void dsdt_prt(struct aml *a, const struct acpi_board *board)
{
	aml_name(a, "_PRT");
	size_t table = aml_package(a, PCI_SLOTS);
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		size_t route = aml_package(a, 4);
		aml_integer(a, slot << 16 | 0xffff);
		aml_integer(a, 0);
		aml_integer(a, 0);
		aml_integer(a, board->pci_intx_gsi[slot % 4]);
		aml_close(a, route);
	}
	aml_close(a, table);
}

/*
 * Bus 0 holds conventional functions only, so the bridge is a PNP0A03: for a PNP0A08 Linux wants to
 * negotiate PCIe features. ECAM is found through the MCFG either way.
 */
static void dsdt_pci(struct aml *a, const struct acpi_board *board)
{
	size_t device = aml_device(a, "PCI0");
	dsdt_hid_uid(a, "PNP0A03", 0);
	aml_name(a, "_SEG");
	aml_integer(a, 0);
	aml_name(a, "_BBN");
	aml_integer(a, 0);
	aml_name(a, "_CRS");
	size_t resources = aml_resources(a);
	aml_res_bus_window(a, 0, 0);
	aml_res_io(a, CF8_PORT, CF8_PORTS);
	/* IDE at its usual ports, and I/O BARs: all but the bridge's own. */
	if (board->has_pc_devices) {
		aml_res_io_window(a, 0, CF8_PORT - 1);
		aml_res_io_window(a, CF8_PORT + CF8_PORTS, UINT16_MAX);
	}
	aml_res_memory_window(a, (uint32_t)board->pci_mmio_base, (uint32_t)board->pci_mmio_last);
	aml_resources_close(a, resources);
	dsdt_prt(a, board);
	aml_close(a, device);

	/* Linux uses ECAM only where a motherboard resource reserves it. */
	device = aml_device(a, "MBRD");
	dsdt_hid_uid(a, "PNP0C02", 0);
	aml_name(a, "_CRS");
	resources = aml_resources(a);
	aml_res_memory(a, (uint32_t)board->ecam_base, ECAM_BUS_SIZE);
	aml_resources_close(a, resources);
	aml_close(a, device);
}

static void dsdt_serial(struct aml *a, const struct acpi_board *board)
{
	for (unsigned i = 0; i < board->serial_count; i++) {
		const char name[] = {'C', 'O', 'M', (char)('1' + i), 0};
		size_t device = aml_device(a, name);
		dsdt_hid_uid(a, "PNP0501", i + 1);
		aml_name(a, "_CRS");
		size_t resources = aml_resources(a);
		aml_res_io(a, board->serial[i].port, SERIAL_PORTS);
		aml_res_isa_irq(a, board->serial[i].gsi);
		aml_resources_close(a, resources);
		aml_close(a, device);
	}
}

static void dsdt_ports(struct aml *a, uint16_t port, uint8_t count)
{
	aml_name(a, "_CRS");
	size_t resources = aml_resources(a);
	aml_res_io(a, port, count);
	aml_resources_close(a, resources);
}

static void dsdt_rtc(struct aml *a, uint16_t port)
{
	size_t device = aml_device(a, "RTC_");
	aml_name(a, "_HID");
	aml_eisaid(a, "PNP0B00");
	dsdt_ports(a, port, CMOS_PORTS);
	aml_close(a, device);
}

static void dsdt_keyboard_and_mouse(struct aml *a)
{
	size_t device = aml_device(a, "KBD_");
	aml_name(a, "_HID");
	aml_eisaid(a, "PNP0303");
	aml_name(a, "_CRS");
	size_t resources = aml_resources(a);
	aml_res_io(a, I8042_DATA_PORT, 1);
	aml_res_io(a, I8042_COMMAND_PORT, 1);
	aml_res_isa_irq(a, KEYBOARD_IRQ);
	aml_resources_close(a, resources);
	aml_close(a, device);

	device = aml_device(a, "MOU_");
	aml_name(a, "_HID");
	aml_eisaid(a, "PNP0F13");
	aml_name(a, "_CRS");
	resources = aml_resources(a);
	aml_res_isa_irq(a, MOUSE_IRQ);
	aml_resources_close(a, resources);
	aml_close(a, device);
}

/* QEMU docs/specs/pvpanic; Linux before 5.12 wants to see _STA. */
static void dsdt_pvpanic(struct aml *a, uint16_t port)
{
	size_t device = aml_device(a, "PEVT");
	aml_name(a, "_HID");
	aml_string(a, "QEMU0001");
	aml_name(a, "_STA");
	aml_integer(a, 0xf);
	dsdt_ports(a, port, PVPANIC_PORTS);
	aml_close(a, device);
}

static void dsdt_virtio_mmio(struct aml *a, const struct acpi_board *board)
{
	for (unsigned i = 0; i < board->virtio_mmio_count; i++) {
		char name[8];
		snprintf(name, sizeof(name), "VR%02u", i % 100);
		size_t device = aml_device(a, name);
		aml_name(a, "_HID");
		aml_string(a, "LNRO0005");
		aml_name(a, "_UID");
		aml_integer(a, i);
		aml_name(a, "_CRS");
		size_t resources = aml_resources(a);
		assert(board->virtio_mmio[i].gpa <= UINT32_MAX);
		aml_res_memory(a, (uint32_t)board->virtio_mmio[i].gpa, board->virtio_mmio[i].size);
		aml_res_interrupt_level_high(a, board->virtio_mmio[i].gsi);
		aml_resources_close(a, resources);
		aml_close(a, device);
	}
}

void acpi_dsdt_describe(struct aml *a, const struct acpi_board *board)
{
	dsdt_s5(a);
	size_t sb = aml_scope_sb(a);
	dsdt_cpus(a, board->cpus);
	if (board->ecam_base)
		dsdt_pci(a, board);
	dsdt_serial(a, board);
	if (board->cmos_base)
		dsdt_rtc(a, board->cmos_base);
	if (board->has_pc_devices)
		dsdt_keyboard_and_mouse(a);
	if (board->pvpanic_port)
		dsdt_pvpanic(a, board->pvpanic_port);
	dsdt_virtio_mmio(a, board);
	aml_close(a, sb);
}
