/*
 * ELF vmlinux: the PT_LOAD segments at their physical addresses (System V ABI, ELF-64).
 *
 * Left out on purpose: relocation (the kernel is linked where it is loaded), section headers,
 * symbols, the PVH note (the 64-bit boot protocol enters the same kernels).
 */
#include "vmlinux.h"

#include "file.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define PHDR_MAX     32
#define LOAD_MIN     0x100000ULL /* below lie the loader's own tables and the PC's holes */
#define LOAD_MAX     GMEM_HOLE_START
#define ZERO_UNIT    4096
#define ZERO_RUN_MIN (16 * ZERO_UNIT) /* shorter ones are not worth a system call */
#define SEGMENT_MAX  (VMLINUX_EXTENT_MAX / 2)

_Static_assert(PHDR_MAX <= SEGMENT_MAX, "room for the segments");

const char *vmlinux_machine(unsigned machine)
{
	static const struct {
		unsigned machine;
		const char *name;
	} table[] = {
		{EM_386, "32-bit x86"},	    {EM_X86_64, "x86-64"}, {EM_AARCH64, "arm64"},
		{EM_ARM, "32-bit ARM"},	    {EM_RISCV, "RISC-V"},  {EM_PPC64, "64-bit PowerPC"},
		{EM_PPC, "32-bit PowerPC"}, {EM_S390, "s390"},	   {EM_MIPS, "MIPS"},
		{EM_SPARCV9, "SPARC"},	    {258, "LoongArch"},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].machine == machine)
			return table[i].name;
	return NULL;
}

static int vmlinux_read_headers(int fd, uint64_t size, Elf64_Ehdr *eh, Elf64_Phdr *ph,
				const char **ret_why)
{
	*ret_why = "is a truncated ELF file";
	if (size < sizeof(*eh))
		return -ENOEXEC;
	int rc = file_read_at(fd, eh, sizeof(*eh), 0);
	if (rc)
		return rc;
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 || eh->e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh->e_ident[EI_DATA] != ELFDATA2LSB || eh->e_machine != EM_X86_64) {
		*ret_why = "is not an x86-64 ELF file";
		return -ENOEXEC;
	}
	if (eh->e_type != ET_EXEC && eh->e_type != ET_DYN) {
		*ret_why = "is an ELF object, not an executable kernel";
		return -ENOEXEC;
	}
	if (eh->e_phentsize != sizeof(*ph) || eh->e_phnum == 0 || eh->e_phnum > PHDR_MAX) {
		*ret_why = "is an ELF file without usable program headers";
		return -ENOEXEC;
	}
	uint64_t len = (uint64_t)eh->e_phnum * sizeof(*ph);
	if (eh->e_phoff > size || len > size - eh->e_phoff)
		return -ENOEXEC;
	return file_read_at(fd, ph, len, eh->e_phoff);
}

static bool vmlinux_add_segment(struct vmlinux *v, const Elf64_Phdr *ph, uint64_t size,
				const char **ret_why)
{
	if (ph->p_filesz > ph->p_memsz) {
		*ret_why = "is an ELF file with a segment larger in the file than in memory";
		return false;
	}
	if (ph->p_memsz == 0)
		return true;
	if (ph->p_paddr < LOAD_MIN) {
		*ret_why = "is an ELF file that wants to be loaded below 1 MiB";
		return false;
	}
	if (ph->p_paddr > LOAD_MAX || ph->p_memsz > LOAD_MAX - ph->p_paddr) {
		*ret_why = "is an ELF file that wants to be loaded above 3 GiB";
		return false;
	}
	if (ph->p_offset > size || ph->p_filesz > size - ph->p_offset) {
		*ret_why = "is a truncated ELF file: its segments go on past the end";
		return false;
	}
	if (v->start == v->end || ph->p_paddr < v->start)
		v->start = ph->p_paddr;
	if (ph->p_paddr + ph->p_memsz > v->end)
		v->end = ph->p_paddr + ph->p_memsz;
	if (ph->p_filesz)
		v->extent[v->count++] =
			(struct vmlinux_extent){ph->p_paddr, ph->p_offset, ph->p_filesz};
	return true;
}

/* Physical addresses first: the per-CPU segment's virtual addresses begin at 0. */
static bool vmlinux_find_entry(const Elf64_Ehdr *eh, const Elf64_Phdr *ph, gpa_t *ret_entry)
{
	for (int is_virtual = 0; is_virtual < 2; is_virtual++) {
		for (unsigned i = 0; i < eh->e_phnum; i++) {
			uint64_t at = is_virtual ? ph[i].p_vaddr : ph[i].p_paddr;
			if (ph[i].p_type != PT_LOAD || eh->e_entry < at ||
			    eh->e_entry - at >= ph[i].p_filesz)
				continue;
			*ret_entry = ph[i].p_paddr + (eh->e_entry - at);
			return true;
		}
	}
	return false;
}

int vmlinux_parse(int fd, uint64_t size, struct vmlinux *ret_vmlinux, const char **ret_why)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph[PHDR_MAX];
	struct vmlinux v = {0};
	int rc = vmlinux_read_headers(fd, size, &eh, ph, ret_why);
	if (rc)
		return rc;

	for (unsigned i = 0; i < eh.e_phnum; i++) {
		if (ph[i].p_type == PT_INTERP) {
			*ret_why = "is a program for Linux, not a kernel";
			return -ENOEXEC;
		}
	}
	for (unsigned i = 0; i < eh.e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && !vmlinux_add_segment(&v, &ph[i], size, ret_why))
			return -ENOEXEC;
	if (v.count == 0) {
		*ret_why = "is an ELF file with nothing to load";
		return -ENOEXEC;
	}
	if (!vmlinux_find_entry(&eh, ph, &v.entry)) {
		*ret_why = "is an ELF file whose entry point lies outside of its segments";
		return -ENOEXEC;
	}
	*ret_vmlinux = v;
	return 0;
}

bool vmlinux_is_sane(const struct vmlinux *v, uint64_t size)
{
	if (v->start < LOAD_MIN || v->end > LOAD_MAX || v->entry < v->start || v->entry >= v->end)
		return false;
	if (v->count == 0 || v->count > VMLINUX_EXTENT_MAX)
		return false;
	for (unsigned i = 0; i < v->count; i++) {
		const struct vmlinux_extent *e = &v->extent[i];
		if (e->gpa < v->start || e->gpa > v->end || e->size > v->end - e->gpa)
			return false;
		if (e->offset > size || e->size > size - e->offset)
			return false;
	}
	return true;
}

static bool is_zero(const uint8_t *p, uint64_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Bytes from @p on, up to @len, that are all zero or all not, judged by the unit. */
static uint64_t vmlinux_run(const uint8_t *p, uint64_t len, bool *ret_is_zero)
{
	uint64_t n = 0;
	while (n < len) {
		uint64_t unit = len - n < ZERO_UNIT ? len - n : ZERO_UNIT;
		bool zero = is_zero(p + n, unit);
		if (n == 0)
			*ret_is_zero = zero;
		else if (zero != *ret_is_zero)
			break;
		n += unit;
	}
	return n;
}

void vmlinux_trim(struct vmlinux *v, const uint8_t *map, uint64_t size)
{
	struct vmlinux t = *v;
	t.count = 0;
	for (unsigned i = 0; i < v->count; i++) {
		const struct vmlinux_extent *e = &v->extent[i];
		uint64_t at = 0, from = 0; /* from: where the extent being built begins */
		if (e->offset > size || e->size > size - e->offset)
			return;
		while (at < e->size) {
			bool zero;
			uint64_t run = vmlinux_run(map + e->offset + at, e->size - at, &zero);
			/* Keep room for what the remaining segments need at least. */
			bool is_room = t.count + 1 + (v->count - i) < VMLINUX_EXTENT_MAX;
			if (zero && run >= ZERO_RUN_MIN && is_room) {
				if (at > from)
					t.extent[t.count++] = (struct vmlinux_extent){
						e->gpa + from, e->offset + from, at - from};
				from = at + run;
			}
			at += run;
		}
		if (at > from)
			t.extent[t.count++] =
				(struct vmlinux_extent){e->gpa + from, e->offset + from, at - from};
	}
	if (t.count)
		*v = t;
}
