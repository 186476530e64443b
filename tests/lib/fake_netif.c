/* A network backend for tests: the contract of include/tinyvm/net.h. */
#include "fake_netif.h"

#include "test.h"
#include <limits.h>
#include <tinyvm/device.h>

#define EVENTS_MAX 10000

static struct fake_netif *fake_of(struct netif *nif)
{
	return (struct fake_netif *)nif;
}

static void broken(const char *rule)
{
	fprintf(stderr, "fake_netif: %s\n", rule);
	abort();
}

static void fake_lock(struct fake_netif *fake)
{
	if (fake->dev)
		device_lock(fake->dev);
}

static void fake_unlock(struct fake_netif *fake)
{
	if (fake->dev)
		device_unlock(fake->dev);
}

static int fake_attach(struct netif *nif, struct evloop *loop, const struct netif_client *client,
		       void *ctx, struct device *dev)
{
	struct fake_netif *fake = fake_of(nif);
	(void)loop;
	fake->client = client;
	fake->ctx = ctx;
	fake->dev = dev;
	fake->offloads = 0;
	fake->queues = 1;
	for (unsigned q = 0; q < NETIF_QUEUES_MAX; q++) {
		fake->is_wanted[q] = true;
		fake->is_blocked[q] = false;
	}
	return 0;
}

static int fake_send(struct netif *nif, unsigned queue, const struct virtio_net_hdr *hdr,
		     const struct iovec *iov, unsigned count, size_t len)
{
	struct fake_netif *fake = fake_of(nif);
	size_t total = 0;

	for (unsigned i = 0; i < count; i++)
		total += iov[i].iov_len;
	if (total != len || len < NETIF_FRAME_MIN || len > NETIF_FRAME_MAX)
		broken("a sent frame of a bad length");
	if (queue >= fake->queues)
		broken("a frame sent on a queue not in use");
	if (fake->send_room == 0) {
		fake->is_blocked[queue] = true;
		fake->refusals++;
		return -EAGAIN;
	}
	if (fake->send_room != UINT_MAX)
		fake->send_room--;

	struct fake_frame *f = malloc(sizeof(*f) + len);
	if (!f)
		abort();
	*f = (struct fake_frame){.hdr = *hdr, .queue = queue, .windows = count, .len = len};
	uint8_t *at = f->data;
	for (unsigned i = 0; i < count; i++) {
		memcpy(at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	if (fake->sent_count < FAKE_NETIF_SENT_MAX)
		fake->sent[fake->sent_count] = f;
	else
		free(f);
	fake->sent_count++;
	if (fake->on_send)
		fake->on_send(fake);
	return 0;
}

static ssize_t fake_receive(struct netif *nif, unsigned queue, struct virtio_net_hdr *ret_hdr,
			    const struct iovec *iov, unsigned count)
{
	struct fake_netif *fake = fake_of(nif);
	struct fake_frame *f = fake->arrived[queue];
	size_t room = 0, done = 0;

	for (unsigned i = 0; i < count; i++)
		room += iov[i].iov_len;
	if (count > fake->longest_iov)
		fake->longest_iov = count;
	/* Longer ones are dropped. */
	for (; f && f->len > room; f = fake->arrived[queue]) {
		fake->arrived[queue] = f->next;
		free(f);
		nif->dropped++;
	}
	if (!f)
		return -EAGAIN;
	for (unsigned i = 0; done < f->len; i++) {
		size_t n = f->len - done < iov[i].iov_len ? f->len - done : iov[i].iov_len;
		memcpy(iov[i].iov_base, f->data + done, n);
		done += n;
	}
	*ret_hdr = f->hdr;
	if (fake->on_receive)
		fake->on_receive(fake);
	fake->arrived[queue] = f->next;
	free(f);
	return (ssize_t)done;
}

static void fake_want(struct netif *nif, unsigned queue, bool is_wanted)
{
	if (queue >= nif->queues)
		broken("frames of a queue that is not there are wanted");
	fake_of(nif)->is_wanted[queue] = is_wanted;
}

static void fake_set_offloads(struct netif *nif, uint32_t offloads)
{
	if (offloads & ~nif->offloads)
		broken("offloads that are not there are set");
	fake_of(nif)->offloads = offloads;
}

static void fake_set_queues(struct netif *nif, unsigned queues)
{
	if (queues < 1 || queues > nif->queues)
		broken("a bad number of queues is set");
	fake_of(nif)->queues = queues;
}

static void fake_destroy(struct netif *nif)
{
	fake_netif_forget(fake_of(nif));
}

static const struct netif_ops fake_ops = {
	.attach = fake_attach,
	.send = fake_send,
	.receive = fake_receive,
	.want = fake_want,
	.set_offloads = fake_set_offloads,
	.set_queues = fake_set_queues,
	.destroy = fake_destroy,
};

void fake_netif_init(struct fake_netif *fake, uint32_t offloads, unsigned queues)
{
	*fake = (struct fake_netif){
		.nif = {.ops = &fake_ops, .offloads = offloads, .queues = queues, .is_up = true},
		.queues = 1,
		.send_room = UINT_MAX,
	};
}

void fake_netif_forget(struct fake_netif *fake)
{
	for (unsigned i = 0; i < fake->sent_count && i < FAKE_NETIF_SENT_MAX; i++)
		free(fake->sent[i]);
	fake->sent_count = 0;
	for (unsigned q = 0; q < NETIF_QUEUES_MAX; q++) {
		while (fake->arrived[q]) {
			struct fake_frame *f = fake->arrived[q];
			fake->arrived[q] = f->next;
			free(f);
		}
	}
}

void fake_netif_push(struct fake_netif *fake, unsigned queue, const struct virtio_net_hdr *hdr,
		     const void *data, size_t len)
{
	struct fake_frame **at = &fake->arrived[queue];
	struct fake_frame *f = malloc(sizeof(*f) + len);
	if (!f)
		abort();
	*f = (struct fake_frame){.queue = queue, .len = len};
	if (hdr)
		f->hdr = *hdr;
	memcpy(f->data, data, len);
	while (*at)
		at = &(*at)->next;
	*at = f;
}

unsigned fake_netif_waiting(const struct fake_netif *fake, unsigned queue)
{
	unsigned count = 0;
	for (const struct fake_frame *f = fake->arrived[queue]; f; f = f->next)
		count++;
	return count;
}

/* The queue with the next event; -1 for none. */
static int fake_next_readable(const struct fake_netif *fake)
{
	for (unsigned q = 0; fake->client && q < fake->queues; q++) {
		if (fake->is_wanted[q] && fake->arrived[q])
			return (int)q;
	}
	return -1;
}

void fake_netif_run(struct fake_netif *fake)
{
	for (unsigned n = 0; n < EVENTS_MAX; n++) {
		int q = fake_next_readable(fake);
		if (q < 0)
			return;
		unsigned before = fake_netif_waiting(fake, (unsigned)q);
		fake_lock(fake);
		fake->client->readable(fake->ctx, (unsigned)q);
		fake_unlock(fake);
		fake->reads++;
		if (fake->is_wanted[q] && fake_netif_waiting(fake, (unsigned)q) == before)
			broken("frames are wanted, but not received");
	}
	broken("events without end");
}

void fake_netif_unblock(struct fake_netif *fake, unsigned room)
{
	fake->send_room = room;
	for (unsigned q = 0; q < NETIF_QUEUES_MAX; q++) {
		if (!fake->client || !fake->is_blocked[q])
			continue;
		fake->is_blocked[q] = false;
		fake_lock(fake);
		fake->client->writable(fake->ctx, q);
		fake_unlock(fake);
	}
}

void fake_netif_set_link(struct fake_netif *fake, bool is_up)
{
	if (fake->nif.is_up == is_up)
		return;
	fake->nif.is_up = is_up;
	if (!fake->client)
		return;
	fake_lock(fake);
	fake->client->link_changed(fake->ctx);
	fake_unlock(fake);
}
