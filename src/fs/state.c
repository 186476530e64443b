/*
 * A session as bytes: what the guest knows (inodes, with their places in the tree) and has open.
 * Files are found again by their places; one that is gone, or another one by now, is ESTALE.
 *
 * Left out on purpose: file locks, and files that are open but have no name any more: there is no
 * way to come back to them.
 */
#include "share.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* What a handle can have been opened with. */
#define FLAGS_KNOWN (O_ACCMODE | O_SYNC | O_DSYNC | O_DIRECTORY)

struct saved_head {
	uint32_t is_running;
	uint32_t inodes; /* without the root */
	uint32_t handles;
	uint32_t zero;
};

/* Followed by its name. @parent is 0 for an inode without a place. */
struct saved_inode {
	uint64_t id, parent, lookups, ino, birth;
	uint32_t type;
	uint16_t is_sealed;
	uint16_t name_len;
};

struct saved_handle {
	uint64_t id, inode;
	uint32_t flags;
	uint32_t zero;
};

/* Saving: a growing buffer; @has_failed sticks. */
struct writer {
	uint8_t *buf;
	size_t len, room;
	bool has_failed;
};

static void writer_put(struct writer *w, const void *data, size_t len)
{
	if (w->room - w->len < len) {
		size_t room = (w->room + len) * 2;
		uint8_t *buf = w->has_failed || room > 2 * (size_t)FS_STATE_MAX
				       ? NULL
				       : realloc(w->buf, room);
		if (!buf) {
			w->has_failed = true;
			return;
		}
		w->buf = buf;
		w->room = room;
	}
	memcpy(w->buf + w->len, data, len);
	w->len += len;
}

static void save_inode(struct writer *w, const struct inode *inode)
{
	struct saved_inode out = {
		.id = inode->id,
		.parent = inode->parent ? inode->parent->id : 0,
		.lookups = inode->lookups,
		.ino = inode->key.ino,
		.birth = inode->key.birth,
		.type = inode->key.type,
		.is_sealed = inode->is_sealed,
		.name_len = inode->parent ? (uint16_t)strlen(inode->name) : 0,
	};
	writer_put(w, &out, sizeof(out));
	if (out.name_len)
		writer_put(w, inode->name, out.name_len);
}

int share_save(struct fs *fs, void **ret_buf, size_t *ret_len)
{
	struct share *share = (struct share *)fs;
	struct writer w = {.buf = NULL};
	struct saved_head head = {
		.is_running = share->is_running,
		.inodes = share->is_running ? share->inodes.used - 1 : 0,
		.handles = share->handles.used,
	};
	writer_put(&w, &head, sizeof(head));
	for (uint32_t i = 0; i < share->inodes.count; i++) {
		const struct inode *inode = slots_at(&share->inodes, i);
		if (inode && inode->id != FUSE_ROOT_ID)
			save_inode(&w, inode);
	}
	for (uint32_t i = 0; i < share->handles.count; i++) {
		const struct handle *handle = slots_at(&share->handles, i);
		if (!handle)
			continue;
		struct saved_handle out = {.id = handle->id,
					   .inode = handle->inode->id,
					   .flags = (uint32_t)(handle->flags & FLAGS_KNOWN)};
		writer_put(&w, &out, sizeof(out));
	}
	if (w.has_failed || w.len > FS_STATE_MAX) {
		free(w.buf);
		return -ENOMEM;
	}
	*ret_buf = w.buf;
	*ret_len = w.len;
	return 0;
}

/* Loading. */

struct reader {
	const uint8_t *at;
	size_t left;
};

static int reader_get(struct reader *r, void *ret_data, size_t len)
{
	if (r->left < len)
		return -EBADMSG;
	memcpy(ret_data, r->at, len);
	r->at += len;
	r->left -= len;
	return 0;
}

static int read_inode(struct reader *r, struct saved_inode *ret, char name[SHARE_NAME_MAX + 1])
{
	int error = reader_get(r, ret, sizeof(*ret));
	if (error != 0)
		return error;
	if (ret->name_len > SHARE_NAME_MAX || !ret->name_len != !ret->parent)
		return -EBADMSG;
	error = reader_get(r, name, ret->name_len);
	name[ret->name_len] = 0;
	return error;
}

static int load_inodes(struct share *share, struct reader *r, uint32_t count)
{
	struct saved_inode in;
	char name[SHARE_NAME_MAX + 1];
	int ret = 0;
	struct reader again = *r;
	for (uint32_t i = 0; ret == 0 && i < count; i++) {
		ret = read_inode(r, &in, name);
		if (ret != 0)
			break;
		struct inode inode = {.id = in.id,
				      .key = {.ino = in.ino, .birth = in.birth, .type = in.type},
				      .is_sealed = in.is_sealed,
				      .lookups = in.lookups};
		ret = inode_restore(share, &inode);
	}
	for (uint32_t i = 0; ret == 0 && i < count; i++) {
		ret = read_inode(&again, &in, name);
		if (ret == 0 && in.parent)
			ret = share_name_is_good(name) && strlen(name) == in.name_len
				      ? inode_restore_place(share, in.id, in.parent, name)
				      : -EBADMSG;
	}
	return ret;
}

static int load_handles(struct share *share, struct reader *r, uint32_t count)
{
	int ret = 0;
	for (uint32_t i = 0; ret == 0 && i < count; i++) {
		struct saved_handle in;
		ret = reader_get(r, &in, sizeof(in));
		if (ret == 0 && in.flags & ~(uint32_t)FLAGS_KNOWN)
			ret = -EBADMSG;
		if (ret == 0 && share->opt.is_readonly && in.flags & O_ACCMODE)
			ret = -EBADMSG;
		if (ret == 0)
			ret = handle_restore(share, in.id, in.inode, (int)in.flags);
	}
	return ret;
}

static int load_session(struct share *share, struct reader *r)
{
	struct saved_head head;
	int ret = reader_get(r, &head, sizeof(head));
	if (ret != 0)
		return ret;
	if (!head.is_running)
		return r->left ? -EBADMSG : 0;
	ret = inode_table_init(share);
	if (ret == 0)
		ret = load_inodes(share, r, head.inodes);
	if (ret == 0) {
		inode_restore_find(share);
		ret = load_handles(share, r, head.handles);
	}
	if (ret == 0 && r->left)
		ret = -EBADMSG;
	if (ret == 0) {
		slots_relink(&share->handles);
		inode_restore_end(share);
	}
	share->is_running = ret == 0;
	return ret;
}

int share_load(struct fs *fs, const void *buf, size_t len)
{
	struct share *share = (struct share *)fs;
	struct reader r = {.at = buf, .left = len};
	pthread_rwlock_wrlock(&share->session_lock);
	share_end_session(share);
	int ret = load_session(share, &r);
	if (ret != 0)
		share_end_session(share);
	pthread_rwlock_unlock(&share->session_lock);
	return ret;
}
