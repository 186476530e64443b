/* virtio-mmio under a script of register accesses; the device behind it echoes. */
#include "echo.h"
#include "fake_kick.h"
#include "fakes.h"
#include "vregfuzz.h"
#include <stdlib.h>
#include <tinyvm/bus.h>

#define GPA 0xd0000000ULL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct vdriver drv;
	struct fake_irq irq = {0};
	struct fake_kick kick = {0};
	struct bus *bus;
	struct gmem *gm = vregfuzz_memory();
	struct echo *echo = echo_create(gm);
	void *mmio;

	if (!echo ||
	    virtio_mmio_attach(&echo->vd, &mmio, GPA, fake_irq_line(&irq), fake_kick_sink(&kick)) !=
		    0 ||
	    bus_create(&bus, "memory") != 0 ||
	    bus_add(bus, GPA, GPA + VIRTIO_MMIO_SIZE - 1, &virtio_mmio_bus_ops, mmio, &echo->vd.dev,
		    NULL) != 0)
		abort();
	vdriver_init_mmio(&drv, &echo->vd, gm, 0x1000, mmio);
	struct vregfuzz f = {.bus = bus, .base = {GPA}, .size = {VIRTIO_MMIO_SIZE}, .drv = &drv};
	vregfuzz_run(&f, data, len);
	bus_destroy(bus);
	device_destroy(&echo->vd.dev);
	return 0;
}
