/*
 * A network backend that records what is sent and brings frames when the test says so.
 *
 *	struct fake_netif fake;
 *	fake_netif_init(&fake, NETIF_CSUM | NETIF_TSO4, 2);
 *	virtio_net_create(&vd, "net0", gm, &fake.nif, &opt); virtio_net_attach(vd, NULL);
 *	fake_netif_push(&fake, 0, NULL, frame, len);   // as somebody at the other end would
 *	fake_netif_run(&fake);                         // as the event loop would
 *	fake.send_room = 3;                            // then -EAGAIN, until
 *	fake_netif_unblock(&fake, UINT_MAX);
 *
 * Keeps the rules of struct netif: events come from fake_netif_run() and fake_netif_unblock() only,
 * with the device's lock held; want(false) silences a queue. It aborts when the client breaks them.
 */
#ifndef FAKE_NETIF_H
#define FAKE_NETIF_H

#include <spec/virtio_net.h>
#include <tinyvm/net.h>

#define FAKE_NETIF_SENT_MAX 512

/* A frame with its header, in one allocation. */
struct fake_frame {
	struct fake_frame *next;
	struct virtio_net_hdr hdr;
	unsigned queue;
	unsigned windows; /* of a sent one */
	size_t len;
	uint8_t data[];
};

/**
 * struct fake_netif - the backend
 * @client, @ctx, @dev: who is attached, NULL for nobody. Whoever holds the device's lock already
 *              sets @dev to NULL
 * @is_wanted, @is_blocked: for each queue: frames are wanted; a frame was refused
 * @offloads, @queues: as the client set them
 * @sent, @sent_count: frames taken, oldest first; those beyond SENT_MAX are counted alone
 * @send_room: frames to take before -EAGAIN; UINT_MAX for no end
 * @refusals:  how often a frame was refused
 * @arrived:   frames on their way to the client, for each queue
 * @reads:     how often a readable() was answered
 * @on_send, @on_receive: called within send() and receive(), for tests in which the driver goes on
 *              meanwhile, with @on_ctx
 * @longest_iov: most windows seen in a receive()
 */
struct fake_netif {
	struct netif nif;
	const struct netif_client *client;
	void *ctx;
	struct device *dev;
	bool is_wanted[NETIF_QUEUES_MAX];
	bool is_blocked[NETIF_QUEUES_MAX];
	uint32_t offloads;
	unsigned queues;
	struct fake_frame *sent[FAKE_NETIF_SENT_MAX];
	unsigned sent_count;
	unsigned send_room;
	unsigned refusals;
	struct fake_frame *arrived[NETIF_QUEUES_MAX];
	unsigned reads;
	void (*on_send)(struct fake_netif *fake);
	void (*on_receive)(struct fake_netif *fake);
	void *on_ctx;
	unsigned longest_iov;
};

void fake_netif_init(struct fake_netif *fake, uint32_t offloads, unsigned queues);

/* Forgets all frames, sent and arrived. Nobody may be attached at the end. */
void fake_netif_forget(struct fake_netif *fake);

/* A frame for the client arrives; @hdr NULL: all zeroes. */
void fake_netif_push(struct fake_netif *fake, unsigned queue, const struct virtio_net_hdr *hdr,
		     const void *data, size_t len);

/* Frames that have arrived and were not received yet. */
unsigned fake_netif_waiting(const struct fake_netif *fake, unsigned queue);

/* Events, until nobody wants any: the device must come to rest. */
void fake_netif_run(struct fake_netif *fake);

/* Takes @room more frames from now on, and tells the client of the queues it refused. */
void fake_netif_unblock(struct fake_netif *fake, unsigned room);

void fake_netif_set_link(struct fake_netif *fake, bool is_up);

#endif
