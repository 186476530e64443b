/*
 * bzImage: the setup header of Linux Documentation/arch/x86/boot.rst, protocols 2.00 to 2.15.
 *
 * The kernel is always loaded where it asks to be. Moving a relocatable one lower would not make it
 * fit a smaller guest: it unpacks to pref_address or above in any case. zImages (loaded low, gone
 * since Linux 2.6.30) and files that name no 32-bit entry are for the 16-bit one; and so are old
 * ones that are no Linux: before protocol 2.06 boot loaders knew no other entry, so that MEMDISK,
 * GRUB's lnxboot and the like need not have it, whatever their header says.
 */
#include "bzimage.h"

#include "file.h"
#include "realmode.h"

#include <errno.h>
#include <string.h>

#define PROTOCOL(major, minor) ((major) << 8 | (minor))

#define LOW_START 0x10000u /* where a zImage goes, and where its setup code begins */
#define LOW_END	  0x90000u

static uint16_t le16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

bool bzimage_is_one(const uint8_t *head, size_t len)
{
	static const uint8_t magic[4] = {'H', 'd', 'r', 'S'};
	return len >= 0x206 && le16_at(head + 0x1fe) == LINUX_BOOT_FLAG &&
	       memcmp(head + 0x202, magic, sizeof(magic)) == 0;
}

/* The header as long as the file says it is; fields past its end read as zero. */
static void bzimage_copy_header(const uint8_t *head, struct setup_header *hdr)
{
	size_t n = (size_t)LINUX_HDR_JUMP_BASE + head[0x201] - LINUX_HDR_OFFSET;
	memset(hdr, 0, sizeof(*hdr));
	memcpy(hdr, head + LINUX_HDR_OFFSET, n < sizeof(*hdr) ? n : sizeof(*hdr));
}

/* The first word of the version string; what is not printable ends it too. */
static int bzimage_read_release(int fd, uint64_t setup_size, const struct setup_header *hdr,
				char release[BZIMAGE_RELEASE_MAX])
{
	uint64_t off = (uint64_t)hdr->kernel_version + 0x200;
	release[0] = '\0';
	if (hdr->kernel_version == 0 || off >= setup_size)
		return 0;
	size_t n = 0, len = BZIMAGE_RELEASE_MAX - 1;
	if (len > setup_size - off)
		len = (size_t)(setup_size - off);
	int rc = file_read_at(fd, release, len, off);
	if (rc)
		return rc;
	while (n < len && release[n] > ' ' && release[n] <= '~')
		n++;
	release[n] = '\0';
	return 0;
}

bool bzimage_is_linux(const struct bzimage *bz)
{
	return bz->release[0] >= '0' && bz->release[0] <= '9';
}

static bool bzimage_is_real_mode(const struct bzimage *bz)
{
	const struct setup_header *hdr = &bz->hdr;
	if (!(hdr->loadflags & LINUX_LOADFLAG_LOADED_HIGH) ||
	    (hdr->code32_start == 0 && hdr->version < PROTOCOL(2, 12)))
		return true;
	return hdr->version < PROTOCOL(2, 6) && !bzimage_is_linux(bz);
}

/* The setup code has its place below 640 KiB, and so has a zImage. */
static bool bzimage_place_real_mode(struct bzimage *bz, const char **ret_why)
{
	*ret_why = "is a kernel whose setup code is too long for the 16-bit entry";
	if (bz->kernel_off > realmode_setup_max(&bz->hdr))
		return false;
	if (bz->hdr.loadflags & LINUX_LOADFLAG_LOADED_HIGH)
		return true;
	*ret_why = "is a zImage that is too long to be loaded low";
	if (bz->kernel_size > LOW_END - LOW_START)
		return false;
	bz->load = LOW_START;
	bz->span = LINUX_LOAD_HIGH - LOW_START; /* all that is there is taken */
	return true;
}

/* Where the setup code ends and the kernel begins. */
static bool bzimage_split(struct bzimage *bz, uint64_t size, const char **ret_why)
{
	const struct setup_header *hdr = &bz->hdr;
	uint64_t sects = hdr->setup_sects ? hdr->setup_sects : 4;
	*ret_why = "is a truncated bzImage";
	bz->kernel_off = (sects + 1) * LINUX_SECTOR;
	if (bz->kernel_off >= size)
		return false;
	bz->kernel_size = size - bz->kernel_off;
	if (hdr->version >= PROTOCOL(2, 4)) {
		/* The last unit may reach past the end. Before 2.04 the field is too narrow. */
		uint64_t need = (uint64_t)hdr->syssize * 16;
		if (need == 0 || need > bz->kernel_size + 15)
			return false;
		if (need < bz->kernel_size)
			bz->kernel_size = need;
	}
	return true;
}

static bool bzimage_place(struct bzimage *bz, const char **ret_why)
{
	const struct setup_header *hdr = &bz->hdr;
	bz->load = LINUX_LOAD_HIGH;
	bz->span = bz->kernel_size;
	if (bz->is_real_mode)
		return bzimage_place_real_mode(bz, ret_why);
	if (hdr->version >= PROTOCOL(2, 10)) {
		bz->load = hdr->pref_address;
		if (hdr->init_size > bz->span)
			bz->span = hdr->init_size;
	}
	*ret_why = "is a bzImage that wants to be loaded at an impossible address";
	return bz->load >= LINUX_LOAD_HIGH && bz->load < GMEM_HOLE_START;
}

int bzimage_parse(int fd, uint64_t size, const uint8_t *head, size_t len, struct bzimage *ret_bz,
		  const char **ret_why)
{
	struct bzimage bz = {0};
	if (len < (size_t)LINUX_HDR_JUMP_BASE + head[0x201]) {
		*ret_why = "is a truncated bzImage";
		return -ENOEXEC;
	}
	bzimage_copy_header(head, &bz.hdr);
	if (bz.hdr.version < PROTOCOL(2, 0)) {
		*ret_why = "is a kernel with a boot protocol older than 2.00";
		return -ENOEXEC;
	}
	if (!bzimage_split(&bz, size, ret_why))
		return -ENOEXEC;
	int rc = bzimage_read_release(fd, bz.kernel_off, &bz.hdr, bz.release);
	if (rc)
		return rc;
	bz.is_real_mode = bzimage_is_real_mode(&bz);
	if (!bzimage_place(&bz, ret_why))
		return -ENOEXEC;
	bz.is_64bit = !bz.is_real_mode && bz.hdr.version >= PROTOCOL(2, 12) &&
		      (bz.hdr.xloadflags & LINUX_XLF_KERNEL_64) && bz.kernel_size > LINUX_ENTRY_64;
	*ret_bz = bz;
	return 0;
}

size_t bzimage_cmdline_max(const struct setup_header *hdr)
{
	if (hdr->version < PROTOCOL(2, 6) || hdr->cmdline_size == 0)
		return LINUX_CMDLINE_MAX_2_05;
	return hdr->cmdline_size;
}

uint64_t bzimage_initrd_max(const struct setup_header *hdr)
{
	if (hdr->version < PROTOCOL(2, 3) || hdr->initrd_addr_max == 0)
		return LINUX_INITRD_MAX_2_02;
	return hdr->initrd_addr_max;
}

bool bzimage_payload(const struct bzimage *bz, int fd, struct payload *ret_payload)
{
	const struct setup_header *hdr = &bz->hdr;
	uint8_t head[16];
	if (hdr->version < PROTOCOL(2, 8) || hdr->payload_offset > bz->kernel_size ||
	    hdr->payload_length > bz->kernel_size - hdr->payload_offset ||
	    hdr->payload_length < sizeof(head))
		return false;
	ret_payload->fd = fd;
	ret_payload->off = bz->kernel_off + hdr->payload_offset;
	ret_payload->len = hdr->payload_length;
	if (file_read_at(fd, head, sizeof(head), ret_payload->off) < 0)
		return false;
	ret_payload->format = unpack_identify(head, sizeof(head));
	return ret_payload->format != NULL;
}

void bzimage_make_header(struct setup_header *ret_hdr)
{
	*ret_hdr = (struct setup_header){
		.boot_flag = LINUX_BOOT_FLAG,
		.vid_mode = 0xffff, /* normal */
		.header = LINUX_HDR_MAGIC,
		.version = PROTOCOL(2, 15),
		.loadflags = LINUX_LOADFLAG_LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 2 << 20,
		.xloadflags = LINUX_XLF_KERNEL_64,
		.cmdline_size = 2047,
	};
}
