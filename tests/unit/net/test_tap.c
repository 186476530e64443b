/*
 * The tap backend on real interfaces, in a network namespace of the test's own; a raw socket on the
 * interface is the other end of the wire. Where the host allows no such thing nothing runs.
 */
#include "netns.h"
#include "test.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <spec/virtio_net.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/log.h>
#include <tinyvm/net.h>
#include <unistd.h>

#define TAP	  (IFF_TAP | IFF_NO_PI)
#define TYPE_TEST 0x88b5 /* for local experiments */
#define TCP_MSS	  1000
#define OLD_HDR	  10 /* bytes of a raw socket's header */

/* A full host is not to be had on request: what the next writev() fails with. */
static int writev_error;

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	if (!writev_error)
		return syscall(SYS_writev, fd, iov, count);
	errno = writev_error;
	return -1;
}

/* A tap with a client that counts, and the other end of the wire. */
static struct {
	struct netif *nif;
	struct evloop *loop;
	struct evloop_fd *timer_handle;
	int timer;
	int wire;
	bool is_late;
	unsigned readable[NETIF_QUEUES_MAX], writable[NETIF_QUEUES_MAX], link_changes;
} t;

static void on_readable(void *ctx, unsigned queue)
{
	(void)ctx;
	t.readable[queue]++;
	evloop_stop(t.loop);
}

static void on_writable(void *ctx, unsigned queue)
{
	(void)ctx;
	t.writable[queue]++;
	evloop_stop(t.loop);
}

static void on_link_changed(void *ctx)
{
	(void)ctx;
	t.link_changes++;
	evloop_stop(t.loop);
}

static const struct netif_client client = {
	.readable = on_readable,
	.writable = on_writable,
	.link_changed = on_link_changed,
};

static void on_timer(void *ctx, uint32_t events)
{
	uint64_t n;
	(void)ctx, (void)events;
	if (read(t.timer, &n, sizeof(n)) == sizeof(n))
		t.is_late = true;
	evloop_stop(t.loop);
}

/* Until the client heard something. Return: false when it did not within @ms. */
static bool loop_runs(unsigned ms)
{
	const struct itimerspec when = {
		.it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}};
	t.is_late = false;
	timerfd_settime(t.timer, 0, &when, NULL);
	evloop_run(t.loop);
	return !t.is_late;
}

static void must(bool is_so, const char *what)
{
	if (is_so)
		return;
	fprintf(stderr, "cannot set the test up: %s: %s\n", what, strerror(errno));
	abort();
}

static struct netif *open_tap(const char *name, unsigned queues)
{
	const struct net_tap_config cfg = {.name = name, .queues = queues};
	struct netif *nif = NULL;
	struct err err = {0};
	if (net_tap_open(&nif, &cfg, "net0", &err) != 0)
		fprintf(stderr, "%s\n", err.msg);
	return nif;
}

/* The interface t0, up, made with @flags, and the tap on it. */
static void set_up_with(int flags, unsigned queues)
{
	memset(&t, 0, sizeof(t));
	must(netns_make_tun("t0", flags) == 0 && netns_set_up("t0", true) == 0, "t0");
	t.wire = netns_open_packet("t0", false);
	must(t.wire >= 0, "a raw socket");
	t.nif = open_tap("t0", queues);
	must(t.nif && evloop_create(&t.loop) == 0, "a tap");
	must(netns_wait_tap(t.wire, net_tap_fd(t.nif, 0)), "a tap that works");
	t.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	must(evloop_add(t.loop, &t.timer_handle, t.timer, EPOLLIN, on_timer, NULL, NULL) == 0,
	     "a timer");
	must(t.nif->ops->attach(t.nif, t.loop, &client, NULL, NULL) == 0, "attach");
}

static void set_up(void)
{
	set_up_with(TAP, 1);
}

static void tear_down(void)
{
	writev_error = 0;
	t.nif->ops->attach(t.nif, NULL, NULL, NULL, NULL);
	netif_destroy(t.nif);
	evloop_remove(t.timer_handle);
	close(t.timer);
	evloop_destroy(t.loop);
	close(t.wire);
	if (netns_has("t0"))
		must(netns_remove("t0") == 0, "removing t0");
}

/* An Ethernet frame of @len bytes that ends in @mark. */
static void make_frame(uint8_t *frame, size_t len, uint8_t mark)
{
	memset(frame, 0x5a, len);
	memcpy(frame, "\x02\0\0\0\0\1\x02\0\0\0\0\2\x88\xb5", NETIF_FRAME_MIN);
	frame[len - 1] = mark;
}

static int send_frame(unsigned queue, const struct virtio_net_hdr *hdr, const uint8_t *frame,
		      size_t len)
{
	/* Two windows, as a guest's header and payload. */
	size_t first = len < NETIF_FRAME_MIN ? len : NETIF_FRAME_MIN;
	const struct iovec iov[] = {{(void *)frame, first}, {(void *)(frame + first), len - first}};
	const struct virtio_net_hdr none = {0};
	return t.nif->ops->send(t.nif, queue, hdr ? hdr : &none, iov, 2, len);
}

static ssize_t receive_frame(unsigned queue, struct virtio_net_hdr *hdr, void *buf, size_t len)
{
	const struct iovec iov[] = {{buf, len / 2}, {(uint8_t *)buf + len / 2, len - len / 2}};
	return t.nif->ops->receive(t.nif, queue, hdr, iov, 2);
}

WITH_DEVICE(test_sent_frame_reaches_the_interface)
{
	uint8_t frame[300], got[2048];
	make_frame(frame, sizeof(frame), 1);
	CHECK_EQ(send_frame(0, NULL, frame, sizeof(frame)), 0);
	CHECK_EQ(recv(t.wire, got, sizeof(got), 0), sizeof(frame));
	CHECK(memcmp(got, frame, sizeof(frame)) == 0);
	CHECK_EQ(t.nif->dropped, 0);
}

WITH_DEVICE(test_frame_of_the_interface_is_received_whole_with_an_empty_header)
{
	uint8_t frame[1514], got[2048];
	struct virtio_net_hdr hdr, empty = {0};
	make_frame(frame, sizeof(frame), 7);
	CHECK_EQ(receive_frame(0, &hdr, got, sizeof(got)), -EAGAIN);
	CHECK_EQ(send(t.wire, frame, sizeof(frame), 0), sizeof(frame));
	CHECK(loop_runs(5000));
	CHECK(t.readable[0] >= 1);
	memset(&hdr, 0xff, sizeof(hdr));
	CHECK_EQ(receive_frame(0, &hdr, got, sizeof(got)), sizeof(frame));
	CHECK(memcmp(got, frame, sizeof(frame)) == 0);
	CHECK(memcmp(&hdr, &empty, sizeof(hdr)) == 0);
	CHECK_EQ(receive_frame(0, &hdr, got, sizeof(got)), -EAGAIN);
}

WITH_DEVICE(test_unwanted_frames_make_no_events_and_wait)
{
	uint8_t frame[60], got[2048];
	struct virtio_net_hdr hdr;
	make_frame(frame, sizeof(frame), 1);
	t.nif->ops->want(t.nif, 0, false);
	CHECK_EQ(send(t.wire, frame, sizeof(frame), 0), sizeof(frame));
	CHECK(!loop_runs(50));
	t.nif->ops->want(t.nif, 0, true);
	CHECK_EQ(t.readable[0], 0);
	CHECK(loop_runs(5000));
	CHECK(t.readable[0] >= 1);
	CHECK_EQ(receive_frame(0, &hdr, got, sizeof(got)), sizeof(frame));
}

WITH_DEVICE(test_frame_longer_than_its_room_is_dropped_and_the_next_one_received)
{
	uint8_t frame[200], got[100];
	struct virtio_net_hdr hdr;
	make_frame(frame, sizeof(frame), 1);
	CHECK_EQ(send(t.wire, frame, 101, 0), 101);
	CHECK_EQ(send(t.wire, frame, 200, 0), 200);
	CHECK_EQ(send(t.wire, frame, 100, 0), 100);
	CHECK_EQ(receive_frame(0, &hdr, got, sizeof(got)), 100);
	CHECK_EQ(t.nif->dropped, 2);
}

/* A TCP segment of @payload bytes over IPv4, with its pseudo header's sum where the checksum goes.
 * Return: its length.
 */
static size_t make_segment(uint8_t *frame, size_t payload)
{
	size_t ip_len = 20 + 20 + payload;
	uint32_t sum = 6 + 20 + (uint32_t)payload;
	make_frame(frame, NETIF_FRAME_MIN + ip_len, 0);
	memcpy(frame + 12, "\x08\x00", 2);
	uint8_t *ip = frame + NETIF_FRAME_MIN, *tcp = ip + 20;
	memset(ip, 0, 40);
	memcpy(ip, "\x45\0\0\0\0\1\x40\0\x40\6\0\0\xc0\0\2\1\xc0\0\2\2", 20);
	ip[2] = (uint8_t)(ip_len >> 8);
	ip[3] = (uint8_t)ip_len;
	uint32_t head = 0;
	for (unsigned i = 0; i < 20; i += 2)
		head += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	head = (head & 0xffff) + (head >> 16);
	head = ~((head & 0xffff) + (head >> 16));
	ip[10] = (uint8_t)(head >> 8);
	ip[11] = (uint8_t)head;
	memcpy(tcp, "\x10\0\x20\0\0\0\0\1\0\0\0\1\x50\x10\xff\xff", 16);
	for (unsigned i = 12; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	tcp[16] = (uint8_t)(sum >> 8);
	tcp[17] = (uint8_t)sum;
	return NETIF_FRAME_MIN + ip_len;
}

static const struct virtio_net_hdr tso_hdr = {
	.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
	.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
	.hdr_len = NETIF_FRAME_MIN + 40,
	.gso_size = TCP_MSS,
	.csum_start = NETIF_FRAME_MIN + 20,
	.csum_offset = 16,
};

/* From the interface into the tap. */
static bool inject_segment(size_t payload)
{
	uint8_t frame[OLD_HDR + 20000];
	size_t len = make_segment(frame + OLD_HDR, payload);
	memcpy(frame, &tso_hdr, OLD_HDR);
	int wire = netns_open_packet("t0", true);
	bool is_sent = wire >= 0 && send(wire, frame, OLD_HDR + len, 0) == (ssize_t)(OLD_HDR + len);
	close(wire);
	return is_sent;
}

WITH_DEVICE(test_segment_is_received_whole_only_with_offloads_on)
{
	uint8_t got[20000];
	struct virtio_net_hdr hdr;
	CHECK((t.nif->offloads & (NETIF_CSUM | NETIF_TSO4 | NETIF_TSO6)) ==
	      (NETIF_CSUM | NETIF_TSO4 | NETIF_TSO6));
	t.nif->ops->set_offloads(t.nif, t.nif->offloads);
	CHECK(inject_segment(5000));
	CHECK_EQ(receive_frame(0, &hdr, got, sizeof(got)), NETIF_FRAME_MIN + 40 + 5000);
	CHECK_EQ(hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	CHECK_EQ(hdr.gso_size, TCP_MSS);
	CHECK_EQ(hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CHECK_EQ(hdr.csum_start, NETIF_FRAME_MIN + 20);
	CHECK_EQ(hdr.num_buffers, 0);

	t.nif->ops->set_offloads(t.nif, 0);
	CHECK(inject_segment(5000));
	for (unsigned i = 0; i < 5; i++) {
		CHECK_EQ(receive_frame(0, &hdr, got, sizeof(got)), NETIF_FRAME_MIN + 40 + TCP_MSS);
		CHECK_EQ(hdr.gso_type, VIRTIO_NET_HDR_GSO_NONE);
		CHECK_EQ(hdr.flags, 0);
	}
	CHECK_EQ(receive_frame(0, &hdr, got, sizeof(got)), -EAGAIN);
	CHECK_EQ(t.nif->dropped, 0);
}

WITH_DEVICE(test_segment_that_waited_for_a_driver_without_offloads_is_dropped)
{
	uint8_t frame[60], got[20000];
	struct virtio_net_hdr hdr;
	t.nif->ops->set_offloads(t.nif, NETIF_CSUM | NETIF_TSO4);
	CHECK(inject_segment(5000));
	t.nif->ops->set_offloads(t.nif, 0);
	make_frame(frame, sizeof(frame), 3);
	CHECK_EQ(send(t.wire, frame, sizeof(frame), 0), sizeof(frame));
	CHECK_EQ(receive_frame(0, &hdr, got, sizeof(got)), sizeof(frame));
	CHECK_EQ(t.nif->dropped, 1);
}

WITH_DEVICE(test_sent_segment_keeps_its_header)
{
	uint8_t frame[20000], got[OLD_HDR + 20000];
	struct virtio_net_hdr hdr = {0};
	size_t len = make_segment(frame, 8000);
	int wire = netns_open_packet("t0", true);
	CHECK(wire >= 0);
	CHECK_EQ(send_frame(0, &tso_hdr, frame, len), 0);
	ssize_t n = recv(wire, got, sizeof(got), 0);
	close(wire);
	CHECK_EQ(n, OLD_HDR + len);
	memcpy(&hdr, got, OLD_HDR);
	CHECK_EQ(hdr.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	CHECK_EQ(hdr.gso_size, TCP_MSS);
	CHECK_EQ(hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CHECK(memcmp(got + OLD_HDR + 60, frame + 60, len - 60) == 0);
}

WITH_DEVICE(test_runts_giants_and_lying_headers_are_dropped_and_counted)
{
	static const struct virtio_net_hdr lies[] = {
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 9000, .csum_offset = 16},
		{.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 0xffff, .csum_offset = 0xffff},
		{.gso_type = 0x7f, .gso_size = 100},
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0},
		{.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 100, .hdr_len = 0xffff},
		{.hdr_len = 5000},
	};
	static uint8_t giant[NETIF_FRAME_MAX + 1];
	uint8_t frame[100], got[2048];
	unsigned dropped = 0;

	make_frame(frame, sizeof(frame), 0);
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		CHECK_EQ(send_frame(0, &lies[i], frame, sizeof(frame)), 0);
		CHECK_EQ(t.nif->dropped, ++dropped);
	}
	for (size_t len = 0; len < NETIF_FRAME_MIN; len++) {
		CHECK_EQ(send_frame(0, NULL, frame, len), 0);
		CHECK_EQ(t.nif->dropped, ++dropped);
	}
	make_frame(giant, sizeof(giant), 0);
	CHECK_EQ(send_frame(0, NULL, giant, sizeof(giant)), 0);
	CHECK_EQ(t.nif->dropped, ++dropped);
	static struct iovec crumbs[2000];
	for (unsigned i = 0; i < 2000; i++)
		crumbs[i] = (struct iovec){.iov_base = frame, .iov_len = 1};
	CHECK_EQ(t.nif->ops->send(t.nif, 0, &tso_hdr, crumbs, 2000, 2000), 0);
	CHECK_EQ(t.nif->dropped, ++dropped);

	make_frame(frame, sizeof(frame), 9);
	CHECK_EQ(send_frame(0, NULL, frame, sizeof(frame)), 0);
	CHECK_EQ(recv(t.wire, got, sizeof(got), 0), sizeof(frame));
	CHECK_EQ(got[sizeof(frame) - 1], 9);
	CHECK_EQ(t.nif->dropped, dropped);
}

WITH_DEVICE(test_full_host_pushes_back_until_there_is_room)
{
	uint8_t frame[60], got[2048];
	make_frame(frame, sizeof(frame), 1);
	writev_error = EAGAIN;
	CHECK_EQ(send_frame(0, NULL, frame, sizeof(frame)), -EAGAIN);
	writev_error = 0;
	CHECK_EQ(t.writable[0], 0);
	CHECK(loop_runs(5000));
	CHECK_EQ(t.writable[0], 1);
	CHECK(!loop_runs(50)); /* told once */
	CHECK_EQ(send_frame(0, NULL, frame, sizeof(frame)), 0);
	CHECK_EQ(recv(t.wire, got, sizeof(got), 0), sizeof(frame));
	CHECK_EQ(t.nif->dropped, 0);
	writev_error = ENOBUFS; /* nobody would tell when that is over */
	CHECK_EQ(send_frame(0, NULL, frame, sizeof(frame)), 0);
	CHECK_EQ(t.nif->dropped, 1);
}

WITH_DEVICE(test_link_follows_the_interface_down_and_up)
{
	uint8_t frame[60], got[2048];
	make_frame(frame, sizeof(frame), 1);
	CHECK(t.nif->is_up);
	CHECK_EQ(netns_set_up("t0", false), 0);
	CHECK_EQ(send_frame(0, NULL, frame, sizeof(frame)), 0); /* before anybody told */
	CHECK_EQ(t.nif->dropped, 1);
	CHECK(loop_runs(5000));
	CHECK_EQ(t.link_changes, 1);
	CHECK(!t.nif->is_up);
	CHECK_EQ(send_frame(0, NULL, frame, sizeof(frame)), 0);
	CHECK_EQ(t.nif->dropped, 2);

	CHECK_EQ(netns_set_up("t0", true), 0);
	CHECK(loop_runs(5000));
	CHECK_EQ(t.link_changes, 2);
	CHECK(t.nif->is_up);
	CHECK_EQ(send_frame(0, NULL, frame, sizeof(frame)), 0);
	while (recv(t.wire, got, sizeof(got), 0) < 0 && errno == ENETDOWN)
		;
	CHECK_EQ(t.nif->dropped, 2);
}

WITH_DEVICE(test_link_that_goes_down_lets_go_of_what_waited_for_room)
{
	uint8_t frame[60];
	make_frame(frame, sizeof(frame), 1);
	CHECK_EQ(netns_set_up("t0", false), 0);
	writev_error = EAGAIN;
	CHECK_EQ(send_frame(0, NULL, frame, sizeof(frame)), -EAGAIN);
	writev_error = 0;
	CHECK(loop_runs(5000));
	CHECK_EQ(t.link_changes, 1);
	CHECK_EQ(t.writable[0], 1);
	CHECK_EQ(send_frame(0, NULL, frame, sizeof(frame)), 0);
	CHECK_EQ(t.nif->dropped, 1);
}

WITH_DEVICE(test_other_interfaces_are_none_of_its_business)
{
	CHECK_EQ(netns_make_tun("other", TAP), 0);
	CHECK_EQ(netns_set_up("other", true), 0);
	CHECK_EQ(netns_remove("other"), 0);
	CHECK(!loop_runs(50));
	CHECK_EQ(t.link_changes, 0);
}

static uint64_t cpu_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* What the program says on standard error while @fn runs. Return: lines. */
static unsigned lines_said(void (*fn)(void))
{
	char path[] = "/tmp/tinyvm-tap-XXXXXX", text[4096];
	int saved = dup(STDERR_FILENO), file = mkstemp(path);
	unsigned lines = 0;
	must(saved >= 0 && file >= 0, "a file");
	unlink(path);
	dup2(file, STDERR_FILENO);
	fn();
	dup2(saved, STDERR_FILENO);
	ssize_t n = pread(file, text, sizeof(text), 0);
	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	close(saved);
	close(file);
	return lines;
}

static void lose_interface(void)
{
	uint8_t frame[60], got[2048];
	struct virtio_net_hdr hdr;
	make_frame(frame, sizeof(frame), 1);
	CHECK_EQ(netns_remove("t0"), 0);
	CHECK_EQ(send_frame(0, NULL, frame, sizeof(frame)), 0);
	CHECK(loop_runs(5000));
	CHECK_EQ(t.link_changes, 1);
	CHECK(!t.nif->is_up);
	CHECK_EQ(receive_frame(0, &hdr, got, sizeof(got)), -EAGAIN);
	CHECK_EQ(send_frame(0, NULL, frame, sizeof(frame)), 0);
	CHECK_EQ(t.nif->dropped, 2);
	t.nif->ops->want(t.nif, 0, false);
	t.nif->ops->want(t.nif, 0, true);
	t.nif->ops->set_offloads(t.nif, NETIF_CSUM);
	uint64_t before = cpu_ms();
	CHECK(!loop_runs(300));
	CHECK(cpu_ms() - before < 100); /* waits, and does not spin */
	CHECK_EQ(t.link_changes, 1);
	/* One of that name is another one. */
	CHECK_EQ(netns_make_tun("t0", TAP), 0);
	CHECK_EQ(netns_set_up("t0", true), 0);
	CHECK(!loop_runs(50));
	CHECK(!t.nif->is_up);
}

WITH_DEVICE(test_removed_interface_is_a_link_down_and_said_once)
{
	log_set_level(LOG_WARN);
	CHECK_EQ(lines_said(lose_interface), 1);
	log_set_level(LOG_ERROR);
}

/* Frames of 64 flows, which the kernel spreads over the queues. */
static bool inject_flows(void)
{
	for (uint8_t i = 0; i < 64; i++) {
		uint8_t frame[200];
		size_t len = make_segment(frame, 20);
		frame[NETIF_FRAME_MIN + 21] = i;
		if (send(t.wire, frame, len, 0) != (ssize_t)len)
			return false;
	}
	return true;
}

static unsigned drain(unsigned queue)
{
	uint8_t got[2048];
	struct virtio_net_hdr hdr;
	unsigned n = 0;
	while (receive_frame(queue, &hdr, got, sizeof(got)) > 0)
		n++;
	return n;
}

static void many_queues(void)
{
	CHECK_EQ(t.nif->queues, 4);
	for (unsigned i = 0; i < 4; i++)
		CHECK(net_tap_fd(t.nif, i) >= 0);
	CHECK_EQ(net_tap_fd(t.nif, 4), -1);

	CHECK(inject_flows());
	CHECK_EQ(drain(0), 64);

	t.nif->ops->set_queues(t.nif, 3);
	CHECK(inject_flows());
	while (!(t.readable[0] && t.readable[1] && t.readable[2]))
		CHECK(loop_runs(5000));
	unsigned n[3] = {drain(0), drain(1), drain(2)};
	CHECK(n[0] && n[1] && n[2]);
	CHECK_EQ(n[0] + n[1] + n[2], 64);
	CHECK_EQ(t.readable[3], 0);

	for (unsigned i = 0; i < 3; i++) {
		uint8_t frame[60], got[2048];
		make_frame(frame, sizeof(frame), (uint8_t)i);
		CHECK_EQ(send_frame(i, NULL, frame, sizeof(frame)), 0);
		CHECK_EQ(recv(t.wire, got, sizeof(got), 0), sizeof(frame));
		CHECK_EQ(got[sizeof(frame) - 1], i);
	}

	t.nif->ops->set_queues(t.nif, 1);
	CHECK(inject_flows());
	CHECK_EQ(drain(0), 64);

	t.nif->ops->set_queues(t.nif, 4);
	t.nif->ops->attach(t.nif, NULL, NULL, NULL, NULL);
	CHECK(inject_flows());
	CHECK_EQ(drain(0), 64); /* one again */
}

static void test_flows_spread_over_the_queues_in_use(void)
{
	set_up_with(TAP | IFF_MULTI_QUEUE, 4);
	many_queues();
	tear_down();
}

static void one_queue(void)
{
	CHECK_EQ(t.nif->queues, 1);
	CHECK(inject_flows());
	CHECK_EQ(drain(0), 64);
}

static void test_interface_made_with_one_queue_has_one(void)
{
	set_up_with(TAP, 4);
	one_queue();
	tear_down();
}

static void test_one_queue_of_an_interface_made_for_several_will_do(void)
{
	set_up_with(TAP | IFF_MULTI_QUEUE, 1);
	one_queue();
	tear_down();
}

WITH_DEVICE(test_frames_and_offloads_over_a_detach)
{
	uint8_t frame[60], got[20000];
	struct virtio_net_hdr hdr;
	t.nif->ops->set_offloads(t.nif, t.nif->offloads);
	make_frame(frame, sizeof(frame), 4);
	CHECK_EQ(send(t.wire, frame, sizeof(frame), 0), sizeof(frame));
	t.nif->ops->attach(t.nif, NULL, NULL, NULL, NULL);
	CHECK_EQ(netns_set_up("t0", false), 0);
	CHECK_EQ(t.nif->ops->attach(t.nif, t.loop, &client, NULL, NULL), 0);
	CHECK(!t.nif->is_up);
	CHECK_EQ(netns_set_up("t0", true), 0);
	while (!t.nif->is_up)
		CHECK(loop_runs(5000));
	CHECK_EQ(receive_frame(0, &hdr, got, sizeof(got)), sizeof(frame));
	CHECK(netns_wait_tap(t.wire, net_tap_fd(t.nif, 0)));
	CHECK(inject_segment(3000)); /* offloads are off again: in pieces */
	for (unsigned i = 0; i < 3; i++)
		CHECK_EQ(receive_frame(0, &hdr, got, sizeof(got)), NETIF_FRAME_MIN + 40 + TCP_MSS);
}

/* Opening. */

static int try_to_open(const struct net_tap_config *cfg, struct err *err)
{
	struct netif *nif = NULL;
	*err = (struct err){0};
	int ret = net_tap_open(&nif, cfg, "net0", err);
	netif_destroy(nif);
	return ret;
}

static int try_name(const char *name, struct err *err)
{
	const struct net_tap_config cfg = {.name = name, .queues = 1};
	return try_to_open(&cfg, err);
}

static bool says(const struct err *err, const char *part)
{
	if (strstr(err->msg, part))
		return true;
	fprintf(stderr, "\"%s\" does not say \"%s\"\n", err->msg, part);
	return false;
}

static void test_unknown_name_is_refused_and_makes_nothing(void)
{
	struct err err;
	CHECK_EQ(try_name("typo", &err), -ENODEV);
	CHECK(says(&err, "--net tap=typo: there is no interface typo"));
	CHECK(!netns_has("typo"));
	CHECK_EQ(try_name("t%d", &err), -ENODEV);
	CHECK_EQ(try_name("", &err), -ENODEV);
	CHECK_EQ(try_name("a-name-of-16-byt", &err), -EINVAL);
	CHECK(says(&err, "at most 15 characters"));
}

static void test_interface_that_is_no_tap_is_refused(void)
{
	struct err err;
	CHECK_EQ(try_name("lo", &err), -EINVAL);
	CHECK(says(&err, "lo is not a tap"));
	CHECK_EQ(netns_make_tun("u0", IFF_TUN), 0);
	CHECK_EQ(try_name("u0", &err), -EINVAL);
	CHECK(says(&err, "u0 is not a tap"));
	CHECK_EQ(netns_remove("u0"), 0);
}

WITH_DEVICE(test_interface_in_use_is_refused)
{
	struct err err;
	CHECK_EQ(try_name("t0", &err), -EBUSY);
	CHECK(says(&err, "another program uses t0"));
}

static void test_made_interface_is_up_and_goes_with_its_tap(void)
{
	const struct net_tap_config cfg = {.queues = 2, .mtu = 4000};
	struct netif *nif;
	struct err err;
	CHECK_EQ(net_tap_open(&nif, &cfg, "net0", &err), 0);
	CHECK(netns_has("tinyvm0"));
	CHECK(nif->is_up);
	CHECK_EQ(nif->queues, 2);
	CHECK_EQ(netns_get_mtu("tinyvm0"), 4000);
	netif_destroy(nif);
	CHECK(!netns_has("tinyvm0"));
}

static void test_bridge_takes_made_and_existing_interfaces(void)
{
	struct netif *made, *existing;
	struct err err;
	CHECK_EQ(netns_make_bridge("br0"), 0);
	CHECK_EQ(netns_make_tun("t0", TAP), 0);
	const struct net_tap_config cfg = {.bridge = "br0", .queues = 1};
	CHECK_EQ(net_tap_open(&made, &cfg, "net0", &err), 0);
	const struct net_tap_config named = {.name = "t0", .bridge = "br0", .queues = 1};
	CHECK_EQ(net_tap_open(&existing, &named, "net1", &err), 0);
	netif_destroy(existing);
	CHECK_EQ(try_to_open(&named, &err), -EBUSY);
	CHECK(says(&err, "t0 is attached to a bridge already"));
	CHECK_EQ(netns_leave_bridge("br0", "tinyvm0"), 0);
	CHECK_EQ(netns_leave_bridge("br0", "t0"), 0);
	netif_destroy(made);

	const struct net_tap_config nowhere = {.bridge = "br1", .queues = 1};
	CHECK_EQ(try_to_open(&nowhere, &err), -ENODEV);
	CHECK(says(&err, "--net tap,bridge=br1: there is no interface br1"));
	const struct net_tap_config odd = {.name = "t0", .bridge = "lo", .queues = 1};
	CHECK(try_to_open(&odd, &err) < 0);
	CHECK(says(&err, "--net tap=t0,bridge=lo: lo is not a bridge"));
	CHECK(!netns_has("tinyvm0"));
	CHECK_EQ(netns_remove("t0"), 0);
	CHECK_EQ(netns_remove("br0"), 0);
}

static bool allow_network_administration(bool is_allowed)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &head, data) != 0)
		return false;
	data[0].effective = is_allowed ? data[0].effective | 1u << CAP_NET_ADMIN
				       : data[0].effective & ~(1u << CAP_NET_ADMIN);
	return syscall(SYS_capset, &head, data) == 0;
}

static void test_privileges_are_needed_to_make_one_and_not_to_use_one(void)
{
	const struct net_tap_config made = {.queues = 1}, bridge = {.name = "t0", .bridge = "br0"};
	struct err err[3];
	int ret[3];
	CHECK_EQ(netns_make_tun("t0", TAP), 0);
	CHECK_EQ(netns_set_up("t0", true), 0);
	CHECK_EQ(netns_make_bridge("br0"), 0);
	CHECK(allow_network_administration(false));
	ret[0] = try_to_open(&made, &err[0]);
	ret[1] = try_name("t0", &err[1]);
	ret[2] = try_to_open(&bridge, &err[2]);
	CHECK(allow_network_administration(true));
	CHECK_EQ(ret[0], -EPERM);
	CHECK(says(&err[0], "CAP_NET_ADMIN"));
	CHECK(says(&err[0], "--net user"));
	CHECK_EQ(ret[1], 0);
	CHECK_EQ(ret[2], -EPERM);
	CHECK(says(&err[2], "CAP_NET_ADMIN"));
	CHECK_EQ(netns_remove("t0"), 0);
	CHECK_EQ(netns_remove("br0"), 0);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_sent_frame_reaches_the_interface),
		TEST_CASE(test_frame_of_the_interface_is_received_whole_with_an_empty_header),
		TEST_CASE(test_unwanted_frames_make_no_events_and_wait),
		TEST_CASE(test_frame_longer_than_its_room_is_dropped_and_the_next_one_received),
		TEST_CASE(test_segment_is_received_whole_only_with_offloads_on),
		TEST_CASE(test_segment_that_waited_for_a_driver_without_offloads_is_dropped),
		TEST_CASE(test_sent_segment_keeps_its_header),
		TEST_CASE(test_runts_giants_and_lying_headers_are_dropped_and_counted),
		TEST_CASE(test_full_host_pushes_back_until_there_is_room),
		TEST_CASE(test_link_follows_the_interface_down_and_up),
		TEST_CASE(test_link_that_goes_down_lets_go_of_what_waited_for_room),
		TEST_CASE(test_other_interfaces_are_none_of_its_business),
		TEST_CASE(test_removed_interface_is_a_link_down_and_said_once),
		TEST_CASE(test_flows_spread_over_the_queues_in_use),
		TEST_CASE(test_interface_made_with_one_queue_has_one),
		TEST_CASE(test_one_queue_of_an_interface_made_for_several_will_do),
		TEST_CASE(test_frames_and_offloads_over_a_detach),
		TEST_CASE(test_unknown_name_is_refused_and_makes_nothing),
		TEST_CASE(test_interface_that_is_no_tap_is_refused),
		TEST_CASE(test_interface_in_use_is_refused),
		TEST_CASE(test_made_interface_is_up_and_goes_with_its_tap),
		TEST_CASE(test_bridge_takes_made_and_existing_interfaces),
		TEST_CASE(test_privileges_are_needed_to_make_one_and_not_to_use_one),
	};
	const char *why = netns_enter();
	log_set_level(LOG_ERROR);
	if (why) {
		printf("skip: %s\n0 passed, 0 failed\n", why);
		return 0;
	}
	return TEST_RUN(cases);
}
