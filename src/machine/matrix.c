/*
 * `tinyvm matrix`: starts cells while there is room, waits, and says how they ended. One thread,
 * which sleeps until a signal comes: a cell's end, the user's, or a second has passed.
 *
 * The first of the user's signals is passed on to what runs, and no more is started; after the
 * second, or when the cells have had time to end, they are killed. Results are written in any case.
 */
#include "end.h"
#include "matrix_cell.h"
#include "matrix_view.h"
#include "now.h"
#include "result_file.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <tinyvm/config.h>
#include <tinyvm/log.h>
#include <unistd.h>

#define NS_PER_S  1000000000ULL
#define NS_PER_MS 1000000ULL
#define GRACE_S	  10 /* for cells that were told to end */

/**
 * struct matrix
 * @set:  the signals that are waited for; @mask: what was blocked before
 * @jobs: how many may run at a time
 * @next: the first cell that was not started; cell_count: no more are to be
 * @killed_at_ns: when what still runs is killed, 0 for never
 */
struct matrix {
	struct matrix_run run;
	struct matrix_cell *cell;
	struct matrix_view view;
	sigset_t set, mask;
	uint64_t started_ns;
	unsigned jobs;
	unsigned next;
	unsigned running;
	uint64_t killed_at_ns;
};

static uint64_t matrix_free_bytes(void)
{
	uint64_t kib = 0;
	char line[128];
	FILE *in = fopen("/proc/meminfo", "re");
	if (!in)
		return 0;
	while (!kib && fgets(line, sizeof(line), in))
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) != 1)
			kib = 0;
	fclose(in);
	return kib * 1024;
}

static unsigned matrix_host_cpus(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	long count = sysconf(_SC_NPROCESSORS_ONLN);
	return count > 0 ? (unsigned)count : 1;
}

/* Ending */

static void matrix_signal_all(const struct matrix *m, int signo)
{
	for (unsigned i = 0; i < m->run.cfg->cell_count; i++)
		matrix_cell_signal(&m->cell[i], signo);
}

/* No more cells are started, and those that run are told to end. */
static void matrix_stop(struct matrix *m, int signo, const char *why)
{
	m->next = m->run.cfg->cell_count;
	for (unsigned i = 0; i < m->run.cfg->cell_count; i++)
		if (m->cell[i].pid && !m->cell[i].told)
			m->cell[i].told = why;
	matrix_signal_all(m, signo);
	if (!m->killed_at_ns)
		m->killed_at_ns = now_get_ns() + GRACE_S * NS_PER_S;
}

static void matrix_interrupt(struct matrix *m, int signo)
{
	if (m->run.signal) {
		matrix_signal_all(m, SIGKILL);
		return;
	}
	m->run.signal = signo;
	matrix_stop(m, signo, "interrupted");
}

/* Ctrl-Z: the cells stop, too, since the terminal did not reach them. */
static void matrix_suspend(struct matrix *m)
{
	matrix_view_hide_status(&m->view);
	matrix_signal_all(m, SIGSTOP);
	raise(SIGSTOP);
	matrix_signal_all(m, SIGCONT);
}

/* Cells */

static void matrix_ended(struct matrix *m, unsigned i)
{
	matrix_view_ended(&m->view, i);
	if (m->run.result[i].outcome == MATRIX_FAILED && m->run.cfg->is_fail_fast &&
	    !m->killed_at_ns)
		matrix_stop(m, SIGTERM, "another cell failed (--fail-fast)");
}

static void matrix_start(struct matrix *m)
{
	while (m->next < m->run.cfg->cell_count && m->running < m->jobs) {
		unsigned i = m->next++;
		struct err err = {0};
		if (matrix_cell_start(&m->cell[i], m->run.cfg, i, &m->mask, &err) == 0) {
			m->running++;
			continue;
		}
		m->run.result[i].outcome = MATRIX_ERROR;
		snprintf(m->run.result[i].cause, sizeof(m->run.result[i].cause), "%s", err.msg);
		matrix_ended(m, i);
	}
}

static void matrix_reap(struct matrix *m)
{
	for (unsigned i = 0; i < m->run.cfg->cell_count; i++) {
		int status;
		if (!m->cell[i].pid || waitpid(m->cell[i].pid, &status, WNOHANG) != m->cell[i].pid)
			continue;
		m->running--;
		matrix_cell_end(&m->cell[i], status, &m->run.result[i]);
		matrix_ended(m, i);
	}
}

static void matrix_tick(struct matrix *m)
{
	uint64_t now_ns = now_get_ns();
	for (unsigned i = 0; i < m->run.cfg->cell_count; i++)
		if (m->cell[i].pid)
			matrix_cell_trim(&m->cell[i]);
	if (m->killed_at_ns && now_ns >= m->killed_at_ns)
		matrix_signal_all(m, SIGKILL);
	matrix_view_status(&m->view, m->cell, now_ns);
}

static void matrix_loop(struct matrix *m)
{
	static const struct timespec second = {.tv_sec = 1};
	for (;;) {
		matrix_start(m);
		if (!m->running)
			return;
		matrix_tick(m);
		int signo = sigtimedwait(&m->set, NULL, &second);
		if (signo == SIGCHLD)
			matrix_reap(m);
		else if (signo == SIGTSTP)
			matrix_suspend(m);
		else if (signo > 0 && signo != SIGWINCH)
			matrix_interrupt(m, signo);
	}
}

/* Set-up and results */

/*
 * None of these stays ignored, the end of children neither, whom the kernel would bury otherwise.
 */
static void matrix_block_signals(struct matrix *m)
{
	end_signals(&m->set);
	sigaddset(&m->set, SIGTSTP);
	sigaddset(&m->set, SIGCHLD);
	sigaddset(&m->set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &m->set, &m->mask);
	for (int signo = 1; signo < NSIG; signo++)
		if (sigismember(&m->set, signo) == 1)
			signal(signo, SIG_DFL);
}

static int matrix_check_files(const struct matrix_config *cfg, struct err *err)
{
	int error = 0;
	if (cfg->tap && strcmp(cfg->tap, "-") != 0)
		error = result_file_check("tap", cfg->tap, err);
	if (!error && cfg->junit)
		error = result_file_check("junit", cfg->junit, err);
	if (!error && cfg->json)
		error = result_file_check("json", cfg->json, err);
	return error;
}

static int matrix_open(struct matrix *m, const struct matrix_config *cfg, struct err *err)
{
	unsigned count = cfg->cell_count;
	m->run.cfg = cfg;
	m->run.started = time(NULL);
	m->started_ns = now_get_ns();
	m->run.name = calloc(count, sizeof(m->run.name[0]));
	m->run.result = calloc(count, sizeof(m->run.result[0]));
	m->cell = calloc(count, sizeof(m->cell[0]));
	bool is_whole = m->run.name && m->run.result && m->cell;
	for (unsigned i = 0; i < count && is_whole; i++)
		is_whole = (m->run.name[i] = matrix_name(cfg, i)) != NULL;
	if (!is_whole)
		return err_set(err, -ENOMEM, "not enough host memory");
	m->jobs = matrix_jobs(cfg, matrix_host_cpus(), matrix_free_bytes());
	log_info("%u cells, %u at a time", count, m->jobs);
	return matrix_check_files(cfg, err);
}

static void matrix_close(struct matrix *m)
{
	for (unsigned i = 0; i < m->run.cfg->cell_count; i++) {
		if (m->run.name)
			free(m->run.name[i]);
		if (m->run.result)
			free(m->run.result[i].output);
	}
	free(m->run.name);
	free(m->run.result);
	free(m->cell);
	free(m);
}

static void matrix_write_tap_file(FILE *out, const void *run)
{
	matrix_write_tap(out, run);
}

static void matrix_write_junit_file(FILE *out, const void *run)
{
	matrix_write_junit(out, run);
}

static void matrix_write_json_file(FILE *out, const void *run)
{
	matrix_write_json(out, run);
}

/* Return: 0, or -errno of the first that failed; the others are written all the same. */
static int matrix_write_files(const struct matrix *m, struct err *err)
{
	const struct matrix_config *cfg = m->run.cfg;
	const struct {
		const char *option;
		const char *path;
		void (*write)(FILE *out, const void *run);
	} files[] = {
		{"tap", m->view.is_tap ? NULL : cfg->tap, matrix_write_tap_file},
		{"junit", cfg->junit, matrix_write_junit_file},
		{"json", cfg->json, matrix_write_json_file},
	};
	int first = 0;
	if (m->view.error)
		first = err_set(err, -m->view.error, "cannot write to standard output: %s",
				strerror(m->view.error));
	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct err own = {0};
		if (!files[i].path || result_file_write(files[i].option, files[i].path,
							files[i].write, &m->run, &own) == 0)
			continue;
		if (first)
			log_error("%s", own.msg);
		else
			first = err_set(err, own.code, "%s", own.msg);
	}
	return first;
}

int matrix_main(const struct matrix_config *cfg, struct err *err)
{
	struct matrix *m = calloc(1, sizeof(*m));
	if (!m) {
		err_set(err, -ENOMEM, "not enough host memory");
		return EXIT_NOT_STARTED;
	}
	int status = EXIT_NOT_STARTED;
	if (matrix_open(m, cfg, err) == 0) {
		matrix_block_signals(m);
		matrix_view_begin(&m->view, &m->run);
		matrix_loop(m);
		m->run.duration_ms = (now_get_ns() - m->started_ns) / NS_PER_MS;
		matrix_view_end(&m->view);
		if (matrix_write_files(m, err) == 0)
			status = matrix_status(&m->run);
	}
	matrix_close(m);
	return status;
}
