/* Reading a tar archive from its first byte to its last. */
#ifndef OCI_TAR_H
#define OCI_TAR_H

#include <spec/tar.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TAR_PATH_MAX   4096 /* with its NUL */
#define TAR_XATTRS_MAX 65536
#define TAR_WHY_MAX    160

/**
 * struct tar_entry - a member
 * @type:   TAR_FILE, TAR_HARD_LINK, TAR_SYMLINK, TAR_CHAR, TAR_BLOCK, TAR_DIR or TAR_FIFO
 * @path, @target: as they are written, never empty, @target but for links
 * @size:   bytes of data, of files only
 * @mode:   permissions, 07777
 * @xattrs: @xattrs_len bytes: for each attribute its name with a NUL, the length of its value as
 *          two bytes, little-endian, and the value
 * Strings are the reader's, until the next member.
 */
struct tar_entry {
	enum tar_type type;
	const char *path;
	const char *target;
	uint64_t size;
	uint32_t mode;
	uint32_t uid, gid;
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint32_t major, minor;
	const uint8_t *xattrs;
	size_t xattrs_len;
};

/**
 * struct tar_source - where the bytes come from
 * @read: up to @len bytes; 0 at the end; -errno
 * @skip: passes over @len bytes, of which the source may have fewer; NULL: they are read. -errno
 */
struct tar_source {
	ssize_t (*read)(void *ctx, void *buf, size_t len);
	int (*skip)(void *ctx, uint64_t len);
	void *ctx;
};

struct tar;

/* Return: 0 or -ENOMEM. */
int tar_open(struct tar **ret_tar, const struct tar_source *source)
	__attribute__((warn_unused_result));
void tar_close(struct tar *tar);

/* Whether a block is a header, by its checksum. */
bool tar_is_header(const uint8_t block[TAR_BLOCK_SIZE]);

/**
 * tar_next() - go to the next member, over what is left of this one's data
 *
 * Return: 1 with @ret_entry; 0 at the archive's end; -errno: the source's own, which tar_why() says
 * nothing about, else -EBADMSG (damaged, or cut off), -EOPNOTSUPP (of a kind that is not read) or
 * -ENOMEM.
 */
int tar_next(struct tar *tar, struct tar_entry *ret_entry) __attribute__((warn_unused_result));

/* Reads the member's data. Return: bytes, 0 at its end; -errno as tar_next(). */
ssize_t tar_read(struct tar *tar, void *buf, size_t len) __attribute__((warn_unused_result));

/* Why the archive cannot be read, "" when its source said so. */
const char *tar_why(const struct tar *tar);

#endif
