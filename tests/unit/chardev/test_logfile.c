/* A port whose output goes to a file alone. */
#include "test.h"

#include <pthread.h>
#include <tinyvm/chardev.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <tinyvm/logfile.h>
#include <unistd.h>

static char path[] = "/tmp/test_logfile.XXXXXX";

static void *run(void *loop)
{
	evloop_run(loop);
	return NULL;
}

static void test_all_of_it_is_appended(void)
{
	struct evloop *loop;
	struct chardev *cd;
	struct err err;
	pthread_t thread;
	static char text[200000], read_back[200001];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 23);
	CHECK_EQ(evloop_create(&loop), 0);
	CHECK_EQ(logfile_create(&cd, loop, path, &err), 0);
	CHECK_EQ(pthread_create(&thread, NULL, run, loop), 0);
	for (size_t at = 0; at < sizeof(text); usleep(100))
		at += chardev_write(cd, (const uint8_t *)text + at, sizeof(text) - at);
	evloop_stop(loop);
	pthread_join(thread, NULL);
	chardev_destroy(cd);
	evloop_destroy(loop);
	FILE *in = fopen(path, "r");
	CHECK_EQ(fread(read_back, 1, sizeof(read_back), in), sizeof(text));
	fclose(in);
	CHECK_EQ(memcmp(text, read_back, sizeof(text)), 0);
}

static void test_a_file_that_cannot_be(void)
{
	struct evloop *loop;
	struct chardev *cd = NULL;
	struct err err;

	CHECK_EQ(evloop_create(&loop), 0);
	CHECK_EQ(logfile_create(&cd, loop, "/nowhere/log", &err), -ENOENT);
	CHECK_STR(err.msg, "cannot open the log file '/nowhere/log': No such file or directory");
	CHECK(!cd);
	evloop_destroy(loop);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_all_of_it_is_appended),
		TEST_CASE(test_a_file_that_cannot_be),
	};
	close(mkstemp(path));
	int status = TEST_RUN(cases);
	unlink(path);
	return status;
}
