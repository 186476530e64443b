/*
 * The tree of files that an image's layers make, in memory: names and what belongs to them, not
 * the files' contents.
 */
#ifndef OCI_TREE_H
#define OCI_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_ENTRIES_MAX (1u << 20)
#define TREE_BYTES_MAX	 (512ull << 20)
#define TREE_DEPTH_MAX	 1024
#define TREE_NAME_MAX	 255

struct tree_entry;

/**
 * struct tree_meta - what belongs to a file, beside its contents
 * @mode:   as stat() has it: type and permissions
 * @size:   of a file
 * @block:  where its contents begin, for whoever stores them
 * @major, @minor: of a device
 * @target: of a symlink, else NULL
 * @xattrs: @xattrs_len bytes as in struct tar_entry
 */
struct tree_meta {
	uint32_t mode;
	uint32_t uid, gid;
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint64_t size;
	uint32_t block;
	uint32_t major, minor;
	const char *target;
	const uint8_t *xattrs;
	size_t xattrs_len;
};

/**
 * struct tree_inode - a file, a directory or something else
 * @nlink: names; of a directory 2 and its directories, once tree_sort() has counted
 * @entry: of a directory: its name, NULL for the root
 * @first: of a directory: what is in it
 * @count: how many
 * @depth: of a directory: of those above it
 * @hidden: of a directory: the last layer that hid what was below it
 * @listed: in the list of which tree_sort()
 * @nid, @where, @is_inline: of whoever stores it
 */
struct tree_inode {
	struct tree_meta meta;
	uint32_t nlink;
	struct tree_entry *entry;
	struct tree_entry *first;
	uint32_t count;
	uint32_t depth;
	uint32_t hidden;
	uint32_t listed;
	uint64_t nid;
	uint32_t where;
	bool is_inline;
};

/**
 * struct tree_entry - a name in a directory
 * @chain: others of the same hash
 * @layer: the last that had something to say about it, or about what is below it
 */
struct tree_entry {
	struct tree_entry *chain;
	struct tree_entry *next, *prev;
	struct tree_inode *dir;
	struct tree_inode *inode;
	uint32_t hash;
	uint32_t layer;
	uint8_t len;
	char name[];
};

struct tree;

/* Return: 0 or -ENOMEM; a tree with nothing but a root, 0755 and root's. */
int tree_create(struct tree **ret_tree) __attribute__((warn_unused_result));
void tree_destroy(struct tree *tree);

/* What follows is of another layer. */
void tree_begin_layer(struct tree *tree);

/**
 * tree_add() - add what a layer has, in the place of what lower ones have
 * @path: from the root on, where symlinks on its way lead within the tree; missing directories are
 *        made. A directory that is there keeps what is in it.
 *
 * tree_link() - a further name for what has the name @target
 * tree_hide() - a whiteout: take away what lower layers have at @path, if they have
 * tree_hide_all() - and all that they have in the directory @path
 *
 * Return: 0 or -errno, which tree_why() explains: -EINVAL, -ENOTDIR, -ELOOP, -ENAMETOOLONG,
 * -EISDIR, -ENOENT (of tree_link() alone), -E2BIG, -ENOMEM.
 */
int tree_add(struct tree *tree, const char *path, const struct tree_meta *meta)
	__attribute__((warn_unused_result));
int tree_link(struct tree *tree, const char *path, const char *target)
	__attribute__((warn_unused_result));
int tree_hide(struct tree *tree, const char *path) __attribute__((warn_unused_result));
int tree_hide_all(struct tree *tree, const char *path) __attribute__((warn_unused_result));

/* What is wrong with a path, or with the tree, to follow "'a/b' ". */
const char *tree_why(int error);

/* A directory like any other, made unless it is there. Return: as tree_add(). */
int tree_make_dir(struct tree *tree, const char *path) __attribute__((warn_unused_result));

/**
 * tree_sort() - bring it into order
 * @ret_list: all inodes, each once: the root first, a directory before what is in it; to be freed
 *
 * Directories are sorted by bytes, and links counted. Return: 0 or -ENOMEM.
 */
int tree_sort(struct tree *tree, struct tree_inode ***ret_list, uint32_t *ret_count)
	__attribute__((warn_unused_result));

#endif
