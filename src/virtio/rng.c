/*
 * The entropy device: VIRTIO 1.2, section 5.4. One queue of buffers to be filled.
 *
 * A buffer may be filled in part but not left empty (section 5.4.6.1), so entropy is drawn before a
 * buffer is taken: when there is none, the buffer stays in the ring until the next doorbell.
 */
#include "virtio_device.h"

#include <errno.h>
#include <spec/virtio_config.h>
#include <stdlib.h>
#include <tinyvm/log.h>

#define RNG_QUEUE_SIZE 8
#define RNG_CLASS      0xff0000 /* unassigned */
#define RNG_PIECE      256	/* getrandom() is never interrupted up to this */
#define RNG_CHAIN_MAX  4096	/* bytes a buffer gets; drivers ask again */
#define RNG_TURN_MAX   1024	/* buffers a doorbell */

struct virtio_rng {
	struct virtio_device vd;
	struct entropy entropy;
	uint64_t failures;
	struct vchain chain;
};

static struct virtio_rng *rng_of(struct virtio_device *vd)
{
	return (struct virtio_rng *)vd;
}

static bool rng_draw(struct virtio_rng *rng, uint8_t piece[RNG_PIECE])
{
	int ret = rng->entropy.fill(rng->entropy.ctx, piece, RNG_PIECE);
	if (ret != 0)
		log_guest(&rng->failures, "%s: the host has no entropy (%d)", rng->vd.dev.id, ret);
	return ret == 0;
}

/* @piece holds fresh bytes on entry, used ones on return. */
static void rng_fill(struct virtio_rng *rng, uint8_t piece[RNG_PIECE])
{
	struct vchain *chain = &rng->chain;
	size_t left = chain_writable(chain);
	if (left == 0 || chain_readable(chain))
		log_guest(&rng->vd.bad_requests, "%s: the guest's driver offers %s", rng->vd.dev.id,
			  left ? "bytes to a source of them" : "no room");
	if (left > RNG_CHAIN_MAX)
		left = RNG_CHAIN_MAX;
	while (left) {
		size_t len = left < RNG_PIECE ? left : RNG_PIECE;
		if (chain_write(chain, piece, len) != 0)
			break;
		left -= len;
		if (left && !rng_draw(rng, piece))
			break;
	}
}

/*
 * A driver that refills the queue as fast as it is served loses its turn after RNG_TURN_MAX
 * buffers, and gets another one later.
 */
static void rng_notify(struct virtio_device *vd, unsigned queue)
{
	struct virtio_rng *rng = rng_of(vd);
	struct virtq *vq = &vd->queue[queue];
	uint8_t piece[RNG_PIECE];
	unsigned budget = RNG_TURN_MAX;
	bool is_dry = false, is_more;

	do {
		vq_enable_kick(vq, false);
		while (budget && !is_dry) {
			is_dry = !rng_draw(rng, piece);
			if (is_dry || vq_pop(vq, &rng->chain) != 1)
				break;
			rng_fill(rng, piece);
			vq_push(vq, &rng->chain);
			budget--;
		}
		vq_signal(vq);
		is_more = vq_enable_kick(vq, true);
	} while (is_more && budget && !is_dry);
	if (is_more && !is_dry)
		vq_serve_later(vq);
}

static void rng_destroy(struct device *dev)
{
	struct virtio_rng *rng = (struct virtio_rng *)dev;
	virtio_device_fini(&rng->vd);
	free(rng);
}

static const struct virtio_ops rng_ops = {
	.dev = {.type = "virtio-rng",
		.version = 1,
		.reset = virtio_device_reset,
		.state = virtio_device_state,
		.quiesce = virtio_device_quiesce,
		.resume = virtio_device_resume,
		.destroy = rng_destroy},
	.device_id = VIRTIO_ID_ENTROPY,
	.pci_class = RNG_CLASS,
	.notify = rng_notify,
};

int virtio_rng_create(struct virtio_device **ret_vd, const char *id, struct gmem *gm,
		      struct entropy entropy)
{
	struct virtio_rng *rng = calloc(1, sizeof(*rng));
	if (!rng)
		return -ENOMEM;
	if (virtio_device_init(&rng->vd, &rng_ops, id, gm, 0, NULL, 0, 1, RNG_QUEUE_SIZE) != 0) {
		free(rng);
		return -ENOMEM;
	}
	rng->entropy = entropy;
	*ret_vd = &rng->vd;
	return 0;
}
