/*
 * Where an image's files are: below the directory of an OCI image layout, or in a tarball, which
 * is read once for the places of its members and after that like a directory. A tarball that is
 * packed is unpacked first, to the disk.
 *
 * `docker save` of old made links of layers that images share; so a member may be a symlink to
 * another.
 */
#include "store.h"

#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <tinyvm/nameless.h>
#include <tinyvm/unpack.h>
#include <unistd.h>

#define MEMBERS_MAX 65536
#define LINKS_MAX   8
#define STALL_MS    20000

/**
 * struct member - of a tarball
 * @target: of a symlink, as a name in the tarball, else NULL
 */
struct member {
	char *name;
	char *target;
	uint64_t off, len;
};

/**
 * struct store - it
 * @members: @count of @room, of a tarball
 */
struct store {
	int fd;
	bool is_dir;
	struct member *members;
	size_t count, room;
};

/* Names */

/*
 * A name without "." and with ".." resolved, where @base is the one of the symlink that says it, or
 * NULL. NULL when it leads out, or there is no memory.
 */
static char *store_clean_name(const char *base, const char *name)
{
	const char *slash = base ? strrchr(base, '/') : NULL;
	char *all = NULL, *out;
	size_t len = 0;
	if (asprintf(&all, "%.*s/%s", slash && *name != '/' ? (int)(slash - base) : 0,
		     base ? base : "", name) < 0)
		return NULL;
	out = calloc(1, strlen(all) + 2);
	bool is_good = out != NULL;
	for (char *rest = all, *part; is_good && (part = strsep(&rest, "/"));) {
		if (!*part || strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0) {
			is_good = len > 0;
			while (len && out[--len] != '/')
				;
		} else {
			if (len)
				out[len++] = '/';
			memcpy(out + len, part, strlen(part));
			len += strlen(part);
		}
		if (out)
			out[len] = '\0';
	}
	free(all);
	if (is_good)
		return out;
	free(out);
	return NULL;
}

static const struct member *store_lookup(const struct store *store, const char *name)
{
	for (size_t i = store->count; i-- > 0;) /* of several, the last counts */
		if (strcmp(store->members[i].name, name) == 0)
			return &store->members[i];
	return NULL;
}

static int store_add_member(struct store *store, const struct tar_entry *e, uint64_t off)
{
	if (store->count == store->room) {
		size_t room = store->room ? store->room * 2 : 64;
		struct member *members = realloc(store->members, room * sizeof(*members));
		if (!members)
			return -ENOMEM;
		store->members = members;
		store->room = room;
	}
	struct member m = {.off = off, .len = e->size, .name = store_clean_name(NULL, e->path)};
	if (m.name && e->type != TAR_FILE)
		m.target = store_clean_name(e->type == TAR_SYMLINK ? m.name : NULL, e->target);
	if (!m.name || (e->type != TAR_FILE && !m.target)) {
		free(m.name); /* it leads out of the tarball, so nowhere */
		return 0;
	}
	store->members[store->count++] = m;
	return 0;
}

/* Reading */

/* A place in a file. */
struct cursor {
	int fd;
	uint64_t at, end;
};

static ssize_t cursor_read(void *ctx, void *buf, size_t len)
{
	struct cursor *c = ctx;
	uint64_t left = c->at < c->end ? c->end - c->at : 0;
	ssize_t n;
	do
		n = pread(c->fd, buf, len < left ? len : (size_t)left, (off_t)c->at);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		c->at += (uint64_t)n;
	return n < 0 ? -errno : n;
}

static int cursor_skip(void *ctx, uint64_t len)
{
	struct cursor *c = ctx;
	c->at = len > c->end - c->at ? c->end : c->at + len;
	return 0;
}

static int store_index(struct store *store, uint64_t size, struct err *err)
{
	struct cursor cursor = {.fd = store->fd, .end = size};
	const struct tar_source source = {cursor_read, cursor_skip, &cursor};
	struct tar_entry e;
	struct tar *tar;
	int rc = tar_open(&tar, &source);
	if (rc)
		return err_set(err, rc, "there is not enough memory");
	while (!rc && (rc = tar_next(tar, &e)) == 1) {
		rc = 0;
		if (e.type == TAR_FILE && e.size > size - cursor.at)
			rc = err_set(err, -EBADMSG, "the archive ends in the middle");
		else if (store->count == MEMBERS_MAX)
			rc = err_set(err, -E2BIG,
				     "it has more than %d members, so it is none that docker "
				     "save writes",
				     MEMBERS_MAX);
		else if (e.type == TAR_FILE || e.type == TAR_SYMLINK || e.type == TAR_HARD_LINK)
			rc = store_add_member(store, &e, cursor.at);
		if (rc == -ENOMEM)
			err_set(err, rc, "there is not enough memory");
	}
	if (rc && *tar_why(tar))
		err_set(err, rc, "%s", tar_why(tar));
	else if (rc && !err->code)
		err_set(err, rc, "it cannot be read: %s", strerror(-rc));
	tar_close(tar);
	return rc;
}

/* Unpacks the tarball in @store->fd to a file that takes its place. */
static int store_unpack(struct store *store, const struct unpack_format *format, uint64_t *size,
			const char *tmpdir, struct err *err)
{
	const struct unpack_source source = {
		.in = {.fd = store->fd, .len = *size, .format = format, .stall_ms = STALL_MS}};
	char why[UNPACK_WHY_MAX];
	struct unpack_stream *stream = NULL;
	uint8_t *buf = malloc(256 << 10);
	uint64_t at = 0;
	ssize_t n = 0;
	int fd = nameless_open(tmpdir, 0);
	int rc = fd < 0 ? err_set(err, fd, "it cannot be unpacked in %.100s: %s", tmpdir,
				  strerror(-fd))
			: 0;
	if (!rc && !buf)
		rc = err_set(err, -ENOMEM, "there is not enough memory");
	if (!rc && (rc = unpack_stream_open(&stream, &source, why)) != 0)
		err_set(err, rc, "%s", why);
	while (!rc && (n = unpack_stream_read(stream, buf, 256 << 10, why)) > 0) {
		for (ssize_t done = 0; !rc && done < n;) {
			ssize_t m = write(fd, buf + done, (size_t)(n - done));
			if (m < 0 && errno != EINTR)
				rc = err_set(err, -errno, "it cannot be unpacked in %.100s: %s",
					     tmpdir, strerror(errno));
			done += m > 0 ? m : 0;
		}
		at += (uint64_t)n;
	}
	if (!rc && n < 0)
		rc = err_set(err, (int)n, "%s", why);
	unpack_stream_close(stream);
	free(buf);
	if (rc) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	close(store->fd);
	store->fd = fd;
	*size = at;
	return 0;
}

static int store_open_tarball(struct store *store, uint64_t size, const char *tmpdir,
			      struct err *err)
{
	uint8_t head[TAR_BLOCK_SIZE] = {0};
	struct cursor cursor = {.fd = store->fd, .end = size};
	ssize_t n = cursor_read(&cursor, head, sizeof(head));
	int rc = 0;
	if (n < 0)
		return err_set(err, (int)n, "it cannot be read: %s", strerror((int)-n));
	if (n == sizeof(head) && tar_is_header(head))
		return store_index(store, size, err);
	const struct unpack_format *format = unpack_identify(head, (size_t)n);
	if (!format)
		return err_set(err, -EINVAL,
			       "it is neither a directory nor a tarball such as docker save "
			       "writes");
	rc = store_unpack(store, format, &size, tmpdir, err);
	return rc ? rc : store_index(store, size, err);
}

int store_open(struct store **ret_store, const char *path, const char *tmpdir, struct err *err)
{
	struct stat st;
	struct store *store = calloc(1, sizeof(*store));
	if (!store)
		return err_set(err, -ENOMEM, "there is not enough memory");
	int rc = 0;
	store->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (store->fd < 0 || fstat(store->fd, &st) < 0)
		rc = err_set(err, -errno, "%s", strerror(errno));
	else if (S_ISDIR(st.st_mode))
		store->is_dir = true;
	else if (S_ISREG(st.st_mode))
		rc = store_open_tarball(store, (uint64_t)st.st_size, tmpdir, err);
	else
		rc = err_set(err, -EINVAL, "it is neither a directory nor a file");
	if (rc) {
		store_close(store);
		return rc;
	}
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < store->count; i++) {
		free(store->members[i].name);
		free(store->members[i].target);
	}
	free(store->members);
	if (store->fd >= 0)
		close(store->fd);
	free(store);
}

static int store_find_file(const struct store *store, const char *name, struct blob *ret_blob)
{
	struct stat st;
	int fd = openat(store->fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	*ret_blob = (struct blob){.fd = fd, .len = (uint64_t)st.st_size, .is_own = true};
	return 0;
}

int store_find(const struct store *store, const char *name, struct blob *ret_blob)
{
	if (store->is_dir)
		return store_find_file(store, name, ret_blob);
	char *clean = store_clean_name(NULL, name);
	const struct member *m = clean ? store_lookup(store, clean) : NULL;
	free(clean);
	for (unsigned links = 0; m && m->target; links++)
		m = links < LINKS_MAX ? store_lookup(store, m->target) : NULL;
	if (!m)
		return -ENOENT;
	*ret_blob = (struct blob){.fd = store->fd, .off = m->off, .len = m->len};
	return 0;
}

void blob_close(struct blob *blob)
{
	if (blob->is_own)
		close(blob->fd);
	blob->is_own = false;
}

/* Documents */

static int store_parse(const char *name, const char *hex, const char *text, size_t len,
		       struct json **ret_json, struct err *err)
{
	char sum[SHA256_HEX_SIZE];
	struct sha256 s;
	sha256_begin(&s);
	sha256_add(&s, text, len);
	sha256_end(&s, sum);
	if (hex && strcmp(sum, hex) != 0)
		return err_set(err, -EBADMSG,
			       "its %.100s is damaged: the SHA-256 of it is another one", name);
	int rc = json_parse(ret_json, text, len);
	if (rc == -EINVAL)
		err_set(err, rc, "its %.100s is no JSON", name);
	else if (rc)
		err_set(err, rc, "its %.100s is too large", name);
	return rc;
}

int store_read_json(const struct store *store, const char *name, const char *hex,
		    struct json **ret_json, struct err *err)
{
	struct blob blob = {.fd = -1};
	int rc = store_find(store, name, &blob);
	if (rc == -ENOENT)
		return err_set(err, rc, "it has no %.100s", name);
	if (rc)
		return err_set(err, rc, "its %.100s cannot be opened: %s", name, strerror(-rc));
	char *text = blob.len <= JSON_SIZE_MAX ? malloc(blob.len + 1) : NULL;
	struct cursor cursor = {.fd = blob.fd, .at = blob.off, .end = blob.off + blob.len};
	size_t len = 0;
	ssize_t n = 0;
	if (blob.len > JSON_SIZE_MAX)
		rc = err_set(err, -EMSGSIZE, "its %.100s is too large", name);
	else if (!text)
		rc = err_set(err, -ENOMEM, "there is not enough memory");
	while (!rc && len < blob.len && (n = cursor_read(&cursor, text + len, blob.len - len)) > 0)
		len += (size_t)n;
	if (!rc && n < 0)
		rc = err_set(err, (int)n, "its %.100s cannot be read: %s", name, strerror((int)-n));
	if (!rc)
		rc = store_parse(name, hex, text, len, ret_json, err);
	free(text);
	blob_close(&blob);
	return rc;
}
