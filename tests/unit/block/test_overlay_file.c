/* Overlays on real files, through both engines. */
#include "overlay.h"
#include "overlay_format.h"
#include "raw.h"
#include "sectors.h"
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <tinyvm/device.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <unistd.h>

#define IMAGE_SIZE (1u << 20)

static char dir[] = "/tmp/test-overlay-XXXXXX";
static char image[64], kept[64], other[64];
static uint8_t contents[IMAGE_SIZE];
static bool is_uring_wanted; /* each engine test runs once with either */

static void write_file(const char *path, const void *buf, size_t len)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, buf, len) != (ssize_t)len)
		abort();
	close(fd);
}

static void make_image(void)
{
	for (unsigned i = 0; i < IMAGE_SIZE; i++)
		contents[i] = (uint8_t)(i * 7 + (i >> 9) * 13 + 1);
	unlink(image);
	unlink(kept);
	write_file(image, contents, IMAGE_SIZE);
}

static bool is_image_untouched(void)
{
	static uint8_t now[IMAGE_SIZE + 1];
	int fd = open(image, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, now, sizeof(now));
	close(fd);
	return n == IMAGE_SIZE && memcmp(now, contents, IMAGE_SIZE) == 0;
}

/* Entries of the directory @path. */
static unsigned count_files(const char *path)
{
	unsigned count = 0;
	DIR *d = opendir(path);
	for (const struct dirent *e; d && (e = readdir(d));)
		count += e->d_name[0] != '.' || strncmp(e->d_name, ".tinyvm", 7) == 0;
	if (d)
		closedir(d);
	return count;
}

static struct block *open_overlay(const char *keep_path)
{
	struct block *blk = NULL;
	struct err err;
	if (overlay_open(&blk, image, NULL, keep_path, is_uring_wanted, &err) != 0) {
		test_failed(__FILE__, __LINE__, "%s", err.msg);
		abort();
	}
	return blk;
}

struct tracked {
	struct block_req req;
	struct iovec iov;
	int result;
	unsigned done_calls;
	struct evloop *loop; /* stopped when @left reaches 0 */
	unsigned *left;
};

static void tracked_done(struct block_req *req, int result)
{
	struct tracked *t = (struct tracked *)req;
	t->result = result;
	t->done_calls++;
	if (t->left && --*t->left == 0)
		evloop_stop(t->loop);
}

static void prepare(struct tracked *t, enum block_op op, uint64_t offset, void *buf, uint64_t len)
{
	*t = (struct tracked){.iov = {buf, len}, .result = 12345};
	t->req = (struct block_req){.op = op, .offset = offset, .len = len, .done = tracked_done};
	t->req.iov = &t->iov;
	t->req.iov_count = buf ? 1 : 0;
}

static int run_op(struct block *blk, enum block_op op, uint64_t offset, void *buf, uint64_t len)
{
	struct tracked t;
	prepare(&t, op, offset, buf, len);
	blk->ops->submit(blk, &t.req);
	blk->ops->commit(blk);
	blk->ops->drain(blk);
	return t.done_calls == 1 ? t.result : 54321;
}

static void check_refused(const char *path, const char *where, const char *keep_path, int code,
			  const char *part)
{
	struct block *blk = NULL;
	struct err err = {0};
	int ret = block_overlay_open(&blk, path, where, keep_path, &err);
	block_destroy(blk);
	CHECK_EQ(ret, code);
	CHECK(blk == NULL);
	CHECK_EQ(err.code, code);
	CHECK(strstr(err.msg, part) != NULL);
	CHECK(strchr(err.msg, '\n') == NULL);
}

/* Opening. */

static void test_unusable_places_are_refused_by_name(void)
{
	make_image();
	check_refused("/nonexistent/disk.img", NULL, NULL, -ENOENT, "/nonexistent/disk.img");
	check_refused(image, "/nonexistent", NULL, -ENOENT, "/nonexistent: cannot hold");
	check_refused(image, "/nonexistent", NULL, -ENOENT, "--tmpdir");
	check_refused(image, image, NULL, -ENOTDIR, "--tmpdir");
	check_refused(image, NULL, "/nonexistent/kept", -ENOENT, "/nonexistent/kept");
	check_refused(image, NULL, dir, -EEXIST, "exists already");
	CHECK_EQ(count_files(dir), 1);
}

static void test_existing_file_is_not_overwritten(void)
{
	make_image();
	write_file(kept, "precious", 8);
	check_refused(image, NULL, kept, -EEXIST, "--keep-overlay");
	check_refused(image, NULL, image, -EEXIST, "exists already");
	struct stat st;
	CHECK_EQ(stat(kept, &st), 0);
	CHECK_EQ(st.st_size, 8);
	CHECK(is_image_untouched());
}

static void test_overlay_larger_than_files_may_be_is_called_so(void)
{
	struct rlimit old, tight;
	make_image();
	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 65536;
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
	check_refused(image, NULL, NULL, -EFBIG, "ulimit -f");
	check_refused(image, NULL, kept, -EFBIG, "ulimit -f");
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
	CHECK_EQ(count_files(dir), 1);
}

static void test_path_that_no_header_can_hold_is_refused(void)
{
	make_image();
	CHECK_EQ(rename(image, other), 0);
	char odd[80];
	snprintf(odd, sizeof(odd), "%s/a\033[2Jb", dir);
	CHECK_EQ(link(other, odd), 0);
	check_refused(odd, NULL, kept, -EINVAL, "control characters");
	unlink(odd);
	unlink(other);
	CHECK_EQ(count_files(dir), 0);
}

static void test_overlays_share_an_image_and_keep_writers_out(void)
{
	struct block *writer = NULL;
	struct err err;
	uint8_t a[512], b[512];
	make_image();
	struct block *first = open_overlay(NULL), *second = open_overlay(kept);
	CHECK_EQ(block_raw_open(&writer, image, false, &err), -EBUSY);
	memset(a, 1, 512);
	CHECK_EQ(run_op(first, BLOCK_WRITE, 0, a, 512), 0);
	CHECK_EQ(run_op(second, BLOCK_READ, 0, b, 512), 0);
	CHECK(memcmp(b, contents, 512) == 0);
	block_destroy(first);
	block_destroy(second);
	CHECK_EQ(block_raw_open(&writer, image, false, &err), 0);
	check_refused(image, NULL, NULL, -EBUSY, "writes to it");
	block_destroy(writer);
}

static void test_tmpdir_is_used_and_nothing_stays(void)
{
	struct block *blk;
	struct err err;
	struct stat st;
	char sub[80], link_path[64];
	make_image();
	snprintf(sub, sizeof(sub), "%s/sub", dir);
	CHECK_EQ(mkdir(sub, 0700), 0);
	CHECK_EQ(block_overlay_open(&blk, image, sub, NULL, &err), 0);
	/* The store is the last file opened, and has no name any more. */
	bool is_found = false;
	for (int fd = 3; fd < 64; fd++) {
		char target[256] = "";
		snprintf(link_path, sizeof(link_path), "/proc/self/fd/%d", fd);
		if (readlink(link_path, target, sizeof(target) - 1) > 0 &&
		    strncmp(target, sub, strlen(sub)) == 0 && fstat(fd, &st) == 0)
			is_found = st.st_nlink == 0 && (uint64_t)st.st_size == blk->size;
	}
	CHECK(is_found);
	CHECK_EQ(count_files(sub), 0);
	CHECK_EQ(run_op(blk, BLOCK_WRITE, 0, contents, 4096), 0);
	CHECK_EQ(count_files(sub), 0);
	block_destroy(blk);
	CHECK_EQ(rmdir(sub), 0);
}

static void test_kept_file_stays_only_if_a_machine_had_the_disk(void)
{
	struct evloop *loop;
	struct device dev;
	static const struct device_ops ops = {.type = "test"};
	make_image();
	block_destroy(open_overlay(kept));
	CHECK_EQ(access(kept, F_OK), -1);

	device_init(&dev, &ops, "disk");
	CHECK_EQ(evloop_create(&loop), 0);
	struct block *blk = open_overlay(kept);
	CHECK_EQ(blk->ops->attach(blk, loop, &dev), 0);
	CHECK_EQ(run_op(blk, BLOCK_WRITE, 512, contents, 512), 0);
	CHECK_EQ(blk->ops->attach(blk, NULL, NULL), 0);
	block_destroy(blk);
	evloop_destroy(loop);

	uint8_t header[OVERLAY_HEADER_SIZE];
	struct overlay_info info;
	struct stat st;
	const char *why;
	int fd = open(kept, O_RDONLY | O_CLOEXEC);
	CHECK_EQ(pread(fd, header, sizeof(header), 0), sizeof(header));
	CHECK_EQ(fstat(fd, &st), 0);
	uint8_t map[8];
	CHECK_EQ(pread(fd, map, sizeof(map), OVERLAY_HEADER_SIZE), sizeof(map));
	close(fd);
	CHECK_EQ(overlay_decode(header, (uint64_t)st.st_size, &info, &why), 0);
	CHECK_STR(info.path, image);
	CHECK_EQ(info.size, IMAGE_SIZE);
	CHECK(!info.is_being_applied);
	CHECK_EQ(map[0], 2);
	CHECK(st.st_blocks * 512 < IMAGE_SIZE / 2);
	CHECK_EQ(st.st_mode & 0777, 0600);
}

/* Requests, once through each engine. */

static void check_writes_hide_and_image_stays(void)
{
	static uint8_t out[65536], in[65536 + 8192];
	static const char *const keep[] = {NULL, kept};
	for (unsigned i = 0; i < 2; i++) {
		make_image();
		struct block *blk = open_overlay(keep[i]);
		memset(out, 0xee, sizeof(out));
		CHECK_EQ(run_op(blk, BLOCK_WRITE, 4096 + 512, out, sizeof(out)), 0);
		CHECK_EQ(run_op(blk, BLOCK_WRITE_ZEROES, 8192, NULL, 512), 0);
		CHECK_EQ(run_op(blk, BLOCK_FLUSH, 0, NULL, 0), 0);
		CHECK_EQ(run_op(blk, BLOCK_READ, 0, in, sizeof(in)), 0);
		for (unsigned at = 0; at < sizeof(in); at++) {
			unsigned want = contents[at];
			if (at >= 8192 && at < 8192 + 512)
				want = 0;
			else if (at >= 4608 && at < 4608 + sizeof(out))
				want = 0xee;
			CHECK_EQ(in[at], want);
		}
		block_destroy(blk);
		CHECK(is_image_untouched());
		CHECK_EQ(count_files(dir), 1);
	}
}

static void check_full_disk_is_the_guests_error(void)
{
	static uint8_t buf[8192], in[8192];
	struct rlimit old, tight;
	make_image();
	struct block *blk = open_overlay(NULL);
	memset(buf, 0x42, sizeof(buf));
	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 65536 + 4096;
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
	int beyond = run_op(blk, BLOCK_WRITE, 1 << 17, buf, 4096);
	int across = run_op(blk, BLOCK_WRITE, 65536, buf, 8192);
	setrlimit(RLIMIT_FSIZE, &old);
	CHECK_EQ(beyond, -EFBIG);
	CHECK_EQ(across, -EFBIG);
	CHECK_EQ(run_op(blk, BLOCK_READ, 65536, in, 8192), 0);
	CHECK(memcmp(in, contents + 65536, 8192) == 0);
	CHECK_EQ(run_op(blk, BLOCK_WRITE, 65536, buf, 8192), 0); /* and it lives */
	CHECK_EQ(run_op(blk, BLOCK_READ, 65536, in, 8192), 0);
	CHECK(memcmp(in, buf, 8192) == 0);
	block_destroy(blk);
	CHECK(is_image_untouched());
}

static void *loop_main(void *loop)
{
	evloop_run(loop);
	return NULL;
}

/* Sectors written one by one, then everything read at once, completions on the loop's thread. */
static void check_event_loop(const char *keep_path)
{
	enum {
		COUNT = 300
	};
	static struct tracked t[COUNT + 1];
	static uint8_t buf[COUNT][512], in[COUNT * 1024];
	static const struct device_ops ops = {.type = "test"};
	struct device dev;
	struct evloop *loop;
	pthread_t thread;

	make_image();
	device_init(&dev, &ops, "disk");
	CHECK_EQ(evloop_create(&loop), 0);
	struct block *blk = open_overlay(keep_path);
	CHECK_EQ(blk->ops->attach(blk, loop, &dev), 0);
	for (unsigned pass = 0; pass < 2; pass++) {
		unsigned first = pass ? COUNT : 0, end = pass ? COUNT + 1 : COUNT;
		unsigned left = end - first;
		CHECK_EQ(pthread_create(&thread, NULL, loop_main, loop), 0);
		for (unsigned i = first; i < end; i++) {
			if (i == COUNT)
				prepare(&t[i], BLOCK_READ, 0, in, sizeof(in));
			else if (i % 10 == 9)
				prepare(&t[i], BLOCK_FLUSH, 0, NULL, 0);
			else
				prepare(&t[i], BLOCK_WRITE, i * 1024, memset(buf[i], (int)i, 512),
					512);
			t[i].loop = loop;
			t[i].left = &left;
			device_lock(&dev);
			blk->ops->submit(blk, &t[i].req);
			if (i % 7 == 0 || i == end - 1)
				blk->ops->commit(blk);
			device_unlock(&dev);
		}
		pthread_join(thread, NULL); /* the last done() stops the loop */
		CHECK_EQ(left, 0);
	}
	for (unsigned i = 0; i <= COUNT; i++) {
		CHECK_EQ(t[i].done_calls, 1);
		CHECK_EQ(t[i].result, 0);
	}
	for (unsigned at = 0; at < sizeof(in); at++) {
		unsigned i = at / 1024;
		bool is_own = at % 1024 < 512 && i % 10 != 9;
		CHECK_EQ(in[at], is_own ? (uint8_t)i : contents[at]);
	}
	CHECK_EQ(blk->ops->attach(blk, NULL, NULL), 0);
	block_destroy(blk);
	evloop_destroy(loop);
	CHECK(is_image_untouched());
}

static void check_loop_completes_volatile(void)
{
	check_event_loop(NULL);
}

static void check_loop_completes_kept(void)
{
	check_event_loop(kept);
}

/* Random sectors against a model, several requests at a time that do not overlap. */
static void check_random(void)
{
	enum {
		COUNT = 12
	};
	static uint8_t model[IMAGE_SIZE], in[IMAGE_SIZE], buf[COUNT][16 * 512];
	static struct tracked t[COUNT];
	unsigned seed = 7;

	make_image();
	memcpy(model, contents, sizeof(model));
	struct block *blk = open_overlay(is_uring_wanted ? kept : NULL);
	for (unsigned round = 0; round < 60; round++) {
		for (unsigned i = 0; i < COUNT; i++) {
			seed = seed * 1664525 + 1013904223;
			unsigned region = IMAGE_SIZE / 512 / COUNT;
			unsigned first = i * region + (seed >> 8) % (region - 16);
			unsigned count = 1 + (seed >> 20) % 16;
			bool is_zero = (seed >> 25) % 4 == 0;
			memset(buf[i], (int)(seed >> 12), sizeof(buf[i]));
			prepare(&t[i], is_zero ? BLOCK_WRITE_ZEROES : BLOCK_WRITE, first * 512ull,
				is_zero ? NULL : buf[i], count * 512ull);
			memset(model + first * 512ull, is_zero ? 0 : buf[i][0], count * 512ull);
			blk->ops->submit(blk, &t[i].req);
		}
		blk->ops->commit(blk);
		blk->ops->drain(blk);
		for (unsigned i = 0; i < COUNT; i++)
			CHECK_EQ(t[i].result, 0);
	}
	CHECK_EQ(run_op(blk, BLOCK_READ, 0, in, IMAGE_SIZE), 0);
	CHECK(memcmp(in, model, IMAGE_SIZE) == 0);
	block_destroy(blk);
	CHECK(is_image_untouched());
}

/* Flushes of a file that ends with us cost nothing, yet let others have their turn. */
static void check_flushes_need_no_disk(void)
{
	static struct tracked t[100];
	unsigned at_once = 0;
	make_image();
	struct block *blk = open_overlay(NULL);
	for (unsigned i = 0; i < 100; i++) {
		prepare(&t[i], BLOCK_FLUSH, 0, NULL, 0);
		blk->ops->submit(blk, &t[i].req);
		at_once += t[i].done_calls;
	}
	blk->ops->commit(blk);
	blk->ops->drain(blk);
	for (unsigned i = 0; i < 100; i++) {
		CHECK_EQ(t[i].done_calls, 1);
		CHECK_EQ(t[i].result, 0);
	}
	CHECK(at_once > 0 && at_once < 100);
	block_destroy(blk);
}

#define BOTH(name)                            \
	static void test_ring_##name(void)    \
	{                                     \
		is_uring_wanted = true;       \
		check_##name();               \
	}                                     \
	static void test_workers_##name(void) \
	{                                     \
		is_uring_wanted = false;      \
		check_##name();               \
	}
BOTH(writes_hide_and_image_stays)
BOTH(full_disk_is_the_guests_error)
BOTH(loop_completes_volatile)
BOTH(loop_completes_kept)
BOTH(random)
BOTH(flushes_need_no_disk)

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	snprintf(image, sizeof(image), "%s/disk.img", dir);
	snprintf(kept, sizeof(kept), "%s/kept", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	signal(SIGXFSZ, SIG_IGN); /* as main() does */
	static const struct test_case cases[] = {
		TEST_CASE(test_unusable_places_are_refused_by_name),
		TEST_CASE(test_existing_file_is_not_overwritten),
		TEST_CASE(test_overlay_larger_than_files_may_be_is_called_so),
		TEST_CASE(test_path_that_no_header_can_hold_is_refused),
		TEST_CASE(test_overlays_share_an_image_and_keep_writers_out),
		TEST_CASE(test_tmpdir_is_used_and_nothing_stays),
		TEST_CASE(test_kept_file_stays_only_if_a_machine_had_the_disk),
		TEST_CASE(test_ring_writes_hide_and_image_stays),
		TEST_CASE(test_workers_writes_hide_and_image_stays),
		TEST_CASE(test_ring_full_disk_is_the_guests_error),
		TEST_CASE(test_workers_full_disk_is_the_guests_error),
		TEST_CASE(test_ring_loop_completes_volatile),
		TEST_CASE(test_workers_loop_completes_volatile),
		TEST_CASE(test_ring_loop_completes_kept),
		TEST_CASE(test_workers_loop_completes_kept),
		TEST_CASE(test_ring_random),
		TEST_CASE(test_workers_random),
		TEST_CASE(test_ring_flushes_need_no_disk),
		TEST_CASE(test_workers_flushes_need_no_disk),
	};
	int status = TEST_RUN(cases);
	unlink(image);
	unlink(kept);
	unlink(other);
	rmdir(dir);
	return status;
}
