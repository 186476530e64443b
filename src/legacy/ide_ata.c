/* Commands of a disk (ATA/ATAPI-6, clause 8), and those that every drive knows. */
#include "ide.h"

#include <stdio.h>
#include <string.h>

#define CYLINDERS_MAX 16383u
#define LBA28_MAX     0x0fffffffu
#define FEATURE_MODE  0x03

static uint64_t ata_sectors(const struct ide_unit *u)
{
	return u->drive.blk->size / IDE_SECTOR;
}

/* Bytes of a string go to words with the first character in the high byte. */
static void ata_put_text(uint16_t *word, unsigned words, const char *text)
{
	char padded[41];
	snprintf(padded, sizeof(padded), "%-40s", text);
	for (unsigned i = 0; i < words; i++)
		word[i] = (uint16_t)((uint8_t)padded[2 * i] << 8 | (uint8_t)padded[2 * i + 1]);
}

static uint32_t ata_current_cylinders(const struct ide_unit *u)
{
	uint64_t n = u->heads && u->sectors ? ata_sectors(u) / (u->heads * u->sectors) : 0;
	return n > CYLINDERS_MAX ? CYLINDERS_MAX : (uint32_t)n;
}

/* IDENTIFY DEVICE data of both kinds: what they have in common. */
static void ata_identify_common(const struct ide_unit *u, uint16_t w[256])
{
	ata_put_text(&w[10], 10, u->drive.serial);
	ata_put_text(&w[23], 4, "1.0");
	ata_put_text(&w[27], 20, u->drive.is_cd ? "tinyvm CD-ROM" : "tinyvm disk");
	w[49] = 0x0300; /* LBA, DMA */
	w[53] = 0x0007;
	w[63] = 0x0007; /* multiword DMA 0-2 */
	w[64] = 0x0003; /* PIO 3 and 4 */
	w[65] = w[66] = w[67] = w[68] = 120;
	w[80] = 0x007e; /* up to ATA/ATAPI-6 */
	w[88] = 0x0007; /* Ultra DMA 0-2: what a PIIX3 can do and a little more */
	if ((u->transfer_mode & 0xf8) == 0x20)
		w[63] |= (uint16_t)(0x100 << (u->transfer_mode & 7));
	if ((u->transfer_mode & 0xf8) == 0x40)
		w[88] |= (uint16_t)(0x100 << (u->transfer_mode & 7));
}

static void ata_identify(struct ide_channel *c)
{
	const struct ide_unit *u = ide_selected(c);
	uint64_t sectors = ata_sectors(u);
	uint32_t lba28 = sectors > LBA28_MAX ? LBA28_MAX : (uint32_t)sectors;
	uint16_t w[256] = {0};

	ata_identify_common(u, w);
	w[0] = 0x0040; /* fixed drive */
	w[1] = (uint16_t)u->drive.cylinders;
	w[3] = (uint16_t)u->drive.heads;
	w[6] = (uint16_t)u->drive.sectors;
	w[47] = 0x8000 | IDE_MULTIPLE_MAX;
	w[48] = 1; /* dword accesses to the data port */
	w[54] = (uint16_t)ata_current_cylinders(u);
	w[55] = u->heads;
	w[56] = u->sectors;
	uint32_t chs = (uint32_t)w[54] * w[55] * w[56];
	w[57] = (uint16_t)chs;
	w[58] = (uint16_t)(chs >> 16);
	w[59] = u->multiple ? 0x0100 | u->multiple : 0;
	w[60] = (uint16_t)lba28;
	w[61] = (uint16_t)(lba28 >> 16);
	w[82] = 0x4020; /* NOP, write cache */
	w[83] = 0x7400; /* FLUSH CACHE and EXT, 48 bit */
	w[84] = 0x4000;
	w[85] = 0x4020;
	w[86] = 0x3400;
	w[87] = 0x4000;
	for (unsigned i = 0; i < 4; i++)
		w[100 + i] = (uint16_t)(sectors >> 16 * i);
	memcpy(c->buf, w, sizeof(w));
	c->per_turn = 1;
	ide_transfer_buffer(c, sizeof(w));
}

void ide_atapi_identify(struct ide_channel *c)
{
	uint16_t w[256] = {0};
	ata_identify_common(ide_selected(c), w);
	w[0] = 0x85c0; /* packet device, CD-ROM, removable, 12-byte packets, DRQ within 50 us */
	w[49] |= 0x0800;
	w[82] = 0x4210; /* NOP, DEVICE RESET, PACKET */
	w[83] = 0x4000;
	w[84] = 0x4000;
	w[85] = 0x4210;
	w[87] = 0x4000;
	memcpy(c->buf, w, sizeof(w));
	c->limit = sizeof(w);
	ide_transfer_buffer(c, sizeof(w));
}

/* The first sector that the task file names, or false when there is no such address. */
static bool ata_address(const struct ide_channel *c, const struct ide_unit *u, uint64_t *ret_lba)
{
	uint64_t low =
		u->lba_low[0] | (uint64_t)u->lba_mid[0] << 8 | (uint64_t)u->lba_high[0] << 16;
	unsigned head = c->device & 0x0f;
	if (c->is_ext) {
		*ret_lba = low | (uint64_t)u->lba_low[1] << 24 | (uint64_t)u->lba_mid[1] << 32 |
			   (uint64_t)u->lba_high[1] << 40;
	} else if (c->device & IDE_LBA) {
		*ret_lba = low | (uint64_t)head << 24;
	} else {
		unsigned cylinder = (unsigned)u->lba_mid[0] | (unsigned)u->lba_high[0] << 8;
		if (!u->lba_low[0] || u->lba_low[0] > u->sectors || head >= u->heads)
			return false;
		*ret_lba = ((uint64_t)cylinder * u->heads + head) * u->sectors + u->lba_low[0] - 1;
	}
	return true;
}

static uint32_t ata_count(const struct ide_channel *c, const struct ide_unit *u)
{
	if (c->is_ext) {
		uint32_t n = u->count[0] | (uint32_t)u->count[1] << 8;
		return n ? n : 0x10000;
	}
	return u->count[0] ? u->count[0] : 0x100;
}

/* Looks where a command wants to go. False: it has been refused. */
static bool ata_aim(struct ide_channel *c)
{
	struct ide_unit *u = ide_selected(c);
	uint64_t sectors = ata_sectors(u);
	c->left = ata_count(c, u);
	if (ata_address(c, u, &c->lba) && c->lba < sectors && c->left <= sectors - c->lba)
		return true;
	ide_finish(c, IDE_IDNF);
	return false;
}

static void ata_transfer(struct ide_channel *c, bool is_write, unsigned per_turn)
{
	c->is_write = is_write;
	c->is_dma = per_turn == 0;
	c->per_turn = per_turn;
	if (is_write && ide_selected(c)->drive.blk->is_readonly)
		ide_finish(c, IDE_ABRT);
	else if (ata_aim(c))
		ide_transfer_start(c);
}

static void ata_multiple(struct ide_channel *c, bool is_write)
{
	unsigned n = ide_selected(c)->multiple;
	if (n)
		ata_transfer(c, is_write, n);
	else
		ide_finish(c, IDE_ABRT);
}

static void ata_set_multiple(struct ide_channel *c)
{
	struct ide_unit *u = ide_selected(c);
	unsigned n = u->count[0];
	bool is_good = n <= IDE_MULTIPLE_MAX && (n & (n - 1)) == 0;
	if (is_good)
		u->multiple = (uint8_t)n;
	ide_finish(c, is_good ? 0 : IDE_ABRT);
}

static void ata_set_geometry(struct ide_channel *c)
{
	struct ide_unit *u = ide_selected(c);
	if (!u->count[0]) {
		ide_finish(c, IDE_ABRT);
		return;
	}
	u->heads = (uint8_t)((c->device & 0x0f) + 1);
	u->sectors = u->count[0];
	ide_finish(c, 0);
}

static void ata_set_features(struct ide_channel *c)
{
	struct ide_unit *u = ide_selected(c);
	switch (u->feature[0]) {
	case FEATURE_MODE: {
		uint8_t mode = u->count[0];
		bool is_good = mode <= 0x01 || (mode >= 0x08 && mode <= 0x0c) ||
			       (mode >= 0x20 && mode <= 0x22) || (mode >= 0x40 && mode <= 0x42);
		if (is_good)
			u->transfer_mode = mode;
		ide_finish(c, is_good ? 0 : IDE_ABRT);
		break;
	}
	case 0x02: /* write cache on */
	case 0x55: /* read look-ahead off */
	case 0x66: /* keep settings over a software reset */
	case 0xaa: /* read look-ahead on */
	case 0xcc:
		ide_finish(c, 0);
		break;
	default: /* what is on cannot be switched off, either: 82h would have to write through */
		ide_finish(c, IDE_ABRT);
		break;
	}
}

static void ata_native_max(struct ide_channel *c)
{
	struct ide_unit *u = ide_selected(c);
	uint64_t last = ata_sectors(u) - 1;
	if (!c->is_ext && last > LBA28_MAX)
		last = LBA28_MAX;
	u->lba_low[0] = (uint8_t)last;
	u->lba_mid[0] = (uint8_t)(last >> 8);
	u->lba_high[0] = (uint8_t)(last >> 16);
	u->lba_low[1] = (uint8_t)(last >> 24);
	u->lba_mid[1] = (uint8_t)(last >> 32);
	u->lba_high[1] = (uint8_t)(last >> 40);
	if (!c->is_ext)
		c->device = (uint8_t)((c->device & 0xf0) | (last >> 24 & 0x0f));
	ide_finish(c, 0);
}

/* What a disk and a CD drive do alike. Return: whether it was one of those. */
static bool ata_common_command(struct ide_channel *c, uint8_t command)
{
	switch (command) {
	case 0xef:
		ata_set_features(c);
		return true;
	case 0xe5: /* CHECK POWER MODE */
	case 0x98:
		ide_selected(c)->count[0] = 0xff;
		ide_finish(c, 0);
		return true;
	case 0xe0: /* STANDBY IMMEDIATE, IDLE IMMEDIATE, SLEEP */
	case 0xe1:
	case 0xe6:
	case 0x94:
	case 0x95:
	case 0x99:
		ide_finish(c, 0);
		return true;
	case 0x00: /* NOP */
		ide_finish(c, IDE_ABRT);
		return true;
	default:
		return false;
	}
}

static void ata_packet_command(struct ide_channel *c, uint8_t command)
{
	switch (command) {
	case 0x08: /* DEVICE RESET: no interrupt */
		c->phase = IDE_IDLE;
		c->is_dma = false;
		ide_sign(ide_selected(c));
		break;
	case 0xa0:
		ide_atapi_packet(c);
		break;
	case 0xa1:
		ide_atapi_identify(c);
		break;
	case 0xec: /* IDENTIFY DEVICE and READ SECTORS tell by the signature what is here */
	case 0x20:
		ide_sign(ide_selected(c));
		ide_finish(c, IDE_ABRT);
		break;
	default:
		ide_finish(c, IDE_ABRT);
		break;
	}
}

/* Commands that move data. Return: whether it was one of those. */
static bool ata_transfer_command(struct ide_channel *c, uint8_t command)
{
	switch (command) {
	case 0x20:
	case 0x21:
	case 0x24:
		ata_transfer(c, false, 1);
		return true;
	case 0x30:
	case 0x31:
	case 0x34:
		ata_transfer(c, true, 1);
		return true;
	case 0xc4:
	case 0x29:
		ata_multiple(c, false);
		return true;
	case 0xc5:
	case 0x39:
		ata_multiple(c, true);
		return true;
	case 0xc8:
	case 0xc9:
	case 0x25:
		ata_transfer(c, false, 0);
		return true;
	case 0xca:
	case 0xcb:
	case 0x35:
		ata_transfer(c, true, 0);
		return true;
	default:
		return false;
	}
}

static bool ata_is_ext(uint8_t command)
{
	switch (command) {
	case 0x24:
	case 0x25:
	case 0x27:
	case 0x29:
	case 0x34:
	case 0x35:
	case 0x39:
	case 0x42:
		return true;
	default:
		return false;
	}
}

static void ata_disk_command(struct ide_channel *c, uint8_t command)
{
	switch (command) {
	case 0xec:
		ata_identify(c);
		break;
	case 0xc6:
		ata_set_multiple(c);
		break;
	case 0x91:
		ata_set_geometry(c);
		break;
	case 0x40: /* READ VERIFY SECTORS: the image's own trouble shows when it is read */
	case 0x41:
	case 0x42:
		if (ata_aim(c))
			ide_finish(c, 0);
		break;
	case 0xe7:
	case 0xea:
		ide_transfer_flush(c);
		break;
	case 0xe2: /* STANDBY, IDLE, with a time that never comes */
	case 0xe3:
	case 0x96:
	case 0x97:
		ide_finish(c, 0);
		break;
	case 0xf8:
	case 0x27:
		ata_native_max(c);
		break;
	default:
		/* RECALIBRATE and SEEK take up 16 codes each. */
		ide_finish(c, (command & 0xf0) == 0x10 || (command & 0xf0) == 0x70 ? 0 : IDE_ABRT);
		break;
	}
}

void ide_ata_command(struct ide_channel *c, uint8_t command)
{
	c->is_ext = ata_is_ext(command);
	c->is_dma = c->is_write = false;
	if (ata_common_command(c, command))
		return;
	if (ide_selected(c)->drive.is_cd)
		ata_packet_command(c, command);
	else if (!ata_transfer_command(c, command))
		ata_disk_command(c, command);
}
