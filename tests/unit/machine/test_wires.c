/* Shared interrupt inputs and doorbells, with a stand-in for KVM's ioeventfds. */
#include "test.h"
#include "vdriver.h"
#include "wires.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <tinyvm/evloop.h>
#include <tinyvm/gmem.h>
#include <tinyvm/kvm.h>
#include <tinyvm/log.h>
#include <tinyvm/virtio.h>
#include <unistd.h>

/* KVM's side. */
static struct {
	unsigned added, removed;
	int error;
	int fd;
} kvm;

int kvm_ioeventfd_add(struct kvm_vm *vm, uint64_t gpa, unsigned size, uint32_t datamatch, int fd)
{
	(void)vm, (void)gpa, (void)size, (void)datamatch;
	kvm.added += !kvm.error;
	kvm.fd = fd;
	return kvm.error;
}

void kvm_ioeventfd_remove(struct kvm_vm *vm, uint64_t gpa, unsigned size, uint32_t datamatch,
			  int fd)
{
	(void)vm, (void)gpa, (void)size, (void)datamatch, (void)fd;
	kvm.removed++;
}

struct bench {
	struct gmem *gm;
	struct virtio_device *vd;
	struct vdriver drv;
	struct evloop *loop;
	struct doorbells *db;
	struct kick_sink sink;
};

static int plain_entropy(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	memset(buf, 1, len);
	return 0;
}

static void set_up(struct bench *b)
{
	memset(&kvm, 0, sizeof(kvm));
	if (gmem_create(&b->gm, 1 << 20) != 0 || evloop_create(&b->loop) != 0 ||
	    virtio_rng_create(&b->vd, "rng0", b->gm, (struct entropy){.fill = plain_entropy}) !=
		    0 ||
	    doorbells_create(&b->db, NULL, b->loop) != 0)
		abort();
	vdriver_init(&b->drv, b->vd, b->gm, 0x1000);
	if (!vdriver_start(&b->drv, ~0ULL))
		abort();
	doorbells_bind(b->db, b->vd);
	b->sink = doorbells_sink(b->db);
}

static void tear_down(struct bench *b)
{
	device_destroy(virtio_to_device(b->vd));
	doorbells_destroy(b->db);
	evloop_destroy(b->loop);
	gmem_destroy(b->gm);
}

/* A buffer without a doorbell; was it served by one turn of the loop? */
static bool is_served_by_the_loop(struct bench *b)
{
	uint16_t head;
	uint32_t len;
	evloop_stop(b->loop);
	evloop_run(b->loop);
	return vdriver_reap(&b->drv, 0, &head, &len);
}

static void add_buffer(struct bench *b)
{
	struct vbuf buf = {vdriver_alloc(&b->drv, 16, 16), 16, true};
	vdriver_add(&b->drv, 0, &buf, 1, VDRIVER_DIRECT);
}

static void test_doorbell_rings_every_time_until_it_is_gone(void)
{
	struct bench b;
	set_up(&b);
	b.sink.map(b.sink.ctx, 0, 0xc0000800, 0, 0);
	CHECK_EQ(kvm.added, 1);
	for (unsigned i = 0; i < 3; i++) {
		add_buffer(&b);
		CHECK(!is_served_by_the_loop(&b));
		CHECK_EQ(eventfd_write(kvm.fd, 1), 0); /* nobody reads it: still an edge */
		CHECK(is_served_by_the_loop(&b));
	}
	b.sink.unmap(b.sink.ctx);
	b.sink.unmap(b.sink.ctx);
	CHECK_EQ(kvm.removed, 1);
	tear_down(&b);
	CHECK_EQ(kvm.removed, 1);
}

static void test_late_ring_of_a_device_that_was_reset_is_ignored(void)
{
	struct bench b;
	set_up(&b);
	b.sink.map(b.sink.ctx, 0, 0xc0000800, 0, 0);
	add_buffer(&b);
	CHECK_EQ(eventfd_write(kvm.fd, 1), 0);
	vdriver_reset(&b.drv);
	b.sink.unmap(b.sink.ctx);
	CHECK(!is_served_by_the_loop(&b));
	tear_down(&b);
}

static void test_device_rings_for_itself_mapped_or_not(void)
{
	struct bench b;
	set_up(&b);
	add_buffer(&b);
	b.sink.ring(b.sink.ctx, 0);
	CHECK(is_served_by_the_loop(&b));
	CHECK_EQ(kvm.added, 0);
	b.sink.map(b.sink.ctx, 0, 0xc0000800, 0, 0);
	add_buffer(&b);
	b.sink.ring(b.sink.ctx, 0);
	CHECK(is_served_by_the_loop(&b));
	b.sink.ring(b.sink.ctx, 1000); /* no such queue: nothing happens */
	tear_down(&b);
}

static void test_doorbell_that_was_taken_rings_for_the_taker_only(void)
{
	struct bench b;
	set_up(&b);
	b.sink.map(b.sink.ctx, 0, 0xc0000800, 0, 0);
	add_buffer(&b);
	CHECK_EQ(eventfd_write(kvm.fd, 1), 0); /* the loop has not seen it yet */
	CHECK_EQ(doorbells_take(b.db, 0), kvm.fd);
	CHECK(!is_served_by_the_loop(&b));
	CHECK_EQ(eventfd_write(kvm.fd, 1), 0);
	CHECK(!is_served_by_the_loop(&b));
	b.sink.ring(b.sink.ctx, 0); /* the device rings for the taker as well */
	CHECK(!is_served_by_the_loop(&b));
	eventfd_t count;
	CHECK_EQ(eventfd_read(kvm.fd, &count), 0);
	CHECK_EQ(count, 3);

	/* The guest moves the device meanwhile: the same descriptor. */
	int fd = kvm.fd;
	b.sink.unmap(b.sink.ctx);
	b.sink.map(b.sink.ctx, 0, 0xd0000800, 0, 0);
	CHECK_EQ(kvm.fd, fd);
	CHECK_EQ(eventfd_write(kvm.fd, 1), 0);
	doorbells_give_back(b.db, 0);
	CHECK(is_served_by_the_loop(&b));
	add_buffer(&b);
	CHECK_EQ(eventfd_write(kvm.fd, 1), 0);
	CHECK(is_served_by_the_loop(&b));
	tear_down(&b);
}

static void test_doorbell_can_be_taken_before_it_is_mapped(void)
{
	struct bench b;
	set_up(&b);
	int fd = doorbells_take(b.db, 0);
	CHECK(fd >= 0);
	CHECK_EQ(doorbells_take(b.db, 1000), -EINVAL);
	b.sink.map(b.sink.ctx, 0, 0xc0000800, 0, 0);
	CHECK_EQ(kvm.fd, fd);
	add_buffer(&b);
	CHECK_EQ(eventfd_write(fd, 1), 0);
	CHECK(!is_served_by_the_loop(&b));
	tear_down(&b); /* still taken */
}

/* A guest lays two devices over each other as often as it likes. */
static void test_doorbells_refused_by_kvm_do_not_flood_the_log(void)
{
	struct bench b;
	char path[] = "/tmp/tinyvm-wires-XXXXXX", text[65536];
	unsigned lines = 0;
	int saved = dup(STDERR_FILENO), file = mkstemp(path);
	CHECK(saved >= 0 && file >= 0);
	unlink(path);
	set_up(&b);
	kvm.error = -EEXIST;
	log_set_level(LOG_INFO);
	dup2(file, STDERR_FILENO);
	for (unsigned i = 0; i < 1000; i++)
		b.sink.map(b.sink.ctx, 0, 0xc0000800, 0, 0);
	dup2(saved, STDERR_FILENO);
	log_set_level(LOG_WARN);
	ssize_t n = pread(file, text, sizeof(text), 0);
	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	close(saved);
	close(file);
	tear_down(&b);
	CHECK(lines >= 1);
	CHECK(lines <= 10);
	CHECK_EQ(kvm.removed, 0);
}

static struct {
	bool is_high;
	unsigned changes, gsi;
} input;

static void input_set(void *ctx, unsigned gsi, bool is_high)
{
	(void)ctx;
	input.changes++;
	input.gsi = gsi;
	input.is_high = is_high;
}

static void test_shared_input_is_high_while_anyone_pulls(void)
{
	struct wired_or wo;
	memset(&input, 0, sizeof(input));
	wired_or_init(&wo, (struct irq_line){.set = input_set});
	struct irq_line a = wired_or_line(&wo, 16, 0), b = wired_or_line(&wo, 16, 31);
	irq_line_set(&a, true);
	irq_line_set(&b, true);
	irq_line_set(&a, true);
	CHECK_EQ(input.changes, 1);
	irq_line_set(&a, false);
	CHECK(input.is_high);
	irq_line_set(&b, false);
	CHECK(!input.is_high);
	CHECK_EQ(input.changes, 2);
	CHECK_EQ(input.gsi, 16);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_doorbell_rings_every_time_until_it_is_gone),
		TEST_CASE(test_late_ring_of_a_device_that_was_reset_is_ignored),
		TEST_CASE(test_device_rings_for_itself_mapped_or_not),
		TEST_CASE(test_doorbell_that_was_taken_rings_for_the_taker_only),
		TEST_CASE(test_doorbell_can_be_taken_before_it_is_mapped),
		TEST_CASE(test_doorbells_refused_by_kvm_do_not_flood_the_log),
		TEST_CASE(test_shared_input_is_high_while_anyone_pulls),
	};
	return TEST_RUN(cases);
}
