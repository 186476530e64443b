/* Requests about names in directories. */
#include "request.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TARGET_MAX 4095 /* of a symbolic link */
#define MODE_BITS  07777

/* errno when @result tells of an error. */
static int result_of(int result)
{
	return result < 0 ? -errno : 0;
}

int do_lookup(struct request *r)
{
	const char *name;
	struct inode *inode;
	struct statx stx;
	int ret = request_name(r, &name);
	if (ret == 0 && r->inode->is_sealed)
		ret = -ENOENT;
	if (ret == 0)
		ret = inode_lookup(r->share, r->inode, name, &inode, &stx);
	if (ret == 0)
		return request_reply_entry(r, inode, &stx);
	if (ret != -ENOENT || !r->share->opt.is_private)
		return ret;
	/* An entry without an inode: the guest may remember that there is nothing. */
	struct fuse_entry_out none = {.entry_valid = request_timeout(r)};
	request_reply(r, &none, sizeof(none));
	return 0;
}

int do_forget(struct request *r)
{
	struct fuse_forget_in in;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0)
		inode_forget(r->share, r->req->header.nodeid, in.nlookup);
	return ret;
}

int do_batch_forget(struct request *r)
{
	struct fuse_batch_forget_in in;
	struct fuse_forget_one one;
	int ret = request_read(r, &in, sizeof(in));
	for (uint32_t i = 0; ret == 0 && i < in.count; i++) {
		ret = request_read(r, &one, sizeof(one));
		if (ret == 0)
			inode_forget(r->share, one.nodeid, one.nlookup);
	}
	return ret;
}

/* Answers with what has just been made. */
static int reply_new(struct request *r, const char *name)
{
	struct inode *inode;
	struct statx stx;
	int ret = inode_lookup(r->share, r->inode, name, &inode, &stx);
	return ret == 0 ? request_reply_entry(r, inode, &stx) : ret;
}

int do_symlink(struct request *r)
{
	const char *name, *target;
	int ret = request_name(r, &name);
	if (ret == 0)
		ret = request_string(r, TARGET_MAX, &target);
	if (ret == 0)
		ret = request_act_as_guest(r);
	if (ret != 0)
		return ret;
	ret = result_of(symlinkat(target, r->inode->fd, name));
	thread_act_as_self(r->thread);
	return ret == 0 ? reply_new(r, name) : ret;
}

int do_mknod(struct request *r)
{
	struct fuse_mknod_in in;
	const char *name;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0)
		ret = request_name(r, &name);
	if (ret == 0)
		ret = request_act_as_guest(r);
	if (ret != 0)
		return ret;
	dev_t dev = makedev(in.rdev >> 8 & 0xfff, (in.rdev & 0xff) | (in.rdev >> 12 & 0xfff00));
	ret = result_of(mknodat(r->inode->fd, name, in.mode, dev));
	thread_act_as_self(r->thread);
	return ret == 0 ? reply_new(r, name) : ret;
}

int do_mkdir(struct request *r)
{
	struct fuse_mkdir_in in;
	const char *name;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0)
		ret = request_name(r, &name);
	if (ret == 0)
		ret = request_act_as_guest(r);
	if (ret != 0)
		return ret;
	ret = result_of(mkdirat(r->inode->fd, name, in.mode & MODE_BITS));
	thread_act_as_self(r->thread);
	return ret == 0 ? reply_new(r, name) : ret;
}

static int remove_name(struct request *r, int flags)
{
	const char *name;
	int ret = request_name(r, &name);
	return ret == 0 ? result_of(unlinkat(r->inode->fd, name, flags)) : ret;
}

int do_unlink(struct request *r)
{
	return remove_name(r, 0);
}

int do_rmdir(struct request *r)
{
	return remove_name(r, AT_REMOVEDIR);
}

static int rename_to(struct request *r, uint64_t newdir, unsigned flags)
{
	const char *name, *newname;
	struct inode *dir;
	int ret = request_name(r, &name);
	if (ret == 0)
		ret = request_name(r, &newname);
	if (ret == 0)
		ret = request_get_dir(r, newdir, &dir);
	if (ret != 0)
		return ret;
	ret = result_of(renameat2(r->inode->fd, name, dir->fd, newname, flags));
	if (ret == 0)
		inode_moved(r->share, dir, newname);
	if (ret == 0 && flags & RENAME_EXCHANGE)
		inode_moved(r->share, r->inode, name);
	inode_put(r->share, dir);
	return ret;
}

int do_rename(struct request *r)
{
	struct fuse_rename_in in;
	int ret = request_read(r, &in, sizeof(in));
	return ret == 0 ? rename_to(r, in.newdir, 0) : ret;
}

int do_rename2(struct request *r)
{
	struct fuse_rename2_in in;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0 && in.flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		ret = -EINVAL;
	return ret == 0 ? rename_to(r, in.newdir, in.flags) : ret;
}

/* A new name for a file, by its descriptor: linkat() of an O_PATH one asks for a capability. */
int do_link(struct request *r)
{
	struct fuse_link_in in;
	const char *name;
	struct inode *inode;
	struct statx stx;
	char fd_name[16];
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0)
		ret = request_name(r, &name);
	if (ret == 0)
		ret = inode_get(r->share, in.oldnodeid, &inode);
	if (ret != 0)
		return ret;
	snprintf(fd_name, sizeof(fd_name), "%d", inode->fd);
	ret = inode->is_sealed ? -EPERM
			       : result_of(linkat(r->share->proc_fd, fd_name, r->inode->fd, name,
						  AT_SYMLINK_FOLLOW));
	inode_put(r->share, inode);
	if (ret == 0)
		ret = inode_lookup(r->share, r->inode, name, &inode, &stx);
	return ret == 0 ? request_reply_entry(r, inode, &stx) : ret;
}

/* Files that are made and opened in one go. */

/* The O_PATH descriptor of what is open as @fd. */
static int path_of(const struct share *share, int fd)
{
	char name[16];
	snprintf(name, sizeof(name), "%d", fd);
	int path = openat(share->proc_fd, name, O_PATH | O_CLOEXEC);
	return path < 0 ? -errno : path;
}

/* Somebody else made @name meanwhile. */
static int open_existing(struct request *r, const char *name, int flags, struct inode **ret_inode,
			 struct statx *ret_stx)
{
	struct inode *inode;
	int fd = inode_lookup(r->share, r->inode, name, &inode, ret_stx);
	if (fd < 0)
		return fd;
	/* What is no file makes the guest look again. */
	fd = S_ISREG(inode->key.type) ? inode_open(r->share, inode, flags) : -ESTALE;
	if (fd >= 0) {
		*ret_inode = inode;
		return fd;
	}
	inode_forget(r->share, inode->id, 1);
	inode_put(r->share, inode);
	return fd;
}

static int reply_open_entry(struct request *r, int fd, struct inode *inode, int flags,
			    const struct statx *stx)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = {.open = {.open_flags = 0}};
	int ret = handle_add(r->share, inode, fd, flags, &out.open.fh);
	if (ret == 0) {
		if (r->share->opt.is_private)
			out.open.open_flags = FOPEN_KEEP_CACHE;
		request_fill_entry(r, inode, stx, &out.entry);
		request_reply(r, &out, sizeof(out));
	} else {
		inode_forget(r->share, inode->id, 1);
	}
	inode_put(r->share, inode);
	return ret;
}

int do_create(struct request *r)
{
	struct fuse_create_in in;
	const char *name;
	struct inode *inode;
	struct statx stx;
	int flags, ret = request_read(r, &in, sizeof(in));
	if (ret == 0)
		ret = request_open_flags(r, in.flags, &flags);
	if (ret == 0)
		ret = request_name(r, &name);
	if (ret == 0 && !handle_has_room(r->share))
		ret = -ENFILE;
	if (ret == 0)
		ret = request_act_as_guest(r);
	if (ret != 0)
		return ret;
	int fd = openat(r->inode->fd, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			in.mode & MODE_BITS);
	ret = result_of(fd);
	thread_act_as_self(r->thread);
	if (ret == 0) {
		int path = path_of(r->share, fd);
		ret = path < 0 ? path : inode_adopt(r->share, r->inode, name, path, &inode, &stx);
		if (ret != 0)
			close(fd);
	} else if (ret == -EEXIST && !(in.flags & O_EXCL)) {
		thread_clear_ids(r->thread, in.open_flags & FUSE_OPEN_KILL_SUIDGID);
		fd = open_existing(r, name, flags, &inode, &stx);
		thread_clear_ids(r->thread, false);
		ret = fd < 0 ? fd : 0;
	}
	return ret == 0 ? reply_open_entry(r, fd, inode, flags, &stx) : ret;
}

/* A file without a name. The one that the guest's kernel sends along says nothing. */
int do_tmpfile(struct request *r)
{
	struct fuse_create_in in;
	struct inode *inode;
	struct statx stx;
	int flags, ret = request_read(r, &in, sizeof(in));
	if (ret == 0)
		ret = request_open_flags(r, in.flags, &flags);
	if (ret == 0)
		ret = request_act_as_guest(r);
	if (ret != 0)
		return ret;
	int fd = openat(r->inode->fd, ".",
			O_TMPFILE | O_CLOEXEC | (flags & ~O_TRUNC) | (in.flags & O_EXCL),
			in.mode & MODE_BITS);
	ret = result_of(fd);
	thread_act_as_self(r->thread);
	if (ret != 0)
		return ret;
	int path = path_of(r->share, fd);
	ret = path < 0 ? path : inode_adopt(r->share, r->inode, NULL, path, &inode, &stx);
	if (ret != 0) {
		close(fd);
		return ret;
	}
	return reply_open_entry(r, fd, inode, flags, &stx);
}
