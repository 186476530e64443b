/*
 * The network device: VIRTIO 1.2, section 5.1. Features, configuration, the life of the card; the
 * queues are served in net_rx.c, net_tx.c and net_ctrl.c, or by a ring server (vhost) that takes
 * the data queues over while the driver runs.
 *
 * What a driver accepts without what it requires (section 5.1.3.1) counts as not accepted.
 *
 * Left out on purpose: UFO, RSS and hash reports, receive filters, SPEED_DUPLEX, STANDBY, legacy
 * drivers that write the MAC to the configuration.
 */
#include "net_device.h"

#include <assert.h>
#include <errno.h>
#include <spec/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/state.h>

#define NET_CLASS      0x020000 /* Ethernet controller */
#define NET_QUEUE_SIZE 256
#define NET_MTU_MIN    68
#define NET_HOST_OFFLOADS                                                              \
	(NET_BIT(CSUM) | NET_BIT(HOST_TSO4) | NET_BIT(HOST_TSO6) | NET_BIT(HOST_ECN) | \
	 NET_BIT(HOST_USO))
#define NET_DATA_PATH (NET_HOST_OFFLOADS | NET_GUEST_OFFLOADS | NET_BIT(MRG_RXBUF))

static struct virtio_net *net_of(struct virtio_device *vd)
{
	return (struct virtio_net *)vd;
}

/* Features */

/* Section 5.1.3.1: which of the others each needs one of; in an order that needs no second look. */
static const struct {
	uint64_t feature;
	uint64_t needed;
} net_requirements[] = {
	{NET_BIT(HOST_TSO4) | NET_BIT(HOST_TSO6) | NET_BIT(HOST_USO), NET_BIT(CSUM)},
	{NET_BIT(HOST_ECN), NET_BIT(HOST_TSO4) | NET_BIT(HOST_TSO6)},
	{NET_GUEST_SEGMENTATION, NET_BIT(GUEST_CSUM)},
	{NET_BIT(GUEST_ECN), NET_BIT(GUEST_TSO4) | NET_BIT(GUEST_TSO6)},
	{NET_BIT(MQ) | NET_BIT(CTRL_MAC_ADDR) | NET_BIT(GUEST_ANNOUNCE) |
		 NET_BIT(CTRL_GUEST_OFFLOADS),
	 NET_BIT(CTRL_VQ)},
};

/* Without those whose requirements are not met. */
static uint64_t net_features_sound(uint64_t features)
{
	for (unsigned i = 0; i < sizeof(net_requirements) / sizeof(net_requirements[0]); i++) {
		if (!(features & net_requirements[i].needed))
			features &= ~net_requirements[i].feature;
	}
	return features;
}

/* A backend's offload, and the features that are about it. */
static const struct {
	uint32_t offload;
	uint64_t host, guest;
} net_offloads[] = {
	{NETIF_CSUM, NET_BIT(CSUM), NET_BIT(GUEST_CSUM)},
	{NETIF_TSO4, NET_BIT(HOST_TSO4), NET_BIT(GUEST_TSO4)},
	{NETIF_TSO6, NET_BIT(HOST_TSO6), NET_BIT(GUEST_TSO6)},
	{NETIF_ECN, NET_BIT(HOST_ECN), NET_BIT(GUEST_ECN)},
	{NETIF_USO, NET_BIT(HOST_USO), NET_BIT(GUEST_USO4) | NET_BIT(GUEST_USO6)},
};
#define NET_OFFLOADS (sizeof(net_offloads) / sizeof(net_offloads[0]))

static uint64_t net_features(const struct netif *nif, const struct virtio_net_options *opt)
{
	uint64_t features = NET_BIT(MAC) | NET_BIT(STATUS) | NET_BIT(MRG_RXBUF) | NET_BIT(CTRL_VQ) |
			    NET_BIT(CTRL_MAC_ADDR) | NET_BIT(GUEST_ANNOUNCE);
	if (opt->mtu)
		features |= NET_BIT(MTU);
	if (opt->queue_pairs > 1)
		features |= NET_BIT(MQ);
	for (unsigned i = 0; i < NET_OFFLOADS; i++) {
		if (nif->offloads & net_offloads[i].offload)
			features |= net_offloads[i].host | net_offloads[i].guest;
	}
	if (nif->is_checked)
		features |= NET_BIT(GUEST_CSUM);
	if (opt->server.start)
		features &= opt->server_features | ~NET_DATA_PATH;
	features = net_features_sound(features);
	return features & NET_GUEST_OFFLOADS ? features | NET_BIT(CTRL_GUEST_OFFLOADS) : features;
}

/* What received frames may make use of, for the backend and for the room they need. */
void net_set_guest_offloads(struct virtio_net *n, uint64_t offloads)
{
	uint64_t sound = net_features_sound(offloads);
	uint32_t wanted = 0;

	n->guest_offloads = offloads;
	for (unsigned i = 0; i < NET_OFFLOADS; i++) {
		/* All of them: the backend does not tell USO over IPv4 from USO over IPv6. */
		if ((sound & net_offloads[i].guest) == net_offloads[i].guest)
			wanted |= net_offloads[i].offload;
	}
	n->frame_max = NETIF_FRAME_MAX;
	if (net_has(n, VIRTIO_NET_F_MTU) && !(sound & NET_GUEST_SEGMENTATION))
		n->frame_max = (size_t)n->config.mtu + NET_ETHER_HEADER;
	n->nif->ops->set_offloads(n->nif, wanted & n->nif->offloads);
}

/* Configuration */

static void net_config_fill(struct virtio_net *n)
{
	n->config = (struct virtio_net_config){
		.status = n->nif->is_up ? VIRTIO_NET_S_LINK_UP : 0,
		.max_virtqueue_pairs = (uint16_t)n->opt.queue_pairs,
		.mtu = n->opt.mtu,
	};
	memcpy(n->config.mac, n->opt.mac, sizeof(n->config.mac));
}

/* Shows the driver how things are by now. */
static void net_show_status(struct virtio_net *n)
{
	uint16_t status = n->config.status & VIRTIO_NET_S_ANNOUNCE;

	if (n->nif->is_up)
		status |= VIRTIO_NET_S_LINK_UP;
	if (n->is_announce_due && net_has(n, VIRTIO_NET_F_GUEST_ANNOUNCE))
		status |= VIRTIO_NET_S_ANNOUNCE;
	n->is_announce_due = false;
	if (n->config.status == status)
		return;
	n->config.status = status;
	if (net_has(n, VIRTIO_NET_F_STATUS) || !virtio_is_live(&n->vd))
		virtio_config_changed(&n->vd);
}

/* A ring server */

static void net_server_start(struct virtio_net *n)
{
	const struct ring_server *server = &n->opt.server;
	struct virtio_ring ring[2 * NETIF_QUEUES_MAX];
	unsigned count = 2u * n->pairs;

	if (!server->start)
		return;
	for (unsigned q = 0; q < count; q++) {
		const struct virtq *vq = &n->vd.queue[q];
		if (!vq->is_ready)
			return;
		ring[q] = (struct virtio_ring){
			.size = vq->size,
			.base = vq->avail_idx,
			.vector = vq->msix_vector,
			.desc = vq->desc,
			.avail = vq->avail,
			.used = vq->used,
		};
	}
	n->is_served = server->start(server->ctx, n->features, ring, count) == 0;
}

/*
 * Nothing is in flight any more, so that the used ring has come as far as the available one: what
 * the driver may have written to the used ring's idx is not asked for.
 */
static void net_server_stop(struct virtio_net *n)
{
	const struct ring_server *server = &n->opt.server;
	struct virtio_ring ring[2 * NETIF_QUEUES_MAX] = {0};
	unsigned count = 2u * n->pairs;

	if (!n->is_served)
		return;
	n->is_served = false;
	server->stop(server->ctx, ring, count);
	for (unsigned q = 0; q < count; q++) {
		struct virtq *vq = &n->vd.queue[q];
		if (vq->is_ready) /* the driver may have disabled it meanwhile */
			vq->avail_idx = vq->used_idx = vq->signalled_idx = ring[q].base;
	}
}

/* The flow of frames */

static void net_flow(struct virtio_net *n)
{
	net_server_start(n);
	if (n->is_served)
		return;
	for (unsigned i = 0; i < n->pairs; i++)
		net_rx_want(n, i, true);
}

/* Chains in hand go back on the avail ring. */
static void net_halt(struct virtio_net *n)
{
	net_server_stop(n);
	for (unsigned i = 0; i < n->pairs; i++) {
		net_rx_want(n, i, false);
		net_rx_put_back(n, i);
		n->pair[i].is_tx_blocked = false;
	}
}

void net_set_pairs(struct virtio_net *n, uint16_t pairs)
{
	bool is_flowing = virtio_is_live(&n->vd) && !n->vd.is_quiesced;

	net_halt(n);
	n->pairs = pairs;
	n->nif->ops->set_queues(n->nif, pairs);
	if (!is_flowing)
		return;
	net_flow(n);
	/* Frames may have waited, for the backend or for their queue's being used at all. */
	for (unsigned i = 0; i < pairs && !n->is_served; i++)
		vq_serve_later(net_tx_queue(n, i));
}

/* Called back by the backend. */

static void net_readable(void *ctx, unsigned queue)
{
	net_rx_serve(ctx, queue);
}

static void net_writable(void *ctx, unsigned queue)
{
	struct virtio_net *n = ctx;
	n->pair[queue].is_tx_blocked = false;
	net_tx_serve(n, queue, true);
}

static void net_link_changed(void *ctx)
{
	struct virtio_net *n = ctx;
	if (!n->vd.is_quiesced)
		net_show_status(n);
}

static const struct netif_client net_client = {
	.readable = net_readable,
	.writable = net_writable,
	.link_changed = net_link_changed,
};

/* The device's side of struct virtio_ops. */

/* Section 5.1.2: where it lies depends on whether there can be more than one pair. */
static bool net_is_ctrl(const struct virtio_net *n, unsigned queue)
{
	return net_has(n, VIRTIO_NET_F_CTRL_VQ) &&
	       queue == (net_has(n, VIRTIO_NET_F_MQ) ? 2 * n->opt.queue_pairs : 2);
}

static void net_notify(struct virtio_device *vd, unsigned queue)
{
	struct virtio_net *n = net_of(vd);
	if (net_is_ctrl(n, queue))
		net_ctrl_serve(n, &vd->queue[queue]);
	else if (queue / 2 >= n->pairs)
		return; /* not in use */
	else if (n->is_served)
		vq_serve_later(&vd->queue[queue]); /* a doorbell that came past the server's */
	else if (queue % 2)
		net_tx_serve(n, queue / 2, true);
	else
		net_rx_refilled(n, queue / 2);
}

/*
 * Only transmission goes without doorbells while the loop looks by itself. The others are asked for
 * when needed and ring, but are answered here too.
 */
static bool net_poll(struct virtio_device *vd, unsigned queue, bool is_last)
{
	struct virtio_net *n = net_of(vd);
	bool is_work = vq_has_chains(&vd->queue[queue]);

	if (net_is_ctrl(n, queue) || queue / 2 >= n->pairs || queue % 2 == 0) {
		if (is_work)
			net_notify(vd, queue);
		return false;
	}
	if (n->is_served || n->pair[queue / 2].is_tx_blocked)
		return false; /* the backend takes it up again */
	if (is_work || is_last)
		net_tx_serve(n, queue / 2, is_last);
	return is_work;
}

/* A load brings the driver's choices afterwards, and resume the rest. */
static void net_start(struct virtio_device *vd)
{
	struct virtio_net *n = net_of(vd);
	n->features = net_features_sound(vd->features);
	n->pairs = 1;
	n->nif->ops->set_queues(n->nif, 1);
	net_set_guest_offloads(n, n->features & NET_GUEST_OFFLOADS);
	for (unsigned i = 0; i < n->opt.queue_pairs; i++)
		n->pair[i].rx.posted_max = 0;
	if (!vd->is_quiesced)
		net_flow(n);
}

static void net_stop(struct virtio_device *vd)
{
	struct virtio_net *n = net_of(vd);
	net_halt(n);
	n->features = 0;
	n->pairs = 1;
	n->is_announce_due = false;
	n->nif->ops->set_queues(n->nif, 1);
	net_set_guest_offloads(n, 0);
}

static void net_quiesce(struct virtio_device *vd)
{
	net_halt(net_of(vd));
}

static void net_resume(struct virtio_device *vd)
{
	struct virtio_net *n = net_of(vd);
	net_show_status(n);
	if (virtio_is_live(vd))
		net_flow(n);
}

static void net_reset(struct virtio_device *vd)
{
	net_config_fill(net_of(vd));
}

static const char *net_state_wrong(const struct virtio_net *n, uint16_t status, uint16_t mtu,
				   uint16_t pairs, uint64_t offloads)
{
	unsigned pairs_max = net_has(n, VIRTIO_NET_F_MQ) ? n->opt.queue_pairs : 1;

	if (mtu != n->config.mtu)
		return "a network card with another mtu";
	if (status & ~(VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE))
		return "an unknown network status";
	if (pairs < 1 || pairs > pairs_max)
		return "more network queues than there are";
	if (offloads & ~(n->features & NET_GUEST_OFFLOADS))
		return "network offloads that were not negotiated";
	return NULL;
}

static void net_state(struct virtio_device *vd, struct state *st)
{
	struct virtio_net *n = net_of(vd);
	uint16_t status = n->config.status, mtu = n->config.mtu, pairs = n->pairs;
	uint64_t offloads = n->guest_offloads;

	state_bytes(st, "mac", n->config.mac, sizeof(n->config.mac));
	state_u16(st, "status", &status);
	state_u16(st, "mtu", &mtu);
	state_u16(st, "virtqueue_pairs", &pairs);
	state_u64(st, "offloads", &offloads);
	if (!state_is_loading(st) || state_error(st))
		return;
	const char *wrong = net_state_wrong(n, status, mtu, pairs, offloads);
	if (wrong) {
		state_fail(st, wrong);
		return;
	}
	n->config.status = status;
	n->is_announce_due = virtio_is_live(vd);
	if (!virtio_is_live(vd))
		return;
	net_set_guest_offloads(n, offloads);
	net_set_pairs(n, pairs);
}

static void net_destroy(struct device *dev)
{
	struct virtio_net *n = (struct virtio_net *)dev;
	if (virtio_is_live(&n->vd))
		net_stop(&n->vd);
	if (n->is_attached) {
		int error = n->nif->ops->attach(n->nif, NULL, NULL, NULL, NULL);
		assert(!error);
		(void)error;
	}
	virtio_device_fini(&n->vd);
	free(n);
}

static const struct virtio_ops net_ops = {
	.dev = {.type = "virtio-net",
		.version = 1,
		.reset = virtio_device_reset,
		.state = virtio_device_state,
		.quiesce = virtio_device_quiesce,
		.resume = virtio_device_resume,
		.destroy = net_destroy},
	.device_id = VIRTIO_ID_NET,
	.pci_class = NET_CLASS,
	.start = net_start,
	.stop = net_stop,
	.notify = net_notify,
	.poll = net_poll,
	.state = net_state,
	.quiesce = net_quiesce,
	.resume = net_resume,
	.reset = net_reset,
};

int virtio_net_create(struct virtio_device **ret_vd, const char *id, struct gmem *gm,
		      struct netif *nif, const struct virtio_net_options *opt)
{
	unsigned pairs = opt->queue_pairs;
	if (pairs < 1 || pairs > NETIF_QUEUES_MAX || pairs > nif->queues ||
	    (opt->mtu && opt->mtu < NET_MTU_MIN))
		return -EINVAL;
	struct virtio_net *n = calloc(1, sizeof(*n) + pairs * sizeof(n->pair[0]));
	if (!n)
		return -ENOMEM;
	int error = virtio_device_init(&n->vd, &net_ops, id, gm, net_features(nif, opt), &n->config,
				       sizeof(n->config), 2 * pairs + 1, NET_QUEUE_SIZE);
	if (error) {
		free(n);
		return error;
	}
	n->nif = nif;
	n->opt = *opt;
	n->pairs = 1;
	net_config_fill(n);
	*ret_vd = &n->vd;
	return 0;
}

int virtio_net_attach(struct virtio_device *vd, struct evloop *loop)
{
	struct virtio_net *n = net_of(vd);
	int error = n->nif->ops->attach(n->nif, loop, &net_client, n, &vd->dev);
	if (error)
		return error;
	n->is_attached = true;
	/* Until the driver runs, frames wait with the backend. */
	for (unsigned i = 0; i < n->opt.queue_pairs; i++)
		net_rx_want(n, i, false);
	net_config_fill(n); /* the link may be up by now */
	return 0;
}
