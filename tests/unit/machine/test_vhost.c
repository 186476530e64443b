/* The glue between vhost-net and the board, with stand-ins for the host's kernel and for KVM. */
#include "test.h"
#include "vdriver.h"
#include "vhost.h"
#include "wires.h"

#include <spec/virtio_net.h>
#include <sys/eventfd.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/gmem.h>
#include <tinyvm/kvm.h>
#include <tinyvm/net.h>
#include <tinyvm/vhost.h>
#include <unistd.h>

#define TAP_FD(queue) (1000 + (int)(queue))

/* One fake vhost-net a pair: what it was told. */
struct vhost_net {
	bool is_running;
	uint64_t features;
	struct vhost_region region[2];
	unsigned region_count;
	struct vhost_ring ring[VHOST_RINGS];
	int tap;
};

static struct {
	struct vhost_net pair[NETIF_QUEUES_MAX];
	unsigned opened, destroyed, starts;
	unsigned fail_open, fail_start; /* the n-th, from 1 */
	uint64_t features;
	bool is_tap;
} host;

int vhost_net_open(struct vhost_net **ret_vn, struct err *err)
{
	if (host.opened + 1 == host.fail_open)
		return err_set(err, -ENOENT, "the host has no vhost");
	*ret_vn = &host.pair[host.opened++];
	return 0;
}

void vhost_net_destroy(struct vhost_net *vn)
{
	vn->is_running = false;
	host.destroyed++;
}

uint64_t vhost_net_features(const struct vhost_net *vn)
{
	(void)vn;
	return host.features;
}

int vhost_net_start(struct vhost_net *vn, uint64_t features, const struct vhost_region *region,
		    unsigned region_count, const struct vhost_ring *ring, int tap)
{
	if (++host.starts == host.fail_start)
		return -EIO;
	vn->is_running = true;
	vn->features = features;
	vn->region_count = region_count;
	memcpy(vn->region, region, region_count * sizeof(*region));
	memcpy(vn->ring, ring, sizeof(vn->ring));
	vn->tap = tap;
	return 0;
}

void vhost_net_stop(struct vhost_net *vn, uint16_t *ret_base)
{
	vn->is_running = false;
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		ret_base[i] = (uint16_t)(vn->ring[i].base + 5 + i);
}

int net_tap_fd(const struct netif *nif, unsigned queue)
{
	(void)nif;
	return host.is_tap ? TAP_FD(queue) : -1;
}

/* KVM's side. */
int kvm_ioeventfd_add(struct kvm_vm *vm, uint64_t gpa, unsigned size, uint32_t datamatch, int fd)
{
	(void)vm, (void)gpa, (void)size, (void)datamatch, (void)fd;
	return 0;
}

void kvm_ioeventfd_remove(struct kvm_vm *vm, uint64_t gpa, unsigned size, uint32_t datamatch,
			  int fd)
{
	(void)vm, (void)gpa, (void)size, (void)datamatch, (void)fd;
}

struct kvm_msi {
	int fd[4]; /* -1: masked */
};

int kvm_msi_fd(struct kvm_msi *msi, unsigned vector)
{
	return vector < 4 ? msi->fd[vector] : -1;
}

/* A card: the doorbells and interrupts of any device will do. */
static struct {
	struct gmem *gm;
	struct netif nif;
	struct virtio_device *vd;
	struct vdriver drv;
	struct evloop *loop;
	struct doorbells *db;
	struct kvm_msi msi;
	struct vhost_card *vc;
	struct ring_server server;
	struct virtio_ring ring[4];
	unsigned requests;
} b;

static int count_request(void *ctx, void *buf, size_t len)
{
	(void)ctx, (void)buf, (void)len;
	b.requests++;
	return 0;
}

/* 4 GiB, so that RAM has two regions; nothing of it is touched. */
static void set_up(void)
{
	struct err err = {0};
	memset(&host, 0, sizeof(host));
	memset(&b, 0, sizeof(b));
	host.is_tap = true;
	host.features = ~0ULL;
	b.msi = (struct kvm_msi){.fd = {-1, 501, 502, -1}};
	if (gmem_create(&b.gm, 4ULL << 30) != 0 || evloop_create(&b.loop) != 0 ||
	    virtio_rng_create(&b.vd, "net0", b.gm, (struct entropy){.fill = count_request}) != 0 ||
	    doorbells_create(&b.db, NULL, b.loop) != 0 ||
	    vhost_card_create(&b.vc, "net0", b.gm, &b.nif, 2, &err) != 0)
		abort();
	vdriver_init(&b.drv, b.vd, b.gm, 0x10000);
	if (!vdriver_start(&b.drv, ~0ULL))
		abort();
	doorbells_bind(b.db, b.vd);
	vhost_card_bind(b.vc, b.loop, b.vd, b.db, &b.msi);
	b.server = vhost_card_server(b.vc);
	for (unsigned i = 0; i < 4; i++)
		b.ring[i] = (struct virtio_ring){.size = 256,
						 .base = (uint16_t)(10 * i),
						 .vector = (uint16_t)i,
						 .desc = 0x1000 * (4 * i + 1),
						 .avail = 0x1000 * (4 * i + 2),
						 .used = 0x1000 * (4 * i + 3)};
}

static void tear_down(void)
{
	device_destroy(virtio_to_device(b.vd));
	vhost_card_destroy(b.vc);
	doorbells_destroy(b.db);
	evloop_destroy(b.loop);
	gmem_destroy(b.gm);
	if (host.destroyed != host.opened)
		abort();
}

static int start(unsigned count)
{
	return b.server.start(b.server.ctx, 0x1234, b.ring, count);
}

static void run_loop(void)
{
	evloop_stop(b.loop);
	evloop_run(b.loop);
}

/* Does the device serve its queue when the doorbell is rung? */
static bool is_served_by_the_device(void)
{
	unsigned before = b.requests;
	struct vbuf buf = {vdriver_alloc(&b.drv, 16, 16), 16, true};
	struct kick_sink sink = doorbells_sink(b.db);
	vdriver_add(&b.drv, 0, &buf, 1, VDRIVER_DIRECT);
	sink.ring(sink.ctx, 0);
	run_loop();
	return b.requests != before;
}

WITH_DEVICE(test_start_hands_over_memory_rings_and_taps)
{
	const uint8_t *low = gmem_region(b.gm, 0)->hva;
	CHECK_EQ(start(4), 0);
	for (unsigned p = 0; p < 2; p++) {
		const struct vhost_net *vn = &host.pair[p];
		CHECK(vn->is_running);
		CHECK_EQ(vn->features, 0x1234);
		CHECK_EQ(vn->tap, TAP_FD(p));
		CHECK_EQ(vn->region_count, 2);
		CHECK_EQ(vn->region[0].gpa, 0);
		CHECK_EQ(vn->region[0].size, GMEM_HOLE_START);
		CHECK(vn->region[0].hva == low);
		CHECK_EQ(vn->region[1].gpa, GMEM_HOLE_END);
		CHECK_EQ(vn->region[1].size, 1ULL << 30);
		for (unsigned i = 0; i < VHOST_RINGS; i++) {
			const struct vhost_ring *r = &vn->ring[i];
			unsigned n = p * VHOST_RINGS + i;
			CHECK_EQ(r->size, 256);
			CHECK_EQ(r->base, 10 * n);
			CHECK(r->desc == low + b.ring[n].desc);
			CHECK(r->avail == low + b.ring[n].avail);
			CHECK(r->used == low + b.ring[n].used);
			CHECK_EQ(r->kick, doorbells_take(b.db, n));
		}
	}
	b.server.stop(b.server.ctx, b.ring, 4);
	CHECK(!host.pair[0].is_running);
	CHECK(!host.pair[1].is_running);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(b.ring[i].base, 10 * i + 5 + i % 2);
}

WITH_DEVICE(test_pairs_not_in_use_stay_off)
{
	CHECK_EQ(start(2), 0);
	CHECK(host.pair[0].is_running);
	CHECK(!host.pair[1].is_running);
	b.server.stop(b.server.ctx, b.ring, 2);
	CHECK_EQ(start(4), 0);
	CHECK(host.pair[1].is_running);
	CHECK_EQ(b.server.start(b.server.ctx, 0, b.ring, 6), -EINVAL);
}

WITH_DEVICE(test_doorbell_is_the_servers_while_it_runs)
{
	CHECK(is_served_by_the_device());
	CHECK_EQ(start(2), 0);
	CHECK(!is_served_by_the_device());
	unsigned before = b.requests;
	b.server.stop(b.server.ctx, b.ring, 2);
	run_loop(); /* what was rung meanwhile */
	CHECK(b.requests > before);
	CHECK(is_served_by_the_device());
}

WITH_DEVICE(test_unmasked_vectors_go_straight_to_kvm_and_others_through_the_device)
{
	CHECK_EQ(start(2), 0);
	int masked = host.pair[0].ring[0].call;
	CHECK_EQ(host.pair[0].ring[1].call, 501);
	CHECK(masked >= 0);
	CHECK_EQ(b.drv.queue_irqs[0], 0);
	CHECK_EQ(eventfd_write(masked, 1), 0);
	run_loop();
	CHECK_EQ(b.drv.queue_irqs[0], 1);
	run_loop();
	CHECK_EQ(b.drv.queue_irqs[0], 1);

	b.server.stop(b.server.ctx, b.ring, 2);
	b.ring[1].vector = VIRTIO_NO_VECTOR;
	CHECK_EQ(start(2), 0);
	CHECK_EQ(host.pair[0].ring[0].call, masked);
	CHECK(host.pair[0].ring[1].call != 501);
	CHECK(host.pair[0].ring[1].call != masked);
}

WITH_DEVICE(test_card_without_vectors_interrupts_through_the_device)
{
	vhost_card_bind(b.vc, b.loop, b.vd, b.db, NULL);
	b.ring[0].vector = VIRTIO_NO_VECTOR;
	CHECK_EQ(start(2), 0);
	CHECK_EQ(eventfd_write(host.pair[0].ring[0].call, 1), 0);
	run_loop();
	CHECK_EQ(b.drv.queue_irqs[0], 1);
}

WITH_DEVICE(test_interrupt_right_before_the_stop_is_not_lost)
{
	CHECK_EQ(start(2), 0);
	CHECK_EQ(eventfd_write(host.pair[0].ring[0].call, 1), 0);
	b.server.stop(b.server.ctx, b.ring, 2);
	CHECK_EQ(b.drv.queue_irqs[0], 1);
	run_loop();
	CHECK_EQ(b.drv.queue_irqs[0], 1);
}

WITH_DEVICE(test_ring_that_breaks_the_rules_breaks_the_card_and_not_the_next_driver)
{
	CHECK_EQ(start(2), 0);
	CHECK_EQ(host.pair[0].ring[0].err, host.pair[0].ring[1].err);
	CHECK_EQ(eventfd_write(host.pair[0].ring[0].err, 1), 0);
	run_loop();
	CHECK(vdriver_is_broken(&b.drv));
	CHECK_EQ(b.drv.config_irqs, 1);

	CHECK_EQ(eventfd_write(host.pair[0].ring[0].err, 1), 0);
	b.server.stop(b.server.ctx, b.ring, 2);
	vdriver_reset(&b.drv);
	CHECK(vdriver_start(&b.drv, ~0ULL));
	CHECK_EQ(start(2), 0);
	run_loop();
	CHECK(!vdriver_is_broken(&b.drv));
}

static bool refuses(struct virtio_ring bad)
{
	b.ring[3] = bad;
	bool is_refused = start(4) == -EFAULT;
	return is_refused && !host.pair[0].is_running && !host.pair[1].is_running;
}

WITH_DEVICE(test_ring_outside_ram_or_across_its_hole_is_refused_whole)
{
	struct virtio_ring ring = b.ring[3], bad = ring;
	bad.desc = GMEM_HOLE_START;
	CHECK(refuses(bad));
	bad = ring, bad.avail = GMEM_HOLE_START - 16;
	CHECK(refuses(bad));
	bad = ring, bad.used = ~0ULL - 4;
	CHECK(refuses(bad));
	bad = ring, bad.used = GMEM_HOLE_END + (1ULL << 30) - 64;
	CHECK(refuses(bad));
	CHECK(is_served_by_the_device());
	b.ring[3] = ring;
	CHECK_EQ(start(4), 0);
}

WITH_DEVICE(test_failed_start_leaves_the_doorbells_with_the_device)
{
	host.fail_start = 2;
	CHECK_EQ(start(4), -EIO);
	CHECK(!host.pair[0].is_running);
	CHECK(is_served_by_the_device());
	CHECK_EQ(start(4), 0);
}

WITH_DEVICE(test_destroy_of_a_running_card_stops_it)
{
	CHECK_EQ(start(4), 0);
	CHECK_EQ(eventfd_write(host.pair[0].ring[0].call, 1), 0);
}

static void test_card_needs_a_tap_and_every_pair(void)
{
	struct vhost_card *vc = NULL;
	struct gmem *gm;
	struct netif nif = {0};
	struct err err;
	memset(&host, 0, sizeof(host));
	CHECK_EQ(gmem_create(&gm, 1 << 20), 0);
	CHECK_EQ(vhost_card_create(&vc, "net0", gm, &nif, 1, &err), -ENOTSUP);
	host.is_tap = true;
	host.fail_open = 2;
	CHECK_EQ(vhost_card_create(&vc, "net0", gm, &nif, 3, &err), -ENOENT);
	CHECK_STR(err.msg, "the host has no vhost");
	CHECK_EQ(host.opened, 1);
	CHECK_EQ(host.destroyed, 1);
	CHECK(!vc);
	gmem_destroy(gm);
}

WITH_DEVICE(test_features_are_all_but_unknown_ones_of_the_rings)
{
	CHECK_EQ(vhost_card_features(b.vc), ~0ULL);
	host.features = 1ULL << VIRTIO_F_VERSION_1;
	CHECK_EQ(vhost_card_features(b.vc), ~(1ULL << VIRTIO_NET_F_MRG_RXBUF));
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_start_hands_over_memory_rings_and_taps),
		TEST_CASE(test_pairs_not_in_use_stay_off),
		TEST_CASE(test_doorbell_is_the_servers_while_it_runs),
		TEST_CASE(test_unmasked_vectors_go_straight_to_kvm_and_others_through_the_device),
		TEST_CASE(test_card_without_vectors_interrupts_through_the_device),
		TEST_CASE(test_interrupt_right_before_the_stop_is_not_lost),
		TEST_CASE(test_ring_that_breaks_the_rules_breaks_the_card_and_not_the_next_driver),
		TEST_CASE(test_ring_outside_ram_or_across_its_hole_is_refused_whole),
		TEST_CASE(test_failed_start_leaves_the_doorbells_with_the_device),
		TEST_CASE(test_destroy_of_a_running_card_stops_it),
		TEST_CASE(test_card_needs_a_tap_and_every_pair),
		TEST_CASE(test_features_are_all_but_unknown_ones_of_the_rings),
	};
	return TEST_RUN(cases);
}
