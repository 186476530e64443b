/*
 * Interrupts into the guest and doorbells out of it: IOAPIC and PIC inputs, MSI messages through
 * irqfds, ioeventfds.
 */
#include "vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <tinyvm/log.h>
#include <unistd.h>

void kvm_vm_set_irq(void *arg, unsigned gsi, bool is_high)
{
	struct kvm_vm *vm = arg;
	if (gsi >= ROUTE_IOAPIC_PINS)
		return;
	/* Devices say their level after every register access: only changes are worth an ioctl. */
	uint32_t bit = 1u << gsi;
	uint32_t old = is_high ? __atomic_fetch_or(&vm->irq_levels, bit, __ATOMIC_SEQ_CST)
			       : __atomic_fetch_and(&vm->irq_levels, ~bit, __ATOMIC_SEQ_CST);
	if (!!(old & bit) == is_high)
		return;
	struct kvm_irq_level level = {.irq = gsi, .level = is_high};
	if (ioctl(vm->fd, KVM_IRQ_LINE, &level) < 0)
		log_error("KVM refuses interrupt line %u: %s", gsi, strerror(errno));
}

/**
 * struct kvm_msi - one PCI function's vectors
 * @has_failed: the host could not do its part, and the user has been told
 * @gsi: 0 while the vector has no route
 * @fd:  the irqfd, -1 likewise; stays the same from the first unmasking on
 * @is_live:   not masked
 * @is_shared: somebody who knows nothing of masks writes to @fd (kvm_msi_fd())
 * @is_connected: KVM listens to @fd
 */
struct kvm_msi {
	struct kvm_vm *vm;
	unsigned count;
	bool has_failed;
	struct msi_vector {
		unsigned gsi;
		int fd;
		bool is_live, is_shared, is_connected;
	} vector[];
};

int kvm_msi_create(struct kvm_msi **ret_msi, struct kvm_vm *vm, unsigned vectors)
{
	struct kvm_msi *msi = calloc(1, sizeof(*msi) + vectors * sizeof(msi->vector[0]));
	if (!msi)
		return -ENOMEM;
	msi->vm = vm;
	msi->count = vectors;
	for (unsigned i = 0; i < vectors; i++)
		msi->vector[i].fd = -1;
	*ret_msi = msi;
	return 0;
}

static int msi_irqfd(struct kvm_vm *vm, int fd, unsigned gsi, uint32_t flags)
{
	struct kvm_irqfd irqfd = {.fd = (uint32_t)fd, .gsi = gsi, .flags = flags};
	return ioctl(vm->fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

static void msi_disconnect(struct kvm_vm *vm, struct msi_vector *v)
{
	if (!v->is_connected)
		return;
	int rc = msi_irqfd(vm, v->fd, v->gsi, KVM_IRQFD_FLAG_DEASSIGN);
	if (rc)
		log_error("KVM keeps an irqfd: %s", strerror(-rc));
	v->is_connected = false;
}

void kvm_msi_destroy(struct kvm_msi *msi)
{
	if (!msi)
		return;
	struct kvm_vm *vm = msi->vm;
	pthread_mutex_lock(&vm->route_lock);
	for (unsigned i = 0; i < msi->count; i++) {
		if (msi->vector[i].fd < 0)
			continue;
		if (!vm_is_stopped(vm)) {
			msi_disconnect(vm, &msi->vector[i]);
			/* KVM hears of it with the next change; nothing can raise it till then. */
			route_remove(&vm->routes, msi->vector[i].gsi);
		}
		close(msi->vector[i].fd);
	}
	pthread_mutex_unlock(&vm->route_lock);
	free(msi);
}

static int msi_push_routes(struct kvm_vm *vm)
{
	return ioctl(vm->fd, KVM_SET_GSI_ROUTING, vm->routes.routing) < 0 ? -errno : 0;
}

/* The first time: a route and an irqfd. Return: 0 or -errno, then nothing has changed. */
static int msi_open(struct kvm_vm *vm, struct msi_vector *v, uint64_t addr, uint32_t data)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	int gsi = route_add(&vm->routes, addr, data);
	int rc = gsi < 0 ? gsi : msi_push_routes(vm);
	if (!rc)
		rc = msi_irqfd(vm, fd, (unsigned)gsi, 0);
	if (rc) {
		if (gsi > 0)
			route_remove(&vm->routes, (unsigned)gsi);
		close(fd);
		return rc;
	}
	v->gsi = (unsigned)gsi;
	v->fd = fd;
	v->is_connected = true;
	return 0;
}

static int msi_unmask(struct kvm_vm *vm, struct msi_vector *v, uint64_t addr, uint32_t data)
{
	if (v->fd < 0)
		return msi_open(vm, v, addr, data);
	int rc = route_change(&vm->routes, v->gsi, addr, data) ? msi_push_routes(vm) : 0;
	if (!rc && !v->is_connected) {
		/* KVM delivers at once what was written meanwhile. */
		rc = msi_irqfd(vm, v->fd, v->gsi, 0);
		v->is_connected = !rc;
	}
	return rc;
}

/*
 * A vector keeps its route: it mostly comes back with the same message. Nobody raises a masked one,
 * unless its eventfd was handed out: that is taken from KVM, and keeps what is written to it. What
 * it counted before has been delivered.
 */
static void msi_mask(struct kvm_vm *vm, struct msi_vector *v)
{
	uint64_t count;
	if (!v->is_shared || !v->is_connected || vm_is_stopped(vm))
		return;
	ssize_t n = read(v->fd, &count, sizeof(count));
	(void)n; /* -EAGAIN: KVM has taken the count itself, as it does since Linux 5.11 */
	msi_disconnect(vm, v);
}

/* Said once: the guest decides how often it happens. */
static void msi_failed(struct kvm_msi *msi, int rc)
{
	if (!msi->has_failed)
		log_error("the host cannot deliver an MSI, so interrupts are lost: %s",
			  strerror(-rc));
	msi->has_failed = true;
}

void kvm_msi_update(void *arg, unsigned vector, uint64_t addr, uint32_t data, bool is_masked)
{
	struct kvm_msi *msi = arg;
	int rc = 0;
	if (vector >= msi->count)
		return;
	struct msi_vector *v = &msi->vector[vector];
	pthread_mutex_lock(&msi->vm->route_lock);
	v->is_live = !is_masked;
	if (is_masked)
		msi_mask(msi->vm, v);
	else
		rc = msi_unmask(msi->vm, v, addr, data);
	pthread_mutex_unlock(&msi->vm->route_lock);
	if (rc)
		msi_failed(msi, rc);
}

void kvm_msi_raise(void *arg, unsigned vector)
{
	struct kvm_msi *msi = arg;
	uint64_t one = 1;
	if (vector >= msi->count || msi->vector[vector].fd < 0)
		return;
	if (write(msi->vector[vector].fd, &one, sizeof(one)) < 0)
		msi_failed(msi, -errno);
}

int kvm_msi_fd(struct kvm_msi *msi, unsigned vector)
{
	if (vector >= msi->count || !msi->vector[vector].is_live)
		return -1;
	msi->vector[vector].is_shared = true;
	return msi->vector[vector].fd;
}

static int ioeventfd_set(struct kvm_vm *vm, uint64_t gpa, unsigned size, uint32_t datamatch, int fd,
			 uint32_t flags)
{
	struct kvm_ioeventfd io = {.addr = gpa, .len = size, .fd = fd, .flags = flags};
	if (size) {
		io.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
		io.datamatch = datamatch;
	}
	return ioctl(vm->fd, KVM_IOEVENTFD, &io) < 0 ? -errno : 0;
}

int kvm_ioeventfd_add(struct kvm_vm *vm, uint64_t gpa, unsigned size, uint32_t datamatch, int fd)
{
	return ioeventfd_set(vm, gpa, size, datamatch, fd, 0);
}

void kvm_ioeventfd_remove(struct kvm_vm *vm, uint64_t gpa, unsigned size, uint32_t datamatch,
			  int fd)
{
	if (vm_is_stopped(vm))
		return;
	int rc = ioeventfd_set(vm, gpa, size, datamatch, fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
	if (rc)
		log_error("KVM keeps an ioeventfd: %s", strerror(-rc));
}
