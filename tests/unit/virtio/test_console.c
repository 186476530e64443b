/* The virtio console between a driver and a backend. */
#include "conformance.h"
#include "fakes.h"
#include "test.h"
#include "vdriver.h"

#include <tinyvm/state.h>

#define RAM	     (1 << 20)
#define RECEIVEQ     0
#define TRANSMITQ    1
#define F_SIZE	     (1ULL << 0)
#define CONFIG_COLS  0
#define CONFIG_EMERG 8

struct bench {
	struct gmem *gm;
	struct virtio_device *vd;
	struct fake_chardev cd;
	struct vdriver drv;
};

static bool setup(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	fake_chardev_init(&b->cd);
	if (gmem_create(&b->gm, RAM) != 0 ||
	    virtio_console_create(&b->vd, "console0", b->gm, &b->cd.cd) != 0)
		return false;
	vdriver_init(&b->drv, b->vd, b->gm, 0x1000);
	return true;
}

static bool start(struct bench *b)
{
	return setup(b) && vdriver_start(&b->drv, ~0ULL);
}

static void teardown(struct bench *b)
{
	device_destroy(virtio_to_device(b->vd));
	gmem_destroy(b->gm);
}

static gpa_t add_receive_buffer(struct bench *b, uint32_t len)
{
	gpa_t gpa = vdriver_alloc(&b->drv, len, 16);
	struct vbuf buf = {gpa, len, true};
	vdriver_add(&b->drv, RECEIVEQ, &buf, 1, VDRIVER_DIRECT);
	return gpa;
}

static void test_console_transmits_all_segments_of_a_chain(void)
{
	struct bench b;
	uint16_t head;
	uint32_t len;
	CHECK(start(&b));
	struct vbuf bufs[] = {{vdriver_put(&b.drv, "hello, ", 7), 7, false},
			      {vdriver_put(&b.drv, "world", 5), 5, false}};
	vdriver_add(&b.drv, TRANSMITQ, bufs, 2, VDRIVER_DIRECT);
	vdriver_add(&b.drv, TRANSMITQ, bufs, 2, VDRIVER_INDIRECT);
	CHECK(vdriver_kick(&b.drv, TRANSMITQ));
	CHECK_EQ(b.cd.out_len, 24);
	CHECK(memcmp(b.cd.out, "hello, worldhello, world", 24) == 0);
	CHECK(vdriver_reap(&b.drv, TRANSMITQ, &head, &len));
	CHECK_EQ(len, 0);
	CHECK(vdriver_reap(&b.drv, TRANSMITQ, &head, &len));
	CHECK_EQ(b.drv.queue_irqs[TRANSMITQ], 1);
	teardown(&b);
}

static void test_console_long_chain_goes_out_whole(void)
{
	struct bench b;
	static uint8_t text[3000];
	CHECK(start(&b));
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7);
	CHECK_EQ(vdriver_request(&b.drv, TRANSMITQ, text, sizeof(text), NULL, 0), 0);
	CHECK_EQ(b.cd.out_len, sizeof(text));
	CHECK(memcmp(b.cd.out, text, sizeof(text)) == 0);
	teardown(&b);
}

static void test_console_blocked_backend_keeps_the_chain(void)
{
	struct bench b;
	uint16_t head;
	uint32_t len;
	CHECK(start(&b));
	b.cd.is_blocked = true;
	b.cd.room = 4;
	struct vbuf first = {vdriver_put(&b.drv, "0123456789", 10), 10, false};
	struct vbuf second = {vdriver_put(&b.drv, "abc", 3), 3, false};
	vdriver_add(&b.drv, TRANSMITQ, &first, 1, VDRIVER_DIRECT);
	vdriver_kick(&b.drv, TRANSMITQ);
	CHECK(!vdriver_reap(&b.drv, TRANSMITQ, &head, &len));
	vdriver_add(&b.drv, TRANSMITQ, &second, 1, VDRIVER_DIRECT);
	vdriver_kick(&b.drv, TRANSMITQ);
	fake_chardev_unblock(&b.cd);
	CHECK(vdriver_reap(&b.drv, TRANSMITQ, &head, &len));
	CHECK(vdriver_reap(&b.drv, TRANSMITQ, &head, &len));
	CHECK_EQ(b.cd.out_len, 13);
	CHECK(memcmp(b.cd.out, "0123456789abc", 13) == 0);
	teardown(&b);
}

/* A backend that takes everything, and lets a driver on another vCPU send more meanwhile. */
struct endless {
	struct chardev cd;
	struct vdriver *drv;
	unsigned writes;
};

static void endless_attach(struct chardev *cd, const struct chardev_client *client, void *ctx,
			   struct device *dev)
{
	(void)cd, (void)client, (void)ctx, (void)dev;
}

static size_t endless_write(struct chardev *cd, const uint8_t *buf, size_t len)
{
	struct endless *e = (struct endless *)cd;
	uint16_t head;
	uint32_t used;
	struct vbuf more = {0x8000, 1, false};
	(void)buf;
	e->writes++;
	vdriver_reap(e->drv, TRANSMITQ, &head, &used);
	vdriver_add(e->drv, TRANSMITQ, &more, 1, VDRIVER_DIRECT);
	return len;
}

static void test_console_endless_output_takes_turns(void)
{
	static const struct chardev_ops ops = {.attach = endless_attach, .write = endless_write};
	struct bench b;
	struct endless e = {.cd = {.ops = &ops}, .drv = &b.drv};
	struct vbuf first = {0x8000, 1, false};
	memset(&b, 0, sizeof(b));
	CHECK_EQ(gmem_create(&b.gm, RAM), 0);
	CHECK_EQ(virtio_console_create(&b.vd, "console0", b.gm, &e.cd), 0);
	vdriver_init(&b.drv, b.vd, b.gm, 0x1000);
	CHECK(vdriver_start(&b.drv, ~0ULL));
	vdriver_add(&b.drv, TRANSMITQ, &first, 1, VDRIVER_DIRECT);
	vdriver_kick_always(&b.drv, TRANSMITQ);
	CHECK(e.writes > 100);
	CHECK(e.writes < 10000);
	CHECK_EQ(b.drv.self_rings[TRANSMITQ], 1);
	teardown(&b);
}

static void test_console_input_waits_for_the_driver(void)
{
	struct bench b;
	uint16_t head;
	uint32_t len;
	char text[8] = {0};
	CHECK(setup(&b));
	CHECK_EQ(fake_chardev_type(&b.cd, "hello", 5), 0);
	CHECK(vdriver_start(&b.drv, ~0ULL));
	CHECK_EQ(b.cd.resumes, 1);
	CHECK_EQ(fake_chardev_type(&b.cd, "hello", 5), 0); /* no buffer yet */
	gpa_t gpa = add_receive_buffer(&b, 16);
	CHECK(vdriver_kick(&b.drv, RECEIVEQ));
	CHECK_EQ(b.cd.resumes, 2);
	CHECK_EQ(fake_chardev_type(&b.cd, "hello", 5), 5);
	CHECK(vdriver_reap(&b.drv, RECEIVEQ, &head, &len));
	CHECK_EQ(len, 5);
	CHECK_EQ(gmem_read(b.gm, gpa, text, 5), 0);
	CHECK_STR(text, "hello");
	CHECK_EQ(b.drv.queue_irqs[RECEIVEQ], 1);
	teardown(&b);
}

static void test_console_never_takes_more_than_the_buffer_holds(void)
{
	struct bench b;
	uint16_t head;
	uint32_t len;
	CHECK(start(&b));
	add_receive_buffer(&b, 3);
	add_receive_buffer(&b, 100);
	vdriver_kick(&b.drv, RECEIVEQ);
	CHECK_EQ(fake_chardev_type(&b.cd, "hello", 5), 3);
	CHECK_EQ(fake_chardev_type(&b.cd, "lo", 2), 2);
	CHECK_EQ(fake_chardev_type(&b.cd, "x", 1), 0);
	CHECK(vdriver_reap(&b.drv, RECEIVEQ, &head, &len));
	CHECK_EQ(len, 3);
	CHECK(vdriver_reap(&b.drv, RECEIVEQ, &head, &len));
	CHECK_EQ(len, 2);
	teardown(&b);
}

static void test_console_reset_forgets_the_chains_it_held(void)
{
	struct bench b;
	CHECK(start(&b));
	add_receive_buffer(&b, 16);
	vdriver_kick(&b.drv, RECEIVEQ);
	device_lock(virtio_to_device(b.vd));
	CHECK_EQ(b.cd.client->room(b.cd.ctx), 16);
	device_unlock(virtio_to_device(b.vd));
	b.cd.is_blocked = true;
	struct vbuf out = {vdriver_put(&b.drv, "lost", 4), 4, false};
	vdriver_add(&b.drv, TRANSMITQ, &out, 1, VDRIVER_DIRECT);
	vdriver_kick(&b.drv, TRANSMITQ);
	vdriver_reset(&b.drv);
	fake_chardev_unblock(&b.cd);
	CHECK_EQ(b.cd.out_len, 0);
	CHECK_EQ(fake_chardev_type(&b.cd, "x", 1), 0);
	CHECK(vdriver_start(&b.drv, ~0ULL));
	CHECK_EQ(vdriver_request(&b.drv, TRANSMITQ, "again", 5, NULL, 0), 0);
	CHECK_EQ(b.cd.out_len, 5);
	teardown(&b);
}

static void resize(struct bench *b, uint16_t cols, uint16_t rows)
{
	device_lock(virtio_to_device(b->vd));
	b->cd.client->resized(b->cd.ctx, cols, rows);
	device_unlock(virtio_to_device(b->vd));
}

static void test_console_tells_the_driver_the_size(void)
{
	struct bench b;
	uint16_t size[2];
	CHECK(setup(&b));
	resize(&b, 80, 25);
	CHECK(vdriver_start(&b.drv, ~0ULL));
	CHECK_EQ(b.drv.config_irqs, 0);
	b.drv.wire->config_read(&b.drv, CONFIG_COLS, size, sizeof(size));
	CHECK_EQ(size[0], 80);
	CHECK_EQ(size[1], 25);
	resize(&b, 132, 50);
	CHECK_EQ(b.drv.config_irqs, 1);
	resize(&b, 132, 50);
	CHECK_EQ(b.drv.config_irqs, 1);
	b.drv.wire->config_read(&b.drv, CONFIG_COLS, size, sizeof(size));
	CHECK_EQ(size[0], 132);
	teardown(&b);
}

static void test_console_without_f_size_raises_no_config_interrupt(void)
{
	struct bench b;
	CHECK(setup(&b));
	CHECK(vdriver_start(&b.drv, ~F_SIZE));
	resize(&b, 132, 50);
	CHECK_EQ(b.drv.config_irqs, 0);
	teardown(&b);
}

static void test_console_emergency_write_needs_no_queue(void)
{
	struct bench b;
	uint32_t bang = '!', garbage = 0xffffffff, value;
	CHECK(setup(&b));
	b.drv.wire->config_write(&b.drv, CONFIG_EMERG, &bang, sizeof(bang));
	CHECK_EQ(b.cd.out_len, 1);
	CHECK_EQ(b.cd.out[0], '!');
	b.drv.wire->config_write(&b.drv, CONFIG_COLS, &garbage, sizeof(garbage));
	CHECK_EQ(b.cd.out_len, 1);
	b.drv.wire->config_read(&b.drv, CONFIG_COLS, &value, sizeof(value));
	CHECK_EQ(value, 0);
	teardown(&b);
}

static void test_console_half_sent_chain_goes_on_after_quiesce(void)
{
	struct bench b;
	uint16_t head;
	uint32_t len;
	CHECK(start(&b));
	b.cd.is_blocked = true;
	b.cd.room = 4;
	struct vbuf out = {vdriver_put(&b.drv, "0123456789", 10), 10, false};
	vdriver_add(&b.drv, TRANSMITQ, &out, 1, VDRIVER_DIRECT);
	vdriver_kick(&b.drv, TRANSMITQ);
	device_quiesce(virtio_to_device(b.vd));
	fake_chardev_unblock(&b.cd); /* quiet means quiet */
	CHECK_EQ(b.cd.out_len, 4);
	device_resume(virtio_to_device(b.vd));
	CHECK_EQ(b.cd.out_len, 10);
	CHECK(memcmp(b.cd.out, "0123456789", 10) == 0);
	CHECK(vdriver_reap(&b.drv, TRANSMITQ, &head, &len));
	CHECK(!vdriver_reap(&b.drv, TRANSMITQ, &head, &len));
	teardown(&b);
}

/* All devices of the suite share one guest memory and one backend. */
static struct device *fresh(void *ctx)
{
	struct bench *b = ctx;
	struct virtio_device *vd;
	return virtio_console_create(&vd, "console0", b->gm, &b->cd.cd) == 0 ? virtio_to_device(vd)
									     : NULL;
}

static void scramble(struct device *dev, void *ctx)
{
	struct bench *b = ctx;
	b->cd.is_blocked = true;
	b->cd.room = 4;
	vdriver_init(&b->drv, (struct virtio_device *)dev, b->gm, 0x1000);
	if (!vdriver_start(&b->drv, ~0ULL))
		return;
	add_receive_buffer(b, 16);
	struct vbuf out = {vdriver_put(&b->drv, "0123456789", 10), 10, false};
	vdriver_add(&b->drv, TRANSMITQ, &out, 1, VDRIVER_DIRECT);
	vdriver_kick_always(&b->drv, TRANSMITQ);
}

static void test_console_conforms(void)
{
	struct bench b = {0};
	fake_chardev_init(&b.cd);
	CHECK_EQ(gmem_create(&b.gm, RAM), 0);
	conformance_check(&(struct conformance){.create = fresh, .scramble = scramble, .ctx = &b});
	gmem_destroy(b.gm);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_console_transmits_all_segments_of_a_chain),
		TEST_CASE(test_console_long_chain_goes_out_whole),
		TEST_CASE(test_console_blocked_backend_keeps_the_chain),
		TEST_CASE(test_console_endless_output_takes_turns),
		TEST_CASE(test_console_input_waits_for_the_driver),
		TEST_CASE(test_console_never_takes_more_than_the_buffer_holds),
		TEST_CASE(test_console_reset_forgets_the_chains_it_held),
		TEST_CASE(test_console_tells_the_driver_the_size),
		TEST_CASE(test_console_without_f_size_raises_no_config_interrupt),
		TEST_CASE(test_console_emergency_write_needs_no_queue),
		TEST_CASE(test_console_half_sent_chain_goes_on_after_quiesce),
		TEST_CASE(test_console_conforms),
	};
	return TEST_RUN(cases);
}
