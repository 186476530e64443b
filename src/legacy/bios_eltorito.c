/*
 * Bootable CDs (El Torito Bootable CD-ROM Format Specification 1.0, Phoenix and IBM, 1995): the way
 * from the boot record to the image, and INT 13h AH=4Bh.
 *
 * Left out: catalog entries after the first, which is the one for PCs.
 */
#include "bios_device.h"

#include <string.h>

#define RECORD_ID	"CD001\1EL TORITO SPECIFICATION"
#define RECORD_CATALOG	0x47
#define ENTRY_SIZE	32
#define PLATFORM_PC	0
#define ENTRY_BOOTABLE	0x88
#define MEDIA_MASK	0x0f
#define MEDIA_HARD_DISK 4
#define SEGMENT_DEFAULT 0x07c0
#define COUNT_DEFAULT	4 /* one sector of the CD */

#define PARTITION_0 0x1be
#define PACKET_SIZE 19
#define DRIVE_ANY   0x7f

static uint16_t bios_eltorito_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t bios_eltorito_le32(const uint8_t *p)
{
	return bios_eltorito_le16(p) | (uint32_t)bios_eltorito_le16(p + 2) << 16;
}

uint8_t bios_eltorito_record(const uint8_t *sector, uint32_t *ret_catalog_lba)
{
	if (sector[0] != 0 || memcmp(sector + 1, RECORD_ID, sizeof(RECORD_ID) - 1) != 0)
		return BOOT_NO_CATALOG;
	*ret_catalog_lba = bios_eltorito_le32(sector + RECORD_CATALOG);
	return BOOT_OK;
}

/* Floppies of 1.2, 1.44 and 2.88 MB; a hard disk's is in its partition table. */
static const uint8_t bios_eltorito_sectors[] = {0, 15, 18, 36, 0};

uint8_t bios_eltorito_catalog(struct bios *b, const uint8_t *sector, unsigned cd)
{
	const uint8_t *entry = sector + ENTRY_SIZE;
	uint8_t media = entry[1] & MEDIA_MASK;
	uint16_t sum = 0;

	for (unsigned i = 0; i < ENTRY_SIZE; i += 2)
		sum = (uint16_t)(sum + bios_eltorito_le16(sector + i));
	if (sector[0] != 1 || sum != 0 || sector[0x1e] != 0x55 || sector[0x1f] != 0xaa)
		return BOOT_NO_CATALOG;
	if (sector[1] != PLATFORM_PC || entry[0] != ENTRY_BOOTABLE || media > MEDIA_HARD_DISK)
		return BOOT_NO_IMAGE;

	uint16_t segment = bios_eltorito_le16(entry + 2);
	uint16_t count = bios_eltorito_le16(entry + 6);
	b->eltorito = (struct bios_eltorito){
		.media = media,
		.drive = (uint8_t)(media == 0		      ? BIOS_DRIVE_CD + cd
				   : media == MEDIA_HARD_DISK ? BIOS_DRIVE_HARD_DISK
							      : 0),
		.cd = (uint8_t)cd,
		.lba = bios_eltorito_le32(entry + 8),
		.segment = segment ? segment : SEGMENT_DEFAULT,
		.count = media	 ? 1
			 : count ? count
				 : COUNT_DEFAULT,
		.cylinders = 80,
		.heads = 2,
		.sectors = bios_eltorito_sectors[media],
	};
	return BOOT_OK;
}

void bios_eltorito_image(struct bios *b, const uint8_t *sector)
{
	struct bios_eltorito *e = &b->eltorito;
	if (e->media == MEDIA_HARD_DISK) {
		const uint8_t *last = sector + PARTITION_0 + 5; /* head, sector, cylinder */
		e->heads = (uint8_t)(last[0] < 255 ? last[0] + 1 : 255);
		e->sectors = last[1] & 0x3f ? last[1] & 0x3f : 1;
		e->cylinders = (uint16_t)((last[2] | (last[1] & 0xc0) << 2) + 1);
	}
	e->is_emulated = e->media != 0;
	bios_disk_tell_count(b);
}

/* AL=00h: end the emulation, and say what it was; 01h: say it. */
unsigned bios_eltorito_service(struct bios *b, struct bios_frame *f)
{
	struct bios_eltorito *e = &b->eltorito;
	uint8_t drive = bios_low(f->edx);
	bool is_known =
		e->count && bios_low(f->eax) <= 1 && (drive == e->drive || drive == DRIVE_ANY);

	if (!is_known)
		return bios_return(f, DISK_BAD_COMMAND);
	unsigned last = e->cylinders - 1u;
	uint8_t packet[PACKET_SIZE] = {
		[0x00] = PACKET_SIZE,
		[0x01] = e->media,
		[0x02] = e->drive,
		[0x04] = (uint8_t)e->lba,
		[0x05] = (uint8_t)(e->lba >> 8),
		[0x06] = (uint8_t)(e->lba >> 16),
		[0x07] = (uint8_t)(e->lba >> 24),
		[0x08] = e->cd,
		[0x0c] = (uint8_t)e->segment,
		[0x0d] = (uint8_t)(e->segment >> 8),
		[0x0e] = (uint8_t)e->count,
		[0x0f] = (uint8_t)(e->count >> 8),
	};
	if (e->media) {
		packet[0x10] = (uint8_t)last;
		packet[0x11] = (uint8_t)((e->sectors & 0x3f) | (last >> 2 & 0xc0));
		packet[0x12] = (uint8_t)(e->heads - 1);
	}
	bios_copy_out(b, bios_gpa(f->ds, bios_word(f->esi)), packet, sizeof(packet));
	if (bios_low(f->eax) == 0) {
		e->is_emulated = false;
		bios_disk_tell_count(b);
	}
	return bios_return(f, DISK_OK);
}
