/* Attributes, ids and extended attributes of a shared directory. */
#include "fuseclient.h"
#include "nobody.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ROOT FUSE_ROOT_ID

static struct fuseclient c;
static bool is_root; /* the server */

static void set_up(void)
{
	is_root = geteuid() == 0;
	fuseclient_open(&c, &(struct fs_share_options){.files_max = 1000});
}

static void tear_down(void)
{
	fuseclient_close(&c);
}

static uint64_t make(const char *name, uint32_t mode)
{
	struct fuse_entry_out e;
	return fuse_mknod(&c, ROOT, name, S_IFREG | mode, 0, &e) == 0 ? e.nodeid : 0;
}

/* One attribute of a file. Return: 0 or -errno. */
static int change(uint64_t nodeid, struct fuse_setattr_in in, struct fuse_attr *ret)
{
	return fuse_setattr(&c, nodeid, &in, ret);
}

WITH_DEVICE(test_mode_size_and_times)
{
	uint64_t f = make("f", 0644);
	struct fuse_attr a;
	struct stat st;
	CHECK_EQ(change(f, (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = 04710}, &a), 0);
	CHECK_EQ(a.mode, S_IFREG | 04710);
	CHECK_EQ(change(f, (struct fuse_setattr_in){.valid = FATTR_SIZE, .size = 5000}, &a), 0);
	CHECK_EQ(a.size, 5000);
	CHECK_EQ(change(f,
			(struct fuse_setattr_in){.valid = FATTR_ATIME | FATTR_MTIME,
						 .atime = 1000,
						 .atimensec = 123456789,
						 .mtime = (uint64_t)-5, /* before 1970 */
						 .mtimensec = 7},
			&a),
		 0);
	CHECK_EQ(a.atime, 1000);
	CHECK_EQ(a.atimensec, 123456789);
	CHECK_EQ(a.mtime, (uint64_t)-5);
	CHECK_EQ(fstatat(c.dir_fd, "f", &st, 0), 0);
	CHECK_EQ(st.st_mtim.tv_sec, -5);
	CHECK_EQ(change(f, (struct fuse_setattr_in){.valid = FATTR_ATIME | FATTR_ATIME_NOW}, &a),
		 0);
	CHECK(a.atime > 1000000000);
	CHECK_EQ(a.mtime, (uint64_t)-5);
	CHECK_EQ(change(f, (struct fuse_setattr_in){.valid = FATTR_MTIME | FATTR_MTIME_NOW}, &a),
		 0);
	CHECK(a.mtime > 1000000000);
	CHECK_EQ(change(f, (struct fuse_setattr_in){.valid = FATTR_CTIME}, &a), 0); /* no wish */
	CHECK_EQ(change(f, (struct fuse_setattr_in){.valid = 0}, &a), 0);
}

WITH_DEVICE(test_bad_attributes_are_refused)
{
	uint64_t f = make("f", 0644);
	struct fuse_attr a;
	/* The two values that mean "now" and "not at all" to the host. */
	static const uint32_t ns[] = {1000000000, (1 << 30) - 1, (1 << 30) - 2, UINT32_MAX};
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(change(f,
				(struct fuse_setattr_in){.valid = FATTR_MTIME, .mtimensec = ns[i]},
				&a),
			 -EINVAL);
	CHECK_EQ(change(f, (struct fuse_setattr_in){.valid = FATTR_SIZE, .size = 1ull << 63}, &a),
		 -EFBIG);
	CHECK_EQ(change(f,
			(struct fuse_setattr_in){
				.valid = FATTR_SIZE | FATTR_FH, .fh = 33, .size = 1},
			&a),
		 -EBADF);
	CHECK_EQ(change(ROOT, (struct fuse_setattr_in){.valid = FATTR_SIZE, .size = 1}, &a),
		 -EINVAL);
	CHECK_EQ(fuse_call(&c, FUSE_SETATTR, f, "abc", 3, NULL, NULL), -EINVAL);
	CHECK_EQ(fuse_call(&c, FUSE_GETATTR, f, NULL, 0, NULL, NULL), -EINVAL);
}

WITH_DEVICE(test_truncate_through_a_handle)
{
	struct fuse_entry_out e;
	struct fuse_attr a;
	uint64_t fh;
	CHECK_EQ(fuse_create(&c, ROOT, "f", O_WRONLY, 0444, &e, &fh), 0);
	CHECK_EQ(change(e.nodeid,
			(struct fuse_setattr_in){
				.valid = FATTR_SIZE | FATTR_FH, .fh = fh, .size = 77},
			&a),
		 0);
	CHECK_EQ(a.size, 77);
}

/* An ordinary user's files are the guest's root's; root's server knows all users. */
WITH_DEVICE(test_owner)
{
	uint64_t f = make("f", 0644);
	struct fuse_attr a;
	struct stat st;
	CHECK_EQ(change(f, (struct fuse_setattr_in){.valid = FATTR_UID | FATTR_GID}, &a), 0);
	CHECK_EQ(a.uid, 0);
	CHECK_EQ(a.gid, 0);
	CHECK_EQ(fstatat(c.dir_fd, "f", &st, 0), 0);
	CHECK_EQ(st.st_uid, geteuid());
	CHECK_EQ(st.st_gid, getegid());

	struct fuse_setattr_in in = {.valid = FATTR_UID | FATTR_GID, .uid = 1234, .gid = 1235};
	CHECK_EQ(change(f, in, &a), is_root ? 0 : -EPERM);
	in = (struct fuse_setattr_in){.valid = FATTR_UID, .uid = NOBODY_ID};
	CHECK_EQ(change(f, in, &a), is_root ? 0 : -EPERM); /* the user of the host is not there */
	in = (struct fuse_setattr_in){.valid = FATTR_GID, .gid = NOBODY_ID};
	CHECK_EQ(change(f, in, &a), is_root ? 0 : -EPERM);
	CHECK_EQ(fuse_getattr(&c, f, &a), 0);
	CHECK_EQ(a.uid, is_root ? NOBODY_ID : 0);
	CHECK_EQ(a.gid, is_root ? NOBODY_ID : 0);
	/* Set-id bits go with the owner, and come back if the same request says so. */
	in = (struct fuse_setattr_in){.valid = FATTR_UID | FATTR_MODE, .uid = 0, .mode = 04755};
	CHECK_EQ(change(f, in, &a), 0);
	CHECK_EQ(a.mode, S_IFREG | 04755);
	in.valid = FATTR_UID;
	CHECK_EQ(change(f, in, &a), 0);
	CHECK_EQ(a.mode, S_IFREG | 0755);
}

/* A file that somebody else owns on the host looks as it is. */
WITH_DEVICE(test_foreign_ids_are_shown)
{
	struct fuse_entry_out e;
	if (!is_root)
		return;
	host_write(c.dir_fd, "f", "");
	CHECK_EQ(fchownat(c.dir_fd, "f", 4321, 8765, 0), 0);
	CHECK_EQ(fuse_lookup(&c, ROOT, "f", &e), 0);
	CHECK_EQ(e.attr.uid, 4321);
	CHECK_EQ(e.attr.gid, 8765);
}

/* What the guest's user makes is that user's, if the server can see to it. */
WITH_DEVICE(test_new_files_belong_to_who_makes_them)
{
	struct fuse_entry_out d, e;
	uint64_t fh;
	c.uid = 1000;
	c.gid = 1001;
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0755, &d), 0); /* the share's root is not 1000's */
	CHECK_EQ(d.attr.uid, is_root ? 1000 : 0);
	CHECK_EQ(d.attr.gid, is_root ? 1001 : 0);
	CHECK_EQ(fuse_mknod(&c, d.nodeid, "f", S_IFREG | 0640, 0, &e), 0);
	CHECK_EQ(e.attr.uid, is_root ? 1000 : 0);
	CHECK_EQ(fuse_symlink(&c, d.nodeid, "s", "x", &e), 0);
	CHECK_EQ(e.attr.uid, is_root ? 1000 : 0);
	CHECK_EQ(fuse_create(&c, d.nodeid, "c", O_RDWR, 0600, &e, &fh), 0);
	CHECK_EQ(e.attr.uid, is_root ? 1000 : 0);
	CHECK_EQ(e.attr.gid, is_root ? 1001 : 0);
	fuse_release(&c, e.nodeid, fh, 1);
	c.uid = c.gid = 0;
	CHECK_EQ(fuse_mknod(&c, d.nodeid, "r", S_IFREG | 0640, 0, &e), 0);
	CHECK_EQ(e.attr.uid, 0); /* the thread is itself again */
	CHECK_EQ(e.attr.gid, 0);
	c.uid = UINT32_MAX; /* no user at all */
	CHECK_EQ(fuse_mknod(&c, d.nodeid, "n", S_IFREG | 0640, 0, &e), is_root ? -EPERM : 0);
	c.uid = 0;
}

/* A directory with the set-group-id bit hands its group on. */
WITH_DEVICE(test_group_of_a_set_group_id_directory)
{
	struct fuse_entry_out d, e;
	if (!is_root)
		return;
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0777, &d), 0);
	CHECK_EQ(fchownat(c.dir_fd, "d", 0, 2000, 0), 0);
	CHECK_EQ(fchmodat(c.dir_fd, "d", 02777, 0), 0);
	c.uid = 1000;
	c.gid = 1001;
	CHECK_EQ(fuse_mknod(&c, d.nodeid, "f", S_IFREG | 0640, 0, &e), 0);
	CHECK_EQ(e.attr.gid, 2000);
	CHECK_EQ(fuse_mkdir(&c, d.nodeid, "s", 0755, &e), 0);
	CHECK_EQ(e.attr.gid, 2000);
	CHECK_EQ(e.attr.mode, S_IFDIR | 02755);
	c.uid = c.gid = 0;
}

WITH_DEVICE(test_symbolic_links_have_attributes_of_their_own)
{
	struct fuse_entry_out e;
	struct fuse_attr a;
	struct stat st;
	host_write(c.dir_fd, "target", "x");
	CHECK_EQ(fuse_symlink(&c, ROOT, "s", "target", &e), 0);
	CHECK_EQ(change(e.nodeid, (struct fuse_setattr_in){.valid = FATTR_MODE, .mode = 0777}, &a),
		 -EOPNOTSUPP);
	CHECK_EQ(change(e.nodeid, (struct fuse_setattr_in){.valid = FATTR_MTIME, .mtime = 99}, &a),
		 0);
	CHECK_EQ(a.mtime, 99);
	CHECK_EQ(change(e.nodeid, (struct fuse_setattr_in){.valid = FATTR_SIZE}, &a), -EINVAL);
	CHECK_EQ(change(e.nodeid,
			(struct fuse_setattr_in){.valid = FATTR_UID, .uid = is_root ? 77 : 0}, &a),
		 0);
	CHECK_EQ(a.uid, is_root ? 77 : 0);
	CHECK_EQ(fstatat(c.dir_fd, "target", &st, 0), 0);
	CHECK(st.st_mtim.tv_sec > 1000);
	CHECK_EQ(st.st_uid, geteuid());
	CHECK_EQ(st.st_size, 1);
}

WITH_DEVICE(test_statfs)
{
	struct fuse_statfs_out out;
	CHECK_EQ(fuse_call(&c, FUSE_STATFS, ROOT, NULL, 0, NULL, NULL), 0);
	CHECK_EQ(c.reply_len, sizeof(out));
	memcpy(&out, c.reply, sizeof(out));
	CHECK(out.st.blocks > 0 && out.st.bsize > 0 && out.st.frsize > 0);
	CHECK_EQ(out.st.namelen, 255);
}

WITH_DEVICE(test_access_goes_by_the_mode)
{
	static const struct {
		uint32_t uid, gid, mask;
		int error;
	} cases[] = {
		{0, 0, R_OK | W_OK, 0}, {0, 0, X_OK, -EACCES}, {5, 5, R_OK, -EACCES},
		{5, 0, R_OK, 0},	{5, 0, W_OK, -EACCES}, {5, 5, F_OK, 0},
		{0, 0, 8, -EINVAL},
	};
	uint64_t f = make("f", 0640);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fuse_access_in in = {.mask = cases[i].mask};
		c.uid = cases[i].uid;
		c.gid = cases[i].gid;
		CHECK_EQ(fuse_call(&c, FUSE_ACCESS, f, &in, sizeof(in), NULL, NULL),
			 cases[i].error);
	}
	c.uid = c.gid = 0;
}

/* Extended attributes. */

static int set_xattr(uint64_t nodeid, const char *name, const void *value, uint32_t size,
		     uint32_t flags)
{
	static uint8_t buf[FS_ARGS_MAX];
	uint32_t head[2] = {size, flags};
	size_t name_len = strlen(name) + 1;
	memcpy(buf, head, sizeof(head));
	memcpy(buf + sizeof(head), name, name_len);
	memcpy(buf + sizeof(head) + name_len, value, size);
	return fuse_call(&c, FUSE_SETXATTR, nodeid, buf, sizeof(head) + name_len + size, NULL,
			 NULL);
}

static int get_xattr(uint64_t nodeid, const char *name, uint32_t size)
{
	struct fuse_getxattr_in in = {.size = size};
	return fuse_call(&c, FUSE_GETXATTR, nodeid, &in, sizeof(in), name, NULL);
}

static int list_xattr(uint64_t nodeid, uint32_t size)
{
	struct fuse_getxattr_in in = {.size = size};
	return fuse_call(&c, FUSE_LISTXATTR, nodeid, &in, sizeof(in), NULL, NULL);
}

static uint32_t reply_size(void)
{
	struct fuse_getxattr_out out = {.size = 0xffff};
	if (c.reply_len == sizeof(out))
		memcpy(&out, c.reply, sizeof(out));
	return out.size;
}

WITH_DEVICE(test_extended_attributes)
{
	uint64_t f = make("f", 0644);
	int error = set_xattr(f, "user.key", "value", 5, 0);
	if (error == -EOPNOTSUPP)
		return; /* the file system below /tmp has none */
	CHECK_EQ(error, 0);
	CHECK_EQ(get_xattr(f, "user.key", 0), 0);
	CHECK_EQ(reply_size(), 5);
	CHECK_EQ(get_xattr(f, "user.key", 100), 0);
	CHECK_EQ(c.reply_len, 5);
	CHECK(memcmp(c.reply, "value", 5) == 0);
	CHECK_EQ(get_xattr(f, "user.key", 4), -ERANGE);
	CHECK_EQ(get_xattr(f, "user.none", 100), -ENODATA);
	CHECK_EQ(set_xattr(f, "user.key", "other", 5, XATTR_CREATE), -EEXIST);
	CHECK_EQ(set_xattr(f, "user.new", "other", 5, XATTR_REPLACE), -ENODATA);
	CHECK_EQ(set_xattr(f, "user.empty", "", 0, 0), 0);
	CHECK_EQ(get_xattr(f, "user.empty", 10), 0);
	CHECK_EQ(c.reply_len, 0);
	CHECK_EQ(list_xattr(f, 0), 0);
	CHECK_EQ(reply_size(), 9 + 11);
	CHECK_EQ(list_xattr(f, 1000), 0);
	CHECK_EQ(c.reply_len, 9 + 11);
	CHECK_EQ(list_xattr(f, 19), -ERANGE);
	CHECK_EQ(fuse_call(&c, FUSE_REMOVEXATTR, f, NULL, 0, "user.key", NULL), 0);
	CHECK_EQ(fuse_call(&c, FUSE_REMOVEXATTR, f, NULL, 0, "user.key", NULL), -ENODATA);
	CHECK_EQ(list_xattr(f, 1000), 0);
	CHECK_EQ(c.reply_len, 11);
}

WITH_DEVICE(test_bad_extended_attributes_are_refused)
{
	static char value[65536], name[300];
	uint64_t f = make("f", 0644);
	struct fuse_entry_out e;
	if (set_xattr(f, "user.key", "v", 1, 0) == -EOPNOTSUPP)
		return;
	uint32_t head[2] = {100, 0};
	uint8_t args[8 + 9 + 5];
	memcpy(args, head, 8);
	memcpy(args + 8, "user.key", 9);
	CHECK_EQ(fuse_call(&c, FUSE_SETXATTR, f, args, sizeof(args), NULL, NULL), -EINVAL);
	CHECK_EQ(set_xattr(f, "", "v", 1, 0), -ENOENT);
	snprintf(name, sizeof(name), "user.%0260d", 0);
	CHECK_EQ(set_xattr(f, name, "v", 1, 0), -ERANGE);
	CHECK_EQ(set_xattr(f, "user.flags", "v", 1, 77), -EINVAL);
	CHECK_EQ(set_xattr(f, "nonsense.x", "v", 1, 0), -EOPNOTSUPP);
	int error = set_xattr(f, "user.large", value, sizeof(value), 0);
	CHECK(error == 0 || error == -ENOSPC || error == -E2BIG);
	/* POSIX ACLs are not the guest's. */
	CHECK_EQ(set_xattr(f, "system.posix_acl_access", "v", 1, 0), -EOPNOTSUPP);
	CHECK_EQ(get_xattr(f, "system.posix_acl_access", 0), -EOPNOTSUPP);
	CHECK_EQ(fuse_call(&c, FUSE_REMOVEXATTR, f, NULL, 0, "system.posix_acl_access", NULL),
		 -EOPNOTSUPP);
	/* A link has none of its own, and its target's are not touched. */
	CHECK_EQ(fuse_symlink(&c, ROOT, "s", "f", &e), 0);
	CHECK_EQ(set_xattr(e.nodeid, "user.key", "changed", 7, 0), -EPERM);
	CHECK_EQ(get_xattr(f, "user.key", 100), 0);
	CHECK_EQ(c.reply_len, 1);
}

/* An ACL in the host's list does not show in the guest's. */
WITH_DEVICE(test_acls_are_not_listed)
{
	/* user::rw-, user:1000:r--, group::r--, mask::r--, other::r-- (acl(5), version 2) */
	static const uint16_t acl[] = {2,      0,      1,    6, 0xffff, 0xffff, 2,    4,
				       1000,   0,      4,    4, 0xffff, 0xffff, 0x10, 4,
				       0xffff, 0xffff, 0x20, 4, 0xffff, 0xffff};
	uint64_t f = make("f", 0644);
	char path[200];
	snprintf(path, sizeof(path), "%s/f", c.dir);
	if (setxattr(path, "system.posix_acl_access", acl, sizeof(acl), 0) != 0 ||
	    setxattr(path, "user.z", "z", 1, 0) != 0)
		return;
	CHECK_EQ(list_xattr(f, 1000), 0);
	CHECK_EQ(c.reply_len, 7);
	CHECK_STR((char *)c.reply, "user.z");
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_mode_size_and_times),
		TEST_CASE(test_bad_attributes_are_refused),
		TEST_CASE(test_truncate_through_a_handle),
		TEST_CASE(test_owner),
		TEST_CASE(test_foreign_ids_are_shown),
		TEST_CASE(test_new_files_belong_to_who_makes_them),
		TEST_CASE(test_group_of_a_set_group_id_directory),
		TEST_CASE(test_symbolic_links_have_attributes_of_their_own),
		TEST_CASE(test_statfs),
		TEST_CASE(test_access_goes_by_the_mode),
		TEST_CASE(test_extended_attributes),
		TEST_CASE(test_bad_extended_attributes_are_refused),
		TEST_CASE(test_acls_are_not_listed),
	};
	return NOBODY_RUN(cases);
}
