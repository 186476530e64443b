/*
 * The parts of the raw layer (private to src/block): checks and locking in raw.c and open.c, data
 * through an io_uring (uring.c) or through threads (workers.c) that use plain system calls
 * (sync.c).
 *
 * Everything here is protected by the lock of the device the layer is attached to, but for what
 * workers.c shares with its threads.
 */
#ifndef BLOCK_RAW_H
#define BLOCK_RAW_H

#include "request.h"
#include <stdatomic.h>

struct uring;
struct workers;

/**
 * struct raw_file - an open image
 * @is_device: a block device, not a file
 * @is_volatile: a file that ends with its descriptor, so that a flush has nothing to do
 * @can_punch, @can_zero: the file system has not refused these yet
 */
struct raw_file {
	int fd;
	bool is_device;
	bool is_volatile;
	atomic_bool can_punch;
	atomic_bool can_zero;
};

/**
 * raw_file_open() - open, check and lock an image
 * Return: 0; -errno with the sentence in @err, @file untouched.
 */
int raw_file_open(struct raw_file *file, uint64_t *ret_size, uint32_t *ret_block_size,
		  const char *path, bool is_readonly, struct err *err)
	__attribute__((warn_unused_result));
void raw_file_close(struct raw_file *file);

/* raw_file_open() from where the image is open: takes @fd over, closes it on failure. */
int raw_file_adopt(struct raw_file *file, uint64_t *ret_size, uint32_t *ret_block_size, int fd,
		   const char *path, bool is_readonly, struct err *err)
	__attribute__((warn_unused_result));

/* block_raw_open() with the choice of engine: tests pass false to get the workers. */
int raw_open(struct block **ret_blk, const char *path, bool is_readonly, bool is_uring_wanted,
	     struct err *err) __attribute__((warn_unused_result));

/**
 * raw_adopt() - a raw layer on a file that is open for reading and writing
 * @fd:   taken over, whatever comes of it
 * @path: what sentences call it
 * @is_volatile: as in struct raw_file
 */
int raw_adopt(struct block **ret_blk, int fd, const char *path, bool is_volatile,
	      bool is_uring_wanted, struct err *err) __attribute__((warn_unused_result));

/* The descriptor of a raw layer; it stays the layer's. */
int raw_fd(const struct block *blk);

/**
 * raw_sync() - carry out one request and wait for it
 *
 * Continues short transfers. Return: 0 or -errno, -EIO at the end of a file that has shrunk.
 * Context: any thread; never a vCPU's.
 */
int raw_sync(struct raw_file *file, const struct block_req *req);

/*
 * The ring: READ, WRITE and FLUSH.
 *
 * uring_create(): -errno where the kernel has none or forbids it. What a ring did not do from end
 * to end (short, interrupted, cancelled, refused) is handed to @redo, whole: I/O is idempotent.
 */
int uring_create(struct uring **ret_ring, int fd, void (*redo)(void *ctx, struct block_req *req),
		 void *ctx) __attribute__((warn_unused_result));
void uring_destroy(struct uring *ring); /* nothing may be in flight */
int uring_fd(const struct uring *ring); /* readable while completions wait to be reaped */
void uring_submit(struct uring *ring, struct block_req *req);
bool uring_is_busy(const struct uring *ring);
bool uring_has_work(const struct uring *ring); /* uring_enter() would pass something on */
void uring_enter(struct uring *ring);	       /* pass on what was submitted and fits */
void uring_wait(struct uring *ring); /* until a completion can be reaped; when busy only */
unsigned uring_reap(struct uring *ring, unsigned max); /* calls done(); how often */

/* The threads: any request. They start when there is work; @is_started: one of them at once. */
int workers_create(struct workers **ret_pool, struct raw_file *file, bool is_started)
	__attribute__((warn_unused_result));
void workers_destroy(struct workers *pool); /* nothing may be in flight */
int workers_fd(const struct workers *pool); /* readable while completions wait to be reaped */
void workers_submit(struct workers *pool, struct block_req *req);
bool workers_is_busy(const struct workers *pool);
bool workers_has_work(const struct workers *pool); /* workers_enter() would pass something on */
void workers_enter(struct workers *pool);
void workers_wait(struct workers *pool);
unsigned workers_reap(struct workers *pool);

#endif
