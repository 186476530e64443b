/*
 * Committing an overlay: its sectors are written to the image it was made from, and it is removed
 * once they have reached the disk. The overlay's map says which sectors; what the file system calls
 * a hole only tells zeroes from data.
 *
 * The overlay is marked before the first write, since that changes the image: a commit that was
 * interrupted can be done again without being taken for one of a changed image.
 */
#include "commit.h"
#include "sectors.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <tinyvm/log.h>
#include <unistd.h>

#define COMMIT_MAP_CHUNK 65536u
#define COMMIT_DATA_SIZE (1u << 20)

/**
 * struct commit - a commit under way
 * @file, @path: the overlay
 * @map:  a part of its map; @data: of its contents
 */
struct commit {
	struct raw_file *file;
	const char *path;
	const struct overlay_info *info;
	struct raw_file *image;
	uint8_t *map;
	uint8_t *data;
	struct err *err;
};

static int commit_open(const char *path, int *ret_fd, struct err *err)
{
	struct stat st;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	/* By name first: opening a FIFO would wait for its other end. */
	if (stat(path, &st) != 0)
		return err_set(err, -errno, "%s: cannot be opened: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL,
			       "%s: is no file; commit takes what --keep-overlay made", path);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot be opened for writing: %s", path,
			       strerror(errno));
	if (fcntl(fd, F_OFD_SETLK, &lock) != 0 && (errno == EAGAIN || errno == EACCES)) {
		close(fd);
		return err_set(err, -EBUSY,
			       "%s: in use; a virtual machine has to end before its overlay can be "
			       "committed",
			       path);
	}
	*ret_fd = fd;
	return 0;
}

int commit_load(int fd, const char *path, struct overlay_info *ret_info, struct err *err)
{
	uint8_t header[OVERLAY_HEADER_SIZE] = {0};
	const char *why = NULL;
	struct stat st;

	if (fstat(fd, &st) != 0 || pread(fd, header, sizeof(header), 0) < 0)
		return err_set(err, -errno, "%s: cannot be read: %s", path, strerror(errno));
	int ret = overlay_decode(header, (uint64_t)st.st_size, ret_info, &why);
	if (ret != 0)
		return err_set(err, ret, "%s: is %s", path, why);
	return 0;
}

/* Is the image what the overlay was made from? */
static int commit_check_image(const char *path, const struct overlay_info *info, int image_fd,
			      uint64_t size, bool is_forced, struct err *err)
{
	const struct overlay_identity *was = &info->identity;
	struct overlay_identity is;
	struct stat st;

	if (fstat(image_fd, &st) != 0)
		return err_set(err, -errno, "%s: cannot be examined: %s", info->path,
			       strerror(errno));
	overlay_identify(&is, &st);
	if (size != info->size)
		return err_set(err, -EINVAL,
			       "%s: was made from an image of %llu bytes, and %s has %llu; it fits "
			       "no more",
			       path, (unsigned long long)info->size, info->path,
			       (unsigned long long)size);
	if (is_forced)
		return 0;
	if (is.dev != was->dev || is.ino != was->ino)
		return err_set(err, -ESTALE,
			       "%s: was made from another file than the one that is %s now; "
			       "--force applies it all the same",
			       path, info->path);
	if (!info->is_being_applied && (is.mtime_s != was->mtime_s || is.mtime_ns != was->mtime_ns))
		return err_set(err, -ESTALE,
			       "%s: %s was written to since, and would be neither the one nor the "
			       "other afterwards; --force applies it all the same",
			       path, info->path);
	return 0;
}

static int commit_mark(int fd, const char *path, struct overlay_info *info, struct err *err)
{
	uint8_t header[OVERLAY_HEADER_SIZE];
	info->is_being_applied = true;
	overlay_encode(header, info);
	if (pwrite(fd, header, sizeof(header), 0) != (ssize_t)sizeof(header) || fdatasync(fd) != 0)
		return err_set(err, -EIO, "%s: cannot be marked as being committed: %s", path,
			       strerror(errno));
	return 0;
}

/* The end of the piece from @at that is data, or a hole, within the overlay's file. */
static uint64_t commit_piece_end(int fd, uint64_t at, uint64_t end, bool *ret_is_hole)
{
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);
	uint64_t stop = end;

	/* Whole sectors, data rather than hole, and everything is data where nobody can tell. */
	if (data < 0)
		*ret_is_hole = errno == ENXIO;
	else
		*ret_is_hole = (uint64_t)data / SECTOR_SIZE > at / SECTOR_SIZE;
	if (*ret_is_hole && data >= 0)
		stop = (uint64_t)data / SECTOR_SIZE * SECTOR_SIZE;
	if (!*ret_is_hole) {
		off_t hole = lseek(fd, (off_t)at, SEEK_HOLE);
		if (hole >= 0)
			stop = ((uint64_t)hole / SECTOR_SIZE + 1) * SECTOR_SIZE;
		if (stop > at + COMMIT_DATA_SIZE)
			stop = at + COMMIT_DATA_SIZE;
	}
	return stop < end ? stop : end;
}

static int commit_piece(struct commit *c, uint64_t offset, uint64_t len, bool is_hole)
{
	struct iovec iov = {.iov_base = c->data, .iov_len = len};
	struct block_req read = {.op = BLOCK_READ,
				 .offset = overlay_data_offset(c->info->size) + offset,
				 .len = len,
				 .iov = &iov,
				 .iov_count = 1};
	struct block_req write = {.op = is_hole ? BLOCK_WRITE_ZEROES : BLOCK_WRITE,
				  .offset = offset,
				  .len = len,
				  .iov = &iov,
				  .iov_count = 1,
				  .may_unmap = true};
	int ret = is_hole ? 0 : raw_sync(c->file, &read);
	if (ret != 0)
		return err_set(c->err, ret, "%s: cannot be read: %s", c->path, strerror(-ret));
	ret = raw_sync(c->image, &write);
	if (ret != 0)
		return err_set(c->err, ret,
			       "%s: cannot be written: %s; see to that and commit %s again",
			       c->info->path, strerror(-ret), c->path);
	return 0;
}

static int commit_run(struct commit *c, uint64_t first, uint64_t stop)
{
	const uint64_t shift = overlay_data_offset(c->info->size);
	uint64_t end = stop * SECTOR_SIZE;
	int ret = 0;
	for (uint64_t at = first * SECTOR_SIZE; at < end && ret == 0;) {
		bool is_hole;
		uint64_t next =
			commit_piece_end(c->file->fd, at + shift, end + shift, &is_hole) - shift;
		ret = commit_piece(c, at, next - at, is_hole);
		at = next;
	}
	return ret;
}

/* The sectors from @base that c->map tells about, @count of them. */
static int commit_chunk(struct commit *c, uint64_t base, uint64_t count, uint64_t *sectors)
{
	int ret = 0;
	for (uint64_t at = 0; at < count && ret == 0;) {
		uint64_t stop = sectors_run_end(c->map, at, count);
		if (sectors_has(c->map, at)) {
			ret = commit_run(c, base + at, base + stop);
			*sectors += stop - at;
		}
		at = stop;
	}
	return ret;
}

static int commit_all(struct commit *c, uint64_t *sectors)
{
	const uint64_t total = c->info->size / SECTOR_SIZE;
	const uint64_t per_chunk = COMMIT_MAP_CHUNK * 8;
	int ret = 0;

	for (uint64_t base = 0; base < total && ret == 0; base += per_chunk) {
		uint64_t left = overlay_map_size(c->info->size) - base / 8;
		struct iovec iov = {.iov_base = c->map,
				    .iov_len = left < COMMIT_MAP_CHUNK ? left : COMMIT_MAP_CHUNK};
		struct block_req read = {.op = BLOCK_READ,
					 .offset = OVERLAY_HEADER_SIZE + base / 8,
					 .len = iov.iov_len,
					 .iov = &iov,
					 .iov_count = 1};
		ret = raw_sync(c->file, &read);
		if (ret != 0)
			return err_set(c->err, ret, "%s: cannot be read: %s", c->path,
				       strerror(-ret));
		ret = commit_chunk(c, base, total - base < per_chunk ? total - base : per_chunk,
				   sectors);
	}
	return ret;
}

int commit_apply(struct raw_file *file, const char *path, const struct overlay_info *info,
		 struct raw_file *image, uint64_t *ret_sectors, struct err *err)
{
	struct commit c = {.file = file,
			   .path = path,
			   .info = info,
			   .image = image,
			   .map = malloc(COMMIT_MAP_CHUNK),
			   .data = malloc(COMMIT_DATA_SIZE),
			   .err = err};
	uint64_t sectors = 0;
	int ret = c.map && c.data ? commit_all(&c, &sectors)
				  : err_set(err, -ENOMEM, "%s: not enough host memory", path);
	free(c.map);
	free(c.data);
	if (ret == 0)
		*ret_sectors = sectors;
	return ret;
}

/* With the image open and fit for it. */
static int commit_to(struct raw_file *file, const char *path, struct overlay_info *info,
		     struct raw_file *image, struct err *err)
{
	const struct block_req flush = {.op = BLOCK_FLUSH};
	uint64_t sectors = 0;
	int ret = commit_mark(file->fd, path, info, err);
	if (ret == 0)
		ret = commit_apply(file, path, info, image, &sectors, err);
	if (ret != 0)
		return ret;
	ret = raw_sync(image, &flush);
	if (ret != 0)
		return err_set(err, ret,
			       "%s: what was written did not reach the disk: %s; see to that and "
			       "commit %s again",
			       info->path, strerror(-ret), path);
	log_info("%s: %llu KiB written from %s", info->path, (unsigned long long)sectors / 2, path);
	if (unlink(path) != 0)
		return err_set(err, -errno,
			       "%s: was committed, but cannot be removed: %s; remove it by hand",
			       path, strerror(errno));
	return 0;
}

int block_overlay_commit(const char *path, bool is_forced, struct err *err)
{
	struct overlay_info info = {0};
	struct raw_file file = {0}, image;
	uint64_t size = 0;
	uint32_t block_size;
	int ret = commit_open(path, &file.fd, err);
	if (ret != 0)
		return ret;
	ret = commit_load(file.fd, path, &info, err);
	if (ret == 0 && access(info.path, F_OK) != 0 && errno == ENOENT)
		ret = err_set(err, -errno,
			      "%s: its image %s is not there any more; put it back, or remove the "
			      "overlay",
			      path, info.path);
	if (ret == 0)
		ret = raw_file_open(&image, &size, &block_size, info.path, false, err);
	if (ret == 0) {
		ret = commit_check_image(path, &info, image.fd, size, is_forced, err);
		if (ret == 0)
			ret = commit_to(&file, path, &info, &image, err);
		raw_file_close(&image);
	}
	close(file.fd);
	return ret;
}
