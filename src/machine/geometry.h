/* How a disk is cut into cylinders, heads and sectors. */
#ifndef GEOMETRY_H
#define GEOMETRY_H

#include <stdint.h>
#include <tinyvm/config_legacy.h>

/**
 * geometry_disk() - what INT 13h should say of a hard disk
 * @sector: its first one; what it holds, a partition table or the parameters of a FAT, was written
 *          for a geometry, which the ends of partitions and the heads and sectors tell
 * @size: bytes
 *
 * Without such a hint, what every BIOS makes of a disk that is addressed by LBA: 63 sectors, and
 * the fewest heads that keep it below 1024 cylinders.
 */
void geometry_disk(const uint8_t sector[512], uint64_t size, struct config_geometry *ret_geometry);

/* What the drive itself says, up to 16383 cylinders of 16 heads and 63 sectors. */
void geometry_drive(uint64_t size, struct config_geometry *ret_geometry);

#endif
