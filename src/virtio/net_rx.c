/*
 * Reception: VIRTIO 1.2, sections 5.1.6.3 and 5.1.6.4. The backend puts a frame straight into the
 * driver's buffers: as many of them are taken from the queue beforehand as the longest frame may
 * need, and those that a frame leaves over wait for the next one.
 *
 * Without MRG_RXBUF a frame gets one buffer, and one that is longer is dropped. With it a frame may
 * come when the driver has not left enough: what does not fit goes to memory of our own (the one
 * copy there is), and the frame is parked until the driver has refilled the queue. Nothing else is
 * received meanwhile, so that a slow driver makes the network wait and loses nothing.
 *
 * A driver that never leaves enough cannot stop its queue that way: once it has left half of what
 * it ever did and the frame still does not fit, the frame is dropped. Half, because a driver may
 * refill only when so much is used up.
 */
#include "net_device.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <tinyvm/log.h>

#define HDR_LEN sizeof(struct virtio_net_hdr)

static void net_rx_forget(struct net_rx *rx)
{
	rx->first = rx->count = 0;
	rx->room = 0;
	rx->seg_first = rx->seg_count = rx->trimmed = 0;
	rx->is_trimmed = false;
	rx->parked_len = rx->parked_at = 0;
}

static void net_rx_drop(struct virtio_net *n, const char *why)
{
	log_guest(&n->rx_dropped, "%s: dropped %s", n->vd.dev.id, why);
}

/* Those in hand are always the last ones taken. */
void net_rx_put_back(struct virtio_net *n, unsigned pair)
{
	struct net_rx *rx = &n->pair[pair].rx;
	struct virtq *vq = net_rx_queue(n, pair);

	if (rx->parked_len)
		net_rx_drop(n, "a frame that waited for buffers");
	if (vq->is_ready)
		vq->avail_idx -= (uint16_t)rx->count;
	net_rx_forget(rx);
}

/* No doorbell is wanted while frames are. */
void net_rx_want(struct virtio_net *n, unsigned pair, bool is_wanted)
{
	n->pair[pair].rx.is_wanted = is_wanted;
	if (is_wanted)
		vq_enable_kick(net_rx_queue(n, pair), false);
	n->nif->ops->want(n->nif, pair, is_wanted);
}

/* Buffers */

/* Room for @segs more segments behind the others. */
static void net_rx_compact(struct net_rx *rx, unsigned segs)
{
	if (rx->seg_first + rx->seg_count + segs <= 2 * NET_SEGS_MAX)
		return;
	memmove(rx->seg, rx->seg + rx->seg_first, rx->seg_count * sizeof(rx->seg[0]));
	memmove(rx->iov, rx->iov + rx->seg_first, rx->seg_count * sizeof(rx->iov[0]));
	rx->seg_first = 0;
}

/* n->chain, just popped from @vq, becomes the last buffer in hand. Return: false: not now. */
static bool net_rx_add(struct virtio_net *n, struct net_rx *rx, struct virtq *vq)
{
	struct vchain *chain = &n->chain;
	unsigned segs = chain->total_segs - chain->read_segs;
	size_t len = chain_writable(chain);

	if (len < HDR_LEN + (net_has(n, VIRTIO_NET_F_MRG_RXBUF) ? 0 : NETIF_FRAME_MIN)) {
		virtio_device_break(&n->vd, "a receive buffer too small for any frame");
		return false;
	}
	if (rx->seg_count + segs > NET_SEGS_MAX) {
		vq->avail_idx--;
		return false;
	}
	net_rx_compact(rx, segs);
	unsigned at = rx->seg_first + rx->seg_count;
	memcpy(&rx->seg[at], &chain->seg[chain->read_segs], segs * sizeof(rx->seg[0]));
	if (chain_take_writable(chain, len, &rx->iov[at], segs) != (int)segs) {
		vq->avail_idx--; /* cannot be: RAM has no borders within a segment */
		return false;
	}
	rx->seg_count += segs;
	rx->room += len;
	rx->buffer[(rx->first + rx->count++) % VIRTQ_SIZE_MAX] = (struct net_buffer){
		.head = chain->head, .segs = (uint16_t)segs, .len = (uint32_t)len};
	return true;
}

/*
 * Takes buffers until a frame has room: the parked one, else the longest that may come. Return:
 * false when the frame cannot have more than it has by now, whatever the driver leaves.
 */
static bool net_rx_gather(struct virtio_net *n, unsigned pair)
{
	struct net_rx *rx = &n->pair[pair].rx;
	struct virtq *vq = net_rx_queue(n, pair);
	size_t needed = 1; /* just one */

	if (net_has(n, VIRTIO_NET_F_MRG_RXBUF))
		needed = HDR_LEN + (rx->parked_len ? rx->parked_len : n->frame_max);
	while (rx->room < needed && vq_pop(vq, &n->chain) > 0) {
		if (!net_rx_add(n, rx, vq))
			return false;
	}
	return rx->count < vq->size;
}

static void net_rx_note_posted(struct net_rx *rx, const struct virtq *vq)
{
	unsigned posted = vq_outstanding(vq);
	if (posted > rx->posted_max)
		rx->posted_max = (uint16_t)posted;
}

/* Copies to the buffers in hand, from their byte @at on. */
static void net_rx_copy(struct virtio_net *n, const struct net_rx *rx, size_t at, const void *buf,
			size_t len)
{
	const uint8_t *from = buf;
	const struct vseg *seg = &rx->seg[rx->seg_first];

	for (; len; at = 0, seg++) {
		while (at >= seg->len)
			at -= seg++->len;
		size_t piece = seg->len - at < len ? seg->len - at : len;
		if (gmem_write(n->vd.gm, seg->gpa + at, from, piece) != 0)
			return; /* cannot be: vq_pop() has looked */
		from += piece;
		len -= piece;
	}
}

/* The first @used buffers are in hand no more. */
static void net_rx_consume(struct net_rx *rx, unsigned used)
{
	for (; used; used--) {
		const struct net_buffer *b = &rx->buffer[rx->first];
		rx->first = (rx->first + 1) % VIRTQ_SIZE_MAX;
		rx->count--;
		rx->room -= b->len;
		rx->seg_first += b->segs;
		rx->seg_count -= b->segs;
	}
	rx->is_trimmed = false;
	rx->trimmed = 0;
	if (rx->count == 0)
		rx->seg_first = 0;
}

/* A frame of @len bytes is in the buffers in hand; with its header it becomes the driver's. */
static void net_rx_deliver(struct virtio_net *n, unsigned pair, struct virtio_net_hdr *hdr,
			   size_t len)
{
	struct net_rx *rx = &n->pair[pair].rx;
	struct virtq *vq = net_rx_queue(n, pair);
	size_t left = HDR_LEN + len;
	unsigned used = 0;

	for (; left; used++) {
		const struct net_buffer *b = &rx->buffer[(rx->first + used) % VIRTQ_SIZE_MAX];
		uint32_t written = b->len < left ? b->len : (uint32_t)left;
		vq_fill(vq, used, b->head, written);
		if (!virtio_is_live(&n->vd))
			return; /* the ring is broken, and nothing is in hand any more */
		left -= written;
	}
	hdr->num_buffers = (uint16_t)used;
	net_rx_copy(n, rx, 0, hdr, HDR_LEN);
	net_rx_consume(rx, used);
	vq_flush(vq, used); /* all together (section 5.1.6.4.1) */
}

/* Frames */

/* Does the driver take segments of that type? */
static bool net_rx_takes_gso(const struct virtio_net *n, uint8_t gso_type)
{
	uint64_t takers;

	if (gso_type & VIRTIO_NET_HDR_GSO_ECN && !(n->guest_offloads & NET_BIT(GUEST_ECN)))
		return false;
	switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		takers = NET_BIT(GUEST_TSO4);
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		takers = NET_BIT(GUEST_TSO6);
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		takers = NET_BIT(GUEST_USO4) | NET_BIT(GUEST_USO6);
		break;
	default:
		return false;
	}
	return n->guest_offloads & takers;
}

/*
 * Makes @hdr one that the driver understands. Return: NULL, or what is wrong with the frame: it may
 * be from before the driver changed its mind.
 */
static const char *net_rx_check(const struct virtio_net *n, struct virtio_net_hdr *hdr, size_t len)
{
	bool is_whole = hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE;
	bool needs_csum = hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;

	/* Section 5.1.4.1. */
	if (is_whole && net_has(n, VIRTIO_NET_F_MTU) &&
	    len > (size_t)n->config.mtu + NET_ETHER_HEADER)
		return "a frame longer than the card's mtu";
	if (!net_rx_takes_gso(n, hdr->gso_type))
		return "a segment that the driver does not take";
	if (n->guest_offloads & NET_BIT(GUEST_CSUM)) {
		hdr->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID;
		if (n->nif->is_checked && !needs_csum)
			hdr->flags |= VIRTIO_NET_HDR_F_DATA_VALID;
	} else if (needs_csum) {
		return "a frame without its checksum, which the driver does not take";
	} else {
		hdr->flags = 0;
	}
	return NULL;
}

/* The windows begin where the next frame shall, behind its header. */
static void net_rx_trim(struct net_rx *rx)
{
	size_t skip = HDR_LEN;
	struct iovec *iov = &rx->iov[rx->seg_first];

	if (rx->is_trimmed)
		return;
	for (; skip && iov->iov_len <= skip; iov++)
		skip -= iov->iov_len;
	if (skip) {
		iov->iov_base = (uint8_t *)iov->iov_base + skip;
		iov->iov_len -= skip;
	}
	rx->trimmed = (unsigned)(iov - &rx->iov[rx->seg_first]);
	rx->is_trimmed = true;
}

/* Asks the backend for a frame. Return: false when it has none. */
static bool net_rx_receive(struct virtio_net *n, unsigned pair)
{
	struct net_rx *rx = &n->pair[pair].rx;
	struct virtio_net_hdr hdr = {0};

	net_rx_trim(rx);
	unsigned end = rx->seg_first + rx->seg_count;
	unsigned begin = rx->seg_first + rx->trimmed;
	bool is_roomy = rx->room >= HDR_LEN + NETIF_FRAME_MAX;
	rx->iov[end] = (struct iovec){.iov_base = rx->spill, .iov_len = sizeof(rx->spill)};
	ssize_t got =
		n->nif->ops->receive(n->nif, pair, &hdr, &rx->iov[begin], end - begin + !is_roomy);
	if (got < 0)
		return false;

	size_t len = (size_t)got;
	assert(len <= rx->room - HDR_LEN + (is_roomy ? 0 : sizeof(rx->spill)));
	const char *wrong = net_rx_check(n, &hdr, len);
	if (wrong) {
		net_rx_drop(n, wrong);
	} else if (HDR_LEN + len <= rx->room) {
		net_rx_deliver(n, pair, &hdr, len);
	} else if (net_has(n, VIRTIO_NET_F_MRG_RXBUF)) {
		rx->parked_hdr = hdr;
		rx->parked_len = len;
		rx->parked_at = rx->room;
	} else {
		net_rx_drop(n, "a frame longer than the driver's buffer");
	}
	return true;
}

/*
 * Delivers the parked frame if it fits by now, and drops it if it never will. Return: whether there
 * is none any more.
 */
static bool net_rx_unpark(struct virtio_net *n, unsigned pair, bool may_have_more)
{
	struct net_rx *rx = &n->pair[pair].rx;
	size_t len = HDR_LEN + rx->parked_len;

	if (!rx->parked_len)
		return true;
	if (rx->room >= len) {
		net_rx_copy(n, rx, rx->parked_at, rx->spill, len - rx->parked_at);
		net_rx_deliver(n, pair, &rx->parked_hdr, rx->parked_len);
	} else if (!may_have_more || 2 * rx->count >= rx->posted_max) {
		net_rx_drop(n, "a frame longer than all buffers that the driver provides");
	} else {
		return false;
	}
	rx->parked_len = 0;
	return true;
}

/* Return: whether a frame may come; else the doorbell will ring when that may have changed. */
static bool net_rx_make_room(struct virtio_net *n, unsigned pair)
{
	struct net_rx *rx = &n->pair[pair].rx;
	struct virtq *vq = net_rx_queue(n, pair);

	/* Each round takes a chain at least, if the driver is honest. */
	for (unsigned round = 0; round < VIRTQ_SIZE_MAX; round++) {
		bool may_have_more = net_rx_gather(n, pair);
		if (net_rx_unpark(n, pair, may_have_more) && rx->count)
			return true;
		if (!vq_enable_kick(vq, true))
			return false;
	}
	vq_serve_later(vq);
	return false;
}

void net_rx_serve(struct virtio_net *n, unsigned pair)
{
	struct net_rx *rx = &n->pair[pair].rx;
	struct virtq *vq = net_rx_queue(n, pair);

	if (!net_is_flowing(n, pair, vq)) {
		net_rx_want(n, pair, false);
		return;
	}
	net_rx_note_posted(rx, vq);
	for (unsigned budget = NET_TURN;; budget--) {
		if (budget == 0 || !net_rx_make_room(n, pair)) {
			net_rx_want(n, pair, false);
			/* What is left comes as a new event, after others have had their turn. */
			if (budget == 0)
				net_rx_want(n, pair, true);
			break;
		}
		if (!net_rx_receive(n, pair))
			break;
	}
	vq_signal(vq);
}

void net_rx_refilled(struct virtio_net *n, unsigned pair)
{
	struct net_rx *rx = &n->pair[pair].rx;
	struct virtq *vq = net_rx_queue(n, pair);

	if (rx->is_wanted || !net_is_flowing(n, pair, vq))
		return;
	net_rx_note_posted(rx, vq);
	if (net_rx_make_room(n, pair))
		net_rx_want(n, pair, true);
	vq_signal(vq);
}
