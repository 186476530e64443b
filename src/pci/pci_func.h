/* What the host bridge knows of a function beyond its model (private to src/pci). */
#ifndef PCI_FUNC_H
#define PCI_FUNC_H

#include <tinyvm/pci.h>

static inline uint16_t pci_get16(const struct pci_func *f, unsigned off)
{
	return (uint16_t)(f->config[off] | f->config[off + 1] << 8);
}

static inline void pci_put16(struct pci_func *f, unsigned off, uint16_t value)
{
	f->config[off] = (uint8_t)value;
	f->config[off + 1] = (uint8_t)(value >> 8);
}

static inline uint32_t pci_get32(const struct pci_func *f, unsigned off)
{
	return pci_get16(f, off) | (uint32_t)pci_get16(f, off + 2) << 16;
}

static inline void pci_put32(struct pci_func *f, unsigned off, uint32_t value)
{
	pci_put16(f, off, (uint16_t)value);
	pci_put16(f, off + 2, (uint16_t)(value >> 16));
}

/*
 * A guest's access to @size (1, 2, 4) bytes of the 4096 at @off; what lies past configuration space
 * reads as ones. Context: the function's device lock held.
 */
uint32_t pci_func_config_read(struct pci_func *f, unsigned off, unsigned size);
void pci_func_config_write(struct pci_func *f, unsigned off, unsigned size, uint32_t value);

/* It is @devfn now, and its BARs decode when they lie in @cfg's windows. Context: likewise. */
void pci_func_plug(struct pci_func *f, unsigned devfn, const struct pci_host_config *cfg);

#endif
