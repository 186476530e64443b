/* The BIOS as a device, and what its files offer each other. */
#ifndef BIOS_DEVICE_H
#define BIOS_DEVICE_H

#include "bios_services.h"

#include <tinyvm/block.h>

#define EBDA(offset) (((gpa_t)EBDA_SEGMENT << 4) + (offset))

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

enum bios_boot_stage {
	BOOT_IDLE,   /* nothing is being booted */
	BOOT_NEXT,   /* on to the next of what there is to try */
	BOOT_SECTOR, /* the first sector of a floppy or hard disk */
	BOOT_CD_RECORD,
	BOOT_CD_CATALOG,
	BOOT_CD_IMAGE,
	BOOT_FAILED, /* the message is on the screen, and a key awaited */
};

/* Why a drive was not booted from. */
enum bios_boot_reason {
	BOOT_OK, /* it was, and has given up since */
	BOOT_EMPTY,
	BOOT_UNREADABLE,
	BOOT_NO_SIGNATURE,
	BOOT_NO_CODE,
	BOOT_NO_CATALOG,
	BOOT_NO_IMAGE,
};

/**
 * struct bios_boot - INT 19h
 * @stage:  an enum bios_boot_stage
 * @tried:  how many of the drives have been
 * @reason: of each of these, an enum bios_boot_reason
 */
struct bios_boot {
	uint8_t stage;
	uint8_t tried;
	uint8_t reason[BIOS_DISK_MAX];
	uint32_t catalog_lba;
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

/**
 * struct bios_mouse_talk - a command to the mouse, which answers at the pace of its wire
 * @frame: whose call it is, 0 for nobody's
 * @sent, @acked: bytes of the command
 * @got:   bytes of the answer, in @reply
 */
struct bios_mouse_talk {
	gpa_t frame;
	uint8_t sent, acked, got;
	uint8_t reply[3];
};

/**
 * struct bios - the device
 * @frame: of the call at work
 * @wait_frame, @wait_until_ns: bios_wait()'s, @wait_frame 0 for nobody waits
 * @is_powering_on: the ROMs are still writable
 * @frames_lost: service calls whose frame was not in RAM
 */
struct bios {
	struct device dev;
	struct bios_config cfg;
	struct bios_transfer transfer;
	struct bios_boot boot;
	struct bios_eltorito eltorito;
	struct bios_mouse_talk mouse;
	gpa_t frame;
	gpa_t wait_frame;
	uint64_t wait_until_ns;
	bool is_powering_on;
	uint64_t frames_lost;
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
 * Whether @ns have passed since the call at work was first made: it is to be made again until they
 * have, or until bios_wait_end(), when what it waited for has come.
 */
bool bios_wait_is_over(struct bios *b, uint64_t ns);
void bios_wait_end(struct bios *b);
#define NS_PER_US 1000ull
#define NS_PER_S  1000000000ull

/* PCI's ports are 32 bits wide. */
uint32_t bios_in32(struct bios *b, uint16_t port);
void bios_out32(struct bios *b, uint16_t port, uint32_t value);

/* Drives. bios_drive(): false when there is none of that number. */
unsigned bios_disk_count(const struct bios *b, enum bios_disk_kind kind);
const struct bios_disk *bios_disk_nth(const struct bios *b, enum bios_disk_kind kind, unsigned n);
bool bios_drive(const struct bios *b, uint8_t number, struct bios_drive *ret_drive);

/**
 * bios_io() - do @io, or go on with it
 * @ret_status: an enum bios_disk_status, when it is done
 * @ret_done: bytes moved
 *
 * Return: BIOS_AGAIN until it is done: call with the same @io again; else BIOS_DONE.
 */
unsigned bios_io(struct bios *b, const struct bios_io *io, uint8_t *ret_status, uint64_t *ret_done);
static inline const uint8_t *bios_io_data(const struct bios *b)
{
	return b->transfer.buffer;
}

/* Services: INT 08h and so on, as bios_video(). */
unsigned bios_tick(struct bios *b, struct bios_frame *f);
unsigned bios_keystroke(struct bios *b, struct bios_frame *f);
unsigned bios_floppy_irq(struct bios *b, struct bios_frame *f);
unsigned bios_disk(struct bios *b, struct bios_frame *f);
unsigned bios_edd(struct bios *b, struct bios_frame *f);
unsigned bios_serial(struct bios *b, struct bios_frame *f);
unsigned bios_system(struct bios *b, struct bios_frame *f);
unsigned bios_keyboard(struct bios *b, struct bios_frame *f);
unsigned bios_printer(struct bios *b, struct bios_frame *f);
unsigned bios_boot(struct bios *b, struct bios_frame *f, bool is_next);
unsigned bios_time(struct bios *b, struct bios_frame *f);
unsigned bios_pci(struct bios *b, struct bios_frame *f);
unsigned bios_clock_irq(struct bios *b, struct bios_frame *f);
unsigned bios_mouse_irq(struct bios *b, struct bios_frame *f);
unsigned bios_disk_irq(struct bios *b, struct bios_frame *f);

/* Parts of INT 15h. */
unsigned bios_memory(struct bios *b, struct bios_frame *f);
unsigned bios_event(struct bios *b, struct bios_frame *f);
unsigned bios_apm(struct bios *b, struct bios_frame *f);
unsigned bios_mouse(struct bios *b, struct bios_frame *f);

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

/*
 * The keyboard's ring in the BIOS data area, of scan codes and characters. take: the oldest, which
 * may stay; false when there is none. put: false when it is full. leds: the keyboard's, as the lock
 * keys are; send: a command of two bytes, the second when the first has been acknowledged.
 */
bool bios_keyboard_take(struct bios *b, bool stays, uint16_t *ret_key);
bool bios_keyboard_put(struct bios *b, uint16_t key);
void bios_keyboard_send(struct bios *b, uint8_t command, uint8_t argument);
void bios_keyboard_leds(struct bios *b);

/* Keyboard flags, BDA(0x17), BDA(0x18), BDA(0x96), BDA(0x97). */
#define BDA_KEY_SHIFT BDA(0x17)
#define KEY_SHIFT_R   0x01
#define KEY_SHIFT_L   0x02
#define KEY_CTRL      0x04
#define KEY_ALT	      0x08
#define KEY_SCROLL    0x10
#define KEY_NUM	      0x20
#define KEY_CAPS      0x40
#define KEY_INSERT    0x80
#define BDA_KEY_HELD  BDA(0x18)
#define KEY_CTRL_L    0x01
#define KEY_ALT_L     0x02
#define KEY_PAUSED    0x08
#define BDA_KEY_STATE BDA(0x96)
#define KEY_LAST_E1   0x01
#define KEY_LAST_E0   0x02
#define KEY_CTRL_R    0x04
#define KEY_ALT_R     0x08
#define KEY_ENHANCED  0x10
#define BDA_KEY_LEDS  BDA(0x97)
#define KEY_LEDS      0x07
#define KEY_SENT_BOTH 0x08 /* while KEY_SENDING: the second byte is on its way */
#define KEY_SENDING   0x40

/* Parts of power-on. */
void bios_post(struct bios *b);
void bios_disk_post(struct bios *b);
void bios_keyboard_post(struct bios *b);
void bios_time_post(struct bios *b);
void bios_tables_post(struct bios *b);

/* Whether a mouse is plugged in. */
bool bios_mouse_is_there(struct bios *b);

/* CMOS registers, through the ports. */
uint8_t bios_cmos_read(struct bios *b, uint8_t index);
void bios_cmos_write(struct bios *b, uint8_t index, uint8_t value);

#endif
