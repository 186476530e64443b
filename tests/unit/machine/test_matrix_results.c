/* What becomes of a cell's end: its report, the verdict, and the results in all their forms. */
#include "matrix_parts.h"
#include "test.h"

#include <signal.h>
#include <tinyvm/config.h>

/* As waitpid() has them. */
#define EXITED(status) ((status) << 8)
#define KILLED(signo)  (signo)

static const char whole_report[] =
	"{\n"
	"  \"verdict\": \"exit\",\n"
	"  \"exit\": 3,\n"
	"  \"cause\": \"a \\\"b\\\" \\\\ c\\u001b\",\n"
	"  \"phases_ms\": {\"start\": 5, \"kernel\": 600, \"init\": 7, \"command\": 80, "
	"\"shutdown\": null},\n"
	"  \"kernel\": \"6.1.0\",\n"
	"  \"memory_total_kib\": 1000,\n"
	"  \"memory_peak_kib\": 900,\n"
	"  \"console\": [\n"
	"    \"  \\\"exit\\\": 9,\"\n"
	"  ]\n"
	"}\n";

static struct matrix_report report;

static bool read_text(const char *text)
{
	return matrix_report_read(text, strlen(text), &report);
}

static void test_matrix_report_is_read(void)
{
	CHECK(read_text(whole_report));
	CHECK_STR(report.verdict, "exit");
	CHECK_EQ(report.status, 3);
	CHECK_STR(report.cause, "a \"b\" \\ c\033"); /* escaped where it is shown */
	CHECK_STR(report.release, "6.1.0");
	CHECK_EQ(report.memory_peak_kib, 900);
	CHECK(report.is_begun);
	CHECK_EQ(report.phase_ms[0], 5);
	CHECK_EQ(report.phase_ms[3], 80);
	CHECK_EQ(report.phase_ms[4], MATRIX_NO_TIME);
}

static void test_matrix_report_that_is_not_finished_is_none(void)
{
	char text[sizeof(whole_report)];
	for (size_t len = 0; len < sizeof(whole_report) - 2; len++) { /* the last is a line feed */
		memcpy(text, whole_report, len);
		CHECK(!matrix_report_read(text, len, &report));
		CHECK_STR(report.verdict, "");
	}
	CHECK(!read_text("{\"verdict\": \"unfinished\"}\n"));
	CHECK(!read_text("[]"));
	CHECK(!read_text(
		"{\"verdict\": \"exit\", \"exit\": -1, \"cause\": \"\", \"kernel\": \"\"}"));
	CHECK(!read_text(
		"{\"verdict\": \"exit\", \"exit\": 256, \"cause\": \"\", \"kernel\": \"\"}"));
	CHECK(!read_text("{\"verdict\": 1, \"exit\": 0, \"cause\": \"\", \"kernel\": \"\"}"));
	CHECK(read_text(
		"{\"verdict\": \"kvm\", \"exit\": 122, \"cause\": \"\", \"kernel\": \"\"}"));
	CHECK(!report.is_begun);
}

static struct matrix_result result;

/* The outcome of a run that reported this; the cause is in result.cause. */
static enum matrix_outcome judge(const char *verdict, int status, bool is_begun, const char *told)
{
	memset(&result, 0, sizeof(result));
	snprintf(result.report.verdict, sizeof(result.report.verdict), "%s", verdict);
	snprintf(result.report.cause, sizeof(result.report.cause), "it is so");
	result.report.status = status;
	result.report.is_begun = is_begun;
	matrix_judge(&result, EXITED(status), told);
	return result.outcome;
}

static void test_matrix_command_decides_once_it_runs(void)
{
	CHECK_EQ(judge("exit", 0, true, NULL), MATRIX_PASSED);
	CHECK_STR(result.cause, "");
	CHECK_EQ(judge("exit", 3, true, NULL), MATRIX_FAILED);
	CHECK_STR(result.cause, "the command ended with status 3");
	CHECK_EQ(judge("exit", 127, true, NULL), MATRIX_FAILED);
	CHECK_EQ(judge("signal", 137, true, NULL), MATRIX_FAILED);
	CHECK_STR(result.cause, "the command was ended by signal 9");
	CHECK_EQ(judge("panic", 120, true, NULL), MATRIX_FAILED);
	CHECK_STR(result.cause, "it is so");
	CHECK_EQ(judge("triple fault", 121, true, NULL), MATRIX_FAILED);
	CHECK_EQ(judge("timeout", 124, true, NULL), MATRIX_FAILED);
}

static void test_matrix_what_never_came_to_the_command_is_no_failure_of_it(void)
{
	CHECK_EQ(judge("panic", 120, false, NULL), MATRIX_ERROR);
	CHECK_STR(result.cause, "it is so, before the command was started");
	CHECK_EQ(judge("triple fault", 121, false, NULL), MATRIX_ERROR);
	CHECK_EQ(judge("timeout", 124, false, NULL), MATRIX_ERROR);
	CHECK_EQ(judge("kvm", 122, true, NULL), MATRIX_ERROR);
	CHECK_EQ(judge("not started", 125, false, NULL), MATRIX_ERROR);
	CHECK_STR(result.cause, "it is so");
	CHECK_EQ(judge("output lost", 125, true, NULL), MATRIX_ERROR);
	CHECK_EQ(judge("interrupted", 143, true, NULL), MATRIX_ERROR);
}

static void test_matrix_command_may_say_that_it_cannot_tell(void)
{
	CHECK_EQ(judge("exit", 125, true, NULL), MATRIX_SKIPPED);
	CHECK_STR(result.cause, "the command ended with status 125");
}

static void test_matrix_a_run_without_a_report_is_an_error(void)
{
	memset(&result, 0, sizeof(result));
	matrix_judge(&result, KILLED(SIGKILL), NULL);
	CHECK_EQ(result.outcome, MATRIX_ERROR);
	CHECK_STR(result.cause, "tinyvm run was ended by signal 9 (Killed)");
	matrix_judge(&result, EXITED(0), NULL);
	CHECK_EQ(result.outcome, MATRIX_ERROR);
	CHECK_STR(result.cause, "tinyvm run ended with status 0 and left no report");
}

static void test_matrix_what_was_told_to_end_is_cancelled_unless_it_passed(void)
{
	CHECK_EQ(judge("exit", 130, true, "interrupted"), MATRIX_CANCELLED);
	CHECK_STR(result.cause, "interrupted");
	CHECK_EQ(judge("", 0, false, "interrupted"), MATRIX_CANCELLED);
	CHECK_EQ(judge("exit", 0, true, "interrupted"), MATRIX_PASSED);
}

static void test_matrix_last_lines_are_found(void)
{
	static const char text[] = "a\nbb\nccc\n";
	CHECK_EQ(matrix_last_lines(text, 9, 50), 0);
	CHECK_EQ(matrix_last_lines(text, 9, 3), 0);
	CHECK_EQ(matrix_last_lines(text, 9, 2), 2);
	CHECK_EQ(matrix_last_lines(text, 9, 1), 5);
	CHECK_EQ(matrix_last_lines(text, 8, 1), 5); /* not ended */
	CHECK_EQ(matrix_last_lines("\n\n\n", 3, 2), 1);
	CHECK_EQ(matrix_last_lines(text, 0, 1), 0);
}

static void test_matrix_lines_are_cut_off(void)
{
	const char *text = "a\r\n\n\r\nlast\r", *at;
	size_t len = strlen(text), n;
	CHECK(matrix_next_line(&text, &len, &at, &n) && n == 1 && *at == 'a');
	CHECK(matrix_next_line(&text, &len, &at, &n) && n == 0);
	CHECK(matrix_next_line(&text, &len, &at, &n) && n == 0);
	CHECK(matrix_next_line(&text, &len, &at, &n) && n == 5);
	CHECK(!matrix_next_line(&text, &len, &at, &n));
}

/* Three cells: one passed, one failed with hostile output, one that never ran. */
static struct {
	struct matrix_config cfg;
	char *name[3];
	struct matrix_result result[3];
	struct matrix_run run;
	char hostile[64];
	char *text;
} all;

static void set_up(void)
{
	static char *command[] = {(char *)"./a b", (char *)"<&>"};
	static const char hostile[] = "one: \"x\"\r\n\n  \x1b[31m<&\xff]]>\n...\n---\n";
	memset(&all, 0, sizeof(all));
	memcpy(all.hostile, hostile, sizeof(hostile));
	all.cfg.axis[MATRIX_CPUS] = (struct matrix_axis){.value = {"1", "2", "4"}, .count = 3};
	all.cfg.cell_count = 3;
	all.cfg.command = command;
	all.cfg.command_count = 2;
	for (unsigned i = 0; i < 3; i++)
		all.name[i] = matrix_name(&all.cfg, i);
	all.result[0] = (struct matrix_result){.outcome = MATRIX_PASSED, .duration_ms = 1500};
	all.result[1] = (struct matrix_result){.outcome = MATRIX_FAILED,
					       .cause = "the # <end>",
					       .duration_ms = 20,
					       .output = all.hostile,
					       .output_len = sizeof(hostile) - 1,
					       .is_output_cut = true};
	read_text(whole_report);
	all.result[1].report = report;
	all.run = (struct matrix_run){.cfg = &all.cfg,
				      .name = all.name,
				      .result = all.result,
				      .started = 86400,
				      .duration_ms = 2000};
}

static void tear_down(void)
{
	for (unsigned i = 0; i < 3; i++)
		free(all.name[i]);
	free(all.text);
}

static const char *written(void (*write)(FILE *out, const struct matrix_run *run))
{
	size_t len;
	free(all.text);
	FILE *out = open_memstream(&all.text, &len);
	if (!out)
		abort();
	write(out, &all.run);
	fclose(out);
	return all.text;
}

static void write_lines(FILE *out, const struct matrix_run *run)
{
	for (unsigned i = 0; i < run->cfg->cell_count; i++)
		matrix_write_line(out, run, i, 8);
}

WITH_DEVICE(test_matrix_tap_has_a_point_and_a_block_for_each_cell)
{
	CHECK_STR(written(matrix_write_tap), "TAP version 13\n"
					     "1..3\n"
					     "ok 1 - cpus=1\n"
					     "  ---\n"
					     "  result: \"passed\"\n"
					     "  message: \"\"\n"
					     "  duration_ms: 1500\n"
					     "  ...\n"
					     "not ok 2 - cpus=2\n"
					     "  ---\n"
					     "  result: \"failed\"\n"
					     "  message: \"the # <end>\"\n"
					     "  duration_ms: 20\n"
					     "  verdict: \"exit\"\n"
					     "  exit: 3\n"
					     "  release: \"6.1.0\"\n"
					     "  memory_peak_kib: 900\n"
					     "  output: |\n"
					     "    (the last lines of what it printed)\n"
					     "    one: \"x\"\n"
					     "    \n"
					     "      ?[31m<&\xef\xbf\xbd]]>\n"
					     "    ...\n"
					     "    ---\n"
					     "  ...\n"
					     "ok 3 - cpus=4 # SKIP not run\n"
					     "# 1 passed, 1 failed, 1 not run\n");
	all.run.signal = SIGINT;
	CHECK(strstr(written(matrix_write_tap), "\nBail out! interrupted by signal 2\n"));
}

WITH_DEVICE(test_matrix_junit_counts_and_escapes)
{
	CHECK_STR(written(matrix_write_junit),
		  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		  "<testsuites tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" "
		  "time=\"2.000\">\n"
		  "  <testsuite name=\"tinyvm matrix\" tests=\"3\" failures=\"1\" errors=\"0\" "
		  "skipped=\"1\" time=\"2.000\" timestamp=\"1970-01-02T00:00:00\" "
		  "hostname=\"localhost\">\n"
		  "    <properties>\n"
		  "      <property name=\"command\" value=\"./a b &#60;&#38;&#62;\"/>\n"
		  "      <property name=\"options\" value=\"\"/>\n"
		  "    </properties>\n"
		  "    <testcase classname=\"tinyvm.matrix\" name=\"cpus=1\" time=\"1.500\"/>\n"
		  "    <testcase classname=\"tinyvm.matrix\" name=\"cpus=2\" time=\"0.020\">\n"
		  "      <failure message=\"the # &#60;end&#62;\" type=\"exit\"/>\n"
		  "      <system-out>one: &#34;x&#34;\n\n  \xef\xbf\xbd[31m&#60;&#38;\xef\xbf\xbd]]"
		  "&#62;\n...\n---\n</system-out>\n"
		  "    </testcase>\n"
		  "    <testcase classname=\"tinyvm.matrix\" name=\"cpus=4\" time=\"0.000\">\n"
		  "      <skipped message=\"not run\"/>\n"
		  "    </testcase>\n"
		  "  </testsuite>\n"
		  "</testsuites>\n");
}

WITH_DEVICE(test_matrix_json_has_all_of_it)
{
	const char *text = written(matrix_write_json);
	CHECK(strstr(text, "{\n  \"exit\": 1,\n  \"interrupted_by_signal\": null,\n"
			   "  \"started\": \"1970-01-02T00:00:00Z\",\n  \"duration_ms\": 2000,\n"
			   "  \"command\": [\"./a b\", \"<&>\"],\n  \"options\": [],\n") == text);
	CHECK(strstr(text, "\"counts\": {\"not run\": 1, \"passed\": 1, \"failed\": 1, "));
	CHECK(strstr(text, "      \"cpus\": \"2\",\n      \"result\": \"failed\",\n"
			   "      \"cause\": \"the # <end>\",\n      \"duration_ms\": 20,\n"
			   "      \"verdict\": \"exit\",\n      \"exit\": 3,\n"
			   "      \"release\": \"6.1.0\",\n"
			   "      \"phases_ms\": {\"start\": 5, \"kernel\": 600, \"init\": 7, "
			   "\"command\": 80, \"shutdown\": null},\n"
			   "      \"memory_peak_kib\": 900,\n      \"output_is_cut\": true,\n"
			   "      \"output\": [\n        \"one: \\\"x\\\"\",\n        \"\",\n"
			   "        \"  \\u001b[31m<&\xef\xbf\xbd]]>\",\n"));
	CHECK(strstr(text, "      \"output\": []\n    }\n  ]\n}\n"));
	all.run.signal = SIGTERM;
	CHECK(strstr(written(matrix_write_json), "{\n  \"exit\": 143,\n"
						 "  \"interrupted_by_signal\": 15,\n"));
}

WITH_DEVICE(test_matrix_lines_for_people_show_what_a_failed_cell_printed)
{
	CHECK_STR(written(write_lines), "ok        cpus=1       1.5 s\n"
					"FAILED    cpus=2       0.0 s  the # <end>\n"
					"    | (the last lines of what it printed)\n"
					"    | one: \"x\"\n"
					"    | \n"
					"    |   ?[31m<&\xef\xbf\xbd]]>\n"
					"    | ...\n"
					"    | ---\n"
					"not run   cpus=4       0.0 s\n");
	/* What repeats the sentence says nothing. */
	all.result[1].is_output_cut = false;
	snprintf(all.result[1].cause, ERR_MSG_MAX, "it is");
	snprintf(all.hostile, sizeof(all.hostile), "tinyvm: it is\n");
	all.result[1].output_len = strlen(all.hostile);
	CHECK(!strchr(written(write_lines), '|'));
}

WITH_DEVICE(test_matrix_status_is_what_git_bisect_wants)
{
	CHECK_EQ(matrix_status(&all.run), 1);
	all.result[1].outcome = MATRIX_ERROR;
	CHECK_EQ(matrix_status(&all.run), 125);
	all.result[1].outcome = MATRIX_SKIPPED;
	all.result[2].outcome = MATRIX_PASSED;
	CHECK_EQ(matrix_status(&all.run), 125);
	all.result[1].outcome = MATRIX_PASSED;
	CHECK_EQ(matrix_status(&all.run), 0);
	all.run.signal = SIGINT;
	CHECK_EQ(matrix_status(&all.run), 130);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_matrix_report_is_read),
		TEST_CASE(test_matrix_report_that_is_not_finished_is_none),
		TEST_CASE(test_matrix_command_decides_once_it_runs),
		TEST_CASE(test_matrix_what_never_came_to_the_command_is_no_failure_of_it),
		TEST_CASE(test_matrix_command_may_say_that_it_cannot_tell),
		TEST_CASE(test_matrix_a_run_without_a_report_is_an_error),
		TEST_CASE(test_matrix_what_was_told_to_end_is_cancelled_unless_it_passed),
		TEST_CASE(test_matrix_last_lines_are_found),
		TEST_CASE(test_matrix_lines_are_cut_off),
		TEST_CASE(test_matrix_tap_has_a_point_and_a_block_for_each_cell),
		TEST_CASE(test_matrix_junit_counts_and_escapes),
		TEST_CASE(test_matrix_json_has_all_of_it),
		TEST_CASE(test_matrix_lines_for_people_show_what_a_failed_cell_printed),
		TEST_CASE(test_matrix_status_is_what_git_bisect_wants),
	};
	return TEST_RUN(cases);
}
