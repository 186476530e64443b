/*
 * ACPI tables for the board: FACS, DSDT, FADT, MADT, MCFG, XSDT, RSDP. ACPI 6.4, chapter 5.
 *
 * Whatever a stock kernel would probe for is declared here, as present or as absent. Left out on
 * purpose: the RSDT (no 64-bit OS reads it), general-purpose events, SMI commands (ACPI is always
 * enabled), HPET (KVM's clocks are better), sleep states but S5.
 */
#include "acpi_dsdt.h"
#include "aml.h"

#include <assert.h>
#include <errno.h>
#include <spec/acpi_tables.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/acpi.h>
#include <tinyvm/legacy.h>

#define PAGE_SIZE      4096u
#define TABLE_ALIGN    16u
#define X2APIC_ID_MIN  255u /* an 8-bit APIC ID of 255 means all */
#define CENTURY_OFFSET 0x32
#define ISA_PIT_IRQ    0
#define IOAPIC_PIT_GSI 2
#define NMI_LINT       1
#define OEM_ID	       "TINYVM"

/**
 * struct acpi_layout - tables being built
 * @out:  the bytes from @base on
 * @base: guest physical
 */
struct acpi_layout {
	struct aml out;
	gpa_t base;
	const struct acpi_board *board;
	gpa_t facs, dsdt;
	gpa_t listed[3]; /* what the XSDT points to */
	unsigned listed_count;
	gpa_t xsdt;
};

static uint8_t acpi_sum(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint8_t sum = 0;
	while (len--)
		sum = (uint8_t)(sum + *p++);
	return sum;
}

static size_t acpi_align(struct acpi_layout *l)
{
	static const uint8_t zeroes[TABLE_ALIGN];
	size_t at = (l->out.len + TABLE_ALIGN - 1) & ~(size_t)(TABLE_ALIGN - 1);
	aml_bytes(&l->out, zeroes, at - l->out.len);
	return at;
}

static struct acpi_header acpi_header(const char signature[4], uint8_t revision)
{
	struct acpi_header h = {
		.length = 0, /* acpi_finish()'s, like the checksum */
		.revision = revision,
		.oem_revision = 1,
		.creator_revision = 1,
	};
	memcpy(h.signature, signature, 4);
	memcpy(h.oem_id, OEM_ID, 6);
	memcpy(h.oem_table_id, "TINYVMPC", 8);
	memcpy(h.creator_id, "TVM ", 4);
	return h;
}

/* The table that began at @at ends here. Return: its address. */
static gpa_t acpi_finish(struct acpi_layout *l, size_t at)
{
	if (l->out.buf) {
		uint8_t *table = l->out.buf + at;
		uint32_t length = (uint32_t)(l->out.len - at);
		memcpy(table + offsetof(struct acpi_header, length), &length, 4);
		table[offsetof(struct acpi_header, checksum)] = (uint8_t)-acpi_sum(table, length);
	}
	return l->base + at;
}

static void acpi_list(struct acpi_layout *l, gpa_t table)
{
	l->listed[l->listed_count++] = table;
}

static void acpi_add_facs(struct acpi_layout *l)
{
	struct acpi_facs facs = {.length = sizeof(facs), .version = 2};
	memcpy(facs.signature, "FACS", 4);
	assert(l->out.len == 0); /* 64-byte alignment */
	l->facs = l->base;
	aml_bytes(&l->out, &facs, sizeof(facs));
}

static void acpi_add_dsdt(struct acpi_layout *l)
{
	size_t at = acpi_align(l);
	struct acpi_header h = acpi_header("DSDT", 2); /* from 2 on integers have 64 bits */
	aml_bytes(&l->out, &h, sizeof(h));
	acpi_dsdt_describe(&l->out, l->board);
	l->dsdt = acpi_finish(l, at);
}

static struct acpi_gas acpi_port(uint16_t port, uint8_t bits, uint8_t access)
{
	return (struct acpi_gas){
		.space = ACPI_SPACE_IO, .bit_width = bits, .access = access, .address = port};
}

static void acpi_add_fadt(struct acpi_layout *l)
{
	const struct acpi_board *b = l->board;
	size_t at = acpi_align(l);
	struct acpi_fadt fadt = {
		.header = acpi_header("FACP", 6),
		.minor_version = 4,
		.firmware_ctrl = (uint32_t)l->facs,
		.dsdt = (uint32_t)l->dsdt,
		.x_dsdt = l->dsdt,
		.sci_int = (uint16_t)b->sci_gsi,
		.pm1a_evt_blk = b->pm_base + PM_PM1_EVT,
		.pm1_evt_len = 4,
		.x_pm1a_evt_blk = acpi_port(b->pm_base + PM_PM1_EVT, 32, ACPI_ACCESS_WORD),
		.pm1a_cnt_blk = b->pm_base + PM_PM1_CNT,
		.pm1_cnt_len = 2,
		.x_pm1a_cnt_blk = acpi_port(b->pm_base + PM_PM1_CNT, 16, ACPI_ACCESS_WORD),
		.pm_tmr_blk = b->pm_base + PM_TMR,
		.pm_tmr_len = 4,
		.x_pm_tmr_blk = acpi_port(b->pm_base + PM_TMR, 32, ACPI_ACCESS_DWORD),
		.p_lvl2_lat = 101,  /* above 100: no C2 */
		.p_lvl3_lat = 1001, /* above 1000: no C3 */
		.century = b->cmos_base ? CENTURY_OFFSET : 0,
		/* Without ACPI_BOOT_8042 no keyboard is looked for. */
		.iapc_boot_arch = ACPI_BOOT_LEGACY_DEVICES | ACPI_BOOT_NO_ASPM |
				  (b->has_pc_devices ? ACPI_BOOT_8042 : ACPI_BOOT_NO_VGA) |
				  (b->cmos_base ? 0 : ACPI_BOOT_NO_CMOS_RTC),
		/* No ACPI_FADT_PWR_BUTTON: the power button is a fixed feature. */
		.flags = ACPI_FADT_WBINVD | ACPI_FADT_PROC_C1 | ACPI_FADT_SLP_BUTTON |
			 ACPI_FADT_FIX_RTC | ACPI_FADT_TMR_VAL_EXT | ACPI_FADT_RESET_REG_SUP,
		.reset_reg = acpi_port(b->reset_port, 8, ACPI_ACCESS_BYTE),
		.reset_value = b->reset_value,
	};
	memcpy(fadt.hypervisor_id, OEM_ID, 6);
	aml_bytes(&l->out, &fadt, sizeof(fadt));
	acpi_list(l, acpi_finish(l, at));
}

static void acpi_add_cpu(struct acpi_layout *l, unsigned id)
{
	const struct acpi_madt_lapic lapic = {ACPI_MADT_LAPIC, sizeof(lapic), (uint8_t)id,
					      (uint8_t)id, ACPI_MADT_CPU_ENABLED};
	const struct acpi_madt_x2apic x2apic = {
		ACPI_MADT_X2APIC, sizeof(x2apic), 0, id, ACPI_MADT_CPU_ENABLED, id};
	if (id < X2APIC_ID_MIN)
		aml_bytes(&l->out, &lapic, sizeof(lapic));
	else
		aml_bytes(&l->out, &x2apic, sizeof(x2apic));
}

static void acpi_add_override(struct acpi_layout *l, uint8_t irq, unsigned gsi, uint16_t flags)
{
	const struct acpi_madt_override override = {
		ACPI_MADT_OVERRIDE, sizeof(override), 0, irq, gsi, flags};
	aml_bytes(&l->out, &override, sizeof(override));
}

static void acpi_add_madt(struct acpi_layout *l)
{
	const struct acpi_board *b = l->board;
	size_t at = acpi_align(l);
	const struct acpi_madt madt = {
		.header = acpi_header("APIC", 5),
		.local_apic = b->lapic_base,
		.flags = ACPI_MADT_PCAT_COMPAT,
	};
	aml_bytes(&l->out, &madt, sizeof(madt));
	for (unsigned id = 0; id < b->cpus; id++)
		acpi_add_cpu(l, id);

	const struct acpi_madt_ioapic ioapic = {
		ACPI_MADT_IOAPIC, sizeof(ioapic), 0, 0, b->ioapic_base, 0};
	aml_bytes(&l->out, &ioapic, sizeof(ioapic));
	acpi_add_override(l, ISA_PIT_IRQ, IOAPIC_PIT_GSI, ACPI_INTI_CONFORMS);
	acpi_add_override(l, (uint8_t)b->sci_gsi, b->sci_gsi, ACPI_INTI_HIGH_LEVEL);

	const struct acpi_madt_lapic_nmi nmi = {ACPI_MADT_LAPIC_NMI, sizeof(nmi), UINT8_MAX,
						ACPI_INTI_CONFORMS, NMI_LINT};
	aml_bytes(&l->out, &nmi, sizeof(nmi));
	if (b->cpus > X2APIC_ID_MIN) {
		const struct acpi_madt_x2apic_nmi x2apic_nmi = {
			.type = ACPI_MADT_X2APIC_NMI,
			.length = sizeof(x2apic_nmi),
			.uid = UINT32_MAX,
			.lint = NMI_LINT,
		};
		aml_bytes(&l->out, &x2apic_nmi, sizeof(x2apic_nmi));
	}
	acpi_list(l, acpi_finish(l, at));
}

static void acpi_add_mcfg(struct acpi_layout *l)
{
	size_t at = acpi_align(l);
	const struct acpi_mcfg mcfg = {
		.header = acpi_header("MCFG", 1),
		.base = l->board->ecam_base,
	};
	aml_bytes(&l->out, &mcfg, sizeof(mcfg));
	acpi_list(l, acpi_finish(l, at));
}

static void acpi_add_xsdt(struct acpi_layout *l)
{
	size_t at = acpi_align(l);
	const struct acpi_header h = acpi_header("XSDT", 1);
	aml_bytes(&l->out, &h, sizeof(h));
	aml_bytes(&l->out, l->listed, l->listed_count * sizeof(l->listed[0]));
	l->xsdt = acpi_finish(l, at);
}

static void acpi_lay_out(struct acpi_layout *l)
{
	acpi_add_facs(l);
	acpi_add_dsdt(l);
	acpi_add_fadt(l);
	acpi_add_madt(l);
	if (l->board->ecam_base)
		acpi_add_mcfg(l);
	acpi_add_xsdt(l);
}

static int acpi_write_rsdp(struct gmem *gm, gpa_t at, gpa_t xsdt)
{
	struct acpi_rsdp rsdp = {.revision = 2, .length = sizeof(rsdp), .xsdt = xsdt};
	memcpy(rsdp.signature, "RSD PTR ", 8);
	memcpy(rsdp.oem_id, OEM_ID, 6);
	rsdp.checksum = (uint8_t)-acpi_sum(&rsdp, offsetof(struct acpi_rsdp, length));
	rsdp.extended_checksum = (uint8_t)-acpi_sum(&rsdp, sizeof(rsdp));
	return gmem_write(gm, at, &rsdp, sizeof(rsdp));
}

uint64_t acpi_size(const struct acpi_board *board)
{
	struct acpi_layout l = {.board = board};
	acpi_lay_out(&l);
	return (l.out.len + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
}

int acpi_build(struct gmem *gm, const struct acpi_board *board, gpa_t rsdp, gpa_t tables)
{
	uint64_t size = acpi_size(board);
	if (tables > UINT32_MAX || tables + size > 1ULL << 32)
		return -EFAULT; /* the FADT's pointers have 32 bits */
	uint8_t *buf = calloc(1, size);
	if (!buf)
		return -ENOMEM;

	struct acpi_layout l = {
		.out = {.buf = buf, .size = size},
		.base = tables,
		.board = board,
	};
	acpi_lay_out(&l);
	int error = gmem_write(gm, tables, buf, size);
	free(buf);
	return error ? error : acpi_write_rsdp(gm, rsdp, l.xsdt);
}
