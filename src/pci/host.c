/*
 * The PCI host bridge and bus 0: configuration mechanism #1 (PCI 3.0, section 3.2.2.3.2), ECAM
 * (PCIe Base 4.0, section 7.2.2), and the windows in which BARs decode.
 *
 * Left out on purpose: further buses, hot plug.
 */
#include "pci_func.h"

#include <assert.h>
#include <errno.h>
#include <spec/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/err.h>
#include <tinyvm/log.h>
#include <tinyvm/state.h>

#define SLOTS	     32
#define SLOT_SHIFT   3
#define FUNCS	     8
#define REG_MASK     (PCI_ECAM_FUNC_SIZE - 1)
#define NO_FUNC_BITS UINT32_MAX

/**
 * struct host_bar - one BAR on the bus
 * @f, @n: whose, and which of its BARs
 */
struct host_bar {
	struct pci_func *f;
	unsigned n;
};

/**
 * struct pci_host - the bridge, and what is on its bus
 * @func: by devfn
 */
struct pci_host {
	struct device dev;
	struct pci_func bridge;
	struct pci_host_config cfg;
	struct pci_func *func[SLOTS * FUNCS];
	struct host_bar bar[SLOTS * FUNCS * PCI_BAR_MAX];
	unsigned bar_count;
	uint32_t config_address;
};

/* The bus has locked the bridge itself already. */
static void host_lock_func(struct pci_host *host, struct pci_func *f)
{
	if (f->dev != &host->dev)
		device_lock(f->dev);
}

static void host_unlock_func(struct pci_host *host, struct pci_func *f)
{
	if (f->dev != &host->dev)
		device_unlock(f->dev);
}

static struct pci_func *host_find_func(struct pci_host *host, unsigned devfn)
{
	return host->func[devfn % (SLOTS * FUNCS)];
}

static uint32_t host_config_read(struct pci_host *host, unsigned devfn, unsigned reg, unsigned size)
{
	struct pci_func *f = host_find_func(host, devfn);
	if (!f)
		return NO_FUNC_BITS;
	host_lock_func(host, f);
	uint32_t value = pci_func_config_read(f, reg, size);
	host_unlock_func(host, f);
	return value;
}

static void host_config_write(struct pci_host *host, unsigned devfn, unsigned reg, unsigned size,
			      uint32_t value)
{
	struct pci_func *f = host_find_func(host, devfn);
	if (!f)
		return;
	host_lock_func(host, f);
	pci_func_config_write(f, reg, size, value);
	host_unlock_func(host, f);
}

static uint64_t host_address_read(void *ctx, uint64_t off, unsigned size)
{
	const struct pci_host *host = ctx;
	(void)off, (void)size;
	return host->config_address;
}

static void host_address_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct pci_host *host = ctx;
	(void)off, (void)size;
	host->config_address = (uint32_t)value & PCI_CONFIG_ADDRESS_WMASK;
}

/* Does CONFIG_ADDRESS name a register of this bus? */
static bool host_is_selected(const struct pci_host *host)
{
	return (host->config_address & (PCI_CONFIG_ADDRESS_ENABLE | 0xff0000)) ==
	       PCI_CONFIG_ADDRESS_ENABLE;
}

static uint64_t host_data_read(void *ctx, uint64_t off, unsigned size)
{
	struct pci_host *host = ctx;
	if (!host_is_selected(host))
		return NO_FUNC_BITS;
	uint32_t at = host->config_address;
	return host_config_read(host, at >> 8 & 0xff, (at & 0xfc) + (unsigned)off, size);
}

static void host_data_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct pci_host *host = ctx;
	uint32_t at = host->config_address;
	if (host_is_selected(host))
		host_config_write(host, at >> 8 & 0xff, (at & 0xfc) + (unsigned)off, size,
				  (uint32_t)value);
}

static uint64_t host_ecam_read(void *ctx, uint64_t off, unsigned size)
{
	return host_config_read(ctx, (unsigned)off >> PCI_ECAM_FUNC_SHIFT, off & REG_MASK, size);
}

static void host_ecam_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	host_config_write(ctx, (unsigned)off >> PCI_ECAM_FUNC_SHIFT, off & REG_MASK, size,
			  (uint32_t)value);
}

/*
 * The first BAR that decodes @gpa, and the offset in it. A guest may lay BARs over each other; the
 * order in which functions were plugged in settles that.
 */
static const struct host_bar *host_find_bar(const struct pci_host *host, bool is_io, uint64_t gpa,
					    uint64_t *ret_off)
{
	for (unsigned i = 0; i < host->bar_count; i++) {
		const struct host_bar *b = &host->bar[i];
		uint64_t off = gpa - b->f->bar_gpa[b->n];
		if ((b->f->bar_decodes >> b->n & 1) && b->f->bar[b->n].is_io == is_io &&
		    off < b->f->bar[b->n].size) {
			*ret_off = off;
			return b;
		}
	}
	return NULL;
}

/*
 * Accesses here are naturally aligned and no wider than 8 bytes, BARs at least 16 bytes and
 * aligned: none reaches past the end of its BAR.
 */
static uint64_t host_bar_read(struct pci_host *host, bool is_io, uint64_t gpa, unsigned size)
{
	uint64_t at, value = UINT64_MAX;
	const struct host_bar *b = host_find_bar(host, is_io, gpa, &at);
	if (b) {
		const struct pci_bar *bar = &b->f->bar[b->n];
		host_lock_func(host, b->f);
		bus_ops_read(bar->ops, bar->ctx, at, &value, size);
		host_unlock_func(host, b->f);
	}
	return value;
}

static void host_bar_write(struct pci_host *host, bool is_io, uint64_t gpa, unsigned size,
			   uint64_t value)
{
	uint64_t at;
	const struct host_bar *b = host_find_bar(host, is_io, gpa, &at);
	if (b) {
		const struct pci_bar *bar = &b->f->bar[b->n];
		host_lock_func(host, b->f);
		bus_ops_write(bar->ops, bar->ctx, at, &value, size);
		host_unlock_func(host, b->f);
	}
}

static uint64_t host_window_read(void *ctx, uint64_t off, unsigned size)
{
	struct pci_host *host = ctx;
	return host_bar_read(host, false, host->cfg.mmio_base + off, size);
}

static void host_window_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct pci_host *host = ctx;
	host_bar_write(host, false, host->cfg.mmio_base + off, size, value);
}

static uint64_t host_ports_read(void *ctx, uint64_t off, unsigned size)
{
	struct pci_host *host = ctx;
	return host_bar_read(host, true, host->cfg.io_base + off, size);
}

static void host_ports_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct pci_host *host = ctx;
	host_bar_write(host, true, host->cfg.io_base + off, size, value);
}

static const struct bus_ops host_address_bus_ops = {
	.sizes = BUS_SIZE_4 | BUS_BEYOND,
	.read = host_address_read,
	.write = host_address_write,
};
static const struct bus_ops host_data_bus_ops = {
	.sizes = BUS_SIZE_1 | BUS_SIZE_2 | BUS_SIZE_4,
	.read = host_data_read,
	.write = host_data_write,
};
static const struct bus_ops host_ecam_bus_ops = {
	.sizes = BUS_SIZE_1 | BUS_SIZE_2 | BUS_SIZE_4,
	.read = host_ecam_read,
	.write = host_ecam_write,
};
static const struct bus_ops host_window_bus_ops = {
	.sizes = BUS_SIZE_ANY,
	.read = host_window_read,
	.write = host_window_write,
};
static const struct bus_ops host_ports_bus_ops = {
	.sizes = BUS_SIZE_1 | BUS_SIZE_2 | BUS_SIZE_4,
	.read = host_ports_read,
	.write = host_ports_write,
};

static void host_reset(struct device *dev)
{
	struct pci_host *host = (struct pci_host *)dev;
	host->config_address = 0;
	pci_func_reset(&host->bridge);
}

static void host_state(struct device *dev, struct state *st)
{
	struct pci_host *host = (struct pci_host *)dev;
	uint32_t config_address = host->config_address;
	state_u32(st, "CONFIG_ADDRESS", &config_address);
	if (config_address & ~PCI_CONFIG_ADDRESS_WMASK)
		state_fail(st, "CONFIG_ADDRESS has reserved bits set");
	pci_func_state(&host->bridge, st);
	if (!state_error(st))
		host->config_address = config_address;
}

static void host_destroy(struct device *dev)
{
	free(dev);
}

static const struct device_ops host_ops = {
	.type = "pci-host",
	.version = 1,
	.reset = host_reset,
	.state = host_state,
	.destroy = host_destroy,
};

static int host_add_windows(struct pci_host *host, const struct pci_host_config *cfg,
			    struct bus *pio, struct bus *mmio, struct err *err)
{
	struct device *dev = &host->dev;
	/* One port wide, for the byte at 0xcf9 is another chip's. */
	int error = bus_add(pio, PCI_CONFIG_ADDRESS_PORT, PCI_CONFIG_ADDRESS_PORT,
			    &host_address_bus_ops, host, dev, err);
	if (!error)
		error = bus_add(pio, PCI_CONFIG_DATA_PORT, PCI_CONFIG_DATA_PORT + 3,
				&host_data_bus_ops, host, dev, err);
	if (!error && cfg->io_last)
		error = bus_add(pio, cfg->io_base, cfg->io_last, &host_ports_bus_ops, host, dev,
				err);
	if (!error && cfg->ecam_base)
		error = bus_add(mmio, cfg->ecam_base, cfg->ecam_base + PCI_ECAM_BUS_SIZE - 1,
				&host_ecam_bus_ops, host, dev, err);
	if (!error)
		error = bus_add(mmio, cfg->mmio_base, cfg->mmio_last, &host_window_bus_ops, host,
				dev, err);
	return error;
}

int pci_host_create(struct device **ret_dev, struct pci_host **ret_host,
		    const struct pci_host_config *cfg, struct bus *pio, struct bus *mmio,
		    struct err *err)
{
	static const struct pci_id generic = {
		.vendor =
			0x1b36, /* Red Hat's generic PCIe host bridge: Linux has no quirk for it */
		.device = 0x0008,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = PCI_CLASS_BRIDGE_HOST,
	};
	assert(cfg->mmio_base % 8 == 0); /* offsets in the window are aligned as addresses are */

	struct pci_host *host = calloc(1, sizeof(*host));
	if (!host)
		return err_set(err, -ENOMEM, "no memory for the PCI host bridge");
	device_init(&host->dev, &host_ops, "pci");
	host->cfg = *cfg;
	pci_func_init(&host->bridge, &host->dev, cfg->id ? cfg->id : &generic, NULL, NULL,
		      (struct irq_line){0});
	host->func[0] = &host->bridge;

	int error = host_add_windows(host, cfg, pio, mmio, err);
	if (error) {
		device_destroy(&host->dev);
		return error;
	}
	*ret_dev = &host->dev;
	*ret_host = host;
	return 0;
}

int pci_host_add_function(struct pci_host *host, struct pci_func *f, unsigned slot, unsigned number)
{
	assert(slot >= 1 && slot < SLOTS && number < FUNCS);
	unsigned devfn = slot << SLOT_SHIFT | number;
	struct pci_func *first = host->func[slot << SLOT_SHIFT];
	if (host->func[devfn])
		return -EEXIST;
	if (number && !first)
		return -ENOENT;
	device_lock(f->dev);
	pci_func_plug(f, devfn, &host->cfg);
	device_unlock(f->dev);
	if (number)
		first->config[PCI_HEADER_TYPE] |= PCI_HEADER_MULTI;
	host->func[devfn] = f;
	for (unsigned n = 0; n < PCI_BAR_MAX; n++)
		if (f->bar[n].size)
			host->bar[host->bar_count++] = (struct host_bar){f, n};
	return 0;
}

int pci_host_add(struct pci_host *host, struct pci_func *f, unsigned slot)
{
	return pci_host_add_function(host, f, slot, 0);
}

struct pci_func *pci_host_bridge(struct pci_host *host)
{
	return &host->bridge;
}

/**
 * struct host_space - where the next BAR of a kind may go
 */
struct host_space {
	uint64_t next, last;
};

/* Places BAR @n at the next multiple of its size, where there is room. */
static void host_place_bar(struct pci_func *f, unsigned n, struct host_space *space)
{
	uint64_t size = f->bar[n].size;
	uint64_t at = (space->next + size - 1) & ~(size - 1);
	if (at > UINT32_MAX || at + size - 1 > space->last) {
		log_warn("%s: no room left for PCI BAR %u of %#llx bytes", f->dev->id, n,
			 (unsigned long long)size);
		return;
	}
	pci_func_config_write(f, PCI_BASE_ADDRESS_0 + 4 * n, 4, (uint32_t)at);
	space->next = at + size;
}

void pci_host_assign(struct pci_host *host)
{
	struct host_space memory = {host->cfg.mmio_base, host->cfg.mmio_last};
	struct host_space ports = {host->cfg.io_base, host->cfg.io_last};

	device_lock(&host->dev);
	for (unsigned devfn = 0; devfn < SLOTS * FUNCS; devfn++) {
		struct pci_func *f = host->func[devfn];
		if (!f)
			continue;
		host_lock_func(host, f);
		/* Decoding comes last, so that the owner hears of the new places once. */
		pci_func_config_write(f, PCI_COMMAND, 2, 0);
		for (unsigned n = 0; n < PCI_BAR_MAX; n++)
			if (f->bar[n].size)
				host_place_bar(f, n, f->bar[n].is_io ? &ports : &memory);
		if (f->config[PCI_INTERRUPT_PIN])
			pci_func_config_write(f, PCI_INTERRUPT_LINE, 1, f->intx.n);
		pci_func_config_write(f, PCI_COMMAND, 2,
				      PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
		host_unlock_func(host, f);
	}
	device_unlock(&host->dev);
}
