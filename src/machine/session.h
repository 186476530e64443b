/* The command of a `tinyvm run` and the user: streams, signals, the terminal, time. */
#ifndef SESSION_H
#define SESSION_H

#include "front.h"
#include "klog.h"

#include <spec/run_protocol.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <tinyvm/err.h>
#include <tinyvm/sink.h>

struct evloop_fd;
struct evloop_timer;
struct run_stream;
struct session;

enum session_stage {
	SESSION_BOOTING,
	SESSION_INIT,
	SESSION_COMMAND,
	SESSION_ENDED, /* the command has */
};

/**
 * struct session_output - standard output or error
 * @fd:       STDOUT_FILENO or STDERR_FILENO
 * @handle:   while it is waited for
 * @is_stalled: the stream waits until more can be written
 * @error:    that ended it, 0 for none
 */
struct session_output {
	struct session *session;
	int fd;
	struct sink sink;
	struct evloop_fd *handle;
	_Atomic bool is_stalled;
	_Atomic int error;
};

/**
 * struct session_input - standard input; all on the loop's thread
 * @handle: while it is waited for
 */
struct session_input {
	bool is_open;
	bool is_file;
	struct evloop_fd *handle;
	uint8_t buf[16384];
	size_t at, len;
};

/**
 * struct session - the front of a `tinyvm run`
 * @deadline_ns: of the monotonic clock, 0 for none
 * @is_tty:  the command has a terminal, which is this one
 * @is_timeout: the deadline came before the command's end
 * @is_overdue: the command had ended, but the guest did not switch off in @grace_ns
 * @kernel:  the end of the kernel's log as the init told it
 * @is_failed: the init could not go on, or spoke nonsense: @sentence says why
 * @status:  at SESSION_ENDED
 * @at_ns:   when each stage began, of the monotonic clock; @bye_ns: when all was written back
 * @foreground: while somebody else has the terminal
 * @interrupts_ns: when the last two came that were passed on
 *
 * What the guest tells is written with its device's lock held, and read when the machine has
 * stopped.
 */
struct session {
	struct front front;
	struct klog klog;
	struct klog kernel;
	uint64_t deadline_ns;
	uint64_t grace_ns;
	bool is_tty;

	struct run_stream *stream;
	int wake, timer, signals;
	struct evloop_fd *wake_handle, *timer_handle, *signal_handle;
	struct evloop_timer *foreground;
	struct session_output out[2];
	struct session_input in;
	uint64_t interrupts_ns[2];

	_Atomic int stage;
	_Atomic bool is_timeout;
	bool is_overdue;
	bool is_grace_begun;
	bool is_failed;
	char sentence[ERR_MSG_MAX];
	char release[66];
	struct run_status status;
	uint64_t at_ns[SESSION_ENDED + 1];
	uint64_t bye_ns;
};

/* @is_verbose: the kernel's messages are shown as they come */
void session_init(struct session *s, bool is_tty, uint64_t deadline_ns, bool is_verbose);

/* Whether there is a status, and nothing that came before it ended the session. */
bool session_has_status(const struct session *s);

/*
 * Whether the command ended with 0, but what it printed could not all be written: then it did not
 * succeed. @ret_sentence: why, ERR_MSG_MAX bytes; NULL when nobody wants to know.
 */
bool session_has_lost_output(const struct session *s, char *ret_sentence);

/* The best there is of the kernel's last lines. Context: the machine has stopped. */
const struct klog *session_kernel_log(const struct session *s);

#endif
