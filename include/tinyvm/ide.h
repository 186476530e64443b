/*
 * IDE: two channels of two drives, disks (ATA/ATAPI-6) and CD drives (ATAPI: SFF 8020i, MMC-3),
 * with the bus master of an Intel PIIX3 (82371SB).
 */
#ifndef TINYVM_IDE_H
#define TINYVM_IDE_H

#include <stdbool.h>
#include <tinyvm/bus.h>
#include <tinyvm/device.h>
#include <tinyvm/gmem.h>

struct block;
struct pci_func;

#define IDE_CHANNELS 2
#define IDE_DRIVES   (IDE_CHANNELS * 2)

/* Windows of a channel, with ide_channel() as ctx: its 8 command ports and its control port. */
#define IDE_COMMAND_PORTS 8
extern const struct bus_ops ide_command_bus_ops;
extern const struct bus_ops ide_control_bus_ops;

/**
 * struct ide_drive - primary master, primary slave, secondary master, secondary slave
 * @blk:    NULL for none; the caller attaches it to the device
 * @is_cd:  blocks of 2048 bytes, never written
 * @cylinders, @heads, @sectors: the default geometry of a disk, 1-16383, 1-16, 1-63
 * @serial: up to 20 characters
 */
struct ide_drive {
	struct block *blk;
	bool is_cd;
	unsigned cylinders, heads, sectors;
	const char *serial;
};

/**
 * struct ide_config - what is wired to it
 * @gm:  for bus master transfers
 * @irq: IRQ 14 and 15
 */
struct ide_config {
	struct gmem *gm;
	struct irq_line irq[IDE_CHANNELS];
	struct ide_drive drive[IDE_DRIVES];
};

/* Return: 0, -ENOMEM. */
int ide_create(struct device **ret_dev, const struct ide_config *cfg)
	__attribute__((warn_unused_result));

void *ide_channel(struct device *dev, unsigned n);

/* The controller's PCI function, 8086:7010, its BAR 4 the bus master's 16 ports. */
struct pci_func *ide_pci_func(struct device *dev);

#endif
