/*
 * The text files of a modules directory: modules.dep(5), modules.builtin, modules.softdep and
 * modules.alias. The binary twins of them that kmod prefers are left alone: these are read once.
 *
 * Aliases are compared as plain words. Those with wildcards are for devices that turn up, and no
 * module asks for another one by such a name.
 */
#include "index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <unistd.h>

#define TEXT_MAX (64 << 20) /* the largest today have 3 MiB */

/* Return: 0 or -errno. */
static int index_read_fd(int fd, struct index_text *ret)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > TEXT_MAX)
		return -EINVAL;
	size_t size = (size_t)st.st_size, len = 0;
	char *buf = malloc(size + 1);
	if (!buf)
		return -ENOMEM;
	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int rc = -errno;
			free(buf);
			return rc;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	*ret = (struct index_text){buf, len};
	return 0;
}

static int index_read(const char *dir, const char *name, struct index_text *ret, struct err *err)
{
	char path[4096];
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return err_set(err, -ENAMETOOLONG, "the modules directory '%s' has too long a name",
			       dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int rc = fd < 0 ? -errno : index_read_fd(fd, ret);
	if (fd >= 0)
		close(fd);
	if (rc == -ENOENT)
		return rc;
	return rc ? err_set(err, rc, "'%s' cannot be read: %s", path, strerror(-rc)) : 0;
}

bool index_name(const char *path, size_t len, char ret_name[INDEX_NAME_MAX])
{
	const char *slash = memrchr(path, '/', len);
	const char *base = slash ? slash + 1 : path;
	size_t base_len = len - (size_t)(base - path);
	const char *dot = memchr(base, '.', base_len);
	size_t n = dot ? (size_t)(dot - base) : base_len;
	if (n >= INDEX_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		ret_name[i] = base[i] == '-' ? '_' : base[i];
	ret_name[n] = '\0';
	return true;
}

/* FNV-1a of a name that index_name() made. */
static uint32_t index_hash(const char *name)
{
	uint32_t hash = 2166136261u;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash;
}

/* Cuts modules.dep into its lines "PATH: DEP DEP...". */
static int index_cut(struct index *ix)
{
	size_t lines = 1;
	for (size_t i = 0; i < ix->dep.len; i++)
		lines += ix->dep.buf[i] == '\n';
	ix->modules = calloc(lines, sizeof(*ix->modules));
	if (!ix->modules)
		return -ENOMEM;
	char *save = NULL;
	for (char *line = strtok_r(ix->dep.buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line, ':');
		if (!colon)
			continue;
		char name[INDEX_NAME_MAX];
		if (!index_name(line, (size_t)(colon - line), name))
			continue;
		*colon = '\0';
		ix->modules[ix->count++] = (struct index_module){
			.path = line,
			.deps = colon + 1 + strspn(colon + 1, " "),
			.hash = index_hash(name),
		};
	}
	return 0;
}

int index_open(struct index *ix, const char *dir, struct err *err)
{
	struct stat st;
	memset(ix, 0, sizeof(*ix));
	if (stat(dir, &st) < 0)
		return err_set(err, -errno, "there are no modules in '%s': %s", dir,
			       strerror(errno));
	int rc = index_read(dir, "modules.dep", &ix->dep, err);
	if (rc == -ENOENT)
		err_set(err, rc, "'%s' has no modules.dep, which depmod makes", dir);
	static const char *const names[] = {"modules.builtin", "modules.softdep", "modules.alias"};
	struct index_text *texts[] = {&ix->builtin, &ix->softdep, &ix->alias};
	for (unsigned i = 0; i < 3 && !rc; i++) {
		rc = index_read(dir, names[i], texts[i], err);
		if (rc == -ENOENT)
			rc = 0;
	}
	if (!rc && index_cut(ix) != 0)
		rc = err_set(err, -ENOMEM, "there is not enough memory to look for modules");
	if (rc)
		index_close(ix);
	return rc;
}

void index_close(struct index *ix)
{
	free(ix->dep.buf);
	free(ix->builtin.buf);
	free(ix->softdep.buf);
	free(ix->alias.buf);
	free(ix->modules);
	memset(ix, 0, sizeof(*ix));
}

struct index_module *index_find(const struct index *ix, const char *name)
{
	char wanted[INDEX_NAME_MAX], found[INDEX_NAME_MAX];
	if (!index_name(name, strlen(name), wanted))
		return NULL;
	uint32_t hash = index_hash(wanted);
	for (size_t i = 0; i < ix->count; i++) {
		struct index_module *m = &ix->modules[i];
		if (m->hash == hash && index_name(m->path, strlen(m->path), found) &&
		    strcmp(found, wanted) == 0)
			return m;
	}
	return NULL;
}

bool index_is_builtin(const struct index *ix, const char *name)
{
	char wanted[INDEX_NAME_MAX], found[INDEX_NAME_MAX];
	if (!ix->builtin.buf || !index_name(name, strlen(name), wanted))
		return false;
	for (const char *line = ix->builtin.buf; *line;) {
		size_t len = strcspn(line, "\n");
		if (index_name(line, len, found) && strcmp(found, wanted) == 0)
			return true;
		line += len + (line[len] == '\n');
	}
	return false;
}

/* Whether the word at @at, which ends in a blank, is @name, with - or _ alike. */
static bool index_is_word(const char *at, const char *name)
{
	for (; *name; at++, name++) {
		char a = *at == '-' ? '_' : *at, b = *name == '-' ? '_' : *name;
		if (a != b)
			return false;
	}
	return *at == ' ';
}

const char *index_next(const struct index_text *text, const char *word, const char *name,
		       const char **cursor, size_t *ret_len)
{
	size_t word_len = strlen(word);
	const char *line = *cursor ? *cursor : text->buf;
	while (line && *line) {
		size_t len = strcspn(line, "\n");
		const char *next = line + len + (line[len] == '\n'), *key = line + word_len + 1;
		if (strncmp(line, word, word_len) == 0 && line[word_len] == ' ' &&
		    index_is_word(key, name)) {
			const char *value = key + strlen(name) + 1;
			*cursor = next;
			*ret_len = (size_t)(line + len - value);
			return value;
		}
		line = next;
	}
	return NULL;
}
