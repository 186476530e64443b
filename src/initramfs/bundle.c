/*
 * Modules that were unpacked before: one file for all that a guest needs, named by what stat() says
 * of each of them. A header, the sizes, the modules, and a trailer that a torn write lacks.
 *
 * Every write to a file moves its ctime, which nobody can set back; but two writes within a tick of
 * the file system's clock leave the same one, so only files that have been left alone for a while
 * are known again.
 */
#include "bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <tinyvm/keep.h>
#include <unistd.h>

#define PREFIX	     "modules-"
#define ENTRIES_MAX  8
#define FILES_MAX    256
#define MAGIC	     "tinyvmM1"
#define MODULE_LIMIT (1ull << 30)

struct header {
	char magic[8];
	uint64_t key[2];
	uint64_t count;
};

/* FNV-1a, two of them: they keep sets of modules apart by accident, not by malice. */
static void bundle_hash(uint64_t key[2], const char *text)
{
	do {
		key[0] = (key[0] ^ (uint8_t)*text) * 0x100000001b3u;
		key[1] = (key[1] ^ (uint8_t)*text ^ 0x5a) * 0x880355f21e6d1965u;
	} while (*text++);
}

/* Return: false when a file cannot be looked at. */
static bool bundle_identify(struct bundle *b)
{
	b->key[0] = b->key[1] = 0xcbf29ce484222325u;
	b->is_settled = true;
	for (size_t i = 0; i < b->count; i++) {
		const char *path = b->files[i].path;
		struct stat st;
		char seen[128];
		if (stat(path, &st) < 0)
			return false;
		snprintf(seen, sizeof(seen), "%jx %jx %jx %jx.%lx %jx.%lx", (uintmax_t)st.st_dev,
			 (uintmax_t)st.st_ino, (uintmax_t)st.st_size, (uintmax_t)st.st_mtim.tv_sec,
			 st.st_mtim.tv_nsec, (uintmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
		b->is_settled = b->is_settled && keep_is_settled(&st);
		bundle_hash(b->key, path);
		bundle_hash(b->key, seen);
	}
	return b->count <= FILES_MAX;
}

static void bundle_name(const struct bundle *b, char name[KEEP_NAME_MAX])
{
	snprintf(name, KEEP_NAME_MAX, PREFIX "%016" PRIx64 "%016" PRIx64, b->key[0], b->key[1]);
}

static bool bundle_read(int fd, void *buf, uint64_t len)
{
	uint8_t *at = buf;
	while (len) {
		ssize_t n = read(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (uint64_t)n;
	}
	return true;
}

/* The files' data, from behind the sizes; what it made is in @b->files whatever it returns. */
static bool bundle_read_files(struct bundle *b, int fd, const uint64_t *sizes)
{
	for (size_t i = 0; i < b->count; i++) {
		struct bundle_file *f = &b->files[i];
		f->data = malloc(sizes[i] ? sizes[i] : 1);
		f->size = sizes[i];
		if (!f->data || !bundle_read(fd, f->data, f->size))
			return false;
	}
	return true;
}

static bool bundle_read_fd(struct bundle *b, int fd)
{
	struct stat st;
	struct header h;
	uint64_t sizes[FILES_MAX], total = 0;
	char magic[sizeof(h.magic)];
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !keep_is_private(&st) ||
	    !bundle_read(fd, &h, sizeof(h)) || memcmp(h.magic, MAGIC, sizeof(h.magic)) != 0 ||
	    memcmp(h.key, b->key, sizeof(h.key)) != 0 || h.count != b->count ||
	    !bundle_read(fd, sizes, b->count * sizeof(sizes[0])))
		return false;
	for (size_t i = 0; i < b->count; i++) {
		if (sizes[i] > MODULE_LIMIT)
			return false;
		total += sizes[i];
	}
	uint64_t all = sizeof(h) + b->count * sizeof(sizes[0]) + total + sizeof(magic);
	return (uint64_t)st.st_size == all && bundle_read_files(b, fd, sizes) &&
	       bundle_read(fd, magic, sizeof(magic)) && memcmp(magic, MAGIC, sizeof(magic)) == 0;
}

bool bundle_load(struct bundle *b, const char *cache_dir)
{
	char name[KEEP_NAME_MAX];
	if (!bundle_identify(b))
		return false;
	bundle_name(b, name);
	int dir = keep_open(cache_dir);
	if (dir < 0)
		return false;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	close(dir);
	if (fd < 0)
		return false;
	bool is_good = bundle_read_fd(b, fd);
	if (is_good)
		futimens(fd, NULL); /* its age decides what goes first; a failure only ages it */
	close(fd);
	for (size_t i = 0; !is_good && i < b->count; i++) {
		free(b->files[i].data);
		b->files[i].data = NULL;
		b->files[i].size = 0;
	}
	return is_good;
}

static int bundle_write(int fd, const void *buf, uint64_t len)
{
	const uint8_t *at = buf;
	while (len) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int bundle_write_fd(const struct bundle *b, int fd)
{
	struct header h = {.key = {b->key[0], b->key[1]}, .count = b->count};
	memcpy(h.magic, MAGIC, sizeof(h.magic));
	int rc = bundle_write(fd, &h, sizeof(h));
	for (size_t i = 0; !rc && i < b->count; i++)
		rc = bundle_write(fd, &b->files[i].size, sizeof(b->files[i].size));
	for (size_t i = 0; !rc && i < b->count; i++)
		rc = bundle_write(fd, b->files[i].data, b->files[i].size);
	return rc ? rc : bundle_write(fd, MAGIC, sizeof(h.magic));
}

/* A failure costs only the next run's time. */
void bundle_store(const struct bundle *b, const char *cache_dir)
{
	char name[KEEP_NAME_MAX], tmp[KEEP_NAME_MAX];
	bool is_worth_it = false;
	for (size_t i = 0; i < b->count; i++)
		is_worth_it = is_worth_it || b->files[i].is_packed;
	if (!is_worth_it || !b->is_settled || b->count > FILES_MAX)
		return;
	int dir = keep_open(cache_dir);
	if (dir < 0)
		return;
	int fd = keep_begin(dir, tmp);
	if (fd >= 0) {
		bundle_name(b, name);
		if (keep_end(dir, fd, tmp, name, bundle_write_fd(b, fd)) == 0)
			keep_evict(dir, PREFIX, ENTRIES_MAX);
		close(fd);
	}
	close(dir);
}
