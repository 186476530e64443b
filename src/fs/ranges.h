/*
 * Which bytes of a file one owner has locked, as fcntl(2) has it (private to src/fs): in order,
 * none twice; neighbours of the same type are one.
 *
 * Nothing here locks anything.
 */
#ifndef FS_RANGES_H
#define FS_RANGES_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct range - bytes of a file
 * @start, @end: first and last; @end is below UINT64_MAX
 * @type: F_RDLCK or F_WRLCK; of what is wanted also F_UNLCK
 */
struct range {
	uint64_t start, end;
	short type;
};

/**
 * struct ranges - those that are locked; zeroed is none
 * @at: @room of them, @count in use
 */
struct ranges {
	struct range *at;
	unsigned count, room;
};

/**
 * struct ranges_edit - a change that has been prepared
 * @first, @removed: ranges that go
 * @added, @added_count: those that come in their place
 */
struct ranges_edit {
	unsigned first, removed;
	struct range added[3];
	unsigned added_count;
};

/**
 * ranges_prepare() - find out what locking or unlocking @range changes, and make room for that
 *
 * Until ranges_apply() nothing has changed.
 * Return: 0 or -ENOMEM.
 */
int ranges_prepare(struct ranges *ranges, const struct range *range, struct ranges_edit *ret_edit)
	__attribute__((warn_unused_result));

/* Makes the change that was prepared last. */
void ranges_apply(struct ranges *ranges, const struct ranges_edit *edit);

/* Do they keep another owner from locking @range? */
bool ranges_conflict(const struct ranges *ranges, const struct range *range);

/* None any more; the memory is free. */
void ranges_clear(struct ranges *ranges);

#endif
