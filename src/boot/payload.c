/*
 * Unpacking a bzImage's payload (boot protocol 2.08: payload_offset, payload_length) on the host,
 * which is faster than in the guest and done once, see cache.c.
 *
 * gzip goes through zlib, LZ4 through lz4.c. The other formats are left to the host's own tools:
 * run without a shell, the payload in a memory file as standard input, output through a pipe,
 * killed when they hang. In every format the payload's last 4 bytes are the unpacked size; only for
 * gzip they belong to the stream. Left out on purpose: LZO, which no distribution uses.
 */
#include "payload.h"

#include "file.h"
#include "lz4.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#define CHUNK	   (256 << 10)
#define PIPE_BYTES (1 << 20)
#define SIZE_FIELD 4

extern char **environ;

struct payload_format {
	const char *name;
	uint8_t magic[6];
	uint8_t magic_len;
	/* built in, or else: */
	int (*unpack)(const struct payload *p, uint8_t *out, uint64_t size,
		      char ret_why[PAYLOAD_WHY_MAX]);
	const char *argv[4];
	const char *package; /* Debian's name */
};

static int payload_inflate(const struct payload *p, uint8_t *out, uint64_t size,
			   char ret_why[PAYLOAD_WHY_MAX]);
static int payload_unlz4(const struct payload *p, uint8_t *out, uint64_t size,
			 char ret_why[PAYLOAD_WHY_MAX]);

static const struct payload_format payload_formats[] = {
	{"gzip", {0x1f, 0x8b}, 2, .unpack = payload_inflate},
	{"lz4", {0x02, 0x21, 0x4c, 0x18}, 4, .unpack = payload_unlz4},
	{"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, NULL, {"xz", "-dc"}, "xz-utils"},
	{"lzma", {0x5d, 0, 0}, 3, NULL, {"xz", "--format=lzma", "-dc"}, "xz-utils"},
	{"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, NULL, {"zstd", "-dcq"}, "zstd"},
	{"bzip2", {'B', 'Z', 'h'}, 3, NULL, {"bzip2", "-dc"}, "bzip2"},
};

const struct payload_format *payload_identify(const uint8_t *head, size_t len)
{
	for (size_t i = 0; i < sizeof(payload_formats) / sizeof(payload_formats[0]); i++) {
		const struct payload_format *f = &payload_formats[i];
		if (len >= f->magic_len && memcmp(head, f->magic, f->magic_len) == 0)
			return f;
	}
	return NULL;
}

const char *payload_format_name(const struct payload_format *format)
{
	return format->name;
}

bool payload_needs_tool(const struct payload_format *format)
{
	return format->unpack == NULL;
}

bool payload_is_whole_file(const struct payload_format *format)
{
	return format->unpack == payload_inflate;
}

static int why(char ret_why[PAYLOAD_WHY_MAX], int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int why(char ret_why[PAYLOAD_WHY_MAX], int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(ret_why, PAYLOAD_WHY_MAX, fmt, ap);
	va_end(ap);
	return code;
}

static int inflate_chunk(z_stream *z, const struct payload *p, uint64_t *done, uint8_t *in)
{
	if (*done == p->len)
		return Z_BUF_ERROR;
	uint64_t n = p->len - *done < CHUNK ? p->len - *done : CHUNK;
	if (file_read_at(p->fd, in, n, p->off + *done) < 0)
		return Z_ERRNO;
	*done += n;
	z->next_in = in;
	z->avail_in = (uInt)n;
	return inflate(z, Z_NO_FLUSH);
}

/* zlib checks the stream's CRC and length itself. */
static int payload_inflate(const struct payload *p, uint8_t *out, uint64_t size,
			   char ret_why[PAYLOAD_WHY_MAX])
{
	z_stream z = {0};
	uint8_t *in = malloc(CHUNK);
	if (!in || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) {
		free(in);
		return why(ret_why, -ENOMEM, "there is not enough memory");
	}
	z.next_out = out;
	z.avail_out = (uInt)size;
	uint64_t done = 0;
	int zrc;
	do
		zrc = inflate_chunk(&z, p, &done, in);
	while (zrc == Z_OK);
	uint64_t total = z.total_out;
	inflateEnd(&z);
	free(in);
	if (zrc != Z_STREAM_END || total != size)
		return why(ret_why, -EBADMSG, "its gzip payload is damaged");
	return 0;
}

static int payload_unlz4(const struct payload *p, uint8_t *out, uint64_t size,
			 char ret_why[PAYLOAD_WHY_MAX])
{
	uint64_t len = p->len - SIZE_FIELD;
	uint8_t *in = malloc(len);
	if (!in)
		return why(ret_why, -ENOMEM, "there is not enough memory");
	int rc = file_read_at(p->fd, in, len, p->off);
	if (!rc)
		rc = lz4_unpack_legacy(in, len, out, size);
	free(in);
	return rc ? why(ret_why, rc, "its lz4 payload is damaged") : 0;
}

/* A descriptor above 2, so that no dup2() in the child can hit another's target. */
static int fd_above_stdio(int fd)
{
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int saved = errno;
	close(fd);
	errno = saved;
	return high;
}

/* The compressed bytes alone in a memory file: tools take trailing bytes for damage. */
static int payload_copy_input(const struct payload *p)
{
	int fd = fd_above_stdio(memfd_create("payload", MFD_CLOEXEC));
	uint8_t *buf = malloc(CHUNK);
	int rc = fd < 0 ? -errno : 0;
	if (!buf)
		rc = -ENOMEM;
	for (uint64_t done = 0, left = p->len - SIZE_FIELD; !rc && left;) {
		uint64_t n = left < CHUNK ? left : CHUNK;
		rc = file_read_at(p->fd, buf, n, p->off + done);
		if (!rc)
			rc = file_write_at(fd, buf, n, done);
		done += n;
		left -= n;
	}
	free(buf);
	if (rc && fd >= 0)
		close(fd);
	return rc ? rc : fd;
}

/* Return: the process, -errno. */
static pid_t tool_spawn(const struct payload_format *format, int in, int out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	pid_t pid = 0;
	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	sigemptyset(&none);
	sigfillset(&all);
	int rc = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null",
						      O_WRONLY, 0);
	if (!rc)
		rc = posix_spawnattr_setsigmask(&attr, &none);
	if (!rc)
		rc = posix_spawnattr_setsigdefault(&attr, &all);
	if (!rc)
		rc = posix_spawnattr_setflags(&attr,
					      POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	/* posix_spawn's argv is not const for historical reasons only. */
	if (!rc)
		rc = posix_spawnp(&pid, format->argv[0], &actions, &attr,
				  (char *const *)(uintptr_t)format->argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return rc ? -rc : pid;
}

/*
 * Reads to the end of the pipe. One byte more than @size is asked for, so that a stream that is too
 * long shows. Return: bytes read, -ETIMEDOUT, -errno.
 */
static int64_t tool_read(int fd, uint8_t *out, uint64_t size, unsigned stall_ms)
{
	uint64_t done = 0;
	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		int ready = poll(&pfd, 1, (int)stall_ms);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return ready < 0 ? -errno : -ETIMEDOUT;
		uint8_t extra;
		ssize_t n = done < size ? read(fd, out + done, size - done) : read(fd, &extra, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : (int64_t)done;
		if (done == size)
			return -EMSGSIZE;
		done += (uint64_t)n;
	}
}

static int tool_finish(const struct payload_format *format, pid_t pid, int64_t got, uint64_t size,
		       unsigned stall_ms, char ret_why[PAYLOAD_WHY_MAX])
{
	if (got < 0)
		kill(pid, SIGKILL);
	int status = 0;
	pid_t reaped;
	do
		reaped = waitpid(pid, &status, 0);
	while (reaped < 0 && errno == EINTR);

	const char *tool = format->argv[0];
	if (got == -ETIMEDOUT)
		return why(ret_why, -ETIMEDOUT, "%s printed nothing for %u s and was killed", tool,
			   stall_ms / 1000);
	if (got < 0 && got != -EMSGSIZE)
		return why(ret_why, (int)got, "the output of %s could not be read: %s", tool,
			   strerror((int)-got));
	if (reaped == pid && WIFSIGNALED(status) && got != -EMSGSIZE)
		return why(ret_why, -EBADMSG, "%s was killed by signal %d", tool, WTERMSIG(status));
	if (reaped != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0 || got != (int64_t)size)
		return why(ret_why, -EBADMSG, "%s could not unpack its %s payload", tool,
			   format->name);
	return 0;
}

static int payload_run_tool(const struct payload *p, unsigned stall_ms, uint8_t *out, uint64_t size,
			    char ret_why[PAYLOAD_WHY_MAX])
{
	const struct payload_format *format = p->format;
	int in = payload_copy_input(p);
	if (in < 0)
		return why(ret_why, in, "its payload could not be read: %s", strerror(-in));

	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0) {
		int saved = errno;
		close(in);
		return why(ret_why, -saved, "no pipe could be made: %s", strerror(saved));
	}
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES); /* a wish */
	ends[1] = fd_above_stdio(ends[1]);
	pid_t pid = ends[1] < 0 ? -errno : tool_spawn(format, in, ends[1]);
	close(in);
	if (ends[1] >= 0)
		close(ends[1]);
	int rc;
	if (pid == -ENOENT)
		rc = why(ret_why, pid, "%s is not installed (Debian package %s)", format->argv[0],
			 format->package);
	else if (pid < 0)
		rc = why(ret_why, pid, "%s could not be started: %s", format->argv[0],
			 strerror(-pid));
	else
		rc = tool_finish(format, pid, tool_read(ends[0], out, size, stall_ms), size,
				 stall_ms, ret_why);
	close(ends[0]);
	return rc;
}

static int payload_size(const struct payload *p, uint64_t *ret_size)
{
	uint8_t le[SIZE_FIELD];
	if (p->len <= SIZE_FIELD)
		return -EBADMSG;
	int rc = file_read_at(p->fd, le, sizeof(le), p->off + p->len - sizeof(le));
	if (rc)
		return rc;
	uint64_t size = le[0] | le[1] << 8 | le[2] << 16 | (uint64_t)le[3] << 24;
	if (size == 0 || size > PAYLOAD_SIZE_MAX)
		return -EBADMSG;
	*ret_size = size;
	return 0;
}

int payload_unpack(const struct payload *p, unsigned stall_ms, int *ret_fd, uint64_t *ret_size,
		   char ret_why[PAYLOAD_WHY_MAX])
{
	uint64_t size;
	int rc = payload_size(p, &size);
	if (rc)
		return why(ret_why, rc, "its payload does not end in a size");

	int fd = memfd_create("vmlinux", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return why(ret_why, rc, "there is no memory to unpack it: %s", strerror(-rc));
	}
	uint8_t *out = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (out == MAP_FAILED)
		rc = why(ret_why, -errno, "there is no memory to unpack it: %s", strerror(errno));
	else if (payload_needs_tool(p->format))
		rc = payload_run_tool(p, stall_ms, out, size, ret_why);
	else
		rc = p->format->unpack(p, out, size, ret_why);
	if (out != MAP_FAILED)
		munmap(out, size);
	if (rc) {
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	*ret_size = size;
	return 0;
}
