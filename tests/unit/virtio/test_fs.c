/* The file system device against a server that answers when it is told to. */
#include "conformance.h"
#include "fakefs.h"
#include "test.h"
#include "vdriver.h"
#include <limits.h>
#include <spec/virtio_fs.h>
#include <tinyvm/gmem.h>

#define MEMORY_SIZE (4u << 20)
#define BASE	    0x1000
#define HIPRIO	    VIRTIO_FS_QUEUE_HIPRIO
#define REQUEST	    VIRTIO_FS_QUEUE_REQUEST
#define IN_HEADER   ((uint32_t)sizeof(struct fuse_in_header))
#define OUT_HEADER  ((uint32_t)sizeof(struct fuse_out_header))

/* One world: memory, a server, the device, a driver that has started it. */
struct world {
	struct gmem *gm;
	struct fakefs fake;
	struct virtio_device *vd;
	struct vdriver drv;
	uint64_t unique;
};

static struct world w;

static void set_up(void)
{
	memset(&w, 0, sizeof(w));
	if (gmem_create(&w.gm, MEMORY_SIZE) != 0)
		abort();
	fakefs_init(&w.fake);
	if (virtio_fs_create(&w.vd, "fs0", w.gm, &w.fake.fs, "work", 2) != 0)
		abort();
	vdriver_init(&w.drv, w.vd, w.gm, BASE);
	if (!vdriver_start(&w.drv, ~0ULL))
		abort();
}

static void tear_down(void)
{
	device_destroy(virtio_to_device(w.vd));
	fs_destroy(&w.fake.fs);
	gmem_destroy(w.gm);
}

/* A request in guest memory and the chain that describes it. */
struct request {
	gpa_t out, in;
	uint32_t out_len, in_len;
	uint64_t unique;
	int head;
};

static void request_put(struct request *r, unsigned q, uint32_t opcode, const void *args,
			uint32_t args_len, uint32_t in_len)
{
	static uint8_t buf[IN_HEADER + FS_ARGS_MAX + 4096];
	r->unique = ++w.unique;
	r->out_len = IN_HEADER + args_len;
	r->in_len = in_len;
	struct fuse_in_header header = {
		.len = r->out_len, .opcode = opcode, .unique = r->unique, .nodeid = FUSE_ROOT_ID};
	memcpy(buf, &header, sizeof(header));
	if (args_len)
		memcpy(buf + sizeof(header), args, args_len);
	r->out = vdriver_put(&w.drv, buf, r->out_len);
	r->in = vdriver_alloc(&w.drv, in_len ? in_len : 1, 16);
	struct vbuf bufs[] = {{r->out, r->out_len, false}, {r->in, in_len, true}};
	r->head = vdriver_add(&w.drv, q, bufs, in_len ? 2 : 1, VDRIVER_DIRECT);
	if (r->head < 0)
		abort();
}

static struct fuse_out_header header_of(const struct request *r)
{
	struct fuse_out_header out;
	if (gmem_read(w.gm, r->in, &out, sizeof(out)) != 0)
		abort();
	return out;
}

/* Takes the next used element of @q, which must be @r's. Return: its length; -1 for another. */
static int64_t used(const struct request *r, unsigned q)
{
	uint16_t head;
	uint32_t len;
	if (!vdriver_reap(&w.drv, q, &head, &len) || head != r->head)
		return -1;
	return len;
}

WITH_DEVICE(test_config_has_tag_and_number_of_queues)
{
	struct virtio_fs_config c;
	w.drv.wire->config_read(&w.drv, 0, &c, sizeof(c));
	CHECK(memcmp(c.tag, "work", 5) == 0 && c.tag[35] == 0);
	CHECK_EQ(c.num_request_queues, 2);
	memset(&c, 0xff, sizeof(c));
	w.drv.wire->config_write(&w.drv, 0, &c, sizeof(c));
	w.drv.wire->config_read(&w.drv, 0, &c, sizeof(c));
	CHECK_EQ(c.num_request_queues, 2);
	CHECK_EQ(w.vd->queue_count, 3);
}

static void test_create_refuses_bad_tags_and_queue_counts(void)
{
	static struct fakefs fake;
	struct virtio_device *vd;
	struct gmem *gm;
	CHECK_EQ(gmem_create(&gm, 1 << 20), 0);
	fakefs_init(&fake);
	CHECK_EQ(virtio_fs_create(&vd, "fs0", gm, &fake.fs, "", 1), -EINVAL);
	CHECK_EQ(virtio_fs_create(&vd, "fs0", gm, &fake.fs, "0123456789012345678901234567890123456",
				  1),
		 -EINVAL);
	CHECK_EQ(virtio_fs_create(&vd, "fs0", gm, &fake.fs, "a", 0), -EINVAL);
	CHECK_EQ(virtio_fs_create(&vd, "fs0", gm, &fake.fs, "a", 9), -EINVAL);
	CHECK_EQ(virtio_fs_create(&vd, "fs0", gm, &fake.fs, "012345678901234567890123456789012345",
				  8),
		 0);
	device_destroy(virtio_to_device(vd));
	gmem_destroy(gm);
}

WITH_DEVICE(test_request_reaches_the_server_and_its_answer_the_guest)
{
	struct request r;
	uint8_t reply[100];
	w.fake.reply_len = 100;
	request_put(&r, REQUEST, FUSE_LOOKUP, "name", 5, 200);
	vdriver_kick(&w.drv, REQUEST);
	CHECK_EQ(w.fake.held_count, 1);
	CHECK_EQ(w.fake.commits, 1);
	CHECK_EQ(w.fake.last.opcode, FUSE_LOOKUP);
	CHECK_EQ(w.fake.last.nodeid, FUSE_ROOT_ID);
	CHECK_EQ(w.fake.last_args_len, 5);
	CHECK_STR((char *)w.fake.last_args, "name");
	CHECK_EQ(w.fake.last_room, 200 - OUT_HEADER);
	CHECK_EQ(w.drv.queue_irqs[REQUEST], 0);
	fakefs_release(&w.fake, 1);
	CHECK_EQ(w.drv.queue_irqs[REQUEST], 1);
	CHECK_EQ(used(&r, REQUEST), OUT_HEADER + 100);
	CHECK_EQ(header_of(&r).len, OUT_HEADER + 100);
	CHECK_EQ(header_of(&r).error, 0);
	CHECK_EQ(header_of(&r).unique, r.unique);
	CHECK_EQ(gmem_read(w.gm, r.in + OUT_HEADER, reply, 100), 0);
	CHECK(memcmp(reply, w.fake.reply, 100) == 0);
}

WITH_DEVICE(test_error_is_a_header_alone)
{
	struct request r;
	request_put(&r, REQUEST, FUSE_FSYNC, NULL, 0, 200);
	vdriver_kick(&w.drv, REQUEST);
	fakefs_release(&w.fake, 1);
	CHECK_EQ(used(&r, REQUEST), OUT_HEADER);
	CHECK_EQ(header_of(&r).len, OUT_HEADER);
	CHECK_EQ(header_of(&r).error, -EIO);
}

/* Section 2.6.4: the driver may cut a request where it likes. */
WITH_DEVICE(test_any_framing)
{
	enum {
		DATA = 300
	};
	struct {
		struct fuse_in_header header;
		struct fuse_read_in read;
	} out = {.header = {.len = sizeof(out), .opcode = FUSE_READ, .unique = 77},
		 .read = {.offset = 5, .size = DATA}};
	uint8_t in[OUT_HEADER + DATA];
	gpa_t at = vdriver_put(&w.drv, &out, sizeof(out));
	gpa_t to = vdriver_alloc(&w.drv, sizeof(in), 16);
	struct vbuf cut[16];
	unsigned n = 0;
	cut[n++] = (struct vbuf){at, 1, false};
	cut[n++] = (struct vbuf){at + 1, 50, false};
	cut[n++] = (struct vbuf){at + 51, sizeof(out) - 51, false};
	for (unsigned i = 0; i < 10; i++)
		cut[n++] = (struct vbuf){to + i, 1, true};
	cut[n++] = (struct vbuf){to + 10, 20, true}; /* header and data in one */
	cut[n++] = (struct vbuf){to + 30, sizeof(in) - 30, true};
	uint16_t head;
	uint32_t len;
	for (unsigned layout = VDRIVER_DIRECT; layout <= VDRIVER_INDIRECT; layout++) {
		CHECK_EQ(gmem_zero(w.gm, to, sizeof(in)), 0);
		CHECK(vdriver_add(&w.drv, REQUEST, cut, n, (enum vdriver_layout)layout) >= 0);
		vdriver_kick(&w.drv, REQUEST);
		fakefs_release(&w.fake, 1);
		CHECK(vdriver_reap(&w.drv, REQUEST, &head, &len));
		CHECK_EQ(len, OUT_HEADER + DATA);
		CHECK_EQ(gmem_read(w.gm, to, in, sizeof(in)), 0);
		struct fuse_out_header got;
		memcpy(&got, in, sizeof(got));
		CHECK_EQ(got.len, OUT_HEADER + DATA);
		CHECK_EQ(got.unique, 77);
		for (unsigned i = 0; i < DATA; i++)
			CHECK_EQ(in[OUT_HEADER + i], fakefs_byte(5 + i));
	}
}

WITH_DEVICE(test_short_read_counts_what_was_read)
{
	struct fuse_read_in read = {.offset = 9, .size = 100};
	struct request r;
	uint8_t byte = 0;
	request_put(&r, REQUEST, FUSE_READ, &read, sizeof(read), OUT_HEADER + 4096);
	vdriver_kick(&w.drv, REQUEST);
	CHECK_EQ(w.fake.last_room, 4096);
	fakefs_release(&w.fake, 1);
	CHECK_EQ(used(&r, REQUEST), OUT_HEADER + 100);
	CHECK_EQ(header_of(&r).len, OUT_HEADER + 100);
	CHECK_EQ(gmem_read(w.gm, r.in + OUT_HEADER + 99, &byte, 1), 0);
	CHECK_EQ(byte, fakefs_byte(108));
}

WITH_DEVICE(test_largest_write)
{
	enum {
		PAGES = FS_PAGES_MAX
	};
	static struct vbuf bufs[PAGES + 4];
	static uint8_t page[4096];
	struct fuse_in_header header = {.len = IN_HEADER + sizeof(struct fuse_write_in) +
					       FS_DATA_MAX,
					.opcode = FUSE_WRITE,
					.unique = 3};
	struct fuse_write_in in = {.size = FS_DATA_MAX};
	unsigned n = 0;
	bufs[n++] = (struct vbuf){vdriver_put(&w.drv, &header, sizeof(header)), IN_HEADER, false};
	bufs[n++] = (struct vbuf){vdriver_put(&w.drv, &in, sizeof(in)), sizeof(in), false};
	for (unsigned i = 0; i < PAGES; i++) {
		for (unsigned k = 0; k < sizeof(page); k++)
			page[k] = fakefs_byte(i * 4096ul + k);
		gpa_t at = vdriver_alloc(&w.drv, 4096, 4096);
		CHECK_EQ(gmem_write(w.gm, at, page, 4096), 0);
		bufs[n++] = (struct vbuf){at, 4096, false};
	}
	gpa_t out = vdriver_alloc(&w.drv, OUT_HEADER, 16);
	bufs[n++] = (struct vbuf){out, OUT_HEADER, true};
	bufs[n++] = (struct vbuf){vdriver_alloc(&w.drv, sizeof(struct fuse_write_out), 16),
				  sizeof(struct fuse_write_out), true};
	CHECK_EQ(n, 256);
	w.fake.reply_len = sizeof(struct fuse_write_out);
	CHECK(vdriver_add(&w.drv, REQUEST, bufs, n, VDRIVER_INDIRECT) >= 0);
	vdriver_kick(&w.drv, REQUEST);
	CHECK_EQ(w.fake.last_args_len, sizeof(in));
	fakefs_release(&w.fake, 1);
	CHECK_EQ(w.fake.written_len, FS_DATA_MAX);
	for (unsigned i = 0; i < FS_DATA_MAX; i++)
		CHECK_EQ(w.fake.written[i], fakefs_byte(i));
	uint16_t head;
	uint32_t len;
	CHECK(vdriver_reap(&w.drv, REQUEST, &head, &len));
	CHECK_EQ(len, OUT_HEADER + sizeof(struct fuse_write_out));
}

WITH_DEVICE(test_forget_is_used_without_an_answer)
{
	struct fuse_forget_in in = {.nlookup = 1};
	static const unsigned queues[] = {HIPRIO, REQUEST};
	for (unsigned i = 0; i < 2; i++) {
		struct request r, roomy;
		uint8_t byte = 1;
		request_put(&r, queues[i], FUSE_FORGET, &in, sizeof(in), 0);
		request_put(&roomy, queues[i], FUSE_BATCH_FORGET, &in, sizeof(in), 64);
		vdriver_kick(&w.drv, queues[i]);
		CHECK_EQ(fakefs_release(&w.fake, UINT_MAX), 2);
		CHECK_EQ(used(&r, queues[i]), 0);
		CHECK_EQ(used(&roomy, queues[i]), 0);
		CHECK_EQ(gmem_read(w.gm, roomy.in, &byte, 1), 0);
		CHECK_EQ(byte, 0);
	}
}

WITH_DEVICE(test_bad_requests_are_refused)
{
	struct request r;
	uint16_t head;
	uint32_t len;

	/* A header that promises more than there is, or less than itself. */
	static const uint32_t lens[] = {IN_HEADER + 5, IN_HEADER - 1, 0, UINT32_MAX};
	for (unsigned i = 0; i < 4; i++) {
		request_put(&r, REQUEST, FUSE_LOOKUP, "abc", 4, 64);
		CHECK_EQ(gmem_write(w.gm, r.out, &lens[i], 4), 0);
		vdriver_kick(&w.drv, REQUEST);
		CHECK_EQ(used(&r, REQUEST), OUT_HEADER);
		CHECK_EQ(header_of(&r).error, -EINVAL);
		CHECK_EQ(header_of(&r).unique, r.unique);
	}

	/* Half a header; no room for an answer; nothing at all but room. */
	gpa_t at = vdriver_alloc(&w.drv, 256, 16);
	struct vbuf half[] = {{at, IN_HEADER - 1, false}, {at + 128, 64, true}};
	CHECK(vdriver_add(&w.drv, REQUEST, half, 2, VDRIVER_DIRECT) >= 0);
	vdriver_kick(&w.drv, REQUEST);
	CHECK(vdriver_reap(&w.drv, REQUEST, &head, &len));
	CHECK_EQ(len, 0);
	request_put(&r, REQUEST, FUSE_LOOKUP, "abc", 4, OUT_HEADER - 1);
	vdriver_kick(&w.drv, REQUEST);
	CHECK_EQ(used(&r, REQUEST), 0);
	struct vbuf room[] = {{at, 64, true}};
	CHECK(vdriver_add(&w.drv, REQUEST, room, 1, VDRIVER_DIRECT) >= 0);
	vdriver_kick(&w.drv, REQUEST);
	CHECK(vdriver_reap(&w.drv, REQUEST, &head, &len));
	CHECK_EQ(len, 0);

	/* More than any request has. */
	static uint8_t much[FS_ARGS_MAX + 1];
	request_put(&r, REQUEST, FUSE_SETXATTR, much, sizeof(much), 64);
	vdriver_kick(&w.drv, REQUEST);
	CHECK_EQ(used(&r, REQUEST), OUT_HEADER);
	CHECK_EQ(header_of(&r).error, -EINVAL);

	CHECK_EQ(w.fake.count, 0);
	CHECK_EQ(w.vd->bad_requests, 8);
	CHECK(!vdriver_is_broken(&w.drv));

	/* And the largest that is taken. */
	request_put(&r, REQUEST, FUSE_SETXATTR, much, FS_ARGS_MAX, 64);
	vdriver_kick(&w.drv, REQUEST);
	CHECK_EQ(w.fake.last_args_len, FS_ARGS_MAX);
	fakefs_release(&w.fake, 1);
	CHECK_EQ(used(&r, REQUEST), OUT_HEADER + 16);
}

/* The bytes that count are those at the time of the look, not those at the time of use. */
WITH_DEVICE(test_arguments_are_copied)
{
	struct request r;
	request_put(&r, REQUEST, FUSE_LOOKUP, "name", 5, 64);
	vdriver_kick(&w.drv, REQUEST);
	CHECK_EQ(gmem_zero(w.gm, r.out, r.out_len), 0);
	const struct fs_req *req = w.fake.held;
	CHECK_EQ(req->header.opcode, FUSE_LOOKUP);
	CHECK_STR((const char *)req->args, "name");
	fakefs_release(&w.fake, 1);
	CHECK_EQ(header_of(&r).unique, r.unique);
	CHECK_EQ(used(&r, REQUEST), OUT_HEADER + 16);
}

WITH_DEVICE(test_late_and_reordered_answers_are_one_interrupt_a_queue)
{
	struct request r[8];
	w.fake.is_lifo = true;
	for (unsigned i = 0; i < 8; i++)
		request_put(&r[i], REQUEST + (i & 1), FUSE_GETATTR, NULL, 0, 64);
	vdriver_kick(&w.drv, REQUEST);
	vdriver_kick(&w.drv, REQUEST + 1);
	CHECK_EQ(w.fake.commits, 2);
	CHECK_EQ(fakefs_release(&w.fake, UINT_MAX), 8);
	CHECK_EQ(w.drv.queue_irqs[REQUEST], 1);
	CHECK_EQ(w.drv.queue_irqs[REQUEST + 1], 1);
	for (int i = 7; i >= 0; i--) {
		CHECK_EQ(used(&r[i], REQUEST + ((unsigned)i & 1)), OUT_HEADER + 16);
		CHECK_EQ(header_of(&r[i]).unique, r[i].unique);
	}
}

/* More than can be in flight: the rest stays in the rings and follows. */
WITH_DEVICE(test_exhausted_requests_resume)
{
	static struct request r[300];
	uint16_t head;
	uint32_t len;
	unsigned answers = 0;
	for (unsigned i = 0; i < 240; i++)
		request_put(&r[i], REQUEST + i % 2, FUSE_GETATTR, NULL, 0, 32);
	vdriver_kick(&w.drv, REQUEST);
	vdriver_kick(&w.drv, REQUEST + 1);
	CHECK_EQ(w.fake.held_count, FS_INFLIGHT_MAX);
	/* Who polls need not look on: it goes on with a completion. */
	CHECK(!virtio_device_poll(w.vd, REQUEST + 1, false));
	CHECK(!virtio_device_poll(w.vd, REQUEST + 1, true));
	while (fakefs_release(&w.fake, 5))
		CHECK(w.fake.held_count <= FS_INFLIGHT_MAX);
	for (unsigned q = REQUEST; q <= REQUEST + 1; q++) {
		while (vdriver_reap(&w.drv, q, &head, &len))
			answers++;
	}
	CHECK_EQ(answers, 240);
}

/* Nothing is left behind for a completion that does not come any more. */
WITH_DEVICE(test_answers_within_a_commit_make_room_for_the_rest)
{
	static struct request r[240];
	const struct fuse_forget_in forget = {.nlookup = 1};
	uint16_t head;
	uint32_t len;
	unsigned answers = 0;
	w.fake.is_prompt = true;
	for (unsigned i = 0; i < 240; i++)
		request_put(&r[i], REQUEST, FUSE_FORGET, &forget, sizeof(forget), 0);
	vdriver_kick(&w.drv, REQUEST);
	CHECK_EQ(w.fake.held_count, 0);
	while (vdriver_reap(&w.drv, REQUEST, &head, &len))
		answers++;
	CHECK_EQ(answers, 240);
}

WITH_DEVICE(test_polled_queue_asks_for_the_doorbell_at_the_last_look_only)
{
	CHECK(virtio_device_can_poll(w.vd));
	CHECK(!virtio_device_poll(w.vd, REQUEST, false));
	for (unsigned i = 1; i < 4; i++) {
		struct request r;
		bool is_last = i == 3;
		request_put(&r, REQUEST, FUSE_GETATTR, NULL, 0, 64);
		CHECK(virtio_device_poll(w.vd, REQUEST, is_last));
		fakefs_release(&w.fake, 1);
		CHECK_EQ(used(&r, REQUEST), OUT_HEADER + 16);
		CHECK_EQ(vdriver_get_avail_event(&w.drv, REQUEST), is_last ? 3 : 0);
	}
}

WITH_DEVICE(test_interrupt_ends_the_wait_for_a_lock)
{
	struct request r, i;
	request_put(&r, REQUEST, FUSE_SETLKW, NULL, 0, 64);
	vdriver_kick(&w.drv, REQUEST);
	CHECK_EQ(fakefs_release(&w.fake, UINT_MAX), 0);
	struct fuse_interrupt_in in = {.unique = r.unique + 1000};
	request_put(&i, HIPRIO, FUSE_INTERRUPT, &in, sizeof(in), 0);
	vdriver_kick(&w.drv, HIPRIO);
	CHECK_EQ(used(&i, HIPRIO), 0);
	CHECK_EQ(fakefs_release(&w.fake, UINT_MAX), 0);
	request_put(&i, HIPRIO, FUSE_INTERRUPT, &in, 4, 0); /* too short: ignored */
	in.unique = r.unique;
	struct request j;
	request_put(&j, HIPRIO, FUSE_INTERRUPT, &in, sizeof(in), 0);
	vdriver_kick(&w.drv, HIPRIO);
	CHECK_EQ(used(&i, HIPRIO), 0);
	CHECK_EQ(used(&j, HIPRIO), 0);
	CHECK_EQ(fakefs_release(&w.fake, UINT_MAX), 1);
	CHECK_EQ(used(&r, REQUEST), OUT_HEADER);
	CHECK_EQ(header_of(&r).error, -EINTR);
}

/* After the reset nothing of the old driver's is touched any more. */
WITH_DEVICE(test_reset_waits_for_what_is_in_flight)
{
	struct fuse_read_in read = {.size = 64};
	struct request r, l;
	uint8_t byte = 0;
	request_put(&r, REQUEST, FUSE_READ, &read, sizeof(read), OUT_HEADER + 64);
	request_put(&l, REQUEST, FUSE_SETLKW, NULL, 0, 64);
	vdriver_kick(&w.drv, REQUEST);
	CHECK_EQ(w.fake.held_count, 2);
	unsigned resets = w.fake.resets;
	vdriver_reset(&w.drv);
	CHECK_EQ(w.fake.held_count, 0);
	CHECK(w.fake.resets > resets);
	CHECK_EQ(gmem_read(w.gm, r.in, &byte, 1), 0);
	CHECK_EQ(byte, 0); /* forgotten, not answered */
	CHECK_EQ(w.drv.queue_irqs[REQUEST], 0);
	CHECK(vdriver_start(&w.drv, ~0ULL));
	request_put(&r, REQUEST, FUSE_GETATTR, NULL, 0, 64);
	vdriver_kick(&w.drv, REQUEST);
	fakefs_release(&w.fake, 1);
	CHECK_EQ(used(&r, REQUEST), OUT_HEADER + 16);
}

WITH_DEVICE(test_broken_ring_with_requests_in_flight)
{
	struct request r;
	request_put(&r, REQUEST, FUSE_GETATTR, NULL, 0, 64);
	vdriver_kick(&w.drv, REQUEST);
	vdriver_set_avail_idx(&w.drv, REQUEST, 0x7000);
	vdriver_kick_always(&w.drv, REQUEST);
	CHECK(vdriver_is_broken(&w.drv));
	CHECK_EQ(w.fake.held_count, 0);
	CHECK_EQ(vdriver_get_used_idx(&w.drv, REQUEST), 0);
}

WITH_DEVICE(test_quiesce_finishes_and_resume_goes_on)
{
	struct request a, b;
	request_put(&a, REQUEST, FUSE_GETATTR, NULL, 0, 64);
	vdriver_kick(&w.drv, REQUEST);
	request_put(&b, REQUEST, FUSE_GETATTR, NULL, 0, 64);
	device_quiesce(virtio_to_device(w.vd));
	CHECK_EQ(w.fake.held_count, 0);
	CHECK_EQ(w.drv.queue_irqs[REQUEST], 1);
	CHECK_EQ(used(&a, REQUEST), OUT_HEADER + 16);
	CHECK_EQ(used(&b, REQUEST), -1);
	device_resume(virtio_to_device(w.vd));
	fakefs_release(&w.fake, UINT_MAX);
	CHECK_EQ(used(&b, REQUEST), OUT_HEADER + 16);
}

WITH_DEVICE(test_wait_for_a_lock_survives_a_quiesce)
{
	struct request a, b;
	request_put(&a, REQUEST, FUSE_SETLKW, "arguments", 10, 64);
	request_put(&b, REQUEST + 1, FUSE_SETLKW, NULL, 0, 64);
	vdriver_kick(&w.drv, REQUEST);
	vdriver_kick(&w.drv, REQUEST + 1);
	for (unsigned i = 0; i < 2; i++) {
		device_quiesce(virtio_to_device(w.vd));
		CHECK_EQ(w.fake.held_count, 0);
		CHECK_EQ(used(&a, REQUEST), -1);
		device_resume(virtio_to_device(w.vd));
		CHECK_EQ(w.fake.held_count, 2);
		CHECK_STR((const char *)w.fake.held->args, "arguments");
	}
	fakefs_grant(&w.fake);
	CHECK_EQ(used(&a, REQUEST), OUT_HEADER + 16);
	CHECK_EQ(used(&b, REQUEST + 1), OUT_HEADER + 16);
	CHECK_EQ(header_of(&a).unique, a.unique);
}

/* Conformance: up to four devices, each with a server of its own, on one memory. */

struct pool_of_servers {
	struct gmem *gm;
	struct fakefs fake[4];
	unsigned next;
};

static struct device *conform_create(void *ctx)
{
	struct pool_of_servers *servers = ctx;
	struct virtio_device *vd;
	struct fakefs *fake = &servers->fake[servers->next++ % 4];
	if (virtio_fs_create(&vd, "fs0", servers->gm, &fake->fs, "tag", 1) != 0)
		return NULL;
	return virtio_to_device(vd);
}

static void conform_scramble(struct device *dev, void *ctx)
{
	struct pool_of_servers *servers = ctx;
	struct vdriver *drv = &w.drv;
	w.gm = servers->gm;
	vdriver_init(drv, (struct virtio_device *)dev, servers->gm, BASE);
	vdriver_reset(drv);
	if (!vdriver_start(drv, ~0ULL))
		return;
	struct request r;
	request_put(&r, REQUEST, FUSE_LOOKUP, "x", 2, 64);
	request_put(&r, REQUEST, FUSE_SETLKW, NULL, 0, 64);
	request_put(&r, REQUEST, FUSE_SETLKW, NULL, 0, 64);
	vdriver_kick(drv, REQUEST);
}

static void test_device_conforms(void)
{
	static struct pool_of_servers servers;
	memset(&w, 0, sizeof(w));
	CHECK_EQ(gmem_create(&servers.gm, 1 << 20), 0);
	for (unsigned i = 0; i < 4; i++)
		fakefs_init(&servers.fake[i]);
	struct conformance c = {
		.create = conform_create, .scramble = conform_scramble, .ctx = &servers};
	conformance_check(&c);
	gmem_destroy(servers.gm);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_config_has_tag_and_number_of_queues),
		TEST_CASE(test_create_refuses_bad_tags_and_queue_counts),
		TEST_CASE(test_request_reaches_the_server_and_its_answer_the_guest),
		TEST_CASE(test_error_is_a_header_alone),
		TEST_CASE(test_any_framing),
		TEST_CASE(test_short_read_counts_what_was_read),
		TEST_CASE(test_largest_write),
		TEST_CASE(test_forget_is_used_without_an_answer),
		TEST_CASE(test_bad_requests_are_refused),
		TEST_CASE(test_arguments_are_copied),
		TEST_CASE(test_late_and_reordered_answers_are_one_interrupt_a_queue),
		TEST_CASE(test_exhausted_requests_resume),
		TEST_CASE(test_answers_within_a_commit_make_room_for_the_rest),
		TEST_CASE(test_polled_queue_asks_for_the_doorbell_at_the_last_look_only),
		TEST_CASE(test_interrupt_ends_the_wait_for_a_lock),
		TEST_CASE(test_reset_waits_for_what_is_in_flight),
		TEST_CASE(test_broken_ring_with_requests_in_flight),
		TEST_CASE(test_quiesce_finishes_and_resume_goes_on),
		TEST_CASE(test_wait_for_a_lock_survives_a_quiesce),
		TEST_CASE(test_device_conforms),
	};
	return TEST_RUN(cases);
}
