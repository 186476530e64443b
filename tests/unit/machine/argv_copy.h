/* A command line of its own memory, for the tests of parsers, which split arguments in place. */
#ifndef ARGV_COPY_H
#define ARGV_COPY_H

#include <stdlib.h>
#include <string.h>

/* @first and then @args, up to a NULL and to @max of them, into @text and @argv. Return: argc. */
static inline int argv_copy(char *text, size_t size, char **argv, int max, const char *first,
			    const char *const *args)
{
	size_t used = 0;
	int argc = 0;

	argv[argc++] = (char *)first;
	for (; *args && argc <= max; args++) {
		size_t len = strlen(*args) + 1;
		if (used + len > size)
			abort();
		argv[argc++] = memcpy(text + used, *args, len);
		used += len;
	}
	return argc;
}

#define PARSE(...) parse_list((const char *const[]){__VA_ARGS__, NULL})

#endif
