/*
 * Block layers: asynchronous requests on a disk image.
 *
 * A layer (raw, overlay; later qcow2) is a struct block, possibly with children below it; device
 * models see only the top one. Disk I/O never runs on a vCPU thread.
 */
#ifndef TINYVM_BLOCK_H
#define TINYVM_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct block;
struct device;
struct err;
struct evloop;

enum block_op {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,	    /* everything done before is on stable storage when this is */
	BLOCK_DISCARD,	    /* contents become undefined, space may be given back */
	BLOCK_WRITE_ZEROES, /* reads as zeroes; space given back only with may_unmap */
};

/**
 * struct block_req - one request, owned by the caller until done
 * @op:     what
 * @offset: bytes, a multiple of 512
 * @len:    bytes, a multiple of 512; for READ and WRITE the sum of @iov
 * @iov, @iov_count: the data; up to BLOCK_IOV_MAX entries of any alignment; must stay valid until
 * done
 * @may_unmap: WRITE_ZEROES may give the space back
 * @done:   called once: 0 or -errno (-EIO for a short transfer)
 * @next, @result: the layer's, while the request is with it
 */
struct block_req {
	enum block_op op;
	uint64_t offset;
	uint64_t len;
	const struct iovec *iov;
	unsigned iov_count;
	bool may_unmap;
	void (*done)(struct block_req *req, int result);
	struct block_req *next;
	int result;
};

#define BLOCK_IOV_MAX 1024

/**
 * struct block_ops - one layer's implementation
 * @attach: completions from now on arrive on @loop with @dev's lock held; NULLs detach. -errno.
 * @submit: take @req; done() may run before it returns. Requests may complete in any order.
 * @commit: hand over what was submitted since the last commit (one system call for a batch). What
 *          the page cache can answer completes inside. What done() and batch_done() themselves
 *          submit needs no commit.
 * @drain:  wait until nothing is in flight; done() and batch_done() run inside
 * @destroy: drain, then close
 */
struct block_ops {
	int (*attach)(struct block *blk, struct evloop *loop, struct device *dev);
	void (*submit)(struct block *blk, struct block_req *req);
	void (*commit)(struct block *blk);
	void (*drain)(struct block *blk);
	void (*destroy)(struct block *blk);
};

/**
 * struct block - the top of a disk
 * @size: bytes, a multiple of 512, fixed
 * @block_size: the host's preferred unit in bytes, a power of two from 512 to 64 KiB
 * @is_readonly: WRITE, DISCARD and WRITE_ZEROES complete with -EROFS
 * @batch_done: set by the user, NULL for none: called after each run of done() calls, so that one
 *          interrupt tells of them all
 * @batch_ctx: for it
 *
 * submit, commit and drain are called with the attached device's lock held, on any thread.
 * Requests outside [0, size) complete with -EINVAL.
 */
struct block {
	const struct block_ops *ops;
	uint64_t size;
	uint32_t block_size;
	bool is_readonly;
	void (*batch_done)(void *ctx);
	void *batch_ctx;
};

/**
 * block_raw_open() - a raw image file or block device
 * @path: named in the error sentence
 * @is_readonly: open it so; several VMs may then share it
 *
 * A writable image is locked (an open file description lock, F_OFD_SETLK) so that two VMs cannot
 * write it; a read-only one takes the shared lock. I/O goes through io_uring where the kernel has
 * it, else through a pool of workers. No buffer alignment is asked of the caller. Return: 0; -errno
 * with the sentence in @err: missing, a directory, no permission, size 0 or not a multiple of 512,
 * in use by another VM.
 */
int block_raw_open(struct block **ret_blk, const char *path, bool is_readonly, struct err *err)
	__attribute__((warn_unused_result));

/**
 * block_overlay_open() - a disk that begins as @path and leaves it as it is
 * @path: a raw image file or block device, opened read-only: any number of overlays may share it
 * @dir:  where what is written goes, in a sparse file without a name, which ends with this process;
 *        NULL: beside the image, or in /var/tmp for a block device
 * @keep_path: NULL; else that file, which must not exist yet, is made and kept for
 *        block_overlay_commit(), and @dir is not used. A disk that was never attached leaves none.
 *
 * A flush waits for the disk only where the file is kept. Lack of space is the guest's I/O error.
 * Return: 0; -errno with the sentence in @err: block_raw_open()'s, and what keeps the file from
 * being made.
 */
int block_overlay_open(struct block **ret_blk, const char *path, const char *dir,
		       const char *keep_path, struct err *err) __attribute__((warn_unused_result));

/**
 * block_overlay_commit() - write what a kept overlay holds to its image, and remove the overlay
 * @path: of the overlay's file, which may come from anybody
 * @is_forced: even to an image that was changed or replaced since
 *
 * Both are locked meanwhile. Interrupted or failed at any point, it can be done again; the overlay
 * stays until the image has everything on stable storage. What was done is logged (LOG_INFO).
 * Return: 0; -errno with the sentence in @err.
 */
int block_overlay_commit(const char *path, bool is_forced, struct err *err)
	__attribute__((warn_unused_result));

static inline void block_destroy(struct block *blk)
{
	if (blk)
		blk->ops->destroy(blk);
}

#endif
