/* The terminal's output side: a ring that any thread fills and the event loop empties. */
#ifndef CHARDEV_OUTPUT_H
#define CHARDEV_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct evloop;
struct output;

#define OUTPUT_RING 65536u /* a power of two */

/**
 * output_create() - prepare to write to @fd and to append to a log
 * @log_path: NULL for none
 * @writable: there is room again after a short output_put(); on the loop's thread, no lock held
 *
 * Return: 0; -errno with a sentence in @err.
 */
int output_create(struct output **ret_out, struct evloop *loop, int fd, const char *log_path,
		  void (*writable)(void *ctx), void *ctx, struct err *err)
	__attribute__((warn_unused_result));

/* Writes out what the sink takes (it may pause for a second, no longer), then frees. NULL is fine.
 * Context: the loop does not run.
 */
void output_destroy(struct output *out);

/* Take up to @len bytes without blocking; returns how many. Context: any thread. */
size_t output_put(struct output *out, const uint8_t *buf, size_t len);

/* Nobody waits for @writable any more. Context: the loop does not run. */
void output_forget_writer(struct output *out);

/**
 * output_notice() - a message of ours: to the terminal only, ahead of what is buffered
 * @text: a string literal; replaces one that is still waiting
 *
 * Context: the loop's thread.
 */
void output_notice(struct output *out, const char *text);

#endif
