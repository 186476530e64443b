/*
 * Transmission: VIRTIO 1.2, section 5.1.6.2. A chain is a header and a frame; the frame goes to the
 * backend as windows of guest memory, within one call.
 *
 * A frame that the backend has no room for goes back on the avail ring, and no doorbell is wanted,
 * until the backend says that it has.
 */
#include "net_device.h"

#include <errno.h>
#include <tinyvm/log.h>

/* Segmentation (gso_type and what goes with it). Return: NULL, or what is wrong with it. */
static const char *net_tx_check_gso(const struct virtio_net *n, struct virtio_net_hdr *hdr,
				    size_t len)
{
	bool is_ecn = hdr->gso_type & VIRTIO_NET_HDR_GSO_ECN;
	unsigned feature;

	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		hdr->gso_type = VIRTIO_NET_HDR_GSO_NONE;
		hdr->gso_size = hdr->hdr_len = 0;
		return NULL;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		feature = VIRTIO_NET_F_HOST_TSO4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		feature = VIRTIO_NET_F_HOST_TSO6;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		feature = VIRTIO_NET_F_HOST_USO;
		break;
	default:
		return "a frame to be cut in an unknown way";
	}
	if (!net_has(n, feature))
		return "a frame to be cut in a way that was not negotiated";
	if (is_ecn && (!net_has(n, VIRTIO_NET_F_HOST_ECN) || feature == VIRTIO_NET_F_HOST_USO))
		return "a frame to be cut with ECN, not negotiated";
	if (hdr->gso_size == 0 || !(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return "a frame to be cut without a size or without checksums";
	/* A hint, which no one must rely on and no one's buffer may depend on. */
	if (hdr->hdr_len > len)
		hdr->hdr_len = (uint16_t)len;
	return NULL;
}

/* Leaves in @hdr only what means something. Return: NULL, or what is wrong. */
static const char *net_tx_check(const struct virtio_net *n, struct virtio_net_hdr *hdr, size_t len)
{
	if (len < NETIF_FRAME_MIN)
		return "a frame shorter than an Ethernet header";
	if (len > NETIF_FRAME_MAX)
		return "a frame of more than 64 KiB";
	hdr->num_buffers = 0;
	hdr->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM; /* others are to be ignored */
	if (!hdr->flags)
		hdr->csum_start = hdr->csum_offset = 0;
	else if (!net_has(n, VIRTIO_NET_F_CSUM))
		return "a frame without its checksum, not negotiated";
	else if ((size_t)hdr->csum_start + hdr->csum_offset + 2 > len)
		return "a frame whose checksum would lie outside of it";
	return net_tx_check_gso(n, hdr, len);
}

/* n->chain has just been popped from @vq. Return: false when the backend pushes back. */
static bool net_tx_send(struct virtio_net *n, unsigned pair, struct virtq *vq)
{
	struct vchain *chain = &n->chain;
	struct virtio_net_hdr hdr;
	const char *wrong = "a frame without a whole header";
	size_t len = 0;

	if (chain_read(chain, &hdr, sizeof(hdr)) == 0) {
		len = chain_readable(chain);
		wrong = net_tx_check(n, &hdr, len);
	}
	if (wrong) {
		log_guest(&n->vd.bad_requests, "%s: the guest's driver sent %s: dropped",
			  n->vd.dev.id, wrong);
		vq_push(vq, chain);
		return true;
	}
	int count = chain_take_readable(chain, len, n->iov, VIRTQ_SIZE_MAX);
	if (count > 0 && /* always: vq_pop() has looked */
	    n->nif->ops->send(n->nif, pair, &hdr, n->iov, (unsigned)count, len) == -EAGAIN) {
		vq->avail_idx--;
		n->pair[pair].is_tx_blocked = true;
		return false;
	}
	vq_push(vq, chain);
	return true;
}

static bool net_tx_pop(struct virtio_net *n, struct virtq *vq, bool is_last)
{
	return vq_pop(vq, &n->chain) > 0 ||
	       (is_last && vq_enable_kick(vq, true) && vq_pop(vq, &n->chain) > 0);
}

void net_tx_serve(struct virtio_net *n, unsigned pair, bool is_last)
{
	struct virtq *vq = net_tx_queue(n, pair);

	if (!net_is_flowing(n, pair, vq) || n->pair[pair].is_tx_blocked)
		return;
	vq_enable_kick(vq, false);
	for (unsigned budget = NET_TURN;; budget--) {
		if (budget == 0) {
			vq_serve_later(vq);
			break;
		}
		if (!net_tx_pop(n, vq, is_last) || !net_tx_send(n, pair, vq))
			break;
	}
	vq_signal(vq);
}
