/* What every layer does with requests (private to src/block). */
#ifndef BLOCK_REQUEST_H
#define BLOCK_REQUEST_H

#include <stddef.h>
#include <tinyvm/block.h>

#define SECTOR_SIZE 512u

/* A queue of requests, first in first out. */
struct req_fifo {
	struct block_req *head, *tail;
};

static inline void req_fifo_put(struct req_fifo *fifo, struct block_req *req)
{
	req->next = NULL;
	if (fifo->head)
		fifo->tail->next = req;
	else
		fifo->head = req;
	fifo->tail = req;
}

static inline struct block_req *req_fifo_get(struct req_fifo *fifo)
{
	struct block_req *req = fifo->head;
	if (req)
		fifo->head = req->next;
	return req;
}

/* Return: 0 to go on, else what the request completes with. */
int req_check(const struct block *blk, const struct block_req *req);

/**
 * struct req_cursor - a place in a request's data
 * @iov:  the entry it is in
 * @skip: bytes of that entry that it is past
 */
struct req_cursor {
	const struct iovec *iov;
	size_t skip;
};

/**
 * req_cursor_take() - the windows of the next @len bytes
 * @out: room for one entry more than there are borders between entries in these bytes
 *
 * The caller knows that there are as many. Return: how many windows.
 */
unsigned req_cursor_take(struct req_cursor *cur, uint64_t len, struct iovec *out);

#endif
