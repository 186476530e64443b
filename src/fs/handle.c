/* The guest's open files and directories. */
#include "share.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void handle_free(struct share *share, struct handle *handle)
{
	struct inode *inode = handle->inode;
	pthread_mutex_lock(&share->lock);
	inode->handles--;
	inode->pins++;
	pthread_mutex_unlock(&share->lock);
	if (handle->fd >= 0)
		close(handle->fd);
	pthread_mutex_destroy(&handle->dir_lock);
	free(handle);
	inode_put(share, inode); /* the last one out */
}

int handle_add(struct share *share, struct inode *inode, int fd, int flags, uint64_t *ret_id)
{
	int ret = -ENFILE;
	struct handle *handle = calloc(1, sizeof(*handle));
	if (!handle) {
		close(fd);
		return -ENOMEM;
	}
	handle->fd = fd;
	handle->inode = inode;
	handle->flags = flags;
	pthread_mutex_init(&handle->dir_lock, NULL);

	pthread_mutex_lock(&share->lock);
	inode->handles++;
	if (share->handles.used < share->handles_max)
		ret = slots_add(&share->handles, handle, &handle->id);
	if (ret == 0)
		*ret_id = handle->id;
	pthread_mutex_unlock(&share->lock);
	if (ret != 0)
		handle_free(share, handle);
	return ret;
}

bool handle_has_room(struct share *share)
{
	pthread_mutex_lock(&share->lock);
	bool has_room = share->handles.used < share->handles_max;
	pthread_mutex_unlock(&share->lock);
	return has_room;
}

int handle_get(struct share *share, uint64_t id, const struct inode *inode,
	       struct handle **ret_handle)
{
	pthread_mutex_lock(&share->lock);
	struct handle *handle = slots_get(&share->handles, id);
	bool is_there = handle && handle->inode == inode;
	if (is_there) {
		handle->pins++;
		*ret_handle = handle;
	}
	pthread_mutex_unlock(&share->lock);
	return is_there ? 0 : -EBADF;
}

void handle_put(struct share *share, struct handle *handle)
{
	pthread_mutex_lock(&share->lock);
	bool is_last = --handle->pins == 0 && handle->is_released;
	pthread_mutex_unlock(&share->lock);
	if (is_last)
		handle_free(share, handle);
}

void handle_release(struct share *share, uint64_t id, const struct inode *inode)
{
	struct handle *handle;
	if (handle_get(share, id, inode, &handle) != 0)
		return;
	pthread_mutex_lock(&share->lock);
	if (!handle->is_released) /* by somebody who asks at the same time */
		slots_remove(&share->handles, id);
	handle->is_released = true;
	pthread_mutex_unlock(&share->lock);
	handle_put(share, handle);
}

int handle_restore(struct share *share, uint64_t id, uint64_t inode_id, int flags)
{
	struct inode *inode = slots_get(&share->inodes, inode_id);
	if (!inode || (inode->key.type != S_IFREG && inode->key.type != S_IFDIR))
		return -EBADMSG;
	struct handle *handle = calloc(1, sizeof(*handle));
	if (!handle)
		return -ENOMEM;
	int ret = slots_add_at(&share->handles, handle, id, share->handles_max);
	if (ret != 0) {
		free(handle);
		return ret;
	}
	handle->id = id;
	handle->inode = inode;
	handle->flags = flags;
	handle->fd = -1;
	pthread_mutex_init(&handle->dir_lock, NULL);
	inode->handles++;
	struct inode *pinned;
	if (inode_get(share, inode_id, &pinned) == 0) {
		handle->fd = inode_open(share, pinned, flags);
		inode_put(share, pinned);
	}
	return 0;
}

void handle_table_clear(struct share *share)
{
	for (uint32_t i = 0; i < share->handles.count; i++) {
		struct handle *handle = slots_at(&share->handles, i);
		if (handle)
			handle_free(share, handle);
	}
	slots_clear(&share->handles);
}
