/* Between the files of the IDE controller. */
#ifndef IDE_H
#define IDE_H

#include <stddef.h>
#include <sys/uio.h>
#include <tinyvm/block.h>
#include <tinyvm/ide.h>
#include <tinyvm/pci.h>

#define IDE_SECTOR	 512u
#define IDE_CD_BLOCK	 2048u
#define IDE_BUFFER	 65536u
#define IDE_IOV_MAX	 256u
#define IDE_REQUEST_MAX	 (1u << 20) /* bytes that one request of a bus master transfer moves */
#define IDE_MULTIPLE_MAX 16u
#define IDE_PACKET	 12u

/* Status register (ATA/ATAPI-6, 7.15) */
#define IDE_BSY	 0x80
#define IDE_DRDY 0x40
#define IDE_DSC	 0x10 /* also SERV */
#define IDE_DRQ	 0x08
#define IDE_ERR	 0x01 /* of a packet command: CHK */

/* Error register */
#define IDE_ABRT 0x04
#define IDE_IDNF 0x10
#define IDE_UNC	 0x40

/* Device register */
#define IDE_DEV1 0x10
#define IDE_LBA	 0x40

/* Control register */
#define IDE_NIEN 0x02
#define IDE_SRST 0x04
#define IDE_HOB	 0x80

/* Interrupt reason register of a packet command */
#define IDE_CD 0x01
#define IDE_IO 0x02

/* Bus master registers (82371SB, 2.7) */
#define IDE_BM_START	 0x01
#define IDE_BM_TO_MEMORY 0x08
#define IDE_BM_ACTIVE	 0x01
#define IDE_BM_ERROR	 0x02
#define IDE_BM_INTERRUPT 0x04
#define IDE_BM_CAPABLE	 0x60
#define IDE_PRD_LAST	 0x80000000u

struct ide;
struct ide_channel;

/**
 * struct ide_unit - a drive
 * @feature to @lba_high: task file; [1] is what was written before, for 48-bit commands
 * @heads, @sectors: as INITIALIZE DEVICE PARAMETERS left them
 * @multiple: sectors per interrupt of READ and WRITE MULTIPLE, 0: not set
 * @transfer_mode: SET FEATURES 03h
 * @sense_key, @sense_code: of the last failed packet command (asc << 8 | ascq)
 */
struct ide_unit {
	struct ide_drive drive;
	uint8_t feature[2], count[2], lba_low[2], lba_mid[2], lba_high[2];
	uint8_t error, status;
	uint8_t heads, sectors, multiple, transfer_mode;
	uint8_t sense_key;
	uint16_t sense_code;
};

enum ide_phase {
	IDE_IDLE,
	IDE_DATA_IN,   /* the guest reads the buffer */
	IDE_DATA_OUT,  /* the guest fills it */
	IDE_COMMAND,   /* the guest writes a packet */
	IDE_DMA_READY, /* the bus master has not been started */
	IDE_WAITING,   /* for the disk */
};

/**
 * struct ide_prd - where a bus master transfer is in its table
 * @next: guest physical address of the next entry
 * @addr, @left: of the entry begun
 * @is_last: it is the table's last
 */
struct ide_prd {
	uint32_t next, addr, left;
	bool is_last;
};

/**
 * struct ide_channel - one cable
 * @device, @control: the registers that both drives share
 * @command: being carried out
 * @lba:     of the next sector (block) to be moved; @left: how many are still to be moved. 0 in
 *           IDE_DMA_READY: what goes by the bus master are the @len bytes in @buf
 * @per_turn: sectors between two interrupts of a PIO transfer
 * @buf:     the guest reads or fills @at to @turn_end; @len bytes are in it
 * @limit:   packet commands: bytes between two interrupts
 * @is_dma:  the data of this command goes by the bus master
 * @moving:  bytes that @req moves
 * @is_stepping, @has_stepped: a request of a bus master transfer is being submitted; it has
 * completed
 */
struct ide_channel {
	struct ide *ide;
	unsigned index;
	struct ide_unit unit[2];
	uint8_t device, control, command;
	bool is_interrupting;
	enum ide_phase phase;
	uint64_t lba;
	uint32_t left;
	uint32_t per_turn;
	uint32_t at, turn_end, len, limit;
	bool is_dma, is_write, is_ext;
	bool is_stepping, has_stepped;
	uint8_t packet[IDE_PACKET];
	uint8_t bm_command, bm_status;
	uint32_t bm_table;
	struct ide_prd prd;
	struct block_req req;
	uint64_t moving;
	struct iovec iov[IDE_IOV_MAX];
	uint8_t buf[IDE_BUFFER];
};

/**
 * struct ide - the controller
 */
struct ide {
	struct device dev;
	struct gmem *gm;
	struct irq_line irq[IDE_CHANNELS];
	struct pci_func func;
	uint64_t refused;
	struct ide_channel channel[IDE_CHANNELS];
};

static inline struct ide_unit *ide_selected(struct ide_channel *c)
{
	return &c->unit[c->device & IDE_DEV1 ? 1 : 0];
}

static inline bool ide_is_there(const struct ide_unit *u)
{
	return u->drive.blk != NULL;
}

/* ide.c */
void ide_raise(struct ide_channel *c);
void ide_lower(struct ide_channel *c);
void ide_drive_irq(struct ide_channel *c);

/* The command is over; with @error bits it has failed. Interrupts. */
void ide_finish(struct ide_channel *c, uint8_t error);

/* What a drive's registers hold after a reset, and after DEVICE RESET or a diagnostic. */
void ide_sign(struct ide_unit *u);

/* ide_ata.c: a command byte for a disk, or one that both kinds know. */
void ide_ata_command(struct ide_channel *c, uint8_t command);

/* ide_atapi.c */
void ide_atapi_identify(struct ide_channel *c);
void ide_atapi_packet(struct ide_channel *c); /* PACKET was written */
void ide_atapi_run(struct ide_channel *c);    /* the packet is complete */

/* More data of a packet command for the guest, or its end. */
void ide_atapi_continue(struct ide_channel *c);

/* Fails the packet command with a sense key and code (asc << 8 | ascq). */
void ide_atapi_fail(struct ide_channel *c, uint8_t key, uint16_t code);

/*
 * ide_transfer.c. A transfer of @left sectors (or CD blocks) from @lba on, whose command, direction
 * and way (@is_dma, @per_turn) the channel already knows.
 */
void ide_transfer_start(struct ide_channel *c);

/* The guest has had, or has given, the bytes up to @turn_end. */
void ide_transfer_turn(struct ide_channel *c);

/* @len bytes in @buf for the guest, by either way, and then the command is over. */
void ide_transfer_buffer(struct ide_channel *c, uint32_t len);

/* A request without data, then the command is over. */
void ide_transfer_flush(struct ide_channel *c);

/* ide_bm.c */
extern const struct bus_ops ide_bm_bus_ops;
void ide_bm_reset(struct ide_channel *c);

/* The bus master's end of a transfer: it has been told to go, and which way. */
bool ide_bm_is_started(const struct ide_channel *c);
void ide_bm_rewind(struct ide_channel *c);

/*
 * The windows of guest memory for the next up to @want bytes, a multiple of @unit, in c->iov.
 * Return: entries used, with @ret_len bytes; 0 when the table has no room for a unit, or names what
 * is no memory.
 */
unsigned ide_bm_gather(struct ide_channel *c, uint32_t unit, uint64_t want, uint64_t *ret_len);

/* Copies @len bytes of c->buf to where the table says. Return: whether there was room. */
bool ide_bm_copy(struct ide_channel *c, uint32_t len);

/* The transfer is over. */
void ide_bm_finish(struct ide_channel *c, bool is_error);

#endif
