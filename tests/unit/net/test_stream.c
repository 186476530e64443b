/* The framing of stream sockets, through net_fd_open() and a peer that is driven by hand. */
#include "net_client.h"
#include "stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct net_client client;
static int peer;

static void open_pair(int sndbuf)
{
	int fd[2];
	struct netif *nif = NULL;
	struct err err;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
		abort();
	if (sndbuf && setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)) != 0)
		abort();
	if (net_fd_open(&nif, fd[0], "net0", &err) != 0)
		abort();
	peer = fd[1];
	client_open(&client, nif);
}

static void set_up(void)
{
	open_pair(0);
}

static void tear_down(void)
{
	client_close(&client);
	if (peer >= 0)
		close(peer);
}

/* Appends a prefix and a frame of client_fill(). Return: the new end. */
static size_t put_frame(uint8_t *buf, size_t at, size_t len, unsigned seed)
{
	buf[at] = (uint8_t)(len >> 24);
	buf[at + 1] = (uint8_t)(len >> 16);
	buf[at + 2] = (uint8_t)(len >> 8);
	buf[at + 3] = (uint8_t)len;
	client_fill(buf + at + 4, len, seed);
	return at + 4 + len;
}

static bool peer_write(const void *buf, size_t len)
{
	return write(peer, buf, len) == (ssize_t)len;
}

static bool peer_send(size_t len, unsigned seed)
{
	static uint8_t buf[1 << 19];
	return peer_write(buf, put_frame(buf, 0, len, seed));
}

/* Whether the next bytes at the peer are a whole frame. */
static bool peer_gets(size_t len, unsigned seed)
{
	static uint8_t got[1 << 17], want[1 << 17];
	size_t all = put_frame(want, 0, len, seed);
	ssize_t n = recv(peer, got, all, MSG_WAITALL | MSG_DONTWAIT);
	return n == (ssize_t)all && memcmp(got, want, all) == 0;
}

static bool peer_is_dry(void)
{
	uint8_t byte;
	return recv(peer, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

WITH_DEVICE(test_a_connected_socket_is_a_link_that_is_up)
{
	CHECK(client.nif->is_up);
	CHECK_EQ(client.nif->queues, 1);
	CHECK_EQ(client.nif->offloads, 0);
	CHECK(!client.nif->is_checked);
}

WITH_DEVICE(test_a_sent_frame_follows_its_length)
{
	CHECK_EQ(client_send(&client, 14, 1), 0);
	CHECK_EQ(client_send(&client, 1514, 2), 0);
	CHECK_EQ(client_send(&client, NETIF_FRAME_MAX, 3), 0);
	CHECK(peer_gets(14, 1));
	CHECK(peer_gets(1514, 2));
	CHECK(peer_gets(NETIF_FRAME_MAX, 3));
	CHECK(peer_is_dry());
	CHECK_EQ(client.nif->dropped, 0);
}

WITH_DEVICE(test_a_frame_in_more_windows_than_a_call_takes_is_sent)
{
	static uint8_t frame[600];
	struct iovec iov[200];
	client_fill(frame, sizeof(frame), 9);
	for (unsigned i = 0; i < 200; i++)
		iov[i] = (struct iovec){frame + 3 * i, 3};
	CHECK_EQ(client_send_iov(&client, iov, 200, sizeof(frame)), 0);
	CHECK(peer_gets(sizeof(frame), 9));
}

WITH_DEVICE(test_what_no_ethernet_takes_is_dropped_and_counted)
{
	static const struct virtio_net_hdr unsummed = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};
	static const struct virtio_net_hdr uncut = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4};
	uint8_t frame[100] = {0};
	const struct iovec iov = {frame, sizeof(frame)};
	struct netif *nif = client.nif;
	CHECK_EQ(client_send(&client, 13, 1), 0);
	CHECK_EQ(client_send(&client, NETIF_FRAME_MAX + 1, 1), 0);
	CHECK_EQ(nif->ops->send(nif, 0, &unsummed, &iov, 1, sizeof(frame)), 0);
	CHECK_EQ(nif->ops->send(nif, 0, &uncut, &iov, 1, sizeof(frame)), 0);
	CHECK_EQ(nif->dropped, 4);
	CHECK(peer_is_dry());
}

/* Sends until the socket is full, then lets the peer read everything. */
static void check_back_pressure(size_t len)
{
	unsigned sent = 0, got = 0;
	for (unsigned round = 0; round < 20; round++) {
		unsigned writable = client.writable;
		int ret;
		while ((ret = client_send(&client, len, sent)) == 0)
			sent++;
		CHECK_EQ(ret, -EAGAIN);
		CHECK_EQ(client_send(&client, len, sent), -EAGAIN);
		client_turn(&client);
		CHECK_EQ(client.writable, writable);

		static uint8_t want[1 << 17], have[1 << 17];
		size_t all = put_frame(want, 0, len, got), at = 0;
		while (client.writable == writable || got < sent) {
			ssize_t n = recv(peer, have + at, all - at, MSG_DONTWAIT);
			CHECK(n > 0 || client_settle(&client));
			if (n > 0)
				at += (size_t)n;
			if (at < all)
				continue;
			CHECK(memcmp(have, want, all) == 0);
			all = put_frame(want, 0, len, ++got);
			at = 0;
		}
		CHECK_EQ(got, sent);
		CHECK_EQ(client.writable, writable + 1);
	}
	CHECK(sent >= 20);
	CHECK_EQ(client.nif->dropped, 0);
}

static void test_a_full_socket_refuses_and_tells_when_it_is_not(void)
{
	static const size_t len[] = {60, 1514, 9000, 32763, 65535};
	for (unsigned i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		open_pair(1);
		check_back_pressure(len[i]);
		tear_down();
		open_pair(0);
		check_back_pressure(len[i]);
		tear_down();
	}
}

WITH_DEVICE(test_many_frames_in_one_write_are_all_received)
{
	static uint8_t buf[1 << 16];
	size_t at = 0;
	for (unsigned i = 0; i < 200; i++)
		at = put_frame(buf, at, 14 + i, i);
	CHECK(peer_write(buf, at));
	CHECK(client_settle(&client));
	CHECK_EQ(client.count, 200);
	for (unsigned i = 0; i < 200; i++)
		CHECK(client_has(&client, i, 14 + i, i));
}

/* Writes @buf in two parts with a turn of the loop after each. */
static void check_torn(const uint8_t *buf, size_t len, size_t cut)
{
	CHECK(peer_write(buf, cut));
	CHECK(client_settle(&client));
	client.window = client.window ? 0 : 500; /* other windows for the rest */
	CHECK(peer_write(buf + cut, len - cut));
	CHECK(client_settle(&client));
}

WITH_DEVICE(test_a_stream_torn_at_any_byte_gives_the_same_frames)
{
	uint8_t buf[400];
	size_t len = put_frame(buf, 0, 60, 1);
	len = put_frame(buf, len, 14, 2);
	len = put_frame(buf, len, 200, 3);
	for (size_t cut = 1; cut < len; cut++) {
		check_torn(buf, len, cut);
		CHECK_EQ(client.count, 3);
		CHECK(client_has(&client, 0, 60, 1));
		CHECK(client_has(&client, 1, 14, 2));
		CHECK(client_has(&client, 2, 200, 3));
		client_forget(&client);
	}
	CHECK_EQ(client.nif->dropped, 0);
}

WITH_DEVICE(test_long_frames_torn_anywhere_arrive)
{
	static uint8_t buf[1 << 19];
	size_t len = put_frame(buf, 0, 65000, 1);
	len = put_frame(buf, len, 1514, 2);
	len = put_frame(buf, len, NETIF_FRAME_MAX, 3);
	for (size_t cut = 1; cut < len;
	     cut += cut < 10 || (cut > 64990 && cut < 65030) ? 1 : 6991) {
		check_torn(buf, len, cut);
		CHECK_EQ(client.count, 3);
		CHECK(client_has(&client, 0, 65000, 1));
		CHECK(client_has(&client, 1, 1514, 2));
		CHECK(client_has(&client, 2, NETIF_FRAME_MAX, 3));
		client_forget(&client);
	}
}

WITH_DEVICE(test_frames_that_come_byte_by_byte_arrive)
{
	uint8_t buf[3000];
	size_t len = put_frame(buf, 0, 1514, 1);
	len = put_frame(buf, len, 100, 2);
	client.window = 7; /* more windows than a call takes */
	for (size_t i = 0; i < len; i++) {
		CHECK(peer_write(buf + i, 1));
		CHECK(client_settle(&client));
	}
	CHECK_EQ(client.count, 2);
	CHECK(client_has(&client, 0, 1514, 1));
	CHECK(client_has(&client, 1, 100, 2));
}

WITH_DEVICE(test_long_and_short_frames_take_turns)
{
	static const size_t len[] = {65000, 65000, 60, 60, 16384, 16383, 65553, 14, 9014, 65553};
	static const size_t window[] = {0, 4096, 1526, 200};
	unsigned n = 0;
	for (unsigned round = 0; round < 40; round++) {
		client.window = window[round % 4];
		for (unsigned i = 0; i < 10; i++, n++) {
			CHECK(peer_send(len[i], n));
			if (round & 4 || i & 1)
				CHECK(client_settle(&client));
		}
		CHECK(client_settle(&client));
		CHECK_EQ(client.count, 10);
		for (unsigned i = 0; i < 10; i++)
			CHECK(client_has(&client, i, len[i], n - 10 + i));
		client_forget(&client);
	}
}

WITH_DEVICE(test_frames_read_ahead_are_told_of_again)
{
	static uint8_t buf[1 << 12];
	size_t at = 0;
	for (unsigned i = 0; i < 10; i++)
		at = put_frame(buf, at, 60, i);
	client.take = 1;
	CHECK(peer_write(buf, at));
	CHECK(client_settle(&client));
	CHECK_EQ(client.count, 10);
	CHECK(client.readable >= 10);
	for (unsigned i = 0; i < 10; i++)
		CHECK(client_has(&client, i, 60, i));
}

WITH_DEVICE(test_a_frame_taken_between_events_leaves_the_others_told_of)
{
	static uint8_t buf[1 << 12];
	size_t at = 0;
	for (unsigned i = 0; i < 3; i++)
		at = put_frame(buf, at, 60, i);
	CHECK(peer_write(buf, at));
	CHECK_EQ(client_receive(&client), 60); /* as a doorbell would */
	CHECK(client_settle(&client));
	CHECK_EQ(client.count, 3);
}

WITH_DEVICE(test_a_client_without_room_hears_nothing_until_it_wants)
{
	static uint8_t buf[1 << 12];
	size_t at = 0;
	for (unsigned i = 0; i < 4; i++)
		at = put_frame(buf, at, 60, i);
	struct netif *nif = client.nif;
	nif->ops->want(nif, 0, false);
	CHECK(peer_write(buf, at));
	CHECK(client_settle(&client));
	CHECK_EQ(client.readable, 0);

	/* One is taken, and the others are read ahead of it. */
	CHECK_EQ(client_receive(&client), 60);
	CHECK(client_settle(&client));
	CHECK_EQ(client.readable, 0);
	nif->ops->want(nif, 0, true);
	CHECK(client_settle(&client));
	CHECK_EQ(client.count, 4);
	for (unsigned i = 0; i < 4; i++)
		CHECK(client_has(&client, i, 60, i));
}

WITH_DEVICE(test_runts_and_what_the_client_has_no_room_for_are_dropped)
{
	client.room = 1000;
	CHECK(peer_send(1, 1));
	CHECK(peer_send(13, 1));
	CHECK(peer_send(60, 2));
	CHECK(peer_send(1001, 3));
	CHECK(peer_send(1000, 4));
	CHECK(client_settle(&client));
	client.room = CLIENT_ROOM;
	CHECK(peer_send(NETIF_FRAME_MAX + 1, 5));
	CHECK(client_settle(&client));
	CHECK(peer_send(65553, 6));
	CHECK(client_settle(&client));
	CHECK_EQ(client.count, 3);
	CHECK(client_has(&client, 0, 60, 2));
	CHECK(client_has(&client, 1, 1000, 4));
	CHECK(client_has(&client, 2, 65553, 6));
	CHECK_EQ(client.nif->dropped, 4);
	CHECK(client.nif->is_up);
}

/* A frame that nobody may send, but that can still be skipped. */
WITH_DEVICE(test_an_oversized_frame_is_skipped_in_parts)
{
	static uint8_t buf[1 << 19];
	size_t len = put_frame(buf, 0, 256 << 10, 1);
	len = put_frame(buf, len, 60, 2);
	for (size_t at = 0, part = 50000; at < len; at += part) {
		part = len - at < part ? len - at : part;
		CHECK(peer_write(buf + at, part));
		CHECK(client_settle(&client));
	}
	CHECK_EQ(client.count, 1);
	CHECK(client_has(&client, 0, 60, 2));
	CHECK_EQ(client.nif->dropped, 1);
}

static void check_nonsense(uint32_t length)
{
	const uint8_t prefix[4] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16),
				   (uint8_t)(length >> 8), (uint8_t)length};
	CHECK(peer_send(60, 1));
	CHECK(peer_write(prefix, 4));
	CHECK(client_settle(&client));
	CHECK_EQ(client.count, 1);
	CHECK_EQ(client.changed, 1);
	CHECK(!client.nif->is_up);
	CHECK_EQ(client_receive(&client), -EAGAIN);
	CHECK_EQ(client_send(&client, 60, 1), 0);
	CHECK_EQ(client.nif->dropped, 1);
}

static void test_a_nonsense_length_takes_the_link_down(void)
{
	static const uint32_t length[] = {0, (256 << 10) + 1, 0x80000000, 0xffffffff};
	for (unsigned i = 0; i < 4; i++) {
		set_up();
		check_nonsense(length[i]);
		tear_down();
	}
}

WITH_DEVICE(test_frames_of_a_peer_that_is_gone_still_arrive)
{
	client.take = 1;
	for (unsigned i = 0; i < 5; i++)
		CHECK(peer_send(1000, i));
	CHECK(peer_write("\0\0", 2)); /* and a torn prefix, which is nothing */
	close(peer);
	peer = -1;
	CHECK(client_settle(&client));
	CHECK_EQ(client.count, 5);
	CHECK_EQ(client.changed, 1);
	CHECK(!client.nif->is_up);
}

WITH_DEVICE(test_a_peer_that_goes_frees_a_waiting_sender)
{
	while (client_send(&client, 1514, 0) == 0)
		;
	close(peer);
	peer = -1;
	client.nif->ops->want(client.nif, 0, false);
	CHECK(client_settle(&client));
	CHECK_EQ(client.writable, 1);
	CHECK_EQ(client_send(&client, 60, 1), 0);
	CHECK_EQ(client_send(&client, 60, 1), 0);
	CHECK_EQ(client.nif->dropped, 2);
	CHECK(client_settle(&client));
	CHECK_EQ(client.changed, 1);
	CHECK(!client.nif->is_up);
}

WITH_DEVICE(test_sending_to_a_peer_that_is_gone_takes_the_link_down)
{
	client.nif->ops->want(client.nif, 0, false);
	CHECK(client_settle(&client));
	close(peer);
	peer = -1;
	CHECK_EQ(client_send(&client, 60, 1), 0); /* and no SIGPIPE */
	CHECK_EQ(client.nif->dropped, 1);
	CHECK_EQ(client.changed, 0); /* that is told by the loop */
	CHECK(client_settle(&client));
	CHECK_EQ(client.changed, 1);
	CHECK(!client.nif->is_up);
}

WITH_DEVICE(test_nothing_is_lost_while_nobody_is_attached)
{
	static uint8_t buf[1 << 12];
	size_t at = 0;
	for (unsigned i = 0; i < 4; i++)
		at = put_frame(buf, at, 100, i);
	CHECK(peer_write(buf, at - 50));
	CHECK_EQ(client_receive(&client), 100);
	CHECK_EQ(client_detach(&client), 0);
	CHECK(client_settle(&client));
	CHECK(peer_write(buf + at - 50, 50));
	CHECK_EQ(client_attach(&client), 0);
	CHECK(client_settle(&client));
	CHECK_EQ(client.count, 4);
	for (unsigned i = 0; i < 4; i++)
		CHECK(client_has(&client, i, 100, i));
	CHECK(client.nif->is_up);
}

WITH_DEVICE(test_a_torn_sent_frame_is_finished_after_a_detach)
{
	unsigned sent = 0;
	while (client_send(&client, 65000, sent) == 0)
		sent++;
	CHECK_EQ(client_detach(&client), 0);
	CHECK_EQ(client_attach(&client), 0);
	for (unsigned got = 0; got < sent; got++) {
		static uint8_t want[1 << 17], have[1 << 17];
		size_t all = put_frame(want, 0, 65000, got);
		for (size_t at = 0; at < all;) {
			ssize_t n = recv(peer, have + at, all - at, MSG_DONTWAIT);
			CHECK(n > 0 || errno == EAGAIN);
			at += n > 0 ? (size_t)n : 0;
			client_turn(&client);
		}
		CHECK(memcmp(want, have, all) == 0);
	}
	CHECK_EQ(client.writable, 0); /* the one that was refused is another client's */
	CHECK(peer_is_dry());
}

WITH_DEVICE(test_a_peer_that_went_while_nobody_was_attached_is_noticed)
{
	CHECK(peer_send(60, 1));
	CHECK_EQ(client_detach(&client), 0);
	close(peer);
	peer = -1;
	CHECK_EQ(client_attach(&client), 0);
	CHECK(client_settle(&client));
	CHECK_EQ(client.count, 1);
	CHECK_EQ(client.changed, 1);
	CHECK(!client.nif->is_up);
}

static void test_offloads_and_queues_may_be_set(void)
{
	set_up();
	client.nif->ops->set_offloads(client.nif, 0);
	client.nif->ops->set_queues(client.nif, 1);
	CHECK(peer_send(60, 1));
	CHECK(client_settle(&client));
	CHECK_EQ(client.count, 1);
	tear_down();
}

static void test_what_is_no_connected_stream_socket_is_refused(void)
{
	struct netif *nif = NULL;
	struct err err;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(net_fd_open(&nif, fd, "net0", &err), -ENOTCONN);
	CHECK(strstr(err.msg, "not connected"));
	CHECK(fcntl(fd, F_GETFD) < 0 && errno == EBADF); /* taken over all the same */

	int pair[2];
	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	CHECK_EQ(net_fd_open(&nif, pair[0], "net0", &err), -EPROTOTYPE);
	CHECK(strstr(err.msg, "not a stream socket"));
	close(pair[1]);

	CHECK_EQ(net_fd_open(&nif, open("/dev/null", O_RDWR), "net0", &err), -ENOTSOCK);
	CHECK(strstr(err.msg, "not a socket"));
	CHECK_EQ(net_fd_open(&nif, 1000, "net0", &err), -EBADF);
	CHECK_STR(err.msg, "--net fd=1000: no such open descriptor");
	CHECK(!nif);
}

static void test_the_socket_is_not_passed_on_to_helpers(void)
{
	set_up();
	CHECK(fcntl(((struct stream *)client.nif)->fd, F_GETFD) & FD_CLOEXEC);
	tear_down();
}

static void test_no_cable_is_a_link_that_is_down(void)
{
	struct netif *nif = NULL;
	struct err err;
	CHECK_EQ(net_none_open(&nif, &err), 0);
	client_open(&client, nif);
	CHECK(!nif->is_up);
	CHECK_EQ(client_send(&client, 60, 1), 0);
	CHECK_EQ(nif->dropped, 1);
	CHECK_EQ(client_receive(&client), -EAGAIN);
	nif->ops->want(nif, 0, true);
	nif->ops->set_offloads(nif, 0);
	nif->ops->set_queues(nif, 1);
	CHECK(client_settle(&client));
	CHECK_EQ(client.readable + client.writable + client.changed, 0);
	client_close(&client);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_a_connected_socket_is_a_link_that_is_up),
		TEST_CASE(test_a_sent_frame_follows_its_length),
		TEST_CASE(test_a_frame_in_more_windows_than_a_call_takes_is_sent),
		TEST_CASE(test_what_no_ethernet_takes_is_dropped_and_counted),
		TEST_CASE(test_a_full_socket_refuses_and_tells_when_it_is_not),
		TEST_CASE(test_many_frames_in_one_write_are_all_received),
		TEST_CASE(test_a_stream_torn_at_any_byte_gives_the_same_frames),
		TEST_CASE(test_long_frames_torn_anywhere_arrive),
		TEST_CASE(test_frames_that_come_byte_by_byte_arrive),
		TEST_CASE(test_long_and_short_frames_take_turns),
		TEST_CASE(test_frames_read_ahead_are_told_of_again),
		TEST_CASE(test_a_frame_taken_between_events_leaves_the_others_told_of),
		TEST_CASE(test_a_client_without_room_hears_nothing_until_it_wants),
		TEST_CASE(test_runts_and_what_the_client_has_no_room_for_are_dropped),
		TEST_CASE(test_an_oversized_frame_is_skipped_in_parts),
		TEST_CASE(test_a_nonsense_length_takes_the_link_down),
		TEST_CASE(test_frames_of_a_peer_that_is_gone_still_arrive),
		TEST_CASE(test_a_peer_that_goes_frees_a_waiting_sender),
		TEST_CASE(test_sending_to_a_peer_that_is_gone_takes_the_link_down),
		TEST_CASE(test_nothing_is_lost_while_nobody_is_attached),
		TEST_CASE(test_a_torn_sent_frame_is_finished_after_a_detach),
		TEST_CASE(test_a_peer_that_went_while_nobody_was_attached_is_noticed),
		TEST_CASE(test_offloads_and_queues_may_be_set),
		TEST_CASE(test_what_is_no_connected_stream_socket_is_refused),
		TEST_CASE(test_the_socket_is_not_passed_on_to_helpers),
		TEST_CASE(test_no_cable_is_a_link_that_is_down),
	};
	return TEST_RUN(cases);
}
