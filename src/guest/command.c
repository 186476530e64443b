/* Starting the command: who it is, where it is, what its streams are. */
#include "guest.h"

#include "sys.h"

#define PIPE_BYTES (1 << 20)
#define SHELL	   "/bin/sh"
#define PATH_ELSE  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define GROUP_TTY  5
#define GROUPS_MAX 256

/* As shells have them. */
#define STATUS_NOT_FOUND 127
#define STATUS_NOT_RUN	 126

/**
 * struct plan - what the child needs, made ready before there is one
 * @script: room for the shell's words when the command turns out to be a script without a #!
 * @slave:  the terminal's, or -1
 * @stdio:  the child's ends of the pipes otherwise
 */
struct plan {
	char **argv;
	char **envp;
	char **script;
	const char *path;
	unsigned uid, gid, groups[GROUPS_MAX];
	size_t group_count;
	int slave;
	int stdio[3];
};

static unsigned command_id(const char *value)
{
	uint32_t id = 0;
	return text_number(&value, &id) ? id : 0;
}

__attribute__((noreturn)) static void command_fail(struct guest *g, const char *what,
						   const char *name, long error)
{
	struct text why = {0};
	text_add(&why, what);
	text_add(&why, name);
	text_add_error(&why, error);
	guest_fail(g, why.buf);
}

static void command_plan(struct guest *g, struct plan *plan)
{
	const struct conf *conf = &g->conf;
	size_t argc, count;
	plan->argv = conf_list(conf, "arg", &argc);
	plan->envp = conf_list(conf, "env", &count);
	unsigned long at = (unsigned long)sys_mmap(-1, (argc + 2) * sizeof(char *));
	if (!plan->argv || !plan->envp || at >= -4095UL)
		command_fail(g, "cannot prepare the command", "", -ENOMEM);
	if (!argc)
		guest_fail(g, "there is no command in the instructions");
	plan->script = (char **)at;
	memcpy(plan->script + 1, plan->argv, argc * sizeof(char *)); /* then NULL */
	plan->path = PATH_ELSE;
	for (size_t i = 0; i < count; i++) {
		const char *path = text_after(plan->envp[i], "PATH=");
		if (path)
			plan->path = path;
	}
	plan->uid = command_id(conf_get(conf, "uid", "0"));
	plan->gid = command_id(conf_get(conf, "gid", "0"));
	for (const char *id = NULL; (id = conf_next(conf, "group", id));)
		if (plan->group_count < GROUPS_MAX)
			plan->groups[plan->group_count++] = command_id(id);
}

/* Streams */

static void command_open_pipes(struct guest *g, struct plan *plan, struct command *command)
{
	int ends[3][2];
	for (unsigned i = 0; i < 3; i++) {
		long rc = sys_pipe(ends[i]);
		if (rc < 0)
			command_fail(g, "cannot make a pipe", "", rc);
		int ours = ends[i][i == 0], theirs = ends[i][i != 0];
		if (i)
			sys_fcntl(ours, F_SETPIPE_SZ, PIPE_BYTES); /* a wish */
		sys_fcntl(ours, F_SETFL, O_NONBLOCK);
		/* /dev/stdout and its like open the pipe anew, as the user they are. */
		sys_fchown(theirs, plan->uid, plan->gid);
		plan->stdio[i] = theirs;
	}
	command->in = ends[0][1];
	command->out = ends[1][0];
	command->err = ends[2][0];
	plan->slave = -1;
}

/* @size: ROWSxCOLS */
static void command_open_tty(struct guest *g, struct plan *plan, struct command *command,
			     const char *size)
{
	int unlock = 0;
	uint32_t rows = 24, cols = 80;
	struct sys_termios termios;

	long rc = sys_open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (rc < 0)
		command_fail(g, "cannot make a terminal", "", rc);
	int master = (int)rc;
	sys_ioctl(master, TIOCSPTLCK, &unlock);
	rc = sys_ioctl(master, TIOCGPTPEER, (void *)(uintptr_t)(O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (rc < 0)
		command_fail(g, "cannot open the terminal", "", rc);
	plan->slave = (int)rc;
	if (text_number(&size, &rows) && *size == 'x') {
		size++;
		text_number(&size, &cols);
	}
	struct sys_winsize winsize = {.rows = (uint16_t)rows, .cols = (uint16_t)cols};
	sys_ioctl(master, TIOCSWINSZ, &winsize);
	if (sys_ioctl(plan->slave, TCGETS, &termios) >= 0) {
		termios.iflag |= IUTF8;
		sys_ioctl(plan->slave, TCSETS, &termios);
	}
	sys_fchown(plan->slave, plan->uid, GROUP_TTY);
	command->is_tty = true;
	command->in = command->out = master;
	command->err = -1;
}

/* In the child */

__attribute__((noreturn)) static void child_fail(const char *what, const char *name, long error,
						 int status)
{
	struct text why = {0};
	text_add(&why, "tinyvm: ");
	text_add(&why, what);
	text_add(&why, name);
	text_add_error(&why, error);
	text_add(&why, "\n");
	sys_write(2, why.buf, why.len);
	sys_exit(status);
}

static long child_try(const struct plan *plan, const char *path)
{
	long rc = sys_execve(path, plan->argv, plan->envp);
	if (rc != -ENOEXEC)
		return rc;
	plan->script[0] = (char *)(uintptr_t)SHELL;
	plan->script[1] = (char *)(uintptr_t)path;
	sys_execve(SHELL, plan->script, plan->envp);
	return rc;
}

/* As execvp(): a directory of PATH that has it but may not run it is only worth mentioning. */
static long child_search(const struct plan *plan)
{
	const char *name = plan->argv[0], *at = plan->path;
	long error = -ENOENT;
	if (text_find(name, '/'))
		return child_try(plan, name);
	while (*name) {
		struct text path = {0};
		for (; *at && *at != ':'; at++) {
			char one[2] = {*at, '\0'};
			text_add(&path, one);
		}
		if (path.len)
			text_add(&path, "/");
		text_add(&path, name);
		long rc = child_try(plan, path.buf);
		if (rc == -EACCES)
			error = rc;
		else if (rc != -ENOENT && rc != -ENOTDIR)
			return rc;
		if (!*at++)
			break;
	}
	return error;
}

__attribute__((noreturn)) static void child_run(const struct plan *plan)
{
	static const struct sys_sigset none;
	sys_sigprocmask(SIG_SETMASK, &none);
	sys_setsid();
	for (int i = 0; i < 3; i++)
		sys_dup3(plan->slave >= 0 ? plan->slave : plan->stdio[i], i);
	if (plan->slave >= 0)
		sys_ioctl(0, TIOCSCTTY, NULL);
	long rc = sys_become(plan->groups, plan->group_count, plan->uid, plan->gid);
	if (rc < 0)
		child_fail("cannot become the user", "", rc, STATUS_NOT_RUN);
	rc = child_search(plan);
	child_fail("cannot run ", plan->argv[0], rc,
		   rc == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN);
}

void command_start(struct guest *g, struct command *command)
{
	struct plan plan = {0};
	struct run_stamp stamp;
	const char *tty = conf_get(&g->conf, "tty", NULL);
	const char *cwd = conf_get(&g->conf, "cwd", "/");

	memset(command, 0, sizeof(*command));
	command_plan(g, &plan);
	long rc = sys_chdir(cwd);
	if (rc < 0)
		command_fail(g, "cannot enter the directory ", cwd, rc);
	if (tty)
		command_open_tty(g, &plan, command, tty);
	else
		command_open_pipes(g, &plan, command);

	stamp.boottime_ns = sys_boottime_ns();
	port_put(&g->port, RUN_STARTED, &stamp, sizeof(stamp));
	port_drain(&g->port);
	command->pid = sys_fork();
	if (command->pid < 0)
		command_fail(g, "cannot start a process", "", command->pid);
	if (!command->pid)
		child_run(&plan);
	sys_chdir("/"); /* a share must not be busy at the end */
	if (tty) {
		sys_close(plan.slave);
		return;
	}
	for (unsigned i = 0; i < 3; i++)
		sys_close(plan.stdio[i]);
}
