/* From the command line of a run to its machine and to what its init is told. */
#include "run_parts.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <tinyvm/initramfs.h>
#include <unistd.h>

static char dir[] = "/tmp/tinyvm-plan-XXXXXX";
static struct run_config run;
static struct run_plan plan;
static struct err err;
static uint8_t *told;
static size_t told_size;

static void make_dirs(void)
{
	if (!mkdtemp(dir) || chdir(dir) != 0 || mkdir("root", 0755) != 0 ||
	    mkdir("root/home", 0755) != 0 || mkdir("other", 0755) != 0 ||
	    symlink("other", "link") != 0)
		abort();
}

static int remove_dirs(void)
{
	return unlink("link") | rmdir("other") | rmdir("root/home") | rmdir("root") | rmdir(dir);
}

static void begin(const char *rootfs)
{
	static char *command[] = {(char *)"make", (char *)"a b"};
	run = (struct run_config){
		.memory = 256 << 20,
		.cpus = 2,
		.append = "",
		.rootfs = rootfs,
		.command = command,
		.command_count = 2,
	};
	plan = (struct run_plan){.run = &run};
	told = NULL;
}

static void end(void)
{
	run_plan_destroy(&plan);
	free(told);
}

/* What the init is told, as it lies in the archive. */
static void tell_init(void)
{
	struct initramfs *ia;
	if (initramfs_create(&ia) != 0 || run_instruct(ia, &plan) != 0 ||
	    initramfs_finish(ia, &told, &told_size) != 0)
		abort();
	initramfs_destroy(ia);
}

static bool is_told(const char *string)
{
	return memmem(told, told_size, string, strlen(string) + 1);
}

static const char *below(const char *name)
{
	static char path[200];
	char *real = realpath(dir, NULL);
	snprintf(path, sizeof(path), "%s%s%s", real, *name ? "/" : "", name);
	free(real);
	return path;
}

static void test_plan_of_a_directory_is_an_overlay(void)
{
	begin("root");
	plan.cfg.kernel = "vmlinuz";
	CHECK_EQ(run_plan_machine(&plan, &err), 0);
	CHECK_STR(plan.root, "virtiofs:share0:overlay:");
	CHECK_EQ(plan.cfg.share_count, 1);
	CHECK(plan.cfg.share[0].is_readonly);
	CHECK_STR(plan.cfg.share[0].path, below("root"));
	CHECK_EQ(plan.cfg.memory, 256 << 20);
	CHECK_EQ(plan.cfg.cpus, 2);
	CHECK_STR(plan.cfg.kernel, "vmlinuz");
	CHECK(strstr(plan.cfg.append, "quiet "));
	CHECK_STR(plan.cwd, "/"); /* this one is not in the guest */
	tell_init();
	CHECK(is_told("version=1"));
	CHECK(is_told("root=virtiofs:share0:overlay:"));
	CHECK(is_told("cwd=/"));
	CHECK(is_told("arg=make"));
	CHECK(is_told("arg=a b"));
	CHECK(is_told("env=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
	CHECK(!memmem(told, told_size, "tty=", 4));
	CHECK(!memmem(told, told_size, "net=", 4));
	CHECK(!memmem(told, told_size, "boot=", 5));
	end();
}

static void test_plan_of_a_writable_root_is_none(void)
{
	begin("root");
	run.is_root_writable = true;
	run.verbose = 1;
	run.append = "debug";
	CHECK_EQ(run_plan_machine(&plan, &err), 0);
	CHECK_STR(plan.root, "virtiofs:share0:rw:");
	CHECK(!plan.cfg.share[0].is_readonly);
	CHECK_STR(plan.cfg.append, "debug");
	end();
}

static void test_plan_of_shares_keeps_their_order(void)
{
	char text[300];
	begin("root");
	run.share[0] = (struct run_share){.host = "link", .is_readonly = false};
	run.share[1] = (struct run_share){.host = "root/home"};
	run.share[2] = (struct run_share){.host = "other", .guest = "/mnt/x", .is_readonly = true};
	run.share_count = 3;
	CHECK_EQ(run_plan_machine(&plan, &err), 0);
	CHECK_EQ(plan.cfg.share_count, 4);
	tell_init();
	snprintf(text, sizeof(text), "mount=virtiofs:share1:rw::%s", below("other"));
	CHECK(is_told(text));
	CHECK(is_told("mount=virtiofs:share2:rw::/home")); /* where the root has it */
	CHECK(is_told("mount=virtiofs:share3:ro::/mnt/x"));
	end();
}

static void test_plan_starts_where_the_caller_is(void)
{
	begin("/");
	CHECK_EQ(run_plan_machine(&plan, &err), 0);
	CHECK_STR(plan.cwd, below(""));
	end();
	begin("root");
	CHECK_EQ(chdir("root/home"), 0);
	run.rootfs = "..";
	CHECK_EQ(run_plan_machine(&plan, &err), 0);
	CHECK_STR(plan.cwd, "/home");
	end();
	CHECK_EQ(chdir("/proc/self"), 0); /* the guest has its own */
	begin("/");
	CHECK_EQ(run_plan_machine(&plan, &err), 0);
	CHECK_STR(plan.cwd, "/");
	end();
	CHECK_EQ(chdir(dir), 0);
	begin("root");
	run.cwd = "/else/where";
	CHECK_EQ(run_plan_machine(&plan, &err), 0);
	CHECK_STR(plan.cwd, "/else/where");
	end();
	begin("../root");
	CHECK_EQ(chdir("other"), 0);
	run.share[0].host = ".";
	run.share_count = 1;
	CHECK_EQ(run_plan_machine(&plan, &err), 0);
	CHECK_STR(plan.cwd, below("other")); /* let through, where the host has it */
	end();
	CHECK_EQ(chdir(dir), 0);
}

static void test_plan_refuses_what_is_not_there(void)
{
	begin("nowhere");
	CHECK_EQ(run_plan_machine(&plan, &err), -ENOENT);
	CHECK_STR(err.msg, "--rootfs nowhere: No such file or directory");
	end();
	begin("root");
	run.share[0].host = "nowhere";
	run.share_count = 1;
	CHECK_EQ(run_plan_machine(&plan, &err), -ENOENT);
	CHECK_STR(err.msg, "--rw nowhere: No such file or directory");
	end();
	begin("root");
	run.share[0].host = "root";
	run.share_count = 1;
	CHECK_EQ(run_plan_machine(&plan, &err), -EINVAL);
	CHECK(strstr(err.msg, "cannot take the place of the root"));
	end();
}

static void test_plan_of_the_environment(void)
{
	begin("root");
	setenv("PLAN_KEPT", "from here", 1);
	setenv("PLAN_LOST", "x", 1);
	setenv("LANG", "C.UTF-8", 1);
	setenv("PATH", "/only/here", 1);
	run.env[0] = "A=b c";
	run.env[1] = "PLAN_KEPT";
	run.env[2] = "PLAN_UNSET";
	run.env_count = 3;
	plan.is_tty = true;
	CHECK_EQ(run_plan_machine(&plan, &err), 0);
	tell_init();
	CHECK(is_told("env=A=b c"));
	CHECK(is_told("env=PLAN_KEPT=from here"));
	CHECK(is_told("env=LANG=C.UTF-8"));
	CHECK(is_told("env=HOME=/root"));
	CHECK(!memmem(told, told_size, "PLAN_LOST", 9));
	CHECK(!memmem(told, told_size, "PLAN_UNSET", 10));
	CHECK(!memmem(told, told_size, "/only/here", 10)); /* of another root */
	CHECK(memmem(told, told_size, "tty=", 4));
	end();
	begin("/");
	CHECK_EQ(run_plan_machine(&plan, &err), 0);
	tell_init();
	CHECK(is_told("env=PATH=/only/here"));
	end();
}

/* A file of 1 MiB with @magic at @off. */
static void make_image(size_t off, const char *magic)
{
	int fd = open("image", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, 1 << 20) != 0 ||
	    pwrite(fd, magic, strlen(magic), (off_t)off) != (ssize_t)strlen(magic))
		abort();
	close(fd);
}

static void test_plan_of_an_image_depends_on_its_filesystem(void)
{
	begin(NULL);
	run.image = "image";
	make_image(0x438, "\x53\xef");
	CHECK_EQ(run_plan_machine(&plan, &err), 0);
	CHECK_STR(plan.root, "ext4:/dev/vda:rw:");
	CHECK_STR(plan.filesystem, "ext4");
	CHECK(plan.cfg.disk[0].is_snapshot);
	CHECK_EQ(plan.cfg.share_count, 0);
	end();
	begin(NULL);
	run.image = "image";
	run.is_boot_wanted = true;
	make_image(0, "hsqs");
	CHECK_EQ(run_plan_machine(&plan, &err), 0);
	CHECK_STR(plan.root, "squashfs:/dev/vda:overlay:");
	tell_init();
	CHECK(is_told("boot=/sbin/init"));
	end();
	unlink("image");
}

static void test_plan_of_an_image_that_is_not_there_says_so(void)
{
	begin(NULL);
	run.image = "no-image";
	CHECK_EQ(run_plan_machine(&plan, &err), -ENOENT);
	CHECK_STR(err.msg, "--image no-image: No such file or directory");
	end();
}

static void test_plan_of_an_image_that_does_not_say_what_its_root_is(void)
{
	begin(NULL);
	run.image = "image";
	make_image(0, "nothing");
	CHECK_EQ(run_plan_machine(&plan, &err), -ENOENT);
	CHECK(strstr(err.msg, "--append root=/dev/vdaN"));
	end();
	begin(NULL);
	run.image = "image";
	run.append = "quiet root=/dev/vda3 x";
	CHECK_EQ(run_plan_machine(&plan, &err), 0);
	CHECK_STR(plan.root, "auto:/dev/vda3:rw:");
	CHECK(!plan.filesystem);
	end();
	begin(NULL);
	run.image = "image";
	run.append = "root=UUID=1234";
	CHECK_EQ(run_plan_machine(&plan, &err), -EINVAL);
	CHECK(strstr(err.msg, "root=UUID=1234"));
	end();
	unlink("image");
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_plan_of_a_directory_is_an_overlay),
		TEST_CASE(test_plan_of_a_writable_root_is_none),
		TEST_CASE(test_plan_of_shares_keeps_their_order),
		TEST_CASE(test_plan_starts_where_the_caller_is),
		TEST_CASE(test_plan_refuses_what_is_not_there),
		TEST_CASE(test_plan_of_the_environment),
		TEST_CASE(test_plan_of_an_image_depends_on_its_filesystem),
		TEST_CASE(test_plan_of_an_image_that_is_not_there_says_so),
		TEST_CASE(test_plan_of_an_image_that_does_not_say_what_its_root_is),
	};
	make_dirs();
	int ret = TEST_RUN(cases);
	return remove_dirs() == 0 ? ret : 1;
}
