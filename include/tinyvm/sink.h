/* Standard output as something that can be written without ever blocking. */
#ifndef TINYVM_SINK_H
#define TINYVM_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sink_kind {
	SINK_OWN,    /* an open file description of our own, in non-blocking mode */
	SINK_SOCKET, /* send() needs no such mode */
	SINK_SHARED, /* others use the description too: small writes when poll() says so */
	SINK_FILE,   /* a regular file never blocks */
};

/**
 * struct sink - where the bytes go
 * @fd:    what to write to and poll
 * @chunk: the most that one write may take, SINK_SHARED
 */
struct sink {
	enum sink_kind kind;
	int fd;
	size_t chunk;
};

/**
 * sink_open() - prepare @fd for writing
 *
 * The mode flags of @fd itself are not touched: the shell and other programs share them. A
 * descriptor that is not open makes a sink that fails to write. Never fails itself.
 */
void sink_open(struct sink *sink, int fd);
void sink_close(struct sink *sink);

/* Return: bytes taken (not 0), or -errno: -EAGAIN when it would block. Context: no signals. */
int64_t sink_write(struct sink *sink, const uint8_t *buf, size_t len)
	__attribute__((warn_unused_result));

#endif
