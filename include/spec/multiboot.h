/*
 * The Multiboot specification, version 0.6.96: the header in a kernel's first 8 KiB, and what the
 * loader hands over. All fields are little-endian.
 */
#ifndef SPEC_MULTIBOOT_H
#define SPEC_MULTIBOOT_H

#include <stdint.h>

#define MULTIBOOT_SEARCH       8192 /* the header is in so many bytes, at a multiple of 4 */
#define MULTIBOOT_HEADER_MAGIC 0x1badb002u
#define MULTIBOOT_LOADER_MAGIC 0x2badb002u /* in EAX */

#define MULTIBOOT_WANTS_PAGES	(1u << 0) /* modules at page boundaries */
#define MULTIBOOT_WANTS_MEMORY	(1u << 1)
#define MULTIBOOT_WANTS_VIDEO	(1u << 2)
#define MULTIBOOT_WANTS_MASK	0xffffu /* a loader that does not know one of these must refuse */
#define MULTIBOOT_HAS_ADDRESSES (1u << 16) /* the "a.out kludge" */

struct multiboot_header {
	uint32_t magic;
	uint32_t flags;
	uint32_t checksum; /* the three add up to 0 */
	uint32_t header_addr;
	uint32_t load_addr;
	uint32_t load_end_addr; /* 0: the whole file */
	uint32_t bss_end_addr;	/* 0: no BSS */
	uint32_t entry_addr;
};

_Static_assert(sizeof(struct multiboot_header) == 32, "multiboot_header");

#define MULTIBOOT_INFO_MEMORY	   (1u << 0)
#define MULTIBOOT_INFO_CMDLINE	   (1u << 2)
#define MULTIBOOT_INFO_MODULES	   (1u << 3)
#define MULTIBOOT_INFO_MAP	   (1u << 6)
#define MULTIBOOT_INFO_LOADER	   (1u << 9)
#define MULTIBOOT_INFO_FRAMEBUFFER (1u << 12)
#define MULTIBOOT_FRAMEBUFFER_TEXT 2

struct multiboot_info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper; /* KiB, from 0 and from 1 MiB */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t loader_name;
	uint32_t apm_table;
	uint32_t vbe[4];
	uint64_t framebuffer_addr;
	uint32_t framebuffer_pitch, framebuffer_width, framebuffer_height;
	uint8_t framebuffer_bpp, framebuffer_type;
	uint8_t color_info[6];
} __attribute__((packed));

_Static_assert(sizeof(struct multiboot_info) == 116, "multiboot_info");

struct multiboot_module {
	uint32_t start, end; /* the first byte, and the one behind the last */
	uint32_t string;
	uint32_t reserved;
};

struct multiboot_map_entry {
	uint32_t size; /* of what follows: 20 */
	uint64_t addr, len;
	uint32_t type; /* as e820 */
} __attribute__((packed));

_Static_assert(sizeof(struct multiboot_map_entry) == 24, "multiboot_map_entry");

#endif
