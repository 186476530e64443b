/*
 * INT 1Ah AH=B1h: the PCI BIOS (PCI BIOS Specification 2.1, PCI SIG, 1994), through configuration
 * mechanism 1. One bus.
 *
 * Left out: special cycles, interrupt routing, the protected-mode entry (BIOS32).
 */
#include "bios_device.h"

#define PCI_ADDRESS   0xcf8
#define PCI_DATA      0xcfc
#define PCI_ENABLE    0x80000000u
#define PCI_FUNCTIONS 256
#define PCI_SIGNATURE 0x20494350u /* "PCI " */
#define PCI_VERSION   0x0210
#define PCI_MECHANISM 0x01

#define REG_ID	    0x00
#define REG_CLASS   0x08
#define REG_HEADER  0x0c
#define HEADER_MANY 0x00800000u /* the device has more than one function */
#define ID_NONE	    0xffffu

enum pci_status {
	PCI_OK = 0x00,
	PCI_UNSUPPORTED = 0x81,
	PCI_BAD_VENDOR = 0x83,
	PCI_NOT_FOUND = 0x86,
	PCI_BAD_REGISTER = 0x87,
};

static uint32_t bios_pci_read(struct bios *b, unsigned devfn, unsigned reg)
{
	bios_out32(b, PCI_ADDRESS, PCI_ENABLE | devfn << 8 | reg);
	return bios_in32(b, PCI_DATA);
}

/* The @index-th function whose register @reg is @value where @mask is set. */
static unsigned bios_pci_find(struct bios *b, struct bios_frame *f, unsigned reg, uint32_t value,
			      uint32_t mask)
{
	unsigned index = bios_word(f->esi);
	for (unsigned devfn = 0; devfn < PCI_FUNCTIONS; devfn++) {
		bool is_there = (bios_pci_read(b, devfn, REG_ID) & 0xffff) != ID_NONE;
		if (is_there && (bios_pci_read(b, devfn, reg) & mask) == value && index-- == 0) {
			bios_set_word(&f->ebx, (uint16_t)devfn);
			return bios_return(f, PCI_OK);
		}
		/* A device of one function may show it eight times. */
		if (devfn % 8 == 0 &&
		    (!is_there || !(bios_pci_read(b, devfn, REG_HEADER) & HEADER_MANY)))
			devfn += 7;
	}
	return bios_return(f, PCI_NOT_FOUND);
}

/* AL=08h to 0Dh: read, write @size bytes of register DI of BH's function BL */
static unsigned bios_pci_access(struct bios *b, struct bios_frame *f, unsigned size, bool is_write)
{
	unsigned reg = bios_word(f->edi);
	uint8_t v[4];

	if (reg > 0xff || reg % size)
		return bios_return(f, PCI_BAD_REGISTER);
	bios_out32(b, PCI_ADDRESS, PCI_ENABLE | (uint32_t)bios_word(f->ebx) << 8 | (reg & ~3u));
	for (unsigned i = 0; i < 4; i++)
		v[i] = (uint8_t)(f->ecx >> 8 * i);
	if (is_write) {
		bus_write(b->cfg.pio, PCI_DATA + reg % 4, v, size);
		return bios_return(f, PCI_OK);
	}
	bus_read(b->cfg.pio, PCI_DATA + reg % 4, v, size);
	if (size == 1)
		bios_set_low(&f->ecx, v[0]);
	else if (size == 2)
		bios_set_word(&f->ecx, (uint16_t)(v[0] | v[1] << 8));
	else
		f->ecx = v[0] | (uint32_t)v[1] << 8 | (uint32_t)v[2] << 16 | (uint32_t)v[3] << 24;
	return bios_return(f, PCI_OK);
}

unsigned bios_pci(struct bios *b, struct bios_frame *f)
{
	uint8_t function = bios_low(f->eax);
	if (!b->cfg.is_pci)
		return bios_return(f, PCI_UNSUPPORTED);
	switch (function) {
	case 0x01:
		bios_set_low(&f->eax, PCI_MECHANISM);
		bios_set_word(&f->ebx, PCI_VERSION);
		bios_set_low(&f->ecx, 0); /* the last bus */
		f->edx = PCI_SIGNATURE;
		return bios_return(f, PCI_OK);
	case 0x02:
		if (bios_word(f->edx) == ID_NONE)
			return bios_return(f, PCI_BAD_VENDOR);
		return bios_pci_find(b, f, REG_ID, f->ecx << 16 | bios_word(f->edx), 0xffffffff);
	case 0x03:
		return bios_pci_find(b, f, REG_CLASS, f->ecx << 8, 0xffffff00);
	case 0x08:
	case 0x09:
	case 0x0a:
		return bios_pci_access(b, f, 1u << (function - 0x08), false);
	case 0x0b:
	case 0x0c:
	case 0x0d:
		return bios_pci_access(b, f, 1u << (function - 0x0b), true);
	default:
		return bios_return(f, PCI_UNSUPPORTED);
	}
}
