/*
 * Interrupt inputs shared by several devices, and virtqueue doorbells that skip the vCPU thread.
 */
#include "wires.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <tinyvm/evloop.h>
#include <tinyvm/kvm.h>
#include <tinyvm/log.h>
#include <tinyvm/virtio.h>
#include <unistd.h>

#define DOORBELL_MAX 33 /* queues of a device */

void wired_or_init(struct wired_or *wo, struct irq_line out)
{
	*wo = (struct wired_or){.out = out};
	pthread_mutex_init(&wo->lock, NULL);
}

static void wired_or_set(void *ctx, unsigned n, bool is_high)
{
	struct wired_or *wo = ctx;
	unsigned gsi = n & 0xff;
	uint32_t bit = 1u << (n >> 8);

	pthread_mutex_lock(&wo->lock);
	uint32_t was = wo->sources[gsi];
	wo->sources[gsi] = is_high ? was | bit : was & ~bit;
	if (!was != !wo->sources[gsi] && wo->out.set)
		wo->out.set(wo->out.ctx, gsi, wo->sources[gsi] != 0);
	pthread_mutex_unlock(&wo->lock);
}

struct irq_line wired_or_line(struct wired_or *wo, unsigned gsi, unsigned source)
{
	return (struct irq_line){.set = wired_or_set, .ctx = wo, .n = source << 8 | gsi};
}

struct doorbell {
	struct doorbells *db;
	unsigned queue;
	int fd;
	struct evloop_fd *handle;
	bool is_taken; /* doorbells_take() */
	bool is_mapped;
	uint64_t gpa;
	unsigned size;
	uint32_t datamatch;
};

struct doorbells {
	struct kvm_vm *vm;
	struct evloop *loop;
	struct virtio_device *vd;
	uint64_t refused; /* maps: a guest may lay devices over each other */
	struct doorbell bell[DOORBELL_MAX];
};

int doorbells_create(struct doorbells **ret_db, struct kvm_vm *vm, struct evloop *loop)
{
	struct doorbells *db = calloc(1, sizeof(*db));
	if (!db)
		return -ENOMEM;
	db->vm = vm;
	db->loop = loop;
	for (unsigned i = 0; i < DOORBELL_MAX; i++)
		db->bell[i] = (struct doorbell){.db = db, .queue = i, .fd = -1};
	*ret_db = db;
	return 0;
}

void doorbells_bind(struct doorbells *db, struct virtio_device *vd)
{
	db->vd = vd;
}

static void doorbell_rang(void *ctx, uint32_t events)
{
	struct doorbell *bell = ctx;
	(void)events;
	if (!bell->is_taken)
		virtio_device_kick(bell->db->vd, bell->queue);
}

static bool doorbell_poll(void *ctx, bool is_last)
{
	struct doorbell *bell = ctx;
	return !bell->is_taken && virtio_device_poll(bell->db->vd, bell->queue, is_last);
}

/* The eventfd is edge-triggered and never read: each ring is one wake-up and no system call more.
 */
static int doorbell_open(struct doorbell *bell)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	int error = evloop_add(bell->db->loop, &bell->handle, fd, EPOLLIN | EPOLLET, doorbell_rang,
			       bell, virtio_to_device(bell->db->vd));
	if (error) {
		close(fd);
		return error;
	}
	if (virtio_device_can_poll(bell->db->vd))
		evloop_set_poll(bell->handle, doorbell_poll);
	bell->fd = fd;
	return 0;
}

/* A doorbell that cannot be mapped still works through the bus. */
static void doorbells_map(void *ctx, unsigned queue, uint64_t gpa, unsigned size,
			  uint32_t datamatch)
{
	struct doorbells *db = ctx;
	if (queue >= DOORBELL_MAX || db->bell[queue].is_mapped)
		return;
	struct doorbell *bell = &db->bell[queue];
	int error = bell->fd >= 0 ? 0 : doorbell_open(bell);
	if (!error)
		error = kvm_ioeventfd_add(db->vm, gpa, size, datamatch, bell->fd);
	if (error) {
		log_guest(&db->refused, "%s: no ioeventfd for queue %u: error %d",
			  virtio_to_device(db->vd)->id, queue, -error);
		return;
	}
	bell->is_mapped = true;
	bell->gpa = gpa;
	bell->size = size;
	bell->datamatch = datamatch;
}

static void doorbells_unmap(void *ctx)
{
	struct doorbells *db = ctx;
	for (unsigned i = 0; i < DOORBELL_MAX; i++) {
		struct doorbell *bell = &db->bell[i];
		if (!bell->is_mapped)
			continue;
		kvm_ioeventfd_remove(db->vm, bell->gpa, bell->size, bell->datamatch, bell->fd);
		bell->is_mapped = false;
	}
}

/* Any thread, the device's lock held, as with a map. */
static void doorbells_ring(void *ctx, unsigned queue)
{
	struct doorbells *db = ctx;
	const uint64_t one = 1;
	struct doorbell *bell = queue < DOORBELL_MAX ? &db->bell[queue] : NULL;
	if (!bell || (bell->fd < 0 && doorbell_open(bell) != 0))
		return;
	ssize_t n = write(bell->fd, &one, sizeof(one));
	(void)n; /* fails only when the counter is full, after 2^64 rings */
}

struct kick_sink doorbells_sink(struct doorbells *db)
{
	return (struct kick_sink){
		.map = doorbells_map, .unmap = doorbells_unmap, .ring = doorbells_ring, .ctx = db};
}

/* The loop may still have an event of before, or be polling: is_taken sees to these. */
int doorbells_take(struct doorbells *db, unsigned queue)
{
	if (queue >= DOORBELL_MAX)
		return -EINVAL;
	struct doorbell *bell = &db->bell[queue];
	int error = bell->fd >= 0 ? 0 : doorbell_open(bell);
	if (error)
		return error;
	bell->is_taken = true;
	evloop_set_events(bell->handle, 0);
	return bell->fd;
}

/* A doorbell that was ever rung is reported again now, which does no harm. */
void doorbells_give_back(struct doorbells *db, unsigned queue)
{
	struct doorbell *bell = &db->bell[queue];
	bell->is_taken = false;
	evloop_set_events(bell->handle, EPOLLIN | EPOLLET);
}

void doorbells_destroy(struct doorbells *db)
{
	if (!db)
		return;
	doorbells_unmap(db);
	for (unsigned i = 0; i < DOORBELL_MAX; i++) {
		evloop_remove(db->bell[i].handle);
		if (db->bell[i].fd >= 0)
			close(db->bell[i].fd);
	}
	free(db);
}
