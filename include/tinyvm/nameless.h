/* Files without a name, which are gone with the last who has them open, however that one ends. */
#ifndef TINYVM_NAMELESS_H
#define TINYVM_NAMELESS_H

/**
 * nameless_open() - an empty file for reading and writing, for its owner alone
 * @dir:   on whose file system
 * @flags: O_APPEND or 0; it is closed on exec
 *
 * Where the file system has no O_TMPFILE, it has a name for the blink of an eye.
 * Return: a descriptor or -errno.
 */
int nameless_open(const char *dir, int flags) __attribute__((warn_unused_result));

#endif
