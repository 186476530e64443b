/*
 * Tar archives: those of POSIX.1-1988 (ustar), POSIX.1-2001 (pax), GNU tar and Unix version 7, as
 * image layers and `docker save` have them. What programs for containers agree on where the
 * standards leave it open: no member but a file has data, whatever its size says, and global pax
 * headers mean nothing.
 *
 * Left out on purpose: sparse files, volumes, and incremental dumps, which are refused; the names
 * of users and groups, since numbers count in an image.
 */
#include "tar.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXTRA_MAX (1 << 20) /* of a pax header or a long name */
#define XATTR	  "SCHILY.xattr."

/* What a pax header or a GNU entry before the member says about it. */
enum {
	HAS_PATH = 1,
	HAS_TARGET = 2,
	HAS_SIZE = 4,
	HAS_UID = 8,
	HAS_GID = 16,
	HAS_MTIME = 32,
};

/**
 * struct tar - a reader
 * @left:    bytes of the member's data that were not read
 * @padding: behind them
 * @has:     what overrides the member's header
 * @is_over: the end was seen
 */
struct tar {
	struct tar_source source;
	uint64_t left;
	uint32_t padding;
	unsigned has;
	bool is_over;
	struct tar_entry entry;
	char why[TAR_WHY_MAX];
	char path[TAR_PATH_MAX];
	char target[TAR_PATH_MAX];
	uint8_t xattrs[TAR_XATTRS_MAX];
};

int tar_open(struct tar **ret_tar, const struct tar_source *source)
{
	struct tar *tar = malloc(sizeof(*tar));
	if (!tar)
		return -ENOMEM;
	memset(tar, 0, offsetof(struct tar, path)); /* of the rest, only what was written is read */
	tar->source = *source;
	*ret_tar = tar;
	return 0;
}

void tar_close(struct tar *tar)
{
	free(tar);
}

const char *tar_why(const struct tar *tar)
{
	return tar->why;
}

__attribute__((format(printf, 3, 4))) static int tar_fail(struct tar *tar, int code,
							  const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(tar->why, sizeof(tar->why), fmt, args);
	va_end(args);
	return code;
}

/* Bytes */

/* Return: bytes, fewer than @len only at the source's end; -errno. */
static ssize_t tar_fill(struct tar *tar, void *buf, size_t len)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = tar->source.read(tar->source.ctx, (uint8_t *)buf + done, len - done);
		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int tar_cut_off(struct tar *tar)
{
	return tar_fail(tar, -EBADMSG, "the archive ends in the middle");
}

static int tar_fill_all(struct tar *tar, void *buf, size_t len)
{
	ssize_t n = tar_fill(tar, buf, len);
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : tar_cut_off(tar);
}

static int tar_skip(struct tar *tar, uint64_t len)
{
	uint8_t waste[16384];
	if (len && tar->source.skip)
		return tar->source.skip(tar->source.ctx, len);
	while (len) {
		size_t n = len < sizeof(waste) ? (size_t)len : sizeof(waste);
		int rc = tar_fill_all(tar, waste, n);
		if (rc)
			return rc;
		len -= n;
	}
	return 0;
}

static uint32_t tar_padding(uint64_t size)
{
	return (uint32_t)(-size % TAR_BLOCK_SIZE);
}

/* The header's fields */

/* Return: false for something that is no number, or none of 63 bits. */
static bool tar_number(const char *field, size_t len, int64_t *ret)
{
	const uint8_t *at = (const uint8_t *)field;
	uint64_t value = 0;
	if (at[0] & 0x80) {
		bool is_negative = at[0] == 0xff;
		uint8_t sign = is_negative ? 0xff : 0;
		if (at[0] != 0x80 && !is_negative)
			return false;
		for (size_t i = 1; i + 8 < len; i++)
			if (at[i] != sign)
				return false;
		value = is_negative ? UINT64_MAX : 0;
		for (size_t i = len > 8 ? len - 8 : 1; i < len; i++)
			value = value << 8 | at[i];
		*ret = (int64_t)value;
		return is_negative == (*ret < 0);
	}
	size_t i = 0;
	while (i < len && (at[i] == ' ' || at[i] == '\0'))
		i++;
	for (; i < len && at[i] >= '0' && at[i] <= '7'; i++)
		value = value << 3 | (uint64_t)(at[i] - '0'); /* at most 12 digits */
	while (i < len && (at[i] == ' ' || at[i] == '\0'))
		i++;
	*ret = (int64_t)value;
	return i == len;
}

static uint32_t tar_sum(const uint8_t *block)
{
	const size_t from = offsetof(struct tar_header, checksum);
	uint32_t sum = 0;
	for (size_t i = 0; i < TAR_BLOCK_SIZE; i++)
		sum += i >= from && i < from + sizeof(((struct tar_header *)0)->checksum)
			       ? ' '
			       : block[i];
	return sum;
}

bool tar_is_header(const uint8_t block[TAR_BLOCK_SIZE])
{
	const struct tar_header *h = (const struct tar_header *)block;
	int64_t sum;
	return tar_number(h->checksum, sizeof(h->checksum), &sum) && sum == tar_sum(block);
}

/* A text that may fill its field. */
static size_t tar_field(char *out, const char *field, size_t len)
{
	size_t n = strnlen(field, len);
	memcpy(out, field, n);
	out[n] = '\0';
	return n;
}

static int tar_take_names(struct tar *tar, const struct tar_header *h)
{
	bool is_posix = memcmp(h->magic, TAR_MAGIC_POSIX, 6) == 0;
	if (!(tar->has & HAS_PATH)) {
		size_t n = is_posix ? tar_field(tar->path, h->prefix, sizeof(h->prefix)) : 0;
		if (n)
			tar->path[n++] = '/';
		tar_field(tar->path + n, h->name, sizeof(h->name));
	}
	if (!(tar->has & HAS_TARGET))
		tar_field(tar->target, h->link, sizeof(h->link));
	if (!tar->path[0])
		return tar_fail(tar, -EBADMSG, "a member has no name");
	return 0;
}

static bool tar_id(const char *field, uint32_t *ret)
{
	int64_t value;
	if (!tar_number(field, 8, &value) || value < 0 || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

static int tar_take_numbers(struct tar *tar, const struct tar_header *h)
{
	struct tar_entry *e = &tar->entry;
	int64_t size = 0, mode;
	bool is_good = tar_number(h->mode, sizeof(h->mode), &mode);
	if (!(tar->has & HAS_SIZE)) {
		is_good = is_good && tar_number(h->size, sizeof(h->size), &size) && size >= 0;
		e->size = (uint64_t)size;
	}
	if (!(tar->has & HAS_UID))
		is_good = is_good && tar_id(h->uid, &e->uid);
	if (!(tar->has & HAS_GID))
		is_good = is_good && tar_id(h->gid, &e->gid);
	if (!(tar->has & HAS_MTIME)) {
		is_good = is_good && tar_number(h->mtime, sizeof(h->mtime), &e->mtime_s);
		e->mtime_ns = 0;
	}
	e->major = e->minor = 0;
	if (e->type == TAR_CHAR || e->type == TAR_BLOCK)
		is_good = is_good && tar_id(h->major, &e->major) && tar_id(h->minor, &e->minor);
	if (!is_good)
		return tar_fail(tar, -EBADMSG, "a number in the header of '%.80s' is none",
				tar->path);
	e->mode = (uint32_t)mode & 07777;
	return 0;
}

/* What goes before a member */

/* @text: digits, a '.' and more digits; only what is a number of 32 or 63 bits is taken. */
static bool pax_number(const char *text, int64_t max, int64_t *ret, uint32_t *ret_ns)
{
	bool is_negative = *text == '-';
	int64_t value = 0;
	uint32_t ns = 0, unit = 100000000;
	const char *at = text + is_negative;
	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++) {
		if (value > (max - (*at - '0')) / 10)
			return false;
		value = value * 10 + (*at - '0');
	}
	if (*at == '.' && ret_ns) {
		for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
			ns += (uint32_t)(*at - '0') * unit;
	}
	if (*at || (is_negative && !ret_ns))
		return false;
	if (is_negative && ns) { /* towards the past, like the seconds */
		value++;
		ns = 1000000000 - ns;
	}
	*ret = is_negative ? -value : value;
	if (ret_ns)
		*ret_ns = ns;
	return true;
}

static int pax_bad(struct tar *tar, const char *key)
{
	return tar_fail(tar, -EBADMSG, "the value of '%.60s' in a pax header makes no sense", key);
}

/* @len: of @value, which ends in a NUL, too. */
static int pax_take_name(struct tar *tar, const char *key, char *out, const char *value, size_t len)
{
	if (strlen(value) != len)
		return pax_bad(tar, key);
	if (len >= TAR_PATH_MAX)
		return tar_fail(tar, -EBADMSG, "a name of %zu bytes is too long", len);
	memcpy(out, value, len + 1);
	return 0;
}

static int pax_take_xattr(struct tar *tar, const char *name, const char *value, size_t len)
{
	size_t name_len = strlen(name), need = name_len + 1 + 2 + len;
	struct tar_entry *e = &tar->entry;
	if (!name_len || len > UINT16_MAX || need > TAR_XATTRS_MAX - e->xattrs_len)
		return tar_fail(tar, -EBADMSG, "the extended attributes of a member are too large");
	uint8_t *out = tar->xattrs + e->xattrs_len;
	memcpy(out, name, name_len + 1);
	out += name_len + 1;
	*out++ = (uint8_t)len;
	*out++ = (uint8_t)(len >> 8);
	memcpy(out, value, len);
	e->xattrs_len += need;
	return 0;
}

/* An empty value takes back what was said. */
static int pax_take_number(struct tar *tar, const char *key, const char *value)
{
	static const struct {
		const char *key;
		unsigned has;
		int64_t max;
	} numbers[] = {{"size", HAS_SIZE, INT64_MAX},
		       {"uid", HAS_UID, UINT32_MAX},
		       {"gid", HAS_GID, UINT32_MAX},
		       {"mtime", HAS_MTIME, INT64_MAX - 1}};
	struct tar_entry *e = &tar->entry;
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int64_t number;
		uint32_t ns;
		if (strcmp(key, numbers[i].key) != 0)
			continue;
		tar->has &= ~numbers[i].has;
		if (!*value)
			return 0;
		bool is_time = numbers[i].has == HAS_MTIME;
		if (!pax_number(value, numbers[i].max, &number, is_time ? &ns : NULL))
			return pax_bad(tar, key);
		tar->has |= numbers[i].has;
		if (numbers[i].has == HAS_SIZE)
			e->size = (uint64_t)number;
		else if (numbers[i].has == HAS_UID)
			e->uid = (uint32_t)number;
		else if (numbers[i].has == HAS_GID)
			e->gid = (uint32_t)number;
		else
			e->mtime_s = number, e->mtime_ns = ns;
	}
	return 0;
}

/* @key and @value end in NULs; @len is @value's, which may have others inside. */
static int pax_take(struct tar *tar, const char *key, const char *value, size_t len)
{
	bool is_path = strcmp(key, "path") == 0;
	if (is_path || strcmp(key, "linkpath") == 0) {
		unsigned has = is_path ? HAS_PATH : HAS_TARGET;
		tar->has = len ? tar->has | has : tar->has & ~has;
		return pax_take_name(tar, key, is_path ? tar->path : tar->target, value, len);
	}
	if (strncmp(key, XATTR, strlen(XATTR)) == 0)
		return pax_take_xattr(tar, key + strlen(XATTR), value, len);
	if (strncmp(key, "GNU.sparse.", 11) == 0)
		return tar_fail(tar, -EOPNOTSUPP,
				"it holds a sparse file, which tinyvm cannot read");
	return pax_take_number(tar, key, value);
}

/* Records "LENGTH KEY=VALUE\n", of which LENGTH counts all. */
static int pax_parse(struct tar *tar, char *text, size_t size)
{
	char *at = text, *end = text + size;
	while (at < end) {
		char *record = at;
		uint64_t len = 0;
		for (; at < end && *at >= '0' && *at <= '9' && len <= EXTRA_MAX; at++)
			len = len * 10 + (uint64_t)(*at - '0');
		if (at == end || *at != ' ' || len > (uint64_t)(end - record) ||
		    len < (uint64_t)(at - record) + 2 || record[len - 1] != '\n')
			return tar_fail(tar, -EBADMSG, "a pax header is damaged");
		char *key = at + 1, *last = record + len - 1;
		char *equals = memchr(key, '=', (size_t)(last - key));
		if (!equals || equals == key || memchr(key, '\0', (size_t)(equals - key)))
			return tar_fail(tar, -EBADMSG, "a pax header is damaged");
		*equals = *last = '\0';
		int rc = pax_take(tar, key, equals + 1, (size_t)(last - equals - 1));
		if (rc)
			return rc;
		at = last + 1;
	}
	return 0;
}

static int tar_take_long_name(struct tar *tar, char *out, const char *text, size_t size)
{
	size_t len = strnlen(text, size);
	if (!len || len >= TAR_PATH_MAX)
		return tar_fail(tar, -EBADMSG, "a name of %zu bytes is too long", len);
	memcpy(out, text, len);
	out[len] = '\0';
	return 0;
}

static bool tar_is_extra(char type)
{
	return type == TAR_PAX || type == TAR_PAX_GLOBAL || type == TAR_GNU_LONG_NAME ||
	       type == TAR_GNU_LONG_LINK;
}

/* An entry about the one that follows. */
static int tar_take_extra(struct tar *tar, const struct tar_header *h)
{
	int64_t size;
	if (!tar_number(h->size, sizeof(h->size), &size) || size < 0 || size > EXTRA_MAX)
		return tar_fail(tar, -EBADMSG, "a header for what follows is too large");
	if (h->type == TAR_PAX_GLOBAL)
		return tar_skip(tar, (uint64_t)size + tar_padding((uint64_t)size));
	char *text = malloc((size_t)size + 1);
	if (!text)
		return tar_fail(tar, -ENOMEM, "there is not enough memory");
	int rc = tar_fill_all(tar, text, (size_t)size);
	if (!rc)
		rc = tar_skip(tar, tar_padding((uint64_t)size));
	if (!rc && h->type == TAR_PAX)
		rc = pax_parse(tar, text, (size_t)size);
	else if (!rc && h->type == TAR_GNU_LONG_NAME)
		rc = tar_take_long_name(tar, tar->path, text, (size_t)size);
	else if (!rc)
		rc = tar_take_long_name(tar, tar->target, text, (size_t)size);
	if (!rc && h->type == TAR_GNU_LONG_NAME)
		tar->has |= HAS_PATH;
	if (!rc && h->type == TAR_GNU_LONG_LINK)
		tar->has |= HAS_TARGET;
	free(text);
	return rc;
}

/* Members */

static int tar_take_type(struct tar *tar, char type)
{
	size_t len = strlen(tar->path);
	if (type == TAR_FILE_CONTIGUOUS)
		type = TAR_FILE;
	if (type == TAR_FILE_OLD) /* then directories end in a slash */
		type = tar->path[len - 1] == '/' ? TAR_DIR : TAR_FILE;
	if (type == TAR_GNU_SPARSE)
		return tar_fail(tar, -EOPNOTSUPP,
				"'%.80s' is a sparse file, which tinyvm cannot read", tar->path);
	if (type < TAR_FILE || type > TAR_FIFO)
		return tar_fail(tar, -EOPNOTSUPP, "'%.80s' is of the unknown type %#x", tar->path,
				(unsigned)(uint8_t)type);
	if ((type == TAR_HARD_LINK || type == TAR_SYMLINK) && !tar->target[0])
		return tar_fail(tar, -EBADMSG, "'%.80s' is a link to nothing", tar->path);
	tar->entry.type = (enum tar_type)type;
	return 0;
}

static int tar_take(struct tar *tar, const struct tar_header *h)
{
	struct tar_entry *e = &tar->entry;
	int rc = tar_take_names(tar, h);
	if (!rc)
		rc = tar_take_type(tar, h->type);
	if (!rc)
		rc = tar_take_numbers(tar, h);
	if (rc)
		return rc;
	if (e->type != TAR_FILE)
		e->size = 0;
	e->path = tar->path;
	e->target = e->type == TAR_HARD_LINK || e->type == TAR_SYMLINK ? tar->target : "";
	e->xattrs = tar->xattrs;
	tar->left = e->size;
	tar->padding = tar_padding(e->size);
	return 0;
}

/* Return: 1 with a header, 0 at the end, -errno. */
static int tar_read_header(struct tar *tar, uint8_t block[TAR_BLOCK_SIZE])
{
	static const uint8_t zero[TAR_BLOCK_SIZE];
	ssize_t n = tar_fill(tar, block, TAR_BLOCK_SIZE);
	if (n < 0)
		return (int)n;
	if (n == 0 || (n == TAR_BLOCK_SIZE && memcmp(block, zero, TAR_BLOCK_SIZE) == 0)) {
		tar->is_over = true;
		return 0;
	}
	if (n < TAR_BLOCK_SIZE)
		return tar_cut_off(tar);
	if (!tar_is_header(block))
		return tar_fail(tar, -EBADMSG,
				"the archive is damaged: a header's checksum is wrong");
	return 1;
}

int tar_next(struct tar *tar, struct tar_entry *ret_entry)
{
	uint8_t block[TAR_BLOCK_SIZE];
	const struct tar_header *h = (const struct tar_header *)block;
	if (tar->is_over)
		return 0;
	int rc = tar_skip(tar, tar->left);
	if (!rc)
		rc = tar_skip(tar, tar->padding);
	tar->left = tar->padding = 0;
	tar->has = 0;
	tar->entry.xattrs_len = 0;
	bool is_first = true;
	while (!rc) {
		rc = tar_read_header(tar, block);
		if (rc == 0 && !is_first)
			rc = tar_cut_off(tar);
		if (rc <= 0)
			return rc;
		if (!tar_is_extra(h->type)) {
			rc = tar_take(tar, h);
			break;
		}
		rc = tar_take_extra(tar, h);
		is_first = is_first && h->type == TAR_PAX_GLOBAL;
	}
	if (rc)
		return rc;
	*ret_entry = tar->entry;
	return 1;
}

ssize_t tar_read(struct tar *tar, void *buf, size_t len)
{
	if (len > tar->left)
		len = (size_t)tar->left;
	if (!len)
		return 0;
	ssize_t n = tar->source.read(tar->source.ctx, buf, len);
	if (n == 0)
		return tar_cut_off(tar);
	if (n > 0)
		tar->left -= (uint64_t)n;
	return n;
}
