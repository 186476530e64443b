/*
 * File locks, shared with the host and with other guests.
 *
 * flock(2) locks belong to an open file, here and there. POSIX locks belong to a process of the
 * guest (its lock owner) and a file: each pair has a descriptor of its own, on which they are open
 * file description locks of the host. It is closed when the owner closes the file (FLUSH). The
 * guest's own open file description locks look the same but for an owner that never does; they go
 * with the handle that they were set by (RELEASE), when POSIX locks set by it are gone.
 *
 * A request that has to wait says -EAGAIN, and is run again when some lock may have gone.
 *
 * Deadlocks: who waits for a POSIX lock is blocked by the owners that hold some of those bytes, who
 * may be waiting themselves, for locks on any file of the share. A request that would close such a
 * circle gets -EDEADLK, as on the file systems of Linux. Nothing else ends it: a guest cannot even
 * kill the processes, since virtiofs tells of no interrupt. The host's kernel sees no owners, so
 * what they hold is remembered here, too. Every try looks anew.
 *
 * Left out on purpose: circles through locks of the host, of other guests or of another share, and
 * through flock(2) locks, whose owners nobody knows (Linux leaves these out as well). A guest's
 * open file description locks are taken for POSIX locks. A process whose threads wait for several
 * locks is one owner, as in Linux.
 */
#include "ranges.h"
#include "request.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

/**
 * struct file_lock - an owner's locks on a file
 * @fh:     the guest's handle by which the last was set
 * @fd:     for reading and writing where that is allowed
 * @ranges: what is locked on it
 * @search: that has come by here, see share->lock_search
 * @next:   on the same inode
 */
struct file_lock {
	uint64_t owner;
	uint64_t fh;
	int fd;
	struct ranges ranges;
	uint64_t search;
	struct file_lock *next;
};

/**
 * struct lock_wait - an owner that waits for a lock, from one try to the next
 * @req:   its request, only a name here
 * @inode: one that is gone has no waits
 * @search: that has come by here
 * @next:  in share->lock_waits, FS_INFLIGHT_MAX at most
 * @found: the next that this search has to look at
 */
struct lock_wait {
	const struct fs_req *req;
	const struct inode *inode;
	uint64_t owner;
	struct range range;
	uint64_t search;
	struct lock_wait *next;
	struct lock_wait *found;
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
	share->range_count -= lock->ranges.count;
	ranges_clear(&lock->ranges);
	free(lock);
	share->lock_count--;
}

static struct flock flock_of(const struct range *range)
{
	bool is_to_the_end = range->end == INT64_MAX;
	return (struct flock){
		.l_type = range->type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)range->start,
		.l_len = is_to_the_end ? 0 : (off_t)(range->end - range->start + 1),
	};
}

/* Asks the host, and remembers what it has granted. Return: -EAGAIN: somebody is in the way. */
static int file_lock_set(struct share *share, struct file_lock *lock, const struct range *range)
{
	struct flock flock = flock_of(range);
	struct ranges_edit edit;
	int ret = ranges_prepare(&lock->ranges, range, &edit);
	if (ret != 0)
		return ret;
	unsigned count = share->range_count - edit.removed + edit.added_count;
	if (count > share->range_count && count > SHARE_RANGES_MAX)
		return -ENOLCK;
	if (fcntl(lock->fd, F_OFD_SETLK, &flock) < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	ranges_apply(&lock->ranges, &edit);
	share->range_count = count;
	return 0;
}

/* Who waits for whom. */

/* Appends to the search, which ends with @tail, what the @owner waits for. */
static void lock_waits_find(struct share *share, uint64_t owner, struct lock_wait **tail)
{
	for (struct lock_wait *wait = share->lock_waits; wait; wait = wait->next) {
		if (wait->owner != owner || wait->search == share->lock_search)
			continue;
		wait->search = share->lock_search;
		wait->found = NULL;
		(*tail)->found = wait;
		*tail = wait;
	}
}

/*
 * Would @wait's owner wait for itself, be it with others in between? An owner and the inode that it
 * has locked, and each wait, are followed once in a search.
 */
static bool lock_wait_is_circle(struct share *share, struct lock_wait *wait)
{
	struct lock_wait *tail = wait;
	share->lock_search++;
	for (struct lock_wait *at = wait; at; at = at->found) {
		for (struct file_lock *lock = at->inode->locks; lock; lock = lock->next) {
			if (lock->search == share->lock_search || lock->owner == at->owner ||
			    !ranges_conflict(&lock->ranges, &at->range))
				continue;
			if (lock->owner == wait->owner)
				return true;
			lock->search = share->lock_search;
			lock_waits_find(share, lock->owner, &tail);
		}
	}
	return false;
}

/* Return: -EAGAIN: it waits; -EDEADLK, -ENOMEM. */
static int lock_wait_add(struct request *r, uint64_t owner, const struct range *range)
{
	struct share *share = r->share;
	struct lock_wait *wait = malloc(sizeof(*wait));
	if (!wait)
		return -ENOMEM;
	*wait = (struct lock_wait){
		.req = r->req, .inode = r->inode, .owner = owner, .range = *range};
	if (lock_wait_is_circle(share, wait)) {
		free(wait);
		return -EDEADLK;
	}
	wait->next = share->lock_waits;
	share->lock_waits = wait;
	return -EAGAIN;
}

/* Those of a request or on an inode. */
static void lock_waits_remove(struct share *share, const struct fs_req *req,
			      const struct inode *inode)
{
	struct lock_wait **link = &share->lock_waits, *wait;
	while ((wait = *link)) {
		if (wait->req == req || wait->inode == inode) {
			*link = wait->next;
			free(wait);
		} else {
			link = &wait->next;
		}
	}
}

/* Locks that end. */

void file_locks_drop(struct share *share, struct inode *inode)
{
	pthread_mutex_lock(&share->lock_lock);
	lock_waits_remove(share, NULL, inode);
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

void file_lock_release(struct request *r, uint64_t fh)
{
	pthread_mutex_lock(&r->share->lock_lock);
	for (struct file_lock *lock = r->inode->locks, *next; lock; lock = next) {
		next = lock->next;
		if (lock->fh == fh)
			file_lock_remove(r->share, r->inode, lock);
	}
	pthread_mutex_unlock(&r->share->lock_lock);
}

void file_lock_wait_end(struct share *share, const struct fs_req *req)
{
	pthread_mutex_lock(&share->lock_lock);
	lock_waits_remove(share, req, NULL);
	pthread_mutex_unlock(&share->lock_lock);
}

/* Requests. */

static int lock_read(struct request *r, struct fuse_lk_in *ret_in, struct range *ret_range)
{
	int ret = request_read(r, ret_in, sizeof(*ret_in));
	if (ret != 0)
		return ret;
	const struct fuse_file_lock *lk = &ret_in->lk;
	if (lk->start > lk->end || lk->end > INT64_MAX ||
	    (lk->type != F_RDLCK && lk->type != F_WRLCK && lk->type != F_UNLCK))
		return -EINVAL;
	*ret_range = (struct range){.start = lk->start, .end = lk->end, .type = (short)lk->type};
	return 0;
}

int do_getlk(struct request *r)
{
	struct fuse_lk_in in;
	struct range range;
	struct handle *handle;
	int ret = lock_read(r, &in, &range);
	if (ret == 0)
		ret = handle_get(r->share, in.fh, r->inode, &handle);
	if (ret != 0)
		return ret;
	struct flock flock = flock_of(&range);
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

static int set_posix(struct request *r, const struct fuse_lk_in *in, const struct range *range)
{
	struct share *share = r->share;
	struct file_lock *lock;
	int ret = 0;
	pthread_mutex_lock(&share->lock_lock);
	lock_waits_remove(share, r->req, NULL); /* of the last try */
	lock = file_lock_find(r->inode, in->owner);
	if (!lock && range->type != F_UNLCK)
		ret = file_lock_add(share, r->inode, in->owner, &lock);
	if (ret == 0 && lock) {
		lock->fh = in->fh;
		ret = file_lock_set(share, lock, range);
	}
	if (ret == -EAGAIN && r->req->header.opcode == FUSE_SETLKW)
		ret = lock_wait_add(r, in->owner, range);
	pthread_mutex_unlock(&share->lock_lock);
	return ret;
}

/* SETLK and SETLKW: who waits does so in share.c. */
int do_setlk(struct request *r)
{
	struct fuse_lk_in in;
	struct range range;
	struct handle *handle;
	int ret = lock_read(r, &in, &range);
	if (ret == 0)
		ret = handle_get(r->share, in.fh, r->inode, &handle);
	if (ret != 0)
		return ret;
	if (in.lk_flags & FUSE_LK_FLOCK)
		ret = set_flock(handle, in.lk.type);
	else
		ret = set_posix(r, &in, &range);
	handle_put(r->share, handle);
	return ret;
}
