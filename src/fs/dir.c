/*
 * Requests that read directories. The guest's position in one is the host's d_off of the last entry
 * it has got, so it goes on at the right place however the directory changes.
 */
#include "request.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REPLY_MAX (64u << 10)
#define PIECE	  4096u /* of the host's entries at a time */
#define PIECE_MIN 512u	/* there is room for the longest name */

/* What getdents64() gives. */
struct host_dirent {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

/**
 * struct listing - an answer in the making
 * @is_plus: with what LOOKUP would say of each entry
 * @buf, @len, @max: the answer
 */
struct listing {
	struct request *r;
	bool is_plus;
	uint8_t *buf;
	size_t len, max;
};

int do_opendir(struct request *r)
{
	struct fuse_open_in in;
	int ret = request_read(r, &in, sizeof(in));
	if (ret != 0)
		return ret;
	int fd = inode_open(r->share, r->inode, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	struct fuse_open_out out = {.open_flags = 0};
	ret = handle_add(r->share, r->inode, fd, O_RDONLY | O_DIRECTORY, &out.fh);
	if (ret != 0)
		return ret;
	if (r->share->opt.is_private)
		out.open_flags = FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR;
	request_reply(r, &out, sizeof(out));
	return 0;
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* What LOOKUP would say; an entry without an inode when that fails: the guest asks by itself. */
static void listing_look_up(struct listing *list, const char *name, struct fuse_entry_out *ret)
{
	struct request *r = list->r;
	struct inode *inode;
	struct statx stx;
	*ret = (struct fuse_entry_out){.nodeid = 0};
	if (is_dot(name) || inode_lookup(r->share, r->inode, name, &inode, &stx) != 0)
		return;
	request_fill_entry(r, inode, &stx, ret);
	inode_put(r->share, inode);
}

/* How much an entry takes. */
static size_t listing_len(const struct listing *list, size_t name_len)
{
	size_t head = list->is_plus ? sizeof(struct fuse_entry_out) : 0;
	return FUSE_DIRENT_ALIGN(head + FUSE_NAME_OFFSET + name_len);
}

/* Return: whether there was room for it. */
static bool listing_add(struct listing *list, uint64_t ino, uint64_t off, uint8_t type,
			const char *name)
{
	size_t name_len = strlen(name), head = list->is_plus ? sizeof(struct fuse_entry_out) : 0;
	size_t len = listing_len(list, name_len);
	if (len > list->max - list->len)
		return false;
	uint8_t *at = list->buf + list->len;
	memset(at, 0, len);
	if (list->is_plus) {
		struct fuse_entry_out entry;
		listing_look_up(list, name, &entry);
		memcpy(at, &entry, sizeof(entry));
	}
	/* What is above the share is none of the guest's business. */
	if (list->r->inode->id == FUSE_ROOT_ID && strcmp(name, "..") == 0)
		ino = list->r->inode->key.ino;
	struct fuse_dirent dirent = {
		.ino = ino, .off = off, .namelen = (uint32_t)name_len, .type = type};
	memcpy(at + head, &dirent, FUSE_NAME_OFFSET);
	memcpy(at + head + FUSE_NAME_OFFSET, name, name_len);
	list->len += len;
	return true;
}

/* The host's entries that may fit into what is left. */
static size_t listing_piece(const struct listing *list)
{
	size_t left = list->max - list->len, piece = list->is_plus ? left / 5 : left;
	return piece < PIECE_MIN ? PIECE_MIN : piece < PIECE ? piece : PIECE;
}

/* Adds entries from where @handle stands. @handle->dir_position keeps up with its descriptor. */
static int listing_fill(struct listing *list, struct handle *handle)
{
	_Alignas(struct host_dirent) char piece[PIECE];
	/* While there is room for the shortest one: the next look begins where this one ends. */
	while (list->max - list->len >= listing_len(list, 1)) {
		long n = syscall(SYS_getdents64, handle->fd, piece, listing_piece(list));
		if (n <= 0)
			return n < 0 && list->len == 0 ? -errno : 0;
		bool has_room = true;
		for (long at = 0; at < n;) {
			const struct host_dirent *d = (const struct host_dirent *)(piece + at);
			has_room = has_room &&
				   listing_add(list, d->ino, (uint64_t)d->off, d->type, d->name);
			handle->dir_position = (uint64_t)d->off;
			at += d->reclen;
		}
		if (!has_room)
			break;
	}
	return 0;
}

static int listing_read(struct listing *list, struct handle *handle, uint64_t offset)
{
	int ret = 0;
	pthread_mutex_lock(&handle->dir_lock);
	if (offset != handle->dir_position) {
		if (lseek(handle->fd, (off_t)offset, SEEK_SET) < 0)
			ret = -errno;
		else
			handle->dir_position = offset;
	}
	if (ret == 0)
		ret = listing_fill(list, handle);
	pthread_mutex_unlock(&handle->dir_lock);
	return ret;
}

static void listing_seal(struct listing *list, uint64_t offset)
{
	uint64_t ino = list->r->inode->key.ino;
	if (offset == 0 && listing_add(list, ino, 1, DT_DIR, "."))
		offset = 1;
	if (offset == 1)
		listing_add(list, ino, 2, DT_DIR, "..");
}

static int read_dir(struct request *r, bool is_plus)
{
	struct fuse_read_in in;
	struct handle *handle;
	int ret = request_read(r, &in, sizeof(in));
	if (ret == 0)
		ret = handle_get(r->share, in.fh, r->inode, &handle);
	if (ret != 0)
		return ret;
	size_t max = in.size < r->req->room ? in.size : r->req->room;
	struct listing list = {
		.r = r, .is_plus = is_plus, .max = max < REPLY_MAX ? max : REPLY_MAX};
	list.buf = request_reserve(r, list.max);
	if (!list.buf)
		ret = -ENOMEM;
	else if (r->inode->is_sealed)
		listing_seal(&list, in.offset);
	else
		ret = listing_read(&list, handle, in.offset);
	handle_put(r->share, handle);
	r->req->reply_len = (uint32_t)list.len;
	return ret;
}

int do_readdir(struct request *r)
{
	return read_dir(r, false);
}

int do_readdirplus(struct request *r)
{
	return read_dir(r, true);
}
