/*
 * vhost-net for real: rings in this process's memory, a tap in a network namespace of the test's
 * own, and a raw socket on it as the other end of the wire. Where the host has no /dev/vhost-net or
 * allows no taps, only that is tested.
 */
#include "netns.h"
#include "test.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <spec/virtio_config.h>
#include <spec/virtio_net.h>
#include <spec/virtio_ring.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <tinyvm/err.h>
#include <tinyvm/net.h>
#include <tinyvm/vhost.h>
#include <unistd.h>

#define RAM_SIZE (1u << 20)
#define GPA	 0x100000000ULL /* of the RAM */
#define SIZE	 16		/* of a ring */
#define BUFFER	 2048		/* bytes of one */
#define HDR	 sizeof(struct virtio_net_hdr)
#define BIT(n)	 (1ULL << (n))
#define FEATURES                                                                           \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_F_EVENT_IDX) | \
	 BIT(VIRTIO_F_INDIRECT_DESC))

/* A ring as its driver sees it. Its areas and one buffer an entry lie in the RAM. */
struct ring {
	struct vhost_ring wire;
	struct virtq_desc *desc;
	volatile uint16_t *avail, *used;
	uint8_t *buffers;
};

static struct {
	uint8_t *ram;
	struct netif *nif;
	struct vhost_net *vn;
	int wire;
	struct ring ring[VHOST_RINGS];
	struct vhost_region region;
} t;

static void must(bool is_so, const char *what)
{
	if (is_so)
		return;
	fprintf(stderr, "cannot set the test up: %s: %s\n", what, strerror(errno));
	abort();
}

static void ring_make(struct ring *r, uint8_t *at)
{
	r->desc = (void *)at;
	r->avail = (void *)(at + 0x1000);
	r->used = (void *)(at + 0x2000);
	r->buffers = at + 0x4000;
	r->wire = (struct vhost_ring){.size = SIZE,
				      .desc = at,
				      .avail = at + 0x1000,
				      .used = at + 0x2000,
				      .kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
				      .call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
				      .err = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
}

static void set_up(void)
{
	const struct net_tap_config cfg = {.name = "t0", .queues = 1};
	struct err err = {0};
	memset(&t, 0, sizeof(t));
	must(netns_make_tun("t0", IFF_TAP | IFF_NO_PI) == 0 && netns_set_up("t0", true) == 0, "t0");
	must(net_tap_open(&t.nif, &cfg, "net0", &err) == 0, err.msg);
	t.wire = netns_open_packet("t0", false);
	must(t.wire >= 0 && netns_wait_tap(t.wire, net_tap_fd(t.nif, 0)), "a raw socket");
	must(vhost_net_open(&t.vn, &err) == 0, err.msg);
	t.ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(t.ram != MAP_FAILED, "RAM");
	t.region = (struct vhost_region){.gpa = GPA, .size = RAM_SIZE, .hva = t.ram};
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		ring_make(&t.ring[i], t.ram + i * 0x20000);
}

static void tear_down(void)
{
	vhost_net_destroy(t.vn);
	netif_destroy(t.nif);
	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		close(t.ring[i].wire.kick);
		close(t.ring[i].wire.call);
		close(t.ring[i].wire.err);
	}
	munmap(t.ram, RAM_SIZE);
	close(t.wire);
	must(netns_remove("t0") == 0, "removing t0");
}

static int start(uint64_t features)
{
	const struct vhost_ring wire[] = {t.ring[0].wire, t.ring[1].wire};
	return vhost_net_start(t.vn, features, &t.region, 1, wire, net_tap_fd(t.nif, 0));
}

/* The next start goes on where it came to. */
static void stop(void)
{
	uint16_t base[VHOST_RINGS];
	vhost_net_stop(t.vn, base);
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		t.ring[i].wire.base = base[i];
}

static uint64_t gpa_of(const void *at)
{
	return GPA + (uint64_t)((const uint8_t *)at - t.ram);
}

/* Makes buffer @i available. */
static void ring_add(struct ring *r, unsigned i, uint64_t gpa, uint32_t len, uint16_t flags)
{
	uint16_t idx = r->avail[1];
	r->desc[i] = (struct virtq_desc){.addr = gpa, .len = len, .flags = flags};
	r->avail[2 + idx % SIZE] = (uint16_t)i;
	r->avail[2 + SIZE] = r->used[1]; /* used_event: the next one interrupts */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	r->avail[1] = (uint16_t)(idx + 1);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void ring_kick(const struct ring *r)
{
	eventfd_write(r->wire.kick, 1);
}

static bool is_signalled(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	eventfd_t count;
	return poll(&p, 1, ms) == 1 && eventfd_read(fd, &count) == 0;
}

static void make_frame(uint8_t *frame, size_t len, uint8_t mark)
{
	memset(frame, 0x5a, len);
	memcpy(frame, "\x02\0\0\0\0\1\x02\0\0\0\0\2\x88\xb5", NETIF_FRAME_MIN);
	frame[len - 1] = mark;
}

static void add_frame_to_send(unsigned i, size_t len, uint8_t mark)
{
	struct ring *r = &t.ring[VHOST_RING_TX];
	uint8_t *buffer = r->buffers + (size_t)i * BUFFER;
	memset(buffer, 0, HDR);
	make_frame(buffer + HDR, len, mark);
	ring_add(r, i, gpa_of(buffer), (uint32_t)(HDR + len), 0);
}

static bool wire_gets(size_t len, uint8_t mark)
{
	uint8_t got[4096];
	return recv(t.wire, got, sizeof(got), 0) == (ssize_t)len && got[len - 1] == mark;
}

static bool wire_sends(size_t len, uint8_t mark)
{
	uint8_t frame[2048];
	make_frame(frame, len, mark);
	return send(t.wire, frame, len, 0) == (ssize_t)len;
}

WITH_DEVICE(test_frames_go_out_and_the_driver_is_interrupted)
{
	struct ring *r = &t.ring[VHOST_RING_TX];
	CHECK_EQ(start(FEATURES), 0);
	for (unsigned i = 0; i < 3 * SIZE; i++) {
		add_frame_to_send(i % SIZE, 100 + i, (uint8_t)i);
		ring_kick(r);
		CHECK(wire_gets(100 + i, (uint8_t)i));
		CHECK(is_signalled(r->wire.call, 5000));
		CHECK_EQ(r->used[1], i + 1);
	}
	CHECK(!is_signalled(r->wire.err, 0));
}

WITH_DEVICE(test_frames_come_in_behind_a_header_of_12_bytes)
{
	struct ring *r = &t.ring[VHOST_RING_RX];
	CHECK_EQ(start(FEATURES), 0);
	for (unsigned i = 0; i < 3 * SIZE; i++) {
		uint8_t *buffer = r->buffers + (size_t)(i % SIZE) * BUFFER, frame[200];
		struct virtio_net_hdr hdr;
		memset(buffer, 0xff, BUFFER);
		ring_add(r, i % SIZE, gpa_of(buffer), BUFFER, VIRTQ_DESC_F_WRITE);
		ring_kick(r);
		CHECK(wire_sends(sizeof(frame), (uint8_t)i));
		CHECK(is_signalled(r->wire.call, 5000));
		CHECK_EQ(r->used[1], i + 1);
		const struct virtq_used_elem *elem =
			(const void *)((const uint8_t *)r->used + VIRTQ_USED_RING(i % SIZE));
		CHECK_EQ(elem->len, HDR + sizeof(frame));
		memcpy(&hdr, buffer, HDR);
		CHECK_EQ(hdr.gso_type, VIRTIO_NET_HDR_GSO_NONE);
		CHECK_EQ(hdr.num_buffers, 1);
		make_frame(frame, sizeof(frame), (uint8_t)i);
		CHECK(memcmp(buffer + HDR, frame, sizeof(frame)) == 0);
	}
}

WITH_DEVICE(test_what_was_rung_before_the_start_is_served)
{
	add_frame_to_send(0, 100, 1);
	ring_kick(&t.ring[VHOST_RING_TX]);
	CHECK_EQ(start(FEATURES), 0);
	CHECK(wire_gets(100, 1));
}

WITH_DEVICE(test_stop_leaves_nothing_in_flight_and_a_start_goes_on_there)
{
	struct ring *rx = &t.ring[VHOST_RING_RX], *tx = &t.ring[VHOST_RING_TX];
	uint8_t got[4096];
	CHECK_EQ(start(FEATURES), 0);
	for (unsigned i = 0; i < 4; i++)
		ring_add(rx, i, gpa_of(rx->buffers + (size_t)i * BUFFER), BUFFER,
			 VIRTQ_DESC_F_WRITE);
	ring_kick(rx);
	CHECK(wire_sends(100, 1));
	CHECK(is_signalled(rx->wire.call, 5000));
	add_frame_to_send(0, 100, 2);
	ring_kick(tx);
	CHECK(wire_gets(100, 2));
	CHECK(is_signalled(tx->wire.call, 5000));
	stop();
	CHECK_EQ(rx->wire.base, 1);
	CHECK_EQ(tx->wire.base, 1);

	/* The tap and the doorbells are others' now. */
	add_frame_to_send(1, 100, 3);
	ring_kick(tx);
	CHECK(wire_sends(100, 4));
	CHECK_EQ(read(net_tap_fd(t.nif, 0), got, sizeof(got)), HDR + 100);
	CHECK_EQ(rx->used[1], 1);
	CHECK_EQ(tx->used[1], 1);

	CHECK_EQ(start(FEATURES), 0);
	CHECK(wire_gets(100, 3));
	CHECK(wire_sends(100, 5));
	CHECK(is_signalled(rx->wire.call, 5000));
	CHECK_EQ(rx->used[1], 2);
	CHECK_EQ(rx->buffers[BUFFER + HDR + 99], 5);
	stop();
	CHECK_EQ(rx->wire.base, 2);
	CHECK_EQ(tx->wire.base, 2);
}

WITH_DEVICE(test_buffer_outside_ram_is_reported)
{
	struct ring *r = &t.ring[VHOST_RING_TX];
	CHECK_EQ(start(FEATURES), 0);
	ring_add(r, 0, GPA + RAM_SIZE, 100, 0);
	ring_kick(r);
	CHECK(is_signalled(r->wire.err, 5000));
	stop();
}

WITH_DEVICE(test_interface_down_loses_frames_and_no_buffers)
{
	struct ring *r = &t.ring[VHOST_RING_TX];
	CHECK_EQ(start(FEATURES), 0);
	CHECK_EQ(netns_set_up("t0", false), 0);
	add_frame_to_send(0, 100, 1);
	ring_kick(r);
	CHECK(is_signalled(r->wire.call, 5000));
	CHECK_EQ(netns_set_up("t0", true), 0);
	add_frame_to_send(1, 100, 2);
	ring_kick(r);
	CHECK(is_signalled(r->wire.call, 5000));
	CHECK_EQ(r->used[1], 2);
	CHECK(!is_signalled(r->wire.err, 0));
}

WITH_DEVICE(test_driver_without_mergeable_buffers_is_left_to_the_device)
{
	CHECK_EQ(start(FEATURES & ~BIT(VIRTIO_NET_F_MRG_RXBUF)), -EOPNOTSUPP);
	CHECK_EQ(start(FEATURES), 0);
}

WITH_DEVICE(test_ring_of_a_bad_size_is_refused_and_starts_nothing)
{
	t.ring[VHOST_RING_TX].wire.size = 17;
	CHECK(start(FEATURES) < 0);
	t.ring[VHOST_RING_TX].wire.size = SIZE;
	CHECK_EQ(start(FEATURES), 0);
	add_frame_to_send(0, 100, 1);
	ring_kick(&t.ring[VHOST_RING_TX]);
	CHECK(wire_gets(100, 1));
}

static void test_host_without_vhost_is_one_sentence(void)
{
	struct vhost_net *vn;
	struct err err = {0};
	if (access("/dev/vhost-net", F_OK) == 0)
		return;
	CHECK_EQ(vhost_net_open(&vn, &err), -ENOENT);
	CHECK_STR(err.msg, "the host has no /dev/vhost-net; `modprobe vhost_net` as root loads it");
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_host_without_vhost_is_one_sentence),
		TEST_CASE(test_frames_go_out_and_the_driver_is_interrupted),
		TEST_CASE(test_frames_come_in_behind_a_header_of_12_bytes),
		TEST_CASE(test_what_was_rung_before_the_start_is_served),
		TEST_CASE(test_stop_leaves_nothing_in_flight_and_a_start_goes_on_there),
		TEST_CASE(test_buffer_outside_ram_is_reported),
		TEST_CASE(test_interface_down_loses_frames_and_no_buffers),
		TEST_CASE(test_driver_without_mergeable_buffers_is_left_to_the_device),
		TEST_CASE(test_ring_of_a_bad_size_is_refused_and_starts_nothing),
	};
	const char *why = netns_enter();
	int vhost = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
	if (vhost < 0)
		why = "no /dev/vhost-net that this user may open";
	else
		close(vhost);
	if (why)
		printf("skip: %s\n", why);
	return test_run(cases, why ? 1 : sizeof(cases) / sizeof(cases[0]));
}
