/*
 * What the end of a cell means. Whoever searches for the change that broke something wants to know
 * whether the command was judged at all: it failed if it was started and did not end with 0; a
 * kernel that does not get that far says nothing about it, and neither does a command that says
 * itself that it cannot tell (status 125, as under `git bisect run`).
 */
#include "matrix_parts.h"

#include <string.h>
#include <sys/wait.h>
#include <tinyvm/config.h>

const char *const matrix_outcome_name[MATRIX_OUTCOMES] = {
	[MATRIX_NOT_RUN] = "not run", [MATRIX_PASSED] = "passed", [MATRIX_FAILED] = "failed",
	[MATRIX_SKIPPED] = "skipped", [MATRIX_ERROR] = "error",	  [MATRIX_CANCELLED] = "cancelled",
};

static void matrix_judge_no_report(struct matrix_result *r, int wait_status)
{
	r->outcome = MATRIX_ERROR;
	if (WIFSIGNALED(wait_status))
		snprintf(r->cause, sizeof(r->cause), "tinyvm run was ended by signal %d (%s)",
			 WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
	else
		snprintf(r->cause, sizeof(r->cause),
			 "tinyvm run ended with status %d and left no report",
			 WEXITSTATUS(wait_status));
}

/* The command's own end. */
static void matrix_judge_command(struct matrix_result *r)
{
	const struct matrix_report *report = &r->report;
	if (strcmp(report->verdict, "signal") == 0) {
		r->outcome = MATRIX_FAILED;
		snprintf(r->cause, sizeof(r->cause), "the command was ended by signal %d",
			 report->status - EXIT_SIGNAL_BASE);
	} else if (report->status == 0) {
		r->outcome = MATRIX_PASSED;
	} else {
		r->outcome = report->status == EXIT_NOT_STARTED ? MATRIX_SKIPPED : MATRIX_FAILED;
		snprintf(r->cause, sizeof(r->cause), "the command ended with status %d",
			 report->status);
	}
}

/* Something else ended it. */
static void matrix_judge_machine(struct matrix_result *r)
{
	static const char *const guests[] = {"panic", "triple fault", "timeout"};
	const struct matrix_report *report = &r->report;
	bool is_guests = false;
	for (unsigned i = 0; i < sizeof(guests) / sizeof(guests[0]); i++)
		is_guests |= strcmp(report->verdict, guests[i]) == 0;
	r->outcome = is_guests && report->is_begun ? MATRIX_FAILED : MATRIX_ERROR;
	snprintf(r->cause, sizeof(r->cause), "%.400s%s",
		 *report->cause ? report->cause : report->verdict,
		 is_guests && !report->is_begun ? ", before the command was started" : "");
}

void matrix_judge(struct matrix_result *r, int wait_status, const char *told)
{
	const char *verdict = r->report.verdict;
	r->cause[0] = '\0';
	if (!*verdict)
		matrix_judge_no_report(r, wait_status);
	else if (strcmp(verdict, "exit") == 0 || strcmp(verdict, "signal") == 0)
		matrix_judge_command(r);
	else
		matrix_judge_machine(r);
	if (told && r->outcome != MATRIX_PASSED) {
		r->outcome = MATRIX_CANCELLED;
		snprintf(r->cause, sizeof(r->cause), "%s", told);
	}
}

unsigned matrix_count(const struct matrix_run *run, enum matrix_outcome outcome)
{
	unsigned count = 0;
	for (unsigned i = 0; i < run->cfg->cell_count; i++)
		count += run->result[i].outcome == outcome;
	return count;
}

int matrix_status(const struct matrix_run *run)
{
	if (run->signal)
		return EXIT_SIGNAL_BASE + run->signal;
	if (matrix_count(run, MATRIX_FAILED))
		return 1;
	return matrix_count(run, MATRIX_PASSED) == run->cfg->cell_count ? EXIT_GUEST_OFF
									: EXIT_NOT_STARTED;
}

size_t matrix_last_lines(const char *text, size_t len, unsigned max_lines)
{
	size_t at = len;
	while (at > 0) {
		if (text[at - 1] == '\n' && at < len && --max_lines == 0)
			break;
		at--;
	}
	return at;
}

bool matrix_next_line(const char **text, size_t *len, const char **ret_line, size_t *ret_len)
{
	if (*len == 0)
		return false;
	const char *feed = memchr(*text, '\n', *len);
	size_t size = feed ? (size_t)(feed - *text) : *len;
	*ret_line = *text;
	*ret_len = size > 0 && feed && feed[-1] == '\r' ? size - 1 : size;
	size += feed != NULL;
	*text += size;
	*len -= size;
	return true;
}
