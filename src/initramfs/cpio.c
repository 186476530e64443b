/*
 * A cpio archive in memory, in the "newc" format that the kernel unpacks (Linux
 * Documentation/driver-api/early-userspace/buffer-format.rst): a header of hexadecimal numbers for
 * each entry, its name, its contents, each padded to 4 bytes.
 *
 * Entries are sorted by name, so that directories come before what is in them; owner, times and
 * device numbers are 0. Left out: links and devices.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <spec/run_protocol.h>
#include <tinyvm/initramfs.h>

#define HEADER_SIZE 110
#define NAME_MAX_   4096
#define TRAILER	    "TRAILER!!!"

struct entry {
	char *path;
	uint32_t mode;
	uint8_t *data;
	size_t len;
};

/**
 * struct initramfs - an archive being put together
 * @entries: in the order they came
 * @conf:    the instructions, strings one after the other
 */
struct initramfs {
	struct entry *entries;
	size_t count, room;
	char *conf;
	size_t conf_len;
};

int initramfs_create(struct initramfs **ret_ia)
{
	char version[16];
	struct initramfs *ia = calloc(1, sizeof(*ia));
	if (!ia)
		return -ENOMEM;
	snprintf(version, sizeof(version), "%d", RUN_PROTOCOL_VERSION);
	int rc = initramfs_set(ia, "version", version);
	if (rc) {
		initramfs_destroy(ia);
		return rc;
	}
	*ret_ia = ia;
	return 0;
}

void initramfs_destroy(struct initramfs *ia)
{
	if (!ia)
		return;
	for (size_t i = 0; i < ia->count; i++) {
		free(ia->entries[i].path);
		free(ia->entries[i].data);
	}
	free(ia->entries);
	free(ia->conf);
	free(ia);
}

static const struct entry *cpio_find(const struct initramfs *ia, const char *path)
{
	for (size_t i = 0; i < ia->count; i++)
		if (strcmp(ia->entries[i].path, path) == 0)
			return &ia->entries[i];
	return NULL;
}

static int cpio_append(struct initramfs *ia, const char *path, size_t path_len, uint32_t mode,
		       const void *data, size_t len)
{
	if (ia->count == ia->room) {
		size_t room = ia->room ? ia->room * 2 : 32;
		struct entry *entries = realloc(ia->entries, room * sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		ia->entries = entries;
		ia->room = room;
	}
	struct entry e = {.path = strndup(path, path_len), .mode = mode, .len = len};
	e.data = len ? malloc(len) : NULL;
	if (!e.path || (len && !e.data)) {
		free(e.path);
		free(e.data);
		return -ENOMEM;
	}
	if (len)
		memcpy(e.data, data, len);
	ia->entries[ia->count++] = e;
	return 0;
}

int initramfs_add(struct initramfs *ia, const char *path, uint32_t mode, const void *data,
		  size_t len)
{
	const struct entry *same = cpio_find(ia, path);
	char above[NAME_MAX_];
	if (same)
		return S_ISDIR(same->mode) && S_ISDIR(mode) ? 0 : -EEXIST;
	if (len > UINT32_MAX || strlen(path) >= sizeof(above))
		return -EFBIG;
	for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
		size_t n = (size_t)(slash - path);
		memcpy(above, path, n);
		above[n] = '\0';
		same = cpio_find(ia, above);
		if (same && !S_ISDIR(same->mode))
			return -EEXIST;
		int rc = same ? 0 : cpio_append(ia, above, n, S_IFDIR | 0755, NULL, 0);
		if (rc)
			return rc;
	}
	return cpio_append(ia, path, strlen(path), mode, data, len);
}

int initramfs_set(struct initramfs *ia, const char *key, const char *value)
{
	size_t key_len = strlen(key), len = key_len + 1 + strlen(value) + 1;
	char *conf = realloc(ia->conf, ia->conf_len + len);
	if (!conf)
		return -ENOMEM;
	memcpy(conf + ia->conf_len, key, key_len);
	conf[ia->conf_len + key_len] = '=';
	memcpy(conf + ia->conf_len + key_len + 1, value, len - key_len - 1);
	ia->conf = conf;
	ia->conf_len += len;
	return 0;
}

static int cpio_compare(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static size_t pad_4(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

static size_t cpio_entry_size(const char *path, size_t len)
{
	return pad_4(HEADER_SIZE + strlen(path) + 1) + pad_4(len);
}

/* At @at, whose bytes are zero. Return: where the next one goes. */
static uint8_t *cpio_write_entry(uint8_t *at, const char *path, unsigned number, uint32_t mode,
				 const uint8_t *data, size_t len)
{
	size_t name_size = strlen(path) + 1;
	char header[HEADER_SIZE + 1];
	snprintf(header, sizeof(header),
		 "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", number, mode, 0, 0,
		 S_ISDIR(mode) ? 2 : 1, 0, (unsigned)len, 0, 0, 0, 0, (unsigned)name_size, 0);
	memcpy(at, header, HEADER_SIZE);
	memcpy(at + HEADER_SIZE, path, name_size);
	at += pad_4(HEADER_SIZE + name_size);
	if (len)
		memcpy(at, data, len);
	return at + pad_4(len);
}

int initramfs_finish(struct initramfs *ia, uint8_t **ret_data, size_t *ret_size)
{
	int rc = initramfs_add(ia, RUN_CONF_PATH, S_IFREG | 0600, ia->conf, ia->conf_len);
	if (rc)
		return rc;
	qsort(ia->entries, ia->count, sizeof(ia->entries[0]), cpio_compare);
	size_t size = cpio_entry_size(TRAILER, 0);
	for (size_t i = 0; i < ia->count; i++)
		size += cpio_entry_size(ia->entries[i].path, ia->entries[i].len);
	uint8_t *data = calloc(1, size);
	if (!data)
		return -ENOMEM;
	uint8_t *at = data;
	for (size_t i = 0; i < ia->count; i++) {
		const struct entry *e = &ia->entries[i];
		at = cpio_write_entry(at, e->path, (unsigned)i + 1, e->mode, e->data, e->len);
	}
	cpio_write_entry(at, TRAILER, 0, 0, NULL, 0);
	*ret_data = data;
	*ret_size = size;
	return 0;
}
