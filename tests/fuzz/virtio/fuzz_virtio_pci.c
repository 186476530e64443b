/* virtio-pci behind the host bridge under a script of register accesses; the device echoes. */
#include "echo.h"
#include "fake_kick.h"
#include "fakes.h"
#include "vregfuzz.h"
#include <stdlib.h>
#include <tinyvm/bus.h>
#include <tinyvm/pci.h>

#define WINDOW	    0xd0000000u
#define WINDOW_LAST 0xd0003fffu
#define ECAM	    0xe0000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A message of a vector that may not be delivered is the function's fault. */
static void msi_update(void *ctx, unsigned vector, uint64_t addr, uint32_t msg, bool is_masked)
{
	uint64_t *live = ctx;
	(void)addr;
	(void)msg;
	*live = is_masked ? *live & ~(1ULL << vector) : *live | 1ULL << vector;
}

static void msi_raise(void *ctx, unsigned vector)
{
	const uint64_t *live = ctx;
	if (!(*live >> vector & 1))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct vdriver drv;
	const struct pci_host_config cfg = {
		.mmio_base = WINDOW, .mmio_last = WINDOW_LAST, .ecam_base = ECAM};
	uint64_t live = 0;
	const struct msi_sink msi = {.update = msi_update, .raise = msi_raise, .ctx = &live};
	struct fake_irq irq = {0};
	struct fake_kick kick = {0};
	struct bus *pio, *mem;
	struct device *host_dev;
	struct pci_host *host;
	struct pci_func *func;
	struct gmem *gm = vregfuzz_memory();
	struct echo *echo = echo_create(gm);

	if (!echo ||
	    virtio_pci_attach(&echo->vd, &func, fake_irq_line(&irq), msi, fake_kick_sink(&kick)) !=
		    0 ||
	    bus_create(&pio, "port") != 0 || bus_create(&mem, "memory") != 0 ||
	    pci_host_create(&host_dev, &host, &cfg, pio, mem, NULL) != 0 ||
	    pci_host_add(host, func, 1) != 0)
		abort();
	pci_host_assign(host);
	vdriver_init_pci(&drv, &echo->vd, gm, 0x1000, func);
	struct vregfuzz f = {
		.bus = mem,
		.base = {WINDOW, ECAM + (1 << 15), WINDOW + 0x1000},
		.size = {0x1000, PCI_CONFIG_SIZE, 0x3000},
		.drv = &drv,
	};
	vregfuzz_run(&f, data, len);
	device_destroy(host_dev);
	device_destroy(&echo->vd.dev);
	bus_destroy(pio);
	bus_destroy(mem);
	return 0;
}
