/* The screen's last picture in files. */
#include "last_screen.h"
#include "test.h"

#include <string.h>
#include <sys/stat.h>
#include <tinyvm/config_legacy.h>
#include <tinyvm/err.h>
#include <tinyvm/screen.h>
#include <unistd.h>

static char dir[64], path[128];
static struct err err;
static struct screen screen;

static void set_up(void)
{
	snprintf(dir, sizeof(dir), "/tmp/test_last_screen.XXXXXX");
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/file", dir);
	screen = (struct screen){.kind = SCREEN_TEXT, .cols = 2, .rows = 1, .glyph_height = 1};
	screen.cell[0] = 'A';
	err = (struct err){0};
}

static void tear_down(void)
{
	unlink(path);
	rmdir(dir);
}

static void test_what_cannot_be_written_is_known_before(void)
{
	const struct config_legacy neither = {0};
	const struct config_legacy text = {.screen_text = "/nowhere/text"};
	const struct config_legacy picture = {.screenshot = "/nowhere/picture",
					      .screen_text = path};

	set_up();
	CHECK_EQ(last_screen_check(&neither, &err), 0);
	CHECK(last_screen_check(&text, &err) < 0);
	CHECK(strstr(err.msg, "--screen-text /nowhere/text") != NULL);
	CHECK(last_screen_check(&picture, &err) < 0);
	CHECK(strstr(err.msg, "--screenshot /nowhere/picture") != NULL);
	CHECK(access(path, F_OK) != 0);
	tear_down();
}

static void test_a_text_that_cannot_be_written_costs_no_picture(void)
{
	const struct config_legacy legacy = {.screen_text = "/dev/full", .screenshot = path};
	struct stat st;

	set_up();
	CHECK(last_screen_write(&legacy, &screen, &err) < 0);
	CHECK(strstr(err.msg, "--screen-text /dev/full") != NULL);
	CHECK_EQ(stat(path, &st), 0);
	CHECK(st.st_size > 8);
	tear_down();
}

static void test_the_first_that_failed_is_told_of(void)
{
	const struct config_legacy both = {.screen_text = "/dev/full", .screenshot = "/dev/full"};
	const struct config_legacy second = {.screen_text = path, .screenshot = "/dev/full"};

	set_up();
	CHECK(last_screen_write(&both, &screen, &err) < 0);
	CHECK(strstr(err.msg, "--screen-text") != NULL);
	CHECK(last_screen_write(&second, &screen, &err) < 0);
	CHECK(strstr(err.msg, "--screenshot") != NULL);
	tear_down();
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_what_cannot_be_written_is_known_before),
		TEST_CASE(test_a_text_that_cannot_be_written_costs_no_picture),
		TEST_CASE(test_the_first_that_failed_is_told_of),
	};
	return TEST_RUN(cases);
}
