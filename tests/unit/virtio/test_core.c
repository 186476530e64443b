/* The virtio core: status, negotiation, queue set-up, configuration, reset, quiesce, state. */
#include "conformance.h"
#include "echo.h"
#include "test.h"
#include "vdriver.h"
#include <tinyvm/state.h>

#define BOUND	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER)
#define AGREED	(BOUND | VIRTIO_STATUS_FEATURES_OK)
#define RUNNING (AGREED | VIRTIO_STATUS_DRIVER_OK)

#define VERSION_1 (1ULL << VIRTIO_F_VERSION_1)

static struct gmem *gm;
static struct echo *echo;
static struct virtio_device *vd;
static struct vdriver drv;

static void set_up(void)
{
	if (gmem_create(&gm, 1 << 20) != 0 || !(echo = echo_create(gm)))
		abort();
	vd = &echo->vd;
	vdriver_init(&drv, vd, gm, 0x1000);
}

static void tear_down(void)
{
	device_destroy(&vd->dev);
	gmem_destroy(gm);
}

WITH_DEVICE(test_core_features_are_offered)
{
	CHECK_EQ(vd->features_offered, VERSION_1 | 1ULL << VIRTIO_F_INDIRECT_DESC |
					       1ULL << VIRTIO_F_EVENT_IDX | 1ULL << ECHO_FEATURE);
}

WITH_DEVICE(test_features_ok_needs_version_1)
{
	virtio_set_status(vd, BOUND);
	virtio_set_features(vd, 1ULL << ECHO_FEATURE);
	virtio_set_status(vd, AGREED);
	CHECK_EQ(vd->status, BOUND);
	virtio_set_features(vd, VERSION_1);
	virtio_set_status(vd, AGREED);
	CHECK_EQ(vd->status, AGREED);
}

WITH_DEVICE(test_features_ok_refuses_what_was_not_offered)
{
	virtio_set_status(vd, BOUND);
	virtio_set_features(vd, VERSION_1 | 1ULL << 63);
	virtio_set_status(vd, AGREED);
	CHECK_EQ(vd->status, BOUND);
}

WITH_DEVICE(test_features_are_final_after_features_ok)
{
	virtio_set_status(vd, BOUND);
	virtio_set_features(vd, VERSION_1);
	virtio_set_status(vd, AGREED);
	virtio_set_features(vd, VERSION_1 | 1ULL << ECHO_FEATURE);
	CHECK(!virtio_has(vd, ECHO_FEATURE));
	CHECK(virtio_has(vd, VIRTIO_F_VERSION_1));
}

WITH_DEVICE(test_driver_ok_needs_features_ok)
{
	virtio_set_status(vd, BOUND);
	virtio_set_status(vd, BOUND | VIRTIO_STATUS_DRIVER_OK);
	CHECK_EQ(vd->status, BOUND);
	CHECK_EQ(echo->starts, 0);
}

WITH_DEVICE(test_driver_ok_starts_once)
{
	CHECK(vdriver_start(&drv, ~0ULL));
	CHECK_EQ(echo->starts, 1);
	virtio_set_status(vd, RUNNING);
	CHECK_EQ(echo->starts, 1);
	CHECK(virtio_is_live(vd));
}

WITH_DEVICE(test_status_bits_are_not_cleared_one_by_one)
{
	CHECK(vdriver_start(&drv, ~0ULL));
	virtio_set_status(vd, BOUND);
	CHECK_EQ(vd->status, RUNNING);
	virtio_set_status(vd, VIRTIO_STATUS_FAILED);
	CHECK_EQ(vd->status, RUNNING);
	virtio_set_status(vd, RUNNING | VIRTIO_STATUS_FAILED);
	CHECK_EQ(vd->status, RUNNING | VIRTIO_STATUS_FAILED);
}

WITH_DEVICE(test_driver_cannot_set_needs_reset)
{
	virtio_set_status(vd, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DEVICE_NEEDS_RESET | 0x30);
	CHECK_EQ(vd->status, VIRTIO_STATUS_ACKNOWLEDGE);
}

WITH_DEVICE(test_status_0_is_a_full_reset)
{
	CHECK(vdriver_start(&drv, ~0ULL));
	vd->ops->notify(vd, 0);
	echo->config[0] = 7;
	virtio_config_changed(vd);
	virtio_set_status(vd, 0);
	CHECK_EQ(echo->stops, 1);
	CHECK_EQ(vd->status, 0);
	CHECK_EQ(vd->features, 0);
	CHECK_EQ(vd->config_generation, 0);
	CHECK_EQ(echo->config[0], 0);
	for (unsigned q = 0; q < ECHO_QUEUES; q++) {
		CHECK(!vd->queue[q].is_ready);
		CHECK_EQ(vd->queue[q].desc, 0);
		CHECK_EQ(vd->queue[q].size, ECHO_QUEUE_SIZE);
	}
	virtio_set_status(vd, 0);
	CHECK_EQ(echo->stops, 1); /* it did not run */
}

WITH_DEVICE(test_kick_reaches_running_queues_only)
{
	virtio_device_kick(vd, 0);
	CHECK_EQ(echo->notifies, 0);
	CHECK(vdriver_start(&drv, ~0ULL));
	virtio_device_kick(vd, ECHO_QUEUES);
	virtio_device_kick(vd, UINT32_MAX);
	CHECK_EQ(echo->notifies, 0);
	virtio_device_kick(vd, 1);
	CHECK_EQ(echo->notifies, 1);
	virtio_device_break(vd, "nothing the test would mind");
	virtio_device_kick(vd, 1);
	CHECK_EQ(echo->notifies, 1);
}

WITH_DEVICE(test_break_stops_and_interrupts_once)
{
	CHECK(vdriver_start(&drv, ~0ULL));
	virtio_device_break(vd, "a broken request");
	virtio_device_break(vd, "a broken request");
	CHECK_EQ(vd->status, RUNNING | VIRTIO_STATUS_DEVICE_NEEDS_RESET);
	CHECK_EQ(echo->stops, 1);
	CHECK_EQ(drv.config_irqs, 1);
	CHECK_EQ(vd->bad_rings, 1);
	virtio_set_status(vd, 0);
	CHECK_EQ(echo->stops, 1);
	CHECK_EQ(vd->status, 0);
}

WITH_DEVICE(test_break_before_driver_ok_is_silent)
{
	virtio_set_status(vd, BOUND);
	virtio_device_break(vd, "a broken request");
	CHECK_EQ(vd->status, BOUND | VIRTIO_STATUS_DEVICE_NEEDS_RESET);
	CHECK_EQ(drv.config_irqs, 0);
	CHECK_EQ(echo->stops, 0);
	/* A driver that goes on regardless gets nowhere. */
	virtio_set_features(vd, VERSION_1);
	virtio_set_status(vd, RUNNING);
	CHECK(!virtio_is_live(vd));
	CHECK_EQ(echo->starts, 0);
}

WITH_DEVICE(test_config_change_bumps_the_generation)
{
	virtio_config_changed(vd);
	CHECK_EQ(vd->config_generation, 1);
	CHECK_EQ(drv.config_irqs, 0); /* nobody to tell yet */
	CHECK(vdriver_start(&drv, ~0ULL));
	virtio_config_changed(vd);
	CHECK_EQ(vd->config_generation, 1);
	CHECK_EQ(drv.config_irqs, 1);
}

WITH_DEVICE(test_config_access_is_bounded)
{
	uint8_t buf[16];
	const unsigned len = sizeof(echo->config);
	memset(echo->config, 0x5a, len);
	virtio_config_read(vd, len - 2, buf, 4);
	CHECK(memcmp(buf, "\x5a\x5a\0\0", 4) == 0);
	virtio_config_read(vd, len, buf, 4);
	CHECK(memcmp(buf, "\0\0\0\0", 4) == 0);
	virtio_config_read(vd, UINT32_MAX, buf, 4);
	CHECK(memcmp(buf, "\0\0\0\0", 4) == 0);
	virtio_config_write(vd, len - 2, "1234", 4);
	virtio_config_write(vd, UINT32_MAX, "1234", 4);
	CHECK_EQ(echo->config[len - 1], 0x5a);
	virtio_config_write(vd, len - 2, "12", 2);
	CHECK_EQ(echo->config[len - 1], '2');
}

/* Does the queue take these? */
static bool enables(uint32_t size, gpa_t desc, gpa_t avail, gpa_t used)
{
	struct virtq *vq = &vd->queue[0];
	virtio_set_status(vd, 0);
	virtq_set_size(vq, size);
	vq->desc = desc;
	vq->avail = avail;
	vq->used = used;
	virtq_enable(vq);
	return vq->is_ready;
}

WITH_DEVICE(test_queue_enable_checks_size_and_alignment)
{
	CHECK(enables(ECHO_QUEUE_SIZE, 0x1010, 0x2002, 0x3004));
	CHECK(enables(1, 0x1010, 0x2002, 0x3004));
	CHECK(!enables(0, 0x1010, 0x2002, 0x3004));
	CHECK(!enables(3, 0x1010, 0x2002, 0x3004));
	CHECK(!enables(2 * ECHO_QUEUE_SIZE, 0x1010, 0x2002, 0x3004));
	CHECK(!enables(0x10000 + ECHO_QUEUE_SIZE, 0x1010, 0x2002, 0x3004));
	CHECK(!enables(ECHO_QUEUE_SIZE, 0x1008, 0x2002, 0x3004));
	CHECK(!enables(ECHO_QUEUE_SIZE, 0x1010, 0x2001, 0x3004));
	CHECK(!enables(ECHO_QUEUE_SIZE, 0x1010, 0x2002, 0x3002));
}

WITH_DEVICE(test_queue_is_set_up_once)
{
	CHECK(enables(8, 0x1010, 0x2002, 0x3004));
	virtq_set_size(&vd->queue[0], 4);
	CHECK_EQ(vd->queue[0].size, 8);
	virtio_set_features(vd, VERSION_1);
	virtio_set_status(vd, RUNNING);
	CHECK(virtio_is_live(vd));
	vd->queue[1].desc = 0x1000;
	virtq_enable(&vd->queue[1]);
	CHECK(!vd->queue[1].is_ready); /* too late */
	virtq_disable(&vd->queue[0]);
	CHECK(!vd->queue[0].is_ready);
	virtq_enable(&vd->queue[0]);
	CHECK(!vd->queue[0].is_ready);
}

WITH_DEVICE(test_quiesced_device_leaves_the_rings_alone)
{
	struct vchain chain;
	uint32_t len;
	struct vbuf buf = {0x9000, 4, true};
	CHECK(vdriver_start(&drv, ~0ULL));
	device_quiesce(&vd->dev);
	CHECK(vdriver_add(&drv, 0, &buf, 1, VDRIVER_DIRECT) >= 0);
	vdriver_kick_always(&drv, 0);
	CHECK_EQ(echo->notifies, 0);
	CHECK_EQ(vq_pop(&vd->queue[0], &chain), 0);
	CHECK(!vq_enable_kick(&vd->queue[0], true));
	device_resume(&vd->dev);
	CHECK_EQ(echo->notifies, ECHO_QUEUES); /* every doorbell */
	CHECK(vdriver_reap(&drv, 0, NULL, &len));
}

static struct device *fresh(void *ctx)
{
	struct echo *e = echo_create(ctx);
	return e ? &e->vd.dev : NULL;
}

static void scramble(struct device *dev, void *ctx)
{
	struct vdriver d;
	char in[4];
	vdriver_init(&d, (struct virtio_device *)dev, ctx, 0x1000);
	d.queue_size = 8;
	if (vdriver_start(&d, ~0ULL))
		vdriver_request(&d, 0, "abcd", 4, in, 4);
	d.vd->transport = NULL; /* d goes out of scope */
}

static void test_echo_conforms(void)
{
	struct gmem *mem;
	CHECK_EQ(gmem_create(&mem, 1 << 20), 0);
	const struct conformance c = {.create = fresh, .scramble = scramble, .ctx = mem};
	conformance_check(&c);
	gmem_destroy(mem);
}

/* A saved device goes on in a twin where it stood, rings and all. */
WITH_DEVICE(test_load_continues_the_rings)
{
	struct state *st;
	size_t len;
	char in[4] = "";
	CHECK(vdriver_start(&drv, ~0ULL));
	for (unsigned i = 0; i < 20; i++)
		CHECK_EQ(vdriver_request(&drv, 0, "abc", 3, in, 3), 3);
	echo->is_lazy = true;
	struct vbuf bufs[] = {{vdriver_put(&drv, "xyz", 3), 3, false}, {0x9000, 3, true}};
	CHECK(vdriver_add(&drv, 0, bufs, 2, VDRIVER_DIRECT) >= 0);
	CHECK(vdriver_kick(&drv, 0)); /* rung, not looked at */
	device_quiesce(&vd->dev);
	CHECK_EQ(state_create_save(&st), 0);
	device_state(&vd->dev, st);
	CHECK_EQ(state_error(st), 0);
	const void *saved = state_data(st, &len);

	struct echo *twin = echo_create(gm);
	CHECK(twin != NULL);
	struct state *load;
	CHECK_EQ(state_create_load(&load, saved, len), 0);
	device_quiesce(&twin->vd.dev);
	device_state(&twin->vd.dev, load);
	CHECK_EQ(state_error(load), 0);
	state_destroy(load);
	state_destroy(st);
	CHECK_EQ(twin->starts, 1);
	CHECK_EQ(twin->chains, 20);
	device_resume(&twin->vd.dev);
	CHECK_EQ(twin->chains, 21);
	CHECK(vdriver_reap(&drv, 0, NULL, NULL));
	CHECK_EQ(gmem_read(gm, 0x9000, in, 3), 0);
	CHECK_STR(in, "xyz");
	device_destroy(&twin->vd.dev);
}

/* Saves what the test has made of the device, which could not come about, and loads it. */
static bool is_refused(void)
{
	struct state *st, *load;
	size_t len;
	if (state_create_save(&st) != 0)
		return false;
	device_state(&vd->dev, st);
	const void *data = state_data(st, &len);
	if (state_create_load(&load, data, len) != 0)
		return false;
	device_state(&vd->dev, load);
	bool is_reset = vd->status == 0 && vd->features == 0 && !vd->queue[0].is_ready &&
			vd->queue[0].used_idx == 0;
	bool refused = state_error(load) == -EINVAL && is_reset;
	state_destroy(load);
	state_destroy(st);
	return refused && vdriver_start(&drv, ~0ULL); /* as good as new */
}

WITH_DEVICE(test_load_refuses_states_that_cannot_be)
{
	CHECK(vdriver_start(&drv, ~0ULL));
	vd->status |= 0x10;
	CHECK(is_refused());
	vd->status = VIRTIO_STATUS_DRIVER_OK; /* without FEATURES_OK */
	CHECK(is_refused());
	vd->features |= 1ULL << 50;
	CHECK(is_refused());
	vd->features &= ~VERSION_1;
	CHECK(is_refused());
	vd->queue[0].size = 2 * ECHO_QUEUE_SIZE;
	CHECK(is_refused());
	vd->queue[0].size = 3;
	CHECK(is_refused());
	vd->queue[0].desc += 8;
	CHECK(is_refused());
	vd->queue[0].used = UINT64_MAX - 3;
	CHECK(is_refused());
	vd->queue[0].avail_idx = (uint16_t)(vd->queue[0].used_idx + ECHO_QUEUE_SIZE + 1);
	CHECK(is_refused());
	virtq_disable(&vd->queue[1]);
	vd->queue[1].avail_idx = 1;
	CHECK(is_refused());
	vd->queue_count--; /* a device with fewer queues */
	struct state *st, *load;
	size_t len;
	CHECK_EQ(state_create_save(&st), 0);
	device_state(&vd->dev, st);
	vd->queue_count++;
	const void *data = state_data(st, &len);
	CHECK_EQ(state_create_load(&load, data, len), 0);
	device_state(&vd->dev, load);
	CHECK(state_error(load) != 0);
	state_destroy(load);
	state_destroy(st);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_core_features_are_offered),
		TEST_CASE(test_features_ok_needs_version_1),
		TEST_CASE(test_features_ok_refuses_what_was_not_offered),
		TEST_CASE(test_features_are_final_after_features_ok),
		TEST_CASE(test_driver_ok_needs_features_ok),
		TEST_CASE(test_driver_ok_starts_once),
		TEST_CASE(test_status_bits_are_not_cleared_one_by_one),
		TEST_CASE(test_driver_cannot_set_needs_reset),
		TEST_CASE(test_status_0_is_a_full_reset),
		TEST_CASE(test_kick_reaches_running_queues_only),
		TEST_CASE(test_break_stops_and_interrupts_once),
		TEST_CASE(test_break_before_driver_ok_is_silent),
		TEST_CASE(test_config_change_bumps_the_generation),
		TEST_CASE(test_config_access_is_bounded),
		TEST_CASE(test_queue_enable_checks_size_and_alignment),
		TEST_CASE(test_queue_is_set_up_once),
		TEST_CASE(test_quiesced_device_leaves_the_rings_alone),
		TEST_CASE(test_echo_conforms),
		TEST_CASE(test_load_continues_the_rings),
		TEST_CASE(test_load_refuses_states_that_cannot_be),
	};
	return TEST_RUN(cases);
}
