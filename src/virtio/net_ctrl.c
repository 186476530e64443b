/*
 * The control virtqueue: VIRTIO 1.2, section 5.1.6.5. A command is its class, its number and its
 * data; the answer is one byte.
 *
 * Left out on purpose: receive filters (CTRL_RX, CTRL_VLAN): every frame that the backend brings is
 * the guest's; RSS and notification coalescing.
 */
#include "net_device.h"

#include <string.h>
#include <tinyvm/log.h>

#define COMMAND(class, command) ((class) << 8 | (command))

/* All of the command's data. Return: whether it is just that long. */
static bool net_ctrl_data(struct virtio_net *n, void *buf, size_t len)
{
	return chain_readable(&n->chain) == len && chain_read(&n->chain, buf, len) == 0;
}

/* The configuration shows it before the driver hears of it (section 5.1.6.5.2.1). */
static bool net_ctrl_mac(struct virtio_net *n)
{
	uint8_t mac[sizeof(n->config.mac)];
	if (!net_has(n, VIRTIO_NET_F_CTRL_MAC_ADDR) || !net_ctrl_data(n, mac, sizeof(mac)))
		return false;
	memcpy(n->config.mac, mac, sizeof(mac));
	n->vd.config_generation++;
	return true;
}

static bool net_ctrl_announce_ack(struct virtio_net *n)
{
	if (!net_has(n, VIRTIO_NET_F_GUEST_ANNOUNCE))
		return false;
	n->config.status &= (uint16_t)~VIRTIO_NET_S_ANNOUNCE;
	n->vd.config_generation++;
	return true;
}

static bool net_ctrl_pairs(struct virtio_net *n)
{
	uint16_t pairs;
	if (!net_has(n, VIRTIO_NET_F_MQ) || !net_ctrl_data(n, &pairs, sizeof(pairs)) || pairs < 1 ||
	    pairs > n->opt.queue_pairs)
		return false;
	net_set_pairs(n, pairs);
	return true;
}

static bool net_ctrl_offloads(struct virtio_net *n)
{
	uint64_t offloads;
	const uint64_t known = n->features & NET_GUEST_OFFLOADS;
	if (!net_has(n, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) ||
	    !net_ctrl_data(n, &offloads, sizeof(offloads)) || offloads & ~known)
		return false;
	net_set_guest_offloads(n, offloads);
	return true;
}

/* n->chain has just been popped. Return: whether the command was carried out. */
static bool net_ctrl_command(struct virtio_net *n)
{
	struct virtio_net_ctrl_hdr hdr;
	if (chain_read(&n->chain, &hdr, sizeof(hdr)) != 0)
		return false;
	switch (COMMAND(hdr.class, hdr.command)) {
	case COMMAND(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET):
		return net_ctrl_mac(n);
	case COMMAND(VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK):
		return net_ctrl_announce_ack(n);
	case COMMAND(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET):
		return net_ctrl_pairs(n);
	case COMMAND(VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET):
		return net_ctrl_offloads(n);
	default:
		return false;
	}
}

static void net_ctrl_answer(struct virtio_net *n, struct virtq *vq)
{
	uint8_t ack = VIRTIO_NET_OK;

	/* Nothing is done that could not be answered for. */
	if (chain_writable(&n->chain) == 0) {
		virtio_device_break(&n->vd, "a network command without room for its answer");
		return;
	}
	if (!net_ctrl_command(n)) {
		ack = VIRTIO_NET_ERR;
		log_guest(&n->vd.bad_requests,
			  "%s: the guest's driver sent an unknown or bad command", n->vd.dev.id);
	}
	if (chain_write(&n->chain, &ack, sizeof(ack)) == 0) /* always: there is room */
		vq_push(vq, &n->chain);
}

void net_ctrl_serve(struct virtio_net *n, struct virtq *vq)
{
	for (unsigned budget = NET_TURN;; budget--) {
		if (budget == 0) {
			vq_serve_later(vq);
			break;
		}
		if (vq_pop(vq, &n->chain) <= 0 &&
		    (!vq_enable_kick(vq, true) || vq_pop(vq, &n->chain) <= 0))
			break;
		net_ctrl_answer(n, vq);
	}
	vq_signal(vq);
}
