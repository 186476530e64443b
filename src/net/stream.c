/*
 * Ethernet frames on a stream socket, each after its length in four bytes, big-endian: what QEMU's
 * -netdev stream and passt speak.
 *
 * Sending hands header and frame to the socket in one call. What of a frame does not go out is
 * copied, and nothing else is taken before it is gone.
 *
 * Receiving reads ahead, so that one call brings many small frames, which are copied out of the
 * buffer. The frame at the buffer's end is usually torn: its rest is read straight into the
 * client's windows, and behind it the frames that follow into the buffer. After a long frame only
 * the next prefix is read ahead, so that a run of long frames needs a call each and no copy. When
 * the socket runs dry inside a frame, what came of it goes back into the buffer, since the client
 * may ask with other windows the next time, and the frame is finished there: a peer that sends
 * byte by byte costs no more than the bytes.
 *
 * A peer's nonsense length cannot be skipped: the connection is closed. Not here: negotiation,
 * virtio headers (QEMU's vnet_hdr=on), datagram sockets.
 */
#include "stream.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <tinyvm/evloop.h>
#include <tinyvm/log.h>
#include <unistd.h>

#include <spec/virtio_net.h>

#include "iov.h"

/* Past any frame of anybody's: the prefix is none. */
#define STREAM_NONSENSE (256u << 10)

/* From here on a frame is worth a system call of its own. */
#define STREAM_BIG (16u << 10)

/* Reads for one frame; more are needed only when the peer sends what is dropped. */
#define STREAM_READS_MAX 4

static struct stream *stream_of(struct netif *nif)
{
	return (struct stream *)nif;
}

static uint32_t stream_length(const struct stream *s)
{
	const uint8_t *p = s->in + s->head;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* There is something for stream_take() without another read: a frame, or a length that is none. */
static bool stream_has_frame(const struct stream *s)
{
	size_t have = s->tail - s->head;
	if (have < STREAM_PREFIX)
		return false;
	size_t len = stream_length(s);
	return len > STREAM_NONSENSE || have - STREAM_PREFIX >= len;
}

/* Makes the loop look at the stream, unless it is just doing so. */
static void stream_kick(struct stream *s)
{
	if (s->is_waking || s->is_calling)
		return;
	s->is_waking = true;
	eventfd_write(s->wake, 1);
}

static uint32_t stream_events(const struct stream *s)
{
	return (s->is_wanted ? EPOLLIN : 0) | (s->out_len || s->is_refused ? EPOLLOUT : 0);
}

static void stream_update_events(struct stream *s)
{
	uint32_t events = stream_events(s);
	if (!s->fd_handle || events == s->events)
		return;
	s->events = events;
	evloop_set_events(s->fd_handle, events);
}

void stream_break(struct stream *s, const char *why)
{
	if (s->fd < 0 || s->broken)
		return;
	s->broken = why;
	stream_kick(s);
}

/* Sending. */

static bool stream_flush(struct stream *s)
{
	while (s->out_len) {
		ssize_t n =
			send(s->fd, s->out + s->out_pos, s->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			stream_break(s, strerrordesc_np(errno));
		if (n < 0)
			return false;
		s->out_pos += (size_t)n;
		s->out_len -= (size_t)n;
	}
	return true;
}

/* Keeps what follows the first @done bytes of prefix and frame. */
static void stream_keep(struct stream *s, const uint8_t prefix[STREAM_PREFIX],
			const struct iovec *iov, unsigned count, size_t len, size_t done)
{
	size_t from_prefix = done < STREAM_PREFIX ? STREAM_PREFIX - done : 0;
	size_t off = from_prefix ? 0 : done - STREAM_PREFIX;
	memcpy(s->out, prefix + (STREAM_PREFIX - from_prefix), from_prefix);
	iov_get(iov, count, off, s->out + from_prefix, len - off);
	s->out_pos = 0;
	s->out_len = STREAM_PREFIX + len - done;
}

static int stream_refuse(struct stream *s)
{
	s->is_refused = true;
	stream_update_events(s);
	return -EAGAIN;
}

int stream_send(struct netif *nif, unsigned queue, const struct virtio_net_hdr *hdr,
		const struct iovec *iov, unsigned count, size_t len)
{
	struct stream *s = stream_of(nif);
	bool is_unfinished = hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ||
			     hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE;
	(void)queue;
	if (s->fd < 0 || s->broken || is_unfinished || len < NETIF_FRAME_MIN || len > s->send_max) {
		nif->dropped++;
		return 0;
	}
	if (s->out_len)
		return stream_refuse(s);

	uint8_t prefix[STREAM_PREFIX] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16),
					 (uint8_t)(len >> 8), (uint8_t)len};
	ssize_t n = 0;
	if (count <= STREAM_IOV_MAX) {
		struct iovec vec[STREAM_IOV_MAX + 1] = {{prefix, STREAM_PREFIX}};
		memcpy(vec + 1, iov, count * sizeof(*iov));
		const struct msghdr msg = {.msg_iov = vec, .msg_iovlen = count + 1};
		do
			n = sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		while (n < 0 && errno == EINTR);
	}
	if (n < 0 && errno == EAGAIN)
		return stream_refuse(s);
	if (n < 0) {
		stream_break(s, strerrordesc_np(errno));
		nif->dropped++;
	} else if ((size_t)n < STREAM_PREFIX + len) {
		stream_keep(s, prefix, iov, count, len, (size_t)n);
		if (n == 0)
			stream_flush(s); /* too many windows, and not tried yet */
		stream_update_events(s);
	}
	return 0;
}

/* Receiving. */

/* Return: bytes; 0: nothing there, or the end, which is noted. */
static size_t stream_recv(struct stream *s, struct iovec *iov, unsigned count)
{
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = count};
	ssize_t n;
	do
		n = recvmsg(s->fd, &msg, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);

	if (n == 0)
		stream_break(s, "it closed the connection");
	else if (n < 0 && errno != EAGAIN)
		stream_break(s, strerrordesc_np(errno));
	s->is_dry = n < (ssize_t)iov_len(iov, count);
	return n > 0 ? (size_t)n : 0;
}

static void stream_compact(struct stream *s)
{
	if (s->head)
		memmove(s->in, s->in + s->head, s->tail - s->head);
	s->tail -= s->head;
	s->head = 0;
}

/* Reads on behind what is in the buffer. */
static void stream_fill(struct stream *s)
{
	stream_compact(s);
	bool is_prefix_next = s->tail < STREAM_PREFIX && !s->skip;
	size_t want =
		is_prefix_next && s->is_big ? STREAM_PREFIX - s->tail : STREAM_IN_SIZE - s->tail;
	struct iovec vec = {s->in + s->tail, want};
	s->tail += stream_recv(s, &vec, 1);
}

/*
 * The rest of a frame whose beginning is in the buffer, straight into the windows. The buffer is
 * read into only behind a whole frame, when its beginning is not needed any more.
 * Return: the frame's length, 0 when it is not whole.
 */
static ssize_t stream_read_frame(struct stream *s, const struct iovec *iov, unsigned count)
{
	struct iovec vec[STREAM_IOV_MAX + 1];
	size_t len = stream_length(s);
	size_t begun = s->tail - s->head - STREAM_PREFIX;
	size_t rest = len - begun;
	iov_put(iov, count, 0, s->in + s->head + STREAM_PREFIX, begun);
	unsigned n = iov_cut(vec, STREAM_IOV_MAX, iov, count, begun, rest);
	vec[n++] = (struct iovec){s->in, len >= STREAM_BIG ? STREAM_PREFIX : STREAM_IN_SIZE};

	size_t got = stream_recv(s, vec, n);
	if (got >= rest) {
		s->head = 0;
		s->tail = got - rest;
		s->is_big = len >= STREAM_BIG;
		return (ssize_t)len;
	}
	if (got) {
		stream_compact(s);
		iov_get(iov, count, begun, s->in + s->tail, got);
		s->tail += got;
		s->is_torn = true;
	}
	return 0;
}

/*
 * The next frame, if it is whole in the buffer; what must be dropped on the way is.
 * Return: its length, 0 for none.
 */
static ssize_t stream_take(struct stream *s, const struct iovec *iov, unsigned count, size_t room)
{
	for (;;) {
		size_t have = s->tail - s->head;
		size_t n = have < s->skip ? have : s->skip;
		s->head += n;
		s->skip -= n;
		have -= n;
		if (s->skip || have < STREAM_PREFIX)
			return 0;

		size_t len = stream_length(s);
		if (len == 0 || len > STREAM_NONSENSE) {
			stream_break(s, "it does not send frames with their lengths");
			return 0;
		}
		if (len < NETIF_FRAME_MIN || len > NETIF_FRAME_MAX || len > room) {
			s->nif.dropped++;
			s->skip = STREAM_PREFIX + len;
			s->is_torn = false;
			continue;
		}
		if (have - STREAM_PREFIX < len)
			return 0;
		iov_put(iov, count, 0, s->in + s->head + STREAM_PREFIX, len);
		s->head += STREAM_PREFIX + len;
		s->is_torn = false;
		s->is_big = len >= STREAM_BIG;
		return (ssize_t)len;
	}
}

/* One read. Return: as stream_take(). */
static ssize_t stream_read(struct stream *s, const struct iovec *iov, unsigned count)
{
	bool is_begun = !s->skip && s->tail - s->head >= STREAM_PREFIX;
	if (is_begun && !s->is_torn && count <= STREAM_IOV_MAX)
		return stream_read_frame(s, iov, count);
	stream_fill(s);
	return 0;
}

ssize_t stream_receive(struct netif *nif, unsigned queue, struct virtio_net_hdr *ret_hdr,
		       const struct iovec *iov, unsigned count)
{
	struct stream *s = stream_of(nif);
	size_t room = iov_len(iov, count);
	(void)queue;
	if (s->fd < 0)
		return -EAGAIN;
	for (unsigned reads = 0; !s->broken; reads++) {
		ssize_t len = stream_take(s, iov, count, room);
		/* Whatever else the socket has makes another event. */
		if (!len && (s->broken || s->is_dry || reads == STREAM_READS_MAX))
			break;
		if (!len)
			len = stream_read(s, iov, count);
		if (!len)
			continue;
		*ret_hdr = (struct virtio_net_hdr){0};
		if (s->is_wanted && stream_has_frame(s))
			stream_kick(s);
		return len;
	}
	return -EAGAIN;
}

void stream_want(struct netif *nif, unsigned queue, bool is_wanted)
{
	struct stream *s = stream_of(nif);
	(void)queue;
	s->is_wanted = is_wanted;
	stream_update_events(s);
	if (is_wanted && stream_has_frame(s))
		stream_kick(s);
}

void stream_set_offloads(struct netif *nif, uint32_t offloads)
{
	(void)nif, (void)offloads;
}

void stream_set_queues(struct netif *nif, unsigned queues)
{
	(void)nif, (void)queues;
}

/* The loop's side. */

static void stream_tell_writable(struct stream *s)
{
	if (!s->is_refused)
		return;
	s->is_refused = false;
	if (s->client)
		s->client->writable(s->ctx, 0);
}

static void stream_reset(struct stream *s)
{
	s->is_dry = s->is_torn = s->is_big = false;
	s->head = s->tail = s->skip = 0;
	s->out_pos = s->out_len = 0;
}

static void stream_hang_up(struct stream *s)
{
	const char *why = s->broken;
	evloop_remove(s->fd_handle);
	s->fd_handle = NULL;
	close(s->fd);
	s->fd = -1;
	s->broken = NULL;
	s->nif.is_up = false;
	stream_reset(s);
	s->lost(s, why);
	if (s->client)
		s->client->link_changed(s->ctx);
	stream_tell_writable(s); /* what the client sends now is dropped, and its queue moves */
}

/* Calls the client for what there is to do, and sees to what is left then. */
static void stream_run(struct stream *s, bool is_readable, bool is_writable)
{
	s->is_calling = true;
	if (is_writable && !s->broken && stream_flush(s))
		stream_tell_writable(s);
	if (is_readable && s->is_wanted && !s->broken)
		s->client->readable(s->ctx, 0);
	if (s->broken)
		stream_hang_up(s);
	s->is_calling = false;
	stream_update_events(s);
	if (s->broken || (s->is_wanted && stream_has_frame(s)))
		stream_kick(s);
}

static void stream_fd_ready(void *ctx, uint32_t events)
{
	struct stream *s = ctx;
	bool is_readable = events & (EPOLLIN | EPOLLHUP | EPOLLERR);
	if (is_readable)
		s->is_dry = false;
	stream_run(s, is_readable, events & (EPOLLOUT | EPOLLHUP | EPOLLERR));
}

static void stream_wake_ready(void *ctx, uint32_t events)
{
	struct stream *s = ctx;
	eventfd_t count;
	(void)events;
	eventfd_read(s->wake, &count);
	s->is_waking = false;
	stream_run(s, stream_has_frame(s), false);
}

static int stream_watch(struct stream *s)
{
	s->events = stream_events(s);
	return evloop_add(s->loop, &s->fd_handle, s->fd, s->events, stream_fd_ready, s, s->dev);
}

static void stream_detach(struct stream *s)
{
	evloop_remove(s->fd_handle);
	evloop_remove(s->wake_handle);
	s->fd_handle = s->wake_handle = NULL;
	s->loop = NULL;
	s->client = NULL;
}

int stream_attach(struct stream *s, struct evloop *loop, const struct netif_client *client,
		  void *ctx, struct device *dev)
{
	stream_detach(s);
	s->is_wanted = client != NULL;
	s->is_refused = false;
	if (!loop)
		return 0;
	s->loop = loop;
	s->client = client;
	s->ctx = ctx;
	s->dev = dev;
	int ret = evloop_add(loop, &s->wake_handle, s->wake, EPOLLIN, stream_wake_ready, s, dev);
	if (ret == 0 && s->fd >= 0)
		ret = stream_watch(s);
	if (ret != 0) {
		stream_detach(s);
		return ret;
	}
	if (stream_has_frame(s))
		stream_kick(s);
	return 0;
}

int stream_connect(struct stream *s, int fd)
{
	s->fd = fd;
	int ret = s->loop ? stream_watch(s) : 0;
	if (ret != 0) {
		close(fd);
		s->fd = -1;
		return ret;
	}
	s->nif.is_up = true;
	if (s->client)
		s->client->link_changed(s->ctx);
	return 0;
}

int stream_init(struct stream *s, const char *id, stream_lost_fn lost)
{
	s->id = id;
	s->lost = lost;
	s->send_max = NETIF_FRAME_MAX;
	s->nif.queues = 1;
	s->fd = -1;
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return s->wake < 0 ? -errno : 0;
}

void stream_close(struct stream *s)
{
	stream_detach(s);
	if (s->fd >= 0)
		close(s->fd);
	if (s->wake >= 0)
		close(s->wake);
	s->fd = s->wake = -1;
}
