/* The host's end of the stream between a guest that may say anything and a client that listens. */
#include "test.h"

#include <tinyvm/chardev.h>
#include <tinyvm/device.h>
#include <tinyvm/run_stream.h>

/* What the client heard, in words: a letter for each call, in order. */
struct bench {
	struct device dev;
	struct run_stream *stream;
	struct chardev *cd;
	char heard[256];
	char text[8192]; /* the latest sentence */
	struct run_status status;
	uint8_t out[2][70000];
	size_t out_len[2];
	size_t out_room; /* that output() takes */
	uint8_t sent[200000];
	size_t sent_len, sent_room; /* what the port's driver takes */
	unsigned rooms, writables;
};

static struct bench b;

static void hear(const char *what)
{
	strncat(b.heard, what, sizeof(b.heard) - strlen(b.heard) - 1);
}

static size_t on_output(void *ctx, bool is_stderr, const uint8_t *buf, size_t len)
{
	(void)ctx;
	if (len > b.out_room)
		len = b.out_room;
	b.out_room -= len;
	memcpy(b.out[is_stderr] + b.out_len[is_stderr], buf, len);
	b.out_len[is_stderr] += len;
	return len;
}

static void on_hello(void *ctx, const struct run_hello *hello, const char *release)
{
	(void)ctx, (void)hello;
	snprintf(b.text, sizeof(b.text), "%s", release);
	hear("h");
}

static void on_started(void *ctx, const struct run_stamp *stamp)
{
	(void)ctx, (void)stamp;
	hear("s");
}

static void on_input(void *ctx)
{
	(void)ctx;
	hear("i");
}

static void on_status(void *ctx, const struct run_status *status)
{
	(void)ctx;
	b.status = *status;
	hear("x");
}

static void on_bye(void *ctx, const struct run_stamp *stamp)
{
	(void)ctx, (void)stamp;
	hear("b");
}

static void on_kernel(void *ctx, const char *line)
{
	(void)ctx;
	if (line)
		snprintf(b.text, sizeof(b.text), "%s", line);
	hear(line ? "k" : "K");
}

static void on_log(void *ctx, const char *sentence)
{
	(void)ctx;
	snprintf(b.text, sizeof(b.text), "%s", sentence);
	hear("l");
}

static void on_failed(void *ctx, const char *sentence)
{
	(void)ctx;
	snprintf(b.text, sizeof(b.text), "%s", sentence);
	hear("f");
}

static void on_broken(void *ctx, const char *why)
{
	(void)ctx;
	snprintf(b.text, sizeof(b.text), "%s", why);
	hear("!");
}

static const struct run_stream_client client = {
	on_output, on_hello, on_started, on_input,  on_status,
	on_bye,	   on_log,   on_kernel,	 on_failed, on_broken,
};

static size_t port_room(void *ctx)
{
	(void)ctx;
	b.rooms++;
	return b.sent_room < 4096 ? b.sent_room : 4096;
}

static void port_receive(void *ctx, const uint8_t *buf, size_t len)
{
	(void)ctx;
	memcpy(b.sent + b.sent_len, buf, len);
	b.sent_len += len;
	b.sent_room -= len;
}

static void port_writable(void *ctx)
{
	(void)ctx;
	b.writables++;
}

static const struct chardev_client port = {
	.room = port_room,
	.receive = port_receive,
	.writable = port_writable,
};

static void set_up(void)
{
	static const struct device_ops ops = {.type = "test"};
	memset(&b, 0, sizeof(b));
	b.out_room = b.sent_room = SIZE_MAX;
	device_init(&b.dev, &ops, "test");
	if (run_stream_create(&b.stream, &client, &b) != 0)
		abort();
	b.cd = run_stream_to_chardev(b.stream);
	chardev_attach(b.cd, &port, &b, &b.dev);
}

static void tear_down(void)
{
	chardev_attach(b.cd, NULL, NULL, NULL);
	chardev_destroy(b.cd);
}

static size_t raw(const void *buf, size_t len)
{
	device_lock(&b.dev);
	size_t n = chardev_write(b.cd, buf, len);
	device_unlock(&b.dev);
	return n;
}

static size_t frame(enum run_type type, const void *payload, size_t len)
{
	static uint8_t buf[70000];
	struct run_frame head = {.type = (uint8_t)type, .len = (uint32_t)len};
	memcpy(buf, &head, sizeof(head));
	if (len)
		memcpy(buf + sizeof(head), payload, len);
	return raw(buf, sizeof(head) + len);
}

static void say_hello(void)
{
	struct {
		struct run_hello head;
		char release[5];
	} hello = {{.version = RUN_PROTOCOL_VERSION}, "6.1.0"};
	frame(RUN_HELLO, &hello, sizeof(hello.head) + 5);
}

static void start(void)
{
	struct run_stamp stamp = {1};
	say_hello();
	frame(RUN_STARTED, &stamp, sizeof(stamp));
}

WITH_DEVICE(test_a_whole_conversation)
{
	struct run_status status = {.is_signal = 1, .value = 9};
	struct run_stamp stamp = {7};
	say_hello();
	CHECK_STR(b.text, "6.1.0");
	frame(RUN_LOG, "modules", 7);
	CHECK_STR(b.text, "modules");
	frame(RUN_STARTED, &stamp, sizeof(stamp));
	frame(RUN_STDOUT, "out\0put", 7);
	frame(RUN_STDERR, "err", 3);
	frame(RUN_STDOUT, "!", 1);
	frame(RUN_STATUS, &status, sizeof(status));
	frame(RUN_BYE, &stamp, sizeof(stamp));
	CHECK_STR(b.heard, "hlsxb");
	CHECK_EQ(b.status.value, 9);
	CHECK_EQ(b.out_len[0], 8);
	CHECK(memcmp(b.out[0], "out\0put!", 8) == 0);
	CHECK_EQ(b.out_len[1], 3);
}

WITH_DEVICE(test_frames_may_come_in_any_pieces)
{
	static const uint8_t bytes[] = {'h', 0, 0,   0, 20,  0,	  0,   0, 1, 2, 3,   4,	  5,   6,
					7,   8, 1,   0, 0,   0,	  0,   0, 0, 0, '6', '.', '1', '2',
					's', 0, 0,   0, 8,   0,	  0,   0, 1, 0, 0,   0,	  0,   0,
					0,   0, 'o', 0, 0,   0,	  0,   0, 0, 0, 'o', 0,	  0,   0,
					2,   0, 0,   0, 'A', 'B', 'C', 0, 0, 0, 0,   0,	  0,   0};
	for (size_t i = 0; i < sizeof(bytes); i++)
		CHECK_EQ(raw(bytes + i, 1), 1);
	CHECK_STR(b.heard, "hsi");
	CHECK_EQ(b.out_len[0], 2);
	CHECK(run_stream_is_stdin_closed(b.stream));
}

WITH_DEVICE(test_output_that_is_not_taken_waits)
{
	start();
	b.out_room = 4;
	CHECK_EQ(frame(RUN_STDOUT, "0123456789", 10), sizeof(struct run_frame) + 4);
	CHECK_EQ(raw("456789", 6), 0);
	b.out_room = 100;
	CHECK_EQ(raw("456789", 6), 6);
	CHECK_EQ(b.out_len[0], 10);
	run_stream_resume_output(b.stream);
	CHECK_EQ(b.writables, 1);
}

WITH_DEVICE(test_sentences_cannot_control_a_terminal)
{
	say_hello();
	frame(RUN_LOG,
	      "a\033[2Jb\n\xc2\x9b"
	      "c\x7f\xc3\xa4",
	      13);
	CHECK_STR(b.text, "a?[2Jb?\xc2?c?\xc3\xa4");
}

WITH_DEVICE(test_the_kernels_log_is_asked_for_and_comes_in_lines)
{
	start();
	run_stream_want_kernel_log(b.stream);
	CHECK_EQ(b.sent_len, sizeof(struct run_frame));
	CHECK_EQ(b.sent[0], RUN_KERNEL_WANTED);
	frame(RUN_KERNEL, "[    1.0] li\033ne", 15);
	CHECK_STR(b.text, "[    1.0] li?ne");
	frame(RUN_KERNEL, NULL, 0);
	CHECK_STR(b.heard, "hskK");
}

WITH_DEVICE(test_long_sentences_are_cut)
{
	static uint8_t text[RUN_GUEST_PAYLOAD_MAX];
	memset(text, 'x', sizeof(text));
	say_hello();
	frame(RUN_FAILED, text, sizeof(text));
	CHECK_STR(b.heard, "hf");
	CHECK_EQ(strlen(b.text), 4096);
}

/* Each of these ends the conversation, and what comes after it vanishes. */
static bool breaks(enum run_type type, const void *payload, size_t len)
{
	size_t before = strlen(b.heard);
	frame(type, payload, len);
	return b.heard[before] == '!' && raw("anything", 8) == 8 && !b.heard[before + 1];
}

static bool breaks_at_once(enum run_type type, size_t len)
{
	static uint8_t zeroes[65536];
	set_up();
	bool ret = breaks(type, zeroes, len);
	tear_down();
	return ret;
}

static bool breaks_when_started(enum run_type type, size_t len)
{
	static uint8_t zeroes[65536];
	set_up();
	start();
	bool ret = breaks(type, zeroes, len);
	tear_down();
	return ret;
}

static void test_nonsense_ends_the_conversation(void)
{
	CHECK(breaks_at_once(RUN_STDOUT, 1));
	CHECK(breaks_at_once(RUN_STATUS, sizeof(struct run_status)));
	CHECK(breaks_at_once(RUN_HELLO, 15));
	CHECK(breaks_at_once(RUN_HELLO, 16)); /* version 0 */
	CHECK(breaks_at_once(RUN_HELLO, 65536));
	CHECK(breaks_when_started(RUN_HELLO, 16));
	CHECK(breaks_when_started(RUN_STDOUT, RUN_GUEST_PAYLOAD_MAX + 1));
	CHECK(breaks_when_started(RUN_STATUS, sizeof(struct run_status) - 1));
	CHECK(breaks_when_started(RUN_BYE, sizeof(struct run_stamp)));
	CHECK(breaks_when_started(RUN_STDIN, 1));
	CHECK(breaks_when_started(RUN_STDIN_CLOSED, 1));
	CHECK(breaks_when_started((enum run_type)0, 0));
}

WITH_DEVICE(test_credit_for_what_was_not_sent_is_nonsense)
{
	uint32_t one = 1;
	start();
	CHECK_EQ(run_stream_stdin(b.stream, (const uint8_t *)"x", 1), 1);
	frame(RUN_CREDIT, &one, sizeof(one));
	CHECK_STR(b.heard, "hs");
	CHECK(breaks(RUN_CREDIT, &one, sizeof(one)));
}

static struct run_frame sent_frame(size_t at)
{
	struct run_frame head;
	memcpy(&head, b.sent + at, sizeof(head));
	return head;
}

WITH_DEVICE(test_input_goes_out_in_frames_as_far_as_credit_goes)
{
	static uint8_t input[RUN_STDIN_WINDOW + 1000];
	uint32_t credit = 500;
	size_t sum = 0, at = 0;
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)(i * 11);
	start();
	CHECK_EQ(run_stream_stdin(b.stream, input, sizeof(input)), RUN_STDIN_WINDOW);
	CHECK_EQ(run_stream_stdin(b.stream, input, 1), 0);
	frame(RUN_CREDIT, &credit, sizeof(credit));
	CHECK_STR(b.heard, "hsi");
	CHECK_EQ(run_stream_stdin(b.stream, input + RUN_STDIN_WINDOW, 1000), 500);
	run_stream_end_stdin(b.stream);
	for (; at < b.sent_len; at += sizeof(struct run_frame) + sent_frame(at).len) {
		struct run_frame head = sent_frame(at);
		CHECK_EQ(head.type, RUN_STDIN);
		CHECK(head.len <= RUN_HOST_PAYLOAD_MAX);
		CHECK(memcmp(b.sent + at + sizeof(head), input + sum, head.len) == 0);
		sum += head.len;
		if (at + sizeof(head) == b.sent_len)
			CHECK_EQ(head.len, 0);
	}
	CHECK_EQ(at, b.sent_len);
	CHECK_EQ(sum, RUN_STDIN_WINDOW + 500);
	CHECK_EQ(run_stream_stdin(b.stream, input, 1), 0); /* it has ended */
}

WITH_DEVICE(test_what_the_driver_does_not_take_waits)
{
	static uint8_t input[40000];
	start();
	b.sent_room = 0;
	size_t taken = run_stream_stdin(b.stream, input, sizeof(input));
	CHECK(taken > 0 && taken < sizeof(input));
	for (unsigned i = 0; i < 1000; i++) { /* what does not fit is remembered once */
		run_stream_signal(b.stream, 2);
		run_stream_signal(b.stream, 15);
		run_stream_resize(b.stream, 24, (uint16_t)i);
	}
	run_stream_end_stdin(b.stream);
	CHECK_EQ(b.sent_len, 0);
	b.sent_room = SIZE_MAX;
	device_lock(&b.dev);
	chardev_resume(b.cd);
	chardev_resume(b.cd);
	device_unlock(&b.dev);
	CHECK(strchr(b.heard, 'i'));

	unsigned counts[256] = {0};
	uint16_t cols = 0;
	for (size_t at = 0; at < b.sent_len; at += sizeof(struct run_frame) + sent_frame(at).len) {
		struct run_frame head = sent_frame(at);
		counts[head.type]++;
		if (head.type == RUN_WINSIZE)
			memcpy(&cols, b.sent + at + sizeof(head) + 2, sizeof(cols));
	}
	CHECK(counts[RUN_SIGNAL] >= 2);
	CHECK_EQ(cols, 999);
	CHECK_EQ(sent_frame(b.sent_len - sizeof(struct run_frame)).type, RUN_STDIN);
}

WITH_DEVICE(test_signals_and_sizes_have_frames)
{
	static const uint8_t expected[] = {'k', 0, 0, 0, 4, 0, 0, 0, 15, 0, 0,	 0,
					   'w', 0, 0, 0, 4, 0, 0, 0, 50, 0, 132, 0};
	start();
	run_stream_signal(b.stream, 15);
	run_stream_signal(b.stream, 0);
	run_stream_signal(b.stream, 65);
	run_stream_resize(b.stream, 50, 132);
	CHECK_EQ(b.sent_len, sizeof(expected));
	CHECK(memcmp(b.sent, expected, sizeof(expected)) == 0);
}

WITH_DEVICE(test_closed_input_is_told_and_takes_nothing)
{
	start();
	frame(RUN_STDIN_CLOSED, NULL, 0);
	CHECK_STR(b.heard, "hsi");
	CHECK(run_stream_is_stdin_closed(b.stream));
	CHECK_EQ(run_stream_stdin(b.stream, (const uint8_t *)"x", 1), 0);
	CHECK_EQ(b.sent_len, 0);
}

static void test_calls_before_there_is_a_device_wait_for_it(void)
{
	memset(&b, 0, sizeof(b));
	set_up();
	tear_down();
	b.sent_len = 0;
	CHECK_EQ(run_stream_create(&b.stream, &client, &b), 0);
	b.cd = run_stream_to_chardev(b.stream);
	run_stream_signal(b.stream, 2);
	CHECK_EQ(run_stream_stdin(b.stream, (const uint8_t *)"abc", 3), 3);
	b.rooms = 0;
	b.sent_room = 0;
	chardev_attach(b.cd, &port, &b, &b.dev);
	CHECK_EQ(b.rooms, 1); /* the port knows that it is to ask */
	CHECK_EQ(b.sent_len, 0);
	b.sent_room = SIZE_MAX;
	device_lock(&b.dev);
	chardev_resume(b.cd);
	device_unlock(&b.dev);
	CHECK_EQ(b.sent_len, 8 + 4 + 8 + 3);
	tear_down();
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_a_whole_conversation),
		TEST_CASE(test_frames_may_come_in_any_pieces),
		TEST_CASE(test_output_that_is_not_taken_waits),
		TEST_CASE(test_sentences_cannot_control_a_terminal),
		TEST_CASE(test_the_kernels_log_is_asked_for_and_comes_in_lines),
		TEST_CASE(test_long_sentences_are_cut),
		TEST_CASE(test_nonsense_ends_the_conversation),
		TEST_CASE(test_credit_for_what_was_not_sent_is_nonsense),
		TEST_CASE(test_input_goes_out_in_frames_as_far_as_credit_goes),
		TEST_CASE(test_what_the_driver_does_not_take_waits),
		TEST_CASE(test_signals_and_sizes_have_frames),
		TEST_CASE(test_closed_input_is_told_and_takes_nothing),
		TEST_CASE(test_calls_before_there_is_a_device_wait_for_it),
	};
	return TEST_RUN(cases);
}
