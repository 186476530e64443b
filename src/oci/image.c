/*
 * From an image's files to a disk for a guest. What comes of an image depends on nothing but its
 * layers and the directory its command wants, which is made if no layer has it; so their digests
 * are the name under which it is kept.
 *
 * A file that is to be kept has no name either until it is complete, so that nothing is left of a
 * run that is killed.
 */
#include "erofs.h"
#include "layer.h"
#include "manifest.h"
#include "sha256.h"
#include "store.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <spec/erofs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <tinyvm/keep.h>
#include <tinyvm/log.h>
#include <tinyvm/nameless.h>
#include <tinyvm/oci.h>
#include <unistd.h>

#define KEPT_PREFIX "oci-"
#define KEPT_MAX    4
#define FORMAT	    "tinyvm-erofs-1" /* change with what comes of the same layers */

/**
 * struct build - an image in the making
 * @key: what it is known by
 */
struct build {
	const struct oci_options *options;
	const struct store *store;
	struct manifest manifest;
	const char *cwd;
	char key[SHA256_HEX_SIZE];
};

bool oci_is_image(const char *path)
{
	struct stat st;
	char *layout;
	if (stat(path, &st) < 0)
		return false;
	if (!S_ISDIR(st.st_mode))
		return true;
	if (asprintf(&layout, "%s/oci-layout", path) < 0)
		return false;
	bool is_there = stat(layout, &st) == 0 && S_ISREG(st.st_mode);
	free(layout);
	return is_there;
}

static void build_name(struct build *b)
{
	struct sha256 s;
	sha256_begin(&s);
	sha256_add(&s, FORMAT, sizeof(FORMAT));
	for (unsigned i = 0; i < b->manifest.count; i++)
		sha256_add(&s, b->manifest.layers[i].hex, SHA256_HEX_SIZE);
	if (b->cwd)
		sha256_add(&s, b->cwd, strlen(b->cwd));
	sha256_end(&s, b->key);
}

/* The key's first digits, as bytes: marked as a random UUID, so that nobody takes it for a date. */
static void build_uuid(const struct build *b, uint8_t ret_uuid[16])
{
	for (unsigned i = 0; i < 16; i++) {
		char digits[3] = {b->key[2 * i], b->key[2 * i + 1], '\0'};
		ret_uuid[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	ret_uuid[6] = (ret_uuid[6] & 0x0f) | 0x40;
	ret_uuid[8] = (ret_uuid[8] & 0x3f) | 0x80;
}

/* Making it */

static int build_layers(struct build *b, struct layers *to, struct err *err)
{
	int rc = 0;
	for (unsigned i = 0; !rc && i < b->manifest.count; i++)
		rc = layer_apply(to, b->store, &b->manifest.layers[i], i + 1, err);
	if (!rc && b->cwd && (rc = tree_make_dir(to->tree, b->cwd)) != 0)
		err_set(err, rc, "its working directory '%.120s' %s", b->cwd, tree_why(rc));
	return rc;
}

static int build_write(struct build *b, int fd, const char *where, struct err *err)
{
	struct erofs image;
	struct layers to = {.image = &image, .where = where};
	uint8_t uuid[16];
	int rc = tree_create(&to.tree);
	if (rc)
		return err_set(err, rc, "there is not enough memory");
	rc = erofs_begin(&image, fd);
	if (rc)
		err_set(err, rc, "there is not enough memory");
	if (!rc)
		rc = build_layers(b, &to, err);
	if (!rc) {
		build_uuid(b, uuid);
		rc = erofs_finish(&image, to.tree, uuid);
		if (rc)
			err_set(err, rc, "it cannot be written to %.100s: %s", where,
				strerror(-rc));
	}
	erofs_end(&image);
	tree_destroy(to.tree);
	return rc;
}

/* Keeping it */

static bool kept_is_good(int fd)
{
	struct stat st;
	struct erofs_super super;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && keep_is_private(&st) &&
	       pread(fd, &super, sizeof(super), EROFS_SUPER_OFFSET) == (ssize_t)sizeof(super) &&
	       super.magic == EROFS_MAGIC &&
	       (uint64_t)st.st_size == (uint64_t)super.blocks * EROFS_BLOCK_SIZE;
}

/* Return: a descriptor, -ENOENT. */
static int kept_open(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -ENOENT;
	if (!kept_is_good(fd)) {
		close(fd);
		unlinkat(dir, name, 0);
		return -ENOENT;
	}
	futimens(fd, NULL); /* its age decides what goes first; a failure only ages it */
	return fd;
}

/* Gives @fd, which has no name, one. A failure costs only the next run's time. */
static void kept_store(int dir, int fd, const char *name)
{
	char self[32];
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fsync(fd) == 0 && linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW) == 0)
		keep_evict(dir, KEPT_PREFIX, KEPT_MAX);
}

/* @dir: of the cache, or -errno. */
static int build_in(struct build *b, int dir, const char *name, int *ret_fd, struct err *err)
{
	int fd = dir < 0 ? dir : openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	bool is_kept = fd >= 0;
	const char *where = is_kept ? b->options->cache_dir : b->options->tmpdir;
	if (!is_kept)
		fd = nameless_open(where, 0);
	if (fd < 0)
		return err_set(err, fd,
			       "it cannot be unpacked in %.100s: %s; name another directory with "
			       "--tmpdir",
			       where, strerror(-fd));
	log_info("unpacking %u layers in %s", b->manifest.count, where);
	int rc = build_write(b, fd, where, err);
	if (rc) {
		close(fd);
		return rc;
	}
	if (is_kept)
		kept_store(dir, fd, name);
	*ret_fd = fd;
	return 0;
}

static int build_disk(struct build *b, int *ret_fd, struct err *err)
{
	char name[KEEP_NAME_MAX];
	int dir = b->options->cache_dir ? keep_open(b->options->cache_dir) : -ENOENT;
	build_name(b);
	snprintf(name, sizeof(name), KEPT_PREFIX "%s", b->key);
	int fd = dir < 0 ? dir : kept_open(dir, name);
	int rc = 0;
	if (fd >= 0) {
		log_info("unpacked before, to %s/%s", b->options->cache_dir, name);
		*ret_fd = fd;
	} else {
		rc = build_in(b, dir, name, ret_fd, err);
	}
	if (dir >= 0)
		close(dir);
	return rc;
}

/* What it says about its command */

/* Adds the strings at @key to @list. Return: 0 or -E2BIG: a part of a command would be another. */
static int image_list(const struct json_value *config, const char *key, const char **list,
		      unsigned *count)
{
	const struct json_value *array = json_get(config, key, JSON_ARRAY);
	for (const struct json_value *v = array ? array->first : NULL; v; v = v->next) {
		if (v->type != JSON_STRING)
			continue;
		if (*count == OCI_LIST_MAX)
			return -E2BIG;
		list[(*count)++] = v->text;
	}
	return 0;
}

static int image_describe(struct oci_image *image, const struct json *doc, struct err *err)
{
	const struct json_value *config = json_get(json_root(doc), "config", JSON_OBJECT);
	const char *cwd = json_text(config, "WorkingDir", "");
	image->cwd = cwd[0] == '/' && cwd[1] ? cwd : NULL;
	image->user = json_text(config, "User", "");
	int rc = image_list(config, "Env", image->env, &image->env_count);
	if (!rc)
		rc = image_list(config, "Entrypoint", image->command, &image->command_count);
	if (!rc)
		rc = image_list(config, "Cmd", image->command, &image->command_count);
	if (rc)
		err_set(err, rc, "it has more than %d variables, or words of a command",
			OCI_LIST_MAX);
	return rc;
}

/* Names out of archives may hold anything, terminals' control characters included. */
static void image_clean(struct err *err)
{
	for (char *c = err->msg; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

static int image_open(struct oci_image *image, struct build *b, struct err *err)
{
	int rc = manifest_pick(&b->manifest, b->store, b->options->is_32bit, err);
	if (rc)
		return rc;
	rc = image_describe(image, b->manifest.config, err);
	b->cwd = image->cwd;
	if (!rc)
		rc = build_disk(b, &image->fd, err);
	if (!rc) {
		image->priv = b->manifest.config;
		b->manifest.config = NULL;
	}
	manifest_clear(&b->manifest);
	return rc;
}

int oci_open(struct oci_image *ret_image, const char *path, const struct oci_options *options,
	     struct err *err)
{
	struct oci_image image = {.fd = -1};
	struct build b = {.options = options};
	struct err why = {0};
	struct store *store;
	int rc = store_open(&store, path, options->tmpdir, &why);
	if (!rc) {
		b.store = store;
		rc = image_open(&image, &b, &why);
		store_close(store);
	}
	if (rc) {
		image_clean(&why);
		return err_set(err, rc, "%s", why.msg);
	}
	*ret_image = image;
	return 0;
}

void oci_close(struct oci_image *image)
{
	if (image->fd >= 0)
		close(image->fd);
	image->fd = -1;
	json_destroy(image->priv);
	image->priv = NULL;
}
