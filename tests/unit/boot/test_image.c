/* boot_image_open(): every format, every way to unpack, and a sentence for all that is no kernel.
 */
#include "image.h"
#include "kernel_file.h"
#include "payload.h"
#include "test.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <unistd.h>

static char dir[] = "/tmp/tinyvm-image-XXXXXX";
static char path[128];

/* Opens @data as a kernel file without a cache. */
static int open_bytes(struct boot_image **image, const void *data, size_t len, struct err *err)
{
	kernel_write_file(path, data, len);
	return boot_image_open(image, path, true, NULL, err);
}

/* The loaded ranges equal the ELF file's pattern. */
static bool is_elf_loaded(const struct boot_image *image)
{
	struct gmem *gm;
	struct err err;
	struct boot_entry entry;
	const struct boot_linux boot = {.image = (struct boot_image *)(uintptr_t)image,
					.cmdline = "quiet"};
	if (gmem_create(&gm, 64 << 20) != 0)
		return false;
	bool is_same = boot_linux_load(gm, &boot, &entry, &err) == 0;
	const uint8_t *ram = gmem_region(gm, 0)->hva;
	for (uint64_t i = 0; is_same && i < KERNEL_TEXT_SIZE; i++)
		is_same = ram[KERNEL_TEXT_GPA + i] == kernel_pattern(KERNEL_TEXT_GPA + i);
	for (uint64_t i = 0; is_same && i < KERNEL_DATA_MEM; i++) {
		bool is_data = i < 0x10000 || (i >= 0x30000 && i < 0x31000);
		is_same = ram[KERNEL_DATA_GPA + i] ==
			  (is_data ? kernel_pattern(KERNEL_DATA_GPA + i) : 0);
	}
	is_same = is_same && entry.is_long_mode && entry.rip == KERNEL_TEXT_GPA + 0x40;
	gmem_destroy(gm);
	return is_same;
}

static void test_elf_is_entered_where_it_says(void)
{
	struct boot_image *image;
	struct err err;
	size_t len;
	uint8_t *elf = kernel_make_elf(&len);
	CHECK_EQ(open_bytes(&image, elf, len, &err), 0);
	CHECK_STR(boot_image_how(image), "ELF vmlinux, entered at 0x1000040");
	CHECK_EQ(boot_image_cmdline_max(image), 2047);
	CHECK(is_elf_loaded(image));
	CHECK(is_elf_loaded(image)); /* a reset loads again */
	boot_image_close(image);

	/* A virtual entry point means the same. */
	Elf64_Ehdr *eh = (Elf64_Ehdr *)(void *)elf;
	eh->e_entry += KERNEL_VIRT_OFF;
	eh->e_type = ET_DYN;
	CHECK_EQ(open_bytes(&image, elf, len, &err), 0);
	CHECK(is_elf_loaded(image));
	boot_image_close(image);
	free(elf);
}

static void test_gzip_elf_is_unpacked(void)
{
	struct boot_image *image;
	struct err err;
	size_t len, gz_len;
	uint8_t *elf = kernel_make_elf(&len), *gz = kernel_gzip(elf, len, &gz_len);
	CHECK_EQ(open_bytes(&image, gz, gz_len, &err), 0);
	CHECK(is_elf_loaded(image));
	boot_image_close(image);
	gz[gz_len / 2] ^= 0xff;
	CHECK(open_bytes(&image, gz, gz_len, &err) < 0);
	CHECK(strstr(err.msg, "cannot be unpacked: its gzip payload is damaged"));
	free(gz);
	free(elf);
}

static void test_release_is_in_the_header_or_the_banner(void)
{
	struct boot_image *image;
	struct err err;
	char release[BOOT_RELEASE_MAX];
	size_t len, bz_len;
	uint8_t *elf = kernel_make_elf(&len), *bz = kernel_make_bzimage("neither", 7, &bz_len);
	CHECK_EQ(open_bytes(&image, bz, bz_len, &err), 0);
	CHECK_EQ(boot_image_release(image, release), 0);
	CHECK_STR(release, "6.6.6-test");
	CHECK(boot_image_is_64bit(image));
	boot_image_close(image);

	CHECK_EQ(open_bytes(&image, elf, len, &err), 0);
	CHECK_EQ(boot_image_release(image, release), -ENOENT);
	CHECK(boot_image_is_64bit(image));
	uint64_t at = image->vmlinux.extent[image->vmlinux.count - 1].offset + 100;
	boot_image_close(image);
	memcpy(elf + at, "Linux version %s (", 19);
	memcpy(elf + at + 50, "Linux version 5.4.3-x+ (who@where) #1", 38);
	CHECK_EQ(open_bytes(&image, elf, len, &err), 0);
	CHECK_EQ(boot_image_release(image, release), 0);
	CHECK_STR(release, "5.4.3-x+");
	boot_image_close(image);
	free(elf);
	free(bz);
}

static const struct {
	const char *name;
	const char *command;
	const char *tool;
} packers[] = {
	{"xz", "xz --check=crc32 --x86 --lzma2=dict=1MiB -c", "xz"},
	{"lzma", "xz --format=lzma -c", "xz"},
	{"zstd", "zstd -q -c", "zstd"},
	{"lz4", "lz4 -l -q -c", "lz4"},
	{"bzip2", "bzip2 -c", "bzip2"},
};
#define PACKERS (sizeof(packers) / sizeof(packers[0]))

static void test_every_payload_format_is_unpacked(void)
{
	size_t elf_len;
	uint8_t *elf = kernel_make_elf(&elf_len);
	for (size_t i = 0; i <= PACKERS; i++) {
		size_t len, bz_len;
		uint8_t *packed = i < PACKERS ? kernel_pack(packers[i].command, elf, elf_len, &len)
					      : kernel_gzip(elf, elf_len, &len);
		if (!packed) {
			printf("     %s is not installed\n", packers[i].tool);
			continue;
		}
		uint8_t *bz = kernel_make_bzimage(packed, len, &bz_len);
		struct boot_image *image;
		struct err err;
		CHECK_EQ(open_bytes(&image, bz, bz_len, &err), 0);
		CHECK(strstr(boot_image_how(image),
			     "bzImage, Linux 6.6.6-test, boot protocol 2.15"));
		CHECK(strstr(boot_image_how(image), "entered as ELF at 0x1000040"));
		CHECK(strstr(boot_image_how(image), i < PACKERS ? packers[i].name : "gzip"));
		CHECK(is_elf_loaded(image));
		boot_image_close(image);
		free(bz);
		free(packed);
	}
	free(elf);
}

/* A bzImage with @payload opens and unpacks itself because of @why. */
static bool unpacks_itself(const void *payload, size_t len, const char *why)
{
	struct boot_image *image;
	struct err err;
	size_t bz_len;
	uint8_t *bz = kernel_make_bzimage(payload, len, &bz_len);
	bool is_ok = open_bytes(&image, bz, bz_len, &err) == 0;
	if (is_ok) {
		is_ok = strstr(boot_image_how(image),
			       "unpacks itself (64-bit entry at 0x1000000)") &&
			strstr(boot_image_how(image), why) &&
			image->vmlinux.entry == KERNEL_TEXT_GPA + 0x200;
		if (!is_ok)
			fprintf(stderr, "%s\n", boot_image_how(image));
		boot_image_close(image);
	}
	free(bz);
	return is_ok;
}

static void test_damaged_payload_is_left_to_the_kernel(void)
{
	size_t elf_len, len;
	uint8_t *elf = kernel_make_elf(&elf_len), *gz = kernel_gzip(elf, elf_len, &len);
	gz[len / 2] ^= 1;
	CHECK(unpacks_itself(gz, len, "its gzip payload is damaged"));
	gz[len / 2] ^= 1;
	gz[len - 4] ^= 1; /* the size */
	CHECK(unpacks_itself(gz, len, "its gzip payload is damaged"));
	memset(gz + len - 4, 0xff, 4); /* 4 GiB */
	CHECK(unpacks_itself(gz, len, "its payload does not end in a size"));
	CHECK(unpacks_itself("neither", 7, "its payload is of an unknown format"));
	free(gz);
	elf[18] = EM_AARCH64;
	gz = kernel_gzip(elf, elf_len, &len);
	CHECK(unpacks_itself(gz, len, "its payload is not an x86-64 ELF file"));
	free(gz);
	free(elf);
}

/* From here on PATH has only this script, called xz. */
static void set_fake_xz(const char *script)
{
	char file[160];
	snprintf(file, sizeof(file), "%s/xz", dir);
	kernel_write_file(file, script, strlen(script));
	chmod(file, 0755);
	setenv("PATH", dir, 1);
}

static const uint8_t bad_xz[64] = {0xfd, '7', 'z', 'X', 'Z', 0, [61] = 1}; /* of 256 bytes */

static void check_failing_tools(void)
{
	CHECK(unpacks_itself(bad_xz, 64, "xz could not unpack its xz payload"));
	set_fake_xz("#!/bin/sh\nexit 0\n");
	CHECK(unpacks_itself(bad_xz, 64, "xz could not unpack its xz payload"));
	set_fake_xz("#!/bin/sh\nkill -9 $$\n");
	CHECK(unpacks_itself(bad_xz, 64, "xz was killed by signal 9"));
	set_fake_xz("#!/bin/sh\nwhile :; do echo more and more; done\n");
	CHECK(unpacks_itself(bad_xz, 64, "xz could not unpack its xz payload"));
	setenv("PATH", "/nonexistent", 1);
	CHECK(unpacks_itself(bad_xz, 64, "xz is not installed (Debian package xz-utils)"));
}

static void check_hanging_tool(void)
{
	char why[UNPACK_WHY_MAX];
	uint64_t size;
	int raw;
	kernel_write_file(path, bad_xz, sizeof(bad_xz));
	int fd = open(path, O_RDONLY);
	const struct payload p = {fd, 0, 64, unpack_identify(bad_xz, sizeof(bad_xz))};
	set_fake_xz("#!/bin/sh\nexec /bin/sleep 1000\n");
	int rc = payload_unpack(&p, 50, &raw, &size, why);
	close(fd);
	CHECK_EQ(rc, -ETIMEDOUT);
	CHECK(strstr(why, "xz printed nothing for"));
}

static void with_saved_path(void (*check)(void))
{
	const char *old = getenv("PATH");
	char *saved = strdup(old ? old : "/usr/bin:/bin");
	CHECK(saved);
	check();
	setenv("PATH", saved, 1);
	free(saved);
}

static void test_tool_that_fails_or_lacks_is_left_to_the_kernel(void)
{
	with_saved_path(check_failing_tools);
}

static void test_tool_that_hangs_is_killed(void)
{
	with_saved_path(check_hanging_tool);
}

static void test_no_unpack_and_old_protocols_unpack_themselves(void)
{
	struct boot_image *image;
	struct err err;
	size_t elf_len, gz_len, len;
	uint8_t *elf = kernel_make_elf(&elf_len), *gz = kernel_gzip(elf, elf_len, &gz_len);
	uint8_t *bz = kernel_make_bzimage(gz, gz_len, &len);
	struct setup_header *hdr = (struct setup_header *)(void *)(bz + LINUX_HDR_OFFSET);
	kernel_write_file(path, bz, len);
	CHECK_EQ(boot_image_open(&image, path, false, NULL, &err), 0);
	CHECK(strstr(boot_image_how(image), "because unpacking on the host is off"));
	CHECK_EQ(image->vmlinux.end, KERNEL_TEXT_GPA + KERNEL_INIT_SIZE);
	boot_image_close(image);

	hdr->xloadflags = 0;
	CHECK_EQ(open_bytes(&image, bz, len, &err), 0);
	CHECK(strstr(boot_image_how(image), "32-bit entry at 0x1000000"));
	CHECK(!image->is_long_mode);
	CHECK_EQ(image->vmlinux.entry, KERNEL_TEXT_GPA);
	boot_image_close(image);

	hdr->version = 0x205;
	CHECK_EQ(open_bytes(&image, bz, len, &err), 0);
	CHECK_EQ(image->vmlinux.entry, 0x100000);
	CHECK_EQ(boot_image_cmdline_max(image), 255);
	boot_image_close(image);

	hdr->version = 0x203; /* syssize has 16 bits that mean nothing */
	hdr->syssize = 0xffff0001;
	CHECK_EQ(open_bytes(&image, bz, len, &err), 0);
	CHECK_EQ(image->vmlinux.extent[0].size, len - KERNEL_SETUP_SIZE);
	boot_image_close(image);
	free(bz);
	free(gz);
	free(elf);
}

static bool is_refused(const void *data, size_t len, const char *sentence)
{
	struct boot_image *image;
	struct err err = {0};
	int rc = open_bytes(&image, data, len, &err);
	if (rc == 0)
		boot_image_close(image);
	bool is_ok = rc < 0 && err.code == rc && strstr(err.msg, path) && strstr(err.msg, sentence);
	if (!is_ok)
		fprintf(stderr, "%d: \"%s\", not \"%s\"\n", rc, err.msg, sentence);
	return is_ok;
}

static void test_files_that_are_no_kernel_get_a_sentence(void)
{
	uint8_t b[4096] = {0};
	CHECK(is_refused(b, 0, "is empty"));
	CHECK(is_refused("hello", 5, "is too short to be a kernel"));
	CHECK(is_refused(b, sizeof(b), "is neither a bzImage nor an ELF vmlinux"));
	CHECK(is_refused("#!/bin/sh\n", 10, "is a script"));
	CHECK(is_refused("070701", 6, "is a cpio archive; an initramfs goes with --initrd"));
	CHECK(is_refused("QFI\xfb", 4, "is a qcow2 disk image"));
	CHECK(is_refused("\xfd"
			 "7zXZ\0",
			 6, "is a xz-compressed file"));
	memcpy(b + 0x38, "ARM\x64", 4);
	CHECK(is_refused(b, sizeof(b), "is a kernel for arm64, not x86"));
	memcpy(b, "MZ", 2); /* with an EFI stub */
	CHECK(is_refused(b, sizeof(b), "is a kernel for arm64, not x86"));
	memcpy(b + 0x38, "RSC\x05", 4);
	CHECK(is_refused(b, sizeof(b), "is a kernel for RISC-V"));
	memset(b + 0x38, 0, 4);
	b[0x3c] = 0x80;
	memcpy(b + 0x80, "PE\0\0\x64\xaa", 6);
	CHECK(is_refused(b, sizeof(b), "is an EFI program for arm64"));
	memcpy(b + 0x80, "PE\0\0\x64\x86", 6);
	CHECK(is_refused(b, sizeof(b), "is an EFI program (a unified kernel image?)"));
	memset(b, 0, sizeof(b));
	b[510] = 0x55;
	b[511] = 0xaa;
	CHECK(is_refused(b, sizeof(b), "is a boot sector or disk image"));

	size_t gz_len;
	memset(b, 0, sizeof(b));
	memcpy(b + 0x38, "ARM\x64", 4);
	uint8_t *gz = kernel_gzip(b, sizeof(b), &gz_len);
	CHECK(is_refused(gz, gz_len, "a gzip file, unpacked is a kernel for arm64"));
	free(gz);
}

static void test_paths_that_are_no_file_get_a_sentence(void)
{
	struct boot_image *image;
	struct err err;
	CHECK_EQ(boot_image_open(&image, "/nonexistent/bz", true, NULL, &err), -ENOENT);
	CHECK_STR(err.msg, "kernel '/nonexistent/bz' does not exist");
	CHECK_EQ(boot_image_open(&image, dir, true, NULL, &err), -EISDIR);
	CHECK(strstr(err.msg, "is a directory"));
	CHECK_EQ(boot_image_open(&image, "/dev/null", true, NULL, &err), -EINVAL);
	CHECK_STR(err.msg, "kernel '/dev/null' is not a regular file");
	char fifo[128];
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	CHECK_EQ(mkfifo(fifo, 0600), 0);
	CHECK_EQ(boot_image_open(&image, fifo, true, NULL, &err), -EINVAL);
	if (geteuid() != 0) { /* root reads everything */
		kernel_write_file(path, "x", 1);
		chmod(path, 0);
		CHECK_EQ(boot_image_open(&image, path, true, NULL, &err), -EACCES);
		CHECK(strstr(err.msg, "cannot be opened: Permission denied"));
		unlink(path);
	}
}

static void test_elf_of_the_wrong_kind_gets_a_sentence(void)
{
	size_t len;
	uint8_t *elf = kernel_make_elf(&len);
	Elf64_Ehdr *eh = (Elf64_Ehdr *)(void *)elf;
	Elf64_Phdr *ph = (Elf64_Phdr *)(void *)(elf + sizeof(*eh));
	const Elf64_Ehdr good_eh = *eh;
	const Elf64_Phdr good[2] = {ph[0], ph[1]};
#define BREAK(change, sentence)                        \
	do {                                           \
		change;                                \
		CHECK(is_refused(elf, len, sentence)); \
		*eh = good_eh;                         \
		memcpy(ph, good, sizeof(good));        \
	} while (0)
	BREAK(eh->e_machine = EM_AARCH64, "is an ELF file for arm64, not x86-64");
	BREAK(eh->e_machine = 0x1234, "another machine (number 4660)");
	BREAK((eh->e_machine = EM_386, eh->e_ident[EI_CLASS] = ELFCLASS32), "is a 32-bit x86 ELF");
	BREAK(eh->e_type = ET_REL, "is an ELF object, not an executable kernel");
	BREAK(eh->e_phnum = 0, "without usable program headers");
	BREAK(eh->e_phnum = 0xffff, "without usable program headers");
	BREAK(eh->e_phoff = ~0ULL - 8, "is a truncated ELF file");
	BREAK(ph[0].p_type = PT_INTERP, "is a program for Linux, not a kernel");
	BREAK((ph[0].p_type = PT_NOTE, ph[1].p_type = PT_NOTE), "nothing to load");
	BREAK(ph[0].p_memsz = 16, "larger in the file than in memory");
	BREAK((ph[1].p_memsz = 0, eh->e_entry = 0x42), "larger in the file than in memory");
	BREAK(ph[0].p_paddr = 0x1000, "below 1 MiB");
	BREAK(ph[0].p_paddr = ~0ULL, "above 3 GiB");
	BREAK(ph[1].p_memsz = ~0ULL, "above 3 GiB");
	BREAK(ph[1].p_offset = ~0ULL, "go on past the end");
	BREAK(ph[1].p_offset = len - 8, "go on past the end");
	BREAK(eh->e_entry = 0x7f000000, "entry point lies outside of its segments");
#undef BREAK
	for (size_t cut = 4; cut < len - 0x100; cut += cut < 256 ? 1 : 4093)
		CHECK(is_refused(elf, cut, "is a truncated ELF file"));
	free(elf);
}

static void test_bzimage_that_breaks_the_protocol_gets_a_sentence(void)
{
	size_t elf_len, gz_len, len;
	uint8_t *elf = kernel_make_elf(&elf_len), *gz = kernel_gzip(elf, elf_len, &gz_len);
	uint8_t *bz = kernel_make_bzimage(gz, gz_len, &len);
	struct setup_header *hdr = (struct setup_header *)(void *)(bz + LINUX_HDR_OFFSET);
	const struct setup_header good = *hdr;
#define BREAK(change, sentence)                       \
	do {                                          \
		change;                               \
		CHECK(is_refused(bz, len, sentence)); \
		*hdr = good;                          \
	} while (0)
	BREAK(hdr->version = 0x1ff, "older than 2.00");
	BREAK(hdr->syssize = 0x7fffffff, "is a truncated bzImage");
	BREAK(hdr->syssize = 0, "is a truncated bzImage");
	BREAK(hdr->setup_sects = 255, "is a truncated bzImage");
	BREAK(hdr->pref_address = ~0ULL, "impossible address");
	BREAK(hdr->pref_address = 0x1000, "impossible address");
	BREAK(hdr->header = 0, "is a boot sector or disk image");
#undef BREAK
	for (size_t cut = 0x206; cut < len - 16; cut += 509)
		CHECK(is_refused(bz, cut, "is a truncated bzImage"));
	free(bz);
	free(gz);
	free(elf);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_elf_is_entered_where_it_says),
		TEST_CASE(test_gzip_elf_is_unpacked),
		TEST_CASE(test_release_is_in_the_header_or_the_banner),
		TEST_CASE(test_every_payload_format_is_unpacked),
		TEST_CASE(test_damaged_payload_is_left_to_the_kernel),
		TEST_CASE(test_no_unpack_and_old_protocols_unpack_themselves),
		TEST_CASE(test_files_that_are_no_kernel_get_a_sentence),
		TEST_CASE(test_paths_that_are_no_file_get_a_sentence),
		TEST_CASE(test_elf_of_the_wrong_kind_gets_a_sentence),
		TEST_CASE(test_bzimage_that_breaks_the_protocol_gets_a_sentence),
		TEST_CASE(test_tool_that_fails_or_lacks_is_left_to_the_kernel),
		TEST_CASE(test_tool_that_hangs_is_killed),
	};
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/kernel", dir);
	int status = TEST_RUN(cases);
	char file[160];
	unlink(path);
	snprintf(file, sizeof(file), "%s/fifo", dir);
	unlink(file);
	snprintf(file, sizeof(file), "%s/xz", dir);
	unlink(file);
	rmdir(dir);
	return status;
}
