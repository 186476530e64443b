/*
 * The command line of `tinyvm matrix`: options of its own, those of `tinyvm run` that may have
 * several values here, separated by commas (in a file's name a comma is written twice) or with the
 * option given again, and all others of `tinyvm run`, which are passed on as they are.
 *
 * Left out on purpose: --append with several values, since kernel arguments have commas.
 */
#include "config_parts.h"
#include "matrix_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/err.h>
#include <tinyvm/run.h>

static const char matrix_help_text[] =
	"usage: tinyvm matrix [OPTION...] [--] COMMAND [ARG...]\n"
	"Runs a command once for each combination of the values below, in machines of\n"
	"their own, and says where it passed.\n"
	"\n"
	"  -k, --kernel FILE[,FILE...]      kernels (a comma in a name is written ,,)\n"
	"  -c, --cpus N[,N...]              numbers of processors\n"
	"  -m, --memory SIZE[,SIZE...]      amounts of memory\n"
	"      --rootfs DIR[,...], --image FILE[,...]  roots, as for tinyvm run\n"
	"  -j, --jobs N                     machines at a time (default: as many as the\n"
	"                                   host's processors and free memory hold)\n"
	"      --fail-fast                  end all when one has failed\n"
	"      --tap FILE|-                 results as TAP; - is standard output\n"
	"      --junit FILE, --json FILE    results as JUnit's XML, as JSON\n"
	"  -h, --help                       show this\n"
	"All other options are those of tinyvm run: --timeout 5m is for each machine.\n"
	"\n"
	"Exit: 0 all passed; 1 the command failed somewhere; 125 it did not, but it was\n"
	"not judged everywhere (a machine that could not start or boot, or the command\n"
	"ended with 125 itself); 128+n ended by signal n. As git bisect run wants it.\n";

const char *matrix_config_help(void)
{
	return matrix_help_text;
}

/* After those of enum matrix_axis_id, which are options, too. */
enum matrix_option_id {
	MATRIX_OPT_JOBS = MATRIX_AXIS_COUNT,
	MATRIX_OPT_TAP,
	MATRIX_OPT_JUNIT,
	MATRIX_OPT_JSON,
	MATRIX_OPT_REPORT,
	MATRIX_OPT_KEEP_OVERLAY,
	MATRIX_OPT_FAIL_FAST,
	MATRIX_OPT_HELP,
	MATRIX_OPT_COUNT,
};

static const struct config_option matrix_options[MATRIX_OPT_COUNT] = {
	[MATRIX_KERNEL] = {"kernel", 'k', "--kernel ./old,./new"},
	[MATRIX_IMAGE] = {"image", 0, "--image disk.img"},
	[MATRIX_ROOTFS] = {"rootfs", 0, "--rootfs ./alpine,./debian"},
	[MATRIX_CPUS] = {"cpus", 'c', "--cpus 1,4"},
	[MATRIX_MEMORY] = {"memory", 'm', "--memory 256M,1G"},
	[MATRIX_OPT_JOBS] = {"jobs", 'j', "--jobs 2"},
	[MATRIX_OPT_TAP] = {"tap", 0, "--tap results.tap"},
	[MATRIX_OPT_JUNIT] = {"junit", 0, "--junit results.xml"},
	[MATRIX_OPT_JSON] = {"json", 0, "--json results.json"},
	[MATRIX_OPT_REPORT] = {"report", 0, "--json results.json"},
	[MATRIX_OPT_KEEP_OVERLAY] = {"keep-overlay", 0, "--keep-overlay changes.ovl"},
	[MATRIX_OPT_FAIL_FAST] = {"fail-fast", 0, NULL},
	[MATRIX_OPT_HELP] = {"help", 'h', NULL},
};

/**
 * struct matrix_parse - a command line being read
 * @next: the first of argv not read yet
 */
struct matrix_parse {
	int argc;
	char **argv;
	int next;
	struct matrix_config cfg;
	bool is_help;
	struct err *err;
};

static int matrix_parse_axis(struct matrix_parse *p, enum matrix_axis_id id, char *value)
{
	struct matrix_axis *axis = &p->cfg.axis[id];
	bool is_path = id != MATRIX_CPUS && id != MATRIX_MEMORY;
	char *rest = value;

	for (const char *word; (word = config_next_word(&rest, is_path));) {
		if (!*word)
			return err_set(p->err, -EINVAL,
				       "--%s needs values that are not empty, such as %s",
				       matrix_options[id].name, matrix_options[id].example);
		for (unsigned i = 0; i < axis->count; i++)
			if (strcmp(axis->value[i], word) == 0)
				return err_set(p->err, -EINVAL,
					       "--%s has %.200s twice; leave one of the two out",
					       matrix_options[id].name, word);
		if (axis->count == MATRIX_VALUES_MAX)
			return err_set(p->err, -EINVAL,
				       "there is room for %d values of --%s, and %.200s is one "
				       "more",
				       MATRIX_VALUES_MAX, matrix_options[id].name, word);
		axis->value[axis->count++] = word;
	}
	return 0;
}

static int matrix_parse_jobs(struct matrix_parse *p, const char *value)
{
	char *end;
	long jobs = strtol(value, &end, 10);

	if (*value < '0' || *value > '9' || *end || jobs < 1 || jobs > MATRIX_JOBS_MAX)
		return err_set(p->err, -EINVAL,
			       "--jobs '%.40s' is not a number of machines from 1 to %d", value,
			       MATRIX_JOBS_MAX);
	p->cfg.jobs = (unsigned)jobs;
	return 0;
}

static int matrix_parse_file(struct matrix_parse *p, enum matrix_option_id id, const char *value)
{
	const char **file = id == MATRIX_OPT_TAP     ? &p->cfg.tap
			    : id == MATRIX_OPT_JUNIT ? &p->cfg.junit
						     : &p->cfg.json;
	if (id != MATRIX_OPT_TAP && strcmp(value, "-") == 0)
		return err_set(p->err, -EINVAL,
			       "--%s needs a file; standard output is for --tap alone",
			       matrix_options[id].name);
	*file = value;
	return 0;
}

static int matrix_parse_value(struct matrix_parse *p, unsigned id, char *value)
{
	const bool is_given[MATRIX_OPT_COUNT] = {
		[MATRIX_OPT_JOBS] = p->cfg.jobs != 0,
		[MATRIX_OPT_TAP] = p->cfg.tap,
		[MATRIX_OPT_JUNIT] = p->cfg.junit,
		[MATRIX_OPT_JSON] = p->cfg.json,
	};
	if (id == MATRIX_OPT_REPORT)
		return err_set(p->err, -EINVAL,
			       "--report is for a single run; --json has what all of them report");
	if (id == MATRIX_OPT_KEEP_OVERLAY)
		return err_set(p->err, -EINVAL,
			       "--keep-overlay is for a single run; here, all would write %.200s",
			       value);
	if (!*value)
		return err_set(p->err, -EINVAL, "--%s needs a value that is not empty, such as %s",
			       matrix_options[id].name, matrix_options[id].example);
	if (is_given[id])
		return err_set(p->err, -EINVAL, "--%s is given twice; leave one of the two out",
			       matrix_options[id].name);
	if (id < MATRIX_AXIS_COUNT)
		return matrix_parse_axis(p, id, value);
	if (id == MATRIX_OPT_JOBS)
		return matrix_parse_jobs(p, value);
	return matrix_parse_file(p, id, value);
}

/* @value: attached to it, NULL for none. */
static int matrix_parse_own(struct matrix_parse *p, unsigned id, char *value)
{
	const struct config_option *option = &matrix_options[id];

	if (!option->example) {
		if (value)
			return err_set(p->err, -EINVAL, "--%s takes no value; leave =%.80s out",
				       option->name, value);
		if (id == MATRIX_OPT_HELP)
			p->is_help = true;
		else
			p->cfg.is_fail_fast = true;
		return 0;
	}
	if (!value && p->next < p->argc && strcmp(p->argv[p->next], "--") != 0)
		value = p->argv[p->next++];
	if (!value)
		return err_set(p->err, -EINVAL, "--%s needs a value, such as %s", option->name,
			       option->example);
	return matrix_parse_value(p, id, value);
}

static const char *matrix_option_name(unsigned i)
{
	return i < MATRIX_OPT_COUNT ? matrix_options[i].name
				    : run_option_name(i - MATRIX_OPT_COUNT);
}

/* What is passed on gathers at the front of argv, where everything has been read. */
static int matrix_parse_other(struct matrix_parse *p, char *arg)
{
	const char *next = p->next < p->argc ? p->argv[p->next] : NULL;
	unsigned words = run_option_words(arg, next);

	if (!words)
		return config_refuse_option("matrix", arg, matrix_option_name,
					    "tinyvm matrix --help and tinyvm run --help list",
					    p->err);
	p->cfg.option[p->cfg.option_count++] = arg;
	if (words == 2 && next)
		p->cfg.option[p->cfg.option_count++] = p->argv[p->next++];
	return 0;
}

static int matrix_parse_long(struct matrix_parse *p, char *arg)
{
	size_t len = strcspn(arg + 2, "=");
	unsigned id = 0;

	while (id < MATRIX_OPT_COUNT && (strncmp(matrix_options[id].name, arg + 2, len) != 0 ||
					 matrix_options[id].name[len] != '\0'))
		id++;
	if (id == MATRIX_OPT_COUNT)
		return matrix_parse_other(p, arg);
	return matrix_parse_own(p, id, arg[2 + len] ? arg + 2 + len + 1 : NULL);
}

/* Letters in a bunch: those in front of one of our own are flags of `tinyvm run`. */
static int matrix_parse_short(struct matrix_parse *p, char *arg)
{
	char *letter = arg + 1;
	unsigned id = MATRIX_OPT_COUNT;

	for (; *letter && id == MATRIX_OPT_COUNT; letter++) {
		for (id = 0; id < MATRIX_OPT_COUNT && matrix_options[id].letter != *letter;)
			id++;
		char flag[] = {'-', *letter, '\0'};
		if (id == MATRIX_OPT_COUNT && run_option_words(flag, NULL) != 1)
			return matrix_parse_other(p, arg);
	}
	if (id == MATRIX_OPT_COUNT)
		return matrix_parse_other(p, arg);
	bool has_flags = letter - 1 > arg + 1;
	letter[-1] = '\0';
	int ret = has_flags ? matrix_parse_other(p, arg) : 0;
	return ret ? ret : matrix_parse_own(p, id, *letter ? letter : NULL);
}

/* As `tinyvm run` will; what it says is as right here. */
static int matrix_check_cell(struct matrix_parse *p, unsigned cell)
{
	struct matrix_config *cfg = &p->cfg;
	struct run_config run;
	bool is_help;
	int count = 0;
	char **args = matrix_args(cfg, cell, NULL);

	if (!args)
		return err_set(p->err, -EINVAL, "not enough host memory");
	while (args[count])
		count++;
	int ret = run_config_parse(count, args, &run, &is_help, p->err);
	if (!ret) {
		cfg->verbose = run.verbose;
		cfg->cpus_max = run.cpus > cfg->cpus_max ? run.cpus : cfg->cpus_max;
		cfg->memory_max = run.memory > cfg->memory_max ? run.memory : cfg->memory_max;
	}
	free(args);
	return ret;
}

static int matrix_check(struct matrix_parse *p)
{
	struct matrix_config *cfg = &p->cfg;

	/* A container image may bring its own. */
	if (!cfg->command_count && !cfg->axis[MATRIX_ROOTFS].count)
		return err_set(p->err, -EINVAL,
			       "matrix: there is no command to run; it comes last, as in tinyvm "
			       "matrix --cpus 1,4 -- ./test");
	cfg->cell_count = 1;
	for (unsigned i = 0; i < MATRIX_AXIS_COUNT; i++) {
		if (cfg->axis[i].count)
			cfg->cell_count *= cfg->axis[i].count;
		if (cfg->cell_count > MATRIX_CELLS_MAX)
			return err_set(p->err, -EINVAL,
				       "matrix: there is room for %d machines, and all "
				       "combinations of these values are more",
				       MATRIX_CELLS_MAX);
	}
	for (unsigned i = 0; i < cfg->cell_count; i++) {
		int ret = matrix_check_cell(p, i);
		if (ret)
			return ret;
	}
	return 0;
}

int matrix_config_parse(int argc, char **argv, struct matrix_config *ret_cfg, bool *ret_is_help,
			struct err *err)
{
	struct matrix_parse p = {
		.argc = argc,
		.argv = argv,
		.next = 1,
		.cfg = {.option = argv + 1},
		.err = err,
	};
	int ret = 0;

	while (!ret && !p.is_help && p.next < argc) {
		char *arg = argv[p.next];
		if (arg[0] != '-' || arg[1] == '\0')
			break;
		p.next++;
		if (strcmp(arg, "--") == 0)
			break;
		ret = arg[1] == '-' ? matrix_parse_long(&p, arg) : matrix_parse_short(&p, arg);
	}
	p.cfg.command = argv + p.next;
	p.cfg.command_count = (unsigned)(argc - p.next);
	if (!ret && !p.is_help)
		ret = matrix_check(&p);
	if (ret)
		return ret;
	*ret_cfg = p.cfg;
	*ret_is_help = p.is_help;
	return 0;
}
