/*
 * Shared folders: FUSE requests from a device to a server of a part of the host's file system.
 *
 * The device (virtio-fs) takes requests out of its queues and puts answers back; the server
 * (src/fs) does what they say. What a request means is between the guest's kernel and the server:
 * the device looks at the header only.
 */
#ifndef TINYVM_FS_H
#define TINYVM_FS_H

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <tinyvm/pool.h>

struct device;
struct err;
struct evloop;
struct fs;

/*
 * The largest READ or WRITE: what fits into a chain of 256 descriptors beside the headers. Linux
 * before 5.14 does not look at the queue's size itself.
 */
#define FS_PAGES_MAX 252
#define FS_DATA_MAX  (FS_PAGES_MAX * 4096u)

/* What follows a request's header, but for a WRITE's data: the largest value of an extended
 * attribute, with its name, has room. */
#define FS_ARGS_MAX (68u << 10)

/* Requests that a device may have in flight, and those among them that may wait for a file lock. */
#define FS_INFLIGHT_MAX 128
#define FS_WAITING_MAX	64

/**
 * struct fs_req - one request, owned by the device until done
 * @header: as the guest sent it, a copy
 * @args, @args_len: what follows it, a copy, up to FS_ARGS_MAX; of a WRITE: up to its data
 * @data, @data_count, @data_len: windows of guest memory, valid until done: of a WRITE the bytes to
 *          write, of a READ the room for what is read; of others nothing
 * @room:   bytes of guest memory for what follows the answer's header
 * @done:   called once
 * @error:  the answer: 0 or -errno
 * @reply, @reply_len: what follows the answer's header, up to @room; the server's memory, valid
 *          until done() returns. Of a READ: @reply is NULL, and @reply_len counts what was put into
 *          @data
 *
 * FORGET, BATCH_FORGET and INTERRUPT get no answer: what is said in it goes nowhere.
 * The rest belongs to the server while the request is with it.
 */
struct fs_req {
	struct fuse_in_header header;
	const void *args;
	uint32_t args_len;
	const struct iovec *data;
	unsigned data_count;
	uint32_t data_len;
	uint32_t room;
	void (*done)(struct fs_req *req);
	int error;
	const void *reply;
	uint32_t reply_len;

	struct work work;
	struct fs *fs;
	struct fs_req *next;
	void *buffer;
	bool is_waiting;
	bool is_interrupted;
	uint64_t small[20];
};

/**
 * struct fs_ops - a server
 * @attach: completions from now on arrive on @loop with @dev's lock held; NULLs detach. -errno.
 * @submit: take @req. done() runs later, within commit() or drain() or on the loop
 * @commit: hand over what was submitted since the last commit
 * @interrupt: the guest has lost interest in the request with this `unique`: one that waits for a
 *          file lock ends with -EINTR, others go on
 * @drain:  wait until nothing is in flight; done() and batch_done() run inside. A request that
 *          waits for a file lock ends with -ERESTART: nothing has happened, it can be submitted
 *          again
 * @reset:  forget the guest: files are closed, locks given up. Nothing is in flight
 * @save:   everything the guest relies on, in memory to be freed. 0 or -ENOMEM. Nothing is in
 *          flight
 * @load:   the opposite, after which the session is the saved one. @buf is hostile. 0; -EBADMSG
 *          and other -errno: the session is an empty one
 * @destroy: drain, then close
 */
struct fs_ops {
	int (*attach)(struct fs *fs, struct evloop *loop, struct device *dev);
	void (*submit)(struct fs *fs, struct fs_req *req);
	void (*commit)(struct fs *fs);
	void (*interrupt)(struct fs *fs, uint64_t unique);
	void (*drain)(struct fs *fs);
	void (*reset)(struct fs *fs);
	int (*save)(struct fs *fs, void **ret_buf, size_t *ret_len);
	int (*load)(struct fs *fs, const void *buf, size_t len);
	void (*destroy)(struct fs *fs);
};

/* The most that save() gives and load() takes. */
#define FS_STATE_MAX (256u << 20)

/**
 * struct fs - a server, for one device
 * @batch_done: set by the device, NULL for none: called after each run of done() calls, so that one
 *          interrupt tells of them all
 * @batch_ctx: for it
 *
 * All but attach and destroy is called with the attached device's lock held, on any thread.
 */
struct fs {
	const struct fs_ops *ops;
	void (*batch_done)(void *ctx);
	void *batch_ctx;
};

/**
 * struct fs_share_options - how a directory is shared
 * @is_readonly: the guest changes nothing; its file locks are its own
 * @is_private:  nobody but this guest changes the tree meanwhile: it may cache names, attributes
 *               and contents for as long as it likes, and its file locks are its own
 * @is_one_filesystem: other file systems mounted in the tree look like empty directories. The host
 *               kernel's own (proc, sysfs and such) always do
 * @has_own_loop: the event loop it is attached to is run by a thread that only serves shares: what
 *               the host can answer at once is answered there, which saves waking another thread
 * @files_max:   descriptors that the share may hold open, 64 or more; what fs_share_files_max()
 *               says
 */
struct fs_share_options {
	bool is_readonly;
	bool is_private;
	bool is_one_filesystem;
	bool has_own_loop;
	unsigned files_max;
};

/**
 * fs_share_files_max() - raise the process's limit on open files as far as it may
 * @shares: how many the machine will have, 1 or more
 *
 * Return: what one of them may have of it.
 * Context: set-up, one thread.
 */
unsigned fs_share_files_max(unsigned shares);

/**
 * fs_share_open() - a server for a directory of the host
 * @path: the directory, named in the error sentence; symbolic links in it are followed
 *
 * The guest's root user works for an ordinary user too, whose files look as if they were root's;
 * run by root, files get the ids of the guest's users.
 * Return: 0; -errno with the sentence in @err: missing, not a directory, no permission, a host
 * without openat2 (Linux 5.6) or /proc.
 */
int fs_share_open(struct fs **ret_fs, const char *path, const struct fs_share_options *opt,
		  struct err *err) __attribute__((warn_unused_result));

static inline void fs_destroy(struct fs *fs)
{
	if (fs)
		fs->ops->destroy(fs);
}

#endif
