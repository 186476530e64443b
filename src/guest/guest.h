/* The init's parts, in the order in which init.c runs them. */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include "conf.h"
#include "port.h"
#include "text.h"

#include <stdbool.h>

/**
 * struct guest - what the parts share
 * @early: sentences from before the port was open
 * @is_root_lasting: what is written to the root is not gone with the machine
 */
struct guest {
	struct conf conf;
	struct port port;
	struct text early;
	bool is_root_lasting;
};

/* A sentence for -v, to the kernel's log too. */
void guest_log(struct guest *g, const char *sentence);

/* The end of the kernel's log to the host; without a port, to the console. */
void guest_tell_kernel_log(struct guest *g);

/* Cannot go on: tells the host why, or the kernel's log when there is no port, and switches off. */
__attribute__((noreturn)) void guest_fail(struct guest *g, const char *sentence);

/*
 * mount_basics() - /dev, /proc, /sys and what belongs in them
 * mount_root() - the root as told; it is "/" from then on
 * mount_shares() - what else is to be mounted
 * mount_finish() - nothing is left to write to a disk or a share
 * mount_make_parents() - the directories above @path
 */
void mount_basics(struct guest *g);
void mount_root(struct guest *g);
void mount_shares(struct guest *g);
void mount_finish(struct guest *g);
void mount_make_parents(const char *path);

/* Loads the modules and removes them from the initramfs. */
void modules_load(struct guest *g);

/* Brings up lo, and the interface as told. */
void network_start(struct guest *g);

/* Starts the root's own init as process 1, if told to, and waits until the system is up. */
void boot_start(struct guest *g);

/**
 * struct command - a running command
 * @in, @out, @err: our ends of its pipes; with a terminal, @in and @out are its master and @err -1
 */
struct command {
	long pid;
	bool is_tty;
	int in, out, err;
};

/* Starts the command; fails when there is none, or nowhere to start it. */
void command_start(struct guest *g, struct command *ret_command);

/* Carries the command's streams until it has ended, then reports how. */
void relay_run(struct guest *g, struct command *command);

#endif
