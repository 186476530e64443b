/* What the functions of all requests share: arguments, answers, attributes. */
#include "request.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_S	  1
#define PRIVATE_TIMEOUT_S 86400

int request_read(struct request *r, void *ret_buf, size_t len)
{
	if (r->args_left < len)
		return -EINVAL;
	memcpy(ret_buf, r->args, len);
	r->args += len;
	r->args_left -= len;
	return 0;
}

int request_string(struct request *r, size_t max, const char **ret_text)
{
	const uint8_t *end = r->args_left ? memchr(r->args, 0, r->args_left) : NULL;
	if (!end)
		return -EINVAL;
	const char *text = (const char *)r->args;
	size_t len = (size_t)(end - r->args);
	if (len == 0)
		return -ENOENT;
	if (len > max)
		return -ENAMETOOLONG;
	r->args += len + 1;
	r->args_left -= len + 1;
	*ret_text = text;
	return 0;
}

int request_name(struct request *r, const char **ret_name)
{
	const char *name;
	int ret = request_string(r, SHARE_NAME_MAX, &name);
	if (ret != 0)
		return ret;
	if (!share_name_is_good(name))
		return -EINVAL;
	*ret_name = name;
	return 0;
}

void request_reply(struct request *r, const void *buf, size_t len)
{
	memcpy(r->req->small, buf, len);
	r->req->reply = r->req->small;
	r->req->reply_len = (uint32_t)len;
}

void *request_reserve(struct request *r, size_t len)
{
	r->req->buffer = malloc(len ? len : 1);
	r->req->reply = r->req->buffer;
	return r->req->buffer;
}

uint64_t request_timeout(const struct request *r)
{
	return r->share->opt.is_private ? PRIVATE_TIMEOUT_S : TIMEOUT_S;
}

/* As the kernel packs a device number into 32 bits. */
static uint32_t device_number(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

void request_fill_attr(const struct request *r, const struct statx *stx, struct fuse_attr *ret)
{
	const struct ids *ids = &r->share->ids;
	*ret = (struct fuse_attr){
		.ino = stx->stx_ino,
		.size = stx->stx_size,
		.blocks = stx->stx_blocks,
		.atime = (uint64_t)stx->stx_atime.tv_sec,
		.mtime = (uint64_t)stx->stx_mtime.tv_sec,
		.ctime = (uint64_t)stx->stx_ctime.tv_sec,
		.atimensec = stx->stx_atime.tv_nsec,
		.mtimensec = stx->stx_mtime.tv_nsec,
		.ctimensec = stx->stx_ctime.tv_nsec,
		.mode = stx->stx_mode,
		.nlink = stx->stx_nlink,
		.uid = ids_guest_uid(ids, stx->stx_uid),
		.gid = ids_guest_gid(ids, stx->stx_gid),
		.rdev = device_number(stx->stx_rdev_major, stx->stx_rdev_minor),
		.blksize = stx->stx_blksize,
	};
}

/* Numbers of inodes are not used twice, so there is one generation. */
void request_fill_entry(const struct request *r, const struct inode *inode, const struct statx *stx,
			struct fuse_entry_out *ret)
{
	*ret = (struct fuse_entry_out){
		.nodeid = inode->id,
		.entry_valid = request_timeout(r),
		.attr_valid = request_timeout(r),
	};
	request_fill_attr(r, stx, &ret->attr);
}

/*
 * O_APPEND comes again with each write, O_DIRECT is about the guest's cache only, O_NOATIME is the
 * owner's alone, and creating is not opening.
 */
int request_open_flags(const struct request *r, uint32_t guest_flags, int *ret_flags)
{
	int flags = (int)guest_flags & (O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC);
	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if (r->share->opt.is_readonly && flags & (O_ACCMODE | O_TRUNC))
		return -EROFS;
	*ret_flags = flags;
	return 0;
}

int request_reply_entry(struct request *r, struct inode *inode, const struct statx *stx)
{
	struct fuse_entry_out out;
	request_fill_entry(r, inode, stx, &out);
	request_reply(r, &out, sizeof(out));
	inode_put(r->share, inode);
	return 0;
}

int request_reply_attr(struct request *r)
{
	struct statx stx;
	int ret = inode_stat(r->inode, &stx);
	if (ret != 0)
		return ret;
	struct fuse_attr_out out = {.attr_valid = request_timeout(r)};
	request_fill_attr(r, &stx, &out.attr);
	request_reply(r, &out, sizeof(out));
	return 0;
}

int request_get_dir(struct request *r, uint64_t id, struct inode **ret_inode)
{
	struct inode *inode;
	int ret = inode_get(r->share, id, &inode);
	if (ret != 0)
		return ret;
	if (!S_ISDIR(inode->key.type))
		ret = -ENOTDIR;
	else if (inode->is_sealed)
		ret = -EPERM;
	if (ret != 0) {
		inode_put(r->share, inode);
		return ret;
	}
	*ret_inode = inode;
	return 0;
}

int request_act_as_guest(struct request *r)
{
	return thread_act_as(r->thread, r->req->header.uid, r->req->header.gid);
}

const char *request_fd_path(const struct request *r, const struct inode *inode,
			    char buf[FD_PATH_MAX])
{
	const char *dir = r->thread->has_own_fs ? "" : "/proc/self/fd/";
	snprintf(buf, FD_PATH_MAX, "%s%d", dir, inode->fd);
	return buf;
}
