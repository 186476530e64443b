/* Opening what the machine is started with, and finding out how its disks are cut. */
#include "drives.h"

#include "geometry.h"
#include "pc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tinyvm/bios.h>
#include <tinyvm/block.h>
#include <tinyvm/err.h>
#include <tinyvm/floppy.h>
#include <tinyvm/log.h>
#include <unistd.h>

#define SECTOR	     512
#define CD_BLOCK     2048u
#define BIOS_UNIT    65536u
#define BIOS_MAX     (1u << 20)
#define VGA_ROM_UNIT 512u
#define ROM_ALIGN    4096u

static int drives_open_image(struct block **ret_blk, const struct config *cfg,
			     const struct config_disk *disk, struct err *err)
{
	/* A look at the machine leaves no file. */
	const char *keep = cfg->is_dry_run ? NULL : cfg->keep_overlay;
	if (disk->is_snapshot)
		return block_overlay_open(ret_blk, disk->path, cfg->tmpdir, keep, err);
	return block_raw_open(ret_blk, disk->path, disk->is_readonly, err);
}

/* An overlay has nothing of its own yet, so what counts can be read from the image. */
static void drives_find_geometry(const struct config_disk *disk, uint64_t size,
				 struct config_geometry *ret_geometry)
{
	uint8_t sector[SECTOR] = {0};
	if (disk->geometry.heads) {
		*ret_geometry = disk->geometry;
		return;
	}
	int fd = open(disk->path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (pread(fd, sector, sizeof(sector), 0) != (ssize_t)sizeof(sector))
			memset(sector, 0, sizeof(sector));
		close(fd);
	}
	geometry_disk(sector, size, ret_geometry);
	log_info("%s: %u cylinders, %u heads, %u sectors", disk->path, ret_geometry->cylinders,
		 ret_geometry->heads, ret_geometry->sectors);
}

static int drives_open_floppy(struct backends *b, unsigned n, const struct config *cfg,
			      struct err *err)
{
	const struct config_disk *disk = &cfg->floppy[n];
	struct floppy_geometry g;
	int error = drives_open_image(&b->floppy[n], cfg, disk, err);
	if (error || floppy_geometry(b->floppy[n]->size, &g))
		return error;
	return err_set(
		err, -EFBIG,
		"%s has %llu KiB, and no floppy has more than 2880; as a hard disk it would be "
		"--disk",
		disk->path, (unsigned long long)b->floppy[n]->size >> 10);
}

static int drives_open_cd(struct backends *b, unsigned n, const struct config *cfg, struct err *err)
{
	struct config_disk disk = cfg->cdrom[n];
	disk.is_readonly = !disk.is_snapshot;
	int error = drives_open_image(&b->cdrom[n], cfg, &disk, err);
	if (!error && b->cdrom[n]->size % CD_BLOCK)
		log_warn("%s: the last %llu bytes are no whole block of a CD, and not seen by the "
			 "guest",
			 disk.path, (unsigned long long)b->cdrom[n]->size % CD_BLOCK);
	if (!error && b->cdrom[n]->size < CD_BLOCK)
		error = err_set(err, -EINVAL, "%s is too small for a CD", disk.path);
	return error;
}

static int drives_read_all(int fd, uint8_t *buf, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = read(fd, buf + at, size - at);
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		at += (size_t)n;
	}
	return 0;
}

/*
 * A ROM's bytes, page aligned, to be freed. Return: 0; -errno; -EINVAL when it is no file of a
 * multiple of @unit bytes up to BIOS_MAX.
 */
static int drives_read_rom(const char *path, size_t unit, uint8_t **ret_rom, size_t *ret_size)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	int error = fstat(fd, &st) != 0 ? -errno : 0;
	size_t size = error || st.st_size < 0 ? 0 : (size_t)st.st_size;
	if (!error && (!S_ISREG(st.st_mode) || !size || size % unit || size > BIOS_MAX))
		error = -EINVAL;
	uint8_t *rom = NULL;
	if (!error) {
		rom = aligned_alloc(ROM_ALIGN, (size + ROM_ALIGN - 1) & ~(size_t)(ROM_ALIGN - 1));
		error = rom ? drives_read_all(fd, rom, size) : -ENOMEM;
	}
	close(fd);
	if (error) {
		free(rom);
		return error;
	}
	*ret_rom = rom;
	*ret_size = size;
	return 0;
}

/* The one beside the firmware, or Debian's. */
static void drives_find_vga_rom(struct backends *b, const char *bios)
{
	static const char name[] = "vgabios-isavga.bin";
	const char *slash = strrchr(bios, '/');
	char *path;
	int error = -ENOENT;
	if (asprintf(&path, "%.*s%s", slash ? (int)(slash - bios + 1) : 0, bios, name) >= 0) {
		error = drives_read_rom(path, VGA_ROM_UNIT, &b->vga_rom, &b->vga_rom_size);
		free(path);
	}
	if (error && asprintf(&path, "/usr/share/seabios/%s", name) >= 0) {
		error = drives_read_rom(path, VGA_ROM_UNIT, &b->vga_rom, &b->vga_rom_size);
		free(path);
	}
	if (error)
		log_warn("there is no %s beside --bios %s: unless it has a video BIOS of its own, "
			 "the screen stays dark (package seabios has one)",
			 name, bios);
}

static int drives_open_bios(struct backends *b, const char *path, struct err *err)
{
	uint8_t *rom = NULL;
	int error = drives_read_rom(path, BIOS_UNIT, &rom, &b->bios_size);
	if (error == -EINVAL)
		return err_set(
			err, error,
			"--bios %s is no firmware: those are files of a multiple of 64 KiB, up "
			"to 1 MiB",
			path);
	if (error)
		return err_set(err, error, "cannot read --bios %s: %s", path, strerror(-error));
	b->bios = rom;
	drives_find_vga_rom(b, path);
	return 0;
}

static int drives_open_pc(struct backends *b, const struct config *cfg, struct err *err)
{
	int error = 0;
	b->bios = bios_rom();
	b->bios_size = BIOS_IMAGE_SIZE;
	if (cfg->legacy.bios)
		error = drives_open_bios(b, cfg->legacy.bios, err);
	for (unsigned i = 0; i < cfg->floppy_count && !error; i++)
		error = drives_open_floppy(b, i, cfg, err);
	for (unsigned i = 0; i < cfg->cdrom_count && !error; i++)
		error = drives_open_cd(b, i, cfg, err);
	for (unsigned i = 0; i < cfg->disk_count && !error; i++)
		drives_find_geometry(&cfg->disk[i], b->disk[i]->size, &b->disk_geometry[i]);
	return error;
}

int drives_open(struct backends *b, const struct config *cfg, struct err *err)
{
	int error = 0;
	for (unsigned i = 0; i < cfg->disk_count && !error; i++)
		error = drives_open_image(&b->disk[i], cfg, &cfg->disk[i], err);
	if (!error && cfg->is_pc)
		error = drives_open_pc(b, cfg, err);
	return error;
}

void drives_close(struct backends *b)
{
	for (unsigned i = 0; i < CONFIG_DISK_MAX; i++)
		block_destroy(b->disk[i]);
	for (unsigned i = 0; i < CONFIG_FLOPPY_MAX; i++)
		block_destroy(b->floppy[i]);
	for (unsigned i = 0; i < CONFIG_CDROM_MAX; i++)
		block_destroy(b->cdrom[i]);
	if (b->bios != bios_rom())
		free((void *)(uintptr_t)b->bios);
	free(b->vga_rom);
}
