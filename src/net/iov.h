/* Frames in pieces: a client's windows as a run of bytes. */
#ifndef NET_IOV_H
#define NET_IOV_H

#include <stddef.h>
#include <sys/uio.h>

size_t iov_len(const struct iovec *iov, unsigned count);

/* Copies @len bytes at @off of the run into @buf, or from it. The run is long enough. */
void iov_get(const struct iovec *iov, unsigned count, size_t off, void *buf, size_t len);
void iov_put(const struct iovec *iov, unsigned count, size_t off, const void *buf, size_t len);

/* The @len bytes at @off, or their first @max windows, into @ret_iov. Return: windows. */
unsigned iov_cut(struct iovec *ret_iov, unsigned max, const struct iovec *iov, unsigned count,
		 size_t off, size_t len);

#endif
