/* The files that an image is kept in: a directory, or a tarball with all of it. */
#ifndef OCI_STORE_H
#define OCI_STORE_H

#include "sha256.h"

#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/json.h>

struct err;
struct store;

/**
 * struct blob - one of the files
 * @off, @len: of it in @fd
 * @is_own: @fd is closed by blob_close(); else it is the store's
 */
struct blob {
	int fd;
	uint64_t off;
	uint64_t len;
	bool is_own;
};

/**
 * store_open() - open the directory or the tarball @path
 * @tmpdir: where a tarball that is packed is unpacked, in a file without a name
 *
 * Return: 0 or -errno with a sentence that does not name @path.
 */
int store_open(struct store **ret_store, const char *path, const char *tmpdir, struct err *err)
	__attribute__((warn_unused_result));
void store_close(struct store *store);

/* Opens the file @name, relative. Return: 0; -ENOENT; -errno: it is no regular file ... */
int store_find(const struct store *store, const char *name, struct blob *ret_blob)
	__attribute__((warn_unused_result));
void blob_close(struct blob *blob);

/**
 * store_read_json() - read a document
 * @hex: the SHA-256 it must have, NULL for any
 *
 * Return: 0; -errno with a sentence.
 */
int store_read_json(const struct store *store, const char *name, const char *hex,
		    struct json **ret_json, struct err *err) __attribute__((warn_unused_result));

#endif
