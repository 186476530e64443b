/* Files without a name. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <tinyvm/nameless.h>
#include <unistd.h>

static char dir[] = "/tmp/tinyvm-nameless-XXXXXX";

static void test_nameless_file_is_empty_and_gone_when_closed(void)
{
	struct stat st;
	char buf[4] = "";
	int fd = nameless_open(dir, 0);
	CHECK(fd >= 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, 0);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_mode & 0777, 0600);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(pread(fd, buf, 3, 0), 3);
	CHECK_STR(buf, "abc");
	close(fd);
	CHECK_EQ(rmdir(dir), 0); /* with nothing in it */
	CHECK_EQ(mkdir(dir, 0700), 0);
}

static void test_nameless_file_may_append(void)
{
	int fd = nameless_open(dir, O_APPEND);
	CHECK(fd >= 0);
	CHECK(fcntl(fd, F_GETFL) & O_APPEND);
	close(fd);
}

static void test_nameless_file_that_cannot_be_made_says_why(void)
{
	CHECK_EQ(nameless_open("/no/where", 0), -ENOENT);
	CHECK_EQ(nameless_open("/dev/null", 0), -ENOTDIR);
	CHECK(nameless_open("/proc", 0) < 0);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_nameless_file_is_empty_and_gone_when_closed),
		TEST_CASE(test_nameless_file_may_append),
		TEST_CASE(test_nameless_file_that_cannot_be_made_says_why),
	};
	if (!mkdtemp(dir))
		abort();
	int status = TEST_RUN(cases);
	return rmdir(dir) ? 1 : status;
}
