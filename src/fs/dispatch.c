/*
 * The FUSE protocol, kernel ABI 7.31 and newer (<linux/fuse.h>): which requests there are, what
 * they need, and the beginning and end of a session.
 *
 * Left out on purpose: POSIX ACLs (the guest's kernel would have to know the host's users), the
 * write-back cache (the host would see late what the guest wrote), NFS export of the share by the
 * guest, submounts, DAX; BMAP, IOCTL and POLL, which regular files can do without.
 */
#include "request.h"
#include <errno.h>
#include <string.h>

#define MINOR_MIN      31
#define MINOR	       38 /* the layout of <linux/fuse.h> that this was written for */
#define BACKGROUND_MAX 64 /* requests that nobody waits for */

_Static_assert(FUSE_KERNEL_VERSION == 7 && FUSE_KERNEL_MINOR_VERSION >= MINOR,
	       "<linux/fuse.h> is too old");

enum {
	NEEDS_INODE = 1 << 0,	 /* header.nodeid is one, and pinned */
	NEEDS_DIR = 1 << 1,	 /* and a directory */
	CHANGES = 1 << 2,	 /* something in the share */
	IS_EXCLUSIVE = 1 << 3,	 /* runs alone, in a session or not */
	IS_REMOTE_LOCK = 1 << 4, /* needless where locks are local */
	IS_LONG = 1 << 5	 /* may take its time by its nature */
};
#define INODE	  NEEDS_INODE
#define DIRECTORY (NEEDS_INODE | NEEDS_DIR)

/**
 * struct op - one kind of request
 * @reply_len: of its answer, if that is of fixed size
 */
struct op {
	int (*run)(struct request *r);
	uint32_t reply_len;
	unsigned flags;
};

#define ENTRY sizeof(struct fuse_entry_out)
#define ATTR  sizeof(struct fuse_attr_out)
#define OPEN  sizeof(struct fuse_open_out)

static const struct op ops[] = {
	[FUSE_INIT] = {do_init, sizeof(struct fuse_init_out), IS_EXCLUSIVE | IS_LONG},
	[FUSE_DESTROY] = {do_destroy, 0, IS_EXCLUSIVE | IS_LONG},

	[FUSE_LOOKUP] = {do_lookup, ENTRY, DIRECTORY},
	[FUSE_FORGET] = {do_forget, 0, 0},
	[FUSE_BATCH_FORGET] = {do_batch_forget, 0, 0},
	[FUSE_SYMLINK] = {do_symlink, ENTRY, DIRECTORY | CHANGES},
	[FUSE_MKNOD] = {do_mknod, ENTRY, DIRECTORY | CHANGES},
	[FUSE_MKDIR] = {do_mkdir, ENTRY, DIRECTORY | CHANGES},
	[FUSE_UNLINK] = {do_unlink, 0, DIRECTORY | CHANGES},
	[FUSE_RMDIR] = {do_rmdir, 0, DIRECTORY | CHANGES},
	[FUSE_RENAME] = {do_rename, 0, DIRECTORY | CHANGES},
	[FUSE_RENAME2] = {do_rename2, 0, DIRECTORY | CHANGES},
	[FUSE_LINK] = {do_link, ENTRY, DIRECTORY | CHANGES},
	[FUSE_CREATE] = {do_create, ENTRY + OPEN, DIRECTORY | CHANGES},
	[FUSE_TMPFILE] = {do_tmpfile, ENTRY + OPEN, DIRECTORY | CHANGES},

	[FUSE_GETATTR] = {do_getattr, ATTR, INODE},
	[FUSE_SETATTR] = {do_setattr, ATTR, INODE | CHANGES},
	[FUSE_READLINK] = {do_readlink, 0, INODE},
	[FUSE_STATFS] = {do_statfs, sizeof(struct fuse_statfs_out), INODE},
	[FUSE_ACCESS] = {do_access, 0, INODE},
	[FUSE_SYNCFS] = {do_syncfs, 0, INODE | IS_LONG},

	[FUSE_OPEN] = {do_open, OPEN, INODE},
	[FUSE_READ] = {do_read, 0, INODE},
	[FUSE_WRITE] = {do_write, sizeof(struct fuse_write_out), INODE | CHANGES},
	[FUSE_RELEASE] = {do_release, 0, INODE},
	[FUSE_FLUSH] = {do_flush, 0, INODE},
	[FUSE_FSYNC] = {do_fsync, 0, INODE | IS_LONG},
	[FUSE_FALLOCATE] = {do_fallocate, 0, INODE | CHANGES | IS_LONG},
	[FUSE_LSEEK] = {do_lseek, sizeof(struct fuse_lseek_out), INODE},
	[FUSE_COPY_FILE_RANGE] = {do_copy_file_range, sizeof(struct fuse_write_out),
				  INODE | CHANGES | IS_LONG},

	[FUSE_OPENDIR] = {do_opendir, OPEN, DIRECTORY},
	[FUSE_READDIR] = {do_readdir, 0, DIRECTORY},
	[FUSE_READDIRPLUS] = {do_readdirplus, 0, DIRECTORY},
	[FUSE_RELEASEDIR] = {do_release, 0, DIRECTORY},
	[FUSE_FSYNCDIR] = {do_fsync, 0, DIRECTORY | IS_LONG},

	[FUSE_SETXATTR] = {do_setxattr, 0, INODE | CHANGES},
	[FUSE_GETXATTR] = {do_getxattr, 0, INODE},
	[FUSE_LISTXATTR] = {do_listxattr, 0, INODE},
	[FUSE_REMOVEXATTR] = {do_removexattr, 0, INODE | CHANGES},

	[FUSE_GETLK] = {do_getlk, sizeof(struct fuse_lk_out), INODE | IS_REMOTE_LOCK},
	[FUSE_SETLK] = {do_setlk, 0, INODE | IS_REMOTE_LOCK},
	[FUSE_SETLKW] = {do_setlk, 0, INODE | IS_REMOTE_LOCK | IS_LONG},
};

static const struct op *op_find(uint32_t opcode)
{
	if (opcode >= sizeof(ops) / sizeof(ops[0]) || !ops[opcode].run)
		return NULL;
	return &ops[opcode];
}

bool request_is_quick(const struct fs_req *req)
{
	const struct op *op = op_find(req->header.opcode);
	return !op || !(op->flags & IS_LONG);
}

/* The session's lock is held. Return: what the guest gets. */
static int request_run_op(struct request *r, const struct op *op)
{
	const struct share *share = r->share;
	if (!share->is_running && !(op->flags & IS_EXCLUSIVE))
		return -ENOTCONN;
	if (r->req->room < op->reply_len)
		return -EINVAL;
	if (op->flags & CHANGES && share->opt.is_readonly)
		return -EROFS;
	if (op->flags & IS_REMOTE_LOCK && share_has_local_locks(share))
		return -ENOSYS;
	if (!(op->flags & NEEDS_INODE))
		return op->run(r);

	int ret = inode_get(r->share, r->req->header.nodeid, &r->inode);
	if (ret != 0)
		return ret;
	if (op->flags & NEEDS_DIR && !S_ISDIR(r->inode->key.type))
		ret = -ENOTDIR;
	else if (op->flags & CHANGES && r->inode->is_sealed)
		ret = -EPERM;
	else
		ret = op->run(r);
	inode_put(r->share, r->inode);
	return ret;
}

void request_run(struct share *share, struct thread *thread, struct fs_req *req)
{
	const struct op *op = op_find(req->header.opcode);
	struct request r = {
		.share = share,
		.thread = thread,
		.req = req,
		.args = req->args,
		.args_left = req->args_len,
	};
	req->reply = NULL;
	req->reply_len = 0;
	req->buffer = NULL;
	if (!op) {
		req->error = -ENOSYS;
		return;
	}
	if (op->flags & IS_EXCLUSIVE)
		pthread_rwlock_wrlock(&share->session_lock);
	else
		pthread_rwlock_rdlock(&share->session_lock);
	req->error = request_run_op(&r, op);
	pthread_rwlock_unlock(&share->session_lock);
}

/* The session. */

static uint32_t init_flags(const struct share *share, uint32_t offered)
{
	uint32_t flags = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES |
			 FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |
			 FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES |
			 FUSE_HANDLE_KILLPRIV_V2;
	if (!share_has_local_locks(share))
		flags |= FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS;
	if (share->opt.is_private)
		flags |= FUSE_CACHE_SYMLINKS;
	return flags & offered;
}

/* Whatever there was of a session before is over. */
int do_init(struct request *r)
{
	struct share *share = r->share;
	struct {
		uint32_t major, minor, max_readahead, flags; /* of struct fuse_init_in */
	} in;
	int ret = request_read(r, &in, sizeof(in));
	if (ret != 0)
		return ret;
	struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = MINOR};
	if (in.major > FUSE_KERNEL_VERSION) { /* it will try again with ours */
		request_reply(r, &out, sizeof(out));
		return 0;
	}
	if (in.major < FUSE_KERNEL_VERSION || in.minor < MINOR_MIN)
		return -EPROTO;

	share_end_session(share);
	ret = inode_table_init(share);
	if (ret != 0)
		return ret;
	share->is_running = true;
	out.max_readahead = in.max_readahead;
	out.flags = init_flags(share, in.flags);
	out.max_background = BACKGROUND_MAX;
	out.congestion_threshold = BACKGROUND_MAX * 3 / 4;
	out.max_write = FS_DATA_MAX;
	out.time_gran = 1;
	out.max_pages = FS_PAGES_MAX;
	request_reply(r, &out, sizeof(out));
	return 0;
}

int do_destroy(struct request *r)
{
	share_end_session(r->share);
	return 0;
}
