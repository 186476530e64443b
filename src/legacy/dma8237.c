/*
 * Two 8237A DMA controllers (Intel data sheet, 1993) as the PC AT wires them, with the 74LS612's
 * page registers for the upper eight bits of an address (IBM PC AT Technical Reference, 1984).
 *
 * A transfer takes no time and happens when the device asks for it. Addresses wrap within 64 KiB.
 *
 * Left out: memory to memory, requests by software (the bits are storage), priorities and timing,
 * transfers on channels 4-7 (nothing is plugged in there), addresses above 16 MiB.
 */
#include "dma8237.h"

#include <string.h>
#include <tinyvm/gmem.h>
#include <tinyvm/state.h>

enum {
	REG_CHANNEL_LAST = 7, /* address and count of channels 0-3, in turn */
	REG_STATUS = 8,	      /* write: command */
	REG_REQUEST = 9,
	REG_MASK_ONE = 10,
	REG_MODE = 11,
	REG_CLEAR_FLIPFLOP = 12,
	REG_MASTER_CLEAR = 13, /* read: temporary */
	REG_CLEAR_MASK = 14,
	REG_MASK_ALL = 15,
};

#define COMMAND_DISABLE 0x04

#define MODE_TYPE    0x0c
#define MODE_WRITE   0x04 /* to memory */
#define MODE_READ    0x08
#define MODE_AUTO    0x10
#define MODE_DOWN    0x20
#define MODE_SELECT  0xc0
#define MODE_CASCADE 0xc0

#define MASK_ALL 0x0f
#define SET_BIT	 0x04 /* in the registers that set or clear the bit of one channel */

static void dma8237_master_clear(struct dma_controller *c)
{
	c->command = c->request = c->done = 0;
	c->mask = MASK_ALL;
	c->is_high_byte = false;
}

void dma8237_reset(struct dma8237 *dma)
{
	for (unsigned n = 0; n < DMA_CONTROLLERS; n++) {
		struct dma_controller *c = &dma->controller[n];
		*c = (struct dma_controller){0};
		dma8237_master_clear(c);
	}
	/* As firmware leaves it: the second controller passes the first one's requests on. */
	dma->controller[1].channel[0].mode = MODE_CASCADE;
	dma->controller[1].mask = MASK_ALL & ~1;
	memset(dma->page, 0, sizeof(dma->page));
}

static uint8_t dma8237_read_half(struct dma_controller *c, uint16_t value)
{
	bool is_high = c->is_high_byte;
	c->is_high_byte = !is_high;
	return (uint8_t)(is_high ? value >> 8 : value);
}

uint8_t dma8237_read(struct dma8237 *dma, unsigned n, unsigned reg)
{
	struct dma_controller *c = &dma->controller[n];
	if (reg <= REG_CHANNEL_LAST) {
		const struct dma_channel *ch = &c->channel[reg / 2];
		return dma8237_read_half(c, reg & 1 ? ch->count : ch->addr);
	}
	if (reg == REG_STATUS) {
		uint8_t status = (uint8_t)(c->done | c->request << 4);
		c->done = 0;
		return status;
	}
	if (reg == REG_MASK_ALL)
		return c->mask | (uint8_t)~MASK_ALL;
	return reg == REG_MASTER_CLEAR ? 0 : 0xff;
}

static void dma8237_write_half(struct dma_controller *c, uint16_t *base, uint16_t *current,
			       uint8_t value)
{
	if (c->is_high_byte)
		*base = (uint16_t)((*base & 0x00ff) | value << 8);
	else
		*base = (uint16_t)((*base & 0xff00) | value);
	*current = *base;
	c->is_high_byte = !c->is_high_byte;
}

static uint8_t dma8237_change_bit(uint8_t bits, uint8_t value)
{
	uint8_t bit = (uint8_t)(1u << (value & 3));
	return value & SET_BIT ? bits | bit : bits & ~bit;
}

void dma8237_write(struct dma8237 *dma, unsigned n, unsigned reg, uint8_t value)
{
	struct dma_controller *c = &dma->controller[n];
	struct dma_channel *ch = &c->channel[reg / 2 & 3];
	switch (reg) {
	case REG_STATUS:
		c->command = value;
		break;
	case REG_REQUEST:
		c->request = dma8237_change_bit(c->request, value);
		break;
	case REG_MASK_ONE:
		c->mask = dma8237_change_bit(c->mask, value);
		break;
	case REG_MODE:
		c->channel[value & 3].mode = value & ~3;
		break;
	case REG_CLEAR_FLIPFLOP:
		c->is_high_byte = false;
		break;
	case REG_MASTER_CLEAR:
		dma8237_master_clear(c);
		break;
	case REG_CLEAR_MASK:
		c->mask = 0;
		break;
	case REG_MASK_ALL:
		c->mask = value & MASK_ALL;
		break;
	default:
		if (reg & 1)
			dma8237_write_half(c, &ch->base_count, &ch->count, value);
		else
			dma8237_write_half(c, &ch->base_addr, &ch->addr, value);
		break;
	}
}

size_t dma8237_room(const struct dma8237 *dma, unsigned channel)
{
	const struct dma_controller *c = &dma->controller[0];
	const struct dma_channel *ch = &c->channel[channel];
	/* Requests reach the processor through channel 4. */
	const struct dma_controller *second = &dma->controller[1];
	bool is_passed_on = !(second->mask & 1) && !(second->command & COMMAND_DISABLE) &&
			    (second->channel[0].mode & MODE_SELECT) == MODE_CASCADE;
	if (!is_passed_on || c->command & COMMAND_DISABLE || c->mask >> channel & 1 ||
	    (ch->mode & MODE_SELECT) == MODE_CASCADE)
		return 0;
	return (size_t)ch->count + 1;
}

/* Channels' page registers are in no order. */
static gpa_t dma8237_page(const struct dma8237 *dma, unsigned channel)
{
	static const uint8_t page_of[4] = {7, 3, 1, 2};
	return (gpa_t)dma->page[page_of[channel]] << 16;
}

/* How many of @len bytes lie one after the other in memory. */
static size_t dma8237_run(const struct dma_channel *ch, size_t len)
{
	size_t run = ch->mode & MODE_DOWN ? 1 : 0x10000u - ch->addr;
	return len < run ? len : run;
}

static void dma8237_count(struct dma_channel *ch, size_t len)
{
	ch->count = (uint16_t)(ch->count - len);
	ch->addr = (uint16_t)(ch->mode & MODE_DOWN ? ch->addr - len : ch->addr + len);
}

static void dma8237_store(const struct dma8237 *dma, gpa_t gpa, const uint8_t *buf, size_t len)
{
	int error = gmem_write(dma->gm, gpa, buf, len);
	(void)error; /* where there is no RAM, nothing is stored */
}

/* After a transfer that was as long as there was room for. */
static void dma8237_end(struct dma_controller *c, unsigned channel)
{
	struct dma_channel *ch = &c->channel[channel];
	c->done |= (uint8_t)(1u << channel);
	c->request &= (uint8_t) ~(1u << channel);
	if (ch->mode & MODE_AUTO) {
		ch->addr = ch->base_addr;
		ch->count = ch->base_count;
	} else {
		c->mask |= (uint8_t)(1u << channel);
	}
}

/* @in or @out, the other is NULL. */
static size_t dma8237_move(struct dma8237 *dma, unsigned channel, uint8_t *in, const uint8_t *out,
			   size_t len, bool *ret_is_done)
{
	struct dma_channel *ch = &dma->controller[0].channel[channel];
	size_t room = dma8237_room(dma, channel);
	gpa_t page = dma8237_page(dma, channel);
	uint8_t type = ch->mode & MODE_TYPE;
	if (len > room)
		len = room;
	for (size_t at = 0, run; at < len; at += run) {
		run = dma8237_run(ch, len - at);
		if (in && (type != MODE_READ || gmem_read(dma->gm, page | ch->addr, in + at, run)))
			memset(in + at, 0xff, run);
		if (out && type == MODE_WRITE)
			dma8237_store(dma, page | ch->addr, out + at, run);
		dma8237_count(ch, run);
	}
	*ret_is_done = room && len == room;
	if (*ret_is_done)
		dma8237_end(&dma->controller[0], channel);
	return len;
}

size_t dma8237_to_memory(struct dma8237 *dma, unsigned channel, const uint8_t *buf, size_t len,
			 bool *ret_is_done)
{
	return dma8237_move(dma, channel, NULL, buf, len, ret_is_done);
}

size_t dma8237_from_memory(struct dma8237 *dma, unsigned channel, uint8_t *buf, size_t len,
			   bool *ret_is_done)
{
	return dma8237_move(dma, channel, buf, NULL, len, ret_is_done);
}

static void dma8237_channel_state(struct dma_channel *ch, struct state *st)
{
	state_u16(st, "BASE ADDRESS", &ch->base_addr);
	state_u16(st, "ADDRESS", &ch->addr);
	state_u16(st, "BASE COUNT", &ch->base_count);
	state_u16(st, "COUNT", &ch->count);
	state_u8(st, "MODE", &ch->mode);
}

void dma8237_state(struct dma8237 *dma, struct state *st)
{
	for (unsigned n = 0; n < DMA_CONTROLLERS; n++) {
		struct dma_controller *c = &dma->controller[n];
		for (unsigned i = 0; i < 4; i++)
			dma8237_channel_state(&c->channel[i], st);
		state_u8(st, "DMA COMMAND", &c->command);
		state_u8(st, "DMA MASK", &c->mask);
		state_u8(st, "DMA REQUEST", &c->request);
		state_u8(st, "DMA STATUS", &c->done);
		state_bool(st, "DMA FLIP-FLOP", &c->is_high_byte);
		if (state_is_loading(st)) {
			c->mask &= MASK_ALL;
			c->request &= MASK_ALL;
			c->done &= MASK_ALL;
		}
	}
	state_bytes(st, "DMA PAGES", dma->page, sizeof(dma->page));
}
