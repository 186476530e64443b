/* The images that a machine is started with: disks, floppies, CDs, firmware. */
#ifndef DRIVES_H
#define DRIVES_H

struct backends;
struct config;
struct err;

/* Return: 0; -errno with a sentence that names the file. What was opened, drives_close() closes. */
int drives_open(struct backends *b, const struct config *cfg, struct err *err)
	__attribute__((warn_unused_result));
void drives_close(struct backends *b);

#endif
