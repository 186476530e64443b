/*
 * EROFS, a read-only file system of Linux (5.4 and later): the layouts of an image without
 * compression. Documentation/filesystems/erofs.rst and erofs.docs.kernel.org, "Core on-disk
 * format". Little-endian, in blocks of 4096 bytes.
 */
#ifndef SPEC_EROFS_H
#define SPEC_EROFS_H

#include <stdint.h>

#define EROFS_MAGIC	   0xe0f5e1e2u
#define EROFS_SUPER_OFFSET 1024
#define EROFS_BLOCK_BITS   12
#define EROFS_BLOCK_SIZE   (1u << EROFS_BLOCK_BITS)
#define EROFS_SLOT_SIZE	   32 /* an inode's number counts these from the metadata's first block on */
#define EROFS_NAME_MAX	   255

#define EROFS_COMPAT_MTIME 0x2

/**
 * struct erofs_super - at EROFS_SUPER_OFFSET
 * @checksum: CRC32C, where the feature says so
 * @inodes:   how many
 * @blocks:   of the whole image
 * @meta_block: where inodes are counted from
 */
struct erofs_super {
	uint32_t magic;
	uint32_t checksum;
	uint32_t feature_compat;
	uint8_t block_bits;
	uint8_t ext_slots;
	uint16_t root_nid;
	uint64_t inodes;
	uint64_t build_time;
	uint32_t build_time_ns;
	uint32_t blocks;
	uint32_t meta_block;
	uint32_t xattr_block;
	uint8_t uuid[16];
	uint8_t volume_name[16];
	uint32_t feature_incompat;
	uint8_t reserved[44];
};
_Static_assert(sizeof(struct erofs_super) == 128, "erofs_super");

/* struct erofs_inode.format: bit 0 for this, larger kind of inode, then three of the layout. */
#define EROFS_INODE_EXTENDED 1
#define EROFS_LAYOUT_PLAIN   (0 << 1) /* whole blocks from @where on */
#define EROFS_LAYOUT_INLINE  (2 << 1) /* the last block's bytes follow the inode, in its block */

/**
 * struct erofs_inode - the extended kind
 * @xattr_count: of words behind the inode: 0, or EROFS_XATTR_COUNT()
 * @where: the first block of its contents, or a device's number (as stat's st_rdev, 32 bits)
 * @ino:   for stat() on 32 bits
 */
struct erofs_inode {
	uint16_t format;
	uint16_t xattr_count;
	uint16_t mode;
	uint16_t reserved;
	uint64_t size;
	uint32_t where;
	uint32_t ino;
	uint32_t uid;
	uint32_t gid;
	uint64_t mtime;
	uint32_t mtime_ns;
	uint32_t nlink;
	uint8_t reserved2[16];
};
_Static_assert(sizeof(struct erofs_inode) == 64, "erofs_inode");

/* Extended attributes behind the inode: a head, then entries, each padded to four bytes. */
struct erofs_xattr_head {
	uint32_t name_filter;
	uint8_t shared_count;
	uint8_t reserved[7];
};
_Static_assert(sizeof(struct erofs_xattr_head) == 12, "erofs_xattr_head");

#define EROFS_XATTR_COUNT(bytes) (((bytes) - sizeof(struct erofs_xattr_head)) / 4 + 1)
#define EROFS_XATTR_BYTES_MAX	 (sizeof(struct erofs_xattr_head) + 4 * 65534)

/**
 * struct erofs_xattr - then the name without what @prefix stands for, and the value
 */
struct erofs_xattr {
	uint8_t name_len;
	uint8_t prefix;
	uint16_t value_size;
};
_Static_assert(sizeof(struct erofs_xattr) == 4, "erofs_xattr");

enum erofs_xattr_prefix {
	EROFS_XATTR_USER = 1,
	EROFS_XATTR_ACL_ACCESS = 2,  /* the whole name */
	EROFS_XATTR_ACL_DEFAULT = 3, /* the whole name */
	EROFS_XATTR_TRUSTED = 4,
	EROFS_XATTR_SECURITY = 6,
};

/*
 * A directory's contents: in each block entries, then their names in the same order, all sorted by
 * bytes. The first entry's @name_offset tells where the entries end.
 */
struct erofs_dirent {
	uint64_t nid;
	uint16_t name_offset;
	uint8_t type; /* enum erofs_type */
	uint8_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_dirent) == 12, "erofs_dirent");

enum erofs_type {
	EROFS_TYPE_UNKNOWN,
	EROFS_TYPE_FILE,
	EROFS_TYPE_DIR,
	EROFS_TYPE_CHAR,
	EROFS_TYPE_BLOCK,
	EROFS_TYPE_FIFO,
	EROFS_TYPE_SOCKET,
	EROFS_TYPE_SYMLINK,
};

#endif
