/*
 * A directory where results are kept between runs ($XDG_CACHE_HOME/tinyvm): private to the user,
 * files that appear complete or not at all, the longest unused go first.
 */
#ifndef TINYVM_KEEP_H
#define TINYVM_KEEP_H

#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>

#define KEEP_NAME_MAX 80
#define KEEP_MAX      16 /* files of one kind, at most */

/**
 * keep_open() - open the directory, made if needed
 *
 * Return: a descriptor; -errno when it cannot be had or is not private to this user (it must be
 * owned by the effective user and writable by nobody else).
 */
int keep_open(const char *dir) __attribute__((warn_unused_result));

/* Whether only this user can have written it. */
bool keep_is_private(const struct stat *st);

/* Whether a file has been left alone for so long that another write to it shows in its times. */
bool keep_is_settled(const struct stat *st);

/**
 * keep_begin() - a new file, under a name for the time being
 * keep_end() - give it its name, once its contents are on the disk; or remove it when @rc is not 0
 * Return: keep_begin(): a descriptor, which stays the caller's; -errno. keep_end(): @rc, 0 or
 * -errno.
 */
int keep_begin(int dirfd, char ret_tmp[KEEP_NAME_MAX]) __attribute__((warn_unused_result));
int keep_end(int dirfd, int fd, const char *tmp, const char *name, int rc)
	__attribute__((warn_unused_result));

/* What is in the directory, from its beginning, for closedir(); NULL when it cannot be read. */
DIR *keep_list(int dirfd) __attribute__((warn_unused_result));

/*
 * Removes all but the @max (up to KEEP_MAX) files of a prefix that were used last, by their time of
 * modification; and what killed runs left half written.
 */
void keep_evict(int dirfd, const char *prefix, unsigned max);

#endif
