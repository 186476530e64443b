/* Why a run of the machine ends. */
#ifndef END_H
#define END_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <tinyvm/err.h>

enum end_reason {
	END_NONE,
	END_OFF,
	END_RESET,
	END_PANIC,
	END_TRIPLE_FAULT,
	END_KVM_FAILED,
	END_SIGNAL,
	END_TIMEOUT,
};

/**
 * struct end - the end of a run, from power-on to power-off or reset
 * @reason:   changed by end_claim() only
 * @signal:   for END_SIGNAL; written by whoever claimed it
 * @sentence: for END_TRIPLE_FAULT and END_KVM_FAILED; likewise
 * @panic:    the kernel's panic message seen on the console, "" for none; console device's lock
 */
struct end {
	_Atomic int reason;
	int signal;
	char sentence[ERR_MSG_MAX];
	char panic[ERR_MSG_MAX];
};

/* A new run begins: nothing has ended it yet. Context: no vCPU runs. */
void end_begin(struct end *end);

/**
 * end_claim() - @reason is to end the run
 *
 * The first reason stays, but for a reset: somebody who wants the machine off (a signal, the guest
 * itself) while it is about to be reset does not want to see it start again. A guest that asked for
 * a reset and triple-faults while it waits has been reset all the same.
 * Return: whether this is the reason now; then the loop is to be stopped.
 * Context: any thread.
 */
bool end_claim(struct end *end, enum end_reason reason);

/*
 * The signals that are to end a run in good order: all whose default would end the process, but for
 * those that mean a crash (the terminal's own handlers have these) and SIGPIPE and SIGXFSZ, which
 * main() ignores. A hangup that is ignored (nohup) stays so; what a script's shell ignores for what
 * runs in its background does not, since that has to be ended with the script.
 */
void end_signals(sigset_t *ret_set);

/* The reason, once the vCPUs have stopped. A reset after a panic message is the panic's doing. */
enum end_reason end_reason(const struct end *end);

/*
 * The guest printed @line on its console: looks for the kernel's panic message. That tells a panic
 * from a reboot when the guest has no pvpanic driver loaded yet, which is when most panics of a
 * stock kernel happen. What it keeps is fit for the user's terminal: printable ASCII.
 */
void end_note_line(struct end *end, const char *line);

#endif
