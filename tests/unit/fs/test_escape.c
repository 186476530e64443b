/*
 * Nothing leads out of a shared directory: not links, not names, not what is renamed while the
 * guest looks, not what a hostile guest sends.
 */
#include "fuseclient.h"
#include "nobody.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ROOT   FUSE_ROOT_ID
#define SECRET "secret"

static struct fuseclient c;

/* Beside the share: a directory with a file that says SECRET. */
static void set_up(void)
{
	fuseclient_open(&c, &(struct fs_share_options){.files_max = 1000});
	if (mkdirat(c.outside_fd, "out", 0777) != 0 || fchmodat(c.outside_fd, "out", 0777, 0) != 0)
		abort();
	host_write(c.outside_fd, "out/file", SECRET);
	if (fchmodat(c.outside_fd, "out/file", 0666, 0) != 0)
		abort();
}

static void tear_down(void)
{
	fuseclient_close(&c);
}

/* Nothing outside is any different. */
static bool outside_is_untouched(void)
{
	struct stat st;
	char path[200];
	snprintf(path, sizeof(path), "%s/out", c.outside);
	return host_has(c.outside_fd, "out/file", SECRET) &&
	       fstatat(c.outside_fd, "out/file", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_mode == (S_IFREG | 0666) && st.st_nlink == 1 && st.st_mtim.tv_sec > 1000 &&
	       st.st_uid == geteuid() &&
	       fstatat(c.outside_fd, "out", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_nlink == 2 &&
	       st.st_mode == (S_IFDIR | 0777) && getxattr(path, "user.x", NULL, 0) < 0 &&
	       !host_exists(c.outside_fd, "out/new") && !host_exists(c.outside_fd, "new");
}

/* Everything that can be asked of a name in a directory that should not be one. */
static void storm_dir(uint64_t dir)
{
	struct fuse_entry_out e;
	uint64_t fh;
	CHECK(fuse_lookup(&c, dir, "file", &e) < 0);
	CHECK(fuse_mkdir(&c, dir, "new", 0755, &e) < 0);
	CHECK(fuse_mknod(&c, dir, "new", S_IFREG | 0644, 0, &e) < 0);
	CHECK(fuse_symlink(&c, dir, "new", "x", &e) < 0);
	CHECK(fuse_create(&c, dir, "new", O_RDWR, 0644, &e, &fh) < 0);
	CHECK(fuse_unlink(&c, dir, "file") < 0);
	CHECK(fuse_rmdir(&c, dir, "file") < 0);
	CHECK(fuse_rename(&c, dir, "file", ROOT, "got", 0) < 0);
	CHECK(fuse_opendir(&c, dir, &fh) < 0);
}

/* Everything that can be asked of a file that should not be touched. */
static void storm_file(uint64_t file)
{
	uint64_t fh;
	uint32_t xattr[2] = {1, 0};
	uint8_t args[8 + 7 + 1];
	struct fuse_setattr_in chmod = {.valid = FATTR_MODE, .mode = 0};
	struct fuse_setattr_in size = {.valid = FATTR_SIZE};
	struct fuse_setattr_in times = {.valid = FATTR_MTIME, .mtime = 1};
	CHECK(fuse_open(&c, file, O_RDWR, &fh) < 0);
	CHECK(fuse_setattr(&c, file, &chmod, NULL) < 0);
	CHECK(fuse_setattr(&c, file, &size, NULL) < 0);
	fuse_setattr(&c, file, &times, NULL); /* the link's own */
	memcpy(args, xattr, 8);
	memcpy(args + 8, "user.x", 7);
	args[15] = 'v';
	CHECK(fuse_call(&c, FUSE_SETXATTR, file, args, sizeof(args), NULL, NULL) < 0);
}

WITH_DEVICE(test_symbolic_links_are_not_followed)
{
	static const char *const targets[] = {"../out", "/", "../out/file", "/proc/self/root", "."};
	struct fuse_entry_out e;
	uint64_t fh;
	char absolute[200], name[8];
	snprintf(absolute, sizeof(absolute), "%s/out", c.outside);
	for (unsigned i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "l%u", i);
		CHECK_EQ(symlinkat(i < 5 ? targets[i] : absolute, c.dir_fd, name), 0);
		CHECK_EQ(fuse_lookup(&c, ROOT, name, &e), 0);
		CHECK(S_ISLNK(e.attr.mode));
		storm_dir(e.nodeid);
		storm_file(e.nodeid);
		/* As a name that is to be made or opened. */
		CHECK_EQ(fuse_mkdir(&c, ROOT, name, 0755, &e), -EEXIST);
		CHECK_EQ(fuse_mknod(&c, ROOT, name, S_IFREG | 0644, 0, &e), -EEXIST);
		CHECK_EQ(fuse_create(&c, ROOT, name, O_RDWR | O_TRUNC, 0644, &e, &fh), -ESTALE);
		CHECK_EQ(fuse_create(&c, ROOT, name, O_RDWR | O_EXCL, 0644, &e, &fh), -EEXIST);
	}
	CHECK_EQ(symlinkat("../out/new", c.dir_fd, "dangling"), 0);
	CHECK_EQ(fuse_create(&c, ROOT, "dangling", O_RDWR, 0644, &e, &fh), -ESTALE);
	CHECK(outside_is_untouched());
	/* Renaming and removing concern the links themselves. */
	CHECK_EQ(fuse_rename(&c, ROOT, "l0", ROOT, "l2", 0), 0);
	CHECK_EQ(fuse_unlink(&c, ROOT, "l2"), 0);
	CHECK_EQ(fuse_rmdir(&c, ROOT, "l1"), -ENOTDIR);
	CHECK(outside_is_untouched());
}

/* A directory that the host moves out of the share is still what it was, but not a way up. */
WITH_DEVICE(test_directory_moved_outside_is_no_way_up)
{
	struct fuse_entry_out d, e;
	uint64_t fh;
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0755, &d), 0);
	CHECK_EQ(renameat(c.dir_fd, "d", c.outside_fd, "out/d"), 0);
	CHECK_EQ(fuse_lookup(&c, d.nodeid, "..", &e), -EINVAL);
	CHECK_EQ(fuse_lookup(&c, d.nodeid, "file", &e), -ENOENT);
	CHECK_EQ(fuse_lookup(&c, d.nodeid, "../file", &e), -EINVAL);
	CHECK_EQ(fuse_rename(&c, ROOT, "..", d.nodeid, "x", 0), -EINVAL);
	CHECK_EQ(fuse_create(&c, d.nodeid, "../file", O_RDWR, 0644, &e, &fh), -EINVAL);
	CHECK_EQ(unlinkat(c.outside_fd, "out/d", AT_REMOVEDIR), 0);
	CHECK(outside_is_untouched());
}

/* The same with an inode whose descriptor was closed meanwhile: it is found by its place only. */
WITH_DEVICE(test_closed_inode_is_not_found_elsewhere)
{
	struct fuse_entry_out d, e, f;
	char name[16];
	fuseclient_reopen(&c, &(struct fs_share_options){.files_max = 128});
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0755, &d), 0);
	CHECK_EQ(fuse_mkdir(&c, d.nodeid, "sub", 0755, &e), 0);
	for (unsigned i = 0; i < 300; i++) { /* many more than may be open */
		snprintf(name, sizeof(name), "f%u", i);
		CHECK_EQ(fuse_mknod(&c, ROOT, name, S_IFREG | 0644, 0, &f), 0);
	}
	CHECK_EQ(renameat(c.dir_fd, "d", c.dir_fd, "old"), 0);
	CHECK_EQ(symlinkat("../out", c.dir_fd, "d"), 0);
	CHECK_EQ(fuse_lookup(&c, d.nodeid, "file", &f), -ESTALE);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, NULL), -ESTALE);
	/* What is there now has the right name, but is another directory. */
	CHECK_EQ(unlinkat(c.dir_fd, "d", 0), 0);
	CHECK_EQ(mkdirat(c.dir_fd, "d", 0755), 0);
	CHECK_EQ(fuse_getattr(&c, d.nodeid, NULL), -ESTALE);
	/* Looked up under its new name it is itself again, and what is in it. */
	CHECK_EQ(fuse_lookup(&c, ROOT, "old", &f), 0);
	CHECK_EQ(f.nodeid, d.nodeid);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, NULL), 0);
	CHECK(outside_is_untouched());
}

/* A thread of the host's, or another guest: swaps a directory for a link that leads out. */

static atomic_bool is_over;

static void *swap(void *ctx)
{
	(void)ctx;
	while (!atomic_load(&is_over))
		renameat2(c.dir_fd, "d", c.dir_fd, "link", RENAME_EXCHANGE);
	return NULL;
}

static bool is_secret(uint64_t nodeid)
{
	uint64_t fh;
	char buf[16];
	bool is = false;
	if (fuse_open(&c, nodeid, O_RDONLY, &fh) == 0) {
		is = fuse_read(&c, nodeid, fh, buf, sizeof(buf), 0) >= 6 &&
		     memcmp(buf, SECRET, 6) == 0;
		fuse_release(&c, nodeid, fh, 1);
	}
	return is;
}

/* One round of a guest that wants to be led out. Return: whether it was. */
static bool try_round(unsigned i)
{
	struct fuse_entry_out d, e;
	uint64_t fh;
	char name[16];
	if (fuse_lookup(&c, ROOT, i & 1 ? "d" : "link", &d) != 0)
		return false;
	if (fuse_lookup(&c, d.nodeid, "file", &e) == 0) {
		if (is_secret(e.nodeid))
			return true;
		fuse_forget(&c, e.nodeid, 1);
	}
	snprintf(name, sizeof(name), "n%u", i);
	if (fuse_create(&c, d.nodeid, name, O_RDWR, 0644, &e, &fh) == 0) {
		fuse_release(&c, e.nodeid, fh, 1);
		fuse_unlink(&c, d.nodeid, name);
		fuse_forget(&c, e.nodeid, 1);
	}
	if (fuse_create(&c, ROOT, "d", O_RDWR, 0644, &e, &fh) == 0)
		return true; /* neither a directory nor a link is a file */
	if (fuse_opendir(&c, d.nodeid, &fh) == 0) {
		if (fuse_readdir(&c, d.nodeid, fh, 0, 4096, true) > 0 &&
		    memmem(c.reply, c.reply_len, "only-outside", 12))
			return true;
		fuse_releasedir(&c, d.nodeid, fh);
	}
	fuse_rename(&c, d.nodeid, "file", d.nodeid, "file2", 0);
	fuse_rename(&c, d.nodeid, "file2", d.nodeid, "file", 0);
	fuse_forget(&c, d.nodeid, 1);
	return false;
}

static void race(unsigned files_max)
{
	pthread_t thread;
	struct fuse_entry_out f;
	char name[16];
	bool is_out = false;
	fuseclient_reopen(&c, &(struct fs_share_options){.files_max = files_max});
	host_write(c.outside_fd, "out/only-outside", "");
	CHECK_EQ(mkdirat(c.dir_fd, "d", 0755), 0);
	host_write(c.dir_fd, "d/file", "inside");
	CHECK_EQ(symlinkat("../out", c.dir_fd, "link"), 0);
	atomic_store(&is_over, false);
	CHECK_EQ(pthread_create(&thread, NULL, swap, NULL), 0);
	for (unsigned i = 0; i < 1000 && !is_out; i++) {
		is_out = try_round(i);
		if (files_max == 128) { /* inodes get closed, and are looked for again */
			snprintf(name, sizeof(name), "f%u", i % 200);
			fuse_mknod(&c, ROOT, name, S_IFREG | 0644, 0, &f);
		}
	}
	atomic_store(&is_over, true);
	pthread_join(thread, NULL);
	CHECK(!is_out);
	CHECK_EQ(unlinkat(c.outside_fd, "out/only-outside", 0), 0);
	CHECK(outside_is_untouched());
}

WITH_DEVICE(test_swapping_names_does_not_lead_out)
{
	race(1000);
}

WITH_DEVICE(test_swapping_names_of_closed_inodes_does_not_lead_out)
{
	race(128);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_symbolic_links_are_not_followed),
		TEST_CASE(test_directory_moved_outside_is_no_way_up),
		TEST_CASE(test_closed_inode_is_not_found_elsewhere),
		TEST_CASE(test_swapping_names_does_not_lead_out),
		TEST_CASE(test_swapping_names_of_closed_inodes_does_not_lead_out),
	};
	return NOBODY_RUN(cases);
}
