/*
 * The inodes that the guest knows.
 *
 * Each is held by an O_PATH descriptor, so that it stays the same file whatever happens to its
 * names. There may be more of them than descriptors: then the ones that were not used for a while
 * lose theirs, and are opened again by the place where they were seen last, when they are wanted.
 * If that is another file by then, the guest gets ESTALE, and looks the name up anew. Open files
 * keep theirs, so a file that is deleted and still open is safe from that.
 *
 * A name is always a single component, opened without following a link, so nothing leads out of
 * the tree: neither what the guest asks for nor what somebody renames meanwhile.
 */
#include "share.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define STAT_MASK	(STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)
#define HASH_BITS_FIRST 8
#define DEPTH_MAX	4096 /* of the places of inodes, one in the other */

/* The host kernel's own file systems: nothing a guest should see, and reading may block. */
static const uint32_t kernel_magic[] = {
	PROC_SUPER_MAGIC, SYSFS_MAGIC,	      CGROUP_SUPER_MAGIC,      CGROUP2_SUPER_MAGIC,
	DEBUGFS_MAGIC,	  TRACEFS_MAGIC,      SECURITYFS_MAGIC,	       SELINUX_MAGIC,
	BPF_FS_MAGIC,	  EFIVARFS_MAGIC,     PSTOREFS_MAGIC,	       0x62656570 /* configfs */,
	BINFMTFS_MAGIC,	  DEVPTS_SUPER_MAGIC, 0x19800202 /* mqueue */, NSFS_MAGIC,
};

/* Keys. */

static uint32_t key_hash(const struct inode_key *key, unsigned bits)
{
	uint64_t h =
		key->ino * 0x9e3779b97f4a7c15ull ^ key->dev * 0xc2b2ae3d27d4eb4full ^ key->mount;
	h *= 0x9e3779b97f4a7c15ull;
	return (uint32_t)(h >> (64 - bits));
}

static bool key_is_equal(const struct inode_key *a, const struct inode_key *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->mount == b->mount &&
	       a->birth == b->birth && a->type == b->type;
}

static struct inode_key key_of(const struct statx *stx)
{
	return (struct inode_key){
		.mount = stx->stx_mask & STATX_MNT_ID ? stx->stx_mnt_id : 0,
		.dev = (uint64_t)stx->stx_dev_major << 32 | stx->stx_dev_minor,
		.ino = stx->stx_ino,
		.birth = stx->stx_mask & STATX_BTIME
				 ? (uint64_t)stx->stx_btime.tv_sec * 1000000000 +
					   stx->stx_btime.tv_nsec
				 : 0,
		.type = stx->stx_mode & S_IFMT,
	};
}

static struct inode **hash_bucket(const struct share *share, const struct inode_key *key)
{
	return &share->inode_hash[key_hash(key, share->hash_bits)];
}

static struct inode *hash_find(const struct share *share, const struct inode_key *key)
{
	struct inode *inode = *hash_bucket(share, key);
	while (inode && !key_is_equal(&inode->key, key))
		inode = inode->next;
	return inode;
}

static void hash_insert(struct share *share, struct inode *inode)
{
	struct inode **bucket = hash_bucket(share, &inode->key);
	inode->next = *bucket;
	*bucket = inode;
}

static void hash_remove(struct share *share, struct inode *inode)
{
	struct inode **link = hash_bucket(share, &inode->key);
	while (*link != inode)
		link = &(*link)->next;
	*link = inode->next;
}

/* Twice as many buckets; if there is no memory for them, longer lists. */
static void hash_grow(struct share *share)
{
	struct inode **old = share->inode_hash;
	size_t count = (size_t)1 << share->hash_bits;
	if (share->inodes.used <= count)
		return;
	struct inode **hash = calloc(count * 2, sizeof(struct inode *));
	if (!hash)
		return;
	share->inode_hash = hash;
	share->hash_bits++;
	for (size_t i = 0; i < count; i++) {
		for (struct inode *inode = old[i], *next; inode; inode = next) {
			next = inode->next;
			hash_insert(share, inode);
		}
	}
	free(old);
}

/* System calls. */

static int fd_stat(int fd, struct statx *ret_stx)
{
	if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STAT_MASK,
		  ret_stx) != 0)
		return -errno;
	return 0;
}

/* @name in the directory @dirfd, as O_PATH. Return: a descriptor or -errno. */
static int fd_open_path(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

int inode_stat(const struct inode *inode, struct statx *ret_stx)
{
	return fd_stat(inode->fd, ret_stx);
}

int inode_open(const struct share *share, const struct inode *inode, int flags)
{
	char name[16];
	if (!S_ISREG(inode->key.type) && !S_ISDIR(inode->key.type))
		return -EACCES;
	snprintf(name, sizeof(name), "%d", inode->fd);
	int fd = openat(share->proc_fd, name, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static bool is_kernels_own(int fd)
{
	struct statfs st;
	if (fstatfs(fd, &st) != 0)
		return false;
	for (unsigned i = 0; i < sizeof(kernel_magic) / sizeof(kernel_magic[0]); i++) {
		if ((uint32_t)st.f_type == kernel_magic[i])
			return true;
	}
	return false;
}

/* Does the directory @fd, found in @parent, look empty? */
static bool is_sealed_there(const struct share *share, const struct inode *parent, int fd,
			    const struct statx *stx)
{
	struct inode_key key = key_of(stx);
	bool is_crossing = key.mount && parent->key.mount ? key.mount != parent->key.mount
							  : key.dev != parent->key.dev;
	return S_ISDIR(stx->stx_mode) && is_crossing &&
	       (share->opt.is_one_filesystem || is_kernels_own(fd));
}

/* Life and death. Here and below share->lock is held, but where it says that it is taken. */

/* Inodes that are out of the tables, to be freed without the lock: closing may take its time. */
struct dead {
	struct inode *head;
};

static void dead_free(struct share *share, struct dead *dead)
{
	while (dead->head) {
		struct inode *inode = dead->head;
		dead->head = inode->next;
		file_locks_drop(share, inode);
		if (inode->fd >= 0)
			close(inode->fd);
		free(inode->name);
		free(inode);
	}
}

/* After something that kept @inode alive has gone; its parent may follow it. */
static void inode_settle(struct share *share, struct inode *inode, struct dead *dead)
{
	while (inode && !inode->lookups && !inode->pins && !inode->handles && !inode->children &&
	       inode->id != FUSE_ROOT_ID) {
		struct inode *parent = inode->parent;
		hash_remove(share, inode);
		slots_remove(&share->inodes, inode->id);
		if (inode->fd >= 0)
			share->path_count--;
		inode->next = dead->head;
		dead->head = inode;
		if (parent)
			parent->children--;
		inode = parent;
	}
}

/* Is @inode @below, or above it? Also when there is no end to it. */
static bool inode_is_above(const struct inode *inode, const struct inode *below)
{
	for (unsigned i = 0; below; below = below->parent) {
		if (below == inode || ++i > DEPTH_MAX)
			return true;
	}
	return false;
}

/*
 * Notes where @inode was seen. Places of other inodes may be out of date, but must not form a ring.
 */
static void inode_set_place(struct share *share, struct inode *inode, struct inode *parent,
			    const char *name, struct dead *dead)
{
	struct inode *old = inode->parent;
	if (!name || inode->id == FUSE_ROOT_ID ||
	    (old == parent && inode->name && strcmp(inode->name, name) == 0) ||
	    inode_is_above(inode, parent))
		return;
	char *copy = strdup(name);
	if (!copy)
		return; /* the old place may do */
	free(inode->name);
	inode->name = copy;
	inode->parent = parent;
	parent->children++;
	if (old) {
		old->children--;
		inode_settle(share, old, dead);
	}
}

/* Descriptors. */

/* Makes sure that one more is allowed. @ret_close: one to close after the lock, -1 for none. */
static int paths_make_room(struct share *share, int *ret_close)
{
	*ret_close = -1;
	if (share->path_count < share->paths_max)
		return 0;
	for (uint64_t i = 0; i < (uint64_t)share->inodes.count * 2; i++) {
		if (share->hand >= share->inodes.count)
			share->hand = 0;
		struct inode *inode = slots_at(&share->inodes, share->hand++);
		if (!inode || inode->fd < 0 || inode->pins || inode->handles ||
		    inode->id == FUSE_ROOT_ID)
			continue;
		if (inode->is_recent) {
			inode->is_recent = false;
			continue;
		}
		*ret_close = inode->fd;
		inode->fd = -1;
		share->path_count--;
		return 0;
	}
	return -ENFILE;
}

static void inode_set_fd(struct share *share, struct inode *inode, int fd)
{
	inode->fd = fd;
	inode->is_recent = true;
	share->path_count++;
}

/* Is that it? */
static int inode_recognize(struct share *share, struct inode *inode, const struct statx *stx)
{
	struct inode_key key = key_of(stx);
	if (inode->is_restored) {
		if (key.ino != inode->key.ino || key.birth != inode->key.birth ||
		    key.type != inode->key.type)
			return -ESTALE;
		hash_remove(share, inode);
		inode->key = key;
		hash_insert(share, inode);
		inode->is_restored = false;
	}
	return key_is_equal(&key, &inode->key) ? 0 : -ESTALE;
}

/* Opens @inode by its place; its parent is open. */
static int inode_reopen_one(struct share *share, struct inode *inode)
{
	struct statx stx;
	int victim, fd = fd_open_path(inode->parent->fd, inode->name);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? -ESTALE : fd;
	int ret = fd_stat(fd, &stx);
	if (ret == 0)
		ret = inode_recognize(share, inode, &stx);
	inode->parent->pins++;
	if (ret == 0)
		ret = paths_make_room(share, &victim);
	inode->parent->pins--;
	if (ret != 0) {
		close(fd);
		return ret;
	}
	if (victim >= 0)
		close(victim);
	inode_set_fd(share, inode, fd);
	return 0;
}

/* Opens @inode, and for that what is above it as far as need be. */
static int inode_reopen(struct share *share, struct inode *inode)
{
	for (unsigned i = 0; inode->fd < 0 && i < DEPTH_MAX; i++) {
		struct inode *top = inode;
		while (top->parent && top->parent->fd < 0)
			top = top->parent;
		if (!top->parent)
			return -ESTALE; /* has no place */
		int ret = inode_reopen_one(share, top);
		if (ret != 0)
			return ret;
	}
	return inode->fd < 0 ? -ESTALE : 0;
}

/* What requests call; these take the lock. */

int inode_get(struct share *share, uint64_t id, struct inode **ret_inode)
{
	int ret = -ENOENT;
	pthread_mutex_lock(&share->lock);
	struct inode *inode = slots_get(&share->inodes, id);
	if (inode)
		ret = inode->fd < 0 ? inode_reopen(share, inode) : 0;
	if (ret == 0) {
		inode->pins++;
		inode->is_recent = true;
		*ret_inode = inode;
	}
	pthread_mutex_unlock(&share->lock);
	return ret;
}

void inode_put(struct share *share, struct inode *inode)
{
	struct dead dead = {NULL};
	if (!inode)
		return;
	pthread_mutex_lock(&share->lock);
	inode->pins--;
	inode_settle(share, inode, &dead);
	pthread_mutex_unlock(&share->lock);
	dead_free(share, &dead);
}

void inode_forget(struct share *share, uint64_t id, uint64_t count)
{
	struct dead dead = {NULL};
	pthread_mutex_lock(&share->lock);
	struct inode *inode = slots_get(&share->inodes, id);
	if (inode && id != FUSE_ROOT_ID) {
		inode->lookups -= count < inode->lookups ? count : inode->lookups;
		inode_settle(share, inode, &dead);
	}
	pthread_mutex_unlock(&share->lock);
	dead_free(share, &dead);
}

/* A new inode, not open yet. */
static int inode_create(struct share *share, const struct inode_key *key, struct inode **ret_inode)
{
	if (share->inodes.used >= SHARE_INODES_MAX)
		return -ENFILE;
	struct inode *inode = calloc(1, sizeof(*inode));
	if (!inode)
		return -ENOMEM;
	inode->key = *key;
	inode->fd = -1;
	if (slots_add(&share->inodes, inode, &inode->id) != 0) {
		free(inode);
		return -ENOMEM;
	}
	hash_grow(share);
	hash_insert(share, inode);
	*ret_inode = inode;
	return 0;
}

/* Makes @fd the inode's, or leaves it to be closed. @fd becomes what is to be closed. */
static int inode_take_fd(struct share *share, struct inode *inode, int *fd)
{
	int victim;
	if (inode->fd >= 0)
		return 0;
	int ret = paths_make_room(share, &victim);
	if (ret != 0)
		return ret;
	inode_set_fd(share, inode, *fd);
	*fd = victim;
	return 0;
}

int inode_adopt(struct share *share, struct inode *parent, const char *name, int fd,
		struct inode **ret_inode, struct statx *ret_stx)
{
	struct dead dead = {NULL};
	int ret = fd_stat(fd, ret_stx);
	if (ret != 0) {
		close(fd);
		return ret;
	}
	struct inode_key key = key_of(ret_stx);
	bool is_sealed = is_sealed_there(share, parent, fd, ret_stx);

	pthread_mutex_lock(&share->lock);
	struct inode *inode = hash_find(share, &key);
	if (!inode) {
		ret = inode_create(share, &key, &inode);
		if (ret == 0)
			inode->is_sealed = is_sealed;
	}
	if (ret == 0) {
		inode->pins++; /* first: it must outlive the search for a descriptor to close */
		ret = inode_take_fd(share, inode, &fd);
		if (ret == 0) {
			inode->lookups++;
			inode->is_recent = true;
			inode_set_place(share, inode, parent, name, &dead);
			*ret_inode = inode;
		} else {
			inode->pins--;
			inode_settle(share, inode, &dead);
		}
	}
	pthread_mutex_unlock(&share->lock);
	if (fd >= 0)
		close(fd);
	dead_free(share, &dead);
	return ret;
}

int inode_lookup(struct share *share, struct inode *parent, const char *name,
		 struct inode **ret_inode, struct statx *ret_stx)
{
	int fd = fd_open_path(parent->fd, name);
	return fd < 0 ? fd : inode_adopt(share, parent, name, fd, ret_inode, ret_stx);
}

void inode_moved(struct share *share, struct inode *parent, const char *name)
{
	struct dead dead = {NULL};
	struct statx stx;
	if (statx(parent->fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STAT_MASK, &stx) != 0)
		return;
	struct inode_key key = key_of(&stx);
	pthread_mutex_lock(&share->lock);
	struct inode *inode = hash_find(share, &key);
	if (inode)
		inode_set_place(share, inode, parent, name, &dead);
	pthread_mutex_unlock(&share->lock);
	dead_free(share, &dead);
}

static bool time_is_equal(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool inode_is_unchanged(struct share *share, struct inode *inode, const struct statx *stx)
{
	struct inode_stamp stamp = {
		.mtime = stx->stx_mtime, .ctime = stx->stx_ctime, .size = stx->stx_size};
	struct timespec now;
	/* A file that was changed just now can be changed again without its times telling. */
	bool is_settled =
		clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec > stamp.ctime.tv_sec + 1;

	pthread_mutex_lock(&share->lock);
	bool is_unchanged = inode->has_stamp && inode->stamp.size == stamp.size &&
			    time_is_equal(&inode->stamp.mtime, &stamp.mtime) &&
			    time_is_equal(&inode->stamp.ctime, &stamp.ctime);
	inode->stamp = stamp;
	inode->has_stamp = is_settled;
	pthread_mutex_unlock(&share->lock);
	return is_unchanged;
}

int inode_probe(int root_fd)
{
	int fd = fd_open_path(root_fd, ".");
	if (fd < 0)
		return fd;
	int ret = is_kernels_own(fd) ? -EINVAL : 0;
	close(fd);
	return ret;
}

/* The table. Nobody else is there yet, or any more. */

int inode_table_init(struct share *share)
{
	struct statx stx;
	struct inode *root;
	int ret = fd_stat(share->root_fd, &stx);
	if (ret != 0)
		return ret;
	struct inode_key key = key_of(&stx);
	share->hash_bits = HASH_BITS_FIRST;
	share->inode_hash = calloc((size_t)1 << HASH_BITS_FIRST, sizeof(struct inode *));
	if (!share->inode_hash)
		return -ENOMEM;
	ret = inode_create(share, &key, &root);
	if (ret != 0) {
		inode_table_clear(share);
		return ret;
	}
	assert(root->id == FUSE_ROOT_ID);
	root->fd = share->root_fd;
	return 0;
}

int inode_restore(struct share *share, const struct inode *saved)
{
	struct inode *inode = malloc(sizeof(*inode));
	if (!inode)
		return -ENOMEM;
	*inode = (struct inode){.id = saved->id,
				.key = saved->key,
				.fd = -1,
				.is_sealed = saved->is_sealed,
				.is_restored = true,
				.lookups = saved->lookups};
	int ret = slots_add_at(&share->inodes, inode, inode->id, SHARE_INODES_MAX);
	if (ret != 0) {
		free(inode);
		return ret;
	}
	hash_grow(share);
	hash_insert(share, inode);
	return 0;
}

int inode_restore_place(struct share *share, uint64_t id, uint64_t parent_id, const char *name)
{
	struct dead none = {NULL};
	struct inode *inode = slots_get(&share->inodes, id);
	struct inode *parent = slots_get(&share->inodes, parent_id);
	if (!inode || inode->parent || !parent || parent->key.type != S_IFDIR)
		return -EBADMSG;
	inode_set_place(share, inode, parent, name, &none);
	return inode->parent ? 0 : -EBADMSG;
}

/* What is not found is ESTALE when the guest asks for it. */
void inode_restore_find(struct share *share)
{
	slots_relink(&share->inodes);
	for (uint32_t i = 0; i < share->inodes.count; i++) {
		struct inode *inode = slots_at(&share->inodes, i);
		if (inode && inode->fd < 0)
			inode_reopen(share, inode);
	}
}

void inode_restore_end(struct share *share)
{
	struct dead dead = {NULL};
	for (uint32_t i = 0; i < share->inodes.count; i++) {
		struct inode *inode = slots_at(&share->inodes, i);
		if (inode)
			inode_settle(share, inode, &dead);
	}
	dead_free(share, &dead);
}

void inode_table_clear(struct share *share)
{
	for (uint32_t i = 0; i < share->inodes.count; i++) {
		struct inode *inode = slots_at(&share->inodes, i);
		if (!inode)
			continue;
		file_locks_drop(share, inode);
		if (inode->fd >= 0 && inode->fd != share->root_fd)
			close(inode->fd);
		free(inode->name);
		free(inode);
	}
	slots_clear(&share->inodes);
	free(share->inode_hash);
	share->inode_hash = NULL;
	share->path_count = 0;
	share->hand = 0;
}
