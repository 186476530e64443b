/* A connected stream socket that somebody handed down: QEMU's -netdev stream at the other end. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <tinyvm/err.h>
#include <tinyvm/log.h>
#include <unistd.h>

#include "stream.h"

static void fd_lost(struct stream *s, const char *why)
{
	log_warn("%s: lost the other end of its socket, and the link is down for good: %s", s->id,
		 why);
}

static int fd_attach(struct netif *nif, struct evloop *loop, const struct netif_client *client,
		     void *ctx, struct device *dev)
{
	return stream_attach((struct stream *)nif, loop, client, ctx, dev);
}

static void fd_destroy(struct netif *nif)
{
	struct stream *s = (struct stream *)nif;
	stream_close(s);
	free(s);
}

static const struct netif_ops fd_ops = {
	.attach = fd_attach,
	.send = stream_send,
	.receive = stream_receive,
	.want = stream_want,
	.set_offloads = stream_set_offloads,
	.set_queues = stream_set_queues,
	.destroy = fd_destroy,
};

static int fd_check(int fd, struct err *err)
{
	int type = 0;
	socklen_t len = sizeof(type);
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0) {
		int code = -errno;
		return err_set(err, code, "--net fd=%d: %s", fd,
			       code == -ENOTSOCK ? "not a socket" : "no such open descriptor");
	}
	if (type != SOCK_STREAM)
		return err_set(err, -EPROTOTYPE, "--net fd=%d: not a stream socket", fd);
	if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0)
		return err_set(err, -errno, "--net fd=%d: a socket that is not connected", fd);
	return 0;
}

int net_fd_open(struct netif **ret_nif, int fd, const char *id, struct err *err)
{
	int ret = fd_check(fd, err);
	if (ret != 0) {
		if (ret != -EBADF)
			close(fd);
		return ret;
	}
	struct stream *s = calloc(1, sizeof(*s));
	if (!s) {
		close(fd);
		return err_set(err, -ENOMEM, "--net fd=%d: not enough host memory", fd);
	}
	s->nif.ops = &fd_ops;
	ret = stream_init(s, id, fd_lost);
	if (ret != 0) {
		close(fd);
		free(s);
		return err_set(err, ret, "--net fd=%d: %s", fd, strerror(-ret));
	}

	const int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* should it be TCP */
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	ret = stream_connect(s, fd);
	if (ret != 0) {
		fd_destroy(&s->nif);
		return err_set(err, ret, "--net fd=%d: %s", fd, strerror(-ret));
	}
	*ret_nif = &s->nif;
	return 0;
}
