/* Committing overlays: what reaches the image, and what is refused. */
#include "commit.h"
#include "overlay.h"
#include "test.h"
#include <endian.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <tinyvm/device.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <unistd.h>

#define IMAGE_SIZE (1u << 20)
#define AT_VERSION 8 /* fields of the header */
#define AT_APPLIED 12
#define AT_SIZE	   16
#define AT_PATH	   56

static char dir[] = "/tmp/test-commit-XXXXXX";
static char image[64], kept[64], other[64];
static uint8_t contents[IMAGE_SIZE], model[IMAGE_SIZE];
static bool is_written[IMAGE_SIZE / 512];
static struct err err;

static void must(bool is_fine)
{
	if (!is_fine)
		abort();
}

static void write_at(const char *path, const void *buf, size_t len, off_t at)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(fd >= 0 && pwrite(fd, buf, len, at) == (ssize_t)len);
	close(fd);
}

static bool image_is(const uint8_t *want)
{
	static uint8_t now[IMAGE_SIZE + 1];
	int fd = open(image, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, now, sizeof(now));
	close(fd);
	return n == IMAGE_SIZE && memcmp(now, want, IMAGE_SIZE) == 0;
}

static void done(struct block_req *req, int result)
{
	req->result = result;
}

/* To the disk and, as it should be, to the model. */
static void write_disk(struct block *blk, uint64_t first, uint64_t count, uint8_t fill)
{
	static uint8_t buf[IMAGE_SIZE];
	memset(buf, fill, count * 512);
	memset(model + first * 512, fill, count * 512);
	memset(is_written + first, true, count);
	struct iovec iov = {buf, count * 512};
	struct block_req req = {.op = fill ? BLOCK_WRITE : BLOCK_WRITE_ZEROES,
				.offset = first * 512,
				.len = count * 512,
				.iov = &iov,
				.iov_count = fill ? 1 : 0,
				.done = done};
	blk->ops->submit(blk, &req);
	blk->ops->commit(blk);
	blk->ops->drain(blk);
	must(req.result == 0);
}

static struct evloop *loop;
static struct device dev;

static struct block *open_disk(void)
{
	struct block *blk;
	must(block_overlay_open(&blk, image, NULL, kept, &err) == 0);
	must(blk->ops->attach(blk, loop, &dev) == 0);
	return blk;
}

static void close_disk(struct block *blk)
{
	must(blk->ops->attach(blk, NULL, NULL) == 0);
	block_destroy(blk);
}

/* An image and an overlay of it that a guest has written to. */
static void make_overlay(void)
{
	unlink(image);
	unlink(kept);
	unlink(other);
	for (unsigned i = 0; i < IMAGE_SIZE; i++)
		contents[i] = (uint8_t)(i * 7 + (i >> 9) * 13 + 1);
	memcpy(model, contents, sizeof(model));
	memset(is_written, false, sizeof(is_written));
	write_at(image, contents, IMAGE_SIZE, 0);
	struct block *blk = open_disk();
	write_disk(blk, 0, 1, 0x10);
	write_disk(blk, 9, 3, 0x20);
	write_disk(blk, 11, 1, 0x30);
	write_disk(blk, 64, 1024, 0x40);
	write_disk(blk, 256, 512, 0); /* a hole in the middle */
	write_disk(blk, 300, 1, 0);
	write_disk(blk, IMAGE_SIZE / 512 - 1, 1, 0x50);
	close_disk(blk);
}

static void check_refused(const char *path, bool is_forced, int code, const char *part)
{
	err = (struct err){0};
	CHECK_EQ(block_overlay_commit(path, is_forced, &err), code);
	CHECK_EQ(err.code, code);
	if (!strstr(err.msg, part))
		test_failed(__FILE__, __LINE__, "no '%s' in: %s", part, err.msg);
	CHECK(strchr(err.msg, '\n') == NULL);
	CHECK(strchr(err.msg, '\033') == NULL);
}

static void test_commit_makes_the_image_what_the_guest_saw(void)
{
	struct stat before, after;
	make_overlay();
	CHECK(image_is(contents));
	CHECK_EQ(stat(image, &before), 0);
	CHECK_EQ(block_overlay_commit(kept, false, &err), 0);
	CHECK(image_is(model));
	CHECK_EQ(access(kept, F_OK), -1);
	CHECK_EQ(stat(image, &after), 0);
	CHECK_EQ(after.st_size, IMAGE_SIZE);
	/* Zeroes give the space back, where the file system can: ask it. */
	int fd = open(image, O_RDWR | O_CLOEXEC);
	bool can = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 512) == 0;
	close(fd);
	CHECK(!can || after.st_blocks < before.st_blocks);
	check_refused(kept, false, -ENOENT, kept);
}

static void test_overlay_nobody_wrote_to_changes_nothing(void)
{
	make_overlay();
	unlink(kept);
	close_disk(open_disk());
	CHECK_EQ(block_overlay_commit(kept, false, &err), 0);
	CHECK(image_is(contents));
	CHECK_EQ(access(kept, F_OK), -1);
}

static void test_commits_follow_one_another(void)
{
	make_overlay();
	CHECK_EQ(block_overlay_commit(kept, false, &err), 0);
	struct block *blk = open_disk();
	write_disk(blk, 5, 2, 0x99);
	close_disk(blk);
	CHECK_EQ(block_overlay_commit(kept, false, &err), 0);
	CHECK(image_is(model));
}

static void test_overlay_in_use_is_refused(void)
{
	make_overlay();
	unlink(kept);
	struct block *blk = open_disk();
	check_refused(kept, true, -EBUSY, "in use");
	close_disk(blk);
}

static void test_image_in_use_is_refused(void)
{
	struct block *reader;
	make_overlay();
	CHECK_EQ(block_raw_open(&reader, image, true, &err), 0);
	check_refused(kept, true, -EBUSY, image);
	CHECK(image_is(contents));
	block_destroy(reader);
	CHECK_EQ(block_overlay_commit(kept, false, &err), 0);
}

static void test_changed_image_is_refused_unless_forced(void)
{
	make_overlay();
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};
	CHECK_EQ(utimensat(AT_FDCWD, image, times, 0), 0);
	check_refused(kept, false, -ESTALE, "was written to since");
	CHECK(image_is(contents));
	CHECK_EQ(access(kept, F_OK), 0);
	CHECK_EQ(block_overlay_commit(kept, true, &err), 0);
	CHECK(image_is(model));
}

static void test_replaced_image_is_refused_unless_forced(void)
{
	make_overlay();
	write_at(other, contents, IMAGE_SIZE, 0);
	CHECK_EQ(rename(other, image), 0);
	check_refused(kept, false, -ESTALE, "another file");
	CHECK_EQ(block_overlay_commit(kept, true, &err), 0);
	CHECK(image_is(model));
}

static void test_image_of_another_size_is_refused_even_if_forced(void)
{
	make_overlay();
	CHECK_EQ(truncate(image, IMAGE_SIZE - 512), 0);
	check_refused(kept, true, -EINVAL, "fits no more");
	CHECK_EQ(truncate(image, IMAGE_SIZE + 512), 0);
	check_refused(kept, true, -EINVAL, "fits no more");
}

static void test_missing_image_is_refused_by_name(void)
{
	make_overlay();
	CHECK_EQ(rename(image, other), 0);
	check_refused(kept, false, -ENOENT, "not there any more");
	CHECK_EQ(rename(other, image), 0);
	CHECK_EQ(block_overlay_commit(kept, false, &err), 0);
}

/* A limit on the size of files makes writes to the image fail half way. */
static void test_interrupted_commit_can_be_done_again(void)
{
	struct rlimit old, tight;
	make_overlay();
	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 65536;
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
	err = (struct err){0};
	int ret = block_overlay_commit(kept, false, &err);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
	CHECK_EQ(ret, -EFBIG);
	CHECK(strstr(err.msg, image) == err.msg);
	CHECK(strstr(err.msg, "commit") && strstr(err.msg, "again"));
	CHECK(!image_is(contents)); /* so its time has changed, too */
	CHECK_EQ(block_overlay_commit(kept, false, &err), 0);
	CHECK(image_is(model));
}

static void test_commit_that_was_done_can_be_done_again(void)
{
	char saved[80];
	make_overlay();
	snprintf(saved, sizeof(saved), "%s/saved", dir);
	CHECK_EQ(link(kept, saved), 0);
	CHECK_EQ(block_overlay_commit(kept, false, &err), 0);
	CHECK_EQ(block_overlay_commit(saved, false, &err), 0);
	CHECK(image_is(model));
	CHECK_EQ(access(saved, F_OK), -1);
}

/* Files that are no overlays, or were one. */

static void test_other_files_are_refused(void)
{
	make_overlay();
	check_refused("/nonexistent/kept", false, -ENOENT, "/nonexistent/kept");
	check_refused(dir, false, -EINVAL, "is no file");
	check_refused("/dev/null", false, -EINVAL, "is no file");
	check_refused(image, false, -EINVAL, "not an overlay");
	CHECK_EQ(mkfifo(other, 0600), 0);
	check_refused(other, false, -EINVAL, "is no file");
	unlink(other);
	write_at(other, "", 0, 0);
	check_refused(other, false, -EINVAL, "not an overlay");
	write_at(other, "tinyvmOV", 8, 0);
	check_refused(other, false, -EINVAL, "another version");
	CHECK(image_is(contents));
}

static void test_torn_overlay_is_refused(void)
{
	make_overlay();
	CHECK_EQ(truncate(kept, (off_t)overlay_file_size(IMAGE_SIZE) - 1), 0);
	check_refused(kept, true, -EINVAL, "not as long");
	CHECK_EQ(truncate(kept, (off_t)overlay_file_size(IMAGE_SIZE) + 512), 0);
	check_refused(kept, true, -EINVAL, "not as long");
	CHECK_EQ(truncate(kept, 100), 0);
	check_refused(kept, true, -EINVAL, "not as long");
	CHECK_EQ(truncate(kept, 10), 0);
	check_refused(kept, true, -EINVAL, "makes no sense");
	CHECK(image_is(contents));
}

static void test_hostile_header_is_refused(void)
{
	static const struct {
		off_t at;
		uint64_t value;
		const char *part;
	} bad[] = {
		{0, 0, "not an overlay"},
		{AT_VERSION, 2, "another version"},
		{AT_APPLIED, 2, "makes no sense"},
		{AT_SIZE, 0, "makes no sense"},
		{AT_SIZE, IMAGE_SIZE + 1, "makes no sense"},
		{AT_SIZE, IMAGE_SIZE * 2, "not as long"},
		{AT_SIZE, UINT64_MAX & ~511ull, "makes no sense"},
		{AT_SIZE, 1ull << 61, "makes no sense"},
		{AT_SIZE, 1ull << 60, "not as long"},
		{AT_PATH, 0, "makes no sense"},
		{AT_PATH, 0x612e2e2f2e2e, "makes no sense"},   /* relative */
		{AT_PATH, 0x1b5b324a612f2f, "makes no sense"}, /* a terminal's command */
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint64_t value = htole64(bad[i].value);
		make_overlay();
		write_at(kept, &value, bad[i].at == AT_VERSION || bad[i].at == AT_APPLIED ? 4 : 8,
			 bad[i].at);
		check_refused(kept, true, -EINVAL, bad[i].part);
		CHECK(image_is(contents));
	}
}

static void test_endless_path_is_refused(void)
{
	static char path[OVERLAY_PATH_MAX];
	make_overlay();
	memset(path, '/', sizeof(path));
	write_at(kept, path, sizeof(path), AT_PATH);
	check_refused(kept, true, -EINVAL, "makes no sense");
}

static void test_map_beyond_the_image_is_not_looked_at(void)
{
	static uint8_t all[OVERLAY_MAP_PAGE];
	make_overlay();
	memset(all, 0xff, sizeof(all));
	/* The sectors that the guest did not write are holes, so zeroes, in the overlay. */
	for (unsigned i = 0; i < IMAGE_SIZE; i++)
		model[i] = is_written[i / 512] ? model[i] : 0;
	write_at(kept, all, sizeof(all), OVERLAY_HEADER_SIZE);
	CHECK_EQ(block_overlay_commit(kept, false, &err), 0);
	CHECK(image_is(model));
}

int main(void)
{
	static const struct device_ops ops = {.type = "test"};
	if (!mkdtemp(dir) || evloop_create(&loop) != 0)
		return 1;
	device_init(&dev, &ops, "disk");
	snprintf(image, sizeof(image), "%s/disk.img", dir);
	snprintf(kept, sizeof(kept), "%s/kept", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	signal(SIGXFSZ, SIG_IGN); /* as main() does */
	static const struct test_case cases[] = {
		TEST_CASE(test_commit_makes_the_image_what_the_guest_saw),
		TEST_CASE(test_overlay_nobody_wrote_to_changes_nothing),
		TEST_CASE(test_commits_follow_one_another),
		TEST_CASE(test_overlay_in_use_is_refused),
		TEST_CASE(test_image_in_use_is_refused),
		TEST_CASE(test_changed_image_is_refused_unless_forced),
		TEST_CASE(test_replaced_image_is_refused_unless_forced),
		TEST_CASE(test_image_of_another_size_is_refused_even_if_forced),
		TEST_CASE(test_missing_image_is_refused_by_name),
		TEST_CASE(test_interrupted_commit_can_be_done_again),
		TEST_CASE(test_commit_that_was_done_can_be_done_again),
		TEST_CASE(test_other_files_are_refused),
		TEST_CASE(test_torn_overlay_is_refused),
		TEST_CASE(test_hostile_header_is_refused),
		TEST_CASE(test_endless_path_is_refused),
		TEST_CASE(test_map_beyond_the_image_is_not_looked_at),
	};
	int status = TEST_RUN(cases);
	unlink(image);
	unlink(kept);
	unlink(other);
	rmdir(dir);
	evloop_destroy(loop);
	return status;
}
