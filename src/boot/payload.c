/*
 * Unpacking a bzImage's payload (boot protocol 2.08: payload_offset, payload_length) on the host,
 * which is faster than in the guest and done once, see cache.c.
 *
 * In every format the payload's last 4 bytes are the unpacked size; only for gzip they belong to
 * the stream.
 */
#include "payload.h"

#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE_FIELD 4

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

static int payload_why(char ret_why[UNPACK_WHY_MAX], int code, const char *text)
{
	snprintf(ret_why, UNPACK_WHY_MAX, "%s%s", text, code == -EBADMSG ? "" : strerror(-code));
	return code;
}

int payload_unpack(const struct payload *p, unsigned stall_ms, int *ret_fd, uint64_t *ret_size,
		   char ret_why[UNPACK_WHY_MAX])
{
	uint64_t size;
	int rc = payload_size(p, &size);
	if (rc)
		return payload_why(ret_why, -EBADMSG, "its payload does not end in a size");

	int fd = memfd_create("vmlinux", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return payload_why(ret_why, rc, "there is no memory to unpack it: ");
	}
	const struct unpack_input in = {
		.fd = p->fd,
		.off = p->off,
		.len = p->len - (unpack_ends_in_size(p->format) ? 0 : SIZE_FIELD),
		.format = p->format,
		.stall_ms = stall_ms,
	};
	uint8_t *out = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (out == MAP_FAILED) {
		rc = payload_why(ret_why, -errno, "there is no memory to unpack it: ");
	} else {
		rc = unpack_exactly(&in, out, size, ret_why);
		munmap(out, size);
	}
	if (rc) {
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	*ret_size = size;
	return 0;
}
