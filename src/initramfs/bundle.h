/* Modules that were unpacked before, kept together (private to src/initramfs). */
#ifndef INITRAMFS_BUNDLE_H
#define INITRAMFS_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index_module;

/**
 * struct bundle_file - a module
 * @is_packed: the file is, @data is not
 */
struct bundle_file {
	const struct index_module *module;
	char *path;
	uint8_t *data;
	uint64_t size;
	bool is_packed;
};

/**
 * struct bundle - the modules of one guest, in order
 * @key: what bundle_load() found out of the files as they are
 * @is_settled: all have been left alone long enough to be known again by their times
 */
struct bundle {
	struct bundle_file *files;
	size_t count;
	uint64_t key[2];
	bool is_settled;
};

/* Fills in the files' data. Return: whether it was there. */
bool bundle_load(struct bundle *b, const char *cache_dir);

/* Keeps the files' data, when any had to be unpacked. */
void bundle_store(const struct bundle *b, const char *cache_dir);

#endif
