/*
 * Container images as root file systems: an OCI image layout, or a tarball of `docker save`, made
 * into an EROFS image, which keeps owners, modes, devices and extended attributes whoever makes it.
 */
#ifndef TINYVM_OCI_H
#define TINYVM_OCI_H

#include <stdbool.h>

struct err;

#define OCI_LIST_MAX 1024 /* words of a command, variables */

/**
 * struct oci_options - how to open an image
 * @is_32bit:  for a guest kernel of 32 bits
 * @cache_dir: where images are kept between runs (see <tinyvm/keep.h>), NULL for nowhere
 * @tmpdir:    where they are made otherwise, in a file without a name
 */
struct oci_options {
	bool is_32bit;
	const char *cache_dir;
	const char *tmpdir;
};

/**
 * struct oci_image - an image that is ready
 * @fd:   the EROFS image, to be read only; whole blocks of 4096 bytes
 * @cwd:  absolute, where the command starts; it is there; NULL for nothing said
 * @user: as the image has it, "" for root
 * @env:  NAME=VALUE, @env_count of them
 * @command: its entry point and that one's arguments, @command_count words
 * @priv: where the strings are
 */
struct oci_image {
	int fd;
	const char *cwd;
	const char *user;
	const char *env[OCI_LIST_MAX];
	unsigned env_count;
	const char *command[OCI_LIST_MAX];
	unsigned command_count;
	void *priv;
};

/* Whether @path is to be taken for an image: a file, or a directory with an OCI image layout. */
bool oci_is_image(const char *path);

/**
 * oci_open() - unpack an image, or find that it has been
 *
 * Memory does not grow with its contents, but with the number of its files, up to a limit. What it
 * is made of is read, and checked, only if it is not in the cache. A file is left in @cache_dir
 * alone, and only when it is complete.
 *
 * Return: 0; -errno with a sentence that does not name @path.
 */
int oci_open(struct oci_image *ret_image, const char *path, const struct oci_options *options,
	     struct err *err) __attribute__((warn_unused_result));
void oci_close(struct oci_image *image);

#endif
