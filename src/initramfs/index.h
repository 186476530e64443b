/* What depmod and the kernel's build say of a kernel's modules (private to src/initramfs). */
#ifndef INITRAMFS_INDEX_H
#define INITRAMFS_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/**
 * struct index_text - a text file of a modules directory
 * @buf: its contents and a NUL; NULL when there is no such file
 */
struct index_text {
	char *buf;
	size_t len;
};

/**
 * struct index_module - one line of modules.dep
 * @path: as it stands there, relative to the directory; NUL-terminated
 * @hash: of its name
 * @deps: the paths of what it needs, separated by blanks
 * @is_seen: for who walks through them
 */
struct index_module {
	const char *path;
	const char *deps;
	uint32_t hash;
	bool is_seen;
};

/**
 * struct index - the files
 * @modules: @count, in the order of modules.dep
 */
struct index {
	struct index_text dep, builtin, softdep, alias;
	struct index_module *modules;
	size_t count;
};

/* Return: 0, -ENOENT when there is no modules.dep, -errno; with a sentence. */
int index_open(struct index *ix, const char *dir, struct err *err)
	__attribute__((warn_unused_result));
void index_close(struct index *ix);

/* Room for a module's name, and its NUL. */
#define INDEX_NAME_MAX 256

/* "kernel/fs/a-b.ko.xz" to "a_b". Return: false when it does not fit. */
bool index_name(const char *path, size_t len, char ret_name[INDEX_NAME_MAX]);

/* Names with - or _ alike. Return: NULL when it is no module. */
struct index_module *index_find(const struct index *ix, const char *name);
bool index_is_builtin(const struct index *ix, const char *name);

/**
 * index_next() - walk through the lines "@word @name VALUE" of modules.softdep or modules.alias
 * @cursor: NULL at first
 * Return: VALUE, @ret_len bytes of it; NULL when there are no more.
 */
const char *index_next(const struct index_text *text, const char *word, const char *name,
		       const char **cursor, size_t *ret_len);

#endif
