/*
 * QEMU's firmware configuration device (QEMU docs/specs/fw_cfg), for firmware that was made for
 * QEMU: SeaBIOS. It is where tinyvm's own BIOS has its service ports: a machine has the one or the
 * other.
 */
#ifndef TINYVM_FWCFG_H
#define TINYVM_FWCFG_H

#include <stdint.h>
#include <tinyvm/bus.h>
#include <tinyvm/device.h>
#include <tinyvm/gmem.h>

/* Selector at 0x510, data at 0x511, DMA address at 0x514. */
#define FWCFG_PORT  0x510
#define FWCFG_PORTS 12
extern const struct bus_ops fwcfg_bus_ops;

/**
 * struct fwcfg_file - something that firmware finds by name
 * @name: up to 55 characters; see below
 * @data: must outlive the device
 *
 * What SeaBIOS looks for, beside what the device brings itself:
 * "bootorder": lines of device paths, with a NUL at the end: "/pci@i0cf8/isa@1/fdc@03f0/floppy@0",
 *	"/pci@i0cf8/ide@1,1/drive@0/disk@0" (PCI slot and function, channel, unit). Beside it the
 *	CMOS has the order of kinds of drives.
 * "vgaroms/NAME": an option ROM, run like one of a video card.
 * "etc/sercon-port": a UART's port (16 bits, little-endian) that the screen is shown on, too.
 * "etc/boot-fail-wait": milliseconds (32 bits) until a failed boot is tried again.
 */
struct fwcfg_file {
	const char *name;
	const void *data;
	uint32_t len;
};

#define FWCFG_FILES_MAX 12
#define FWCFG_NAME_MAX	55
#define FWCFG_RSDP_SIZE 36

/**
 * struct fwcfg_config - the machine that firmware is to know
 * @gm:   for DMA
 * @ram_below_4g, @ram_above_4g: bytes
 * @reserved_top: bytes at the end of @ram_below_4g that tables occupy
 * @rsdp: an ACPI root pointer (FWCFG_RSDP_SIZE bytes, copied) that leads to tables which are in
 *        memory already; NULL for none
 * @file, @file_count: copied, but for names and data
 */
struct fwcfg_config {
	struct gmem *gm;
	unsigned cpus;
	uint64_t ram_below_4g, ram_above_4g;
	uint64_t reserved_top;
	const void *rsdp;
	const struct fwcfg_file *file;
	unsigned file_count;
};

/* Return: 0, -ENOMEM, -EINVAL for too many files or a name that is too long. */
int fwcfg_create(struct device **ret_dev, const struct fwcfg_config *cfg)
	__attribute__((warn_unused_result));

#endif
