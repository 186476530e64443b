/*
 * The merged tree: how layers lie on each other (OCI image specification, "Image Layer Filesystem
 * Changeset"). Nothing in it is the host's: a path or a symlink leads nowhere but into the tree.
 *
 * A whiteout takes away what lower layers have, not what its own layer has, in whatever order they
 * come; so each entry knows the last layer that had a part in it.
 *
 * All of it is bounded: entries, bytes, depth, steps along a path. Names are found by a hash with a
 * secret in it, so that no image can make all of them collide.
 */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define BUCKETS_FIRST 1024
#define STEPS_MAX     4096 /* along one path, those of symlinks included */
#define LINKS_MAX     40   /* as Linux has it */

/**
 * struct tree - the tree
 * @buckets: @bucket_count of them, a power of two
 * @entries: names
 * @inodes:  what they lead to
 * @sorts:   how often tree_sort() was called
 * @bytes:   of memory
 */
struct tree {
	struct tree_inode *root;
	uint32_t layer;
	uint64_t secret;
	struct tree_entry **buckets;
	uint32_t bucket_count;
	uint32_t entries;
	uint32_t inodes;
	uint32_t sorts;
	uint64_t bytes;
};

const char *tree_why(int error)
{
	switch (error) {
	case -EINVAL:
		return "has a '..' or an empty name in it";
	case -ENOTDIR:
		return "is below something that is no directory";
	case -ELOOP:
		return "leads through too many symlinks or directories";
	case -ENAMETOOLONG:
		return "has a name of more than 255 bytes in it";
	case -EISDIR:
		return "is a link to a directory, or takes the root's place";
	case -ENOENT:
		return "is a hard link to something that is not there";
	case -E2BIG:
		return "is more than an image may have: a million names, or 512 MiB of them";
	default:
		return "cannot be added: there is not enough memory";
	}
}

/* Memory */

static void *tree_alloc(struct tree *tree, size_t size)
{
	void *at = tree->bytes + size <= TREE_BYTES_MAX ? calloc(1, size) : NULL;
	if (at)
		tree->bytes += size;
	return at;
}

static int tree_no_room(const struct tree *tree, size_t size)
{
	return tree->bytes + size > TREE_BYTES_MAX ? -E2BIG : -ENOMEM;
}

static void tree_meta_free(struct tree *tree, struct tree_meta *meta)
{
	if (meta->target)
		tree->bytes -= strlen(meta->target) + 1;
	free((char *)(uintptr_t)meta->target);
	tree->bytes -= meta->xattrs_len;
	free((uint8_t *)(uintptr_t)meta->xattrs);
	meta->target = NULL;
	meta->xattrs = NULL;
	meta->xattrs_len = 0;
}

/* A copy with strings of its own. */
static int tree_meta_copy(struct tree *tree, struct tree_meta *ret, const struct tree_meta *from)
{
	struct tree_meta copy = *from;
	copy.target = NULL;
	copy.xattrs = NULL;
	copy.xattrs_len = 0;
	if (from->target) {
		size_t size = strlen(from->target) + 1;
		char *target = tree_alloc(tree, size);
		if (!target)
			return tree_no_room(tree, size);
		copy.target = memcpy(target, from->target, size);
	}
	if (from->xattrs_len) {
		uint8_t *xattrs = tree_alloc(tree, from->xattrs_len);
		if (!xattrs) {
			tree_meta_free(tree, &copy);
			return tree_no_room(tree, from->xattrs_len);
		}
		copy.xattrs = memcpy(xattrs, from->xattrs, from->xattrs_len);
		copy.xattrs_len = from->xattrs_len;
	}
	*ret = copy;
	return 0;
}

static int tree_inode_make(struct tree *tree, const struct tree_meta *meta,
			   struct tree_inode **ret_inode)
{
	struct tree_inode *inode = tree_alloc(tree, sizeof(*inode));
	if (!inode)
		return tree_no_room(tree, sizeof(*inode));
	int rc = tree_meta_copy(tree, &inode->meta, meta);
	if (rc) {
		free(inode);
		tree->bytes -= sizeof(*inode);
		return rc;
	}
	tree->inodes++;
	*ret_inode = inode;
	return 0;
}

static bool tree_is_dir(const struct tree_inode *inode)
{
	return S_ISDIR(inode->meta.mode);
}

/* One name less; the last one was all that a directory has. */
static void tree_inode_drop(struct tree *tree, struct tree_inode *inode)
{
	if (!tree_is_dir(inode) && inode->nlink && --inode->nlink)
		return;
	tree_meta_free(tree, &inode->meta);
	tree->bytes -= sizeof(*inode);
	tree->inodes--;
	free(inode);
}

/* Names */

static uint32_t tree_hash(const struct tree *tree, const struct tree_inode *dir, const char *name,
			  size_t len)
{
	uint64_t h = tree->secret ^ (uintptr_t)dir;
	while (len) {
		uint64_t word = 0;
		size_t n = len < sizeof(word) ? len : sizeof(word);
		memcpy(&word, name, n);
		h = (h ^ word ^ len) * 0x9e3779b97f4a7c15u;
		h ^= h >> 29;
		h += tree->secret;
		name += n;
		len -= n;
	}
	return (uint32_t)(h >> 32);
}

static struct tree_entry *tree_find(const struct tree *tree, const struct tree_inode *dir,
				    const char *name, size_t len)
{
	uint32_t hash = tree_hash(tree, dir, name, len);
	struct tree_entry *e = tree->buckets[hash & (tree->bucket_count - 1)];
	for (; e; e = e->chain)
		if (e->hash == hash && e->dir == dir && e->len == len &&
		    memcmp(e->name, name, len) == 0)
			return e;
	return NULL;
}

/* A failure only makes chains longer. */
static void tree_grow(struct tree *tree)
{
	uint32_t count = tree->bucket_count * 2;
	struct tree_entry **buckets = calloc(count, sizeof(struct tree_entry *));
	if (!buckets)
		return;
	for (uint32_t i = 0; i < tree->bucket_count; i++) {
		for (struct tree_entry *e = tree->buckets[i], *chain; e; e = chain) {
			chain = e->chain;
			e->chain = buckets[e->hash & (count - 1)];
			buckets[e->hash & (count - 1)] = e;
		}
	}
	free(tree->buckets);
	tree->buckets = buckets;
	tree->bucket_count = count;
}

/* Gives @inode a name in @dir, where there is none like it. */
static int tree_enlist(struct tree *tree, struct tree_inode *dir, const char *name, size_t len,
		       struct tree_inode *inode)
{
	if (tree->entries == TREE_ENTRIES_MAX)
		return -E2BIG;
	if (tree_is_dir(inode) && dir->depth + 1 > TREE_DEPTH_MAX)
		return -ELOOP;
	struct tree_entry *e = tree_alloc(tree, sizeof(*e) + len);
	if (!e)
		return tree_no_room(tree, sizeof(*e) + len);
	if (tree->entries >= tree->bucket_count)
		tree_grow(tree);
	e->dir = dir;
	e->inode = inode;
	e->layer = tree->layer;
	e->len = (uint8_t)len;
	memcpy(e->name, name, len);
	e->hash = tree_hash(tree, dir, name, len);
	struct tree_entry **bucket = &tree->buckets[e->hash & (tree->bucket_count - 1)];
	e->chain = *bucket;
	*bucket = e;
	e->next = dir->first;
	if (e->next)
		e->next->prev = e;
	dir->first = e;
	dir->count++;
	tree->entries++;
	inode->nlink++;
	if (tree_is_dir(inode)) {
		inode->entry = e;
		inode->depth = dir->depth + 1;
	}
	return 0;
}

/* Of something that is no directory, or an empty one. */
static void tree_delist(struct tree *tree, struct tree_entry *e)
{
	struct tree_entry **link = &tree->buckets[e->hash & (tree->bucket_count - 1)];
	while (*link != e)
		link = &(*link)->chain;
	*link = e->chain;
	if (e->next)
		e->next->prev = e->prev;
	if (e->prev)
		e->prev->next = e->next;
	else
		e->dir->first = e->next;
	e->dir->count--;
	tree->entries--;
	tree->bytes -= sizeof(*e) + e->len;
	tree_inode_drop(tree, e->inode);
	free(e);
}

/* With all that is below it. Without recursion: down to a leaf, take it away, and so on. */
static void tree_remove(struct tree *tree, struct tree_entry *top)
{
	for (struct tree_entry *e = top;;) {
		while (tree_is_dir(e->inode) && e->inode->first)
			e = e->inode->first;
		struct tree_entry *above = e->dir->entry;
		bool is_last = e == top;
		tree_delist(tree, e);
		if (is_last)
			return;
		e = above;
	}
}

/* What comes after @e and what is below it, in the directory @top; NULL at the end of that. */
static struct tree_entry *tree_after(struct tree_entry *e, const struct tree_inode *top)
{
	while (!e->next) {
		if (e->dir == top)
			return NULL;
		e = e->dir->entry;
	}
	return e->next;
}

/* Takes away what is of lower layers in @dir, and in its directories that are not. */
static void tree_hide_below(struct tree *tree, struct tree_inode *dir)
{
	if (dir->hidden == tree->layer)
		return;
	dir->hidden = tree->layer;
	for (struct tree_entry *e = dir->first, *next; e; e = next) {
		struct tree_inode *inode = e->inode;
		bool is_ours = e->layer == tree->layer;
		next = NULL;
		if (is_ours && tree_is_dir(inode) && inode->hidden != tree->layer) {
			inode->hidden = tree->layer;
			next = inode->first;
		}
		if (!next)
			next = tree_after(e, dir);
		if (!is_ours)
			tree_remove(tree, e);
	}
}

static void tree_hide_entry(struct tree *tree, struct tree_entry *e)
{
	if (e->layer != tree->layer)
		tree_remove(tree, e);
	else if (tree_is_dir(e->inode))
		tree_hide_below(tree, e->inode);
}

/* Paths */

/**
 * struct walk - a way through the tree
 * @dir:   where it has come to
 * @steps: names so far
 * @is_making: what is missing
 */
struct walk {
	struct tree *tree;
	struct tree_inode *dir;
	unsigned steps;
	bool is_making;
};

static struct tree_inode *tree_above(const struct tree_inode *dir)
{
	return dir->entry ? dir->entry->dir : (struct tree_inode *)(uintptr_t)dir;
}

/* The next name of @path, "." left out; NULL at its end. */
static const char *tree_next_name(const char **path, const char *end, size_t *ret_len)
{
	while (*path < end) {
		const char *name = *path;
		const char *slash = memchr(name, '/', (size_t)(end - name));
		*path = slash ? slash + 1 : end;
		*ret_len = (size_t)((slash ? slash : end) - name);
		if (*ret_len && !(*ret_len == 1 && *name == '.'))
			return name;
	}
	return NULL;
}

static int walk_make(struct walk *w, const char *name, size_t len)
{
	static const struct tree_meta meta = {.mode = S_IFDIR | 0755};
	struct tree_inode *inode;
	int rc = tree_inode_make(w->tree, &meta, &inode);
	if (rc)
		return rc;
	rc = tree_enlist(w->tree, w->dir, name, len, inode);
	if (rc)
		tree_inode_drop(w->tree, inode);
	else
		w->dir = inode;
	return rc;
}

/* One name further; @ret_target: that of the symlink there, which is yet to be gone along. */
static int walk_step(struct walk *w, const char *name, size_t len, bool is_link,
		     const char **ret_target)
{
	*ret_target = NULL;
	if (++w->steps > STEPS_MAX)
		return -ELOOP;
	if (len == 2 && memcmp(name, "..", 2) == 0) {
		if (!is_link)
			return -EINVAL;
		w->dir = tree_above(w->dir);
		return 0;
	}
	if (len > TREE_NAME_MAX)
		return -ENAMETOOLONG;
	struct tree_entry *e = tree_find(w->tree, w->dir, name, len);
	if (!e)
		return w->is_making ? walk_make(w, name, len) : -ENOENT;
	if (S_ISLNK(e->inode->meta.mode))
		*ret_target = e->inode->meta.target;
	else if (!tree_is_dir(e->inode))
		return -ENOTDIR;
	else
		w->dir = e->inode;
	return 0;
}

/* From the root through all names of @path, which are directories or lead to some. */
static int walk_along(struct walk *w, const char *path, size_t path_len)
{
	struct {
		const char *at, *end;
	} rest[LINKS_MAX + 1] = {{path, path + path_len}};
	unsigned depth = 0, links = 0;
	int rc = 0;
	while (!rc) {
		size_t len;
		const char *target, *name = tree_next_name(&rest[depth].at, rest[depth].end, &len);
		if (!name && depth == 0)
			return 0;
		if (!name) {
			depth--;
			continue;
		}
		rc = walk_step(w, name, len, depth > 0, &target);
		if (rc || !target)
			continue;
		if (++links > LINKS_MAX)
			return -ELOOP;
		if (*target == '/')
			w->dir = w->tree->root;
		depth++;
		rest[depth].at = target;
		rest[depth].end = target + strlen(target);
	}
	return rc;
}

/**
 * struct place - where a path leads
 * @dir:  the directory
 * @name: in it, NULL when the path is the root's
 * @entry: what is there, NULL for nothing
 */
struct place {
	struct tree_inode *dir;
	const char *name;
	size_t len;
	struct tree_entry *entry;
};

static int tree_locate(struct tree *tree, const char *path, bool is_making, struct place *ret)
{
	struct walk w = {.tree = tree, .dir = tree->root, .is_making = is_making};
	const char *at = path, *end = path + strlen(path), *name, *last = NULL;
	size_t len, last_len = 0;
	while ((name = tree_next_name(&at, end, &len))) {
		last = name;
		last_len = len;
	}
	int rc = last ? walk_along(&w, path, (size_t)(last - path)) : 0;
	if (rc)
		return rc;
	if (last && last_len == 2 && memcmp(last, "..", 2) == 0)
		return -EINVAL;
	if (last_len > TREE_NAME_MAX)
		return -ENAMETOOLONG;
	*ret = (struct place){.dir = w.dir, .name = last, .len = last_len};
	if (last)
		ret->entry = tree_find(tree, w.dir, last, last_len);
	return 0;
}

/* A layer has had its say about @dir, and so about those above it. */
static void tree_touch(const struct tree *tree, const struct tree_inode *dir)
{
	for (; dir->entry && dir->entry->layer != tree->layer; dir = dir->entry->dir)
		dir->entry->layer = tree->layer;
}

/* Layers */

int tree_create(struct tree **ret_tree)
{
	static const struct tree_meta meta = {.mode = S_IFDIR | 0755};
	struct tree *tree = calloc(1, sizeof(*tree));
	if (!tree)
		return -ENOMEM;
	if (getrandom(&tree->secret, sizeof(tree->secret), GRND_NONBLOCK) < 0)
		tree->secret = (uintptr_t)tree;
	tree->bucket_count = BUCKETS_FIRST;
	tree->buckets = calloc(tree->bucket_count, sizeof(struct tree_entry *));
	if (!tree->buckets || tree_inode_make(tree, &meta, &tree->root) != 0) {
		free(tree->buckets);
		free(tree);
		return -ENOMEM;
	}
	*ret_tree = tree;
	return 0;
}

void tree_destroy(struct tree *tree)
{
	if (!tree)
		return;
	while (tree->root->first)
		tree_remove(tree, tree->root->first);
	tree_inode_drop(tree, tree->root);
	free(tree->buckets);
	free(tree);
}

void tree_begin_layer(struct tree *tree)
{
	tree->layer++;
}

/* New metadata for a directory that stays. */
static int tree_update(struct tree *tree, struct tree_inode *dir, const struct tree_meta *meta)
{
	struct tree_meta copy;
	int rc = tree_meta_copy(tree, &copy, meta);
	if (rc)
		return rc;
	tree_meta_free(tree, &dir->meta);
	dir->meta = copy;
	return 0;
}

int tree_add(struct tree *tree, const char *path, const struct tree_meta *meta)
{
	struct place place;
	struct tree_inode *inode;
	bool is_dir = S_ISDIR(meta->mode);
	int rc = tree_locate(tree, path, true, &place);
	if (rc)
		return rc;
	if (!place.name)
		return is_dir ? tree_update(tree, tree->root, meta) : -EISDIR;
	tree_touch(tree, place.dir);
	if (place.entry && is_dir && tree_is_dir(place.entry->inode)) {
		place.entry->layer = tree->layer;
		return tree_update(tree, place.entry->inode, meta);
	}
	if (place.entry)
		tree_remove(tree, place.entry);
	rc = tree_inode_make(tree, meta, &inode);
	if (rc)
		return rc;
	rc = tree_enlist(tree, place.dir, place.name, place.len, inode);
	if (rc)
		tree_inode_drop(tree, inode);
	return rc;
}

int tree_link(struct tree *tree, const char *path, const char *target)
{
	struct place from, to;
	int rc = tree_locate(tree, target, false, &from);
	if (rc)
		return rc;
	if (!from.name)
		return -EISDIR;
	if (!from.entry)
		return -ENOENT;
	struct tree_inode *inode = from.entry->inode;
	if (tree_is_dir(inode))
		return -EISDIR;
	rc = tree_locate(tree, path, true, &to);
	if (rc)
		return rc;
	if (!to.name)
		return -EISDIR;
	tree_touch(tree, to.dir);
	if (to.entry && to.entry->inode == inode) {
		to.entry->layer = tree->layer;
		return 0;
	}
	inode->nlink++; /* the target may be below what makes way */
	if (to.entry)
		tree_remove(tree, to.entry);
	rc = tree_enlist(tree, to.dir, to.name, to.len, inode);
	tree_inode_drop(tree, inode);
	return rc;
}

/* What is not there needs no hiding. */
static int tree_locate_hidden(struct tree *tree, const char *path, struct place *ret)
{
	int rc = tree_locate(tree, path, false, ret);
	if (rc == -ENOENT || rc == -ENOTDIR) {
		*ret = (struct place){.name = "", .entry = NULL};
		rc = 0;
	}
	return rc;
}

int tree_hide(struct tree *tree, const char *path)
{
	struct place place;
	int rc = tree_locate_hidden(tree, path, &place);
	if (!rc && place.entry)
		tree_hide_entry(tree, place.entry);
	return rc;
}

int tree_hide_all(struct tree *tree, const char *path)
{
	struct place place;
	int rc = tree_locate_hidden(tree, path, &place);
	if (rc)
		return rc;
	if (!place.name)
		tree_hide_below(tree, tree->root);
	else if (place.entry && tree_is_dir(place.entry->inode))
		tree_hide_below(tree, place.entry->inode);
	return 0;
}

int tree_make_dir(struct tree *tree, const char *path)
{
	struct walk w = {.tree = tree, .dir = tree->root, .is_making = true};
	return walk_along(&w, path, strlen(path));
}

/* Order */

static int tree_compare(const void *a, const void *b)
{
	const struct tree_entry *x = *(const struct tree_entry *const *)a;
	const struct tree_entry *y = *(const struct tree_entry *const *)b;
	int order = memcmp(x->name, y->name, x->len < y->len ? x->len : y->len);
	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static int tree_sort_dir(struct tree_inode *dir)
{
	uint32_t n = 0;
	if (!dir->count)
		return 0;
	struct tree_entry **list = calloc(dir->count, sizeof(struct tree_entry *));
	if (!list)
		return -ENOMEM;
	for (struct tree_entry *e = dir->first; e; e = e->next)
		list[n++] = e;
	qsort(list, n, sizeof(struct tree_entry *), tree_compare);
	dir->first = list[0];
	for (uint32_t i = 0; i < n; i++) {
		list[i]->prev = i ? list[i - 1] : NULL;
		list[i]->next = i + 1 < n ? list[i + 1] : NULL;
	}
	free(list);
	return 0;
}

int tree_sort(struct tree *tree, struct tree_inode ***ret_list, uint32_t *ret_count)
{
	uint32_t count = 0;
	struct tree_inode **list = calloc(tree->inodes, sizeof(struct tree_inode *));
	if (!list)
		return -ENOMEM;
	list[count++] = tree->root;
	tree->sorts++;
	for (uint32_t i = 0; i < count; i++) {
		struct tree_inode *dir = list[i];
		if (!tree_is_dir(dir))
			continue;
		if (tree_sort_dir(dir) != 0) {
			free(list);
			return -ENOMEM;
		}
		dir->nlink = 2;
		for (struct tree_entry *e = dir->first; e; e = e->next) {
			bool is_dir = tree_is_dir(e->inode);
			dir->nlink += is_dir;
			if (is_dir || e->inode->listed != tree->sorts)
				list[count++] = e->inode;
			e->inode->listed = tree->sorts;
		}
	}
	*ret_list = list;
	*ret_count = count;
	return 0;
}
