/*
 * The raw layer: an image file or block device as it is. Checks requests, sends them to the ring or
 * the threads, and delivers completions.
 *
 * A commit reaps what the ring finished at once (reads from the page cache do), which saves a
 * latency-bound guest the way through the event loop. RAW_INLINE_MAX bounds how much a guest can
 * keep the calling thread busy that way: past it, completions wait for the loop's next turn.
 */
#include "raw.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/log.h>
#include <unistd.h>

#define RAW_INLINE_MAX	256
#define RAW_FLUSHES_MAX 16

/**
 * struct raw - the layer
 * @ring:    NULL: everything goes to the workers
 * @workers: for what the ring does not do
 * @ring_handle, @workers_handle: while attached
 * @inline_left: completions that may still be reaped outside the loop before its next turn
 * @flushes_left: flushes of a volatile file that may still be answered at once before the next turn
 * @is_pumping: raw_pump() is on the stack and will see to what is submitted
 */
struct raw {
	struct block blk;
	struct raw_file file;
	struct uring *ring;
	struct workers *workers;
	struct evloop_fd *ring_handle, *workers_handle;
	unsigned inline_left;
	unsigned flushes_left;
	bool is_pumping;
};

static struct raw *raw_of(struct block *blk)
{
	return (struct raw *)blk;
}

static void raw_batch_done(struct raw *raw)
{
	if (raw->blk.batch_done)
		raw->blk.batch_done(raw->blk.batch_ctx);
}

static void raw_enter(struct raw *raw)
{
	if (raw->ring)
		uring_enter(raw->ring);
	workers_enter(raw->workers); /* second: the ring may have passed something back */
}

static bool raw_has_work(const struct raw *raw)
{
	return (raw->ring && uring_has_work(raw->ring)) || workers_has_work(raw->workers);
}

/* Hand over, reap, tell; again while done() and batch_done() have submitted more. */
static void raw_pump(struct raw *raw, unsigned reaped)
{
	raw->is_pumping = true;
	do {
		raw_enter(raw);
		if (raw->ring) {
			unsigned n = uring_reap(raw->ring, raw->inline_left);
			raw->inline_left -= n;
			reaped += n;
		}
		if (reaped)
			raw_batch_done(raw);
		reaped = 0;
	} while (raw_has_work(raw));
	raw->is_pumping = false;
}

static void raw_ring_ready(void *ctx, uint32_t events)
{
	struct raw *raw = ctx;
	(void)events;
	raw->inline_left = RAW_INLINE_MAX;
	raw_pump(raw, 0);
}

static void raw_workers_ready(void *ctx, uint32_t events)
{
	struct raw *raw = ctx;
	(void)events;
	raw->flushes_left = RAW_FLUSHES_MAX;
	raw->is_pumping = true; /* done() may commit */
	unsigned reaped = workers_reap(raw->workers);
	raw_pump(raw, reaped);
}

static void raw_detach(struct raw *raw)
{
	evloop_remove(raw->ring_handle);
	evloop_remove(raw->workers_handle);
	raw->ring_handle = raw->workers_handle = NULL;
}

static int raw_attach(struct block *blk, struct evloop *loop, struct device *dev)
{
	struct raw *raw = raw_of(blk);
	int ret = 0;
	raw_detach(raw);
	if (!loop)
		return 0;
	if (raw->ring)
		ret = evloop_add(loop, &raw->ring_handle, uring_fd(raw->ring), EPOLLIN,
				 raw_ring_ready, raw, dev);
	if (ret == 0)
		ret = evloop_add(loop, &raw->workers_handle, workers_fd(raw->workers), EPOLLIN,
				 raw_workers_ready, raw, dev);
	if (ret != 0)
		raw_detach(raw);
	return ret;
}

/*
 * Nothing of the file is there after us, so nothing has to reach the disk. Not always at once: who
 * asks for one flush after the other must let the loop get on with other things.
 */
static void raw_flush_nothing(struct raw *raw, struct block_req *req)
{
	if (raw->flushes_left) {
		raw->flushes_left--;
		req->done(req, 0);
	} else {
		workers_submit(raw->workers, req);
	}
}

static void raw_submit(struct block *blk, struct block_req *req)
{
	struct raw *raw = raw_of(blk);
	int ret = req_check(blk, req);
	bool is_space = req->op == BLOCK_DISCARD || req->op == BLOCK_WRITE_ZEROES;

	if (ret != 0 || (req->len == 0 && req->op != BLOCK_FLUSH))
		req->done(req, ret);
	else if (req->op == BLOCK_FLUSH && raw->file.is_volatile)
		raw_flush_nothing(raw, req);
	else if (raw->ring && !is_space)
		uring_submit(raw->ring, req);
	else
		workers_submit(raw->workers, req);
}

static void raw_commit(struct block *blk)
{
	struct raw *raw = raw_of(blk);
	if (!raw->is_pumping)
		raw_pump(raw, 0);
}

static void raw_drain(struct block *blk)
{
	struct raw *raw = raw_of(blk);
	/* Also from within done() or batch_done(): what the outer run would have reaped is gone
	 * when it looks again. */
	bool was_pumping = raw->is_pumping;
	raw->is_pumping = true;
	for (;;) {
		raw_enter(raw);
		unsigned n = raw->ring ? uring_reap(raw->ring, UINT_MAX) : 0;
		n += workers_reap(raw->workers);
		if (n)
			raw_batch_done(raw);
		else if (raw->ring && uring_is_busy(raw->ring))
			uring_wait(raw->ring);
		else if (workers_is_busy(raw->workers))
			workers_wait(raw->workers);
		else
			break;
	}
	raw->is_pumping = was_pumping;
}

static void raw_destroy(struct block *blk)
{
	struct raw *raw = raw_of(blk);
	raw_drain(blk);
	raw_detach(raw);
	uring_destroy(raw->ring);
	workers_destroy(raw->workers);
	raw_file_close(&raw->file);
	free(raw);
}

static const struct block_ops raw_ops = {
	.attach = raw_attach,
	.submit = raw_submit,
	.commit = raw_commit,
	.drain = raw_drain,
	.destroy = raw_destroy,
};

static void raw_redo(void *ctx, struct block_req *req)
{
	struct raw *raw = ctx;
	workers_submit(raw->workers, req);
}

static int raw_start_engines(struct raw *raw, bool is_uring_wanted)
{
	int ret = is_uring_wanted ? uring_create(&raw->ring, raw->file.fd, raw_redo, raw) : -ENOSYS;
	if (is_uring_wanted && ret != 0)
		log_debug("no io_uring (%d): disk I/O goes through threads", ret);
	return workers_create(&raw->workers, &raw->file, !raw->ring);
}

/* The rest of opening: raw->file is open, and the sizes are known. Takes @raw over. */
static int raw_start(struct block **ret_blk, struct raw *raw, const char *path,
		     bool is_uring_wanted, struct err *err)
{
	raw->blk.ops = &raw_ops;
	raw->inline_left = RAW_INLINE_MAX;
	raw->flushes_left = RAW_FLUSHES_MAX;
	int ret = raw_start_engines(raw, is_uring_wanted);
	if (ret != 0) {
		uring_destroy(raw->ring);
		raw_file_close(&raw->file);
		free(raw);
		if (ret == -EAGAIN)
			return err_set(err, ret,
				       "%s: cannot start a thread for its I/O; raise `ulimit -u`",
				       path);
		return err_set(err, ret, "%s: cannot set up its I/O: %s", path, strerror(-ret));
	}
	*ret_blk = &raw->blk;
	return 0;
}

int raw_open(struct block **ret_blk, const char *path, bool is_readonly, bool is_uring_wanted,
	     struct err *err)
{
	struct raw *raw = calloc(1, sizeof(*raw));
	if (!raw)
		return err_set(err, -ENOMEM, "%s: out of memory", path);

	int ret = raw_file_open(&raw->file, &raw->blk.size, &raw->blk.block_size, path, is_readonly,
				err);
	if (ret != 0) {
		free(raw);
		return ret;
	}
	raw->blk.is_readonly = is_readonly;
	return raw_start(ret_blk, raw, path, is_uring_wanted, err);
}

int raw_adopt(struct block **ret_blk, int fd, const char *path, bool is_volatile,
	      bool is_uring_wanted, struct err *err)
{
	struct raw *raw = calloc(1, sizeof(*raw));
	if (!raw) {
		close(fd);
		return err_set(err, -ENOMEM, "%s: out of memory", path);
	}
	int ret = raw_file_adopt(&raw->file, &raw->blk.size, &raw->blk.block_size, fd, path, false,
				 err);
	if (ret != 0) {
		free(raw);
		return ret;
	}
	raw->file.is_volatile = is_volatile;
	return raw_start(ret_blk, raw, path, is_uring_wanted, err);
}

int raw_fd(const struct block *blk)
{
	return ((const struct raw *)blk)->file.fd;
}

int block_raw_open(struct block **ret_blk, const char *path, bool is_readonly, struct err *err)
{
	return raw_open(ret_blk, path, is_readonly, true, err);
}
