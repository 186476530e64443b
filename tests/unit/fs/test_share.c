/* A shared directory as a whole: opening it, sessions, limits, read-only shares, saved state. */
#include "fuseclient.h"
#include "nobody.h"
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <unistd.h>

#define ROOT FUSE_ROOT_ID

static struct fuseclient c;
static const struct fs_share_options plain = {.files_max = 1000};

static void set_up(void)
{
	fuseclient_open(&c, &plain);
}

static void tear_down(void)
{
	fuseclient_close(&c);
}

static unsigned open_files(void)
{
	unsigned count = 0;
	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int try_open(const char *path, const char *says)
{
	struct err err = {0};
	struct fs *fs;
	int error = fs_share_open(&fs, path, &plain, &err);
	if (error == 0)
		fs_destroy(fs);
	else if (!strstr(err.msg, says) || !strstr(err.msg, path))
		return 1;
	return error;
}

WITH_DEVICE(test_what_cannot_be_shared)
{
	char path[200];
	CHECK_EQ(try_open("/nonexistent/dir", "No such file"), -ENOENT);
	host_write(c.dir_fd, "file", "");
	snprintf(path, sizeof(path), "%s/file", c.dir);
	CHECK_EQ(try_open(path, "not a directory"), -ENOTDIR);
	CHECK_EQ(try_open("/proc", "kernel's own"), -EINVAL);
	CHECK_EQ(try_open("/sys", "kernel's own"), -EINVAL);
	CHECK_EQ(try_open("/proc/self/fd", "kernel's own"), -EINVAL);
	if (geteuid() != 0)
		CHECK_EQ(try_open("/root", "Permission denied"), -EACCES);
	/* A link to a directory is the user's to name. */
	CHECK_EQ(symlinkat(c.dir, c.outside_fd, "link"), 0);
	snprintf(path, sizeof(path), "%s/link", c.outside);
	CHECK_EQ(try_open(path, ""), 0);
}

WITH_DEVICE(test_limit_on_open_files_is_raised)
{
	struct rlimit before, after;
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
	struct rlimit low = {.rlim_cur = 300, .rlim_max = before.rlim_max};
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
	unsigned one = fs_share_files_max(1), four = fs_share_files_max(4);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
	CHECK_EQ(after.rlim_cur, before.rlim_max);
	CHECK(one >= 128 && one < after.rlim_cur && four >= 128 && four <= one);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* Sessions. */

static void test_nothing_works_before_init(void)
{
	struct fuse_entry_out e;
	struct fuse_init_out out;
	fuseclient_open_only(&c, &plain);
	CHECK_EQ(fuse_lookup(&c, ROOT, "x", &e), -ENOTCONN);
	CHECK_EQ(fuse_getattr(&c, ROOT, NULL), -ENOTCONN);
	CHECK_EQ(fuse_call(&c, FUSE_DESTROY, 0, NULL, 0, NULL, NULL), 0);
	CHECK_EQ(fuse_init(&c, 31, 0, &out), 0);
	CHECK_EQ(fuse_getattr(&c, ROOT, NULL), 0);
	CHECK_EQ(fuse_call(&c, FUSE_DESTROY, 0, NULL, 0, NULL, NULL), 0);
	CHECK_EQ(fuse_getattr(&c, ROOT, NULL), -ENOTCONN);
	fuseclient_close(&c);
}

WITH_DEVICE(test_init_agrees_on_what_both_can)
{
	struct fuse_init_out out;
	CHECK_EQ(fuse_init(&c, 40, ~0u, &out), 0);
	CHECK_EQ(out.major, 7);
	CHECK_EQ(out.minor, 38);
	CHECK_EQ(out.max_write, FS_DATA_MAX);
	CHECK_EQ(out.max_pages, FS_PAGES_MAX);
	CHECK_EQ(out.time_gran, 1);
	CHECK(out.flags & FUSE_DO_READDIRPLUS && out.flags & FUSE_ATOMIC_O_TRUNC &&
	      out.flags & FUSE_PARALLEL_DIROPS && out.flags & FUSE_HANDLE_KILLPRIV_V2);
	CHECK_EQ(out.flags & (FUSE_WRITEBACK_CACHE | FUSE_EXPORT_SUPPORT | FUSE_POSIX_ACL |
			      FUSE_SUBMOUNTS | FUSE_MAP_ALIGNMENT | FUSE_DONT_MASK | FUSE_INIT_EXT),
		 0);
	CHECK_EQ(fuse_init(&c, 31, FUSE_ASYNC_READ, &out), 0);
	CHECK_EQ(out.flags, FUSE_ASYNC_READ); /* no more than was offered */
	CHECK_EQ(fuse_init(&c, 30, ~0u, &out), -EPROTO);
	struct fuse_init_in in = {.major = 6, .minor = 99};
	CHECK_EQ(fuse_call(&c, FUSE_INIT, 0, &in, sizeof(in), NULL, NULL), -EPROTO);
	in.major = 8; /* is told our version, and asks again */
	CHECK_EQ(fuse_call(&c, FUSE_INIT, 0, &in, sizeof(in), NULL, NULL), 0);
	memcpy(&out, c.reply, sizeof(out));
	CHECK_EQ(out.major, 7);
	CHECK_EQ(fuse_call(&c, FUSE_INIT, 0, &in, 15, NULL, NULL), -EINVAL);
}

WITH_DEVICE(test_new_session_forgets_the_old_one)
{
	struct fuse_entry_out e;
	struct fuse_init_out out;
	uint64_t fh;
	char buf[4];
	unsigned before = open_files();
	CHECK_EQ(fuse_create(&c, ROOT, "f", O_RDWR, 0644, &e, &fh), 0);
	CHECK(open_files() > before);
	CHECK_EQ(fuse_init(&c, 38, ~0u, &out), 0);
	CHECK_EQ(open_files(), before);
	CHECK_EQ(fuse_read(&c, e.nodeid, fh, buf, 4, 0), -ENOENT);
	CHECK_EQ(fuse_create(&c, ROOT, "g", O_RDWR, 0644, &e, &fh), 0);
	device_lock(&c.dev);
	c.fs->ops->reset(c.fs);
	device_unlock(&c.dev);
	CHECK_EQ(open_files(), before);
	CHECK_EQ(fuse_getattr(&c, ROOT, NULL), -ENOTCONN);
}

WITH_DEVICE(test_other_requests_are_not_known)
{
	static const uint32_t opcodes[] = {0,
					   7,
					   FUSE_BMAP,
					   FUSE_IOCTL,
					   FUSE_POLL,
					   FUSE_NOTIFY_REPLY,
					   FUSE_SETUPMAPPING,
					   FUSE_INTERRUPT,
					   52,
					   CUSE_INIT,
					   UINT32_MAX};
	static const uint8_t zeroes[256];
	for (unsigned i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++)
		CHECK_EQ(fuse_call(&c, opcodes[i], ROOT, zeroes, sizeof(zeroes), NULL, NULL),
			 -ENOSYS);
}

/* Whatever the request, with too few arguments or no room for its answer nothing happens. */
WITH_DEVICE(test_short_requests_are_refused)
{
	static const uint8_t zeroes[256];
	struct fuse_entry_out e;
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0755, &e), 0);
	for (uint32_t opcode = 1; opcode <= FUSE_TMPFILE; opcode++) {
		for (unsigned len = 0; len < 128; len += 7) {
			int error = fuse_call(&c, opcode, e.nodeid, zeroes, len, NULL, NULL);
			CHECK(error <= 0 && error > -4096);
			if (opcode == FUSE_INIT || opcode == FUSE_DESTROY)
				fuseclient_reopen(&c, &plain);
			CHECK_EQ(fuse_lookup(&c, ROOT, "d", &e), 0);
		}
	}
	c.room = sizeof(struct fuse_entry_out) - 1;
	struct fuse_mkdir_in in = {.mode = 0755};
	CHECK_EQ(fuse_call(&c, FUSE_MKDIR, ROOT, &in, sizeof(in), "x", NULL), -EINVAL);
	CHECK(!host_exists(c.dir_fd, "x"));
}

/* Read-only shares. */

WITH_DEVICE(test_read_only_share_changes_nothing)
{
	struct fuse_entry_out d, e, f;
	struct fuse_setattr_in chmod = {.valid = FATTR_MODE, .mode = 0};
	struct fuse_access_in access_in = {.mask = W_OK};
	struct fuse_syncfs_in sync = {0};
	uint64_t fh;
	char buf[8];
	host_write(c.dir_fd, "f", "content");
	CHECK_EQ(mkdirat(c.dir_fd, "d", 0755), 0);
	fuseclient_reopen(&c, &(struct fs_share_options){.is_readonly = true});
	CHECK_EQ(fuse_lookup(&c, ROOT, "f", &f), 0);
	CHECK_EQ(fuse_lookup(&c, ROOT, "d", &d), 0);
	CHECK_EQ(fuse_open(&c, f.nodeid, O_WRONLY, &fh), -EROFS);
	CHECK_EQ(fuse_open(&c, f.nodeid, O_RDWR, &fh), -EROFS);
	CHECK_EQ(fuse_open(&c, f.nodeid, O_RDONLY | O_TRUNC, &fh), -EROFS);
	CHECK_EQ(fuse_open(&c, f.nodeid, O_RDONLY, &fh), 0);
	CHECK_EQ(fuse_read(&c, f.nodeid, fh, buf, 8, 0), 7);
	CHECK_EQ(fuse_write(&c, f.nodeid, fh, "x", 1, 0), -EROFS);
	CHECK_EQ(fuse_setattr(&c, f.nodeid, &chmod, NULL), -EROFS);
	CHECK_EQ(fuse_create(&c, ROOT, "new", O_RDWR, 0644, &e, &fh), -EROFS);
	CHECK_EQ(fuse_create(&c, ROOT, "f", O_RDONLY, 0644, &e, &fh), -EROFS);
	CHECK_EQ(fuse_mkdir(&c, ROOT, "new", 0755, &e), -EROFS);
	CHECK_EQ(fuse_mknod(&c, ROOT, "new", S_IFREG | 0644, 0, &e), -EROFS);
	CHECK_EQ(fuse_symlink(&c, ROOT, "new", "x", &e), -EROFS);
	CHECK_EQ(fuse_link(&c, f.nodeid, ROOT, "new", &e), -EROFS);
	CHECK_EQ(fuse_unlink(&c, ROOT, "f"), -EROFS);
	CHECK_EQ(fuse_rmdir(&c, ROOT, "d"), -EROFS);
	CHECK_EQ(fuse_rename(&c, ROOT, "f", d.nodeid, "f", 0), -EROFS);
	CHECK_EQ(fuse_rename(&c, ROOT, "f", ROOT, "d", RENAME_EXCHANGE), -EROFS);
	static const uint32_t changing[] = {FUSE_SETXATTR, FUSE_REMOVEXATTR, FUSE_FALLOCATE,
					    FUSE_COPY_FILE_RANGE, FUSE_TMPFILE};
	for (unsigned i = 0; i < sizeof(changing) / sizeof(changing[0]); i++)
		CHECK_EQ(fuse_call(&c, changing[i], f.nodeid, buf, 8, NULL, NULL), -EROFS);
	CHECK_EQ(fuse_call(&c, FUSE_ACCESS, f.nodeid, &access_in, sizeof(access_in), NULL, NULL),
		 -EROFS);
	CHECK_EQ(fuse_call(&c, FUSE_SYNCFS, ROOT, &sync, sizeof(sync), NULL, NULL), 0);
	CHECK(host_has(c.dir_fd, "f", "content"));
	CHECK(!host_exists(c.dir_fd, "new"));
}

WITH_DEVICE(test_private_share_lets_the_guest_remember)
{
	struct fuse_entry_out e;
	CHECK_EQ(fuse_lookup(&c, ROOT, "nothing", &e), -ENOENT);
	host_write(c.dir_fd, "f", "content");
	fuseclient_reopen(&c, &(struct fs_share_options){.is_private = true});
	CHECK_EQ(fuse_lookup(&c, ROOT, "f", &e), 0);
	CHECK(e.entry_valid > 3600 && e.attr_valid > 3600);
	CHECK_EQ(fuse_lookup(&c, ROOT, "nothing", &e), 0);
	CHECK_EQ(e.nodeid, 0);
	CHECK(e.entry_valid > 3600);
}

/* Limits. */

WITH_DEVICE(test_more_inodes_than_descriptors)
{
	static uint64_t nodeid[500];
	struct fuse_entry_out d, e;
	struct fuse_attr a;
	char name[16];
	fuseclient_reopen(&c, &(struct fs_share_options){.files_max = 128});
	unsigned before = open_files();
	uint64_t dir = ROOT;
	for (unsigned i = 0; i < 500; i++) {
		if (i % 100 == 0) { /* one in the other */
			snprintf(name, sizeof(name), "d%u", i);
			CHECK_EQ(fuse_mkdir(&c, dir, name, 0755, &d), 0);
			dir = d.nodeid;
		}
		snprintf(name, sizeof(name), "f%u", i);
		CHECK_EQ(fuse_mknod(&c, dir, name, S_IFREG | (i % 2 ? 0600 : 0644), 0, &e), 0);
		nodeid[i] = e.nodeid;
		CHECK(open_files() <= before + 128);
	}
	for (unsigned i = 0; i < 500; i++) {
		CHECK_EQ(fuse_getattr(&c, nodeid[i], &a), 0);
		CHECK_EQ(a.mode, S_IFREG | (i % 2 ? 0600 : 0644));
	}
	/* The guest renames what is closed, and a directory above others. */
	CHECK_EQ(fuse_rename(&c, ROOT, "d0", ROOT, "renamed", 0), 0);
	for (unsigned i = 0; i < 500; i += 3)
		CHECK_EQ(fuse_getattr(&c, nodeid[i], &a), 0);
	for (unsigned i = 0; i < 500; i++)
		fuse_forget(&c, nodeid[i], 1);
	CHECK(open_files() <= before + 10);
}

WITH_DEVICE(test_open_files_are_limited_and_keep_their_inodes)
{
	struct fuse_entry_out e, other;
	uint64_t fh, kept;
	unsigned opened = 0;
	char name[16];
	int error = 0;
	fuseclient_reopen(&c, &(struct fs_share_options){.files_max = 128});
	CHECK_EQ(fuse_create(&c, ROOT, "f", O_RDWR, 0644, &e, &kept), 0);
	CHECK_EQ(fuse_unlink(&c, ROOT, "f"), 0);
	for (; opened < 1000 && error == 0; opened++) {
		snprintf(name, sizeof(name), "f%u", opened);
		error = fuse_create(&c, ROOT, name, O_RDWR, 0644, &other, &fh);
	}
	CHECK_EQ(error, -ENFILE);
	snprintf(name, sizeof(name), "f%u", opened - 1);
	CHECK(!host_exists(c.dir_fd, name)); /* not made, either */
	CHECK(opened > 16 && opened < 128);
	CHECK_EQ(fuse_opendir(&c, ROOT, &fh), -ENFILE);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "g%u", i);
		CHECK_EQ(fuse_mknod(&c, ROOT, name, S_IFREG | 0644, 0, &other), 0);
	}
	CHECK_EQ(fuse_write(&c, e.nodeid, kept, "x", 1, 0), 1); /* nameless, but open */
	CHECK_EQ(fuse_getattr(&c, e.nodeid, &e.attr), 0);
	CHECK_EQ(e.attr.size, 1);
	fuse_release(&c, e.nodeid, kept, 1);
	CHECK_EQ(fuse_opendir(&c, ROOT, &fh), 0);
}

/* Many requests at a time, from several queues as it were. */
WITH_DEVICE(test_requests_run_side_by_side)
{
	enum {
		COUNT = 100
	};
	static struct fuse_pending p[COUNT];
	struct fuse_entry_out e;
	struct fuse_getattr_in in = {0};
	struct fuse_init_in init = {.major = 7, .minor = 38};
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0755, &e), 0);
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < COUNT; i++) {
			char name[16];
			snprintf(name, sizeof(name), "n%u", i);
			if (round % 7 == 6 && i == COUNT / 2)
				fuse_start(&c, &p[i], FUSE_INIT, 0, &init, sizeof(init));
			else if (i % 4 == 0)
				fuse_start(&c, &p[i], FUSE_GETATTR, e.nodeid, &in, sizeof(in));
			else if (i % 4 == 1)
				fuse_start(&c, &p[i], FUSE_LOOKUP, ROOT, "d", 2);
			else if (i % 4 == 2)
				fuse_start(&c, &p[i], FUSE_FORGET, e.nodeid, "\1\0\0\0\0\0\0", 8);
			else
				fuse_start(&c, &p[i], FUSE_UNLINK, e.nodeid, name,
					   strlen(name) + 1);
		}
		for (unsigned i = 0; i < COUNT; i++) {
			int error = fuse_await(&p[i]);
			CHECK(error == 0 || error == -ENOENT);
		}
		CHECK_EQ(fuse_lookup(&c, ROOT, "d", &e), 0);
	}
}

/* A session that is saved and loaded, here into another server. */

struct saved {
	void *buf;
	size_t len;
};

static struct saved save(void)
{
	struct saved s;
	if (c.fs->ops->save(c.fs, &s.buf, &s.len) != 0)
		abort();
	return s;
}

/* From memory of just that size. */
static int load(const void *buf, size_t len)
{
	void *copy = malloc(len ? len : 1);
	memcpy(copy, buf, len);
	int error = c.fs->ops->load(c.fs, copy, len);
	free(copy);
	return error;
}

WITH_DEVICE(test_saved_session_goes_on)
{
	struct fuse_entry_out d, e, gone, sub;
	struct fuse_attr a;
	uint64_t fh, dh, gone_fh;
	char buf[8];
	CHECK_EQ(fuse_mkdir(&c, ROOT, "d", 0755, &d), 0);
	CHECK_EQ(fuse_mkdir(&c, d.nodeid, "sub", 0755, &sub), 0);
	CHECK_EQ(fuse_create(&c, sub.nodeid, "f", O_RDWR, 0644, &e, &fh), 0);
	CHECK_EQ(fuse_write(&c, e.nodeid, fh, "before", 6, 0), 6);
	CHECK_EQ(fuse_create(&c, ROOT, "gone", O_RDWR, 0644, &gone, &gone_fh), 0);
	CHECK_EQ(fuse_opendir(&c, ROOT, &dh), 0);
	struct saved s = save();

	fuseclient_reopen(&c, &plain);
	CHECK_EQ(unlinkat(c.dir_fd, "gone", 0), 0);
	host_write(c.dir_fd, "gone", "another one");
	CHECK_EQ(load(s.buf, s.len), 0);
	CHECK_EQ(fuse_read(&c, e.nodeid, fh, buf, 8, 0), 6);
	CHECK(memcmp(buf, "before", 6) == 0);
	CHECK_EQ(fuse_write(&c, e.nodeid, fh, "after", 5, 0), 5);
	CHECK_EQ(fuse_getattr(&c, sub.nodeid, &a), 0);
	CHECK(fuse_readdir(&c, ROOT, dh, 0, 4096, false) > 0);
	CHECK_EQ(fuse_lookup(&c, sub.nodeid, "f", &gone), 0);
	CHECK_EQ(gone.nodeid, e.nodeid);
	/* Looked up twice by now. */
	fuse_release(&c, e.nodeid, fh, 1);
	fuse_forget(&c, e.nodeid, 1);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, &a), 0);
	fuse_forget(&c, e.nodeid, 1);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, &a), -ENOENT);
	free(s.buf);

	/* The same twice; and an empty session. */
	s = save();
	struct saved again;
	CHECK_EQ(load(s.buf, s.len), 0);
	again = save();
	CHECK(s.len == again.len && memcmp(s.buf, again.buf, s.len) == 0);
	free(s.buf);
	free(again.buf);
	CHECK_EQ(fuse_call(&c, FUSE_DESTROY, 0, NULL, 0, NULL, NULL), 0);
	s = save();
	fuseclient_reopen(&c, &plain);
	CHECK_EQ(load(s.buf, s.len), 0);
	CHECK_EQ(fuse_getattr(&c, ROOT, NULL), -ENOTCONN);
	free(s.buf);
}

WITH_DEVICE(test_saved_file_that_is_another_one_now_is_stale)
{
	struct fuse_entry_out e;
	uint64_t fh;
	char buf[8];
	CHECK_EQ(fuse_create(&c, ROOT, "f", O_RDWR, 0644, &e, &fh), 0);
	struct saved s = save();
	fuseclient_reopen(&c, &plain);
	host_write(c.dir_fd, "new", "another");
	CHECK_EQ(renameat(c.dir_fd, "new", c.dir_fd, "f"), 0);
	CHECK_EQ(load(s.buf, s.len), 0);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, NULL), -ESTALE);
	CHECK(fuse_read(&c, e.nodeid, fh, buf, 8, 0) < 0);
	free(s.buf);
}

/* @name becomes "..", "/" and the like. */
static bool damaged_names_are_refused(uint8_t *bytes, size_t len, const char name[2])
{
	static const char bad[][2] = {"..", "/x", "x/", {'x', 0}, {0, 'x'}};
	uint8_t *at = memmem(bytes, len, name, 2);
	/* An inode's number may happen to look like it. */
	if (!at || memmem(at + 1, len - (size_t)(at + 1 - bytes), name, 2))
		return at != NULL;
	bool is_ok = true;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memcpy(at, bad[i], 2);
		is_ok = is_ok && load(bytes, len) == -EBADMSG;
	}
	memcpy(at, name, 2);
	return is_ok;
}

/* Cut short or changed anywhere: taken or refused, but never trusted with names that lead out. */
WITH_DEVICE(test_damaged_session_is_survived)
{
	struct fuse_entry_out d, e;
	uint64_t fh;
	CHECK_EQ(fuse_mkdir(&c, ROOT, "dd", 0755, &d), 0);
	CHECK_EQ(fuse_create(&c, d.nodeid, "ff", O_RDWR, 0644, &e, &fh), 0);
	host_write(c.outside_fd, "secret", "secret");
	struct saved s = save();
	uint8_t *bytes = s.buf;
	for (size_t len = 0; len < s.len; len++)
		CHECK_EQ(load(bytes, len), -EBADMSG);
	for (size_t at = 0; at < s.len; at++) {
		static const uint8_t masks[] = {1, 0x80, 0xff};
		for (unsigned i = 0; i < 3; i++) {
			bytes[at] ^= masks[i];
			if (load(bytes, s.len) == 0) {
				fuse_getattr(&c, e.nodeid, NULL);
				fuse_lookup(&c, ROOT, "dd", &d);
			}
			bytes[at] ^= masks[i];
		}
	}
	CHECK(damaged_names_are_refused(bytes, s.len, "dd"));
	CHECK(damaged_names_are_refused(bytes, s.len, "ff"));
	CHECK_EQ(load(bytes, s.len), 0);
	free(s.buf);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_what_cannot_be_shared),
		TEST_CASE(test_limit_on_open_files_is_raised),
		TEST_CASE(test_nothing_works_before_init),
		TEST_CASE(test_init_agrees_on_what_both_can),
		TEST_CASE(test_new_session_forgets_the_old_one),
		TEST_CASE(test_other_requests_are_not_known),
		TEST_CASE(test_short_requests_are_refused),
		TEST_CASE(test_read_only_share_changes_nothing),
		TEST_CASE(test_private_share_lets_the_guest_remember),
		TEST_CASE(test_more_inodes_than_descriptors),
		TEST_CASE(test_open_files_are_limited_and_keep_their_inodes),
		TEST_CASE(test_requests_run_side_by_side),
		TEST_CASE(test_saved_session_goes_on),
		TEST_CASE(test_saved_file_that_is_another_one_now_is_stale),
		TEST_CASE(test_damaged_session_is_survived),
	};
	return NOBODY_RUN(cases);
}
