/* A network card between a driver and a backend, for its unit tests. */
#ifndef TEST_NET_H
#define TEST_NET_H

#include "fake_netif.h"
#include "test.h"
#include "vdriver.h"
#include <limits.h>

#define MEMORY_SIZE (8u << 20)
#define BASE	    0x1000
#define HDR_LEN	    sizeof(struct virtio_net_hdr)
#define F(name)	    (1ULL << VIRTIO_NET_F_##name)
#define ALL	    (~0ULL)
#define OFFLOADS    (NETIF_CSUM | NETIF_TSO4 | NETIF_TSO6 | NETIF_ECN | NETIF_USO)
#define RX(pair)    (2 * (pair))
#define TX(pair)    (2 * (pair) + 1)

static const uint8_t card_mac[6] = {0x52, 0x54, 0, 1, 2, 3};

/* One world: memory, a backend, the card, a driver. */
struct world {
	struct gmem *gm;
	struct fake_netif fake;
	struct virtio_net_options opt;
	struct virtio_device *vd;
	struct vdriver drv;
};

/* Without a driver yet. world->opt may have been filled. */
static inline void world_create(struct world *w, uint32_t offloads, unsigned pairs)
{
	fake_netif_init(&w->fake, offloads, pairs);
	memcpy(w->opt.mac, card_mac, sizeof(card_mac));
	w->opt.queue_pairs = pairs;
	if (gmem_create(&w->gm, MEMORY_SIZE) != 0 ||
	    virtio_net_create(&w->vd, "net0", w->gm, &w->fake.nif, &w->opt) != 0 ||
	    virtio_net_attach(w->vd, NULL) != 0)
		abort();
	vdriver_init(&w->drv, w->vd, w->gm, BASE);
}

static inline void world_init(struct world *w, uint32_t offloads, unsigned pairs, uint64_t features)
{
	world_create(w, offloads, pairs);
	if (!vdriver_start(&w->drv, features))
		abort();
}

static inline void world_fini(struct world *w)
{
	device_destroy(virtio_to_device(w->vd));
	if (w->fake.client)
		test_failed(__FILE__, __LINE__, "a card that is gone is still attached");
	fake_netif_forget(&w->fake);
	gmem_destroy(w->gm);
}

/* A test whose body has a card with all offloads and two pairs, one in use. */
#define WITH_CARD(name)                               \
	static void name##_body(struct world *w);     \
	static void name(void)                        \
	{                                             \
		static struct world world;            \
		memset(&world, 0, sizeof(world));     \
		world_init(&world, OFFLOADS, 2, ALL); \
		name##_body(&world);                  \
		world_fini(&world);                   \
	}                                             \
	static void name##_body(struct world *w)

/* The same with other features, of backend and driver, and other options. */
#define WITH_CARD_OF(name, offloads, pairs, features, ...)            \
	static void name##_body(struct world *w);                     \
	static void name(void)                                        \
	{                                                             \
		static struct world world;                            \
		memset(&world, 0, sizeof(world));                     \
		world.opt = (struct virtio_net_options){__VA_ARGS__}; \
		world_init(&world, offloads, pairs, features);        \
		name##_body(&world);                                  \
		world_fini(&world);                                   \
	}                                                             \
	static void name##_body(struct world *w)

static inline void pattern(uint8_t *buf, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

/* A chain of one header and one frame to transmit, made available. Return: its head. */
static inline int tx_add(struct world *w, unsigned pair, const struct virtio_net_hdr *hdr,
			 const void *frame, size_t len)
{
	static const struct virtio_net_hdr none;
	struct vbuf bufs[] = {
		{vdriver_put(&w->drv, hdr ? hdr : &none, HDR_LEN), HDR_LEN, false},
		{vdriver_put(&w->drv, frame, len ? len : 1), (uint32_t)len, false},
	};
	int head = vdriver_add(&w->drv, TX(pair), bufs, len ? 2 : 1, VDRIVER_DIRECT);
	if (head < 0)
		abort();
	return head;
}

/* A receive buffer of @len bytes, made available. */
static inline gpa_t rx_add(struct world *w, unsigned pair, uint32_t len)
{
	struct vbuf buf = {vdriver_alloc(&w->drv, len, 16), len, true};
	if (vdriver_add(&w->drv, RX(pair), &buf, 1, VDRIVER_DIRECT) < 0)
		abort();
	return buf.gpa;
}

static inline void rx_add_many(struct world *w, unsigned pair, uint32_t len, unsigned count)
{
	while (count--)
		rx_add(w, pair, len);
}

static inline unsigned reap_all(struct world *w, unsigned q)
{
	unsigned count = 0;
	while (vdriver_reap(&w->drv, q, NULL, NULL))
		count++;
	return count;
}

/* Sends a command. Return: the answer; 0xee when none came. */
static inline uint8_t command(struct world *w, unsigned q, uint8_t class, uint8_t number,
			      const void *data, size_t len)
{
	uint8_t out[64] = {class, number}, ack = 0xee;
	if (len)
		memcpy(out + 2, data, len);
	if (vdriver_request(&w->drv, q, out, 2 + len, &ack, 1) != 1)
		return 0xee;
	return ack;
}

static inline struct virtio_net_config config_of(struct world *w)
{
	struct virtio_net_config c;
	w->drv.wire->config_read(&w->drv, 0, &c, sizeof(c));
	return c;
}

static inline void quiesce(struct world *w)
{
	device_quiesce(virtio_to_device(w->vd));
}

static inline void resume(struct world *w)
{
	device_resume(virtio_to_device(w->vd));
}

#endif
