/* The log of a port that nobody looks at: output.c's log, with nothing in the terminal's place. */
#include <errno.h>
#include <stdlib.h>
#include <tinyvm/chardev.h>
#include <tinyvm/device.h>
#include <tinyvm/err.h>
#include <tinyvm/logfile.h>

#include "output.h"

struct logfile {
	struct chardev cd;
	struct output *out;
	const struct chardev_client *client;
	void *client_ctx;
	struct device *client_dev;
};

static void logfile_attach(struct chardev *cd, const struct chardev_client *client, void *ctx,
			   struct device *dev)
{
	struct logfile *lf = (struct logfile *)cd;
	lf->client = client;
	lf->client_ctx = ctx;
	lf->client_dev = dev;
	output_forget_writer(lf->out);
}

static size_t logfile_write(struct chardev *cd, const uint8_t *buf, size_t len)
{
	return output_put(((struct logfile *)cd)->out, buf, len);
}

static void logfile_writable(void *ctx)
{
	struct logfile *lf = ctx;
	if (!lf->client)
		return;
	device_lock(lf->client_dev);
	lf->client->writable(lf->client_ctx);
	device_unlock(lf->client_dev);
}

static void logfile_resume(struct chardev *cd)
{
	(void)cd;
}

static void logfile_destroy(struct chardev *cd)
{
	struct logfile *lf = (struct logfile *)cd;
	output_destroy(lf->out);
	free(lf);
}

static const struct chardev_ops logfile_ops = {
	.attach = logfile_attach,
	.write = logfile_write,
	.resume = logfile_resume,
	.destroy = logfile_destroy,
};

int logfile_create(struct chardev **ret_cd, struct evloop *loop, const char *path, struct err *err)
{
	struct logfile *lf = calloc(1, sizeof(*lf));
	if (!lf)
		return err_set(err, -ENOMEM, "not enough host memory");
	lf->cd.ops = &logfile_ops;
	int error = output_create(&lf->out, loop, -1, path, logfile_writable, lf, err);
	if (error) {
		free(lf);
		return error;
	}
	*ret_cd = &lf->cd;
	return 0;
}
