/*
 * A shared directory, as the parts of src/fs see it: what there is (this file), the guest's inodes
 * (inode.c), its open files (handle.c), who it acts as (ids.c), what it asks for (request.h).
 *
 * Requests run on the pool's threads, several at a time. Around each is the session's lock, shared;
 * who ends or replaces the session takes it alone. Inodes and handles are looked up and counted
 * under @lock; a request that holds one has it pinned and uses it without.
 */
#ifndef FS_SHARE_H
#define FS_SHARE_H

#include "slots.h"
#include <linux/capability.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <tinyvm/fs.h>

struct file_lock;
struct lock_wait;
struct share;

#define SHARE_THREADS_MAX 8
#define SHARE_INODES_MAX  (1u << 20) /* that a guest may remember */
#define SHARE_NAME_MAX	  255
#define SHARE_RANGES_MAX  16384 /* of bytes that are locked: memory, and time to look through */

/**
 * struct inode_key - what tells files of the host apart
 * @mount: a bind mount has its source's device and inode numbers, but is another place
 * @birth: when it was made, in ns: numbers of deleted files are used again. 0 where nobody knows
 * @type:  S_IFMT bits, for the same reason
 */
struct inode_key {
	uint64_t mount;
	uint64_t dev;
	uint64_t ino;
	uint64_t birth;
	uint32_t type;
};

/* Enough of a file's attributes to see that its contents have changed. */
struct inode_stamp {
	struct statx_timestamp mtime, ctime;
	uint64_t size;
};

/**
 * struct inode - a file or directory that the guest knows
 * @id:      its name for it (nodeid)
 * @fd:      O_PATH; -1 while it is closed because there are too many: it is opened again by its
 *           place, and if it is another file that is there now, the guest is told ESTALE
 * @is_sealed: a directory that looks empty
 * @is_restored: from a saved session, and not found yet
 * @is_recent: used since the search for one to close came by
 * @lookups: as the guest counts them; what FORGET takes back
 * @pins:    requests that are using it
 * @handles: open files
 * @children: inodes that have it as their parent
 * @parent, @name: where it was seen last; NULL for the root and for files that never had a name
 * @locks:   POSIX file locks by owner, under share->lock_lock
 * @stamp, @has_stamp: as it was at the last open
 * @next:    in the table by key, or in a list of dead ones
 *
 * It lives while it is looked up, pinned, open or has children.
 */
struct inode {
	uint64_t id;
	struct inode_key key;
	int fd;
	bool is_sealed;
	bool is_restored;
	bool is_recent;
	uint64_t lookups;
	unsigned pins;
	unsigned handles;
	unsigned children;
	struct inode *parent;
	char *name;
	struct file_lock *locks;
	struct inode_stamp stamp;
	bool has_stamp;
	struct inode *next;
};

/**
 * struct handle - an open file or directory
 * @id:    the guest's name for it (fh)
 * @flags: it was opened with
 * @pins:  requests that are using it
 * @is_released: it goes with the last of them
 * @dir_lock, @dir_position: of a directory: the offset that @fd stands at
 */
struct handle {
	uint64_t id;
	int fd;
	struct inode *inode;
	int flags;
	unsigned pins;
	bool is_released;
	pthread_mutex_t dir_lock;
	uint64_t dir_position;
};

/**
 * struct ids - who the server is
 * @can_act: as the guest's users, all of whose ids are the host's; else the guest's root is @uid
 */
struct ids {
	uid_t uid;
	gid_t gid;
	bool can_act;
};

/**
 * struct thread - one of the pool's
 * @has_own_fs: a umask (0) and a working directory (/proc/self/fd) of its own
 * @is_clearing: see thread_clear_ids()
 * @caps: its capabilities when it acts for itself
 */
struct thread {
	struct share *share;
	bool has_own_fs;
	bool is_clearing;
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
};

/**
 * struct share - a server for a directory
 * @root_fd: O_PATH
 * @proc_fd: /proc/self/fd, the way from an O_PATH descriptor to one for reading and writing
 * @paths_max, @handles_max, @locks_max: descriptors, of each kind
 * @is_running: the session has begun (INIT)
 * @inodes, @inode_hash: by number and by key; @hash_bits
 * @path_count: inodes with a descriptor
 * @hand: where the search for one to close goes on
 * @lock_lock: of what hangs below inode->locks, @lock_count descriptors with @range_count ranges in
 *           all, and of the @lock_waits for POSIX locks
 * @lock_search: how many searches for a deadlock there have been
 * @loop: that it is attached to; @loop_thread: of who runs it, with @has_loop_thread
 * @quick_head, @quick_tail: submitted, to be run there
 * @pooled: so many of them go to the pool instead, since some took long
 * @waiters: requests for file locks in flight, those with is_waiting not in the pool;
 *           @waiting_count of these
 */
struct share {
	struct fs fs;
	struct fs_share_options opt;
	struct ids ids;
	int root_fd;
	int proc_fd;
	unsigned paths_max, handles_max, locks_max;

	pthread_rwlock_t session_lock; /* of the next one, and of everything that hangs below */
	bool is_running;

	pthread_mutex_t lock; /* of everything in this paragraph */
	struct slots inodes;
	struct inode **inode_hash;
	unsigned hash_bits;
	unsigned path_count;
	uint32_t hand;
	struct slots handles;

	pthread_mutex_t lock_lock;
	unsigned lock_count, range_count;
	struct lock_wait *lock_waits;
	uint64_t lock_search;

	struct thread thread[SHARE_THREADS_MAX]; /* each its own */
	atomic_uint thread_count;

	struct pool *pool; /* from here on: the attached device's lock */
	struct evloop *loop;
	struct thread loop_thread;
	bool has_loop_thread;
	struct fs_req *quick_head, *quick_tail;
	unsigned pooled;
	struct evloop_fd *pool_handle, *timer_handle;
	int timer_fd;
	struct fs_req *waiters;
	unsigned waiting_count;
	bool is_draining;
	bool is_retry_due;
};

/* A single component, and none that leads up. Names below are such. */
bool share_name_is_good(const char *name);

/* Inodes. */

/* An empty table with the root in it. Return: 0 or -errno. */
int inode_table_init(struct share *share) __attribute__((warn_unused_result));

/* Ends them all. Nothing is pinned. */
void inode_table_clear(struct share *share);

/**
 * inode_get() - pin an inode, opened
 * Return: 0, -ENOENT for no such number, -ESTALE when it is not where it was, -ENFILE, -errno.
 */
int inode_get(struct share *share, uint64_t id, struct inode **ret_inode)
	__attribute__((warn_unused_result));
void inode_put(struct share *share, struct inode *inode);

/**
 * inode_lookup() - find @name in @parent, and count it as looked up
 * inode_adopt() - the same for a file that is open as @fd, whatever its name is; NULL for none
 * @ret_inode: pinned
 * @ret_stx: its attributes
 *
 * Return: 0 or -errno: -ENFILE when there are too many.
 */
int inode_lookup(struct share *share, struct inode *parent, const char *name,
		 struct inode **ret_inode, struct statx *ret_stx)
	__attribute__((warn_unused_result));
int inode_adopt(struct share *share, struct inode *parent, const char *name, int fd,
		struct inode **ret_inode, struct statx *ret_stx)
	__attribute__((warn_unused_result));

/* The guest forgets @count lookups. */
void inode_forget(struct share *share, uint64_t id, uint64_t count);

/* What has @name in @parent now has come there by a rename. */
void inode_moved(struct share *share, struct inode *parent, const char *name);

int inode_stat(const struct inode *inode, struct statx *ret_stx)
	__attribute__((warn_unused_result));

/* A descriptor for I/O on a regular file or directory; -EACCES for anything else. */
int inode_open(const struct share *share, const struct inode *inode, int flags)
	__attribute__((warn_unused_result));

/* Can this directory be shared? 0; -EINVAL: not this one; -ENOSYS: none on this host; -errno. */
int inode_probe(int root_fd) __attribute__((warn_unused_result));

/* Has the file's content changed since the last call? Remembers what it is like now. */
bool inode_is_unchanged(struct share *share, struct inode *inode, const struct statx *stx);

/*
 * A saved session: each inode, then each one's place, then all are looked for in the file system;
 * after the handles, those that nothing keeps alive go. inode_restore(): @saved->key is without
 * mount and dev, which may be others today. Return: 0, -ENOMEM, -EBADMSG for what cannot be.
 */
int inode_restore(struct share *share, const struct inode *saved)
	__attribute__((warn_unused_result));
int inode_restore_place(struct share *share, uint64_t id, uint64_t parent, const char *name)
	__attribute__((warn_unused_result));
void inode_restore_find(struct share *share);
void inode_restore_end(struct share *share);

/* Handles. */

/* Takes @fd over, also on failure. Return: 0, -ENFILE, -ENOMEM. */
int handle_add(struct share *share, struct inode *inode, int fd, int flags, uint64_t *ret_id)
	__attribute__((warn_unused_result));

/* Is there room for one more? So that nothing is made that then cannot be opened. */
bool handle_has_room(struct share *share);

/* Pins the open file @id, which must be @inode's. Return: 0 or -EBADF. */
int handle_get(struct share *share, uint64_t id, const struct inode *inode,
	       struct handle **ret_handle) __attribute__((warn_unused_result));
void handle_put(struct share *share, struct handle *handle);

/* Closes it as soon as nobody uses it. */
void handle_release(struct share *share, uint64_t id, const struct inode *inode);
void handle_table_clear(struct share *share);

static inline bool handle_is_dir(const struct handle *handle)
{
	return S_ISDIR(handle->inode->key.type);
}

/* A saved session's, after its inodes; one that cannot be opened any more gives EBADF. Then
 * slots_relink(&share->handles). Return: 0, -ENOMEM, -EBADMSG. */
int handle_restore(struct share *share, uint64_t id, uint64_t inode, int flags)
	__attribute__((warn_unused_result));

/* File locks: see lock.c. */
void file_locks_drop(struct share *share, struct inode *inode);

/* fs_ops.save and load: state.c. */
int share_save(struct fs *fs, void **ret_buf, size_t *ret_len);
int share_load(struct fs *fs, const void *buf, size_t len);

/* Closes everything that is the guest's. The session's lock is held alone. */
void share_end_session(struct share *share);

/* Ids. */

void ids_init(struct ids *ids);
uid_t ids_guest_uid(const struct ids *ids, uid_t uid);
gid_t ids_guest_gid(const struct ids *ids, gid_t gid);

/* The host's id for one that the guest wants a file to have. Return: 0 or -EPERM. */
int ids_host_uid(const struct ids *ids, uid_t uid, uid_t *ret_uid)
	__attribute__((warn_unused_result));
int ids_host_gid(const struct ids *ids, gid_t gid, gid_t *ret_gid)
	__attribute__((warn_unused_result));

void thread_begin(struct thread *thread, struct share *share);

/*
 * What the thread creates from now on belongs to the guest's user. The guest's kernel has seen to
 * what that user may do: directory permissions do not matter. Return: 0 or -EPERM.
 */
int thread_act_as(struct thread *thread, uid_t uid, gid_t gid) __attribute__((warn_unused_result));
void thread_act_as_self(struct thread *thread);

/* Writing to a file clears its set-id bits, as it does for whoever is not root. */
void thread_clear_ids(struct thread *thread, bool is_wanted);

#endif
