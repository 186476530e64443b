/* Container images for tests: files by name, as a directory or as one tarball. */
#ifndef IMAGEKIT_H
#define IMAGEKIT_H

#include "maketar.h"
#include "sha256.h"
#include "test.h"

#include <dirent.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIT_LAYERS 8

/**
 * struct kit - an image in the making, below the directory @dir
 * @layers, @sums: JSON's lists of what kit_layer() got: descriptors, and digests unpacked
 * @names:  JSON's list of their names, as docker save has it
 */
struct kit {
	char dir[64];
	char layers[4096], sums[4096], names[4096];
	unsigned count;
};

static struct kit kit;

__attribute__((format(printf, 1, 2))) static const char *kit_text(const char *fmt, ...)
{
	static char ring[64][16384];
	static unsigned turn;
	char *text = ring[turn++ % 64];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(ring[0]), fmt, args);
	va_end(args);
	return text;
}

static const char *kit_path(const char *name)
{
	return kit_text("%s/%s", kit.dir, name);
}

static void kit_write(const char *name, const void *data, size_t len)
{
	FILE *out = fopen(kit_path(name), "w");
	if (!out || fwrite(data, 1, len, out) != len || fclose(out) != 0)
		abort();
}

static void kit_write_text(const char *name, const char *text)
{
	kit_write(name, text, strlen(text));
}

static const char *kit_sum(const void *data, size_t len)
{
	static char ring[8][SHA256_HEX_SIZE];
	static unsigned turn;
	char *hex = ring[turn++ % 8];
	struct sha256 s;
	sha256_begin(&s);
	sha256_add(&s, data, len);
	sha256_end(&s, hex);
	return hex;
}

/* Return: its digits. */
static const char *kit_blob(const void *data, size_t len)
{
	const char *hex = kit_sum(data, len);
	kit_write(kit_text("layout/blobs/sha256/%s", hex), data, len);
	return hex;
}

static void kit_begin(void)
{
	kit = (struct kit){.dir = "/tmp/tinyvm-oci-XXXXXX"};
	if (!mkdtemp(kit.dir) || mkdir(kit_path("layout"), 0755) != 0 ||
	    mkdir(kit_path("layout/blobs"), 0755) != 0 ||
	    mkdir(kit_path("layout/blobs/sha256"), 0755) != 0)
		abort();
	kit_write_text("layout/oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
}

static void kit_end(void)
{
	const char *command = kit_text("rm -rf '%s'", kit.dir);
	if (system(command) != 0) /* NOLINT(cert-env33-c): a name of our own making */
		abort();
}

/* Adds a layer of the kind @type (what follows "...layer.v1."), packed as @packed or NULL. */
static void kit_layer_as(struct maketar *mt, const char *type, const void *packed, size_t len)
{
	const char *sum = kit_sum(mt->data, mt->len);
	const char *hex = packed ? kit_blob(packed, len) : kit_blob(mt->data, mt->len);
	const char *comma = kit.count ? "," : "";
	size_t at = strlen(kit.layers);
	snprintf(kit.layers + at, sizeof(kit.layers) - at,
		 "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.%s\",\"digest\":\"sha256:"
		 "%s\",\"size\":%zu}",
		 comma, type, hex, packed ? len : mt->len);
	at = strlen(kit.sums);
	snprintf(kit.sums + at, sizeof(kit.sums) - at, "%s\"sha256:%s\"", comma, sum);
	at = strlen(kit.names);
	snprintf(kit.names + at, sizeof(kit.names) - at, "%s\"blobs/sha256/%s\"", comma, hex);
	kit.count++;
	free(mt->data);
	*mt = (struct maketar){0};
}

static void kit_layer(struct maketar *mt)
{
	maketar_end(mt);
	kit_layer_as(mt, "tar", NULL, 0);
}

/* The configuration for @arch, with @more in it. Return: its digits. */
static const char *kit_config(const char *arch, const char *more)
{
	const char *text = kit_text("{\"os\":\"linux\",\"architecture\":\"%s\",%s\"rootfs\":{"
				    "\"type\":\"layers\",\"diff_ids\":[%s]}}",
				    arch, more, kit.sums);
	return kit_blob(text, strlen(text));
}

/* A manifest. Return: a descriptor of it, with @more in it. */
static const char *kit_manifest(const char *config, const char *more)
{
	const char *text = kit_text("{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:%s\"},"
				    "\"layers\":[%s]}",
				    config, kit.layers);
	const char *hex = kit_blob(text, strlen(text));
	return kit_text("{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
			"\"digest\":\"sha256:%s\"%s}",
			hex, more);
}

static void kit_index(const char *descriptors)
{
	kit_write_text("layout/index.json", kit_text("{\"manifests\":[%s]}", descriptors));
}

/* All of it, for amd64. */
static void kit_finish(const char *more)
{
	kit_index(kit_manifest(kit_config("amd64", more), ""));
}

/* The same as a tarball of docker save, old style; blobs are those of the layout. */
static void kit_docker(const char *name, const char *config_hex)
{
	const char *command = kit_text(
		"cd '%s/layout' && printf '%%s' "
		"'[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":[\"a:b\"],\"Layers\":[%s]}]' "
		">manifest.json && tar -cf '../%s' manifest.json blobs && rm manifest.json",
		kit.dir, config_hex, kit.names, name);
	if (system(command) != 0) /* NOLINT(cert-env33-c): a name of our own making */
		abort();
}

#endif
