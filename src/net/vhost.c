/*
 * vhost-net: one queue pair served by the host's kernel (Linux's <linux/vhost.h>).
 *
 * The tap has virtio_net_hdr on (IFF_VNET_HDR), so that the headers are its business and
 * VHOST_NET_F_VIRTIO_NET_HDR stays off. Left out on purpose: the log of written pages, an IOMMU,
 * and drivers without mergeable buffers, for which older kernels leave num_buffers unset.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <spec/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <tinyvm/err.h>
#include <tinyvm/log.h>
#include <tinyvm/vhost.h>
#include <unistd.h>

#define VHOST_PATH   "/dev/vhost-net"
#define FEATURE(bit) (1ULL << (bit))

/* What it does to the rings and buffers: these are agreed on with the driver. */
#define VHOST_RING_FEATURES                                                   \
	(FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | \
	 FEATURE(VIRTIO_RING_F_EVENT_IDX) | FEATURE(VIRTIO_NET_F_MRG_RXBUF))

/**
 * struct vhost_net - one queue pair
 * @features: of VHOST_RING_FEATURES, what this kernel knows
 */
struct vhost_net {
	int fd;
	uint64_t features;
};

static int vhost_ioctl(const struct vhost_net *vn, unsigned long request, void *arg)
{
	return ioctl(vn->fd, request, arg) < 0 ? -errno : 0;
}

static int vhost_open_device(struct err *err)
{
	int fd = open(VHOST_PATH, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	int error = -errno;
	switch (error) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return err_set(err, error,
			       "the host has no " VHOST_PATH "; `modprobe vhost_net` as root loads "
			       "it");
	case -EACCES:
	case -EPERM:
		return err_set(err, error,
			       "no permission to open " VHOST_PATH "; its group, kvm on most "
			       "systems, has it");
	default:
		return err_set(err, error, "cannot open " VHOST_PATH ": %s", strerror(-error));
	}
}

int vhost_net_open(struct vhost_net **ret_vn, struct err *err)
{
	struct vhost_net *vn = calloc(1, sizeof(*vn));
	if (!vn)
		return err_set(err, -ENOMEM, "out of memory");
	vn->fd = vhost_open_device(err);
	if (vn->fd < 0) {
		int error = vn->fd;
		free(vn);
		return error;
	}
	int error = vhost_ioctl(vn, VHOST_SET_OWNER, NULL);
	if (!error)
		error = vhost_ioctl(vn, VHOST_GET_FEATURES, &vn->features);
	if (error) {
		vhost_net_destroy(vn);
		return err_set(err, error, VHOST_PATH " cannot be used: %s", strerror(-error));
	}
	vn->features &= VHOST_RING_FEATURES;
	*ret_vn = vn;
	return 0;
}

void vhost_net_destroy(struct vhost_net *vn)
{
	if (!vn)
		return;
	close(vn->fd); /* which stops it, too */
	free(vn);
}

uint64_t vhost_net_features(const struct vhost_net *vn)
{
	return vn->features;
}

static int vhost_set_memory(const struct vhost_net *vn, const struct vhost_region *region,
			    unsigned count)
{
	struct vhost_memory *table = calloc(1, sizeof(*table) + count * sizeof(table->regions[0]));
	if (!table)
		return -ENOMEM;
	table->nregions = count;
	for (unsigned i = 0; i < count; i++) {
		table->regions[i].guest_phys_addr = region[i].gpa;
		table->regions[i].memory_size = region[i].size;
		table->regions[i].userspace_addr = (uintptr_t)region[i].hva;
	}
	int error = vhost_ioctl(vn, VHOST_SET_MEM_TABLE, table);
	free(table);
	return error;
}

static int vhost_set_file(const struct vhost_net *vn, unsigned long request, unsigned index, int fd)
{
	struct vhost_vring_file file = {.index = index, .fd = fd};
	return vhost_ioctl(vn, request, &file);
}

static int vhost_set_ring(const struct vhost_net *vn, unsigned index, const struct vhost_ring *ring)
{
	struct vhost_vring_state num = {.index = index, .num = ring->size};
	struct vhost_vring_state base = {.index = index, .num = ring->base};
	struct vhost_vring_addr addr = {
		.index = index,
		.desc_user_addr = (uintptr_t)ring->desc,
		.avail_user_addr = (uintptr_t)ring->avail,
		.used_user_addr = (uintptr_t)ring->used,
	};
	int error = vhost_ioctl(vn, VHOST_SET_VRING_NUM, &num);
	if (!error)
		error = vhost_ioctl(vn, VHOST_SET_VRING_BASE, &base);
	if (!error)
		error = vhost_ioctl(vn, VHOST_SET_VRING_ADDR, &addr);
	if (!error)
		error = vhost_set_file(vn, VHOST_SET_VRING_ERR, index, ring->err);
	if (!error)
		error = vhost_set_file(vn, VHOST_SET_VRING_CALL, index, ring->call);
	if (!error)
		error = vhost_set_file(vn, VHOST_SET_VRING_KICK, index, ring->kick);
	return error;
}

/* Return: 0 or -errno; 0 of a ring that never ran, too. */
static int vhost_stop_ring(const struct vhost_net *vn, unsigned index, uint16_t *ret_base)
{
	struct vhost_vring_state base = {.index = index};
	int error = vhost_set_file(vn, VHOST_NET_SET_BACKEND, index, VHOST_FILE_UNBIND);
	if (!error)
		error = vhost_ioctl(vn, VHOST_GET_VRING_BASE, &base);
	*ret_base = (uint16_t)base.num;
	/* Doorbells are others' from now on. */
	(void)vhost_set_file(vn, VHOST_SET_VRING_KICK, index, VHOST_FILE_UNBIND);
	(void)vhost_set_file(vn, VHOST_SET_VRING_CALL, index, VHOST_FILE_UNBIND);
	(void)vhost_set_file(vn, VHOST_SET_VRING_ERR, index, VHOST_FILE_UNBIND);
	return error;
}

void vhost_net_stop(struct vhost_net *vn, uint16_t *ret_base)
{
	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		int error = vhost_stop_ring(vn, i, &ret_base[i]);
		if (error)
			log_error("vhost-net does not stop: %s", strerror(-error));
	}
}

int vhost_net_start(struct vhost_net *vn, uint64_t features, const struct vhost_region *region,
		    unsigned region_count, const struct vhost_ring *ring, int tap)
{
	const uint64_t needed = FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_NET_F_MRG_RXBUF);
	uint64_t wanted = features & VHOST_RING_FEATURES;
	if ((wanted & needed) != needed || wanted & ~vn->features)
		return -EOPNOTSUPP;

	int error = vhost_ioctl(vn, VHOST_SET_FEATURES, &wanted);
	if (!error)
		error = vhost_set_memory(vn, region, region_count);
	for (unsigned i = 0; i < VHOST_RINGS && !error; i++)
		error = vhost_set_ring(vn, i, &ring[i]);
	for (unsigned i = 0; i < VHOST_RINGS && !error; i++)
		error = vhost_set_file(vn, VHOST_NET_SET_BACKEND, i, tap);
	if (error) {
		uint16_t base;
		for (unsigned i = 0; i < VHOST_RINGS; i++)
			(void)vhost_stop_ring(vn, i, &base);
		return error;
	}
	/* While a ring had no backend yet, its doorbell was rung in vain. */
	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		const uint64_t one = 1;
		ssize_t n = write(ring[i].kick, &one, sizeof(one));
		(void)n; /* fails only when the counter is full, after 2^64 rings */
	}
	return 0;
}
