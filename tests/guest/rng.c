/* virtio-rng: polled, by interrupt pin, by MSI-X where there is PCI. */
#include "virtio.h"

#define VECTOR 0x44

static struct vdev v;
static volatile unsigned interrupts;

HANDLER on_pin(struct frame *f)
{
	(void)f;
	interrupts += vdev_ack(&v) & 1;
	lapic_eoi();
}

HANDLER on_msix(struct frame *f)
{
	(void)f;
	interrupts++;
	lapic_eoi();
}

static bool is_random(const uint8_t *a, const uint8_t *b, unsigned len)
{
	unsigned zeroes = 0;
	for (unsigned i = 0; i < len; i++)
		zeroes += !a[i];
	return zeroes < len / 4 && memcmp(a, b, len) != 0;
}

/* Sets the device up and reads twice; with interrupts unless @vector says polling. */
static void read_twice(unsigned vector, bool is_polled, const char *name)
{
	static uint8_t buf[2][64];
	bool is_ok = vdev_begin(&v, F_VERSION_1 | F_EVENT_IDX) && v.features & F_VERSION_1;
	struct vq *q = vdev_queue(&v, 0, 16, vector);
	if (!expect(is_ok && q, name))
		return;
	vdev_run(&v);
	memset(buf, 0, sizeof(buf));
	for (unsigned i = 0; i < 2; i++) {
		struct vbuf b = {buf[i], sizeof(buf[i]), true};
		uint32_t head, len = 0;
		vq_add(q, &b, 1);
		if (is_polled) {
			len = vq_wait(q);
		} else {
			vq_kick(q);
			while (!vq_take(q, &head, &len))
				wait_irq();
		}
		is_ok &= len > 0 && len <= sizeof(buf[i]);
	}
	/* Both may be done before this CPU first looked; the interrupt is then still waiting. */
	while (!is_polled && !interrupts)
		wait_irq();
	expect(is_ok && is_random(buf[0], buf[1], 16), "rng: two different answers");
}

void guest_main(void)
{
	lapic_enable();
	if (!expect(vdev_find(&v, VIRTIO_RNG), "rng: found"))
		return;
	put(v.is_pci ? "guest: on PCI\n" : "guest: on MMIO\n");
	read_twice(NO_VECTOR, true, "rng: polled");

	set_handler(VECTOR, on_pin);
	ioapic_route(v.gsi, VECTOR, v.is_pci ? IOAPIC_LEVEL_LOW : IOAPIC_LEVEL_HIGH);
	vdev_ack(&v);
	interrupts = 0;
	read_twice(NO_VECTOR, false, "rng: interrupt pin");
	ioapic_route(v.gsi, VECTOR, IOAPIC_MASKED);

	if (!v.is_pci)
		return;
	set_handler(VECTOR, on_msix);
	vdev_msix_set(&v, 1, VECTOR, false);
	vdev_msix_enable(&v, true);
	interrupts = 0;
	read_twice(1, false, "rng: MSI-X");
	vdev_reset(&v);
	expect_eq(vdev_status(&v), 0, "rng: reset");
}
