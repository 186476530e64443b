/*
 * The yardstick of bench/blk: the same reads that the guest does, by a plain host program.
 *
 *	host_io FILE rand|seq DEPTH COUNT
 *	host_io FILE make MIB
 *
 * rand: COUNT reads of 4 KiB at offsets from the generator below; seq: COUNT reads of 1 MiB from
 * the start, wrapping. DEPTH threads each keep one read in flight (pread into a buffer of their
 * own). Prints `MODE DEPTH COUNT NS`, the time from before the threads start to after their end.
 * make: writes a file of MIB MiB in which every 4 KiB begin with their number.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct job {
	int fd;
	int is_seq;
	uint64_t size;
	uint64_t count;
	_Atomic uint64_t next;
	_Atomic int failed;
};

/* The n-th offset: a multiplicative hash, so that guest and host read the same places. */
static uint64_t rand_offset(uint64_t n, uint64_t size)
{
	uint64_t x = (n + 1) * 0x9e3779b97f4a7c15ULL;
	x ^= x >> 29;
	return x % (size / 4096) * 4096;
}

static void *reader(void *arg)
{
	struct job *job = arg;
	size_t len = job->is_seq ? 1 << 20 : 4096;
	void *buf;
	if (posix_memalign(&buf, 4096, len) != 0)
		exit(1);
	memset(buf, 0, len);
	for (;;) {
		uint64_t n = atomic_fetch_add(&job->next, 1);
		if (n >= job->count)
			break;
		uint64_t off = job->is_seq ? n * len % (job->size - job->size % len)
					   : rand_offset(n, job->size);
		if (pread(job->fd, buf, len, (off_t)off) != (ssize_t)len)
			job->failed = 1;
	}
	free(buf);
	return NULL;
}

static int make(const char *path, uint64_t mib)
{
	static uint64_t buf[(1 << 20) / sizeof(uint64_t)];
	FILE *f = fopen(path, "w");
	for (uint64_t m = 0; f && m < mib; m++) {
		for (unsigned i = 0; i < 256; i++)
			buf[i * 512] = m * 256 + i;
		if (fwrite(buf, sizeof(buf), 1, f) != 1)
			break;
	}
	if (!f || ferror(f) || fclose(f) != 0) {
		perror(path);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[2], "make") == 0)
		return make(argv[1], strtoull(argv[3], NULL, 10));

	struct job job = {0};
	struct stat st;
	struct timespec a, b;
	pthread_t thread[64];

	if (argc != 5)
		return 2;
	job.fd = open(argv[1], O_RDONLY);
	job.is_seq = strcmp(argv[2], "seq") == 0;
	int depth = atoi(argv[3]);
	job.count = strtoull(argv[4], NULL, 10);
	if (job.fd < 0 || fstat(job.fd, &st) != 0 || st.st_size < 1 << 20 || depth < 1 ||
	    depth > 64) {
		fprintf(stderr, "host_io: bad arguments\n");
		return 2;
	}
	job.size = (uint64_t)st.st_size;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < depth; i++)
		if (pthread_create(&thread[i], NULL, reader, &job) != 0)
			return 1;
	for (int i = 0; i < depth; i++)
		pthread_join(thread[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);

	long long ns = (b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec;
	printf("%s %d %llu %lld\n", argv[2], depth, (unsigned long long)job.count, ns);
	return job.failed;
}
