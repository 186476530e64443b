/* Split virtqueues and chains: what drivers may do, and everything they may not. */
#include "echo.h"
#include "test.h"
#include "vdriver.h"

#define MEMORY (1 << 20)

static struct gmem *gm;
static struct echo *echo;
static struct vdriver drv;

static void set_up_with(uint64_t features)
{
	if (gmem_create(&gm, MEMORY) != 0 || !(echo = echo_create(gm)))
		abort();
	vdriver_init(&drv, &echo->vd, gm, 0x1000);
	if (!vdriver_start(&drv, features))
		abort();
}

static void set_up(void)
{
	set_up_with(~0ULL);
}

static void tear_down(void)
{
	device_destroy(&echo->vd.dev);
	gmem_destroy(gm);
}

static void wr(uint16_t i, gpa_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	vdriver_set_desc(
		&drv, 0, i,
		(struct virtq_desc){.addr = addr, .len = len, .flags = flags, .next = next});
}

static void offer(uint16_t head)
{
	vdriver_set_avail_ring(&drv, 0, drv.queue[0].avail_idx % drv.queue[0].size, head);
	vdriver_set_avail_idx(&drv, 0, ++drv.queue[0].avail_idx);
}

/* The device finds the ring broken, says so once, and stays out of it until it is reset. */
static bool is_broken_by_pop(void)
{
	struct vchain chain;
	unsigned irqs = drv.config_irqs;
	return vq_pop(&echo->vd.queue[0], &chain) == -EBADMSG && vdriver_is_broken(&drv) &&
	       drv.config_irqs == irqs + 1 && vq_pop(&echo->vd.queue[0], &chain) == 0 &&
	       drv.config_irqs == irqs + 1 && echo->vd.bad_rings == 1 && echo->stops == 1 &&
	       !virtio_is_live(&echo->vd);
}

WITH_DEVICE(test_direct_chain_is_echoed)
{
	char in[8] = "";
	CHECK_EQ(vdriver_request(&drv, 0, "abcdef", 6, in, 8), 6);
	CHECK_STR(in, "abcdef");
	CHECK_EQ(drv.queue_irqs[0], 1);
	CHECK_EQ(drv.queue_irqs[1], 0);
	CHECK_EQ(drv.config_irqs, 0);
}

WITH_DEVICE(test_indirect_chain_is_echoed)
{
	struct vbuf bufs[5];
	uint32_t len;
	gpa_t in = vdriver_alloc(&drv, 16, 16);
	bufs[0] = (struct vbuf){vdriver_put(&drv, "ab", 2), 2, false};
	bufs[1] = (struct vbuf){vdriver_put(&drv, "cde", 3), 3, false};
	bufs[2] = (struct vbuf){in, 1, true};
	bufs[3] = (struct vbuf){in + 1, 2, true};
	bufs[4] = (struct vbuf){in + 3, 9, true};
	CHECK(vdriver_add(&drv, 0, bufs, 5, VDRIVER_INDIRECT) >= 0);
	CHECK(vdriver_kick(&drv, 0));
	CHECK(vdriver_reap(&drv, 0, NULL, &len));
	CHECK_EQ(len, 5);
	char got[6] = "";
	CHECK_EQ(gmem_read(gm, in, got, 5), 0);
	CHECK_STR(got, "abcde");
}

/* Section 2.7.5.3.2: direct descriptors may come before the one that refers to a table. */
WITH_DEVICE(test_indirect_table_may_end_a_direct_chain)
{
	struct vchain chain;
	gpa_t table = vdriver_alloc(&drv, 16, 16);
	struct virtq_desc d = {.addr = 0x3000, .len = 7, .flags = VIRTQ_DESC_F_WRITE};
	CHECK_EQ(gmem_write(gm, table, &d, sizeof(d)), 0);
	wr(0, 0x2000, 5, VIRTQ_DESC_F_NEXT, 1);
	/* F_WRITE is to be ignored here. */
	wr(1, table, 16, VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_WRITE, 0);
	offer(0);
	CHECK_EQ(vq_pop(&echo->vd.queue[0], &chain), 1);
	CHECK_EQ(chain_readable(&chain), 5);
	CHECK_EQ(chain_writable(&chain), 7);
}

WITH_DEVICE(test_zero_length_descriptors_are_skipped)
{
	struct vchain chain;
	wr(0, ~0ULL, 0, VIRTQ_DESC_F_NEXT, 1);
	wr(1, 0x2000, 4, VIRTQ_DESC_F_NEXT, 2);
	wr(2, 0x3000, 0, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 3);
	wr(3, 0x3000, 4, VIRTQ_DESC_F_WRITE, 0);
	offer(0);
	CHECK_EQ(vq_pop(&echo->vd.queue[0], &chain), 1);
	CHECK_EQ(chain.total_segs, 2);
	CHECK_EQ(chain_readable(&chain), 4);
	CHECK_EQ(chain_writable(&chain), 4);
	wr(4, 0x2000, 0, 0, 0);
	offer(4);
	CHECK_EQ(vq_pop(&echo->vd.queue[0], &chain), 1);
	CHECK_EQ(chain_readable(&chain) + chain_writable(&chain), 0);
}

WITH_DEVICE(test_full_queue_is_taken)
{
	struct vchain chain;
	for (uint16_t i = 0; i < ECHO_QUEUE_SIZE; i++) {
		wr(i, 0x2000, 4, i + 1 < ECHO_QUEUE_SIZE ? VIRTQ_DESC_F_NEXT : 0,
		   (uint16_t)(i + 1));
	}
	for (uint16_t i = 0; i < ECHO_QUEUE_SIZE; i++)
		offer(i);
	for (unsigned i = 0; i < ECHO_QUEUE_SIZE; i++) {
		CHECK_EQ(vq_pop(&echo->vd.queue[0], &chain), 1);
		CHECK_EQ(chain_readable(&chain), 4 * (ECHO_QUEUE_SIZE - i));
	}
	CHECK_EQ(vq_pop(&echo->vd.queue[0], &chain), 0);
}

WITH_DEVICE(test_head_beyond_queue_is_broken)
{
	offer(ECHO_QUEUE_SIZE);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_next_beyond_queue_is_broken)
{
	wr(0, 0x2000, 4, VIRTQ_DESC_F_NEXT, ECHO_QUEUE_SIZE);
	offer(0);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_loop_is_broken)
{
	wr(0, 0x2000, 4, VIRTQ_DESC_F_NEXT, 1);
	wr(1, 0x2000, 4, VIRTQ_DESC_F_NEXT, 0);
	offer(0);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_loop_of_empty_descriptors_is_broken)
{
	wr(0, 0, 0, VIRTQ_DESC_F_NEXT, 0);
	offer(0);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_loop_in_indirect_table_is_broken)
{
	gpa_t table = vdriver_alloc(&drv, 32, 16);
	struct virtq_desc d[2] = {{.addr = 0x2000, .len = 1, .flags = VIRTQ_DESC_F_NEXT, .next = 1},
				  {.addr = 0x2000, .len = 0, .flags = VIRTQ_DESC_F_NEXT}};
	CHECK_EQ(gmem_write(gm, table, d, sizeof(d)), 0);
	wr(0, table, 32, VIRTQ_DESC_F_INDIRECT, 0);
	offer(0);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_chain_longer_than_the_segments_is_broken)
{
	struct virtq_desc d[VIRTQ_SIZE_MAX];
	gpa_t table = vdriver_alloc(&drv, sizeof(d), 16);
	for (unsigned i = 0; i < VIRTQ_SIZE_MAX; i++)
		d[i] = (struct virtq_desc){.addr = 0x2000,
					   .len = 1,
					   .flags = VIRTQ_DESC_F_NEXT,
					   .next = (uint16_t)(i + 1)};
	d[VIRTQ_SIZE_MAX - 1].flags = 0;
	CHECK_EQ(gmem_write(gm, table, d, sizeof(d)), 0);
	wr(1, table, sizeof(d), VIRTQ_DESC_F_INDIRECT, 0);
	offer(1);
	struct vchain chain;
	CHECK_EQ(vq_pop(&echo->vd.queue[0], &chain), 1); /* exactly as many */
	CHECK_EQ(chain_readable(&chain), VIRTQ_SIZE_MAX);
	wr(0, 0x2000, 1, VIRTQ_DESC_F_NEXT, 1);
	offer(0);
	CHECK(is_broken_by_pop()); /* one more */
}

WITH_DEVICE(test_next_beyond_indirect_table_is_broken)
{
	gpa_t table = vdriver_alloc(&drv, 32, 16);
	struct virtq_desc d = {.addr = 0x2000, .len = 1, .flags = VIRTQ_DESC_F_NEXT, .next = 1};
	CHECK_EQ(gmem_write(gm, table, &d, sizeof(d)), 0);
	wr(0, table, 16, VIRTQ_DESC_F_INDIRECT, 0);
	offer(0);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_indirect_in_indirect_is_broken)
{
	gpa_t table = vdriver_alloc(&drv, 16, 16);
	struct virtq_desc d = {.addr = table, .len = 16, .flags = VIRTQ_DESC_F_INDIRECT};
	CHECK_EQ(gmem_write(gm, table, &d, sizeof(d)), 0);
	wr(0, table, 16, VIRTQ_DESC_F_INDIRECT, 0);
	offer(0);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_indirect_table_of_odd_length_is_broken)
{
	wr(0, 0x2000, 24, VIRTQ_DESC_F_INDIRECT, 0);
	offer(0);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_empty_indirect_table_is_broken)
{
	wr(0, 0x2000, 0, VIRTQ_DESC_F_INDIRECT, 0);
	offer(0);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_indirect_table_outside_ram_is_broken)
{
	wr(0, MEMORY, 16, VIRTQ_DESC_F_INDIRECT, 0);
	offer(0);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_indirect_with_next_is_broken)
{
	wr(0, 0x2000, 16, VIRTQ_DESC_F_INDIRECT | VIRTQ_DESC_F_NEXT, 1);
	wr(1, 0x2000, 4, 0, 0);
	offer(0);
	CHECK(is_broken_by_pop());
}

static void test_indirect_not_negotiated_is_broken(void)
{
	set_up_with(~(1ULL << VIRTIO_F_INDIRECT_DESC));
	gpa_t table = vdriver_alloc(&drv, 16, 16);
	wr(0, table, 16, VIRTQ_DESC_F_INDIRECT, 0);
	offer(0);
	bool is_broken = is_broken_by_pop();
	tear_down();
	CHECK(is_broken);
}

WITH_DEVICE(test_readable_after_writable_is_broken)
{
	wr(0, 0x2000, 4, VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_NEXT, 1);
	wr(1, 0x2000, 4, 0, 0);
	offer(0);
	CHECK(is_broken_by_pop());
}

static void test_chain_of_4_gib_is_broken(void)
{
	if (gmem_create(&gm, 2ULL << 30) != 0 || !(echo = echo_create(gm)))
		abort();
	vdriver_init(&drv, &echo->vd, gm, 0x1000);
	bool is_started = vdriver_start(&drv, ~0ULL);
	struct vchain chain = {0};
	wr(0, 0, 0x7fffffff, VIRTQ_DESC_F_NEXT, 1);
	wr(1, 0, 0x7fffffff, VIRTQ_DESC_F_NEXT, 2);
	wr(2, 0, 1, 0, 0);
	offer(0);
	int just_below = vq_pop(&echo->vd.queue[0], &chain);
	size_t readable = chain_readable(&chain);
	wr(2, 0, 2, 0, 0);
	offer(0);
	bool is_broken = is_broken_by_pop();
	tear_down();
	CHECK(is_started);
	CHECK_EQ(just_below, 1);
	CHECK_EQ(readable, UINT32_MAX);
	CHECK(is_broken);
}

WITH_DEVICE(test_buffer_beyond_ram_is_broken)
{
	wr(0, MEMORY - 4, 5, 0, 0);
	offer(0);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_buffer_that_wraps_is_broken)
{
	wr(0, ~0ULL - 1, 4, VIRTQ_DESC_F_WRITE, 0);
	offer(0);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_avail_idx_jump_is_broken)
{
	vdriver_set_avail_idx(&drv, 0, ECHO_QUEUE_SIZE + 1);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_avail_idx_going_back_is_broken)
{
	vdriver_set_avail_idx(&drv, 0, UINT16_MAX);
	CHECK(is_broken_by_pop());
}

/* Further back than what is taken, but not further than what is used. */
WITH_DEVICE(test_avail_idx_going_back_over_chains_in_flight_is_broken)
{
	struct vchain chain;
	wr(0, 0x2000, 4, 0, 0);
	for (unsigned i = 0; i < 3; i++) {
		offer(0);
		CHECK_EQ(vq_pop(&echo->vd.queue[0], &chain), 1);
	}
	vdriver_set_avail_idx(&drv, 0, 1);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_retaken_chain_is_the_same_again)
{
	struct vchain a, b;
	wr(0, 0x2000, 4, VIRTQ_DESC_F_NEXT, 1);
	wr(1, 0x3000, 8, VIRTQ_DESC_F_WRITE, 0);
	offer(0);
	CHECK_EQ(vq_pop(&echo->vd.queue[0], &a), 1);
	CHECK_EQ(vq_retake(&echo->vd.queue[0], a.head, &b), 1);
	CHECK_EQ(chain_readable(&b), 4);
	CHECK_EQ(chain_writable(&b), 8);
	CHECK_EQ(vq_pop(&echo->vd.queue[0], &a), 0); /* nothing new was taken */
	vq_push(&echo->vd.queue[0], &b);
	CHECK_EQ(vdriver_get_used_idx(&drv, 0), 1);
	CHECK_EQ(vq_retake(&echo->vd.queue[0], 60000, &b), -EBADMSG);
	CHECK(vdriver_is_broken(&drv));
}

WITH_DEVICE(test_no_more_chains_than_entries_are_out)
{
	struct vchain chain;
	wr(0, 0x2000, 4, 0, 0);
	for (unsigned i = 0; i < ECHO_QUEUE_SIZE; i++) {
		offer(0);
		CHECK_EQ(vq_pop(&echo->vd.queue[0], &chain), 1);
	}
	offer(0); /* none of the sixteen has come back */
	CHECK(is_broken_by_pop());
}

/* Sets up queue 0 afresh with one of its areas elsewhere. */
static void restart_with_areas(gpa_t desc, gpa_t avail, gpa_t used)
{
	const uint8_t agreed =
		VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK;
	vdriver_reset(&drv);
	drv.wire->set_features(&drv, drv.features);
	drv.wire->set_status(&drv, agreed);
	drv.queue[0].desc = desc;
	drv.queue[0].avail = avail;
	drv.queue[0].used = used;
	drv.wire->queue_setup(&drv, 0);
	drv.wire->set_status(&drv, agreed | VIRTIO_STATUS_DRIVER_OK);
	echo->stops = 0;
}

WITH_DEVICE(test_avail_ring_outside_ram_is_broken)
{
	restart_with_areas(0x2000, MEMORY, 0x4000);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_avail_ring_partly_outside_ram_is_broken)
{
	const uint16_t idx = 1;
	CHECK_EQ(gmem_write(gm, MEMORY - 2, &idx, 2), 0);
	restart_with_areas(0x2000, MEMORY - 4, 0x4000);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_descriptors_outside_ram_are_broken)
{
	const uint16_t idx = 1;
	restart_with_areas(MEMORY, 0x3000, 0x4000);
	CHECK_EQ(gmem_write(gm, 0x3002, &idx, 2), 0);
	CHECK(is_broken_by_pop());
}

WITH_DEVICE(test_used_ring_outside_ram_is_broken_on_push)
{
	const uint16_t idx = 1;
	struct vchain chain;
	restart_with_areas(0x2000, 0x3000, MEMORY);
	CHECK_EQ(gmem_write(gm, 0x3002, &idx, 2), 0);
	CHECK_EQ(vq_pop(&echo->vd.queue[0], &chain), 1);
	CHECK(!vdriver_is_broken(&drv));
	vq_push(&echo->vd.queue[0], &chain);
	CHECK(vdriver_is_broken(&drv));
	CHECK_EQ(drv.config_irqs, 1);
}

WITH_DEVICE(test_rings_that_wrap_are_not_enabled)
{
	static const gpa_t wrapping[3][3] = {
		{-16ULL, 0x3000, 0x4000}, {0x2000, -2ULL, 0x4000}, {0x2000, 0x3000, -4ULL}};
	for (unsigned i = 0; i < 3; i++) {
		restart_with_areas(wrapping[i][0], wrapping[i][1], wrapping[i][2]);
		CHECK(!echo->vd.queue[0].is_ready);
	}
}

WITH_DEVICE(test_reset_brings_a_broken_device_back)
{
	char in[4] = "";
	offer(ECHO_QUEUE_SIZE);
	CHECK(is_broken_by_pop());
	CHECK(vdriver_start(&drv, ~0ULL));
	CHECK_EQ(vdriver_request(&drv, 0, "abc", 3, in, 3), 3);
	CHECK_STR(in, "abc");
}

WITH_DEVICE(test_push_after_reset_writes_nothing)
{
	struct vchain chain;
	struct vbuf buf = {vdriver_put(&drv, "x", 1), 1, false};
	CHECK(vdriver_add(&drv, 0, &buf, 1, VDRIVER_DIRECT) >= 0);
	CHECK_EQ(vq_pop(&echo->vd.queue[0], &chain), 1);
	vdriver_reset(&drv);
	vq_push(&echo->vd.queue[0], &chain);
	vq_signal(&echo->vd.queue[0]);
	CHECK_EQ(vdriver_get_used_idx(&drv, 0), 0);
	CHECK_EQ(drv.queue_irqs[0], 0);
}

/* Three chains are out; how many interrupts do three pushes and one signal cause? */
static unsigned irqs_of_batch(uint16_t used_event)
{
	struct vchain chain[3];
	unsigned before = drv.queue_irqs[0];
	wr(0, 0x2000, 4, 0, 0);
	for (unsigned i = 0; i < 3; i++) {
		offer(0);
		vq_pop(&echo->vd.queue[0], &chain[i]);
	}
	vdriver_set_used_event(&drv, 0, used_event);
	for (unsigned i = 0; i < 3; i++)
		vq_push(&echo->vd.queue[0], &chain[i]);
	vq_signal(&echo->vd.queue[0]);
	vq_signal(&echo->vd.queue[0]); /* nothing new */
	return drv.queue_irqs[0] - before;
}

WITH_DEVICE(test_used_event_chooses_the_interrupt)
{
	CHECK_EQ(irqs_of_batch(0), 1);	/* 0..2: passes 0 */
	CHECK_EQ(irqs_of_batch(5), 1);	/* 3..5: passes 5 */
	CHECK_EQ(irqs_of_batch(9), 0);	/* 6..8: 9 is still to come */
	CHECK_EQ(irqs_of_batch(8), 0);	/* 9..11: 8 is over */
	CHECK_EQ(irqs_of_batch(12), 1); /* 12..14 */
}

/* All indices start @start entries into their cycle of 65536. */
static void wind_indices(uint16_t start)
{
	struct virtq *vq = &echo->vd.queue[0];
	vq->avail_idx = vq->used_idx = vq->signalled_idx = start;
	drv.queue[0].avail_idx = drv.queue[0].used_idx = drv.queue[0].kicked_idx = start;
	vdriver_set_avail_idx(&drv, 0, start);
	uint16_t idx = start;
	if (gmem_write(gm, drv.queue[0].used + VIRTQ_USED_IDX, &idx, 2) != 0)
		abort();
	vdriver_set_used_event(&drv, 0, start);
	vq_enable_kick(vq, true);
}

WITH_DEVICE(test_used_event_wraps_at_65535)
{
	wind_indices(65534);
	CHECK_EQ(irqs_of_batch(65535), 1); /* 65534, 65535, 0 */
	CHECK_EQ(vdriver_get_used_idx(&drv, 0), 1);
	wind_indices(65534);
	CHECK_EQ(irqs_of_batch(0), 1);
	wind_indices(65534);
	CHECK_EQ(irqs_of_batch(1), 0);
	wind_indices(65534);
	CHECK_EQ(irqs_of_batch(65533), 0);
}

WITH_DEVICE(test_requests_cross_the_wrap)
{
	wind_indices(65530);
	for (uint16_t i = 0; i < 12; i++) {
		uint16_t got = 0;
		CHECK_EQ(vdriver_request(&drv, 0, &i, 2, &got, 2), 2);
		CHECK_EQ(got, i);
	}
	CHECK_EQ(drv.queue_irqs[0], 12);
	CHECK_EQ(vdriver_get_avail_event(&drv, 0), 6);
}

WITH_DEVICE(test_avail_event_asks_for_the_next_kick_only)
{
	struct vbuf buf = {vdriver_put(&drv, "x", 1), 1, false};
	CHECK(vdriver_add(&drv, 0, &buf, 1, VDRIVER_DIRECT) >= 0);
	CHECK(vdriver_kick(&drv, 0));
	CHECK_EQ(vdriver_get_avail_event(&drv, 0), 1);
	echo->is_lazy = true;
	CHECK(vdriver_add(&drv, 0, &buf, 1, VDRIVER_DIRECT) >= 0);
	CHECK(vdriver_kick(&drv, 0)); /* not looked at yet */
	CHECK(vdriver_add(&drv, 0, &buf, 1, VDRIVER_DIRECT) >= 0);
	CHECK(!vdriver_kick(&drv, 0)); /* the device was told and has not asked again */
	CHECK(vq_enable_kick(&echo->vd.queue[0], true)); /* two are waiting: look again */
	struct vchain chain;
	CHECK_EQ(vq_pop(&echo->vd.queue[0], &chain), 1);
	CHECK_EQ(vq_pop(&echo->vd.queue[0], &chain), 1);
	CHECK(!vq_enable_kick(&echo->vd.queue[0], true));
	CHECK_EQ(vdriver_get_avail_event(&drv, 0), 3);
}

static void flags_body(void)
{
	struct virtq *vq = &echo->vd.queue[0];
	char in[2];
	CHECK(!vq_enable_kick(vq, false));
	CHECK_EQ(vdriver_get_used_flags(&drv, 0), VIRTQ_USED_F_NO_NOTIFY);
	CHECK(!vq_enable_kick(vq, true));
	CHECK_EQ(vdriver_get_used_flags(&drv, 0), 0);
	CHECK_EQ(vdriver_request(&drv, 0, "a", 1, in, 1), 1);
	CHECK_EQ(drv.queue_irqs[0], 1);
	vdriver_set_avail_flags(&drv, 0, VIRTQ_AVAIL_F_NO_INTERRUPT);
	CHECK_EQ(vdriver_request(&drv, 0, "a", 1, in, 1), 1);
	CHECK_EQ(drv.queue_irqs[0], 1);
}

static void test_flags_without_event_idx(void)
{
	set_up_with(~(1ULL << VIRTIO_F_EVENT_IDX));
	flags_body();
	tear_down();
}

/* A chain of 3 + 4 readable and 2 + 6 writable bytes. */
static struct vchain pop_pieces(gpa_t *ret_out, gpa_t *ret_in)
{
	struct vchain chain = {0};
	*ret_out = vdriver_put(&drv, "abcdefg", 7);
	*ret_in = vdriver_alloc(&drv, 8, 16);
	struct vbuf bufs[] = {{*ret_out, 3, false},
			      {*ret_out + 3, 4, false},
			      {*ret_in, 2, true},
			      {*ret_in + 2, 6, true}};
	vdriver_add(&drv, 0, bufs, 4, VDRIVER_DIRECT);
	vq_pop(&echo->vd.queue[0], &chain);
	return chain;
}

WITH_DEVICE(test_cursors_cross_segments)
{
	gpa_t out, in;
	char buf[9] = "";
	struct vchain chain = pop_pieces(&out, &in);
	CHECK_EQ(chain_readable(&chain), 7);
	CHECK_EQ(chain_writable(&chain), 8);
	CHECK_EQ(chain_read(&chain, buf, 2), 0);
	CHECK_EQ(chain_read(&chain, buf + 2, 3), 0);
	CHECK_STR(buf, "abcde");
	CHECK_EQ(chain_readable(&chain), 2);
	CHECK(chain_read(&chain, buf, 3) == -ENODATA);
	CHECK_EQ(chain_readable(&chain), 2); /* all or nothing */
	CHECK_EQ(chain_read(&chain, buf, 2), 0);
	CHECK_EQ(chain_read(&chain, buf, 0), 0);
	CHECK_EQ(chain_readable(&chain), 0);
	CHECK_EQ(chain_write(&chain, "12", 2), 0);
	CHECK_EQ(chain_write(&chain, "345", 3), 0);
	CHECK(chain_write(&chain, "6789", 4) == -ENODATA);
	CHECK_EQ(chain.written, 5);
	CHECK_EQ(chain_writable(&chain), 3);
	CHECK_EQ(gmem_read(gm, in, buf, 8), 0);
	CHECK(memcmp(buf, "12345\0\0", 8) == 0);
}

WITH_DEVICE(test_take_gives_windows_and_moves_on)
{
	gpa_t out, in;
	struct iovec iov[4];
	struct vchain chain = pop_pieces(&out, &in);
	CHECK(chain_take_readable(&chain, 8, iov, 4) == -ENODATA);
	CHECK(chain_take_readable(&chain, 5, iov, 1) == -ENOBUFS);
	CHECK_EQ(chain_readable(&chain), 7);
	CHECK_EQ(chain_take_readable(&chain, 5, iov, 2), 2);
	CHECK_EQ(iov[0].iov_len, 3);
	CHECK_EQ(iov[1].iov_len, 2);
	CHECK(memcmp(iov[1].iov_base, "de", 2) == 0);
	CHECK_EQ(chain_readable(&chain), 2);
	CHECK(chain_take_writable(&chain, 9, iov, 4) == -ENODATA);
	CHECK_EQ(chain_take_writable(&chain, 1, iov, 4), 1);
	CHECK_EQ(chain.written, 1);
	CHECK_EQ(chain_take_writable(&chain, 7, iov, 4), 2);
	CHECK_EQ(chain.written, 8);
	CHECK_EQ(chain_take_writable(&chain, 0, iov, 0), 0);
}

/* A frame over several buffers: a driver on another vCPU sees all of them or none. */
WITH_DEVICE(test_filled_elements_are_seen_together)
{
	struct virtq *vq = &echo->vd.queue[0];
	struct vchain chain;
	uint32_t len;
	wr(0, 0x2000, 8, VIRTQ_DESC_F_WRITE, 0);
	wr(1, 0x2000, 8, VIRTQ_DESC_F_WRITE, 0);
	drv.queue[0].length[0] = drv.queue[0].length[1] = 1;
	CHECK_EQ(vq_outstanding(vq), 0);
	offer(0);
	offer(1);
	CHECK_EQ(vq_outstanding(vq), 2);
	CHECK_EQ(vq_pop(vq, &chain), 1);
	CHECK_EQ(vq_pop(vq, &chain), 1);
	CHECK_EQ(vq_outstanding(vq), 2);
	vq_fill(vq, 0, 0, 8);
	vq_fill(vq, 1, 1, 3);
	CHECK_EQ(vdriver_get_used_idx(&drv, 0), 0);
	vq_signal(vq);
	CHECK_EQ(drv.queue_irqs[0], 0);
	vq_flush(vq, 2);
	CHECK_EQ(vdriver_get_used_idx(&drv, 0), 2);
	CHECK_EQ(vq_outstanding(vq), 0);
	CHECK(vdriver_reap(&drv, 0, NULL, &len));
	CHECK_EQ(len, 8);
	CHECK(vdriver_reap(&drv, 0, NULL, &len));
	CHECK_EQ(len, 3);
	vdriver_set_avail_idx(&drv, 0, 1000);
	CHECK_EQ(vq_outstanding(vq), 0); /* nonsense */
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_direct_chain_is_echoed),
		TEST_CASE(test_indirect_chain_is_echoed),
		TEST_CASE(test_indirect_table_may_end_a_direct_chain),
		TEST_CASE(test_zero_length_descriptors_are_skipped),
		TEST_CASE(test_full_queue_is_taken),
		TEST_CASE(test_head_beyond_queue_is_broken),
		TEST_CASE(test_next_beyond_queue_is_broken),
		TEST_CASE(test_loop_is_broken),
		TEST_CASE(test_loop_of_empty_descriptors_is_broken),
		TEST_CASE(test_loop_in_indirect_table_is_broken),
		TEST_CASE(test_chain_longer_than_the_segments_is_broken),
		TEST_CASE(test_next_beyond_indirect_table_is_broken),
		TEST_CASE(test_indirect_in_indirect_is_broken),
		TEST_CASE(test_indirect_table_of_odd_length_is_broken),
		TEST_CASE(test_empty_indirect_table_is_broken),
		TEST_CASE(test_indirect_table_outside_ram_is_broken),
		TEST_CASE(test_indirect_with_next_is_broken),
		TEST_CASE(test_indirect_not_negotiated_is_broken),
		TEST_CASE(test_readable_after_writable_is_broken),
		TEST_CASE(test_chain_of_4_gib_is_broken),
		TEST_CASE(test_buffer_beyond_ram_is_broken),
		TEST_CASE(test_buffer_that_wraps_is_broken),
		TEST_CASE(test_avail_idx_jump_is_broken),
		TEST_CASE(test_avail_idx_going_back_is_broken),
		TEST_CASE(test_avail_idx_going_back_over_chains_in_flight_is_broken),
		TEST_CASE(test_retaken_chain_is_the_same_again),
		TEST_CASE(test_no_more_chains_than_entries_are_out),
		TEST_CASE(test_avail_ring_outside_ram_is_broken),
		TEST_CASE(test_avail_ring_partly_outside_ram_is_broken),
		TEST_CASE(test_descriptors_outside_ram_are_broken),
		TEST_CASE(test_used_ring_outside_ram_is_broken_on_push),
		TEST_CASE(test_rings_that_wrap_are_not_enabled),
		TEST_CASE(test_reset_brings_a_broken_device_back),
		TEST_CASE(test_push_after_reset_writes_nothing),
		TEST_CASE(test_used_event_chooses_the_interrupt),
		TEST_CASE(test_used_event_wraps_at_65535),
		TEST_CASE(test_requests_cross_the_wrap),
		TEST_CASE(test_avail_event_asks_for_the_next_kick_only),
		TEST_CASE(test_flags_without_event_idx),
		TEST_CASE(test_cursors_cross_segments),
		TEST_CASE(test_take_gives_windows_and_moves_on),
		TEST_CASE(test_filled_elements_are_seen_together),
	};
	return TEST_RUN(cases);
}
