/* The machine: everything behind the command line. */
#ifndef TINYVM_MACHINE_H
#define TINYVM_MACHINE_H

struct config;
struct err;

/**
 * machine_main() - build the machine that @cfg asks for, run it to its end, take it apart
 *
 * Return: the process's exit code (enum exit_code). EXIT_NOT_STARTED comes with the sentence in
 * @err; other ends that need a sentence have been logged.
 */
int machine_main(const struct config *cfg, struct err *err);

/**
 * commit_main() - `tinyvm commit [--force] OVERLAY`
 * @argv: from "commit" on
 *
 * Return: EXIT_GUEST_OFF, or EXIT_NOT_STARTED with the sentence in @err.
 */
int commit_main(int argc, char **argv, struct err *err);

#endif
