/*
 * The split virtqueue: VIRTIO 1.2, section 2.7, with indirect descriptors and EVENT_IDX.
 *
 * Everything the driver writes is hostile and may change between two loads: each word is read once,
 * into a copy, and bounded there. Addresses of the ring areas were checked for alignment by
 * virtq_enable(); that they are RAM is checked at each access.
 *
 * Left out on purpose: packed queues, IN_ORDER, queue reset.
 */
#include "virtio_device.h"

#include <errno.h>
#include <spec/virtio_config.h>
#include <spec/virtio_ring.h>

static bool virtq_is_running(const struct virtq *vq)
{
	return vq->is_ready && virtio_is_live(vq->vd);
}

/* Orders our store to one ring word before our load of another (sections 2.7.7.2, 2.7.10). */
static void virtq_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static int virtq_break(struct virtq *vq, const char *why)
{
	virtio_device_break(vq->vd, why);
	return -EBADMSG;
}

/* Where a walk along a chain stands. */
struct walk {
	gpa_t table;
	uint32_t entries;
	uint32_t next;
	unsigned hops; /* in this table */
	unsigned hops_max;
	bool is_indirect;
	uint64_t total; /* bytes */
};

/* Adds one buffer to @chain. Return: NULL, or what is wrong with it. */
static const char *walk_buffer(struct vchain *chain, struct walk *w, const struct virtq_desc *d)
{
	const struct gmem *gm = chain->vq->vd->gm;
	bool is_writable = d->flags & VIRTQ_DESC_F_WRITE;
	struct iovec window;

	if (!is_writable && chain->total_segs > chain->read_segs)
		return "a readable descriptor follows a writable one";
	if (d->len == 0)
		return NULL; /* nothing forbids it */
	if (chain->total_segs == VIRTQ_SIZE_MAX)
		return "a chain that is too long";
	w->total += d->len;
	if (w->total > UINT32_MAX)
		return "a chain of 4 GiB or more";
	if (gmem_iov(gm, d->addr, d->len, &window, 1) == -EFAULT)
		return "a buffer outside of RAM";
	chain->seg[chain->total_segs++] = (struct vseg){.gpa = d->addr, .len = d->len};
	if (!is_writable)
		chain->read_segs = chain->total_segs;
	return NULL;
}

/* Steps into an indirect table (section 2.7.5.3). */
static const char *walk_indirect(const struct vchain *chain, struct walk *w,
				 const struct virtq_desc *d)
{
	if (!virtio_has(chain->vq->vd, VIRTIO_F_INDIRECT_DESC))
		return "an indirect descriptor, not negotiated";
	if (w->is_indirect)
		return "an indirect descriptor in an indirect table";
	if (d->flags & VIRTQ_DESC_F_NEXT)
		return "a descriptor both indirect and with a next one";
	if (d->len == 0 || d->len % sizeof(*d))
		return "an indirect table of a bad length";
	w->is_indirect = true;
	w->table = d->addr;
	w->entries = d->len / sizeof(*d);
	w->next = 0;
	w->hops = 0;
	w->hops_max = VIRTQ_SIZE_MAX;
	return NULL;
}

/*
 * Follows the chain from @w->next. A chain in the ring proper is bounded by the queue's size, so a
 * loop is noticed there; with an indirect table the bound is VIRTQ_SIZE_MAX, more than section
 * 2.7.5.3.1 allows with a smaller queue, because Linux goes beyond the queue's size when it could
 * not allocate the ring it was offered.
 */
static const char *walk_chain(struct vchain *chain, struct walk *w)
{
	const struct gmem *gm = chain->vq->vd->gm;
	struct virtq_desc d;

	for (;;) {
		if (w->hops++ >= w->hops_max)
			return "a chain that is too long, or a loop";
		if (w->next >= w->entries)
			return "a next descriptor beyond the table";
		if (gmem_read(gm, w->table + w->next * sizeof(d), &d, sizeof(d)) != 0)
			return "a descriptor table outside of RAM";

		const char *wrong;
		if (d.flags & VIRTQ_DESC_F_INDIRECT) {
			wrong = walk_indirect(chain, w, &d);
			if (wrong)
				return wrong;
			continue;
		}
		wrong = walk_buffer(chain, w, &d);
		if (wrong || !(d.flags & VIRTQ_DESC_F_NEXT))
			return wrong;
		w->next = d.next;
	}
}

int vq_retake(struct virtq *vq, uint16_t head, struct vchain *chain)
{
	if (!virtq_is_running(vq) || vq->vd->is_quiesced)
		return 0;
	/* Not `= {}`: the segments' 4 KiB need no clearing. */
	chain->vq = vq;
	chain->head = head;
	chain->read_segs = chain->total_segs = 0;
	chain->read_off = chain->write_off = 0;
	chain->read_at = 0;
	chain->written = 0;

	struct walk w = {
		.table = vq->desc, .entries = vq->size, .next = head, .hops_max = vq->size};
	const char *wrong = walk_chain(chain, &w);
	if (wrong)
		return virtq_break(vq, wrong);
	chain->write_at = chain->read_segs;
	return 1;
}

int vq_pop(struct virtq *vq, struct vchain *chain)
{
	const struct gmem *gm = vq->vd->gm;
	uint16_t idx, head;

	if (!virtq_is_running(vq) || vq->vd->is_quiesced)
		return 0;
	if (gmem_load_le16(gm, vq->avail + VIRTQ_AVAIL_IDX, &idx) != 0)
		return virtq_break(vq, "an available ring outside of RAM");
	if (idx == vq->avail_idx)
		return 0;
	/* With those in flight there are never more than the size. An index that has gone back is
	 * very far ahead. */
	uint32_t out = (uint16_t)(vq->avail_idx - vq->used_idx);
	if (out + (uint16_t)(idx - vq->avail_idx) > vq->size)
		return virtq_break(vq, "more chains available than the queue holds");
	if (gmem_load_le16(gm, vq->avail + VIRTQ_AVAIL_RING(vq->avail_idx & (vq->size - 1)),
			   &head) != 0)
		return virtq_break(vq, "an available ring outside of RAM");

	int ret = vq_retake(vq, head, chain);
	if (ret == 1)
		vq->avail_idx++;
	return ret;
}

bool vq_has_chains(const struct virtq *vq)
{
	uint16_t idx;
	/* A ring that cannot be read is vq_pop()'s to report. */
	return virtq_is_running(vq) &&
	       (gmem_load_le16(vq->vd->gm, vq->avail + VIRTQ_AVAIL_IDX, &idx) != 0 ||
		idx != vq->avail_idx);
}

unsigned vq_outstanding(const struct virtq *vq)
{
	uint16_t idx;
	if (!virtq_is_running(vq) ||
	    gmem_load_le16(vq->vd->gm, vq->avail + VIRTQ_AVAIL_IDX, &idx) != 0)
		return 0;
	uint16_t count = (uint16_t)(idx - vq->used_idx);
	return count <= vq->size ? count : 0;
}

void vq_fill(struct virtq *vq, unsigned ahead, uint16_t head, uint32_t len)
{
	struct virtq_used_elem elem = {.id = head, .len = len};

	if (!virtq_is_running(vq))
		return;
	gpa_t at = vq->used + VIRTQ_USED_RING((vq->used_idx + ahead) & (vq->size - 1));
	if (gmem_write(vq->vd->gm, at, &elem, sizeof(elem)) != 0)
		virtq_break(vq, "a used ring outside of RAM");
}

void vq_flush(struct virtq *vq, unsigned count)
{
	uint16_t idx = (uint16_t)(vq->used_idx + count);

	if (!virtq_is_running(vq))
		return;
	/* The store has release ordering: whoever sees it sees the elements too. */
	if (gmem_store_le16(vq->vd->gm, vq->used + VIRTQ_USED_IDX, idx) != 0) {
		virtq_break(vq, "a used ring outside of RAM");
		return;
	}
	vq->used_idx = idx;
	vq->is_signal_pending = true;
}

void vq_push(struct virtq *vq, const struct vchain *chain)
{
	vq_fill(vq, 0, chain->head, chain->written);
	vq_flush(vq, 1);
}

/* Does the driver want to hear of the elements used since the last time (section 2.7.7)? */
static bool virtq_wants_signal(struct virtq *vq)
{
	const struct gmem *gm = vq->vd->gm;
	uint16_t word;

	if (!virtio_has(vq->vd, VIRTIO_F_EVENT_IDX)) {
		if (gmem_load_le16(gm, vq->avail + VIRTQ_AVAIL_FLAGS, &word) == 0)
			return !(word & VIRTQ_AVAIL_F_NO_INTERRUPT);
	} else if (gmem_load_le16(gm, vq->avail + VIRTQ_AVAIL_USED_EVENT(vq->size), &word) == 0) {
		return (uint16_t)(vq->used_idx - word - 1) <
		       (uint16_t)(vq->used_idx - vq->signalled_idx);
	}
	virtq_break(vq, "an available ring outside of RAM");
	return false;
}

void vq_signal(struct virtq *vq)
{
	if (!vq->is_signal_pending || !virtq_is_running(vq))
		return;
	virtq_fence(); /* used.idx before used_event or flags */
	bool is_wanted = virtq_wants_signal(vq);
	vq->is_signal_pending = false;
	vq->signalled_idx = vq->used_idx;
	if (is_wanted && vq->vd->transport)
		vq->vd->transport->interrupt(vq->vd->transport_ctx, vq->index);
}

bool vq_enable_kick(struct virtq *vq, bool is_enabled)
{
	const struct gmem *gm = vq->vd->gm;
	bool has_event_idx = virtio_has(vq->vd, VIRTIO_F_EVENT_IDX);
	gpa_t at = vq->used + (has_event_idx ? VIRTQ_USED_AVAIL_EVENT(vq->size) : VIRTQ_USED_FLAGS);
	uint16_t idx;

	if (!virtq_is_running(vq) || vq->vd->is_quiesced)
		return false; /* resume rings every doorbell */
	if (has_event_idx && !is_enabled)
		return false; /* an avail_event left behind brings no kick for a whole lap */

	uint16_t word = has_event_idx ? vq->avail_idx : is_enabled ? 0 : VIRTQ_USED_F_NO_NOTIFY;
	if (gmem_store_le16(gm, at, word) != 0) {
		virtq_break(vq, "a used ring outside of RAM");
		return false;
	}
	if (!is_enabled)
		return false;
	virtq_fence(); /* avail_event or flags before avail.idx */
	if (gmem_load_le16(gm, vq->avail + VIRTQ_AVAIL_IDX, &idx) != 0) {
		virtq_break(vq, "an available ring outside of RAM");
		return false;
	}
	return idx != vq->avail_idx;
}

void vq_serve_later(struct virtq *vq)
{
	struct virtio_device *vd = vq->vd;
	if (virtq_is_running(vq) && vd->transport && vd->transport->ring)
		vd->transport->ring(vd->transport_ctx, vq->index);
}
