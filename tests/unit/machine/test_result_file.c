/* Files with results: complete, or not there. */
#include "result_file.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <unistd.h>

static char dir[64], path[128], text[64];
static struct err err;

static void set_up(void)
{
	snprintf(dir, sizeof(dir), "/tmp/test_result_file.XXXXXX");
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/file", dir);
	memset(&err, 0, sizeof(err));
}

static void tear_down(void)
{
	char name[512];
	DIR *d = opendir(dir);
	if (!d)
		abort();
	for (struct dirent *e; (e = readdir(d));) {
		snprintf(name, sizeof(name), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.' && unlink(name) != 0)
			rmdir(name);
	}
	closedir(d);
	rmdir(dir);
}

static unsigned files_in_dir(void)
{
	unsigned count = 0;
	DIR *d = opendir(dir);
	if (!d)
		abort();
	for (struct dirent *e; (e = readdir(d));)
		count += e->d_name[0] != '.';
	closedir(d);
	return count;
}

static void write_text(FILE *out, const void *ctx)
{
	fputs(ctx, out);
}

/* More than a stream buffers. */
static void write_much(FILE *out, const void *ctx)
{
	for (unsigned i = 0; i < 100000; i++)
		fputs(ctx, out);
}

static const char *contents(const char *of)
{
	int fd = open(of, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

WITH_DEVICE(test_result_file_takes_the_place_of_an_old_one)
{
	struct stat st;
	CHECK_EQ(result_file_write("json", path, write_text, "old", &err), 0);
	CHECK_STR(contents(path), "old");
	CHECK_EQ(chmod(path, 0640), 0);
	CHECK_EQ(result_file_write("json", path, write_text, "new", &err), 0);
	CHECK_STR(contents(path), "new");
	CHECK_EQ(files_in_dir(), 1);
	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0640);
}

WITH_DEVICE(test_result_file_behind_a_link_is_replaced_not_the_link)
{
	char link[128];
	struct stat st;
	snprintf(link, sizeof(link), "%s/link", dir);
	CHECK_EQ(result_file_write("json", path, write_text, "old", &err), 0);
	CHECK_EQ(symlink("file", link), 0);
	CHECK_EQ(result_file_write("json", link, write_text, "new", &err), 0);
	CHECK_STR(contents(path), "new");
	CHECK_EQ(lstat(link, &st), 0);
	CHECK(S_ISLNK(st.st_mode));
}

WITH_DEVICE(test_result_file_that_does_not_fit_leaves_the_old_one)
{
	struct rlimit old, limit;
	CHECK_EQ(result_file_write("junit", path, write_text, "old", &err), 0);
	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){.rlim_cur = 4096, .rlim_max = old.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int error = result_file_write("junit", path, write_much, "new", &err);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
	CHECK_EQ(error, -EFBIG);
	CHECK(strncmp(err.msg, "--junit /tmp/", 13) == 0 &&
	      strstr(err.msg, "/file: it cannot be written: File too large"));
	CHECK_STR(contents(path), "old");
	CHECK_EQ(files_in_dir(), 1);
}

WITH_DEVICE(test_result_file_to_a_full_device_is_an_error)
{
	CHECK_EQ(result_file_check("tap", "/dev/full", &err), 0);
	CHECK_EQ(result_file_write("tap", "/dev/full", write_text, "x", &err), -ENOSPC);
	CHECK_STR(err.msg, "--tap /dev/full: it cannot be written: No space left on device");
}

WITH_DEVICE(test_result_file_pipe_is_written_to_and_stays)
{
	struct stat st;
	CHECK_EQ(mkfifo(path, 0600), 0);
	int fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(result_file_write("json", path, write_text, "x", &err), 0);
	CHECK_EQ(read(fd, text, sizeof(text)), 1);
	close(fd);
	CHECK_EQ(stat(path, &st), 0);
	CHECK(S_ISFIFO(st.st_mode));
}

WITH_DEVICE(test_result_file_that_cannot_be_is_found_before)
{
	char below[160];
	CHECK_EQ(result_file_check("json", path, &err), 0);
	CHECK_EQ(files_in_dir(), 0);
	CHECK_EQ(result_file_check("json", dir, &err), -EISDIR);
	snprintf(below, sizeof(below), "%s/x", path);
	CHECK_EQ(result_file_check("json", below, &err), -ENOENT);
	CHECK(strstr(err.msg, "--json /tmp/") == err.msg);
	CHECK_EQ(result_file_write("json", below, write_text, "x", &err), -ENOENT);
	CHECK_EQ(result_file_write("json", path, write_text, "x", &err), 0);
	CHECK_EQ(result_file_check("json", below, &err), -ENOTDIR);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_result_file_takes_the_place_of_an_old_one),
		TEST_CASE(test_result_file_behind_a_link_is_replaced_not_the_link),
		TEST_CASE(test_result_file_that_does_not_fit_leaves_the_old_one),
		TEST_CASE(test_result_file_to_a_full_device_is_an_error),
		TEST_CASE(test_result_file_pipe_is_written_to_and_stays),
		TEST_CASE(test_result_file_that_cannot_be_is_found_before),
	};
	return TEST_RUN(cases);
}
