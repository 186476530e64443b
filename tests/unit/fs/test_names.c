/* Names in a shared directory: looking up, making, removing, renaming, linking. */
#include "fuseclient.h"
#include "nobody.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT FUSE_ROOT_ID

static struct fuseclient c;

static void set_up(void)
{
	fuseclient_open(&c, &(struct fs_share_options){.files_max = 1000});
}

static void tear_down(void)
{
	fuseclient_close(&c);
}

WITH_DEVICE(test_lookup_finds_and_describes)
{
	struct fuse_entry_out e;
	struct stat st;
	host_write(c.dir_fd, "file", "hello");
	CHECK_EQ(fuse_lookup(&c, ROOT, "file", &e), 0);
	CHECK_EQ(fstatat(c.dir_fd, "file", &st, 0), 0);
	CHECK_EQ(e.attr.ino, st.st_ino);
	CHECK_EQ(e.attr.size, 5);
	CHECK_EQ(e.attr.mode, st.st_mode);
	CHECK_EQ(e.attr.nlink, 1);
	CHECK_EQ(e.attr.mtime, st.st_mtim.tv_sec);
	CHECK_EQ(e.attr.mtimensec, st.st_mtim.tv_nsec);
	CHECK_EQ(e.attr.blksize, st.st_blksize);
	CHECK_EQ(e.attr.blocks, st.st_blocks);
	CHECK_EQ(e.attr.uid, 0); /* the server's user is the guest's root */
	CHECK_EQ(e.attr.gid, 0);
	CHECK_EQ(e.entry_valid, 1);
	CHECK_EQ(e.attr_valid, 1);
	CHECK(e.nodeid > ROOT);
	CHECK_EQ(fuse_lookup(&c, ROOT, "nothing", &e), -ENOENT);
}

WITH_DEVICE(test_one_file_is_one_inode)
{
	struct fuse_entry_out a, b;
	host_write(c.dir_fd, "a", "");
	CHECK_EQ(linkat(c.dir_fd, "a", c.dir_fd, "b", 0), 0);
	CHECK_EQ(fuse_lookup(&c, ROOT, "a", &a), 0);
	CHECK_EQ(fuse_lookup(&c, ROOT, "b", &b), 0);
	CHECK_EQ(a.nodeid, b.nodeid);
	CHECK_EQ(b.attr.nlink, 2);
	/* Looked up twice: forgotten after both. */
	fuse_forget(&c, a.nodeid, 1);
	CHECK_EQ(fuse_getattr(&c, a.nodeid, NULL), 0);
	fuse_forget(&c, a.nodeid, 1);
	CHECK_EQ(fuse_getattr(&c, a.nodeid, NULL), -ENOENT);
	CHECK_EQ(fuse_lookup(&c, ROOT, "b", &b), 0);
	CHECK(b.nodeid != a.nodeid);
	CHECK_EQ(fuse_getattr(&c, a.nodeid, NULL), -ENOENT);
}

WITH_DEVICE(test_forget_of_too_much_and_of_the_root)
{
	struct fuse_entry_out e, f;
	host_write(c.dir_fd, "a", "");
	host_write(c.dir_fd, "b", "");
	CHECK_EQ(fuse_lookup(&c, ROOT, "a", &e), 0);
	fuse_forget(&c, e.nodeid, UINT64_MAX);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, NULL), -ENOENT);
	fuse_forget(&c, e.nodeid, 1);
	fuse_forget(&c, ROOT, UINT64_MAX);
	fuse_forget(&c, 12345, 1);
	CHECK_EQ(fuse_getattr(&c, ROOT, NULL), 0);

	CHECK_EQ(fuse_lookup(&c, ROOT, "a", &e), 0);
	CHECK_EQ(fuse_lookup(&c, ROOT, "b", &f), 0);
	struct {
		struct fuse_batch_forget_in in;
		struct fuse_forget_one one[3];
	} batch = {.in = {.count = 3}, .one = {{e.nodeid, 1}, {9999, 1}, {f.nodeid, 1}}};
	CHECK_EQ(fuse_call(&c, FUSE_BATCH_FORGET, 0, &batch, sizeof(batch), NULL, NULL), 0);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, NULL), -ENOENT);
	CHECK_EQ(fuse_getattr(&c, f.nodeid, NULL), -ENOENT);
	batch.in.count = 1000; /* more than there are */
	CHECK_EQ(fuse_call(&c, FUSE_BATCH_FORGET, 0, &batch, sizeof(batch), NULL, NULL), -EINVAL);
}

WITH_DEVICE(test_directory_outlives_its_forgotten_self_through_children)
{
	struct fuse_entry_out dir, sub, file;
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0755, &dir), 0);
	CHECK_EQ(fuse_mkdir(&c, dir.nodeid, "s", 0755, &sub), 0);
	CHECK_EQ(fuse_mknod(&c, sub.nodeid, "f", S_IFREG | 0644, 0, &file), 0);
	fuse_forget(&c, dir.nodeid, 1);
	fuse_forget(&c, sub.nodeid, 1);
	CHECK_EQ(fuse_getattr(&c, file.nodeid, NULL), 0);
	fuse_forget(&c, file.nodeid, 1);
	CHECK_EQ(fuse_getattr(&c, file.nodeid, NULL), -ENOENT);
	CHECK_EQ(fuse_getattr(&c, sub.nodeid, NULL), -ENOENT);
	CHECK_EQ(fuse_getattr(&c, dir.nodeid, NULL), -ENOENT);
}

WITH_DEVICE(test_names_that_are_none_are_refused)
{
	struct fuse_entry_out e;
	static char name[300];
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0755, &e), 0);
	uint64_t dir = e.nodeid;
	static const char *const bad[] = {".", "..", "a/b", "/", "/etc", "../x"};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *n = bad[i];
		CHECK_EQ(fuse_lookup(&c, dir, n, &e), -EINVAL);
		CHECK_EQ(fuse_mkdir(&c, dir, n, 0755, &e), -EINVAL);
		CHECK_EQ(fuse_mknod(&c, dir, n, S_IFREG | 0644, 0, &e), -EINVAL);
		CHECK_EQ(fuse_symlink(&c, dir, n, "x", &e), -EINVAL);
		CHECK_EQ(fuse_unlink(&c, dir, n), -EINVAL);
		CHECK_EQ(fuse_rmdir(&c, dir, n), -EINVAL);
		CHECK_EQ(fuse_rename(&c, dir, n, dir, "x", 0), -EINVAL);
		CHECK_EQ(fuse_rename(&c, ROOT, "d", dir, n, 0), -EINVAL);
		CHECK_EQ(fuse_rename(&c, ROOT, "d", ROOT, n, RENAME_NOREPLACE), -EINVAL);
		CHECK_EQ(fuse_link(&c, ROOT, dir, n, &e), -EINVAL);
		uint64_t fh;
		CHECK_EQ(fuse_create(&c, dir, n, O_RDWR, 0644, &e, &fh), -EINVAL);
	}
	CHECK_EQ(fuse_lookup(&c, dir, "", &e), -ENOENT);
	memset(name, 'n', 255);
	CHECK_EQ(fuse_mkdir(&c, dir, name, 0755, &e), 0);
	CHECK_EQ(fuse_lookup(&c, dir, name, &e), 0);
	name[255] = 'n';
	CHECK_EQ(fuse_lookup(&c, dir, name, &e), -ENAMETOOLONG);
	/* Without an end; with more behind it, which is not the name's. */
	CHECK_EQ(fuse_call(&c, FUSE_LOOKUP, dir, "abc", 3, NULL, NULL), -EINVAL);
	CHECK_EQ(fuse_call(&c, FUSE_LOOKUP, dir, NULL, 0, NULL, NULL), -EINVAL);
	CHECK_EQ(fuse_call(&c, FUSE_LOOKUP, ROOT, "d\0../../etc", 12, NULL, NULL), 0);
}

WITH_DEVICE(test_make_directories_and_files)
{
	struct fuse_entry_out d, e;
	struct stat st;
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0751, &d), 0);
	CHECK_EQ(d.attr.mode, S_IFDIR | 0751);
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0755, &e), -EEXIST);
	/* The process's umask is not asked: the guest's kernel has applied the guest's. */
	CHECK_EQ(fuse_mkdir(&c, d.nodeid, "open", 0777, &e), 0);
	CHECK_EQ(e.attr.mode, S_IFDIR | 0777);
	CHECK_EQ(fuse_mknod(&c, d.nodeid, "file", S_IFREG | 0666, 0, &e), 0);
	CHECK_EQ(e.attr.mode, S_IFREG | 0666);
	CHECK_EQ(fuse_mknod(&c, d.nodeid, "fifo", S_IFIFO | 0600, 0, &e), 0);
	CHECK_EQ(e.attr.mode, S_IFIFO | 0600);
	CHECK_EQ(fuse_mknod(&c, d.nodeid, "sock", S_IFSOCK | 0600, 0, &e), 0);
	CHECK_EQ(fstatat(c.dir_fd, "d/fifo", &st, AT_SYMLINK_NOFOLLOW), 0);
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_EQ(fuse_mknod(&c, d.nodeid, "dir", S_IFDIR | 0700, 0, &e), -EPERM);
	CHECK_EQ(fuse_mkdir(&c, e.nodeid, "in-a-socket", 0700, &e), -ENOTDIR);
	CHECK_EQ(fuse_mkdir(&c, 424242, "nowhere", 0700, &e), -ENOENT);
}

WITH_DEVICE(test_device_nodes_are_roots_and_never_opened)
{
	struct fuse_entry_out e;
	uint64_t fh;
	/* 1:3 is /dev/null; its minor number has high bits in its packed form, too. */
	int ret = fuse_mknod(&c, ROOT, "null", S_IFCHR | 0666, 1 << 8 | 3, &e);
	if (geteuid() != 0) {
		CHECK_EQ(ret, -EPERM);
		return;
	}
	CHECK_EQ(ret, 0);
	CHECK_EQ(e.attr.rdev, 1 << 8 | 3);
	CHECK_EQ(fuse_open(&c, e.nodeid, O_RDWR, &fh), -EACCES);
	CHECK_EQ(
		fuse_mknod(&c, ROOT, "big", S_IFBLK | 0600, 0xabcdeu << 12 | 0x123 << 8 | 0x45, &e),
		0);
	CHECK_EQ(e.attr.rdev, 0xabcdeu << 12 | 0x123 << 8 | 0x45);
}

WITH_DEVICE(test_remove)
{
	struct fuse_entry_out d, f;
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0755, &d), 0);
	CHECK_EQ(fuse_mknod(&c, d.nodeid, "f", S_IFREG | 0644, 0, &f), 0);
	CHECK_EQ(fuse_rmdir(&c, ROOT, "d"), -ENOTEMPTY);
	CHECK_EQ(fuse_unlink(&c, ROOT, "d"), -EISDIR);
	CHECK_EQ(fuse_rmdir(&c, d.nodeid, "f"), -ENOTDIR);
	CHECK_EQ(fuse_unlink(&c, d.nodeid, "f"), 0);
	CHECK_EQ(fuse_unlink(&c, d.nodeid, "f"), -ENOENT);
	CHECK_EQ(fuse_rmdir(&c, ROOT, "d"), 0);
	CHECK(!host_exists(c.dir_fd, "d"));
}

WITH_DEVICE(test_unlinked_open_file_lives_on)
{
	struct fuse_entry_out e;
	struct fuse_attr a;
	struct fuse_setattr_in in = {.valid = FATTR_MODE, .mode = 0600};
	uint64_t fh;
	char buf[16];
	CHECK_EQ(fuse_create(&c, ROOT, "f", O_RDWR, 0644, &e, &fh), 0);
	CHECK_EQ(fuse_unlink(&c, ROOT, "f"), 0);
	CHECK_EQ(fuse_write(&c, e.nodeid, fh, "still here", 10, 0), 10);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, &a), 0);
	CHECK_EQ(a.nlink, 0);
	CHECK_EQ(a.size, 10);
	CHECK_EQ(fuse_setattr(&c, e.nodeid, &in, &a), 0);
	CHECK_EQ(a.mode, S_IFREG | 0600);
	CHECK_EQ(fuse_read(&c, e.nodeid, fh, buf, sizeof(buf), 0), 10);
	CHECK(memcmp(buf, "still here", 10) == 0);
	/* Its name is another file's. */
	struct fuse_entry_out other;
	CHECK_EQ(fuse_mknod(&c, ROOT, "f", S_IFREG | 0644, 0, &other), 0);
	CHECK(other.nodeid != e.nodeid);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, &a), 0);
	CHECK_EQ(a.size, 10);
	fuse_release(&c, e.nodeid, fh, 1);
	fuse_forget(&c, e.nodeid, 1);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, &a), -ENOENT);
}

WITH_DEVICE(test_rename)
{
	struct fuse_entry_out d, e, f;
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0755, &d), 0);
	host_write(c.dir_fd, "a", "A");
	host_write(c.dir_fd, "d/b", "B");
	CHECK_EQ(fuse_lookup(&c, ROOT, "a", &e), 0);
	CHECK_EQ(fuse_rename(&c, ROOT, "a", d.nodeid, "b", RENAME_NOREPLACE), -EEXIST);
	CHECK_EQ(fuse_rename(&c, ROOT, "a", d.nodeid, "b", RENAME_EXCHANGE), 0);
	CHECK(host_has(c.dir_fd, "d/b", "A") && host_has(c.dir_fd, "a", "B"));
	CHECK_EQ(fuse_rename(&c, d.nodeid, "b", ROOT, "a", 0), 0);
	CHECK(host_has(c.dir_fd, "a", "A") && !host_exists(c.dir_fd, "d/b"));
	CHECK_EQ(fuse_rename(&c, ROOT, "a", d.nodeid, "new", RENAME_NOREPLACE), 0);
	CHECK_EQ(fuse_lookup(&c, d.nodeid, "new", &f), 0);
	CHECK_EQ(e.nodeid, f.nodeid);
	CHECK_EQ(fuse_rename(&c, ROOT, "none", ROOT, "x", 0), -ENOENT);
	CHECK_EQ(fuse_rename(&c, ROOT, "d", d.nodeid, "x", 0), -EINVAL); /* into itself */
	CHECK_EQ(fuse_rename(&c, ROOT, "d", f.nodeid, "x", 0), -ENOTDIR);
	CHECK_EQ(fuse_rename(&c, ROOT, "d", 777, "x", 0), -ENOENT);
	CHECK_EQ(fuse_rename(&c, ROOT, "d", ROOT, "x", RENAME_WHITEOUT), -EINVAL);
	CHECK_EQ(fuse_rename(&c, ROOT, "d", ROOT, "x", 1u << 31), -EINVAL);
}

WITH_DEVICE(test_hard_links)
{
	struct fuse_entry_out d, e, f;
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0755, &d), 0);
	CHECK_EQ(fuse_mknod(&c, ROOT, "f", S_IFREG | 0644, 0, &f), 0);
	CHECK_EQ(fuse_link(&c, f.nodeid, d.nodeid, "l", &e), 0);
	CHECK_EQ(e.nodeid, f.nodeid);
	CHECK_EQ(e.attr.nlink, 2);
	CHECK_EQ(fuse_link(&c, f.nodeid, d.nodeid, "l", &e), -EEXIST);
	CHECK_EQ(fuse_link(&c, d.nodeid, ROOT, "dl", &e), -EPERM);
	CHECK_EQ(fuse_link(&c, 99999, ROOT, "x", &e), -ENOENT);
	/* Of a symbolic link: the link itself. */
	host_write(c.outside_fd, "target", "T");
	CHECK_EQ(fuse_symlink(&c, ROOT, "s", "../target", &e), 0);
	CHECK_EQ(fuse_link(&c, e.nodeid, ROOT, "sl", &f), 0);
	CHECK_EQ(f.nodeid, e.nodeid);
	CHECK(S_ISLNK(f.attr.mode));
}

WITH_DEVICE(test_symbolic_links)
{
	static char target[4100];
	struct fuse_entry_out e;
	CHECK_EQ(fuse_symlink(&c, ROOT, "s", "/any/where/../at all", &e), 0);
	CHECK(S_ISLNK(e.attr.mode));
	CHECK_EQ(e.attr.size, 20);
	CHECK_EQ(fuse_call(&c, FUSE_READLINK, e.nodeid, NULL, 0, NULL, NULL), 0);
	CHECK_EQ(c.reply_len, 20);
	CHECK(memcmp(c.reply, "/any/where/../at all", 20) == 0);
	CHECK_EQ(fuse_call(&c, FUSE_READLINK, ROOT, NULL, 0, NULL, NULL), -EINVAL);
	CHECK_EQ(fuse_symlink(&c, ROOT, "s", "x", &e), -EEXIST);
	CHECK_EQ(fuse_symlink(&c, ROOT, "empty", "", &e), -ENOENT);
	memset(target, 't', 4095);
	CHECK_EQ(fuse_symlink(&c, ROOT, "long", target, &e), 0);
	CHECK_EQ(fuse_call(&c, FUSE_READLINK, e.nodeid, NULL, 0, NULL, NULL), 0);
	CHECK_EQ(c.reply_len, 4095);
	target[4095] = 't';
	CHECK_EQ(fuse_symlink(&c, ROOT, "longer", target, &e), -ENAMETOOLONG);
}

WITH_DEVICE(test_create_opens_what_it_makes)
{
	struct fuse_entry_out e, f;
	uint64_t fh;
	char buf[8];
	CHECK_EQ(fuse_create(&c, ROOT, "f", O_RDWR | O_EXCL, 0446, &e, &fh), 0);
	CHECK_EQ(e.attr.mode, S_IFREG | 0446);
	CHECK_EQ(fuse_write(&c, e.nodeid, fh, "abc", 3, 0), 3); /* whatever the mode */
	CHECK_EQ(fuse_read(&c, e.nodeid, fh, buf, 8, 0), 3);
	fuse_release(&c, e.nodeid, fh, 1);
	CHECK_EQ(fuse_create(&c, ROOT, "f", O_RDWR | O_EXCL, 0644, &f, &fh), -EEXIST);

	/* Somebody on the host was faster: opened, and truncated where that is asked for. */
	host_write(c.dir_fd, "g", "content");
	CHECK_EQ(fuse_create(&c, ROOT, "g", O_RDWR, 0600, &f, &fh), 0);
	CHECK_EQ(f.attr.size, 7);
	CHECK_EQ(fuse_read(&c, f.nodeid, fh, buf, 8, 0), 7);
	fuse_release(&c, f.nodeid, fh, 1);
	CHECK_EQ(fuse_create(&c, ROOT, "g", O_WRONLY | O_TRUNC, 0600, &f, &fh), 0);
	CHECK(host_has(c.dir_fd, "g", ""));
	fuse_release(&c, f.nodeid, fh, 1);
	CHECK_EQ(fuse_create(&c, ROOT, "h", O_ACCMODE, 0600, &f, &fh), -EINVAL);

	/* What is no file is for the guest to look at again. */
	CHECK_EQ(mkdirat(c.dir_fd, "dir", 0755), 0);
	CHECK_EQ(fuse_create(&c, ROOT, "dir", O_RDWR, 0600, &f, &fh), -ESTALE);
	CHECK_EQ(mkfifoat(c.dir_fd, "fifo", 0600), 0);
	CHECK_EQ(fuse_create(&c, ROOT, "fifo", O_RDWR, 0600, &f, &fh), -ESTALE);
}

WITH_DEVICE(test_file_without_a_name)
{
	struct fuse_create_in in = {.flags = O_RDWR, .mode = 0640};
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out;
	struct fuse_entry_out e;
	int error = fuse_call(&c, FUSE_TMPFILE, ROOT, &in, sizeof(in), "/", NULL);
	if (error == -EOPNOTSUPP)
		return; /* the file system below /tmp has none */
	CHECK_EQ(error, 0);
	CHECK_EQ(c.reply_len, sizeof(out));
	memcpy(&out, c.reply, sizeof(out));
	CHECK_EQ(out.entry.attr.nlink, 0);
	CHECK_EQ(out.entry.attr.mode, S_IFREG | 0640);
	CHECK_EQ(fuse_write(&c, out.entry.nodeid, out.open.fh, "abc", 3, 0), 3);
	/* Gets one. */
	CHECK_EQ(fuse_link(&c, out.entry.nodeid, ROOT, "named", &e), 0);
	CHECK_EQ(e.nodeid, out.entry.nodeid);
	CHECK(host_has(c.dir_fd, "named", "abc"));
	fuse_release(&c, e.nodeid, out.open.fh, 1);

	in.flags = O_RDONLY;
	CHECK_EQ(fuse_call(&c, FUSE_TMPFILE, ROOT, &in, sizeof(in), "/", NULL), -EINVAL);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_lookup_finds_and_describes),
		TEST_CASE(test_one_file_is_one_inode),
		TEST_CASE(test_forget_of_too_much_and_of_the_root),
		TEST_CASE(test_directory_outlives_its_forgotten_self_through_children),
		TEST_CASE(test_names_that_are_none_are_refused),
		TEST_CASE(test_make_directories_and_files),
		TEST_CASE(test_device_nodes_are_roots_and_never_opened),
		TEST_CASE(test_remove),
		TEST_CASE(test_unlinked_open_file_lives_on),
		TEST_CASE(test_rename),
		TEST_CASE(test_hard_links),
		TEST_CASE(test_symbolic_links),
		TEST_CASE(test_create_opens_what_it_makes),
		TEST_CASE(test_file_without_a_name),
	};
	return NOBODY_RUN(cases);
}
