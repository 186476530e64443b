/* The entropy device with a source that counts and runs dry on demand. */
#include "conformance.h"
#include "test.h"
#include "vdriver.h"
#include <tinyvm/gmem.h>

struct source {
	uint8_t next;
	unsigned calls;
	int fail_from;		/* this call and later ones fail; 0: never */
	struct vdriver *refill; /* a driver on another vCPU, which adds buffers without end */
};

/* Takes back what was used and makes it available again. */
static void source_refill(struct vdriver *drv)
{
	uint16_t head;
	uint32_t len;
	struct vbuf buf = {0x8000, 16, true};
	vdriver_reap(drv, 0, &head, &len);
	vdriver_add(drv, 0, &buf, 1, VDRIVER_DIRECT);
}

static int source_fill(void *ctx, void *buf, size_t len)
{
	struct source *s = ctx;
	s->calls++;
	if (s->refill)
		source_refill(s->refill);
	if (s->fail_from && s->calls >= (unsigned)s->fail_from)
		return -EAGAIN;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)(s->next++ % 251 + 1); /* never 0 */
	return 0;
}

struct world {
	struct gmem *gm;
	struct source source;
	struct virtio_device *vd;
	struct vdriver drv;
};

static void world_init(struct world *w)
{
	w->source = (struct source){0};
	struct entropy entropy = {.fill = source_fill, .ctx = &w->source};
	if (gmem_create(&w->gm, 1 << 20) != 0 ||
	    virtio_rng_create(&w->vd, "rng0", w->gm, entropy) != 0)
		abort();
	vdriver_init(&w->drv, w->vd, w->gm, 0x1000);
	if (!vdriver_start(&w->drv, ~0ULL))
		abort();
}

static void world_fini(struct world *w)
{
	device_destroy(virtio_to_device(w->vd));
	gmem_destroy(w->gm);
}

static void test_buffer_is_filled(void)
{
	struct world w;
	uint8_t in[1000];
	world_init(&w);
	CHECK_EQ(vdriver_request(&w.drv, 0, NULL, 0, in, sizeof(in)), sizeof(in));
	for (unsigned i = 0; i < sizeof(in); i++)
		CHECK(in[i] != 0);
	CHECK_EQ(w.drv.queue_irqs[0], 1);
	world_fini(&w);
}

static void test_large_buffer_is_filled_in_part(void)
{
	struct world w;
	static uint8_t in[100000];
	world_init(&w);
	CHECK_EQ(vdriver_request(&w.drv, 0, NULL, 0, in, sizeof(in)), 4096);
	CHECK(in[4095] != 0);
	CHECK_EQ(in[4096], 0);
	world_fini(&w);
}

/* Section 5.4.6.1: one or more bytes; so without any the buffer is kept. */
static void test_dry_source_keeps_the_buffer(void)
{
	struct world w;
	uint8_t in[64];
	uint16_t head;
	uint32_t len;
	world_init(&w);
	w.source.fail_from = 1;
	CHECK_EQ(vdriver_request(&w.drv, 0, NULL, 0, in, sizeof(in)), -1);
	CHECK(!vdriver_is_broken(&w.drv));
	w.source.fail_from = 0;
	vdriver_kick_always(&w.drv, 0);
	CHECK(vdriver_reap(&w.drv, 0, &head, &len));
	CHECK_EQ(len, 64);
	world_fini(&w);
}

static void test_source_that_dries_up_gives_what_it_gave(void)
{
	struct world w;
	static uint8_t in[2048];
	world_init(&w);
	w.source.fail_from = 3;
	CHECK_EQ(vdriver_request(&w.drv, 0, NULL, 0, in, sizeof(in)), 512);
	world_fini(&w);
}

static void test_buffers_without_room_come_back_empty(void)
{
	struct world w;
	uint8_t out[16] = {0}, in[16];
	world_init(&w);
	CHECK_EQ(vdriver_request(&w.drv, 0, out, sizeof(out), NULL, 0), 0);
	CHECK_EQ(w.vd->bad_requests, 1);
	CHECK_EQ(vdriver_request(&w.drv, 0, NULL, 0, in, sizeof(in)), sizeof(in));
	world_fini(&w);
}

static void test_driver_that_refills_without_end_loses_its_turn_not_its_buffers(void)
{
	struct world w;
	uint16_t head;
	uint32_t len;
	unsigned done = 0;
	world_init(&w);
	w.source.refill = &w.drv;
	source_refill(&w.drv);
	vdriver_kick_always(&w.drv, 0);
	CHECK(w.source.calls < 10000);
	CHECK_EQ(w.drv.self_rings[0], 1);

	w.source.refill = NULL;
	while (vdriver_reap(&w.drv, 0, &head, &len))
		;
	vdriver_kick_always(&w.drv, 0); /* what the ring leads to */
	while (vdriver_reap(&w.drv, 0, &head, &len))
		done++;
	CHECK(done > 0);
	CHECK_EQ(w.drv.self_rings[0], 1);
	world_fini(&w);
}

static struct device *conform_create(void *ctx)
{
	struct world *w = ctx;
	struct virtio_device *vd;
	struct entropy entropy = {.fill = source_fill, .ctx = &w->source};
	return virtio_rng_create(&vd, "rng0", w->gm, entropy) == 0 ? virtio_to_device(vd) : NULL;
}

static void conform_scramble(struct device *dev, void *ctx)
{
	struct world *w = ctx;
	struct vdriver drv;
	uint8_t in[100];
	vdriver_init(&drv, (struct virtio_device *)dev, w->gm, 0x1000);
	vdriver_reset(&drv);
	if (vdriver_start(&drv, ~0ULL))
		vdriver_request(&drv, 0, NULL, 0, in, sizeof(in));
}

static void test_device_conforms(void)
{
	struct world w;
	world_init(&w);
	struct conformance c = {.create = conform_create, .scramble = conform_scramble, .ctx = &w};
	conformance_check(&c);
	world_fini(&w);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_buffer_is_filled),
		TEST_CASE(test_large_buffer_is_filled_in_part),
		TEST_CASE(test_dry_source_keeps_the_buffer),
		TEST_CASE(test_source_that_dries_up_gives_what_it_gave),
		TEST_CASE(test_buffers_without_room_come_back_empty),
		TEST_CASE(test_driver_that_refills_without_end_loses_its_turn_not_its_buffers),
		TEST_CASE(test_device_conforms),
	};
	return TEST_RUN(cases);
}
