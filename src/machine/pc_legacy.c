/*
 * The PC's own part of the board: what is in its first megabyte, screen and keyboard, drives, and
 * the BIOS.
 */
#include "geometry.h"
#include "pc_parts.h"

#include <errno.h>
#include <string.h>
#include <tinyvm/bios.h>
#include <tinyvm/block.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/floppy.h>
#include <tinyvm/fwcfg.h>
#include <tinyvm/gmem.h>
#include <tinyvm/ide.h>
#include <tinyvm/log.h>
#include <tinyvm/pci.h>
#include <tinyvm/piix.h>
#include <tinyvm/screen.h>
#include <tinyvm/vga.h>

#define VIDEO_ROM_END 0xc8000u
#define HIGH_ROM_BASE 0xe0000u
#define MIB	      (1u << 20)
#define NS_PER_S      1000000000LL

void pc_legacy_memory(const struct pc *pc, struct kvm_config *cfg)
{
	const struct kvm_piece pieces[] = {
		{VGA_MEMORY_BASE, VGA_TEXT_BASE - VGA_MEMORY_BASE, KVM_PIECE_BUS},
		{VGA_TEXT_BASE, VGA_TEXT_SIZE, KVM_PIECE_SWITCHED},
		/* Only with our own BIOS: another one copies itself and its tables there. */
		{VIDEO_ROM_END, HIGH_ROM_BASE - VIDEO_ROM_END, KVM_PIECE_BUS},
		{BIOS_ROM_BASE, BIOS_ROM_SIZE, KVM_PIECE_ROM},
	};
	unsigned count = sizeof(pieces) / sizeof(pieces[0]) - (pc->cfg->legacy.bios ? 2 : 0);
	memcpy(cfg->piece, pieces, count * sizeof(pieces[0]));
	cfg->piece_count = count;
	cfg->rom = (struct kvm_rom){.gpa = GMEM_HOLE_END - pc->backends->bios_size,
				    .size = pc->backends->bios_size,
				    .hva = pc->backends->bios};
}

static void pc_map_text(void *ctx, bool is_mapped)
{
	struct pc *pc = ctx;
	if (pc->vm)
		kvm_vm_switch(pc->vm, is_mapped);
}

static int pc_add_vga(struct pc *pc, struct clock clock, struct err *err)
{
	const struct vga_window window = {.map = pc_map_text, .ctx = pc};
	struct device *dev;
	if (vga_create(&dev, pc->gm, clock, window) != 0)
		return pc_no_memory(err);
	pc_own(pc, dev);
	pc->legacy.vga = dev;
	int error = pc_add_ports(pc, dev, VGA_PORT_BASE, VGA_PORTS, &vga_port_bus_ops, err);
	if (!error)
		error = bus_add(pc->mmio, VGA_MEMORY_BASE, VGA_MEMORY_BASE + VGA_MEMORY_SIZE - 1,
				&vga_memory_bus_ops, dev, dev, err);
	return error;
}

static void pc_debug_line(void *ctx, const char *line)
{
	(void)ctx;
	log_info("the guest's debug port: %s", line);
}

static int pc_add_small_ports(struct pc *pc, struct err *err)
{
	struct device *dev;
	if (debugport_create(&dev, pc_debug_line, NULL) != 0)
		return pc_no_memory(err);
	pc_own(pc, dev);
	int error = pc_add_ports(pc, dev, DEBUGPORT_POST, 1, &debugport_post_bus_ops, err);
	if (!error)
		error = pc_add_ports(pc, dev, DEBUGPORT_E9, 1, &debugport_text_bus_ops, err);
	if (!error)
		error = pc_add_ports(pc, dev, DEBUGPORT_402, 1, &debugport_text_bus_ops, err);
	if (error)
		return error;
	if (port92_create(&dev, pc->events.power) != 0)
		return pc_no_memory(err);
	pc_own(pc, dev);
	return pc_add_ports(pc, dev, BOARD_PORT92, 1, &port92_bus_ops, err);
}

int pc_add_legacy(struct pc *pc, struct clock clock, struct err *err)
{
	struct evloop *loop = pc->backends->loop;
	if (evloop_timer_create(loop, &pc->legacy.rtc_timer) != 0 ||
	    evloop_timer_create(loop, &pc->legacy.keyboard_timer) != 0)
		return pc_no_memory(err);
	int error = pc_add_vga(pc, clock, err);
	return error ? error : pc_add_small_ports(pc, err);
}

void pc_legacy_i8042(struct pc *pc, struct clock clock, struct i8042_config *cfg)
{
	cfg->is_connected = true;
	cfg->keyboard_irq = pc_gsi(pc, BOARD_KEYBOARD_GSI);
	cfg->mouse_irq = pc_gsi(pc, BOARD_MOUSE_GSI);
	cfg->clock = clock;
	cfg->timer = evloop_timer_wire(pc->legacy.keyboard_timer);
}

void pc_legacy_cmos(struct pc *pc, struct cmos_config *cfg)
{
	const struct config_legacy *legacy = &pc->cfg->legacy;
	cfg->irq = pc_gsi(pc, BOARD_RTC_GSI);
	cfg->timer = evloop_timer_wire(pc->legacy.rtc_timer);
	if (legacy->has_rtc)
		cfg->date_offset_s =
			legacy->rtc_s - cfg->clock.realtime_ns(cfg->clock.ctx) / NS_PER_S;
	cfg->disk_count = pc->cfg->disk_count;
	cfg->disk_translation = 0x55; /* LBA, each */
	for (unsigned i = 0; i < pc->cfg->floppy_count; i++) {
		struct floppy_geometry g;
		if (floppy_geometry(pc->backends->floppy[i]->size, &g))
			cfg->floppy_type |= (uint8_t)(i ? g.drive_type : g.drive_type << 4);
	}
	for (unsigned i = 0; i < sizeof(cfg->boot) && legacy->boot[i]; i++)
		cfg->boot[i] = legacy->boot[i] == 'a' ? 1 : legacy->boot[i] == 'c' ? 2 : 3;
}

/* BIOS requests: with the lock of the drive's device, as its own. The BIOS's is taken already. */
static void pc_submit(void *ctx, struct block_req *req)
{
	struct pc_drive *drive = ctx;
	device_lock(drive->dev);
	drive->blk->ops->submit(drive->blk, req);
	drive->blk->ops->commit(drive->blk);
	device_unlock(drive->dev);
}

static int pc_attach_drive(struct pc *pc, struct device *dev, struct block *blk, const char *path,
			   struct err *err)
{
	pc->legacy.drive[pc->legacy.drive_count++] = (struct pc_drive){dev, blk};
	int error = blk->ops->attach(blk, pc->backends->loop, dev);
	return error ? err_set(err, error, "%s: %s", path, strerror(-error)) : 0;
}

static const char *const disk_serial[] = {"disk0", "disk1", "disk2", "disk3"};

/* Disks in their order, the CD as secondary master, where software looks for it first. */
static void pc_plan_ide(const struct pc *pc, struct ide_config *ide, unsigned unit[CONFIG_IDE_MAX])
{
	const struct config *cfg = pc->cfg;
	unsigned next = 0;
	for (unsigned i = 0; i < cfg->disk_count; i++, next++) {
		struct config_geometry g;
		if (next == BOARD_CD_UNIT && cfg->cdrom_count)
			next++;
		unit[i] = next;
		geometry_drive(pc->backends->disk[i]->size, &g);
		ide->drive[next] = (struct ide_drive){
			.blk = pc->backends->disk[i],
			.cylinders = g.cylinders,
			.heads = g.heads,
			.sectors = g.sectors,
			.serial = cfg->disk[i].id[0] ? cfg->disk[i].id : disk_serial[i],
		};
	}
	if (cfg->cdrom_count)
		ide->drive[BOARD_CD_UNIT] = (struct ide_drive){
			.blk = pc->backends->cdrom[0], .is_cd = true, .serial = "cd0"};
}

static int pc_add_ide(struct pc *pc, struct err *err)
{
	static const uint16_t command[] = {BOARD_IDE0_PORT, BOARD_IDE1_PORT};
	static const uint16_t control[] = {BOARD_IDE0_CONTROL_PORT, BOARD_IDE1_CONTROL_PORT};
	struct ide_config cfg = {
		.gm = pc->gm,
		.irq = {pc_gsi(pc, BOARD_IDE0_GSI), pc_gsi(pc, BOARD_IDE1_GSI)},
	};
	unsigned unit[CONFIG_IDE_MAX];
	struct device *dev;
	pc_plan_ide(pc, &cfg, unit);
	if (ide_create(&dev, &cfg) != 0)
		return pc_no_memory(err);
	pc_own(pc, dev);
	int error = 0;
	for (unsigned i = 0; i < IDE_CHANNELS && !error; i++) {
		void *channel = ide_channel(dev, i);
		error = bus_add(pc->pio, command[i], command[i] + IDE_COMMAND_PORTS - 1u,
				&ide_command_bus_ops, channel, dev, err);
		if (!error)
			error = bus_add(pc->pio, control[i], control[i], &ide_control_bus_ops,
					channel, dev, err);
	}
	if (!error && pc->pci &&
	    pci_host_add_function(pc->pci, ide_pci_func(dev), BOARD_PIIX_SLOT, 1) != 0)
		error = err_set(err, -EEXIST, "PCI slot %u cannot be used", BOARD_PIIX_SLOT);
	for (unsigned i = 0; i < pc->cfg->disk_count && !error; i++)
		error = pc_attach_drive(pc, dev, pc->backends->disk[i], pc->cfg->disk[i].path, err);
	if (!error && pc->cfg->cdrom_count)
		error = pc_attach_drive(pc, dev, pc->backends->cdrom[0], pc->cfg->cdrom[0].path,
					err);
	return error;
}

static int pc_add_fdc_ports(struct pc *pc, struct device *dev, struct err *err)
{
	int error = pc_add_ports(pc, dev, BOARD_FDC_PORT, FDC_PORTS, &fdc_bus_ops, err);
	if (!error)
		error = pc_add_ports(pc, dev, FDC_DIR_PORT, 1, &fdc_dir_bus_ops, err);
	if (!error)
		error = pc_add_ports(pc, dev, BOARD_DMA_LOW_PORT, DMA_LOW_PORTS, &dma_low_bus_ops,
				     err);
	if (!error)
		error = pc_add_ports(pc, dev, BOARD_DMA_HIGH_PORT, DMA_HIGH_PORTS,
				     &dma_high_bus_ops, err);
	if (!error)
		error = pc_add_ports(pc, dev, DMA_PAGE_PORT, DMA_PAGE_PORTS, &dma_page_bus_ops,
				     err);
	return error;
}

static int pc_add_floppies(struct pc *pc, struct err *err)
{
	const struct config *c = pc->cfg;
	struct fdc_config cfg = {.gm = pc->gm, .irq = pc_gsi(pc, BOARD_FDC_GSI)};
	struct device *dev;
	for (unsigned i = 0; i < c->floppy_count; i++) {
		struct fdc_drive *drive = &cfg.drive[i];
		drive->is_present = true;
		drive->blk = pc->backends->floppy[i];
		(void)floppy_geometry(drive->blk->size, &drive->geometry); /* it was looked at */
	}
	if (fdc_create(&dev, &cfg) != 0)
		return pc_no_memory(err);
	pc_own(pc, dev);
	int error = pc_add_fdc_ports(pc, dev, err);
	for (unsigned i = 0; i < c->floppy_count && !error; i++)
		error = pc_attach_drive(pc, dev, pc->backends->floppy[i], c->floppy[i].path, err);
	return error;
}

void pc_legacy_pci(struct pci_host_config *cfg)
{
	cfg->io_base = BOARD_PCI_IO_BASE;
	cfg->io_last = BOARD_PCI_IO_LAST;
	cfg->id = &piix_host_id;
}

static int pc_add_piix(struct pc *pc, struct err *err)
{
	struct pci_func *func;
	struct device *dev;
	if (!pc->pci)
		return 0;
	if (piix3_create(&dev, &func) != 0)
		return pc_no_memory(err);
	pc_own(pc, dev);
	piix_host_prepare(pci_host_bridge(pc->pci));
	int error = pci_host_add(pc->pci, func, BOARD_PIIX_SLOT);
	return error ? err_set(err, error, "PCI slot %u cannot be used", BOARD_PIIX_SLOT) : 0;
}

int pc_add_drives(struct pc *pc, struct err *err)
{
	int error = pc_add_piix(pc, err);
	if (!error)
		error = pc_add_floppies(pc, err);
	return error ? error : pc_add_ide(pc, err);
}

static const struct pc_drive *pc_drive_of(const struct pc *pc, const struct block *blk)
{
	for (unsigned i = 0; i < pc->legacy.drive_count; i++)
		if (pc->legacy.drive[i].blk == blk)
			return &pc->legacy.drive[i];
	return NULL;
}

static void pc_tell_bios_of(struct pc *pc, struct bios_config *cfg, enum bios_disk_kind kind,
			    struct block *blk, const struct config_geometry *g)
{
	cfg->disk[cfg->disk_count++] = (struct bios_disk){
		.kind = kind,
		.size = blk->size,
		.is_readonly = blk->is_readonly,
		.cylinders = g->cylinders,
		.heads = g->heads,
		.sectors = g->sectors,
		.submit = pc_submit,
		.ctx = (void *)(uintptr_t)pc_drive_of(pc, blk),
	};
}

static void pc_list_disks(struct pc *pc, struct bios_config *cfg)
{
	const struct config *c = pc->cfg;
	for (unsigned i = 0; i < c->floppy_count; i++) {
		struct floppy_geometry g = {0};
		(void)floppy_geometry(pc->backends->floppy[i]->size, &g);
		pc_tell_bios_of(pc, cfg, BIOS_FLOPPY, pc->backends->floppy[i],
				&(struct config_geometry){g.cylinders, g.heads, g.sectors});
	}
	for (unsigned i = 0; i < c->disk_count; i++)
		pc_tell_bios_of(pc, cfg, BIOS_HARD_DISK, pc->backends->disk[i],
				&pc->backends->disk_geometry[i]);
	if (c->cdrom_count)
		pc_tell_bios_of(pc, cfg, BIOS_CD, pc->backends->cdrom[0],
				&(struct config_geometry){0});
}

static void pc_booted(void *ctx, unsigned drive)
{
	(void)ctx;
	log_info("booting from drive %02xh", drive);
}

/* Another firmware lies below 1 MiB, too: its last 128 KiB, in RAM. */
static int pc_load_bios(struct pc *pc, struct err *err)
{
	size_t size = pc->backends->bios_size;
	size_t low = size < 2 * BIOS_ROM_SIZE ? size : 2 * BIOS_ROM_SIZE;
	if (gmem_write(pc->gm, MIB - low, pc->backends->bios + size - low, low) != 0)
		return err_set(err, -EINVAL, "--memory: too little for the firmware");
	return 0;
}

/* For SeaBIOS, which asks there what there is. */
static int pc_add_fwcfg(struct pc *pc, uint64_t ram_below_4g, uint64_t ram_above_4g,
			struct err *err)
{
	uint8_t rsdp[FWCFG_RSDP_SIZE];
	const struct backends *b = pc->backends;
	const struct fwcfg_file file = {.name = "vgaroms/vgabios.bin",
					.data = b->vga_rom,
					.len = (uint32_t)b->vga_rom_size};
	struct fwcfg_config cfg = {
		.gm = pc->gm,
		.cpus = pc->cfg->cpus,
		.ram_below_4g = ram_below_4g,
		.ram_above_4g = ram_above_4g,
		.reserved_top = pc->reserved[0].size,
		.file = &file,
		.file_count = b->vga_rom ? 1 : 0,
	};
	struct device *dev;
	if (gmem_read(pc->gm, BOARD_RSDP_GPA, rsdp, sizeof(rsdp)) == 0)
		cfg.rsdp = rsdp;
	if (fwcfg_create(&dev, &cfg) != 0)
		return pc_no_memory(err);
	pc_own(pc, dev);
	return pc_add_ports(pc, dev, FWCFG_PORT, FWCFG_PORTS, &fwcfg_bus_ops, err);
}

int pc_add_bios(struct pc *pc, struct clock clock, struct err *err)
{
	uint64_t size = gmem_size(pc->gm);
	uint64_t low = gmem_region(pc->gm, 0)->size;
	struct bios_config cfg = {
		.gm = pc->gm,
		.pio = pc->pio,
		.mmio = pc->mmio,
		.clock = clock,
		.power = pc->events.power,
		.ram_below_4g = low,
		.ram_above_4g = size - low,
		.reserved_top = pc->reserved[0].size,
		.com_port = {BOARD_COM1_PORT},
		.cpus = pc->cfg->cpus,
		.is_pci = pc->pci != NULL,
		.pci_intx_gsi = {BOARD_PCI_INTX_GSI, BOARD_PCI_INTX_GSI + 1, BOARD_PCI_INTX_GSI + 2,
				 BOARD_PCI_INTX_GSI + 3},
		.booted = pc_booted,
	};
	struct device *dev;
	if (pc->cfg->legacy.bios) {
		/* Before the firmware takes the root pointer's place. */
		int error = pc_add_fwcfg(pc, low, size - low, err);
		return error ? error : pc_load_bios(pc, err);
	}
	int error = pc_load_bios(pc, err);
	if (error)
		return error;
	memcpy(cfg.boot, pc->cfg->legacy.boot, sizeof(cfg.boot));
	cfg.is_boot_loaded = pc->backends->image && boot_image_needs_pc(pc->backends->image);
	pc_list_disks(pc, &cfg);
	if (bios_create(&dev, &cfg) != 0)
		return pc_no_memory(err);
	pc_own(pc, dev);
	return pc_add_ports(pc, dev, BOARD_BIOS_PORT, BIOS_PORTS, &bios_bus_ops, err);
}

void pc_legacy_detach(struct pc *pc)
{
	for (unsigned i = 0; i < pc->legacy.drive_count; i++)
		pc->legacy.drive[i].blk->ops->attach(pc->legacy.drive[i].blk, NULL, NULL);
	pc->legacy.drive_count = 0;
}

void pc_legacy_destroy(struct pc *pc)
{
	evloop_timer_destroy(pc->legacy.rtc_timer);
	evloop_timer_destroy(pc->legacy.keyboard_timer);
	pc->legacy = (struct pc_legacy){0};
}

bool pc_key(void *ctx, uint16_t code, bool is_down)
{
	struct pc *pc = ctx;
	if (!pc->legacy.i8042)
		return true;
	device_lock(pc->legacy.i8042);
	bool is_taken = i8042_key(pc->legacy.i8042, code, is_down);
	device_unlock(pc->legacy.i8042);
	return is_taken;
}

bool pc_is_keyboard_read(void *ctx)
{
	struct pc *pc = ctx;
	if (!pc->legacy.i8042)
		return true;
	device_lock(pc->legacy.i8042);
	bool is_read = i8042_is_read(pc->legacy.i8042);
	device_unlock(pc->legacy.i8042);
	return is_read;
}

bool pc_has_key_room(void *ctx)
{
	const struct pc *pc = ctx;
	/* Another BIOS keeps its ring in the same place. */
	return pc->gm && bios_keyboard_room(pc->gm) > 1;
}

void pc_take_screen(void *ctx, struct screen *screen)
{
	struct pc *pc = ctx;
	if (!pc->legacy.vga) {
		screen->kind = SCREEN_BLANK;
		return;
	}
	device_lock(pc->legacy.vga);
	vga_take(pc->legacy.vga, screen);
	device_unlock(pc->legacy.vga);
}
