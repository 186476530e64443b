/*
 * A shortage of memory on demand: malloc(), calloc() and realloc() of everything that a unit test
 * links fail once, at the Nth call.
 */
#ifndef SHORTAGE_H
#define SHORTAGE_H

#include <stdbool.h>

/* The @n-th allocation from now on fails; 0: none does. */
void shortage_begin(unsigned n);

/* Back to plenty. Return: whether there was a failure. */
bool shortage_end(void);

#endif
