/* The user's sentence about a failure. */
#include <stdarg.h>
#include <stdio.h>
#include <tinyvm/err.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
	if (!err)
		return code;

	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	err->code = code;
	return code;
}
