/* A PCI function for tests, BAR 0 64 bytes of registers and BAR 1 MSI-X, and a host with two of
 * them. */
#ifndef FAKE_PCI_H
#define FAKE_PCI_H

#include <spec/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/bus.h>
#include <tinyvm/device.h>
#include <tinyvm/err.h>
#include <tinyvm/pci.h>
#include <tinyvm/state.h>

#define FAKE_VECTORS  5
#define FAKE_REGS     64
#define FAKE_CAP_LEN  8
#define FAKE_MMIO     0xd0000000u
#define FAKE_MMIO_END 0xd000ffffu
#define FAKE_ECAM     0xe0000000u

/* What the sink and the wires were told. */
struct fake_func {
	struct device dev;
	struct pci_func f;
	struct pci_msix msix;
	uint8_t regs[FAKE_REGS];
	unsigned cap;
	unsigned moves;
	unsigned hooked_reads, hooked_writes;
	unsigned irq_sets;
	bool irq_level;
	unsigned updates, raises;
	struct {
		uint64_t addr;
		uint32_t data;
		bool is_live;
		unsigned raises;
	} vector[FAKE_VECTORS];
};

static inline uint64_t fake_regs_read(void *ctx, uint64_t off, unsigned size)
{
	const struct fake_func *ff = ctx;
	uint64_t value = 0;
	memcpy(&value, &ff->regs[off], size);
	return value;
}

static inline void fake_regs_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct fake_func *ff = ctx;
	memcpy(&ff->regs[off], &value, size);
}

static const struct bus_ops fake_regs_bus_ops = {
	.sizes = BUS_SIZE_ANY,
	.read = fake_regs_read,
	.write = fake_regs_write,
};

static inline void fake_bars_moved(void *ctx)
{
	((struct fake_func *)ctx)->moves++;
}

/* Bytes 4 to 7 of the vendor capability count the reads that asked for them. */
static inline void fake_config_read(void *ctx, unsigned off, unsigned size)
{
	struct fake_func *ff = ctx;
	(void)off, (void)size;
	ff->hooked_reads++;
	ff->f.config[ff->cap + 4] = (uint8_t)ff->hooked_reads;
}

static inline void fake_config_write(void *ctx, unsigned off, unsigned size)
{
	struct fake_func *ff = ctx;
	(void)off, (void)size;
	ff->hooked_writes++;
	pci_msix_config_written(&ff->msix);
}

static const struct pci_func_ops fake_func_ops = {
	.bars_moved = fake_bars_moved,
	.config_read = fake_config_read,
	.config_write = fake_config_write,
};

static inline void fake_irq_set(void *ctx, unsigned n, bool is_high)
{
	struct fake_func *ff = ctx;
	(void)n;
	ff->irq_sets++;
	ff->irq_level = is_high;
}

static inline void fake_msi_update(void *ctx, unsigned v, uint64_t addr, uint32_t data,
				   bool is_masked)
{
	struct fake_func *ff = ctx;
	ff->updates++;
	ff->vector[v].addr = addr;
	ff->vector[v].data = data;
	ff->vector[v].is_live = !is_masked;
}

static inline void fake_msi_raise(void *ctx, unsigned v)
{
	struct fake_func *ff = ctx;
	if (!ff->vector[v].is_live)
		abort(); /* the contract of struct msi_sink */
	ff->raises++;
	ff->vector[v].raises++;
}

static inline void fake_reset(struct device *dev)
{
	struct fake_func *ff = (struct fake_func *)dev;
	memset(ff->regs, 0, sizeof(ff->regs));
	pci_func_reset(&ff->f);
	pci_msix_reset(&ff->msix);
}

static inline void fake_state(struct device *dev, struct state *st)
{
	struct fake_func *ff = (struct fake_func *)dev;
	pci_func_state(&ff->f, st);
	pci_msix_state(&ff->msix, st);
	state_bytes(st, "regs", ff->regs, sizeof(ff->regs));
}

static inline void fake_destroy(struct device *dev)
{
	free(dev);
}

static const struct device_ops fake_device_ops = {
	.type = "fake-pci",
	.version = 1,
	.reset = fake_reset,
	.state = fake_state,
	.destroy = fake_destroy,
};

static inline struct fake_func *fake_func_create(void)
{
	static const struct pci_id id = {0x1af4, 0x1042, 0x1af4, 0x1100, 0x018000, 1};
	struct fake_func *ff = calloc(1, sizeof(*ff));
	if (!ff)
		return NULL;
	device_init(&ff->dev, &fake_device_ops, "fake0");
	struct irq_line intx = {fake_irq_set, ff, 11};
	struct msi_sink sink = {fake_msi_update, fake_msi_raise, ff};
	const uint8_t cap[FAKE_CAP_LEN] = {PCI_CAP_ID_VENDOR, 0, FAKE_CAP_LEN};

	pci_func_init(&ff->f, &ff->dev, &id, &fake_func_ops, ff, intx);
	pci_func_set_bar(&ff->f, 0, FAKE_REGS, &fake_regs_bus_ops, ff);
	pci_msix_init(&ff->msix, &ff->f, 1, FAKE_VECTORS, sink);
	ff->cap = pci_func_add_cap(&ff->f, cap, sizeof(cap));
	ff->f.hook_first = ff->msix.cap;
	ff->f.hook_last = ff->cap + FAKE_CAP_LEN - 1;
	return ff;
}

/* A host with two functions, in slots 1 and 2. */
struct fake_bus {
	struct bus *pio, *mmio;
	struct device *dev;
	struct pci_host *host;
	struct fake_func *ff[2];
};

static inline void fake_bus_create(struct fake_bus *fb)
{
	const struct pci_host_config cfg = {
		.mmio_base = FAKE_MMIO, .mmio_last = FAKE_MMIO_END, .ecam_base = FAKE_ECAM};
	struct err err;
	if (bus_create(&fb->pio, "pio") || bus_create(&fb->mmio, "mmio") ||
	    pci_host_create(&fb->dev, &fb->host, &cfg, fb->pio, fb->mmio, &err))
		abort();
	for (unsigned i = 0; i < 2; i++) {
		fb->ff[i] = fake_func_create();
		if (!fb->ff[i] || pci_host_add(fb->host, &fb->ff[i]->f, i + 1))
			abort();
	}
}

static inline void fake_bus_destroy(struct fake_bus *fb)
{
	bus_destroy(fb->pio);
	bus_destroy(fb->mmio);
	device_destroy(&fb->ff[0]->dev);
	device_destroy(&fb->ff[1]->dev);
	device_destroy(fb->dev);
}

#endif
