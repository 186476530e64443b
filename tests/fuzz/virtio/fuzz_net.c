/*
 * The network card under a hostile driver, with frames coming, a backend that refuses them, a link
 * that flaps and a ring server that comes and goes.
 */
#include "fake_netif.h"
#include "vfuzz.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <tinyvm/virtio.h>

#define QUEUES 2

/* What a run of the fuzzer is made of. */
struct run {
	struct fake_netif fake;
	struct virtio_net_options opt;
	struct virtio_ring ring[2 * QUEUES];
	unsigned rings; /* being served; 0: none */
	bool is_server_willing;
};

static int server_start(void *ctx, uint64_t features, const struct virtio_ring *ring,
			unsigned count)
{
	struct run *r = ctx;
	(void)features;
	if (r->rings || count > 2 * QUEUES)
		abort();
	if (!r->is_server_willing)
		return -EOPNOTSUPP;
	r->rings = count;
	for (unsigned i = 0; i < count; i++)
		r->ring[i] = ring[i];
	return 0;
}

static void server_stop(void *ctx, struct virtio_ring *ring, unsigned count)
{
	struct run *r = ctx;
	if (r->rings != count)
		abort();
	r->rings = 0;
	for (unsigned i = 0; i < count; i++)
		ring[i].base = (uint16_t)(r->ring[i].base + i);
}

static struct virtio_device *create(struct gmem *gm, void *ctx)
{
	struct run *r = ctx;
	struct virtio_device *vd;
	if (virtio_net_create(&vd, "net0", gm, &r->fake.nif, &r->opt) != 0 ||
	    virtio_net_attach(vd, NULL) != 0)
		return NULL;
	r->fake.dev = NULL; /* vfuzz holds its lock */
	return vd;
}

static void arrive(struct fake_netif *fake, uint8_t what)
{
	static const uint8_t types[] = {VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_TCPV4,
					VIRTIO_NET_HDR_GSO_UDP_L4, 0x81};
	static const size_t lengths[] = {14, 60, 1514, 9000};
	static uint8_t frame[9000];
	struct virtio_net_hdr hdr = {.gso_type = types[what & 3], .flags = what & 3};
	fake_netif_push(fake, what >> 4 & 1, &hdr, frame, lengths[what >> 2 & 3]);
}

/* Bits 0-1 what happens, the others how. */
static void world(struct virtio_device *vd, void *ctx, uint8_t what)
{
	struct run *r = ctx;
	(void)vd;
	switch (what & 3) {
	case 0:
		for (unsigned n = what >> 7 ? 3 : 1; n; n--)
			arrive(&r->fake, what >> 2);
		fake_netif_run(&r->fake);
		break;
	case 1:
		fake_netif_unblock(&r->fake, what >> 2 & 7 ? what >> 2 & 7 : UINT_MAX);
		break;
	case 2:
		fake_netif_set_link(&r->fake, what & 4);
		break;
	default:
		r->is_server_willing = what & 4;
		virtio_device_poll(vd, what >> 4, what & 8);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The length of the input chooses the card. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct run r = {.opt = {.mac = {2, 0, 0, 0, 0, 1}, .queue_pairs = 1 + len % 2}};
	fake_netif_init(&r.fake, len & 2 ? 0 : 0x1f, QUEUES);
	r.fake.nif.is_checked = len & 4;
	r.opt.mtu = len & 8 ? 1500 : 0;
	if (len & 16) {
		r.is_server_willing = true;
		r.opt.server = (struct ring_server){server_start, server_stop, &r};
		r.opt.server_features = ~0ULL;
	}
	vfuzz_run(&(struct vfuzz){.create = create, .world = world, .ctx = &r}, data, len);
	if (r.rings || r.fake.client)
		abort(); /* the card is gone, nothing must think otherwise */
	fake_netif_forget(&r.fake);
	return 0;
}
