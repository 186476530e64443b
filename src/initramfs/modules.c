/*
 * Which modules to pack: those wanted, what they depend on before them, and their soft
 * dependencies around them, each once. Soft ones are packed when they are there: filesystems ask
 * the kernel for their checksums that way, and only by the name of an algorithm, which is an alias.
 *
 * Unpacking them takes tens of milliseconds, so what was unpacked is kept (bundle.c).
 *
 * Configuration of the host (modprobe.d) has no say: it is about the host's own devices.
 */
#include "bundle.h"
#include "index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <tinyvm/initramfs.h>
#include <tinyvm/unpack.h>
#include <unistd.h>

#define MODULE_SIZE_MAX (256u << 20)
#define TOOL_STALL_MS	20000

/* A module whose turn comes: to see what goes before and after it, or (@is_file) to be packed. */
struct task {
	struct index_module *module;
	bool is_file;
};

/**
 * struct packer - a walk along the dependencies
 * @tasks: @count of them, the last one comes next
 * @files: the modules to pack, in order, @file_count of them
 */
struct packer {
	struct initramfs *ia;
	const char *dir;
	struct index ix;
	struct err *err;
	struct task *tasks;
	size_t count, room;
	struct bundle_file *files;
	size_t file_count, file_room;
};

static int packer_no_memory(struct packer *p)
{
	return err_set(p->err, -ENOMEM, "there is not enough memory for modules");
}

/* Return: 0 with the module's bytes, -errno with a sentence. */
static int module_unpack(int fd, struct bundle_file *f, struct err *err)
{
	struct stat st;
	uint8_t head[8];
	char why[UNPACK_WHY_MAX];
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "module '%s' cannot be read: %s", f->path,
			       strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size > MODULE_SIZE_MAX ||
	    pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return err_set(err, -EINVAL, "module '%s' is no module", f->path);

	uint64_t size = (uint64_t)st.st_size;
	const struct unpack_input in = {
		.fd = fd,
		.len = size,
		.format = unpack_identify(head, sizeof(head)),
		.stall_ms = TOOL_STALL_MS,
	};
	if (in.format) {
		int rc = unpack_all(&in, MODULE_SIZE_MAX, &f->data, &f->size, why);
		f->is_packed = true;
		return rc ? err_set(err, rc, "module '%s' cannot be unpacked because %s", f->path,
				    why)
			  : 0;
	}
	f->data = malloc(size);
	while (f->data && f->size < size) {
		ssize_t n = pread(fd, f->data + f->size, size - f->size, (off_t)f->size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		f->size += (uint64_t)n;
	}
	if (!f->data || f->size < size)
		return err_set(err, f->data ? -EIO : -ENOMEM, "module '%s' cannot be read",
			       f->path);
	return 0;
}

/* The module is the next one to be packed. */
static int packer_add_file(struct packer *p, const struct index_module *m)
{
	bool is_absolute = m->path[0] == '/'; /* old depmods wrote those */
	if (p->file_count == p->file_room) {
		size_t room = p->file_room ? p->file_room * 2 : 32;
		struct bundle_file *files = realloc(p->files, room * sizeof(*files));
		if (!files)
			return packer_no_memory(p);
		p->files = files;
		p->file_room = room;
	}
	struct bundle_file f = {.module = m};
	if (asprintf(&f.path, "%s%s%s", is_absolute ? "" : p->dir, is_absolute ? "" : "/",
		     m->path) < 0)
		return packer_no_memory(p);
	p->files[p->file_count++] = f;
	return 0;
}

/* Reads and unpacks them all. */
static int packer_read_files(struct packer *p)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < p->file_count; i++) {
		struct bundle_file *f = &p->files[i];
		int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd < 0)
			return err_set(p->err, -errno, "module '%s' cannot be opened: %s", f->path,
				       strerror(errno));
		rc = module_unpack(fd, f, p->err);
		close(fd);
	}
	return rc;
}

static int packer_pack_files(struct packer *p)
{
	char name[INDEX_NAME_MAX] = "", packed[INDEX_NAME_MAX + 16];
	int rc = 0;
	for (size_t i = 0; !rc && i < p->file_count; i++) {
		const struct bundle_file *f = &p->files[i];
		index_name(f->module->path, strlen(f->module->path), name);
		snprintf(packed, sizeof(packed), "lib/%s.ko", name);
		rc = initramfs_add(p->ia, packed, S_IFREG | 0644, f->data, f->size);
		if (!rc)
			rc = initramfs_set(p->ia, "module", packed);
		if (rc)
			err_set(p->err, rc, "module '%s' cannot be packed: %s", f->path,
				strerror(-rc));
	}
	return rc;
}

/* All files, from what was kept or from themselves. */
static int packer_finish(struct packer *p, const char *cache_dir)
{
	struct bundle bundle = {.files = p->files, .count = p->file_count};
	bool is_kept = cache_dir && bundle_load(&bundle, cache_dir);
	int rc = is_kept ? 0 : packer_read_files(p);
	if (!rc)
		rc = packer_pack_files(p);
	if (!rc && cache_dir && !is_kept)
		bundle_store(&bundle, cache_dir);
	return rc;
}

static void packer_free(struct packer *p)
{
	for (size_t i = 0; i < p->file_count; i++) {
		free(p->files[i].path);
		free(p->files[i].data);
	}
	free(p->files);
	free(p->tasks);
}

static int packer_push(struct packer *p, struct index_module *m, bool is_file)
{
	if (p->count == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		struct task *tasks = realloc(p->tasks, room * sizeof(*tasks));
		if (!tasks)
			return packer_no_memory(p);
		p->tasks = tasks;
		p->room = room;
	}
	p->tasks[p->count++] = (struct task){m, is_file};
	return 0;
}

/* A module by its name, or all that answer to an alias. */
static int packer_push_name(struct packer *p, const char *name, enum initramfs_found *ret_found)
{
	struct index_module *m = index_find(&p->ix, name);
	const char *cursor = NULL, *value;
	size_t len;
	*ret_found = INITRAMFS_PACKED;
	if (m)
		return packer_push(p, m, false);
	*ret_found = INITRAMFS_BUILTIN;
	if (index_is_builtin(&p->ix, name))
		return 0;
	*ret_found = INITRAMFS_MISSING;
	while ((value = index_next(&p->ix.alias, "alias", name, &cursor, &len))) {
		char real[INDEX_NAME_MAX];
		m = index_name(value, len, real) ? index_find(&p->ix, real) : NULL;
		int rc = m ? packer_push(p, m, false) : 0;
		if (rc)
			return rc;
		if (m)
			*ret_found = INITRAMFS_PACKED;
	}
	return 0;
}

/* Of a line "pre: NAME... post: NAME..." the names of one kind. */
static int packer_push_soft_line(struct packer *p, const char *line, size_t len, bool is_pre)
{
	bool is_ours = false;
	for (const char *word = line, *end = line + len; word < end; word++) {
		char name[INDEX_NAME_MAX];
		enum initramfs_found found;
		size_t n = strcspn(word, " \n");
		if (n == 4 && memcmp(word, "pre:", n) == 0) {
			is_ours = is_pre;
		} else if (n == 5 && memcmp(word, "post:", n) == 0) {
			is_ours = !is_pre;
		} else if (is_ours && n && index_name(word, n, name)) {
			int rc = packer_push_name(p, name, &found);
			if (rc)
				return rc;
		}
		word += n;
	}
	return 0;
}

static int packer_push_soft(struct packer *p, const char *name, bool is_pre)
{
	const char *cursor = NULL, *line;
	size_t len;
	int rc = 0;
	while (!rc && (line = index_next(&p->ix.softdep, "softdep", name, &cursor, &len)))
		rc = packer_push_soft_line(p, line, len, is_pre);
	return rc;
}

static int packer_push_needed(struct packer *p, const struct index_module *m)
{
	int rc = 0;
	for (const char *dep = m->deps; !rc && *dep;) {
		char name[INDEX_NAME_MAX];
		size_t len = strcspn(dep, " ");
		struct index_module *needed =
			index_name(dep, len, name) ? index_find(&p->ix, name) : NULL;
		if (!needed)
			return err_set(p->err, -ENOENT,
				       "module '%s' in '%s' needs %.*s, which is not there; has "
				       "depmod run?",
				       m->path, p->dir, (int)len, dep);
		rc = packer_push(p, needed, false);
		dep += len + strspn(dep + len, " ");
	}
	return rc;
}

/* What goes before a module, itself, and what goes after it. */
static int packer_expand(struct packer *p, struct index_module *m)
{
	char name[INDEX_NAME_MAX] = "";
	size_t from = p->count;
	index_name(m->path, strlen(m->path), name);
	int rc = packer_push_soft(p, name, true);
	if (!rc)
		rc = packer_push_needed(p, m);
	if (!rc)
		rc = packer_push(p, m, true);
	if (!rc)
		rc = packer_push_soft(p, name, false);
	for (size_t i = from, k = p->count; i + 1 < k; i++) { /* the first comes last, so next */
		struct task swap = p->tasks[i];
		p->tasks[i] = p->tasks[--k];
		p->tasks[k] = swap;
	}
	return rc;
}

/* Each module is looked at once, so circles end. */
static int packer_run(struct packer *p)
{
	int rc = 0;
	while (!rc && p->count) {
		struct task task = p->tasks[--p->count];
		if (task.is_file) {
			rc = packer_add_file(p, task.module);
		} else if (!task.module->is_seen) {
			task.module->is_seen = true;
			rc = packer_expand(p, task.module);
		}
	}
	return rc;
}

int initramfs_add_modules(struct initramfs *ia, const char *dir, const char *const *wanted,
			  unsigned count, const char *cache_dir, enum initramfs_found *ret_found,
			  struct err *err)
{
	struct packer p = {.ia = ia, .dir = dir, .err = err};
	int rc = index_open(&p.ix, dir, err);
	if (rc)
		return rc;
	for (unsigned i = 0; i < count && !rc; i++) {
		rc = packer_push_name(&p, wanted[i], &ret_found[i]);
		if (!rc)
			rc = packer_run(&p);
	}
	if (!rc)
		rc = packer_finish(&p, cache_dir);
	packer_free(&p);
	index_close(&p.ix);
	return rc;
}
