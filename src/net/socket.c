/*
 * Two machines on one Unix stream socket, with QEMU's framing (-netdev stream,addr.type=unix).
 *
 * Whoever comes first listens, for its whole life, with one peer at a time: another one that
 * connects meanwhile waits in the backlog. Whoever found a listener connects, and again every
 * second after it lost it.
 *
 * A socket file that nobody listens on any more is replaced. Two starters that find the same one
 * must not both do so: looking, removing and binding happen under a lock file beside it, which
 * goes with them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/log.h>
#include <unistd.h>

#include "stream.h"

#define LOCK_SUFFIX ".lock"

/**
 * struct net_socket - the backend
 * @listener: -1: this side connects
 * @timer:   timerfd: when to connect, or accept, again
 * @file:    the socket file we made
 * @met, @lost: peers so far, for messages
 */
struct net_socket {
	struct stream stream;
	int listener;
	int timer;
	struct evloop_fd *listener_handle, *timer_handle;
	struct stat file;
	uint64_t met, lost;
	struct sockaddr_un addr;
};

static struct net_socket *socket_of(struct netif *nif)
{
	return (struct net_socket *)nif;
}

static void socket_arm_timer(struct net_socket *sock)
{
	const struct itimerspec in_a_second = {.it_value = {.tv_sec = 1}};
	timerfd_settime(sock->timer, 0, &in_a_second, NULL);
}

/* Return: a connected socket, -errno. */
static int socket_connect(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return fd;
	int ret = -errno;
	close(fd);
	return ret;
}

/* A peer has come. Return: false: look again later. */
static bool socket_meet(struct net_socket *sock, int fd)
{
	struct stream *s = &sock->stream;
	int ret = stream_connect(s, fd);
	if (ret != 0)
		log_warn("%s: cannot serve a peer: %s", s->id, strerror(-ret));
	else
		log_guest(&sock->met, "%s: connected at %s", s->id, sock->addr.sun_path);
	return ret == 0;
}

/* The listener is heard while nobody is there. */
static void socket_listen_on(struct net_socket *sock, bool is_wanted)
{
	if (sock->listener_handle)
		evloop_set_events(sock->listener_handle, is_wanted ? EPOLLIN : 0);
}

static void socket_lost(struct stream *s, const char *why)
{
	struct net_socket *sock = socket_of(&s->nif);
	log_guest(&sock->lost, "%s: lost the peer at %s: %s", s->id, sock->addr.sun_path, why);
	if (sock->listener < 0)
		socket_arm_timer(sock);
	else
		socket_listen_on(sock, true);
}

static void socket_listener_ready(void *ctx, uint32_t events)
{
	struct net_socket *sock = ctx;
	(void)events;
	if (sock->stream.fd >= 0)
		return;
	int fd = accept4(sock->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return;
	socket_listen_on(sock, false);
	if (fd < 0)
		log_warn("%s: cannot accept a peer: %s", sock->stream.id, strerror(errno));
	if (fd < 0 || !socket_meet(sock, fd))
		socket_arm_timer(sock);
}

static void socket_timer_ready(void *ctx, uint32_t events)
{
	struct net_socket *sock = ctx;
	uint64_t count;
	(void)events;
	if (read(sock->timer, &count, sizeof(count)) < 0 || sock->stream.fd >= 0)
		return;
	if (sock->listener >= 0) {
		socket_listen_on(sock, true);
		return;
	}
	int fd = socket_connect(&sock->addr);
	if (fd < 0 || !socket_meet(sock, fd))
		socket_arm_timer(sock);
}

static void socket_detach(struct net_socket *sock)
{
	evloop_remove(sock->listener_handle);
	evloop_remove(sock->timer_handle);
	sock->listener_handle = sock->timer_handle = NULL;
}

static int socket_attach(struct netif *nif, struct evloop *loop, const struct netif_client *client,
			 void *ctx, struct device *dev)
{
	struct net_socket *sock = socket_of(nif);
	socket_detach(sock);
	int ret = stream_attach(&sock->stream, loop, client, ctx, dev);
	if (ret != 0 || !loop)
		return ret;
	ret = evloop_add(loop, &sock->timer_handle, sock->timer, EPOLLIN, socket_timer_ready, sock,
			 dev);
	if (ret == 0 && sock->listener >= 0)
		ret = evloop_add(loop, &sock->listener_handle, sock->listener,
				 sock->stream.fd < 0 ? EPOLLIN : 0, socket_listener_ready, sock,
				 dev);
	if (ret != 0) {
		socket_detach(sock);
		int detached = stream_attach(&sock->stream, NULL, NULL, NULL, NULL);
		(void)detached; /* cannot fail */
	}
	return ret;
}

/* The file goes while the listener still answers: nobody takes it for a stale one meanwhile. */
static void socket_remove_file(const struct net_socket *sock)
{
	struct stat st;
	const char *path = sock->addr.sun_path;
	if (lstat(path, &st) == 0 && st.st_dev == sock->file.st_dev &&
	    st.st_ino == sock->file.st_ino)
		unlink(path);
}

static void socket_destroy(struct netif *nif)
{
	struct net_socket *sock = socket_of(nif);
	socket_detach(sock);
	stream_close(&sock->stream);
	if (sock->listener >= 0) {
		socket_remove_file(sock);
		close(sock->listener);
	}
	if (sock->timer >= 0)
		close(sock->timer);
	free(sock);
}

static const struct netif_ops socket_ops = {
	.attach = socket_attach,
	.send = stream_send,
	.receive = stream_receive,
	.want = stream_want,
	.set_offloads = stream_set_offloads,
	.set_queues = stream_set_queues,
	.destroy = socket_destroy,
};

/* Waits for the lock, and whether @path still is that file. */
static bool socket_has_lock(int fd, const char *path)
{
	struct stat here, there;
	while (flock(fd, LOCK_EX) != 0) {
		if (errno != EINTR)
			return true; /* a file system without locks: as good as it gets */
	}
	return fstat(fd, &here) == 0 && lstat(path, &there) == 0 && here.st_dev == there.st_dev &&
	       here.st_ino == there.st_ino;
}

/*
 * Takes the lock file at @path. Whoever had it may have removed it between our opening and locking
 * it, and then it is not the one that others see.
 * Return: its descriptor, -errno.
 */
static int socket_lock(const char *path)
{
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		if (socket_has_lock(fd, path))
			return fd;
		close(fd);
	}
}

/* Removes a socket file that refuses connections. Return: 0, -errno with a sentence. */
static int socket_remove_stale(const char *path, struct err *err)
{
	struct stat st;
	if (lstat(path, &st) != 0)
		return errno == ENOENT
			       ? 0
			       : err_set(err, -errno, "--net socket=%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST,
			       "--net socket=%s: that is a file already, and not a socket; choose "
			       "another path",
			       path);
	if (unlink(path) != 0)
		return err_set(err, -errno, "--net socket=%s: cannot remove the old socket: %s",
			       path, strerror(errno));
	return 0;
}

/* Nobody listens at the address: we do. The lock is ours. Return: 0, -errno with a sentence. */
static int socket_listen(struct net_socket *sock, struct err *err)
{
	const char *path = sock->addr.sun_path;
	int ret = socket_remove_stale(path, err);
	if (ret != 0)
		return ret;
	sock->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The mode that bind() gives the file; a chmod() after it would come too late. */
	if (sock->listener < 0 || fchmod(sock->listener, 0600) != 0 ||
	    bind(sock->listener, (struct sockaddr *)&sock->addr, sizeof(sock->addr)) != 0)
		return err_set(err, -errno, "--net socket=%s: cannot make the socket: %s", path,
			       strerror(errno));
	if (lstat(path, &sock->file) != 0 || listen(sock->listener, 0) != 0)
		return err_set(err, -errno, "--net socket=%s: cannot listen: %s", path,
			       strerror(errno));
	log_info("%s: waits for a peer at %s", sock->stream.id, path);
	return 0;
}

static bool socket_is_deserted(int ret)
{
	return ret == -ENOENT || ret == -ECONNREFUSED;
}

/*
 * Looks once more with the lock held, and listens if there still is nobody.
 * Return: 0: *@ret_fd is as from socket_connect(), unless we listen; -errno with a sentence.
 */
static int socket_claim(struct net_socket *sock, int *ret_fd, struct err *err)
{
	char lock_path[sizeof(sock->addr.sun_path) + sizeof(LOCK_SUFFIX)];
	const char *path = sock->addr.sun_path;
	stpcpy(stpcpy(lock_path, path), LOCK_SUFFIX);
	int lock = socket_lock(lock_path);
	if (lock < 0)
		return err_set(err, lock, "--net socket=%s: cannot make the socket: %s", path,
			       strerror(-lock));
	int ret = 0;
	*ret_fd = socket_connect(&sock->addr);
	if (socket_is_deserted(*ret_fd))
		ret = socket_listen(sock, err);
	unlink(lock_path);
	close(lock);
	return ret;
}

/* Finds the peer, or a place to wait for it. Return: 0, -errno with a sentence. */
static int socket_start(struct net_socket *sock, struct err *err)
{
	const char *path = sock->addr.sun_path;
	int fd = socket_connect(&sock->addr);
	if (socket_is_deserted(fd)) {
		int ret = socket_claim(sock, &fd, err);
		if (ret != 0 || sock->listener >= 0)
			return ret;
	}
	if (fd >= 0)
		return socket_meet(sock, fd) ? 0 : err_set(err, -ENOMEM, "not enough host memory");
	if (fd != -EAGAIN)
		return err_set(err, fd, "--net socket=%s: cannot connect: %s", path,
			       fd == -EPROTOTYPE ? "that is not a stream socket" : strerror(-fd));
	log_info("%s: %s is busy with others", sock->stream.id, path);
	socket_arm_timer(sock);
	return 0;
}

int net_socket_open(struct netif **ret_nif, const char *path, const char *id, struct err *err)
{
	struct net_socket *sock = calloc(1, sizeof(*sock));
	if (!sock)
		return err_set(err, -ENOMEM, "--net socket=%s: not enough host memory", path);
	sock->stream.nif.ops = &socket_ops;
	sock->listener = -1;
	sock->addr.sun_family = AF_UNIX;
	int ret = stream_init(&sock->stream, id, socket_lost);
	sock->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (ret == 0 && sock->timer < 0)
		ret = -errno;

	if (ret != 0) {
		err_set(err, ret, "--net socket=%s: %s", path, strerror(-ret));
	} else if (strlen(path) >= sizeof(sock->addr.sun_path)) {
		ret = err_set(
			err, -ENAMETOOLONG,
			"--net socket=%s: the path is too long: a socket's may have %zu bytes",
			path, sizeof(sock->addr.sun_path) - 1);
	} else {
		memcpy(sock->addr.sun_path, path, strlen(path)); /* zeroes follow */
		ret = socket_start(sock, err);
	}
	if (ret != 0) {
		socket_destroy(&sock->stream.nif);
		return ret;
	}
	*ret_nif = &sock->stream.nif;
	return 0;
}
