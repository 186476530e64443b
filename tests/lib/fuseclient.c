#include "fuseclient.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <unistd.h>

#define WINDOWS 3 /* that data is cut into */

/* Files of the host. */

static int must(int result)
{
	if (result < 0)
		abort();
	return result;
}

void host_write(int dirfd, const char *path, const char *content)
{
	int fd = must(openat(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
	if (write(fd, content, strlen(content)) != (ssize_t)strlen(content))
		abort();
	close(fd);
}

bool host_has(int dirfd, const char *path, const char *content)
{
	char buf[256];
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, buf, sizeof(buf));
	close(fd);
	return n == (ssize_t)strlen(content) && memcmp(buf, content, (size_t)n) == 0;
}

bool host_exists(int dirfd, const char *path)
{
	struct stat st;
	return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

void host_remove(int dirfd, const char *path)
{
	struct dirent *d;
	if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
		return;
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if (fchmod(fd, 0700) != 0)
		abort();
	DIR *dir = fdopendir(fd);
	while (dir && (d = readdir(dir))) {
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			host_remove(fd, d->d_name);
	}
	if (dir)
		closedir(dir);
	unlinkat(dirfd, path, AT_REMOVEDIR);
}

/* The world. */

static void fuseclient_start(struct fuseclient *c, const struct fs_share_options *opt)
{
	static const struct device_ops ops = {.type = "client", .version = 1};
	struct err err = {0};
	if (evloop_create(&c->loop) != 0)
		abort();
	device_init(&c->dev, &ops, "client");
	if (fs_share_open(&c->fs, c->dir, opt, &err) != 0 ||
	    c->fs->ops->attach(c->fs, c->loop, &c->dev) != 0) {
		fprintf(stderr, "%s\n", err.msg);
		abort();
	}
}

static void fuseclient_stop(struct fuseclient *c)
{
	fs_destroy(c->fs);
	evloop_destroy(c->loop);
}

void fuseclient_open_only(struct fuseclient *c, const struct fs_share_options *opt)
{
	memset(c, 0, sizeof(*c));
	c->room = FUSECLIENT_REPLY_MAX;
	const char *tmp = getenv("TMPDIR");
	snprintf(c->outside, sizeof(c->outside), "%s/tinyvm-fs-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(c->outside))
		abort();
	snprintf(c->dir, sizeof(c->dir), "%s/share", c->outside);
	must(mkdir(c->dir, 0755));
	c->outside_fd = must(open(c->outside, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	c->dir_fd = must(open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	fuseclient_start(c, opt);
}

static void fuseclient_begin(struct fuseclient *c)
{
	struct fuse_init_out out;
	if (fuse_init(c, FUSE_KERNEL_MINOR_VERSION, ~0u, &out) != 0)
		abort();
}

void fuseclient_open(struct fuseclient *c, const struct fs_share_options *opt)
{
	fuseclient_open_only(c, opt);
	fuseclient_begin(c);
}

void fuseclient_reopen(struct fuseclient *c, const struct fs_share_options *opt)
{
	fuseclient_stop(c);
	fuseclient_start(c, opt);
	fuseclient_begin(c);
}

void fuseclient_close(struct fuseclient *c)
{
	fuseclient_stop(c);
	close(c->dir_fd);
	close(c->outside_fd);
	host_remove(AT_FDCWD, c->outside);
}

/* Requests. */

static void fill_header(struct fuseclient *c, struct fs_req *req, uint32_t opcode, uint64_t nodeid,
			size_t args_len)
{
	*req = (struct fs_req){.room = c->room, .args_len = (uint32_t)args_len};
	req->header = (struct fuse_in_header){
		.len = (uint32_t)(sizeof(req->header) + args_len),
		.opcode = opcode,
		.unique = ++c->unique,
		.nodeid = nodeid,
		.uid = c->uid,
		.gid = c->gid,
		.pid = 1,
	};
}

/**
 * struct sync - a request that is waited for
 */
struct sync {
	struct fs_req req;
	struct fuseclient *c;
	bool is_done;
	int error;
};

static void sync_done(struct fs_req *req)
{
	struct sync *s = (struct sync *)req;
	s->is_done = true;
	s->error = req->error;
	s->c->reply_len = req->reply_len;
	if (req->reply_len > req->room)
		abort(); /* the server's bug */
	if (req->reply)
		memcpy(s->c->reply, req->reply, req->reply_len);
}

/* The data in c->reply, in pieces as a guest's pages would be. */
static unsigned cut(struct fuseclient *c, size_t len, struct iovec iov[WINDOWS])
{
	size_t at = 0, piece = len / WINDOWS;
	for (unsigned i = 0; i < WINDOWS; i++) {
		size_t n = i + 1 < WINDOWS ? piece : len - at;
		iov[i] = (struct iovec){.iov_base = c->reply + at, .iov_len = n};
		at += n;
	}
	return WINDOWS;
}

static int call(struct fuseclient *c, uint32_t opcode, uint64_t nodeid, const void *args,
		size_t args_len, size_t data_len)
{
	struct iovec iov[WINDOWS];
	struct sync s = {.c = c};
	fill_header(c, &s.req, opcode, nodeid, args_len);
	/* Exactly as long as it is, so that a sanitizer sees a look past the end. */
	uint8_t *copy = malloc(args_len ? args_len : 1);
	if (!copy)
		abort();
	if (args_len)
		memcpy(copy, args, args_len);
	s.req.args = copy;
	s.req.done = sync_done;
	if (opcode == FUSE_READ || opcode == FUSE_WRITE) {
		s.req.data = iov;
		s.req.data_count = cut(c, data_len, iov);
		s.req.data_len = (uint32_t)data_len;
	}
	if (opcode == FUSE_READ)
		s.req.room = (uint32_t)data_len;
	device_lock(&c->dev);
	c->fs->ops->submit(c->fs, &s.req);
	c->fs->ops->drain(c->fs);
	device_unlock(&c->dev);
	if (!s.is_done)
		abort();
	free(copy);
	return s.error;
}

int fuse_call_raw(struct fuseclient *c, uint32_t opcode, uint64_t nodeid, const void *args,
		  size_t args_len)
{
	const uint8_t *bytes = args;
	size_t data_len = 0;
	if (opcode == FUSE_READ) {
		data_len = sizeof(c->reply);
	} else if (opcode == FUSE_WRITE && args_len > sizeof(struct fuse_write_in)) {
		data_len = args_len - sizeof(struct fuse_write_in);
		if (data_len > sizeof(c->reply))
			data_len = sizeof(c->reply);
		memcpy(c->reply, bytes + sizeof(struct fuse_write_in), data_len);
		args_len = sizeof(struct fuse_write_in);
	}
	return call(c, opcode, nodeid, args, args_len, data_len);
}

int fuse_call(struct fuseclient *c, uint32_t opcode, uint64_t nodeid, const void *args,
	      size_t args_len, const char *name1, const char *name2)
{
	static uint8_t buf[FS_ARGS_MAX + 4096];
	size_t len = args_len;
	if (args_len)
		memcpy(buf, args, args_len);
	for (unsigned i = 0; i < 2; i++) {
		const char *name = i ? name2 : name1;
		if (!name)
			continue;
		size_t n = strlen(name) + 1;
		if (len + n > sizeof(buf))
			abort();
		memcpy(buf + len, name, n);
		len += n;
	}
	return call(c, opcode, nodeid, buf, len, 0);
}

/* Copies an answer of exactly @len bytes. Return: @error, or -EPROTO. */
static int answer(const struct fuseclient *c, int error, void *ret, size_t len)
{
	if (error != 0)
		return error;
	if (c->reply_len != len)
		return -EPROTO;
	if (ret)
		memcpy(ret, c->reply, len);
	return 0;
}

int fuse_init(struct fuseclient *c, uint32_t minor, uint32_t flags, struct fuse_init_out *ret)
{
	struct fuse_init_in in = {.major = 7, .minor = minor, .flags = flags};
	return answer(c, fuse_call(c, FUSE_INIT, 0, &in, sizeof(in), NULL, NULL), ret,
		      sizeof(*ret));
}

static int entry(const struct fuseclient *c, int error, struct fuse_entry_out *ret)
{
	return answer(c, error, ret, sizeof(*ret));
}

int fuse_lookup(struct fuseclient *c, uint64_t dir, const char *name, struct fuse_entry_out *ret)
{
	return entry(c, fuse_call(c, FUSE_LOOKUP, dir, NULL, 0, name, NULL), ret);
}

void fuse_forget(struct fuseclient *c, uint64_t nodeid, uint64_t count)
{
	struct fuse_forget_in in = {.nlookup = count};
	fuse_call(c, FUSE_FORGET, nodeid, &in, sizeof(in), NULL, NULL);
}

static int attr(const struct fuseclient *c, int error, struct fuse_attr *ret)
{
	struct fuse_attr_out out;
	error = answer(c, error, &out, sizeof(out));
	if (error == 0 && ret)
		*ret = out.attr;
	return error;
}

int fuse_getattr(struct fuseclient *c, uint64_t nodeid, struct fuse_attr *ret)
{
	struct fuse_getattr_in in = {0};
	return attr(c, fuse_call(c, FUSE_GETATTR, nodeid, &in, sizeof(in), NULL, NULL), ret);
}

int fuse_setattr(struct fuseclient *c, uint64_t nodeid, const struct fuse_setattr_in *in,
		 struct fuse_attr *ret)
{
	return attr(c, fuse_call(c, FUSE_SETATTR, nodeid, in, sizeof(*in), NULL, NULL), ret);
}

int fuse_mkdir(struct fuseclient *c, uint64_t dir, const char *name, uint32_t mode,
	       struct fuse_entry_out *ret)
{
	struct fuse_mkdir_in in = {.mode = mode};
	return entry(c, fuse_call(c, FUSE_MKDIR, dir, &in, sizeof(in), name, NULL), ret);
}

int fuse_mknod(struct fuseclient *c, uint64_t dir, const char *name, uint32_t mode, uint32_t rdev,
	       struct fuse_entry_out *ret)
{
	struct fuse_mknod_in in = {.mode = mode, .rdev = rdev};
	return entry(c, fuse_call(c, FUSE_MKNOD, dir, &in, sizeof(in), name, NULL), ret);
}

int fuse_symlink(struct fuseclient *c, uint64_t dir, const char *name, const char *target,
		 struct fuse_entry_out *ret)
{
	return entry(c, fuse_call(c, FUSE_SYMLINK, dir, NULL, 0, name, target), ret);
}

int fuse_link(struct fuseclient *c, uint64_t nodeid, uint64_t dir, const char *name,
	      struct fuse_entry_out *ret)
{
	struct fuse_link_in in = {.oldnodeid = nodeid};
	return entry(c, fuse_call(c, FUSE_LINK, dir, &in, sizeof(in), name, NULL), ret);
}

int fuse_unlink(struct fuseclient *c, uint64_t dir, const char *name)
{
	return fuse_call(c, FUSE_UNLINK, dir, NULL, 0, name, NULL);
}

int fuse_rmdir(struct fuseclient *c, uint64_t dir, const char *name)
{
	return fuse_call(c, FUSE_RMDIR, dir, NULL, 0, name, NULL);
}

int fuse_rename(struct fuseclient *c, uint64_t dir, const char *name, uint64_t newdir,
		const char *newname, uint32_t flags)
{
	struct fuse_rename2_in in = {.newdir = newdir, .flags = flags};
	if (flags)
		return fuse_call(c, FUSE_RENAME2, dir, &in, sizeof(in), name, newname);
	return fuse_call(c, FUSE_RENAME, dir, &newdir, sizeof(newdir), name, newname);
}

int fuse_create(struct fuseclient *c, uint64_t dir, const char *name, uint32_t flags, uint32_t mode,
		struct fuse_entry_out *ret, uint64_t *ret_fh)
{
	struct fuse_create_in in = {.flags = flags, .mode = mode};
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out;
	int error = answer(c, fuse_call(c, FUSE_CREATE, dir, &in, sizeof(in), name, NULL), &out,
			   sizeof(out));
	if (error == 0) {
		*ret = out.entry;
		*ret_fh = out.open.fh;
	}
	return error;
}

static int open_as(struct fuseclient *c, uint32_t opcode, uint64_t nodeid, uint32_t flags,
		   uint64_t *ret_fh)
{
	struct fuse_open_in in = {.flags = flags};
	struct fuse_open_out out;
	int error = answer(c, fuse_call(c, opcode, nodeid, &in, sizeof(in), NULL, NULL), &out,
			   sizeof(out));
	if (error == 0)
		*ret_fh = out.fh;
	return error;
}

int fuse_open(struct fuseclient *c, uint64_t nodeid, uint32_t flags, uint64_t *ret_fh)
{
	return open_as(c, FUSE_OPEN, nodeid, flags, ret_fh);
}

int fuse_opendir(struct fuseclient *c, uint64_t nodeid, uint64_t *ret_fh)
{
	return open_as(c, FUSE_OPENDIR, nodeid, 0, ret_fh);
}

void fuse_release(struct fuseclient *c, uint64_t nodeid, uint64_t fh, uint64_t owner)
{
	struct fuse_flush_in flush = {.fh = fh, .lock_owner = owner};
	struct fuse_release_in in = {.fh = fh};
	fuse_call(c, FUSE_FLUSH, nodeid, &flush, sizeof(flush), NULL, NULL);
	fuse_call(c, FUSE_RELEASE, nodeid, &in, sizeof(in), NULL, NULL);
}

void fuse_releasedir(struct fuseclient *c, uint64_t nodeid, uint64_t fh)
{
	struct fuse_release_in in = {.fh = fh};
	fuse_call(c, FUSE_RELEASEDIR, nodeid, &in, sizeof(in), NULL, NULL);
}

ssize_t fuse_read(struct fuseclient *c, uint64_t nodeid, uint64_t fh, void *buf, uint32_t len,
		  uint64_t offset)
{
	struct fuse_read_in in = {.fh = fh, .offset = offset, .size = len};
	int error = call(c, FUSE_READ, nodeid, &in, sizeof(in), len);
	if (error != 0)
		return error;
	memcpy(buf, c->reply, c->reply_len);
	return c->reply_len;
}

ssize_t fuse_write(struct fuseclient *c, uint64_t nodeid, uint64_t fh, const void *buf,
		   uint32_t len, uint64_t offset)
{
	struct fuse_write_in in = {.fh = fh, .offset = offset, .size = len};
	struct fuse_write_out out;
	memcpy(c->reply, buf, len);
	int error = answer(c, call(c, FUSE_WRITE, nodeid, &in, sizeof(in), len), &out, sizeof(out));
	return error ? error : (ssize_t)out.size;
}

ssize_t fuse_readdir(struct fuseclient *c, uint64_t nodeid, uint64_t fh, uint64_t offset,
		     uint32_t size, bool is_plus)
{
	struct fuse_read_in in = {.fh = fh, .offset = offset, .size = size};
	int error = fuse_call(c, is_plus ? FUSE_READDIRPLUS : FUSE_READDIR, nodeid, &in, sizeof(in),
			      NULL, NULL);
	return error ? error : (ssize_t)c->reply_len;
}

/* Requests that take their time. */

static void pending_done(struct fs_req *req)
{
	struct fuse_pending *p = (struct fuse_pending *)req;
	p->error = req->error;
	p->is_done = true;
	evloop_stop(p->c->loop);
}

void fuse_start(struct fuseclient *c, struct fuse_pending *p, uint32_t opcode, uint64_t nodeid,
		const void *args, size_t args_len)
{
	if (args_len > sizeof(p->args))
		abort();
	p->c = c;
	p->is_done = false;
	fill_header(c, &p->req, opcode, nodeid, args_len);
	memcpy(p->args, args, args_len);
	p->req.args = p->args;
	p->req.done = pending_done;
	device_lock(&c->dev);
	c->fs->ops->submit(c->fs, &p->req);
	c->fs->ops->commit(c->fs);
	device_unlock(&c->dev);
}

int fuse_await(struct fuse_pending *p)
{
	while (!p->is_done)
		evloop_run(p->c->loop);
	return p->error;
}

bool fuse_waits(struct fuse_pending *p)
{
	static const struct fuse_getattr_in getattr;
	struct fuse_pending other;
	while (!p->is_done && !p->req.is_waiting) { /* it is in the pool, for a try */
		fuse_start(p->c, &other, FUSE_GETATTR, FUSE_ROOT_ID, &getattr, sizeof(getattr));
		fuse_await(&other);
	}
	return !p->is_done;
}
