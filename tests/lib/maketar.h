/* Tar archives for tests, put together in memory. */
#ifndef TEST_MAKETAR_H
#define TEST_MAKETAR_H

#include <spec/tar.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct maketar - an archive in the making; all zero to begin with
 * @uid, @gid, @mode, @mtime, @major, @minor: of the members that follow; @mode 0 is 0644, and 0755
 *	for directories
 */
struct maketar {
	uint8_t *data;
	size_t len;
	uint32_t uid, gid, mode;
	uint64_t mtime;
	uint32_t major, minor;
};

/* A member of @len bytes, whose header ends the test program when @name does not fit it. */
void maketar_add(struct maketar *mt, char type, const char *name, const char *link,
		 const void *data, size_t len);

/* A file that is a text, a directory, a link. */
void maketar_file(struct maketar *mt, const char *name, const char *text);
void maketar_dir(struct maketar *mt, const char *name);
void maketar_link(struct maketar *mt, char type, const char *name, const char *target);

/* A pax header for the next member; records of KEY and VALUE, @len bytes, gather in a text. */
size_t maketar_record(char *out, const char *key, const void *value, size_t len);
void maketar_pax(struct maketar *mt, const char *key, const char *value);

/* Bytes as they are. */
void maketar_raw(struct maketar *mt, const void *data, size_t len);

/* Puts the header at @off right after a change of it. */
void maketar_sum(struct maketar *mt, size_t off);

/* The two empty blocks. */
void maketar_end(struct maketar *mt);

#endif
