/*
 * Formats that the host's own tools unpack: run without a shell, the packed bytes in a memory file
 * as standard input, output through a pipe, killed when they hang.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK	   (256 << 10)
#define PIPE_BYTES (1 << 20)

extern char **environ;

int fd_above_stdio(int fd)
{
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int saved = errno;
	close(fd);
	errno = saved;
	return high;
}

static int tool_write(int fd, const uint8_t *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The packed bytes alone in a memory file: tools take trailing bytes for damage. */
static int tool_copy_input(const struct unpack_input *in)
{
	int fd = fd_above_stdio(memfd_create("payload", MFD_CLOEXEC));
	uint8_t *buf = malloc(CHUNK);
	int rc = fd < 0 ? -errno : 0;
	if (!buf)
		rc = -ENOMEM;
	for (uint64_t done = 0; !rc && done < in->len;) {
		uint64_t left = in->len - done, n = left < CHUNK ? left : CHUNK;
		rc = unpack_read(in->fd, buf, n, in->off + done);
		if (!rc)
			rc = tool_write(fd, buf, n);
		done += n;
	}
	free(buf);
	if (!rc && lseek(fd, 0, SEEK_SET) < 0)
		rc = -errno;
	if (rc && fd >= 0)
		close(fd);
	return rc ? rc : fd;
}

pid_t tool_spawn(const char *const *argv, int in, int out)
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
		rc = posix_spawnp(&pid, argv[0], &actions, &attr, (char *const *)(uintptr_t)argv,
				  environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return rc ? -rc : pid;
}

/*
 * Reads to the end of the pipe. One byte more than fits is asked for, so that a stream that is too
 * long shows. Return: 0, -EMSGSIZE, -ETIMEDOUT, -errno.
 */
static int tool_read(int fd, struct unpack_output *out, unsigned stall_ms)
{
	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		int ready = poll(&pfd, 1, (int)stall_ms);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return ready < 0 ? -errno : -ETIMEDOUT;
		uint8_t extra;
		int rc = unpack_output_grow(out);
		if (rc && rc != -EMSGSIZE)
			return rc;
		ssize_t n = rc ? read(fd, &extra, 1)
			       : read(fd, out->buf + out->len, out->room - out->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (rc)
			return rc;
		out->len += (uint64_t)n;
	}
}

/* @got: what tool_read() returned. */
static int tool_finish(const struct unpack_input *in, const char *name, const char *tool, pid_t pid,
		       int got, char ret_why[UNPACK_WHY_MAX])
{
	if (got < 0)
		kill(pid, SIGKILL);
	int status = 0;
	pid_t reaped;
	do
		reaped = waitpid(pid, &status, 0);
	while (reaped < 0 && errno == EINTR);

	if (got == -ETIMEDOUT)
		return unpack_why(ret_why, got, "%s printed nothing for %u s and was killed", tool,
				  in->stall_ms / 1000);
	if (got < 0 && got != -EMSGSIZE)
		return unpack_why(ret_why, got, "the output of %s could not be read: %s", tool,
				  strerror(-got));
	if (reaped == pid && WIFSIGNALED(status) && got != -EMSGSIZE)
		return unpack_why(ret_why, -EBADMSG, "%s was killed by signal %d", tool,
				  WTERMSIG(status));
	if (got < 0 || reaped != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return unpack_why(ret_why, got < 0 ? got : -EBADMSG,
				  "%s could not unpack its %s payload", tool, name);
	return 0;
}

int tool_run(const struct unpack_input *in, const char *name, const char *const *argv,
	     const char *package, struct unpack_output *out, char ret_why[UNPACK_WHY_MAX])
{
	int input = tool_copy_input(in);
	if (input < 0)
		return unpack_why(ret_why, input, "its payload could not be read: %s",
				  strerror(-input));

	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0) {
		int saved = errno;
		close(input);
		return unpack_why(ret_why, -saved, "no pipe could be made: %s", strerror(saved));
	}
	fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES); /* a wish */
	ends[1] = fd_above_stdio(ends[1]);
	pid_t pid = ends[1] < 0 ? -errno : tool_spawn(argv, input, ends[1]);
	close(input);
	if (ends[1] >= 0)
		close(ends[1]);
	int rc;
	if (pid == -ENOENT)
		rc = unpack_why(ret_why, pid, "%s is not installed (Debian package %s)", argv[0],
				package);
	else if (pid < 0)
		rc = unpack_why(ret_why, pid, "%s could not be started: %s", argv[0],
				strerror(-pid));
	else
		rc = tool_finish(in, name, argv[0], pid, tool_read(ends[0], out, in->stall_ms),
				 ret_why);
	close(ends[0]);
	return rc;
}
