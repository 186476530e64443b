/* Where unpacked bytes go, and the parts that bring them (private to src/unpack). */
#ifndef UNPACK_OUTPUT_H
#define UNPACK_OUTPUT_H

#include <sys/types.h>
#include <tinyvm/unpack.h>

struct unpack_output;

/**
 * struct unpack_format - one of them
 * @unpack: built in, or NULL
 * @argv:   else the program, which unpacks its standard input to its standard output
 * @package: that has it, Debian's name
 */
struct unpack_format {
	const char *name;
	uint8_t magic[6];
	uint8_t magic_len;
	int (*unpack)(const struct unpack_input *in, struct unpack_output *out,
		      char ret_why[UNPACK_WHY_MAX]);
	const char *argv[4];
	const char *package;
};

/**
 * struct unpack_output - memory that fills
 * @len:  bytes so far
 * @room: bytes there is memory for
 * @max:  bytes it may grow to: @room when it may not
 */
struct unpack_output {
	uint8_t *buf;
	uint64_t len;
	uint64_t room;
	uint64_t max;
};

/* Makes room for one byte more at least. Return: 0, -EMSGSIZE at @max, -ENOMEM. */
int unpack_output_grow(struct unpack_output *out) __attribute__((warn_unused_result));

/* Fills in a sentence and returns @code. */
int unpack_why(char ret_why[UNPACK_WHY_MAX], int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Reads exactly @len bytes. Return: 0, -errno, -ENODATA at the end of the file. */
int unpack_read(int fd, void *buf, size_t len, uint64_t off) __attribute__((warn_unused_result));

/* A descriptor above 2, so that no dup2() in the child can hit another's target. */
int fd_above_stdio(int fd);

/* Starts a program with the standard streams @in, @out, and nothing. Return: it, or -errno. */
pid_t tool_spawn(const char *const *argv, int in, int out);

/**
 * tool_run() - have a program of the host unpack @in
 * @name:    of the format
 * @argv:    the program, which unpacks its standard input to its standard output
 * @package: that has it, Debian's name
 *
 * Return: as unpack_exactly().
 */
int tool_run(const struct unpack_input *in, const char *name, const char *const *argv,
	     const char *package, struct unpack_output *out, char ret_why[UNPACK_WHY_MAX])
	__attribute__((warn_unused_result));

#endif
