/*
 * The Linux/x86 boot protocol 2.15: Documentation/arch/x86/boot.rst and zero-page.rst. All fields
 * are little-endian. The comments give file offsets in the bzImage, which are also the offsets in
 * the zero page.
 */
#ifndef SPEC_LINUX_BOOT_H
#define SPEC_LINUX_BOOT_H

#include <stddef.h>
#include <stdint.h>

#define LINUX_HDR_OFFSET       0x1f1 /* of struct setup_header, in the file and in the zero page */
#define LINUX_HDR_END_MAX      0x290 /* the zero page's next field */
#define LINUX_HDR_JUMP_BASE    0x202 /* the header ends at this plus the byte at 0x201 */
#define LINUX_HDR_MAGIC	       0x53726448 /* "HdrS" */
#define LINUX_BOOT_FLAG	       0xaa55
#define LINUX_SECTOR	       512
#define LINUX_ENTRY_64	       0x200 /* from the start of the protected-mode kernel */
#define LINUX_LOADER_UNDEFINED 0xff
#define LINUX_CMDLINE_MAX_2_05 255 /* without a NUL, before protocol 2.06 */
#define LINUX_INITRD_MAX_2_02  0x37ffffff
#define LINUX_LOAD_HIGH	       0x100000
#define LINUX_CL_MAGIC	       0xa33f /* protocol 2.00 and 2.01 */

#define LINUX_LOADFLAG_LOADED_HIGH 0x01
#define LINUX_LOADFLAG_KASLR	   0x02
#define LINUX_XLF_KERNEL_64	   0x0001

#define LINUX_BOOT_CS 0x10
#define LINUX_BOOT_DS 0x18

#define E820_RAM      1
#define E820_RESERVED 2
#define E820_MAX      128

struct setup_header {
	uint8_t setup_sects;	    /* 1f1 */
	uint16_t root_flags;	    /* 1f2 */
	uint32_t syssize;	    /* 1f4: in units of 16 bytes; 16 bits wide before 2.04 */
	uint16_t ram_size;	    /* 1f8 */
	uint16_t vid_mode;	    /* 1fa */
	uint16_t root_dev;	    /* 1fc */
	uint16_t boot_flag;	    /* 1fe */
	uint8_t jump[2];	    /* 200: a short jump over the header */
	uint32_t header;	    /* 202 */
	uint16_t version;	    /* 206 */
	uint32_t realmode_swtch;    /* 208 */
	uint16_t start_sys_seg;	    /* 20c */
	uint16_t kernel_version;    /* 20e: of a string, from offset 200 */
	uint8_t type_of_loader;	    /* 210 */
	uint8_t loadflags;	    /* 211 */
	uint16_t setup_move_size;   /* 212 */
	uint32_t code32_start;	    /* 214 */
	uint32_t ramdisk_image;	    /* 218 */
	uint32_t ramdisk_size;	    /* 21c */
	uint32_t bootsect_kludge;   /* 220 */
	uint16_t heap_end_ptr;	    /* 224: 2.01 */
	uint8_t ext_loader_ver;	    /* 226: 2.02 */
	uint8_t ext_loader_type;    /* 227: 2.02 */
	uint32_t cmd_line_ptr;	    /* 228: 2.02 */
	uint32_t initrd_addr_max;   /* 22c: 2.03, inclusive */
	uint32_t kernel_alignment;  /* 230: 2.05 */
	uint8_t relocatable_kernel; /* 234: 2.05 */
	uint8_t min_alignment;	    /* 235: 2.10 */
	uint16_t xloadflags;	    /* 236: 2.12 */
	uint32_t cmdline_size;	    /* 238: 2.06, without the NUL */
	uint32_t hardware_subarch;  /* 23c: 2.07 */
	uint64_t hardware_subarch_data;
	uint32_t payload_offset; /* 248: 2.08, from the start of the protected-mode kernel */
	uint32_t payload_length; /* 24c: 2.08 */
	uint64_t setup_data;	 /* 250: 2.09 */
	uint64_t pref_address;	 /* 258: 2.10 */
	uint32_t init_size;	 /* 260: 2.10 */
	uint32_t handover_offset;
	uint32_t kernel_info_offset;
} __attribute__((packed));

_Static_assert(sizeof(struct setup_header) == 0x26c - LINUX_HDR_OFFSET, "setup_header");
_Static_assert(offsetof(struct setup_header, header) == 0x202 - LINUX_HDR_OFFSET, "header");
_Static_assert(offsetof(struct setup_header, cmd_line_ptr) == 0x228 - LINUX_HDR_OFFSET, "cmdline");
_Static_assert(offsetof(struct setup_header, payload_offset) == 0x248 - LINUX_HDR_OFFSET,
	       "payload");
_Static_assert(offsetof(struct setup_header, init_size) == 0x260 - LINUX_HDR_OFFSET, "init_size");

struct e820_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

_Static_assert(sizeof(struct e820_entry) == 20, "e820_entry");

/* struct screen_info, as far as VGA text needs it: what the screen is when the kernel begins. */
struct screen_info {
	uint8_t orig_x, orig_y;
	uint16_t ext_mem_k;
	uint16_t orig_video_page;
	uint8_t orig_video_mode;
	uint8_t orig_video_cols;
	uint8_t flags, unused2;
	uint16_t orig_video_ega_bx;
	uint16_t unused3;
	uint8_t orig_video_lines;
	uint8_t orig_video_is_vga;
	uint16_t orig_video_points;
	uint8_t other[0x20 - 0x12];
} __attribute__((packed));
_Static_assert(sizeof(struct screen_info) == 0x20, "screen_info");

/* The zero page, as far as a loader without a BIOS has something to say. */
struct zero_page {
	struct screen_info screen_info; /* 000: all zero: no VGA text screen */
	uint16_t cl_magic;		/* 020: protocol 2.00 and 2.01 */
	uint16_t cl_offset;		/* 022: of the command line, from the zero page */
	uint8_t pad024[0x70 - 0x24];
	uint64_t acpi_rsdp_addr; /* 070 */
	uint8_t pad078[0x1e8 - 0x78];
	uint8_t e820_entries; /* 1e8 */
	uint8_t pad1e9[LINUX_HDR_OFFSET - 0x1e9];
	struct setup_header hdr; /* 1f1 */
	uint8_t pad26c[0x2d0 - 0x26c];
	struct e820_entry e820_table[E820_MAX]; /* 2d0 */
	uint8_t padcd0[0x1000 - 0xcd0];
} __attribute__((packed));

_Static_assert(sizeof(struct zero_page) == 4096, "zero_page");
_Static_assert(offsetof(struct zero_page, acpi_rsdp_addr) == 0x70, "acpi_rsdp_addr");
_Static_assert(offsetof(struct zero_page, hdr) == LINUX_HDR_OFFSET, "hdr");
_Static_assert(offsetof(struct zero_page, e820_table) == 0x2d0, "e820_table");

#endif
