/*
 * The formats of the Linux build, by their magic numbers. gzip goes through zlib, LZ4 through
 * lz4.c, the rest through tool.c. Left out on purpose: LZO, which no distribution uses.
 */
#include "lz4.h"
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define CHUNK	  (256 << 10)
#define FIRST_OUT (64 << 10)

static int unpack_inflate(const struct unpack_input *in, struct unpack_output *out,
			  char ret_why[UNPACK_WHY_MAX]);
static int unpack_lz4(const struct unpack_input *in, struct unpack_output *out,
		      char ret_why[UNPACK_WHY_MAX]);

static const struct unpack_format unpack_formats[] = {
	{"gzip", {0x1f, 0x8b}, 2, .unpack = unpack_inflate},
	{"lz4", {0x02, 0x21, 0x4c, 0x18}, 4, .unpack = unpack_lz4},
	{"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, NULL, {"xz", "-dc"}, "xz-utils"},
	{"lzma", {0x5d, 0, 0}, 3, NULL, {"xz", "--format=lzma", "-dc"}, "xz-utils"},
	{"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, NULL, {"zstd", "-dcq"}, "zstd"},
	{"bzip2", {'B', 'Z', 'h'}, 3, NULL, {"bzip2", "-dc"}, "bzip2"},
};

const struct unpack_format *unpack_identify(const uint8_t *head, size_t len)
{
	for (size_t i = 0; i < sizeof(unpack_formats) / sizeof(unpack_formats[0]); i++) {
		const struct unpack_format *f = &unpack_formats[i];
		if (len >= f->magic_len && memcmp(head, f->magic, f->magic_len) == 0)
			return f;
	}
	return NULL;
}

const char *unpack_format_name(const struct unpack_format *format)
{
	return format->name;
}

bool unpack_needs_tool(const struct unpack_format *format)
{
	return format->unpack == NULL;
}

bool unpack_ends_in_size(const struct unpack_format *format)
{
	return format->unpack == unpack_inflate;
}

int unpack_why(char ret_why[UNPACK_WHY_MAX], int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(ret_why, UNPACK_WHY_MAX, fmt, ap);
	va_end(ap);
	return code;
}

int unpack_read(int fd, void *buf, size_t len, uint64_t off)
{
	uint8_t *at = buf;
	while (len) {
		ssize_t n = pread(fd, at, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		at += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int unpack_output_grow(struct unpack_output *out)
{
	if (out->len < out->room)
		return 0;
	if (out->room == out->max)
		return -EMSGSIZE;
	uint64_t room = out->room ? out->room * 2 : FIRST_OUT;
	if (room > out->max)
		room = out->max;
	uint8_t *buf = realloc(out->buf, room);
	if (!buf)
		return -ENOMEM;
	out->buf = buf;
	out->room = room;
	return 0;
}

/* More input for zlib when it has none. Return: 0 or -errno, -ENODATA after the last byte. */
static int inflate_feed(z_stream *z, const struct unpack_input *in, uint64_t *done, uint8_t *buf)
{
	if (z->avail_in)
		return 0;
	uint64_t left = in->len - *done, n = left < CHUNK ? left : CHUNK;
	int rc = n ? unpack_read(in->fd, buf, n, in->off + *done) : -ENODATA;
	if (rc)
		return rc;
	*done += n;
	z->next_in = buf;
	z->avail_in = (uInt)n;
	return 0;
}

/* zlib checks the stream's CRC and length itself. Return: 0 at its end, -errno. */
static int inflate_run(z_stream *z, const struct unpack_input *in, struct unpack_output *out,
		       uint8_t *buf)
{
	uint64_t done = 0;
	for (;;) {
		/* A stream may have an end to be read when all its bytes are there. */
		uint8_t extra = 0;
		bool is_full = out->len == out->room && out->room == out->max;
		int rc = inflate_feed(z, in, &done, buf);
		if (!rc && !is_full)
			rc = unpack_output_grow(out);
		if (rc)
			return rc == -ENODATA ? -EBADMSG : rc;
		uint64_t room = out->room - out->len;
		uInt avail = is_full ? 1 : (uInt)(room < CHUNK ? room : CHUNK);
		z->next_out = is_full ? &extra : out->buf + out->len;
		z->avail_out = avail;
		int zrc = inflate(z, Z_NO_FLUSH);
		if (is_full && !z->avail_out)
			return -EMSGSIZE;
		out->len += avail - z->avail_out;
		if (zrc != Z_OK)
			return zrc == Z_STREAM_END ? 0 : -EBADMSG;
	}
}

static int unpack_inflate(const struct unpack_input *in, struct unpack_output *out,
			  char ret_why[UNPACK_WHY_MAX])
{
	z_stream z = {0};
	uint8_t *buf = malloc(CHUNK);
	if (!buf || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) {
		free(buf);
		return unpack_why(ret_why, -ENOMEM, "there is not enough memory");
	}
	int rc = inflate_run(&z, in, out, buf);
	inflateEnd(&z);
	free(buf);
	if (rc == -ENOMEM)
		return unpack_why(ret_why, rc, "there is not enough memory");
	if (rc)
		return unpack_why(ret_why, rc, "its gzip payload is damaged");
	return 0;
}

static int unpack_lz4(const struct unpack_input *in, struct unpack_output *out,
		      char ret_why[UNPACK_WHY_MAX])
{
	if (out->room != out->max)
		return unpack_why(ret_why, -EOPNOTSUPP, "its lz4 payload is of unknown size");
	uint8_t *buf = malloc(in->len);
	if (!buf)
		return unpack_why(ret_why, -ENOMEM, "there is not enough memory");
	int rc = unpack_read(in->fd, buf, in->len, in->off);
	if (!rc)
		rc = lz4_unpack_legacy(buf, in->len, out->buf, out->max);
	free(buf);
	out->len = out->max;
	return rc ? unpack_why(ret_why, rc, "its lz4 payload is damaged") : 0;
}

static int unpack_run(const struct unpack_input *in, struct unpack_output *out,
		      char ret_why[UNPACK_WHY_MAX])
{
	const struct unpack_format *f = in->format;
	if (f->unpack)
		return f->unpack(in, out, ret_why);
	return tool_run(in, f->name, f->argv, f->package, out, ret_why);
}

int unpack_exactly(const struct unpack_input *in, uint8_t *buf, uint64_t size,
		   char ret_why[UNPACK_WHY_MAX])
{
	struct unpack_output out = {.buf = buf, .room = size, .max = size};
	int rc = unpack_run(in, &out, ret_why);
	if (rc == -EMSGSIZE)
		rc = -EBADMSG; /* it was to have another size */
	if (rc || out.len == size)
		return rc;
	if (unpack_needs_tool(in->format))
		return unpack_why(ret_why, -EBADMSG, "%s could not unpack its %s payload",
				  in->format->argv[0], in->format->name);
	return unpack_why(ret_why, -EBADMSG, "its %s payload is damaged", in->format->name);
}

int unpack_all(const struct unpack_input *in, uint64_t max, uint8_t **ret_buf, uint64_t *ret_size,
	       char ret_why[UNPACK_WHY_MAX])
{
	struct unpack_output out = {.max = max};
	int rc = unpack_run(in, &out, ret_why);
	if (rc) {
		free(out.buf);
		return rc;
	}
	*ret_buf = out.buf;
	*ret_size = out.len;
	return 0;
}
