/* A file as a character backend: what the guest sends is appended, nothing comes from it. */
#ifndef TINYVM_LOGFILE_H
#define TINYVM_LOGFILE_H

struct chardev;
struct err;
struct evloop;

/* Return: 0; -errno with a sentence in @err. */
int logfile_create(struct chardev **ret_cd, struct evloop *loop, const char *path, struct err *err)
	__attribute__((warn_unused_result));

#endif
