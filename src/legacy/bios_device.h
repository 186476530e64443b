/* The BIOS as a device, and what its files offer each other. */
#ifndef BIOS_DEVICE_H
#define BIOS_DEVICE_H

#include "bios_disk.h"

#define EBDA(offset) (((gpa_t)EBDA_SEGMENT << 4) + (offset))

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
 * @wait_frame, @wait_until_ns: bios_wait_is_over()'s, 0 when nobody waits
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

/*
 * Whether @ns have passed since the call at work was first made: it is to be made again until they
 * have, or until bios_wait_end(), when what it waited for has come.
 */
bool bios_wait_is_over(struct bios *b, uint64_t ns);
void bios_wait_end(struct bios *b);
#define NS_PER_US 1000ull
#define NS_PER_S  1000000000ull

/*
 * Has the call at work been made before, with interrupts on since? Software that asks again and
 * again (is there a key? what time is it?) may have them on in its own code for an instruction or
 * two only, which is less than an interpreting KVM needs to see that one is pending; so its
 * questions are answered the second time.
 */
static inline bool bios_is_again(const struct bios_frame *f)
{
	return f->result == BIOS_AGAIN;
}

/* PCI's ports are 32 bits wide. */
uint32_t bios_in32(struct bios *b, uint16_t port);
void bios_out32(struct bios *b, uint16_t port, uint32_t value);

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
