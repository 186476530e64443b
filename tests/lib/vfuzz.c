/* The interpreter of vfuzz.h's scripts. */
#include "vfuzz.h"

#include "../../src/virtio/virtio_device.h"
#include "device_bytes.h"
#include "reseal.h"
#include <spec/virtio_config.h>
#include <spec/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 256

enum command {
	CMD_CHAIN, /* q, count, then for each: flags and length, content: a sound chain, kicked */
	CMD_DESC,  /* q, index, address (2), length (2), flags, next: any descriptor */
	CMD_AVAIL, /* q, head: make it available and kick */
	CMD_AVAIL_IDX,	/* q, idx (2): and kick */
	CMD_USED_EVENT, /* q, idx (2) */
	CMD_MEMORY,	/* address (2), length, content */
	CMD_KICK,	/* q */
	CMD_CONFIG_READ,
	CMD_CONFIG_WRITE, /* off, length, content */
	CMD_STATUS,	  /* value */
	CMD_RESTART,	  /* as the first byte */
	CMD_WORLD,	  /* what */
	CMD_SAVE,	  /* save, reset, load, save: the same bytes */
	CMD_DAMAGE,	  /* offset (2), mask: load a damaged state */
	CMD_COUNT,
};

struct script {
	const uint8_t *at, *end;
};

/* A session: the device, and the driver's few words about its rings. */
struct session {
	const struct vfuzz *f;
	struct virtio_device *vd;
	struct gmem *gm;
	struct script s;
	uint16_t size; /* a power of two */
	gpa_t brk;
	uint16_t avail_idx[VIRTIO_QUEUE_MAX];
	uint16_t next_desc[VIRTIO_QUEUE_MAX];
};

static uint8_t take8(struct script *s)
{
	return s->at < s->end ? *s->at++ : 0;
}

static uint16_t take16(struct script *s)
{
	uint16_t low = take8(s);
	return (uint16_t)(low | take8(s) << 8);
}

/* Up to @len bytes of the script; fewer at its end. */
static const uint8_t *take(struct script *s, size_t len, size_t *ret_len)
{
	const uint8_t *at = s->at;
	*ret_len = (size_t)(s->end - at) < len ? (size_t)(s->end - at) : len;
	s->at += *ret_len;
	return at;
}

static gpa_t desc_at(unsigned q)
{
	return VFUZZ_RINGS + 512 * (gpa_t)q;
}

static gpa_t avail_at(unsigned q)
{
	return desc_at(q) + 256;
}

static gpa_t used_at(unsigned q)
{
	return desc_at(q) + 320;
}

/* The script may point anywhere: what is not RAM is not written. */
static void put(struct session *x, gpa_t gpa, const void *buf, size_t len)
{
	if (gmem_write(x->gm, gpa, buf, len) != 0)
		return;
}

static void put16(struct session *x, gpa_t gpa, uint16_t value)
{
	put(x, gpa, &value, sizeof(value));
}

static void interrupt(void *ctx, int queue)
{
	(void)ctx;
	(void)queue;
}

static const struct virtio_transport nowhere = {.interrupt = interrupt};

static void restart(struct session *x)
{
	uint8_t how = take8(&x->s);
	const uint8_t agreed =
		VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK;
	const uint64_t event_idx = 1ULL << VIRTIO_F_EVENT_IDX;
	const uint64_t indirect = 1ULL << VIRTIO_F_INDIRECT_DESC;
	const uint64_t version_1 = 1ULL << VIRTIO_F_VERSION_1;
	uint64_t own = x->vd->features_offered & ~(event_idx | indirect | version_1);

	virtio_set_status(x->vd, 0);
	virtio_set_features(x->vd, version_1 | (how & 1 ? event_idx : 0) |
					   (how & 2 ? indirect : 0) | (how & 4 ? own : 0));
	virtio_set_status(x->vd, agreed);
	x->size = (uint16_t)(1u << (how >> 4) % 5);
	if (gmem_zero(x->gm, 0, VFUZZ_MEMORY) != 0)
		abort();
	x->brk = VFUZZ_BUFFERS;
	for (unsigned q = 0; q < x->vd->queue_count; q++) {
		struct virtq *vq = &x->vd->queue[q];
		virtq_set_size(vq, x->size);
		vq->desc = desc_at(q);
		vq->avail = avail_at(q);
		vq->used = used_at(q);
		virtq_enable(vq);
		x->avail_idx[q] = x->next_desc[q] = 0;
	}
	virtio_set_status(x->vd, agreed | VIRTIO_STATUS_DRIVER_OK);
}

static void make_available(struct session *x, unsigned q, uint16_t head)
{
	put16(x, avail_at(q) + VIRTQ_AVAIL_RING(x->avail_idx[q] & (x->size - 1)), head);
	x->avail_idx[q]++;
	put16(x, avail_at(q) + VIRTQ_AVAIL_IDX, x->avail_idx[q]);
	virtio_device_kick(x->vd, q);
}

/* A buffer as the script describes it: writable or not, how long, what is in it. */
static struct virtq_desc take_buffer(struct session *x)
{
	uint8_t kind = take8(&x->s);
	size_t len = kind & 0x3f, got;
	if (kind & 0x40) /* sector-sized things */
		len *= 64;
	if (x->brk + len > VFUZZ_MEMORY)
		x->brk = VFUZZ_BUFFERS;
	struct virtq_desc d = {
		.addr = x->brk,
		.len = (uint32_t)len,
		.flags = kind & 0x80 ? VIRTQ_DESC_F_WRITE : 0,
	};
	if (!(kind & 0x80)) {
		const uint8_t *content = take(&x->s, len < 64 ? len : 64, &got);
		put(x, d.addr, content, got);
	}
	x->brk += (len + 15) & ~15ULL;
	return d;
}

static void do_chain(struct session *x, unsigned q)
{
	unsigned count = take8(&x->s) % 6 + 1;
	if (count > x->size)
		count = x->size;
	uint16_t head = x->next_desc[q] & (x->size - 1);
	for (unsigned n = 0; n < count; n++) {
		struct virtq_desc d = take_buffer(x);
		uint16_t i = x->next_desc[q]++ & (x->size - 1);
		if (n + 1 < count) {
			d.flags |= VIRTQ_DESC_F_NEXT;
			d.next = x->next_desc[q] & (x->size - 1);
		}
		put(x, desc_at(q) + 16 * i, &d, sizeof(d));
	}
	make_available(x, q, head);
}

static void do_desc(struct session *x, unsigned q)
{
	uint16_t i = take8(&x->s) & (x->size - 1);
	struct virtq_desc d = {.addr = take16(&x->s), .len = take16(&x->s)};
	d.flags = take8(&x->s);
	d.next = take8(&x->s);
	if (d.flags & 0x80)
		d.len |= 0xffff0000;
	if (d.flags & 0x40)
		d.addr |= 0xffffffffffff0000;
	d.flags &= 7;
	put(x, desc_at(q) + 16 * i, &d, sizeof(d));
}

static void do_memory(struct session *x)
{
	gpa_t gpa = take16(&x->s);
	size_t len = take8(&x->s), got;
	const uint8_t *content = take(&x->s, len, &got);
	put(x, gpa, content, got);
}

static void do_config(struct session *x, enum command command)
{
	uint8_t buf[64] = {0};
	unsigned off = take8(&x->s);
	size_t len = take8(&x->s) % sizeof(buf), got;
	if (command == CMD_CONFIG_READ) {
		virtio_config_read(x->vd, off, buf, (unsigned)len);
		return;
	}
	const uint8_t *content = take(&x->s, len, &got);
	memcpy(buf, content, got);
	virtio_config_write(x->vd, off, buf, (unsigned)len);
}

/* Context (both): the device's lock not held. */
static void do_save(struct session *x)
{
	size_t before_len, after_len;
	device_quiesce(&x->vd->dev);
	uint8_t *before = device_bytes_save(&x->vd->dev, &before_len);
	device_reset(&x->vd->dev);
	if (device_bytes_load(&x->vd->dev, before, before_len) != 0)
		abort();
	uint8_t *after = device_bytes_save(&x->vd->dev, &after_len);
	if (before_len != after_len || memcmp(before, after, after_len) != 0)
		abort();
	free(before);
	free(after);
	device_resume(&x->vd->dev);
}

static void do_damage(struct session *x)
{
	size_t len;
	device_quiesce(&x->vd->dev);
	uint8_t *state = device_bytes_save(&x->vd->dev, &len);
	size_t at = take16(&x->s) % len;
	state[at] ^= take8(&x->s);
	reseal(state, len);
	int rc = device_bytes_load(&x->vd->dev, state, len);
	(void)rc; /* taken or refused: the device must live */
	free(state);
	device_resume(&x->vd->dev);
}

/* The commands that belong to one queue. */
static void do_queue(struct session *x, enum command command)
{
	unsigned q = take8(&x->s) % x->vd->queue_count;
	switch (command) {
	case CMD_CHAIN:
		do_chain(x, q);
		break;
	case CMD_DESC:
		do_desc(x, q);
		break;
	case CMD_AVAIL:
		make_available(x, q, take8(&x->s));
		break;
	case CMD_AVAIL_IDX:
		x->avail_idx[q] = take16(&x->s);
		put16(x, avail_at(q) + VIRTQ_AVAIL_IDX, x->avail_idx[q]);
		virtio_device_kick(x->vd, q);
		break;
	case CMD_USED_EVENT:
		put16(x, avail_at(q) + VIRTQ_AVAIL_USED_EVENT(x->size), take16(&x->s));
		break;
	default:
		virtio_device_kick(x->vd, q);
		break;
	}
}

static void do_device(struct session *x, enum command command)
{
	switch (command) {
	case CMD_MEMORY:
		do_memory(x);
		break;
	case CMD_CONFIG_READ:
	case CMD_CONFIG_WRITE:
		do_config(x, command);
		break;
	case CMD_STATUS:
		virtio_set_status(x->vd, take8(&x->s));
		break;
	case CMD_RESTART:
		restart(x);
		break;
	case CMD_WORLD:
		if (x->f->world)
			x->f->world(x->vd, x->f->ctx, take8(&x->s));
		break;
	default:
		do_queue(x, command);
		break;
	}
}

void vfuzz_run(const struct vfuzz *f, const uint8_t *data, size_t len)
{
	static struct gmem *gm; /* mapping memory anew would cost more than most scripts */
	if (!gm && gmem_create(&gm, VFUZZ_MEMORY) != 0)
		abort();

	struct session x = {.f = f, .gm = gm, .s = {data, data + len}};
	x.vd = f->create(gm, f->ctx);
	if (!x.vd)
		abort();
	x.vd->transport = &nowhere;
	device_lock(&x.vd->dev);
	restart(&x);
	for (unsigned n = 0; n < STEPS_MAX && x.s.at < x.s.end; n++) {
		enum command command = take8(&x.s) % CMD_COUNT;
		if (command == CMD_SAVE || command == CMD_DAMAGE) {
			device_unlock(&x.vd->dev);
			if (command == CMD_SAVE)
				do_save(&x);
			else
				do_damage(&x);
			device_lock(&x.vd->dev);
		} else {
			do_device(&x, command);
		}
	}
	device_unlock(&x.vd->dev);
	device_destroy(&x.vd->dev);
}
