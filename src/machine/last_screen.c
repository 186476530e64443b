/* The screen's last picture, as text and as a picture file. */
#include "last_screen.h"

#include "result_file.h"

#include <errno.h>
#include <stdlib.h>
#include <tinyvm/config_legacy.h>
#include <tinyvm/err.h>
#include <tinyvm/picture.h>
#include <tinyvm/screen.h>

bool last_screen_is_wanted(const struct config_legacy *legacy)
{
	return legacy->screen_text || legacy->screenshot;
}

int last_screen_check(const struct config_legacy *legacy, struct err *err)
{
	int error = 0;
	if (legacy->screen_text)
		error = result_file_check("screen-text", legacy->screen_text, err);
	if (!error && legacy->screenshot)
		error = result_file_check("screenshot", legacy->screenshot, err);
	return error;
}

static void last_screen_put(FILE *out, const void *ctx)
{
	fputs(ctx, out);
}

static int last_screen_write_text(const char *path, const struct screen *screen, struct err *err)
{
	char *text = malloc(SCREEN_TEXT_MAX);
	if (!text)
		return err_set(err, -ENOMEM, "not enough host memory for --screen-text");
	screen_text(screen, text, SCREEN_TEXT_MAX);
	int error = result_file_write("screen-text", path, last_screen_put, text, err);
	free(text);
	return error;
}

struct last_screen_picture {
	uint8_t *bytes;
	size_t len;
};

static void last_screen_put_picture(FILE *out, const void *ctx)
{
	const struct last_screen_picture *picture = ctx;
	fwrite(picture->bytes, 1, picture->len, out);
}

int last_screen_write_picture(const char *path, const struct screen *screen, struct err *err)
{
	struct last_screen_picture picture;
	if (picture_png(screen, &picture.bytes, &picture.len) != 0)
		return err_set(err, -ENOMEM, "not enough host memory for --screenshot");
	int error = result_file_write("screenshot", path, last_screen_put_picture, &picture, err);
	free(picture.bytes);
	return error;
}

int last_screen_write(const struct config_legacy *legacy, const struct screen *screen,
		      struct err *err)
{
	int error = 0, second = 0;
	if (legacy->screen_text)
		error = last_screen_write_text(legacy->screen_text, screen, err);
	if (legacy->screenshot)
		second = last_screen_write_picture(legacy->screenshot, screen, error ? NULL : err);
	return error ? error : second;
}
