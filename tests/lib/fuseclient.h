/*
 * A guest of a shared directory, for tests: sends FUSE requests to a server and waits for the
 * answers, over a directory that is made for the test.
 *
 *	struct fuseclient c;
 *	fuseclient_open(&c, &(struct fs_share_options){.is_readonly = true});
 *	CHECK_EQ(fuse_lookup(&c, FUSE_ROOT_ID, "name", &entry), 0);
 *	fuseclient_close(&c);
 *
 * c.outside is a directory on the host, c.dir one in it, and that one is shared: nothing of the
 * former may ever be reached. Relative to them by c.outside_fd and c.dir_fd. They are below $TMPDIR
 * or /tmp.
 *
 * Functions return what the guest gets: 0 or -errno.
 */
#ifndef FUSECLIENT_H
#define FUSECLIENT_H

#include <pthread.h>
#include <sys/types.h>
#include <tinyvm/device.h>
#include <tinyvm/fs.h>

#define FUSECLIENT_REPLY_MAX (128u << 10)

struct evloop;

/**
 * struct fuseclient - the guest
 * @uid, @gid: of the user who sends requests
 * @room:      for answers; FUSECLIENT_REPLY_MAX unless the test says otherwise
 * @reply, @reply_len: of the last request
 */
struct fuseclient {
	struct fs *fs;
	struct evloop *loop;
	struct device dev;
	char outside[128], dir[160];
	int outside_fd, dir_fd;
	uint32_t uid, gid;
	uint32_t room;
	uint64_t unique;
	uint32_t reply_len;
	_Alignas(8) uint8_t reply[FUSECLIENT_REPLY_MAX];
};

/* Makes the directories and opens the share, without INIT. Aborts when that is impossible. */
void fuseclient_open_only(struct fuseclient *c, const struct fs_share_options *opt);

/* The same, and begins a session. */
void fuseclient_open(struct fuseclient *c, const struct fs_share_options *opt);

/* Closes the share, and opens it anew with @opt and a session. */
void fuseclient_reopen(struct fuseclient *c, const struct fs_share_options *opt);

/* Closes the share and removes the directories. */
void fuseclient_close(struct fuseclient *c);

/* A request: @args of @args_len bytes, then the strings that are not NULL. */
int fuse_call(struct fuseclient *c, uint32_t opcode, uint64_t nodeid, const void *args,
	      size_t args_len, const char *name1, const char *name2);

/* A request of any bytes. READ and WRITE get their data from and to c->reply. */
int fuse_call_raw(struct fuseclient *c, uint32_t opcode, uint64_t nodeid, const void *args,
		  size_t args_len);

int fuse_init(struct fuseclient *c, uint32_t minor, uint32_t flags, struct fuse_init_out *ret);

int fuse_lookup(struct fuseclient *c, uint64_t dir, const char *name, struct fuse_entry_out *ret);
void fuse_forget(struct fuseclient *c, uint64_t nodeid, uint64_t count);
int fuse_getattr(struct fuseclient *c, uint64_t nodeid, struct fuse_attr *ret);
int fuse_setattr(struct fuseclient *c, uint64_t nodeid, const struct fuse_setattr_in *in,
		 struct fuse_attr *ret);
int fuse_mkdir(struct fuseclient *c, uint64_t dir, const char *name, uint32_t mode,
	       struct fuse_entry_out *ret);
int fuse_mknod(struct fuseclient *c, uint64_t dir, const char *name, uint32_t mode, uint32_t rdev,
	       struct fuse_entry_out *ret);
int fuse_symlink(struct fuseclient *c, uint64_t dir, const char *name, const char *target,
		 struct fuse_entry_out *ret);
int fuse_link(struct fuseclient *c, uint64_t nodeid, uint64_t dir, const char *name,
	      struct fuse_entry_out *ret);
int fuse_unlink(struct fuseclient *c, uint64_t dir, const char *name);
int fuse_rmdir(struct fuseclient *c, uint64_t dir, const char *name);
int fuse_rename(struct fuseclient *c, uint64_t dir, const char *name, uint64_t newdir,
		const char *newname, uint32_t flags);
int fuse_create(struct fuseclient *c, uint64_t dir, const char *name, uint32_t flags, uint32_t mode,
		struct fuse_entry_out *ret, uint64_t *ret_fh);
int fuse_open(struct fuseclient *c, uint64_t nodeid, uint32_t flags, uint64_t *ret_fh);
int fuse_opendir(struct fuseclient *c, uint64_t nodeid, uint64_t *ret_fh);

/* FUSE_RELEASE or FUSE_RELEASEDIR, after a FLUSH of @owner in case of the former. */
void fuse_release(struct fuseclient *c, uint64_t nodeid, uint64_t fh, uint64_t owner);
void fuse_releasedir(struct fuseclient *c, uint64_t nodeid, uint64_t fh);

/* Return: bytes, or -errno. */
ssize_t fuse_read(struct fuseclient *c, uint64_t nodeid, uint64_t fh, void *buf, uint32_t len,
		  uint64_t offset);
ssize_t fuse_write(struct fuseclient *c, uint64_t nodeid, uint64_t fh, const void *buf,
		   uint32_t len, uint64_t offset);

/* Entries into c->reply; READDIRPLUS with @is_plus. Return: bytes, or -errno. */
ssize_t fuse_readdir(struct fuseclient *c, uint64_t nodeid, uint64_t fh, uint64_t offset,
		     uint32_t size, bool is_plus);

/**
 * struct fuse_pending - a request on its way
 * @error: once @is_done
 */
struct fuse_pending {
	struct fs_req req;
	struct fuseclient *c;
	bool is_done;
	int error;
	uint8_t args[64];
};

/* Sends a request that may take its time; fuse_await() runs the event loop until it is done. */
void fuse_start(struct fuseclient *c, struct fuse_pending *p, uint32_t opcode, uint64_t nodeid,
		const void *args, size_t args_len);
int fuse_await(struct fuse_pending *p);

/* Runs the event loop until a SETLKW is done or has to wait. Return: whether it waits. */
bool fuse_waits(struct fuse_pending *p);

/* Tests' files on the host, below @dirfd. They abort when that is impossible. */
void host_write(int dirfd, const char *path, const char *content);
bool host_has(int dirfd, const char *path, const char *content);
bool host_exists(int dirfd, const char *path);
void host_remove(int dirfd, const char *path); /* and all that is in it */

#endif
