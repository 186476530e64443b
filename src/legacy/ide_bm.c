/*
 * The PIIX3's bus master: its registers and the table of physical regions (82371SB, 2.7; SFF
 * 8038i).
 *
 * A table that ends too early, or names what is no memory, is the guest's mistake: the transfer
 * ends with the error bits of both sides.
 */
#include "ide.h"

#include <string.h>
#include <tinyvm/log.h>

#define REG_COMMAND 0
#define REG_STATUS  2
#define REG_TABLE   4
#define PORTS	    8 /* a channel */

void ide_bm_reset(struct ide_channel *c)
{
	c->bm_command = 0;
	c->bm_status = 0;
	c->bm_table = 0;
	c->prd = (struct ide_prd){0};
}

bool ide_bm_is_started(const struct ide_channel *c)
{
	return c->bm_command & IDE_BM_START;
}

void ide_bm_rewind(struct ide_channel *c)
{
	c->prd = (struct ide_prd){.next = c->bm_table};
}

/* Makes sure that the entry begun has bytes left. Return: false at the table's end. */
static bool bm_load(struct ide_channel *c, struct ide_prd *prd)
{
	uint32_t entry[2];
	if (prd->left)
		return true;
	if (prd->is_last || gmem_read(c->ide->gm, prd->next, entry, sizeof(entry)) != 0)
		return false;
	prd->next += sizeof(entry);
	prd->addr = entry[0] & ~1u;
	prd->left = entry[1] & 0xfffe;
	if (!prd->left)
		prd->left = 0x10000;
	prd->is_last = entry[1] & IDE_PRD_LAST;
	return true;
}

unsigned ide_bm_gather(struct ide_channel *c, uint32_t unit, uint64_t want, uint64_t *ret_len)
{
	struct ide_prd prd = c->prd;
	uint64_t total = 0, whole = 0;
	unsigned n = 0, whole_n = 0;
	while (n < IDE_IOV_MAX && total < want && bm_load(c, &prd)) {
		uint32_t len = prd.left < want - total ? prd.left : (uint32_t)(want - total);
		if (gmem_iov(c->ide->gm, prd.addr, len, &c->iov[n], 1) != 1)
			break;
		n++;
		total += len;
		prd.addr += len;
		prd.left -= len;
		uint32_t over = (uint32_t)(total % unit);
		if (over >= len)
			continue; /* no unit ends in this piece */
		/* What is beyond the last whole unit is left for the next time. */
		c->prd = prd;
		c->prd.addr -= over;
		c->prd.left += over;
		whole = total - over;
		whole_n = n;
	}
	uint64_t excess = 0;
	for (unsigned i = 0; i < whole_n; i++)
		excess += c->iov[i].iov_len;
	if (whole_n)
		c->iov[whole_n - 1].iov_len -= excess - whole;
	*ret_len = whole;
	return whole_n;
}

bool ide_bm_copy(struct ide_channel *c, uint32_t len)
{
	for (uint32_t at = 0; at < len;) {
		if (!bm_load(c, &c->prd))
			return false;
		uint32_t n = c->prd.left < len - at ? c->prd.left : len - at;
		if (gmem_write(c->ide->gm, c->prd.addr, c->buf + at, n) != 0)
			return false;
		at += n;
		c->prd.addr += n;
		c->prd.left -= n;
	}
	return true;
}

void ide_bm_finish(struct ide_channel *c, bool is_error)
{
	/* A table with room left keeps the bus master active (8038i, 3.1). */
	if (is_error || (c->prd.is_last && !c->prd.left))
		c->bm_status &= (uint8_t)~IDE_BM_ACTIVE;
	if (is_error)
		c->bm_status |= IDE_BM_ERROR;
}

static void bm_write_command(struct ide_channel *c, uint8_t value)
{
	bool was_started = ide_bm_is_started(c);
	uint8_t direction = (was_started ? c->bm_command : value) & IDE_BM_TO_MEMORY;
	c->bm_command = (value & IDE_BM_START) | direction;
	if (!ide_bm_is_started(c)) {
		c->bm_status &= (uint8_t)~IDE_BM_ACTIVE;
	} else if (!was_started) {
		c->bm_status |= IDE_BM_ACTIVE;
		if (c->phase == IDE_DMA_READY)
			ide_transfer_start(c);
	}
}

static uint8_t bm_read_byte(const struct ide_channel *c, unsigned reg)
{
	switch (reg) {
	case REG_COMMAND:
		return c->bm_command;
	case REG_STATUS:
		return c->bm_status;
	case REG_TABLE:
	case REG_TABLE + 1:
	case REG_TABLE + 2:
	case REG_TABLE + 3:
		return (uint8_t)(c->bm_table >> 8 * (reg - REG_TABLE));
	default:
		return 0;
	}
}

static void bm_write_byte(struct ide_channel *c, unsigned reg, uint8_t value)
{
	unsigned shift = 8 * (reg - REG_TABLE);
	switch (reg) {
	case REG_COMMAND:
		bm_write_command(c, value);
		break;
	case REG_STATUS:
		c->bm_status &= (uint8_t) ~(value & (IDE_BM_ERROR | IDE_BM_INTERRUPT));
		c->bm_status =
			(uint8_t)((c->bm_status & ~IDE_BM_CAPABLE) | (value & IDE_BM_CAPABLE));
		break;
	case REG_TABLE:
	case REG_TABLE + 1:
	case REG_TABLE + 2:
	case REG_TABLE + 3:
		c->bm_table = (c->bm_table & ~(0xffu << shift)) | (uint32_t)value << shift;
		c->bm_table &= ~3u;
		break;
	default:
		break;
	}
}

static uint64_t bm_read(void *ctx, uint64_t off, unsigned size)
{
	struct ide *ide = ctx;
	uint64_t value = 0;
	for (unsigned i = 0; i < size; i++, off++)
		value |= (uint64_t)bm_read_byte(&ide->channel[off / PORTS], off % PORTS) << 8 * i;
	return value;
}

static void bm_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct ide *ide = ctx;
	for (unsigned i = 0; i < size; i++, off++)
		bm_write_byte(&ide->channel[off / PORTS], off % PORTS, (uint8_t)(value >> 8 * i));
}

const struct bus_ops ide_bm_bus_ops = {
	.sizes = BUS_SIZE_1 | BUS_SIZE_2 | BUS_SIZE_4,
	.read = bm_read,
	.write = bm_write,
};
