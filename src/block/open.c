/*
 * Opening an image: what it is, how large, and that nobody else writes it.
 *
 * The lock is an open file description lock over the whole file, so it ends with the descriptor and
 * conflicts with QEMU's image locks too. A block device is opened O_EXCL for writing as well, which
 * keeps out mounted ones and other names of the same device.
 */
#include "raw.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <tinyvm/log.h>
#include <unistd.h>

#define BLOCK_SIZE_MIN 512u
#define BLOCK_SIZE_MAX 65536u

static int open_refuse_type(const char *path, mode_t mode, struct err *err)
{
	if (S_ISREG(mode) || S_ISBLK(mode))
		return 0;
	if (S_ISDIR(mode))
		return err_set(err, -EISDIR, "%s: is a directory; a disk is a file or a device",
			       path);
	return err_set(err, -EINVAL, "%s: neither a file nor a block device", path);
}

static int open_failed(const char *path, bool is_readonly, int error, struct err *err)
{
	switch (error) {
	case ENOENT:
		return err_set(err, -error, "%s: no such file; check the path of the disk", path);
	case EBUSY:
		return err_set(err, -error,
			       "%s: in use (mounted?); unmount it, stop who uses it, or add ,ro",
			       path);
	case EACCES:
	case EPERM:
	case EROFS:
	case ETXTBSY:
		if (!is_readonly && access(path, R_OK) == 0)
			return err_set(err, -error,
				       "%s: cannot be written; add ,ro to only read it", path);
		return err_set(err, -error,
			       "%s: no permission to read it; check its mode and owner", path);
	default:
		return err_set(err, -error, "%s: cannot be opened: %s", path, strerror(error));
	}
}

static int open_lock(int fd, const char *path, bool is_readonly, struct err *err)
{
	struct flock lock = {
		.l_type = (short)(is_readonly ? F_RDLCK : F_WRLCK),
		.l_whence = SEEK_SET,
	};
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES) {
		log_warn("%s: cannot be locked (%s); make sure that nobody else writes it", path,
			 strerror(errno));
		return 0;
	}
	/* The owner is known when it is a process; an open file description has no name. */
	char who[32] = "another process";
	if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0)
		snprintf(who, sizeof(who), "process %d", (int)lock.l_pid);
	if (is_readonly)
		return err_set(err, -EBUSY, "%s: %s writes to it; stop that first", path, who);
	return err_set(err, -EBUSY,
		       "%s: in use by %s; stop that first, or use ,ro everywhere to share it", path,
		       who);
}

static int open_size_device(int fd, uint64_t *ret_size, uint32_t *ret_block_size)
{
	unsigned physical = 0;
	int logical = 0;
	if (ioctl(fd, BLKGETSIZE64, ret_size) != 0)
		return -errno;
	if (ioctl(fd, BLKPBSZGET, &physical) != 0 || physical == 0) {
		if (ioctl(fd, BLKSSZGET, &logical) == 0 && logical > 0)
			physical = (unsigned)logical;
	}
	*ret_block_size = physical;
	return 0;
}

/* Down to a power of two in range; odd sizes come from odd network file systems. */
static uint32_t open_clamp_block_size(uint64_t size)
{
	uint32_t unit = BLOCK_SIZE_MIN;
	while (unit < BLOCK_SIZE_MAX && unit * 2 <= size)
		unit *= 2;
	return unit;
}

static int open_measure(int fd, const char *path, uint64_t *ret_size, uint32_t *ret_block_size,
			bool *ret_is_device, struct err *err)
{
	struct stat st;
	uint64_t size = 0;
	uint32_t unit = BLOCK_SIZE_MIN;
	if (fstat(fd, &st) != 0)
		return err_set(err, -errno, "%s: cannot be examined: %s", path, strerror(errno));
	int ret = open_refuse_type(path, st.st_mode, err);
	if (ret != 0)
		return ret;
	if (S_ISBLK(st.st_mode)) {
		ret = open_size_device(fd, &size, &unit);
		if (ret != 0)
			return err_set(err, ret, "%s: cannot tell its size: %s", path,
				       strerror(-ret));
	} else {
		size = (uint64_t)st.st_size;
		unit = (uint32_t)st.st_blksize;
	}
	if (size == 0)
		return err_set(err, -EINVAL, "%s: is empty; give it a size with `truncate -s 1G`",
			       path);
	if (size % 512)
		return err_set(err, -EINVAL,
			       "%s: %llu bytes are not a multiple of 512; round it up with "
			       "`truncate -s %%512`",
			       path, (unsigned long long)size);
	*ret_size = size;
	*ret_block_size = open_clamp_block_size(unit);
	*ret_is_device = S_ISBLK(st.st_mode);
	return 0;
}

int raw_file_adopt(struct raw_file *file, uint64_t *ret_size, uint32_t *ret_block_size, int fd,
		   const char *path, bool is_readonly, struct err *err)
{
	bool is_device = false;
	int ret = open_measure(fd, path, ret_size, ret_block_size, &is_device, err);
	if (ret == 0)
		ret = open_lock(fd, path, is_readonly, err);
	if (ret != 0) {
		close(fd);
		return ret;
	}
	file->fd = fd;
	file->is_device = is_device;
	file->is_volatile = false;
	atomic_init(&file->can_punch, true);
	atomic_init(&file->can_zero, true);
	return 0;
}

int raw_file_open(struct raw_file *file, uint64_t *ret_size, uint32_t *ret_block_size,
		  const char *path, bool is_readonly, struct err *err)
{
	/* By name first: opening a FIFO would wait for its other end. */
	struct stat st;
	if (stat(path, &st) != 0)
		return open_failed(path, is_readonly, errno, err);
	int ret = open_refuse_type(path, st.st_mode, err);
	if (ret != 0)
		return ret;

	int flags = O_CLOEXEC | (is_readonly ? O_RDONLY : O_RDWR);
	if (S_ISBLK(st.st_mode) && !is_readonly)
		flags |= O_EXCL;
	int fd = open(path, flags);
	if (fd < 0)
		return open_failed(path, is_readonly, errno, err);
	return raw_file_adopt(file, ret_size, ret_block_size, fd, path, is_readonly, err);
}

void raw_file_close(struct raw_file *file)
{
	/* By hand: a request's reference to the file may outlive its completion for a moment. */
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	fcntl(file->fd, F_OFD_SETLK, &lock);
	close(file->fd);
}
