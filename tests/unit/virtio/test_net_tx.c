/* The network card's transmission: what reaches the backend, what does not, and who waits. */
#include "test_net.h"

static uint8_t frame[70000];

static void check_sent(struct world *w, unsigned i, const void *data, size_t len)
{
	CHECK(i < w->fake.sent_count);
	const struct fake_frame *f = w->fake.sent[i];
	CHECK_EQ(f->len, len);
	CHECK(memcmp(f->data, data, len) == 0);
}

WITH_CARD(test_tx_frame_reaches_the_backend_without_its_header)
{
	pattern(frame, 1514, 1);
	tx_add(w, 0, NULL, frame, 1514);
	CHECK(vdriver_kick(&w->drv, TX(0)));
	CHECK_EQ(w->fake.sent_count, 1);
	check_sent(w, 0, frame, 1514);
	CHECK_EQ(w->fake.sent[0]->queue, 0);
	CHECK_EQ(w->fake.sent[0]->windows, 1);
	uint32_t used = 99;
	CHECK(vdriver_reap(&w->drv, TX(0), NULL, &used));
	CHECK_EQ(used, 0);
	CHECK_EQ(w->drv.queue_irqs[TX(0)], 1);
}

/* Section 2.6.4: the driver may cut header and frame where it likes. */
WITH_CARD(test_tx_any_framing)
{
	uint8_t all[HDR_LEN + 600] = {0};
	pattern(all + HDR_LEN, 600, 2);
	gpa_t at = vdriver_put(&w->drv, all, sizeof(all));
	struct vbuf cuts[][5] = {
		{{at, sizeof(all), false}},
		{{at, 5, false}, {at + 5, 30, false}, {at + 35, sizeof(all) - 35, false}},
		{{at, 12, false},
		 {at + 12, 1, false},
		 {at + 13, 13, false},
		 {at + 26, sizeof(all) - 26, false},
		 {at, 64, true}},
	};
	const unsigned counts[] = {1, 3, 5};
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned layout = VDRIVER_DIRECT; layout <= VDRIVER_INDIRECT; layout++) {
			CHECK(vdriver_add(&w->drv, TX(0), cuts[i], counts[i],
					  (enum vdriver_layout)layout) >= 0);
			vdriver_kick(&w->drv, TX(0));
			CHECK_EQ(w->fake.sent_count, 2 * i + layout + 1);
			check_sent(w, 2 * i + layout, all + HDR_LEN, 600);
		}
	}
	CHECK_EQ(reap_all(w, TX(0)), 6);
}

/* As much as a chain can be cut: none of it is copied together. */
WITH_CARD(test_tx_many_segments_are_as_many_windows)
{
	struct vbuf bufs[VIRTQ_SIZE_MAX];
	static const struct virtio_net_hdr hdr;
	pattern(frame, 255 * 10, 3);
	bufs[0] = (struct vbuf){vdriver_put(&w->drv, &hdr, HDR_LEN), HDR_LEN, false};
	gpa_t at = vdriver_put(&w->drv, frame, 255 * 10);
	for (unsigned i = 0; i < 255; i++)
		bufs[i + 1] = (struct vbuf){at + i * 10, 10, false};
	CHECK(vdriver_add(&w->drv, TX(0), bufs, 256, VDRIVER_INDIRECT) >= 0);
	vdriver_kick(&w->drv, TX(0));
	CHECK_EQ(w->fake.sent_count, 1);
	CHECK_EQ(w->fake.sent[0]->windows, 255);
	check_sent(w, 0, frame, 255 * 10);
}

WITH_CARD(test_tx_longest_and_shortest_frame_pass)
{
	tx_add(w, 0, NULL, frame, NETIF_FRAME_MAX);
	tx_add(w, 0, NULL, frame, NETIF_FRAME_MIN);
	vdriver_kick(&w->drv, TX(0));
	CHECK_EQ(w->fake.sent_count, 2);
	CHECK_EQ(w->vd->bad_requests, 0);
}

WITH_CARD(test_tx_runts_and_giants_are_dropped_and_counted)
{
	tx_add(w, 0, NULL, frame, NETIF_FRAME_MIN - 1);
	tx_add(w, 0, NULL, frame, 1);
	tx_add(w, 0, NULL, frame, 0);
	tx_add(w, 0, NULL, frame, NETIF_FRAME_MAX + 1);
	struct vbuf bufs[] = {{BASE, HDR_LEN - 1, false}, {BASE, 2000, true}};
	vdriver_add(&w->drv, TX(0), bufs, 2, VDRIVER_DIRECT); /* not even a header */
	vdriver_add(&w->drv, TX(0), bufs + 1, 1, VDRIVER_DIRECT);
	vdriver_kick(&w->drv, TX(0));
	CHECK_EQ(w->fake.sent_count, 0);
	CHECK_EQ(w->vd->bad_requests, 6);
	CHECK_EQ(reap_all(w, TX(0)), 6);
	CHECK(!vdriver_is_broken(&w->drv));
}

/* A whole TCP segment of 3000 bytes over IPv4, to be cut. */
static struct virtio_net_hdr tso(void)
{
	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = 54,
		.gso_size = 1448,
		.csum_start = 34,
		.csum_offset = 16,
	};
}

/* Sends a frame of 3000 bytes after @hdr. Return: whether it came out. */
static bool passes(struct world *w, struct virtio_net_hdr hdr, struct virtio_net_hdr *ret_hdr)
{
	unsigned before = w->fake.sent_count;
	gpa_t brk = w->drv.brk;
	tx_add(w, 0, &hdr, frame, 3000);
	vdriver_kick(&w->drv, TX(0));
	w->drv.brk = brk;
	if (reap_all(w, TX(0)) != 1)
		abort();
	if (w->fake.sent_count == before)
		return false;
	*ret_hdr = w->fake.sent[before]->hdr;
	return true;
}

WITH_CARD(test_tx_negotiated_headers_pass)
{
	struct virtio_net_hdr h = tso(), got;
	CHECK(passes(w, h, &got));
	CHECK(memcmp(&h, &got, sizeof(h)) == 0);
	h.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	CHECK(passes(w, h, &got));
	CHECK_EQ(got.gso_type, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
	h.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	CHECK(passes(w, h, &got));
	h.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	CHECK(passes(w, h, &got));
	h.csum_start = 2990;
	h.csum_offset = 8; /* the last two bytes */
	CHECK(passes(w, h, &got));
	CHECK_EQ(w->vd->bad_requests, 0);
}

WITH_CARD(test_tx_meaningless_fields_do_not_reach_the_backend)
{
	struct virtio_net_hdr h, got, none = {0};
	memset(&h, 0xff, sizeof(h));
	h.flags = VIRTIO_NET_HDR_F_DATA_VALID | VIRTIO_NET_HDR_F_RSC_INFO | 0x80;
	h.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	CHECK(passes(w, h, &got));
	CHECK(memcmp(&got, &none, sizeof(got)) == 0);
	/* hdr_len is a hint (section 5.1.6.2.2): a wild one is no reason to lose the frame. */
	h = tso();
	h.hdr_len = 0xffff;
	h.num_buffers = 7;
	CHECK(passes(w, h, &got));
	CHECK_EQ(got.hdr_len, 3000);
	CHECK_EQ(got.num_buffers, 0);
}

WITH_CARD(test_tx_hostile_headers_are_dropped_and_counted)
{
	struct virtio_net_hdr bad[10], got;
	for (unsigned i = 0; i < 10; i++)
		bad[i] = tso();
	bad[0].gso_size = 0;
	bad[1].flags = 0;
	bad[2].gso_type = VIRTIO_NET_HDR_GSO_UDP; /* UFO is never offered */
	bad[3].gso_type = 0x7f;
	bad[4].gso_type = VIRTIO_NET_HDR_GSO_UDP_L4 | VIRTIO_NET_HDR_GSO_ECN;
	bad[5].csum_start = 2999;
	bad[6].csum_offset = 0xffff;
	bad[7].csum_start = bad[7].csum_offset = 0xffff;
	bad[8].csum_start = 2990, bad[8].csum_offset = 9;
	bad[9].gso_type = 2;
	for (unsigned i = 0; i < 10; i++)
		CHECK(!passes(w, bad[i], &got));
	CHECK_EQ(w->vd->bad_requests, 10);
	CHECK(passes(w, tso(), &got));
}

WITH_CARD_OF(test_tx_what_was_not_negotiated_is_dropped, OFFLOADS, 1,
	     ~(F(HOST_TSO6) | F(HOST_ECN) | F(HOST_USO)), .mtu = 0)
{
	struct virtio_net_hdr h = tso(), got;
	CHECK(passes(w, h, &got));
	h.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	CHECK(!passes(w, h, &got));
	h.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
	CHECK(!passes(w, h, &got));
	h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN;
	CHECK(!passes(w, h, &got));
}

/* Section 5.1.3.1: HOST_TSO4 requires CSUM. A driver that has the one alone has neither. */
WITH_CARD_OF(test_tx_feature_without_its_requirement_counts_as_not_negotiated, OFFLOADS, 1,
	     ~F(CSUM), .mtu = 0)
{
	struct virtio_net_hdr h = tso(), got;
	CHECK(w->drv.features & F(HOST_TSO4));
	CHECK(!passes(w, h, &got));
	h.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	CHECK(!passes(w, h, &got));
	h.flags = 0;
	CHECK(passes(w, h, &got));
}

WITH_CARD(test_tx_refused_frame_waits_for_the_backend)
{
	w->fake.send_room = 2;
	for (unsigned i = 0; i < 5; i++) {
		pattern(frame, 100, i);
		tx_add(w, 0, NULL, frame, 100);
	}
	vdriver_kick(&w->drv, TX(0));
	CHECK_EQ(w->fake.sent_count, 2);
	CHECK_EQ(reap_all(w, TX(0)), 2);
	CHECK_EQ(w->drv.queue_irqs[TX(0)], 1); /* for those that went */
	/* No doorbell is wanted, and one that comes all the same changes nothing. */
	tx_add(w, 0, NULL, frame, 100);
	CHECK(!vdriver_kick(&w->drv, TX(0)));
	vdriver_kick_always(&w->drv, TX(0));
	CHECK_EQ(w->fake.refusals, 1);
	fake_netif_unblock(&w->fake, 1);
	CHECK_EQ(w->fake.sent_count, 3);
	CHECK_EQ(w->fake.refusals, 2);
	fake_netif_unblock(&w->fake, UINT_MAX);
	CHECK_EQ(w->fake.sent_count, 6);
	CHECK_EQ(reap_all(w, TX(0)), 4);
	for (unsigned i = 0; i < 5; i++) {
		pattern(frame, 100, i);
		check_sent(w, i, frame, 100);
	}
	tx_add(w, 0, NULL, frame, 100);
	CHECK(vdriver_kick(&w->drv, TX(0)));
	CHECK_EQ(w->fake.sent_count, 7);
}

WITH_CARD(test_tx_batch_is_one_interrupt_and_one_doorbell)
{
	for (unsigned i = 0; i < 20; i++)
		tx_add(w, 0, NULL, frame, 60);
	CHECK(vdriver_kick(&w->drv, TX(0)));
	CHECK_EQ(w->fake.sent_count, 20);
	CHECK_EQ(w->drv.queue_irqs[TX(0)], 1);
}

static void add_another(struct fake_netif *fake)
{
	struct world *w = fake->on_ctx;
	gpa_t brk = w->drv.brk;
	reap_all(w, TX(0));
	tx_add(w, 0, NULL, frame, 60);
	w->drv.brk = brk;
}

static void check_endless_transmission(uint64_t features)
{
	static struct world w;
	memset(&w, 0, sizeof(w));
	world_init(&w, OFFLOADS, 2, features);
	w.fake.on_send = add_another;
	w.fake.on_ctx = &w;
	tx_add(&w, 0, NULL, frame, 60);
	vdriver_kick_always(&w.drv, TX(0));
	unsigned first = w.fake.sent_count;
	w.fake.on_send = NULL;
	if (first < 10 || first > 1000)
		test_failed(__FILE__, __LINE__, "%u frames in one turn", first);
	if (w.drv.self_rings[TX(0)] != 1)
		test_failed(__FILE__, __LINE__, "the rest will never be looked at");
	if (vdriver_kick(&w.drv, TX(0)))
		test_failed(__FILE__, __LINE__, "a doorbell is wanted for what waits anyway");
	vdriver_kick_always(&w.drv, TX(0)); /* the self-made ring arrives */
	if (w.fake.sent_count != first + 1)
		test_failed(__FILE__, __LINE__, "the rest was not sent");
	world_fini(&w);
}

static void test_tx_endless_transmission_takes_turns(void)
{
	check_endless_transmission(ALL);
	check_endless_transmission(~(1ULL << VIRTIO_F_EVENT_IDX));
}

static bool poll(struct world *w, unsigned q, bool is_last)
{
	device_lock(virtio_to_device(w->vd));
	bool is_work = virtio_device_poll(w->vd, q, is_last);
	device_unlock(virtio_to_device(w->vd));
	return is_work;
}

static void check_poll(uint64_t features)
{
	static struct world w;
	memset(&w, 0, sizeof(w));
	world_init(&w, OFFLOADS, 1, features);
	if (!virtio_device_can_poll(w.vd) || poll(&w, TX(0), false))
		test_failed(__FILE__, __LINE__, "an idle card has work");
	tx_add(&w, 0, NULL, frame, 60);
	vdriver_kick_always(&w.drv, TX(0));
	tx_add(&w, 0, NULL, frame, 60);
	w.drv.queue[TX(0)].kicked_idx++; /* its doorbell is on the way */
	if (!poll(&w, TX(0), false) || w.fake.sent_count != 2)
		test_failed(__FILE__, __LINE__, "a poll does not send");
	tx_add(&w, 0, NULL, frame, 60);
	if (vdriver_kick(&w.drv, TX(0)))
		test_failed(__FILE__, __LINE__, "a doorbell is wanted by who polls");
	if (!poll(&w, TX(0), true) || w.fake.sent_count != 3)
		test_failed(__FILE__, __LINE__, "the last poll does not send");
	tx_add(&w, 0, NULL, frame, 60);
	if (!vdriver_kick(&w.drv, TX(0)) || w.fake.sent_count != 4)
		test_failed(__FILE__, __LINE__, "no doorbell is wanted after the last poll");
	/* While the backend has no room, there is nothing to be done. */
	w.fake.send_room = 0;
	tx_add(&w, 0, NULL, frame, 60);
	if (!poll(&w, TX(0), false) || poll(&w, TX(0), false) || poll(&w, TX(0), true))
		test_failed(__FILE__, __LINE__, "a refused frame is polled for");
	fake_netif_unblock(&w.fake, UINT_MAX);
	tx_add(&w, 0, NULL, frame, 60);
	if (!vdriver_kick(&w.drv, TX(0)) || w.fake.sent_count != 6)
		test_failed(__FILE__, __LINE__, "no doorbell is wanted after the backend's call");
	world_fini(&w);
}

static void test_tx_poll_needs_no_doorbells(void)
{
	check_poll(ALL);
	check_poll(~(1ULL << VIRTIO_F_EVENT_IDX));
}

/* Without a turn's end a poll answers the doorbells of the other queues too. */
WITH_CARD(test_tx_poll_of_other_queues_serves_their_doorbells)
{
	uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	fake_netif_push(&w->fake, 0, NULL, frame, 60);
	fake_netif_run(&w->fake);
	CHECK_EQ(fake_netif_waiting(&w->fake, 0), 1);
	rx_add(w, 0, 2048);
	CHECK(!poll(w, RX(0), true));
	fake_netif_run(&w->fake);
	CHECK_EQ(fake_netif_waiting(&w->fake, 0), 0);

	uint8_t out[8] = {VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET}, ack = 0xee;
	memcpy(out + 2, mac, 6);
	struct vbuf bufs[] = {{vdriver_put(&w->drv, out, 8), 8, false},
			      {vdriver_put(&w->drv, &ack, 1), 1, true}};
	CHECK(vdriver_add(&w->drv, 4, bufs, 2, VDRIVER_DIRECT) >= 0);
	CHECK(!poll(w, 4, true));
	CHECK_EQ(reap_all(w, 4), 1);
	CHECK(memcmp(config_of(w).mac, mac, 6) == 0);
}

WITH_CARD(test_tx_broken_ring_stops_the_card)
{
	vdriver_set_avail_idx(&w->drv, TX(0), 1000);
	vdriver_kick_always(&w->drv, TX(0));
	CHECK(vdriver_is_broken(&w->drv));
	CHECK(!w->fake.is_wanted[0]);
	CHECK_EQ(w->fake.offloads, 0);
	vdriver_reset(&w->drv);
	CHECK(vdriver_start(&w->drv, ALL));
	tx_add(w, 0, NULL, frame, 60);
	vdriver_kick(&w->drv, TX(0));
	CHECK_EQ(w->fake.sent_count, 1);
}

/* The frame is on its way, and cannot be said to be. */
WITH_CARD(test_tx_used_ring_outside_of_ram_stops_the_card)
{
	w->vd->queue[TX(0)].used = MEMORY_SIZE;
	tx_add(w, 0, NULL, frame, 60);
	tx_add(w, 0, NULL, frame, 60);
	vdriver_kick_always(&w->drv, TX(0));
	CHECK(vdriver_is_broken(&w->drv));
	CHECK(w->fake.sent_count <= 1);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_tx_frame_reaches_the_backend_without_its_header),
		TEST_CASE(test_tx_any_framing),
		TEST_CASE(test_tx_many_segments_are_as_many_windows),
		TEST_CASE(test_tx_longest_and_shortest_frame_pass),
		TEST_CASE(test_tx_runts_and_giants_are_dropped_and_counted),
		TEST_CASE(test_tx_negotiated_headers_pass),
		TEST_CASE(test_tx_meaningless_fields_do_not_reach_the_backend),
		TEST_CASE(test_tx_hostile_headers_are_dropped_and_counted),
		TEST_CASE(test_tx_what_was_not_negotiated_is_dropped),
		TEST_CASE(test_tx_feature_without_its_requirement_counts_as_not_negotiated),
		TEST_CASE(test_tx_refused_frame_waits_for_the_backend),
		TEST_CASE(test_tx_batch_is_one_interrupt_and_one_doorbell),
		TEST_CASE(test_tx_endless_transmission_takes_turns),
		TEST_CASE(test_tx_poll_needs_no_doorbells),
		TEST_CASE(test_tx_poll_of_other_queues_serves_their_doorbells),
		TEST_CASE(test_tx_broken_ring_stops_the_card),
		TEST_CASE(test_tx_used_ring_outside_of_ram_stops_the_card),
	};
	return TEST_RUN(cases);
}
