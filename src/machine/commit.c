/* `tinyvm commit`: what --keep-overlay has kept is written to its image. */
#include <errno.h>
#include <string.h>
#include <tinyvm/block.h>
#include <tinyvm/config.h>
#include <tinyvm/err.h>
#include <tinyvm/log.h>
#include <tinyvm/machine.h>

static int commit_parse(int argc, char **argv, const char **ret_path, bool *ret_is_forced,
			struct err *err)
{
	const char *path = NULL;
	bool is_forced = false;
	bool is_past_options = false;

	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		if (!is_past_options && strcmp(arg, "--") == 0)
			is_past_options = true;
		else if (!is_past_options && strcmp(arg, "--force") == 0)
			is_forced = true;
		else if (!is_past_options && arg[0] == '-')
			return err_set(
				err, -EINVAL,
				"commit: unknown option %.80s; there is only --force, for an "
				"image that was changed since",
				arg);
		else if (path)
			return err_set(err, -EINVAL,
				       "commit: takes one overlay at a time, and %.100s and %.100s "
				       "were given",
				       path, arg);
		else
			path = arg;
	}
	if (!path || !*path)
		return err_set(err, -EINVAL,
			       "commit: needs the file that --keep-overlay has made, such as "
			       "tinyvm commit root.overlay");
	*ret_path = path;
	*ret_is_forced = is_forced;
	return 0;
}

int commit_main(int argc, char **argv, struct err *err)
{
	const char *path = NULL;
	bool is_forced = false;

	if (commit_parse(argc, argv, &path, &is_forced, err) != 0)
		return EXIT_NOT_STARTED;
	log_set_level(LOG_INFO); /* which image it was is the overlay's word, so worth a line */
	return block_overlay_commit(path, is_forced, err) ? EXIT_NOT_STARTED : EXIT_GUEST_OFF;
}
