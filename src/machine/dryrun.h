/* --dry-run: what would be built. */
#ifndef DRYRUN_H
#define DRYRUN_H

struct backends;
struct config;
struct err;

/**
 * dryrun_show() - build the board without a VM and write it to standard output: memory map, devices
 * with their ports, addresses and interrupts, kernel, final command line
 *
 * Needs no /dev/kvm.
 * Return: the exit code; the sentence in @err for EXIT_NOT_STARTED.
 */
int dryrun_show(const struct config *cfg, struct backends *backends, const char *cmdline,
		struct err *err);

#endif
