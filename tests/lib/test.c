/* Runs test cases and counts. */
#include "test.h"

#include <stdarg.h>

static unsigned test_failures;

void test_failed(const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "%s:%d: ", file, line);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	test_failures++;
}

int test_run(const struct test_case *cases, unsigned count)
{
	unsigned failed = 0;
	for (unsigned i = 0; i < count; i++) {
		unsigned before = test_failures;
		cases[i].fn();
		bool is_ok = test_failures == before;
		printf("%s %s\n", is_ok ? "ok  " : "FAIL", cases[i].name);
		failed += !is_ok;
	}
	printf("%u passed, %u failed\n", count - failed, failed);
	return failed != 0;
}
