/*
 * Unpacking piece by piece, for what is too large for memory: gzip through zlib, the rest through
 * the host's tools, which get their input through a socket and give their output through a pipe,
 * both served from unpack_stream_read().
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#define CHUNK (256 << 10)

/**
 * struct unpack_stream - a stream
 * @fed:   packed bytes that were read
 * @at, @held: those in @buf that were not used yet
 * @is_between: zlib is at the end of a member
 * @is_over: the end was reached
 * @pid:   the tool, 0 for none
 * @in:    its input, -1 once it has it all
 * @out:   its output
 */
struct unpack_stream {
	struct unpack_source source;
	uint64_t fed;
	size_t at, held;
	bool is_over;
	bool is_inflating, is_between;
	z_stream z;
	pid_t pid;
	int in, out;
	uint8_t buf[CHUNK];
};

/* More packed bytes into an empty @s->buf; none at the end. */
static int stream_feed(struct unpack_stream *s, char ret_why[UNPACK_WHY_MAX])
{
	const struct unpack_input *in = &s->source.in;
	uint64_t left = in->len - s->fed;
	size_t n = left < CHUNK ? (size_t)left : CHUNK;
	s->at = s->held = 0;
	if (!n)
		return 0;
	int rc = unpack_read(in->fd, s->buf, n, in->off + s->fed);
	if (rc)
		return unpack_why(ret_why, rc, "it could not be read: %s",
				  rc == -ENODATA ? "it became shorter" : strerror(-rc));
	if (s->source.seen)
		s->source.seen(s->source.ctx, s->buf, n);
	s->fed += n;
	s->held = n;
	return 0;
}

static ssize_t stream_read_plain(struct unpack_stream *s, void *buf, size_t len,
				 char ret_why[UNPACK_WHY_MAX])
{
	int rc = s->held ? 0 : stream_feed(s, ret_why);
	if (rc)
		return rc;
	size_t n = s->held < len ? s->held : len;
	memcpy(buf, s->buf + s->at, n);
	s->at += n;
	s->held -= n;
	return (ssize_t)n;
}

/* gzip */

static ssize_t stream_inflate(struct unpack_stream *s, void *buf, size_t len,
			      char ret_why[UNPACK_WHY_MAX])
{
	if (len > CHUNK)
		len = CHUNK;
	s->z.next_out = buf;
	s->z.avail_out = (uInt)len;
	while (s->z.avail_out == len) {
		int rc = s->held ? 0 : stream_feed(s, ret_why);
		if (rc)
			return rc;
		if (!s->held && s->is_between)
			return 0;
		if (!s->held)
			return unpack_why(ret_why, -EBADMSG, "its gzip stream is cut off");
		if (s->is_between && inflateReset(&s->z) != Z_OK)
			return unpack_why(ret_why, -EBADMSG, "its gzip stream is damaged");
		s->z.next_in = s->buf + s->at;
		s->z.avail_in = (uInt)s->held;
		int zrc = inflate(&s->z, Z_NO_FLUSH);
		s->at += s->held - s->z.avail_in;
		s->held = s->z.avail_in;
		s->is_between = zrc == Z_STREAM_END;
		if (zrc == Z_MEM_ERROR)
			return unpack_why(ret_why, -ENOMEM, "there is not enough memory");
		if (zrc != Z_OK && zrc != Z_STREAM_END)
			return unpack_why(ret_why, -EBADMSG, "its gzip stream is damaged");
	}
	return (ssize_t)(len - s->z.avail_out);
}

/* Tools */

static int stream_start_tool(struct unpack_stream *s, char ret_why[UNPACK_WHY_MAX])
{
	const struct unpack_format *format = s->source.in.format;
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0 ||
	    pipe2(out, O_CLOEXEC) < 0) {
		int saved = errno;
		if (in[0] >= 0) {
			close(in[0]);
			close(in[1]);
		}
		return unpack_why(ret_why, -saved, "no pipe could be made: %s", strerror(saved));
	}
	fcntl(out[0], F_SETPIPE_SZ, 1 << 20); /* a wish */
	in[1] = fd_above_stdio(in[1]);
	out[1] = fd_above_stdio(out[1]);
	pid_t pid = in[1] < 0 || out[1] < 0 ? -errno : tool_spawn(format->argv, in[1], out[1]);
	if (in[1] >= 0)
		close(in[1]);
	if (out[1] >= 0)
		close(out[1]);
	s->in = in[0];
	s->out = out[0];
	s->pid = pid > 0 ? pid : 0;
	if (pid == -ENOENT)
		return unpack_why(ret_why, pid, "%s is not installed (Debian package %s)",
				  format->argv[0], format->package);
	if (pid < 0)
		return unpack_why(ret_why, pid, "%s could not be started: %s", format->argv[0],
				  strerror(-pid));
	return 0;
}

/* The tool takes what it takes; one that has gone needs no more, and says why by its status. */
static int stream_serve_tool(struct unpack_stream *s, char ret_why[UNPACK_WHY_MAX])
{
	int rc = s->held ? 0 : stream_feed(s, ret_why);
	if (rc)
		return rc;
	ssize_t n = s->held ? send(s->in, s->buf + s->at, s->held, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	if (n > 0) {
		s->at += (size_t)n;
		s->held -= (size_t)n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		close(s->in);
		s->in = -1;
	}
	return 0;
}

/* Its output has ended. What it left of its input belongs to the stream, too. */
static int stream_finish_tool(struct unpack_stream *s, char ret_why[UNPACK_WHY_MAX])
{
	const struct unpack_format *format = s->source.in.format;
	int status = 0, rc = 0;
	pid_t reaped;
	if (s->in >= 0)
		close(s->in);
	s->in = -1;
	do
		reaped = waitpid(s->pid, &status, 0);
	while (reaped < 0 && errno == EINTR);
	s->pid = 0;
	if (reaped < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return unpack_why(ret_why, -EBADMSG, "%s could not unpack its %s stream",
				  format->argv[0], format->name);
	do
		rc = stream_feed(s, ret_why);
	while (!rc && s->held);
	return rc;
}

static ssize_t stream_read_tool(struct unpack_stream *s, void *buf, size_t len,
				char ret_why[UNPACK_WHY_MAX])
{
	const char *tool = s->source.in.format->argv[0];
	for (;;) {
		struct pollfd fds[] = {{.fd = s->out, .events = POLLIN},
				       {.fd = s->in, .events = POLLOUT}};
		int ready = poll(fds, s->in < 0 ? 1 : 2, (int)s->source.in.stall_ms);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return unpack_why(ret_why, ready < 0 ? -errno : -ETIMEDOUT,
					  "%s printed nothing for %u s", tool,
					  s->source.in.stall_ms / 1000);
		if (fds[0].revents) {
			ssize_t n = read(s->out, buf, len);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return unpack_why(ret_why, -errno,
						  "the output of %s could not be read: %s", tool,
						  strerror(errno));
			return n ? n : stream_finish_tool(s, ret_why);
		}
		int rc = stream_serve_tool(s, ret_why);
		if (rc)
			return rc;
	}
}

/* All */

int unpack_stream_open(struct unpack_stream **ret_stream, const struct unpack_source *source,
		       char ret_why[UNPACK_WHY_MAX])
{
	const struct unpack_format *format = source->in.format;
	bool is_inflating = format && unpack_ends_in_size(format);
	if (format && format->unpack && !is_inflating)
		return unpack_why(ret_why, -EOPNOTSUPP, "it is packed with %s", format->name);
	struct unpack_stream *s = calloc(1, sizeof(*s));
	if (!s)
		return unpack_why(ret_why, -ENOMEM, "there is not enough memory");
	s->source = *source;
	s->in = s->out = -1;
	int rc = 0;
	if (is_inflating && inflateInit2(&s->z, 16 + MAX_WBITS) != Z_OK)
		rc = unpack_why(ret_why, -ENOMEM, "there is not enough memory");
	else if (is_inflating)
		s->is_inflating = true;
	else if (format)
		rc = stream_start_tool(s, ret_why);
	if (rc) {
		unpack_stream_close(s);
		return rc;
	}
	*ret_stream = s;
	return 0;
}

ssize_t unpack_stream_read(struct unpack_stream *s, void *buf, size_t len,
			   char ret_why[UNPACK_WHY_MAX])
{
	if (s->is_over || !len)
		return 0;
	ssize_t n = s->is_inflating	  ? stream_inflate(s, buf, len, ret_why)
		    : s->source.in.format ? stream_read_tool(s, buf, len, ret_why)
					  : stream_read_plain(s, buf, len, ret_why);
	s->is_over = n == 0;
	return n;
}

void unpack_stream_close(struct unpack_stream *s)
{
	if (!s)
		return;
	if (s->is_inflating)
		inflateEnd(&s->z);
	if (s->in >= 0)
		close(s->in);
	if (s->out >= 0)
		close(s->out);
	if (s->pid) {
		int status;
		kill(s->pid, SIGKILL);
		while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	free(s);
}
