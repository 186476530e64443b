/* Hands everything on in both directions. */
#include "listen.h"

#include <tinyvm/device.h>

static struct listen *listen_of(struct chardev *cd)
{
	return (struct listen *)cd;
}

static void listen_attach(struct chardev *cd, const struct chardev_client *client, void *ctx,
			  struct device *dev)
{
	struct listen *l = listen_of(cd);
	l->client = client;
	l->client_ctx = ctx;
	l->client_dev = dev;
	chardev_attach(l->below, client, ctx, dev);
}

static size_t listen_write(struct chardev *cd, const uint8_t *buf, size_t len)
{
	struct listen *l = listen_of(cd);
	size_t n = chardev_write(l->below, buf, len);
	if (n)
		l->heard(l->ctx, buf, n);
	return n;
}

static void listen_resume(struct chardev *cd)
{
	chardev_resume(listen_of(cd)->below);
}

static void listen_destroy(struct chardev *cd)
{
	chardev_destroy(listen_of(cd)->below);
}

static const struct chardev_ops listen_ops = {
	.attach = listen_attach,
	.write = listen_write,
	.resume = listen_resume,
	.destroy = listen_destroy,
};

void listen_init(struct listen *l, struct chardev *below,
		 void (*heard)(void *ctx, const uint8_t *buf, size_t len), void *ctx)
{
	*l = (struct listen){.cd = {&listen_ops}, .below = below, .heard = heard, .ctx = ctx};
}

size_t listen_type(struct listen *l, const char *text, size_t len)
{
	if (!l->client)
		return 0;
	device_lock(l->client_dev);
	size_t room = l->client->room(l->client_ctx);
	if (len > room)
		len = room;
	if (len)
		l->client->receive(l->client_ctx, (const uint8_t *)text, len);
	device_unlock(l->client_dev);
	return len;
}
