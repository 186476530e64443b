/*
 * Files with results, written beside their name and renamed: a program that looks for one sees all
 * of it or what was there before, and a disk that is full costs no old results. The file has no
 * name while it is written, where the filesystem can do that, so that nothing is left behind by a
 * process that is killed meanwhile.
 */
#include "result_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tinyvm/err.h>
#include <unistd.h>

#define NAME_TRIES 100

/**
 * struct result_file - one that is being written
 * @path: with symbolic links followed, to be freed
 * @dir:  that it is in, to be freed
 * @mode: it is to have
 * @temp: its name for the time being, to be freed; NULL for none
 */
struct result_file {
	char *path;
	char *dir;
	mode_t mode;
	int fd;
	char *temp;
};

/* Return: 0 or -errno. */
static int result_file_find(struct result_file *f, const char *path)
{
	struct stat st;
	mode_t mask = umask(0);
	umask(mask);
	*f = (struct result_file){.fd = -1, .mode = 0666 & ~mask};
	f->path = realpath(path, NULL);
	if (f->path && stat(f->path, &st) == 0)
		f->mode = st.st_mode & 0777;
	else if (!f->path)
		f->path = strdup(path);
	char *copy = f->path ? strdup(f->path) : NULL;
	f->dir = copy ? strdup(dirname(copy)) : NULL;
	free(copy);
	return f->dir ? 0 : -ENOMEM;
}

static bool result_file_is_special(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static int result_file_error(const char *option, const char *path, int error, struct err *err)
{
	return err_set(err, error, "--%s %.300s: it cannot be written: %s", option, path,
		       strerror(-error));
}

int result_file_check(const char *option, const char *path, struct err *err)
{
	struct result_file f;
	struct stat st;
	int error = result_file_find(&f, path);
	if (!error && result_file_is_special(path))
		error = access(path, W_OK) == 0 ? 0 : -errno;
	else if (!error && stat(f.dir, &st) == 0 && !S_ISDIR(st.st_mode))
		error = -ENOTDIR;
	else if (!error && access(f.dir, W_OK | X_OK) != 0)
		error = -errno;
	else if (!error && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		error = -EISDIR;
	free(f.path);
	free(f.dir);
	return error ? result_file_error(option, path, error, err) : 0;
}

/* Makes a file of the name f->temp, a new one or the one that is open. Return: 0 or -errno. */
static int result_file_link(struct result_file *f)
{
	char fd_path[32];
	if (f->fd < 0) {
		f->fd = open(f->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		return f->fd < 0 ? -errno : 0;
	}
	snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", f->fd);
	return linkat(AT_FDCWD, fd_path, AT_FDCWD, f->temp, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
}

/* The same under a name that nobody has, which is left in f->temp. */
static int result_file_name(struct result_file *f)
{
	int error = -EEXIST;
	for (unsigned i = 0; i < NAME_TRIES && error == -EEXIST; i++) {
		char *temp;
		if (asprintf(&temp, "%s.%d-%u", f->path, getpid(), i) < 0)
			return -ENOMEM;
		f->temp = temp;
		error = result_file_link(f);
		if (error) {
			f->temp = NULL;
			free(temp);
		}
	}
	return error;
}

static int result_file_open(struct result_file *f)
{
	f->fd = open(f->dir, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	return f->fd < 0 ? result_file_name(f) : 0;
}

/* Return: 0 or -errno, with @fd closed. */
static int result_file_fill(int fd, bool is_synced, void (*write)(FILE *out, const void *ctx),
			    const void *ctx)
{
	FILE *out = fdopen(fd, "w");
	if (!out) {
		int error = -errno;
		close(fd);
		return error;
	}
	errno = 0;
	write(out, ctx);
	int error = fflush(out) != 0 || ferror(out) ? (errno ? -errno : -EIO) : 0;
	if (!error && is_synced && fsync(fd) != 0)
		error = -errno;
	if (fclose(out) != 0 && !error)
		error = -errno;
	return error;
}

static int result_file_replace(const char *path, void (*write)(FILE *out, const void *ctx),
			       const void *ctx)
{
	struct result_file f;
	int error = result_file_find(&f, path);
	if (!error)
		error = result_file_open(&f);
	if (!error) {
		int fd = fcntl(f.fd, F_DUPFD_CLOEXEC, 0); /* the stream closes its own */
		error = fd < 0 ? -errno : result_file_fill(fd, true, write, ctx);
	}
	if (!error && fchmod(f.fd, f.mode) != 0)
		error = -errno;
	if (!error && !f.temp)
		error = result_file_name(&f);
	if (!error && rename(f.temp, f.path) != 0)
		error = -errno;
	if (error && f.temp)
		unlink(f.temp);
	if (f.fd >= 0)
		close(f.fd);
	free(f.temp);
	free(f.path);
	free(f.dir);
	return error;
}

int result_file_write(const char *option, const char *path,
		      void (*write)(FILE *out, const void *ctx), const void *ctx, struct err *err)
{
	int error;
	if (result_file_is_special(path)) {
		int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		error = fd < 0 ? -errno : result_file_fill(fd, false, write, ctx);
	} else {
		error = result_file_replace(path, write, ctx);
	}
	return error ? result_file_error(option, path, error, err) : 0;
}
