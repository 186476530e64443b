/* What a file is that is not a kernel for this machine, by its first bytes. */
#include "identify.h"

#include "vmlinux.h"

#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <tinyvm/unpack.h>

static bool head_has(const uint8_t *head, size_t len, size_t off, const char *magic, size_t n)
{
	return off + n <= len && memcmp(head + off, magic, n) == 0;
}

/* EM_386 has its own words: the file may well be a kernel for this machine. */
static const char *identify_elf(const uint8_t *head, size_t len, char *buf, size_t max)
{
	if (len < 20)
		return "is a truncated ELF file";
	bool is_big = head[EI_DATA] == ELFDATA2MSB;
	unsigned machine = is_big ? head[18] << 8 | head[19] : head[19] << 8 | head[18];
	const char *name = vmlinux_machine(machine);
	if (machine == EM_386)
		return "is a 32-bit x86 ELF file; of ELF kernels only x86-64 ones can be entered, "
		       "so give its bzImage";
	if (machine == EM_X86_64)
		return "is a damaged x86-64 ELF file";
	if (name)
		snprintf(buf, max, "is an ELF file for %s, not x86-64", name);
	else
		snprintf(buf, max, "is an ELF file for another machine (number %u), not x86-64",
			 machine);
	return buf;
}

static const char *identify_pe(const uint8_t *head, size_t len)
{
	if (head_has(head, len, 4, "zimg", 4))
		return "is an EFI zboot image for another architecture, not an x86 kernel";
	if (len < 0x40)
		return "is a truncated EFI or Windows program";
	size_t pe = head[0x3c] | head[0x3d] << 8 | head[0x3e] << 16 | (size_t)head[0x3f] << 24;
	if (pe > len || !head_has(head, len, pe, "PE\0\0", 4) || len - pe < 6)
		return "is a DOS or Windows program, not a kernel";
	switch (head[pe + 4] | head[pe + 5] << 8) {
	case 0xaa64:
		return "is an EFI program for arm64, not an x86 kernel";
	case 0x5064:
		return "is an EFI program for RISC-V, not an x86 kernel";
	case 0x6264:
		return "is an EFI program for LoongArch, not an x86 kernel";
	default:
		return "is an EFI program (a unified kernel image?), not a bzImage or vmlinux";
	}
}

const char *identify_foreign(const uint8_t *head, size_t len, uint64_t size, char *buf, size_t max)
{
	static const struct {
		uint16_t off;
		uint8_t len;
		const char *magic;
		const char *what;
	} table[] = {
		{0x38, 4, "ARM\x64", "is a kernel for arm64, not x86"},
		{0x38, 4, "RSC\x05", "is a kernel for RISC-V, not x86"},
		{0x38, 4, "\xcd\x23\x82\x81", "is a kernel for LoongArch, not x86"},
		{0x24, 4, "\x18\x28\x6f\x01", "is a kernel for 32-bit ARM, not x86"},
		{0, 4, "\x27\x05\x19\x56", "is a U-Boot image, not an x86 kernel"},
		{0, 4, "\xd0\x0d\xfe\xed", "is a device tree, not a kernel"},
		{0, 5, "07070", "is a cpio archive; an initramfs goes with --initrd"},
		{0, 4, "QFI\xfb", "is a qcow2 disk image; disks go with --disk"},
		{0, 8, "!<arch>\n", "is an archive or Debian package, not a kernel"},
		{0, 4, "\xed\xab\xee\xdb", "is an RPM package, not a kernel"},
		{0, 2, "#!", "is a script, not a kernel"},
	};
	if (head_has(head, len, 0, ELFMAG, SELFMAG))
		return identify_elf(head, len, buf, max);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (head_has(head, len, table[i].off, table[i].magic, table[i].len))
			return table[i].what;
	const struct unpack_format *format = unpack_identify(head, len);
	if (format) {
		snprintf(buf, max, "is a %s-compressed file, not a kernel; unpack it first",
			 unpack_format_name(format));
		return buf;
	}
	if (head_has(head, len, 0, "MZ", 2))
		return identify_pe(head, len);
	if (head_has(head, len, 0x1fe, "\x55\xaa", 2))
		return "is a boot sector or disk image, not a bzImage; disks go with --disk";
	if (size < 1024)
		return "is too short to be a kernel";
	return "is neither a bzImage nor an ELF vmlinux";
}
