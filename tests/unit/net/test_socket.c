/* Unix sockets: who listens, who connects, what happens to files, and what after a peer is gone. */
#include "net_client.h"
#include "stream.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static char dir[64];
static char path[80];
static struct err err;

static void set_up(void)
{
	strcpy(dir, "/tmp/tinyvm-socket-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/net", dir);
}

/* Nothing may be left in the directory. */
static void tear_down(void)
{
	if (rmdir(dir) != 0)
		test_failed(__FILE__, __LINE__, "%s is not empty", dir);
}

static struct netif *open_at(const char *where)
{
	struct netif *nif = NULL;
	err.msg[0] = '\0';
	if (net_socket_open(&nif, where, "net0", &err) != 0)
		return NULL;
	return nif;
}

static struct sockaddr_un address(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	memcpy(addr.sun_path, path, strlen(path));
	return addr;
}

/* A peer that is not a netif. Return: its socket; -1. */
static int connect_by_hand(void)
{
	struct sockaddr_un addr = address();
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int bind_by_hand(int type)
{
	struct sockaddr_un addr = address();
	int fd = socket(AF_UNIX, type, 0);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A frame from @a to @b. */
static bool passes(struct net_client *a, struct net_client *b, unsigned seed)
{
	client_forget(b);
	return client_send(a, 1000, seed) == 0 && client_settle(b) && b->count == 1 &&
	       client_has(b, 0, 1000, seed);
}

WITH_DEVICE(test_the_first_listens_and_the_second_connects)
{
	struct net_client a, b;
	client_open(&a, open_at(path));
	CHECK(!a.nif->is_up);
	struct stat st;
	CHECK_EQ(lstat(path, &st), 0);
	CHECK_EQ(st.st_mode, S_IFSOCK | 0600);

	client_open(&b, open_at(path));
	CHECK(b.nif->is_up);
	CHECK_EQ(b.changed, 0);
	CHECK(client_settle(&a));
	CHECK(a.nif->is_up);
	CHECK_EQ(a.changed, 1);
	CHECK(passes(&a, &b, 1));
	CHECK(passes(&b, &a, 2));
	client_close(&b);
	client_close(&a);
	CHECK(lstat(path, &st) < 0 && errno == ENOENT);
}

WITH_DEVICE(test_what_is_sent_without_a_peer_is_dropped)
{
	struct net_client a;
	client_open(&a, open_at(path));
	CHECK_EQ(client_send(&a, 60, 1), 0);
	CHECK_EQ(a.nif->dropped, 1);
	CHECK_EQ(client_receive(&a), -EAGAIN);
	int peer = connect_by_hand();
	uint8_t byte;
	CHECK(client_settle(&a));
	CHECK(recv(peer, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	close(peer);
	client_close(&a);
}

WITH_DEVICE(test_a_listener_takes_the_next_peer_and_nothing_of_the_last)
{
	struct net_client a;
	client_open(&a, open_at(path));
	int first = connect_by_hand();
	CHECK(client_settle(&a));
	CHECK(a.nif->is_up);
	CHECK(write(first, "\0\0\x10\0half a frame", 16) == 16);
	while (client_send(&a, 1514, 0) == 0) /* until there is a torn frame for the first */
		;
	CHECK(client_settle(&a));
	int second = connect_by_hand();
	CHECK(second >= 0);
	CHECK(client_settle(&a));
	CHECK_EQ(a.changed, 1); /* the second waits its turn */
	close(first);
	CHECK(client_settle(&a));
	CHECK_EQ(a.changed, 3);
	CHECK_EQ(a.writable, 1);
	CHECK(a.nif->is_up);

	uint8_t frame[4 + 60] = {0, 0, 0, 60}, got[sizeof(frame)];
	client_fill(frame + 4, 60, 5);
	CHECK(write(second, frame, sizeof(frame)) == sizeof(frame));
	CHECK(client_settle(&a));
	CHECK_EQ(a.count, 1);
	CHECK(client_has(&a, 0, 60, 5));
	CHECK_EQ(client_send(&a, 60, 5), 0);
	CHECK(recv(second, got, sizeof(got), MSG_DONTWAIT) == sizeof(got));
	CHECK(memcmp(frame, got, sizeof(got)) == 0);
	close(second);
	client_close(&a);
}

WITH_DEVICE(test_who_connected_tries_again)
{
	struct net_client a, b;
	client_open(&a, open_at(path));
	client_open(&b, open_at(path));
	client_close(&a);
	CHECK(client_settle(&b));
	CHECK_EQ(b.changed, 1);
	CHECK(!b.nif->is_up);
	CHECK_EQ(client_send(&b, 60, 1), 0);

	client_open(&a, open_at(path));
	CHECK(client_wait(&b, &b.changed, 2, 5000));
	CHECK(b.nif->is_up);
	CHECK(client_wait(&a, &a.changed, 1, 5000));
	CHECK(passes(&a, &b, 3));
	CHECK(passes(&b, &a, 4));
	client_close(&b);
	client_close(&a);
}

/* The loop of a machine that is being reset does not run for a while. */
WITH_DEVICE(test_peers_come_and_go_while_nobody_is_attached)
{
	struct net_client a, b;
	client_open(&a, open_at(path));
	CHECK_EQ(client_detach(&a), 0);
	client_open(&b, open_at(path));
	CHECK(b.nif->is_up);
	CHECK_EQ(client_send(&b, 100, 1), 0);
	CHECK_EQ(client_attach(&a), 0);
	CHECK(client_settle(&a));
	CHECK(a.nif->is_up);
	CHECK_EQ(a.count, 1);

	CHECK_EQ(client_detach(&b), 0);
	client_close(&a);
	client_open(&a, open_at(path));
	CHECK_EQ(client_attach(&b), 0);
	CHECK(client_wait(&b, &b.changed, 2, 5000));
	CHECK(b.nif->is_up);
	CHECK(client_wait(&a, &a.changed, 1, 5000));
	CHECK(passes(&b, &a, 2));
	client_close(&b);
	client_close(&a);
}

WITH_DEVICE(test_a_stale_socket_is_replaced)
{
	close(bind_by_hand(SOCK_STREAM));
	struct net_client a;
	struct netif *nif = open_at(path);
	CHECK(nif);
	client_open(&a, nif);
	int peer = connect_by_hand();
	CHECK(peer >= 0);
	CHECK(client_settle(&a));
	CHECK(a.nif->is_up);
	close(peer);
	client_close(&a);
}

WITH_DEVICE(test_a_file_that_is_no_socket_is_left_alone)
{
	struct stat st;
	close(open(path, O_CREAT | O_WRONLY, 0644));
	CHECK(!open_at(path));
	CHECK_EQ(err.code, -EEXIST);
	CHECK(strstr(err.msg, path));
	CHECK(strstr(err.msg, "not a socket"));
	CHECK(lstat(path, &st) == 0 && S_ISREG(st.st_mode));
	unlink(path);

	CHECK_EQ(symlink("nowhere", path), 0);
	CHECK(!open_at(path));
	CHECK_EQ(err.code, -EEXIST);
	CHECK(lstat(path, &st) == 0 && S_ISLNK(st.st_mode));
	unlink(path);

	CHECK_EQ(mkdir(path, 0700), 0);
	CHECK(!open_at(path));
	CHECK_EQ(err.code, -EEXIST);
	CHECK_EQ(rmdir(path), 0);
}

WITH_DEVICE(test_a_socket_of_another_kind_is_left_alone)
{
	struct stat st;
	int fd = bind_by_hand(SOCK_DGRAM);
	CHECK(!open_at(path));
	CHECK_EQ(err.code, -EPROTOTYPE);
	CHECK(strstr(err.msg, "not a stream socket"));
	CHECK(lstat(path, &st) == 0);
	close(fd);
	unlink(path);
}

WITH_DEVICE(test_a_path_that_cannot_be_is_a_sentence)
{
	char long_path[200];
	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	CHECK(!open_at(long_path));
	CHECK_EQ(err.code, -ENAMETOOLONG);
	CHECK(strstr(err.msg, "107 bytes"));

	snprintf(long_path, sizeof(long_path), "%s/missing/net", dir);
	CHECK(!open_at(long_path));
	CHECK_EQ(err.code, -ENOENT);
	CHECK(strstr(err.msg, long_path));
}

/* Somebody else's new socket at the path is not ours to remove. */
WITH_DEVICE(test_only_the_own_file_is_removed)
{
	struct netif *nif = open_at(path);
	struct stat st;
	CHECK(nif);
	unlink(path);
	int other = bind_by_hand(SOCK_STREAM);
	netif_destroy(nif);
	CHECK_EQ(lstat(path, &st), 0);
	close(other);
	unlink(path);
}

WITH_DEVICE(test_a_busy_listener_is_tried_again)
{
	int listener = bind_by_hand(SOCK_STREAM);
	CHECK_EQ(listen(listener, 0), 0);
	int filler = connect_by_hand();
	CHECK(filler >= 0);
	struct net_client b;
	struct netif *nif = open_at(path);
	CHECK(nif);
	client_open(&b, nif);
	CHECK(!b.nif->is_up);
	close(accept(listener, NULL, NULL));
	CHECK(client_wait(&b, &b.changed, 1, 5000));
	CHECK(b.nif->is_up);
	client_close(&b);
	close(filler);
	close(listener);
	unlink(path);
}

struct racers {
	pthread_barrier_t start, opened, done;
	unsigned listening, connected, failed;
};

/* One starter: opens when all do, and tells how it went. */
static void race(struct racers *r, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		struct netif *nif = NULL;
		pthread_barrier_wait(&r->start);
		if (net_socket_open(&nif, path, "net0", NULL) != 0)
			__atomic_fetch_add(&r->failed, 1, __ATOMIC_SEQ_CST);
		else
			__atomic_fetch_add(nif->is_up ? &r->connected : &r->listening, 1,
					   __ATOMIC_SEQ_CST);
		pthread_barrier_wait(&r->opened);
		netif_destroy(nif);
		pthread_barrier_wait(&r->done);
	}
}

WITH_DEVICE(test_of_two_starters_one_listens_and_one_connects)
{
	enum {
		ROUNDS = 300
	};
	struct racers *r =
		mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_t attr;
	CHECK(r != MAP_FAILED);
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&r->start, &attr, 3);
	pthread_barrier_init(&r->opened, &attr, 3);
	pthread_barrier_init(&r->done, &attr, 3);
	pid_t pid[2];
	for (unsigned i = 0; i < 2; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			race(r, ROUNDS);
			_exit(0);
		}
	}
	unsigned bad = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (i & 1)
			close(bind_by_hand(SOCK_STREAM)); /* a stale one to fight over */
		r->listening = r->connected = r->failed = 0;
		pthread_barrier_wait(&r->start);
		pthread_barrier_wait(&r->opened);
		bad += r->listening != 1 || r->connected != 1 || r->failed;
		pthread_barrier_wait(&r->done);
	}
	for (unsigned i = 0; i < 2; i++)
		waitpid(pid[i], NULL, 0);
	munmap(r, sizeof(*r));
	CHECK_EQ(bad, 0);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_the_first_listens_and_the_second_connects),
		TEST_CASE(test_what_is_sent_without_a_peer_is_dropped),
		TEST_CASE(test_a_listener_takes_the_next_peer_and_nothing_of_the_last),
		TEST_CASE(test_who_connected_tries_again),
		TEST_CASE(test_peers_come_and_go_while_nobody_is_attached),
		TEST_CASE(test_a_stale_socket_is_replaced),
		TEST_CASE(test_a_file_that_is_no_socket_is_left_alone),
		TEST_CASE(test_a_socket_of_another_kind_is_left_alone),
		TEST_CASE(test_a_path_that_cannot_be_is_a_sentence),
		TEST_CASE(test_only_the_own_file_is_removed),
		TEST_CASE(test_a_busy_listener_is_tried_again),
		TEST_CASE(test_of_two_starters_one_listens_and_one_connects),
	};
	return TEST_RUN(cases);
}
