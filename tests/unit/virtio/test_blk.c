/* The block device against a disk in memory that fails, delays and reorders on demand. */
#include "conformance.h"
#include "fakeblock.h"
#include "test.h"
#include "vdriver.h"
#include <limits.h>
#include <spec/virtio_blk.h>
#include <stddef.h>
#include <tinyvm/gmem.h>

#define DISK_SIZE   (1u << 20)
#define SECTORS	    (DISK_SIZE / 512)
#define MEMORY_SIZE (4u << 20)
#define BASE	    0x1000
#define F(bit)	    (1ULL << VIRTIO_BLK_F_##bit)

/* One world: memory, a disk, the device, a driver that has started it. */
struct world {
	struct gmem *gm;
	struct fakeblock fake;
	struct virtio_device *vd;
	struct vdriver drv;
};

static void world_init(struct world *w, unsigned queues, uint64_t features)
{
	if (gmem_create(&w->gm, MEMORY_SIZE) != 0)
		abort();
	fakeblock_init(&w->fake, DISK_SIZE);
	if (virtio_blk_create(&w->vd, "blk0", w->gm, &w->fake.blk, "serial-1", queues) != 0)
		abort();
	vdriver_init(&w->drv, w->vd, w->gm, BASE);
	if (!vdriver_start(&w->drv, features))
		abort();
}

static void world_fini(struct world *w)
{
	device_destroy(virtio_to_device(w->vd));
	fakeblock_fini(&w->fake);
	gmem_destroy(w->gm);
}

/* A request in guest memory and the chain that describes it. */
struct request {
	gpa_t header, data, status;
	uint32_t data_len;
	int head;
};

static void request_put(struct world *w, unsigned q, struct request *r, uint32_t type,
			uint64_t sector, const void *data, uint32_t len)
{
	bool is_in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	struct virtio_blk_req_header header = {.type = type, .sector = sector};
	uint8_t none = 0xff;
	r->header = vdriver_put(&w->drv, &header, sizeof(header));
	r->data = is_in ? vdriver_alloc(&w->drv, len ? len : 1, 16)
			: vdriver_put(&w->drv, data ? data : &none, len ? len : 1);
	r->status = vdriver_put(&w->drv, &none, 1);
	r->data_len = len;
	struct vbuf bufs[] = {
		{r->header, sizeof(header), false}, {r->data, len, is_in}, {r->status, 1, true}};
	if (len == 0)
		bufs[1] = bufs[2];
	r->head = vdriver_add(&w->drv, q, bufs, len ? 3 : 2, VDRIVER_DIRECT);
	if (r->head < 0)
		abort();
}

static uint8_t status_of(struct world *w, const struct request *r)
{
	uint8_t status = 0xee;
	return gmem_read(w->gm, r->status, &status, 1) == 0 ? status : 0xee;
}

/* Sends one, which is answered at once. Return: the status byte; 0xfe when no answer came. */
static uint8_t ask(struct world *w, uint32_t type, uint64_t sector, void *data, uint32_t len,
		   uint32_t *ret_used)
{
	struct request r;
	uint16_t head;
	uint32_t used = 0;
	request_put(w, 0, &r, type, sector, data, len);
	vdriver_kick(&w->drv, 0);
	if (!vdriver_reap(&w->drv, 0, &head, &used) || head != r.head)
		return 0xfe;
	if (type == VIRTIO_BLK_T_IN && data && gmem_read(w->gm, r.data, data, len) != 0)
		return 0xfd;
	if (type == VIRTIO_BLK_T_GET_ID && gmem_read(w->gm, r.data, data, len) != 0)
		return 0xfd;
	if (ret_used)
		*ret_used = used;
	return status_of(w, &r);
}

static void pattern(uint8_t *buf, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(seed + i * 3 + (i >> 8));
}

static void test_config_describes_the_disk(void)
{
	struct world w;
	struct virtio_blk_config c;
	world_init(&w, 3, ~0ULL);
	CHECK_EQ(w.drv.features & (F(SEG_MAX) | F(FLUSH) | F(MQ) | F(DISCARD) | F(WRITE_ZEROES)),
		 F(SEG_MAX) | F(FLUSH) | F(MQ) | F(DISCARD) | F(WRITE_ZEROES));
	CHECK_EQ(w.drv.features & F(RO), 0);
	w.drv.wire->config_read(&w.drv, 0, &c, sizeof(c));
	CHECK_EQ(c.capacity, SECTORS);
	CHECK_EQ(c.seg_max, 254);
	CHECK_EQ(c.blk_size, 512);
	CHECK_EQ(c.physical_block_exp, 3);
	CHECK_EQ(c.min_io_size, 8);
	CHECK_EQ(c.num_queues, 3);
	CHECK_EQ(c.cylinders, SECTORS / (16 * 63));
	CHECK_EQ(c.writeback, 1);
	CHECK_EQ(c.max_discard_seg, 1);
	CHECK_EQ(c.discard_sector_alignment, 8);
	world_fini(&w);
}

static void test_write_then_read(void)
{
	struct world w;
	static uint8_t out[8192], in[8192];
	uint32_t used;
	world_init(&w, 1, ~0ULL);
	pattern(out, sizeof(out), 1);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_OUT, 5, out, sizeof(out), &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, 1);
	CHECK(memcmp(w.fake.data + (size_t)5 * 512, out, sizeof(out)) == 0);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_IN, 5, in, sizeof(in), &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, sizeof(in) + 1);
	CHECK(memcmp(in, out, sizeof(in)) == 0);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, 1);
	CHECK_EQ(w.fake.count[BLOCK_FLUSH], 1);
	world_fini(&w);
}

/* Section 2.6.4: the driver may cut a request where it likes. */
static void test_any_framing(void)
{
	struct world w;
	uint8_t out[1024], in[1025], header[16 + 1024];
	world_init(&w, 1, ~0ULL);
	pattern(out, sizeof(out), 2);
	struct virtio_blk_req_header h = {.type = VIRTIO_BLK_T_OUT, .sector = 7};
	memcpy(header, &h, sizeof(h));
	memcpy(header + 16, out, sizeof(out));
	gpa_t at = vdriver_put(&w.drv, header, sizeof(header));
	gpa_t status = vdriver_alloc(&w.drv, 4, 4);
	/* Header in two, the second half with data; the rest of the data byte by byte and so on. */
	struct vbuf cut[] = {{at, 3, false},
			     {at + 3, 20, false},
			     {at + 23, 1, false},
			     {at + 24, 1016, false},
			     {status, 1, true}};
	uint16_t head;
	uint32_t used;
	uint8_t s;
	for (unsigned layout = VDRIVER_DIRECT; layout <= VDRIVER_INDIRECT; layout++) {
		memset(w.fake.data, 0, DISK_SIZE);
		CHECK(vdriver_add(&w.drv, 0, cut, 5, (enum vdriver_layout)layout) >= 0);
		vdriver_kick(&w.drv, 0);
		CHECK(vdriver_reap(&w.drv, 0, &head, &used));
		CHECK_EQ(gmem_read(w.gm, status, &s, 1), 0);
		CHECK_EQ(s, VIRTIO_BLK_S_OK);
		CHECK(memcmp(w.fake.data + (size_t)7 * 512, out, sizeof(out)) == 0);
	}

	/* Data and status in one buffer. */
	h.type = VIRTIO_BLK_T_IN;
	at = vdriver_put(&w.drv, &h, sizeof(h));
	gpa_t data = vdriver_alloc(&w.drv, sizeof(in), 1);
	struct vbuf merged[] = {{at, sizeof(h), false}, {data, 1, true}, {data + 1, 1024, true}};
	CHECK(vdriver_add(&w.drv, 0, merged, 3, VDRIVER_DIRECT) >= 0);
	vdriver_kick(&w.drv, 0);
	CHECK(vdriver_reap(&w.drv, 0, &head, &used));
	CHECK_EQ(used, 1025);
	CHECK_EQ(gmem_read(w.gm, data, in, sizeof(in)), 0);
	CHECK(memcmp(in, out, 1024) == 0);
	CHECK_EQ(in[1024], VIRTIO_BLK_S_OK);
	world_fini(&w);
}

static void test_bad_requests_are_refused(void)
{
	struct world w;
	uint8_t buf[1024] = {0};
	world_init(&w, 1, ~0ULL);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_IN, SECTORS, buf, 512, NULL), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_IN, SECTORS - 1, buf, 1024, NULL), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_IN, UINT64_MAX, buf, 512, NULL), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_IN, 1ULL << 55, buf, 512, NULL), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_OUT, 0, buf, 100, NULL), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_OUT, 0, NULL, 0, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(ask(&w, 99, 0, buf, 512, NULL), VIRTIO_BLK_S_UNSUPP);
	CHECK_EQ(w.vd->bad_requests, 6);
	CHECK_EQ(w.fake.count[BLOCK_READ] + w.fake.count[BLOCK_WRITE], 0);

	/* A header cut short is refused where there is a status byte to say so. */
	gpa_t at = vdriver_alloc(&w.drv, 32, 16);
	struct vbuf brief[] = {{at, 15, false}, {at + 16, 1, true}};
	uint16_t head;
	uint32_t used;
	uint8_t s;
	CHECK(vdriver_add(&w.drv, 0, brief, 2, VDRIVER_DIRECT) >= 0);
	vdriver_kick(&w.drv, 0);
	CHECK(vdriver_reap(&w.drv, 0, &head, &used));
	CHECK_EQ(gmem_read(w.gm, at + 16, &s, 1), 0);
	CHECK_EQ(s, VIRTIO_BLK_S_IOERR);
	CHECK(!vdriver_is_broken(&w.drv));
	world_fini(&w);
}

static void test_no_room_for_status_breaks_the_device(void)
{
	struct world w;
	uint8_t buf[512] = {0};
	world_init(&w, 1, ~0ULL);
	struct virtio_blk_req_header h = {.type = VIRTIO_BLK_T_OUT};
	gpa_t at = vdriver_put(&w.drv, &h, sizeof(h));
	struct vbuf bufs[] = {{at, sizeof(h), false}};
	CHECK(vdriver_add(&w.drv, 0, bufs, 1, VDRIVER_DIRECT) >= 0);
	vdriver_kick(&w.drv, 0);
	CHECK(vdriver_is_broken(&w.drv));
	CHECK_EQ(w.drv.config_irqs, 1);
	vdriver_reset(&w.drv);
	CHECK(vdriver_start(&w.drv, ~0ULL));
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_IN, 0, buf, 512, NULL), VIRTIO_BLK_S_OK);
	world_fini(&w);
}

static void test_get_id(void)
{
	struct world w;
	char id[20];
	uint32_t used;
	world_init(&w, 1, ~0ULL);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_GET_ID, 0, id, sizeof(id), &used), VIRTIO_BLK_S_OK);
	CHECK_EQ(used, 21);
	CHECK(memcmp(id, "serial-1\0\0\0\0\0\0\0\0\0\0\0", 20) == 0);
	world_fini(&w);
}

static void test_host_errors_reach_the_guest(void)
{
	static const int errors[] = {-ENOSPC, -EIO, -EDQUOT, -EFBIG};
	struct world w;
	uint8_t buf[1024];
	uint32_t used;
	world_init(&w, 1, ~0ULL);
	w.fake.is_short = true;
	for (unsigned i = 0; i < 4; i++) {
		memset(buf, 1, sizeof(buf));
		w.fake.fail_at = 1;
		w.fake.fail_with = errors[i];
		CHECK_EQ(ask(&w, VIRTIO_BLK_T_OUT, 0, buf, 1024, &used), VIRTIO_BLK_S_IOERR);
		w.fake.fail_at = 1;
		CHECK_EQ(ask(&w, VIRTIO_BLK_T_IN, 0, buf, 1024, &used), VIRTIO_BLK_S_IOERR);
		CHECK_EQ(used, 1);
		w.fake.fail_at = 1;
		CHECK_EQ(ask(&w, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, NULL), VIRTIO_BLK_S_IOERR);
		CHECK_EQ(ask(&w, VIRTIO_BLK_T_IN, 0, buf, 1024, NULL), VIRTIO_BLK_S_OK);
	}
	world_fini(&w);
}

static void test_discard_and_write_zeroes(void)
{
	struct world w;
	world_init(&w, 1, ~0ULL);
	memset(w.fake.data, 0xaa, DISK_SIZE);
	struct virtio_blk_range range = {.sector = 8, .num_sectors = 8};
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_DISCARD, 0, &range, sizeof(range), NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(w.fake.data[8 * 512], 0xdd);
	CHECK_EQ(w.fake.data[16 * 512], 0xaa);
	range.sector = 16;
	range.flags = VIRTIO_BLK_RANGE_F_UNMAP;
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_WRITE_ZEROES, 0, &range, sizeof(range), NULL),
		 VIRTIO_BLK_S_OK);
	CHECK_EQ(w.fake.data[16 * 512], 0);
	CHECK_EQ(w.fake.data[24 * 512], 0xaa);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_DISCARD, 0, &range, sizeof(range), NULL),
		 VIRTIO_BLK_S_UNSUPP);
	range.flags = 2;
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_WRITE_ZEROES, 0, &range, sizeof(range), NULL),
		 VIRTIO_BLK_S_UNSUPP);
	range.flags = 0;
	range.num_sectors = UINT32_MAX;
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_WRITE_ZEROES, 0, &range, sizeof(range), NULL),
		 VIRTIO_BLK_S_IOERR);
	range.num_sectors = 2;
	range.sector = SECTORS - 1;
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_DISCARD, 0, &range, sizeof(range), NULL), VIRTIO_BLK_S_IOERR);
	struct virtio_blk_range two[2] = {{.num_sectors = 1}, {.num_sectors = 1}};
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_DISCARD, 0, two, sizeof(two), NULL), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_DISCARD, 0, two, 8, NULL), VIRTIO_BLK_S_IOERR);
	world_fini(&w);
}

static void test_readonly_disk(void)
{
	struct world w;
	uint8_t buf[512] = {0};
	struct virtio_blk_range range = {.num_sectors = 1};
	world_init(&w, 1, ~0ULL);
	device_destroy(virtio_to_device(w.vd));
	w.fake.blk.is_readonly = true;
	CHECK_EQ(virtio_blk_create(&w.vd, "blk0", w.gm, &w.fake.blk, "", 1), 0);
	vdriver_init(&w.drv, w.vd, w.gm, BASE);
	CHECK(vdriver_start(&w.drv, ~0ULL));
	CHECK_EQ(w.drv.features & (F(RO) | F(DISCARD) | F(WRITE_ZEROES)), F(RO));
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_OUT, 0, buf, 512, NULL), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_DISCARD, 0, &range, 16, NULL), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_IN, 0, buf, 512, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(w.fake.count[BLOCK_WRITE], 0);
	world_fini(&w);
}

static void test_writethrough_flushes_before_it_answers(void)
{
	struct world w;
	uint8_t buf[512] = {0}, off = 0, on = 1;
	const unsigned at = offsetof(struct virtio_blk_config, writeback);
	world_init(&w, 1, ~0ULL);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_OUT, 0, buf, 512, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(w.fake.count[BLOCK_FLUSH], 0);
	w.drv.wire->config_write(&w.drv, at, &off, 1);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_OUT, 0, buf, 512, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(w.fake.count[BLOCK_FLUSH], 1);
	w.fake.fail_at = 2;
	w.fake.fail_with = -EIO;
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_OUT, 0, buf, 512, NULL), VIRTIO_BLK_S_IOERR);
	w.drv.wire->config_write(&w.drv, at, &on, 1);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_OUT, 0, buf, 512, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(w.fake.count[BLOCK_FLUSH], 2);

	/* A driver that cannot flush gets stable writes. */
	vdriver_reset(&w.drv);
	CHECK(vdriver_start(&w.drv, F(SEG_MAX)));
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_OUT, 0, buf, 512, NULL), VIRTIO_BLK_S_OK);
	CHECK_EQ(w.fake.count[BLOCK_FLUSH], 3);
	world_fini(&w);
}

static void test_config_is_not_the_drivers_to_write(void)
{
	struct world w;
	struct virtio_blk_config c;
	uint8_t buf[512];
	world_init(&w, 1, ~0ULL);
	memset(&c, 0xff, sizeof(c));
	w.drv.wire->config_write(&w.drv, 0, &c, sizeof(c));
	w.drv.wire->config_read(&w.drv, 0, &c, sizeof(c));
	CHECK_EQ(c.capacity, SECTORS);
	CHECK_EQ(c.seg_max, 254);
	CHECK_EQ(c.writeback, 1);
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_IN, SECTORS, buf, 512, NULL), VIRTIO_BLK_S_IOERR);
	world_fini(&w);
}

static void test_a_batch_is_one_commit_and_one_interrupt(void)
{
	struct world w;
	struct request r[16];
	uint16_t head;
	uint32_t used;
	world_init(&w, 1, ~0ULL);
	w.fake.mode = FAKEBLOCK_AT_COMMIT;
	for (unsigned i = 0; i < 16; i++)
		request_put(&w, 0, &r[i], VIRTIO_BLK_T_IN, i, NULL, 512);
	vdriver_kick(&w.drv, 0);
	CHECK_EQ(w.fake.commits, 1);
	CHECK_EQ(w.drv.queue_irqs[0], 1);
	for (unsigned i = 0; i < 16; i++) {
		CHECK(vdriver_reap(&w.drv, 0, &head, &used));
		CHECK_EQ(status_of(&w, &r[i]), VIRTIO_BLK_S_OK);
	}
	world_fini(&w);
}

static void test_late_and_reordered_completions(void)
{
	struct world w;
	struct request r[8];
	uint16_t head;
	uint32_t used;
	world_init(&w, 2, ~0ULL);
	w.fake.mode = FAKEBLOCK_HELD;
	w.fake.is_lifo = true;
	for (unsigned i = 0; i < 8; i++)
		request_put(&w, i & 1, &r[i], VIRTIO_BLK_T_IN, i, NULL, 512);
	vdriver_kick(&w.drv, 0);
	vdriver_kick(&w.drv, 1);
	CHECK(!vdriver_reap(&w.drv, 0, &head, &used));
	CHECK_EQ(w.drv.queue_irqs[0] + w.drv.queue_irqs[1], 0);
	CHECK_EQ(fakeblock_release(&w.fake, UINT_MAX), 8);
	CHECK_EQ(w.drv.queue_irqs[0], 1);
	CHECK_EQ(w.drv.queue_irqs[1], 1);
	for (int i = 7; i >= 0; i--) {
		CHECK(vdriver_reap(&w.drv, (unsigned)i & 1, &head, &used));
		CHECK_EQ(head, r[i].head);
		CHECK_EQ(status_of(&w, &r[i]), VIRTIO_BLK_S_OK);
	}
	world_fini(&w);
}

/* Between two looks the driver is left in the belief that it need not ring. */
static void test_polled_queue_asks_for_the_doorbell_at_the_last_look_only(void)
{
	for (unsigned has_event_idx = 0; has_event_idx < 2; has_event_idx++) {
		struct world w;
		struct request r;
		uint16_t head;
		uint32_t used;
		world_init(&w, 1, has_event_idx ? ~0ULL : ~(1ULL << VIRTIO_F_EVENT_IDX));
		CHECK(virtio_device_can_poll(w.vd));
		CHECK(!virtio_device_poll(w.vd, 0, false));
		for (unsigned i = 1; i < 4; i++) {
			bool is_last = i == 3;
			request_put(&w, 0, &r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
			CHECK(virtio_device_poll(w.vd, 0, is_last));
			CHECK(vdriver_reap(&w.drv, 0, &head, &used));
			CHECK_EQ(status_of(&w, &r), VIRTIO_BLK_S_OK);
			if (has_event_idx)
				CHECK_EQ(vdriver_get_avail_event(&w.drv, 0), is_last ? 3 : 0);
			else
				CHECK_EQ(vdriver_get_used_flags(&w.drv, 0),
					 is_last ? 0 : VIRTQ_USED_F_NO_NOTIFY);
		}
		CHECK(!virtio_device_poll(w.vd, 0, true));
		CHECK(!virtio_device_poll(w.vd, 1, true)); /* no such queue */
		world_fini(&w);
	}
}

/* More than can be in flight: the rest stays in the rings and follows. */
static void test_exhausted_requests_resume(void)
{
	struct world w;
	static struct request r[200];
	uint16_t head;
	uint32_t used;
	unsigned answers = 0;
	world_init(&w, 4, ~0ULL);
	w.fake.mode = FAKEBLOCK_HELD;
	for (unsigned i = 0; i < 200; i++)
		request_put(&w, i & 3, &r[i], VIRTIO_BLK_T_IN, i, NULL, 512);
	for (unsigned q = 0; q < 4; q++)
		vdriver_kick(&w.drv, q);
	CHECK(w.fake.held_count <= 128);
	/* Who polls need not look on: it goes on with a completion. */
	CHECK(!virtio_device_poll(w.vd, 3, false));
	CHECK(!virtio_device_poll(w.vd, 3, true));
	while (fakeblock_release(&w.fake, 5))
		CHECK(w.fake.held_count <= 128);
	for (unsigned q = 0; q < 4; q++) {
		while (vdriver_reap(&w.drv, q, &head, &used))
			answers++;
	}
	CHECK_EQ(answers, 200);
	for (unsigned i = 0; i < 200; i++)
		CHECK_EQ(status_of(&w, &r[i]), VIRTIO_BLK_S_OK);
	world_fini(&w);
}

static void test_largest_request(void)
{
	struct world w;
	static struct vbuf bufs[256];
	uint16_t head;
	uint32_t used;
	world_init(&w, 1, ~0ULL);
	struct virtio_blk_req_header h = {.type = VIRTIO_BLK_T_IN};
	bufs[0] = (struct vbuf){vdriver_put(&w.drv, &h, sizeof(h)), sizeof(h), false};
	for (unsigned i = 1; i < 255; i++)
		bufs[i] = (struct vbuf){vdriver_alloc(&w.drv, 4096, 4096), 4096, true};
	bufs[255] = (struct vbuf){vdriver_alloc(&w.drv, 1, 1), 1, true};
	pattern(w.fake.data, DISK_SIZE, 9);
	CHECK(vdriver_add(&w.drv, 0, bufs, 256, VDRIVER_INDIRECT) >= 0);
	vdriver_kick(&w.drv, 0);
	CHECK(vdriver_reap(&w.drv, 0, &head, &used));
	CHECK_EQ(used, 254 * 4096 + 1);
	for (unsigned i = 1; i < 255; i++) {
		uint8_t page[4096];
		CHECK_EQ(gmem_read(w.gm, bufs[i].gpa, page, 4096), 0);
		CHECK(memcmp(page, w.fake.data + (size_t)(i - 1) * 4096, 4096) == 0);
	}
	world_fini(&w);
}

/* After the reset nothing of the old driver's is touched any more. */
static void test_reset_waits_for_what_is_in_flight(void)
{
	struct world w;
	struct request r;
	uint8_t buf[512];
	world_init(&w, 1, ~0ULL);
	w.fake.mode = FAKEBLOCK_HELD;
	request_put(&w, 0, &r, VIRTIO_BLK_T_IN, 0, NULL, 512);
	vdriver_kick(&w.drv, 0);
	CHECK_EQ(w.fake.held_count, 1);
	vdriver_reset(&w.drv);
	CHECK_EQ(w.fake.held_count, 0);
	CHECK_EQ(status_of(&w, &r), 0xff); /* forgotten, not answered */
	CHECK_EQ(w.drv.queue_irqs[0], 0);
	w.fake.mode = FAKEBLOCK_AT_ONCE;
	CHECK(vdriver_start(&w.drv, ~0ULL));
	CHECK_EQ(ask(&w, VIRTIO_BLK_T_IN, 0, buf, 512, NULL), VIRTIO_BLK_S_OK);
	world_fini(&w);
}

static void test_broken_ring_with_requests_in_flight(void)
{
	struct world w;
	struct request r;
	world_init(&w, 1, ~0ULL);
	w.fake.mode = FAKEBLOCK_HELD;
	request_put(&w, 0, &r, VIRTIO_BLK_T_IN, 0, NULL, 512);
	vdriver_kick(&w.drv, 0);
	vdriver_set_avail_idx(&w.drv, 0, 0x7000);
	vdriver_kick_always(&w.drv, 0);
	CHECK(vdriver_is_broken(&w.drv));
	CHECK_EQ(w.fake.held_count, 0);
	CHECK_EQ(vdriver_get_used_idx(&w.drv, 0), 0);
	world_fini(&w);
}

static void test_quiesce_finishes_and_resume_goes_on(void)
{
	struct world w;
	struct request a, b;
	uint16_t head;
	uint32_t used;
	world_init(&w, 1, ~0ULL);
	w.fake.mode = FAKEBLOCK_HELD;
	request_put(&w, 0, &a, VIRTIO_BLK_T_IN, 0, NULL, 512);
	vdriver_kick(&w.drv, 0);
	request_put(&w, 0, &b, VIRTIO_BLK_T_IN, 1, NULL, 512);
	device_quiesce(virtio_to_device(w.vd));
	CHECK_EQ(w.fake.held_count, 0);
	CHECK_EQ(w.drv.queue_irqs[0], 1);
	CHECK(vdriver_reap(&w.drv, 0, &head, &used));
	CHECK_EQ(head, a.head);
	CHECK(!vdriver_reap(&w.drv, 0, &head, &used));
	device_resume(virtio_to_device(w.vd));
	fakeblock_release(&w.fake, UINT_MAX);
	CHECK(vdriver_reap(&w.drv, 0, &head, &used));
	CHECK_EQ(status_of(&w, &b), VIRTIO_BLK_S_OK);
	world_fini(&w);
}

/* Conformance: up to four devices, each with a disk of its own, on one memory. */

struct pool {
	struct gmem *gm;
	struct fakeblock fake[4];
	unsigned next;
};

static struct device *conform_create(void *ctx)
{
	struct pool *pool = ctx;
	struct virtio_device *vd;
	struct fakeblock *fake = &pool->fake[pool->next++ % 4];
	if (virtio_blk_create(&vd, "blk0", pool->gm, &fake->blk, "s", 2) != 0)
		return NULL;
	return virtio_to_device(vd);
}

static void conform_scramble(struct device *dev, void *ctx)
{
	struct pool *pool = ctx;
	struct vdriver drv;
	uint8_t off = 0;
	struct virtio_blk_req_header h = {.type = VIRTIO_BLK_T_GET_ID};
	uint8_t in[21];
	vdriver_init(&drv, (struct virtio_device *)dev, pool->gm, BASE);
	vdriver_reset(&drv);
	if (!vdriver_start(&drv, ~0ULL))
		return;
	drv.wire->config_write(&drv, offsetof(struct virtio_blk_config, writeback), &off, 1);
	vdriver_request(&drv, 1, &h, sizeof(h), in, sizeof(in));
}

static void test_device_conforms(void)
{
	struct pool pool = {0};
	CHECK_EQ(gmem_create(&pool.gm, 1 << 20), 0);
	for (unsigned i = 0; i < 4; i++)
		fakeblock_init(&pool.fake[i], 4096);
	struct conformance c = {
		.create = conform_create, .scramble = conform_scramble, .ctx = &pool};
	conformance_check(&c);
	for (unsigned i = 0; i < 4; i++)
		fakeblock_fini(&pool.fake[i]);
	gmem_destroy(pool.gm);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_config_describes_the_disk),
		TEST_CASE(test_write_then_read),
		TEST_CASE(test_any_framing),
		TEST_CASE(test_bad_requests_are_refused),
		TEST_CASE(test_no_room_for_status_breaks_the_device),
		TEST_CASE(test_get_id),
		TEST_CASE(test_host_errors_reach_the_guest),
		TEST_CASE(test_discard_and_write_zeroes),
		TEST_CASE(test_readonly_disk),
		TEST_CASE(test_writethrough_flushes_before_it_answers),
		TEST_CASE(test_config_is_not_the_drivers_to_write),
		TEST_CASE(test_a_batch_is_one_commit_and_one_interrupt),
		TEST_CASE(test_late_and_reordered_completions),
		TEST_CASE(test_polled_queue_asks_for_the_doorbell_at_the_last_look_only),
		TEST_CASE(test_exhausted_requests_resume),
		TEST_CASE(test_largest_request),
		TEST_CASE(test_reset_waits_for_what_is_in_flight),
		TEST_CASE(test_broken_ring_with_requests_in_flight),
		TEST_CASE(test_quiesce_finishes_and_resume_goes_on),
		TEST_CASE(test_device_conforms),
	};
	return TEST_RUN(cases);
}
