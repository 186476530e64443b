/* A strict reader of EROFS images, from the format's description alone. */
#include "eroread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK EROFS_BLOCK_SIZE

static void insist(bool is_so, const char *what)
{
	if (is_so)
		return;
	fprintf(stderr, "eroread: %s\n", what);
	abort();
}

/* Where an inode is, in bytes. */
static uint64_t inode_at(const struct eroread *er, uint64_t nid)
{
	return (uint64_t)er->super.meta_block * BLOCK + nid * EROFS_SLOT_SIZE;
}

static struct erofs_inode read_inode(const struct eroread *er, uint64_t nid)
{
	struct erofs_inode inode;
	uint64_t at = inode_at(er, nid);
	insist(at + sizeof(inode) <= er->len, "an inode is outside the image");
	insist(at % BLOCK + sizeof(inode) <= BLOCK, "an inode lies in two blocks");
	memcpy(&inode, er->data + at, sizeof(inode));
	insist((inode.format & 1) == EROFS_INODE_EXTENDED && !(inode.format & ~0xf),
	       "an inode's format");
	insist(inode.nlink > 0, "an inode without links");
	insist(inode.mtime_ns < 1000000000, "nanoseconds");
	return inode;
}

static size_t xattrs_size(const struct erofs_inode *inode)
{
	return inode->xattr_count
		       ? sizeof(struct erofs_xattr_head) + 4 * ((size_t)inode->xattr_count - 1)
		       : 0;
}

static bool has_blocks(const struct erofs_inode *inode)
{
	unsigned type = inode->mode & S_IFMT;
	return type == S_IFREG || type == S_IFDIR || type == S_IFLNK;
}

/* The @index-th block of its contents. */
static const uint8_t *content_block(const struct eroread *er, uint64_t nid, uint64_t index,
				    size_t *ret_len)
{
	struct erofs_inode inode = read_inode(er, nid);
	uint64_t from = index * BLOCK, left = inode.size - from, at;
	size_t len = left < BLOCK ? (size_t)left : BLOCK;
	insist(has_blocks(&inode) && from < inode.size, "contents of something without");
	if ((inode.format & 0xe) == EROFS_LAYOUT_INLINE && left <= BLOCK) {
		at = inode_at(er, nid) + sizeof(inode) + xattrs_size(&inode);
		insist(at / BLOCK == (at + len - 1) / BLOCK, "inlined contents in two blocks");
	} else {
		at = ((uint64_t)inode.where + index) * BLOCK;
		insist(inode.where > 0, "contents in the superblock");
	}
	insist(at + len <= er->len, "contents outside the image");
	*ret_len = len;
	return er->data + at;
}

/* Names */

typedef void visit_fn(void *ctx, const char *name, size_t len, uint64_t nid, unsigned type);

static void read_names(const uint8_t *block, size_t len, visit_fn *visit, void *ctx)
{
	struct erofs_dirent d, next;
	insist(len >= sizeof(d), "a directory's block is empty");
	memcpy(&d, block, sizeof(d));
	size_t count = d.name_offset / sizeof(d);
	insist(count && d.name_offset % sizeof(d) == 0 && d.name_offset <= len, "name offsets");
	for (size_t i = 0; i < count; i++, d = next) {
		const char *name = (const char *)block + d.name_offset;
		size_t end = len;
		if (i + 1 < count) {
			memcpy(&next, block + (i + 1) * sizeof(next), sizeof(next));
			end = next.name_offset;
		}
		insist(d.name_offset < end && end <= len, "name offsets are out of order");
		size_t n = i + 1 < count ? end - d.name_offset : strnlen(name, end - d.name_offset);
		insist(n > 0 && n <= EROFS_NAME_MAX && !memchr(name, '/', n) &&
			       !memchr(name, '\0', n),
		       "a name");
		visit(ctx, name, n, d.nid, d.type);
	}
}

static void read_dir(const struct eroread *er, uint64_t nid, visit_fn *visit, void *ctx)
{
	struct erofs_inode inode = read_inode(er, nid);
	insist(S_ISDIR(inode.mode) && inode.size > 0, "a directory");
	for (uint64_t i = 0; i * BLOCK < inode.size; i++) {
		size_t len;
		const uint8_t *block = content_block(er, nid, i, &len);
		read_names(block, len, visit, ctx);
	}
}

/* Checks */

/* @links, @dirs: what was found; @seen: names, and directories among them, for each slot */
struct check {
	const struct eroread *er;
	uint64_t nid, parent;
	char last[EROFS_NAME_MAX + 1];
	size_t last_len;
	uint32_t dirs;
	bool has_dot, has_dot_dot;
	uint32_t *links;
	uint64_t *todo;
	size_t todo_count, slots, inodes;
};

static unsigned type_of(unsigned mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return EROFS_TYPE_FILE;
	case S_IFDIR:
		return EROFS_TYPE_DIR;
	case S_IFCHR:
		return EROFS_TYPE_CHAR;
	case S_IFBLK:
		return EROFS_TYPE_BLOCK;
	case S_IFIFO:
		return EROFS_TYPE_FIFO;
	case S_IFLNK:
		return EROFS_TYPE_SYMLINK;
	default:
		return EROFS_TYPE_UNKNOWN;
	}
}

static void check_xattrs(const struct eroread *er, uint64_t nid)
{
	struct erofs_inode inode = read_inode(er, nid);
	uint64_t at = inode_at(er, nid) + sizeof(inode), end = at + xattrs_size(&inode);
	insist(end <= er->len, "attributes outside the image");
	at += inode.xattr_count ? sizeof(struct erofs_xattr_head) : 0;
	while (at < end) {
		struct erofs_xattr x;
		memcpy(&x, er->data + at, sizeof(x));
		insist(x.prefix >= 1 && x.prefix <= 6, "an attribute's prefix");
		at += (sizeof(x) + x.name_len + x.value_size + 3) / 4 * 4;
	}
	insist(at == end, "attributes are longer than their inode says");
}

static void check_inode(struct check *c, uint64_t nid, unsigned type)
{
	const struct eroread *er = c->er;
	struct erofs_inode inode = read_inode(er, nid);
	insist(nid && nid < c->slots && type == type_of(inode.mode), "a name's type");
	check_xattrs(er, nid);
	if (S_ISDIR(inode.mode))
		c->todo[c->todo_count++] = nid;
	if (!c->links[nid]++)
		c->inodes++;
	for (uint64_t i = 0; has_blocks(&inode) && i * BLOCK < inode.size; i++) {
		size_t len;
		content_block(er, nid, i, &len);
	}
	insist(!S_ISLNK(inode.mode) || inode.size > 0, "an empty symlink");
}

static void check_name(void *ctx, const char *name, size_t len, uint64_t nid, unsigned type)
{
	struct check *c = ctx;
	int order = memcmp(c->last, name, c->last_len < len ? c->last_len : len);
	insist(order < 0 || (order == 0 && c->last_len < len), "names are not sorted");
	memcpy(c->last, name, len);
	c->last_len = len;
	if (len == 1 && *name == '.') {
		insist(nid == c->nid && type == EROFS_TYPE_DIR, "the name .");
		c->has_dot = true;
	} else if (len == 2 && memcmp(name, "..", 2) == 0) {
		c->parent = nid;
		c->has_dot_dot = true;
	} else {
		c->dirs += type == EROFS_TYPE_DIR;
		check_inode(c, nid, type);
	}
}

static void check_all(const struct eroread *er)
{
	struct check c = {.er = er, .slots = er->len / EROFS_SLOT_SIZE};
	c.links = calloc(c.slots, sizeof(*c.links));
	c.todo = calloc(c.slots + 1, sizeof(*c.todo));
	insist(c.links && c.todo, "memory");
	check_inode(&c, er->super.root_nid, EROFS_TYPE_DIR);
	for (size_t i = 0; i < c.todo_count; i++) {
		c.nid = c.todo[i];
		c.last_len = c.dirs = 0;
		c.has_dot = c.has_dot_dot = false;
		insist(c.todo_count <= c.slots, "a directory has two names");
		read_dir(er, c.nid, check_name, &c);
		insist(c.has_dot && c.has_dot_dot, "a directory without . or ..");
		insist(read_inode(er, c.nid).nlink == 2 + c.dirs, "a directory's links");
		insist(c.nid != er->super.root_nid || c.parent == c.nid, "the root's ..");
	}
	for (uint64_t nid = 0; nid < c.slots; nid++) {
		if (!c.links[nid])
			continue;
		struct erofs_inode inode = read_inode(er, nid);
		insist(S_ISDIR(inode.mode) ? c.links[nid] == 1 : inode.nlink == c.links[nid],
		       "an inode's links");
	}
	insist(c.inodes == er->super.inodes, "the number of inodes");
	free(c.links);
	free(c.todo);
}

void eroread_open(struct eroread *er, int fd)
{
	struct stat st;
	insist(fstat(fd, &st) == 0, "stat");
	er->len = (size_t)st.st_size;
	er->data = malloc(er->len + 1);
	insist(er->data && pread(fd, er->data, er->len, 0) == st.st_size, "read");
	insist(er->len >= BLOCK, "the image is no block long");
	memcpy(&er->super, er->data + EROFS_SUPER_OFFSET, sizeof(er->super));
	insist(er->super.magic == EROFS_MAGIC && er->super.block_bits == EROFS_BLOCK_BITS &&
		       !er->super.feature_incompat,
	       "the superblock");
	insist((uint64_t)er->super.blocks * BLOCK == er->len, "the number of blocks");
	check_all(er);
}

void eroread_close(struct eroread *er)
{
	free(er->data);
	er->data = NULL;
}

/* Looking things up */

struct search {
	const char *name;
	size_t len;
	uint64_t nid;
};

static void search_name(void *ctx, const char *name, size_t len, uint64_t nid, unsigned type)
{
	struct search *s = ctx;
	(void)type;
	if (len == s->len && memcmp(name, s->name, len) == 0)
		s->nid = nid;
}

bool eroread_find(const struct eroread *er, const char *path, struct erofs_inode *ret_inode,
		  uint64_t *ret_nid)
{
	uint64_t nid = er->super.root_nid;
	while (*path) {
		struct search s = {.name = path, .len = strcspn(path, "/")};
		if (s.len) {
			if (!S_ISDIR(read_inode(er, nid).mode))
				return false;
			read_dir(er, nid, search_name, &s);
			if (!s.nid)
				return false;
			nid = s.nid;
		}
		path += s.len + (path[s.len] == '/');
	}
	*ret_inode = read_inode(er, nid);
	*ret_nid = nid;
	return true;
}

char *eroread_contents(const struct eroread *er, uint64_t nid, size_t *ret_len)
{
	struct erofs_inode inode = read_inode(er, nid);
	char *all = calloc(1, (size_t)inode.size + 1);
	insist(all, "memory");
	for (uint64_t i = 0; i * BLOCK < inode.size; i++) {
		size_t len;
		const uint8_t *block = content_block(er, nid, i, &len);
		memcpy(all + i * BLOCK, block, len);
	}
	all[inode.size] = '\0';
	*ret_len = (size_t)inode.size;
	return all;
}

static char answer[8192];

const char *eroread_text(const struct eroread *er, const char *path)
{
	struct erofs_inode inode;
	uint64_t nid;
	size_t len;
	if (!eroread_find(er, path, &inode, &nid) || !has_blocks(&inode))
		return "(none)";
	char *all = eroread_contents(er, nid, &len);
	snprintf(answer, sizeof(answer), "%s", all);
	free(all);
	return answer;
}

static void list_name(void *ctx, const char *name, size_t len, uint64_t nid, unsigned type)
{
	size_t *used = ctx;
	(void)nid, (void)type;
	if ((len == 1 && *name == '.') || (len == 2 && memcmp(name, "..", 2) == 0) ||
	    *used + len + 2 > sizeof(answer))
		return;
	*used += (size_t)sprintf(answer + *used, "%s%.*s", *used ? " " : "", (int)len, name);
}

const char *eroread_list(const struct eroread *er, const char *path)
{
	struct erofs_inode inode;
	uint64_t nid;
	size_t used = 0;
	answer[0] = '\0';
	if (!eroread_find(er, path, &inode, &nid) || !S_ISDIR(inode.mode))
		return "(none)";
	read_dir(er, nid, list_name, &used);
	return answer;
}

const uint8_t *eroread_xattr(const struct eroread *er, const char *path, unsigned prefix,
			     const char *name, size_t *ret_len)
{
	struct erofs_inode inode;
	uint64_t nid;
	if (!eroread_find(er, path, &inode, &nid))
		return NULL;
	uint64_t at = inode_at(er, nid) + sizeof(inode), end = at + xattrs_size(&inode);
	for (at += sizeof(struct erofs_xattr_head); at < end;) {
		struct erofs_xattr x;
		memcpy(&x, er->data + at, sizeof(x));
		const uint8_t *text = er->data + at + sizeof(x);
		if (x.prefix == prefix && x.name_len == strlen(name) &&
		    memcmp(text, name, x.name_len) == 0) {
			*ret_len = x.value_size;
			return text + x.name_len;
		}
		at += (sizeof(x) + x.name_len + x.value_size + 3) / 4 * 4;
	}
	return NULL;
}
