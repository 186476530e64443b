/* A card with no cable in it: the link is down, and what is sent is lost. */
#include <errno.h>
#include <stdlib.h>
#include <tinyvm/err.h>
#include <tinyvm/net.h>

static int none_attach(struct netif *nif, struct evloop *loop, const struct netif_client *client,
		       void *ctx, struct device *dev)
{
	(void)nif, (void)loop, (void)client, (void)ctx, (void)dev;
	return 0;
}

static int none_send(struct netif *nif, unsigned queue, const struct virtio_net_hdr *hdr,
		     const struct iovec *iov, unsigned count, size_t len)
{
	(void)queue, (void)hdr, (void)iov, (void)count, (void)len;
	nif->dropped++;
	return 0;
}

static ssize_t none_receive(struct netif *nif, unsigned queue, struct virtio_net_hdr *ret_hdr,
			    const struct iovec *iov, unsigned count)
{
	(void)nif, (void)queue, (void)ret_hdr, (void)iov, (void)count;
	return -EAGAIN;
}

static void none_want(struct netif *nif, unsigned queue, bool is_wanted)
{
	(void)nif, (void)queue, (void)is_wanted;
}

static void none_set_offloads(struct netif *nif, uint32_t offloads)
{
	(void)nif, (void)offloads;
}

static void none_set_queues(struct netif *nif, unsigned queues)
{
	(void)nif, (void)queues;
}

static void none_destroy(struct netif *nif)
{
	free(nif);
}

static const struct netif_ops none_ops = {
	.attach = none_attach,
	.send = none_send,
	.receive = none_receive,
	.want = none_want,
	.set_offloads = none_set_offloads,
	.set_queues = none_set_queues,
	.destroy = none_destroy,
};

int net_none_open(struct netif **ret_nif, struct err *err)
{
	struct netif *nif = calloc(1, sizeof(*nif));
	if (!nif)
		return err_set(err, -ENOMEM, "not enough host memory");
	nif->ops = &none_ops;
	nif->queues = 1;
	*ret_nif = nif;
	return 0;
}
