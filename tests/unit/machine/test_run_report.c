/* The report of a run: what it says, and that any JSON parser can read it at any time. */
#include "run_parts.h"
#include "session.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <tinyvm/machine.h>
#include <unistd.h>

static struct session s;
static char path[] = "/tmp/tinyvm-report-XXXXXX";
static char text[32768];

static void session_is(enum session_stage stage)
{
	session_init(&s, false, 0, false);
	for (unsigned i = 0; i <= stage; i++)
		s.at_ns[i] = 1000000 * (10u * i + 5);
	atomic_store(&s.stage, stage);
	snprintf(s.release, sizeof(s.release), "6.1.0");
}

static const char *content(void)
{
	FILE *in = fopen(path, "r");
	size_t n = in ? fread(text, 1, sizeof(text) - 1, in) : 0;
	text[n] = '\0';
	if (in)
		fclose(in);
	return text;
}

static struct report opened(void)
{
	struct err err;
	struct report r = {.path = path, .begin_ns = 2000000};
	int fd = mkstemp(path);
	if (fd < 0 || report_open(&r, &err) != 0)
		abort();
	close(fd);
	return r;
}

/* The report of the session. */
static const char *written(int status, const char *cause)
{
	struct err err;
	struct report r = opened();
	if (report_write(&r, &s, status, cause, &err) != 0)
		abort();
	content();
	unlink(path);
	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	return text;
}

static void kernel_says(const char *line)
{
	chardev_write(&s.klog.cd, (const uint8_t *)line, strlen(line));
}

static void test_report_of_a_command_that_ended(void)
{
	session_is(SESSION_ENDED);
	s.bye_ns = 41000000;
	s.status = (struct run_status){.value = 7, .memory_total_kib = 1000, .memory_peak_kib = 99};
	CHECK_STR(written(7, ""), "{\n"
				  "  \"verdict\": \"exit\",\n"
				  "  \"exit\": 7,\n"
				  "  \"cause\": \"\",\n"
				  "  \"phases_ms\": {\"start\": 3, \"kernel\": 10, \"init\": 10, "
				  "\"command\": 10, \"shutdown\": 6},\n"
				  "  \"kernel\": \"6.1.0\",\n"
				  "  \"memory_total_kib\": 1000,\n"
				  "  \"memory_peak_kib\": 99,\n"
				  "  \"console\": [\n"
				  "  ]\n"
				  "}\n");
}

static void test_report_what_is_not_known_is_null(void)
{
	session_is(SESSION_INIT);
	kernel_says("first\nlast\n");
	written(EXIT_GUEST_PANIC, "the guest kernel panicked");
	CHECK(strstr(text, "\"verdict\": \"panic\","));
	CHECK(strstr(text, "\"init\": null, \"command\": null, \"shutdown\": null}"));
	CHECK(strstr(text, "\"memory_total_kib\": null,\n  \"memory_peak_kib\": null,"));
	CHECK(strstr(text, "[\n    \"first\",\n    \"last\"\n  ]\n}\n"));
}

static void test_report_names_each_end(void)
{
	session_is(SESSION_ENDED);
	CHECK(strstr(written(120, ""), "\"verdict\": \"exit\"")); /* the command's own 120 */
	atomic_store(&s.out[0].error, ENOSPC);
	CHECK(strstr(written(EXIT_NOT_STARTED, "x"), "\"verdict\": \"output lost\""));
	s.status.is_signal = 1;
	CHECK(strstr(written(137, ""), "\"verdict\": \"signal\""));
	s.is_timeout = true; /* it ended, but too late */
	CHECK(strstr(written(EXIT_TIMEOUT, ""), "\"verdict\": \"timeout\""));
	session_is(SESSION_COMMAND);
	CHECK(strstr(written(EXIT_TRIPLE_FAULT, ""), "\"verdict\": \"triple fault\""));
	CHECK(strstr(written(EXIT_KVM_FAILED, ""), "\"verdict\": \"kvm\""));
	CHECK(strstr(written(EXIT_NOT_STARTED, ""), "\"verdict\": \"not started\""));
	CHECK(strstr(written(130, ""), "\"verdict\": \"interrupted\""));
}

static void test_report_strings_are_json_whatever_is_in_them(void)
{
	session_is(SESSION_BOOTING);
	kernel_says("a\"b\\c\td\033[m\n");
	written(EXIT_NOT_STARTED, "\"\\\n\x7f \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xff.");
	CHECK(strstr(text, "\"cause\": \"\\\"\\\\"));
	CHECK(strstr(text, " \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 "));
	CHECK(!strchr(text, 0xff));
	CHECK(!strstr(text, "\n\x7f"));
	CHECK(strstr(text, "\"a\\\"b\\\\c d?[m\""));
}

/* Whoever looks meanwhile, or after a SIGKILL, finds JSON, too; and no rest of it later. */
static void test_report_is_valid_before_the_end(void)
{
	struct err err;
	struct report r = opened();
	CHECK_STR(content(), "{\"verdict\": \"unfinished\"}\n");
	session_is(SESSION_BOOTING);
	int fd = open(path, O_WRONLY);
	CHECK(fd >= 0 && pwrite(fd, "x", 1, 10000) == 1); /* somebody made it longer */
	close(fd);
	CHECK_EQ(report_write(&r, &s, EXIT_NOT_STARTED, "", &err), 0);
	content();
	CHECK_STR(text + strlen(text) - 8, "[\n  ]\n}\n");
	unlink(path);
	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
}

/* What a disk without room for it leaves is neither nothing nor a piece of it. */
static void test_report_that_has_no_room_stays_unfinished(void)
{
	struct err err;
	struct report r = opened();
	struct rlimit limit, small;
	session_is(SESSION_BOOTING);
	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = (struct rlimit){.rlim_cur = 100, .rlim_max = limit.rlim_max};
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
	CHECK_EQ(report_write(&r, &s, EXIT_NOT_STARTED, "", &err), -EFBIG);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	CHECK_STR(content(), "{\"verdict\": \"unfinished\"}\n");
	unlink(path);
	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
}

static void test_report_to_a_pipe_is_written_once(void)
{
	struct err err;
	char name[32];
	int ends[2];
	CHECK_EQ(pipe(ends), 0);
	snprintf(name, sizeof(name), "/dev/fd/%d", ends[1]);
	struct report r = {.path = name};
	session_is(SESSION_BOOTING);
	CHECK_EQ(report_open(&r, &err), 0);
	CHECK_EQ(report_write(&r, &s, EXIT_NOT_STARTED, "", &err), 0);
	ssize_t n = read(ends[0], text, sizeof(text) - 1);
	CHECK(n > 0);
	CHECK(strncmp(text, "{\n  \"verdict\": \"not started\"", 27) == 0);
	close(ends[0]);
	close(ends[1]);
}

static void test_report_that_cannot_be_written_is_an_error(void)
{
	struct err err;
	struct report r = {.path = "/no/where"};
	CHECK_EQ(report_open(&r, &err), -ENOENT);
	CHECK_STR(err.msg, "--report /no/where: No such file or directory");
	r = (struct report){.path = "/dev/full"};
	session_is(SESSION_BOOTING);
	CHECK_EQ(report_open(&r, &err), 0);
	CHECK_EQ(report_write(&r, &s, EXIT_NOT_STARTED, "", &err), -ENOSPC);
	CHECK_STR(err.msg, "--report /dev/full: No space left on device");
	r = (struct report){0};
	CHECK_EQ(report_open(&r, &err), 0); /* none is wanted */
	CHECK_EQ(report_write(&r, &s, 0, "", &err), 0);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_report_of_a_command_that_ended),
		TEST_CASE(test_report_what_is_not_known_is_null),
		TEST_CASE(test_report_names_each_end),
		TEST_CASE(test_report_strings_are_json_whatever_is_in_them),
		TEST_CASE(test_report_is_valid_before_the_end),
		TEST_CASE(test_report_that_has_no_room_stays_unfinished),
		TEST_CASE(test_report_to_a_pipe_is_written_once),
		TEST_CASE(test_report_that_cannot_be_written_is_an_error),
	};
	return TEST_RUN(cases);
}
