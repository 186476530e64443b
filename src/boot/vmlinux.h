/* The loadable part of an ELF vmlinux, whatever file it lies in. */
#ifndef BOOT_VMLINUX_H
#define BOOT_VMLINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tinyvm/gmem.h>

#define VMLINUX_EXTENT_MAX 64

/**
 * struct vmlinux - bytes to copy, and where to enter
 * @entry: guest physical, inside an extent
 * @start, @end: the physical range the kernel occupies, BSS included
 * @extent: file ranges and their places; what lies between them is zero
 */
struct vmlinux {
	gpa_t entry;
	gpa_t start, end;
	uint32_t count;
	struct vmlinux_extent {
		gpa_t gpa;
		uint64_t offset;
		uint64_t size;
	} extent[VMLINUX_EXTENT_MAX];
};

/**
 * vmlinux_parse() - find the loadable segments of a 64-bit x86 ELF file (ELF-64 1.5)
 * @size: of the file; nothing outside of it is referred to
 * @ret_why: on -ENOEXEC what is wrong, to follow "the file ..."
 *
 * e_entry may be physical or virtual. The result satisfies vmlinux_is_sane().
 * Return: 0; -ENOEXEC; another -errno when the file cannot be read.
 */
int vmlinux_parse(int fd, uint64_t size, struct vmlinux *ret_vmlinux, const char **ret_why)
	__attribute__((warn_unused_result));

/* What an ELF machine number means to a person, NULL when unknown. */
const char *vmlinux_machine(unsigned machine);

/* Every field within the bounds that vmlinux_parse() promises, for a file of @size bytes. */
bool vmlinux_is_sane(const struct vmlinux *v, uint64_t size);

/**
 * vmlinux_trim() - leave long runs of zeroes out of the extents: guest memory is zero already
 * @map, @size: the file's contents
 */
void vmlinux_trim(struct vmlinux *v, const uint8_t *map, uint64_t size);

#endif
