/* Synthetic kernels: an ELF vmlinux, and a bzImage around any payload. */
#include "kernel_file.h"

#include <elf.h>
#include <spec/linux_boot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static void *kernel_alloc(size_t len)
{
	void *p = calloc(1, len);
	if (!p)
		abort();
	return p;
}

uint8_t kernel_pattern(uint64_t gpa)
{
	uint64_t v = gpa * 0x9e3779b97f4a7c15ULL;
	return (uint8_t)(v >> 56 | 1); /* never zero */
}

static void kernel_fill(uint8_t *p, uint64_t gpa, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = kernel_pattern(gpa + i);
}

uint8_t *kernel_make_elf(size_t *ret_len)
{
	size_t text_off = 0x1000, data_off = text_off + KERNEL_TEXT_SIZE;
	uint8_t *elf = kernel_alloc(data_off + KERNEL_DATA_SIZE + 0x100);
	Elf64_Ehdr eh = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_entry = KERNEL_TEXT_GPA + 0x40,
		.e_phoff = sizeof(eh),
		.e_ehsize = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	Elf64_Phdr ph[2] = {
		{.p_type = PT_LOAD,
		 .p_offset = text_off,
		 .p_vaddr = KERNEL_TEXT_GPA + KERNEL_VIRT_OFF,
		 .p_paddr = KERNEL_TEXT_GPA,
		 .p_filesz = KERNEL_TEXT_SIZE,
		 .p_memsz = KERNEL_TEXT_SIZE},
		{.p_type = PT_LOAD,
		 .p_offset = data_off,
		 .p_vaddr = 0, /* like the per-CPU segment */
		 .p_paddr = KERNEL_DATA_GPA,
		 .p_filesz = KERNEL_DATA_SIZE,
		 .p_memsz = KERNEL_DATA_MEM},
	};
	memcpy(elf, &eh, sizeof(eh));
	memcpy(elf + sizeof(eh), ph, sizeof(ph));
	kernel_fill(elf + text_off, KERNEL_TEXT_GPA, KERNEL_TEXT_SIZE);
	kernel_fill(elf + data_off, KERNEL_DATA_GPA, 0x10000);
	kernel_fill(elf + data_off + 0x30000, KERNEL_DATA_GPA + 0x30000, 0x1000);
	*ret_len = data_off + KERNEL_DATA_SIZE + 0x100; /* symbols follow in a real one */
	return elf;
}

uint8_t *kernel_make_bzimage(const void *payload, size_t payload_len, size_t *ret_len)
{
	static const char release[] = "6.6.6-test (tinyvm@test) #1 SMP, a version string of more "
				      "than sixty-four characters";
	size_t kernel_size = (KERNEL_PAYLOAD_OFFSET + payload_len + 15) & ~(size_t)15;
	uint8_t *image = kernel_alloc(KERNEL_SETUP_SIZE + kernel_size);
	struct setup_header hdr = {
		.setup_sects = KERNEL_SETUP_SIZE / 512 - 1,
		.syssize = (uint32_t)(kernel_size / 16),
		.boot_flag = LINUX_BOOT_FLAG,
		.jump = {0xeb, 0x6a},
		.header = LINUX_HDR_MAGIC,
		.version = 0x20f,
		.kernel_version = 0x200,
		.loadflags = LINUX_LOADFLAG_LOADED_HIGH | LINUX_LOADFLAG_KASLR,
		.code32_start = 0x100000,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.min_alignment = 21,
		.xloadflags = LINUX_XLF_KERNEL_64,
		.cmdline_size = 2047,
		.payload_offset = KERNEL_PAYLOAD_OFFSET,
		.payload_length = (uint32_t)payload_len,
		.pref_address = KERNEL_TEXT_GPA,
		.init_size = KERNEL_INIT_SIZE,
	};
	memcpy(image + LINUX_HDR_OFFSET, &hdr, sizeof(hdr));
	memcpy(image + 0x400, release, sizeof(release));
	for (size_t i = 0; i < KERNEL_PAYLOAD_OFFSET; i++)
		image[KERNEL_SETUP_SIZE + i] = kernel_pattern(KERNEL_TEXT_GPA + i);
	if (payload_len)
		memcpy(image + KERNEL_SETUP_SIZE + KERNEL_PAYLOAD_OFFSET, payload, payload_len);
	*ret_len = KERNEL_SETUP_SIZE + kernel_size;
	return image;
}

uint8_t *kernel_gzip(const void *data, size_t len, size_t *ret_len)
{
	z_stream z = {0};
	size_t max = len + len / 100 + 1024;
	uint8_t *out = kernel_alloc(max);
	if (deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	z.next_in = (uint8_t *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.next_out = out;
	z.avail_out = (uInt)max;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	*ret_len = z.total_out;
	deflateEnd(&z);
	return out;
}

void kernel_write_file(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

uint8_t *kernel_pack(const char *command, const void *data, size_t len, size_t *ret_len)
{
	char in[] = "/tmp/tinyvm-pack-XXXXXX", line[256];
	int fd = mkstemp(in);
	if (fd < 0)
		return NULL;
	close(fd);
	kernel_write_file(in, data, len);
	snprintf(line, sizeof(line), "%s <%s", command, in);
	FILE *pipe = popen(line, "r");
	size_t max = len + 65536;
	uint8_t *out = kernel_alloc(max);
	size_t n = pipe ? fread(out, 1, max - 4, pipe) : 0;
	int status = pipe ? pclose(pipe) : -1;
	unlink(in);
	if (status != 0 || n == 0) {
		free(out);
		return NULL;
	}
	for (int i = 0; i < 4; i++)
		out[n++] = (uint8_t)(len >> 8 * i);
	*ret_len = n;
	return out;
}
