/*
 * An uncompressed EROFS image, see <spec/erofs.h>: a block for the superblock, the contents of
 * files, whole blocks each, what of directories is too large to lie beside their inodes, and the
 * inodes. Owners, modes, times, devices and extended attributes are the image's own, whoever
 * writes it. The superblock comes last, so an unfinished file is no image.
 *
 * All inodes are of the large kind, 64 bytes, and aligned to that, so that none lies in two blocks.
 * Left out on purpose: compression, inlined ends of files (their contents would have to be kept
 * until the inodes are laid out), shared attributes, the superblock's checksum.
 */
#include "erofs.h"

#include <assert.h>
#include <errno.h>
#include <spec/erofs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUF_SIZE   (256u << 10)
#define INODE_SIZE sizeof(struct erofs_inode)
#define META_FIRST INODE_SIZE /* no inode has the number 0 */

int erofs_begin(struct erofs *image, int fd)
{
	*image = (struct erofs){.fd = fd, .buf = malloc(BUF_SIZE)};
	if (!image->buf)
		return -ENOMEM;
	memset(image->buf, 0, EROFS_BLOCK_SIZE);
	image->at = image->held = EROFS_BLOCK_SIZE;
	return 0;
}

void erofs_end(struct erofs *image)
{
	free(image->buf);
	image->buf = NULL;
}

/* Bytes */

static int erofs_write(int fd, const uint8_t *buf, size_t len, uint64_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, buf, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		buf += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int erofs_flush(struct erofs *image)
{
	int rc = erofs_write(image->fd, image->buf, image->held, image->at - image->held);
	image->held = 0;
	return rc;
}

int erofs_append(struct erofs *image, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	if (len > EROFS_BYTES_MAX - image->at)
		return -EFBIG;
	while (len) {
		size_t n = BUF_SIZE - image->held < len ? BUF_SIZE - image->held : len;
		memcpy(image->buf + image->held, from, n);
		image->held += n;
		image->at += n;
		from += n;
		len -= n;
		int rc = image->held == BUF_SIZE ? erofs_flush(image) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

static int erofs_zeroes(struct erofs *image, uint64_t to)
{
	static const uint8_t zero[EROFS_BLOCK_SIZE];
	assert(to >= image->at && to - image->at <= sizeof(zero));
	return erofs_append(image, zero, (size_t)(to - image->at));
}

static uint64_t erofs_round(uint64_t bytes, uint64_t unit)
{
	return (bytes + unit - 1) / unit * unit;
}

int erofs_pad(struct erofs *image)
{
	return erofs_zeroes(image, erofs_round(image->at, EROFS_BLOCK_SIZE));
}

uint32_t erofs_block(const struct erofs *image)
{
	return (uint32_t)(image->at / EROFS_BLOCK_SIZE);
}

/* Extended attributes */

/**
 * struct attr - one of an inode's
 * @next: the rest
 * @prefix: 0 for one that Linux would not have
 */
struct attr {
	const uint8_t *next;
	size_t left;
	const char *name;
	uint8_t name_len;
	uint8_t prefix;
	const uint8_t *value;
	uint16_t value_len;
};

static void attr_name(struct attr *a, const char *name)
{
	static const struct {
		const char *text;
		uint8_t prefix;
		bool is_whole;
	} prefixes[] = {{"user.", EROFS_XATTR_USER, false},
			{"system.posix_acl_access", EROFS_XATTR_ACL_ACCESS, true},
			{"system.posix_acl_default", EROFS_XATTR_ACL_DEFAULT, true},
			{"trusted.", EROFS_XATTR_TRUSTED, false},
			{"security.", EROFS_XATTR_SECURITY, false}};
	a->prefix = 0;
	/* What an overlay notes in its layers would be instructions for the guest's. */
	if (strncmp(name, "trusted.overlay.", 16) == 0)
		return;
	for (unsigned i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t len = strlen(prefixes[i].text), rest;
		if (strncmp(name, prefixes[i].text, len) != 0)
			continue;
		rest = strlen(name + len);
		if ((rest == 0) != prefixes[i].is_whole || rest > UINT8_MAX)
			continue;
		a->name = name + len;
		a->name_len = (uint8_t)rest;
		a->prefix = prefixes[i].prefix;
	}
}

/* The next attribute; false after the last. */
static bool attr_next(struct attr *a)
{
	if (!a->left)
		return false;
	const char *name = (const char *)a->next;
	size_t used = strlen(name) + 1;
	a->value_len = (uint16_t)(a->next[used] | a->next[used + 1] << 8);
	a->value = a->next + used + 2;
	attr_name(a, name);
	used += 2u + a->value_len;
	a->next += used;
	a->left -= used;
	return true;
}

static struct attr attr_first(const struct tree_inode *inode)
{
	return (struct attr){.next = inode->meta.xattrs, .left = inode->meta.xattrs_len};
}

static size_t attr_size(const struct attr *a)
{
	return erofs_round(sizeof(struct erofs_xattr) + a->name_len + a->value_len, 4);
}

/* Bytes behind the inode. TAR_XATTRS_MAX keeps them below EROFS_XATTR_BYTES_MAX. */
static size_t erofs_attrs_size(const struct tree_inode *inode)
{
	size_t size = 0;
	for (struct attr a = attr_first(inode); attr_next(&a);)
		size += a.prefix ? attr_size(&a) : 0;
	return size ? size + sizeof(struct erofs_xattr_head) : 0;
}

static int erofs_put_attrs(struct erofs *image, const struct tree_inode *inode)
{
	static const struct erofs_xattr_head head;
	int rc = erofs_attrs_size(inode) ? erofs_append(image, &head, sizeof(head)) : 0;
	for (struct attr a = attr_first(inode); !rc && attr_next(&a);) {
		struct erofs_xattr entry = {a.name_len, a.prefix, a.value_len};
		uint64_t end = image->at + attr_size(&a);
		if (!a.prefix)
			continue;
		rc = erofs_append(image, &entry, sizeof(entry));
		if (!rc)
			rc = erofs_append(image, a.name, a.name_len);
		if (!rc)
			rc = erofs_append(image, a.value, a.value_len);
		if (!rc)
			rc = erofs_zeroes(image, end);
	}
	return rc;
}

/* Directories */

/**
 * struct lister - goes through a directory's names, "." and ".." among them, in their order
 * @next:  of those in the tree, NULL for none
 * @dots:  of "." and "..", how many were given
 */
struct lister {
	const struct tree_inode *dir;
	const struct tree_entry *next;
	unsigned dots;
	const char *name;
	size_t len;
	const struct tree_inode *inode;
};

static bool lister_step(struct lister *l)
{
	static const char dots[] = "..";
	const struct tree_entry *e = l->next;
	size_t len = l->dots + 1;
	if (l->dots < 2) {
		int order = e ? memcmp(dots, e->name, len < e->len ? len : e->len) : -1;
		if (order < 0 || (order == 0 && len < e->len)) {
			const struct tree_entry *self = l->dir->entry;
			l->inode = l->dots && self ? self->dir : l->dir;
			l->name = dots;
			l->len = len;
			l->dots++;
			return true;
		}
	}
	if (!e)
		return false;
	l->inode = e->inode;
	l->name = e->name;
	l->len = e->len;
	l->next = e->next;
	return true;
}

static struct lister lister_first(const struct tree_inode *dir)
{
	return (struct lister){.dir = dir, .next = dir->first};
}

/* How many names, from this one on, fit a block, and the bytes they take. */
static unsigned lister_fill(struct lister l, size_t *ret_size)
{
	unsigned count = 0;
	size_t size = 0;
	do {
		size_t need = sizeof(struct erofs_dirent) + l.len;
		if (size + need > EROFS_BLOCK_SIZE)
			break;
		size += need;
		count++;
	} while (lister_step(&l));
	*ret_size = size;
	return count;
}

static uint64_t erofs_dir_size(const struct tree_inode *dir)
{
	struct lister l = lister_first(dir);
	uint64_t size = 0;
	for (bool is_more = lister_step(&l); is_more;) {
		size_t used;
		unsigned count = lister_fill(l, &used);
		for (; count && is_more; count--)
			is_more = lister_step(&l);
		size += is_more ? EROFS_BLOCK_SIZE : used;
	}
	return size;
}

static uint8_t erofs_type(uint32_t mode)
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

/* A block of @count names. */
static void erofs_dir_block(struct lister *l, unsigned count, uint8_t block[EROFS_BLOCK_SIZE])
{
	size_t at = count * sizeof(struct erofs_dirent);
	for (unsigned i = 0; i < count; i++) {
		struct erofs_dirent d = {.nid = l->inode->nid,
					 .name_offset = (uint16_t)at,
					 .type = erofs_type(l->inode->meta.mode)};
		memcpy(block + i * sizeof(d), &d, sizeof(d));
		memcpy(block + at, l->name, l->len);
		at += l->len;
		lister_step(l);
	}
}

static int erofs_put_dir(struct erofs *image, const struct tree_inode *dir)
{
	uint8_t block[EROFS_BLOCK_SIZE];
	struct lister l = lister_first(dir);
	uint64_t left = dir->meta.size;
	int rc = 0;
	lister_step(&l);
	while (!rc && left) {
		size_t used, len = left < EROFS_BLOCK_SIZE ? (size_t)left : EROFS_BLOCK_SIZE;
		unsigned count = lister_fill(l, &used);
		memset(block, 0, sizeof(block));
		erofs_dir_block(&l, count, block);
		rc = erofs_append(image, block, len);
		left -= len;
	}
	return rc;
}

/* Inodes */

static int erofs_put_contents(struct erofs *image, const struct tree_inode *inode)
{
	if (S_ISDIR(inode->meta.mode))
		return erofs_put_dir(image, inode);
	return erofs_append(image, inode->meta.target, inode->meta.size);
}

/* Does it have contents that come with the tree? */
static bool erofs_is_told(const struct tree_inode *inode)
{
	return S_ISDIR(inode->meta.mode) || S_ISLNK(inode->meta.mode);
}

/* As the kernel encodes st_rdev in 32 bits. */
static uint32_t erofs_device(const struct tree_meta *meta)
{
	return (meta->minor & 0xff) | (meta->major & 0xfff) << 8 | (meta->minor & 0xfff00) << 12;
}

/*
 * Decides where all inodes go, and what of the tree's contents has blocks of its own, from @block
 * on. Return: the block after those.
 */
static uint32_t erofs_lay_out(struct tree_inode *const *list, uint32_t count, uint32_t block)
{
	uint64_t at = META_FIRST;
	for (uint32_t i = 0; i < count; i++) {
		struct tree_inode *inode = list[i];
		struct tree_meta *meta = &inode->meta;
		size_t head = INODE_SIZE + erofs_attrs_size(inode);
		inode->where = S_ISREG(meta->mode) ? meta->block : erofs_device(meta);
		inode->is_inline = false;
		if (S_ISDIR(meta->mode))
			meta->size = erofs_dir_size(inode);
		if (S_ISLNK(meta->mode))
			meta->size = strlen(meta->target);
		if (erofs_is_told(inode)) {
			uint64_t all = head + meta->size;
			inode->where = 0;
			inode->is_inline = all <= EROFS_BLOCK_SIZE;
			if (inode->is_inline && at % EROFS_BLOCK_SIZE + all > EROFS_BLOCK_SIZE)
				at = erofs_round(at, EROFS_BLOCK_SIZE);
			if (!inode->is_inline) {
				inode->where = block;
				block += (uint32_t)(erofs_round(meta->size, EROFS_BLOCK_SIZE) /
						    EROFS_BLOCK_SIZE);
			}
		}
		inode->nid = at / EROFS_SLOT_SIZE;
		at = erofs_round(at + head + (inode->is_inline ? meta->size : 0), INODE_SIZE);
	}
	return block;
}

static int erofs_put_inode(struct erofs *image, const struct tree_inode *inode, uint32_t number)
{
	const struct tree_meta *meta = &inode->meta;
	size_t attrs = erofs_attrs_size(inode);
	struct erofs_inode disk = {
		.format = EROFS_INODE_EXTENDED |
			  (inode->is_inline ? EROFS_LAYOUT_INLINE : EROFS_LAYOUT_PLAIN),
		.xattr_count = (uint16_t)(attrs ? EROFS_XATTR_COUNT(attrs) : 0),
		.mode = (uint16_t)meta->mode,
		.size = meta->size,
		.where = inode->where,
		.ino = number,
		.uid = meta->uid,
		.gid = meta->gid,
		.mtime = (uint64_t)meta->mtime_s,
		.mtime_ns = meta->mtime_ns,
		.nlink = inode->nlink,
	};
	int rc = erofs_append(image, &disk, sizeof(disk));
	if (!rc)
		rc = erofs_put_attrs(image, inode);
	if (!rc && inode->is_inline)
		rc = erofs_put_contents(image, inode);
	return rc;
}

static int erofs_put_tree(struct erofs *image, struct tree_inode *const *list, uint32_t count,
			  uint32_t *ret_meta_block)
{
	uint32_t meta_block = erofs_lay_out(list, count, erofs_block(image));
	uint64_t start = (uint64_t)meta_block * EROFS_BLOCK_SIZE;
	int rc = 0;
	for (uint32_t i = 0; !rc && i < count; i++) {
		if (!erofs_is_told(list[i]) || list[i]->is_inline)
			continue;
		rc = erofs_put_contents(image, list[i]);
		if (!rc)
			rc = erofs_pad(image);
	}
	for (uint32_t i = 0; !rc && i < count; i++) {
		rc = erofs_zeroes(image, start + list[i]->nid * EROFS_SLOT_SIZE);
		if (!rc)
			rc = erofs_put_inode(image, list[i], i + 1);
	}
	*ret_meta_block = meta_block;
	return rc ? rc : erofs_pad(image);
}

int erofs_finish(struct erofs *image, struct tree *tree, const uint8_t uuid[16])
{
	struct tree_inode **list;
	uint32_t count, meta_block;
	int rc = tree_sort(tree, &list, &count);
	if (rc)
		return rc;
	rc = erofs_put_tree(image, list, count, &meta_block);
	struct erofs_super super = {
		.magic = EROFS_MAGIC,
		.feature_compat = EROFS_COMPAT_MTIME,
		.block_bits = EROFS_BLOCK_BITS,
		.root_nid = (uint16_t)list[0]->nid,
		.inodes = count,
		.blocks = erofs_block(image),
		.meta_block = rc ? 0 : meta_block,
	};
	free(list);
	memcpy(super.uuid, uuid, sizeof(super.uuid));
	if (!rc)
		rc = erofs_flush(image);
	return rc ? rc
		  : erofs_write(image->fd, (const uint8_t *)&super, sizeof(super),
				EROFS_SUPER_OFFSET);
}
