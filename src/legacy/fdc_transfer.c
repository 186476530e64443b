/*
 * The floppy controller's data commands: from the ID that the guest names to sectors of the image,
 * in pieces of up to a track with DMA and of a sector without.
 *
 * A piece is with the disk (a request in flight), with the guest (without DMA, a sector in the
 * buffer), or waits for the DMA channel to be unmasked: then fdc_run() tries again.
 */
#include "fdc.h"

#include <errno.h>
#include <string.h>

#define SPECIFY_NON_DMA 0x01
#define CONFIGURE_SEEKS 0x40 /* implied seek */
#define VERIFY_COUNTS	0x80 /* in the second byte: DTL is how many sectors */
#define HEAD_BIT	0x04
#define FORMAT_ID_BYTES 4
#define BAD_CYLINDER	0xff
#define FDC_ST2_BAD	0x02

enum {
	RATE_500K = 0,
	RATE_300K = 1,
	RATE_250K = 2,
	RATE_1M = 3,
};

static uint8_t fdc_what(const struct fdc *f)
{
	return f->command[0] & FDC_COMMAND_MASK;
}

bool fdc_is_transfer(const struct fdc *f)
{
	switch (fdc_what(f)) {
	case FDC_READ:
	case FDC_READ_DELETED:
	case FDC_READ_TRACK:
	case FDC_WRITE:
	case FDC_WRITE_DELETED:
	case FDC_FORMAT:
	case FDC_VERIFY:
		return true;
	default:
		return false;
	}
}

bool fdc_is_write(const struct fdc *f)
{
	uint8_t what = fdc_what(f);
	return what == FDC_WRITE || what == FDC_WRITE_DELETED || what == FDC_FORMAT;
}

bool fdc_is_pio(const struct fdc *f)
{
	return f->phase == FDC_PHASE_EXECUTION && f->t.pio_len;
}

static bool fdc_is_dma(const struct fdc *f)
{
	return !(f->specify[1] & SPECIFY_NON_DMA);
}

/* Bytes that the DMA controller takes or gives now. */
static size_t fdc_dma_room(const struct fdc *f)
{
	return f->dor & FDC_DOR_DMAGATE ? dma8237_room(&f->dma, DMA_FDC_CHANNEL) : 0;
}

/* The results are in; @st1 and @st2 say why when it is not the end that was hoped for. */
static void fdc_finish(struct fdc *f, uint8_t st1, uint8_t st2)
{
	const struct fdc_transfer *t = &f->t;
	bool is_abnormal = st1 || st2 & ~FDC_ST2_DELETED;
	const uint8_t result[7] = {
		(uint8_t)((is_abnormal ? FDC_ST0_ABNORMAL : 0) | (f->command[1] & 7)),
		st1,
		st2,
		t->c,
		t->h,
		t->r,
		t->n,
	};
	f->t.pio_at = f->t.pio_len = 0;
	fdc_begin_result(f, result, sizeof(result));
	fdc_raise(f);
}

static bool fdc_is_rate(uint8_t drive_type, uint8_t rate)
{
	switch (drive_type) {
	case 2:
	case 4:
		return rate == RATE_500K;
	case 5:
		return rate == RATE_1M;
	default:
		return rate == RATE_250K || rate == RATE_300K;
	}
}

/* Nothing that was recorded goes by under the head. */
static bool fdc_is_blank(const struct fdc *f)
{
	const struct fdc_drive *drive = fdc_drive(f);
	return !drive || !drive->blk || !(f->command[0] & FDC_MFM) ||
	       !fdc_is_rate(drive->geometry.drive_type, f->rate) ||
	       fdc_head(f) >= drive->geometry.heads ||
	       f->track[fdc_unit(f)] >= drive->geometry.cylinders;
}

/* Where the sector named @c, @h, @r, @n is. Return: false when the command ended for want of it. */
static bool fdc_locate(struct fdc *f, uint64_t *ret_offset)
{
	const struct fdc_drive *drive = fdc_drive(f);
	const struct fdc_transfer *t = &f->t;
	uint8_t track = f->track[fdc_unit(f)];
	if (fdc_is_blank(f)) {
		fdc_finish(f, FDC_ST1_NO_MARK, 0);
		return false;
	}
	if (fdc_is_write(f) && drive->blk->is_readonly) {
		fdc_finish(f, FDC_ST1_READONLY, 0);
		return false;
	}
	if (t->c != track) {
		fdc_finish(f, FDC_ST1_NO_DATA,
			   FDC_ST2_CYLINDER | (t->c == BAD_CYLINDER ? FDC_ST2_BAD : 0));
		return false;
	}
	if (t->h != fdc_head(f) || t->n != FDC_SECTOR_CODE || !t->r ||
	    t->r > drive->geometry.sectors) {
		fdc_finish(f, FDC_ST1_NO_DATA, 0);
		return false;
	}
	unsigned sector =
		(track * drive->geometry.heads + t->h) * drive->geometry.sectors + t->r - 1;
	*ret_offset = (uint64_t)sector * FDC_SECTOR;
	return true;
}

static void fdc_done(struct block_req *req, int result)
{
	struct fdc *f = (struct fdc *)((char *)req - offsetof(struct fdc, req));
	f->is_in_flight = false;
	f->has_result = !f->is_stale;
	f->is_stale = false;
	f->req_result = result;
	fdc_run(f);
}

/* Moves @t.count sectors between the buffer and @offset. */
static void fdc_submit(struct fdc *f, uint64_t offset)
{
	struct block *blk = fdc_drive(f)->blk;
	bool is_write = fdc_is_write(f);
	size_t len = (size_t)f->t.count * FDC_SECTOR;
	size_t there = offset >= blk->size	  ? 0
		       : len > blk->size - offset ? (size_t)(blk->size - offset)
						  : len;
	if (!is_write)
		memset(f->t.buffer + there, 0, len - there);
	if (!there || (is_write && there < len)) {
		f->has_result = true;
		f->req_result = is_write ? -EIO : 0;
		return;
	}
	f->iov = (struct iovec){.iov_base = f->t.buffer, .iov_len = there};
	f->req = (struct block_req){
		.op = is_write ? BLOCK_WRITE : BLOCK_READ,
		.offset = offset,
		.len = there,
		.iov = &f->iov,
		.iov_count = 1,
		.done = fdc_done,
	};
	f->is_in_flight = true;
	blk->ops->submit(blk, &f->req);
	blk->ops->commit(blk);
}

/* Lets the guest read or write @len bytes of the buffer. */
static void fdc_begin_pio(struct fdc *f, unsigned len)
{
	f->t.pio_at = 0;
	f->t.pio_len = (uint16_t)len;
	fdc_raise(f);
}

/*
 * @count sectors are done: what comes next, by the table of the data sheet's READ DATA. At the end
 * of a track on its first side MT goes on on the second.
 */
static void fdc_advance(struct fdc *f, unsigned count)
{
	struct fdc_transfer *t = &f->t;
	const struct fdc_drive *drive = fdc_drive(f); /* none, if a saved state says so */
	bool is_multi = f->command[0] & FDC_MT && drive && drive->geometry.heads == 2;
	bool is_track_end = t->r + count - 1 == t->eot;
	bool is_end = is_track_end && !(is_multi && !fdc_head(f));
	bool is_verify = fdc_what(f) == FDC_VERIFY;

	t->r = is_track_end ? 1 : (uint8_t)(t->r + count);
	if (is_track_end && f->command[0] & FDC_MT)
		t->h ^= 1;
	if (is_end)
		t->c++;

	if (fdc_what(f) == FDC_READ_DELETED)
		fdc_finish(f, 0, FDC_ST2_DELETED);
	else if (t->is_last)
		fdc_finish(f, 0, 0);
	else if (is_end)
		fdc_finish(f, is_verify ? 0 : FDC_ST1_END, 0);
	else if (is_track_end)
		f->command[1] |= HEAD_BIT;
}

/* Sectors from @t.r on to the end of the track, as the guest or the diskette ends it. */
static unsigned fdc_track_rest(const struct fdc *f)
{
	const struct fdc_transfer *t = &f->t;
	unsigned end = fdc_drive(f)->geometry.sectors;
	if (t->eot >= t->r && t->eot < end)
		end = t->eot;
	return end - t->r + 1;
}

/* Takes what is to be written from the DMA controller, which has at least one byte. */
static void fdc_dma_fetch(struct fdc *f, size_t len, size_t room)
{
	struct fdc_transfer *t = &f->t;
	size_t moved = dma8237_from_memory(&f->dma, DMA_FDC_CHANNEL, t->buffer,
					   len < room ? len : room, &t->is_last);
	memset(t->buffer + moved, 0, len - moved); /* the rest of a sector cut short */
}

/*
 * The next piece of a read or write. Each of these steps returns whether the command can go on at
 * once.
 */
static bool fdc_data_step(struct fdc *f)
{
	struct fdc_transfer *t = &f->t;
	uint64_t offset;
	if (!fdc_locate(f, &offset))
		return false;
	t->count = fdc_track_rest(f);
	t->is_last = false;
	if (fdc_what(f) == FDC_READ_DELETED) {
		t->count = 1;
		if (f->command[0] & FDC_SK) { /* skips what is not deleted: all there is */
			fdc_finish(f, FDC_ST1_NO_DATA, 0);
			return false;
		}
	}
	if (!fdc_is_dma(f)) {
		t->count = 1;
		if (fdc_is_write(f)) {
			fdc_begin_pio(f, FDC_SECTOR);
			return false;
		}
	} else {
		size_t room = fdc_dma_room(f);
		size_t wanted = (room + FDC_SECTOR - 1) / FDC_SECTOR;
		if (!room)
			return false;
		if (t->count > wanted)
			t->count = (unsigned)wanted;
		if (fdc_is_write(f))
			fdc_dma_fetch(f, (size_t)t->count * FDC_SECTOR, room);
	}
	fdc_submit(f, offset);
	return true;
}

/* The ID in the buffer is the next sector's: fills that. */
static bool fdc_format_sector(struct fdc *f)
{
	struct fdc_transfer *t = &f->t;
	uint64_t offset;
	t->c = t->buffer[0];
	t->h = t->buffer[1];
	t->r = t->buffer[2];
	t->n = t->buffer[3];
	if (!fdc_locate(f, &offset))
		return false;
	memset(t->buffer, f->command[5], FDC_SECTOR);
	t->count = 1;
	fdc_submit(f, offset);
	return true;
}

static bool fdc_format_step(struct fdc *f)
{
	struct fdc_transfer *t = &f->t;
	if (!t->left) {
		fdc_finish(f, 0, 0);
		return false;
	}
	if (!fdc_is_dma(f)) {
		fdc_begin_pio(f, FORMAT_ID_BYTES);
		return false;
	}
	if (fdc_dma_room(f) < FORMAT_ID_BYTES)
		return false;
	dma8237_from_memory(&f->dma, DMA_FDC_CHANNEL, t->buffer, FORMAT_ID_BYTES, &t->is_last);
	return fdc_format_sector(f);
}

/* No data moves, so only the IDs matter. */
static bool fdc_verify_step(struct fdc *f)
{
	struct fdc_transfer *t = &f->t;
	uint64_t offset;
	if (!fdc_locate(f, &offset))
		return false;
	t->count = fdc_track_rest(f);
	t->is_last = false;
	if (f->command[1] & VERIFY_COUNTS) {
		if (t->count >= t->left)
			t->count = t->left ? t->left : 1;
		t->left = (uint8_t)(t->left > t->count ? t->left - t->count : 0);
		t->is_last = !t->left;
	}
	fdc_advance(f, t->count);
	return true;
}

/* The disk has done its part. */
static bool fdc_result_step(struct fdc *f)
{
	struct fdc_transfer *t = &f->t;
	f->has_result = false;
	if (f->req_result) {
		fdc_finish(f, FDC_ST1_DATA, FDC_ST2_DATA);
	} else if (fdc_what(f) == FDC_FORMAT) {
		t->left--;
		if (t->is_last)
			t->left = 0;
	} else if (fdc_is_write(f)) {
		fdc_advance(f, t->count);
	} else if (!fdc_is_dma(f)) {
		fdc_begin_pio(f, FDC_SECTOR);
	} else if (fdc_dma_room(f)) { /* else it was masked meanwhile: again when it is not */
		size_t moved = dma8237_to_memory(&f->dma, DMA_FDC_CHANNEL, t->buffer,
						 (size_t)t->count * FDC_SECTOR, &t->is_last);
		fdc_advance(f, (unsigned)((moved + FDC_SECTOR - 1) / FDC_SECTOR));
	}
	return true;
}

static bool fdc_step(struct fdc *f)
{
	if (f->has_result)
		return fdc_result_step(f);
	if (f->t.pio_len)
		return false;
	switch (fdc_what(f)) {
	case FDC_FORMAT:
		return fdc_format_step(f);
	case FDC_VERIFY:
		return fdc_verify_step(f);
	default:
		return fdc_data_step(f);
	}
}

void fdc_run(struct fdc *f)
{
	if (f->is_running)
		return; /* a request was done within its submission */
	f->is_running = true;
	while (f->phase == FDC_PHASE_EXECUTION && !f->is_in_flight && fdc_step(f))
		;
	f->is_running = false;
}

void fdc_abort(struct fdc *f)
{
	f->is_stale = f->is_in_flight;
	f->has_result = false;
	f->t.pio_at = f->t.pio_len = 0;
}

uint8_t fdc_pio_read(struct fdc *f)
{
	struct fdc_transfer *t = &f->t;
	uint8_t byte = t->buffer[t->pio_at++];
	fdc_lower(f);
	if (t->pio_at == t->pio_len) {
		t->pio_at = t->pio_len = 0;
		t->is_last = false;
		fdc_advance(f, 1);
		fdc_run(f);
	}
	return byte;
}

void fdc_pio_write(struct fdc *f, uint8_t byte)
{
	struct fdc_transfer *t = &f->t;
	uint64_t offset;
	t->buffer[t->pio_at++] = byte;
	fdc_lower(f);
	if (t->pio_at < t->pio_len)
		return;
	t->pio_at = t->pio_len = 0;
	t->is_last = false;
	t->count = 1;
	if (fdc_what(f) == FDC_FORMAT)
		fdc_format_sector(f);
	else if (fdc_locate(f, &offset))
		fdc_submit(f, offset);
	fdc_run(f);
}

void fdc_begin_transfer(struct fdc *f)
{
	struct fdc_transfer *t = &f->t;
	f->phase = FDC_PHASE_EXECUTION;
	t->count = 0;
	t->is_last = false;
	t->left = f->command[8];
	if (fdc_what(f) == FDC_FORMAT) {
		t->c = f->track[fdc_unit(f)];
		t->h = (uint8_t)fdc_head(f);
		t->r = 1;
		t->n = f->command[2];
		t->eot = t->left = f->command[3];
		fdc_run(f);
		return;
	}
	t->c = f->command[2];
	t->h = f->command[3];
	t->r = fdc_what(f) == FDC_READ_TRACK ? 1 : f->command[4];
	t->n = f->command[5];
	t->eot = f->command[6];
	if (f->configure & CONFIGURE_SEEKS)
		fdc_seek(f, t->c);
	fdc_run(f);
}

void fdc_read_id(struct fdc *f)
{
	struct fdc_transfer *t = &f->t;
	t->c = f->track[fdc_unit(f)];
	t->h = (uint8_t)fdc_head(f);
	t->r = 1;
	t->n = FDC_SECTOR_CODE;
	if (fdc_is_blank(f)) {
		fdc_finish(f, FDC_ST1_NO_MARK, 0);
		return;
	}
	/* The diskette turns: another sector each time. */
	f->id = (uint8_t)(f->id % fdc_drive(f)->geometry.sectors + 1);
	t->r = f->id;
	fdc_finish(f, 0, 0);
}
