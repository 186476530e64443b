/* The overlay layer on disks in memory: where data goes, in what order, and what a failure leaves.
 */
#include "fakeblock.h"
#include "overlay.h"
#include "overlay_format.h"
#include "sectors.h"
#include "test.h"

#define SIZE (1u << 20)
#define KEPT "/nonexistent/kept"

static struct fakeblock image, store;
static struct block *blk;
static struct overlay *ov;
static unsigned batches;

static void count_batch(void *ctx)
{
	(void)ctx;
	batches++;
}

static uint8_t image_byte(uint64_t at)
{
	return (uint8_t)(at * 7 + (at >> 9) * 13 + 1);
}

static void set_up_sized(bool is_kept, uint64_t size)
{
	fakeblock_init(&image, size);
	fakeblock_init(&store, is_kept ? overlay_file_size(size) : size);
	for (uint64_t i = 0; i < size; i++)
		image.data[i] = image_byte(i);
	image.blk.is_readonly = true;
	if (overlay_create(&blk, &image.blk, &store.blk, is_kept ? KEPT : NULL) != 0)
		abort();
	ov = (struct overlay *)blk;
	blk->batch_done = count_batch;
	batches = 0;
}

static void set_up(void)
{
	set_up_sized(false, SIZE);
}

/* The children are not on the heap: the layer destroys nothing of theirs but what is in flight. */
static void tear_down(void)
{
	block_destroy(blk);
	fakeblock_fini(&image);
	fakeblock_fini(&store);
}

static void hold(void)
{
	image.mode = store.mode = FAKEBLOCK_HELD;
}

struct tracked {
	struct block_req req;
	struct iovec iov[8];
	int result;
	unsigned done_calls;
	struct tracked *follow; /* submitted from done() */
	bool is_draining;	/* from done() */
};

static void tracked_done(struct block_req *req, int result)
{
	struct tracked *t = (struct tracked *)req;
	t->result = result;
	t->done_calls++;
	if (t->follow)
		blk->ops->submit(blk, &t->follow->req);
	if (t->is_draining)
		blk->ops->drain(blk);
}

static struct tracked tracked(enum block_op op, uint64_t offset, void *buf, uint64_t len)
{
	struct tracked t = {.result = 12345};
	t.req = (struct block_req){.op = op, .offset = offset, .len = len, .done = tracked_done};
	if (buf) {
		t.iov[0] = (struct iovec){.iov_base = buf, .iov_len = len};
		t.req.iov_count = 1;
	}
	return t;
}

static void start(struct tracked *t)
{
	t->req.iov = t->iov;
	blk->ops->submit(blk, &t->req);
	blk->ops->commit(blk);
}

static int run_op(enum block_op op, uint64_t offset, void *buf, uint64_t len)
{
	struct tracked t = tracked(op, offset, buf, len);
	start(&t);
	blk->ops->drain(blk);
	return t.done_calls == 1 ? t.result : 54321;
}

/* Writes @count sectors of the byte @fill. */
static int write_sectors(uint64_t first, uint64_t count, uint8_t fill)
{
	static uint8_t buf[SIZE];
	memset(buf, fill, count * 512);
	return run_op(BLOCK_WRITE, first * 512, buf, count * 512);
}

/* Whether the disk's sector reads as @fill throughout; -1: as the image's. */
static bool sector_is(uint64_t sector, int fill)
{
	uint8_t buf[512];
	if (run_op(BLOCK_READ, sector * 512, buf, 512) != 0)
		return false;
	for (unsigned i = 0; i < 512; i++)
		if (buf[i] != (fill < 0 ? image_byte(sector * 512 + i) : fill))
			return false;
	return true;
}

WITH_DEVICE(test_size_is_the_images_and_the_disk_is_writable)
{
	CHECK_EQ(blk->size, SIZE);
	CHECK_EQ(blk->block_size, store.blk.block_size);
	CHECK(!blk->is_readonly);
}

WITH_DEVICE(test_untouched_sectors_come_from_the_image_in_one_request)
{
	static uint8_t buf[65536];
	CHECK_EQ(run_op(BLOCK_READ, 512, buf, sizeof(buf)), 0);
	for (unsigned i = 0; i < sizeof(buf); i++)
		CHECK_EQ(buf[i], image_byte(512 + i));
	CHECK_EQ(image.count[BLOCK_READ], 1);
	CHECK_EQ(store.count[BLOCK_READ], 0);
}

WITH_DEVICE(test_writes_go_to_the_store_alone)
{
	static uint8_t buf[8192], in[8192];
	memset(buf, 0xab, sizeof(buf));
	CHECK_EQ(run_op(BLOCK_WRITE, 3 * 512, buf, sizeof(buf)), 0);
	CHECK_EQ(run_op(BLOCK_READ, 3 * 512, in, sizeof(in)), 0);
	CHECK(memcmp(in, buf, sizeof(in)) == 0);
	CHECK_EQ(store.count[BLOCK_WRITE], 1);
	CHECK_EQ(store.count[BLOCK_READ], 1);
	CHECK_EQ(image.count[BLOCK_READ] + image.count[BLOCK_WRITE], 0);
	CHECK(sector_is(2, -1));
	CHECK(sector_is(19, -1));
	CHECK(memcmp(store.data + 3 * 512, buf, sizeof(buf)) == 0);
}

WITH_DEVICE(test_single_sectors_bring_nothing_along)
{
	for (unsigned i = 0; i < 16; i += 3)
		CHECK_EQ(write_sectors(i, 1, (uint8_t)(100 + i)), 0);
	for (unsigned i = 0; i < 16; i++)
		CHECK(sector_is(i, i % 3 ? -1 : (int)(100 + i)));
	CHECK_EQ(store.count[BLOCK_WRITE], 6);
}

WITH_DEVICE(test_mixed_read_is_split_into_the_requests_own_windows)
{
	static uint8_t in[8 * 512];
	CHECK_EQ(write_sectors(1, 2, 0x11), 0);
	CHECK_EQ(write_sectors(5, 1, 0x55), 0);
	struct tracked t = tracked(BLOCK_READ, 0, NULL, sizeof(in));
	t.iov[0] = (struct iovec){in, 1};
	t.iov[1] = (struct iovec){in + 1, 0};
	t.iov[2] = (struct iovec){in + 1, 700};
	t.iov[3] = (struct iovec){in + 701, 1024 - 701};
	t.iov[4] = (struct iovec){in + 1024, sizeof(in) - 1024};
	t.req.iov_count = 5;
	start(&t);
	CHECK_EQ(t.done_calls, 1);
	CHECK_EQ(t.result, 0);
	for (unsigned i = 0; i < sizeof(in); i++) {
		unsigned sector = i / 512;
		unsigned want = sector == 1 || sector == 2 ? 0x11
				: sector == 5		   ? 0x55
							   : image_byte(i);
		CHECK_EQ(in[i], want);
	}
	CHECK_EQ(image.count[BLOCK_READ], 3);
	CHECK_EQ(store.count[BLOCK_READ], 2);
}

/* More pieces than are in flight at a time, completing in any order and in two places. */
static void check_many_pieces(enum fakeblock_mode mode)
{
	static uint8_t in[400 * 512];
	set_up();
	for (unsigned i = 0; i < 400; i += 2)
		CHECK_EQ(write_sectors(i, 1, (uint8_t)i), 0);
	image.mode = store.mode = mode;
	image.is_lifo = true;
	struct tracked t = tracked(BLOCK_READ, 0, in, sizeof(in));
	start(&t);
	for (unsigned i = 0; i < 1000 && mode == FAKEBLOCK_HELD && !t.done_calls; i++)
		fakeblock_release(i % 3 ? &store : &image, 1 + i % 2);
	CHECK_EQ(t.done_calls, 1);
	CHECK_EQ(t.result, 0);
	for (unsigned i = 0; i < sizeof(in); i++) {
		uint8_t want = i / 512 % 2 ? image_byte(i) : (uint8_t)(i / 512);
		CHECK_EQ(in[i], want);
	}
	image.mode = store.mode = FAKEBLOCK_AT_ONCE;
}

static void test_read_of_many_pieces(void)
{
	static const enum fakeblock_mode modes[] = {FAKEBLOCK_AT_ONCE, FAKEBLOCK_AT_COMMIT,
						    FAKEBLOCK_HELD};
	for (unsigned i = 0; i < 3; i++) {
		check_many_pieces(modes[i]);
		tear_down();
	}
}

WITH_DEVICE(test_neighbours_in_flight_together_all_survive)
{
	static struct tracked t[8];
	static uint8_t buf[8][512];
	hold();
	store.is_lifo = true;
	for (unsigned i = 0; i < 8; i++) {
		memset(buf[i], (int)(0x20 + i), 512);
		t[i] = tracked(i == 5 ? BLOCK_WRITE_ZEROES : BLOCK_WRITE, i * 512,
			       i == 5 ? NULL : buf[i], 512);
		start(&t[i]);
	}
	CHECK_EQ(store.held_count, 8); /* none waits for another */
	fakeblock_release(&store, 8);
	image.mode = store.mode = FAKEBLOCK_AT_ONCE;
	for (unsigned i = 0; i < 8; i++) {
		CHECK_EQ(t[i].done_calls, 1);
		CHECK(sector_is(i, i == 5 ? 0 : (int)(0x20 + i)));
	}
	CHECK(sector_is(8, -1));
}

WITH_DEVICE(test_a_write_is_read_only_when_it_is_done)
{
	uint8_t out[512], before[512], after[512];
	memset(out, 0x77, 512);
	struct tracked write = tracked(BLOCK_WRITE, 0, out, 512);
	struct tracked first = tracked(BLOCK_READ, 0, before, 512);
	struct tracked second = tracked(BLOCK_READ, 0, after, 512);
	hold();
	start(&write);
	start(&first);
	fakeblock_release(&store, 1);
	start(&second);
	blk->ops->drain(blk);
	image.mode = store.mode = FAKEBLOCK_AT_ONCE;
	CHECK_EQ(write.result | first.result | second.result, 0);
	CHECK_EQ(before[0], image_byte(0));
	CHECK_EQ(after[0], 0x77);
}

WITH_DEVICE(test_failed_write_leaves_the_images_sectors)
{
	store.fail_at = 1;
	store.fail_with = -ENOSPC;
	store.is_short = true;
	CHECK_EQ(write_sectors(8, 8, 0x99), -ENOSPC);
	for (unsigned i = 8; i < 16; i++)
		CHECK(sector_is(i, -1));
	CHECK_EQ(write_sectors(8, 8, 0x99), 0); /* room again */
	CHECK(sector_is(8, 0x99));
}

WITH_DEVICE(test_failed_zeroing_and_discard_leave_the_images_sectors)
{
	store.fail_at = 1;
	store.fail_with = -EIO;
	CHECK_EQ(run_op(BLOCK_WRITE_ZEROES, 0, NULL, 4096), -EIO);
	CHECK(sector_is(0, -1));
	store.fail_at = 1;
	CHECK_EQ(run_op(BLOCK_DISCARD, 0, NULL, 4096), -EIO);
	CHECK(sector_is(0, -1));
}

WITH_DEVICE(test_first_error_of_a_read_is_its_result)
{
	static uint8_t in[64 * 512];
	static const enum fakeblock_mode modes[] = {FAKEBLOCK_AT_ONCE, FAKEBLOCK_HELD};
	for (unsigned i = 0; i < 64; i += 2)
		CHECK_EQ(write_sectors(i, 1, 1), 0);
	for (unsigned i = 0; i < 2; i++) {
		image.mode = store.mode = modes[i];
		image.fail_at = 3;
		image.fail_with = -EIO;
		struct tracked t = tracked(BLOCK_READ, 0, in, sizeof(in));
		start(&t);
		blk->ops->drain(blk);
		CHECK_EQ(t.done_calls, 1);
		CHECK_EQ(t.result, -EIO);
		CHECK_EQ(image.held_count + store.held_count, 0);
	}
	image.mode = store.mode = FAKEBLOCK_AT_ONCE;
	CHECK_EQ(run_op(BLOCK_READ, 0, in, sizeof(in)), 0);
}

WITH_DEVICE(test_zeroes_hide_the_image)
{
	CHECK_EQ(write_sectors(4, 2, 0x33), 0);
	CHECK_EQ(run_op(BLOCK_WRITE_ZEROES, 1024, NULL, 3 * 512), 0);
	CHECK(sector_is(1, -1));
	for (unsigned i = 2; i < 5; i++)
		CHECK(sector_is(i, 0));
	CHECK(sector_is(5, 0x33));
	CHECK(sector_is(6, -1));
}

WITH_DEVICE(test_discarded_sectors_are_the_stores)
{
	unsigned reads = image.count[BLOCK_READ];
	uint8_t buf[4096];
	CHECK_EQ(run_op(BLOCK_DISCARD, 8192, NULL, 4096), 0);
	CHECK_EQ(run_op(BLOCK_READ, 8192, buf, 4096), 0);
	CHECK_EQ(store.count[BLOCK_DISCARD], 1);
	CHECK_EQ(image.count[BLOCK_READ], reads);
}

WITH_DEVICE(test_bad_ranges)
{
	uint8_t buf[1024] = {0};
	CHECK_EQ(run_op(BLOCK_READ, SIZE, buf, 512), -EINVAL);
	CHECK_EQ(run_op(BLOCK_WRITE, SIZE - 512, buf, 1024), -EINVAL);
	CHECK_EQ(run_op(BLOCK_READ, UINT64_MAX - 511, buf, 512), -EINVAL);
	CHECK_EQ(run_op(BLOCK_READ, 1, buf, 512), -EINVAL);
	CHECK_EQ(run_op(BLOCK_DISCARD, SIZE, NULL, 512), -EINVAL);
	CHECK_EQ(run_op(BLOCK_READ, SIZE, NULL, 0), 0);
	CHECK_EQ(run_op(BLOCK_WRITE_ZEROES, 0, NULL, 0), 0);
	CHECK(sector_is(SIZE / 512 - 1, -1));
}

/* A map covers whole bytes; a disk need not fill them. */
static void test_last_sectors_of_an_odd_disk(void)
{
	set_up_sized(false, 13 * 512);
	CHECK_EQ(write_sectors(12, 1, 0x12), 0);
	CHECK(sector_is(11, -1));
	CHECK(sector_is(12, 0x12));
	CHECK_EQ(run_op(BLOCK_WRITE_ZEROES, 0, NULL, 13 * 512), 0);
	CHECK(sector_is(12, 0));
	tear_down();
}

/* What one child completes may submit to the other: nobody else will commit that. */
WITH_DEVICE(test_work_for_the_other_child_is_passed_on)
{
	uint8_t in[512], out[512] = {1};
	image.mode = store.mode = FAKEBLOCK_AT_COMMIT;
	struct tracked read = tracked(BLOCK_READ, 0, in, 512);
	struct tracked write = tracked(BLOCK_WRITE, 0, out, 512);
	struct tracked flush = tracked(BLOCK_FLUSH, 0, NULL, 0);
	read.follow = &write;
	write.follow = &flush;
	write.req.iov = write.iov;
	start(&read);
	CHECK_EQ(read.done_calls + write.done_calls + flush.done_calls, 3);

	image.mode = FAKEBLOCK_HELD; /* completes from "the loop", that is, outside a commit */
	struct tracked again = tracked(BLOCK_READ, 4096, in, 512);
	struct tracked after = tracked(BLOCK_WRITE, 8192, out, 512);
	again.follow = &after;
	after.req.iov = after.iov;
	start(&again);
	CHECK_EQ(after.done_calls, 0);
	unsigned told = batches;
	fakeblock_release(&image, 1);
	CHECK_EQ(after.done_calls, 1);
	CHECK(batches > told);
}

WITH_DEVICE(test_every_completion_is_told_of)
{
	uint8_t buf[512];
	struct tracked flush = tracked(BLOCK_FLUSH, 0, NULL, 0);
	start(&flush);
	CHECK_EQ(batches, 1);
	CHECK_EQ(run_op(BLOCK_READ, SIZE, buf, 512), -EINVAL); /* at once, too */
	CHECK_EQ(batches, 2);
}

WITH_DEVICE(test_drain_from_done)
{
	static struct tracked t[6];
	static uint8_t buf[6][1024];
	hold();
	CHECK_EQ(write_sectors(1, 1, 1), 0); /* drained: works while held */
	for (unsigned i = 0; i < 6; i++) {
		t[i] = tracked(i % 3 == 2 ? BLOCK_WRITE : BLOCK_READ, i % 3 ? i * 1024 : 0, buf[i],
			       1024);
		t[i].is_draining = i < 4;
		start(&t[i]);
	}
	fakeblock_release(&image, 1);
	blk->ops->drain(blk);
	for (unsigned i = 0; i < 6; i++) {
		CHECK_EQ(t[i].done_calls, 1);
		CHECK_EQ(t[i].result, 0);
	}
}

static void test_destroy_finishes_what_is_in_flight(void)
{
	static struct tracked t[4];
	static uint8_t buf[4][512];
	for (unsigned kept = 0; kept < 2; kept++) {
		set_up_sized(kept, SIZE);
		hold();
		for (unsigned i = 0; i < 4; i++) {
			t[i] = tracked(i == 3  ? BLOCK_FLUSH
				       : i % 2 ? BLOCK_READ
					       : BLOCK_WRITE,
				       i * 512, i == 3 ? NULL : buf[i], i == 3 ? 0 : 512);
			start(&t[i]);
		}
		tear_down();
		for (unsigned i = 0; i < 4; i++) {
			CHECK_EQ(t[i].done_calls, 1);
			CHECK_EQ(t[i].result, 0);
		}
	}
}

/* A kept overlay. */

static void set_up_kept(void)
{
	set_up_sized(true, 3u << 24); /* three pages of map */
}

static const uint8_t *stored_map(void)
{
	return store.data + OVERLAY_HEADER_SIZE;
}

static void test_kept_data_lies_behind_the_map(void)
{
	set_up_kept();
	CHECK_EQ(write_sectors(5, 1, 0x5a), 0);
	CHECK_EQ(store.data[ov->data_offset + 5 * 512], 0x5a);
	CHECK_EQ(ov->data_offset % 65536, 0);
	CHECK(sector_is(5, 0x5a));
	CHECK(sector_is(6, -1));
	tear_down();
}

static void test_kept_map_follows_its_data_at_a_flush(void)
{
	set_up_kept();
	CHECK_EQ(write_sectors(5, 1, 1), 0);
	CHECK_EQ(write_sectors(65536, 1, 1), 0);
	CHECK(!sectors_has(stored_map(), 5));
	struct tracked flush = tracked(BLOCK_FLUSH, 0, NULL, 0);
	hold();
	start(&flush);
	CHECK_EQ(store.held->op, BLOCK_FLUSH); /* the data, before anything else */
	CHECK_EQ(store.held_count, 1);
	fakeblock_release(&store, 1);
	CHECK_EQ(store.held->op, BLOCK_WRITE); /* two pages that are not neighbours */
	CHECK_EQ(store.held->offset, OVERLAY_HEADER_SIZE);
	CHECK_EQ(store.held->len, OVERLAY_MAP_PAGE);
	fakeblock_release(&store, 1);
	CHECK_EQ(store.held->offset, OVERLAY_HEADER_SIZE + 2 * OVERLAY_MAP_PAGE);
	fakeblock_release(&store, 1);
	CHECK_EQ(store.held->op, BLOCK_FLUSH);
	CHECK_EQ(flush.done_calls, 0);
	fakeblock_release(&store, 1);
	CHECK_EQ(flush.done_calls, 1);
	CHECK_EQ(flush.result, 0);
	CHECK(sectors_has(stored_map(), 5));
	CHECK(sectors_has(stored_map(), 65536));
	CHECK_EQ(sectors_run_end(stored_map(), 6, 65536), 65536);

	struct tracked second = tracked(BLOCK_FLUSH, 0, NULL, 0);
	unsigned writes = store.count[BLOCK_WRITE];
	start(&second);
	fakeblock_release(&store, 1); /* nothing new in the map: the data alone */
	CHECK_EQ(second.done_calls, 1);
	CHECK_EQ(store.count[BLOCK_WRITE], writes);
	tear_down();
}

/* What is written after the data was flushed may be lost: the map must not name it yet. */
static void test_kept_map_is_that_of_the_flush(void)
{
	set_up_kept();
	CHECK_EQ(write_sectors(1, 1, 1), 0);
	struct tracked flush = tracked(BLOCK_FLUSH, 0, NULL, 0);
	uint8_t buf[512] = {2};
	struct tracked late = tracked(BLOCK_WRITE, 2 * 512, buf, 512);
	hold();
	start(&flush);
	start(&late);
	fakeblock_release(&store, 2); /* the first flush, and the write */
	CHECK_EQ(late.done_calls, 1);
	blk->ops->drain(blk);
	CHECK_EQ(flush.done_calls, 1);
	CHECK(sectors_has(stored_map(), 1));
	CHECK(!sectors_has(stored_map(), 2));
	CHECK_EQ(run_op(BLOCK_FLUSH, 0, NULL, 0), 0);
	CHECK(sectors_has(stored_map(), 2));
	tear_down();
}

static void test_kept_flushes_that_come_meanwhile_share_the_next_run(void)
{
	static struct tracked t[5];
	set_up_kept();
	CHECK_EQ(write_sectors(1, 1, 1), 0);
	hold();
	for (unsigned i = 0; i < 5; i++) {
		t[i] = tracked(BLOCK_FLUSH, 0, NULL, 0);
		t[i].is_draining = i == 1;
		start(&t[i]);
	}
	CHECK_EQ(store.held_count, 1);
	fakeblock_release(&store, 3);
	CHECK_EQ(t[0].done_calls, 1);
	CHECK_EQ(t[1].done_calls, 0);
	CHECK_EQ(store.held_count, 1);
	fakeblock_release(&store, 1);
	for (unsigned i = 0; i < 5; i++)
		CHECK_EQ(t[i].done_calls, 1);
	CHECK_EQ(store.count[BLOCK_FLUSH], 3);
	tear_down();
}

static void test_kept_flush_from_a_flush(void)
{
	set_up_kept();
	struct tracked first = tracked(BLOCK_FLUSH, 0, NULL, 0);
	struct tracked second = tracked(BLOCK_FLUSH, 0, NULL, 0);
	first.follow = &second;
	CHECK_EQ(write_sectors(1, 1, 1), 0);
	start(&first);
	CHECK_EQ(first.done_calls, 1);
	CHECK_EQ(second.done_calls, 1);
	tear_down();
}

/* @nth request of the flush fails; the next flush saves everything. */
static void test_kept_flush_that_fails_is_made_good_by_the_next(void)
{
	for (unsigned nth = 1; nth <= 4; nth++) {
		set_up_kept();
		CHECK_EQ(write_sectors(3, 1, 1), 0);
		CHECK_EQ(write_sectors(65536, 1, 1), 0);
		store.fail_at = nth;
		store.fail_with = -ENOSPC;
		CHECK_EQ(run_op(BLOCK_FLUSH, 0, NULL, 0), -ENOSPC);
		unsigned writes = store.count[BLOCK_WRITE];
		CHECK_EQ(run_op(BLOCK_FLUSH, 0, NULL, 0), 0);
		CHECK_EQ(store.count[BLOCK_WRITE], writes + 2);
		CHECK(sectors_has(stored_map(), 3));
		CHECK(sectors_has(stored_map(), 65536));
		tear_down();
	}
}

static void test_kept_map_is_complete_at_the_end(void)
{
	set_up_kept();
	CHECK_EQ(blk->ops->attach(blk, (struct evloop *)&batches, NULL),
		 0); /* the fakes look not */
	CHECK_EQ(write_sectors(7, 2, 1), 0);
	CHECK_EQ(blk->ops->attach(blk, NULL, NULL), 0);
	block_destroy(blk);
	CHECK_EQ(sectors_run_end(stored_map(), 0, 100), 7);
	CHECK_EQ(sectors_run_end(stored_map(), 7, 100), 9);
	fakeblock_fini(&image);
	fakeblock_fini(&store);
}

/* Any requests at all, many at a time, against a disk in memory. */

#define SLOTS	8
#define SECTORS 256u

struct slot {
	struct tracked t;
	uint8_t buf[SECTORS * 512];
	uint64_t first, count;
	bool is_busy;
};

static struct slot slot[SLOTS];
static uint8_t model[SECTORS * 512];
static bool is_known[SECTORS]; /* a discard or a failure makes contents unknown */
static unsigned random_state, mismatches;

static unsigned any(unsigned n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 10) % n;
}

static void slot_done(struct block_req *req, int result)
{
	struct slot *s = (struct slot *)req;
	s->is_busy = false;
	s->t.done_calls++;
	for (uint64_t i = 0; i < s->count; i++) {
		const uint8_t *want = model + (s->first + i) * 512;
		if (result != 0 && req->op != BLOCK_READ)
			is_known[s->first + i] = false;
		else if (req->op == BLOCK_READ && result == 0 && is_known[s->first + i])
			mismatches += memcmp(s->buf + i * 512, want, 512) != 0;
	}
}

static bool is_free(uint64_t first, uint64_t count)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (slot[i].is_busy && first < slot[i].first + slot[i].count &&
		    slot[i].first < first + count)
			return false;
	return true;
}

static void slot_prepare(struct slot *s, enum block_op op)
{
	s->t = tracked(op, s->first * 512, NULL, s->count * 512);
	s->t.req.done = slot_done;
	s->t.req.iov = s->t.iov;
	s->t.req.may_unmap = any(2);
	bool is_transfer = op == BLOCK_READ || op == BLOCK_WRITE;
	for (uint64_t at = 0; is_transfer && at < s->count * 512;) {
		uint64_t left = s->count * 512 - at;
		uint64_t n = s->t.req.iov_count == 7 ? left : 1 + any((unsigned)left);
		s->t.iov[s->t.req.iov_count++] = (struct iovec){s->buf + at, n};
		at += n;
	}
	for (uint64_t i = 0; i < s->count; i++) {
		uint8_t *to = model + (s->first + i) * 512;
		if (op == BLOCK_WRITE)
			memset(s->buf + i * 512, (int)any(256), 512);
		if (op == BLOCK_WRITE)
			memcpy(to, s->buf + i * 512, 512);
		else if (op == BLOCK_WRITE_ZEROES)
			memset(to, 0, 512);
		if (op != BLOCK_READ && op != BLOCK_FLUSH)
			is_known[s->first + i] = op != BLOCK_DISCARD;
	}
}

static void random_step(void)
{
	struct slot *s = &slot[any(SLOTS)];
	if (!s->is_busy) {
		enum block_op op = (enum block_op)any(BLOCK_WRITE_ZEROES + 1);
		s->first = any(SECTORS);
		s->count = op == BLOCK_FLUSH ? 0 : 1 + any(SECTORS - (unsigned)s->first);
		if (op != BLOCK_READ && s->count > 8)
			s->count = 1 + any(8);
		if (is_free(s->first, s->count)) {
			slot_prepare(s, op);
			s->is_busy = true;
			blk->ops->submit(blk, &s->t.req);
		}
	}
	if (any(3) == 0)
		blk->ops->commit(blk);
	if (any(3) == 0)
		fakeblock_release(any(2) ? &image : &store, 1 + any(4));
	if (any(200) == 0)
		blk->ops->drain(blk);
	if (any(100) == 0) {
		store.fail_at = 1 + any(5);
		store.fail_with = -ENOSPC;
	}
}

static void check_random(enum fakeblock_mode mode, bool is_kept, unsigned seed)
{
	set_up_sized(is_kept, SECTORS * 512);
	memset(slot, 0, sizeof(slot));
	memcpy(model, image.data, sizeof(model));
	memset(is_known, 1, sizeof(is_known));
	image.mode = store.mode = mode;
	image.is_lifo = seed & 1;
	store.is_lifo = seed & 2;
	store.is_short = true;
	random_state = seed;
	mismatches = 0;
	for (unsigned i = 0; i < 4000; i++)
		random_step();
	blk->ops->drain(blk);
	for (unsigned i = 0; i < SLOTS; i++)
		CHECK(!slot[i].is_busy && slot[i].t.done_calls <= 1);
	CHECK_EQ(mismatches, 0);
	for (uint64_t i = 0; i < image.blk.size; i++)
		CHECK_EQ(image.data[i], image_byte(i));
	CHECK_EQ(image.count[BLOCK_WRITE] + image.count[BLOCK_DISCARD], 0);
}

static void test_random_requests_agree_with_a_disk_in_memory(void)
{
	for (unsigned seed = 0; seed < 24; seed++) {
		check_random((enum fakeblock_mode)(seed % 3), seed % 2, seed);
		tear_down();
	}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_size_is_the_images_and_the_disk_is_writable),
		TEST_CASE(test_untouched_sectors_come_from_the_image_in_one_request),
		TEST_CASE(test_writes_go_to_the_store_alone),
		TEST_CASE(test_single_sectors_bring_nothing_along),
		TEST_CASE(test_mixed_read_is_split_into_the_requests_own_windows),
		TEST_CASE(test_read_of_many_pieces),
		TEST_CASE(test_neighbours_in_flight_together_all_survive),
		TEST_CASE(test_a_write_is_read_only_when_it_is_done),
		TEST_CASE(test_failed_write_leaves_the_images_sectors),
		TEST_CASE(test_failed_zeroing_and_discard_leave_the_images_sectors),
		TEST_CASE(test_first_error_of_a_read_is_its_result),
		TEST_CASE(test_zeroes_hide_the_image),
		TEST_CASE(test_discarded_sectors_are_the_stores),
		TEST_CASE(test_bad_ranges),
		TEST_CASE(test_last_sectors_of_an_odd_disk),
		TEST_CASE(test_work_for_the_other_child_is_passed_on),
		TEST_CASE(test_every_completion_is_told_of),
		TEST_CASE(test_drain_from_done),
		TEST_CASE(test_destroy_finishes_what_is_in_flight),
		TEST_CASE(test_kept_data_lies_behind_the_map),
		TEST_CASE(test_kept_map_follows_its_data_at_a_flush),
		TEST_CASE(test_kept_map_is_that_of_the_flush),
		TEST_CASE(test_kept_flushes_that_come_meanwhile_share_the_next_run),
		TEST_CASE(test_kept_flush_from_a_flush),
		TEST_CASE(test_kept_flush_that_fails_is_made_good_by_the_next),
		TEST_CASE(test_kept_map_is_complete_at_the_end),
		TEST_CASE(test_random_requests_agree_with_a_disk_in_memory),
	};
	return TEST_RUN(cases);
}
