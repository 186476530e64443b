/* Diagnostics on standard error. The level is the one piece of global state in the program. */
#ifndef TINYVM_LOG_H
#define TINYVM_LOG_H

#include <stdint.h>

enum log_level {
	LOG_ERROR,
	LOG_WARN,
	LOG_INFO,  /* -v */
	LOG_DEBUG, /* -vv */
};

void log_set_level(enum log_level level);
enum log_level log_level(void);

/**
 * log_at() - write one line, prefixed "tinyvm: ", when @level is enabled
 *
 * The line goes out in a single write(2), ends in CR LF when standard error is a terminal (it may
 * be in raw mode), and is dropped when standard error cannot take it.
 * Context: any thread.
 */
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

/**
 * log_guest() - note that a guest broke a device's rules, at a bounded rate
 * @count: the device's own counter of this kind of misbehaviour; incremented
 * @fmt:   what the guest did
 *
 * Prints (at LOG_INFO) the 1st, 2nd, 4th, 8th ... occurrence only.
 * Context: the caller holds the lock that guards @count.
 */
void log_guest(uint64_t *count, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
