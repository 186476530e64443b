/*
 * A cell of `tinyvm matrix`: this program again, as `tinyvm run`. Its output goes to a file without
 * a name, on a disk and not in memory, and only its end is kept there.
 *
 * The process is in a group of its own, so that the terminal's Ctrl-C reaches it only through
 * `tinyvm matrix`, and the kernel kills it when `tinyvm matrix` is gone; what it has started goes
 * down with it by itself (passt likewise, tools by a broken pipe).
 */
#include "matrix_cell.h"

#include "now.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <tinyvm/config.h>
#include <tinyvm/nameless.h>
#include <unistd.h>

#define NS_PER_MS   1000000u
#define OUTPUT_MAX  (64LL << 20) /* that much on the disk is trimmed */
#define OUTPUT_KEEP (1LL << 20)	 /* to this; at least MATRIX_OUTPUT_MAX */
#define REPORT_MAX  65536
#define BLOCK	    512 /* unit of st_blocks */

/* Return: a descriptor or -errno, with the directory that was tried last. */
static int cell_open_output(const char **ret_dir)
{
	const char *const dirs[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	int fd = -ENOENT;
	for (unsigned i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && fd < 0; i++) {
		if (!dirs[i] || !*dirs[i])
			continue;
		*ret_dir = dirs[i];
		fd = nameless_open(dirs[i], O_APPEND);
	}
	return fd;
}

static _Noreturn void cell_exec(const struct matrix_cell *c, char **args, const sigset_t *mask,
				pid_t parent)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_NOT_STARTED);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(c->output, STDOUT_FILENO) < 0 ||
	    dup2(c->output, STDERR_FILENO) < 0 || fcntl(c->report, F_SETFD, 0) < 0)
		_exit(EXIT_NOT_STARTED);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execv("/proc/self/exe", args);
	dprintf(STDERR_FILENO, "tinyvm: cannot start itself: %s\n", strerror(errno));
	_exit(EXIT_NOT_STARTED);
}

/* Return: 0 or -errno with a sentence. */
static int cell_fork(struct matrix_cell *c, const struct matrix_config *cfg, unsigned cell,
		     const sigset_t *mask, struct err *err)
{
	char path[32], name[] = "tinyvm";
	snprintf(path, sizeof(path), "/proc/self/fd/%d", c->report);
	char **run = matrix_args(cfg, cell, path);
	unsigned count = 0;
	while (run && run[count])
		count++;
	char **args = run ? calloc(count + 2, sizeof(args[0])) : NULL;
	if (!args) {
		free(run);
		return err_set(err, -ENOMEM, "not enough host memory");
	}
	args[0] = name;
	memcpy(args + 1, run, count * sizeof(args[0]));
	pid_t parent = getpid();
	c->pid = fork();
	if (c->pid == 0)
		cell_exec(c, args, mask, parent);
	int error = c->pid < 0 ? -errno : 0;
	free(args);
	free(run);
	if (error)
		return err_set(err, error, "cannot start a process: %s", strerror(-error));
	setpgid(c->pid, c->pid); /* whoever comes first */
	return 0;
}

int matrix_cell_start(struct matrix_cell *c, const struct matrix_config *cfg, unsigned cell,
		      const sigset_t *mask, struct err *err)
{
	const char *dir = "";
	*c = (struct matrix_cell){.report = -1, .started_ns = now_get_ns()};
	c->output = cell_open_output(&dir);
	if (c->output < 0)
		return err_set(err, c->output, "cannot make a file for output in %.200s: %s", dir,
			       strerror(-c->output));
	c->report = memfd_create("tinyvm report", MFD_CLOEXEC);
	int error = c->report < 0 ? err_set(err, -errno, "cannot make a file for a report: %s",
					    strerror(errno))
				  : cell_fork(c, cfg, cell, mask, err);
	if (error) {
		close(c->output);
		if (c->report >= 0)
			close(c->report);
		c->pid = 0;
	}
	return error;
}

void matrix_cell_signal(const struct matrix_cell *c, int signo)
{
	if (c->pid > 0)
		kill(signo == SIGKILL ? -c->pid : c->pid, signo);
}

void matrix_cell_trim(const struct matrix_cell *c)
{
	struct stat st;
	if (fstat(c->output, &st) != 0 || st.st_blocks <= OUTPUT_MAX / BLOCK)
		return;
	/* Where that cannot be done, the disk is what limits it, and the command is told. */
	if (fallocate(c->output, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		      st.st_size - OUTPUT_KEEP) != 0)
		return;
}

/* The last @max bytes of a file, to be freed; NULL for none. */
static char *cell_read_end(int fd, off_t max, size_t *ret_len, bool *ret_is_cut)
{
	struct stat st;
	*ret_len = 0;
	if (fstat(fd, &st) != 0 || st.st_size == 0)
		return NULL;
	off_t from = st.st_size > max ? st.st_size - max : 0;
	char *text = malloc((size_t)(st.st_size - from));
	*ret_is_cut = from > 0;
	while (text && from < st.st_size) {
		ssize_t n = pread(fd, text + *ret_len, (size_t)(st.st_size - from), from);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		*ret_len += (size_t)n;
		from += n;
	}
	return text;
}

static void cell_keep_output(const struct matrix_cell *c, struct matrix_result *r)
{
	r->output = cell_read_end(c->output, MATRIX_OUTPUT_MAX, &r->output_len, &r->is_output_cut);
	if (!r->output)
		return;
	size_t from = matrix_last_lines(r->output, r->output_len, MATRIX_OUTPUT_LINES);
	if (from == 0 && r->is_output_cut) { /* the first line is a piece of one */
		const char *feed = memchr(r->output, '\n', r->output_len);
		if (feed && feed + 1 < r->output + r->output_len)
			from = (size_t)(feed + 1 - r->output);
	}
	r->is_output_cut |= from > 0;
	r->output_len -= from;
	memmove(r->output, r->output + from, r->output_len);
}

void matrix_cell_end(struct matrix_cell *c, int wait_status, struct matrix_result *r)
{
	size_t len;
	bool is_cut;
	memset(r, 0, sizeof(*r));
	r->duration_ms = (now_get_ns() - c->started_ns) / NS_PER_MS;
	char *report = cell_read_end(c->report, REPORT_MAX, &len, &is_cut);
	if (report)
		matrix_report_read(report, len, &r->report);
	free(report);
	matrix_judge(r, wait_status, c->told);
	if (r->outcome != MATRIX_PASSED)
		cell_keep_output(c, r);
	close(c->output);
	close(c->report);
	*c = (struct matrix_cell){0};
}
