/*
 * The block device: VIRTIO 1.2, section 5.2.
 *
 * A request's chain is taken apart when it is popped; while its I/O is in flight only the data's
 * host windows, the head and the address of the status byte are kept. The status byte is the last
 * writable byte, wherever the driver put the borders between descriptors.
 *
 * Left out on purpose: SIZE_MAX (no limit), LIFETIME, SECURE_ERASE, ZONED, more than one range per
 * discard or write-zeroes request.
 */
#include "virtio_device.h"

#include <errno.h>
#include <spec/virtio_blk.h>
#include <spec/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/block.h>
#include <tinyvm/log.h>
#include <tinyvm/state.h>

#define SECTOR		    512u
#define BLK_QUEUE_SIZE	    256
#define BLK_QUEUES_MAX	    16
#define BLK_SEG_MAX	    254 /* with header and status a chain's 256 */
#define BLK_INFLIGHT_MAX    128
#define BLK_TURN_MAX	    1024	 /* requests served in one turn without waiting for any */
#define BLK_DISCARD_SECTORS (4u << 20)	 /* 2 GiB */
#define BLK_ZEROES_SECTORS  (128u << 10) /* 64 MiB: may have to be written */
#define BLK_IOV_KEPT	    32 /* a request's array longer than this is not kept for the next */
#define BLK_CLASS	    0x018000 /* mass storage, other */
#define BLK_FEATURE(bit)    (1ULL << (bit))

/**
 * struct blk_request - a request in flight
 * @block:   what the block layer works on
 * @vb, @vq, @head, @status: where the answer goes
 * @data_len: bytes that reading writes to the guest
 * @is_stable_wanted: writethrough: a flush follows before the driver is told
 * @iov, @iov_room: the data's windows
 * @next:    in the list of free ones
 */
struct blk_request {
	struct block_req block;
	struct virtio_blk *vb;
	struct virtq *vq;
	gpa_t status;
	uint32_t data_len;
	uint16_t head;
	bool is_stable_wanted;
	unsigned iov_room;
	struct iovec *iov;
	struct blk_request *next;
};

/**
 * struct virtio_blk - a disk
 * @is_writeback: the driver's choice with CONFIG_WCE; the source of config.writeback
 * @free:     requests not in use; @allocated in all, never fewer than one
 * @in_flight: with the block layer
 * @stalled:  queues with chains left behind for want of a request; a bit each
 * @unsignalled: queues the driver has not been told about; likewise
 * @is_stopping: what completes now is nobody's any more
 * @is_draining: what completes now starts nothing new
 * @turn:     a flush that only brings us back after other devices had their turn
 * @chain:    being taken apart; @answer: being pushed
 */
struct virtio_blk {
	struct virtio_device vd;
	struct block *blk;
	char serial[VIRTIO_BLK_ID_BYTES];
	struct virtio_blk_config config;
	bool is_writeback;
	struct blk_request *free;
	unsigned allocated;
	unsigned in_flight;
	uint32_t stalled;
	uint32_t unsignalled;
	bool is_stopping;
	bool is_draining;
	bool is_turn_pending;
	struct block_req turn;
	uint64_t io_errors;
	struct vchain chain;
	struct vchain answer;
};

static struct virtio_blk *blk_of(struct virtio_device *vd)
{
	return (struct virtio_blk *)vd;
}

/* The configuration bytes, from the disk and the driver's one choice. */
static void blk_config_fill(struct virtio_blk *vb)
{
	uint64_t sectors = vb->blk->size / SECTOR;
	uint64_t cylinders = sectors / (16ull * 63);
	uint32_t unit = vb->blk->block_size / SECTOR;
	vb->config = (struct virtio_blk_config){
		.capacity = sectors,
		.seg_max = BLK_SEG_MAX,
		.cylinders = cylinders > UINT16_MAX ? UINT16_MAX : (uint16_t)cylinders,
		.heads = 16,
		.sectors = 63,
		.blk_size = SECTOR, /* the unit of requests; partition tables depend on it */
		.physical_block_exp = (uint8_t)__builtin_ctz(unit),
		.min_io_size = (uint16_t)unit,
		.writeback = vb->is_writeback,
		.num_queues = (uint16_t)vb->vd.queue_count,
		.max_discard_sectors = BLK_DISCARD_SECTORS,
		.max_discard_seg = 1,
		.discard_sector_alignment = unit,
		.max_write_zeroes_sectors = BLK_ZEROES_SECTORS,
		.max_write_zeroes_seg = 1,
		.write_zeroes_may_unmap = 1,
	};
}

/* Requests. */

static struct blk_request *blk_request_get(struct virtio_blk *vb)
{
	struct blk_request *r = vb->free;
	if (r) {
		vb->free = r->next;
		return r;
	}
	if (vb->allocated == BLK_INFLIGHT_MAX)
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->vb = vb;
	vb->allocated++;
	return r;
}

static void blk_request_put(struct virtio_blk *vb, struct blk_request *r)
{
	if (r->iov_room > BLK_IOV_KEPT) {
		free(r->iov);
		r->iov = NULL;
		r->iov_room = 0;
	}
	r->next = vb->free;
	vb->free = r;
}

static int blk_request_reserve(struct blk_request *r, unsigned room)
{
	if (r->iov_room >= room)
		return 0;
	free(r->iov);
	r->iov_room = 0;
	r->iov = malloc(room * sizeof(*r->iov));
	if (!r->iov)
		return -ENOMEM;
	r->iov_room = room;
	return 0;
}

/* Answers. */

/* @written: bytes before the status byte that the driver may trust (used.len, section 2.7.8.2). */
static void blk_answer(struct virtio_blk *vb, struct blk_request *r, uint8_t status,
		       uint32_t written)
{
	struct virtq *vq = r->vq;
	vb->answer.vq = vq;
	vb->answer.head = r->head;
	vb->answer.written = written + 1;
	gpa_t at = r->status;
	blk_request_put(vb, r);
	if (gmem_write(vb->vd.gm, at, &status, 1) != 0)
		return; /* cannot be: vq_pop() has looked */
	vq_push(vq, &vb->answer);
	vb->unsignalled |= 1u << vq->index;
}

static void blk_refuse(struct virtio_blk *vb, struct blk_request *r, uint8_t status,
		       const char *why)
{
	log_guest(&vb->vd.bad_requests, "%s: the guest's driver sent %s", vb->vd.dev.id, why);
	blk_answer(vb, r, status, 0);
}

static void blk_signal(struct virtio_blk *vb)
{
	while (vb->unsignalled) {
		unsigned q = (unsigned)__builtin_ctz(vb->unsignalled);
		vb->unsignalled &= vb->unsignalled - 1;
		vq_signal(&vb->vd.queue[q]);
	}
}

static void blk_report(struct virtio_blk *vb, const struct block_req *req, int error)
{
	static const char *const names[] = {
		[BLOCK_READ] = "read",
		[BLOCK_WRITE] = "write",
		[BLOCK_FLUSH] = "flush",
		[BLOCK_DISCARD] = "discard",
		[BLOCK_WRITE_ZEROES] = "zeroing",
	};
	const char *text = strerrordesc_np(error);
	uint64_t n = ++vb->io_errors;
	if ((n & (n - 1)) == 0)
		log_warn("%s: %s at sector %llu failed: %s (error %llu of this disk)",
			 vb->vd.dev.id, names[req->op], (unsigned long long)(req->offset / SECTOR),
			 text ? text : "unknown error", (unsigned long long)n);
}

static bool blk_is_writeback(const struct virtio_blk *vb)
{
	if (virtio_has(&vb->vd, VIRTIO_BLK_F_CONFIG_WCE))
		return vb->is_writeback;
	return virtio_has(&vb->vd, VIRTIO_BLK_F_FLUSH);
}

static void blk_done(struct block_req *req, int result)
{
	struct blk_request *r = (struct blk_request *)req;
	struct virtio_blk *vb = r->vb;

	if (result != 0)
		blk_report(vb, req, -result);
	if (vb->is_stopping) {
		vb->in_flight--;
		blk_request_put(vb, r);
		return;
	}
	if (result == 0 && r->is_stable_wanted) {
		r->is_stable_wanted = false;
		req->op = BLOCK_FLUSH;
		vb->blk->ops->submit(vb->blk, req);
		return;
	}
	vb->in_flight--;
	blk_answer(vb, r, result ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK, result ? 0 : r->data_len);
}

static void blk_submit(struct virtio_blk *vb, struct blk_request *r, enum block_op op)
{
	r->block.op = op;
	r->block.done = blk_done;
	vb->in_flight++;
	vb->blk->ops->submit(vb->blk, &r->block);
}

/* Request types (section 5.2.6). The header has been read; the status byte is known. */

static bool blk_is_in_range(const struct virtio_blk *vb, uint64_t sector, uint64_t len)
{
	return len % SECTOR == 0 && sector <= vb->config.capacity &&
	       len / SECTOR <= vb->config.capacity - sector;
}

static void blk_transfer(struct virtio_blk *vb, struct blk_request *r, uint64_t sector,
			 bool is_read, size_t len)
{
	struct vchain *chain = &vb->chain;

	if (!is_read && vb->blk->is_readonly) {
		blk_refuse(vb, r, VIRTIO_BLK_S_IOERR, "a write to a read-only disk");
		return;
	}
	if (!blk_is_in_range(vb, sector, len)) {
		blk_refuse(vb, r, VIRTIO_BLK_S_IOERR, "a request beyond the disk's end");
		return;
	}
	unsigned max =
		is_read ? chain->total_segs - chain->write_at : chain->read_segs - chain->read_at;
	if (max == 0) { /* no data at all */
		blk_answer(vb, r, VIRTIO_BLK_S_OK, 0);
		return;
	}
	int count = blk_request_reserve(r, max);
	if (count == 0)
		count = is_read ? chain_take_writable(chain, len, r->iov, max)
				: chain_take_readable(chain, len, r->iov, max);
	r->block.op = is_read ? BLOCK_READ : BLOCK_WRITE;
	r->block.offset = sector * SECTOR;
	if (count < 0) {
		blk_report(vb, &r->block, -count);
		blk_answer(vb, r, VIRTIO_BLK_S_IOERR, 0);
		return;
	}
	r->block.len = len;
	r->block.iov = r->iov;
	r->block.iov_count = (unsigned)count;
	r->data_len = is_read ? (uint32_t)len : 0;
	r->is_stable_wanted = !is_read && !blk_is_writeback(vb);
	blk_submit(vb, r, r->block.op);
}

static void blk_get_id(struct virtio_blk *vb, struct blk_request *r, size_t len)
{
	if (len > sizeof(vb->serial))
		len = sizeof(vb->serial);
	if (chain_write(&vb->chain, vb->serial, len) != 0)
		len = 0; /* cannot be: the caller has counted */
	blk_answer(vb, r, VIRTIO_BLK_S_OK, (uint32_t)len);
}

static void blk_change_range(struct virtio_blk *vb, struct blk_request *r, bool is_discard)
{
	struct virtio_blk_range range;
	uint32_t max = is_discard ? BLK_DISCARD_SECTORS : BLK_ZEROES_SECTORS;
	uint32_t flags_known = is_discard ? 0 : VIRTIO_BLK_RANGE_F_UNMAP;

	if (vb->blk->is_readonly) {
		blk_refuse(vb, r, VIRTIO_BLK_S_IOERR, "a discard on a read-only disk");
	} else if (chain_readable(&vb->chain) != sizeof(range) ||
		   chain_read(&vb->chain, &range, sizeof(range)) != 0) {
		blk_refuse(vb, r, VIRTIO_BLK_S_IOERR, "a discard of other than one range");
	} else if (range.flags & ~flags_known) {
		blk_refuse(vb, r, VIRTIO_BLK_S_UNSUPP, "a discard with unknown flags");
	} else if (range.num_sectors > max ||
		   !blk_is_in_range(vb, range.sector, (uint64_t)range.num_sectors * SECTOR)) {
		blk_refuse(vb, r, VIRTIO_BLK_S_IOERR, "a discard beyond the disk's end or limit");
	} else {
		r->block.offset = range.sector * SECTOR;
		r->block.len = (uint64_t)range.num_sectors * SECTOR;
		r->block.iov_count = 0;
		r->block.may_unmap = range.flags & VIRTIO_BLK_RANGE_F_UNMAP;
		r->data_len = 0;
		r->is_stable_wanted = !is_discard && !blk_is_writeback(vb);
		blk_submit(vb, r, is_discard ? BLOCK_DISCARD : BLOCK_WRITE_ZEROES);
	}
}

static void blk_dispatch(struct virtio_blk *vb, struct blk_request *r, size_t room)
{
	struct virtio_blk_req_header header;
	if (chain_read(&vb->chain, &header, sizeof(header)) != 0) {
		blk_refuse(vb, r, VIRTIO_BLK_S_IOERR, "a request without a whole header");
		return;
	}
	switch (header.type) {
	case VIRTIO_BLK_T_IN:
		blk_transfer(vb, r, header.sector, true, room);
		return;
	case VIRTIO_BLK_T_OUT:
		blk_transfer(vb, r, header.sector, false, chain_readable(&vb->chain));
		return;
	case VIRTIO_BLK_T_FLUSH:
		r->block.offset = r->block.len = 0;
		r->block.iov_count = 0;
		r->data_len = 0;
		r->is_stable_wanted = false;
		blk_submit(vb, r, BLOCK_FLUSH);
		return;
	case VIRTIO_BLK_T_GET_ID:
		blk_get_id(vb, r, room);
		return;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		blk_change_range(vb, r, header.type == VIRTIO_BLK_T_DISCARD);
		return;
	default:
		blk_refuse(vb, r, VIRTIO_BLK_S_UNSUPP, "a request of unknown type");
	}
}

/* vb->chain has just been popped. Return: false when the device is broken by it. */
static bool blk_take(struct virtio_blk *vb, struct blk_request *r)
{
	struct vchain *chain = &vb->chain;
	size_t writable = chain_writable(chain);
	if (writable == 0) {
		blk_request_put(vb, r);
		virtio_device_break(&vb->vd, "a disk request without room for its status");
		return false;
	}
	const struct vseg *last = &chain->seg[chain->total_segs - 1];
	r->vq = chain->vq;
	r->head = chain->head;
	r->status = last->gpa + last->len - 1;
	blk_dispatch(vb, r, writable - 1);
	return true;
}

static void blk_turn_done(struct block_req *req, int result)
{
	/* blk_batch_done() goes on where blk_serve() left off. */
	struct virtio_blk *vb =
		(struct virtio_blk *)((char *)req - offsetof(struct virtio_blk, turn));
	(void)result;
	vb->is_turn_pending = false;
}

/* Leaves queue @q for later. If no completion will bring us back, a flush of our own does. */
static void blk_stall(struct virtio_blk *vb, unsigned q)
{
	vb->stalled |= 1u << q;
	if (vb->in_flight || vb->is_turn_pending)
		return;
	vb->is_turn_pending = true;
	vb->turn = (struct block_req){.op = BLOCK_FLUSH, .done = blk_turn_done};
	vb->blk->ops->submit(vb->blk, &vb->turn);
	vb->blk->ops->commit(vb->blk);
}

/* Takes what queue @q holds. Return: whether all of it was taken. */
static bool blk_pop_all(struct virtio_blk *vb, struct virtq *vq, unsigned *budget)
{
	for (; *budget; (*budget)--) {
		struct blk_request *r = blk_request_get(vb);
		if (!r)
			return false;
		if (vq_pop(vq, &vb->chain) != 1) {
			blk_request_put(vb, r);
			return true;
		}
		if (!blk_take(vb, r))
			return true;
	}
	return false;
}

/* Unless @is_last the driver may be left believing that it need not ring. */
static void blk_serve(struct virtio_blk *vb, unsigned q, bool is_last)
{
	struct virtq *vq = &vb->vd.queue[q];
	unsigned budget = BLK_TURN_MAX;
	bool is_more;

	vb->stalled &= ~(1u << q);
	do {
		vq_enable_kick(vq, false);
		bool is_empty = blk_pop_all(vb, vq, &budget);
		vb->blk->ops->commit(vb->blk);
		if (!is_empty && (budget == 0 || !vb->free)) {
			blk_signal(vb);
			blk_stall(vb, q);
			return;
		}
		blk_signal(vb);
		is_more = !is_empty || (is_last && vq_enable_kick(vq, true));
	} while (is_more);
}

/* After each run of completions. */
static void blk_batch_done(void *ctx)
{
	struct virtio_blk *vb = ctx;
	blk_signal(vb);
	if (vb->is_draining)
		return;
	uint32_t stalled = vb->stalled;
	for (unsigned q = 0; stalled >> q; q++) {
		if (stalled >> q & 1)
			blk_serve(vb, q, true);
	}
}

/* The device's side of struct virtio_ops. */

static void blk_notify(struct virtio_device *vd, unsigned queue)
{
	blk_serve(blk_of(vd), queue, true);
}

static bool blk_poll(struct virtio_device *vd, unsigned queue, bool is_last)
{
	struct virtio_blk *vb = blk_of(vd);
	if (vb->stalled >> queue & 1)
		return false; /* a completion takes it up again, and asks for the doorbell then */
	bool is_work = vq_has_chains(&vd->queue[queue]);
	if (is_work || is_last)
		blk_serve(vb, queue, is_last);
	return is_work;
}

static void blk_drain(struct virtio_blk *vb)
{
	bool was_draining = vb->is_draining;
	vb->is_draining = true;
	vb->blk->ops->drain(vb->blk);
	vb->is_draining = was_draining;
}

/* Waits for the I/O, so that no guest buffer is written after the reset. */
static void blk_stop(struct virtio_device *vd)
{
	struct virtio_blk *vb = blk_of(vd);
	vb->is_stopping = true;
	blk_drain(vb);
	vb->is_stopping = false;
	vb->stalled = 0;
	vb->unsignalled = 0;
}

static void blk_quiesce(struct virtio_device *vd)
{
	struct virtio_blk *vb = blk_of(vd);
	blk_drain(vb);
	blk_signal(vb);
}

/* A load brings the driver's choice afterwards, through blk_state(). */
static void blk_start(struct virtio_device *vd)
{
	/* Section 5.2.5.2: without FLUSH the toggle begins at writethrough. */
	if (virtio_has(vd, VIRTIO_BLK_F_CONFIG_WCE) && !virtio_has(vd, VIRTIO_BLK_F_FLUSH))
		blk_of(vd)->is_writeback = false;
	blk_config_fill(blk_of(vd));
}

static void blk_reset(struct virtio_device *vd)
{
	blk_of(vd)->is_writeback = true;
	blk_config_fill(blk_of(vd));
}

/* The core has let the driver write anywhere; only `writeback` is its to write. */
static void blk_config_written(struct virtio_device *vd, unsigned off, unsigned len)
{
	struct virtio_blk *vb = blk_of(vd);
	const unsigned at = offsetof(struct virtio_blk_config, writeback);
	bool is_writeback = vb->is_writeback;
	if (virtio_has(vd, VIRTIO_BLK_F_CONFIG_WCE) && off <= at && len > at - off)
		is_writeback = vb->config.writeback != 0;
	vb->is_writeback = is_writeback;
	blk_config_fill(vb);
}

static void blk_state(struct virtio_device *vd, struct state *st)
{
	struct virtio_blk *vb = blk_of(vd);
	uint64_t capacity = vb->config.capacity;
	state_u64(st, "capacity", &capacity);
	state_bool(st, "writeback", &vb->is_writeback);
	if (!state_is_loading(st))
		return;
	if (!state_error(st) && capacity != vb->config.capacity)
		state_fail(st, "a disk of another size");
	blk_config_fill(vb);
}

static void blk_destroy(struct device *dev)
{
	struct virtio_blk *vb = (struct virtio_blk *)dev;
	blk_stop(&vb->vd);
	if (vb->blk->batch_ctx == vb) /* not when a successor has taken over */
		vb->blk->batch_done = NULL;
	while (vb->free) {
		struct blk_request *r = vb->free;
		vb->free = r->next;
		free(r->iov);
		free(r);
	}
	virtio_device_fini(&vb->vd);
	free(vb);
}

static const struct virtio_ops blk_ops = {
	.dev = {.type = "virtio-blk",
		.version = 1,
		.reset = virtio_device_reset,
		.state = virtio_device_state,
		.quiesce = virtio_device_quiesce,
		.resume = virtio_device_resume,
		.destroy = blk_destroy},
	.device_id = VIRTIO_ID_BLOCK,
	.pci_class = BLK_CLASS,
	.start = blk_start,
	.stop = blk_stop,
	.notify = blk_notify,
	.poll = blk_poll,
	.config_written = blk_config_written,
	.state = blk_state,
	.quiesce = blk_quiesce,
	.reset = blk_reset,
};

static uint64_t blk_features(const struct block *blk, unsigned queues)
{
	uint64_t features = BLK_FEATURE(VIRTIO_BLK_F_SEG_MAX) | BLK_FEATURE(VIRTIO_BLK_F_GEOMETRY) |
			    BLK_FEATURE(VIRTIO_BLK_F_BLK_SIZE) | BLK_FEATURE(VIRTIO_BLK_F_FLUSH) |
			    BLK_FEATURE(VIRTIO_BLK_F_TOPOLOGY) |
			    BLK_FEATURE(VIRTIO_BLK_F_CONFIG_WCE);
	if (queues > 1)
		features |= BLK_FEATURE(VIRTIO_BLK_F_MQ);
	if (blk->is_readonly)
		return features | BLK_FEATURE(VIRTIO_BLK_F_RO);
	return features | BLK_FEATURE(VIRTIO_BLK_F_DISCARD) |
	       BLK_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
}

int virtio_blk_create(struct virtio_device **ret_vd, const char *id, struct gmem *gm,
		      struct block *blk, const char *serial, unsigned queues)
{
	if (queues < 1 || queues > BLK_QUEUES_MAX || strlen(serial) > VIRTIO_BLK_ID_BYTES)
		return -EINVAL;
	struct virtio_blk *vb = calloc(1, sizeof(*vb));
	if (!vb)
		return -ENOMEM;
	if (virtio_device_init(&vb->vd, &blk_ops, id, gm, blk_features(blk, queues), &vb->config,
			       sizeof(vb->config), queues, BLK_QUEUE_SIZE) != 0) {
		free(vb);
		return -ENOMEM;
	}
	vb->blk = blk;
	vb->is_writeback = true;
	memcpy(vb->serial, serial, strlen(serial));
	blk_config_fill(vb);
	/* One request always exists, so that a machine short of memory makes progress. */
	struct blk_request *first = blk_request_get(vb);
	if (!first) {
		virtio_device_fini(&vb->vd);
		free(vb);
		return -ENOMEM;
	}
	blk_request_put(vb, first);
	blk->batch_done = blk_batch_done;
	blk->batch_ctx = vb;
	*ret_vd = &vb->vd;
	return 0;
}
