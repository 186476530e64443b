/* The user's terminal as a device: raw mode, its restoration on every way out, its size. */
#ifndef TINYVM_TTY_H
#define TINYVM_TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * tty_is_foreground() - may this process read and change the terminal @fd?
 *
 * False for a background job, which would be stopped for it. A terminal that is not the
 * process's controlling one has no jobs: true.
 */
bool tty_is_foreground(int fd);

/**
 * tty_raw() - put the terminal @fd into raw mode
 *
 * From the first call until tty_restore(), exit() and the signals of a crash (and SIGQUIT) bring
 * the terminal back; a process made for the purpose does when this one is killed. Again later, it
 * only renews the mode. A background job changes nothing.
 * Return: 0; -EAGAIN in the background; tcsetattr's -errno.
 * Context: one terminal a process; not thread-safe.
 */
int tty_raw(int fd) __attribute__((warn_unused_result));

/* The same for a terminal that is only written to: Ctrl-C and its like still make signals. */
int tty_raw_output(int fd) __attribute__((warn_unused_result));

/*
 * @bytes, up to 256, are written to the terminal, too, when it has to be brought back by one of
 * those ways: what makes its cursor and its old content visible again. None when @len is 0.
 */
void tty_set_farewell(const void *bytes, size_t len);

/**
 * tty_hold_messages() - keep standard error, if it is a terminal, off the terminal
 *
 * What is written to it comes when the terminal is brought back, by tty_restore() or else. It is a
 * file until then. Return: a descriptor to read it from with pread(), the callee's; -1 when nothing
 * is held.
 */
int tty_hold_messages(void);

/* Undo tty_raw(), and its hooks; nothing when it was not called. */
void tty_restore(void);

/* Columns and rows of @fd: 0, or -errno when it is no terminal or does not know them. */
int tty_size(int fd, uint16_t *ret_cols, uint16_t *ret_rows) __attribute__((warn_unused_result));

#endif
