/* The merged tree: layers, whiteouts, links, and where paths lead. */
#include "shortage.h"
#include "test.h"
#include "tree.h"

#include <sys/stat.h>

static struct tree *tree;

static void set_up(void)
{
	if (tree_create(&tree) != 0)
		abort();
	tree_begin_layer(tree);
}

static void tear_down(void)
{
	tree_destroy(tree);
}

static int add(const char *path, uint32_t mode)
{
	const struct tree_meta meta = {.mode = mode, .uid = 7};
	return tree_add(tree, path, &meta);
}

static int file(const char *path)
{
	return add(path, S_IFREG | 0644);
}

static int dir(const char *path)
{
	return add(path, S_IFDIR | 0700);
}

static int sym(const char *path, const char *target)
{
	const struct tree_meta meta = {.mode = S_IFLNK | 0777, .target = target};
	return tree_add(tree, path, &meta);
}

/* All of the tree, directories with a slash, in the order of tree_sort(). */
static const char *all(void)
{
	static char text[4096];
	struct tree_inode **list;
	uint32_t count;
	size_t used = 0;
	text[0] = '\0';
	if (tree_sort(tree, &list, &count) != 0)
		abort();
	for (uint32_t i = 0; i < count; i++) {
		if (!S_ISDIR(list[i]->meta.mode))
			continue;
		for (const struct tree_entry *e = list[i]->first; e; e = e->next)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.*s%s",
						 used ? " " : "", e->len, e->name,
						 S_ISDIR(e->inode->meta.mode) ? "/" : "");
	}
	free(list);
	return text;
}

WITH_DEVICE(test_tree_missing_directories_are_made)
{
	CHECK_EQ(file("./a//b/./c"), 0);
	CHECK_EQ(file("/a/d"), 0);
	CHECK_STR(all(), "a/ b/ d c");
}

WITH_DEVICE(test_tree_a_directory_keeps_what_is_in_it_and_takes_new_metadata)
{
	struct tree_inode **list;
	uint32_t count;
	CHECK_EQ(file("a/b"), 0);
	tree_begin_layer(tree);
	CHECK_EQ(dir("a/"), 0);
	CHECK_EQ(dir("./"), 0);
	CHECK_STR(all(), "a/ b");
	CHECK_EQ(tree_sort(tree, &list, &count), 0);
	CHECK_EQ(count, 3);
	CHECK_EQ(list[0]->meta.mode, S_IFDIR | 0700);
	CHECK_EQ(list[0]->nlink, 3);
	CHECK_EQ(list[1]->meta.mode, S_IFDIR | 0700);
	CHECK_EQ(list[1]->meta.uid, 7);
	free(list);
}

WITH_DEVICE(test_tree_another_type_takes_the_place_of_all_that_was)
{
	CHECK_EQ(file("a/b/c"), 0);
	tree_begin_layer(tree);
	CHECK_EQ(file("a"), 0);
	CHECK_STR(all(), "a");
	CHECK_EQ(file("a/b"), -ENOTDIR);
	CHECK_EQ(dir("a"), 0);
	CHECK_EQ(file("a/b"), 0);
	CHECK_STR(all(), "a/ b");
}

WITH_DEVICE(test_tree_whiteouts_take_away_what_is_below)
{
	CHECK_EQ(file("a/one"), 0);
	CHECK_EQ(file("a/two"), 0);
	CHECK_EQ(file("a/d/three"), 0);
	tree_begin_layer(tree);
	CHECK_EQ(tree_hide(tree, "a/one"), 0);
	CHECK_EQ(tree_hide(tree, "a/nothing"), 0);
	CHECK_EQ(tree_hide(tree, "no/where"), 0);
	CHECK_EQ(tree_hide(tree, "a/two/below"), 0);
	CHECK_EQ(tree_hide(tree, "a/d"), 0);
	CHECK_STR(all(), "a/ two");
}

WITH_DEVICE(test_tree_whiteouts_spare_their_own_layer_in_any_order)
{
	CHECK_EQ(file("a/old"), 0);
	CHECK_EQ(file("a/d/old"), 0);
	tree_begin_layer(tree);
	CHECK_EQ(file("a/d/new"), 0);
	CHECK_EQ(file("b"), 0);
	CHECK_EQ(tree_hide(tree, "a/d"), 0);
	CHECK_EQ(tree_hide(tree, "b"), 0);
	CHECK_STR(all(), "a/ b d/ old new");
	CHECK_EQ(tree_hide_all(tree, "a/"), 0);
	CHECK_STR(all(), "a/ b d/ new");
	CHECK_EQ(file("a/later"), 0);
	CHECK_EQ(tree_hide_all(tree, "a"), 0);
	CHECK_STR(all(), "a/ b d/ later new");
	tree_begin_layer(tree);
	CHECK_EQ(tree_hide_all(tree, ""), 0);
	CHECK_STR(all(), "");
	CHECK_EQ(tree_hide_all(tree, "gone"), 0);
}

WITH_DEVICE(test_tree_symlinks_on_the_way_stay_inside)
{
	CHECK_EQ(dir("usr/lib"), 0);
	CHECK_EQ(sym("lib", "usr/lib"), 0);
	CHECK_EQ(file("lib/x"), 0);
	CHECK_EQ(sym("usr/up", "../../../.."), 0);
	CHECK_EQ(file("usr/up/top"), 0);
	CHECK_EQ(sym("abs", "/usr/./lib/../made"), 0);
	CHECK_EQ(file("abs/y"), 0);
	CHECK_STR(all(), "abs lib top usr/ lib/ made/ up x y");
	CHECK_EQ(file("lib"), 0); /* the link itself */
	CHECK_EQ(file("top/x"), -ENOTDIR);
}

WITH_DEVICE(test_tree_paths_that_lead_out_or_nowhere_are_refused)
{
	char name[300];
	CHECK_EQ(file("../x"), -EINVAL);
	CHECK_EQ(file("a/../x"), -EINVAL);
	CHECK_EQ(file("a/.."), -EINVAL);
	CHECK_EQ(dir(".."), -EINVAL);
	CHECK_EQ(tree_hide(tree, ".."), -EINVAL);
	CHECK_EQ(tree_link(tree, "a", ".."), -EINVAL);
	CHECK_EQ(file("/"), -EISDIR);
	CHECK_EQ(file(""), -EISDIR);
	CHECK_EQ(sym("loop", "loop"), 0);
	CHECK_EQ(file("loop/x"), -ELOOP);
	CHECK_EQ(sym("l1", "l2/l2"), 0);
	CHECK_EQ(sym("l2", "l1/l1"), 0);
	CHECK_EQ(file("l1/x"), -ELOOP);
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	CHECK_EQ(file(name), -ENAMETOOLONG);
	CHECK_EQ(tree_make_dir(tree, name), -ENAMETOOLONG);
	name[255] = '\0';
	CHECK_EQ(file(name), 0);
}

WITH_DEVICE(test_tree_links_share_an_inode)
{
	struct tree_inode **list;
	uint32_t count;
	CHECK_EQ(file("a/one"), 0);
	CHECK_EQ(tree_link(tree, "b/two", "/a/one"), 0);
	CHECK_EQ(tree_link(tree, "b/two", "b/two"), 0);
	CHECK_EQ(tree_link(tree, "three", "./a/one"), 0);
	CHECK_EQ(tree_sort(tree, &list, &count), 0);
	CHECK_EQ(count, 4);
	CHECK_EQ(list[3]->nlink, 3);
	free(list);
	CHECK_EQ(tree_link(tree, "x", "missing"), -ENOENT);
	CHECK_EQ(tree_link(tree, "x", "a"), -EISDIR);
	CHECK_EQ(tree_link(tree, "x", "/"), -EISDIR);
	CHECK_EQ(tree_link(tree, "/", "a/one"), -EISDIR);
	/* What makes way may hold the target. */
	CHECK_EQ(file("d/only"), 0);
	CHECK_EQ(tree_link(tree, "d", "d/only"), 0);
	CHECK_EQ(file("three/x"), -ENOTDIR);
	CHECK_STR(all(), "a/ b/ d three one two");
}

WITH_DEVICE(test_tree_depth_has_a_limit)
{
	char path[4096] = "";
	for (unsigned i = 0; i < TREE_DEPTH_MAX; i++)
		memcpy(path + 2 * (size_t)i, "d/", 3);
	CHECK_EQ(dir(path), 0);
	CHECK_EQ(sym("s", path), 0);
	CHECK_EQ(file("s/x"), 0);
	CHECK_EQ(dir("s/y"), -ELOOP);
	CHECK_EQ(file("s/y/z"), -ELOOP);
	tree_begin_layer(tree);
	CHECK_EQ(file("s/new"), 0);
	CHECK_EQ(tree_hide_all(tree, ""), 0); /* all the way down, and s */
	CHECK_EQ(tree_hide(tree, "d"), 0);
}

WITH_DEVICE(test_tree_bytes_have_a_limit_that_removal_gives_back)
{
	static uint8_t xattrs[60000];
	char name[16];
	const struct tree_meta meta = {
		.mode = S_IFREG, .xattrs = xattrs, .xattrs_len = sizeof(xattrs)};
	unsigned n = 0;
	int rc = 0;
	while (!rc && n < 100000) {
		snprintf(name, sizeof(name), "f%u", n++);
		rc = tree_add(tree, name, &meta);
	}
	CHECK_EQ(rc, -E2BIG);
	CHECK(n > 8000);
	CHECK_EQ(tree_add(tree, "f0", &meta), 0);
	CHECK_EQ(tree_add(tree, "one more", &meta), -E2BIG);
}

WITH_DEVICE(test_tree_a_shortage_of_memory_is_an_error)
{
	static const uint8_t xattrs[] = "user.a\0\1\0x";
	const struct tree_meta meta = {.mode = S_IFLNK | 0777,
				       .target = "target",
				       .xattrs = xattrs,
				       .xattrs_len = sizeof(xattrs) - 1};
	const struct tree_meta dir_meta = {
		.mode = S_IFDIR | 0755, .xattrs = xattrs, .xattrs_len = sizeof(xattrs) - 1};
	struct tree_inode **list;
	uint32_t count;
	for (unsigned n = 1;; n++) {
		struct tree *t;
		shortage_begin(n);
		int rc = tree_create(&t);
		bool is_made = rc == 0;
		if (!rc)
			rc = tree_add(t, "a/b/c", &meta);
		if (!rc)
			rc = tree_add(t, "a/b", &dir_meta);
		if (!rc)
			rc = tree_link(t, "d/e", "a/b/c");
		if (!rc)
			rc = tree_sort(t, &list, &count);
		if (!rc)
			free(list);
		if (is_made)
			tree_destroy(t);
		if (!shortage_end()) {
			CHECK_EQ(rc, 0);
			CHECK(n > 5);
			break;
		}
		CHECK_EQ(rc, -ENOMEM);
	}
}

int main(void)
{
	static const struct test_case cases[] = {
		TEST_CASE(test_tree_missing_directories_are_made),
		TEST_CASE(test_tree_a_directory_keeps_what_is_in_it_and_takes_new_metadata),
		TEST_CASE(test_tree_another_type_takes_the_place_of_all_that_was),
		TEST_CASE(test_tree_whiteouts_take_away_what_is_below),
		TEST_CASE(test_tree_whiteouts_spare_their_own_layer_in_any_order),
		TEST_CASE(test_tree_symlinks_on_the_way_stay_inside),
		TEST_CASE(test_tree_paths_that_lead_out_or_nowhere_are_refused),
		TEST_CASE(test_tree_links_share_an_inode),
		TEST_CASE(test_tree_depth_has_a_limit),
		TEST_CASE(test_tree_bytes_have_a_limit_that_removal_gives_back),
		TEST_CASE(test_tree_a_shortage_of_memory_is_an_error),
	};
	return TEST_RUN(cases);
}
