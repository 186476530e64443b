/*
 * Multiboot 1 kernels (specification 0.6.96): ELF files for 32-bit x86, and whatever file has the
 * addresses in its header ("a.out kludge"). ELF files for x86-64 the specification does not know,
 * but GRUB loads them and enters them like the others, in 32-bit mode; so GNU Mach expects.
 *
 * The PC's BIOS enters the stub at 0x7c00 as it would a boot sector; the stub leaves real mode and
 * enters the kernel. What the kernel is told lies where none of it can be, below the EBDA:
 *	0x90000  struct multiboot_info, 0x90200 memory map, 0x91000 modules, 0x91800 strings
 * The modules follow the kernel. Left out on purpose: the ELF symbol table, the APM and VBE tables,
 * the drives (a kernel that wants a BIOS asks it) and graphics modes: the screen is in text mode.
 */
#include "multiboot.h"

#include "file.h"
#include "image.h"
#include "load.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <spec/linux_boot.h>
#include <spec/multiboot.h>
#include <stdio.h>
#include <string.h>
#include <tinyvm/err.h>
#include <unistd.h>

#define INFO_GPA    0x90000u
#define MAP_GPA	    0x90200u
#define MODULES_GPA 0x91000u
#define STRINGS_GPA 0x91800u
#define STRINGS_END 0x9f000u
#define MODULE_MAX  64
#define LOW_START   0x8000u /* behind the stub */
#define MIB	    ((uint64_t)1 << 20)
#define PAGE	    4096ULL
#define PHDR_MAX    64

_Static_assert(MAP_GPA + E820_MAX * sizeof(struct multiboot_map_entry) <= MODULES_GPA, "map");
_Static_assert(MODULES_GPA + MODULE_MAX * sizeof(struct multiboot_module) <= STRINGS_GPA, "list");

#define STUB_GDTR  9 /* operands in multiboot_stub */
#define STUB_ENTER 21
#define STUB_INFO  52
#define STUB_ENTRY 57
#define STUB_32BIT 27
#define STUB_GDT   64 /* behind the code */
#define STUB_PTR   88

static const uint8_t multiboot_stub[] = {
	0xfa,					  /* cli */
	0xfc,					  /* cld */
	0x31, 0xc0,				  /* xor %ax, %ax */
	0x8e, 0xd8,				  /* mov %ax, %ds */
	0x0f, 0x01, 0x16, 0,	0,		  /* lgdt the pointer */
	0x0f, 0x20, 0xc0,			  /* mov %cr0, %eax */
	0x0c, 0x01,				  /* or $1, %al */
	0x0f, 0x22, 0xc0,			  /* mov %eax, %cr0 */
	0x66, 0xea, 0,	  0,	0,    0,    8, 0, /* ljmpl $8, what follows */
	0x66, 0xb8, 0x10, 0,			  /* mov $16, %ax */
	0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0,	  /* to %ds, %es, %fs, */
	0x8e, 0xe8, 0x8e, 0xd0,			  /* %gs, %ss */
	0xbc, 0x00, 0x7c, 0,	0,		  /* mov $0x7c00, %esp */
	0xb8, 0x02, 0xb0, 0xad, 0x2b,		  /* mov $MULTIBOOT_LOADER_MAGIC, %eax */
	0xbb, 0,    0,	  0,	0,		  /* mov the information, %ebx */
	0xea, 0,    0,	  0,	0,    8,    0,	  /* ljmpl $8, the kernel */
};

_Static_assert(sizeof(multiboot_stub) <= STUB_GDT, "stub");

/* Return: the header's place, -1 for none. */
static long multiboot_find(const uint8_t *head, size_t len, struct multiboot_header *ret_header)
{
	struct multiboot_header h = {0};
	if (len > MULTIBOOT_SEARCH)
		len = MULTIBOOT_SEARCH;
	for (size_t off = 0; off + 12 <= len; off += 4) {
		memcpy(&h, head + off, 12);
		if (h.magic != MULTIBOOT_HEADER_MAGIC || h.magic + h.flags + h.checksum != 0)
			continue;
		bool is_whole = off + sizeof(h) <= len;
		if ((h.flags & MULTIBOOT_HAS_ADDRESSES) && !is_whole)
			continue;
		if (is_whole)
			memcpy(&h, head + off, sizeof(h));
		*ret_header = h;
		return (long)off;
	}
	return -1;
}

static bool multiboot_is_elf(const uint8_t *head, size_t len)
{
	if (len < sizeof(Elf64_Ehdr) || memcmp(head, ELFMAG, SELFMAG) != 0 ||
	    head[EI_DATA] != ELFDATA2LSB || head[19] != 0)
		return false;
	return head[EI_CLASS] == ELFCLASS64 ? head[18] == EM_X86_64
					    : head[EI_CLASS] == ELFCLASS32 && head[18] == EM_386;
}

bool multiboot_is_one(const uint8_t *head, size_t len)
{
	struct multiboot_header h;
	return multiboot_find(head, len, &h) >= 0 &&
	       ((h.flags & MULTIBOOT_HAS_ADDRESSES) || multiboot_is_elf(head, len));
}

/* Takes a range in; false: no loader can put it there. */
static bool multiboot_add(struct vmlinux *v, uint64_t gpa, uint64_t offset, uint64_t file_size,
			  uint64_t mem_size)
{
	if (!mem_size)
		return true;
	if (gpa > UINT32_MAX || mem_size > UINT32_MAX)
		return false;
	uint64_t end = gpa + mem_size;
	bool is_low = gpa >= LOW_START && end <= INFO_GPA;
	if (file_size > mem_size || end > UINT32_MAX || (!is_low && gpa < MIB) ||
	    v->count == VMLINUX_EXTENT_MAX)
		return false;
	if (file_size)
		v->extent[v->count++] = (struct vmlinux_extent){gpa, offset, file_size};
	if (gpa < v->start)
		v->start = gpa;
	if (end > v->end)
		v->end = end;
	return true;
}

static int multiboot_parse_addresses(const struct multiboot_header *h, uint64_t at, uint64_t size,
				     struct vmlinux *v, const char **ret_why)
{
	*ret_why = "is a Multiboot kernel with damaged addresses in its header";
	if (h->header_addr < h->load_addr || h->header_addr - h->load_addr > at)
		return -ENOEXEC;
	uint64_t offset = at - (h->header_addr - h->load_addr), len = size - offset;
	if (h->load_end_addr &&
	    (h->load_end_addr <= h->load_addr || h->load_end_addr - h->load_addr > len))
		return -ENOEXEC;
	if (h->load_end_addr)
		len = h->load_end_addr - h->load_addr;
	uint64_t mem = len;
	if (h->bss_end_addr && h->bss_end_addr > h->load_addr + len)
		mem = h->bss_end_addr - h->load_addr;
	if (!multiboot_add(v, h->load_addr, offset, len, mem))
		return -ENOEXEC;
	v->entry = h->entry_addr;
	return 0;
}

/* The header, widened if it is one of 32 bits. */
static Elf64_Ehdr multiboot_elf_header(const uint8_t *head)
{
	Elf64_Ehdr e;
	Elf32_Ehdr e32;
	memcpy(&e, head, sizeof(e));
	if (head[EI_CLASS] == ELFCLASS64)
		return e;
	memcpy(&e32, head, sizeof(e32));
	return (Elf64_Ehdr){.e_entry = e32.e_entry,
			    .e_phoff = e32.e_phoff,
			    .e_phentsize = e32.e_phentsize,
			    .e_phnum = e32.e_phnum};
}

static Elf64_Phdr multiboot_elf_segment(const uint8_t *entry, bool is_64)
{
	Elf64_Phdr p;
	Elf32_Phdr p32;
	if (is_64) {
		memcpy(&p, entry, sizeof(p));
		return p;
	}
	memcpy(&p32, entry, sizeof(p32));
	return (Elf64_Phdr){.p_type = p32.p_type,
			    .p_offset = p32.p_offset,
			    .p_vaddr = p32.p_vaddr,
			    .p_paddr = p32.p_paddr,
			    .p_filesz = p32.p_filesz,
			    .p_memsz = p32.p_memsz};
}

static int multiboot_parse_elf(int fd, uint64_t size, const uint8_t *head, struct vmlinux *v,
			       const char **ret_why)
{
	uint8_t table[PHDR_MAX * sizeof(Elf64_Phdr)];
	const Elf64_Ehdr e = multiboot_elf_header(head);
	bool is_64 = head[EI_CLASS] == ELFCLASS64;
	size_t unit = is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	uint64_t len = e.e_phnum * unit;
	*ret_why = "is a Multiboot kernel with a damaged ELF header";
	if (e.e_phentsize != unit || !e.e_phnum || e.e_phnum > PHDR_MAX || e.e_phoff > size ||
	    len > size - e.e_phoff)
		return -ENOEXEC;
	int rc = file_read_at(fd, table, len, e.e_phoff);
	if (rc)
		return rc;
	v->entry = e.e_entry;
	*ret_why = "is a Multiboot kernel with a segment that cannot be loaded";
	for (unsigned i = 0; i < e.e_phnum; i++) {
		const Elf64_Phdr p = multiboot_elf_segment(table + i * unit, is_64);
		if (p.p_type != PT_LOAD)
			continue;
		if (p.p_offset > size || p.p_filesz > size - p.p_offset ||
		    !multiboot_add(v, p.p_paddr, p.p_offset, p.p_filesz, p.p_memsz))
			return -ENOEXEC;
		/* Some kernels give the virtual address. */
		if (e.e_entry >= p.p_vaddr && e.e_entry - p.p_vaddr < p.p_memsz)
			v->entry = p.p_paddr + (e.e_entry - p.p_vaddr);
	}
	return 0;
}

int multiboot_parse(int fd, uint64_t size, const uint8_t *head, size_t len,
		    struct vmlinux *ret_kernel, const char **ret_why)
{
	struct vmlinux v = {.start = UINT64_MAX};
	struct multiboot_header h;
	long at = multiboot_find(head, len, &h);
	*ret_why = "is a Multiboot kernel that wants more than Multiboot 1 has";
	if (at < 0 || (h.flags & MULTIBOOT_WANTS_MASK &
		       ~(MULTIBOOT_WANTS_PAGES | MULTIBOOT_WANTS_MEMORY | MULTIBOOT_WANTS_VIDEO)))
		return -ENOEXEC;
	int rc = h.flags & MULTIBOOT_HAS_ADDRESSES
			 ? multiboot_parse_addresses(&h, (uint64_t)at, size, &v, ret_why)
			 : multiboot_parse_elf(fd, size, head, &v, ret_why);
	if (rc)
		return rc;
	*ret_why = "is a Multiboot kernel that is entered outside of what is loaded";
	if (!v.count || v.entry < v.start || v.entry >= v.end)
		return -ENOEXEC;
	*ret_kernel = v;
	return 0;
}

/**
 * struct multiboot_build - what is handed over, as it grows
 * @next_string: where the next string goes
 * @next_module: where the next module goes at the earliest; @module_end is RAM's end
 */
struct multiboot_build {
	struct gmem *gm;
	const struct boot_linux *boot;
	struct multiboot_info info;
	gpa_t next_string;
	gpa_t next_module, module_end;
};

/* Return: where the string is now; 0 when there is no room for it. */
static uint32_t multiboot_put_string(struct multiboot_build *b, const char *text, size_t len)
{
	gpa_t at = b->next_string;
	if (len >= STRINGS_END - at || gmem_write(b->gm, at, text, len) != 0)
		return 0;
	b->next_string += len + 1; /* zeroes are there already */
	return (uint32_t)at;
}

static int multiboot_put_module(struct multiboot_build *b, const char *text, size_t len,
				struct err *err)
{
	size_t path_len = strcspn(text, " ");
	char path[4096];
	int fd;
	uint64_t size;
	if (path_len > len)
		path_len = len;
	if (b->info.mods_count == MODULE_MAX)
		return err_set(err, -E2BIG, "--initrd: there is room for %d modules", MODULE_MAX);
	if (path_len >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "--initrd: a module's name is too long");
	memcpy(path, text, path_len);
	path[path_len] = '\0';
	int rc = file_open(path, "module", &fd, &size, err);
	if (rc)
		return rc;

	gpa_t at = b->next_module;
	struct multiboot_module m = {.start = (uint32_t)at, .end = (uint32_t)(at + size)};
	if (at > b->module_end || size > b->module_end - at)
		rc = err_set(err, -ENOMEM,
			     "module '%s' of %" PRIu64 " MiB does not fit; the guest has %" PRIu64
			     " MiB",
			     path, (size + MIB - 1) / MIB, gmem_size(b->gm) / MIB);
	else if ((m.string = multiboot_put_string(b, text, len)) == 0)
		rc = err_set(err, -E2BIG, "the modules' command lines are too long");
	else if ((rc = file_read_gmem(b->gm, at, size, fd, 0)) != 0)
		err_set(err, rc, "module '%s' cannot be read: %s", path, strerror(-rc));
	close(fd);
	if (rc)
		return rc;
	b->next_module = (at + size + PAGE - 1) & ~(PAGE - 1);
	rc = gmem_write(b->gm, MODULES_GPA + b->info.mods_count++ * sizeof(m), &m, sizeof(m));
	return rc ? err_set(err, rc, "the module list cannot be written to guest memory") : 0;
}

/* --initrd: modules with commas between them, each a file and what it is told. */
static int multiboot_put_modules(struct multiboot_build *b, struct err *err)
{
	const char *text = b->boot->initrd_path;
	gpa_t end = b->boot->image->vmlinux.end;
	b->next_module = end < MIB ? MIB : (end + PAGE - 1) & ~(PAGE - 1);
	b->module_end = gmem_region(b->gm, 0)->size;
	for (unsigned i = 0; i < b->boot->reserved_count; i++)
		if (b->boot->reserved[i].gpa >= MIB && b->boot->reserved[i].gpa < b->module_end)
			b->module_end = b->boot->reserved[i].gpa;
	while (text) {
		size_t len = strcspn(text, ",");
		int rc = multiboot_put_module(b, text, len, err);
		if (rc)
			return rc;
		text = text[len] ? text + len + 1 : NULL;
	}
	b->info.flags |= MULTIBOOT_INFO_MODULES;
	b->info.mods_addr = MODULES_GPA;
	return 0;
}

static int multiboot_put_map(struct multiboot_build *b)
{
	struct boot_e820 map[E820_MAX];
	unsigned count =
		boot_e820_map(b->gm, b->boot->reserved, b->boot->reserved_count, map, E820_MAX);
	int rc = 0;
	for (unsigned i = 0; i < count && !rc; i++) {
		const struct multiboot_map_entry e = {.size = sizeof(e) - sizeof(e.size),
						      .addr = map[i].addr,
						      .len = map[i].size,
						      .type = map[i].type};
		if (map[i].addr == 0)
			b->info.mem_lower = (uint32_t)(map[i].size / 1024);
		if (map[i].addr == MIB && map[i].type == E820_RAM)
			b->info.mem_upper = (uint32_t)(map[i].size / 1024);
		rc = gmem_write(b->gm, MAP_GPA + i * sizeof(e), &e, sizeof(e));
	}
	b->info.mmap_length = count * (uint32_t)sizeof(struct multiboot_map_entry);
	b->info.mmap_addr = MAP_GPA;
	b->info.flags |= MULTIBOOT_INFO_MEMORY | MULTIBOOT_INFO_MAP;
	return rc;
}

static int multiboot_put_cmdline(struct multiboot_build *b, struct err *err)
{
	static const char loader[] = "tinyvm";
	char line[8192];
	int len = snprintf(line, sizeof(line), "%s%s%s", b->boot->image->path,
			   b->boot->cmdline[0] ? " " : "", b->boot->cmdline);
	if (len < 0 || (size_t)len >= sizeof(line))
		return err_set(err, -E2BIG, "the command line is longer than %zu bytes",
			       sizeof(line) - 1);
	b->info.cmdline = multiboot_put_string(b, line, (size_t)len);
	b->info.loader_name = multiboot_put_string(b, loader, strlen(loader));
	b->info.flags |= MULTIBOOT_INFO_CMDLINE | MULTIBOOT_INFO_LOADER;
	return 0;
}

static void multiboot_patch(uint8_t *stub, unsigned at, uint32_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		stub[at + i] = (uint8_t)(value >> 8 * i);
}

static int multiboot_put_stub(struct multiboot_build *b)
{
	static const uint64_t gdt[3] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff};
	uint8_t stub[LOAD_STUB_SIZE] = {0};
	memcpy(stub, multiboot_stub, sizeof(multiboot_stub));
	multiboot_patch(stub, STUB_GDTR, LOAD_STUB_GPA + STUB_PTR, 2);
	multiboot_patch(stub, STUB_ENTER, LOAD_STUB_GPA + STUB_32BIT, 4);
	multiboot_patch(stub, STUB_INFO, INFO_GPA, 4);
	multiboot_patch(stub, STUB_ENTRY, (uint32_t)b->boot->image->vmlinux.entry, 4);
	memcpy(stub + STUB_GDT, gdt, sizeof(gdt));
	multiboot_patch(stub, STUB_PTR, sizeof(gdt) - 1, 2);
	multiboot_patch(stub, STUB_PTR + 2, LOAD_STUB_GPA + STUB_GDT, 4);
	multiboot_patch(stub, LOAD_STUB_SIZE - 2, LOAD_STUB_SIGNATURE, 2);
	return gmem_write(b->gm, LOAD_STUB_GPA, stub, sizeof(stub));
}

int multiboot_load(struct gmem *gm, const struct boot_linux *boot, struct err *err)
{
	struct multiboot_build b = {
		.gm = gm,
		.boot = boot,
		.info = {.flags = MULTIBOOT_INFO_FRAMEBUFFER,
			 .framebuffer_addr = 0xb8000,
			 .framebuffer_pitch = 160,
			 .framebuffer_width = 80,
			 .framebuffer_height = 25,
			 .framebuffer_bpp = 16,
			 .framebuffer_type = MULTIBOOT_FRAMEBUFFER_TEXT},
		.next_string = STRINGS_GPA,
	};
	int rc = load_kernel(gm, boot, err);
	if (!rc)
		rc = multiboot_put_modules(&b, err);
	if (!rc)
		rc = multiboot_put_cmdline(&b, err);
	if (rc)
		return rc;
	rc = multiboot_put_map(&b);
	if (!rc)
		rc = gmem_write(gm, INFO_GPA, &b.info, sizeof(b.info));
	if (!rc)
		rc = multiboot_put_stub(&b);
	return rc ? err_set(err, rc, "what the kernel is told cannot be written to guest memory")
		  : 0;
}
