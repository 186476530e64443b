/* Drives as INT 13h and INT 19h see them, and transfers from and to them. */
#ifndef BIOS_DISK_H
#define BIOS_DISK_H

#include "bios_services.h"

#include <tinyvm/block.h>

/* INT 13h's drive numbers. */
#define BIOS_DRIVE_HARD_DISK 0x80
#define BIOS_DRIVE_CD	     0xe0
#define BIOS_SECTOR	     512u
#define BIOS_CD_SECTOR	     2048u

/* What INT 13h answers in AH. */
enum bios_disk_status {
	DISK_OK = 0x00,
	DISK_BAD_COMMAND = 0x01,
	DISK_WRITE_PROTECTED = 0x03,
	DISK_NO_SECTOR = 0x04,
	DISK_CHANGED = 0x06,
	DISK_BAD_PARAMETERS = 0x07,
	DISK_BAD_MEDIA_TYPE = 0x0c,
	DISK_READ_ERROR = 0x10,
	DISK_NO_MEDIA = 0x31,
	DISK_TIMEOUT = 0x80,
	DISK_NOT_EJECTABLE = 0xb2,
	DISK_WRITE_FAULT = 0xcc,
};

enum bios_io_op {
	BIOS_IO_READ,
	BIOS_IO_WRITE,
	BIOS_IO_VERIFY, /* what was read stays in the buffer, bios_io_data() */
	BIOS_IO_FILL,	/* write sectors of 0xf6, as a freshly formatted floppy has */
};

/**
 * struct bios_io - a stretch of a disk to or from guest memory
 * @frame: whose call it is
 * @offset, @len: bytes, multiples of 512
 * @gpa:   guest memory, for READ and WRITE
 */
struct bios_io {
	gpa_t frame;
	const struct bios_disk *disk;
	enum bios_io_op op;
	uint64_t offset, len;
	gpa_t gpa;
};

#define BIOS_IO_BUFFER 0x10000u

/**
 * struct bios_transfer - the one at work
 * @io:   what is wanted, io.disk NULL when there is nothing or nobody waits for it any more
 * @done: bytes of it that have been moved
 * @is_in_flight: @req is with the disk; @buffer and @req are the disk's then
 * @has_ended: the disk is done with @req. Written by its thread, so atomically
 */
struct bios_transfer {
	struct bios_io io;
	uint64_t done;
	bool is_in_flight;
	bool has_ended;
	int result;
	struct block_req req;
	struct iovec iov;
	uint8_t buffer[BIOS_IO_BUFFER];
};

/**
 * struct bios_eltorito - what a CD was booted as (El Torito Bootable CD-ROM Format 1.0, 1995)
 * @media:   0 no emulation, 1-3 a floppy, 4 a hard disk
 * @is_emulated: INT 13h shows the image as @drive
 * @drive:   the drive's number, real or emulated
 * @cd:      which CD
 * @lba:     of the image, in sectors of 2048 bytes
 * @segment, @count: where to, and how many sectors of 512 bytes; 0 when no CD was booted
 * @cylinders, @heads, @sectors: of what is emulated
 */
struct bios_eltorito {
	uint8_t media;
	bool is_emulated;
	uint8_t drive;
	uint8_t cd;
	uint32_t lba;
	uint16_t segment, count;
	uint16_t cylinders;
	uint8_t heads, sectors;
};

/* How INT 13h sees a drive. */
struct bios_drive {
	const struct bios_disk *disk;
	enum bios_disk_kind kind;
	uint64_t offset, size; /* bytes, of the part of @disk that it is */
	unsigned cylinders, heads, sectors;
	bool is_readonly;
};

/*
 * Drives. bios_drive(): false when there is none of that number. bios_drive_count(): with the one
 * that a CD is shown as, which bios_disk_count() leaves out.
 */
unsigned bios_disk_count(const struct bios *b, enum bios_disk_kind kind);
unsigned bios_drive_count(const struct bios *b, enum bios_disk_kind kind);
const struct bios_disk *bios_disk_nth(const struct bios *b, enum bios_disk_kind kind, unsigned n);
bool bios_drive(const struct bios *b, uint8_t number, struct bios_drive *ret_drive);

/* How INT 13h's functions end: @status in AH, carry, and where the drive's last status is kept. */
unsigned bios_disk_return(struct bios *b, struct bios_frame *f, uint8_t status);

/* Has the BIOS data area count the drives that there are now. */
void bios_disk_tell_count(struct bios *b);

/**
 * bios_io() - do @io, or go on with it
 * @ret_status: an enum bios_disk_status, when it is done
 * @ret_done: bytes moved
 *
 * Return: BIOS_AGAIN until it is done: call with the same @io again; else BIOS_DONE.
 */
unsigned bios_io(struct bios *b, const struct bios_io *io, uint8_t *ret_status, uint64_t *ret_done);
const uint8_t *bios_io_data(const struct bios *b);

/*
 * CDs. record: finds the boot catalog in the sector that is in the transfer's buffer; catalog:
 * takes the image from it; image: the geometry of a hard disk from its first sector. Return: an
 * enum bios_boot_reason.
 */
#define BIOS_CD_RECORD_LBA 17
uint8_t bios_eltorito_record(const uint8_t *sector, uint32_t *ret_catalog_lba);
uint8_t bios_eltorito_catalog(struct bios *b, const uint8_t *sector, unsigned cd);
void bios_eltorito_image(struct bios *b, const uint8_t *sector);
unsigned bios_eltorito_service(struct bios *b, struct bios_frame *f); /* INT 13h AH=4Bh */

#endif
