/*
 * Arbitrary trees, made by a script of what layers may say, written as an image, which is then read
 * back and checked whole.
 */
#include "erofs.h"
#include "eroread.h"
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEPS_MAX 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
	const uint8_t *at, *end;
	struct tree *tree;
	struct erofs image;
	char path[600], target[600];
};

static void insist(bool is_so)
{
	if (!is_so)
		abort();
}

static uint8_t take(struct script *s)
{
	return s->at < s->end ? *s->at++ : 0;
}

/* A path of up to seven names, some of them long, some of them special. */
static const char *take_path(struct script *s, char *path)
{
	static const char *const names[] = {"a", "b", "c", "-", "..", ".", "link", "x"};
	unsigned count = take(s) & 7;
	size_t len = 0;
	for (unsigned i = 0; i < count; i++) {
		uint8_t what = take(s);
		if (len)
			path[len++] = '/';
		if (what & 0x80) {
			size_t n = (what & 7) * 10u + 1;
			memset(path + len, 'a' + (what >> 3 & 15), n);
			len += n;
		} else {
			const char *name = names[what & 7];
			memcpy(path + len, name, strlen(name));
			len += strlen(name);
		}
	}
	path[len] = '\0';
	return path;
}

static void add(struct script *s)
{
	static const uint32_t types[] = {S_IFREG, S_IFREG, S_IFDIR, S_IFDIR,
					 S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO};
	static uint8_t xattrs[5000];
	uint8_t what = take(s);
	struct tree_meta meta = {.mode = types[what & 7] | 0644, .uid = what, .mtime_ns = what};
	const char *path = take_path(s, s->path);
	if (S_ISLNK(meta.mode)) {
		meta.target = take_path(s, s->target);
		if (!*meta.target)
			meta.target = "x";
	}
	if (what & 0x10) {
		uint16_t len = (uint16_t)(take(s) * 17u);
		memcpy(xattrs, "user.x", 7);
		xattrs[7] = (uint8_t)len;
		xattrs[8] = (uint8_t)(len >> 8);
		meta.xattrs = xattrs;
		meta.xattrs_len = 9u + len;
	}
	meta.block = erofs_block(&s->image);
	meta.size = S_ISREG(meta.mode) ? take(s) * 33u % 8500 : 0;
	insist(tree_add(s->tree, path, &meta) != -ENOMEM);
	insist(erofs_append(&s->image, xattrs, 0) == 0);
	for (uint64_t left = meta.size; left;) {
		size_t n = left < sizeof(xattrs) ? (size_t)left : sizeof(xattrs);
		insist(erofs_append(&s->image, xattrs, n) == 0);
		left -= n;
	}
	insist(erofs_pad(&s->image) == 0);
}

static void step(struct script *s)
{
	switch (take(s) & 7) {
	case 0:
		tree_begin_layer(s->tree);
		break;
	case 1:
		(void)!tree_link(s->tree, take_path(s, s->path), take_path(s, s->target));
		break;
	case 2:
		(void)!tree_hide(s->tree, take_path(s, s->path));
		break;
	case 3:
		(void)!tree_hide_all(s->tree, take_path(s, s->path));
		break;
	case 4:
		(void)!tree_make_dir(s->tree, take_path(s, s->path));
		break;
	default:
		add(s);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t uuid[16];
	static int fd = -1;
	struct script s = {.at = data, .end = data + size};
	struct eroread er;
	if (fd < 0)
		fd = memfd_create("image", MFD_CLOEXEC);
	insist(fd >= 0 && ftruncate(fd, 0) == 0);
	insist(tree_create(&s.tree) == 0 && erofs_begin(&s.image, fd) == 0);
	tree_begin_layer(s.tree);
	for (unsigned i = 0; i < STEPS_MAX && s.at < s.end; i++)
		step(&s);
	insist(erofs_finish(&s.image, s.tree, uuid) == 0);
	eroread_open(&er, fd);
	eroread_close(&er);
	erofs_end(&s.image);
	tree_destroy(s.tree);
	return 0;
}
