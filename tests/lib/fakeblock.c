#include "fakeblock.h"
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static struct fakeblock *fake_of(struct block *blk)
{
	return (struct fakeblock *)blk;
}

static void fake_move(struct fakeblock *fake, const struct block_req *req, uint64_t len)
{
	uint64_t at = req->offset;
	for (unsigned i = 0; i < req->iov_count && len; i++) {
		uint64_t n = req->iov[i].iov_len < len ? req->iov[i].iov_len : len;
		if (req->op == BLOCK_READ)
			memcpy(req->iov[i].iov_base, fake->data + at, n);
		else
			memcpy(fake->data + at, req->iov[i].iov_base, n);
		at += n;
		len -= n;
	}
}

static int fake_execute(struct fakeblock *fake, const struct block_req *req)
{
	bool is_transfer = req->op == BLOCK_READ || req->op == BLOCK_WRITE;
	fake->count[req->op]++;
	if (req->op != BLOCK_FLUSH) {
		if (fake->blk.is_readonly && req->op != BLOCK_READ)
			return -EROFS;
		if (req->offset % 512 || req->len % 512 || req->offset > fake->blk.size ||
		    req->len > fake->blk.size - req->offset)
			return -EINVAL;
	}
	if (fake->fail_at && --fake->fail_at == 0) {
		if (is_transfer && fake->is_short)
			fake_move(fake, req, req->len / 2);
		return fake->fail_with;
	}
	if (is_transfer)
		fake_move(fake, req, req->len);
	else if (req->op == BLOCK_WRITE_ZEROES)
		memset(fake->data + req->offset, 0, req->len);
	else if (req->op == BLOCK_DISCARD)
		memset(fake->data + req->offset, 0xdd, req->len);
	return 0;
}

static void fake_complete(struct fakeblock *fake, struct block_req *req)
{
	fake->unsettled++;
	req->done(req, fake_execute(fake, req));
}

static struct block_req *fake_take_held(struct fakeblock *fake)
{
	struct block_req **link = &fake->held;
	while (fake->is_lifo && *link && (*link)->next)
		link = &(*link)->next;
	struct block_req *req = *link;
	if (req) {
		*link = req->next;
		fake->held_count--;
	}
	return req;
}

unsigned fakeblock_release(struct fakeblock *fake, unsigned max)
{
	unsigned count = 0;
	bool was_busy = fake->is_busy;
	fake->is_busy = true;
	for (struct block_req *req; count < max && (req = fake_take_held(fake)); count++)
		fake_complete(fake, req);
	if (fake->unsettled) {
		fake->unsettled = 0;
		if (fake->blk.batch_done)
			fake->blk.batch_done(fake->blk.batch_ctx);
	}
	fake->is_busy = was_busy;
	return count;
}

static int fake_attach(struct block *blk, struct evloop *loop, struct device *dev)
{
	(void)blk;
	(void)loop;
	(void)dev;
	return 0;
}

static void fake_submit(struct block *blk, struct block_req *req)
{
	struct fakeblock *fake = fake_of(blk);
	if (fake->mode == FAKEBLOCK_AT_ONCE) {
		fake_complete(fake, req);
		return;
	}
	struct block_req **link = &fake->held;
	while (*link)
		link = &(*link)->next;
	req->next = NULL;
	*link = req;
	fake->held_count++;
}

static void fake_commit(struct block *blk)
{
	struct fakeblock *fake = fake_of(blk);
	fake->commits++;
	if (fake->is_busy || fake->mode == FAKEBLOCK_HELD)
		return;
	while (fakeblock_release(fake, UINT_MAX) > 0 || fake->unsettled)
		;
}

static void fake_drain(struct block *blk)
{
	struct fakeblock *fake = fake_of(blk);
	fake->drains++;
	while (fakeblock_release(fake, UINT_MAX) > 0)
		;
}

static void fake_destroy(struct block *blk)
{
	fake_drain(blk);
}

void fakeblock_init(struct fakeblock *fake, uint64_t size)
{
	static const struct block_ops ops = {
		.attach = fake_attach,
		.submit = fake_submit,
		.commit = fake_commit,
		.drain = fake_drain,
		.destroy = fake_destroy,
	};
	*fake = (struct fakeblock){.blk = {.ops = &ops, .size = size, .block_size = 4096}};
	fake->data = calloc(1, size);
	assert(fake->data);
}

void fakeblock_fini(struct fakeblock *fake)
{
	assert(!fake->held);
	free(fake->data);
	fake->data = NULL;
}
