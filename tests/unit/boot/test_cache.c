/* The cache of unpacked kernels: hits, races, torn and foreign entries, limits. */
#include "cache.h"
#include "image.h"
#include "kernel_file.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <tinyvm/err.h>
#include <tinyvm/keep.h>
#include <unistd.h>

static char top[] = "/tmp/tinyvm-cache-XXXXXX";
static char dir[128];	 /* the cache, made by the code under test, parent included */
static char kernel[128]; /* a gzip bzImage */

static void cache_clear(void)
{
	char line[256];
	snprintf(line, sizeof(line), "rm -rf '%s/home'", top);
	if (system(line) != 0)
		abort();
}

/* The only entry's path; the number of files in the cache. */
static unsigned cache_entries(char *ret_path, size_t max)
{
	unsigned count = 0;
	DIR *d = opendir(dir);
	if (!d)
		return 0;
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(ret_path, max, "%s/%s", dir, e->d_name);
		count++;
	}
	closedir(d);
	return count;
}

/* Opens the kernel, loads it, compares it. @is_hit: whether it must come from the cache. */
static bool boots(bool is_hit)
{
	struct boot_image *image;
	struct err err;
	struct boot_entry entry;
	struct gmem *gm;
	if (boot_image_open(&image, kernel, true, dir, &err) != 0)
		return false;
	bool is_ok = (strstr(boot_image_how(image), "(cache)") != NULL) == is_hit &&
		     strstr(boot_image_how(image), "entered as ELF");
	const struct boot_linux boot = {.image = image, .cmdline = ""};
	if (gmem_create(&gm, 64 << 20) != 0)
		return false;
	is_ok = is_ok && boot_linux_load(gm, &boot, &entry, &err) == 0;
	const uint8_t *ram = gmem_region(gm, 0)->hva;
	for (uint64_t a = KERNEL_TEXT_GPA; is_ok && a < KERNEL_TEXT_GPA + KERNEL_TEXT_SIZE; a++)
		is_ok = ram[a] == kernel_pattern(a);
	for (uint64_t i = 0; is_ok && i < KERNEL_DATA_MEM; i++) {
		bool is_data = i < 0x10000 || (i >= 0x30000 && i < 0x31000);
		is_ok = ram[KERNEL_DATA_GPA + i] ==
			(is_data ? kernel_pattern(KERNEL_DATA_GPA + i) : 0);
	}
	gmem_destroy(gm);
	boot_image_close(image);
	return is_ok;
}

static void test_second_open_comes_from_the_cache(void)
{
	char entry[512];
	struct stat st;
	cache_clear();
	CHECK(boots(false));
	CHECK(boots(true));
	CHECK(boots(true));
	CHECK_EQ(cache_entries(entry, sizeof(entry)), 1);
	CHECK_EQ(stat(dir, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0700);
	CHECK_EQ(stat(entry, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0600);
	CHECK(st.st_size < KERNEL_DATA_SIZE); /* the zeroes inside are not kept */
}

static void test_torn_entry_is_replaced(void)
{
	char entry[512];
	struct stat st;
	cache_clear();
	CHECK(boots(false));
	CHECK_EQ(cache_entries(entry, sizeof(entry)), 1);
	CHECK_EQ(stat(entry, &st), 0);
	const off_t cuts[] = {0, 8, 4095, 4096, st.st_size / 2, st.st_size - 1};
	for (unsigned i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		CHECK_EQ(truncate(entry, cuts[i]), 0);
		CHECK(boots(false));
		CHECK(boots(true));
		/* The right length, but the end was never written. */
		CHECK_EQ(truncate(entry, cuts[i]), 0);
		CHECK_EQ(truncate(entry, st.st_size), 0);
		CHECK(boots(false));
		CHECK(boots(true));
	}
}

static void test_any_damaged_header_byte_is_noticed(void)
{
	char entry[512];
	cache_clear();
	CHECK(boots(false));
	CHECK_EQ(cache_entries(entry, sizeof(entry)), 1);
	for (unsigned off = 0; off < 400; off += 7) {
		uint8_t byte;
		int fd = open(entry, O_RDWR);
		CHECK(fd >= 0);
		CHECK_EQ(pread(fd, &byte, 1, off), 1);
		byte ^= 0x10;
		CHECK_EQ(pwrite(fd, &byte, 1, off), 1);
		close(fd);
		CHECK(boots(false));
	}
}

static void test_entry_of_another_kernel_is_not_believed(void)
{
	char entry[512], other[512];
	cache_clear();
	CHECK(boots(false));
	CHECK_EQ(cache_entries(entry, sizeof(entry)), 1);
	struct cache_key key = {{{1, 2}}, 3};
	snprintf(other, sizeof(other), "%s/kernel-00000000000000010000000000000002-3", dir);
	CHECK_EQ(rename(entry, other), 0);
	struct vmlinux v;
	int fd, cache = keep_open(dir);
	CHECK(cache >= 0);
	CHECK_EQ(cache_load(cache, &key, &fd, &v), -ENOENT);
	close(cache);
	CHECK_EQ(access(other, F_OK), -1);
}

static void test_cache_that_others_may_write_is_not_used(void)
{
	char entry[512];
	cache_clear();
	CHECK(boots(false));
	CHECK_EQ(chmod(dir, 0777), 0);
	CHECK(boots(false));
	CHECK_EQ(chmod(dir, 0700), 0);
	CHECK_EQ(cache_entries(entry, sizeof(entry)), 1);
	CHECK_EQ(chmod(entry, 0666), 0);
	CHECK(boots(false));
	CHECK(boots(true));
	/* A link may lead anywhere. */
	char aside[600];
	snprintf(aside, sizeof(aside), "%s/aside", top);
	CHECK_EQ(rename(entry, aside), 0);
	CHECK_EQ(symlink(aside, entry), 0);
	CHECK(boots(false));
	CHECK_EQ(unlink(aside), 0);
}

/* A file that nobody writes: its ctime is old, and no test can make it so. */
static int old_file(uint64_t *ret_size)
{
	struct stat st;
	int fd = open("/bin/sh", O_RDONLY);
	if (fd < 0 || fstat(fd, &st) != 0)
		abort();
	*ret_size = (uint64_t)st.st_size;
	return fd;
}

static void test_unchanged_file_is_recognized_without_reading_it(void)
{
	cache_clear();
	uint64_t size;
	int cache = keep_open(dir), fd = old_file(&size);
	const struct cache_key key = {{{1, 2}}, size};
	struct cache_key found = {{{0, 0}}, 0};
	CHECK_EQ(cache_recall(cache, fd, 0, size, &found), -ENOENT);
	cache_remember(cache, fd, 0, size, &key);
	CHECK_EQ(cache_recall(cache, fd, 0, size, &found), 0);
	CHECK_EQ(memcmp(&key, &found, sizeof(key)), 0);
	CHECK_EQ(cache_recall(cache, fd, 0, size - 1, &found), -ENOENT);
	CHECK_EQ(cache_recall(cache, fd, 1, size, &found), -ENOENT);
	close(fd);
	close(cache);
}

static void test_file_that_just_changed_is_read_again(void)
{
	char path[300];
	cache_clear();
	snprintf(path, sizeof(path), "%s/young", top);
	int cache = keep_open(dir), fd = open(path, O_RDWR | O_CREAT, 0600);
	struct cache_key key = {{{1, 2}}, 1};
	CHECK_EQ(write(fd, "x", 1), 1);
	/* Its mtime is the owner's to set; the ctime tells. */
	const struct timespec past[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	CHECK_EQ(futimens(fd, past), 0);
	cache_remember(cache, fd, 0, 1, &key);
	CHECK_EQ(cache_recall(cache, fd, 0, 1, &key), -ENOENT);
	close(fd);
	close(cache);
}

static void test_damaged_note_is_not_believed(void)
{
	char note[512], text[] = "kernel-00000000000000010000000000000002-junk";
	uint64_t size;
	cache_clear();
	int cache = keep_open(dir), fd = old_file(&size);
	struct cache_key key = {{{1, 2}}, size};
	cache_remember(cache, fd, 0, size, &key);
	CHECK_EQ(cache_entries(note, sizeof(note)), 1);
	CHECK_EQ(unlink(note), 0);
	CHECK_EQ(symlink(text, note), 0);
	CHECK_EQ(cache_recall(cache, fd, 0, size, &key), -ENOENT);
	close(fd);
	close(cache);
}

static void test_note_goes_with_its_entry(void)
{
	char entry[512];
	uint64_t size;
	cache_clear();
	int cache = keep_open(dir), fd = old_file(&size);
	const struct cache_key key = {{{1, 2}}, size};
	cache_remember(cache, fd, 0, size, &key);
	CHECK(boots(false)); /* stores an entry, and tidies up */
	CHECK_EQ(cache_entries(entry, sizeof(entry)), 1);
	close(fd);
	close(cache);
}

static void test_no_cache_is_no_error(void)
{
	char saved[sizeof(dir)];
	cache_clear();
	snprintf(saved, sizeof(saved), "%s", dir);
	snprintf(dir, sizeof(dir), "/proc/tinyvm/cache");
	CHECK(boots(false));
	snprintf(dir, sizeof(dir), "%s/bzImage/cache", top); /* below a file */
	CHECK(boots(false));
	memcpy(dir, saved, sizeof(dir));
}

static void test_concurrent_runs_agree(void)
{
	char entry[512];
	for (unsigned round = 0; round < 5; round++) {
		pid_t pid[4];
		cache_clear();
		for (unsigned i = 0; i < 4; i++) {
			pid[i] = fork();
			CHECK(pid[i] >= 0);
			if (pid[i] == 0)
				_exit(!(boots(false) || boots(true)));
		}
		for (unsigned i = 0; i < 4; i++) {
			int status;
			CHECK_EQ(waitpid(pid[i], &status, 0), pid[i]);
			CHECK_EQ(status, 0);
		}
		CHECK_EQ(cache_entries(entry, sizeof(entry)), 1);
		CHECK(boots(true));
	}
}

/* Stores a small entry under @n; its extent is a page of the number. */
static bool store_number(int cache, uint8_t n)
{
	uint8_t page[4096];
	struct vmlinux v = {.entry = 0x100000,
			    .start = 0x100000,
			    .end = 0x101000,
			    .count = 1,
			    .extent = {{0x100000, 0, sizeof(page)}}};
	const struct cache_key key = {{{n, n}}, n};
	int raw = memfd_create("raw", MFD_CLOEXEC), kept;
	memset(page, n, sizeof(page));
	bool is_ok = raw >= 0 && pwrite(raw, page, sizeof(page), 0) == sizeof(page) &&
		     cache_store(cache, &key, raw, &v, &kept) == 0;
	if (is_ok)
		close(kept);
	close(raw);
	return is_ok;
}

static bool has_number(int cache, uint8_t n)
{
	const struct cache_key key = {{{n, n}}, n};
	struct vmlinux v;
	int fd;
	uint8_t byte = 0;
	if (cache_load(cache, &key, &fd, &v) != 0)
		return false;
	bool is_ok = pread(fd, &byte, 1, (off_t)v.extent[0].offset) == 1 && byte == n;
	close(fd);
	return is_ok;
}

/* Ages entry @n by that many seconds. */
static void age_number(int cache, uint8_t n, time_t seconds)
{
	char name[80];
	const struct timespec t = {.tv_sec = time(NULL) - seconds};
	snprintf(name, sizeof(name), "kernel-%016x%016x-%x", n, n, n);
	const struct timespec times[2] = {t, t};
	if (utimensat(cache, name, times, 0) != 0)
		abort();
}

static void test_longest_unused_entries_go_first(void)
{
	cache_clear();
	int cache = keep_open(dir);
	CHECK(cache >= 0);
	for (uint8_t n = 1; n <= CACHE_ENTRIES_MAX; n++) {
		CHECK(store_number(cache, n));
		age_number(cache, n, 100 - n);
	}
	CHECK(has_number(cache, 1)); /* used: now the youngest */
	CHECK(store_number(cache, 100));
	CHECK(store_number(cache, 101));
	CHECK(has_number(cache, 1));
	CHECK(!has_number(cache, 2));
	CHECK(!has_number(cache, 3));
	CHECK(has_number(cache, 4));
	CHECK(has_number(cache, 100));
	CHECK(has_number(cache, 101));
	close(cache);
}

static void test_leftovers_of_killed_runs_are_removed(void)
{
	char old[160], fresh[160], entry[512];
	cache_clear();
	int cache = keep_open(dir);
	CHECK(cache >= 0);
	snprintf(old, sizeof(old), "%s/new-0123456789abcdef", dir);
	snprintf(fresh, sizeof(fresh), "%s/new-fedcba9876543210", dir);
	kernel_write_file(old, "x", 1);
	kernel_write_file(fresh, "x", 1);
	const struct timespec times[2] = {{.tv_sec = time(NULL) - 7200},
					  {.tv_sec = time(NULL) - 7200}};
	CHECK_EQ(utimensat(AT_FDCWD, old, times, 0), 0);
	CHECK(store_number(cache, 1));
	close(cache);
	CHECK_EQ(access(old, F_OK), -1);
	CHECK_EQ(access(fresh, F_OK), 0);
	CHECK_EQ(cache_entries(entry, sizeof(entry)), 2);
}

static void test_full_disk_leaves_nothing_behind(void)
{
	char entry[512];
	struct rlimit old;
	cache_clear();
	int cache = keep_open(dir);
	CHECK(cache >= 0);
	CHECK_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
	const struct rlimit small = {6000, old.rlim_max}; /* header page yes, extent no */
	signal(SIGXFSZ, SIG_IGN);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
	bool is_stored = store_number(cache, 1);
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_DFL);
	CHECK(!is_stored);
	CHECK_EQ(cache_entries(entry, sizeof(entry)), 0);
	CHECK(store_number(cache, 1));
	close(cache);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_second_open_comes_from_the_cache),
		TEST_CASE(test_torn_entry_is_replaced),
		TEST_CASE(test_any_damaged_header_byte_is_noticed),
		TEST_CASE(test_entry_of_another_kernel_is_not_believed),
		TEST_CASE(test_cache_that_others_may_write_is_not_used),
		TEST_CASE(test_unchanged_file_is_recognized_without_reading_it),
		TEST_CASE(test_file_that_just_changed_is_read_again),
		TEST_CASE(test_damaged_note_is_not_believed),
		TEST_CASE(test_note_goes_with_its_entry),
		TEST_CASE(test_no_cache_is_no_error),
		TEST_CASE(test_concurrent_runs_agree),
		TEST_CASE(test_longest_unused_entries_go_first),
		TEST_CASE(test_full_disk_leaves_nothing_behind),
		TEST_CASE(test_leftovers_of_killed_runs_are_removed),
	};
	if (!mkdtemp(top))
		return 1;
	snprintf(dir, sizeof(dir), "%s/home/tinyvm", top);
	snprintf(kernel, sizeof(kernel), "%s/bzImage", top);
	size_t elf_len, gz_len, len;
	uint8_t *elf = kernel_make_elf(&elf_len), *gz = kernel_gzip(elf, elf_len, &gz_len);
	uint8_t *bz = kernel_make_bzimage(gz, gz_len, &len);
	kernel_write_file(kernel, bz, len);
	free(bz);
	free(gz);
	free(elf);
	int status = TEST_RUN(cases);
	cache_clear();
	unlink(kernel);
	rmdir(top);
	return status;
}
