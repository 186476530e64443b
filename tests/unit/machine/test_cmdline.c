/* What is added to the kernel command line, and what is left to the user. */
#include "cmdline.h"
#include "test.h"

#include <fcntl.h>
#include <tinyvm/boot.h>
#include <tinyvm/config.h>
#include <unistd.h>

#define QUICK "pci=noearly cryptomgr.notests"

static const struct config plain = {.append = "", .is_auto_args = true};

/* Compares and frees. */
static bool is_line(char *line, const char *want)
{
	bool is_same = line && strcmp(line, want) == 0;
	if (!is_same)
		fprintf(stderr, "got \"%s\"\n", line ? line : "(null)");
	free(line);
	return is_same;
}

static void test_cmdline_has_finds_whole_names_before_the_dashes(void)
{
	CHECK(cmdline_has("a root=/dev/sda b", "root"));
	CHECK(cmdline_has("ro", "ro"));
	CHECK(cmdline_has("  quiet\tro", "ro"));
	CHECK(!cmdline_has("rootwait", "root"));
	CHECK(!cmdline_has("xroot=1", "root"));
	CHECK(!cmdline_has("quiet -- root=1", "root"));
	CHECK(!cmdline_has("", "root"));
}

static void test_cmdline_adds_safe_arguments_before_the_users(void)
{
	struct config cfg = plain;
	CHECK(is_line(cmdline_build(&cfg, NULL), "console=ttyS0 panic=-1 reboot=k " QUICK));
	cfg.append = "quiet -- sh";
	CHECK(is_line(cmdline_build(&cfg, ""),
		      "console=ttyS0 panic=-1 reboot=k " QUICK " root=/dev/vda rw quiet -- sh"));
	cfg.console = CONSOLE_VIRTIO;
	CHECK(is_line(cmdline_build(&cfg, NULL),
		      "console=hvc0 panic=-1 reboot=k " QUICK " quiet -- sh"));
}

static void test_cmdline_leaves_the_users_arguments_alone(void)
{
	struct config cfg = plain;
	cfg.append = "console=tty0 panic=5 reboot=t pci=nomsi cryptomgr.notests=0 root=LABEL=x";
	CHECK(is_line(cmdline_build(&cfg, "1"), cfg.append));
	cfg.append = "ro";
	CHECK(is_line(cmdline_build(&cfg, "1"),
		      "console=ttyS0 panic=-1 reboot=k " QUICK " root=/dev/vda1 ro"));
	cfg.append = "";
	cfg.disk[0].is_readonly = true;
	CHECK(is_line(cmdline_build(&cfg, "1"),
		      "console=ttyS0 panic=-1 reboot=k " QUICK " root=/dev/vda1 ro"));
}

static void test_cmdline_without_auto_args_is_the_users(void)
{
	struct config cfg = plain;
	cfg.is_auto_args = false;
	CHECK(is_line(cmdline_build(&cfg, "1"), ""));
	cfg.append = "single ";
	CHECK(is_line(cmdline_build(&cfg, "1"), "single"));
}

static void test_cmdline_values_end_with_their_words(void)
{
	size_t len = 9;
	const char *line = "quiet root=/dev/vda2 rw -- root=x";
	CHECK(cmdline_get(line, "root", &len) == line + 11);
	CHECK_EQ(len, 9);
	CHECK(cmdline_get(line, "rw", &len) == line + 23);
	CHECK_EQ(len, 0);
	CHECK(!cmdline_get(line, "roo", &len));
	CHECK(!cmdline_get("a -- root=x", "root", &len));
}

static void test_cmdline_finds_the_root_of_the_first_disk(void)
{
	struct config cfg = plain;
	struct boot_root root = {.suffix = "?"};
	char suffix[4] = "?";
	char path[] = "/tmp/tinyvm-cmdline-XXXXXX";
	int fd = mkstemp(path);
	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, 1 << 20), 0);
	cfg.disk[0].path = path;
	CHECK(!cmdline_find_root(&cfg, suffix)); /* no disk */
	cfg.disk_count = 1;
	CHECK(!cmdline_find_root(&cfg, suffix));	   /* nothing on it */
	CHECK_EQ(pwrite(fd, "\x53\xef", 2, 1024 + 56), 2); /* an ext2 superblock's magic */
	CHECK(cmdline_identify_root(&cfg, &root));
	CHECK_STR(root.suffix, "");
	CHECK(cmdline_find_root(&cfg, suffix));
	CHECK_STR(suffix, "");
	CHECK_STR(root.filesystem, "ext4");
	cfg.append = "root=/dev/vda";
	CHECK(!cmdline_find_root(&cfg, suffix));
	cfg.append = "";
	cfg.initrd = "x";
	CHECK(!cmdline_find_root(&cfg, suffix));
	close(fd);
	unlink(path);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_cmdline_has_finds_whole_names_before_the_dashes),
		TEST_CASE(test_cmdline_adds_safe_arguments_before_the_users),
		TEST_CASE(test_cmdline_leaves_the_users_arguments_alone),
		TEST_CASE(test_cmdline_without_auto_args_is_the_users),
		TEST_CASE(test_cmdline_values_end_with_their_words),
		TEST_CASE(test_cmdline_finds_the_root_of_the_first_disk),
	};
	return TEST_RUN(cases);
}
