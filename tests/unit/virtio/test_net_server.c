/* The network card with a ring server (vhost) behind its data queues: who has them when. */
#include "test_net.h"

#include "device_bytes.h"

/* A server that records, and comes as far as @progress chains on every ring. */
struct fake_server {
	int start_rc;
	unsigned starts, stops;
	bool is_running;
	uint16_t progress;
	uint64_t features;
	unsigned count;
	struct virtio_ring ring[2 * NETIF_QUEUES_MAX];
};

static struct fake_server server;
static uint8_t frame[2000];

static int server_start(void *ctx, uint64_t features, const struct virtio_ring *ring,
			unsigned count)
{
	struct fake_server *s = ctx;
	if (s->is_running)
		test_failed(__FILE__, __LINE__, "started twice");
	s->starts++;
	if (s->start_rc)
		return s->start_rc;
	s->is_running = true;
	s->features = features;
	s->count = count;
	memcpy(s->ring, ring, count * sizeof(*ring));
	return 0;
}

static void server_stop(void *ctx, struct virtio_ring *ring, unsigned count)
{
	struct fake_server *s = ctx;
	if (!s->is_running || count != s->count)
		test_failed(__FILE__, __LINE__, "stopped twice, or with other rings");
	s->is_running = false;
	s->stops++;
	for (unsigned i = 0; i < count; i++)
		ring[i].base = (uint16_t)(s->ring[i].base + s->progress);
}

static struct virtio_net_options served_by(struct fake_server *s)
{
	*s = (struct fake_server){0};
	return (struct virtio_net_options){
		.server = {.start = server_start, .stop = server_stop, .ctx = s},
		.server_features = ALL,
	};
}

#define WITH_SERVER(name)                                                                \
	static void name##_body(struct world *w);                                        \
	static void name(void)                                                           \
	{                                                                                \
		static struct world world;                                               \
		memset(&world, 0, sizeof(world));                                        \
		world.opt = served_by(&server);                                          \
		world_create(&world, OFFLOADS, 2);                                       \
		name##_body(&world);                                                     \
		world_fini(&world);                                                      \
		if (server.is_running)                                                   \
			test_failed(__FILE__, __LINE__, "the server outlives the card"); \
	}                                                                                \
	static void name##_body(struct world *w)

WITH_SERVER(test_server_takes_the_data_queues_of_a_running_driver)
{
	CHECK_EQ(server.starts, 0);
	CHECK(vdriver_start(&w->drv, ALL & ~F(GUEST_TSO6)));
	CHECK(server.is_running);
	CHECK_EQ(server.count, 2);
	CHECK_EQ(server.features, w->drv.features);
	for (unsigned q = 0; q < 2; q++) {
		const struct vdriver_queue *dq = &w->drv.queue[q];
		CHECK_EQ(server.ring[q].size, dq->size);
		CHECK_EQ(server.ring[q].base, 0);
		CHECK_EQ(server.ring[q].desc, dq->desc);
		CHECK_EQ(server.ring[q].avail, dq->avail);
		CHECK_EQ(server.ring[q].used, dq->used);
		CHECK_EQ(server.ring[q].vector, VIRTIO_NO_VECTOR);
	}
	/* The card itself keeps away from them. */
	CHECK(!w->fake.is_wanted[0]);
	CHECK_EQ(w->fake.offloads, OFFLOADS & ~(unsigned)NETIF_TSO6);
	tx_add(w, 0, NULL, frame, 100);
	rx_add(w, 0, 1600);
	vdriver_kick_always(&w->drv, TX(0));
	vdriver_kick_always(&w->drv, RX(0));
	device_lock(virtio_to_device(w->vd));
	CHECK(!virtio_device_poll(w->vd, TX(0), true));
	w->fake.client->readable(w->fake.ctx, 0);
	w->fake.client->writable(w->fake.ctx, 0);
	device_unlock(virtio_to_device(w->vd));
	CHECK_EQ(w->fake.sent_count, 0);
	CHECK_EQ(w->drv.self_rings[TX(0)], 1); /* doorbells go on to the server */
	CHECK_EQ(w->drv.self_rings[RX(0)], 1);
	CHECK_EQ(w->vd->queue[TX(0)].avail_idx, 0);
	CHECK_EQ(w->vd->queue[RX(0)].avail_idx, 0);
	vdriver_reset(&w->drv);
	CHECK_EQ(server.stops, 1);
}

WITH_SERVER(test_server_knows_the_vectors)
{
	CHECK(vdriver_start(&w->drv, ALL));
	quiesce(w);
	w->vd->queue[RX(0)].msix_vector = 1;
	w->vd->queue[TX(0)].msix_vector = 2;
	resume(w);
	CHECK_EQ(server.ring[RX(0)].vector, 1);
	CHECK_EQ(server.ring[TX(0)].vector, 2);
}

WITH_SERVER(test_server_leaves_the_control_queue_to_the_card)
{
	const uint8_t mac[6] = {2, 2, 2, 2, 2, 2};
	CHECK(vdriver_start(&w->drv, ALL));
	CHECK_EQ(command(w, 4, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6),
		 VIRTIO_NET_OK);
	uint64_t offloads = F(GUEST_CSUM);
	CHECK_EQ(command(w, 4, VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET,
			 &offloads, 8),
		 VIRTIO_NET_OK);
	CHECK_EQ(w->fake.offloads, NETIF_CSUM);
	fake_netif_set_link(&w->fake, false);
	CHECK_EQ(w->drv.config_irqs, 1);
	CHECK_EQ(server.starts, 1);
}

WITH_SERVER(test_server_interrupts_through_the_card)
{
	CHECK(vdriver_start(&w->drv, ALL));
	device_lock(virtio_to_device(w->vd));
	virtio_device_interrupt(w->vd, RX(0));
	virtio_device_interrupt(w->vd, TX(0));
	virtio_device_interrupt(w->vd, 99);
	CHECK_EQ(w->drv.queue_irqs[RX(0)], 1);
	CHECK_EQ(w->drv.queue_irqs[TX(0)], 1);
	virtio_set_status(w->vd, 0);
	virtio_device_interrupt(w->vd, RX(0));
	device_unlock(virtio_to_device(w->vd));
	CHECK_EQ(w->drv.queue_irqs[RX(0)], 1);
}

WITH_SERVER(test_server_that_cannot_start_leaves_all_to_the_card)
{
	server.start_rc = -EOPNOTSUPP;
	CHECK(vdriver_start(&w->drv, ALL));
	CHECK_EQ(server.starts, 1);
	CHECK(w->fake.is_wanted[0]);
	tx_add(w, 0, NULL, frame, 100);
	vdriver_kick(&w->drv, TX(0));
	CHECK_EQ(w->fake.sent_count, 1);
	rx_add(w, 0, 1600);
	fake_netif_push(&w->fake, 0, NULL, frame, 100);
	fake_netif_run(&w->fake);
	CHECK_EQ(reap_all(w, RX(0)), 1);
	vdriver_reset(&w->drv);
	CHECK_EQ(server.stops, 0);
}

WITH_SERVER(test_server_gets_no_queue_that_is_not_enabled)
{
	const uint8_t agreed =
		VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK;
	device_lock(virtio_to_device(w->vd));
	virtio_set_features(w->vd, 1ULL << VIRTIO_F_VERSION_1);
	virtio_set_status(w->vd, agreed);
	virtio_set_status(w->vd, agreed | VIRTIO_STATUS_DRIVER_OK);
	device_unlock(virtio_to_device(w->vd));
	CHECK_EQ(server.starts, 0);
}

WITH_SERVER(test_server_restarts_with_the_pairs_in_use)
{
	uint16_t pairs = 2;
	CHECK(vdriver_start(&w->drv, ALL));
	server.progress = 5;
	CHECK_EQ(command(w, 4, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs, 2),
		 VIRTIO_NET_OK);
	CHECK_EQ(server.stops, 1);
	CHECK_EQ(server.starts, 2);
	CHECK_EQ(server.count, 4);
	CHECK_EQ(server.ring[0].base, 5);
	CHECK_EQ(server.ring[2].base, 0);
	CHECK_EQ(w->fake.queues, 2);
	CHECK_EQ(w->drv.self_rings[TX(0)], 0);
	/* And the card itself takes over where it cannot. */
	server.start_rc = -ENOMEM;
	pairs = 1;
	CHECK_EQ(command(w, 4, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs, 2),
		 VIRTIO_NET_OK);
	CHECK(!server.is_running);
	CHECK(w->fake.is_wanted[0]);
	CHECK_EQ(w->vd->queue[0].avail_idx, 10);
	CHECK_EQ(w->drv.self_rings[TX(0)], 1);
}

/* Pretends that the server has sent the first @count chains of the driver's. */
static void server_sends(struct world *w, uint16_t count)
{
	struct virtq *vq = &w->vd->queue[TX(0)];
	for (uint16_t i = 0; i < count; i++) {
		struct virtq_used_elem e = {0};
		uint16_t head;
		if (gmem_load_le16(w->gm, vq->avail + VIRTQ_AVAIL_RING(i), &head) != 0)
			abort();
		e.id = head;
		if (gmem_write(w->gm, vq->used + VIRTQ_USED_RING(i), &e, sizeof(e)) != 0)
			abort();
	}
	if (gmem_store_le16(w->gm, vq->used + VIRTQ_USED_IDX, count) != 0)
		abort();
	server.progress = count;
}

WITH_SERVER(test_server_hands_back_where_it_stopped)
{
	CHECK(vdriver_start(&w->drv, ALL));
	for (unsigned i = 0; i < 5; i++)
		tx_add(w, 0, NULL, frame, 100 + i);
	server_sends(w, 3);
	quiesce(w);
	CHECK_EQ(server.stops, 1);
	CHECK_EQ(w->vd->queue[TX(0)].avail_idx, 3);
	CHECK_EQ(w->vd->queue[TX(0)].used_idx, 3);
	server.start_rc = -ENOMEM; /* the card goes on by itself */
	resume(w);
	CHECK_EQ(server.starts, 2);
	CHECK_EQ(w->fake.sent_count, 2);
	CHECK_EQ(w->fake.sent[0]->len, 103);
	CHECK_EQ(reap_all(w, TX(0)), 5);
	CHECK(!vdriver_is_broken(&w->drv));
}

WITH_SERVER(test_server_goes_on_after_resume)
{
	CHECK(vdriver_start(&w->drv, ALL));
	server.progress = 9;
	quiesce(w);
	CHECK(!server.is_running);
	resume(w);
	CHECK(server.is_running);
	CHECK_EQ(server.ring[1].base, 9);
}

/* What the driver writes into the used ring's idx is not believed. */
WITH_SERVER(test_server_hands_back_despite_a_lying_driver)
{
	CHECK(vdriver_start(&w->drv, ALL));
	for (unsigned i = 0; i < 5; i++)
		tx_add(w, 0, NULL, frame, 100);
	server_sends(w, 3);
	CHECK_EQ(gmem_store_le16(w->gm, w->drv.queue[TX(0)].used + VIRTQ_USED_IDX, 0x7777), 0);
	server.start_rc = -ENOMEM;
	quiesce(w);
	size_t len;
	uint8_t *state = device_bytes_save(virtio_to_device(w->vd), &len);
	CHECK_EQ(device_bytes_load(virtio_to_device(w->vd), state, len), 0);
	free(state);
	resume(w);
	CHECK_EQ(w->fake.sent_count, 2);
	CHECK_EQ(vdriver_get_used_idx(&w->drv, TX(0)), 5);
}

/* The driver disables a queue under the server's hands. */
WITH_SERVER(test_server_hands_back_a_disabled_queue)
{
	CHECK(vdriver_start(&w->drv, ALL));
	device_lock(virtio_to_device(w->vd));
	virtq_disable(&w->vd->queue[RX(0)]);
	device_unlock(virtio_to_device(w->vd));
	server.progress = 3;
	quiesce(w);
	CHECK_EQ(w->vd->queue[RX(0)].avail_idx, 0);
	CHECK_EQ(w->vd->queue[TX(0)].avail_idx, 3);
	resume(w);
	CHECK(!server.is_running); /* not with half of its rings */
}

WITH_SERVER(test_server_starts_after_a_load_with_what_was_loaded)
{
	const uint16_t two = 2;
	size_t len;
	CHECK(vdriver_start(&w->drv, ALL));
	server.progress = 4;
	CHECK_EQ(command(w, 4, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &two, 2),
		 VIRTIO_NET_OK);
	quiesce(w);
	uint8_t *state = device_bytes_save(virtio_to_device(w->vd), &len);
	device_reset(virtio_to_device(w->vd));
	unsigned starts = server.starts;
	CHECK_EQ(device_bytes_load(virtio_to_device(w->vd), state, len), 0);
	free(state);
	CHECK_EQ(server.starts, starts);
	resume(w);
	CHECK_EQ(server.starts, starts + 1);
	CHECK_EQ(server.count, 4);
	CHECK_EQ(server.ring[0].base, 8);
	CHECK_EQ(server.ring[2].base, 4);
}

WITH_SERVER(test_server_stops_when_the_card_breaks)
{
	CHECK(vdriver_start(&w->drv, ALL));
	vdriver_set_avail_idx(&w->drv, 4, 1000);
	vdriver_kick_always(&w->drv, 4);
	CHECK(vdriver_is_broken(&w->drv));
	CHECK_EQ(server.stops, 1);
	vdriver_reset(&w->drv);
	CHECK_EQ(server.stops, 1);
}

static uint64_t offered_with(uint64_t server_features)
{
	static struct world w;
	memset(&w, 0, sizeof(w));
	w.opt = served_by(&server);
	w.opt.server_features = server_features;
	w.opt.mtu = 1500;
	world_create(&w, OFFLOADS, 2);
	uint64_t features = w.vd->features_offered;
	world_fini(&w);
	return features;
}

static void test_server_limits_the_data_path_alone(void)
{
	const uint64_t control = F(MAC) | F(STATUS) | F(MTU) | F(CTRL_VQ) | F(MQ) |
				 F(CTRL_MAC_ADDR) | F(GUEST_ANNOUNCE) | 1ULL << VIRTIO_F_VERSION_1 |
				 1ULL << VIRTIO_F_INDIRECT_DESC | 1ULL << VIRTIO_F_EVENT_IDX;
	CHECK_EQ(offered_with(0), control);
	CHECK_EQ(offered_with(F(MRG_RXBUF)), control | F(MRG_RXBUF));
	/* Without its basis nothing is offered. */
	CHECK_EQ(offered_with(F(HOST_TSO4) | F(GUEST_TSO4)), control);
	CHECK_EQ(offered_with(F(CSUM) | F(HOST_TSO4)), control | F(CSUM) | F(HOST_TSO4));
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_server_takes_the_data_queues_of_a_running_driver),
		TEST_CASE(test_server_knows_the_vectors),
		TEST_CASE(test_server_leaves_the_control_queue_to_the_card),
		TEST_CASE(test_server_interrupts_through_the_card),
		TEST_CASE(test_server_that_cannot_start_leaves_all_to_the_card),
		TEST_CASE(test_server_gets_no_queue_that_is_not_enabled),
		TEST_CASE(test_server_restarts_with_the_pairs_in_use),
		TEST_CASE(test_server_hands_back_where_it_stopped),
		TEST_CASE(test_server_goes_on_after_resume),
		TEST_CASE(test_server_hands_back_despite_a_lying_driver),
		TEST_CASE(test_server_hands_back_a_disabled_queue),
		TEST_CASE(test_server_starts_after_a_load_with_what_was_loaded),
		TEST_CASE(test_server_stops_when_the_card_breaks),
		TEST_CASE(test_server_limits_the_data_path_alone),
	};
	return TEST_RUN(cases);
}
