/*
 * The initramfs of a guest of `tinyvm run`: tinyvm's init, its instructions (<spec/run_protocol.h>)
 * and the modules that the kernel needs, put together in memory.
 *
 *	initramfs_create(&ia);
 *	initramfs_add_init(ia, is_64bit);
 *	initramfs_set(ia, "arg", "true");
 *	initramfs_add_modules(ia, "/lib/modules/6.1.0", wanted, count, cache_dir, found, err);
 *	initramfs_finish(ia, &data, &size);		// boot_linux.initrd_data
 *	initramfs_destroy(ia);
 *
 * The same input gives the same bytes.
 */
#ifndef TINYVM_INITRAMFS_H
#define TINYVM_INITRAMFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct initramfs;

/* Return: 0 or -ENOMEM. */
int initramfs_create(struct initramfs **ret_ia) __attribute__((warn_unused_result));
void initramfs_destroy(struct initramfs *ia);

/**
 * initramfs_add() - add a file or a directory, and the directories above it
 * @path: relative, without "." and ".."
 * @mode: S_IFREG or S_IFDIR and permissions; it belongs to root
 * @data: @len bytes, copied
 *
 * Return: 0; -EEXIST: the path is taken (a directory may be added again); -EFBIG: more than the
 * format holds; -ENOMEM.
 */
int initramfs_add(struct initramfs *ia, const char *path, uint32_t mode, const void *data,
		  size_t len) __attribute__((warn_unused_result));

/* Adds the init, for a kernel of 64 or 32 bits. Return: as initramfs_add(). */
int initramfs_add_init(struct initramfs *ia, bool is_64bit) __attribute__((warn_unused_result));

/* Adds KEY=VALUE to the init's instructions. Return: 0 or -ENOMEM. */
int initramfs_set(struct initramfs *ia, const char *key, const char *value)
	__attribute__((warn_unused_result));

/* What became of a wanted module. */
enum initramfs_found {
	INITRAMFS_MISSING, /* the kernel does not come with it, or has it without saying so */
	INITRAMFS_BUILTIN, /* it is part of the kernel */
	INITRAMFS_PACKED,  /* it and what it depends on will be loaded */
};

/**
 * initramfs_add_modules() - add modules and what they depend on, and have the init load them
 * @dir:    the kernel's modules, "/lib/modules/RELEASE": modules.dep, and modules.builtin,
 *          modules.softdep and modules.alias where there are such
 * @wanted: names, with - or _ alike
 * @cache_dir: where unpacked modules are kept (see <tinyvm/keep.h>); NULL: keep nothing
 * @ret_found: for each of the @count names
 *
 * Packed modules (.gz, .xz, .zst) are unpacked.
 * Return: 0, also with missing ones; -ENOENT: there is no @dir or no modules.dep in it; -errno: a
 * module cannot be read or unpacked; with a sentence.
 */
int initramfs_add_modules(struct initramfs *ia, const char *dir, const char *const *wanted,
			  unsigned count, const char *cache_dir, enum initramfs_found *ret_found,
			  struct err *err) __attribute__((warn_unused_result));

/**
 * initramfs_finish() - the archive
 * @ret_data: to be freed by the caller
 *
 * Once, as the last thing. Return: 0 or -ENOMEM.
 */
int initramfs_finish(struct initramfs *ia, uint8_t **ret_data, size_t *ret_size)
	__attribute__((warn_unused_result));

#endif
