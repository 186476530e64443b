/* Multiboot 1 kernels: recognised, understood, loaded. */
#ifndef BOOT_MULTIBOOT_H
#define BOOT_MULTIBOOT_H

#include "vmlinux.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tinyvm/boot.h>

struct err;

/* Whether there is a header with a good checksum. @head: as much of MULTIBOOT_SEARCH as there is */
bool multiboot_is_one(const uint8_t *head, size_t len);

/**
 * multiboot_parse() - what to load and where to enter
 * @size, @fd: the file
 * @head:   its first @len bytes, as for multiboot_is_one(), which has said yes
 * @ret_kernel: entered at a physical address with paging off
 * @ret_why: on -ENOEXEC what is wrong, to follow "the file ..."
 * Return: 0, -ENOEXEC, -errno when the file cannot be read.
 */
int multiboot_parse(int fd, uint64_t size, const uint8_t *head, size_t len,
		    struct vmlinux *ret_kernel, const char **ret_why)
	__attribute__((warn_unused_result));

/* boot_pc_load() for an image of this kind. */
int multiboot_load(struct gmem *gm, const struct boot_linux *boot, struct err *err)
	__attribute__((warn_unused_result));

#endif
