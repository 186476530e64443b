/*
 * A container image as the root of `tinyvm run`: unpacked once, to a file system in a file, which
 * the guest gets as a disk that cannot be written, under a copy-on-write overlay.
 *
 * Left out on purpose: the user that an image names. The command is root, as it always is.
 */
#include "front.h"
#include "run_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/err.h>
#include <tinyvm/log.h>

#define TMPDIR_ELSE "/var/tmp"

int run_image_open(struct run_plan *plan, const char *path, struct err *err)
{
	const struct run_config *run = plan->run;
	struct err why = {0};
	if (run->is_root_writable)
		return err_set(err, -EINVAL,
			       "--rw without a directory makes --rootfs writable, and %.300s is a "
			       "container image, which is never written; name a directory, as in "
			       "--rw .",
			       path);
	char *cache = run->tmpdir ? NULL : machine_cache_dir();
	const struct oci_options options = {
		.is_32bit = plan->is_32bit,
		.cache_dir = cache,
		.tmpdir = run->tmpdir ? run->tmpdir : TMPDIR_ELSE,
	};
	int error = oci_open(&plan->image, path, &options, &why);
	free(cache);
	if (error)
		return err_set(err, error, "--rootfs %.100s: %.390s", path, why.msg);
	plan->is_container = true;
	if (*plan->image.user && strcmp(plan->image.user, "root") != 0)
		log_info("--rootfs %s: its user is %s, but the command is root", path,
			 plan->image.user);
	snprintf(plan->image_path, sizeof(plan->image_path), "/proc/self/fd/%d", plan->image.fd);
	plan->cfg.disk[0] = (struct config_disk){.path = plan->image_path, .is_readonly = true};
	plan->cfg.disk_count = 1;
	snprintf(plan->root, sizeof(plan->root), "erofs:/dev/vda:overlay:");
	return 0;
}
