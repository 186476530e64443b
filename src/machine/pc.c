/*
 * The board: which chip sits at which port, address and interrupt. Everything is wired here and
 * nowhere else.
 */
#include "now.h"
#include "pc_parts.h"
#include "profile.h"

#include "vhost.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <tinyvm/block.h>
#include <tinyvm/bus.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/fs.h>
#include <tinyvm/gmem.h>
#include <tinyvm/kvm.h>
#include <tinyvm/log.h>
#include <tinyvm/net.h>
#include <tinyvm/pci.h>
#include <tinyvm/virtio.h>

static int pc_entropy(void *ctx, void *buf, size_t len)
{
	uint8_t *p = buf;
	(void)ctx;
	while (len) {
		ssize_t n = getrandom(p, len, 0);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

struct irq_line pc_gsi(const struct pc *pc, unsigned gsi)
{
	if (!pc->vm)
		return (struct irq_line){.n = gsi};
	return (struct irq_line){.set = kvm_vm_set_irq, .ctx = pc->vm, .n = gsi};
}

void pc_own(struct pc *pc, struct device *dev)
{
	pc->device[pc->device_count++] = dev;
}

int pc_add_ports(struct pc *pc, struct device *dev, uint16_t port, unsigned count,
		 const struct bus_ops *ops, struct err *err)
{
	return bus_add(pc->pio, port, port + count - 1u, ops, dev, dev, err);
}

int pc_no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "not enough host memory for the devices");
}

static int pc_add_serial(struct pc *pc, struct err *err)
{
	struct chardev *console = pc->cfg->console != CONSOLE_VIRTIO ? pc->backends->console : NULL;
	struct device *dev;
	if (serial_create(&dev, "com1", pc_gsi(pc, BOARD_COM1_GSI), console) != 0)
		return pc_no_memory(err);
	pc_own(pc, dev);
	pc->acpi.serial[0].port = BOARD_COM1_PORT;
	pc->acpi.serial[0].gsi = BOARD_COM1_GSI;
	pc->acpi.serial_count = 1;
	return pc_add_ports(pc, dev, BOARD_COM1_PORT, SERIAL_PORTS, &serial_bus_ops, err);
}

static int pc_add_cmos(struct pc *pc, struct clock clock, struct err *err)
{
	uint64_t size = gmem_size(pc->gm);
	uint64_t low = gmem_region(pc->gm, 0)->size;
	struct cmos_config cfg = {
		.clock = clock,
		.ram_below_4g = low,
		.ram_above_4g = size - low,
	};
	struct device *dev;
	if (pc->cfg->is_pc)
		pc_legacy_cmos(pc, &cfg);
	if (cmos_create(&dev, &cfg) != 0)
		return pc_no_memory(err);
	pc_own(pc, dev);
	if (pc->cfg->is_pc)
		evloop_timer_bind(pc->legacy.rtc_timer, cmos_expired, dev, dev);
	pc->acpi.cmos_base = BOARD_CMOS_PORT;
	return pc_add_ports(pc, dev, BOARD_CMOS_PORT, CMOS_PORTS, &cmos_bus_ops, err);
}

static int pc_add_i8042(struct pc *pc, struct clock clock, struct err *err)
{
	struct i8042_config cfg = {.power = pc->events.power};
	struct device *dev;
	if (pc->cfg->is_pc)
		pc_legacy_i8042(pc, clock, &cfg);
	if (i8042_create(&dev, &cfg) != 0)
		return pc_no_memory(err);
	pc_own(pc, dev);
	if (pc->cfg->is_pc) {
		pc->legacy.i8042 = dev;
		evloop_timer_bind(pc->legacy.keyboard_timer, i8042_expired, dev, dev);
	}
	int error = pc_add_ports(pc, dev, BOARD_I8042_DATA_PORT, 1, &i8042_data_bus_ops, err);
	if (!error)
		error = pc_add_ports(pc, dev, BOARD_I8042_COMMAND_PORT, 1, &i8042_command_bus_ops,
				     err);
	return error;
}

static int pc_add_pm(struct pc *pc, struct clock clock, struct err *err)
{
	struct device *dev;
	if (pm_create(&dev, pc_gsi(pc, BOARD_SCI_GSI), clock, pc->events.power) != 0)
		return pc_no_memory(err);
	pc_own(pc, dev);
	pc->pm = dev;
	pc->acpi.pm_base = BOARD_PM_PORT;
	pc->acpi.sci_gsi = BOARD_SCI_GSI;
	pc->acpi.reset_port = PM_RESET_PORT;
	pc->acpi.reset_value = PM_RESET_VALUE;
	int error = pc_add_ports(pc, dev, BOARD_PM_PORT, PM_PORTS, &pm_bus_ops, err);
	if (!error)
		error = pc_add_ports(pc, dev, PM_RESET_PORT, 1, &pm_reset_bus_ops, err);
	return error;
}

static int pc_add_pvpanic(struct pc *pc, struct err *err)
{
	struct device *dev;
	if (pvpanic_create(&dev, pc->events.power) != 0)
		return pc_no_memory(err);
	pc_own(pc, dev);
	pc->acpi.pvpanic_port = BOARD_PVPANIC_PORT;
	return pc_add_ports(pc, dev, BOARD_PVPANIC_PORT, PVPANIC_PORTS, &pvpanic_bus_ops, err);
}

static int pc_add_pci_host(struct pc *pc, struct err *err)
{
	struct pci_host_config cfg = {
		.mmio_base = BOARD_PCI_MMIO_BASE,
		.mmio_last = BOARD_PCI_MMIO_LAST,
		.ecam_base = BOARD_ECAM_BASE,
	};
	struct device *dev;
	if (pc->cfg->is_pc)
		pc_legacy_pci(&cfg);
	int error = pci_host_create(&dev, &pc->pci, &cfg, pc->pio, pc->mmio, err);
	if (error)
		return error;
	pc_own(pc, dev);
	pc->acpi.ecam_base = BOARD_ECAM_BASE;
	pc->acpi.pci_mmio_base = BOARD_PCI_MMIO_BASE;
	pc->acpi.pci_mmio_last = BOARD_PCI_MMIO_LAST;
	for (unsigned i = 0; i < BOARD_PCI_INTX_COUNT; i++)
		pc->acpi.pci_intx_gsi[i] = (uint8_t)(BOARD_PCI_INTX_GSI + i);
	return 0;
}

/* The slot after the bridge's, and after the chip set's of a PC. */
static int pc_attach_pci(struct pc *pc, struct pc_virtio *v, unsigned n, struct kick_sink kick,
			 struct err *err)
{
	struct msi_sink sink = {0};
	if (pc->vm) {
		if (kvm_msi_create(&v->msi, pc->vm, PCI_MSIX_MAX) != 0)
			return pc_no_memory(err);
		sink = (struct msi_sink){
			.update = kvm_msi_update, .raise = kvm_msi_raise, .ctx = v->msi};
	}

	unsigned slot = n + 1 + (pc->cfg->is_pc ? BOARD_PIIX_SLOT : 0);
	unsigned gsi = BOARD_PCI_INTX_GSI + slot % BOARD_PCI_INTX_COUNT;
	struct pci_func *func;
	if (virtio_pci_attach(v->vd, &func, wired_or_line(&pc->irqs, gsi, n), sink, kick) != 0)
		return pc_no_memory(err);
	int error = pci_host_add(pc->pci, func, slot);
	return error ? err_set(err, error, "PCI slot %u cannot be used", slot) : 0;
}

static int pc_attach_mmio(struct pc *pc, struct pc_virtio *v, unsigned n, struct kick_sink kick,
			  struct err *err)
{
	uint64_t gpa = BOARD_VIRTIO_MMIO_BASE + (uint64_t)n * BOARD_VIRTIO_MMIO_STRIDE;
	unsigned gsi = BOARD_VIRTIO_MMIO_GSI + n % BOARD_VIRTIO_MMIO_GSIS;
	void *ctx;
	if (virtio_mmio_attach(v->vd, &ctx, gpa, wired_or_line(&pc->irqs, gsi, n), kick) != 0)
		return pc_no_memory(err);
	pc->acpi.virtio_mmio[n].gpa = gpa;
	pc->acpi.virtio_mmio[n].size = VIRTIO_MMIO_SIZE;
	pc->acpi.virtio_mmio[n].gsi = (uint8_t)gsi;
	pc->acpi.virtio_mmio_count = n + 1;
	return bus_add(pc->mmio, gpa, gpa + VIRTIO_MMIO_SIZE - 1, &virtio_mmio_bus_ops, ctx,
		       virtio_to_device(v->vd), err);
}

/* Takes @vd over, whatever comes of it. Its doorbells ring on @loop. */
static int pc_add_virtio_on(struct pc *pc, struct virtio_device *vd, struct evloop *loop,
			    struct err *err)
{
	if (pc->virtio_count == BOARD_VIRTIO_MAX) {
		device_destroy(virtio_to_device(vd));
		return err_set(err, -ENOSPC, "the board has no room for more than %d devices",
			       BOARD_VIRTIO_MAX);
	}
	unsigned n = pc->virtio_count++;
	struct pc_virtio *v = &pc->virtio[n];
	struct kick_sink kick = {0};

	pc_own(pc, virtio_to_device(vd));
	v->vd = vd;
	if (pc->vm) {
		if (doorbells_create(&v->doorbells, pc->vm, loop) != 0)
			return pc_no_memory(err);
		doorbells_bind(v->doorbells, vd);
		kick = doorbells_sink(v->doorbells);
	}
	return pc->cfg->transport == TRANSPORT_PCI ? pc_attach_pci(pc, v, n, kick, err)
						   : pc_attach_mmio(pc, v, n, kick, err);
}

static int pc_add_virtio(struct pc *pc, struct virtio_device *vd, struct err *err)
{
	return pc_add_virtio_on(pc, vd, pc->backends->loop, err);
}

static const char *const disk_id[CONFIG_DISK_MAX] = {
	"disk0", "disk1", "disk2",  "disk3",  "disk4",	"disk5",  "disk6",  "disk7",
	"disk8", "disk9", "disk10", "disk11", "disk12", "disk13", "disk14", "disk15"};

#define DISK_QUEUES_MAX 4

static int pc_add_disk(struct pc *pc, unsigned n, struct err *err)
{
	const struct config_disk *disk = &pc->cfg->disk[n];
	struct block *blk = pc->backends->disk[n];
	const char *serial = disk->id[0] ? disk->id : disk_id[n];
	unsigned queues = pc->cfg->cpus < DISK_QUEUES_MAX ? pc->cfg->cpus : DISK_QUEUES_MAX;
	struct virtio_device *vd;

	if (virtio_blk_create(&vd, disk_id[n], pc->gm, blk, serial, queues) != 0)
		return pc_no_memory(err);
	int error = pc_add_virtio(pc, vd, err);
	if (error)
		return error;
	error = blk->ops->attach(blk, pc->backends->loop, virtio_to_device(vd));
	return error ? err_set(err, error, "%s: %s", disk->path, strerror(-error)) : 0;
}

/* NULL for a card whose frames go through the device: not every backend and host can do without. */
static struct vhost_card *pc_create_vhost(struct pc *pc, unsigned n, unsigned pairs)
{
	const struct config_net *net = &pc->cfg->net[n];
	const struct netcard *card = &pc->backends->net[n];
	struct vhost_card *vhost = NULL;
	struct err err;

	if (!pc->vm || net->kind != CONFIG_NET_TAP || !net->is_vhost_wanted)
		return NULL;
	if (vhost_card_create(&vhost, card->id, pc->gm, card->nif, pairs, &err) != 0)
		log_info("%s: without vhost-net: %s", card->id, err.msg);
	else
		log_info("%s: served by vhost-net", card->id);
	return vhost;
}

static int pc_add_net(struct pc *pc, unsigned n, struct err *err)
{
	const struct config_net *net = &pc->cfg->net[n];
	const struct netcard *card = &pc->backends->net[n];
	struct virtio_net_options opt = {
		.mtu = net->mtu,
		.queue_pairs = net->queues < card->nif->queues ? net->queues : card->nif->queues,
	};
	struct pc_virtio *v = &pc->virtio[pc->virtio_count];
	struct virtio_device *vd;

	memcpy(opt.mac, card->mac, sizeof(opt.mac));
	v->vhost = pc_create_vhost(pc, n, opt.queue_pairs);
	if (v->vhost) {
		opt.server = vhost_card_server(v->vhost);
		opt.server_features = vhost_card_features(v->vhost);
	}
	int error = virtio_net_create(&vd, card->id, pc->gm, card->nif, &opt);
	if (error) {
		vhost_card_destroy(v->vhost);
		v->vhost = NULL;
		return pc_no_memory(err);
	}
	error = pc_add_virtio(pc, vd, err);
	if (error)
		return error;
	if (v->vhost)
		vhost_card_bind(v->vhost, pc->backends->loop, vd, v->doorbells, v->msi);
	error = virtio_net_attach(vd, pc->backends->loop);
	return error ? err_set(err, error, "--net: %s: %s", card->id, strerror(-error)) : 0;
}

static const char *const share_id[CONFIG_SHARE_MAX] = {
	"share0", "share1", "share2",  "share3",  "share4",  "share5",	"share6",  "share7",
	"share8", "share9", "share10", "share11", "share12", "share13", "share14", "share15"};

#define SHARE_QUEUES_MAX 4

static int pc_add_share(struct pc *pc, unsigned n, struct err *err)
{
	const struct config_share *share = &pc->cfg->share[n];
	struct fs *fs = pc->backends->share[n];
	unsigned queues = pc->cfg->cpus < SHARE_QUEUES_MAX ? pc->cfg->cpus : SHARE_QUEUES_MAX;
	struct virtio_device *vd;

	if (virtio_fs_create(&vd, share_id[n], pc->gm, fs, share->tag, queues) != 0)
		return pc_no_memory(err);
	int error = pc_add_virtio_on(pc, vd, pc->backends->share_loop, err);
	if (error)
		return error;
	error = fs->ops->attach(fs, pc->backends->share_loop, virtio_to_device(vd));
	return error ? err_set(err, error, "%s: %s", share->path, strerror(-error)) : 0;
}

static int pc_add_port(struct pc *pc, struct err *err)
{
	struct virtio_device *vd;
	if (virtio_port_create(&vd, "port0", pc->gm, pc->backends->port, pc->cfg->port) != 0)
		return pc_no_memory(err);
	return pc_add_virtio(pc, vd, err);
}

/* Disks first, so that the first --disk is the first function and /dev/vda; then network cards. */
static int pc_add_virtio_devices(struct pc *pc, struct err *err)
{
	const struct entropy entropy = {.fill = pc_entropy};
	struct virtio_device *vd;
	int error = 0;

	for (unsigned i = 0; i < pc->cfg->disk_count && !error && !pc->cfg->is_pc; i++)
		error = pc_add_disk(pc, i, err);
	for (unsigned i = 0; i < pc->cfg->net_count && !error; i++)
		error = pc_add_net(pc, i, err);
	for (unsigned i = 0; i < pc->cfg->share_count && !error; i++)
		error = pc_add_share(pc, i, err);
	if (!error && pc->cfg->port)
		error = pc_add_port(pc, err);
	if (error)
		return error;

	if (pc->cfg->console == CONSOLE_VIRTIO) {
		if (virtio_console_create(&vd, "console0", pc->gm, pc->backends->console) != 0)
			return pc_no_memory(err);
		error = pc_add_virtio(pc, vd, err);
		if (error)
			return error;
	}
	if (virtio_rng_create(&vd, "rng0", pc->gm, entropy) != 0)
		return pc_no_memory(err);
	return pc_add_virtio(pc, vd, err);
}

static int pc_add_devices(struct pc *pc, struct err *err)
{
	const struct clock clock = now_clock();
	int error = pc->cfg->is_pc ? pc_add_legacy(pc, clock, err) : 0;
	if (!error)
		error = pc_add_serial(pc, err);
	if (!error)
		error = pc_add_cmos(pc, clock, err);
	if (!error)
		error = pc_add_i8042(pc, clock, err);
	if (!error)
		error = pc_add_pm(pc, clock, err);
	if (!error)
		error = pc_add_pvpanic(pc, err);
	if (!error && pc->cfg->transport == TRANSPORT_PCI)
		error = pc_add_pci_host(pc, err);
	if (!error && pc->cfg->is_pc)
		error = pc_add_drives(pc, err);
	if (!error)
		error = pc_add_virtio_devices(pc, err);
	if (!error && pc->pci)
		pci_host_assign(pc->pci);
	return error;
}

/* What a firmware would leave in memory. The tables end where low RAM ends. */
static int pc_build_tables(struct pc *pc, struct err *err)
{
	struct acpi_board *acpi = &pc->acpi;
	acpi->cpus = pc->cfg->cpus;
	acpi->has_pc_devices = pc->cfg->is_pc;
	acpi->ioapic_base = BOARD_IOAPIC_BASE;
	acpi->lapic_base = BOARD_LAPIC_BASE;

	uint64_t size = acpi_size(acpi);
	uint64_t low = gmem_region(pc->gm, 0)->size;
	if (low < BOARD_RSDP_GPA + size + (1 << 20))
		return err_set(err, -EINVAL, "--memory: %llu KiB is too little for a PC",
			       (unsigned long long)(gmem_size(pc->gm) >> 10));
	pc->reserved[0] = (struct boot_reserved){.gpa = low - size, .size = size, .type = 3};
	pc->reserved[1] =
		(struct boot_reserved){.gpa = BOARD_ECAM_BASE, .size = BOARD_ECAM_SIZE, .type = 2};
	int error = acpi_build(pc->gm, acpi, BOARD_RSDP_GPA, low - size);
	return error ? err_set(err, error, "cannot build the ACPI tables") : 0;
}

static void pc_ended(void *ctx, enum kvm_end end, const char *sentence)
{
	const struct pc *pc = ctx;
	pc->events.ended(pc->events.ctx, (int)end, sentence);
}

static int pc_create_vm(struct pc *pc, struct err *err)
{
	struct kvm_config cfg = {
		.gm = pc->gm,
		.cpus = pc->cfg->cpus,
		.pio = pc->pio,
		.mmio = pc->mmio,
		.ended = pc_ended,
		.ctx = pc,
	};
	if (pc->cfg->is_pc)
		pc_legacy_memory(pc, &cfg);
	cfg.cpuid_max = profile_cpuid_max(pc->cfg);
	int error = kvm_vm_create(&pc->vm, &cfg, err);
	if (error)
		return error;
	pc->irqs.out = (struct irq_line){.set = kvm_vm_set_irq, .ctx = pc->vm};
	return 0;
}

int pc_create(struct pc *pc, const struct config *cfg, struct backends *backends,
	      const struct pc_events *events, bool is_real, struct err *err)
{
	*pc = (struct pc){.cfg = cfg, .backends = backends, .events = *events};
	wired_or_init(&pc->irqs, (struct irq_line){0});

	int error = gmem_create(&pc->gm, cfg->memory);
	if (error)
		error = err_set(err, error,
				"--memory: the host cannot reserve %llu MiB of address space: %s",
				(unsigned long long)(cfg->memory >> 20), strerror(-error));
	if (!error && (bus_create(&pc->pio, "port I/O") != 0 || bus_create(&pc->mmio, "MMIO") != 0))
		error = pc_no_memory(err);
	if (!error && is_real)
		error = pc_create_vm(pc, err);
	if (!error)
		error = pc_add_devices(pc, err);
	if (!error)
		error = pc_build_tables(pc, err);
	if (!error && cfg->is_pc)
		error = pc_add_bios(pc, now_clock(), err);
	if (error)
		pc_destroy(pc);
	return error;
}

int pc_load(struct pc *pc, const char *cmdline, struct err *err)
{
	const struct boot_linux boot = {
		.image = pc->backends->image,
		.initrd_path = pc->cfg->initrd,
		.initrd_data = pc->cfg->initrd_data,
		.initrd_size = pc->cfg->initrd_size,
		.cmdline = cmdline,
		.has_vga = pc->cfg->is_pc,
		.rsdp = BOARD_RSDP_GPA,
		.reserved = pc->reserved,
		.reserved_count = pc->pci ? 2 : 1,
	};
	struct boot_entry entry;
	if (!pc->backends->image)
		return 0; /* at its reset vector */
	if (pc->cfg->is_pc && boot_image_needs_pc(pc->backends->image))
		return boot_pc_load(pc->gm, &boot, err); /* from there as well */
	int error = boot_linux_load(pc->gm, &boot, &entry, err);
	if (!error && pc->vm)
		error = kvm_vm_set_entry(pc->vm, &entry, err);
	return error;
}

void pc_destroy(struct pc *pc)
{
	if (pc->vm)
		kvm_vm_stop(pc->vm);
	for (unsigned i = 0; i < pc->device_count; i++)
		device_quiesce(pc->device[i]);
	for (unsigned i = 0; i < pc->cfg->disk_count && !pc->cfg->is_pc; i++)
		if (pc->backends->disk[i])
			pc->backends->disk[i]->ops->attach(pc->backends->disk[i], NULL, NULL);
	for (unsigned i = 0; i < pc->cfg->net_count; i++)
		pc->backends->net[i].nif->ops->attach(pc->backends->net[i].nif, NULL, NULL, NULL,
						      NULL);
	for (unsigned i = 0; i < pc->cfg->share_count; i++)
		if (pc->backends->share[i])
			pc->backends->share[i]->ops->attach(pc->backends->share[i], NULL, NULL);
	pc_legacy_detach(pc);
	while (pc->device_count)
		device_destroy(pc->device[--pc->device_count]);
	pc_legacy_destroy(pc);
	for (unsigned i = 0; i < pc->virtio_count; i++) {
		vhost_card_destroy(pc->virtio[i].vhost);
		doorbells_destroy(pc->virtio[i].doorbells);
		kvm_msi_destroy(pc->virtio[i].msi);
	}
	kvm_vm_destroy(pc->vm);
	bus_destroy(pc->pio);
	bus_destroy(pc->mmio);
	gmem_destroy(pc->gm);
	pc->vm = NULL;
	pc->gm = NULL;
	pc->pio = pc->mmio = NULL;
	pc->virtio_count = 0;
}
