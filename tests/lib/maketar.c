/* Tar archives for tests, put together in memory. */
#include "maketar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void maketar_raw(struct maketar *mt, const void *data, size_t len)
{
	uint8_t *grown = realloc(mt->data, mt->len + len + 1);
	if (!grown)
		abort();
	mt->data = grown;
	if (len)
		memcpy(mt->data + mt->len, data, len);
	mt->len += len;
}

void maketar_sum(struct maketar *mt, size_t off)
{
	struct tar_header h;
	uint8_t *block = mt->data + off;
	unsigned sum = 0;
	memcpy(&h, block, sizeof(h));
	memset(h.checksum, ' ', sizeof(h.checksum));
	memcpy(block, &h, sizeof(h));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += block[i];
	snprintf(h.checksum, sizeof(h.checksum), "%06o", sum);
	memcpy(block, &h, sizeof(h));
}

static void maketar_octal(char *field, size_t size, unsigned long long value)
{
	char digits[32];
	snprintf(digits, sizeof(digits), "%0*llo", (int)size - 1, value);
	memcpy(field, digits, size);
}

void maketar_add(struct maketar *mt, char type, const char *name, const char *link,
		 const void *data, size_t len)
{
	static const uint8_t zero[TAR_BLOCK_SIZE];
	struct tar_header h = {.type = type};
	size_t off = mt->len;
	if (strlen(name) > sizeof(h.name) || strlen(link) > sizeof(h.link))
		abort();
	memcpy(h.name, name, strlen(name));
	memcpy(h.link, link, strlen(link));
	memcpy(h.magic, TAR_MAGIC_POSIX "00", sizeof(h.magic));
	maketar_octal(h.mode, sizeof(h.mode), mt->mode ? mt->mode : type == TAR_DIR ? 0755 : 0644);
	maketar_octal(h.uid, sizeof(h.uid), mt->uid);
	maketar_octal(h.gid, sizeof(h.gid), mt->gid);
	maketar_octal(h.size, sizeof(h.size), len);
	maketar_octal(h.mtime, sizeof(h.mtime), mt->mtime);
	maketar_octal(h.major, sizeof(h.major), mt->major);
	maketar_octal(h.minor, sizeof(h.minor), mt->minor);
	maketar_raw(mt, &h, sizeof(h));
	maketar_sum(mt, off);
	maketar_raw(mt, data, len);
	maketar_raw(mt, zero, -len % TAR_BLOCK_SIZE);
}

void maketar_file(struct maketar *mt, const char *name, const char *text)
{
	maketar_add(mt, TAR_FILE, name, "", text, strlen(text));
}

void maketar_dir(struct maketar *mt, const char *name)
{
	maketar_add(mt, TAR_DIR, name, "", NULL, 0);
}

void maketar_link(struct maketar *mt, char type, const char *name, const char *target)
{
	maketar_add(mt, type, name, target, NULL, 0);
}

size_t maketar_record(char *out, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3, all = rest;
	char digits[16];
	while (all != rest + (size_t)snprintf(digits, sizeof(digits), "%zu", all))
		all = rest + strlen(digits);
	size_t n = (size_t)sprintf(out, "%s %s=", digits, key);
	memcpy(out + n, value, len);
	out[n + len] = '\n';
	return n + len + 1;
}

void maketar_pax(struct maketar *mt, const char *key, const char *value)
{
	char *text = malloc(strlen(key) + strlen(value) + 32);
	if (!text)
		abort();
	size_t len = maketar_record(text, key, value, strlen(value));
	maketar_add(mt, TAR_PAX, "pax", "", text, len);
	free(text);
}

void maketar_end(struct maketar *mt)
{
	static const uint8_t zero[2 * TAR_BLOCK_SIZE];
	maketar_raw(mt, zero, sizeof(zero));
}
