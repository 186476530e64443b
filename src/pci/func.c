/*
 * A type 0 PCI function: configuration space, I/O and 32-bit memory BARs, capabilities, INTx.
 * PCI Local Bus Specification 3.0, chapter 6.
 *
 * Left out on purpose: 64-bit BARs, expansion ROMs, error reporting (no error ever occurs
 * on this bus, so the status register's error bits stay clear), power management.
 */
#include "pci_func.h"

#include <assert.h>
#include <spec/pci_regs.h>
#include <string.h>
#include <tinyvm/state.h>

void pci_func_init(struct pci_func *f, struct device *dev, const struct pci_id *id,
		   const struct pci_func_ops *ops, void *ctx, struct irq_line intx)
{
	*f = (struct pci_func){
		.dev = dev,
		.ops = ops,
		.ctx = ctx,
		.intx = intx,
		.hook_first = PCI_CONFIG_SIZE, /* none */
		.cap_end = PCI_HEADER_END,
		.window_base = 1, /* after window_last: no BAR decodes yet */
		.io_base = 1,
	};
	pci_put16(f, PCI_VENDOR_ID, id->vendor);
	pci_put16(f, PCI_DEVICE_ID, id->device);
	pci_put32(f, PCI_REVISION_ID, id->class_code << 8 | id->revision);
	pci_put16(f, PCI_SUBSYSTEM_VENDOR_ID, id->subsystem_vendor);
	pci_put16(f, PCI_SUBSYSTEM_ID, id->subsystem);
	f->config[PCI_INTERRUPT_PIN] = intx.set != NULL;

	f->wmask[PCI_COMMAND] = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	f->wmask[PCI_COMMAND + 1] = PCI_COMMAND_INTX_DISABLE >> 8;
	f->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
	f->wmask[PCI_LATENCY_TIMER] = 0xff;
	f->wmask[PCI_INTERRUPT_LINE] = 0xff;
}

void pci_func_set_bar(struct pci_func *f, unsigned n, uint32_t size, const struct bus_ops *ops,
		      void *ctx)
{
	assert(n < PCI_BAR_MAX && size >= 16 && (size & (size - 1)) == 0);
	f->bar[n] = (struct pci_bar){.size = size, .ops = ops, .ctx = ctx};
	uint32_t mask = ~(size - 1);
	memcpy(&f->wmask[PCI_BASE_ADDRESS_0 + 4 * n], &mask, 4);
}

void pci_func_set_io_bar(struct pci_func *f, unsigned n, uint32_t size, const struct bus_ops *ops,
			 void *ctx)
{
	assert(size <= 256);
	pci_func_set_bar(f, n, size, ops, ctx);
	f->bar[n].is_io = true;
	f->config[PCI_BASE_ADDRESS_0 + 4 * n] = PCI_BASE_ADDRESS_IO;
	f->wmask[PCI_COMMAND] |= PCI_COMMAND_IO;
}

unsigned pci_func_add_cap(struct pci_func *f, const void *cap, unsigned len)
{
	unsigned at = f->cap_end;
	assert(len >= 2 && at + len <= PCI_CONFIG_SIZE);
	unsigned link = PCI_CAPABILITY_LIST;
	while (f->config[link])
		link = f->config[link] + PCI_CAP_NEXT;

	memcpy(&f->config[at], cap, len);
	f->config[at + PCI_CAP_NEXT] = 0;
	f->config[link] = (uint8_t)at;
	f->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	f->cap_end = (at + len + 3) & ~3u;
	return at;
}

static bool func_is_intx_driven(const struct pci_func *f)
{
	return f->is_intx_high && !(pci_get16(f, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE);
}

/* Bring the interrupt status bit and the wire in line with is_intx_high and the command register.
 */
static void func_drive_intx(struct pci_func *f)
{
	f->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
	if (f->is_intx_high)
		f->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	irq_line_set(&f->intx, func_is_intx_driven(f));
}

void pci_func_set_intx(struct pci_func *f, bool is_high)
{
	if (f->is_intx_high == is_high)
		return;
	f->is_intx_high = is_high;
	func_drive_intx(f);
}

/* Is BAR @n switched on, at a place that its window has? */
static bool func_is_placed(const struct pci_func *f, unsigned n, uint64_t *ret_base)
{
	const struct pci_bar *bar = &f->bar[n];
	uint64_t base = pci_get32(f, PCI_BASE_ADDRESS_0 + 4 * n);
	uint64_t first = f->window_base, last = f->window_last;
	uint16_t enable = PCI_COMMAND_MEMORY;
	if (bar->is_io) {
		base &= ~(uint64_t)PCI_BASE_ADDRESS_IO;
		first = f->io_base;
		last = f->io_last;
		enable = PCI_COMMAND_IO;
	}
	*ret_base = base;
	return bar->size && (pci_get16(f, PCI_COMMAND) & enable) && base >= first &&
	       base + bar->size - 1 <= last;
}

/* Recompute which BARs decode where, and tell the owner when that is not as before. */
static void func_decode_bars(struct pci_func *f)
{
	uint8_t decodes = 0;
	uint32_t gpa[PCI_BAR_MAX] = {0};

	for (unsigned n = 0; n < PCI_BAR_MAX; n++) {
		uint64_t base;
		if (!func_is_placed(f, n, &base))
			continue;
		decodes |= (uint8_t)(1u << n);
		gpa[n] = (uint32_t)base;
	}
	if (decodes == f->bar_decodes && memcmp(gpa, f->bar_gpa, sizeof(gpa)) == 0)
		return;
	f->bar_decodes = decodes;
	memcpy(f->bar_gpa, gpa, sizeof(gpa));
	if (f->ops && f->ops->bars_moved)
		f->ops->bars_moved(f->ctx);
}

bool pci_func_bar_gpa(const struct pci_func *f, unsigned n, uint64_t *ret_gpa)
{
	if (n >= PCI_BAR_MAX || !(f->bar_decodes >> n & 1))
		return false;
	*ret_gpa = f->bar_gpa[n];
	return true;
}

void pci_func_plug(struct pci_func *f, unsigned devfn, const struct pci_host_config *cfg)
{
	f->devfn = (uint8_t)devfn;
	f->window_base = cfg->mmio_base;
	f->window_last = cfg->mmio_last;
	f->io_base = cfg->io_last ? cfg->io_base : 1;
	f->io_last = cfg->io_last;
	func_decode_bars(f);
}

/* Bits of a byte that the guest can change: by writing them, or, in the status register, by
 * clearing. */
static uint8_t func_mutable(const struct pci_func *f, unsigned off)
{
	return f->wmask[off] | (off == PCI_STATUS + 1 ? PCI_STATUS_RW1C >> 8 : 0);
}

void pci_func_reset(struct pci_func *f)
{
	for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++)
		f->config[i] &= (uint8_t)~func_mutable(f, i);
	f->is_intx_high = false;
	func_drive_intx(f);
	func_decode_bars(f);
}

void pci_func_state(struct pci_func *f, struct state *st)
{
	uint8_t image[PCI_CONFIG_SIZE];
	bool is_intx_high = f->is_intx_high;

	for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++)
		image[i] = f->config[i] & func_mutable(f, i);
	state_bytes(st, "config", image, sizeof(image));
	state_bool(st, "INTA#", &is_intx_high);
	if (!state_is_loading(st) || state_error(st))
		return;

	for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++) {
		uint8_t mask = func_mutable(f, i);
		f->config[i] = (uint8_t)((f->config[i] & ~mask) | (image[i] & mask));
	}
	f->is_intx_high = is_intx_high;
	func_drive_intx(f);
	func_decode_bars(f);
}

static bool func_is_hooked(const struct pci_func *f, unsigned off, unsigned size)
{
	return f->ops && off <= f->hook_last && off + size > f->hook_first;
}

uint32_t pci_func_config_read(struct pci_func *f, unsigned off, unsigned size)
{
	uint32_t value = UINT32_MAX;
	if (off >= PCI_CONFIG_SIZE)
		return value; /* no extended configuration space */
	if (size > PCI_CONFIG_SIZE - off)
		size = PCI_CONFIG_SIZE - off;
	if (func_is_hooked(f, off, size) && f->ops->config_read)
		f->ops->config_read(f->ctx, off, size);
	memcpy(&value, &f->config[off], size); /* the host is little-endian: x86-64 */
	return value;
}

void pci_func_config_write(struct pci_func *f, unsigned off, unsigned size, uint32_t value)
{
	if (off >= PCI_CONFIG_SIZE)
		return;
	if (size > PCI_CONFIG_SIZE - off)
		size = PCI_CONFIG_SIZE - off;

	bool was_driven = func_is_intx_driven(f);
	for (unsigned i = off; i < off + size; i++, value >>= 8) {
		uint8_t mask = f->wmask[i];
		f->config[i] = (uint8_t)((f->config[i] & ~mask) | (value & mask));
		if (i == PCI_STATUS + 1)
			f->config[i] &= (uint8_t) ~(value & PCI_STATUS_RW1C >> 8);
	}
	if (off < PCI_BASE_ADDRESSES_END) {
		if (func_is_intx_driven(f) != was_driven)
			func_drive_intx(f);
		func_decode_bars(f);
	}
	if (func_is_hooked(f, off, size) && f->ops->config_write)
		f->ops->config_write(f->ctx, off, size);
}
