/* The recording layer: the file's bytes, what passes through, and a disk that fills up. */
#include "net_client.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

static char path[64];
static struct net_client client;
static struct netif *child;
static int peer;

static void set_up(void)
{
	int fd[2];
	struct netif *nif = NULL;
	struct err err;
	strcpy(path, "/tmp/tinyvm-pcap-XXXXXX");
	close(mkstemp(path));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0 ||
	    net_fd_open(&child, fd[0], "net0", &err) != 0 ||
	    net_pcap_open(&nif, child, path, &err) != 0)
		abort();
	peer = fd[1];
	client_open(&client, nif);
}

static void tear_down(void)
{
	client_close(&client);
	if (peer >= 0)
		close(peer);
	unlink(path);
}

static bool peer_send(size_t len, unsigned seed)
{
	static uint8_t buf[4 + NETIF_FRAME_MAX];
	buf[1] = (uint8_t)(len >> 16);
	buf[2] = (uint8_t)(len >> 8);
	buf[3] = (uint8_t)len;
	client_fill(buf + 4, len, seed);
	return write(peer, buf, 4 + len) == (ssize_t)(4 + len);
}

/* The whole file, and the record at @at in it. */
static uint8_t file[1 << 20];
static size_t file_len;

static void read_file(void)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, file, sizeof(file));
	file_len = n > 0 ? (size_t)n : 0;
	close(fd);
}

static bool has_record(size_t *at, size_t len, unsigned seed)
{
	static uint8_t want[NETIF_FRAME_MAX];
	uint32_t head[4];
	if (*at + 16 + len > file_len)
		return false;
	memcpy(head, file + *at, 16);
	int64_t age = (int64_t)time(NULL) - head[0];
	client_fill(want, len, seed);
	bool is_right = age >= 0 && age < 60 && head[1] < 1000000000 && head[2] == len &&
			head[3] == len && memcmp(file + *at + 16, want, len) == 0;
	*at += 16 + len;
	return is_right;
}

WITH_DEVICE(test_the_file_begins_as_pcap_with_nanoseconds)
{
	static const uint32_t header[6] = {0xa1b23c4d, 4 << 16 | 2, 0, 0, 262144, 1};
	read_file();
	CHECK_EQ(file_len, 24);
	CHECK(memcmp(file, header, 24) == 0);
}

WITH_DEVICE(test_what_passes_is_recorded_both_ways)
{
	static uint8_t frame[800];
	struct iovec iov[200];
	client_fill(frame, sizeof(frame), 5);
	for (unsigned i = 0; i < 200; i++)
		iov[i] = (struct iovec){frame + 4 * i, 4};
	size_t at = 24;
	CHECK_EQ(client_send(&client, 60, 1), 0);
	CHECK(peer_send(1514, 2));
	CHECK(client_settle(&client));
	client.window = 300; /* more windows than a write takes */
	CHECK(peer_send(65000, 3));
	CHECK(client_settle(&client));
	CHECK_EQ(client_send(&client, 65535, 4), 0);
	CHECK_EQ(client_send_iov(&client, iov, 200, sizeof(frame)), 0);
	CHECK_EQ(client.count, 2);
	CHECK(client_has(&client, 0, 1514, 2));
	CHECK(client_has(&client, 1, 65000, 3));
	read_file();
	CHECK(has_record(&at, 60, 1));
	CHECK(has_record(&at, 1514, 2));
	CHECK(has_record(&at, 65000, 3));
	CHECK(has_record(&at, 65535, 4));
	CHECK(has_record(&at, 800, 5));
	CHECK_EQ(at, file_len);
}

WITH_DEVICE(test_what_was_refused_or_dropped_is_not_recorded)
{
	unsigned sent = 0;
	CHECK_EQ(client_send(&client, 13, 0), 0);
	CHECK_EQ(client.nif->dropped, 1);
	while (client_send(&client, 9000, sent) == 0)
		sent++;
	read_file();
	CHECK_EQ(file_len, 24 + sent * 9016);
	CHECK(peer_send(5, 0));
	CHECK(client_settle(&client));
	CHECK_EQ(client.nif->dropped, 2);
	CHECK_EQ(client.count, 0);
	read_file();
	CHECK_EQ(file_len, 24 + sent * 9016);
}

WITH_DEVICE(test_the_layer_shows_its_child)
{
	CHECK(client.nif->is_up);
	CHECK_EQ(client.nif->queues, child->queues);
	CHECK_EQ(client.nif->offloads, child->offloads);
	client.nif->ops->want(client.nif, 0, false);
	CHECK(peer_send(60, 1));
	CHECK(client_settle(&client));
	CHECK_EQ(client.readable, 0);
	client.nif->ops->want(client.nif, 0, true);
	client.nif->ops->set_offloads(client.nif, 0);
	client.nif->ops->set_queues(client.nif, 1);
	CHECK(client_settle(&client));
	CHECK_EQ(client.count, 1);

	while (client_send(&client, 1514, 0) == 0)
		;
	close(peer);
	peer = -1;
	CHECK(client_settle(&client));
	CHECK_EQ(client.changed, 1);
	CHECK_EQ(client.writable, 1);
	CHECK(!client.nif->is_up);
}

WITH_DEVICE(test_the_file_is_its_owners)
{
	struct stat st;
	struct netif *nif, *none;
	struct err err;
	unlink(path);
	CHECK_EQ(net_none_open(&none, &err), 0);
	CHECK_EQ(net_pcap_open(&nif, none, path, &err), 0);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 077, 0);
	netif_destroy(nif);
}

/* Past its limit the file takes a part of a record, as a disk that fills up does. */
WITH_DEVICE(test_a_full_disk_ends_the_record_with_a_whole_packet)
{
	struct rlimit old, limit;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){24 + 2 * 1016 + 500, old.rlim_max};
	setrlimit(RLIMIT_FSIZE, &limit);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(client_send(&client, 1000, i), 0);
	CHECK(peer_send(1000, 7));
	CHECK(client_settle(&client));
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, handler);

	size_t at = 24;
	read_file();
	CHECK(has_record(&at, 1000, 0));
	CHECK(has_record(&at, 1000, 1));
	CHECK_EQ(at, file_len);
	CHECK(client_has(&client, 0, 1000, 7)); /* and the network goes on */
	CHECK_EQ(client.nif->dropped, 0);
}

static void test_a_file_that_cannot_be_written_is_a_sentence(void)
{
	struct netif *none, *nif = NULL;
	struct err err;
	CHECK_EQ(net_none_open(&none, &err), 0);
	CHECK_EQ(net_pcap_open(&nif, none, "/nowhere/x.pcap", &err), -ENOENT);
	CHECK_STR(err.msg,
		  "--net: pcap=/nowhere/x.pcap: cannot write the file: No such file or directory");
	CHECK_EQ(net_pcap_open(&nif, none, "/dev/full", &err), -ENOSPC);
	CHECK(strstr(err.msg, "/dev/full"));
	CHECK(!nif);
	netif_destroy(none); /* still the caller's */
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_the_file_begins_as_pcap_with_nanoseconds),
		TEST_CASE(test_what_passes_is_recorded_both_ways),
		TEST_CASE(test_what_was_refused_or_dropped_is_not_recorded),
		TEST_CASE(test_the_layer_shows_its_child),
		TEST_CASE(test_the_file_is_its_owners),
		TEST_CASE(test_a_full_disk_ends_the_record_with_a_whole_packet),
		TEST_CASE(test_a_file_that_cannot_be_written_is_a_sentence),
	};
	return TEST_RUN(cases);
}
