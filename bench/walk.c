/*
 * walk: what a directory tree and a large file cost to read.
 *
 *	walk --make DIRECTORY MIB	makes DIRECTORY/tree (2000 files in 60 directories) and
 *					DIRECTORY/large of so many MiB
 *	walk DIRECTORY			walks the tree twice and reads the large file once
 *
 * A walk lists every directory, asks for the attributes of all that is in it, opens each file and
 * reads it to its end. Prints `walk first MS again MS entries N read MIB-PER-SECOND`.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DIRS	   20
#define SUBDIRS	   2
#define FILES	   50
#define FILE_BYTES 2000
#define MIB	   (1u << 20)

static char buf[MIB];

__attribute__((noreturn)) static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void put(const char *path, uint64_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		fail(path);
	while (bytes) {
		ssize_t n = write(fd, buf, bytes < sizeof(buf) ? bytes : sizeof(buf));
		if (n <= 0)
			fail(path);
		bytes -= (uint64_t)n;
	}
	close(fd);
}

static void make(const char *dir, uint64_t mib)
{
	char path[4096];
	memset(buf, 'x', sizeof(buf));
	snprintf(path, sizeof(path), "%s/tree", dir);
	mkdir(path, 0755);
	for (int i = 0; i < DIRS; i++) {
		snprintf(path, sizeof(path), "%s/tree/directory-%d", dir, i);
		mkdir(path, 0755);
		for (int j = 0; j < SUBDIRS; j++) {
			snprintf(path, sizeof(path), "%s/tree/directory-%d/part-%d", dir, i, j);
			mkdir(path, 0755);
			for (int k = 0; k < FILES; k++) {
				snprintf(path, sizeof(path),
					 "%s/tree/directory-%d/part-%d/file-%d.txt", dir, i, j, k);
				put(path, FILE_BYTES);
			}
		}
	}
	snprintf(path, sizeof(path), "%s/large", dir);
	put(path, mib * MIB);
}

/* Return: the bytes read. */
static uint64_t take(int dir, const char *name)
{
	uint64_t bytes = 0;
	ssize_t n;
	int fd = openat(dir, name, O_RDONLY);
	if (fd < 0)
		fail(name);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		bytes += (uint64_t)n;
	if (n < 0)
		fail(name);
	close(fd);
	return bytes;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the tree that was made for it */
static unsigned walk(int at, const char *name)
{
	unsigned entries = 0;
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;
	if (!dir)
		fail(name);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			fail(entry->d_name);
		entries++;
		if (S_ISDIR(st.st_mode))
			entries += walk(fd, entry->d_name);
		else if (take(fd, entry->d_name) != (uint64_t)st.st_size)
			fail(entry->d_name);
	}
	closedir(dir);
	return entries;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "--make") == 0) {
		make(argv[2], strtoull(argv[3], NULL, 10));
		return 0;
	}
	if (argc != 2 || chdir(argv[1]) != 0)
		fail("usage: walk [--make] DIRECTORY [MIB]");
	double begin = now_ms();
	unsigned entries = walk(AT_FDCWD, "tree");
	double first = now_ms();
	walk(AT_FDCWD, "tree");
	double again = now_ms();
	uint64_t bytes = take(AT_FDCWD, "large");
	double end = now_ms();
	printf("walk first %.1f again %.1f entries %u read %.1f\n", first - begin, again - first,
	       entries, (double)bytes / MIB / (end - again) * 1e3);
	return 0;
}
