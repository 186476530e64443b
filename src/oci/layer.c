/*
 * A layer: an archive, perhaps packed, of what is new or gone, to the tree and the image (OCI image
 * specification, "Image Layer Filesystem Changeset").
 *
 * Its SHA-256 is known for sure only at its end; so until then what comes of it is not used.
 */
#include "layer.h"

#include "erofs.h"
#include "manifest.h"
#include "store.h"
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <tinyvm/err.h>
#include <tinyvm/unpack.h>
#include <unistd.h>

#define CHUNK	      (256 << 10)
#define STALL_MS      20000
#define WHITEOUT      ".wh."
#define WHITEOUT_SELF ".wh..wh." /* of the tool itself, not of a name */
#define WHITEOUT_ALL  ".wh..wh..opq"

/* Members */

static uint32_t layer_mode(const struct tar_entry *e)
{
	switch (e->type) {
	case TAR_SYMLINK:
		return S_IFLNK | 0777;
	case TAR_CHAR:
		return S_IFCHR | e->mode;
	case TAR_BLOCK:
		return S_IFBLK | e->mode;
	case TAR_DIR:
		return S_IFDIR | e->mode;
	case TAR_FIFO:
		return S_IFIFO | e->mode;
	default:
		return S_IFREG | e->mode;
	}
}

static int layer_no_space(struct layers *to, int error, struct err *err)
{
	if (error == -ENOSPC || error == -EDQUOT)
		return err_set(err, error,
			       "there is not enough space in %.100s for it; name another directory "
			       "with --tmpdir",
			       to->where);
	if (error == -EFBIG)
		return err_set(err, error,
			       "its files are larger than an image may be, or than "
			       "`ulimit -f` allows");
	return err_set(err, error, "it cannot be written to %.100s: %s", to->where,
		       strerror(-error));
}

/* Better now than after writing all that there is room for. */
static int layer_check_space(struct layers *to, uint64_t size, struct err *err)
{
	struct statvfs fs;
	if (size > EROFS_BYTES_MAX)
		return layer_no_space(to, -EFBIG, err);
	if (size > CHUNK && fstatvfs(to->image->fd, &fs) == 0 && size / fs.f_frsize >= fs.f_bavail)
		return layer_no_space(to, -ENOSPC, err);
	return 0;
}

static int layer_copy(struct layers *to, struct tar *tar, const struct tar_entry *e,
		      struct err *err)
{
	uint8_t buf[16384];
	ssize_t n = 0;
	int rc = layer_check_space(to, e->size, err);
	while (!rc && (n = tar_read(tar, buf, sizeof(buf))) > 0) {
		rc = erofs_append(to->image, buf, (size_t)n);
		if (rc)
			layer_no_space(to, rc, err);
	}
	if (rc || n < 0)
		return rc ? rc : (int)n;
	rc = erofs_pad(to->image);
	return rc ? layer_no_space(to, rc, err) : 0;
}

static int layer_add(struct layers *to, struct tar *tar, const struct tar_entry *e, struct err *err)
{
	const struct tree_meta meta = {
		.mode = layer_mode(e),
		.uid = e->uid,
		.gid = e->gid,
		.mtime_s = e->mtime_s,
		.mtime_ns = e->mtime_ns,
		.size = e->size,
		.block = erofs_block(to->image),
		.major = e->major,
		.minor = e->minor,
		.target = e->type == TAR_SYMLINK ? e->target : NULL,
		.xattrs = e->xattrs,
		.xattrs_len = e->xattrs_len,
	};
	int rc = e->type == TAR_HARD_LINK ? tree_link(to->tree, e->path, e->target)
					  : tree_add(to->tree, e->path, &meta);
	if (rc)
		return err_set(err, rc, "'%.120s' %s", e->path, tree_why(rc));
	return e->size ? layer_copy(to, tar, e, err) : 0;
}

/* The last name of a path, and how long it is, without slashes behind it. */
static const char *layer_base(const char *path, size_t *ret_len)
{
	size_t end = strlen(path);
	while (end && path[end - 1] == '/')
		end--;
	size_t from = end;
	while (from && path[from - 1] != '/')
		from--;
	*ret_len = end - from;
	return path + from;
}

/* @base: in @path, its last name. */
static int layer_hide(struct layers *to, const char *path, const char *base, size_t len,
		      struct err *err)
{
	char hidden[TAR_PATH_MAX];
	size_t dir_len = (size_t)(base - path), skip = strlen(WHITEOUT);
	const char *name = base + skip;
	int rc;
	memcpy(hidden, path, dir_len);
	hidden[dir_len] = '\0';
	if (len == strlen(WHITEOUT_ALL) && memcmp(base, WHITEOUT_ALL, len) == 0) {
		rc = tree_hide_all(to->tree, hidden);
	} else if (len == skip || (len == skip + 1 && *name == '.')) {
		return err_set(err, -EINVAL, "'%.120s' is a whiteout of nothing", path);
	} else {
		memcpy(hidden + dir_len, name, len - skip);
		hidden[dir_len + len - skip] = '\0';
		rc = tree_hide(to->tree, hidden);
	}
	return rc ? err_set(err, rc, "'%.120s' %s", path, tree_why(rc)) : 0;
}

static int layer_member(struct layers *to, struct tar *tar, const struct tar_entry *e,
			struct err *err)
{
	size_t len;
	const char *base = layer_base(e->path, &len);
	if (++to->members > LAYER_MEMBERS_MAX)
		return err_set(err, -E2BIG, "its layers have more than %u million members",
			       LAYER_MEMBERS_MAX >> 20);
	bool is_all = len == strlen(WHITEOUT_ALL) && memcmp(base, WHITEOUT_ALL, len) == 0;
	const char *self = strstr(e->path, WHITEOUT_SELF);
	bool is_self = self && (self == e->path || self[-1] == '/');
	if (is_self && !is_all) /* such as .wh..wh.plnk/ */
		return 0;
	if (len >= strlen(WHITEOUT) && memcmp(base, WHITEOUT, strlen(WHITEOUT)) == 0)
		return layer_hide(to, e->path, base, len, err);
	return layer_add(to, tar, e, err);
}

int layer_apply_tar(struct layers *to, struct tar *tar, struct err *err)
{
	struct tar_entry e;
	int rc;
	tree_begin_layer(to->tree);
	while ((rc = tar_next(tar, &e)) == 1) {
		rc = layer_member(to, tar, &e, err);
		if (rc)
			break;
	}
	if (rc < 0 && *tar_why(tar))
		err_set(err, rc, "%s", tar_why(tar));
	return rc;
}

/* Streams */

/**
 * struct reader - a layer being read
 * @sum: of the packed or the unpacked bytes
 * @why: of unpacking
 */
struct reader {
	struct unpack_stream *stream;
	bool is_unpacked_sum;
	struct sha256 sum;
	char why[UNPACK_WHY_MAX];
};

static void reader_seen(void *ctx, const void *buf, size_t len)
{
	struct reader *r = ctx;
	sha256_add(&r->sum, buf, len);
}

static ssize_t reader_read(void *ctx, void *buf, size_t len)
{
	struct reader *r = ctx;
	ssize_t n = unpack_stream_read(r->stream, buf, len, r->why);
	if (n > 0 && r->is_unpacked_sum)
		sha256_add(&r->sum, buf, (size_t)n);
	return n;
}

/* Padding, and whatever else is behind the archive. */
static int reader_finish(struct reader *r)
{
	uint8_t waste[16384];
	ssize_t n;
	do
		n = reader_read(r, waste, sizeof(waste));
	while (n > 0);
	return (int)n;
}

static int reader_open(struct reader *r, const struct blob *blob, bool is_unpacked_sum,
		       struct err *err)
{
	uint8_t head[TAR_BLOCK_SIZE] = {0};
	struct unpack_source source = {
		.in = {.fd = blob->fd, .off = blob->off, .len = blob->len, .stall_ms = STALL_MS}};
	size_t len = blob->len < sizeof(head) ? (size_t)blob->len : sizeof(head);
	ssize_t n;
	do
		n = pread(blob->fd, head, len, (off_t)blob->off);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(err, -errno, "it cannot be read: %s", strerror(errno));
	/* By its contents, since manifests are wrong about that now and then. */
	if (!tar_is_header(head))
		source.in.format = unpack_identify(head, (size_t)n);
	*r = (struct reader){.is_unpacked_sum = is_unpacked_sum};
	sha256_begin(&r->sum);
	source.seen = is_unpacked_sum ? NULL : reader_seen;
	source.ctx = r;
	int rc = unpack_stream_open(&r->stream, &source, r->why);
	return rc ? err_set(err, rc, "%s", r->why) : 0;
}

static int layer_check_sum(struct reader *r, const char *hex, struct err *err)
{
	char sum[SHA256_HEX_SIZE];
	sha256_end(&r->sum, sum);
	if (strcmp(sum, hex) == 0)
		return 0;
	return err_set(err, -EBADMSG,
		       "it is not what the manifest says: its SHA-256 is %.12s... and not %.12s...",
		       sum, hex);
}

static int layer_read(struct layers *to, const struct blob *blob,
		      const struct manifest_layer *layer, struct err *err)
{
	struct reader *r = malloc(sizeof(*r));
	struct tar *tar = NULL;
	if (!r)
		return err_set(err, -ENOMEM, "there is not enough memory");
	int rc = reader_open(r, blob, layer->is_unpacked_sum, err);
	if (rc) {
		free(r);
		return rc;
	}
	const struct tar_source source = {.read = reader_read, .ctx = r};
	rc = tar_open(&tar, &source);
	if (rc)
		err_set(err, rc, "there is not enough memory");
	if (!rc)
		rc = layer_apply_tar(to, tar, err);
	if (!rc)
		rc = reader_finish(r);
	if (rc && *r->why)
		err_set(err, rc, "%s", r->why);
	if (!rc)
		rc = layer_check_sum(r, layer->hex, err);
	tar_close(tar);
	unpack_stream_close(r->stream);
	free(r);
	return rc;
}

int layer_apply(struct layers *to, const struct store *store, const struct manifest_layer *layer,
		unsigned number, struct err *err)
{
	struct err why = {0};
	struct blob blob;
	int rc = store_find(store, layer->name, &blob);
	if (rc)
		return err_set(err, rc, "layer %u, %.100s, %s", number, layer->name,
			       rc == -ENOENT ? "is missing" : strerror(-rc));
	if (layer->has_size && layer->size != blob.len)
		rc = err_set(&why, -EBADMSG,
			     "it is not what the manifest says: it has %llu bytes and not %llu",
			     (unsigned long long)blob.len, (unsigned long long)layer->size);
	if (!rc)
		rc = layer_read(to, &blob, layer, &why);
	blob_close(&blob);
	return rc ? err_set(err, rc, "layer %u: %.400s", number, why.msg) : 0;
}
