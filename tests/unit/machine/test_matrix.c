/*
 * `tinyvm matrix` as a process. Each cell is this program again, /proc/self/exe, which then acts as
 * a `tinyvm run` that needs no machine: cell N does what the command's word N says.
 */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <tinyvm/err.h>
#include <tinyvm/matrix.h>
#include <unistd.h>

#define PATIENCE_MS 20000
#define FLOOD	    (80 << 20) /* more than is kept of a cell's output */

/* Waiting */

static uint64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Polls until @is_so; false when it does not come about. */
static bool wait_until(bool (*is_so)(const void *ctx), const void *ctx)
{
	static const struct timespec pause = {.tv_nsec = 5000000};
	for (uint64_t end = now_ms() + PATIENCE_MS; now_ms() < end; nanosleep(&pause, NULL))
		if (is_so(ctx))
			return true;
	return false;
}

static bool exists(const void *path)
{
	return access(path, F_OK) == 0;
}

/* The fake run: in the directory of the test. */

static char report_path[64];

static void fake_report(const char *verdict, int status)
{
	FILE *out = fopen(report_path, "we");
	if (!out)
		abort();
	fprintf(out,
		"{\n  \"verdict\": \"%s\",\n  \"exit\": %d,\n  \"cause\": \"\",\n"
		"  \"phases_ms\": {\"init\": 1},\n  \"kernel\": \"fake\",\n  \"console\": [\n  ]\n}\n",
		verdict, status);
	fclose(out);
}

static void fake_note(const char *name, unsigned cell)
{
	char path[32], temp[32];
	snprintf(path, sizeof(path), "%s.%u", name, cell);
	snprintf(temp, sizeof(temp), ".%s.%u", name, cell);
	FILE *out = fopen(temp, "we");
	if (!out)
		abort();
	fprintf(out, "%d\n", getpid());
	fclose(out);
	rename(temp, path);
}

static volatile sig_atomic_t was_told;

static void fake_told(int signo)
{
	was_told = signo;
}

static _Noreturn void fake_stubborn(unsigned cell)
{
	signal(SIGINT, fake_told);
	fake_note("pid", cell);
	while (!was_told)
		pause();
	fake_note("told", cell);
	for (;;)
		pause();
}

static bool is_output_small(const void *ctx)
{
	struct stat st;
	(void)ctx;
	return fstat(STDOUT_FILENO, &st) == 0 && st.st_blocks * 512 < FLOOD / 2;
}

static int fake_flood(void)
{
	static char block[1 << 16];
	memset(block, 'x', sizeof(block));
	block[sizeof(block) - 1] = '\n';
	for (unsigned i = 0; i < FLOOD / sizeof(block); i++)
		if (write(STDOUT_FILENO, block, sizeof(block)) != (ssize_t)sizeof(block))
			return 9;
	return wait_until(is_output_small, NULL) ? 3 : 4;
}

/* Fails when another is at it, too. */
static int fake_alone(void)
{
	static const struct timespec pause = {.tv_nsec = 20000000};
	if (mkdir("lock", 0700) != 0)
		return 3;
	nanosleep(&pause, NULL);
	return rmdir("lock");
}

static int fake_talk(void)
{
	for (unsigned i = 1; i <= 200; i++)
		dprintf(i % 2 ? STDOUT_FILENO : STDERR_FILENO, "line %u\n", i);
	return 3;
}

static int fake_run(int argc, char **argv)
{
	unsigned cell = 1;
	int i = 2;
	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strncmp(argv[i], "--cpus=", 7) == 0)
			cell = (unsigned)atoi(argv[i] + 7);
		else if (strncmp(argv[i], "--report=", 9) == 0)
			snprintf(report_path, sizeof(report_path), "%s", argv[i] + 9);
	}
	const char *what = argv[i + (int)cell];
	const char *other = strchr(what, '@');
	char path[32];
	if (strcmp(what, "stubborn") == 0)
		fake_stubborn(cell);
	fake_note("pid", cell);
	snprintf(path, sizeof(path), "pid.%s", other ? other + 1 : "");
	if (other && !wait_until(exists, path))
		return 9;
	if (strncmp(what, "lost", 4) == 0)
		return 5;
	while (strncmp(what, "hang", 4) == 0)
		pause();
	int status = strncmp(what, "exit", 4) == 0 ? atoi(what + 4)
		     : strcmp(what, "talk") == 0   ? fake_talk()
		     : strcmp(what, "flood") == 0  ? fake_flood()
		     : strcmp(what, "alone") == 0  ? fake_alone()
						   : 0;
	fake_report("exit", status);
	return status;
}

/* The matrix, in a child of its own */

static char dir[64], text[65536];
static pid_t matrix;

static void set_up(void)
{
	snprintf(dir, sizeof(dir), "/tmp/test_matrix.XXXXXX");
	if (!mkdtemp(dir) || chdir(dir) != 0 || mkdir("tmp", 0700) != 0)
		abort();
	setenv("TMPDIR", "tmp", 1);
	matrix = 0;
}

/* Nothing may be left in the directory for temporary files. */
static void tear_down(void)
{
	char command[128];
	if (matrix > 0) {
		kill(matrix, SIGKILL);
		waitpid(matrix, NULL, 0);
	}
	if (rmdir("tmp") != 0)
		test_failed(__FILE__, __LINE__, "a temporary file is left in %s", dir);
	if (chdir("/") != 0)
		abort();
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0)
		abort();
}

static void begin_list(const char *const *words)
{
	static char copy[4096];
	static char *argv[64];
	struct matrix_config cfg;
	struct err err = {0};
	bool is_help;
	size_t used = 0;
	int argc = 0;
	for (argv[argc++] = (char *)"matrix"; *words; words++) {
		size_t size = strlen(*words) + 1;
		argv[argc++] = memcpy(copy + used, *words, size);
		used += size;
	}
	fflush(stdout);
	matrix = fork();
	if (matrix != 0)
		return;
	if (!freopen("out", "we", stdout) || matrix_config_parse(argc, argv, &cfg, &is_help, &err))
		_exit(99);
	int status = matrix_main(&cfg, &err);
	fprintf(stdout, "%s", err.msg);
	exit(status);
}

#define BEGIN(...) begin_list((const char *const[]){__VA_ARGS__, NULL})

static const char *contents(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* Return: its exit status, with what it printed in text; 1000 for another end. */
static int finish(void)
{
	int status;
	pid_t pid = matrix;
	matrix = 0;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 1000;
	contents("out");
	return WEXITSTATUS(status);
}

static pid_t pid_of(const char *path)
{
	return wait_until(exists, path) ? (pid_t)atoi(contents(path)) : -1;
}

#define HAS(words) (strstr(text, words) != NULL)

WITH_DEVICE(test_matrix_all_cells_pass)
{
	BEGIN("-c1,2,3", "-j2", "--", "exit0", "exit0", "exit0");
	CHECK_EQ(finish(), 0);
	CHECK(HAS("ok        cpus=1 ") && HAS("ok        cpus=2 ") && HAS("ok        cpus=3 "));
	CHECK(HAS("3 passed, 0 failed in "));
	CHECK(!strchr(text, '\r') && !strchr(text, '\033')); /* no terminal, no status line */
}

WITH_DEVICE(test_matrix_one_failure_is_a_failure)
{
	BEGIN("-c1,2,3", "--", "exit0", "exit3", "lost");
	CHECK_EQ(finish(), 1);
	CHECK(HAS("FAILED    cpus=2 ") && HAS("  the command ended with status 3\n"));
	CHECK(HAS("ERROR     cpus=3 ") &&
	      HAS("  tinyvm run ended with status 5 and left no report"));
	CHECK(HAS("1 passed, 1 failed, 1 error in "));
}

WITH_DEVICE(test_matrix_what_was_not_judged_is_125)
{
	BEGIN("-c1,2", "--", "exit0", "exit125");
	CHECK_EQ(finish(), 125);
	CHECK(HAS("1 passed, 0 failed, 1 skipped in "));
}

WITH_DEVICE(test_matrix_cells_run_side_by_side)
{
	BEGIN("-c1,2", "-j2", "--", "exit0@2", "exit0@1");
	CHECK_EQ(finish(), 0);
}

WITH_DEVICE(test_matrix_no_more_than_asked_for_run_at_a_time)
{
	BEGIN("-c1,2,3,4", "-j1", "--", "alone", "alone", "alone", "alone");
	CHECK_EQ(finish(), 0);
}

WITH_DEVICE(test_matrix_shows_the_last_lines_of_a_failure)
{
	BEGIN("-c1", "--", "talk");
	CHECK_EQ(finish(), 1);
	CHECK(HAS("    | (the last lines of what it printed)\n    | line 101\n    | line 102\n"));
	CHECK(HAS("    | line 200\n1 failed") || HAS("    | line 200\n0 passed, 1 failed"));
	CHECK(!HAS("line 100\n"));
}

WITH_DEVICE(test_matrix_output_does_not_fill_the_disk)
{
	int fd = open("tmp", O_RDWR | O_TMPFILE, 0600);
	bool is_possible = fd >= 0 && ftruncate(fd, 8192) == 0 &&
			   fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0;
	close(fd);
	if (!is_possible)
		return; /* this filesystem has no holes */
	BEGIN("-c1", "--", "flood");
	CHECK_EQ(finish(), 1);
	CHECK(HAS("the command ended with status 3\n"));
}

WITH_DEVICE(test_matrix_tap_comes_in_the_order_of_the_cells)
{
	BEGIN("-c1,2", "-j2", "--tap=-", "--", "exit0@2", "exit3");
	CHECK_EQ(finish(), 1);
	CHECK(strstr(text, "TAP version 13\n1..2\nok 1 - cpus=1\n  ---\n") == text);
	CHECK(HAS("\nnot ok 2 - cpus=2\n"));
	CHECK(HAS("\n# 1 passed, 1 failed\n"));
}

WITH_DEVICE(test_matrix_results_are_the_same_in_all_files)
{
	BEGIN("-c1,2", "--tap=t", "--junit=x", "--json=j", "--", "exit0", "exit3");
	CHECK_EQ(finish(), 1);
	CHECK(HAS("FAILED    cpus=2 "));
	contents("t");
	CHECK(HAS("not ok 2 - cpus=2\n"));
	contents("x");
	CHECK(HAS("tests=\"2\" failures=\"1\" errors=\"0\""));
	contents("j");
	CHECK(HAS("\"release\": \"fake\"") && HAS("\"exit\": 1,\n"));
}

WITH_DEVICE(test_matrix_results_that_cannot_be_written_are_an_error)
{
	BEGIN("-c1", "--json=/dev/full", "--tap=t", "--", "exit0");
	CHECK_EQ(finish(), 125);
	CHECK(HAS("--json /dev/full: it cannot be written: No space left on device"));
	CHECK(access("t", F_OK) == 0);
	BEGIN("-c1", "--json=nowhere/j", "--", "exit0");
	CHECK_EQ(finish(), 125);
	CHECK(HAS("--json nowhere/j: it cannot be written: No such file or directory"));
	CHECK(!HAS("ok ")); /* found out before the first cell */
}

WITH_DEVICE(test_matrix_fail_fast_ends_the_others)
{
	BEGIN("-c1,2,3", "-j2", "--fail-fast", "--", "exit3@2", "hang", "exit0");
	CHECK_EQ(finish(), 1);
	CHECK(HAS("cancelled cpus=2 ") && HAS("  another cell failed (--fail-fast)\n"));
	CHECK(HAS("0 passed, 1 failed, 1 cancelled, 1 not run in "));
}

WITH_DEVICE(test_matrix_interrupt_ends_the_cells_and_keeps_the_results)
{
	BEGIN("-c1,2,3", "-j1", "--json=j", "--", "exit0", "hang", "exit0");
	CHECK(pid_of("pid.2") > 0);
	CHECK_EQ(kill(matrix, SIGINT), 0);
	CHECK_EQ(finish(), 130);
	CHECK(HAS("cancelled cpus=2 ") && HAS("  interrupted\n"));
	CHECK(HAS("1 passed, 0 failed, 1 cancelled, 1 not run in ") &&
	      HAS("; interrupted by signal 2\n"));
	contents("j");
	CHECK(HAS("\"interrupted_by_signal\": 2,") && HAS("\"result\": \"not run\""));
	CHECK(access("pid.3", F_OK) != 0);
}

WITH_DEVICE(test_matrix_second_interrupt_kills)
{
	uint64_t begin_ms = now_ms();
	BEGIN("-c1", "--tap=t", "--", "stubborn");
	CHECK(pid_of("pid.1") > 0);
	CHECK_EQ(kill(matrix, SIGINT), 0);
	pid_t pid = pid_of("told.1");
	CHECK(pid > 0);
	CHECK_EQ(kill(matrix, SIGINT), 0);
	CHECK_EQ(finish(), 130);
	CHECK(kill(pid, 0) != 0);
	CHECK(now_ms() - begin_ms <
	      8000); /* before the patience with those who were told is over */
	contents("t");
	CHECK(HAS("not ok 1 - cpus=1\n") && HAS("Bail out! interrupted by signal 2\n"));
}

/* This process is init to all who lose their parent, so it learns how they ended. */
WITH_DEVICE(test_matrix_that_is_killed_takes_its_cells_along)
{
	int status;
	BEGIN("-c1,2", "-j2", "--", "hang", "stubborn");
	pid_t first = pid_of("pid.1"), second = pid_of("pid.2");
	CHECK(first > 0 && second > 0);
	CHECK_EQ(kill(matrix, SIGKILL), 0);
	CHECK_EQ(finish(), 1000);
	CHECK_EQ(waitpid(first, &status, 0), first);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_EQ(waitpid(second, &status, 0), second);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static bool is_stopped(const void *pid)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/%d/stat", *(const pid_t *)pid);
	const char *state = strrchr(contents(path), ')');
	return state && state[1] == ' ' && state[2] == 'T';
}

static bool is_going(const void *pid)
{
	return !is_stopped(pid);
}

WITH_DEVICE(test_matrix_that_is_stopped_stops_its_cells)
{
	int status;
	BEGIN("-c1", "--", "hang");
	pid_t pid = pid_of("pid.1");
	CHECK(pid > 0);
	CHECK_EQ(kill(matrix, SIGTSTP), 0);
	CHECK_EQ(waitpid(matrix, &status, WUNTRACED), matrix);
	CHECK(WIFSTOPPED(status));
	CHECK(wait_until(is_stopped, &pid));
	CHECK_EQ(kill(matrix, SIGCONT), 0);
	CHECK(wait_until(is_going, &pid));
	CHECK_EQ(kill(matrix, SIGTERM), 0);
	CHECK_EQ(finish(), 143);
}

WITH_DEVICE(test_matrix_under_nohup_goes_on)
{
	signal(SIGHUP, SIG_IGN);
	BEGIN("-c1,2", "-j1", "--", "exit0@9", "exit0");
	signal(SIGHUP, SIG_DFL);
	CHECK(pid_of("pid.1") > 0);
	CHECK_EQ(kill(matrix, SIGHUP), 0);
	FILE *out = fopen("pid.9", "we"); /* what the first cell waits for */
	CHECK(out != NULL);
	fclose(out);
	CHECK_EQ(finish(), 0);
	CHECK(HAS("2 passed, 0 failed in "));
}

/* As a shell without job control starts what ends in an ampersand. */
WITH_DEVICE(test_matrix_in_the_background_of_a_script_can_be_interrupted)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	BEGIN("-c1,2", "-j1", "--", "exit0", "hang");
	signal(SIGINT, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	CHECK(pid_of("pid.2") > 0);
	CHECK_EQ(kill(matrix, SIGINT), 0);
	CHECK_EQ(finish(), 130);
	CHECK(HAS("1 passed, 0 failed, 1 cancelled in "));
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_matrix_all_cells_pass),
		TEST_CASE(test_matrix_one_failure_is_a_failure),
		TEST_CASE(test_matrix_what_was_not_judged_is_125),
		TEST_CASE(test_matrix_cells_run_side_by_side),
		TEST_CASE(test_matrix_no_more_than_asked_for_run_at_a_time),
		TEST_CASE(test_matrix_shows_the_last_lines_of_a_failure),
		TEST_CASE(test_matrix_output_does_not_fill_the_disk),
		TEST_CASE(test_matrix_tap_comes_in_the_order_of_the_cells),
		TEST_CASE(test_matrix_results_are_the_same_in_all_files),
		TEST_CASE(test_matrix_results_that_cannot_be_written_are_an_error),
		TEST_CASE(test_matrix_fail_fast_ends_the_others),
		TEST_CASE(test_matrix_interrupt_ends_the_cells_and_keeps_the_results),
		TEST_CASE(test_matrix_second_interrupt_kills),
		TEST_CASE(test_matrix_that_is_killed_takes_its_cells_along),
		TEST_CASE(test_matrix_that_is_stopped_stops_its_cells),
		TEST_CASE(test_matrix_under_nohup_goes_on),
		TEST_CASE(test_matrix_in_the_background_of_a_script_can_be_interrupted),
	};
	if (argc > 1 && strcmp(argv[1], "run") == 0)
		return fake_run(argc, argv);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return TEST_RUN(cases);
}
