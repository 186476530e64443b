/*
 * File locks, shared with the host and with other guests.
 *
 * flock(2) locks belong to an open file, here and there. POSIX locks belong to a process of the
 * guest (its lock owner) and a file: each pair has a descriptor of its own, on which they are open
 * file description locks of the host. It is closed when the owner closes the file.
 *
 * A request that has to wait says -EAGAIN, and is run again when some lock may have gone.
 *
 * Left out on purpose: the detection of deadlocks.
 */
#include "request.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/**
 * struct file_lock - an owner's locks on a file
 * @fd:   for reading and writing where that is allowed
 * @next: on the same inode
 */
struct file_lock {
	uint64_t owner;
	int fd;
	struct file_lock *next;
};

/* share->lock_lock is held from here to the requests. */

static struct file_lock *file_lock_find(const struct inode *inode, uint64_t owner)
{
	struct file_lock *lock = inode->locks;
	while (lock && lock->owner != owner)
		lock = lock->next;
	return lock;
}

static int file_lock_open(const struct share *share, const struct inode *inode)
{
	int fd = inode_open(share, inode, O_RDWR);
	return fd < 0 ? inode_open(share, inode, O_RDONLY) : fd;
}

static int file_lock_add(struct share *share, struct inode *inode, uint64_t owner,
			 struct file_lock **ret_lock)
{
	if (share->lock_count >= share->locks_max)
		return -ENOLCK;
	struct file_lock *lock = malloc(sizeof(*lock));
	if (!lock)
		return -ENOMEM;
	int fd = file_lock_open(share, inode);
	if (fd < 0) {
		free(lock);
		return fd;
	}
	*lock = (struct file_lock){.owner = owner, .fd = fd, .next = inode->locks};
	inode->locks = lock;
	share->lock_count++;
	*ret_lock = lock;
	return 0;
}

static void file_lock_remove(struct share *share, struct inode *inode, struct file_lock *lock)
{
	struct file_lock **link = &inode->locks;
	while (*link != lock)
		link = &(*link)->next;
	*link = lock->next;
	close(lock->fd);
	free(lock);
	share->lock_count--;
}

void file_locks_drop(struct share *share, struct inode *inode)
{
	pthread_mutex_lock(&share->lock_lock);
	while (inode->locks)
		file_lock_remove(share, inode, inode->locks);
	pthread_mutex_unlock(&share->lock_lock);
}

void file_lock_close(struct request *r, uint64_t owner)
{
	pthread_mutex_lock(&r->share->lock_lock);
	struct file_lock *lock = file_lock_find(r->inode, owner);
	if (lock)
		file_lock_remove(r->share, r->inode, lock);
	pthread_mutex_unlock(&r->share->lock_lock);
}

/* Requests. */

static int lock_read(struct request *r, struct fuse_lk_in *ret_in, struct flock *ret_flock)
{
	int ret = request_read(r, ret_in, sizeof(*ret_in));
	if (ret != 0)
		return ret;
	const struct fuse_file_lock *lk = &ret_in->lk;
	if (lk->start > lk->end || lk->end > INT64_MAX ||
	    (lk->type != F_RDLCK && lk->type != F_WRLCK && lk->type != F_UNLCK))
		return -EINVAL;
	*ret_flock = (struct flock){
		.l_type = (short)lk->type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)lk->start,
		.l_len = lk->end == INT64_MAX ? 0 : (off_t)(lk->end - lk->start + 1),
	};
	return 0;
}

int do_getlk(struct request *r)
{
	struct fuse_lk_in in;
	struct flock flock;
	struct handle *handle;
	int ret = lock_read(r, &in, &flock);
	if (ret == 0)
		ret = handle_get(r->share, in.fh, r->inode, &handle);
	if (ret != 0)
		return ret;
	pthread_mutex_lock(&r->share->lock_lock);
	const struct file_lock *own = file_lock_find(r->inode, in.owner);
	int fd = own ? own->fd : file_lock_open(r->share, r->inode);
	ret = fd < 0 ? fd : fcntl(fd, F_OFD_GETLK, &flock) < 0 ? -errno : 0;
	if (!own && fd >= 0)
		close(fd);
	pthread_mutex_unlock(&r->share->lock_lock);
	handle_put(r->share, handle);
	if (ret != 0)
		return ret;
	struct fuse_lk_out out = {.lk = {.type = (uint32_t)flock.l_type}};
	if (flock.l_type != F_UNLCK) {
		out.lk.start = (uint64_t)flock.l_start;
		out.lk.end = flock.l_len ? (uint64_t)(flock.l_start + flock.l_len - 1) : INT64_MAX;
	}
	request_reply(r, &out, sizeof(out));
	return 0;
}

static int set_flock(const struct handle *handle, uint32_t type)
{
	int op = type == F_RDLCK ? LOCK_SH : type == F_WRLCK ? LOCK_EX : LOCK_UN;
	return flock(handle->fd, op | LOCK_NB) < 0 ? -errno : 0;
}

static int set_posix(struct request *r, uint64_t owner, struct flock *flock)
{
	struct file_lock *lock;
	int ret = 0;
	pthread_mutex_lock(&r->share->lock_lock);
	lock = file_lock_find(r->inode, owner);
	if (!lock && flock->l_type != F_UNLCK)
		ret = file_lock_add(r->share, r->inode, owner, &lock);
	if (ret == 0 && lock && fcntl(lock->fd, F_OFD_SETLK, flock) < 0)
		ret = errno == EACCES ? -EAGAIN : -errno;
	pthread_mutex_unlock(&r->share->lock_lock);
	return ret;
}

/* SETLK and SETLKW: who waits does so in share.c. */
int do_setlk(struct request *r)
{
	struct fuse_lk_in in;
	struct flock flock;
	struct handle *handle;
	int ret = lock_read(r, &in, &flock);
	if (ret == 0)
		ret = handle_get(r->share, in.fh, r->inode, &handle);
	if (ret != 0)
		return ret;
	if (in.lk_flags & FUSE_LK_FLOCK)
		ret = set_flock(handle, in.lk.type);
	else
		ret = set_posix(r, in.owner, &flock);
	handle_put(r->share, handle);
	return ret;
}
