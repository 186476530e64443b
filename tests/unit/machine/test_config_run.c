/* The command line of `tinyvm run`. */
#include "argv_copy.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/err.h>
#include <tinyvm/run.h>

#define ARGS_MAX 300

/* The arguments are copied, as run_config_parse() splits some in place and they must outlive it. */
static struct {
	struct run_config cfg;
	bool is_help;
	struct err err;
	char text[8192];
	char *argv[ARGS_MAX + 2];
} line;

static int parse_list(const char *const *args)
{
	memset(&line, 0, sizeof(line));
	int argc = argv_copy(line.text, sizeof(line.text), line.argv, ARGS_MAX, "run", args);
	return run_config_parse(argc, line.argv, &line.cfg, &line.is_help, &line.err);
}

/* The arguments are refused with just this sentence. */
#define CHECK_REFUSED(sentence, ...)                   \
	do {                                           \
		CHECK_EQ(PARSE(__VA_ARGS__), -EINVAL); \
		CHECK_STR(line.err.msg, sentence);     \
	} while (0)

static void test_config_run_a_command_alone_runs_on_the_hosts_root(void)
{
	CHECK_EQ(PARSE("--", "uname", "-r"), 0);
	CHECK(!line.is_help);
	CHECK_STR(line.cfg.rootfs, "/");
	CHECK(!line.cfg.is_root_writable);
	CHECK(!line.cfg.kernel);
	CHECK_EQ(line.cfg.cpus, 1);
	CHECK_EQ(line.cfg.memory, 1ULL << 30);
	CHECK_EQ(line.cfg.timeout_ms, 0);
	CHECK_EQ(line.cfg.command_count, 2);
	CHECK_STR(line.cfg.command[0], "uname");
	CHECK_STR(line.cfg.command[1], "-r");
}

static void test_config_run_options_end_at_the_command_and_its_own_stay_its_own(void)
{
	CHECK_EQ(PARSE("-m", "256M", "ls", "-v", "--cpus", "9"), 0);
	CHECK_EQ(line.cfg.memory, 256ULL << 20);
	CHECK_EQ(line.cfg.verbose, 0);
	CHECK_EQ(line.cfg.cpus, 1);
	CHECK_EQ(line.cfg.command_count, 4);
	CHECK_STR(line.cfg.command[0], "ls");
	CHECK_EQ(PARSE("--", "--", "x"), 0);
	CHECK_STR(line.cfg.command[0], "--");
}

static void test_config_run_every_option_reaches_the_configuration(void)
{
	CHECK_EQ(PARSE("-k", "bzImage", "--modules=mods", "--rootfs", "alpine", "--cwd", "/tmp",
		       "-e", "A=1", "--env=B", "-c2", "-a", "nokaslr", "--report", "r.json", "-vv",
		       "true"),
		 0);
	CHECK_STR(line.cfg.kernel, "bzImage");
	CHECK_STR(line.cfg.modules, "mods");
	CHECK_STR(line.cfg.rootfs, "alpine");
	CHECK_STR(line.cfg.cwd, "/tmp");
	CHECK_EQ(line.cfg.env_count, 2);
	CHECK_STR(line.cfg.env[0], "A=1");
	CHECK_STR(line.cfg.env[1], "B");
	CHECK_EQ(line.cfg.cpus, 2);
	CHECK_STR(line.cfg.append, "nokaslr");
	CHECK_STR(line.cfg.report, "r.json");
	CHECK_EQ(line.cfg.verbose, 2);
}

static void test_config_run_an_image_takes_the_place_of_the_hosts_root(void)
{
	CHECK_EQ(PARSE("--image", "disk.img", "--tmpdir", "/var/tmp", "true"), 0);
	CHECK(!line.cfg.is_boot_wanted);
	CHECK_STR(line.cfg.image, "disk.img");
	CHECK_STR(line.cfg.tmpdir, "/var/tmp");
	CHECK(!line.cfg.rootfs);
	CHECK_EQ(PARSE("--image", "disk.img", "--boot", "true"), 0);
	CHECK(line.cfg.is_boot_wanted);
	CHECK_REFUSED("--boot takes no value; leave =yes out", "--image", "d", "--boot=yes",
		      "true");
	CHECK_REFUSED("--image and --rootfs exclude each other: there is one root", "--image", "d",
		      "--rootfs", "/", "true");
	CHECK_REFUSED("--tmpdir is for --image, and there is none", "--tmpdir", "/tmp", "true");
	CHECK(!line.cfg.keep_overlay);
	CHECK_EQ(PARSE("--image", "disk.img", "--keep-overlay", "changes", "true"), 0);
	CHECK_STR(line.cfg.keep_overlay, "changes");
	CHECK_REFUSED("--keep-overlay is for --image, and there is none", "--keep-overlay=x",
		      "--rootfs", "/", "true");
}

static void test_config_run_a_root_may_have_a_command_and_a_place_of_its_own(void)
{
	CHECK_EQ(PARSE("--rootfs", "image.tar", "--tmpdir", "/var/tmp"), 0);
	CHECK_STR(line.cfg.rootfs, "image.tar");
	CHECK_STR(line.cfg.tmpdir, "/var/tmp");
	CHECK_EQ(line.cfg.command_count, 0);
}

static void test_config_run_shares_name_both_ends_and_may_be_read_only(void)
{
	CHECK_EQ(PARSE("--share", "./data:/mnt:ro", "--share=out:/out", "--rw", "build", "true"),
		 0);
	CHECK_EQ(line.cfg.share_count, 3);
	CHECK_STR(line.cfg.share[0].host, "./data");
	CHECK_STR(line.cfg.share[0].guest, "/mnt");
	CHECK(line.cfg.share[0].is_readonly);
	CHECK_STR(line.cfg.share[1].host, "out");
	CHECK_STR(line.cfg.share[1].guest, "/out");
	CHECK(!line.cfg.share[1].is_readonly);
	CHECK_STR(line.cfg.share[2].host, "build");
	CHECK(!line.cfg.share[2].guest);
	CHECK(!line.cfg.share[2].is_readonly);
	CHECK_REFUSED("--share 'data' is not HOST:GUEST, where GUEST is the whole path in the "
		      "guest, such as ./data:/mnt",
		      "--share", "data", "true");
	CHECK_REFUSED("--share 'data:/mnt:rx' ends in something else than :ro or :rw", "--share",
		      "data:/mnt:rx", "true");
}

static void test_config_run_a_bare_rw_makes_the_named_root_writable(void)
{
	CHECK_EQ(PARSE("--rootfs", "./alpine", "--rw", "--", "true"), 0);
	CHECK(line.cfg.is_root_writable);
	CHECK_EQ(line.cfg.share_count, 0);
	CHECK_REFUSED("--rw without a directory is for --rootfs; name a directory, as in --rw .",
		      "--rw", "--", "true");
}

static void test_config_run_timeouts_are_in_seconds_minutes_or_hours(void)
{
	CHECK_EQ(PARSE("--timeout", "90", "true"), 0);
	CHECK_EQ(line.cfg.timeout_ms, 90000);
	CHECK_EQ(PARSE("--timeout", "30s", "true"), 0);
	CHECK_EQ(line.cfg.timeout_ms, 30000);
	CHECK_EQ(PARSE("--timeout=5m", "true"), 0);
	CHECK_EQ(line.cfg.timeout_ms, 300000);
	static const char *const bad[] = {"0", "s", "-1", "1d", "99999999999999999999", "5 m"};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_EQ(PARSE("--timeout", bad[i], "true"), -EINVAL);
	CHECK_REFUSED("--timeout '1d' is no time; give seconds, or minutes as 5m, hours as 2h",
		      "--timeout", "1d", "true");
}

static void test_config_run_what_makes_no_sense_is_refused_with_a_sentence(void)
{
	CHECK_REFUSED("run: there is no command to run; it comes last, as in tinyvm run -- "
		      "uname -r",
		      "--kernel", "bzImage");
	CHECK_REFUSED("run: unknown option --disk; tinyvm run --help lists the options", "--disk",
		      "x", "true");
	CHECK_REFUSED("run: unknown option --mem=1G; did you mean --memory?", "--mem=1G", "true");
	CHECK_REFUSED("run: unknown option --rootf; did you mean --rootfs?", "--rootf", "x",
		      "true");
	CHECK_REFUSED("run: unknown option -z; tinyvm run --help lists the options", "-z", "true");
	CHECK_REFUSED("--kernel needs a value, such as --kernel ./bzImage", "--kernel");
	CHECK_REFUSED("--kernel needs a value, such as --kernel ./bzImage", "--kernel", "--",
		      "true");
	CHECK_REFUSED("--kernel is given twice; leave one of the two out", "-k", "a", "-k", "b",
		      "true");
	CHECK_REFUSED("--verbose takes no value; leave =1 out", "--verbose=1", "true");
	CHECK_REFUSED("--cwd 'src' is not the whole path in the guest, such as /tmp", "--cwd",
		      "src", "true");
	CHECK_REFUSED("--env '=x' has no name", "--env", "=x", "true");
}

static void test_config_run_more_than_there_is_room_for_is_refused(void)
{
	const char *args[2 * (RUN_SHARE_MAX + 1) + 2];
	unsigned n = 0;
	for (unsigned i = 0; i <= RUN_SHARE_MAX; i++) {
		args[n++] = "--rw";
		args[n++] = "dir";
	}
	args[n++] = "true";
	args[n] = NULL;
	CHECK_EQ(parse_list(args), -EINVAL);
	CHECK_STR(line.err.msg, "there is room for 14 directories, and --rw dir is one more");
}

static void test_config_run_help_needs_no_command_and_fits_a_screen(void)
{
	CHECK_EQ(PARSE("--help"), 0);
	CHECK(line.is_help);
	unsigned lines = 0;
	for (const char *p = run_config_help(); *p; lines++) {
		size_t len = strcspn(p, "\n");
		CHECK(len <= 80);
		p += len + 1;
	}
	CHECK(lines <= 24);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_config_run_a_command_alone_runs_on_the_hosts_root),
		TEST_CASE(test_config_run_options_end_at_the_command_and_its_own_stay_its_own),
		TEST_CASE(test_config_run_every_option_reaches_the_configuration),
		TEST_CASE(test_config_run_an_image_takes_the_place_of_the_hosts_root),
		TEST_CASE(test_config_run_a_root_may_have_a_command_and_a_place_of_its_own),
		TEST_CASE(test_config_run_shares_name_both_ends_and_may_be_read_only),
		TEST_CASE(test_config_run_a_bare_rw_makes_the_named_root_writable),
		TEST_CASE(test_config_run_timeouts_are_in_seconds_minutes_or_hours),
		TEST_CASE(test_config_run_what_makes_no_sense_is_refused_with_a_sentence),
		TEST_CASE(test_config_run_more_than_there_is_room_for_is_refused),
		TEST_CASE(test_config_run_help_needs_no_command_and_fits_a_screen),
	};
	return TEST_RUN(cases);
}
