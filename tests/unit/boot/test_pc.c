/* boot_pc_load(): Multiboot kernels and those with a 16-bit entry, as the PC's BIOS finds them. */
#include "image.h"
#include "kernel_file.h"
#include "multiboot.h"
#include "test.h"

#include <elf.h>
#include <errno.h>
#include <spec/multiboot.h>
#include <tinyvm/err.h>
#include <unistd.h>

#define MIB   (1u << 20)
#define ENTRY 0x100040u
#define INFO  0x90000u

static char dir[] = "/tmp/tinyvm-pc-XXXXXX";
static char path[128], modules[300];
static struct gmem *gm;
static struct err err;
static struct boot_image *image;

static void guest_drop(void)
{
	if (gm)
		gmem_destroy(gm);
	gm = NULL;
	if (image)
		boot_image_close(image);
	image = NULL;
}

/* Opens the file and loads it. Return: as boot_pc_load(). */
static int guest_boot(const void *file, size_t len, const char *cmdline, const char *initrd)
{
	const struct boot_reserved reserved = {.gpa = 15 * MIB, .size = MIB, .type = 3};
	struct boot_linux boot = {
		.cmdline = cmdline,
		.initrd_path = initrd,
		.reserved = &reserved,
		.reserved_count = 1,
	};
	guest_drop();
	err = (struct err){0};
	kernel_write_file(path, file, len);
	int rc = boot_image_open(&image, path, true, NULL, &err);
	if (rc) {
		image = NULL;
		return rc;
	}
	boot.image = image;
	if (!boot_image_needs_pc(image) || !boot_file_needs_pc(path))
		return -EDOM;
	rc = gmem_create(&gm, 16 * MIB);
	if (rc)
		return rc;
	return boot_pc_load(gm, &boot, &err);
}

static const uint8_t *at(gpa_t gpa)
{
	return (const uint8_t *)gmem_region(gm, 0)->hva + gpa;
}

static uint32_t at32(gpa_t gpa)
{
	const uint8_t *p = at(gpa);
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* An ELF file for i386 with one segment at 1 MiB, of 512 bytes from offset 512, and BSS. */
static struct elf {
	Elf32_Ehdr eh;
	Elf32_Phdr ph;
	struct multiboot_header header;
	uint8_t pad[512 - sizeof(Elf32_Ehdr) - sizeof(Elf32_Phdr) -
		    sizeof(struct multiboot_header)];
	uint8_t text[512];
} elf;

static void make_elf(void)
{
	elf = (struct elf){
		.eh = {.e_ident = ELFMAG "\1\1\1",
		       .e_type = ET_EXEC,
		       .e_machine = EM_386,
		       .e_entry = ENTRY,
		       .e_phoff = sizeof(Elf32_Ehdr),
		       .e_phentsize = sizeof(Elf32_Phdr),
		       .e_phnum = 1},
		.ph = {.p_type = PT_LOAD,
		       .p_offset = 512,
		       .p_vaddr = MIB,
		       .p_paddr = MIB,
		       .p_filesz = 512,
		       .p_memsz = 0x3000},
		.header = {.magic = MULTIBOOT_HEADER_MAGIC,
			   .flags = 3,
			   .checksum = 0u - MULTIBOOT_HEADER_MAGIC - 3},
	};
	for (unsigned i = 0; i < 512; i++)
		elf.text[i] = kernel_pattern(i);
}

static void set_flags(uint32_t flags)
{
	elf.header.flags = flags;
	elf.header.checksum = 0u - MULTIBOOT_HEADER_MAGIC - flags;
}

static void test_multiboot_elf_is_loaded_with_a_boot_sector(void)
{
	make_elf();
	CHECK_EQ(guest_boot(&elf, sizeof(elf), "a b", NULL), 0);
	CHECK(strstr(boot_image_how(image), "Multiboot kernel, entered at 0x100040"));
	CHECK_EQ(memcmp(at(MIB), elf.text, 512), 0);
	CHECK_EQ(at32(0x7c00 + 508) >> 16, 0xaa55);
	CHECK_EQ(at32(0x7c00 + 47), MULTIBOOT_LOADER_MAGIC);
	CHECK_EQ(at32(0x7c00 + 52), INFO);
	CHECK_EQ(at32(0x7c00 + 57), ENTRY);
	guest_drop();
}

/* The same for x86-64, as GNU Mach is: nothing in it but what the header and the segment say. */
static struct elf64 {
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	struct multiboot_header header;
	uint8_t pad[512 - sizeof(Elf64_Ehdr) - sizeof(Elf64_Phdr) -
		    sizeof(struct multiboot_header)];
	uint8_t text[512];
} elf64;

static void make_elf64(void)
{
	make_elf();
	elf64 = (struct elf64){
		.eh = {.e_ident = ELFMAG "\2\1\1",
		       .e_type = ET_EXEC,
		       .e_machine = EM_X86_64,
		       .e_entry = ENTRY,
		       .e_phoff = sizeof(Elf64_Ehdr),
		       .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 1},
		.ph = {.p_type = PT_LOAD,
		       .p_offset = 512,
		       .p_vaddr = MIB,
		       .p_paddr = MIB,
		       .p_filesz = 512,
		       .p_memsz = 0x3000},
		.header = elf.header,
	};
	memcpy(elf64.text, elf.text, sizeof(elf64.text));
}

static void test_multiboot_elf_of_64_bits_is_entered_like_one_of_32(void)
{
	make_elf64();
	CHECK_EQ(guest_boot(&elf64, sizeof(elf64), "", NULL), 0);
	CHECK(strstr(boot_image_how(image), "Multiboot kernel, entered at 0x100040"));
	CHECK_EQ(memcmp(at(MIB), elf64.text, 512), 0);
	CHECK_EQ(at32(0x7c00 + 57), ENTRY);
	elf64.ph.p_memsz = 1ULL << 32;
	CHECK_EQ(guest_boot(&elf64, sizeof(elf64), "", NULL), -ENOEXEC);
	CHECK(strstr(err.msg, "segment that cannot be loaded"));
	elf64.ph.p_memsz = UINT64_MAX;
	CHECK_EQ(guest_boot(&elf64, sizeof(elf64), "", NULL), -ENOEXEC);
	make_elf64();
	elf64.ph.p_paddr = UINT64_MAX - 0x1000;
	CHECK_EQ(guest_boot(&elf64, sizeof(elf64), "", NULL), -ENOEXEC);
	guest_drop();
}

/* Whatever it looks like otherwise. */
static void test_multiboot_kernel_may_be_compressed(void)
{
	const struct {
		const void *file;
		size_t len;
	} kernels[] = {{&elf, sizeof(elf)}, {&elf64, sizeof(elf64)}};
	make_elf64();
	for (unsigned i = 0; i < 2; i++) {
		size_t len;
		uint8_t *packed = kernel_gzip(kernels[i].file, kernels[i].len, &len);
		CHECK_EQ(guest_boot(packed, len, "", NULL), 0);
		CHECK(strstr(boot_image_how(image), "Multiboot kernel, entered at 0x100040"));
		CHECK_EQ(memcmp(at(MIB), elf.text, 512), 0);
		kernel_write_file(path, packed, len / 2);
		CHECK(!boot_file_needs_pc(path));
		free(packed);
	}
	guest_drop();
}

static void test_multiboot_entry_may_be_virtual(void)
{
	make_elf();
	elf.ph.p_vaddr = 0xc0100000;
	elf.eh.e_entry = 0xc0100010;
	CHECK_EQ(guest_boot(&elf, sizeof(elf), "", NULL), 0);
	CHECK_EQ(at32(0x7c00 + 57), 0x100010);
	guest_drop();
}

static void test_multiboot_information_has_all_that_was_promised(void)
{
	char line[200];
	make_elf();
	CHECK_EQ(guest_boot(&elf, sizeof(elf), "a b", modules), 0);
	struct multiboot_info info;
	memcpy(&info, at(INFO), sizeof(info));
	CHECK_EQ(info.flags, 0x124d);
	CHECK_EQ(info.mem_lower, 639);
	CHECK_EQ(info.mem_upper, 14 * 1024);
	snprintf(line, sizeof(line), "%s a b", path);
	CHECK_STR((const char *)at(info.cmdline), line);
	CHECK_STR((const char *)at(info.loader_name), "tinyvm");
	CHECK_EQ(info.mmap_length, 4 * 24);
	CHECK_EQ(at32(info.mmap_addr), 20);
	CHECK_EQ(at32(info.mmap_addr + 2 * 24 + 4), MIB);
	CHECK_EQ(at32(info.mmap_addr + 3 * 24 + 20), 3);
	CHECK_EQ(info.mods_count, 2);
	CHECK_EQ(at32(info.mods_addr), 0x103000);
	CHECK_EQ(at32(info.mods_addr + 4), 0x103005);
	CHECK_EQ(memcmp(at(0x103000), "first", 5), 0);
	CHECK_EQ(at32(info.mods_addr + 16), 0x104000);
	CHECK_EQ(memcmp(at(0x104000), "first", 5), 0);
	CHECK(strstr((const char *)at(at32(info.mods_addr + 24)), "/module with args"));
	guest_drop();
}

static void test_multiboot_flat_file_is_loaded_by_its_header(void)
{
	make_elf();
	elf.eh.e_ident[0] = 'x';
	set_flags(0x10000);
	uint32_t at_file = offsetof(struct elf, header);
	elf.header.header_addr = MIB + at_file;
	elf.header.load_addr = MIB;
	elf.header.bss_end_addr = MIB + 0x2000;
	elf.header.entry_addr = MIB + 512;
	CHECK_EQ(guest_boot(&elf, sizeof(elf), "", NULL), 0);
	CHECK_EQ(memcmp(at(MIB), &elf, sizeof(elf)), 0);
	CHECK_EQ(image->vmlinux.end, MIB + 0x2000);
	elf.header.load_end_addr = MIB + 600;
	CHECK_EQ(guest_boot(&elf, sizeof(elf), "", NULL), 0);
	CHECK_EQ(memcmp(at(MIB), &elf, 600), 0);
	CHECK_EQ(*at(MIB + 600), 0);
	guest_drop();
}

static bool is_refused(const char *sentence)
{
	bool is_right = guest_boot(&elf, sizeof(elf), "", NULL) < 0 && strstr(err.msg, sentence);
	if (!is_right)
		printf("     not '%s' but '%s'\n", sentence, err.msg);
	return is_right;
}

static void test_multiboot_kernel_that_cannot_be_gets_a_sentence(void)
{
#define BREAK(change, sentence)              \
	do {                                 \
		make_elf();                  \
		change;                      \
		CHECK(is_refused(sentence)); \
	} while (0)
	BREAK(elf.header.checksum++, "is a 32-bit x86 ELF file");
	BREAK(set_flags(8), "wants more than Multiboot 1 has");
	BREAK(elf.eh.e_phoff = 0xfffffff0, "damaged ELF header");
	BREAK(elf.eh.e_phnum = 0xffff, "damaged ELF header");
	BREAK(elf.ph.p_paddr = 0x1000, "segment that cannot be loaded");
	BREAK(elf.ph.p_paddr = 0x8f000, "segment that cannot be loaded");
	BREAK(elf.ph.p_paddr = 0xfffffff0, "segment that cannot be loaded");
	BREAK(elf.ph.p_filesz = 0x4000, "segment that cannot be loaded");
	BREAK(elf.ph.p_offset = 0xffffff00, "segment that cannot be loaded");
	BREAK(elf.eh.e_entry = 0x200000, "entered outside");
	BREAK(elf.ph.p_memsz = 32 * MIB, "needs at least");
	BREAK(set_flags(0x10003), "damaged addresses"); /* all of them 0 */
#undef BREAK
	guest_drop();
}

static void test_module_that_cannot_be_had_gets_a_sentence(void)
{
	make_elf();
	CHECK(guest_boot(&elf, sizeof(elf), "", "/nonexistent/module with args") < 0);
	CHECK(strstr(err.msg, "/nonexistent/module'"));
	guest_drop();
}

static void test_kernel_that_needs_a_pc_is_not_loaded_without(void)
{
	struct boot_entry entry;
	make_elf();
	CHECK_EQ(guest_boot(&elf, sizeof(elf), "", NULL), 0);
	const struct boot_linux boot = {.image = image, .cmdline = ""};
	CHECK(boot_linux_load(gm, &boot, &entry, &err) < 0);
	CHECK(strstr(err.msg, "add --console screen"));
	guest_drop();
}

/* Setup code of four sectors, and two of kernel. */
static uint8_t zimage[7 * 512];

static struct setup_header *make_zimage(uint16_t version, uint8_t loadflags)
{
	for (unsigned i = 0; i < sizeof(zimage); i++)
		zimage[i] = kernel_pattern(i);
	struct setup_header *hdr = (void *)(zimage + LINUX_HDR_OFFSET);
	*hdr = (struct setup_header){
		.setup_sects = 4,
		.syssize = 64,
		.boot_flag = LINUX_BOOT_FLAG,
		.jump = {0xeb, 0x66},
		.header = LINUX_HDR_MAGIC,
		.version = version,
		.loadflags = loadflags,
		.setup_move_size = 0x8000,
	};
	return hdr;
}

static void test_zimage_is_loaded_low(void)
{
	make_zimage(0x200, 0);
	CHECK_EQ(guest_boot(zimage, sizeof(zimage), "root=/dev/fd0", NULL), 0);
	CHECK(strstr(boot_image_how(image), "loaded at 0x10000, entered in real mode"));
	CHECK_EQ(memcmp(at(0x10000), zimage + 5 * 512, 1024), 0);
	CHECK_EQ(memcmp(at(0x90000 + 0x280), zimage + 0x280, 5 * 512 - 0x280), 0);
	CHECK_EQ(at32(0x7c00 + 508) >> 16, 0xaa55);
	CHECK_EQ(*at(0x90210), 0xff);
	CHECK_EQ(*at(0x90211), 0); /* 2.00 has no heap */
	CHECK_EQ(at32(0x90020), 0x9800a33f);
	CHECK_STR((const char *)at(0x99800), "root=/dev/fd0");
	CHECK_EQ(at32(0x90212) & 0xffff, 0x9800 + 14);
	guest_drop();
}

static void test_bzimage_without_32bit_entry_is_entered_in_real_mode(void)
{
	make_zimage(0x207, LINUX_LOADFLAG_LOADED_HIGH)->initrd_addr_max = 0xffffffff;
	CHECK_EQ(guest_boot(zimage, sizeof(zimage), "dhcp", modules), -ENOENT);
	modules[strcspn(modules, ",")] = '\0';
	CHECK_EQ(guest_boot(zimage, sizeof(zimage), "dhcp", modules), 0);
	CHECK_EQ(memcmp(at(MIB), zimage + 5 * 512, 1024), 0);
	CHECK_EQ(at32(0x90228), 0x9e000);
	CHECK_STR((const char *)at(0x9e000), "dhcp");
	CHECK_EQ(*at(0x90211), 0x81);
	CHECK_EQ(at32(0x90224) & 0xffff, 0xde00);
	CHECK_EQ(at32(0x90218), 15 * MIB - 4096);
	CHECK_EQ(at32(0x9021c), 5);
	CHECK_EQ(memcmp(at(15 * MIB - 4096), "first", 5), 0);
	guest_drop();
}

/* MEMDISK names a 32-bit entry, but has its own things to do in real mode first. */
static void test_old_bzimage_that_is_no_linux_is_entered_in_real_mode(void)
{
	struct setup_header *hdr = make_zimage(0x203, LINUX_LOADFLAG_LOADED_HIGH);
	hdr->code32_start = MIB;
	hdr->kernel_version = 0x400;
	memcpy(zimage + 0x600, "MEMDISK 6.04", 13);
	CHECK_EQ(guest_boot(zimage, sizeof(zimage), "", NULL), 0);
	CHECK_STR(boot_image_how(image),
		  "bzImage, MEMDISK, boot protocol 2.03, loaded at 0x100000, "
		  "entered in real mode");
	hdr->version = 0x206;
	CHECK_EQ(guest_boot(zimage, sizeof(zimage), "", NULL), -EDOM); /* entered directly */
	hdr->version = 0x203;
	memcpy(zimage + 0x600, "2.4.37", 7);
	CHECK_EQ(guest_boot(zimage, sizeof(zimage), "", NULL), -EDOM);
	/* At the very end of the setup code. */
	hdr->kernel_version = 5 * 512 - 8 - 0x200;
	memcpy(zimage + 5 * 512 - 8, "2.4.37", 7);
	CHECK_EQ(guest_boot(zimage, sizeof(zimage), "", NULL), -EDOM);
	hdr->kernel_version = 0;
	CHECK_EQ(guest_boot(zimage, sizeof(zimage), "", NULL), 0);
	guest_drop();
}

static void test_real_mode_kernel_that_cannot_be_gets_a_sentence(void)
{
	static uint8_t big[0x80000 + 6 * 512];
	static char line[0x2000];
	make_zimage(0x200, 0);
	memcpy(big, zimage, sizeof(zimage));
	CHECK_EQ(guest_boot(big, sizeof(big), "", NULL), -ENOEXEC);
	CHECK(strstr(err.msg, "too long to be loaded low"));
	big[LINUX_HDR_OFFSET] = 200; /* sectors of setup code */
	CHECK_EQ(guest_boot(big, sizeof(big), "", NULL), -ENOEXEC);
	CHECK(strstr(err.msg, "setup code is too long"));
	memset(line, 'x', sizeof(line) - 1);
	CHECK_EQ(guest_boot(zimage, sizeof(zimage), line, NULL), -E2BIG);
	CHECK(strstr(err.msg, "takes 255"));
	make_zimage(0x207, LINUX_LOADFLAG_LOADED_HIGH)->cmdline_size = 0xffffffff;
	CHECK_EQ(guest_boot(zimage, sizeof(zimage), line, NULL), -E2BIG);
	CHECK(strstr(err.msg, "takes 7167"));
	guest_drop();
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_multiboot_elf_is_loaded_with_a_boot_sector),
		TEST_CASE(test_multiboot_elf_of_64_bits_is_entered_like_one_of_32),
		TEST_CASE(test_multiboot_kernel_may_be_compressed),
		TEST_CASE(test_multiboot_entry_may_be_virtual),
		TEST_CASE(test_multiboot_information_has_all_that_was_promised),
		TEST_CASE(test_multiboot_flat_file_is_loaded_by_its_header),
		TEST_CASE(test_multiboot_kernel_that_cannot_be_gets_a_sentence),
		TEST_CASE(test_module_that_cannot_be_had_gets_a_sentence),
		TEST_CASE(test_kernel_that_needs_a_pc_is_not_loaded_without),
		TEST_CASE(test_zimage_is_loaded_low),
		TEST_CASE(test_bzimage_without_32bit_entry_is_entered_in_real_mode),
		TEST_CASE(test_old_bzimage_that_is_no_linux_is_entered_in_real_mode),
		TEST_CASE(test_real_mode_kernel_that_cannot_be_gets_a_sentence),
	};
	char module[128];
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/kernel", dir);
	snprintf(module, sizeof(module), "%s/module", dir);
	snprintf(modules, sizeof(modules), "%s,%s with args", module, module);
	kernel_write_file(module, "first", 5);
	int status = TEST_RUN(cases);
	guest_drop();
	unlink(path);
	unlink(module);
	rmdir(dir);
	return status;
}
