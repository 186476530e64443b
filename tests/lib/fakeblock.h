/*
 * A disk in memory that fails on demand.
 *
 *	struct fakeblock fake;
 *	fakeblock_init(&fake, 64 << 10);
 *	fake.fail_at = 3, fake.fail_with = -ENOSPC;    // the third request from now
 *	fake.mode = FAKEBLOCK_HELD;                    // nothing completes before
 *fakeblock_release()
 *
 * Keeps the rules of struct block: done() and batch_done() may submit, a commit in them is ignored.
 */
#ifndef FAKEBLOCK_H
#define FAKEBLOCK_H

#include <tinyvm/block.h>

enum fakeblock_mode {
	FAKEBLOCK_AT_ONCE,   /* done() within submit() */
	FAKEBLOCK_AT_COMMIT, /* done() within commit() */
	FAKEBLOCK_HELD,	     /* done() within fakeblock_release() or drain() */
};

/**
 * struct fakeblock - the disk
 * @data:    its contents, blk.size bytes
 * @mode:    when requests complete; change it only while nothing is held
 * @fail_at: counts down with each request; the one that makes it 0 completes with @fail_with.
 *           0: never
 * @is_short: the failing READ or WRITE moves its first half before it fails
 * @is_lifo: complete the newest first
 * @count:   requests seen, by enum block_op
 * @commits, @drains: calls seen
 * @held, @held_count: not complete yet, oldest first
 */
struct fakeblock {
	struct block blk;
	uint8_t *data;
	enum fakeblock_mode mode;
	unsigned fail_at;
	int fail_with;
	bool is_short;
	bool is_lifo;
	unsigned count[BLOCK_WRITE_ZEROES + 1];
	unsigned commits, drains;
	struct block_req *held;
	unsigned held_count;
	bool is_busy;
	unsigned unsettled; /* done() calls that batch_done() has not followed */
};

/* @size: a multiple of 512. The memory is zeroed. */
void fakeblock_init(struct fakeblock *fake, uint64_t size);

/* Nothing may be held. */
void fakeblock_fini(struct fakeblock *fake);

/* Completes up to @max held requests, then calls batch_done(). Return: how many. */
unsigned fakeblock_release(struct fakeblock *fake, unsigned max);

#endif
