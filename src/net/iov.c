/* Frames in pieces: a client's windows as a run of bytes. */
#include "iov.h"

#include <stdint.h>
#include <string.h>

size_t iov_len(const struct iovec *iov, unsigned count)
{
	size_t sum = 0;
	for (unsigned i = 0; i < count; i++)
		sum += iov[i].iov_len;
	return sum;
}

/* The part of a window at @off of the run that @len more bytes use; moves both on. */
static struct iovec iov_next(const struct iovec *window, size_t *off, size_t *len)
{
	if (*off >= window->iov_len) {
		*off -= window->iov_len;
		return (struct iovec){.iov_len = 0};
	}
	size_t n = window->iov_len - *off;
	if (n > *len)
		n = *len;
	struct iovec part = {.iov_base = (uint8_t *)window->iov_base + *off, .iov_len = n};
	*off = 0;
	*len -= n;
	return part;
}

void iov_get(const struct iovec *iov, unsigned count, size_t off, void *buf, size_t len)
{
	uint8_t *to = buf;
	for (unsigned i = 0; i < count && len; i++) {
		struct iovec part = iov_next(&iov[i], &off, &len);
		if (part.iov_len)
			memcpy(to, part.iov_base, part.iov_len);
		to += part.iov_len;
	}
}

void iov_put(const struct iovec *iov, unsigned count, size_t off, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	for (unsigned i = 0; i < count && len; i++) {
		struct iovec part = iov_next(&iov[i], &off, &len);
		if (part.iov_len)
			memcpy(part.iov_base, from, part.iov_len);
		from += part.iov_len;
	}
}

unsigned iov_cut(struct iovec *ret_iov, unsigned max, const struct iovec *iov, unsigned count,
		 size_t off, size_t len)
{
	unsigned n = 0;
	for (unsigned i = 0; i < count && len && n < max; i++) {
		struct iovec part = iov_next(&iov[i], &off, &len);
		if (part.iov_len)
			ret_iov[n++] = part;
	}
	return n;
}
