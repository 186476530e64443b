/*
 * The overlay layer: what is written goes to a file of its own (the store), and the image below
 * stays as it is. Both are layers, so that the I/O is the raw layer's business.
 *
 * A set in memory tells which sectors are the store's. It has the granularity of requests, 512
 * bytes, though that makes it 1/4096 of the image: so no write has to bring the rest of some larger
 * block along, and requests that do not overlap never have to wait for each other. A sector joins
 * the set when a write to it has succeeded; until then, and for ever if it fails, reads get the
 * image's. Reads are split where the set says so, without a copy: each piece has windows of the
 * request's own data.
 *
 * DISCARD and WRITE_ZEROES punch holes in the store and add their sectors to the set: whether the
 * guest wanted the space kept makes no difference to a file that has reserved none.
 *
 * Left out on purpose: taking sectors out of the set, so that a discard would show the image again.
 */
#include "overlay.h"
#include "overlay_format.h"
#include "sectors.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IO_PIECES   16 /* of one read that are in flight at a time */
#define IO_IOV_KEPT 64 /* a longer array is not kept for the next request */

struct overlay_piece {
	struct block_req req;
	struct overlay_io *io;
};

/**
 * struct overlay_io - a request on its way through the children
 * @parent:  the request
 * @at:      how far a read has been handed over, in bytes of the disk
 * @data:    the place in the parent's data that belongs to @at
 * @pending: pieces in flight, and one while more are being handed over
 * @result:  of the first piece that failed
 * @iov:     the pieces' windows, when there are several; @iov_room of them
 * @next:    in the list of free ones
 */
struct overlay_io {
	struct overlay *ov;
	struct block_req *parent;
	uint64_t at;
	struct req_cursor data;
	unsigned pending;
	int result;
	struct overlay_piece piece[IO_PIECES];
	struct iovec *iov;
	unsigned iov_room;
	struct overlay_io *next;
};

static struct overlay *overlay_of(struct block *blk)
{
	return (struct overlay *)blk;
}

void overlay_pass(struct overlay *ov, struct block *child, struct block_req *req)
{
	ov->has_fresh = true;
	child->ops->submit(child, req);
}

void overlay_settle(struct overlay *ov, struct block_req *req, int result)
{
	ov->in_flight--;
	ov->is_untold = true;
	req->done(req, result);
}

static struct overlay_io *io_get(struct overlay *ov, struct block_req *parent)
{
	struct overlay_io *io = ov->free;
	if (io)
		ov->free = io->next;
	else
		io = calloc(1, sizeof(*io));
	if (!io)
		return NULL;
	io->ov = ov;
	io->parent = parent;
	io->at = parent->offset;
	io->data = (struct req_cursor){.iov = parent->iov};
	io->pending = 0;
	io->result = 0;
	return io;
}

static void io_put(struct overlay_io *io)
{
	if (io->iov_room > IO_IOV_KEPT) {
		free(io->iov);
		io->iov = NULL;
		io->iov_room = 0;
	}
	io->next = io->ov->free;
	io->ov->free = io;
}

static int io_reserve(struct overlay_io *io, unsigned room)
{
	if (io->iov_room >= room)
		return 0;
	free(io->iov);
	io->iov_room = 0;
	io->iov = malloc(room * sizeof(*io->iov));
	if (!io->iov)
		return -ENOMEM;
	io->iov_room = room;
	return 0;
}

static void io_finish(struct overlay_io *io)
{
	struct overlay *ov = io->ov;
	struct block_req *parent = io->parent;
	int result = io->result;

	if (result == 0 && parent->op != BLOCK_READ && parent->len) {
		uint64_t first = parent->offset / SECTOR_SIZE;
		uint64_t end = first + parent->len / SECTOR_SIZE;
		sectors_add(ov->own, first, end);
		if (ov->keep)
			keep_note(ov->keep, first, end);
	}
	io_put(io);
	overlay_settle(ov, parent, result);
}

/* Pieces are handed over from the front; there is no more to do after a failure. */
static bool io_is_over(const struct overlay_io *io)
{
	const struct block_req *parent = io->parent;
	return parent->op != BLOCK_READ || io->result || io->at == parent->offset + parent->len;
}

static void io_read(struct overlay_io *io);

static void io_piece_done(struct block_req *req, int result)
{
	struct overlay_io *io = ((struct overlay_piece *)req)->io;
	if (result != 0 && io->result == 0)
		io->result = result;
	if (--io->pending)
		return;
	if (io_is_over(io))
		io_finish(io);
	else
		io_read(io);
}

/* One piece of a read, from one child. @used: how much of io->iov other pieces have taken. */
static void io_read_piece(struct overlay_io *io, struct overlay_piece *piece, uint64_t len,
			  unsigned *used)
{
	struct overlay *ov = io->ov;
	const struct block_req *parent = io->parent;
	bool is_own = sectors_has(ov->own, io->at / SECTOR_SIZE);

	piece->io = io;
	piece->req = (struct block_req){
		.op = BLOCK_READ,
		.offset = io->at + (is_own ? ov->data_offset : 0),
		.len = len,
		.iov = parent->iov,
		.iov_count = parent->iov_count,
		.done = io_piece_done,
	};
	if (len != parent->len) {
		piece->req.iov = io->iov + *used;
		piece->req.iov_count = req_cursor_take(&io->data, len, io->iov + *used);
		*used += piece->req.iov_count;
	}
	io->at += len;
	io->pending++;
	overlay_pass(ov, is_own ? ov->store : ov->image, &piece->req);
}

static void io_read_pieces(struct overlay_io *io)
{
	const struct block_req *parent = io->parent;
	uint64_t end = parent->offset + parent->len;
	unsigned used = 0;

	for (unsigned i = 0; i < IO_PIECES && io->at < end && io->result == 0; i++) {
		uint64_t stop =
			sectors_run_end(io->ov->own, io->at / SECTOR_SIZE, end / SECTOR_SIZE);
		uint64_t len = stop * SECTOR_SIZE - io->at;
		if (len != parent->len && io_reserve(io, parent->iov_count + IO_PIECES) != 0) {
			io->result = -ENOMEM;
			return;
		}
		io_read_piece(io, &io->piece[i], len, &used);
	}
}

static void io_read(struct overlay_io *io)
{
	/* A child may be done before submit() returns: the count must not fall to 0 here. */
	do {
		io->pending = 1;
		io_read_pieces(io);
	} while (--io->pending == 0 && !io_is_over(io));
	if (io->pending == 0)
		io_finish(io);
}

/* Everything but reads is one request to the store. */
static void io_forward(struct overlay_io *io)
{
	struct overlay *ov = io->ov;
	const struct block_req *parent = io->parent;
	struct overlay_piece *piece = &io->piece[0];

	piece->io = io;
	piece->req = (struct block_req){
		.op = parent->op,
		.offset = parent->offset + ov->data_offset,
		.len = parent->len,
		.iov = parent->iov,
		.iov_count = parent->iov_count,
		.may_unmap = true,
		.done = io_piece_done,
	};
	io->pending = 1;
	overlay_pass(ov, ov->store, &piece->req);
}

static void overlay_submit(struct block *blk, struct block_req *req)
{
	struct overlay *ov = overlay_of(blk);
	int ret = req_check(blk, req);

	ov->in_flight++;
	if (ret != 0 || (req->len == 0 && req->op != BLOCK_FLUSH)) {
		overlay_settle(ov, req, ret);
		return;
	}
	if (req->op == BLOCK_FLUSH && ov->keep) {
		keep_flush(ov->keep, req);
		return;
	}
	struct overlay_io *io = io_get(ov, req);
	if (!io)
		overlay_settle(ov, req, -ENOMEM);
	else if (req->op == BLOCK_READ)
		io_read(io);
	else
		io_forward(io);
}

static void overlay_tell(struct overlay *ov)
{
	if (!ov->is_untold)
		return;
	ov->is_untold = false;
	if (ov->blk.batch_done)
		ov->blk.batch_done(ov->blk.batch_ctx);
}

/*
 * Pass on, tell, and again while done() and batch_done() have submitted more. The children bound
 * what they complete inside a commit, so this ends.
 */
static void overlay_pump(struct overlay *ov)
{
	if (ov->is_pumping)
		return;
	ov->is_pumping = true;
	do {
		ov->has_fresh = false;
		ov->image->ops->commit(ov->image);
		ov->store->ops->commit(ov->store);
		overlay_tell(ov);
	} while (ov->has_fresh || ov->is_untold);
	ov->is_pumping = false;
}

/* A child's batch_done(): what it completed may have made work for the other one. */
static void overlay_child_done(void *ctx)
{
	overlay_pump(ctx);
}

static void overlay_commit(struct block *blk)
{
	overlay_pump(overlay_of(blk));
}

static void overlay_drain(struct block *blk)
{
	struct overlay *ov = overlay_of(blk);
	bool was_pumping = ov->is_pumping;
	ov->is_pumping = true;
	do {
		ov->has_fresh = false;
		if (ov->keep)
			keep_settle(ov->keep);
		ov->image->ops->drain(ov->image);
		ov->store->ops->drain(ov->store);
		overlay_tell(ov);
	} while (ov->in_flight || ov->is_untold);
	ov->is_pumping = was_pumping;
}

static int overlay_attach(struct block *blk, struct evloop *loop, struct device *dev)
{
	struct overlay *ov = overlay_of(blk);
	int ret = ov->image->ops->attach(ov->image, loop, dev);
	if (ret != 0)
		return ret;
	ret = ov->store->ops->attach(ov->store, loop, dev);
	if (ret != 0) {
		int ignored = ov->image->ops->attach(ov->image, NULL, NULL); /* cannot fail */
		(void)ignored;
	}
	ov->was_attached |= ret == 0 && loop;
	return ret;
}

static void overlay_destroy(struct block *blk)
{
	struct overlay *ov = overlay_of(blk);
	overlay_drain(blk);
	if (ov->keep)
		keep_destroy(ov->keep);
	block_destroy(ov->store);
	block_destroy(ov->image);
	while (ov->free) {
		struct overlay_io *io = ov->free;
		ov->free = io->next;
		free(io->iov);
		free(io);
	}
	free(ov->own);
	free(ov);
}

static const struct block_ops overlay_ops = {
	.attach = overlay_attach,
	.submit = overlay_submit,
	.commit = overlay_commit,
	.drain = overlay_drain,
	.destroy = overlay_destroy,
};

int overlay_create(struct block **ret_blk, struct block *image, struct block *store,
		   const char *keep_path)
{
	struct overlay *ov = calloc(1, sizeof(*ov));
	if (!ov)
		return -ENOMEM;
	ov->blk.ops = &overlay_ops;
	ov->blk.size = image->size;
	ov->blk.block_size = store->block_size;
	ov->image = image;
	ov->store = store;
	/* Zero pages until they are touched: what a small guest writes costs little of it. */
	ov->own = calloc(1, overlay_map_size(image->size));
	if (ov->own && keep_path) {
		ov->data_offset = overlay_data_offset(image->size);
		ov->keep = keep_create(ov, keep_path);
	}
	if (!ov->own || (keep_path && !ov->keep)) {
		free(ov->own);
		free(ov);
		return -ENOMEM;
	}
	image->batch_done = store->batch_done = overlay_child_done;
	image->batch_ctx = store->batch_ctx = ov;
	*ret_blk = &ov->blk;
	return 0;
}
