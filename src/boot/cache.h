/* Unpacked kernels kept between runs. */
#ifndef BOOT_CACHE_H
#define BOOT_CACHE_H

#include "file.h"
#include "vmlinux.h"

#define CACHE_ENTRIES_MAX 8
#define CACHE_NAME_MAX	  80
#define CACHE_PREFIX	  "kernel-"
#define CACHE_SEEN_PREFIX "seen-"

/**
 * struct cache_key - what an entry was unpacked from
 * @hash, @size: of the compressed payload
 */
struct cache_key {
	struct file_hash hash;
	uint64_t size;
};

/* The name of an entry. */
void cache_name(const struct cache_key *key, char name[CACHE_NAME_MAX]);

/**
 * cache_load() - look an entry up
 * @ret_vmlinux: extents refer to @ret_fd
 *
 * A torn or foreign entry is removed. Return: 0, -ENOENT.
 */
int cache_load(int dirfd, const struct cache_key *key, int *ret_fd, struct vmlinux *ret_vmlinux)
	__attribute__((warn_unused_result));

/**
 * cache_store() - add an entry
 * @vmlinux: in and out: refers to @raw_fd, then to @ret_fd
 *
 * Concurrent runs may store the same key: the last one stays, all have equal contents. At most
 * CACHE_ENTRIES_MAX entries are kept, the longest unused go first.
 * Return: 0 or -errno (disk full, ...): @vmlinux is then untouched and nothing is left behind.
 */
int cache_store(int dirfd, const struct cache_key *key, int raw_fd, struct vmlinux *vmlinux,
		int *ret_fd) __attribute__((warn_unused_result));

/**
 * cache_recall() - the key of bytes [@off, @off + @len) of @fd, when cache_remember() has noted it
 *                  and the file is still the same by all that fstat() tells
 * cache_remember() - note it, unless the file changed only now: it might do so again unseen
 * Return: 0, -ENOENT.
 */
int cache_recall(int dirfd, int fd, uint64_t off, uint64_t len, struct cache_key *ret_key)
	__attribute__((warn_unused_result));
void cache_remember(int dirfd, int fd, uint64_t off, uint64_t len, const struct cache_key *key);

#endif
