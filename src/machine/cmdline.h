/* The kernel command line: what tinyvm adds to the user's. */
#ifndef CMDLINE_H
#define CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

struct boot_root;
struct config;

/**
 * cmdline_identify_root() - look for the root filesystem on the first disk
 *
 * Only when root= is tinyvm's to give: there is a disk, no initrd, and no root= from the user.
 * Return: true when there is one to name.
 */
bool cmdline_identify_root(const struct config *cfg, struct boot_root *ret_root);

/* Likewise; @ret_suffix: of its device: "" for the whole disk, "1" ... */
bool cmdline_find_root(const struct config *cfg, char ret_suffix[4]);

/**
 * cmdline_build() - the final command line
 * @root_suffix: that cmdline_find_root() found, or NULL
 *
 * tinyvm's arguments come first, so that the user's, which follow, win; those the user gives
 * (console=, panic=, reboot=, root=) are left out.
 * Return: a string to be freed, NULL without memory.
 */
char *cmdline_build(const struct config *cfg, const char *root_suffix);

/*
 * What follows @name= among the arguments before `--`, @ret_len bytes; "" for the bare word @name.
 * NULL when there is neither.
 */
const char *cmdline_get(const char *cmdline, const char *name, size_t *ret_len);

/* Is @name= (or the bare word @name) among the arguments before `--`? */
bool cmdline_has(const char *cmdline, const char *name);

/* The user's alone, for kernels that may not be Linux. Return: malloc()ed, NULL without memory. */
char *cmdline_copy(const struct config *cfg) __attribute__((warn_unused_result));

#endif
