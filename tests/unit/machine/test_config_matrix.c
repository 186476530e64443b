/* The command line of `tinyvm matrix`, and the cells it makes. */
#include "argv_copy.h"
#include "matrix_parts.h"
#include "test.h"

#include <errno.h>
#include <tinyvm/err.h>
#include <tinyvm/run.h>

#define ARGS_MAX 300

/* The arguments are copied, as matrix_config_parse() splits some in place and they must outlive it.
 */
static struct {
	struct matrix_config cfg;
	bool is_help;
	struct err err;
	char text[16384];
	char *argv[ARGS_MAX + 2];
	char words[512];
} line;

static int parse_list(const char *const *args)
{
	memset(&line, 0, sizeof(line));
	int argc = argv_copy(line.text, sizeof(line.text), line.argv, ARGS_MAX, "matrix", args);
	return matrix_config_parse(argc, line.argv, &line.cfg, &line.is_help, &line.err);
}

/* The arguments are refused with just this sentence. */
#define CHECK_REFUSED(sentence, ...)                   \
	do {                                           \
		CHECK_EQ(PARSE(__VA_ARGS__), -EINVAL); \
		CHECK_STR(line.err.msg, sentence);     \
	} while (0)

/* The words of a cell's `tinyvm run`, each in brackets. */
static const char *words_of(unsigned cell, const char *report)
{
	char **args = matrix_args(&line.cfg, cell, report);
	size_t len = 0;
	line.words[0] = '\0';
	for (unsigned i = 0; args && args[i]; i++)
		len += (size_t)snprintf(line.words + len, sizeof(line.words) - len, "[%s]",
					args[i]);
	free(args);
	return line.words;
}

static const char *name_of(unsigned cell)
{
	char *name = matrix_name(&line.cfg, cell);
	snprintf(line.words, sizeof(line.words), "%s", name ? name : "(none)");
	free(name);
	return line.words;
}

static void test_config_matrix_every_combination_is_a_cell(void)
{
	CHECK_EQ(PARSE("--kernel", "a,b", "-c1,4", "--memory=128M,1G", "--", "./test", "x"), 0);
	CHECK_EQ(line.cfg.cell_count, 8);
	CHECK_STR(name_of(0), "kernel=a cpus=1 memory=128M");
	CHECK_STR(name_of(1), "kernel=a cpus=1 memory=1G");
	CHECK_STR(name_of(2), "kernel=a cpus=4 memory=128M");
	CHECK_STR(name_of(4), "kernel=b cpus=1 memory=128M");
	CHECK_STR(name_of(7), "kernel=b cpus=4 memory=1G");
	CHECK_EQ(line.cfg.cpus_max, 4);
	CHECK_EQ(line.cfg.memory_max, 1ULL << 30);
	CHECK_STR(words_of(7, "/r"),
		  "[run][--kernel=b][--cpus=4][--memory=1G][--report=/r][--][./test][x]");
}

static void test_config_matrix_without_values_it_is_one_cell(void)
{
	CHECK_EQ(PARSE("true"), 0);
	CHECK_EQ(line.cfg.cell_count, 1);
	CHECK_STR(name_of(0), "default");
	CHECK_STR(words_of(0, NULL), "[run][--][true]");
	CHECK_EQ(line.cfg.cpus_max, 1);
}

static void test_config_matrix_options_of_run_are_passed_on_in_their_order(void)
{
	CHECK_EQ(PARSE("--timeout", "5m", "-c", "1,2", "-vv", "--rw", "out", "-j", "3", "--net",
		       "--env=A=1,2", "-eB=--", "--fail-fast", "--", "--cpus", "9"),
		 0);
	CHECK_STR(words_of(1, NULL), "[run][--cpus=2][--timeout][5m][-vv][--rw][out][--net]"
				     "[--env=A=1,2][-eB=--][--][--cpus][9]");
	CHECK_EQ(line.cfg.jobs, 3);
	CHECK_EQ(line.cfg.verbose, 2);
	CHECK(line.cfg.is_fail_fast);
}

static void test_config_matrix_letters_come_in_bunches(void)
{
	CHECK_EQ(PARSE("-vvj2", "-vk", "a", "-veA=j", "-j", "true"), -EINVAL); /* -j twice */
	CHECK_EQ(PARSE("-vvj2", "-vk", "a", "-veA=j", "true"), 0);
	CHECK_EQ(line.cfg.jobs, 2);
	CHECK_STR(words_of(0, NULL), "[run][--kernel=a][-vv][-v][-veA=j][--][true]");
	CHECK_EQ(PARSE("-vh"), 0);
	CHECK(line.is_help);
}

static void test_config_matrix_a_comma_in_a_file_is_written_twice(void)
{
	CHECK_EQ(PARSE("-k", "a,,b,c", "-k", "d", "--rootfs=x,y", "true"), 0);
	CHECK_EQ(line.cfg.cell_count, 6);
	CHECK_STR(name_of(0), "kernel=a,b rootfs=x");
	CHECK_STR(name_of(3), "kernel=c rootfs=y");
	CHECK_STR(name_of(4), "kernel=d rootfs=x");
}

static void test_config_matrix_files_for_results_are_named_once(void)
{
	CHECK_EQ(PARSE("--tap", "-", "--junit=x.xml", "--json", "j", "true"), 0);
	CHECK_STR(line.cfg.tap, "-");
	CHECK_STR(line.cfg.junit, "x.xml");
	CHECK_STR(line.cfg.json, "j");
	CHECK_REFUSED("--tap is given twice; leave one of the two out", "--tap", "a", "--tap=b",
		      "true");
	CHECK_REFUSED("--junit needs a file; standard output is for --tap alone", "--junit", "-",
		      "true");
	CHECK_REFUSED("--report is for a single run; --json has what all of them report",
		      "--report", "r", "true");
	CHECK_REFUSED("--keep-overlay is for a single run; here, all would write r",
		      "--keep-overlay", "r", "true");
}

static void test_config_matrix_bad_lines_are_refused_with_a_sentence(void)
{
	CHECK_REFUSED("matrix: there is no command to run; it comes last, as in tinyvm matrix "
		      "--cpus 1,4 -- ./test",
		      "-c", "1");
	CHECK_REFUSED("matrix: unknown option --smp; tinyvm matrix --help and tinyvm run --help "
		      "list the options",
		      "--smp", "2", "true");
	CHECK_REFUSED("matrix: unknown option --jnuit; did you mean --junit?", "--jnuit", "f",
		      "true");
	CHECK_REFUSED("matrix: unknown option --time=5; did you mean --timeout?", "--time=5",
		      "true");
	CHECK_REFUSED("--cpus has 1 twice; leave one of the two out", "-c", "1,2,1", "true");
	CHECK_REFUSED("--cpus needs values that are not empty, such as --cpus 1,4", "-c", "1,,2",
		      "true");
	CHECK_REFUSED("--kernel needs a value that is not empty, such as --kernel ./old,./new",
		      "--kernel=", "true");
	CHECK_REFUSED("--kernel needs a value, such as --kernel ./old,./new", "--kernel", "--",
		      "true");
	CHECK_REFUSED("--jobs '0' is not a number of machines from 1 to 256", "-j0", "true");
	CHECK_REFUSED("--jobs '2x' is not a number of machines from 1 to 256", "-j", "2x", "true");
	CHECK_REFUSED("--jobs '-1' is not a number of machines from 1 to 256", "-j", "-1", "true");
	CHECK_REFUSED("--fail-fast takes no value; leave =1 out", "--fail-fast=1", "true");
}

static void test_config_matrix_values_are_checked_as_run_does(void)
{
	CHECK_EQ(PARSE("-m", "1G,1X", "true"), -EINVAL);
	CHECK(strstr(line.err.msg, "--memory '1X' is not a size"));
	CHECK_EQ(PARSE("--timeout", "x", "true"), -EINVAL);
	CHECK(strstr(line.err.msg, "--timeout 'x' is no time"));
	CHECK_EQ(PARSE("--image", "a,b", "--rootfs", "/", "true"), -EINVAL);
	CHECK(strstr(line.err.msg, "--image and --rootfs exclude each other"));
	CHECK_EQ(PARSE("--cwd", "--", "true"), -EINVAL);
}

static void test_config_matrix_has_a_limit(void)
{
	char many[1024] = "1";
	for (unsigned i = 2; i <= MATRIX_VALUES_MAX; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many), ",%u", i);
	CHECK_EQ(PARSE("-c", many, "-k", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", "true"), 0);
	CHECK_EQ(line.cfg.cell_count, 1024);
	CHECK_REFUSED("matrix: there is room for 1024 machines, and all combinations of these "
		      "values are more",
		      "-c", many, "-k", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "true");
	CHECK_REFUSED("there is room for 64 values of --cpus, and 65 is one more", "-c", many, "-c",
		      "65", "true");
}

static void test_config_matrix_room_decides_how_many_run_at_a_time(void)
{
	const uint64_t gib = 1ULL << 30;
	CHECK_EQ(PARSE("-c", "1,2", "-m", "1G", "-k", "a,b,c,d", "true"), 0);
	CHECK_EQ(matrix_jobs(&line.cfg, 8, 64 * gib), 4);
	CHECK_EQ(matrix_jobs(&line.cfg, 64, 64 * gib), 8); /* no more than there are */
	CHECK_EQ(matrix_jobs(&line.cfg, 64, 3 * gib), 2);  /* what it takes beside the guest's */
	CHECK_EQ(matrix_jobs(&line.cfg, 1, 64 * gib), 1);  /* never none */
	CHECK_EQ(matrix_jobs(&line.cfg, 64, gib / 2), 1);
	CHECK_EQ(matrix_jobs(&line.cfg, 6, 0), 3); /* memory unknown */
	line.cfg.jobs = 5;
	CHECK_EQ(matrix_jobs(&line.cfg, 1, gib), 5);
}

static void test_config_matrix_help_fits_a_screen(void)
{
	unsigned lines = 0;
	const char *text = matrix_config_help();
	CHECK_EQ(PARSE("--help"), 0);
	CHECK(line.is_help);
	for (; *text; lines++) {
		size_t len = strcspn(text, "\n");
		CHECK(len <= 79);
		text += len + (text[len] == '\n');
	}
	CHECK(lines <= 23);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_config_matrix_every_combination_is_a_cell),
		TEST_CASE(test_config_matrix_without_values_it_is_one_cell),
		TEST_CASE(test_config_matrix_options_of_run_are_passed_on_in_their_order),
		TEST_CASE(test_config_matrix_letters_come_in_bunches),
		TEST_CASE(test_config_matrix_a_comma_in_a_file_is_written_twice),
		TEST_CASE(test_config_matrix_files_for_results_are_named_once),
		TEST_CASE(test_config_matrix_bad_lines_are_refused_with_a_sentence),
		TEST_CASE(test_config_matrix_values_are_checked_as_run_does),
		TEST_CASE(test_config_matrix_has_a_limit),
		TEST_CASE(test_config_matrix_room_decides_how_many_run_at_a_time),
		TEST_CASE(test_config_matrix_help_fits_a_screen),
	};
	return TEST_RUN(cases);
}
