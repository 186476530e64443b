/*
 * The PC BIOS, its services in C.
 *
 * The ROM (firmware/) has the entry points that old software looks at. Each saves the registers on
 * the guest's stack as a struct bios_frame (spec/bios.h) and tells of it with one OUT. What the
 * service does to the frame, to guest memory and to the machine's chips it does here, in one go,
 * before the OUT returns; then the stub restores the registers and irets. So a service needs no
 * access to the processor and is tested without one.
 *
 * Chips are reached as a real BIOS reaches them, through the buses. What lives in KVM (PIC, PIT)
 * only the ROM can reach: it programs them.
 */
#ifndef TINYVM_BIOS_H
#define TINYVM_BIOS_H

#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/bus.h>
#include <tinyvm/device.h>
#include <tinyvm/gmem.h>
#include <tinyvm/legacy.h>

struct block_req;

#define BIOS_ROM_BASE 0xf0000u
#define BIOS_ROM_SIZE 0x10000u

/* Its last part, which is there before power-on: all but the tables. */
#define BIOS_IMAGE_SIZE 0x3000u

/* The service port (spec/bios.h). */
#define BIOS_PORTS 4
extern const struct bus_ops bios_bus_ops;

enum bios_disk_kind {
	BIOS_FLOPPY,
	BIOS_HARD_DISK,
	BIOS_CD,
};

/**
 * struct bios_disk - a drive as INT 13h sees it
 * @size:   bytes
 * @cylinders, @heads, @sectors: CHS geometry as INT 13h AH=08h tells it (logical); of a floppy the
 *          physical one. 0 for a CD
 * @submit: start @req (tinyvm/block.h); its done() runs before this returns or on another thread
 *          later, with a lock that is not the BIOS's: it may only take note (atomically).
 *          NULL: an empty drive
 * @ctx:    for it
 */
struct bios_disk {
	enum bios_disk_kind kind;
	uint64_t size;
	bool is_readonly;
	unsigned cylinders, heads, sectors;
	void (*submit)(void *ctx, struct block_req *req);
	void *ctx;
};

#define BIOS_DISK_MAX 6

/**
 * struct bios_config - the machine that the BIOS is for
 * @disk:   floppies first (A:, B:), then hard disks (80h up), then CDs
 * @is_boot_loaded: a boot sector is at 0x7c00 from the beginning, and gets the processor first
 * @boot:   the letters a (floppy), c (hard disk), d (CD) in the order of trying, NUL-terminated
 * @pio, @mmio: to reach chips with; locks of other devices are taken inside, so nobody whom the
 * BIOS calls may call the BIOS
 * @power:  APM poweroff, and the reset of Ctrl-Alt-Del
 * @ram_below_4g, @ram_above_4g: bytes, for INT 15h
 * @reserved_top: bytes at the end of @ram_below_4g that tables occupy
 * @com_port, @lpt_port: I/O addresses for the BIOS data area, 0 for none
 * @cpus:   for the MP table
 * @is_pci: INT 1Ah AH=B1h answers
 * @pci_intx_gsi: for the MP table, the IOAPIC's inputs of INTA# by slot: pci_intx_gsi[slot % 4]
 * (all pins of a slot share one)
 * @booted: NULL, or told when a boot sector gets the processor, with the drive's number
 */
struct bios_config {
	struct gmem *gm;
	struct bus *pio, *mmio;
	struct clock clock;
	struct power_sink power;
	struct bios_disk disk[BIOS_DISK_MAX];
	unsigned disk_count;
	bool is_boot_loaded;
	char boot[4];
	uint64_t ram_below_4g, ram_above_4g;
	uint64_t reserved_top;
	uint16_t com_port[4], lpt_port[3];
	unsigned cpus;
	bool is_pci;
	uint8_t pci_intx_gsi[4];
	void (*booted)(void *ctx, unsigned drive);
	void *ctx;
};

/* Return: 0, -ENOMEM. The disks must have ended all requests before device_destroy(). */
int bios_create(struct device **ret_dev, const struct bios_config *cfg)
	__attribute__((warn_unused_result));

/*
 * The ROM's last BIOS_IMAGE_SIZE bytes, page aligned, for the board to put below 4 GiB, and to copy
 * to the end of the ROM below 1 MiB, where power-on adds tables and fonts: there RAM that guests
 * cannot write.
 */
const uint8_t *bios_rom(void);

/*
 * Free places in the keyboard's ring in the BIOS data area: whoever types waits for one. What is
 * there may have been overwritten, as by a system that needs no BIOS: then nothing keeps a key from
 * being typed.
 */
#define BIOS_KEYBOARD_NO_RING UINT32_MAX
unsigned bios_keyboard_room(const struct gmem *gm);

#endif
