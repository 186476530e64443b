/*
 * Intel 82077AA floppy disk controller (data sheet, May 1994) with two drives, at the ports and on
 * the DMA channel of a PC AT (IBM PC AT Technical Reference, 1984).
 *
 * Heads move and motors start in no time. Data is found only at the rate that the diskette was
 * written with, since software tells formats apart by trying. A transfer that nobody can take
 * (its DMA channel is masked) waits. PART ID is no command of this chip: it answers as to any other
 * it does not know.
 *
 * Left out: FM, sectors of another size than 512 bytes, deleted data marks (they are not stored:
 * all data is normal), SCAN commands, overruns, status registers A and B and all else of the PS/2
 * modes, tape drives, power down.
 */
#include "fdc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/state.h>

enum {
	REG_DOR = 2,
	REG_TDR = 3,
	REG_MSR = 4, /* write: DSR */
	REG_FIFO = 5,
};

#define DSR_RESET   0x80
#define RATE_MASK   0x03
#define RATE_250K   0x02
#define TDR_MASK    0x03
#define DIR_CHANGED 0x80
#define MSR_RQM	    0x80
#define MSR_DIO	    0x40 /* to the processor */
#define MSR_NON_DMA 0x20
#define MSR_BUSY    0x10

#define ST0_INVALID   0x80
#define ST0_POLLED    0xc0 /* ready changed, after a reset */
#define ST3_READONLY  0x40
#define ST3_READY     0x20
#define ST3_TRACK_0   0x10
#define ST3_TWO_SIDED 0x08

#define VERSION_82077 0x90
#define LOCKED	      0x10

#define CONFIGURE_RESET	   0x20 /* FIFO off */
#define CONFIGURE_KEPT	   0x2f /* when locked: FIFO and its threshold */
#define CONFIGURE_MASK	   0x7f
#define PERPENDICULAR_OW   0x80
#define PERPENDICULAR_KEPT 0x3c
#define PERPENDICULAR_GAPS 0x03

const struct fdc_drive *fdc_drive(const struct fdc *f)
{
	unsigned unit = fdc_unit(f);
	return unit < FDC_DRIVES && f->cfg.drive[unit].is_present ? &f->cfg.drive[unit] : NULL;
}

static void fdc_update_irq(struct fdc *f)
{
	bool is_high = f->is_irq && f->dor & FDC_DOR_DMAGATE;
	if (is_high != f->is_irq_high)
		irq_line_set(&f->cfg.irq, is_high);
	f->is_irq_high = is_high;
}

void fdc_lower(struct fdc *f)
{
	f->is_irq = false;
	fdc_update_irq(f);
}

void fdc_raise(struct fdc *f)
{
	fdc_lower(f); /* an edge for each */
	f->is_irq = true;
	fdc_update_irq(f);
}

void fdc_begin_result(struct fdc *f, const uint8_t *result, unsigned len)
{
	memcpy(f->result, result, len);
	f->result_len = (uint8_t)len;
	f->result_at = 0;
	f->command_len = 0;
	f->phase = FDC_PHASE_RESULT;
}

static void fdc_end_command(struct fdc *f)
{
	f->command_len = 0;
	f->phase = FDC_PHASE_IDLE;
}

static void fdc_soft_reset(struct fdc *f)
{
	fdc_abort(f);
	fdc_end_command(f);
	f->configure = f->is_locked ? f->configure & CONFIGURE_KEPT : CONFIGURE_RESET;
	if (!f->is_locked)
		f->pretrk = 0;
	f->perpendicular &= ~PERPENDICULAR_GAPS;
	f->senses = 0;
	fdc_lower(f);
}

/* Out of reset the chip polls the drives, and finds all of them changed. */
static void fdc_poll(struct fdc *f)
{
	f->senses = 0x0f;
	for (unsigned i = 0; i < FDC_UNITS; i++)
		f->sense_st0[i] = (uint8_t)(ST0_POLLED | i);
	fdc_raise(f);
}

static void fdc_dor_write(struct fdc *f, uint8_t value)
{
	uint8_t changed = f->dor ^ value;
	f->dor = value;
	if (changed & FDC_DOR_RUNNING) {
		fdc_soft_reset(f);
		if (value & FDC_DOR_RUNNING)
			fdc_poll(f);
	}
	fdc_update_irq(f);
	fdc_run(f); /* DMA may pass now */
}

static void fdc_dsr_write(struct fdc *f, uint8_t value)
{
	f->rate = value & RATE_MASK;
	if (value & DSR_RESET && f->dor & FDC_DOR_RUNNING) {
		fdc_soft_reset(f);
		fdc_poll(f);
	}
}

void fdc_seek(struct fdc *f, unsigned track)
{
	unsigned unit = fdc_unit(f);
	f->track[unit] = (uint8_t)(track > 255 ? 255 : track);
	if (unit < FDC_DRIVES && f->cfg.drive[unit].blk)
		f->is_changed[unit] = false;
}

static void fdc_end_seek(struct fdc *f, uint8_t st0)
{
	unsigned unit = fdc_unit(f);
	f->sense_st0[unit] = (uint8_t)(st0 | FDC_ST0_SEEK_END | (f->command[1] & 7));
	f->senses |= (uint8_t)(1u << unit);
	fdc_end_command(f);
	fdc_raise(f);
}

static void fdc_recalibrate(struct fdc *f)
{
	f->command[1] &= 3;
	fdc_seek(f, 0);
	fdc_end_seek(f, fdc_drive(f) ? 0 : FDC_ST0_ABNORMAL | FDC_ST0_NO_TRACK);
}

static void fdc_seek_by(struct fdc *f, int step)
{
	int track = f->track[fdc_unit(f)] + step;
	fdc_seek(f, track < 0 ? 0 : (unsigned)track);
	fdc_end_seek(f, 0);
}

static void fdc_sense_interrupt(struct fdc *f)
{
	const uint8_t none = ST0_INVALID;
	for (unsigned i = 0; i < FDC_UNITS; i++) {
		if (f->senses >> i & 1) {
			const uint8_t result[2] = {f->sense_st0[i], f->track[i]};
			f->senses &= (uint8_t) ~(1u << i);
			fdc_lower(f);
			fdc_begin_result(f, result, sizeof(result));
			return;
		}
	}
	fdc_begin_result(f, &none, 1);
}

static void fdc_sense_drive(struct fdc *f)
{
	const struct fdc_drive *drive = fdc_drive(f);
	uint8_t st3 = (uint8_t)(f->command[1] & 7) | ST3_READY | ST3_TWO_SIDED;
	if (drive && !f->track[fdc_unit(f)])
		st3 |= ST3_TRACK_0;
	if (drive && drive->blk && drive->blk->is_readonly)
		st3 |= ST3_READONLY;
	fdc_begin_result(f, &st3, 1);
}

static void fdc_dumpreg(struct fdc *f)
{
	const uint8_t result[10] = {
		f->track[0],   f->track[1],
		f->track[2],   f->track[3],
		f->specify[0], f->specify[1],
		f->t.eot,      (uint8_t)(f->perpendicular | (f->is_locked ? 0x80 : 0)),
		f->configure,  f->pretrk,
	};
	fdc_begin_result(f, result, sizeof(result));
}

static void fdc_perpendicular(struct fdc *f, uint8_t value)
{
	uint8_t taken = PERPENDICULAR_GAPS | (value & PERPENDICULAR_OW ? PERPENDICULAR_KEPT : 0);
	f->perpendicular = (f->perpendicular & ~taken) | (value & taken);
}

static void fdc_lock(struct fdc *f, bool is_locked)
{
	const uint8_t result = is_locked ? LOCKED : 0;
	f->is_locked = is_locked;
	fdc_begin_result(f, &result, 1);
}

/* Commands that only set something. */
static void fdc_set(struct fdc *f)
{
	switch (f->command[0]) {
	case FDC_SPECIFY:
		memcpy(f->specify, f->command + 1, sizeof(f->specify));
		break;
	case FDC_PERPENDICULAR:
		fdc_perpendicular(f, f->command[1]);
		break;
	default:
		f->configure = f->command[2] & CONFIGURE_MASK;
		f->pretrk = f->command[3];
		break;
	}
	fdc_end_command(f);
}

static void fdc_execute(struct fdc *f)
{
	const uint8_t version = VERSION_82077;
	switch (f->command[0]) {
	case FDC_RECALIBRATE:
		fdc_recalibrate(f);
		break;
	case FDC_SEEK:
		fdc_seek(f, f->command[2]);
		fdc_end_seek(f, 0);
		break;
	case FDC_SEEK_IN:
		fdc_seek_by(f, f->command[2]);
		break;
	case FDC_SEEK_OUT:
		fdc_seek_by(f, -(int)f->command[2]);
		break;
	case FDC_SENSE_INTERRUPT:
		fdc_sense_interrupt(f);
		break;
	case FDC_SENSE_DRIVE:
		fdc_sense_drive(f);
		break;
	case FDC_DUMPREG:
		fdc_dumpreg(f);
		break;
	case FDC_VERSION:
		fdc_begin_result(f, &version, 1);
		break;
	case FDC_LOCK:
	case FDC_UNLOCK:
		fdc_lock(f, f->command[0] == FDC_LOCK);
		break;
	case FDC_SPECIFY:
	case FDC_PERPENDICULAR:
	case FDC_CONFIGURE:
		fdc_set(f);
		break;
	default:
		if ((f->command[0] & FDC_COMMAND_MASK) == FDC_READ_ID)
			fdc_read_id(f);
		else
			fdc_begin_transfer(f);
		break;
	}
}

/* How long the command is that begins with @byte; 0 when there is none. */
static unsigned fdc_command_len(uint8_t byte)
{
	static const struct {
		uint8_t mask, value, len;
	} commands[] = {
		{FDC_COMMAND_MASK, FDC_READ_TRACK, 9},
		{0xff, FDC_SPECIFY, 3},
		{0xff, FDC_SENSE_DRIVE, 2},
		{FDC_COMMAND_MASK, FDC_WRITE, 9},
		{FDC_COMMAND_MASK, FDC_READ, 9},
		{0xff, FDC_RECALIBRATE, 2},
		{0xff, FDC_SENSE_INTERRUPT, 1},
		{FDC_COMMAND_MASK, FDC_WRITE_DELETED, 9},
		{FDC_COMMAND_MASK, FDC_READ_ID, 2},
		{FDC_COMMAND_MASK, FDC_READ_DELETED, 9},
		{FDC_COMMAND_MASK, FDC_FORMAT, 6},
		{0xff, FDC_DUMPREG, 1},
		{0xff, FDC_SEEK, 3},
		{0xff, FDC_VERSION, 1},
		{0xff, FDC_PERPENDICULAR, 2},
		{0xff, FDC_CONFIGURE, 4},
		{0xff, FDC_UNLOCK, 1},
		{FDC_COMMAND_MASK, FDC_VERIFY, 9},
		{0xff, FDC_SEEK_OUT, 3},
		{0xff, FDC_LOCK, 1},
		{0xff, FDC_SEEK_IN, 3},
	};
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if ((byte & commands[i].mask) == commands[i].value)
			return commands[i].len;
	}
	return 0;
}

static void fdc_command_write(struct fdc *f, uint8_t byte)
{
	const uint8_t invalid = ST0_INVALID;
	f->command[f->command_len++] = byte;
	f->phase = FDC_PHASE_COMMAND;
	unsigned len = fdc_command_len(f->command[0]);
	if (!len)
		fdc_begin_result(f, &invalid, 1);
	else if (f->command_len == len)
		fdc_execute(f);
}

static void fdc_fifo_write(struct fdc *f, uint8_t byte)
{
	if (!(f->dor & FDC_DOR_RUNNING))
		return;
	if (f->phase == FDC_PHASE_IDLE || f->phase == FDC_PHASE_COMMAND)
		fdc_command_write(f, byte);
	else if (fdc_is_pio(f) && fdc_is_write(f))
		fdc_pio_write(f, byte);
}

static uint8_t fdc_fifo_read(struct fdc *f)
{
	if (fdc_is_pio(f) && !fdc_is_write(f))
		return fdc_pio_read(f);
	if (f->phase != FDC_PHASE_RESULT)
		return 0;
	uint8_t byte = f->result[f->result_at++];
	fdc_lower(f);
	if (f->result_at == f->result_len)
		f->phase = FDC_PHASE_IDLE;
	return byte;
}

static uint8_t fdc_msr_read(const struct fdc *f)
{
	if (!(f->dor & FDC_DOR_RUNNING))
		return 0;
	switch (f->phase) {
	case FDC_PHASE_COMMAND:
		return MSR_RQM | MSR_BUSY;
	case FDC_PHASE_EXECUTION:
		if (fdc_is_pio(f))
			return MSR_RQM | MSR_NON_DMA | MSR_BUSY | (fdc_is_write(f) ? 0 : MSR_DIO);
		return MSR_BUSY;
	case FDC_PHASE_RESULT:
		return MSR_RQM | MSR_DIO | MSR_BUSY;
	default:
		return MSR_RQM;
	}
}

static uint64_t fdc_read(void *ctx, uint64_t off, unsigned size)
{
	struct fdc *f = ctx;
	(void)size;
	switch (off) {
	case REG_DOR:
		return f->dor;
	case REG_TDR:
		return f->tdr;
	case REG_MSR:
		return fdc_msr_read(f);
	case REG_FIFO:
		return fdc_fifo_read(f);
	default:
		return 0xff;
	}
}

static void fdc_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct fdc *f = ctx;
	uint8_t byte = (uint8_t)value;
	(void)size;
	switch (off) {
	case REG_DOR:
		fdc_dor_write(f, byte);
		break;
	case REG_TDR:
		f->tdr = byte & TDR_MASK;
		break;
	case REG_MSR:
		fdc_dsr_write(f, byte);
		break;
	case REG_FIFO:
		fdc_fifo_write(f, byte);
		break;
	default:
		break;
	}
}

/* The disk change line of the selected drive, which answers while its motor is on. */
static uint64_t fdc_dir_read(void *ctx, uint64_t off, unsigned size)
{
	const struct fdc *f = ctx;
	unsigned unit = f->dor & FDC_DOR_SELECT;
	(void)off, (void)size;
	bool is_on = f->dor >> (4 + unit) & 1;
	return is_on && unit < FDC_DRIVES && f->is_changed[unit] ? DIR_CHANGED : 0;
}

static void fdc_ccr_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct fdc *f = ctx;
	(void)off, (void)size;
	f->rate = value & RATE_MASK;
}

const struct bus_ops fdc_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = fdc_read,
	.write = fdc_write,
};

const struct bus_ops fdc_dir_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = fdc_dir_read,
	.write = fdc_ccr_write,
};

/* The DMA controllers' ports. A transfer may have waited for what is written. */

static uint64_t dma_low_read(void *ctx, uint64_t off, unsigned size)
{
	(void)size;
	return dma8237_read(&((struct fdc *)ctx)->dma, 0, (unsigned)off);
}

static void dma_low_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct fdc *f = ctx;
	(void)size;
	dma8237_write(&f->dma, 0, (unsigned)off, (uint8_t)value);
	fdc_run(f);
}

static uint64_t dma_high_read(void *ctx, uint64_t off, unsigned size)
{
	(void)size;
	return dma8237_read(&((struct fdc *)ctx)->dma, 1, (unsigned)off / 2);
}

static void dma_high_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct fdc *f = ctx;
	(void)size;
	dma8237_write(&f->dma, 1, (unsigned)off / 2, (uint8_t)value);
	fdc_run(f);
}

static uint64_t dma_page_read(void *ctx, uint64_t off, unsigned size)
{
	(void)size;
	return ((struct fdc *)ctx)->dma.page[off + 1];
}

static void dma_page_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	(void)size;
	((struct fdc *)ctx)->dma.page[off + 1] = (uint8_t)value;
}

const struct bus_ops dma_low_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = dma_low_read,
	.write = dma_low_write,
};

const struct bus_ops dma_high_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = dma_high_read,
	.write = dma_high_write,
};

const struct bus_ops dma_page_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = dma_page_read,
	.write = dma_page_write,
};

/* As firmware leaves it: out of reset, nothing to be sensed. */
static void fdc_reset(struct device *dev)
{
	struct fdc *f = (struct fdc *)dev;
	f->is_locked = false;
	f->perpendicular = 0;
	fdc_soft_reset(f);
	f->dor = FDC_DOR_RUNNING | FDC_DOR_DMAGATE;
	f->tdr = 0;
	f->rate = RATE_250K;
	f->id = 0;
	memset(f->command, 0, sizeof(f->command));
	memset(f->result, 0, sizeof(f->result));
	f->result_len = f->result_at = 0;
	memset(f->sense_st0, 0, sizeof(f->sense_st0));
	memset(f->track, 0, sizeof(f->track));
	memset(f->specify, 0, sizeof(f->specify));
	f->t.c = f->t.h = f->t.r = f->t.n = f->t.eot = f->t.left = 0;
	for (unsigned i = 0; i < FDC_DRIVES; i++)
		f->is_changed[i] = f->cfg.drive[i].is_present;
	dma8237_reset(&f->dma);
	fdc_update_irq(f);
}

static void fdc_transfer_state(struct fdc *f, struct state *st)
{
	struct fdc_transfer *t = &f->t;
	uint8_t sector[FDC_SECTOR] = {0};
	if (!state_is_loading(st) && t->pio_len)
		memcpy(sector, t->buffer, sizeof(sector));
	state_u8(st, "C", &t->c);
	state_u8(st, "H", &t->h);
	state_u8(st, "R", &t->r);
	state_u8(st, "N", &t->n);
	state_u8(st, "EOT", &t->eot);
	state_u8(st, "LEFT", &t->left);
	state_u16(st, "FIFO AT", &t->pio_at);
	state_u16(st, "FIFO LENGTH", &t->pio_len);
	state_bytes(st, "FIFO", sector, sizeof(sector));
	if (state_is_loading(st))
		memcpy(t->buffer, sector, sizeof(sector));
}

/* What was loaded is a state that the chip can be in. */
static bool fdc_is_possible(const struct fdc *f)
{
	const struct fdc_transfer *t = &f->t;
	unsigned len = fdc_command_len(f->command[0]);
	switch (f->phase) {
	case FDC_PHASE_IDLE:
		return !f->command_len && !t->pio_len;
	case FDC_PHASE_COMMAND:
		return f->command_len && f->command_len < len && !t->pio_len;
	case FDC_PHASE_EXECUTION:
		return fdc_is_transfer(f) && f->command_len == len && t->pio_len <= FDC_SECTOR &&
		       (t->pio_len ? t->pio_at < t->pio_len : !t->pio_at);
	case FDC_PHASE_RESULT:
		return !f->command_len && f->result_len <= FDC_RESULT_MAX &&
		       f->result_at < f->result_len && !t->pio_len;
	default:
		return false;
	}
}

static void fdc_state(struct device *dev, struct state *st)
{
	struct fdc *f = (struct fdc *)dev;
	if (state_is_loading(st))
		fdc_abort(f);
	state_u8(st, "DOR", &f->dor);
	state_u8(st, "TDR", &f->tdr);
	state_u8(st, "RATE", &f->rate);
	state_u8(st, "PHASE", &f->phase);
	state_bytes(st, "COMMAND", f->command, sizeof(f->command));
	state_u8(st, "COMMAND LENGTH", &f->command_len);
	state_bytes(st, "RESULT", f->result, sizeof(f->result));
	state_u8(st, "RESULT LENGTH", &f->result_len);
	state_u8(st, "RESULT AT", &f->result_at);
	state_bool(st, "INTERRUPT", &f->is_irq);
	state_u8(st, "SENSES", &f->senses);
	state_bytes(st, "SENSE ST0", f->sense_st0, sizeof(f->sense_st0));
	state_bytes(st, "PCN", f->track, sizeof(f->track));
	state_bytes(st, "SPECIFY", f->specify, sizeof(f->specify));
	state_u8(st, "CONFIGURE", &f->configure);
	state_u8(st, "PRETRK", &f->pretrk);
	state_u8(st, "PERPENDICULAR", &f->perpendicular);
	state_bool(st, "LOCK", &f->is_locked);
	for (unsigned i = 0; i < FDC_DRIVES; i++)
		state_bool(st, "DSKCHG", &f->is_changed[i]);
	state_u8(st, "ID", &f->id);
	fdc_transfer_state(f, st);
	dma8237_state(&f->dma, st);
	if (!state_is_loading(st))
		return;
	f->tdr &= TDR_MASK;
	f->rate &= RATE_MASK;
	f->senses &= 0x0f;
	if (!fdc_is_possible(f)) {
		f->t.pio_at = f->t.pio_len = 0;
		fdc_end_command(f);
		state_fail(st, "the floppy controller is in no possible state");
	}
	fdc_update_irq(f);
}

static void fdc_drain(struct fdc *f)
{
	for (unsigned i = 0; i < FDC_DRIVES; i++) {
		struct block *blk = f->cfg.drive[i].blk;
		if (blk)
			blk->ops->drain(blk);
	}
}

static void fdc_quiesce(struct device *dev)
{
	fdc_drain((struct fdc *)dev);
}

static void fdc_resume(struct device *dev)
{
	fdc_run((struct fdc *)dev);
}

static void fdc_destroy(struct device *dev)
{
	struct fdc *f = (struct fdc *)dev;
	fdc_abort(f);
	fdc_drain(f);
	free(f);
}

static const struct device_ops fdc_ops = {
	.type = "82077AA",
	.version = 1,
	.reset = fdc_reset,
	.state = fdc_state,
	.quiesce = fdc_quiesce,
	.resume = fdc_resume,
	.destroy = fdc_destroy,
};

static bool fdc_is_geometry(const struct floppy_geometry *g)
{
	return g->cylinders >= 1 && g->cylinders <= 84 && g->heads >= 1 && g->heads <= 2 &&
	       g->sectors >= 1 && g->sectors <= FDC_SECTORS_MAX;
}

int fdc_create(struct device **ret_dev, const struct fdc_config *cfg)
{
	for (unsigned i = 0; i < FDC_DRIVES; i++) {
		if (cfg->drive[i].blk && !fdc_is_geometry(&cfg->drive[i].geometry))
			return -EINVAL;
	}
	struct fdc *f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	device_init(&f->dev, &fdc_ops, "fdc");
	f->cfg = *cfg;
	f->dma.gm = cfg->gm;
	fdc_reset(&f->dev);
	*ret_dev = &f->dev;
	return 0;
}
