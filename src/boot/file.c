/*
 * Whole reads from files, and the hash that names their contents in the cache.
 *
 * Kernel files are read, never mapped: a file that shrinks while the machine runs is then a
 * sentence at the next reset instead of a SIGBUS.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <tinyvm/err.h>
#include <unistd.h>

int file_open(const char *path, const char *what, int *ret_fd, uint64_t *ret_size, struct err *err)
{
	/* O_NONBLOCK: a FIFO without a writer would block here, before it can be refused. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, -ENOENT, "%s '%s' does not exist", what, path);
	if (fd < 0)
		return err_set(err, -errno, "%s '%s' cannot be opened: %s", what, path,
			       strerror(errno));

	struct stat st;
	int rc;
	if (fstat(fd, &st) < 0)
		rc = err_set(err, -errno, "%s '%s' cannot be read: %s", what, path,
			     strerror(errno));
	else if (S_ISDIR(st.st_mode))
		rc = err_set(err, -EISDIR, "%s '%s' is a directory", what, path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(err, -EINVAL, "%s '%s' is not a regular file", what, path);
	else if (st.st_size == 0)
		rc = err_set(err, -ENODATA, "%s '%s' is empty", what, path);
	else
		rc = 0;
	if (rc < 0) {
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

int file_read_at(int fd, void *buf, size_t len, uint64_t off)
{
	uint8_t *p = buf;
	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int file_write_at(int fd, const void *buf, size_t len, uint64_t off)
{
	const uint8_t *p = buf;
	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int file_read_gmem(const struct gmem *gm, gpa_t gpa, uint64_t len, int fd, uint64_t off)
{
	while (len) {
		struct iovec iov[2];
		int count = gmem_iov(gm, gpa, len, iov, 2);
		if (count < 0)
			return count;
		ssize_t n = preadv(fd, iov, count, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		gpa += (uint64_t)n;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

#define HASH_K0	   0x9e3779b97f4a7c15ULL /* odd, dense, otherwise arbitrary */
#define HASH_K1	   0xbf58476d1ce4e5b9ULL
#define HASH_K2	   0x94d049bb133111ebULL
#define HASH_K3	   0xd6e8feb86659fd93ULL
#define HASH_BLOCK 32
#define HASH_CHUNK (128 << 10) /* stays in the second-level cache between read and hash */

static uint64_t hash_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static void hash_blocks(struct file_hash *hash, const uint8_t *p, size_t count)
{
	uint64_t x = hash->h[0], y = hash->h[1];
	for (; count; count--, p += HASH_BLOCK) {
		uint64_t w[4];
		memcpy(w, p, sizeof(w));
		x = hash_fold(w[0] ^ HASH_K0, w[1] ^ x);
		y = hash_fold(w[0] ^ HASH_K1, w[3] ^ y);
		x = hash_fold(w[2] ^ HASH_K2, w[3] ^ x);
		y = hash_fold(w[1] ^ HASH_K3, w[2] ^ y);
	}
	hash->h[0] = x;
	hash->h[1] = y;
}

/* The tail is padded with zeroes; the length tells it from a tail that ends in zeroes. */
static void hash_last(struct file_hash *hash, const uint8_t *p, size_t len, uint64_t total)
{
	uint64_t tail[2 * HASH_BLOCK / sizeof(uint64_t)] = {0};
	hash_blocks(hash, p, len / HASH_BLOCK);
	if (len % HASH_BLOCK)
		memcpy(tail, p + len / HASH_BLOCK * HASH_BLOCK, len % HASH_BLOCK);
	tail[4] = total;
	tail[7] = total ^ HASH_K3;
	hash_blocks(hash, (const uint8_t *)tail, 2);
}

struct file_hash file_hash_bytes(const void *buf, size_t len)
{
	struct file_hash hash = {{HASH_K1, HASH_K2}};
	hash_last(&hash, buf, len, len);
	return hash;
}

int file_hash(int fd, uint64_t off, uint64_t len, struct file_hash *ret_hash)
{
	struct file_hash hash = {{HASH_K1, HASH_K2}};
	uint8_t *buf = malloc(HASH_CHUNK);
	if (!buf)
		return -ENOMEM;

	int rc = 0;
	uint64_t left = len;
	while (!rc && left > HASH_CHUNK) {
		rc = file_read_at(fd, buf, HASH_CHUNK, off);
		if (!rc)
			hash_blocks(&hash, buf, HASH_CHUNK / HASH_BLOCK);
		off += HASH_CHUNK;
		left -= HASH_CHUNK;
	}
	if (!rc)
		rc = file_read_at(fd, buf, left, off);
	if (!rc) {
		hash_last(&hash, buf, left, len);
		*ret_hash = hash;
	}
	free(buf);
	return rc;
}
