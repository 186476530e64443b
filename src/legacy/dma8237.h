/* The DMA controllers of a PC AT, as what is plugged into a channel sees them. */
#ifndef DMA8237_H
#define DMA8237_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gmem;
struct state;

#define DMA_CONTROLLERS 2
#define DMA_PAGES	16

/**
 * struct dma_channel - registers; addresses and counts of channels 5-7 are of words
 */
struct dma_channel {
	uint16_t base_addr, addr;
	uint16_t base_count, count;
	uint8_t mode;
};

/**
 * struct dma_controller - one chip
 * @is_high_byte: the flip-flop: which byte of a 16-bit register comes next
 * @done: status register, one bit a channel that has reached its terminal count
 */
struct dma_controller {
	struct dma_channel channel[4];
	uint8_t command;
	uint8_t mask;
	uint8_t request;
	uint8_t done;
	bool is_high_byte;
};

/**
 * struct dma8237 - both, and the page registers from 0x80 (which is not one) to 0x8f
 */
struct dma8237 {
	struct gmem *gm;
	struct dma_controller controller[DMA_CONTROLLERS];
	uint8_t page[DMA_PAGES];
};

void dma8237_reset(struct dma8237 *dma);
void dma8237_state(struct dma8237 *dma, struct state *st);

/* Registers: @reg is 0-15 of controller @n; page registers 0-15. */
uint8_t dma8237_read(struct dma8237 *dma, unsigned n, unsigned reg);
void dma8237_write(struct dma8237 *dma, unsigned n, unsigned reg, uint8_t value);

/*
 * How many bytes channel @channel (0-3) would move now: up to its terminal count, 0 while it is
 * masked or its controller disabled.
 */
size_t dma8237_room(const struct dma8237 *dma, unsigned channel);

/**
 * dma8237_to_memory() - the device gives @len bytes to channel @channel (0-3)
 * dma8237_from_memory() - it takes them
 * @ret_is_done: the channel has reached its terminal count
 *
 * A channel that is set to verify, or to the other direction, counts the bytes and moves none: what
 * is taken then are ones. So are bytes from where there is no RAM.
 * Return: how many bytes were counted, at most dma8237_room().
 */
size_t dma8237_to_memory(struct dma8237 *dma, unsigned channel, const uint8_t *buf, size_t len,
			 bool *ret_is_done);
size_t dma8237_from_memory(struct dma8237 *dma, unsigned channel, uint8_t *buf, size_t len,
			   bool *ret_is_done);

#endif
