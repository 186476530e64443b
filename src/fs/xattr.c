/*
 * Requests about extended attributes. Those of the host's file system go through as they are, by
 * the path of the inode's descriptor: there is no such call for an O_PATH one.
 *
 * Left out on purpose: system.*, which is POSIX ACLs: users and groups in them would be the host's,
 * and nobody in the guest would heed them.
 */
#include "request.h"
#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

static bool is_hidden(const char *name)
{
	return strncmp(name, "system.", 7) == 0;
}

static int xattr_name(struct request *r, const char **ret_name)
{
	int ret = request_string(r, XATTR_NAME_MAX, ret_name);
	if (ret == -ENAMETOOLONG)
		return -ERANGE; /* what setxattr() says */
	if (ret == 0 && is_hidden(*ret_name))
		return -EOPNOTSUPP;
	return ret;
}

/* Without FUSE_SETXATTR_EXT the arguments are shorter than <linux/fuse.h> has them. */
int do_setxattr(struct request *r)
{
	struct {
		uint32_t size, flags;
	} in;
	_Static_assert(sizeof(in) == FUSE_COMPAT_SETXATTR_IN_SIZE, "the arguments of SETXATTR");
	char buf[FD_PATH_MAX];
	const char *name;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0)
		ret = xattr_name(r, &name);
	if (ret == 0 && in.size > r->args_left)
		ret = -EINVAL;
	if (ret != 0)
		return ret;
	return setxattr(request_fd_path(r, r->inode, buf), name, r->args, in.size, (int)in.flags) <
			       0
		       ? -errno
		       : 0;
}

static int reply_size(struct request *r, size_t size)
{
	struct fuse_getxattr_out out = {.size = (uint32_t)size};
	if (r->req->room < sizeof(out))
		return -EINVAL;
	request_reply(r, &out, sizeof(out));
	return 0;
}

/* Size 0 asks how long the value is. */
int do_getxattr(struct request *r)
{
	struct fuse_getxattr_in in;
	char buf[FD_PATH_MAX];
	const char *name;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0)
		ret = xattr_name(r, &name);
	if (ret != 0)
		return ret;
	const char *path = request_fd_path(r, r->inode, buf);
	if (in.size == 0) {
		ssize_t size = getxattr(path, name, NULL, 0);
		return size < 0 ? -errno : reply_size(r, (size_t)size);
	}
	size_t max = in.size < r->req->room ? in.size : r->req->room;
	if (max > XATTR_SIZE_MAX)
		max = XATTR_SIZE_MAX;
	char *value = request_reserve(r, max);
	if (!value)
		return -ENOMEM;
	ssize_t len = max ? getxattr(path, name, value, max) : -1;
	if (len < 0)
		return max ? -errno : -ERANGE;
	r->req->reply_len = (uint32_t)len;
	return 0;
}

/* Takes hidden names out. Return: what is left of @len bytes. */
static size_t filter(char *list, size_t len)
{
	size_t kept = 0;
	for (size_t at = 0, n; at < len; at += n) {
		n = strnlen(list + at, len - at) + 1;
		if (n > len - at || is_hidden(list + at))
			continue;
		memmove(list + kept, list + at, n);
		kept += n;
	}
	return kept;
}

int do_listxattr(struct request *r)
{
	struct fuse_getxattr_in in;
	char buf[FD_PATH_MAX];
	int ret = request_read(r, &in, sizeof(in));
	if (ret != 0)
		return ret;
	char *list = malloc(XATTR_LIST_MAX);
	if (!list)
		return -ENOMEM;
	r->req->buffer = list;
	ssize_t got = listxattr(request_fd_path(r, r->inode, buf), list, XATTR_LIST_MAX);
	if (got < 0)
		return -errno;
	size_t len = filter(list, (size_t)got);
	if (in.size == 0)
		return reply_size(r, len);
	if (len > in.size || len > r->req->room)
		return -ERANGE;
	r->req->reply = list;
	r->req->reply_len = (uint32_t)len;
	return 0;
}

int do_removexattr(struct request *r)
{
	char buf[FD_PATH_MAX];
	const char *name;
	int ret = xattr_name(r, &name);
	if (ret != 0)
		return ret;
	return removexattr(request_fd_path(r, r->inode, buf), name) < 0 ? -errno : 0;
}
