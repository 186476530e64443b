/*
 * A layer that records what passes: the pcap format with nanoseconds (magic 0xa1b23c4d), link type
 * Ethernet, in the host's byte order, which readers tell from the magic.
 *
 * A record is one write from the client's windows, after the frame has gone out or come in; frames
 * that the child dropped are not recorded. Segments that offloads left whole are recorded whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tinyvm/err.h>
#include <tinyvm/log.h>
#include <tinyvm/net.h>
#include <unistd.h>

#include "iov.h"

#define PCAP_MAGIC_NS	   0xa1b23c4d
#define PCAP_SNAPLEN	   262144
#define PCAP_LINK_ETHERNET 1

/* Frames in more windows than this take another write. */
#define PCAP_IOV_MAX 64

struct pcap_header {
	uint32_t magic;
	uint16_t version_major, version_minor;
	int32_t zone;
	uint32_t accuracy;
	uint32_t snaplen;
	uint32_t link;
};
_Static_assert(sizeof(struct pcap_header) == 24, "pcap file header");

struct pcap_record {
	uint32_t sec, nsec;
	uint32_t len, original_len;
};
_Static_assert(sizeof(struct pcap_record) == 16, "pcap record header");

/**
 * struct pcap - the layer
 * @client, @ctx: the device model; the child's client is the layer, so that the copies of @is_up
 *                and @dropped are right when it looks
 * @fd:   the file; -1 after an error
 * @size: of the whole records in it
 */
struct pcap {
	struct netif nif;
	struct netif *child;
	const struct netif_client *client;
	void *ctx;
	int fd;
	off_t size;
	char path[];
};

static struct pcap *pcap_of(struct netif *nif)
{
	return (struct pcap *)nif;
}

static void pcap_copy_state(struct pcap *pcap)
{
	pcap->nif.is_up = pcap->child->is_up;
	pcap->nif.dropped = pcap->child->dropped;
}

/* Return: 0, -errno. */
static int pcap_write(int fd, struct pcap_record *record, const struct iovec *iov, unsigned count)
{
	size_t done = 0, all = sizeof(*record) + record->len;
	while (done < all) {
		struct iovec vec[PCAP_IOV_MAX + 1];
		unsigned n = 0;
		size_t off = 0;
		if (done < sizeof(*record))
			vec[n++] = (struct iovec){(uint8_t *)record + done, sizeof(*record) - done};
		else
			off = done - sizeof(*record);
		n += iov_cut(vec + n, PCAP_IOV_MAX, iov, count, off, record->len - off);
		ssize_t written = writev(fd, vec, (int)n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -ENOSPC;
		done += (size_t)written;
	}
	return 0;
}

/* After an error the file ends with its last whole record. */
static void pcap_record(struct pcap *pcap, const struct iovec *iov, unsigned count, size_t len)
{
	if (pcap->fd < 0)
		return;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	struct pcap_record record = {
		.sec = (uint32_t)now.tv_sec,
		.nsec = (uint32_t)now.tv_nsec,
		.len = (uint32_t)len,
		.original_len = (uint32_t)len,
	};
	int ret = pcap_write(pcap->fd, &record, iov, count);
	if (ret == 0) {
		pcap->size += (off_t)(sizeof(record) + len);
		return;
	}
	log_warn("cannot record packets in '%s' any more: %s", pcap->path, strerror(-ret));
	if (ftruncate(pcap->fd, pcap->size) != 0)
		log_warn("the last packet in '%s' is torn", pcap->path);
	close(pcap->fd);
	pcap->fd = -1;
}

static void pcap_readable(void *ctx, unsigned queue)
{
	struct pcap *pcap = ctx;
	pcap->client->readable(pcap->ctx, queue);
}

static void pcap_writable(void *ctx, unsigned queue)
{
	struct pcap *pcap = ctx;
	pcap->client->writable(pcap->ctx, queue);
}

static void pcap_link_changed(void *ctx)
{
	struct pcap *pcap = ctx;
	pcap_copy_state(pcap);
	pcap->client->link_changed(pcap->ctx);
}

static int pcap_attach(struct netif *nif, struct evloop *loop, const struct netif_client *client,
		       void *ctx, struct device *dev)
{
	static const struct netif_client between = {
		.readable = pcap_readable,
		.writable = pcap_writable,
		.link_changed = pcap_link_changed,
	};
	struct pcap *pcap = pcap_of(nif);
	pcap->client = client;
	pcap->ctx = ctx;
	int ret = pcap->child->ops->attach(pcap->child, loop, client ? &between : NULL, pcap, dev);
	pcap_copy_state(pcap);
	return ret;
}

static int pcap_send(struct netif *nif, unsigned queue, const struct virtio_net_hdr *hdr,
		     const struct iovec *iov, unsigned count, size_t len)
{
	struct pcap *pcap = pcap_of(nif);
	int ret = pcap->child->ops->send(pcap->child, queue, hdr, iov, count, len);
	bool was_dropped = pcap->child->dropped != nif->dropped;
	pcap_copy_state(pcap);
	if (ret == 0 && !was_dropped)
		pcap_record(pcap, iov, count, len);
	return ret;
}

static ssize_t pcap_receive(struct netif *nif, unsigned queue, struct virtio_net_hdr *ret_hdr,
			    const struct iovec *iov, unsigned count)
{
	struct pcap *pcap = pcap_of(nif);
	ssize_t len = pcap->child->ops->receive(pcap->child, queue, ret_hdr, iov, count);
	pcap_copy_state(pcap);
	if (len > 0)
		pcap_record(pcap, iov, count, (size_t)len);
	return len;
}

static void pcap_want(struct netif *nif, unsigned queue, bool is_wanted)
{
	struct netif *child = pcap_of(nif)->child;
	child->ops->want(child, queue, is_wanted);
}

static void pcap_set_offloads(struct netif *nif, uint32_t offloads)
{
	struct netif *child = pcap_of(nif)->child;
	child->ops->set_offloads(child, offloads);
}

static void pcap_set_queues(struct netif *nif, unsigned queues)
{
	struct netif *child = pcap_of(nif)->child;
	child->ops->set_queues(child, queues);
}

static void pcap_destroy(struct netif *nif)
{
	struct pcap *pcap = pcap_of(nif);
	netif_destroy(pcap->child);
	if (pcap->fd >= 0)
		close(pcap->fd);
	free(pcap);
}

static const struct netif_ops pcap_ops = {
	.attach = pcap_attach,
	.send = pcap_send,
	.receive = pcap_receive,
	.want = pcap_want,
	.set_offloads = pcap_set_offloads,
	.set_queues = pcap_set_queues,
	.destroy = pcap_destroy,
};

/* Makes the file, for its owner only: it holds what others say. Return: 0, -errno. */
static int pcap_create(struct pcap *pcap)
{
	static const struct pcap_header header = {
		.magic = PCAP_MAGIC_NS,
		.version_major = 2,
		.version_minor = 4,
		.snaplen = PCAP_SNAPLEN,
		.link = PCAP_LINK_ETHERNET,
	};
	pcap->fd = open(pcap->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (pcap->fd < 0)
		return -errno;
	ssize_t n = write(pcap->fd, &header, sizeof(header));
	if (n == (ssize_t)sizeof(header)) {
		pcap->size = n;
		return 0;
	}
	int ret = n < 0 ? -errno : -ENOSPC;
	close(pcap->fd);
	return ret;
}

int net_pcap_open(struct netif **ret_nif, struct netif *child, const char *path, struct err *err)
{
	size_t path_size = strlen(path) + 1;
	struct pcap *pcap = calloc(1, sizeof(*pcap) + path_size);
	if (!pcap)
		return err_set(err, -ENOMEM, "--net: pcap=%s: not enough host memory", path);
	memcpy(pcap->path, path, path_size);
	int ret = pcap_create(pcap);
	if (ret != 0) {
		free(pcap);
		return err_set(err, ret, "--net: pcap=%s: cannot write the file: %s", path,
			       strerror(-ret));
	}
	pcap->nif = *child;
	pcap->nif.ops = &pcap_ops;
	pcap->child = child;
	*ret_nif = &pcap->nif;
	return 0;
}
