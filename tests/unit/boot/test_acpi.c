/* ACPI tables: the bytes, and what iasl (package acpica-tools) makes of them. */
#include "aml.h"
#include "test.h"

#include <spec/acpi_tables.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <tinyvm/acpi.h>
#include <tinyvm/legacy.h>
#include <unistd.h>

#define RAM_SIZE   (4u << 20)
#define RSDP_GPA   0xe0000u
#define TABLES_GPA 0x200000u

static struct acpi_board board_pci(unsigned cpus)
{
	return (struct acpi_board){
		.cpus = cpus,
		.ioapic_base = 0xfec00000,
		.lapic_base = 0xfee00000,
		.sci_gsi = 9,
		.pm_base = 0x600,
		.reset_port = PM_RESET_PORT,
		.reset_value = PM_RESET_VALUE,
		.serial = {{0x3f8, 4}, {0x2f8, 3}},
		.serial_count = 2,
		.cmos_base = 0x70,
		.pvpanic_port = 0x505,
		.ecam_base = 0xe0000000,
		.pci_mmio_base = 0xd0000000,
		.pci_mmio_last = 0xdfffffff,
		.pci_intx_gsi = {16, 17, 18, 19},
	};
}

static struct acpi_board board_mmio(unsigned cpus)
{
	struct acpi_board b = board_pci(cpus);
	b.ecam_base = 0;
	b.cmos_base = 0;
	b.pvpanic_port = 0;
	b.serial_count = 1;
	b.virtio_mmio_count = ACPI_VIRTIO_MMIO_MAX;
	for (unsigned i = 0; i < ACPI_VIRTIO_MMIO_MAX; i++) {
		b.virtio_mmio[i].gpa = 0xd0000000 + 0x200 * i;
		b.virtio_mmio[i].size = 0x200;
		b.virtio_mmio[i].gsi = (uint8_t)(i % 24);
	}
	return b;
}

/* Guest memory with a board's tables in it, and the tables found from the RSDP as a guest would. */
struct built {
	struct gmem *gm;
	uint8_t *ram;
	struct acpi_header *xsdt;
	struct acpi_fadt *fadt;
	struct acpi_header *dsdt;
	struct acpi_madt *madt;
	struct acpi_mcfg *mcfg;
	struct acpi_facs *facs;
	unsigned listed;
};

static uint8_t sum(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint8_t total = 0;
	for (size_t i = 0; i < len; i++)
		total = (uint8_t)(total + p[i]);
	return total;
}

static bool is_table(const struct acpi_header *h, const char *signature)
{
	return memcmp(h->signature, signature, 4) == 0 && sum(h, h->length) == 0;
}

static bool build(struct built *t, const struct acpi_board *board)
{
	memset(t, 0, sizeof(*t));
	if (gmem_create(&t->gm, RAM_SIZE) || acpi_build(t->gm, board, RSDP_GPA, TABLES_GPA))
		return false;
	t->ram = malloc(RAM_SIZE);
	if (!t->ram || gmem_read(t->gm, 0, t->ram, RAM_SIZE))
		return false;
	const struct acpi_rsdp *rsdp = (const void *)(t->ram + RSDP_GPA);
	if (memcmp(rsdp->signature, "RSD PTR ", 8) != 0 || sum(rsdp, 20) || sum(rsdp, 36))
		return false;
	t->xsdt = (void *)(t->ram + rsdp->xsdt);
	if (!is_table(t->xsdt, "XSDT"))
		return false;
	t->listed = (t->xsdt->length - (unsigned)sizeof(*t->xsdt)) / 8;
	for (unsigned i = 0; i < t->listed; i++) {
		uint64_t gpa;
		memcpy(&gpa, (uint8_t *)(t->xsdt + 1) + 8 * i, 8);
		struct acpi_header *h = (void *)(t->ram + gpa);
		if (is_table(h, "FACP"))
			t->fadt = (void *)h;
		else if (is_table(h, "APIC"))
			t->madt = (void *)h;
		else if (is_table(h, "MCFG"))
			t->mcfg = (void *)h;
		else
			return false;
	}
	if (!t->fadt || !t->madt)
		return false;
	t->dsdt = (void *)(t->ram + t->fadt->x_dsdt);
	t->facs = (void *)(t->ram + t->fadt->firmware_ctrl);
	return is_table(t->dsdt, "DSDT") && memcmp(t->facs->signature, "FACS", 4) == 0;
}

static void built_free(struct built *t)
{
	free(t->ram);
	gmem_destroy(t->gm);
}

/* One case on one board; whatever the body does, the memory goes. */
#define WITH_BOARD(board, body)                                              \
	do {                                                                 \
		struct built t_;                                             \
		struct acpi_board board_ = (board);                          \
		if (build(&t_, &board_))                                     \
			body(&t_);                                           \
		else                                                         \
			test_failed(__FILE__, __LINE__, "tables not found"); \
		built_free(&t_);                                             \
	} while (0)

static void fadt_fields(const struct built *t)
{
	const struct acpi_fadt *f = t->fadt;
	CHECK_EQ(f->header.length, 276);
	CHECK_EQ(f->header.revision, 6);
	CHECK_EQ(f->dsdt, f->x_dsdt);
	CHECK_EQ(f->firmware_ctrl % 64, 0);
	CHECK_EQ(f->smi_cmd, 0); /* always in ACPI mode */
	CHECK_EQ(f->sci_int, 9);
	CHECK_EQ(f->pm1a_evt_blk, 0x600);
	CHECK_EQ(f->pm1a_cnt_blk, 0x604);
	CHECK_EQ(f->pm_tmr_blk, 0x608);
	CHECK_EQ(f->x_pm_tmr_blk.address, 0x608);
	CHECK_EQ(f->x_pm1a_evt_blk.bit_width, f->pm1_evt_len * 8);
	CHECK_EQ(f->x_pm1a_cnt_blk.bit_width, f->pm1_cnt_len * 8);
	CHECK_EQ(f->x_pm_tmr_blk.bit_width, f->pm_tmr_len * 8);
	CHECK_EQ(f->reset_reg.address, 0xcf9);
	CHECK_EQ(f->reset_reg.bit_width, 8);
	CHECK_EQ(f->reset_value, 6);
	CHECK_EQ(f->century, 0x32);
	CHECK_EQ(f->iapc_boot_arch,
		 ACPI_BOOT_LEGACY_DEVICES | ACPI_BOOT_NO_VGA | ACPI_BOOT_NO_ASPM);
	CHECK(f->flags & ACPI_FADT_RESET_REG_SUP);
	CHECK(f->flags & ACPI_FADT_TMR_VAL_EXT);
	CHECK(!(f->flags & ACPI_FADT_PWR_BUTTON));
	CHECK(!(f->flags >> 20 & 1)); /* not hardware-reduced */
}

static void test_fadt_describes_the_fixed_hardware(void)
{
	WITH_BOARD(board_pci(2), fadt_fields);
}

static void pc_devices(const struct built *t)
{
	CHECK(t->fadt->iapc_boot_arch & ACPI_BOOT_8042);
	CHECK(!(t->fadt->iapc_boot_arch & ACPI_BOOT_NO_VGA));
	CHECK(memmem(t->dsdt, t->dsdt->length, "KBD_", 4) != NULL);
	CHECK(memmem(t->dsdt, t->dsdt->length, "MOU_", 4) != NULL);
}

static void test_pc_has_keyboard_mouse_and_screen(void)
{
	struct acpi_board board = board_pci(1);
	board.has_pc_devices = true;
	WITH_BOARD(board, pc_devices);
}

static void no_rtc(const struct built *t)
{
	CHECK(t->fadt->iapc_boot_arch & ACPI_BOOT_NO_CMOS_RTC);
	CHECK_EQ(t->fadt->century, 0);
	CHECK(!t->mcfg);
	CHECK_EQ(t->listed, 2);
	CHECK(!memmem(t->dsdt, t->dsdt->length, "PCI0", 4));
	CHECK(!memmem(t->dsdt, t->dsdt->length, "RTC_", 4));
	CHECK(!memmem(t->dsdt, t->dsdt->length, "QEMU0001", 8));
	CHECK(memmem(t->dsdt, t->dsdt->length, "VR31", 4) != NULL);
}

static void test_what_the_board_lacks_is_absent(void)
{
	WITH_BOARD(board_mmio(1), no_rtc);
}

static void mcfg_fields(const struct built *t)
{
	CHECK(t->mcfg != NULL);
	CHECK_EQ(t->mcfg->base, 0xe0000000);
	CHECK_EQ(t->mcfg->bus_first, 0);
	CHECK_EQ(t->mcfg->bus_last, 0);
	CHECK(memmem(t->dsdt, t->dsdt->length, "PCI0", 4) != NULL);
	CHECK(memmem(t->dsdt, t->dsdt->length, "QEMU0001", 8) != NULL);
}

static void test_mcfg_covers_bus_0(void)
{
	WITH_BOARD(board_pci(1), mcfg_fields);
}

/* Counts MADT entries by type, checks their ids; false when the entries do not fill the table. */
static bool madt_count(const struct built *t, unsigned count[16], unsigned *ret_next_id)
{
	const uint8_t *p = (const uint8_t *)(t->madt + 1);
	const uint8_t *end = (const uint8_t *)t->madt + t->madt->header.length;
	while (end - p >= 2 && p[1] >= 2 && p[1] <= end - p && p[0] < 16) {
		const struct acpi_madt_lapic *lapic = (const void *)p;
		const struct acpi_madt_x2apic *x2apic = (const void *)p;
		count[p[0]]++;
		if (p[0] == ACPI_MADT_LAPIC &&
		    (lapic->apic_id != *ret_next_id || lapic->uid != (*ret_next_id)++))
			return false;
		if (p[0] == ACPI_MADT_X2APIC &&
		    (x2apic->apic_id != *ret_next_id || x2apic->uid != (*ret_next_id)++))
			return false;
		p += p[1];
	}
	return p == end;
}

static void madt_4096(const struct built *t)
{
	unsigned count[16] = {0}, next = 0;
	CHECK(madt_count(t, count, &next));
	CHECK_EQ(next, 4096);
	CHECK_EQ(count[ACPI_MADT_LAPIC], 255);
	CHECK_EQ(count[ACPI_MADT_X2APIC], 4096 - 255);
	CHECK_EQ(count[ACPI_MADT_X2APIC_NMI], 1);
}

static void madt_255(const struct built *t)
{
	unsigned count[16] = {0}, next = 0;
	CHECK(madt_count(t, count, &next));
	CHECK_EQ(count[ACPI_MADT_LAPIC], 255);
	CHECK_EQ(count[ACPI_MADT_X2APIC], 0);
	CHECK_EQ(count[ACPI_MADT_X2APIC_NMI], 0);
	CHECK_EQ(count[ACPI_MADT_IOAPIC], 1);
	CHECK_EQ(count[ACPI_MADT_OVERRIDE], 2);
	CHECK_EQ(count[ACPI_MADT_LAPIC_NMI], 1);
	CHECK_EQ(t->madt->flags, ACPI_MADT_PCAT_COMPAT);
	CHECK_EQ(t->madt->local_apic, 0xfee00000);
}

static void test_madt_uses_x2apic_entries_from_255_on(void)
{
	WITH_BOARD(board_pci(255), madt_255);
	WITH_BOARD(board_pci(4096), madt_4096);
}

/* Nothing is written past what acpi_size() says, and the last table ends on its last page. */
static void test_size_is_exact_for_1_to_4096_cpus(void)
{
	static const unsigned cpus[] = {1,   2,	  3,   8,   60,	 61,   62,   63,   64,
					100, 254, 255, 256, 257, 1000, 2047, 4095, 4096};
	for (unsigned i = 0; i < sizeof(cpus) / sizeof(cpus[0]); i++) {
		struct acpi_board b = board_pci(cpus[i]);
		struct built t;
		uint64_t size = acpi_size(&b);
		CHECK_EQ(size % 4096, 0);
		bool is_built = build(&t, &b);
		uint64_t end = 0;
		bool is_clean = true;
		if (is_built) {
			end = (uint64_t)((uint8_t *)t.xsdt - t.ram) + t.xsdt->length;
			for (uint64_t at = TABLES_GPA + size; at < RAM_SIZE; at++)
				is_clean &= t.ram[at] == 0;
		}
		built_free(&t);
		CHECK(is_built && is_clean);
		CHECK(end <= TABLES_GPA + size && end > TABLES_GPA + size - 4096);
	}
}

static void test_ranges_that_are_not_ram_are_refused(void)
{
	struct acpi_board b = board_pci(1);
	struct gmem *gm;
	CHECK_EQ(gmem_create(&gm, RAM_SIZE), 0);
	CHECK_EQ(acpi_build(gm, &b, RSDP_GPA, RAM_SIZE), -EFAULT);
	CHECK_EQ(acpi_build(gm, &b, RAM_SIZE, TABLES_GPA), -EFAULT);
	CHECK_EQ(acpi_build(gm, &b, RSDP_GPA, UINT64_MAX & ~4095ULL), -EFAULT);
	CHECK_EQ(acpi_build(gm, &b, RSDP_GPA, 0xfffff000), -EFAULT);
	gmem_destroy(gm);
}

/* A package of @content bytes, as the builder writes it; the length read back by section 20.2.4. */
static bool package_length_holds(size_t content)
{
	static const uint8_t zeroes[1024];
	size_t size = content + 16, at = 0, length;
	uint8_t *buf = malloc(size);
	struct aml a = {.buf = buf, .size = size}, counted = {0};
	if (!buf)
		return false;
	struct aml *both[] = {&a, &counted};
	for (unsigned i = 0; i < 2; i++) {
		size_t mark = aml_package(both[i], 0); /* one byte of the content */
		for (size_t left = content - 1, n; left; left -= n) {
			n = left < sizeof(zeroes) ? left : sizeof(zeroes);
			aml_bytes(both[i], zeroes, n);
		}
		aml_close(both[i], mark);
	}
	unsigned more = buf[1] >> 6;
	length = more ? buf[1] & 0xf : buf[1] & 0x3f;
	for (at = 0; at < more; at++)
		length |= (size_t)buf[2 + at] << (4 + 8 * at);
	bool is_right = length == content + 1 + more && a.len == 1 + length && counted.len == a.len;
	free(buf);
	return is_right;
}

static void test_package_lengths_hold_around_each_form(void)
{
	static const size_t around[] = {0x3f, 0xfff, 0xfffff};
	CHECK(package_length_holds(1));
	for (unsigned i = 0; i < 3; i++)
		for (size_t content = around[i] - 6; content < around[i] + 6; content++)
			CHECK(package_length_holds(content));
}

static void test_integers_and_ids_are_encoded_as_the_specification_shows(void)
{
	uint8_t buf[64];
	struct aml a = {.buf = buf, .size = sizeof(buf)};
	aml_integer(&a, 0);
	aml_integer(&a, 1);
	aml_integer(&a, 0xff);
	aml_integer(&a, 0x100);
	aml_integer(&a, 0x10000);
	aml_integer(&a, 0x100000000);
	aml_eisaid(&a, "PNP0A03");
	static const uint8_t want[] = {0, 1, 0x0a, 0xff, 0x0b, 0,    1,	   0x0c, 0,
				       0, 1, 0,	   0x0e, 0,    0,    0,	   0,	 1,
				       0, 0, 0,	   0x0c, 0x41, 0xd0, 0x0a, 0x03};
	CHECK_EQ(a.len, sizeof(want));
	CHECK(memcmp(buf, want, sizeof(want)) == 0);
}

static bool write_file(const char *dir, const char *name, const void *buf, size_t len)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "wb");
	if (!f)
		return false;
	bool is_ok = fwrite(buf, 1, len, f) == len;
	return fclose(f) == 0 && is_ok;
}

/*
 * iasl takes every table apart without a warning, and compiles its own text of the DSDT to the very
 * bytes it came from, but for the header.
 */
static const char iasl_script[] =
	"cd \"$1\" || exit 1\n"
	"command -v iasl >/dev/null || { echo 'iasl is missing: install acpica-tools'; exit 1; }\n"
	"for t in *.dat; do\n"
	"	iasl -d $t >$t.log 2>&1 || { cat $t.log; exit 1; }\n"
	"	if grep -iE 'error|warning|invalid|mismatch|exception' $t.log $(basename $t .dat).dsl |\n"
	"			grep -viE '0 errors|error source|no errors'; then exit 1; fi\n"
	"done\n"
	"iasl -p out dsdt.dsl >dsdt.log 2>&1 || { cat dsdt.log; exit 1; }\n"
	"grep -q ' 0 Errors, 0 Warnings' dsdt.log || { cat dsdt.log; exit 1; }\n"
	"tail -c +37 dsdt.dat >want && tail -c +37 out.aml | cmp - want\n";

static int run_iasl(const char *dir)
{
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", iasl_script, "sh", dir, (char *)NULL);
		_exit(127);
	}
	int status = -1;
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static void iasl_takes(const struct built *t)
{
	char dir[] = "/tmp/tinyvm-acpi-XXXXXX", remove[64];
	CHECK(mkdtemp(dir) != NULL);
	bool is_written =
		write_file(dir, "dsdt.dat", t->dsdt, t->dsdt->length) &&
		write_file(dir, "fadt.dat", t->fadt, t->fadt->header.length) &&
		write_file(dir, "madt.dat", t->madt, t->madt->header.length) &&
		write_file(dir, "facs.dat", t->facs, t->facs->length) &&
		write_file(dir, "xsdt.dat", t->xsdt, t->xsdt->length) &&
		(!t->mcfg || write_file(dir, "mcfg.dat", t->mcfg, t->mcfg->header.length));
	int status = is_written ? run_iasl(dir) : -1;
	snprintf(remove, sizeof(remove), "rm -rf %s", dir);
	CHECK(is_written);
	CHECK_EQ(system(remove), 0);
	CHECK_EQ(status, 0);
}

static void test_iasl_takes_the_tables_without_warnings(void)
{
	WITH_BOARD(board_pci(1), iasl_takes);
	WITH_BOARD(board_pci(300), iasl_takes);
	struct acpi_board pc = board_pci(1);
	pc.has_pc_devices = true;
	WITH_BOARD(pc, iasl_takes);
	WITH_BOARD(board_mmio(4), iasl_takes);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_fadt_describes_the_fixed_hardware),
		TEST_CASE(test_pc_has_keyboard_mouse_and_screen),
		TEST_CASE(test_what_the_board_lacks_is_absent),
		TEST_CASE(test_mcfg_covers_bus_0),
		TEST_CASE(test_madt_uses_x2apic_entries_from_255_on),
		TEST_CASE(test_size_is_exact_for_1_to_4096_cpus),
		TEST_CASE(test_ranges_that_are_not_ram_are_refused),
		TEST_CASE(test_package_lengths_hold_around_each_form),
		TEST_CASE(test_integers_and_ids_are_encoded_as_the_specification_shows),
		TEST_CASE(test_iasl_takes_the_tables_without_warnings),
	};
	return TEST_RUN(cases);
}
