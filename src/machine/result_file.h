/* Files with results: complete, or not there. */
#ifndef RESULT_FILE_H
#define RESULT_FILE_H

#include <stdio.h>

struct err;

/*
 * result_file_check(): can @path be written, as far as that can be known before? Changes nothing.
 *
 * result_file_write(): have @write write the file. It gets its name, in the place of one that had
 * it, when all of it is on the disk. What is no regular file (a pipe, a terminal) is just written
 * to.
 *
 * @option: without dashes, for the sentence. Return: 0 or -errno with a sentence.
 */
int result_file_check(const char *option, const char *path, struct err *err)
	__attribute__((warn_unused_result));
int result_file_write(const char *option, const char *path,
		      void (*write)(FILE *out, const void *ctx), const void *ctx, struct err *err)
	__attribute__((warn_unused_result));

#endif
