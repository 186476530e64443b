/*
 * INT 14h: serial ports at the addresses of the BIOS data area (IBM PS/2 and PC BIOS Interface
 * Technical Reference, 1987): AH=00h to 03h.
 */
#include "bios_device.h"

#define BDA_PORTS    BDA(0x00)
#define BDA_TIMEOUTS BDA(0x7c)
#define PORTS	     4

#define UART_DATA    0
#define UART_DIVISOR 0 /* and 1, while LCR_DIVISOR */
#define UART_LCR     3
#define UART_MCR     4
#define UART_LSR     5
#define UART_MSR     6
#define LCR_DIVISOR  0x80
#define MCR_DTR	     0x01
#define MCR_RTS	     0x02
#define LSR_RECEIVED 0x01
#define LSR_ERRORS   0x1e
#define LSR_EMPTY    0x20
#define TIMED_OUT    0x80

/* 110, 150, 300, 600, 1200, 2400, 4800, 9600 baud */
static const uint16_t bios_serial_divisor[] = {1047, 768, 384, 192, 96, 48, 24, 12};

static void bios_serial_status(struct bios *b, struct bios_frame *f, uint16_t port)
{
	bios_set_high(&f->eax, bios_in8(b, port + UART_LSR));
	bios_set_low(&f->eax, bios_in8(b, port + UART_MSR));
}

static void bios_serial_init(struct bios *b, const struct bios_frame *f, uint16_t port)
{
	uint8_t wish = bios_low(f->eax);
	uint16_t divisor = bios_serial_divisor[wish >> 5];
	bios_out8(b, port + UART_LCR, LCR_DIVISOR);
	bios_out8(b, port + UART_DIVISOR, (uint8_t)divisor);
	bios_out8(b, port + UART_DIVISOR + 1, (uint8_t)(divisor >> 8));
	bios_out8(b, port + UART_LCR, wish & 0x1f);
}

/* Return: BIOS_AGAIN while there is still hope, else BIOS_DONE, with the line's status in @ret_lsr.
 */
static unsigned bios_serial_await(struct bios *b, uint16_t port, unsigned n, uint8_t bit,
				  uint8_t *ret_lsr)
{
	uint8_t lsr = bios_in8(b, port + UART_LSR);
	if (lsr & bit) {
		bios_wait_end(b);
		*ret_lsr = lsr;
		return BIOS_DONE;
	}
	if (!bios_wait_is_over(b, bios_peek8(b, BDA_TIMEOUTS + n) * NS_PER_S))
		return BIOS_AGAIN;
	*ret_lsr = lsr | TIMED_OUT;
	return BIOS_DONE;
}

/* AH=01h: AL goes out; 02h: AL comes in */
static unsigned bios_serial_move(struct bios *b, struct bios_frame *f, uint16_t port, unsigned n)
{
	bool is_out = bios_high(f->eax) == 1;
	uint8_t lsr;
	bios_out8(b, port + UART_MCR, MCR_DTR | (is_out ? MCR_RTS : 0));
	unsigned result = bios_serial_await(b, port, n, is_out ? LSR_EMPTY : LSR_RECEIVED, &lsr);
	if (result != BIOS_DONE)
		return result;
	if (is_out && !(lsr & TIMED_OUT))
		bios_out8(b, port + UART_DATA, bios_low(f->eax));
	else if (!(lsr & TIMED_OUT))
		bios_set_low(&f->eax, bios_in8(b, port + UART_DATA));
	bios_set_high(&f->eax, is_out ? lsr : lsr & (LSR_ERRORS | TIMED_OUT));
	return BIOS_DONE;
}

unsigned bios_serial(struct bios *b, struct bios_frame *f)
{
	unsigned n = bios_word(f->edx);
	uint16_t port = n < PORTS ? bios_peek16(b, BDA_PORTS + n * 2) : 0;

	if (!port) {
		bios_set_high(&f->eax, TIMED_OUT);
		return BIOS_DONE;
	}
	switch (bios_high(f->eax)) {
	case 0x00:
		bios_serial_init(b, f, port);
		bios_serial_status(b, f, port);
		return BIOS_DONE;
	case 0x01:
	case 0x02:
		return bios_serial_move(b, f, port, n);
	case 0x03:
		bios_serial_status(b, f, port);
		return BIOS_DONE;
	default:
		return BIOS_DONE;
	}
}
