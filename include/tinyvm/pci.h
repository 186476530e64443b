/*
 * PCI: what a function model sees of its bus. PCI Local Bus Specification 3.0, PCIe Base 4.0
 * (ECAM).
 *
 * Locking: the host bridge's lock is held around every configuration and BAR access, then the
 * function's own device lock; so config space, BAR decoding and MSI-X state need no lock of theirs.
 */
#ifndef TINYVM_PCI_H
#define TINYVM_PCI_H

#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/bus.h>
#include <tinyvm/device.h>

struct pci_host;
struct pci_func;
struct err;

#define PCI_CONFIG_SIZE 256
#define PCI_BAR_MAX	6

/**
 * struct pci_id - the identity registers of a function
 * @class_code: 24 bits: class, subclass, interface
 */
struct pci_id {
	uint16_t vendor;
	uint16_t device;
	uint16_t subsystem_vendor;
	uint16_t subsystem;
	uint32_t class_code;
	uint8_t revision;
};

/**
 * struct pci_bar - a base address register
 * @size: bytes, a power of two, 16 up; 0: no BAR
 * @is_io: ports, up to 256 of them; else memory, 32 bit, not prefetchable
 */
struct pci_bar {
	uint32_t size;
	bool is_io;
	const struct bus_ops *ops;
	void *ctx;
};

/**
 * struct pci_func_ops - what a function model may want to know
 * @bars_moved: BAR addresses or the memory enable bit changed (pci_func_bar_gpa())
 * @config_read, @config_write: called for accesses to bytes from @hook_first to @hook_last before
 *   the read takes its value from config[], after the write has been stored there; NULL for none
 */
struct pci_func_ops {
	void (*bars_moved)(void *ctx);
	void (*config_read)(void *ctx, unsigned off, unsigned size);
	void (*config_write)(void *ctx, unsigned off, unsigned size);
};

/**
 * struct pci_func - one PCI function; embedded in the function model
 * @dev:    whose lock guards it
 * @config: configuration space as read by the guest
 * @wmask:  which bits the guest may write
 * @hook_first, @hook_last: the bytes that config_read and config_write want to know of; the owner
 *          sets them after pci_func_init(), which leaves them empty
 * @window_base, @window_last: where memory BARs can decode; the host bridge's
 * @io_base, @io_last: where I/O BARs can
 * @bar_gpa, @bar_decodes: where BARs do decode, one bit each; kept by src/pci/func.c
 */
struct pci_func {
	struct device *dev;
	const struct pci_func_ops *ops;
	void *ctx;
	struct irq_line intx;
	struct pci_bar bar[PCI_BAR_MAX];
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t wmask[PCI_CONFIG_SIZE];
	unsigned hook_first, hook_last;
	unsigned cap_end;
	uint8_t devfn;
	bool is_intx_high;
	uint8_t bar_decodes;
	uint32_t bar_gpa[PCI_BAR_MAX];
	uint64_t window_base, window_last;
	uint64_t io_base, io_last;
};

/**
 * pci_func_init() - a type 0 function without BARs and capabilities
 * @intx: pin INTA#'s wire; a zeroed one means no pin
 *
 * INTx is level: pci_func_set_intx() keeps the status bit and obeys the command register's disable
 * bit.
 */
void pci_func_init(struct pci_func *f, struct device *dev, const struct pci_id *id,
		   const struct pci_func_ops *ops, void *ctx, struct irq_line intx);
void pci_func_set_bar(struct pci_func *f, unsigned n, uint32_t size, const struct bus_ops *ops,
		      void *ctx);
void pci_func_set_io_bar(struct pci_func *f, unsigned n, uint32_t size, const struct bus_ops *ops,
			 void *ctx);

/* Appends a capability of @len bytes (header included: cap[0] is the ID). Return: its offset. */
unsigned pci_func_add_cap(struct pci_func *f, const void *cap, unsigned len);

/* Back to power-on values: command 0, BARs 0; wiring, identity and capabilities stay. */
void pci_func_reset(struct pci_func *f);

/*
 * Saves or loads the guest-writable registers and INTx, inside the owner's section. A load calls
 * bars_moved when the decode changed, before the owner has loaded what comes after.
 */
void pci_func_state(struct pci_func *f, struct state *st);

/* Where BAR @n decodes now; false when it does not (memory enable off, or not placed in the
 * window). */
bool pci_func_bar_gpa(const struct pci_func *f, unsigned n, uint64_t *ret_gpa);
void pci_func_set_intx(struct pci_func *f, bool is_high);

/*
 * MSI-X (PCI 3.0, section 6.8.2): table at 0 and PBA at PCI_MSIX_PBA of one BAR.
 *
 * The sink's update() is called exactly when a vector becomes deliverable (MSI-X enabled, neither
 * the function nor the vector masked), when the address or data of a deliverable one changes, and
 * with is_masked when one ceases to be deliverable. A vector starts out not deliverable. Messages
 * do not depend on the command register's bus master bit, as the devices' DMA does not.
 */
#define PCI_MSIX_MAX	  64
#define PCI_MSIX_BAR_SIZE 4096
#define PCI_MSIX_PBA	  2048

/**
 * struct pci_msix - one function's vectors; embedded in the function model
 * @cap:     offset of the capability
 * @pending: one bit a vector
 * @live:    the vectors that are deliverable as far as the sink was told
 */
struct pci_msix {
	struct pci_func *f;
	struct msi_sink sink;
	unsigned count;
	unsigned cap;
	struct {
		uint64_t addr;
		uint32_t data;
		uint32_t control; /* bit 0: masked */
	} entry[PCI_MSIX_MAX];
	uint64_t pending;
	uint64_t live;
};

/* Adds the capability and occupies BAR @bar. @count: 1 to PCI_MSIX_MAX vectors. */
void pci_msix_init(struct pci_msix *m, struct pci_func *f, unsigned bar, unsigned count,
		   struct msi_sink sink);

/* Context (both): after the function's own pci_func_reset() or pci_func_state(). */
void pci_msix_reset(struct pci_msix *m);
void pci_msix_state(struct pci_msix *m, struct state *st);
bool pci_msix_is_enabled(const struct pci_msix *m);

/* Message @vector: sent, or pending while masked. Out of range or MSI-X disabled: ignored. */
void pci_msix_raise(struct pci_msix *m, unsigned vector);

/* The owner calls this from its config_write hook or always: the capability's control word changed.
 */
void pci_msix_config_written(struct pci_msix *m);

/**
 * struct pci_host_config - the bridge's place on the board
 * @mmio_base, @mmio_last: the window in which BARs decode
 * @io_base, @io_last: the window of ports, 0 for none
 * @ecam_base: 1 MiB: bus 0 only; 0 for none
 * @id: the bridge's own, NULL for 1b36:0008; it is 00:00.0, class 060000, without BARs or
 *      capabilities
 */
struct pci_host_config {
	uint64_t mmio_base, mmio_last;
	uint64_t io_base, io_last;
	uint64_t ecam_base;
	const struct pci_id *id;
};

/**
 * pci_host_create() - bus 0: CF8/CFC, ECAM and the BAR window, put on the two buses
 *
 * BARs left at 0 by firmware are assigned by pci_host_assign(), so that a kernel that trusts
 * firmware (pci=... none needed) finds them placed.
 * Return: 0, -ENOMEM, or bus_add()'s error.
 */
int pci_host_create(struct device **ret_dev, struct pci_host **ret_host,
		    const struct pci_host_config *cfg, struct bus *pio, struct bus *mmio,
		    struct err *err) __attribute__((warn_unused_result));

/* Plugs @f in at device @slot (1 to 31), function 0. -EEXIST when taken. */
int pci_host_add(struct pci_host *host, struct pci_func *f, unsigned slot)
	__attribute__((warn_unused_result));

/*
 * The same for function @number (0 to 7) of a device with several: function 0 comes first.
 * Return: 0, -EEXIST when taken, -ENOENT without a function 0.
 */
int pci_host_add_function(struct pci_host *host, struct pci_func *f, unsigned slot, unsigned number)
	__attribute__((warn_unused_result));

/* The bridge's own function, for registers that a chip set has there. Context: its lock. */
struct pci_func *pci_host_bridge(struct pci_host *host);

/*
 * What firmware does at boot and after every reset: places every BAR, sets the interrupt line, and
 * enables decoding and bus mastering. A BAR that the window has no room for stays at 0.
 * Context: the machine is stopped; no device lock held.
 */
void pci_host_assign(struct pci_host *host);

#endif
