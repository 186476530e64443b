/*
 * What the cache knows about files it has hashed before: a symbolic link for each, from what
 * fstat() said of it to the key of its payload, so that an unchanged kernel is not read again only
 * to be recognized.
 *
 * Every write to a file moves its ctime, which nobody can set back; but two writes within one tick
 * of the file system's clock leave the same one. So only a file that has been left alone for a
 * while is remembered (git's index has the same problem and the same answer).
 */
#include "cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SEEN_NAME_MAX 48
#define SEEN_AGE_S    3 /* a tick of any file system's clock, FAT's two seconds included */

/* All of it is hashed: no padding. */
struct seen {
	uint64_t dev, ino, size;
	int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
	uint64_t off, len;
};
_Static_assert(sizeof(struct seen) == 72, "no padding");

static int seen_name(int fd, uint64_t off, uint64_t len, char name[SEEN_NAME_MAX], int64_t *ret_s)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	const struct seen seen = {
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime_s = st.st_mtim.tv_sec,
		.mtime_ns = st.st_mtim.tv_nsec,
		.ctime_s = st.st_ctim.tv_sec,
		.ctime_ns = st.st_ctim.tv_nsec,
		.off = off,
		.len = len,
	};
	struct file_hash hash = file_hash_bytes(&seen, sizeof(seen));
	snprintf(name, SEEN_NAME_MAX, CACHE_SEEN_PREFIX "%016" PRIx64 "%016" PRIx64, hash.h[0],
		 hash.h[1]);
	*ret_s = st.st_ctim.tv_sec > st.st_mtim.tv_sec ? st.st_ctim.tv_sec : st.st_mtim.tv_sec;
	return 0;
}

int cache_recall(int dirfd, int fd, uint64_t off, uint64_t len, struct cache_key *ret_key)
{
	char name[SEEN_NAME_MAX], text[CACHE_NAME_MAX];
	int64_t changed_s;
	struct cache_key key;
	if (seen_name(fd, off, len, name, &changed_s) != 0)
		return -ENOENT;
	ssize_t n = readlinkat(dirfd, name, text, sizeof(text) - 1);
	if (n < 0)
		return -ENOENT;
	text[n] = '\0';
	if (sscanf(text, CACHE_PREFIX "%16" SCNx64 "%16" SCNx64 "-%" SCNx64, &key.hash.h[0],
		   &key.hash.h[1], &key.size) != 3 ||
	    key.size != len)
		return -ENOENT;
	*ret_key = key;
	return 0;
}

void cache_remember(int dirfd, int fd, uint64_t off, uint64_t len, const struct cache_key *key)
{
	char name[SEEN_NAME_MAX], text[CACHE_NAME_MAX];
	int64_t changed_s = 0;
	if (seen_name(fd, off, len, name, &changed_s) != 0 || time(NULL) - changed_s < SEEN_AGE_S)
		return;
	cache_name(key, text);
	(void)!symlinkat(text, dirfd, name); /* without it the file is read again, no more */
}
