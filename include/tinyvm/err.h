/* The one sentence that tells the user why something could not be done. */
#ifndef TINYVM_ERR_H
#define TINYVM_ERR_H

#define ERR_MSG_MAX 512

/**
 * struct err - a failure on its way to the command line or the control socket
 * @code: 0, or -errno
 * @msg:  one sentence without a final newline: names the file or option, and what to do
 */
struct err {
	int code;
	char msg[ERR_MSG_MAX];
};

/**
 * err_set() - fill in @err and return @code, so that `return err_set(...)` reads well
 * @err:  where the sentence goes; NULL when nobody asks for it
 * @code: -errno
 * @fmt:  printf format of the sentence
 *
 * Context: any thread; touches nothing but @err.
 */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
