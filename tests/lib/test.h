/*
 * The unit tests' frame: one binary a module, one function a behaviour.
 *
 *	static void test_vq_loop_returns_ebadmsg(void) { ... CHECK(...); }
 *	int main(void)
 *	{
 *		static const struct test_case cases[] = {TEST_CASE(test_vq_loop_returns_ebadmsg),
 *...}; return TEST_RUN(cases);
 *	}
 */
#ifndef TEST_H
#define TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_case {
	const char *name;
	void (*fn)(void);
};

/* Runs each case; prints a line for each and `N passed, N failed`; the exit status. */
int test_run(const struct test_case *cases, unsigned count);

/* A failed CHECK is reported, counted against the running case, and leaves the function. */
void test_failed(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define CHECK(cond)                                                   \
	do {                                                          \
		if (!(cond)) {                                        \
			test_failed(__FILE__, __LINE__, "%s", #cond); \
			return;                                       \
		}                                                     \
	} while (0)

/* Compares integers and shows both. */
#define CHECK_EQ(a, b)                                                                           \
	do {                                                                                     \
		uint64_t check_a_ = (uint64_t)(a), check_b_ = (uint64_t)(b);                     \
		if (check_a_ != check_b_) {                                                      \
			test_failed(__FILE__, __LINE__, "%s is %#llx, not %#llx", #a,            \
				    (unsigned long long)check_a_, (unsigned long long)check_b_); \
			return;                                                                  \
		}                                                                                \
	} while (0)

#define CHECK_STR(a, b)                                                                           \
	do {                                                                                      \
		const char *check_a_ = (a), *check_b_ = (b);                                      \
		if (strcmp(check_a_, check_b_) != 0) {                                            \
			test_failed(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #a, check_a_, \
				    check_b_);                                                    \
			return;                                                                   \
		}                                                                                 \
	} while (0)

/* Entries of the table of cases, and the run over it. */
#define TEST_CASE(fn)   \
	{               \
#fn, fn \
	}
#define TEST_RUN(table) test_run(table, sizeof(table) / sizeof((table)[0]))

/* A test whose body runs between the file's set_up() and tear_down(), whatever CHECK leaves early.
 */
#define WITH_DEVICE(name)              \
	static void name##_body(void); \
	static void name(void)         \
	{                              \
		set_up();              \
		name##_body();         \
		tear_down();           \
	}                              \
	static void name##_body(void)

#endif
