/*
 * The ports that firmware and small systems say something through before anything else works: the
 * POST code at 0x80 (IBM PC AT), a byte that reads back, and a text console a character at a time,
 * which Bochs has at 0xe9 and QEMU at 0x402; reading 0xe9 there tells that it exists.
 *
 * Text is collected into lines. What is not printable is shown as a question mark: lines end up on
 * somebody's terminal.
 */
#include <errno.h>
#include <stdlib.h>
#include <tinyvm/legacy.h>
#include <tinyvm/state.h>

#define CONSOLE_EXISTS 0xe9

/**
 * struct debugport - the ports
 * @post: last POST code
 * @text, @len: the line so far
 */
struct debugport {
	struct device dev;
	void (*line)(void *ctx, const char *line);
	void *ctx;
	uint8_t post;
	char text[DEBUGPORT_LINE_MAX + 1];
	size_t len;
};

static void debugport_end_line(struct debugport *d)
{
	d->text[d->len] = '\0';
	d->len = 0;
	d->line(d->ctx, d->text);
}

static void debugport_put(struct debugport *d, uint8_t byte)
{
	if (byte == '\n') {
		debugport_end_line(d);
		return;
	}
	if (byte == '\r' || byte == '\0')
		return;
	if (d->len == DEBUGPORT_LINE_MAX)
		debugport_end_line(d);
	bool is_printable = byte >= ' ' && byte <= '~';
	d->text[d->len++] = is_printable ? (char)byte : byte == '\t' ? ' ' : '?';
}

static uint64_t debugport_post_read(void *ctx, uint64_t off, unsigned size)
{
	struct debugport *d = ctx;
	(void)off, (void)size;
	return d->post;
}

static void debugport_post_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	struct debugport *d = ctx;
	(void)off, (void)size;
	d->post = (uint8_t)value;
}

static uint64_t debugport_text_read(void *ctx, uint64_t off, unsigned size)
{
	(void)ctx, (void)off, (void)size;
	return CONSOLE_EXISTS;
}

static void debugport_text_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
	(void)off, (void)size;
	debugport_put(ctx, (uint8_t)value);
}

const struct bus_ops debugport_post_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = debugport_post_read,
	.write = debugport_post_write,
};

const struct bus_ops debugport_text_bus_ops = {
	.sizes = BUS_SIZE_1,
	.read = debugport_text_read,
	.write = debugport_text_write,
};

static void debugport_reset(struct device *dev)
{
	struct debugport *d = (struct debugport *)dev;
	d->post = 0;
	d->len = 0;
}

static void debugport_state(struct device *dev, struct state *st)
{
	struct debugport *d = (struct debugport *)dev;
	state_u8(st, "POST", &d->post);
	state_blob(st, "LINE", d->text, &d->len, DEBUGPORT_LINE_MAX);
	if (!state_is_loading(st))
		return;
	for (size_t i = 0; i < d->len; i++) {
		if (d->text[i] < ' ' || d->text[i] > '~')
			d->text[i] = '?';
	}
}

static void debugport_destroy(struct device *dev)
{
	free(dev);
}

static const struct device_ops debugport_ops = {
	.type = "debugport",
	.version = 1,
	.reset = debugport_reset,
	.state = debugport_state,
	.destroy = debugport_destroy,
};

int debugport_create(struct device **ret_dev, void (*line)(void *ctx, const char *line), void *ctx)
{
	struct debugport *d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	device_init(&d->dev, &debugport_ops, "debugport");
	d->line = line;
	d->ctx = ctx;
	debugport_reset(&d->dev);
	*ret_dev = &d->dev;
	return 0;
}
