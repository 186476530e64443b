/*
 * QEMU's firmware configuration device (QEMU docs/specs/fw_cfg): items by number, read a byte at a
 * time through the data port or in one go by DMA; item 0x19 is a directory of those that have
 * names.
 *
 * Brings what SeaBIOS asks for: signature, features, memory map, number of processors, and where
 * there is an ACPI root pointer a loader script that puts it where operating systems look.
 *
 * Left out: writing items, the memory mapped variant, kernels.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/fwcfg.h>
#include <tinyvm/state.h>

enum {
	OFF_SELECTOR = 0,
	OFF_DATA = 1,
	OFF_DMA_HIGH = 4,
	OFF_DMA_LOW = 8,
};

enum {
	KEY_SIGNATURE = 0x00,
	KEY_FEATURES = 0x01,
	KEY_RAM_SIZE = 0x03,
	KEY_CPUS = 0x05,
	KEY_CPUS_MAX = 0x0f,
	KEY_DIRECTORY = 0x19,
	KEY_FILE_FIRST = 0x20,
};

#define FEATURES_PORT_AND_DMA 0x03

/* An access by DMA: its description in guest memory is big-endian. */
#define DMA_ERROR     0x01
#define DMA_READ      0x02
#define DMA_SKIP      0x04
#define DMA_SELECT    0x08
#define DMA_WRITE     0x10
#define DMA_SIGN_HIGH 0x51454d55 /* "QEMU CFG" */
#define DMA_SIGN_LOW  0x20434647

struct fwcfg_dma_access {
	uint32_t control, len;
	uint64_t gpa;
} __attribute__((packed));
_Static_assert(sizeof(struct fwcfg_dma_access) == 16, "as firmware writes it");

struct fwcfg_directory_entry {
	uint32_t len;
	uint16_t key;
	uint16_t reserved;
	char name[FWCFG_NAME_MAX + 1];
} __attribute__((packed));
_Static_assert(sizeof(struct fwcfg_directory_entry) == 64, "as firmware reads it");

struct fwcfg_e820 {
	uint64_t gpa, len;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct fwcfg_e820) == 20, "as firmware reads it");
#define E820_RAM      1
#define E820_RESERVED 2

/* A command of the script in "etc/table-loader": put a file into memory. */
struct fwcfg_allocate {
	uint32_t command;
	char file[FWCFG_NAME_MAX + 1];
	uint32_t align;
	uint8_t zone;
	uint8_t pad[63];
} __attribute__((packed));
_Static_assert(sizeof(struct fwcfg_allocate) == 128, "as firmware reads it");
#define LOADER_ALLOCATE 1
#define ZONE_BELOW_1M	2 /* from 0xe0000 */
#define RSDP_ALIGN	16
#define RSDP_FILE	"etc/acpi/rsdp"

#define OWN_FILES_MAX 3
#define FILES_MAX     (FWCFG_FILES_MAX + OWN_FILES_MAX)
#define ITEMS_MAX     (6 + FILES_MAX)

struct fwcfg_item {
	uint16_t key;
	const void *data;
	uint32_t len;
};

/**
 * struct fwcfg - the device
 * @selected, @at: item that is read and where
 * @dma_gpa: as far as it was written
 * @item, @item_count: all of them; the rest of the fields is what they lead to
 */
struct fwcfg {
	struct device dev;
	struct gmem *gm;
	uint16_t selected;
	uint32_t at;
	uint64_t dma_gpa;
	struct fwcfg_item item[ITEMS_MAX];
	unsigned item_count;
	uint32_t features;
	uint64_t ram_size;
	uint16_t cpus;
	struct {
		uint32_t count;
		struct fwcfg_directory_entry entry[FILES_MAX];
	} directory;
	unsigned file_count;
	struct fwcfg_e820 e820[3];
	uint8_t rsdp[FWCFG_RSDP_SIZE];
	struct fwcfg_allocate loader;
};

static const struct fwcfg_item *fwcfg_selected(const struct fwcfg *fc)
{
	static const struct fwcfg_item none = {0};
	for (unsigned i = 0; i < fc->item_count; i++) {
		if (fc->item[i].key == fc->selected)
			return &fc->item[i];
	}
	return &none;
}

static void fwcfg_select(struct fwcfg *fc, uint16_t key)
{
	fc->selected = key;
	fc->at = 0;
}

/* Past an item's end there are zeroes. Return: how many of @len bytes come before it. */
static uint32_t fwcfg_left(const struct fwcfg *fc, const struct fwcfg_item *item, uint32_t len)
{
	uint32_t left = fc->at < item->len ? item->len - fc->at : 0;
	return len < left ? len : left;
}

static uint8_t fwcfg_next(struct fwcfg *fc)
{
	const struct fwcfg_item *item = fwcfg_selected(fc);
	if (!fwcfg_left(fc, item, 1))
		return 0;
	return ((const uint8_t *)item->data)[fc->at++];
}

static int fwcfg_dma_read(struct fwcfg *fc, gpa_t gpa, uint32_t len)
{
	const struct fwcfg_item *item = fwcfg_selected(fc);
	uint32_t n = fwcfg_left(fc, item, len);
	int error = 0;
	if (n)
		error = gmem_write(fc->gm, gpa, (const uint8_t *)item->data + fc->at, n);
	if (!error && len > n)
		error = gmem_zero(fc->gm, gpa + n, len - n);
	fc->at += n;
	return error;
}

static void fwcfg_dma(struct fwcfg *fc, gpa_t gpa)
{
	struct fwcfg_dma_access access;
	if (gmem_read(fc->gm, gpa, &access, sizeof(access)) != 0)
		return;
	uint32_t control = be32toh(access.control);
	uint32_t len = be32toh(access.len);
	bool is_error = false;

	if (control & DMA_SELECT)
		fwcfg_select(fc, (uint16_t)(control >> 16));
	if (control & DMA_READ)
		is_error = fwcfg_dma_read(fc, be64toh(access.gpa), len) != 0;
	else if (control & DMA_WRITE)
		is_error = true;
	else if (control & DMA_SKIP)
		fc->at += fwcfg_left(fc, fwcfg_selected(fc), len);

	uint32_t result = htobe32(is_error ? DMA_ERROR : 0);
	int error = gmem_write(fc->gm, gpa, &result, sizeof(result));
	(void)error; /* it was there when it was read */
}

static uint64_t fwcfg_read(void *ctx, uint64_t off, unsigned size)
{
	if (off == OFF_DATA && size == 1)
		return fwcfg_next(ctx);
	if (off == OFF_DMA_HIGH && size == 4)
		return htobe32(DMA_SIGN_HIGH);
	if (off == OFF_DMA_LOW && size == 4)
		return htobe32(DMA_SIGN_LOW);
	return 0;
}

static void fwcfg_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct fwcfg *fc = ctx;
	if (off == OFF_SELECTOR && size == 2) {
		fwcfg_select(fc, (uint16_t)value);
	} else if (off == OFF_DMA_HIGH && size == 4) {
		fc->dma_gpa = (uint64_t)be32toh((uint32_t)value) << 32;
	} else if (off == OFF_DMA_LOW && size == 4) {
		gpa_t gpa = fc->dma_gpa | be32toh((uint32_t)value);
		fc->dma_gpa = 0;
		fwcfg_dma(fc, gpa);
	}
}

const struct bus_ops fwcfg_bus_ops = {
	.sizes = BUS_SIZE_1 | BUS_SIZE_2 | BUS_SIZE_4,
	.read = fwcfg_read,
	.write = fwcfg_write,
};

static void fwcfg_reset(struct device *dev)
{
	struct fwcfg *fc = (struct fwcfg *)dev;
	fwcfg_select(fc, KEY_SIGNATURE);
	fc->dma_gpa = 0;
}

static void fwcfg_state(struct device *dev, struct state *st)
{
	struct fwcfg *fc = (struct fwcfg *)dev;
	state_u16(st, "SELECTOR", &fc->selected);
	state_u32(st, "OFFSET", &fc->at);
	state_u64(st, "DMA ADDRESS", &fc->dma_gpa);
}

static void fwcfg_destroy(struct device *dev)
{
	free(dev);
}

static const struct device_ops fwcfg_ops = {
	.type = "fw_cfg",
	.version = 1,
	.reset = fwcfg_reset,
	.state = fwcfg_state,
	.destroy = fwcfg_destroy,
};

static void fwcfg_add(struct fwcfg *fc, uint16_t key, const void *data, size_t len)
{
	fc->item[fc->item_count++] =
		(struct fwcfg_item){.key = key, .data = data, .len = (uint32_t)len};
}

static void fwcfg_add_file(struct fwcfg *fc, const char *name, const void *data, size_t len)
{
	uint16_t key = (uint16_t)(KEY_FILE_FIRST + fc->file_count);
	struct fwcfg_directory_entry *entry = &fc->directory.entry[fc->file_count++];
	fwcfg_add(fc, key, data, len);
	entry->len = htobe32((uint32_t)len);
	entry->key = htobe16(key);
	memcpy(entry->name, name, strlen(name));
	fc->directory.count = htobe32(fc->file_count);
}

static void fwcfg_add_memory(struct fwcfg *fc, const struct fwcfg_config *cfg)
{
	unsigned count = 0;
	uint64_t ram = cfg->ram_below_4g - cfg->reserved_top;
	fc->e820[count++] = (struct fwcfg_e820){0, htole64(ram), htole32(E820_RAM)};
	if (cfg->reserved_top)
		fc->e820[count++] = (struct fwcfg_e820){htole64(ram), htole64(cfg->reserved_top),
							htole32(E820_RESERVED)};
	if (cfg->ram_above_4g)
		fc->e820[count++] = (struct fwcfg_e820){
			htole64(GMEM_HOLE_END), htole64(cfg->ram_above_4g), htole32(E820_RAM)};
	fwcfg_add_file(fc, "etc/e820", fc->e820, count * sizeof(fc->e820[0]));
}

/* The tables are where they are to be: only their root must get into the firmware's memory. */
static void fwcfg_add_rsdp(struct fwcfg *fc, const void *rsdp)
{
	memcpy(fc->rsdp, rsdp, sizeof(fc->rsdp));
	fwcfg_add_file(fc, RSDP_FILE, fc->rsdp, sizeof(fc->rsdp));
	fc->loader = (struct fwcfg_allocate){
		.command = htole32(LOADER_ALLOCATE),
		.file = RSDP_FILE,
		.align = htole32(RSDP_ALIGN),
		.zone = ZONE_BELOW_1M,
	};
	fwcfg_add_file(fc, "etc/table-loader", &fc->loader, sizeof(fc->loader));
}

static void fwcfg_fill(struct fwcfg *fc, const struct fwcfg_config *cfg)
{
	fc->features = htole32(FEATURES_PORT_AND_DMA);
	fc->ram_size = htole64(cfg->ram_below_4g + cfg->ram_above_4g);
	fc->cpus = htole16((uint16_t)cfg->cpus);
	fwcfg_add(fc, KEY_SIGNATURE, "QEMU", 4);
	fwcfg_add(fc, KEY_FEATURES, &fc->features, sizeof(fc->features));
	fwcfg_add(fc, KEY_RAM_SIZE, &fc->ram_size, sizeof(fc->ram_size));
	fwcfg_add(fc, KEY_CPUS, &fc->cpus, sizeof(fc->cpus));
	fwcfg_add(fc, KEY_CPUS_MAX, &fc->cpus, sizeof(fc->cpus));
	fwcfg_add_memory(fc, cfg);
	if (cfg->rsdp)
		fwcfg_add_rsdp(fc, cfg->rsdp);
	for (unsigned i = 0; i < cfg->file_count; i++)
		fwcfg_add_file(fc, cfg->file[i].name, cfg->file[i].data, cfg->file[i].len);
	fwcfg_add(fc, KEY_DIRECTORY, &fc->directory,
		  sizeof(fc->directory.count) + fc->file_count * sizeof(fc->directory.entry[0]));
}

int fwcfg_create(struct device **ret_dev, const struct fwcfg_config *cfg)
{
	if (cfg->file_count > FWCFG_FILES_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < cfg->file_count; i++) {
		if (strlen(cfg->file[i].name) > FWCFG_NAME_MAX)
			return -EINVAL;
	}
	struct fwcfg *fc = calloc(1, sizeof(*fc));
	if (!fc)
		return -ENOMEM;
	device_init(&fc->dev, &fwcfg_ops, "fwcfg");
	fc->gm = cfg->gm;
	fwcfg_fill(fc, cfg);
	fwcfg_reset(&fc->dev);
	*ret_dev = &fc->dev;
	return 0;
}
