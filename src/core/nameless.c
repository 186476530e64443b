/* Files without a name: O_TMPFILE, or a name that is removed at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <tinyvm/nameless.h>
#include <unistd.h>

int nameless_open(const char *dir, int flags)
{
	char *path;
	int fd = open(dir, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC | flags, 0600);
	if (fd >= 0)
		return fd;
	if (asprintf(&path, "%s/.tinyvm-XXXXXX", dir) < 0)
		return -ENOMEM;
	fd = mkostemp(path, O_CLOEXEC | flags);
	int error = -errno;
	if (fd >= 0)
		unlink(path);
	free(path);
	return fd >= 0 ? fd : error;
}
