/*
 * INT 13h AH=41h to 4Eh: the Enhanced Disk Drive services (BIOS Enhanced Disk Drive Specification
 * 3.0, Phoenix, 1998), for hard disks and CDs, and the end of El Torito's emulation.
 *
 * Left out: the device path and the pointer to a table of the controller in AH=48h.
 */
#include "bios_device.h"

#include <string.h>

#define EDD_VERSION   0x30
#define EDD_ACCESS    0x01 /* AH=42h to 44h, 47h, 48h */
#define EDD_REMOVABLE 0x02 /* AH=45h, 46h, 48h, 49h */
#define EDD_EXTENDED  0x04 /* AH=48h's larger form */

#define PACKET_SIZE	 16 /* a disk address packet, */
#define PACKET_FLAT_SIZE 24 /* and one with a 64-bit address */
#define PACKET_COUNT	 2
#define PARAMETERS_1	 26 /* AH=48h: bytes of version 1.x, 2.x */
#define PARAMETERS_2	 30

#define INFO_DMA_HANDLED 0x01
#define INFO_CHS_VALID	 0x02
#define INFO_REMOVABLE	 0x04
#define CYLINDERS_MAX	 16383u

static unsigned bios_edd_sector_size(const struct bios_drive *drive)
{
	return drive->kind == BIOS_CD ? BIOS_CD_SECTOR : BIOS_SECTOR;
}

static uint64_t bios_edd_le(const uint8_t *p, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)p[i] << 8 * i;
	return value;
}

static void bios_edd_put(uint8_t *p, unsigned bytes, uint64_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

/* AH=41h */
static unsigned bios_edd_check(struct bios *b, struct bios_frame *f)
{
	if (bios_word(f->ebx) != 0x55aa)
		return bios_disk_return(b, f, DISK_BAD_COMMAND);
	bios_set_word(&f->ebx, 0xaa55);
	bios_set_word(&f->ecx, EDD_ACCESS | EDD_REMOVABLE | EDD_EXTENDED);
	bios_disk_return(b, f, DISK_OK);
	bios_set_high(&f->eax, EDD_VERSION);
	return BIOS_DONE;
}

/**
 * bios_edd_parse() - a disk address packet
 * @ret_io: @frame, @disk and @op are the caller's
 *
 * Return: an enum bios_disk_status.
 */
static uint8_t bios_edd_parse(struct bios *b, gpa_t packet_gpa, const struct bios_drive *drive,
			      struct bios_io *ret_io)
{
	uint8_t packet[PACKET_FLAT_SIZE] = {0};
	unsigned sector = bios_edd_sector_size(drive);
	unsigned size = bios_peek8(b, packet_gpa);

	if (size < PACKET_SIZE)
		return DISK_BAD_COMMAND;
	bios_copy_in(b, packet, packet_gpa,
		     size < PACKET_FLAT_SIZE ? PACKET_SIZE : PACKET_FLAT_SIZE);
	uint64_t count = bios_edd_le(packet + PACKET_COUNT, 2);
	uint64_t address = bios_edd_le(packet + 4, 4);
	uint64_t lba = bios_edd_le(packet + 8, 8);
	uint64_t sectors = drive->size / sector;
	if (lba >= sectors || count > sectors - lba)
		return DISK_BAD_COMMAND;

	ret_io->offset = drive->offset + lba * sector;
	ret_io->len = count * sector;
	ret_io->gpa = bios_gpa((uint16_t)(address >> 16), (uint16_t)address);
	if (address == 0xffffffff && size >= PACKET_FLAT_SIZE)
		ret_io->gpa = bios_edd_le(packet + 16, 8);
	return DISK_OK;
}

/* AH=42h to 44h and 47h */
static unsigned bios_edd_transfer(struct bios *b, struct bios_frame *f,
				  const struct bios_drive *drive, enum bios_io_op op)
{
	gpa_t packet = bios_gpa(f->ds, bios_word(f->esi));
	struct bios_io io = {.frame = b->frame, .disk = drive->disk, .op = op};
	bool is_seek = bios_high(f->eax) == 0x47;
	uint64_t done = 0;

	uint8_t status =
		drive->disk->submit ? bios_edd_parse(b, packet, drive, &io) : DISK_NO_MEDIA;
	if (status == DISK_OK && op == BIOS_IO_WRITE && drive->is_readonly)
		status = DISK_WRITE_PROTECTED;
	if (status != DISK_OK)
		io.len = 0;
	if (is_seek || (status == DISK_OK && io.len == 0))
		return bios_disk_return(b, f, status);
	if (status == DISK_OK) {
		unsigned result = bios_io(b, &io, &status, &done);
		if (result != BIOS_DONE)
			return result;
	}
	if (status != DISK_OK)
		bios_poke16(b, packet + PACKET_COUNT,
			    (uint16_t)(done / bios_edd_sector_size(drive)));
	return bios_disk_return(b, f, status);
}

/* AH=48h */
static unsigned bios_edd_parameters(struct bios *b, struct bios_frame *f,
				    const struct bios_drive *drive)
{
	gpa_t gpa = bios_gpa(f->ds, bios_word(f->esi));
	unsigned room = bios_peek16(b, gpa);
	uint8_t table[PARAMETERS_2] = {0};
	unsigned sector = bios_edd_sector_size(drive);
	uint64_t sectors = drive->size / sector;
	unsigned info = INFO_DMA_HANDLED | (drive->kind == BIOS_CD ? INFO_REMOVABLE : 0);

	if (room < PARAMETERS_1)
		return bios_disk_return(b, f, DISK_BAD_COMMAND);
	unsigned size = room < PARAMETERS_2 ? PARAMETERS_1 : PARAMETERS_2;
	uint64_t per_cylinder = (uint64_t)drive->heads * drive->sectors;
	if (per_cylinder) {
		uint64_t cylinders = sectors / per_cylinder;
		info |= INFO_CHS_VALID;
		bios_edd_put(table + 4, 4, cylinders < CYLINDERS_MAX ? cylinders : CYLINDERS_MAX);
		bios_edd_put(table + 8, 4, drive->heads);
		bios_edd_put(table + 12, 4, drive->sectors);
	}
	bios_edd_put(table, 2, size);
	bios_edd_put(table + 2, 2, info);
	bios_edd_put(table + 16, 8, sectors);
	bios_edd_put(table + 24, 2, sector);
	memset(table + PARAMETERS_1, 0xff, PARAMETERS_2 - PARAMETERS_1); /* nothing there */
	bios_copy_out(b, gpa, table, size);
	return bios_disk_return(b, f, DISK_OK);
}

/* AH=45h: lock (AL=0), unlock (1), ask (2) what holds a CD in its drive */
static unsigned bios_edd_lock(struct bios *b, struct bios_frame *f)
{
	if (bios_low(f->eax) > 2)
		return bios_disk_return(b, f, DISK_BAD_COMMAND);
	bios_set_low(&f->eax, 0);
	return bios_disk_return(b, f, DISK_OK);
}

unsigned bios_edd(struct bios *b, struct bios_frame *f)
{
	uint8_t function = bios_high(f->eax);
	struct bios_drive drive;

	if (function == 0x4b)
		return bios_eltorito_service(b, f);
	if (!bios_drive(b, bios_low(f->edx), &drive) || drive.kind == BIOS_FLOPPY)
		return bios_disk_return(b, f, DISK_BAD_COMMAND);
	switch (function) {
	case 0x41:
		return bios_edd_check(b, f);
	case 0x42:
		return bios_edd_transfer(b, f, &drive, BIOS_IO_READ);
	case 0x43:
		return bios_edd_transfer(b, f, &drive, BIOS_IO_WRITE);
	case 0x44:
	case 0x47:
		return bios_edd_transfer(b, f, &drive, BIOS_IO_VERIFY);
	case 0x45:
		return bios_edd_lock(b, f);
	case 0x46: /* eject */
		return bios_disk_return(b, f, DISK_NOT_EJECTABLE);
	case 0x48:
		return bios_edd_parameters(b, f, &drive);
	case 0x49: /* has it been changed? */
	case 0x4e: /* transfer modes: whatever is wished */
		return bios_disk_return(b, f, DISK_OK);
	default:
		return bios_disk_return(b, f, DISK_BAD_COMMAND);
	}
}
