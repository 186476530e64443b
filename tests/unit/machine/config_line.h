/* A command line to parse, for the tests of the parser. */
#ifndef CONFIG_LINE_H
#define CONFIG_LINE_H

#include "argv_copy.h"
#include "test.h"

#include <tinyvm/config.h>
#include <tinyvm/err.h>

#define ARGS_MAX 80

/* The arguments are copied, as config_parse() splits some in place and they must outlive it. */
static struct {
	struct config cfg;
	enum config_action action;
	struct err err;
	char text[8192];
	char *argv[ARGS_MAX + 2];
} line;

static int parse_list(const char *const *args)
{
	memset(&line, 0, sizeof(line));
	int argc = argv_copy(line.text, sizeof(line.text), line.argv, ARGS_MAX, "tinyvm", args);
	return config_parse(argc, line.argv, &line.cfg, &line.action, &line.err);
}

/* The arguments are refused with just this sentence. */
#define CHECK_REFUSED(sentence, ...)                   \
	do {                                           \
		CHECK_EQ(PARSE(__VA_ARGS__), -EINVAL); \
		CHECK_STR(line.err.msg, sentence);     \
		CHECK_EQ(line.err.code, -EINVAL);      \
	} while (0)

#endif
