/*
 * Loading Linux: Documentation/arch/x86/boot.rst, the 32-bit and 64-bit boot protocols.
 *
 * The loader's part of low memory:
 *	0x07000  stack, growing down from 0x8000
 *	0x08000  GDT
 *	0x09000  page tables: one PML4, one PDPT, four page directories of 2 MiB pages: 4 GiB
 *	0x10000  command line
 *	0x90000  zero page, where protocols 2.00 and 2.01 insist on it; their command line follows
 * The kernel goes where it wants to be, the initrd as high as it may.
 */
#include "bzimage.h"
#include "file.h"
#include "image.h"
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <tinyvm/err.h>
#include <unistd.h>

#define STACK_TOP     0x8000
#define GDT_GPA	      0x8000
#define PML4_GPA      0x9000
#define PDPT_GPA      0xa000
#define PD_GPA	      0xb000 /* PD_COUNT pages */
#define PD_COUNT      4
#define CMDLINE_GPA   0x10000
#define ZERO_PAGE_GPA 0x90000
#define OLD_CMDLINE   0x1000 /* from the zero page, for protocols before 2.02 */

#define PAGE	     4096ULL
#define MIB	     ((uint64_t)1 << 20)
#define PTE_TABLE    0x3ULL  /* present, writable */
#define PTE_HUGE     0x83ULL /* and a 2 MiB page */
#define PTES	     512
#define CMDLINE_ROOM (ZERO_PAGE_GPA - CMDLINE_GPA)

size_t boot_image_cmdline_max(const struct boot_image *image)
{
	size_t max = bzimage_cmdline_max(&image->hdr);
	return max < CMDLINE_ROOM ? max : CMDLINE_ROOM - 1;
}

static uint64_t low_ram_end(const struct gmem *gm)
{
	return gmem_region(gm, 0)->size;
}

/* Bytes at the caller's disposal in low RAM above 1 MiB: tables that the kernel may not cover. */
static uint64_t reserved_in_ram(const struct gmem *gm, const struct boot_linux *boot)
{
	uint64_t sum = 0, end = low_ram_end(gm);
	for (unsigned i = 0; i < boot->reserved_count; i++) {
		const struct boot_reserved *r = &boot->reserved[i];
		if (r->gpa >= MIB && r->gpa < end)
			sum += r->size < end - r->gpa ? r->size : end - r->gpa;
	}
	return sum;
}

static const struct boot_reserved *reserved_hit(const struct boot_linux *boot, uint64_t from,
						uint64_t to)
{
	for (unsigned i = 0; i < boot->reserved_count; i++) {
		const struct boot_reserved *r = &boot->reserved[i];
		if (r->gpa < to && r->gpa + r->size > from)
			return r;
	}
	return NULL;
}

static uint64_t mib_up(uint64_t bytes)
{
	return (bytes + MIB - 1) / MIB;
}

int load_kernel(struct gmem *gm, const struct boot_linux *boot, struct err *err)
{
	const struct boot_image *image = boot->image;
	const struct vmlinux *v = &image->vmlinux;
	if (v->end > low_ram_end(gm) || reserved_hit(boot, v->start, v->end))
		return err_set(err, -ENOMEM,
			       "kernel '%s' needs at least %" PRIu64
			       " MiB of memory and the guest has %" PRIu64 " MiB",
			       image->path, mib_up(v->end + reserved_in_ram(gm, boot)),
			       gmem_size(gm) / MIB);
	for (unsigned i = 0; i < v->count; i++) {
		const struct vmlinux_extent *e = &v->extent[i];
		int rc = file_read_gmem(gm, e->gpa, e->size, image->fd, e->offset);
		if (rc == -ENODATA)
			return err_set(err, rc, "kernel '%s' became shorter while in use",
				       image->path);
		if (rc)
			return err_set(err, rc, "kernel '%s' cannot be read: %s", image->path,
				       strerror(-rc));
	}
	return 0;
}

/* The highest page-aligned place for @size bytes below @limit that nothing else has. */
static bool initrd_place(const struct boot_linux *boot, uint64_t size, uint64_t limit, gpa_t *ret)
{
	uint64_t floor = boot->image->vmlinux.end;
	for (;;) {
		if (limit < floor || limit - floor < size)
			return false;
		uint64_t at = (limit - size) & ~(PAGE - 1);
		if (at < floor)
			return false;
		const struct boot_reserved *r = reserved_hit(boot, at, at + size);
		if (!r) {
			*ret = at;
			return true;
		}
		limit = r->gpa;
	}
}

/* What the user would call it. */
static const char *initrd_name(const struct boot_linux *boot, char buf[ERR_MSG_MAX])
{
	if (!boot->initrd_path)
		return "the initramfs";
	snprintf(buf, ERR_MSG_MAX, "initrd '%s'", boot->initrd_path);
	return buf;
}

/* The place for @size bytes, or a sentence. */
static int initrd_find_place(const struct gmem *gm, const struct boot_linux *boot, uint64_t size,
			     gpa_t *ret_gpa, struct err *err)
{
	const struct boot_image *image = boot->image;
	char name[ERR_MSG_MAX];
	uint64_t limit = bzimage_initrd_max(&image->hdr) + 1;
	if (limit > low_ram_end(gm))
		limit = low_ram_end(gm);
	if (initrd_place(boot, size, limit, ret_gpa))
		return 0;
	uint64_t need = image->vmlinux.end + reserved_in_ram(gm, boot) + size + PAGE;
	if (need > bzimage_initrd_max(&image->hdr) || need > GMEM_HOLE_START)
		return err_set(err, -EFBIG,
			       "%s of %" PRIu64
			       " MiB is too big for this kernel in any amount of memory",
			       initrd_name(boot, name), mib_up(size));
	return err_set(err, -ENOMEM,
		       "%s of %" PRIu64 " MiB does not fit: with kernel '%s' it needs at least "
		       "%" PRIu64 " MiB of memory and the guest has %" PRIu64 " MiB",
		       initrd_name(boot, name), mib_up(size), image->path, mib_up(need),
		       gmem_size(gm) / MIB);
}

/* The file, then what is in memory: the kernel wants that one at a multiple of 4 bytes. */
int load_initrd(struct gmem *gm, const struct boot_linux *boot, gpa_t *ret_gpa, uint64_t *ret_size,
		struct err *err)
{
	int fd = -1, rc = 0;
	uint64_t file_size = 0;
	if (boot->initrd_path)
		rc = file_open(boot->initrd_path, "initrd", &fd, &file_size, err);
	if (rc)
		return rc;

	gpa_t gpa = 0;
	uint64_t data_at = boot->initrd_data ? (file_size + 3) & ~3ULL : file_size;
	uint64_t size = data_at + (boot->initrd_data ? boot->initrd_size : 0);
	rc = initrd_find_place(gm, boot, size, &gpa, err);
	if (!rc && fd >= 0) {
		rc = file_read_gmem(gm, gpa, file_size, fd, 0);
		if (rc == -ENODATA)
			err_set(err, rc, "initrd '%s' became shorter while it was read",
				boot->initrd_path);
		else if (rc)
			err_set(err, rc, "initrd '%s' cannot be read: %s", boot->initrd_path,
				strerror(-rc));
	}
	if (fd >= 0)
		close(fd);
	if (rc)
		return rc;
	if (boot->initrd_data && gmem_write(gm, gpa + data_at, boot->initrd_data,
					    boot->initrd_size) != 0) /* there is a place for it */
		return err_set(err, -EFAULT, "the initramfs cannot be written to guest memory");
	*ret_gpa = gpa;
	*ret_size = size;
	return 0;
}

/* Identity mapping of the first 4 GiB; whole tables at once, a page each. */
static int linux_write_page_tables(struct gmem *gm)
{
	uint64_t table[PTES] = {[0] = PDPT_GPA | PTE_TABLE};
	int rc = gmem_write(gm, PML4_GPA, table, sizeof(table));
	for (unsigned i = 0; i < PD_COUNT; i++)
		table[i] = (PD_GPA + i * PAGE) | PTE_TABLE;
	if (!rc)
		rc = gmem_write(gm, PDPT_GPA, table, sizeof(table));
	for (unsigned i = 0; !rc && i < PD_COUNT; i++) {
		for (unsigned k = 0; k < PTES; k++)
			table[k] = ((uint64_t)i * PTES + k) << 21 | PTE_HUGE;
		rc = gmem_write(gm, PD_GPA + i * PAGE, table, sizeof(table));
	}
	return rc;
}

/* Flat segments, marked accessed so that loading them writes nothing. */
static int linux_write_gdt(struct gmem *gm, bool is_long_mode, uint16_t *ret_limit)
{
	uint64_t gdt[4] = {
		[LINUX_BOOT_CS / 8] = is_long_mode ? 0x00af9b000000ffff : 0x00cf9b000000ffff,
		[LINUX_BOOT_DS / 8] = 0x00cf93000000ffff,
	};
	*ret_limit = sizeof(gdt) - 1;
	return gmem_write(gm, GDT_GPA, gdt, sizeof(gdt));
}

static int linux_write_zero_page(struct gmem *gm, const struct boot_linux *boot, gpa_t initrd,
				 uint64_t initrd_size)
{
	const struct boot_image *image = boot->image;
	struct zero_page zp = {.hdr = image->hdr, .acpi_rsdp_addr = boot->rsdp};
	size_t cmdline_size = strlen(boot->cmdline) + 1;
	gpa_t cmdline = CMDLINE_GPA;

	if (boot->has_vga)
		zp.screen_info = (struct screen_info){
			.orig_video_mode = 3,
			.orig_video_cols = 80,
			.orig_video_ega_bx = 3, /* 256 KiB */
			.orig_video_lines = 25,
			.orig_video_is_vga = 1,
			.orig_video_points = 16,
		};
	zp.hdr.type_of_loader = LINUX_LOADER_UNDEFINED;
	zp.hdr.loadflags &= (uint8_t)~LINUX_LOADFLAG_KASLR; /* only the kernel's own loader may */
	zp.hdr.code32_start = (uint32_t)image->vmlinux.start;
	zp.hdr.ramdisk_image = (uint32_t)initrd;
	zp.hdr.ramdisk_size = (uint32_t)initrd_size;
	zp.hdr.setup_data = 0;
	if (image->hdr.version < 0x202) {
		zp.cl_magic = LINUX_CL_MAGIC;
		zp.cl_offset = OLD_CMDLINE;
		cmdline = ZERO_PAGE_GPA + OLD_CMDLINE;
	} else {
		zp.hdr.cmd_line_ptr = (uint32_t)cmdline;
	}

	struct boot_e820 map[E820_MAX];
	unsigned count = boot_e820_map(gm, boot->reserved, boot->reserved_count, map, E820_MAX);
	zp.e820_entries = (uint8_t)count;
	memcpy(zp.e820_table, map, count * sizeof(map[0]));

	int rc = gmem_write(gm, ZERO_PAGE_GPA, &zp, sizeof(zp));
	return rc ? rc : gmem_write(gm, cmdline, boot->cmdline, cmdline_size);
}

int boot_linux_load(struct gmem *gm, const struct boot_linux *boot, struct boot_entry *ret_entry,
		    struct err *err)
{
	const struct boot_image *image = boot->image;
	size_t len = strlen(boot->cmdline), max = boot_image_cmdline_max(image);
	if (boot_image_needs_pc(image))
		return err_set(err, -EINVAL,
			       "kernel '%s' can only be started by a PC's BIOS; add --console "
			       "screen",
			       image->path);
	if (len > max)
		return err_set(err, -E2BIG,
			       "the command line is %zu bytes long and kernel '%s' takes %zu", len,
			       image->path, max);

	gpa_t initrd = 0;
	uint64_t initrd_size = 0;
	int rc = load_kernel(gm, boot, err);
	if (!rc && (boot->initrd_path || boot->initrd_data))
		rc = load_initrd(gm, boot, &initrd, &initrd_size, err);
	if (rc)
		return rc;

	struct boot_entry entry = {
		.is_long_mode = image->is_long_mode,
		.rip = image->vmlinux.entry,
		.rsi = ZERO_PAGE_GPA,
		.rsp = STACK_TOP,
		.cr3 = image->is_long_mode ? PML4_GPA : 0,
		.gdt = GDT_GPA,
	};
	rc = linux_write_zero_page(gm, boot, initrd, initrd_size);
	if (!rc)
		rc = linux_write_gdt(gm, entry.is_long_mode, &entry.gdt_limit);
	if (!rc && entry.is_long_mode)
		rc = linux_write_page_tables(gm);
	if (rc) /* the kernel fits above 1 MiB, so what lies below is RAM */
		return err_set(err, rc, "the boot tables cannot be written to guest memory");
	*ret_entry = entry;
	return 0;
}
