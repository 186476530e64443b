/*
 * 8042 keyboard controller (IBM PC AT Technical Reference, 1984) with nothing plugged into its
 * ports: the reset pulse, the self tests, configuration byte and output port.
 *
 * A byte sent to the absent keyboard comes back at once as a time-out (status bit 6, 0xfe), so no
 * driver has to wait for it. A20 is always open: its bit is storage.
 *
 * Left out until there is a keyboard or mouse: interrupts, scan codes, the controller's other RAM.
 */
#include <errno.h>
#include <stdlib.h>
#include <tinyvm/legacy.h>
#include <tinyvm/state.h>

#define STS_OBF	    0x01
#define STS_SYS	    0x04
#define STS_COMMAND 0x08 /* the last byte written went to the command port */
#define STS_UNLOCK  0x10
#define STS_TIMEOUT 0x40

#define CFG_SYS		 0x04
#define CFG_KBD_DISABLED 0x10
#define CFG_AUX_DISABLED 0x20

#define OUT_RESET 0x01 /* active low */
#define OUT_A20	  0x02
#define OUT_KEPT  0x02
#define OUT_IDLE  0xcd

#define NO_KEYBOARD    0xfe
#define SELF_TEST_OK   0x55
#define PORT_TEST_OK   0x00
#define PORT_CLOCK_LOW 0x01
#define INPUT_UNLOCKED 0x80

/**
 * struct i8042 - the controller
 * @config:  configuration byte (command 0x20, 0x60)
 * @output:  kept bits of the output port
 * @data:    output buffer, full when @status has STS_OBF
 * @pending: command whose data byte is still to come, 0 for none
 */
struct i8042 {
	struct device dev;
	struct power_sink power;
	uint8_t status;
	uint8_t config;
	uint8_t output;
	uint8_t data;
	uint8_t pending;
};

static void i8042_answer(struct i8042 *k, uint8_t byte)
{
	k->data = byte;
	k->status |= STS_OBF;
}

static void i8042_pull_reset(struct i8042 *k)
{
	k->power.request(k->power.ctx, POWER_RESET);
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
		i8042_answer(k, PORT_CLOCK_LOW);
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
		i8042_answer(k, OUT_IDLE | k->output);
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
		i8042_answer(k, byte);
		break;
	default: /* to the keyboard (no command) or the mouse (0xd4) */
		i8042_answer(k, NO_KEYBOARD);
		k->status |= STS_TIMEOUT;
		break;
	}
}

static uint64_t i8042_data_read(void *ctx, uint64_t off, unsigned size)
{
	struct i8042 *k = ctx;
	(void)off, (void)size;
	k->status &= ~(STS_OBF | STS_TIMEOUT);
	return k->data;
}

static uint64_t i8042_status_read(void *ctx, uint64_t off, unsigned size)
{
	struct i8042 *k = ctx;
	(void)off, (void)size;
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

/* As firmware leaves it: tested, both ports disabled, A20 open. */
static void i8042_reset(struct device *dev)
{
	struct i8042 *k = (struct i8042 *)dev;
	k->status = STS_SYS | STS_UNLOCK;
	k->config = CFG_SYS | CFG_KBD_DISABLED | CFG_AUX_DISABLED;
	k->output = OUT_A20;
	k->data = 0;
	k->pending = 0;
}

static void i8042_state(struct device *dev, struct state *st)
{
	struct i8042 *k = (struct i8042 *)dev;
	state_u8(st, "STATUS", &k->status);
	state_u8(st, "CONFIG", &k->config);
	state_u8(st, "OUTPUT PORT", &k->output);
	state_u8(st, "OUTPUT BUFFER", &k->data);
	state_u8(st, "COMMAND", &k->pending);
	if (!state_is_loading(st))
		return;
	k->status &= STS_OBF | STS_SYS | STS_COMMAND | STS_TIMEOUT;
	k->status |= STS_UNLOCK;
	k->output &= OUT_KEPT;
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
	.destroy = i8042_destroy,
};

int i8042_create(struct device **ret_dev, struct power_sink power)
{
	struct i8042 *k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	device_init(&k->dev, &i8042_ops, "i8042");
	k->power = power;
	i8042_reset(&k->dev);
	*ret_dev = &k->dev;
	return 0;
}
