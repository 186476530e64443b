/*
 * Direct kernel boot: put a Linux kernel where its boot protocol wants it, and say where to enter.
 * Linux Documentation/arch/x86/boot.rst (protocol 2.15) and zero-page.rst.
 */
#ifndef TINYVM_BOOT_H
#define TINYVM_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tinyvm/gmem.h>

struct err;

/**
 * struct boot_entry - the boot processor's state at entry; everything else as after a reset, but
 * protected or long mode with flat segments
 * @is_long_mode: 64-bit entry: paging on, the first 4 GiB (and at least all loaded ranges) identity
 * mapped by page tables at @cr3; GDT with __BOOT_CS 0x10, __BOOT_DS 0x18. Else 32-bit entry, paging
 * off
 * @rip, @rsi, @rsp: registers (rsi: the zero page)
 * @gdt:   guest physical address of the GDT, @gdt_limit its limit
 */
struct boot_entry {
	bool is_long_mode;
	uint64_t rip;
	uint64_t rsi;
	uint64_t rsp;
	uint64_t cr3;
	uint64_t gdt;
	uint16_t gdt_limit;
};

/**
 * struct boot_image - a kernel file, opened and understood, before any guest memory exists
 *
 * Made once per process; every reset of the machine loads it anew.
 */
struct boot_image;

/**
 * boot_image_open() - read a kernel file and, when that can be, unpack its payload on the host
 * @path: bzImage, zImage, ELF vmlinux (x86-64) or Multiboot kernel; read through one descriptor
 * @is_unpack_wanted: false: --no-unpack
 * @cache_dir: where unpacked payloads are kept ($XDG_CACHE_HOME/tinyvm or ~/.cache/tinyvm); NULL:
 * keep nothing
 *
 * Payloads: gzip with zlib; xz, lzma, zstd, lz4, bzip2 with the host's tool (without a shell). When
 * the tool is missing or the payload is not an ELF that may be entered directly, the kernel unpacks
 * itself in the guest: that is not an error; boot_image_how() says what happened. Return: 0; -errno
 * with one sentence in @err: missing, unreadable, empty, truncated, not a kernel, a kernel for
 * another architecture.
 */
int boot_image_open(struct boot_image **ret_image, const char *path, bool is_unpack_wanted,
		    const char *cache_dir, struct err *err) __attribute__((warn_unused_result));
void boot_image_close(struct boot_image *image);

/* One line for -v: format, kernel version, how it is entered and why. Valid while @image is. */
const char *boot_image_how(const struct boot_image *image);

/**
 * boot_image_release() - what the kernel calls itself (uname -r), and its modules' directory
 *
 * Of a bzImage from its header, else from the banner in the kernel, which is searched for it.
 * Return: 0, -ENOENT when there is no such thing, -errno when the kernel cannot be read.
 */
#define BOOT_RELEASE_MAX 65
int boot_image_release(const struct boot_image *image, char ret_release[BOOT_RELEASE_MAX])
	__attribute__((warn_unused_result));

/* Is it a kernel of 64 bits? Else its programs are i386's. */
bool boot_image_is_64bit(const struct boot_image *image);

/**
 * boot_image_needs_pc() - whether only a PC with its BIOS can start the kernel: boot_pc_load()
 *
 * Multiboot 1 kernels, and Linux kernels (or what is built like them) whose only entry is the
 * 16-bit one: zImages from protocol 2.00 on, iPXE's.
 */
bool boot_image_needs_pc(const struct boot_image *image);

/* The same of an unopened file, without a look at what may be packed in it. false on any error. */
bool boot_file_needs_pc(const char *path);

/* Longest command line the kernel takes, without the final NUL. */
size_t boot_image_cmdline_max(const struct boot_image *image);

/**
 * struct boot_reserved - a range the e820 map must not call RAM
 * @type: e820 type: 2 reserved, 3 ACPI tables
 */
struct boot_reserved {
	gpa_t gpa;
	uint64_t size;
	uint32_t type;
};

/**
 * struct boot_linux - what to boot
 * @initrd_path: or NULL
 * @initrd_data: @initrd_size bytes more of it, which follow those of the file where there is one;
 *or NULL. The kernel unpacks one archive after the other, so that the latter's files win
 * @cmdline: final command line
 * @has_vga: there is a VGA, in text mode 3
 * @rsdp:    guest physical address of the ACPI RSDP, 0 for none
 * @reserved: ranges inside RAM taken by firmware tables (sorted by address), and the ECAM window
 */
struct boot_linux {
	struct boot_image *image;
	const char *initrd_path;
	const void *initrd_data;
	uint64_t initrd_size;
	const char *cmdline;
	bool has_vga;
	gpa_t rsdp;
	const struct boot_reserved *reserved;
	unsigned reserved_count;
};

/**
 * boot_linux_load() - load kernel, initrd, command line, zero page, GDT and page tables
 * @gm: zeroed guest memory. Below 1 MiB, 0x7000-0x9efff is the loader's; the caller may use
 *      0xe0000-0xfffff and what it named in @reserved.
 *
 * Return: 0; -errno with one sentence: does not fit in memory (says how much it needs), initrd
 * missing, unreadable or too big, command line too long.
 */
int boot_linux_load(struct gmem *gm, const struct boot_linux *boot, struct boot_entry *ret_entry,
		    struct err *err) __attribute__((warn_unused_result));

/**
 * boot_pc_load() - load a kernel that needs a PC, with a boot sector at 0x7c00 that starts it
 * @boot: as for boot_linux_load(). Of Multiboot kernels, @initrd_path is a list of modules, with
 *        commas between them; each is a file and, behind a space, what it is told
 *
 * The BIOS is to jump to the boot sector when it is ready (struct bios_config, is_boot_loaded).
 * Return: 0; -errno with one sentence.
 */
int boot_pc_load(struct gmem *gm, const struct boot_linux *boot, struct err *err)
	__attribute__((warn_unused_result));

/* The e820 map that boot_linux_load() hands over, for --dry-run. Return: entries used. */
struct boot_e820 {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));
unsigned boot_e820_map(const struct gmem *gm, const struct boot_reserved *reserved,
		       unsigned reserved_count, struct boot_e820 *ret_map, unsigned max);

/**
 * struct boot_root - where the root of a disk image is
 * @suffix: of the disk's name: "" when the whole disk holds a filesystem, "1".."128" for its only
 *          Linux partition
 * @filesystem: its type, as Linux calls it; NULL when it is none of those below
 * @is_read_only: nobody can write to one of this type
 */
struct boot_root {
	char suffix[4];
	const char *filesystem;
	bool is_read_only;
};

/**
 * boot_root_find() - what root= should say for a disk image
 *
 * Looks for the superblocks of ext2/3/4 (all ext4 here), xfs, btrfs, f2fs, squashfs, erofs,
 * iso9660, vfat at the start of the disk; else for one MBR partition of type 83 or one GPT
 * partition of a Linux root or data type.
 * @read: like pread on the disk: bytes read or -errno
 * Return: 0, -ENOENT when there is no such thing, -ENOTUNIQ when several partitions qualify.
 */
int boot_root_find(int64_t (*read)(void *ctx, void *buf, size_t len, uint64_t offset), void *ctx,
		   uint64_t disk_size, struct boot_root *ret_root)
	__attribute__((warn_unused_result));

#endif
