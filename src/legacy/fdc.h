/* Between the files of the floppy controller: its registers, and the transfer it is at. */
#ifndef FDC_H
#define FDC_H

#include "dma8237.h"

#include <tinyvm/block.h>
#include <tinyvm/floppy.h>

#define FDC_SECTOR	512
#define FDC_SECTOR_CODE 2
#define FDC_SECTORS_MAX 36
#define FDC_COMMAND_MAX 9
#define FDC_RESULT_MAX	10
#define FDC_UNITS	4 /* that commands can name */

#define FDC_DOR_SELECT	0x03
#define FDC_DOR_RUNNING 0x04 /* not held in reset */
#define FDC_DOR_DMAGATE 0x08 /* interrupt and DMA pass */

/* Command bytes, without the bits that modify them. */
enum {
	FDC_READ_TRACK = 0x02,
	FDC_SPECIFY = 0x03,
	FDC_SENSE_DRIVE = 0x04,
	FDC_WRITE = 0x05,
	FDC_READ = 0x06,
	FDC_RECALIBRATE = 0x07,
	FDC_SENSE_INTERRUPT = 0x08,
	FDC_WRITE_DELETED = 0x09,
	FDC_READ_ID = 0x0a,
	FDC_READ_DELETED = 0x0c,
	FDC_FORMAT = 0x0d,
	FDC_DUMPREG = 0x0e,
	FDC_SEEK = 0x0f,
	FDC_VERSION = 0x10,
	FDC_PERPENDICULAR = 0x12,
	FDC_CONFIGURE = 0x13,
	FDC_UNLOCK = 0x14,
	FDC_VERIFY = 0x16,
	FDC_SEEK_OUT = 0x8f,
	FDC_LOCK = 0x94,
	FDC_SEEK_IN = 0xcf,
};
#define FDC_COMMAND_MASK 0x1f
#define FDC_MT		 0x80
#define FDC_MFM		 0x40
#define FDC_SK		 0x20

/* Status bytes of results. */
#define FDC_ST0_ABNORMAL 0x40
#define FDC_ST0_SEEK_END 0x20
#define FDC_ST0_NO_TRACK 0x10 /* equipment check: no track 0 */
#define FDC_ST1_END	 0x80 /* of cylinder */
#define FDC_ST1_DATA	 0x20
#define FDC_ST1_NO_DATA	 0x04
#define FDC_ST1_READONLY 0x02
#define FDC_ST1_NO_MARK	 0x01
#define FDC_ST2_DELETED	 0x40 /* control mark */
#define FDC_ST2_DATA	 0x20
#define FDC_ST2_CYLINDER 0x10 /* another one than asked for */

enum fdc_phase {
	FDC_PHASE_IDLE,
	FDC_PHASE_COMMAND,
	FDC_PHASE_EXECUTION,
	FDC_PHASE_RESULT,
};

/**
 * struct fdc_transfer - a data command at work
 * @c, @h, @r, @n: ID of the next sector
 * @eot:    last sector of a track; of a format the sectors to come
 * @left:   sectors that VERIFY still counts, when it does
 * @count:  sectors of the piece that is with the disk
 * @is_last: the DMA controller has ended the transfer with that piece
 * @pio_at, @pio_len: where the guest is in @buffer, without DMA; both 0 while it is not its turn
 */
struct fdc_transfer {
	uint8_t c, h, r, n;
	uint8_t eot;
	uint8_t left;
	unsigned count;
	bool is_last;
	uint16_t pio_at, pio_len;
	uint8_t buffer[FDC_SECTORS_MAX * FDC_SECTOR];
};

/**
 * struct fdc - the controller
 * @dor, @tdr: registers; @rate: of data, the low bits of DSR and CCR
 * @command, @command_len: bytes of it so far
 * @result, @result_len, @result_at: bytes of it and how many were read
 * @is_irq: an interrupt is pending; @is_irq_high: the level of the wire
 * @senses: units with something for SENSE INTERRUPT: @sense_st0
 * @track:  where each unit's head is
 * @specify, @configure, @pretrk, @perpendicular, @is_locked: what the commands of these names set
 * @is_changed: the disk change line of each drive
 * @id:     sector that READ ID found last
 * @req, @iov: the request that is with the disk while @is_in_flight; its result is nobody's any
 *          more when @is_stale, else in @req_result once @has_result
 * @is_running: inside fdc_run()
 */
struct fdc {
	struct device dev;
	struct fdc_config cfg;
	struct dma8237 dma;
	uint8_t dor, tdr, rate;
	uint8_t phase;
	uint8_t command[FDC_COMMAND_MAX];
	uint8_t command_len;
	uint8_t result[FDC_RESULT_MAX];
	uint8_t result_len, result_at;
	bool is_irq, is_irq_high;
	uint8_t senses;
	uint8_t sense_st0[FDC_UNITS];
	uint8_t track[FDC_UNITS];
	uint8_t specify[2];
	uint8_t configure, pretrk, perpendicular;
	bool is_locked;
	bool is_changed[FDC_DRIVES];
	uint8_t id;
	struct fdc_transfer t;
	struct block_req req;
	struct iovec iov;
	bool is_in_flight, is_stale, has_result, is_running;
	int req_result;
};

static inline unsigned fdc_unit(const struct fdc *f)
{
	return f->command[1] & 3;
}
static inline unsigned fdc_head(const struct fdc *f)
{
	return f->command[1] >> 2 & 1;
}

/* The drive that the command names; NULL when there is none. */
const struct fdc_drive *fdc_drive(const struct fdc *f);

void fdc_raise(struct fdc *f);
void fdc_lower(struct fdc *f);
void fdc_begin_result(struct fdc *f, const uint8_t *result, unsigned len);
void fdc_seek(struct fdc *f, unsigned track);

/* Starts the data command that has arrived. */
void fdc_begin_transfer(struct fdc *f);
/* READ ID, which moves no data. */
void fdc_read_id(struct fdc *f);
/* Goes on with the command as far as it can without guest, DMA controller or disk. */
void fdc_run(struct fdc *f);
/* Forgets the command; what is with the disk is finished and then ignored. */
void fdc_abort(struct fdc *f);
/* The guest's turn in a transfer without DMA. */
bool fdc_is_pio(const struct fdc *f);
bool fdc_is_write(const struct fdc *f);
/* The command that has arrived moves data. */
bool fdc_is_transfer(const struct fdc *f);
uint8_t fdc_pio_read(struct fdc *f);
void fdc_pio_write(struct fdc *f, uint8_t byte);

#endif
