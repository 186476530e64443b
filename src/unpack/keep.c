/*
 * The directory of kept results: one file an entry. It appears under its name complete, synced and
 * renamed. The directory is private to the user: whoever can forge an entry can change the user's
 * kernels as well.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <tinyvm/keep.h>
#include <unistd.h>

#define TMP_PREFIX "new-"
#define TMP_AGE_S  3600 /* older ones were left by a run that was killed */
#define SETTLED_S  3	/* a tick of any file system's clock, FAT's two seconds included */

/* The directory and at most its parent: ~/.cache may be missing, a home may not. */
static int keep_mkdir(const char *dir)
{
	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return -errno;
	char *parent = strdup(dir);
	if (!parent)
		return -ENOMEM;
	char *slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = '\0';
		(void)!mkdir(parent, 0700);
	}
	free(parent);
	return mkdir(dir, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

bool keep_is_private(const struct stat *st)
{
	return st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

bool keep_is_settled(const struct stat *st)
{
	time_t now = time(NULL);
	return now - st->st_mtim.tv_sec >= SETTLED_S && now - st->st_ctim.tv_sec >= SETTLED_S;
}

int keep_open(const char *dir)
{
	int rc = keep_mkdir(dir);
	if (rc)
		return rc;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	struct stat st;
	if (fstat(fd, &st) < 0 || !keep_is_private(&st)) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

int keep_begin(int dirfd, char ret_tmp[KEEP_NAME_MAX])
{
	uint64_t nonce;
	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		return -EIO;
	snprintf(ret_tmp, KEEP_NAME_MAX, TMP_PREFIX "%016" PRIx64, nonce);
	int fd = openat(dirfd, ret_tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

int keep_end(int dirfd, int fd, const char *tmp, const char *name, int rc)
{
	if (!rc && (fsync(fd) < 0 || renameat(dirfd, tmp, dirfd, name) < 0))
		rc = -errno;
	if (rc)
		unlinkat(dirfd, tmp, 0);
	return rc;
}

struct keep_age {
	char name[KEEP_NAME_MAX];
	struct timespec used;
};

static int keep_compare_age(const void *a, const void *b)
{
	const struct timespec *x = &((const struct keep_age *)a)->used;
	const struct timespec *y = &((const struct keep_age *)b)->used;
	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? 1 : -1;
	return (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
}

static bool keep_has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

DIR *keep_list(int dirfd)
{
	/* Another description: the position in it is not shared with whoever has @dirfd. */
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

/* Newest first; what lies beyond the limit goes. */
void keep_evict(int dirfd, const char *prefix, unsigned max)
{
	struct keep_age age[KEEP_MAX + 1];
	unsigned count = 0;
	assert(max <= KEEP_MAX);
	DIR *dir = keep_list(dirfd);
	if (!dir)
		return;
	for (struct dirent *d; (d = readdir(dir));) {
		struct stat st;
		bool is_tmp = keep_has_prefix(d->d_name, TMP_PREFIX);
		if ((!is_tmp && !keep_has_prefix(d->d_name, prefix)) ||
		    strlen(d->d_name) >= KEEP_NAME_MAX ||
		    fstatat(dirfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (is_tmp) {
			if (time(NULL) - st.st_mtim.tv_sec > TMP_AGE_S)
				unlinkat(dirfd, d->d_name, 0);
			continue;
		}
		age[count].used = st.st_mtim;
		memcpy(age[count].name, d->d_name, strlen(d->d_name) + 1);
		if (++count <= max)
			continue;
		qsort(age, count, sizeof(age[0]), keep_compare_age);
		unlinkat(dirfd, age[--count].name, 0);
	}
	closedir(dir);
}
