/* A layer over a character backend: somebody listens to what the guest sends, and types, too. */
#ifndef LISTEN_H
#define LISTEN_H

#include <stddef.h>
#include <stdint.h>
#include <tinyvm/chardev.h>

/**
 * struct listen - the layer
 * @below: destroyed with it; NULL for none
 * @heard: told of what the guest has sent, with the client device's lock held
 */
struct listen {
	struct chardev cd;
	struct chardev *below;
	void (*heard)(void *ctx, const uint8_t *buf, size_t len);
	void *ctx;
	const struct chardev_client *client;
	void *client_ctx;
	struct device *client_dev;
};

/* @below's destruction is the layer's, which itself is the caller's memory. */
void listen_init(struct listen *listen, struct chardev *below,
		 void (*heard)(void *ctx, const uint8_t *buf, size_t len), void *ctx);

/* Give the guest up to @len bytes; returns how many it took. Context: the event loop's thread. */
size_t listen_type(struct listen *listen, const char *text, size_t len);

#endif
