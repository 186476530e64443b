/* The compressed kernel inside a bzImage, unpacked on the host. */
#ifndef BOOT_PAYLOAD_H
#define BOOT_PAYLOAD_H

#include <stdint.h>
#include <tinyvm/unpack.h>

#define PAYLOAD_SIZE_MAX (1ULL << 30)

/**
 * struct payload - where the compressed kernel lies
 * @off, @len: in the file, the final 4 bytes with the unpacked size included
 * @format: as its first bytes say
 */
struct payload {
	int fd;
	uint64_t off;
	uint64_t len;
	const struct unpack_format *format;
};

/**
 * payload_unpack() - unpack into a memory file
 * @stall_ms: a tool that prints nothing for so long is killed
 * @ret_fd:   a memfd, @ret_size bytes
 * @ret_why:  on failure why not, to follow "because ..."
 *
 * Return: 0 or -errno, as unpack_exactly().
 */
int payload_unpack(const struct payload *p, unsigned stall_ms, int *ret_fd, uint64_t *ret_size,
		   char ret_why[UNPACK_WHY_MAX]) __attribute__((warn_unused_result));

#endif
