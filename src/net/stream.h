/*
 * Ethernet frames on a connected stream socket, each after its length: what the backends socket, fd
 * and user have in common. They embed it as their first member.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tinyvm/net.h>

#define STREAM_PREFIX 4 /* the length, big-endian */

/* More windows than this in one frame cost a copy. */
#define STREAM_IOV_MAX 64

/* Room for the longest frame, and what is read ahead of the client's asking. */
#define STREAM_IN_SIZE (68u << 10)
_Static_assert(STREAM_IN_SIZE >= STREAM_PREFIX + NETIF_FRAME_MAX, "the longest frame fits");

struct stream;

/* The connection is over and closed, and @nif.is_up false; the client does not know yet. */
typedef void (*stream_lost_fn)(struct stream *s, const char *why);

/**
 * struct stream - one connection after the other, and its framing
 * @id:       for messages
 * @send_max: the longest frame the peer takes
 * @fd:       the peer; -1: nobody there
 * @wake:     eventfd: something to do for the loop that epoll does not see
 * @broken:   why the connection is over, until the loop has closed it
 * @events:   what @fd_handle waits for
 * @is_wanted: the client has room for frames
 * @is_refused: the client waits for writable()
 * @is_calling: in a callback of the loop, which looks after itself when it is done
 * @is_waking: @wake is set
 * @is_dry:   the socket had nothing more; an event will tell
 * @is_torn:  the frame at @head was begun in the client's windows and is continued in @in
 * @is_big:   the last frame was one that is better not copied
 * @head, @tail: bytes of @in that are not consumed; a prefix is first, unless @skip
 * @skip:     bytes of a dropped frame that are still to come
 * @out_pos, @out_len: the rest of a frame that did not go out whole
 */
struct stream {
	struct netif nif;
	const char *id;
	stream_lost_fn lost;
	size_t send_max;
	int fd;
	int wake;
	const char *broken;

	struct evloop *loop;
	struct device *dev;
	const struct netif_client *client;
	void *ctx;
	struct evloop_fd *fd_handle, *wake_handle;
	uint32_t events;
	bool is_wanted, is_refused, is_calling, is_waking;

	bool is_dry, is_torn, is_big;
	size_t head, tail;
	size_t skip;
	size_t out_pos, out_len;
	uint8_t in[STREAM_IN_SIZE];
	uint8_t out[STREAM_PREFIX + NETIF_FRAME_MAX];
};

/* Into zeroed memory, with @nif.ops set by the caller. Return: 0, -errno. */
int stream_init(struct stream *s, const char *id, stream_lost_fn lost)
	__attribute__((warn_unused_result));
void stream_close(struct stream *s);

/**
 * stream_connect() - a peer has come; tells the client
 * @fd: connected; the stream's from now on, closed on failure
 *
 * Context: the loop's thread with the device's lock, or the loop does not run; no peer is there.
 * Return: 0; -errno when the loop cannot watch it.
 */
int stream_connect(struct stream *s, int fd) __attribute__((warn_unused_result));

/* Marks the connection as over; the loop closes it, and then tells. Context: the device's lock. */
void stream_break(struct stream *s, const char *why);

/* Members of struct netif_ops. */
int stream_attach(struct stream *s, struct evloop *loop, const struct netif_client *client,
		  void *ctx, struct device *dev);
int stream_send(struct netif *nif, unsigned queue, const struct virtio_net_hdr *hdr,
		const struct iovec *iov, unsigned count, size_t len);
ssize_t stream_receive(struct netif *nif, unsigned queue, struct virtio_net_hdr *ret_hdr,
		       const struct iovec *iov, unsigned count);
void stream_want(struct netif *nif, unsigned queue, bool is_wanted);
void stream_set_offloads(struct netif *nif, uint32_t offloads);
void stream_set_queues(struct netif *nif, unsigned queues);

#endif
