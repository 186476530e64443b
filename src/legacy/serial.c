/*
 * 16550A UART (National Semiconductor PC16550D data sheet, June 1995) as the PC wires it: OUT2
 * gates the interrupt, and the modem's lines are those of a cable to a terminal that is always
 * there (DCD, DSR and CTS on, RI off).
 *
 * A character takes no time: what the guest transmits is gone at once unless the character backend
 * pushes back, then the FIFO fills and LSR says so. The receive time-out is immediate too: data
 * below the trigger level interrupts as a time-out. Input is held back, so that nothing piped in
 * is lost to the driver's clearing of the FIFOs, until the guest listens: it enables the receive
 * interrupt, or it looks at LSR again and again although it has nothing to send.
 *
 * Left out: baud rates, parity and framing (stored, without effect), break, DMA modes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/chardev.h>
#include <tinyvm/legacy.h>
#include <tinyvm/state.h>

#define SERIAL_FIFO 16

/* Looks at LSR, with nothing sent in between, that count as polling for input. */
#define SERIAL_POLLS_LISTENING 64

enum {
	REG_DATA, /* RBR, THR; DLL when LCR.DLAB */
	REG_IER,  /* DLM when LCR.DLAB */
	REG_IIR,  /* write: FCR */
	REG_LCR,
	REG_MCR,
	REG_LSR,
	REG_MSR,
	REG_SCR,
};

#define IER_RDI	 0x01
#define IER_THRI 0x02
#define IER_RLSI 0x04
#define IER_MSI	 0x08

#define IIR_MSI	    0x00
#define IIR_NONE    0x01
#define IIR_THRI    0x02
#define IIR_RDI	    0x04
#define IIR_RLSI    0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFO    0xc0

#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02
#define FCR_CLEAR_TX 0x04
#define FCR_KEPT     0xc9 /* enable, DMA mode, trigger level */

#define LCR_DLAB 0x80

#define MCR_DTR	 0x01
#define MCR_RTS	 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10

#define LSR_DR	 0x01
#define LSR_OE	 0x02
#define LSR_THRE 0x20
#define LSR_TEMT 0x40

#define MSR_DELTAS 0x0f
#define MSR_TERI   0x04
#define MSR_CTS	   0x10
#define MSR_DSR	   0x20
#define MSR_RI	   0x40
#define MSR_DCD	   0x80

/**
 * struct serial - one UART
 * @rx, @rx_at, @rx_count: receive FIFO, a ring; one byte deep while FCR.ENABLE is off
 * @tx, @tx_count: what the backend has not taken yet, oldest first
 * @lsr_oe:     LSR.OE until LSR is read
 * @msr:        modem status, delta bits included
 * @is_thre_pending: the transmitter-empty interrupt, until IIR is read or THR written
 * @polls:      looks at LSR since the last transmitted byte; once SERIAL_POLLS_LISTENING, it stays
 *              there until the receive FIFO is cleared
 * @is_refusing: the backend was told that there is no room, and waits for chardev_resume()
 * @is_irq_high: the interrupt wire's level
 */
struct serial {
	struct device dev;
	struct irq_line irq;
	struct chardev *cd;
	uint8_t rx[SERIAL_FIFO];
	uint8_t rx_at;
	uint8_t rx_count;
	uint8_t tx[SERIAL_FIFO];
	uint8_t tx_count;
	uint8_t ier;
	uint8_t fcr;
	uint8_t lcr;
	uint8_t mcr;
	uint8_t msr;
	uint8_t scr;
	uint8_t dll;
	uint8_t dlm;
	uint8_t polls;
	bool lsr_oe;
	bool is_thre_pending;
	bool is_refusing;
	bool is_irq_high;
};

static unsigned serial_depth(const struct serial *s)
{
	return s->fcr & FCR_ENABLE ? SERIAL_FIFO : 1;
}

static unsigned serial_trigger(const struct serial *s)
{
	static const uint8_t level[] = {1, 4, 8, 14};
	return s->fcr & FCR_ENABLE ? level[s->fcr >> 6] : 1;
}

/* The interrupt with the highest priority (table 3 of the data sheet), without the FIFO bits. */
static uint8_t serial_interrupt(const struct serial *s)
{
	if (s->ier & IER_RLSI && s->lsr_oe)
		return IIR_RLSI;
	if (s->ier & IER_RDI && s->rx_count)
		return s->rx_count >= serial_trigger(s) ? IIR_RDI : IIR_TIMEOUT;
	if (s->ier & IER_THRI && s->is_thre_pending)
		return IIR_THRI;
	if (s->ier & IER_MSI && s->msr & MSR_DELTAS)
		return IIR_MSI;
	return IIR_NONE;
}

static bool serial_irq_level(const struct serial *s)
{
	/* In loopback mode the OUT2 pin is off, whatever MCR says. */
	return (s->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2 && serial_interrupt(s) != IIR_NONE;
}

static void serial_update_irq(struct serial *s)
{
	bool level = serial_irq_level(s);
	if (level == s->is_irq_high)
		return;
	s->is_irq_high = level;
	irq_line_set(&s->irq, level);
}

static bool serial_is_listening(const struct serial *s)
{
	return !(s->mcr & MCR_LOOP) && (s->ier & IER_RDI || s->polls >= SERIAL_POLLS_LISTENING);
}

/* Lets input flow again, once half the FIFO is free: not for every byte the guest takes out. */
static void serial_ask_for_input(struct serial *s)
{
	if (!s->is_refusing || s->rx_count > serial_depth(s) / 2 || !serial_is_listening(s))
		return;
	s->is_refusing = false;
	chardev_resume(s->cd);
}

/* A character arrives from the line, or from the transmitter in loopback mode. */
static void serial_rx_put(struct serial *s, uint8_t byte)
{
	if (s->rx_count < serial_depth(s)) {
		s->rx[(s->rx_at + s->rx_count++) % SERIAL_FIFO] = byte;
		return;
	}
	/* Overrun: a FIFO keeps what it has, the lone RBR is overwritten. */
	s->lsr_oe = true;
	if (!(s->fcr & FCR_ENABLE))
		s->rx[s->rx_at] = byte;
}

static uint8_t serial_rx_get(struct serial *s)
{
	/* An empty receiver repeats the last character, as RBR does. */
	uint8_t byte = s->rx[s->rx_at];
	if (!s->rx_count)
		return byte;
	s->rx_count--;
	if (s->rx_count)
		s->rx_at = (s->rx_at + 1) % SERIAL_FIFO;
	serial_ask_for_input(s);
	serial_update_irq(s);
	return byte;
}

static void serial_rx_clear(struct serial *s)
{
	s->rx_count = 0;
	s->polls = 0;
	serial_ask_for_input(s);
}

static void serial_tx_empty(struct serial *s)
{
	s->tx_count = 0;
	s->is_thre_pending = true;
}

/* Hands the backend what waits in the FIFO. */
static void serial_tx_flush(struct serial *s)
{
	if (!s->tx_count)
		return;
	size_t n = chardev_write(s->cd, s->tx, s->tx_count);
	if (n >= s->tx_count) {
		serial_tx_empty(s);
		serial_update_irq(s);
		return;
	}
	s->tx_count -= (uint8_t)n;
	memmove(s->tx, s->tx + n, s->tx_count);
}

static void serial_tx_put(struct serial *s, uint8_t byte)
{
	if (s->polls < SERIAL_POLLS_LISTENING)
		s->polls = 0;
	s->is_thre_pending = true;
	if (s->mcr & MCR_LOOP) {
		serial_rx_put(s, byte);
	} else if (s->tx_count || chardev_write(s->cd, &byte, 1) != 1) {
		s->is_thre_pending = false;
		/* A full FIFO loses the character, the lone THR is overwritten. */
		if (s->tx_count < serial_depth(s))
			s->tx[s->tx_count++] = byte;
		else if (!(s->fcr & FCR_ENABLE))
			s->tx[0] = byte;
	}
	serial_update_irq(s);
}

static void serial_ier_write(struct serial *s, uint8_t value)
{
	uint8_t risen = value & ~s->ier;
	s->ier = value & (IER_RDI | IER_THRI | IER_RLSI | IER_MSI);
	if (risen & IER_THRI && !s->tx_count)
		s->is_thre_pending = true;
	serial_ask_for_input(s);
	serial_update_irq(s);
}

static uint8_t serial_iir_read(struct serial *s)
{
	uint8_t source = serial_interrupt(s);
	if (source == IIR_THRI) {
		s->is_thre_pending = false;
		serial_update_irq(s);
	}
	return source | (s->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static void serial_fcr_write(struct serial *s, uint8_t value)
{
	bool is_toggled = (value ^ s->fcr) & FCR_ENABLE;
	/* The other bits count only together with the enable bit. */
	s->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
	if (!(value & FCR_ENABLE))
		value = 0;
	if (is_toggled || value & FCR_CLEAR_RX)
		serial_rx_clear(s);
	if ((is_toggled || value & FCR_CLEAR_TX) && s->tx_count)
		serial_tx_empty(s);
	serial_update_irq(s);
}

/* The modem's lines: the cable's, or MCR's own outputs in loopback mode. Changes set the deltas. */
static void serial_update_modem(struct serial *s)
{
	uint8_t lines = MSR_DCD | MSR_DSR | MSR_CTS;
	if (s->mcr & MCR_LOOP) {
		lines = (s->mcr & MCR_DTR ? MSR_DSR : 0) | (s->mcr & MCR_RTS ? MSR_CTS : 0) |
			(s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
	}
	uint8_t changed = (lines ^ s->msr) & (MSR_DCD | MSR_DSR | MSR_CTS);
	uint8_t deltas = s->msr & MSR_DELTAS;
	deltas |= changed >> 4;
	if (s->msr & ~lines & MSR_RI)
		deltas |= MSR_TERI;
	s->msr = lines | deltas;
}

static void serial_mcr_write(struct serial *s, uint8_t value)
{
	s->mcr = value & (MCR_DTR | MCR_RTS | MCR_OUT1 | MCR_OUT2 | MCR_LOOP);
	serial_update_modem(s);
	serial_ask_for_input(s);
	serial_update_irq(s);
}

static uint8_t serial_lsr_read(struct serial *s)
{
	uint8_t lsr = (s->rx_count ? LSR_DR : 0) | (s->lsr_oe ? LSR_OE : 0) |
		      (s->tx_count ? 0 : LSR_THRE | LSR_TEMT);
	if (s->lsr_oe) {
		s->lsr_oe = false;
		serial_update_irq(s);
	}
	/* Who waits for THRE wants to send; who sees it and looks again wants to receive. */
	if (!s->tx_count && s->polls < SERIAL_POLLS_LISTENING) {
		s->polls++;
		serial_ask_for_input(s);
	}
	return lsr;
}

static uint8_t serial_msr_read(struct serial *s)
{
	uint8_t msr = s->msr;
	s->msr &= ~MSR_DELTAS;
	serial_update_irq(s);
	return msr;
}

static uint64_t serial_read(void *ctx, uint64_t off, unsigned size)
{
	struct serial *s = ctx;
	(void)size;
	bool is_dlab = s->lcr & LCR_DLAB;

	switch (off) {
	case REG_DATA:
		return is_dlab ? s->dll : serial_rx_get(s);
	case REG_IER:
		return is_dlab ? s->dlm : s->ier;
	case REG_IIR:
		return serial_iir_read(s);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return serial_lsr_read(s);
	case REG_MSR:
		return serial_msr_read(s);
	default:
		return s->scr;
	}
}

static void serial_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct serial *s = ctx;
	uint8_t byte = (uint8_t)value;
	(void)size;
	bool is_dlab = s->lcr & LCR_DLAB;

	switch (off) {
	case REG_DATA:
		if (is_dlab)
			s->dll = byte;
		else
			serial_tx_put(s, byte);
		break;
	case REG_IER:
		if (is_dlab)
			s->dlm = byte;
		else
			serial_ier_write(s, byte);
		break;
	case REG_IIR:
		serial_fcr_write(s, byte);
		break;
	case REG_LCR:
		s->lcr = byte;
		break;
	case REG_MCR:
		serial_mcr_write(s, byte);
		break;
	case REG_SCR:
		s->scr = byte;
		break;
	default: /* LSR and MSR are read-only */
		break;
	}
}

const struct bus_ops serial_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = serial_read,
	.write = serial_write,
};

static size_t serial_room(void *ctx)
{
	struct serial *s = ctx;
	if (serial_is_listening(s) && s->rx_count < serial_depth(s))
		return serial_depth(s) - s->rx_count;
	s->is_refusing = true;
	return 0;
}

static void serial_receive(void *ctx, const uint8_t *buf, size_t len)
{
	struct serial *s = ctx;
	for (size_t i = 0; i < len; i++)
		serial_rx_put(s, buf[i]);
	serial_update_irq(s);
}

static void serial_writable(void *ctx)
{
	serial_tx_flush(ctx);
}

static const struct chardev_client serial_client = {
	.room = serial_room,
	.receive = serial_receive,
	.writable = serial_writable,
};

static void serial_reset(struct device *dev)
{
	struct serial *s = (struct serial *)dev;
	memset(s->rx, 0, sizeof(s->rx));
	memset(s->tx, 0, sizeof(s->tx));
	s->rx_at = s->rx_count = s->tx_count = s->polls = 0;
	s->ier = s->fcr = s->lcr = s->mcr = s->scr = 0;
	s->dll = 12; /* 9600 baud, as firmware leaves it */
	s->dlm = 0;
	s->msr = MSR_DCD | MSR_DSR | MSR_CTS;
	s->lsr_oe = false;
	s->is_thre_pending = false;
	serial_update_irq(s);
}

static void serial_state_fifos(struct serial *s, struct state *st)
{
	uint8_t rx[SERIAL_FIFO] = {0}, tx[SERIAL_FIFO] = {0};
	size_t rx_count = s->rx_count, tx_count = s->tx_count;
	uint8_t rbr = s->rx[s->rx_at];

	for (unsigned i = 0; i < rx_count; i++)
		rx[i] = s->rx[(s->rx_at + i) % SERIAL_FIFO];
	memcpy(tx, s->tx, tx_count);
	state_u8(st, "RBR", &rbr);
	state_blob(st, "RX FIFO", rx, &rx_count, serial_depth(s));
	state_blob(st, "TX FIFO", tx, &tx_count, serial_depth(s));
	if (!state_is_loading(st) || state_error(st))
		return;
	if (rx_count > serial_depth(s) || tx_count > serial_depth(s)) {
		state_fail(st, "more in the FIFOs than fits");
		return;
	}
	s->rx_at = 0;
	s->rx_count = (uint8_t)rx_count;
	memcpy(s->rx, rx, sizeof(s->rx));
	if (!rx_count)
		s->rx[0] = rbr;
	s->tx_count = (uint8_t)tx_count;
	memcpy(s->tx, tx, sizeof(s->tx));
}

static void serial_state(struct device *dev, struct state *st)
{
	struct serial *s = (struct serial *)dev;
	state_u8(st, "IER", &s->ier);
	state_u8(st, "FCR", &s->fcr);
	state_u8(st, "LCR", &s->lcr);
	state_u8(st, "MCR", &s->mcr);
	state_u8(st, "MSR", &s->msr);
	state_u8(st, "SCR", &s->scr);
	state_u8(st, "DLL", &s->dll);
	state_u8(st, "DLM", &s->dlm);
	state_bool(st, "LSR.OE", &s->lsr_oe);
	state_bool(st, "THRE pending", &s->is_thre_pending);
	state_u8(st, "polls", &s->polls);
	if (state_is_loading(st)) {
		s->ier &= IER_RDI | IER_THRI | IER_RLSI | IER_MSI;
		s->fcr &= FCR_KEPT;
		s->mcr &= MCR_DTR | MCR_RTS | MCR_OUT1 | MCR_OUT2 | MCR_LOOP;
		if (s->polls > SERIAL_POLLS_LISTENING)
			s->polls = SERIAL_POLLS_LISTENING;
	}
	serial_state_fifos(s, st);
	if (!state_is_loading(st))
		return;
	/* Half of it would be FIFOs that hold more than the registers say there is room for. */
	if (state_error(st))
		serial_reset(dev);
	s->is_irq_high = serial_irq_level(s);
	irq_line_set(&s->irq, s->is_irq_high);
}

/* Bytes parked by a load are offered to this machine's backend only now. */
static void serial_resume(struct device *dev)
{
	struct serial *s = (struct serial *)dev;
	serial_tx_flush(s);
	serial_ask_for_input(s);
}

static void serial_destroy(struct device *dev)
{
	struct serial *s = (struct serial *)dev;
	chardev_attach(s->cd, NULL, NULL, NULL);
	free(s);
}

static const struct device_ops serial_ops = {
	.type = "16550A",
	.version = 1,
	.reset = serial_reset,
	.state = serial_state,
	.resume = serial_resume,
	.destroy = serial_destroy,
};

int serial_create(struct device **ret_dev, const char *id, struct irq_line irq, struct chardev *cd)
{
	struct serial *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	device_init(&s->dev, &serial_ops, id);
	s->irq = irq;
	s->cd = cd;
	serial_reset(&s->dev);
	chardev_attach(cd, &serial_client, s, &s->dev);
	*ret_dev = &s->dev;
	return 0;
}
