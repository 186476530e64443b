/* POST codes and lines of text. */
#include "conformance.h"
#include "fakes.h"
#include "test.h"

struct bench {
	struct device *dev;
	char last[DEBUGPORT_LINE_MAX + 1];
	unsigned lines;
};

static struct bench b;

static void take_line(void *ctx, const char *line)
{
	struct bench *to = ctx;
	to->lines++;
	snprintf(to->last, sizeof(to->last), "%s", line);
}

static struct device *fresh(void *ctx)
{
	struct device *dev;
	return debugport_create(&dev, take_line, ctx) == 0 ? dev : NULL;
}

static void set_up(void)
{
	b = (struct bench){0};
	b.dev = fresh(&b);
}

static void tear_down(void)
{
	device_destroy(b.dev);
}

static void say(struct device *dev, const char *text)
{
	for (; *text; text++)
		debugport_text_bus_ops.write(dev, 0, 1, (uint8_t)*text);
}

WITH_DEVICE(test_debugport_text_arrives_in_lines)
{
	CHECK_EQ(debugport_text_bus_ops.read(b.dev, 0, 1), 0xe9);
	say(b.dev, "hello ");
	CHECK_EQ(b.lines, 0);
	say(b.dev, "world\r\nnext");
	CHECK_EQ(b.lines, 1);
	CHECK_STR(b.last, "hello world");
	say(b.dev, "\n\n");
	CHECK_EQ(b.lines, 3);
	CHECK_STR(b.last, "");
}

WITH_DEVICE(test_debugport_text_cannot_control_a_terminal)
{
	say(b.dev, "a\tb\033[2Jc\x9b\x7f\n");
	CHECK_STR(b.last, "a b?[2Jc??");
}

WITH_DEVICE(test_debugport_endless_line_comes_in_pieces)
{
	for (unsigned i = 0; i < DEBUGPORT_LINE_MAX + 1; i++)
		say(b.dev, "x");
	CHECK_EQ(b.lines, 1);
	CHECK_EQ(strlen(b.last), DEBUGPORT_LINE_MAX);
	say(b.dev, "\n");
	CHECK_STR(b.last, "x");
}

WITH_DEVICE(test_debugport_post_code_reads_back)
{
	CHECK_EQ(debugport_post_bus_ops.read(b.dev, 0, 1), 0);
	debugport_post_bus_ops.write(b.dev, 0, 1, 0x5a);
	CHECK_EQ(debugport_post_bus_ops.read(b.dev, 0, 1), 0x5a);
}

static void scramble(struct device *dev, void *ctx)
{
	(void)ctx;
	debugport_post_bus_ops.write(dev, 0, 1, 0x77);
	say(dev, "begun");
}

static void test_debugport_conforms(void)
{
	conformance_check(&(struct conformance){.create = fresh, .scramble = scramble, .ctx = &b});
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_debugport_text_arrives_in_lines),
		TEST_CASE(test_debugport_text_cannot_control_a_terminal),
		TEST_CASE(test_debugport_endless_line_comes_in_pieces),
		TEST_CASE(test_debugport_post_code_reads_back),
		TEST_CASE(test_debugport_conforms),
	};
	return TEST_RUN(cases);
}
