/*
 * The 16-bit entry of Linux's boot protocol, 2.00 on (Documentation/arch/x86/boot.rst): zImages,
 * and bzImages that have no other entry, such as iPXE's.
 *
 * The setup code goes to 0x90000, where the oldest insist on it, its stack and heap behind it, the
 * command line behind those; the kernel to 0x10000 or 1 MiB. The PC's BIOS enters the stub at
 * 0x7c00 as it would a boot sector. Left out on purpose: kernels before protocol 2.00, which were
 * boot sectors and are booted from a floppy image, and the video mode (vga=), which stays the
 * file's.
 */
#include "realmode.h"

#include "bzimage.h"
#include "file.h"
#include "image.h"
#include "load.h"

#include <errno.h>
#include <string.h>
#include <tinyvm/err.h>

#define SETUP_GPA      0x90000u
#define EBDA_GPA       0x9fc00u
#define HEAP_END_HIGH  0xe000u /* from SETUP_GPA */
#define HEAP_END_LOW   0x9800u
#define STACK_ROOM     0x200u
#define CAN_USE_HEAP   0x80u
#define STUB_STACK     14 /* operand in realmode_stub */
#define CL_MAGIC_AT    0x20
#define CL_OFFSET_AT   0x22
#define PROTOCOL_2_01  0x201
#define PROTOCOL_2_02  0x202
#define HDR_AT(member) (LINUX_HDR_OFFSET + offsetof(struct setup_header, member))

static const uint8_t realmode_stub[] = {
	0xfa,				    /* cli */
	0xfc,				    /* cld */
	0xb8, 0x00, 0x90,		    /* mov $0x9000, %ax */
	0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, /* to %ds, %es, %fs, */
	0x8e, 0xd0,			    /* %ss */
	0xbc, 0,    0,			    /* mov the stack's end, %sp */
	0x8e, 0xe8,			    /* to %gs */
	0xea, 0x00, 0x00, 0x20, 0x90,	    /* ljmp $0x9020, $0 */
};

static uint32_t realmode_heap_end(const struct setup_header *hdr)
{
	bool is_high = hdr->loadflags & LINUX_LOADFLAG_LOADED_HIGH;
	return is_high && hdr->version >= PROTOCOL_2_02 ? HEAP_END_HIGH : HEAP_END_LOW;
}

uint64_t realmode_setup_max(const struct setup_header *hdr)
{
	return realmode_heap_end(hdr) - STACK_ROOM;
}

/* A field of the setup code, little-endian. */
static int realmode_put(struct gmem *gm, size_t at, uint32_t value, unsigned bytes)
{
	const uint8_t v[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
			      (uint8_t)(value >> 24)};
	return gmem_write(gm, SETUP_GPA + at, v, bytes);
}

static int realmode_put_header(struct gmem *gm, const struct setup_header *hdr, gpa_t initrd,
			       uint64_t initrd_size, size_t cmdline_size)
{
	uint32_t heap_end = realmode_heap_end(hdr);
	int rc = realmode_put(gm, HDR_AT(type_of_loader), LINUX_LOADER_UNDEFINED, 1);
	if (!rc && initrd_size)
		rc = realmode_put(gm, HDR_AT(ramdisk_image), (uint32_t)initrd, 4);
	if (!rc && initrd_size)
		rc = realmode_put(gm, HDR_AT(ramdisk_size), (uint32_t)initrd_size, 4);
	if (!rc && hdr->version >= PROTOCOL_2_01)
		rc = realmode_put(gm, HDR_AT(heap_end_ptr), heap_end - STACK_ROOM, 2);
	if (!rc && hdr->version >= PROTOCOL_2_01)
		rc = realmode_put(gm, HDR_AT(loadflags), hdr->loadflags | CAN_USE_HEAP, 1);
	if (rc)
		return rc;
	if (hdr->version >= PROTOCOL_2_02)
		return realmode_put(gm, HDR_AT(cmd_line_ptr), SETUP_GPA + heap_end, 4);
	rc = realmode_put(gm, CL_MAGIC_AT, LINUX_CL_MAGIC, 2);
	if (!rc)
		rc = realmode_put(gm, CL_OFFSET_AT, heap_end, 2);
	if (!rc)
		rc = realmode_put(gm, HDR_AT(setup_move_size), heap_end + (uint32_t)cmdline_size,
				  2);
	return rc;
}

static int realmode_put_stub(struct gmem *gm, const struct setup_header *hdr)
{
	uint8_t stub[LOAD_STUB_SIZE] = {0};
	uint32_t heap_end = realmode_heap_end(hdr);
	memcpy(stub, realmode_stub, sizeof(realmode_stub));
	stub[STUB_STACK] = (uint8_t)heap_end;
	stub[STUB_STACK + 1] = (uint8_t)(heap_end >> 8);
	stub[LOAD_STUB_SIZE - 2] = LOAD_STUB_SIGNATURE & 0xff;
	stub[LOAD_STUB_SIZE - 1] = LOAD_STUB_SIGNATURE >> 8;
	return gmem_write(gm, LOAD_STUB_GPA, stub, sizeof(stub));
}

int realmode_load(struct gmem *gm, const struct boot_linux *boot, struct err *err)
{
	const struct boot_image *image = boot->image;
	const struct setup_header *hdr = &image->hdr;
	gpa_t cmdline = SETUP_GPA + realmode_heap_end(hdr), initrd = 0;
	uint64_t initrd_size = 0;
	size_t size = strlen(boot->cmdline) + 1, max = boot_image_cmdline_max(image);
	if (max >= EBDA_GPA - cmdline)
		max = EBDA_GPA - cmdline - 1;
	if (size > max + 1)
		return err_set(err, -E2BIG,
			       "the command line is %zu bytes long and kernel '%s' takes %zu",
			       size - 1, image->path, max);
	int rc = load_kernel(gm, boot, err);
	if (!rc && (boot->initrd_path || boot->initrd_data))
		rc = load_initrd(gm, boot, &initrd, &initrd_size, err);
	if (rc)
		return rc;
	/* The setup code is all that is in the file before the kernel. */
	rc = file_read_gmem(gm, SETUP_GPA, image->vmlinux.extent[0].offset, image->fd, 0);
	if (rc)
		return err_set(err, rc, "kernel '%s' cannot be read: %s", image->path,
			       strerror(-rc));
	rc = realmode_put_header(gm, hdr, initrd, initrd_size, size);
	if (!rc)
		rc = gmem_write(gm, cmdline, boot->cmdline, size);
	if (!rc)
		rc = realmode_put_stub(gm, hdr);
	return rc ? err_set(err, rc, "the setup code cannot be written to guest memory") : 0;
}
