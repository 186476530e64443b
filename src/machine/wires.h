/* Wires between models and KVM that need more than a function pointer. */
#ifndef WIRES_H
#define WIRES_H

#include <stdint.h>
#include <tinyvm/device.h>

struct evloop;
struct kvm_vm;
struct virtio_device;

#define WIRED_OR_GSIS 24

/**
 * struct wired_or - level-triggered inputs that several devices pull
 * @sources: per GSI, which of its up to 32 sources are high
 */
struct wired_or {
	pthread_mutex_t lock;
	struct irq_line out; /* n is ignored: the GSI is given */
	uint32_t sources[WIRED_OR_GSIS];
};

void wired_or_init(struct wired_or *wo, struct irq_line out);

/*
 * Source @source (0 to 31) of input @gsi (below WIRED_OR_GSIS) as a line of its own. The low byte
 * of its n is the GSI: what a PCI interrupt line register shows.
 */
struct irq_line wired_or_line(struct wired_or *wo, unsigned gsi, unsigned source);

/**
 * doorbells_create() - ioeventfds for one virtio device
 *
 * doorbells_sink() is to be given to the device's transport, then doorbells_bind() names the
 * device. Context (destroy): the machine is stopped; after the device is destroyed, before the VM
 * is.
 */
struct doorbells;
int doorbells_create(struct doorbells **ret_db, struct kvm_vm *vm, struct evloop *loop)
	__attribute__((warn_unused_result));
struct kick_sink doorbells_sink(struct doorbells *db);
void doorbells_bind(struct doorbells *db, struct virtio_device *vd);
void doorbells_destroy(struct doorbells *db);

/**
 * doorbells_take() - the eventfd that @queue's doorbell signals, for somebody else (vhost) to serve
 *                    the queue: until doorbells_give_back() the loop does not listen to it
 *
 * The descriptor stays open until doorbells_destroy(). What was rung before a give-back reaches the
 * device after it.
 * Return: the descriptor, or -errno. Context: the device's lock held.
 */
int doorbells_take(struct doorbells *db, unsigned queue) __attribute__((warn_unused_result));
void doorbells_give_back(struct doorbells *db, unsigned queue);

#endif
