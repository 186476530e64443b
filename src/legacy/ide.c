/*
 * The IDE controller: registers, drive selection, reset, interrupts. ATA/ATAPI-6 (T13 1410D);
 * Intel 82371SB (PIIX3) data sheet for the PCI function and the bus master.
 *
 * The task file's registers exist in both drives of a channel: a write reaches both, a read asks
 * the selected one. A channel without drives has its bus pulled to 7fh, so nobody waits for it.
 *
 * Left out on purpose: security, SMART, power management beyond its answers, overlapped and queued
 * commands, streaming; programmable timing is storage.
 */
#include "ide.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/state.h>

#define NOBODY 0x7f

#define PIIX_IDETIM	   0x40 /* 2 words: timing and enable bit of each channel */
#define PIIX_IDETIM_ENABLE 0x80 /* of the high byte */

enum {
	REG_DATA,
	REG_ERROR, /* write: features */
	REG_COUNT,
	REG_LBA_LOW,
	REG_LBA_MID,
	REG_LBA_HIGH,
	REG_DEVICE,
	REG_STATUS, /* write: command */
};

void ide_drive_irq(struct ide_channel *c)
{
	irq_line_set(&c->ide->irq[c->index], c->is_interrupting && !(c->control & IDE_NIEN));
}

void ide_raise(struct ide_channel *c)
{
	c->is_interrupting = true;
	c->bm_status |= IDE_BM_INTERRUPT;
	ide_drive_irq(c);
}

void ide_lower(struct ide_channel *c)
{
	c->is_interrupting = false;
	ide_drive_irq(c);
}

void ide_finish(struct ide_channel *c, uint8_t error)
{
	struct ide_unit *u = ide_selected(c);
	c->phase = IDE_IDLE;
	c->is_dma = false;
	u->error = error;
	u->status = IDE_DRDY | IDE_DSC | (error ? IDE_ERR : 0);
	ide_raise(c);
}

void ide_sign(struct ide_unit *u)
{
	bool is_cd = u->drive.is_cd;
	u->count[0] = u->lba_low[0] = 1;
	u->lba_mid[0] = is_cd ? 0x14 : 0;
	u->lba_high[0] = is_cd ? 0xeb : 0;
	u->error = 1; /* diagnostics passed */
	u->status = is_cd ? 0 : IDE_DRDY | IDE_DSC;
}

static void ide_sign_both(struct ide_channel *c)
{
	for (unsigned i = 0; i < 2; i++)
		if (ide_is_there(&c->unit[i]))
			ide_sign(&c->unit[i]);
}

/* SRST, or power-on when @is_hard. */
static void ide_reset_channel(struct ide_channel *c, bool is_hard)
{
	for (unsigned i = 0; i < 2; i++) {
		struct ide_unit *u = &c->unit[i];
		struct ide_drive drive = u->drive;
		*u = (struct ide_unit){.drive = drive,
				       .heads = (uint8_t)drive.heads,
				       .sectors = (uint8_t)drive.sectors,
				       .transfer_mode = is_hard ? 0 : u->transfer_mode};
		if (ide_is_there(u))
			ide_sign(u);
	}
	c->device = 0;
	c->phase = IDE_IDLE;
	c->is_dma = false;
	c->left = 0;
	c->at = c->turn_end = c->len = 0;
	ide_lower(c);
}

static void ide_write_control(struct ide_channel *c, uint8_t value)
{
	bool was_reset = c->control & IDE_SRST;
	c->control = value & (IDE_NIEN | IDE_SRST);
	if ((value & IDE_SRST) && !was_reset) {
		/* A request that is on its way ends first: its buffer is ours. */
		if (c->phase == IDE_WAITING)
			ide_selected(c)->drive.blk->ops->drain(ide_selected(c)->drive.blk);
		ide_reset_channel(c, false);
		c->control |= IDE_SRST;
		for (unsigned i = 0; i < 2; i++)
			c->unit[i].status = IDE_BSY;
	} else if (!(value & IDE_SRST) && was_reset) {
		ide_sign_both(c);
	}
	if (value & IDE_HOB)
		c->control |= IDE_HOB;
	ide_drive_irq(c);
}

/* What one of the drives was at is over: it would go on with the other's disk. */
static void ide_diagnose(struct ide_channel *c)
{
	ide_sign_both(c);
	c->phase = IDE_IDLE;
	c->is_dma = false;
	c->device = 0;
	ide_raise(c);
}

static void ide_write_command(struct ide_channel *c, uint8_t command)
{
	struct ide_unit *u = ide_selected(c);
	if (c->control & IDE_SRST)
		return;
	if (command == 0x90 && c->phase != IDE_WAITING) { /* EXECUTE DEVICE DIAGNOSTIC: both */
		ide_diagnose(c);
		return;
	}
	/* DEVICE RESET interrupts a command; nothing else does. */
	bool is_busy = c->phase == IDE_WAITING || u->status & (IDE_BSY | IDE_DRQ);
	if (!ide_is_there(u) || (is_busy && command != 0x08) || c->phase == IDE_WAITING)
		return;
	ide_lower(c);
	c->command = command;
	u->error = 0;
	ide_ata_command(c, command);
}

static uint64_t ide_read_data(struct ide_channel *c, unsigned size)
{
	uint64_t value = 0;
	if (c->phase != IDE_DATA_IN)
		return UINT64_MAX;
	unsigned n = c->turn_end - c->at < size ? c->turn_end - c->at : size;
	memcpy(&value, c->buf + c->at, n);
	c->at += n;
	if (c->at == c->turn_end)
		ide_transfer_turn(c);
	return value;
}

static void ide_write_data(struct ide_channel *c, unsigned size, uint64_t value)
{
	if (c->phase == IDE_COMMAND) {
		unsigned n = IDE_PACKET - c->at < size ? IDE_PACKET - c->at : size;
		memcpy(c->packet + c->at, &value, n);
		c->at += n;
		if (c->at == IDE_PACKET)
			ide_atapi_run(c);
	} else if (c->phase == IDE_DATA_OUT) {
		unsigned n = c->turn_end - c->at < size ? c->turn_end - c->at : size;
		memcpy(c->buf + c->at, &value, n);
		c->at += n;
		if (c->at == c->turn_end)
			ide_transfer_turn(c);
	}
}

static uint64_t ide_read(void *ctx, uint64_t off, unsigned size)
{
	struct ide_channel *c = ctx;
	const struct ide_unit *u = ide_selected(c);
	unsigned old = c->control & IDE_HOB ? 1 : 0;
	if (!ide_is_there(&c->unit[0]) && !ide_is_there(&c->unit[1]))
		return NOBODY;
	if (off == REG_DATA)
		return ide_read_data(c, size);
	if (off == REG_DEVICE)
		return c->device | 0xa0;
	/* Device 0 answers for a device 1 that is not there. */
	if (!ide_is_there(u) && off == REG_STATUS)
		return 0;
	switch (off) {
	case REG_ERROR:
		return u->error;
	case REG_COUNT:
		return u->count[old];
	case REG_LBA_LOW:
		return u->lba_low[old];
	case REG_LBA_MID:
		return u->lba_mid[old];
	case REG_LBA_HIGH:
		return u->lba_high[old];
	default:
		ide_lower(c);
		return u->status;
	}
}

/* Write to both drives; what was there becomes the previous content. */
#define IDE_WRITE_BOTH(c, reg, value)                                \
	do {                                                         \
		for (unsigned i_ = 0; i_ < 2; i_++) {                \
			(c)->unit[i_].reg[1] = (c)->unit[i_].reg[0]; \
			(c)->unit[i_].reg[0] = (value);              \
		}                                                    \
	} while (0)

static void ide_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct ide_channel *c = ctx;
	uint8_t byte = (uint8_t)value;
	c->control &= (uint8_t)~IDE_HOB;
	if (off == REG_DATA) {
		ide_write_data(c, size, value);
		return;
	}
	if (off == REG_STATUS) {
		ide_write_command(c, byte);
		return;
	}
	if (c->phase == IDE_WAITING)
		return; /* busy */
	switch (off) {
	case REG_ERROR:
		IDE_WRITE_BOTH(c, feature, byte);
		break;
	case REG_COUNT:
		IDE_WRITE_BOTH(c, count, byte);
		break;
	case REG_LBA_LOW:
		IDE_WRITE_BOTH(c, lba_low, byte);
		break;
	case REG_LBA_MID:
		IDE_WRITE_BOTH(c, lba_mid, byte);
		break;
	case REG_LBA_HIGH:
		IDE_WRITE_BOTH(c, lba_high, byte);
		break;
	default:
		/* To turn to the other drive amid a transfer ends that. */
		if ((c->device ^ byte) & IDE_DEV1 && c->phase != IDE_IDLE) {
			ide_selected(c)->status &= (uint8_t)~IDE_DRQ;
			c->phase = IDE_IDLE;
		}
		c->device = byte & (IDE_DEV1 | IDE_LBA | 0x0f);
		break;
	}
}

/* The data port is a word wide, and its dwords are two; all others are bytes. */
static uint64_t ide_command_read(void *ctx, uint64_t off, unsigned size)
{
	if (off == REG_DATA || size == 1)
		return ide_read(ctx, off, size);
	uint64_t value = 0;
	for (unsigned i = 0; i < size; i++)
		value |= (ide_read(ctx, off + i, 1) & 0xff) << 8 * i;
	return value;
}

static void ide_command_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	if (off == REG_DATA || size == 1) {
		ide_write(ctx, off, size, value);
		return;
	}
	for (unsigned i = 0; i < size; i++)
		ide_write(ctx, off + i, 1, value >> 8 * i & 0xff);
}

static uint64_t ide_control_read(void *ctx, uint64_t off, unsigned size)
{
	struct ide_channel *c = ctx;
	(void)off, (void)size;
	if (!ide_is_there(&c->unit[0]) && !ide_is_there(&c->unit[1]))
		return NOBODY;
	return ide_is_there(ide_selected(c)) ? ide_selected(c)->status : 0;
}

static void ide_control_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	(void)off, (void)size;
	ide_write_control(ctx, (uint8_t)value);
}

const struct bus_ops ide_command_bus_ops = {
	.sizes = BUS_SIZE_1 | BUS_SIZE_2 | BUS_SIZE_4,
	.read = ide_command_read,
	.write = ide_command_write,
};

const struct bus_ops ide_control_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = ide_control_read,
	.write = ide_control_write,
};

void *ide_channel(struct device *dev, unsigned n)
{
	return &((struct ide *)dev)->channel[n];
}

struct pci_func *ide_pci_func(struct device *dev)
{
	return &((struct ide *)dev)->func;
}

/* Not only of our own requests: the BIOS's are gone past us, and need the disk as long. */
static void ide_drain(struct ide_channel *c)
{
	for (unsigned i = 0; i < 2; i++) {
		struct block *blk = c->unit[i].drive.blk;
		if (blk)
			blk->ops->drain(blk);
	}
}

static void ide_quiesce(struct device *dev)
{
	struct ide *ide = (struct ide *)dev;
	for (unsigned i = 0; i < IDE_CHANNELS; i++)
		ide_drain(&ide->channel[i]);
}

static void ide_power_on(struct ide_channel *c)
{
	c->control = c->command = 0;
	c->lba = c->per_turn = c->limit = 0;
	c->is_write = c->is_ext = false;
	memset(c->packet, 0, sizeof(c->packet));
	ide_bm_reset(c);
	ide_reset_channel(c, true);
}

static void ide_reset(struct device *dev)
{
	struct ide *ide = (struct ide *)dev;
	ide_quiesce(dev);
	pci_func_reset(&ide->func);
	/* As firmware leaves it: both channels decoded. */
	ide->func.config[PIIX_IDETIM + 1] = PIIX_IDETIM_ENABLE;
	ide->func.config[PIIX_IDETIM + 3] = PIIX_IDETIM_ENABLE;
	for (unsigned i = 0; i < IDE_CHANNELS; i++)
		ide_power_on(&ide->channel[i]);
}

static void ide_unit_state(struct ide_unit *u, struct state *st)
{
	state_bytes(st, "FEATURES", u->feature, 2);
	state_bytes(st, "SECTOR COUNT", u->count, 2);
	state_bytes(st, "LBA LOW", u->lba_low, 2);
	state_bytes(st, "LBA MID", u->lba_mid, 2);
	state_bytes(st, "LBA HIGH", u->lba_high, 2);
	state_u8(st, "ERROR", &u->error);
	state_u8(st, "STATUS", &u->status);
	state_u8(st, "heads", &u->heads);
	state_u8(st, "sectors", &u->sectors);
	state_u8(st, "multiple", &u->multiple);
	state_u8(st, "transfer mode", &u->transfer_mode);
	state_u8(st, "SENSE KEY", &u->sense_key);
	state_u16(st, "ASC, ASCQ", &u->sense_code);
}

/* What a load may bring about a transfer that would lead out of the buffer or the disk. */
static bool ide_channel_is_sound(const struct ide_channel *c, uint8_t phase)
{
	for (unsigned i = 0; i < 2; i++)
		if (c->unit[i].multiple > IDE_MULTIPLE_MAX || c->unit[i].heads > 16)
			return false;
	const struct ide_unit *u = &c->unit[c->device & IDE_DEV1 ? 1 : 0];
	return phase <= IDE_DMA_READY && c->at <= c->turn_end && c->turn_end <= c->len &&
	       c->len <= IDE_BUFFER && c->per_turn <= IDE_MULTIPLE_MAX && c->limit <= IDE_BUFFER &&
	       (phase == IDE_IDLE || ide_is_there(u)) && (phase != IDE_DMA_READY || c->is_dma) &&
	       (phase != IDE_COMMAND || (c->at < IDE_PACKET && c->len == IDE_PACKET)) &&
	       ((phase != IDE_DATA_IN && phase != IDE_DATA_OUT) || c->at < c->turn_end) &&
	       (phase != IDE_DATA_OUT || (c->per_turn > 0 && c->left >= c->turn_end / IDE_SECTOR &&
					  c->turn_end && c->turn_end % IDE_SECTOR == 0));
}

/* Whether what is in the buffer is still to be moved. */
static bool ide_channel_has_data(const struct ide_channel *c, uint8_t phase)
{
	return phase == IDE_DATA_IN || phase == IDE_DATA_OUT ||
	       (phase == IDE_DMA_READY && !c->left);
}

static void ide_channel_state(struct ide_channel *c, struct state *st)
{
	uint8_t phase = (uint8_t)c->phase;
	ide_unit_state(&c->unit[0], st);
	ide_unit_state(&c->unit[1], st);
	state_u8(st, "DEVICE", &c->device);
	state_u8(st, "DEVICE CONTROL", &c->control);
	state_u8(st, "COMMAND", &c->command);
	state_bool(st, "INTRQ", &c->is_interrupting);
	state_u8(st, "phase", &phase);
	state_u64(st, "LBA", &c->lba);
	state_u32(st, "left", &c->left);
	state_u32(st, "per turn", &c->per_turn);
	state_u32(st, "at", &c->at);
	state_u32(st, "turn end", &c->turn_end);
	state_u32(st, "len", &c->len);
	state_u32(st, "limit", &c->limit);
	state_bool(st, "DMA", &c->is_dma);
	state_bool(st, "write", &c->is_write);
	state_bool(st, "ext", &c->is_ext);
	state_bytes(st, "packet", c->packet, sizeof(c->packet));
	state_u8(st, "BMICX", &c->bm_command);
	state_u8(st, "BMISX", &c->bm_status);
	state_u32(st, "BMIDTPX", &c->bm_table);
	size_t len = ide_channel_has_data(c, phase) ? c->len : 0;
	state_blob(st, "buffer", c->buf, &len, sizeof(c->buf));
	if (!state_is_loading(st))
		return;
	size_t want = ide_channel_has_data(c, phase) ? c->len : 0;
	c->device &= IDE_DEV1 | IDE_LBA | 0x0f;
	c->bm_command &= IDE_BM_START | IDE_BM_TO_MEMORY;
	c->bm_table &= ~3u;
	if (state_error(st) || !ide_channel_is_sound(c, phase) || len != want) {
		ide_power_on(c);
		state_fail(st, "a transfer that cannot be");
		return;
	}
	c->phase = phase;
}

static void ide_state(struct device *dev, struct state *st)
{
	struct ide *ide = (struct ide *)dev;
	pci_func_state(&ide->func, st);
	for (unsigned i = 0; i < IDE_CHANNELS; i++) {
		ide_drain(&ide->channel[i]);
		ide_channel_state(&ide->channel[i], st);
		if (state_is_loading(st))
			ide_drive_irq(&ide->channel[i]);
	}
}

static void ide_destroy(struct device *dev)
{
	free(dev);
}

static const struct device_ops ide_ops = {
	.type = "piix3-ide",
	.version = 1,
	.reset = ide_reset,
	.state = ide_state,
	.quiesce = ide_quiesce,
	.destroy = ide_destroy,
};

int ide_create(struct device **ret_dev, const struct ide_config *cfg)
{
	static const struct pci_id id = {
		.vendor = 0x8086, .device = 0x7010, .class_code = 0x010180};
	struct ide *ide = calloc(1, sizeof(*ide));
	if (!ide)
		return -ENOMEM;
	device_init(&ide->dev, &ide_ops, "ide");
	ide->gm = cfg->gm;
	pci_func_init(&ide->func, &ide->dev, &id, NULL, NULL, (struct irq_line){0});
	pci_func_set_io_bar(&ide->func, 4, 16, &ide_bm_bus_ops, ide);
	memset(&ide->func.wmask[PIIX_IDETIM], 0xff, 4);
	for (unsigned i = 0; i < IDE_CHANNELS; i++) {
		struct ide_channel *c = &ide->channel[i];
		c->ide = ide;
		c->index = i;
		ide->irq[i] = cfg->irq[i];
		for (unsigned n = 0; n < 2; n++)
			c->unit[n].drive = cfg->drive[i * 2 + n];
	}
	ide_reset(&ide->dev);
	*ret_dev = &ide->dev;
	return 0;
}
