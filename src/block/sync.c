/*
 * One block request by plain system calls. DISCARD is advice and never fails for want of support;
 * WRITE_ZEROES falls back from punching a hole to zeroing a range to writing zeroes.
 */
#include "raw.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define ZERO_PIECE 4096
#define ZERO_IOVS  64 /* 256 KiB a call */

static const char zero_piece[ZERO_PIECE];

/* One attempt; a partly done iovec first, by itself, so that the caller's array stays as it is. */
static ssize_t sync_transfer_some(int fd, const struct block_req *req, uint64_t offset, unsigned i,
				  size_t skip)
{
	const struct iovec *iov = &req->iov[i];
	unsigned count = req->iov_count - i;
	struct iovec rest;
	if (skip) {
		rest.iov_base = (char *)iov->iov_base + skip;
		rest.iov_len = iov->iov_len - skip;
		iov = &rest;
		count = 1;
	}
	return req->op == BLOCK_READ ? preadv(fd, iov, (int)count, (off_t)offset)
				     : pwritev(fd, iov, (int)count, (off_t)offset);
}

static int sync_transfer(int fd, const struct block_req *req)
{
	uint64_t done = 0;
	unsigned i = 0;
	size_t skip = 0;

	while (done < req->len) {
		ssize_t n = sync_transfer_some(fd, req, req->offset + done, i, skip);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* the file has become shorter than it was */
		done += (uint64_t)n;
		skip += (size_t)n;
		while (i < req->iov_count && skip >= req->iov[i].iov_len)
			skip -= req->iov[i++].iov_len;
	}
	return 0;
}

/* Is this how a file system or device says that it cannot do that at all, or not there? */
static bool sync_is_unsupported(int error)
{
	return error == EOPNOTSUPP || error == ENOSYS || error == ENOTTY || error == EINVAL;
}

static int sync_fallocate(int fd, int mode, const struct block_req *req)
{
	while (fallocate(fd, mode, (off_t)req->offset, (off_t)req->len) != 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int sync_discard(struct raw_file *file, const struct block_req *req)
{
	int ret = 0;
	if (!atomic_load(&file->can_punch))
		return 0;
	if (file->is_device) {
		uint64_t range[2] = {req->offset, req->len};
		if (ioctl(file->fd, BLKDISCARD, range) != 0)
			ret = -errno;
	} else {
		ret = sync_fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, req);
	}
	if (sync_is_unsupported(-ret)) {
		if (ret != -EINVAL) /* a device's own sector size may forbid this range only */
			atomic_store(&file->can_punch, false);
		return 0;
	}
	return ret;
}

static int sync_write_zero_pieces(int fd, const struct block_req *req)
{
	struct iovec iov[ZERO_IOVS];
	for (unsigned i = 0; i < ZERO_IOVS; i++)
		iov[i] = (struct iovec){.iov_base = (void *)zero_piece, .iov_len = ZERO_PIECE};

	for (uint64_t done = 0; done < req->len;) {
		uint64_t left = req->len - done;
		int count = left < sizeof(iov) / sizeof(iov[0]) * ZERO_PIECE
				    ? (int)(left / ZERO_PIECE)
				    : ZERO_IOVS;
		ssize_t n = count ? pwritev(fd, iov, count, (off_t)(req->offset + done))
				  : pwrite(fd, zero_piece, left, (off_t)(req->offset + done));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (uint64_t)n;
	}
	return 0;
}

static int sync_write_zeroes(struct raw_file *file, const struct block_req *req)
{
	int ret = -EOPNOTSUPP;
	if (req->may_unmap && atomic_load(&file->can_punch))
		ret = sync_fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, req);
	if (sync_is_unsupported(-ret) && atomic_load(&file->can_zero)) {
		ret = sync_fallocate(file->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, req);
		if (sync_is_unsupported(-ret) && ret != -EINVAL)
			atomic_store(&file->can_zero, false);
	}
	if (sync_is_unsupported(-ret))
		ret = sync_write_zero_pieces(file->fd, req);
	return ret;
}

static int sync_flush(int fd)
{
	while (fdatasync(fd) != 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int raw_sync(struct raw_file *file, const struct block_req *req)
{
	switch (req->op) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		return sync_transfer(file->fd, req);
	case BLOCK_FLUSH:
		return file->is_volatile ? 0 : sync_flush(file->fd);
	case BLOCK_DISCARD:
		return sync_discard(file, req);
	case BLOCK_WRITE_ZEROES:
		return sync_write_zeroes(file, req);
	}
	return -EINVAL;
}
