/*
 * A request while it runs (private to src/fs): what it asks for, and how it is answered.
 *
 * A request's function returns 0 or the -errno that the guest gets. The table in dispatch.c has
 * seen to it that there is room for an answer of fixed size before the function runs.
 */
#ifndef FS_REQUEST_H
#define FS_REQUEST_H

#include "share.h"

/**
 * struct request - on one of the pool's threads
 * @inode: header.nodeid, pinned
 * @args, @args_left: not read yet
 */
struct request {
	struct share *share;
	struct thread *thread;
	struct fs_req *req;
	struct inode *inode;
	const uint8_t *args;
	size_t args_left;
};

/* Copies the next @len bytes of the arguments. Return: 0 or -EINVAL when there are fewer. */
int request_read(struct request *r, void *ret_buf, size_t len) __attribute__((warn_unused_result));

/* The next argument that is a string of up to @max bytes. -EINVAL, -ENAMETOOLONG, -ENOENT: empty */
int request_string(struct request *r, size_t max, const char **ret_text)
	__attribute__((warn_unused_result));

/* The next argument that is the name of a directory's entry; "." and ".." are none. */
int request_name(struct request *r, const char **ret_name) __attribute__((warn_unused_result));

/* The answer, a copy; of up to sizeof(req->small) bytes. */
void request_reply(struct request *r, const void *buf, size_t len);

/* Memory for an answer of up to @len bytes; r->req->reply_len says how long it is. NULL: none. */
void *request_reserve(struct request *r, size_t len);

/* How long the guest may believe names and attributes, in seconds. */
uint64_t request_timeout(const struct request *r);

void request_fill_attr(const struct request *r, const struct statx *stx, struct fuse_attr *ret);
void request_fill_entry(const struct request *r, const struct inode *inode, const struct statx *stx,
			struct fuse_entry_out *ret);

/* The flags to open a file with, from the guest's. Return: 0, -EINVAL, -EROFS. */
int request_open_flags(const struct request *r, uint32_t guest_flags, int *ret_flags)
	__attribute__((warn_unused_result));

/* Answers with @inode's entry, looked up just now, and lets go of it. */
int request_reply_entry(struct request *r, struct inode *inode, const struct statx *stx);

/* Answers with the attributes of r->inode. */
int request_reply_attr(struct request *r);

/* Pins @id as the second directory of a request that changes it. */
int request_get_dir(struct request *r, uint64_t id, struct inode **ret_inode)
	__attribute__((warn_unused_result));

/* What the thread creates is the guest's user's, who sent the request; thread_act_as_self() ends
 * it. */
int request_act_as_guest(struct request *r) __attribute__((warn_unused_result));

/* The path of an inode for system calls without a descriptor's place: room for it in @buf. */
#define FD_PATH_MAX 32
const char *request_fd_path(const struct request *r, const struct inode *inode,
			    char buf[FD_PATH_MAX]);

/* Is it one that the host's caches mostly answer at once? */
bool request_is_quick(const struct fs_req *req);

/* Runs a request, on one of the share's threads. Its answer is in @req. */
void request_run(struct share *share, struct thread *thread, struct fs_req *req);

/* The requests. */
int do_init(struct request *r);
int do_destroy(struct request *r);

int do_lookup(struct request *r);
int do_forget(struct request *r);
int do_batch_forget(struct request *r);
int do_symlink(struct request *r);
int do_mknod(struct request *r);
int do_mkdir(struct request *r);
int do_unlink(struct request *r);
int do_rmdir(struct request *r);
int do_rename(struct request *r);
int do_rename2(struct request *r);
int do_link(struct request *r);
int do_create(struct request *r);
int do_tmpfile(struct request *r);

int do_getattr(struct request *r);
int do_setattr(struct request *r);
int do_readlink(struct request *r);
int do_statfs(struct request *r);
int do_access(struct request *r);
int do_syncfs(struct request *r);

int do_open(struct request *r);
int do_read(struct request *r);
int do_write(struct request *r);
int do_release(struct request *r);
int do_flush(struct request *r);
int do_fsync(struct request *r);
int do_fallocate(struct request *r);
int do_lseek(struct request *r);
int do_copy_file_range(struct request *r);

int do_opendir(struct request *r);
int do_readdir(struct request *r);
int do_readdirplus(struct request *r);

int do_setxattr(struct request *r);
int do_getxattr(struct request *r);
int do_listxattr(struct request *r);
int do_removexattr(struct request *r);

int do_getlk(struct request *r);
int do_setlk(struct request *r);

/* The lock's owner closes the file: POSIX locks go (see lock.c). */
void file_lock_close(struct request *r, uint64_t owner);

/* The handle is no more: locks that it was the owner of go. */
void file_lock_release(struct request *r, uint64_t fh);

/* SETLKW: nobody waits any more for the lock that @req has asked for. */
void file_lock_wait_end(struct share *share, const struct fs_req *req);

/* Does the guest keep its file locks to itself? */
static inline bool share_has_local_locks(const struct share *share)
{
	return share->opt.is_private || share->opt.is_readonly;
}

#endif
