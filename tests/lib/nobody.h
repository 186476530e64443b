/*
 * Unit tests that are worth running as root and as an ordinary user.
 *
 *	return NOBODY_RUN(cases);
 *
 * As root: first in a process of the user nobody's, then as root. Else just so.
 */
#ifndef NOBODY_H
#define NOBODY_H

#include "test.h"

#define NOBODY_ID 65534

int nobody_run(const struct test_case *cases, unsigned count);

#define NOBODY_RUN(table) nobody_run(table, sizeof(table) / sizeof((table)[0]))

#endif
