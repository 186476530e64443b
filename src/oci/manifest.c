/*
 * From an index to an image (OCI image specification 1.1, "Image Index", "Image Manifest", "Image
 * Configuration"), or from docker save's manifest.json. Of several images the one for the guest's
 * processor is taken; everything is named by its SHA-256, and read only if it has it.
 *
 * Left out on purpose: other digests than SHA-256, layers that lie elsewhere (urls), signatures.
 */
#include "manifest.h"

#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/err.h>

#define DOCUMENTS_MAX 256
#define DIGEST_PREFIX "sha256:"

/**
 * struct pick - a choice
 * @best:  so far, of the rank @rank; 0 for none
 * @is_ambiguous: there is another as good
 * @documents: read so far
 * @indexes: of them the @index_count that are indexes, which may lead to each other
 * @other: a platform that there is an image for, "" for none
 */
struct pick {
	const struct store *store;
	bool is_32bit;
	struct manifest best;
	unsigned rank;
	bool is_ambiguous;
	unsigned documents;
	struct json *indexes[DOCUMENTS_MAX];
	unsigned index_count;
	char other[64];
	struct err *err;
};

void manifest_clear(struct manifest *m)
{
	for (unsigned i = 0; i < m->count; i++)
		free(m->layers[i].name);
	free(m->layers);
	json_destroy(m->config);
	*m = (struct manifest){0};
}

/* The platform that @value, of an index or a configuration, names. 0: it does not fit. */
static unsigned pick_rank(struct pick *p, const struct json_value *value)
{
	const char *os = json_text(value, "os", ""), *arch = json_text(value, "architecture", "");
	bool is_linux = strcmp(os, "linux") == 0;
	if (is_linux && strcmp(arch, "amd64") == 0 && !p->is_32bit)
		return 2;
	if (is_linux && strcmp(arch, "386") == 0)
		return 1;
	if (strcmp(os, "unknown") != 0) /* what goes with images, such as attestations */
		snprintf(p->other, sizeof(p->other), "%.30s/%.30s", *os ? os : "?",
			 *arch ? arch : "?");
	return 0;
}

/* The digits of a digest; NULL when it is of another kind, with a sentence. */
static const char *pick_hex(struct pick *p, const char *digest)
{
	size_t len = strlen(DIGEST_PREFIX);
	const char *hex = digest + len;
	if (strncmp(digest, DIGEST_PREFIX, len) == 0 && strlen(hex) == SHA256_HEX_SIZE - 1 &&
	    strspn(hex, "0123456789abcdef") == SHA256_HEX_SIZE - 1)
		return hex;
	err_set(p->err, -EOPNOTSUPP, "the digest '%.100s' in it is none of SHA-256", digest);
	return NULL;
}

static char *pick_blob_name(const char *hex)
{
	char *name;
	return asprintf(&name, "blobs/sha256/%s", hex) < 0 ? NULL : name;
}

static int pick_no_memory(struct pick *p)
{
	err_set(p->err, -ENOMEM, "there is not enough memory");
	return -ENOMEM;
}

static int pick_read(struct pick *p, const char *name, const char *hex, struct json **ret_json)
{
	if (p->documents++ == DOCUMENTS_MAX) {
		err_set(p->err, -E2BIG, "it has more than %d manifests", DOCUMENTS_MAX);
		return -E2BIG;
	}
	return store_read_json(p->store, name, hex, ret_json, p->err);
}

/* What @descriptor describes. */
static int pick_read_described(struct pick *p, const struct json_value *descriptor,
			       struct json **ret_json)
{
	const char *hex = pick_hex(p, json_text(descriptor, "digest", ""));
	if (!hex)
		return -EOPNOTSUPP;
	char *name = pick_blob_name(hex);
	int rc = name ? pick_read(p, name, hex, ret_json) : pick_no_memory(p);
	free(name);
	return rc;
}

/* Takes @m over. */
static void pick_consider(struct pick *p, struct manifest *m)
{
	unsigned rank = pick_rank(p, json_root(m->config));
	if (rank && rank == p->rank && strcmp(m->hex, p->best.hex) != 0)
		p->is_ambiguous = true;
	if (rank <= p->rank) {
		manifest_clear(m);
		return;
	}
	manifest_clear(&p->best);
	p->best = *m;
	p->rank = rank;
	p->is_ambiguous = false;
}

/* Layers */

static const struct json_value *pick_sums(const struct manifest *m)
{
	const struct json_value *rootfs = json_get(json_root(m->config), "rootfs", JSON_OBJECT);
	return json_get(rootfs, "diff_ids", JSON_ARRAY);
}

static int pick_alloc_layers(struct pick *p, struct manifest *m, const struct json_value *layers)
{
	unsigned count = layers ? layers->count : 0;
	const struct json_value *sums = pick_sums(m);
	if (count > MANIFEST_LAYERS_MAX) {
		err_set(p->err, -E2BIG, "it has more than %d layers", MANIFEST_LAYERS_MAX);
		return -E2BIG;
	}
	if (!layers || !sums || sums->count != count) {
		err_set(p->err, -EINVAL,
			"its manifest and its configuration disagree about its layers");
		return -EINVAL;
	}
	m->layers = calloc(count ? count : 1, sizeof(m->layers[0]));
	return m->layers ? 0 : pick_no_memory(p);
}

static bool pick_is_layer_type(const char *type)
{
	static const char *const types[] = {
		"",
		"application/vnd.oci.image.layer.v1.tar",
		"application/vnd.oci.image.layer.v1.tar+gzip",
		"application/vnd.oci.image.layer.v1.tar+zstd",
		"application/vnd.oci.image.layer.nondistributable.v1.tar",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar.zstd",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
	};
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

static int pick_layers(struct pick *p, struct manifest *m, const struct json_value *layers)
{
	int rc = pick_alloc_layers(p, m, layers);
	if (rc)
		return rc;
	for (const struct json_value *v = layers->first; v; v = v->next) {
		const char *type = json_text(v, "mediaType", "");
		const struct json_value *size = json_get(v, "size", JSON_NUMBER);
		const char *hex = pick_hex(p, json_text(v, "digest", ""));
		if (!hex)
			return -EOPNOTSUPP;
		if (!pick_is_layer_type(type))
			return err_set(p->err, -EOPNOTSUPP,
				       "layer %u is of the media type %.100s, which is no archive "
				       "of files that tinyvm can read",
				       m->count + 1, type);
		struct manifest_layer *layer = &m->layers[m->count];
		memcpy(layer->hex, hex, sizeof(layer->hex));
		layer->has_size = size && size->is_natural;
		layer->size = layer->has_size ? size->number : 0;
		layer->name = pick_blob_name(hex);
		if (!layer->name)
			return pick_no_memory(p);
		m->count++;
	}
	return 0;
}

static int pick_docker_layers(struct pick *p, struct manifest *m, const struct json_value *layers)
{
	int rc = pick_alloc_layers(p, m, layers);
	if (rc)
		return rc;
	const struct json_value *sum = pick_sums(m)->first;
	for (const struct json_value *v = layers->first; v; v = v->next, sum = sum->next) {
		const char *hex = pick_hex(p, sum->type == JSON_STRING ? sum->text : "");
		if (!hex)
			return -EOPNOTSUPP;
		if (v->type != JSON_STRING)
			return err_set(p->err, -EINVAL, "its manifest.json makes no sense");
		struct manifest_layer *layer = &m->layers[m->count];
		memcpy(layer->hex, hex, sizeof(layer->hex));
		layer->is_unpacked_sum = true;
		layer->name = strdup(v->text);
		if (!layer->name)
			return pick_no_memory(p);
		m->count++;
	}
	return 0;
}

/* Indexes and manifests */

static int pick_manifest(struct pick *p, const struct json_value *doc)
{
	struct manifest m = {0};
	const struct json_value *config = json_get(doc, "config", JSON_OBJECT);
	int rc = pick_read_described(p, config, &m.config);
	if (!rc)
		rc = pick_layers(p, &m, json_get(doc, "layers", JSON_ARRAY));
	if (rc) {
		manifest_clear(&m);
		return rc;
	}
	snprintf(m.hex, sizeof(m.hex), "%s",
		 json_text(config, "digest", "") + strlen(DIGEST_PREFIX));
	pick_consider(p, &m);
	return 0;
}

/* What an index names; further indexes wait for their turn. */
static int pick_index(struct pick *p, const struct json_value *index)
{
	const struct json_value *list = json_get(index, "manifests", JSON_ARRAY);
	if (!list)
		return err_set(p->err, -EINVAL, "its index has no manifests");
	for (const struct json_value *v = list->first; v; v = v->next) {
		const struct json_value *platform = json_get(v, "platform", JSON_OBJECT);
		struct json *json = NULL;
		if (platform && !pick_rank(p, platform))
			continue;
		int rc = pick_read_described(p, v, &json);
		if (rc || !json)
			return rc;
		if (json_get(json_root(json), "layers", JSON_ARRAY)) {
			rc = pick_manifest(p, json_root(json));
			json_destroy(json);
		} else {
			p->indexes[p->index_count++] = json; /* no more than documents */
		}
		if (rc)
			return rc;
	}
	return 0;
}

static int pick_indexes(struct pick *p, struct json *first)
{
	int rc = 0;
	p->indexes[p->index_count++] = first;
	for (unsigned i = 0; !rc && i < p->index_count; i++)
		rc = pick_index(p, json_root(p->indexes[i]));
	for (unsigned i = 0; i < p->index_count; i++)
		json_destroy(p->indexes[i]);
	return rc;
}

/* The SHA-256 in a name such as "HEX.json" or "blobs/sha256/HEX"; false for none. */
static bool pick_hex_of_name(const char *name, char ret_hex[SHA256_HEX_SIZE])
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	if (strspn(base, "0123456789abcdef") != SHA256_HEX_SIZE - 1)
		return false;
	memcpy(ret_hex, base, SHA256_HEX_SIZE - 1);
	ret_hex[SHA256_HEX_SIZE - 1] = '\0';
	return true;
}

static int pick_docker(struct pick *p, const struct json_value *doc)
{
	if (doc->type != JSON_ARRAY)
		return err_set(p->err, -EINVAL, "its manifest.json makes no sense");
	for (const struct json_value *v = doc->first; v; v = v->next) {
		struct manifest m = {0};
		const char *config = json_text(v, "Config", "");
		if (!pick_hex_of_name(config, m.hex))
			return err_set(p->err, -EINVAL,
				       "its manifest.json names a configuration without a "
				       "SHA-256: '%.80s'",
				       config);
		int rc = pick_read(p, config, m.hex, &m.config);
		if (!rc)
			rc = pick_docker_layers(p, &m, json_get(v, "Layers", JSON_ARRAY));
		if (rc) {
			manifest_clear(&m);
			return rc;
		}
		pick_consider(p, &m);
	}
	return 0;
}

static bool pick_has(const struct store *store, const char *name)
{
	struct blob blob;
	if (store_find(store, name, &blob) != 0)
		return false;
	blob_close(&blob);
	return true;
}

static int pick_all(struct pick *p)
{
	bool is_layout = pick_has(p->store, "index.json");
	struct json *json;
	if (!is_layout && !pick_has(p->store, "manifest.json"))
		return err_set(p->err, -EINVAL,
			       "it is no container image: it has neither the index.json of an OCI "
			       "image layout nor the manifest.json of docker save");
	int rc = pick_read(p, is_layout ? "index.json" : "manifest.json", NULL, &json);
	if (rc)
		return rc;
	if (is_layout)
		return pick_indexes(p, json);
	rc = pick_docker(p, json_root(json));
	json_destroy(json);
	return rc;
}

int manifest_pick(struct manifest *ret_manifest, const struct store *store, bool is_32bit,
		  struct err *err)
{
	struct pick p = {.store = store, .is_32bit = is_32bit, .err = err};
	int rc = pick_all(&p);
	if (!rc && !p.rank)
		rc = err_set(err, -ENOENT, "it has no image for linux/%s%s%s",
			     is_32bit ? "386" : "amd64", *p.other ? ", but one for " : "", p.other);
	if (!rc && p.is_ambiguous)
		rc = err_set(err, -ENOTUNIQ,
			     "it has more than one image for linux/%s; save just one",
			     p.rank == 2 ? "amd64" : "386");
	if (rc) {
		manifest_clear(&p.best);
		return rc;
	}
	*ret_manifest = p.best;
	return 0;
}
