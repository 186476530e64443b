/* Reading directories of a share. */
#include "fuseclient.h"
#include "nobody.h"
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT  FUSE_ROOT_ID
#define FILES 500

static struct fuseclient c;

static void set_up(void)
{
	fuseclient_open(&c, &(struct fs_share_options){.files_max = 2000});
}

static void tear_down(void)
{
	fuseclient_close(&c);
}

/* What was seen of a directory with files called f000 to f499. */
struct seen {
	unsigned count[FILES];
	unsigned dots, others;
	uint64_t dotdot_ino;
	uint64_t nodeid[FILES];
	uint64_t offset; /* of the last entry */
	unsigned answers;
};

static void note(struct seen *seen, const struct fuse_dirent *d, uint64_t nodeid)
{
	char name[256] = {0};
	unsigned i;
	memcpy(name, d->name, d->namelen);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		seen->dots++;
		if (name[1])
			seen->dotdot_ino = d->ino;
	} else if (sscanf(name, "f%03u", &i) == 1 && i < FILES) {
		seen->count[i]++;
		seen->nodeid[i] = nodeid;
	} else {
		seen->others++;
	}
	seen->offset = d->off;
}

/* The entries of the last answer. Return: false for a bad one. */
static bool parse(struct seen *seen, bool is_plus)
{
	size_t head = is_plus ? sizeof(struct fuse_entry_out) : 0;
	for (size_t at = 0; at < c.reply_len;) {
		struct fuse_entry_out entry = {0};
		const struct fuse_dirent *d = (const struct fuse_dirent *)(c.reply + at + head);
		if (at + head + FUSE_NAME_OFFSET + d->namelen > c.reply_len)
			return false;
		if (is_plus)
			memcpy(&entry, c.reply + at, sizeof(entry));
		if (is_plus && entry.nodeid && entry.attr.ino != d->ino)
			return false;
		note(seen, d, entry.nodeid);
		at += FUSE_DIRENT_ALIGN(head + FUSE_NAME_OFFSET + d->namelen);
	}
	seen->answers++;
	return true;
}

/* Reads on from seen->offset to the end. Return: 0 or -errno. */
static int read_all(struct seen *seen, uint64_t nodeid, uint64_t fh, uint32_t size, bool is_plus)
{
	ssize_t n;
	while ((n = fuse_readdir(&c, nodeid, fh, seen->offset, size, is_plus)) > 0) {
		if (!parse(seen, is_plus))
			return -EBADMSG;
	}
	return (int)n;
}

static void make_files(unsigned count)
{
	char name[16];
	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "f%03u", i);
		host_write(c.dir_fd, name, "");
	}
}

static bool is_each_once(const struct seen *seen, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (seen->count[i] != 1)
			return false;
	}
	return seen->dots == 2 && seen->others == 0;
}

WITH_DEVICE(test_each_entry_comes_once)
{
	static const uint32_t sizes[] = {280, 4096, 65536, 1 << 20};
	make_files(FILES);
	for (unsigned i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		bool is_plus = i & 1;
		struct seen seen = {.answers = 0};
		uint64_t fh;
		CHECK_EQ(fuse_opendir(&c, ROOT, &fh), 0);
		CHECK_EQ(read_all(&seen, ROOT, fh, sizes[i / 2], is_plus), 0);
		CHECK(is_each_once(&seen, FILES));
		CHECK_EQ(seen.dotdot_ino != 0, true);
		fuse_releasedir(&c, ROOT, fh);
		CHECK_EQ(fuse_readdir(&c, ROOT, fh, 0, 4096, false), -EBADF);
	}
}

WITH_DEVICE(test_entries_with_attributes_are_looked_up)
{
	struct seen seen = {.answers = 0};
	struct fuse_attr a;
	struct fuse_entry_out e;
	uint64_t fh;
	make_files(3);
	CHECK_EQ(fuse_opendir(&c, ROOT, &fh), 0);
	CHECK_EQ(read_all(&seen, ROOT, fh, 4096, true), 0);
	CHECK(is_each_once(&seen, 3));
	CHECK_EQ(fuse_getattr(&c, seen.nodeid[1], &a), 0);
	CHECK_EQ(fuse_lookup(&c, ROOT, "f001", &e), 0);
	CHECK_EQ(e.nodeid, seen.nodeid[1]);
	fuse_forget(&c, e.nodeid, 2); /* one of them by the listing */
	CHECK_EQ(fuse_getattr(&c, e.nodeid, &a), -ENOENT);
}

WITH_DEVICE(test_types_are_told)
{
	uint64_t fh;
	static const struct {
		const char *name;
		uint32_t type;
	} want[] = {{"dir", DT_DIR}, {"fifo", DT_FIFO}, {"file", DT_REG}, {"link", DT_LNK}};
	unsigned found = 0;
	CHECK_EQ(mkdirat(c.dir_fd, "dir", 0755), 0);
	CHECK_EQ(mkfifoat(c.dir_fd, "fifo", 0600), 0);
	host_write(c.dir_fd, "file", "");
	CHECK_EQ(symlinkat("x", c.dir_fd, "link"), 0);
	CHECK_EQ(fuse_opendir(&c, ROOT, &fh), 0);
	CHECK(fuse_readdir(&c, ROOT, fh, 0, 4096, false) > 0);
	for (size_t at = 0; at < c.reply_len;) {
		const struct fuse_dirent *d = (const struct fuse_dirent *)(c.reply + at);
		for (unsigned i = 0; i < 4; i++) {
			if (d->namelen == strlen(want[i].name) &&
			    memcmp(d->name, want[i].name, d->namelen) == 0)
				found += d->type == want[i].type;
		}
		at += FUSE_DIRENT_SIZE(d);
	}
	CHECK_EQ(found, 4);
}

/* What is above the share is nobody's business. */
WITH_DEVICE(test_parent_of_the_root_is_the_root)
{
	struct seen seen = {.answers = 0}, below = {.answers = 0};
	struct fuse_entry_out d;
	struct stat st;
	uint64_t fh;
	CHECK_EQ(fstat(c.dir_fd, &st), 0);
	CHECK_EQ(fuse_opendir(&c, ROOT, &fh), 0);
	CHECK_EQ(read_all(&seen, ROOT, fh, 4096, false), 0);
	CHECK_EQ(seen.dotdot_ino, st.st_ino);
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0755, &d), 0);
	CHECK_EQ(fuse_opendir(&c, d.nodeid, &fh), 0);
	CHECK_EQ(read_all(&below, d.nodeid, fh, 4096, false), 0);
	CHECK_EQ(below.dotdot_ino, st.st_ino);
}

/* Files that are there all the time come once, whatever happens to the others. */
WITH_DEVICE(test_listing_is_stable_under_changes)
{
	struct seen seen = {.answers = 0};
	char name[16];
	uint64_t fh;
	ssize_t n;
	make_files(FILES);
	CHECK_EQ(fuse_opendir(&c, ROOT, &fh), 0);
	while ((n = fuse_readdir(&c, ROOT, fh, seen.offset, 1024, seen.answers & 1)) > 0) {
		CHECK(parse(&seen, seen.answers & 1));
		/* Odd ones go, one after the other; new ones come. */
		snprintf(name, sizeof(name), "f%03u", (seen.answers * 10 + 1) % FILES);
		unlinkat(c.dir_fd, name, 0);
		snprintf(name, sizeof(name), "new%u", seen.answers);
		host_write(c.dir_fd, name, "");
	}
	CHECK_EQ(n, 0);
	for (unsigned i = 0; i < FILES; i++)
		CHECK_EQ(seen.count[i] > 1, false);
	for (unsigned i = 0; i < FILES; i += 2)
		CHECK_EQ(seen.count[i], 1);
}

WITH_DEVICE(test_directory_can_be_read_again_and_from_the_middle)
{
	struct seen all = {.answers = 0}, again = {.answers = 0}, rest = {.answers = 0};
	uint64_t fh;
	make_files(100);
	CHECK_EQ(fuse_opendir(&c, ROOT, &fh), 0);
	CHECK(fuse_readdir(&c, ROOT, fh, 0, 1024, false) > 0);
	CHECK(parse(&rest, false));
	CHECK_EQ(read_all(&all, ROOT, fh, 4096, false), 0);
	CHECK(is_each_once(&all, 100));
	CHECK_EQ(read_all(&again, ROOT, fh, 512, true), 0);
	CHECK(is_each_once(&again, 100));
	CHECK_EQ(read_all(&rest, ROOT, fh, 2048, false), 0);
	CHECK(is_each_once(&rest, 100));
	/* An offset that nobody was given: some entries or none, or an error; not more. */
	fuse_readdir(&c, ROOT, fh, 0x123456789abcdef, 4096, false);
	fuse_readdir(&c, ROOT, fh, UINT64_MAX, 4096, true);
	CHECK_EQ(fuse_readdir(&c, ROOT, fh, 0, 0, false), 0); /* no room: nothing */
	CHECK_EQ(fuse_readdir(&c, ROOT, fh, 0, 10, true), 0);
}

WITH_DEVICE(test_longest_names_fit)
{
	static char name[256];
	uint64_t fh;
	memset(name, 'n', 255);
	host_write(c.dir_fd, name, "");
	CHECK_EQ(fuse_opendir(&c, ROOT, &fh), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct seen seen = {.answers = 0};
		CHECK_EQ(read_all(&seen, ROOT, fh, 448, i), 0);
		CHECK_EQ(seen.others, 1);
		CHECK_EQ(seen.dots, 2);
	}
}

/* File systems mounted in the share: where there may be a mount namespace of the test's own. */
static bool can_mount;

static bool mount_at(const char *name, const char *type)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/%s", c.dir, name);
	return mkdirat(c.dir_fd, name, 0755) == 0 && mount("test", path, type, 0, NULL) == 0;
}

static void unmount(const char *name)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/%s", c.dir, name);
	umount2(path, MNT_DETACH);
}

static void check_looks_empty(const char *name)
{
	struct fuse_entry_out d, e;
	struct seen seen = {.answers = 0}, plus = {.answers = 0};
	struct fuse_setattr_in chmod = {.valid = FATTR_MODE, .mode = 0700};
	uint64_t fh;
	CHECK_EQ(fuse_lookup(&c, ROOT, name, &d), 0);
	CHECK(S_ISDIR(d.attr.mode));
	CHECK_EQ(fuse_lookup(&c, d.nodeid, "inner", &e), -ENOENT);
	CHECK_EQ(fuse_lookup(&c, d.nodeid, "self", &e), -ENOENT);
	CHECK_EQ(fuse_mkdir(&c, d.nodeid, "new", 0755, &e), -EPERM);
	CHECK_EQ(fuse_unlink(&c, d.nodeid, "inner"), -EPERM);
	CHECK_EQ(fuse_setattr(&c, d.nodeid, &chmod, NULL), -EPERM);
	host_write(c.dir_fd, "plain", "");
	CHECK_EQ(fuse_rename(&c, ROOT, "plain", d.nodeid, "x", 0), -EPERM);
	CHECK_EQ(fuse_opendir(&c, d.nodeid, &fh), 0);
	CHECK_EQ(read_all(&seen, d.nodeid, fh, 4096, false), 0);
	CHECK_EQ(read_all(&plus, d.nodeid, fh, 200, true), 0);
	CHECK_EQ(seen.dots, 2);
	CHECK_EQ(seen.others + plus.others, 0);
	CHECK_EQ(plus.dots, 2);
	fuse_releasedir(&c, d.nodeid, fh);
}

WITH_DEVICE(test_mounted_file_systems)
{
	struct fuse_entry_out d, e;
	if (!can_mount || !mount_at("mnt", "tmpfs"))
		return;
	host_write(c.dir_fd, "mnt/inner", "inner");
	CHECK_EQ(fuse_lookup(&c, ROOT, "mnt", &d), 0);
	CHECK_EQ(fuse_lookup(&c, d.nodeid, "inner", &e), 0);
	CHECK_EQ(e.attr.size, 5);
	CHECK_EQ(fuse_rename(&c, d.nodeid, "inner", ROOT, "x", 0), -EXDEV);
	fuseclient_reopen(&c, &(struct fs_share_options){.is_one_filesystem = true});
	check_looks_empty("mnt");
	unmount("mnt");
}

/* The host kernel's own file systems never show, whatever the options. */
WITH_DEVICE(test_proc_looks_empty)
{
	if (!can_mount || !mount_at("proc", "proc"))
		return;
	check_looks_empty("proc");
	unmount("proc");
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_each_entry_comes_once),
		TEST_CASE(test_entries_with_attributes_are_looked_up),
		TEST_CASE(test_types_are_told),
		TEST_CASE(test_parent_of_the_root_is_the_root),
		TEST_CASE(test_listing_is_stable_under_changes),
		TEST_CASE(test_directory_can_be_read_again_and_from_the_middle),
		TEST_CASE(test_longest_names_fit),
		TEST_CASE(test_mounted_file_systems),
		TEST_CASE(test_proc_looks_empty),
	};
	can_mount =
		unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	return NOBODY_RUN(cases);
}
