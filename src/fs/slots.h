/*
 * A table that gives things a number (private to src/fs). A number that was given back is not used
 * again for a long time: whoever still holds it finds nothing instead of something else.
 *
 * Nothing here locks anything.
 */
#ifndef FS_SLOTS_H
#define FS_SLOTS_H

#include <stdint.h>

struct slot;

/**
 * struct slots - the table; zeroed is empty
 * @slot:  @room of them, the first @count have been in use
 * @used:  things in it
 */
struct slots {
	struct slot *slot;
	uint32_t room;
	uint32_t count;
	uint32_t used;
	uint32_t free_head, free_tail; /* of those given back, 0 for none, else index + 1 */
};

/* The first number given is 1. Return: 0 or -ENOMEM. */
int slots_add(struct slots *slots, void *thing, uint64_t *ret_id)
	__attribute__((warn_unused_result));

/**
 * slots_add_at() - put @thing where the one that had the number @id was
 * @max: how many slots there may be
 *
 * After a row of these slots_relink() finds the free ones again; nothing else goes before that.
 * Return: 0, -ENOMEM, -EBADMSG for a number that cannot be or is taken.
 */
int slots_add_at(struct slots *slots, void *thing, uint64_t id, uint32_t max)
	__attribute__((warn_unused_result));
void slots_relink(struct slots *slots);

/* Return: NULL for a number that is nothing's. */
void *slots_get(const struct slots *slots, uint64_t id);

void slots_remove(struct slots *slots, uint64_t id);

/* The thing at index @i, up to slots->count: NULL for a free one. */
void *slots_at(const struct slots *slots, uint32_t i);

/* Empty again; the things stay the caller's. */
void slots_clear(struct slots *slots);

#endif
