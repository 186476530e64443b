/* The kernel's log: what is kept of it, and that it cannot drive the user's terminal. */
#include "klog.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static char told[KLOG_LINE_MAX + 1];

static void tell(void *ctx, const char *line)
{
	unsigned *count = ctx;
	++*count;
	snprintf(told, sizeof(told), "%s", line);
}

static void write_text(struct klog *log, const char *text)
{
	CHECK_EQ(chardev_write(&log->cd, (const uint8_t *)text, strlen(text)), strlen(text));
}

static void test_klog_lines_come_whole_and_without_their_ends(void)
{
	static struct klog log;
	unsigned count = 0;
	klog_init(&log, false, tell, &count);
	CHECK(!klog_line(&log, 0));
	write_text(&log, "[    0.0] Linux");
	CHECK_EQ(count, 0);
	write_text(&log, " version\r\nnext\n");
	CHECK_EQ(count, 2);
	CHECK_STR(told, "next");
	CHECK_STR(klog_line(&log, 0), "[    0.0] Linux version");
	CHECK_STR(klog_line(&log, 1), "next");
	CHECK(!klog_line(&log, 2));
}

static void test_klog_keeps_the_last_lines(void)
{
	static struct klog log;
	char text[32];
	unsigned count = 0;
	klog_init(&log, false, tell, &count);
	for (unsigned i = 0; i < KLOG_LINES + 7; i++) {
		snprintf(text, sizeof(text), "line %u\n", i);
		write_text(&log, text);
	}
	CHECK_STR(klog_line(&log, 0), "line 7");
	CHECK_STR(klog_line(&log, KLOG_LINES - 1), "line 56");
	CHECK(!klog_line(&log, KLOG_LINES));
}

static void test_klog_cannot_drive_the_terminal(void)
{
	static struct klog log;
	unsigned count = 0;
	klog_init(&log, false, tell, &count);
	write_text(&log, "a\x1b[31mb\tc\x80\n");
	CHECK_STR(klog_line(&log, 0), "a?[31mb c?");
}

static void test_klog_a_line_without_end_takes_no_more_room(void)
{
	static struct klog log;
	unsigned count = 0;
	klog_init(&log, false, tell, &count);
	for (unsigned i = 0; i < 1000; i++)
		write_text(&log, "0123456789");
	write_text(&log, "\n");
	CHECK_EQ(count, 1);
	CHECK_EQ(strlen(klog_line(&log, 0)), KLOG_LINE_MAX);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_klog_lines_come_whole_and_without_their_ends),
		TEST_CASE(test_klog_keeps_the_last_lines),
		TEST_CASE(test_klog_cannot_drive_the_terminal),
		TEST_CASE(test_klog_a_line_without_end_takes_no_more_room),
	};
	return TEST_RUN(cases);
}
