/* Puts vhost-net behind the data queues of a network card on a tap. */
#ifndef VHOST_H
#define VHOST_H

#include <stdint.h>
#include <tinyvm/virtio.h>

struct doorbells;
struct err;
struct evloop;
struct gmem;
struct kvm_msi;
struct netif;

/**
 * vhost_card_create() - vhost-net for one card
 * @id:    the card's, for messages; outlives it
 * @gm:    guest memory, outlives it
 * @nif:   the card's backend, outlives it; vhost-net works on a tap without a layer over it
 * @pairs: the card's queue pairs
 *
 * What virtio_net_create() wants (vhost_card_server(), vhost_card_features()) is there at once; the
 * rest of the wiring is given to vhost_card_bind() before the guest runs.
 * Return: 0; -errno with a sentence: @nif is no tap, no /dev/vhost-net, no permission. A card does
 * without then.
 */
struct vhost_card;
int vhost_card_create(struct vhost_card **ret_vc, const char *id, struct gmem *gm,
		      const struct netif *nif, unsigned pairs, struct err *err)
	__attribute__((warn_unused_result));
struct ring_server vhost_card_server(struct vhost_card *vc);
uint64_t vhost_card_features(const struct vhost_card *vc);

/**
 * vhost_card_bind() - the card's wires
 * @loop: for interrupts that KVM does not deliver by itself
 * @vd:  the card
 * @db:  its doorbells
 * @msi: its MSI-X vectors; NULL when it has none (virtio-mmio)
 */
void vhost_card_bind(struct vhost_card *vc, struct evloop *loop, struct virtio_device *vd,
		     struct doorbells *db, struct kvm_msi *msi);

/*
 * Context: the event loop does not run; after the card is destroyed, before its doorbells, vectors
 * and guest memory are. NULL is fine.
 */
void vhost_card_destroy(struct vhost_card *vc);

#endif
