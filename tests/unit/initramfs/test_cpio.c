/* The archive, byte by byte as the kernel reads it. */
#include "test.h"

#include <spec/run_protocol.h>
#include <sys/stat.h>
#include <tinyvm/initramfs.h>

/* An entry of an archive. */
struct file {
	const char *name;
	uint32_t mode, mtime, links;
	const uint8_t *data;
	size_t len;
};

static uint32_t field(const uint8_t *header, unsigned n)
{
	char digits[9] = {0};
	memcpy(digits, header + 6 + n * 8, 8);
	return (uint32_t)strtoul(digits, NULL, 16);
}

/* The entry at *@at, which is moved behind it. Return: false when there is none, or a bad one. */
static bool next(const uint8_t *data, size_t size, size_t *at, struct file *f)
{
	if (*at + 110 > size || memcmp(data + *at, "070701", 6) != 0)
		return false;
	const uint8_t *h = data + *at;
	uint32_t name_size = field(h, 11);
	*f = (struct file){(const char *)h + 110, field(h, 1), field(h, 5),
			   field(h, 4),		  NULL,	       field(h, 6)};
	size_t body = (*at + 110 + name_size + 3) & ~3ul;
	if (body + f->len > size || f->name[name_size - 1])
		return false;
	f->data = data + body;
	*at = (body + f->len + 3) & ~3ul;
	return *at <= size;
}

static void test_archive_holds_what_was_added_in_order(void)
{
	static const char *const names[] = {"a",    "a-file",	   "a/b",	"a/b/c",
					    "init", RUN_CONF_PATH, "TRAILER!!!"};
	struct initramfs *ia;
	struct file f;
	uint8_t *data;
	size_t size, at = 0;
	CHECK_EQ(initramfs_create(&ia), 0);
	CHECK_EQ(initramfs_add_init(ia, true), 0);
	CHECK_EQ(initramfs_add(ia, "a/b/c", S_IFREG | 0640, "12345", 5), 0);
	CHECK_EQ(initramfs_add(ia, "a-file", S_IFREG | 0644, NULL, 0), 0);
	CHECK_EQ(initramfs_set(ia, "arg", "true"), 0);
	CHECK_EQ(initramfs_set(ia, "env", "A=b c"), 0);
	CHECK_EQ(initramfs_finish(ia, &data, &size), 0);
	CHECK_EQ(size % 4, 0);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK(next(data, size, &at, &f));
		CHECK_STR(f.name, names[i]);
		CHECK_EQ(f.mtime, 0);
		switch (i) {
		case 2:
			CHECK_EQ(f.mode, S_IFDIR | 0755);
			CHECK_EQ(f.links, 2);
			break;
		case 3:
			CHECK_EQ(f.mode, S_IFREG | 0640);
			CHECK_EQ(f.len, 5);
			CHECK(memcmp(f.data, "12345\0\0", 8) == 0);
			break;
		case 4:
			CHECK(memcmp(f.data, "\177ELF\2", 5) == 0);
			CHECK(f.len < 65536);
			break;
		case 5:
			CHECK_EQ(f.len, 29);
			CHECK(memcmp(f.data, "version=1\0arg=true\0env=A=b c", 29) == 0);
			break;
		}
	}
	CHECK_EQ(at, size);
	free(data);
	initramfs_destroy(ia);
}

static void test_a_32_bit_kernel_gets_its_own_init(void)
{
	struct initramfs *ia;
	struct file f;
	uint8_t *data;
	size_t size, at = 0;
	CHECK_EQ(initramfs_create(&ia), 0);
	CHECK_EQ(initramfs_add_init(ia, false), 0);
	CHECK_EQ(initramfs_finish(ia, &data, &size), 0);
	CHECK(next(data, size, &at, &f));
	CHECK_STR(f.name, "init");
	CHECK_EQ(f.mode, S_IFREG | 0755);
	CHECK(memcmp(f.data, "\177ELF\1", 5) == 0);
	CHECK(f.len < 65536);
	free(data);
	initramfs_destroy(ia);
}

static void test_same_input_gives_the_same_bytes(void)
{
	uint8_t *data[2];
	size_t size[2];
	for (unsigned i = 0; i < 2; i++) {
		struct initramfs *ia;
		CHECK_EQ(initramfs_create(&ia), 0);
		CHECK_EQ(initramfs_add(ia, i ? "x/y" : "b", S_IFREG | 0644, "1", 1), 0);
		CHECK_EQ(initramfs_add(ia, i ? "b" : "x/y", S_IFREG | 0644, "1", 1), 0);
		CHECK_EQ(initramfs_finish(ia, &data[i], &size[i]), 0);
		initramfs_destroy(ia);
	}
	/* Only the entries' order of arrival differs, which does not show. */
	CHECK_EQ(size[0], size[1]);
	CHECK(memcmp(data[0], data[1], size[0]) == 0);
	free(data[0]);
	free(data[1]);
}

static void test_a_path_is_taken_once(void)
{
	struct initramfs *ia;
	CHECK_EQ(initramfs_create(&ia), 0);
	CHECK_EQ(initramfs_add(ia, "d/f", S_IFREG | 0644, "x", 1), 0);
	CHECK_EQ(initramfs_add(ia, "d/f", S_IFREG | 0644, "y", 1), -EEXIST);
	CHECK_EQ(initramfs_add(ia, "d", S_IFDIR | 0755, NULL, 0), 0);
	CHECK_EQ(initramfs_add(ia, "d", S_IFREG | 0755, NULL, 0), -EEXIST);
	CHECK_EQ(initramfs_add(ia, "d/f/g", S_IFREG | 0644, "x", 1), -EEXIST);
	initramfs_destroy(ia);
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_archive_holds_what_was_added_in_order),
		TEST_CASE(test_a_32_bit_kernel_gets_its_own_init),
		TEST_CASE(test_same_input_gives_the_same_bytes),
		TEST_CASE(test_a_path_is_taken_once),
	};
	return TEST_RUN(cases);
}
