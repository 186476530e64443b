/*
 * A file server that remembers what it was asked and answers when it is told to.
 *
 *	struct fakefs fake;
 *	fakefs_init(&fake);
 *	... submit through a device ...
 *	fakefs_release(&fake, UINT_MAX);	// done() and batch_done()
 *
 * A READ is filled with the bytes of its offset, a WRITE is kept; SETLKW waits until it is
 * interrupted, granted or drained; FSYNC fails with -EIO; everything else is answered with
 * @reply_len bytes of @reply, or as many as there is room for.
 */
#ifndef FAKEFS_H
#define FAKEFS_H

#include <tinyvm/fs.h>

/**
 * struct fakefs - the server
 * @is_lifo: complete the newest first
 * @is_prompt: complete within commit()
 * @reply, @reply_len: what most requests are answered with
 * @last, @last_args: of the last request submitted
 * @written: bytes of the last WRITE, as far as they fit
 * @held, @held_count: not complete yet, oldest first
 * @lookups: the session: LOOKUPs since the last reset; saved and loaded
 */
struct fakefs {
	struct fs fs;
	bool is_lifo;
	bool is_prompt;
	uint8_t reply[4096];
	uint32_t reply_len;
	struct fuse_in_header last;
	uint32_t last_args_len;
	uint32_t last_room;
	uint32_t written_len;
	struct fs_req *held;
	unsigned held_count;
	unsigned count, commits, drains, resets;
	uint32_t lookups;
	uint8_t last_args[FS_ARGS_MAX];
	uint8_t written[1 << 20];
};

void fakefs_init(struct fakefs *fake);

/* Completes up to @max of what is held, but for what waits; then batch_done(). Return: how many. */
unsigned fakefs_release(struct fakefs *fake, unsigned max);

/* Everything that waits for a lock gets it. */
void fakefs_grant(struct fakefs *fake);

/* The byte that a file has at @offset. */
static inline uint8_t fakefs_byte(uint64_t offset)
{
	return (uint8_t)(offset * 7 + (offset >> 8));
}

#endif
