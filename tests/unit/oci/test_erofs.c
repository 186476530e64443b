/*
 * erofs_finish(): what it writes is read back by tests/lib/eroread.h, which checks the whole image,
 * and by fsck.erofs where that is installed.
 */
#include "erofs.h"
#include "eroread.h"
#include "shortage.h"
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint8_t uuid[16] = "0123456789abcdef";

static struct {
	struct tree *tree;
	struct erofs image;
	struct eroread er;
	int fd;
} t;

static void set_up(void)
{
	memset(&t, 0, sizeof(t));
	t.fd = memfd_create("image", MFD_CLOEXEC);
	if (t.fd < 0 || tree_create(&t.tree) != 0 || erofs_begin(&t.image, t.fd) != 0)
		abort();
	tree_begin_layer(t.tree);
}

static void tear_down(void)
{
	eroread_close(&t.er);
	erofs_end(&t.image);
	tree_destroy(t.tree);
	close(t.fd);
}

static void put(const char *path, struct tree_meta meta, const void *data, size_t len)
{
	meta.size = len;
	meta.block = erofs_block(&t.image);
	if (tree_add(t.tree, path, &meta) != 0 || erofs_append(&t.image, data, len) != 0 ||
	    erofs_pad(&t.image) != 0)
		abort();
}

static void file(const char *path, const char *text)
{
	put(path, (struct tree_meta){.mode = S_IFREG | 0644}, text, strlen(text));
}

static bool fsck_is_happy(void)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), t.fd);
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		execlp("fsck.erofs", "fsck.erofs", path, (char *)NULL);
		_exit(127);
	}
	int status = -1;
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		printf("     fsck.erofs is not installed\n");
	return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 127);
}

/* Writes the tree, and reads it back. */
static int finish(void)
{
	int rc = erofs_finish(&t.image, t.tree, uuid);
	if (rc == 0)
		eroread_open(&t.er, t.fd);
	return rc;
}

WITH_DEVICE(test_erofs_an_empty_tree_is_an_image)
{
	CHECK_EQ(finish(), 0);
	CHECK_STR(eroread_list(&t.er, ""), "");
	CHECK_EQ(t.er.super.inodes, 1);
	CHECK(memcmp(t.er.super.uuid, uuid, 16) == 0);
	CHECK(fsck_is_happy());
}

WITH_DEVICE(test_erofs_contents_come_back)
{
	char *large = malloc(3000000);
	uint64_t nid;
	size_t len;
	struct erofs_inode inode;
	CHECK(large);
	for (size_t i = 0; i < 3000000; i++)
		large[i] = (char)(i * 31 >> 3);
	file("small", "hello");
	put("large", (struct tree_meta){.mode = S_IFREG | 0644}, large, 3000000);
	put("block", (struct tree_meta){.mode = S_IFREG | 0644}, large, 4096);
	file("empty", "");
	file("last", "end");
	CHECK_EQ(finish(), 0);
	CHECK_STR(eroread_text(&t.er, "small"), "hello");
	CHECK_STR(eroread_text(&t.er, "empty"), "");
	CHECK_STR(eroread_text(&t.er, "last"), "end");
	CHECK(eroread_find(&t.er, "large", &inode, &nid));
	char *got = eroread_contents(&t.er, nid, &len);
	bool is_same = len == 3000000 && memcmp(got, large, len) == 0;
	free(got);
	CHECK(eroread_find(&t.er, "block", &inode, &nid));
	got = eroread_contents(&t.er, nid, &len);
	is_same = is_same && len == 4096 && memcmp(got, large, len) == 0;
	free(got);
	free(large);
	CHECK(is_same);
	CHECK(fsck_is_happy());
}

WITH_DEVICE(test_erofs_metadata_comes_back)
{
	static const uint8_t xattrs[] = "user.a\0\5\0value"
					"security.capability\0\3\0\1\0\2"
					"system.posix_acl_access\0\4\0\2\0\0\0"
					"trusted.overlay.opaque\0\1\0y"
					"com.example\0\1\0x"
					"user.\0\1\0x"
					"user.empty\0\0\0";
	struct erofs_inode inode;
	uint64_t nid;
	size_t len;
	const struct tree_meta dev = {.mode = S_IFCHR | 0620,
				      .uid = 4000000000,
				      .gid = 100000,
				      .mtime_s = -5,
				      .mtime_ns = 999999999,
				      .major = 0x123,
				      .minor = 0x45678};
	put("f",
	    (struct tree_meta){
		    .mode = S_IFREG | 04755, .xattrs = xattrs, .xattrs_len = sizeof(xattrs) - 1},
	    "x", 1);
	CHECK_EQ(tree_add(t.tree, "dev", &dev), 0);
	CHECK_EQ(tree_link(t.tree, "link", "f"), 0);
	CHECK_EQ(tree_add(t.tree, "fifo", &(struct tree_meta){.mode = S_IFIFO | 0600}), 0);
	CHECK_EQ(finish(), 0);
	CHECK(eroread_find(&t.er, "dev", &inode, &nid));
	CHECK_EQ(inode.mode, S_IFCHR | 0620);
	CHECK_EQ(inode.uid, 4000000000);
	CHECK_EQ(inode.gid, 100000);
	CHECK_EQ(inode.mtime, (uint64_t)-5);
	CHECK_EQ(inode.mtime_ns, 999999999);
	CHECK_EQ(inode.where, 0x45600000 | 0x12300 | 0x78);
	CHECK(eroread_find(&t.er, "link", &inode, &nid));
	CHECK_EQ(inode.mode, S_IFREG | 04755);
	CHECK_EQ(inode.nlink, 2);
	const uint8_t *value = eroread_xattr(&t.er, "f", EROFS_XATTR_USER, "a", &len);
	CHECK(value && len == 5 && memcmp(value, "value", 5) == 0);
	value = eroread_xattr(&t.er, "f", EROFS_XATTR_SECURITY, "capability", &len);
	CHECK(value && len == 3 && memcmp(value, "\1\0\2", 3) == 0);
	CHECK(eroread_xattr(&t.er, "f", EROFS_XATTR_ACL_ACCESS, "", &len) && len == 4);
	CHECK(eroread_xattr(&t.er, "f", EROFS_XATTR_USER, "empty", &len) && len == 0);
	CHECK(!eroread_xattr(&t.er, "f", EROFS_XATTR_TRUSTED, "overlay.opaque", &len));
	CHECK(!eroread_xattr(&t.er, "f", EROFS_XATTR_USER, "", &len));
	CHECK(fsck_is_happy());
}

/* "." and ".." are not always the first ones. */
WITH_DEVICE(test_erofs_names_are_sorted_by_bytes)
{
	static const char *const names[] = {"-", "!", "...",  "..a", ".a",
					    "a", "A", "\xff", "a.b", "ab"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		file(names[i], names[i]);
	CHECK_EQ(finish(), 0);
	CHECK_STR(eroread_list(&t.er, ""), "! - ... ..a .a A a a.b ab \xff");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		CHECK_STR(eroread_text(&t.er, names[i]), names[i]);
	CHECK(fsck_is_happy());
}

WITH_DEVICE(test_erofs_directories_of_every_size)
{
	char path[300];
	/* Long names fill a block with few of them, so that blocks end in all sorts of places. */
	for (unsigned n = 1; n <= 60; n++) {
		for (unsigned i = 0; i < n; i++) {
			int len = snprintf(path, sizeof(path), "d%u/%04u", n, i);
			memset(path + len, 'x', 200);
			path[len + (int)(n + i) % 200] = '\0';
			file(path, "");
		}
	}
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(path, sizeof(path), "many/%u", i);
		CHECK_EQ(tree_make_dir(t.tree, path), 0);
	}
	CHECK_EQ(finish(), 0);
	struct erofs_inode inode;
	uint64_t nid;
	CHECK(eroread_find(&t.er, "many", &inode, &nid));
	CHECK_EQ(inode.nlink, 3002);
	for (unsigned i = 0; i < 3000; i += 7) {
		snprintf(path, sizeof(path), "many/%u", i);
		CHECK(eroread_find(&t.er, path, &inode, &nid));
	}
	CHECK(fsck_is_happy());
}

WITH_DEVICE(test_erofs_symlinks_of_every_length)
{
	char target[4096], path[16];
	memset(target, 't', sizeof(target));
	for (size_t len = 1; len < sizeof(target); len += 13) {
		target[len] = '\0';
		snprintf(path, sizeof(path), "l%zu", len);
		CHECK_EQ(tree_add(t.tree, path,
				  &(struct tree_meta){.mode = S_IFLNK | 0777, .target = target}),
			 0);
		target[len] = 't';
	}
	CHECK_EQ(finish(), 0);
	for (size_t len = 1; len < sizeof(target); len += 13) {
		snprintf(path, sizeof(path), "l%zu", len);
		CHECK_EQ(strlen(eroread_text(&t.er, path)), len);
	}
	CHECK(fsck_is_happy());
}

WITH_DEVICE(test_erofs_attributes_of_every_size)
{
	static uint8_t xattrs[66000];
	char path[16];
	size_t len;
	struct tree_meta meta = {.mode = S_IFDIR | 0755, .xattrs = xattrs};
	memcpy(xattrs, "user.x", 7);
	for (size_t size = 1; size < 60000; size = size * 3 / 2 + 1) {
		xattrs[7] = (uint8_t)size;
		xattrs[8] = (uint8_t)(size >> 8);
		memset(xattrs + 9, (int)size, size);
		meta.xattrs_len = 9 + size;
		snprintf(path, sizeof(path), "d%zu", size);
		CHECK_EQ(tree_add(t.tree, path, &meta), 0);
		snprintf(path, sizeof(path), "d%zu/below", size);
		CHECK_EQ(tree_make_dir(t.tree, path), 0);
	}
	CHECK_EQ(finish(), 0);
	for (size_t size = 1; size < 60000; size = size * 3 / 2 + 1) {
		snprintf(path, sizeof(path), "d%zu", size);
		const uint8_t *value = eroread_xattr(&t.er, path, EROFS_XATTR_USER, "x", &len);
		CHECK(value && len == size && value[size - 1] == (uint8_t)size);
	}
	CHECK(fsck_is_happy());
}

WITH_DEVICE(test_erofs_the_same_tree_makes_the_same_bytes)
{
	struct tree *twin;
	struct erofs image;
	struct eroread er;
	int fd = memfd_create("twin", MFD_CLOEXEC);
	const struct tree_meta meta = {.mode = S_IFREG | 0600};
	CHECK(fd >= 0 && tree_create(&twin) == 0 && erofs_begin(&image, fd) == 0);
	CHECK_EQ(tree_make_dir(t.tree, "a/b"), 0);
	CHECK_EQ(tree_add(t.tree, "z", &meta), 0);
	CHECK_EQ(tree_add(t.tree, "y", &meta), 0);
	CHECK_EQ(tree_add(twin, "y", &meta), 0);
	CHECK_EQ(tree_make_dir(twin, "a/b"), 0);
	CHECK_EQ(tree_add(twin, "z", &meta), 0);
	CHECK_EQ(finish(), 0);
	CHECK_EQ(erofs_finish(&image, twin, uuid), 0);
	eroread_open(&er, fd);
	bool is_same = er.len == t.er.len && memcmp(er.data, t.er.data, er.len) == 0;
	eroread_close(&er);
	erofs_end(&image);
	tree_destroy(twin);
	close(fd);
	CHECK(is_same);
}

WITH_DEVICE(test_erofs_failed_writes_and_limits_are_errors)
{
	static uint8_t data[1 << 20];
	int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	int kept = t.image.fd;
	t.image.fd = fd;
	int rc = 0;
	for (unsigned i = 0; i < 3 && !rc; i++)
		rc = erofs_append(&t.image, data, sizeof(data));
	CHECK_EQ(rc, -ENOSPC);
	CHECK_EQ(erofs_finish(&t.image, t.tree, uuid), -ENOSPC);
	t.image.fd = kept;
	close(fd);
	t.image.at = EROFS_BYTES_MAX - 10;
	CHECK_EQ(erofs_append(&t.image, data, 11), -EFBIG);
}

WITH_DEVICE(test_erofs_a_shortage_of_memory_is_an_error)
{
	struct erofs image;
	shortage_begin(1);
	int rc = erofs_begin(&image, t.fd);
	CHECK(shortage_end());
	CHECK_EQ(rc, -ENOMEM);
	file("a/b", "c");
	for (unsigned n = 1;; n++) {
		shortage_begin(n);
		rc = erofs_finish(&t.image, t.tree, uuid);
		if (!shortage_end())
			break;
		CHECK_EQ(rc, -ENOMEM);
	}
	CHECK_EQ(rc, 0);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_erofs_an_empty_tree_is_an_image),
		TEST_CASE(test_erofs_contents_come_back),
		TEST_CASE(test_erofs_metadata_comes_back),
		TEST_CASE(test_erofs_names_are_sorted_by_bytes),
		TEST_CASE(test_erofs_directories_of_every_size),
		TEST_CASE(test_erofs_symlinks_of_every_length),
		TEST_CASE(test_erofs_attributes_of_every_size),
		TEST_CASE(test_erofs_the_same_tree_makes_the_same_bytes),
		TEST_CASE(test_erofs_failed_writes_and_limits_are_errors),
		TEST_CASE(test_erofs_a_shortage_of_memory_is_an_error),
	};
	return TEST_RUN(cases);
}
