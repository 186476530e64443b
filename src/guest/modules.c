/* Loading the modules that the host packed, in the order that it found out. */
#include "guest.h"

#include "sys.h"

void modules_load(struct guest *g)
{
	for (const char *path = NULL; (path = conf_next(&g->conf, "module", path));) {
		struct text full = {0};
		text_add(&full, "/");
		text_add(&full, path);
		long rc = sys_open(full.buf, O_RDONLY);
		if (rc >= 0) {
			int fd = (int)rc;
			rc = sys_load_module(fd, "");
			sys_close(fd);
		}
		sys_unlink(full.buf); /* its memory is the command's */
		if (rc >= 0 || rc == -EEXIST)
			continue;
		struct text why = {0};
		text_add(&why, "cannot load ");
		text_add(&why, path);
		text_add_error(&why, rc);
		guest_log(g, why.buf);
	}
}
