/*
 * The file system device: VIRTIO 1.2, section 5.11.
 *
 * A chain holds a FUSE request, and room for its answer. Of the request the header and what belongs
 * to it are copied; the bytes of a READ or WRITE go between the guest's memory and the host's
 * kernel as windows. All queues are alike here: FORGET and INTERRUPT, which belong on the first
 * one, are understood on all, and so is everything else there.
 *
 * A request that waits for a file lock may do so for as long as it likes, so a quiesce does not
 * wait for it: its chain is noted as parked, saved as such, and taken up again afterwards.
 *
 * Left out on purpose: F_NOTIFICATION, the DAX window.
 */
#include "virtio_device.h"

#include <assert.h>
#include <errno.h>
#include <spec/virtio_config.h>
#include <spec/virtio_fs.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/fs.h>
#include <tinyvm/log.h>
#include <tinyvm/state.h>

#define FSDEV_QUEUE_SIZE 256
#define FSDEV_QUEUES_MAX 8	  /* of requests */
#define FSDEV_TURN_MAX	 1024	  /* chains taken in one turn */
#define FSDEV_CLASS	 0x018000 /* mass storage, other */

/* What a request has allocated above these is not kept for the next. */
#define FSDEV_ARGS_KEPT 4096
#define FSDEV_IOV_KEPT	64

#define OUT_HEADER ((uint32_t)sizeof(struct fuse_out_header))

/**
 * struct fsdev_request - a request in flight
 * @req:   what the server works on
 * @chain: where the answer goes; its write cursor is only set when it is there
 * @args_room, @iov_room: what @args and @iov have room for
 * @next:  in the list of free ones
 */
struct fsdev_request {
	struct fs_req req;
	struct virtio_fs *vf;
	uint8_t *args;
	size_t args_room;
	struct iovec *iov;
	unsigned iov_room;
	struct fsdev_request *next;
	struct vchain chain;
};

/* A chain whose request waits for a file lock, while the device is quiesced. */
struct fsdev_parked {
	uint16_t queue;
	uint16_t head;
};

/**
 * struct virtio_fs - a shared folder
 * @free:     requests not in use; @allocated in all, never fewer than one
 * @stalled:  queues with chains left behind for want of a request; a bit each
 * @unsignalled: queues the driver has not been told about; likewise
 * @is_stopping: what completes now is nobody's any more
 * @is_draining: what completes now starts nothing new
 */
struct virtio_fs {
	struct virtio_device vd;
	struct fs *fs;
	struct virtio_fs_config config;
	struct fsdev_request *free;
	unsigned allocated;
	uint32_t stalled;
	uint32_t unsignalled;
	bool is_stopping;
	bool is_draining;
	struct fsdev_parked parked[FS_WAITING_MAX];
	unsigned parked_count;
};

static struct virtio_fs *fsdev_of(struct virtio_device *vd)
{
	return (struct virtio_fs *)vd;
}

/* Requests. */

static struct fsdev_request *fsdev_request_get(struct virtio_fs *vf)
{
	struct fsdev_request *r = vf->free;
	if (r) {
		vf->free = r->next;
		return r;
	}
	if (vf->allocated == FS_INFLIGHT_MAX)
		return NULL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->vf = vf;
	vf->allocated++;
	return r;
}

static void fsdev_request_put(struct virtio_fs *vf, struct fsdev_request *r)
{
	if (r->args_room > FSDEV_ARGS_KEPT) {
		free(r->args);
		r->args = NULL;
		r->args_room = 0;
	}
	if (r->iov_room > FSDEV_IOV_KEPT) {
		free(r->iov);
		r->iov = NULL;
		r->iov_room = 0;
	}
	r->next = vf->free;
	vf->free = r;
}

static int fsdev_request_reserve(struct fsdev_request *r, size_t args_len, unsigned iov_count)
{
	if (r->args_room < args_len) {
		free(r->args);
		r->args = malloc(args_len);
		r->args_room = r->args ? args_len : 0;
	}
	if (r->iov_room < iov_count) {
		free(r->iov);
		r->iov = malloc(iov_count * sizeof(*r->iov));
		r->iov_room = r->iov ? iov_count : 0;
	}
	return r->args_room < args_len || r->iov_room < iov_count ? -ENOMEM : 0;
}

/* Answers. */

static bool fsdev_has_answer(uint32_t opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
}

static void fsdev_chain_rewind(struct vchain *chain)
{
	chain->write_at = chain->read_segs;
	chain->write_off = 0;
	chain->written = 0;
}

/* Gives the chain back, with the answer in r->req if it gets one. */
static void fsdev_answer(struct virtio_fs *vf, struct fsdev_request *r)
{
	const struct fs_req *req = &r->req;
	struct vchain *chain = &r->chain;
	struct fuse_out_header out = {
		.len = OUT_HEADER, .error = req->error, .unique = req->header.unique};

	fsdev_chain_rewind(chain);
	if (req->error == 0) {
		assert(req->reply_len <= req->room);
		out.len += req->reply_len;
	}
	if (fsdev_has_answer(req->header.opcode) && chain_writable(chain) >= out.len &&
	    chain_write(chain, &out, sizeof(out)) == 0 && req->error == 0) {
		if (!req->reply)
			chain->written += req->reply_len; /* is in its place already */
		else if (chain_write(chain, req->reply, req->reply_len) != 0)
			chain->written = 0; /* cannot be: there is room */
	}
	vq_push(chain->vq, chain);
	vf->unsignalled |= 1u << chain->vq->index;
	fsdev_request_put(vf, r);
}

static void fsdev_refuse(struct virtio_fs *vf, struct fsdev_request *r, int error, const char *why)
{
	log_guest(&vf->vd.bad_requests, "%s: the guest's driver sent %s", vf->vd.dev.id, why);
	r->req.error = error;
	fsdev_answer(vf, r);
}

static void fsdev_signal(struct virtio_fs *vf)
{
	while (vf->unsignalled) {
		unsigned q = (unsigned)__builtin_ctz(vf->unsignalled);
		vf->unsignalled &= vf->unsignalled - 1;
		vq_signal(&vf->vd.queue[q]);
	}
}

static void fsdev_done(struct fs_req *req)
{
	struct fsdev_request *r = (struct fsdev_request *)req;
	struct virtio_fs *vf = r->vf;

	if (vf->is_stopping) {
		fsdev_request_put(vf, r);
	} else if (req->error == -ERESTART && vf->parked_count < FS_WAITING_MAX) {
		vf->parked[vf->parked_count++] =
			(struct fsdev_parked){.queue = r->chain.vq->index, .head = r->chain.head};
		fsdev_request_put(vf, r);
	} else {
		fsdev_answer(vf, r);
	}
}

/* From a chain to a request. */

/* The room behind the answer's header, as windows for what is read. Return: how many, -errno. */
static int fsdev_take_room(struct fsdev_request *r)
{
	struct vchain *chain = &r->chain;
	struct iovec header[sizeof(struct fuse_out_header)];
	int count = chain_take_writable(chain, OUT_HEADER, header, OUT_HEADER);
	if (count >= 0)
		count = chain_take_writable(chain, r->req.room, r->iov, r->iov_room);
	fsdev_chain_rewind(chain);
	return count;
}

/*
 * The header has been read. Copies what belongs to it and finds the windows of the data.
 * Return: NULL, or what is wrong.
 */
static const char *fsdev_parse(struct fsdev_request *r)
{
	struct fs_req *req = &r->req;
	struct vchain *chain = &r->chain;
	bool is_read = req->header.opcode == FUSE_READ, is_write = req->header.opcode == FUSE_WRITE;
	size_t left = chain_readable(chain);
	int count = 0;

	if (req->header.len < sizeof(req->header) || req->header.len - sizeof(req->header) > left)
		return "a request longer than its buffers";
	left = req->header.len - sizeof(req->header);
	req->args_len = (uint32_t)left;
	if (is_write && left > sizeof(struct fuse_write_in))
		req->args_len = sizeof(struct fuse_write_in);
	if (req->args_len > FS_ARGS_MAX)
		return "a request that is too long";
	if (fsdev_request_reserve(r, req->args_len, is_read || is_write ? chain->total_segs : 0))
		return "a request that the host has no memory for";
	if (chain_read(chain, r->args, req->args_len) != 0)
		return "a request longer than its buffers"; /* cannot be: see above */
	req->args = r->args;
	req->data_len = is_write ? (uint32_t)left - req->args_len : is_read ? req->room : 0;
	if (is_write)
		count = chain_take_readable(chain, req->data_len, r->iov, r->iov_room);
	else if (is_read)
		count = fsdev_take_room(r);
	if (count < 0)
		return "data that the host has no windows for";
	req->data = r->iov;
	req->data_count = (unsigned)count;
	return NULL;
}

static void fsdev_interrupt(struct virtio_fs *vf, struct fsdev_request *r)
{
	struct fuse_interrupt_in in;
	if (r->req.args_len >= sizeof(in)) {
		memcpy(&in, r->req.args, sizeof(in));
		vf->fs->ops->interrupt(vf->fs, in.unique);
	}
	fsdev_answer(vf, r);
}

/* r->chain has just been taken. */
static void fsdev_take(struct virtio_fs *vf, struct fsdev_request *r)
{
	struct fs_req *req = &r->req;
	size_t room = chain_writable(&r->chain);

	req->header =
		(struct fuse_in_header){.opcode = FUSE_FORGET}; /* no answer: nobody to tell */
	req->error = 0;
	req->reply = NULL;
	req->reply_len = 0;
	req->room = room < OUT_HEADER ? 0 : (uint32_t)room - OUT_HEADER;
	if (chain_read(&r->chain, &req->header, sizeof(req->header)) != 0) {
		fsdev_refuse(vf, r, -EINVAL, "a request without a whole header");
		return;
	}
	if (fsdev_has_answer(req->header.opcode) && room < OUT_HEADER) {
		fsdev_refuse(vf, r, -EINVAL, "a request without room for its answer");
		return;
	}
	const char *wrong = fsdev_parse(r);
	if (wrong) {
		fsdev_refuse(vf, r, -EINVAL, wrong);
	} else if (req->header.opcode == FUSE_INTERRUPT) {
		fsdev_interrupt(vf, r);
	} else {
		req->done = fsdev_done;
		vf->fs->ops->submit(vf->fs, req);
	}
}

/* Takes what @vq holds. Return: whether all of it was taken. */
static bool fsdev_pop_all(struct virtio_fs *vf, struct virtq *vq, unsigned *budget)
{
	for (; *budget; (*budget)--) {
		struct fsdev_request *r = fsdev_request_get(vf);
		if (!r) {
			vf->stalled |= 1u << vq->index; /* until one completes */
			return false;
		}
		if (vq_pop(vq, &r->chain) != 1) {
			fsdev_request_put(vf, r);
			return true;
		}
		fsdev_take(vf, r);
	}
	vq_serve_later(vq);
	return false;
}

/* Unless @is_last the driver may be left believing that it need not ring. */
static void fsdev_serve(struct virtio_fs *vf, unsigned q, bool is_last)
{
	struct virtq *vq = &vf->vd.queue[q];
	unsigned budget = FSDEV_TURN_MAX;
	bool is_empty, is_resumed;

	do {
		vf->stalled &= ~(1u << q);
		vq_enable_kick(vq, false);
		is_empty = fsdev_pop_all(vf, vq, &budget);
		vf->fs->ops->commit(vf->fs);
		fsdev_signal(vf);
		/* What was answered within commit() does not call for the rest. */
		is_resumed = vf->stalled >> q & 1 && vf->free;
	} while (is_resumed || (is_empty && is_last && vq_enable_kick(vq, true)));
}

/* After each run of completions. */
static void fsdev_batch_done(void *ctx)
{
	struct virtio_fs *vf = ctx;
	fsdev_signal(vf);
	if (vf->is_draining)
		return;
	uint32_t stalled = vf->stalled;
	for (unsigned q = 0; stalled >> q; q++) {
		if (stalled >> q & 1)
			fsdev_serve(vf, q, true);
	}
}

/* The device's side of struct virtio_ops. */

static void fsdev_notify(struct virtio_device *vd, unsigned queue)
{
	fsdev_serve(fsdev_of(vd), queue, true);
}

static bool fsdev_poll(struct virtio_device *vd, unsigned queue, bool is_last)
{
	struct virtio_fs *vf = fsdev_of(vd);
	if (vf->stalled >> queue & 1)
		return false; /* a completion takes it up again, and asks for the doorbell then */
	bool is_work = vq_has_chains(&vd->queue[queue]);
	if (is_work || is_last)
		fsdev_serve(vf, queue, is_last);
	return is_work;
}

static void fsdev_drain(struct virtio_fs *vf)
{
	bool was_draining = vf->is_draining;
	vf->is_draining = true;
	vf->fs->ops->drain(vf->fs);
	vf->is_draining = was_draining;
}

/* Waits for the I/O, so that no guest buffer is written after the reset. */
static void fsdev_stop(struct virtio_device *vd)
{
	struct virtio_fs *vf = fsdev_of(vd);
	vf->is_stopping = true;
	fsdev_drain(vf);
	vf->is_stopping = false;
	vf->stalled = 0;
	vf->unsignalled = 0;
	vf->parked_count = 0;
}

static void fsdev_reset(struct virtio_device *vd)
{
	struct virtio_fs *vf = fsdev_of(vd);
	vf->parked_count = 0;
	vf->fs->ops->reset(vf->fs);
}

static void fsdev_quiesce(struct virtio_device *vd)
{
	struct virtio_fs *vf = fsdev_of(vd);
	fsdev_drain(vf);
	fsdev_signal(vf);
}

/* The core rings all doorbells afterwards. */
static void fsdev_resume(struct virtio_device *vd)
{
	struct virtio_fs *vf = fsdev_of(vd);
	unsigned count = vf->parked_count;
	vf->parked_count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct fsdev_request *r = fsdev_request_get(vf);
		if (!r) {
			log_warn("%s: out of memory: a wait for a file lock is lost", vd->dev.id);
			return;
		}
		if (vq_retake(&vd->queue[vf->parked[i].queue], vf->parked[i].head, &r->chain) !=
		    1) {
			fsdev_request_put(vf, r);
			continue; /* broken */
		}
		fsdev_take(vf, r);
	}
	vf->fs->ops->commit(vf->fs);
	fsdev_signal(vf);
}

/* What waits for locks. */
static void fsdev_parked_state(struct virtio_fs *vf, struct state *st)
{
	uint32_t count = vf->parked_count;
	state_u32(st, "parked", &count);
	if (state_is_loading(st) && !state_error(st) && count > FS_WAITING_MAX)
		state_fail(st, "more requests that wait for locks than there can be");
	for (unsigned i = 0; i < count && !state_error(st); i++) {
		struct fsdev_parked *parked = &vf->parked[i];
		state_u16(st, "queue", &parked->queue);
		state_u16(st, "head", &parked->head);
		if (state_is_loading(st) && !state_error(st) && parked->queue >= vf->vd.queue_count)
			state_fail(st, "a request that waits in a queue that is not there");
	}
	if (state_is_loading(st))
		vf->parked_count = state_error(st) ? 0 : count;
}

/* What the server knows of the guest. */
static void fsdev_session_save(struct virtio_fs *vf, struct state *st)
{
	void *buf = NULL;
	size_t len = 0;
	int ret = vf->fs->ops->save(vf->fs, &buf, &len);
	if (ret != 0) {
		state_fail(st, "out of memory");
		return;
	}
	uint32_t len32 = (uint32_t)len;
	state_u32(st, "session_len", &len32);
	state_bytes(st, "session", buf, len);
	free(buf);
}

static void fsdev_session_load(struct virtio_fs *vf, struct state *st)
{
	uint32_t len = 0;
	state_u32(st, "session_len", &len);
	if (!state_error(st) && len > FS_STATE_MAX)
		state_fail(st, "a shared folder's session that is too long");
	if (state_error(st))
		return;
	void *buf = malloc(len ? len : 1);
	if (!buf) {
		state_fail(st, "out of memory");
		return;
	}
	state_bytes(st, "session", buf, len);
	if (!state_error(st) && vf->fs->ops->load(vf->fs, buf, len) != 0)
		state_fail(st, "a shared folder's session that cannot be taken up here");
	free(buf);
}

static void fsdev_state(struct virtio_device *vd, struct state *st)
{
	struct virtio_fs *vf = fsdev_of(vd);
	uint8_t tag[VIRTIO_FS_TAG_BYTES];
	memcpy(tag, vf->config.tag, sizeof(tag));
	state_bytes(st, "tag", tag, sizeof(tag));
	if (state_is_loading(st) && !state_error(st) &&
	    memcmp(tag, vf->config.tag, sizeof(tag)) != 0)
		state_fail(st, "a shared folder of another tag");
	fsdev_parked_state(vf, st);
	if (state_is_loading(st))
		fsdev_session_load(vf, st);
	else
		fsdev_session_save(vf, st);
}

static void fsdev_destroy(struct device *dev)
{
	struct virtio_fs *vf = (struct virtio_fs *)dev;
	fsdev_stop(&vf->vd);
	fsdev_reset(&vf->vd);
	if (vf->fs->batch_ctx == vf) /* not when a successor has taken over */
		vf->fs->batch_done = NULL;
	while (vf->free) {
		struct fsdev_request *r = vf->free;
		vf->free = r->next;
		free(r->args);
		free(r->iov);
		free(r);
	}
	virtio_device_fini(&vf->vd);
	free(vf);
}

static const struct virtio_ops fsdev_ops = {
	.dev = {.type = "virtio-fs",
		.version = 1,
		.reset = virtio_device_reset,
		.state = virtio_device_state,
		.quiesce = virtio_device_quiesce,
		.resume = virtio_device_resume,
		.destroy = fsdev_destroy},
	.device_id = VIRTIO_ID_FS,
	.pci_class = FSDEV_CLASS,
	.stop = fsdev_stop,
	.notify = fsdev_notify,
	.poll = fsdev_poll,
	.state = fsdev_state,
	.quiesce = fsdev_quiesce,
	.resume = fsdev_resume,
	.reset = fsdev_reset,
};

int virtio_fs_create(struct virtio_device **ret_vd, const char *id, struct gmem *gm, struct fs *fs,
		     const char *tag, unsigned queues)
{
	size_t tag_len = strlen(tag);
	if (queues < 1 || queues > FSDEV_QUEUES_MAX || tag_len < 1 || tag_len > VIRTIO_FS_TAG_BYTES)
		return -EINVAL;
	struct virtio_fs *vf = calloc(1, sizeof(*vf));
	if (!vf)
		return -ENOMEM;
	vf->fs = fs;
	memcpy(vf->config.tag, tag, tag_len);
	vf->config.num_request_queues = queues;
	/* One request always exists, so that a machine short of memory makes progress. */
	struct fsdev_request *first = fsdev_request_get(vf);
	if (!first ||
	    virtio_device_init(&vf->vd, &fsdev_ops, id, gm, 0, &vf->config, sizeof(vf->config),
			       VIRTIO_FS_QUEUE_REQUEST + queues, FSDEV_QUEUE_SIZE) != 0) {
		free(first);
		free(vf);
		return -ENOMEM;
	}
	fsdev_request_put(vf, first);
	fs->batch_done = fsdev_batch_done;
	fs->batch_ctx = vf;
	*ret_vd = &vf->vd;
	return 0;
}
