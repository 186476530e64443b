/* Putting a layer on those below it. */
#ifndef OCI_LAYER_H
#define OCI_LAYER_H

#include "tar.h"

#include <stdint.h>

struct erofs;
struct err;
struct manifest_layer;
struct store;
struct tree;

#define LAYER_MEMBERS_MAX (4u << 20) /* of all layers together */

/**
 * struct layers - what layers go to
 * @tree:  names and what belongs to them
 * @image: contents of files
 * @where: the directory that the image is in, for sentences
 * @members: seen so far, in all layers
 */
struct layers {
	struct tree *tree;
	struct erofs *image;
	const char *where;
	uint32_t members;
};

/**
 * layer_apply() - put the layer @number (from 1 on) on top
 *
 * Return: 0; -errno with a sentence, and then what it went to is of no use any more.
 */
int layer_apply(struct layers *to, const struct store *store, const struct manifest_layer *layer,
		unsigned number, struct err *err) __attribute__((warn_unused_result));

/**
 * layer_apply_tar() - the same from an archive that is open
 *
 * Return: as layer_apply(); an error of the archive's source is left without a sentence.
 */
int layer_apply_tar(struct layers *to, struct tar *tar, struct err *err)
	__attribute__((warn_unused_result));

#endif
