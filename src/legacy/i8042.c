/*
 * 8042 keyboard controller (IBM PC AT Technical Reference, 1984; the mouse port as in IBM Personal
 * System/2 Hardware Interface Technical Reference, 1988).
 *
 * A byte from keyboard or mouse moves into the output buffer when that is free and its interface is
 * enabled; the interrupt line follows the buffer, so each byte is an edge of its own. After a byte
 * was read the next one takes as long as on the wire: INT 09h handlers that are chained read the
 * same byte several times. Answers of the controller itself take no time, and a byte of a device
 * that is in their way steps aside until they are read.
 *
 * With nothing plugged into the ports a byte sent to the keyboard comes back at once as a time-out
 * (status bit 6, 0xfe), so no driver has to wait for it.
 *
 * A20 is always open: its bit is storage. Left out: the controller's other RAM, diagnostic dump and
 * test lines, parity errors, the keyboard lock.
 */
#include "ps2.h"

#include <errno.h>
#include <stdlib.h>
#include <tinyvm/legacy.h>
#include <tinyvm/state.h>

#define STS_OBF	    0x01
#define STS_SYS	    0x04
#define STS_COMMAND 0x08 /* the last byte written went to the command port */
#define STS_UNLOCK  0x10
#define STS_AUX	    0x20 /* the byte in the output buffer is the mouse's */
#define STS_TIMEOUT 0x40

#define CFG_KBD_IRQ	 0x01
#define CFG_AUX_IRQ	 0x02
#define CFG_SYS		 0x04
#define CFG_KBD_DISABLED 0x10
#define CFG_AUX_DISABLED 0x20
#define CFG_TRANSLATE	 0x40

#define OUT_RESET   0x01 /* active low */
#define OUT_A20	    0x02
#define OUT_KBD_IRQ 0x10
#define OUT_AUX_IRQ 0x20
#define OUT_KEPT    0x02
#define OUT_IDLE    0xcd

#define NO_KEYBOARD    0xfe
#define SELF_TEST_OK   0x55
#define PORT_TEST_OK   0x00
#define PORT_CLOCK_LOW 0x01
#define INPUT_UNLOCKED 0x80

#define SET2_BREAK 0xf0
#define SET1_BREAK 0x80

/* Eleven bits at some 10 kHz. */
#define WIRE_NS 1000000u

/**
 * struct i8042 - the controller
 * @config:  configuration byte (command 0x20, 0x60)
 * @output:  kept bits of the output port
 * @data:    output buffer, full when @status has STS_OBF
 * @pending: command whose data byte is still to come, 0 for none
 * @is_device_byte: what the buffer holds came from keyboard or mouse
 * @aside, @is_aside, @is_aside_aux: such a byte that an answer took the place of
 * @ready_ns: when the next byte of a device can have arrived
 * @armed_ns: what the timer is set to
 * @is_kbd_irq, @is_aux_irq: the levels of the wires
 */
struct i8042 {
	struct device dev;
	struct i8042_config cfg;
	uint8_t status;
	uint8_t config;
	uint8_t output;
	uint8_t data;
	uint8_t pending;
	bool is_device_byte;
	uint8_t aside;
	bool is_aside, is_aside_aux;
	uint64_t ready_ns;
	uint64_t armed_ns;
	bool is_kbd_irq, is_aux_irq;
	struct ps2_keyboard keyboard;
	struct ps2_mouse mouse;
};

static void i8042_set_irqs(struct i8042 *k)
{
	bool is_full = k->status & STS_OBF;
	bool is_aux = k->status & STS_AUX;
	bool is_kbd_irq = is_full && !is_aux && k->config & CFG_KBD_IRQ;
	bool is_aux_irq = is_full && is_aux && k->config & CFG_AUX_IRQ;
	if (is_kbd_irq != k->is_kbd_irq)
		irq_line_set(&k->cfg.keyboard_irq, is_kbd_irq);
	if (is_aux_irq != k->is_aux_irq)
		irq_line_set(&k->cfg.mouse_irq, is_aux_irq);
	k->is_kbd_irq = is_kbd_irq;
	k->is_aux_irq = is_aux_irq;
}

static void i8042_fill(struct i8042 *k, uint8_t byte, bool is_aux, bool is_device_byte)
{
	if (k->status & STS_OBF && k->is_device_byte) {
		k->aside = k->data;
		k->is_aside = true;
		k->is_aside_aux = k->status & STS_AUX;
	}
	/* A byte that follows another without a read is an edge too. */
	k->status &= ~(STS_OBF | STS_AUX);
	i8042_set_irqs(k);
	k->data = byte;
	k->is_device_byte = is_device_byte;
	k->status |= STS_OBF | (is_aux ? STS_AUX : 0);
	i8042_set_irqs(k);
}

static void i8042_answer(struct i8042 *k, uint8_t byte)
{
	i8042_fill(k, byte, false, false);
}

/* The keyboard's next byte as the guest sees it. Return: false when there is none after all. */
static bool i8042_take_key(struct i8042 *k, uint8_t *ret_byte)
{
	struct ps2_keyboard *kb = &k->keyboard;
	uint8_t byte = ps2_keyboard_read(kb);
	uint8_t is_break = 0;
	if (k->config & CFG_TRANSLATE) {
		if (byte == SET2_BREAK) {
			if (!ps2_keyboard_has_byte(kb))
				return false;
			is_break = SET1_BREAK;
			byte = ps2_keyboard_read(kb);
		}
		byte = ps2_translate(byte) | is_break;
	}
	*ret_byte = byte;
	return true;
}

static bool i8042_has_key(const struct i8042 *k)
{
	return !(k->config & CFG_KBD_DISABLED) && ps2_keyboard_has_byte(&k->keyboard);
}

static bool i8042_has_motion(const struct i8042 *k)
{
	return !(k->config & CFG_AUX_DISABLED) && ps2_mouse_has_byte(&k->mouse);
}

/* Moves the next byte of a device into the output buffer. */
static void i8042_take(struct i8042 *k)
{
	uint8_t byte;
	if (k->is_aside) {
		k->is_aside = false;
		i8042_fill(k, k->aside, k->is_aside_aux, true);
	} else if (i8042_has_key(k) && i8042_take_key(k, &byte)) {
		i8042_fill(k, byte, false, true);
	} else if (i8042_has_motion(k)) {
		i8042_fill(k, ps2_mouse_read(&k->mouse), true, true);
	}
}

/* A device's byte that is due fills the output buffer; for one that is not, there is the timer. */
static void i8042_listen(struct i8042 *k)
{
	if (k->status & STS_OBF || !(k->is_aside || i8042_has_key(k) || i8042_has_motion(k)))
		return;
	if (k->cfg.clock.monotonic_ns(k->cfg.clock.ctx) >= k->ready_ns) {
		i8042_take(k);
	} else if (k->armed_ns != k->ready_ns) {
		k->armed_ns = k->ready_ns;
		timer_arm(&k->cfg.timer, k->ready_ns);
	}
}

/* What follows from whatever has happened: interrupts, the next byte. */
static void i8042_update(struct i8042 *k)
{
	i8042_set_irqs(k);
	if (k->cfg.is_connected)
		i8042_listen(k);
}

void i8042_expired(void *dev)
{
	struct i8042 *k = dev;
	k->armed_ns = 0;
	i8042_update(k);
}

static void i8042_pull_reset(struct i8042 *k)
{
	k->cfg.power.request(k->cfg.power.ctx, POWER_RESET);
}

static uint8_t i8042_output_port(const struct i8042 *k)
{
	uint8_t irqs = 0;
	if (k->cfg.is_connected && k->status & STS_OBF)
		irqs = k->status & STS_AUX ? OUT_AUX_IRQ : OUT_KBD_IRQ;
	return OUT_IDLE | k->output | irqs;
}

static void i8042_command(struct i8042 *k, uint8_t command)
{
	switch (command) {
	case 0x20: /* read the configuration byte */
		i8042_answer(k, k->config);
		break;
	case 0x60: /* write the configuration byte */
	case 0xd1: /* write the output port */
	case 0xd2: /* put the byte into the output buffer, as if typed */
	case 0xd3: /* likewise, as if from the mouse */
	case 0xd4: /* send the byte to the mouse */
		k->pending = command;
		break;
	case 0xa7:
		k->config |= CFG_AUX_DISABLED;
		break;
	case 0xa8:
		k->config &= ~CFG_AUX_DISABLED;
		break;
	case 0xa9: /* test the mouse port */
		i8042_answer(k, k->cfg.is_connected ? PORT_TEST_OK : PORT_CLOCK_LOW);
		break;
	case 0xaa: /* self test */
		k->status |= STS_SYS;
		k->config |= CFG_SYS;
		i8042_answer(k, SELF_TEST_OK);
		break;
	case 0xab: /* test the keyboard port */
		i8042_answer(k, PORT_TEST_OK);
		break;
	case 0xad:
		k->config |= CFG_KBD_DISABLED;
		break;
	case 0xae:
		k->config &= ~CFG_KBD_DISABLED;
		break;
	case 0xc0: /* read the input port */
		i8042_answer(k, INPUT_UNLOCKED);
		break;
	case 0xd0: /* read the output port */
		i8042_answer(k, i8042_output_port(k));
		break;
	case 0xdd: /* close A20 */
		k->output &= ~OUT_A20;
		break;
	case 0xdf: /* open A20 */
		k->output |= OUT_A20;
		break;
	default:
		/* 0xf0-0xff: pulse low the output port's bits that are clear in the command. */
		if (command >= 0xf0 && !(command & OUT_RESET))
			i8042_pull_reset(k);
		break;
	}
}

static void i8042_command_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct i8042 *k = ctx;
	(void)off, (void)size;
	k->status |= STS_COMMAND;
	k->pending = 0;
	i8042_command(k, (uint8_t)value);
	i8042_update(k);
}

/* A byte for keyboard or mouse enables the interface that it goes through. */
static void i8042_send(struct i8042 *k, uint8_t byte, bool is_aux)
{
	if (!k->cfg.is_connected) {
		i8042_answer(k, NO_KEYBOARD);
		k->status |= STS_TIMEOUT;
	} else if (is_aux) {
		k->config &= ~CFG_AUX_DISABLED;
		ps2_mouse_write(&k->mouse, byte);
	} else {
		k->config &= ~CFG_KBD_DISABLED;
		ps2_keyboard_write(&k->keyboard, byte);
	}
}

static void i8042_data_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct i8042 *k = ctx;
	uint8_t byte = (uint8_t)value;
	uint8_t command = k->pending;
	(void)off, (void)size;

	k->status &= ~(STS_COMMAND | STS_TIMEOUT);
	k->pending = 0;
	switch (command) {
	case 0x60:
		k->config = byte;
		k->status = (k->status & ~STS_SYS) | (byte & CFG_SYS ? STS_SYS : 0);
		break;
	case 0xd1:
		k->output = byte & OUT_KEPT;
		if (!(byte & OUT_RESET))
			i8042_pull_reset(k);
		break;
	case 0xd2:
	case 0xd3:
		i8042_fill(k, byte, command == 0xd3 && k->cfg.is_connected, false);
		break;
	default:
		i8042_send(k, byte, command == 0xd4);
		break;
	}
	i8042_update(k);
}

static uint64_t i8042_data_read(void *ctx, uint64_t off, unsigned size)
{
	struct i8042 *k = ctx;
	uint8_t byte = k->data;
	(void)off, (void)size;
	if (k->cfg.is_connected && k->status & STS_OBF && k->is_device_byte)
		k->ready_ns = k->cfg.clock.monotonic_ns(k->cfg.clock.ctx) + WIRE_NS;
	k->status &= ~(STS_OBF | STS_AUX | STS_TIMEOUT);
	i8042_update(k);
	return byte;
}

static uint64_t i8042_status_read(void *ctx, uint64_t off, unsigned size)
{
	struct i8042 *k = ctx;
	(void)off, (void)size;
	if (k->cfg.is_connected && !(k->status & STS_OBF))
		i8042_update(k); /* who polls need not wait for the timer */
	return k->status;
}

const struct bus_ops i8042_data_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = i8042_data_read,
	.write = i8042_data_write,
};

const struct bus_ops i8042_command_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = i8042_status_read,
	.write = i8042_command_write,
};

bool i8042_key(struct device *dev, uint16_t code, bool is_down)
{
	struct i8042 *k = (struct i8042 *)dev;
	if (!k->cfg.is_connected)
		return true;
	bool is_taken = ps2_keyboard_key(&k->keyboard, code, is_down);
	if (is_taken)
		i8042_update(k);
	return is_taken;
}

bool i8042_is_read(struct device *dev)
{
	const struct i8042 *k = (struct i8042 *)dev;
	bool is_in_buffer = k->status & STS_OBF && k->is_device_byte && !(k->status & STS_AUX);
	return k->keyboard.is_scanning && !k->keyboard.keys.len && !is_in_buffer &&
	       !(k->is_aside && !k->is_aside_aux);
}

void i8042_mouse(struct device *dev, int dx, int dy, int dz, unsigned buttons)
{
	struct i8042 *k = (struct i8042 *)dev;
	if (!k->cfg.is_connected)
		return;
	ps2_mouse_move(&k->mouse, dx, dy, dz, buttons);
	i8042_update(k);
}

/* As firmware leaves it: tested, A20 open, a keyboard ready to be used. */
static void i8042_reset(struct device *dev)
{
	struct i8042 *k = (struct i8042 *)dev;
	k->status = STS_SYS | STS_UNLOCK;
	k->config = CFG_SYS | CFG_AUX_DISABLED;
	k->config |= k->cfg.is_connected ? CFG_KBD_IRQ | CFG_TRANSLATE : CFG_KBD_DISABLED;
	k->output = OUT_A20;
	k->data = 0;
	k->pending = 0;
	k->is_device_byte = k->is_aside = k->is_aside_aux = false;
	k->aside = 0;
	k->ready_ns = 0;
	ps2_keyboard_reset(&k->keyboard);
	k->mouse.buttons = 0;
	ps2_mouse_reset(&k->mouse);
	i8042_update(k);
}

static void i8042_state(struct device *dev, struct state *st)
{
	struct i8042 *k = (struct i8042 *)dev;
	state_u8(st, "STATUS", &k->status);
	state_u8(st, "CONFIG", &k->config);
	state_u8(st, "OUTPUT PORT", &k->output);
	state_u8(st, "OUTPUT BUFFER", &k->data);
	state_u8(st, "COMMAND", &k->pending);
	state_bool(st, "FROM DEVICE", &k->is_device_byte);
	state_u8(st, "ASIDE", &k->aside);
	state_bool(st, "IS ASIDE", &k->is_aside);
	state_bool(st, "ASIDE AUX", &k->is_aside_aux);
	ps2_keyboard_state(&k->keyboard, st);
	ps2_mouse_state(&k->mouse, st);
	if (!state_is_loading(st))
		return;
	k->status &= STS_OBF | STS_SYS | STS_COMMAND | STS_AUX | STS_TIMEOUT;
	k->status |= STS_UNLOCK;
	k->output &= OUT_KEPT;
	k->ready_ns = 0;
	i8042_set_irqs(k);
}

/* What waited when the state was saved arrives now. */
static void i8042_resume(struct device *dev)
{
	i8042_update((struct i8042 *)dev);
}

static void i8042_destroy(struct device *dev)
{
	free(dev);
}

static const struct device_ops i8042_ops = {
	.type = "i8042",
	.version = 1,
	.reset = i8042_reset,
	.state = i8042_state,
	.resume = i8042_resume,
	.destroy = i8042_destroy,
};

int i8042_create(struct device **ret_dev, const struct i8042_config *cfg)
{
	struct i8042 *k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	device_init(&k->dev, &i8042_ops, "i8042");
	k->cfg = *cfg;
	i8042_reset(&k->dev);
	*ret_dev = &k->dev;
	return 0;
}
