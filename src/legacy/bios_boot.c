/*
 * INT 19h and 18h: which drive is booted, and what is told when none is.
 *
 * The drives are tried in the order of the configuration's letters, each kind's in turn. A hard
 * disk needs the signature 55AAh and some code; a floppy that has no signature is booted from as
 * the AT did it, unless its sector is empty. A boot takes several calls, as it waits for disks; the
 * frame of the last one enters what was loaded. INT 18h (the loaded program has given up) goes on
 * with the next drive.
 */
#include "bios_device.h"
#include "bios_keyboard.h"

#include <stdio.h>
#include <string.h>

#define BOOT_GPA	0x7c00u
#define SIGNATURE_AT	510
#define SIGNATURE	0xaa55
#define IMAGE_END	0x9fc00u
#define ORDER_DEFAULT	"acd"
#define FIRST_CODE_BYTE 6 /* what the AT takes for no code at all is below */

static const char bios_boot_letters[] = {
	[BIOS_FLOPPY] = 'a', [BIOS_HARD_DISK] = 'c', [BIOS_CD] = 'd'};

/* The @n-th drive in the order of trying: which of its kind, in @ret_unit. NULL after the last. */
static const struct bios_disk *bios_boot_nth(const struct bios *b, unsigned n, unsigned *ret_unit)
{
	const char *order = b->cfg.boot[0] ? b->cfg.boot : ORDER_DEFAULT;
	for (; *order; order++) {
		const char *letter = memchr(bios_boot_letters, *order, sizeof(bios_boot_letters));
		if (!letter)
			continue;
		enum bios_disk_kind kind = (enum bios_disk_kind)(letter - bios_boot_letters);
		unsigned count = bios_disk_count(b, kind);
		if (n < count) {
			*ret_unit = n;
			return bios_disk_nth(b, kind, n);
		}
		n -= count;
	}
	return NULL;
}

static uint8_t bios_boot_number(const struct bios_disk *disk, unsigned unit)
{
	static const uint8_t first[] = {[BIOS_FLOPPY] = 0,
					[BIOS_HARD_DISK] = BIOS_DRIVE_HARD_DISK,
					[BIOS_CD] = BIOS_DRIVE_CD};
	return (uint8_t)(first[disk->kind] + unit);
}

static const char *bios_boot_reason_text(uint8_t reason)
{
	switch (reason) {
	case BOOT_OK:
		return "gave up";
	case BOOT_EMPTY:
		return "empty";
	case BOOT_UNREADABLE:
		return "cannot be read";
	case BOOT_NO_SIGNATURE:
		return "no boot sector: 55AAh is not at its end";
	case BOOT_NO_CODE:
		return "no code in its boot sector";
	case BOOT_NO_CATALOG:
		return "no El Torito boot catalog";
	default:
		return "nothing bootable in its El Torito catalog";
	}
}

/* What has been tried, for who sits in front of it. */
static void bios_boot_tell(struct bios *b)
{
	static const char *const kind_name[] = {
		[BIOS_FLOPPY] = "floppy", [BIOS_HARD_DISK] = "disk", [BIOS_CD] = "CD"};
	const struct bios_disk *disk;
	unsigned unit;
	char line[81];

	bios_video_print(b, "\r\nNothing to boot from.\r\n");
	for (unsigned n = 0; n < b->boot.tried && (disk = bios_boot_nth(b, n, &unit)); n++) {
		snprintf(line, sizeof(line), "  %s %02Xh: %s\r\n", kind_name[disk->kind],
			 bios_boot_number(disk, unit), bios_boot_reason_text(b->boot.reason[n]));
		bios_video_print(b, line);
	}
	if (!b->boot.tried)
		bios_video_print(b, "  There is no drive: see --floppy, --disk, --cdrom.\r\n");
	bios_video_print(b, "Press a key to try again.\r\n");
}

/* On to the stage for the next drive, or the message. */
static void bios_boot_advance(struct bios *b)
{
	unsigned unit;
	const struct bios_disk *disk = bios_boot_nth(b, b->boot.tried, &unit);
	if (!disk || b->boot.tried >= BIOS_DISK_MAX) {
		bios_boot_tell(b);
		b->boot.stage = BOOT_FAILED;
		return;
	}
	b->boot.reason[b->boot.tried++] = BOOT_OK;
	b->boot.stage = disk->kind == BIOS_CD ? BOOT_CD_RECORD : BOOT_SECTOR;
	if (!disk->submit) {
		b->boot.reason[b->boot.tried - 1] = BOOT_EMPTY;
		b->boot.stage = BOOT_NEXT;
	}
}

/* Enter what was loaded. */
static unsigned bios_boot_enter(struct bios *b, struct bios_frame *f, gpa_t entry, uint8_t drive)
{
	*f = (struct bios_frame){
		.eax = 0xaa55,
		.edx = drive,
		.cs = (uint16_t)(entry >> 4 & 0xf000),
		.ip = (uint16_t)entry,
		.flags = BIOS_FLAG_IF | 0x02,
	};
	b->boot.stage = BOOT_IDLE;
	if (b->cfg.booted)
		b->cfg.booted(b->cfg.ctx, drive);
	return BIOS_DONE;
}

static uint8_t bios_boot_judge(const uint8_t *sector, enum bios_disk_kind kind)
{
	bool is_signed = sector[SIGNATURE_AT] == 0x55 && sector[SIGNATURE_AT + 1] == 0xaa;
	bool is_uniform = memcmp(sector, sector + 2, 16) == 0;
	if (!is_signed && kind == BIOS_HARD_DISK)
		return BOOT_NO_SIGNATURE;
	if (is_uniform || (!is_signed && sector[0] < FIRST_CODE_BYTE))
		return is_signed ? BOOT_NO_CODE : BOOT_NO_SIGNATURE;
	return BOOT_OK;
}

/* What a CD's stage has read: on to the next. Return: an enum bios_boot_reason. */
static uint8_t bios_boot_cd_step(struct bios *b, unsigned unit)
{
	uint8_t reason = BOOT_OK;
	switch (b->boot.stage) {
	case BOOT_CD_RECORD:
		reason = bios_eltorito_record(bios_io_data(b), &b->boot.catalog_lba);
		b->boot.stage = BOOT_CD_CATALOG;
		break;
	case BOOT_CD_CATALOG:
		reason = bios_eltorito_catalog(b, bios_io_data(b), unit);
		b->boot.stage = BOOT_CD_IMAGE;
		break;
	default:
		break;
	}
	return reason;
}

/* What the stage reads. false: that is nowhere on the disk. */
static bool bios_boot_want(struct bios *b, const struct bios_disk *disk, struct bios_io *ret_io)
{
	const struct bios_eltorito *e = &b->eltorito;
	uint64_t lba = 0, len = BIOS_CD_SECTOR;
	struct bios_io io = {.frame = b->frame, .disk = disk, .op = BIOS_IO_VERIFY};

	switch (b->boot.stage) {
	case BOOT_SECTOR:
		io.op = BIOS_IO_READ;
		io.gpa = BOOT_GPA;
		len = BIOS_SECTOR;
		break;
	case BOOT_CD_RECORD:
		lba = BIOS_CD_RECORD_LBA;
		break;
	case BOOT_CD_CATALOG:
		lba = b->boot.catalog_lba;
		break;
	default:
		io.op = BIOS_IO_READ;
		io.gpa = bios_gpa(e->segment, 0);
		lba = e->lba;
		len = (uint64_t)e->count * BIOS_SECTOR;
		if (io.gpa >= IMAGE_END)
			return false;
		if (len > IMAGE_END - io.gpa)
			len = (IMAGE_END - io.gpa) / BIOS_SECTOR * BIOS_SECTOR;
		break;
	}
	io.offset = lba * BIOS_CD_SECTOR;
	if (io.offset >= disk->size)
		return false;
	/* An image's count may promise more than there is. */
	if (len > disk->size - io.offset)
		len = (disk->size - io.offset) / BIOS_SECTOR * BIOS_SECTOR;
	io.len = len;
	*ret_io = io;
	return len >= BIOS_SECTOR && (io.op == BIOS_IO_READ || len == BIOS_CD_SECTOR);
}

/* One stage, as far as it goes without waiting. */
static unsigned bios_boot_stage(struct bios *b, struct bios_frame *f)
{
	unsigned unit = 0;
	const struct bios_disk *disk = bios_boot_nth(b, b->boot.tried - 1u, &unit);
	uint8_t reason = BOOT_UNREADABLE, status = DISK_OK;
	struct bios_io io;
	uint64_t done;

	if (disk && disk->submit && bios_boot_want(b, disk, &io)) {
		unsigned result = bios_io(b, &io, &status, &done);
		if (result != BIOS_DONE)
			return result;
		reason = status == DISK_OK ? BOOT_OK : BOOT_UNREADABLE;
	}
	if (reason == BOOT_OK && b->boot.stage == BOOT_SECTOR) {
		reason = bios_boot_judge(bios_io_data(b), disk->kind);
		if (reason == BOOT_OK)
			return bios_boot_enter(b, f, BOOT_GPA, bios_boot_number(disk, unit));
	} else if (reason == BOOT_OK && b->boot.stage == BOOT_CD_IMAGE) {
		bios_eltorito_image(b, bios_io_data(b));
		return bios_boot_enter(b, f, io.gpa, b->eltorito.drive);
	} else if (reason == BOOT_OK) {
		reason = bios_boot_cd_step(b, unit);
	}
	if (reason != BOOT_OK) {
		b->eltorito = (struct bios_eltorito){0};
		b->boot.reason[b->boot.tried - 1] = reason;
		b->boot.stage = BOOT_NEXT;
	}
	return BIOS_AGAIN;
}

/* Whether the machine has put a boot sector in place. Once: the next INT 19h goes to the drives. */
static bool bios_boot_is_loaded(struct bios *b)
{
	if (!b->cfg.is_boot_loaded || bios_peek16(b, BOOT_GPA + SIGNATURE_AT) != SIGNATURE)
		return false;
	bios_poke16(b, BOOT_GPA + SIGNATURE_AT, 0);
	return true;
}

unsigned bios_boot(struct bios *b, struct bios_frame *f, bool is_next)
{
	uint16_t key;

	if (b->boot.stage == BOOT_FAILED) {
		if (!bios_keyboard_take(b, false, &key))
			return BIOS_WAIT;
		b->boot.stage = BOOT_IDLE;
		is_next = false;
	}
	if (b->boot.stage == BOOT_IDLE && !is_next && bios_boot_is_loaded(b))
		return bios_boot_enter(b, f, BOOT_GPA, BIOS_DRIVE_HARD_DISK);
	if (b->boot.stage == BOOT_IDLE) {
		b->eltorito = (struct bios_eltorito){0};
		bios_disk_tell_count(b);
		b->boot.stage = BOOT_NEXT;
		if (!is_next)
			b->boot.tried = 0;
	}
	if (b->boot.stage == BOOT_NEXT) {
		bios_boot_advance(b);
		return BIOS_AGAIN;
	}
	return bios_boot_stage(b, f);
}
