/* Which image, of those in a store, and what it consists of. */
#ifndef OCI_MANIFEST_H
#define OCI_MANIFEST_H

#include "sha256.h"

#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/json.h>

struct err;
struct store;

#define MANIFEST_LAYERS_MAX 1024

/**
 * struct manifest_layer - an archive of changes
 * @name:  in the store, to be freed
 * @hex:   the SHA-256 it must have
 * @is_unpacked_sum: @hex is of the archive, not of the perhaps packed file
 * @has_size, @size: of the file, where that is known
 */
struct manifest_layer {
	char *name;
	char hex[SHA256_HEX_SIZE];
	bool is_unpacked_sum;
	bool has_size;
	uint64_t size;
};

/**
 * struct manifest - an image
 * @hex:    SHA-256 of its configuration, which names it
 * @config: the configuration
 * @layers: @count of them, the lowest first
 */
struct manifest {
	char hex[SHA256_HEX_SIZE];
	struct json *config;
	struct manifest_layer *layers;
	unsigned count;
};

/**
 * manifest_pick() - find the image for a kernel
 * @is_32bit: which takes linux/386 only; else linux/amd64, or linux/386 where there is none
 *
 * Return: 0; -errno with a sentence: there is none, there are several, or what is there is damaged.
 */
int manifest_pick(struct manifest *ret_manifest, const struct store *store, bool is_32bit,
		  struct err *err) __attribute__((warn_unused_result));
void manifest_clear(struct manifest *manifest);

#endif
