/* boot_linux_load(): what lies where in guest memory at entry, and what does not fit. */
#include "image.h"
#include "kernel_file.h"
#include "test.h"

#include <fcntl.h>
#include <spec/linux_boot.h>
#include <tinyvm/err.h>
#include <unistd.h>

#define MIB	 (1ULL << 20)
#define INITRD	 10000
#define ACPI_GPA (64 * MIB - 0x10000)

static char dir[] = "/tmp/tinyvm-linux-XXXXXX";
static char kernel[128], initrd[128];
static uint8_t *elf, *bz;
static size_t elf_len, bz_len;

/* A machine with a kernel in it; each test takes it apart with guest_drop(). */
static struct gmem *gm;
static struct boot_image *image;
static struct boot_entry entry;
static struct zero_page zp;
static struct err err;

static const struct boot_reserved acpi = {ACPI_GPA, 0x10000, 3};

static struct setup_header *header(void)
{
	return (struct setup_header *)(void *)(bz + LINUX_HDR_OFFSET);
}

static void guest_drop(void)
{
	gmem_destroy(gm);
	boot_image_close(image);
	gm = NULL;
	image = NULL;
}

/* Boots @data in @size bytes of memory; boot->image is filled in. Return: the loader's. */
static int guest_boot(const uint8_t *data, size_t len, uint64_t size, struct boot_linux *boot)
{
	guest_drop();
	kernel_write_file(kernel, data, len);
	int rc = boot_image_open(&image, kernel, true, NULL, &err);
	if (rc)
		return rc;
	if (gmem_create(&gm, size) != 0)
		abort();
	boot->image = image;
	rc = boot_linux_load(gm, boot, &entry, &err);
	if (!rc)
		rc = gmem_read(gm, entry.rsi, &zp, sizeof(zp));
	return rc;
}

static uint64_t read64(gpa_t gpa)
{
	uint64_t v = ~0ULL;
	if (gmem_read(gm, gpa, &v, sizeof(v)) != 0)
		abort();
	return v;
}

/* Walks the page tables as the CPU would. Return: the physical address, ~0 for a fault. */
static uint64_t walk(uint64_t va)
{
	uint64_t e = read64((entry.cr3 & ~0xfffULL) + (va >> 39 & 511) * 8);
	if ((e & 3) != 3)
		return ~0ULL;
	e = read64((e & ~0xfffULL) + (va >> 30 & 511) * 8);
	if ((e & 0x83) != 3)
		return ~0ULL;
	e = read64((e & ~0xfffULL) + (va >> 21 & 511) * 8);
	if ((e & 0x83) != 0x83)
		return ~0ULL;
	return (e & ~0x1fffffULL) | (va & 0x1fffff);
}

static void test_long_mode_tables_map_four_gib(void)
{
	struct boot_linux boot = {.cmdline = "quiet"};
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK(entry.is_long_mode);
	CHECK_EQ(entry.rip, KERNEL_TEXT_GPA + 0x40);
	for (uint64_t va = 0; va < 4096 * MIB; va += 1777777)
		CHECK_EQ(walk(va), va);
	CHECK_EQ(walk(4096 * MIB - 1), 4096 * MIB - 1);
	CHECK_EQ(walk(4096 * MIB), ~0ULL);
	CHECK_EQ(entry.gdt_limit, 31);
	CHECK_EQ(read64(entry.gdt + 0x10) >> 40 & 0xff, 0x9b); /* code, accessed */
	CHECK_EQ(read64(entry.gdt + 0x10) >> 53 & 1, 1);       /* L */
	CHECK_EQ(read64(entry.gdt + 0x10) >> 54 & 1, 0);       /* D */
	CHECK_EQ(read64(entry.gdt + 0x18), 0x00cf93000000ffff);
	CHECK(entry.rsp >= 0x7000 && entry.rsp <= 0x9f000);
	guest_drop();
}

static void test_zero_page_carries_the_header(void)
{
	static const char cmdline[] = "console=ttyS0 root=/dev/vda";
	struct boot_linux boot = {.cmdline = cmdline, .rsdp = 0xe0000};
	char text[64];
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK_EQ(zp.hdr.header, LINUX_HDR_MAGIC);
	CHECK_EQ(zp.hdr.boot_flag, 0xaa55);
	CHECK_EQ(zp.hdr.version, 0x20f);
	CHECK_EQ(zp.hdr.type_of_loader, 0xff);
	CHECK_EQ(zp.hdr.loadflags, LINUX_LOADFLAG_LOADED_HIGH);
	CHECK_EQ(zp.hdr.code32_start, KERNEL_TEXT_GPA);
	CHECK_EQ(zp.hdr.init_size, KERNEL_INIT_SIZE);
	CHECK_EQ(zp.hdr.ramdisk_image, 0);
	CHECK_EQ(zp.hdr.ramdisk_size, 0);
	CHECK_EQ(zp.acpi_rsdp_addr, 0xe0000);
	CHECK_EQ(((uint8_t *)&zp)[0x1ef], 0); /* the sentinel */
	CHECK_EQ(gmem_read(gm, zp.hdr.cmd_line_ptr, text, sizeof(cmdline)), 0);
	CHECK_STR(text, cmdline);
	for (unsigned i = 0x26c; i < 0x2d0; i++)
		CHECK_EQ(((uint8_t *)&zp)[i], 0);

	/* A vmlinux has no header: one is made up. */
	CHECK_EQ(guest_boot(elf, elf_len, 64 * MIB, &boot), 0);
	CHECK_EQ(zp.hdr.header, LINUX_HDR_MAGIC);
	CHECK_EQ(zp.hdr.boot_flag, 0xaa55);
	CHECK(zp.hdr.version >= 0x20c);
	CHECK_EQ(zp.hdr.type_of_loader, 0xff);
	guest_drop();
}

static void test_header_ends_where_it_says(void)
{
	struct boot_linux boot = {.cmdline = ""};
	struct setup_header saved = *header();
	header()->jump[1] = 0x30; /* ends at 0x232 */
	header()->xloadflags = 0;
	header()->version = 0x204;
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK_EQ(zp.hdr.initrd_addr_max, 0x7fffffff);
	CHECK_EQ(zp.hdr.kernel_alignment, 0x0000); /* 0x200000's upper half is past the end */
	CHECK_EQ(zp.hdr.cmdline_size, 0);
	CHECK_EQ(zp.hdr.pref_address, 0);
	header()->jump[1] = 0xff; /* longer than any header: the zero page's own fields stay */
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK_EQ(((uint8_t *)&zp)[0x290], 0);
	CHECK_EQ(zp.e820_table[0].addr, 0);
	*header() = saved;
	guest_drop();
}

static void test_32bit_entry_has_no_paging(void)
{
	struct boot_linux boot = {.cmdline = ""};
	struct setup_header saved = *header();
	header()->xloadflags = 0;
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK(!entry.is_long_mode);
	CHECK_EQ(entry.rip, KERNEL_TEXT_GPA);
	CHECK_EQ(entry.cr3, 0);
	CHECK_EQ(read64(entry.gdt + 0x10), 0x00cf9b000000ffff);
	CHECK_EQ(read64(KERNEL_TEXT_GPA) & 0xff, kernel_pattern(KERNEL_TEXT_GPA));

	/* Protocols 2.00 and 2.01 find their command line beside the zero page. */
	header()->version = 0x201;
	boot.cmdline = "old";
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK_EQ(entry.rip, 0x100000);
	CHECK_EQ(entry.rsi, 0x90000);
	CHECK_EQ(zp.cl_magic, 0xa33f);
	CHECK_EQ(read64(entry.rsi + zp.cl_offset) & 0xffffffff, 0x646c6f); /* "old" */
	*header() = saved;
	guest_drop();
}

static void test_command_line_limit_is_the_kernels(void)
{
	struct boot_linux boot = {0};
	struct setup_header saved = *header();
	char *cmdline = calloc(1, 1 << 20);
	CHECK(cmdline);
	memset(cmdline, 'x', 2048);
	boot.cmdline = cmdline;
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), -E2BIG);
	CHECK(strstr(err.msg, "the command line is 2048 bytes long and kernel"));
	CHECK(strstr(err.msg, "takes 2047"));
	cmdline[2047] = '\0';
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	header()->version = 0x205;
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), -E2BIG);
	CHECK(strstr(err.msg, "takes 255"));
	header()->version = 0x20f;
	header()->cmdline_size = 0xffffffff; /* a kernel that takes more than there is room for */
	memset(cmdline, 'x', (1 << 20) - 1);
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), -E2BIG);
	cmdline[boot_image_cmdline_max(image)] = '\0';
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK_EQ(zp.hdr.header, LINUX_HDR_MAGIC); /* not overrun */
	*header() = saved;
	free(cmdline);
	guest_drop();
}

/* The initrd's bytes are at @gpa. */
static bool is_initrd_at(uint64_t gpa)
{
	uint8_t got[INITRD];
	if (gmem_read(gm, gpa, got, INITRD) != 0)
		return false;
	for (unsigned i = 0; i < INITRD; i++)
		if (got[i] != kernel_pattern(i))
			return false;
	return zp.hdr.ramdisk_image == gpa && zp.hdr.ramdisk_size == INITRD;
}

static void test_initrd_lies_as_high_as_it_may(void)
{
	struct boot_linux boot = {.cmdline = "", .initrd_path = initrd};
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK(is_initrd_at(64 * MIB - 0x3000));

	boot.reserved = &acpi;
	boot.reserved_count = 1;
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK(is_initrd_at(ACPI_GPA - 0x3000));

	const struct boot_reserved two[] = {{ACPI_GPA - 0x4000, 0x2000, 2}, acpi};
	boot.reserved = two; /* the gap between them is too small */
	boot.reserved_count = 2;
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK(is_initrd_at(ACPI_GPA - 0x7000));

	boot.reserved_count = 0;
	CHECK_EQ(guest_boot(bz, bz_len, 4096 * MIB, &boot), 0);
	CHECK(is_initrd_at(0x80000000 - 0x3000));
	struct setup_header saved = *header();
	header()->initrd_addr_max = 0x1ffffff;
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK(is_initrd_at(0x2000000 - 0x3000));
	*header() = saved;
	guest_drop();
}

static void test_initrd_in_memory_follows_the_files_bytes(void)
{
	static const char more[] = "an archive in memory";
	struct boot_linux boot = {.cmdline = "", .initrd_data = more, .initrd_size = sizeof(more)};
	char got[sizeof(more)];
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK_EQ(zp.hdr.ramdisk_size, sizeof(more));
	CHECK_EQ(zp.hdr.ramdisk_image, 64 * MIB - 0x1000);
	CHECK_EQ(gmem_read(gm, zp.hdr.ramdisk_image, got, sizeof(got)), 0);
	CHECK_STR(got, more);

	char odd[160];
	snprintf(odd, sizeof(odd), "%s/odd", dir);
	kernel_write_file(odd, "12345", 5);
	boot.initrd_path = odd;
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK_EQ(zp.hdr.ramdisk_size, 8 + sizeof(more));
	CHECK_EQ(gmem_read(gm, zp.hdr.ramdisk_image, got, 8), 0);
	CHECK(memcmp(got, "12345\0\0", 8) == 0);
	CHECK_EQ(gmem_read(gm, zp.hdr.ramdisk_image + 8, got, sizeof(got)), 0);
	CHECK_STR(got, more);
	unlink(odd);

	boot.initrd_path = NULL;
	boot.initrd_size = 60 * MIB;
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), -ENOMEM);
	CHECK(strstr(err.msg, "the initramfs of 60 MiB does not fit: with kernel"));
	guest_drop();
}

static void test_initrd_that_cannot_be_had_gets_a_sentence(void)
{
	struct boot_linux boot = {.cmdline = "", .initrd_path = "/nonexistent/initrd"};
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), -ENOENT);
	CHECK_STR(err.msg, "initrd '/nonexistent/initrd' does not exist");
	boot.initrd_path = dir;
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), -EISDIR);
	CHECK(strstr(err.msg, "is a directory"));
	char big[160];
	snprintf(big, sizeof(big), "%s/big", dir);
	kernel_write_file(big, "", 0);
	boot.initrd_path = big;
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), -ENODATA);
	CHECK(strstr(err.msg, "is empty"));
	CHECK_EQ(truncate(big, 60 * MIB), 0);
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), -ENOMEM);
	CHECK(strstr(err.msg, "of 60 MiB does not fit: with kernel"));
	CHECK(strstr(err.msg, "it needs at least 79 MiB of memory and the guest has 64 MiB"));
	CHECK_EQ(guest_boot(bz, bz_len, 79 * MIB, &boot), 0); /* and that is true */
	CHECK_EQ(truncate(big, 3000 * MIB), 0);
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), -EFBIG);
	CHECK(strstr(err.msg, "too big for this kernel in any amount of memory"));
	unlink(big);
	guest_drop();
}

static void test_kernel_that_does_not_fit_says_what_it_needs(void)
{
	struct boot_linux boot = {.cmdline = "", .reserved = &acpi, .reserved_count = 1};
	static const uint64_t sizes[] = {4096, 16 * MIB, 18 * MIB};
	for (unsigned i = 0; i < 3; i++) {
		boot.reserved_count = 0;
		CHECK_EQ(guest_boot(bz, bz_len, sizes[i], &boot), -ENOMEM);
		CHECK(strstr(err.msg, "needs at least 19 MiB of memory"));
	}
	CHECK_EQ(guest_boot(bz, bz_len, 19 * MIB, &boot), 0);
	const struct boot_reserved top = {KERNEL_END - 0x1000, 0x10000, 3};
	boot.reserved = &top;
	boot.reserved_count = 1;
	CHECK_EQ(guest_boot(bz, bz_len, 19 * MIB, &boot), -ENOMEM);
	guest_drop();
}

static void check_entry(const struct boot_e820 *e, uint64_t addr, uint64_t size, uint32_t type)
{
	CHECK_EQ(e->addr, addr);
	CHECK_EQ(e->size, size);
	CHECK_EQ(e->type, type);
}

static void test_e820_of_a_small_guest(void)
{
	struct boot_e820 map[16];
	struct gmem *m;
	const struct boot_reserved r[] = {{0xe0000, 0x1000, 3}, acpi, {0xe0000000, 0x10000000, 2}};
	CHECK_EQ(gmem_create(&m, 64 * MIB), 0);
	unsigned count = boot_e820_map(m, r, 3, map, 16);
	gmem_destroy(m);
	CHECK_EQ(count, 5);
	check_entry(&map[0], 0, 0x9fc00, E820_RAM);
	check_entry(&map[1], 0x9fc00, 0x100000 - 0x9fc00, E820_RESERVED);
	check_entry(&map[2], 0x100000, ACPI_GPA - 0x100000, E820_RAM);
	check_entry(&map[3], ACPI_GPA, 0x10000, 3);
	check_entry(&map[4], 0xe0000000, 0x10000000, E820_RESERVED);
}

static void test_e820_of_a_guest_beyond_the_hole(void)
{
	struct boot_e820 map[16];
	struct gmem *m;
	CHECK_EQ(gmem_create(&m, 1ULL << 40), 0);
	unsigned count = boot_e820_map(m, NULL, 0, map, 16);
	CHECK_EQ(count, 4);
	check_entry(&map[2], 0x100000, GMEM_HOLE_START - 0x100000, E820_RAM);
	check_entry(&map[3], GMEM_HOLE_END, (1ULL << 40) - GMEM_HOLE_START, E820_RAM);
	count = boot_e820_map(m, NULL, 0, map, 2); /* no room is no overrun */
	gmem_destroy(m);
	CHECK_EQ(count, 2);
}

static void test_e820_splits_ram_at_reserved_ranges(void)
{
	struct boot_e820 map[16];
	struct gmem *m;
	const struct boot_reserved r[] = {
		{2 * MIB, MIB, 2}, {2 * MIB + 4096, 4096, 2}, {8 * MIB, MIB, 3}};
	CHECK_EQ(gmem_create(&m, 8 * MIB), 0);
	unsigned count = boot_e820_map(m, r, 3, map, 16);
	gmem_destroy(m);
	uint64_t ram = 0;
	for (unsigned i = 0; i < count; i++) {
		if (map[i].type != E820_RAM)
			continue;
		ram += map[i].size;
		CHECK(map[i].addr + map[i].size <= 2 * MIB || map[i].addr >= 3 * MIB);
	}
	CHECK_EQ(ram, 8 * MIB - MIB - (MIB - 0x9fc00));
}

static void test_zero_page_has_the_map(void)
{
	struct boot_linux boot = {.cmdline = "", .reserved = &acpi, .reserved_count = 1};
	CHECK_EQ(guest_boot(bz, bz_len, 64 * MIB, &boot), 0);
	CHECK_EQ(zp.e820_entries, 4);
	CHECK_EQ(zp.e820_table[3].addr, ACPI_GPA);
	CHECK_EQ(zp.e820_table[3].type, 3);
	guest_drop();
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_long_mode_tables_map_four_gib),
		TEST_CASE(test_zero_page_carries_the_header),
		TEST_CASE(test_header_ends_where_it_says),
		TEST_CASE(test_32bit_entry_has_no_paging),
		TEST_CASE(test_command_line_limit_is_the_kernels),
		TEST_CASE(test_initrd_lies_as_high_as_it_may),
		TEST_CASE(test_initrd_in_memory_follows_the_files_bytes),
		TEST_CASE(test_initrd_that_cannot_be_had_gets_a_sentence),
		TEST_CASE(test_kernel_that_does_not_fit_says_what_it_needs),
		TEST_CASE(test_e820_of_a_small_guest),
		TEST_CASE(test_e820_of_a_guest_beyond_the_hole),
		TEST_CASE(test_e820_splits_ram_at_reserved_ranges),
		TEST_CASE(test_zero_page_has_the_map),
	};
	if (!mkdtemp(dir))
		return 1;
	snprintf(kernel, sizeof(kernel), "%s/kernel", dir);
	snprintf(initrd, sizeof(initrd), "%s/initrd", dir);
	uint8_t bytes[INITRD];
	for (unsigned i = 0; i < INITRD; i++)
		bytes[i] = kernel_pattern(i);
	kernel_write_file(initrd, bytes, INITRD);
	size_t gz_len;
	elf = kernel_make_elf(&elf_len);
	uint8_t *gz = kernel_gzip(elf, elf_len, &gz_len);
	bz = kernel_make_bzimage(gz, gz_len, &bz_len);
	int status = TEST_RUN(cases);
	guest_drop();
	free(gz);
	free(bz);
	free(elf);
	unlink(kernel);
	unlink(initrd);
	rmdir(dir);
	return status;
}
