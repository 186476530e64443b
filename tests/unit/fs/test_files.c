/* Open files of a shared directory. */
#include "fuseclient.h"
#include "nobody.h"
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/xattr.h>
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

static void pattern(uint8_t *buf, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (uint8_t)(seed + i * 3 + (i >> 8));
}

/* Looks a file up and opens it. Return: 0 or -errno. */
static int open_name(const char *name, uint32_t flags, struct fuse_entry_out *ret, uint64_t *ret_fh)
{
	int error = fuse_lookup(&c, ROOT, name, ret);
	return error ? error : fuse_open(&c, ret->nodeid, flags, ret_fh);
}

WITH_DEVICE(test_write_then_read)
{
	static uint8_t out[100000], in[100000];
	struct fuse_entry_out e;
	uint64_t fh;
	pattern(out, sizeof(out), 1);
	CHECK_EQ(fuse_create(&c, ROOT, "f", O_RDWR, 0644, &e, &fh), 0);
	CHECK_EQ(fuse_write(&c, e.nodeid, fh, out, sizeof(out), 12345), sizeof(out));
	CHECK_EQ(fuse_read(&c, e.nodeid, fh, in, sizeof(in), 12345), sizeof(in));
	CHECK(memcmp(in, out, sizeof(in)) == 0);
	/* A hole, a short read at the end, nothing beyond it. */
	CHECK_EQ(fuse_read(&c, e.nodeid, fh, in, 12345, 0), 12345);
	CHECK(in[0] == 0 && in[12344] == 0);
	CHECK_EQ(fuse_read(&c, e.nodeid, fh, in, 100, 12345 + sizeof(out) - 40), 40);
	CHECK_EQ(fuse_read(&c, e.nodeid, fh, in, 100, 1 << 30), 0);
	CHECK_EQ(fuse_write(&c, e.nodeid, fh, out, 0, 0), 0);
	fuse_release(&c, e.nodeid, fh, 1);
	CHECK_EQ(fuse_read(&c, e.nodeid, fh, in, 100, 0), -EBADF);
}

WITH_DEVICE(test_open_modes_are_kept)
{
	struct fuse_entry_out e;
	uint64_t r, w;
	char buf[8];
	host_write(c.dir_fd, "f", "content");
	CHECK_EQ(open_name("f", O_RDONLY, &e, &r), 0);
	CHECK_EQ(open_name("f", O_WRONLY, &e, &w), 0);
	CHECK_EQ(fuse_write(&c, e.nodeid, r, "x", 1, 0), -EBADF);
	CHECK_EQ(fuse_read(&c, e.nodeid, w, buf, 1, 0), -EBADF);
	CHECK_EQ(fuse_open(&c, e.nodeid, O_ACCMODE, &w), -EINVAL);
	CHECK_EQ(fuse_open(&c, e.nodeid, O_WRONLY | O_TRUNC, &w), 0);
	CHECK(host_has(c.dir_fd, "f", ""));
	/* Flags that are not for the host: creating, links, direct I/O. */
	CHECK_EQ(fuse_open(&c, e.nodeid, O_RDWR | O_CREAT | O_EXCL | O_DIRECT | O_NOATIME, &w), 0);
	CHECK_EQ(fuse_write(&c, e.nodeid, w, "abc", 3, 1), 3);
}

WITH_DEVICE(test_only_files_are_opened)
{
	struct fuse_entry_out e;
	uint64_t fh;
	CHECK_EQ(fuse_open(&c, ROOT, O_RDONLY, &fh), -EISDIR);
	CHECK_EQ(mkfifoat(c.dir_fd, "fifo", 0600), 0);
	CHECK_EQ(open_name("fifo", O_RDWR, &e, &fh), -EACCES);
	CHECK_EQ(symlinkat("fifo", c.dir_fd, "link"), 0);
	CHECK_EQ(open_name("link", O_RDONLY, &e, &fh), -EACCES);
	CHECK_EQ(fuse_opendir(&c, e.nodeid, &fh), -ENOTDIR);
	CHECK_EQ(fuse_open(&c, 4711, O_RDONLY, &fh), -ENOENT);
}

WITH_DEVICE(test_handle_belongs_to_its_inode)
{
	struct fuse_entry_out e, f;
	uint64_t fh, other;
	char buf[8];
	host_write(c.dir_fd, "a", "A");
	host_write(c.dir_fd, "b", "B");
	CHECK_EQ(open_name("a", O_RDWR, &e, &fh), 0);
	CHECK_EQ(open_name("b", O_RDWR, &f, &other), 0);
	CHECK_EQ(fuse_read(&c, f.nodeid, fh, buf, 1, 0), -EBADF);
	CHECK_EQ(fuse_write(&c, f.nodeid, fh, "x", 1, 0), -EBADF);
	CHECK_EQ(fuse_read(&c, e.nodeid, 0, buf, 1, 0), -EBADF);
	CHECK_EQ(fuse_read(&c, e.nodeid, UINT64_MAX, buf, 1, 0), -EBADF);
	fuse_release(&c, f.nodeid, fh, 1); /* not its own: stays open */
	CHECK_EQ(fuse_read(&c, e.nodeid, fh, buf, 1, 0), 1);
	CHECK_EQ(fuse_readdir(&c, ROOT, fh, 0, 4096, false), -EBADF);
	fuse_release(&c, e.nodeid, fh, 1);
	fuse_release(&c, e.nodeid, fh, 1);
	CHECK_EQ(fuse_read(&c, f.nodeid, other, buf, 1, 0), 1);
}

WITH_DEVICE(test_bad_sizes_and_offsets_are_refused)
{
	struct fuse_entry_out e;
	uint64_t fh;
	char buf[8];
	CHECK_EQ(fuse_create(&c, ROOT, "f", O_RDWR, 0644, &e, &fh), 0);
	CHECK_EQ(fuse_read(&c, e.nodeid, fh, buf, 8, 1ull << 63), -EINVAL);
	CHECK_EQ(fuse_write(&c, e.nodeid, fh, buf, 8, UINT64_MAX), -EINVAL);
	/* More than there is room for, more than there is; more than anybody gets. */
	struct fuse_read_in read = {.fh = fh, .size = FUSECLIENT_REPLY_MAX + 1};
	CHECK_EQ(fuse_call_raw(&c, FUSE_READ, e.nodeid, &read, sizeof(read)), -EINVAL);
	read.size = UINT32_MAX;
	CHECK_EQ(fuse_call_raw(&c, FUSE_READ, e.nodeid, &read, sizeof(read)), -EINVAL);
	CHECK_EQ(fuse_call_raw(&c, FUSE_READ, e.nodeid, &read, sizeof(read) - 1), -EINVAL);
	struct {
		struct fuse_write_in in;
		char data[8];
	} write = {.in = {.fh = fh, .size = 9}};
	CHECK_EQ(fuse_call_raw(&c, FUSE_WRITE, e.nodeid, &write, sizeof(write)), -EINVAL);
	write.in.size = 7;
	CHECK_EQ(fuse_call_raw(&c, FUSE_WRITE, e.nodeid, &write, sizeof(write)), -EINVAL);
	write.in.size = 8;
	CHECK_EQ(fuse_call_raw(&c, FUSE_WRITE, e.nodeid, &write, sizeof(write)), 0);
}

/* Each write says so anew, since the guest may change it while the file is open. */
WITH_DEVICE(test_append_goes_to_where_the_end_is)
{
	struct fuse_entry_out e;
	uint64_t fh;
	host_write(c.dir_fd, "log", "one ");
	CHECK_EQ(open_name("log", O_WRONLY | O_APPEND, &e, &fh), 0);
	int fd = openat(c.dir_fd, "log", O_WRONLY | O_APPEND);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "two ", 4), 4);
	close(fd);
	struct {
		struct fuse_write_in in;
		char data[6];
	} write = {.in = {.fh = fh, .offset = 4, .size = 6, .flags = O_APPEND}, .data = "three "};
	CHECK_EQ(fuse_call_raw(&c, FUSE_WRITE, e.nodeid, &write, sizeof(write.in) + 6), 0);
	CHECK(host_has(c.dir_fd, "log", "one two three "));
	write.in.flags = 0;
	write.in.offset = 0;
	CHECK_EQ(fuse_call_raw(&c, FUSE_WRITE, e.nodeid, &write, sizeof(write.in) + 6), 0);
	CHECK(host_has(c.dir_fd, "log", "three o three "));
	/* From the guest's page cache: where it belongs. */
	write.in.flags = O_APPEND;
	write.in.write_flags = FUSE_WRITE_CACHE;
	write.in.offset = 6;
	CHECK_EQ(fuse_call_raw(&c, FUSE_WRITE, e.nodeid, &write, sizeof(write.in) + 6), 0);
	CHECK(host_has(c.dir_fd, "log", "three three e "));
}

/* Set-id bits go with a write where the guest's kernel says that the writer is not root. */
WITH_DEVICE(test_write_clears_set_id_bits_on_demand)
{
	struct fuse_entry_out e;
	struct fuse_attr a;
	uint64_t fh;
	bool is_root = geteuid() == 0;
	CHECK_EQ(fuse_create(&c, ROOT, "f", O_RDWR, 0644, &e, &fh), 0);
	CHECK_EQ(fchmodat(c.dir_fd, "f", 06777, 0), 0);
	CHECK_EQ(fuse_write(&c, e.nodeid, fh, "x", 1, 0), 1);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, &a), 0);
	CHECK_EQ(a.mode, S_IFREG | (is_root ? 06777 : 0777));

	struct {
		struct fuse_write_in in;
		char data[1];
	} write = {.in = {.fh = fh, .size = 1, .write_flags = FUSE_WRITE_KILL_SUIDGID}};
	CHECK_EQ(fchmodat(c.dir_fd, "f", 06777, 0), 0);
	CHECK_EQ(fuse_call_raw(&c, FUSE_WRITE, e.nodeid, &write, sizeof(write.in) + 1), 0);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, &a), 0);
	CHECK_EQ(a.mode, S_IFREG | 0777);

	struct fuse_setattr_in cut = {.valid = FATTR_SIZE | FATTR_KILL_SUIDGID, .size = 0};
	CHECK_EQ(fchmodat(c.dir_fd, "f", 06777, 0), 0);
	CHECK_EQ(fuse_setattr(&c, e.nodeid, &cut, &a), 0);
	CHECK_EQ(a.mode, S_IFREG | 0777);

	struct fuse_open_in open = {.flags = O_WRONLY | O_TRUNC,
				    .open_flags = FUSE_OPEN_KILL_SUIDGID};
	CHECK_EQ(fchmodat(c.dir_fd, "f", 06777, 0), 0);
	CHECK_EQ(fuse_call(&c, FUSE_OPEN, e.nodeid, &open, sizeof(open), NULL, NULL), 0);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, &a), 0);
	CHECK_EQ(a.mode, S_IFREG | 0777);
	/* And who writes as root afterwards is root again. */
	CHECK_EQ(fchmodat(c.dir_fd, "f", 06777, 0), 0);
	CHECK_EQ(fuse_write(&c, e.nodeid, fh, "x", 1, 0), 1);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, &a), 0);
	CHECK_EQ(a.mode, S_IFREG | (is_root ? 06777 : 0777));
}

WITH_DEVICE(test_fsync_flush_and_syncfs)
{
	struct fuse_entry_out e;
	uint64_t fh, dh;
	CHECK_EQ(fuse_create(&c, ROOT, "f", O_RDWR, 0644, &e, &fh), 0);
	CHECK_EQ(fuse_opendir(&c, ROOT, &dh), 0);
	struct fuse_fsync_in in = {.fh = fh};
	CHECK_EQ(fuse_call(&c, FUSE_FSYNC, e.nodeid, &in, sizeof(in), NULL, NULL), 0);
	in.fsync_flags = FUSE_FSYNC_FDATASYNC;
	CHECK_EQ(fuse_call(&c, FUSE_FSYNC, e.nodeid, &in, sizeof(in), NULL, NULL), 0);
	in.fh = dh;
	CHECK_EQ(fuse_call(&c, FUSE_FSYNCDIR, ROOT, &in, sizeof(in), NULL, NULL), 0);
	CHECK_EQ(fuse_call(&c, FUSE_FSYNC, e.nodeid, &in, sizeof(in), NULL, NULL), -EBADF);
	struct fuse_flush_in flush = {.fh = fh, .lock_owner = 5};
	CHECK_EQ(fuse_call(&c, FUSE_FLUSH, e.nodeid, &flush, sizeof(flush), NULL, NULL), 0);
	flush.fh = 77;
	CHECK_EQ(fuse_call(&c, FUSE_FLUSH, e.nodeid, &flush, sizeof(flush), NULL, NULL), -EBADF);
	struct fuse_syncfs_in sync = {0};
	CHECK_EQ(fuse_call(&c, FUSE_SYNCFS, ROOT, &sync, sizeof(sync), NULL, NULL), 0);
}

WITH_DEVICE(test_allocate_and_seek)
{
	struct fuse_entry_out e;
	struct fuse_attr a;
	uint64_t fh, dh, at;
	CHECK_EQ(fuse_create(&c, ROOT, "f", O_RDWR, 0644, &e, &fh), 0);
	struct fuse_fallocate_in in = {.fh = fh, .offset = 4096, .length = 1 << 20};
	CHECK_EQ(fuse_call(&c, FUSE_FALLOCATE, e.nodeid, &in, sizeof(in), NULL, NULL), 0);
	CHECK_EQ(fuse_getattr(&c, e.nodeid, &a), 0);
	CHECK_EQ(a.size, 4096 + (1 << 20));
	in.mode = 1u << 30;
	CHECK_EQ(fuse_call(&c, FUSE_FALLOCATE, e.nodeid, &in, sizeof(in), NULL, NULL), -EOPNOTSUPP);
	in.mode = 0;
	in.length = 0;
	CHECK_EQ(fuse_call(&c, FUSE_FALLOCATE, e.nodeid, &in, sizeof(in), NULL, NULL), -EINVAL);
	in.length = UINT64_MAX;
	CHECK_EQ(fuse_call(&c, FUSE_FALLOCATE, e.nodeid, &in, sizeof(in), NULL, NULL), -EFBIG);

	CHECK_EQ(fuse_create(&c, ROOT, "holes", O_RDWR, 0644, &e, &fh), 0);
	CHECK_EQ(fuse_write(&c, e.nodeid, fh, "data", 4, 1 << 20), 4);
	struct fuse_lseek_in seek = {.fh = fh, .offset = 0, .whence = SEEK_DATA};
	CHECK_EQ(fuse_call(&c, FUSE_LSEEK, e.nodeid, &seek, sizeof(seek), NULL, NULL), 0);
	memcpy(&at, c.reply, sizeof(at));
	CHECK(at == 1 << 20 || at == 0); /* 0 where the host knows of no holes */
	seek.whence = SEEK_HOLE;
	seek.offset = 1 << 20;
	CHECK_EQ(fuse_call(&c, FUSE_LSEEK, e.nodeid, &seek, sizeof(seek), NULL, NULL), 0);
	memcpy(&at, c.reply, sizeof(at));
	CHECK(at >= (1 << 20) + 4 && at <= (1 << 20) + 65536);
	seek.offset = 1 << 30;
	CHECK_EQ(fuse_call(&c, FUSE_LSEEK, e.nodeid, &seek, sizeof(seek), NULL, NULL), -ENXIO);
	seek.offset = UINT64_MAX;
	CHECK_EQ(fuse_call(&c, FUSE_LSEEK, e.nodeid, &seek, sizeof(seek), NULL, NULL), -ENXIO);
	seek.whence = SEEK_SET;
	CHECK_EQ(fuse_call(&c, FUSE_LSEEK, e.nodeid, &seek, sizeof(seek), NULL, NULL), -EINVAL);
	CHECK_EQ(fuse_opendir(&c, ROOT, &dh), 0);
	seek = (struct fuse_lseek_in){.fh = dh, .whence = SEEK_DATA};
	CHECK_EQ(fuse_call(&c, FUSE_LSEEK, ROOT, &seek, sizeof(seek), NULL, NULL), -EINVAL);
}

WITH_DEVICE(test_copy_between_files)
{
	struct fuse_entry_out a, b;
	uint64_t from, to;
	struct fuse_write_out out;
	host_write(c.dir_fd, "a", "0123456789");
	CHECK_EQ(open_name("a", O_RDONLY, &a, &from), 0);
	CHECK_EQ(fuse_create(&c, ROOT, "b", O_RDWR, 0644, &b, &to), 0);
	struct fuse_copy_file_range_in in = {
		.fh_in = from, .off_in = 2, .nodeid_out = b.nodeid, .fh_out = to, .len = 5};
	CHECK_EQ(fuse_call(&c, FUSE_COPY_FILE_RANGE, a.nodeid, &in, sizeof(in), NULL, NULL), 0);
	CHECK_EQ(c.reply_len, sizeof(out));
	memcpy(&out, c.reply, sizeof(out));
	CHECK_EQ(out.size, 5);
	CHECK(host_has(c.dir_fd, "b", "23456"));
	in.len = UINT64_MAX;
	CHECK_EQ(fuse_call(&c, FUSE_COPY_FILE_RANGE, a.nodeid, &in, sizeof(in), NULL, NULL), 0);
	CHECK(host_has(c.dir_fd, "b", "23456789"));
	in.flags = 1;
	CHECK_EQ(fuse_call(&c, FUSE_COPY_FILE_RANGE, a.nodeid, &in, sizeof(in), NULL, NULL),
		 -EINVAL);
	in.flags = 0;
	in.off_out = 1ull << 63;
	CHECK_EQ(fuse_call(&c, FUSE_COPY_FILE_RANGE, a.nodeid, &in, sizeof(in), NULL, NULL),
		 -EINVAL);
	in.off_out = 0;
	in.fh_out = from; /* not b's */
	CHECK_EQ(fuse_call(&c, FUSE_COPY_FILE_RANGE, a.nodeid, &in, sizeof(in), NULL, NULL),
		 -EBADF);
	in.nodeid_out = 99;
	CHECK_EQ(fuse_call(&c, FUSE_COPY_FILE_RANGE, a.nodeid, &in, sizeof(in), NULL, NULL),
		 -ENOENT);
}

/* The guest keeps its cache of a file that has not changed since it was open before. */
WITH_DEVICE(test_cache_is_kept_when_nothing_has_changed)
{
	struct fuse_entry_out e;
	struct fuse_open_in in = {.flags = O_RDONLY};
	struct fuse_open_out out[4];
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	host_write(c.dir_fd, "f", "content");
	CHECK_EQ(fuse_lookup(&c, ROOT, "f", &e), 0);
	/* Just written: it may be written again within the clock's resolution. */
	for (unsigned i = 0; i < 2; i++) {
		CHECK_EQ(fuse_call(&c, FUSE_OPEN, e.nodeid, &in, sizeof(in), NULL, NULL), 0);
		memcpy(&out[i], c.reply, sizeof(out[i]));
	}
	CHECK_EQ(out[1].open_flags & FOPEN_KEEP_CACHE, 0);
	CHECK_EQ(utimensat(c.dir_fd, "f", old, 0), 0);
	CHECK_EQ(fuse_call(&c, FUSE_OPEN, e.nodeid, &in, sizeof(in), NULL, NULL), 0);
	memcpy(&out[2], c.reply, sizeof(out[2]));
	CHECK_EQ(out[2].open_flags & FOPEN_KEEP_CACHE, 0); /* its times have changed */

	/* The binary of this test has not been changed for a while. */
	fuseclient_reopen(&c, &(struct fs_share_options){.is_private = true});
	CHECK_EQ(fuse_lookup(&c, ROOT, "f", &e), 0);
	CHECK_EQ(fuse_call(&c, FUSE_OPEN, e.nodeid, &in, sizeof(in), NULL, NULL), 0);
	memcpy(&out[3], c.reply, sizeof(out[3]));
	CHECK_EQ(out[3].open_flags & FOPEN_KEEP_CACHE, FOPEN_KEEP_CACHE);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_write_then_read),
		TEST_CASE(test_open_modes_are_kept),
		TEST_CASE(test_only_files_are_opened),
		TEST_CASE(test_handle_belongs_to_its_inode),
		TEST_CASE(test_bad_sizes_and_offsets_are_refused),
		TEST_CASE(test_append_goes_to_where_the_end_is),
		TEST_CASE(test_write_clears_set_id_bits_on_demand),
		TEST_CASE(test_fsync_flush_and_syncfs),
		TEST_CASE(test_allocate_and_seek),
		TEST_CASE(test_copy_between_files),
		TEST_CASE(test_cache_is_kept_when_nothing_has_changed),
	};
	return NOBODY_RUN(cases);
}
