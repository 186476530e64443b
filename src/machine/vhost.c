/*
 * vhost-net behind a network card: a ring server (struct ring_server) made of the host kernel's,
 * one for each queue pair, with the card's doorbells and interrupts wired to it.
 *
 * An interrupt goes straight from vhost to KVM where it is an MSI-X vector that is unmasked at the
 * start; every other one takes the way through the event loop and the device. Left out on purpose:
 * pending bits in the MSI-X table of vectors that vhost raises while they are masked; such a
 * message waits in KVM's stead and is delivered all the same.
 */
#include "vhost.h"

#include "wires.h"

#include <errno.h>
#include <spec/virtio_net.h>
#include <spec/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/gmem.h>
#include <tinyvm/kvm.h>
#include <tinyvm/log.h>
#include <tinyvm/net.h>
#include <tinyvm/vhost.h>
#include <unistd.h>

#define RINGS_MAX (VHOST_RINGS * NETIF_QUEUES_MAX)

/**
 * struct card_event - an eventfd of vhost's that the event loop listens to
 * @ring: which one's
 * @fd:   -1 until it is needed the first time
 */
struct card_event {
	struct vhost_card *vc;
	unsigned ring;
	int fd;
	struct evloop_fd *handle;
};

/**
 * struct vhost_card - one card's
 * @pair:  one for each of its queue pairs
 * @rings: how many are served now
 * @call:  interrupts that KVM does not deliver by itself
 * @broken: vhost found a ring that breaks the rules
 * @refused: starts that failed
 */
struct vhost_card {
	const char *id;
	struct gmem *gm;
	const struct netif *nif;
	struct vhost_net *pair[NETIF_QUEUES_MAX];
	unsigned pairs;
	struct evloop *loop;
	struct virtio_device *vd;
	struct doorbells *db;
	struct kvm_msi *msi;
	unsigned rings;
	struct card_event call[RINGS_MAX];
	struct card_event broken;
	uint64_t refused;
	unsigned region_count;
	struct vhost_region region[];
};

int vhost_card_create(struct vhost_card **ret_vc, const char *id, struct gmem *gm,
		      const struct netif *nif, unsigned pairs, struct err *err)
{
	unsigned region_count = gmem_region_count(gm);
	struct vhost_card *vc = calloc(1, sizeof(*vc) + region_count * sizeof(vc->region[0]));
	if (!vc)
		return err_set(err, -ENOMEM, "out of memory");
	vc->id = id;
	vc->gm = gm;
	vc->nif = nif;
	vc->region_count = region_count;
	for (unsigned i = 0; i < region_count; i++) {
		const struct gmem_region *r = gmem_region(gm, i);
		vc->region[i] =
			(struct vhost_region){.gpa = r->gpa, .size = r->size, .hva = r->hva};
	}
	for (unsigned i = 0; i < RINGS_MAX; i++)
		vc->call[i] = (struct card_event){.vc = vc, .ring = i, .fd = -1};
	vc->broken = (struct card_event){.vc = vc, .fd = -1};

	int error = net_tap_fd(nif, 0) >= 0
			    ? 0
			    : err_set(err, -ENOTSUP, "vhost-net serves nothing but a tap");
	while (vc->pairs < pairs && !error) {
		error = vhost_net_open(&vc->pair[vc->pairs], err);
		vc->pairs += !error;
	}
	if (error) {
		vhost_card_destroy(vc);
		return error;
	}
	*ret_vc = vc;
	return 0;
}

void vhost_card_bind(struct vhost_card *vc, struct evloop *loop, struct virtio_device *vd,
		     struct doorbells *db, struct kvm_msi *msi)
{
	vc->loop = loop;
	vc->vd = vd;
	vc->db = db;
	vc->msi = msi;
}

/* What is about rings and buffers vhost does itself; all else is the tap's or the card's. */
uint64_t vhost_card_features(const struct vhost_card *vc)
{
	const uint64_t rings = 1ULL << VIRTIO_NET_F_MRG_RXBUF;
	return ~rings | vhost_net_features(vc->pair[0]);
}

/* Return: was it signalled since the last time? */
static bool card_event_take(const struct card_event *e)
{
	eventfd_t count;
	return e->fd >= 0 && eventfd_read(e->fd, &count) == 0;
}

static void card_called(void *ctx, uint32_t events)
{
	const struct card_event *e = ctx;
	(void)events;
	if (card_event_take(e))
		virtio_device_interrupt(e->vc->vd, e->ring);
}

static void card_broken(void *ctx, uint32_t events)
{
	const struct card_event *e = ctx;
	(void)events;
	if (card_event_take(e) && e->vc->rings)
		virtio_device_break(e->vc->vd, "a virtqueue that vhost-net cannot serve");
}

/* Return: the eventfd, which the loop listens to from the first time on; or -errno. */
static int card_event_open(struct card_event *e, evloop_fn fn)
{
	if (e->fd >= 0)
		return e->fd;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	int error = evloop_add(e->vc->loop, &e->handle, fd, EPOLLIN, fn, e,
			       virtio_to_device(e->vc->vd));
	if (error) {
		close(fd);
		return error;
	}
	e->fd = fd;
	return fd;
}

static void card_event_close(struct card_event *e)
{
	evloop_remove(e->handle);
	if (e->fd >= 0)
		close(e->fd);
}

/* Where the guest laid a ring's area: in one run of RAM from end to end, or nothing. */
static int card_area(const struct vhost_card *vc, uint64_t gpa, uint64_t len, void **ret_hva)
{
	struct iovec iov;
	int n = gmem_iov(vc->gm, gpa, len, &iov, 1);
	if (n != 1)
		return -EFAULT;
	*ret_hva = iov.iov_base;
	return 0;
}

static int card_call_fd(struct vhost_card *vc, unsigned index, uint16_t vector)
{
	int fd = vc->msi && vector != VIRTIO_NO_VECTOR ? kvm_msi_fd(vc->msi, vector) : -1;
	return fd >= 0 ? fd : card_event_open(&vc->call[index], card_called);
}

static int card_translate(struct vhost_card *vc, unsigned index, const struct virtio_ring *ring,
			  struct vhost_ring *ret_ring)
{
	*ret_ring = (struct vhost_ring){.size = ring->size, .base = ring->base};
	int error = card_area(vc, ring->desc, VIRTQ_DESC_BYTES(ring->size), &ret_ring->desc);
	if (!error)
		error = card_area(vc, ring->avail, VIRTQ_AVAIL_BYTES(ring->size), &ret_ring->avail);
	if (!error)
		error = card_area(vc, ring->used, VIRTQ_USED_BYTES(ring->size), &ret_ring->used);
	if (error)
		return error;
	ret_ring->err = card_event_open(&vc->broken, card_broken);
	if (ret_ring->err < 0)
		return ret_ring->err;
	ret_ring->call = card_call_fd(vc, index, ring->vector);
	if (ret_ring->call < 0)
		return ret_ring->call;
	ret_ring->kick = doorbells_take(vc->db, index);
	return ret_ring->kick < 0 ? ret_ring->kick : 0;
}

static int card_start_pair(struct vhost_card *vc, unsigned pair, uint64_t features,
			   const struct virtio_ring *ring)
{
	struct vhost_ring translated[VHOST_RINGS];
	unsigned first = pair * VHOST_RINGS, taken = 0;
	int error = 0;
	while (taken < VHOST_RINGS && !error) {
		error = card_translate(vc, first + taken, &ring[taken], &translated[taken]);
		taken += !error;
	}
	if (!error)
		error = vhost_net_start(vc->pair[pair], features, vc->region, vc->region_count,
					translated, net_tap_fd(vc->nif, pair));
	while (error && taken)
		doorbells_give_back(vc->db, first + --taken);
	return error;
}

static void card_stop_pair(struct vhost_card *vc, unsigned pair, struct virtio_ring *ring)
{
	uint16_t base[VHOST_RINGS];
	vhost_net_stop(vc->pair[pair], base);
	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		unsigned index = pair * VHOST_RINGS + i;
		ring[i].base = base[i];
		doorbells_give_back(vc->db, index);
		/* The loop may not have come to it yet. */
		if (card_event_take(&vc->call[index]))
			virtio_device_interrupt(vc->vd, index);
	}
}

static void card_stop(void *ctx, struct virtio_ring *ring, unsigned count)
{
	struct vhost_card *vc = ctx;
	for (unsigned i = 0; i < count / VHOST_RINGS; i++)
		card_stop_pair(vc, i, &ring[i * VHOST_RINGS]);
	vc->rings = 0;
	(void)card_event_take(&vc->broken); /* what it found does not concern the next driver */
}

static int card_start(void *ctx, uint64_t features, const struct virtio_ring *ring, unsigned count)
{
	struct vhost_card *vc = ctx;
	unsigned pairs = count / VHOST_RINGS, started = 0;
	int error = pairs <= vc->pairs ? 0 : -EINVAL;
	while (started < pairs && !error) {
		error = card_start_pair(vc, started, features, &ring[started * VHOST_RINGS]);
		started += !error;
	}
	if (!error) {
		vc->rings = count;
		return 0;
	}
	struct virtio_ring unused[RINGS_MAX];
	card_stop(vc, unused, started * VHOST_RINGS);
	log_guest(&vc->refused, "%s: not served by vhost-net: %s", vc->id, strerror(-error));
	return error;
}

struct ring_server vhost_card_server(struct vhost_card *vc)
{
	return (struct ring_server){.start = card_start, .stop = card_stop, .ctx = vc};
}

void vhost_card_destroy(struct vhost_card *vc)
{
	if (!vc)
		return;
	while (vc->pairs)
		vhost_net_destroy(vc->pair[--vc->pairs]);
	for (unsigned i = 0; i < RINGS_MAX; i++)
		card_event_close(&vc->call[i]);
	card_event_close(&vc->broken);
	free(vc);
}
