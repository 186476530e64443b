/*
 * The host's end of a `tinyvm run`: a character backend that speaks <spec/run_protocol.h> with the
 * init in the guest, through a virtio port. What comes from the guest is hostile: it is bounded,
 * and nonsense ends the conversation, not the process.
 */
#ifndef TINYVM_RUN_STREAM_H
#define TINYVM_RUN_STREAM_H

#include <spec/run_protocol.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chardev;
struct run_stream;

/**
 * struct run_stream_client - who is told what the guest says
 * @output: a piece of the command's standard output or error: takes up to @len bytes, returns how
 *          many. After a short one nothing more comes until run_stream_resume_output()
 * @hello:  the init runs, on a kernel that calls itself @release
 * @started: the command runs
 * @input:  run_stream_stdin() would take more than it did, or the command takes no more
 *          (run_stream_is_stdin_closed())
 * @status: the command has ended; all its output came before
 * @bye:    everything is written back: the machine may be switched off
 * @log:    a sentence for -v
 * @kernel: a line of the kernel's log, NULL after the last one
 * @failed: the init cannot go on and switches off, for the reason @sentence
 * @broken: the guest sent nonsense: nothing else will come
 *
 * Sentences and names have no control characters. No pointer may be NULL.
 * Context: the device's lock is held; any thread. So they may only take note: of what is declared
 * below they may call none but run_stream_is_stdin_closed().
 */
struct run_stream_client {
	size_t (*output)(void *ctx, bool is_stderr, const uint8_t *buf, size_t len);
	void (*hello)(void *ctx, const struct run_hello *hello, const char *release);
	void (*started)(void *ctx, const struct run_stamp *stamp);
	void (*input)(void *ctx);
	void (*status)(void *ctx, const struct run_status *status);
	void (*bye)(void *ctx, const struct run_stamp *stamp);
	void (*log)(void *ctx, const char *sentence);
	void (*kernel)(void *ctx, const char *line);
	void (*failed)(void *ctx, const char *sentence);
	void (*broken)(void *ctx, const char *why);
};

/**
 * run_stream_create() - a backend for virtio_port_create()
 * @client: outlives it
 *
 * Return: 0 or -ENOMEM. chardev_destroy() frees it.
 */
int run_stream_create(struct run_stream **ret_stream, const struct run_stream_client *client,
		      void *ctx) __attribute__((warn_unused_result));
struct chardev *run_stream_to_chardev(struct run_stream *stream);

/*
 * The rest: context: one thread (the event loop's), no lock held. What they send waits here until
 * the guest's driver takes it.
 *
 * run_stream_stdin() - standard input for the command; returns how many bytes of it were taken
 * run_stream_end_stdin() - there will be no more
 * run_stream_is_stdin_closed() - the command takes no more
 * run_stream_signal() - a signal by its number for the command's process group
 * run_stream_resize() - the terminal's size; the latest one counts
 * run_stream_want_kernel_log() - the init, while the command runs, sends the last lines there are
 * run_stream_resume_output() - output() would take something again
 */
size_t run_stream_stdin(struct run_stream *stream, const uint8_t *buf, size_t len);
void run_stream_end_stdin(struct run_stream *stream);
bool run_stream_is_stdin_closed(const struct run_stream *stream);
void run_stream_signal(struct run_stream *stream, unsigned signo);
void run_stream_resize(struct run_stream *stream, uint16_t rows, uint16_t cols);
void run_stream_want_kernel_log(struct run_stream *stream);
void run_stream_resume_output(struct run_stream *stream);

#endif
