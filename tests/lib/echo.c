/* See echo.h. */
#include "echo.h"

#include <stdlib.h>
#include <string.h>
#include <tinyvm/state.h>

static void echo_chain(struct vchain *chain)
{
	uint8_t buf[64];
	for (;;) {
		size_t in = chain_readable(chain), out = chain_writable(chain);
		size_t len = in < out ? in : out;
		if (len > sizeof(buf))
			len = sizeof(buf);
		if (len == 0 || chain_read(chain, buf, len) != 0 ||
		    chain_write(chain, buf, len) != 0)
			return;
	}
}

static void echo_notify(struct virtio_device *vd, unsigned queue)
{
	struct echo *e = (struct echo *)vd;
	struct virtq *vq = &vd->queue[queue];
	struct vchain chain;

	e->notifies++;
	if (e->is_lazy)
		return;
	do {
		vq_enable_kick(vq, false);
		while (vq_pop(vq, &chain) == 1) {
			echo_chain(&chain);
			e->chains++;
			vq_push(vq, &chain);
		}
	} while (vq_enable_kick(vq, true));
	vq_signal(vq);
}

static void echo_start(struct virtio_device *vd)
{
	((struct echo *)vd)->starts++;
}

static void echo_stop(struct virtio_device *vd)
{
	((struct echo *)vd)->stops++;
}

static void echo_reset(struct virtio_device *vd)
{
	struct echo *e = (struct echo *)vd;
	memset(e->config, 0, sizeof(e->config));
	e->chains = 0;
}

static void echo_config_written(struct virtio_device *vd, unsigned off, unsigned len)
{
	(void)vd;
	(void)off;
	(void)len;
}

static void echo_state(struct virtio_device *vd, struct state *st)
{
	struct echo *e = (struct echo *)vd;
	state_bytes(st, "config", e->config, sizeof(e->config));
	state_u32(st, "chains", &e->chains);
}

static void echo_destroy(struct device *dev)
{
	virtio_device_fini((struct virtio_device *)dev);
	free(dev);
}

static const struct virtio_ops echo_ops = {
	.dev =
		{
			.type = "virtio-echo",
			.version = 1,
			.reset = virtio_device_reset,
			.state = virtio_device_state,
			.quiesce = virtio_device_quiesce,
			.resume = virtio_device_resume,
			.destroy = echo_destroy,
		},
	.device_id = ECHO_DEVICE_ID,
	.pci_class = 0xff0000,
	.start = echo_start,
	.stop = echo_stop,
	.notify = echo_notify,
	.config_written = echo_config_written,
	.state = echo_state,
	.reset = echo_reset,
};

struct echo *echo_create(struct gmem *gm)
{
	struct echo *e = calloc(1, sizeof(*e));
	if (e && virtio_device_init(&e->vd, &echo_ops, "echo0", gm, 1ULL << ECHO_FEATURE, e->config,
				    sizeof(e->config), ECHO_QUEUES, ECHO_QUEUE_SIZE) != 0) {
		free(e);
		e = NULL;
	}
	return e;
}
