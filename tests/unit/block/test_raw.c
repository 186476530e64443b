/* The raw layer on real files, through both engines. */
#include "raw.h"
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <tinyvm/device.h>
#include <tinyvm/err.h>
#include <tinyvm/evloop.h>
#include <unistd.h>

#define IMAGE_SIZE (1u << 20)

static char dir[] = "/tmp/test-raw-XXXXXX";
static char image[64];
static bool is_uring_wanted; /* each engine test runs once with either */

static void make_image(off_t size)
{
	unlink(image);
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, size) != 0)
		abort();
	close(fd);
}

static int image_fd(void)
{
	int fd = open(image, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		abort();
	return fd;
}

static struct block *open_disk(bool is_readonly)
{
	struct block *blk = NULL;
	struct err err;
	if (raw_open(&blk, image, is_readonly, is_uring_wanted, &err) != 0) {
		test_failed(__FILE__, __LINE__, "%s", err.msg);
		abort();
	}
	return blk;
}

/* A request that remembers its end. */
struct tracked {
	struct block_req req;
	struct iovec iov[8];
	int result;
	unsigned done_calls;
	struct block *blk;	/* for chained ones */
	struct tracked *follow; /* submitted from done() */
	struct evloop *loop;	/* stopped when @left reaches 0 */
	unsigned *left;
};

static void tracked_done(struct block_req *req, int result)
{
	struct tracked *t = (struct tracked *)req;
	t->result = result;
	t->done_calls++;
	if (t->follow)
		t->blk->ops->submit(t->blk, &t->follow->req);
	if (t->left && --*t->left == 0)
		evloop_stop(t->loop);
}

static struct tracked tracked(enum block_op op, uint64_t offset, void *buf, uint64_t len)
{
	struct tracked t = {.result = 12345};
	t.req = (struct block_req){.op = op, .offset = offset, .len = len, .done = tracked_done};
	if (buf) {
		t.iov[0] = (struct iovec){.iov_base = buf, .iov_len = len};
		t.req.iov_count = 1;
	}
	return t;
}

static int run(struct block *blk, struct tracked *t)
{
	if (t->req.iov_count)
		t->req.iov = t->iov;
	blk->ops->submit(blk, &t->req);
	blk->ops->commit(blk);
	blk->ops->drain(blk);
	return t->done_calls == 1 ? t->result : 54321;
}

static int run_op(struct block *blk, enum block_op op, uint64_t offset, void *buf, uint64_t len)
{
	struct tracked t = tracked(op, offset, buf, len);
	return run(blk, &t);
}

static void fill(uint8_t *buf, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(seed + i * 7 + (i >> 8) * 13);
}

/* Opening. */

static void check_refused(const char *path, bool is_readonly, int code, const char *part)
{
	struct block *blk = NULL;
	struct err err = {0};
	int ret = block_raw_open(&blk, path, is_readonly, &err);
	block_destroy(blk);
	CHECK_EQ(ret, code);
	CHECK(blk == NULL);
	CHECK_EQ(err.code, code);
	CHECK(strstr(err.msg, path) == err.msg);
	CHECK(strstr(err.msg, part) != NULL);
	CHECK(strchr(err.msg, '\n') == NULL);
}

static void test_missing_image_is_refused(void)
{
	check_refused("/nonexistent/disk.img", false, -ENOENT, "no such file");
}

static void test_directory_is_refused(void)
{
	check_refused(dir, false, -EISDIR, "directory");
	check_refused(dir, true, -EISDIR, "directory");
}

static void test_character_device_and_fifo_are_refused(void)
{
	check_refused("/dev/null", false, -EINVAL, "neither a file nor a block device");
	char fifo[80];
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	CHECK_EQ(mkfifo(fifo, 0600), 0);
	check_refused(fifo, true, -EINVAL, "neither");
	unlink(fifo);
}

static void test_empty_image_is_refused(void)
{
	make_image(0);
	check_refused(image, false, -EINVAL, "empty");
}

static void test_odd_size_is_refused(void)
{
	make_image(1000);
	check_refused(image, false, -EINVAL, "multiple of 512");
}

static void test_size_and_block_size(void)
{
	make_image(IMAGE_SIZE + 512);
	struct block *blk = open_disk(false);
	CHECK_EQ(blk->size, IMAGE_SIZE + 512);
	CHECK(blk->block_size >= 512 && blk->block_size <= 65536);
	CHECK_EQ(blk->block_size & (blk->block_size - 1), 0);
	CHECK(!blk->is_readonly);
	block_destroy(blk);
}

static void test_two_writers_are_refused(void)
{
	make_image(IMAGE_SIZE);
	struct block *blk = open_disk(false);
	check_refused(image, false, -EBUSY, "in use by another process");
	check_refused(image, true, -EBUSY, "writes to it");
	block_destroy(blk);
	blk = open_disk(false); /* free again at once */
	block_destroy(blk);
}

static void test_missing_descriptors_are_called_so(void)
{
	struct block *blk;
	struct err err = {0};
	struct rlimit old, low;
	make_image(IMAGE_SIZE);
	int next = image_fd();
	close(next);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)next + 1; /* the image alone */
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	int ret = raw_open(&blk, image, false, false, &err);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
	CHECK_EQ(ret, -EMFILE);
	CHECK(strstr(err.msg, "Too many open files"));
	CHECK(!strstr(err.msg, "thread"));
}

static void test_readers_share(void)
{
	make_image(IMAGE_SIZE);
	struct block *a = open_disk(true), *b = open_disk(true);
	check_refused(image, false, -EBUSY, "in use");
	block_destroy(a);
	block_destroy(b);
}

static void test_owner_of_a_process_lock_is_named(void)
{
	make_image(IMAGE_SIZE);
	int ready[2], go[2];
	char byte;
	CHECK_EQ(pipe(ready) | pipe(go), 0);
	pid_t pid = fork();
	if (pid == 0) {
		int fd = image_fd();
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		fcntl(fd, F_SETLK, &lock);
		_exit(write(ready[1], "x", 1) == 1 && close(go[1]) == 0 &&
		      read(go[0], &byte, 1) >= 0);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	char want[64];
	snprintf(want, sizeof(want), "in use by process %d", (int)pid);
	check_refused(image, false, -EBUSY, want);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

static void test_unwritable_image_says_ro(void)
{
	if (geteuid() == 0) {
		/* Permissions do not bind root; a running program's text does. */
		check_refused("/proc/self/exe", false, -ETXTBSY, ",ro");
		return;
	}
	make_image(IMAGE_SIZE);
	chmod(image, 0400);
	check_refused(image, false, -EACCES, ",ro");
	chmod(image, 0);
	check_refused(image, true, -EACCES, "no permission");
}

/* Requests, once through each engine. */

static void check_round_trip(void)
{
	static uint8_t out[64 << 10], in[64 << 10];
	make_image(IMAGE_SIZE);
	struct block *blk = open_disk(false);
	fill(out, sizeof(out), 1);
	CHECK_EQ(run_op(blk, BLOCK_WRITE, 512, out, sizeof(out)), 0);
	CHECK_EQ(run_op(blk, BLOCK_FLUSH, 0, NULL, 0), 0);
	CHECK_EQ(run_op(blk, BLOCK_READ, 512, in, sizeof(in)), 0);
	CHECK(memcmp(in, out, sizeof(in)) == 0);
	block_destroy(blk);

	int fd = image_fd();
	CHECK_EQ(pread(fd, in, sizeof(in), 512), sizeof(in));
	close(fd);
	CHECK(memcmp(in, out, sizeof(in)) == 0);
}

static void check_vectors_of_any_alignment(void)
{
	static uint8_t out[4096], in[4096 + 3];
	make_image(IMAGE_SIZE);
	struct block *blk = open_disk(false);
	fill(out, sizeof(out), 2);
	struct tracked t = tracked(BLOCK_WRITE, 4096, NULL, sizeof(out));
	t.iov[0] = (struct iovec){out, 1};
	t.iov[1] = (struct iovec){out + 1, 0};
	t.iov[2] = (struct iovec){out + 1, 1023};
	t.iov[3] = (struct iovec){out + 1024, sizeof(out) - 1024};
	t.req.iov_count = 4;
	CHECK_EQ(run(blk, &t), 0);
	CHECK_EQ(run_op(blk, BLOCK_READ, 4096, in + 3, sizeof(out)), 0);
	CHECK(memcmp(in + 3, out, sizeof(out)) == 0);
	block_destroy(blk);
}

static void check_bad_ranges(void)
{
	uint8_t buf[1024];
	make_image(IMAGE_SIZE);
	struct block *blk = open_disk(false);
	CHECK_EQ(run_op(blk, BLOCK_READ, IMAGE_SIZE, buf, 512), -EINVAL);
	CHECK_EQ(run_op(blk, BLOCK_READ, IMAGE_SIZE - 512, buf, 1024), -EINVAL);
	CHECK_EQ(run_op(blk, BLOCK_WRITE, UINT64_MAX - 511, buf, 512), -EINVAL);
	CHECK_EQ(run_op(blk, BLOCK_READ, 1, buf, 512), -EINVAL);
	CHECK_EQ(run_op(blk, BLOCK_READ, 0, buf, 100), -EINVAL);
	CHECK_EQ(run_op(blk, BLOCK_DISCARD, IMAGE_SIZE, NULL, 512), -EINVAL);
	CHECK_EQ(run_op(blk, BLOCK_READ, IMAGE_SIZE, NULL, 0), 0);
	block_destroy(blk);
}

static void check_readonly(void)
{
	uint8_t buf[512] = {0};
	make_image(IMAGE_SIZE);
	struct block *blk = open_disk(true);
	CHECK(blk->is_readonly);
	CHECK_EQ(run_op(blk, BLOCK_READ, 0, buf, 512), 0);
	CHECK_EQ(run_op(blk, BLOCK_WRITE, 0, buf, 512), -EROFS);
	CHECK_EQ(run_op(blk, BLOCK_DISCARD, 0, NULL, 512), -EROFS);
	CHECK_EQ(run_op(blk, BLOCK_WRITE_ZEROES, 0, NULL, 512), -EROFS);
	CHECK_EQ(run_op(blk, BLOCK_FLUSH, 0, NULL, 0), 0);
	block_destroy(blk);
}

static void check_truncated_under_us(void)
{
	uint8_t buf[4096];
	make_image(IMAGE_SIZE);
	struct block *blk = open_disk(false);
	CHECK_EQ(truncate(image, 8192 + 2048), 0);
	CHECK_EQ(run_op(blk, BLOCK_READ, 65536, buf, 4096), -EIO);
	CHECK_EQ(run_op(blk, BLOCK_READ, 8192, buf, 4096), -EIO); /* half of it is there */
	CHECK_EQ(run_op(blk, BLOCK_READ, 0, buf, 4096), 0);
	block_destroy(blk);
}

/* RLIMIT_FSIZE makes real writes fail, in part or whole, as a full disk does. */
static void check_failing_write(void)
{
	static uint8_t buf[8192];
	struct rlimit old, tight;
	make_image(IMAGE_SIZE);
	struct block *blk = open_disk(false);
	fill(buf, sizeof(buf), 3);
	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = old;
	tight.rlim_cur = 65536 + 4096;
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
	int beyond = run_op(blk, BLOCK_WRITE, 1 << 17, buf, 4096);
	int across = run_op(blk, BLOCK_WRITE, 65536, buf, 8192);
	int below = run_op(blk, BLOCK_WRITE, 65536, buf, 4096);
	setrlimit(RLIMIT_FSIZE, &old);
	CHECK_EQ(beyond, -EFBIG);
	CHECK_EQ(across, -EFBIG);
	CHECK_EQ(below, 0);
	CHECK_EQ(run_op(blk, BLOCK_WRITE, 1 << 17, buf, 4096), 0); /* and it lives */
	block_destroy(blk);
}

static void check_discard_gives_space_back(void)
{
	static uint8_t buf[256 << 10];
	struct stat before, after;
	make_image(IMAGE_SIZE);
	struct block *blk = open_disk(false);
	fill(buf, sizeof(buf), 4);
	CHECK_EQ(run_op(blk, BLOCK_WRITE, 0, buf, sizeof(buf)), 0);
	CHECK_EQ(run_op(blk, BLOCK_FLUSH, 0, NULL, 0), 0);
	CHECK_EQ(stat(image, &before), 0);
	CHECK_EQ(run_op(blk, BLOCK_DISCARD, 65536, NULL, 65536), 0);
	CHECK_EQ(stat(image, &after), 0);
	CHECK_EQ(after.st_size, IMAGE_SIZE);
	/* Where the file system can: ask it. */
	int fd = image_fd();
	bool can = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, IMAGE_SIZE - 512,
			     512) == 0;
	close(fd);
	CHECK(!can || after.st_blocks < before.st_blocks);
	block_destroy(blk);
}

static void check_zeroes(bool may_unmap)
{
	static uint8_t buf[256 << 10], in[256 << 10];
	make_image(IMAGE_SIZE);
	struct block *blk = open_disk(false);
	fill(buf, sizeof(buf), 5);
	CHECK_EQ(run_op(blk, BLOCK_WRITE, 0, buf, sizeof(buf)), 0);
	struct tracked t = tracked(BLOCK_WRITE_ZEROES, 512, NULL, 100352);
	t.req.may_unmap = may_unmap;
	CHECK_EQ(run(blk, &t), 0);
	memset(buf + 512, 0, 100352);
	CHECK_EQ(run_op(blk, BLOCK_READ, 0, in, sizeof(in)), 0);
	CHECK(memcmp(buf, in, sizeof(in)) == 0);
	block_destroy(blk);
}

static void check_write_zeroes(void)
{
	check_zeroes(false);
	check_zeroes(true);
}

/* The last way to zero: the file system has said that it can do nothing for us. */
static void test_zeroes_are_written_where_unsupported(void)
{
	static uint8_t buf[600 << 10], in[600 << 10];
	make_image(IMAGE_SIZE);
	struct raw_file file = {.fd = image_fd()};
	fill(buf, sizeof(buf), 6);
	CHECK_EQ(pwrite(file.fd, buf, sizeof(buf), 0), sizeof(buf));
	struct block_req req = {
		.op = BLOCK_WRITE_ZEROES, .offset = 1024, .len = 512 * 1025, .may_unmap = true};
	CHECK_EQ(raw_sync(&file, &req), 0);
	memset(buf + 1024, 0, req.len);
	CHECK_EQ(pread(file.fd, in, sizeof(in), 0), sizeof(in));
	CHECK(memcmp(buf, in, sizeof(in)) == 0);
	req.op = BLOCK_DISCARD;
	CHECK_EQ(raw_sync(&file, &req), 0);
	close(file.fd);
}

static void check_more_requests_than_the_ring_holds(void)
{
	enum {
		COUNT = 700
	};
	static struct tracked t[COUNT];
	static uint8_t out[COUNT][512], in[COUNT][512];
	make_image(IMAGE_SIZE);
	struct block *blk = open_disk(false);
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < COUNT; i++) {
			fill(out[i], 512, i);
			t[i] = tracked(pass ? BLOCK_READ : BLOCK_WRITE, i * 1024,
				       pass ? in[i] : out[i], 512);
			t[i].req.iov = t[i].iov;
			blk->ops->submit(blk, &t[i].req);
		}
		blk->ops->commit(blk);
		blk->ops->drain(blk);
		for (unsigned i = 0; i < COUNT; i++) {
			CHECK_EQ(t[i].done_calls, 1);
			CHECK_EQ(t[i].result, 0);
		}
	}
	CHECK(memcmp(in, out, sizeof(in)) == 0);
	block_destroy(blk);
}

static void check_submit_from_done(void)
{
	uint8_t out[512], in[512];
	make_image(IMAGE_SIZE);
	struct block *blk = open_disk(false);
	fill(out, sizeof(out), 7);
	struct tracked write = tracked(BLOCK_WRITE, 0, out, 512);
	struct tracked flush = tracked(BLOCK_FLUSH, 0, NULL, 0);
	struct tracked zero = tracked(BLOCK_WRITE_ZEROES, 512, NULL, 512);
	struct tracked read = tracked(BLOCK_READ, 0, in, 512);
	write.follow = &flush;
	flush.follow = &zero;
	zero.follow = &read;
	write.blk = flush.blk = zero.blk = blk;
	read.req.iov = read.iov;
	CHECK_EQ(run(blk, &write), 0);
	CHECK_EQ(flush.result | zero.result | read.result, 0);
	CHECK_EQ(read.done_calls, 1);
	CHECK(memcmp(in, out, 512) == 0);
	block_destroy(blk);
}

/* Completions through an event loop on a thread of its own, submissions from this one. */

static void *loop_main(void *loop)
{
	evloop_run(loop);
	return NULL;
}

static void count_batch(void *ctx)
{
	(*(unsigned *)ctx)++;
}

static const struct device_ops fake_device_ops = {.type = "test"};

static void check_event_loop(void)
{
	enum {
		COUNT = 300
	};
	static struct tracked t[COUNT];
	static uint8_t buf[COUNT][512];
	struct device dev;
	struct evloop *loop;
	unsigned left = COUNT, batches = 0;
	pthread_t thread;

	make_image(IMAGE_SIZE);
	device_init(&dev, &fake_device_ops, "disk");
	CHECK_EQ(evloop_create(&loop), 0);
	struct block *blk = open_disk(false);
	blk->batch_done = count_batch;
	blk->batch_ctx = &batches;
	CHECK_EQ(blk->ops->attach(blk, loop, &dev), 0);
	CHECK_EQ(pthread_create(&thread, NULL, loop_main, loop), 0);
	for (unsigned i = 0; i < COUNT; i++) {
		fill(buf[i], 512, i);
		enum block_op op = i % 10 == 9 ? BLOCK_WRITE_ZEROES : BLOCK_WRITE;
		t[i] = tracked(op, i * 512, buf[i], 512);
		t[i].req.iov = t[i].iov;
		t[i].loop = loop;
		t[i].left = &left;
		device_lock(&dev);
		blk->ops->submit(blk, &t[i].req);
		if (i % 7 == 0 || i == COUNT - 1)
			blk->ops->commit(blk);
		device_unlock(&dev);
	}
	pthread_join(thread, NULL); /* the last done() stops the loop */
	CHECK_EQ(left, 0);
	CHECK(batches > 0 && batches <= COUNT);
	for (unsigned i = 0; i < COUNT; i++)
		CHECK_EQ(t[i].result, 0);
	CHECK_EQ(blk->ops->attach(blk, NULL, NULL), 0);
	block_destroy(blk);
	evloop_destroy(loop);
}

static void check_destroy_finishes_what_is_in_flight(void)
{
	static struct tracked t[64];
	static uint8_t buf[64][4096];
	make_image(IMAGE_SIZE);
	struct block *blk = open_disk(false);
	for (unsigned i = 0; i < 64; i++) {
		t[i] = tracked(i % 2 ? BLOCK_WRITE : BLOCK_FLUSH, i * 4096, i % 2 ? buf[i] : NULL,
			       i % 2 ? 4096 : 0);
		t[i].req.iov = t[i].iov;
		blk->ops->submit(blk, &t[i].req);
	}
	block_destroy(blk);
	for (unsigned i = 0; i < 64; i++) {
		CHECK_EQ(t[i].done_calls, 1);
		CHECK_EQ(t[i].result, 0);
	}
}

/* What the page cache holds is there when commit() returns, without a turn of the loop. */
/* The signals that thread @tid has blocked; 0 when it cannot be told. */
static uint64_t blocked_signals(int tid)
{
	char path[64], line[128];
	unsigned long long mask = 0;
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "SigBlk: %llx", &mask) == 1)
			break;
	if (f)
		fclose(f);
	return mask;
}

/* Has every thread but this one the signals blocked that are the main thread's, and no crash? */
static bool are_others_deaf(unsigned *ret_count)
{
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
	bool is_deaf = true;
	DIR *tasks = opendir("/proc/self/task");
	*ret_count = 0;
	for (const struct dirent *d; tasks && (d = readdir(tasks));) {
		if (d->d_name[0] == '.' || atoi(d->d_name) == getpid())
			continue;
		uint64_t mask = blocked_signals(atoi(d->d_name));
		++*ret_count;
		is_deaf &= (mask >> (SIGINT - 1) & 1) && (mask >> (SIGTERM - 1) & 1);
		for (unsigned i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
			is_deaf &= !(mask >> (crashes[i] - 1) & 1);
	}
	if (tasks)
		closedir(tasks);
	return is_deaf;
}

/* A crash has to reach who gives the terminal back. A thread has its own mask only once it runs. */
static void test_workers_are_deaf_to_all_signals_but_crashes(void)
{
	unsigned count;
	make_image(IMAGE_SIZE);
	is_uring_wanted = false;
	struct block *blk = open_disk(false);
	bool is_deaf = are_others_deaf(&count);
	for (unsigned i = 0; i < 5000 && !is_deaf; i++) {
		usleep(1000);
		is_deaf = are_others_deaf(&count);
	}
	block_destroy(blk);
	CHECK(is_deaf);
	CHECK(count >= 1);
}

static void test_cached_reads_complete_in_commit(void)
{
	uint8_t buf[4096];
	make_image(IMAGE_SIZE);
	is_uring_wanted = true;
	struct block *blk = open_disk(false);
	CHECK_EQ(run_op(blk, BLOCK_READ, 0, buf, 4096), 0);
	struct tracked t = tracked(BLOCK_READ, 0, buf, 4096);
	t.req.iov = t.iov;
	blk->ops->submit(blk, &t.req);
	blk->ops->commit(blk);
	unsigned done_calls = t.done_calls;
	blk->ops->drain(blk);
	block_destroy(blk);
	struct uring *ring = NULL;
	if (uring_create(&ring, 0, NULL, NULL) != 0)
		return; /* this host has no io_uring: threads do it, later */
	uring_destroy(ring);
	CHECK_EQ(done_calls, 1);
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
BOTH(round_trip)
BOTH(vectors_of_any_alignment)
BOTH(bad_ranges)
BOTH(readonly)
BOTH(truncated_under_us)
BOTH(failing_write)
BOTH(discard_gives_space_back)
BOTH(write_zeroes)
BOTH(more_requests_than_the_ring_holds)
BOTH(submit_from_done)
BOTH(event_loop)
BOTH(destroy_finishes_what_is_in_flight)

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	snprintf(image, sizeof(image), "%s/disk.img", dir);
	signal(SIGXFSZ, SIG_IGN); /* as main() does */
	static const struct test_case cases[] = {
		TEST_CASE(test_missing_image_is_refused),
		TEST_CASE(test_directory_is_refused),
		TEST_CASE(test_character_device_and_fifo_are_refused),
		TEST_CASE(test_empty_image_is_refused),
		TEST_CASE(test_odd_size_is_refused),
		TEST_CASE(test_size_and_block_size),
		TEST_CASE(test_two_writers_are_refused),
		TEST_CASE(test_missing_descriptors_are_called_so),
		TEST_CASE(test_readers_share),
		TEST_CASE(test_owner_of_a_process_lock_is_named),
		TEST_CASE(test_unwritable_image_says_ro),
		TEST_CASE(test_zeroes_are_written_where_unsupported),
		TEST_CASE(test_workers_are_deaf_to_all_signals_but_crashes),
		TEST_CASE(test_cached_reads_complete_in_commit),
#define CASES(name) TEST_CASE(test_ring_##name), TEST_CASE(test_workers_##name)
		CASES(round_trip),
		CASES(vectors_of_any_alignment),
		CASES(bad_ranges),
		CASES(readonly),
		CASES(truncated_under_us),
		CASES(failing_write),
		CASES(discard_gives_space_back),
		CASES(write_zeroes),
		CASES(more_requests_than_the_ring_holds),
		CASES(submit_from_done),
		CASES(event_loop),
		CASES(destroy_finishes_what_is_in_flight),
	};
	int status = TEST_RUN(cases);
	unlink(image);
	rmdir(dir);
	return status;
}
