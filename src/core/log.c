/* Diagnostics on standard error. */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <tinyvm/log.h>
#include <unistd.h>

/* The one piece of global mutable state in the program. */
static _Atomic enum log_level current_level = LOG_WARN;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&current_level, level, memory_order_relaxed);
}

enum log_level log_level(void)
{
	return atomic_load_explicit(&current_level, memory_order_relaxed);
}

__attribute__((format(printf, 1, 0))) static void log_line(const char *fmt, va_list ap)
{
	static const char prefix[] = "tinyvm: ";
	char line[1024];
	const size_t prefix_len = sizeof(prefix) - 1;
	const size_t room = sizeof(line) - prefix_len - 2; /* CR LF; the NUL is overwritten */

	for (size_t i = 0; i < prefix_len; i++)
		line[i] = prefix[i];
	int n = vsnprintf(line + prefix_len, room + 1, fmt, ap);
	if (n < 0)
		return;

	size_t len = prefix_len + ((size_t)n < room ? (size_t)n : room);
	if (isatty(STDERR_FILENO))
		line[len++] = '\r';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nowhere left to say so */
}

void log_at(enum log_level level, const char *fmt, ...)
{
	if (level > log_level())
		return;

	va_list ap;
	va_start(ap, fmt);
	log_line(fmt, ap);
	va_end(ap);
}

void log_guest(uint64_t *count, const char *fmt, ...)
{
	uint64_t n = ++*count;
	if ((n & (n - 1)) != 0 || log_level() < LOG_INFO)
		return;

	va_list ap;
	va_start(ap, fmt);
	log_line(fmt, ap);
	va_end(ap);
}
