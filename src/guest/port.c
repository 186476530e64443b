/*
 * The virtio port, as Linux' virtio_console driver shows it: /dev/vportNpM, whose name is in sysfs.
 *
 * A write of up to 32 KiB is one buffer of the transmit queue: all or nothing, and done when it is
 * queued. So a frame costs one call and one copy on either side.
 */
#include "port.h"

#include "sys.h"
#include "text.h"

#define CLASS	    "/sys/class/virtio-ports"
#define PIECE	    32768
#define PATIENCE_MS 10000

/* Whether port @entry of the class is called @name. */
static bool port_is_called(const char *entry, const char *name)
{
	struct text path = {0};
	text_add(&path, CLASS "/");
	text_add(&path, entry);
	text_add(&path, "/name");
	long fd = sys_open(path.buf, O_RDONLY);
	if (fd < 0)
		return false;
	char found[128];
	long len = sys_read((int)fd, found, sizeof(found) - 1);
	sys_close((int)fd);
	if (len <= 0)
		return false;
	found[len - (found[len - 1] == '\n')] = '\0';
	return text_is(found, name);
}

/* Return: a descriptor; -ENOENT: not yet; -ENODEV: there is no driver; -errno. */
static long port_find(const char *name)
{
	char buf[2048] __attribute__((aligned(8)));
	long dir = sys_open(CLASS, O_RDONLY);
	if (dir < 0)
		return dir == -ENOENT ? -ENODEV : dir;
	long len, fd = -ENOENT;
	while (fd == -ENOENT && (len = sys_getdents((int)dir, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < len && fd == -ENOENT;) {
			const struct sys_dirent *entry = (const void *)(buf + at);
			at += entry->reclen;
			if (entry->name[0] == '.' || !port_is_called(entry->name, name))
				continue;
			struct text path = {0};
			text_add(&path, "/dev/");
			text_add(&path, entry->name);
			fd = sys_open(path.buf, O_RDWR | O_NONBLOCK);
		}
	}
	sys_close((int)dir);
	return fd;
}

/* Whether the host has opened its end. */
static bool port_is_connected(const struct port *port)
{
	struct sys_pollfd pfd = {port->fd, POLLOUT, 0};
	return sys_poll(&pfd, 1, 0) > 0 && !(pfd.revents & POLLHUP);
}

/* The device tells its ports' names, and that they are open, in messages of its own time. */
long port_open(struct port *port, const char *name)
{
	long fd = port_find(name);
	for (int waited = 0; fd == -ENOENT && waited < PATIENCE_MS; waited++) {
		sys_sleep_ms(1);
		fd = port_find(name);
	}
	if (fd < 0)
		return fd;
	port->fd = (int)fd;
	for (int waited = 0; !port_is_connected(port); waited++) {
		if (waited == PATIENCE_MS)
			return -ENOENT;
		sys_sleep_ms(1);
	}
	return 0;
}

static void port_put_head(struct port *port, enum run_type type, size_t len)
{
	struct run_frame head = {.type = (uint8_t)type, .len = (uint32_t)len};
	memcpy(port->out + port->out_len, &head, sizeof(head));
	port->out_len += sizeof(head) + len;
}

bool port_put(struct port *port, enum run_type type, const void *payload, size_t len)
{
	if (port->fd < 0 || len + sizeof(struct run_frame) > PORT_OUT - port->out_len)
		return false;
	memcpy(port->out + port->out_len + sizeof(struct run_frame), payload, len);
	port_put_head(port, type, len);
	return true;
}

long port_put_from(struct port *port, enum run_type type, int fd)
{
	long len = sys_read(fd, port->out + port->out_len + sizeof(struct run_frame),
			    RUN_GUEST_PAYLOAD_MAX);
	if (len > 0)
		port_put_head(port, type, (size_t)len);
	return len;
}

bool port_flush(struct port *port)
{
	size_t piece = PIECE;
	while (port->out_at < port->out_len) {
		size_t len = port->out_len - port->out_at;
		long done =
			sys_write(port->fd, port->out + port->out_at, len < piece ? len : piece);
		if (done == -ENOMEM && piece > 1024) {
			piece /= 2; /* the driver wants it contiguous */
			continue;
		}
		if (done <= 0)
			return false;
		port->out_at += (size_t)done;
	}
	port->out_at = port->out_len = 0;
	return true;
}

void port_drain(struct port *port)
{
	while (port->fd >= 0 && !port_flush(port)) {
		struct sys_pollfd pfd = {port->fd, POLLOUT, 0};
		sys_poll(&pfd, 1, -1);
		if (!(pfd.revents & POLLOUT))
			sys_sleep_ms(1); /* memory was short, or the host's end is closed */
	}
}

void port_read(struct port *port)
{
	memmove(port->in, port->in + port->in_at, port->in_len - port->in_at);
	port->in_len -= port->in_at;
	port->in_at = 0;
	long len = sys_read(port->fd, port->in + port->in_len, PORT_IN - port->in_len);
	if (len > 0)
		port->in_len += (size_t)len;
}

int port_get(struct port *port, struct run_frame *ret_frame, const uint8_t **ret_payload)
{
	size_t have = port->in_len - port->in_at;
	if (have < sizeof(*ret_frame))
		return 0;
	memcpy(ret_frame, port->in + port->in_at, sizeof(*ret_frame));
	if (ret_frame->len > RUN_HOST_PAYLOAD_MAX)
		return -1;
	if (have - sizeof(*ret_frame) < ret_frame->len)
		return 0;
	*ret_payload = port->in + port->in_at + sizeof(*ret_frame);
	port->in_at += sizeof(*ret_frame) + ret_frame->len;
	return 1;
}
