/* Why a run of the machine ends: who may say so, and who has the last word. */
#include "end.h"

#include <string.h>

void end_begin(struct end *end)
{
	atomic_store(&end->reason, END_NONE);
	end->panic[0] = '\0';
}

static bool end_yields(int reason, enum end_reason to)
{
	return reason == END_NONE ||
	       (reason == END_RESET && (to == END_OFF || to == END_SIGNAL || to == END_TIMEOUT));
}

bool end_claim(struct end *end, enum end_reason reason)
{
	int now = atomic_load(&end->reason);
	while (end_yields(now, reason)) {
		if (atomic_compare_exchange_weak(&end->reason, &now, (int)reason))
			return true;
	}
	return false;
}

void end_signals(sigset_t *ret_set)
{
	static const int deadly[] = {
		SIGHUP,	 SIGINT,    SIGQUIT, SIGTERM,	SIGUSR1, SIGUSR2, SIGALRM,
		SIGXCPU, SIGVTALRM, SIGPROF, SIGSTKFLT, SIGIO,	 SIGPWR,
	};
	struct sigaction hangup;
	sigemptyset(ret_set);
	for (unsigned i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		sigaddset(ret_set, deadly[i]);
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN)
		sigdelset(ret_set, SIGHUP);
}

enum end_reason end_reason(const struct end *end)
{
	enum end_reason reason = (enum end_reason)atomic_load(&end->reason);
	return reason == END_RESET && end->panic[0] ? END_PANIC : reason;
}

static void end_keep_panic(struct end *end, const char *text)
{
	size_t i = 0;
	for (; i < sizeof(end->panic) - 1 && text[i]; i++)
		end->panic[i] = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
	end->panic[i] = '\0';
}

void end_note_line(struct end *end, const char *line)
{
	static const char panic[] = "Kernel panic - not syncing: ";

	if (*line == '[') { /* the time stamp */
		const char *stamp_end = strstr(line, "] ");
		line = stamp_end ? stamp_end + 2 : line;
	}
	if (strncmp(line, panic, sizeof(panic) - 1) == 0)
		end_keep_panic(end, line + sizeof(panic) - 1);
	else if (strncmp(line, "reboot: ", 8) == 0 || strncmp(line, "Linux version ", 14) == 0)
		end->panic[0] = '\0'; /* it lives: the words were somebody else's */
}
