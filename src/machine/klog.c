/*
 * The kernel's console of a machine whose user came for something else: the last lines are kept,
 * for when something goes wrong. What is kept has no control characters.
 */
#include "klog.h"

#include <string.h>
#include <tinyvm/log.h>

static void klog_end_line(struct klog *log)
{
	char *kept = log->line[log->count % KLOG_LINES];
	log->now[log->now_len] = '\0';
	if (log->told)
		log->told(log->ctx, log->now);
	for (size_t i = 0; i <= log->now_len; i++) {
		unsigned char c = (unsigned char)log->now[i];
		kept[i] = c == '\t' ? ' ' : c && (c < ' ' || c > '~') ? '?' : log->now[i];
	}
	log->count++;
	log->now_len = 0;
	if (log->is_live)
		log_info("kernel: %s", kept);
}

static size_t klog_write(struct chardev *cd, const uint8_t *buf, size_t len)
{
	struct klog *log = (struct klog *)cd;
	for (size_t i = 0; i < len; i++) {
		if (buf[i] == '\n')
			klog_end_line(log);
		else if (buf[i] && buf[i] != '\r' && log->now_len < KLOG_LINE_MAX)
			log->now[log->now_len++] = (char)buf[i];
	}
	return len;
}

static void klog_attach(struct chardev *cd, const struct chardev_client *client, void *ctx,
			struct device *dev)
{
	(void)cd;
	(void)client;
	(void)ctx;
	(void)dev;
}

static void klog_nothing(struct chardev *cd)
{
	(void)cd;
}

static const struct chardev_ops klog_ops = {
	.attach = klog_attach,
	.write = klog_write,
	.resume = klog_nothing,
	.destroy = klog_nothing,
};

void klog_init(struct klog *log, bool is_live, void (*told)(void *ctx, const char *line), void *ctx)
{
	memset(log, 0, sizeof(*log));
	log->cd.ops = &klog_ops;
	log->is_live = is_live;
	log->told = told;
	log->ctx = ctx;
}

const char *klog_line(const struct klog *log, unsigned n)
{
	unsigned first = log->count > KLOG_LINES ? log->count - KLOG_LINES : 0;
	return first + n < log->count ? log->line[(first + n) % KLOG_LINES] : NULL;
}
