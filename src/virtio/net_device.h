/* The network device's parts as they see each other (private to the net*.c of src/virtio). */
#ifndef NET_DEVICE_H
#define NET_DEVICE_H

#include "virtio_device.h"

#include <spec/virtio_net.h>
#include <tinyvm/net.h>

#define NET_BIT(name) (1ULL << VIRTIO_NET_F_##name)

#define NET_GUEST_SEGMENTATION \
	(NET_BIT(GUEST_TSO4) | NET_BIT(GUEST_TSO6) | NET_BIT(GUEST_USO4) | NET_BIT(GUEST_USO6))
#define NET_GUEST_OFFLOADS (NET_BIT(GUEST_CSUM) | NET_BIT(GUEST_ECN) | NET_GUEST_SEGMENTATION)

/* What an mtu leaves out, a VLAN tag included. */
#define NET_ETHER_HEADER (NETIF_FRAME_MAX - UINT16_MAX)

/* Frames or commands served in one go: who never stops adding some cannot hold the thread. */
#define NET_TURN 64

/* Segments of receive buffers in hand at a time: any chain alone fits, and so does readv(). */
#define NET_SEGS_MAX VIRTQ_SIZE_MAX

/* A receive buffer taken from the queue. */
struct net_buffer {
	uint16_t head;
	uint16_t segs;
	uint32_t len;
};

/**
 * struct net_rx - a receive queue, and the buffers that wait for frames
 * @is_wanted: the backend was told to bring frames; else the doorbell was asked for
 * @is_trimmed: the windows begin behind the next frame's header
 * @posted_max: most chains the driver had left with us at a time
 * @first, @count: the buffers, a ring; @room: their bytes, the header's among them
 * @seg_first, @seg_count, @seg, @iov: their segments, as guest addresses and as windows, at the
 *              same index; one more window for @spill
 * @trimmed:    windows wholly before the frame
 * @parked_hdr, @parked_len: a frame that needs more buffers than there were; 0: none
 * @parked_at:  bytes of it, with the header, that are in the buffers; @spill has the others
 */
struct net_rx {
	bool is_wanted;
	bool is_trimmed;
	uint16_t posted_max;
	unsigned first, count;
	size_t room;
	unsigned seg_first, seg_count, trimmed;
	struct net_buffer buffer[VIRTQ_SIZE_MAX];
	struct vseg seg[2 * NET_SEGS_MAX];
	struct iovec iov[2 * NET_SEGS_MAX + 1];
	struct virtio_net_hdr parked_hdr;
	size_t parked_len, parked_at;
	uint8_t spill[NETIF_FRAME_MAX];
};

/* @is_tx_blocked: the backend refused a frame and will call back; it waits in the avail ring. */
struct net_pair {
	bool is_tx_blocked;
	struct net_rx rx;
};

/**
 * struct virtio_net - a network card
 * @nif, @opt: as created
 * @config:   what the driver reads
 * @features: of the driver's choice those whose requirements it also chose; 0 unless running
 * @guest_offloads: of them those received frames may make use of now (VIRTIO_NET_F_GUEST_...)
 * @pairs:    queue pairs in use
 * @frame_max: the longest frame that may come
 * @is_attached: we are @nif's client
 * @is_served: opt.server has the data queues
 * @is_announce_due: after a load, the driver is to tell the network where it is now
 * @rx_dropped: received frames that the driver cannot have
 * @chain, @iov: being transmitted or received, or a command
 * @pair:     opt.queue_pairs of them
 */
struct virtio_net {
	struct virtio_device vd;
	struct netif *nif;
	struct virtio_net_options opt;
	struct virtio_net_config config;
	uint64_t features;
	uint64_t guest_offloads;
	uint16_t pairs;
	size_t frame_max;
	bool is_attached;
	bool is_served;
	bool is_announce_due;
	uint64_t rx_dropped;
	struct vchain chain;
	struct iovec iov[VIRTQ_SIZE_MAX];
	struct net_pair pair[];
};

static inline bool net_has(const struct virtio_net *n, unsigned feature_bit)
{
	return n->features >> feature_bit & 1;
}

static inline struct virtq *net_rx_queue(struct virtio_net *n, unsigned pair)
{
	return &n->vd.queue[2 * pair];
}

static inline struct virtq *net_tx_queue(struct virtio_net *n, unsigned pair)
{
	return &n->vd.queue[2 * pair + 1];
}

/* Do frames go through @vq, of @pair, and through this device? */
static inline bool net_is_flowing(const struct virtio_net *n, unsigned pair, const struct virtq *vq)
{
	return pair < n->pairs && vq->is_ready && virtio_is_live(&n->vd) && !n->vd.is_quiesced &&
	       !n->is_served;
}

/*
 * net_rx_want()     - begin or cease to hear of frames
 * net_rx_serve()    - the backend may have some
 * net_rx_refilled() - the doorbell: there may be room for them again
 * net_rx_put_back() - buffers in hand back on the avail ring; a parked frame is lost
 */
void net_rx_want(struct virtio_net *n, unsigned pair, bool is_wanted);
void net_rx_serve(struct virtio_net *n, unsigned pair);
void net_rx_refilled(struct virtio_net *n, unsigned pair);
void net_rx_put_back(struct virtio_net *n, unsigned pair);

/* Unless @is_last the driver may be left believing that it need not ring. */
void net_tx_serve(struct virtio_net *n, unsigned pair, bool is_last);

/* The control queue. */
void net_ctrl_serve(struct virtio_net *n, struct virtq *vq);

/* What a command changes: queue pairs in use (valid, see the caller), offloads of received frames.
 */
void net_set_pairs(struct virtio_net *n, uint16_t pairs);
void net_set_guest_offloads(struct virtio_net *n, uint64_t offloads);

#endif
