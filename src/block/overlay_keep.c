/*
 * The file of an overlay that is kept: its map follows its data.
 *
 * A flush writes the pages of the set that have changed between two flushes of the file: the first
 * makes sure that the map names no sector whose contents might be lost, the second that the map is
 * there. What is written is a copy of these pages from before the first, since the set grows
 * meanwhile. Flushes that come while one is under way are served together by the next.
 */
#include "overlay.h"
#include "overlay_format.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/log.h>
#include <unistd.h>

#define KEEP_RUN_MAX 256 /* pages of one write */

enum keep_page {
	PAGE_CHANGED = 1, /* the set's page is not what the copy's is */
	PAGE_SAVING = 2,  /* the copy's is not what the file's is */
};

enum keep_stage {
	STAGE_IDLE,
	STAGE_DATA, /* the first flush */
	STAGE_MAP,  /* writes */
	STAGE_END,  /* the second flush */
};

/**
 * struct overlay_keep - the file
 * @copy:    of the set; what the file's map is, or is being made
 * @page:    enum keep_page bits for each page of the map
 * @waiting: flushes for the next run; @covered: for this one; @over: done with @result
 * @req:     the one request that a run has in flight, @iov its data
 * @next:    the first page that the run has not looked at
 * @is_calling: keep_run() is on the stack, and goes on when @is_answered
 */
struct overlay_keep {
	struct overlay *ov;
	char *path;
	uint8_t *copy;
	uint8_t *page;
	uint64_t pages;
	struct req_fifo waiting, covered, over;
	enum keep_stage stage;
	struct block_req req;
	struct iovec iov;
	uint64_t next;
	bool is_calling;
	bool is_answered;
	int result;
};

struct overlay_keep *keep_create(struct overlay *ov, const char *path)
{
	uint64_t map_size = overlay_map_size(ov->blk.size);
	struct overlay_keep *keep = calloc(1, sizeof(*keep));
	if (!keep)
		return NULL;
	keep->ov = ov;
	keep->pages = map_size / OVERLAY_MAP_PAGE;
	keep->path = strdup(path);
	keep->copy = calloc(1, map_size);
	keep->page = calloc(1, keep->pages);
	if (!keep->path || !keep->copy || !keep->page) {
		free(keep->path);
		free(keep->copy);
		free(keep->page);
		free(keep);
		return NULL;
	}
	return keep;
}

void keep_note(struct overlay_keep *keep, uint64_t first, uint64_t end)
{
	const uint64_t sectors = OVERLAY_MAP_PAGE * 8;
	for (uint64_t i = first / sectors; i <= (end - 1) / sectors; i++)
		keep->page[i] |= PAGE_CHANGED;
}

static void keep_answered(struct block_req *req, int result);

static void keep_prepare(struct overlay_keep *keep, enum keep_stage stage)
{
	keep->stage = stage;
	keep->req = (struct block_req){.op = BLOCK_FLUSH, .done = keep_answered};
}

static void keep_begin(struct overlay_keep *keep)
{
	keep->covered = keep->waiting;
	keep->waiting = (struct req_fifo){0};
	for (uint64_t i = 0; i < keep->pages; i++) {
		if (!(keep->page[i] & PAGE_CHANGED))
			continue;
		memcpy(keep->copy + i * OVERLAY_MAP_PAGE, keep->ov->own + i * OVERLAY_MAP_PAGE,
		       OVERLAY_MAP_PAGE);
		keep->page[i] = PAGE_SAVING;
	}
	keep->next = 0;
	keep_prepare(keep, STAGE_DATA);
}

/* The next write of a run of pages. Return: false when there is none. */
static bool keep_prepare_map(struct overlay_keep *keep)
{
	uint64_t first = keep->next;
	while (first < keep->pages && !(keep->page[first] & PAGE_SAVING))
		first++;
	uint64_t end = first;
	while (end < keep->pages && end - first < KEEP_RUN_MAX && keep->page[end] & PAGE_SAVING)
		end++;
	keep->next = end;
	if (first == end)
		return false;

	keep_prepare(keep, STAGE_MAP);
	keep->iov = (struct iovec){.iov_base = keep->copy + first * OVERLAY_MAP_PAGE,
				   .iov_len = (end - first) * OVERLAY_MAP_PAGE};
	keep->req.op = BLOCK_WRITE;
	keep->req.offset = OVERLAY_HEADER_SIZE + first * OVERLAY_MAP_PAGE;
	keep->req.len = keep->iov.iov_len;
	keep->req.iov = &keep->iov;
	keep->req.iov_count = 1;
	return true;
}

/* Return: whether a next run has begun. */
static bool keep_finish(struct overlay_keep *keep, int result)
{
	for (uint64_t i = 0; i < keep->pages; i++) {
		if (keep->page[i] & PAGE_SAVING && result != 0)
			keep->page[i] = PAGE_CHANGED;
		keep->page[i] &= PAGE_CHANGED;
	}
	keep->stage = STAGE_IDLE;
	for (struct block_req *req; (req = req_fifo_get(&keep->covered));) {
		req->result = result;
		req_fifo_put(&keep->over, req);
	}
	if (!keep->waiting.head)
		return false;
	keep_begin(keep);
	return true;
}

/* After keep->req. Return: whether it is to be submitted again, as the next one. */
static bool keep_step(struct overlay_keep *keep)
{
	if (keep->result != 0 || keep->stage == STAGE_END)
		return keep_finish(keep, keep->result);
	if (keep_prepare_map(keep))
		return true;
	if (keep->stage == STAGE_DATA) /* no page has changed */
		return keep_finish(keep, 0);
	keep_prepare(keep, STAGE_END);
	return true;
}

static void keep_run(struct overlay_keep *keep)
{
	keep->is_calling = true;
	do {
		keep->is_answered = false;
		overlay_pass(keep->ov, keep->ov->store, &keep->req);
	} while (keep->is_answered && keep_step(keep));
	keep->is_calling = false;
}

static void keep_answered(struct block_req *req, int result)
{
	struct overlay_keep *keep =
		(struct overlay_keep *)((char *)req - offsetof(struct overlay_keep, req));
	keep->result = result;
	keep->is_answered = true;
	if (keep->is_calling)
		return;
	if (keep_step(keep))
		keep_run(keep);
	keep_settle(keep);
}

void keep_flush(struct overlay_keep *keep, struct block_req *req)
{
	req_fifo_put(&keep->waiting, req);
	if (keep->stage != STAGE_IDLE)
		return;
	keep_begin(keep);
	keep_run(keep);
	keep_settle(keep);
}

void keep_settle(struct overlay_keep *keep)
{
	/* One at a time: done() may end up in here again (a drain). */
	for (struct block_req *req; (req = req_fifo_get(&keep->over));)
		overlay_settle(keep->ov, req, req->result);
}

static void keep_saved(struct block_req *req, int result)
{
	req->result = result;
}

void keep_destroy(struct overlay_keep *keep)
{
	struct block *blk = &keep->ov->blk;
	struct block_req last = {.op = BLOCK_FLUSH, .done = keep_saved};

	if (!keep->ov->was_attached) {
		unlink(keep->path);
	} else {
		blk->ops->submit(blk, &last);
		blk->ops->drain(blk);
		if (last.result != 0)
			log_error("%s: the end of the overlay could not be saved: %s; it is as it "
				  "was at the guest's last flush",
				  keep->path, strerror(-last.result));
	}
	free(keep->path);
	free(keep->copy);
	free(keep->page);
	free(keep);
}
