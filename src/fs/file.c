/* Requests about open files. Their data goes between the guest's memory and the kernel directly. */
#include "request.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#define WINDOWS_MAX 256		/* of a request: the descriptors of a chain */
#define COPY_MAX    (64u << 20) /* in one request: the guest asks again for the rest */

int do_open(struct request *r)
{
	struct fuse_open_in in;
	struct statx stx;
	int flags, ret = request_read(r, &in, sizeof(in));
	if (ret == 0)
		ret = request_open_flags(r, in.flags, &flags);
	if (ret == 0 && !S_ISREG(r->inode->key.type))
		ret = S_ISDIR(r->inode->key.type) ? -EISDIR : -EACCES;
	if (ret == 0)
		ret = inode_stat(r->inode, &stx);
	if (ret != 0)
		return ret;
	thread_clear_ids(r->thread, in.open_flags & FUSE_OPEN_KILL_SUIDGID);
	int fd = inode_open(r->share, r->inode, flags);
	thread_clear_ids(r->thread, false);
	if (fd < 0)
		return fd;

	struct fuse_open_out out = {.open_flags = 0};
	ret = handle_add(r->share, r->inode, fd, flags, &out.fh);
	if (ret != 0)
		return ret;
	if (inode_is_unchanged(r->share, r->inode, &stx) || r->share->opt.is_private)
		out.open_flags |= FOPEN_KEEP_CACHE;
	/* Nothing to tell when such a file is closed; POSIX locks would be. */
	if (r->share->opt.is_private && (flags & O_ACCMODE) == O_RDONLY)
		out.open_flags |= FOPEN_NOFLUSH;
	request_reply(r, &out, sizeof(out));
	return 0;
}

/* The windows of the first @len bytes of the data, into @iov. Return: how many; -EINVAL. */
static int windows_of(const struct fs_req *req, uint32_t len, struct iovec iov[WINDOWS_MAX])
{
	unsigned count = 0;
	if (len > req->data_len || len > FS_DATA_MAX || req->data_count > WINDOWS_MAX)
		return -EINVAL;
	for (; len; count++) {
		iov[count] = req->data[count];
		if (iov[count].iov_len > len)
			iov[count].iov_len = len;
		len -= (uint32_t)iov[count].iov_len;
	}
	return (int)count;
}

int do_read(struct request *r)
{
	struct iovec iov[WINDOWS_MAX];
	struct fuse_read_in in;
	struct handle *handle;
	int count, ret = request_read(r, &in, sizeof(in));
	if (ret != 0)
		return ret;
	count = windows_of(r->req, in.size, iov);
	if (count < 0 || in.offset > INT64_MAX)
		return -EINVAL;
	ret = handle_get(r->share, in.fh, r->inode, &handle);
	if (ret != 0)
		return ret;
	ssize_t n = preadv(handle->fd, iov, count, (off_t)in.offset);
	ret = n < 0 ? -errno : 0;
	if (n > 0)
		r->req->reply_len = (uint32_t)n;
	handle_put(r->share, handle);
	return ret;
}

int do_write(struct request *r)
{
	struct iovec iov[WINDOWS_MAX];
	struct fuse_write_in in;
	struct handle *handle;
	int count, ret = request_read(r, &in, sizeof(in));
	if (ret != 0)
		return ret;
	count = windows_of(r->req, in.size, iov);
	if (count < 0 || in.size != r->req->data_len || in.offset > INT64_MAX)
		return -EINVAL;
	ret = handle_get(r->share, in.fh, r->inode, &handle);
	if (ret != 0)
		return ret;
	/* At the end, wherever that is by now; what comes from the guest's cache has its place. */
	bool is_append = in.flags & O_APPEND && !(in.write_flags & FUSE_WRITE_CACHE);
	thread_clear_ids(r->thread, in.write_flags & FUSE_WRITE_KILL_SUIDGID);
	ssize_t n = pwritev2(handle->fd, iov, count, (off_t)in.offset, is_append ? RWF_APPEND : 0);
	ret = n < 0 ? -errno : 0;
	thread_clear_ids(r->thread, false);
	handle_put(r->share, handle);
	if (ret != 0)
		return ret;
	struct fuse_write_out out = {.size = (uint32_t)n};
	request_reply(r, &out, sizeof(out));
	return 0;
}

/* RELEASE and RELEASEDIR. */
int do_release(struct request *r)
{
	struct fuse_release_in in;
	int ret = request_read(r, &in, sizeof(in));
	if (ret != 0)
		return ret;
	file_lock_release(r, in.fh);
	handle_release(r->share, in.fh, r->inode);
	return 0;
}

/* One of the guest's descriptors is closed: file systems that find out about failed writes late
 * tell now. */
int do_flush(struct request *r)
{
	struct fuse_flush_in in;
	struct handle *handle;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0)
		ret = handle_get(r->share, in.fh, r->inode, &handle);
	if (ret != 0)
		return ret;
	file_lock_close(r, in.lock_owner);
	if ((handle->flags & O_ACCMODE) != O_RDONLY) {
		int copy = fcntl(handle->fd, F_DUPFD_CLOEXEC, 0);
		if (copy < 0 || close(copy) != 0)
			ret = -errno;
	}
	handle_put(r->share, handle);
	return ret;
}

/* FSYNC and FSYNCDIR. */
int do_fsync(struct request *r)
{
	struct fuse_fsync_in in;
	struct handle *handle;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0)
		ret = handle_get(r->share, in.fh, r->inode, &handle);
	if (ret != 0)
		return ret;
	ret = in.fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(handle->fd) : fsync(handle->fd);
	if (ret < 0)
		ret = -errno;
	handle_put(r->share, handle);
	return ret;
}

int do_fallocate(struct request *r)
{
	struct fuse_fallocate_in in;
	struct handle *handle;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0 && (in.offset > INT64_MAX || in.length > INT64_MAX))
		ret = -EFBIG;
	if (ret == 0)
		ret = handle_get(r->share, in.fh, r->inode, &handle);
	if (ret != 0)
		return ret;
	thread_clear_ids(r->thread, true); /* as fallocate() does for whoever is not root */
	if (fallocate(handle->fd, (int)in.mode, (off_t)in.offset, (off_t)in.length) != 0)
		ret = -errno;
	thread_clear_ids(r->thread, false);
	handle_put(r->share, handle);
	return ret;
}

/* Only what the guest cannot know itself: where data and holes are. A directory's position is not
 * the guest's to move this way. */
int do_lseek(struct request *r)
{
	struct fuse_lseek_in in;
	struct handle *handle;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0 &&
	    ((in.whence != SEEK_DATA && in.whence != SEEK_HOLE) || !S_ISREG(r->inode->key.type)))
		ret = -EINVAL;
	if (ret == 0 && in.offset > INT64_MAX)
		ret = -ENXIO;
	if (ret == 0)
		ret = handle_get(r->share, in.fh, r->inode, &handle);
	if (ret != 0)
		return ret;
	off_t at = lseek(handle->fd, (off_t)in.offset, (int)in.whence);
	ret = at < 0 ? -errno : 0;
	handle_put(r->share, handle);
	struct fuse_lseek_out out = {.offset = (uint64_t)at};
	if (ret == 0)
		request_reply(r, &out, sizeof(out));
	return ret;
}

static int copy_range(struct request *r, const struct fuse_copy_file_range_in *in,
		      const struct inode *to)
{
	struct handle *from_handle, *to_handle;
	int ret = handle_get(r->share, in->fh_in, r->inode, &from_handle);
	if (ret != 0)
		return ret;
	ret = handle_get(r->share, in->fh_out, to, &to_handle);
	if (ret == 0) {
		off_t from_at = (off_t)in->off_in, to_at = (off_t)in->off_out;
		size_t len = in->len < COPY_MAX ? (size_t)in->len : COPY_MAX;
		ssize_t n =
			copy_file_range(from_handle->fd, &from_at, to_handle->fd, &to_at, len, 0);
		struct fuse_write_out out = {.size = (uint32_t)n};
		if (n < 0)
			ret = -errno;
		else
			request_reply(r, &out, sizeof(out));
		handle_put(r->share, to_handle);
	}
	handle_put(r->share, from_handle);
	return ret;
}

int do_copy_file_range(struct request *r)
{
	struct fuse_copy_file_range_in in;
	struct inode *to;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0 && (in.flags || in.off_in > INT64_MAX || in.off_out > INT64_MAX))
		ret = -EINVAL;
	if (ret == 0)
		ret = inode_get(r->share, in.nodeid_out, &to);
	if (ret != 0)
		return ret;
	ret = copy_range(r, &in, to);
	inode_put(r->share, to);
	return ret;
}
