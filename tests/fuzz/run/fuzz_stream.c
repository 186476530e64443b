/*
 * What a hostile guest may say to the host's end of a `tinyvm run`, while the host says what it
 * has to say. Steps: a byte that chooses one, then its operands. Aborts when the client hears
 * something out of order, or unbounded.
 */
#include <stdlib.h>
#include <string.h>
#include <tinyvm/chardev.h>
#include <tinyvm/device.h>
#include <tinyvm/run_stream.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct device dev;
	struct run_stream *stream;
	bool has_hello, has_started, has_status, is_over;
	size_t output_room, port_room;
};

static void insist(bool is_so)
{
	if (!is_so)
		abort();
}

static size_t on_output(void *ctx, bool is_stderr, const uint8_t *buf, size_t len)
{
	struct world *w = ctx;
	volatile uint8_t last = buf[len - 1];
	(void)is_stderr, (void)last;
	insist(w->has_started && !w->has_status && !w->is_over && len > 0);
	if (len > w->output_room)
		len = w->output_room;
	w->output_room -= len;
	return len;
}

static void on_hello(void *ctx, const struct run_hello *hello, const char *release)
{
	struct world *w = ctx;
	insist(!w->has_hello && hello->version == RUN_PROTOCOL_VERSION && strlen(release) < 66);
	w->has_hello = true;
}

static void on_started(void *ctx, const struct run_stamp *stamp)
{
	struct world *w = ctx;
	(void)stamp;
	insist(w->has_hello && !w->has_started);
	w->has_started = true;
}

static void on_input(void *ctx)
{
	const struct world *w = ctx;
	insist(!w->is_over);
}

static void on_status(void *ctx, const struct run_status *status)
{
	struct world *w = ctx;
	(void)status;
	insist(w->has_started && !w->has_status);
	w->has_status = true;
}

static void over(struct world *w)
{
	insist(!w->is_over);
	w->is_over = true;
}

static void on_bye(void *ctx, const struct run_stamp *stamp)
{
	struct world *w = ctx;
	(void)stamp;
	insist(w->has_status);
	over(w);
}

static void on_log(void *ctx, const char *sentence)
{
	const struct world *w = ctx;
	insist(w->has_hello && !w->is_over && strlen(sentence) <= 4096 && !strchr(sentence, 0x1b));
}

static void on_kernel(void *ctx, const char *line)
{
	on_log(ctx, line ? line : "");
}

static void on_failed(void *ctx, const char *sentence)
{
	insist(strlen(sentence) <= 4096 && !strchr(sentence, '\n'));
	over(ctx);
}

static void on_broken(void *ctx, const char *why)
{
	insist(*why);
	over(ctx);
}

static const struct run_stream_client client = {
	on_output, on_hello, on_started, on_input,  on_status,
	on_bye,	   on_log,   on_kernel,	 on_failed, on_broken,
};

static size_t port_room(void *ctx)
{
	const struct world *w = ctx;
	return w->port_room;
}

static void port_receive(void *ctx, const uint8_t *buf, size_t len)
{
	struct world *w = ctx;
	volatile uint8_t last = buf[len - 1];
	(void)last;
	insist(len > 0 && len <= w->port_room);
	w->port_room -= len;
}

static void port_writable(void *ctx)
{
	(void)ctx;
}

static const struct chardev_client port = {
	.room = port_room,
	.receive = port_receive,
	.writable = port_writable,
};

/* Bytes as they are, or a frame whose head is right, so that the depths are reached too. */
static void guest_says(struct world *w, const uint8_t *buf, size_t len, bool is_frame)
{
	struct run_frame head = {.type = len ? buf[0] : 0, .len = len ? (uint32_t)len - 1 : 0};
	struct chardev *cd = run_stream_to_chardev(w->stream);
	device_lock(&w->dev);
	if (is_frame && len) {
		chardev_write(cd, (const uint8_t *)&head, sizeof(head));
		buf++, len--;
	}
	while (len) {
		size_t n = chardev_write(cd, buf, len);
		insist(n <= len);
		if (!n)
			w->output_room += 64;
		buf += n;
		len -= n;
	}
	device_unlock(&w->dev);
}

static void step(struct world *w, uint8_t what, const uint8_t *buf, size_t len)
{
	static const uint8_t input[RUN_STDIN_WINDOW];
	switch (what & 7) {
	case 0:
	case 1:
	case 2:
	case 3:
		guest_says(w, buf, len, what & 3);
		break;
	case 4:
		insist(run_stream_stdin(w->stream, input, (size_t)what * 300) <= what * 300u);
		break;
	case 5:
		run_stream_signal(w->stream, what >> 1);
		run_stream_resize(w->stream, what, what);
		break;
	case 6:
		w->port_room = (size_t)what << 4;
		device_lock(&w->dev);
		chardev_resume(run_stream_to_chardev(w->stream));
		device_unlock(&w->dev);
		break;
	default:
		if (what > 0xf0)
			run_stream_end_stdin(w->stream);
		run_stream_resume_output(w->stream);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct device_ops ops = {.type = "fuzz"};
	struct world w = {.output_room = 100, .port_room = 100};
	device_init(&w.dev, &ops, "fuzz");
	if (run_stream_create(&w.stream, &client, &w) != 0)
		return 0;
	struct chardev *cd = run_stream_to_chardev(w.stream);
	chardev_attach(cd, &port, &w, &w.dev);
	while (size >= 2) {
		size_t len = data[1];
		uint8_t what = data[0];
		data += 2, size -= 2;
		if (len > size)
			len = size;
		step(&w, what, data, len);
		data += len, size -= len;
	}
	chardev_attach(cd, NULL, NULL, NULL);
	chardev_destroy(cd);
	return 0;
}
