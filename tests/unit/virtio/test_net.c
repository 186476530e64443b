/* The network card: features, configuration, commands, queue pairs, the link, its state. */
#include "test_net.h"
#include "conformance.h"
#include "device_bytes.h"
#include "net_device.h"

#define NET_CTRL_QUEUE 4 /* of a card with two pairs, with MQ */

static uint8_t frame[4000];

WITH_CARD_OF(test_net_config_describes_the_card, 0, 3, ALL, .mtu = 9000)
{
	struct virtio_net_config c = config_of(w);
	CHECK(memcmp(c.mac, card_mac, 6) == 0);
	CHECK_EQ(c.status, VIRTIO_NET_S_LINK_UP);
	CHECK_EQ(c.max_virtqueue_pairs, 3);
	CHECK_EQ(c.mtu, 9000);
	CHECK_EQ(w->vd->queue_count, 7);
	/* It is the device's to write. */
	w->drv.wire->config_write(&w->drv, 0, "\xff\xff\xff\xff\xff\xff", 6);
	CHECK(memcmp(config_of(w).mac, card_mac, 6) == 0);
}

static uint64_t offered(uint32_t offloads, struct virtio_net_options opt)
{
	struct fake_netif fake;
	struct virtio_device *vd;
	struct gmem *gm;
	fake_netif_init(&fake, offloads, opt.queue_pairs);
	if (gmem_create(&gm, 4096) != 0 || virtio_net_create(&vd, "net0", gm, &fake.nif, &opt) != 0)
		abort();
	uint64_t features = vd->features_offered;
	device_destroy(virtio_to_device(vd));
	gmem_destroy(gm);
	const uint64_t core = 1ULL << VIRTIO_F_INDIRECT_DESC | 1ULL << VIRTIO_F_EVENT_IDX |
			      1ULL << VIRTIO_F_VERSION_1;
	return features & ~core;
}

static void test_net_features_follow_backend_and_options(void)
{
	struct virtio_net_options opt = {.queue_pairs = 1};
	const uint64_t plain = F(MAC) | F(STATUS) | F(MRG_RXBUF) | F(CTRL_VQ) | F(CTRL_MAC_ADDR) |
			       F(GUEST_ANNOUNCE);
	const uint64_t csum = F(CSUM) | F(GUEST_CSUM) | F(CTRL_GUEST_OFFLOADS);
	CHECK_EQ(offered(0, opt), plain);
	CHECK_EQ(offered(NETIF_CSUM, opt), plain | csum);
	CHECK_EQ(offered(NETIF_CSUM | NETIF_TSO6, opt),
		 plain | csum | F(HOST_TSO6) | F(GUEST_TSO6));
	CHECK_EQ(offered(OFFLOADS, opt),
		 plain | csum | F(HOST_TSO4) | F(GUEST_TSO4) | F(HOST_TSO6) | F(GUEST_TSO6) |
			 F(HOST_ECN) | F(GUEST_ECN) | F(HOST_USO) | F(GUEST_USO4) | F(GUEST_USO6));
	/* Section 5.1.3.1: never one without what it requires. */
	CHECK_EQ(offered(OFFLOADS & ~(unsigned)NETIF_CSUM, opt), plain);
	CHECK_EQ(offered(NETIF_CSUM | NETIF_ECN, opt), plain | csum);
	opt.mtu = 1500;
	opt.queue_pairs = 2;
	CHECK_EQ(offered(0, opt), plain | F(MTU) | F(MQ));
}

static void test_net_bad_options_are_refused(void)
{
	struct fake_netif fake;
	struct virtio_device *vd = NULL;
	struct gmem *gm;
	const struct virtio_net_options bad[] = {
		{.queue_pairs = 0},
		{.queue_pairs = 3}, /* the backend has two */
		{.queue_pairs = 1, .mtu = 67},
	};
	fake_netif_init(&fake, 0, 2);
	CHECK_EQ(gmem_create(&gm, 4096), 0);
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(virtio_net_create(&vd, "net0", gm, &fake.nif, &bad[i]), -EINVAL);
	fake.nif.queues = NETIF_QUEUES_MAX + 1;
	const struct virtio_net_options many = {.queue_pairs = NETIF_QUEUES_MAX + 1};
	CHECK_EQ(virtio_net_create(&vd, "net0", gm, &fake.nif, &many), -EINVAL);
	CHECK(!vd);
	gmem_destroy(gm);
}

/* Commands. */

WITH_CARD(test_net_driver_changes_its_address)
{
	const uint8_t mac[6] = {0x52, 0x54, 0, 9, 9, 9};
	uint8_t generation = w->vd->config_generation;
	CHECK_EQ(command(w, NET_CTRL_QUEUE, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac,
			 6),
		 VIRTIO_NET_OK);
	CHECK(memcmp(config_of(w).mac, mac, 6) == 0);
	CHECK(w->vd->config_generation != generation);
	CHECK_EQ(w->drv.config_irqs, 0);
	vdriver_reset(&w->drv);
	CHECK(memcmp(config_of(w).mac, card_mac, 6) == 0);
}

static uint8_t set_offloads(struct world *w, uint64_t offloads)
{
	return command(w, NET_CTRL_QUEUE, VIRTIO_NET_CTRL_GUEST_OFFLOADS,
		       VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, &offloads, sizeof(offloads));
}

WITH_CARD(test_net_driver_changes_its_offloads)
{
	CHECK_EQ(w->fake.offloads, OFFLOADS);
	CHECK_EQ(set_offloads(w, 0), VIRTIO_NET_OK);
	CHECK_EQ(w->fake.offloads, 0);
	CHECK_EQ(set_offloads(w, F(GUEST_CSUM) | F(GUEST_TSO4)), VIRTIO_NET_OK);
	CHECK_EQ(w->fake.offloads, NETIF_CSUM | NETIF_TSO4);
	/* Inconsistent: what has no basis is off. */
	CHECK_EQ(set_offloads(w, F(GUEST_TSO4) | F(GUEST_ECN)), VIRTIO_NET_OK);
	CHECK_EQ(w->fake.offloads, 0);
	CHECK_EQ(set_offloads(w, F(GUEST_CSUM) | F(GUEST_USO4)), VIRTIO_NET_OK);
	CHECK_EQ(w->fake.offloads, NETIF_CSUM);
	/* Never offered, or no offload at all. */
	CHECK_EQ(set_offloads(w, F(GUEST_CSUM) | F(GUEST_UFO)), VIRTIO_NET_ERR);
	CHECK_EQ(set_offloads(w, F(MAC)), VIRTIO_NET_ERR);
	CHECK_EQ(w->fake.offloads, NETIF_CSUM);
	vdriver_reset(&w->drv);
	CHECK_EQ(w->fake.offloads, 0);
	CHECK(vdriver_start(&w->drv, ~F(GUEST_TSO6)));
	CHECK_EQ(w->fake.offloads, OFFLOADS & ~(unsigned)NETIF_TSO6);
	CHECK_EQ(set_offloads(w, F(GUEST_CSUM) | F(GUEST_TSO6)), VIRTIO_NET_ERR);
}

WITH_CARD(test_net_hostile_commands_are_refused)
{
	uint16_t pairs;
	const uint8_t mac[8] = {0};
	const struct {
		uint8_t class, number;
		uint8_t len;
	} bad[] = {
		{VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 5},
		{VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 7},
		{VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 0},
		{VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, 8},
		{VIRTIO_NET_CTRL_MAC, 9, 6},
		{VIRTIO_NET_CTRL_RX, 0, 1},
		{VIRTIO_NET_CTRL_VLAN, 0, 2},
		{VIRTIO_NET_CTRL_MQ, 1, 8},
		{VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 1},
		{VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, 4},
		{VIRTIO_NET_CTRL_GUEST_OFFLOADS, 1, 8},
		{0xff, 0xff, 8},
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(command(w, NET_CTRL_QUEUE, bad[i].class, bad[i].number, mac, bad[i].len),
			 VIRTIO_NET_ERR);
	for (unsigned i = 0; i < 3; i++) {
		pairs = (const uint16_t[]){0, 3, 0xffff}[i];
		CHECK_EQ(command(w, NET_CTRL_QUEUE, VIRTIO_NET_CTRL_MQ,
				 VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs, 2),
			 VIRTIO_NET_ERR);
	}
	uint8_t ack = 0xee;
	CHECK_EQ(vdriver_request(&w->drv, NET_CTRL_QUEUE, "\x01", 1, &ack, 1), 1);
	CHECK_EQ(ack, VIRTIO_NET_ERR);
	CHECK_EQ(vdriver_request(&w->drv, NET_CTRL_QUEUE, NULL, 0, &ack, 1), 1);
	CHECK_EQ(ack, VIRTIO_NET_ERR);
	CHECK_EQ(w->vd->bad_requests, 12 + 3 + 2);
	CHECK_EQ(w->fake.queues, 1);
	CHECK(!vdriver_is_broken(&w->drv));
}

WITH_CARD(test_net_command_without_room_for_an_answer_stops_the_card)
{
	const uint8_t out[8] = {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, 2};
	CHECK_EQ(vdriver_request(&w->drv, NET_CTRL_QUEUE, out, 8, NULL, 0), -1);
	CHECK(vdriver_is_broken(&w->drv));
	CHECK(memcmp(config_of(w).mac, card_mac, 6) == 0);
}

/* Section 5.1.3.1: without the control queue there is nothing that needs it. */
WITH_CARD_OF(test_net_without_ctrl_vq_there_are_no_commands, 0, 2, ~F(CTRL_VQ), .mtu = 0)
{
	const uint16_t two = 2;
	for (unsigned q = 2; q < 5; q++)
		CHECK_EQ(
			command(w, q, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &two, 2),
			0xee);
	CHECK_EQ(w->fake.queues, 1);
}

/* A command that was not negotiated is an unknown one. */
WITH_CARD_OF(test_net_commands_follow_the_features, OFFLOADS, 1,
	     ~(F(CTRL_MAC_ADDR) | F(CTRL_GUEST_OFFLOADS) | F(GUEST_ANNOUNCE)), .mtu = 0)
{
	const uint8_t zeroes[8] = {0};
	const uint16_t one = 1;
	CHECK_EQ(command(w, 2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, zeroes, 6),
		 VIRTIO_NET_ERR);
	CHECK_EQ(command(w, 2, VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, zeroes, 8), VIRTIO_NET_ERR);
	CHECK_EQ(command(w, 2, VIRTIO_NET_CTRL_ANNOUNCE, 0, zeroes, 0), VIRTIO_NET_ERR);
	CHECK_EQ(command(w, 2, VIRTIO_NET_CTRL_MQ, 0, &one, 2), VIRTIO_NET_ERR);
}

WITH_CARD(test_net_many_commands_take_turns)
{
	const uint8_t out[8] = {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET};
	struct vbuf bufs[] = {{vdriver_put(&w->drv, out, 8), 8, false},
			      {vdriver_alloc(&w->drv, 1, 1), 1, true}};
	for (unsigned i = 0; i < 100; i++)
		CHECK(vdriver_add(&w->drv, NET_CTRL_QUEUE, bufs, 2, VDRIVER_DIRECT) >= 0);
	vdriver_kick(&w->drv, NET_CTRL_QUEUE);
	CHECK_EQ(reap_all(w, NET_CTRL_QUEUE), NET_TURN);
	CHECK_EQ(w->drv.self_rings[NET_CTRL_QUEUE], 1);
	vdriver_kick_always(&w->drv, NET_CTRL_QUEUE);
	CHECK_EQ(reap_all(w, NET_CTRL_QUEUE), 100 - NET_TURN);
}

/* Queue pairs. */

static uint8_t set_pairs(struct world *w, uint16_t pairs)
{
	return command(w, NET_CTRL_QUEUE, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET,
		       &pairs, sizeof(pairs));
}

static void arrive_at(struct world *w, unsigned queue)
{
	fake_netif_push(&w->fake, queue, NULL, frame, 100);
	fake_netif_run(&w->fake);
}

WITH_CARD(test_net_begins_with_one_pair)
{
	rx_add_many(w, 1, 1600, 10);
	vdriver_kick_always(&w->drv, RX(1));
	arrive_at(w, 1);
	CHECK_EQ(fake_netif_waiting(&w->fake, 1), 1);
	tx_add(w, 1, NULL, frame, 100);
	vdriver_kick_always(&w->drv, TX(1));
	CHECK_EQ(w->fake.sent_count, 0);
}

WITH_CARD(test_net_second_pair_comes_and_goes)
{
	rx_add_many(w, 1, 1600, 10);
	tx_add(w, 1, NULL, frame, 100); /* too early */
	vdriver_kick(&w->drv, TX(1));
	CHECK_EQ(set_pairs(w, 2), VIRTIO_NET_OK);
	CHECK_EQ(w->fake.queues, 2);
	CHECK_EQ(w->drv.self_rings[TX(1)], 1);
	vdriver_kick_always(&w->drv, TX(1));
	CHECK_EQ(w->fake.sent_count, 1);
	CHECK_EQ(w->fake.sent[0]->queue, 1);
	arrive_at(w, 1);
	CHECK_EQ(reap_all(w, RX(1)), 1);
	CHECK_EQ(reap_all(w, RX(0)), 0);

	/* Its buffers are the driver's again. */
	CHECK_EQ(set_pairs(w, 1), VIRTIO_NET_OK);
	CHECK_EQ(w->fake.queues, 1);
	CHECK(!w->fake.is_wanted[1]);
	CHECK(w->fake.is_wanted[0]);
	CHECK_EQ(w->vd->queue[RX(1)].avail_idx, w->vd->queue[RX(1)].used_idx);
	arrive_at(w, 1);
	tx_add(w, 1, NULL, frame, 100);
	vdriver_kick_always(&w->drv, TX(1));
	CHECK_EQ(fake_netif_waiting(&w->fake, 1), 1);
	CHECK_EQ(w->fake.sent_count, 1);

	CHECK_EQ(set_pairs(w, 2), VIRTIO_NET_OK);
	fake_netif_run(&w->fake);
	CHECK_EQ(reap_all(w, RX(1)), 1);
	vdriver_reset(&w->drv);
	CHECK_EQ(w->fake.queues, 1);
}

/* Section 5.1.2: without MQ, queue 2 is the control queue, however many pairs there could be. */
WITH_CARD_OF(test_net_control_queue_without_mq_is_the_third, 0, 3, ~F(MQ), .mtu = 0)
{
	const uint8_t mac[6] = {2, 2, 2, 2, 2, 2};
	const uint16_t two = 2;
	CHECK_EQ(command(w, 2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6),
		 VIRTIO_NET_OK);
	CHECK_EQ(command(w, 2, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &two, 2),
		 VIRTIO_NET_ERR);
	CHECK_EQ(command(w, 6, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6), 0xee);
}

WITH_CARD_OF(test_net_control_queue_with_mq_is_the_last, 0, 3, ALL, .mtu = 0)
{
	const uint8_t mac[6] = {2, 2, 2, 2, 2, 2};
	CHECK_EQ(command(w, 2, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6), 0xee);
	CHECK_EQ(command(w, 6, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6),
		 VIRTIO_NET_OK);
}

/* A frame that was refused is tried again when the queues are others. */
WITH_CARD(test_net_refused_frame_survives_a_change_of_pairs)
{
	w->fake.send_room = 0;
	tx_add(w, 0, NULL, frame, 100);
	vdriver_kick(&w->drv, TX(0));
	CHECK_EQ(set_pairs(w, 2), VIRTIO_NET_OK);
	CHECK_EQ(w->drv.self_rings[TX(0)], 1);
	w->fake.send_room = UINT_MAX;
	vdriver_kick_always(&w->drv, TX(0));
	CHECK_EQ(w->fake.sent_count, 1);
	CHECK_EQ(reap_all(w, TX(0)), 1);
}

/* The link. */

WITH_CARD(test_net_link_changes_reach_the_driver)
{
	fake_netif_set_link(&w->fake, false);
	CHECK_EQ(w->drv.config_irqs, 1);
	CHECK_EQ(config_of(w).status, 0);
	fake_netif_set_link(&w->fake, true);
	CHECK_EQ(w->drv.config_irqs, 2);
	CHECK_EQ(config_of(w).status, VIRTIO_NET_S_LINK_UP);
	quiesce(w);
	fake_netif_set_link(&w->fake, false);
	fake_netif_set_link(&w->fake, true);
	fake_netif_set_link(&w->fake, false);
	CHECK_EQ(w->drv.config_irqs, 2);
	resume(w);
	CHECK_EQ(w->drv.config_irqs, 3);
	CHECK_EQ(config_of(w).status, 0);
	vdriver_reset(&w->drv);
	fake_netif_set_link(&w->fake, true);
	CHECK_EQ(w->drv.config_irqs, 3);
	CHECK_EQ(config_of(w).status, VIRTIO_NET_S_LINK_UP);
}

WITH_CARD_OF(test_net_link_without_f_status_raises_no_interrupt, 0, 1, ~F(STATUS), .mtu = 0)
{
	fake_netif_set_link(&w->fake, false);
	CHECK_EQ(w->drv.config_irqs, 0);
}

/* State. */

/* All devices of the suite share one guest memory and one backend. */
static struct device *fresh(void *ctx)
{
	struct world *w = ctx;
	struct virtio_device *vd;
	return virtio_net_create(&vd, "net0", w->gm, &w->fake.nif, &w->opt) == 0
		       ? virtio_to_device(vd)
		       : NULL;
}

static void scramble(struct device *dev, void *ctx)
{
	struct world *w = ctx;
	const uint8_t mac[6] = {2, 2, 2, 2, 2, 2};
	w->vd = (struct virtio_device *)dev;
	w->fake.dev = NULL;
	if (virtio_net_attach(w->vd, NULL) != 0)
		abort();
	w->fake.send_room = 1;
	vdriver_init(&w->drv, w->vd, w->gm, BASE);
	w->drv.queue_size = 32;
	if (!vdriver_start(&w->drv, ALL))
		return;
	rx_add_many(w, 0, 1600, 3);
	rx_add_many(w, 1, 1600, 3);
	tx_add(w, 0, NULL, frame, 100);
	tx_add(w, 0, NULL, frame, 100);
	vdriver_kick_always(&w->drv, TX(0));
	set_pairs(w, 2);
	set_offloads(w, F(GUEST_CSUM) | F(GUEST_TSO4));
	command(w, NET_CTRL_QUEUE, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6);
	arrive_at(w, 0);
	arrive_at(w, 1);
	fake_netif_forget(&w->fake);
}

static void test_net_conforms(void)
{
	static struct world w;
	memset(&w, 0, sizeof(w));
	w.opt.queue_pairs = 2;
	fake_netif_init(&w.fake, OFFLOADS, 2);
	CHECK_EQ(gmem_create(&w.gm, MEMORY_SIZE), 0);
	conformance_check(&(struct conformance){.create = fresh, .scramble = scramble, .ctx = &w});
	fake_netif_forget(&w.fake);
	gmem_destroy(w.gm);
}

/* Saves the card, replaces it by another one on the same backend, and loads. Return: of the load */
static int replace_card(struct world *w, bool is_resumed)
{
	size_t len;
	struct vdriver_wire const *wire = w->drv.wire;
	quiesce(w);
	uint8_t *state = device_bytes_save(virtio_to_device(w->vd), &len);
	const struct virtio_transport *transport = w->vd->transport;
	device_destroy(virtio_to_device(w->vd));
	if (virtio_net_create(&w->vd, "net0", w->gm, &w->fake.nif, &w->opt) != 0 ||
	    virtio_net_attach(w->vd, NULL) != 0)
		abort();
	w->vd->transport = transport;
	w->vd->transport_ctx = &w->drv;
	w->drv.vd = w->vd;
	w->drv.wire = wire;
	quiesce(w);
	int error = device_bytes_load(virtio_to_device(w->vd), state, len);
	free(state);
	if (is_resumed)
		resume(w);
	return error;
}

WITH_CARD(test_net_traffic_goes_on_after_save_and_load)
{
	CHECK_EQ(set_pairs(w, 2), VIRTIO_NET_OK);
	CHECK_EQ(set_offloads(w, F(GUEST_CSUM)), VIRTIO_NET_OK);
	rx_add_many(w, 1, 1600, 60);
	arrive_at(w, 1);
	w->fake.send_room = 1;
	for (unsigned i = 0; i < 3; i++)
		tx_add(w, 1, NULL, frame, 100 + i);
	vdriver_kick(&w->drv, TX(1));
	CHECK_EQ(w->fake.sent_count, 1);

	CHECK_EQ(replace_card(w, false), 0);
	CHECK_EQ(w->fake.queues, 2);
	CHECK_EQ(w->fake.offloads, NETIF_CSUM);
	CHECK(!w->fake.is_wanted[1]);
	w->fake.send_room = UINT_MAX;
	CHECK_EQ(w->fake.sent_count, 1);
	resume(w);
	CHECK_EQ(w->fake.sent_count, 3);
	CHECK_EQ(w->fake.sent[1]->len, 101);
	CHECK_EQ(w->fake.sent[2]->len, 102);
	CHECK_EQ(reap_all(w, TX(1)), 3);
	arrive_at(w, 1);
	CHECK_EQ(reap_all(w, RX(1)), 2);
	CHECK_EQ(set_pairs(w, 1), VIRTIO_NET_OK);
}

WITH_CARD(test_net_driver_announces_itself_after_a_load)
{
	CHECK_EQ(replace_card(w, true), 0);
	CHECK_EQ(config_of(w).status, VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	CHECK_EQ(w->drv.config_irqs, 1);
	CHECK_EQ(command(w, NET_CTRL_QUEUE, VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK,
			 NULL, 0),
		 VIRTIO_NET_OK);
	CHECK_EQ(config_of(w).status, VIRTIO_NET_S_LINK_UP);
	quiesce(w);
	resume(w);
	CHECK_EQ(config_of(w).status, VIRTIO_NET_S_LINK_UP);
	CHECK_EQ(w->drv.config_irqs, 1);
}

/* The other host's link is down: the driver hears of it. */
WITH_CARD_OF(test_net_link_of_the_new_place_is_shown_after_a_load, 0, 1, ~F(GUEST_ANNOUNCE),
	     .mtu = 0)
{
	w->fake.nif.is_up = false;
	CHECK_EQ(replace_card(w, false), 0);
	CHECK_EQ(config_of(w).status, VIRTIO_NET_S_LINK_UP);
	resume(w);
	CHECK_EQ(config_of(w).status, 0);
	CHECK_EQ(w->drv.config_irqs, 1);
}

WITH_CARD_OF(test_net_state_of_another_card_is_refused, OFFLOADS, 1, ALL, .mtu = 1500)
{
	w->opt.mtu = 9000;
	CHECK_EQ(replace_card(w, true), -EINVAL);
	CHECK_EQ(w->vd->status, 0);
	CHECK_EQ(w->fake.offloads, 0);
}

WITH_CARD(test_net_state_that_needs_other_offloads_is_refused)
{
	w->fake.nif.offloads = NETIF_CSUM;
	w->fake.offloads = 0;
	CHECK_EQ(replace_card(w, true), -EINVAL);
	CHECK_EQ(w->vd->status, 0);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_net_config_describes_the_card),
		TEST_CASE(test_net_features_follow_backend_and_options),
		TEST_CASE(test_net_bad_options_are_refused),
		TEST_CASE(test_net_driver_changes_its_address),
		TEST_CASE(test_net_driver_changes_its_offloads),
		TEST_CASE(test_net_hostile_commands_are_refused),
		TEST_CASE(test_net_command_without_room_for_an_answer_stops_the_card),
		TEST_CASE(test_net_without_ctrl_vq_there_are_no_commands),
		TEST_CASE(test_net_commands_follow_the_features),
		TEST_CASE(test_net_many_commands_take_turns),
		TEST_CASE(test_net_begins_with_one_pair),
		TEST_CASE(test_net_second_pair_comes_and_goes),
		TEST_CASE(test_net_control_queue_without_mq_is_the_third),
		TEST_CASE(test_net_control_queue_with_mq_is_the_last),
		TEST_CASE(test_net_refused_frame_survives_a_change_of_pairs),
		TEST_CASE(test_net_link_changes_reach_the_driver),
		TEST_CASE(test_net_link_without_f_status_raises_no_interrupt),
		TEST_CASE(test_net_conforms),
		TEST_CASE(test_net_traffic_goes_on_after_save_and_load),
		TEST_CASE(test_net_driver_announces_itself_after_a_load),
		TEST_CASE(test_net_link_of_the_new_place_is_shown_after_a_load),
		TEST_CASE(test_net_state_of_another_card_is_refused),
		TEST_CASE(test_net_state_that_needs_other_offloads_is_refused),
	};
	return TEST_RUN(cases);
}
