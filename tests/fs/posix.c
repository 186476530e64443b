/*
 * usage: posix DIR
 *
 * What programs expect of a file system, checked from inside a guest in a directory of its share.
 */
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MIB (1 << 20)

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		test_failed(__FILE__, __LINE__, "cannot write %s: %s", path, strerror(errno));
	close(fd);
}

static bool has(const char *path, const char *text)
{
	char buf[256];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));
	close(fd);
	return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

static struct stat stat_of(const char *path)
{
	struct stat st = {0};
	if (lstat(path, &st) != 0)
		test_failed(__FILE__, __LINE__, "cannot stat %s: %s", path, strerror(errno));
	return st;
}

/* @call fails with @error. */
#define CHECK_FAILS(call, error)          \
	do {                              \
		errno = 0;                \
		CHECK((call) < 0);        \
		CHECK_EQ(errno, (error)); \
	} while (0)

static void test_files_and_modes(void)
{
	umask(022);
	put("f", "hello");
	CHECK(has("f", "hello"));
	CHECK_EQ(stat_of("f").st_mode, S_IFREG | 0644);
	CHECK_EQ(stat_of("f").st_uid, 0);
	CHECK_EQ(mkdir("d", 0777), 0);
	CHECK_EQ(stat_of("d").st_mode, S_IFDIR | 0755);
	umask(0);
	CHECK_EQ(mkdir("open", 01777), 0);
	CHECK_EQ(stat_of("open").st_mode, S_IFDIR | 01777);
	umask(022);
	CHECK_EQ(chmod("f", 0600), 0);
	CHECK_EQ(stat_of("f").st_mode, S_IFREG | 0600);
	CHECK_FAILS(open("f", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
	CHECK_FAILS(open("none", O_RDONLY), ENOENT);
	CHECK_FAILS(open("d", O_WRONLY), EISDIR);
	CHECK_FAILS(mkdir("d", 0755), EEXIST);
	CHECK_FAILS(rmdir("f"), ENOTDIR);
	CHECK_EQ(truncate("f", 3), 0);
	CHECK(has("f", "hel"));
	put("d/x", "");
	CHECK_FAILS(rmdir("d"), ENOTEMPTY);
	CHECK_EQ(unlink("d/x") | rmdir("d") | rmdir("open") | unlink("f"), 0);
	CHECK_FAILS(unlink("f"), ENOENT);
}

static void test_times(void)
{
	struct timespec t[2] = {{.tv_sec = 12345, .tv_nsec = 678901234}, {.tv_nsec = UTIME_OMIT}};
	struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
	put("f", "x");
	CHECK_EQ(utimensat(AT_FDCWD, "f", t, 0), 0);
	CHECK_EQ(stat_of("f").st_atim.tv_sec, 12345);
	CHECK_EQ(stat_of("f").st_atim.tv_nsec, 678901234);
	CHECK(stat_of("f").st_mtim.tv_sec > 1000000);
	CHECK_EQ(utimensat(AT_FDCWD, "f", now, 0), 0);
	CHECK(stat_of("f").st_atim.tv_sec > 1000000);
	CHECK_EQ(unlink("f"), 0);
}

static void test_rename(void)
{
	put("a", "A");
	put("b", "B");
	CHECK_EQ(rename("a", "b"), 0);
	CHECK(has("b", "A"));
	CHECK_FAILS(rename("a", "b"), ENOENT);
	put("a", "new");
	CHECK_FAILS(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
	CHECK_EQ(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE), 0);
	CHECK(has("a", "A") && has("b", "new"));
	CHECK_EQ(mkdir("d", 0755) | mkdir("e", 0755), 0);
	CHECK_EQ(rename("d", "e/d"), 0);
	CHECK_FAILS(rename("e", "e/d/e"), EINVAL);
	CHECK_FAILS(rename("a", "e"), EISDIR);
	CHECK_EQ(rename("e/d", "d"), 0);
	CHECK_EQ(rmdir("d") | rmdir("e") | unlink("a") | unlink("b"), 0);
}

static void test_links(void)
{
	char buf[64];
	put("f", "x");
	CHECK_EQ(link("f", "l"), 0);
	CHECK_EQ(stat_of("f").st_nlink, 2);
	CHECK_EQ(stat_of("f").st_ino, stat_of("l").st_ino);
	CHECK_EQ(unlink("f"), 0);
	CHECK_EQ(stat_of("l").st_nlink, 1);
	CHECK_EQ(symlink("l", "s"), 0);
	CHECK_EQ(readlink("s", buf, sizeof(buf)), 1);
	CHECK(has("s", "x"));
	CHECK_EQ(symlink("loop", "loop"), 0);
	CHECK_FAILS(open("loop", O_RDONLY), ELOOP);
	CHECK_FAILS(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_EQ(unlink("loop") | unlink("s") | unlink("l"), 0);
}

static void test_unlinked_open_file(void)
{
	struct stat st;
	char buf[8];
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	CHECK_EQ(unlink("f"), 0);
	CHECK_EQ(write(fd, "gone", 4), 4);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_size, 4);
	CHECK_EQ(fchmod(fd, 0400), 0);
	CHECK_EQ(ftruncate(fd, 2), 0);
	CHECK_EQ(pread(fd, buf, 8, 0), 2);
	put("f", "another");
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0400);
	CHECK(st.st_ino != stat_of("f").st_ino);
	close(fd);
	CHECK_EQ(unlink("f"), 0);
}

static void test_file_without_a_name(void)
{
	char path[64];
	int fd = open(".", O_TMPFILE | O_RDWR, 0644);
	if (fd < 0) { /* FUSE got it in Linux 6.2 */
		CHECK(errno == EOPNOTSUPP || errno == EISDIR);
		return;
	}
	CHECK_EQ(write(fd, "tmp", 3), 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_EQ(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
	CHECK(has("named", "tmp"));
	close(fd);
	CHECK_EQ(unlink("named"), 0);
}

static void test_append_and_positions(void)
{
	int a = open("log", O_WRONLY | O_CREAT | O_APPEND, 0644), b = open("log", O_RDWR);
	CHECK(a >= 0 && b >= 0);
	CHECK_EQ(write(a, "one ", 4), 4);
	CHECK_EQ(write(b, "ONE", 3), 3);
	CHECK_EQ(write(a, "two", 3), 3);
	CHECK(has("log", "ONE two"));
	CHECK_EQ(lseek(b, 0, SEEK_END), 7);
	close(a);
	close(b);
	CHECK_EQ(unlink("log"), 0);
}

static void test_holes_and_allocation(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	CHECK_EQ(pwrite(fd, "x", 1, 8 * MIB), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_DATA), 8 * MIB);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
	CHECK_FAILS(lseek(fd, 9 * MIB, SEEK_DATA), ENXIO);
	CHECK_EQ(fallocate(fd, 0, 0, MIB), 0);
	CHECK(stat_of("f").st_blocks >= MIB / 512);
	CHECK_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, MIB), 0);
	CHECK(stat_of("f").st_blocks < MIB / 512);
	CHECK_EQ(stat_of("f").st_size, 8 * MIB + 1);
	close(fd);
	CHECK_EQ(unlink("f"), 0);
}

static void test_copy_file_range(void)
{
	static char buf[MIB], copy[MIB];
	for (unsigned i = 0; i < MIB; i++)
		buf[i] = (char)(i * 7 + (i >> 9));
	int a = open("a", O_RDWR | O_CREAT, 0644), b = open("b", O_RDWR | O_CREAT, 0644);
	CHECK_EQ(write(a, buf, MIB), MIB);
	off_t from = 100, to = 0;
	size_t left = MIB - 100;
	while (left) {
		ssize_t n = copy_file_range(a, &from, b, &to, left, 0);
		CHECK(n > 0);
		left -= (size_t)n;
	}
	CHECK_EQ(pread(b, copy, MIB, 0), MIB - 100);
	CHECK(memcmp(copy, buf + 100, MIB - 100) == 0);
	close(a);
	close(b);
	CHECK_EQ(unlink("a") | unlink("b"), 0);
}

static void test_shared_mapping(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	CHECK_EQ(ftruncate(fd, 3 * 4096), 0);
	char *map = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	memcpy(map + 4090, "across pages", 12);
	CHECK_EQ(msync(map, 3 * 4096, MS_SYNC), 0);
	char buf[12];
	int other = open("f", O_RDONLY | O_DIRECT);
	CHECK(other >= 0);
	CHECK_EQ(pread(other, buf, 12, 4090), 12);
	CHECK(memcmp(buf, "across pages", 12) == 0);
	munmap(map, 3 * 4096);
	close(fd);
	close(other);
	CHECK_EQ(unlink("f"), 0);
}

static void test_extended_attributes(void)
{
	char buf[64];
	put("f", "");
	CHECK_EQ(setxattr("f", "user.a", "value", 5, 0), 0);
	CHECK_EQ(getxattr("f", "user.a", buf, sizeof(buf)), 5);
	CHECK_FAILS(setxattr("f", "user.a", "v", 1, XATTR_CREATE), EEXIST);
	CHECK_FAILS(getxattr("f", "user.b", buf, sizeof(buf)), ENODATA);
	CHECK_FAILS(getxattr("f", "user.a", buf, 2), ERANGE);
	CHECK_EQ(listxattr("f", buf, sizeof(buf)), 7);
	CHECK_EQ(removexattr("f", "user.a"), 0);
	CHECK_EQ(listxattr("f", buf, sizeof(buf)), 0);
	CHECK_EQ(unlink("f"), 0);
}

/* Runs @fn in a child. Return: its result, 0 to 255. */
static int in_child(int (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(fn());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

static int try_posix_lock(void)
{
	int fd = open("lock", O_RDWR);
	return fcntl(fd, F_SETLK, &whole_file) == 0 ? 0 : errno;
}

static int try_flock(void)
{
	int fd = open("lock", O_RDWR);
	return flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
}

static int wait_for_lock(void)
{
	int fd = open("lock", O_RDWR);
	put("waiting", "");
	return fcntl(fd, F_SETLKW, &whole_file) == 0 ? 0 : errno;
}

static void test_locks(void)
{
	struct flock unlock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	put("lock", "");
	int fd = open("lock", O_RDWR), status;
	CHECK_EQ(fcntl(fd, F_SETLK, &whole_file), 0);
	CHECK_EQ(in_child(try_posix_lock), EAGAIN);
	pid_t pid = fork();
	if (pid == 0)
		_exit(wait_for_lock());
	while (access("waiting", F_OK) != 0)
		usleep(10000);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(fcntl(fd, F_SETLK, &unlock), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(in_child(try_posix_lock), 0);
	CHECK_EQ(flock(fd, LOCK_SH), 0);
	CHECK_EQ(in_child(try_flock), EAGAIN);
	close(fd); /* and with it the lock */
	CHECK_EQ(in_child(try_flock), 0);
	CHECK_EQ(unlink("lock") | unlink("waiting"), 0);
}

static void test_directory_listing(void)
{
	char name[32];
	unsigned count = 0, files = 1000;
	const struct dirent *d;
	CHECK_EQ(mkdir("d", 0755), 0);
	for (unsigned i = 0; i < files; i++) {
		snprintf(name, sizeof(name), "d/file-%u", i);
		close(open(name, O_WRONLY | O_CREAT, 0644));
	}
	/* All go while they are listed, as with rm -r. */
	DIR *dir = opendir("d");
	CHECK(dir != NULL);
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		CHECK_EQ(d->d_type, DT_REG);
		CHECK_EQ(unlinkat(dirfd(dir), d->d_name, 0), 0);
		count++;
	}
	closedir(dir);
	CHECK_EQ(count, files);
	CHECK_EQ(rmdir("d"), 0);
}

static void test_sockets_and_pipes(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "sock"};
	int s = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(bind(s, (struct sockaddr *)&addr, sizeof(addr)), 0);
	CHECK_EQ(listen(s, 1), 0);
	CHECK_EQ(connect(client, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(s);
	close(client);
	CHECK_EQ(mkfifo("fifo", 0600), 0);
	int fd = open("fifo", O_RDWR);
	char c;
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(read(fd, &c, 1), 1);
	close(fd);
	CHECK_EQ(unlink("fifo") | unlink("sock"), 0);
}

static void test_file_system(void)
{
	struct statvfs st;
	CHECK_EQ(statvfs(".", &st), 0);
	CHECK(st.f_blocks > 0 && st.f_namemax == 255);
	int fd = open(".", O_RDONLY);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(syncfs(fd), 0);
	close(fd);
}

static void test_large_write_and_read(void)
{
	enum {
		SIZE = 16 * MIB
	};
	unsigned *buf = malloc(SIZE);
	int fd = open("big", O_RDWR | O_CREAT, 0644);
	CHECK(buf && fd >= 0);
	for (unsigned i = 0; i < SIZE / sizeof(*buf); i++)
		buf[i] = i * 2654435761u;
	CHECK_EQ(write(fd, buf, SIZE), SIZE);
	CHECK_EQ(fsync(fd), 0);
	close(fd);
	memset(buf, 0, SIZE);
	fd = open("big", O_RDONLY | O_DIRECT);
	CHECK(fd >= 0);
	for (size_t at = 0; at < SIZE;) {
		ssize_t n = read(fd, (char *)buf + at, SIZE - at);
		CHECK(n > 0);
		at += (size_t)n;
	}
	for (unsigned i = 0; i < SIZE / sizeof(*buf); i++)
		CHECK_EQ(buf[i], i * 2654435761u);
	close(fd);
	free(buf);
	CHECK_EQ(unlink("big"), 0);
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_files_and_modes),
		TEST_CASE(test_times),
		TEST_CASE(test_rename),
		TEST_CASE(test_links),
		TEST_CASE(test_unlinked_open_file),
		TEST_CASE(test_file_without_a_name),
		TEST_CASE(test_append_and_positions),
		TEST_CASE(test_holes_and_allocation),
		TEST_CASE(test_copy_file_range),
		TEST_CASE(test_shared_mapping),
		TEST_CASE(test_extended_attributes),
		TEST_CASE(test_locks),
		TEST_CASE(test_directory_listing),
		TEST_CASE(test_sockets_and_pipes),
		TEST_CASE(test_file_system),
		TEST_CASE(test_large_write_and_read),
	};
	if (argc != 2 || chdir(argv[1]) != 0) {
		fprintf(stderr, "usage: posix DIR\n");
		return 2;
	}
	return TEST_RUN(cases);
}
