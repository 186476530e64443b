/*
 * usage: exercise FILE OPERATIONS SEED
 *
 * Random operations on a file, each checked against a copy of it in memory: reads and writes,
 * direct ones, through a mapping, truncation, holes, copies within the file, closing and opening it
 * again. Prints the operation that gave something else, and ends with status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_MAX_ (256u << 10)
#define PAGE	  4096u

enum operation {
	OP_READ,
	OP_DIRECT_READ,
	OP_WRITE,
	OP_APPEND,
	OP_MAP_READ,
	OP_MAP_WRITE,
	OP_TRUNCATE,
	OP_PUNCH,
	OP_ALLOCATE,
	OP_COPY,
	OP_REOPEN,
	OP_COUNT
};

static const char *const names[] = {"read",	   "direct read",  "write",    "append",
				    "mapped read", "mapped write", "truncate", "punch",
				    "allocate",	   "copy",	   "reopen"};

static uint8_t model[SIZE_MAX_ * 2];
static _Alignas(4096) uint8_t buf[SIZE_MAX_ * 2]; /* direct reads ask for that */
static uint32_t size;
static int fd;
static const char *path;
static uint64_t state;

static uint32_t random32(void)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33);
}

static void fill(uint8_t *to, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		to[i] = (uint8_t)(random32() >> 8 | 1);
}

/* What is written beyond the end leaves zeroes behind the old one. */
static void model_write(uint32_t at, uint32_t len)
{
	if (at > size)
		memset(model + size, 0, at - size);
	memcpy(model + at, buf, len);
	if (at + len > size)
		size = at + len;
}

static bool check_read(int from, uint32_t at, uint32_t len)
{
	uint32_t want = at >= size ? 0 : len < size - at ? len : size - at;
	ssize_t n = pread(from, buf, len, at);
	return n == (ssize_t)want && memcmp(buf, model + at, want) == 0;
}

static bool do_direct_read(uint32_t at, uint32_t len)
{
	int direct = open(path, O_RDONLY | O_DIRECT);
	bool is_good = direct >= 0 && check_read(direct, at, len);
	close(direct);
	return is_good;
}

static bool do_write(uint32_t at, uint32_t len, bool is_append)
{
	fill(buf, len);
	if (!is_append) {
		model_write(at, len);
		return pwrite(fd, buf, len, at) == (ssize_t)len;
	}
	if (size + len > SIZE_MAX_)
		return true;
	model_write(size, len);
	int append = open(path, O_WRONLY | O_APPEND);
	bool is_good = append >= 0 && write(append, buf, len) == (ssize_t)len;
	close(append);
	return is_good;
}

/* @len bytes at @at, cut at the end of the file. */
static bool do_map(uint32_t at, uint32_t len, bool is_write)
{
	if (at >= size)
		return true;
	if (len > size - at)
		len = size - at;
	uint32_t first = at & ~(PAGE - 1);
	uint8_t *map = mmap(NULL, at - first + len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, first);
	if (map == MAP_FAILED)
		return false;
	bool is_good = true;
	if (is_write) {
		fill(buf, len);
		memcpy(map + (at - first), buf, len);
		model_write(at, len);
		/* Before somebody else looks at the file, or changes its size. */
		is_good = msync(map, at - first + len, MS_SYNC) == 0;
	} else {
		is_good = memcmp(map + (at - first), model + at, len) == 0;
	}
	munmap(map, at - first + len);
	return is_good;
}

static bool do_truncate(uint32_t at)
{
	if (at > size)
		memset(model + size, 0, at - size);
	size = at;
	return ftruncate(fd, at) == 0;
}

static bool do_allocate(uint32_t at, uint32_t len, bool is_punch)
{
	if (is_punch && at < size)
		memset(model + at, 0, len < size - at ? len : size - at);
	if (!is_punch && at + len > size) {
		memset(model + size, 0, at + len - size);
		size = at + len;
	}
	return fallocate(fd, is_punch ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : 0, at, len) ==
	       0;
}

/* From one half of the file to the other: ranges must not overlap. */
static bool do_copy(uint32_t at, uint32_t len)
{
	off_t from = at % (SIZE_MAX_ / 4), to = SIZE_MAX_ / 2 + from;
	if (len > SIZE_MAX_ / 4)
		len = SIZE_MAX_ / 4;
	while (len) {
		uint32_t want = from >= (off_t)size	      ? 0
				: len < size - (uint32_t)from ? len
							      : size - (uint32_t)from;
		memcpy(buf, model + from, want);
		off_t here = to;
		ssize_t n = copy_file_range(fd, &from, fd, &to, len, 0);
		if (n < 0 || (size_t)n > want || (n == 0 && want))
			return false;
		if (n == 0)
			break;
		model_write((uint32_t)here, (uint32_t)n);
		len -= (uint32_t)n;
	}
	return true;
}

static bool do_reopen(void)
{
	struct stat st;
	close(fd);
	fd = open(path, O_RDWR);
	return fd >= 0 && fstat(fd, &st) == 0 && st.st_size == size;
}

static bool operate(enum operation op, uint32_t at, uint32_t len)
{
	switch (op) {
	case OP_READ:
		return check_read(fd, at, len);
	case OP_DIRECT_READ:
		return do_direct_read(at & ~511u, (len + 511) & ~511u);
	case OP_WRITE:
	case OP_APPEND:
		return do_write(at, len, op == OP_APPEND);
	case OP_MAP_READ:
	case OP_MAP_WRITE:
		return do_map(at, len, op == OP_MAP_WRITE);
	case OP_TRUNCATE:
		return do_truncate(at);
	case OP_PUNCH:
	case OP_ALLOCATE:
		return do_allocate(at, len, op == OP_PUNCH);
	case OP_COPY:
		return do_copy(at, len);
	default:
		return do_reopen();
	}
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: exercise FILE OPERATIONS SEED\n");
		return 2;
	}
	path = argv[1];
	unsigned long count = strtoul(argv[2], NULL, 0);
	state = strtoul(argv[3], NULL, 0);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	for (unsigned long i = 0; i < count; i++) {
		enum operation op = (enum operation)(random32() % OP_COUNT);
		uint32_t at = random32() % SIZE_MAX_, len = random32() % (SIZE_MAX_ - at) + 1;
		if (random32() % 4)
			len = len % (4 * PAGE) + 1; /* most are small */
		if (!operate(op, at, len)) {
			printf("operation %lu, %s of %u at %u, size %u: %s\n", i, names[op], len,
			       at, size, errno ? strerror(errno) : "other bytes");
			return 1;
		}
	}
	return unlink(path) == 0 ? 0 : 1;
}
