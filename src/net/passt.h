/* passt as a child process: started, listened to, reaped. */
#ifndef NET_PASST_H
#define NET_PASST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <tinyvm/err.h>

/* Where it finds its end of the socket. */
#define PASST_FD      3
#define PASST_FD_TEXT "3"

/**
 * struct passt - the process
 * @pid:   0: reaped
 * @pidfd: readable when it has ended
 * @words: the reading end of its standard error
 * @is_settled: it serves us; what it says is the user's only when it ends
 * @line, @line_len: the line it is writing
 * @said:  the lines it ended its start with, or its last one
 */
struct passt {
	pid_t pid;
	int pidfd;
	int words;
	bool is_settled;
	char line[160];
	size_t line_len;
	char said[320];
};

/**
 * passt_start() - starts it and waits until it serves us
 * @argv: with the program's name, to be looked up in PATH
 * @ret_sock: our end of its socket; when it is closed, passt ends
 *
 * Return: 0; -errno with a sentence, and nothing is left: -ENOENT not installed, -EIO it ended,
 * with its own words, -ETIMEDOUT. Context: a thread that lives as long as the process, for whose
 * end passt would take its end.
 */
int passt_start(struct passt *p, const char *const *argv, int *ret_sock, struct err *err)
	__attribute__((warn_unused_result));

/* Reads what it said so far. Return: false when it will say nothing more. */
bool passt_hear(struct passt *p, const char *id);

/* After @pidfd told: reaps it. @ret_how says how it ended, in its own words if it had any. */
void passt_bury(struct passt *p, const char *id, char *ret_how, size_t how_size);

/* After its socket was closed: gives it a second, then kills it. */
void passt_stop(struct passt *p);

#endif
