/*
 * The overlay layer (private to src/block): requests in overlay.c; the file of an overlay that is
 * kept, overlay_keep.c; opening, overlay_file.c; its format, overlay_format.h.
 *
 * Everything here is protected by the lock of the device the layer is attached to.
 */
#ifndef BLOCK_OVERLAY_H
#define BLOCK_OVERLAY_H

#include "request.h"

struct overlay_io;
struct overlay_keep;

/**
 * struct overlay - the layer
 * @image: the child below, only read
 * @store: the overlay's file: a sector of the disk is @data_offset bytes behind its place in @image
 * @own:   the sectors that are in @store (see sectors.h)
 * @keep:  NULL for an overlay that ends with its descriptor
 * @free:  of requests, not in use
 * @in_flight: requests whose done() has not been called
 * @is_untold: done() calls that batch_done() has not followed
 * @has_fresh: a child was given something that it was not told to commit
 * @is_pumping: overlay_pump() or a drain is on the stack and will see to both
 * @was_attached: a machine was built on it
 */
struct overlay {
	struct block blk;
	struct block *image, *store;
	uint64_t data_offset;
	uint8_t *own;
	struct overlay_keep *keep;
	struct overlay_io *free;
	unsigned in_flight;
	bool is_untold;
	bool has_fresh;
	bool is_pumping;
	bool was_attached;
};

/**
 * overlay_create() - a layer that leaves @image as it is
 * @store: of the size that goes with @image (overlay_format.h), reads as zeroes
 * @keep_path: NULL: @store is the data alone, and a flush has nothing to save; else @store has a
 *             header already, and is removed by this name if no machine ever used the disk
 *
 * The children are the layer's on success only. Return: 0 or -ENOMEM.
 */
int overlay_create(struct block **ret_blk, struct block *image, struct block *store,
		   const char *keep_path) __attribute__((warn_unused_result));

/* block_overlay_open() with the choice of engine. */
int overlay_open(struct block **ret_blk, const char *path, const char *dir, const char *keep_path,
		 bool is_uring_wanted, struct err *err) __attribute__((warn_unused_result));

/* Of overlay.c, for overlay_keep.c. */

/* To @child, an image or a store; overlay_commit() or a pump that runs passes it on. */
void overlay_pass(struct overlay *ov, struct block *child, struct block_req *req);

/* A request taken by the layer is over. */
void overlay_settle(struct overlay *ov, struct block_req *req, int result);

/* A kept overlay's file. */

/* NULL: out of memory. */
struct overlay_keep *keep_create(struct overlay *ov, const char *path);

/*
 * Nothing may be in flight. Saves what the file does not have yet; says so where that fails.
 * Removes the file if no machine ever had the disk.
 */
void keep_destroy(struct overlay_keep *keep);

/* Sectors [@first, @end) have been added to the set. */
void keep_note(struct overlay_keep *keep, uint64_t first, uint64_t end);

/* Takes a flush: what was added by now is in the file, and stays there, when it is done. */
void keep_flush(struct overlay_keep *keep, struct block_req *req);

/* Calls done() for the flushes that are over. For drains; else it happens by itself. */
void keep_settle(struct overlay_keep *keep);

#endif
