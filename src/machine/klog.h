/* A guest's console as a log: the last lines are kept. */
#ifndef KLOG_H
#define KLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tinyvm/chardev.h>

#define KLOG_LINES    50
#define KLOG_LINE_MAX 255

/**
 * struct klog - a backend for a console that nobody types at
 * @is_live: print lines as they come
 * @told, @ctx: is told of each line, with the console's lock held; may be NULL
 * @line:   kept ones, fit for a terminal; line n is at n % KLOG_LINES
 * @count:  of all lines there were
 * @now:    the current one
 */
struct klog {
	struct chardev cd;
	bool is_live;
	void (*told)(void *ctx, const char *line);
	void *ctx;
	char line[KLOG_LINES][KLOG_LINE_MAX + 1];
	unsigned count;
	char now[KLOG_LINE_MAX + 1];
	size_t now_len;
};

/* Its chardev_destroy() frees nothing: the log is read after the machine's end. */
void klog_init(struct klog *log, bool is_live, void (*told)(void *ctx, const char *line),
	       void *ctx);

/* Kept line @n, 0 for the oldest, NULL after the last. Context: nobody writes. */
const char *klog_line(const struct klog *log, unsigned n);

#endif
