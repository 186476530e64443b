/* The network card's reception: where frames end up, and who waits when they cannot. */
#include "test_net.h"

#include "device_bytes.h"
#include "net_device.h"

static uint8_t frame[70000], got[70000];

/* A frame taken from the used ring as a driver does. */
struct received {
	struct virtio_net_hdr hdr;
	size_t len;	  /* of the frame, which is in got[] */
	unsigned buffers; /* used */
};

/* Each buffer is one descriptor. Return: false when there is no frame. */
static bool rx_take(struct world *w, unsigned pair, struct received *r)
{
	static uint8_t all[sizeof(got) + HDR_LEN];
	size_t len = 0;
	uint16_t head;
	uint32_t used;

	r->buffers = 0;
	do {
		struct virtq_desc d;
		if (!vdriver_reap(&w->drv, RX(pair), &head, &used)) {
			if (r->buffers)
				test_failed(__FILE__, __LINE__, "a buffer of a frame is missing");
			return false;
		}
		if (gmem_read(w->gm, w->drv.queue[RX(pair)].desc + 16 * head, &d, sizeof(d)) != 0 ||
		    used > d.len || len + used > sizeof(all) ||
		    gmem_read(w->gm, d.addr, all + len, used) != 0) {
			test_failed(__FILE__, __LINE__, "a used element that cannot be");
			return false;
		}
		if (r->buffers == 0)
			memcpy(&r->hdr, all, HDR_LEN);
		r->buffers++;
		if (r->buffers < r->hdr.num_buffers && used != d.len)
			test_failed(__FILE__, __LINE__, "a buffer but the last is not full");
		len += used;
	} while (r->buffers < r->hdr.num_buffers);
	r->len = len - HDR_LEN;
	memcpy(got, all + HDR_LEN, r->len);
	return true;
}

/* The next frame at the driver is pattern @seed of @len bytes. */
static bool is_next(struct world *w, size_t len, unsigned seed)
{
	struct received r;
	if (!rx_take(w, 0, &r) || r.len != len)
		return false;
	pattern(frame, len, seed);
	return memcmp(frame, got, len) == 0;
}

static void arrive(struct world *w, size_t len, unsigned seed)
{
	pattern(frame, len, seed);
	fake_netif_push(&w->fake, 0, NULL, frame, len);
	fake_netif_run(&w->fake);
}

WITH_CARD(test_rx_frame_follows_its_header)
{
	struct received r;
	rx_add_many(w, 0, 2048, 60);
	vdriver_kick(&w->drv, RX(0));
	arrive(w, 1514, 1);
	CHECK(rx_take(w, 0, &r));
	CHECK_EQ(r.len, 1514);
	CHECK(memcmp(frame, got, 1514) == 0);
	CHECK_EQ(r.hdr.num_buffers, 1);
	CHECK_EQ(r.hdr.flags, 0);
	CHECK_EQ(r.hdr.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	CHECK_EQ(w->drv.queue_irqs[RX(0)], 1);
	CHECK(!rx_take(w, 0, &r));
}

WITH_CARD(test_rx_batch_is_one_interrupt)
{
	rx_add_many(w, 0, 2048, 60);
	for (unsigned i = 0; i < 30; i++)
		fake_netif_push(&w->fake, 0, NULL, frame, 60);
	fake_netif_run(&w->fake);
	CHECK_EQ(w->drv.queue_irqs[RX(0)], 1);
	CHECK_EQ(reap_all(w, RX(0)), 30);
}

WITH_CARD(test_rx_long_frame_is_spread_over_buffers)
{
	struct received r;
	rx_add_many(w, 0, 1500, 60);
	arrive(w, 65535, 3);
	CHECK(rx_take(w, 0, &r));
	CHECK_EQ(r.hdr.num_buffers, 44);
	CHECK_EQ(r.len, 65535);
	CHECK(memcmp(frame, got, r.len) == 0);
	/* Exactly full, and one byte more. */
	rx_add_many(w, 0, 1500, 44);
	arrive(w, 2 * 1500 - HDR_LEN, 4);
	CHECK(rx_take(w, 0, &r));
	CHECK_EQ(r.buffers, 2);
	arrive(w, 2 * 1500 - HDR_LEN + 1, 5);
	CHECK(rx_take(w, 0, &r));
	CHECK_EQ(r.buffers, 3);
	CHECK(memcmp(frame, got, r.len) == 0);
}

/* What a short frame leaves over holds the next one, in the driver's order. */
WITH_CARD(test_rx_buffers_left_over_hold_the_next_frame)
{
	for (unsigned i = 0; i < 50; i++) {
		rx_add(w, 0, 2000);
		vdriver_kick(&w->drv, RX(0));
		if (i % 3 == 0)
			arrive(w, 60 + i, i);
	}
	for (unsigned i = 0; i < 50; i += 3)
		CHECK(is_next(w, 60 + i, i));
	CHECK_EQ(vdriver_get_used_idx(&w->drv, RX(0)), 17);
}

/* Section 2.6.4: header and frame lie where the chain's bytes are, however they are cut. */
WITH_CARD(test_rx_any_framing)
{
	for (unsigned layout = VDRIVER_DIRECT; layout <= VDRIVER_INDIRECT; layout++) {
		uint8_t all[HDR_LEN + 200];
		struct virtio_net_hdr hdr;
		gpa_t at = vdriver_alloc(&w->drv, 512, 16);
		struct vbuf cut[] = {{at, 100, false}, /* of no use to a frame */
				     {at, 5, true},
				     {at + 5, 1, true},
				     {at + 6, 7, true},
				     {at + 13, 300, true}};
		CHECK(vdriver_add(&w->drv, RX(0), cut, 5, (enum vdriver_layout)layout) >= 0);
		vdriver_kick(&w->drv, RX(0));
		arrive(w, 200, layout);
		uint32_t used;
		CHECK(vdriver_reap(&w->drv, RX(0), NULL, &used));
		CHECK_EQ(used, HDR_LEN + 200);
		CHECK_EQ(gmem_read(w->gm, at, all, sizeof(all)), 0);
		memcpy(&hdr, all, HDR_LEN);
		CHECK_EQ(hdr.num_buffers, 1);
		CHECK(memcmp(all + HDR_LEN, frame, 200) == 0);
	}
}

/* A first buffer that ends with the header: the frame begins in the next one. */
WITH_CARD(test_rx_buffer_for_the_header_alone)
{
	struct received r;
	rx_add(w, 0, HDR_LEN);
	rx_add(w, 0, 1000);
	arrive(w, 500, 1);
	CHECK(rx_take(w, 0, &r));
	CHECK_EQ(r.buffers, 2);
	CHECK_EQ(r.len, 500);
	CHECK(memcmp(frame, got, 500) == 0);
}

/* Chains of as many segments as there can be, one after the other. */
WITH_CARD(test_rx_chains_of_many_segments)
{
	uint8_t all[HDR_LEN + 2000];
	for (unsigned round = 0; round < 8; round++) {
		gpa_t at = vdriver_alloc(&w->drv, 2560, 16);
		struct vbuf bufs[VIRTQ_SIZE_MAX];
		for (unsigned i = 0; i < 256; i++)
			bufs[i] = (struct vbuf){at + 10 * i, 10, true};
		CHECK(vdriver_add(&w->drv, RX(0), bufs, round % 2 ? 256 : 230, VDRIVER_INDIRECT) >=
		      0);
		rx_add(w, 0, 50); /* does not fit in hand beside it */
		vdriver_kick(&w->drv, RX(0));
		arrive(w, 2000, round);
		CHECK_EQ(gmem_read(w->gm, at, all, sizeof(all)), 0);
		CHECK(memcmp(all + HDR_LEN, frame, 2000) == 0);
		arrive(w, 30, round);
		CHECK_EQ(reap_all(w, RX(0)), 2);
	}
	CHECK(w->fake.longest_iov <= NET_SEGS_MAX + 1);
}

/* The driver refills at once, so that there is always something in hand. */
WITH_CARD(test_rx_buffers_go_round)
{
	struct received r;
	gpa_t brk = w->drv.brk;
	rx_add_many(w, 0, 700, 150);
	for (unsigned i = 0; i < 1500; i++) {
		size_t len = 60 + i * 37 % 3000;
		arrive(w, len, i);
		CHECK(rx_take(w, 0, &r));
		CHECK_EQ(r.len, len);
		CHECK(memcmp(frame, got, len) == 0);
		if (i % 200 == 0) /* long out of use */
			w->drv.brk = i % 400 ? brk : brk + (2u << 20);
		rx_add_many(w, 0, 700, r.buffers);
	}
	CHECK_EQ(w->drv.queue[RX(0)].free_count, 256 - 150);
}

static void check_waiting(uint64_t features)
{
	static struct world w;
	memset(&w, 0, sizeof(w));
	world_init(&w, OFFLOADS, 1, features);
	if (!w.fake.is_wanted[0])
		test_failed(__FILE__, __LINE__, "frames are not wanted by a driver that runs");
	fake_netif_push(&w.fake, 0, NULL, frame, 60);
	fake_netif_push(&w.fake, 0, NULL, frame, 60);
	fake_netif_run(&w.fake);
	if (w.fake.is_wanted[0] || fake_netif_waiting(&w.fake, 0) != 2)
		test_failed(__FILE__, __LINE__, "a frame is taken without a buffer");
	rx_add(&w, 0, 1600);
	if (!vdriver_kick(&w.drv, RX(0)) || !w.fake.is_wanted[0])
		test_failed(__FILE__, __LINE__, "the doorbell was not asked for, or is deaf");
	fake_netif_run(&w.fake);
	if (reap_all(&w, RX(0)) != 1 || w.fake.is_wanted[0])
		test_failed(__FILE__, __LINE__, "one buffer is not one frame");
	rx_add_many(&w, 0, 1600, 10);
	vdriver_kick(&w.drv, RX(0));
	fake_netif_run(&w.fake);
	rx_add(&w, 0, 1600);
	if (vdriver_kick(&w.drv, RX(0)))
		test_failed(__FILE__, __LINE__, "a doorbell is wanted that nobody waits for");
	if (reap_all(&w, RX(0)) != 1 || w.fake.nif.dropped)
		test_failed(__FILE__, __LINE__, "a frame was lost");
	world_fini(&w);
}

static void test_rx_without_buffers_the_network_waits(void)
{
	check_waiting(ALL);
	check_waiting(~(1ULL << VIRTIO_F_EVENT_IDX));
}

/* Buffers that come while the last ones are being filled need no doorbell. */
static void add_buffer(struct fake_netif *fake)
{
	struct world *w = fake->on_ctx;
	rx_add(w, 0, 1600);
}

WITH_CARD(test_rx_buffers_that_come_meanwhile_are_found)
{
	rx_add(w, 0, 1600);
	for (unsigned i = 0; i < 10; i++)
		fake_netif_push(&w->fake, 0, NULL, frame, 1000);
	w->fake.on_receive = add_buffer;
	w->fake.on_ctx = w;
	fake_netif_run(&w->fake);
	CHECK_EQ(reap_all(w, RX(0)), 10);
	CHECK(w->fake.is_wanted[0]);
}

WITH_CARD(test_rx_endless_frames_take_turns)
{
	rx_add_many(w, 0, 500, 200);
	for (unsigned i = 0; i < 200; i++)
		fake_netif_push(&w->fake, 0, NULL, frame, 60);
	device_lock(virtio_to_device(w->vd));
	w->fake.client->readable(w->fake.ctx, 0);
	device_unlock(virtio_to_device(w->vd));
	CHECK_EQ(reap_all(w, RX(0)), NET_TURN);
	CHECK(w->fake.is_wanted[0]);
	fake_netif_run(&w->fake);
	CHECK_EQ(reap_all(w, RX(0)), 200 - NET_TURN);
}

/* 20 buffers posted once, 15 of them used up; the driver has its reasons not to refill yet. */
static void use_up_most(struct world *w)
{
	rx_add_many(w, 0, 1500, 20);
	for (unsigned i = 0; i < 15; i++)
		arrive(w, 60, i);
	if (reap_all(w, RX(0)) != 15)
		abort();
}

static uint64_t rx_dropped(const struct world *w)
{
	return ((struct virtio_net *)w->vd)->rx_dropped;
}

WITH_CARD(test_rx_frame_that_lacks_buffers_is_parked_until_the_driver_refills)
{
	use_up_most(w);
	arrive(w, 9000, 77); /* takes 7 buffers, 5 are there */
	CHECK_EQ(fake_netif_waiting(&w->fake, 0), 0);
	CHECK(!w->fake.is_wanted[0]);
	arrive(w, 61, 78);
	CHECK_EQ(fake_netif_waiting(&w->fake, 0), 1);
	rx_add(w, 0, 1500);
	CHECK(vdriver_kick(&w->drv, RX(0)));
	CHECK(!vdriver_reap(&w->drv, RX(0), NULL, NULL));
	unsigned irqs = w->drv.queue_irqs[RX(0)];
	rx_add(w, 0, 1500);
	CHECK(vdriver_kick(&w->drv, RX(0)));
	CHECK_EQ(w->drv.queue_irqs[RX(0)], irqs + 1);
	CHECK(is_next(w, 9000, 77));
	rx_add(w, 0, 1500);
	CHECK(vdriver_kick(&w->drv, RX(0)));
	fake_netif_run(&w->fake);
	CHECK(is_next(w, 61, 78));
	CHECK_EQ(rx_dropped(w), 0);
}

/* The whole of it in the spill, too: one buffer that holds the header alone. */
WITH_CARD(test_rx_frame_parked_whole)
{
	use_up_most(w);
	for (unsigned i = 0; i < 4; i++)
		arrive(w, 60, i);
	CHECK_EQ(reap_all(w, RX(0)), 4);
	rx_add(w, 0, HDR_LEN);
	arrive(w, 60, 5); /* the last of 1500 */
	CHECK(is_next(w, 60, 5));
	arrive(w, 65535, 6);
	CHECK_EQ(rx_dropped(w), 0);
	CHECK(!w->fake.is_wanted[0]);
	rx_add_many(w, 0, 9000, 8);
	CHECK(vdriver_kick(&w->drv, RX(0)));
	CHECK(is_next(w, 65535, 6));
}

WITH_CARD(test_rx_frame_beyond_all_that_the_driver_posts_is_dropped)
{
	rx_add_many(w, 0, 1500, 3);
	arrive(w, 9000, 1);
	CHECK_EQ(rx_dropped(w), 1);
	arrive(w, 2000, 2); /* the buffers are as they were */
	CHECK(is_next(w, 2000, 2));
	CHECK_EQ(rx_dropped(w), 1);
}

/* It refills, but only when half is used up, and never has enough: no deadlock. */
WITH_CARD(test_rx_driver_with_half_its_buffers_posted_gets_no_more_time)
{
	use_up_most(w);
	arrive(w, 30000, 1);
	CHECK_EQ(rx_dropped(w), 0); /* 5 of 20: more will come */
	rx_add_many(w, 0, 1500, 4);
	CHECK(vdriver_kick(&w->drv, RX(0)));
	CHECK_EQ(rx_dropped(w), 0);
	rx_add(w, 0, 1500);
	CHECK(vdriver_kick(&w->drv, RX(0)));
	CHECK_EQ(rx_dropped(w), 1);
	arrive(w, 60, 2);
	CHECK(is_next(w, 60, 2));
}

static void test_rx_frame_longer_than_a_full_queue_is_dropped(void)
{
	static struct world w;
	memset(&w, 0, sizeof(w));
	world_create(&w, OFFLOADS, 1);
	w.drv.queue_size = 16;
	CHECK(vdriver_start(&w.drv, ALL));
	rx_add_many(&w, 0, 100, 16);
	arrive(&w, 3000, 1);
	CHECK_EQ(rx_dropped(&w), 1);
	for (unsigned i = 0; i < 5; i++) {
		arrive(&w, 1600 - HDR_LEN, i);
		CHECK(is_next(&w, 1600 - HDR_LEN, i));
		rx_add_many(&w, 0, 100, 16);
		vdriver_kick(&w.drv, RX(0));
	}
	world_fini(&w);
}

WITH_CARD(test_rx_quiesce_loses_a_parked_frame_alone)
{
	use_up_most(w);
	arrive(w, 9000, 1);
	quiesce(w);
	CHECK_EQ(rx_dropped(w), 1);
	CHECK_EQ(w->vd->queue[RX(0)].avail_idx, 15); /* back on the ring */
	CHECK(!w->fake.is_wanted[0]);
	resume(w);
	CHECK(w->fake.is_wanted[0]);
	arrive(w, 4000, 2);
	CHECK(is_next(w, 4000, 2));
	CHECK_EQ(vdriver_get_used_idx(&w->drv, RX(0)), 18);
}

WITH_CARD_OF(test_rx_without_mrg_rxbuf_a_frame_gets_one_buffer, OFFLOADS, 1, ~F(MRG_RXBUF),
	     .mtu = 0)
{
	struct received r;
	rx_add_many(w, 0, 1600, 3);
	arrive(w, 1600 - HDR_LEN, 1);
	CHECK(rx_take(w, 0, &r));
	CHECK_EQ(r.hdr.num_buffers, 1);
	CHECK(memcmp(frame, got, r.len) == 0);
	arrive(w, 1600 - HDR_LEN + 1, 2);
	CHECK_EQ(rx_dropped(w), 1);
	CHECK(w->fake.is_wanted[0]);
	arrive(w, 60, 3);
	arrive(w, 61, 4);
	CHECK(is_next(w, 60, 3));
	CHECK(is_next(w, 61, 4));
	rx_add(w, 0, HDR_LEN + NETIF_FRAME_MAX);
	CHECK(vdriver_kick(&w->drv, RX(0)));
	arrive(w, NETIF_FRAME_MAX, 5);
	CHECK(is_next(w, NETIF_FRAME_MAX, 5));
}

WITH_CARD(test_rx_buffer_too_small_for_a_header_stops_the_card)
{
	rx_add(w, 0, 1500);
	rx_add(w, 0, HDR_LEN - 1);
	arrive(w, 60, 1);
	CHECK(vdriver_is_broken(&w->drv));
	CHECK(!w->fake.is_wanted[0]);
}

WITH_CARD_OF(test_rx_buffer_too_small_for_a_frame_stops_the_card, OFFLOADS, 1, ~F(MRG_RXBUF),
	     .mtu = 0)
{
	rx_add(w, 0, HDR_LEN + NETIF_FRAME_MIN);
	arrive(w, NETIF_FRAME_MIN, 1);
	CHECK(is_next(w, NETIF_FRAME_MIN, 1));
	rx_add(w, 0, HDR_LEN + NETIF_FRAME_MIN - 1);
	vdriver_kick_always(&w->drv, RX(0));
	CHECK(vdriver_is_broken(&w->drv));
}

WITH_CARD(test_rx_readable_chain_is_no_buffer)
{
	struct vbuf buf = {BASE, 2000, false};
	vdriver_add(&w->drv, RX(0), &buf, 1, VDRIVER_DIRECT);
	arrive(w, 60, 1);
	CHECK(vdriver_is_broken(&w->drv));
}

static struct virtio_net_hdr segment_of(uint8_t gso_type)
{
	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_RSC_INFO,
		.gso_type = gso_type,
		.hdr_len = 54,
		.gso_size = 1448,
		.csum_start = 34,
		.csum_offset = 16,
		.num_buffers = 99,
	};
}

/* Does a frame with header @hdr reach the driver? */
static bool reaches(struct world *w, struct virtio_net_hdr hdr, struct virtio_net_hdr *ret_hdr)
{
	struct received r;
	rx_add_many(w, 0, 1500, 3);
	vdriver_kick(&w->drv, RX(0));
	fake_netif_push(&w->fake, 0, &hdr, frame, 3000);
	fake_netif_run(&w->fake);
	if (!rx_take(w, 0, &r))
		return false;
	*ret_hdr = r.hdr;
	return true;
}

WITH_CARD(test_rx_offloads_of_the_backend_reach_the_driver)
{
	struct virtio_net_hdr got_hdr;
	const uint8_t types[] = {VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_TCPV4,
				 VIRTIO_NET_HDR_GSO_TCPV6 | VIRTIO_NET_HDR_GSO_ECN,
				 VIRTIO_NET_HDR_GSO_UDP_L4};
	CHECK_EQ(w->fake.offloads, OFFLOADS);
	for (unsigned i = 0; i < 4; i++) {
		struct virtio_net_hdr want = segment_of(types[i]);
		CHECK(reaches(w, want, &got_hdr));
		want.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		want.num_buffers = 3;
		CHECK(memcmp(&want, &got_hdr, HDR_LEN) == 0);
	}
	struct virtio_net_hdr valid = {.flags = VIRTIO_NET_HDR_F_DATA_VALID};
	CHECK(reaches(w, valid, &got_hdr));
	CHECK_EQ(got_hdr.flags, VIRTIO_NET_HDR_F_DATA_VALID);
	CHECK(!reaches(w, segment_of(VIRTIO_NET_HDR_GSO_UDP), &got_hdr));
	CHECK_EQ(rx_dropped(w), 1);
}

/* Frames on their way when the driver changed: of what it does not take it gets nothing. */
WITH_CARD_OF(test_rx_what_the_driver_does_not_take_is_dropped, OFFLOADS, 1,
	     ~(F(GUEST_CSUM) | F(GUEST_USO4)), .mtu = 0)
{
	struct virtio_net_hdr got_hdr, valid = {.flags = VIRTIO_NET_HDR_F_DATA_VALID};
	CHECK_EQ(w->fake.offloads, 0);
	CHECK(!reaches(w, segment_of(VIRTIO_NET_HDR_GSO_NONE), &got_hdr));
	CHECK(!reaches(w, segment_of(VIRTIO_NET_HDR_GSO_TCPV4), &got_hdr));
	CHECK(!reaches(w, segment_of(VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN), &got_hdr));
	CHECK_EQ(rx_dropped(w), 3);
	CHECK(reaches(w, valid, &got_hdr));
	CHECK_EQ(got_hdr.flags, 0);
}

static void test_rx_checked_frames_are_marked_valid(void)
{
	static struct world w;
	struct virtio_net_hdr got_hdr, none = {0};
	memset(&w, 0, sizeof(w));
	world_create(&w, 0, 1);
	device_destroy(virtio_to_device(w.vd));
	w.fake.nif.is_checked = true;
	CHECK_EQ(virtio_net_create(&w.vd, "net0", w.gm, &w.fake.nif, &w.opt), 0);
	CHECK_EQ(virtio_net_attach(w.vd, NULL), 0);
	vdriver_init(&w.drv, w.vd, w.gm, BASE);
	CHECK(vdriver_start(&w.drv, ALL));
	CHECK(w.drv.features & F(GUEST_CSUM));
	CHECK(!(w.drv.features & (F(CSUM) | F(GUEST_TSO4) | F(HOST_TSO4))));
	CHECK(reaches(&w, none, &got_hdr));
	CHECK_EQ(got_hdr.flags, VIRTIO_NET_HDR_F_DATA_VALID);
	CHECK(vdriver_start(&w.drv, ~F(GUEST_CSUM)));
	CHECK(reaches(&w, none, &got_hdr));
	CHECK_EQ(got_hdr.flags, 0);
	world_fini(&w);
}

/* Section 5.1.4.1: a whole frame is never longer than the mtu; a segment may be. */
WITH_CARD_OF(test_rx_frame_beyond_the_mtu_is_dropped, OFFLOADS, 1, ALL, .mtu = 1500)
{
	struct virtio_net_hdr got_hdr;
	rx_add_many(w, 0, 1600, 3);
	arrive(w, 1518, 1); /* with a VLAN tag */
	CHECK(is_next(w, 1518, 1));
	arrive(w, 1519, 2);
	CHECK_EQ(rx_dropped(w), 1);
	CHECK(reaches(w, segment_of(VIRTIO_NET_HDR_GSO_TCPV4), &got_hdr));
}

/* With an mtu and no segments to come, no more is taken from the queue than a frame needs. */
WITH_CARD_OF(test_rx_mtu_bounds_what_is_taken, NETIF_CSUM, 1, ALL, .mtu = 1500)
{
	rx_add_many(w, 0, 1000, 60);
	vdriver_kick(&w->drv, RX(0));
	arrive(w, 60, 1);
	CHECK_EQ(w->vd->queue[RX(0)].avail_idx, 3); /* one used, two wait */
	arrive(w, 1500, 2);
	CHECK(is_next(w, 60, 1));
	CHECK(is_next(w, 1500, 2));
}

WITH_CARD(test_rx_frames_wait_for_a_driver)
{
	vdriver_reset(&w->drv);
	CHECK(!w->fake.is_wanted[0]);
	CHECK_EQ(w->fake.offloads, 0);
	arrive(w, 60, 1);
	CHECK_EQ(fake_netif_waiting(&w->fake, 0), 1);
	CHECK(vdriver_start(&w->drv, ALL));
	rx_add(w, 0, 1500);
	fake_netif_run(&w->fake);
	CHECK(is_next(w, 60, 1));
}

WITH_CARD(test_rx_reset_forgets_the_buffers_in_hand)
{
	use_up_most(w);
	arrive(w, 9000, 1);
	vdriver_reset(&w->drv);
	CHECK(vdriver_start(&w->drv, ALL));
	arrive(w, 9000, 2);
	CHECK_EQ(fake_netif_waiting(&w->fake, 0), 1);
	rx_add_many(w, 0, 3000, 6);
	CHECK(vdriver_kick(&w->drv, RX(0)));
	fake_netif_run(&w->fake);
	CHECK(is_next(w, 9000, 2));
}

/* The buffers are in hand when the queue goes: not a byte is written to them any more. */
WITH_CARD(test_rx_disabled_queue_receives_nothing)
{
	rx_add_many(w, 0, 1500, 3);
	arrive(w, 60, 1);
	CHECK(is_next(w, 60, 1));
	device_lock(virtio_to_device(w->vd));
	virtq_disable(&w->vd->queue[RX(0)]);
	device_unlock(virtio_to_device(w->vd));
	arrive(w, 60, 2);
	CHECK_EQ(fake_netif_waiting(&w->fake, 0), 1);
	quiesce(w);
	CHECK_EQ(w->vd->queue[RX(0)].avail_idx, 0);
	resume(w);
}

/* Whatever state a broken ring leaves, it can be saved and loaded. */
WITH_CARD(test_rx_used_ring_outside_of_ram_stops_the_card)
{
	size_t len;
	rx_add_many(w, 0, 1500, 5);
	w->vd->queue[RX(0)].used = MEMORY_SIZE;
	arrive(w, 3000, 1);
	CHECK(vdriver_is_broken(&w->drv));
	quiesce(w);
	uint8_t *state = device_bytes_save(virtio_to_device(w->vd), &len);
	CHECK_EQ(device_bytes_load(virtio_to_device(w->vd), state, len), 0);
	free(state);
	resume(w);
}

/* Only the index of the used ring lies outside: the elements were written. */
WITH_CARD(test_rx_used_index_outside_of_ram_stops_the_card)
{
	size_t len;
	rx_add_many(w, 0, 1500, 5);
	w->vd->queue[RX(0)].used = (gpa_t)-4;
	arrive(w, 3000, 1);
	CHECK(vdriver_is_broken(&w->drv));
	quiesce(w);
	uint8_t *state = device_bytes_save(virtio_to_device(w->vd), &len);
	free(state);
	resume(w);
}

/* A driver that refills in odd sizes and at odd times; nothing is lost, doubled or reordered. */
static void check_traffic(uint32_t offloads, uint64_t features, uint16_t mtu, unsigned seed)
{
	static struct world w;
	size_t sent[512];
	unsigned pushed = 0, taken = 0;
	memset(&w, 0, sizeof(w));
	w.opt.mtu = mtu;
	world_init(&w, offloads, 1, features);
	const bool is_merging = features & F(MRG_RXBUF);
	const size_t longest = mtu ? mtu + 14u : is_merging ? 30000 : 1500;

	srand(seed);
	for (unsigned step = 0; taken < 512; step++) {
		if (step > 100000) {
			test_failed(__FILE__, __LINE__, "stuck at frame %u of %u", taken, pushed);
			break;
		}
		for (int n = rand() % 4; n > 0 && pushed < 512; n--, pushed++) {
			sent[pushed] = 60 + (size_t)rand() % (longest - 60);
			pattern(frame, sent[pushed], pushed);
			fake_netif_push(&w.fake, 0, NULL, frame, sent[pushed]);
		}
		if (rand() % 5 == 0)
			fake_netif_run(&w.fake);
		if (rand() % 50 == 0) {
			/* With a parked frame it would be lost, as it should. */
			if (!((struct virtio_net *)w.vd)->pair[0].rx.parked_len) {
				quiesce(&w);
				resume(&w);
			}
		}
		for (int n = rand() % 40; n > 0 && w.drv.queue[0].free_count > 8; n--) {
			uint32_t len = is_merging ? 300 + (uint32_t)rand() % 1500 : 1600;
			if (w.drv.brk + len > MEMORY_SIZE) /* long reaped */
				w.drv.brk = MEMORY_SIZE / 8;
			rx_add(&w, 0, len);
		}
		vdriver_kick(&w.drv, RX(0));
		while (rand() % 4 && taken < pushed && is_next(&w, sent[taken], taken))
			taken++;
	}
	if (rx_dropped(&w) || w.fake.nif.dropped)
		test_failed(__FILE__, __LINE__, "frames were dropped");
	world_fini(&w);
}

static void test_rx_traffic_arrives_whole_and_in_order(void)
{
	for (unsigned seed = 1; seed < 5; seed++) {
		check_traffic(OFFLOADS, ALL, 0, seed);
		check_traffic(OFFLOADS, ~(1ULL << VIRTIO_F_EVENT_IDX), 0, seed);
		check_traffic(0, ALL, 1500, seed);
		check_traffic(OFFLOADS, ~F(MRG_RXBUF), 0, seed);
	}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_rx_frame_follows_its_header),
		TEST_CASE(test_rx_batch_is_one_interrupt),
		TEST_CASE(test_rx_long_frame_is_spread_over_buffers),
		TEST_CASE(test_rx_buffers_left_over_hold_the_next_frame),
		TEST_CASE(test_rx_any_framing),
		TEST_CASE(test_rx_buffer_for_the_header_alone),
		TEST_CASE(test_rx_chains_of_many_segments),
		TEST_CASE(test_rx_buffers_go_round),
		TEST_CASE(test_rx_without_buffers_the_network_waits),
		TEST_CASE(test_rx_buffers_that_come_meanwhile_are_found),
		TEST_CASE(test_rx_endless_frames_take_turns),
		TEST_CASE(test_rx_frame_that_lacks_buffers_is_parked_until_the_driver_refills),
		TEST_CASE(test_rx_frame_parked_whole),
		TEST_CASE(test_rx_frame_beyond_all_that_the_driver_posts_is_dropped),
		TEST_CASE(test_rx_driver_with_half_its_buffers_posted_gets_no_more_time),
		TEST_CASE(test_rx_frame_longer_than_a_full_queue_is_dropped),
		TEST_CASE(test_rx_quiesce_loses_a_parked_frame_alone),
		TEST_CASE(test_rx_without_mrg_rxbuf_a_frame_gets_one_buffer),
		TEST_CASE(test_rx_buffer_too_small_for_a_header_stops_the_card),
		TEST_CASE(test_rx_buffer_too_small_for_a_frame_stops_the_card),
		TEST_CASE(test_rx_readable_chain_is_no_buffer),
		TEST_CASE(test_rx_offloads_of_the_backend_reach_the_driver),
		TEST_CASE(test_rx_what_the_driver_does_not_take_is_dropped),
		TEST_CASE(test_rx_checked_frames_are_marked_valid),
		TEST_CASE(test_rx_frame_beyond_the_mtu_is_dropped),
		TEST_CASE(test_rx_mtu_bounds_what_is_taken),
		TEST_CASE(test_rx_frames_wait_for_a_driver),
		TEST_CASE(test_rx_reset_forgets_the_buffers_in_hand),
		TEST_CASE(test_rx_disabled_queue_receives_nothing),
		TEST_CASE(test_rx_used_ring_outside_of_ram_stops_the_card),
		TEST_CASE(test_rx_used_index_outside_of_ram_stops_the_card),
		TEST_CASE(test_rx_traffic_arrives_whole_and_in_order),
	};
	return TEST_RUN(cases);
}
