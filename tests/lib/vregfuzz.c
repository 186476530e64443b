/* See vregfuzz.h. */
#include "vregfuzz.h"

#include "device_bytes.h"
#include "reseal.h"
#include <stdlib.h>
#include <string.h>
#include <tinyvm/bus.h>

#define STEPS_MAX  64
#define STATES_MAX 2 /* saves and loads cost as much as a hundred other steps */

enum command {
	CMD_WRITE,   /* window and log2 of the size, offset (2), value */
	CMD_READ,    /* window and log2 of the size, offset (2) */
	CMD_START,   /* features (1), queue size (1): the driver sets everything up */
	CMD_CHAIN,   /* q, layout, two lengths: the driver offers a chain and kicks */
	CMD_MEMORY,  /* address (2), length, content */
	CMD_KICK,    /* q: as it comes from an eventfd */
	CMD_CHANGED, /* the device's configuration changed */
	CMD_RESET,
	CMD_SAVE,
	CMD_DAMAGE, /* offset (2), mask */
	CMD_COUNT,
};

struct script {
	const uint8_t *at, *end;
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

struct gmem *vregfuzz_memory(void)
{
	static struct gmem *gm; /* mapping memory anew would cost more than most scripts */
	if ((!gm && gmem_create(&gm, VREGFUZZ_MEMORY) != 0) ||
	    gmem_zero(gm, 0, VREGFUZZ_MEMORY) != 0)
		abort();
	return gm;
}

static void do_access(const struct vregfuzz *f, struct script *s, enum command command)
{
	uint8_t how = take8(s);
	unsigned w = how >> 2 & 3, size = 1u << (how & 3);
	uint64_t off = take16(s), value = 0;
	while (w && !f->size[w])
		w--;
	off %= f->size[w];
	if (!(how & 0x80))
		off &= ~(uint64_t)(size - 1);
	if (command == CMD_READ) {
		bus_read(f->bus, f->base[w] + off, &value, size);
		return;
	}
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)take8(s) << 8 * i;
	bus_write(f->bus, f->base[w] + off, &value, size);
}

static void do_start(const struct vregfuzz *f, struct script *s)
{
	uint64_t features = take8(s);
	f->drv->queue_size = (uint16_t)(1u << take8(s) % 5);
	(void)vdriver_start(f->drv, (features & 0x0f) | (features & 0xf0) << 24);
}

static void do_chain(const struct vregfuzz *f, struct script *s)
{
	unsigned q = take8(s) % f->drv->vd->queue_count;
	enum vdriver_layout layout = take8(s) & 1 ? VDRIVER_INDIRECT : VDRIVER_DIRECT;
	struct vbuf bufs[2] = {{0x8000, take8(s), false}, {0x9000, take8(s), true}};
	if (f->drv->brk > VREGFUZZ_MEMORY / 2) /* tables of chains that never came back */
		layout = VDRIVER_DIRECT;
	if (vdriver_add(f->drv, q, bufs, 2, layout) >= 0)
		vdriver_kick(f->drv, q);
}

static void do_memory(const struct vregfuzz *f, struct script *s)
{
	gpa_t gpa = take16(s);
	size_t len = take8(s);
	if (len > (size_t)(s->end - s->at))
		len = (size_t)(s->end - s->at);
	if (gmem_write(f->drv->gm, gpa, s->at, len) == 0)
		s->at += len;
}

static void do_state(const struct vregfuzz *f, struct script *s, enum command command)
{
	struct device *dev = &f->drv->vd->dev;
	size_t len, after_len;
	device_quiesce(dev);
	uint8_t *before = device_bytes_save(dev, &len);
	if (command == CMD_DAMAGE) {
		size_t at = take16(s) % len;
		before[at] ^= take8(s);
		reseal(before, len);
		int rc = device_bytes_load(dev, before, len);
		(void)rc; /* taken or refused: the device must live */
	} else {
		device_reset(dev);
		if (device_bytes_load(dev, before, len) != 0)
			abort();
		uint8_t *after = device_bytes_save(dev, &after_len);
		if (after_len != len || memcmp(before, after, len) != 0)
			abort();
		free(after);
	}
	free(before);
	device_resume(dev);
}

static void step(const struct vregfuzz *f, struct script *s, unsigned *states)
{
	struct virtio_device *vd = f->drv->vd;
	enum command command = take8(s) % CMD_COUNT;

	switch (command) {
	case CMD_WRITE:
	case CMD_READ:
		do_access(f, s, command);
		break;
	case CMD_START:
		do_start(f, s);
		break;
	case CMD_CHAIN:
		do_chain(f, s);
		break;
	case CMD_MEMORY:
		do_memory(f, s);
		break;
	case CMD_KICK:
		device_lock(&vd->dev);
		virtio_device_kick(vd, take8(s));
		device_unlock(&vd->dev);
		break;
	case CMD_CHANGED:
		device_lock(&vd->dev);
		virtio_config_changed(vd);
		device_unlock(&vd->dev);
		break;
	case CMD_RESET:
		device_reset(&vd->dev);
		break;
	default:
		if (++*states <= STATES_MAX)
			do_state(f, s, command);
		break;
	}
}

void vregfuzz_run(const struct vregfuzz *f, const uint8_t *script, size_t len)
{
	struct script s = {script, script + len};
	unsigned states = 0;
	for (unsigned n = 0; n < STEPS_MAX && s.at < s.end; n++)
		step(f, &s, &states);
}
