/* The user's terminal (or pipe, or file) as a character backend, with the Ctrl-A escape key. */
#ifndef TINYVM_TERMINAL_H
#define TINYVM_TERMINAL_H

struct chardev;
struct err;
struct evloop;

enum terminal_command {
	TERMINAL_QUIT,	       /* Ctrl-A x */
	TERMINAL_POWER_BUTTON, /* Ctrl-A c */
};

/**
 * struct terminal_config - how the console meets the user
 * @log_path: everything the guest prints is appended here too; NULL for none
 * @command:  the user gave an escape command; on the event loop's thread, no lock held
 * @line:     one line of guest output, without its end, at most 255 bytes of it, NUL-terminated;
 *            with the client device's lock held, so it may only take note. NULL for none
 */
struct terminal_config {
	const char *log_path;
	void (*command)(void *ctx, enum terminal_command command);
	void (*line)(void *ctx, const char *line);
	void *ctx;
};

/**
 * terminal_create() - take over standard input and output as the guest's console
 *
 * When standard input is a terminal it goes to raw mode, and comes back on destroy, on exit() and
 * on every signal that ends the process. A closed or missing standard input is no input. Output
 * that blocks is buffered (64 KiB), then pushes back.
 * Return: 0; -errno with a sentence in @err (the log file cannot be opened).
 * Context: before the machine runs, main thread; at most one per process.
 */
int terminal_create(struct chardev **ret_cd, struct evloop *loop, const struct terminal_config *cfg,
		    struct err *err) __attribute__((warn_unused_result));

#endif
