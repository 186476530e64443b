/*
 * A reader of EROFS images for tests, strict: an image that is not just as it should be ends the
 * test program with a sentence.
 */
#ifndef TEST_EROREAD_H
#define TEST_EROREAD_H

#include <spec/erofs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct eroread - an image
 * @data: all of it
 */
struct eroread {
	uint8_t *data;
	size_t len;
	struct erofs_super super;
};

/* Reads all of @fd, and checks all that can be reached from the root. */
void eroread_open(struct eroread *er, int fd);
void eroread_close(struct eroread *er);

/* The inode at @path, symlinks as they are; false when there is none. */
bool eroread_find(const struct eroread *er, const char *path, struct erofs_inode *ret_inode,
		  uint64_t *ret_nid);

/* Its contents, with a NUL behind them, to be freed. */
char *eroread_contents(const struct eroread *er, uint64_t nid, size_t *ret_len);

/* Contents by path, as a text; "(none)" when there is nothing. Valid until the next call. */
const char *eroread_text(const struct eroread *er, const char *path);

/* All names below @path's directory, sorted, with blanks between. Valid until the next call. */
const char *eroread_list(const struct eroread *er, const char *path);

/* The attribute of @prefix and @name, NULL for none, @ret_len bytes. */
const uint8_t *eroread_xattr(const struct eroread *er, const char *path, unsigned prefix,
			     const char *name, size_t *ret_len);

#endif
