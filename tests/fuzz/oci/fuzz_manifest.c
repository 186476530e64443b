/*
 * Any documents as a container image: the input, cut at bytes 0xff, is the index (or docker save's
 * manifest, if it begins with '[') and what it leads to. In each, '@' and a digit stand for the
 * SHA-256 of one of the documents after it, since nobody guesses those.
 */
#include "fuzzfile.h"
#include "maketar.h"
#include "manifest.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/err.h>

#define DOCUMENTS 10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct document {
	const uint8_t *at;
	size_t len;
	char hex[SHA256_HEX_SIZE];
};

static void insist(bool is_so)
{
	if (!is_so)
		abort();
}

static unsigned cut(const uint8_t *data, size_t size, struct document list[DOCUMENTS])
{
	unsigned count = 0;
	const uint8_t *end = data + size;
	while (count < DOCUMENTS && data < end) {
		const uint8_t *mark = memchr(data, 0xff, (size_t)(end - data));
		const uint8_t *stop = mark ? mark : end;
		list[count++] = (struct document){.at = data, .len = (size_t)(stop - data)};
		data = mark ? mark + 1 : end;
	}
	return count;
}

/* The document with its references filled in, as a member. */
static void put(struct maketar *mt, struct document *list, unsigned count, unsigned n)
{
	struct document *d = &list[n];
	char *text = malloc(d->len * SHA256_HEX_SIZE + 1), name[96] = "index.json";
	struct sha256 s;
	size_t len = 0;
	insist(text != NULL);
	for (size_t i = 0; i < d->len; i++) {
		unsigned to = i + 1 < d->len ? d->at[i + 1] - (unsigned)'0' : DOCUMENTS;
		if (d->at[i] == '@' && to > n && to < count) {
			memcpy(text + len, list[to].hex, SHA256_HEX_SIZE - 1);
			len += SHA256_HEX_SIZE - 1;
			i++;
		} else {
			text[len++] = (char)d->at[i];
		}
	}
	sha256_begin(&s);
	sha256_add(&s, text, len);
	sha256_end(&s, d->hex);
	if (n)
		snprintf(name, sizeof(name), "blobs/sha256/%s", d->hex);
	else if (len && text[0] == '[')
		snprintf(name, sizeof(name), "manifest.json");
	maketar_add(mt, TAR_FILE, name, "", text, len);
	free(text);
}

static void pick(const struct store *store, bool is_32bit)
{
	struct manifest m = {0};
	struct err err = {0};
	int rc = manifest_pick(&m, store, is_32bit, &err);
	insist((rc == 0) == (err.msg[0] == '\0'));
	if (rc)
		return;
	insist(m.count <= MANIFEST_LAYERS_MAX && strlen(m.hex) == SHA256_HEX_SIZE - 1);
	for (unsigned i = 0; i < m.count; i++) {
		struct blob blob;
		insist(strlen(m.layers[i].hex) == SHA256_HEX_SIZE - 1);
		if (store_find(store, m.layers[i].name, &blob) == 0)
			blob_close(&blob);
	}
	manifest_clear(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct document list[DOCUMENTS];
	struct maketar mt = {0};
	struct store *store;
	struct err err = {0};
	char path[32];
	unsigned count = cut(data, size, list);
	for (unsigned n = count; n-- > 0;)
		put(&mt, list, count, n);
	int fd = fuzzfile(mt.data, mt.len);
	free(mt.data);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (store_open(&store, path, "/tmp", &err) != 0)
		return 0;
	pick(store, false);
	pick(store, true);
	store_close(store);
	return 0;
}
