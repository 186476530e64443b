/*
 * Packets of a CD drive with a data disc of one track: SFF 8020i, MMC-3, SPC-2.
 *
 * Left out on purpose: audio, writing, changing the disc, raw sectors with their headers.
 */
#include "ide.h"

#include <string.h>

#define REQUEST_SENSE  0x03
#define KEY_ILLEGAL    5
#define CODE_OPCODE    0x2000
#define CODE_LBA       0x2100
#define CODE_FIELD     0x2400
#define PROFILE_CD_ROM 0x0008
#define FRAMES_PER_S   75u
#define FIRST_FRAME    150u /* LBA 0 is 00:02.00 */
#define TRACK_LEAD_OUT 0xaa
#define DEFAULT_LIMIT  0xfffeu

static uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_be16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void put_be32(uint8_t *p, uint32_t value)
{
	put_be16(p, (uint16_t)(value >> 16));
	put_be16(p + 2, (uint16_t)value);
}

static uint32_t atapi_blocks(const struct ide_unit *u)
{
	uint64_t n = u->drive.blk->size / IDE_CD_BLOCK;
	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* The command is over: its status, and why it interrupts. */
static void atapi_end(struct ide_channel *c, bool is_failed)
{
	struct ide_unit *u = ide_selected(c);
	c->left = 0;
	ide_finish(c, 0);
	u->count[0] = IDE_CD | IDE_IO;
	if (is_failed) {
		u->error = (uint8_t)(u->sense_key << 4 | IDE_ABRT);
		u->status |= IDE_ERR;
	}
}

void ide_atapi_fail(struct ide_channel *c, uint8_t key, uint16_t code)
{
	struct ide_unit *u = ide_selected(c);
	u->sense_key = key;
	u->sense_code = code;
	atapi_end(c, true);
}

void ide_atapi_continue(struct ide_channel *c)
{
	atapi_end(c, false);
}

/* Answers with @len bytes of the buffer, or as many as the guest @wants. */
static void atapi_answer(struct ide_channel *c, uint32_t len, uint32_t wants)
{
	if (len > wants)
		len = wants;
	if (len)
		ide_transfer_buffer(c, len);
	else
		atapi_end(c, false);
}

void ide_atapi_packet(struct ide_channel *c)
{
	struct ide_unit *u = ide_selected(c);
	c->is_dma = u->feature[0] & 1;
	c->limit = u->lba_mid[0] | (uint32_t)u->lba_high[0] << 8;
	/* Odd limits are possible only for the last piece; 0 and FFFFh mean the most there is. */
	if (c->limit == 0 || c->limit == 0xffff)
		c->limit = DEFAULT_LIMIT;
	if (c->limit > 1)
		c->limit &= ~1u;
	c->at = 0;
	c->turn_end = c->len = IDE_PACKET;
	c->phase = IDE_COMMAND;
	u->count[0] = IDE_CD;
	u->status = IDE_DRDY | IDE_DSC | IDE_DRQ; /* no interrupt: identify data say so */
}

static void atapi_sense(struct ide_channel *c)
{
	struct ide_unit *u = ide_selected(c);
	memset(c->buf, 0, 18);
	c->buf[0] = 0xf0; /* current error, with information */
	c->buf[2] = u->sense_key;
	c->buf[7] = 10;
	put_be16(c->buf + 12, u->sense_code);
	u->sense_key = 0;
	u->sense_code = 0;
	atapi_answer(c, 18, c->packet[4]);
}

static void atapi_inquiry(struct ide_channel *c)
{
	memset(c->buf, 0, 36);
	c->buf[0] = 5;	  /* CD-ROM */
	c->buf[1] = 0x80; /* removable */
	c->buf[3] = 0x21; /* ATAPI */
	c->buf[4] = 31;
	memcpy(c->buf + 8, "tinyvm  CD-ROM          1.0 ", 28);
	atapi_answer(c, 36, c->packet[4]);
}

static void atapi_read(struct ide_channel *c, uint32_t lba, uint32_t count)
{
	uint32_t blocks = atapi_blocks(ide_selected(c));
	if (lba > blocks || count > blocks - lba) {
		ide_atapi_fail(c, KEY_ILLEGAL, CODE_LBA);
		return;
	}
	if (!count) {
		atapi_end(c, false);
		return;
	}
	c->lba = lba;
	c->left = count;
	ide_transfer_start(c);
}

/* READ CD: user data only; the fields that would ask for more are refused. */
static void atapi_read_cd(struct ide_channel *c)
{
	uint32_t count = (uint32_t)c->packet[6] << 16 | get_be16(c->packet + 7);
	uint8_t fields = c->packet[9] & 0xf8;
	if (fields == 0)
		atapi_end(c, false);
	else if (fields == 0x10)
		atapi_read(c, get_be32(c->packet + 2), count);
	else
		ide_atapi_fail(c, KEY_ILLEGAL, CODE_FIELD);
}

static void atapi_put_address(uint8_t *p, uint32_t lba, bool is_msf)
{
	if (is_msf) {
		uint32_t frame = lba + FIRST_FRAME;
		p[0] = 0;
		p[1] = (uint8_t)(frame / FRAMES_PER_S / 60);
		p[2] = (uint8_t)(frame / FRAMES_PER_S % 60);
		p[3] = (uint8_t)(frame % FRAMES_PER_S);
	} else {
		put_be32(p, lba);
	}
}

static unsigned atapi_put_track(uint8_t *p, uint8_t track, uint32_t lba, bool is_msf)
{
	p[0] = 0;
	p[1] = 0x14; /* data track */
	p[2] = track;
	p[3] = 0;
	atapi_put_address(p + 4, lba, is_msf);
	return 8;
}

static void atapi_read_toc(struct ide_channel *c)
{
	bool is_msf = c->packet[1] & 2;
	uint8_t format = c->packet[2] & 0x0f, first = c->packet[6];
	uint32_t blocks = atapi_blocks(ide_selected(c));
	unsigned len = 4;
	if (!format)
		format = c->packet[9] >> 6; /* where SFF 8020i had it */
	memset(c->buf, 0, 64);
	c->buf[2] = c->buf[3] = 1;
	switch (format) {
	case 0:
		if (first > 1 && first != TRACK_LEAD_OUT) {
			ide_atapi_fail(c, KEY_ILLEGAL, CODE_FIELD);
			return;
		}
		if (first <= 1)
			len += atapi_put_track(c->buf + len, 1, 0, is_msf);
		len += atapi_put_track(c->buf + len, TRACK_LEAD_OUT, blocks, is_msf);
		break;
	case 1: /* one session */
		len += atapi_put_track(c->buf + len, 1, 0, is_msf);
		break;
	default:
		ide_atapi_fail(c, KEY_ILLEGAL, CODE_FIELD);
		return;
	}
	put_be16(c->buf, (uint16_t)(len - 2));
	atapi_answer(c, len, get_be16(c->packet + 7));
}

static void atapi_get_configuration(struct ide_channel *c)
{
	/* Profile list with CD-ROM, core: the least that MMC-3 asks for. */
	static const uint8_t features[] = {0, 0, 3, 4, 0, PROFILE_CD_ROM, 1, 0, 0, 1, 3,
					   4, 0, 0, 0, 2};
	memset(c->buf, 0, 8);
	put_be32(c->buf, 4 + sizeof(features));
	put_be16(c->buf + 6, PROFILE_CD_ROM);
	memcpy(c->buf + 8, features, sizeof(features));
	atapi_answer(c, 8 + sizeof(features), get_be16(c->packet + 7));
}

static void atapi_event_status(struct ide_channel *c)
{
	memset(c->buf, 0, 8);
	if (!(c->packet[1] & 1)) { /* notifications by interrupt: there are none */
		ide_atapi_fail(c, KEY_ILLEGAL, CODE_FIELD);
		return;
	}
	bool is_media_wanted = c->packet[4] & 0x10;
	put_be16(c->buf, is_media_wanted ? 6 : 2);
	c->buf[2] = is_media_wanted ? 4 : 0x80;
	c->buf[3] = 0x10; /* the class that there is */
	c->buf[5] = 2;	  /* a disc is in */
	atapi_answer(c, is_media_wanted ? 8 : 4, get_be16(c->packet + 7));
}

/* The capabilities page, and the error recovery page. */
static void atapi_mode_sense(struct ide_channel *c, bool is_long)
{
	uint8_t page = c->packet[2] & 0x3f;
	unsigned len = is_long ? 8 : 4;
	memset(c->buf, 0, 64);
	if (page == 0x01 || page == 0x3f) {
		c->buf[len] = 0x01;
		c->buf[len + 1] = 6;
		len += 8;
	}
	if (page == 0x2a || page == 0x3f) {
		uint8_t *p = c->buf + len;
		p[0] = 0x2a;
		p[1] = 18;
		p[2] = 0x03; /* reads CD-R and CD-RW */
		p[4] = 0x70; /* mode 2 forms, multisession */
		p[6] = 0x29; /* tray, ejects, locks */
		put_be16(p + 8, 2822);
		put_be16(p + 14, 2822);
		len += 20;
	}
	if (len == (is_long ? 8u : 4u)) {
		ide_atapi_fail(c, KEY_ILLEGAL, CODE_FIELD);
		return;
	}
	if (is_long)
		put_be16(c->buf, (uint16_t)(len - 2));
	else
		c->buf[0] = (uint8_t)(len - 1);
	c->buf[is_long ? 2 : 1] = 0x01; /* a 120 mm data disc */
	atapi_answer(c, len, is_long ? get_be16(c->packet + 7) : c->packet[4]);
}

static void atapi_capacity(struct ide_channel *c)
{
	put_be32(c->buf, atapi_blocks(ide_selected(c)) - 1);
	put_be32(c->buf + 4, IDE_CD_BLOCK);
	atapi_answer(c, 8, 8);
}

static void atapi_disc_information(struct ide_channel *c)
{
	memset(c->buf, 0, 34);
	put_be16(c->buf, 32);
	c->buf[2] = 0x0e; /* complete, last session complete */
	c->buf[3] = c->buf[4] = c->buf[5] = c->buf[6] = 1;
	c->buf[7] = 0x20;
	memset(c->buf + 16, 0xff, 8);
	atapi_answer(c, 34, get_be16(c->packet + 7));
}

static void atapi_mechanism_status(struct ide_channel *c)
{
	memset(c->buf, 0, 8);
	c->buf[5] = 1;
	atapi_answer(c, 8, get_be16(c->packet + 8));
}

static void atapi_subchannel(struct ide_channel *c)
{
	memset(c->buf, 0, 4);
	c->buf[1] = 0x15; /* no audio status */
	atapi_answer(c, 4, get_be16(c->packet + 7));
}

/* What went wrong with a packet is forgotten with the next, but for the one that asks. */
static void atapi_forget_sense(struct ide_channel *c)
{
	struct ide_unit *u = ide_selected(c);
	if (c->packet[0] == REQUEST_SENSE)
		return;
	u->sense_key = 0;
	u->sense_code = 0;
}

void ide_atapi_run(struct ide_channel *c)
{
	const uint8_t *p = c->packet;
	c->is_write = false;
	atapi_forget_sense(c);
	switch (p[0]) {
	case 0x00: /* TEST UNIT READY */
	case 0x1b: /* START STOP UNIT: the disc stays in */
	case 0x1e: /* PREVENT ALLOW MEDIUM REMOVAL */
	case 0x2b: /* SEEK */
	case 0xbb: /* SET CD SPEED */
		atapi_end(c, false);
		break;
	case REQUEST_SENSE:
		atapi_sense(c);
		break;
	case 0x12:
		atapi_inquiry(c);
		break;
	case 0x1a:
		atapi_mode_sense(c, false);
		break;
	case 0x5a:
		atapi_mode_sense(c, true);
		break;
	case 0x25:
		atapi_capacity(c);
		break;
	case 0x28:
		atapi_read(c, get_be32(p + 2), get_be16(p + 7));
		break;
	case 0xa8:
		atapi_read(c, get_be32(p + 2), get_be32(p + 6));
		break;
	case 0xbe:
		atapi_read_cd(c);
		break;
	case 0x42:
		atapi_subchannel(c);
		break;
	case 0x43:
		atapi_read_toc(c);
		break;
	case 0x46:
		atapi_get_configuration(c);
		break;
	case 0x4a:
		atapi_event_status(c);
		break;
	case 0x51:
		atapi_disc_information(c);
		break;
	case 0xbd:
		atapi_mechanism_status(c);
		break;
	default:
		ide_atapi_fail(c, KEY_ILLEGAL, CODE_OPCODE);
		break;
	}
}
