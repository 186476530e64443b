/*
 * Unpacking what the Linux build packs: kernels and modules. gzip and LZ4 are built in, the other
 * formats are left to the host's own tools, run without a shell.
 */
#ifndef TINYVM_UNPACK_H
#define TINYVM_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define UNPACK_WHY_MAX 160

struct unpack_format;

/**
 * unpack_identify() - recognise the compression
 * @head: the first @len bytes
 * Return: NULL for an unknown one.
 */
const struct unpack_format *unpack_identify(const uint8_t *head, size_t len);
const char *unpack_format_name(const struct unpack_format *format);

/* Whether unpacking needs a program of the host. */
bool unpack_needs_tool(const struct unpack_format *format);

/* Whether a stream of this format itself ends in its unpacked size: gzip alone. */
bool unpack_ends_in_size(const struct unpack_format *format);

/**
 * struct unpack_input - a packed stream
 * @off, @len: in the file @fd: the stream and nothing more
 * @format:    as its first bytes say
 * @stall_ms:  a tool that prints nothing for so long is killed
 */
struct unpack_input {
	int fd;
	uint64_t off;
	uint64_t len;
	const struct unpack_format *format;
	unsigned stall_ms;
};

/**
 * unpack_exactly() - unpack a stream of known size
 * @out:     room for @size bytes, all of which it must fill
 * @ret_why: on failure why not, to follow "because ..."
 *
 * unpack_all() - unpack one of any size up to @max; LZ4 cannot
 * @ret_buf: to be freed by the caller, @ret_size bytes
 *
 * Return: 0 or -errno: -ENOENT the tool is not installed, -ETIMEDOUT it hung, -EBADMSG the stream
 * is damaged or the tool failed, -EMSGSIZE it is too long, -ENOMEM ...
 */
int unpack_exactly(const struct unpack_input *in, uint8_t *out, uint64_t size,
		   char ret_why[UNPACK_WHY_MAX]) __attribute__((warn_unused_result));
int unpack_all(const struct unpack_input *in, uint64_t max, uint8_t **ret_buf, uint64_t *ret_size,
	       char ret_why[UNPACK_WHY_MAX]) __attribute__((warn_unused_result));

/**
 * struct unpack_source - a packed stream of any size, to be read piece by piece
 * @in:   as above; a @format of NULL: it is not packed
 * @seen: told of each packed byte, in order; NULL for nobody
 */
struct unpack_source {
	struct unpack_input in;
	void (*seen)(void *ctx, const void *buf, size_t len);
	void *ctx;
};

struct unpack_stream;

/**
 * unpack_stream_open() - begin to unpack; LZ4 cannot
 * unpack_stream_read() - the next bytes, up to @len
 * unpack_stream_close() - end it, at whatever point
 *
 * gzip may come in several members, one after the other. At its end a stream has been seen whole.
 * Return: 0, bytes read with 0 at the end, or -errno as unpack_all() with @ret_why.
 */
int unpack_stream_open(struct unpack_stream **ret_stream, const struct unpack_source *source,
		       char ret_why[UNPACK_WHY_MAX]) __attribute__((warn_unused_result));
ssize_t unpack_stream_read(struct unpack_stream *stream, void *buf, size_t len,
			   char ret_why[UNPACK_WHY_MAX]) __attribute__((warn_unused_result));
void unpack_stream_close(struct unpack_stream *stream);

#endif
