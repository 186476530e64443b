/*
 * The two ends of the network tests and benchmarks: echoes, round trips, floods. One static
 * program, so that it runs in any guest.
 *
 *   peer serve PORT
 *	Echoes TCP streams and UDP datagrams sent to PORT, over IPv4 and IPv6, for ever.
 *   peer tcp|udp ADDRESS PORT COUNT [BYTES]
 *	COUNT round trips of BYTES bytes (1), one after the other, to a `peer serve`. An answer of
 *	other bytes is an error; a datagram without its answer within a second is lost. Prints
 *	`trips N lost N median N min N p99 N`, times in nanoseconds; fails when none came back.
 *   peer flood ADDRESS PORT SECONDS [BYTES]
 *	Sends datagrams of BYTES bytes (1400) as fast as the host takes them. Prints `sent N`.
 *
 * Left out on purpose: names (addresses are numbers), several trips in flight.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
	BYTES_MAX = 65507, /* of a UDP datagram */
	COUNT_MAX = 1000000,
	CLIENTS_MAX = 64,
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("peer: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static unsigned long number(const char *text, unsigned long min, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!*text || *end || n < min || n > max)
		fail("%s is no number from %lu to %lu", text, min, max);
	return n;
}

/* ---- the one that echoes ---- */

static int listen_on(uint16_t port, int type)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, type, 0), on = 1, off = 0;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    (type == SOCK_STREAM && listen(fd, CLIENTS_MAX)))
		fail("port %u: %s", port, strerror(errno));
	return fd;
}

static void echo_datagram(int fd, char *buf)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t len = recvfrom(fd, buf, BYTES_MAX, 0, (struct sockaddr *)&from, &from_len);

	/* An answer that cannot go out is one that was lost. */
	if (len >= 0)
		(void)!sendto(fd, buf, (size_t)len, 0, (struct sockaddr *)&from, from_len);
}

/* Returns false at the stream's end. */
static bool echo_stream(int fd, char *buf)
{
	ssize_t len = read(fd, buf, BYTES_MAX), at = 0;

	while (at < len) {
		ssize_t done = write(fd, buf + at, (size_t)(len - at));

		if (done < 0)
			return false;
		at += done;
	}
	return len > 0;
}

__attribute__((noreturn)) static void serve(uint16_t port)
{
	static char buf[BYTES_MAX];
	struct pollfd fds[2 + CLIENTS_MAX] = {
		{listen_on(port, SOCK_STREAM), POLLIN, 0},
		{listen_on(port, SOCK_DGRAM), POLLIN, 0},
	};
	unsigned n = 2;
	int on = 1;

	for (;;) {
		if (poll(fds, n, -1) < 0)
			fail("poll: %s", strerror(errno));
		for (unsigned i = n - 1; i >= 2; i--) {
			if (fds[i].revents && !echo_stream(fds[i].fd, buf)) {
				close(fds[i].fd);
				fds[i] = fds[--n];
			}
		}
		if (fds[1].revents)
			echo_datagram(fds[1].fd, buf);
		if (fds[0].revents && n < 2 + CLIENTS_MAX) {
			int fd = accept(fds[0].fd, NULL, NULL);

			if (fd < 0)
				continue;
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			fds[n++] = (struct pollfd){fd, POLLIN, 0};
		}
	}
}

/* ---- the one that asks ---- */

/* Returns the address's length. */
static socklen_t parse_address(const char *address, uint16_t port, struct sockaddr_storage *ret_to)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
		memcpy(ret_to, &v4, sizeof(v4));
		return sizeof(v4);
	}
	if (inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		fail("%s is no address", address);
	memcpy(ret_to, &v6, sizeof(v6));
	return sizeof(v6);
}

static int connect_to(const char *address, const char *port, int type)
{
	struct timeval limit = {.tv_sec = type == SOCK_DGRAM ? 1 : 20};
	struct sockaddr_storage to;
	socklen_t to_len = parse_address(address, (uint16_t)number(port, 1, 65535), &to);
	int fd = socket(to.ss_family, type, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, to_len))
		fail("%s port %s: %s", address, port, strerror(errno));
	if (type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void stream_trip(int fd, const char *buf, char *answer, size_t len)
{
	size_t at = 0;

	for (ssize_t done; at < len; at += (size_t)done) {
		done = write(fd, buf + at, len - at);
		if (done < 0)
			fail("write: %s", strerror(errno));
	}
	at = 0;
	for (ssize_t done; at < len; at += (size_t)done) {
		done = read(fd, answer + at, len - at);
		if (done <= 0)
			fail("read: %s", done ? strerror(errno) : "the other end closed");
	}
	if (memcmp(buf, answer, len) != 0)
		fail("other bytes came back");
}

/* Returns false when the datagram was lost; late answers to earlier ones are passed over. */
static bool datagram_trip(int fd, const char *buf, char *answer, size_t len)
{
	/* What an ICMP error says of an earlier datagram is no news of this one. */
	ssize_t sent = send(fd, buf, len, 0);
	if (sent < 0)
		sent = send(fd, buf, len, 0);
	if (sent < 0)
		return false;
	for (;;) {
		ssize_t got = recv(fd, answer, BYTES_MAX, 0);

		if (got < 0)
			return false;
		if ((size_t)got == len && !memcmp(buf, answer, len))
			return true;
		if ((size_t)got != len)
			fail("a datagram of %zd bytes came back, not of %zu", got, len);
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int ask(int fd, bool is_stream, unsigned long count, size_t len)
{
	static char buf[BYTES_MAX], answer[BYTES_MAX];
	uint64_t *trips = calloc(count, sizeof(*trips));
	unsigned long n = 0;

	if (!trips)
		fail("out of memory");
	for (unsigned long i = 0; i < count; i++) {
		uint64_t began;
		bool is_back = true;

		for (size_t at = 0; at < len; at++)
			buf[at] = (char)(i * 31 + at * 7);
		began = now_ns();
		if (is_stream)
			stream_trip(fd, buf, answer, len);
		else
			is_back = datagram_trip(fd, buf, answer, len);
		if (is_back)
			trips[n++] = now_ns() - began;
	}
	qsort(trips, n, sizeof(*trips), by_value);
	printf("trips %lu lost %lu", n, count - n);
	if (n)
		printf(" median %llu min %llu p99 %llu", (unsigned long long)trips[n / 2],
		       (unsigned long long)trips[0], (unsigned long long)trips[n * 99 / 100]);
	putchar('\n');
	free(trips);
	return n ? 0 : 1;
}

static int flood(int fd, unsigned long seconds, size_t len)
{
	static char buf[BYTES_MAX];
	uint64_t end = now_ns() + seconds * 1000000000;
	unsigned long sent = 0;

	while (now_ns() < end)
		for (int i = 0; i < 16; i++)
			sent += send(fd, buf, len, 0) == (ssize_t)len;
	printf("sent %lu\n", sent);
	return 0;
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	size_t len = argc == 6 ? number(argv[5], 1, BYTES_MAX) : 0;

	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(mode, "serve") && argc == 3)
		serve((uint16_t)number(argv[2], 1, 65535));
	if (argc == 5 || argc == 6) {
		if (!strcmp(mode, "tcp"))
			return ask(connect_to(argv[2], argv[3], SOCK_STREAM), true,
				   number(argv[4], 1, COUNT_MAX), len ? len : 1);
		if (!strcmp(mode, "udp"))
			return ask(connect_to(argv[2], argv[3], SOCK_DGRAM), false,
				   number(argv[4], 1, COUNT_MAX), len ? len : 1);
		if (!strcmp(mode, "flood"))
			return flood(connect_to(argv[2], argv[3], SOCK_DGRAM),
				     number(argv[4], 1, 3600), len ? len : 1400);
	}
	fail("usage: peer serve PORT | tcp|udp ADDRESS PORT COUNT [BYTES] | "
	     "flood ADDRESS PORT SECONDS [BYTES]");
}
