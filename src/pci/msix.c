/*
 * MSI-X: capability, vector table and pending bits. PCI Local Bus Specification 3.0, section 6.8.2.
 *
 * Left out on purpose: a table or PBA in a BAR with other registers.
 */
#include "pci_func.h"

#include <assert.h>
#include <spec/pci_regs.h>
#include <string.h>
#include <tinyvm/state.h>

#define ENTRY_SIZE sizeof(struct pci_msix_entry)

static uint16_t msix_control(const struct pci_msix *m)
{
	return pci_get16(m->f, m->cap + PCI_MSIX_CONTROL);
}

bool pci_msix_is_enabled(const struct pci_msix *m)
{
	return msix_control(m) & PCI_MSIX_ENABLE;
}

static bool msix_is_deliverable(const struct pci_msix *m, unsigned v)
{
	uint16_t control = msix_control(m) & (PCI_MSIX_ENABLE | PCI_MSIX_FUNC_MASK);
	return control == PCI_MSIX_ENABLE && !(m->entry[v].control & PCI_MSIX_ENTRY_CONTROL_MASK);
}

/* Tell the sink about vector @v if it needs to know, then send what was waiting for that. */
static void msix_sync(struct pci_msix *m, unsigned v, bool is_changed)
{
	uint64_t bit = 1ULL << v;
	bool was_live = m->live & bit, is_live = msix_is_deliverable(m, v);

	m->live = is_live ? m->live | bit : m->live & ~bit;
	if ((was_live != is_live || (is_live && is_changed)) && m->sink.update)
		m->sink.update(m->sink.ctx, v, m->entry[v].addr, m->entry[v].data, !is_live);
	if (is_live && (m->pending & bit)) {
		m->pending &= ~bit;
		if (m->sink.raise)
			m->sink.raise(m->sink.ctx, v);
	}
}

void pci_msix_config_written(struct pci_msix *m)
{
	if (!pci_msix_is_enabled(m))
		m->pending =
			0; /* whoever enables it next must not get its predecessor's messages */
	for (unsigned v = 0; v < m->count; v++)
		msix_sync(m, v, false);
}

void pci_msix_raise(struct pci_msix *m, unsigned vector)
{
	if (vector >= m->count || !pci_msix_is_enabled(m))
		return;
	m->pending |= 1ULL << vector;
	msix_sync(m, vector, false);
}

static uint32_t *msix_entry_dword(struct pci_msix_entry *e, uint64_t off)
{
	switch (off % ENTRY_SIZE / 4) {
	case 0:
		return &e->addr_low;
	case 1:
		return &e->addr_high;
	case 2:
		return &e->data;
	default:
		return &e->control;
	}
}

static struct pci_msix_entry msix_entry_get(const struct pci_msix *m, unsigned v)
{
	return (struct pci_msix_entry){
		.addr_low = (uint32_t)m->entry[v].addr,
		.addr_high = (uint32_t)(m->entry[v].addr >> 32),
		.data = m->entry[v].data,
		.control = m->entry[v].control,
	};
}

/* Return: whether the message itself changed. */
static bool msix_entry_set(struct pci_msix *m, unsigned v, const struct pci_msix_entry *e)
{
	uint64_t addr = (uint64_t)e->addr_high << 32 | (e->addr_low & PCI_MSIX_ENTRY_ADDR_MASK);
	bool is_changed = addr != m->entry[v].addr || e->data != m->entry[v].data;

	m->entry[v].addr = addr;
	m->entry[v].data = e->data;
	m->entry[v].control = e->control & PCI_MSIX_ENTRY_CONTROL_MASK;
	return is_changed;
}

static uint32_t msix_read4(const struct pci_msix *m, uint64_t off)
{
	if (off < m->count * ENTRY_SIZE) {
		struct pci_msix_entry e = msix_entry_get(m, (unsigned)(off / ENTRY_SIZE));
		return *msix_entry_dword(&e, off);
	}
	if (off == PCI_MSIX_PBA)
		return (uint32_t)m->pending;
	if (off == PCI_MSIX_PBA + 4)
		return (uint32_t)(m->pending >> 32);
	return 0;
}

static uint64_t msix_read(void *ctx, uint64_t off, unsigned size)
{
	const struct pci_msix *m = ctx;
	uint64_t value = msix_read4(m, off);
	if (size == 8)
		value |= (uint64_t)msix_read4(m, off + 4) << 32;
	return value;
}

/* An aligned quadword never spans two entries, so that its halves take effect together. */
static void msix_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct pci_msix *m = ctx;
	if (off >= m->count * ENTRY_SIZE)
		return;
	unsigned v = (unsigned)(off / ENTRY_SIZE);
	struct pci_msix_entry e = msix_entry_get(m, v);
	*msix_entry_dword(&e, off) = (uint32_t)value;
	if (size == 8)
		*msix_entry_dword(&e, off + 4) = (uint32_t)(value >> 32);
	bool is_changed = msix_entry_set(m, v, &e);
	msix_sync(m, v, is_changed);
}

static const struct bus_ops msix_bus_ops = {
	.sizes = BUS_SIZE_4 | BUS_SIZE_8,
	.read = msix_read,
	.write = msix_write,
};

void pci_msix_init(struct pci_msix *m, struct pci_func *f, unsigned bar, unsigned count,
		   struct msi_sink sink)
{
	assert(count >= 1 && count <= PCI_MSIX_MAX);
	const struct pci_msix_cap cap = {
		.id = PCI_CAP_ID_MSIX,
		.control = (uint16_t)(count - 1),
		.table = bar,
		.pba = PCI_MSIX_PBA | bar,
	};
	*m = (struct pci_msix){.f = f, .sink = sink, .count = count};
	m->cap = pci_func_add_cap(f, &cap, sizeof(cap));
	f->wmask[m->cap + PCI_MSIX_CONTROL + 1] = (PCI_MSIX_ENABLE | PCI_MSIX_FUNC_MASK) >> 8;
	pci_func_set_bar(f, bar, PCI_MSIX_BAR_SIZE, &msix_bus_ops, m);
	for (unsigned v = 0; v < count; v++)
		m->entry[v].control = PCI_MSIX_ENTRY_CONTROL_MASK;
}

void pci_msix_reset(struct pci_msix *m)
{
	const struct pci_msix_entry fresh = {.control = PCI_MSIX_ENTRY_CONTROL_MASK};
	m->pending = 0;
	for (unsigned v = 0; v < m->count; v++) {
		msix_entry_set(m, v, &fresh);
		msix_sync(m, v, false);
	}
}

void pci_msix_state(struct pci_msix *m, struct state *st)
{
	struct pci_msix_entry table[PCI_MSIX_MAX];
	uint64_t pending = m->pending;

	for (unsigned v = 0; v < m->count; v++)
		table[v] = msix_entry_get(m, v);
	state_bytes(st, "MSI-X Table", table, m->count * ENTRY_SIZE);
	state_u64(st, "MSI-X PBA", &pending);
	if (!state_is_loading(st) || state_error(st))
		return;

	if (m->count < 64 && pending >> m->count) {
		state_fail(st, "an MSI-X vector is pending that does not exist");
		return;
	}
	m->pending = pci_msix_is_enabled(m) ? pending : 0;
	for (unsigned v = 0; v < m->count; v++) {
		bool is_changed = msix_entry_set(m, v, &table[v]);
		msix_sync(m, v, is_changed);
	}
}
