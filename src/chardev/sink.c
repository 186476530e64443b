/*
 * O_NONBLOCK belongs to the open file description, which standard output shares with the user's
 * shell; so the same terminal or pipe is opened once more. Where that cannot be done (no
 * permission for the terminal after su), a write follows poll() and is small enough not to block.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <tinyvm/sink.h>
#include <unistd.h>

/* poll() promises room for this much in a pipe, and for a character on a terminal. */
#define PIPE_CHUNK 4096
#define TTY_CHUNK  1

#define OPEN_FLAGS (O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* The terminal behind @fd, opened anew, or -1. */
static int sink_reopen_tty(int fd, const char *path)
{
	unsigned pty, device, other;
	/* Opening a pseudo-terminal's master would make a new one. */
	if (ioctl(fd, TIOCGPTN, &pty) == 0)
		return -1;
	int own = open(path, OPEN_FLAGS);
	if (own >= 0)
		return own;
	/* Not ours to open by name, but the controlling terminal always is. */
	own = open("/dev/tty", OPEN_FLAGS);
	if (own >= 0 && ioctl(fd, TIOCGDEV, &device) == 0 && ioctl(own, TIOCGDEV, &other) == 0 &&
	    device == other)
		return own;
	if (own >= 0)
		close(own);
	return -1;
}

void sink_open(struct sink *sink, int fd)
{
	struct stat st;
	*sink = (struct sink){.kind = SINK_FILE, .fd = fd};
	if (fstat(fd, &st) != 0) {
		sink->fd = -1; /* the number may soon be something else's */
		return;
	}
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return;
	if (S_ISSOCK(st.st_mode)) {
		sink->kind = SINK_SOCKET;
		return;
	}

	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	bool is_tty = isatty(fd);
	int own = is_tty ? sink_reopen_tty(fd, path) : open(path, OPEN_FLAGS);
	if (own >= 0) {
		sink->kind = SINK_OWN;
		sink->fd = own;
	} else {
		sink->kind = SINK_SHARED;
		sink->chunk = is_tty ? TTY_CHUNK : PIPE_CHUNK;
	}
}

void sink_close(struct sink *sink)
{
	if (sink->kind == SINK_OWN)
		close(sink->fd);
	sink->fd = -1;
}

int64_t sink_write(struct sink *sink, const uint8_t *buf, size_t len)
{
	if (sink->kind == SINK_SHARED) {
		struct pollfd pfd = {.fd = sink->fd, .events = POLLOUT};
		if (poll(&pfd, 1, 0) == 0)
			return -EAGAIN;
		if (len > sink->chunk)
			len = sink->chunk;
	}
	ssize_t n;
	do {
		n = sink->kind == SINK_SOCKET
			    ? send(sink->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL)
			    : write(sink->fd, buf, len);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return -EIO;
	return n < 0 ? -errno : n;
}
