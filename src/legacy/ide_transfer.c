/*
 * Moving a drive's data: through the data port by way of the channel's buffer, or by the bus master
 * straight between guest memory and the disk.
 */
#include "ide.h"

#include <errno.h>
#include <tinyvm/log.h>

static uint32_t transfer_unit(struct ide_channel *c)
{
	return ide_selected(c)->drive.is_cd ? IDE_CD_BLOCK : IDE_SECTOR;
}

static void transfer_done(struct block_req *req, int result);

static void transfer_submit(struct ide_channel *c, enum block_op op, uint64_t len, unsigned iovs)
{
	struct block *blk = ide_selected(c)->drive.blk;
	c->moving = len;
	c->req = (struct block_req){
		.op = op,
		.offset = c->lba * transfer_unit(c),
		.len = len,
		.iov = c->iov,
		.iov_count = iovs,
		.done = transfer_done,
	};
	c->phase = IDE_WAITING;
	ide_selected(c)->status = IDE_BSY | IDE_DRDY;
	blk->ops->submit(blk, &c->req);
	blk->ops->commit(blk);
}

/* The buffer's bytes to or from the disk. */
static void transfer_buffer_request(struct ide_channel *c, enum block_op op, uint32_t len)
{
	c->iov[0] = (struct iovec){.iov_base = c->buf, .iov_len = len};
	transfer_submit(c, op, len, 1);
}

static void transfer_fetch(struct ide_channel *c)
{
	uint32_t room = IDE_BUFFER / transfer_unit(c);
	uint32_t n = c->left < room ? c->left : room;
	transfer_buffer_request(c, BLOCK_READ, n * transfer_unit(c));
}

static void transfer_fail(struct ide_channel *c, uint8_t error, uint16_t sense)
{
	if (ide_selected(c)->drive.is_cd)
		ide_atapi_fail(c, 3, sense); /* MEDIUM ERROR */
	else
		ide_finish(c, error);
}

static void transfer_end(struct ide_channel *c)
{
	if (c->is_dma)
		ide_bm_finish(c, false);
	if (ide_selected(c)->drive.is_cd)
		ide_atapi_continue(c);
	else
		ide_finish(c, 0);
}

/* The guest's table ends too early, or leads the wrong way, or to where no memory is. */
static void transfer_refuse(struct ide_channel *c)
{
	log_guest(&c->ide->refused,
		  "ide: the guest's table of memory regions does not fit its transfer");
	ide_bm_finish(c, true);
	transfer_fail(c, IDE_ABRT, 0x0b00);
}

/* The buffer's bytes, all of them. */
static void transfer_buffer_by_bus_master(struct ide_channel *c)
{
	if (c->bm_command & IDE_BM_TO_MEMORY && ide_bm_copy(c, c->len))
		transfer_end(c);
	else
		transfer_refuse(c);
}

/*
 * One request after the other. A request that completes at once does not start the next one from
 * inside: a table of tiny pieces would lead arbitrarily deep.
 */
static void transfer_by_bus_master(struct ide_channel *c)
{
	bool is_to_memory = c->bm_command & IDE_BM_TO_MEMORY;
	do {
		uint64_t want = (uint64_t)c->left * transfer_unit(c), len = 0;
		unsigned n = 0;
		if (is_to_memory != c->is_write)
			n = ide_bm_gather(c, transfer_unit(c),
					  want < IDE_REQUEST_MAX ? want : IDE_REQUEST_MAX, &len);
		if (!n) {
			transfer_refuse(c);
			return;
		}
		c->is_stepping = true;
		c->has_stepped = false;
		transfer_submit(c, c->is_write ? BLOCK_WRITE : BLOCK_READ, len, n);
		c->is_stepping = false;
	} while (c->has_stepped && c->left && c->phase == IDE_WAITING);
	if (c->has_stepped && !c->left && c->phase == IDE_WAITING)
		transfer_end(c);
}

static void transfer_show(struct ide_channel *c)
{
	uint32_t step = ide_selected(c)->drive.is_cd ? c->limit : c->per_turn * IDE_SECTOR;
	c->turn_end = c->len - c->at < step ? c->len : c->at + step;
	ide_selected(c)->status = IDE_DRDY | IDE_DSC | IDE_DRQ;
	if (ide_selected(c)->drive.is_cd) {
		struct ide_unit *u = ide_selected(c);
		uint32_t bytes = c->turn_end - c->at;
		u->count[0] = IDE_IO;
		u->lba_mid[0] = (uint8_t)bytes;
		u->lba_high[0] = (uint8_t)(bytes >> 8);
	}
	c->phase = IDE_DATA_IN;
	ide_raise(c);
}

/* Room for the next sectors that the guest writes. */
static void transfer_ask(struct ide_channel *c)
{
	uint32_t n = c->left < c->per_turn ? c->left : c->per_turn;
	c->at = 0;
	c->turn_end = c->len = n * IDE_SECTOR;
	c->phase = IDE_DATA_OUT;
	ide_selected(c)->status = IDE_DRDY | IDE_DSC | IDE_DRQ;
}

static void transfer_moved(struct ide_channel *c)
{
	c->lba += c->moving / transfer_unit(c);
	c->left -= (uint32_t)(c->moving / transfer_unit(c));
	if (c->is_dma) {
		c->has_stepped = true;
		if (c->is_stepping)
			return;
		if (c->left)
			transfer_by_bus_master(c);
		else
			transfer_end(c);
	} else if (!c->is_write) {
		c->at = 0;
		c->len = (uint32_t)c->moving;
		transfer_show(c);
	} else if (c->left) {
		transfer_ask(c);
		ide_raise(c);
	} else {
		ide_finish(c, 0);
	}
}

static void transfer_done(struct block_req *req, int result)
{
	struct ide_channel *c =
		(struct ide_channel *)((uint8_t *)req - offsetof(struct ide_channel, req));
	if (c->phase != IDE_WAITING)
		return;
	if (result) {
		c->has_stepped = false;
		log_warn("ide: %s of sector %llu failed: the guest gets an error",
			 req->op == BLOCK_READ ? "read" : "write", (unsigned long long)c->lba);
		if (c->is_dma)
			ide_bm_finish(c, false); /* its error bit is for the bus */
		transfer_fail(c, req->op == BLOCK_READ ? IDE_UNC : IDE_ABRT,
			      req->op == BLOCK_READ ? 0x1100 : 0x0c00);
	} else if (req->op == BLOCK_FLUSH) {
		ide_finish(c, 0);
	} else {
		transfer_moved(c);
	}
}

void ide_transfer_start(struct ide_channel *c)
{
	if (c->is_dma && !ide_bm_is_started(c)) {
		c->phase = IDE_DMA_READY;
		ide_selected(c)->status = IDE_DRDY | IDE_DSC | IDE_DRQ;
	} else if (c->is_dma) {
		ide_bm_rewind(c);
		if (c->left)
			transfer_by_bus_master(c);
		else
			transfer_buffer_by_bus_master(c);
	} else if (c->is_write) {
		transfer_ask(c);
	} else {
		transfer_fetch(c);
	}
}

void ide_transfer_turn(struct ide_channel *c)
{
	if (c->phase == IDE_DATA_OUT) {
		transfer_buffer_request(c, BLOCK_WRITE, c->turn_end);
	} else if (c->at < c->len) {
		transfer_show(c);
	} else if (c->left) {
		transfer_fetch(c);
	} else if (ide_selected(c)->drive.is_cd && c->command == 0xa0) {
		ide_atapi_continue(c);
	} else {
		c->phase = IDE_IDLE;
		ide_selected(c)->status = IDE_DRDY | IDE_DSC;
	}
}

void ide_transfer_buffer(struct ide_channel *c, uint32_t len)
{
	c->at = c->turn_end = 0;
	c->len = len;
	c->left = 0;
	if (c->is_dma)
		ide_transfer_start(c);
	else
		transfer_show(c);
}

void ide_transfer_flush(struct ide_channel *c)
{
	c->is_dma = false;
	c->lba = 0;
	transfer_submit(c, BLOCK_FLUSH, 0, 0);
}
