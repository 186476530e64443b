/*
 * The floppy controller (82077AA) and the DMA controllers (two 8237A) that it needs: one device
 * with one lock, since each calls the other.
 */
#ifndef TINYVM_FLOPPY_H
#define TINYVM_FLOPPY_H

#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/bus.h>
#include <tinyvm/device.h>
#include <tinyvm/gmem.h>

struct block;

#define FDC_DRIVES 2

/* Windows, the device being ctx of all: 0x3f0-0x3f5 and 0x3f7 (0x3f6 is the IDE controller's). */
#define FDC_PORTS    6
#define FDC_DIR_PORT 0x3f7
extern const struct bus_ops fdc_bus_ops;
extern const struct bus_ops fdc_dir_bus_ops;

/* DMA: channels 0-3 at 0x00-0x0f, 4-7 at 0xc0-0xdf, page registers at 0x81-0x8f. */
#define DMA_LOW_PORTS	0x10
#define DMA_HIGH_PORTS	0x20
#define DMA_PAGE_PORT	0x81
#define DMA_PAGE_PORTS	15
#define DMA_FDC_CHANNEL 2
extern const struct bus_ops dma_low_bus_ops;
extern const struct bus_ops dma_high_bus_ops;
extern const struct bus_ops dma_page_bus_ops;

/**
 * struct floppy_geometry - a diskette
 * @cylinders, @heads, @sectors: 1-84, 1-2, 1-36; sectors of 512 bytes
 * @drive_type: of a drive that takes it, as the CMOS has it: 1 360 KiB, 2 1.2 MiB, 3 720 KiB,
 *          4 1.44 MiB, 5 2.88 MiB
 */
struct floppy_geometry {
	unsigned cylinders, heads, sectors;
	uint8_t drive_type;
};

/**
 * floppy_geometry() - what diskette an image of @size bytes is of
 *
 * One of the formats of 160 KiB to 2880 KiB; an image of another size is of the smallest that holds
 * it, not below 1440 KiB.
 * Return: false when it is larger than any.
 */
bool floppy_geometry(uint64_t size, struct floppy_geometry *ret_geometry);

/**
 * struct fdc_drive - A: or B:
 * @is_present: there is a drive
 * @blk:    its diskette, NULL for none; the caller attaches it to the device. Sectors beyond its
 *          end read as zeroes and cannot be written
 */
struct fdc_drive {
	bool is_present;
	struct block *blk;
	struct floppy_geometry geometry;
};

/**
 * struct fdc_config - what is wired to it
 * @gm:  for DMA
 * @irq: IRQ 6, edge
 */
struct fdc_config {
	struct gmem *gm;
	struct irq_line irq;
	struct fdc_drive drive[FDC_DRIVES];
};

/* Return: 0, -ENOMEM, -EINVAL for a geometry that is none. */
int fdc_create(struct device **ret_dev, const struct fdc_config *cfg)
	__attribute__((warn_unused_result));

#endif
