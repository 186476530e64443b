/* The PC: one board built from a struct config and the backends that outlive it. */
#ifndef PC_H
#define PC_H

#include "board.h"
#include "netcard.h"
#include "wires.h"

#include <stdbool.h>
#include <tinyvm/acpi.h>
#include <tinyvm/boot.h>
#include <tinyvm/config.h>
#include <tinyvm/legacy.h>

struct block;
struct bus;
struct evloop_timer;
struct screen;
struct chardev;
struct evloop;
struct fs;
struct kvm_msi;
struct kvm_vm;
struct pci_host;
struct vhost_card;
struct virtio_device;

/**
 * struct backends - what was opened once and survives every reset of the machine
 * @share_loop: of the shared directories, run by a thread of its own; NULL without any
 * @console: NULL for nobody (--dry-run)
 * @disk:    cfg->disk_count of them; NULLs for --dry-run's look at an image in use
 * @net:     cfg->net_count of them
 * @share:   cfg->share_count of them
 * @port:    what cfg->port leads to, NULL for nothing
 * @floppy, @cdrom: of the PC; @disk_geometry: of its disks, as INT 13h tells it
 * @bios:    the PC's firmware, @bios_size bytes, page aligned
 * @vga_rom: the video BIOS for a firmware that is not our own, NULL for none
 */
struct backends {
	struct evloop *loop;
	struct evloop *share_loop;
	struct boot_image *image;
	struct chardev *console;
	struct block *disk[CONFIG_DISK_MAX];
	struct netcard net[CONFIG_NET_MAX];
	struct fs *share[CONFIG_SHARE_MAX];
	struct chardev *port;
	struct block *floppy[CONFIG_FLOPPY_MAX];
	struct block *cdrom[CONFIG_CDROM_MAX];
	struct config_geometry disk_geometry[CONFIG_IDE_MAX];
	const uint8_t *bios;
	size_t bios_size;
	uint8_t *vga_rom;
	size_t vga_rom_size;
};

/**
 * struct pc_events - what the board tells the machine, on a vCPU's thread
 * @power: a chip asked for it
 * @ended: as in struct kvm_config
 */
struct pc_events {
	struct power_sink power;
	void (*ended)(void *ctx, int kvm_end, const char *sentence);
	void *ctx;
};

#define PC_DEVICE_MAX 48

/* @vhost: serves a network card's data queues; NULL for none */
struct pc_virtio {
	struct virtio_device *vd;
	struct doorbells *doorbells;
	struct kvm_msi *msi;
	struct vhost_card *vhost;
};

/* A drive of the PC: the disk image, and the controller whose lock guards it. */
struct pc_drive {
	struct device *dev;
	struct block *blk;
};
#define PC_DRIVE_MAX (CONFIG_FLOPPY_MAX + CONFIG_IDE_MAX)

/**
 * struct pc_legacy - what only the PC has
 */
struct pc_legacy {
	struct device *vga, *i8042;
	struct evloop_timer *rtc_timer, *keyboard_timer;
	struct pc_drive drive[PC_DRIVE_MAX];
	unsigned drive_count;
};

/**
 * struct pc - the board
 * @device: all devices in the order of creation, virtio's included: the order of reset and saving
 * @vm:     NULL for a board that is only looked at (--dry-run)
 */
struct pc {
	const struct config *cfg;
	struct backends *backends;
	struct pc_events events;
	struct gmem *gm;
	struct bus *pio, *mmio;
	struct kvm_vm *vm;
	struct wired_or irqs;
	struct device *device[PC_DEVICE_MAX];
	unsigned device_count;
	struct device *pm;
	struct pci_host *pci;
	struct pc_virtio virtio[BOARD_VIRTIO_MAX];
	unsigned virtio_count;
	struct acpi_board acpi;
	struct boot_reserved reserved[2];
	struct pc_legacy legacy;
};

/**
 * pc_create() - build the board: memory, buses, the VM when @is_real, devices, ACPI tables
 * Return: 0; -errno with a sentence.
 */
int pc_create(struct pc *pc, const struct config *cfg, struct backends *backends,
	      const struct pc_events *events, bool is_real, struct err *err)
	__attribute__((warn_unused_result));

/* Loads the kernel and sets the boot processor on its entry. */
int pc_load(struct pc *pc, const char *cmdline, struct err *err)
	__attribute__((warn_unused_result));

/*
 * The PC's keyboard and screen. pc_key(): as i8042_key(). pc_has_key_room(): is there room for two
 * more keys where the BIOS keeps them until somebody asks? pc_is_keyboard_read(): as
 * i8042_is_read(). Context: no device's lock held.
 */
bool pc_key(void *pc, uint16_t code, bool is_down);
bool pc_is_keyboard_read(void *pc);
bool pc_has_key_room(void *pc);
void pc_take_screen(void *pc, struct screen *screen);

/* The machine is stopped; finishes disk requests in flight. A half-built board is fine. */
void pc_destroy(struct pc *pc);

#endif
