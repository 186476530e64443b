/*
 * INT 13h, by cylinder, head and sector (IBM PS/2 and PC BIOS Interface Technical Reference, 1987):
 * AH=00h to 18h. AH=41h up is in bios_edd.c.
 *
 * A transfer may cross tracks, cylinders, segments and the 64 KiB of a DMA page, which none of the
 * originals allowed all of: software that avoids it does not notice. Sector numbers that the medium
 * does not have are refused, since boot sectors find out that way how many there are. Media do not
 * change while the machine runs.
 *
 * Left out: read and write long, hard disk formatting, the controller's diagnostics (always fine).
 */
#include "bios_device.h"

#define BDA_EQUIPMENT		BDA(0x10)
#define BDA_FLOPPY_RECALIBRATED BDA(0x3e)
#define BDA_FLOPPY_STATUS	BDA(0x41)
#define BDA_DISK_STATUS		BDA(0x74)
#define BDA_DISK_COUNT		BDA(0x75)
#define BDA_DISK_CONTROL	BDA(0x76)
#define BDA_DISK_IRQ		BDA(0x8e)
#define BDA_FLOPPY_INFO		BDA(0x8f)
#define BDA_FLOPPY_MEDIA	BDA(0x90) /* a byte a drive */

#define EBDA_DISK_TABLE	     0x3d /* what INT 41h and 46h point to, 16 bytes each */
#define EBDA_DISK_TABLE_SIZE 16

#define EQUIPMENT_FLOPPY	 0x0001u
#define EQUIPMENT_FLOPPIES	 0x00c1u /* how many, and whether any */
#define EQUIPMENT_FLOPPIES_SHIFT 6

#define VECTOR_DISK_0	    (0x41u * 4)
#define VECTOR_DISK_1	    (0x46u * 4)
#define FLOPPY_IRQ_SEEN	    0x80
#define DRIVE_TYPE_CHANGING 2 /* AH=15h: a floppy with change detection */
#define DRIVE_TYPE_DISK	    3

/* Where a drive's last status is kept. */
static gpa_t bios_disk_status_gpa(uint8_t drive)
{
	return drive < BIOS_DRIVE_HARD_DISK ? BDA_FLOPPY_STATUS : BDA_DISK_STATUS;
}

unsigned bios_disk_return(struct bios *b, struct bios_frame *f, uint8_t status)
{
	bios_poke8(b, bios_disk_status_gpa(bios_low(f->edx)), status);
	return bios_return(f, status);
}

/* CMOS's number for a floppy drive's type. */
static uint8_t bios_floppy_type(const struct bios_drive *drive)
{
	if (drive->cylinders <= 45)
		return 1; /* 360 KB and less */
	switch (drive->sectors) {
	case 15:
		return 2; /* 1.2 MB */
	case 8:
	case 9:
		return 3; /* 720 KB */
	case 36:
		return 6; /* 2.88 MB */
	default:
		return 4; /* 1.44 MB, and what people have made of it */
	}
}

static unsigned bios_disk_reset(struct bios *b, struct bios_frame *f)
{
	struct bios_drive drive;
	if (bios_low(f->edx) < BIOS_DRIVE_HARD_DISK)
		bios_poke8(b, BDA_FLOPPY_RECALIBRATED, 0);
	bool is_there = bios_drive(b, bios_low(f->edx), &drive);
	return bios_disk_return(b, f, is_there ? DISK_OK : DISK_BAD_COMMAND);
}

static unsigned bios_disk_last_status(struct bios *b, struct bios_frame *f)
{
	return bios_return(f, bios_peek8(b, bios_disk_status_gpa(bios_low(f->edx))));
}

/* The first byte that CX and DX name; an enum bios_disk_status otherwise. */
static uint8_t bios_disk_locate(const struct bios_drive *drive, const struct bios_frame *f,
				unsigned count, uint64_t *ret_offset)
{
	unsigned sector = bios_low(f->ecx) & 0x3f;
	unsigned cylinder = bios_high(f->ecx) | (bios_low(f->ecx) & 0xc0u) << 2;
	unsigned head = bios_high(f->edx);

	if (drive->kind == BIOS_CD || count == 0)
		return DISK_BAD_COMMAND;
	if (!drive->disk->submit)
		return DISK_TIMEOUT;
	/* A hard disk may go on amid a cylinder after the last that AH=08h tells. */
	if (sector == 0 || sector > drive->sectors || head >= drive->heads ||
	    (drive->kind == BIOS_FLOPPY && cylinder >= drive->cylinders))
		return DISK_NO_SECTOR;
	uint64_t first = ((uint64_t)cylinder * drive->heads + head) * drive->sectors + sector - 1;
	uint64_t sectors = drive->size / BIOS_SECTOR;
	if (first >= sectors || count > sectors - first)
		return DISK_NO_SECTOR;
	*ret_offset = drive->offset + first * BIOS_SECTOR;
	return DISK_OK;
}

/* AH=02h to 05h */
static unsigned bios_disk_transfer(struct bios *b, struct bios_frame *f,
				   const struct bios_drive *drive, enum bios_io_op op)
{
	unsigned count = op == BIOS_IO_FILL ? drive->sectors : bios_low(f->eax);
	uint64_t offset = 0;
	uint8_t status = bios_disk_locate(drive, f, count, &offset);
	if (status == DISK_OK && drive->is_readonly && (op == BIOS_IO_WRITE || op == BIOS_IO_FILL))
		status = DISK_WRITE_PROTECTED;
	if (status != DISK_OK) {
		bios_set_low(&f->eax, 0);
		return bios_disk_return(b, f, status);
	}

	const struct bios_io io = {.frame = b->frame,
				   .disk = drive->disk,
				   .op = op,
				   .offset = offset,
				   .len = (uint64_t)count * BIOS_SECTOR,
				   .gpa = bios_gpa(f->es, bios_word(f->ebx))};
	uint64_t done;
	unsigned result = bios_io(b, &io, &status, &done);
	if (result != BIOS_DONE)
		return result;
	if (op != BIOS_IO_FILL)
		bios_set_low(&f->eax, (uint8_t)(done / BIOS_SECTOR));
	return bios_disk_return(b, f, status);
}

/* AH=05h: floppies only, and a whole track, wherever CL points in it. */
static unsigned bios_disk_format(struct bios *b, struct bios_frame *f,
				 const struct bios_drive *drive)
{
	if (drive->kind != BIOS_FLOPPY)
		return bios_disk_return(b, f, DISK_BAD_COMMAND);
	uint32_t ecx = f->ecx;
	bios_set_low(&f->ecx, (uint8_t)((bios_low(ecx) & 0xc0) | 1));
	unsigned result = bios_disk_transfer(b, f, drive, BIOS_IO_FILL);
	f->ecx = ecx;
	return result;
}

/* AH=08h */
static unsigned bios_disk_parameters(struct bios *b, struct bios_frame *f)
{
	uint8_t number = bios_low(f->edx);
	bool is_floppy = number < BIOS_DRIVE_HARD_DISK;
	enum bios_disk_kind kind = is_floppy ? BIOS_FLOPPY : BIOS_HARD_DISK;
	unsigned drives = bios_drive_count(b, kind);
	struct bios_drive drive;

	bool is_there = bios_drive(b, number, &drive) && drive.kind == kind && drive.cylinders &&
			drive.heads && drive.sectors;
	if (!is_there && !is_floppy)
		return bios_disk_return(b, f, DISK_BAD_PARAMETERS);
	bios_set_word(&f->eax, 0);
	bios_poke8(b, bios_disk_status_gpa(number), DISK_OK);
	bios_set_carry(f, false);
	bios_set_word(&f->edx, (uint16_t)drives);
	if (is_floppy) {
		bios_set_word(&f->ebx, 0);
		f->es = is_there ? BIOS_ROM_SEGMENT : 0;
		bios_set_word(&f->edi, is_there ? BIOS_ROM_FLOPPY_TABLE : 0);
	}
	if (!is_there) {
		bios_set_word(&f->ecx, 0);
		return BIOS_DONE;
	}
	if (is_floppy)
		bios_set_low(&f->ebx, bios_floppy_type(&drive));
	unsigned last = drive.cylinders < 1024 ? drive.cylinders - 1 : 1023;
	bios_set_high(&f->ecx, (uint8_t)last);
	bios_set_low(&f->ecx, (uint8_t)(drive.sectors | (last >> 2 & 0xc0)));
	bios_set_high(&f->edx, (uint8_t)(drive.heads - 1));
	return BIOS_DONE;
}

/* AH=15h */
static unsigned bios_disk_type(struct bios *b, struct bios_frame *f)
{
	struct bios_drive drive;
	uint8_t type = 0;
	if (bios_drive(b, bios_low(f->edx), &drive) && drive.kind == BIOS_HARD_DISK) {
		uint64_t sectors = drive.size / BIOS_SECTOR;
		uint32_t shown = sectors < UINT32_MAX ? (uint32_t)sectors : UINT32_MAX;
		type = DRIVE_TYPE_DISK;
		bios_set_word(&f->ecx, (uint16_t)(shown >> 16));
		bios_set_word(&f->edx, (uint16_t)shown);
	} else if (bios_drive(b, bios_low(f->edx), &drive) && drive.kind == BIOS_FLOPPY) {
		type = DRIVE_TYPE_CHANGING;
	}
	bios_set_high(&f->eax, type);
	bios_set_carry(f, false);
	return BIOS_DONE;
}

/* AH=18h: the medium that a floppy is going to be formatted for */
static unsigned bios_disk_media_type(struct bios *b, struct bios_frame *f,
				     const struct bios_drive *drive)
{
	unsigned cylinders = (bios_high(f->ecx) | (bios_low(f->ecx) & 0xc0u) << 2) + 1;
	unsigned sectors = bios_low(f->ecx) & 0x3f;
	if (drive->kind != BIOS_FLOPPY)
		return bios_disk_return(b, f, DISK_BAD_COMMAND);
	if (cylinders != drive->cylinders || sectors != drive->sectors)
		return bios_disk_return(b, f, DISK_BAD_MEDIA_TYPE);
	f->es = BIOS_ROM_SEGMENT;
	bios_set_word(&f->edi, BIOS_ROM_FLOPPY_TABLE);
	return bios_disk_return(b, f, DISK_OK);
}

/* Functions that need a drive. */
static unsigned bios_disk_function(struct bios *b, struct bios_frame *f,
				   const struct bios_drive *drive)
{
	bool is_floppy = drive->kind == BIOS_FLOPPY;
	switch (bios_high(f->eax)) {
	case 0x02:
		return bios_disk_transfer(b, f, drive, BIOS_IO_READ);
	case 0x03:
		return bios_disk_transfer(b, f, drive, BIOS_IO_WRITE);
	case 0x04:
		return bios_disk_transfer(b, f, drive, BIOS_IO_VERIFY);
	case 0x05:
		return bios_disk_format(b, f, drive);
	case 0x09: /* take the parameters from INT 41h's table: they cannot differ */
	case 0x0c: /* seek */
	case 0x0d: /* reset */
	case 0x10: /* is it ready? */
	case 0x11: /* recalibrate */
	case 0x14: /* controller's self test */
		return bios_disk_return(b, f, is_floppy ? DISK_BAD_COMMAND : DISK_OK);
	case 0x16: /* has the floppy been changed? */
	case 0x17: /* media type, the old way */
		return bios_disk_return(b, f, is_floppy ? DISK_OK : DISK_BAD_COMMAND);
	case 0x18:
		return bios_disk_media_type(b, f, drive);
	default:
		return bios_disk_return(b, f, DISK_BAD_COMMAND);
	}
}

unsigned bios_disk(struct bios *b, struct bios_frame *f)
{
	uint8_t function = bios_high(f->eax);
	struct bios_drive drive;

	switch (function) {
	case 0x00:
		return bios_disk_reset(b, f);
	case 0x01:
		return bios_disk_last_status(b, f);
	case 0x08:
		return bios_disk_parameters(b, f);
	case 0x15:
		return bios_disk_type(b, f);
	default:
		break;
	}
	if (function >= 0x41)
		return bios_edd(b, f);
	if (!bios_drive(b, bios_low(f->edx), &drive))
		return bios_disk_return(b, f,
					bios_low(f->edx) < BIOS_DRIVE_HARD_DISK ? DISK_TIMEOUT
										: DISK_BAD_COMMAND);
	return bios_disk_function(b, f, &drive);
}

/* INT 0Eh and 76h: for programs that drive the controllers themselves and wait here. */
unsigned bios_floppy_irq(struct bios *b, struct bios_frame *f)
{
	(void)f;
	bios_poke8(b, BDA_FLOPPY_RECALIBRATED,
		   bios_peek8(b, BDA_FLOPPY_RECALIBRATED) | FLOPPY_IRQ_SEEN);
	return BIOS_DONE;
}

unsigned bios_disk_irq(struct bios *b, struct bios_frame *f)
{
	(void)f;
	bios_poke8(b, BDA_DISK_IRQ, 0xff);
	return BIOS_DONE;
}

static void bios_disk_put_table(struct bios *b, unsigned n)
{
	const struct bios_disk *disk = bios_disk_nth(b, BIOS_HARD_DISK, n);
	unsigned at = EBDA_DISK_TABLE + n * EBDA_DISK_TABLE_SIZE;
	bios_poke32(b, n ? VECTOR_DISK_1 : VECTOR_DISK_0, bios_far(EBDA_SEGMENT, (uint16_t)at));
	if (!disk)
		return;
	uint8_t table[EBDA_DISK_TABLE_SIZE] = {
		[0x00] = (uint8_t)disk->cylinders,
		[0x01] = (uint8_t)(disk->cylinders >> 8),
		[0x02] = (uint8_t)disk->heads,
		[0x05] = 0xff, /* no write precompensation */
		[0x06] = 0xff,
		[0x08] = disk->heads > 8 ? 0x08 : 0x00,
		[0x0c] = (uint8_t)disk->cylinders, /* landing zone */
		[0x0d] = (uint8_t)(disk->cylinders >> 8),
		[0x0e] = (uint8_t)disk->sectors,
	};
	bios_copy_out(b, EBDA(at), table, sizeof(table));
}

/* Data rate in bits 6-7 (500, 300, 250 kbit/s), bit 4 that the rest is sure, the medium. */
static uint8_t bios_floppy_media(const struct bios_drive *drive)
{
	switch (bios_floppy_type(drive)) {
	case 1:
		return 0x93;
	case 2:
		return 0x15;
	case 3:
		return 0x97;
	case 6:
		return 0xd7;
	default:
		return 0x17;
	}
}

void bios_disk_tell_count(struct bios *b)
{
	unsigned floppies = bios_drive_count(b, BIOS_FLOPPY);
	unsigned equipment = bios_peek16(b, BDA_EQUIPMENT) & ~EQUIPMENT_FLOPPIES;
	if (floppies > 4)
		floppies = 4;
	if (floppies)
		equipment |= EQUIPMENT_FLOPPY | (floppies - 1) << EQUIPMENT_FLOPPIES_SHIFT;
	bios_poke16(b, BDA_EQUIPMENT, (uint16_t)equipment);
	bios_poke8(b, BDA_DISK_COUNT, (uint8_t)bios_drive_count(b, BIOS_HARD_DISK));
}

void bios_disk_post(struct bios *b)
{
	struct bios_drive drive;
	uint8_t info = 0;

	bios_disk_tell_count(b);
	bios_poke8(b, BDA_DISK_CONTROL, 0xc0);
	bios_disk_put_table(b, 0);
	bios_disk_put_table(b, 1);
	for (unsigned n = 0; n < 2; n++) {
		if (!bios_drive(b, (uint8_t)n, &drive) || !drive.sectors)
			continue;
		/* A drive that was looked at, with 80 tracks, several rates, a change line */
		info |= (uint8_t)((bios_floppy_type(&drive) == 1 ? 0x04 : 0x07) << n * 4);
		bios_poke8(b, BDA_FLOPPY_MEDIA + n, bios_floppy_media(&drive));
	}
	bios_poke8(b, BDA_FLOPPY_INFO, info);
}
