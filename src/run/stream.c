/*
 * The host's end of the protocol between `tinyvm run` and its init, see <spec/run_protocol.h>.
 *
 * From the guest: output is passed on as it comes, without a copy; the other frames are small and
 * collected first. The order in which they may come is checked, so that whoever listens need not.
 *
 * To the guest: one buffer. Signals, sizes and the end of the input are remembered as flags and
 * become frames when there is room, so no call here ever fails or grows anything.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/chardev.h>
#include <tinyvm/device.h>
#include <tinyvm/run_stream.h>

#define OUT_SIZE    16384
#define SMALL_MAX   4096
#define RELEASE_MAX 65
#define SIGNALS	    65 /* 1 to 64 */

/* How far the conversation is. */
enum stage {
	STAGE_SILENT,
	STAGE_HELLO,
	STAGE_STARTED,
	STAGE_STATUS,
	STAGE_OVER, /* bye, failed or broken: what comes now vanishes */
};

/**
 * struct run_stream - the conversation
 * @port, @port_ctx, @port_dev: the device, guarded by whose lock everything else is
 * @head, @head_len: the frame's head, as far as it has come
 * @left:  bytes of its payload to come
 * @small, @small_len: a small frame's payload
 * @out, @out_at, @out_len: frames on their way
 * @window: bytes of standard input that the guest would take now
 * @is_input_short: run_stream_stdin() took less than it was given
 * @is_stdin_closed: the command takes no more; read without the lock
 */
struct run_stream {
	struct chardev cd;
	const struct run_stream_client *client;
	void *ctx;
	const struct chardev_client *port;
	void *port_ctx;
	struct device *port_dev;
	enum stage stage;

	uint8_t head[sizeof(struct run_frame)];
	size_t head_len;
	struct run_frame frame;
	size_t left;
	uint8_t small[SMALL_MAX + 1];
	size_t small_len;

	uint8_t out[OUT_SIZE];
	size_t out_at, out_len;
	uint32_t window;
	bool is_input_short;
	bool is_end_due, is_end_sent;
	bool is_stdin_closed;
	bool is_size_due;
	bool is_kernel_due;
	struct run_winsize size;
	bool is_signal_due[SIGNALS];
};

static struct run_stream *stream_of(struct chardev *cd)
{
	return (struct run_stream *)cd;
}

/* The device's lock; before there is a device nothing else can call. */
static void stream_lock(struct run_stream *s)
{
	if (s->port_dev)
		device_lock(s->port_dev);
}

static void stream_unlock(struct run_stream *s)
{
	if (s->port_dev)
		device_unlock(s->port_dev);
}

/* To the guest */

static size_t stream_room(const struct run_stream *s)
{
	return OUT_SIZE - s->out_len;
}

static bool stream_put(struct run_stream *s, enum run_type type, const void *payload, size_t len)
{
	struct run_frame head = {.type = (uint8_t)type, .len = (uint32_t)len};
	if (stream_room(s) < sizeof(head) + len)
		return false;
	memcpy(s->out + s->out_len, &head, sizeof(head));
	if (len)
		memcpy(s->out + s->out_len + sizeof(head), payload, len);
	s->out_len += sizeof(head) + len;
	return true;
}

/* Makes frames of what is due. */
static void stream_put_due(struct run_stream *s)
{
	for (uint32_t signo = 1; signo < SIGNALS; signo++)
		if (s->is_signal_due[signo] && stream_put(s, RUN_SIGNAL, &signo, sizeof(signo)))
			s->is_signal_due[signo] = false;
	if (s->is_size_due && stream_put(s, RUN_WINSIZE, &s->size, sizeof(s->size)))
		s->is_size_due = false;
	if (s->is_kernel_due && stream_put(s, RUN_KERNEL_WANTED, NULL, 0))
		s->is_kernel_due = false;
	if (s->is_end_due && stream_put(s, RUN_STDIN, NULL, 0)) {
		s->is_end_due = false;
		s->is_end_sent = true;
	}
}

/* Hands the driver what it has buffers for. */
static void stream_pump(struct run_stream *s)
{
	if (s->stage == STAGE_OVER)
		s->out_at = s->out_len = 0;
	else
		stream_put_due(s);
	while (s->port && s->out_at < s->out_len) {
		size_t room = s->port->room(s->port_ctx), len = s->out_len - s->out_at;
		if (!room)
			break;
		if (len > room)
			len = room;
		s->port->receive(s->port_ctx, s->out + s->out_at, len);
		s->out_at += len;
	}
	memmove(s->out, s->out + s->out_at, s->out_len - s->out_at);
	s->out_len -= s->out_at;
	s->out_at = 0;
}

static void stream_tell_input(struct run_stream *s)
{
	if (!s->is_input_short || s->stage == STAGE_OVER || (!s->window && !s->is_stdin_closed))
		return;
	s->is_input_short = false;
	s->client->input(s->ctx);
}

size_t run_stream_stdin(struct run_stream *s, const uint8_t *buf, size_t len)
{
	size_t done = 0;
	stream_lock(s);
	while (done < len && s->window && s->stage != STAGE_OVER && !s->is_stdin_closed &&
	       !s->is_end_due && !s->is_end_sent) {
		size_t piece = len - done;
		if (piece > RUN_HOST_PAYLOAD_MAX)
			piece = RUN_HOST_PAYLOAD_MAX;
		if (piece > s->window)
			piece = s->window;
		if (!stream_put(s, RUN_STDIN, buf + done, piece)) {
			stream_pump(s);
			if (!stream_put(s, RUN_STDIN, buf + done, piece))
				break;
		}
		s->window -= (uint32_t)piece;
		done += piece;
	}
	s->is_input_short = done < len;
	stream_pump(s);
	stream_unlock(s);
	return done;
}

void run_stream_end_stdin(struct run_stream *s)
{
	stream_lock(s);
	s->is_end_due = !s->is_end_sent;
	stream_pump(s);
	stream_unlock(s);
}

bool run_stream_is_stdin_closed(const struct run_stream *s)
{
	return __atomic_load_n(&s->is_stdin_closed, __ATOMIC_RELAXED);
}

void run_stream_signal(struct run_stream *s, unsigned signo)
{
	if (signo == 0 || signo >= SIGNALS)
		return;
	stream_lock(s);
	s->is_signal_due[signo] = true;
	stream_pump(s);
	stream_unlock(s);
}

void run_stream_resize(struct run_stream *s, uint16_t rows, uint16_t cols)
{
	stream_lock(s);
	s->size = (struct run_winsize){.rows = rows, .cols = cols};
	s->is_size_due = true;
	stream_pump(s);
	stream_unlock(s);
}

void run_stream_want_kernel_log(struct run_stream *s)
{
	stream_lock(s);
	s->is_kernel_due = true;
	stream_pump(s);
	stream_unlock(s);
}

void run_stream_resume_output(struct run_stream *s)
{
	stream_lock(s);
	if (s->port)
		s->port->writable(s->port_ctx);
	stream_unlock(s);
}

/* From the guest */

static void stream_break(struct run_stream *s, const char *why)
{
	s->stage = STAGE_OVER;
	s->client->broken(s->ctx, why);
}

/* Makes a string of bytes that may be shown on a terminal. */
static char *stream_text(uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool is_c1 = i && buf[i - 1] == 0xc2 && buf[i] >= 0x80 && buf[i] <= 0x9f;
		if (buf[i] < 0x20 || buf[i] == 0x7f || is_c1)
			buf[i] = '?';
	}
	buf[len] = '\0';
	return (char *)buf;
}

static void stream_take_hello(struct run_stream *s)
{
	struct run_hello hello;
	size_t len = s->small_len - sizeof(hello);
	memcpy(&hello, s->small, sizeof(hello));
	if (hello.version != RUN_PROTOCOL_VERSION) {
		stream_break(s, "the init in the guest speaks another version of the protocol");
		return;
	}
	if (len > RELEASE_MAX)
		len = RELEASE_MAX;
	s->stage = STAGE_HELLO;
	s->client->hello(s->ctx, &hello, stream_text(s->small + sizeof(hello), len));
}

static void stream_take_credit(struct run_stream *s)
{
	uint32_t credit;
	memcpy(&credit, s->small, sizeof(credit));
	if (credit > RUN_STDIN_WINDOW - s->window) {
		stream_break(s, "the guest took more standard input than it was sent");
		return;
	}
	s->window += credit;
	stream_tell_input(s);
}

/* A small frame is complete; stream_check() let it through. */
static void stream_take_small(struct run_stream *s)
{
	union {
		struct run_stamp stamp;
		struct run_status status;
	} u;
	memcpy(&u, s->small, sizeof(u));
	switch ((enum run_type)s->frame.type) {
	case RUN_HELLO:
		stream_take_hello(s);
		break;
	case RUN_LOG:
		s->client->log(s->ctx, stream_text(s->small, s->small_len));
		break;
	case RUN_KERNEL:
		s->client->kernel(s->ctx,
				  s->small_len ? stream_text(s->small, s->small_len) : NULL);
		break;
	case RUN_STARTED:
		s->stage = STAGE_STARTED;
		s->client->started(s->ctx, &u.stamp);
		break;
	case RUN_CREDIT:
		stream_take_credit(s);
		break;
	case RUN_STDIN_CLOSED:
		__atomic_store_n(&s->is_stdin_closed, true, __ATOMIC_RELAXED);
		s->is_input_short = true; /* whoever waits must learn that it is in vain */
		stream_tell_input(s);
		break;
	case RUN_STATUS:
		s->stage = STAGE_STATUS;
		s->client->status(s->ctx, &u.status);
		break;
	case RUN_FAILED:
		s->stage = STAGE_OVER;
		s->client->failed(s->ctx, stream_text(s->small, s->small_len));
		break;
	case RUN_BYE:
		s->stage = STAGE_OVER;
		s->client->bye(s->ctx, &u.stamp);
		break;
	default:
		break;
	}
}

/* What each frame may be, and when it may come. */
static const struct rule {
	uint8_t type;
	uint8_t from, to; /* enum stage */
	size_t min, max;
} stream_rules[] = {
	{RUN_HELLO, STAGE_SILENT, STAGE_SILENT, sizeof(struct run_hello), SMALL_MAX},
	{RUN_LOG, STAGE_HELLO, STAGE_STATUS, 0, RUN_GUEST_PAYLOAD_MAX},
	{RUN_STARTED, STAGE_HELLO, STAGE_HELLO, sizeof(struct run_stamp), sizeof(struct run_stamp)},
	{RUN_STDOUT, STAGE_STARTED, STAGE_STARTED, 0, RUN_GUEST_PAYLOAD_MAX},
	{RUN_STDERR, STAGE_STARTED, STAGE_STARTED, 0, RUN_GUEST_PAYLOAD_MAX},
	{RUN_CREDIT, STAGE_STARTED, STAGE_STARTED, sizeof(uint32_t), sizeof(uint32_t)},
	{RUN_STDIN_CLOSED, STAGE_STARTED, STAGE_STARTED, 0, 0},
	{RUN_STATUS, STAGE_STARTED, STAGE_STARTED, sizeof(struct run_status),
	 sizeof(struct run_status)},
	{RUN_KERNEL, STAGE_HELLO, STAGE_STATUS, 0, RUN_GUEST_PAYLOAD_MAX},
	{RUN_FAILED, STAGE_HELLO, STAGE_STATUS, 0, RUN_GUEST_PAYLOAD_MAX},
	{RUN_BYE, STAGE_STATUS, STAGE_STATUS, sizeof(struct run_stamp), sizeof(struct run_stamp)},
};

static bool stream_check(const struct run_stream *s)
{
	const struct run_frame *f = &s->frame;
	for (size_t i = 0; i < sizeof(stream_rules) / sizeof(stream_rules[0]); i++) {
		const struct rule *r = &stream_rules[i];
		if (r->type == f->type)
			return s->stage >= r->from && s->stage <= r->to && f->len >= r->min &&
			       f->len <= r->max;
	}
	return false;
}

static size_t stream_take_head(struct run_stream *s, const uint8_t *buf, size_t len)
{
	size_t n = sizeof(s->head) - s->head_len;
	if (n > len)
		n = len;
	memcpy(s->head + s->head_len, buf, n);
	s->head_len += n;
	if (s->head_len < sizeof(s->head))
		return n;
	memcpy(&s->frame, s->head, sizeof(s->frame));
	s->left = s->frame.len;
	s->small_len = 0;
	if (!stream_check(s))
		stream_break(s, "the guest sent something that makes no sense");
	return n;
}

static bool stream_is_output(const struct run_stream *s)
{
	return s->frame.type == RUN_STDOUT || s->frame.type == RUN_STDERR;
}

/* Return: how many of the payload's bytes were taken. */
static size_t stream_take_payload(struct run_stream *s, const uint8_t *buf, size_t len)
{
	size_t n = s->left < len ? s->left : len;
	if (n && stream_is_output(s)) {
		n = s->client->output(s->ctx, s->frame.type == RUN_STDERR, buf, n);
	} else if (n) {
		size_t room = SMALL_MAX - s->small_len; /* of a longer sentence this much shows */
		size_t kept = n < room ? n : room;
		memcpy(s->small + s->small_len, buf, kept);
		s->small_len += kept;
	}
	s->left -= n;
	return n;
}

static size_t stream_write(struct chardev *cd, const uint8_t *buf, size_t len)
{
	struct run_stream *s = stream_of(cd);
	size_t done = 0;
	while (s->stage != STAGE_OVER) {
		bool is_head = s->head_len < sizeof(s->head);
		if (!is_head && !s->left) {
			s->head_len = 0;
			if (!stream_is_output(s))
				stream_take_small(s);
			continue;
		}
		if (done == len)
			return len;
		size_t n = is_head ? stream_take_head(s, buf + done, len - done)
				   : stream_take_payload(s, buf + done, len - done);
		if (!n)
			return done;
		done += n;
	}
	return len;
}

static void stream_attach(struct chardev *cd, const struct chardev_client *port, void *ctx,
			  struct device *dev)
{
	struct run_stream *s = stream_of(cd);
	s->port = port;
	s->port_ctx = ctx;
	s->port_dev = dev;
	/* What waits already: a port that refuses it now will ask for it later. */
	stream_lock(s);
	stream_pump(s);
	stream_unlock(s);
}

static void stream_resume(struct chardev *cd)
{
	struct run_stream *s = stream_of(cd);
	stream_pump(s);
	stream_tell_input(s);
}

static void stream_destroy(struct chardev *cd)
{
	free(stream_of(cd));
}

static const struct chardev_ops stream_ops = {
	.attach = stream_attach,
	.write = stream_write,
	.resume = stream_resume,
	.destroy = stream_destroy,
};

int run_stream_create(struct run_stream **ret_stream, const struct run_stream_client *client,
		      void *ctx)
{
	struct run_stream *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->cd.ops = &stream_ops;
	s->client = client;
	s->ctx = ctx;
	s->window = RUN_STDIN_WINDOW;
	*ret_stream = s;
	return 0;
}

struct chardev *run_stream_to_chardev(struct run_stream *s)
{
	return &s->cd;
}
