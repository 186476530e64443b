/* Requests about a file's attributes, and about file systems. */
#include "request.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#define MODE_BITS 07777
#define NS_PER_S  1000000000u

/* By its inode, open or not: what the guest has open, the inode is the same. */
int do_getattr(struct request *r)
{
	struct fuse_getattr_in in;
	int ret = request_read(r, &in, sizeof(in));
	return ret == 0 ? request_reply_attr(r) : ret;
}

static int set_mode(struct request *r, const struct fuse_setattr_in *in)
{
	char name[16];
	snprintf(name, sizeof(name), "%d", r->inode->fd);
	return fchmodat(r->share->proc_fd, name, in->mode & MODE_BITS, 0) < 0 ? -errno : 0;
}

static int set_owner(struct request *r, const struct fuse_setattr_in *in)
{
	const struct ids *ids = &r->share->ids;
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;
	int ret = 0;
	if (in->valid & FATTR_UID)
		ret = ids_host_uid(ids, in->uid, &uid);
	if (ret == 0 && in->valid & FATTR_GID)
		ret = ids_host_gid(ids, in->gid, &gid);
	if (ret != 0)
		return ret;
	return fchownat(r->inode->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0
		       ? -errno
		       : 0;
}

static int set_size(struct request *r, const struct fuse_setattr_in *in)
{
	struct handle *handle = NULL;
	int fd, ret;
	if (in->size > INT64_MAX)
		return -EFBIG;
	if (!S_ISREG(r->inode->key.type))
		return -EINVAL;
	if (in->valid & FATTR_FH) {
		ret = handle_get(r->share, in->fh, r->inode, &handle);
		if (ret != 0)
			return ret;
		fd = handle->fd;
	} else {
		fd = inode_open(r->share, r->inode, O_WRONLY);
		if (fd < 0)
			return fd;
	}
	thread_clear_ids(r->thread, in->valid & FATTR_KILL_SUIDGID);
	ret = ftruncate(fd, (off_t)in->size) < 0 ? -errno : 0;
	thread_clear_ids(r->thread, false);
	if (handle)
		handle_put(r->share, handle);
	else
		close(fd);
	return ret;
}

/* The two values of tv_nsec with a meaning of their own are only ours to use. */
static int set_time(struct timespec *time, bool is_wanted, bool is_now, uint64_t s, uint32_t ns)
{
	if (is_wanted && !is_now && ns >= NS_PER_S)
		return -EINVAL;
	*time = (struct timespec){.tv_sec = (time_t)s, .tv_nsec = ns};
	if (!is_wanted)
		time->tv_nsec = UTIME_OMIT;
	else if (is_now)
		time->tv_nsec = UTIME_NOW;
	return 0;
}

static int set_times(struct request *r, const struct fuse_setattr_in *in)
{
	struct timespec times[2];
	char name[16];
	int ret = set_time(&times[0], in->valid & FATTR_ATIME, in->valid & FATTR_ATIME_NOW,
			   in->atime, in->atimensec);
	if (ret == 0)
		ret = set_time(&times[1], in->valid & FATTR_MTIME, in->valid & FATTR_MTIME_NOW,
			       in->mtime, in->mtimensec);
	if (ret != 0)
		return ret;
	snprintf(name, sizeof(name), "%d", r->inode->fd);
	return utimensat(r->share->proc_fd, name, times, 0) < 0 ? -errno : 0;
}

/* The owner first: a change of it clears set-id bits, which the mode may then bring back. */
int do_setattr(struct request *r)
{
	struct fuse_setattr_in in;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0 && in.valid & (FATTR_UID | FATTR_GID))
		ret = set_owner(r, &in);
	if (ret == 0 && in.valid & FATTR_MODE)
		ret = set_mode(r, &in);
	if (ret == 0 && in.valid & FATTR_SIZE)
		ret = set_size(r, &in);
	if (ret == 0 && in.valid & (FATTR_ATIME | FATTR_MTIME))
		ret = set_times(r, &in);
	return ret == 0 ? request_reply_attr(r) : ret;
}

int do_readlink(struct request *r)
{
	size_t max = r->req->room < PATH_MAX ? r->req->room : PATH_MAX;
	if (!S_ISLNK(r->inode->key.type))
		return -EINVAL;
	char *target = request_reserve(r, max);
	if (!target)
		return -ENOMEM;
	ssize_t len = readlinkat(r->inode->fd, "", target, max);
	if (len < 0)
		return -errno;
	r->req->reply_len = (uint32_t)len;
	return 0;
}

int do_statfs(struct request *r)
{
	struct statfs st;
	if (fstatfs(r->inode->fd, &st) != 0)
		return -errno;
	struct fuse_statfs_out out = {.st = {.blocks = st.f_blocks,
					     .bfree = st.f_bfree,
					     .bavail = st.f_bavail,
					     .files = st.f_files,
					     .ffree = st.f_ffree,
					     .bsize = (uint32_t)st.f_bsize,
					     .namelen = (uint32_t)st.f_namelen,
					     .frsize = (uint32_t)st.f_frsize}};
	request_reply(r, &out, sizeof(out));
	return 0;
}

/* By the mode bits, for guests that do not look at them themselves. */
int do_access(struct request *r)
{
	const struct fuse_in_header *header = &r->req->header;
	struct fuse_access_in in;
	struct statx stx;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0)
		ret = inode_stat(r->inode, &stx);
	if (ret != 0)
		return ret;
	if (in.mask & ~(uint32_t)(R_OK | W_OK | X_OK))
		return -EINVAL;
	if (in.mask & W_OK && r->share->opt.is_readonly)
		return -EROFS;

	const struct ids *ids = &r->share->ids;
	uint32_t mode = stx.stx_mode;
	if (header->uid == 0)
		mode = R_OK | W_OK | (S_ISDIR(mode) || mode & 0111 ? X_OK : 0);
	else if (header->uid == ids_guest_uid(ids, stx.stx_uid))
		mode >>= 6;
	else if (header->gid == ids_guest_gid(ids, stx.stx_gid))
		mode >>= 3;
	return in.mask & ~mode ? -EACCES : 0;
}

int do_syncfs(struct request *r)
{
	if (r->share->opt.is_readonly)
		return 0;
	int fd = inode_open(r->share, r->inode, O_RDONLY);
	if (fd < 0)
		return fd;
	int ret = syncfs(fd) < 0 ? -errno : 0;
	close(fd);
	return ret;
}
