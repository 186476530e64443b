/* --dry-run: the board, built without a VM and described. */
#include "dryrun.h"

#include "pc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/bus.h>
#include <tinyvm/err.h>
#include <tinyvm/virtio.h>

#define E820_MAX 128

static const char *dryrun_e820_type(uint32_t type)
{
	switch (type) {
	case 1:
		return "RAM";
	case 2:
		return "reserved";
	case 3:
		return "ACPI tables";
	default:
		return "other";
	}
}

static void dryrun_window(void *arg, uint64_t base, uint64_t last, const char *id)
{
	int width = *(const int *)arg;
	printf("  0x%0*" PRIx64 "-0x%0*" PRIx64 "  %s\n", width, base, width, last, id);
}

static void dryrun_no_request(void *ctx, enum power_event event)
{
	(void)ctx;
	(void)event;
}

static void dryrun_no_end(void *ctx, int kvm_end, const char *sentence)
{
	(void)ctx;
	(void)kvm_end;
	(void)sentence;
}

static void dryrun_interrupts(const struct pc *pc)
{
	printf("interrupts (GSI)\n");
	printf("  %2d  com1\n", BOARD_COM1_GSI);
	printf("  %2d  ACPI SCI\n", BOARD_SCI_GSI);
	unsigned first = pc->cfg->is_pc ? BOARD_PIIX_SLOT + 1 : 1;
	for (unsigned i = 0; i < pc->virtio_count; i++) {
		const char *id = virtio_to_device(pc->virtio[i].vd)->id;
		if (pc->pci)
			printf("  %2u  %s (PCI 00:%02x.0; MSI-X when the guest has it)\n",
			       pc->acpi.pci_intx_gsi[(i + first) % BOARD_PCI_INTX_COUNT], id,
			       i + first);
		else
			printf("  %2u  %s\n", pc->acpi.virtio_mmio[i].gsi, id);
	}
}

static void dryrun_disks(const struct config *cfg)
{
	for (unsigned i = 0; i < cfg->disk_count; i++)
		printf("  /dev/%s%c  %s%s\n", cfg->is_pc ? "sd" : "vd", 'a' + (int)i,
		       cfg->disk[i].path,
		       cfg->disk[i].is_readonly	  ? " (read-only)"
		       : cfg->disk[i].is_snapshot ? " (snapshot)"
						  : "");
}

static void dryrun_shares(const struct config *cfg)
{
	if (cfg->share_count)
		printf("shared directories\n");
	for (unsigned i = 0; i < cfg->share_count; i++)
		printf("  %s  %s%s\n", cfg->share[i].tag, cfg->share[i].path,
		       cfg->share[i].is_readonly ? " (read-only)" : "");
}

static void dryrun_nets(const struct config *cfg, const struct backends *backends)
{
	if (cfg->net_count)
		printf("network\n");
	for (unsigned n = 0; n < cfg->net_count; n++) {
		char *text = netcard_describe(&backends->net[n], cfg, n);
		printf("  %s  %s\n", backends->net[n].id, text ? text : "");
		free(text);
		for (unsigned i = 0; n == netcard_published(cfg) && i < cfg->forward_count; i++) {
			text = netcard_describe_forward(&cfg->forward[i]);
			printf("        %s\n", text ? text : "");
			free(text);
		}
	}
}

int dryrun_show(const struct config *cfg, struct backends *backends, const char *cmdline,
		struct err *err)
{
	const struct pc_events events = {
		.power = {.request = dryrun_no_request},
		.ended = dryrun_no_end,
	};
	struct boot_e820 map[E820_MAX];
	struct pc pc;
	int port_width = 4, mmio_width = 8;

	if (pc_create(&pc, cfg, backends, &events, false, err) != 0)
		return EXIT_NOT_STARTED;
	int error = pc_load(&pc, cmdline, err);
	if (!error) {
		printf("memory\n");
		unsigned n = boot_e820_map(pc.gm, pc.reserved, pc.pci ? 2 : 1, map, E820_MAX);
		for (unsigned i = 0; i < n; i++)
			printf("  0x%010" PRIx64 "-0x%010" PRIx64 "  %s\n", map[i].addr,
			       map[i].addr + map[i].size - 1, dryrun_e820_type(map[i].type));
		printf("CPUs\n  %u\n", cfg->cpus);
		printf("ports\n");
		bus_each(pc.pio, dryrun_window, &port_width);
		printf("addresses\n");
		bus_each(pc.mmio, dryrun_window, &mmio_width);
		dryrun_interrupts(&pc);
		if (cfg->disk_count)
			printf("disks\n");
		dryrun_disks(cfg);
		dryrun_shares(cfg);
		dryrun_nets(cfg, backends);
		if (backends->image)
			printf("kernel\n  %s\ncommand line\n  %s\n",
			       boot_image_how(backends->image), cmdline);
		if (fflush(stdout) != 0)
			error = err_set(err, -errno, "cannot write to standard output: %s",
					strerror(errno));
	}
	pc_destroy(&pc);
	return error ? EXIT_NOT_STARTED : EXIT_GUEST_OFF;
}
