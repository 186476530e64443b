/*
 * Network backends: where a virtio-net device's Ethernet frames go to and come from.
 *
 * The two ends: a backend (src/net: tap, a stream socket, passt) implements struct netif_ops; the
 * device model attaches itself as the client. All of it runs with the client device's lock held;
 * the client's functions are called on the event loop's thread.
 *
 * Frames cross the border as host windows, without a copy where the backend needs none. A frame is
 * an Ethernet II frame without preamble and FCS; with offloads one "frame" may be a segment of up
 * to 64 KiB that its virtio_net_hdr says how to cut.
 */
#ifndef TINYVM_NET_H
#define TINYVM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct device;
struct err;
struct evloop;
struct netif;
struct virtio_net_hdr; /* include/spec/virtio_net.h */

#define NETIF_FRAME_MIN	 14		  /* an Ethernet header */
#define NETIF_FRAME_MAX	 (65535 + 14 + 4) /* the largest IP packet, VLAN-tagged */
#define NETIF_QUEUES_MAX 8

/* What a backend can take in sent frames and, when the client lets it, puts into received ones. */
enum netif_offload {
	NETIF_CSUM = 1 << 0, /* partial checksums */
	NETIF_TSO4 = 1 << 1,
	NETIF_TSO6 = 1 << 2,
	NETIF_ECN = 1 << 3, /* TSO of segments with ECN bits */
	NETIF_USO = 1 << 4, /* UDP segmentation, both versions of IP */
};

/**
 * struct netif_client - the device model's end
 * @readable: frames of @queue may be there: netif_receive() until it has none, or netif_want(false)
 *            when there is no room for them
 * @writable: netif_send() on @queue was refused, and may work now
 * @link_changed: nif->is_up is another one now
 */
struct netif_client {
	void (*readable)(void *ctx, unsigned queue);
	void (*writable)(void *ctx, unsigned queue);
	void (*link_changed)(void *ctx);
};

/**
 * struct netif_ops - the backend's end
 * @attach:  remember the client, with the device whose lock guards it, and watch descriptors on
 *           @loop; NULLs detach. The link's state and frames on their way survive a detach,
 * offloads and the number of queues go back to 0 and 1. Return: 0 or -errno. Context: the loop does
 *           not run
 * @send:    one frame; @len is the sum of @iov. Return: 0: taken, copied where it could not go out
 *           whole (or dropped and counted, as a wire does: link down, a header that the host
 *           refuses); -EAGAIN: not taken, writable() will follow
 * @receive: the next frame into @iov, its header into @ret_hdr (all zeroes where the backend has
 *           none; num_buffers is the client's business). @iov has room for the longest frame that
 *           can come (the client's MTU and offloads say which); a longer one is dropped and
 *           counted. Return: the frame's length, or -EAGAIN for none
 * @want:    false: do not call readable() for @queue until true; true may call nothing itself, the
 *           event comes from the loop
 * @set_offloads: which of nif->offloads received frames may make use of
 * @set_queues: how many queue pairs the driver uses, 1 to nif->queues
 * @destroy: closes everything and ends helpers
 */
struct netif_ops {
	int (*attach)(struct netif *nif, struct evloop *loop, const struct netif_client *client,
		      void *ctx, struct device *dev);
	int (*send)(struct netif *nif, unsigned queue, const struct virtio_net_hdr *hdr,
		    const struct iovec *iov, unsigned count, size_t len);
	ssize_t (*receive)(struct netif *nif, unsigned queue, struct virtio_net_hdr *ret_hdr,
			   const struct iovec *iov, unsigned count);
	void (*want)(struct netif *nif, unsigned queue, bool is_wanted);
	void (*set_offloads)(struct netif *nif, uint32_t offloads);
	void (*set_queues)(struct netif *nif, unsigned queues);
	void (*destroy)(struct netif *nif);
};

/**
 * struct netif - one network card's other end
 * @offloads: NETIF_..., fixed
 * @queues:   queue pairs it can serve, fixed, 1 to NETIF_QUEUES_MAX
 * @is_checked: received frames have correct checksums, and the guest need not look (passt)
 * @is_up:    there is somebody at the other end
 * @dropped:  frames the backend had to drop, both ways
 */
struct netif {
	const struct netif_ops *ops;
	uint32_t offloads;
	unsigned queues;
	bool is_checked;
	bool is_up;
	uint64_t dropped;
};

/**
 * struct net_forward - one -p
 * @addr: where the host listens, text of an IPv4 or IPv6 address
 */
struct net_forward {
	const char *addr;
	uint16_t host_port;
	uint16_t guest_port;
	bool is_udp;
};

/**
 * net_none_open() - a card with no cable: the link is down for good
 */
int net_none_open(struct netif **ret_nif, struct err *err) __attribute__((warn_unused_result));

/**
 * net_socket_open() - a Unix stream socket with QEMU's framing (-netdev stream): each frame after
 *                     its length in four bytes, big-endian
 * @path: the first to come listens there, the next one connects; a stale socket file is replaced.
 *        Whoever connected tries again every second after the other end went; whoever listens takes
 *        the next one. The file goes when the listener ends in good order
 * @id: the card's, for messages ("net0"), outlives the netif
 */
int net_socket_open(struct netif **ret_nif, const char *path, const char *id, struct err *err)
	__attribute__((warn_unused_result));

/* The same on a connected stream socket that was handed down; takes @fd over, even on failure. */
int net_fd_open(struct netif **ret_nif, int fd, const char *id, struct err *err)
	__attribute__((warn_unused_result));

/**
 * net_user_open() - user-mode networking by passt, which is started and ends with this process
 *                   however it ends
 * @forward: ports to forward; each is tried before passt starts: in use, privileged, no such
 * address are told apart
 * @mtu: what passt tells the guest, 0 for its own choice
 */
int net_user_open(struct netif **ret_nif, const struct net_forward *forward, unsigned count,
		  uint16_t mtu, const char *id, struct err *err)
	__attribute__((warn_unused_result));

/**
 * struct net_tap_config - a tap interface
 * @name:   of an existing one; NULL: one is made, its name ("tinyvm0") the kernel's choice
 * @bridge: to attach it to, NULL for none
 * @queues: wanted, 1 to NETIF_QUEUES_MAX; a tap without multi-queue gets one
 * @mtu:    of the host's end of one that is made, 0 for the kernel's choice
 */
struct net_tap_config {
	const char *name;
	const char *bridge;
	unsigned queues;
	uint16_t mtu;
};

/**
 * net_tap_open() - an existing tap (@name: owned by this user, or privilege), or one made for the
 *                  run (privilege), up and attached to @bridge
 *
 * Return: 0; -errno with a sentence: no /dev/net/tun, no permission (what would give it), no such
 * interface, not a tap, in use, no such bridge.
 */
int net_tap_open(struct netif **ret_nif, const struct net_tap_config *cfg, const char *id,
		 struct err *err) __attribute__((warn_unused_result));

/* The tap's descriptor for @queue, for vhost-net; -1 when @nif is no tap. */
int net_tap_fd(const struct netif *nif, unsigned queue);

/**
 * net_pcap_open() - a layer that records every frame of @child in @path (pcap, nanoseconds,
 *                   Ethernet), readable while it grows; a full disk ends the record, not the
 * network
 * @child: belongs to the layer on success
 */
int net_pcap_open(struct netif **ret_nif, struct netif *child, const char *path, struct err *err)
	__attribute__((warn_unused_result));

static inline void netif_destroy(struct netif *nif)
{
	if (nif)
		nif->ops->destroy(nif);
}

#endif
