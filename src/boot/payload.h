/* The compressed kernel inside a bzImage, unpacked on the host. */
#ifndef BOOT_PAYLOAD_H
#define BOOT_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_SIZE_MAX (1ULL << 30)
#define PAYLOAD_WHY_MAX	 160

struct payload_format;

/**
 * struct payload - where the compressed kernel lies
 * @off, @len: in the file, the final 4 bytes with the unpacked size included
 * @format: as its first bytes say
 */
struct payload {
	int fd;
	uint64_t off;
	uint64_t len;
	const struct payload_format *format;
};

/**
 * payload_identify() - recognise the compression
 * @head: the first @len bytes
 * Return: NULL for an unknown one.
 */
const struct payload_format *payload_identify(const uint8_t *head, size_t len);
const char *payload_format_name(const struct payload_format *format);

/* Whether unpacking needs a program of the host. */
bool payload_needs_tool(const struct payload_format *format);

/* Whether a whole file of this format ends in its unpacked size, as a payload does: gzip alone. */
bool payload_is_whole_file(const struct payload_format *format);

/**
 * payload_unpack() - unpack into a memory file
 * @stall_ms: a tool that prints nothing for so long is killed
 * @ret_fd:   a memfd, @ret_size bytes
 * @ret_why:  on failure why not, to follow "because ..."
 *
 * Return: 0 or -errno: -ENOENT the tool is not installed, -ETIMEDOUT it hung, -EBADMSG the payload
 * is damaged or the tool failed, -ENOMEM ...
 */
int payload_unpack(const struct payload *p, unsigned stall_ms, int *ret_fd, uint64_t *ret_size,
		   char ret_why[PAYLOAD_WHY_MAX]) __attribute__((warn_unused_result));

#endif
