/*
 * A front: what deals with the user in the place of the terminal, when the machine's console is not
 * what he came for (`tinyvm run`).
 */
#ifndef FRONT_H
#define FRONT_H

#include <stdbool.h>
#include <tinyvm/err.h>

struct chardev;
struct config;
struct evloop;
struct front;
struct pc;

/**
 * struct front_ops
 * @open:  make what the console and cfg->port lead to, which the machine destroys. -errno with a
 *         sentence
 * @close: nothing will be called any more, and the loop does not run
 * @signalled: a signal for the process: true when it has been dealt with, else it ends the machine
 * @stopped: NULL, or: the machine has ended for good, its board is still there; not on the loop
 * @judge: NULL, or: what becomes of exit code @status; after @close, the terminal is the user's
 */
struct front_ops {
	int (*open)(struct front *front, struct chardev **ret_console, struct chardev **ret_port,
		    struct err *err);
	void (*close)(struct front *front);
	bool (*signalled)(struct front *front, int signo);
	void (*stopped)(struct front *front);
	int (*judge)(struct front *front, int status);
};

/**
 * struct front - the head of one; all but @ops is filled in by the machine before @open
 * @line: to be told of each line of the console's, with the console's lock held
 * @end:  switches the machine off; any thread
 * @interrupt: ends the machine as the signal @signo would; any thread
 * @press_power_button: the guest's; the loop's thread
 * @machine: for them
 * @pc: the board, for pc_key() and its like, which also take one that is not there (yet)
 * @sentence: how the machine ended, "" when that needs no words
 */
struct front {
	const struct front_ops *ops;
	struct evloop *loop;
	void (*line)(void *machine, const char *line);
	void (*end)(void *machine);
	void (*interrupt)(void *machine, int signo);
	void (*press_power_button)(void *machine);
	void *machine;
	struct pc *pc;
	char sentence[ERR_MSG_MAX];
};

/* machine_main() with @front, NULL for the terminal. */
int machine_main_front(const struct config *cfg, struct front *front, struct err *err);

/*
 * Where unpacked kernels and modules are kept: $XDG_CACHE_HOME/tinyvm, else ~/.cache/tinyvm; NULL
 * for nowhere. To be freed.
 */
char *machine_cache_dir(void);

#endif
