/*
 * A tap: the host's end of the card is a network interface of the host (Linux's tuntap.txt). Each
 * frame goes through one writev() or readv() with its virtio_net_hdr, which the kernel understands
 * and fills in.
 *
 * The link follows the interface's administrative state (IFF_UP). Left out on purpose: following an
 * interface into another network namespace, whose state cannot be seen from here: its link is up.
 * And a bound on what is on its way out (TUNSETSNDBUF), with which the kernel's fast paths, vhost's
 * batches among them, are off: a slow network further on drops what it cannot take, as any does.
 */
#include "tap.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <spec/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/log.h>

#define TAP_IOV_MAX 1024 /* what readv() and writev() take */
/* Frames to pass over, and messages to take, before others have their turn. */
#define TAP_BAD_MAX  64
#define TAP_NEWS_MAX 64

/**
 * struct tap_queue - one of the interface's queues
 * @is_wanted:  the client is to hear of frames
 * @is_blocked: netif_send() was refused
 */
struct tap_queue {
	struct tap *tap;
	int fd;
	struct evloop_fd *handle;
	bool is_wanted;
	bool is_blocked;
};

/**
 * struct tap - the backend
 * @queues:   how many are attached
 * @enabled:  offloads received frames may make use of
 * @is_gone:  somebody removed the interface
 * @iov:      scratch space of send and receive
 */
struct tap {
	struct netif nif;
	const char *id;
	struct tap_files files;
	struct tap_queue queue[NETIF_QUEUES_MAX];
	struct evloop_fd *link_handle;
	const struct netif_client *client;
	void *ctx;
	unsigned queues;
	uint32_t enabled;
	bool is_gone;
	struct iovec iov[TAP_IOV_MAX];
};

static struct tap *tap_of(struct netif *nif)
{
	return (struct tap *)nif;
}

/* Of a queue that is detached, or of an interface that is gone, nothing is to be heard. */
static void tap_watch(struct tap_queue *q)
{
	const struct tap *tap = q->tap;
	bool is_live = q < &tap->queue[tap->queues] && !tap->is_gone;
	uint32_t events = (q->is_wanted ? EPOLLIN : 0) | (q->is_blocked ? EPOLLOUT : 0);
	if (q->handle)
		evloop_set_events(q->handle, is_live ? events : 0);
}

/* The interface may have another name by now. Return: false when it is no more. */
static bool tap_get_name(const struct tap *tap, struct ifreq *ret_ifr)
{
	memset(ret_ifr, 0, sizeof(*ret_ifr));
	return ioctl(tap->queue[0].fd, TUNGETIFF, ret_ifr) == 0;
}

static bool tap_look(struct tap *tap)
{
	struct ifreq ifr;
	if (tap->is_gone || !tap_get_name(tap, &ifr))
		return false;
	return ioctl(tap->files.link, SIOCGIFFLAGS, &ifr) < 0 || ifr.ifr_flags & IFF_UP;
}

/* What waited for room goes nowhere while the link is down, and is to be dropped now. */
static void tap_unblock(struct tap *tap)
{
	for (unsigned i = 0; i < tap->files.count; i++) {
		struct tap_queue *q = &tap->queue[i];
		if (!q->is_blocked)
			continue;
		q->is_blocked = false;
		tap_watch(q);
		tap->client->writable(tap->ctx, i);
	}
}

/* Said once; nothing of it is watched any more. */
static void tap_note_removal(struct tap *tap)
{
	struct ifreq ifr;
	if (tap->is_gone || tap_get_name(tap, &ifr))
		return;
	tap->is_gone = true;
	for (unsigned i = 0; i < tap->files.count; i++)
		tap_watch(&tap->queue[i]);
	log_warn("%s: somebody removed the interface %s: its link is down for good", tap->id,
		 tap->files.name);
}

static void tap_update_link(struct tap *tap)
{
	tap_note_removal(tap);
	bool is_up = tap_look(tap);
	if (is_up == tap->nif.is_up)
		return;
	tap->nif.is_up = is_up;
	tap->client->link_changed(tap->ctx);
	if (!is_up)
		tap_unblock(tap);
}

/* Some interface changed; which one does not matter, ours is looked at. */
static void tap_link_ready(void *ctx, uint32_t events)
{
	struct tap *tap = ctx;
	char message[4096];
	(void)events;
	for (unsigned i = 0; i < TAP_NEWS_MAX; i++) {
		if (recv(tap->files.link, message, sizeof(message), 0) < 0 && errno != ENOBUFS)
			break;
	}
	tap_update_link(tap);
}

static void tap_queue_ready(void *ctx, uint32_t events)
{
	struct tap_queue *q = ctx;
	struct tap *tap = q->tap;
	unsigned n = (unsigned)(q - tap->queue);
	if (events & (EPOLLERR | EPOLLHUP)) {
		tap_update_link(tap);
		return;
	}
	if (events & EPOLLOUT && q->is_blocked) {
		q->is_blocked = false;
		tap_watch(q);
		tap->client->writable(tap->ctx, n);
	}
	if (events & EPOLLIN && q->is_wanted)
		tap->client->readable(tap->ctx, n);
}

static void tap_set_queues(struct netif *nif, unsigned queues)
{
	struct tap *tap = tap_of(nif);
	assert(queues >= 1 && queues <= tap->files.count);
	for (unsigned i = 1; i < tap->files.count; i++) {
		bool is_attached = i < queues;
		int error = is_attached != (i < tap->queues) && !tap->is_gone
				    ? tap_set_queue(tap->queue[i].fd, is_attached)
				    : 0;
		if (error)
			log_warn("%s: cannot switch queue %u of %s: %s", tap->id, i,
				 tap->files.name, strerror(-error));
	}
	tap->queues = queues;
	for (unsigned i = 0; i < tap->files.count; i++)
		tap_watch(&tap->queue[i]);
}

static void tap_change_offloads(struct netif *nif, uint32_t offloads)
{
	struct tap *tap = tap_of(nif);
	int error = tap->is_gone ? 0 : tap_set_offloads(tap->queue[0].fd, offloads);
	if (error) {
		log_warn("%s: cannot change the offloads of %s: %s", tap->id, tap->files.name,
			 strerror(-error));
		return;
	}
	tap->enabled = offloads;
}

static void tap_detach(struct tap *tap)
{
	for (unsigned i = 0; i < tap->files.count; i++) {
		evloop_remove(tap->queue[i].handle);
		tap->queue[i].handle = NULL;
		tap->queue[i].is_blocked = false;
		tap->queue[i].is_wanted = true;
	}
	evloop_remove(tap->link_handle);
	tap->link_handle = NULL;
	tap_set_queues(&tap->nif, 1);
	tap_change_offloads(&tap->nif, 0);
}

static int tap_attach(struct netif *nif, struct evloop *loop, const struct netif_client *client,
		      void *ctx, struct device *dev)
{
	struct tap *tap = tap_of(nif);
	int error = 0;
	tap_detach(tap);
	tap->client = client;
	tap->ctx = ctx;
	if (!loop)
		return 0;
	for (unsigned i = 0; i < tap->files.count && !error; i++)
		error = evloop_add(loop, &tap->queue[i].handle, tap->queue[i].fd, 0,
				   tap_queue_ready, &tap->queue[i], dev);
	if (!error)
		error = evloop_add(loop, &tap->link_handle, tap->files.link, EPOLLIN,
				   tap_link_ready, tap, dev);
	if (error) {
		tap_detach(tap);
		return error;
	}
	nif->is_up = tap_look(tap);
	tap_watch(&tap->queue[0]);
	return 0;
}

static int tap_send(struct netif *nif, unsigned queue, const struct virtio_net_hdr *hdr,
		    const struct iovec *iov, unsigned count, size_t len)
{
	struct tap *tap = tap_of(nif);
	struct tap_queue *q = &tap->queue[queue];
	if (!nif->is_up || count >= TAP_IOV_MAX || len > NETIF_FRAME_MAX) {
		nif->dropped++;
		return 0;
	}
	struct virtio_net_hdr copy = *hdr;
	struct iovec *all = tap->iov;
	all[0] = (struct iovec){.iov_base = &copy, .iov_len = sizeof(copy)};
	memcpy(&all[1], iov, count * sizeof(*iov));
	if (writev(q->fd, all, (int)count + 1) >= 0)
		return 0;
	if (errno == EAGAIN) {
		q->is_blocked = true;
		tap_watch(q);
		return -EAGAIN;
	}
	/* EIO: the interface is down; EBADFD: it is gone; EINVAL: a runt, or a header that lies. */
	nif->dropped++;
	return 0;
}

/*
 * A frame may have waited since before the offloads changed, and so ask for what is not enabled any
 * more. That a checksum has been looked at is not for a driver that knows nothing of such things.
 */
static bool tap_header_is_good(const struct tap *tap, struct virtio_net_hdr *hdr)
{
	uint32_t needed = hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ? NETIF_CSUM : 0;
	if (hdr->gso_type & VIRTIO_NET_HDR_GSO_ECN)
		needed |= NETIF_ECN;
	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		break;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		needed |= NETIF_TSO4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		needed |= NETIF_TSO6;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		needed |= NETIF_USO;
		break;
	default:
		return false;
	}
	if (!(tap->enabled & NETIF_CSUM))
		hdr->flags = (uint8_t)(hdr->flags & ~VIRTIO_NET_HDR_F_DATA_VALID);
	return !(needed & ~tap->enabled);
}

static ssize_t tap_receive(struct netif *nif, unsigned queue, struct virtio_net_hdr *ret_hdr,
			   const struct iovec *iov, unsigned count)
{
	struct tap *tap = tap_of(nif);
	struct virtio_net_hdr hdr = {0}; /* the kernel leaves num_buffers alone */
	struct iovec *all = tap->iov;
	char tail;
	size_t room = sizeof(hdr);

	if (count > TAP_IOV_MAX - 2)
		count = TAP_IOV_MAX - 2;
	all[0] = (struct iovec){.iov_base = &hdr, .iov_len = sizeof(hdr)};
	for (unsigned i = 0; i < count; i++) {
		all[i + 1] = iov[i];
		room += iov[i].iov_len;
	}
	/* Longer frames are cut without a word: what reaches this byte did not fit. */
	all[count + 1] = (struct iovec){.iov_base = &tail, .iov_len = 1};
	for (unsigned i = 0; i < TAP_BAD_MAX; i++) {
		ssize_t n = readv(tap->queue[queue].fd, all, (int)count + 2);
		if (n < 0)
			break;
		if ((size_t)n <= room && n >= (ssize_t)sizeof(hdr) + NETIF_FRAME_MIN &&
		    tap_header_is_good(tap, &hdr)) {
			*ret_hdr = hdr;
			return n - (ssize_t)sizeof(hdr);
		}
		nif->dropped++;
	}
	return -EAGAIN;
}

static void tap_want(struct netif *nif, unsigned queue, bool is_wanted)
{
	struct tap_queue *q = &tap_of(nif)->queue[queue];
	if (q->is_wanted == is_wanted)
		return;
	q->is_wanted = is_wanted;
	tap_watch(q);
}

static void tap_destroy(struct netif *nif)
{
	struct tap *tap = tap_of(nif);
	tap_detach(tap);
	tap_files_close(&tap->files);
	free(tap);
}

static const struct netif_ops tap_ops = {
	.attach = tap_attach,
	.send = tap_send,
	.receive = tap_receive,
	.want = tap_want,
	.set_offloads = tap_change_offloads,
	.set_queues = tap_set_queues,
	.destroy = tap_destroy,
};

/* The most that the host's kernel accepts; nothing is enabled on return. */
static uint32_t tap_probe_offloads(int queue)
{
	const uint32_t tcp = NETIF_CSUM | NETIF_TSO4 | NETIF_TSO6 | NETIF_ECN;
	const uint32_t known[] = {tcp | NETIF_USO, tcp, NETIF_CSUM};
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (tap_set_offloads(queue, known[i]) == 0 && tap_set_offloads(queue, 0) == 0)
			return known[i];
	}
	return 0;
}

int net_tap_open(struct netif **ret_nif, const struct net_tap_config *cfg, const char *id,
		 struct err *err)
{
	struct tap *tap = calloc(1, sizeof(*tap));
	if (!tap)
		return err_set(err, -ENOMEM, "%s: out of memory", id);
	int error = tap_files_open(&tap->files, cfg, err);
	if (error) {
		free(tap);
		return error;
	}
	for (unsigned i = 0; i < tap->files.count; i++)
		tap->queue[i] = (struct tap_queue){
			.tap = tap, .fd = tap->files.queue[i], .is_wanted = true};
	tap->id = id;
	tap->queues = 1;
	tap->nif = (struct netif){.ops = &tap_ops,
				  .offloads = tap_probe_offloads(tap->files.queue[0]),
				  .queues = tap->files.count};
	tap->nif.is_up = tap_look(tap);
	if (!tap->nif.is_up)
		log_warn("%s: %s is down, and so is the guest's link until `ip link set %s up`", id,
			 tap->files.name, tap->files.name);
	*ret_nif = &tap->nif;
	return 0;
}

int net_tap_fd(const struct netif *nif, unsigned queue)
{
	const struct tap *tap = (const struct tap *)nif;
	return nif->ops == &tap_ops && queue < nif->queues ? tap->queue[queue].fd : -1;
}
