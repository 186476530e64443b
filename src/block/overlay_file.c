/*
 * Opening an overlay: the image below it, read-only, and a sparse file for what is written. That
 * file has no name, so that nothing is left of it however this process ends, unless it is kept.
 */
#include "overlay.h"
#include "overlay_format.h"
#include "raw.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <tinyvm/nameless.h>
#include <unistd.h>

/* For the overlay of a device: /dev is in RAM, and so may /tmp be. */
#define OVERLAY_DEVICE_DIR "/var/tmp"

/* The directory of @path, for free(); NULL without memory. */
static char *overlay_dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int overlay_sized(int fd, uint64_t size, const char *path, struct err *err)
{
	if (ftruncate(fd, (off_t)size) == 0)
		return 0;
	if (errno == EFBIG)
		return err_set(err, -errno,
			       "%s: no file may be as large as this overlay, %llu MiB (it takes "
			       "only the space of what is written), because of `ulimit -f` or the "
			       "file system",
			       path, (unsigned long long)(size >> 20));
	return err_set(err, -errno, "%s: an overlay cannot be given its size: %s", path,
		       strerror(errno));
}

static int overlay_make_volatile(int *ret_fd, const char *image_path, const char *dir,
				 uint64_t size, struct err *err)
{
	struct stat st;
	char *beside = NULL;
	bool is_device = stat(image_path, &st) == 0 && S_ISBLK(st.st_mode);

	if (!dir && !is_device) {
		beside = overlay_dir_of(image_path);
		if (!beside)
			return err_set(err, -ENOMEM, "%s: out of memory", image_path);
	}
	const char *where = dir ? dir : beside ? beside : OVERLAY_DEVICE_DIR;
	int ret = 0;
	int fd = nameless_open(where, 0);
	if (fd < 0)
		ret = err_set(err, fd,
			      "%s: cannot hold the overlay of %s: %s; name another directory with "
			      "--tmpdir",
			      where, image_path, strerror(-fd));
	else
		ret = overlay_sized(fd, size, where, err);
	if (ret == 0)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	free(beside);
	return ret;
}

/* What commit will know the image by. */
static int overlay_describe(struct overlay_info *info, const struct block *image,
			    const char *image_path, struct err *err)
{
	struct stat st;
	char *path = realpath(image_path, NULL);
	if (!path || fstat(raw_fd(image), &st) != 0) {
		free(path);
		return err_set(err, -errno, "%s: cannot be examined: %s", image_path,
			       strerror(errno));
	}
	*info = (struct overlay_info){.size = image->size};
	overlay_identify(&info->identity, &st);
	bool is_usable = overlay_is_path_usable(path);
	if (is_usable)
		memcpy(info->path, path, strlen(path) + 1);
	free(path);
	if (!is_usable)
		return err_set(err, -EINVAL,
			       "%s: an overlay of it cannot be kept, because its path has control "
			       "characters or is too long",
			       image_path);
	return 0;
}

/* The file's name must survive a crash as its contents do. */
static int overlay_sync_dir(const char *path)
{
	char *dir = overlay_dir_of(path);
	if (!dir)
		return -ENOMEM;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (fd < 0)
		return errno == EACCES ? 0 : -errno; /* a directory that may be written, not read */
	int ret = fsync(fd) != 0 && errno != EINVAL ? -errno : 0;
	close(fd);
	return ret;
}

static int overlay_write_header(int fd, const char *path, const struct overlay_info *info,
				struct err *err)
{
	uint8_t header[OVERLAY_HEADER_SIZE];
	overlay_encode(header, info);
	ssize_t n = pwrite(fd, header, sizeof(header), 0);
	int ret = n < 0 ? -errno : (size_t)n < sizeof(header) ? -ENOSPC : 0;
	if (ret == 0 && fsync(fd) != 0)
		ret = -errno;
	if (ret == 0)
		ret = overlay_sync_dir(path);
	if (ret != 0)
		return err_set(err, ret, "%s: cannot be written: %s", path, strerror(-ret));
	return 0;
}

static int overlay_make_kept(int *ret_fd, const char *path, const struct overlay_info *info,
			     struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return err_set(err, -errno,
			       "%s: exists already; remove it, or name another file with "
			       "--keep-overlay",
			       path);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot be made: %s; see --keep-overlay", path,
			       strerror(errno));
	int ret = overlay_sized(fd, overlay_file_size(info->size), path, err);
	if (ret == 0)
		ret = overlay_write_header(fd, path, info, err);
	if (ret != 0) {
		close(fd);
		unlink(path);
		return ret;
	}
	*ret_fd = fd;
	return 0;
}

/* The store of an overlay on @image. */
static int overlay_open_store(struct block **ret_store, const struct block *image, const char *path,
			      const char *dir, const char *keep_path, bool is_uring_wanted,
			      struct err *err)
{
	struct overlay_info info = {0};
	int fd = -1;
	int ret;

	if (image->size > OVERLAY_SIZE_MAX)
		return err_set(err, -EFBIG, "%s: is too large for an overlay", path);
	if (!keep_path) {
		ret = overlay_make_volatile(&fd, path, dir, image->size, err);
	} else {
		ret = overlay_describe(&info, image, path, err);
		if (ret == 0)
			ret = overlay_make_kept(&fd, keep_path, &info, err);
	}
	if (ret != 0)
		return ret;
	ret = raw_adopt(ret_store, fd, keep_path ? keep_path : path, !keep_path, is_uring_wanted,
			err);
	if (ret != 0 && keep_path)
		unlink(keep_path);
	return ret;
}

int overlay_open(struct block **ret_blk, const char *path, const char *dir, const char *keep_path,
		 bool is_uring_wanted, struct err *err)
{
	struct block *image = NULL, *store = NULL;
	int ret = raw_open(&image, path, true, is_uring_wanted, err);
	if (ret != 0)
		return ret;
	ret = overlay_open_store(&store, image, path, dir, keep_path, is_uring_wanted, err);
	if (ret != 0) {
		block_destroy(image);
		return ret;
	}
	ret = overlay_create(ret_blk, image, store, keep_path);
	if (ret == 0)
		return 0;
	block_destroy(store);
	block_destroy(image);
	if (keep_path)
		unlink(keep_path);
	return err_set(err, ret, "%s: not enough host memory for its overlay", path);
}

int block_overlay_open(struct block **ret_blk, const char *path, const char *dir,
		       const char *keep_path, struct err *err)
{
	return overlay_open(ret_blk, path, dir, keep_path, true, err);
}
