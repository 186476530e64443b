/* tinyvm: from the command line to the machine. The only place where the process ends. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tinyvm/config.h>
#include <tinyvm/err.h>
#include <tinyvm/log.h>
#include <tinyvm/machine.h>
#include <tinyvm/matrix.h>
#include <tinyvm/run.h>
#include <unistd.h>

/*
 * Started with a standard descriptor closed, the first file opened would take its number, and the
 * guest's console would end up in a disk image.
 */
static bool main_fill_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return false;
	return true;
}

static int main_show(const char *text)
{
	if (fputs(text, stdout) != EOF && fflush(stdout) == 0)
		return EXIT_GUEST_OFF;
	log_error("cannot write to standard output: %s", strerror(errno));
	return EXIT_NOT_STARTED;
}

static void main_set_level(unsigned verbose)
{
	log_set_level(verbose == 0 ? LOG_WARN : verbose == 1 ? LOG_INFO : LOG_DEBUG);
}

static int main_run(const struct config *cfg)
{
	struct err err = {0};

	main_set_level(cfg->verbose);
	int status = machine_main(cfg, &err);
	if (status == EXIT_NOT_STARTED)
		log_error("%s", err.msg);
	return status;
}

static int main_commit(int argc, char **argv)
{
	struct err err = {0};
	int status = commit_main(argc, argv, &err);
	if (status == EXIT_NOT_STARTED)
		log_error("%s", err.msg);
	return status;
}

static int main_run_command(int argc, char **argv)
{
	struct run_config cfg;
	struct err err = {0};
	bool is_help = false;

	if (run_config_parse(argc, argv, &cfg, &is_help, &err)) {
		log_error("%s", err.msg);
		return EXIT_NOT_STARTED;
	}
	if (is_help)
		return main_show(run_config_help());
	main_set_level(cfg.verbose);
	int status = run_main(&cfg, &err);
	if (err.msg[0])
		log_error("%s", err.msg);
	return status;
}

static int main_matrix(int argc, char **argv)
{
	struct matrix_config cfg;
	struct err err = {0};
	bool is_help = false;

	if (matrix_config_parse(argc, argv, &cfg, &is_help, &err)) {
		log_error("%s", err.msg);
		return EXIT_NOT_STARTED;
	}
	if (is_help)
		return main_show(matrix_config_help());
	main_set_level(cfg.verbose);
	int status = matrix_main(&cfg, &err);
	if (err.msg[0])
		log_error("%s", err.msg);
	return status;
}

int main(int argc, char **argv)
{
	struct config cfg;
	enum config_action action;
	struct err err = {0};
	int status = EXIT_NOT_STARTED;

	if (!main_fill_descriptors()) {
		log_error("cannot open /dev/null in place of a closed standard descriptor: %s",
			  strerror(errno));
		exit(status);
	}
	/* A reader that goes away is an error to handle where it was met, not the end. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a disk image that may not grow: the guest gets the I/O error */
	log_set_level(LOG_WARN);

	if (argc > 1 && strcmp(argv[1], "commit") == 0)
		status = main_commit(argc - 1, argv + 1);
	else if (argc > 1 && strcmp(argv[1], "run") == 0)
		status = main_run_command(argc - 1, argv + 1);
	else if (argc > 1 && strcmp(argv[1], "matrix") == 0)
		status = main_matrix(argc - 1, argv + 1);
	else if (config_parse(argc, argv, &cfg, &action, &err))
		log_error("%s", err.msg);
	else if (action == CONFIG_SHOW_HELP)
		status = main_show(config_help());
	else if (action == CONFIG_SHOW_HELP_PC)
		status = main_show(config_help_pc());
	else if (action == CONFIG_SHOW_VERSION)
		status = main_show("tinyvm " TINYVM_VERSION "\n");
	else
		status = main_run(&cfg);
	exit(status);
}
